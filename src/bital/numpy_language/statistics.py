"""Averages, covariances, and reductions that leave out NaN.

What is NaN has no derivative. Where nothing but NaN is reduced, the result is NumPy's: NaN for an
extremum and a mean, 0 for a sum. NumPy also warns there; a trace has no values to warn about.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bital.numpy_language import reductions as r
from bital.numpy_language.cumulative import without_nan
from bital.numpy_language.dispatch import cast, implements, result_dtype, trace_of
from bital.numpy_language.quantiles import beside
from bital.numpy_language.tracer import Tracer
from bital.numpy_language.ufuncs import store

# --- reductions that leave out NaN ----------------------------------------------------------


def _has_nan(x: Tracer) -> bool:
    return x.dtype.kind in "fc"


def _nan_accumulation(function: Callable[..., Any], neutral: int) -> Callable[..., Any]:
    def handler(
        a: Any,
        axis: Any = None,
        dtype: Any = None,
        out: Any = None,
        keepdims: bool = False,
        initial: Any = None,
        where: Any = True,
    ) -> Any:
        x = without_nan(trace_of(a), neutral)
        return function(x, axis, dtype, out, keepdims, initial, where)

    return handler


nansum = implements(np.nansum)(_nan_accumulation(r.sum_, 0))
nanprod = implements(np.nanprod)(_nan_accumulation(r.prod, 1))


def _nan_extremum(function: Callable[..., Any], worst: float) -> Callable[..., Any]:
    """NaN counts as the worst value; of nothing but NaN the result is NaN."""

    def handler(
        a: Any,
        axis: Any = None,
        out: Any = None,
        keepdims: bool = False,
        initial: Any = None,
        where: Any = True,
    ) -> Any:
        x = trace_of(a)
        if not _has_nan(x):
            return function(x, axis, out, keepdims, initial, where)
        result = function(without_nan(x, worst), axis, None, keepdims, initial, where)
        if initial is None:
            nothing = r.all_(np.isnan(x), axis, None, keepdims)
            result = np.where(nothing, np.asarray(np.nan, x.dtype), result)
        return store(out, result, function.__name__)

    return handler


nanmax = implements(np.nanmax)(_nan_extremum(r.max_, -np.inf))
nanmin = implements(np.nanmin)(_nan_extremum(r.min_, np.inf))


def _nan_index(function: Callable[..., Any], worst: float, name: str) -> Callable[..., Any]:
    def handler(a: Any, axis: Any = None, out: Any = None, *, keepdims: bool = False) -> Any:
        x = trace_of(a)
        known = x.known_value() if _has_nan(x) else None
        if known is not None and known.size and np.isnan(known).all(axis).any():
            raise ValueError(f"np.{name}: there is nothing but NaN in a slice of {x!r}")
        return function(without_nan(x, worst), axis, out, keepdims=keepdims)

    return handler


nanargmax = implements(np.nanargmax)(_nan_index(r.argmax, -np.inf, "nanargmax"))
nanargmin = implements(np.nanargmin)(_nan_index(r.argmin, np.inf, "nanargmin"))


def _present(x: Tracer, where: Any) -> Any:
    """Where there are numbers that count."""
    present = ~np.isnan(x)
    return present if where is True else present & where


def _require_inexact(dtype: Any, name: str) -> None:
    if dtype is not None and np.dtype(dtype).kind not in "fc":
        raise TypeError(f"np.{name} of numbers that may be NaN has no {np.dtype(dtype)} result")


@implements(np.nanmean)
def nanmean(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    *,
    where: Any = True,
) -> Any:
    """The mean of what is not NaN."""
    x = trace_of(a)
    if not _has_nan(x):
        return r.mean(x, axis, dtype, out, keepdims, where=where)
    _require_inexact(dtype, "nanmean")
    total = r.sum_(without_nan(x, 0), axis, dtype, None, keepdims, where=where)
    count = r.sum_(_present(x, where), axis, keepdims=keepdims)
    return store(out, cast(total / count, total.dtype), "nanmean")


@implements(np.nanvar)
def nanvar(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: float = 0,
    keepdims: bool = False,
    *,
    where: Any = True,
    mean: Any = None,
    correction: float | None = None,
) -> Any:
    """The variance of what is not NaN; NaN where that is `ddof` numbers or fewer."""
    x = trace_of(a)
    ddof = ddof if correction is None else correction
    if not _has_nan(x):
        return r.var(x, axis, dtype, out, ddof, keepdims, mean=mean, where=where)
    _require_inexact(dtype, "nanvar")
    x = x if dtype is None else trace_of(cast(x, dtype))
    present = _present(x, where)
    center = nanmean(x, axis, keepdims=True, where=where) if mean is None else mean
    deviation = np.where(present, x - center, np.asarray(0, x.dtype))
    squares = (deviation * np.conj(deviation)).real if x.dtype.kind == "c" else deviation**2
    freedom = r.sum_(present, axis, keepdims=keepdims) - ddof
    total = r.sum_(squares, axis, None, None, keepdims)
    nothing = np.asarray(np.nan, total.dtype)
    result: Any = np.where(freedom > 0, cast(total / freedom, total.dtype), nothing)
    return store(out, result, "nanvar")


@implements(np.nanstd)
def nanstd(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: float = 0,
    keepdims: bool = False,
    **options: Any,
) -> Any:
    """The square root of ``np.nanvar``."""
    return store(out, np.sqrt(nanvar(a, axis, dtype, None, ddof, keepdims, **options)), "nanstd")


# --- averages and covariances ---------------------------------------------------------------


@implements(np.average)
def average(
    a: Any,
    axis: Any = None,
    weights: Any = None,
    returned: bool = False,
    *,
    keepdims: bool = False,
) -> Any:
    """``sum(a * weights) / sum(weights)``."""
    x = trace_of(a)
    if weights is None:
        mean = r.mean(x, axis, keepdims=keepdims)
        count = np.asarray(x.size / mean.size if mean.size else np.nan, mean.dtype)
        return (mean, np.broadcast_to(trace_of(count), mean.shape)) if returned else mean
    w = weights if isinstance(weights, Tracer) else np.asarray(weights)
    w = beside(w, x, axis, "average")
    known = w.known_value() if isinstance(w, Tracer) else w
    if known is not None and np.any(known.sum(axis) == 0):
        raise ZeroDivisionError(f"np.average: the weights {w!r} add up to zero")
    dtype = result_dtype(x, w)
    dtype = np.result_type(dtype, np.float64) if x.dtype.kind in "biu" else dtype
    total = r.sum_(w, axis, dtype, None, keepdims)
    mean = r.sum_(cast(x, dtype) * cast(w, dtype), axis, None, None, keepdims) / total
    return (mean, np.broadcast_to(total, mean.shape)) if returned else mean


@implements(np.cov)
def cov(
    m: Any,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    fweights: Any = None,
    aweights: Any = None,
    *,
    dtype: Any = None,
) -> Any:
    """``(w * (x - mean)) @ (x - mean).T / (sum(w) - ddof)``, each row of x a variable."""
    if ddof is not None and ddof != int(ddof):
        raise ValueError(f"np.cov: ddof must be an integer, got {ddof}")
    ddof = (0 if bias else 1) if ddof is None else ddof
    given = [trace_of(m)] if y is None else [trace_of(m), trace_of(y)]
    dtype = result_dtype(*given, np.zeros(1, np.float64)) if dtype is None else dtype
    x: Any = _variables(given, rowvar, dtype)
    if not x.shape[0]:
        return trace_of(np.zeros((0, 0)))
    w, freedom = _frequencies(x, fweights, aweights, ddof)
    mean, total = average(x, 1, w, True)
    if w is None:
        freedom = max(x.shape[1] - ddof, 0)
    elif freedom is None:
        freedom = total[0]
    else:
        freedom = total[0] - freedom / total[0]
    if w is not None:
        freedom = np.maximum(freedom, 0)
    deviation = x - mean[:, np.newaxis]
    weighted = deviation if w is None else deviation * w
    product = deviation @ np.conj(weighted.T)
    return cast(product * np.true_divide(1, trace_of(freedom)), product.dtype).squeeze()


def _variables(given: list[Tracer], rowvar: bool, dtype: Any) -> Any:
    """All variables as the rows of one matrix."""
    rows = []
    for number, each in enumerate(given):
        if each.ndim > 2:
            raise ValueError(f"np.cov takes arrays of one or two axes, got {each!r}")
        x = np.atleast_2d(cast(each, dtype))
        is_column = each.ndim != 1 if number == 0 else x.shape[0] != 1
        rows.append(x.T if not rowvar and is_column else x)
    return rows[0] if len(rows) == 1 or not rows[0].shape[0] else np.concatenate(rows)


def _frequencies(x: Any, fweights: Any, aweights: Any, ddof: int) -> tuple[Any, Any]:
    """The weights of the samples, and `ddof` times what the total divides for the freedom."""
    found = []
    for values, name in ((fweights, "fweights"), (aweights, "aweights")):
        if values is None:
            continue
        known = values.known_value() if isinstance(values, Tracer) else np.asarray(values)
        w = trace_of(cast(trace_of(values), np.float64))
        if w.shape != (x.shape[1],):
            raise RuntimeError(f"np.cov: {name} of shape {w.shape} for {x.shape[1]} samples")
        if known is not None and (known < 0).any():
            raise ValueError(f"np.cov: {name} cannot be negative, got {w!r}")
        if known is not None and name == "fweights" and (known != np.round(known)).any():
            raise TypeError(f"np.cov: fweights must be integers, got {w!r}")
        found.append(w)
    if not found:
        return None, None
    w = found[0] if len(found) == 1 else found[0] * found[1]
    if not ddof:
        return w, None
    return w, ddof * r.sum_(w if aweights is None else w * found[-1])


@implements(np.corrcoef)
def corrcoef(x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Any:
    """``cov / outer(std, std)``, clipped to [-1, 1]: half the slope where it is exactly 1."""
    c = cov(x, y, rowvar, dtype=dtype)
    if not c.ndim:
        return c / c
    deviation = np.sqrt(np.diagonal(c).real)
    c = c / deviation[:, np.newaxis] / deviation
    if c.dtype.kind != "c":
        return np.clip(c, -1, 1)
    return np.clip(c.real, -1, 1) + 1j * np.clip(c.imag, -1, 1)
