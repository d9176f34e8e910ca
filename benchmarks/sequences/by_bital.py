"""bital: plain NumPy under ``bital.jit``; weights and state are donated."""

from __future__ import annotations

from typing import Any

import numpy as np

import bital
from benchmarks import sequences as data
from benchmarks.sequences import plain
from bital.nn import optimizers, sigmoid, softmax


class Network:
    def __init__(self, network: str) -> None:
        self.weights: Any = data.weights(network)
        rule = optimizers.Adam(data.RATE, epsilon=data.EPSILON)
        self.state: Any = rule.init(self.weights)
        self.batch = data.batch(network)

        def logits(w: Any, x: Any) -> Any:
            if network == "transformer":
                return plain.transformer(np, softmax, w, x)
            function = plain.lstm if network == "lstm" else plain.gru
            return function(np, bital.scan, sigmoid, w, x)

        def step(w: Any, state: Any, x: Any, t: Any) -> Any:
            value, slopes = bital.value_and_grad(
                lambda w: plain.cross_entropy(np, logits(w, x), t)
            )(w)
            return *rule.update(slopes, state, w), value

        self.compiled = bital.jit(step, donate_argnums=(0, 1))

    def step(self) -> None:
        self.weights, self.state, self.value = self.compiled(self.weights, self.state, *self.batch)

    def finish(self) -> None:
        pass

    def loss(self) -> float:
        return float(self.value)
