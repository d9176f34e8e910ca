"""Lowering of what is neither elementwise nor a view: sums, products, moves, random bits."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from bital.executors.loops import scalar
from bital.executors.loops.form import INDEX, Body, Buffer, Index, Value, constant, index_of
from bital.executors.loops.groups import Product
from bital.executors.loops.lowering import (
    ZERO,
    Indices,
    Lowering,
    View,
    is_dense,
    row_major,
    rule,
)
from bital.executors.loops.nest import Nest, Reduction
from bital.executors.loops.scalar import JOINS, NotLowered
from bital.executors.native import product
from bital.executors.native.copying import Map, merged
from bital.executors.native.threads import slots
from bital.primitives.linear import free_axes
from bital.program import ArrayType, Atom, Equation, Var

_F32, _U64 = np.dtype(np.float32), np.dtype(np.uint64)

# --- reductions -----------------------------------------------------------------------------


@rule("reduce_sum", "reduce_prod", "reduce_max", "reduce_min")
def _reduce(lowering: Lowering, equation: Equation) -> None:
    (x,), (out,) = equation.inputs, equation.outputs
    name, axes = equation.primitive.name, set(equation.params["axes"])
    dtype = x.type.dtype
    if dtype.kind not in "biuf" or dtype.itemsize > 8:
        raise NotLowered(f"{name} of {dtype}")
    if x.type.size == 0:
        fill(lowering, out, 0 if name == "reduce_sum" else scalar.neutral(name, dtype))
        return
    # Sums of float16 are taken in float32, as NumPy does.
    wide = _F32 if dtype == np.float16 else dtype
    lowering.nest(out.name or name, late=out in lowering.overwriting)
    grid, indices = _points(lowering, x.type.shape)
    reduced = _reduced(lowering, x.type.shape, axes)
    value = lowering.value(x, indices).convert(wide)
    if not reduced and name == "reduce_sum" and dtype.kind == "f":
        value = value + 0.0  # as NumPy: -0.0 becomes 0.0
    start = scalar.neutral(name, wide)
    if wide != dtype:
        kept = lowering.buffer(ArrayType(out.type.shape, wide))
        place = View(kept, row_major(out.type.shape))
    else:
        place = lowering.new_view(out)
    target = _kept(indices, axes, equation.params["keepdims"])
    join = JOINS[name]
    reduction = Reduction(
        [value],
        [constant(start, wide)],
        lambda left, right: [join(left[0], right[0])],
        [(place.buffer, lowering.offset(place, target))],
    )
    lowering.add(grid, reduced, [reduction])
    if wide != dtype:
        _copy_converted(lowering, place, lowering.new_view(out), out.type)


def _points(lowering: Lowering, shape: Sequence[int]) -> tuple[tuple[Value, ...], Indices]:
    axes = lowering.grid.axes(shape)
    indices = tuple(ZERO if axis is None else index_of(axis) for axis in axes)
    return tuple(axis for axis in axes if axis is not None), indices


def _reduced(lowering: Lowering, shape: Sequence[int], axes: set[int]) -> frozenset[Value]:
    found = lowering.grid.axes(shape)
    return frozenset(a for place, a in enumerate(found) if a is not None and place in axes)


def _kept(indices: Indices, axes: set[int], keepdims: bool) -> Indices:
    if keepdims:
        return tuple(ZERO if axis in axes else i for axis, i in enumerate(indices))
    return tuple(i for axis, i in enumerate(indices) if axis not in axes)


def fill(lowering: Lowering, out: Var, number: Any) -> None:
    view = lowering.new_view(out)
    if out.type.size:
        lowering.nest("fill")
        axes, indices = _points(lowering, out.type.shape)
        value = constant(number, out.type.dtype)
        lowering.body.store(view.buffer, lowering.offset(view, indices), value)
        lowering.add(axes)


def _copy_converted(lowering: Lowering, source: View, target: View, type: ArrayType) -> None:
    lowering.nest("convert")
    axes, indices = _points(lowering, type.shape)
    value = lowering.body.load(source.buffer, lowering.offset(source, indices))
    lowering.body.store(target.buffer, lowering.offset(target, indices), value.convert(type.dtype))
    lowering.add(axes)


@rule("argmax", "argmin")
def _argument(lowering: Lowering, equation: Equation) -> None:
    """The extremum and its place go together; of equals the first one wins, and so does NaN."""
    (x,), (out,) = equation.inputs, equation.outputs
    axis, dtype = equation.params["axis"], x.type.dtype
    if dtype.kind not in "biuf" or dtype.itemsize > 8:
        raise NotLowered(f"{equation.primitive.name} of {dtype}")
    place = lowering.new_view(out)
    if out.type.size == 0:
        return
    lowering.nest(out.name or equation.primitive.name)
    grid, indices = _points(lowering, x.type.shape)
    value = lowering.value(x, indices)
    axes = lowering.grid.axes(x.type.shape)
    position = axes[axis]
    is_max = equation.primitive.name == "argmax"
    start = scalar.neutral("reduce_max" if is_max else "reduce_min", dtype)

    def join(left: Sequence[Value], right: Sequence[Value]) -> list[Value]:
        (a, i), (b, j) = left, right
        better = (b > a) if is_max else (b < a)
        tie = b.equals(a)
        if dtype.kind == "f":
            better = (better & a.equals(a)) | (b.differs(b) & a.equals(a))
            tie = tie | (a.differs(a) & b.differs(b))
        wins = better | (tie & (j < i))
        return [wins.where(b, a), wins.where(j, i)]

    far = constant(x.type.shape[axis], INDEX)
    where = position if position is not None else constant(0, INDEX)
    target = (place.buffer, lowering.offset(place, _kept(indices, {axis}, False)))
    reduction = Reduction([value, where], [constant(start, dtype), far], join, [None, target])
    lowering.add(grid, _reduced(lowering, x.type.shape, {axis}), [reduction])


# --- products -------------------------------------------------------------------------------

_FEW = 8  # columns: fewer are not worth lanes of their own
_SMALL = 8192  # multiplications: fewer are done by plain loops
_NEAR = 16 << 10  # bytes of a matrix that a first-level cache keeps while tiles read it as it lies


@rule("dot_general")
def _dot(lowering: Lowering, equation: Equation) -> None:
    x, y = equation.inputs
    (out,) = equation.outputs
    (xs, ys), (bx, by) = equation.params["contract"], equation.params["batch"]
    dtype = out.type.dtype
    if dtype.kind not in "biuf" or dtype.itemsize > 8:
        raise NotLowered(f"dot_general of {dtype}")
    if out.type.size == 0:
        lowering.new_view(out)
        return
    inner = math.prod(x.type.shape[a] for a in xs)
    if inner == 0:
        fill(lowering, out, 0)
        return
    x_free, y_free = free_axes(x.type.ndim, xs, bx), free_axes(y.type.ndim, ys, by)
    if dtype.kind != "f" or dtype.itemsize == 2 or out.type.size * inner <= _SMALL:
        _dot_by_loops(lowering, equation, x_free, y_free)
        return
    xs, ys = _contracted_in_order(lowering, x, y, xs, ys)
    left, a_map = _matrix(lowering, x, x_free, xs)
    right, b_map = _matrix(lowering, y, y_free, ys)
    view = lowering.new_view(out)
    rows = math.prod(x.type.shape[a] for a in x_free)
    columns = math.prod(y.type.shape[a] for a in y_free)
    plan = product.plan(
        dtype,
        rows,
        columns,
        inner,
        (left.strides[0], left.strides[1]),
        (right.strides[1], right.strides[0]),
        4 * lowering.schedule.lanes,
        a_map,
        b_map,
        math.prod(x.type.shape[a] for a in bx),
        threads=slots(),
    )
    inner_stride, column_stride = plan.b_strides
    near = 0 < inner * inner_stride * dtype.itemsize <= _NEAR
    if plan.kind == "tiles" and column_stride == 1 and near and b_map is None:
        plan = dataclasses.replace(plan, direct=True)
    body = Body()
    lowering.body = body
    made = Product(
        plan,
        rows,
        columns,
        left.buffer,
        lowering.offset(View(left.buffer, (), left.offset, left.moving), ()),
        right.buffer,
        lowering.offset(View(right.buffer, (), right.offset, right.moving), ()),
        view.buffer,
        _turns(lowering, x, y, (bx, by), view),
        x.type.shape[x_free[0]] if sum(x.type.shape[a] > 1 for a in x_free) > 1 else 1,
        body,
    )
    lowering.schedule.add_product(made)


def _matrix(
    lowering: Lowering, atom: Atom, free: Sequence[int], inner: Sequence[int]
) -> tuple[View, Map | None]:
    """An operand as (free, inner): by strides, or by a map of what lies where."""
    view, shape = lowering.view(atom), atom.type.shape
    groups = [[(shape[a], view.strides[a]) for a in group] for group in (free, inner)]
    strides = [_one_stride(group) for group in groups]
    map = None if None not in strides else Map(merged(groups[0]), merged(groups[1]))
    known = tuple(0 if stride is None else stride for stride in strides)
    return View(view.buffer, known, view.offset, view.moving), map


def _turns(
    lowering: Lowering, x: Atom, y: Atom, axes: tuple[Sequence[int], Sequence[int]], out: View
) -> tuple[tuple[int, tuple[int, ...]], ...]:
    """The axes of a batch; two through which all three go by one stride are one."""
    found: list[tuple[int, tuple[int, ...]]] = []
    views = lowering.view(x), lowering.view(y)
    for place, pair in enumerate(zip(*axes, strict=True)):
        length = x.type.shape[pair[0]]
        steps = (*(v.strides[a] for v, a in zip(views, pair, strict=True)), out.strides[place])
        if length == 1:
            continue
        if found and found[-1][1] == tuple(length * step for step in steps):
            length *= found.pop()[0]
        found.append((length, steps))
    return tuple(found)


def _contracted_in_order(
    lowering: Lowering, x: Atom, y: Atom, xs: Sequence[int], ys: Sequence[int]
) -> tuple[Sequence[int], Sequence[int]]:
    """Contracted axes in the order in which both operands lie best."""
    best = None
    steps = [lowering.view(atom).strides for atom in (x, y)]
    pairs = list(zip(xs, ys, strict=True))
    by_x, by_y = (
        sorted(pairs, key=lambda pair: -strides[pair[side]]) for side, strides in enumerate(steps)
    )
    for order in (pairs, by_x, by_y):
        parts = sum(
            len(merged([(atom.type.shape[pair[side]], steps[side][pair[side]]) for pair in order]))
            for side, atom in enumerate((x, y))
        )
        if best is None or parts < best[0]:
            best = parts, order
    assert best is not None
    return [pair[0] for pair in best[1]], [pair[1] for pair in best[1]]


def _one_stride(axes: list[tuple[int, int]]) -> int | None:
    """The stride that steps through several axes as one."""
    axes = [(length, stride) for length, stride in axes if length != 1]
    for (_, outer), (length, stride) in itertools.pairwise(axes):
        if outer != stride * length:
            return None
    return axes[-1][1] if axes else 0


def _dot_by_loops(
    lowering: Lowering, equation: Equation, x_free: Sequence[int], y_free: Sequence[int]
) -> None:
    """Products of any dtype, and small ones: sums of products at the points of a grid."""
    x, y = equation.inputs
    (out,) = equation.outputs
    (xs, ys), (bx, by) = equation.params["contract"], equation.params["batch"]
    shape = [*out.type.shape, *(x.type.shape[a] for a in xs)]
    dtype = out.type.dtype
    lowering.view(x), lowering.view(y)
    lowering.nest(out.name or "product", late=out in lowering.overwriting)
    axes = lowering.grid.axes(shape)
    indices = [ZERO if axis is None else index_of(axis) for axis in axes]
    count = len(out.type.shape)
    batch, free = indices[: len(bx)], indices[len(bx) : count]
    inner = indices[count:]
    x_at = _scattered(x.type.ndim, (bx, batch), (x_free, free[: len(x_free)]), (xs, inner))
    y_at = _scattered(y.type.ndim, (by, batch), (y_free, free[len(x_free) :]), (ys, inner))
    wide = _F32 if dtype == np.float16 else dtype
    left, right = (lowering.value(a, at) for a, at in ((x, x_at), (y, y_at)))
    value = JOINS["reduce_prod"](left.convert(wide), right.convert(wide))
    reduced = frozenset(axis for axis in axes[count:] if axis is not None)
    if not reduced and dtype.kind == "f":
        value = value + 0.0
    kept = out.type if wide == dtype else ArrayType(out.type.shape, wide)
    place = (
        lowering.new_view(out)
        if wide == dtype
        else View(lowering.buffer(kept), row_major(out.type.shape))
    )
    reduction = Reduction(
        [value],
        [constant(0, wide)],
        lambda a, b: [JOINS["reduce_sum"](a[0], b[0])],
        [(place.buffer, lowering.offset(place, tuple(indices[:count])))],
    )
    # Lanes go along the last axis: y's, or x's if y has few columns and x's lie side by side.
    order = list(axes[:count])
    last = order.pop() if y_free else None
    if x_free and (last is None or lowering.grid.lengths[last] < _FEW):
        own = len(bx) + len(x_free) - 1
        if lowering.view(x).strides[x_free[-1]] == 1 and order[own] is not None:
            order.append(last)
            last = order.pop(own)
    grid = [axis for axis in (*order, *axes[count:], last) if axis is not None]
    lowering.add(tuple(grid), reduced, [reduction])
    if wide != dtype:
        _copy_converted(lowering, place, lowering.new_view(out), out.type)


def _scattered(rank: int, *groups: tuple[Sequence[int], Sequence[Index]]) -> Indices:
    result = [ZERO] * rank
    for axes, indices in groups:
        for axis, index in zip(axes, indices, strict=True):
            result[axis] = index
    return tuple(result)


# --- moves ----------------------------------------------------------------------------------


@rule("concatenate")
def _concatenate(lowering: Lowering, equation: Equation) -> None:
    (out,) = equation.outputs
    view = lowering.new_view(out)
    axis, offset = equation.params["axis"], 0
    for x in equation.inputs:
        lowering.store(x, View(view.buffer, view.strides, offset), out.name or "concatenate")
        offset += x.type.shape[axis] * view.strides[axis]


def _start_from(lowering: Lowering, equation: Equation) -> View:
    """Memory for a changed copy of operand 0: that operand's own, if nobody reads it later."""
    x, out = equation.inputs[0], equation.outputs[0]
    known = lowering.find_view(x) if isinstance(x, Var) else None
    if (
        known is not None
        and isinstance(x, Var)
        and x in lowering.made
        and lowering.last_use[x] == lowering.number
        and lowering.owns(known)
        and is_dense(known, x.type.shape)
    ):
        lowering.views[out] = known
        return known
    view = View(lowering.buffer(out.type, out.name or ""), row_major(out.type.shape))
    lowering.store(x, view, out.name or "copy")
    lowering.views[out] = view
    return view


@rule("slice_update")
def _slice_update(lowering: Lowering, equation: Equation) -> None:
    value = equation.inputs[1]
    if isinstance(value, Var):
        lowering.view(value)
    view = _start_from(lowering, equation)
    starts, steps = equation.params["start"], equation.params["step"]
    offset = sum(start * s for start, s in zip(starts, view.strides, strict=True))
    strides = tuple(step * s for step, s in zip(steps, view.strides, strict=True))
    window = View(view.buffer, strides, view.offset + offset, view.moving)
    lowering.store(value, window, "write")


@rule("scatter", "scatter_add")
def _scatter(lowering: Lowering, equation: Equation) -> None:
    """Writes one after the other, in the order of the index arrays, as NumPy makes them."""
    x, value, *pointers = equation.inputs
    for atom in (value, *pointers):
        if isinstance(atom, Var):
            lowering.view(atom)
    view = _start_from(lowering, equation)
    if value.type.size == 0:
        return
    lowering.nest(equation.primitive.name)
    grid, indices = _points(lowering, value.type.shape)
    lead = value.type.ndim - (x.type.ndim - len(pointers))
    found = lowering.checked_indices(equation, pointers, x.type.shape, indices[:lead])
    place = lowering.offset(view, (*found, *indices[lead:]))
    new = lowering.value(value, indices)
    if equation.primitive.name == "scatter_add":
        new = JOINS["reduce_sum"](lowering.body.load(view.buffer, place), new)
    lowering.body.store(view.buffer, place, new)
    ordered = Nest(equation.primitive.name, grid, frozenset(), lowering.body)
    ordered.in_order = sum(n > 1 for n in value.type.shape[:lead])
    lowering.schedule.add_alone(ordered)


# --- running sums and products --------------------------------------------------------------


@rule("cumsum", "cumprod")
def _accumulate(lowering: Lowering, equation: Equation) -> None:
    """Each element joins the one before it in the result, in order along the axis."""
    (x,), (out,) = equation.inputs, equation.outputs
    name, axis, shape = equation.primitive.name, equation.params["axis"], x.type.shape
    view = lowering.new_view(out)
    if x.type.size == 0:
        return
    lowering.nest(out.name or name)
    axes = lowering.grid.axes(shape)
    turn = axes[axis]
    here = [ZERO if each is None else index_of(each) for each in axes]
    before = list(here)
    if turn is not None:
        with lowering.body.in_use():
            before[axis] = index_of((turn < 1).where(turn, turn - 1))
        if equation.params["reverse"]:
            for indices in (here, before):
                indices[axis] = indices[axis] * -1 + (shape[axis] - 1)
    value = lowering.value(x, tuple(here))
    if turn is not None:
        last = lowering.body.load(view.buffer, lowering.offset(view, tuple(before)))
        joined = JOINS["reduce_sum" if name == "cumsum" else "reduce_prod"](last, value)
        with lowering.body.in_use():
            value = (turn < 1).where(value, joined)
    lowering.body.store(view.buffer, lowering.offset(view, tuple(here)), value)
    # Along the last axis memory is walked row by row, else all of a row goes at once.
    first = [turn] if turn is not None and axis < len(shape) - 1 else []
    grid = [a for a in (*first, *(a for a in axes if a not in first)) if a is not None]
    ordered = Nest(name, tuple(grid), frozenset(), lowering.body)
    ordered.in_order = len(first) or len(grid)
    lowering.schedule.add_alone(ordered)


# --- random bits ----------------------------------------------------------------------------

_MULTIPLIERS = 0xD2E7470EE14C6C93, 0xCA5A826395121157
_WEYL = 0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B


@rule("random_bits")
def _random_bits(lowering: Lowering, equation: Equation) -> None:
    """Philox-4x64-10: a task of the grid makes the four words of one counter."""
    (key,), (out,) = equation.inputs, equation.outputs
    shape, dtype = equation.params["shape"], equation.params["dtype"]
    count = math.prod(shape)
    if count == 0:
        lowering.new_view(out)
        return
    words = -(-count * dtype.itemsize // 8)
    blocks = -(-words // 4)
    keys = lowering.view(key)
    # Memory for whole blocks; the elements are its front.
    raw = Buffer(dtype, blocks * 32 // dtype.itemsize, name=out.name or "bits")
    lowering.views[out] = View(raw, row_major(shape))
    lowering.nest("random_bits")
    (axis,) = lowering.grid.axes((blocks,))
    index = ZERO if axis is None else index_of(axis)
    number = constant(0, INDEX) if axis is None else axis
    key_words = [
        lowering.body.load(keys.buffer, lowering.offset(keys, (Index((), place),)))
        for place in (0, 1)
    ]
    stream = equation.params["stream"]
    block = lowering.body.op("add", number, constant(1, INDEX)).bits(_U64)
    counter = [block, constant(0, _U64), constant(0, _U64), constant(stream, _U64)]
    for place, word in enumerate(_philox(lowering.body, counter, key_words)):
        if dtype == _U64:
            lowering.body.store(raw, index * 4 + place, word)
            continue
        for half in (0, 1):
            part = (word >> 32 * half).convert(dtype)
            lowering.body.store(raw, index * 8 + (2 * place + half), part)
    lowering.add(() if axis is None else (axis,))


def _philox(body: Body, counter: list[Value], key: list[Value]) -> list[Value]:
    """Salmon, Moraes, Dror and Shaw, SC 2011, section 4.3."""
    a, b, c, d = counter
    for turn in range(10):
        if turn:
            key = [word + step for word, step in zip(key, _WEYL, strict=True)]
        low = [
            body.op("mul", x, constant(m, _U64)) for x, m in zip((a, c), _MULTIPLIERS, strict=True)
        ]
        high = [
            body.op("mulhi", x, constant(m, _U64))
            for x, m in zip((a, c), _MULTIPLIERS, strict=True)
        ]
        a, b, c, d = (
            body.op("xor", body.op("xor", high[1], b), key[0]),
            low[1],
            body.op("xor", body.op("xor", high[0], d), key[1]),
            low[0],
        )
    return [a, b, c, d]
