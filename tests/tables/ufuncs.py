"""Rows of NumPy's ufuncs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tables.row import FLOATS, INTEGERS, Operand, Row, indices, row

_UNARY_SHAPES = (((),), ((0,),), ((3, 0),), ((1,),), ((2, 1, 3),))
_BINARY_SHAPES = (
    ((), ()),
    ((), (3,)),
    ((2, 3), ()),
    ((3, 1), (4,)),
    ((1,), (2, 1, 3)),
    ((0,), (1,)),
    ((2, 0), (2, 1)),
)


def _unary(ufunc: np.ufunc, low: float, high: float, **options: Any) -> Row:
    operand = Operand((3, 4), low, high, options.pop("avoid", ()))
    options.setdefault("shapes", _UNARY_SHAPES)
    return row(ufunc.__name__, ufunc, operand, **options)


def _binary(ufunc: np.ufunc, x: Operand, y: Operand, **options: Any) -> Row:
    return row(ufunc.__name__, ufunc, x, y, shapes=_BINARY_SHAPES, **options)


_SMOOTH_UNARY = [
    _unary(np.negative, -2, 2),
    _unary(np.positive, -2, 2),
    _unary(np.conjugate, -2, 2),
    _unary(np.square, -2, 2),
    _unary(np.reciprocal, 0.4, 3),
    _unary(np.absolute, -2, 2, avoid=(0.0,)),
    _unary(np.fabs, -2, 2, avoid=(0.0,)),
    _unary(np.exp, -2, 2),
    _unary(np.exp2, -2, 2),
    _unary(np.expm1, -2, 2),
    _unary(np.log, 0.3, 3),
    _unary(np.log2, 0.3, 3),
    _unary(np.log10, 0.3, 3),
    _unary(np.log1p, -0.7, 3),
    _unary(np.sqrt, 0.3, 3),
    _unary(np.cbrt, 0.3, 3),
    _unary(np.sin, -3, 3),
    _unary(np.cos, -3, 3),
    _unary(np.tan, -1.2, 1.2),
    _unary(np.arcsin, -0.8, 0.8),
    _unary(np.arccos, -0.8, 0.8),
    _unary(np.arctan, -3, 3),
    _unary(np.sinh, -2, 2),
    _unary(np.cosh, -2, 2),
    _unary(np.tanh, -2, 2),
    _unary(np.arcsinh, -3, 3),
    _unary(np.arccosh, 1.3, 4),
    _unary(np.arctanh, -0.8, 0.8),
    _unary(np.degrees, -3, 3),
    _unary(np.rad2deg, -3, 3),
    _unary(np.radians, -90, 90),
    _unary(np.deg2rad, -90, 90),
]

# Steps: flat wherever they have a derivative.
_STEPS = [
    _unary(np.sign, -2, 2, avoid=(0.0,)),
    _unary(np.floor, -2, 2, avoid=(-2, -1, 0, 1, 2)),
    _unary(np.ceil, -2, 2, avoid=(-2, -1, 0, 1, 2)),
    _unary(np.trunc, -2, 2, avoid=(-2, -1, 0, 1, 2)),
    _unary(np.rint, -2, 2, avoid=(-1.5, -0.5, 0.5, 1.5)),
]

_WITHOUT_DERIVATIVE = [
    _unary(ufunc, -2, 2, differentiable=False)
    for ufunc in (
        np.isnan,
        np.isinf,
        np.isfinite,
        np.signbit,
        np.logical_not,
        np.invert,
        np.spacing,
    )
]

_ANY = Operand((3, 4))
_ROW_VECTOR = Operand((4,))


def _apart(x: Any, y: Any) -> Any:
    return x - y


def _off_multiples(x: Any, y: Any) -> Any:
    """0 where x / y is whole: there remainders jump."""
    return x / y - np.rint(x / y)


_SMOOTH_BINARY = [
    _binary(np.add, _ANY, _ROW_VECTOR),
    _binary(np.subtract, _ANY, _ROW_VECTOR),
    _binary(np.multiply, _ANY, _ROW_VECTOR),
    _binary(np.divide, _ANY, Operand((4,), 0.5, 2)),
    _binary(np.power, Operand((3, 4), 0.3, 2), _ROW_VECTOR),
    _binary(np.float_power, Operand((3, 4), 0.3, 2), _ROW_VECTOR),
    _binary(np.arctan2, _ANY, Operand((4,), 0.3, 2)),
    _binary(np.hypot, Operand((3, 4), 0.3, 2), _ROW_VECTOR),
    _binary(np.logaddexp, _ANY, _ROW_VECTOR),
    _binary(np.logaddexp2, _ANY, _ROW_VECTOR),
    _binary(np.maximum, _ANY, _ROW_VECTOR, kink=_apart),
    _binary(np.minimum, _ANY, _ROW_VECTOR, kink=_apart),
    _binary(np.fmax, _ANY, _ROW_VECTOR, kink=_apart),
    _binary(np.fmin, _ANY, _ROW_VECTOR, kink=_apart),
    _binary(np.copysign, Operand((3, 4), avoid=(0.0,)), Operand((4,), avoid=(0.0,))),
    _binary(np.heaviside, Operand((3, 4), avoid=(0.0,)), _ROW_VECTOR),
    _binary(np.remainder, _ANY, Operand((4,), 0.5, 2), kink=_off_multiples),
    _binary(np.fmod, _ANY, Operand((4,), 0.5, 2), kink=_off_multiples),
    _binary(np.floor_divide, _ANY, Operand((4,), 0.5, 2), kink=_off_multiples),
    _binary(np.divmod, _ANY, Operand((4,), 0.5, 2), kink=_off_multiples),
]

_BINARY_WITHOUT_DERIVATIVE = [
    _binary(ufunc, _ANY, _ROW_VECTOR, differentiable=False)
    for ufunc in (
        np.equal,
        np.not_equal,
        np.less,
        np.less_equal,
        np.greater,
        np.greater_equal,
        np.logical_and,
        np.logical_or,
        np.logical_xor,
        np.bitwise_and,
        np.bitwise_or,
        np.bitwise_xor,
        np.gcd,
        np.lcm,
        np.nextafter,
    )
]
_BINARY_WITHOUT_DERIVATIVE += [
    _binary(ufunc, Operand((3, 4), 0, 5), Operand((4,), 0, 3), differentiable=False)
    for ufunc in (np.left_shift, np.right_shift)
]


def _negative_base(x: Any) -> Any:
    return x**3 + x**2 + x**1 + x**0


ROWS = [
    *_SMOOTH_UNARY,
    *_STEPS,
    *_WITHOUT_DERIVATIVE,
    *_SMOOTH_BINARY,
    *_BINARY_WITHOUT_DERIVATIVE,
    _unary(np.modf, -2, 2, avoid=(-2, -1, 0, 1, 2)),
    row("cbrt of negative numbers", np.cbrt, Operand((5,), -3, -0.3)),
    row("power of negative numbers", _negative_base, Operand((5,), -2, 2, (0.0,))),
    row("power by 0.5", lambda x: np.power(x, 0.5), Operand((5,), 0.3, 2)),
    row("power by -2.0", lambda x: np.power(x, -2.0), Operand((5,), 0.3, 2)),
    row(
        "power with zero exponents",
        lambda x, y: np.power(x, y * 0),
        Operand((5,), 0.3, 2),
        Operand((5,)),
    ),
    row("add of three", lambda x, y: x + y + x, Operand((2, 3)), Operand((3,))),
    row("add dtype=", lambda x, y: np.add(x, y, dtype=np.float64), Operand((2, 3)), Operand((3,))),
    row(
        "exp dtype=",
        lambda x: np.exp(x, dtype=np.float32),
        dtypes=("bool", "int8", "float16", "float32"),
    ),
    row(
        "multiply.outer", np.multiply.outer, Operand((3,)), Operand((2, 2)), covers=("np.multiply",)
    ),
    row(
        "where",
        np.where,
        Operand((3, 4), dtype="bool"),
        Operand((4,)),
        Operand((3, 1)),
        shapes=(((), (), ()), ((3,), (), (3,)), ((0, 4), (4,), (1, 1)), ((2, 1), (), (3,))),
    ),
    row(
        "where on numbers",
        lambda c, x: np.where(c, x, 1) + np.where(c, 0.5, x),
        Operand((4,), dtype="bool"),
        Operand((4,)),
    ),
    row("where of comparison", lambda x: np.where(x > 0, x * x, -x), Operand((9,), avoid=(0.0,))),
    row("where of two numbers", lambda c: np.where(c, 1, 2.5), Operand((4,)), differentiable=False),
    row("clip", lambda x: np.clip(x, -1, 1), Operand((3, 4), avoid=(-1, 1))),
    row("clip below", lambda x: np.clip(x, -1, None), Operand((3, 4), avoid=(-1,))),
    row("clip above", lambda x: np.clip(x, None, 1), Operand((3, 4), avoid=(1,))),
    row("clip min= max=", lambda x: np.clip(x, min=-1, max=1.5), Operand((3, 4), avoid=(-1, 1.5))),
    row(
        "clip by arrays",
        np.clip,
        Operand((3, 4), -3, 3),
        Operand((4,), -2, -1),
        Operand((3, 1), 1, 2),
        kink=lambda x, low, high: np.minimum(np.abs(x - low), np.abs(x - high)),
    ),
    row("clip to crossed bounds", lambda x: np.clip(x, 2, 1), Operand((3, 4), avoid=(1, 2))),
    row("clip beyond the dtype", lambda x: np.clip(x, -1000, 1000)),
    row(
        "round",
        np.round,
        Operand((3, 4), avoid=(-1.5, -0.5, 0.5, 1.5)),
        covers=("np.round", "np.around"),
    ),
    row(
        "round to decimals",
        lambda x: np.round(x, 1),
        kink=lambda x: 10 * x - np.floor(10 * x) - 0.5,
    ),
    row("round to tens", lambda x: np.round(x, -1), Operand((3, 4), -99, 99), differentiable=False),
    row("around", np.around, Operand((3, 4), avoid=(-1.5, -0.5, 0.5, 1.5))),
    row("nan_to_num", np.nan_to_num),
    row("nan_to_num to given values", lambda x: np.nan_to_num(x, nan=1.5, posinf=7, neginf=-7)),
    row("real", np.real, _ANY),
]

# Sums of all kinds that a compiler might rewrite.
ROWS += [
    row("subtract itself", lambda x: x - x, covers=("np.subtract",), dtypes=INTEGERS + FLOATS),
    row("negative twice", lambda x: np.negative(-x), dtypes=INTEGERS + FLOATS),
    row("multiply by one", lambda x: x * 1 + 1 * x - 0, dtypes=INTEGERS + FLOATS),
    row("divide by one", lambda x: x / 1),
    row("add zero", lambda x: (x + 0, 0 + x, x + 0.0, x * 0), dtypes=INTEGERS + FLOATS),
    row(
        "add negative",
        lambda x, y: (x + (-y), x - (-y), -x + y),
        _ANY,
        _ROW_VECTOR,
        dtypes=INTEGERS + FLOATS,
    ),
    row("multiply by minus one", lambda x: (x * -1, -1.0 * x), dtypes=("int8", "int64", *FLOATS)),
    row("multiply by pi", lambda x: x * math.pi, Operand((3, 4))),
]

# --- methods of ufuncs ----------------------------------------------------------------------

_FOLDS = (np.hypot, np.logaddexp, np.fmax, np.subtract, np.true_divide)
_BITS = (np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.gcd, np.lcm, np.left_shift)
_SPREAD = Operand((4, 3), 0.5, 2, spread=True)
_FEW = Operand((4, 3), 1, 3)


def _at(ufunc: np.ufunc) -> Any:
    def function(x: Any, *rest: Any) -> Any:
        x = x.copy()
        ufunc.at(x, *rest)
        return x

    return function


def _where_out(x: Any) -> Any:
    return np.exp(x, out=np.ones_like(x), where=x > 0)


ROWS += [
    _unary(np.frexp, 1.05, 1.95),
    _unary(np.bitwise_count, -2, 2, differentiable=False),
    row("ldexp", np.ldexp, _ANY, Operand((4,), -3, 3, dtype="int32"), shapes=_BINARY_SHAPES),
    row("ufunc.reduce", lambda x: [u.reduce(x) for u in _FOLDS], _SPREAD, covers=(), rtol=4.0),
    row(
        "ufunc.accumulate",
        lambda x: [u.accumulate(x, axis=1) for u in (np.maximum, np.add, np.multiply, *_FOLDS)],
        _SPREAD,
        covers=(),
        rtol=4.0,
    ),
    row(
        "ufunc.reduceat",
        lambda x: [u.reduceat(x, [0, 2, 1]) for u in (np.add, np.maximum, np.subtract)],
        Operand((4, 3), 0.5, 2, spread=True),
        covers=(),
        dtypes=INTEGERS + FLOATS,
    ),
    row(
        "ufunc.reduce of bits",
        lambda x: [m(x) for u in _BITS for m in (u.reduce, u.accumulate)],
        _FEW,
        covers=(),
        dtypes=INTEGERS,
        corners=False,
    ),
    row(
        "add.at", _at(np.add), _ANY, indices(5, below=3), Operand((5, 4)), covers=(), dtypes=FLOATS
    ),
    row(
        "multiply.at",
        _at(np.multiply),
        _ANY,
        indices(3, below=3),
        Operand((3, 4)),
        covers=(),
        dtypes=FLOATS,
    ),
    row(
        "negative.at",
        lambda x: _at(np.negative)(x, [0, 0, 1]),
        Operand((3,)),
        covers=(),
        dtypes=FLOATS,
    ),
    row(
        "maximum.at",
        lambda x, y: _at(np.maximum)(x, (slice(1), [0, 2]), y),
        _ANY,
        Operand(()),
        covers=(),
    ),
    row("exp where= out=", _where_out, Operand((3, 4), avoid=(0.0,)), dtypes=FLOATS),
]
