"""Convolutions and pooling against plain loops, SciPy, and numbers worked by hand."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

import bital
from bital import nn
from bital.errors import ArgumentError, ShapeError

rng = np.random.default_rng(3)


@pytest.fixture(autouse=True)
def _numpy_executor():
    with bital.config.executor("numpy"):
        yield


def looped(x, kernel, strides, dilation, groups):
    """The definition, one output at a time, without padding."""
    sizes, filters = kernel.shape[:-2], kernel.shape[-1]
    lengths = [
        (n - (k - 1) * d - 1) // s + 1
        for n, k, s, d in zip(x.shape[1:-1], sizes, strides, dilation, strict=True)
    ]
    y = np.zeros((len(x), *lengths, filters))
    per_group = filters // groups
    for place in itertools.product(*map(range, lengths)):
        for inside in itertools.product(*map(range, sizes)):
            at = tuple(
                p * s + k * d for p, s, k, d in zip(place, strides, inside, dilation, strict=True)
            )
            for o in range(filters):
                group = o // per_group
                channels = slice(group * kernel.shape[-2], (group + 1) * kernel.shape[-2])
                y[(slice(None), *place, o)] += (
                    x[(slice(None), *at, channels)] @ kernel[(*inside, slice(None), o)]
                )
    return y


@st.composite
def problems(draw):
    rank = draw(st.integers(1, 3))
    few = st.tuples(*[st.integers(1, 3)] * rank)
    sizes, strides, dilation = draw(few), draw(few), draw(few)
    lengths = [
        (k - 1) * d + 1 + draw(st.integers(0, 3)) for k, d in zip(sizes, dilation, strict=True)
    ]
    groups = draw(st.integers(1, 2))
    channels, filters = draw(st.integers(1, 2)), groups * draw(st.integers(1, 2))
    x = rng.normal(size=(2, *lengths, groups * channels))
    kernel = rng.normal(size=(*sizes, channels, filters))
    return x, kernel, strides, dilation, groups


@settings(max_examples=40)
@given(problems())
def test_conv_is_its_definition(problem):
    x, kernel, strides, dilation, groups = problem
    y = nn.conv(x, kernel, strides, "valid", dilation, groups)
    np.testing.assert_allclose(y, looped(*problem[:4], groups), rtol=1e-12, atol=1e-12)


@settings(max_examples=20)
@given(problems())
def test_transpose_is_the_transpose(problem):
    """``<conv(x), y> == <x, conv_transpose(y)>`` where the windows cover the whole input."""
    x, kernel, strides, dilation, _ = problem
    x = x[..., : kernel.shape[-2]]
    y = nn.conv(x, kernel, strides, "valid", dilation)
    found = nn.conv_transpose(y, kernel, strides, "valid", dilation, output_padding=0)
    covered = x[tuple(slice(n) for n in found.shape)]
    assert found.shape == covered.shape
    np.testing.assert_allclose(np.sum(found * covered), np.sum(y * y), rtol=1e-10)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_conv_beside_scipy(rank):
    x, kernel = rng.normal(size=(7, 6, 5)[:rank]), rng.normal(size=(3, 2, 4)[:rank])
    expected = signal.correlate(x, kernel, mode="valid", method="direct")
    y = nn.conv(x[np.newaxis, ..., np.newaxis], kernel[..., np.newaxis, np.newaxis])
    np.testing.assert_allclose(y[0, ..., 0], expected, rtol=1e-12)


X = np.array([1.0, 2.0, 4.0, 8.0, 16.0]).reshape(1, 5, 1)
K = np.array([1.0, 10.0, 100.0]).reshape(3, 1, 1)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [421, 842, 1684]),
        ({"padding": "same"}, [210, 421, 842, 1684, 168]),
        ({"padding": "SAME", "strides": 2}, [210, 842, 168]),
        ({"padding": "causal"}, [100, 210, 421, 842, 1684]),
        ({"strides": 2}, [421, 1684]),
        ({"dilation": 2}, [1 + 40 + 1600]),
        ({"padding": "causal", "dilation": 2}, [100, 200, 410, 820, 1641]),
    ],
)
def test_conv_worked_by_hand(options, expected):
    np.testing.assert_array_equal(nn.conv(X, K, **options)[0, :, 0], expected)


def test_same_puts_the_odd_zero_at_the_end():
    kernel = np.array([1.0, 10.0]).reshape(2, 1, 1)
    np.testing.assert_array_equal(
        nn.conv(X, kernel, padding="same")[0, :, 0], [21, 42, 84, 168, 16]
    )


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [1, 12, 120, 200]),
        ({"strides": 2}, [1, 10, 102, 20, 200]),
        ({"padding": "same"}, [12, 120]),
        ({"padding": "same", "strides": 2}, [1, 10, 102, 20]),
        ({"strides": 2, "output_padding": 1}, [1, 10, 102, 20, 200, 0]),
        ({"dilation": 2}, [1, 2, 10, 20, 100, 200]),
    ],
)
def test_transpose_worked_by_hand(options, expected):
    x = np.array([1.0, 2.0]).reshape(1, 2, 1)
    np.testing.assert_array_equal(nn.conv_transpose(x, K, **options)[0, :, 0], expected)


@pytest.mark.parametrize(
    ("options", "largest", "mean"),
    [
        ({"size": 2}, [2, 8], [1.5, 6]),
        ({"size": 2, "padding": "same"}, [2, 8, 16], [1.5, 6, 16]),
        ({"size": 3, "strides": 1}, [4, 8, 16], [7 / 3, 14 / 3, 28 / 3]),
        ({"size": 3, "strides": 2, "padding": "same"}, [2, 8, 16], [1.5, 14 / 3, 12]),
    ],
)
def test_pooling_worked_by_hand(options, largest, mean):
    np.testing.assert_array_equal(nn.max_pool(-X, **options)[0, :, 0].max(), -1)
    np.testing.assert_array_equal(nn.max_pool(X, **options)[0, :, 0], largest)
    np.testing.assert_allclose(nn.avg_pool(X, **options)[0, :, 0], mean, rtol=1e-15)


def test_padding_never_is_the_largest():
    y = nn.max_pool(-X.astype(np.float32), 3, 1, "same")
    np.testing.assert_array_equal(y[0, :, 0], [-1, -1, -2, -4, -8])
    assert y.dtype == np.float32
    assert nn.max_pool(-X.astype(np.int8), 3, 1, "same").tolist() == y.tolist()


@pytest.mark.parametrize("size", [(2, 2), (3, 2), (1, 3)])
@pytest.mark.parametrize("strides", [(1, 1), (2, 2), (2, 3)])
def test_pooling_is_its_definition(size, strides):
    x = rng.normal(size=(2, 7, 8, 3))
    counts = [(n - k) // s + 1 for n, k, s in zip((7, 8), size, strides, strict=True)]
    largest, mean = nn.max_pool(x, size, strides), nn.avg_pool(x, size, strides)
    assert largest.shape == mean.shape == (2, *counts, 3)
    for i, j in itertools.product(*map(range, counts)):
        a, b = i * strides[0], j * strides[1]
        window = x[:, a : a + size[0], b : b + size[1]]
        np.testing.assert_array_equal(largest[:, i, j], window.max((1, 2)))
        np.testing.assert_allclose(mean[:, i, j], window.mean((1, 2)), rtol=1e-13)


CASES = {
    "conv": (lambda x, k: nn.conv(x, k, 2, "same"), (2, 5, 4, 2), (3, 2, 2, 3)),
    "dilated": (lambda x, k: nn.conv(x, k, padding="causal", dilation=2), (2, 5, 2), (3, 2, 2)),
    "grouped": (lambda x, k: nn.conv(x, k, groups=2), (2, 4, 4, 4), (2, 2, 2, 6)),
    "depthwise": (lambda x, k: nn.depthwise_conv(x, k, (2, 1)), (2, 5, 4, 3), (3, 2, 3, 2)),
    "transposed": (lambda x, k: nn.conv_transpose(x, k, 2, "same"), (2, 3, 4, 2), (3, 2, 3, 2)),
    "3D": (lambda x, k: nn.conv(x, k, padding="same"), (1, 3, 2, 4, 2), (2, 3, 2, 2, 1)),
    "max_pool": (lambda x, k: nn.max_pool(x, 3, 2, "same") * k, (2, 5, 4, 2), (1,)),
    "avg_pool": (lambda x, k: nn.avg_pool(x, 3, 2, "same") * k, (2, 5, 4, 2), (1,)),
}


@pytest.mark.parametrize("name", CASES)
def test_derivatives(name):
    function, *shapes = CASES[name]
    values = [
        rng.permutation(np.linspace(-1, 1, math.prod(shape))).reshape(shape) for shape in shapes
    ]
    bital.check_grads(function, tuple(values), order=2)
    compiled = bital.jit(function)(*values)
    np.testing.assert_allclose(compiled, function(*values), rtol=1e-12, atol=1e-14)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_native_agrees(name):
    function, *shapes = CASES[name]
    values = [rng.normal(size=shape).astype(np.float32) for shape in shapes]

    def both(x, kernel):
        y, back = bital.vjp(function, x, kernel)
        return y, *back(np.cos(y))

    expected = bital.jit(both)(*values)
    found = bital.jit(both, executor="native")(*values)
    for got, want in zip(found, expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.conv(np.ones((2, 5)), np.ones((2, 1, 1))), ShapeError, r"\(2, 5\).*newaxis"),
        (lambda: nn.conv(np.ones((2, 5, 3)), K), ShapeError, "channels = 3"),
        (lambda: nn.conv(np.ones((2, 5, 5, 1)), K), ShapeError, "2 spatial axes the kernel has 4"),
        (lambda: nn.conv(X[:, :2], K), ShapeError, r"windows of \(3,\) do not fit into \(2,\)"),
        (lambda: nn.conv(X, K, groups=2), ShapeError, "groups=2"),
        (lambda: nn.conv(X, K, strides=0), ArgumentError, "strides=0"),
        (lambda: nn.conv(X, K, strides=(1, 2)), ArgumentError, r"strides=\(1, 2\)"),
        (lambda: nn.conv(X, K, padding="full"), ArgumentError, "'valid', 'same', 'causal'"),
        (lambda: nn.conv_transpose(X, K, padding="causal"), ArgumentError, "'valid', 'same'"),
        (lambda: nn.conv_transpose(np.ones((1, 2, 3)), K), ShapeError, "filters, 3"),
        (lambda: nn.depthwise_conv(np.ones((1, 5, 2)), K), ShapeError, "2, multiplier"),
        (lambda: nn.max_pool(X, 6), ShapeError, r"windows of \(6,\) do not fit"),
        (lambda: nn.max_pool(X, 6, 1), ShapeError, r"windows of \(6,\) do not fit"),
        (lambda: nn.avg_pool(X, 2.0), ArgumentError, "size=2.0"),
        (lambda: nn.avg_pool(X, 2, padding="causal"), ArgumentError, "'valid', 'same'"),
    ],
)
def test_bad_input_is_told(call, error, message):
    with pytest.raises(error, match=message):
        call()
