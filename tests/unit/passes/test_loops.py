"""What the passes do with loops and branches: each on its example, and equal in value."""

import numpy as np
import pytest

import bital
from bital.passes import optimize
from bital.primitives import evaluate
from bital.program import check, subprograms
from bital.transforms import vjp

X = np.array([[0.3, -0.2], [0.5, 0.1], [-0.4, 0.9]])
W = np.array([0.7, -1.1])


def optimized(f, *args):
    """The Program after all passes, proved equal to what it was."""
    program = bital.trace(f, *args)
    result = optimize(program, checked=True)
    for a, b in zip(evaluate(result, args), evaluate(program, args), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-14)
    assert optimize(result).structure() == result.structure()
    return result


def loops(program):
    return [e for e in program.equations if any(True for _ in subprograms(e))]


def names(program):
    return [equation.primitive.name for equation in program.equations]


def test_inner_programs_are_simplified():
    program = optimized(
        lambda x: bital.scan(lambda c, x: (c - (-x) * 1.0, np.exp(c) * 0), W, x)[0], X
    )
    (loop,) = loops(program)
    assert names(loop.params["body"]) == ["add"]


def test_outputs_and_operands_that_nobody_needs_go():
    def f(x, w):
        def step(carry, x):
            used, unused, helper = carry
            return (used + x, unused * w, helper * 2.0), (np.sin(x), used * helper)

        (used, _, _), (_, ys) = bital.scan(step, (w, w, w), x)
        return used, ys

    (loop,) = loops(optimized(f, X, W))
    assert loop.params["n_consts"] == 0
    assert loop.params["n_carry"] == 2  # `helper` is needed by ys
    assert [v.type.shape for v in loop.outputs] == [(2,), (2,), (3, 2)] or len(
        loop.outputs
    ) == 2 + 1


def test_a_while_loop_keeps_what_its_condition_reads():
    def f(x):
        _, y, _ = bital.while_loop(
            lambda s: s[0] < 4, lambda s: (s[0] + 1, s[1] * x, s[2] + s[1]), (0, x, x)
        )
        return y

    (loop,) = loops(optimized(f, W))
    assert len(loop.outputs) == 2
    assert names(loop.params["body"]) == ["add", "mul"]


def test_branches_lose_outputs_and_operands():
    def f(x, w):
        return bital.cond(x[0, 0] > 0, lambda: (x[0], np.sum(x)), lambda: (x[1], np.sum(w)))[0]

    (branch,) = loops(optimized(f, X, W))
    assert [atom.type.shape for atom in branch.inputs] == [(), (3, 2)]
    assert len(branch.outputs) == 1


def test_what_never_changes_leaves_the_loop():
    def f(x, w):
        def step(c, x):
            scale = np.exp(w) * 2.0  # of w alone
            return c * scale + x, np.sum(c)

        return bital.scan(step, w, x)

    program = optimized(f, X, W)
    assert names(program)[:2] == ["exp", "mul"]
    (loop,) = loops(program)
    assert "exp" not in names(loop.params["body"])


def test_nothing_leaves_a_loop_of_no_steps():
    """An index that is out of range matters only where it is used."""

    def f(x, i):
        return bital.scan(lambda c, _: (c + x[i], None), 0.0, length=0)[0]

    (loop,) = loops(optimized(f, X[0], np.int64(7)))
    assert "gather" in names(loop.params["body"])


def test_a_carry_that_stays_as_it_is_becomes_a_constant():
    def f(x, w, n):
        (c, kept), _ = bital.scan(lambda s, x: ((s[0] * s[1] + x, s[1]), None), (w, w), x)
        n, m = bital.while_loop(lambda s: s[0] < s[1], lambda s: (s[0] + 1, s[1]), (n, 5))
        return c, kept, n, m

    program = optimized(f, X, W, np.int64(0))
    scan, turns = loops(program)
    assert scan.params["n_carry"] == 1
    assert len(turns.outputs) == 1
    assert names(turns.params["cond"]) == ["lt"]
    assert len(turns.params["cond"].inputs) == 1  # 5 stands in it as a number
    assert program.outputs[1] is program.inputs[1]


def test_an_operand_that_comes_twice_comes_once():
    def f(x, w):
        def step(c, pair):
            return bital.cond(c[0] > 0, lambda: c * w + pair[0], lambda: c - w * pair[1]), None

        return bital.scan(step, w * 2.0, (x, x))[0]

    (loop,) = loops(optimized(f, X, W))
    assert len(loop.inputs) == 3
    (branch,) = loops(loop.params["body"])
    assert len(branch.inputs) == 4


def test_slices_of_a_stretched_array_are_one_value():
    def f(w):
        ys, zs = bital.scan(lambda c, _: (np.sin(c), (c, c)), w, length=3)[1]
        return np.sum(ys) + np.mean(zs, axis=0) @ w

    program = optimize(vjp(bital.trace(f, W), [True]), checked=True)
    *_, backward = loops(program)
    shapes = [atom.type.shape for atom in backward.inputs]
    assert shapes.count((3, 2)) == 1  # the kept cosines: the steps' cotangents are all alike


def test_a_known_branch_is_taken():
    def f(x):
        flag = np.zeros((), bool, like=x)
        return bital.scan(lambda c, x: (bital.cond(flag, np.sin, np.cos, c) + x, None), W, x)[0]

    (loop,) = loops(optimized(f, X))
    assert names(loop.params["body"]) == ["cos", "add"]


def test_a_loop_of_known_carries_is_nothing():
    program = optimized(lambda x: bital.scan(lambda c, _: (c, None), x, length=9)[0], X)
    assert not program.equations


def test_constants_of_inlined_rules_come_out_of_the_body():
    table = np.arange(3.0) + 1.0

    @bital.custom_vjp
    def scaled(x):
        return x * table

    scaled.defvjp(lambda x: (scaled(x), None), lambda _, ct: (ct * table,))

    def f(x):
        return bital.scan(lambda c, _: (np.sin(scaled(c)), None), x, length=4)[0]

    program = optimized(f, np.ones(3))
    (loop,) = loops(program)
    assert not loop.params["body"].constants
    assert len(program.constants) == 1
    check(program)


@pytest.mark.parametrize("n", [1, 4])
def test_the_numpy_text_of_a_large_state_reuses_its_memory(n):
    """The state is written over in place: no array is made in the loop."""
    f = bital.jit(lambda x: bital.fori_loop(0, n, lambda i, x: np.sin(x) * 2.0, x))
    text = bital.trace(f, np.ones(5000)).to_numpy()
    assert "out=" in text
    x = np.ones(5000)
    first = f(x)
    np.testing.assert_array_equal(f(x), first)
    assert x[0] == 1.0
