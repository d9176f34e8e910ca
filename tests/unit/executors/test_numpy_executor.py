"""The numpy executor computes what the primitives' references say, in memory of its own."""

import gc
import linecache
import os
import subprocess
import sys
import threading
import traceback

import numpy as np
import pytest
from random_programs import SPECIAL, WHOLE, random_arguments, random_program, same_bits

import bital
from bital.errors import ExecutorError
from bital.executors import get_executor
from bital.primitives import REGISTRY as P
from bital.primitives import evaluate
from bital.program import ArrayType, Builder, Literal, building

COMPILE = get_executor("numpy").compile


def copies(arguments):
    return [np.array(a)[()] for a in arguments]


@pytest.mark.parametrize("seed", range(40))
def test_small_programs_bit_for_bit(seed):
    program = random_program(seed, equations=30)
    compiled = COMPILE(program)
    for trial in range(2):
        arguments = random_arguments(program, 50 * seed + trial, SPECIAL)
        with np.errstate(all="ignore"):
            expected, got = evaluate(program, arguments), compiled(copies(arguments))
        for a, b in zip(got, expected, strict=True):
            assert same_bits(a, b), program.to_numpy()
            assert isinstance(a, np.ndarray if np.shape(b) else np.generic)


@pytest.mark.parametrize("donate", [False, True])
@pytest.mark.parametrize("seed", range(20))
def test_large_programs_and_ruined_results(seed, donate):
    """Results are the caller's own: whatever is done to them, the next call is right."""
    program = random_program(seed, equations=30, scale=60)
    donated = range(len(program.inputs)) if donate else ()
    compiled = COMPILE(program, donated)
    for trial in range(3):
        arguments = random_arguments(program, 50 * seed + trial, WHOLE)
        given = copies(arguments)
        with np.errstate(all="ignore"):
            expected, got = evaluate(program, arguments), compiled(given)
        arrays = [a for a in got if isinstance(a, np.ndarray)]
        for a, b in zip(got, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)
        for index, a in enumerate(arrays):
            assert a.flags.writeable
            assert not any(np.shares_memory(a, other) for other in arrays[:index])
            if not donate:
                assert not any(np.shares_memory(a, x) for x in given)
            assert not any(np.shares_memory(a, c) for c in program.constants.values())
        if not donate:
            for a, b in zip(given, arguments, strict=True):
                np.testing.assert_array_equal(a, b)
        for a in arrays:
            a.fill(-777.0)


def test_what_is_printed_is_what_runs():
    def loss(w, x):
        hidden = np.tanh(x @ w)
        return np.mean(hidden * hidden)

    program = bital.trace(loss, np.ones((3, 2)), np.ones((4, 3)))
    text = program.to_numpy()
    assert "def loss(w, x):\n    # w: (3, 2) float64\n    # x: (4, 3) float64\n" in text
    assert "hidden = np.tanh(" in text
    namespace = {}
    exec(text, namespace)  # stands alone
    rng = np.random.default_rng(0)
    w, x = rng.standard_normal((3, 2)), rng.standard_normal((4, 3))
    np.testing.assert_allclose(namespace["loss"](w, x), [loss(w, x)])


def test_the_text_with_constants_and_buffers_stands_alone():
    table = np.array([[np.nan, -0.0, 1e-300], [np.inf, 3.0, -5.0]])

    def f(x):
        hidden = np.cos(np.sin(x) * 2.0)
        return np.sum(hidden) * table, np.float32(0.1) * np.ones(2, np.float32)

    program = bital.trace(f, np.ones(1000))
    text = program.to_numpy()
    assert "workspace" in text
    namespace = {}
    exec(text, namespace)
    x = np.linspace(0, 1, 1000)
    for _ in range(2):
        got = namespace["f"](x)
        for a, b in zip(got, evaluate(program, (x,)), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-13)
            assert np.asarray(a).dtype == np.asarray(b).dtype


@pytest.mark.parametrize("shape", [(0,), (0, 1, 1), (3, 0), (1, 5, 1), (2, 2)])
@pytest.mark.parametrize("dtype", ["float64", "float32", "int8", "uint64", "bool", "float16"])
def test_constants_keep_shape_dtype_and_bits(shape, dtype):
    size = int(np.prod(shape))
    values = np.resize(np.array([np.nan, -0.0, np.inf, -np.inf, 0.1, 1.0]), size)
    if np.dtype(dtype).kind != "f":
        values = np.resize(np.array([0, 1, 100]), size)
    constant = values.astype(dtype).reshape(shape)
    builder = Builder("f")
    with building(builder):
        (out,) = COMPILE(builder.build([builder.constant(constant)]))([])
    assert same_bits(out, constant)
    large = np.tile(constant, (500,) + (1,) * (len(shape) - 1))
    builder = Builder("f")
    (out,) = COMPILE(builder.build([builder.constant(large)]))([])
    assert same_bits(out, large)


def test_a_failure_shows_the_generated_line():
    f = bital.jit(lambda x, i: x[i] * 2.0, executor="numpy")
    f(np.ones(3), np.array([1, 2]))
    with pytest.raises(IndexError) as caught:
        f(np.ones(3), np.array([1, 7]))
    frames = traceback.extract_tb(caught.value.__traceback__)
    assert frames[-1].filename.startswith("<bital.")
    assert "x[i]" in frames[-1].line
    assert "def program(x, i):" in "".join(linecache.getlines(frames[-1].filename))


def test_the_text_of_a_function_goes_with_it():
    before = set(linecache.cache)
    for k in range(5):
        assert bital.jit(lambda x, k=k: x + float(k))(1.0) == 1.0 + k
    gc.collect()
    assert not [name for name in set(linecache.cache) - before if name.startswith("<bital.")]


@pytest.mark.parametrize("index", [3, -4, 10**9])
def test_an_index_from_data_is_checked(index):
    for f in (lambda x, i: x[i], lambda x, i: np.take(x, i) * 1.0,
              lambda x, i: np.take_along_axis(x, i[None], 0)):  # fmt: skip
        with pytest.raises(IndexError):
            bital.jit(f)(np.ones(3), np.int64(index))

    def write(x, i):
        x[i] = 5.0
        return x

    with pytest.raises(IndexError):
        bital.jit(write)(np.ones(3), np.int64(index))


@pytest.mark.parametrize(
    "name", ["a", "b", "x", "np", "workspace", "return_", "buffer_0", "lambda"]
)
def test_names_of_functions_arguments_and_constants_do_not_collide(name):
    table, wide = np.arange(3.0), np.ones((300, 3))
    namespace = {"table": table, "wide": wide, "np": np}
    argument = name if name.isidentifier() and name not in ("lambda", "np") else "x"
    exec(
        f"def f({argument}, a_):\n"
        f"    wide_ = np.sin(wide * {argument})\n"
        f"    return np.sum(np.cos(wide_) * table) + {argument} * table + a_",
        namespace,
    )
    f = namespace["f"]
    expected = f(np.ones(3), 2.0)
    f.__name__ = name
    np.testing.assert_allclose(bital.jit(f)(np.ones(3), 2.0), expected)


def test_keys_of_a_dict_that_are_python_words():
    def f(params):
        return params["lambda"] * params["for"] + params["np"] - params["True"]

    params = {"lambda": np.ones(2) * 3, "for": np.ones(2) * 5, "np": np.ones(2), "True": np.ones(2)}
    assert bital.jit(f)(params).tolist() == [15.0, 15.0]


class TestOverlap:
    """In-place plans where operands share memory with the result."""

    def large(self):
        return np.random.default_rng(0).standard_normal((40, 40))

    @pytest.mark.parametrize(
        "f",
        [
            lambda x: x + x.T,
            lambda x: np.sin(x.T) - x,
            lambda x: x[::-1] * x,
            lambda x: x * x[0] + x[:, :1],
            lambda x: np.where(x > 0, x.T, x) @ x,
        ],
    )
    def test_donated_with_its_own_views(self, f):
        x = self.large()
        expected = f(x)
        got = bital.jit(f, donate_argnums=0)(x.copy())
        np.testing.assert_allclose(got, expected, rtol=1e-13)

    @pytest.mark.parametrize(
        "write",
        ["x[1:] = x[:-1]", "x[:, ::-1] = x", "x[...] = x.T", "x[[0, 1, 2]] = x[[2, 1, 0]]",
         "x[np.arange(40), 0] = x[0]", "x[0] += x[:, 0]", "x[1:] -= x[:-1]"],
    )  # fmt: skip
    def test_writes_from_the_array_itself(self, write):
        namespace = {"np": np}
        exec(f"def f(x):\n    {write}\n    return x", namespace)
        f = namespace["f"]
        expected = f(self.large())
        for options in ({}, {"donate_argnums": 0}):
            np.testing.assert_array_equal(bital.jit(f, **options)(self.large()), expected)


def test_threads_have_workspaces_of_their_own():
    f = bital.jit(lambda x: np.sum(np.exp(np.sin(x) * 0.5) - np.cos(x * 2.0)))
    inputs = [np.full(20_000, float(i)) for i in range(8)]
    expected = [f(x) for x in inputs]
    wrong = []

    def work(i):
        wrong.extend(i for _ in range(60) if f(inputs[i]) != expected[i])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_literals_of_every_dtype_are_typed():
    builder = Builder("f")
    x = {d: builder.input(ArrayType((2,), np.dtype(d)), d)
         for d in ("float16", "float32", "float64", "int8", "uint64", "int64")}  # fmt: skip
    values = {"float16": 0.1, "float32": np.inf, "float64": -0.0, "int8": -5, "uint64": 2**64 - 1,
              "int64": -(2**63)}  # fmt: skip
    with building(builder):
        outputs = [P["add"](x[d], Literal(v, np.dtype(d))) for d, v in values.items()]
    outputs += [Literal(v, np.dtype(d)) for d, v in values.items()]
    program = builder.build(outputs)
    arguments = [np.zeros(2, d) for d in x]
    for a, b in zip(COMPILE(program)(arguments), evaluate(program, tuple(arguments)), strict=True):
        assert same_bits(a, b)


class TestExecutors:
    def test_an_unknown_name_lists_those_there_are(self):
        for ask in (
            lambda: get_executor("cuda"),
            lambda: bital.jit(lambda x: x, executor="cuda")(1.0),
            lambda: bital.config.executor("cuda").__enter__(),
        ):
            with pytest.raises(ExecutorError, match=r"no executor .cuda.; installed: .*\bnumpy\b"):
                ask()

    def test_the_environment_chooses_at_import_and_a_block_later(self):
        script = """
import bital
f = bital.jit(lambda x: x * 2.0)
with bital.config.executor("numpy"):
    assert f(1.0) == 2.0
assert bital.jit(lambda x: x * 2.0, executor="numpy")(1.0) == 2.0
f(1.0)
"""
        for name, code, words in (("nowhere", 1, "no executor 'nowhere'"), ("numpy", 0, "")):
            environment = {**os.environ, "BITAL_EXECUTOR": name}
            done = subprocess.run(
                [sys.executable, "-c", script], env=environment, capture_output=True, text=True
            )
            assert done.returncode == code
            assert words in done.stderr

    def test_a_block_ends_with_an_error_and_is_of_its_thread(self):
        seen = []
        with pytest.raises(KeyError), bital.config.executor("numpy"):
            raise KeyError
        with bital.config.executor("numpy"):
            thread = threading.Thread(target=lambda: seen.append(bital.config._executor.get()))
            thread.start()
            thread.join()
        assert seen == [None]
