"""Primitives that move elements without computing: all of them linear."""

from __future__ import annotations

from typing import Any

import numpy as np

from bital.errors import ProgramError
from bital.primitives.elementwise import align, unbroadcast
from bital.primitives.primitive import (
    Linear,
    Operand,
    Primitive,
    Tangent,
    linear_jvp,
    require,
    require_same_dtype,
    zeros,
)
from bital.program import ArrayType, Atom

Shape = tuple[int, ...]

# --- reshape, transpose, broadcast_to -------------------------------------------------------


def _reshape_abstract_eval(x: ArrayType, shape: Shape) -> ArrayType:
    out = ArrayType(shape, x.dtype)
    require(
        out.size == x.size and min(shape, default=0) >= 0,
        lambda: f"{x} does not reshape to {shape}",
    )
    return out


reshape: Primitive = Primitive(
    "reshape",
    abstract_eval=_reshape_abstract_eval,
    reference=lambda x, shape: np.reshape(x, shape),
    jvp=linear_jvp(),
    transpose=lambda ct, x, shape: [reshape(ct, shape=x.type.shape)],
    batch=lambda primitive, size, inputs, mapped, shape: primitive.bind(
        inputs, {"shape": (size, *shape)}
    ),
)


def _transpose_abstract_eval(x: ArrayType, permutation: Shape) -> ArrayType:
    require(
        sorted(permutation) == list(range(x.ndim)),
        lambda: f"{permutation} does not permute the axes of {x}",
    )
    return ArrayType(tuple(x.shape[axis] for axis in permutation), x.dtype)


def inverse_permutation(permutation: Shape) -> Shape:
    inverse = [0] * len(permutation)
    for position, axis in enumerate(permutation):
        inverse[axis] = position
    return tuple(inverse)


transpose: Primitive = Primitive(
    "transpose",
    abstract_eval=_transpose_abstract_eval,
    reference=lambda x, permutation: np.transpose(x, permutation),
    jvp=linear_jvp(),
    transpose=lambda ct, x, permutation: [
        transpose(ct, permutation=inverse_permutation(permutation))
    ],
    batch=lambda primitive, size, inputs, mapped, permutation: primitive.bind(
        inputs, {"permutation": (0, *(axis + 1 for axis in permutation))}
    ),
)


def _broadcast_abstract_eval(x: ArrayType, shape: Shape) -> ArrayType:
    require(
        np.broadcast_shapes(x.shape, shape) == shape, lambda: f"{x} does not broadcast to {shape}"
    )
    return ArrayType(shape, x.dtype)


def _batch_broadcast_to(
    primitive: Primitive, size: int, inputs: list[Atom], mapped: list[bool], shape: Shape
) -> list[Atom]:
    return primitive.bind([align(inputs[0], len(shape))], {"shape": (size, *shape)})


broadcast_to: Primitive = Primitive(
    "broadcast_to",
    abstract_eval=_broadcast_abstract_eval,
    reference=lambda x, shape: np.broadcast_to(x, shape),
    jvp=linear_jvp(),
    transpose=lambda ct, x, shape: [unbroadcast(ct, x.type.shape)],
    batch=_batch_broadcast_to,
)


def move_axis(x: Atom, source: int, target: int) -> Atom:
    if source == target:
        return x
    order = [axis for axis in range(x.type.ndim) if axis != source]
    order.insert(target, source)
    result: Atom = transpose(x, permutation=tuple(order))
    return result


# --- concatenate ----------------------------------------------------------------------------


def _concatenate_abstract_eval(*xs: ArrayType, axis: int) -> ArrayType:
    dtype = require_same_dtype("concatenate", *xs)
    shapes = [list(x.shape) for x in xs]
    lengths = [shape.pop(axis) for shape in shapes]
    require(
        all(shape == shapes[0] for shape in shapes),
        lambda: (
            f"concatenate along axis {axis} needs equal other axes, got {', '.join(map(str, xs))}"
        ),
    )
    shape = shapes[0]
    shape.insert(axis, sum(lengths))
    return ArrayType(tuple(shape), dtype)


def _concatenate_transpose(ct: Atom, *xs: Operand, axis: int) -> list[Tangent]:
    shape, offset = ct.type.shape, 0
    results: list[Tangent] = []
    for x in xs:
        length = x.type.shape[axis]
        if isinstance(x, Linear):
            start = tuple(offset if a == axis else 0 for a in range(len(shape)))
            stop = tuple(offset + length if a == axis else n for a, n in enumerate(shape))
            results.append(slice_(ct, start=start, stop=stop, step=(1,) * len(shape)))
        else:
            results.append(None)
        offset += length
    return results


def batched(x: Atom, is_mapped: bool, size: int) -> Atom:
    """x with the batch axis in front, stretched to it where x had none."""
    if is_mapped:
        return x
    result: Atom = broadcast_to(x, shape=(size, *x.type.shape))
    return result


def _batch_concatenate(
    primitive: Primitive, size: int, inputs: list[Atom], mapped: list[bool], axis: int
) -> list[Atom]:
    full = [batched(x, is_mapped, size) for x, is_mapped in zip(inputs, mapped, strict=True)]
    return primitive.bind(full, {"axis": axis + 1})


concatenate: Primitive = Primitive(
    "concatenate",
    abstract_eval=_concatenate_abstract_eval,
    reference=lambda *xs, axis: np.concatenate(xs, axis=axis),
    jvp=linear_jvp(),
    transpose=_concatenate_transpose,
    batch=_batch_concatenate,
)

# --- slice, slice_update --------------------------------------------------------------------
# start, stop and step are as Python's range takes them, an entry for each axis, never None:
# a reversed axis of length n is start n-1, stop -1, step -1.


def as_slices(start: Shape, stop: Shape, step: Shape) -> tuple[slice, ...]:
    """NumPy's index for these ranges: stop -1 with a negative step means "to the front"."""
    return tuple(
        slice(first, None if by < 0 and last < 0 else last, by)
        if range(first, last, by)
        else slice(0, 0, 1)
        for first, last, by in zip(start, stop, step, strict=True)
    )


def _slice_abstract_eval(x: ArrayType, start: Shape, stop: Shape, step: Shape) -> ArrayType:
    require(
        len(start) == len(stop) == len(step) == x.ndim,
        lambda: f"a slice of {x} needs {x.ndim} ranges",
    )
    shape = []
    for length, first, last, by in zip(x.shape, start, stop, step, strict=True):
        count = len(range(first, last, by))
        if count:
            ends = (first, first + by * (count - 1))
            if not 0 <= min(ends) <= max(ends) < length:
                raise ProgramError(f"range {first, last, by} leaves {x}")
        shape.append(count)
    return ArrayType(tuple(shape), x.dtype)


def _slice_transpose(ct: Atom, x: Operand, **ranges: Shape) -> list[Tangent]:
    return [slice_update(zeros(x.type), ct, **ranges)]


def _batch_ranges(size: int, start: Shape, stop: Shape, step: Shape) -> dict[str, Shape]:
    return {"start": (0, *start), "stop": (size, *stop), "step": (1, *step)}


slice_: Primitive = Primitive(
    "slice",
    abstract_eval=_slice_abstract_eval,
    reference=lambda x, start, stop, step: x[as_slices(start, stop, step)],
    jvp=linear_jvp(),
    transpose=_slice_transpose,
    batch=lambda primitive, size, inputs, mapped, **ranges: primitive.bind(
        inputs, _batch_ranges(size, **ranges)
    ),
)


def _update_abstract_eval(x: ArrayType, v: ArrayType, **ranges: Shape) -> ArrayType:
    window = _slice_abstract_eval(x, **ranges)
    require(window == v, lambda: f"the window is {window}, the update is {v}")
    return x


def _update_reference(x: Any, v: Any, **ranges: Shape) -> Any:
    out = np.array(x)
    out[as_slices(**ranges)] = v
    return out


def _update_transpose(ct: Atom, x: Operand, v: Operand, **ranges: Shape) -> list[Tangent]:
    return [
        slice_update(ct, zeros(v.type), **ranges) if isinstance(x, Linear) else None,
        slice_(ct, **ranges) if isinstance(v, Linear) else None,
    ]


def _batch_update(
    primitive: Primitive, size: int, inputs: list[Atom], mapped: list[bool], **ranges: Shape
) -> list[Atom]:
    full = [batched(x, is_mapped, size) for x, is_mapped in zip(inputs, mapped, strict=True)]
    return primitive.bind(full, _batch_ranges(size, **ranges))


slice_update: Primitive = Primitive(
    "slice_update",
    abstract_eval=_update_abstract_eval,
    reference=_update_reference,
    jvp=linear_jvp(),
    transpose=_update_transpose,
    batch=_batch_update,
)
