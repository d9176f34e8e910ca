"""Writes the model files of a release into tests/data/models; run once for each, never again.

``python tests/data/make_model_files.py v2`` writes ``v2-<kind>.safetensors`` and, beside each,
``v2-<kind>.npz`` with inputs, targets, the outputs, and the weights after one more epoch.
test_model_file_releases.py loads all of them in every run of the tests, for ever.
"""

import sys
from pathlib import Path

import numpy as np

from bital import keras
from bital.keras import layers

FOLDER = Path(__file__).with_name("models")
RNG = np.random.default_rng(0)


def random(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def mlp():
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(6, activation="relu", kernel_regularizer="l2"),
            layers.BatchNormalization(),
            layers.Dropout(0.2, seed=3),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model, random(20, 4), np.arange(20) % 3


def convnet():
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(3, 3, activation="relu", padding="same"),
            layers.MaxPooling2D(),
            layers.DepthwiseConv2D(2),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2),
        ]
    )
    rate = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)
    model.compile(keras.optimizers.SGD(rate, momentum=0.9, clipnorm=1.0), "mse", metrics=["mae"])
    return model, random(12, 8, 8, 1), random(12, 2)


def lstm():
    model = keras.Sequential(
        [
            keras.Input((5,)),
            layers.Embedding(7, 3, mask_zero=True),
            layers.Bidirectional(layers.LSTM(4, return_sequences=True)),
            layers.GRU(3),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.RMSprop(use_ema=True), "binary_crossentropy")
    return model, RNG.integers(0, 7, (12, 5)), RNG.integers(0, 2, (12, 1))


def functional():
    one, two = keras.Input((4,), name="one"), keras.Input((3,), name="two")
    shared = layers.Dense(3, activation="tanh", name="shared")
    hidden = layers.Concatenate()([shared(one), shared(one * 2), two])
    hidden = np.sqrt(np.abs(hidden) + 1) + hidden
    outputs = {
        "kind": layers.Dense(2, activation="softmax", name="kind")(hidden),
        "size": layers.Dense(1, name="size")(layers.LayerNormalization()(hidden)),
    }
    model = keras.Model({"one": one, "two": two}, outputs)
    model.compile(
        "nadam",
        loss={"kind": "sparse_categorical_crossentropy", "size": "huber"},
        loss_weights={"kind": 1.0, "size": 0.5},
        metrics={"kind": ["accuracy"]},
    )
    x = {"one": random(12, 4), "two": random(12, 3)}
    return model, x, {"kind": RNG.integers(0, 2, 12), "size": random(12, 1)}


def custom():
    def swish_like(x):
        return x / (1 + np.exp(-1.5 * x))

    def per_label(y, p):
        z = p - p.max(axis=1, keepdims=True)
        return np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(y)), y[:, 0]]

    def margin(y, p):
        return np.abs(np.sort(p, axis=1)[:, -1] - np.mean(p, axis=1)) / len(p)

    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(5, swish_like, kernel_regularizer=lambda w: 0.01 * np.sum(np.abs(w) ** 3)),
            layers.Lambda(lambda x: np.concatenate([x, x**2], axis=1)),
            layers.Dense(3, kernel_constraint=lambda w: np.clip(w, -1, 1)),
        ]
    )
    model.compile("adamw", per_label, metrics=[margin])
    return model, random(12, 4), RNG.integers(0, 3, (12, 1))


KINDS = {
    "mlp": mlp,
    "convnet": convnet,
    "lstm": lstm,
    "functional": functional,
    "custom": custom,
}


def flat(tree, name):
    """``{"y": array}`` or ``{"y/kind": array, ...}``"""
    return {f"{name}/{k}": v for k, v in tree.items()} if isinstance(tree, dict) else {name: tree}


def main(version):
    FOLDER.mkdir(exist_ok=True)
    for kind, make in KINDS.items():
        keras.utils.set_random_seed(5)
        model, x, y = make()
        model.fit(x, y, batch_size=5, epochs=2, verbose=0, seed=1)
        model.save(FOLDER / f"{version}-{kind}.safetensors", overwrite=False)
        data = flat(x, "x") | flat(y, "y") | flat(model.predict(x), "outputs")
        model.fit(x, y, batch_size=5, verbose=0, seed=2)
        data |= {f"after/{v.path}": v.value for v in model.weights}
        np.savez_compressed(FOLDER / f"{version}-{kind}.npz", **data)


if __name__ == "__main__":
    main(sys.argv[1])
