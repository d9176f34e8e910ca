"""numerical_gradient and check_grads: right on right functions, loud on wrong ones."""

import numpy as np
import pytest

import bital
from bital.errors import ArgumentError


def wrong(factor=2.0, shift=0.0, forward=np.sin):
    f = bital.custom_vjp(lambda x: forward(x))
    f.defvjp(lambda x: (forward(x), x), lambda x, ct: (factor * ct * np.cos(x) + shift,))
    return f


class TestNumericalGradient:
    def test_the_books_example(self):
        """f(x0, x1) = x0^2 + x1^2 at (3, 4), (0, 2) and (3, 0)."""
        f = lambda x: np.sum(x**2)  # noqa: E731
        for x in ([3.0, 4.0], [0.0, 2.0], [3.0, 0.0]):
            np.testing.assert_allclose(
                bital.numerical_gradient(f, np.array(x)), 2 * np.array(x), atol=1e-9
            )

    def test_numbers_and_integers(self):
        assert bital.numerical_gradient(lambda x: 0.01 * x**2 + 0.1 * x, 5) == pytest.approx(0.2)
        got = bital.numerical_gradient(lambda x: np.sum(x * x), np.array([3, 4]))
        np.testing.assert_allclose(got, [6.0, 8.0])
        assert got.dtype == np.float64
        assert type(bital.numerical_gradient(lambda x: x * x, 3.0)) is np.float64

    def test_nested(self):
        p = {"w": np.ones((2, 3), np.float32), "b": (1.0, None), "n": [np.array([2])]}
        got = bital.numerical_gradient(
            lambda p: np.sum(p["w"]) * p["b"][0] + np.sum(p["n"][0]) ** 2, p
        )
        assert bital.tree.structure(got) == bital.tree.structure(p)
        np.testing.assert_allclose(got["w"], np.ones((2, 3)), atol=1e-8)
        np.testing.assert_allclose(got["b"][0], 6.0)
        np.testing.assert_allclose(got["n"][0], [4.0])

    def test_x_stays_and_f_may_ruin_its_argument(self):
        x = np.array([1.0, 2.0, 3.0])

        def f(v):
            total = np.sum(v * v)
            v[...] = 1e9
            return total

        np.testing.assert_allclose(bital.numerical_gradient(f, x), 2 * x, atol=1e-7)
        assert x.tolist() == [1.0, 2.0, 3.0]
        x.flags.writeable = False
        np.testing.assert_allclose(bital.numerical_gradient(f, x), 2 * x, atol=1e-7)

    def test_float32_is_taken_in_float64(self):
        x = np.full(2, 1000.0, np.float32)
        np.testing.assert_allclose(
            bital.numerical_gradient(lambda v: np.sum(v * v), x), [2000, 2000], rtol=1e-8
        )

    @pytest.mark.parametrize("dtype", [np.float64, np.float32])
    def test_a_function_of_the_array_itself(self, dtype):
        """As the textbooks write it: the loss reads the weights and ignores its argument."""
        weights = {"W": np.array([[1.0, 2.0], [3.0, -1.0]], dtype), "b": np.ones(2, dtype)}

        def loss(ignored):
            return float(np.sum(weights["W"].astype(np.float64) ** 2) + 3.0 * weights["b"][0])

        got = bital.numerical_gradient(loss, weights["W"])
        np.testing.assert_allclose(got, 2.0 * weights["W"], rtol=1e-2)
        np.testing.assert_allclose(bital.numerical_gradient(loss, weights)["b"], [3, 0], rtol=1e-2)
        assert weights["W"].tolist() == [[1.0, 2.0], [3.0, -1.0]]

    def test_arrays_are_put_back_when_f_raises(self):
        x = np.array([1.0, 2.0])
        with pytest.raises(ZeroDivisionError):
            bital.numerical_gradient(lambda x: 1 / 0, x)
        assert x.tolist() == [1.0, 2.0]

    def test_the_error_is_of_second_order(self):
        for eps in (1e-2, 1e-3):
            got = bital.numerical_gradient(lambda x: x**3, 1.0, eps=eps)
            assert got - 3.0 == pytest.approx(eps**2, rel=1e-3)

    def test_a_result_of_one_element(self):
        for f in (lambda x: [x * x], lambda x: np.array([[x * x]]), lambda x: np.float32(x * x)):
            assert bital.numerical_gradient(f, 3.0) == pytest.approx(6.0, rel=1e-2)

    def test_empty(self):
        assert bital.numerical_gradient(lambda x: 1.0, np.ones((0, 2))).shape == (0, 2)
        assert bital.numerical_gradient(lambda x: 1.0, {}) == {}

    def test_errors(self):
        for eps in (0.0, -1.0, np.nan):
            with pytest.raises(ArgumentError, match="eps must be positive"):
                bital.numerical_gradient(lambda x: x, 1.0, eps=eps)
        for bad in ("a", None.__class__, np.array([None])):
            with pytest.raises(ArgumentError, match="not numbers"):
                bital.numerical_gradient(lambda x: 1.0, [1.0, bad])
        with pytest.raises(ArgumentError, match=r"one number, it returned .*\(2,\)"):
            bital.numerical_gradient(lambda x: x * 2, np.ones(2))

    def test_inside_a_trace_it_names_the_line(self):
        with pytest.raises(bital.errors.TracerConversionError, match=r"numerical_gradient[\s\S]*:"):
            bital.grad(lambda x: bital.numerical_gradient(np.sum, x).sum())(np.ones(2))


class TestCheckGrads:
    def test_right_functions_pass(self):
        x, y = np.array([0.3, -0.7]), np.array([[1.0, 2.0], [3.0, 4.0]])
        bital.check_grads(lambda x, y: np.tanh(y @ x) * np.sum(x), (x, y))
        bital.check_grads(lambda p: {"a": np.sin(p["x"]), "b": (p["x"] @ y,)}, ({"x": x},), order=3)
        bital.check_grads(lambda x: np.sum(x**3), (x.astype(np.float32),), order=1)
        bital.check_grads(lambda x: x * x, (2.0,))

    def test_returns_nothing(self):
        assert bital.check_grads(np.sin, (0.3,)) is None

    def test_a_wrong_rule_is_found_with_its_values(self):
        with pytest.raises(AssertionError) as caught:
            bital.check_grads(wrong(), (0.5,), modes=("rev",), order=1)
        message = str(caught.value)
        for part in ("vjp of f", "got ", "by central differences", "error ", "allowed ", "at ()"):
            assert part in message

    @pytest.mark.parametrize("factor", [0.0, -1.0, 1.001, np.nan, np.inf])
    def test_every_wrong_factor(self, factor):
        with np.errstate(all="ignore"), pytest.raises(AssertionError):
            bital.check_grads(wrong(factor), (np.array([0.5, 1.0]),), modes=("rev",))

    def test_a_wrong_second_derivative_is_found_at_order_two_only(self):
        """A rule that hides its dependence on x: the gradient is right, the Hessian zero."""
        f = bital.custom_vjp(lambda x: np.sin(x))
        f.defvjp(lambda x: (np.sin(x), bital.stop_gradient(x)), lambda x, ct: (ct * np.cos(x),))
        bital.check_grads(f, (0.5,), modes=("rev",), order=1)
        with pytest.raises(AssertionError, match=r"vjp\(f\)"):
            bital.check_grads(f, (0.5,), modes=("rev",), order=2)

    def test_a_wrong_forward_derivative_is_found_with_its_position(self):
        f = lambda x: bital.stop_gradient(x) * np.array([0.0, 0.0, 1.0])  # noqa: E731
        with pytest.raises(AssertionError, match=r"jvp of f, output 0: 1 of 3 .* at \(2,\)"):
            bital.check_grads(f, (np.ones(3),), modes=("fwd",))

    def test_the_index_of_the_output_is_named(self):
        f = lambda x: (x, bital.stop_gradient(x) * 2.0)  # noqa: E731
        with pytest.raises(AssertionError, match="output 1"):
            bital.check_grads(f, (1.0,), modes=("fwd",))

    def test_tolerances_can_be_set(self):
        bital.check_grads(wrong(1.001), (0.5,), modes=("rev",), order=1, rtol=1e-2, atol=1e-2)

    def test_the_same_seed_gives_the_same_answer(self):
        messages = []
        for _ in range(2):
            with pytest.raises(AssertionError) as caught:
                bital.check_grads(wrong(), (0.5,), modes=("rev",), seed=3)
            messages.append(str(caught.value))
        assert messages[0] == messages[1]

    def test_errors(self):
        for bad in ({"order": 0}, {"modes": ("forward",)}):
            with pytest.raises(ArgumentError, match="check_grads"):
                bital.check_grads(np.sin, (0.5,), **bad)
        for args in ((1,), (np.arange(3),), (), (True,)):
            with pytest.raises(ArgumentError, match="floating or complex arguments"):
                bital.check_grads(lambda *a: 1.0, args)
