"""Loops and branches of drawn bodies, against the same code with Python's own loops.

Derivatives are compared with those of the unrolled code, which no rule of a loop takes part in.
"""

from __future__ import annotations

from typing import Any
from unittest import mock

import numpy as np
import plain_loops
from hypothesis import given, settings
from hypothesis import strategies as st

import bital
from bital.passes import memory, optimize
from bital.primitives import evaluate
from bital.program import check
from bital.transforms import jvp, vjp

_TABLE = np.array([[0.5, -0.3, 0.2], [0.1, 0.4, -0.6]])
State = tuple[Any, Any, Any]  # a vector, a number, an index


def _written(a: Any, b: Any, n: Any) -> Any:
    a = a + 0 * b  # traced if b is
    a[n % 3] = np.sin(b)
    return a


def _simple(name: str, state: State, x: Any, env: Any) -> State:
    (a, b, n), (w, s) = state, env
    steps = {
        "mix": lambda: (np.tanh(a @ w + x), b, n),
        "scale": lambda: (a * s * 0.5, b, n),
        "mean": lambda: (a, np.mean(a) + b * 0.3, n),
        "back": lambda: (a + np.sin(b), b, n),
        "count": lambda: (a, b, n + 1),
        "read": lambda: (a, b + a[n % 3], n),
        "write": lambda: (_written(a, b, n), b, n),
        "table": lambda: (a + _TABLE[0], b * _TABLE[1, 0], n),
        "turn": lambda: (a[::-1], np.cos(b), n),
        "forget": lambda: (x * 1.0, s * 1.0, n),
        "hold": lambda: (a, b, n),
        "fixed": lambda: (a + np.exp(s) * np.sum(w * w) * 0.01, b, n),
    }
    result: State = steps[name]()
    return result


_NAMES = ["mix", "scale", "mean", "back", "count", "read", "write", "table", "turn", "forget",
          "hold", "fixed"]  # fmt: skip
_KINDS = ["scan", "reversed", "branch", "fori", "while"]
_PLANS = st.recursive(
    st.lists(st.sampled_from(_NAMES), min_size=1, max_size=3),
    lambda inner: st.lists(
        st.sampled_from(_NAMES) | st.tuples(st.sampled_from(_KINDS), inner, inner),
        min_size=1,
        max_size=3,
    ),
    max_leaves=4,
)


def _run(lib: Any, plan: Any, state: State, x: Any, env: Any) -> State:
    for each in plan:
        if isinstance(each, str):
            state = _simple(each, state, x, env)
            continue
        kind, first, second = each

        def one(state: State, x: Any = x, plan: Any = first) -> State:
            return _run(lib, plan, state, x, env)

        def other(state: State, plan: Any = second) -> State:
            return _run(lib, plan, state, x, env)

        if kind in ("scan", "reversed"):

            def step(carry: State, row: Any, one: Any = one) -> tuple[State, Any]:
                carry = one(carry, row + x)
                return carry, (carry[1] * row, carry[2], row)

            state, (ys, ns, rows) = lib.scan(step, state, _TABLE, reverse=kind == "reversed")
            state = (state[0] + np.sum(ys, 0), state[1] + np.sum(rows), state[2] + ns[0])
        elif kind == "branch":
            state = lib.cond(np.sum(state[0]) > state[1], one, other, state)
        elif kind == "fori":
            state = lib.fori_loop(0, 2, lambda i, c, one=one: (one(c)[0] + i, *one(c)[1:]), state)
        else:  # turns of an index alone have no tangents
            stop = state[2] + 2
            last = lib.while_loop(lambda n, stop=stop: n < stop, lambda n: n + 1, state[2])
            state = (state[0], state[1] + last, last)
    return state


def _function(lib: Any, plan: Any) -> Any:
    def f(w: Any, s: Any, a: Any, xs: Any) -> Any:
        def step(state: State, x: Any) -> Any:
            state = _run(lib, plan, state, x, (w, s))
            return state, (state[0] * s, state[2])

        (a, b, n), (ys, ns) = lib.scan(step, (a, s * 0.7, 0), xs)
        return a, b, ys, n, ns

    return f


def _loss(f: Any) -> Any:
    def loss(*args: Any) -> Any:
        a, b, ys, n, ns = f(*args)
        return np.sum(a * a) + np.sin(b) + np.sum(np.cos(ys)) + b * (n + np.sum(ns)) * 0.1

    return loss


def _close(got: Any, want: Any) -> None:
    for a, b in zip(bital.tree.leaves(got), bital.tree.leaves(want), strict=True):
        scale = max(1.0, float(np.abs(b).max(initial=0.0)))
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-9 * scale)


def _arguments(seed: int) -> list[Any]:
    rng = np.random.default_rng(seed)
    draw = [rng.uniform(-1, 1, shape) for shape in ((3, 3), (), (3,), (2, 3))]
    return [draw[0] / 2, np.float64(draw[1]), *draw[2:]]


@settings(max_examples=15)
@given(plan=_PLANS, seed=st.integers(0, 99))
def test_values_and_derivatives(plan: Any, seed: int) -> None:
    args, every = _arguments(seed), (0, 1, 2, 3)
    f, plain = _function(bital, plan), _function(plain_loops, plan)
    _close(bital.jit(f)(*args), plain(*args))
    loss, plain_loss = _loss(f), _loss(plain)
    gradient, plain_gradient = bital.grad(loss, every), bital.grad(plain_loss, every)
    want = plain_gradient(*args)
    _close(gradient(*args), want)
    _close(bital.jit(gradient)(*args), want)
    along = tuple(_arguments(seed + 1))
    _close(bital.jvp(f, args, along), bital.jvp(plain, args, along))
    _close(bital.jvp(gradient, args, along)[1], bital.jvp(plain_gradient, args, along)[1])

    def squared(g: Any) -> Any:
        return lambda *args: sum(np.sum(each * each) for each in g(*args))

    second, plain_second = squared(gradient), squared(plain_gradient)
    _close(bital.grad(second, every)(*args), bital.grad(plain_second, every)(*args))


@settings(max_examples=15)
@given(plan=_PLANS, seed=st.integers(0, 99))
def test_mapped(plan: Any, seed: int) -> None:
    lanes = [_arguments(seed + k) for k in range(3)]
    w = lanes[0][0]
    stacked = [np.stack([lane[k] for lane in lanes]) for k in (1, 2, 3)]
    plain = _function(plain_loops, plan)
    gradients = [bital.grad(_loss(_function(lib, plan)), (0, 1)) for lib in (bital, plain_loops)]
    for g, h in [(_function(bital, plan), plain), gradients]:
        rows = [bital.tree.leaves(h(w, *lane[1:])) for lane in lanes]
        want = [np.stack(column) for column in zip(*rows, strict=True)]
        _close(bital.tree.leaves(bital.vmap(g, (None, 0, 0, 0))(w, *stacked)), want)


@settings(max_examples=25)
@given(plan=_PLANS, seed=st.integers(0, 99))
def test_programs_and_passes(plan: Any, seed: int) -> None:
    """Well formed through every pass, equal in value, whatever buffers the text reuses."""
    args = _arguments(seed)
    program = bital.trace(_function(bital, plan), *args)
    for each in (program, vjp(program, [True] * 4), jvp(program, [True] * 4)):
        check(each)
        values = [*args, *(np.ones(t.shape, t.dtype)[()] for t in each.input_types[4:])]
        want = evaluate(each, values)
        optimized = optimize(each, checked=True)
        assert optimize(optimized).structure() == optimized.structure()
        _close(evaluate(optimized, values), want)
        namespace: dict[str, Any] = {}
        with mock.patch.object(memory, "_SMALLEST", 9):
            exec(each.to_numpy(), namespace)
        for _ in range(2):
            _close(namespace[each.name](*values), want)
