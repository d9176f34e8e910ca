"""Penalties on weights: their values, and what they do to the loss and to a training step."""

import numpy as np
import pytest

from bital import keras
from bital.errors import ArgumentError
from bital.keras import layers, regularizers

W = np.array([[1.0, -2.0], [0.0, 3.0]], np.float32)


@pytest.mark.parametrize(
    ("penalty", "expected"),
    [
        (regularizers.L1(0.5), 3.0),
        (regularizers.L2(0.5), 7.0),
        (regularizers.L1L2(l1=0.5, l2=0.1), 4.4),
        (regularizers.L1L2(), 0.0),
        (regularizers.get("l2"), 0.14),
        (regularizers.get("l1_l2"), 0.0),
        (regularizers.get(lambda w: np.max(w)), 3.0),
    ],
)
def test_values(penalty, expected):
    assert float(penalty(W)) == pytest.approx(expected, rel=1e-6)


def regression(**options):
    model = keras.Sequential([layers.Input((2,)), layers.Dense(1, **options)])
    model.compile(keras.optimizers.SGD(0.1), "mean_squared_error")
    model.set_weights([np.array([[1.0], [-2.0]]), np.array([0.5])])
    return model


X, Y = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1.0], [2.0]])


def test_a_step_by_hand():
    """L = mean((xw + b - y)^2) + 0.3 sum |w| + 0.2 b^2."""
    model = regression(
        kernel_regularizer=regularizers.L1(0.3), bias_regularizer=regularizers.L2(0.2)
    )
    w, b = np.array([[1.0], [-2.0]]), 0.5
    error = X @ w + b - Y
    loss = np.mean(error**2) + 0.3 * 3.0 + 0.2 * b**2
    assert model.evaluate(X, Y, verbose=0) == pytest.approx(loss, rel=1e-6)
    assert model.train_on_batch(X, Y) == pytest.approx(loss, rel=1e-6)
    new_w = w - 0.1 * (X.T @ error + 0.3 * np.sign(w))
    new_b = b - 0.1 * (error.sum() + 0.4 * b)
    np.testing.assert_allclose(model.get_weights()[0], new_w, rtol=1e-5)
    np.testing.assert_allclose(model.get_weights()[1], [new_b], rtol=1e-5)


def test_a_frozen_weight_costs_nothing():
    free, frozen = (regression(kernel_regularizer="l2", trainable=t) for t in (True, False))
    assert free.evaluate(X, Y, verbose=0) - frozen.evaluate(X, Y, verbose=0) == pytest.approx(
        0.01 * 5.0, rel=1e-4
    )


def test_it_is_part_of_the_model_file(tmp_path):
    model = regression(kernel_regularizer=regularizers.L1L2(l1=0.1, l2=0.2))
    model.save(tmp_path / "model.safetensors")
    loaded = keras.models.load_model(tmp_path / "model.safetensors")
    assert loaded.layers[-1].kernel_regularizer.get_config() == {"l1": 0.1, "l2": 0.2}
    assert loaded.layers[-1].bias_regularizer is None
    assert loaded.evaluate(X, Y, verbose=0) == model.evaluate(X, Y, verbose=0)
    own = regression(kernel_regularizer=lambda w: 0.3 * np.sum(np.square(w)))
    own.save(tmp_path / "own.safetensors")
    loaded = keras.models.load_model(tmp_path / "own.safetensors")
    assert loaded.evaluate(X, Y, verbose=0) == own.evaluate(X, Y, verbose=0)
    assert loaded.evaluate(X, Y, verbose=0) != regression().evaluate(X, Y, verbose=0)


@pytest.mark.parametrize("wrong", ["l3", -0.1, 3, regularizers.Vocabulary])
def test_what_is_no_regularizer(wrong):
    with pytest.raises(ArgumentError, match="regularizer"):
        layers.Dense(1, kernel_regularizer=wrong)


@pytest.mark.parametrize("factor", [-1.0, np.nan, "much"])
def test_factors(factor):
    with pytest.raises(ArgumentError, match="l2"):
        regularizers.L2(factor)
