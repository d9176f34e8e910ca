"""What machine code leaves to NumPy: it is called in the middle, on the memory that is there."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest

import bital
from bital.executors import get_executor
from bital.executors.loops.lowering import RULES
from bital.primitives import REGISTRY

X = np.random.default_rng(0).normal(size=(5, 7))


@pytest.fixture(autouse=True)
def _sums_by_numpy(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Without its rule, a sum is what the form has no loops for."""
    get_executor("native")
    monkeypatch.delitem(RULES, "reduce_sum")
    with bital.config.executor("native"):
        yield


def test_between_loops() -> None:
    def f(x):
        h = np.tanh(x)
        s = np.sum(h.T[1:5:2], axis=1)
        return np.exp(s), s.max(), np.sum(h), np.sum(x[:0], axis=0)

    assert "call void %host" in bital.trace(f, X).to_llvm()
    for got, want in zip(bital.jit(f)(X), f(X), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-14)


def test_inside_of_a_loop_that_moves_through_its_rows() -> None:
    def f(x):
        def step(carry, row):
            carry = np.tanh(carry + np.sum(row))
            return carry, carry

        return bital.scan(step, 0.0, x)

    want, carry = [], 0.0
    for row in X:
        carry = np.tanh(carry + row.sum())
        want.append(carry)
    got = bital.jit(f)(X)
    np.testing.assert_allclose(got[0], carry, rtol=1e-14)
    np.testing.assert_allclose(got[1], want, rtol=1e-14)


def test_what_numpy_raises_is_raised_and_the_next_call_is_sound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = []

    def sometimes(x, axes, keepdims):
        calls.append(x)
        if len(calls) == 1:
            raise np.linalg.LinAlgError("Singular matrix")
        return np.sum(x, axis=axes, keepdims=keepdims)

    monkeypatch.setattr(REGISTRY["reduce_sum"], "reference", sometimes)
    f = bital.jit(lambda x: np.sum(x * 2.0, axis=0) + 1.0)
    with pytest.raises(np.linalg.LinAlgError, match="Singular matrix"):
        f(X)
    np.testing.assert_allclose(f(X), (X * 2.0).sum(axis=0) + 1.0, rtol=1e-14)


def test_calls_from_several_threads_keep_apart() -> None:
    f = bital.jit(lambda x: np.sum(np.exp(x), axis=0))
    f(X)
    wrong = []

    def work(factor):
        x = X * factor
        want = np.exp(x).sum(axis=0)
        wrong.extend(1 for _ in range(200) if not np.allclose(f(x), want, rtol=1e-13))

    threads = [threading.Thread(target=work, args=(1 + i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize(
    ("f", "operands"),
    [
        (np.power, [np.array([2, -3, 7]), np.array([3, 2, 0])]),
        (np.nextafter, [np.float16([1, 2, -3]), np.float16([5, 0, 5])]),
        (np.spacing, [np.float16([1, 2, -3])]),
    ],
)
def test_functions_of_rare_dtypes(caplog: pytest.LogCaptureFixture, f, operands) -> None:
    got = bital.jit(lambda *xs: f(*xs) * xs[0])(*operands)
    np.testing.assert_array_equal(got, f(*operands) * operands[0])
    assert not caplog.records
