"""NumPy's functions that join arrays, cut them and repeat their edges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bital.numpy_language.dispatch import (
    cast,
    implements,
    normalize_axes,
    normalize_axis,
    operand,
    plain,
    result_dtype,
    trace_of,
    unsupported,
)
from bital.numpy_language.shapes import expand_dims, filled, moveaxis, split_points
from bital.numpy_language.tracer import Tracer, bind
from bital.numpy_language.ufuncs import store
from bital.primitives import shape as p


def _common(arrays: Sequence[Any], dtype: Any = None) -> list[Tracer]:
    values = [operand(each) for each in arrays]
    if not values:
        raise ValueError("need at least one array")
    wanted = result_dtype(*values) if dtype is None else np.dtype(dtype)
    return [trace_of(cast(trace_of(each), wanted)) for each in values]


@implements(np.concatenate)
def concatenate(
    arrays: Sequence[Any], /, axis: Any = 0, out: Any = None, *, dtype: Any = None
) -> Any:
    xs = _common(arrays, dtype)
    if axis is None:
        xs, axis = [x.reshape(-1) for x in xs], 0
    if any(x.ndim == 0 for x in xs):
        raise ValueError(f"0-d arrays cannot be concatenated, got {xs}; use np.stack")
    axis = normalize_axis(axis, xs[0].ndim)
    rests = [(*x.shape[:axis], *x.shape[axis + 1 :]) for x in xs]
    if any(x.ndim != xs[0].ndim for x in xs) or any(rest != rests[0] for rest in rests):
        raise ValueError(
            f"np.concatenate along axis {axis}: all other axes must be of equal length, got shapes "
            + ", ".join(str(x.shape) for x in xs)
        )
    result = xs[0].copy() if len(xs) == 1 else bind(p.concatenate, *xs, axis=axis)
    return store(out, result, "concatenate")


@implements(np.stack)
def stack(arrays: Sequence[Any], axis: int = 0, out: Any = None, *, dtype: Any = None) -> Any:
    xs = _common(arrays, dtype)
    if any(x.shape != xs[0].shape for x in xs):
        shapes = ", ".join(str(x.shape) for x in xs)
        raise ValueError(f"np.stack: all arrays must have the same shape, got {shapes}")
    return concatenate([expand_dims(x, axis) for x in xs], axis, out)


@implements(np.vstack)
def vstack(tup: Sequence[Any], *, dtype: Any = None) -> Any:
    return concatenate([np.atleast_2d(trace_of(x)) for x in tup], 0, dtype=dtype)


@implements(np.hstack)
def hstack(tup: Sequence[Any], *, dtype: Any = None) -> Any:
    xs: list[Any] = [np.atleast_1d(trace_of(x)) for x in tup]
    return concatenate(xs, 0 if xs[0].ndim == 1 else 1, dtype=dtype)


@implements(np.column_stack)
def column_stack(tup: Sequence[Any]) -> Any:
    xs = [trace_of(x) for x in tup]
    return concatenate([x if x.ndim > 1 else x.reshape(-1, 1) for x in xs], 1)


@implements(np.append)
def append(arr: Any, values: Any, axis: Any = None) -> Any:
    return concatenate([trace_of(arr), trace_of(values)], axis)


def _split(ary: Any, sections: Any, axis: int, exact: bool) -> list[Tracer]:
    x = trace_of(ary)
    axis = normalize_axis(axis, x.ndim)
    points = split_points(x, sections, axis, exact)
    lead = (slice(None),) * axis
    bounds = zip([0, *points], [*points, x.shape[axis]], strict=True)
    return [x[(*lead, slice(start, stop))] for start, stop in bounds]


@implements(np.split)
def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Tracer]:
    return _split(ary, indices_or_sections, axis, True)


@implements(np.array_split)
def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Tracer]:
    return _split(ary, indices_or_sections, axis, False)


@implements(np.vsplit)
def vsplit(ary: Any, indices_or_sections: Any) -> list[Tracer]:
    if np.ndim(ary) < 2:
        raise ValueError(f"np.vsplit takes arrays of 2 or more axes, got {ary!r}")
    return _split(ary, indices_or_sections, 0, True)


@implements(np.hsplit)
def hsplit(ary: Any, indices_or_sections: Any) -> list[Tracer]:
    return _split(ary, indices_or_sections, 1 if np.ndim(ary) > 1 else 0, True)


@implements(np.unstack)
def unstack(x: Any, /, *, axis: int = 0) -> tuple[Tracer, ...]:
    return tuple(moveaxis(trace_of(x), axis, 0))


@implements(np.flip)
def flip(m: Any, axis: Any = None) -> Tracer:
    x = trace_of(m)
    axes = normalize_axes(axis, x.ndim)
    result: Tracer = x[tuple(slice(None, None, -1 if i in axes else 1) for i in range(x.ndim))]
    return result


@implements(np.flipud)
def flipud(m: Any) -> Tracer:
    return flip(m, 0)


@implements(np.fliplr)
def fliplr(m: Any) -> Tracer:
    return flip(m, 1)


# How the modes of np.pad that repeat elements number them, beyond an axis of length n.
_PAD_SOURCES = {
    "edge": lambda i, n: np.clip(i, 0, n - 1),
    "wrap": lambda i, n: i % n,
    "reflect": lambda i, n: n - 1 - np.abs(n - 1 - i % max(2 * (n - 1), 1)),
    "symmetric": lambda i, n: np.minimum(i % (2 * n), 2 * n - 1 - i % (2 * n)),
}


@implements(np.pad)
def pad(array: Any, pad_width: Any, mode: str = "constant", *, constant_values: Any = 0) -> Tracer:
    x = trace_of(array)
    widths = _pairs(pad_width, x.ndim, "np.pad widths")
    if any(w < 0 for pair in widths for w in pair):
        raise ValueError(f"np.pad: widths cannot be negative, got {pad_width}")
    if mode == "constant":
        return _pad_constant(x, widths, constant_values)
    if mode not in _PAD_SOURCES:
        known = ", ".join(["constant", *_PAD_SOURCES])
        raise unsupported(f"pad(..., mode={mode!r})", f"one of the modes {known}")
    for axis, (before, after) in enumerate(widths):
        length = x.shape[axis]
        if (before or after) and length == 0:
            raise ValueError(f"np.pad: axis {axis} is empty, mode {mode!r} has nothing to repeat")
        if before or after:
            source = _PAD_SOURCES[mode](np.arange(-before, length + after), length)
            x = np.take(x, source, axis=axis)
    return x


def _pairs(values: Any, ndim: int, name: str) -> list[tuple[int, int]]:
    if isinstance(values, dict):
        table = [(0, 0)] * ndim
        for axis, pair in values.items():
            before, after = (pair, pair) if isinstance(pair, int) else pair
            table[normalize_axis(axis, ndim)] = (before, after)
        return table
    pairs = np.broadcast_to(plain(values, name), (ndim, 2))
    if pairs.dtype.kind not in "iu":
        raise TypeError(f"np.pad: widths must be integers, got {values!r}")
    return [(int(before), int(after)) for before, after in pairs]


def _pad_constant(x: Tracer, widths: list[tuple[int, int]], values: Any) -> Tracer:
    fill = np.broadcast_to(plain(values, "np.pad constants"), (x.ndim, 2))
    for axis, (before, after) in enumerate(widths):
        blocks = [
            filled((*x.shape[:axis], width, *x.shape[axis + 1 :]), value.astype(x.dtype), x.dtype)
            for width, value in zip((before, after), fill[axis], strict=True)
        ]
        if before or after:
            x = bind(p.concatenate, blocks[0], x, blocks[1], axis=axis)
    return x
