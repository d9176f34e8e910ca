"""NumPy's functions that join arrays, cut them, turn them and repeat them."""

from __future__ import annotations

import math
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
)
from bital.numpy_language.shapes import (
    as_shape,
    broadcast_to,
    copy,
    expand_dims,
    filled,
    moveaxis,
    reshape_to,
    split_points,
    swapaxes,
)
from bital.numpy_language.tracer import Tracer, bind
from bital.numpy_language.ufuncs import store
from bital.primitives import shape as p


def _common(arrays: Sequence[Any], dtype: Any = None) -> list[Tracer]:
    values = [operand(each) for each in arrays]
    if not values:
        raise ValueError("need at least one array")
    wanted = result_dtype(*values) if dtype is None else np.dtype(dtype)
    tracers = [trace_of(each) for each in values]
    for each in tracers:
        if not np.can_cast(each.dtype, wanted, "same_kind"):
            raise TypeError(f"{each!r} does not become {wanted} here; write .astype(np.{wanted})")
    return [trace_of(cast(each, wanted)) for each in tracers]


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


if "row_stack" in vars(np):  # another name of it, which newer versions do not have
    implements(vars(np)["row_stack"])(vstack)


@implements(np.dstack)
def dstack(tup: Sequence[Any]) -> Any:
    return concatenate([np.atleast_3d(trace_of(x)) for x in tup], 2)


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


@implements(np.dsplit)
def dsplit(ary: Any, indices_or_sections: Any) -> list[Tracer]:
    if np.ndim(ary) < 3:
        raise ValueError(f"np.dsplit takes arrays of 3 or more axes, got {ary!r}")
    return _split(ary, indices_or_sections, 2, True)


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


@implements(np.rot90)
def rot90(m: Any, k: int = 1, axes: Any = (0, 1)) -> Tracer:
    x = trace_of(m)
    first, second = normalize_axes(tuple(axes), x.ndim)
    turns = k % 4
    if turns == 0:
        return copy(x)
    if turns == 2:
        return flip(x, (first, second))
    if turns == 1:
        return swapaxes(flip(x, second), first, second)
    return flip(swapaxes(x, first, second), second)


@implements(np.roll)
def roll(a: Any, shift: Any, axis: Any = None) -> Tracer:
    """A traced shift reads elements where it points; a plain one joins two slices."""
    x = trace_of(a)
    if axis is None:
        return reshape_to(roll(x.reshape(-1), shift, 0), x.shape)
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    shifts = [shift] * len(axes) if np.ndim(shift) == 0 else list(shift)
    axes = axes * len(shifts) if len(axes) == 1 else axes
    for each, by in zip(axes, shifts, strict=True):
        place = normalize_axis(each, x.ndim)
        length = x.shape[place]
        lead = (slice(None),) * place
        if isinstance(by, Tracer):
            x = x[(*lead, (np.arange(length) - by) % max(length, 1))]
        elif length and int(by) % length:
            cut = length - int(by) % length
            x = concatenate([x[(*lead, slice(cut, None))], x[(*lead, slice(None, cut))]], place)
    return copy(x)


@implements(np.rollaxis)
def rollaxis(a: Any, axis: int, start: int = 0) -> Tracer:
    x = trace_of(a)
    source = normalize_axis(axis, x.ndim)
    target = normalize_axis(start, x.ndim + 1)
    return moveaxis(x, source, target - (source < target))


# --- repeating ------------------------------------------------------------------------------


@implements(np.repeat)
def repeat(a: Any, repeats: Any, axis: Any = None) -> Tracer:
    x = trace_of(a)
    counts = plain(repeats, "np.repeat repeats")
    if axis is None:
        x, axis = x.reshape(-1), 0
    axis = normalize_axis(axis, x.ndim)
    places = np.repeat(np.arange(x.shape[axis]), counts)
    if counts.size == 1:  # each element the same number of times: stretched, not read
        count = int(counts.reshape(-1)[0])
        wide = broadcast_to(expand_dims(x, axis + 1), _inserted(x.shape, axis + 1, count))
        return reshape_to(wide, (*x.shape[:axis], places.size, *x.shape[axis + 1 :]))
    result: Tracer = x[(*(slice(None),) * axis, places)]
    return result


def _inserted(shape: tuple[int, ...], axis: int, length: int) -> tuple[int, ...]:
    return (*shape[:axis], length, *shape[axis:])


@implements(np.tile)
def tile(A: Any, reps: Any) -> Tracer:
    x = trace_of(A)
    counts = tuple(int(n) for n in np.atleast_1d(plain(reps, "np.tile reps")))
    rank = max(x.ndim, len(counts))
    counts = (1,) * (rank - len(counts)) + counts
    shape = (1,) * (rank - x.ndim) + x.shape
    apart = reshape_to(x, tuple(n for length in shape for n in (1, length)))
    wide = tuple(n for pair in zip(counts, shape, strict=True) for n in pair)
    result = reshape_to(
        broadcast_to(apart, wide),
        tuple(count * length for count, length in zip(counts, shape, strict=True)),
    )
    return copy(result)


@implements(np.resize)
def resize(a: Any, new_shape: Any) -> Tracer:
    """Elements from the front again where there are too few."""
    x, shape = trace_of(a), as_shape(new_shape)
    size = math.prod(shape)
    if min(shape, default=0) < 0:
        raise ValueError(f"np.resize: lengths must not be negative, got {shape}")
    if not x.size or not size:
        return filled(shape, 0, x.dtype)
    flat = x.reshape(-1)
    if size > x.size:
        flat = tile(flat, -(-size // x.size))
    return reshape_to(flat[:size], shape)


# --- inserting and deleting -----------------------------------------------------------------


def _along(arr: Any, axis: Any) -> tuple[Tracer, int]:
    x = trace_of(arr)
    if axis is None:
        return x.reshape(-1), 0
    return x, normalize_axis(axis, x.ndim)


def _plain_places(obj: Any, name: str) -> Any:
    return obj if isinstance(obj, slice) else plain(obj, f"{name} places")


@implements(np.delete)
def delete(arr: Any, obj: Any, axis: Any = None) -> Tracer:
    x, axis = _along(arr, axis)
    kept = np.delete(np.arange(x.shape[axis]), _plain_places(obj, "np.delete"))
    result: Tracer = x[(*(slice(None),) * axis, kept)]
    return result


@implements(np.insert)
def insert(arr: Any, obj: Any, values: Any, axis: Any = None) -> Tracer:
    """What goes where is found by inserting numbers of elements into a plain range."""
    x, axis = _along(arr, axis)
    places = _plain_places(obj, "np.insert")
    new = trace_of(cast(trace_of(values), x.dtype))
    new = reshape_to(new, (1,) * (x.ndim - new.ndim) + new.shape)
    length = x.shape[axis]
    listed = np.arange(length)[places] if isinstance(places, slice) else np.asarray(places)
    if listed.dtype == np.bool_:
        listed = np.flatnonzero(listed)
    if listed.ndim == 0:
        new = moveaxis(new, 0, axis)
    count = new.shape[axis] if listed.size == 1 else listed.size
    new = broadcast_to(new, (*x.shape[:axis], count, *x.shape[axis + 1 :]))
    numbers = np.arange(length, length + count)
    order = np.insert(np.arange(length), listed if listed.size else np.zeros(0, int), numbers)
    joined = concatenate([x, new], axis)
    result: Tracer = joined[(*(slice(None),) * axis, order)]
    return result


@implements(np.block)
def block(arrays: Any) -> Any:
    """Nested lists: the innermost are joined along the last axis, those around them before it."""
    depth = _depth(arrays)
    rank = max(depth, max(trace_of(leaf).ndim for leaf in _leaves(arrays)))

    def joined(part: Any, level: int) -> Any:
        if level == depth:
            x = trace_of(part)
            return reshape_to(x, (1,) * (rank - x.ndim) + x.shape)
        return concatenate([joined(each, level + 1) for each in part], level - depth)

    result = joined(arrays, 0)
    return result.copy() if depth == 0 else result


def _depth(part: Any) -> int:
    if not isinstance(part, list):
        if isinstance(part, tuple):
            raise TypeError("np.block takes nested lists, not tuples")
        return 0
    depths = {_depth(each) for each in part}
    if len(depths) != 1:
        raise ValueError("np.block: lists must be nested to one depth and must not be empty")
    return 1 + depths.pop()


def _leaves(part: Any) -> list[Any]:
    return [leaf for each in part for leaf in _leaves(each)] if isinstance(part, list) else [part]
