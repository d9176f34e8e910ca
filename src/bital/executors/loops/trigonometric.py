"""Sine, cosine, tangent and their inverses, as branch-free formulas.

The argument loses its multiple of pi in three fused steps (Cody and Waite, *Software Manual for
the Elementary Functions*, 1980). The first of them is exact: both terms are multiples of the last
bit of the first part of pi, and so is their small difference. Beyond the range of this reduction
the C library computes the lanes that need it. ``tools/minimax.py`` computes the coefficients.
"""

from __future__ import annotations

from bital.executors.loops.arithmetic import (
    PI,
    Coefficients,
    either,
    flip_sign,
    fma,
    horner,
    nearest,
    parts,
    polynomial,
    sign_bit,
    with_sign_of,
)
from bital.executors.loops.form import Value

# Up to where the reduction keeps the remainder's last bits; beyond it the library is asked.
_LIMIT = {4: 2.0**18, 8: 2.0**32}

# (sin(r) / r - 1) / r**2 and (cos(r) - 1) / r**2 in r**2 for abs(r) <= pi / 4
_SIN: Coefficients = {
    4: (-0.16666655242443085, 0.008332189172506332, -0.00019518278713803738),
    8: (
        -0.1666666666666663,
        0.008333333333321842,
        -0.00019841269829361398,
        2.7557313540094916e-06,
        -2.5050734800059255e-08,
        1.589547110210137e-10,
    ),
}
_COS: Coefficients = {
    4: (-0.5, 0.04166664555668831, -0.0013887309469282627, 2.443236553517636e-05),
    8: (
        -0.5,
        0.041666666666666595,
        -0.0013888888888873333,
        2.4801587288993084e-05,
        -2.7557314213691974e-07,
        2.0875704862383254e-09,
        -1.1358718292348037e-11,
    ),
}
# tan(r) / r is the quotient of 1 + r**2 * (first) and 1 + r**2 * (second) for abs(r) <= pi / 4
_TAN_ABOVE: Coefficients = {
    4: (-0.11135523497630946, 0.0010747242653768136),
    8: (-0.13338302133195082, 0.0034248297168262636, -1.786073268729816e-05),
}
_TAN_BELOW: Coefficients = {
    4: (-0.444688567118371, 0.015970895914954264),
    8: (-0.46671635466528416, 0.02566361460525438, -0.0003118056139889815, 4.98147526005664e-07),
}
# (arctan(t) / t - 1) / t**2 in t**2 for abs(t) <= 1
_ARCTAN: Coefficients = {
    4: (
        -0.33333298563957214,
        0.1999852955341339,
        -0.1426403969526291,
        0.10951152443885803,
        -0.08400397002696991,
        0.05790222808718681,
        -0.031117355450987816,
        0.010878324508666992,
        -0.001784501364454627,
    ),
    8: (
        -0.3333333333333307,
        0.19999999999951748,
        -0.14285714282587972,
        0.1111111100733717,
        -0.09090907007680112,
        0.0769227988732762,
        -0.06666404411293102,
        0.05880529756585242,
        -0.05253526690099846,
        0.0472234861576376,
        -0.04219245792954952,
        0.03664323539229874,
        -0.029905909798233734,
        0.021987321832108876,
        -0.013902842756442187,
        0.007198095783585657,
        -0.002885731755421464,
        0.0008316100636974933,
        -0.00015222459643565093,
        1.3231742125742521e-05,
    ),
}
# (arcsin(t) / t - 1) / t**2 in t**2 for abs(t) <= 1 / 2
_ARCSIN: Coefficients = {
    4: (
        0.16666752099990845,
        0.07495306432247162,
        0.045469772070646286,
        0.024180829524993896,
        0.04216616600751877,
    ),
    8: (
        0.1666666666666676,
        0.07499999999970812,
        0.04464285717464419,
        0.030381942704783945,
        0.022372215102984528,
        0.017351609498574852,
        0.013980855156615561,
        0.011398597142901791,
        0.010782180794214802,
        0.003698556777140888,
        0.021727866856586595,
        -0.02102975228608087,
        0.032648907384213874,
    ),
}


def _reduced(x: Value) -> tuple[Value, Value]:
    """``r`` and the integer ``n`` with ``x == n * (pi / 2) + r`` and ``abs(r) <= pi / 4``."""
    whole, number = nearest(x, float(2 / PI))
    for part in parts(PI / 2, x.dtype, 3):
        x = fma(whole, -part, x)
    return x, number


def _sine(r: Value, quadrant: Value) -> Value:
    """``sin(quadrant * (pi / 2) + r)``."""
    z = r * r
    sine = fma(r * z, polynomial(z, _SIN[r.dtype.itemsize]), r)
    cosine = fma(z, polynomial(z, _COS[r.dtype.itemsize]), 1.0)
    result = (quadrant & 1).differs(0).where(cosine, sine)
    return flip_sign(result, quadrant >> 1 << 8 * r.dtype.itemsize - 1)


def _for_large(name: str, x: Value, result: Value) -> Value:
    large = x.op("abs") > _LIMIT[x.dtype.itemsize]
    return large.op(f"rare:{name}", result, x, dtype=x.dtype)


def sin(x: Value) -> Value:
    result = _sine(*_reduced(x))
    return _for_large("sin", x, x.equals(0.0).where(x, result))


def cos(x: Value) -> Value:
    r, number = _reduced(x)
    return _for_large("cos", x, _sine(r, number + 1))


def tan(x: Value) -> Value:
    """The quotient of two polynomials, or its negative reciprocal."""
    r, number = _reduced(x)
    z = r * r
    above = fma(r * z, polynomial(z, _TAN_ABOVE[x.dtype.itemsize]), r)
    below = fma(z, polynomial(z, _TAN_BELOW[x.dtype.itemsize]), 1.0)
    odd = (number & 1).differs(0)
    result = odd.where(-below, above) / odd.where(above, below)
    return _for_large("tan", x, x.equals(0.0).where(x, result))


# --- inverse functions ----------------------------------------------------------------------


def _arctan(t: Value, low: Value | float, high: Value) -> Value:
    """``high + low + arctan(t)`` for ``abs(t) <= 1``.

    The signs of the coefficients alternate: halves of the polynomial would cancel each other.
    """
    z = t * t
    return high + (fma(t * z, horner(z, _ARCTAN[t.dtype.itemsize]), low) + t)


def arctan(x: Value) -> Value:
    """Of `x`, or above 1 of ``-1 / x``."""
    dtype, size = x.dtype, x.op("abs")
    high, low = parts(PI / 2, dtype)
    large = size > 1.0
    t = large.where(-1.0, size) / large.where(size, 1.0)
    result = _arctan(t, either(large, low, 0.0, dtype), either(large, high, 0.0, dtype))
    return with_sign_of(result, x)


def arctan2(y: Value, x: Value) -> Value:
    """The smaller of the two over the larger, then put into its octant."""
    dtype, across, up = x.dtype, x.op("abs"), y.op("abs")
    steep, backward = up > across, sign_bit(x).differs(0)
    least, most = steep.where(across, up), steep.where(up, across)
    ratio = least.equals(most).where(either(most.equals(0.0), 0.0, 1.0, dtype), least / most)
    t = (steep ^ backward).where(-ratio, ratio)
    offsets = [
        steep.where(half, either(backward, whole, 0.0, dtype))
        for half, whole in zip(parts(PI / 2, dtype), parts(PI, dtype), strict=True)
    ]
    return with_sign_of(_arctan(t, offsets[1], offsets[0]), y)


def _arcsin_size(x: Value) -> tuple[Value, Value]:
    """Whether ``abs(x) > 1 / 2``; there ``arccos(abs(x)) / 2``, else ``arcsin(abs(x))``."""
    size = x.op("abs")
    large = size > 0.5
    z = large.where(fma(size, -0.5, 0.5), size * size)
    t = large.where(z.op("sqrt"), size)
    return large, fma(t * z, polynomial(z, _ARCSIN[x.dtype.itemsize]), t)


def arcsin(x: Value) -> Value:
    high, low = parts(PI / 2, x.dtype)
    large, angle = _arcsin_size(x)
    return with_sign_of(large.where(high - fma(angle, 2.0, -low), angle), x)


def arccos(x: Value) -> Value:
    high, low = parts(PI / 2, x.dtype)
    large, angle = _arcsin_size(x)
    flat = high - (with_sign_of(angle, x) - low)
    steep = (x < 0.0).where(2 * high - fma(angle, 2.0, -2 * low), angle * 2.0)
    return large.where(steep, flat)
