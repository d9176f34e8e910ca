"""Logarithms and quotients of exponentials: right at any size, and untouched where they look alike.

The truth is computed in extended precision by formulas of the tests' own.
"""

import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from random_exponentials import is_moderate, random_exponentials

import bital
from bital.passes import stabilize
from bital.primitives import evaluate
from bital.program import check
from bital.transforms import vjp

ROWS, CLASSES = 5, 4
LABELS = np.array([0, 2, 1, 3, 0])
ROW = np.arange(ROWS)
RNG = np.random.default_rng(0)
WEIGHTS = RNG.standard_normal((ROWS, CLASSES))


@pytest.fixture(autouse=True)
def _quick_executor():
    with bital.config.executor("numpy"):  # it compiles quickest, and the pass is the same for all
        yield


def exact(x):
    return np.asarray(x, np.longdouble)


def exact_logsumexp(z, axis):
    top = exact(z).max(axis, keepdims=True)
    return np.squeeze(np.log(np.exp(exact(z) - top).sum(axis, keepdims=True)) + top, axis)


def exact_softplus(x):
    return np.logaddexp(exact(0.0), exact(x))


def exact_sigmoid(x):
    return np.exp(-exact_softplus(-exact(x)))


def assert_value_and_gradient(function, x, value, gradient, rtol):
    got_value, got_gradient = bital.value_and_grad(function)(x)
    assert got_gradient.dtype == x.dtype
    np.testing.assert_allclose(got_value, np.float64(value), rtol, atol=rtol)
    np.testing.assert_allclose(got_gradient, np.float64(gradient), rtol, atol=rtol)


# --- log(softmax) ---------------------------------------------------------------------------


def over(powers, total):
    return powers / total


def book(z):
    x = z.T
    x = x - np.max(x, axis=0)
    return (np.exp(x) / np.sum(np.exp(x), axis=0)).T


def after_shift(z, shift):
    e = np.exp(z - shift)
    return e / e.sum(axis=1, keepdims=True)


SOFTMAX = {
    "exp twice": lambda z: np.exp(z) / np.sum(np.exp(z), axis=1, keepdims=True),
    "exp once": lambda z: over(e := np.exp(z), e.sum(axis=-1, keepdims=True)),
    "reshape": lambda z: over(e := np.exp(z), e.sum(axis=1).reshape(-1, 1)),
    "newaxis": lambda z: over(e := np.exp(z), np.sum(e, 1)[:, np.newaxis]),
    "expand_dims": lambda z: over(e := np.exp(z), np.expand_dims(np.sum(e, 1), 1)),
    "broadcast": lambda z: over(e := np.exp(z), np.broadcast_to(e.sum(1, keepdims=True), e.shape)),
    "transposed": lambda z: (np.exp(z).T / np.exp(z).sum(axis=1)).T,
    "transposed first": lambda z: (np.exp(z.T) / np.sum(np.exp(z.T), axis=0)).T,
    "transposed and shifted": book,
    "shifted": lambda z: after_shift(z, z.max(axis=1, keepdims=True)),
    "shifted by the maximum of all": lambda z: after_shift(z, np.max(z)),
    "shifted by a reshaped maximum": lambda z: after_shift(z, z.max(1).reshape(-1, 1)),
    "epsilon below": lambda z: np.exp(z) / (np.sum(np.exp(z), 1, keepdims=True) + 1e-12),
    "reciprocal": lambda z: np.exp(z) * (1 / np.sum(np.exp(z), 1, keepdims=True)),
    "exp of the logarithm": lambda z: np.exp(z - np.log(np.sum(np.exp(z), 1, keepdims=True))),
    "bital.nn": bital.nn.softmax,
    "mapped": bital.vmap(lambda row: np.exp(row) / np.sum(np.exp(row))),
    "row by row": lambda z: np.stack([np.exp(r) / np.sum(np.exp(r)) for r in z]),
    "jitted": bital.jit(lambda z: np.exp(z) / np.sum(np.exp(z), 1, keepdims=True)),
}


def where_zero(p):
    p[p == 0] = 1e-9
    return p


LOG = {
    "plain": np.log,
    "epsilon": lambda p: np.log(p + 1e-7),
    "epsilon first": lambda p: np.log(1e-9 + p),
    "largest epsilon": lambda p: np.log(p + 1e-5),
    "machine epsilon": lambda p: np.log(p + np.finfo(np.float32).eps),
    "clip": lambda p: np.log(np.clip(p, 1e-7, 1 - 1e-7)),
    "clip below": lambda p: np.log(np.clip(p, 1e-15, None)),
    "clip to one": lambda p: np.log(np.clip(p, 1e-10, 1.0)),
    "maximum": lambda p: np.log(np.maximum(1e-12, p)),
    "minimum": lambda p: np.log(np.minimum(np.maximum(p, 1e-12), 1 - 1e-12)),
    "where small": lambda p: np.log(np.where(p < 1e-7, 1e-7, p)),
    "where large": lambda p: np.log(np.where(p > 1e-8, p, 1e-8)),
    "written": lambda p: np.log(where_zero(p.copy())),
    "log2": lambda p: np.log2(p + 1e-9) * float(np.log(2)),
    "log10": lambda p: np.log10(p) * float(np.log(10)),
}
CROSS_ENTROPY = {
    "one-hot": lambda p, log, t: -np.sum(t * log(p)),
    "mean": lambda p, log, t: -np.mean(np.sum(t * log(p), axis=1)) * ROWS,
    "picked": lambda p, log, t: -np.sum(log(p)[ROW, LABELS]),
    "picked before": lambda p, log, t: -np.sum(log(p[ROW, LABELS])),
    "along an axis": lambda p, log, t: -np.sum(log(np.take_along_axis(p, LABELS[:, None], 1))),
    "summed before": lambda p, log, t: -np.sum(log(np.sum(t * p, axis=1))),
    "flat": lambda p, log, t: -np.sum(log(p.reshape(-1)[ROW * CLASSES + LABELS])),
    "transposed": lambda p, log, t: -np.sum(t.T * log(p.T)),
    "einsum": lambda p, log, t: -np.sum(np.einsum("ij,ij->i", t, log(p))),
    "product": lambda p, log, t: -log(np.prod(p[ROW, LABELS])),
}
# Each softmax with three logarithms and sums, and each logarithm and sum with some softmax.
COMBINATIONS = {
    (softmax, log, entropy)
    for i, softmax in enumerate(SOFTMAX)
    for log, entropy in itertools.islice(
        itertools.cycle(itertools.product(LOG, CROSS_ENTROPY)), 11 * i, 11 * i + 44, 11
    )
} | {("exp twice", log, entropy) for log, entropy in itertools.product(LOG, CROSS_ENTROPY)}


@pytest.mark.parametrize(("scale", "dtype"), [(1e3, np.float64), (1e4, np.float32)])
@pytest.mark.parametrize("combination", sorted(COMBINATIONS), ids=", ".join)
def test_cross_entropy_of_a_softmax(combination, scale, dtype):
    softmax, log, entropy = combination
    z = (np.random.default_rng(1).standard_normal((ROWS, CLASSES)) * scale).astype(dtype)
    targets = np.eye(CLASSES, dtype=dtype)[LABELS]
    logs = exact(z) - exact_logsumexp(z, 1)[:, None]
    assert_value_and_gradient(
        lambda z: CROSS_ENTROPY[entropy](SOFTMAX[softmax](z), LOG[log], targets),
        z,
        -np.sum(targets * logs),
        np.exp(logs) - targets,
        1e-9 if dtype is np.float64 else 1e-4,
    )


@pytest.mark.parametrize("softmax", SOFTMAX)
@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_softmax_alone(softmax, scale):
    if softmax == "reciprocal" and scale > 1:
        pytest.skip("1 / sum(exp(z)) has a value of its own, which is 0")
    z = RNG.standard_normal((ROWS, CLASSES)) * scale
    p = np.exp(exact(z) - exact_logsumexp(z, 1)[:, None])
    mean = np.sum(p * WEIGHTS, axis=1, keepdims=True)
    assert_value_and_gradient(
        lambda z: np.sum(SOFTMAX[softmax](z) * WEIGHTS), z, np.sum(mean), p * (WEIGHTS - mean), 1e-9
    )


def test_probabilities_that_are_scaled_again_cancel():
    def loss(z):
        p = np.exp(z) / np.sum(np.exp(z), axis=1, keepdims=True)
        return bital.nn.losses.categorical_crossentropy(np.eye(CLASSES)[LABELS], p).sum()

    z = RNG.standard_normal((ROWS, CLASSES)) * 1e3
    logs = exact(z) - exact_logsumexp(z, 1)[:, None]
    gradient = np.exp(logs) - np.eye(CLASSES)[LABELS]
    assert_value_and_gradient(loss, z, -logs[ROW, LABELS].sum(), gradient, 1e-9)
    assert sum(e.primitive.name == "exp" for e in bital.trace(loss, z).equations) == 1


# --- log(sum(exp)) --------------------------------------------------------------------------

LOGSUMEXP = {
    "rows": (1, lambda z: np.log(np.sum(np.exp(z), axis=1))),
    "columns": (0, lambda z: np.log(np.exp(z).sum(axis=0))),
    "kept": (1, lambda z: np.log(np.sum(np.exp(z), axis=-1, keepdims=True))),
    "all": ((0, 1), lambda z: np.log(np.sum(np.exp(z)))),
    "epsilon": (1, lambda z: np.log(np.sum(np.exp(z), axis=1) + 1e-9)),
    "shifted by the maximum of all": (
        1, lambda z: np.log(np.sum(np.exp(z - z.max()), axis=1)) + z.max(),
    ),
    "mean": (1, lambda z: np.log(np.mean(np.exp(z), axis=1)) + np.log(CLASSES)),
    "of products": (1, lambda z: np.log(np.sum(np.exp(z / 2) * np.exp(z / 2), axis=1))),
}  # fmt: skip


@pytest.mark.parametrize("name", LOGSUMEXP)
@pytest.mark.parametrize("scale", [1.0, 1e3, 1e4])
def test_logsumexp(name, scale):
    axis, function = LOGSUMEXP[name]
    z = RNG.standard_normal((ROWS, CLASSES)) * scale
    total = exact_logsumexp(z, axis)
    share = np.exp(exact(z) - np.expand_dims(total, axis))
    assert_value_and_gradient(lambda z: np.sum(function(z)), z, np.sum(total), share, 1e-8)


@pytest.mark.parametrize("scale", [1.0, 1e3])
def test_mixture_with_weights(scale):
    weights = np.array([0.5, 0.0, 0.2, 0.3])
    z = RNG.standard_normal((ROWS, CLASSES)) * scale
    z[0, 1] = 5 * scale  # large, and of no weight
    counted = [0, 2, 3]
    total = exact_logsumexp(z[:, counted] + np.log(exact(weights[counted])), 1)
    share = weights * np.exp(np.minimum(exact(z) - total[:, None], 1e4))

    def loss(z, weights):
        return np.sum(np.log(np.sum(weights * np.exp(z), axis=1)))

    assert_value_and_gradient(lambda z: loss(z, weights), z, np.sum(total), share, 1e-9)
    if scale == 1:  # by the weights too, of zero or not
        gradient = bital.grad(loss, 1)(z, weights)
        expected = np.exp(exact(z) - total[:, None]).sum(axis=0)
        np.testing.assert_allclose(gradient, expected.astype(float), rtol=1e-9)


# --- log(sigmoid) ---------------------------------------------------------------------------


def two_branches(x):
    return np.where(x >= 0, 1 / (1 + np.exp(-x)), np.exp(x) / (1 + np.exp(x)))


SIGMOID = {
    "textbook": lambda x: 1 / (1 + np.exp(-x)),
    "turned": lambda x: 1.0 / (np.exp(-x) + 1.0),
    "exp over": lambda x: np.exp(x) / (1 + np.exp(x)),
    "tanh": lambda x: 0.5 * (1 + np.tanh(x / 2)),
    "tanh later": lambda x: 0.5 * np.tanh(0.5 * x) + 0.5,
    "tanh halved": lambda x: (np.tanh(0.5 * x) + 1) / 2,
    "reciprocal": lambda x: np.reciprocal(1 + np.exp(-x)),
    "power": lambda x: (1 + np.exp(-x)) ** -1,
    "power by name": lambda x: np.power(1 + np.exp(-x), -1.0),
    "two branches": two_branches,
    "absolute value": lambda x: np.where(
        x >= 0, 1 / (1 + (e := np.exp(-np.abs(x)))), e / (1 + e)
    ),
    "ones": lambda x: np.ones_like(x) / (np.ones_like(x) + np.exp(-x)),
    "mirrored": lambda x: 1 - 1 / (1 + np.exp(x)),
    "bital.nn": bital.nn.sigmoid,
}  # fmt: skip
TARGETS = np.array([0.0, 1, 0, 1, 1, 0, 1])


def bounded(y, low, high):
    y = np.clip(y, low, high)
    return -np.sum(TARGETS * np.log(y) + (1 - TARGETS) * np.log(1 - y))


def stacked(y):
    both = np.stack([1 - TARGETS, TARGETS], -1) * np.log(np.stack([1 - y, y], -1) + 1e-9)
    return -np.sum(both)


BINARY = {
    "plain": lambda y: -np.sum(TARGETS * np.log(y) + (1 - TARGETS) * np.log(1 - y)),
    "epsilon": lambda y: -np.sum(TARGETS * np.log(y + 1e-7) + (1 - TARGETS) * np.log(1 - y + 1e-7)),
    "epsilon first": lambda y: (
        -np.sum(TARGETS * np.log(1e-7 + y) + (1 - TARGETS) * np.log(1 + 1e-7 - y))
    ),
    "clip": lambda y: bounded(y, 1e-7, 1 - 1e-7),
    "maximum": lambda y: (
        -np.sum(
            TARGETS * np.log(np.maximum(y, 1e-15))
            + (1 - TARGETS) * np.log(np.maximum(1 - y, 1e-15))
        )
    ),
    "log1p": lambda y: -np.sum(TARGETS * np.log(y) + (1 - TARGETS) * np.log1p(-y)),
    "stacked": stacked,
    "chosen": lambda y: -np.sum(np.log(np.where(TARGETS == 1, y, 1 - y) + 1e-7)),
    "blended": lambda y: -np.sum(np.log(TARGETS * y + (1 - TARGETS) * (1 - y) + 1e-7)),
    "as a column": lambda y: bounded(y.reshape(-1, 1)[:, 0], 1e-12, 1 - 1e-12),
    "log odds": lambda y: np.sum((1 - TARGETS) * np.log((y + 1e-9) / (1 - y + 1e-9)) - np.log(y)),
    "bital.nn": lambda y: bital.nn.losses.binary_crossentropy(TARGETS, y) * len(TARGETS),
}


@pytest.mark.parametrize("loss", BINARY)
@pytest.mark.parametrize("sigmoid", SIGMOID)
def test_binary_cross_entropy_of_a_sigmoid(sigmoid, loss):
    for scale in (1e3, 1e4):
        x = RNG.standard_normal(7) * scale
        value = np.sum(TARGETS * exact_softplus(-x) + (1 - TARGETS) * exact_softplus(x))
        gradient = exact_sigmoid(x) - TARGETS
        assert_value_and_gradient(
            lambda x: BINARY[loss](SIGMOID[sigmoid](x)), x, value, gradient, 1e-9
        )


@pytest.mark.parametrize("sigmoid", SIGMOID)
def test_sigmoid_alone(sigmoid):
    weights = WEIGHTS.ravel()[:7]
    for scale in (1.0, 1e3):
        x = RNG.standard_normal(7) * scale
        y, rest = exact_sigmoid(x), exact_sigmoid(-x)
        assert_value_and_gradient(
            lambda x: np.sum(weights * SIGMOID[sigmoid](x)),
            x,
            np.sum(weights * y),
            weights * y * rest,
            1e-9,
        )


def test_the_tail_of_a_sigmoid_keeps_its_digits():
    x = np.array([-30.0, -300.0])
    for sigmoid in (SIGMOID["textbook"], SIGMOID["exp over"]):
        got = bital.jit(sigmoid)(x)
        np.testing.assert_allclose(got, np.exp(x) / (1 + np.exp(x)), rtol=1e-14)


# --- log(1 + exp), and other quotients ------------------------------------------------------


def tanh_slope(x):
    return 1 - np.tanh(exact(x)) ** 2


FUNCTIONS = {
    "log(1 + exp(x))": (lambda x: np.log(1 + np.exp(x)), exact_softplus, exact_sigmoid),
    "log(exp(x) + 1 + epsilon)": (
        lambda x: np.log(np.exp(x) + 1 + 1e-8), exact_softplus, exact_sigmoid,
    ),
    "log1p(exp(x))": (lambda x: np.log1p(np.exp(x)), exact_softplus, exact_sigmoid),
    "x + log(1 + exp(-x))": (
        lambda x: x + np.log(1 + np.exp(-x)), exact_softplus, exact_sigmoid,
    ),
    "log(1 + exp(3 x)) / 3": (
        lambda x: np.log(1 + np.exp(3 * x)) / 3,
        lambda x: exact_softplus(3 * x) / 3,
        lambda x: exact_sigmoid(3 * x),
    ),
    "log(exp(x) + exp(-x))": (
        lambda x: np.log(np.exp(x) + np.exp(-x)),
        lambda x: np.logaddexp(exact(x), -exact(x)),
        lambda x: np.tanh(exact(x)),
    ),
    "log(exp(x))": (lambda x: np.log(np.exp(x)), exact, np.ones_like),
    "x / (1 + exp(-x))": (
        lambda x: x / (1 + np.exp(-x)),
        lambda x: x * exact_sigmoid(x),
        lambda x: exact_sigmoid(x) * (1 + x * exact_sigmoid(-x)),
    ),
    "exp(-x) / (1 + exp(-x))**2": (
        lambda x: np.exp(-x) / (1 + np.exp(-x)) ** 2,
        lambda x: exact_sigmoid(x) * exact_sigmoid(-x),
        lambda x: exact_sigmoid(x) * exact_sigmoid(-x) * (1 - 2 * exact_sigmoid(x)),
    ),
    "tanh of exponentials": (
        lambda x: (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x)), np.tanh, tanh_slope,
    ),
    "tanh of exp(2 x)": (
        lambda x: (np.exp(2 * x) - 1) / (np.exp(2 * x) + 1), np.tanh, tanh_slope,
    ),
    "tanh of a sigmoid": (lambda x: 2 / (1 + np.exp(-2 * x)) - 1, np.tanh, tanh_slope),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_of_one_number(name):
    function, value, slope = FUNCTIONS[name]
    for x in (RNG.standard_normal(6), np.array([-1e4, -1e3, -50.0, 0.0, 50.0, 1e3, 1e4])):
        assert_value_and_gradient(
            lambda x: np.sum(function(x)), x, np.sum(value(x)), slope(x), 1e-8
        )


# --- derivatives of all kinds, and everywhere -----------------------------------------------


def test_second_derivatives():
    z = RNG.standard_normal(CLASSES) * 300
    p = np.exp(exact(z) - exact_logsumexp(z, 0)).astype(float)
    expected = np.diag(p) - np.outer(p, p)
    for function in (
        lambda z: np.log(np.sum(np.exp(z))),
        lambda z: -np.log((np.exp(z) / np.sum(np.exp(z)))[2] + 1e-7),
    ):
        np.testing.assert_allclose(bital.hessian(function)(z), expected, atol=1e-12)
    x = np.array([-800.0, -3.0, 0.0, 2.0, 900.0])
    slope = (exact_sigmoid(x) * exact_sigmoid(-x)).astype(float)
    twice = bital.vmap(bital.grad(bital.grad(lambda x: np.log(1 + np.exp(x)))))
    np.testing.assert_allclose(twice(x), slope, atol=1e-15)
    np.testing.assert_allclose(bital.jit(twice)(x), slope, atol=1e-15)


def naive_softplus(x):
    return np.log(1 + np.exp(x))


@bital.custom_vjp
def with_own_rule(x):
    return naive_softplus(x)


with_own_rule.defvjp(
    lambda x: (naive_softplus(x), x), lambda x, ct: (ct / (1 + np.exp(-x)),)
)  # fmt: skip
X = np.array([-1e3, 0.0, 1e3])
EVERYWHERE = {
    "jit": (bital.jit(naive_softplus), X),
    "vmap": (bital.vmap(naive_softplus), X),
    "jvp": (lambda x: bital.jvp(naive_softplus, (x,), (x,))[0], X),
    "vjp": (lambda x: bital.vjp(naive_softplus, x)[0], X),
    "scan": (lambda x: bital.scan(lambda c, x: (c, naive_softplus(x)), 0.0, x)[1], X),
    "cond": (lambda x: bital.jit(lambda x: bital.cond(x[0] < 0, naive_softplus, np.exp, x))(x), X),
    "custom_vjp": (bital.jit(with_own_rule), X),
    "jitted gradient": (
        bital.jit(lambda x: bital.value_and_grad(lambda x: naive_softplus(x).sum())(x)[0]), X,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EVERYWHERE)
def test_it_is_rewritten_wherever_it_is_compiled(name):
    function, x = EVERYWHERE[name]
    expected = exact_softplus(x).astype(float)
    got = function(x)
    np.testing.assert_allclose(got, expected.sum() if np.ndim(got) == 0 else expected)


def test_gradients_of_inner_programs():
    def total(x):
        return np.sum(bital.scan(lambda c, x: (c, naive_softplus(x)), 0.0, x)[1])

    expected = exact_sigmoid(X).astype(float)
    np.testing.assert_allclose(bital.grad(total)(X), expected)
    np.testing.assert_allclose(bital.grad(lambda x: with_own_rule(x).sum())(X), expected)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int8, np.int64])
def test_dtypes_are_numpys(dtype):
    x = np.array([[3, 0, -2], [1, 2, 3]]).astype(dtype)
    for function in (
        lambda x: np.log(np.exp(x) / np.exp(x).sum(axis=1, keepdims=True) + 1e-7),
        lambda x: np.log(1 + np.exp(x)),
        lambda x: np.log2(1 / (1 + np.exp(-x))),
        lambda x: np.exp(x) / np.sum(np.exp(x)),
    ):
        got, expected = bital.jit(function)(x), function(x)
        assert got.dtype == expected.dtype
        resolution = np.finfo(expected.dtype).resolution
        np.testing.assert_allclose(got, expected, rtol=10 * resolution, atol=2e-5)
    assert type(bital.jit(naive_softplus)(1000)) is np.float64


# --- what stays as it is --------------------------------------------------------------------


def test_masked_logits_of_minus_infinity():
    """An epsilon that is dropped comes back where the probability is exactly 0."""
    z = RNG.standard_normal((ROWS, CLASSES))
    z[0, 1] = z[2, 0] = z[2, 3] = -np.inf
    losses = (
        lambda p: np.sum(p * np.log(p + 1e-9)),
        lambda p: np.sum(p * np.log(np.clip(p, 1e-9, 1.0))),
        lambda p: np.sum(p * np.log(np.where(p > 0, p, 1.0))),
        lambda p: np.sum(np.log(np.sum(p * np.eye(CLASSES)[LABELS], axis=1) + 1e-9)),
    )
    for softmax, loss in itertools.product((SOFTMAX["exp twice"], SOFTMAX["shifted"]), losses):
        both = bital.value_and_grad(lambda z, f=softmax, g=loss: g(f(z)))
        got = both(z)
        with bital.config.stabilize(False):
            expected = both(z)
        for a, b in zip(got, expected, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-7)
    empty = np.full((2, 3), -np.inf)
    total = bital.value_and_grad(lambda z: np.sum(np.log(np.sum(np.exp(z), axis=1) + 1e-9)))(empty)
    np.testing.assert_allclose(total[0], 2 * np.log(1e-9))
    np.testing.assert_array_equal(total[1], 0.0)
    with np.errstate(divide="ignore"):
        assert bital.jit(lambda z: np.log(np.sum(np.exp(z))))(empty[0]) == -np.inf


def test_a_sum_of_no_weight_is_the_epsilon():
    def loss(z, mask):
        return np.sum(np.log(np.sum(mask * np.exp(z), axis=1) + 1e-6))

    mask = np.array([[0.0, 0.0], [1.0, 0.0]])
    value, gradient = bital.value_and_grad(loss)(np.array([[5.0, 900.0], [-900.0, 900.0]]), mask)
    np.testing.assert_allclose(value, np.log(1e-6) - 900)
    np.testing.assert_allclose(gradient, mask)


def one_of(z):
    return 1 / (1 + np.exp(-z))


SQUARE = RNG.standard_normal((4, 4))
LOOK_ALIKES = {
    "rows by sums of columns": lambda z: np.log(np.exp(z) / np.exp(z).sum(axis=1) + 1e-3),
    "no exponential": lambda z: np.log(z**2 / np.sum(z**2, axis=1, keepdims=True) + 1e-7),
    "an epsilon that counts": lambda z: np.log(1 / (1 + np.exp(-40 - z)) + 1e-3),
    "a bound that counts": lambda z: np.log(np.clip(1 / (1 + np.exp(40 + z)), 1e-3, 0.9)),
    "of one exponential": lambda z: np.log(np.exp(z - 20) + 1e-7),
    "of a variance": lambda z: np.log(np.maximum(np.exp(z - 20), 1e-6)),
    "one and a half": lambda z: np.log(1.5 - 1 / (1 + np.exp(-z))),
    "another sum": lambda z: np.log(np.exp(z) / np.exp(2 * z).sum(axis=1, keepdims=True)),
    "maximum of another": lambda z: np.log(np.exp(z - (2 * z).max(1, keepdims=True)).sum(1)),
    "shift along the other axis": lambda z: np.log(np.exp(z - z.max(axis=1)).sum(axis=1)),
    "negative weight": lambda z: np.log(3 - np.exp(z - 3)),
    "clipped weight": lambda z: np.log(
        np.clip(np.sum(np.array([1.0, -9, 0, 0]) * np.exp(z), axis=1), 1e-7, None)
    ),
    "the larger of two": lambda z: np.log(np.where(one_of(z) > 1e-7, 1e-7, one_of(z))),
    "zero as it is": lambda z: np.log(1 + np.where(one_of(z) == 0, one_of(z), 1e-7)),
    "one minus a small exponential": lambda z: np.log1p(-np.exp(-30 - z)),
    "of a small share": lambda z: np.log1p(-one_of(z - 20)),
    "not under a logarithm": lambda z: np.exp(z) / np.exp(z).sum(1, keepdims=True) + 1e-7,
    "nor a bound": lambda z: np.clip(1 / (1 + np.exp(-9 * z)), 1e-7, 1 - 1e-7),
}


@pytest.mark.parametrize("name", LOOK_ALIKES)
def test_look_alikes_mean_what_they_did(name):
    function = LOOK_ALIKES[name]
    np.testing.assert_allclose(bital.jit(function)(SQUARE), function(SQUARE), rtol=1e-9)
    with bital.config.stabilize(False):
        expected = bital.grad(lambda z: function(z).sum())(SQUARE)
    gradient = bital.grad(lambda z: function(z).sum())(SQUARE)
    np.testing.assert_allclose(gradient, expected, rtol=1e-7, atol=1e-12)


STABLE = {
    "softmax": SOFTMAX["shifted"],
    "log of shifted sums": lambda z: np.log(np.exp(z - z.max(1, keepdims=True)).sum(1)),
    "nn.softplus": bital.nn.softplus,
    "nn.sigmoid": bital.nn.sigmoid,
    "nn.log_softmax": bital.nn.log_softmax,
    "nn.logsumexp": bital.nn.logsumexp,
    "exponentials": lambda z: np.exp(z) * np.tanh(z) / 2 + np.log(z),
}


@pytest.mark.parametrize("name", STABLE)
def test_what_is_stable_is_left_alone(name):
    with bital.config.stabilize(False):
        program = bital.trace(STABLE[name], SQUARE)
    assert stabilize(program) is program


# --- in general -----------------------------------------------------------------------------


def test_random_programs_agree_where_they_are_finite():
    changed = 0
    for seed in range(400):
        program = random_exponentials(seed)
        stable = check(stabilize(program))
        if stable is program:
            continue
        changed += 1
        assert stable.input_types == program.input_types
        assert stable.output_types == program.output_types
        rng = np.random.default_rng(seed)
        arguments = [rng.standard_normal(t.shape) for t in program.input_types]
        if not is_moderate(program, arguments):
            continue
        one = np.float64(1)
        pulled = [True] + [False] * (len(program.outputs) - 1)
        truth, got = (
            evaluate(vjp(p, [True] * len(arguments), pulled), (*values, one))
            for p, values in ((program, map(exact, arguments)), (stable, arguments))
        )
        for a, b in zip(got, truth, strict=True):
            np.testing.assert_allclose(a, np.float64(b), rtol=1e-6, atol=1e-6, err_msg=str(seed))
    assert changed > 150


def test_the_pass_settles():
    """Once is enough, also before and after a derivative: nothing is shifted twice."""
    z = RNG.standard_normal((ROWS, CLASSES))
    loss, targets = CROSS_ENTROPY["summed before"], np.eye(CLASSES)[LABELS]
    for softmax, log in itertools.product(SOFTMAX.values(), ("epsilon", "clip")):
        with bital.config.stabilize(False):
            program = bital.trace(lambda z, f=softmax, g=LOG[log]: loss(f(z), g, targets), z)
        once = stabilize(program)
        assert once is not program
        assert stabilize(once) is once
        derivative = vjp(once, [True], [True])
        assert stabilize(derivative) is derivative


def test_long_programs():
    def chain(x):
        y = np.exp(x)
        for _ in range(2000):
            y = y * np.exp(x) / (1 + y)
        return np.log(y)

    check(bital.trace(chain, np.ones(3)))


# --- the switch -----------------------------------------------------------------------------


def test_it_can_be_switched_off():
    softplus = bital.jit(naive_softplus)
    gradient = bital.grad(naive_softplus)
    for _ in range(2):  # either way is compiled once and kept
        assert softplus(1e3) == 1e3
        assert gradient(1e3) == 1.0
        with bital.config.stabilize(False), np.errstate(all="ignore"):
            assert softplus(1e3) == np.inf
            assert np.isnan(gradient(1e3))
            assert "log1p" not in str(bital.trace(naive_softplus, 1.0))
            with bital.config.stabilize():
                assert softplus(1e3) == 1e3
    for value, expected in (("0", "inf"), ("1", "1000.0")):
        code = "import bital, numpy as np; print(bital.jit(lambda x: np.log(1 + np.exp(x)))(1e3))"
        environment = {**os.environ, "BITAL_STABILIZE": value, "PYTHONWARNINGS": "ignore"}
        command = [sys.executable, "-c", code]
        shown = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert shown.stdout.strip() == expected


def test_trace_shows_what_runs():
    program = bital.trace(naive_softplus, np.ones(3))
    assert "log1p" in program.to_numpy()
    with np.errstate(over="raise"):
        (value,) = evaluate(program, (np.array([1e3]),))
    assert value == 1e3


def test_the_documents_example(capsys):
    text = (Path(__file__).parents[3] / "docs" / "numerics.md").read_text(encoding="utf-8")
    exec(re.search(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE).group(1), {})
    shown = capsys.readouterr().out
    assert "(np.float64(2000.0), array([[ 1.,  0., -1.]]))" in shown
    assert "(np.float64(nan), array([[nan, nan, nan]]))" in shown


def test_a_saturated_network_goes_on_learning():
    """With p = 0 for every label, the textbook's loss has no gradient; here it is p - t."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((30, 3))
    t = np.eye(3)[np.argmax(x, axis=1)]
    w = -1000 * np.eye(3)

    def loss(w):
        z = x @ w
        p = np.exp(z - z.max(axis=1, keepdims=True))
        p = p / p.sum(axis=1, keepdims=True)
        return -np.mean(np.sum(t * np.log(p + 1e-7), axis=1))

    with bital.config.stabilize(False):
        assert np.abs(bital.grad(loss)(w)).max() < 1e-9
    step = bital.jit(lambda w: w - 20.0 * bital.grad(loss)(w))
    for _ in range(300):
        w = step(w)
    assert np.mean(np.argmax(x @ w, axis=1) == np.argmax(t, axis=1)) > 0.9
