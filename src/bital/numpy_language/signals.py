"""NumPy's functions of signals and samples: interpolation, convolution, polynomials."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bital.numpy_language.complex import require_real
from bital.numpy_language.dispatch import cast, implements, operand, plain, result_dtype, trace_of
from bital.numpy_language.joining import concatenate
from bital.numpy_language.shapes import filled
from bital.numpy_language.tracer import Tracer, bind
from bital.numpy_language.ufuncs import where
from bital.primitives.special import special


@implements(np.interp)
def interp(
    x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None
) -> Tracer:
    """Linear between the samples; at a sample the derivative is that from the right."""
    require_real("np.interp (of its positions)", x, xp)
    kind = np.complex128 if trace_of(fp).dtype.kind == "c" else np.float64
    x, xs = (trace_of(cast(trace_of(each), np.float64)) for each in (x, xp))
    ys = trace_of(cast(trace_of(fp), kind))
    if xs.ndim != 1 or xs.shape != ys.shape or not xs.size:
        raise ValueError(
            f"np.interp: xp and fp must be one axis of equal length, got {xs!r}, {ys!r}"
        )
    if period is not None:
        length = abs(float(plain(period, "np.interp period")))
        if not length:
            raise ValueError("np.interp: the period must not be 0")
        x, xs, left, right = x % length, xs % length, None, None
        order: Any = np.argsort(xs)
        xs, ys = xs[order], ys[order]
        xs = concatenate([xs[-1:] - length, xs, xs[:1] + length])
        ys = concatenate([ys[-1:], ys, ys[:1]])
    first = ys[0] if left is None else cast(trace_of(left), kind)
    last = ys[-1] if right is None else cast(trace_of(right), kind)
    result = ys[0] + 0.0 * x
    if xs.size > 1:
        result = _between(x, xs, ys)
    result = where(x < xs[0], first, where(x > xs[-1], last, where(x == xs[-1], ys[-1], result)))
    return trace_of(where(np.isnan(x), x, result))


def _between(x: Tracer, xs: Tracer, ys: Tracer) -> Any:
    place: Any = np.clip(np.searchsorted(xs, x, side="right") - 1, 0, xs.size - 2)
    slopes: Any = ((ys[1:] - ys[:-1]) / (xs[1:] - xs[:-1]))[place]
    low, high = ys[place], ys[place + 1]
    value = slopes * (x - xs[place]) + low
    # beside infinite samples: from the other end, or a sample's own value
    value = where(np.isnan(value), slopes * (x - xs[place + 1]) + high, value)
    return where(np.isnan(value) & ((low == high) | (x == xs[place])), low, value)


@implements(np.convolve)
def convolve(a: Any, v: Any, mode: str = "full") -> Tracer:
    """Sums over all pairs of elements at a distance."""
    x, y = _vectors(a, v, "np.convolve")
    if y.size > x.size:
        x, y = y, x
    return _slid(x, y[::-1], mode, "np.convolve")


@implements(np.correlate)
def correlate(a: Any, v: Any, mode: str = "valid") -> Tracer:
    """``c[k] = sum(a[n + k] * conj(v[n]))``."""
    x, y = _vectors(a, v, "np.correlate")
    y = trace_of(np.conj(y)) if y.dtype.kind == "c" else y
    if y.size > x.size:
        return trace_of(_slid(y, x, mode, "np.correlate")[::-1])
    return _slid(x, y, mode, "np.correlate")


def _vectors(a: Any, v: Any, name: str) -> tuple[Tracer, Tracer]:
    x, y = (_vector(each) for each in (a, v))  # a number is an array of one element
    kind = result_dtype(x, y)
    x, y = (trace_of(cast(each, kind)) for each in (x, y))
    if x.ndim != 1 or y.ndim != 1 or not x.size or not y.size:
        raise ValueError(
            f"{name} takes two arrays of one axis that are not empty, got {x!r}, {y!r}"
        )
    return x, y


def _slid(x: Tracer, y: Tracer, mode: str, name: str) -> Tracer:
    """Dot products of y with the windows of its length in x, which is no shorter."""
    beyond = {"full": y.size - 1, "same": y.size // 2, "valid": 0}.get(mode)
    if beyond is None:
        raise ValueError(f"{name}: mode must be 'full', 'same' or 'valid', got {mode!r}")
    after = y.size - 1 - beyond if mode == "same" else beyond
    padded: Any = np.pad(x, (beyond, after))
    count = padded.shape[0] - y.size + 1
    windows = padded[np.arange(count)[:, np.newaxis] + np.arange(y.size)]
    return trace_of(windows @ y)


@implements(np.i0)
def i0(x: Any) -> Tracer:
    """The modified Bessel function of order 0. Values and derivatives are SciPy's."""
    x = trace_of(x)
    require_real("np.i0", x)
    kind = x.dtype if x.dtype.kind == "f" else np.dtype(np.float64)
    wide = trace_of(cast(x, np.float32 if kind == np.float16 else kind))
    return trace_of(cast(bind(special, wide, name="i0", output=0), kind))


# --- polynomials: coefficients from the highest power down ----------------------------------


def _coefficients(p: Any) -> Any:
    """An array of one axis; leading zeros of a plain one are left out, as NumPy does."""
    if isinstance(p, Tracer):
        return p.reshape(-1) if p.ndim < 2 else p
    array = np.atleast_1d(np.asarray(p))
    return np.trim_zeros(array, "f") if np.any(array) else array[-1:] * 0


@implements(np.polyval)
def polyval(p: Any, x: Any) -> Tracer:
    """Horner's scheme."""
    coefficients, x = operand(p), operand(x)
    count = np.shape(coefficients)[0]
    result: Any = np.zeros_like(trace_of(x))
    for index in range(count):
        result = result * x + coefficients[index]
    return trace_of(result)


def _vector(p: Any) -> Any:
    x = trace_of(p)
    return x if x.ndim else x.reshape(1)


def _padded(a: Any, count: int) -> Tracer:
    x = trace_of(a)
    return (
        trace_of(concatenate([filled((count - x.size,), 0, x.dtype), x])) if count > x.size else x
    )


@implements(np.polyadd)
def polyadd(a1: Any, a2: Any) -> Tracer:
    x, y = _vector(a1), _vector(a2)
    count = max(x.size, y.size)
    return trace_of(_padded(x, count) + _padded(y, count))


@implements(np.polysub)
def polysub(a1: Any, a2: Any) -> Tracer:
    x, y = _vector(a1), _vector(a2)
    count = max(x.size, y.size)
    return trace_of(_padded(x, count) - _padded(y, count))


@implements(np.polymul)
def polymul(a1: Any, a2: Any) -> Tracer:
    """Traced leading coefficients count as not zero: shapes do not depend on values."""
    return convolve(_coefficients(a1), _coefficients(a2))


@implements(np.polyder)
def polyder(p: Any, m: int = 1) -> Tracer:
    if m < 0:
        raise ValueError(f"np.polyder: the order of the derivative must not be negative, got {m}")
    x = _vector(p)
    for _ in range(m):
        x = x[:-1] * np.arange(x.size - 1, 0, -1)
    return trace_of(x)


@implements(np.polyint)
def polyint(p: Any, m: int = 1, k: Any = None) -> Tracer:
    """The constants of integration k, one for each of the m integrals, are 0 by default."""
    if m < 0:
        raise ValueError(f"np.polyint: the number of integrals must not be negative, got {m}")
    x = _vector(p)
    constants = _constants(k, m)
    for constant in constants:
        # divided by a float, as NumPy's own coefficients become floats
        x = concatenate([x / np.arange(x.size, 0, -1), np.atleast_1d(constant)])
    return trace_of(x)


def _constants(k: Any, m: int) -> Sequence[Any]:
    if k is None:
        return [trace_of(0.0)] * m
    values = _vector(k)
    if values.size == 1:
        return [values[0]] * m
    if values.size < m:
        raise ValueError(f"np.polyint: k must be one number or at least {m}, got {values!r}")
    return [values[index] for index in range(m)]


@implements(np.poly)
def poly(seq_of_zeros: Any) -> Tracer:
    """The coefficients of the polynomial with these roots, or of a matrix's eigenvalues."""
    roots: Any = _vector(seq_of_zeros)
    if roots.ndim == 2:
        roots = np.linalg.eigvals(roots)
    if roots.ndim != 1:
        raise ValueError(f"np.poly takes roots or a square matrix, got {roots!r}")
    if roots.dtype not in (np.float32, np.complex64, np.complex128):
        roots = trace_of(cast(roots, np.float64))
    result = filled((1,), 1, roots.dtype)
    for index in range(roots.size):
        factor = concatenate([filled((1,), 1, result.dtype), -roots[index : index + 1]])
        result = convolve(result, factor)
    return result


@implements(np.polyfit)
def polyfit(x: Any, y: Any, deg: Any, rcond: Any = None, w: Any = None) -> Tracer:
    """Least squares by ``np.linalg.lstsq``, of columns that are scaled to length 1."""
    order = int(plain(deg, "np.polyfit deg").__index__()) + 1
    x, y = (trace_of(each) + 0.0 for each in (x, y))
    if order < 1 or x.ndim != 1 or y.ndim not in (1, 2) or x.shape[0] != y.shape[0] or not x.size:
        raise ValueError(
            f"np.polyfit: got degree {deg} and {x!r}, {y!r}; needed are a degree from 0 on, x of "
            "one axis, and y of the same length"
        )
    left: Any = np.vander(x, order)
    right: Any = y
    if w is not None:
        weights = trace_of(w) + 0.0
        left = left * weights[:, np.newaxis]
        right = right * (weights[:, np.newaxis] if y.ndim == 2 else weights)
    scale = np.sqrt((left * left).sum(axis=0))
    cutoff = x.size * np.finfo(x.dtype).eps if rcond is None else rcond
    solution = np.linalg.lstsq(left / scale, right, cutoff)[0]
    return trace_of((solution.T / scale).T)
