"""Medians, quantiles and percentiles: sort, then pick and interpolate.

Derivatives are those of the elements that are picked, and by a traced q the slope of the
interpolation; of equal elements that in the middle counts, in the order of their places.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from bital.numpy_language.dispatch import (
    cast,
    implements,
    kind_of,
    normalize_axes,
    operand,
    result_dtype,
    trace_of,
)
from bital.numpy_language.sorting import argsort, sort
from bital.numpy_language.tracer import Tracer
from bital.numpy_language.ufuncs import store

# --- where a quantile stands among n sorted values ------------------------------------------
# R. J. Hyndman and Y. Fan, Sample quantiles in statistical packages, Am. Stat. 50 (1996).


def _between(alpha: float, beta: float) -> Callable[[Any, Any], Any]:
    return lambda n, q: n * q + (alpha + q * (1 - alpha - beta)) - 1


def _discrete(index: Any, stays: Callable[[Any, Any], Any]) -> Any:
    before = np.floor(index)
    chosen = np.where(stays(index - before, before), before, before + 1)
    return np.maximum(chosen.astype(np.intp), 0)


def _averaged(gamma: Any, index: Any) -> Any:
    return np.where(gamma == 0, gamma * 0 + 0.5, 1.0)


def _middle(gamma: Any, index: Any) -> Any:
    return np.where(index % 1 == 0, gamma * 0, 0.5)


# (n, q) -> place, which may lie between two; how far it then counts from the first to the second
_PLACES: dict[str, Callable[[Any, Any], Any]] = {
    "inverted_cdf": lambda n, q: _discrete(n * q - 1, lambda g, _: g == 0),
    "averaged_inverted_cdf": lambda n, q: n * q - 1,
    "closest_observation": lambda n, q: _discrete(
        n * q - 1 - 0.5, lambda g, before: (g == 0) & (before % 2 == 1)
    ),
    "interpolated_inverted_cdf": _between(0, 1),
    "hazen": _between(0.5, 0.5),
    "weibull": _between(0, 0),
    "linear": lambda n, q: (n - 1) * q,
    "median_unbiased": _between(1 / 3.0, 1 / 3.0),
    "normal_unbiased": _between(3 / 8.0, 3 / 8.0),
    "lower": lambda n, q: np.floor((n - 1) * q).astype(np.intp),
    "higher": lambda n, q: np.ceil((n - 1) * q).astype(np.intp),
    "midpoint": lambda n, q: 0.5 * (np.floor((n - 1) * q) + np.ceil((n - 1) * q)),
    "nearest": lambda n, q: np.round((n - 1) * q).astype(np.intp),
}
_SHARES = {"averaged_inverted_cdf": _averaged, "midpoint": _middle}


def _in_front(x: Tracer, axis: Any) -> Any:
    """x with the reduced axes joined into one, which stands in front."""
    axes = normalize_axes(axis, x.ndim)
    rest = [a for a in range(x.ndim) if a not in axes]
    length = math.prod(x.shape[a] for a in axes)
    return x.transpose([*axes, *rest]).reshape(length, *(x.shape[a] for a in rest))


def _with_axes(result: Any, x: Tracer, axis: Any, keepdims: bool, lead: int) -> Any:
    """The result with the reduced axes kept behind `lead` axes of its own."""
    if not keepdims:
        return result
    axes = normalize_axes(axis, x.ndim)
    kept = tuple(1 if a in axes else n for a, n in enumerate(x.shape))
    return result.reshape(*result.shape[:lead], *kept)


def _spread_nan(result: Any, ordered: Any) -> Any:
    """NaN sorts last; where there is one, the result is it."""
    if ordered.dtype.kind != "f" or not ordered.shape[0]:
        return result
    last = ordered[-1]
    return np.where(np.isnan(last), cast(last, result.dtype), result)


def _count(ordered: Any) -> Any:
    """How many numbers that are not NaN, for each slice."""
    return np.count_nonzero(~np.isnan(ordered), axis=0)


# --- median ---------------------------------------------------------------------------------


@implements(np.median)
def median(
    a: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False, keepdims: bool = False
) -> Any:
    x = trace_of(a)
    ordered = sort(_in_front(x, axis), 0)
    half = ordered.shape[0] // 2
    middle = ordered[half : half + 1] if ordered.shape[0] % 2 else ordered[half - 1 : half + 1]
    result = _spread_nan(np.mean(middle, axis=0), ordered)
    return store(out, _with_axes(result, x, axis, keepdims, 0), "median")


@implements(np.nanmedian)
def nanmedian(
    a: Any,
    axis: Any = None,
    out: Any = None,
    overwrite_input: bool = False,
    keepdims: Any = False,
) -> Any:
    """The median of what is not NaN; NaN where there is nothing else."""
    x = trace_of(a)
    if x.dtype.kind not in "fc" or not x.size:
        return median(x, axis, out, keepdims=keepdims)
    ordered: Any = sort(_in_front(x, axis), 0)
    count = _count(ordered)
    places = np.stack([np.maximum(count - 1, 0) // 2, np.minimum(count // 2, len(ordered) - 1)])
    result = np.mean(np.take_along_axis(ordered, places, 0), axis=0)
    return store(out, _with_axes(result, x, axis, keepdims, 0), "nanmedian")


# --- quantiles ------------------------------------------------------------------------------


def _quantiles(name: str, scale: int, skips_nan: bool) -> Callable[..., Any]:
    function = getattr(np, name)

    def handler(
        a: Any,
        q: Any,
        axis: Any = None,
        out: Any = None,
        overwrite_input: bool = False,
        method: str = "linear",
        keepdims: Any = False,
        *,
        weights: Any = None,
    ) -> Any:
        x, share = trace_of(a), _probability(q, scale, name)
        if x.dtype.kind == "c":
            raise TypeError(f"np.{name}: complex numbers have no order, got {x!r}")
        if method not in _PLACES:
            raise ValueError(f"np.{name}: method must be one of {list(_PLACES)}, got {method!r}")
        skips = skips_nan and x.dtype.kind == "f"
        if weights is None:
            ordered = sort(_in_front(x, axis), 0)
            result = _quantile(ordered, share, method, skips)
            result = cast(result, _result_dtype(function, x, q, method))
        elif method == "inverted_cdf":
            w = _in_front(_weights(weights, x, axis, name), axis)
            ordered, result = _weighted(_in_front(x, axis), w, share, skips)
        else:
            raise ValueError(f"np.{name}: weights go with method='inverted_cdf', not {method!r}")
        result = result if skips else _spread_nan(result, ordered)
        return store(out, _with_axes(result, x, axis, keepdims, np.ndim(q)), name)

    return handler


def _probability(q: Any, scale: int, name: str) -> Any:
    """q from 0 to 1. A traced q whose value is unknown counts as its nearest end beyond them."""
    value: Any = operand(q)
    known = value.known_value() if isinstance(value, Tracer) else np.asarray(value)
    if np.ndim(value) > 2:
        raise ValueError(f"np.{name}: q must be a number or have one axis, got {value!r}")
    if known is not None and not np.all((known >= 0) & (known <= scale)):
        raise ValueError(f"np.{name}: q must lie between 0 and {scale}, got {known}")
    if scale == 1 and result_dtype(value).kind in "iu":
        return value  # 0 or 1: the result is an element, and keeps its dtype
    if type(value) in (int, float):
        return value / scale
    return np.true_divide(value, scale)


def _result_dtype(function: Callable[..., Any], x: Tracer, q: Any, method: str) -> Any:
    """What NumPy itself gives: how q counts in promotion has changed between its versions."""
    kind = kind_of(operand(q))
    probe = kind(0) if isinstance(kind, type) else np.zeros(np.shape(q), kind)
    return function(np.zeros(1, x.dtype), probe, method=method).dtype


def _quantile(ordered: Any, q: Any, method: str, skips_nan: bool) -> Any:
    length, rest = ordered.shape[0], ordered.shape[1:]
    if not length:
        raise IndexError(f"a quantile of nothing: the reduced axes of {ordered!r} are empty")
    q = q if method == "linear" else q * 1.0
    lead, weak = np.ndim(q), type(q) is float
    count: Any = length
    if skips_nan:
        count = np.maximum(_count(ordered), 1)
        q = np.reshape(q, np.shape(q) + (1,) * len(rest))
    place = _PLACES[method](count, q if isinstance(q, Tracer) else np.asarray(q))
    if place.dtype.kind == "i":
        return _pick(ordered, np.minimum(place, count - 1), lead)
    before = np.floor(place)
    share = place - before
    share = _SHARES[method](share, place) if method in _SHARES else share
    low = np.clip(before, 0, count - 1).astype(np.intp)
    high = np.clip(before + 1, 0, count - 1).astype(np.intp)
    a, b = _pick(ordered, low, lead), _pick(ordered, np.where(place < 0, low, high), lead)
    if weak and not isinstance(share, Tracer):
        share = float(share)
    else:
        share = np.reshape(share, np.shape(share) + (1,) * (a.ndim - np.ndim(share)))
    rise = b - a
    return np.where(share >= 0.5, b - rise * (1 - share), a + rise * share)


def _pick(values: Any, place: Any, lead: int) -> Any:
    """``values[place]`` along axis 0; beyond `lead` axes, a place for each slice."""
    if np.ndim(place) == lead:
        return values[place]
    flat = np.reshape(place, (-1, *values.shape[1:]))
    return np.take_along_axis(values, flat, 0).reshape(np.shape(place))


def _weights(weights: Any, x: Tracer, axis: Any, name: str) -> Any:
    """Weights of x's shape; they may have the shape of the reduced axes alone."""
    w = trace_of(weights)
    known = w.known_value()
    if known is not None and not (np.all(known >= 0) and np.all(np.isfinite(known))):
        raise ValueError(f"np.{name}: weights must be finite and not negative, got {w!r}")
    return trace_of(np.broadcast_to(beside(w, x, axis, name), x.shape))


def beside(w: Any, x: Tracer, axis: Any, name: str) -> Any:
    """Weights with x's axes, those of length 1 that they do not have."""
    if w.shape == x.shape:
        return w
    if axis is None:
        raise TypeError(f"np.{name}: weights of shape {w.shape} for {x!r} need axis=")
    axes = normalize_axes(axis, x.ndim)
    if w.shape != tuple(x.shape[a] for a in axes):
        raise ValueError(f"np.{name}: weights of shape {w.shape} do not fit axis={axis} of {x!r}")
    ordered = w.transpose([int(place) for place in np.argsort(axes)])
    return ordered.reshape(tuple(n if a in axes else 1 for a, n in enumerate(x.shape)))


def _weighted(x: Any, w: Any, q: Any, skips_nan: bool) -> tuple[Any, Any]:
    """The first value at which the share of the weights so far is q or more."""
    if skips_nan:
        w = np.where(np.isnan(x), 0, w)
    order: Any = argsort(x, 0)
    x, w = np.take_along_axis(x, order, 0), np.take_along_axis(w, order, 0)
    reached = np.cumsum(w, axis=0, dtype=np.float64)
    reached = reached / reached[-1]
    if not isinstance(q, float):
        reached = reached.astype(q.dtype)
    reached = np.where(reached == 0, -1, reached)  # what has no weight is never the first
    level = np.reshape(q, np.shape(q) + (1,) * x.ndim)
    place = np.minimum(np.count_nonzero(reached < level, axis=np.ndim(q)), x.shape[0] - 1)
    return x, _pick(x, place, np.ndim(q))


for _name, _scale, _skips in (
    ("quantile", 1, False),
    ("percentile", 100, False),
    ("nanquantile", 1, True),
    ("nanpercentile", 100, True),
):
    implements(getattr(np, _name))(_quantiles(_name, _scale, _skips))
