"""Rows on the xla executor, many in one program: XLA compiles for longer than it computes.

`pytest --executor xla tests/conformance` runs all that the other executors run, in hours.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest
from agreement import assert_equal_results, attempt, copies, run_all, tolerance, without_warnings
from tables import ROWS, Row
from test_against_numpy import _corner_values
from test_programs import _floating, _trace, _values

import bital
from bital import tree
from bital.passes import optimize, stabilize
from bital.primitives import evaluate
from bital.program import Program
from bital.transforms import batch, vjp

jax = pytest.importorskip("jax", reason="the xla executor needs JAX")
# Its tolerances do not allow for every order of summation that XLA chooses: not a gate yet.
pytestmark = pytest.mark.skipif(
    "BITAL_XLA_CONFORMANCE" not in os.environ,
    reason="a quarter of an hour; some sums differ in the last bits: set BITAL_XLA_CONFORMANCE=1",
)

PARTS = 16
AT_ONCE = 25
DTYPES = ("float16", "float32", "int8", "bool", "complex64")
# Their reasons stand in known_gaps/xla.txt.
DIFFERENT = ("isreal of complex", "prod with two zeros")
COMPILED = [row for row in ROWS if row.jit and row.name not in DIFFERENT]


class Case(NamedTuple):
    """A Program and what it is to give."""

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
            program = bital.trace(row.function, *arguments)
        values = [
            np.asarray(leaf, var.type.dtype)
            for leaf, var in zip(tree.leaves(arguments), program.inputs, strict=True)
        ]
        rtol = tolerance(want, *arguments, rtol=row.rtol)
        leaves = [np.asarray(leaf) for leaf in tree.leaves(want)]
        where = f"{row.name} of {[(a.dtype.name, a.shape) for a in values]}"
        yield Case(where, program, values, leaves, rtol)


def _transforms(row: Row) -> Iterator[Case]:
    if isinstance(attempt(row.function, row.arguments(row.main_dtype)), Exception):
        return
    program = _trace(row)
    made = {"batch": batch(program, 2)}
    if row.reverse:
        made["vjp"] = vjp(program, _floating(program))
    for name, each in made.items():
        values = _values(row, each.input_types)
        with without_warnings():
            want = [np.asarray(result) for result in evaluate(each, values)]
        rtol = max(1e-12, tolerance(want))
        yield Case(f"{name} of {row.name}", each, [*map(np.asarray, values)], want, rtol)


def _check(cases: list[Case]) -> Iterator[Any]:
    """Compile all cases as one function, and give what compares the results of each."""
    from bital.executors.xla.executor import OPTIONS
    from bital.executors.xla.lowering import Lowering

    lowered = [Lowering(optimize(stabilize(case.program))) for case in cases]

    def all_of_them(values: list[Any]) -> list[Any]:
        return [each(*own) for each, own in zip(lowered, values, strict=True)]

    with jax.enable_x64(True), without_warnings():
        compiled = jax.jit(all_of_them, compiler_options=OPTIONS)
        found = compiled([case.values for case in cases])
        for case, (outputs, fault) in zip(cases, found, strict=True):
            results = [np.asarray(output) for output in outputs]
            failed = fault is not None and bool(np.asarray(fault)[0])
            yield lambda case=case, results=results, failed=failed: _compare(case, results, failed)


def _compare(case: Case, results: list[Any], failed: bool) -> None:
    assert not failed, f"{case.where}: a fault"
    assert_equal_results(results, case.want, case.rtol, case.where)


def _run(cases: list[Case]) -> None:
    chunks = [cases[start : start + AT_ONCE] for start in range(0, len(cases), AT_ONCE)]
    run_all(comparison for chunk in chunks for comparison in _check(chunk))


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_rows(part: int) -> None:
    _run([case for row in COMPILED[part::PARTS] for case in _calls(row)])


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_transforms(part: int) -> None:
    _run([case for row in COMPILED[part::PARTS] for case in _transforms(row)])
