"""Models of one description share compiled programs, and train as they would alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from bital import keras
from bital.keras import layers, regularizers
from bital.keras.models import sharing

RNG = np.random.default_rng(0)
X = RNG.normal(size=(20, 3)).astype(np.float32)
Y = RNG.integers(0, 2, 20)


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch):
    monkeypatch.setattr(sharing, "_known", type(sharing._known)())


def build(rate=0.1, penalty=0.0, drop=0.2, loss="sparse_categorical_crossentropy", seed=0):
    keras.utils.set_random_seed(seed)
    hidden = layers.Dense(4, "relu", kernel_regularizer=regularizers.L2(penalty))
    model = keras.Sequential(
        [layers.Input((3,)), hidden, layers.Dropout(drop), layers.Dense(2, "softmax")]
    )
    model.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"], executor="numpy")
    return model


def trained(model):
    model.fit(X, Y, epochs=3, batch_size=8, seed=5, verbose=0)
    return [*model.get_weights(), model.predict(X)]


def programs(model):
    trained(model)
    return model._programs["train_many"]


def test_a_second_model_runs_the_first_ones_programs_and_ends_as_if_alone():
    first = build()
    shared = programs(first)
    kept = first.get_weights()
    second = build(rate=0.01, seed=1)  # the rate is an argument of the program
    results = trained(second)
    assert second._programs["train_many"] is shared
    assert shared.recordings == 1
    for one, two in zip(first.get_weights(), kept, strict=True):
        np.testing.assert_array_equal(one, two)
    sharing._known.clear()
    for one, two in zip(results, trained(build(rate=0.01, seed=1)), strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(
    "other", [{"penalty": 0.5}, {"drop": 0.5}, {"loss": "categorical_focal_crossentropy"}]
)
def test_what_is_part_of_the_program_tells_models_apart(other):
    first = build()
    first._checked(X, Y)
    second = build(**other)
    targets = np.eye(2)[Y] if "loss" in other else Y
    second._checked(X, targets)
    first._steps(), second._steps()
    assert first._programs["train"] is not second._programs["train"]


def test_functions_of_the_users_own_are_not_shared():
    def loss(y_true, y_pred):
        return np.mean(np.abs(y_true - y_pred), axis=-1)

    found = []
    for _ in range(2):
        model = build(loss=loss)
        model._checked(X, np.eye(2, dtype=np.float32)[Y])
        model._steps()
        found.append(model._programs["train"])
    assert found[0] is not found[1]


def test_large_models_are_not_copied(monkeypatch):
    monkeypatch.setattr(sharing, "LARGEST", 20)
    first, second = build(), build()
    assert programs(first) is not programs(second)
    assert not sharing._known


def test_an_epoch_of_arrays_may_take_a_part_of_its_order():
    whole, part = build(drop=0.0), build(drop=0.0)
    logs = part.fit(X, Y, epochs=2, batch_size=8, steps_per_epoch=2, seed=3, verbose=0)
    assert part.optimizer.iterations == 4
    assert len(logs.history["loss"]) == 2
    for epoch in range(2):
        order = np.random.Generator(np.random.Philox(key=[3, epoch])).permutation(20)[:16]
        whole.fit(X[order], Y[order], batch_size=8, shuffle=False, verbose=0)
    for one, two in zip(part.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-6)
    part.fit(X, Y, batch_size=8, steps_per_epoch=9, shuffle=False, verbose=0)  # three there are
    assert part.optimizer.iterations == 7


def test_threads_may_record_shared_programs_at_once():
    expected = trained(build())
    sharing._known.clear()
    programs(build())  # what is known by now is shared; other shapes are recorded by all threads
    sizes = [8, 9, 10, 11] * 3

    start = build().get_weights()

    def train(size):
        model = build()
        model.set_weights(start)
        model.fit(X[:size], Y[:size], batch_size=4, epochs=2, seed=5, verbose=0)
        return model.get_weights()

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(train, sizes))
    for size, weights in zip(sizes, found, strict=True):
        for one, two in zip(weights, train(size), strict=True):
            np.testing.assert_array_equal(one, two)
    for one, two in zip(expected, trained(build()), strict=True):
        np.testing.assert_array_equal(one, two)
