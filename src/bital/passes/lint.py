"""What is probably not meant, though NumPy computes it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bital.errors import BroadcastWarning
from bital.program import Atom, Equation, Program, Var, subprograms

# A column that comes from one of these was made on purpose, as x[:, None] is.
_MADE = frozenset({"reshape", "broadcast_to", "transpose", "slice", "gather"})
_seen: dict[Any, Any] = {}  # what the default filter of warnings shows once a line


def lint(program: Program) -> None:
    """Warn where ``(n,)`` meets ``(n, 1)`` and the ``(n, n)`` that comes of it is reduced.

    Targets ``(n,)`` minus outputs ``(n, 1)`` are the usual case: the mean is then taken over all
    pairs of samples, and training fails without an error.
    """
    definitions = {var: e for e in program.equations for var in e.outputs}
    readers: dict[Var, list[Equation]] = {}
    for equation in program.equations:
        for atom in equation.inputs:
            if isinstance(atom, Var):
                readers.setdefault(atom, []).append(equation)
    for equation in program.equations:
        for inner in subprograms(equation):
            lint(inner)
        pair = _accident(equation, definitions)
        if pair is not None and _is_reduced(equation.outputs[0], readers):
            _warn(equation, *pair)


def _is_elementwise(equation: Equation) -> bool:
    return isinstance(equation.primitive.reference, np.ufunc) or equation.primitive.name == "where"


def _accident(equation: Equation, definitions: Mapping[Var, Equation]) -> tuple[Atom, Atom] | None:
    """The row ``(n,)`` and the column ``(n, 1)``, if an equation joins them."""
    source = equation.source
    if source is None or source.backward or not _is_elementwise(equation):
        return None
    shape = equation.outputs[0].type.shape
    if len(shape) != 2 or shape[0] != shape[1] or shape[0] < 2:
        return None
    rows = [atom for atom in equation.inputs if atom.type.shape == shape[:1]]
    columns = [atom for atom in equation.inputs if atom.type.shape == (shape[0], 1)]
    if not rows or not columns or _is_made(columns[0], definitions):
        return None
    return rows[0], columns[0]


def _is_made(column: Atom, definitions: Mapping[Var, Equation]) -> bool:
    """Whether a column was made to be one, before elementwise operations on it."""
    pending, seen = [column], set()
    while pending:
        made = definitions.get(pending.pop())  # type: ignore[arg-type]
        if made is None or made in seen:
            continue
        seen.add(made)
        if made.primitive.name in _MADE or made.primitive.name.startswith("reduce_"):
            return True
        if _is_elementwise(made) or made.primitive.name == "convert":
            pending += [a for a in made.inputs if a.type.shape == column.type.shape]
    return False


def _is_reduced(var: Var, readers: Mapping[Var, Sequence[Equation]]) -> bool:
    pending, seen = [var], {var}
    while pending:
        for reader in readers.get(pending.pop(), ()):
            if reader.primitive.name.startswith("reduce_"):
                return True
            (out, *_) = reader.outputs
            if _is_elementwise(reader) and out.type.shape == var.type.shape and out not in seen:
                seen.add(out)
                pending.append(out)
    return False


def _warn(equation: Equation, row: Atom, column: Atom) -> None:
    (n,) = row.type.shape
    named = [f"{a.name} " if isinstance(a, Var) and a.name else "" for a in (row, column)]
    assert equation.source is not None
    warnings.warn_explicit(
        f"{named[0]}({n},) meets {named[1]}({n}, 1): the result is ({n}, {n}), one element for "
        "each pair, and it is reduced. If one for each sample is meant, write a[:, np.newaxis] for "
        "the first or b[:, 0] for the second; if pairs are meant, a[np.newaxis, :] - b says so",
        BroadcastWarning,
        equation.source.filename,
        equation.source.line,
        registry=_seen,
    )
