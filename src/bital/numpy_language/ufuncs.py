"""NumPy's ufuncs: most are one primitive, some a composition that is exact."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from bital.numpy_language.complex import by_parts
from bital.numpy_language.dispatch import (
    OPERATORS,
    UFUNCS,
    cast,
    elementwise,
    implements,
    implements_ufunc,
    in_dtype_of,
    is_weak,
    kind_of,
    operand,
    resolve,
    result_dtype,
    trace_of,
)
from bital.numpy_language.tracer import Tracer, bind
from bital.primitives import Primitive
from bital.primitives import elementwise as p
from bital.primitives.complex import conj

_ONE_PRIMITIVE: dict[np.ufunc, Primitive] = {
    np.add: p.add,
    np.subtract: p.sub,
    np.multiply: p.mul,
    np.true_divide: p.div,
    np.floor_divide: p.floor_divide,
    np.remainder: p.remainder,
    np.fmod: p.fmod,
    np.power: p.power,
    np.negative: p.neg,
    np.absolute: p.abs,
    np.fabs: p.abs,
    np.sign: p.sign,
    np.copysign: p.copysign,
    np.maximum: p.maximum,
    np.minimum: p.minimum,
    np.exp: p.exp,
    np.exp2: p.exp2,
    np.expm1: p.expm1,
    np.log: p.log,
    np.log2: p.log2,
    np.log10: p.log10,
    np.log1p: p.log1p,
    np.logaddexp: p.logaddexp,
    np.logaddexp2: p.logaddexp2,
    np.sqrt: p.sqrt,
    np.cbrt: p.cbrt,
    np.hypot: p.hypot,
    np.sin: p.sin,
    np.cos: p.cos,
    np.tan: p.tan,
    np.arcsin: p.arcsin,
    np.arccos: p.arccos,
    np.arctan: p.arctan,
    np.arctan2: p.arctan2,
    np.sinh: p.sinh,
    np.cosh: p.cosh,
    np.tanh: p.tanh,
    np.arcsinh: p.arcsinh,
    np.arccosh: p.arccosh,
    np.arctanh: p.arctanh,
    np.floor: p.floor,
    np.ceil: p.ceil,
    np.trunc: p.trunc,
    np.rint: p.rint,
    np.nextafter: p.nextafter,
    np.spacing: p.spacing,
    np.ldexp: p.ldexp,
    np.bitwise_count: p.bitwise_count,
    np.isnan: p.isnan,
    np.isinf: p.isinf,
    np.isfinite: p.isfinite,
    np.signbit: p.signbit,
    np.bitwise_and: p.bit_and,
    np.bitwise_or: p.bit_or,
    np.bitwise_xor: p.bit_xor,
    np.invert: p.bit_not,
    np.left_shift: p.left_shift,
    np.right_shift: p.right_shift,
    np.gcd: p.gcd,
    np.lcm: p.lcm,
}
_COMPARISONS: dict[np.ufunc, Primitive] = {
    np.equal: p.eq,
    np.not_equal: p.ne,
    np.less: p.lt,
    np.less_equal: p.le,
    np.greater: p.gt,
    np.greater_equal: p.ge,
}


def _one_primitive(ufunc: np.ufunc, primitive: Primitive) -> Callable[..., Tracer]:
    def handler(*values: Any, dtype: Any = None) -> Tracer:
        return elementwise(ufunc, primitive, *values, dtype=dtype)

    return handler


for _ufunc, _primitive in _ONE_PRIMITIVE.items():
    UFUNCS[_ufunc] = _one_primitive(_ufunc, _primitive)


def _comparison(ufunc: np.ufunc, primitive: Primitive) -> Callable[..., Tracer]:
    def handler(x: Any, y: Any, dtype: Any = None) -> Tracer:
        try:
            return elementwise(ufunc, primitive, x, y)
        except OverflowError:  # a Python int beyond the array's dtype still compares
            wide = [cast(trace_of(v), np.float64) for v in (x, y)]
            return elementwise(ufunc, primitive, *wide)

    return handler


for _ufunc, _primitive in _COMPARISONS.items():
    UFUNCS[_ufunc] = _comparison(_ufunc, _primitive)


def in_loop_of(ufunc: np.ufunc, x: Any) -> Tracer:
    """The operand in the dtype that a unary ufunc computes in."""
    value = operand(x)
    return trace_of(cast(value, resolve(ufunc, kind_of(value))[0]))


@implements_ufunc(np.positive)
def positive(x: Any) -> Tracer:
    copied: Tracer = in_loop_of(np.positive, x).copy()
    return copied


@implements_ufunc(np.conjugate)
def conjugate(x: Any) -> Tracer:
    x = in_loop_of(np.conjugate, x)
    result: Tracer = bind(conj, x) if x.dtype.kind == "c" else x.copy()
    return result


@implements_ufunc(np.square)
def square(x: Any) -> Tracer:
    x = in_loop_of(np.square, x)
    return elementwise(np.multiply, p.mul, x, x)


@implements_ufunc(np.reciprocal)
def reciprocal(x: Any) -> Tracer:
    x = in_loop_of(np.reciprocal, x)
    if x.dtype.kind in "fc":
        return elementwise(np.true_divide, p.div, 1, x)
    rest = elementwise(np.fmod, p.fmod, 1, x)  # 1 // -3 is -1, and 1 / -3 rounds to 0
    return elementwise(np.floor_divide, p.floor_divide, 1 - rest, x)


@implements_ufunc(np.float_power)
def float_power(x: Any, y: Any) -> Tracer:
    return elementwise(np.float_power, p.power, x, y)


@implements_ufunc(np.divmod)
def divmod_(x: Any, y: Any) -> tuple[Tracer, Tracer]:
    return (
        elementwise(np.floor_divide, p.floor_divide, x, y),
        elementwise(np.remainder, p.remainder, x, y),
    )


@implements_ufunc(np.modf)
def modf(x: Any) -> tuple[Tracer, Tracer]:
    """Parts keep x's sign; the fraction of an infinity is zero."""
    x = in_loop_of(np.modf, x)
    whole = elementwise(np.trunc, p.trunc, x)
    fraction = np.where(np.isinf(x), 0.0, x - whole)
    return elementwise(np.copysign, p.copysign, fraction, x), whole


@implements_ufunc(np.frexp)
def frexp(x: Any) -> tuple[Tracer, Tracer]:
    """x = fraction * 2**exponent; the derivative is that for the exponent at hand."""
    x = in_loop_of(np.frexp, x)
    exponent: Tracer = bind(p.exponent, x)
    return elementwise(np.ldexp, p.ldexp, x, -exponent), exponent


@implements_ufunc(np.degrees)
@implements_ufunc(np.rad2deg)
def degrees(x: Any) -> Tracer:
    return elementwise(np.multiply, p.mul, in_loop_of(np.degrees, x), 180.0 / math.pi)


@implements_ufunc(np.radians)
@implements_ufunc(np.deg2rad)
def radians(x: Any) -> Tracer:
    return elementwise(np.multiply, p.mul, in_loop_of(np.radians, x), math.pi / 180.0)


@implements_ufunc(np.heaviside)
def heaviside(x: Any, y: Any) -> Tracer:
    dtype = resolve(np.heaviside, kind_of(operand(x)), kind_of(operand(y)))[0]
    x, y = (trace_of(cast(operand(v), dtype)) for v in (x, y))
    step = np.where(x > 0, 1.0, np.where(x == 0, y, 0.0))
    result: Tracer = where(np.isnan(x), x, step)
    return result


def _first_unless_nan(extremum: np.ufunc) -> Callable[[Any, Any], Tracer]:
    def handler(x: Any, y: Any) -> Tracer:
        dtype = result_dtype(operand(x), operand(y))
        x, y = (trace_of(cast(operand(v), dtype)) for v in (x, y))
        if dtype.kind not in "fc":
            result: Tracer = UFUNCS[extremum](x, y)
            return result
        best = UFUNCS[extremum](x, y)
        chosen: Tracer = np.where(np.isnan(x), y, np.where(np.isnan(y), x, best))
        return chosen

    return handler


UFUNCS[np.fmax] = _first_unless_nan(np.maximum)
UFUNCS[np.fmin] = _first_unless_nan(np.minimum)

# --- logic ----------------------------------------------------------------------------------


def as_bool(x: Any) -> Tracer:
    x = trace_of(x)
    return x if x.dtype == np.bool_ else elementwise(np.not_equal, p.ne, x, 0)


def _logical(primitive: Primitive) -> Callable[[Any, Any], Tracer]:
    return lambda x, y: bind(primitive, as_bool(x), as_bool(y))


UFUNCS[np.logical_and] = _logical(p.bit_and)
UFUNCS[np.logical_or] = _logical(p.bit_or)
UFUNCS[np.logical_xor] = _logical(p.bit_xor)


@implements_ufunc(np.logical_not)
def logical_not(x: Any) -> Tracer:
    result: Tracer = bind(p.bit_not, as_bool(x))
    return result


# --- choices --------------------------------------------------------------------------------


@implements(np.where)
def where(condition: Any, *branches: Any) -> Any:
    if not branches:
        return np.nonzero(condition)
    x, y = map(operand, branches)
    dtype = result_dtype(x, y)
    return bind(p.select, as_bool(condition), cast(x, dtype), cast(y, dtype))


@implements(np.clip)
def clip(
    a: Any,
    a_min: Any = None,
    a_max: Any = None,
    out: Any = None,
    *,
    min: Any = None,
    max: Any = None,
) -> Any:
    """``minimum(maximum(a, a_min), a_max)``: where a equals a bound, half its gradient passes."""
    low, high = (a_min if min is None else min), (a_max if max is None else max)
    result: Any = trace_of(a)
    if result.dtype.kind in "iu":  # a Python int beyond the dtype is no bound
        limits = np.iinfo(result.dtype)
        low = None if type(low) is int and low <= limits.min else low
        high = None if type(high) is int and high >= limits.max else high
    if low is None and high is None:
        result = positive(result)
    if low is not None:
        result = np.maximum(result, low)
    if high is not None:
        result = np.minimum(result, high)
    return store(out, result, "clip")


def store(out: Any, result: Tracer, name: str) -> Any:
    """``out=`` of a function that is not a ufunc."""
    if out is None:
        return result
    from bital.numpy_language.dispatch import write_out

    return write_out(np.positive, (out,), in_dtype_of(out, result, name))


@implements(np.round, np.around)
def round_(a: Any, decimals: int = 0, out: Any = None) -> Any:
    x = trace_of(a)
    if x.dtype.kind in "iu" and decimals >= 0:
        return store(out, x.copy(), "round")
    if x.dtype.kind == "c":
        return store(out, by_parts(lambda part: round_(part, decimals), x), "round")
    if decimals == 0:
        return store(out, elementwise(np.rint, p.rint, x), "round")
    if x.dtype == np.bool_:
        raise TypeError("np.round of bools takes no decimals")
    factor = 10.0 ** abs(decimals)
    scaled = np.rint(x * factor) / factor if decimals > 0 else np.rint(x / factor) * factor
    return store(out, cast(scaled, x.dtype), "round")


@implements(np.nan_to_num)
def nan_to_num(
    x: Any, copy: bool = True, nan: float = 0.0, posinf: Any = None, neginf: Any = None
) -> Any:
    x = trace_of(x)
    if x.dtype.kind == "c":
        return by_parts(lambda part: nan_to_num(part, copy, nan, posinf, neginf), x)
    if x.dtype.kind != "f":
        return x.copy()
    limits = np.finfo(x.dtype)
    high = limits.max if posinf is None else posinf
    low = limits.min if neginf is None else neginf
    finite = np.where(x == np.inf, high, np.where(x == -np.inf, low, x))
    return np.where(np.isnan(x), nan, finite)


def power_operator(x: Any, y: Any) -> Any:
    """``x ** y`` with NumPy's short cuts for the exponents -1, 0.5, 1 and 2."""
    x = operand(x)
    if type(y) in (int, float) and isinstance(x, Tracer) and not is_weak(x):
        inexact = x.dtype.kind in "fc"
        if y == 2 and (inexact or type(y) is int):
            return square(x)
        if y == 1 and inexact:
            return x.copy()
        if inexact and y == -1:
            return reciprocal(x)
        if inexact and y == 0.5:
            return elementwise(np.sqrt, p.sqrt, x)
    if type(y) is int and y < 0 and isinstance(x, Tracer) and x.dtype.kind in "iu":
        raise ValueError(
            f"integers to negative integer powers are not allowed: {x!r} ** {y}; "
            "write x.astype(np.float64) first"
        )
    return elementwise(np.power, p.power, x, y)


OPERATORS[np.power] = power_operator
