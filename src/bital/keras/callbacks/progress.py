"""How training shows itself: a bar where someone watches, lines in a log file, or nothing."""

from __future__ import annotations

import sys
import time
from importlib.util import find_spec
from typing import Any

from bital.errors import ArgumentError
from bital.keras.callbacks.base import Callback, Logs

_REDRAW_SECONDS = 0.1


def reporter(verbose: Any, epochs: int, steps: int, lines: bool = True) -> list[Callback]:
    """Return the callbacks that show progress: one, or none.

    Parameters
    ----------
    verbose : {"auto", 0, 1, 2}
        0 is silent; 2 is a line for each epoch; 1 and ``"auto"`` are a bar in a terminal or
        notebook, else a line for each epoch.
    epochs, steps : int
        What there is to do.
    lines : bool, default True
        Whether there is anything to say in a line.

    Raises
    ------
    ArgumentError
        For another ``verbose``.
    """
    if verbose not in ("auto", 0, 1, 2):
        raise ArgumentError(f"verbose={verbose!r}: must be 'auto', 0, 1 or 2.")
    if verbose == 0:
        return []
    if verbose != 2 and _watched():
        return [Bar(epochs, steps)]
    return [Lines(epochs)] if lines else []


def format_logs(logs: Logs | None) -> str:
    """Return logs on one line.

    Examples
    --------
    >>> format_logs({"loss": 0.25, "tiny": 0.00001})
    'loss: 0.2500 - tiny: 1.0000e-05'
    """
    return " - ".join(
        f"{name}: {value:.4f}" if abs(value) > 1e-3 or value == 0 else f"{name}: {value:.4e}"
        for name, value in (logs or {}).items()
    )


class Lines(Callback):
    """One line for each epoch or evaluation."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs
        self.training = False
        self.start = time.perf_counter()

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Note that evaluations are validations now: they stand in the epoch's line."""
        self.training = True

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Start the clock."""
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Print the line."""
        self._print(f"Epoch {epoch + 1}/{self.epochs}", logs)

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Print the line of an evaluation."""
        if not self.training:
            self._print("Evaluation", logs)

    def _print(self, what: str, logs: Logs | None) -> None:
        seconds = time.perf_counter() - self.start
        print(f"{what} - {seconds:.1f}s - {format_logs(logs)}", flush=True)


class Bar(Callback):
    """A bar for each epoch, evaluation or prediction."""

    every_batch = False

    def __init__(self, epochs: int, steps: int) -> None:
        self.epochs = epochs
        self.steps = steps
        self.training = False
        self.drawn = 0.0
        self.bar: Any = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Note that evaluations are validations now: they stand in the epoch's bar."""
        self.training = True

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Start a bar."""
        self._open(f"Epoch {epoch + 1}/{self.epochs}")

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Move the bar."""
        self._move(batch, logs)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """End the bar with the epoch's logs."""
        self._close(logs)

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Leave no bar open after an error."""
        self._close(None)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Start the bar of an evaluation."""
        if not self.training:
            self._open("Evaluation")

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Move the bar of an evaluation."""
        if not self.training:
            self._move(batch, logs)

    def on_test_end(self, logs: Logs | None = None) -> None:
        """End the bar of an evaluation."""
        if not self.training:
            self._close(logs)

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Start the bar of a prediction."""
        self._open("Prediction")

    def on_predict_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Move the bar of a prediction."""
        self._move(batch, None)

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """End the bar of a prediction."""
        self._close(None)

    def _open(self, title: str) -> None:
        self._close(None)
        self.bar = _tqdm()(
            total=self.steps, desc=title, file=sys.stdout, unit="step", dynamic_ncols=True
        )

    def _move(self, batch: int, logs: Logs | None) -> None:
        now = time.perf_counter()
        if now - self.drawn > _REDRAW_SECONDS:
            self.drawn = now
            self.bar.set_postfix_str(format_logs(logs), refresh=False)
        self.bar.update(batch + 1 - self.bar.n)

    def _close(self, logs: Logs | None) -> None:
        if self.bar is None:
            return
        if logs:
            self.bar.set_postfix_str(format_logs(logs), refresh=False)
        self.bar.close()
        self.bar = None


def _in_notebook() -> bool:
    return type(sys.stdout).__module__.startswith("ipykernel")


def _watched() -> bool:
    """Whether someone looks at standard output as it comes."""
    return _in_notebook() or (sys.stdout is not None and sys.stdout.isatty())


def _tqdm() -> Any:
    if _in_notebook() and find_spec("ipywidgets") is not None:
        from tqdm.auto import tqdm
    else:
        from tqdm.std import tqdm
    return tqdm
