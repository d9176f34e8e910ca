"""Elementwise primitives as formulas over scalars, with NumPy's corner values."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from bital.executors.loops import mathematics
from bital.executors.loops.form import BOOL, Body, DType, Value, as_value, constant
from bital.primitives import REGISTRY

Formula = Callable[..., Value]
FORMULAS: dict[str, Formula] = {}

_F32, _U64 = np.dtype(np.float32), np.dtype(np.uint64)


class NotLowered(Exception):
    """A Program holds something that this form has no words for; the message says what."""


def formula(*names: str) -> Callable[[Formula], Formula]:
    def register(function: Formula) -> Formula:
        for name in names:
            FORMULAS[name] = function
        return function

    return register


def evaluate(name: str, out: DType, operands: list[Value]) -> Value:
    """One element of an elementwise primitive; `operands` have the dtypes of its ufunc's loop."""
    moves = name in ("where", "stop_gradient")  # which may be of anything
    if not moves and not all(
        value.dtype.kind in "biuf" and value.dtype.itemsize <= 8 for value in operands
    ):
        raise NotLowered(f"{name} of {', '.join(str(value.dtype) for value in operands)}")
    if operands[0].dtype == np.float16 and name in _IN_SINGLE:
        wide = [value.convert(_F32) for value in operands]
        return evaluate(name, _F32, wide).convert(out)
    if name == "convert":
        return _convert(operands[0], out)
    result = FORMULAS[name](*operands)
    assert result.dtype == out, (name, result.dtype, out)
    return result


def _is_float(x: Value) -> bool:
    return bool(x.dtype.kind == "f")


def unsigned(dtype: DType) -> DType:
    return np.dtype(f"u{dtype.itemsize}")


def signed(dtype: DType) -> DType:
    return np.dtype(f"i{dtype.itemsize}")


# --- arithmetic -----------------------------------------------------------------------------


@formula("add")
def _add(x: Value, y: Value) -> Value:
    return x | y if x.dtype == BOOL else x + y


@formula("mul")
def _mul(x: Value, y: Value) -> Value:
    return x & y if x.dtype == BOOL else x * y


FORMULAS |= {
    "sub": lambda x, y: x - y,
    "neg": lambda x: -x,
    "div": lambda x, y: x / y,
    "where": lambda condition, x, y: condition.where(x, y),
    "stop_gradient": lambda x: x,
    "eq": lambda x, y: x.equals(y),
    "ne": lambda x, y: x.differs(y),
    "lt": lambda x, y: x < y,
    "le": lambda x, y: x <= y,
    "gt": lambda x, y: x > y,
    "ge": lambda x, y: x >= y,
    "bit_and": lambda x, y: x & y,
    "bit_or": lambda x, y: x | y,
    "bit_xor": lambda x, y: x ^ y,
    "bit_not": lambda x: ~x,
}


def _nonzero(y: Value) -> Value:
    """A divisor that an integer division survives."""
    return y.equals(0).where(1, y)


def _truncated(x: Value, y: Value) -> tuple[Value, Value]:
    """Quotient and remainder towards zero; the quotient of the least number by -1 wraps."""
    divisor = _nonzero(y)
    if x.dtype.kind == "i":
        minus = y.equals(-1)
        divisor = minus.where(1, divisor)
        quotient = x.op("div", divisor)
        return minus.where(-x, quotient), minus.where(0, x.op("rem", divisor))
    return x.op("div", divisor), x.op("rem", divisor)


@formula("floor_divide")
def _floor_divide(x: Value, y: Value) -> Value:
    if not _is_float(x):
        if x.dtype == BOOL:
            raise NotLowered("floor_divide of bool")
        quotient, rest = _truncated(x, y)
        if x.dtype.kind == "i":
            uneven = rest.differs(0) & ((rest ^ y) < 0)
            quotient = uneven.where(quotient - 1, quotient)
        return y.equals(0).where(0, quotient)
    rest = x.op("rem", y)
    exact = (x - rest) / y
    uneven = rest.differs(0) & (y < 0).op("xor", rest < 0)
    exact = uneven.where(exact - 1.0, exact)
    whole = exact.op("floor")
    whole = ((exact - whole) > 0.5).where(whole + 1.0, whole)
    zero = constant(0.0, x.dtype).op("copysign", x / y)
    return y.equals(0).where(x / y, exact.differs(0).where(whole, zero))


@formula("remainder")
def _remainder(x: Value, y: Value) -> Value:
    if not _is_float(x):
        _, rest = _truncated(x, y)
        if x.dtype.kind == "i":
            uneven = rest.differs(0) & ((rest ^ y) < 0)
            rest = uneven.where(rest + y, rest)
        return y.equals(0).where(0, rest)
    rest = x.op("rem", y)
    shifted = (y < 0).op("xor", rest < 0).where(rest + y, rest)
    zero = constant(0.0, x.dtype).op("copysign", y)
    return y.equals(0).where(rest, rest.differs(0).where(shifted, zero))


@formula("fmod")
def _fmod(x: Value, y: Value) -> Value:
    if _is_float(x):
        return x.op("rem", y)
    return y.equals(0).where(0, _truncated(x, y)[1])


# NumPy's own short cuts for an exponent that is one number.
_POWERS: dict[float | None, Formula] = {
    0.5: lambda x: x.op("sqrt"),
    1.0: lambda x: x,
    2.0: lambda x: x * x,
    -1.0: lambda x: 1.0 / x,
}


@formula("power")
def _power(x: Value, y: Value) -> Value:
    if _is_float(x):
        known = None if y.constant is None else float(y.constant)
        if known in _POWERS:
            return _POWERS[known](x)
        return mathematics.FUNCTIONS["power"](x, y)
    exponent = None if y.constant is None else int(y.constant)
    if exponent is None or exponent < 0:
        raise NotLowered("power of integers with an exponent that is not a constant")
    result = as_value(1, x.dtype)
    square = x
    while exponent:
        if exponent & 1:
            result = square * result
        exponent >>= 1
        square = square * square if exponent else square
    return result


@formula("abs")
def _abs(x: Value) -> Value:
    if _is_float(x):
        return x.op("abs")
    return (x < 0).where(-x, x) if x.dtype.kind == "i" else x


@formula("sign")
def _sign(x: Value) -> Value:
    if x.dtype.kind != "f":
        below = (x < 0).where(-1, as_value(0, x.dtype)) if x.dtype.kind == "i" else 0
        return (x > 0).where(as_value(1, x.dtype), below)
    one, zero = as_value(1.0, x.dtype), as_value(0.0, x.dtype)
    return (x > 0).where(one, (x < 0).where(-1.0, x.equals(0).where(zero, x)))


@formula("maximum")
def maximum(x: Value, y: Value) -> Value:
    if x.dtype == BOOL:
        return x | y
    # 0.0 and -0.0 are equal: of them the second, as vector instructions have it.
    wins = x >= y if x.dtype == np.float16 else x > y
    return (wins | x.differs(x)).where(x, y) if _is_float(x) else wins.where(x, y)


@formula("minimum")
def minimum(x: Value, y: Value) -> Value:
    if x.dtype == BOOL:
        return x & y
    wins = x <= y if x.dtype == np.float16 else x < y
    return (wins | x.differs(x)).where(x, y) if _is_float(x) else wins.where(x, y)


# --- bits and integers ----------------------------------------------------------------------


def _shift(name: str) -> Formula:
    def shifted(x: Value, y: Value) -> Value:
        bits = 8 * x.dtype.itemsize
        amount = y.bits(unsigned(y.dtype))  # a negative amount is too large, as in NumPy
        fits = amount < bits
        small = fits.where(amount, 0).bits(y.dtype)
        beyond = as_value(0, x.dtype)
        if name == "shr" and x.dtype.kind == "i":
            beyond = x.op("shr", bits - 1)
        return fits.where(x.op(name, small), beyond)

    return shifted


FORMULAS["left_shift"] = _shift("shl")
FORMULAS["right_shift"] = _shift("shr")


@formula("gcd")
def _gcd(x: Value, y: Value) -> Value:
    body = x.body or y.body
    assert body is not None
    a, b = body.carry(_abs(x).bits(unsigned(x.dtype))), body.carry(_abs(y).bits(unsigned(y.dtype)))
    with body.loop(12 * x.dtype.itemsize, carries=(a, b)):  # Lame: 1.45 turns a bit are enough
        a.next = b.inner.equals(0).where(a.inner, b.inner)
        b.next = b.inner.equals(0).where(b.inner, a.inner.op("rem", _nonzero(b.inner)))
    return a.result.bits(x.dtype)


@formula("lcm")
def _lcm(x: Value, y: Value) -> Value:
    x, y = _abs(x), _abs(y)
    divisor = _gcd(x, y)
    return _truncated(x, divisor)[0] * y


# --- rounding and classes -------------------------------------------------------------------


def _rounding(name: str) -> Formula:
    return lambda x: x.op(name) if _is_float(x) else x


FORMULAS |= {name: _rounding(name) for name in ("floor", "ceil", "trunc", "rint")}


@formula("copysign")
def _copysign(x: Value, y: Value) -> Value:
    return x.op("copysign", y)


@formula("isnan")
def isnan(x: Value) -> Value:
    return x.differs(x)


@formula("isinf")
def _isinf(x: Value) -> Value:
    return _abs(x).equals(math.inf) if _is_float(x) else x.differs(x)


@formula("isfinite")
def _isfinite(x: Value) -> Value:
    return _abs(x) < math.inf if _is_float(x) else x.equals(x)


@formula("signbit")
def _signbit(x: Value) -> Value:
    return x.bits(signed(x.dtype)) < 0 if _is_float(x) else x < 0


@formula("spacing")
def _spacing(x: Value) -> Value:
    if x.dtype == np.float16:
        raise NotLowered("spacing of float16, which NumPy measures in its own way")
    size = x.op("abs")
    gap = (size.bits(signed(x.dtype)) + 1).bits(x.dtype) - size
    return (x < 0).where(-gap, gap)


@formula("nextafter")
def _nextafter(x: Value, y: Value) -> Value:
    if x.dtype == np.float16:
        raise NotLowered("nextafter of float16")
    whole = signed(x.dtype)
    outwards = (y > x).equals(x > 0)
    bits = x.bits(whole)
    moved = outwards.where(bits + 1, bits - 1).bits(x.dtype)
    smallest = as_value(1, whole).op("bitcast", dtype=x.dtype).op("copysign", y)
    found = x.equals(y).where(y, x.equals(0).where(smallest, moved))
    return (isnan(x) | isnan(y)).where(x + y, found)


# --- transcendental functions ---------------------------------------------------------------

_LIBRARY = {  # the C library's names
    "arcsin": "asin",
    "arccos": "acos",
    "arctan": "atan",
    "arctan2": "atan2",
    "arcsinh": "asinh",
    "arccosh": "acosh",
    "arctanh": "atanh",
    "power": "pow",
}
_TRANSCENDENTAL = (
    *("exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "cbrt", "hypot"),
    *("sin", "cos", "tan", "arcsin", "arccos", "arctan", "arctan2", "sinh", "cosh", "tanh"),
    *("arcsinh", "arccosh", "arctanh"),
)


def _library(name: str) -> Formula:
    return lambda *operands: operands[0].op(f"call:{_LIBRARY.get(name, name)}", *operands[1:])


for _name in _TRANSCENDENTAL:
    FORMULAS[_name] = mathematics.FUNCTIONS.get(_name) or _library(_name)
FORMULAS["sqrt"] = lambda x: x.op("sqrt")
FORMULAS["erf"] = mathematics.FUNCTIONS["erf"]


def _log_of_sum(exponential: str, logarithm: Formula, at_equals: float) -> Formula:
    def combined(x: Value, y: Value) -> Value:
        gap = x - y
        larger = (gap > 0).where(x, y)
        sum = larger + logarithm(FORMULAS[exponential](-gap.op("abs")))
        same = x.equals(y)  # also for equal infinities, whose difference is NaN
        return same.where(x + at_equals, isnan(gap).where(gap, sum))

    return combined


FORMULAS["logaddexp"] = _log_of_sum("exp", FORMULAS["log1p"], math.log(2.0))
FORMULAS["logaddexp2"] = _log_of_sum(
    "exp2", lambda x: FORMULAS["log1p"](x) * (1 / math.log(2.0)), 1.0
)

_IN_SINGLE = {*_TRANSCENDENTAL, "power", "sqrt", "logaddexp", "logaddexp2", "floor_divide"}
_IN_SINGLE |= {"remainder", "fmod"}  # float16 is computed as float32 and rounded once


# --- conversion -----------------------------------------------------------------------------


def _convert(x: Value, dtype: DType) -> Value:
    if dtype.kind not in "biuf" or dtype.itemsize > 8:
        raise NotLowered(f"conversion to {dtype}")
    if dtype == np.float16 and x.dtype.kind in "iu":
        return x.convert(_F32).convert(dtype)  # what float32 rounds is infinite in float16
    if dtype == np.float16 and x.dtype == np.float64:
        return _odd_single(x).convert(dtype)
    return x.convert(dtype)


def _odd_single(x: Value) -> Value:
    """float64 as float32 rounded to odd, so that rounding it again to float16 is right.

    (Boldo and Melquiond, IEEE Transactions on Computers 57(4), 2008.)
    """
    near = x.convert(_F32)
    bits = near.bits(np.dtype(np.int32))
    back = near.convert(x.dtype)
    bits = (back.op("abs") > x.op("abs")).where(bits - 1, bits)  # towards zero
    return (back.differs(x) & back.equals(back)).where(bits | 1, bits).bits(_F32)


def neutral(name: str, dtype: DType) -> Any:
    """The number that a reduction starts from."""
    if name == "reduce_sum":
        return 0
    if name == "reduce_prod":
        return 1
    sign = 1 if name == "reduce_min" else -1
    if dtype.kind == "f":
        return sign * math.inf
    if dtype == BOOL:
        return name == "reduce_min"
    limits = np.iinfo(dtype)
    return limits.max if sign == 1 else limits.min


JOINS: dict[str, Formula] = {
    "reduce_sum": _add,
    "reduce_prod": _mul,
    "reduce_max": maximum,
    "reduce_min": minimum,
}

_BROADCASTING = frozenset(
    name for name, primitive in REGISTRY.items() if isinstance(primitive.reference, np.ufunc)
)
ELEMENTWISE = (_BROADCASTING & FORMULAS.keys()) | {"where", "convert", "stop_gradient", "erf"}
__all__ = ["ELEMENTWISE", "FORMULAS", "JOINS", "Body", "NotLowered", "evaluate", "neutral"]
