"""Loops and branches: what is outside of them that can be, and only what is needed.

Each operand of a control-flow equation stands for inputs of its inner Programs. Passes look at
these as `Slot`; `rebuilt` makes the equation of the slots that are left.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass

from bital.passes.memory import VIEWS
from bital.primitives import REGISTRY
from bital.primitives.inner import CONTROL_FLOW, chosen, either
from bital.program import (
    Atom,
    Builder,
    Equation,
    Literal,
    Program,
    Var,
    building,
    inline,
    substitute,
)


@dataclass(frozen=True)
class Slot:
    """An operand, and the inner inputs that it stands for.

    ``role``: "test" (a constant of a while_loop's condition), "const", "carry" or "xs".
    """

    atom: Atom
    role: str
    inputs: dict[str, Var]  # by the name of the inner Program


_ROLES: dict[str, dict[str, tuple[str, ...]]] = {
    "cond": {"test": (), "const": ("true_branch", "false_branch")},
    "scan": {"const": ("body",), "carry": ("body",), "xs": ("body",)},
    "while_loop": {"test": ("cond",), "const": ("body",), "carry": ("cond", "body")},
}
_COUNTS: dict[str, dict[str, str]] = {
    "cond": {},
    "scan": {"const": "n_consts", "carry": "n_carry"},
    "while_loop": {"test": "cond_nconsts", "const": "body_nconsts"},
}


def programs_of(equation: Equation) -> dict[str, Program]:
    return {name: p for name, p in equation.params.items() if isinstance(p, Program)}


def slots_of(equation: Equation) -> list[Slot]:
    kind = equation.primitive.name
    rest = {name: iter(program.inputs) for name, program in programs_of(equation).items()}
    counts = {role: equation.params[name] for role, name in _COUNTS[kind].items()}
    if kind == "cond":
        counts["test"] = 1
    *first, last = _ROLES[kind]
    roles = [role for role in first for _ in range(counts[role])]
    roles += [last] * (len(equation.inputs) - len(roles))
    return [
        Slot(atom, role, {name: next(rest[name]) for name in _ROLES[kind][role]})
        for atom, role in zip(equation.inputs, roles, strict=True)
    ]


def rebuilt(
    equation: Equation,
    slots: Iterable[Slot],
    programs: dict[str, Program],
    outputs: Sequence[Var],
) -> Equation:
    """The equation with these operands, in the order of their roles."""
    kind = equation.primitive.name
    order = list(_ROLES[kind])
    slots = sorted(slots, key=lambda slot: order.index(slot.role))
    params = dict(equation.params)
    for name, program in programs.items():
        inputs = [slot.inputs[name] for slot in slots if name in slot.inputs]
        params[name] = program.replace(inputs=inputs)
    for role, count in _COUNTS[kind].items():
        params[count] = sum(slot.role == role for slot in slots)
    atoms = [slot.atom for slot in slots]
    return Equation(equation.primitive, atoms, outputs, params, equation.source)


def optimize_inner(program: Program, optimize: Callable[[Program], Program]) -> Program:
    """The inner Programs optimised; constants that this makes come to stand outside."""
    constants = dict(program.constants)
    equations = []
    for equation in program.equations:
        if equation.primitive.name in CONTROL_FLOW:
            inner = {name: optimize(p) for name, p in programs_of(equation).items()}
            slots = slots_of(equation)
            for name, each in inner.items():
                role = next(r for r, of in _ROLES[equation.primitive.name].items() if name in of)
                for var, array in each.constants.items():
                    outer = Var(var.type, var.name)
                    constants[outer] = array
                    others = {n: Var(var.type) for n in _ROLES[equation.primitive.name][role]}
                    slots.append(Slot(outer, role, {**others, name: var}))
            closed = {name: each.replace(constants={}) for name, each in inner.items()}
            equation = rebuilt(equation, slots, closed, equation.outputs)
        equations.append(equation)
    return program.replace(equations=equations, constants=constants)


# --- operands that are known, equal or never change -----------------------------------------


def simplify_loops(program: Program) -> Program:
    """Put into inner Programs what is a number there, and take out what never changes in them."""
    builder = Builder(program.name)
    same: dict[Var, Atom] = {}
    made: dict[Atom, Equation] = {}
    for equation in program.equations:
        equation = equation.with_inputs([_read(same, atom) for atom in equation.inputs])
        kind = equation.primitive.name
        if kind == "cond" and isinstance(equation.inputs[0], Literal):
            taken = "true_branch" if equation.inputs[0].value else "false_branch"
            results = inline(builder, equation.params[taken], equation.inputs[1:])
            same.update(zip(equation.outputs, results, strict=True))
            continue
        if kind in CONTROL_FLOW:
            equation = _without_fixed_carries(equation, same)
            if kind == "scan":
                equation = _unstretched(equation, made)
            equation = _merged(equation)
            if kind == "scan" and equation.params["length"]:
                equation = _hoisted(builder, equation)
        if equation.outputs:
            builder.equations.append(equation)
            made.update(dict.fromkeys(equation.outputs, equation))
    outputs = [_read(same, atom) for atom in program.outputs]
    return program.replace(equations=builder.equations, outputs=outputs)


def _read(same: dict[Var, Atom], atom: Atom) -> Atom:
    return same.get(atom, atom) if isinstance(atom, Var) else atom


def _without_fixed_carries(equation: Equation, same: dict[Var, Atom]) -> Equation:
    """A carry that every turn leaves as it is, is a constant of the loop."""
    if "body" not in equation.params:
        return equation
    body: Program = equation.params["body"]
    slots = slots_of(equation)
    carries = [slot for slot in slots if slot.role == "carry"]
    fixed = [s.inputs["body"] is a for s, a in zip(carries, body.outputs, strict=False)]
    if not any(fixed):
        return equation
    stays = [not f for f in fixed] + [True] * (len(equation.outputs) - len(fixed))
    for slot, out in zip(carries, equation.outputs, strict=False):
        if out not in chosen(equation.outputs, stays):
            same[out] = slot.atom
            slots.remove(slot)
            slots += [
                Slot(slot.atom, "test" if name == "cond" else "const", {name: var})
                for name, var in slot.inputs.items()
            ]
    programs = {**programs_of(equation), "body": body.replace(outputs=chosen(body.outputs, stays))}
    return rebuilt(equation, slots, programs, chosen(equation.outputs, stays))


def _unstretched(equation: Equation, made: dict[Atom, Equation]) -> Equation:
    """A slice of an array that was stretched along the first axis is the same at each step."""
    body, slots = equation.params["body"], slots_of(equation)
    with building(Builder()) as builder:
        for index, slot in enumerate(slots):
            stretch = made.get(slot.atom)
            if slot.role != "xs" or stretch is None or stretch.primitive.name != "broadcast_to":
                continue
            (source,) = stretch.inputs
            shape = source.type.shape
            row = shape[1:] if len(shape) == slot.atom.type.ndim else shape
            if row is shape or shape[0] == 1:
                small, var = Var(source.type), slot.inputs["body"]
                same = small if row is shape else REGISTRY["reshape"](small, shape=row)
                params = {"shape": var.type.shape}
                builder.equations.append(Equation(stretch.primitive, [same], [var], params))
                slots[index] = Slot(source, "const", {"body": small})
    if not builder.equations:
        return equation
    body = body.replace(equations=[*builder.equations, *body.equations])
    return rebuilt(equation, slots, {"body": body}, equation.outputs)


def _merged(equation: Equation) -> Equation:
    """Numbers stand in the inner Programs themselves; an operand that comes twice comes once."""
    slots: list[Slot] = []
    first: dict[Hashable, Slot] = {}
    replaced: dict[str, dict[Var, Atom]] = {name: {} for name in programs_of(equation)}
    for slot in slots_of(equation):
        if slot.role == "carry" or not slot.inputs:
            slots.append(slot)
            continue
        if isinstance(slot.atom, Literal):
            values: dict[str, Atom] = dict.fromkeys(slot.inputs, slot.atom)
        else:
            known = first.setdefault((slot.atom, slot.role), slot)
            if known is slot:
                slots.append(slot)
                continue
            values = dict(known.inputs)
        for name, var in slot.inputs.items():
            replaced[name][var] = values[name]
    if not any(replaced.values()):
        return equation
    programs = {n: substitute(p, replaced[n]) for n, p in programs_of(equation).items()}
    return rebuilt(equation, slots, programs, equation.outputs)


def _hoisted(builder: Builder, equation: Equation) -> Equation:
    """Compute before the loop what does not change in it, but for views, which cost nothing."""
    body: Program = equation.params["body"]
    slots = slots_of(equation)
    outside: dict[Var, Atom] = {
        slot.inputs["body"]: slot.atom for slot in slots if slot.role == "const"
    }
    fixed = set(outside)
    candidates: dict[Atom, Equation] = {}
    for each in body.equations:
        inputs = [atom for atom in each.inputs if isinstance(atom, Var)]
        if inputs and fixed.issuperset(inputs):
            fixed.update(each.outputs)
            candidates.update(dict.fromkeys(each.outputs, each))
    wanted = [e for e in dict.fromkeys(candidates.values()) if e.primitive.name not in VIEWS]
    moved = set(wanted)
    while wanted:
        makers = {candidates[atom] for atom in wanted.pop().inputs if atom in candidates} - moved
        moved |= makers
        wanted += makers
    if not moved:
        return equation
    rest = []
    for each in body.equations:
        if each not in moved:
            rest.append(each)
            continue
        fresh = [Var(var.type, var.name) for var in each.outputs]
        atoms = [outside[a] if isinstance(a, Var) else a for a in each.inputs]
        builder.equations.append(Equation(each.primitive, atoms, fresh, each.params, each.source))
        outside.update(zip(each.outputs, fresh, strict=True))
        slots += [
            Slot(outer, "const", {"body": var})
            for var, outer in zip(each.outputs, fresh, strict=True)
        ]
    return rebuilt(equation, slots, {"body": body.replace(equations=rest)}, equation.outputs)


# --- what no output needs -------------------------------------------------------------------


def trimmed(
    equation: Equation, needed: Sequence[bool], eliminate: Callable[[Program], Program]
) -> Equation:
    """The equation without the outputs and operands that the needed outputs do not need.

    Parameters
    ----------
    equation : Equation
    needed : sequence of bool
    eliminate : callable
        Takes dead code out of an inner Program.
    """
    programs, slots, live = programs_of(equation), slots_of(equation), list(needed)
    is_carry = [slot.role == "carry" for slot in slots]
    while True:
        inner = {
            name: eliminate(p if name == "cond" else p.replace(outputs=chosen(p.outputs, live)))
            for name, p in programs.items()
        }
        read = {name: _used(p) for name, p in inner.items()}
        used = [any(var in read[name] for name, var in slot.inputs.items()) for slot in slots]
        carries = chosen(used, is_carry)
        grown = either(live, [*carries, *[False] * (len(live) - len(carries))])
        if grown == live:
            break
        live = grown
    flags = iter(live)
    kept = [
        slot
        for slot, was_read in zip(slots, used, strict=True)
        if (next(flags) if slot.role == "carry" else was_read or not slot.inputs)
    ]
    before, after = (sum(len(p.equations) for p in all.values()) for all in (programs, inner))
    if len(kept) == len(slots) and all(live) and before == after:
        return equation
    return rebuilt(equation, kept, inner, chosen(equation.outputs, live))


def _used(program: Program) -> set[Atom]:
    return {*(a for e in program.equations for a in e.inputs), *program.outputs}
