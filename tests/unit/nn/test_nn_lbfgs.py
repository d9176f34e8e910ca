"""L-BFGS beside SciPy's, on functions whose lowest point is known or easy to check."""

import numpy as np
import pytest
from scipy.optimize import minimize

import bital
from bital.errors import ArgumentError
from bital.nn.optimizers import minimize_lbfgs

rng = np.random.default_rng(4)
A = rng.normal(size=(40, 12)) * np.geomspace(1, 30, 12)
B = rng.normal(size=40)
SIGNS = np.where(A @ rng.normal(size=12) + B > 0, 1.0, -1.0)


def least_squares(w):
    return 0.5 * np.mean(np.square(A @ w - B)) + 1e-3 * np.sum(w * w)


def logistic(w):
    return np.mean(np.logaddexp(0, -SIGNS * (A @ w))) + 1e-2 * np.sum(w * w)


def rosenbrock(w):
    return np.sum(100 * np.square(w[1:] - np.square(w[:-1])) + np.square(1 - w[:-1]))


@pytest.mark.parametrize(
    ("function", "start"),
    [(least_squares, np.zeros(12)), (logistic, np.zeros(12)), (rosenbrock, np.full(6, -1.0))],
)
def test_beside_scipy(function, start):
    slope = bital.value_and_grad(function)
    found = minimize_lbfgs(slope, start, max_iterations=500, tolerance=1e-7)
    options = {"gtol": 1e-7, "ftol": 1e-15, "maxiter": 500}
    theirs = minimize(slope, start, jac=True, method="L-BFGS-B", options=options)
    assert found.converged, found.message
    assert found.gradient_norm <= 1e-7
    assert found.value <= theirs.fun + 1e-9 * abs(theirs.fun)
    np.testing.assert_allclose(found.weights, theirs.x, rtol=1e-4, atol=1e-5)
    assert found.evaluations <= 2 * theirs.nfev + 20
    assert (np.diff(found.values) <= 0).all()


def test_containers_keep_their_form_and_dtypes():
    weights = {"a": np.ones((2, 2), np.float32), "b": [np.zeros(3)]}

    def loss(w):
        return np.sum(np.square(w["a"] - 3)) + np.sum(np.square(w["b"][0] + 1))

    compiled = bital.jit(bital.value_and_grad(loss), executor="numpy")
    found = minimize_lbfgs(compiled, weights)
    np.testing.assert_allclose(found.weights["a"], 3, atol=1e-5)
    np.testing.assert_allclose(found.weights["b"][0], -1, atol=1e-5)
    assert found.weights["a"].dtype == np.float32


def test_ends():
    slope = bital.value_and_grad(rosenbrock)
    few = minimize_lbfgs(slope, np.full(6, -1.0), max_iterations=3)
    assert (few.iterations, few.converged, len(few.values)) == (3, False, 4)
    told = []
    ended = minimize_lbfgs(slope, np.full(6, -1.0), callback=lambda n, v: told.append(v) or n == 2)
    assert told == ended.values[1:]
    assert len(told) == 2
    there = minimize_lbfgs(slope, np.ones(6))
    assert (there.iterations, there.converged) == (0, True)
    kink = minimize_lbfgs(bital.value_and_grad(lambda w: np.sum(np.abs(w))), np.array([0.3, -2.0]))
    assert kink.value < 0.3


def test_arguments():
    slope = bital.value_and_grad(rosenbrock)
    for options, named in [({"memory": 0}, "memory=0"), ({"tolerance": -1}, "tolerance=-1")]:
        with pytest.raises(ArgumentError, match=named):
            minimize_lbfgs(slope, np.ones(2), **options)
    with pytest.raises(ArgumentError, match="where it begins"):
        minimize_lbfgs(bital.value_and_grad(lambda w: np.sum(np.log(w))), np.array([0.0, 1.0]))


def test_the_evaluations_are_limited():
    value_and_gradient = bital.value_and_grad(lambda w: np.sum((1 - w) ** 4))
    found = minimize_lbfgs(value_and_gradient, np.full(6, -1.0), max_evaluations=5)
    assert not found.converged
    assert 5 <= found.evaluations < 30
    assert "evaluations" in found.message
