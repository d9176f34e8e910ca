"""The tables are complete: every supported name, every primitive, every line of known gaps."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from agreement import attempt, without_warnings
from tables import ROWS, Row

import bital
from bital.executors.numpy.blocks import CONTROL_FLOW
from bital.executors.numpy.expressions import EXPRESSIONS, STATEMENTS
from bital.numpy_language import supported
from bital.passes import optimize
from bital.primitives import REGISTRY
from bital.program import Program, subprograms
from bital.transforms import jvp, vjp

HERE = Path(__file__).parent


def test_each_supported_name_has_a_row() -> None:
    covered = {name for row in ROWS for name in row.covers}
    assert set(supported()) - covered == set()
    assert covered - set(supported()) == set()


def test_row_names_are_unique() -> None:
    assert [name for name, count in Counter(row.name for row in ROWS).items() if count > 1] == []


def _primitives(program: Program) -> set[str]:
    names = set()
    for equation in program.equations:
        names.add(equation.primitive.name)
        for inner in subprograms(equation):
            names |= _primitives(inner)
    return names


def _reached(row: Row, dtype: str) -> set[str]:
    arguments = row.arguments(dtype)
    if isinstance(attempt(row.function, arguments), Exception):
        return set()
    with without_warnings():
        program = bital.trace(row.function, *arguments)
    wrt = [type.is_inexact for type in program.input_types]
    names = _primitives(program)
    if row.reverse:
        names |= _primitives(vjp(program, wrt))
    return names if "custom_vjp_call" in names else names | _primitives(jvp(program, wrt))


def test_each_primitive_is_reached_by_a_row() -> None:
    reached: set[str] = set()
    for row in ROWS:
        for dtype in {row.main_dtype, "int64"} & set(row.dtypes) if row.jit else ():
            reached |= _reached(row, dtype)
    # A custom rule's linear map lives between the two halves of a vjp, and in no finished Program.
    # A barrier is made by a pass, where a checkpoint is computed again.
    assert set(REGISTRY) - reached == {"custom_linear", "barrier"}
    row = next(row for row in ROWS if row.name == "checkpoint")
    program = bital.trace(row.function, *row.arguments("float64"))
    assert "barrier" in _primitives(optimize(vjp(program, [True]), checked=True))


def test_the_numpy_executor_knows_each_primitive() -> None:
    """Passes replace what has no line of NumPy: a custom rule is inlined before anything runs."""
    replaced = {
        "stop_gradient",
        "custom_vjp_call",
        "custom_jvp_call",
        "checkpoint",
        "custom_linear",
    }
    known = [*EXPRESSIONS, *STATEMENTS, *CONTROL_FLOW, *replaced]
    assert sorted(REGISTRY) == sorted(known)
    program = bital.trace(next(row for row in ROWS if row.name == "custom_vjp").function, 1.0)
    assert _primitives(program) == {"custom_vjp_call", "tanh"} | _rules(program)
    assert not _primitives(optimize(program, checked=True)) & replaced


def _rules(program: Program) -> set[str]:
    return {n for e in program.equations for inner in subprograms(e) for n in _primitives(inner)}


@pytest.mark.parametrize("path", sorted(HERE.glob("known_gaps/*.txt")), ids=lambda path: path.stem)
def test_known_gaps_name_tests_and_rows(path: Path) -> None:
    """A line that matches nothing would never be found to be stale."""
    names = {row.name for row in ROWS}
    tests = {
        t
        for file in HERE.glob("test_*.py")
        for t in re.findall(r"def (test_\w+)", file.read_text())
    }
    for line in path.read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        match = re.fullmatch(r"(test_\w+)\[(.+)\]  # \S.*", line)
        assert match, f"{path.name}: not of the form `test[row]  # reason`: {line!r}"
        assert match.group(1) in tests, line
        assert match.group(2) in names, line
