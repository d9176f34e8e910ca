"""Reading and writing where an index points, in all of NumPy's forms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bital.errors import TracerBoolError
from bital.numpy_language.dispatch import (
    cast,
    implements,
    normalize_axis,
    operand,
    trace_of,
    unsupported,
)
from bital.numpy_language.shapes import broadcast_to, copy, moveaxis, reshape_to, transpose
from bital.numpy_language.tracer import Tracer, bind
from bital.numpy_language.ufuncs import store, where
from bital.primitives import indexing as p
from bital.primitives import shape as shape_p


@dataclass
class Index:
    """An index, taken apart.

    Attributes
    ----------
    entries : list
        One for each axis of x: a range, an int, or an integer array (plain or traced).
    new_axes : list of int
        Positions among the entries (of those before it) where ``None`` stood.
    adjacent : bool
        Whether the arrays (and ints beside them) stand side by side, so that the result has
        their axes in their place; otherwise in front.
    has_ellipsis : bool
        Whether ``...`` stood in it: then even a result without axes is a view, else a scalar.
    """

    entries: list[Any]
    new_axes: list[int]
    adjacent: bool
    has_ellipsis: bool

    @property
    def is_basic(self) -> bool:
        return all(isinstance(entry, (range, int)) for entry in self.entries)


def parse(x: Tracer, index: Any) -> Index:
    items = [_known(item) for item in (index if isinstance(index, tuple) else (index,))]
    consumed = sum(_axes_named(item) for item in items)
    if consumed > x.ndim:
        raise IndexError(f"too many indices: {x!r} has {x.ndim} axes, the index names {consumed}")
    places = [i for i, item in enumerate(items) if item is Ellipsis]
    if len(places) > 1:
        raise IndexError("an index can only have a single ellipsis ('...')")
    place = places[0] if places else len(items)
    items[place : place + 1] = [slice(None)] * (x.ndim - consumed)
    entries: list[Any] = []
    new_axes: list[int] = []
    runs = ""  # "a" for an array or int, "." for what separates them
    for position, item in enumerate(items):
        if places and position == place:
            runs += "."  # ``...`` separates even where it stands for no axis
        if item is None:
            new_axes.append(len(entries))
            runs += "."
        elif _is_mask(item):
            lengths = x.shape[len(entries) : len(entries) + item.ndim]
            if item.shape != lengths:
                raise IndexError(f"a mask of shape {item.shape} does not fit axes of {lengths}")
            entries += np.nonzero(item)
            runs += "a"
        else:
            entries.append(_entry(item, x.shape[len(entries)], len(entries)))
            runs += "." if isinstance(entries[-1], range) else "a"
    return Index(entries, new_axes, "." not in runs.strip("."), bool(places))


def _is_mask(item: Any) -> bool:
    return isinstance(item, np.ndarray) and item.dtype == np.bool_


def _axes_named(item: Any) -> int:
    """How many axes of the array an item of an index speaks of."""
    if item is None or item is Ellipsis:
        return 0
    return item.ndim if _is_mask(item) else 1


def _entry(item: Any, length: int, axis: int) -> Any:
    if isinstance(item, slice):
        bounds = [None if b is None else b.__index__() for b in (item.start, item.stop, item.step)]
        return range(*slice(*bounds).indices(length))
    if isinstance(item, (int, np.integer)):
        position = int(item)
        if not -length <= position < length:
            raise IndexError(
                f"index {position} is out of bounds for axis {axis} of length {length}"
            )
        return position % length
    if isinstance(item, Tracer):
        if item.dtype.kind not in "iu":
            raise IndexError(f"an index must be an integer array, got {item!r}")
        return item
    array = np.asarray(item)
    if array.dtype.kind not in "iu":
        raise IndexError(
            f"an index must be an integer, a slice, None, Ellipsis or an array of integers or "
            f"bools, got {item!r}"
        )
    outside = array[(array < -length) | (array >= length)]
    if outside.size:
        raise IndexError(
            f"index {outside.flat[0]} is out of bounds for axis {axis} of length {length}"
        )
    return array


def _known(item: Any) -> Any:
    """An item of an index with lists made arrays, and a traced mask replaced by its value."""
    if isinstance(item, Tracer) and item.dtype == np.bool_:
        value = item.known_value()
        if value is None:
            raise TracerBoolError(
                f"x[mask] with a traced mask ({item!r}) has a length that is not known before the "
                "values are. Write np.where(mask, x, 0), or x[mask] = v to write where it is true"
            )
        item = np.asarray(value)
    if isinstance(item, (bool, np.bool_)) or (_is_mask(item) and not item.ndim):
        raise IndexError(f"a single bool ({item}) as an index: write x[np.newaxis] or np.where")
    if isinstance(item, list):
        if any(isinstance(each, Tracer) for each in item):
            return np.stack(item)
        array = np.asarray(item)
        return array if array.size else array.astype(np.intp)  # an empty list is no list of floats
    return item


# --- reading --------------------------------------------------------------------------------


def read(x: Tracer, index: Any) -> Tracer:
    """``x[index]``."""
    parsed = parse(x, index)
    result = _window(x, parsed)
    if not parsed.is_basic:
        return _gather(result, parsed)
    kept = [len(e) if isinstance(e, range) else None for e in parsed.entries]
    result = reshape_to(result, _with_new_axes(kept, parsed.new_axes))
    return result if result.shape or parsed.has_ellipsis else result.copy()


def _window(x: Tracer, parsed: Index) -> Tracer:
    """x cut to the ranges; an int keeps its axis, with length 1; arrays keep theirs whole."""
    ranges = [
        e if isinstance(e, range) else range(e, e + 1) if isinstance(e, int) else range(n)
        for e, n in zip(parsed.entries, x.shape, strict=True)
    ]
    if all(r == range(n) for r, n in zip(ranges, x.shape, strict=True)):
        return x
    result: Tracer = bind(shape_p.slice_, x, **_bounds(ranges))
    return result


def _bounds(ranges: list[range]) -> dict[str, tuple[int, ...]]:
    return {
        "start": tuple(r.start for r in ranges),
        "stop": tuple(r.stop for r in ranges),
        "step": tuple(r.step for r in ranges),
    }


def _with_new_axes(kept: list[int | None], new_axes: list[int]) -> tuple[int, ...]:
    """Lengths of the kept axes (None: dropped), with 1 for each ``None`` of the index."""
    shape: list[int] = []
    for position, length in enumerate([*kept, None]):
        shape += [1] * new_axes.count(position)
        if length is not None:
            shape.append(length)
    return tuple(shape)


def _gather(x: Tracer, parsed: Index) -> Tracer:
    arrays = {
        axis: np.intp(0) if isinstance(entry, int) else entry
        for axis, entry in enumerate(parsed.entries)
        if not isinstance(entry, range)
    }
    rest = [axis for axis in range(x.ndim) if axis not in arrays]
    moved = transpose(x, [*arrays, *rest])
    result = bind(p.gather, moved, *map(_as_index, arrays.values()))
    spread = result.ndim - len(rest)
    lengths = [x.shape[axis] for axis in rest]
    # where each ``None`` stands among the axes that are not indexed by arrays
    new_axes = [sum(axis < position for axis in rest) for position in parsed.new_axes]
    place = sum(axis < min(arrays) for axis in rest) if parsed.adjacent else 0
    before = sum(position <= min(arrays) for position in parsed.new_axes) if parsed.adjacent else 0
    tail = _with_new_axes(list(lengths), new_axes)
    result = reshape_to(result, result.shape[:spread] + tail)
    target = place + before
    order = [*range(spread, spread + target), *range(spread), *range(spread + target, result.ndim)]
    return transpose(result, order)


def _as_index(entry: Any) -> Any:
    return entry if isinstance(entry, Tracer) else np.asarray(entry)


# --- writing --------------------------------------------------------------------------------


def written(x: Tracer, index: Any, value: Any) -> Tracer:
    """What x is after ``x[index] = value``."""
    value = operand(value)
    if isinstance(index, Tracer) and index.dtype == np.bool_:
        if np.ndim(value) <= x.ndim - index.ndim:
            return _written_by_mask(x, index, value)
        if index.known_value() is None:
            raise TracerBoolError(
                f"x[mask] = values with a traced mask ({index!r}) would have to know how many "
                "elements it marks. Write np.where(mask, values, x) with values of x's shape"
            )
    parsed = parse(x, index)
    update = trace_of(cast(value, x.dtype))  # unsafe casting, as NumPy's
    if parsed.is_basic:
        return _written_window(x, parsed, update)
    places = grid(x, parsed)
    target = read_shape(x, index)
    update = _fit(update, target)
    # Bring the update from the order of the result's axes to that of the grid's.
    shape = np.broadcast_shapes(*(g.shape for g in places))
    update = to_grid(update, x, parsed, len(shape))
    result: Tracer = bind(p.scatter, x, broadcast_to(update, shape), *places)
    return result


def _written_by_mask(x: Tracer, mask: Tracer, value: Any) -> Tracer:
    if mask.shape != x.shape[: mask.ndim]:
        raise IndexError(f"a mask of shape {mask.shape} does not fit an array of {x.shape}")
    mask = reshape_to(mask, mask.shape + (1,) * (x.ndim - mask.ndim))
    result: Tracer = where(mask, trace_of(cast(value, x.dtype)), x)
    return result


def _fit(update: Tracer, shape: tuple[int, ...]) -> Tracer:
    """Assignment drops leading axes of length 1 and broadcasts."""
    while update.ndim > len(shape) and update.shape[0] == 1:
        update = reshape_to(update, update.shape[1:])
    try:
        return broadcast_to(update, shape)
    except ValueError:
        raise ValueError(
            f"could not assign a value of shape {update.shape} where the index selects {shape}"
        ) from None


def _written_window(x: Tracer, parsed: Index, update: Tracer) -> Tracer:
    kept = [len(e) if isinstance(e, range) else None for e in parsed.entries]
    update = _fit(update, _with_new_axes(kept, parsed.new_axes))
    ranges = [e if isinstance(e, range) else range(e, e + 1) for e in parsed.entries]
    update = reshape_to(update, tuple(len(r) for r in ranges))
    if all(r == range(n) for r, n in zip(ranges, x.shape, strict=True)):
        return copy(update)
    result: Tracer = bind(shape_p.slice_update, x, update, **_bounds(ranges))
    return result


def read_shape(x: Tracer, index: Any) -> tuple[int, ...]:
    """The shape of ``x[index]``, from NumPy itself on an array without memory."""
    probe = np.broadcast_to(np.int8(0), x.shape)
    items = index if isinstance(index, tuple) else (index,)
    plain_items = tuple(
        np.zeros(item.shape, np.intp)
        if isinstance(item, Tracer) and item.dtype != np.bool_
        else item.known_value()
        if isinstance(item, Tracer)
        else item
        for item in items
    )
    shape: tuple[int, ...] = probe[plain_items].shape
    return shape


def grid(x: Tracer, parsed: Index) -> list[Any]:
    """An index array for every axis of x: S in front, then one axis for each range."""
    arrays = [e for e in parsed.entries if not isinstance(e, (range, int))]
    spread = len(np.broadcast_shapes(*(e.shape for e in arrays)))
    ranges = [axis for axis, e in enumerate(parsed.entries) if isinstance(e, range)]
    grid = []
    for axis, entry in enumerate(parsed.entries):
        if isinstance(entry, range):
            place = ranges.index(axis)
            shape = (1,) * (spread + place) + (-1,) + (1,) * (len(ranges) - place - 1)
            grid.append(np.arange(x.shape[axis])[slice_of(entry)].reshape(shape))
        else:
            array = _as_index(entry)
            grid.append(array.reshape((*array.shape, *(1,) * len(ranges))))
    return grid


def slice_of(r: range) -> slice:
    return shape_p.as_slices((r.start,), (r.stop,), (r.step,))[0]


def to_grid(update: Tracer, x: Tracer, parsed: Index, rank: int) -> Tracer:
    """Drop the axes of ``None`` and put the arrays' axes in front."""
    ranges = [axis for axis, e in enumerate(parsed.entries) if isinstance(e, range)]
    first = min(a for a, e in enumerate(parsed.entries) if not isinstance(e, range))
    spread = rank - len(ranges)
    place = sum(axis < first for axis in ranges) if parsed.adjacent else 0
    place += sum(position <= first for position in parsed.new_axes) if parsed.adjacent else 0
    front = moveaxis(update, [*range(place, place + spread)], [*range(spread)])
    lengths = tuple(len(parsed.entries[axis]) for axis in ranges)
    return reshape_to(front, front.shape[:spread] + lengths)


# --- take -----------------------------------------------------------------------------------


@implements(np.take)
def take(a: Any, indices: Any, axis: Any = None, out: Any = None, mode: str = "raise") -> Any:

    x = trace_of(a)
    if axis is None:
        x, axis = x.reshape(-1), 0
    axis = normalize_axis(axis, x.ndim)
    index = indices if isinstance(indices, Tracer) else np.asarray(indices)
    if index.dtype.kind not in "iu":
        raise TypeError(f"np.take needs integer indices, got {indices!r}")
    if mode == "clip":
        index = np.clip(index, 0, x.shape[axis] - 1)
    elif mode == "wrap":
        index = index % x.shape[axis]
    elif mode != "raise":
        raise ValueError(f"np.take: mode must be 'raise', 'wrap' or 'clip', got {mode!r}")
    return store(out, read(x, (*(slice(None),) * axis, index)), "take")


@implements(np.take_along_axis)
def take_along_axis(arr: Any, indices: Any, axis: Any = -1) -> Tracer:
    x = trace_of(arr)
    index = indices if isinstance(indices, Tracer) else np.asarray(indices)
    if axis is None:
        x, axis = x.reshape(-1), 0
    return read(x, along_axis(x, index, axis))


def along_axis(x: Tracer, index: Any, axis: int) -> tuple[Any, ...]:
    """The index of ``x`` by which ``np.take_along_axis`` reads."""
    if index.ndim != x.ndim:
        raise ValueError(f"indices of {index.ndim} axes along an axis of an array of {x.ndim}")
    axis = normalize_axis(axis, x.ndim)
    places = []
    for other in range(x.ndim):
        if other == axis:
            places.append(index)
        elif index.shape[other] not in (1, x.shape[other]) and x.shape[other] != 1:
            raise IndexError(
                f"indices of shape {index.shape} along axis {axis} do not fit an array of shape "
                f"{x.shape} on axis {other}"
            )
        else:
            shape = tuple(-1 if k == other else 1 for k in range(x.ndim))
            places.append(np.arange(x.shape[other]).reshape(shape))
    return tuple(places)


@implements(np.nonzero)
def nonzero(a: Any) -> tuple[Any, ...]:
    x = trace_of(a)
    value = x.known_value()
    if value is None:
        raise unsupported("np.nonzero", "np.where(mask, x, 0) with three arguments keeps the shape")
    return np.nonzero(value)
