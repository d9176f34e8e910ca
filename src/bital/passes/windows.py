"""Simplifications of windows and folds, in the table of `simplify`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bital.passes.simplify import Simplifier, rule
from bital.primitives.elementwise import add
from bital.primitives.linear import dot_general, free_axes
from bital.primitives.primitive import zeros
from bital.primitives.shape import Shape, reshape, slice_, slice_update, transpose
from bital.primitives.windows import count_of, fold, windows
from bital.program import ArrayType, Atom, Equation, Literal

Params = Mapping[str, Any]


def _pushed(
    shape: Shape, out: Shape, params: Params, ranges: Params
) -> tuple[Params, dict[str, Any]]:
    """A slice of windows (with shape `out`) as windows of a slice: its ranges, and the windows'."""
    rank = len(shape)
    start, stop, step = (list(ranges[name][:rank]) for name in ("start", "stop", "step"))
    strides, dilations = list(params["strides"]), list(params["dilations"])
    for number, axis in enumerate(params["axes"]):
        count, size = out[axis], out[rank + number]
        first = start[axis] * strides[number] + ranges["start"][rank + number] * dilations[number]
        strides[number] = strides[number] * step[axis] if count > 1 else 1
        by = ranges["step"][rank + number]
        dilations[number] = dilations[number] * by if size > 1 else 1
        extent = (count - 1) * strides[number] + (size - 1) * dilations[number] + 1
        start[axis], stop[axis], step[axis] = first, first + extent, 1
        whole = count_of(shape[axis], size, strides[number], dilations[number])
        if first == 0 and whole == count:
            stop[axis] = shape[axis]
    moved = {"start": tuple(start), "stop": tuple(stop), "step": tuple(step)}
    return moved, {**params, "strides": tuple(strides), "dilations": tuple(dilations)}


def _is_pushable(type: ArrayType, rank: int, params: Params, ranges: Params) -> bool:
    """Whether the window axes go forward, and something is left."""
    windowed = [*params["axes"], *range(rank, type.ndim)]
    return type.size > 0 and all(ranges["step"][axis] > 0 for axis in windowed)


@rule("slice")
def _slice_of_windows(state: Simplifier, inputs: list[Atom], params: dict[str, Any]) -> Atom | None:
    made = state.definition(inputs[0], "windows")
    if made is None:
        return None
    (x,) = made.inputs
    start, stop, step = (params[name] for name in ("start", "stop", "step"))
    lengths = [len(range(*each)) for each in zip(start, stop, step, strict=True)]
    out = ArrayType(tuple(lengths), x.type.dtype)
    if not _is_pushable(out, x.type.ndim, made.params, params):
        return None
    moved, changed = _pushed(x.type.shape, out.shape, made.params, params)
    changed["sizes"] = out.shape[x.type.ndim :]
    result: Atom = windows(_sliced(x, moved), **changed)
    return result


def _sliced(x: Atom, ranges: Params) -> Atom:
    whole = ranges["start"] == (0,) * x.type.ndim and ranges["stop"] == x.type.shape
    return x if whole and set(ranges["step"]) <= {1} else slice_(x, **ranges)


@rule("fold")
def _fold_of_written(state: Simplifier, inputs: list[Atom], params: dict[str, Any]) -> Atom | None:
    """The transpose: windows written between zeros are folded alone."""
    written = state.definition(inputs[0], "slice_update")
    if written is None or state.scalar(written.inputs[0]) != 0:
        return None
    value, shape = written.inputs[1], params["shape"]
    if not _is_pushable(value.type, len(shape), params, written.params):
        return None
    moved, changed = _pushed(shape, value.type.shape, params, written.params)
    inner = tuple(
        len(range(*each)) for each in zip(moved["start"], moved["stop"], moved["step"], strict=True)
    )
    changed["shape"] = inner
    result: Atom = fold(value, **changed)
    if inner != shape or set(moved["step"]) - {1}:
        result = slice_update(zeros(ArrayType(shape, value.type.dtype)), result, **moved)
    return result


@rule("fold")
def _fold_side_by_side(
    state: Simplifier, inputs: list[Atom], params: dict[str, Any]
) -> Atom | None:
    """Windows that touch each other and do not overlap only change their places."""
    (w,), shape, axes = inputs, params["shape"], params["axes"]
    rank = len(shape)
    sizes = w.type.shape[rank:]
    if params["strides"] != sizes or set(params["dilations"]) - {1} or not w.type.size:
        return None
    order, covered = [], list(shape)
    for axis in range(rank):
        order.append(axis)
        if axis in axes:
            number = axes.index(axis)
            order.append(rank + number)
            covered[axis] = w.type.shape[axis] * sizes[number]
    moved = reshape(transpose(w, permutation=tuple(order)), shape=tuple(covered))
    result: Atom = add(moved, Literal(0, w.type.dtype))  # a sum has no -0.0
    if tuple(covered) != shape:
        none = zeros(ArrayType(shape, w.type.dtype))
        ranges = {"start": (0,) * rank, "stop": tuple(covered), "step": (1,) * rank}
        result = slice_update(none, result, **ranges)
    return result


@rule("transpose")
def _product_of_turned_windows(
    state: Simplifier, inputs: list[Atom], params: dict[str, Any]
) -> Atom | None:
    """A product with windows is made with its axes as they are wanted: turned windows are free."""
    product = state.definition(inputs[0], "dot_general")
    if product is None or not state.used_once(product.outputs[0]):
        return None
    if not any(_shows_windows(state, atom) for atom in product.inputs):
        return None
    sides = _own_axes(product)
    count = len(product.params["batch"][0])
    wanted = params["permutation"]
    if wanted[:count] != tuple(range(count)):
        return None
    first = 1 if wanted[count : count + 1] and wanted[count] in sides[1] else 0
    length = len(sides[first])
    parts = wanted[count : count + length], wanted[count + length :]
    if set(parts[0]) != set(sides[first]) or (
        parts[0] == tuple(sides[first]) and parts[1] == tuple(sides[1 - first]) and not first
    ):
        return None
    operands, axes = [], [[], []]  # type: tuple[list[Atom], list[list[tuple[int, ...]]]]
    for side, part in ((first, parts[0]), (1 - first, parts[1])):
        operand, contract, batch = _turned(product, side, [sides[side].index(a) for a in part])
        operands.append(operand)
        axes[0].append(contract)
        axes[1].append(batch)
    contracted, kept = (axes[0][0], axes[0][1]), (axes[1][0], axes[1][1])
    result: Atom = dot_general(*operands, contract=contracted, batch=kept)
    return result


def _shows_windows(state: Simplifier, atom: Atom) -> bool:
    turned = state.definition(atom, "transpose")
    return state.definition(atom if turned is None else turned.inputs[0], "windows") is not None


def _own_axes(product: Equation) -> tuple[list[int], list[int]]:
    """The axes of a product's result that come from each operand."""
    x, y = product.inputs
    contract, batch = product.params["contract"], product.params["batch"]
    count = len(batch[0])
    middle = x.type.ndim - len(contract[0])
    return list(range(count, middle)), list(range(middle, middle + y.type.ndim - len(contract[1])))


def _turned(product: Equation, side: int, order: list[int]) -> tuple[Atom, Shape, Shape]:
    """An operand with its free axes in another order; what is contracted then, and batch."""
    atom: Atom = product.inputs[side]
    contract, batch = product.params["contract"][side], product.params["batch"][side]
    free = free_axes(atom.type.ndim, contract, batch)
    if order == sorted(order):
        return atom, contract, batch
    target = iter([free[place] for place in order])
    permutation = tuple(next(target) if a in free else a for a in range(atom.type.ndim))
    return transpose(atom, permutation=permutation), contract, batch
