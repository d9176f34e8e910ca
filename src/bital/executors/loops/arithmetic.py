"""What the formulas of the transcendental functions share.

Fused products, polynomials, the bits of an exponent, and numbers held in two words. Everything
is branch-free, so that a printer can compute one element or many side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from bital.executors.loops.form import DType, Value, as_value, constant

PI = Fraction("3.14159265358979323846264338327950288419716939937510582097494459230781640628620899")
LN2 = Fraction("0.69314718055994530941723212145817656807550013436025525412068000949339362196969472")
LOG10_2 = Fraction(
    "0.30102999566398119521373889472449302676818988146210854131042746112710818927442451"
)
LOG2_E = 1 / LN2
LOG10_E = LOG10_2 / LN2

INFINITY, NAN = float("inf"), float("nan")
Coefficients = dict[int, tuple[float, ...]]  # by the bytes of a float, lowest power first


class Format(NamedTuple):
    """Numbers that describe a float's bits."""

    integer: DType  # of the same width
    mantissa: int  # bits of the fraction
    bias: int  # of the exponent
    one: int  # 1.0 as bits
    shifter: float  # 1.5 * 2**mantissa: adding it rounds to an integer, which is in the low bits
    tiny: float  # the smallest normal number


def format_of(dtype: DType) -> Format:
    mantissa, bias = {4: (23, 127), 8: (52, 1023)}[dtype.itemsize]
    return Format(
        np.dtype(f"i{dtype.itemsize}"),
        mantissa,
        bias,
        bias << mantissa,
        1.5 * 2.0**mantissa,
        2.0 ** (1 - bias),
    )


def parts(number: Fraction, dtype: DType, count: int = 2) -> list[float]:
    """A number as a sum of floats, each of them the rest rounded to the nearest."""
    words: list[float] = []
    for _ in range(count):
        words.append(float(dtype.type(float(number))))
        number -= Fraction(words[-1])
    return words


def fma(a: Value | float, b: Value | float, c: Value | float) -> Value:
    """``a * b + c``, rounded once."""
    first = next(v for v in (a, b, c) if isinstance(v, Value))
    return as_value(a, first.dtype).op("fma", b, c)


def horner(x: Value, coefficients: Sequence[float]) -> Value:
    """``sum(c * x**k)``, from the highest power down."""
    result: Value | float = coefficients[-1]
    for c in reversed(coefficients[:-1]):
        result = fma(result, x, c)
    return as_value(result, x.dtype)


def polynomial(x: Value, coefficients: Sequence[float]) -> Value:
    """As `horner`; a long one as two in ``x * x``, which can be computed at the same time."""
    if len(coefficients) <= 6:
        return horner(x, coefficients)
    square = x * x
    odd = horner(square, coefficients[1::2])
    return fma(odd, x, horner(square, coefficients[::2]))


def at_most(x: Value, limit: float) -> Value:
    """The smaller one; NaN stays."""
    return (x > limit).where(limit, x)


def at_least(x: Value, limit: float) -> Value:
    return (x < limit).where(limit, x)


def either(condition: Value, yes: Value | float, no: Value | float, dtype: DType) -> Value:
    """``condition.where`` for two that may both be plain numbers."""
    return condition.where(as_value(yes, dtype), as_value(no, dtype))


def sign_bit(x: Value) -> Value:
    """An integer with no other bit."""
    form = format_of(x.dtype)
    return x.bits(form.integer) & (1 << 8 * x.dtype.itemsize - 1)


def with_sign_of(x: Value, sign: Value) -> Value:
    return x.op("copysign", sign)


def flip_sign(x: Value, sign: Value) -> Value:
    """`x`, negated where the integer `sign` has the highest bit set; its other bits are 0."""
    return (x.bits(sign.dtype) ^ sign).bits(x.dtype)


# --- exponents ------------------------------------------------------------------------------


def nearest(x: Value, factor: float = 1.0) -> tuple[Value, Value]:
    """``rint(x * factor)``: as a float, and as an integer in the low bits of another.

    For results below ``2**(mantissa - 1)``, in rounding to nearest.
    """
    form = format_of(x.dtype)
    shifted = x + form.shifter if factor == 1.0 else fma(x, factor, form.shifter)
    return shifted - form.shifter, shifted.bits(form.integer)


def power_of_two(number: Value, dtype: DType) -> Value:
    """``2**n`` for a normal result; the bits of `number` above the exponent's width are ignored."""
    form = format_of(dtype)
    return ((number << form.mantissa) + form.one).bits(dtype)


def scaled(x: Value, number: Value) -> Value:
    """``x * 2**n`` in two factors, so that results may be infinite or subnormal."""
    form = format_of(x.dtype)
    half = (number >> 1) << form.mantissa
    other = (number << form.mantissa) - half
    return x * (half + form.one).bits(x.dtype) * (other + form.one).bits(x.dtype)


def split_exponent(x: Value, subnormal: bool = True) -> tuple[Value, Value, Value]:
    """``m`` and ``e`` with ``x == m * 2**e``, ``m`` from sqrt(1/2) to sqrt(2); for positive `x`.

    The third is the field of the exponent, in its place: ``(e + bias) << mantissa``.
    """
    form = format_of(x.dtype)
    least = int(np.asarray(0.5**0.5, x.dtype).view(form.integer))
    high = 2.0**form.mantissa  # above it floats are integers: their low bits hold one
    bias: Value | float = high + form.bias
    if subnormal:
        small, up = x < form.tiny, form.mantissa + 1
        x, bias = (
            small.where(x * 2.0**up, x),
            either(small, high + form.bias + up, high + form.bias, x.dtype),
        )
    fraction = (1 << form.mantissa) - 1
    shifted = x.bits(form.integer) + (form.one - least)
    m = ((shifted & fraction) + least).bits(x.dtype)
    field = shifted & ~fraction
    high_bits = int(np.asarray(high, x.dtype).view(form.integer))
    exponent = (field.bits(np.dtype(f"u{x.dtype.itemsize}")) >> form.mantissa).bits(form.integer)
    return m, (exponent | high_bits).bits(x.dtype) - bias, field


# --- numbers in two words --------------------------------------------------------------------


class Pair(NamedTuple):
    """The unevaluated sum of two floats, the second below the last bit of the first."""

    high: Value
    low: Value


def exact_sum(a: Value, b: Value) -> Pair:
    """``a + b`` without error, where ``abs(a) >= abs(b)`` or ``a == 0`` (Dekker 1971)."""
    total = a + b
    return Pair(total, b - (total - a))


def exact_product(a: Value, b: Value | float) -> Pair:
    product = a * b
    return Pair(product, fma(a, b, -product))


def pair_product(a: Pair, b: Pair) -> Pair:
    high, error = exact_product(a.high, b.high)
    return Pair(high, fma(a.high, b.low, fma(a.low, b.high, error)))


def pair_constant(number: Fraction, dtype: DType) -> Pair:
    high, low = parts(number, dtype)
    return Pair(constant(high, dtype), constant(low, dtype))
