"""Products that contract axes: matrix products in every layout."""

from __future__ import annotations

from typing import Any

import numpy as np

from bital.errors import ProgramError
from bital.primitives.elementwise import add
from bital.primitives.primitive import (
    Linear,
    Operand,
    Primitive,
    Tangent,
    require_same_dtype,
    single,
)
from bital.primitives.shape import move_axis, transpose
from bital.program import ArrayType, Atom

Axes = tuple[int, ...]
AxisPair = tuple[Axes, Axes]


def free_axes(ndim: int, contract: Axes, batch: Axes) -> Axes:
    return tuple(axis for axis in range(ndim) if axis not in contract and axis not in batch)


def _abstract_eval(x: ArrayType, y: ArrayType, contract: AxisPair, batch: AxisPair) -> ArrayType:
    dtype = require_same_dtype("dot_general", x, y)
    for (x_axes, y_axes), what in ((contract, "contracted"), (batch, "batch")):
        if [x.shape[a] for a in x_axes] != [y.shape[a] for a in y_axes]:
            raise ProgramError(f"{what} axes {x_axes} of {x} and {y_axes} of {y} differ in length")
    return ArrayType(
        tuple(x.shape[a] for a in batch[0])
        + tuple(x.shape[a] for a in free_axes(x.ndim, contract[0], batch[0]))
        + tuple(y.shape[a] for a in free_axes(y.ndim, contract[1], batch[1])),
        dtype,
    )


def _reference(x: Any, y: Any, contract: AxisPair, batch: AxisPair) -> Any:
    """One matmul: both operands are brought to (batch, rows, columns)."""
    x_free = free_axes(x.ndim, contract[0], batch[0])
    y_free = free_axes(y.ndim, contract[1], batch[1])
    shape = [x.shape[a] for a in batch[0]]
    rows, columns = [x.shape[a] for a in x_free], [y.shape[a] for a in y_free]
    inner = int(np.prod([x.shape[a] for a in contract[0]], dtype=int))
    left = x.transpose(*batch[0], *x_free, *contract[0])
    right = y.transpose(*batch[1], *contract[1], *y_free)
    left = left.reshape((*shape, int(np.prod(rows, dtype=int)), inner))
    right = right.reshape((*shape, inner, int(np.prod(columns, dtype=int))))
    return np.matmul(left, right).reshape((*shape, *rows, *columns))


def _jvp(
    tangents: list[Tangent], out: Atom, x: Atom, y: Atom, contract: AxisPair, batch: AxisPair
) -> Tangent:
    tx, ty = tangents
    left = None if tx is None else dot_general(tx, y, contract=contract, batch=batch)
    right = None if ty is None else dot_general(x, ty, contract=contract, batch=batch)
    if left is None or right is None:
        return left if right is None else right
    result: Atom = add(left, right)
    return result


def _transpose(
    ct: Atom, x: Operand, y: Operand, contract: AxisPair, batch: AxisPair
) -> list[Tangent]:
    if isinstance(x, Linear):
        return [_transpose_left(ct, x, y, contract, batch), None]
    # The same product with its operands exchanged has the same elements, its free axes swapped.
    assert isinstance(y, Linear)
    count = len(batch[0])
    x_free = x.type.ndim - count - len(contract[0])
    order = (*range(count), *range(count + x_free, ct.type.ndim), *range(count, count + x_free))
    turned = ct if not x_free else transpose(ct, permutation=order)
    swapped = (contract[1], contract[0]), (batch[1], batch[0])
    return [None, _transpose_left(turned, y, x, *swapped)]


def _transpose_left(ct: Atom, x: Linear, y: Operand, contract: AxisPair, batch: AxisPair) -> Atom:
    """The cotangent of x: ct contracted with y over y's free axes, axes put back in order."""
    count = len(batch[0])
    x_free = free_axes(x.type.ndim, contract[0], batch[0])
    y_free = free_axes(y.type.ndim, contract[1], batch[1])
    ct_y_axes = tuple(range(count + len(x_free), ct.type.ndim))
    product = dot_general(
        ct, y, contract=(ct_y_axes, y_free), batch=(tuple(range(count)), batch[1])
    )
    # product has axes: batch, x_free, then y's contracted axes in increasing order
    by_y = sorted(range(len(contract[1])), key=lambda i: contract[1][i])
    order = (*batch[0], *x_free, *(contract[0][i] for i in by_y))
    if order == tuple(range(len(order))):
        result: Atom = product
    else:
        result = transpose(product, permutation=tuple(np.argsort(order).tolist()))
    return result


def _batch(
    primitive: Primitive,
    size: int,
    inputs: list[Atom],
    mapped: list[bool],
    contract: AxisPair,
    batch: AxisPair,
) -> list[Atom]:
    def shift(axes: Axes, is_mapped: bool) -> Axes:
        return tuple(axis + 1 for axis in axes) if is_mapped else axes

    moved = (shift(contract[0], mapped[0]), shift(contract[1], mapped[1]))
    kept = (shift(batch[0], mapped[0]), shift(batch[1], mapped[1]))
    if all(mapped):
        kept = ((0, *kept[0]), (0, *kept[1]))
        return primitive.bind(inputs, {"contract": moved, "batch": kept})
    (out,) = primitive.bind(inputs, {"contract": moved, "batch": kept})
    # The batch axis is the first free axis of whichever operand is mapped.
    x, _ = inputs
    position = len(batch[0])
    if mapped[1]:
        position += x.type.ndim - len(contract[0]) - len(batch[0])
    return [move_axis(out, position, 0)]


dot_general: Primitive = Primitive(
    "dot_general",
    abstract_eval=_abstract_eval,
    reference=_reference,
    jvp=single(_jvp),
    transpose=_transpose,
    batch=_batch,
)
