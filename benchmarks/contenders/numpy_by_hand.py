"""NumPy as an expert writes it: backward pass by hand, every array in a buffer made once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.problem import BATCH, LEARNING_RATE, batch, weights


class Network:
    """Weights, and the buffers that a step writes to."""

    def __init__(self) -> None:
        self.weights = weights()
        self.gradients = [np.empty_like(w) for w in self.weights]
        self.outputs = [np.empty((BATCH, b.size), np.float32) for b in self.weights[1::2]]
        self.deltas = [np.empty_like(h) for h in self.outputs[:-1]]
        self.masks = [np.empty(h.shape, bool) for h in self.outputs[:-1]]
        self.rows = np.arange(BATCH)
        self.rate = np.float32(LEARNING_RATE)

    def step(self, x: np.ndarray, t: np.ndarray) -> float:
        h1, h2, z = self.outputs
        w1, b1, w2, b2, w3, b3 = self.weights
        for inputs, w, b, h in ((x, w1, b1, h1), (h1, w2, b2, h2), (h2, w3, b3, z)):
            np.matmul(inputs, w, out=h)
            np.add(h, b, out=h)
            if h is not z:
                np.maximum(h, 0, out=h)
        z -= z.max(axis=1, keepdims=True)
        np.exp(z, out=z)
        z /= z.sum(axis=1, keepdims=True)
        loss = -np.log(z[self.rows, t]).mean()
        z[self.rows, t] -= 1
        z /= BATCH
        self._backward(x)
        for w, g in zip(self.weights, self.gradients, strict=True):
            g *= self.rate
            w -= g
        return float(loss)

    def _backward(self, x: np.ndarray) -> None:
        delta = self.outputs[-1]
        inputs = [x, *self.outputs[:-1]]
        for layer in (2, 1, 0):
            np.matmul(inputs[layer].T, delta, out=self.gradients[2 * layer])
            np.sum(delta, axis=0, out=self.gradients[2 * layer + 1])
            if layer:
                below = self.deltas[layer - 1]
                np.matmul(delta, self.weights[2 * layer].T, out=below)
                np.greater(self.outputs[layer - 1], 0, out=self.masks[layer - 1])
                below *= self.masks[layer - 1]
                delta = below


def prepare() -> Callable[[], float]:
    network = Network()
    x, t = batch()
    return lambda: network.step(x, t)
