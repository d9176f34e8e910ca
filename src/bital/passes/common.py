"""Common subexpressions: equal equations on equal operands are computed once."""

from __future__ import annotations

from collections.abc import Hashable

from bital.program import Atom, Literal, Program, Var
from bital.program.types import params_key


def eliminate_common(program: Program) -> Program:
    replaced: dict[Var, Var] = {}
    seen: dict[Hashable, tuple[Var, ...]] = {}

    def read(atom: Atom) -> Atom:
        return replaced.get(atom, atom) if isinstance(atom, Var) else atom

    def key(atom: Atom) -> Hashable:
        return atom.key if isinstance(atom, Literal) else atom

    by_array: dict[int, Var] = {}
    for var, array in program.constants.items():
        replaced[var] = by_array.setdefault(id(array), var)
    kept = []
    for equation in program.equations:
        inputs = [read(atom) for atom in equation.inputs]
        params = tuple((k, params_key(v)) for k, v in equation.params.items())
        identity = (equation.primitive.name, tuple(map(key, inputs)), params)
        known = seen.get(identity)
        if known is None or equation.primitive.name == "barrier":
            seen[identity] = equation.outputs
            kept.append(equation.with_inputs(inputs))
        else:
            replaced.update(zip(equation.outputs, known, strict=True))
    return program.replace(equations=kept, outputs=[read(atom) for atom in program.outputs])
