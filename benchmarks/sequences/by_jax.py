"""JAX: ``jit`` with donated weights and state, ``lax.scan`` along the sequence."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from benchmarks import sequences as data
from benchmarks.sequences import plain


class Network:
    def __init__(self, network: str) -> None:
        self.weights = jax.tree.map(jnp.asarray, data.weights(network))
        zeros = jax.tree.map(jnp.zeros_like, self.weights)
        self.state: Any = (zeros, jax.tree.map(jnp.copy, zeros), jnp.float32(0))
        self.batch = [jnp.asarray(array) for array in data.batch(network)]

        def logits(w: Any, x: Any) -> Any:
            if network == "transformer":
                return plain.transformer(jnp, jax.nn.softmax, w, x)
            function = plain.lstm if network == "lstm" else plain.gru
            return function(jnp, jax.lax.scan, jax.nn.sigmoid, w, x)

        def step(w: Any, state: Any, x: Any, t: Any) -> Any:
            value, slopes = jax.value_and_grad(lambda w: plain.cross_entropy(jnp, logits(w, x), t))(
                w
            )
            means, squares, count = state
            count = count + 1
            means = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, means, slopes)
            squares = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, squares, slopes)
            rate = data.RATE * jnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)
            w = jax.tree.map(
                lambda w, m, v: w - rate * m / (jnp.sqrt(v) + data.EPSILON), w, means, squares
            )
            return w, (means, squares, count), value

        self.compiled = jax.jit(step, donate_argnums=(0, 1))

    def step(self) -> None:
        self.weights, self.state, self.value = self.compiled(self.weights, self.state, *self.batch)

    def finish(self) -> None:
        jax.block_until_ready(self.weights)

    def loss(self) -> float:
        return float(self.value)
