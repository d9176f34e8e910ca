"""jit: caching, static and donated arguments, memory of results, threads."""

import functools
import sys
import threading
from typing import ClassVar

import numpy as np
import pytest

import bital
from bital.errors import ArgumentError, TracerBoolError


class Counted:
    """A function that counts how often Python runs it: once for each recording."""

    def __init__(self, function):
        self.function = function
        self.count = 0
        self.__name__ = "counted"

    def __call__(self, *args, **kwargs):
        self.count += 1
        return self.function(*args, **kwargs)


class TestRetracing:
    def recordings(self, calls, **options):
        f = Counted(lambda *args: sum(np.sum(x) for x in bital.tree.leaves(args)))
        jitted = bital.jit(f, **options)
        for args in calls:
            jitted(*args)
        return f.count

    def test_equal_types_are_recorded_once(self):
        assert self.recordings([(np.full(3, k),) for k in range(5)]) == 1
        assert self.recordings([(2.0,), (3.0,), (-1.5,)]) == 1
        assert (
            self.recordings([({"a": 1.0, "b": np.ones(2)},), ({"b": np.zeros(2), "a": 5.0},)]) == 1
        )

    def test_memory_layout_does_not_count(self):
        a = np.ones((4, 6))
        assert self.recordings([(a[:2, :3],), (np.asfortranarray(a[:2, :3]),), (a[::2, ::2],)]) == 1

    @pytest.mark.parametrize(
        "other",
        [np.ones(4), np.ones((3, 1)), np.ones(3, np.float32), np.ones(3, int), 1.0, 1, True,
         [np.ones(3)], (np.ones(3),), {"a": np.ones(3)}, np.float64(1.0), None],
    )  # fmt: skip
    def test_another_type_is_recorded_anew(self, other):
        assert self.recordings([(np.ones(3),), (other,), (np.ones(3),), (other,)]) == 2

    def test_list_and_tuple_differ(self):
        assert self.recordings([([1.0],), ((1.0,),), ([2.0],)]) == 2

    def test_keywords_and_positions_differ(self):
        f = Counted(lambda x: x * 2)
        jitted = bital.jit(f)
        assert jitted(1.0) == jitted(x=1.0) == 2.0
        assert jitted(x=2.0) == 4.0
        assert f.count == 2

    def test_static_values(self):
        f = Counted(lambda x, n, name="a": x * n)
        jitted = bital.jit(f, static_argnums=1)
        assert [jitted(2.0, n) for n in (1, 2, 1, 2, 3)] == [2, 4, 2, 4, 6]
        assert f.count == 3
        assert isinstance(jitted(np.float32(2.0), 2.0), np.float32)

    def test_equal_static_values_of_different_types_differ(self):
        f = bital.jit(lambda x, kind: x * (10 if kind is True else 1), static_argnums=(1,))
        assert f(1.0, 1) == 1.0
        assert f(1.0, True) == 10.0
        assert f(1.0, 1) == 1.0

    def test_static_arguments_steer_python(self):
        @functools.partial(bital.jit, static_argnums=(0, 2))
        def f(mode, x, options):
            return sum(np.sin(x) if mode == "sin" else np.cos(x) for _ in range(options[0]))

        assert f("sin", 1.0, (3,)) == pytest.approx(3 * np.sin(1.0))
        assert f("cos", 1.0, (2,)) == pytest.approx(2 * np.cos(1.0))

    def test_a_static_argument_that_cannot_be_a_key(self):
        f = bital.jit(lambda x, n: x, static_argnums=1)
        for bad in ([1], np.ones(2), {"a": 1}):
            with pytest.raises(ArgumentError, match=r"hashable.*tuple"):
                f(1.0, bad)

    def test_inside_another_trace_a_recording_is_shared(self):
        f = Counted(lambda x: x * x)
        jitted = bital.jit(f)
        outer = bital.jit(lambda x: jitted(x) + jitted(x + 1.0) + jitted(x * 2.0))
        assert outer(np.ones(2)).tolist() == [9.0, 9.0]
        assert f.count == 1

    def test_each_executor_is_compiled_for_itself(self):
        f = bital.jit(lambda x: x * 2)
        with bital.config.executor("numpy"):
            assert f(1.0) == f(1.0) == 2.0

    def test_a_failed_recording_is_not_kept(self):
        state = {"fail": True}

        def f(x):
            if state["fail"]:
                raise KeyError("later")
            return x * 2

        jitted = bital.jit(f)
        with pytest.raises(KeyError):
            jitted(1.0)
        state["fail"] = False
        assert jitted(1.0) == 2.0


class TestTrace:
    def test_of_a_jitted_function_with_static_arguments(self):
        f = bital.jit(lambda x, n, *, k: x * n + k, static_argnums=1)
        program = bital.trace(f, np.ones(2), 3, k=2.0)
        assert [var.name for var in program.inputs] == ["x", "k"]
        assert "mul(x, 3.0:float64)" in str(program)

    def test_names_of_arguments_in_trees(self):
        program = bital.trace(
            lambda params, x: params["W"] @ x + params["b"][0],
            {"W": np.eye(2), "b": [1.0]},
            np.ones(2),
        )
        assert [var.name for var in program.inputs] == ["W", "params_b_0", "x"]

    def test_a_program_runs_on_its_own(self):
        program = bital.trace(np.tanh, np.ones(2))
        with pytest.raises(bital.errors.ExecutorError):
            bital.executors.get_executor("none")
        run = bital.executors.get_executor("numpy").compile(program)
        assert run([np.zeros(2)])[0].tolist() == [0.0, 0.0]


class TestForms:
    def test_decorators(self):
        @bital.jit
        def f(x):
            """Doubles."""
            return x * 2

        @bital.jit(static_argnums=1)
        def g(x, n):
            return x * n

        assert (f(2.0), g(2.0, 3)) == (4.0, 6.0)
        assert (f.__name__, f.__doc__) == ("f", "Doubles.")

    def test_callables_of_every_kind(self):
        class Model:
            scale = 3.0

            def __call__(self, x):
                return x * self.scale

            def method(self, x):
                return x * self.scale

        for f in (Model(), Model().method, functools.partial(np.multiply, 3.0), lambda x: 3.0 * x):
            assert bital.jit(f)(2.0) == 6.0
            assert bital.grad(f)(2.0) == 3.0

    def test_ufuncs_and_functions_of_numpy(self):
        x = np.linspace(0.1, 0.9, 4)
        for f in (np.sin, np.exp, np.tanh):
            np.testing.assert_array_equal(bital.jit(f, executor="numpy")(x), f(x))
            np.testing.assert_array_max_ulp(bital.jit(f)(x), f(x), 4)

    def test_default_and_star_arguments(self):
        def f(x, y=2.0, *rest, k=1.0, **more):
            return x * y + sum(rest) + k + more.get("z", 0.0)

        jitted = bital.jit(f)
        for args, kwargs in [((1.0,), {}), ((1.0, 3.0, 4.0, 5.0), {"k": 2.0, "z": 7.0})]:
            assert jitted(*args, **kwargs) == f(*args, **kwargs)

    def test_no_arguments_and_no_results(self):
        assert bital.jit(lambda: np.ones(2))().tolist() == [1.0, 1.0]
        assert bital.jit(lambda: (None, [], {}))() == (None, [], {})

    def test_results_of_python_and_numpy_numbers(self):
        out = bital.jit(lambda x: (1, 2.0, True, np.float32(3), np.arange(2), x))(4.0)
        assert out[:4] == (1, 2.0, True, 3.0)
        assert np.asarray(out[3]).dtype == np.float32
        assert np.asarray(out[2]).dtype == np.bool_
        assert out[4].tolist() == [0, 1]

    def test_a_python_branch_on_shape_and_static_value(self):
        f = bital.jit(lambda x: x.sum() if x.ndim == 1 and len(x) > 2 else x * 1.0)
        assert f(np.ones(3)) == 3.0
        assert f(np.ones(2)).tolist() == [1.0, 1.0]
        with pytest.raises(TracerBoolError, match=r"np\.where"):
            bital.jit(lambda x: x if x > 0 else -x)(1.0)


class TestMemory:
    """No result shares memory with an argument, a constant, another result or the workspace."""

    TABLE = np.arange(12.0).reshape(3, 4)
    FUNCTIONS: ClassVar = {
        "identity": lambda x: x,
        "twice": lambda x: (x, x),
        "views": lambda x: (x.T, x.reshape(-1), x[0], x[::-1], x[:, None], x.ravel()),
        "views of a value": lambda x: (lambda y: (y, y.T, y[0], y.reshape(-1), y[::-1]))(np.sin(x)),
        "constant": lambda x: (TestMemory.TABLE, x + TestMemory.TABLE, TestMemory.TABLE.T),
        "stretched": lambda x: (np.broadcast_to(x[0], (3, 4)), np.zeros((2, 2), like=x),
                                np.broadcast_to(np.sum(x), (5,))),
        "number": lambda x: (x.sum(), x[0, 0], 1.0),
        "written": lambda x: (lambda y: (y.__setitem__(0, 5.0), y, x)[1:])(x.copy()),
        "same value twice": lambda x: (np.sin(x) * 2, np.sin(x) * 2, np.sin(x)),
        "parts": lambda x: tuple(np.split(np.cos(x), 3)),
        "empty": lambda x: (x[:0], x[:0] * 2),
    }  # fmt: skip

    @pytest.mark.parametrize("how", ["jit", "vjp", "grad-aux", "vmap"])
    @pytest.mark.parametrize("size", [1, 40])
    @pytest.mark.parametrize("name", FUNCTIONS)
    def test_results_can_be_ruined(self, name, size, how):
        f = self.FUNCTIONS[name]
        x = np.tile(np.arange(12.0).reshape(3, 4), (size, 1))[: 3 * size]
        if size > 1 and name in ("constant",):
            x = x[:3]
        run = {
            "jit": bital.jit(f),
            "vjp": lambda x: bital.vjp(f, x)[0],
            "grad-aux": lambda x: bital.grad(lambda x: (np.sum(x), f(x)), has_aux=True)(x)[1],
            "vmap": lambda x: bital.vmap(f)(x[None]),
        }[how]
        given = x.copy()
        expected = [np.array(leaf) for leaf in bital.tree.leaves(run(given))]
        table = self.TABLE.copy()
        for _ in range(3):
            results = bital.tree.leaves(run(given))
            arrays = [r for r in results if isinstance(r, np.ndarray)]
            for index, (result, wanted) in enumerate(zip(results, expected, strict=True)):
                np.testing.assert_array_equal(result, wanted)
                assert not np.shares_memory(result, given)
                assert not np.shares_memory(result, self.TABLE)
                assert not any(np.shares_memory(result, other) for other in results[:index])
            for array in arrays:
                array[...] = -777.0
            np.testing.assert_array_equal(given, x)
            np.testing.assert_array_equal(self.TABLE, table)

    def test_an_earlier_result_survives_later_calls(self):
        f = bital.jit(lambda x: np.tanh(np.sin(x) * 2.0 + 1.0))
        kept = [f(np.full(5000, float(k))) for k in range(5)]
        for k, result in enumerate(kept):
            np.testing.assert_allclose(result, np.tanh(np.sin(k) * 2.0 + 1.0))


def update(w, g):
    w -= 0.5 * g
    return w


class TestDonation:
    N = 1000  # large enough to be written over

    def arrays(self):
        return np.arange(float(self.N)), np.ones(self.N)

    def test_memory_is_reused_and_the_result_right(self):
        f = bital.jit(update, donate_argnums=0)
        w, g = self.arrays()
        address = w.__array_interface__["data"][0]
        for step in range(1, 4):
            w = f(w, g)
            np.testing.assert_array_equal(w, np.arange(float(self.N)) - 0.5 * step)
            assert w.__array_interface__["data"][0] == address
        np.testing.assert_array_equal(g, 1.0)

    @pytest.mark.parametrize(
        "make",
        {
            "read only": lambda w: (_read_only(w), np.ones(w.size)),
            "a view": lambda w: (np.concatenate([w, w])[: w.size], np.ones(w.size)),
            "reversed view": lambda w: (w[::-1], np.ones(w.size)),
            "same array twice": lambda w: (w, w),
            "second is a view of the first": lambda w: (w, w[::-1]),
            "first is a view of the second": lambda w: (w[::-1], w),
            "through stride tricks": lambda w: (
                w, np.lib.stride_tricks.as_strided(w, w.shape, w.strides)),
            "through the buffer protocol": lambda w: (w, np.frombuffer(memoryview(w))),
            "through ndarray": lambda w: (w, np.ndarray(w.shape, buffer=w)),
            "broadcast": lambda w: (np.broadcast_to(np.float64(3.0), w.shape), np.ones(w.size)),
            "of bytes": lambda w: (np.frombuffer(w.tobytes()), np.ones(w.size)),
        }.items(),
        ids=lambda item: item[0],
    )  # fmt: skip
    def test_nothing_is_corrupted(self, make):
        w, g = make[1](np.arange(float(self.N)))
        expected = w - 0.5 * g
        g_before = g.copy()

        def f(w, g):
            w = update(w, g)
            return w, g * 1.0, np.sum(g)

        shared = np.shares_memory(w, g)
        new, same, total = bital.jit(f, donate_argnums=0)(w, g)
        np.testing.assert_array_equal(new, expected)
        np.testing.assert_array_equal(same, g_before)
        assert total == g_before.sum()
        if not shared:
            np.testing.assert_array_equal(g, g_before)

    def test_a_base_that_the_caller_kept_is_left_alone(self):
        base = np.arange(2.0 * self.N)
        kept = base.copy()
        f = bital.jit(update, donate_argnums=0)
        f(base[: self.N], np.ones(self.N))
        np.testing.assert_array_equal(base, kept)

    def test_donating_trees_and_returning_parts(self):
        def f(state, x):
            state["m"] = 0.9 * state["m"] + x
            return {"m": state["m"], "w": state["w"] - state["m"]}, state["w"], np.sum(state["w"])

        def state():
            return {"m": np.full(self.N, 2.0), "w": np.arange(float(self.N))}

        expected = f(state(), np.ones(self.N))
        got = bital.jit(f, donate_argnums=0)(state(), np.ones(self.N))
        leaves = bital.tree.leaves(got)
        for index, (a, b) in enumerate(zip(leaves, bital.tree.leaves(expected), strict=True)):
            np.testing.assert_allclose(a, b)
            assert not any(np.shares_memory(a, other) for other in leaves[:index])

    def test_swapping_donated_arguments(self):
        f = bital.jit(lambda a, b: (b, a), donate_argnums=(0, 1))
        a, b = np.zeros(self.N), np.ones(self.N)
        for _ in range(3):
            a, b = f(a, b)
        assert (a.sum(), b.sum()) == (self.N, 0)
        f2 = bital.jit(lambda a, b: (a + b, a - b), donate_argnums=(0, 1))
        a, b = f2(np.full(self.N, 5.0), np.full(self.N, 3.0))
        assert (a[0], b[0]) == (8.0, 2.0)

    def test_donation_inside_a_trace_is_ignored(self):
        f = bital.jit(update, donate_argnums=0)
        x = np.arange(float(self.N))
        gradient = bital.grad(lambda w: np.sum(f(w * 1.0, x) * x))(x)
        np.testing.assert_array_equal(gradient, x)
        np.testing.assert_array_equal(x, np.arange(float(self.N)))

    def test_a_closed_over_array_that_is_also_donated(self):
        a = np.arange(float(self.N))
        f = bital.jit(lambda w: w - 0.5 * a, donate_argnums=0)
        first = f(a.copy())
        np.testing.assert_array_equal(f(a), first)
        np.testing.assert_array_equal(f(np.arange(float(self.N))), first)

    def test_layouts(self):
        for make in (np.asfortranarray, lambda x: x.T.copy().T, lambda x: x[::-1].copy()):
            w = make(np.arange(4000.0).reshape(40, 100))
            expected = w * 2 - w.sum(axis=0)
            got = bital.jit(lambda w: w * 2 - w.sum(axis=0), donate_argnums=0)(w.copy(order="K"))
            np.testing.assert_allclose(got, expected)


def _read_only(w):
    w.flags.writeable = False
    return w


class TestThreads:
    def run(self, work, count=8):
        faults = []

        def guarded(i):
            try:
                work(i)
            except BaseException as fault:
                faults.append(fault)

        threads = [threading.Thread(target=guarded, args=(i,)) for i in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if faults:
            raise faults[0]

    def test_one_jitted_function_in_many_threads(self):
        f = bital.jit(lambda x: np.sum(np.sin(x) * np.cos(x[::-1])))

        def work(i):
            for size in (10, 3000, 10 + i):
                x = np.linspace(0, i + 1, size)
                for _ in range(20):
                    assert f(x) == pytest.approx(np.sum(np.sin(x) * np.cos(x[::-1])), rel=1e-12)

        self.run(work)

    def test_tracing_in_many_threads(self):
        def work(i):
            for k in range(15):
                x = np.full(3, float(i + k))
                g = bital.grad(lambda x: np.sum(x**3) * (i + 1))
                np.testing.assert_allclose(g(x), 3 * x**2 * (i + 1))
                h = bital.jit(bital.hessian(lambda x: np.sum(x**3)))
                np.testing.assert_allclose(h(x), np.diag(6 * x))

        self.run(work)

    def test_eager_derivatives_fill_their_cache_safely(self):
        """Many structures at once, more than the cache keeps."""

        def work(i):
            for k in range(120):
                coefficients = tuple(float(1000 * i + k + j) for j in range(2))
                g = bital.grad(lambda x, c=coefficients: c[0] * x * x + c[1] * x)
                for _ in range(3):
                    assert g(1.0) == 2 * coefficients[0] + coefficients[1]

        self.run(work, 4)

    def test_custom_rules_in_many_threads(self):
        @bital.custom_vjp
        def f(x):
            return np.sin(x)

        f.defvjp(lambda x: (f(x), x), lambda x, ct: (ct * 2.0,))

        def work(i):
            for _ in range(20):
                assert bital.grad(f)(float(i)) == 2.0

        self.run(work)


def test_memory_mapped_arguments(tmp_path):
    """They are read where they lie on the disk, and never written to, even if they are donated."""
    kept = np.arange(150.0).reshape(50, 3)
    np.save(tmp_path / "x.npy", kept)
    x = np.load(tmp_path / "x.npy", mmap_mode="r")
    np.testing.assert_allclose(bital.grad(lambda x: np.sum(np.sin(x)))(x), np.cos(kept))
    f = bital.jit(lambda x: np.sqrt(x) + 1.0, donate_argnums=0)
    for _ in range(4):
        np.testing.assert_array_equal(f(x), np.sqrt(kept) + 1.0)
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), kept)


@pytest.mark.parametrize("transform", [bital.grad, bital.jit])
def test_foreign_byte_order_is_refused_with_its_reason(transform):
    x = np.arange(3.0).astype(">f8" if sys.byteorder == "little" else "<f8")
    with pytest.raises(ArgumentError, match="bytes stand in the other order"):
        transform(np.sum)(x)
    assert transform(np.sum)(x.astype(x.dtype.newbyteorder("="))) is not None
