"""Large reductions in two steps: the same numbers, by many threads, fused with their operand."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import bital
from bital.executors.loops.control import lower
from bital.executors.loops.form import kernels_of
from bital.passes import optimize

RNG = np.random.default_rng(0)


def kernels(f, *args):
    module = lower(optimize(bital.trace(f, *args)), (), 8)
    return module, [(kernel.name, kernel.tasks) for kernel in kernels_of(module.steps)]


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize(
    ("shape", "axis"),
    [
        ((2**16,), None), ((70001,), None), ((65537,), 0), ((300, 300), None), ((300, 300), (0, 1)),
        ((2, 3, 20000), None), ((40000, 4), 0), ((4, 40000), 1), ((3, 50021), 1),
        ((5, 70, 200), (0, 2)), ((2, 200, 3, 200), (1, 3)), ((15, 4001), None),
        ((13, 7001), (0, 1)),
    ],
)  # fmt: skip
def test_values(shape, axis, keepdims):
    x = RNG.normal(size=shape)
    for reduce in (np.sum, np.max, np.min, np.prod):
        y = 1 + x / 1e3 if reduce is np.prod else x
        f = functools.partial(reduce, axis=axis, keepdims=keepdims)
        got, want = bital.jit(f, executor="native")(y), f(y)
        assert np.shape(got) == want.shape
        if reduce in (np.max, np.min):
            np.testing.assert_array_equal(got, want)
        else:
            np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-10)
    whole = RNG.integers(-1000, 1000, shape)
    got = bital.jit(lambda w: np.sum(w, axis=axis, keepdims=keepdims), executor="native")(whole)
    np.testing.assert_array_equal(got, whole.sum(axis=axis, keepdims=keepdims))


def test_special_values_survive():
    x = RNG.normal(size=50021)
    for place in (0, 49999, 50020):
        y = x.copy()
        y[place] = np.nan
        assert np.isnan(bital.jit(np.max, executor="native")(y))
        assert np.isnan(bital.jit(np.sum, executor="native")(y))
    assert bital.jit(np.max, executor="native")(np.full(2**16, -np.inf)) == -np.inf


def test_the_operand_is_computed_where_it_is_summed():
    x = RNG.normal(size=10**6)
    module, found = kernels(lambda x: np.mean((np.exp(np.sin(x)) - 1.0) ** 2), x)
    assert found[0][1] > 8
    assert module.arena < 10_000


def test_half_precision_is_summed_as_before():
    x = RNG.normal(size=2**17).astype(np.float16)
    got = bital.jit(np.sum, executor="native")(x)
    np.testing.assert_allclose(got, x.astype(np.float64).sum(), rtol=2e-3)


def test_inside_of_a_loop():
    def f(x):
        return bital.fori_loop(0, 3, lambda i, s: np.tanh(np.mean(x * s)) + 1.0, 0.5)

    x = RNG.normal(size=2**16)
    s = 0.5
    for _ in range(3):
        s = np.tanh(np.mean(x * s)) + 1.0
    np.testing.assert_allclose(bital.jit(f, executor="native")(x), s, rtol=1e-12)
