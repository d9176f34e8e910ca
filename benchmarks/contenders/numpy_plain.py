"""NumPy as a book writes it: the backward pass by hand, an expression a line."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from benchmarks import contenders
from benchmarks.workloads import EPSILON, Arrays, Workload, initial_weights

BY_HAND = "backward pass by hand"


def activate(name: str, a: Any) -> Any:
    """ReLU, sigmoid or tanh."""
    if name == "relu":
        return np.maximum(a, 0)
    return np.tanh(a) if name == "tanh" else 1 / (1 + np.exp(-a))


def slope(name: str, h: Any) -> Any:
    """The derivative of the activation, by its output."""
    if name == "relu":
        return h > 0
    return 1 - h * h if name == "tanh" else h * (1 - h)


def gradients(name: str, weights: Arrays, x: np.ndarray, t: np.ndarray) -> tuple[Any, Arrays]:
    """The loss of a batch, and its gradients."""
    outputs = [x]
    for w, b in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        outputs.append(activate(name, outputs[-1] @ w + b))
    z = outputs[-1] @ weights[-2] + weights[-1]
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p = p / p.sum(axis=1, keepdims=True)
    rows = np.arange(len(t))
    loss = -np.mean(np.log(p[rows, t]))
    classes = np.arange(z.shape[1])
    delta = (p - (t[:, None] == classes)) / np.float32(len(t))
    found: Arrays = []
    for layer in reversed(range(len(outputs))):
        found = [outputs[layer].T @ delta, delta.sum(axis=0), *found]
        if layer:
            delta = (delta @ weights[2 * layer].T) * slope(name, outputs[layer])
    return loss, found


class Network(contenders.Network):
    CASES: ClassVar = {"step": (BY_HAND,), "hand": (BY_HAND,)}

    def __init__(self, workload: Workload, variant: str) -> None:
        super().__init__(workload, variant)
        self.values = initial_weights(workload)
        self.count = 0
        self.slots = [(np.zeros_like(w), np.zeros_like(w)) for w in self.values]

    def step(self, x: np.ndarray, t: np.ndarray) -> None:
        _, found = gradients(self.workload.activation, self.values, x, t)
        self.count += 1
        rate = self.workload.rate
        if self.workload.optimizer == "sgd":
            for w, g in zip(self.values, found, strict=True):
                w -= rate * g
            return
        rate *= np.sqrt(1 - 0.999**self.count).item() / (1 - 0.9**self.count)
        for w, g, (m, v) in zip(self.values, found, self.slots, strict=True):
            m += (1 - 0.9) * (g - m)
            v += (1 - 0.999) * (g * g - v)
            w -= rate * m / (np.sqrt(v) + EPSILON)

    hand = step

    def weights(self) -> Arrays:
        return self.values
