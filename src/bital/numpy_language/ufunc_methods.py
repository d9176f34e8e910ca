"""What every ufunc can do: ``where=``, ``dtype=``, and ``reduce``, ``at`` and its other methods."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bital.numpy_language import indexing
from bital.numpy_language.dispatch import (
    REDUCTIONS,
    UFUNC_METHODS,
    UFUNCS,
    cast,
    kind_of,
    normalize_axes,
    normalize_axis,
    operand,
    plain,
    resolve,
    trace_of,
    ufunc_name,
    unsupported,
)
from bital.numpy_language.joining import concatenate, stack
from bital.numpy_language.shapes import broadcast_to, moveaxis, reshape_to
from bital.numpy_language.tracer import Trace, Tracer, bind, tracing
from bital.numpy_language.ufuncs import as_bool
from bital.numpy_language.ufuncs import where as select
from bital.primitives import indexing as indexing_p
from bital.primitives.loops import scan
from bital.program import ArrayType, Program

# Any two neighbours may be joined first. The others go from left to right, one by one.
_ASSOCIATIVE = {
    *(np.logical_and, np.logical_or, np.logical_xor),
    *(np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.gcd, np.lcm),
    *(np.maximum, np.minimum, np.fmax, np.fmin),
    *(np.logaddexp, np.logaddexp2, np.hypot, np.add, np.multiply),
}
_LOGICAL = {np.logical_and, np.logical_or, np.logical_xor}


def _method(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def register(handler: Callable[..., Any]) -> Callable[..., Any]:
        UFUNC_METHODS[name] = handler
        return handler

    return register


# --- calls ----------------------------------------------------------------------------------


@_method("__call__")
def call(
    ufunc: np.ufunc,
    *inputs: Any,
    out: Sequence[Any] = (),
    where: Any = True,
    dtype: Any = None,
    casting: Any = None,
    signature: Any = None,
    **options: Any,
) -> Any:
    """``dtype=``, ``signature=`` and ``casting=`` choose the loop, as in `ufunc.resolve_dtypes`.

    ``where=`` needs ``out=``, whose elements stay where it is false.
    """
    if dtype is not None or casting is not None or signature is not None:
        inputs = tuple(_in_loop(ufunc, inputs, dtype, casting, signature))
    result = UFUNCS[ufunc](*inputs, **options)
    if where is True:
        return result
    results = result if isinstance(result, tuple) else (result,)
    olds = tuple(out) or (None,) * len(results)
    chosen = tuple(_chosen(ufunc, where, new, old) for new, old in zip(results, olds, strict=True))
    return chosen if isinstance(result, tuple) else chosen[0]


def _in_loop(
    ufunc: np.ufunc, inputs: Sequence[Any], dtype: Any, casting: Any, signature: Any
) -> list[Tracer]:
    operands = [operand(value) for value in inputs]
    if isinstance(signature, str):
        left, _, right = signature.partition("->")
        signature = (*left, *right) if right else (left,)
    if signature is not None:
        wanted = tuple(None if each is None else np.dtype(each) for each in signature)
        if len(wanted) == 1:
            wanted = (*(None,) * ufunc.nin, *wanted * ufunc.nout)
    elif dtype is not None:
        wanted = (*(None,) * ufunc.nin, *(np.dtype(dtype),) * ufunc.nout)
    else:
        wanted = None
    loop = resolve(ufunc, *map(kind_of, operands), signature=wanted, casting=casting or "same_kind")
    return [trace_of(cast(value, kind)) for value, kind in zip(operands, loop, strict=False)]


def _chosen(ufunc: np.ufunc, where: Any, new: Tracer, old: Any) -> Tracer:
    if old is None:
        name = ufunc_name(ufunc)
        raise unsupported(
            f"{name}(..., where=...) without out=",
            f"np.where(mask, {name}(x), other): elements where the mask is false are undefined",
        )
    mask = _as_mask(where, ufunc)
    shape = np.broadcast_shapes(mask.shape, new.shape)
    result: Tracer = select(mask, broadcast_to(new, shape), old)
    return result


def _as_mask(where: Any, ufunc: np.ufunc) -> Tracer:
    mask = trace_of(where)
    if mask.dtype != np.bool_:
        raise TypeError(f"{ufunc_name(ufunc)}: where= must be an array of bools, got {mask!r}")
    return mask


@_method("outer")
def outer(ufunc: np.ufunc, a: Any, b: Any, **options: Any) -> Any:
    x, y = trace_of(a), trace_of(b)
    return call(ufunc, x.reshape(x.shape + (1,) * y.ndim), y, **options)


# --- reduce and accumulate ------------------------------------------------------------------


@_method("reduce")
def reduce(
    ufunc: np.ufunc,
    array: Any,
    axis: Any = 0,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = np._NoValue,
    where: Any = True,
) -> Any:
    """From left to right, or in a tree where the ufunc is associative."""
    options = {} if dtype is None else {"dtype": dtype}
    options |= {} if initial is np._NoValue else {"initial": initial}
    if ufunc in REDUCTIONS and not (ufunc in _LOGICAL and options):
        return REDUCTIONS[ufunc](array, axis=axis, keepdims=keepdims, where=where, **options)
    x = _operand_of(ufunc, array, dtype)
    axes = () if not x.shape and axis in (0, -1) else normalize_axes(axis, x.ndim)
    if ufunc not in _ASSOCIATIVE and (len(axes) != 1 or where is not True):
        raise ValueError(
            f"{ufunc_name(ufunc)}.reduce goes along one axis and takes no where=, since its order "
            f"matters; got axis={axis}"
        )
    if where is not True:
        x = _masked(ufunc, x, where, initial)
    kept = tuple(1 if i in axes else n for i, n in enumerate(x.shape))
    shape = kept if keepdims else tuple(n for i, n in enumerate(x.shape) if i not in axes)
    x = moveaxis(x, axes, range(len(axes)))
    x = reshape_to(x, (math.prod(x.shape[: len(axes)]), *x.shape[len(axes) :]))
    # The identity only matters to fewer than two: np.hypot.reduce([-3.0]) is 3.
    start = ufunc.identity if initial is np._NoValue and x.shape[0] < 2 else initial
    if start is not np._NoValue and start is not None:
        first = broadcast_to(trace_of(cast(operand(start), x.dtype)), (1, *x.shape[1:]))
        x = concatenate([first, x])
    if not x.shape[0]:
        raise ValueError(f"{ufunc_name(ufunc)}.reduce over an empty axis has no value")
    return reshape_to(_folded(ufunc, x), shape)


def _operand_of(ufunc: np.ufunc, array: Any, dtype: Any = None) -> Tracer:
    """The array in the dtype in which a ufunc of two operands takes its own results."""
    x = trace_of(array)
    if ufunc.nin != 2 or ufunc.nout != 1:
        raise ValueError(f"{ufunc_name(ufunc)} does not take two operands and give one result")
    if ufunc in _LOGICAL:
        return as_bool(x)
    if dtype is not None:
        x = trace_of(cast(x, dtype))
    left, right, result = resolve(ufunc, x.dtype, x.dtype)
    if not left == right == result:
        raise TypeError(
            f"{ufunc_name(ufunc)} of {x.dtype} gives {result}, which it cannot go on with"
        )
    return trace_of(cast(x, left))


def _masked(ufunc: np.ufunc, x: Tracer, where: Any, initial: Any) -> Tracer:
    neutral = ufunc.identity if initial is np._NoValue else initial
    if neutral is None:
        raise ValueError(f"{ufunc_name(ufunc)}.reduce with where= needs initial=, as in NumPy")
    masked: Tracer = select(_as_mask(where, ufunc), x, trace_of(cast(operand(neutral), x.dtype)))
    return masked


def _folded(ufunc: np.ufunc, x: Tracer) -> Tracer:
    """One element of the first axis out of all."""
    if ufunc not in _ASSOCIATIVE:
        return _scanned(ufunc, x)[0]
    while x.shape[0] > 1:
        half = x.shape[0] // 2
        joined = UFUNCS[ufunc](x[:half], x[half : 2 * half])
        x = concatenate([joined, x[2 * half :]]) if x.shape[0] % 2 else joined
    first: Tracer = x[0]
    return first


def _scanned(ufunc: np.ufunc, x: Tracer) -> list[Tracer]:
    """The last and all results from left to right, by a loop."""
    row = ArrayType(x.shape[1:], x.dtype)
    body = _recorded(lambda total, each: [UFUNCS[ufunc](total, each)] * 2, row, row)
    params = {"length": x.shape[0] - 1, "n_consts": 0, "n_carry": 1, "reverse": False}
    last, rest = bind(scan, x[0], x[1:], body=body, **params)
    return [last, concatenate([x[:1], rest])]


def _recorded(step: Callable[..., Sequence[Tracer]], *types: ArrayType) -> Program:
    trace = Trace("step", values_known=False, freeze=True)
    with tracing(trace):
        inputs = [Tracer(trace, trace.builder.input(each)) for each in types]
        outputs = [trace.lift(each) for each in step(*inputs)]
    return trace.builder.build(outputs)


@_method("accumulate")
def accumulate(
    ufunc: np.ufunc, array: Any, axis: int = 0, dtype: Any = None, out: Any = None
) -> Any:
    """Sums and products as np.cumsum and np.cumprod; by doubling where the ufunc is associative."""
    if ufunc in (np.add, np.multiply):
        cumulative: Any = np.cumsum if ufunc is np.add else np.cumprod
        return cumulative(trace_of(array), axis=axis, dtype=dtype)
    x = _operand_of(ufunc, array, dtype)
    axis = normalize_axis(axis, x.ndim)
    rows = moveaxis(x, axis, 0)
    if rows.shape[0] < 2:
        return x.copy()
    if ufunc not in _ASSOCIATIVE:
        return moveaxis(_scanned(ufunc, rows)[1], 0, axis)
    reach = 1
    while reach < rows.shape[0]:
        joined = UFUNCS[ufunc](rows[:-reach], rows[reach:])
        rows = concatenate([rows[:reach], joined])
        reach *= 2
    return moveaxis(rows, 0, axis)


@_method("reduceat")
def reduceat(
    ufunc: np.ufunc,
    array: Any,
    indices: Any,
    axis: int = 0,
    dtype: Any = None,
    out: Any = None,
) -> Any:
    """From each index to the next one, or one element where the next one is not larger."""
    x = trace_of(array)
    axis = normalize_axis(axis, x.ndim)
    points = plain(indices, f"{ufunc_name(ufunc)}.reduceat indices")
    points = points if points.size else points.astype(np.intp)
    if points.dtype.kind not in "iu" or points.ndim != 1:
        raise TypeError(f"{ufunc_name(ufunc)}.reduceat needs an axis of integers, got {indices!r}")
    length = x.shape[axis]
    outside = points[(points < 0) | (points >= length)]
    if outside.size:
        raise IndexError(f"index {outside[0]} is out of bounds for an axis of length {length}")
    rows = moveaxis(x, axis, 0)
    kept = reduce(ufunc, rows[:1], dtype=dtype, keepdims=True)
    if not points.size:
        return moveaxis(kept[:0], 0, axis)
    parts = [
        reduce(ufunc, rows[start:stop], dtype=dtype)
        if stop > start + 1
        else trace_of(cast(rows[start], kept.dtype))
        for start, stop in zip(points, [*points[1:], length], strict=True)
    ]
    return moveaxis(stack(parts), 0, axis)


# --- at -------------------------------------------------------------------------------------


@_method("at")
def at(ufunc: np.ufunc, a: Any, indices: Any, *others: Any) -> None:
    """``a[indices] = ufunc(a[indices], *others)``, element for element where indices repeat."""
    if not isinstance(a, Tracer):
        raise unsupported(
            f"{ufunc_name(ufunc)}.at into a plain array",
            "make the array part of the trace first: a = np.zeros(n, like=x)",
        )
    if len(others) != ufunc.nin - 1 or ufunc.nout != 1:
        raise ValueError(
            f"{ufunc_name(ufunc)}.at takes {ufunc.nin - 1} operands behind the indices, and one "
            f"result; got {len(others)} operands"
        )
    a.write(_updated(ufunc, a, indices, others))


def _updated(ufunc: np.ufunc, a: Tracer, indices: Any, others: Sequence[Any]) -> Tracer:
    parsed = indexing.parse(a, indices)
    if parsed.is_basic:
        return indexing.written(a, indices, _applied(ufunc, a, a[indices], others))
    shape = indexing.read_shape(a, indices)
    grid = indexing.grid(a, parsed)
    spread = np.broadcast_shapes(*(each.shape for each in grid))
    updates = [
        indexing.to_grid(broadcast_to(trace_of(each), shape), a, parsed, len(spread))
        for each in others
    ]
    updates = [broadcast_to(each, spread) for each in updates]
    if ufunc in (np.add, np.subtract) and _adds_up(ufunc, a, updates[0]):
        update = trace_of(cast(updates[0], a.dtype))
        update = update if ufunc is np.add else -update
        total: Tracer = bind(indexing_p.scatter_add, a, update, *grid)
        return total
    if _are_distinct(a, grid, spread):
        value = _applied(ufunc, a, bind(indexing_p.gather, a, *grid), updates)
        written: Tracer = bind(indexing_p.scatter, a, value, *grid)
        return written
    return _updated_in_turn(ufunc, a, grid, spread, updates)


def _applied(ufunc: np.ufunc, a: Tracer, old: Tracer, others: Sequence[Any]) -> Tracer:
    return trace_of(cast(UFUNCS[ufunc](old, *others), a.dtype))  # unsafe casting, as NumPy's


def _adds_up(ufunc: np.ufunc, a: Tracer, update: Tracer) -> bool:
    """Whether sums in the dtype of the array are what NumPy makes, one update after another."""
    return a.dtype.kind != "b" and resolve(ufunc, a.dtype, update.dtype)[-1].kind == a.dtype.kind


def _are_distinct(a: Tracer, grid: Sequence[Any], spread: tuple[int, ...]) -> bool:
    """Whether each place is written once, as far as that is known."""
    if any(isinstance(each, Tracer) for each in grid):
        return False
    flat = np.ravel_multi_index([np.broadcast_to(g, spread) for g in grid], a.shape, mode="wrap")
    return bool(np.unique(flat).size == flat.size)


def _updated_in_turn(
    ufunc: np.ufunc,
    a: Tracer,
    grid: Sequence[Any],
    spread: tuple[int, ...],
    updates: Sequence[Tracer],
) -> Tracer:
    places = [broadcast_to(trace_of(each), spread).reshape(-1) for each in grid]
    steps = [*places, *(each.reshape(-1) for each in updates)]

    def step(array: Tracer, *items: Tracer) -> list[Tracer]:
        place, values = items[: len(places)], items[len(places) :]
        value = _applied(ufunc, a, bind(indexing_p.gather, array, *place), values)
        return [bind(indexing_p.scatter, array, value, *place)]

    body = _recorded(
        step, ArrayType(a.shape, a.dtype), *(ArrayType((), each.dtype) for each in steps)
    )
    params = {"length": steps[0].size, "n_consts": 0, "n_carry": 1, "reverse": False}
    result: Tracer = bind(scan, a, *steps, body=body, **params)[0]
    return result
