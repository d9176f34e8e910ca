"""bital: plain NumPy under ``bital.jit``, one call a step; weights and state are donated."""

from __future__ import annotations

import functools
from typing import Any, ClassVar

import numpy as np

import bital
from benchmarks import contenders
from benchmarks.contenders import bital_executor, numpy_plain
from benchmarks.workloads import (
    EPSILON,
    MOMENTUM,
    NORMAL_EPSILON,
    Arrays,
    Workload,
    initial_weights,
)
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


class ConvNet(contenders.Network):
    """Convolutions and pooling as NumPy writes them."""

    CASES: ClassVar = {"step": ("windows of NumPy",)}

    def __init__(self, workload: Workload, variant: str) -> None:
        super().__init__(workload, variant)
        each = 4 if workload.normalized else 2
        count = each * len(workload.filters)
        rule = optimizers.Adam(workload.rate, epsilon=EPSILON)
        values = initial_weights(workload)
        moving: Arrays = []
        for filters in workload.filters if workload.normalized else ():
            moving += [np.zeros(filters, np.float32), np.ones(filters, np.float32)]
        self.carry: Any = (values, rule.init(values), moving)

        def loss(weights: Arrays, moving: Arrays, x: np.ndarray, t: np.ndarray) -> Any:
            h, seen = x, []
            for start in range(0, count, each):
                kernel, bias, *scales = weights[start : start + each]
                h = _convolve(h, kernel) + bias
                if scales:
                    h, *found = _normalize(h, *scales)
                    seen += found
                h = _pool(np.maximum(h, 0))
            h = np.maximum(h.reshape(len(h), -1) @ weights[-4] + weights[-3], 0)
            z = h @ weights[-2] + weights[-1]
            z = z - z.max(axis=1, keepdims=True)
            log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
            moved = [MOMENTUM * m + (1 - MOMENTUM) * s for m, s in zip(moving, seen, strict=True)]
            return -np.mean(log_p[np.arange(len(t)), t]), moved

        def step(carry: Any, x: np.ndarray, t: np.ndarray) -> Any:
            weights, state, moving = carry
            differentiate = bital.value_and_grad(loss, has_aux=True)
            (value, moving), found = differentiate(weights, moving, x, t)
            return (*rule.update(found, state, weights), moving), value

        self.compiled = bital.jit(step, donate_argnums=0)

    def step(self, x: np.ndarray, t: np.ndarray) -> None:
        self.carry, _ = self.compiled(self.carry, x, t)

    def weights(self) -> Arrays:
        found: Arrays = self.carry[0]
        return found


def _convolve(x: Any, kernel: Any) -> Any:
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[:2], axis=(1, 2))
    return np.tensordot(windows, kernel, axes=((4, 5, 3), (0, 1, 2)))


def _normalize(x: Any, gamma: Any, beta: Any) -> Any:
    mean, variance = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
    scale = gamma / np.sqrt(variance + NORMAL_EPSILON)
    return (x - mean) * scale + beta, mean, variance


def _pool(x: Any) -> Any:
    n, height, width, filters = x.shape
    whole = x[:, : height // 2 * 2, : width // 2 * 2]
    return whole.reshape(n, height // 2, 2, width // 2, 2, filters).max(axis=(2, 4))
