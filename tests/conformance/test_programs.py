"""Each row's Program, and what transforms and passes make of it: well formed, equal in value."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any
from unittest import mock

import numpy as np
import pytest
from agreement import assert_equal_results, attempt, copies, runs, tolerance, without_warnings
from tables import ROWS, Row

import bital
from bital.executors import Executor, get_executor
from bital.passes import memory, optimize
from bital.primitives import REGISTRY, evaluate
from bital.program import ArrayType, Program, check, parse
from bital.transforms import batch, jvp, split, vjp

COMPILED = [row for row in ROWS if row.jit and runs(row)]
REVERSIBLE = [row for row in COMPILED if row.reverse]
SIZE = 2


def _trace(row: Row) -> Program:
    with without_warnings():
        return bital.trace(row.function, *row.arguments(row.main_dtype))


def _floating(program: Program) -> list[bool]:
    return [type.is_inexact for type in program.input_types]


def _transformed(program: Program, reversible: bool) -> Iterator[tuple[str, Program]]:
    """The Program and its transforms."""
    floating = _floating(program)
    yield "program", program
    yield "batch", batch(program, SIZE)
    if reversible:
        yield "vjp", vjp(program, floating)
    if _has_forward_mode(program):
        yield "jvp", jvp(program, floating)


def _nested(program: Program, reversible: bool) -> Iterator[tuple[str, Program]]:
    """Transforms of transforms, in the orders in which users nest them."""
    floating = _floating(program)
    if reversible:
        reverse = vjp(program, floating)
        yield "batch of vjp", batch(reverse, SIZE)
        yield "vjp of batch", vjp(batch(program, SIZE), floating)
        yield "jvp of vjp", jvp(reverse, _floating(reverse))
    if _has_forward_mode(program):
        forward = jvp(program, floating)
        yield "batch of jvp", batch(forward, SIZE)
        if reversible:
            yield "vjp of jvp", vjp(forward, _floating(forward))


def _has_forward_mode(program: Program) -> bool:
    return all(e.primitive.name != "custom_vjp_call" for e in program.equations)


def _values(row: Row, types: tuple[ArrayType, ...]) -> tuple[Any, ...]:
    """The row's operands, stacked where a batch axis stands in front, then any tangents."""
    rng = np.random.default_rng(0)
    arguments = row.arguments(row.main_dtype)
    values = []
    for index, type in enumerate(types):
        value = arguments[index] if index < len(arguments) else _tangent(rng, type)
        if np.shape(value) != type.shape:
            value = np.stack([value] * SIZE)
        values.append(np.asarray(value, type.dtype) if type.shape else type.dtype.type(value))
    return tuple(values)


def _tangent(rng: np.random.Generator, type: ArrayType) -> Any:
    tangent = rng.standard_normal(type.shape)
    return tangent + 1j * rng.standard_normal(type.shape) if type.dtype.kind == "c" else tangent


@pytest.mark.parametrize("row", COMPILED, ids=lambda row: row.name)
def test_programs(row: Row) -> None:
    """Well formed through every pass; the text parses back."""
    for name, program in _transformed(_trace(row), row.reverse):
        _check_program(program, name)


@pytest.mark.slow
@pytest.mark.parametrize("row", COMPILED, ids=lambda row: row.name)
def test_nested_transforms(row: Row) -> None:
    for name, program in _nested(_trace(row), row.reverse):
        _check_program(program, name)


def _check_program(program: Program, name: str) -> None:
    check(program)
    optimized = optimize(program, checked=True)
    assert optimized.input_types == program.input_types, name
    assert optimized.output_types == program.output_types, name
    _check_text(program)
    _check_text(optimized)


@pytest.mark.compiles
@pytest.mark.parametrize("row", COMPILED, ids=lambda row: row.name)
def test_values_of_programs(row: Row, executor: str) -> None:
    """The executor gives what the primitives mean."""
    for name, program in _transformed(_trace(row), row.reverse):
        _check_values(row, program, executor, f"{name} of {row.name}")


@pytest.mark.slow
@pytest.mark.parametrize("row", COMPILED, ids=lambda row: row.name)
def test_values_of_nested_transforms(row: Row, executor: str) -> None:
    for name, program in _nested(_trace(row), row.reverse):
        _check_values(row, program, executor, f"{name} of {row.name}")


def _check_text(program: Program) -> None:
    text = str(program)
    parsed = parse(text, REGISTRY)
    assert str(parsed) == text
    if not program.constants:  # these count by identity
        assert parsed.structure() == program.structure()


def _check_values(row: Row, program: Program, executor: str, where: str) -> None:
    values = _values(row, program.input_types)
    with without_warnings():
        want = [np.asarray(result) for result in evaluate(program, values)]
    # The numpy executor plans buffers for large arrays, here for all: each primitive meets some.
    with mock.patch.object(memory, "_SMALLEST", 9):
        _check_calls(get_executor(executor), program, values, want, f"{where}, with buffers")


def _check_calls(
    executor: Executor, program: Program, values: tuple[Any, ...], want: list[Any], where: str
) -> None:
    """Two calls give the same, since buffers are kept; donated arguments may be written over."""
    rtol = max(1e-12, tolerance(want))
    run = executor.compile(program)
    donating = executor.compile(program, range(len(values)))
    before = copies(values)
    with without_warnings():
        for _ in range(2):
            assert_equal_results(run(list(values)), want, rtol, where, program, values)
            given = donating(copies(values))
            also = f"{where}, arguments donated"
            assert_equal_results(given, want, rtol, also, program, values)
    for value, kept in zip(values, before, strict=True):
        np.testing.assert_array_equal(value, kept)


@pytest.mark.parametrize("row", REVERSIBLE, ids=lambda row: row.name)
def test_both_halves_of_a_derivative(row: Row) -> None:
    """``split`` cuts a vjp into halves that together are the whole."""
    program = _trace(row)
    both = vjp(program, _floating(program))
    forward, backward = split(both, len(program.inputs), len(program.outputs))
    values = _values(row, both.input_types)
    count = len(program.inputs)
    with without_warnings():
        want = evaluate(both, values)
        results = evaluate(check(forward), values[:count])
        outputs, residuals = results[: len(program.outputs)], results[len(program.outputs) :]
        gradients = evaluate(check(backward), (*residuals, *values[count:]))
    assert_equal_results([*outputs, *gradients], want, 1e-14, row.name)


@pytest.mark.parametrize("row", REVERSIBLE, ids=lambda row: row.name)
def test_derivatives_keep_their_types(row: Row) -> None:
    """A gradient has its argument's dtype, a tangent its output's, for mixed precisions too."""
    pairs = (("float32", "float64"), ("float64", "float16"), ("float32", "int8"))
    for dtypes in pairs[zlib.crc32(row.name.encode()) % 3 :][:1]:
        if row.is_complex:
            dtypes = tuple(_COMPLEX_OF.get(name, name) for name in dtypes)
        arguments = [row.arguments(dtypes[i % 2])[i] for i in range(len(row.operands))]
        if isinstance(attempt(row.function, arguments), Exception):
            continue
        with without_warnings():
            program = bital.trace(row.function, *arguments)
        floating = _floating(program)
        reverse = check(vjp(program, floating))
        wanted = [t for t, chosen in zip(program.input_types, floating, strict=True) if chosen]
        count = len(program.outputs)
        assert list(reverse.output_types) == [*program.output_types, *wanted]
        assert optimize(reverse, checked=True).output_types == reverse.output_types
        if all(e.primitive.name != "custom_vjp_call" for e in program.equations):
            forward = check(jvp(program, floating))
            assert forward.output_types[count:] == program.output_types
        values = [np.asarray(v) for v in _values_of(reverse, arguments)]
        with without_warnings():
            results = evaluate(reverse, tuple(values))
        for result, type in zip(results, reverse.output_types, strict=True):
            assert ArrayType(np.shape(result), np.asarray(result).dtype) == type


_COMPLEX_OF = {"float32": "complex64", "float64": "complex128"}


def _values_of(program: Program, arguments: list[Any]) -> Iterator[Any]:
    yield from arguments
    for type in program.input_types[len(arguments) :]:
        yield np.ones(type.shape, type.dtype)
