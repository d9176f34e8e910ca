"""Rematerialisation: what is computed again on the way back, not kept.

- ``checkpoint``: (*operands) -> outputs of ``body``. Its linear half, and so its transpose, reads
  nothing but the operands: the rest of the body stands in it once more. ``again`` says that it
  does. Passes put the body in its place, behind barriers where it is computed again.
- ``barrier``: x, as a value of its own: what is computed from it is not the same as what is
  computed from x, and no pass sees that it is equal.
"""

from __future__ import annotations

from typing import Any

from bital.primitives.control import evaluate
from bital.primitives.inner import chosen, close, require_closed, require_types, spread
from bital.primitives.primitive import (
    Linear,
    Operand,
    Primitive,
    Tangent,
    linear_jvp,
    program_transforms,
)
from bital.program import ArrayType, Atom, Program


def _abstract_eval(*operands: ArrayType, body: Program, again: bool) -> list[ArrayType]:
    require_types("the function takes", body.input_types, operands)
    require_closed(body)
    return list(body.output_types)


def _jvp(
    primitive: Primitive,
    primals: list[Atom],
    tangents: list[Tangent],
    body: Program,
    again: bool,
) -> tuple[list[Atom], list[Tangent]]:
    moved = [t is not None for t in tangents]
    count = len(body.outputs)
    pushed, slopes = program_transforms["push"](body, moved, [False] * count)
    forward, constants = close(pushed)
    given = [t for t in tangents if t is not None]
    params = {"body": forward, "again": again}
    results = primitive.bind([*constants, *primals, *given], params)
    return results[:count], spread(results[count:], slopes)


def _transpose(cts: list[Tangent], *operands: Operand, body: Program, again: bool) -> list[Tangent]:
    linear = [isinstance(x, Linear) for x in operands]
    given = [ct is not None for ct in cts]
    turned, reached = program_transforms["transpose"](body, linear, given)
    if not any(reached):
        return [None] * len(operands)
    backward, constants = close(turned.replace(outputs=chosen(turned.outputs, reached)))
    known = [x for x in operands if not isinstance(x, Linear)]
    inputs = [*constants, *known, *(ct for ct in cts if ct is not None)]
    results = checkpoint.bind(inputs, {"body": backward, "again": True})
    return spread(spread(results, reached), linear)


def _batch(
    primitive: Primitive,
    size: int,
    inputs: list[Atom],
    mapped: list[bool],
    body: Program,
    again: bool,
) -> list[Atom]:
    wide, constants = close(program_transforms["batch"](body, size, mapped))
    return primitive.bind([*constants, *inputs], {"body": wide, "again": again})


def _reference(*operands: Any, body: Program, again: bool) -> list[Any]:
    return evaluate(body, operands)


checkpoint: Primitive = Primitive(
    "checkpoint",
    abstract_eval=_abstract_eval,
    reference=_reference,
    jvp=_jvp,
    transpose=_transpose,
    batch=_batch,
    multiple_results=True,
)

barrier: Primitive = Primitive(
    "barrier",
    abstract_eval=lambda x: x,
    reference=lambda x: x,
    jvp=linear_jvp(),
    transpose=lambda ct, x: [barrier(ct)],
    batch=lambda primitive, size, inputs, mapped: primitive.bind(inputs, {}),
)
