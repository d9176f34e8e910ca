"""Which values get memory of their own, and which are computed where they are read."""

from __future__ import annotations

import functools
from collections import Counter
from typing import Any

from bital.executors.loops import scalar
from bital.executors.loops.form import Body, Value
from bital.executors.loops.scalar import ELEMENTWISE, NotLowered
from bital.program import Atom, Equation, Literal, Program, Var

VIEWS = frozenset({"reshape", "transpose", "broadcast_to", "slice", "windows", "barrier"})
LAZY = ELEMENTWISE | VIEWS | {"gather"}
# What only moves elements, whatever they are: all that the form does with complex numbers.
_MOVES = VIEWS | {
    *("gather", "where", "stop_gradient", "concatenate", "slice_update", "scatter"),
    *("while_loop", "scan", "cond"),
}


def name_of(equation: Equation) -> str:
    """The primitive's name; none where the form has no words for it and NumPy computes it.

    So it is with arithmetic on complex numbers, and with a few functions of rare dtypes.
    """
    name: str = equation.primitive.name
    if name in _MOVES:
        return name
    atoms = (*equation.inputs, *equation.outputs)
    if any(atom.type.dtype.kind == "c" for atom in atoms):
        return ""
    if name in ELEMENTWISE:
        operands = tuple(
            (atom.type.dtype, atom.value if isinstance(atom, Literal) else None)
            for atom in equation.inputs
        )
        return name if _has_formula(name, equation.outputs[0].type.dtype, operands) else ""
    return name


@functools.lru_cache(maxsize=1024)
def _has_formula(name: str, out: Any, operands: tuple[tuple[Any, Any], ...]) -> bool:
    body = Body()
    try:
        with body.in_use():
            scalar.evaluate(name, out, [Value(dtype, body, value) for dtype, value in operands])
    except NotLowered:
        return False
    return True


def split_axes(old: tuple[int, ...], new: tuple[int, ...]) -> list[list[tuple[int, int]]] | None:
    """For each old axis the new axes that it was cut into, with their strides; None if not so."""
    result: list[list[tuple[int, int]]] = []
    place = 0
    for length in old:
        parts: list[tuple[int, int]] = []
        total = 1
        start = place
        while total < length:
            if place == len(new) or not new[place] or length % (total * new[place]):
                return None
            total *= new[place]
            place += 1
        if total != length:
            return None
        stride = 1
        for each in range(place - 1, start - 1, -1):
            parts.append((each, stride))
            stride *= new[each]
        result.append(parts)
    return result


def last_uses(program: Program, stored: set[Var]) -> dict[Var, int]:
    """The equation that reads a variable last, by itself or in a formula that it evaluates."""
    last = {a: len(program.equations) for a in program.outputs if isinstance(a, Var)}
    for number in range(len(program.equations) - 1, -1, -1):
        equation = program.equations[number]
        when = number
        if name_of(equation) in LAZY and equation.outputs[0] not in stored:
            when = last.get(equation.outputs[0], number)
        if equation.primitive.name in VIEWS:
            when = last.get(equation.outputs[0], number)
        for atom in equation.inputs:
            if isinstance(atom, Var):
                last[atom] = max(last.get(atom, 0), when)
    return last


def stored_in(program: Program, made: dict[Var, Equation]) -> set[Var]:
    """The variables of elementwise equations that get memory of their own."""
    stored = {atom for atom in program.outputs if isinstance(atom, Var)}
    uses: Counter[Var] = Counter()
    for equation in reversed(program.equations):
        name = name_of(equation)
        out = equation.outputs[0] if equation.outputs else None
        if name in VIEWS:
            assert out is not None
            _store_below_view(equation, made, stored)
            weight = 1 if out in stored else uses[out]  # a view's readers read what it looks at
        else:
            weight = 1
        for place, atom in enumerate(equation.inputs):
            if not isinstance(atom, Var):
                continue
            if name in ELEMENTWISE and atom in equation.inputs[:place]:
                continue  # x * x computes x once
            uses[atom] += weight
            if name in ELEMENTWISE:
                assert out is not None
                if _repeats(atom.type.shape, out.type.shape):
                    _store_base(atom, made, stored)
            elif name not in _EVALUATES or (name == "gather" and place == 0):
                _store_base(atom, made, stored)
    depths: dict[Atom, int] = {}
    for equation in program.equations:
        if (name := name_of(equation)) not in LAZY:
            continue
        (out,) = equation.outputs
        depth = 1 + max(depths.get(atom, 0) for atom in equation.inputs)
        deep = depth > _DEEPEST and name not in VIEWS
        if deep or (uses[out] > 1 and name not in VIEWS and not _is_cheap(out, made, stored)):
            stored.add(out)
        depths[out] = 0 if out in stored else depth
    return stored


# What takes no longer to compute again than to load.
_CHEAP = frozenset(
    {
        *("add", "sub", "mul", "neg", "abs", "maximum", "minimum", "where", "stop_gradient"),
        *("eq", "ne", "lt", "le", "gt", "ge", "logical_and", "logical_or", "logical_not"),
    }
)
_LARGE = 1 << 16  # bytes: what is smaller stays in a cache
_DEEPEST = 100  # formulas within formulas: they are evaluated recursively
_OPERATIONS = 8


def _is_cheap(var: Var, made: dict[Var, Equation], stored: set[Var]) -> bool:
    """Whether a large value is better computed at each use: few operations on one such array.

    What the array is broadcast with may be smaller: a bias, or what was the largest in a window.
    """
    if var.type.nbytes < _LARGE:
        return False
    pending: list[Atom] = [var]
    operations, read = 0, set()
    while pending:
        atom = pending.pop()
        if not isinstance(atom, Var):
            continue
        equation = made.get(atom)
        if equation is None or atom in stored or name_of(equation) not in LAZY:
            read.add(atom)
            continue
        name = equation.primitive.name
        if name not in VIEWS:
            operations += 1
            if name not in _CHEAP or operations > _OPERATIONS:
                return False
        pending += equation.inputs
    return sum(2 * each.type.size > var.type.size for each in read) <= 1


def _store_below_view(equation: Equation, made: dict[Var, Equation], stored: set[Var]) -> None:
    """Store what a view looks at where its formula cannot be put in the view's place."""
    (x,), (out,) = equation.inputs, equation.outputs
    shape = x.type.shape
    name = equation.primitive.name
    if (
        (name == "reshape" and split_axes(shape, out.type.shape) is None)
        or (name == "broadcast_to" and _repeats(shape, out.type.shape))
        or (name == "windows" and out.type.size > x.type.size)
    ):
        _store_base(x, made, stored)


# Equations that read elements one by one, so that a formula may stand in an operand's place.
_EVALUATES = (
    ELEMENTWISE
    | VIEWS
    | {
        *("gather", "reduce_sum", "reduce_prod", "reduce_max", "reduce_min", "argmax", "argmin"),
        *("concatenate", "slice_update", "scatter", "scatter_add"),
    }
)


def _repeats(shape: tuple[int, ...], out: tuple[int, ...]) -> bool:
    """Whether broadcasting would compute elements anew in inner loops, not just read one again."""
    full = (*(1,) * (len(out) - len(shape)), *shape)
    own = [axis for axis, n in enumerate(full) if n > 1]
    return any(n == 1 < out[axis] and axis < max(own, default=0) for axis, n in enumerate(full))


def _store_base(atom: Atom, made: dict[Var, Equation], stored: set[Var]) -> None:
    """Store what an operand computes, below any views: those are free then."""
    while isinstance(atom, Var):
        equation = made.get(atom)
        if equation is None or equation.primitive.name not in VIEWS:
            stored.add(atom)
            return
        atom = equation.inputs[0]
