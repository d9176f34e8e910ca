"""JAX: ``jit`` with donated weights and state; inside ``fit`` a ``lax.scan`` over the batches."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import contenders
from benchmarks.workloads import (
    EPSILON,
    MOMENTUM,
    NORMAL_EPSILON,
    Arrays,
    Workload,
    initial_weights,
)

ACTIVATIONS = {"relu": jax.nn.relu, "sigmoid": jax.nn.sigmoid, "tanh": jnp.tanh}
UNROLL = {"`lax.scan`": 1, "`lax.scan`, unroll=4": 4}


class Network(contenders.Network):
    CASES: ClassVar = {"fit": tuple(UNROLL), "step": ("`jit`",), "predict": ("`jit`",)}

    def __init__(self, workload: Workload, variant: str) -> None:
        super().__init__(workload, variant)
        act = ACTIVATIONS[workload.activation]
        update = _adam if workload.optimizer == "adam" else _sgd

        def logits(weights: Any, x: jax.Array) -> jax.Array:
            for w, b in zip(weights[:-2:2], weights[1:-2:2], strict=True):
                x = act(x @ w + b)
            return x @ weights[-2] + weights[-1]

        def loss(weights: Any, x: jax.Array, t: jax.Array) -> jax.Array:
            log_p = jax.nn.log_softmax(logits(weights, x))
            return -jnp.take_along_axis(log_p, t[:, None], axis=1).mean()

        def step(carry: Any, batch: Any) -> Any:
            value, found = jax.value_and_grad(loss)(carry[0], *batch)
            return update(workload.rate, *carry, found), value

        def scan(carry: Any, batches: Any) -> Any:
            return jax.lax.scan(step, carry, batches, unroll=UNROLL.get(variant, 1))

        self.compiled_step = jax.jit(step, donate_argnums=0)
        self.compiled_scan = jax.jit(scan, donate_argnums=0)
        self.outputs = jax.jit(lambda weights, x: jax.nn.softmax(logits(weights, x)))
        weights = [jnp.array(w) for w in initial_weights(workload)]
        zeros = [jnp.zeros_like(w) for w in weights]
        state = (zeros, [jnp.copy(z) for z in zeros], jnp.float32(0))
        self.carry = (weights, state if workload.optimizer == "adam" else ())

    def place(self, array: np.ndarray) -> jax.Array:
        return jnp.asarray(array)

    def step(self, x: jax.Array, t: jax.Array) -> None:
        self.carry, _ = self.compiled_step(self.carry, (x, t))

    def fit(self, x: jax.Array, t: jax.Array) -> None:
        shape = (-1, self.workload.batch)
        batches = (x.reshape(*shape, x.shape[1]), t.reshape(shape))
        self.carry, _ = self.compiled_scan(self.carry, batches)
        self.finish()

    def finish(self) -> None:
        jax.block_until_ready(self.carry)

    def predict(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(self.outputs(self.carry[0], x))

    def weights(self) -> Arrays:
        return [np.asarray(w) for w in self.carry[0]]


POOLS = {"`reduce_window`": True, "`reshape` and `max`": False}


class ConvNet(Network):
    """``lax`` convolutions, channels last."""

    CASES: ClassVar = {
        "fit": tuple(f"`lax.scan`, {pool}" for pool in POOLS),
        "step": tuple(f"`jit`, {pool}" for pool in POOLS),
    }

    def __init__(self, workload: Workload, variant: str) -> None:
        contenders.Network.__init__(self, workload, variant)
        each = 4 if workload.normalized else 2
        count = each * len(workload.filters)
        pool = _pool_by_windows if POOLS[variant.partition(", ")[2]] else _pool_by_shape

        def loss(weights: Any, moving: Any, x: jax.Array, t: jax.Array) -> Any:
            seen = []
            for start in range(0, count, each):
                kernel, bias, *scales = weights[start : start + each]
                x = _convolve(x, kernel) + bias
                if scales:
                    mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
                    scale = scales[0] * jax.lax.rsqrt(variance + NORMAL_EPSILON)
                    x = (x - mean) * scale + scales[1]
                    seen += [mean, variance]
                x = pool(jax.nn.relu(x))
            x = jax.nn.relu(x.reshape(len(x), -1) @ weights[-4] + weights[-3])
            log_p = jax.nn.log_softmax(x @ weights[-2] + weights[-1])
            moved = [MOMENTUM * m + (1 - MOMENTUM) * s for m, s in zip(moving, seen, strict=True)]
            return -jnp.take_along_axis(log_p, t[:, None], axis=1).mean(), moved

        def step(carry: Any, batch: Any) -> Any:
            weights, state, moving = carry
            (value, moving), found = jax.value_and_grad(loss, has_aux=True)(weights, moving, *batch)
            return (*_adam(workload.rate, weights, state, found), moving), value

        self.compiled_step = jax.jit(step, donate_argnums=0)
        self.compiled_scan = jax.jit(
            lambda carry, batches: jax.lax.scan(step, carry, batches), donate_argnums=0
        )
        weights = [jnp.array(w) for w in initial_weights(workload)]
        state = ([jnp.zeros_like(w) for w in weights], [jnp.zeros_like(w) for w in weights])
        moving = []
        for filters in workload.filters if workload.normalized else ():
            moving += [jnp.zeros(filters), jnp.ones(filters)]
        self.carry = (weights, (*state, jnp.float32(0)), moving)

    def fit(self, x: jax.Array, t: jax.Array) -> None:
        shape = (-1, self.workload.batch)
        batches = (x.reshape(*shape, *x.shape[1:]), t.reshape(shape))
        self.carry, _ = self.compiled_scan(self.carry, batches)
        self.finish()


def _convolve(x: jax.Array, kernel: jax.Array) -> jax.Array:
    layout = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(x, kernel, (1, 1), "VALID", dimension_numbers=layout)


def _pool_by_windows(x: jax.Array) -> jax.Array:
    size = (1, 2, 2, 1)
    return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, size, size, "VALID")


def _pool_by_shape(x: jax.Array) -> jax.Array:
    n, height, width, filters = x.shape
    whole = x[:, : height // 2 * 2, : width // 2 * 2]
    return whole.reshape(n, height // 2, 2, width // 2, 2, filters).max((2, 4))


def _sgd(rate: float, weights: Any, state: Any, found: Any) -> Any:
    return [w - rate * g for w, g in zip(weights, found, strict=True)], state


def _adam(rate: float, weights: Any, state: Any, found: Any) -> Any:
    means, squares, count = state
    count = count + 1
    means = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, means, found)
    squares = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, squares, found)
    rate = rate * jnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)
    weights = jax.tree.map(
        lambda w, m, v: w - rate * m / (jnp.sqrt(v) + EPSILON), weights, means, squares
    )
    return weights, (means, squares, count)
