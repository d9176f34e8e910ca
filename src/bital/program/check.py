"""Proof that a Program is well formed: scopes, single assignment, types."""

from __future__ import annotations

from bital.errors import ProgramError
from bital.program.types import Atom, Equation, Program, Var, subprograms, type_of


def check(program: Program) -> Program:
    """Return the Program, or raise `ProgramError` with the lines around the fault.

    Every variable is assigned once and above its first use, every equation's output types are
    those that its primitive infers from the input types, every constant has its variable's type.
    """
    defined: set[Var] = set()

    def define(var: Var, where: str) -> None:
        if var in defined:
            raise ProgramError(f"{where}: {var!r} is assigned twice")
        defined.add(var)

    for var in program.inputs:
        define(var, "inputs")
    for var, array in program.constants.items():
        define(var, "constants")
        if type_of(array) != var.type:
            raise ProgramError(f"constant {var!r} holds an array of type {type_of(array)}")
    for index, equation in enumerate(program.equations):
        try:
            _check_equation(equation, defined)
            for var in equation.outputs:
                define(var, equation.primitive.name)
        except Exception as fault:
            raise ProgramError(
                f"equation {index} ({equation.primitive.name}): {fault}\n"
                + _neighbourhood(program, index)
            ) from fault
    for atom in program.outputs:
        try:
            _check_read(atom, defined)
        except ProgramError as fault:
            last = len(program.equations) - 1
            raise ProgramError(f"outputs: {fault}\n" + _neighbourhood(program, last)) from fault
    return program


def _check_equation(equation: Equation, defined: set[Var]) -> None:
    for atom in equation.inputs:
        _check_read(atom, defined)
    hash(tuple(equation.params.items()))  # params take part in keys
    expected = equation.primitive.infer([atom.type for atom in equation.inputs], equation.params)
    actual = [var.type for var in equation.outputs]
    if expected != actual:
        raise ProgramError(
            f"outputs are {', '.join(map(str, actual))}, "
            f"but the inputs give {', '.join(map(str, expected))}"
        )
    for inner in subprograms(equation):
        check(inner)


def _check_read(atom: Atom, defined: set[Var]) -> None:
    if isinstance(atom, Var) and atom not in defined:
        raise ProgramError(f"{atom!r} is read before it is assigned")


def _neighbourhood(program: Program, index: int) -> str:
    from bital.program.text import format_equations

    try:
        lines = format_equations(program, limit=index + 4)
    except ProgramError as fault:  # a fault on top of the one that is being reported
        return f"({fault})"
    first = max(0, index - 3)
    return "\n".join(
        ("->" if first + offset == index else "  ") + line
        for offset, line in enumerate(lines[first:])
    )
