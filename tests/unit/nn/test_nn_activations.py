"""Activations: values against formulas in extended precision, derivatives against differences."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import bital
from bital import nn
from bital.errors import ArgumentError, ShapeError

LONG = np.longdouble


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def _softplus(x):
    return np.log1p(np.exp(x))


def _elu(x):
    return np.where(x > 0, x, np.expm1(x))


# name: (formula on longdouble, kinks). Formulas are the textbooks', without care for overflow:
# longdouble has room for exp(700).
TABLE = {
    "linear": (lambda x: x, ()),
    "exponential": (np.exp, ()),
    "tanh": (np.tanh, ()),
    "relu": (lambda x: np.maximum(x, 0), (0,)),
    "relu6": (lambda x: np.clip(x, 0, 6), (0, 6)),
    "leaky_relu": (lambda x: np.maximum(x, LONG(0.2) * x), (0,)),
    "elu": (_elu, (0,)),
    "selu": (
        lambda x: (
            LONG(nn.activations.SELU_SCALE)
            * np.where(x > 0, x, LONG(nn.activations.SELU_ALPHA) * np.expm1(x))
        ),
        (0,),
    ),
    "sigmoid": (_sigmoid, ()),
    "hard_sigmoid": (lambda x: np.clip(x / 6 + LONG(0.5), 0, 1), (-3, 3)),
    "silu": (lambda x: x * _sigmoid(x), ()),
    "softplus": (_softplus, ()),
    "softsign": (lambda x: x / (1 + np.abs(x)), (0,)),
    "mish": (lambda x: x * np.tanh(_softplus(x)), ()),
    "celu": (_elu, (0,)),
    "log_sigmoid": (lambda x: -_softplus(-x), ()),
    "tanh_shrink": (lambda x: x - np.tanh(x), ()),
    "squareplus": (lambda x: (x + np.sqrt(x * x + 4)) / 2, ()),
    "hard_silu": (lambda x: x * np.clip(x / 6 + LONG(0.5), 0, 1), (-3, 3)),
    "hard_tanh": (lambda x: np.clip(x, -1, 1), (-1, 1)),
    "hard_shrink": (lambda x: np.where(abs(x) > 0.5, x, 0), (-0.5, 0.5)),
    "soft_shrink": (lambda x: np.sign(x) * np.maximum(abs(x) - LONG(0.5), 0), (-0.5, 0.5)),
    "sparse_plus": (
        lambda x: np.where(x >= 1, x, (np.clip(x, -1, 1) + 1) ** 2 / 4),
        (-1, 1),
    ),
    "sparse_sigmoid": (lambda x: np.clip(x / 2 + LONG(0.5), 0, 1), (-1, 1)),
    "gelu": (
        lambda x: x / 2 * (1 + np.tanh(np.sqrt(2 / LONG(math.pi)) * (x + LONG("0.044715") * x**3))),
        (),
    ),
}
names = pytest.mark.parametrize("name", TABLE)
GRID = np.concatenate([np.linspace(-9, 9, 73), [-1e-8, 0.0, 1e-8, -30.0, 30.0]])


@names
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_value_and_dtype(name, dtype):
    x = GRID.astype(dtype)
    found = getattr(nn, name)(x)
    assert found.dtype == dtype
    expected = TABLE[name][0](x.astype(LONG)).astype(dtype)
    # 1 + tanh rounds to 0 in gelu's lower tail, and differences cancel; the others keep relative
    # precision everywhere.
    eps = np.finfo(dtype).eps
    bound = {"gelu": 200, "tanh_shrink": 1, "squareplus": 20}.get(name, 0) * eps
    np.testing.assert_allclose(found, expected, rtol=12 * eps, atol=bound)


@names
def test_zero_d_empty_and_integers(name):
    function = getattr(nn, name)
    assert np.shape(function(np.float32(0.5))) == ()
    assert function(np.zeros((0, 3), np.float32)).shape == (0, 3)
    x = np.arange(-3, 4)
    np.testing.assert_allclose(function(x), function(x.astype(float)))


@pytest.mark.parametrize("name", [name for name in TABLE if name != "exponential"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_finite_derivatives_in_the_tails(name, dtype):
    """A derivative is 0 times infinity only where somebody divides by an overflow."""
    x = np.array([-1e4, -700.0, -89.0, 0.0, 89.0, 700.0, 1e4], dtype)
    total = lambda x: np.sum(getattr(nn, name)(x))  # noqa: E731
    with np.errstate(all="ignore"):
        slope = bital.grad(total)(x)
        assert np.all(np.isfinite(slope))
        assert slope.dtype == dtype
        assert np.all(np.isfinite(bital.grad(lambda x: np.sum(bital.grad(total)(x)))(x)))


@names
def test_derivatives(name):
    kinks = np.array(TABLE[name][1], dtype=float)
    x = np.linspace(-7.3, 7.1, 23)
    x = x[np.all(np.abs(x[:, None] - kinks) > 0.01, axis=1)] if kinks.size else x
    bital.check_grads(getattr(nn, name), (x,), order=2)


@pytest.mark.parametrize(
    ("name", "x", "slope"),
    [
        ("relu", 0.0, 0.0),
        ("relu6", 0.0, 0.0),
        ("relu6", 6.0, 0.0),
        ("leaky_relu", 0.0, 0.2),
        ("elu", 0.0, 1.0),
        ("sigmoid", 0.0, 0.25),
        ("silu", 0.0, 0.5),
        ("softplus", 0.0, 0.5),
        ("softsign", 0.0, 1.0),
        ("mish", 0.0, math.tanh(math.log(2))),
        ("gelu", 0.0, 0.5),
        ("celu", 0.0, 1.0),
        ("log_sigmoid", 0.0, 0.5),
        ("hard_tanh", 1.0, 1.0),
        ("soft_shrink", 0.5, 0.0),
        ("sparse_sigmoid", 1.0, 0.0),
        ("sparse_plus", 1.0, 1.0),
        ("sparse_plus", -1.0, 0.0),
    ],
)
def test_slope_at_the_seam(name, x, slope):
    """Where two branches meet: the smooth ones must not lose their derivative there."""
    assert bital.grad(getattr(nn, name))(x) == pytest.approx(slope, rel=1e-12)


def test_sigmoid_has_relative_precision_in_the_lower_tail():
    assert nn.sigmoid(np.float32(-80)) == pytest.approx(math.exp(-80), rel=1e-6)


def test_normal_distribution_function():
    for dtype, low, rtol in ((np.float64, -37.0, 5e-13), (np.float32, -12.0, 3e-5)):
        x = np.linspace(low, 9, 500).astype(dtype)
        expected = [0.5 * math.erfc(-v / math.sqrt(2)) for v in x.astype(float)]
        found = nn.normal_cdf(x)
        assert found.dtype == dtype
        np.testing.assert_allclose(found, expected, rtol=rtol)
    far = np.array([-1e30, -np.inf, 1e30, np.inf], np.float32)
    np.testing.assert_array_equal(nn.normal_cdf(far), [0, 0, 1, 1])
    assert math.isnan(nn.normal_cdf(np.nan))
    np.testing.assert_array_equal(bital.grad(lambda x: np.sum(nn.normal_cdf(x)))(far), 0)


def test_exact_gelu():
    exact = lambda x: nn.gelu(x, approximate=False)  # noqa: E731
    x = np.linspace(-5, 5, 21)
    expected = [v * 0.5 * math.erfc(-v / math.sqrt(2)) for v in x]
    np.testing.assert_allclose(exact(x), expected, rtol=1e-14)
    bital.check_grads(exact, (x,), order=2)
    np.testing.assert_allclose(bital.jit(exact)(x.astype(np.float32)), expected, rtol=1e-5)


def test_gated_halves():
    x = np.linspace(-2, 2, 12).reshape(2, 6)
    np.testing.assert_allclose(nn.glu(x), x[:, :3] * nn.sigmoid(x[:, 3:]))
    np.testing.assert_allclose(nn.glu(x, axis=0), x[:1] * nn.sigmoid(x[1:]))
    bital.check_grads(nn.glu, (x,), order=2)
    with pytest.raises(ShapeError, match=r"\(2, 5\)"):
        nn.glu(np.zeros((2, 5)))


def test_sparsemax():
    """The nearest point of the simplex: no other vertex or midpoint is nearer."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 5)) * 2
    found = nn.sparsemax(x)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert (found >= 0).all()
    assert (found == 0).any()
    others = rng.dirichlet(np.full(5, 0.5), size=(40, 50))
    distance = np.linalg.norm(found - x, axis=1)[:, None]
    assert (distance <= np.linalg.norm(others - x[:, None], axis=2) + 1e-12).all()
    np.testing.assert_allclose(nn.sparsemax(x.T, axis=0), found.T)
    np.testing.assert_allclose(bital.jit(nn.sparsemax)(x), found)
    bital.check_grads(nn.sparsemax, (np.array([[0.1, 0.8, 0.25, -1.0]]),))


def test_threshold():
    np.testing.assert_array_equal(nn.threshold(np.array([0.0, 1.0, 2.0]), 1.0, -3.0), [-3, -3, 2])


def test_exact_gelu_is_within_the_stated_distance():
    x = np.linspace(-6, 6, 1001)
    exact = x * np.array([0.5 * math.erfc(-v / math.sqrt(2)) for v in x])
    assert 1e-4 < np.abs(nn.gelu(x) - exact).max() < 5e-4


@given(st.lists(st.floats(-300, 300), min_size=1, max_size=6), st.floats(-1e3, 1e3))
def test_softmax_family(values, shift):
    x = np.array(values)
    total = sum(Fraction(math.exp(v - max(values))) for v in values)
    expected = max(values) + math.log(total)
    assert nn.logsumexp(x) == pytest.approx(expected, rel=1e-12, abs=1e-12)
    assert nn.softmax(x).sum() == pytest.approx(1.0)
    np.testing.assert_allclose(nn.log_softmax(x), x - expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(nn.softmax(x + shift), nn.softmax(x), rtol=1e-9, atol=1e-12)


def test_softmax_axes_and_masks():
    x = np.arange(24.0).reshape(2, 3, 4)
    np.testing.assert_allclose(nn.softmax(x, axis=1).sum(axis=1), 1)
    np.testing.assert_allclose(nn.softmax(x, axis=(1, 2)).sum(axis=(1, 2)), 1)
    assert nn.logsumexp(x, axis=None).shape == ()
    assert nn.logsumexp(x, axis=(0, 2), keepdims=True).shape == (1, 3, 1)
    masked = np.array([[0.0, -np.inf], [-np.inf, -np.inf]])
    with np.errstate(divide="ignore"):
        np.testing.assert_array_equal(nn.logsumexp(masked), [0, -np.inf])
    np.testing.assert_array_equal(nn.softmax(masked[:1]), [[1, 0]])


def test_softmax_family_derivatives():
    x = np.random.default_rng(0).normal(size=(3, 4))
    for function in (nn.softmax, nn.log_softmax, nn.logsumexp):
        bital.check_grads(function, (x,), order=2)


@pytest.mark.parametrize("name", [*TABLE, "softmax", "log_softmax", "logsumexp"])
def test_compiled_equals_plain(name):
    x = np.linspace(-5, 5, 12, dtype=np.float32).reshape(3, 4)
    function = getattr(nn, name)
    # Within 4 ulp of a tanh near 1, times x / 2, where `native` computes it in its own way.
    tolerances = {"numpy": 1e-7, "native": 4 * 2.0**-24 * 2.5}
    for executor, atol in tolerances.items():
        compiled = bital.jit(function, executor=executor)(x)
        assert compiled.dtype == np.float32
        np.testing.assert_allclose(compiled, function(x), rtol=1e-6, atol=atol)


class TestOneHot:
    def test_values(self):
        np.testing.assert_array_equal(nn.one_hot(np.array([2, 0]), 3), [[0, 0, 1], [1, 0, 0]])

    def test_axis_and_dtype(self):
        labels = np.array([[0, 1], [2, 3]])
        found = nn.one_hot(labels, 4, dtype=np.float64, axis=0)
        assert found.shape == (4, 2, 2)
        assert found.dtype == np.float64
        np.testing.assert_array_equal(found.argmax(axis=0), labels)

    def test_outside_is_zero(self):
        np.testing.assert_array_equal(nn.one_hot(np.array([-1, 3]), 3), np.zeros((2, 3)))

    def test_traced(self):
        labels = np.array([1, 0, 2])
        found = bital.jit(lambda labels: nn.one_hot(labels, 3))(labels)
        np.testing.assert_array_equal(found, np.eye(3)[labels])

    @pytest.mark.parametrize("labels", [np.array([0.5]), np.array(["a"])])
    def test_refuses_what_is_no_label(self, labels):
        with pytest.raises(ArgumentError, match="must be integers"):
            nn.one_hot(labels, 3)

    @pytest.mark.parametrize("classes", [0, -1, 2.0])
    def test_refuses_number_of_classes(self, classes):
        with pytest.raises(ArgumentError, match="positive integer"):
            nn.one_hot(np.array([0]), classes)
