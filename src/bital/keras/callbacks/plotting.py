"""Pictures of trainings; matplotlib is imported when one is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bital.errors import ArgumentError


def plot_history(
    history: dict[str, list[float]], epochs: Sequence[int], names: Sequence[str] | None = None
) -> Any:
    """Draw a panel for each value of the logs, training and validation together.

    Parameters
    ----------
    history : dict of str to list of float
    epochs : sequence of int
        Numbers of the epochs, from 0.
    names : sequence of str, optional
        Which values, without ``val_``. Default: all.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ArgumentError
        If there is nothing to draw, or matplotlib is not installed.
    """
    known = list(dict.fromkeys(name.removeprefix("val_") for name in history))
    chosen = known if names is None else list(names)
    missing = [name for name in chosen if name not in known]
    if missing or not chosen:
        raise ArgumentError(
            f"plot({', '.join(missing) or 'nothing'}): there are {', '.join(known) or 'none'}."
        )
    figure, panels = _pyplot().subplots(
        1, len(chosen), figsize=(4.5 * len(chosen), 3.4), squeeze=False, layout="constrained"
    )
    for axes, name in zip(panels[0], chosen, strict=True):
        for key, label in ((name, "training"), (f"val_{name}", "validation")):
            if key in history:
                values = history[key]
                # A validation may be rarer than the epochs: its values stand at their ends.
                every = max(1, len(epochs) // max(len(values), 1))
                places = [epoch + 1 for epoch in epochs[every - 1 :: every]][-len(values) :]
                axes.plot(places, values, marker="." if len(values) < 40 else None, label=label)
        axes.set(xlabel="epoch", title=name.replace("_", " "))
        axes.grid(alpha=0.3)
        if f"val_{name}" in history:
            axes.legend()
    return figure


def new_axes(axes: Any = None) -> Any:
    """Return the axes, or those of a new figure."""
    return _pyplot().subplots(layout="constrained")[1] if axes is None else axes


def _pyplot() -> Any:
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ArgumentError(
            'A plot needs matplotlib, which is not installed. Write pip install "bital[plot]".'
        ) from error
    return pyplot
