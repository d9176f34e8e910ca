"""Derivatives where there is none: the subgradients and limits that the primitives state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import bital

# function, point, gradient there
KINKS: list[tuple[str, Callable[[Any], Any], list[float], list[float]]] = [
    ("abs at 0", np.abs, [0.0, -0.0], [0.0, 0.0]),
    ("fabs at 0", np.fabs, [0.0], [0.0]),
    ("sign", np.sign, [0.0, 2.0], [0.0, 0.0]),
    (
        "steps",
        lambda x: np.floor(x) + np.ceil(x) + np.rint(x) + np.trunc(x),
        [0.0, 0.5],
        [0.0, 0.0],
    ),
    ("maximum with itself", lambda x: np.maximum(x, x), [3.0], [1.0]),
    ("maximum at a tie", lambda x: np.maximum(x, 3.0), [2.0, 3.0, 4.0], [0.0, 0.5, 1.0]),
    ("minimum at a tie", lambda x: np.minimum(3.0, x), [2.0, 3.0, 4.0], [1.0, 0.5, 0.0]),
    ("fmax at a tie", lambda x: np.fmax(x, 3.0), [2.0, 3.0, 4.0], [0.0, 0.5, 1.0]),
    ("fmin beside NaN", lambda x: np.fmin(x, np.nan), [2.0], [1.0]),
    ("relu", lambda x: np.maximum(x, 0), [-1.0, 0.0, 1.0], [0.0, 0.5, 1.0]),
    (
        "clip at its bounds",
        lambda x: np.clip(x, -1, 1),
        [-2.0, -1.0, 0.0, 1.0, 2.0],
        [0, 0.5, 1, 0.5, 0],
    ),
    ("max of equals", np.max, [5.0, 1.0, 5.0, 5.0], [1 / 3, 0.0, 1 / 3, 1 / 3]),
    ("min of equals", np.min, [5.0, 1.0, 1.0], [0.0, 0.5, 0.5]),
    ("maximum.reduce", np.maximum.reduce, [2.0, 2.0], [0.5, 0.5]),
    ("ptp of equals", np.ptp, [2.0, 2.0], [0.0, 0.0]),
    ("sort of equals", lambda x: np.sort(x) * [1.0, 2.0, 3.0], [5.0, 1.0, 5.0], [2.0, 1.0, 3.0]),
    ("median of equals", np.median, [2.0, 2.0, 2.0], [0.0, 1.0, 0.0]),
    ("cumprod with zeros", np.cumprod, [0.0, 2.0, 0.0], [3.0, 0.0, 0.0]),
    ("nancumsum of NaN", np.nancumsum, [1.0, np.nan, 2.0], [3.0, 0.0, 1.0]),
    ("nanquantile of NaN", lambda x: np.nanmedian(x), [1.0, np.nan, 2.0], [0.5, 0.0, 0.5]),
    ("where", lambda x: np.where(x > 0, x * x, 0.0), [-1.0, 0.0, 2.0], [0.0, 0.0, 4.0]),
    ("x ** 0 at 0", lambda x: x**0, [0.0, 2.0], [0.0, 0.0]),
    ("x ** 1 at 0", lambda x: np.power(x, 1.0), [0.0, 2.0], [1.0, 1.0]),
    ("x ** 2 at 0", lambda x: x**2, [0.0, 3.0], [0.0, 6.0]),
    ("x ** y at y = 0", lambda x: np.power(x, np.array([0.0, 0.0])), [0.0, 2.0], [0.0, 0.0]),
    ("0 ** y", lambda y: np.power(0.0, y), [1.0, 2.0], [0.0, 0.0]),
    ("1 ** y", lambda y: np.power(1.0, y), [1.0, 2.0], [0.0, 0.0]),
    ("sqrt at 0", np.sqrt, [0.0], [np.inf]),
    ("cbrt at 0", np.cbrt, [0.0], [np.inf]),
    ("prod with one zero", np.prod, [2.0, 0.0, 3.0], [0.0, 6.0, 0.0]),
    ("prod with two zeros", np.prod, [2.0, 0.0, 0.0], [0.0, 0.0, 0.0]),
    ("logaddexp at -inf", lambda x: np.logaddexp(x, -np.inf), [-np.inf, 1.0], [0.0, 1.0]),
    ("logaddexp far apart", lambda x: np.logaddexp(x, 0.0), [-800.0, 800.0], [0.0, 1.0]),
    ("log1p near 0", np.log1p, [1e-300], [1.0]),
    ("expm1 near 0", np.expm1, [1e-300], [1.0]),
    ("tanh far out", np.tanh, [800.0, -800.0], [0.0, 0.0]),
    ("arctan far out", np.arctan, [1e150], [1e-300]),
    ("arcsinh far out", np.arcsinh, [1e200], [1e-200]),
    ("hypot far out", lambda x: np.hypot(x, 1e200), [1e200], [np.sqrt(0.5)]),
    ("floor_divide", lambda x: x // 2.0, [3.0, 4.0], [0.0, 0.0]),
    ("remainder", lambda x: x % 2.0, [3.5], [1.0]),
    ("remainder of the divisor", lambda y: 7.5 % y, [2.0], [-3.0]),
    ("fmod of the divisor", lambda y: np.fmod(-7.5, y), [2.0], [3.0]),
    ("copysign", lambda x: np.copysign(x, -1.0), [2.0, -2.0], [-1.0, 1.0]),
    ("heaviside", lambda x: np.heaviside(x, 0.5), [0.0, 1.0], [0.0, 0.0]),
    ("heaviside of its middle", lambda y: np.heaviside(0.0, y), [0.5], [1.0]),
    ("modf", lambda x: np.modf(x)[0], [1.5, -1.5], [1.0, 1.0]),
    ("round", lambda x: np.round(x, 1), [0.33], [0.0]),
    ("rounding to int and back", lambda x: x.astype(np.int64).astype(np.float64), [1.5], [0.0]),
    (
        "interp at samples",
        lambda x: np.interp(x, [0.0, 1.0, 2.0], [0.0, 1.0, 3.0]),
        [-1.0, 0.0, 1.0, 2.0, 3.0],
        [0.0, 1.0, 2.0, 0.0, 0.0],
    ),
    ("frexp at powers of 2", lambda x: np.frexp(x)[0], [1.0, 4.0], [0.5, 0.125]),
    ("maximum.accumulate of equals", np.maximum.accumulate, [2.0, 2.0], [1.5, 0.5]),
    ("hypot.reduce with zeros", np.hypot.reduce, [0.0, 3.0, 4.0], [0.0, 0.6, 0.8]),
    ("multiply.accumulate with a zero", np.multiply.accumulate, [2.0, 0.0, 3.0], [1.0, 8.0, 0.0]),
    ("maximum.at at a tie", lambda x: _raised(x), [1.0, 5.0, 2.0], [1.0, 0.5, 1.0]),
    ("sinc at 0", np.sinc, [0.0], [0.0]),
    ("select", lambda x: np.select([x > 1, x > 0], [x, x * x]), [0.0, 1.0, 2.0], [0.0, 2.0, 1.0]),
    ("choose", lambda x: np.choose([1, 0], [x, 3 * x]), [1.0, 2.0], [3.0, 1.0]),
    ("nan_to_num", np.nan_to_num, [np.nan, 1.0, np.inf], [0.0, 1.0, 0.0]),
    ("repeated writes", lambda x: _written_twice(x), [1.0, 2.0, 3.0], [0.0, 0.0, 1.0]),
    ("repeated reads", lambda x: x[[0, 0, 2]], [1.0, 2.0, 3.0], [2.0, 0.0, 1.0]),
]


def _written_twice(x: Any) -> Any:
    y = np.zeros_like(x)
    y[[1, 1, 1]] = x
    return y


def _raised(x: Any) -> Any:
    y = x.copy()
    np.maximum.at(y, [1, 1], [5.0, -9.0])
    return y


@pytest.mark.parametrize(
    ("function", "point", "expected"), [kink[1:] for kink in KINKS], ids=[kink[0] for kink in KINKS]
)
def test_subgradient(
    function: Callable[[Any], Any], point: list[float], expected: list[float]
) -> None:
    x = np.array(point)
    with np.errstate(all="ignore"):
        reverse = bital.grad(lambda x: np.sum(function(x)))(x)
        compiled = bital.jit(bital.grad(lambda x: np.sum(function(x))))(x)
        _, forward = bital.jvp(lambda x: np.sum(function(x)), (x,), (np.ones_like(x),))
    np.testing.assert_allclose(reverse, expected, rtol=1e-12)
    np.testing.assert_allclose(compiled, expected, rtol=1e-12)
    np.testing.assert_allclose(forward, np.sum(expected), rtol=1e-12)


def test_max_shares_along_each_axis() -> None:
    x = np.array([[1.0, 7.0, 7.0], [2.0, 2.0, 2.0]])
    slope = bital.grad(lambda x: np.sum(np.max(x, axis=1, keepdims=True) * [[2.0], [3.0]]))(x)
    np.testing.assert_allclose(slope, [[0, 1, 1], [1, 1, 1]])


def test_second_derivative_at_a_tie_is_zero() -> None:
    assert bital.grad(bital.grad(lambda x: np.maximum(x, 1.0)))(1.0) == 0.0
    assert bital.grad(bital.grad(lambda x: np.maximum(x, x * x)))(1.0) == 1.0
