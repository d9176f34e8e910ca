"""NumPy's discrete Fourier transforms, and functions of sampled signals beside them.

Transforms along several axes are transforms along one after the other, in NumPy's order.
"""

from __future__ import annotations

import math
import operator
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bital.numpy_language.complex import is_complex
from bital.numpy_language.dispatch import cast, implements, normalize_axes, normalize_axis, trace_of
from bital.numpy_language.shapes import filled
from bital.numpy_language.tracer import Tracer, bind
from bital.numpy_language.ufuncs import store
from bital.primitives import fourier as p


def _swapped(norm: Any) -> str:
    return p.SWAPPED_NORMS[_norm(norm)]


def _norm(norm: Any) -> str:
    name = "backward" if norm is None else norm
    if name not in p.SWAPPED_NORMS:
        raise ValueError(f'norm must be "backward", "ortho" or "forward", got {norm!r}')
    return str(name)


def _part(x: Tracer, axis: int, start: int, stop: int) -> Any:
    return x[(slice(None),) * axis + (slice(start, stop),)]


def _of_length(x: Tracer, n: int, axis: int) -> Tracer:
    """Cut off behind, or filled up with zeros."""
    length = x.shape[axis]
    if n <= length:
        return x if n == length else _part(x, axis, 0, n)
    missing = (*x.shape[:axis], n - length, *x.shape[axis + 1 :])
    longer: Any = np.concatenate([x, filled(missing, 0, x.dtype)], axis=axis)
    return trace_of(longer)


def _transform(kind: str, a: Any, n: Any, axis: Any, norm: Any) -> Tracer:
    x, norm = trace_of(a), _norm(norm)
    axis = normalize_axis(axis, x.ndim)
    length = x.shape[axis]
    n = operator.index((2 * (length - 1) if kind == "irfft" else length) if n is None else n)
    if n < 1:
        raise ValueError(f"np.fft.{kind}: {n} points cannot be transformed (axis {axis} of {x!r})")
    if kind == "rfft" and is_complex(x):
        raise TypeError(
            f"np.fft.rfft takes real numbers, got {x!r}; write np.fft.fft, or pass z.real"
        )
    halved = x.dtype == np.float16 and kind == "irfft"  # NumPy's result is as narrow
    dtype = np.result_type(x.dtype, 1j)
    if kind == "rfft":
        dtype = np.result_type(x.dtype, np.float32)
    elif x.dtype.kind in "biu":
        dtype = np.dtype(np.complex128)
    x = trace_of(cast(x, dtype))
    x = _of_length(x, p.half_length(n) if kind == "irfft" else n, axis)
    result: Tracer = bind(p.fft, x, kind=kind, n=n, axis=axis, norm=norm)
    return cast(result, np.float16) if halved else result


def _one_axis(kind: str) -> Callable[..., Any]:
    def handler(
        a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None
    ) -> Any:
        return store(out, _transform(kind, a, n, axis, norm), kind)

    return handler


fft = implements(np.fft.fft)(_one_axis("fft"))
ifft = implements(np.fft.ifft)(_one_axis("ifft"))
rfft = implements(np.fft.rfft)(_one_axis("rfft"))
irfft = implements(np.fft.irfft)(_one_axis("irfft"))


@implements(np.fft.hfft)
def hfft(
    a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None
) -> Any:
    """The spectrum of a signal with Hermitian symmetry: real."""
    return store(out, _transform("irfft", np.conj(trace_of(a)), n, axis, _swapped(norm)), "hfft")


@implements(np.fft.ihfft)
def ihfft(
    a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None
) -> Any:
    result: Any = np.conj(_transform("rfft", a, n, axis, _swapped(norm)))
    return store(out, result, "ihfft")


# --- several axes ---------------------------------------------------------------------------


def _lengths(x: Tracer, s: Any, axes: Any, inverse_real: bool) -> tuple[list[int], Sequence[int]]:
    """How many points to transform along which axis: by default as many as there are."""
    if axes is None and s is not None:
        warnings.warn(
            "`axes` should not be `None` if `s` is not `None`: name the axes that `s` is for",
            DeprecationWarning,
            stacklevel=4,
        )
        axes = range(-len(s), 0)
    axes = range(x.ndim) if axes is None else axes
    own = [x.shape[normalize_axis(axis, x.ndim)] for axis in axes]
    if s is None:
        if inverse_real and own:
            own[-1] = 2 * (own[-1] - 1)
        return own, axes
    if len(s) != len(own):
        raise ValueError(f"s={s} and axes={axes} have different lengths")
    return [length if n == -1 else n for n, length in zip(s, own, strict=True)], axes


def _several_axes(kind: str, default: Any, name: str) -> Callable[..., Any]:
    def handler(
        a: Any,
        s: Sequence[int] | None = None,
        axes: Sequence[int] | None = default,
        norm: str | None = None,
        out: Any = None,
    ) -> Any:
        x = trace_of(a)
        lengths, along = _lengths(x, s, axes, kind == "irfft")
        steps = list(zip(lengths, along, strict=True))
        kinds = [kind.removeprefix("r").replace("irfft", "ifft")] * len(steps)
        if kind in ("rfft", "irfft"):
            if not steps:
                raise IndexError(f"np.fft.{name} needs at least one axis")
            kinds[-1] = kind
        order = range(len(steps))
        for place in order if kind == "irfft" else reversed(order):
            x = _transform(kinds[place], x, *steps[place], norm)
        return store(out, x if steps else x.copy(), name)

    return handler


for _kind in ("fft", "ifft", "rfft", "irfft"):
    for _suffix, _axes in (("n", None), ("2", (-2, -1))):
        _name = f"{_kind}{_suffix}"
        implements(getattr(np.fft, _name))(_several_axes(_kind, _axes, _name))


# --- shifts ---------------------------------------------------------------------------------


def _shift(forward: bool) -> Callable[..., Any]:
    def handler(x: Any, axes: Any = None) -> Tracer:
        moved = trace_of(x)
        for axis in normalize_axes(axes, moved.ndim):
            length = moved.shape[axis]
            cut = length - length // 2 if forward else length // 2
            parts = [_part(moved, axis, cut, length), _part(moved, axis, 0, cut)]
            moved = np.concatenate(parts, axis=axis)  # type: ignore[assignment]
        return moved.copy() if moved is x else moved

    return handler


implements(np.fft.fftshift)(_shift(True))
implements(np.fft.ifftshift)(_shift(False))

# --- sampled signals ------------------------------------------------------------------------

_SERIES = [(-1.0) ** k / math.factorial(2 * k + 1) for k in range(9)]  # of sin(y)/y in y^2


@implements(np.sinc)
def sinc(x: Any) -> Any:
    """``sin(pi x) / (pi x)``; near 0 its Taylor series, so that its derivatives are right there."""
    y = trace_of(x) * math.pi
    small = np.abs(y) < 0.5
    squares = np.square(np.where(small, y, 0.0))
    series: Any = _SERIES[-1]
    for coefficient in reversed(_SERIES[:-1]):
        series = series * squares + coefficient
    far = np.where(small, 1.0, y)
    return np.where(small, series, np.sin(far) / far)


@implements(np.unwrap)
def unwrap(
    p: Any, discont: float | None = None, axis: int = -1, *, period: float = 2 * math.pi
) -> Any:
    """Steps of more than `discont` become their smallest complement: flat, so the slope is 1."""
    x = trace_of(p)
    axis = normalize_axis(axis, x.ndim)
    steps: Any = np.diff(x, axis=axis)
    dtype = np.result_type(steps.dtype, period)
    half, rest = divmod(period, 2) if dtype.kind in "iu" else (period / 2, 0)
    wrapped = np.mod(steps + half, period) - half
    if rest == 0:  # half a period either way: the sign of the step decides
        wrapped = np.where((wrapped == -half) & (steps > 0), half, wrapped)
    limit = period / 2 if discont is None else discont
    correction = np.where(np.abs(steps) < limit, 0, wrapped - steps)
    moved = _part(x, axis, 1, x.shape[axis]) + np.cumsum(correction, axis=axis)
    parts = [cast(part, dtype) for part in (_part(x, axis, 0, 1), moved)]
    return np.concatenate(parts, axis=axis)
