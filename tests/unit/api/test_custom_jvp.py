"""custom_jvp: the rule is used in both modes, to every order; wrong rules are told apart."""

import doctest
import functools

import numpy as np
import pytest

import bital
import bital.api.custom
from bital.errors import ArgumentError, DifferentiationError, ShapeError

X = np.array([0.5, -1.5, 2.0])


def scaled(factor=10.0):
    """sin whose derivative is said to be factor * cos."""
    f = bital.custom_jvp(np.sin)
    f.defjvp(lambda p, t: (np.sin(p[0]), factor * np.cos(p[0]) * t[0]))
    return f


def test_docstrings():
    names = {"np": np, "grad": bital.grad, "jvp": bital.jvp, "stop_gradient": bital.stop_gradient}
    assert doctest.testmod(bital.api.custom, extraglobs=names).failed == 0


class TestUse:
    def test_values_are_the_functions(self):
        f = scaled()
        for g in (f, bital.jit(f), bital.vmap(f), lambda x: bital.vjp(f, x)[0]):
            np.testing.assert_array_equal(g(X), np.sin(X))

    @pytest.mark.parametrize(
        "make",
        [
            lambda f: bital.grad(lambda x: np.sum(f(x))),
            lambda f: bital.jit(bital.grad(lambda x: np.sum(bital.jit(f)(x)))),
            lambda f: bital.vmap(bital.grad(f)),
            lambda f: bital.grad(lambda x: np.sum(bital.vmap(f)(x))),
            lambda f: lambda x: bital.vjp(f, x)[1](np.ones(3))[0],
            lambda f: lambda x: bital.jvp(f, (x,), (np.ones(3),))[1],
            lambda f: bital.jit(lambda x: bital.jvp(f, (x,), (np.ones(3),))[1]),
            lambda f: lambda x: bital.linearize(f, x)[1](np.ones(3)),
            lambda f: lambda x: np.diag(bital.jacfwd(f)(x)),
            lambda f: lambda x: np.diag(bital.jacrev(f)(x)),
            lambda f: (
                lambda x: bital.grad(
                    lambda x: np.sum(bital.scan(lambda c, r: (c, f(r)), 0.0, x)[1])
                )(x)
            ),
        ],
    )
    def test_the_rule_is_used(self, make):
        np.testing.assert_allclose(make(scaled())(X), 10.0 * np.cos(X), rtol=1e-14)

    def test_further_derivatives_are_those_of_the_rule(self):
        f = scaled()
        total = lambda x: np.sum(f(x))  # noqa: E731
        expected = np.diag(-10.0 * np.sin(X))
        for make in (bital.hessian, lambda f: bital.jit(bital.hessian(f)),
                     lambda f: bital.jacfwd(bital.jacfwd(f)), lambda f: bital.jacrev(bital.grad(f)),
                     lambda f: bital.jacrev(bital.jacfwd(f))):  # fmt: skip
            np.testing.assert_allclose(make(total)(X), expected, rtol=1e-14)

    def test_both_modes_agree(self):
        f = bital.custom_jvp(lambda x, y: (np.sin(x) * y, x**2))

        @f.defjvp
        def rule(primals, tangents):
            (x, y), (dx, dy) = primals, tangents
            return f(x, y), (np.cos(x) * y * dx + np.sin(x) * dy, 2 * x * dx)

        g = lambda x, y: np.sum(f(x, y)[0] * f(y, x)[1])  # noqa: E731
        bital.check_grads(g, (X, X[::-1].copy()), order=2)

    @pytest.mark.parametrize("jit", [lambda f: f, bital.jit])
    def test_a_rule_that_calls_the_function_is_used_to_the_second_derivative(self, jit):
        """f' is said to be 2 f, so f'' = 4 f; as it is written, the function is constant."""
        f = bital.custom_jvp(lambda x: 3.0 + 0.0 * x)
        f.defjvp(lambda p, t: (f(p[0]), 2.0 * f(p[0]) * t[0]))
        g = bital.custom_vjp(lambda x: 3.0 + 0.0 * x)
        g.defvjp(lambda x: (g(x), x), lambda x, ct: (2.0 * g(x) * ct,))
        for each in (f, g):
            assert jit(bital.grad(each))(1.0) == 6.0
            assert jit(bital.grad(bital.grad(each)))(1.0) == 12.0

    def test_a_safe_derivative_stays_safe_to_second_order(self):
        """The norm, whose derivative at 0 is said to be 0."""
        norm = bital.custom_jvp(lambda x: np.sqrt(np.sum(x * x)))

        @norm.defjvp
        def rule(primals, tangents):
            (x,), (dx,) = primals, tangents
            y = norm(x)
            safe = np.where(y > 0, y, 1.0)
            return y, np.where(y > 0, np.sum(x / safe * dx), 0.0)

        for jit in (lambda f: f, bital.jit):
            np.testing.assert_array_equal(jit(bital.grad(norm))(np.zeros(2)), [0.0, 0.0])
            assert np.isfinite(jit(bital.hessian(norm))(np.zeros(2))).all()
        x = np.array([3.0, 4.0])
        np.testing.assert_allclose(bital.grad(norm)(x), [0.6, 0.8])
        want = (np.eye(2) - np.outer(x, x) / 25.0) / 5.0
        np.testing.assert_allclose(bital.hessian(norm)(x), want, atol=1e-15)

    def test_trees_integers_and_dtypes(self):
        @bital.custom_jvp
        def f(p, i):
            return {"y": p["w"] * 2.0, "i": i + 1}

        @f.defjvp
        def rule(primals, tangents):
            (p, i), (dp, di) = primals, tangents
            assert di.dtype == np.int64
            return f(p, i), {"y": dp["w"] * 7.0, "i": 0.0}

        x = X.astype(np.float32)
        dp = bital.jit(bital.grad(lambda p, i: np.sum(f(p, i)["y"])))({"w": x}, np.int64(2))
        assert dp["w"].dtype == np.float32
        assert dp["w"].tolist() == [7.0] * 3
        y, slope = bital.jvp(lambda x: f({"w": x}, 1), (x,), (x,))
        assert y["i"] == 2
        np.testing.assert_array_equal(slope["y"], 7 * x)

    def test_only_some_arguments_move(self):
        f = bital.custom_jvp(lambda x, y: x * y)
        f.defjvp(lambda p, t: (p[0] * p[1], 2 * p[1] * t[0] + 3 * p[0] * t[1]))
        assert bital.grad(f, 0)(3.0, 5.0) == 10.0
        assert bital.grad(f, 1)(3.0, 5.0) == 9.0
        assert bital.jvp(lambda y: f(3.0, y), (5.0,), (1.0,))[1] == 9.0

    def test_a_rule_for_each_argument(self):
        f = bital.custom_jvp(lambda x, y, z: x * y + z)
        f.defjvps(lambda t, out, x, y, z: 10 * y * t, None, lambda t, out, x, y, z: out * t)
        got = bital.grad(f, (0, 1, 2))(3.0, 5.0, 1.0)
        assert got == (50.0, 0.0, 16.0)
        f.defjvps(None, None, None)
        assert bital.grad(f)(3.0, 5.0, 1.0) == 0.0

    def test_keywords_are_put_in_their_places(self):
        f = bital.custom_jvp(lambda x, scale=2.0: x * scale)
        f.defjvp(lambda p, t: (p[0] * p[1], 5.0 * t[0]))
        assert bital.grad(lambda x: f(x, scale=3.0))(1.0) == 5.0
        assert bital.grad(lambda x: f(scale=3.0, x=x))(1.0) == 5.0
        g = bital.custom_jvp(lambda x, *, k: x)
        with pytest.raises(ArgumentError, match=r"keywords \['k'\]"):
            bital.grad(lambda x: g(x, k=1.0))(1.0)

    def test_arguments_that_are_not_traced(self):
        """A function of a function: the root of f, by the implicit function theorem."""

        @functools.partial(bital.custom_jvp, nondiff_argnums=(0, 2))
        def root(f, a, steps):
            x = a
            for _ in range(steps):
                x = x - f(x, a) / bital.jvp(lambda x: f(x, a), (x,), (1.0,))[1]
            return x

        @root.defjvp
        def rule(f, steps, primals, tangents):
            (a,), (da,) = primals, tangents
            x = root(f, a, steps)
            by_x, by_a = bital.grad(f, (0, 1))(x, a)
            return x, -by_a / by_x * da

        square = lambda x, a: x * x - a  # noqa: E731
        for jit in (lambda f: f, bital.jit):
            value, slope = jit(bital.value_and_grad(lambda a: root(square, a, 8)))(2.0)
            np.testing.assert_allclose((value, slope), (2**0.5, 0.5 / 2**0.5), rtol=1e-12)
        second = bital.grad(bital.grad(lambda a: root(square, a, 8)))(2.0)
        np.testing.assert_allclose(second, -0.25 * 2**-1.5, rtol=1e-10)

        g = bital.custom_vjp(lambda how, x: how(x), nondiff_argnums=(0,))
        g.defvjp(lambda how, x: (how(x), x), lambda how, x, ct: (10.0 * how(x) * ct,))
        assert bital.grad(lambda x: g(np.exp, x))(0.0) == 10.0
        h = bital.custom_jvp(lambda how, x, y: how(x) * y, nondiff_argnums=(0,))
        h.defjvps(lambda t, out, how, x, y: 10 * t, lambda t, out, how, x, y: how(x) * t)
        assert bital.grad(lambda x: h(np.exp, x, x))(0.0) == 11.0
        with pytest.raises(ArgumentError, match=r"nondiff_argnums=\(-1,\)"):
            bital.custom_jvp(np.sin, nondiff_argnums=(-1,))

    def test_plain_arrays_run_the_function_itself(self):
        calls = []
        f = bital.custom_jvp(lambda x: calls.append(type(x)) or x)
        f(X)
        assert calls == [np.ndarray]


class TestErrors:
    def test_no_rule(self):
        f = bital.custom_jvp(lambda x: x * 1.0)
        with pytest.raises(DifferentiationError, match=r"without rules.*defjvp\(rule\)"):
            bital.grad(f)(2.0)

    @pytest.mark.parametrize(
        ("rule", "error", "message"),
        [
            (lambda p, t: t[0], DifferentiationError, "must return a pair"),
            (lambda p, t: (p[0], t[0], t[0]), DifferentiationError, "must return a pair"),
            (lambda p, t: ((p[0],), t[0]), ShapeError, "the outputs have the structure"),
            (lambda p, t: (p[0], t), ShapeError, "the output tangents have the structure"),
            (lambda p, t: (p[0], np.sum(t[0])), ShapeError, r"tangents is float64\[\], needed"),
            (lambda p, t: (np.sum(p[0]), t[0]), ShapeError, r"outputs is float64\[\], needed"),
        ],
    )
    def test_a_wrong_rule(self, rule, error, message):
        f = bital.custom_jvp(np.sin)
        f.defjvp(rule)
        for transform in (bital.grad, lambda f: bital.jit(bital.grad(f))):
            with pytest.raises(error, match=message):
                transform(lambda x: np.sum(f(x)))(X)

    def test_a_rule_that_is_not_linear_has_no_reverse_mode(self):
        f = bital.custom_jvp(np.sin)
        f.defjvp(lambda p, t: (np.sin(p[0]), np.tanh(t[0])))
        assert bital.jvp(f, (1.0,), (1.0,))[1] == np.tanh(1.0)
        with pytest.raises(DifferentiationError, match="must be linear"):
            bital.grad(f)(1.0)

    def test_closing_over_a_traced_value(self):
        def total(x):
            f = bital.custom_jvp(np.sin)
            f.defjvp(lambda p, t: (np.sin(p[0]), t[0] * x))
            return np.sum(f(2.0 * x))

        with pytest.raises(DifferentiationError, match="closes over a traced value"):
            bital.grad(total)(X)

    def test_an_argument_that_cannot_be_traced(self):
        f = bital.custom_jvp(lambda x, how: x)
        f.defjvp(lambda p, t: (p[0], t[0]))
        with pytest.raises(ArgumentError, match=r"argument \[1\] is a str"):
            bital.grad(lambda x: f(x, "fast"))(1.0)
