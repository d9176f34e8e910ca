"""Memory: told before anything runs, refused where there is none, and given back."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bital
from bital.errors import MemoryLimitError

pytest.importorskip("llvmlite")
from bital.executors import memory
from bital.executors.memory import readable

# --- told beforehand ------------------------------------------------------------------------


def test_bytes_of_each_kind() -> None:
    def function(x: Any, n: Any) -> Any:
        return np.exp(x) * 2, np.sum(n)

    told = bital.trace(function, np.ones((10, 20)), np.ones(7, np.int32)).memory()
    assert told.arguments == 10 * 20 * 8 + 7 * 4
    assert told.results == 10 * 20 * 8 + 8
    assert told.constants == 0
    assert told.arena == 0
    assert told.total == told.arguments + told.results


def test_constants_are_counted() -> None:
    table = np.cos(np.arange(1000.0))
    told = bital.trace(lambda x: x * table, np.ones(1000)).memory()
    assert told.constants == 8000


def test_what_two_products_hand_on_is_counted_once() -> None:
    square = np.ones((64, 64))
    size = square.nbytes
    scratch = bital.trace(lambda x: np.sin(x @ x), square).memory().arena  # of a product itself
    three = bital.trace(lambda x: np.sin(np.sin(x @ x) @ x) @ x, square).memory().arena
    many = bital.trace(
        lambda x: np.sin(np.sin(np.sin(np.sin(np.sin(x @ x) @ x) @ x) @ x) @ x) @ x, square
    ).memory()
    assert three == scratch + 2 * size
    assert many.arena == three  # two buffers in turn, however long the chain


def test_donated_arguments_hold_results() -> None:
    program = bital.trace(lambda w, x: w - x, np.ones((30, 30)), np.ones((30, 30)))
    assert memory.measure(program).results == 7200
    assert memory.measure(program, (0,)).results == 0


def test_a_loop_takes_the_memory_of_one_turn() -> None:
    def function(x: Any, n: Any) -> Any:
        return bital.scan(lambda c, _: (np.tanh(c @ x), None), x, length=n)[0]

    x = np.ones((32, 32))
    short, long = (bital.trace(lambda x, n=n: function(x, n), x).memory() for n in (2, 2000))
    assert short.arena == long.arena


def test_text_for_people() -> None:
    text = str(bital.trace(lambda x: x + 1, np.ones(1024)).memory())
    assert text == "arguments 8.0 KiB, constants 0 B, arena 0 B, results 8.0 KiB, total 16.0 KiB"
    sizes = (0, 1023, 1024, 3 << 19, 5 << 30, 1 << 60)
    assert [readable(size) for size in sizes] == [
        *("0 B", "1023 B", "1.0 KiB", "1.5 MiB", "5.0 GiB", "1048576.0 TiB"),
    ]


# --- refused --------------------------------------------------------------------------------


def test_what_cannot_fit_is_refused_with_numbers_before_it_runs() -> None:
    def distances(x: Any) -> Any:
        return np.exp(x[:, None] - x)

    jitted = bital.jit(distances, executor="native")
    with pytest.raises(MemoryLimitError, match=r"distances needs 727.6 TiB.*results 727.6 TiB"):
        jitted(np.zeros(10**7))
    assert issubclass(MemoryLimitError, MemoryError)
    assert jitted(np.zeros(10)).shape == (10, 10)


def test_arena_and_constants_count_against_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available", lambda: 100_000)
    x = np.ones((100, 100))
    wide = bital.jit(lambda x: np.sum(np.exp(x) @ x.T @ x), executor="native")
    with pytest.raises(MemoryLimitError, match=r"this process may have 97.7 KiB: arguments 78.1"):
        wide(x)
    monkeypatch.setattr(memory, "available", lambda: None)
    np.testing.assert_allclose(wide(x), np.sum(np.exp(x) @ x.T @ x))


def test_the_limit_is_one_of_the_machines() -> None:
    limit = memory.available()
    if limit is not None:
        assert 2**20 < limit < 2**63


# --- given back -----------------------------------------------------------------------------

linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc/self/statm is Linux's")
MIB = 2**20


def resident() -> int:
    """Bytes of this process in memory, without those that malloc keeps for later."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's
    if trim is not None:
        trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def growth(work: Callable[[int], Any], warm: int, times: int) -> float:
    """MiB by which `times` turns of `work` let this process grow, after `warm` turns.

    Garbage is collected on the way: in a process with many objects, such as one that runs many
    tests, Python seldom looks at the old ones, and their memory is not all given back.
    """
    every = (warm + times) // 20

    def run(turns: range) -> int:
        for n in turns:
            work(n)
            if n % every == 0:
                gc.collect()
        return resident()

    before = run(range(warm))
    return (run(range(warm, warm + times)) - before) / MIB


@linux
@pytest.mark.slow
def test_a_thousand_compilations_leave_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BITAL_CACHE", "0")

    def work(n: int) -> None:
        x = np.ones((20 + n % 3, 20 + n % 3))
        made = bital.jit(lambda x: np.tanh(x @ x) * (n + 1.5) + np.sum(x) / (n + 3))
        with bital.config.executor("native"):
            made(x)

    assert growth(work, 200, 1000) < 4


@linux
@pytest.mark.slow
def test_code_from_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BITAL_CACHE", str(tmp_path))
    x = np.ones((40, 40))

    def work(_: int) -> None:
        bital.jit(lambda x: np.tanh(x @ x), executor="native")(x)

    assert growth(work, 100, 1000) < 4


@linux
@pytest.mark.slow
def test_derivatives_of_new_functions_leave_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BITAL_CACHE", "0")
    x = np.ones((9, 9))

    def work(n: int) -> None:
        with bital.config.executor("native"):
            bital.grad(lambda x: np.sum(np.tanh(x @ x) * (n + 0.5)))(x)

    assert growth(work, 200, 600) < 4


@linux
@pytest.mark.slow
def test_a_million_calls_leave_nothing() -> None:
    jitted = bital.jit(lambda x, y: (np.tanh(x) + y, np.sum(x)), executor="native")
    x = np.ones(3)
    assert growth(lambda n: jitted(x, float(n)), 1000, 1_000_000) < 2


@linux
@pytest.mark.slow
def test_calls_that_fail_or_copy_leave_nothing() -> None:
    pick = bital.jit(lambda x, i: x[i], executor="native")
    x = np.ones((50, 50)).T

    def work(n: int) -> None:
        with contextlib.suppress(IndexError):
            pick(x, np.array([n % 2 * 100]))

    assert growth(work, 500, 50_000) < 2


@linux
@pytest.mark.slow
def test_predictions_of_one_row_leave_nothing() -> None:
    from bital.keras import Sequential
    from bital.keras.layers import Dense

    with bital.config.executor("native"):
        model = Sequential([Dense(10, activation="relu"), Dense(3, activation="softmax")])
        model.compile(optimizer="sgd", loss="categorical_crossentropy")
        x = np.ones((1, 4), np.float32)
        assert growth(lambda _: model.predict(x, verbose=0), 1000, 100_000) < 2
