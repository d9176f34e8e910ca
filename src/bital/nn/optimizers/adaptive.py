"""Adam and its relatives: running means of gradients and of their squares."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from bital.nn.activations import Array
from bital.nn.optimizers.base import Leaves, Optimizer, Schedule, bias


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

    learning_rate: float | Schedule = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    amsgrad: bool = False

    unit_interval: ClassVar[tuple[str, ...]] = ("beta_1", "beta_2")

    @property
    def own_slots(self) -> tuple[str, ...]:
        names = ("momentums", "velocities")
        return (*names, "velocity_hats") if self.amsgrad else names

    def _factors(self, rate: Array, count: Array) -> dict[str, Array]:
        first, second = bias(self.beta_1, count), bias(self.beta_2, count)
        return {"step": rate * np.sqrt(second) / first}

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

    weight_decay: float | None = field(default=0.004, kw_only=False)


@dataclass(frozen=True)
class Nadam(Optimizer):
    """`Adam` with Nesterov's momentum, by a schedule of momentums.

    With ``u_t = beta_1 * (1 - 0.96**t / 2)`` and ``U_t`` the product of ``u_1 ... u_t``, moments as
    in `Adam`: ``w <- w - rate * (u_{t+1} * m / (1 - U_{t+1}) + (1 - u_t) * g / (1 - U_t)) /
    (sqrt(v / (1 - beta_2**t)) + epsilon)``.

    Source: Dozat 2015, "Incorporating Nesterov Momentum into Adam".

    Examples
    --------
    >>> import numpy as np
    >>> optimizer = Nadam(learning_rate=0.1)
    >>> w = np.array([1.0])
    >>> optimizer.update(w, optimizer.init(w), w)[0].round(4)
    array([0.8937])
    """

    learning_rate: float | Schedule = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7

    unit_interval: ClassVar[tuple[str, ...]] = ("beta_1", "beta_2")

    @property
    def own_slots(self) -> tuple[str, ...]:
        return ("momentums", "velocities", "products")

    def first_slot(self, name: str, weight: Array, place: int) -> Array:
        if name == "products":  # of the momentums so far: one number
            return np.ones((), weight.dtype)
        return np.zeros_like(weight)

    def _factors(self, rate: Array, count: Array) -> dict[str, Array]:
        t = count.astype(np.float64)
        now, after = (self.beta_1 * (1 - 0.5 * np.power(0.96, n)) for n in (t, t + 1))
        return {"rate": rate, "now": now, "after": after, "second": bias(self.beta_2, count)}

    def _step(
        self, weight: Array, slope: Array, slots: Leaves, factors: dict[str, Array]
    ) -> tuple[Array, Leaves]:
        mean = slots[0] + (1 - self.beta_1) * (slope - slots[0])
        square = slots[1] + (1 - self.beta_2) * (slope * slope - slots[1])
        now, after = factors["now"], factors["after"]
        product = slots[2] * now
        ahead = after * mean / (1 - product * after) + (1 - now) * slope / (1 - product)
        size = np.sqrt(square / factors["second"]) + self.epsilon
        return weight - factors["rate"] * ahead / size, [mean, square, product]


@dataclass(frozen=True)
class Adamax(Optimizer):
    """`Adam` with the largest gradient so far, fading, in place of the mean square.

    ``m <- m + (1 - beta_1) * (g - m)``, ``u <- max(beta_2 * u, |g|)``,
    ``w <- w - rate / (1 - beta_1**t) * m / (u + epsilon)``.

    Source: Kingma and Ba 2015, "Adam: A Method for Stochastic Optimization", algorithm 2.

    Examples
    --------
    >>> import numpy as np
    >>> optimizer = Adamax(learning_rate=0.1)
    >>> w = np.array([1.0])
    >>> optimizer.update(w, optimizer.init(w), w)[0].round(4)
    array([0.9])
    """

    learning_rate: float | Schedule = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7

    unit_interval: ClassVar[tuple[str, ...]] = ("beta_1", "beta_2")

    @property
    def own_slots(self) -> tuple[str, ...]:
        return ("momentums", "norms")

    def _factors(self, rate: Array, count: Array) -> dict[str, Array]:
        return {"step": rate / bias(self.beta_1, count)}

    def _step(
        self, weight: Array, slope: Array, slots: Leaves, factors: dict[str, Array]
    ) -> tuple[Array, Leaves]:
        mean = slots[0] + (1 - self.beta_1) * (slope - slots[0])
        largest = np.maximum(self.beta_2 * slots[1], np.abs(slope))
        return weight - factors["step"] * mean / (largest + self.epsilon), [mean, largest]


@dataclass(frozen=True)
class Lamb(Optimizer):
    """`Adam` whose change of each weight is scaled to the weight's own norm, for large batches.

    With ``d = m / (1 - beta_1**t) / (sqrt(v / (1 - beta_2**t)) + epsilon)``:
    ``w <- w - rate * |w| / |d| * d``, and the factor 1 where a norm is 0.

    Source: You et al. 2020, "Large Batch Optimization for Deep Learning", algorithm 2.

    Examples
    --------
    >>> import numpy as np
    >>> optimizer = Lamb(learning_rate=0.1)
    >>> w = np.array([3.0, 4.0])
    >>> optimizer.update(w, optimizer.init(w), w)[0].round(4)
    array([2.6464, 3.6464])
    """

    learning_rate: float | Schedule = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7

    unit_interval: ClassVar[tuple[str, ...]] = ("beta_1", "beta_2")

    @property
    def own_slots(self) -> tuple[str, ...]:
        return ("momentums", "velocities")

    def _factors(self, rate: Array, count: Array) -> dict[str, Array]:
        return {
            "rate": rate,
            "first": bias(self.beta_1, count),
            "second": bias(self.beta_2, count),
        }

    def _step(
        self, weight: Array, slope: Array, slots: Leaves, factors: dict[str, Array]
    ) -> tuple[Array, Leaves]:
        mean = slots[0] + (1 - self.beta_1) * (slope - slots[0])
        square = slots[1] + (1 - self.beta_2) * (slope * slope - slots[1])
        size = np.sqrt(square / factors["second"]) + self.epsilon
        change = mean / factors["first"] / size
        own, its = (np.sqrt(np.sum(values * values)) for values in (weight, change))
        known = (own > 0) & (its > 0)
        ratio = np.where(known, own / np.where(known, its, 1), 1)
        return weight - ratio * factors["rate"] * change, [mean, square]


@dataclass(frozen=True)
class ScheduleFreeAdamW(Optimizer):
    """`Adam` whose weights are a running mean of its path, so that no schedule is needed.

    ``v`` as in `Adam`; ``z <- z - rate * g / (sqrt(v / (1 - beta_2**t)) + epsilon)``; ``x`` is the
    mean of all ``z``, and ``w = (1 - beta_1) * z + beta_1 * x``. The rate grows from 0 over
    ``warmup_steps``.

    Source: Defazio et al. 2024, "The Road Less Scheduled", equations 3 to 5.

    Examples
    --------
    >>> import numpy as np
    >>> optimizer = ScheduleFreeAdamW(learning_rate=0.1)
    >>> w = np.array([1.0])
    >>> optimizer.update(w, optimizer.init(w), w)[0].round(4)
    array([0.9])
    """

    learning_rate: float | Schedule = 0.0025
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    warmup_steps: int = 0

    unit_interval: ClassVar[tuple[str, ...]] = ("beta_1", "beta_2")
    not_negative: ClassVar[tuple[str, ...]] = (*Optimizer.not_negative, "warmup_steps")

    @property
    def own_slots(self) -> tuple[str, ...]:
        return ("momentums", "velocities")

    def first_slot(self, name: str, weight: Array, place: int) -> Array:
        return np.array(weight) if name == "momentums" else np.zeros_like(weight)

    def _factors(self, rate: Array, count: Array) -> dict[str, Array]:
        t = count.astype(np.float64)
        if self.warmup_steps:
            rate = rate * np.minimum(t / self.warmup_steps, 1)
        return {"rate": rate, "share": 1 / t, "second": bias(self.beta_2, count)}

    def _step(
        self, weight: Array, slope: Array, slots: Leaves, factors: dict[str, Array]
    ) -> tuple[Array, Leaves]:
        square = slots[1] + (1 - self.beta_2) * (slope * slope - slots[1])
        size = np.sqrt(square / factors["second"]) + self.epsilon
        end = slots[0] - factors["rate"] * slope / size
        mean = (weight - (1 - self.beta_1) * slots[0]) / self.beta_1
        mean = (1 - factors["share"]) * mean + factors["share"] * end
        return (1 - self.beta_1) * end + self.beta_1 * mean, [end, square]
