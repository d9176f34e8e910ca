"""Primitives that move elements: slices, windows, reads and writes by index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jax import lax
from jax import numpy as jnp

from bital.errors import IndexOutOfBoundsError
from bital.primitives.windows import count_of
from bital.program import Equation, SourceLocation

if TYPE_CHECKING:
    from bital.executors.xla.lowering import Error, Lowering

Shape = tuple[int, ...]
_FEW = 16  # windows or places in them, up to which they are slices beside one another

# --- slices ---------------------------------------------------------------------------------


def _forward(start: Shape, stop: Shape, step: Shape) -> tuple[list[range], list[int]]:
    """Ranges that go up, and the axes that they turn around."""
    ranges = [range(*each) for each in zip(start, stop, step, strict=True)]
    turned = [axis for axis, each in enumerate(ranges) if each.step < 0]
    return [each[::-1] if each.step < 0 else each for each in ranges], turned


def slice_(x: Any, start: Shape, stop: Shape, step: Shape) -> Any:
    ranges, turned = _forward(start, stop, step)
    begins = [each.start if each else 0 for each in ranges]
    ends = [each[-1] + 1 if each else 0 for each in ranges]
    found = lax.slice(x, begins, ends, [each.step for each in ranges])
    return lax.rev(found, turned) if turned else found


def slice_update(x: Any, v: Any, start: Shape, stop: Shape, step: Shape) -> Any:
    ranges, turned = _forward(start, stop, step)
    if not all(ranges):
        return jnp.asarray(x)
    v = lax.rev(v, turned) if turned else jnp.asarray(v)
    if all(each.step == 1 or len(each) == 1 for each in ranges):
        return lax.dynamic_update_slice(x, v, [each.start for each in ranges])
    apart = [
        (each.start, n - each[-1] - 1, each.step - 1)
        for each, n in zip(ranges, x.shape, strict=True)
    ]
    written = lax.pad(jnp.ones(v.shape, bool), False, apart)
    return jnp.where(written, lax.pad(v, jnp.zeros((), v.dtype), apart), x)


# --- windows --------------------------------------------------------------------------------


def windows(x: Any, axes: Shape, sizes: Shape, strides: Shape, dilations: Shape) -> Any:
    """One axis after the other; each one's places within a window come last."""
    for axis, size, stride, dilation in zip(axes, sizes, strides, dilations, strict=True):
        count = count_of(x.shape[axis], size, stride, dilation)
        if size <= _FEW:
            parts = [
                lax.slice_in_dim(
                    x, k * dilation, k * dilation + max((count - 1) * stride + 1, 0), stride, axis
                )
                for k in range(size)
            ]
            x = jnp.stack(parts, -1) if parts else jnp.zeros(_wider(x, axis, count, 0), x.dtype)
        else:
            places = np.arange(count)[:, None] * stride + np.arange(size) * dilation
            x = jnp.moveaxis(x.take(places, axis, mode="clip"), axis + 1, -1)
    return x


def _wider(x: Any, axis: int, count: int, size: int) -> Shape:
    return (*x.shape[:axis], count, *x.shape[axis + 1 :], size)


def fold(w: Any, shape: Shape, axes: Shape, strides: Shape, dilations: Shape) -> Any:
    """The transpose of `windows`, from the last axis back to the first."""
    for axis, stride, dilation in reversed([*zip(axes, strides, dilations, strict=True)]):
        count, size, length = w.shape[axis], w.shape[-1], shape[axis]
        total = jnp.zeros((*w.shape[:axis], length, *w.shape[axis + 1 : -1]), w.dtype)
        if size <= _FEW or not w.size:
            for k in range(size if w.size else 0):
                end = k * dilation + (count - 1) * stride + 1
                apart = [(0, 0, 0)] * (w.ndim - 1)
                apart[axis] = (k * dilation, length - end, stride - 1)
                total = total + lax.pad(w[..., k], jnp.zeros((), w.dtype), apart)
        else:
            places = np.arange(count)[:, None] * stride + np.arange(size) * dilation
            beside = jnp.moveaxis(w, (axis, -1), (0, 1))
            total = jnp.moveaxis(jnp.moveaxis(total, axis, 0).at[places].add(beside), 0, axis)
        w = total
    return w


# --- indices from data ----------------------------------------------------------------------


def _places(
    lowering: Lowering, equation: Equation, shape: Shape, pointers: Sequence[Any]
) -> list[Any]:
    """Indices that count from the front, of one shape; what leaves the array is a fault.

    Of indices that are constants no check is left.
    """
    found = []
    for axis, pointer in enumerate(pointers):
        xp: Any = np if isinstance(pointer, (np.ndarray, np.generic)) else jnp
        wide, length = xp.asarray(pointer).astype(np.int64), shape[axis]
        place = xp.where(wide < 0, wide + length, wide)
        bad = (place < 0) | (place >= length)
        if xp is jnp or bad.any():
            error = _out_of_bounds(axis, length, wide.shape, equation.source)
            lowering.check(error, jnp.asarray(bad), jnp.asarray(wide))
        found.append(place)
    known = all(isinstance(place, (np.ndarray, np.generic)) for place in found)
    arrays: list[Any] = (np if known else jnp).broadcast_arrays(*found)
    return list(arrays)


def _out_of_bounds(axis: int, length: int, shape: Shape, source: SourceLocation | None) -> Error:
    def error(value: int, place: int) -> BaseException:
        where = tuple(int(n) for n in np.unravel_index(place, shape)) if shape else ()
        return IndexOutOfBoundsError(
            f"index {value} is out of bounds for axis {axis} with size {length}"
            + (f": it stands at position {where} of the index array" if where else "")
            + (f" ({source})" if source else "")
        )

    return error


def gather(lowering: Lowering, equation: Equation, x: Any, *pointers: Any) -> Any:
    places = _places(lowering, equation, x.shape, pointers)
    (out,) = equation.outputs
    if x.size == 0 or out.type.size == 0:
        return jnp.zeros(out.type.shape, out.type.dtype)
    if not places[0].shape:
        rest = x.shape[len(places) :]
        starts = [*places, *[0] * len(rest)]
        return lax.dynamic_slice(x, starts, [*[1] * len(places), *rest]).reshape(rest)
    return jnp.asarray(x).at[tuple(places)].get(mode="clip")


def scatter(lowering: Lowering, equation: Equation, x: Any, v: Any, *pointers: Any) -> Any:
    """Of writes to one place the last one stays: its number is found first, on any device."""
    places = _places(lowering, equation, x.shape, pointers)
    x, v, count = jnp.asarray(x), jnp.asarray(v), len(places)
    if x.size == 0 or v.size == 0:
        return x
    lead, rest = x.shape[:count], x.shape[count:]
    if not places[0].shape:
        starts = [*places, *[0] * len(rest)]
        return lax.dynamic_update_slice(x, v.reshape((*[1] * count, *rest)), starts)
    order = np.arange(places[0].size).reshape(places[0].shape)
    last = jnp.full(lead, -1).at[tuple(places)].max(order, mode="drop")
    new = v.reshape((order.size, *rest)).at[last].get(mode="clip")
    return jnp.where(last.reshape((*lead, *[1] * len(rest))) >= 0, new, x)


def scatter_add(lowering: Lowering, equation: Equation, x: Any, v: Any, *pointers: Any) -> Any:
    places = _places(lowering, equation, x.shape, pointers)
    x, v = jnp.asarray(x), jnp.asarray(v)
    if x.size == 0 or v.size == 0:
        return x
    at = x.at[tuple(places)]
    return (at.max if x.dtype == np.bool_ else at.add)(v, mode="drop")
