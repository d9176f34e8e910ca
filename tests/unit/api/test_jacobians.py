"""jacobian, jacfwd, jacrev, hessian and linearize: the mode, what is kept, aux, errors."""

import doctest

import numpy as np
import pytest

import bital
import bital.api.jacobians
from bital.errors import DifferentiationError, ShapeError
from bital.transforms import linearize

RNG = np.random.default_rng(0)
A, X = RNG.normal(size=(3, 4)), RNG.normal(size=4)


def f(p):
    y = np.tanh(A @ p["w"] * p["s"])
    return y, {"sum": np.sum(y * y)}


P = {"w": X, "s": 1.5}


def test_docstrings():
    assert doctest.testmod(bital.api.jacobians, extraglobs={"np": np}).failed == 0


def numerical(f, x, h=1e-6):
    """Central differences, a column for each element."""
    columns = [(f(x + h * e) - f(x - h * e)) / (2 * h) for e in np.eye(x.size)]
    return np.stack(columns, axis=-1)


@pytest.mark.parametrize("jit", [lambda f: f, bital.jit])
@pytest.mark.parametrize("mode", [bital.jacobian, bital.jacfwd, bital.jacrev])
def test_every_mode_as_finite_differences(mode, jit):
    j = jit(mode(f))(P)
    assert bital.tree.structure(j) == bital.tree.structure((P, {"sum": P}))
    for pick in (lambda out: out[0], lambda out: out[1]["sum"]):
        by_w = numerical(lambda w, pick=pick: pick(f({**P, "w": w})), X)
        by_s = numerical(lambda s, pick=pick: pick(f({**P, "s": s[0]})), np.array([1.5]))[..., 0]
        np.testing.assert_allclose(pick(j)["w"], by_w, atol=1e-8)
        np.testing.assert_allclose(pick(j)["s"], by_s, atol=1e-8)


@pytest.mark.parametrize(
    "both", [(bital.jacfwd, bital.jacrev), (bital.jacrev, bital.jacfwd), (bital.jacrev,) * 2,
             (bital.jacfwd,) * 2],
)  # fmt: skip
def test_hessians_by_every_two_modes(both):
    outer, inner = both
    g = lambda x: np.sum(np.sin(x) * x) + np.prod(x)  # noqa: E731
    np.testing.assert_allclose(outer(inner(g))(X), bital.hessian(g)(X), rtol=1e-12, atol=1e-12)


def test_the_mode_is_chosen_by_shape_and_by_what_can_be_run():
    """A while_loop has forward mode alone, a custom_vjp reverse mode alone."""

    def until(x):
        return bital.while_loop(lambda x: np.sum(x * x) < 10, lambda x: 1.5 * x, x)

    bital.jacobian(lambda x: until(x)[:1])(np.ones(3))
    with pytest.raises(DifferentiationError, match="while_loop"):
        bital.jacrev(until)(np.ones(3))
    rule = bital.custom_vjp(np.sin)
    rule.defvjp(lambda x: (np.sin(x), x), lambda x, ct: (np.cos(x) * ct,))
    bital.jacobian(rule)(1.0)
    with pytest.raises(DifferentiationError, match="custom vjp"):
        bital.jacfwd(rule)(1.0)


@pytest.mark.parametrize("mode", [bital.jacobian, bital.jacfwd, bital.jacrev, bital.hessian])
def test_aux(mode):
    def g(x, k):
        return np.sum(x**3), {"k": k, "index": np.argmax(x)}

    j, aux = mode(g, has_aux=True)(X, 7)
    np.testing.assert_allclose(j, mode(lambda x: np.sum(x**3))(X))
    assert aux == {"k": 7, "index": np.argmax(X)}
    with pytest.raises(DifferentiationError, match="has_aux=True"):
        mode(lambda x: np.sum(x), has_aux=True)(X)


def test_argnums():
    jx, jw = bital.jacfwd(lambda x, k, w: x * k * w, argnums=(0, -1))(2.0, 3, 5.0)
    assert (jx, jw) == (15.0, 6.0)
    hx, hw = bital.hessian(lambda x, w: x * x * w, argnums=(0, 1))(2.0, 3.0)
    assert (hx, hw) == ((6.0, 4.0), (4.0, 0.0))


def test_a_product_with_the_hessian_needs_no_hessian():
    g = lambda x: np.sum(np.sin(x) * x) + np.prod(x)  # noqa: E731
    v = RNG.normal(size=4)
    _, forward_over_reverse = bital.jvp(bital.grad(g), (X,), (v,))
    reverse_over_reverse = bital.grad(lambda x: np.sum(bital.grad(g)(x) * v))(X)
    np.testing.assert_allclose(forward_over_reverse, bital.hessian(g)(X) @ v, rtol=1e-12)
    np.testing.assert_allclose(reverse_over_reverse, forward_over_reverse, rtol=1e-12)


# --- linearize ------------------------------------------------------------------------------


def branching(p, h):
    def step(h, x):
        h = bital.cond(np.sum(h) > 0, lambda h: np.tanh(h * p["w"] + x), lambda h: h * x, h)
        return h, np.sum(h * h)

    h, ys = bital.scan(step, h, np.outer(np.arange(3.0), p["w"]))
    return {"h": bital.while_loop(lambda h: np.sum(h) < 5, lambda h: h * p["s"] + 1, h), "ys": ys}


@pytest.mark.parametrize("jit", [lambda f: f, bital.jit])
@pytest.mark.parametrize(
    ("g", "primals"), [(f, (P,)), (branching, (P, X)), (lambda p: 3.0 * A, (P,))]
)
def test_linearize_is_jvp_with_the_tangents_later(jit, g, primals):
    tangents = [bital.tree.map(lambda x: RNG.normal(size=np.shape(x)), primals) for _ in range(2)]

    def both(primals, tangents):
        y, push = bital.linearize(g, *primals)
        return y, [push(*each) for each in tangents]

    y, slopes = jit(both)(primals, tangents)
    for each, slope in zip(tangents, slopes, strict=True):
        wanted_y, wanted = bital.jvp(g, primals, each)
        for a, b in zip(
            bital.tree.leaves((y, slope)), bital.tree.leaves((wanted_y, wanted)), strict=True
        ):
            np.testing.assert_allclose(a, b, rtol=1e-12)


def test_the_function_runs_once():
    calls = []

    def g(x):
        calls.append(1)
        return np.sin(x)

    _, push = bital.linearize(g, X)
    basis = bital.vmap(push)(np.eye(4))
    np.testing.assert_allclose(basis, np.diag(np.cos(X)), rtol=1e-15)
    assert len(calls) == 1


def test_the_linear_half_computes_nothing_of_the_function():
    program = bital.trace(lambda x: np.exp(np.sin(x)), X)
    forward, linear = linearize(program, [True], 1)
    assert {e.primitive.name for e in linear.equations} == {"mul"}
    assert {"exp", "sin", "cos"} <= {e.primitive.name for e in forward.equations}


def test_derivatives_of_linearized_functions():
    total = lambda x: np.sum(bital.linearize(np.sin, x)[1](np.ones(4)))  # noqa: E731
    np.testing.assert_allclose(bital.grad(total)(X), -np.sin(X), rtol=1e-14)


def test_aux_and_errors_of_linearize():
    y, push, aux = bital.linearize(lambda x: (x * x, {"n": np.argmax(x)}), X, has_aux=True)
    assert aux == {"n": np.argmax(X)}
    np.testing.assert_allclose((y, push(np.ones(4))), (X * X, 2 * X))
    with pytest.raises(ShapeError, match=r"tangent is float64\[3\], needed is float64\[4\]"):
        push(np.ones(3))
    with pytest.raises(ShapeError, match="structure"):
        push((np.ones(4),))
    with pytest.raises(DifferentiationError, match="int64"):
        bital.linearize(np.sin, 1)
    rule = bital.custom_vjp(np.sin)
    rule.defvjp(lambda x: (np.sin(x), x), lambda x, ct: (np.cos(x) * ct,))
    with pytest.raises(DifferentiationError, match="custom vjp"):
        bital.linearize(rule, 1.0)
