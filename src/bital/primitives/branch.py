"""A branch over inner Programs.

``cond``: (predicate, *operands) -> outputs of ``true_branch`` or ``false_branch``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bital.primitives.control import evaluate
from bital.primitives.inner import (
    checks_indices,
    chosen,
    close,
    either,
    require_closed,
    require_types,
    spread,
)
from bital.primitives.loops import lane_by_lane, select_rows
from bital.primitives.primitive import (
    Linear,
    Operand,
    Primitive,
    Tangent,
    program_transforms,
    require,
)
from bital.program import ArrayType, Atom, Program, Var, current_builder, inline


def _cond_abstract_eval(
    predicate: ArrayType, *operands: ArrayType, true_branch: Program, false_branch: Program
) -> list[ArrayType]:
    require(
        predicate == ArrayType((), np.dtype(bool)),
        lambda: f"a predicate is one bool, got {predicate}",
    )
    for branch in (true_branch, false_branch):
        require_types("a branch takes", branch.input_types, operands)
    require_types("the branches give", true_branch.output_types, false_branch.output_types)
    require_closed(true_branch, false_branch)
    return list(true_branch.output_types)


def _cond_reference(
    predicate: Any, *operands: Any, true_branch: Program, false_branch: Program
) -> list[Any]:
    return evaluate(true_branch if predicate else false_branch, operands)


def _bind_cond(
    predicate: Atom, branches: Sequence[Program], operands: Sequence[Atom]
) -> list[Atom]:
    """A cond of branches that may have constants: each branch ignores the other's."""
    closed, constants = zip(*map(close, branches), strict=True)
    k = len(constants[0])
    unused = [[Var(atom.type) for atom in atoms] for atoms in constants]
    true, false = closed
    return cond.bind(
        [predicate, *constants[0], *constants[1], *operands],
        {
            "true_branch": true.replace(inputs=[*true.inputs[:k], *unused[1], *true.inputs[k:]]),
            "false_branch": false.replace(inputs=[*unused[0], *false.inputs]),
        },
    )


def _cond_jvp(
    primitive: Primitive,
    primals: list[Atom],
    tangents: list[Tangent],
    true_branch: Program,
    false_branch: Program,
) -> tuple[list[Atom], list[Tangent]]:
    moved = [t is not None for t in tangents[1:]]
    branches, push = (true_branch, false_branch), program_transforms["push"]
    none = [False] * len(true_branch.outputs)
    slopes = either(*(push(branch, moved, none)[1] for branch in branches))
    forward = [push(branch, moved, slopes)[0] for branch in branches]
    outputs = _bind_cond(primals[0], forward, [*primals[1:], *chosen(tangents[1:], moved)])  # type: ignore[list-item]
    return outputs[: len(none)], spread(outputs[len(none) :], slopes)


def _cond_transpose(
    cts: list[Tangent],
    predicate: Atom,
    *operands: Operand,
    true_branch: Program,
    false_branch: Program,
) -> list[Tangent]:
    linear = [isinstance(x, Linear) for x in operands]
    given = [ct is not None for ct in cts]
    transpose = program_transforms["transpose"]
    pairs = [transpose(branch, linear, given) for branch in (true_branch, false_branch)]
    reached = either(pairs[0][1], pairs[1][1])
    backward = [p.replace(outputs=chosen(p.outputs, reached)) for p, _ in pairs]
    if not any(reached):
        return [None] * (1 + len(operands))
    known = [x for x in operands if not isinstance(x, Linear)]
    results = _bind_cond(predicate, backward, [*known, *(ct for ct in cts if ct is not None)])
    return [None, *spread(spread(results, reached), linear)]


def _batch_cond(
    primitive: Primitive,
    size: int,
    inputs: list[Atom],
    mapped: list[bool],
    true_branch: Program,
    false_branch: Program,
) -> list[Atom]:
    branches = (true_branch, false_branch)
    if mapped[0] and any(map(checks_indices, branches)):
        params = {"true_branch": true_branch, "false_branch": false_branch}
        return lane_by_lane(primitive, size, inputs, mapped, params)
    wide = [program_transforms["batch"](branch, size, mapped[1:]) for branch in branches]
    if not mapped[0]:
        return _bind_cond(inputs[0], wide, inputs[1:])
    results = [inline(current_builder(), branch, inputs[1:]) for branch in wide]
    return [select_rows(inputs[0], x, y) for x, y in zip(*results, strict=True)]


cond: Primitive = Primitive(
    "cond",
    abstract_eval=_cond_abstract_eval,
    reference=_cond_reference,
    jvp=_cond_jvp,
    transpose=_cond_transpose,
    batch=_batch_cond,
    multiple_results=True,
)
