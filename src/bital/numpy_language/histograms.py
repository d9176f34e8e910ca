"""Histograms and bin counts.

Counts have no derivative by what is counted; they are linear in weights. Edges that are found from
the data move with its smallest and largest element.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from bital.numpy_language.complex import require_real
from bital.numpy_language.dispatch import cast, implements, trace_of, unsupported
from bital.numpy_language.shapes import filled
from bital.numpy_language.sorting import searchsorted
from bital.numpy_language.tracer import Tracer, bind
from bital.primitives import indexing as p


def _limits(x: Tracer, range: Any) -> tuple[Any, Any]:
    """The first and the last edge; apart, also where all elements are equal."""
    if range is not None:
        first, last = range
        if not isinstance(first, Tracer) and not isinstance(last, Tracer):
            if first > last:
                raise ValueError(f"a range of bins must not fall, got {range}")
            if not (np.isfinite(first) and np.isfinite(last)):
                raise ValueError(f"a range of bins must be finite, got {range}")
    elif x.size:
        first, last = x.min(), x.max()
        known = x.known_value()
        if known is not None and not np.isfinite(known).all():
            raise ValueError(f"bins of values that are not finite need range=, got {x!r}")
    else:
        first, last = 0, 1
    if isinstance(first, Tracer) or isinstance(last, Tracer):
        apart = np.where(first == last, 0.5, 0.0)
        dtype = np.result_type(*(np.asarray(0, _dtype(each)) for each in (first, last)))
        apart = cast(apart, dtype) if dtype.kind == "f" else apart
        return first - apart, last + apart
    return (first - 0.5, last + 0.5) if first == last else (first, last)


def _dtype(value: Any) -> Any:
    return value.dtype if hasattr(value, "dtype") else type(value)


def _edges(x: Tracer, bins: Any, range: Any, weights: Any, dtype: Any = None) -> Any:
    """Where the bins begin and end, from a number of them, their edges, or a rule's name."""
    if isinstance(bins, str):
        value = x.known_value()
        if weights is not None:
            raise TypeError(f"bins={bins!r} and weights cannot be given together")
        if value is None:
            raise unsupported(
                f"histogram(..., bins={bins!r}) of a traced array",
                "a number of bins: how many a rule finds depends on the values",
            )
        return np.histogram_bin_edges(value, bins, range)
    if np.ndim(bins) == 0:
        try:
            count = operator.index(bins)
        except TypeError:
            raise TypeError(
                f"bins must be an integer, a rule's name or edges, got {bins!r}"
            ) from None
        if count < 1:
            raise ValueError(f"a histogram needs at least one bin, got bins={bins}")
        first, last = _limits(x, range)
        return np.linspace(first, last, count + 1, dtype=dtype)
    edges = bins if isinstance(bins, Tracer) else np.asarray(bins)
    if edges.ndim != 1:
        raise ValueError(f"edges of bins must have one axis, got shape {edges.shape}")
    if not isinstance(edges, Tracer) and (edges[:-1] > edges[1:]).any():
        raise ValueError(f"edges of bins must rise, got {bins!r}")
    return edges


def _place(x: Tracer, edges: Any) -> tuple[Any, Any]:
    """The bin of each element, and whether it is in one; the last bin has its right edge too."""
    count = len(edges) - 1
    place = searchsorted(edges, x, "right") - 1
    place = np.where(x == edges[-1], count - 1, place)
    return place, (x >= edges[0]) & (x <= edges[-1])


def _count(place: Any, inside: Any, weights: Any, length: int, dtype: Any) -> Any:
    """The sum of weights, or the number, of the elements at each place."""
    place = np.where(inside, place, length)  # all others are counted behind the last one
    values = filled(place.shape, 1, dtype) if weights is None else trace_of(cast(weights, dtype))
    counts = bind(p.scatter_add, filled((length + 1,), 0, dtype), values, place)
    return counts[:length]


def _samples(a: Any, weights: Any) -> tuple[Tracer, Any]:
    x = trace_of(a)
    x = trace_of(cast(x, np.uint8)) if x.dtype == np.bool_ else x
    if weights is None:
        return x.reshape(-1), None
    w = trace_of(weights)
    if w.shape != x.shape:
        raise ValueError(f"weights of shape {w.shape} do not fit values of shape {x.shape}")
    return x.reshape(-1), w.reshape(-1)


def _edge_dtype(x: Tracer, range: Any) -> Any:
    limits = [] if range is None else [_dtype(each) for each in range]
    known = [each if each in (int, float) else np.dtype(each) for each in limits]
    dtype = np.result_type(
        x.dtype, *(each(0) if isinstance(each, type) else each for each in known)
    )
    return dtype if dtype.kind == "f" else np.result_type(dtype, float)


@implements(np.histogram_bin_edges)
def histogram_bin_edges(a: Any, bins: Any = 10, range: Any = None, weights: Any = None) -> Any:
    x, _ = _samples(a, weights)
    return trace_of(_edges(x, bins, range, weights, _edge_dtype(x, range)))


@implements(np.histogram)
def histogram(
    a: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None
) -> tuple[Any, Any]:
    x, w = _samples(a, weights)
    edges: Any = trace_of(_edges(x, bins, range, weights, _edge_dtype(x, range)))
    if np.ndim(bins) == 0:
        require_real("np.histogram with a number of bins", x)
        # NumPy compares even bins in the edges' dtype
        x = trace_of(cast(x, edges.dtype))
    place, inside = _place(x, edges)
    dtype = np.dtype(np.intp) if w is None else w.dtype
    counts = _count(place, inside, w, len(edges) - 1, dtype)
    if density:
        widths = trace_of(cast(np.diff(edges), np.float64))
        counts = counts / widths / counts.sum()
    return counts, edges


@implements(np.histogramdd)
def histogramdd(
    sample: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None
) -> tuple[Any, list[Any]]:
    if isinstance(sample, (list, tuple)):
        sample = np.stack([trace_of(each) for each in sample], axis=1)
    x: Any = trace_of(sample)
    x = x if x.ndim == 2 else np.atleast_2d(x).T
    axes = x.shape[1]
    chosen = list(bins) if hasattr(bins, "__len__") else [bins] * axes
    ranges = [None] * axes if range is None else list(range)
    if len(chosen) != axes or len(ranges) != axes:
        raise ValueError(f"bins={bins!r}, range={range!r} do not fit samples with {axes} columns")
    columns = [x[:, axis] for axis in np.arange(axes)]
    edges: list[Any] = [
        trace_of(_edges(column, each, limits, None))
        for column, each, limits in zip(columns, chosen, ranges, strict=True)
    ]
    shape = tuple(len(each) - 1 for each in edges)
    flat, inside = 0, True
    for column, each, length in zip(columns, edges, shape, strict=True):
        place, within = _place(column, each)
        flat, inside = flat * length + place, inside & within
    counts = _count(flat, inside, weights, math.prod(shape), np.dtype(np.float64)).reshape(shape)
    if density:
        total = counts.sum()
        for axis, each in enumerate(edges):
            counts = counts / np.diff(each).reshape(-1, *(1,) * (axes - axis - 1))
        counts = counts / total
    return counts, edges


@implements(np.histogram2d)
def histogram2d(
    x: Any, y: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None
) -> tuple[Any, Any, Any]:
    if len(x) != len(y):
        raise ValueError(f"np.histogram2d: {len(x)} values of x, but {len(y)} of y")
    if hasattr(bins, "__len__") and len(bins) not in (1, 2):
        bins = [bins, bins]
    counts, edges = histogramdd([x, y], bins, range, density, weights)
    return counts, edges[0], edges[1]


@implements(np.bincount)
def bincount(x: Any, weights: Any = None, minlength: int = 0) -> Any:
    """The length of the result is known where x is a plain array, or its value known."""
    places = trace_of(x)
    if places.ndim != 1 or places.dtype.kind not in "biu":
        raise TypeError(f"np.bincount takes integers along one axis, got {places!r}")
    if minlength < 0:
        raise ValueError(f"np.bincount: minlength must not be negative, got {minlength}")
    known = np.asarray(x) if not isinstance(x, Tracer) else x.known_value()
    if known is None:
        raise unsupported(
            "np.bincount of a traced array, whose largest element gives the result's length",
            "np.histogram(x, np.arange(n + 1), weights=w)[0], with a plain n",
        )
    if known.size and known.min() < 0:
        raise ValueError(f"np.bincount takes no negative integers, got {places!r}")
    length = max(int(known.max()) + 1 if known.size else 0, int(minlength))
    if weights is not None and np.shape(weights) != places.shape:
        raise ValueError(f"np.bincount: weights of shape {np.shape(weights)} for {places!r}")
    if weights is not None:
        require_real("np.bincount (of its weights)", weights)
    dtype = np.dtype(np.intp if weights is None else np.float64)
    inside = filled(places.shape, True, bool)
    return _count(cast(places, np.intp), inside, weights, length, dtype)
