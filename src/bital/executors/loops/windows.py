"""Lowering of sums of windows; windows themselves are views."""

from __future__ import annotations

from bital.executors.loops.form import index_of
from bital.executors.loops.lowering import ZERO, Lowering, rule
from bital.executors.loops.nest import Nest
from bital.executors.loops.rules import fill
from bital.executors.loops.scalar import JOINS
from bital.program import Equation


@rule("fold")
def _fold(lowering: Lowering, equation: Equation) -> None:
    """Windows added to zeros: the places within them in order, each for all windows at once."""
    (w,), (out,) = equation.inputs, equation.outputs
    lowering.view(w)
    fill(lowering, out, 0)
    if w.type.size == 0:
        return
    view, params = lowering.views[out], equation.params
    rank = out.type.ndim
    lowering.nest("fold")
    corners = [rank + number for number in range(len(params["axes"]))]
    first = [axis for axis in range(rank) if axis not in params["axes"]][:1]
    axes = lowering.grid.axes(w.type.shape)
    indices = [ZERO if axis is None else index_of(axis) for axis in axes]
    place = list(indices[:rank])
    for number, axis in enumerate(params["axes"]):
        inner = indices[rank + number] * params["dilations"][number]
        place[axis] = place[axis] * params["strides"][number] + inner
    where = lowering.offset(view, tuple(place))
    old = lowering.body.load(view.buffer, where)
    new = JOINS["reduce_sum"](old, lowering.value(w, tuple(indices)))
    lowering.body.store(view.buffer, where, new)
    order = [*first, *corners, *(axis for axis in range(rank) if axis not in first)]
    grid = tuple(axis for place in order if (axis := axes[place]) is not None)
    ordered = Nest("fold", grid, frozenset(), lowering.body)
    ordered.in_order = sum(w.type.shape[place] > 1 for place in (*first, *corners))
    lowering.schedule.add_alone(ordered)
