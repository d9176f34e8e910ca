"""linearize: the values of a Program, and its derivative as a Program that is linear."""

from __future__ import annotations

from collections.abc import Sequence

from bital.primitives.control import custom_linear, no_forward_mode
from bital.primitives.inner import holds
from bital.primitives.primitive import instantiate
from bital.program import Builder, Program, building
from bital.transforms.forward import push_forward
from bital.transforms.partial import partition
from bital.transforms.reverse import split


def linearize(program: Program, wrt: Sequence[bool], count: int) -> tuple[Program, Program]:
    """Differentiate forward, and part what is known without tangents from what is linear in them.

    Parameters
    ----------
    program : Program
        f: inputs -> outputs.
    wrt : sequence of bool
        Which inputs carry a tangent.
    count : int
        How many of the outputs get one, from the first on.

    Returns
    -------
    forward : Program
        inputs -> outputs, residuals.
    linear : Program
        residuals, tangents of the chosen inputs -> tangents of the outputs.
    """
    builder = Builder(f"linearize_{program.name}")
    inputs = [builder.input(var.type, var.name) for var in program.inputs]
    tangents = [
        builder.input(var.type, f"d_{var.name}" if var.name else None) if moves else None
        for var, moves in zip(program.inputs, wrt, strict=True)
    ]
    with building(builder):
        outputs, moved = push_forward(builder, program, inputs, tangents)
        late = partition(builder, {t for t in tangents if t is not None})
        if holds(late, custom_linear):
            no_forward_mode()
        slopes = [instantiate(t, out.type) for t, out in zip(moved, outputs[:count], strict=False)]
        builder.equations += late
    return split(builder.build([*outputs, *slopes]), len(inputs), len(outputs))
