"""NumPy's functions that change shape, and those that make arrays ``like=`` a traced one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bital.numpy_language.dispatch import (
    cast,
    implements,
    normalize_axes,
    normalize_axis,
    operand,
    plain,
    trace_of,
    unsupported,
)
from bital.numpy_language.tracer import Tracer, bind, innermost
from bital.primitives import shape as p
from bital.primitives.reduction import reduced_shape
from bital.program import Literal


def reshape_to(x: Tracer, shape: tuple[int, ...]) -> Tracer:
    if x.shape == shape:
        return x
    result: Tracer = bind(p.reshape, x, shape=shape)
    return result


def as_shape(shape: Any) -> tuple[int, ...]:
    items = shape if isinstance(shape, (tuple, list, np.ndarray)) else (shape,)
    return tuple(int(item.__index__()) for item in items)


@implements(np.reshape)
def reshape(a: Any, /, shape: Any = None, order: str = "C", *, copy: Any = None) -> Tracer:
    x = trace_of(a)
    wanted = list(as_shape(shape))
    if wanted.count(-1) > 1:
        raise ValueError(f"can only specify one unknown dimension, got shape {tuple(wanted)}")
    if -1 in wanted:
        rest = math.prod(n for n in wanted if n != -1)
        if rest == 0 or x.size % rest:
            raise ValueError(f"cannot reshape array of shape {x.shape} into shape {tuple(wanted)}")
        wanted[wanted.index(-1)] = x.size // rest
    if math.prod(wanted) != x.size or min(wanted, default=0) < 0:
        raise ValueError(f"cannot reshape array of shape {x.shape} into shape {tuple(wanted)}")
    if order not in ("C", "F"):
        raise unsupported(
            f"reshape(..., order={order!r})", "order='C' or 'F': memory order is not traced"
        )
    if order == "F":
        return transpose(reshape_to(transpose(x), tuple(reversed(wanted))))
    return reshape_to(x, tuple(wanted))


@implements(np.ravel)
def ravel(a: Any, order: str = "C") -> Tracer:
    return reshape(a, -1, order)


@implements(np.transpose)
def transpose(a: Any, axes: Any = None) -> Tracer:
    x = trace_of(a)
    permutation = tuple(reversed(range(x.ndim))) if axes is None else normalize_axes(axes, x.ndim)
    if len(permutation) != x.ndim:
        raise ValueError(f"axes {axes} do not match an array of {x.ndim} axes")
    if permutation == tuple(range(x.ndim)):
        return x
    result: Tracer = bind(p.transpose, x, permutation=permutation)
    return result


@implements(np.matrix_transpose)
def matrix_transpose(x: Any, /) -> Tracer:
    return swapaxes(x, -1, -2)


@implements(np.swapaxes)
def swapaxes(a: Any, axis1: int, axis2: int) -> Tracer:
    x = trace_of(a)
    order = list(range(x.ndim))
    i, j = normalize_axis(axis1, x.ndim), normalize_axis(axis2, x.ndim)
    order[i], order[j] = order[j], order[i]
    return transpose(x, order)


@implements(np.moveaxis)
def moveaxis(a: Any, source: Any, destination: Any) -> Tracer:
    x = trace_of(a)
    sources, targets = normalize_axes(source, x.ndim), normalize_axes(destination, x.ndim)
    if len(sources) != len(targets):
        raise ValueError(f"source {source} and destination {destination} differ in length")
    order = [axis for axis in range(x.ndim) if axis not in sources]
    for target, axis in sorted(zip(targets, sources, strict=True)):
        order.insert(target, axis)
    return transpose(x, order)


@implements(np.expand_dims)
def expand_dims(a: Any, axis: Any) -> Tracer:
    x = trace_of(a)
    count = len(axis) if isinstance(axis, (tuple, list)) else 1
    axes = normalize_axes(axis, x.ndim + count)
    lengths = iter(x.shape)
    return reshape_to(x, tuple(1 if i in axes else next(lengths) for i in range(x.ndim + count)))


@implements(np.squeeze)
def squeeze(a: Any, axis: Any = None) -> Tracer:
    x = trace_of(a)
    if axis is None:
        return reshape_to(x, tuple(n for n in x.shape if n != 1))
    axes = normalize_axes(axis, x.ndim)
    if any(x.shape[each] != 1 for each in axes):
        raise ValueError(f"cannot squeeze axis {axis} of shape {x.shape}: its length is not 1")
    return reshape_to(x, reduced_shape(x.shape, axes, False))


@implements(np.broadcast_to)
def broadcast_to(array: Any, shape: Any, subok: bool = False) -> Tracer:
    x, wanted = trace_of(array), as_shape(shape)
    if np.broadcast_shapes(x.shape, wanted) != wanted:
        raise ValueError(f"cannot broadcast an array of shape {x.shape} to shape {wanted}")
    if x.shape == wanted:
        return x
    result: Tracer = bind(p.broadcast_to, x, shape=wanted)
    return result


@implements(np.broadcast_arrays)
def broadcast_arrays(*args: Any, subok: bool = False) -> tuple[Tracer, ...]:
    tracers = [trace_of(each) for each in args]
    shape = np.broadcast_shapes(*(x.shape for x in tracers))
    return tuple(broadcast_to(x, shape) for x in tracers)


def _at_least(rank: int) -> Callable[..., Any]:
    def handler(*arrays: Any) -> Any:
        results = []
        for each in arrays:
            x = trace_of(each)
            shape: tuple[int, ...] = x.shape
            if rank == 3 and x.ndim in (1, 2):
                shape = (1, *shape, 1) if x.ndim == 1 else (*shape, 1)
            results.append(reshape_to(x, (1,) * (rank - len(shape)) + shape))
        return results[0] if len(results) == 1 else tuple(results)

    return handler


for _rank, _function in ((1, np.atleast_1d), (2, np.atleast_2d), (3, np.atleast_3d)):
    implements(_function)(_at_least(_rank))


@implements(np.copy)
def copy(a: Any, order: str = "K", subok: bool = False) -> Tracer:
    """Values of a trace never change, so a copy is the same value under another name."""
    x = trace_of(a)
    trace = innermost([x])
    return Tracer(trace, trace.lift(x), x._weak)


@implements(np.astype)
def astype(x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Tracer:
    wanted = np.dtype(dtype)
    if wanted.kind not in "biufc":
        raise TypeError(
            f"a traced array cannot become {wanted}: bital computes with bool, integer, floating "
            "and complex arrays"
        )
    x = trace_of(x)
    x._check_view()
    result: Tracer = cast(x, wanted)
    return Tracer(result._trace, result._atom)


@implements(np.shape)
def shape(a: Any) -> tuple[int, ...]:
    return trace_of(a).shape


@implements(np.ndim)
def ndim(a: Any) -> int:
    return trace_of(a).ndim


@implements(np.size)
def size(a: Any, axis: Any = None) -> int:
    x = trace_of(a)
    return math.prod(x.shape[each] for each in normalize_axes(axis, x.ndim))


@implements(np.result_type)
def result_type(*arrays_and_dtypes: Any) -> np.dtype[Any]:
    kinds = [
        (x.kind(0) if isinstance(x.kind, type) else x.dtype) if isinstance(x, Tracer) else x
        for x in arrays_and_dtypes
    ]
    return np.result_type(*kinds)


# --- arrays made beside a traced one --------------------------------------------------------


def filled(shape: Any, value: Any, dtype: Any) -> Tracer:
    wanted = as_shape(shape)
    if isinstance(value, Tracer):
        return copy(broadcast_to(cast(value, dtype or value.dtype), wanted))
    array = np.asarray(operand(value))
    type_ = np.dtype(dtype or array.dtype)
    if array.ndim:
        return copy(broadcast_to(trace_of(array.astype(type_)), wanted))
    # A Python int must fit the dtype; an array's element is converted as astype does.
    literal = Literal(value if type(value) is int else array.astype(type_)[()], type_)
    if not wanted:
        # an equation, so that the scalar is a value of the trace like any other
        result: Tracer = bind(p.reshape, literal, shape=())
        return result
    stretched: Tracer = bind(p.broadcast_to, literal, shape=wanted)
    return stretched


def _like(value: Any) -> Callable[..., Tracer]:
    def handler(
        a: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None
    ) -> Tracer:
        x = trace_of(a)
        return filled(x.shape if shape is None else shape, value, dtype or x.dtype)

    return handler


zeros_like = implements(np.zeros_like, np.empty_like)(_like(0))
ones_like = implements(np.ones_like)(_like(1))


@implements(np.full_like)
def full_like(
    a: Any,
    fill_value: Any,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
) -> Tracer:
    x = trace_of(a)
    return filled(x.shape if shape is None else shape, fill_value, dtype or x.dtype)


@implements(np.zeros, np.empty)
def zeros(shape: Any, dtype: Any = float, order: str = "C") -> Tracer:
    return filled(shape, 0, dtype or float)


@implements(np.ones)
def ones(shape: Any, dtype: Any = None, order: str = "C") -> Tracer:
    return filled(shape, 1, dtype or float)


@implements(np.full)
def full(shape: Any, fill_value: Any, dtype: Any = None, order: str = "C") -> Tracer:
    return filled(shape, fill_value, dtype)


@implements(np.eye)
def eye(N: int, M: int | None = None, k: int = 0, dtype: Any = float, order: str = "C") -> Tracer:
    return trace_of(np.eye(N, M, k, dtype))


@implements(np.identity)
def identity(n: int, dtype: Any = None) -> Tracer:
    return trace_of(np.identity(n, dtype))


@implements(np.arange)
def arange(*args: Any, **kwargs: Any) -> Tracer:
    numbers: list[Any] = [plain(each, "np.arange")[()] for each in args]
    return trace_of(np.arange(*numbers, **kwargs))


@implements(np.array, np.asarray, np.asanyarray)
def array(object: Any, dtype: Any = None, **options: Any) -> Tracer:
    """``np.array([x, y], like=x)``: nested lists of traced values are stacked."""
    result: Tracer = _stack_nested(object)
    return result if dtype is None else astype(result, dtype)


def _stack_nested(value: Any) -> Any:
    if isinstance(value, (list, tuple)) and value:
        return np.stack([_stack_nested(item) for item in value])
    return copy(trace_of(value))


def split_points(x: Tracer, sections: Any, axis: int, exact: bool) -> Sequence[int]:
    length = x.shape[axis]
    if isinstance(sections, (int, np.integer)):
        if sections <= 0:
            raise ValueError(f"number of sections must be larger than 0, got {sections}")
        if exact and length % sections:
            raise ValueError(
                f"an axis of length {length} does not split into {sections} equal parts"
            )
        each, extra = divmod(length, int(sections))
        sizes = [each + 1] * extra + [each] * (int(sections) - extra)
        return [int(n) for n in np.cumsum(sizes)[:-1]]
    return [int(n) for n in plain(sections, "np.split points")]
