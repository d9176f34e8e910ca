"""How the emitted text is laid out: what stands where, what is one expression, what is named.

None of it changes what is computed: equations are pure, and each is still evaluated once, from the
same operands.
"""

from __future__ import annotations

import ast
import linecache
import os
from collections.abc import Collection, Container, Iterator, Mapping, Sequence

from bital.passes.memory import Plan
from bital.primitives.inner import CONTROL_FLOW
from bital.program import Equation, Program, SourceLocation, Var
from bital.program.text import Names

_LONGEST_NAME = 16
_QUOTED = 64  # characters of a line of the user's
_STAY = {*CONTROL_FLOW, "dot_general"}  # of the forward pass, whoever reads it
_PLAIN = {"neg", "add", "sub", "mul", "div"} | {
    *("convert", "reshape", "transpose", "slice", "broadcast_to")
}
_WIDEST = 72  # characters of an expression; a longer one is broken into named parts


def arranged(program: Program) -> tuple[Program, frozenset[Equation]]:
    """The Program with what only its backward pass reads moved there, and the backward pass.

    A textbook writes ``1 - h * h`` where it is needed. An equation is moved if that keeps no more
    bytes alive than its result has, unless it is a loop, a product, or named by the user.
    """
    late = {e for e in program.equations if e.source is not None and e.source.backward}
    if not late:
        return program, frozenset()
    readers = _readers(program)
    ends = {atom for atom in program.outputs if isinstance(atom, Var)}
    lasting = {*program.inputs, *program.constants, *ends}
    moved = set()
    for equation in reversed(program.equations):
        if equation in late or not readers.keys() & {*equation.outputs}:
            continue
        if equation.primitive.name in _STAY or any(var.name for var in equation.outputs):
            continue
        if not ends.isdisjoint(equation.outputs):
            continue
        if not all(reader in late for var in equation.outputs for reader in readers.get(var, ())):
            continue
        if _kept_by_moving(equation, readers, late, lasting) <= sum(
            var.type.nbytes for var in equation.outputs
        ):
            moved.add(equation)
            late.add(equation)
    place = {equation: (index, 1) for index, equation in enumerate(program.equations)}
    for equation in reversed(program.equations):
        if equation in moved:  # directly before the first that reads it
            first = min(place[each] for var in equation.outputs for each in readers.get(var, ()))
            place[equation] = first[0], 0
    ordered = sorted(program.equations, key=place.__getitem__)  # equal places keep their order
    return program.replace(equations=ordered), frozenset(late)


def _readers(program: Program) -> dict[Var, list[Equation]]:
    found: dict[Var, list[Equation]] = {}
    for equation in program.equations:
        for atom in equation.inputs:
            if isinstance(atom, Var):
                found.setdefault(atom, []).append(equation)
    return found


def _kept_by_moving(
    equation: Equation,
    readers: Mapping[Var, Sequence[Equation]],
    late: Collection[Equation],
    lasting: Collection[Var],
) -> int:
    """Bytes of operands that would otherwise be gone before the backward pass."""
    made = {atom for atom in equation.inputs if isinstance(atom, Var)}
    return sum(
        var.type.nbytes
        for var in made
        if var not in lasting and not any(reader in late for reader in readers[var])
    )


def folded(
    program: Program, plan: Plan, expressions: Collection[str], late: Collection[Equation]
) -> dict[Var, Equation]:
    """Values that are written into the one expression that reads them, and that reader.

    These are values without a name of the user's and without a buffer, computed on the same line as
    what reads them and directly before it.
    """
    readers = _readers(program)
    kept = {*program.outputs, *plan.slot_of, *plan.in_place_of, *plan.in_place_of.values()}
    found: dict[Var, Equation] = {}
    waiting: list[tuple[Equation, Var]] = []  # nothing but expressions stands after these
    for equation in program.equations:
        plain = equation.primitive.name in expressions
        while plain and waiting and waiting[-1][1] in equation.inputs:
            made, var = waiting.pop()
            if not _one_line(made, equation, late):
                waiting = []
            else:
                found[var] = equation
        (out, *more) = equation.outputs
        if (
            plain
            and not more
            and out.name is None
            and out not in kept
            and len(readers.get(out, ())) == 1
        ):
            waiting.append((equation, out))
        else:
            waiting = []
    return found


def _one_line(made: Equation, reader: Equation, late: Collection[Equation]) -> bool:
    if made.primitive.name in CONTROL_FLOW or (made in late) != (reader in late):
        return False
    return _place(made.source) == _place(reader.source)


def _place(source: SourceLocation | None) -> tuple[str, int] | None:
    return source and (source.filename, source.line)


def put_together(text: str, parts: Mapping[str, str]) -> str:
    """An expression with others in the place of some of its names, in parentheses where needed."""
    names = {name: ast.parse(part, mode="eval").body for name, part in parts.items()}

    class Put(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:
            return names.get(node.id, node)

    return ast.unparse(Put().visit(ast.parse(text, mode="eval")))


def fits(text: str) -> bool:
    return len(text) <= _WIDEST


class Headings:
    """The comments between equations: where the backward pass begins, and of which line it is."""

    def __init__(self, late: Collection[Equation]) -> None:
        self._late = late
        self._last: tuple[bool, str] = (False, "")

    def before(self, equation: Equation) -> Iterator[str]:
        source, (was_backward, was) = equation.source, self._last
        backward = equation in self._late or (was_backward and source is None)
        heading = was if source is None else described(source)
        if backward and (not was_backward or heading != was):
            yield from ([] if was_backward else [""])
            yield f"# backward of {heading}"
        elif was_backward and not backward:
            yield from ("", f"# {heading}")
        self._last = backward, heading


def described(source: SourceLocation) -> str:
    """``line 7 of net.py (dense): z = x @ W``, with the scope where there is one."""
    name = os.path.basename(source.filename)
    scope = f" ({source.scope})" if source.scope else ""
    return f"line {source.line} of {name}{scope}" + _quoted(source)


def _quoted(source: SourceLocation) -> str:
    """The line itself, behind a colon."""
    text = linecache.getline(source.filename, source.line).strip()
    if len(text) > _QUOTED:
        text = f"{text[: _QUOTED - 3].rstrip()}..."
    return text and f": {text}"


def named_after(equation: Equation, names: Names, unnamed: Container[Var]) -> str | None:
    """``exp_z`` for ``np.exp(z)``: a name for a value that the user gave none."""
    read = [atom for atom in equation.inputs if isinstance(atom, Var)]
    if len(read) != 1 or read[0] in unnamed or equation.primitive.name in _PLAIN:
        return None
    name = f"{equation.primitive.name.removeprefix('reduce_')}_{names.of(read[0])}"
    return name if len(name) <= _LONGEST_NAME else None
