"""batch: a Program that maps over a front axis of its inputs."""

from __future__ import annotations

from collections.abc import Sequence

from bital.primitives.primitive import program_transforms
from bital.primitives.shape import batched
from bital.program import ArrayType, Atom, Builder, Literal, Program, Var, building


def batch(
    program: Program,
    size: int,
    mapped: Sequence[bool] | None = None,
    wanted: Sequence[bool] | None = None,
) -> Program:
    """Vectorise.

    Parameters
    ----------
    program : Program
        f: inputs -> outputs.
    size : int
        Length of the new axis.
    mapped : sequence of bool, optional
        Which inputs carry the axis, in front. By default all.
    wanted : sequence of bool, optional
        Which outputs carry it: those that depend on a mapped input must. By default all.

    Returns
    -------
    Program
        The same function for `size` inputs at once.
    """
    if wanted is None:
        wanted = [True] * len(program.outputs)
    if mapped is None:
        mapped = [True] * len(program.inputs)
    builder = Builder(f"vmap_{program.name}")
    env: dict[Var, Atom] = {}
    carries: set[Var] = set()
    for var, is_mapped in zip(program.inputs, mapped, strict=True):
        shape = (size, *var.type.shape) if is_mapped else var.type.shape
        env[var] = builder.input(ArrayType(shape, var.type.dtype), var.name)
        if is_mapped:
            carries.add(var)
    for var, array in program.constants.items():
        env[var] = builder.constant(array, var.name)

    def read(atom: Atom) -> Atom:
        return atom if isinstance(atom, Literal) else env[atom]

    with building(builder):
        for equation in program.equations:
            builder.source = equation.source
            flags = [atom in carries for atom in equation.inputs]
            inputs = [read(atom) for atom in equation.inputs]
            primitive = equation.primitive
            if any(flags):
                outputs = primitive.batch(primitive, size, inputs, flags, **equation.params)
                carries.update(equation.outputs)
            else:
                outputs = primitive.bind(inputs, equation.params)
            for var, out in zip(equation.outputs, outputs, strict=True):
                out.name = out.name or var.name
                env[var] = out
        builder.source = None
        results = [
            batched(read(a), a in carries, size) if is_wanted else read(a)
            for a, is_wanted in zip(program.outputs, wanted, strict=True)
        ]
    return builder.build(results)


program_transforms["batch"] = batch
