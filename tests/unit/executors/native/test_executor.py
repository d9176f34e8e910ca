"""The native executor as a whole: what it refuses, whose memory it takes, and the same bits."""

from __future__ import annotations

import logging
import multiprocessing
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bital
from bital.errors import ArgumentError, IndexOutOfBoundsError

pytest.importorskip("llvmlite")
from bital.executors.loops.scalar import NotLowered
from bital.executors.native import executor as executor_module
from bital.executors.native import threads

posix = pytest.mark.skipif(sys.platform == "win32", reason="there are no workers on Windows")
TIMEOUT = 240  # seconds: for hangs, not for speed


def native(function: Callable[..., Any], **options: Any) -> Any:
    return bital.jit(function, executor="native", **options)


def agree(function: Callable[..., Any], *arguments: Any, **tolerance: Any) -> Any:
    got = native(function)(*arguments)
    for a, b in zip(bital.tree.leaves(got), bital.tree.leaves(function(*arguments)), strict=True):
        assert np.shape(a) == np.shape(b)
        assert np.asarray(a).dtype == np.asarray(b).dtype
        np.testing.assert_allclose(a, b, **(tolerance or {"rtol": 1e-12}))
    return got


# --- what it does not have ------------------------------------------------------------------


def test_what_it_lacks_runs_on_numpy_and_is_said_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(program: Any, donated: Any) -> Any:
        raise NotLowered("arrays of float128 (model.py:3)")

    monkeypatch.setattr(executor_module, "lower_native", refuse)
    jitted = native(lambda x: np.exp(x) * 2)
    x = np.linspace(0, 1, 5)
    with caplog.at_level(logging.DEBUG, logger="bital"):
        for _ in range(3):
            np.testing.assert_array_equal(jitted(x), np.exp(x) * 2)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == (
        "lambda runs on the numpy executor: the native one does not have "
        "arrays of float128 (model.py:3)"
    )


@pytest.mark.parametrize("dtype", ["longdouble", ">f8", "f4,f8"])
def test_dtypes_that_no_program_has_are_refused_before(dtype: str) -> None:
    with pytest.raises(ArgumentError, match=r"dtype|cannot be traced"):
        native(lambda x: x)(np.zeros(3, dtype))


def test_what_it_has_is_not_talked_about(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="bital"):
        native(lambda x: np.exp(x) @ x)(np.ones((3, 3)))
    assert not caplog.records


def test_compiling_writes_nothing(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BITAL_CACHE", "0")
    for n in range(3):  # the sum of one row is too little to be optimised beside the product
        native(lambda x, n=n: (np.sin(x @ x), np.sum(x[0]) * 2 + n))(np.ones((100, 100)))
    out, error = capfd.readouterr()
    assert not out
    assert not error


# --- indices --------------------------------------------------------------------------------


def test_an_index_out_of_range_is_named_with_its_place() -> None:
    pick = native(lambda x, i: x[i] * 2)
    x = np.arange(5.0)
    indices = np.array([[0, 4, -5], [1, 7, 9]])
    with pytest.raises(
        IndexOutOfBoundsError, match=r"index 7 is .*size 5.*position \(1, 1\) of the index array"
    ):
        pick(x, indices)
    indices[1] = -6
    with pytest.raises(IndexError, match=r"index -6 .*position \(1, 0\)"):
        pick(x, indices)
    indices[1] = -1
    np.testing.assert_array_equal(pick(x, indices), x[indices] * 2)


def test_negative_indices_count_from_the_end() -> None:
    x = np.arange(12.0).reshape(4, 3)
    agree(lambda x, i: x[i], x, np.array([-1, -4, 2]))
    agree(lambda x, i, j: x[i, j], x, np.array([-1, 0, 2]), np.array([-3, -1, 1]))
    agree(lambda x, i: x[..., i], x, np.int64(-2))


def test_out_of_range_inside_of_loops() -> None:
    def walk(x: Any, steps: Any) -> Any:
        def turn(state: Any) -> Any:
            n, total = state
            return n + 1, total + x[n]

        return bital.while_loop(lambda state: state[0] < steps, turn, (0, 0.0))

    walking = native(walk)
    x = np.arange(5.0)
    assert walking(x, 5) == (5, 10.0)
    with pytest.raises(IndexOutOfBoundsError, match=r"index 5 .*size 5"):
        walking(x, 6)
    assert walking(x, 4) == (4, 6.0)


def test_out_of_range_in_a_branch_not_taken_is_no_error() -> None:
    def function(x: Any, i: Any) -> Any:
        return bital.cond(i < 3, lambda x: x[i], lambda x: x[0], x)

    jitted = native(function)
    assert jitted(np.arange(3.0), 7) == 0
    assert jitted(np.arange(3.0), 2) == 2


def test_out_of_range_in_parallel_kernels() -> None:
    rng = np.random.default_rng(0)
    table, indices = rng.random((1000, 16)), rng.integers(0, 1000, 60_000)
    gather = native(lambda table, indices: np.exp(table[indices]) * 2)
    want = np.exp(table[indices]) * 2
    for _ in range(3):
        wrong = indices.copy()
        wrong[43_210] = 1000
        with pytest.raises(IndexOutOfBoundsError, match=r"index 1000 .*\(43210,\)"):
            gather(table, wrong)
        np.testing.assert_allclose(gather(table, indices), want, rtol=1e-14)


def test_out_of_range_where_written() -> None:
    def write(x: Any, i: Any) -> Any:
        x = x.copy()
        x[i] = 1.0
        return x

    writing = native(write)
    with pytest.raises(IndexOutOfBoundsError, match=r"index 3 .*size 3"):
        writing(np.zeros(3), np.array([0, 3]))
    np.testing.assert_array_equal(writing(np.zeros(3), np.array([0, -1])), [1, 0, 1])


# --- arguments ------------------------------------------------------------------------------


def _unaligned(x: Any) -> Any:
    raw = np.empty(x.nbytes + 1, np.uint8)[1:]
    made = raw.view(x.dtype).reshape(x.shape)
    made[...] = x
    assert made.flags.aligned == (x.itemsize == 1)
    return made


def _read_only(x: Any) -> Any:
    x = x.copy()
    x.flags.writeable = False
    return x


LAYOUTS: dict[str, Callable[[Any], Any]] = {
    "Fortran": np.asfortranarray,
    "backwards": lambda x: x[::-1].copy()[::-1],
    "gaps": lambda x: np.repeat(x, 2, axis=1)[:, ::2],
    "stretched": lambda x: np.broadcast_to(x[:1], x.shape),
    "unaligned": _unaligned,
    "read only": _read_only,
    "subclass": lambda x: x.view(type("Mine", (np.ndarray,), {})),
}


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
@pytest.mark.parametrize("dtype", ["float32", "float64", "int16", "bool"])
@pytest.mark.parametrize("donated", [(), (0,)])
def test_arguments_of_any_layout(layout: str, dtype: str, donated: tuple[int, ...]) -> None:
    x = (np.arange(35).reshape(5, 7) % 3).astype(dtype)
    laid_out = LAYOUTS[layout](x)
    plain = np.array(laid_out, copy=True, order="C", subok=False)

    def function(x: Any, y: Any) -> Any:
        return x + y, x[1:, ::2] * 2

    jitted = native(function, donate_argnums=donated)
    for _ in range(2):
        results = jitted(laid_out if not donated else LAYOUTS[layout](x), plain)
        for got, want in zip(results, function(plain, plain), strict=True):
            np.testing.assert_array_equal(got, want)
    if not donated:
        np.testing.assert_array_equal(laid_out, plain)


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), (2, 0, 4)])
def test_arguments_without_elements(shape: tuple[int, ...]) -> None:
    x = np.zeros(shape)
    agree(lambda x: (x + 1, np.sum(x), np.sum(x, axis=0), np.sin(x).reshape(-1)), x)
    agree(lambda x: x @ np.zeros((x.shape[-1], 2)), x)
    assert native(lambda x: np.prod(x))(x) == 1


def test_empty_index_arrays_and_loops() -> None:
    agree(lambda x, i: x[i], np.arange(3.0), np.zeros(0, np.int64))
    assert native(lambda x: bital.scan(lambda c, r: (c + r, c), 1.5, x))(np.zeros(0))[0] == 1.5


def test_scalars_of_every_kind() -> None:
    for x in (2, 2.5, np.float32(2.5), np.int8(-3), np.float64(1.5), np.array(2.5)):
        got = native(lambda x: x * 2 + 1)(x)
        assert got == x * 2 + 1
        assert type(got) is type(x * 2 + 1)


def test_results_never_lie_in_arguments_or_in_one_another() -> None:
    x = np.arange(12.0).reshape(3, 4)
    constant = np.arange(4.0)

    def function(x: Any) -> Any:
        return x, x, x.T, x[1:], x.reshape(-1), constant * 1, np.broadcast_to(x[0], (2, 4)), x + 0

    jitted = native(function)
    results = jitted(x)
    kept = [r.copy() for r in results]
    for number, result in enumerate(results):
        assert result.flags.writeable
        assert result.flags.c_contiguous
        for other in (x, constant, *results[:number]):
            assert not np.shares_memory(result, other)
    again = jitted(x * 2)
    for result, before in zip(results, kept, strict=True):
        np.testing.assert_array_equal(result, before)
        result[...] = -1
    for got, want in zip(jitted(x), kept, strict=True):
        np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(again[0], x * 2)


def test_donated_arguments_are_the_results() -> None:
    w = np.ones((40, 40))
    address = w.ctypes.data
    result = native(lambda w: w * 2, donate_argnums=0)(w)
    assert result.ctypes.data == address
    np.testing.assert_array_equal(result, 2)


# --- many at once ---------------------------------------------------------------------------


def _network(w: Any, v: Any, x: Any, y: Any) -> Any:
    def loss(w: Any, v: Any) -> Any:
        z = np.tanh(x @ w) @ v
        z = z - np.max(z, axis=1, keepdims=True)
        return -np.sum(y * (z - np.log(np.sum(np.exp(z), axis=1, keepdims=True)))) / len(x)

    value, (dw, dv) = bital.value_and_grad(loss, argnums=(0, 1))(w, v)
    return w - np.float32(0.1) * dw, v - np.float32(0.1) * dv, value


def _arrays(batch: int, seed: int = 0) -> list[Any]:
    rng = np.random.default_rng(seed)
    shapes = ((784, 300), (300, 10), (batch, 784))
    w, v, x = (rng.standard_normal(s).astype(np.float32) * np.float32(0.1) for s in shapes)
    return [w, v, x, np.eye(10, dtype=np.float32)[rng.integers(0, 10, batch)]]


def _bits(results: Any) -> bytes:
    return b"".join(np.asarray(each).tobytes() for each in results)


def test_many_threads_call_one_function() -> None:
    step = native(_network)
    inputs = [_arrays(50, seed) for seed in range(4)]
    wants = [_bits(step(*each)) for each in inputs]
    barrier = threading.Barrier(8)

    def work(number: int) -> bool:
        barrier.wait(TIMEOUT)
        return all(
            _bits(step(*inputs[(number + n) % 4])) == wants[(number + n) % 4] for n in range(12)
        )

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8), timeout=TIMEOUT))


def test_many_threads_compile_one_function() -> None:
    x = np.linspace(0, 1, 30)
    jitted = native(lambda x: np.sin(x) @ np.cos(x) + np.sum(x))
    barrier = threading.Barrier(6)

    def work(_: int) -> Any:
        barrier.wait(TIMEOUT)
        return jitted(x)

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(work, range(6), timeout=TIMEOUT))) == 1


@pytest.mark.parametrize("batch", [50, 1000])
def test_the_same_bits_in_every_run(batch: int) -> None:
    step, arrays = native(_network), _arrays(batch)
    first = _bits(step(*arrays))
    assert all(_bits(step(*arrays)) == first for _ in range(5))
    assert _bits(native(_network)(*arrays)) == first
    plain = bital.jit(_network, executor="numpy")(*arrays)
    for got, want in zip(step(*arrays), plain, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-5)


_DIGEST = """
import hashlib, sys
sys.path.insert(0, {folder!r})
import test_executor as t
for batch in (50, 1000):
    step, arrays = t.native(t._network), t._arrays(batch)
    print(hashlib.sha256(t._bits(step(*arrays))).hexdigest())
"""


def _digest(number: int) -> str:
    environment = {**os.environ, "BITAL_NUM_THREADS": str(number)}
    folder = str(Path(__file__).parent)
    return subprocess.run(
        [sys.executable, "-c", _DIGEST.format(folder=folder)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=TIMEOUT,
    ).stdout


def test_the_same_bits_for_any_number_of_threads() -> None:
    one = _digest(1)
    assert len(one.split()) == 2
    assert _digest(2) == one
    assert _digest(5) == one


def test_the_same_bits_where_threads_are_limited() -> None:
    threadpoolctl = pytest.importorskip("threadpoolctl")
    step, arrays = native(_network), _arrays(1000)
    free = _bits(step(*arrays))
    with threadpoolctl.threadpool_limits(1):
        assert threads.num_threads() == 1
        assert _bits(step(*arrays)) == free
    assert _bits(step(*arrays)) == free


# --- processes ------------------------------------------------------------------------------


@posix
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_after_a_fork() -> None:
    step, arrays = native(_network), _arrays(1000)
    want = _bits(step(*arrays))
    child = os.fork()
    if child == 0:  # pragma: no cover
        code = 1
        try:
            good = _bits(step(*arrays)) == want
            fresh = native(lambda x: np.exp(x) @ x)(np.ones((200, 200)))
            code = 0 if good and np.allclose(fresh, 200 * np.e) else 2
        finally:
            os._exit(code)
    waiter = threading.Thread(target=lambda: codes.append(os.waitpid(child, 0)[1]), daemon=True)
    codes: list[int] = []
    waiter.start()
    waiter.join(TIMEOUT)
    if not codes:
        os.kill(child, 9)
    assert codes == [0]
    assert _bits(step(*arrays)) == want


def train(seed: int) -> float:
    """A few steps of a small network, as a worker of a pool runs them."""
    w, v, x, y = _arrays(30, seed)
    step = native(_network)
    for _ in range(3):
        w, v, value = step(w, v, x, y)
    return float(value)


def test_a_pool_of_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    wants = [train(seed) for seed in range(8)]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(8, context) as pool:
        gots = list(pool.map(train, range(8), timeout=TIMEOUT))
    assert gots == wants


def test_joblib() -> None:
    joblib = pytest.importorskip("joblib")
    wants = [train(seed) for seed in range(8)]
    gots = joblib.Parallel(n_jobs=8, timeout=TIMEOUT)(
        joblib.delayed(train)(seed) for seed in range(8)
    )
    assert gots == wants
