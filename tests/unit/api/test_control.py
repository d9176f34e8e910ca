"""Loops and branches against Python's own, finite differences and values worked out by hand."""

import doctest
import re
import tracemalloc
from pathlib import Path
from unittest import mock

import numpy as np
import plain_loops
import pytest

import bital
import bital.api.branch
import bital.api.control
from bital.errors import DifferentiationError
from bital.passes import memory, optimize
from bital.primitives import REGISTRY, evaluate
from bital.program import check, parse
from bital.transforms import jvp, vjp

RNG = np.random.default_rng(0)
W, H, XS = RNG.normal(size=(3, 3)), RNG.normal(size=3), RNG.normal(size=(5, 3))


def assert_close(got, want, rtol=1e-10):
    pairs = zip(bital.tree.leaves(got), bital.tree.leaves(want), strict=True)
    for a, b in pairs:
        np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-12)
        assert np.asarray(a).dtype == np.asarray(b).dtype


def rnn(lib, reverse=False):
    def f(W, h, xs):
        def step(h, x):
            h = np.tanh(h @ W + x)
            return h, np.sum(h * h)

        return lib.scan(step, h, xs, reverse=reverse)

    return f


def loss_of(f):
    def loss(*args):
        return sum(np.sum(np.sin(leaf) * leaf) for leaf in bital.tree.leaves(f(*args)))

    return loss


@pytest.mark.parametrize("module", [bital.api.control, bital.api.branch])
def test_docstrings(module):
    assert doctest.testmod(module, extraglobs={"np": np, "jit": bital.jit}).failed == 0


def test_the_example_of_the_documents(capsys):
    text = (Path(__file__).parents[3] / "docs" / "numpy.md").read_text()
    section = text.partition("## Loops and branches")[2]
    exec(re.search(r"```python\n(.*?)```", section, re.DOTALL).group(1), {"np": np, "bital": bital})
    assert capsys.readouterr().out == "(3,) (5,)\n1.5 0.625 80.0\n"


# --- scan -----------------------------------------------------------------------------------


def test_cumulative_sum_by_hand():
    total, before = bital.scan(lambda c, x: (c + x, c), 0.0, np.array([1.0, 2.0, 4.0]))
    assert total == 7.0
    assert before.tolist() == [0.0, 1.0, 3.0]
    total, after = bital.scan(lambda c, x: (c + x, c), 0.0, np.array([1.0, 2.0, 4.0]), reverse=True)
    assert after.tolist() == [6.0, 4.0, 0.0]


def test_geometric_series_by_hand():
    """s = 1 + r + r^2 + r^3: s' = 1 + 2 r + 3 r^2, s'' = 2 + 6 r, s''' = 6."""

    def series(r):
        return bital.scan(lambda s, _: (s * r + 1.0, None), 1.0, length=3)[0]

    assert series(2.0) == 15.0
    assert bital.grad(series)(2.0) == 17.0
    assert bital.grad(bital.grad(series))(2.0) == 14.0
    assert bital.grad(bital.grad(bital.grad(series)))(2.0) == 6.0
    assert bital.jvp(bital.grad(series), (2.0,), (10.0,))[1] == 140.0


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("jitted", [False, True])
def test_recurrent_network(reverse, jitted):
    f, plain = rnn(bital, reverse), rnn(plain_loops, reverse)
    place = bital.jit if jitted else lambda g: g
    assert_close(place(f)(W, H, XS), plain(W, H, XS))
    loss, plain_loss = loss_of(place(f)), loss_of(plain)
    every = (0, 1, 2)
    assert_close(place(bital.grad(loss, every))(W, H, XS), bital.grad(plain_loss, every)(W, H, XS))
    assert_close(bital.jacobian(place(f))(W, H, XS), bital.jacobian(plain)(W, H, XS))
    assert_close(
        bital.hessian(place(loss), (1, 2))(W, H, XS), bital.hessian(plain_loss, (1, 2))(W, H, XS)
    )
    bital.check_grads(loss, (0.3 * W, H, 0.3 * XS))


@pytest.mark.parametrize("axes", [(0, None, None), (None, 0, None), (None, None, 1), (0, 0, 0)])
def test_mapped(axes):
    args = [
        x if a is None else np.stack([x, 2 * x, -x], a)
        for x, a in zip((W, H, XS), axes, strict=True)
    ]
    rows = [
        [x if a is None else np.take(x, i, a) for x, a in zip(args, axes, strict=True)]
        for i in range(3)
    ]
    for f in (rnn(bital), bital.grad(loss_of(rnn(bital)), (0, 1, 2))):
        singles = [bital.tree.leaves(f(*row)) for row in rows]
        want = [np.stack(column) for column in zip(*singles, strict=True)]
        assert_close(bital.tree.leaves(bital.vmap(f, axes)(*args)), want)
    total = [lambda w, lib=lib: np.sum(bital.vmap(loss_of(rnn(lib)), axes)(w, *args[1:]))
             for lib in (bital, plain_loops)]  # fmt: skip
    assert_close(bital.grad(total[0])(args[0]), bital.grad(total[1])(args[0]))


def test_trees_of_carries_and_slices():
    init = {"h": np.ones(2), "n": (0, np.float32(0.5))}
    xs = [np.arange(6.0).reshape(3, 2), {"k": np.arange(3)}]

    def step(carry, x):
        n, small = carry["n"]
        h = carry["h"] + x[0] * x[1]["k"]
        return {"h": h, "n": (n + 2, small * 2)}, (h, {"n": n, "nothing": None})

    got, want = bital.scan(step, init, xs), plain_loops.scan(step, init, xs)
    assert bital.tree.structure(got) == bital.tree.structure(want)
    assert_close(got, want)


def test_integer_and_key_carries_have_no_tangent():
    def noisy(x):
        def step(carry, _):
            key, n, y = carry
            key, new = bital.random.split(key)
            return (key, n + 1, np.sin(y) + 0.1 * n * bital.random.normal(new, (2,))), n

        (key, n, y), ns = bital.scan(step, (bital.random.key(3), 0, x * np.ones(2)), length=4)
        return np.sum(y), (key, n, ns)

    _, (key, n, ns) = bital.grad(noisy, has_aux=True)(0.3)
    assert key.dtype == np.uint64
    assert n == 4
    assert ns.tolist() == [0, 1, 2, 3]
    bital.check_grads(lambda x: noisy(x)[0], (0.3,))


def test_reverse_mode_keeps_no_more_than_the_steps_need():
    """What one tanh step needs is its input and its output: two stacks, whatever the body is."""
    program = optimize(vjp(bital.trace(rnn(bital), W, H, XS), [True] * 3), checked=True)
    forward, backward = (e for e in program.equations if e.primitive.name == "scan")
    stacks = [var for var in forward.outputs if var.type.shape == XS.shape]
    assert len(stacks) == 2
    assert backward.params["reverse"]
    assert backward.params["n_carry"] == 1  # h's cotangent; W's is one product after it


def test_forward_mode_keeps_nothing():
    program = optimize(jvp(bital.trace(rnn(bital), W, H, XS), [True] * 3), checked=True)
    (scan,) = (e for e in program.equations if e.primitive.name == "scan")
    assert [v.type.shape for v in scan.outputs] == [(3,), (3,), (5,), (5,)]


def test_memory_grows_with_the_number_of_steps_only():
    """1000 steps of 8 KB states: the backward pass keeps some stacks of them, not an unrolling."""
    gradient = bital.jit(
        bital.grad(lambda x: np.sum(bital.scan(lambda h, _: (np.sin(h), None), x, length=1000)[0]))
    )
    x = np.ones(1000)
    gradient(x)
    tracemalloc.start()
    gradient(x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.5 * 8e6


def test_the_text_does_not_grow_with_the_number_of_steps():
    def text(n):
        f = lambda x: bital.fori_loop(0, n, lambda i, h: np.sin(h) * i, x)  # noqa: E731
        return bital.trace(bital.grad(f), 1.0).to_numpy()

    assert text(777).replace("777", "12345").replace("776", "12344") == text(12345)


def test_a_loop_within_a_loop_over_closed_over_values():
    def f(lib):
        def nest(x, w):
            def outer(c, xi):
                def inner(d, wi):
                    d = np.sin(d * wi + xi) + x[0]
                    return d, d * c

                d, ys = lib.scan(inner, c, w)
                return d + np.sum(ys), d

            return lib.scan(outer, w[0] * 0.3, x, reverse=True)

        return nest

    x, w = XS[0], XS[1, :2]
    assert_close(f(bital)(x, w), f(plain_loops)(x, w))
    loss, plain = loss_of(f(bital)), loss_of(f(plain_loops))
    assert_close(bital.grad(loss, (0, 1))(x, w), bital.grad(plain, (0, 1))(x, w))
    assert_close(bital.hessian(loss, (0, 1))(x, w), bital.hessian(plain, (0, 1))(x, w))
    bital.check_grads(bital.jit(loss), (0.2 * x, 0.2 * w))


def test_a_gradient_inside_of_a_loop():
    """Gradient descent as a loop, differentiated by its step size."""

    def f(lib):
        def descend(rate):
            def loss(w):
                return np.sum((w - XS[0]) ** 4)

            step = lambda i, w: w - rate * bital.grad(loss)(w)  # noqa: E731
            return loss(lib.fori_loop(0, 6, step, np.zeros(3)))

        return descend

    assert_close(f(bital)(0.02), f(plain_loops)(0.02))
    assert_close(bital.grad(bital.jit(f(bital)))(0.02), bital.grad(f(plain_loops))(0.02))


def test_a_custom_rule_inside_of_a_loop():
    table = np.array([2.0, 5.0])

    @bital.custom_vjp
    def doubled(x):
        return x * 2.0

    doubled.defvjp(lambda x: (doubled(x), x), lambda x, ct: (ct * table[0] * np.cos(x) ** 0,))

    def f(x):
        return bital.fori_loop(0, 3, lambda i, h: np.sin(doubled(h)), x)

    plain = lambda x: np.sin(2 * np.sin(2 * np.sin(2 * x)))  # noqa: E731
    assert_close(bital.grad(f)(0.3), bital.grad(plain)(0.3))
    assert_close(bital.grad(bital.grad(f))(0.3), bital.grad(bital.grad(plain))(0.3))
    with pytest.raises(DifferentiationError, match="custom vjp"):
        bital.jvp(f, (0.3,), (1.0,))
    with pytest.raises(DifferentiationError, match="custom vjp"):
        bital.jvp(lambda x: bital.cond(x > 0, doubled, np.sin, x), (0.3,), (1.0,))


def test_no_steps():
    def f(h, xs):
        return bital.scan(lambda h, x: (np.sin(h) * x, np.sum(h)), h, xs)

    last, ys = f(H, np.ones((0, 3)))
    np.testing.assert_array_equal(last, H)
    assert ys.shape == (0,)
    gh, gx = bital.grad(lambda h, xs: np.sum(f(h, xs)[0] ** 2), (0, 1))(H, np.ones((0, 3)))
    np.testing.assert_array_equal(gh, 2 * H)
    assert gx.shape == (0, 3)
    assert bital.fori_loop(3, 1, lambda i, x: x + 1, 5) == 5


def test_arguments_and_results_are_never_shared():
    init, xs = np.zeros(1000), np.ones((2, 1000))
    kept = init.copy(), xs.copy()

    def step(carry, x):
        a, b = carry
        a[0] += x[1]  # in place, in the trace
        return (b, a), (x, a)

    (a, b), (ys, zs) = bital.scan(step, (init, init), xs)
    arrays = [init, xs, a, b, ys, zs]
    for i, one in enumerate(arrays):
        assert not any(np.shares_memory(one, other) for other in arrays[:i])
    np.testing.assert_array_equal(init, kept[0])
    np.testing.assert_array_equal(xs, kept[1])
    assert a[0] == b[0] == 1.0


def test_carries_that_change_places():
    assert bital.fori_loop(0, 5, lambda i, ab: (ab[1], ab[0] + ab[1]), (0, 1)) == (5, 8)
    large = np.zeros(1000), np.ones(1000)
    a, b = bital.fori_loop(0, 5, lambda i, ab: (ab[1], ab[0] + ab[1]), large)
    assert (a[0], b[0]) == (5.0, 8.0)
    a, b = bital.fori_loop(0, 3, lambda i, ab: (ab[1], ab[1]), large)
    a[0] = 7.0
    assert b[0] == 1.0


class TestOpenNumbers:
    """Python numbers take the dtype that the loop gives them, as they do beside arrays."""

    @pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "int32"])
    def test_a_carry_goes_by_what_comes_out(self, dtype):
        xs = np.arange(3).astype(dtype)
        total, parts = bital.scan(lambda c, x: (c + x, c), 0, xs)
        assert total.dtype == parts.dtype == dtype
        assert total == 3

    def test_an_int_becomes_a_float(self):
        total, _ = bital.scan(lambda c, x: (c + x, None), 0, np.ones(3, np.float32))
        assert total.dtype == np.float32
        assert bital.fori_loop(0, 2, lambda i, c: c + 0.5, 0) == 1.0

    def test_a_number_that_comes_out_takes_the_carry_s_dtype(self):
        carry, _ = bital.scan(lambda c, x: (0.0, c), np.float32(1.0), np.ones(3))
        assert carry.dtype == np.float32

    def test_an_index_does_not_widen(self):
        x = bital.fori_loop(0, 3, lambda i, x: x * i + 1, np.ones(2, np.float32))
        assert x.dtype == np.float32
        x = bital.jit(
            lambda n: bital.fori_loop(0, n, lambda i, x: x * i + 1, np.ones(2, np.float32))
        )(3)
        assert x.dtype == np.float32

    def test_one_that_stays_open_comes_out_open(self):
        x = bital.jit(lambda x: x * bital.fori_loop(0, 3, lambda i, c: c * 2.0, 1.0))(np.float32(1))
        assert x.dtype == np.float32
        assert type(bital.while_loop(lambda c: c < 5, lambda c: c + 1, 0)) is int

    def test_branches(self):
        f = bital.jit(lambda x: bital.cond(x > 0, lambda: 1, lambda: x))
        assert f(np.float32(2.0)).dtype == np.float32
        g = bital.jit(lambda x: np.float32(1) * bital.cond(x > 0, lambda: 1, lambda: 2.5))
        assert g(-1.0) == 2.5
        assert g(-1.0).dtype == np.float32


# --- while_loop, fori_loop ------------------------------------------------------------------


def newton(lib):
    """The square root of x, by as many steps as it needs."""

    def root(x):
        def goes_on(state):
            return np.abs(state[0] ** 2 - x) > 1e-12 * x

        return lib.while_loop(goes_on, lambda s: ((s[0] + x / s[0]) / 2, s[1] + 1), (x, 0))

    return root


def test_while_loop():
    assert_close(newton(bital)(9.0), newton(plain_loops)(9.0))
    assert_close(bital.jit(newton(bital))(2.0)[0], np.sqrt(2.0))
    (root, steps), (slope, _) = bital.jvp(newton(bital), (9.0,), (1.0,))
    np.testing.assert_allclose([root, slope], [3.0, 1 / 6])
    assert steps == newton(plain_loops)(9.0)[1]
    second = bital.jvp(lambda x: bital.jvp(newton(bital), (x,), (1.0,))[1][0], (4.0,), (1.0,))[1]
    np.testing.assert_allclose(second, -1 / 32)
    assert bital.fori_loop(0, 0, lambda i, x: x + 1, 7) == 7


def test_while_loop_mapped():
    xs = np.array([1.5, 2.0, 1e6, 9.0])
    roots, steps = bital.vmap(newton(bital))(xs)
    np.testing.assert_allclose(roots, np.sqrt(xs))
    assert steps.tolist() == [newton(plain_loops)(x)[1] for x in xs]
    _, (slopes, _) = bital.jvp(bital.vmap(newton(bital)), (xs,), (np.ones(4),))
    np.testing.assert_allclose(slopes, 0.5 / np.sqrt(xs))
    np.testing.assert_allclose(bital.jacobian(lambda x: bital.vmap(newton(bital))(x)[0])(xs),
                               np.diag(0.5 / np.sqrt(xs)))  # fmt: skip
    one_for_all = bital.vmap(
        lambda x: bital.while_loop(lambda c: c[0] < 3, lambda c: (c[0] + 1, c[1] * x), (0, 1.0))
    )
    np.testing.assert_allclose(one_for_all(xs)[1], xs**3)


def test_a_lane_that_is_done_reads_nothing_more():
    """The first zero of each row: a lane that went on would read past the end."""
    rows = np.array([[1, 2, 0], [0, 1, 2], [4, 5, 0]])

    def first(row):
        return bital.while_loop(lambda i: row[i] != 0, lambda i: i + 1, 0)

    assert bital.vmap(first)(rows).tolist() == [2, 0, 2]
    sums = bital.vmap(lambda n: bital.while_loop(
        lambda s: s[0] < n, lambda s: (s[0] + 1, s[1] + np.asarray(XS[0], like=n)[s[0]]), (0, 0.0)
    )[1])(np.array([3, 0, 1]))  # fmt: skip
    np.testing.assert_allclose(sums, [XS[0].sum(), 0.0, XS[0, 0]])


def test_fori_loop_with_traced_bounds():
    f = lambda x, n: bital.fori_loop(0, n, lambda i, h: h * x + i, 1.0)  # noqa: E731
    jitted = bital.jit(f)
    for n in (0, 1, 5):
        assert_close(jitted(0.5, n), plain_loops.fori_loop(0, n, lambda i, h: h * 0.5 + i, 1.0))
    np.testing.assert_allclose(bital.jvp(lambda x: jitted(x, 3), (0.5,), (1.0,))[1], 1.75)
    static = bital.jit(f, static_argnums=1)
    np.testing.assert_allclose(bital.grad(static)(0.5, 3), 1.75)


@pytest.mark.parametrize("place", [bital.jit, lambda g: g])
def test_no_reverse_mode_through_an_open_number_of_turns(place):
    def direct(x):
        return newton(bital)(x)[0]

    def inside(x):
        return bital.scan(lambda c, y: (c + newton(bital)(y * x)[0], None), x, XS[0] ** 2)[0]

    def bounded(x):
        return bital.jit(lambda n: bital.fori_loop(0, n, lambda i, c: c * x, 1.0))(3)

    for f in (direct, inside, bounded):
        with pytest.raises(DifferentiationError, match=r"(?s)control\.py:.*scan.*fori_loop.*jvp"):
            bital.grad(place(f))(2.0)


def test_reverse_mode_beside_an_open_number_of_turns():
    """The loop's result as a constant, or as what is not differentiated."""

    def f(x):
        root, steps = newton(bital)(x)
        return bital.stop_gradient(root) * x, steps

    gradient, steps = bital.grad(f, has_aux=True)(9.0)
    np.testing.assert_allclose(gradient, 3.0)
    assert steps == newton(plain_loops)(9.0)[1]

    def g(x):
        def step(c, y):
            return c * y, newton(bital)(c * y)

        return bital.scan(step, x, XS[0] ** 2)

    (gradient,) = bital.vjp(g, 2.0, has_aux=True)[1](1.0)
    np.testing.assert_allclose(gradient, np.prod(XS[0] ** 2))


# --- cond -----------------------------------------------------------------------------------


def piecewise(lib):
    def f(x, y):
        return lib.cond(
            np.sum(x) > 0, lambda x: (np.sin(x) * y, 1.0), lambda x: (x**2, np.sum(y)), x
        )

    return f


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("jitted", [False, True])
def test_cond(sign, jitted):
    place = bital.jit if jitted else lambda g: g
    x, y = np.abs(XS[0]) * sign, XS[1]
    assert_close(place(piecewise(bital))(x, y), piecewise(plain_loops)(x, y))
    loss, plain = loss_of(place(piecewise(bital))), loss_of(piecewise(plain_loops))
    assert_close(place(bital.grad(loss, (0, 1)))(x, y), bital.grad(plain, (0, 1))(x, y))
    assert_close(bital.hessian(loss, (0, 1))(x, y), bital.hessian(plain, (0, 1))(x, y))
    bital.check_grads(loss, (x, y))


def test_cond_mapped():
    xs = np.stack([XS[0], -XS[0], XS[1]])
    want = [
        np.stack(each) for each in zip(*(piecewise(plain_loops)(x, XS[1]) for x in xs), strict=True)
    ]
    assert_close(list(bital.vmap(piecewise(bital), (0, None))(xs, XS[1])), want)
    gradient = bital.grad(loss_of(piecewise(bital)))
    singles = np.stack([bital.grad(loss_of(piecewise(plain_loops)))(x, XS[1]) for x in xs])
    assert_close(bital.vmap(gradient, (0, None))(xs, XS[1]), singles)
    one_for_all = bital.vmap(piecewise(bital), (None, 0))
    assert_close(
        one_for_all(xs[0], xs)[0], np.stack([piecewise(plain_loops)(xs[0], y)[0] for y in xs])
    )


def test_one_branch_runs():
    """The other one would read past the end."""
    f = bital.jit(lambda x, n: bital.cond(n < 3, lambda: x[n], lambda: -1.0))
    assert [f(XS[0], n) for n in (2, 3, 100)] == [XS[0, 2], -1.0, -1.0]
    mapped = bital.vmap(f, (None, 0))(XS[0], np.array([100, 0]))
    np.testing.assert_allclose(mapped, [-1.0, XS[0, 0]])
    total = lambda x: np.sum(bital.vmap(f, (None, 0))(x, np.array([100, 1])))  # noqa: E731
    np.testing.assert_allclose(bital.grad(total)(XS[0]), [0.0, 1.0, 0.0])
    assert not f.__wrapped__(XS[0], 5) > 0  # with plain values it is Python's own branch


def test_a_derivative_of_the_branch_that_was_taken_only():
    f = lambda x: bital.cond(x > 0, np.sqrt, lambda x: 0.0 * x, x)  # noqa: E731
    assert bital.grad(bital.jit(f))(0.0) == 0.0  # where np.where would give NaN


def test_a_predicate_that_is_a_number():
    f = bital.jit(lambda n, x: bital.cond(n, lambda: x, lambda: -x))
    assert [f(n, 2.0) for n in (0, 3, 0.5)] == [-2.0, 2.0, 2.0]


def test_a_known_predicate_leaves_its_branch():
    def f(x):
        return bital.cond(np.ones((), like=x) > 0, np.sin, np.cos, x)

    program = optimize(bital.trace(f, 1.0), checked=True)
    assert [e.primitive.name for e in program.equations] == ["sin"]


# --- what is recorded -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "make", [bital.trace, lambda f, *args: vjp(bital.trace(f, *args), [True] * len(args))]
)
def test_programs_with_loops_print_parse_and_run(make):
    def f(x, w):
        def step(c, xi):
            c = bital.cond(c > 0, lambda c: np.sin(c) * xi, lambda c: c + w, c)
            return c, bital.fori_loop(0, 3, lambda i, h: h * c + i, w)

        return bital.scan(step, 0.5, x)

    program = check(make(f, XS[0], 0.7))
    for each in (program, optimize(program, checked=True)):
        text = str(each)
        assert str(parse(text, REGISTRY)) == text
        assert check(parse(text, REGISTRY)).structure() == each.structure()
    values = [np.asarray(RNG.normal(size=t.shape), t.dtype)[()] for t in program.input_types]
    want = evaluate(program, values)
    namespace = {}
    with mock.patch.object(memory, "_SMALLEST", 9):
        text = program.to_numpy()
    exec(text, namespace)  # it stands alone
    assert_close(namespace[program.name](*values), want)


def test_one_equation_under_grad_and_jit():
    names = []

    def f(x):
        y = bital.scan(lambda c, _: (np.sin(c), None), x, length=1000)[0]
        names.append([e.primitive.name for e in y._trace.builder.equations])
        return y

    bital.grad(f)(1.0)
    bital.jit(f)(1.0)
    assert names == [["scan"], ["scan"]]


def test_the_text_of_the_loops():
    def count(x):
        _, total = bital.while_loop(lambda s: s[1] < 10.0, lambda s: (s[0] + 1, s[1] + x), (0, x))
        return bital.cond(total > 11.0, lambda: total, lambda: -total)

    text = bital.trace(count, 1.0).to_numpy()
    assert "while s_1 < 10.0:" in text
    assert "if " in text
    assert "else:" in text

    def backwards(xs):
        return bital.scan(lambda c, x: (c + x, c), np.zeros(3), xs, reverse=True)

    text = bital.trace(backwards, XS).to_numpy()
    assert "for i in range(4, -1, -1):" in text
    assert "x = xs[i]" in text
