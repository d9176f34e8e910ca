"""NumPy's functions that choose among elements, compare whole arrays, and write in place."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bital.numpy_language.dispatch import (
    cast,
    implements,
    operand,
    plain,
    result_dtype,
    trace_of,
    unsupported,
)
from bital.numpy_language.indexing import along_axis, nonzero, read, take, written
from bital.numpy_language.joining import stack
from bital.numpy_language.shapes import broadcast_to, copy, filled, reshape_to
from bital.numpy_language.tracer import Tracer
from bital.numpy_language.ufuncs import as_bool, store, where

# --- choices --------------------------------------------------------------------------------


@implements(np.select)
def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Tracer:
    """The first choice whose condition holds. All choices are computed."""
    if len(condlist) != len(choicelist):
        raise ValueError(
            f"np.select: {len(condlist)} conditions for {len(choicelist)} choices; one for each"
        )
    if not condlist:
        raise ValueError("np.select needs at least one condition")
    choices = [operand(each) for each in choicelist]
    kind = result_dtype(*choices, operand(default))
    result = trace_of(cast(trace_of(default), kind))
    for condition, choice in zip(reversed(condlist), reversed(choices), strict=True):
        mask = trace_of(condition)
        if mask.dtype != np.bool_:
            raise TypeError(f"np.select: a condition must be an array of bools, got {mask!r}")
        result = where(mask, cast(trace_of(choice), kind), result)
    return result


@implements(np.piecewise)
def piecewise(x: Any, condlist: Any, funclist: Sequence[Any], *args: Any, **kw: Any) -> Tracer:
    """The last condition that holds decides.

    Each function is given all of x, not only the elements where its condition holds, as shapes are
    fixed in a trace; so it must work element by element.
    """
    x = trace_of(x)
    single = not isinstance(condlist, (list, tuple)) and np.ndim(condlist) <= max(x.ndim, 1)
    if single or (isinstance(condlist, (list, tuple)) and _is_one_condition(condlist, x)):
        condlist = [condlist]
    masks = [as_bool(each) for each in condlist]
    if len(funclist) == len(masks) + 1:
        covered = masks[0]
        for mask in masks[1:]:
            covered = covered | mask
        masks.append(as_bool(np.logical_not(covered)))
    elif len(funclist) != len(masks):
        raise ValueError(
            f"np.piecewise: with {len(masks)} conditions, {len(masks)} or {len(masks) + 1} "
            f"functions are needed, got {len(funclist)}"
        )
    result = filled(x.shape, 0, x.dtype)
    for mask, function in zip(masks, funclist, strict=True):
        value = function(x, *args, **kw) if callable(function) else function
        result = where(mask, cast(trace_of(value), x.dtype), result)
    return result


def _is_one_condition(condlist: Sequence[Any], x: Tracer) -> bool:
    return bool(condlist) and np.ndim(condlist[0]) == 0 and x.ndim != 0


@implements(np.choose)
def choose(a: Any, choices: Any, out: Any = None, mode: str = "raise") -> Any:
    """``choices[a[i]][i]``, of arrays that broadcast together."""
    index = trace_of(a)
    if index.dtype.kind not in "iub":
        raise TypeError(f"np.choose needs integers to choose by, got {index!r}")
    options = [operand(each) for each in choices]
    kind = result_dtype(*options)
    tracers = [trace_of(cast(trace_of(each), kind)) for each in options]
    shape = np.broadcast_shapes(index.shape, *(x.shape for x in tracers))
    table = stack([broadcast_to(x, shape) for x in tracers])
    index = _counted(trace_of(cast(index, np.intp)), len(options), mode, "np.choose")
    result = read(table, along_axis(table, broadcast_to(index, shape)[np.newaxis], 0))[0]
    return store(out, result, "choose")


def _counted(index: Tracer, length: int, mode: str, name: str) -> Tracer:
    """An index that counts from the front only; one outside of it raises when it is used."""
    if mode == "clip":
        return trace_of(np.clip(index, 0, length - 1))
    if mode == "wrap":
        return trace_of(index % length)
    if mode != "raise":
        raise ValueError(f"{name}: mode must be 'raise', 'wrap' or 'clip', got {mode!r}")
    return trace_of(where(index < 0, length, index))


@implements(np.compress)
def compress(condition: Any, a: Any, axis: Any = None, out: Any = None) -> Any:
    mask = condition if isinstance(condition, Tracer) else np.asarray(condition)
    if mask.ndim != 1:
        raise ValueError(f"np.compress: the condition must have one axis, got {mask!r}")
    return take(a, nonzero(mask)[0] if isinstance(mask, Tracer) else np.nonzero(mask)[0], axis, out)


@implements(np.extract)
def extract(condition: Any, arr: Any) -> Any:
    mask = condition if isinstance(condition, Tracer) else np.asarray(condition)
    mask = mask.reshape(-1)
    return take(arr, nonzero(mask)[0] if isinstance(mask, Tracer) else np.nonzero(mask)[0])


def _needs_values(handler: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a function whose result's shape depends on values: it works where they are known."""
    handler.needs_values = True  # type: ignore[attr-defined]
    return handler


_needs_values(nonzero)


@implements(np.flatnonzero)
@_needs_values
def flatnonzero(a: Any) -> Any:
    return nonzero(trace_of(a).reshape(-1))[0]


@implements(np.argwhere)
@_needs_values
def argwhere(a: Any) -> Any:
    x = trace_of(a)
    places = nonzero(np.atleast_1d(x))
    found = np.transpose(places)
    return found if x.ndim else found[:, :0]


@implements(np.trim_zeros)
@_needs_values
def trim_zeros(filt: Any, trim: Any = "fb", axis: Any = None) -> Any:
    x = trace_of(filt)
    value = x.known_value()
    if value is None:
        raise unsupported("np.trim_zeros", "a slice x[m:n] with plain bounds")
    places = np.arange(x.size).reshape(x.shape)
    options = {} if axis is None else {"axis": axis}  # which older versions do not know
    kept: Any = np.trim_zeros(np.where(np.asarray(value) != 0, places + 1, 0), trim, **options)
    low = [0] * x.ndim
    if kept.size:
        first = next(int(n) for n in kept.flat if n) - 1
        at = np.unravel_index(first, x.shape)
        inside = np.argwhere(kept == first + 1)[0]
        low = [int(i - j) for i, j in zip(at, inside, strict=True)]
    window = zip(low, kept.shape, strict=True)
    return x[tuple(slice(start, start + n) for start, n in window)]


# --- comparing ------------------------------------------------------------------------------


@implements(np.isclose)
def isclose(
    a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False
) -> Tracer:
    x, y = trace_of(a), trace_of(b)
    if y.dtype.kind in "iub":
        y = trace_of(cast(y, np.result_type(y.dtype, 1.0)))
    near = (np.abs(x - y) <= atol + rtol * np.abs(y)) & np.isfinite(y)
    result: Any = near | (x == y)
    if equal_nan:
        result = result | (np.isnan(x) & np.isnan(y))
    return trace_of(result)


@implements(np.allclose)
def allclose(
    a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False
) -> Tracer:
    return trace_of(np.all(isclose(a, b, rtol, atol, equal_nan)))


@implements(np.array_equal)
def array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> Any:
    x, y = trace_of(a1), trace_of(a2)
    if x.shape != y.shape:
        return False
    same = x == y
    if equal_nan:
        same = same | ((x != x) & (y != y))
    return np.all(same)


@implements(np.array_equiv)
def array_equiv(a1: Any, a2: Any) -> Any:
    x, y = trace_of(a1), trace_of(a2)
    try:
        np.broadcast_shapes(x.shape, y.shape)
    except ValueError:
        return False
    return np.all(x == y)


@implements(np.isposinf)
def isposinf(x: Any, out: Any = None) -> Any:
    x = trace_of(x)
    return store(out, np.isinf(x) & ~np.signbit(x), "isposinf")


@implements(np.isneginf)
def isneginf(x: Any, out: Any = None) -> Any:
    x = trace_of(x)
    return store(out, np.isinf(x) & np.signbit(x), "isneginf")


@implements(np.fix)
def fix(x: Any, out: Any = None) -> Any:
    """Towards zero, as ``np.trunc``."""
    return store(out, trace_of(np.trunc(trace_of(x))), "fix")


# --- writing in place -----------------------------------------------------------------------


def destination(a: Any, name: str) -> Tracer:
    """The traced array that a function writes to."""
    if isinstance(a, Tracer):
        return a
    raise unsupported(
        f"{name} into a plain array",
        "make the array part of the trace first: a = np.zeros_like(x) or np.asarray(a, like=x)",
    )


def cycled(values: Any, count: int, name: str) -> Tracer:
    """`count` elements, from the front again where there are fewer."""
    flat: Tracer = trace_of(values).reshape(-1)
    if flat.size == count or (not flat.size and not count):
        return flat
    if not flat.size:
        raise ValueError(f"{name}: no values to write")
    if flat.size == 1:
        return broadcast_to(flat, (count,))
    return trace_of(flat[np.arange(count) % flat.size])


@implements(np.copyto)
def copyto(dst: Any, src: Any, casting: Any = "same_kind", where: Any = True) -> None:
    x, value = destination(dst, "np.copyto"), operand(src)
    kind = result_dtype(value)
    weak = type(value) is int or (type(value) is float and x.dtype.kind in "fc")
    if not weak and not np.can_cast(kind, x.dtype, casting):
        raise TypeError(f"np.copyto: {kind} cannot be cast to {x.dtype} by the rule {casting!r}")
    new = broadcast_to(trace_of(cast(trace_of(value), x.dtype)), x.shape)
    x.write(copy(new) if where is True else trace_of(np.where(as_bool(where), new, x)))


@implements(np.putmask)
def putmask(a: Any, /, mask: Any, values: Any) -> None:
    """Values by the place in a: element i takes the value i, counted again from the front."""
    x = destination(a, "np.putmask")
    chosen = as_bool(mask)
    if chosen.size != x.size:
        raise ValueError(f"np.putmask: a mask of {chosen.shape} does not fit {x!r}")
    new = reshape_to(cycled(values, x.size, "np.putmask"), x.shape)
    x.write(where(reshape_to(chosen, x.shape), cast(new, x.dtype), x))


@implements(np.place)
def place(arr: Any, mask: Any, vals: Any) -> None:
    """Values in turn: the n-th place that is marked takes the value n, and so on."""
    x = destination(arr, "np.place")
    chosen = as_bool(mask)
    if chosen.size != x.size:
        raise ValueError(f"np.place: a mask of {chosen.shape} does not fit {x!r}")
    flat = trace_of(cast(trace_of(vals), x.dtype)).reshape(-1)
    if not flat.size:
        raise ValueError("np.place: cannot insert from an empty array")
    number = np.cumsum(cast(chosen.reshape(-1), np.int64)) - 1
    new = flat[np.maximum(number, 0) % flat.size]
    x.write(where(reshape_to(chosen, x.shape), reshape_to(new, x.shape), x))


@implements(np.put)
def put(a: Any, ind: Any, v: Any, mode: str = "raise") -> None:
    x = destination(a, "np.put")
    index = ind if isinstance(ind, Tracer) else np.asarray(ind)
    index = index.reshape(-1) if index.size else np.zeros(0, np.intp)
    if mode != "raise":
        index = _counted(trace_of(index), x.size, mode, "np.put")
    if index.size:
        values = cycled(v, index.size, "np.put")
        x.write(reshape_to(written(x.reshape(-1), index, values), x.shape))


@implements(np.put_along_axis)
def put_along_axis(arr: Any, indices: Any, values: Any, axis: Any) -> None:
    x = destination(arr, "np.put_along_axis")
    index = indices if isinstance(indices, Tracer) else np.asarray(indices)
    flat = x.reshape(-1) if axis is None else x
    new = written(flat, along_axis(flat, index, 0 if axis is None else axis), values)
    x.write(reshape_to(new, x.shape))


# --- numbers of elements --------------------------------------------------------------------


@implements(np.ravel_multi_index)
def ravel_multi_index(multi_index: Any, dims: Any, mode: Any = "raise", order: str = "C") -> Tracer:
    lengths = tuple(int(n) for n in np.atleast_1d(plain(dims, "np.ravel_multi_index dims")))
    indices = [trace_of(each) for each in multi_index]
    if len(indices) != len(lengths):
        raise ValueError(f"np.ravel_multi_index: {len(indices)} indices for dims {lengths}")
    modes = (mode,) * len(lengths) if isinstance(mode, str) else mode
    pairs = list(zip(indices, lengths, modes, strict=True))
    total: Any = 0
    for index, length, way in pairs if order == "C" else reversed(pairs):
        total = total * length + _in_bounds(index, length, way, "np.ravel_multi_index")
    return trace_of(total)


def _in_bounds(index: Tracer, length: int, mode: str, name: str) -> Tracer:
    """The index itself; reading a range at it raises where it is outside."""
    if index.dtype.kind not in "iub":
        raise TypeError(f"{name} needs integers, got {index!r}")
    counted = _counted(trace_of(cast(index, np.intp)), length, mode, name)
    return counted if mode != "raise" else take(np.arange(length), counted)


@implements(np.unravel_index)
def unravel_index(indices: Any, shape: Any, order: str = "C") -> tuple[Tracer, ...]:
    lengths = tuple(int(n) for n in np.atleast_1d(plain(shape, "np.unravel_index shape")))
    rest = trace_of(indices)
    if rest.dtype.kind not in "iu":
        raise TypeError(f"np.unravel_index needs integers, got {rest!r}")
    rest = trace_of(cast(rest, np.intp))
    parts: list[Tracer] = []
    stride = math.prod(lengths)
    ordered = lengths if order == "C" else lengths[::-1]
    for position, length in enumerate(ordered):
        stride //= max(length, 1)
        part = rest // stride
        if not position:  # outside of the array is outside of its first axis
            part = _in_bounds(part, length, "raise", "np.unravel_index")
        parts.append(part)
        rest = rest % stride
    return tuple(parts if order == "C" else parts[::-1])
