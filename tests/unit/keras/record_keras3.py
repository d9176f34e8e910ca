"""Record what Keras 3 computes, as the independent truth of ``test_keras3_reference.py``.

Run by hand, in an environment of its own, since Keras and JAX are no dependencies of the tests::

    pip install keras==3.15.1 jax
    KERAS_BACKEND=jax python tests/unit/keras/record_keras3.py
"""

import json
from pathlib import Path

import keras
import numpy as np

PATH = Path(__file__).parent / "keras3_reference.json"
rng = np.random.default_rng(7)


def nine_digits(text):
    return float(f"{float(text):.9g}")


def plain(value):
    """As nested lists of numbers with nine digits, which is all that float32 holds."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (str, bool, int, type(None))):
        return value
    array = np.asarray(value)
    if array.dtype.kind in "iub":
        return array.tolist()
    return json.loads(json.dumps(array.tolist()), parse_float=nine_digits)


def activations():
    x = np.concatenate([np.linspace(-20, 20, 41), [-90.0, -3.0, 0.0, 1e-3, 6.0, 90.0]]).astype("f4")
    names = [
        "relu",
        "relu6",
        "leaky_relu",
        "elu",
        "selu",
        "sigmoid",
        "hard_sigmoid",
        "silu",
        "softplus",
        "softsign",
        "exponential",
        "mish",
        "linear",
        "tanh",
        "softmax",
        "log_softmax",
    ]
    found = {}
    for name in names:
        batch = x[None] if "softmax" in name else x
        values = np.asarray(getattr(keras.activations, name)(batch))
        found[name] = plain(np.minimum(values.reshape(-1), 1e38))
    found["gelu_tanh"] = plain(keras.activations.gelu(x, approximate=True))
    return {"x": plain(x), "values": found}


def losses():
    n, k = 6, 4
    logits = rng.normal(size=(n, k), scale=3).astype("f4")
    probabilities = np.asarray(keras.activations.softmax(logits))
    units = np.asarray(keras.activations.sigmoid(logits))
    labels = rng.integers(0, k, n)
    one_hot = np.eye(k, dtype="f4")[labels]
    binary = rng.integers(0, 2, (n, k)).astype("f4")
    numbers = rng.normal(size=(n, k)).astype("f4")
    weight = rng.uniform(0, 2, n).astype("f4")
    cases = [
        ("SparseCategoricalCrossentropy", {"from_logits": True}, labels, logits),
        ("SparseCategoricalCrossentropy", {}, labels, probabilities),
        ("SparseCategoricalCrossentropy", {}, labels[:, None], probabilities),
        ("CategoricalCrossentropy", {"from_logits": True}, one_hot, logits),
        ("CategoricalCrossentropy", {}, one_hot, probabilities),
        ("CategoricalCrossentropy", {"label_smoothing": 0.2}, one_hot, probabilities),
        ("CategoricalCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, one_hot, logits),
        ("BinaryCrossentropy", {"from_logits": True}, binary, logits),
        ("BinaryCrossentropy", {}, binary, units),
        ("BinaryCrossentropy", {"label_smoothing": 0.3}, binary, units),
        ("MeanSquaredError", {}, numbers, logits),
        ("MeanSquaredError", {"reduction": "sum"}, numbers, logits),
        ("MeanSquaredError", {"reduction": "mean_with_sample_weight"}, numbers, logits),
        ("MeanSquaredError", {}, numbers[:, 0], logits[:, :1]),
        ("MeanAbsoluteError", {}, numbers, logits),
        ("Huber", {}, numbers, logits),
        ("Huber", {"delta": 2.5}, numbers, logits),
    ]
    found = []
    for name, options, y_true, y_pred in cases:
        loss = getattr(keras.losses, name)(**options)
        found.append(
            {
                "name": name,
                "options": options,
                "y_true": plain(y_true),
                "y_pred": plain(y_pred),
                "weight": plain(weight),
                "value": plain(loss(y_true, y_pred)),
                "weighted": plain(loss(y_true, y_pred, sample_weight=weight)),
            }
        )
    return found


def metrics():
    n, k = 12, 7
    scores = rng.normal(size=(n, k)).astype("f4")
    labels = rng.integers(0, k, n)
    one_hot = np.eye(k, dtype="f4")[labels]
    binary = rng.integers(0, 2, (n, k)).astype("f4")
    units = rng.uniform(size=(n, k)).astype("f4")
    numbers = rng.normal(size=(n, k)).astype("f4")
    weight = rng.uniform(0, 2, n).astype("f4")
    cases = [
        ("Accuracy", {}, labels[:, None], rng.integers(0, 3, (n, 1))),
        ("BinaryAccuracy", {}, binary, units),
        ("BinaryAccuracy", {"threshold": 0.3}, binary[:, 0], units[:, :1]),
        ("CategoricalAccuracy", {}, one_hot, scores),
        ("SparseCategoricalAccuracy", {}, labels, scores),
        ("TopKCategoricalAccuracy", {"k": 3}, one_hot, scores),
        ("SparseTopKCategoricalAccuracy", {}, labels, scores),
        ("MeanSquaredError", {}, numbers, scores),
        ("RootMeanSquaredError", {}, numbers, scores),
        ("MeanAbsoluteError", {}, numbers, scores),
    ]
    found = []
    for name, options, y_true, y_pred in cases:
        row = {"name": name, "options": options, "y_true": plain(y_true), "y_pred": plain(y_pred)}
        for key, weights in (("value", None), ("weighted", weight)):
            metric = getattr(keras.metrics, name)(**options)
            for part in (slice(0, 5), slice(5, None)):  # two batches of unequal size
                chosen = None if weights is None else weights[part]
                metric.update_state(y_true[part], y_pred[part], chosen)
            row[key] = plain(metric.result())
        found.append({**row, "weight": plain(weight)})
    return found


OPTIMIZERS = [
    ("SGD", {}),
    ("SGD", {"momentum": 0.9}),
    ("SGD", {"momentum": 0.9, "nesterov": True}),
    ("SGD", {"weight_decay": 0.1, "clipvalue": 0.4}),
    ("RMSprop", {}),
    ("RMSprop", {"momentum": 0.5, "centered": True, "rho": 0.8}),
    ("Adam", {}),
    ("Adam", {"amsgrad": True, "beta_1": 0.8, "epsilon": 1e-3}),
    ("Adam", {"clipnorm": 0.5}),
    ("Adam", {"global_clipnorm": 0.5}),
    ("AdamW", {}),
    ("AdamW", {"weight_decay": 0.2}),
]


def optimizers():
    start = [rng.normal(size=(3, 2)).astype("f4"), rng.normal(size=(2,)).astype("f4")]
    slopes = [[rng.normal(size=w.shape).astype("f4") for w in start] for _ in range(5)]
    found = []
    for name, options in OPTIMIZERS:
        optimizer = getattr(keras.optimizers, name)(learning_rate=0.05, **options)
        variables = [keras.Variable(w) for w in start]
        path = []
        for step in slopes:
            optimizer.apply([keras.ops.convert_to_tensor(g) for g in step], variables)
            path.append([np.asarray(v) for v in variables])
        found.append({"name": name, "options": options, "path": plain(path)})
    return {"start": plain(start), "gradients": plain(slopes), "cases": found}


def trainings():
    """Whole calls of fit, from given weights and without shuffling."""
    x = rng.normal(size=(50, 5)).astype("f4")
    labels = (x[:, 0] > 0).astype(int) + (x[:, 1] > 0.5)
    numbers = (x @ np.arange(1.0, 6.0) + 0.1 * rng.normal(size=50)).astype("f4")
    weight = rng.uniform(0.5, 1.5, 50).astype("f4")
    cases = [
        ("softmax", 3, "sparse_categorical_crossentropy", labels, "sgd", {}),
        ("softmax", 3, "categorical_crossentropy", np.eye(3)[labels], "adam", {}),
        ("sigmoid", 1, "binary_crossentropy", (labels > 0) * 1.0, "rmsprop", {}),
        (None, 1, "mse", numbers, "adamw", {}),
        ("softmax", 3, "sparse_categorical_crossentropy", labels, "sgd", {"sample_weight": weight}),
        (
            "softmax",
            3,
            "sparse_categorical_crossentropy",
            labels,
            "adam",
            {"class_weight": {0: 1.0, 1: 2.0, 2: 0.5}},
        ),
        (
            "softmax",
            3,
            "sparse_categorical_crossentropy",
            labels,
            "adam",
            {"validation_split": 0.2},
        ),
    ]
    found = []
    for activation, units, loss, y, optimizer, options in cases:
        model = keras.Sequential(
            [
                keras.Input((5,)),
                keras.layers.Dense(8, activation="tanh"),
                keras.layers.Dense(units, activation=activation),
            ]
        )
        start = [0.5 * rng.normal(size=w.shape).astype("f4") for w in model.get_weights()]
        model.set_weights(start)
        metrics = ["mae"] if loss == "mse" else ["accuracy"]
        model.compile(optimizer, loss, metrics=metrics)
        history = model.fit(
            x, y, batch_size=16, epochs=4, shuffle=False, verbose=0, **options
        ).history
        found.append(
            {
                "activation": activation,
                "units": units,
                "loss": loss,
                "y": plain(y),
                "optimizer": optimizer,
                "options": plain(
                    {
                        k: ({str(c): w for c, w in v.items()} if isinstance(v, dict) else v)
                        for k, v in options.items()
                    }
                ),
                "start": plain(start),
                "end": plain(model.get_weights()),
                "history": plain(history),
                "evaluation": plain(model.evaluate(x, y, verbose=0, return_dict=True)),
                "prediction": plain(model.predict(x[:7], verbose=0)),
            }
        )
    return {"x": plain(x), "cases": found}


if __name__ == "__main__":
    record = {
        "keras": keras.__version__,
        "activations": activations(),
        "losses": losses(),
        "metrics": metrics(),
        "optimizers": optimizers(),
        "trainings": trainings(),
    }
    PATH.write_text(json.dumps(record, separators=(",", ":")) + "\n")
    print(f"{PATH}: {PATH.stat().st_size} bytes")
