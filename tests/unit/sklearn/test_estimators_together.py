"""fit_many and cross_val_scores: as scikit-learn does it one by one."""

import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.model_selection import KFold, cross_val_score

from bital.errors import ArgumentError
from bital.sklearn import DNNClassifier, DNNRegressor, cross_val_scores, fit_many

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, Y = load_iris(return_X_y=True)
OPTIONS = {"max_iter": 5, "executor": "numpy"}


def classifiers():
    """Of three architectures; numbers, seeds and ways to stop differ."""
    return [
        DNNClassifier((8,), alpha=1e-2, random_state=0, **OPTIONS),
        DNNClassifier((8,), alpha=1.0, learning_rate_init=0.02, random_state=1, **OPTIONS),
        DNNClassifier((6, 5), dropout=0.2, random_state=2, **OPTIONS),
        DNNClassifier((8,), dropout=0.3, early_stopping=True, random_state=3, **OPTIONS),
        DNNClassifier((8,), dropout=0.1, early_stopping=True, random_state=4, **OPTIONS),
        DNNClassifier((8,), solver="lbfgs", random_state=5, **OPTIONS),
        DNNClassifier(
            (8,),
            solver="sgd",
            learning_rate="adaptive",
            tol=9.0,
            n_iter_no_change=1,
            random_state=6,
            **OPTIONS,
        ),
    ]


def test_scores_are_those_of_scikit_learns_loop():
    cv = KFold(3, shuffle=True, random_state=0)
    found = cross_val_scores(classifiers(), X, Y, cv=cv)
    wanted = [cross_val_score(estimator, X, Y, cv=cv) for estimator in classifiers()]
    np.testing.assert_allclose(found, wanted)


@pytest.mark.slow
def test_fitted_as_alone():
    rows = [np.arange(number, 150, 2) for number in (0, 1, 0, 1, 1, 0, 0)]
    weights = np.where(Y == 1, 2.0, 1.0)
    found = fit_many(classifiers(), X, Y, rows=rows, sample_weight=weights)
    for estimator, alone, own in zip(found, classifiers(), rows, strict=True):
        alone.fit(X[own], Y[own], sample_weight=weights[own])
        assert estimator.n_iter_ == alone.n_iter_
        assert estimator.t_ == alone.t_
        np.testing.assert_allclose(estimator.loss_curve_, alone.loss_curve_, rtol=1e-9)
        np.testing.assert_allclose(estimator.predict_proba(X), alone.predict_proba(X), atol=1e-9)
        assert clone(estimator).get_params() == estimator.get_params()


def test_tables_with_categories():
    table = {"number": np.linspace(0, 1, 60), "kind": np.array(["a", "b", "c"] * 20)}
    target = table["number"] + (table["kind"] == "b")
    several = [
        DNNRegressor(hidden_units=(4,), alpha=a, random_state=0, **OPTIONS) for a in (0.1, 0.2)
    ]
    alone = clone(several[1]).fit(table, target)
    fit_many(several, table, target)
    np.testing.assert_allclose(several[1].predict(table), alone.predict(table), rtol=1e-5)


def test_a_training_that_ends_in_no_numbers_has_no_score():
    x, y = load_diabetes(return_X_y=True)
    several = [
        DNNRegressor(hidden_units=(4,), solver="sgd", learning_rate_init=rate, **OPTIONS)
        for rate in (0.01, 1e200)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        found = cross_val_scores(several, x, y, cv=2)
        with pytest.raises(ValueError, match="non-finite"):
            fit_many(several, x, y)
    assert np.isfinite(found[0]).all()
    assert np.isnan(found[1]).all()
    assert several[0].n_iter_ == 5


def test_what_is_refused():
    estimator = DNNClassifier((8,), **OPTIONS)
    with pytest.raises(ArgumentError, match=r"estimators\[1\] is DNNClassifier.*once"):
        fit_many([estimator, estimator], X, Y)
    with pytest.raises(ArgumentError, match=r"estimators\[0\] is 3"):
        fit_many([3], X, Y)
    with pytest.raises(ArgumentError, match="2 entries for 1 estimators"):
        fit_many([estimator], X, Y, rows=[[0], [1]])
    with pytest.raises(ArgumentError, match="at least one"):
        cross_val_scores([], X, Y)
