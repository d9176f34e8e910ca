"""What scikit-learn does with estimators: searches, pipelines, ensembles, workers, metadata."""

import os
import pickle

import numpy as np
import pytest
import sklearn
from scipy import sparse
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import AdaBoostClassifier, BaggingRegressor, StackingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.feature_selection import RFE
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
    cross_val_predict,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.parallel import Parallel, delayed

from bital.sklearn import DNNClassifier, DNNRegressor, Perceptron

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def classifier(**options):
    return DNNClassifier(
        (8,), random_state=0, **{"max_iter": 15, "learning_rate_init": 0.02, **options}
    )


@pytest.fixture(scope="module")
def iris():
    x, y = load_iris(return_X_y=True)
    return x, np.array(["setosa", "versicolor", "virginica"])[y]


@pytest.mark.parametrize("kind", [GridSearchCV, RandomizedSearchCV, HalvingGridSearchCV])
def test_searches(iris, kind):
    space = {"learning_rate_init": [1e-5, 0.05], "activation": ["relu", "tanh"]}
    options = {
        GridSearchCV: {},
        RandomizedSearchCV: {"n_iter": 3, "random_state": 0},
        HalvingGridSearchCV: {"random_state": 0, "resource": "max_iter", "max_resources": 20},
    }[kind]
    search = kind(classifier(), space, cv=2, error_score="raise", **options).fit(*iris)
    assert search.best_params_["learning_rate_init"] == 0.05
    assert search.best_score_ > 0.8
    assert search.score(*iris) > 0.9
    assert list(search.classes_) == ["setosa", "versicolor", "virginica"]


def test_a_search_over_a_pipeline(iris):
    steps = make_pipeline(StandardScaler(), classifier(standardize=False))
    space = {"dnnclassifier__hidden_layer_sizes": [(4,), (8, 8)], "dnnclassifier__dropout": [0.1]}
    search = GridSearchCV(steps, space, cv=2, error_score="raise").fit(*iris)
    again = pickle.loads(pickle.dumps(search))
    np.testing.assert_array_equal(again.predict_proba(iris[0]), search.predict_proba(iris[0]))
    assert again.best_estimator_[-1].coefs_[0].shape[0] == 4


def test_a_trial_that_diverges_does_not_end_a_search():
    x, y = load_diabetes(return_X_y=True)
    trial = DNNRegressor(activation="identity", solver="sgd", max_iter=30, random_state=0)
    space = {"learning_rate_init": [1e3, 0.01]}
    with (
        pytest.warns(sklearn.exceptions.FitFailedWarning),
        pytest.warns(UserWarning, match="non-fin"),
    ):
        search = GridSearchCV(trial, space, cv=2).fit(x, y)
    assert search.best_params_ == {"learning_rate_init": 0.01}


def test_clones_learn_the_same(iris):
    first = classifier(dropout=0.2).fit(*iris)
    second = clone(first).fit(*iris)
    np.testing.assert_array_equal(first.predict_proba(iris[0]), second.predict_proba(iris[0]))
    assert clone(first).get_params() == first.get_params()


@pytest.mark.slow
def test_ensembles(iris):
    x, y = iris
    boosted = AdaBoostClassifier(classifier(max_iter=60), n_estimators=2).fit(x, y)
    stacked = StackingClassifier(
        [("net", classifier()), ("unit", Perceptron())], LogisticRegression(), cv=2
    ).fit(x, y)
    sure = CalibratedClassifierCV(classifier(), cv=2).fit(x, y)
    for ensemble in (boosted, stacked, sure):
        assert ensemble.score(x, y) > 0.8
    x, y = load_diabetes(return_X_y=True)
    network = DNNRegressor(hidden_units=8, learning_rate_init=0.02, max_iter=15, random_state=0)
    assert BaggingRegressor(network, 2, random_state=0).fit(x, y).score(x, y) > 0
    logarithms = TransformedTargetRegressor(network, func=np.log, inverse_func=np.exp)
    assert logarithms.fit(x, y).score(x, y) > 0


def test_looking_at_a_fitted_network(iris):
    x, y = iris
    chosen = RFE(Perceptron(), n_features_to_select=2).fit(x, y)
    assert chosen.support_.sum() == 2
    found = permutation_importance(classifier().fit(x, y), x, y, n_repeats=2, random_state=0)
    assert found.importances_mean.argmax() in (2, 3)  # the petals
    p = cross_val_predict(classifier(), sparse.csr_array(x), y, cv=3, method="predict_proba")
    np.testing.assert_allclose(p.sum(axis=1), 1)
    scores = cross_validate(
        classifier(), x, y, cv=3, scoring=["roc_auc_ovr", "neg_log_loss", "accuracy"]
    )
    assert scores["test_roc_auc_ovr"].min() > 0.8


def test_metadata_are_routed(iris):
    x, y = iris
    weight = np.where(y == "setosa", 0.0, 1.0)  # as if there were none
    with sklearn.config_context(enable_metadata_routing=True):
        network = classifier().set_fit_request(sample_weight=True)
        network.set_score_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        steps = make_pipeline(scaler, network)
        search = GridSearchCV(steps, {"dnnclassifier__alpha": [0.0]}, cv=3, error_score="raise")
        search.fit(x, y, sample_weight=weight)
        assert "setosa" not in search.predict(x)
        found = cross_validate(network, x, y, params={"sample_weight": weight}, cv=3)
        assert found["test_score"].min() > 0.7  # the setosas that are taken for others do not count
        units = Perceptron().set_partial_fit_request(sample_weight=True, classes=True)
        assert units.get_metadata_routing().partial_fit.requests["classes"] is True


def threads_of_a_worker():
    from threadpoolctl import threadpool_info

    from bital import config

    x, y = load_iris(return_X_y=True)
    classifier(max_iter=2, executor="native").fit(x, y)
    return config.num_threads(), max(pool["num_threads"] for pool in threadpool_info())


@pytest.mark.slow
def test_eight_workers_share_the_processors(monkeypatch, iris):
    for name in ("OMP_NUM_THREADS", "BITAL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    found = Parallel(n_jobs=8)(delayed(threads_of_a_worker)() for _ in range(8))
    each = max(1, (os.cpu_count() or 1) // 8)
    assert all(ours <= each and blas <= each for ours, blas in found), found
    space = {"alpha": [0.0, 0.1], "hidden_units": [(4,), (8,)]}
    together = GridSearchCV(classifier(), space, cv=2, n_jobs=8, error_score="raise").fit(*iris)
    alone = GridSearchCV(classifier(), space, cv=2, error_score="raise").fit(*iris)
    np.testing.assert_array_equal(
        together.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"]
    )
