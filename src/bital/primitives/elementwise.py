"""Elementwise primitives: NumPy ufuncs on operands of one loop's dtypes, broadcasting.

Where a function has a kink, the derivative at the kink is a subgradient: ``abs`` and ``sign``: 0
(of complex numbers too);
``maximum`` and ``minimum`` at equality: one half to each operand.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from bital.primitives.primitive import (
    NOT_DIFFERENTIABLE,
    NOT_LINEAR,
    REGISTRY,
    Linear,
    Operand,
    Primitive,
    Tangent,
    TransposeRule,
    _Undefined,
    require,
    single,
    zeros,
)
from bital.program import ArrayType, Atom, Literal

# How the derivative of one operand is written: (tangent, out, *primals) -> contribution.
Rule = Callable[..., Tangent]


@functools.cache
def _loop(ufunc: np.ufunc, dtypes: tuple[np.dtype[Any], ...]) -> tuple[Any, ...]:
    return tuple(ufunc.resolve_dtypes((*dtypes, *([None] * ufunc.nout))))


def _abstract_eval(ufunc: np.ufunc) -> Callable[..., ArrayType]:
    def abstract_eval(*types: ArrayType) -> ArrayType:
        dtypes = tuple(type.dtype for type in types)
        *wanted, out = _loop(ufunc, dtypes)
        require(
            tuple(wanted) == dtypes,
            lambda: (
                f"{ufunc.__name__} has no loop for ({', '.join(map(str, types))}) "
                "without conversion"
            ),
        )
        return ArrayType(broadcast_shapes(*types), out)

    return abstract_eval


def broadcast_shapes(*types: ArrayType) -> tuple[int, ...]:
    """The shape that operands broadcast to."""
    shape = types[0].shape
    for type in types[1:]:
        if type.shape != shape:
            return _broadcast(tuple([type.shape for type in types]))
    return shape


@functools.lru_cache(maxsize=4096)
def _broadcast(shapes: tuple[tuple[int, ...], ...]) -> tuple[int, ...]:
    return np.broadcast_shapes(*shapes)  # slow: it makes an array of each shape


def batch_broadcasting(
    primitive: Primitive, size: int, inputs: list[Atom], mapped: list[bool], **params: Any
) -> list[Atom]:
    """Batch rule of any primitive whose operands broadcast: align ranks behind the batch axis."""
    rank = max(x.type.ndim - is_mapped for x, is_mapped in zip(inputs, mapped, strict=True))
    aligned = [
        align(x, rank) if is_mapped else x for x, is_mapped in zip(inputs, mapped, strict=True)
    ]
    return primitive.bind(aligned, params)


def align(x: Atom, rank: int) -> Atom:
    """Insert axes of length 1 behind the front axis until `rank` axes follow it."""
    missing = rank - (x.type.ndim - 1)
    if missing == 0:
        return x
    shape = (x.type.shape[0], *(1,) * missing, *x.type.shape[1:])
    result: Atom = REGISTRY["reshape"](x, shape=shape)
    return result


def broadcast_to(x: Atom, shape: tuple[int, ...]) -> Atom:
    if x.type.shape == shape:
        return x
    result: Atom = REGISTRY["broadcast_to"](x, shape=shape)
    return result


def unbroadcast(x: Atom, shape: tuple[int, ...]) -> Atom:
    """Sum over the axes along which `shape` was stretched to x's: the transpose of broadcasting."""
    if x.type.shape == shape:
        return x
    lead = x.type.ndim - len(shape)
    stretched = tuple(
        lead + axis for axis, length in enumerate(shape) if length == 1 != x.type.shape[lead + axis]
    )
    axes = (*range(lead), *stretched)
    summed: Atom = REGISTRY["reduce_sum"](x, axes=axes, keepdims=False) if axes else x
    if summed.type.shape == shape:
        return summed
    reshaped: Atom = REGISTRY["reshape"](summed, shape=shape)
    return reshaped


def _elementwise_jvp(rules: tuple[Rule | None, ...]) -> Callable[..., Tangent]:
    def rule(tangents: list[Tangent], out: Atom, *primals: Atom) -> Tangent:
        total: Tangent = None
        for each, tangent in zip(rules, tangents, strict=True):
            if each is None or tangent is None:
                continue
            part = each(tangent, out, *primals)
            if part is not None:
                total = part if total is None else add(total, part)
        return None if total is None else broadcast_to(total, out.type.shape)

    return rule


def elementwise(
    name: str,
    ufunc: np.ufunc,
    *rules: Rule | None,
    transpose: TransposeRule | _Undefined = NOT_LINEAR,
) -> Primitive:
    """A primitive that is a ufunc; `rules` are its partial derivatives, none if there are none."""
    return Primitive(
        name,
        abstract_eval=_abstract_eval(ufunc),
        reference=ufunc,
        jvp=single(_elementwise_jvp(rules)) if rules else NOT_DIFFERENTIABLE,
        transpose=transpose,
        batch=batch_broadcasting,
    )


# --- arithmetic -----------------------------------------------------------------------------


def _transpose_add(ct: Atom, x: Operand, y: Operand) -> list[Tangent]:
    return [
        unbroadcast(ct, operand.type.shape) if isinstance(operand, Linear) else None
        for operand in (x, y)
    ]


def _transpose_sub(ct: Atom, x: Operand, y: Operand) -> list[Tangent]:
    return [
        unbroadcast(ct, x.type.shape) if isinstance(x, Linear) else None,
        neg(unbroadcast(ct, y.type.shape)) if isinstance(y, Linear) else None,
    ]


def _transpose_mul(ct: Atom, x: Operand, y: Operand) -> list[Tangent]:
    if isinstance(x, Linear):
        return [unbroadcast(mul(ct, y), x.type.shape), None]
    return [None, unbroadcast(mul(x, ct), y.type.shape)]


def _transpose_div(ct: Atom, x: Operand, y: Operand) -> list[Tangent]:
    return [unbroadcast(div(ct, y), x.type.shape), None]


def _div_by_denominator(t: Atom, out: Atom, x: Atom, y: Atom) -> Atom:
    result: Atom = neg(mul(t, div(out, y)))
    return result


neg: Primitive = elementwise(
    "neg", np.negative, lambda t, out, x: neg(t), transpose=lambda ct, x: [neg(ct)]
)
add: Primitive = elementwise(
    "add", np.add, lambda t, out, x, y: t, lambda t, out, x, y: t, transpose=_transpose_add
)
sub: Primitive = elementwise(
    "sub",
    np.subtract,
    lambda t, out, x, y: t,
    lambda t, out, x, y: neg(t),
    transpose=_transpose_sub,
)
mul: Primitive = elementwise(
    "mul",
    np.multiply,
    lambda t, out, x, y: mul(t, y),
    lambda t, out, x, y: mul(x, t),
    transpose=_transpose_mul,
)
div: Primitive = elementwise(
    "div",
    np.true_divide,
    lambda t, out, x, y: div(t, y),
    _div_by_denominator,
    transpose=_transpose_div,
)


def _power_by_base(t: Atom, out: Atom, x: Atom, y: Atom) -> Tangent:
    # y x^(y-1), and 0 for y = 0 even where x^(y-1) is infinite
    if isinstance(y, Literal):
        exponent = y.value.item()
        if exponent == 0:
            return None
        if exponent == 1:
            return t
        slope = mul(x, 2) if exponent == 2 else mul(power(x, exponent - 1), exponent)
        return _as_atom(mul(t, slope))
    is_zero = eq(y, 0)
    slope = mul(y, power(x, select(is_zero, full_like(y, 1), sub(y, 1))))
    return _as_atom(mul(t, select(is_zero, full_like(slope, 0), slope)))


def _power_by_exponent(t: Atom, out: Atom, x: Atom, y: Atom) -> Atom:
    # x^y log x; at x = 0 the limit from the right, which is 0 for y > 0
    if x.type.dtype.kind == "c":
        return _as_atom(mul(t, mul(out, log(select(eq(x, 0), full_like(x, 1), x)))))
    safe = select(gt(x, 0), x, full_like(x, 1))
    logarithm = select(lt(x, 0), full_like(x, math.nan), log(safe))
    return _as_atom(mul(t, mul(out, logarithm)))


def _as_atom(x: Any) -> Atom:
    atom: Atom = x
    return atom


def full_like(x: Atom, value: float) -> Atom:
    if not x.type.shape:
        return Literal(value, x.type.dtype)
    return broadcast_to(Literal(value, x.type.dtype), x.type.shape)


power: Primitive = elementwise("power", np.power, _power_by_base, _power_by_exponent)
floor_divide: Primitive = elementwise("floor_divide", np.floor_divide)
remainder: Primitive = elementwise(
    "remainder",
    np.remainder,
    lambda t, out, x, y: t,
    lambda t, out, x, y: neg(mul(t, floor_divide(x, y))),
)
fmod: Primitive = elementwise(
    "fmod",
    np.fmod,
    lambda t, out, x, y: t,
    lambda t, out, x, y: neg(mul(t, trunc(div(x, y)))),
)


def _abs_rule(t: Atom, out: Atom, x: Atom) -> Atom:
    if x.type.dtype.kind == "c":
        return _as_atom(REGISTRY["real"](mul(t, REGISTRY["conj"](sign(x)))))
    return _as_atom(mul(t, sign(x)))


def _sign_rule(t: Atom, out: Atom, x: Atom) -> Tangent:
    """Of z / |z| only the angle moves: by Im(conj(sign) t) / |z|; not at all where z = 0."""
    if x.type.dtype.kind != "c":
        return None
    turn = REGISTRY["imag"](mul(t, REGISTRY["conj"](out)))
    size = abs(x)
    turn = div(turn, select(eq(size, 0), full_like(size, 1), size))
    turn = broadcast_to(turn, out.type.shape)
    return _as_atom(mul(out, REGISTRY["complex"](zeros(turn.type), turn)))


abs: Primitive = elementwise("abs", np.absolute, _abs_rule)
sign: Primitive = elementwise("sign", np.sign, _sign_rule)
copysign: Primitive = elementwise(
    "copysign",
    np.copysign,
    lambda t, out, x, y: mul(t, mul(sign(x), copysign(full_like(out, 1), y))),
    None,
)


def _half_at_ties(x: Atom, y: Atom, wins: Primitive) -> Atom:
    """1 where x wins, 0 where y wins, 1/2 where they are equal."""
    one, zero = (Literal(value, x.type.dtype) for value in (1, 0))
    return _as_atom(select(wins(x, y), one, select(eq(x, y), Literal(0.5, x.type.dtype), zero)))


def _extremum(name: str, ufunc: np.ufunc, wins: str) -> Primitive:
    def for_x(t: Atom, out: Atom, x: Atom, y: Atom) -> Atom:
        return _as_atom(mul(t, _half_at_ties(x, y, REGISTRY[wins])))

    def for_y(t: Atom, out: Atom, x: Atom, y: Atom) -> Atom:
        return _as_atom(mul(t, _half_at_ties(y, x, REGISTRY[wins])))

    return elementwise(name, ufunc, for_x, for_y)


maximum = _extremum("maximum", np.maximum, "gt")
minimum = _extremum("minimum", np.minimum, "lt")

# --- exponentials and roots -----------------------------------------------------------------

exp: Primitive = elementwise("exp", np.exp, lambda t, out, x: mul(t, out))
exp2: Primitive = elementwise("exp2", np.exp2, lambda t, out, x: mul(t, mul(out, math.log(2.0))))
expm1: Primitive = elementwise("expm1", np.expm1, lambda t, out, x: mul(t, exp(x)))
log: Primitive = elementwise("log", np.log, lambda t, out, x: div(t, x))
log2: Primitive = elementwise("log2", np.log2, lambda t, out, x: div(t, mul(x, math.log(2.0))))
log10: Primitive = elementwise("log10", np.log10, lambda t, out, x: div(t, mul(x, math.log(10.0))))
log1p: Primitive = elementwise("log1p", np.log1p, lambda t, out, x: div(t, add(x, 1)))
sqrt: Primitive = elementwise("sqrt", np.sqrt, lambda t, out, x: div(t, mul(out, 2)))
cbrt: Primitive = elementwise("cbrt", np.cbrt, lambda t, out, x: div(t, mul(mul(out, out), 3)))
logaddexp: Primitive = elementwise(
    "logaddexp",
    np.logaddexp,
    lambda t, out, x, y: mul(t, _share(exp, x, out)),
    lambda t, out, x, y: mul(t, _share(exp, y, out)),
)
logaddexp2: Primitive = elementwise(
    "logaddexp2",
    np.logaddexp2,
    lambda t, out, x, y: mul(t, _share(exp2, x, out)),
    lambda t, out, x, y: mul(t, _share(exp2, y, out)),
)
hypot: Primitive = elementwise(
    "hypot",
    np.hypot,
    lambda t, out, x, y: mul(t, div(x, out)),
    lambda t, out, x, y: mul(t, div(y, out)),
)


def _share(exponential: Primitive, x: Atom, out: Atom) -> Atom:
    """exp(x - out), and 0 where both are -inf."""
    return _as_atom(exponential(sub(x, select(eq(out, -math.inf), full_like(out, 0), out))))


# --- trigonometric and hyperbolic -----------------------------------------------------------


def _one_minus_square(x: Atom) -> Atom:
    return _as_atom(mul(sub(1, x), add(x, 1)))  # keeps its digits near |x| = 1


sin: Primitive = elementwise("sin", np.sin, lambda t, out, x: mul(t, cos(x)))
cos: Primitive = elementwise("cos", np.cos, lambda t, out, x: neg(mul(t, sin(x))))
tan: Primitive = elementwise("tan", np.tan, lambda t, out, x: mul(t, add(mul(out, out), 1)))
arcsin: Primitive = elementwise(
    "arcsin", np.arcsin, lambda t, out, x: div(t, sqrt(_one_minus_square(x)))
)
arccos: Primitive = elementwise(
    "arccos", np.arccos, lambda t, out, x: neg(div(t, sqrt(_one_minus_square(x))))
)
arctan: Primitive = elementwise("arctan", np.arctan, lambda t, out, x: div(t, add(mul(x, x), 1)))
arctan2: Primitive = elementwise(
    "arctan2",
    np.arctan2,
    lambda t, out, y, x: mul(t, div(x, add(mul(x, x), mul(y, y)))),
    lambda t, out, y, x: neg(mul(t, div(y, add(mul(x, x), mul(y, y))))),
)
sinh: Primitive = elementwise("sinh", np.sinh, lambda t, out, x: mul(t, cosh(x)))
cosh: Primitive = elementwise("cosh", np.cosh, lambda t, out, x: mul(t, sinh(x)))
tanh: Primitive = elementwise("tanh", np.tanh, lambda t, out, x: mul(t, sub(1, mul(out, out))))


def _arcsinh_rule(t: Atom, out: Atom, x: Atom) -> Atom:
    if x.type.dtype.kind == "c":
        return _as_atom(div(t, sqrt(add(mul(x, x), 1))))
    return _as_atom(div(t, hypot(x, Literal(1, x.type.dtype))))


arcsinh: Primitive = elementwise("arcsinh", np.arcsinh, _arcsinh_rule)
arccosh: Primitive = elementwise(
    "arccosh", np.arccosh, lambda t, out, x: div(t, mul(sqrt(sub(x, 1)), sqrt(add(x, 1))))
)
arctanh: Primitive = elementwise(
    "arctanh", np.arctanh, lambda t, out, x: div(t, _one_minus_square(x))
)

# --- without a derivative: comparison, logic, rounding, integers ----------------------------

eq: Primitive = elementwise("eq", np.equal)
ne: Primitive = elementwise("ne", np.not_equal)
lt: Primitive = elementwise("lt", np.less)
le: Primitive = elementwise("le", np.less_equal)
gt: Primitive = elementwise("gt", np.greater)
ge: Primitive = elementwise("ge", np.greater_equal)
bit_and: Primitive = elementwise("bit_and", np.bitwise_and)
bit_or: Primitive = elementwise("bit_or", np.bitwise_or)
bit_xor: Primitive = elementwise("bit_xor", np.bitwise_xor)
bit_not: Primitive = elementwise("bit_not", np.invert)
left_shift: Primitive = elementwise("left_shift", np.left_shift)
right_shift: Primitive = elementwise("right_shift", np.right_shift)
gcd: Primitive = elementwise("gcd", np.gcd)
lcm: Primitive = elementwise("lcm", np.lcm)
floor: Primitive = elementwise("floor", np.floor)
ceil: Primitive = elementwise("ceil", np.ceil)
trunc: Primitive = elementwise("trunc", np.trunc)
rint: Primitive = elementwise("rint", np.rint)
isnan: Primitive = elementwise("isnan", np.isnan)
isinf: Primitive = elementwise("isinf", np.isinf)
isfinite: Primitive = elementwise("isfinite", np.isfinite)
signbit: Primitive = elementwise("signbit", np.signbit)
nextafter: Primitive = elementwise("nextafter", np.nextafter)
spacing: Primitive = elementwise("spacing", np.spacing)
bitwise_count: Primitive = elementwise("bitwise_count", np.bitwise_count)
ldexp: Primitive = elementwise(
    "ldexp",
    np.ldexp,
    lambda t, out, x, n: ldexp(t, n),
    None,
    transpose=lambda ct, x, n: [unbroadcast(ldexp(ct, n), x.type.shape), None],
)
exponent: Primitive = Primitive(
    "exponent",
    abstract_eval=lambda x: ArrayType(x.shape, np.dtype(np.int32)),
    reference=lambda x: np.frexp(x)[1],
    jvp=NOT_DIFFERENTIABLE,
    transpose=NOT_LINEAR,
    batch=batch_broadcasting,
)

# --- select, convert, stop_gradient ---------------------------------------------------------


def _select_abstract_eval(condition: ArrayType, x: ArrayType, y: ArrayType) -> ArrayType:
    require(condition.dtype == np.bool_, lambda: f"where needs a bool condition, got {condition}")
    require(x.dtype == y.dtype, lambda: f"where needs branches of one dtype, got {x} and {y}")
    return ArrayType(broadcast_shapes(condition, x, y), x.dtype)


def _select_jvp(tangents: list[Tangent], out: Atom, condition: Atom, x: Atom, y: Atom) -> Tangent:
    _, tx, ty = tangents
    if tx is None and ty is None:
        return None
    zero = Literal(0, out.type.dtype)
    moved = select(condition, zero if tx is None else tx, zero if ty is None else ty)
    return broadcast_to(moved, out.type.shape)


def _select_transpose(ct: Atom, condition: Atom, x: Operand, y: Operand) -> list[Tangent]:
    zero = Literal(0, ct.type.dtype)
    return [
        None,
        unbroadcast(select(condition, ct, zero), x.type.shape) if isinstance(x, Linear) else None,
        unbroadcast(select(condition, zero, ct), y.type.shape) if isinstance(y, Linear) else None,
    ]


select: Primitive = Primitive(
    "where",
    abstract_eval=_select_abstract_eval,
    reference=np.where,
    jvp=single(_select_jvp),
    transpose=_select_transpose,
    batch=batch_broadcasting,
)


def _convert_abstract_eval(x: ArrayType, dtype: np.dtype[Any]) -> ArrayType:
    require(
        x.dtype.kind != "c" or dtype.kind in "cb",
        lambda: f"{x} does not convert to {dtype}: take its real part first",
    )
    return ArrayType(x.shape, dtype)


def _convert_jvp(tangents: list[Tangent], out: Atom, x: Atom, dtype: np.dtype[Any]) -> Tangent:
    (tangent,) = tangents
    if tangent is None or dtype.kind not in "fc":
        return None
    return _as_atom(convert(tangent, dtype=dtype))


def _convert_transpose(ct: Atom, x: Operand, dtype: np.dtype[Any]) -> list[Tangent]:
    if dtype.kind == "c" and x.type.dtype.kind != "c":
        ct = REGISTRY["real"](ct)
    return [convert(ct, dtype=x.type.dtype)]


convert: Primitive = Primitive(
    "convert",
    abstract_eval=_convert_abstract_eval,
    reference=lambda x, dtype: np.asarray(x).astype(dtype),
    jvp=single(_convert_jvp),
    transpose=_convert_transpose,
    batch=batch_broadcasting,
)

stop_gradient: Primitive = Primitive(
    "stop_gradient",
    abstract_eval=lambda x: x,
    reference=lambda x: x,
    jvp=single(lambda tangents, out, x: None),
    transpose=NOT_LINEAR,
    batch=batch_broadcasting,
)

__all__ = ["abs", "elementwise", "full_like", "unbroadcast", "zeros"]
