"""bital.keras beside Keras 3: values recorded by ``record_keras3.py``."""

import json
from pathlib import Path

import numpy as np
import pytest

from bital import keras

RECORD = json.loads((Path(__file__).parent / "keras3_reference.json").read_text())


def rows(name):
    return pytest.mark.parametrize(
        "row", RECORD[name], ids=lambda row: f"{row['name']}-{row['options']}"
    )


def array(values):
    found = np.asarray(values)
    return found.astype(np.float32) if found.dtype.kind == "f" else found


@pytest.mark.parametrize("name", RECORD["activations"]["values"])
def test_activation(name):
    x = array(RECORD["activations"]["x"])
    with np.errstate(over="ignore"):
        found = keras.activations.get(name)(x)
    assert found.dtype == np.float32
    np.testing.assert_allclose(
        np.minimum(found, 1e38),
        RECORD["activations"]["values"][name],
        rtol=3e-6,
        atol=3e-7 if name == "gelu_tanh" else 1e-30,
    )


@rows("losses")
def test_loss(row):
    loss = getattr(keras.losses, row["name"])(**row["options"])
    y_true, y_pred = array(row["y_true"]), array(row["y_pred"])
    np.testing.assert_allclose(loss(y_true, y_pred), row["value"], rtol=1e-6)
    weighted = loss(y_true, y_pred, sample_weight=array(row["weight"]))
    np.testing.assert_allclose(weighted, row["weighted"], rtol=1e-6)


@rows("metrics")
def test_metric(row):
    y_true, y_pred, weight = (array(row[key]) for key in ("y_true", "y_pred", "weight"))
    metric = getattr(keras.metrics, row["name"])(**row["options"])
    metric.update_state(y_true[:5], y_pred[:5])
    metric.update_state(y_true[5:], y_pred[5:])
    np.testing.assert_allclose(metric.result(), row["value"], rtol=1e-6)
    metric.reset_state()
    metric.update_state(y_true[:5], y_pred[:5], weight[:5])
    metric.update_state(y_true[5:], y_pred[5:], weight[5:])
    np.testing.assert_allclose(metric.result(), row["weighted"], rtol=1e-6)


@pytest.mark.parametrize(
    "row", RECORD["optimizers"]["cases"], ids=lambda row: f"{row['name']}-{row['options']}"
)
def test_optimizer(row):
    optimizer = getattr(keras.optimizers, row["name"])(learning_rate=0.05, **row["options"])
    variables = [keras.Variable(array(w)) for w in RECORD["optimizers"]["start"]]
    for gradients, expected in zip(RECORD["optimizers"]["gradients"], row["path"], strict=True):
        optimizer.apply([array(g) for g in gradients], variables)
        for variable, values in zip(variables, expected, strict=True):
            assert variable.value.dtype == np.float32
            np.testing.assert_allclose(variable.value, values, rtol=2e-5, atol=2e-6)
    assert optimizer.iterations == 5


@pytest.mark.parametrize(
    "row",
    RECORD["trainings"]["cases"],
    ids=lambda row: f"{row['loss']}-{row['optimizer']}-{'-'.join(row['options'])}",
)
def test_training(row):
    """Four epochs of fit, with a short last batch: losses, metrics, weights and predictions."""
    x, y = array(RECORD["trainings"]["x"]), array(row["y"])
    options = dict(row["options"])
    if "class_weight" in options:
        options["class_weight"] = {int(k): w for k, w in options["class_weight"].items()}
    model = keras.Sequential(
        [
            keras.Input((5,)),
            keras.layers.Dense(8, activation="tanh"),
            keras.layers.Dense(row["units"], activation=row["activation"]),
        ]
    )
    model.set_weights([array(w) for w in row["start"]])
    metric = "mae" if row["loss"] == "mse" else "accuracy"
    model.compile(row["optimizer"], row["loss"], metrics=[metric])
    history = model.fit(x, y, batch_size=16, epochs=4, shuffle=False, verbose=0, **options).history
    assert set(history) == set(row["history"])
    for name, values in row["history"].items():
        np.testing.assert_allclose(history[name], values, rtol=2e-5, err_msg=name)
    for weight, expected in zip(model.get_weights(), row["end"], strict=True):
        np.testing.assert_allclose(weight, expected, rtol=1e-4, atol=2e-6)
    found = model.evaluate(x, y, verbose=0, return_dict=True)
    assert found == pytest.approx(row["evaluation"], rel=2e-5)
    np.testing.assert_allclose(
        model.predict(x[:7], verbose=0), row["prediction"], rtol=1e-4, atol=1e-6
    )
