"""Rematerialisation: the linear half of a checkpoint computes again what it needs."""

from __future__ import annotations

from collections.abc import Collection

from bital.primitives.checkpoint import checkpoint
from bital.primitives.inner import chosen
from bital.program import Builder, Equation, Program, Var
from bital.transforms.partial import RULES, Half


def split_checkpoint(builder: Builder, equation: Equation, variables: Collection[Var]) -> Equation:
    """Cut a checkpoint in two without residuals.

    The known half gives the known outputs alone. The linear half is the whole body once more: it
    reads the operands and nothing else, so that a backward pass is given the operands and nothing
    else.
    """
    body: Program = equation.params["body"]
    unknown = [atom in variables for atom in equation.inputs]
    known = [not flag for flag in unknown]
    half = Half(body, unknown)
    stays = [not flag for flag in half.moves]
    outputs = chosen(equation.outputs, stays)
    if outputs:
        first = body.replace(
            inputs=chosen(body.inputs, known),
            equations=half.known,
            outputs=chosen(body.outputs, stays),
        )
        inputs, params = chosen(equation.inputs, known), {**equation.params, "body": first}
        builder.equations.append(Equation(checkpoint, inputs, outputs, params, equation.source))
    rest = {"body": body.replace(outputs=chosen(body.outputs, half.moves)), "again": True}
    moved = chosen(equation.outputs, half.moves)
    return Equation(checkpoint, equation.inputs, moved, rest, equation.source)


RULES["checkpoint"] = split_checkpoint
