"""Windows that slide over an array, and their transpose: sums of windows that overlap.

Both are linear, and each is the other's transpose. Windows begin every `strides` elements along
each of `axes`, and hold every `dilations`-th element; their own axes come last, in the order of
`axes`.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from bital.primitives.primitive import Operand, Primitive, Tangent, linear_jvp, require
from bital.program import ArrayType, Atom

Shape = tuple[int, ...]


def count_of(length: int, size: int, stride: int, dilation: int) -> int:
    """How many windows lie within an axis."""
    return (length - (size - 1) * dilation - 1) // stride + 1


def _windows_abstract_eval(
    x: ArrayType, axes: Shape, sizes: Shape, strides: Shape, dilations: Shape
) -> ArrayType:
    fits = len(axes) == len(sizes) == len(strides) == len(dilations) == len(set(axes))
    require(
        fits and all(0 <= axis < x.ndim for axis in axes) and min(strides + dilations) >= 1,
        lambda: f"windows {sizes} along {axes} by {strides} and {dilations} do not fit {x}",
    )
    shape = list(x.shape)
    for axis, size, stride, dilation in zip(axes, sizes, strides, dilations, strict=True):
        shape[axis] = count_of(x.shape[axis], size, stride, dilation)
    require(min(shape) >= 0 <= min(sizes), lambda: f"windows of {sizes} do not fit {x}")
    return ArrayType((*shape, *sizes), x.dtype)


def view(x: Any, axes: Shape, sizes: Shape, strides: Shape, dilations: Shape) -> Any:
    """The windows of an array, in its own memory."""
    spans = tuple((size - 1) * by + 1 for size, by in zip(sizes, dilations, strict=True))
    index = [slice(None)] * x.ndim
    for axis, stride in zip(axes, strides, strict=True):
        index[axis] = slice(None, None, stride)
    index += [slice(None, None, dilation) for dilation in dilations]
    return np.lib.stride_tricks.sliding_window_view(x, spans, axes)[tuple(index)]


def _batch_windows(
    primitive: Primitive,
    size: int,
    inputs: list[Atom],
    mapped: list[bool],
    axes: Shape,
    **params: Shape,
) -> list[Atom]:
    if "shape" in params:
        params["shape"] = (size, *params["shape"])
    return primitive.bind(inputs, {"axes": tuple(axis + 1 for axis in axes), **params})


def _windows_transpose(ct: Atom, x: Operand, sizes: Shape, **params: Shape) -> list[Tangent]:
    return [fold(ct, shape=x.type.shape, **params)]


windows: Primitive = Primitive(
    "windows",
    abstract_eval=_windows_abstract_eval,
    reference=view,
    jvp=linear_jvp(),
    transpose=_windows_transpose,
    batch=_batch_windows,
)

# --- fold -----------------------------------------------------------------------------------


def _fold_abstract_eval(
    w: ArrayType, shape: Shape, axes: Shape, strides: Shape, dilations: Shape
) -> ArrayType:
    out = ArrayType(shape, w.dtype)
    require(len(shape) + len(axes) == w.ndim, lambda: f"{w} does not fold to {shape}")
    sizes = w.shape[len(shape) :]
    expected = _windows_abstract_eval(out, axes, sizes, strides, dilations)
    require(expected == w, lambda: f"the windows of {shape} are {expected}, not {w}")
    return out


def _fold_reference(w: Any, shape: Shape, axes: Shape, strides: Shape, dilations: Shape) -> Any:
    out = np.zeros(shape, w.dtype)
    for corner in itertools.product(*map(range, w.shape[len(shape) :])):
        index = [slice(None)] * len(shape)
        for place, axis, by, step in zip(corner, axes, dilations, strides, strict=True):
            stop = place * by + (w.shape[axis] - 1) * step + 1
            index[axis] = slice(place * by, max(stop, 0), step)
        if math.prod(w.shape):
            out[tuple(index)] += w[(..., *corner)]
    return out


def _fold_transpose(ct: Atom, w: Operand, shape: Shape, **params: Shape) -> list[Tangent]:
    return [windows(ct, sizes=w.type.shape[len(shape) :], **params)]


fold: Primitive = Primitive(
    "fold",
    abstract_eval=_fold_abstract_eval,
    reference=_fold_reference,
    jvp=linear_jvp(),
    transpose=_fold_transpose,
    batch=_batch_windows,
)
