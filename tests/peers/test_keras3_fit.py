"""Whole calls of fit, evaluate and predict beside Keras 3 on JAX, from the same weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import bital.keras as ours

jax = pytest.importorskip("jax")
theirs = pytest.importorskip("keras")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

rng = np.random.default_rng(7)
X = rng.normal(size=(50, 5)).astype(np.float32)
LABELS = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0.5)
ONE_HOT = np.eye(3, dtype=np.float32)[LABELS]
NUMBERS = (X @ np.arange(1.0, 6.0) + 0.1 * rng.normal(size=50)).astype(np.float32)
IMAGES = rng.normal(size=(50, 6, 6, 2)).astype(np.float32)
WEIGHTS = rng.uniform(0.5, 1.5, 50).astype(np.float32)


def dense(units: int, activation: str | None, **options: Any) -> Callable[[Any], Any]:
    return lambda k: [
        k.Input((5,)),
        k.layers.Dense(8, activation="tanh", **options),
        k.layers.Dense(units, activation=activation),
    ]


def convolutional(k: Any) -> Any:
    return [
        k.Input((6, 6, 2)),
        k.layers.Conv2D(4, 3, padding="same", use_bias=False),
        k.layers.BatchNormalization(momentum=0.9),
        k.layers.Activation("tanh"),
        k.layers.AveragePooling2D(2),
        k.layers.DepthwiseConv2D(2, activation="sigmoid"),
        k.layers.GlobalAveragePooling2D(),
        k.layers.Dense(3, activation="softmax"),
    ]


SPARSE = "sparse_categorical_crossentropy"


@dataclass
class Case:
    """A network, what it learns, and how."""

    name: str
    layers: Callable[[Any], Sequence[Any]]
    loss: str
    y: Any
    optimizer: Callable[[Any], Any] = lambda k: "adam"
    options: dict[str, Any] = field(default_factory=dict)
    x: Any = field(default_factory=lambda: X)


CASES = [
    Case("sgd", dense(3, "softmax"), SPARSE, LABELS, lambda k: "sgd"),
    Case("one hot", dense(3, "softmax"), "categorical_crossentropy", ONE_HOT),
    Case("binary", dense(1, "sigmoid"), "binary_crossentropy", LABELS > 0, lambda k: "rmsprop"),
    Case("numbers", dense(1, None), "mse", NUMBERS, lambda k: "adamw"),
    Case("weighted", dense(3, "softmax"), SPARSE, LABELS, options={"sample_weight": WEIGHTS}),
    Case(
        "weights of classes",
        dense(3, "softmax"),
        SPARSE,
        LABELS,
        options={"class_weight": {0: 1.0, 1: 2.0, 2: 0.5}},
    ),
    Case("validated", dense(3, "softmax"), SPARSE, LABELS, options={"validation_split": 0.2}),
    Case(
        "regularized",
        dense(1, None, kernel_regularizer="l2", kernel_constraint="unit_norm"),
        "mse",
        NUMBERS,
        lambda k: k.optimizers.SGD(0.01, momentum=0.9, nesterov=True, global_clipnorm=1.0),
    ),
    Case(
        "on a schedule",
        dense(1, None, activity_regularizer="l2"),
        "huber",
        NUMBERS,
        lambda k: k.optimizers.Adam(k.optimizers.schedules.CosineDecay(0.01, 12)),
    ),
    Case("images", convolutional, SPARSE, LABELS, lambda k: k.optimizers.Adam(0.003), x=IMAGES),
]


def trained(k: Any, case: Case, start: Any = None) -> Any:
    """The weights before, and what there is to compare."""
    model = k.Sequential(case.layers(k))
    if start is not None:
        model.set_weights(start)
    start = model.get_weights()
    model.compile(
        case.optimizer(k), case.loss, metrics=["mae"] if "mse" in case.loss else ["accuracy"]
    )
    y = case.y.astype(np.float32) if case.y.dtype == bool else case.y
    history = model.fit(
        case.x, y, batch_size=16, epochs=4, shuffle=False, verbose=0, **case.options
    ).history
    evaluation = model.evaluate(case.x, y, batch_size=16, verbose=0, return_dict=True)
    return start, history, evaluation, model.get_weights(), model.predict(case.x[:7], verbose=0)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_training(case: Case) -> None:
    """Four epochs with a short last batch: losses, metrics, weights and predictions."""
    theirs.utils.set_random_seed(3)
    start, history, evaluation, weights, outputs = trained(theirs, case)
    _, own_history, own_evaluation, own_weights, own_outputs = trained(ours, case, start)
    assert set(own_history) == set(history)
    for name, values in history.items():
        np.testing.assert_allclose(own_history[name], values, rtol=5e-5, err_msg=name)
    assert own_evaluation == pytest.approx(evaluation, rel=5e-5)
    for got, want in zip(own_weights, weights, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-3, atol=2e-5)
    np.testing.assert_allclose(own_outputs, outputs, rtol=1e-3, atol=1e-5)
