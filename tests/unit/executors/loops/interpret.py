"""Formulas of the loop-nest form, computed by NumPy: what they mean without a compiler."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bital.executors.loops.form import Body, Op, Value

Array = np.ndarray[Any, np.dtype[Any]]

_LIBRARY = {"sin": np.sin, "cos": np.cos, "tan": np.tan}
_OPERATIONS: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "neg": np.negative,
    "abs": np.abs,
    "sqrt": np.sqrt,
    "trunc": np.trunc,
    "rint": np.rint,
    "copysign": np.copysign,
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
    "not": np.bitwise_not,
    "shl": np.left_shift,
    "shr": np.right_shift,
    "select": np.where,
}


def fma(a: Array, b: Array, c: Array) -> Array:
    """``a * b + c``, rounded once but for ties that only appear in twice the digits."""
    if a.dtype == np.float32:
        return (a.astype(np.float64) * b + c).astype(np.float32)
    product = a * b
    total = product + c
    error = _product_error(a, b, product) + _sum_error(product, c, total)
    return np.where(np.isfinite(error) & (error != 0), total + error, total)  # keeps -0.0


def _product_error(a: Array, b: Array, product: Array) -> Array:
    (a1, a2), (b1, b2) = _halves(a), _halves(b)
    return a2 * b2 - (((product - a1 * b1) - a2 * b1) - a1 * b2)


def _halves(a: Array) -> tuple[Array, Array]:
    """The upper and the lower 26 bits (Veltkamp 1968)."""
    scaled = a * 134217729.0
    high = scaled - (scaled - a)
    return high, a - high


def _sum_error(a: Array, b: Array, total: Array) -> Array:
    part = total - a
    return (a - (total - part)) + (b - part)


def interpret(function: Callable[..., Value], *arguments: Array) -> Array:
    """What `function` of Values says for each element."""
    body = Body()
    values = [body.value(argument.dtype) for argument in arguments]
    with body.in_use():
        result = function(*values)
    known: dict[Value, Any] = dict(zip(values, arguments, strict=True))
    shape = arguments[0].shape

    def read(value: Value) -> Array:
        if value.constant is not None:
            return np.broadcast_to(value.constant, shape)
        return np.asarray(known[value])

    with np.errstate(all="ignore"):
        for statement in body.statements:
            assert isinstance(statement, Op)
            known[statement.out] = _compute(statement, [read(v) for v in statement.operands])
    assert read(result).dtype == result.dtype
    return read(result)


def _compute(op: Op, operands: list[Array]) -> Array:
    out = op.out.dtype
    if op.name == "fma":
        return fma(*operands)
    if op.name == "bitcast":
        return np.ascontiguousarray(operands[0]).view(out)
    if op.name == "convert":
        return operands[0].astype(out)
    if op.name.startswith("rare:"):
        condition, fast, *arguments = operands
        slow = _LIBRARY[op.name[5:]](*(x.astype(np.float64) for x in arguments))
        return np.where(condition, slow.astype(out), fast)
    return np.asarray(_OPERATIONS[op.name](*operands))
