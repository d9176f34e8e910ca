"""Derivatives of each row against differences in float64, and eager against compiled ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from agreement import assert_equal_results, attempt, without_warnings
from tables import ROWS, Row

import bital
from bital import tree
from bital.errors import TracerBoolError, UnsupportedFunctionError

FLOATING = [row for row in ROWS if row.main_dtype in ("float64", "complex128")]
DIFFERENTIABLE = [row for row in FLOATING if row.differentiable]


def _of_floats(row: Row, arguments: list[Any]) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """The row as a function of its floating operands, giving its floating results."""
    floating = [i for i, a in enumerate(arguments) if np.asarray(a).dtype.kind in "fc"]

    def function(*values: Any) -> Any:
        full = list(arguments)
        for index, value in zip(floating, values, strict=True):
            full[index] = value
        return row.function(*full)

    return function, tuple(arguments[index] for index in floating)


def _floating_results(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *values: _inexact(function(*values))


def _inexact(results: Any) -> list[Any]:
    return [y for y in tree.leaves(results) if y.dtype.kind in "fc"]


@pytest.mark.parametrize("row", DIFFERENTIABLE, ids=lambda row: row.name)
def test_derivatives(row: Row) -> None:
    """Both modes to order 2."""
    function, values = _of_floats(row, row.arguments(row.main_dtype))
    with without_warnings(), bital.config.executor("numpy"):
        bital.check_grads(_floating_results(function), values, order=2, atol=1e-5, rtol=1e-5)


@pytest.mark.compiles
@pytest.mark.parametrize("row", FLOATING, ids=lambda row: row.name)
def test_eager_and_compiled_derivatives_agree(row: Row, executor: str) -> None:
    """Under ``grad`` alone tracers know values; under ``jit`` they do not: the same comes out."""
    function, values = _of_floats(row, row.arguments(row.main_dtype))
    want = attempt(function, values)

    def loss(*xs: Any) -> Any:
        results = function(*xs)
        floating = _inexact(results) if row.differentiable else []
        total = sum((np.sum(np.real(y * np.conj(y))) for y in floating), start=0.0)
        total = total + 0.0 * np.sum(np.real(xs[0]))
        return total, results

    eager = bital.value_and_grad(loss, argnums=tuple(range(len(values))), has_aux=True)
    if not values or isinstance(want, Exception):
        assert isinstance(attempt(eager, values), Exception) or not values
        return
    with without_warnings():
        (value, results), gradients = eager(*values)
        assert_equal_results(results, want, 1e-14 * row.rtol, row.name)
        if not row.jit:
            with pytest.raises((UnsupportedFunctionError, TracerBoolError)):
                bital.jit(eager)(*values)
            return
        (jit_value, jit_results), jit_gradients = bital.jit(eager)(*values)
    assert_equal_results(jit_results, results, 1e-14, f"{row.name} compiled")
    assert_equal_results([jit_value, jit_gradients], [value, gradients], 1e-12, row.name)
