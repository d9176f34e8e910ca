"""bital.keras: train_on_batch of a Sequential, as one step called from Python."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.problem import LEARNING_RATE, SIZES, batch, weights
from bital import keras


def network() -> keras.Sequential:
    """Compiled, with the common weights."""
    layers = [keras.layers.Dense(n, activation="relu") for n in SIZES[1:-1]]
    model = keras.Sequential(
        [keras.Input((SIZES[0],)), *layers, keras.layers.Dense(SIZES[-1], activation="softmax")]
    )
    model.compile(keras.optimizers.SGD(LEARNING_RATE), "sparse_categorical_crossentropy")
    model.set_weights(weights())
    return model


def prepare() -> Callable[[], float]:
    model = network()
    x, t = batch()

    def run() -> float:
        result = model.train_on_batch(x, t)
        return float(result[0] if isinstance(result, list) else result)

    return run
