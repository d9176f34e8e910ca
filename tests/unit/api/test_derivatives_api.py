"""grad, value_and_grad, vjp, jvp, jacobian, hessian: arguments, structures, dtypes, errors."""

import math
from typing import NamedTuple

import numpy as np
import pytest

import bital
from bital.errors import ArgumentError, DifferentiationError, ShapeError


class Layer(NamedTuple):
    w: object
    b: object


def quadratic(x, y):
    return np.sum(x * x) + 3.0 * np.sum(x * y)


X, Y = np.array([1.0, 2.0]), np.array([5.0, 7.0])


class TestArguments:
    @pytest.mark.parametrize("argnums", [0, -2, [0], (0,), (-2,)])
    def test_argnums_of_the_first(self, argnums):
        got = bital.grad(quadratic, argnums)(X, Y)
        expected = 2 * X + 3 * Y
        if isinstance(argnums, int):
            np.testing.assert_array_equal(got, expected)
        else:
            assert type(got) is tuple
            np.testing.assert_array_equal(got[0], expected)

    @pytest.mark.parametrize("argnums", [(0, 1), (1, 0), (-1, 0), [0, -1]])
    def test_argnums_keep_their_order(self, argnums):
        expected = {0: 2 * X + 3 * Y, 1: 3 * X}
        got = bital.grad(quadratic, argnums)(X, Y)
        for number, gradient in zip(argnums, got, strict=True):
            np.testing.assert_array_equal(gradient, expected[number % 2])

    @pytest.mark.parametrize("argnums", [2, -3, (0, 2), "x", 1.0, (0.0,)])
    def test_argnums_that_do_not_exist(self, argnums):
        with pytest.raises(ArgumentError, match=r"argnums=.*quadratic.*2 positional"):
            bital.grad(quadratic, argnums)(X, Y)

    def test_no_arguments_chosen(self):
        assert bital.value_and_grad(quadratic, ())(X, Y)[1] == ()

    def test_keyword_arguments_pass_through(self):
        def f(x, *, scale, name="a"):
            assert name == "b"
            return scale * np.sum(x)

        assert bital.grad(f)(X, scale=3.0, name="b").tolist() == [3.0, 3.0]
        assert bital.value_and_grad(f)(X, scale=3.0, name="b")[0] == 9.0
        assert bital.jacobian(f)(X, scale=3.0, name="b").tolist() == [3.0, 3.0]
        assert bital.hessian(f)(X, scale=3.0, name="b").tolist() == [[0, 0], [0, 0]]

    def test_other_arguments_may_be_anything(self):
        def f(x, mode, table):
            return np.sum(x) * {"double": 2.0}[mode] * table["n"]

        assert bital.grad(f)(X, "double", {"n": 3}).tolist() == [6.0, 6.0]

    def test_has_aux(self):
        def f(x):
            return np.sum(x * x), {"doubled": x * 2, "count": 3, "none": None}

        gradient, aux = bital.grad(f, has_aux=True)(X)
        np.testing.assert_array_equal(gradient, 2 * X)
        np.testing.assert_array_equal(aux["doubled"], 2 * X)
        assert aux["count"] == 3
        assert aux["none"] is None
        (value, aux2), gradient2 = bital.value_and_grad(f, has_aux=True)(X)
        assert value == 5.0
        np.testing.assert_array_equal(gradient2, gradient)
        assert aux2.keys() == aux.keys()

    def test_aux_is_not_differentiated_and_may_be_an_integer(self):
        f = bital.grad(lambda x: (np.sum(x), np.argmax(x)), has_aux=True)
        gradient, aux = f(X)
        assert gradient.tolist() == [1.0, 1.0]
        assert aux == 1

    def test_wrapped_functions_keep_their_names(self):
        for transform in (bital.grad, bital.value_and_grad, bital.jacobian, bital.hessian,
                          bital.jit, bital.vmap):  # fmt: skip
            assert transform(quadratic).__name__ == "quadratic"


class TestStructures:
    def test_nested_containers(self):
        params = {
            "layers": [Layer(np.ones((2, 2)), np.zeros(2)), (np.full((2, 1), 0.5), None)],
            "empty": {}, "nothing": None, "scale": 2.0, "more": (),
        }  # fmt: skip

        def f(p, x):
            (w, b), (v, _) = p["layers"]
            return np.sum((x @ w + b) @ v) * p["scale"]

        x = np.array([[1.0, 2.0], [3.0, 4.0]])
        gradient = bital.grad(f)(params, x)
        assert bital.tree.structure(gradient) == bital.tree.structure(params)
        assert type(gradient["layers"][0]) is Layer
        assert gradient["nothing"] is None
        np.testing.assert_array_equal(gradient["layers"][0].w, [[4.0, 4.0], [6.0, 6.0]])
        np.testing.assert_array_equal(gradient["layers"][0].b, [2.0, 2.0])
        np.testing.assert_array_equal(gradient["layers"][1][0], [[20.0], [20.0]])
        assert gradient["scale"] == 10.0

    def test_the_empty_tree(self):
        assert bital.grad(lambda p: 2.0 * np.ones(()))({}) == {}
        value, gradient = bital.value_and_grad(lambda p: np.float64(3.0))([])
        assert value == 3.0
        assert gradient == []

    def test_gradients_of_unused_arguments_are_zeros(self):
        gradient = bital.grad(lambda p: np.sum(p["a"]))({"a": X, "b": np.ones((2, 3), np.float32)})
        assert gradient["b"].shape == (2, 3)
        assert gradient["b"].dtype == np.float32
        assert not gradient["b"].any()

    def test_a_constant_function(self):
        assert bital.grad(lambda x: 3.0)(2.0) == 0.0
        assert bital.jvp(lambda x: 3.0, (2.0,), (1.0,)) == (3.0, 0.0)

    def test_results_in_any_structure(self):
        def f(x):
            return {"a": x * 2.0, "b": (None, [np.sum(x)])}

        value, pull_back = bital.vjp(f, X)
        assert value["b"][0] is None
        (ct,) = pull_back({"a": np.ones(2), "b": (None, [np.float64(10.0)])})
        np.testing.assert_array_equal(ct, [12.0, 12.0])
        value, slope = bital.jvp(f, (X,), (np.ones(2),))
        np.testing.assert_array_equal(slope["a"], [2.0, 2.0])
        assert slope["b"][1][0] == 2.0
        jacobian = bital.jacobian(f)(X)
        np.testing.assert_array_equal(jacobian["a"], 2 * np.eye(2))
        np.testing.assert_array_equal(jacobian["b"][1][0], [1.0, 1.0])


class TestDtypes:
    @pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
    def test_a_gradient_has_its_arguments_dtype(self, dtype):
        def f(x):
            return np.sum(np.tanh(x * 2.0 + 1) ** 2 / 3.0 - np.exp(-x).mean())

        x = np.linspace(-1, 1, 5).astype(dtype)
        for transform in (bital.grad(f), bital.jit(bital.grad(f)), bital.grad(bital.jit(f))):
            assert transform(x).dtype == dtype
        assert bital.value_and_grad(f)(x)[0].dtype == dtype
        assert bital.jacobian(f)(x).dtype == dtype
        assert bital.hessian(f)(x).dtype == dtype
        assert bital.jvp(f, (x,), (x,))[1].dtype == dtype

    def test_each_argument_keeps_its_own(self):
        w, x = np.ones(3, np.float32), np.ones(3, np.float64)
        dw, dx = bital.grad(lambda w, x: np.sum(w * x), argnums=(0, 1))(w, x)
        assert (dw.dtype, dx.dtype) == (np.float32, np.float64)

    def test_a_python_float_does_not_widen(self):
        x = np.ones(3, np.float32)
        for f in (lambda x, a: np.sum(x * a), lambda x, a: np.sum((x + a) / a - a)):
            for transform in (bital.grad, lambda f: bital.jit(bital.grad(f)),
                              lambda f: bital.grad(bital.jit(f))):  # fmt: skip
                assert transform(f)(x, 2.5).dtype == np.float32
        assert bital.jit(lambda x, a: x * a)(x, 2.5).dtype == np.float32
        assert bital.jit(lambda x, a: x * (a + 1) * 2)(x, 2).dtype == np.float32
        assert bital.jit(lambda x, a: x * a)(x, np.float64(2.5)).dtype == np.float64
        assert bital.jit(lambda x: bital.jit(lambda a: a + 1.0)(2.5) * x)(x).dtype == np.float32

    def test_the_gradient_of_a_python_float_is_float64(self):
        got = bital.grad(lambda a, x: np.sum(a * x))(2.0, np.ones(3, np.float32))
        assert got == 3.0
        assert np.asarray(got).dtype == np.float64


class TestErrors:
    @pytest.mark.parametrize(
        ("value", "shown"),
        [(3, "int64"), (np.arange(3), "int64"), (True, "bool"), (np.array([True]), "bool"),
         ({"a": [1.0, 2]}, r"argument .*\['a'\]\[1\] is int64")],
    )  # fmt: skip
    def test_integers_are_refused_with_what_to_write(self, value, shown):
        for transform in (bital.grad, bital.value_and_grad, bital.jacobian, bital.hessian):
            with pytest.raises(DifferentiationError, match=shown) as caught:
                transform(lambda x: 1.0)(value)
            assert "3.0 instead of 3" in str(caught.value)
        for call in (lambda: bital.vjp(lambda x: x, value),
                     lambda: bital.jvp(lambda x: x, (value,), (value,))):  # fmt: skip
            with pytest.raises(DifferentiationError, match="floating"):
                call()

    @pytest.mark.parametrize(
        "f", [lambda x: x * 2, lambda x: (np.sum(x), 1.0), lambda x: np.argmax(x), lambda x: None,
              lambda x: [np.sum(x)], lambda x: np.sum(x) > 0],
    )  # fmt: skip
    def test_a_value_that_is_no_scalar(self, f):
        for transform in (bital.grad, bital.value_and_grad):
            with pytest.raises(DifferentiationError, match=r"floating scalar.*has_aux.*jacobian"):
                transform(f)(X)

    @pytest.mark.parametrize("f", [lambda x: np.sum(x), lambda x: (1.0, 2.0, 3.0)])
    def test_has_aux_without_a_pair(self, f):
        for transform in (bital.grad, bital.value_and_grad):
            with pytest.raises(DifferentiationError, match="pair"):
                transform(f, has_aux=True)(X)
        with pytest.raises(DifferentiationError, match="returned"):
            bital.vjp(f, X, has_aux=True)

    @pytest.mark.parametrize(
        ("bad", "name"),
        [("text", "str"), (None.__class__, "type"), (object(), "object"),
         (np.array(["a"]), "ndarray"), (np.array([1.0, None]), "ndarray"), ({1, 2}, "set"),
         (np.ma.array([1.0, 2.0]), "MaskedArray"), (np.ones(2, ">f8"), "ndarray"),
         (np.ones(2, ">c16"), "ndarray"), (np.clongdouble(1), "clongdouble"),
         (np.datetime64("2026-01-01"), "datetime64"),
         (np.ones(2, np.longdouble), "ndarray"), (np.array(b"x"), "ndarray"),
         (np.zeros(2, [("a", float)]), "ndarray")],
        ids=lambda v: str(v)[:20],
    )  # fmt: skip
    def test_what_cannot_be_traced_is_named_with_its_place(self, bad, name):
        def f(p, *rest):
            return 1.0

        tree = {"w": [X, (bad,)]}
        calls = [
            lambda: bital.grad(f)(tree), lambda: bital.jit(f)(tree), lambda: bital.vjp(f, tree),
            lambda: bital.trace(f, tree), lambda: bital.jit(f)(X, tree),
        ]  # fmt: skip
        for call in calls:
            with pytest.raises(ArgumentError, match=r"\['w'\]\[1\]\[0\]") as caught:
                call()
            assert f"is a {name}" in str(caught.value)
            assert caught.value.__cause__ is not None
        with pytest.raises(ArgumentError, match=r"keyword argument \['k'\] is a"):
            bital.jit(f)(X, k=bad)

    def test_a_jitted_function_refuses_after_its_first_call_too(self):
        f = bital.jit(lambda x: x * 2)
        assert f(np.ones(2)).tolist() == [2.0, 2.0]
        for bad in (np.ma.array([1.0, 2.0], mask=[True, False]), np.ones(2, ">f8")):
            with pytest.raises(ArgumentError):
                f(bad)

    @pytest.mark.parametrize("bad", ["text", object(), {1, 2}, np.array([1j], ">c8"), len])
    def test_what_cannot_be_returned(self, bad):
        for transform in (bital.jit, lambda f: bital.vjp(f, X)):
            with pytest.raises(ArgumentError):
                transform(lambda x: {"a": [x, bad]})(X)

    def test_vjp_and_jvp_check_what_they_are_given(self):
        _, pull_back = bital.vjp(lambda x: (x, np.sum(x)), X)
        for wrong in (np.ones(2), (np.ones(3), 1.0), (np.ones(2),), (np.ones(2, np.float32), 1.0),
                      [np.ones(2), 1.0]):  # fmt: skip
            with pytest.raises(ShapeError, match="cotangent"):
                pull_back(wrong)
        for wrong in ((np.ones(3),), (np.ones(2), 1.0), (np.ones(2, np.float32),), ([np.ones(2)],)):
            with pytest.raises(ShapeError, match="tangent"):
                bital.jvp(np.sin, (X,), wrong)

    def test_jit_refuses_what_is_no_function(self):
        with pytest.raises(ArgumentError, match="takes a function, got ndarray"):
            bital.jit(X)
        for options in ({"static_argnums": -1}, {"static_argnums": 0, "donate_argnums": (0,)}):
            with pytest.raises(ArgumentError, match="different positions"):
                bital.jit(np.sin, **options)


class TestVjpAndJvp:
    def test_pull_back_many_times(self):
        y, pull_back = bital.vjp(lambda x, z: (x @ z, x), np.ones((2, 3)), np.ones((3, 2)))
        assert y[0].tolist() == [[3.0, 3.0], [3.0, 3.0]]
        for k in (1.0, 2.0):
            dx, dz = pull_back((np.full((2, 2), k), np.zeros((2, 3))))
            assert dx.tolist() == [[2 * k] * 3] * 2
            assert dz.tolist() == [[2 * k] * 2] * 3

    def test_integer_outputs_take_no_cotangent(self):
        y, pull_back = bital.vjp(lambda x: (x * 2.0, np.argmax(x)), X)
        assert y[1] == 1
        np.testing.assert_array_equal(pull_back((np.ones(2), 0))[0], [2.0, 2.0])

    def test_has_aux_of_vjp_and_jvp(self):
        _, pull_back, aux = bital.vjp(lambda x: (np.sin(x), x > 1), X, has_aux=True)
        np.testing.assert_array_equal(pull_back(np.ones(2))[0], np.cos(X))
        assert aux.tolist() == [False, True]
        _y, dy, aux = bital.jvp(lambda x: (np.sin(x), x > 1), (X,), (np.ones(2),), has_aux=True)
        np.testing.assert_array_equal(dy, np.cos(X))
        assert aux.tolist() == [False, True]

    def test_forward_and_reverse_are_transposes(self):
        rng = np.random.default_rng(0)
        w = rng.standard_normal((3, 4))

        def f(x):
            return np.tanh(w @ x) * np.sum(x)

        x, u, v = rng.standard_normal(4), rng.standard_normal(4), rng.standard_normal(3)
        _, slope = bital.jvp(f, (x,), (u,))
        (ct,) = bital.vjp(f, x)[1](v)
        assert slope @ v == pytest.approx(ct @ u, rel=1e-12)


class TestJacobians:
    @pytest.mark.parametrize(("rows", "columns"), [(2, 5), (5, 2), (3, 3), (1, 4), (4, 1)])
    def test_both_modes(self, rows, columns):
        rng = np.random.default_rng(0)
        a, x = rng.standard_normal((rows, columns)), rng.standard_normal(columns)
        np.testing.assert_allclose(
            bital.jacobian(lambda x: np.sin(a @ x))(x), np.cos(a @ x)[:, None] * a, rtol=1e-12
        )

    def test_shapes_are_output_then_argument(self):
        x = np.ones((2, 3))
        assert bital.jacobian(lambda x: x.T)(x).shape == (3, 2, 2, 3)
        assert bital.jacobian(np.sum)(x).shape == (2, 3)
        assert bital.jacobian(lambda x: x * 2)(1.0) == 2.0
        assert bital.hessian(lambda x: np.sum(x**3))(x).shape == (2, 3, 2, 3)

    def test_of_trees(self):
        j = bital.jacobian(lambda p: {"y": p[0] * p[1]["b"]})((X, {"b": Y}))
        np.testing.assert_array_equal(j["y"][0], np.diag(Y))
        np.testing.assert_array_equal(j["y"][1]["b"], np.diag(X))

    def test_argnums(self):
        jx, jy = bital.jacobian(lambda x, y: x * y, argnums=(0, 1))(X, Y)
        np.testing.assert_array_equal(jx, np.diag(Y))
        np.testing.assert_array_equal(jy, np.diag(X))
        h = bital.hessian(lambda x, y: np.sum(x * x * y), argnums=(0, 1))(X, Y)
        np.testing.assert_array_equal(h[0][0], np.diag(2 * Y))
        np.testing.assert_array_equal(h[0][1], np.diag(2 * X))
        np.testing.assert_array_equal(h[1][0], np.diag(2 * X))
        np.testing.assert_array_equal(h[1][1], np.zeros((2, 2)))

    def test_an_integer_output_has_none(self):
        with pytest.raises(DifferentiationError, match="int64"):
            bital.jacobian(lambda x: (x, np.argmax(x)))(X)

    def test_numbers_come_as_numpy_scalars(self):
        j, h = bital.jacobian(lambda x: (x * 2, 1.0))(1.0), bital.hessian(lambda x: x**3)(2.0)
        assert [type(v) for v in (*j, h)] == [np.float64] * 3

    def test_of_empty_arrays(self):
        assert bital.jacobian(lambda x: x * 2)(np.ones(0)).shape == (0, 0)
        assert bital.grad(lambda x: np.sum(x * 2))(np.ones((0, 3))).shape == (0, 3)

    def test_hessian_of_rosenbrock(self):
        def f(x):
            return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

        x = np.array([0.5, -1.0])
        a, b = x
        expected = [[1200 * a * a - 400 * b + 2, -400 * a], [-400 * a, 200.0]]
        inner, outer = bital.hessian(bital.jit(f)), bital.jit(bital.hessian(f))
        for h in (bital.hessian(f), inner, outer, bital.jit(inner), bital.jacobian(bital.grad(f))):
            np.testing.assert_allclose(h(x), expected, rtol=1e-12)


class TestControlFlowUnderGrad:
    def test_branches_loops_and_recursion(self):
        def f(x):
            if x > 2.0:
                return x * x
            total = x
            while total < 10.0:
                total = total * 3.0
            return total

        assert bital.grad(f)(3.0) == 6.0
        assert bital.grad(f)(1.0) == 27.0
        assert bital.grad(bital.grad(f))(3.0) == 2.0

        def power(x, n):
            return x * power(x, n - 1) if n else 1.0

        assert bital.grad(power)(2.0, 5) == 80.0

    def test_a_branch_on_an_outer_value_inside_an_inner_derivative(self):
        def f(x):
            return bital.grad(lambda y: y * y * x if x > 0 else y * 7.0)(3.0)

        assert bital.grad(f)(2.0) == 6.0
        assert f(-1.0) == 7.0

    def test_a_branch_on_an_inner_value(self):
        def f(x):
            return bital.grad(lambda y: y * y * x if y > x else y * 7.0)(x + 1.0)

        assert bital.grad(f)(2.0) == 10.0  # 2 (x + 1) x

    def test_masks_select_by_value_under_grad(self):
        def f(x):
            return np.sum(x[x > 1.5] ** 2)

        np.testing.assert_array_equal(bital.grad(f)(X), [0.0, 4.0])

    def test_each_call_takes_its_own_branch(self):
        df = bital.grad(lambda x: x * x if x > 0 else -x)
        assert [df(v) for v in (1.0, -1.0, 2.0, -2.0, 3.0)] == [2, -1, 4, -1, 6]


class TestStopGradient:
    def test_is_the_identity_on_values(self):
        p = {"a": X, "b": (2.0, None)}
        for f in (bital.stop_gradient, bital.jit(bital.stop_gradient)):
            out = f(p)
            np.testing.assert_array_equal(out["a"], X)
            assert out["b"] == (2.0, None)

    def test_every_derivative_is_zero(self):
        f = lambda x: np.sum(bital.stop_gradient(x) * x * x)  # noqa: E731
        np.testing.assert_array_equal(bital.grad(f)(X), 2 * X * X)
        np.testing.assert_array_equal(bital.jit(bital.grad(f))(X), 2 * X * X)
        assert bital.jvp(bital.stop_gradient, (2.0,), (1.0,)) == (2.0, 0.0)
        np.testing.assert_array_equal(
            bital.vmap(bital.grad(lambda x: x * bital.stop_gradient(x)))(X), X
        )

    def test_straight_through_rounding(self):
        f = lambda x: x + bital.stop_gradient(np.rint(x) - x)  # noqa: E731
        assert bital.value_and_grad(lambda x: 2.0 * f(x))(2.7) == (6.0, 2.0)


def test_numbers_that_are_hard():
    assert bital.grad(lambda x: np.where(x > 0, np.sqrt(np.where(x > 0, x, 1.0)), 0.0))(0.0) == 0.0
    assert bital.grad(lambda x: x**2)(0.0) == 0.0
    assert bital.grad(lambda x: np.abs(x))(0.0) == 0.0
    with np.errstate(over="ignore"):
        assert bital.grad(lambda x: x * 1e200 * 1e200)(0.0) == math.inf
