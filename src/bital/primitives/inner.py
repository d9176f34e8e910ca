"""What the primitives with inner Programs share.

An inner Program of a loop or a branch has no constants of its own: what it closes over arrives as
an operand. The rules map inner Programs with transforms, which `program_transforms` holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from bital.primitives.primitive import Primitive, program_transforms, require
from bital.program import ArrayType, Atom, Equation, Program, current_builder, subprograms

T = TypeVar("T")
CONTROL_FLOW = frozenset({"cond", "scan", "while_loop"})


def cut(items: Sequence[T], *counts: int) -> list[list[T]]:
    """Pieces of these lengths, and the rest."""
    pieces, start = [], 0
    for count in counts:
        pieces.append(list(items[start : start + count]))
        start += count
    return [*pieces, list(items[start:])]


def chosen(items: Sequence[T], flags: Sequence[bool]) -> list[T]:
    return [item for item, flag in zip(items, flags, strict=True) if flag]


def spread(items: Sequence[T], flags: Sequence[bool]) -> list[T | None]:
    """Undo `chosen`, with None where a flag is not set."""
    rest = iter(items)
    return [next(rest) if flag else None for flag in flags]


def either(a: Sequence[bool], b: Sequence[bool]) -> list[bool]:
    return [x or y for x, y in zip(a, b, strict=True)]


def close(program: Program) -> tuple[Program, list[Atom]]:
    """The Program with its constants as leading inputs, and those in the current builder."""
    atoms: list[Atom] = [
        current_builder().constant(a, v.name) for v, a in program.constants.items()
    ]
    return program.replace(inputs=[*program.constants, *program.inputs], constants={}), atoms


def woven(values: Sequence[Any], others: Sequence[Any], *counts: int) -> list[Any]:
    """Group for group the values, then the others that are not None."""
    pairs = zip(cut(values, *counts), cut(others, *counts), strict=True)
    return [x for group, more in pairs for x in (*group, *(o for o in more if o is not None))]


def unwoven(items: Sequence[Any], flags: Sequence[bool], *counts: int) -> tuple[list[Any], ...]:
    """Undo `woven`, from the flags that say where there is another."""
    rest, values, others = iter(items), [], []
    for group in cut(flags, *counts):
        values += [next(rest) for _ in group]
        others += [next(rest) if flag else None for flag in group]
    return values, others


def require_types(what: str, expected: Sequence[ArrayType], found: Sequence[ArrayType]) -> None:
    require(
        list(expected) == list(found),
        lambda: (
            f"{what}: {', '.join(map(str, found))} where {', '.join(map(str, expected))} is needed"
        ),
    )


def require_closed(*programs: Program) -> None:
    require(
        not any(program.constants for program in programs),
        lambda: "an inner Program has constants of its own",
    )


def pushed_body(program: Program, moved: list[bool], carry: slice) -> tuple[Program, list[bool]]:
    """The jvp of a loop's body, and its outputs with a tangent; `moved` grows to a fixed point.

    A carry has a tangent if it comes in with one or if a turn of the loop gives it one.
    """
    count = carry.stop - carry.start
    rest = [False] * (len(program.outputs) - count)
    while True:
        forward, slopes = program_transforms["push"](program, moved, [*moved[carry], *rest])
        if slopes[:count] == moved[carry]:
            return forward, slopes
        moved[carry] = slopes[:count]


def depends(program: Program, mapped: Sequence[bool]) -> list[bool]:
    """Which outputs depend on mapped inputs."""
    known = set(chosen(program.inputs, mapped))
    for equation in program.equations:
        if not known.isdisjoint(equation.inputs):
            known.update(equation.outputs)
    return [atom in known for atom in program.outputs]


def batched_body(body: Program, mapped: list[bool], carry: slice) -> list[bool]:
    """Flags of a body's outputs; `mapped` grows until a carry goes in as it comes out."""
    count = carry.stop - carry.start
    while True:
        outputs = depends(body, mapped)
        grown = either(mapped[carry], outputs[:count])
        if grown == mapped[carry]:
            return [*grown, *outputs[count:]]
        mapped[carry] = grown


def checks_indices(program: Program) -> bool:
    """Whether it may raise for its values: then no lane may run it that would not by itself."""
    return any(
        equation.primitive.name in ("gather", "scatter", "scatter_add")
        or any(map(checks_indices, subprograms(equation)))
        for equation in program.equations
    )


def holds(equations: Sequence[Equation], primitive: Primitive) -> bool:
    """Whether a primitive stands in these equations or inside of their loops and branches."""
    return any(
        equation.primitive is primitive
        or any(holds(inner.equations, primitive) for inner in subprograms(equation))
        for equation in equations
    )
