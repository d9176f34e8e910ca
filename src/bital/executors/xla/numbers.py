"""Elementwise primitives where XLA's corner values are not NumPy's, as formulas of JAX."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp

Rule = Callable[..., Any]
_NUMPYS_POWERS: dict[float, Rule] = {  # short cuts for an exponent that is one number
    0.5: lax.sqrt,
    1.0: lambda x: x,
    2.0: lax.square,
    -1.0: lambda x: 1 / x,
}


def each(function: Rule, of_bools: Rule | None = None, in_single: bool = False) -> Rule:
    """A rule of operands that broadcast.

    Parameters
    ----------
    function : callable
        Takes arrays of one shape.
    of_bools : callable, optional
        What is taken instead where operands are bool.
    in_single : bool
        Whether float16 is computed as float32, and rounded once.
    """

    def rule(*operands: Any) -> Any:
        arrays = jnp.broadcast_arrays(*operands)
        dtype = arrays[0].dtype
        if of_bools is not None and dtype == np.bool_:
            return of_bools(*arrays)
        if in_single and dtype == np.float16:
            return function(*(a.astype(np.float32) for a in arrays)).astype(dtype)
        return function(*arrays)

    return rule


def is_real(x: Any) -> bool:
    return bool(x.dtype.kind == "f")


def add(x: Any, y: Any) -> Any:
    """XLA takes x + 0.0 for x, where -0.0 is to become 0.0."""
    if isinstance(y, np.floating) and y == 0 and not np.signbit(y):
        x = jnp.asarray(x)
        return jnp.where(x == 0, lax.abs(x), x)
    return each(lax.add, lax.bitwise_or)(x, y)


# --- division -------------------------------------------------------------------------------


def _is_uneven(rest: Any, y: Any) -> Any:
    """Whether a remainder towards zero is not 0 and has the other sign than the divisor."""
    return (rest != 0) & ((rest < 0) != (y < 0))


def floor_divide(x: Any, y: Any) -> Any:
    rest = lax.rem(x, y)
    uneven = _is_uneven(rest, y)
    if not is_real(x):
        quotient = lax.div(x, y)
        return jnp.where(y == 0, 0, jnp.where(uneven, quotient - 1, quotient))
    exact = (x - rest) / y
    exact = jnp.where(uneven, exact - 1, exact)
    whole = lax.floor(exact)
    whole = jnp.where(exact - whole > 0.5, whole + 1, whole)
    zero = jnp.copysign(jnp.zeros_like(x), x / y)
    return jnp.where(y == 0, x / y, jnp.where(exact != 0, whole, zero))


def remainder(x: Any, y: Any) -> Any:
    rest = lax.rem(x, y)
    moved = jnp.where(_is_uneven(rest, y), rest + y, rest)
    if not is_real(x):
        return jnp.where(y == 0, 0, moved)
    zero = jnp.copysign(jnp.zeros_like(x), y)
    return jnp.where(y == 0, rest, jnp.where(rest != 0, moved, zero))


def fmod(x: Any, y: Any) -> Any:
    return lax.rem(x, y) if is_real(x) else jnp.where(y == 0, 0, lax.rem(x, y))


def power(x: Any, y: Any) -> Any:
    """Of real numbers."""
    short = _NUMPYS_POWERS.get(float(y)) if isinstance(y, np.generic) else None
    return short(jnp.asarray(x)) if short else each(lax.pow, in_single=True)(x, y)


def integer_power(x: Any, y: Any) -> Any:
    """By squares, for exponents that are not negative; too large a result wraps."""
    if isinstance(y, np.generic):
        return lax.integer_pow(jnp.asarray(x), max(int(y), 0))

    def turn(state: Any) -> Any:
        product, square, rest = state
        product = jnp.where(rest & 1 == 1, product * square, product)
        return product, square * square, lax.shift_right_logical(rest, jnp.ones_like(rest))

    x, y = jnp.broadcast_arrays(x, y)
    start = jnp.ones_like(x), x, y
    return lax.while_loop(lambda state: jnp.any(state[2] != 0), turn, start)[0]


def divide(x: Any, y: Any) -> Any:
    """XLA multiplies with the reciprocal of a divisor that is one number, a row or a column.

    Then 49 / 49 is not 1. A barrier hides from it what the divisor is, which costs nothing on a
    CPU; on other devices it would write the divisor out, and a quotient is one unit off.
    """
    if jax.default_backend() == "cpu" and is_real(x):
        y = lax.optimization_barrier(y)
    return lax.div(x, y)


def divide_complex(x: Any, y: Any) -> Any:
    """By the larger part of the divisor, as NumPy divides (R. Smith, CACM 5, 1962)."""
    a, b, c, d = lax.real(x), lax.imag(x), lax.real(y), lax.imag(y)
    wide = lax.abs(c) >= lax.abs(d)
    zero = wide & (c == 0) & (d == 0)
    large, small = jnp.where(wide, c, d), jnp.where(wide, d, c)
    ratio = small / large
    scale = 1 / (large + small * ratio)
    real = jnp.where(wide, a + b * ratio, a * ratio + b) * scale
    imag = jnp.where(wide, b - a * ratio, b * ratio - a) * scale
    size = lax.abs(c)
    return lax.complex(jnp.where(zero, a / size, real), jnp.where(zero, b / size, imag))


# --- signs and sizes ------------------------------------------------------------------------


def absolute(x: Any) -> Any:
    return x if x.dtype.kind in "bu" else lax.abs(x)


def sign(x: Any) -> Any:
    one, zero = jnp.ones_like(x), jnp.zeros_like(x)
    rest = zero if not is_real(x) else jnp.where(x == 0, zero, x)
    below = rest if x.dtype.kind == "u" else jnp.where(x < 0, -one, rest)
    return jnp.where(x > 0, one, below)


def copysign(x: Any, y: Any) -> Any:
    return jnp.copysign(x, y)


def extremum(wins: Rule, of_bools: Rule) -> Rule:
    """Of equal numbers, as 0.0 and -0.0, the second; NaN before all others."""

    def rule(x: Any, y: Any) -> Any:
        return jnp.where(wins(x, y) | (x != x), x, y)

    return each(rule, of_bools)


def signbit(x: Any) -> Any:
    return jnp.signbit(x) if is_real(x) else x < 0


def of_floats(function: Rule, of_others: bool) -> Rule:
    """A test that integers pass always or never."""
    return each(lambda x: function(x) if x.dtype.kind in "fc" else jnp.full(x.shape, of_others))


def rounded(function: Rule) -> Rule:
    return each(lambda x: function(x) if is_real(x) else x)


# --- exponentials and logarithms ------------------------------------------------------------


def log1p(x: Any) -> Any:
    """XLA's loses two digits in float64. (W. Kahan's correction of the rounding of 1 + x.)"""
    if x.dtype != np.float64:
        return lax.log1p(x)
    whole = lax.optimization_barrier(1 + x)  # or XLA takes 1 + x - 1 for x
    exact = (whole == 1) | (x == math.inf)
    return jnp.where(exact, x, lax.log(whole) * (x / (whole - 1)))


def log_of_sum(exponential: Rule, logarithm: Rule, at_equals: float) -> Rule:
    def rule(x: Any, y: Any) -> Any:
        gap = x - y
        total = jnp.where(gap > 0, x, y) + logarithm(exponential(-lax.abs(gap)))
        total = jnp.where(gap != gap, gap, total)
        return jnp.where(x == y, x + np.array(at_equals, x.dtype), total)

    return each(rule, in_single=True)


def hypot(x: Any, y: Any) -> Any:
    """Scaled by a power of two, so that nothing overflows; infinite beside a NaN too."""
    x, y = lax.abs(x), lax.abs(y)
    large, small = jnp.where(x > y, x, y), jnp.where(x > y, y, x)
    scale = jnp.where((large > 0) & (large < math.inf), lax.exp2(lax.floor(jnp.log2(large))), 1)
    large, small = large / scale, small / scale
    found = lax.sqrt(large * large + small * small) * scale
    return jnp.where((x == math.inf) | (y == math.inf), math.inf, found)


def arctanh(x: Any) -> Any:
    return jnp.copysign(0.5 * log1p(2 * lax.abs(x) / (1 - lax.abs(x))), x)


# --- bits -----------------------------------------------------------------------------------


def _unsigned(x: Any) -> Any:
    return lax.bitcast_convert_type(x, np.dtype(f"u{x.dtype.itemsize}"))


def shift(function: Rule, arithmetic: bool) -> Rule:
    """An amount beyond the width, or a negative one, leaves nothing but the sign."""

    def rule(x: Any, y: Any) -> Any:
        bits = 8 * x.dtype.itemsize
        fits = _unsigned(y) < bits
        beyond = jnp.where(x < 0, -1, 0) if arithmetic and x.dtype.kind == "i" else 0
        return jnp.where(fits, function(x, jnp.where(fits, y, 0)), beyond).astype(x.dtype)

    return each(rule)


def right_shift(x: Any, y: Any) -> Any:
    signed = x.dtype.kind == "i"
    return (lax.shift_right_arithmetic if signed else lax.shift_right_logical)(x, y)


def gcd(x: Any, y: Any) -> Any:
    """Euclid's, without signs: the least integer has no opposite."""

    def turn(pair: Any) -> Any:
        a, b = pair
        rest = lax.rem(a, jnp.where(b == 0, 1, b))
        return jnp.where(b == 0, a, b), jnp.where(b == 0, 0, rest)

    pair = _unsigned(absolute(x)), _unsigned(absolute(y))
    found, _ = lax.while_loop(lambda pair: jnp.any(pair[1] != 0), turn, pair)
    return lax.bitcast_convert_type(found, x.dtype)


def lcm(x: Any, y: Any) -> Any:
    x, y = absolute(x), absolute(y)
    divisor = gcd(x, y)
    return jnp.where(divisor == 0, 0, lax.div(x, jnp.where(divisor == 0, 1, divisor)) * y)


def bitwise_count(x: Any) -> Any:
    return lax.population_count(absolute(x)).astype(np.uint8)


def spacing(x: Any) -> Any:
    """To the next number further from 0; in NumPy's float16 to the next larger number."""
    if x.dtype == np.float16:
        gap = jnp.nextafter(x, jnp.full_like(x, math.inf)) - x
        return jnp.where(jnp.isinf(x), math.nan, gap)
    whole = np.dtype(f"i{x.dtype.itemsize}")
    size = lax.abs(x)
    next_up = lax.bitcast_convert_type(lax.bitcast_convert_type(size, whole) + 1, x.dtype)
    gap = jnp.where(jnp.isinf(x), math.nan, next_up - size)
    return jnp.where(x < 0, -gap, gap)


def ldexp(x: Any, n: Any) -> Any:
    """In three steps, none of which overflows, or is subnormal, before the last one."""
    info = jnp.finfo(x.dtype)
    n = jnp.clip(n.astype(np.int32), 3 * info.minexp, 3 * info.maxexp)
    for _ in range(2):
        step = jnp.clip(n, info.minexp, info.maxexp - 1)
        x, n = x * _power_of_two(step, x.dtype), n - step
    return x * _power_of_two(jnp.clip(n, info.minexp, info.maxexp - 1), x.dtype)


def _power_of_two(n: Any, dtype: Any) -> Any:
    info = jnp.finfo(dtype)
    whole = np.dtype(f"i{dtype.itemsize}")
    return lax.bitcast_convert_type((n + (info.maxexp - 1)).astype(whole) << info.nmant, dtype)


def exponent(x: Any) -> Any:
    finite = jnp.isfinite(x)
    return jnp.where(finite, jnp.frexp(jnp.where(finite, x, 0))[1], 0).astype(np.int32)


# --- conversion -----------------------------------------------------------------------------


def convert(x: Any, dtype: np.dtype[Any]) -> Any:
    """As a processor of NumPy's converts: what does not fit is the least integer, not the nearest.

    Narrower integers than 32 bits keep the last bits of that.
    """
    x = jnp.asarray(x)
    if dtype.kind == "b":
        return x != 0
    if x.dtype == np.bool_:  # XLA takes a bool as a number times x for a choice: 0 * inf would be 0
        x = x.astype(np.int8)
    if x.dtype.kind != "f" or dtype.kind not in "iu":
        if dtype == np.float16 and x.dtype.kind in "iu":
            x = x.astype(np.float32)
        return x.astype(dtype)
    if dtype == np.uint64:
        high = x >= 2.0**63
        low = _to_signed(jnp.where(high, x - x.dtype.type(2.0**63), x), np.dtype(np.int64))
        return lax.bitcast_convert_type(low, dtype) ^ (high.astype(dtype) << 63)
    wide = np.dtype(np.int64 if dtype.itemsize == 8 or dtype == np.uint32 else np.int32)
    return _to_signed(x, wide).astype(dtype)


def _to_signed(x: Any, dtype: np.dtype[Any]) -> Any:
    x = x.astype(np.float64) if dtype.itemsize == 4 or x.dtype == np.float16 else x
    limit = 2.0 ** (8 * dtype.itemsize - 1)
    fits = (x < limit) & (x > -limit - (dtype.itemsize == 4))
    return jnp.where(fits, jnp.where(fits, x, 0).astype(dtype), np.iinfo(dtype).min)
