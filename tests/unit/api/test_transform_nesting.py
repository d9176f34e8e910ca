"""Transforms in any order, over closures of other transforms."""

import contextlib
import itertools

import numpy as np
import pytest

import bital

X = np.array([0.3, -0.7, 1.1])


def f(x):
    return np.sum(np.sin(x) * x) + np.prod(x)


def plain_gradient(x):
    return np.cos(x) * x + np.sin(x) + np.prod(x) / x


def second(x):
    """The derivative of sum(gradient): the Hessian's row sums."""
    p = np.prod(x)
    mixed = np.array([sum(p / (x[i] * x[j]) for j in range(3) if j != i) for i in range(3)])
    return 2 * np.cos(x) - np.sin(x) * x + mixed


def identity(g):
    return g


@pytest.mark.parametrize("place", list(itertools.product([identity, bital.jit], repeat=3)))
def test_jit_at_every_place_of_a_second_derivative(place):
    outer, middle, inner = place
    g = outer(bital.grad(middle(lambda x: np.sum(bital.grad(inner(f))(x)))))
    np.testing.assert_allclose(g(X), second(X), rtol=1e-12)
    np.testing.assert_allclose(g(X + 1), second(X + 1), rtol=1e-12)


def directional(x):
    """The gradient by forward mode, a coordinate at a time."""
    return np.stack([bital.jvp(f, (x,), (e,))[1] for e in np.eye(3)])


def pulled(x):
    return bital.vjp(f, x)[1](1.0)[0]


def jacobian_of(x):
    return bital.jacobian(f)(x)


GRADIENTS = {"grad": bital.grad(f), "jvp": directional, "vjp": pulled, "jacobian": jacobian_of}
OUTER = {
    "grad": lambda g: bital.grad(lambda x: np.sum(g(x))),
    "vjp": lambda g: lambda x: bital.vjp(g, x)[1](np.ones(3))[0],
    "jvp": lambda g: lambda x: np.stack([np.sum(bital.jvp(g, (x,), (e,))[1]) for e in np.eye(3)]),
    "jacobian": lambda g: lambda x: np.sum(bital.jacobian(g)(x), axis=0),
}


@pytest.mark.parametrize("jitted", ["none", "outer", "inner", "both"])
@pytest.mark.parametrize("inner", GRADIENTS)
@pytest.mark.parametrize("outer", OUTER)
def test_every_mode_over_every_mode(outer, inner, jitted):
    g = GRADIENTS[inner]
    if jitted in ("inner", "both"):
        g = bital.jit(g)
    h = OUTER[outer](g)
    if jitted in ("outer", "both"):
        h = bital.jit(h)
    np.testing.assert_allclose(h(X), second(X), rtol=1e-11)


@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
def test_higher_orders_of_a_power(order):
    g, expected = (lambda x: x**6), 1.0
    for k in range(order):
        g = bital.grad(g)
        expected *= 6 - k
    assert g(2.0) == pytest.approx(expected * 2.0 ** (6 - order), rel=1e-14)
    assert bital.jit(g)(2.0) == pytest.approx(expected * 2.0 ** (6 - order), rel=1e-14)


class TestVmap:
    BATCH = np.stack([X, X + 1.0, X - 2.0, X * 0.5])

    def rows(self, g):
        return np.stack([g(row) for row in self.BATCH])

    @pytest.mark.parametrize(
        "make",
        [
            lambda g: bital.vmap(g),
            lambda g: bital.jit(bital.vmap(g)),
            lambda g: bital.vmap(bital.jit(g)),
            lambda g: bital.jit(bital.vmap(bital.jit(g))),
            lambda g: bital.vmap(bital.vmap(lambda x, y: g(x) + 0 * y, in_axes=(None, 0))),
        ],
    )
    @pytest.mark.parametrize("name", ["f", "grad", "hessian"])
    def test_equals_a_loop(self, make, name):
        g = {"f": f, "grad": bital.grad(f), "hessian": bital.hessian(f)}[name]
        mapped = make(g)
        try:
            got = mapped(self.BATCH)
        except (TypeError, bital.errors.ShapeError):
            got = mapped(self.BATCH, np.ones((4, 1)))[:, 0]
        np.testing.assert_allclose(got, self.rows(g), rtol=1e-11)

    def test_a_derivative_of_a_mapped_function(self):
        total = bital.grad(lambda xs: np.sum(bital.vmap(f)(xs)))
        np.testing.assert_allclose(total(self.BATCH), self.rows(plain_gradient), rtol=1e-11)
        np.testing.assert_allclose(bital.jit(total)(self.BATCH), total(self.BATCH), rtol=1e-13)

    def test_jacobian_by_mapping_over_a_basis(self):
        def g(x):
            return np.tanh(x) * np.sum(x)

        _, pull_back = bital.vjp(g, X)
        np.testing.assert_allclose(bital.vmap(pull_back)(np.eye(3))[0], bital.jacobian(g)(X))

    def test_axes(self):
        a = np.arange(24.0).reshape(2, 3, 4)
        for axis in (0, 1, 2, -1):
            got = bital.vmap(lambda x: x * 2 + 1, in_axes=axis)(a)
            np.testing.assert_array_equal(got, np.moveaxis(a, axis, 0) * 2 + 1)
            back = bital.vmap(lambda x: x * 2, in_axes=axis, out_axes=axis)(a)
            np.testing.assert_array_equal(back, a * 2)

    def test_some_arguments_are_shared(self):
        got = bital.vmap(lambda p, x: x @ p["w"] + p["b"], in_axes=(None, 0))(
            {"w": np.ones((3, 2)), "b": 1.0}, self.BATCH
        )
        np.testing.assert_allclose(got, self.BATCH @ np.ones((3, 2)) + 1.0)

    def test_an_output_that_does_not_depend_is_repeated(self):
        got = bital.vmap(lambda x: (x, 3.0, np.ones(2)))(self.BATCH)
        assert got[1].tolist() == [3.0] * 4
        assert got[2].shape == (4, 2)

    def test_per_example_gradients(self):
        w = np.array([1.0, -2.0, 0.5])
        loss = lambda w, x: np.sum(np.tanh(w * x))  # noqa: E731
        got = bital.vmap(bital.grad(loss), in_axes=(None, 0))(w, self.BATCH)
        expected = np.stack([bital.grad(loss)(w, row) for row in self.BATCH])
        np.testing.assert_allclose(got, expected, rtol=1e-13)

    @pytest.mark.parametrize(
        ("axes", "args"),
        [(0, (np.ones(3), np.ones(4))), (0, (1.0, np.ones(3))), ((0,), (X, X)), (None, (X, X)),
         ((3, 0), (X, X)), (0, ())],
    )  # fmt: skip
    def test_errors(self, axes, args):
        with pytest.raises(bital.errors.ShapeError, match="vmap"):
            bital.vmap(lambda x, y: x * y, in_axes=axes)(*args)


class TestClosures:
    def test_perturbations_are_not_confused(self):
        """d/dx (x * d/dy (x + y)) = 1. (Siskind and Pearlmutter, IFL 2005.)"""

        def inner(g):
            return {
                "grad": lambda x: bital.grad(lambda y: x + y)(1.0),
                "jvp": lambda x: bital.jvp(lambda y: x + y, (1.0,), (1.0,))[1],
                "jit": lambda x: bital.jit(bital.grad(lambda y: x + y))(1.0),
            }[g]

        for name in ("grad", "jvp", "jit"):
            h = lambda x: x * inner(name)(x)  # noqa: B023, E731
            assert bital.grad(h)(2.0) == 1.0
            assert bital.jvp(h, (2.0,), (1.0,))[1] == 1.0
            assert bital.jit(bital.grad(h))(2.0) == 1.0

    def test_nested_products(self):
        """d/dx (x * d/dy (x * y * y)) at y = 3 is d/dx 6 x^2 = 12 x."""
        h = lambda x: x * bital.grad(lambda y: x * y * y)(3.0)  # noqa: E731
        assert bital.grad(h)(2.0) == 24.0
        assert bital.grad(bital.grad(h))(2.0) == 12.0
        assert bital.jit(bital.grad(bital.jit(h)))(2.0) == 24.0
        np.testing.assert_array_equal(bital.vmap(bital.grad(h))(X), 12 * X)

    @pytest.mark.parametrize("outer", ["grad", "jit", "vmap", "jvp", "vjp"])
    @pytest.mark.parametrize("inner", ["grad", "jit", "vmap", "jvp", "vjp", "jacobian"])
    def test_an_inner_function_closes_over_an_outer_value(self, outer, inner):
        def g(x):
            h = lambda y: np.sum(x * y * y)  # noqa: E731
            return {
                "grad": lambda: np.sum(bital.grad(h)(X)),
                "jit": lambda: bital.jit(h)(X),
                "vmap": lambda: np.sum(bital.vmap(h)(np.stack([X, X]))),
                "jvp": lambda: bital.jvp(h, (X,), (X,))[1],
                "vjp": lambda: np.sum(bital.vjp(h, X)[1](1.0)[0]),
                "jacobian": lambda: np.sum(bital.jacobian(h)(X)),
            }[inner]()

        slope = {
            "grad": 2 * X, "jit": X * X, "vmap": 2 * X * X, "jvp": 2 * X * X, "vjp": 2 * X,
            "jacobian": 2 * X,
        }[inner]  # fmt: skip
        value = np.sum(X * slope)
        if outer == "grad":
            np.testing.assert_allclose(bital.grad(g)(X), slope)
        elif outer == "jit":
            np.testing.assert_allclose(bital.jit(g)(X), value)
        elif outer == "vmap":
            np.testing.assert_allclose(bital.vmap(g)(np.stack([X, 2 * X])), [value, 2 * value])
        elif outer == "jvp":
            np.testing.assert_allclose(bital.jvp(g, (X,), (X,))[1], value)
        else:
            np.testing.assert_allclose(bital.vjp(g, X)[1](2.0)[0], 2 * slope)

    def test_three_levels(self):
        def g(x):
            def h(y):
                return bital.grad(lambda z: x * y * z * z)(y)

            return bital.grad(h)(x)

        # h(y) = 2 x y^2, h'(y) = 4 x y, g(x) = 4 x^2
        assert g(3.0) == 36.0
        assert bital.grad(g)(3.0) == 24.0
        assert bital.jit(bital.grad(bital.jit(g)))(3.0) == 24.0

    def test_pull_back_of_an_outer_trace(self):
        def g(x):
            y, pull_back = bital.vjp(lambda z: z * z * x, x)
            return pull_back(y)[0]  # 2 z x * (z^2 x) at z = x: 2 x^5

        assert g(2.0) == 64.0
        assert bital.grad(g)(2.0) == 160.0
        assert bital.jit(bital.grad(g))(2.0) == 160.0

    def test_a_closed_over_array_is_not_differentiated(self):
        a = np.array([1.0, 2.0, 3.0])
        np.testing.assert_array_equal(bital.grad(lambda x: np.sum(a * x))(X), a)

    def test_an_integer_of_the_outer_trace(self):
        def g(x):
            i = np.argmax(x)
            return bital.grad(lambda y: np.sum(y * y) * x[i])(x)[0]

        assert bital.grad(g)(X)[2] == pytest.approx(2 * X[0])
        assert bital.jit(bital.grad(g))(X)[2] == pytest.approx(2 * X[0])


class TestState:
    def test_errors_leave_no_trace_behind(self):
        from bital.numpy_language import current_trace
        from bital.program import current_builder

        def broken(x):
            bital.grad(lambda y: y * x * (1 // 0))(1.0)

        for transform in (bital.grad, bital.jit, bital.vmap, bital.jacobian,
                          lambda g: lambda x: bital.vjp(g, x)):  # fmt: skip
            for g in (broken, lambda x: x @ np.ones(7), lambda x: float(x), lambda x: {x: 1}):
                with pytest.raises((ZeroDivisionError, ValueError, TypeError)):
                    transform(g)(np.ones(3))
                assert current_trace() is None
                with pytest.raises(RuntimeError):
                    current_builder()
        assert bital.grad(f)(X) == pytest.approx(plain_gradient(X))

    def test_an_error_caught_inside_leaves_the_outer_trace_whole(self):
        def g(x):
            with contextlib.suppress(ZeroDivisionError):
                bital.grad(lambda y: y * (1 // 0))(x)
            with contextlib.suppress(ValueError):
                _ = x @ np.ones(7)
            return x * x

        assert bital.grad(g)(3.0) == 6.0

    def test_a_generator_or_callback_may_run_a_transform(self):
        gradients = (bital.grad(lambda y, k=k: y**k)(2.0) for k in range(1, 4))
        assert bital.jit(lambda x: sum(g * x for g in gradients))(1.0) == 1 + 4 + 12

    def test_recursion_of_a_jitted_function(self):
        @bital.jit
        def power(x):
            return x * (power(x[:-1]).sum() if len(x) > 1 else 1.0)

        def plain(x):
            return x * (plain(x[:-1]).sum() if len(x) > 1 else 1.0)

        np.testing.assert_allclose(power(X), plain(X))
        np.testing.assert_allclose(
            bital.grad(lambda x: power(x).sum())(X), bital.numerical_gradient(
                lambda x: plain(x).sum(), X), rtol=1e-6)  # fmt: skip
