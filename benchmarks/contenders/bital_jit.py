"""bital: plain NumPy under ``bital.jit``, one call a step; weights and state are donated."""

from __future__ import annotations

import functools
from typing import Any, ClassVar

import numpy as np

import bital
from benchmarks import contenders
from benchmarks.contenders import bital_executor, numpy_plain
from benchmarks.workloads import EPSILON, Arrays, Workload, initial_weights
from bital.nn import optimizers

bital_executor.require()


class Network(contenders.Network):
    CASES: ClassVar = {"step": ("gradients by bital",), "hand": (numpy_plain.BY_HAND,)}

    def __init__(self, workload: Workload, variant: str) -> None:
        super().__init__(workload, variant)
        act, rate = workload.activation, workload.rate
        self.values = initial_weights(workload)
        self.state: Any = ()
        update = functools.partial(_sgd, rate)
        if workload.optimizer == "adam":
            rule = optimizers.Adam(rate, epsilon=EPSILON)
            self.state, update = rule.init(self.values), rule.update

        def loss(weights: Arrays, x: np.ndarray, t: np.ndarray) -> Any:
            h = x
            for w, b in zip(weights[:-2:2], weights[1:-2:2], strict=True):
                h = numpy_plain.activate(act, h @ w + b)
            z = h @ weights[-2] + weights[-1]
            z = z - z.max(axis=1, keepdims=True)
            log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
            return -np.mean(log_p[np.arange(len(t)), t])

        def by_hand(weights: Arrays, x: np.ndarray, t: np.ndarray) -> Any:
            return numpy_plain.gradients(act, weights, x, t)

        by_bital = bital.value_and_grad(loss)
        differentiate = by_hand if variant == numpy_plain.BY_HAND else by_bital

        def step(weights: Arrays, state: Any, x: np.ndarray, t: np.ndarray) -> Any:
            value, found = differentiate(weights, x, t)
            return *update(found, state, weights), value

        self.compiled = bital.jit(step, donate_argnums=(0, 1))

    def step(self, x: np.ndarray, t: np.ndarray) -> None:
        self.values, self.state, _ = self.compiled(self.values, self.state, x, t)

    hand = step

    def weights(self) -> Arrays:
        return self.values


def _sgd(rate: float, found: Arrays, state: Any, weights: Arrays) -> Any:
    return [w - rate * g for w, g in zip(weights, found, strict=True)], state
