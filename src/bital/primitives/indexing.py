"""Gather and scatter: reading and writing where integer arrays point.

The index arrays broadcast together to a shape S and point into the leading axes of x, so a
gathered array has shape S + the remaining axes of x. An index may be negative, as in NumPy;
one out of range raises.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bital.primitives.elementwise import add, align, broadcast_shapes, convert, eq, mul
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
from bital.primitives.shape import batched, reshape
from bital.program import ArrayType, Atom, current_builder


def _gather_abstract_eval(x: ArrayType, *indices: ArrayType) -> ArrayType:
    require(0 < len(indices) <= x.ndim, lambda: f"{len(indices)} index arrays do not fit {x}")
    require(
        all(index.dtype.kind in "iu" for index in indices),
        lambda: f"an index must be an integer array, got {', '.join(map(str, indices))}",
    )
    return ArrayType(broadcast_shapes(*indices) + x.shape[len(indices) :], x.dtype)


def _batch_indices(
    size: int, x_mapped: bool, indices: list[Atom], mapped: list[bool]
) -> list[Atom]:
    """Index arrays that give S a batch axis in front, the first one counting x's own if it has."""
    rank = max(i.type.ndim - is_mapped for i, is_mapped in zip(indices, mapped, strict=True))
    aligned = [align(i, rank) if m else i for i, m in zip(indices, mapped, strict=True)]
    if not x_mapped:
        return aligned
    count = current_builder().constant(np.arange(size))
    return [reshape(count, shape=(size, *(1,) * rank)), *aligned]


def _batch_gather(
    primitive: Primitive, size: int, inputs: list[Atom], mapped: list[bool]
) -> list[Atom]:
    x, *indices = inputs
    return primitive.bind([x, *_batch_indices(size, mapped[0], indices, mapped[1:])], {})


def _gather_transpose(ct: Atom, x: Operand, *indices: Atom) -> list[Tangent]:
    return [scatter_add(zeros(x.type), ct, *indices), *([None] * len(indices))]


gather: Primitive = Primitive(
    "gather",
    abstract_eval=_gather_abstract_eval,
    reference=lambda x, *indices: x[indices],
    jvp=linear_jvp(0),
    transpose=_gather_transpose,
    batch=_batch_gather,
)


def _scatter_abstract_eval(x: ArrayType, v: ArrayType, *indices: ArrayType) -> ArrayType:
    require_same_dtype("scatter", x, v)
    window = _gather_abstract_eval(x, *indices)
    require(window == v, lambda: f"the indices point at {window}, the update is {v}")
    return x


def _batch_scatter(
    primitive: Primitive, size: int, inputs: list[Atom], mapped: list[bool]
) -> list[Atom]:
    x, v, *indices = inputs
    x, v = batched(x, mapped[0], size), batched(v, mapped[1], size)
    return primitive.bind([x, v, *_batch_indices(size, True, indices, mapped[2:])], {})


def _scatter_add_reference(x: Any, v: Any, *indices: Any) -> Any:
    out = np.array(x)
    np.add.at(out, indices, v)
    return out


def _scatter_add_transpose(ct: Atom, x: Operand, v: Operand, *indices: Atom) -> list[Tangent]:
    return [
        ct if isinstance(x, Linear) else None,
        gather(ct, *indices) if isinstance(v, Linear) else None,
        *([None] * len(indices)),
    ]


scatter_add: Primitive = Primitive(
    "scatter_add",
    abstract_eval=_scatter_abstract_eval,
    reference=_scatter_add_reference,
    jvp=linear_jvp(0, 1),
    transpose=_scatter_add_transpose,
    batch=_batch_scatter,
)


def _scatter_reference(x: Any, v: Any, *indices: Any) -> Any:
    out = np.array(x)
    out[indices] = v
    return out


def _scatter_jvp(
    primitive: Primitive, primals: list[Atom], tangents: list[Tangent]
) -> tuple[list[Atom], list[Tangent]]:
    """Where one place is written twice, only the write that stays has a derivative."""
    x, v, *indices = primals
    outputs = primitive.bind(primals, {})
    tx, tv = tangents[0], tangents[1]
    moved: Tangent = None
    if tx is not None:
        moved = scatter(tx, zeros(v.type), *indices)
    if tv is not None:
        won = _last_writes(x, v, indices)
        written = scatter_add(zeros(x.type), mul(tv, won), *indices)
        moved = written if moved is None else add(moved, written)
    return outputs, [moved]


def _last_writes(x: Atom, v: Atom, indices: list[Atom]) -> Atom:
    """1 for each element of v that x keeps, 0 for those that a later one overwrote."""
    order = current_builder().constant(np.arange(v.type.size).reshape(v.type.shape))
    empty = zeros(ArrayType(x.type.shape, order.type.dtype))
    kept = gather(scatter(empty, order, *indices), *indices)
    won: Atom = convert(eq(kept, order), dtype=v.type.dtype)
    return won


def _scatter_transpose(ct: Atom, x: Operand, v: Operand, *indices: Atom) -> list[Tangent]:
    # Linear in x alone: the jvp writes zeros, and v's part goes through scatter_add.
    cleared = scatter(ct, zeros(v.type), *indices) if isinstance(x, Linear) else None
    return [cleared, None, *([None] * len(indices))]


scatter: Primitive = Primitive(
    "scatter",
    abstract_eval=_scatter_abstract_eval,
    reference=_scatter_reference,
    jvp=_scatter_jvp,
    transpose=_scatter_transpose,
    batch=_batch_scatter,
)
