"""Running sums and products along an axis, from its front or, reversed, from its back."""

from __future__ import annotations

from typing import Any

import numpy as np

from bital.primitives.elementwise import add as _add
from bital.primitives.elementwise import mul
from bital.primitives.primitive import (
    NOT_LINEAR,
    Operand,
    Primitive,
    Tangent,
    linear_jvp,
    require,
    single,
)
from bital.primitives.shape import concatenate, slice_
from bital.program import ArrayType, Atom


def _abstract_eval(x: ArrayType, axis: int, reverse: bool) -> ArrayType:
    require(0 <= axis < x.ndim, lambda: f"axis {axis} does not fit {x}")
    return x


def _batch(
    primitive: Primitive,
    size: int,
    inputs: list[Atom],
    mapped: list[bool],
    axis: int,
    reverse: bool,
) -> list[Atom]:
    return primitive.bind(inputs, {"axis": axis + 1, "reverse": reverse})


def _accumulation(name: str, ufunc: np.ufunc, **rules: Any) -> Primitive:
    def reference(x: Any, axis: int, reverse: bool) -> Any:
        if not reverse:
            return ufunc.accumulate(x, axis=axis, dtype=x.dtype)
        return np.flip(ufunc.accumulate(np.flip(x, axis), axis=axis, dtype=x.dtype), axis)

    return Primitive(name, abstract_eval=_abstract_eval, reference=reference, batch=_batch, **rules)


def _sum_transpose(ct: Atom, x: Operand, axis: int, reverse: bool) -> list[Tangent]:
    """What an element adds to are all that follow it: the sum from the other end."""
    return [cumsum(ct, axis=axis, reverse=not reverse)]


cumsum: Primitive = _accumulation("cumsum", np.add, jvp=linear_jvp(), transpose=_sum_transpose)


def _prod_jvp(tangents: list[Tangent], out: Atom, x: Atom, axis: int, reverse: bool) -> Tangent:
    """Products of (value, tangent) pairs over 1, 2, 4, ... elements: exact where some are zero.

    Hillis and Steele, Data parallel algorithms, CACM 29 (1986).
    """
    (moved,) = tangents
    if moved is None or x.type.size == 0:
        return None
    value, reach = x, 1
    while reach < x.type.shape[axis]:
        value, moved = _join_at(value, moved, axis, reach, reverse)
        reach *= 2
    return moved


def _join_at(value: Atom, moved: Atom, axis: int, reach: int, reverse: bool) -> tuple[Atom, Atom]:
    """Each element times the one `reach` places before it; the first ones, without such, stay."""
    length = value.type.shape[axis]
    front, back = (0, length - reach), (reach, length)
    stays, here, there = (
        ((length - reach, length), front, back) if reverse else ((0, reach), back, front)
    )

    def joined(kept: Atom, new: Atom) -> Atom:
        parts = (new, kept) if reverse else (kept, new)
        result: Atom = concatenate(*parts, axis=axis)
        return result

    a, b = _part(value, axis, *there), _part(value, axis, *here)
    ta, tb = _part(moved, axis, *there), _part(moved, axis, *here)
    return (
        joined(_part(value, axis, *stays), mul(a, b)),
        joined(_part(moved, axis, *stays), _add(mul(ta, b), mul(a, tb))),
    )


def _part(x: Atom, axis: int, first: int, last: int) -> Atom:
    shape = x.type.shape
    start = tuple(first if a == axis else 0 for a in range(len(shape)))
    stop = tuple(last if a == axis else n for a, n in enumerate(shape))
    result: Atom = slice_(x, start=start, stop=stop, step=(1,) * len(shape))
    return result


cumprod: Primitive = _accumulation(
    "cumprod", np.multiply, jvp=single(_prod_jvp), transpose=NOT_LINEAR
)
