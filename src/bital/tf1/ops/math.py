"""Arithmetic, elementwise functions, reductions, comparisons, and products of matrices."""

from __future__ import annotations

import functools
import importlib
from typing import Any

import numpy as np

from bital import nn
from bital.graphs.graph import Operand, name_scope
from bital.graphs.operation import Value
from bital.tf1.ops import define, exported, op, table

_UNARY = """abs acos asin atan ceil cos cosh exp expm1 floor is_finite is_inf is_nan log log1p
    reciprocal round sign sin sinh sqrt square tan tanh"""
_BINARY = "add atan2 equal greater greater_equal less less_equal not_equal pow"
globals().update(table(_UNARY, np) | table("log_sigmoid sigmoid", nn) | table(_BINARY, np, "x y"))
globals().update(table("logical_and logical_or logical_xor", np, "x:Bool y:Bool"))
globals().update(table("cholesky", np.linalg, "input"))
logical_not = define("LogicalNot", np.logical_not, "x:Bool")
negative = define("Neg", np.negative)
rsqrt = define("Rsqrt", lambda x: 1 / np.sqrt(x))
floordiv = define("FloorDiv", np.floor_divide, "x y", "floordiv")
truediv = divide = define("RealDiv", np.true_divide, "x:Value y:Value", "truediv")
div = define("Div", lambda x, y: x // y if x.dtype.kind in "iu" else x / y, "x y", "div")
mod = floormod = define("FloorMod", np.mod, "x y")
multiply = define("Mul", np.multiply, "x y")
subtract = define("Sub", np.subtract, "x y")
squared_difference = define("SquaredDifference", lambda x, y: np.square(x - y), "x y")
# Of equal operands the first is chosen, and gets the gradient.
maximum = define("Maximum", lambda x, y: np.where(x >= y, x, y), "x y")
minimum = define("Minimum", lambda x, y: np.where(x <= y, x, y), "x y")
cast = define("Cast", lambda x, dtype: x.astype(dtype), "x:Any_", dtype=...)
add_n = accumulate_n = define("AddN", lambda x: functools.reduce(np.add, x), "inputs:Values")
for _name, _f in {"erf": "erf", "erfc": "erfc", "lgamma": "gammaln", "digamma": "psi"}.items():
    globals()[_name] = define(
        _name.title(), lambda x, f=_f: getattr(importlib.import_module("scipy.special"), f)(x)
    )
for _name, _f in {"float": "f4", "double": "f8", "int32": "i4", "int64": "i8"}.items():
    globals()[f"to_{_name}"] = define(f"To{_name.title()}", lambda x, f=_f: x.astype(f), "x:Any_")

# --- reductions


def _reduced(f: Any) -> Any:
    return lambda x, axis, keepdims: f(x, axis=axis, keepdims=bool(keepdims)).astype(x.dtype)


def _found(f: Any) -> Any:
    return lambda x, axis, output_type: f(x, axis or 0).astype(output_type)


for _f in (np.all, np.any, np.max, np.mean, np.min, np.prod, np.sum, nn.logsumexp):
    _name, _title = _f.__name__, "input_tensor" + ":Bool" * (_f in (np.all, np.any))
    _call = define(_name.title(), _reduced(_f), _title, axis=None, keepdims=None)
    globals()[f"reduce_{_name}"] = _call
argmax = define("ArgMax", _found(np.argmax), "input:Any_", axis=None, output_type="int64")
argmin = define("ArgMin", _found(np.argmin), "input:Any_", axis=None, output_type="int64")


@op("Cumsum")
def cumsum(x: Value, axis: int = 0, exclusive: bool = False, reverse: bool = False) -> Value:
    """Running sums, without the element itself if exclusive, from the end if in reverse."""
    x = np.flip(x, axis) if reverse else x
    sums = np.cumsum(x, axis).astype(x.dtype) - (x if exclusive else np.zeros_like(x))
    return np.flip(sums, axis) if reverse else sums


# --- matrices and norms

matrix_determinant = define("MatrixDeterminant", np.linalg.det, "input")
matrix_inverse = define("MatrixInverse", np.linalg.inv, "input")
matrix_solve = define("MatrixSolve", np.linalg.solve, "matrix rhs")
tensordot = define("Tensordot", np.tensordot, "a b", axes=...)
trace = define("Trace", lambda x: np.trace(x, axis1=-2, axis2=-1))
_einsum = define("Einsum", lambda x, equation: np.einsum(equation, *x), "x:Values", equation=...)
_norm = define("GlobalNorm", lambda x: np.sqrt(sum(np.sum(np.square(t)) for t in x)), "x:Values")


def einsum(equation: str, *inputs: Any, name: str = "einsum") -> Any:
    """Sums of products, in Einstein's notation."""
    return _einsum(inputs, equation, name=name)


@op("MatMul")
def matmul(a: Value, b: Value, transpose_a: bool = False, transpose_b: bool = False) -> Value:
    """Matrix product, ``(..., n, k), (..., k, m) -> (..., n, m)``."""
    a = np.swapaxes(a, -1, -2) if transpose_a else a
    return np.matmul(a, np.swapaxes(b, -1, -2) if transpose_b else b)


@op("Norm", "norm")
def norm(tensor: Value, ord: Any = "euclidean", axis: Any = None, keepdims: Any = None) -> Value:
    """The norm over an axis or two; by default the euclidean one of all elements."""
    return np.linalg.norm(tensor, None if ord == "euclidean" else ord, axis, bool(keepdims))


@op("ClipByValue", "clip_by_value")
def clip_by_value(t: Value, clip_value_min: Value, clip_value_max: Value) -> Value:
    """The elements, no lower and no higher than these bounds."""
    smaller = np.where(t <= clip_value_max, t, clip_value_max)
    return np.where(smaller >= clip_value_min, smaller, clip_value_min)


@op("ClipByNorm", "clip_by_norm")
def clip_by_norm(t: Value, clip_norm: Value, axes: Any = None) -> Value:
    """The tensor, made shorter where its norm is greater than that."""
    length = np.sqrt(np.sum(np.square(t), axis=axes, keepdims=True))
    return t * clip_norm / np.where(length > clip_norm, length, clip_norm)


def global_norm(t_list: Any, name: str = "global_norm") -> Any:
    """The norm of all tensors of a list as one vector; None counts as nothing."""
    return _norm([t for t in t_list if t is not None], name=name)


def clip_by_global_norm(t_list: Any, clip_norm: Any, use_norm: Any = None, name: Any = None) -> Any:
    """The tensors, all made shorter by one factor, so that their norm is at most that; the norm."""
    total = global_norm(t_list) if use_norm is None else use_norm
    with name_scope(name, "clip_by_global_norm"):
        factor = truediv(clip_norm, maximum(total, clip_norm))
        return [None if t is None else multiply(t, factor) for t in t_list], total


# --- operators

_NAMED = """add:add sub:subtract mul:multiply truediv:truediv floordiv:floordiv mod:mod pow:pow
    matmul:matmul and:logical_and or:logical_or xor:logical_xor"""
_OTHERS = (
    " lt:less le:less_equal gt:greater ge:greater_equal neg:negative abs:abs invert:logical_not"
)
for _name, _, _f in (item.partition(":") for item in (_NAMED + _OTHERS).split()):
    _call = functools.partial(globals()[_f], name=_name if f"{_name}:" in _NAMED else None)
    setattr(Operand, f"__{_name}__", lambda *args, f=_call: f(*args))
    setattr(Operand, f"__r{_name}__", lambda a, b, f=_call: f(b, a))

__all__ = exported(dict(globals()))
