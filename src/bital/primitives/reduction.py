"""Reductions over axes.

Subgradients: ``reduce_max`` and ``reduce_min`` share the cotangent equally among equal extrema.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from bital.primitives.elementwise import add as _add
from bital.primitives.elementwise import broadcast_to, div, eq, mul, select
from bital.primitives.primitive import (
    NOT_DIFFERENTIABLE,
    NOT_LINEAR,
    Operand,
    Primitive,
    Tangent,
    linear_jvp,
    require,
    single,
)
from bital.primitives.shape import concatenate, reshape, slice_, transpose
from bital.program import ArrayType, Atom, Literal


def reduced_shape(shape: tuple[int, ...], axes: tuple[int, ...], keepdims: bool) -> tuple[int, ...]:
    if keepdims:
        return tuple(1 if axis in axes else length for axis, length in enumerate(shape))
    return tuple(length for axis, length in enumerate(shape) if axis not in axes)


def _abstract_eval(x: ArrayType, axes: tuple[int, ...], keepdims: bool) -> ArrayType:
    require(
        all(0 <= axis < x.ndim for axis in axes) and len(set(axes)) == len(axes),
        lambda: f"axes {axes} do not fit {x}",
    )
    return ArrayType(reduced_shape(x.shape, axes, keepdims), x.dtype)


def _extremum_abstract_eval(x: ArrayType, axes: tuple[int, ...], keepdims: bool) -> ArrayType:
    out = _abstract_eval(x, axes, keepdims)
    require(
        all(x.shape[axis] for axis in axes) or out.size == 0,
        lambda: f"an extremum over an empty axis has no value: axes {axes} of {x}",
    )
    return out


def batch_reduction(
    primitive: Primitive,
    size: int,
    inputs: list[Atom],
    mapped: list[bool],
    axes: tuple[int, ...],
    keepdims: bool,
) -> list[Atom]:
    moved = tuple(axis + 1 for axis in axes)
    return primitive.bind(inputs, {"axes": moved, "keepdims": keepdims})


def _reduction(name: str, ufunc: np.ufunc, **rules: Any) -> Primitive:
    def reference(x: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
        return ufunc.reduce(x, axis=axes, keepdims=keepdims, dtype=x.dtype)

    fields: dict[str, Any] = {
        "abstract_eval": _abstract_eval,
        "reference": reference,
        "transpose": NOT_LINEAR,
        "batch": batch_reduction,
        **rules,
    }
    return Primitive(name, **fields)


def expand(x: Atom, shape: tuple[int, ...], axes: tuple[int, ...]) -> Atom:
    """Undo ``keepdims=False``: x as it would be had the axes of `shape` been kept."""
    kept = reduced_shape(shape, axes, True)
    if x.type.shape == kept:
        return x
    result: Atom = reshape(x, shape=kept)
    return result


def _sum_transpose(ct: Atom, x: Operand, axes: tuple[int, ...], keepdims: bool) -> list[Tangent]:
    return [broadcast_to(expand(ct, x.type.shape, axes), x.type.shape)]


reduce_sum = _reduction("reduce_sum", np.add, jvp=linear_jvp(), transpose=_sum_transpose)


def _extremum_jvp(
    tangents: list[Tangent], out: Atom, x: Atom, axes: tuple[int, ...], keepdims: bool
) -> Tangent:
    (tangent,) = tangents
    if tangent is None or x.type.size == 0:
        return None
    dtype = x.type.dtype
    best = eq(x, expand(out, x.type.shape, axes))
    share = select(best, Literal(1, dtype), Literal(0, dtype))
    count = reduce_sum(share, axes=axes, keepdims=keepdims)
    total: Atom = reduce_sum(mul(tangent, share), axes=axes, keepdims=keepdims)
    result: Atom = div(total, count)
    return result


reduce_max = _reduction(
    "reduce_max", np.maximum, abstract_eval=_extremum_abstract_eval, jvp=single(_extremum_jvp)
)
reduce_min = _reduction(
    "reduce_min", np.minimum, abstract_eval=_extremum_abstract_eval, jvp=single(_extremum_jvp)
)


def _prod_jvp(
    tangents: list[Tangent], out: Atom, x: Atom, axes: tuple[int, ...], keepdims: bool
) -> Tangent:
    """Multiply (value, tangent) pairs in a tree: exact where elements are zero, O(n) work."""
    (tangent,) = tangents
    if tangent is None or x.type.size == 0:
        return None
    kept = tuple(axis for axis in range(x.type.ndim) if axis not in axes)
    count = math.prod(x.type.shape[axis] for axis in axes)
    rows = math.prod(x.type.shape[axis] for axis in kept)

    def flatten(a: Atom) -> Atom:
        moved = transpose(a, permutation=(*kept, *axes)) if axes else a
        flat: Atom = reshape(moved, shape=(rows, count))
        return flat

    value, moved = flatten(x), flatten(tangent)
    while value.type.shape[1] > 1:
        value, moved = _multiply_halves(value, moved)
    result: Atom = reshape(moved, shape=out.type.shape)
    return result


def _multiply_halves(value: Atom, tangent: Atom) -> tuple[Atom, Atom]:
    rows, count = value.type.shape
    half = count // 2

    def part(a: Atom, start: int, stop: int) -> Atom:
        result: Atom = slice_(a, start=(0, start), stop=(rows, stop), step=(1, 1))
        return result

    a, b = part(value, 0, half), part(value, half, 2 * half)
    ta, tb = part(tangent, 0, half), part(tangent, half, 2 * half)
    product, moved = mul(a, b), _add(mul(ta, b), mul(a, tb))
    if count % 2:
        rest, moved_rest = part(value, count - 1, count), part(tangent, count - 1, count)
        product = concatenate(product, rest, axis=1)
        moved = concatenate(moved, moved_rest, axis=1)
    return product, moved


reduce_prod = _reduction("reduce_prod", np.multiply, jvp=single(_prod_jvp))


def _index_abstract_eval(x: ArrayType, axis: int) -> ArrayType:
    require(0 <= axis < x.ndim, lambda: f"axis {axis} does not fit {x}")
    shape = reduced_shape(x.shape, (axis,), False)
    require(
        x.shape[axis] > 0 or 0 in shape,
        lambda: f"an empty axis has no extremum: axis {axis} of {x}",
    )
    return ArrayType(shape, np.dtype(np.intp))


def _batch_index(
    primitive: Primitive, size: int, inputs: list[Atom], mapped: list[bool], axis: int
) -> list[Atom]:
    return primitive.bind(inputs, {"axis": axis + 1})


def _index_reduction(name: str, function: Callable[..., Any]) -> Primitive:
    return Primitive(
        name,
        abstract_eval=_index_abstract_eval,
        reference=lambda x, axis: function(x, axis=axis),
        jvp=NOT_DIFFERENTIABLE,
        transpose=NOT_LINEAR,
        batch=_batch_index,
    )


argmax = _index_reduction("argmax", np.argmax)
argmin = _index_reduction("argmin", np.argmin)
