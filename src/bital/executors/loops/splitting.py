"""Large reductions with few results in two steps, the first of which many threads can share.

So are products with windows: the gradient of a convolution's kernel sums over many pixels.

The first reduces within blocks, and is fused with what computes its operand; the second reduces
the blocks' results. How an axis is cut depends on its length alone, so results are the same bits
for any number of threads.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from bital.passes.loops import optimize_inner
from bital.primitives import REGISTRY, Primitive
from bital.primitives.shape import reshape, slice_
from bital.program import Atom, Builder, Equation, Program, Var, building

_LARGE = 1 << 15  # elements: less is not worth a second step
_FEW = 64  # results; of more, threads take some each
_BLOCKS = 64  # about so many
_PAIRS = {
    "reduce_sum": "add",
    "reduce_prod": "mul",
    "reduce_max": "maximum",
    "reduce_min": "minimum",
}


def split_reductions(program: Program) -> Program:
    """The Program, with such reductions in two steps, in inner Programs too."""
    program = optimize_inner(program, split_reductions)
    replaced: dict[Var, Atom] = {}
    equations: list[Equation] = []

    def read(atom: Atom) -> Atom:
        return replaced.get(atom, atom) if isinstance(atom, Var) else atom

    made: dict[Atom, Equation] = {}
    for equation in program.equations:
        equation = equation.with_inputs([read(atom) for atom in equation.inputs])
        made.update(dict.fromkeys(equation.outputs, equation))
        in_two_steps = _split_of(equation, made)
        if in_two_steps is None:
            equations.append(equation)
            continue
        builder = Builder()
        builder.source = equation.source
        with building(builder):
            replaced[equation.outputs[0]] = in_two_steps(equation)
        equations += builder.equations
    outputs = [read(atom) for atom in program.outputs]
    return program.replace(equations=equations, outputs=outputs)


def _split_of(
    equation: Equation, made: Mapping[Atom, Equation]
) -> Callable[[Equation], Atom] | None:
    if _is_split(equation):
        return _in_two_steps
    return _product_by_parts if _is_deep(equation, made) else None


def _is_split(equation: Equation) -> bool:
    if equation.primitive.name not in _PAIRS:
        return False
    type_, out = equation.inputs[0].type, equation.outputs[0].type
    # A sum of half precision is made in single: its parts would be rounded.
    return type_.size >= _LARGE and out.size <= _FEW and type_.dtype != np.float16


def _in_two_steps(equation: Equation) -> Atom:
    reduce: Primitive = equation.primitive
    (x,), axes = equation.inputs, equation.params["axes"]
    shape = x.type.shape
    axis = next((a for a in axes if shape[a] >= 16), axes[0])
    others = tuple(a for a in axes if a != axis)
    if not others or shape[axis] < 16:
        result = _by_blocks(reduce, x, axis, axes)
    else:
        partial = reduce(x, axes=others, keepdims=False)
        place = axis - sum(a < axis for a in others)
        result = reduce(partial, axes=(place,), keepdims=False)
    shaped: Atom = reshape(result, shape=equation.outputs[0].type.shape)
    return shaped


def _by_blocks(reduce: Primitive, x: Atom, axis: int, axes: tuple[int, ...]) -> Atom:
    """Reduced, without the axes; `axis` is cut into blocks, and what is left over is joined."""
    shape = x.type.shape
    length = shape[axis]
    blocks = _blocks(length)
    whole = length // blocks * blocks
    main = x if whole == length else _part(x, axis, 0, whole)
    cut = reshape(main, shape=(*shape[:axis], blocks, whole // blocks, *shape[axis + 1 :]))
    partial = reduce(cut, axes=tuple(a + (a >= axis) for a in axes), keepdims=False)
    result: Atom = reduce(partial, axes=(axis - sum(a < axis for a in axes),), keepdims=False)
    if whole < length:
        rest = reduce(_part(x, axis, whole, length), axes=axes, keepdims=False)
        result = REGISTRY[_PAIRS[reduce.name]](result, rest)
    return result


def _part(x: Atom, axis: int, start: int, stop: int) -> Atom:
    shape = x.type.shape
    starts, stops = [0] * len(shape), list(shape)
    starts[axis], stops[axis] = start, stop
    part: Atom = slice_(x, start=tuple(starts), stop=tuple(stops), step=(1,) * len(shape))
    return part


def _blocks(length: int) -> int:
    """A divisor near to what is wanted; if there is none, what is wanted, with a rest."""
    divisors = [n for n in range(_BLOCKS // 4, _BLOCKS * 4) if length % n == 0]
    return min(divisors, key=lambda n: abs(math.log(n / _BLOCKS)), default=min(_BLOCKS, length))


# --- products with windows ------------------------------------------------------------------

_DEEP = 4096  # elements that are summed
_SMALL = 1 << 17  # results
_PARTS = 8  # about so many


def _is_deep(equation: Equation, made: Mapping[Atom, Equation]) -> bool:
    if equation.primitive.name != "dot_general" or equation.params["batch"][0]:
        return False
    x, out = equation.inputs[0].type, equation.outputs[0].type
    inner = math.prod(x.shape[axis] for axis in equation.params["contract"][0])
    if (
        inner < _DEEP
        or not 0 < out.size <= _SMALL
        or out.dtype.kind != "f"
        or out.dtype.itemsize < 4
    ):
        return False
    if not any(_shows_windows(atom, made) for atom in equation.inputs):
        return False
    return any(_parts(x.shape[axis]) > 1 for axis in equation.params["contract"][0])


def _shows_windows(atom: Atom, made: Mapping[Atom, Equation]) -> bool:
    while (equation := made.get(atom)) is not None and equation.primitive.name == "transpose":
        atom = equation.inputs[0]
    return equation is not None and equation.primitive.name == "windows"


def _parts(length: int) -> int:
    divisors = (n for n in range(1, 2 * _PARTS + 1) if length % n == 0)
    return max(divisors, key=lambda n: (-abs(math.log(n / _PARTS)), n), default=1)


def _product_by_parts(equation: Equation) -> Atom:
    """One contracted axis is cut; a product for each part, and their sum."""
    (xs, ys), operands = equation.params["contract"], equation.inputs
    place = max(range(len(xs)), key=lambda i: (_parts(operands[0].type.shape[xs[i]]) > 1, -i))
    parts = _parts(operands[0].type.shape[xs[place]])
    cut, contract, batch = [], [], []
    for atom, axes in zip(operands, (xs, ys), strict=True):
        axis, shape = axes[place], atom.type.shape
        inner = shape[axis] // parts
        cut.append(reshape(atom, shape=(*shape[:axis], parts, inner, *shape[axis + 1 :])))
        contract.append(tuple(a + (a >= axis) for a in axes))
        batch.append((axis,))
    product: Primitive = equation.primitive
    partial = product(*cut, contract=tuple(contract), batch=tuple(batch))
    result: Atom = REGISTRY["reduce_sum"](partial, axes=(0,), keepdims=False)
    return result
