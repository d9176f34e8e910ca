"""Exponentials, logarithms, powers and hyperbolic functions, as branch-free formulas.

The arguments are reduced after Cody and Waite (*Software Manual for the Elementary Functions*,
1980), the logarithm is the series in ``f / (2 + f)`` (Muller, *Elementary Functions*, 3rd ed.,
2016). ``tools/minimax.py`` computes the coefficients, docs/native_accuracy.md lists the errors.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from bital.executors.loops.arithmetic import (
    INFINITY,
    LN2,
    LOG2_E,
    LOG10_2,
    LOG10_E,
    NAN,
    Coefficients,
    Pair,
    at_least,
    at_most,
    either,
    exact_product,
    exact_sum,
    fma,
    format_of,
    nearest,
    pair_constant,
    pair_product,
    parts,
    polynomial,
    power_of_two,
    scaled,
    sign_bit,
    split_exponent,
    with_sign_of,
)
from bital.executors.loops.form import DType, Value, as_value

FLOAT64: DType = np.dtype(np.float64)

# (exp(r) - 1 - r) / r**2 for abs(r) <= log(2) / 2
_EXP: Coefficients = {
    4: (0.5, 0.1666654497385025, 0.041666388511657715, 0.008366391994059086, 0.0013941904762759805),
    8: (
        0.5,
        0.16666666666666677,
        0.04166666666666668,
        0.008333333333321367,
        0.0013888888888866234,
        0.0001984126988695387,
        2.480158738469212e-05,
        2.755724321005183e-06,
        2.755720478015928e-07,
        2.5109441787458213e-08,
        2.0940905041625928e-09,
    ),
}
# (2**r - 1) / r for abs(r) <= 1 / 2
_EXP2: Coefficients = {
    4: (
        0.6931471824645996,
        0.24022650718688965,
        0.05550359562039375,
        0.009618062525987625,
        0.0013390983222052455,
        0.0001546295388834551,
    ),
    8: (
        0.6931471805599453,
        0.2402265069591012,
        0.055504108664822596,
        0.009618129107597698,
        0.0013333558146258525,
        0.000154035304534736,
        1.5252733946279222e-05,
        1.3215436810360846e-06,
        1.0178022185618382e-07,
        7.073555463320721e-09,
        4.460248019584908e-10,
    ),
}
# (sinh(r) / r - 1) / r**2 and (cosh(r) - 1) / r**2 in r**2 for abs(r) <= log(2) / 2
_SINH: Coefficients = {
    4: (0.1666666716337204, 0.00833317544311285, 0.00019974098540842533),
    8: (
        0.16666666666666677,
        0.008333333333321386,
        0.0001984126988675657,
        2.755724358437101e-06,
        2.5109249320077578e-08,
    ),
}
_COSH: Coefficients = {
    4: (0.5, 0.041666459292173386, 0.0013935428578406572),
    8: (
        0.5,
        0.041666666666666685,
        0.0013888888888873283,
        2.480158734920199e-05,
        2.7557251819940606e-07,
        2.0921769795943733e-09,
    ),
}
# (log((1 + s) / (1 - s)) / s - 2) / s**2 in s**2, for (1 + s) / (1 - s) from sqrt(1/2) to sqrt(2)
_LOG: Coefficients = {
    4: (0.6666677594184875, 0.39977580308914185, 0.2987091839313507),
    8: (
        0.6666666666666734,
        0.39999999999416397,
        0.2857142874211642,
        0.22222198593681566,
        0.18183563526198807,
        0.15314065928062756,
        0.14795836804753404,
    ),
}


# --- exponentials ---------------------------------------------------------------------------


def _reduced(x: Value) -> tuple[Value, Value]:
    """``r`` and the integer ``n`` with ``x == n * log(2) + r`` and ``abs(r) <= log(2) / 2``."""
    high, low = parts(LN2, x.dtype)
    whole, number = nearest(x, float(LOG2_E))
    return fma(whole, -low, fma(whole, -high, x)), number


def _expm1(r: Value) -> Value:
    return fma(r * r, polynomial(r, _EXP[r.dtype.itemsize]), r)


def exp(x: Value) -> Value:
    form = format_of(x.dtype)
    highest = (form.bias + 2) * float(LN2)
    lowest = -(form.bias + form.mantissa + 1) * float(LN2)
    r, number = _reduced(at_least(at_most(x, highest), lowest))
    q = polynomial(r, _EXP[x.dtype.itemsize])
    return scaled(fma(fma(q, r, 1.0), r, 1.0), number)


def exp2_unit(r: Value) -> Value:
    """``2**r`` for ``abs(r) <= 1 / 2``."""
    return fma(polynomial(r, _EXP2[r.dtype.itemsize]), r, 1.0)


def exp2(x: Value) -> Value:
    form = format_of(x.dtype)
    x = at_least(at_most(x, form.bias + 1.0), -(form.bias + form.mantissa + 1.0))
    whole, number = nearest(x)
    return scaled(exp2_unit(x - whole), number)


def expm1(x: Value) -> Value:
    form = format_of(x.dtype)
    highest, lowest = (form.bias + 1.4) * float(LN2), -(form.mantissa + 3) * float(LN2)
    r, number = _reduced(at_least(at_most(x, highest), lowest))
    half = power_of_two(number - 1, x.dtype)  # half of it is finite wherever the result is
    result = fma(_expm1(r), half, half - 0.5) * 2.0
    return _or_itself(x, result)


def _or_itself(x: Value, result: Value) -> Value:
    """`x` where the function's next term is below its last bit: keeps -0.0 and subnormals."""
    return (x.op("abs") < 2.0 ** -(format_of(x.dtype).mantissa + 2)).where(x, result)


# --- hyperbolic functions -------------------------------------------------------------------


def tanh(x: Value) -> Value:
    """``t / (t + 2)`` with ``t = expm1(2 * abs(x))``."""
    form = format_of(x.dtype)
    r, number = _reduced(at_most(x.op("abs") * 2.0, (form.mantissa + 3) * float(LN2)))
    power = power_of_two(number, x.dtype)
    t = fma(power, _expm1(r), power - 1.0)
    return with_sign_of(t / (t + 2.0), x)


def _hyperbolic(size: Value) -> tuple[Value, Value, Value, Value]:
    """Half the factors of ``cosh(r) - 1`` and ``sinh(r)`` in ``cosh(size)``, and these two."""
    form = format_of(size.dtype)
    r, number = _reduced(at_most(size, (form.bias + 2.4) * float(LN2)))
    number = number & (1 << form.mantissa - 2) - 1
    up = power_of_two(number - 2, size.dtype)
    small = ((form.bias - 2 - number) << form.mantissa).bits(size.dtype)
    down = either(number > form.bias - 3, 0.0, small, size.dtype)
    z = r * r
    coshm1 = z * polynomial(z, _COSH[size.dtype.itemsize])
    sinh = fma(r * z, polynomial(z, _SINH[size.dtype.itemsize]), r)
    return up + down, up - down, coshm1, sinh


def sinh(x: Value) -> Value:
    """From ``sinh(n * log(2) + r)``, without a division."""
    plus, minus, coshm1, sinh = _hyperbolic(x.op("abs"))
    result = (minus + fma(minus, coshm1, plus * sinh)) * 2.0
    return _or_itself(x, with_sign_of(result, x))


def cosh(x: Value) -> Value:
    plus, minus, coshm1, sinh = _hyperbolic(x.op("abs"))
    return (plus + fma(plus, coshm1, minus * sinh)) * 2.0


def arcsinh(x: Value) -> Value:
    """``log1p(a + a**2 / (1 + sqrt(1 + a**2)))`` with ``a = abs(x)``."""
    a = x.op("abs")
    large = a > 2.0 ** (format_of(x.dtype).mantissa + 3)
    square = a * a
    usual = a + square / ((square + 1.0).op("sqrt") + 1.0)
    return with_sign_of(_log1p_or_log_of_twice(usual, a, large), x)


def arccosh(x: Value) -> Value:
    """``log1p(t + sqrt(2 * t + t**2))`` with ``t = x - 1``."""
    t = x - 1.0
    large = x > 2.0 ** (format_of(x.dtype).mantissa + 3)
    usual = t + fma(t, t, t + t).op("sqrt")
    return (x < 1.0).where(NAN, _log1p_or_log_of_twice(usual, x, large))


def _log1p_or_log_of_twice(usual: Value, x: Value, large: Value) -> Value:
    result = log1p(large.where(x, usual))
    return large.where(result + float(LN2), result)


def arctanh(x: Value) -> Value:
    a = x.op("abs")
    return with_sign_of(log1p((a + a) / (1.0 - a)) * 0.5, x)


# --- logarithms -----------------------------------------------------------------------------


def _log_series(f: Value) -> Value:
    """``log(1 + f) - f`` for ``1 + f`` from sqrt(1/2) to sqrt(2)."""
    s = f / (f + 2.0)
    z = s * s
    half = f * f * 0.5
    return fma(s, fma(z, polynomial(z, _LOG[f.dtype.itemsize]), half), -half)


def _log_special(x: Value, result: Value) -> Value:
    """At zero, infinity, below zero and at NaN."""
    below = either(x.equals(0.0), -INFINITY, NAN, x.dtype)
    return (x > 0.0).where((x < INFINITY).where(result, x), below)


def log(x: Value) -> Value:
    m, e, _ = split_exponent(x)
    high, low = parts(LN2, x.dtype)
    f = m - 1.0
    return _log_special(x, fma(e, high, f + fma(e, low, _log_series(f))))


def log2(x: Value) -> Value:
    m, e, _ = split_exponent(x)
    return _log_special(x, e + _log_in_base(m - 1.0, LOG2_E))


def log10(x: Value) -> Value:
    m, e, _ = split_exponent(x)
    high, low = parts(LOG10_2, x.dtype)
    return _log_special(x, fma(e, high, fma(e, low, _log_in_base(m - 1.0, LOG10_E))))


def _log_in_base(f: Value, factor: Fraction) -> Value:
    """``log(1 + f) * factor``."""
    high, low = parts(factor, f.dtype)
    return fma(f, high, fma(_log_series(f), high, f * low))


def log1p(x: Value) -> Value:
    """As `log`, where ``(1 + x) * 2**-e - 1`` is computed with one rounding."""
    form = format_of(x.dtype)
    _, e, field = split_exponent(x + 1.0, subnormal=False)
    four = ((2 * form.bias + 2 << form.mantissa) - field).bits(x.dtype)  # 4 * 2**-e
    f = fma(x * 0.25, four, fma(four, 0.25, -1.0))
    high, low = parts(LN2, x.dtype)
    result = fma(e, high, f + fma(e, low, _log_series(f)))
    below = either(x.equals(-1.0), -INFINITY, NAN, x.dtype)
    result = (x > -1.0).where((x < INFINITY).where(result, x), below)
    return _or_itself(x, result)


# --- powers ---------------------------------------------------------------------------------

# log2((1 + s) / (1 - s)) / s in s**2, and (2**r - 1) / r: for powers in float32
_LOG2_SHORT = (
    2.88539008177785,
    0.9617966941134795,
    0.57707794231515,
    0.4122092582919015,
    0.31990542504477926,
    0.2829043854272072,
)
_EXP2_SHORT = (
    0.693147180541615,
    0.24022651075878934,
    0.055504109624454324,
    0.009618036904714461,
    0.0013333430948134497,
    0.0001546711196859169,
    1.531492538864429e-05,
)
# (atanh(s) / s - 1 - s**2 / 3) / s**4 in s**2
_LOG_LONG = (
    0.1999999999999999,
    0.14285714285721923,
    0.1111111110889385,
    0.09090909422143516,
    0.07692279203461327,
    0.06668132680811108,
    0.05837881436759497,
    0.05990951726586374,
)


def power(x: Value, y: Value) -> Value:
    """``2 ** (y * log2(abs(x)))``, with the special cases of C99, Annex F."""
    size = x.op("abs")
    wide = _power32(size, y) if x.dtype.itemsize == 4 else _power64(size, y)
    whole = y.op("trunc").equals(y)
    half = y * 0.5
    odd = whole & half.op("trunc").differs(half)
    sign = sign_bit(x)
    result = either(size.equals(1.0), 1.0, wide, x.dtype)
    negated = (result.bits(sign.dtype) ^ sign).bits(x.dtype)
    result = odd.where(negated, result)
    result = ((x < 0.0) & (size < INFINITY) & ~whole).where(NAN, result)
    return (x.equals(1.0) | y.equals(0.0)).where(1.0, result)


def _power32(size: Value, y: Value) -> Value:
    """``size ** y`` in float64 arithmetic, whose errors float32 does not see."""
    size64 = size.convert(FLOAT64)
    m, e, _ = split_exponent(size64, subnormal=False)
    s = (m - 1.0) / (m + 1.0)
    logarithm = _log_of_size(size64, fma(s, polynomial(s * s, _LOG2_SHORT), e))
    product = at_least(at_most(y.convert(FLOAT64) * logarithm, 200.0), -200.0)
    whole, number = nearest(product)
    unit = fma(polynomial(product - whole, _EXP2_SHORT), product - whole, 1.0)
    return (unit * power_of_two(number, FLOAT64)).convert(size.dtype)


def _log_of_size(size: Value, logarithm: Value) -> Value:
    zero = size.equals(0.0).where(-INFINITY, logarithm)
    return (size < INFINITY).where(zero, size)


def _power64(size: Value, y: Value) -> Value:
    """``size ** y``, with the logarithm and the product in two words (Dekker 1971)."""
    logarithm = _log2_pair(size)
    high = y * _log_of_size(size, logarithm.high)
    low = fma(y, logarithm.low, fma(y, logarithm.high, -high))
    limited = at_least(at_most(high, 1100.0), -1100.0)
    whole, number = nearest(limited)
    low = limited.equals(high).where(low, 0.0)
    r, low = exact_sum(limited - whole, low)
    factor = _EXP2[8][0]
    linear = exact_product(r, factor)
    total = exact_sum(as_value(1.0, r.dtype), linear.high)
    rest = fma(r * r, polynomial(r, _EXP2[8][1:]), fma(low, factor, linear.low))
    return scaled(total.high + (total.low + rest), number)


def _log2_pair(x: Value) -> Pair:
    """``log2(x)`` for positive finite `x`, to about ``2**-66`` of it."""
    m, e, _ = split_exponent(x)
    f = m - 1.0
    sum = exact_sum(as_value(2.0, x.dtype), f)
    reciprocal = 1.0 / sum.high
    quotient = f * reciprocal
    rest = fma(-quotient, sum.low, fma(-quotient, sum.high, f))
    s = Pair(quotient, rest * reciprocal)
    z = pair_product(s, s)
    third = pair_constant(Fraction(1, 3), x.dtype)
    factor = exact_sum(third.high, fma(z.high, polynomial(z.high, _LOG_LONG), third.low))
    series = pair_product(s, pair_product(z, factor))
    total = exact_sum(s.high, series.high)
    atanh = Pair(total.high, total.low + (series.low + s.low))
    fraction = pair_product(atanh, pair_constant(2 * LOG2_E, x.dtype))
    total = exact_sum(e, fraction.high)
    return Pair(total.high, total.low + fraction.low)
