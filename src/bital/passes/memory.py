"""The buffer plan: which value is written over which, and which share a lasting workspace."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from bital.program import ArrayType, Equation, Program, Var

# Results of these are views of their operand, or may be.
VIEWS = frozenset(
    {"reshape", "transpose", "broadcast_to", "slice", "windows", "real", "imag", "barrier"}
)
_SMALLEST = 2048  # bytes: below this an allocation is cheaper than passing a buffer


@dataclass
class Plan:
    """Where values live.

    Attributes
    ----------
    slots : list of ArrayType
        The workspace: arrays that are kept from call to call. No result is ever among them.
    slot_of : dict of Var to int
        Values that are written into a slot.
    in_place_of : dict of Var to Var
        Values that are written over a value (or donated input) that is no longer needed.
    roots : dict of Var to Var
        Whose memory a value may share.
    """

    slots: list[ArrayType] = field(default_factory=list)
    slot_of: dict[Var, int] = field(default_factory=dict)
    in_place_of: dict[Var, Var] = field(default_factory=dict)
    roots: dict[Var, Var] = field(default_factory=dict)


def plan(
    program: Program,
    donated: Collection[Var],
    writes_out: Callable[[Equation], bool],
    overwrites: Callable[[Equation], Collection[int]],
) -> Plan:
    """Plan the buffers of a Program.

    Parameters
    ----------
    program : Program
    donated : collection of Var
        Inputs whose memory may be written over.
    writes_out : callable
        Whether the executor can compute this equation into a given array.
    overwrites : callable
        Which operands the executor can write the result over.
    """
    result = Plan(roots=_roots(program))
    last_use = _last_uses(program, result.roots)
    forever = len(program.equations)
    owner: dict[Var, Var] = {var: var for var in donated}  # value -> first value in its buffer
    death: dict[Var, int] = {}
    for index, equation in enumerate(program.equations):
        if len(equation.outputs) != 1 or equation.primitive.name in VIEWS:
            continue
        (out,) = equation.outputs
        if out.type.nbytes < _SMALLEST or not out.type.shape:
            continue
        dying = [
            atom
            for position, atom in enumerate(equation.inputs)
            if position in overwrites(equation)
            and isinstance(atom, Var)
            and atom in owner
            and atom.type == out.type
            and last_use.get(atom, index) == index
        ]
        dying.sort(key=lambda var: var not in donated)
        if dying:
            result.in_place_of[out] = dying[0]
            owner[out] = owner[dying[0]]
        else:
            owner[out] = out
        death[owner[out]] = last_use.get(out, index)
    _assign_slots(program, result, owner, death, donated, writes_out, forever)
    return result


def _roots(program: Program) -> dict[Var, Var]:
    roots = {var: var for var in (*program.inputs, *program.constants)}
    for equation in program.equations:
        roots.update(zip(equation.outputs, equation.outputs, strict=True))
        source = equation.inputs[0] if equation.inputs else None
        if equation.primitive.name in VIEWS and isinstance(source, Var):
            roots[equation.outputs[0]] = roots[source]
    return roots


def _last_uses(program: Program, roots: dict[Var, Var]) -> dict[Var, int]:
    last: dict[Var, int] = {}
    for index, equation in enumerate(program.equations):
        for atom in equation.inputs:
            if isinstance(atom, Var):
                last[roots[atom]] = index
    for atom in program.outputs:
        if isinstance(atom, Var):
            last[roots[atom]] = len(program.equations)
    return last


def _assign_slots(
    program: Program,
    result: Plan,
    owner: dict[Var, Var],
    death: dict[Var, int],
    donated: Collection[Var],
    writes_out: Callable[[Equation], bool],
    forever: int,
) -> None:
    """Linear scan: a buffer that no result lives in takes a slot that is free."""
    free: dict[ArrayType, list[int]] = {}
    busy: list[tuple[int, int]] = []  # (death, slot)
    for index, equation in enumerate(program.equations):
        for end, slot in [entry for entry in busy if entry[0] < index]:
            busy.remove((end, slot))
            free.setdefault(result.slots[slot], []).append(slot)
        (out, *more) = equation.outputs
        if more or owner.get(out) is not out or out in donated:
            continue
        if death[out] >= forever or not writes_out(equation):
            continue
        available = free.get(out.type)
        if available:
            slot = available.pop()
        else:
            slot = len(result.slots)
            result.slots.append(out.type)
        result.slot_of[out] = slot
        busy.append((death[out], slot))
