"""Lowering of sums of windows; windows themselves are views."""

from __future__ import annotations

from bital.executors.loops.form import constant, index_of
from bital.executors.loops.lowering import ZERO, Lowering, rule
from bital.executors.loops.nest import Nest
from bital.executors.loops.rules import fill
from bital.executors.loops.scalar import JOINS
from bital.program import Equation


@rule("fold")
def _fold(lowering: Lowering, equation: Equation) -> None:
    """Windows added to zeros: the places within them in order, each for all windows at once.

    Where the first axis is none that windows slide along, all of it is done row by row.
    """
    (w,), (out,) = equation.inputs, equation.outputs
    lowering.view(w)
    if w.type.size == 0:
        fill(lowering, out, 0)
        return
    view, params = lowering.new_view(out), equation.params
    rank = out.type.ndim
    by_rows = 0 not in params["axes"] and out.type.shape[0] > 1

    lowering.nest("fold")
    axes = lowering.grid.axes(out.type.shape)
    indices = tuple(ZERO if axis is None else index_of(axis) for axis in axes)
    zero = constant(0, out.type.dtype)
    lowering.body.store(view.buffer, lowering.offset(view, indices), zero)
    grid = tuple(axis for axis in axes if axis is not None)
    clear = Nest("fold", grid, frozenset(), lowering.body)

    lowering.nest("fold")
    axes = lowering.grid.axes(w.type.shape)
    indices = tuple(ZERO if axis is None else index_of(axis) for axis in axes)
    place = list(indices[:rank])
    for number, axis in enumerate(params["axes"]):
        inner = indices[rank + number] * params["dilations"][number]
        place[axis] = place[axis] * params["strides"][number] + inner
    where = lowering.offset(view, tuple(place))
    value = lowering.value(w, indices)
    old = lowering.body.load(view.buffer, where)
    lowering.body.store(view.buffer, where, JOINS["reduce_sum"](old, value))
    first = [0] if by_rows else []
    corners = range(rank, w.type.ndim)
    order = [*first, *corners, *(axis for axis in range(rank) if axis not in first)]
    grid = tuple(axis for place in order if (axis := axes[place]) is not None)
    add = Nest("fold", grid, frozenset(), lowering.body)
    add.in_order = sum(w.type.shape[place] > 1 for place in (*first, *corners))
    if by_rows:
        lowering.schedule.add(add, after=clear)
    else:
        lowering.schedule.add(clear)
        lowering.schedule.add_alone(add)
