"""Short ways of calls that repeat: they take what fits exactly, and nothing else."""

from __future__ import annotations

from collections import OrderedDict, defaultdict, namedtuple

import numpy as np
import pytest

import bital
from bital import tree
from bital.api.calling import builder, matcher
from bital.program import ArrayType

Pair = namedtuple("Pair", "first second")
F4, F8 = np.dtype(np.float32), np.dtype(np.float64)
W, B = np.ones((2, 3), np.float32), np.ones(3)
ARGUMENTS = ([W, (B, None)], {"k": np.float64(2.0), "a": 1.5}, Pair(B, ()), True)
TYPES = [
    ArrayType((2, 3), F4), ArrayType((3,), F8), ArrayType((), F4), ArrayType((), F8),
    ArrayType((3,), F8), ArrayType((), np.dtype(bool)),
]  # fmt: skip


def test_leaves_come_in_the_order_of_the_tree_and_in_the_types_of_the_program():
    got = matcher(ARGUMENTS, TYPES)(ARGUMENTS)
    assert [type(x) for x in got] == [np.ndarray] * 2 + [
        np.float32,
        np.float64,
        np.ndarray,
        np.bool,
    ]
    for a, b in zip(got, tree.leaves(ARGUMENTS), strict=True):
        np.testing.assert_array_equal(a, b)
    assert got[0] is W


@pytest.mark.parametrize(
    "other",
    [
        ([W, [B, None]], {"k": np.float64(2), "a": 1.5}, Pair(B, ()), True),
        ([W, (B, None)], {"k": np.float64(2), "a": 1}, Pair(B, ()), True),
        ([W, (B, B)], {"k": np.float64(2), "a": 1.5}, Pair(B, ()), True),
        ([W, (B, None)], {"k": np.float32(2), "a": 1.5}, Pair(B, ()), True),
        ([W, (B, None)], {"k": np.float64(2), "b": 1.5}, Pair(B, ()), True),
        ([W, (B, None)], {"k": np.float64(2), "a": 1.5}, (B, ()), True),
        ([W, (B, None)], {"k": np.float64(2), "a": 1.5}, Pair(B, ()), 1),
        ([W, (B, None)], {"k": np.float64(2), "a": 1.5}, Pair(B, ())),
        ([W, (B[:2], None)], {"k": np.float64(2), "a": 1.5}, Pair(B, ()), True),
        ([W.astype(float), (B, None)], {"k": np.float64(2), "a": 1.5}, Pair(B, ()), True),
        ([W.astype(">f4"), (B, None)], {"k": np.float64(2), "a": 1.5}, Pair(B, ()), True),
        ([np.ma.array(W), (B, None)], {"k": np.float64(2), "a": 1.5}, Pair(B, ()), True),
        (None, {"k": np.float64(2), "a": 1.5}, Pair(B, ()), True),
    ],
)
def test_others_do_not_match(other):
    assert matcher(ARGUMENTS, TYPES)(other) is None


def test_integers_of_open_width_take_the_long_way():
    assert matcher((1,), [ArrayType((), np.dtype(np.int64))]) is None


@pytest.mark.parametrize(
    "value",
    [
        1.0, None, (), [], {}, (1.0,), [None, 2.0], {"b": 1.0, "a": (2.0, [3.0])},
        Pair(1.0, (2.0,)), OrderedDict(b=1.0, a=2.0), defaultdict(list, b=1.0),
        ((), ([], {}), Pair((), None)),
        {1: {2: {3: 4.0}}},
    ],
)  # fmt: skip
def test_a_builder_puts_together_what_unflatten_does(value):
    leaves, structure = tree.flatten(value)
    got, want = builder(structure)(leaves), tree.unflatten(structure, leaves)
    assert got == want
    assert tree.structure(got) == structure


def test_every_call_computes_what_it_is_given():
    """Third and later calls are short; types that alternate, scalars and keywords are not lost."""
    traces = []

    @bital.jit
    def f(w, s=1.0):
        traces.append(1)
        return {"y": w[0] * s, "z": [w[1]]}

    x, y = np.arange(3.0), np.arange(2, dtype=np.float32)
    for turn in range(12):
        w = (x + turn, y) if turn % 3 else (y + np.float32(turn), y)
        got = f(w, 2.0 + turn) if turn % 2 else f(w, s=2.0 + turn)
        np.testing.assert_allclose(got["y"], w[0] * np.float64(2.0 + turn).astype(w[0].dtype))
        assert got["y"].dtype == w[0].dtype
        np.testing.assert_array_equal(got["z"][0], y)
    assert len(traces) == 4


def test_the_executor_in_force_counts_at_every_call():
    f = bital.jit(lambda x: np.exp(x).sum())
    x = np.linspace(0, 1, 1000)
    for _ in range(3):
        f(x)
    with bital.config.executor("numpy"):
        assert f(x) == np.exp(x).sum()
    inside = bital.grad(lambda x: np.sum(f(x)))(x)
    np.testing.assert_allclose(inside, np.exp(x), rtol=1e-14)


@pytest.mark.parametrize("calls", [1, 4])
def test_shared_and_read_only_memory_is_copied_before_it_is_written_over(calls):
    def step(w, v, x):
        return w + x, v * 2.0

    f = bital.jit(step, donate_argnums=(0, 1))
    x = np.ones(4)
    for _ in range(calls):
        f(np.zeros(4), np.ones(4), x)
    same = np.arange(4.0)
    big = np.arange(8.0)
    frozen = np.arange(4.0)
    frozen.flags.writeable = False
    cases = [
        (same, same, x), (same, np.ones(4), same), (big[:4], big[4:], x), (big[:4], np.ones(4), x),
        (np.ones(4), same, same[::1]), (frozen, np.ones(4), x), (np.ones(4), np.ones(4), big[2:6]),
    ]  # fmt: skip
    for w, v, other in cases:
        kept = [np.array(a) for a in (w, v, other)]
        got = f(w, v, other)
        for a, b in zip(got, step(*kept), strict=True):
            np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(big, np.arange(8.0))
        np.testing.assert_array_equal(frozen, np.arange(4.0))
