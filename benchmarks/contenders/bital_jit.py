"""bital: the loss in plain NumPy, differentiated and compiled; weights are donated."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import bital
from benchmarks.problem import BATCH, LEARNING_RATE, batch, weights


def loss(params: list[np.ndarray], x: np.ndarray, t: np.ndarray) -> np.ndarray:
    w1, b1, w2, b2, w3, b3 = params
    h1 = np.maximum(x @ w1 + b1, 0)
    h2 = np.maximum(h1 @ w2 + b2, 0)
    z = h2 @ w3 + b3
    z = z - z.max(axis=1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    return -np.mean(log_p[np.arange(BATCH), t])


def step(params: list[np.ndarray], x: np.ndarray, t: np.ndarray) -> tuple:
    value, gradients = bital.value_and_grad(loss)(params, x, t)
    return [w - LEARNING_RATE * g for w, g in zip(params, gradients, strict=True)], value


def prepare() -> Callable[[], float]:
    compiled = bital.jit(step, donate_argnums=0)
    x, t = batch()
    state = {"params": weights()}

    def run() -> float:
        state["params"], value = compiled(state["params"], x, t)
        return float(value)

    return run
