"""Optimizers that know a weight as a matrix."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from bital.nn.activations import Array
from bital.nn.optimizers.base import Leaves, Optimizer, Schedule, bias


@dataclass(frozen=True)
class Adafactor(Optimizer):
    """Squares of gradients kept as their means over rows and over columns.

    The state of a matrix ``(n, m)`` is a row ``(n,)`` and a column ``(m,)``, beside the ``(n, m)``
    that they give. With ``s = g**2 + epsilon_1`` and ``b = 1 - t**beta_2_decay``: ``r`` and ``c``
    are running means, by ``b``, of ``s`` over the last axis and the one before it; ``v = r * c /
    mean(r)``. Then ``u = g / sqrt(v)``, ``w <- w - max(epsilon_2, rms(w)) * min(rate, 1 / sqrt(t))
    * u / max(1, rms(u) / clip_threshold)``. Other weights keep ``v`` alone.

    Source: Shazeer and Stern 2018, "Adafactor", algorithms 4 and 5.

    Examples
    --------
    >>> import numpy as np
    >>> optimizer = Adafactor(learning_rate=0.5)
    >>> w = np.array([[1.0, -1.0]])
    >>> optimizer.update(w, optimizer.init(w), w)[0]
    array([[ 0.5, -0.5]])
    """

    learning_rate: float | Schedule = 0.001
    beta_2_decay: float = -0.8
    epsilon_1: float = 1e-30
    epsilon_2: float = 1e-3
    clip_threshold: float = 1.0
    relative_step: bool = True

    not_negative: ClassVar[tuple[str, ...]] = (
        "weight_decay",
        "epsilon_1",
        "epsilon_2",
        "clip_threshold",
    )

    @property
    def own_slots(self) -> tuple[str, ...]:
        return ("rows", "columns", "velocities")

    def first_slot(self, name: str, weight: Array, place: int) -> Array:
        shape = weight.shape
        if name != "velocities":
            last = shape[:-1] if name == "rows" else (*shape[:-2], *shape[-1:])
            shape = last if len(shape) >= 2 else ()
        return np.zeros(shape, weight.dtype)

    def _factors(self, rate: Array, count: Array) -> dict[str, Array]:
        t = count.astype(np.float64)
        return {
            "rate": np.minimum(rate, 1 / np.sqrt(t)),
            "old": 1 - np.power(t, self.beta_2_decay),
            "new": np.power(t, self.beta_2_decay),
        }

    def _step(
        self, weight: Array, slope: Array, slots: Leaves, factors: dict[str, Array]
    ) -> tuple[Array, Leaves]:
        rows, columns, square = slots
        old, new = factors["old"], factors["new"]
        squares = slope * slope + self.epsilon_1
        if len(weight.shape) >= 2:
            rows = old * rows + new * np.mean(squares, axis=-1)
            columns = old * columns + new * np.mean(squares, axis=-2)
            shares = rows / np.mean(rows, axis=-1, keepdims=True)
            square = shares[..., np.newaxis] * columns[..., np.newaxis, :]
        else:
            square = old * square + new * squares
        change = slope / np.sqrt(square)
        change = change / np.maximum(_rms(change) / self.clip_threshold, 1)
        step = np.maximum(_rms(weight), self.epsilon_2) * factors["rate"]
        return weight - step * change, [rows, columns, square]


@dataclass(frozen=True)
class Muon(Optimizer):
    """Momentum made orthogonal, for matrices; `AdamW` for all other weights.

    The momentum of a matrix is replaced by the nearest orthogonal matrix, approximately, by
    ``ns_steps`` steps of a Newton-Schulz iteration with the polynomial ``muon_a x + muon_b x**3 +
    muon_c x**5``. With ``rms_rate`` the change is scaled by ``rms_rate * sqrt(max(n, m))``.

    Parameters
    ----------
    adam_weights : tuple of int, default ()
        Places, in the order of the leaves, of matrices that `AdamW` updates: embeddings, and the
        last layer.

    Notes
    -----
    Source: Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks"; Liu et
    al. 2025, "Muon is Scalable for LLM Training", section 2.2.

    Examples
    --------
    >>> import numpy as np
    >>> optimizer = Muon(learning_rate=0.1, weight_decay=None)
    >>> w = np.eye(2)
    >>> optimizer.update(w, optimizer.init(w), w)[0].round(2)
    array([[0.97, 0.  ],
           [0.  , 0.97]])
    """

    learning_rate: float | Schedule = 0.001
    adam_beta_1: float = 0.9
    adam_beta_2: float = 0.999
    adam_weight_decay: float | None = 0.004
    epsilon: float = 1e-7
    weight_decay: float | None = field(default=0.004, kw_only=True)
    muon_a: float = field(default=3.4445, kw_only=True)
    muon_b: float = field(default=-4.775, kw_only=True)
    muon_c: float = field(default=2.0315, kw_only=True)
    adam_lr_ratio: float = field(default=1.0, kw_only=True)
    momentum: float = field(default=0.95, kw_only=True)
    ns_steps: int = field(default=5, kw_only=True)
    nesterov: bool = field(default=True, kw_only=True)
    rms_rate: float | None = field(default=0.2, kw_only=True)
    adam_weights: tuple[int, ...] = field(default=(), kw_only=True)

    unit_interval: ClassVar[tuple[str, ...]] = ("adam_beta_1", "adam_beta_2", "momentum")
    not_negative: ClassVar[tuple[str, ...]] = (
        "weight_decay",
        "adam_weight_decay",
        "epsilon",
        "adam_lr_ratio",
        "ns_steps",
        "rms_rate",
    )

    @property
    def own_slots(self) -> tuple[str, ...]:
        return ("momentums", "velocities")

    def first_slot(self, name: str, weight: Array, place: int) -> Array:
        if name == "velocities" and self._is_matrix(weight, place):
            return np.zeros((), weight.dtype)  # not used
        return np.zeros_like(weight)

    def _is_matrix(self, weight: Array, place: int) -> bool:
        return len(weight.shape) == 2 and place not in self.adam_weights

    def _decay(self, weight: Array, place: int) -> float | None:
        matrix = self._is_matrix(weight, place)
        return self.weight_decay if matrix else self.adam_weight_decay

    def _factors(self, rate: Array, count: Array) -> dict[str, Array]:
        first, second = bias(self.adam_beta_1, count), bias(self.adam_beta_2, count)
        return {"rate": rate, "step": rate * self.adam_lr_ratio * np.sqrt(second) / first}

    def _step(
        self, weight: Array, slope: Array, slots: Leaves, factors: dict[str, Array]
    ) -> tuple[Array, Leaves]:
        if len(weight.shape) == 2 and len(slots[1].shape) == 0:
            momentum = self.momentum * slots[0] + slope
            ahead = slope + self.momentum * momentum if self.nesterov else momentum
            change = factors["rate"] * self._orthogonal(ahead)
            if self.rms_rate is not None:
                change = change * (self.rms_rate * math.sqrt(max(weight.shape)))
            return weight - change, [momentum, slots[1]]
        mean = slots[0] + (1 - self.adam_beta_1) * (slope - slots[0])
        square = slots[1] + (1 - self.adam_beta_2) * (slope * slope - slots[1])
        change = factors["step"] * mean / (np.sqrt(square) + self.epsilon)
        return weight - change, [mean, square]

    def _orthogonal(self, x: Array) -> Array:
        tall = x.shape[0] > x.shape[1]
        x = x.T if tall else x
        x = x / (np.sqrt(np.sum(x * x)) + 1e-7)
        for _ in range(self.ns_steps):
            products = x @ x.T
            x = self.muon_a * x + (self.muon_b * products + self.muon_c * products @ products) @ x
        return x.T if tall else x


def _rms(values: Array) -> Any:
    return np.sqrt(np.mean(values * values))
