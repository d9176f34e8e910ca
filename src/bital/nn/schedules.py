"""Learning rates as pure functions of the step: ``schedule(step) -> rate``.

The step is the number of updates before: a number, an array or a traced value. An optimizer that
is given a schedule for its ``learning_rate`` asks it inside of the compiled step. Rates are
computed in float64. Names, arguments and values of the first six are those of Keras 3.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bital.errors import ArgumentError
from bital.nn.activations import Array


class LearningRateSchedule:
    """Base: subclasses define ``__call__(step)`` in plain NumPy.

    One that stores its constructor's arguments as a dataclass is saved with its optimizer.
    """

    def __call__(self, step: Array) -> Array:
        """Return the learning rate after ``step`` updates: ``() -> ()``, or of any shape."""
        raise NotImplementedError(f"{type(self).__name__} must define __call__(self, step)")

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        if not dataclasses.is_dataclass(self):
            raise ArgumentError(
                f"{type(self).__name__} cannot be saved: make it a dataclass, or define get_config."
            )
        found = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        for name, value in found.items():
            if isinstance(value, LearningRateSchedule):
                found[name] = {"class_name": type(value).__name__, "config": value.get_config()}
            elif isinstance(value, tuple):
                found[name] = list(value)
        return found

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> LearningRateSchedule:
        """Return a schedule with these constructor arguments."""
        return cls(**config)


@dataclass(frozen=True)
class _Decay(LearningRateSchedule):
    """Base: a rate that falls from ``initial_learning_rate`` over ``decay_steps``."""

    initial_learning_rate: float
    decay_steps: float

    def __post_init__(self) -> None:
        who = type(self).__name__
        _number(who, "initial_learning_rate", self.initial_learning_rate, 0.0)
        _positive(who, "decay_steps", self.decay_steps)

    def _share(self, step: Array, staircase: bool) -> Array:
        share = _double(step) / self.decay_steps
        return np.floor(share) if staircase else share


@dataclass(frozen=True)
class ExponentialDecay(_Decay):
    """``initial * decay_rate ** (step / decay_steps)``; with ``staircase`` of whole exponents.

    Examples
    --------
    >>> ExponentialDecay(0.1, decay_steps=100, decay_rate=0.5)(200).item()
    0.025
    """

    decay_rate: float
    staircase: bool = False
    name: str = "ExponentialDecay"

    def __call__(self, step: Array) -> Array:
        return self.initial_learning_rate * np.power(
            1.0 * self.decay_rate, self._share(step, self.staircase)
        )


@dataclass(frozen=True)
class InverseTimeDecay(_Decay):
    """``initial / (1 + decay_rate * step / decay_steps)``; with ``staircase`` of whole quotients.

    Examples
    --------
    >>> InverseTimeDecay(0.1, decay_steps=100, decay_rate=0.5)(200).item()
    0.05
    """

    decay_rate: float
    staircase: bool = False
    name: str = "InverseTimeDecay"

    def __call__(self, step: Array) -> Array:
        return self.initial_learning_rate / (
            1 + self.decay_rate * self._share(step, self.staircase)
        )


@dataclass(frozen=True)
class PolynomialDecay(_Decay):
    """From ``initial`` to ``end_learning_rate`` as ``(1 - step / decay_steps) ** power``.

    It stays there; with ``cycle`` ``decay_steps`` grows to the next multiple instead.

    Examples
    --------
    >>> PolynomialDecay(0.1, decay_steps=100, end_learning_rate=0.02)(50).item()
    0.06
    """

    end_learning_rate: float = 0.0001
    power: float = 1.0
    cycle: bool = False
    name: str = "PolynomialDecay"

    def __call__(self, step: Array) -> Array:
        step = _double(step)
        total: Any = self.decay_steps
        if self.cycle:
            total = total * np.maximum(np.ceil(step / self.decay_steps), 1)
        left = 1 - np.minimum(step, total) / total
        span = self.initial_learning_rate - self.end_learning_rate
        return span * np.power(left, self.power) + self.end_learning_rate


@dataclass(frozen=True)
class CosineDecay(_Decay):
    """Half a cosine from ``initial`` down to ``alpha`` times that, over ``decay_steps``.

    With a ``warmup_target`` the rate first goes from ``initial`` straight to the target, over
    ``warmup_steps``, and the cosine falls from the target.

    Source: Loshchilov and Hutter 2017, "SGDR", equation 5, without restarts.

    Examples
    --------
    >>> CosineDecay(0.1, decay_steps=100)(50).round(4).item()
    0.05
    """

    alpha: float = 0.0
    name: str = "CosineDecay"
    warmup_target: float | None = None
    warmup_steps: int = 0

    def __call__(self, step: Array) -> Array:
        step = _double(step)
        if self.warmup_target is None:
            return _cosine(self.initial_learning_rate, self.alpha, step / self.decay_steps)
        after = np.maximum(step - self.warmup_steps, 0) / self.decay_steps
        falling = _cosine(self.warmup_target, self.alpha, after)
        return _warm(
            step, self.warmup_steps, self.initial_learning_rate, self.warmup_target, falling
        )


@dataclass(frozen=True)
class CosineDecayRestarts(LearningRateSchedule):
    """Half a cosine again and again, each ``t_mul`` times as long and ``m_mul`` times as high.

    Source: Loshchilov and Hutter 2017, "SGDR: Stochastic Gradient Descent with Warm Restarts".

    Examples
    --------
    >>> CosineDecayRestarts(0.1, first_decay_steps=100)(200).round(4).item()  # 100 of 200
    0.05
    """

    initial_learning_rate: float
    first_decay_steps: float
    t_mul: float = 2.0
    m_mul: float = 1.0
    alpha: float = 0.0
    name: str = "SGDRDecay"

    def __post_init__(self) -> None:
        who = type(self).__name__
        _number(who, "initial_learning_rate", self.initial_learning_rate, 0.0)
        _positive(who, "first_decay_steps", self.first_decay_steps)
        _number(who, "t_mul", self.t_mul, 1.0)

    def __call__(self, step: Array) -> Array:
        share = _double(step) / self.first_decay_steps
        if self.t_mul == 1:
            restart = np.floor(share)
            share = share - restart
        else:
            # The first n cosines take (t_mul**n - 1) / (t_mul - 1) of the first one's time.
            grown = np.log(1 + share * (self.t_mul - 1)) / np.log(self.t_mul)
            restart = np.floor(grown)
            length = np.power(1.0 * self.t_mul, restart)
            share = (share - (length - 1) / (self.t_mul - 1)) / length
        height = np.power(1.0 * self.m_mul, restart)
        fallen = 0.5 * height * (1 + np.cos(math.pi * share))
        return self.initial_learning_rate * ((1 - self.alpha) * fallen + self.alpha)


@dataclass(frozen=True)
class PiecewiseConstantDecay(LearningRateSchedule):
    """``values[0]`` up to and with the step ``boundaries[0]``, then ``values[1]``, and so on.

    Examples
    --------
    >>> [PiecewiseConstantDecay([2, 4], [1.0, 0.5, 0.1])(step).item() for step in range(1, 6)]
    [1.0, 1.0, 0.5, 0.5, 0.1]
    """

    boundaries: Sequence[float]
    values: Sequence[float]
    name: str = "PiecewiseConstant"

    def __post_init__(self) -> None:
        object.__setattr__(self, "boundaries", tuple(self.boundaries))
        object.__setattr__(self, "values", tuple(self.values))
        if len(self.values) != len(self.boundaries) + 1 or not self.boundaries:
            raise ArgumentError(
                f"PiecewiseConstantDecay received {len(self.boundaries)} boundaries and "
                f"{len(self.values)} values; give one value more than boundaries."
            )
        if any(a >= b for a, b in zip(self.boundaries, self.boundaries[1:], strict=False)):
            raise ArgumentError(
                f"PiecewiseConstantDecay(boundaries={list(self.boundaries)!r}): must rise."
            )
        for value in self.values:
            _number("PiecewiseConstantDecay", "values", value, 0.0)

    def __call__(self, step: Array) -> Array:
        step = _double(step)
        rate = np.where(step > self.boundaries[-1], self.values[-1], self.values[-2])
        for boundary, value in zip(self.boundaries[-2::-1], self.values[-3::-1], strict=True):
            rate = np.where(step > boundary, rate, value)
        return rate


@dataclass(frozen=True)
class StepDecay(LearningRateSchedule):
    """``initial * factor ** (step // every)``: lower by a factor after every so many steps.

    Examples
    --------
    >>> [StepDecay(1.0, every=2, factor=0.5)(step).item() for step in range(5)]
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """

    initial_learning_rate: float
    every: int
    factor: float = 0.1
    name: str = "StepDecay"

    def __post_init__(self) -> None:
        _number("StepDecay", "initial_learning_rate", self.initial_learning_rate, 0.0)
        _positive("StepDecay", "every", self.every)
        _positive("StepDecay", "factor", self.factor)

    def __call__(self, step: Array) -> Array:
        return self.initial_learning_rate * np.power(
            1.0 * self.factor, np.floor(_double(step) / self.every)
        )


@dataclass(frozen=True)
class Warmup(LearningRateSchedule):
    """Straight from ``start`` to ``learning_rate`` over ``steps``, then that.

    A schedule as ``learning_rate`` begins when the warm-up is over.

    Examples
    --------
    >>> [Warmup(0.5, steps=2)(step).item() for step in range(4)]
    [0.0, 0.25, 0.5, 0.5]
    """

    learning_rate: float | LearningRateSchedule
    steps: int
    start: float = 0.0
    name: str = "Warmup"

    def __post_init__(self) -> None:
        given = self.learning_rate
        if isinstance(given, dict):  # from get_config
            kind = _KINDS.get(given.get("class_name"))
            if kind is None:
                raise ArgumentError(f"Warmup(learning_rate={given!r}): is not a schedule.")
            object.__setattr__(self, "learning_rate", kind.from_config(given["config"]))
        elif not callable(given):
            _number("Warmup", "learning_rate", given, 0.0)
        _positive("Warmup", "steps", self.steps)
        _number("Warmup", "start", self.start, 0.0)

    def __call__(self, step: Array) -> Array:
        step = _double(step)
        if not callable(self.learning_rate):
            return _warm(step, self.steps, self.start, self.learning_rate, self.learning_rate)
        target = self.learning_rate(np.zeros_like(step))
        after = self.learning_rate(np.maximum(step - self.steps, 0))
        return _warm(step, self.steps, self.start, target, after)


@dataclass(frozen=True)
class OneCycle(LearningRateSchedule):
    """Up along half a cosine to ``max_learning_rate``, then down to almost nothing.

    From ``max / div_factor`` over the first ``warm_share`` of ``total_steps``, and from there to
    ``max / div_factor / final_div_factor`` at the end, where it stays.

    Source: Smith and Topin 2019, "Super-Convergence"; the cosines are fast.ai's.

    Examples
    --------
    >>> [round(OneCycle(1.0, total_steps=10)(step).item(), 3) for step in (0, 3, 10)]
    [0.04, 1.0, 0.0]
    """

    max_learning_rate: float
    total_steps: int
    warm_share: float = 0.3
    div_factor: float = 25.0
    final_div_factor: float = 1e4
    name: str = "OneCycle"

    def __post_init__(self) -> None:
        for name in ("max_learning_rate", "total_steps", "div_factor", "final_div_factor"):
            _positive("OneCycle", name, getattr(self, name))
        _positive("OneCycle", "warm_share", self.warm_share)
        if self.warm_share >= 1:
            raise ArgumentError(f"OneCycle(warm_share={self.warm_share!r}): must be below 1.")

    def __call__(self, step: Array) -> Array:
        step = _double(step)
        top, warm = self.max_learning_rate, self.warm_share * self.total_steps
        low = top / self.div_factor
        end = low / self.final_div_factor
        rising = low + (top - low) * 0.5 * (1 - np.cos(math.pi * np.minimum(step / warm, 1)))
        after = np.maximum(step - warm, 0) / (self.total_steps - warm)
        return np.where(step < warm, rising, _cosine(top, end / top, after))


_KINDS = {
    cls.__name__: cls
    for cls in (
        CosineDecay,
        CosineDecayRestarts,
        ExponentialDecay,
        InverseTimeDecay,
        OneCycle,
        PiecewiseConstantDecay,
        PolynomialDecay,
        StepDecay,
    )
}


def _double(step: Array) -> Array:
    return step.astype(np.float64) if hasattr(step, "astype") else np.float64(step)


def _cosine(top: float, floor: float, share: Array) -> Array:
    """From ``top`` to ``floor * top`` while ``share`` goes from 0 to 1."""
    fallen = 0.5 * (1 + np.cos(math.pi * np.minimum(share, 1)))
    return top * ((1 - floor) * fallen + floor)


def _warm(step: Array, steps: float, start: Array, target: Array, after: Array) -> Array:
    """From ``start`` to ``target`` in ``steps``, then ``after``."""
    rising = start + (target - start) * step / max(steps, 1)
    return np.where(step < steps, rising, after)


def _number(who: str, name: str, value: Any, low: float) -> None:
    number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or value < low:
        raise ArgumentError(f"{who}({name}={value!r}): must be a finite number, at least {low:g}.")


def _positive(who: str, name: str, value: Any) -> None:
    _number(who, name, value, 0.0)
    if value == 0:
        raise ArgumentError(f"{who}({name}={value!r}): must be above 0.")


__all__ = [
    "CosineDecay",
    "CosineDecayRestarts",
    "ExponentialDecay",
    "InverseTimeDecay",
    "LearningRateSchedule",
    "OneCycle",
    "PiecewiseConstantDecay",
    "PolynomialDecay",
    "StepDecay",
    "Warmup",
]
