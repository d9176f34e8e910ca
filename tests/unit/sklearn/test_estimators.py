"""DNNClassifier and DNNRegressor: what they learn, and every parameter."""

from __future__ import annotations

import warnings

import numpy as np
import pandas
import polars
import pyarrow
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge

import bital
from bital import keras
from bital.errors import ArgumentError, DataError
from bital.keras import callbacks, losses, optimizers
from bital.sklearn import DNNClassifier, DNNRegressor

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
LABELS = np.where(X[:, 0] + X[:, 1] > 0, "yes", "no")
NUMBERS = 100 + 20 * X[:, 0] - 10 * X[:, 1]
FEW = {"hidden_units": 8, "max_iter": 3, "random_state": 0}

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(autouse=True)
def numpys_executor():
    with bital.config.executor("numpy"):
        yield


def same(one, two):
    return all(np.array_equal(a, b) for a, b in zip(one.coefs_, two.coefs_, strict=True))


# What is learnt ---------------------------------------------------------------------------


def test_labels_of_any_kind_and_probabilities_that_mean_them():
    model = DNNClassifier(random_state=0).fit(X, LABELS)
    assert model.score(X, LABELS) > 0.95
    assert list(model.classes_) == ["no", "yes"]
    chances = model.predict_proba(X)
    np.testing.assert_allclose(chances.sum(axis=1), 1)
    np.testing.assert_array_equal(model.predict(X), model.classes_[chances.argmax(axis=1)])
    np.testing.assert_allclose(model.predict_log_proba(X), np.log(chances))
    assert [w.shape for w in model.coefs_] == [(3, 100), (100, 1)]
    assert (model.n_layers_, model.n_outputs_, model.out_activation_) == (3, 1, "logistic")


def test_a_linear_classifier_is_logistic_regression():
    iris, kind = load_iris(return_X_y=True)
    iris = (iris - iris.mean(axis=0)) / iris.std(axis=0)
    model = DNNClassifier((), solver="lbfgs", alpha=1.0, max_iter=500, tol=1e-7).fit(iris, kind)
    truth = LogisticRegression(C=1.0, tol=1e-10, max_iter=1000).fit(iris, kind)
    np.testing.assert_allclose(model.predict_proba(iris), truth.predict_proba(iris), atol=2e-3)


def test_a_linear_regressor_is_ridge_regression():
    model = DNNRegressor(hidden_units=(), solver="lbfgs", alpha=0.0, tol=1e-9, max_iter=500)
    np.testing.assert_allclose(
        model.fit(X, NUMBERS).predict(X), Ridge(alpha=0).fit(X, NUMBERS).predict(X), rtol=1e-5
    )
    assert model.n_iter_ < 100
    assert model.loss_ < 1e-8


def test_several_targets():
    both = np.stack([NUMBERS, -3 * NUMBERS], axis=1)
    model = DNNRegressor(random_state=0, max_iter=400, learning_rate_init=0.01).fit(X, both)
    assert model.predict(X).shape == (60, 2)
    assert model.score(X, both) > 0.95
    flags = np.stack([X[:, 0] > 0, X[:, 1] > 0], axis=1).astype(int)
    model = DNNClassifier(random_state=0).fit(X, flags)
    assert model.score(X, flags) > 0.9
    assert model.predict_proba(X).shape == (60, 2)
    kinds = np.stack([np.digitize(X[:, 0], [-0.5, 0.5]), 5 + (X[:, 1] > 0)], axis=1)
    model = DNNClassifier(random_state=0, learning_rate_init=0.01).fit(X, kinds)
    assert np.mean(model.predict(X) == kinds) > 0.95
    assert [p.shape for p in model.predict_proba(X)] == [(60, 3), (60, 2)]
    assert model.score(X, kinds) == np.mean(np.all(model.predict(X) == kinds, axis=1)) > 0.9
    assert [list(c) for c in model.classes_] == [[0, 1, 2], [5, 6]]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("loss", "expected"),
    [("squared_error", 5.0), ("absolute_error", 1.0), ("huber", 1.5), ("quantile", 3.0)],
)
def test_losses_of_numbers_have_their_own_constants(loss, expected):
    # The best constant of each loss for the targets 0, 1, 1, 3, 20: mean, median, between, 0.75.
    y = np.repeat([0.0, 1.0, 1.0, 3.0, 20.0], 8)
    model = DNNRegressor(
        loss, (), quantile=0.75, delta=0.1, alpha=0, learning_rate_init=0.01, max_iter=400, tol=0
    )
    model.set_params(solver="rmsprop", learning_rate="cosine", random_state=0)
    found = model.fit(np.zeros((40, 1)), y).predict([[0.0]])[0]
    assert found == pytest.approx(expected, abs=0.5)


@pytest.mark.slow
def test_several_quantiles_at_once():
    model = DNNRegressor("quantile", quantile=[0.1, 0.9], max_iter=400, random_state=0)
    y = X[:, 0] + RNG.normal(size=60)
    low, high = model.set_params(learning_rate_init=0.01).fit(X, y).predict(X).T
    assert np.mean(low < high) > 0.9
    assert 0.6 < np.mean((low < y) & (y < high)) <= 1.0


@pytest.mark.slow
def test_poisson_counts():
    rate = np.exp(1 + X[:, 0])
    model = DNNRegressor("poisson", random_state=0, max_iter=300).fit(X, RNG.poisson(rate))
    assert np.all(model.predict(X) > 0)
    assert np.corrcoef(model.predict(X), rate)[0, 1] > 0.9
    with pytest.raises(ValueError, match="not negative"):
        model.fit(X, NUMBERS - 200)


def test_a_loss_of_ones_own_sees_targets_and_predictions_in_their_units():
    seen = []

    def loss(y_true, y_pred):
        seen.append(True)
        return np.mean(np.where(y_true > 100, 10.0, 1.0) * np.square(y_true - y_pred), axis=-1)

    model = DNNRegressor(loss, (), alpha=0, solver="lbfgs", tol=1e-9, max_iter=300).fit(
        np.zeros((60, 1)), NUMBERS
    )
    expected = np.average(NUMBERS, weights=np.where(NUMBERS > 100, 10.0, 1.0))
    assert seen
    assert model.predict([[0.0]])[0] == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
def test_losses_of_classes_by_name_object_and_function():
    def brier(y_true, y_pred):
        return np.sum(np.square(y_true - y_pred), axis=-1)

    kinds = np.digitize(X[:, 0], [-0.5, 0.5])
    for loss in ("categorical_focal_crossentropy", losses.CategoricalHinge(), brier):
        model = DNNClassifier(loss=loss, learning_rate_init=0.05, random_state=0, max_iter=60)
        assert model.fit(X, kinds).score(X, kinds) > 0.9


# The network ------------------------------------------------------------------------------


def test_layers_are_as_asked():
    model = DNNClassifier(
        hidden_units=(7, 5), activation=["tanh", np.arctan], dropout=[0.0, 0.5], max_iter=1
    ).fit(X, LABELS)
    first, second, drop, last = model.model_.layers
    assert (first.units, second.units, last.units) == (7, 5, 1)
    assert first.activation is keras.activations.tanh
    np.testing.assert_allclose(second.activation(np.ones(2)), np.arctan(np.ones(2)))
    assert drop.rate == 0.5
    same_names = {"identity": "linear", "logistic": "sigmoid", "relu": "relu"}
    for name, other in same_names.items():
        model = DNNClassifier(activation=name, max_iter=1).fit(X, LABELS)
        assert model.model_.layers[0].activation.__name__ == other


@pytest.mark.slow
def test_solvers():
    for solver in ("sgd", "adamw", optimizers.Lion(1e-3), "adam"):
        model = DNNClassifier(solver=solver, random_state=0).fit(X, LABELS)
        assert model.score(X, LABELS) > 0.8
        name = solver if isinstance(solver, str) else "lion"
        assert model.model_.optimizer.name == name
    given = optimizers.SGD(0.5)
    model = DNNClassifier(solver=given, max_iter=1).fit(X, LABELS)
    assert given.iterations == 0  # it is a parameter: fit works on one of its own
    assert model.model_.optimizer.learning_rate == 0.5


def test_learning_rates():
    def rates(**options):
        found = []
        note = callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, logs: found.append(model.model_.optimizer.learning_rate)
        )
        model = DNNClassifier(solver="sgd", learning_rate_init=0.1, tol=0, callbacks=[note])
        model.set_params(**options)
        model.model_ = None
        original = model._run
        model._run = lambda training: (setattr(model, "model_", training.model), original(training))
        del model.model_
        model.fit(X, LABELS)
        return found

    scaled = [0.1, *(0.1 / (60 * n + 1) ** 0.5 for n in (1, 2, 3))]
    assert rates(learning_rate="invscaling", max_iter=4) == pytest.approx(scaled)
    half = [0.05 * (1 + np.cos(np.pi * n / 4)) for n in range(4)]
    assert rates(learning_rate="cosine", max_iter=4) == pytest.approx(half)
    assert rates(max_iter=4) == pytest.approx(half)
    assert rates(max_iter=4, warm_start=True) == [half[0]] * 4
    adaptive = rates(learning_rate="adaptive", max_iter=12, tol=10.0, n_iter_no_change=2)
    assert adaptive[0] == 0.1
    assert adaptive[-1] < 0.1 / 20
    assert set(np.round(np.divide(adaptive[:-1], adaptive[1:]), 6)) == {1.0, 5.0}


def test_alpha_is_scikit_learns_penalty():
    model = DNNClassifier((4,), alpha=0.5, max_iter=1, batch_size=20).fit(X, LABELS)
    assert model.model_.layers[0].kernel_regularizer.l2 == pytest.approx(0.5 / 2 / 20)
    assert model.model_.layers[0].bias.regularizer is None
    model = DNNRegressor("squared_error", (4,), alpha=0.5, max_iter=1, batch_size=60)
    model.fit(X, NUMBERS)
    assert model.model_.layers[0].kernel_regularizer.l2 == pytest.approx(0.5 / 2 / 60)
    for copies, alpha in ((1, 0.1), (40, 100 / 2400)):
        model = DNNClassifier((4,), max_iter=1, batch_size=60)
        model.fit(np.tile(X, (copies, 1)), np.tile(LABELS, copies))
        assert model.model_.layers[0].kernel_regularizer.l2 == pytest.approx(alpha / 2 / 60)


def test_steps_and_batches():
    model = DNNClassifier(steps=7, batch_size=10, random_state=0).fit(X, LABELS)
    assert model.model_.optimizer.iterations in (7, 8)
    for copies, batches in ((1, 2), (8, 15), (200, 300)):  # of 30, 32 and 40 samples
        big = np.tile(X, (copies, 1)), np.tile(LABELS, copies)
        model = DNNClassifier(4, max_iter=2).fit(*big)
        assert model.model_.optimizer.iterations == 2 * batches
    with pytest.warns(UserWarning, match="batch_size"):
        DNNClassifier(batch_size=100, max_iter=1).fit(X, LABELS)


def test_the_executor_is_numpys_for_small_trainings_unless_named():
    small = DNNClassifier(max_iter=1)
    with bital.config.executor("numpy"):
        assert small.fit(X, LABELS).model_.executor is None  # the block has the word
    assert DNNClassifier(max_iter=1, executor="numpy").fit(X, LABELS).model_.executor == "numpy"


# Weights of samples -----------------------------------------------------------------------


def test_weights_of_samples_count_as_samples():
    counts = RNG.integers(0, 4, 60)
    repeated = np.repeat(np.arange(60), counts)
    for estimator, y in (
        (DNNClassifier(random_state=0, max_iter=30), LABELS),
        (DNNRegressor(random_state=0, max_iter=30), NUMBERS),
    ):
        one = clone(estimator).set_params(batch_size=np.count_nonzero(counts))
        one.fit(X, y, sample_weight=counts)
        two = clone(estimator).set_params(batch_size=len(repeated))
        two.fit(X[repeated], y[repeated])
        for a, b in zip(one.coefs_, two.coefs_, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-9)


def test_weights_of_classes():
    y = np.where(np.arange(60) < 54, "often", "rare")
    plain = DNNClassifier((), solver="lbfgs", alpha=0).fit(np.zeros((60, 1)), y)
    np.testing.assert_allclose(plain.predict_proba([[0]])[0, 1], 0.1, atol=1e-3)
    for weights in ("balanced", {"often": 1, "rare": 9}):
        model = clone(plain).set_params(class_weight=weights).fit(np.zeros((60, 1)), y)
        np.testing.assert_allclose(model.predict_proba([[0]])[0, 1], 0.5, atol=1e-3)
    with pytest.raises(ValueError, match="balanced"):
        DNNClassifier(class_weight="balanced").partial_fit(X, LABELS, classes=["no", "yes"])


# Validation, stopping, going on -----------------------------------------------------------


def test_validation_data_give_curves():
    model = DNNClassifier(**FEW).fit(X[:40], LABELS[:40], validation_data=(X[40:], LABELS[40:]))
    assert len(model.loss_curve_) == len(model.validation_loss_curve_) == 3
    assert model.validation_scores_[-1] == pytest.approx(model.score(X[40:], LABELS[40:]))
    reg = DNNRegressor(**FEW).fit(X[:40], NUMBERS[:40], validation_data=(X[40:], NUMBERS[40:]))
    assert reg.validation_scores_[-1] == pytest.approx(reg.score(X[40:], NUMBERS[40:]), abs=1e-6)
    assert set(reg.history_) == {"loss", "r2_score", "val_loss", "val_r2_score"}


def test_early_stopping_ends_with_the_best_weights():
    noise = RNG.choice(["a", "b"], 60)
    model = DNNClassifier(
        early_stopping=True, validation_fraction=0.3, n_iter_no_change=3, random_state=0
    ).fit(X, noise)
    assert model.n_iter_ < 200
    assert model.best_validation_score_ == max(model.validation_scores_)
    held = DNNClassifier(early_stopping=True, n_iter_no_change=3, random_state=0)
    held.fit(X[:40], noise[:40], validation_data=(X[40:], noise[40:]))
    assert held.score(X[40:], noise[40:]) == pytest.approx(held.best_validation_score_)
    by_loss = clone(held).set_params(monitor="val_loss")
    by_loss.fit(X[:40], noise[:40], validation_data=(X[40:], noise[40:]))
    found = by_loss.model_.evaluate(
        by_loss._inputs.transform(X[40:]), by_loss._encode_targets(noise[40:]), verbose=0
    )
    assert found[0] == pytest.approx(min(by_loss.validation_loss_curve_), rel=1e-5)


def test_partial_fit_stops_early_too():
    noise = RNG.choice(["a", "b"], 60)
    model = DNNClassifier(early_stopping=True, n_iter_no_change=2, tol=0.01, random_state=0)
    model.set_params(batch_size=40)
    given = {"classes": ["a", "b"], "validation_data": (X[40:], noise[40:])}
    for _ in range(40):
        model.partial_fit(X[:40], noise[:40], **given)
    count = len(model.loss_curve_)
    assert count < 40
    assert model.score(X[40:], noise[40:]) == pytest.approx(max(model.validation_scores_))
    assert model.model_.optimizer.iterations == count


def test_epochs_of_partial_fit_and_of_warm_starts_are_those_of_fit():
    whole = DNNClassifier(**{**FEW, "max_iter": 4}, batch_size=16, dropout=0.3)
    whole.set_params(learning_rate="constant").fit(X, LABELS)
    parts = clone(whole)
    for _ in range(4):
        parts.partial_fit(X, LABELS, classes=["no", "yes"])
    assert same(whole, parts)
    assert len(parts.model_._programs["train_many"]._entries) == 1  # one recording for all
    warm = clone(whole).set_params(warm_start=True, max_iter=1)
    for _ in range(4):
        warm.fit(X, LABELS)
    assert same(whole, warm)
    assert warm.loss_curve_ == pytest.approx(whole.loss_curve_)
    assert warm.model_.optimizer.iterations == 16
    with pytest.raises(ValueError, match="same classes"):
        warm.fit(X, np.where(LABELS == "no", "other", "yes"))


def test_partial_fit_names_what_is_missing():
    with pytest.raises(ValueError, match="classes must be passed"):
        DNNClassifier().partial_fit(X, LABELS)
    model = DNNClassifier(**FEW).partial_fit(X, LABELS, classes=["no", "yes"])
    with pytest.raises(ValueError, match="not the same as on last call"):
        model.partial_fit(X, LABELS, classes=["no", "perhaps", "yes"])
    assert not hasattr(DNNClassifier(solver="lbfgs"), "partial_fit")


def test_callbacks_are_kerass(tmp_path):
    log = tmp_path / "log.csv"
    stop = callbacks.EarlyStopping("loss", patience=0, min_delta=10.0)
    model = DNNClassifier(callbacks=[callbacks.CSVLogger(str(log)), stop], max_iter=20)
    model.fit(X, LABELS)
    assert model.n_iter_ == 2
    assert len(log.read_text().splitlines()) == 3


def test_an_interrupted_training_leaves_a_whole_estimator():
    def interrupt(epoch, logs):
        if epoch == 2:
            raise KeyboardInterrupt

    model = DNNClassifier(callbacks=[callbacks.LambdaCallback(on_epoch_end=interrupt)])
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, LABELS)
    assert model.n_iter_ == len(model.loss_curve_) == 3
    assert model.predict(X).shape == (60,)


def test_a_warm_start_takes_a_new_learning_rate():
    model = DNNClassifier(**FEW, warm_start=True).fit(X, LABELS)
    model.set_params(learning_rate_init=0.125).fit(X, LABELS)
    assert model.model_.optimizer.learning_rate == 0.125


def test_quiet_unless_verbose(capsys):
    DNNClassifier(**FEW).fit(X, LABELS)
    assert capsys.readouterr() == ("", "")
    DNNClassifier(**FEW, verbose=True).fit(X, LABELS)
    assert "loss" in capsys.readouterr().out


def test_a_training_that_has_not_ended_warns():
    with pytest.warns(ConvergenceWarning, match="Maximum iterations"):
        DNNClassifier(max_iter=2, learning_rate="constant").fit(X, LABELS)
    with pytest.warns(ConvergenceWarning, match="lbfgs"):
        DNNClassifier(max_iter=1, solver="lbfgs").fit(X, LABELS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        DNNClassifier(steps=2).fit(X, LABELS)


# Inputs -----------------------------------------------------------------------------------


def test_sparse_inputs_are_as_dense_ones(monkeypatch):
    rows = np.where(RNG.random((60, 5)) < 0.4, RNG.normal(size=(60, 5)), 0)
    dense = DNNClassifier(**FEW, batch_size=16).fit(rows, LABELS)
    thin = DNNClassifier(**FEW, batch_size=16).fit(sparse.csr_array(rows), LABELS)
    for one, two in zip(dense.coefs_, thin.coefs_, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-7, atol=1e-12)
    monkeypatch.setattr("bital.sklearn.inputs.DENSE_LIMIT", 0)
    large = DNNClassifier(batch_size=16, random_state=0, max_iter=80)
    large.fit(sparse.csr_matrix(rows), LABELS, sample_weight=np.ones(60))
    assert large.model_.optimizer.iterations == 4 * large.n_iter_
    large.fit(sparse.csr_matrix(rows), LABELS, validation_data=(sparse.csr_array(rows), LABELS))
    assert large.validation_scores_[-1] == large.score(rows, LABELS)
    with pytest.raises(ArgumentError, match="lbfgs"):
        DNNClassifier(solver="lbfgs").fit(sparse.csr_array(rows), LABELS)
    assert large.score(sparse.csr_array(rows), LABELS) > 0.6
    np.testing.assert_allclose(
        large.predict_proba(sparse.csc_array(rows)), large.predict_proba(rows), rtol=1e-6
    )


def test_inputs_are_standardized_unless_told_otherwise():
    far = 1e6 + 1e3 * X
    model = DNNClassifier(random_state=0).fit(far, LABELS)
    assert model.score(far, LABELS) > 0.95
    assert f"{far[:, 0].mean():.6g}" in model.describe_columns()
    rare = np.column_stack([np.tile(X, (4, 1)), np.arange(240) == 7])
    seen = DNNClassifier(**FEW).fit(rare, np.tile(LABELS, 4))._inputs.transform(rare)
    assert np.ptp(seen[:, -1]) == pytest.approx(8)
    np.testing.assert_allclose(seen[:, :-1].std(axis=0), 1)
    raw = DNNClassifier(**FEW, standardize=False).fit(X, LABELS)
    x = raw._inputs.transform(X)
    np.testing.assert_array_equal(x, X)
    assert "as they are" in raw.describe_columns()


def test_dtype_follows_the_inputs():
    for dtype in (np.float32, np.float64):
        model = DNNClassifier(**FEW).fit(X.astype(dtype), LABELS)
        assert model.coefs_[0].dtype == dtype
        assert model.predict_proba(X.astype(dtype)).dtype == dtype


def test_coefficients_can_be_set():
    model = DNNRegressor(**FEW, standardize=False).fit(X, NUMBERS)
    model.coefs_ = [np.ones((3, 8)), np.ones((8, 1))]
    model.intercepts_ = [np.zeros(8), np.full(1, 5.0)]
    expected = 8 * np.maximum(X.sum(axis=1), 0) + 5
    np.testing.assert_allclose(model.predict(X), expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden_units": (5, 0)}, "must be > 0"),
        ({"activation": ["relu", "tanh"]}, "2 entries and there are 1"),
        ({"activation": "rleu"}, "relu"),
        ({"solver": "adamm"}, "adam"),
        ({"solver": 3}, "must be 'adam'"),
        ({"alpha": -1}, "alpha"),
        ({"validation_fraction": 1.0}, "validation_fraction"),
        ({"learning_rate": "fast"}, "constant"),
        ({"max_iter": 0}, "max_iter"),
        ({"batch_size": 0}, "batch_size"),
        ({"loss": "crossentropy"}, "categorical_crossentropy"),
        ({"dropout": 1.5}, "rate"),
        ({"solver": "lbfgs", "steps": 10}, "lbfgs"),
        ({"steps": 1.5}, "steps"),
    ],
)
def test_wrong_parameters_are_named(options, message):
    with pytest.raises(ArgumentError, match=message):
        DNNClassifier(**options).fit(X, LABELS)


def test_wrong_data_are_named():
    with pytest.raises(NotFittedError):
        DNNClassifier().predict(X)
    with pytest.raises(ValueError, match="3 features"):
        DNNClassifier(**FEW).fit(X, LABELS).predict(X[:, :2])
    with pytest.raises(ValueError, match="NaN"):
        DNNClassifier(**FEW).fit(np.where(X > 2, np.nan, X), LABELS)
    with pytest.raises(ValueError, match="Unknown label type"):
        DNNClassifier(**FEW).fit(X, NUMBERS)
    with pytest.raises(DataError, match="too small"):
        DNNClassifier(early_stopping=True, validation_fraction=0.01).fit(X, np.zeros(60))
    with pytest.raises(ArgumentError, match="validation_data"):
        DNNClassifier(**FEW).fit(X, LABELS, validation_data=X)
    with pytest.raises(ValueError, match="non-zero"):
        DNNClassifier(**FEW).fit(X, LABELS, sample_weight=np.zeros(60))


# Tables -----------------------------------------------------------------------------------


def columns():
    town = np.array(["Bonn", "Köln", "Jena"])[np.arange(60) % 3]
    return {"size": [*X[:-1, 0], None], "town": town, "new": X[:, 1] > 0}


@pytest.mark.parametrize("kind", [dict, pandas.DataFrame, polars.DataFrame, pyarrow.table])
def test_tables_go_straight_in(kind):
    table = kind(columns())
    answer = np.where((columns()["town"] == "Bonn") ^ (X[:, 1] > 0), "yes", "no")
    model = DNNClassifier(random_state=0, early_stopping=True, validation_fraction=0.2)
    model.fit(table, answer)
    assert list(model.feature_names_in_) == ["size", "town", "new"]
    assert {layer.name for layer in model.model_.layers} >= {"embedding_4"}
    assert model.score(table, answer) > 0.9
    described = str(model.describe_columns())
    assert "town" in described
    assert "1 (" in described  # missing value of the samples trained on, or none
    with pytest.raises(ValueError, match="town"):
        model.predict(kind({k: v for k, v in columns().items() if k != "town"}))


def test_tables_without_categories_or_without_numbers():
    given = columns()
    for names in (["size", "new"], ["town"]):
        table = pandas.DataFrame(given)[names]
        model = DNNRegressor(random_state=0).fit(table, NUMBERS)
        assert model.predict(table).shape == (60,)
    kinds = np.stack([RNG.integers(0, 3, 60), RNG.integers(0, 2, 60)], axis=1)
    model = DNNClassifier(**FEW).fit(pandas.DataFrame(given), kinds)
    assert model.predict(pandas.DataFrame(given)).shape == (60, 2)


def test_a_table_of_numbers_is_an_array_with_names():
    names = ["a", "b", "c"]
    model = DNNClassifier(**FEW).fit(pandas.DataFrame(X, columns=names), LABELS)
    assert same(model, DNNClassifier(**FEW).fit(X, LABELS))
    assert list(model.feature_names_in_) == names
    with pytest.raises(ValueError, match="feature names"):
        model.predict(pandas.DataFrame(X, columns=["a", "c", "b"]))
