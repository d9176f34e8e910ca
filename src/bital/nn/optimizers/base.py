"""What all optimizers share: clipping, weight decay, averages, and the walk over the weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import numpy as np

import bital
from bital import tree
from bital.errors import ArgumentError, ShapeError
from bital.nn.activations import Array

Leaves = list[Array]
Schedule = Callable[[Any], Any]
"""A learning rate as a function of the number of updates before."""

_LARGEST = float(np.finfo(np.float64).max)
_CLIPS = ("clipnorm", "clipvalue", "global_clipnorm")


@dataclass(frozen=True)
class Optimizer:
    """Base: subclasses say which slots they keep, and how one weight is changed.

    Parameters
    ----------
    learning_rate : float or function of the step
        The size of the steps. A schedule, such as those of ``bital.nn.schedules``, is asked at each
        step with the number of updates before it, inside of a compiled step too.
    weight_decay : float, optional
        Before each update ``w <- w - learning_rate * weight_decay * w`` (Loshchilov and Hutter
        2019, "Decoupled Weight Decay Regularization").
    clipnorm : float, optional
        Each gradient is scaled down to this Euclidean norm.
    clipvalue : float, optional
        Each gradient's elements are kept within ``[-clipvalue, clipvalue]``.
    global_clipnorm : float, optional
        All gradients are scaled down together so that their joint norm is at most this.
    use_ema : bool, default False
        Keep an exponential moving average of the weights, in the slot ``"ema"``.
    ema_momentum : float, default 0.99
        ``average <- ema_momentum * average + (1 - ema_momentum) * w``, from the first weights on.
    ema_overwrite_frequency : int, optional
        After every so many updates the weights become their averages.
    gradient_accumulation_steps : int, optional
        Sum up the gradients of so many calls, and update once with their mean.
    undecayed : tuple of int, default ()
        Places, in the order of the leaves, of the weights without weight decay.
    """

    learning_rate: float | Schedule = 0.001
    _: KW_ONLY
    weight_decay: float | None = None
    clipnorm: float | None = None
    clipvalue: float | None = None
    global_clipnorm: float | None = None
    use_ema: bool = False
    ema_momentum: float = 0.99
    ema_overwrite_frequency: int | None = None
    gradient_accumulation_steps: int | None = None
    undecayed: tuple[int, ...] = ()

    unit_interval: ClassVar[tuple[str, ...]] = ()
    """Names of the parameters that must lie in ``[0, 1)``."""

    not_negative: ClassVar[tuple[str, ...]] = ("epsilon", "weight_decay")
    """Names of the parameters that must not be negative, where there are any."""

    def __post_init__(self) -> None:
        who = type(self).__name__
        if not callable(self.learning_rate):
            check_number(who, "learning_rate", self.learning_rate, 0.0, math.inf)
        for name in self.unit_interval:
            check_number(who, name, getattr(self, name), 0.0, 1.0)
        for name in self.not_negative:
            if getattr(self, name, None) is not None:
                check_number(who, name, getattr(self, name), 0.0, math.inf)
        given = {name: getattr(self, name) for name in _CLIPS if getattr(self, name) is not None}
        for name, value in given.items():
            check_number(who, name, value, 0.0, math.inf)
            if value == 0:
                raise ArgumentError(f"{who}({name}=0) would stop all training; leave it out.")
        if len(given) > 1:
            listed = ", ".join(f"{name}={value!r}" for name, value in given.items())
            raise ArgumentError(f"{who}({listed}): give one kind of clipping, not {len(given)}.")
        check_number(who, "ema_momentum", self.ema_momentum, 0.0, math.nextafter(1.0, 2.0))
        _check_count(who, "ema_overwrite_frequency", self.ema_overwrite_frequency, 1)
        _check_count(who, "gradient_accumulation_steps", self.gradient_accumulation_steps, 2)

    @property
    def own_slots(self) -> tuple[str, ...]:
        """Names of the slots that the rule itself keeps."""
        return ()

    @property
    def slots(self) -> tuple[str, ...]:
        """Names of the state's entries beside ``"iterations"``.

        Each has the form of the weights, one array for a weight. Most arrays have the weight's
        shape; see `first_slot`.
        """
        averages = ("ema",) if self.use_ema else ()
        sums = ("accumulated",) if self.gradient_accumulation_steps else ()
        return (*self.own_slots, *averages, *sums)

    def first_slot(self, name: str, weight: Array, place: int) -> Array:
        """Return the first array of a slot for the weight at this place: zeros of its shape."""
        del name, place
        return np.zeros_like(weight)

    def init(self, weights: Any) -> dict[str, Any]:
        """Return the state before the first update.

        Raises
        ------
        ArgumentError
            If a weight is not a floating array.
        """
        for path, leaf in tree.flatten_with_path(weights):
            if np.dtype(getattr(leaf, "dtype", object)).kind != "f":
                raise ArgumentError(
                    f"{type(self).__name__}.init(weights): the weight at {path or 'the top'} is "
                    f"{type(leaf).__name__} of dtype {getattr(leaf, 'dtype', None)}; only floating "
                    "arrays can be trained. Write np.asarray(w, dtype=np.float32)."
                )
        leaves, form = tree.flatten(weights)
        state: dict[str, Any] = {"iterations": np.int64(0)}
        for name in self.slots:
            own = name in self.own_slots
            first = [
                self.first_slot(name, leaf, place) if own else np.zeros_like(leaf)
                for place, leaf in enumerate(leaves)
            ]
            state[name] = tree.unflatten(form, first)
        return state

    def rate(self, state: dict[str, Any], learning_rate: Array | None = None) -> Array:
        """Return the learning rate of the next update: a schedule's, or the one that is given."""
        if callable(self.learning_rate):
            return self.learning_rate(state["iterations"])
        return self.learning_rate if learning_rate is None else learning_rate

    def update(
        self,
        gradients: Any,
        state: dict[str, Any],
        weights: Any,
        learning_rate: Array | None = None,
    ) -> tuple[Any, dict[str, Any]]:
        """Return the weights and the state after one step against ``gradients``.

        Parameters
        ----------
        gradients : container of arrays
            In the form of ``weights``, with equal shapes.
        state : dict
            From ``init`` or from the last ``update``.
        weights : container of floating arrays
            They keep their dtypes.
        learning_rate : float or 0-d array, optional
            In place of the optimizer's own number. An array lets one compiled step serve every
            rate. A schedule knows its rate by itself.

        Raises
        ------
        ShapeError
            If a gradient's shape differs from its weight's.
        """
        old, form = tree.flatten(weights)
        slopes = _matching_leaves(gradients, old)
        slots = {name: tree.flatten(state[name])[0] for name in self.slots}
        rate = self.rate(state, learning_rate)
        calls = state["iterations"]
        updates = calls
        if self.gradient_accumulation_steps:
            updates = calls // self.gradient_accumulation_steps
            new, slots = self._accumulate(slopes, old, slots, rate, calls, updates + 1)
        else:
            new, moved = self._apply(slopes, old, slots, rate, calls + 1)
            slots = {**slots, **moved}
        if self.use_ema:
            new, slots["ema"] = self._average(new, slots["ema"], updates)
        after = {"iterations": calls + 1}
        after |= {name: tree.unflatten(form, slots[name]) for name in self.slots}
        return tree.unflatten(form, new), after

    def _apply(
        self,
        slopes: Leaves,
        weights: Leaves,
        slots: dict[str, Leaves],
        rate: Array,
        count: Array,
    ) -> tuple[Leaves, dict[str, Leaves]]:
        """Return the new weights and the new arrays of the rule's own slots."""
        kept = [slots[name] for name in self.own_slots]
        factors = self._factors(rate, count)
        new: Leaves = []
        moved: list[Leaves] = [[] for _ in kept]
        for place, (weight, slope) in enumerate(zip(weights, self._clip(slopes), strict=True)):
            cast = {name: _as(value, weight.dtype) for name, value in factors.items()}
            decay = self._decay(weight, place)
            if decay and place not in self.undecayed:
                weight = weight * (1 - decay * _as(rate, weight.dtype))
            weight, values = self._step(weight, slope, [s[place] for s in kept], cast)
            new.append(weight)
            for leaves, value in zip(moved, values, strict=True):
                leaves.append(value)
        return new, dict(zip(self.own_slots, moved, strict=True))

    def _accumulate(
        self,
        slopes: Leaves,
        weights: Leaves,
        slots: dict[str, Leaves],
        rate: Array,
        calls: Array,
        count: Array,
    ) -> tuple[Leaves, dict[str, Leaves]]:
        """Add the gradients to the sums; at every so manyth call take the step, and begin anew."""
        steps = self.gradient_accumulation_steps
        sums = [g + total for g, total in zip(slopes, slots["accumulated"], strict=True)]
        own = {name: slots[name] for name in self.own_slots}

        def step(sums: Leaves, weights: Leaves, own: dict[str, Leaves], rate: Any, n: Any) -> Any:
            new, moved = self._apply([g / steps for g in sums], weights, own, rate, n)
            return new, moved, [np.zeros_like(g) for g in sums]

        def wait(sums: Leaves, weights: Leaves, own: dict[str, Leaves], rate: Any, n: Any) -> Any:
            return weights, own, sums

        due = (calls + 1) % steps == 0
        new, own, sums = bital.cond(due, step, wait, sums, weights, own, rate, count)
        return new, {**slots, **own, "accumulated": sums}

    def _average(self, weights: Leaves, averages: Leaves, updates: Array) -> tuple[Leaves, Leaves]:
        """Move the averages; return the weights, which may become their averages."""
        momentum = self.ema_momentum * (updates != 0)
        moved = []
        for weight, average in zip(weights, averages, strict=True):
            share = _as(momentum, weight.dtype)
            moved.append(share * average + (1 - share) * weight)
        if self.ema_overwrite_frequency:
            due = (updates + 1) % self.ema_overwrite_frequency == 0
            weights = [np.where(due, a, w) for a, w in zip(moved, weights, strict=True)]
        return weights, moved

    def _decay(self, weight: Array, place: int) -> float | None:
        """The weight decay of one weight."""
        del weight, place
        return self.weight_decay

    def _factors(self, rate: Array, count: Array) -> dict[str, Array]:
        """Scalars that all weights share in this step; each weight gets them in its dtype."""
        del count
        return {"rate": rate}

    def _step(
        self, weight: Array, slope: Array, slots: Leaves, factors: dict[str, Array]
    ) -> tuple[Array, Leaves]:
        """Return the new weight and its new slots."""
        raise NotImplementedError

    def _clip(self, slopes: Leaves) -> Leaves:
        if self.clipvalue is not None:
            return [np.clip(g, -self.clipvalue, self.clipvalue) for g in slopes]
        if self.clipnorm is not None:
            limit = self.clipnorm
            return [g * (limit / np.maximum(np.sqrt(np.sum(g * g)), limit)) for g in slopes]
        if self.global_clipnorm is not None and slopes:
            limit = self.global_clipnorm
            total = np.sum(slopes[0] * slopes[0])
            for g in slopes[1:]:
                total = total + np.sum(g * g)
            factor = limit / np.maximum(np.sqrt(total), limit)
            return [g * _as(factor, g.dtype) for g in slopes]
        return slopes


def _matching_leaves(gradients: Any, weights: Leaves) -> Leaves:
    found = tree.flatten_with_path(gradients)
    if len(found) != len(weights):
        raise ShapeError(
            f"update(gradients, state, weights) received {len(found)} gradients for "
            f"{len(weights)} weights; give one gradient for each weight, in the same container."
        )
    for (path, slope), weight in zip(found, weights, strict=True):
        if slope.shape != weight.shape:
            raise ShapeError(
                f"update(gradients, state, weights): the gradient at {path or 'the top'} has shape "
                f"{slope.shape}, its weight {weight.shape}; they must be equal."
            )
    return [slope for _, slope in found]


def _as(value: Array, dtype: Any) -> Array:
    """A shared scalar in a weight's dtype; Python numbers are weak and take it by themselves."""
    # By type and not by isinstance: np.float64 is a float, and is not weak.
    return value if type(value) in (int, float) else value.astype(dtype)


def check_number(who: str, name: str, value: Any, low: float, high: float) -> None:
    """Raise unless ``value`` is a finite number with ``low <= value < high``."""
    value = value.item() if isinstance(value, np.generic) else value
    number = isinstance(value, (int, float))
    if not number or isinstance(value, bool) or not low <= value < min(high, _LARGEST):
        bounds = f"at least {low:g}" if high == math.inf else f"at least {low:g} and below {high:g}"
        raise ArgumentError(f"{who}({name}={value!r}): must be a finite number, {bounds}.")


def bias(beta: float, count: Array) -> Array:
    """Return ``1 - beta**count`` in float64, with all digits."""
    # expm1 keeps them: in float32 the plain difference keeps four.
    with np.errstate(divide="ignore"):  # a beta of 0
        return -np.expm1(count.astype(np.float64) * np.log(beta))


def _check_count(who: str, name: str, value: Any, low: int) -> None:
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if value is not None and (not whole or value < low):
        raise ArgumentError(f"{who}({name}={value!r}): must be an integer of at least {low}.")
