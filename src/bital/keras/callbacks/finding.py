"""A short training at growing learning rates, to find one that suits."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from bital import tree
from bital.errors import DataError, ModelStateError, NonFiniteLossError
from bital.keras import checks, random_state

_SMOOTH = 0.9
_WORSE = 4.0


@dataclass(frozen=True)
class LearningRates:
    """Losses at growing learning rates.

    Attributes
    ----------
    rates, losses : array, ``(steps,)``
        Losses are running means over the steps.
    suggestion : float
        The rate at which the loss fell most per factor of the rate.
    """

    rates: np.ndarray
    losses: np.ndarray
    suggestion: float

    def plot(self, axes: Any = None) -> Any:
        """Draw the losses over the rates, with the suggestion; return matplotlib's axes.

        Needs the extra ``plot``.
        """
        from bital.keras.callbacks.plotting import new_axes

        axes = new_axes(axes)
        axes.plot(self.rates, self.losses)
        axes.axvline(self.suggestion, color="tab:red", linestyle="--", linewidth=1)
        # The last losses may be far above the others: what matters is the way down.
        top = self.losses[: int(np.argmin(self.losses)) + 1].max()
        room = 0.1 * (top - self.losses.min()) or 0.1
        axes.set_ylim(self.losses.min() - room, top + room)
        axes.annotate(f" {self.suggestion:.2g}", (self.suggestion, top), color="tab:red")
        axes.set(xscale="log", xlabel="learning rate", ylabel="loss (running mean)")
        return axes


def find_learning_rate(
    model: Any,
    x: Any,
    y: Any,
    low: float = 1e-6,
    high: float = 1.0,
    steps: int = 100,
    batch_size: int = 32,
    seed: int | None = None,
) -> LearningRates:
    """Train for some steps, the learning rate growing from ``low`` to ``high``; look at the loss.

    It ends early when the loss is four times its lowest value, or no number. The model is left as
    it was: weights, optimizer and learning rate.

    Source: Smith 2017, "Cyclical Learning Rates for Training Neural Networks", section 3.3.

    Parameters
    ----------
    model : Model
        Compiled; its optimizer has a number as its learning rate.
    x, y : array-like, ``(samples, ...)``
    low, high : float, default 1e-6 and 1
    steps : int, default 100
    batch_size : int, default 32
    seed : int, optional
        Of the order of the samples.

    Raises
    ------
    ModelStateError
        If the model is not compiled, or the loss is no number from the beginning.

    Examples
    --------
    >>> from bital import keras
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> x = np.linspace(-1, 1, 64)[:, None]
    >>> found = find_learning_rate(model, x, 3 * x, steps=30, high=10.0)
    >>> 0.001 < found.suggestion < 2.0
    True
    """
    who = "find_learning_rate"
    low = checks.number(who, "low", low, 1e-300)
    high = checks.number(who, "high", high, math.nextafter(low, math.inf))
    steps = checks.integer(who, "steps", steps, low=5)
    size = checks.integer(who, "batch_size", batch_size)
    if getattr(model, "optimizer", None) is None:
        raise ModelStateError(f"{who}: the model is not compiled. Write model.compile(...) first.")
    x, y = np.asarray(x), np.asarray(y)
    if len(x) != len(y) or not len(x):
        raise DataError(f"{who}: x has {len(x)} samples, and y {len(y)}.")
    seed = random_state.fresh_seed() if seed is None else checks.integer(who, "seed", seed, 0)
    if not model.built:
        model(x[:1])
    optimizer = model.optimizer
    optimizer.build(model.trainable_weights)
    kept = model.get_weights(), tree.map(np.array, optimizer.state), optimizer.learning_rate
    rates = np.geomspace(low, high, steps)
    # Momentum from a training before would go on lowering the loss at any rate.
    optimizer.state = optimizer.rule.init(tuple(v.value for v in model.trainable_weights))
    try:
        losses = _losses(model, x, y, rates, min(size, len(x)), seed)
    finally:
        model.set_weights(kept[0])
        optimizer.state, optimizer.learning_rate = kept[1:]
    if len(losses) < 3:
        raise ModelStateError(
            f"{who}: after {len(losses)} steps the loss is no number, or far worse. Give a lower "
            f"low={low / 100:g}, or scale the inputs."
        )
    rates, means = rates[: len(losses)], np.array(losses)
    return LearningRates(rates, means, float(rates[_steepest(means)]))


def _steepest(means: np.ndarray) -> int:
    """The middle of the window in which the loss falls most, without the noise of the beginning."""
    until = max(int(np.argmin(means)) + 1, 3)
    width = max(1, until // 6)
    falls = means[width:until] - means[: until - width]
    skipped = min(width, len(falls) - 1)
    return skipped + int(np.argmin(falls[skipped:])) + width // 2


def _losses(model: Any, x: Any, y: Any, rates: Any, size: int, seed: int) -> list[float]:
    """Running means of the losses, until they are far worse."""
    found: list[float] = []
    mean, epoch, order = 0.0, 0, np.zeros(0, np.int64)
    for number, rate in enumerate(rates):
        if len(order) < size:
            order, epoch = random_state.permutation(seed, epoch, len(x)), epoch + 1
        rows, order = order[:size], order[size:]
        model.optimizer.learning_rate = rate
        try:
            value = model.train_on_batch(x[rows], y[rows], return_dict=True)["loss"]
        except NonFiniteLossError:
            break
        mean = _SMOOTH * mean + (1 - _SMOOTH) * value
        found.append(mean / (1 - _SMOOTH ** (number + 1)))
        if found[-1] > _WORSE * abs(min(found)) and number > 2:
            break
    return found
