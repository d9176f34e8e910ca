"""The executor of `bital.debug_nans`: equation by equation, in search of NaN and infinity.

Every equation is computed by its primitive's reference. A value that is not finite has a *cause*:
the first equation that made a NaN where no operand held one, or an infinity of finite operands.
Infinities that were put in (a mask of ``-inf``, an argument) have none, and what a
`np.where` does not choose does not count. A cause whose effect reaches a result is an error.
"""

from __future__ import annotations

import linecache
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bital.errors import NonFiniteError
from bital.executors.executor import Compiled
from bital.primitives.control import observing
from bital.program import Array, Atom, Equation, Literal, Program, Var

_OPERATIONS = {
    "dot_general": "@",
    "convert": "astype",
    "slice": "indexing",
    "gather": "indexing",
    "scatter": "an assignment by index",
    "slice_update": "an assignment by index",
    "scatter_add": "an addition by index",
}


@dataclass(frozen=True)
class Cause:
    """Where a value ceased to be finite.

    Attributes
    ----------
    order : int
        How many equations had been computed before.
    equation : Equation or None
        None for an argument or a constant that holds a NaN.
    """

    order: int
    equation: Equation | None
    operands: tuple[tuple[Atom, Any], ...]
    result: Array
    name: str | None = None

    def error(self, program: Program) -> NonFiniteError:
        """What is raised."""
        made = _kinds(self.result)
        rows = _rows(self.result)
        if self.equation is None:
            text = f"{self.name or 'an argument'} of {program.name} holds {made}{_shown(rows)}"
            return NonFiniteError(text, rows=rows, shape=self.result.shape)
        source = self.equation.source
        direction = "backward" if source is not None and source.backward else "forward"
        operation = _operation(self.equation)
        lines = [f"{operation} made {made}{_shown(rows)}, in the {direction} pass"]
        if source is not None:
            scope = f" (in {source.scope})" if source.scope else ""
            text = linecache.getline(source.filename, source.line).strip()
            lines.append(f"at {source}{scope}" + (f": {text}" if text else ""))
        lines += [f"operand {_ranged(atom, value)}" for atom, value in self.operands]
        return NonFiniteError(
            "\n  ".join(lines),
            operation=operation,
            direction=direction,
            source=None if source is None else (source.filename, source.line),
            scope="" if source is None else source.scope,
            rows=rows,
            shape=self.result.shape,
        )


def _operation(equation: Equation) -> str:
    primitive = equation.primitive
    if isinstance(primitive.reference, np.ufunc):
        return f"np.{primitive.reference.__name__}"
    name = primitive.name.removeprefix("reduce_")
    return _OPERATIONS.get(name) or (f"np.{name}" if hasattr(np, name) else name)


def _kinds(value: Array) -> str:
    """``NaN and infinity in 3 of 24 elements``."""
    counts = {"NaN": np.isnan(value).sum(), "infinity": np.isinf(value).sum()}
    kinds = " and ".join(kind for kind, count in counts.items() if count)
    return f"{kinds} in {sum(counts.values())} of {value.size} elements" if value.shape else kinds


def _rows(value: Array) -> Array:
    """The indices along the first axis where something is not finite."""
    if not value.shape:
        return np.arange(0)
    return np.flatnonzero(~np.isfinite(value).reshape(len(value), -1).all(axis=1))


def _shown(rows: Array) -> str:
    if not rows.size:
        return ""
    more = ", ..." if rows.size > 8 else ""
    return f" (at {', '.join(map(str, rows[:8]))}{more} of the first axis)"


def _ranged(atom: Atom, value: Any) -> str:
    """``z: float64[8,3] from -3.2 to 710``."""
    value = np.asarray(value)
    name = f"{atom.name}: " if isinstance(atom, Var) and atom.name else ""
    if not value.size:
        return f"{name}{atom.type}, empty"
    if not value.shape:
        return f"{name}{atom.type} = {value[()]:.6g}"
    size = np.abs(value) if value.dtype.kind == "c" else value
    finite = size[np.isfinite(size)] if size.dtype.kind == "f" else size
    if not finite.size:
        return f"{name}{atom.type}, nothing finite"
    what = "of absolute values " if value.dtype.kind == "c" else ""
    rest = "" if finite.size == size.size else f", {size.size - finite.size} not finite"
    return f"{name}{atom.type} {what}from {finite.min():.6g} to {finite.max():.6g}{rest}"


class _Search:
    """One run of a Program, and what its values have become not finite by."""

    def __init__(self) -> None:
        self.order = 0
        self.inside: Cause | None = None  # the first in the inner Programs of an equation

    def inner(self, program: Program, arguments: Sequence[Any]) -> list[Any]:
        """`evaluate` for the body of a loop or a branch."""
        outputs, causes = self.run(program, arguments, {})
        found = [cause for cause in causes if cause is not None]
        if found and self.inside is None:
            self.inside = min(found, key=lambda cause: cause.order)
        return outputs

    def run(
        self, program: Program, arguments: Sequence[Any], causes: dict[Var, Cause]
    ) -> tuple[list[Any], list[Cause | None]]:
        values: dict[Var, Any] = dict(zip(program.inputs, arguments, strict=True))
        values |= program.constants

        def read(atom: Atom) -> Any:
            return atom.value if isinstance(atom, Literal) else values[atom]

        for equation in program.equations:
            operands = [read(atom) for atom in equation.inputs]
            outer, self.inside = self.inside, None
            result = equation.primitive.reference(*operands, **equation.params)
            within, self.inside = self.inside, outer
            results = result if equation.primitive.multiple_results else [result]
            for var, value in zip(equation.outputs, results, strict=True):
                values[var] = value
                if _is_finite(value):
                    continue
                cause = within or self._cause(equation, operands, value, causes)
                if cause is not None:
                    causes[var] = cause
            self.order += 1
        found = [causes.get(a) if isinstance(a, Var) else None for a in program.outputs]
        return [read(atom) for atom in program.outputs], found

    def _cause(
        self, equation: Equation, operands: Sequence[Any], result: Any, causes: dict[Var, Cause]
    ) -> Cause | None:
        """The earliest cause among the operands', or this equation."""
        counted = _chosen(equation, operands)
        known = [
            causes[atom]
            for atom, value in zip(equation.inputs, counted, strict=True)
            if isinstance(atom, Var) and atom in causes and not _is_finite(value)
        ]
        if known:
            return min(known, key=lambda cause: cause.order)
        if any(_has_nan(value) for value in counted):
            return None
        if not _has_nan(result) and not all(_is_finite(value) for value in counted):
            return None  # an infinity that was put in goes on
        pairs = tuple(zip(equation.inputs, operands, strict=True))
        return Cause(self.order, equation, pairs, np.asarray(result))


def _chosen(equation: Equation, operands: Sequence[Any]) -> Sequence[Any]:
    """The operands, but zeros where a `np.where` does not choose an element."""
    if equation.primitive.name != "where":
        return operands
    condition, a, b = operands
    return condition, np.where(condition, a, 0), np.where(condition, 0, b)


def _is_finite(value: Any) -> bool:
    return np.asarray(value).dtype.kind not in "fc" or bool(np.isfinite(value).all())


def _has_nan(value: Any) -> bool:
    return np.asarray(value).dtype.kind in "fc" and bool(np.isnan(value).any())


class CheckingExecutor:
    """Computes as the references do, and raises where a result becomes NaN or infinite."""

    name = "checking"

    def compile(self, program: Program, donated: Collection[int] = ()) -> Compiled:
        def run(arguments: Sequence[Any]) -> list[Array]:
            search = _Search()
            causes = {}
            for var, value in zip(program.inputs, arguments, strict=True):
                if _has_nan(value):
                    causes[var] = Cause(-1, None, (), np.asarray(value), var.name)
            with np.errstate(all="ignore"), observing(search.inner):
                outputs, found = search.run(program, arguments, causes)
            reached = [cause for cause in found if cause is not None]
            if reached:
                raise min(reached, key=lambda cause: cause.order).error(program)
            return [np.array(value)[()] for value in outputs]

        return run


executor = CheckingExecutor()
