"""Rows on the xla executor, many in one program: XLA compiles for longer than it computes.

`pytest --executor xla tests/conformance` runs all that the other executors run, each row in
programs of its own: hours. Here are the same calls, Programs and transforms.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest
from agreement import assert_equal_results, attempt, copies, tolerance, without_warnings
from tables import ROWS, Row
from test_against_numpy import _corner_values
from test_programs import _nested, _trace, _transformed, _values

import bital
from bital import tree
from bital.passes import optimize, stabilize
from bital.primitives import evaluate
from bital.program import Program

jax = pytest.importorskip("jax", reason="the xla executor needs JAX")

PARTS = 16
# Of transforms, and of transforms of those, a share is drawn evenly, but where this is set.
ALL = "BITAL_XLA_CONFORMANCE" in os.environ
AT_ONCE = 40
DTYPES = ("float16", "float32", "int8", "bool", "complex64")
COMPILED = [row for row in ROWS if row.jit]
Gaps = Callable[[str], dict[str, str]]


class Case(NamedTuple):
    """A Program and what it is to give."""

    row: Row
    where: str
    program: Program
    values: list[Any]
    want: list[Any]
    rtol: float


def _calls(row: Row) -> Iterator[Case]:
    """The row in several dtypes, with empty and 0-d operands, with corner values of each kind."""
    calls = [row.arguments(dtype) for dtype in row.dtypes if dtype in (row.main_dtype, *DTYPES)]
    calls += [row.arguments(row.main_dtype, shapes) for shapes in row.shapes[:2]]
    corners = [case.args[2] for case in _corner_values(row, row.function)]  # type: ignore[attr-defined]
    kinds = {str([np.asarray(each).dtype for each in call]): call for call in reversed(corners)}
    for arguments in (*calls, *kinds.values()):
        want = attempt(row.function, copies(arguments))
        if isinstance(want, Exception):
            continue
        with without_warnings():
            program = stabilize(bital.trace(row.function, *arguments))
        values = [
            np.asarray(leaf, var.type.dtype)
            for leaf, var in zip(tree.leaves(arguments), program.inputs, strict=True)
        ]
        rtol = tolerance(want, *arguments, rtol=row.rtol)
        leaves = [np.asarray(leaf) for leaf in tree.leaves(want)]
        where = f"{row.name} of {[(a.dtype.name, a.shape) for a in values]}"
        yield Case(row, where, program, values, leaves, rtol)


def _of_programs(made: Callable[..., Iterator[tuple[str, Program]]], row: Row) -> Iterator[Case]:
    """What is made of the row's Program gives what its primitives mean."""
    if isinstance(attempt(row.function, row.arguments(row.main_dtype)), Exception):
        return
    for name, program in made(_trace(row), row.reverse):
        values = [*map(np.asarray, _values(row, program.input_types))]
        with without_warnings():
            want = [np.asarray(result) for result in evaluate(program, tuple(values))]
        rtol = max(1e-12, tolerance(want))
        yield Case(row, f"{name} of {row.name}", program, values, want, rtol)


def _differences(cases: list[Case]) -> Iterator[tuple[Case, str]]:
    """The cases that fail, and how; what cannot be compiled is looked for by halves."""
    try:
        found = _computed(cases)
    except Exception as fault:
        if len(cases) == 1:
            yield cases[0], f"{cases[0].where}: {type(fault).__name__}: {fault}"
            return
        middle = len(cases) // 2
        yield from _differences(cases[:middle])
        yield from _differences(cases[middle:])
        return
    for case, (results, failed) in zip(cases, found, strict=True):
        try:
            assert not failed, f"{case.where}: a fault"
            with bital.config.executor("xla"):
                assert_equal_results(
                    results, case.want, case.rtol, case.where, case.program, case.values
                )
        except AssertionError as difference:
            yield case, str(difference)


def _computed(cases: list[Case]) -> list[tuple[list[Any], bool]]:
    """All cases compiled as one function: the results of each, and whether it found a fault."""
    from bital.executors.xla.executor import OPTIONS
    from bital.executors.xla.lowering import Lowering

    lowered = [Lowering(optimize(case.program)) for case in cases]

    def all_of_them(values: list[Any]) -> list[Any]:
        return [each(*own) for each, own in zip(lowered, values, strict=True)]

    with jax.enable_x64(True), without_warnings():
        found = jax.jit(all_of_them, compiler_options=OPTIONS)([case.values for case in cases])
        return [
            ([*map(np.asarray, outputs)], fault is not None and bool(np.asarray(fault)[0]))
            for outputs, fault in found
        ]


def _run(test: str, gaps: dict[str, str], cases: list[Case]) -> None:
    """All cases agree but those of rows that known_gaps/xla.txt has for this test."""
    failures = defaultdict(list)
    for start in range(0, len(cases), AT_ONCE):
        for case, how in _differences(cases[start : start + AT_ONCE]):
            failures[case.row.name].append(how)
    expected = {row for row in {case.row.name for case in cases} if f"{test}[{row}]" in gaps}
    wrong = [how for row, found in failures.items() if row not in expected for how in found]
    assert not wrong, f"{len(wrong)} cases:\n" + "\n".join(wrong)
    closed = expected - failures.keys()
    assert not closed, f"no longer a gap: take {sorted(closed)} out of known_gaps/xla.txt"


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_rows(part: int, known_gaps: Gaps) -> None:
    cases = [case for row in COMPILED[part::PARTS] for case in _calls(row)]
    _run("test_rows", known_gaps("xla"), cases)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_transforms(part: int, known_gaps: Gaps) -> None:
    rows = COMPILED[part::PARTS][:: 1 if ALL else 4]
    cases = [case for row in rows for case in _of_programs(_transformed, row)]
    _run("test_transforms", known_gaps("xla"), cases)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_transforms_of_transforms(part: int, known_gaps: Gaps) -> None:
    rows = COMPILED[part::PARTS][:: 1 if ALL else 8]
    cases = [case for row in rows for case in _of_programs(_nested, row)]
    _run("test_transforms_of_transforms", known_gaps("xla"), cases)
