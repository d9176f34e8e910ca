"""The same first weights, data and order: the networks walk as scikit-learn's own do."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_iris, load_linnerud, make_multilabel_classification
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import scale

from bital.sklearn import DNNClassifier, DNNRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

ROWS, BATCH = 96, 32  # whole batches: scikit-learn divides alpha by the size of each
SGD = {"solver": "sgd", "momentum": 0.0}
OPTIONS = {
    "sgd": {**SGD, "alpha": 0.0},
    "alpha": {**SGD, "alpha": 0.5},
    "weights": {**SGD, "alpha": 0.0},  # scikit-learn divides alpha by the weight of each batch
    "momentum": {"solver": "sgd", "nesterovs_momentum": False},
    "nesterov": {"solver": "sgd"},
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling", "power_t": 0.3},
    "adam": {"alpha": 0.1, "beta_1": 0.8},
    "tanh": {**SGD, "activation": "tanh"},
    "logistic": {**SGD, "activation": "logistic"},
    "identity": {"activation": "identity"},
}


def data(kind):
    x, y = {
        "multiclass": load_iris,
        "binary": load_iris,
        "multilabel": lambda **_: make_multilabel_classification(random_state=0),
        "regression": load_diabetes,
        "targets": load_linnerud,
    }[kind](return_X_y=True)
    rows = np.random.default_rng(0).integers(0, len(y), ROWS)
    x, y = scale(x)[rows], y[rows]
    if kind == "binary":
        y = np.array(["no", "yes"])[np.minimum(y, 1)]
    return x, y if kind in ("multiclass", "binary", "multilabel") else scale(y)


KINDS = ("binary", "multilabel", "regression", "targets")
CASES = [(name, "multiclass") for name in OPTIONS]
CASES += [(name, kind) for name in ("alpha", "weights", "adam") for kind in KINDS]


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_weights_are_those_of_scikit_learn(kind, name, monkeypatch):
    x, y = data(kind)
    classes = kind in ("multiclass", "binary", "multilabel")
    given = {"hidden_layer_sizes": (7, 5), "batch_size": BATCH, "shuffle": False, "max_iter": 4}
    defaults = {"alpha": 1e-4, "learning_rate": "constant", "learning_rate_init": 0.02}
    given = {**given, **defaults, **OPTIONS[name]}
    theirs = (MLPClassifier if classes else MLPRegressor)(**given)
    kind_of_ours = DNNClassifier if classes else DNNRegressor
    ours = kind_of_ours(**given, standardize=False, executor="numpy", random_state=0)
    weight = None
    if name == "weights":
        weight = np.random.default_rng(1).uniform(0.5, 2, ROWS)
    training = ours._begin(x, y, weight)
    first = [w.copy() for w in training.model.get_weights()]
    layers = iter(
        zip(*([w.copy() for w in part] for part in (first[::2], first[1::2])), strict=True)
    )
    monkeypatch.setattr(type(theirs), "_init_coef", lambda *_: next(layers))
    theirs.fit(x, y, **({} if weight is None else {"sample_weight": weight}))
    ours._run(training)

    for mine, start, right in zip(ours.coefs_, first[::2], theirs.coefs_, strict=True):
        np.testing.assert_allclose(mine, right, rtol=0, atol=1e-12)
        assert np.abs(mine - start).max() > 1e-4
    for mine, right in zip(ours.intercepts_, theirs.intercepts_, strict=True):
        np.testing.assert_allclose(mine, right, rtol=0, atol=1e-12)
    if not classes:
        np.testing.assert_allclose(ours.predict(x), theirs.predict(x), atol=1e-10)
    else:
        np.testing.assert_array_equal(ours.predict(x), theirs.predict(x))
        np.testing.assert_allclose(ours.predict_proba(x), theirs.predict_proba(x), atol=1e-12)
        np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-10)


def test_lbfgs_holds_nothing_out():
    """As in scikit-learn, where ``early_stopping`` belongs to the other solvers."""
    x, y = data("binary")
    first, second = (
        DNNClassifier((4,), solver="lbfgs", max_iter=8, early_stopping=early, random_state=0)
        for early in (False, True)
    )
    first.fit(x, y)
    second.fit(x, y)
    np.testing.assert_array_equal(first.coefs_[0], second.coefs_[0])
    assert second.validation_scores_ is None
