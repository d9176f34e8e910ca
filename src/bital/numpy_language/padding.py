"""``np.pad``, in all of its modes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bital.numpy_language.creation import linspace
from bital.numpy_language.dispatch import (
    cast,
    implements,
    normalize_axis,
    plain,
    trace_of,
    unsupported,
)
from bital.numpy_language.indexing import take
from bital.numpy_language.joining import concatenate, flip
from bital.numpy_language.shapes import broadcast_to, filled
from bital.numpy_language.tracer import Tracer, bind
from bital.numpy_language.ufuncs import where
from bital.primitives import shape as p

# How the modes of np.pad that repeat elements number them, beyond an axis of length n.
_PAD_SOURCES = {
    "edge": lambda i, n: np.clip(i, 0, n - 1),
    "wrap": lambda i, n: i % n,
    "reflect": lambda i, n: n - 1 - np.abs(n - 1 - i % max(2 * (n - 1), 1)),
    "symmetric": lambda i, n: np.minimum(i % (2 * n), 2 * n - 1 - i % (2 * n)),
}


_STATISTICS: dict[str, Callable[..., Any]] = {
    "maximum": np.max,
    "minimum": np.min,
    "mean": np.mean,
    "median": np.median,
}


@implements(np.pad)
def pad(
    array: Any,
    pad_width: Any,
    mode: Any = "constant",
    *,
    constant_values: Any = 0,
    end_values: Any = 0,
    stat_length: Any = None,
    reflect_type: str = "even",
) -> Tracer:
    """Axis after axis, as NumPy does. ``mode="empty"`` gives zeros."""
    x = trace_of(array)
    widths = _pairs(pad_width, x.ndim, "np.pad widths")
    if any(w < 0 for pair in widths for w in pair):
        raise ValueError(f"np.pad: widths cannot be negative, got {pad_width}")
    if mode in ("constant", "empty"):
        return _pad_constant(x, widths, constant_values if mode == "constant" else 0)
    if mode in _PAD_SOURCES:
        return _pad_repeated(x, widths, mode, reflect_type)
    if mode == "linear_ramp":
        return _pad_ramp(x, widths, _values(end_values, x.ndim, "np.pad end_values"))
    if mode in _STATISTICS:
        return _pad_statistic(x, widths, mode, stat_length)
    known = ", ".join(["constant", *_PAD_SOURCES, "linear_ramp", *_STATISTICS, "empty"])
    raise unsupported(f"pad(..., mode={mode!r})", f"one of the modes {known}")


def _pad_repeated(x: Tracer, widths: list[tuple[int, int]], mode: str, reflect_type: str) -> Tracer:
    for axis, (before, after) in enumerate(widths):
        length = x.shape[axis]
        if not before and not after:
            continue
        if length == 0:
            raise ValueError(f"np.pad: axis {axis} is empty, mode {mode!r} has nothing to repeat")
        places = np.arange(-before, length + after)
        source = _PAD_SOURCES[mode](places, length)
        wide = take(x, source, axis)
        if reflect_type == "odd" and mode in ("reflect", "symmetric"):
            wide = trace_of(cast(_turned(x, wide, axis, places, mode), x.dtype))
        x = wide
    return x


def _turned(x: Tracer, even: Tracer, axis: int, places: Any, mode: str) -> Tracer:
    """The odd reflection from the even one: each mirror turns values about those at the edges."""
    kind = np.promote_types(x.dtype, np.int8)
    x, even = trace_of(cast(x, kind)), trace_of(cast(even, kind))
    length = x.shape[axis]
    turns, rest = np.divmod(places, max(2 * length - 2 * (mode == "reflect"), 1))
    in_front = turns < 0
    mirrored = rest > length - 1
    turns = turns + (mirrored & in_front)
    shape = tuple(-1 if other == axis else 1 for other in range(x.ndim))
    in_front, mirrored, turns = (each.reshape(shape) for each in (in_front, mirrored, turns))
    first, last = (take(x, [place], axis) for place in (0, length - 1))
    edge = where(in_front, first, last)
    turned = where(mirrored, edge + edge - even, even)
    climbed: Any = (last - first) * (2 * turns).astype(kind)
    return trace_of(where(turns == 0, turned, turned + climbed))


def _pad_ramp(x: Tracer, widths: list[tuple[int, int]], ends: Any) -> Tracer:
    """Straight lines from the edges to the end values, which the last element reaches."""
    for axis, (before, after) in enumerate(widths):
        left, right = (
            linspace(ends[axis][side], take(x, edge, axis), width, False, False, x.dtype, axis)
            for side, (edge, width) in enumerate(((0, before), (-1, after)))
        )
        x = concatenate([left, x, flip(right, axis)], axis)
    return x


def _pad_statistic(x: Tracer, widths: list[tuple[int, int]], mode: str, stat_length: Any) -> Tracer:
    lengths = None if stat_length is None else _pairs(stat_length, x.ndim, "np.pad stat_length")
    for axis, (before, after) in enumerate(widths):
        length = x.shape[axis]
        counts = (length, length) if lengths is None else lengths[axis]
        left, right = (min(count, length) for count in counts)
        if not min(left, right):
            raise ValueError(f"np.pad: mode {mode!r} over no elements, stat_length={stat_length}")
        parts = []
        for places, width in ((slice(left), before), (slice(length - right, None), after)):
            part = x[(*(slice(None),) * axis, places)]
            value = _STATISTICS[mode](part, axis=axis, keepdims=True)
            if x.dtype.kind in "iu" and mode in ("mean", "median"):
                value = np.rint(value)
            shape = (*x.shape[:axis], width, *x.shape[axis + 1 :])
            parts.append(broadcast_to(trace_of(cast(trace_of(value), x.dtype)), shape))
        x = concatenate([parts[0], x, parts[1]], axis)
    return x


def _values(values: Any, ndim: int, name: str) -> Any:
    """A pair for each axis, plain or traced."""
    if not isinstance(values, Tracer):
        return np.broadcast_to(plain(values, name), (ndim, 2))
    return broadcast_to(values, (ndim, 2))


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
    fill = _values(values, x.ndim, "np.pad constants")
    for axis, (before, after) in enumerate(widths):
        blocks = [
            filled((*x.shape[:axis], width, *x.shape[axis + 1 :]), fill[axis][side], x.dtype)
            for side, width in enumerate((before, after))
        ]
        if before or after:
            x = bind(p.concatenate, blocks[0], x, blocks[1], axis=axis)
    return x
