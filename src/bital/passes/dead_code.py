"""Dead code: what no output needs is not computed."""

from __future__ import annotations

from bital.passes.loops import trimmed
from bital.primitives.inner import CONTROL_FLOW
from bital.program import Program, Var


def eliminate_dead(program: Program) -> Program:
    needed = {atom for atom in program.outputs if isinstance(atom, Var)}
    kept = []
    for equation in reversed(program.equations):
        if not needed.isdisjoint(equation.outputs):
            if equation.primitive.name in CONTROL_FLOW:
                wanted = [var in needed for var in equation.outputs]
                equation = trimmed(equation, wanted, eliminate_dead)
            kept.append(equation)
            needed.update(atom for atom in equation.inputs if isinstance(atom, Var))
    constants = {var: array for var, array in program.constants.items() if var in needed}
    return program.replace(equations=kept[::-1], constants=constants)
