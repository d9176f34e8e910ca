"""Products that leave a scan: which do, and that nothing else changes."""

import numpy as np
import plain_loops
import pytest

import bital
from bital.passes import optimize
from bital.primitives import evaluate
from bital.program import subprograms
from bital.transforms import vjp

RNG = np.random.default_rng(0)
N, D, H = 6, 24, 20  # turns, inputs, units: matrices that are large beside a batch of 2
XS, W, U = RNG.normal(size=(N, 2, D)), 0.3 * RNG.normal(size=(D, H)), 0.3 * RNG.normal(size=(H, H))
B = RNG.normal(size=H)


def optimized(program, args):
    """After all passes, proved well formed, settled, and equal to what it was."""
    result = optimize(program, checked=True)
    for a, b in zip(evaluate(result, args), evaluate(program, args), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-12)
    assert optimize(result).structure() == result.structure()
    return result


def products(program):
    """How many products stand outside of loops, and in each loop."""
    outside = [e.primitive.name for e in program.equations].count("dot_general")
    return outside, [products(p)[0] for e in program.equations for p in subprograms(e)]


def gradient(f, *args):
    program = bital.trace(f, *args)
    both = vjp(program, [True] * len(args))
    cts = [np.ones(t.shape, t.dtype) for t in program.output_types]
    return optimized(both, (*args, *cts))


def recurrent(lib, reverse=False):
    def f(w, u, b, xs):
        def step(h, x):
            h = np.tanh(x @ w + h @ u + b)
            return h, h

        h, ys = lib.scan(step, np.zeros((xs.shape[1], H)), xs, reverse=reverse)
        return np.sum(h * h) + np.sum(ys[::2])

    return f


def test_a_recurrent_network():
    args = W, U, B, XS
    program = optimized(bital.trace(recurrent(bital), *args), args)
    assert products(program) == (1, [1])  # x @ W before the loop, h @ U in it
    program = gradient(recurrent(bital), *args)
    # x @ W; after the backward loop, which pulls back to h, the gradients of W, U and x
    assert products(program) == (4, [1, 1])


@pytest.mark.parametrize("reverse", [False, True])
def test_gradients_are_those_of_a_python_loop(reverse, executor):
    args = W, U, B, XS
    got = bital.jit(bital.grad(recurrent(bital, reverse), (0, 1, 2, 3)))(*args)
    want = bital.grad(recurrent(plain_loops, reverse), (0, 1, 2, 3))(*args)
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-13)


def test_large_batches_stay_in_the_loop():
    xs = RNG.normal(size=(N, 16, D))
    program = bital.trace(recurrent(bital), W, U, B, xs)
    assert products(optimize(program)) == (0, [2])
    assert products(gradient(recurrent(bital), W, U, B, xs))[0] == 0


def last_state(w, u, b, xs):
    def step(h, x):
        return np.tanh(x @ w + h @ u + b), None

    return bital.scan(step, np.zeros((xs.shape[1], H)), xs)[0]


def test_products_that_take_more_memory_than_the_sequence_stay(monkeypatch):
    wide, narrow = (W, U, B, XS), (W[:4], U, B, XS[:, :1, :4])
    for args in (wide, narrow):
        assert products(optimize(bital.trace(last_state, *args)))[0] == (args is wide)
    monkeypatch.setattr("bital.passes.sequences._WORTH", 1)
    assert products(optimize(bital.trace(last_state, *narrow))) == (1, [1])
    monkeypatch.setattr("bital.passes.sequences._LITTLE", 0)
    assert products(optimize(bital.trace(last_state, *narrow))) == (0, [2])
    assert products(optimize(bital.trace(last_state, *wide))) == (1, [1])


def test_what_stands_between_the_sequence_and_the_product_goes_with_it():
    def f(w, xs):
        def step(c, x):
            return c + np.sum((2.0 * x).T.T.reshape(2, D) @ (w * 1.0) + np.sum(x)), x

        return bital.scan(step, 0.0, xs)[0]

    program = optimized(bital.trace(f, W, XS), (W, XS))
    assert products(program) == (1, [0])


def test_what_depends_on_the_state_or_on_no_matrix_stays():
    def f(w, xs):
        def step(h, x):
            return h + (x * h[0, 0]) @ w + np.sum(x @ x.T), None

        return bital.scan(step, np.zeros((2, H)), xs)[0]

    assert products(optimized(bital.trace(f, W, XS), (W, XS))) == (0, [2])


def test_matrices_on_either_side_and_vectors():
    def f(w, xs, vs):
        def step(c, each):
            x, v = each
            return c + np.sum(w.T @ x.T) + np.sum(v @ w), None

        return bital.scan(step, 0.0, (xs, vs))[0]

    args = W, XS, XS[:, 0]
    assert products(optimized(bital.trace(f, *args), args)) == (2, [0])


def test_what_each_turn_gives_and_nobody_reads_in_the_loop():
    """The output layer of a recurrent network, and its gradients."""

    def f(u, v, xs):
        def step(h, x):
            h = np.tanh(h @ u + x)
            return h, (h @ v, np.sum(h))

        return bital.scan(step, np.zeros((2, H)), xs)[1]

    args = U, RNG.normal(size=(H, 17)), 0.1 * RNG.normal(size=(N, 2, H))
    assert products(optimized(bital.trace(f, *args), args)) == (1, [1])
    program = gradient(f, *args)  # the gradients of U and V, and the cotangent of h by V
    assert products(program)[1] == [1, 1]
    wide = U, args[1], RNG.normal(size=(N, 16, H))

    def twice(u, v, xs):
        def step(h, x):
            h = np.tanh((h @ u) @ u.T @ u + x)
            y = h @ v
            return h + np.sum(y), (y, y @ v.T)

        return bital.scan(step, np.zeros((16, H)), xs)[1]

    # y is read in the loop; y @ V.T is not, and y is stacked anyway
    assert products(optimized(bital.trace(twice, *wide), wide)) == (1, [4])


# --- sums -----------------------------------------------------------------------------------


def summed(step, *args):
    """A scan over (xs, gs) that adds to a matrix; `step` gives what is added."""

    def f(total, xs, gs):
        def body(carry, each):
            total, h = carry
            h = np.tanh(h + each[1])
            return (step(total, h, *each), h), None

        return bital.scan(body, (total, np.zeros(gs.shape[1:])), (xs, gs))[0]

    return optimized(bital.trace(f, *args), args)


TOTAL, GS = RNG.normal(size=(D, H)), RNG.normal(size=(N, 2, H))


def test_a_sum_of_products_is_one_product():
    program = summed(lambda total, h, x, g: total + x.T @ h, TOTAL, XS, GS)
    assert products(program) == (1, [0])


def test_several_products_and_other_addends():
    program = summed(
        lambda total, h, x, g: x.T @ h + (total + np.sum(g)) + np.sin(x).T @ np.cos(g),
        TOTAL,
        XS,
        GS,
    )
    assert products(program) == (1, [1])  # the second is of what the loop makes on both sides
    program = summed(lambda total, h, x, g: x.T @ h + (total + x.T @ g), TOTAL, XS, GS)
    assert products(program) == (2, [0])


def test_outer_products_of_vectors():
    """The gradients of a network that takes one example at a time."""

    def f(w, u, xs):
        def step(h, x):
            return np.tanh(x @ w + h @ u), None

        return np.sum(bital.scan(step, np.zeros(H), xs)[0])

    assert products(gradient(f, W, U, XS[:, 0])) == (4, [1, 1])


def test_batches_of_products():
    total = RNG.normal(size=(3, D, H))

    def f(total, xs, gs):
        return bital.vmap(
            lambda t, x, g: bital.scan(
                lambda c, e: ((c[0] + e[0].T @ c[1], np.tanh(c[1] + e[1])), None),
                (t, np.zeros((2, H))), (x, g),
            )[0][0]
        )(total, xs, gs)  # fmt: skip

    args = total, np.stack([XS] * 3), np.stack([GS] * 3)
    program = optimized(bital.trace(f, *args), args)
    assert products(program) == (1, [0])


@pytest.mark.parametrize(
    "step",
    [
        lambda total, h, x, g: total * 0.9 + x.T @ h,
        lambda total, h, x, g: total + np.sum(total) * (x.T @ h),
        lambda total, h, x, g: total - x.T @ h,
        lambda total, h, x, g: np.where(total > 0, total, total + x.T @ h),
    ],
)
def test_what_is_no_plain_sum_stays(step):
    assert products(summed(step, TOTAL, XS, GS)) == (0, [1])


def test_few_turns_and_none():
    for n in (0, 1, 2):
        args = W, U, B, XS[:n]

        def f(w, u, b, xs):
            def step(h, x):
                return np.tanh(x @ w + h @ u + b), None

            return np.sum(bital.scan(step, np.zeros((2, H)), xs)[0])

        gradient(f, *args)


def test_a_checkpoint_keeps_its_memory():
    """What is computed again is not stacked for a product after the loop."""

    def f(u, h):
        def step(h, _):
            for _ in range(4):
                h = np.tanh(h @ u)
            return h, None

        return np.sum(bital.scan(bital.checkpoint(step), h, length=N)[0])

    program = gradient(f, U, np.ones((2, H)))
    stacks = [out for e in program.equations if any(True for _ in subprograms(e))
              for out in e.outputs if out.type.shape[:1] == (N,)]  # fmt: skip
    assert len(stacks) == 1
