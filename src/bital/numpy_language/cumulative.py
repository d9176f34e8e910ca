"""NumPy's running sums and products, differences, and integrals of samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bital.numpy_language.dispatch import (
    cast,
    implements,
    normalize_axes,
    normalize_axis,
    trace_of,
)
from bital.numpy_language.reductions import accumulator
from bital.numpy_language.tracer import Tracer, bind
from bital.numpy_language.ufuncs import store
from bital.primitives import Primitive
from bital.primitives import cumulative as p


def accumulate(primitive: Primitive, x: Tracer, axis: Any) -> Tracer:
    """Along an axis; along all of them in C order where it is None."""
    if axis is None or (not x.ndim and axis in (0, -1)):
        x, axis = x.reshape(-1), 0
    result: Tracer = bind(primitive, x, axis=normalize_axis(axis, x.ndim), reverse=False)
    return result


def _accumulation(primitive: Primitive, name: str) -> Callable[..., Any]:
    def handler(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
        return store(out, accumulate(primitive, accumulator(trace_of(a), dtype), axis), name)

    return handler


cumsum = implements(np.cumsum)(_accumulation(p.cumsum, "cumsum"))
cumprod = implements(np.cumprod)(_accumulation(p.cumprod, "cumprod"))


def without_nan(x: Tracer, value: Any) -> Tracer:
    """x with another value where it is NaN: what is NaN has no derivative."""
    if x.dtype.kind not in "fc":
        return x
    result: Any = np.where(np.isnan(x), np.asarray(value, x.dtype), x)
    return trace_of(result)


@implements(np.nancumsum)
def nancumsum(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    """NaN counts as 0."""
    return cumsum(without_nan(trace_of(a), 0), axis, dtype, out)


@implements(np.nancumprod)
def nancumprod(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    """NaN counts as 1."""
    return cumprod(without_nan(trace_of(a), 1), axis, dtype, out)


def _cumulative(function: Callable[..., Any], start: int, name: str) -> Callable[..., Any]:
    """The array API's form: an axis must be named, and the empty sum or product may come first."""

    def handler(
        x: Any,
        /,
        *,
        axis: Any = None,
        dtype: Any = None,
        out: Any = None,
        include_initial: bool = False,
    ) -> Any:
        x = trace_of(x)
        if not x.ndim:
            x = x.reshape(1)
        if axis is None and x.ndim != 1:
            raise ValueError(f"np.{name} of {x!r} needs axis=: only one axis goes without")
        axis = normalize_axis(0 if axis is None else axis, x.ndim)
        result = function(x, axis, dtype)
        if include_initial:
            shape = (*x.shape[:axis], 1, *x.shape[axis + 1 :])
            result = np.concatenate(
                [np.full(shape, start, result.dtype, like=result), result], axis
            )
        return store(out, result, name)

    return handler


implements(np.cumulative_sum)(_cumulative(cumsum, 0, "cumulative_sum"))
implements(np.cumulative_prod)(_cumulative(cumprod, 1, "cumulative_prod"))

# --- differences ----------------------------------------------------------------------------


def along(axis: int, part: Any) -> tuple[Any, ...]:
    """The index that takes `part` of one axis, and all of those before it."""
    return (*(slice(None),) * axis, part)


@implements(np.diff)
def diff(
    a: Any, n: int = 1, axis: int = -1, prepend: Any = np._NoValue, append: Any = np._NoValue
) -> Any:
    x = trace_of(a)
    if n == 0:
        return x
    if n < 0:
        raise ValueError(f"np.diff: the order n must not be negative, got {n}")
    axis = normalize_axis(axis, x.ndim) if x.ndim else axis
    if not x.ndim:
        raise ValueError(f"np.diff needs an array of at least one axis, got {x!r}")
    ends = [
        None if end is np._NoValue else _end(trace_of(end), x, axis) for end in (prepend, append)
    ]
    parts = [part for part in (ends[0], x, ends[1]) if part is not None]
    result: Any = x if len(parts) == 1 else np.concatenate(parts, axis)
    for _ in range(n):
        ahead, behind = result[along(axis, slice(1, None))], result[along(axis, slice(-1))]
        result = ahead != behind if result.dtype == np.bool_ else ahead - behind
    return result


def _end(end: Tracer, x: Tracer, axis: int) -> Any:
    if end.ndim:
        return end
    return np.broadcast_to(end, (*x.shape[:axis], 1, *x.shape[axis + 1 :]))


@implements(np.ediff1d)
def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    x = trace_of(ary).reshape(-1)
    ends = (_in_dtype(to_begin, x, "to_begin"), x[1:] - x[:-1], _in_dtype(to_end, x, "to_end"))
    parts = [part for part in ends if part is not None]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _in_dtype(extra: Any, x: Tracer, name: str) -> Any:
    if extra is None:
        return None
    value = trace_of(extra)
    if not np.can_cast(value.dtype, x.dtype, casting="same_kind"):
        raise TypeError(f"np.ediff1d: {name} of dtype {value.dtype} does not fit {x!r}")
    return trace_of(cast(value, x.dtype)).reshape(-1)


@implements(np.gradient)
def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """Differences of second order inside, of `edge_order` at the ends.

    Notes
    -----
    B. Fornberg, Generation of finite difference formulas on arbitrarily spaced grids, Math. Comp.
    51 (1988).
    """
    x = trace_of(f)
    axes = normalize_axes(axis, x.ndim)
    if edge_order not in (1, 2):
        raise ValueError(f"np.gradient: edge_order must be 1 or 2, got {edge_order}")
    x = trace_of(cast(x, np.float64)) if x.dtype.kind in "iu" else x
    spacings = _spacings(x, varargs, axes)
    results = [_slope(x, d, a, edge_order) for d, a in zip(spacings, axes, strict=True)]
    return results[0] if len(results) == 1 else tuple(results)


def _spacings(x: Tracer, given: tuple[Any, ...], axes: tuple[int, ...]) -> list[Any]:
    """For each axis a number, or the distances between its points."""
    if not given:
        return [1.0] * len(axes)
    if len(given) == 1 and np.ndim(given[0]) == 0:
        return list(given) * len(axes)
    if len(given) != len(axes):
        raise TypeError(f"np.gradient: {len(given)} spacings do not fit the axes {axes} of {x!r}")
    return [
        _distances(each, x.shape[axis]) if np.ndim(each) else each
        for each, axis in zip(given, axes, strict=True)
    ]


def _distances(points: Any, length: int) -> Any:
    points = points if isinstance(points, Tracer) else np.asarray(points)
    if points.shape != (length,):
        raise ValueError(
            f"np.gradient: points of shape {points.shape} do not fit an axis of length {length}; "
            "spacings must be numbers or have one axis, of that length"
        )
    if points.dtype.kind in "iu":
        points = points.astype(np.float64)
    steps = np.diff(points)
    even = not isinstance(steps, Tracer) and bool((steps == steps[0]).all())
    return steps[0] if even else steps


def _slope(x: Tracer, d: Any, axis: int, edge_order: int) -> Any:
    length = x.shape[axis]
    if length < edge_order + 1:
        raise ValueError(
            f"np.gradient: an axis of length {length} is too short for edge_order={edge_order}"
        )
    column = (-1, *(1,) * (x.ndim - axis - 1))

    def at(start: int, stop: int | None) -> Any:
        return x[along(axis, slice(start, stop))]

    if np.ndim(d) == 0:
        first, last = d, d
        inside = (at(2, None) - at(0, -2)) / (2.0 * d)
    else:
        first, last = d[0], d[-1]
        a, b = (each.reshape(column) for each in (d[:-1], d[1:]))
        inside = (
            -b / (a * (a + b)) * at(0, -2)
            + (b - a) / (a * b) * at(1, -1)
            + a / (b * (a + b)) * at(2, None)
        )
    if edge_order == 1:
        front = (at(1, 2) - at(0, 1)) / first
        back = (at(length - 1, None) - at(length - 2, length - 1)) / last
    else:
        a, b, c = _edge(first, first if np.ndim(d) == 0 else d[1])
        front = a * at(0, 1) + b * at(1, 2) + c * at(2, 3)
        a, b, c = _edge(last, last if np.ndim(d) == 0 else d[-2])
        n = length
        back = -c * at(n - 3, n - 2) - b * at(n - 2, n - 1) - a * at(n - 1, n)
    dtype = x.dtype if x.dtype.kind in "fc" else np.float64
    return cast(np.concatenate([front, inside, back], axis), dtype)


def _edge(near: Any, far: Any) -> tuple[Any, Any, Any]:
    """Weights of the first three points, whose distances are `near` and `far`."""
    return (
        -(2.0 * near + far) / (near * (near + far)),
        (near + far) / (near * far),
        -near / (far * (near + far)),
    )


@implements(np.trapezoid)
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """``sum(d * (y[1:] + y[:-1]) / 2)``."""
    y = trace_of(y)
    axis = normalize_axis(axis, y.ndim)
    d = dx
    if x is not None:
        x = trace_of(x)
        d = np.diff(x, axis=axis if x.ndim != 1 else 0)
        if x.ndim == 1:
            d = d.reshape(-1, *(1,) * (y.ndim - axis - 1))
    pairs = y[along(axis, slice(1, None))] + y[along(axis, slice(-1))]
    return (d * pairs / 2.0).sum(axis)
