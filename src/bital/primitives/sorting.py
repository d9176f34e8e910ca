"""Sorting along an axis, smallest first and NaN last.

Subgradient: where elements are equal, each keeps its own tangent, in the order of their places.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bital.primitives.indexing import gather
from bital.primitives.primitive import (
    NOT_DIFFERENTIABLE,
    NOT_LINEAR,
    Primitive,
    Tangent,
    require,
)
from bital.program import ArrayType, Atom, current_builder


def _require_axis(x: ArrayType, axis: int) -> None:
    require(0 <= axis < x.ndim, lambda: f"axis {axis} does not fit {x}")


def _sort_abstract_eval(x: ArrayType, axis: int, stable: bool) -> ArrayType:
    _require_axis(x, axis)
    return x


def _argsort_abstract_eval(x: ArrayType, axis: int, stable: bool) -> ArrayType:
    _require_axis(x, axis)
    return ArrayType(x.shape, np.dtype(np.intp))


def _batch(
    primitive: Primitive, size: int, inputs: list[Atom], mapped: list[bool], axis: int, stable: bool
) -> list[Atom]:
    return primitive.bind(inputs, {"axis": axis + 1, "stable": stable})


def _reference(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, axis, stable: function(x, axis=axis, stable=stable)


argsort: Primitive = Primitive(
    "argsort",
    abstract_eval=_argsort_abstract_eval,
    reference=_reference(np.argsort),
    jvp=NOT_DIFFERENTIABLE,
    transpose=NOT_LINEAR,
    batch=_batch,
)


def take_along(x: Atom, order: Atom, axis: int) -> Atom:
    """As ``np.take_along_axis``: order points into `axis`, and has x's other axes."""
    grid = []
    for other, length in enumerate(order.type.shape):
        if other == axis:
            grid.append(order)
        else:
            shape = tuple(-1 if a == other else 1 for a in range(x.type.ndim))
            grid.append(current_builder().constant(np.arange(length).reshape(shape)))
    result: Atom = gather(x, *grid)
    return result


def _sort_jvp(
    primitive: Primitive, primals: list[Atom], tangents: list[Tangent], axis: int, stable: bool
) -> tuple[list[Atom], list[Tangent]]:
    (x,), (tangent,) = primals, tangents
    if tangent is None:
        return primitive.bind(primals, {"axis": axis, "stable": stable}), [None]
    order = argsort(x, axis=axis, stable=True)
    return [take_along(x, order, axis)], [take_along(tangent, order, axis)]


sort: Primitive = Primitive(
    "sort",
    abstract_eval=_sort_abstract_eval,
    reference=_reference(np.sort),
    jvp=_sort_jvp,
    transpose=NOT_LINEAR,
    batch=_batch,
)
