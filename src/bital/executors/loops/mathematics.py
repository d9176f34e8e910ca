"""The transcendental primitives as formulas over Values, which printers print for many lanes.

Every formula holds for float32 and float64, at every argument: at most 4 units in the last place,
subnormal numbers, signed zeros, infinities and NaN as NumPy has them (docs/native_accuracy.md).
"""

from __future__ import annotations

from collections.abc import Callable

from bital.executors.loops import exponential, trigonometric
from bital.executors.loops.arithmetic import (
    INFINITY,
    Coefficients,
    at_most,
    exact_product,
    fma,
    format_of,
    nearest,
    polynomial,
    power_of_two,
    split_exponent,
    with_sign_of,
)
from bital.executors.loops.exponential import exp2_unit
from bital.executors.loops.form import Value, as_value

# erf(x) / x - 1 in x**2 for abs(x) <= 0.9
_ERF: Coefficients = {
    4: (
        0.12837915122509003,
        -0.3761250376701355,
        0.11281921714544296,
        -0.026770494878292084,
        0.004998965188860893,
        -0.0006020846194587648,
    ),
    8: (
        0.1283791670955126,
        -0.3761263890318411,
        0.11283791670972038,
        -0.02686617064826008,
        0.005223977655074235,
        -0.0008548328652300032,
        0.00012055388232960933,
        -1.4926830332381146e-05,
        1.6477642256623843e-06,
        -1.6479780941591699e-07,
        1.5098776909195944e-08,
        -1.0826221359474573e-09,
    ),
}
# log2(1 - erf(x)) in x from 0.9 to where erf(x) rounds to 1
_ERFC: Coefficients = {
    4: (
        -0.0002402218378847465,
        -1.6270670890808105,
        -0.9189629554748535,
        -0.1502036303281784,
        0.03219372406601906,
        -0.004422485828399658,
        0.00028596195625141263,
    ),
    8: (
        -9.798052897242574e-08,
        -1.6279059874935609,
        -0.9184532664576756,
        -0.1482545573834919,
        0.027567139109293357,
        0.00034112614402425094,
        -0.002480809250590052,
        0.0008625754645031422,
        -2.144689165576542e-05,
        -0.00012533981198795233,
        7.545636318527041e-05,
        -2.7496496270558525e-05,
        7.259275238464989e-06,
        -1.4465708625397614e-06,
        2.1747070807850474e-07,
        -2.4032326230304706e-08,
        1.846647152727267e-09,
        -8.822260174003186e-11,
        1.9736796180656083e-12,
    ),
}
_ERF_END = {4: 3.93, 8: 5.93}
# x**(-1/3) for x from 2**(-3/2) to 2**(3/2), to 2**-8 of it
_INVERSE_CBRT = (
    2.0150911808013916,
    -2.3866021633148193,
    2.3059000968933105,
    -1.235471487045288,
    0.3345048725605011,
    -0.035685501992702484,
)


def erf(x: Value) -> Value:
    """Of small arguments a polynomial, of others ``1 - 2**p`` with a polynomial ``p``."""
    width = x.dtype.itemsize
    size = x.op("abs")
    small = fma(x, polynomial(x * x, _ERF[width]), x)
    exponent = polynomial(at_most(size, _ERF_END[width]), _ERFC[width])
    whole, number = nearest(exponent)
    large = fma(-exp2_unit(exponent - whole), power_of_two(number, x.dtype), 1.0)
    return (size > 0.9).where(with_sign_of(large, x), small)


def cbrt(x: Value) -> Value:
    """An inverse cube root by Halley's iteration, then one step of Newton's for the root."""
    size = x.op("abs")
    m, e, _ = split_exponent(size)
    third, number = nearest(e, 1.0 / 3.0)
    left = fma(third, -3.0, e)  # -1, 0 or 1
    m = m * fma(left, fma(left, 0.25, 0.75), 1.0)  # times 2**left
    y = polynomial(m, _INVERSE_CBRT)
    for _ in range(x.dtype.itemsize // 4):
        rest = fma(-m * y * y, y, 1.0)
        y = fma(y * rest, fma(rest, 2.0 / 9.0, 1.0 / 3.0), y)
    square = y * y
    root = m * square
    twice = exact_product(root, root)
    rest = fma(-root, twice.low, fma(-root, twice.high, m))
    root = fma(rest * square, 1.0 / 3.0, root) * power_of_two(number, x.dtype)
    return with_sign_of(((size > 0.0) & (size < INFINITY)).where(root, size), x)


def hypot(x: Value, y: Value) -> Value:
    """``sqrt(x**2 + y**2)``, scaled where the squares would leave the range."""
    form = format_of(x.dtype)
    half = form.bias // 2 + 1
    x, y = x.op("abs"), y.op("abs")
    largest = (x > y).where(x, y)
    factor = inverse = as_value(1.0, x.dtype)
    for condition, exponent in (
        (largest > 2.0 ** (half - 2), -(half + 4)),
        (largest < 2.0 ** -(half - 14), half + form.mantissa),
    ):
        factor = condition.where(2.0**exponent, factor)
        inverse = condition.where(2.0**-exponent, inverse)
    a, b = x * factor, y * factor
    result = fma(a, a, b * b).op("sqrt") * inverse
    return (x.equals(INFINITY) | y.equals(INFINITY)).where(INFINITY, result)


FUNCTIONS: dict[str, Callable[..., Value]] = {
    function.__name__: function
    for function in (
        cbrt,
        erf,
        hypot,
        exponential.arccosh,
        exponential.arcsinh,
        exponential.arctanh,
        exponential.cosh,
        exponential.exp,
        exponential.exp2,
        exponential.expm1,
        exponential.log,
        exponential.log10,
        exponential.log1p,
        exponential.log2,
        exponential.power,
        exponential.sinh,
        exponential.tanh,
        trigonometric.arccos,
        trigonometric.arcsin,
        trigonometric.arctan,
        trigonometric.arctan2,
        trigonometric.cos,
        trigonometric.sin,
        trigonometric.tan,
    )
}
