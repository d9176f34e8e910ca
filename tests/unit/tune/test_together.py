"""Trials that are trained at once come to what they come to alone."""

import numpy as np
import pytest

optuna = pytest.importorskip("optuna")

from sklearn.linear_model import Ridge  # noqa: E402

from bital import keras, tune  # noqa: E402
from bital.errors import ArgumentError  # noqa: E402
from bital.tune import together  # noqa: E402

x = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
y = x.sum(axis=1)


def build(learning_rate, units=4, penalty=0.0):
    dense = keras.layers.Dense(units, "tanh", kernel_regularizer=keras.regularizers.L2(penalty))
    model = keras.Sequential([keras.Input((3,)), dense, keras.layers.Dense(1)])
    optimizer = keras.optimizers.SGD(learning_rate)
    model.compile(optimizer, "mse", metrics=["mae"], executor="numpy")
    return model


def search(space, learner=build, **options):
    usual = {"sampler": "grid", "cv": 2, "pruner": None, "refit": False, "scoring": "mae"}
    fit = {"epochs": 4, **options.pop("fit_params", {})}
    return tune.search(learner, space, x, y, fit_params=fit, **{**usual, **options})


@pytest.fixture
def alone(monkeypatch):
    """Counts the trials that could not be trained with others."""
    calls, before = [], together.alone

    def counted(*arguments):
        calls.append(arguments[1])
        return before(*arguments)

    monkeypatch.setattr(together, "alone", counted)
    return calls


@pytest.mark.parametrize("count", [3, pytest.param(6, marks=pytest.mark.slow)])
def test_scores_are_those_of_trials_alone(alone, count):
    space = {"learning_rate": [0.01, 0.1], "units": [3, 5], "penalty": [0.001, 0.1]}
    one = search(space)
    assert len(alone) == 8
    many = search(space, together=count)
    assert len(alone) == 8
    assert [t.params for t in many.trials] == [t.params for t in one.trials]
    for first, second in zip(one.trials, many.trials, strict=True):
        np.testing.assert_allclose(first.scores, second.scores, rtol=1e-4)


def test_validation_data_callbacks_and_functions_for_a_score():
    stop = keras.callbacks.EarlyStopping(patience=0, restore_best_weights=True)
    noise = np.random.default_rng(1).normal(size=20)

    def score(model, inputs, targets):
        return -float(np.abs(model.predict(inputs)[:, 0] - targets).max())

    options = {"cv": None, "validation_data": (x[:20], noise), "scoring": score,
               "fit_params": {"epochs": 9, "callbacks": [stop], "batch_size": 10}}  # fmt: skip
    space = {"learning_rate": [0.05, 0.2, 0.3]}
    one, many = search(space, **options), search(space, together=3, **options)
    for first, second in zip(one.study.trials, many.study.trials, strict=True):
        np.testing.assert_allclose(first.value, second.value, rtol=1e-4)
        assert first.user_attrs["bital:epochs"] == second.user_attrs["bital:epochs"]
    assert min(t.user_attrs["bital:epochs"][0] for t in one.study.trials) < 9


def test_one_that_diverges_leaves_the_others_alone():
    found = search({"learning_rate": [0.01, 1e30, 0.1]}, together=3)
    assert [t.state for t in found.trials] == ["complete", "failed", "complete"]
    assert "loss became" in found.trials[1].reason


def test_bad_trials_end_early():
    rates = {str(i): rate for i, rate in enumerate([0.1] * 6 + [1e-8, 1e-7])}
    pruner = optuna.pruners.SuccessiveHalvingPruner(min_resource=1)
    space, options = {"learning_rate": rates}, {"fit_params": {"epochs": 20}}
    found = search(space, together=8, pruner=pruner, **options)
    states = [t.state for t in found.trials]
    assert states.count("complete") >= 1
    assert states[-2:] == ["pruned", "pruned"]
    reported = [len(t.intermediate_values) for t in found.study.trials]
    assert reported[-1] < 20
    assert max(reported) == 20


class Odd(keras.Model):
    def __init__(self, rate):
        super().__init__()
        self.out = keras.layers.Dense(1)
        self.compile(keras.optimizers.SGD(rate), "mse", metrics=["mae"], executor="numpy")

    def call(self, inputs):
        return self.out(inputs)


def test_what_cannot_be_one_program_is_trained_alone(alone):
    found = search({"rate": [0.01, 0.1]}, lambda rate: Odd(rate), together=2)
    assert len(alone) == 2
    assert [t.state for t in found.trials] == ["complete", "complete"]
    with pytest.raises(ArgumentError, match="measures loss, mae"):
        search({"learning_rate": [0.1, 0.2]}, together=2, scoring="mse", direction="minimize")


def test_only_functions_that_build():
    with pytest.raises(ArgumentError, match="together=2"):
        tune.search(Ridge(), {"alpha": [1.0]}, x, y, together=2)
    with pytest.raises(ArgumentError, match="together=0"):
        search({"learning_rate": [0.1]}, together=0)
