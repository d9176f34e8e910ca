"""The debug mode that finds stores outside of buffers: on code that is wrong on purpose."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import bital
from bital.errors import MemoryCorruptionError
from bital.executors.loops.form import Loop, Module, Statement, Store, kernels_of

pytest.importorskip("llvmlite")
from bital.executors.native.executor import function_of, lower_native
from bital.passes import optimize


@pytest.fixture(autouse=True)
def zones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BITAL_RED_ZONES", "1")


def _statements(statements: list[Statement]) -> Iterator[Statement]:
    for statement in statements:
        yield statement
        if isinstance(statement, Loop):
            yield from _statements(statement.body)


def _stores(module: Module, place: str) -> list[Store]:
    return [
        statement
        for kernel in kernels_of(module.steps)
        for statement in _statements(kernel.body.statements)
        if isinstance(statement, Store) and statement.buffer.root.place == place
    ]


def _two_products(x: Any) -> Any:
    middle = np.exp(x) / 2
    square = middle @ middle.T
    return square @ square  # both are stored: other rows read them


X = np.linspace(-1, 1, 35).reshape(7, 5)


def _module() -> Module:
    return lower_native(optimize(bital.trace(_two_products, X)))


def test_right_code_passes_and_agrees() -> None:
    compiled = function_of(_module())
    for _ in range(3):
        np.testing.assert_allclose(compiled([X])[0], _two_products(X), rtol=1e-12)


def test_every_buffer_has_memory_of_its_own() -> None:
    module = _module()
    assert module.zones is not None
    buffers = {
        buffer
        for kernel in kernels_of(module.steps)
        for buffer in set.union(*kernel.buffers())
        if buffer.place == "arena"
    }
    assert len(buffers) > 1
    spans = sorted([(b.position, b.position + b.nbytes) for b in buffers])
    spans = sorted([*spans, *((begin, end) for begin, end, _ in module.zones)])
    assert spans[0][0] == 0
    assert spans[-1][1] == module.arena
    assert all(before[1] == after[0] for before, after in itertools.pairwise(spans))
    assert all(end - begin >= 64 for begin, end, _ in module.zones)


@pytest.mark.parametrize("shift", [-1, 1, 7])
def test_a_store_beside_a_buffer_of_the_arena_is_found(shift: int) -> None:
    module = _module()
    store = _stores(module, "arena")[0]
    store.index = store.index + shift
    compiled = function_of(module)
    with pytest.raises(MemoryCorruptionError, match=r"wrote outside of .* of the arena"):
        compiled([X])


@pytest.mark.parametrize("shift", [-1, 1])
def test_a_store_beside_a_result_is_found(shift: int) -> None:
    module = lower_native(optimize(bital.trace(lambda x: np.exp(x) * 2, X)))
    for store in _stores(module, "result"):
        store.index = store.index + shift
    with pytest.raises(MemoryCorruptionError, match=r"a result of shape \(7, 5\) and dtype float"):
        function_of(module)([X])


def test_memory_that_nobody_wrote_reads_as_nan() -> None:
    module = _module()
    buffer = _stores(module, "arena")[0].buffer.root
    for kernel in kernels_of(module.steps):
        kernel.body.statements[:] = _without(kernel.body.statements, buffer)
    assert np.isnan(function_of(module)([X])[0]).all()


def _without(statements: list[Statement], buffer: Any) -> list[Statement]:
    kept = [s for s in statements if not (isinstance(s, Store) and s.buffer.root is buffer)]
    for statement in kept:
        if isinstance(statement, Loop):
            statement.body[:] = _without(statement.body, buffer)
    return kept


def test_jitted_functions_with_scalars_donated_arguments_and_copies() -> None:
    def step(w: Any, x: Any, rate: Any) -> Any:
        return w - rate * np.tanh(x @ w), np.sum(w), np.zeros((0, 3)) + rate

    jitted = bital.jit(step, donate_argnums=0, executor="native")
    for _ in range(2):
        w = np.arange(15.0).reshape(5, 3)
        square = np.linspace(-1, 1, 25).reshape(5, 5).T  # is copied: not contiguous
        for got, want in zip(jitted(w.copy(), square, 0.5), step(w, square, 0.5), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-12)


def test_off_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BITAL_RED_ZONES")
    assert _module().zones is None
