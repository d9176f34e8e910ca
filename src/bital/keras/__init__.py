"""Keras's vocabulary on bital: layers, models and training, in plain NumPy.

>>> from bital import keras
>>> model = keras.Sequential([keras.Input((784,)), keras.layers.Dense(10, activation="softmax")])
>>> model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
"""

import importlib
from typing import Any

from bital.keras import (
    activations,
    callbacks,
    checkpoints,
    constraints,
    initializers,
    layers,
    losses,
    metrics,
    mixed_precision,
    models,
    optimizers,
    regularizers,
    saving,
    utils,
)
from bital.keras.layers import Input, Layer
from bital.keras.many import fit_many
from bital.keras.models import Model, Sequential
from bital.keras.variables import Variable


def __getattr__(name: str) -> Any:
    if name in ("datasets", "pretraining"):  # imported when they are asked for
        return importlib.import_module(f"bital.keras.{name}")
    hint = f" ({_INSTEAD[name]})" if name in _INSTEAD else ""
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}{hint}")


_INSTEAD = {  # what Keras has under its first level, and bital elsewhere
    "ops": "NumPy is the language: write np.exp(x), np.sum(x, axis=-1), x @ w",
    "backend": "NumPy is the language: arrays are NumPy's; bital.config chooses the executor",
    "random": "bital.random has random numbers by keys, np.random those of plain arrays",
    "preprocessing": "layers that prepare data are in keras.layers, pad_sequences in keras.utils",
    "applications": "there are no trained networks to download",
    "Function": "a functional model is keras.Model(inputs, outputs)",
}


__all__ = [
    "Input",
    "Layer",
    "Model",
    "Sequential",
    "Variable",
    "activations",
    "callbacks",
    "checkpoints",
    "constraints",
    "datasets",
    "fit_many",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "mixed_precision",
    "models",
    "optimizers",
    "pretraining",
    "regularizers",
    "saving",
    "utils",
]
