"""custom_vjp: the rule is used in reverse, everywhere; wrong rules are told apart."""

import gc

import numpy as np
import pytest

import bital
from bital.api import recording
from bital.errors import DifferentiationError, ShapeError
from bital.program import subprograms

X = np.array([0.5, -1.5, 2.0])


def with_rule(f, forward, backward):
    g = bital.custom_vjp(f)
    g.defvjp(forward, backward)
    return g


def scaled(factor=10.0):
    """sin whose derivative is said to be factor * cos."""
    return with_rule(np.sin, lambda x: (np.sin(x), x), lambda x, ct: (factor * ct * np.cos(x),))


class TestUse:
    def test_values_are_the_functions(self):
        f = scaled()
        for g in (f, bital.jit(f), bital.vmap(f), lambda x: bital.vjp(f, x)[0]):
            np.testing.assert_array_equal(g(X), np.sin(X))

    @pytest.mark.parametrize(
        "make",
        [
            lambda f: bital.grad(lambda x: np.sum(f(x))),
            lambda f: bital.jit(bital.grad(lambda x: np.sum(f(x)))),
            lambda f: bital.grad(bital.jit(lambda x: np.sum(f(x)))),
            lambda f: bital.grad(lambda x: np.sum(bital.jit(f)(x))),
            lambda f: bital.vmap(bital.grad(f)),
            lambda f: bital.jit(bital.vmap(bital.grad(f))),
            lambda f: bital.grad(lambda x: np.sum(bital.vmap(f)(x))),
            lambda f: lambda x: bital.vjp(f, x)[1](np.ones(3))[0],
        ],
    )
    def test_the_rule_is_used(self, make):
        np.testing.assert_allclose(make(scaled())(X), 10.0 * np.cos(X), rtol=1e-14)

    def test_in_a_jacobian_of_few_outputs(self):
        np.testing.assert_allclose(
            bital.jacobian(lambda x: np.sum(scaled()(x)))(X), 10.0 * np.cos(X)
        )

    def test_in_a_square_jacobian(self):
        np.testing.assert_allclose(bital.jacobian(scaled())(X), np.diag(10.0 * np.cos(X)))
        np.testing.assert_allclose(bital.jacobian(scaled())(0.5), 10.0 * np.cos(0.5))

    def test_second_derivatives_are_those_of_the_rule(self):
        f = scaled()
        total = lambda x: np.sum(f(x))  # noqa: E731
        expected = np.diag(-10.0 * np.sin(X))
        np.testing.assert_allclose(bital.hessian(total)(X), expected)
        np.testing.assert_allclose(bital.jit(bital.hessian(total))(X), expected)
        np.testing.assert_allclose(bital.vmap(bital.grad(bital.grad(f)))(X), np.diag(expected))

    def test_a_rule_that_calls_the_function(self):
        f = bital.custom_vjp(lambda x: np.exp(x))
        f.defvjp(lambda x: (f(x), x), lambda x, ct: (ct * f(x),))
        assert bital.grad(f)(1.0) == pytest.approx(np.e)
        assert bital.grad(bital.grad(f))(1.0) == pytest.approx(np.e)
        assert bital.jit(bital.grad(bital.grad(f)))(1.0) == pytest.approx(np.e)

    def test_a_rule_with_branches_by_masks(self):
        f = with_rule(
            lambda x: np.maximum(x, 0.0),
            lambda x: (np.maximum(x, 0.0), x > 0),
            lambda mask, ct: (np.where(mask, ct, 0.25 * ct),),
        )
        np.testing.assert_array_equal(bital.vmap(bital.grad(f))(X), [1.0, 0.25, 1.0])

    def test_trees_several_arguments_and_none(self):
        def forward(p, x, n):
            return {"y": p["w"] * x}, (p["w"], [x])

        def backward(residuals, ct):
            w, (x,) = residuals
            return {"w": ct["y"] * x * 100.0}, ct["y"] * w, None

        f = with_rule(lambda p, x, n: {"y": p["w"] * x}, forward, backward)
        total = lambda p, x, n: np.sum(f(p, x, n)["y"])  # noqa: E731
        for g in (bital.grad(total, (0, 1, 2)), bital.jit(bital.grad(total, (0, 1, 2)))):
            dp, dx, dn = g({"w": X}, 2.0 * X, X)
            np.testing.assert_array_equal(dp["w"], 200.0 * X)
            np.testing.assert_array_equal(dx, X)
            np.testing.assert_array_equal(dn, np.zeros(3))

    def test_only_some_arguments_are_traced(self):
        f = with_rule(lambda x, y: x * y, lambda x, y: (x * y, (x, y)),
                      lambda r, ct: (ct * r[1] * 2.0, ct * r[0]))  # fmt: skip
        assert bital.grad(f, 0)(3.0, 5.0) == 10.0
        assert bital.grad(f, 1)(3.0, 5.0) == 3.0

    def test_integer_arguments_take_none(self):
        f = with_rule(lambda x, i: x[i] * 2.0, lambda x, i: (x[i] * 2.0, (x * 0, i)),
                      lambda r, ct: (_at(r[0], r[1], ct * 7.0), None))  # fmt: skip
        np.testing.assert_array_equal(bital.grad(lambda x: f(x, np.argmax(x)))(X), [0, 0, 7.0])
        np.testing.assert_array_equal(
            bital.jit(bital.grad(lambda x, i: f(x, i)))(X, np.int64(1)), [0, 7.0, 0]
        )

    def test_float32_stays(self):
        f = scaled()
        x = X.astype(np.float32)
        assert bital.grad(lambda x: np.sum(f(x)))(x).dtype == np.float32

    def test_plain_arrays_run_the_function_itself(self):
        calls = []
        f = bital.custom_vjp(lambda x: calls.append(type(x)) or x)
        f(X)
        assert calls == [np.ndarray]

    def test_methods_and_names(self):
        @bital.custom_vjp
        def documented(x):
            """Words."""
            return x

        assert (documented.__name__, documented.__doc__) == ("documented", "Words.")


def _at(zeros, i, value):
    zeros[i] = value
    return zeros


class TestErrors:
    def test_no_rules(self):
        f = bital.custom_vjp(lambda x: x * 1.0)
        assert f(2.0) == 2.0
        with pytest.raises(DifferentiationError, match="defvjp"):
            bital.grad(f)(2.0)

    @pytest.mark.parametrize(
        ("backward", "error", "message"),
        [
            (lambda r, ct: ct, DifferentiationError, "tuple of 1"),
            (lambda r, ct: (ct, ct), DifferentiationError, "tuple of 1"),
            (lambda r, ct: (), DifferentiationError, "tuple of 1"),
            (lambda r, ct: ((ct, ct),), ShapeError, "structure"),
            (lambda r, ct: (np.sum(ct),), ShapeError, r"float64\[\].*float64\[3\]"),
            (lambda r, ct: (np.stack([ct, ct]),), ShapeError, r"float64\[2,3\]"),
        ],
    )
    def test_a_wrong_backward(self, backward, error, message):
        f = with_rule(np.sin, lambda x: (np.sin(x), x), backward)
        for transform in (bital.grad, lambda f: bital.jit(bital.grad(f))):
            with pytest.raises(error, match=message):
                transform(lambda x: np.sum(f(x)))(X)

    @pytest.mark.parametrize("forward", [lambda x: np.sin(x), lambda x: ((np.sin(x), x), x)])
    def test_a_wrong_forward(self, forward):
        f = with_rule(np.sin, forward, lambda r, ct: (ct,))
        with pytest.raises(DifferentiationError, match=r"\(outputs, residuals\)"):
            bital.grad(lambda x: np.sum(f(x)))(X)

    @pytest.mark.parametrize("where", ["primal", "forward", "backward"])
    def test_closing_over_a_traced_value(self, where):
        def total(x):
            functions = {
                "primal": lambda y: np.sin(y), "forward": lambda y: (np.sin(y), y),
                "backward": lambda r, ct: (ct * np.cos(r),),
            }  # fmt: skip
            functions[where] = {
                "primal": lambda y: np.sin(y) * x, "forward": lambda y: (np.sin(y) * x, y),
                "backward": lambda r, ct: (ct * x,),
            }[where]  # fmt: skip
            f = with_rule(functions["primal"], functions["forward"], functions["backward"])
            return np.sum(f(2.0 * x))

        with pytest.raises(DifferentiationError, match="closes over a traced value"):
            bital.grad(total)(X)

    def test_forward_mode_has_no_rule(self):
        def slope(x):
            return bital.jvp(scaled(), (x,), (x,))[1]

        for g in (slope, bital.jit(slope), bital.grad(lambda x: np.sum(slope(x)))):
            with pytest.raises(DifferentiationError, match=r"forward mode.*bital\.vjp"):
                g(X)

    def test_an_error_in_a_rule_passes_and_leaves_the_function_usable(self):
        state = {"fail": True}

        def forward(x):
            if state["fail"]:
                raise KeyError("rule")
            return np.sin(x), x

        f = with_rule(np.sin, forward, lambda x, ct: (5.0 * ct,))
        with pytest.raises(KeyError, match="rule"):
            bital.grad(f)(1.0)
        state["fail"] = False
        assert bital.grad(f)(1.0) == 5.0


def test_check_grads_finds_a_wrong_rule():
    bital.check_grads(scaled(1.0), (X,), modes=("rev",))
    with pytest.raises(AssertionError, match="vjp of f"):
        bital.check_grads(scaled(1.01), (X,), modes=("rev",))


def test_constants_of_rules_stay_their_own_while_their_results_are_cached():
    """The cache names them by identity, which a freed array's successor would inherit."""
    for k in range(10):
        table = np.full(3, float(k))

        def scale(x, table=table):
            return x * table

        f = with_rule(scale, lambda x, s=scale: (s(x), None), lambda _, ct, s=scale: (s(ct),))
        gradient = bital.grad(lambda x, f=f: np.sum(f(x)))(np.ones(3))
        np.testing.assert_array_equal(gradient, table)
        del f
        gc.collect()
    programs = [program for _, program in list(recording._eager._compiled.values())[-10:]]
    inner = [each for program in programs for each in subprograms(program.equations[0])]
    ids = [id(array) for each in inner for array in each.constants.values()]
    assert len(ids) == len(set(ids)) == 30
