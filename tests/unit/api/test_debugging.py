"""debug_nans, the lint for accidental pairs, and the count of recordings."""

import logging
import os
import subprocess
import sys
import warnings
from contextlib import contextmanager

import numpy as np
import pytest

import bital
from bital.errors import ArgumentError, BroadcastWarning, NonFiniteError

HERE = __file__


def line_of(text):
    """The number of the one line in this file that ends with a comment."""
    with open(HERE) as file:
        (found,) = [i for i, line in enumerate(file, 1) if line.rstrip().endswith(f"# {text}")]
    return found


def network(W, x, t):
    h = np.maximum(x @ W, 0.0)
    share = h / h.sum(axis=1, keepdims=True)
    return -np.mean(t * np.log(share))  # the logarithm


W = np.array([[1.0, -1.0]] * 3)
X, T = np.ones((4, 3)), np.ones((4, 2))
WAYS = [
    lambda *a: bital.value_and_grad(network)(*a),
    lambda *a: bital.jit(network)(*a),
    lambda *a: bital.jit(network, executor="numpy")(*a),
    lambda *a: bital.jit(bital.value_and_grad(network))(*a),
]


@contextmanager
def raises(match=None):
    with bital.debug_nans(), pytest.raises(NonFiniteError, match=match) as caught:
        yield caught


class TestDebugNans:
    @pytest.mark.parametrize("way", WAYS)
    def test_the_first_operation_is_named(self, way):
        with raises() as caught:
            way(W, X, T)
        error = caught.value
        assert error.operation == "np.log"
        assert error.direction == "forward"
        assert error.source == (HERE, line_of("the logarithm"))
        assert error.rows.tolist() == [0, 1, 2, 3]
        assert "infinity in 4 of 8 elements" in str(error)
        assert "operand share: float64[4,2] from 0 to 1" in str(error)

    def test_backward(self):
        def f(x):
            y = np.sqrt(x)  # the root
            return np.sum(y)

        with (
            bital.debug_nans(),
            pytest.raises(NonFiniteError, match="in the backward pass") as caught,
        ):
            bital.grad(f)(np.array([1.0, 0.0, 2.0]))
        assert caught.value.source == (HERE, line_of("the root"))
        assert caught.value.rows.tolist() == [1]

    def test_the_cause_stands_before_its_effects(self):
        def f(x):
            a = np.exp(x)  # the overflow
            return np.sum(np.cos(a))

        with (
            bital.debug_nans(),
            pytest.raises(NonFiniteError, match=r"np\.exp made infinity") as caught,
        ):
            bital.jit(f)(np.array([1.0, 1000.0]))
        assert caught.value.source[1] == line_of("the overflow")

    def test_nan_of_infinities_that_were_put_in(self):
        with bital.debug_nans(), pytest.raises(NonFiniteError, match=r"np\.subtract made NaN"):
            bital.jit(lambda x: x - np.inf)(np.inf)

    def test_an_argument_that_holds_nan(self):
        with (
            bital.debug_nans(),
            pytest.raises(NonFiniteError, match="holds NaN in 1 of 3"),
        ):
            bital.jit(lambda w: 2.0 * w)(np.array([1.0, np.nan, 2.0]))

    @pytest.mark.parametrize(
        ("fun", "x", "expected"),
        [
            (lambda x: np.max(x + np.array([0.0, -np.inf])), np.array([1.0, 5.0]), 1.0),
            (lambda x: np.sum(np.where(x > 0, np.log(x), 0.0)), np.array([0.0, 1.0]), 0.0),
            (lambda x: np.sum(np.exp(x - np.inf)), np.array([0.0, 1.0]), 0.0),
            (lambda x: np.isfinite(np.log(x)).sum(), np.array([0.0, 1.0]), 1),
            (lambda x: x + np.inf, 1.0, np.inf),
        ],
    )
    def test_what_was_meant_passes(self, fun, x, expected):
        with bital.debug_nans():
            assert bital.jit(fun)(x) == expected

    def test_within_loops_and_branches(self):
        def f(x):
            def step(c, y):
                return np.exp(c * y), c  # the step

            return bital.scan(step, x, np.arange(6.0))[0]

        x = np.ones(2)
        for way, argument in ((bital.jit(f), 1.0), (bital.grad(f), 1.0), (bital.vmap(f), x)):
            with raises(r"np\.exp") as caught:
                way(argument)
            assert caught.value.source[1] == line_of("the step")

    def test_scopes_are_named(self):
        def f(x):
            with bital.named_scope("encoder"), bital.named_scope("dense"):
                return np.log(x)

        with (
            bital.debug_nans(),
            pytest.raises(NonFiniteError, match=r"\(in encoder/dense\)") as caught,
        ):
            bital.jit(f)(0.0)
        assert caught.value.scope == "encoder/dense"

    def test_results_are_those_of_the_numpy_executor(self):
        x = np.linspace(-1, 1, 7)
        f = bital.value_and_grad(lambda x: np.sum(np.sin(x) * x))
        with bital.debug_nans():
            got = f(x)
        with bital.config.executor("numpy"):
            want = f(x)
        for a, b in zip(got, want, strict=True):
            np.testing.assert_array_equal(a, b)

    def test_off_again_after_the_block(self):
        f = bital.jit(lambda x: 1.0 / x)
        with bital.debug_nans():
            with pytest.raises(NonFiniteError):
                f(0.0)
            with bital.debug_nans(False), np.errstate(divide="ignore"):
                assert f(0.0) == np.inf
        with np.errstate(divide="ignore"):
            assert f(0.0) == np.inf

    def test_the_environment_turns_it_on(self):
        code = (
            "import bital, numpy as np\n"
            "try: bital.grad(np.sqrt)(0.0)\n"
            "except bital.errors.NonFiniteError as e: print(e.direction)"
        )
        environment = {**os.environ, "BITAL_DEBUG_NANS": "1"}
        out = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            env=environment,
            check=True,
        )
        assert out.stdout == "backward\n"


def squared_error(y, p):
    return np.mean((y - p) ** 2)  # the accident


class TestLint:
    @pytest.mark.parametrize(("way", "n"), [(bital.jit, 3), (bital.grad, 4)])
    def test_a_row_against_a_column(self, way, n):
        function = way(lambda y, p: squared_error(y, np.tanh(p)))
        match = rf"y \({n},\) meets .*\({n}, 1\).*a\[:, np.newaxis\]"
        with pytest.warns(BroadcastWarning, match=match) as w:
            function(np.ones(n), np.ones((n, 1)))
        assert (w[0].filename, w[0].lineno) == (HERE, line_of("the accident"))

    def test_within_a_model(self):
        def loss(w, x, t):
            return np.sum(np.abs(x @ w - t))

        with pytest.warns(BroadcastWarning, match=r"t \(4,\) meets"):
            bital.jit(loss)(np.ones((2, 1)), np.ones((4, 2)), np.ones(4))

    @pytest.mark.parametrize(
        ("fun", "shapes"),
        [
            (lambda x: np.sum((x[:, None] - x) ** 2), [(4,)]),
            (lambda x: np.max(np.tanh(x.reshape(4, 1)) * x), [(4,)]),
            (lambda x: np.sum(x.sum(axis=1, keepdims=True) + x.sum(axis=1)), [(4, 2)]),
            (lambda y, p: y - p, [(4,), (4, 1)]),  # not reduced
            (lambda y, p: np.sum(y - p), [(1,), (1, 1)]),
            (lambda y, p: np.sum(y - p), [(3,), (4, 1)]),
            (lambda y, p: np.sum(y[:, None] - p), [(4,), (4, 1)]),
        ],
    )
    def test_what_is_meant_passes(self, fun, shapes):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            bital.jit(fun)(*(np.ones(shape) for shape in shapes))


class TestCountTraces:
    def test_of_one_function(self):
        f = bital.jit(lambda x, n: x * n, static_argnums=1)
        assert bital.count_traces(f) == 0
        for _ in range(2):
            f(np.ones(3), 2)
            f(np.ones(3), 3)
        assert bital.count_traces(f) == 2
        with pytest.raises(ArgumentError, match=r"bital\.jit returned, got <ufunc 'sin'>"):
            bital.count_traces(np.sin)

    def test_the_argument_that_is_of_another_type_is_named(self):
        @bital.jit
        def step(params, x):
            return {name: value * x for name, value in params.items()}

        with bital.count_traces() as traces:
            step({"W": np.ones((2, 3)), "b": np.ones(3)}, 1.0)
            step({"W": np.ones((2, 3)), "b": np.ones(3)}, 2.0)
            assert traces.count == 1
            step({"W": np.ones((2, 3), np.float32), "b": np.ones(3)}, 1.0)
            step({"W": np.ones((2, 3)), "b": np.ones(3)}, np.ones(3))
        assert traces.by_name == {"step": 3}
        assert traces.reasons == [
            "step is recorded again: params['W'] is float32[2,3], it was float64[2,3]",
            "step is recorded again: x is float64[3], it was a Python float",
        ]

    def test_static_values_and_structures(self):
        f = bital.jit(lambda x, mode: np.sum(x[0]) if mode else x[0], static_argnums=1)
        with bital.count_traces() as traces:
            f([np.ones(2)], "sum")
            f([np.ones(2)], "")
            f([np.ones(2), np.ones(1)], "")
        assert traces.reasons == [
            "lambda is recorded again: mode is the static value '', it was the static value 'sum'",
            "lambda is recorded again: x[1] is new (float64[1])",
        ]

    def test_the_log_says_why(self, caplog):
        f = bital.jit(lambda x: 2 * x)
        with caplog.at_level(logging.INFO, "bital"):
            f(1.0)
            f(np.ones(2))
        assert "x is float64[2], it was a Python float" in caplog.text
