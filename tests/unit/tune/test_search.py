import csv
import doctest
import subprocess
import sys

import numpy as np
import pytest

optuna = pytest.importorskip("optuna")

from sklearn.datasets import load_diabetes  # noqa: E402
from sklearn.linear_model import Ridge  # noqa: E402
from sklearn.model_selection import GridSearchCV, KFold  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402

from bital import keras, tune  # noqa: E402
from bital.errors import ArgumentError, ModelStateError, StudyError  # noqa: E402
from bital.sklearn import DNNRegressor  # noqa: E402
from bital.tune import searching  # noqa: E402

X, y = load_diabetes(return_X_y=True)
X, y = X[:150], y[:150]
RIDGE = {"alpha": tune.Log(1e-3, 1e3)}


def build(learning_rate=0.1, units=4):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(units), keras.layers.Dense(1)])
    optimizer = keras.optimizers.SGD(learning_rate)
    model.compile(optimizer, "mse", metrics=["mae"], executor="numpy")
    return model


points = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
sums = points.sum(axis=1)


def search_ridge(**options):
    return tune.search(Ridge(), RIDGE, X, y, **{"n_trials": 8, "cv": 3, **options})


def drawn(result):
    return [(trial.params, trial.score) for trial in result.trials]


def test_a_grid_gives_the_scores_of_scikit_learn():
    space = {"alpha": [0.01, 0.1, 1.0], "fit_intercept": [True, False]}
    found = tune.search(Ridge(), space, X, y, sampler="grid", cv=4, pruner=None)
    true = GridSearchCV(Ridge(), space, cv=4).fit(X, y)
    assert [t.params for t in found.trials] == true.cv_results_["params"]
    np.testing.assert_allclose([t.score for t in found.trials], true.cv_results_["mean_test_score"])
    assert found.best_params == true.best_params_
    np.testing.assert_allclose(found.best_score, true.best_score_)
    np.testing.assert_allclose(found.best_estimator.predict(X), true.predict(X))


def test_scoring_and_folds_are_those_of_scikit_learn():
    options = {"scoring": "neg_mean_absolute_error", "cv": KFold(3, shuffle=True, random_state=0)}
    found = tune.search(Ridge(), {"alpha": [0.1, 1.0]}, X, y, sampler="grid", **options)
    true = GridSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, **options).fit(X, y)
    np.testing.assert_allclose([t.score for t in found.trials], true.cv_results_["mean_test_score"])


@pytest.mark.parametrize("sampler", [pytest.param("random", marks=pytest.mark.slow), "tpe"])
def test_a_study_goes_on_as_if_it_had_not_stopped(sampler, tmp_path):
    whole = search_ridge(sampler=sampler, n_trials=13, cv=2)
    path = tmp_path / "study.journal"
    for n_trials in (3, 3, 11, 13):
        found = search_ridge(sampler=sampler, n_trials=n_trials, storage=path, cv=2)
        assert len(found.trials) == n_trials
    assert drawn(found) == drawn(whole)
    other = search_ridge(sampler=sampler, n_trials=2, seed=1, cv=2)
    assert drawn(other) != drawn(whole)[:2]


@pytest.mark.slow
def test_tpe_looks_where_scores_were_good():
    found = tune.search(Ridge(), RIDGE, X, y, n_trials=30, cv=2, pruner=None, refit=False)
    late = [np.log(t.params["alpha"]) for t in found.trials[15:]]
    scores = [t.score for t in found.trials]
    assert np.mean(scores[15:]) > np.mean(scores[:10])
    assert np.std(late) < np.std([np.log(t.params["alpha"]) for t in found.trials[:10]])


def test_another_search_under_the_same_name_is_refused(tmp_path):
    path = tmp_path / "study.journal"
    search_ridge(storage=path, n_trials=2)
    for name, options in {
        "folds": {"cv": 4},
        "scoring": {"scoring": "r2"},
        "direction": {"direction": "minimize"},
    }.items():
        with pytest.raises(StudyError, match=name):
            search_ridge(storage=path, n_trials=2, **options)
    with pytest.raises(StudyError, match="space"):
        tune.search(Ridge(), {"alpha": (0.0, 1.0)}, X, y, storage=path, n_trials=2, cv=3)
    with pytest.raises(StudyError, match="data"):
        tune.search(Ridge(), RIDGE, X + 1, y, storage=path, n_trials=2, cv=3)
    assert len(search_ridge(storage=path, n_trials=2, name="second", cv=4).trials) == 2


def test_an_error_ends_the_search_and_its_trial_is_tried_again(tmp_path):
    faulty = True

    def fragile(units):
        if faulty and units == 3:
            raise RuntimeError("no memory")
        return build(units=units)

    options = {"sampler": "grid", "cv": 0.5, "storage": tmp_path / "s", "pruner": None}
    with pytest.raises(RuntimeError, match="no memory"):
        tune.search(fragile, {"units": [2, 3, 4]}, points, sums, **options)
    faulty = False
    found = tune.search(fragile, {"units": [2, 3, 4]}, points, sums, **options)
    assert [t.state for t in found.trials] == ["complete", "unfinished", "complete", "complete"]
    assert [t.params["units"] for t in found.trials] == [2, 3, 3, 4]


def test_a_training_that_diverges_is_a_failed_trial():
    space = {"learning_rate": [0.01, 1e30]}
    found = tune.search(
        build, space, points, sums, sampler="grid", cv=0.5, fit_params={"epochs": 5}
    )
    assert [t.state for t in found.trials] == ["complete", "failed"]
    assert "not finite" in found.trials[1].reason or "nan" in found.trials[1].reason.lower()
    assert found.best_params == {"learning_rate": 0.01}
    none = tune.search(build, {"learning_rate": [1e30]}, points, sums, sampler="grid", cv=0.5)
    assert none.best_model is None
    with pytest.raises(ModelStateError, match="none of 1 trials"):
        _ = none.best_params


class Count(keras.callbacks.Callback):
    epochs = 0

    def on_epoch_end(self, epoch, logs=None):
        type(self).epochs += 1


@pytest.mark.parametrize("pruner", ["median", "halving", "hyperband"])
def test_bad_trials_end_early_without_a_loop_of_the_user(pruner):
    Count.epochs = 0
    rates = [0.1, 0.09, 0.11, 0.1, 0.08, 0.1, 1e-7, 1e-6, 1e-7, 1e-6]
    places = {str(i): rate for i, rate in enumerate(rates)}  # each is a choice of its own
    found = tune.search(
        build,
        {"learning_rate": places},
        points,
        sums,
        sampler="grid",
        cv=0.3,
        pruner=pruner,
        refit=False,
        fit_params={"epochs": 20, "callbacks": [Count()]},
    )
    states = [t.state for t in found.trials]
    assert states[0] == "complete"
    assert states.count("pruned") >= 2
    assert Count.epochs < 200 - 5 * states.count("pruned")
    assert found.best_params["learning_rate"] >= 0.08


def test_estimators_report_after_epochs_too():
    estimator = make_pipeline(
        StandardScaler(),
        DNNRegressor(hidden_layer_sizes=(4,), max_iter=12, tol=0, random_state=0, executor="numpy"),
    )
    rates = {str(i): rate for i, rate in enumerate([0.1] * 6 + [1e-8, 1e-8])}
    name = "dnnregressor__learning_rate_init"
    target = (y - y.mean()) / y.std()
    found = tune.search(estimator, {name: rates}, X, target, sampler="grid", cv=0.3, refit=False)
    assert [t.state for t in found.trials] == 6 * ["complete"] + 2 * ["pruned"]
    reported = [t.intermediate_values for t in found.study.trials]
    assert len(reported[0]) == 12
    assert len(reported[-1]) < 6
    plain = tune.search(
        estimator, {name: rates}, X, target, sampler="grid", n_trials=1, cv=0.3, pruner=None
    )
    assert plain.trials[0].score == found.trials[0].score


def test_folds_prune_any_estimator():
    found = tune.search(
        Ridge(), {"alpha": {str(i): a for i, a in enumerate([0.1] * 6 + [1e9])}}, X, y,
        sampler="grid", cv=5, pruner=optuna.pruners.MedianPruner(5, 0),
    )  # fmt: skip
    assert found.trials[-1].state == "pruned"
    assert len(found.trials[-1].scores) < 5


def test_validation_data_and_metrics_by_name():
    options = {"sampler": "grid", "fit_params": {"epochs": 4}}
    space = {"learning_rate": [0.001, 0.1], "batch_size": [10]}
    data = {"validation_data": (points[40:], sums[40:])}
    found = tune.search(build, space, points[:40], sums[:40], scoring="val_mae", **data, **options)
    assert found.study.direction == optuna.study.StudyDirection.MINIMIZE
    scores = [
        np.abs(found.best_model.predict(points[40:])[:, 0] - sums[40:]).mean(),
        found.best_model.evaluate(points[40:], sums[40:], verbose=0)[1],
    ]
    np.testing.assert_allclose(scores, found.best_score, rtol=1e-5)  # the best, trained again

    def nearest(model, x, target):
        return -np.abs(model.predict(x)[:, 0] - target).max()

    found = tune.search(build, space, points[:40], sums[:40], scoring=nearest, **data, **options)
    assert found.study.direction == optuna.study.StudyDirection.MAXIMIZE


def test_the_best_is_trained_for_the_epochs_that_folds_needed():
    stop = keras.callbacks.EarlyStopping(patience=1, restore_best_weights=True)
    noise = np.random.default_rng(1).normal(size=60)
    options = {"cv": 3, "fit_params": {"epochs": 40, "callbacks": [stop]}, "pruner": None}
    found = tune.search(build, {"learning_rate": [0.3]}, points, noise, n_trials=1, **options)
    epochs = found.study.trials[0].user_attrs["bital:epochs"]
    assert max(epochs) < 40
    assert len(found.best_model.history.epoch) == max(1, round(np.mean(epochs)))
    assert stop.best_weights is None  # a copy was used


def test_table_pictures_and_text(tmp_path):
    found = search_ridge(n_trials=6)
    table = found.table()
    assert list(table) == ["number", "state", "score", "seconds", "alpha", "reason"]
    assert table["number"] == list(range(6))
    found.save_table(tmp_path / "trials.csv")
    rows = list(csv.DictReader((tmp_path / "trials.csv").read_text().splitlines()))
    assert [float(row["alpha"]) for row in rows] == table["alpha"]
    assert found.importance() == {"alpha": pytest.approx(1.0)}
    assert f"{found.best_score:.4g}" in str(found).splitlines()[1]
    history = found.plot_history()
    history.savefig(tmp_path / "history.png")
    (line,) = [a for a in history.axes[0].lines if a.get_label() == "best so far"]
    assert line.get_ydata()[-1] == found.best_score
    assert list(line.get_ydata()) == sorted(line.get_ydata())
    bars = found.plot_importance().axes[0].patches
    assert [bar.get_width() for bar in bars] == [pytest.approx(1.0)]
    alone = search_ridge(n_trials=1)
    assert alone.importance() == {}
    alone.plot_importance().savefig(tmp_path / "none.png")


def test_a_time_limit_ends_the_search():
    found = search_ridge(timeout=0, refit=True)
    assert found.trials == []
    assert found.best_estimator is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sampler": "bayes"}, "sampler='bayes'"),
        ({"pruner": "early"}, "pruner='early'"),
        ({"n_trials": 0}, "n_trials=0"),
        ({"n_trials": True}, "n_trials=True"),
        ({"n_jobs": 0}, "n_jobs=0"),
        ({"cv": 1.5}, "cv=1.5"),
        ({"cv": 3, "validation_data": (X, y)}, "one or the other"),
        ({"cv": None, "validation_data": X}, "pair"),
        ({"direction": "up"}, "direction='up'"),
        ({"storage": 3}, "storage=3"),
        ({"storage": "no/such/folder/study"}, "does not exist"),
    ],
)
def test_wrong_arguments(options, message):
    with pytest.raises(ArgumentError, match=message):
        search_ridge(**options)


def test_wrong_learners_and_names():
    with pytest.raises(ArgumentError, match="has no such parameter"):
        tune.search(Ridge(), {"alfa": [1]}, X, y)
    with pytest.raises(ArgumentError, match="takes learning_rate, units"):
        tune.search(build, {"width": [1]}, points, sums)
    with pytest.raises(ArgumentError, match="Write a function"):
        tune.search(build(), {"units": [1]}, points, sums)
    with pytest.raises(ArgumentError, match="must be an estimator"):
        tune.search("Ridge", {"alpha": [1]}, X, y)
    with pytest.raises(ArgumentError, match="returned NoneType"):
        tune.search(lambda units: None, {"units": [1]}, points, sums)
    with pytest.raises(ArgumentError, match="direction="):
        tune.search(build, {"units": [1]}, points, sums, scoring="my_metric")
    with pytest.raises(ArgumentError, match="measures loss, mae"):
        tune.search(build, {"units": [1]}, points, sums, scoring="mape")
    with pytest.raises(ArgumentError, match="gives this to fit"):
        tune.search(build, {"units": [1]}, points, sums, fit_params={"seed": 3})


def test_samplers_pruners_and_storages_of_optuna():
    storage = optuna.storages.InMemoryStorage()
    sampler = optuna.samplers.RandomSampler(seed=0)
    for n_trials in (3, 5):
        found = search_ridge(storage=storage, sampler=sampler, n_trials=n_trials)
        assert len(found.trials) == n_trials
    with pytest.raises(ArgumentError, match="other processes cannot reach"):
        search_ridge(storage=storage, n_jobs=2)


def test_generators_of_the_program_are_left_alone():
    np.random.seed(5)
    keras.utils.set_random_seed(5)
    one = np.random.rand(), keras.initializers.RandomNormal()((2,))
    np.random.seed(5)
    keras.utils.set_random_seed(5)
    tune.search(build, {"units": [2]}, points, sums, n_trials=1, cv=0.5)
    two = np.random.rand(), keras.initializers.RandomNormal()((2,))
    assert one[0] == two[0]
    np.testing.assert_array_equal(one[1], two[1])


def test_optuna_is_imported_at_first_use():
    code = "import sys, bital.tune; assert not {'optuna', 'sklearn'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_examples():
    assert doctest.testmod(searching).failed == 0
