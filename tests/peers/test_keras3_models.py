"""Whole models beside Keras 3 on JAX: the same code makes both, from the same weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import bital
import bital.keras

pytest.importorskip("jax")
theirs = pytest.importorskip("keras")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

RNG = np.random.default_rng(0)
A = RNG.normal(size=(48, 6)).astype(np.float32)
B = RNG.normal(size=(48, 5, 3)).astype(np.float32)
B[10:20, 3:] = 0
LABELS = RNG.integers(0, 3, 48)
NUMBERS = A[:, :1] - B[:, 0, 1:2]


def two_and_two(k: Any) -> tuple[Any, Any, Any, Any]:
    """Two inputs, one with a mask; two outputs with weights and metrics of their own."""
    a, b = k.Input((6,), name="a"), k.Input((5, 3), name="b")
    h = k.layers.LSTM(4)(k.layers.Masking()(b))
    h = k.layers.Concatenate()([k.layers.Dense(5, activation="tanh")(a), h])
    kind = k.layers.Dense(3, activation="softmax", name="kind")(h)
    size = k.layers.Dense(1, name="size")(h)
    model = k.Model([a, b], [kind, size])
    model.compile(
        k.optimizers.SGD(0.1),
        {"kind": "sparse_categorical_crossentropy", "size": "mse"},
        loss_weights={"kind": 2.0, "size": 0.3},
        metrics={"kind": ["accuracy"], "size": ["mae"]},
        weighted_metrics={"size": ["mse"]},
    )
    weights = [np.linspace(0, 1, 48), np.linspace(2, 0, 48)]  # Keras takes no dict of them here
    return model, {"a": A, "b": B}, [LABELS, NUMBERS], weights


def shared(k: Any) -> tuple[Any, Any, Any, Any]:
    """One layer on two inputs, a distance, a frozen layer below."""
    a, b = k.Input((6,)), k.Input((6,))
    lower = k.layers.Dense(6, activation="tanh", trainable=False)
    dense = k.layers.Dense(4, kernel_regularizer="l1")
    far = k.layers.Subtract()([dense(lower(a)), dense(lower(b))])
    far = k.layers.Dense(3, activity_regularizer="l2")(far)
    model = k.Model([a, b], k.layers.Dense(1, activation="sigmoid")(far))
    model.compile(k.optimizers.Adam(0.01), "binary_crossentropy", metrics=["accuracy"])
    return model, [A, A[::-1].copy()], (LABELS > 0).astype(np.float32)[:, None], None


def residual(k: Any) -> tuple[Any, Any, Any, Any]:
    """Residual blocks in a model within a model, with batch normalisation."""

    def block(width: int) -> Any:
        x = k.Input((width,))
        h = k.layers.BatchNormalization()(k.layers.Dense(width, activation="relu")(x))
        return k.Model(x, k.layers.Add()([x, h]))

    x = k.Input((6,))
    first, second = block(6), block(6)
    model = k.Model(x, k.layers.Dense(1)(second(first(first(x)))))
    model.compile(k.optimizers.SGD(0.05, momentum=0.9), "mse")
    return model, A, NUMBERS, None


@pytest.mark.parametrize("made", [two_and_two, shared, residual])
def test_the_same_training(made: Any) -> None:
    """Two epochs without shuffling: logs by name, all weights, evaluation and predictions."""
    (mine, x, y, w), (its, *_) = made(bital.keras), made(theirs)
    assert [v.shape for v in mine.weights] == [v.shape for v in its.weights]
    its.set_weights(mine.get_weights())
    options = {"epochs": 2, "batch_size": 16, "shuffle": False, "verbose": 0, "sample_weight": w}
    one, two = mine.fit(x, y, **options).history, its.fit(x, y, **options).history
    assert set(one) == set(two)
    for name, values in two.items():
        np.testing.assert_allclose(one[name], values, rtol=2e-4, atol=1e-5, err_msg=name)
    for own, other in zip(mine.get_weights(), its.get_weights(), strict=True):
        np.testing.assert_allclose(own, other, rtol=2e-3, atol=2e-5)
    found = mine.evaluate(x, y, verbose=0, return_dict=True)
    for name, value in its.evaluate(x, y, verbose=0, return_dict=True).items():
        np.testing.assert_allclose(found[name], value, rtol=1e-3, atol=1e-5, err_msg=name)
    outputs = bital.tree.leaves(mine.predict(x, verbose=0))
    others = its.predict(x, verbose=0)
    for own, other in zip(outputs, others if isinstance(others, list) else [others], strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-3, atol=1e-5)
    assert mine.metrics_names == list(one)
