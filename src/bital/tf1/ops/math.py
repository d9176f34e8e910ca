"""Arithmetic, elementwise functions, reductions, comparisons, and products of matrices."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from bital import nn
from bital.tf1.dtypes import as_dtype
from bital.tf1.graph import Operand, name_scope
from bital.tf1.operation import Any_, Value, Values, convert_to_tensor
from bital.tf1.ops import define, exported, op

# --- elementwise


def _special(name: str) -> Callable[..., Any]:
    return lambda x: getattr(importlib.import_module("scipy.special"), name)(x)


abs = define("Abs", np.abs)
acos = define("Acos", np.arccos)
asin = define("Asin", np.arcsin)
atan = define("Atan", np.arctan)
ceil = define("Ceil", np.ceil)
cos = define("Cos", np.cos)
cosh = define("Cosh", np.cosh)
digamma = define("Digamma", _special("digamma"))
erf = define("Erf", _special("erf"))
erfc = define("Erfc", _special("erfc"))
exp = define("Exp", np.exp)
expm1 = define("Expm1", np.expm1)
floor = define("Floor", np.floor)
is_finite = define("IsFinite", np.isfinite)
is_inf = define("IsInf", np.isinf)
is_nan = define("IsNan", np.isnan)
lgamma = define("Lgamma", _special("gammaln"))
log = define("Log", np.log)
log1p = define("Log1p", np.log1p)
log_sigmoid = define("LogSigmoid", nn.log_sigmoid)
logical_not = define("LogicalNot", np.logical_not, "x:Bool")
negative = define("Neg", np.negative)
reciprocal = define("Reciprocal", lambda x: 1 / x)
round = define("Round", np.round)
rsqrt = define("Rsqrt", lambda x: 1 / np.sqrt(x))
sigmoid = define("Sigmoid", nn.sigmoid)
sign = define("Sign", np.sign)
sin = define("Sin", np.sin)
sinh = define("Sinh", np.sinh)
sqrt = define("Sqrt", np.sqrt)
square = define("Square", np.square)
tan = define("Tan", np.tan)
tanh = define("Tanh", np.tanh)

add = define("Add", np.add, "x y")
atan2 = define("Atan2", np.arctan2, "y x")
equal = define("Equal", np.equal, "x y")
floordiv = define("FloorDiv", np.floor_divide, "x y", "floordiv")
greater = define("Greater", np.greater, "x y")
greater_equal = define("GreaterEqual", np.greater_equal, "x y")
less = define("Less", np.less, "x y")
less_equal = define("LessEqual", np.less_equal, "x y")
logical_and = define("LogicalAnd", np.logical_and, "x:Bool y:Bool")
logical_or = define("LogicalOr", np.logical_or, "x:Bool y:Bool")
logical_xor = define("LogicalXor", np.logical_xor, "x:Bool y:Bool")
# Of equal operands the first is chosen, and gets the gradient.
maximum = define("Maximum", lambda x, y: np.where(x >= y, x, y), "x y")
minimum = define("Minimum", lambda x, y: np.where(x <= y, x, y), "x y")
mod = floormod = define("FloorMod", np.mod, "x y")
multiply = define("Mul", np.multiply, "x y")
not_equal = define("NotEqual", np.not_equal, "x y")
pow = define("Pow", np.power, "x y")
squared_difference = define("SquaredDifference", lambda x, y: np.square(x - y), "x y")
subtract = define("Sub", np.subtract, "x y")


@op("RealDiv", "truediv")
def truediv(x: Value, y: Value) -> Value:
    """The quotient; of integers, which become float64, too."""
    return x / y


def divide(x: Any, y: Any, name: str | None = None) -> Any:
    """``x / y``."""
    return truediv(x, y, name=name)


def div(x: Any, y: Any, name: str = "div") -> Any:
    """The quotient, of integers rounded down."""
    floating = convert_to_tensor(x).dtype.is_floating or convert_to_tensor(y).dtype.is_floating
    return (truediv if floating else floordiv)(x, y, name=name)


@op("Cast")
def _cast(x: Any_, dtype: str) -> Any_:
    return x.astype(dtype)


def cast(x: Any, dtype: Any, name: str | None = None) -> Any:
    """The tensor in another dtype; fractions are cut off where it has none."""
    tensor = convert_to_tensor(x)
    return tensor if tensor.dtype == as_dtype(dtype) else _cast(tensor, dtype, name=name)


def _to(dtype: str, title: str) -> Any:
    return lambda x, name=title: cast(x, dtype, name)


to_float, to_double = _to("float32", "ToFloat"), _to("float64", "ToDouble")
to_int32, to_int64 = _to("int32", "ToInt32"), _to("int64", "ToInt64")

# --- reductions


def _reduction(kind: str, function: Callable[..., Any], role: str = "Value") -> Any:
    def reduce(x: Any, axis: Any, keepdims: Any) -> Any:
        axes = tuple(axis) if isinstance(axis, list) else axis
        return function(x, axis=axes, keepdims=bool(keepdims)).astype(x.dtype)

    return define(kind, reduce, f"input_tensor:{role}", axis=None, keepdims=None)


reduce_all = _reduction("All", np.all, "Bool")
reduce_any = _reduction("Any", np.any, "Bool")
reduce_logsumexp = _reduction("ReduceLogSumExp", nn.logsumexp)
reduce_max = _reduction("Max", np.max)
reduce_mean = _reduction("Mean", np.mean)
reduce_min = _reduction("Min", np.min)
reduce_prod = _reduction("Prod", np.prod)
reduce_sum = _reduction("Sum", np.sum)


def _arg(kind: str, function: Callable[..., Any]) -> Any:
    def find(input: Any, axis: Any, output_type: Any) -> Any:
        return function(input, axis or 0).astype(output_type)

    def call(
        input: Any,
        axis: Any = None,
        name: Any = None,
        dimension: Any = None,
        output_type: Any = "int64",
    ) -> Any:
        """The index of the first largest (or smallest) element along an axis, by default 0."""
        return write(input, dimension if axis is None else axis, output_type, name=name)

    write = define(kind, find, "input:Any_", axis=..., output_type=...)
    return call


argmax = _arg("ArgMax", np.argmax)
argmin = _arg("ArgMin", np.argmin)


@op("AddN")
def add_n(inputs: Values) -> Value:
    """The sum of a list of tensors."""
    return functools.reduce(np.add, inputs)


accumulate_n = add_n


@op("Cumsum")
def cumsum(x: Value, axis: int = 0, exclusive: bool = False, reverse: bool = False) -> Value:
    """Running sums, without the element itself if exclusive, from the end if in reverse."""
    x = np.flip(x, axis) if reverse else x
    sums = np.cumsum(x, axis).astype(x.dtype) - (x if exclusive else np.zeros((), x.dtype))
    return np.flip(sums, axis) if reverse else sums


# --- matrices

cholesky = define("Cholesky", np.linalg.cholesky, "input")
matrix_determinant = define("MatrixDeterminant", np.linalg.det, "input")
matrix_inverse = define("MatrixInverse", np.linalg.inv, "input")
matrix_solve = define("MatrixSolve", np.linalg.solve, "matrix rhs")
tensordot = define("Tensordot", lambda a, b, axes: np.tensordot(a, b, axes), "a b", axes=...)
trace = define("Trace", lambda x: np.trace(x, axis1=-2, axis2=-1))


@op("MatMul")
def matmul(a: Value, b: Value, transpose_a: bool = False, transpose_b: bool = False) -> Value:
    """Matrix product, ``(..., n, k), (..., k, m) -> (..., n, m)``."""
    a = np.swapaxes(a, -1, -2) if transpose_a else a
    b = np.swapaxes(b, -1, -2) if transpose_b else b
    return np.matmul(a, b)


@op("Einsum", "einsum")
def _einsum(inputs: Values, equation: str) -> Value:
    return np.einsum(equation, *inputs)


def einsum(equation: str, *inputs: Any, name: str | None = None) -> Any:
    """Sums of products, in Einstein's notation."""
    return _einsum(inputs, equation, name=name)


@op("Norm", "norm")
def norm(tensor: Value, ord: Any = "euclidean", axis: Any = None, keepdims: Any = None) -> Value:
    """The norm over axes: euclidean, or a p-norm of vectors."""
    axes = tuple(axis) if isinstance(axis, list) else axis
    if ord in ("euclidean", "fro", 2):
        return np.sqrt(np.sum(np.square(tensor), axis=axes, keepdims=bool(keepdims)))
    flat = tensor if axis is not None else np.reshape(tensor, -1)
    return np.linalg.norm(flat, ord, axes if axis is not None else 0, bool(keepdims))


# --- clipping


def clip_by_value(t: Any, clip_value_min: Any, clip_value_max: Any, name: Any = None) -> Any:
    """The elements, no lower and no higher than these bounds."""
    with name_scope(name, "clip_by_value"):
        smaller = minimum(t, clip_value_max)
    return maximum(smaller, clip_value_min, name=name or "clip_by_value")


@op("ClipByNorm", "clip_by_norm")
def clip_by_norm(t: Value, clip_norm: Value, axes: Any = None) -> Value:
    """The tensor, made shorter where its norm is greater than that."""
    along = tuple(axes) if isinstance(axes, list) else axes
    length = np.sqrt(np.sum(np.square(t), axis=along, keepdims=True))
    return t * clip_norm / np.where(length > clip_norm, length, clip_norm)


@op("GlobalNorm", "global_norm")
def _global_norm(t_list: Values) -> Value:
    return np.sqrt(sum(np.sum(np.square(t)) for t in t_list))


def global_norm(t_list: Any, name: str | None = None) -> Any:
    """The norm of all tensors of a list as one vector; None counts as nothing."""
    return _global_norm([t for t in t_list if t is not None], name=name)


def clip_by_global_norm(
    t_list: Any, clip_norm: Any, use_norm: Any = None, name: str | None = None
) -> tuple[list[Any], Any]:
    """The tensors, all made shorter by one factor, so that their norm is at most that; the norm."""
    total = global_norm(t_list) if use_norm is None else use_norm
    with name_scope(name, "clip_by_global_norm"):
        factor = clip_norm / maximum(total, clip_norm)
        return [None if t is None else multiply(t, factor) for t in t_list], total


# --- operators

for _name, _function in {
    "add": add,
    "sub": subtract,
    "mul": multiply,
    "truediv": truediv,
    "floordiv": floordiv,
    "mod": mod,
    "pow": pow,
    "matmul": matmul,
    "and": logical_and,
    "or": logical_or,
    "xor": logical_xor,
}.items():
    _bound = functools.partial(_function, name=_name)
    setattr(Operand, f"__{_name}__", lambda a, b, f=_bound: f(a, b))
    setattr(Operand, f"__r{_name}__", lambda a, b, f=_bound: f(b, a))
for _name, _function in {"lt": less, "le": less_equal, "gt": greater, "ge": greater_equal}.items():
    setattr(Operand, f"__{_name}__", lambda a, b, f=_function: f(a, b))
for _name, _function in {"neg": negative, "abs": abs, "invert": logical_not}.items():
    setattr(Operand, f"__{_name}__", lambda a, f=_function: f(a))

__all__ = exported(dict(globals()))
