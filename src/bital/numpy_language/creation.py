"""Arrays made from a few traced values: ranges between them, grids, triangles and diagonals."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from bital.numpy_language.dispatch import (
    cast,
    implements,
    operand,
    plain,
    result_dtype,
    trace_of,
)
from bital.numpy_language.indexing import nonzero, written
from bital.numpy_language.joining import concatenate, stack
from bital.numpy_language.products import diagonal
from bital.numpy_language.shapes import astype, broadcast_to, copy, filled, moveaxis, reshape_to
from bital.numpy_language.tracer import Tracer
from bital.numpy_language.ufuncs import where

# --- ranges ---------------------------------------------------------------------------------


@implements(np.linspace)
def linspace(
    start: Any,
    stop: Any,
    num: Any = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    """``start + arange(num) * step``, ending with stop itself."""
    count = int(plain(num, "np.linspace num").__index__())
    if count < 0:
        raise ValueError(f"np.linspace: number of samples must not be negative, got {count}")
    first, last = operand(start), operand(stop)
    kind = result_dtype(first, last, float(count))
    x, y = (trace_of(cast(trace_of(each), kind)) for each in (first, last))
    rank = max(x.ndim, y.ndim)
    steps = count - 1 if endpoint else count
    delta = y - x
    step: Any = delta / steps if steps > 0 else delta * np.nan
    index = np.arange(count, dtype=kind).reshape((-1,) + (1,) * rank)
    scaled = index * step
    if steps > 0:  # where the step underflows to 0, the range is divided last, as in NumPy
        scaled = where(step == 0, (index / steps) * delta, scaled)
    result: Any = scaled + x if steps > 0 else index * delta + x
    if endpoint and count > 1:
        result = concatenate([result[:-1], broadcast_to(y, result.shape[1:])[np.newaxis]])
    result = moveaxis(result, 0, axis)
    if dtype is not None and np.dtype(dtype).kind in "iu":
        result = np.floor(result)
    result = result if dtype is None else astype(result, dtype)
    return (result, step) if retstep else result


@implements(np.logspace)
def logspace(
    start: Any,
    stop: Any,
    num: Any = 50,
    endpoint: bool = True,
    base: Any = 10.0,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    """``base ** linspace(start, stop)``."""
    base = operand(base)
    rank = max(np.ndim(start), np.ndim(stop), np.ndim(base))
    if np.ndim(base):
        base = np.expand_dims(trace_of(base), axis)
        start, stop = (
            reshape_to(x, (1,) * (rank - x.ndim) + x.shape) for x in map(trace_of, (start, stop))
        )
    result = np.power(base, linspace(start, stop, num, endpoint, axis=axis))
    return result if dtype is None else astype(result, dtype)


@implements(np.geomspace)
def geomspace(
    start: Any,
    stop: Any,
    num: Any = 50,
    endpoint: bool = True,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    """Equal ratios, from start to stop itself; both of one sign and not zero."""
    first, last = operand(start), operand(stop)
    kind = result_dtype(first, last, np.zeros((), dtype or float))
    x, y = (trace_of(cast(trace_of(each), kind)) for each in (first, last))
    sign = np.sign(x)
    x, y = x / sign, y / sign
    logs = linspace(np.log10(x), np.log10(y), num, endpoint)
    result: Any = np.power(kind.type(10), logs)
    count = result.shape[0]
    if count > 0:
        result = concatenate([broadcast_to(x, result.shape[1:])[np.newaxis], result[1:]])
    if count > 1 and endpoint:
        result = concatenate([result[:-1], broadcast_to(y, result.shape[1:])[np.newaxis]])
    result = moveaxis(result * sign, 0, axis)
    return result if dtype is None else astype(result, dtype)


# --- grids ----------------------------------------------------------------------------------


@implements(np.meshgrid)
def meshgrid(
    *xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy"
) -> tuple[Tracer, ...]:
    if indexing not in ("xy", "ij"):
        raise ValueError(f"np.meshgrid: indexing must be 'xy' or 'ij', got {indexing!r}")
    rank = len(xi)
    places = list(range(rank))
    if indexing == "xy" and rank > 1:
        places[:2] = [1, 0]
    grids = [
        trace_of(x).reshape((1,) * place + (-1,) + (1,) * (rank - place - 1))
        for x, place in zip(xi, places, strict=True)
    ]
    if sparse:
        return tuple(grids)
    shape = np.broadcast_shapes(*(grid.shape for grid in grids))
    return tuple(broadcast_to(grid, shape) for grid in grids)


@implements(np.ix_)
def ix_(*args: Any) -> tuple[Any, ...]:
    results = []
    for place, each in enumerate(args):
        x = trace_of(each)
        if x.ndim != 1:
            raise ValueError(f"np.ix_ takes arrays of one axis, got {x!r}")
        index = nonzero(x)[0] if x.dtype == np.bool_ else x
        results.append(index.reshape((1,) * place + (-1,) + (1,) * (len(args) - place - 1)))
    return tuple(results)


@implements(np.vander)
def vander(x: Any, N: int | None = None, increasing: bool = False) -> Tracer:
    """Columns 1, x, x * x, ..., made by multiplying."""
    x = trace_of(x)
    if x.ndim != 1:
        raise ValueError(f"np.vander takes an array of one axis, got {x!r}")
    count = x.size if N is None else N
    kind = np.promote_types(x.dtype, int)
    columns = [filled(x.shape, 1, kind)]
    base = trace_of(cast(x, kind))
    while len(columns) < count:
        columns.append(columns[-1] * base if len(columns) > 1 else copy(base))
    columns = columns[:count]
    if not columns:
        return filled((x.size, 0), 0, kind)
    return trace_of(stack(columns if increasing else columns[::-1], axis=1))


# --- triangles and diagonals ----------------------------------------------------------------


@implements(np.tri)
def tri(N: int, M: int | None = None, k: int = 0, dtype: Any = float) -> Tracer:
    return trace_of(np.tri(N, M, k, dtype))


def _triangle(upper: bool) -> Callable[..., Tracer]:
    def handler(m: Any, k: int = 0) -> Tracer:
        x = trace_of(m)
        rows, columns = x.shape[-2:] if x.ndim > 1 else (x.size, x.size)
        mask = np.tri(rows, columns, k - 1 if upper else k, bool)
        result: Tracer = where(~mask if upper else mask, x, x.dtype.type(0))
        return result

    return handler


tril = implements(np.tril)(_triangle(False))
triu = implements(np.triu)(_triangle(True))


@implements(np.tril_indices_from)
def tril_indices_from(arr: Any, k: int = 0) -> Any:
    return np.tril_indices(arr.shape[-2], k=k, m=arr.shape[-1])


@implements(np.triu_indices_from)
def triu_indices_from(arr: Any, k: int = 0) -> Any:
    return np.triu_indices(arr.shape[-2], k=k, m=arr.shape[-1])


@implements(np.diag_indices_from)
def diag_indices_from(arr: Any) -> Any:
    return np.diag_indices_from(np.broadcast_to(np.int8(0), arr.shape))


@implements(np.diag)
def diag(v: Any, k: int = 0) -> Tracer:
    """The diagonal of a matrix, or the matrix with a vector on its diagonal."""
    x = trace_of(v)
    if x.ndim == 2:
        return diagonal(x, k)
    if x.ndim != 1:
        raise ValueError(f"np.diag takes arrays of one or two axes, got {x!r}")
    size = x.size + abs(k)
    padded = concatenate([x, filled((abs(k),), 0, x.dtype)])
    spread = padded.reshape((-1, 1) if k >= 0 else (1, -1))
    result: Tracer = where(np.eye(size, k=k, dtype=bool), spread, x.dtype.type(0))
    return result


@implements(np.diagflat)
def diagflat(v: Any, k: int = 0) -> Tracer:
    return diag(trace_of(v).reshape(-1), k)


@implements(np.fill_diagonal)
def fill_diagonal(a: Any, val: Any, wrap: bool = False) -> None:
    from bital.numpy_language.choosing import cycled, destination

    x = destination(a, "np.fill_diagonal")
    if x.ndim < 2:
        raise ValueError(f"np.fill_diagonal: array must be at least 2-d, got {x!r}")
    if x.ndim == 2:
        step = x.shape[1] + 1
        end = x.size if wrap else min(x.size, x.shape[1] * x.shape[1])
    elif len(set(x.shape)) > 1:
        raise ValueError(f"np.fill_diagonal: all axes must be of equal length, got {x.shape}")
    else:
        step, end = 1 + sum(math.prod(x.shape[:i]) for i in range(1, x.ndim)), x.size
    flat = x.reshape(-1)
    values = cycled(val, len(range(0, end, step)), "np.fill_diagonal")
    x.write(reshape_to(written(flat, slice(0, end, step), values), x.shape))
