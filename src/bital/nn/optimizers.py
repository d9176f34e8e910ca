"""Optimizers as pure functions of weights, gradients and state.

``init(weights) -> state`` and ``update(gradients, state, weights) -> (weights, state)``. Weights
are any nested container of floating arrays; state is a dict whose ``"iterations"`` counts the
updates and whose other entries ("slots") have the weights' form, shapes and dtypes. Formulas,
defaults and the place of epsilon are those of Keras 3.
"""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import numpy as np

from bital import tree
from bital.errors import ArgumentError, ShapeError
from bital.nn.activations import Array

Leaves = list[Array]
_LARGEST = float(np.finfo(np.float64).max)


@dataclass(frozen=True)
class Optimizer:
    """What all optimizers share: clipping, weight decay and the walk over the weights.

    Parameters
    ----------
    weight_decay : float, optional
        Before each update ``w <- w - learning_rate * weight_decay * w`` (Loshchilov and Hutter
        2019, "Decoupled Weight Decay Regularization").
    clipnorm : float, optional
        Each gradient is scaled down to this Euclidean norm.
    clipvalue : float, optional
        Each gradient's elements are kept within ``[-clipvalue, clipvalue]``.
    global_clipnorm : float, optional
        All gradients are scaled down together so that their joint norm is at most this.
    """

    learning_rate: float = 0.001
    _: KW_ONLY
    weight_decay: float | None = None
    clipnorm: float | None = None
    clipvalue: float | None = None
    global_clipnorm: float | None = None

    unit_interval: ClassVar[tuple[str, ...]] = ()
    """Names of the parameters that must lie in ``[0, 1)``."""

    def __post_init__(self) -> None:
        who = type(self).__name__
        _check_number(who, "learning_rate", self.learning_rate, 0.0, math.inf)
        for name in self.unit_interval:
            _check_number(who, name, getattr(self, name), 0.0, 1.0)
        if hasattr(self, "epsilon"):
            _check_number(who, "epsilon", self.epsilon, 0.0, math.inf)
        if self.weight_decay is not None:
            _check_number(who, "weight_decay", self.weight_decay, 0.0, math.inf)
        clips = ("clipnorm", "clipvalue", "global_clipnorm")
        given = {name: getattr(self, name) for name in clips if getattr(self, name) is not None}
        for name, value in given.items():
            _check_number(who, name, value, 0.0, math.inf)
            if value == 0:
                raise ArgumentError(f"{who}({name}=0) would stop all training; leave it out.")
        if len(given) > 1:
            listed = ", ".join(f"{name}={value!r}" for name, value in given.items())
            raise ArgumentError(f"{who}({listed}): give one kind of clipping, not {len(given)}.")

    @property
    def slots(self) -> tuple[str, ...]:
        """Names of the state's entries beside ``"iterations"``, each in the form of the weights."""
        return ()

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
        state: dict[str, Any] = {"iterations": np.int64(0)}
        for name in self.slots:
            state[name] = tree.map(np.zeros_like, weights)
        return state

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
            In place of the optimizer's own. An array lets one compiled step serve every rate.

        Raises
        ------
        ShapeError
            If a gradient's shape differs from its weight's.
        """
        old, form = tree.flatten(weights)
        slopes = self._clip(_matching_leaves(gradients, old))
        kept = [tree.flatten(state[name])[0] for name in self.slots]
        count = state["iterations"] + 1
        rate = self.learning_rate if learning_rate is None else learning_rate
        factors = self._factors(rate, count)
        new: Leaves = []
        moved: list[Leaves] = [[] for _ in self.slots]
        for index, (weight, slope) in enumerate(zip(old, slopes, strict=True)):
            cast = {name: _as(value, weight.dtype) for name, value in factors.items()}
            if self.weight_decay:
                weight = weight * (1 - self.weight_decay * cast["rate"])
            weight, values = self._step(weight, slope, [s[index] for s in kept], cast)
            new.append(weight)
            for leaves, value in zip(moved, values, strict=True):
                leaves.append(value)
        after = {"iterations": count}
        for name, leaves in zip(self.slots, moved, strict=True):
            after[name] = tree.unflatten(form, leaves)
        return tree.unflatten(form, new), after

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


@dataclass(frozen=True)
class SGD(Optimizer):
    """Gradient descent, with momentum.

    Without momentum ``w <- w - rate * g``. With it ``v <- momentum * v - rate * g`` and
    ``w <- w + v``, or with ``nesterov`` ``w <- w + momentum * v - rate * g``.

    Source: Sutskever et al. 2013, "On the importance of initialization and momentum in deep
    learning", equations 1 to 4.

    Examples
    --------
    >>> import numpy as np
    >>> optimizer = SGD(learning_rate=0.5)
    >>> w = np.array([1.0])
    >>> w, state = optimizer.update(2 * w, optimizer.init(w), w)
    >>> w
    array([0.])
    """

    learning_rate: float = 0.01
    momentum: float = 0.0
    nesterov: bool = False

    unit_interval: ClassVar[tuple[str, ...]] = ("momentum",)

    @property
    def slots(self) -> tuple[str, ...]:
        return ("momentums",) if self.momentum else ()

    def _step(
        self, weight: Array, slope: Array, slots: Leaves, factors: dict[str, Array]
    ) -> tuple[Array, Leaves]:
        change = factors["rate"] * slope
        if not self.momentum:
            return weight - change, []
        velocity = self.momentum * slots[0] - change
        if self.nesterov:
            return weight + (self.momentum * velocity - change), [velocity]
        return weight + velocity, [velocity]


@dataclass(frozen=True)
class RMSprop(Optimizer):
    """Gradients divided by a running root mean square of themselves.

    ``v <- rho * v + (1 - rho) * g**2``; ``w <- w - rate * g / sqrt(v + epsilon)``. ``centered``
    subtracts the square of the running mean from ``v`` (Graves 2013, equation 39 ff.);
    ``momentum`` accumulates the changes.

    Source: Tieleman and Hinton 2012, "Lecture 6.5: rmsprop".

    Examples
    --------
    >>> import numpy as np
    >>> optimizer = RMSprop(learning_rate=0.1)
    >>> w = np.array([1.0])
    >>> optimizer.update(w, optimizer.init(w), w)[0].round(4)
    array([0.6838])
    """

    learning_rate: float = 0.001
    rho: float = 0.9
    momentum: float = 0.0
    epsilon: float = 1e-7
    centered: bool = False

    unit_interval: ClassVar[tuple[str, ...]] = ("rho", "momentum")

    @property
    def slots(self) -> tuple[str, ...]:
        names = ["velocities"]
        if self.momentum:
            names.append("momentums")
        if self.centered:
            names.append("averages")
        return tuple(names)

    def _step(
        self, weight: Array, slope: Array, slots: Leaves, factors: dict[str, Array]
    ) -> tuple[Array, Leaves]:
        old = dict(zip(self.slots, slots, strict=True))
        new = {"velocities": self.rho * old["velocities"] + (1 - self.rho) * slope * slope}
        spread = new["velocities"]
        if self.centered:
            new["averages"] = self.rho * old["averages"] + (1 - self.rho) * slope
            spread = spread - new["averages"] * new["averages"]
        change = factors["rate"] * slope / np.sqrt(spread + self.epsilon)
        if self.momentum:
            change = new["momentums"] = self.momentum * old["momentums"] + change
        return weight - change, [new[name] for name in self.slots]


@dataclass(frozen=True)
class Adam(Optimizer):
    """Adaptive moments.

    ``m <- m + (1 - beta_1) * (g - m)``, ``v <- v + (1 - beta_2) * (g**2 - v)``,
    ``w <- w - a * m / (sqrt(v) + epsilon)`` with ``a = rate * sqrt(1 - beta_2**t) / (1 -
    beta_1**t)`` at step ``t``. Here epsilon is the "epsilon hat" of the paper, just before
    section 2.1. ``amsgrad`` divides by the largest ``v`` so far (Reddi et al. 2018).

    Source: Kingma and Ba 2015, "Adam: A Method for Stochastic Optimization", algorithm 1.

    Examples
    --------
    >>> import numpy as np
    >>> optimizer = Adam(learning_rate=0.1)
    >>> w = np.array([1.0])
    >>> optimizer.update(w, optimizer.init(w), w)[0].round(4)
    array([0.9])
    """

    learning_rate: float = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    amsgrad: bool = False

    unit_interval: ClassVar[tuple[str, ...]] = ("beta_1", "beta_2")

    @property
    def slots(self) -> tuple[str, ...]:
        names = ("momentums", "velocities")
        return (*names, "velocity_hats") if self.amsgrad else names

    def _factors(self, rate: Array, count: Array) -> dict[str, Array]:
        # expm1 keeps all digits of 1 - beta**t: in float32 the plain difference keeps four of them.
        t = count.astype(np.float64)
        first = -np.expm1(t * _log(self.beta_1))
        second = -np.expm1(t * _log(self.beta_2))
        return {"rate": rate, "step": rate * np.sqrt(second) / first}

    def _step(
        self, weight: Array, slope: Array, slots: Leaves, factors: dict[str, Array]
    ) -> tuple[Array, Leaves]:
        mean = slots[0] + (1 - self.beta_1) * (slope - slots[0])
        square = slots[1] + (1 - self.beta_2) * (slope * slope - slots[1])
        values = [mean, square]
        if self.amsgrad:
            square = np.maximum(slots[2], square)
            values.append(square)
        return weight - factors["step"] * mean / (np.sqrt(square) + self.epsilon), values


@dataclass(frozen=True)
class AdamW(Adam):
    """``Adam`` with weight decay, 0.004 unless told otherwise.

    Source: Loshchilov and Hutter 2019, "Decoupled Weight Decay Regularization", algorithm 2.

    Examples
    --------
    >>> import numpy as np
    >>> optimizer = AdamW(learning_rate=0.1, weight_decay=0.5)
    >>> w = np.array([1.0])
    >>> optimizer.update(w, optimizer.init(w), w)[0].round(4)
    array([0.85])
    """

    weight_decay: float | None = 0.004


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


def _log(beta: float) -> float:
    return math.log(beta) if beta > 0 else -math.inf


def _check_number(who: str, name: str, value: Any, low: float, high: float) -> None:
    """Raise unless ``value`` is a finite number with ``low <= value < high``."""
    value = value.item() if isinstance(value, np.generic) else value
    number = isinstance(value, (int, float))
    if not number or isinstance(value, bool) or not low <= value < min(high, _LARGEST):
        bounds = f"at least {low:g}" if high == math.inf else f"at least {low:g} and below {high:g}"
        raise ArgumentError(f"{who}({name}={value!r}): must be a finite number, {bounds}.")
