"""Arithmetic, elementwise functions, reductions and comparisons."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bital.tf1.graph import Operand
from bital.tf1.operation import Value, operation

__all__ = [
    "abs",
    "add",
    "exp",
    "matmul",
    "multiply",
    "negative",
    "reduce_mean",
    "sqrt",
    "square",
    "subtract",
    "truediv",
]


def _unary(kind: str, function: Callable[..., Any], formula: str) -> Any:
    def apply(x: Value) -> Value:
        return function(x)

    apply.__name__, apply.__doc__ = function.__name__, f"Elementwise {formula}."
    return operation(kind)(apply)


def _binary(kind: str, function: Callable[..., Any], formula: str) -> Any:
    def apply(x: Value, y: Value) -> Value:
        return function(x, y)

    apply.__name__, apply.__doc__ = function.__name__, f"Elementwise {formula}, broadcasting."
    return operation(kind)(apply)


def _divide(x: Any, y: Any) -> Any:
    return x / y if np.result_type(x).kind in "fc" else x // y


abs = _unary("Abs", np.abs, "|x|")
exp = _unary("Exp", np.exp, "e**x")
square = _unary("Square", np.square, "x**2")
sqrt = _unary("Sqrt", np.sqrt, "square root")
negative = _unary("Neg", np.negative, "-x")
add = _binary("Add", np.add, "x + y")
subtract = _binary("Sub", np.subtract, "x - y")
multiply = _binary("Mul", np.multiply, "x * y")
truediv = _binary("RealDiv", np.true_divide, "x / y")


@operation("MatMul")
def matmul(a: Value, b: Value, transpose_a: bool = False, transpose_b: bool = False) -> Value:
    """Matrix product, ``(..., n, k), (..., k, m) -> (..., n, m)``."""
    a = np.swapaxes(a, -1, -2) if transpose_a else a
    b = np.swapaxes(b, -1, -2) if transpose_b else b
    return np.matmul(a, b)


@operation("Mean")
def reduce_mean(x: Value, axis: Any = None, keepdims: bool = False) -> Value:
    """The mean over axes; over all without an axis."""
    return np.mean(x, axis=_axes(axis), keepdims=keepdims)


def _axes(axis: Any) -> Any:
    return tuple(axis) if isinstance(axis, list) else axis


for name, function in {
    "add": add,
    "sub": subtract,
    "mul": multiply,
    "truediv": truediv,
    "matmul": matmul,
}.items():
    setattr(Operand, f"__{name}__", lambda a, b, f=function: f(a, b))
    setattr(Operand, f"__r{name}__", lambda a, b, f=function: f(b, a))
