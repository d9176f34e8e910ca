"""NumPy's sorting and searching, where the shape of the result does not depend on values.

Derivatives: a sorted array is a permutation of its elements, and so are the tangents; of equal
elements each keeps its own, in the order of their places. Places have no derivative.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bital.numpy_language.dispatch import cast, implements, normalize_axis, plain, trace_of
from bital.numpy_language.shapes import filled
from bital.numpy_language.tracer import Tracer, bind
from bital.primitives import Primitive
from bital.primitives import sorting as p

_KINDS = ("quicksort", "mergesort", "heapsort", "stable")


def _is_stable(kind: Any, order: Any, stable: Any) -> bool:
    if order is not None:
        raise ValueError(f"order={order!r} names fields, and a traced array has none")
    if kind is not None and stable is not None:
        raise ValueError(f"kind={kind!r} and stable={stable!r} cannot be given together")
    if kind is not None and kind not in _KINDS:
        raise ValueError(f"kind must be one of {', '.join(_KINDS)}, got {kind!r}")
    return bool(stable) or kind in ("mergesort", "stable")


def _sorted(primitive: Primitive, x: Tracer, axis: Any, stable: bool) -> Tracer:
    if axis is None:
        x, axis = x.reshape(-1), 0
    result: Tracer = bind(primitive, x, axis=normalize_axis(axis, x.ndim), stable=stable)
    return result


@implements(np.sort)
def sort(
    a: Any, axis: Any = -1, kind: Any = None, order: Any = None, *, stable: Any = None
) -> Tracer:
    return _sorted(p.sort, trace_of(a), axis, _is_stable(kind, order, stable))


@implements(np.argsort)
def argsort(
    a: Any, axis: Any = -1, kind: Any = None, order: Any = None, *, stable: Any = None
) -> Tracer:
    x = trace_of(a)
    x = x if x.ndim else x.reshape(1)
    return _sorted(p.argsort, x, axis, _is_stable(kind, order, stable))


@implements(np.lexsort)
def lexsort(keys: Any, axis: int = -1) -> Any:
    """Sort by the last key, equal ones by the one before it, and so on: stably by each in turn."""
    columns = [trace_of(key) for key in keys]
    if not columns:
        raise TypeError("np.lexsort needs at least one key")
    if any(column.shape != columns[0].shape for column in columns):
        raise ValueError(
            f"np.lexsort: all keys must have one shape, got {[c.shape for c in columns]}"
        )
    order: Any = None
    for key in columns:
        column: Any = key if key.ndim else key.reshape(1)
        along = normalize_axis(axis, column.ndim)
        now: Any = column if order is None else np.take_along_axis(column, order, along)
        places: Any = _sorted(p.argsort, now, along, True)
        order = places if order is None else np.take_along_axis(order, places, along)
    return order if columns[0].ndim else order.reshape(())


def _check_kth(kth: Any, x: Tracer, axis: Any, name: str) -> None:
    places = plain(kth, f"{name} places")
    if places.dtype.kind not in "iu":
        raise TypeError(f"np.{name}: kth must be integers, got {kth!r}")
    length = x.size if axis is None else x.shape[normalize_axis(axis, x.ndim)]
    if any(not -length <= place < length for place in places.ravel()) and x.size:
        raise ValueError(f"np.{name}: kth={kth} is out of bounds of an axis of length {length}")


@implements(np.partition)
def partition(
    a: Any, kth: Any, axis: Any = -1, kind: str = "introselect", order: Any = None
) -> Any:
    """The whole array sorted, which is one of the orders that NumPy may give."""
    x = trace_of(a)
    _check_kth(kth, x, axis, "partition")
    return sort(x, axis, order=order)


@implements(np.argpartition)
def argpartition(
    a: Any, kth: Any, axis: Any = -1, kind: str = "introselect", order: Any = None
) -> Any:
    """The places of the whole array sorted."""
    x = trace_of(a)
    x = x if x.ndim else x.reshape(1)
    _check_kth(kth, x, axis, "argpartition")
    return argsort(x, axis, order=order)


@implements(np.sort_complex)
def sort_complex(a: Any) -> Any:
    """Sorted by real, then imaginary parts; as complex numbers also where they are real."""
    x = sort(a)
    if x.dtype.kind == "c":
        return x
    small = x.dtype in (np.int8, np.uint8, np.int16, np.uint16)
    return x.astype(np.complex64 if small else np.complex128)


# --- searching ------------------------------------------------------------------------------


@implements(np.searchsorted)
def searchsorted(a: Any, v: Any, side: str = "left", sorter: Any = None) -> Any:
    """Binary search, a comparison for each bit of the length; NaN stands behind all numbers."""
    table, x = trace_of(a), trace_of(v)
    if table.ndim != 1:
        raise ValueError(f"np.searchsorted needs a sorted array of one axis, got {table!r}")
    if side not in ("left", "right"):
        raise ValueError(f"np.searchsorted: side must be 'left' or 'right', got {side!r}")
    if sorter is not None:
        table = np.take(table, sorter)
    dtype = np.promote_types(table.dtype, x.dtype)
    return places_in(trace_of(cast(table, dtype)), trace_of(cast(x, dtype)), side)


def places_in(table: Tracer, x: Tracer, side: str) -> Any:
    """How many elements of a sorted array stand before each of x."""
    (length,) = table.shape
    place: Any = filled(x.shape, 0, np.intp)
    step = 1 << max(length.bit_length() - 1, 0)
    while step and length:
        probe = place + step
        there = table[np.minimum(probe, length) - 1]
        before = _less(there, x) if side == "left" else ~_less(x, there)
        place = np.where(before & (probe <= length), probe, place)
        step //= 2
    return place


def _less(x: Any, y: Any) -> Any:
    return (x < y) | (np.isnan(y) & ~np.isnan(x)) if x.dtype.kind in "fc" else x < y


@implements(np.digitize)
def digitize(x: Any, bins: Any, right: bool = False) -> Any:
    """Traced bins count as falling where the last one is smaller than the first."""
    x, side = trace_of(x), "left" if right else "right"
    if x.dtype.kind == "c":
        raise TypeError(f"np.digitize: complex numbers have no order, got {x!r}")
    if np.ndim(bins) != 1:
        raise ValueError(f"np.digitize: bins must have one axis, got shape {np.shape(bins)}")
    if not isinstance(bins, Tracer):
        edges = np.asarray(bins)
        rises, falls = (edges[1:] >= edges[:-1]).all(), (edges[1:] <= edges[:-1]).all()
        if not (rises or falls):
            raise ValueError(f"np.digitize: bins must rise or fall monotonically, got {bins!r}")
        if rises:
            return searchsorted(edges, x, side)
        return len(edges) - searchsorted(edges[::-1], x, side)
    if bins.size < 2:
        return searchsorted(bins, x, side)
    falling = len(bins) - searchsorted(bins[::-1], x, side)
    return np.where(bins[-1] < bins[0], falling, searchsorted(bins, x, side))


@implements(np.isin)
def isin(
    element: Any,
    test_elements: Any,
    assume_unique: bool = False,
    invert: bool = False,
    *,
    kind: Any = None,
) -> Any:
    """Whether each element is among those of another array: they are sorted, then searched."""
    if kind not in (None, "sort", "table"):
        raise ValueError(f"np.isin: kind must be None, 'sort' or 'table', got {kind!r}")
    x, among = trace_of(element), trace_of(test_elements).reshape(-1)
    if kind == "table" and not {x.dtype.kind, among.dtype.kind} <= set("biu"):
        raise ValueError(f"np.isin: kind='table' is for integers, got {x!r} and {among!r}")
    dtype = np.promote_types(x.dtype, among.dtype)
    x, among = trace_of(cast(x, dtype)), sort(cast(among, dtype))
    if not among.size:
        return filled(x.shape, invert, bool)
    place = np.minimum(places_in(among, x, "left"), among.size - 1)
    return among[place] != x if invert else among[place] == x
