"""jvp: a Program that pushes tangents forward beside its values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bital.primitives.control import custom_linear, no_forward_mode
from bital.primitives.inner import chosen, holds
from bital.primitives.primitive import (
    NOT_DIFFERENTIABLE,
    Tangent,
    instantiate,
    program_transforms,
)
from bital.program import Atom, Builder, Literal, Program, Var, building


def jvp(program: Program, wrt: Sequence[bool]) -> Program:
    """Differentiate forward.

    Parameters
    ----------
    program : Program
        f: inputs -> outputs.
    wrt : sequence of bool
        Which inputs carry a tangent.

    Returns
    -------
    Program
        inputs, tangents of the chosen inputs -> outputs, tangents of all outputs. A tangent of
        an output that does not depend on the chosen inputs is a zero.
    """
    forward, _ = push(program, wrt, [True] * len(program.outputs))
    if holds(forward.equations, custom_linear):
        no_forward_mode()
    return forward


def push(
    program: Program, wrt: Sequence[bool], wanted: Sequence[bool]
) -> tuple[Program, list[bool]]:
    """As `jvp`, without tangents that are known to be zero.

    Parameters
    ----------
    wanted : sequence of bool
        Outputs that get a tangent in any case.

    Returns
    -------
    Program
    list of bool
        Which outputs have a tangent.
    """
    builder = Builder(f"jvp_{program.name}")
    inputs = [builder.input(var.type, var.name) for var in program.inputs]
    tangents: list[Tangent] = [
        builder.input(var.type, f"d_{var.name}" if var.name else None) if moves else None
        for var, moves in zip(program.inputs, wrt, strict=True)
    ]
    with building(builder):
        outputs, moved = push_forward(builder, program, inputs, tangents)
        given = [t is not None or always for t, always in zip(moved, wanted, strict=True)]
        full = [
            instantiate(t, out.type) if flag else out
            for t, out, flag in zip(moved, outputs, given, strict=True)
        ]
    return builder.build([*outputs, *chosen(full, given)]), given


program_transforms["push"] = push


def push_forward(
    builder: Builder,
    program: Program,
    inputs: Sequence[Atom],
    tangents: Sequence[Tangent],
) -> tuple[list[Atom], list[Tangent]]:
    """Append a Program's equations and their derivatives to the current builder."""
    env: dict[Var, Atom] = dict(zip(program.inputs, inputs, strict=True))
    moved: dict[Var, Atom] = {
        var: t for var, t in zip(program.inputs, tangents, strict=True) if t is not None
    }
    for var, array in program.constants.items():
        env[var] = builder.constant(array, var.name)
    for equation in program.equations:
        builder.source = equation.source
        primals = [_read(env, atom) for atom in equation.inputs]
        slopes = [moved.get(atom) if isinstance(atom, Var) else None for atom in equation.inputs]
        primitive = equation.primitive
        results: Sequence[Tangent]
        if primitive.jvp is NOT_DIFFERENTIABLE or all(slope is None for slope in slopes):
            outputs = primitive.bind(primals, equation.params)
            results = [None] * len(outputs)
        else:
            outputs, results = primitive.jvp(primitive, primals, slopes, **equation.params)
        for var, out, slope in zip(equation.outputs, outputs, results, strict=True):
            env[var] = out
            if isinstance(out, Var):
                out.name = out.name or var.name
            if slope is not None and var.type.is_inexact:
                moved[var] = slope
                if isinstance(slope, Var) and slope.name is None and var.name:
                    slope.name = f"d_{var.name}"
    builder.source = None
    return (
        [_read(env, atom) for atom in program.outputs],
        [moved.get(atom) if isinstance(atom, Var) else None for atom in program.outputs],
    )


def _read(env: Mapping[Var, Atom], atom: Atom) -> Atom:
    return atom if isinstance(atom, Literal) else env[atom]
