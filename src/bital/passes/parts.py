"""Sums of arrays that are zero but for a part each, in the table of `simplify`.

The derivative of slices is such a sum: each part is written where it belongs instead, and parts
that lie side by side and fill an array are joined.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bital.passes.simplify import Simplifier, rule
from bital.primitives.elementwise import add
from bital.primitives.shape import concatenate, slice_update
from bital.program import Atom, Equation, Literal

Params = Mapping[str, Any]


def _chain(state: Simplifier, atom: Atom) -> list[Equation] | None:
    """The writes that make an atom of zeros, last first; None if others see what is between."""
    found: list[Equation] = []
    while (made := state.definition(atom, "slice_update")) is not None:
        if not state.used_once(made.outputs[0]) or set(made.params["step"]) != {1}:
            return None
        found.append(made)
        atom = made.inputs[0]
    return found if found and _is_zero(state.scalar(atom), atom) else None


def _is_zero(number: Any, atom: Atom) -> bool:
    """Whether it is 0 and not -0.0."""
    kind = atom.type.dtype.kind
    if number is None or kind == "c":
        return False
    return bool(number == 0) and not (kind == "f" and np.signbit(number))


def _apart(a: Params, b: Params) -> bool:
    """Whether two parts have no element in common."""
    axes = zip(a["start"], a["stop"], b["start"], b["stop"], strict=True)
    return any(stop <= start_b or stop_b <= start for start, stop, start_b, stop_b in axes)


def _with_zero(state: Simplifier, x: Atom) -> Atom:
    """``x + 0``, which a sum with zeros is: it makes 0.0 of -0.0."""
    known = state.definition(x, "add")
    if known is not None and any(isinstance(y, Literal) and y.value == 0 for y in known.inputs):
        return x
    result: Atom = add(x, Literal(x.type.dtype.type(0), x.type.dtype))
    return result


@rule("add")
def _sum_of_parts(state: Simplifier, inputs: list[Atom], params: Params) -> Atom | None:
    """One array with all parts written into it, if no two have an element in common."""
    chains = [_chain(state, atom) for atom in inputs]
    if inputs[0].type != inputs[1].type or inputs[0] is inputs[1]:
        return None
    if chains[0] is None or chains[1] is None:
        return None
    if not all(_apart(a.params, b.params) for a in chains[0] for b in chains[1]):
        return None
    result = chains[0][-1].inputs[0]
    for write in [*chains[0][::-1], *chains[1][::-1]]:
        result = slice_update(result, _with_zero(state, write.inputs[1]), **write.params)
    return result


@rule("slice_update")
def _parts_that_fill(state: Simplifier, inputs: list[Atom], params: Params) -> Atom | None:
    """Parts that follow each other along an axis and leave nothing out are joined."""
    base, value = inputs
    before = _chain(state, base)
    shape = base.type.shape
    if before is None or set(params["step"]) != {1}:
        return None
    parts = [(write.params, write.inputs[1]) for write in before] + [(params, value)]
    for axis, length in enumerate(shape):
        parts.sort(key=lambda part: part[0]["start"][axis])
        ends = [0, *(part["stop"][axis] for part, _ in parts)]
        follow = all(
            part["start"][axis] == end for (part, _), end in zip(parts, ends, strict=False)
        )
        whole = all(
            part["start"][other] == 0 and part["stop"][other] == shape[other]
            for part, _ in parts
            for other in range(len(shape))
            if other != axis
        )
        if follow and whole and ends[-1] == length:
            result: Atom = concatenate(*(part for _, part in parts), axis=axis)
            return result
    return None
