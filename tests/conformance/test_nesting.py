"""Each row inside of nested functions: operands of an outer trace, orders of jit and grad."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from agreement import assert_equal_results, attempt, runs, tolerance, without_warnings
from tables import ROWS, Row

import bital

COMPILED = [row for row in ROWS if row.jit and runs(row)]


@pytest.mark.compiles
@pytest.mark.parametrize("row", COMPILED, ids=lambda row: row.name)
def test_nesting(row: Row, executor: str) -> None:
    """The row inside of an inner derivative, its operands of an outer trace; and jitted."""
    arguments = row.arguments(row.main_dtype)
    want = attempt(row.function, arguments)
    compiled = bital.jit(row.function)

    def outer(*xs: Any) -> Any:
        inner = bital.value_and_grad(lambda s: (s * 3.0, row.function(*xs)), has_aux=True)
        (value, results), slope = inner(2.0)
        return value, slope, results

    rtol = tolerance(want, *arguments, rtol=row.rtol)
    with without_warnings():
        for traced in (outer, bital.jit(lambda *xs: (*outer(*xs), compiled(*xs)))):
            value, slope, *results = traced(*arguments)
            assert (value, slope) == (6.0, 3.0)
            for each in results:
                assert_equal_results(each, want, rtol, row.name, row.function, arguments)


def test_inner_writes_to_a_copy_of_an_outer_array() -> None:
    def outer(x: Any) -> Any:
        def inner(s: Any) -> Any:
            y = x.copy()
            y[0] = s
            return np.sum(y * y)

        return bital.grad(inner)(x[1])

    assert bital.jit(outer)(np.array([1.0, 5.0])) == 10.0
    np.testing.assert_array_equal(bital.grad(outer)(np.array([1.0, 5.0])), [0.0, 2.0])
