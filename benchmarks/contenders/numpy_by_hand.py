"""NumPy as an expert writes it: backward pass by hand, every array in a buffer made once."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from benchmarks import contenders
from benchmarks.workloads import EPSILON, Arrays, Workload, initial_weights


class Network(contenders.Network):
    CASES: ClassVar = {"step": ("backward pass by hand",), "predict": ("a few lines",)}

    def __init__(self, workload: Workload, variant: str) -> None:
        super().__init__(workload, variant)
        batch = workload.batch
        self.values = initial_weights(workload)
        self.found = [np.empty_like(w) for w in self.values]
        self.outputs = [np.empty((batch, n), np.float32) for n in workload.sizes[1:]]
        self.deltas = [np.empty_like(h) for h in self.outputs[:-1]]
        self.slopes = [np.empty_like(h) for h in self.outputs[:-1]]
        self.masks = [np.empty(h.shape, bool) for h in self.outputs[:-1]]
        self.rows = np.arange(batch)
        self.spare = [np.empty_like(w) for w in self.values]
        self.means = [np.zeros_like(w) for w in self.values]
        self.squares = [np.zeros_like(w) for w in self.values]
        self.count = 0
        self.loss = 0.0
        self.update = self._adam if workload.optimizer == "adam" else self._sgd

    def step(self, x: np.ndarray, t: np.ndarray) -> None:
        h = x
        for w, b, out in zip(self.values[::2], self.values[1::2], self.outputs, strict=True):
            h = np.matmul(h, w, out=out)
            h += b
            if out is not self.outputs[-1]:
                self._activate(h)
        h -= h.max(axis=1, keepdims=True)
        np.exp(h, out=h)
        h /= h.sum(axis=1, keepdims=True)
        self.loss = -np.log(h[self.rows, t]).mean()
        h[self.rows, t] -= 1
        h /= len(x)
        self._backward(x)
        self.update()

    def _activate(self, h: np.ndarray) -> None:
        match self.workload.activation:
            case "relu":
                np.maximum(h, 0, out=h)
            case "tanh":
                np.tanh(h, out=h)
            case "sigmoid":
                np.negative(h, out=h)
                np.exp(h, out=h)
                h += 1
                np.reciprocal(h, out=h)

    def _backward(self, x: np.ndarray) -> None:
        delta = self.outputs[-1]
        inputs = [x, *self.outputs[:-1]]
        for layer in reversed(range(len(inputs))):
            np.matmul(inputs[layer].T, delta, out=self.found[2 * layer])
            np.sum(delta, axis=0, out=self.found[2 * layer + 1])
            if layer:
                below = self.deltas[layer - 1]
                np.matmul(delta, self.values[2 * layer].T, out=below)
                self._times_slope(below, layer - 1)
                delta = below

    def _times_slope(self, delta: np.ndarray, layer: int) -> None:
        h, slope = self.outputs[layer], self.slopes[layer]
        match self.workload.activation:
            case "relu":
                delta *= np.greater(h, 0, out=self.masks[layer])
                return
            case "tanh":
                np.multiply(h, h, out=slope)
                np.subtract(1, slope, out=slope)
            case "sigmoid":
                np.subtract(1, h, out=slope)
                slope *= h
        delta *= slope

    def _sgd(self) -> None:
        for w, g in zip(self.values, self.found, strict=True):
            g *= self.workload.rate
            w -= g

    def _adam(self) -> None:
        self.count += 1
        rate = self.workload.rate * (1 - 0.999**self.count) ** 0.5 / (1 - 0.9**self.count)
        for w, g, m, v, s in zip(
            self.values, self.found, self.means, self.squares, self.spare, strict=True
        ):
            m *= 0.9
            np.multiply(g, 1 - 0.9, out=s)
            m += s
            v *= 0.999
            g *= g
            g *= 1 - 0.999
            v += g
            np.sqrt(v, out=s)
            s += EPSILON
            np.divide(m, s, out=s)
            s *= rate
            w -= s

    def predict(self, x: np.ndarray) -> np.ndarray:
        h = x
        for w, b in zip(self.values[:-2:2], self.values[1:-2:2], strict=True):
            h = h @ w
            h += b
            self._activate(h)
        z = h @ self.values[-2] + self.values[-1]
        z -= z.max(axis=1, keepdims=True)
        np.exp(z, out=z)
        z /= z.sum(axis=1, keepdims=True)
        return z

    def weights(self) -> Arrays:
        return self.values
