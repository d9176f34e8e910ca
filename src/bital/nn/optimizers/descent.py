"""Descent along gradients, and along gradients divided by their own size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bital.nn.activations import Array
from bital.nn.optimizers.base import Leaves, Optimizer, Schedule, check_number


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

    learning_rate: float | Schedule = 0.01
    momentum: float = 0.0
    nesterov: bool = False

    unit_interval: ClassVar[tuple[str, ...]] = ("momentum",)

    @property
    def own_slots(self) -> tuple[str, ...]:
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

    learning_rate: float | Schedule = 0.001
    rho: float = 0.9
    momentum: float = 0.0
    epsilon: float = 1e-7
    centered: bool = False

    unit_interval: ClassVar[tuple[str, ...]] = ("rho", "momentum")

    @property
    def own_slots(self) -> tuple[str, ...]:
        names = ["velocities"]
        if self.momentum:
            names.append("momentums")
        if self.centered:
            names.append("averages")
        return tuple(names)

    def _step(
        self, weight: Array, slope: Array, slots: Leaves, factors: dict[str, Array]
    ) -> tuple[Array, Leaves]:
        old = dict(zip(self.own_slots, slots, strict=True))
        new = {"velocities": self.rho * old["velocities"] + (1 - self.rho) * slope * slope}
        spread = new["velocities"]
        if self.centered:
            new["averages"] = self.rho * old["averages"] + (1 - self.rho) * slope
            spread = spread - new["averages"] * new["averages"]
        change = factors["rate"] * slope / np.sqrt(spread + self.epsilon)
        if self.momentum:
            change = new["momentums"] = self.momentum * old["momentums"] + change
        return weight - change, [new[name] for name in self.own_slots]


@dataclass(frozen=True)
class Adagrad(Optimizer):
    """Gradients divided by the root of the sum of all their squares.

    ``v <- v + g**2``; ``w <- w - rate * g / sqrt(v + epsilon)``, from ``v`` equal to
    ``initial_accumulator_value``.

    Source: Duchi et al. 2011, "Adaptive Subgradient Methods".

    Examples
    --------
    >>> import numpy as np
    >>> optimizer = Adagrad(learning_rate=0.1, initial_accumulator_value=3.0)
    >>> w = np.array([1.0])
    >>> optimizer.update(w, optimizer.init(w), w)[0].round(4)
    array([0.95])
    """

    learning_rate: float | Schedule = 0.001
    initial_accumulator_value: float = 0.1
    epsilon: float = 1e-7

    not_negative: ClassVar[tuple[str, ...]] = (
        *Optimizer.not_negative,
        "initial_accumulator_value",
    )

    @property
    def own_slots(self) -> tuple[str, ...]:
        return ("accumulators",)

    def first_slot(self, name: str, weight: Array, place: int) -> Array:
        return np.full_like(weight, self.initial_accumulator_value)

    def _step(
        self, weight: Array, slope: Array, slots: Leaves, factors: dict[str, Array]
    ) -> tuple[Array, Leaves]:
        total = slots[0] + slope * slope
        return weight - factors["rate"] * slope / np.sqrt(total + self.epsilon), [total]


@dataclass(frozen=True)
class Adadelta(Optimizer):
    """Steps in the units of the weights: a running mean of squared changes over one of gradients.

    ``v <- rho * v + (1 - rho) * g**2``; ``d = sqrt(u + epsilon) / sqrt(v + epsilon) * g``;
    ``u <- rho * u + (1 - rho) * d**2``; ``w <- w - rate * d``.

    Source: Zeiler 2012, "ADADELTA: An Adaptive Learning Rate Method", algorithm 1.

    Examples
    --------
    >>> import numpy as np
    >>> optimizer = Adadelta(learning_rate=1.0, rho=0.75, epsilon=0.75)
    >>> w = np.array([1.0])
    >>> optimizer.update(w, optimizer.init(w), w)[0].round(4)
    array([0.134])
    """

    learning_rate: float | Schedule = 0.001
    rho: float = 0.95
    epsilon: float = 1e-7

    unit_interval: ClassVar[tuple[str, ...]] = ("rho",)

    @property
    def own_slots(self) -> tuple[str, ...]:
        return ("accumulators", "changes")

    def _step(
        self, weight: Array, slope: Array, slots: Leaves, factors: dict[str, Array]
    ) -> tuple[Array, Leaves]:
        square = self.rho * slots[0] + (1 - self.rho) * slope * slope
        change = np.sqrt(slots[1] + self.epsilon) * slope / np.sqrt(square + self.epsilon)
        changes = self.rho * slots[1] + (1 - self.rho) * change * change
        return weight - factors["rate"] * change, [square, changes]


@dataclass(frozen=True)
class Lion(Optimizer):
    """The sign of a momentum: each element of a weight moves by the learning rate.

    ``w <- w - rate * sign(beta_1 * m + (1 - beta_1) * g)``; ``m <- beta_2 * m + (1 - beta_2) * g``.

    Source: Chen et al. 2023, "Symbolic Discovery of Optimization Algorithms", program 1.

    Examples
    --------
    >>> import numpy as np
    >>> optimizer = Lion(learning_rate=0.1)
    >>> w = np.array([1.0, -2.0])
    >>> optimizer.update(w, optimizer.init(w), w)[0]
    array([ 0.9, -1.9])
    """

    learning_rate: float | Schedule = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.99

    unit_interval: ClassVar[tuple[str, ...]] = ("beta_1", "beta_2")

    @property
    def own_slots(self) -> tuple[str, ...]:
        return ("momentums",)

    def _step(
        self, weight: Array, slope: Array, slots: Leaves, factors: dict[str, Array]
    ) -> tuple[Array, Leaves]:
        direction = np.sign(self.beta_1 * slots[0] + (1 - self.beta_1) * slope)
        momentum = self.beta_2 * slots[0] + (1 - self.beta_2) * slope
        return weight - factors["rate"] * direction, [momentum]


@dataclass(frozen=True)
class Ftrl(Optimizer):
    """Follow the regularized leader: weights that are not needed become exactly 0.

    With ``p = -learning_rate_power`` and ``g' = g + 2 * l2_shrinkage * w``:
    ``n' = n + g**2``; ``z <- z + g' - (n'**p - n**p) / rate * w``;
    ``w <- (clip(z, -l1, l1) - z) / (n'**p / rate + 2 * l2 + beta / rate)``.

    Source: McMahan et al. 2013, "Ad Click Prediction: a View from the Trenches", algorithm 1.

    Examples
    --------
    >>> import numpy as np
    >>> optimizer = Ftrl(learning_rate=0.5, l1_regularization_strength=0.25)
    >>> w = np.array([0.0, 0.0])
    >>> optimizer.update(np.array([2.0, 0.125]), optimizer.init(w), w)[0].round(4)
    array([-0.4321,  0.    ])
    """

    learning_rate: float | Schedule = 0.001
    learning_rate_power: float = -0.5
    initial_accumulator_value: float = 0.1
    l1_regularization_strength: float = 0.0
    l2_regularization_strength: float = 0.0
    l2_shrinkage_regularization_strength: float = 0.0
    beta: float = 0.0

    not_negative: ClassVar[tuple[str, ...]] = (
        *Optimizer.not_negative,
        "initial_accumulator_value",
        "l1_regularization_strength",
        "l2_regularization_strength",
        "l2_shrinkage_regularization_strength",
        "beta",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("Ftrl", "learning_rate_power", self.learning_rate_power, -1e300, 1e-300)

    @property
    def own_slots(self) -> tuple[str, ...]:
        return ("accumulators", "linears")

    def first_slot(self, name: str, weight: Array, place: int) -> Array:
        first = self.initial_accumulator_value if name == "accumulators" else 0.0
        return np.full_like(weight, first)

    def _step(
        self, weight: Array, slope: Array, slots: Leaves, factors: dict[str, Array]
    ) -> tuple[Array, Leaves]:
        rate, power = factors["rate"], -self.learning_rate_power
        total = slots[0] + slope * slope
        spread, before = np.power(total, power), np.power(slots[0], power)
        shrunk = slope + 2 * self.l2_shrinkage_regularization_strength * weight
        linear = slots[1] + shrunk - (spread - before) / rate * weight
        quadratic = (spread + self.beta) / rate + 2 * self.l2_regularization_strength
        l1 = self.l1_regularization_strength
        return (np.clip(linear, -l1, l1) - linear) / quadratic, [total, linear]
