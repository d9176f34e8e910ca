"""Transforms as JAX has them, in float64: axes, Jacobians, rules, loops, what is computed again."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import bital

jax = pytest.importorskip("jax")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

BITAL = SimpleNamespace(
    np=np,
    **{name: getattr(bital, name) for name in (
        "vmap", "grad", "jvp", "vjp", "linearize", "jacfwd", "jacrev", "hessian", "checkpoint",
        "custom_jvp", "custom_vjp", "scan", "cond", "while_loop", "fori_loop", "jit",
    )},
)  # fmt: skip
JAX = SimpleNamespace(
    np=jax.numpy,
    **{name: getattr(jax, name) for name in (
        "vmap", "grad", "jvp", "vjp", "linearize", "jacfwd", "jacrev", "hessian", "checkpoint",
        "custom_jvp", "custom_vjp", "jit",
    )},
    **{name: getattr(jax.lax, name) for name in ("scan", "cond", "while_loop", "fori_loop")},
)  # fmt: skip
RNG = np.random.default_rng(0)
X, Y, A = RNG.normal(size=3), RNG.normal(size=(4, 3)), RNG.normal(size=(3, 3))


@pytest.fixture(autouse=True)
def _double_precision() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


def trees(lib: Any) -> Any:
    def f(p: Any, x: Any) -> Any:
        return {"a": lib.np.tanh(p["w"] @ x) * p["b"], "s": (lib.np.sum(x) * p["b"],)}

    p = {"w": RNG_W, "b": RNG_W[0, :, 1]}
    once = lib.vmap(lambda x, w: (x * w, w), (0, None), (1, None))(Y, X)
    nested = lib.vmap(lib.vmap(lambda a, x: a @ x, (None, 0)), (2, None), -1)(RNG_W, Y)
    return lib.vmap(f, ({"w": 2, "b": -1}, None), {"a": -1, "s": 0})(p, X[:3]), once, nested


RNG_W = RNG.normal(size=(2, 3, 3))


def derivatives(lib: Any) -> Any:
    def f(p: Any) -> Any:
        return lib.np.tanh(A @ p["x"]) * p["s"], lib.np.sum(p["x"] ** 3)

    p = {"x": X, "s": 1.5}
    y, push = lib.linearize(f, p)
    return lib.jacfwd(f)(p), lib.jacrev(f)(p), y, push(p), lib.hessian(lambda p: f(p)[1])(p)


def complex_derivatives(lib: Any) -> Any:
    z = X + 1j * Y[0]
    return (
        lib.jacrev(lambda z: lib.np.abs(z) ** 2)(z),
        lib.jacfwd(lambda x: lib.np.exp(1j * x))(X),
        lib.jacfwd(lib.np.sin, holomorphic=True)(z),
        lib.jacrev(lib.np.sin, holomorphic=True)(z),
    )


def rules(lib: Any) -> Any:
    @lib.custom_jvp
    def f(x: Any, y: Any) -> Any:
        return lib.np.sin(x) * y

    @f.defjvp
    def rule(primals: Any, tangents: Any) -> Any:
        (x, y), (dx, dy) = primals, tangents
        out = f(x, y)
        return out, 3.0 * out * dx + lib.np.sin(x) * dy

    @functools.partial(lib.custom_vjp, nondiff_argnums=(0,))
    def g(how: Any, x: Any) -> Any:
        return how(x)

    g.defvjp(lambda how, x: (how(x), x), lambda how, x, ct: (5.0 * how(x) * ct,))
    total = lambda x: lib.np.sum(f(x, x * x) + g(lib.np.tanh, x))  # noqa: E731
    only = lambda x: lib.np.sum(f(x, x * x))  # noqa: E731
    return (
        lib.grad(total)(X),
        lib.jacrev(lib.grad(total))(X),
        lib.hessian(only)(X),
        lib.jvp(only, (X,), (X,)),
        lib.vmap(lib.grad(total))(Y),
    )


def loops(lib: Any) -> Any:
    def step(h: Any, x: Any) -> Any:
        h = lib.cond(lib.np.sum(h) > 0, lambda h: lib.np.tanh(A @ h), lambda h: h * x, h + x)
        return h, lib.np.sum(h * h)

    def f(h: Any, xs: Any) -> Any:
        h, ys = lib.scan(lib.checkpoint(step), h, xs, reverse=True)
        h = lib.fori_loop(0, 3, lambda i, h: lib.np.sin(h) + i, h)
        return lib.np.sum(h) + lib.np.sum(ys)

    def until(x: Any) -> Any:
        return lib.while_loop(lambda x: lib.np.sum(x * x) < 50, lambda x: x * 1.5 + 0.1, x)

    mapped = lib.vmap(until)(Y)
    pushed = lib.jvp(lib.vmap(until), (Y,), (Y + 1,))
    return lib.grad(f, (0, 1))(X, Y), lib.hessian(f)(X, Y), mapped, pushed


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("case", [trees, derivatives, complex_derivatives, rules, loops])
def test_agrees(case: Any, jit: bool) -> None:
    want = jax.tree.leaves(case(JAX))
    got = bital.tree.leaves(bital.jit(lambda: case(BITAL))() if jit else case(BITAL))
    assert len(got) == len(want) > 2
    for a, b in zip(got, want, strict=True):
        assert np.shape(a) == b.shape
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


def test_the_derivative_of_gamma_numbers() -> None:
    from bital.random import gammas

    a = np.array([1.0, 2.5, 30.0, 300.0, 1000.0])
    for scale in (0.9, 1.0, 1.1):
        want = jax.lax.random_gamma_grad(a, a * scale)
        np.testing.assert_allclose(gammas._slope(a, a * scale), want, rtol=1e-7)
