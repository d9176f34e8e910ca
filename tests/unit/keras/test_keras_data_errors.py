"""Data that cannot be right: a named error before anything is trained, and nothing has changed."""

import numpy as np
import pytest

from bital import keras
from bital.errors import ArgumentError, DataError, ShapeError
from bital.keras import layers

rng = np.random.default_rng(0)
X = rng.normal(size=(12, 4))
LABELS = np.arange(12) % 3


def put(array, place, value):
    array = np.array(array, dtype=float)
    array[place] = value
    return array


def model(loss="sparse_categorical_crossentropy", units=3):
    activation = "softmax" if "categorical" in loss else None
    model = keras.Sequential(
        [
            layers.Dense(5, name="front", input_shape=(4,)),
            layers.Dense(units, activation=activation),
        ]
    )
    model.compile("adam", loss, metrics=["accuracy"])
    return model


SPARSE = "sparse_categorical_crossentropy"

# (loss, units, x, y, error, what the message must say)
TABLE = {
    "features": (SPARSE, 3, X[:, :3], LABELS, ShapeError, ["(12, 3)", "'front'", "(batch, 4)"]),
    "axes": (
        SPARSE,
        3,
        X.reshape(12, 2, 2),
        LABELS,
        ShapeError,
        ["(12, 2, 2)", "x.reshape(len(x), 4)"],
    ),
    "one sample": (SPARSE, 3, X[0], LABELS[:1], ShapeError, ["(4,)", "x[np.newaxis]"]),
    "nan": (SPARSE, 3, put(X, (7, 2), np.nan), LABELS, DataError, ["x[7, 2] is NaN"]),
    "inf": (SPARSE, 3, put(X, (11, 0), -np.inf), LABELS, DataError, ["x[11, 0] is -inf"]),
    "too large for float32": (
        SPARSE,
        3,
        put(X, (3, 1), 1e300),
        LABELS,
        DataError,
        ["x[3, 1] is 1e+300", "float32"],
    ),
    "no samples": (SPARSE, 3, X[:0], LABELS[:0], DataError, ["x is empty", "(0, 4)"]),
    "strings": (SPARSE, 3, X.astype(str), LABELS, DataError, ["x has dtype <U", "np.unique"]),
    "objects": (SPARSE, 3, X.astype(object), LABELS, DataError, ["x has dtype object"]),
    "dates": (SPARSE, 3, X.astype("M8[s]"), LABELS, DataError, ["x has dtype datetime64"]),
    "complex": (SPARSE, 3, X + 1j, LABELS, DataError, ["x has dtype complex128"]),
    "masked": (
        SPARSE,
        3,
        np.ma.masked_greater(X, 1.0),
        LABELS,
        DataError,
        ["x is a masked array", "filled(0)"],
    ),
    "ragged": (SPARSE, 3, [[1, 2], [3]], LABELS[:2], DataError, ["rectangular"]),
    "nothing": (SPARSE, 3, None, LABELS, DataError, ["x is None"]),
    "generator": (SPARSE, 3, (row for row in X), LABELS, DataError, ["generator", "np.stack"]),
    "number": (SPARSE, 3, 3.0, LABELS, DataError, ["single number"]),
    "string labels": (SPARSE, 3, X, LABELS.astype(str), DataError, ["y has dtype <U21", "'0'"]),
    "lengths": (SPARSE, 3, X, LABELS[:11], DataError, ["12 samples", "11 targets"]),
    "label too large": (
        SPARSE,
        3,
        X,
        np.r_[LABELS[:11], 9],
        DataError,
        ["y[11] is 9", "0 to 2", "layer of 10"],
    ),
    "label negative": (SPARSE, 3, X, np.r_[-1, LABELS[1:]], DataError, ["y[0] is -1", "0 to 2"]),
    "labels from 1": (SPARSE, 3, X, LABELS + 1, DataError, ["y[2] is 3", "y - 1"]),
    "label not whole": (SPARSE, 3, X, LABELS + 0.5, DataError, ["y[0] is 0.5"]),
    "label nan": (SPARSE, 3, X, put(LABELS, 4, np.nan), DataError, ["y[4] is NaN"]),
    "one-hot for sparse": (
        SPARSE,
        3,
        X,
        np.eye(3)[LABELS],
        ShapeError,
        ["(12, 3)", "categorical_crossentropy"],
    ),
    "labels for one-hot": (
        "categorical_crossentropy",
        3,
        X,
        LABELS,
        ShapeError,
        ["(12,)", "(batch, 3)", "to_categorical(y, 3)"],
    ),
    "not probabilities": (
        "categorical_crossentropy",
        3,
        X,
        np.eye(3)[LABELS] * 2,
        DataError,
        ["y[0, 0] is 2.0", "between 0 and 1"],
    ),
    "binary labels": ("binary_crossentropy", 1, X, LABELS, DataError, ["y[2, 0] is 2"]),
    "broadcast": ("mse", 3, X, LABELS, ShapeError, ["(12,)", "(batch, 3)", "one to one"]),
    "broadcast column": ("mse", 3, X, LABELS[:, None], ShapeError, ["(12, 1)", "(batch, 3)"]),
    "targets": ("mae", 3, X, np.zeros((12, 2)), ShapeError, ["layer of 2 outputs"]),
}
rows = pytest.mark.parametrize("name", TABLE)


@rows
@pytest.mark.parametrize("method", ["fit", "evaluate", "train_on_batch", "test_on_batch"])
def test_named_error_and_nothing_changed(name, method):
    loss, units, x, y, error, said = TABLE[name]
    if name == "generator":
        x = (row for row in X)
    subject = model(loss, units)
    before = subject.get_weights()
    options = {"verbose": 0} if method in ("fit", "evaluate") else {}
    with pytest.raises(error) as caught:
        getattr(subject, method)(x, y, **options)
    for part in said:
        assert part in str(caught.value)
    for a, b in zip(before, subject.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert subject.optimizer.iterations == 0


@pytest.mark.parametrize("name", [name for name in TABLE if TABLE[name][5][0].startswith("x ")])
def test_predict_says_the_same(name):
    loss, units, x, _, error, said = TABLE[name]
    with pytest.raises(error) as caught:
        model(loss, units).predict(x)
    assert said[0] in str(caught.value)


def test_position_in_a_large_array():
    """Beyond the block that a check looks at in one go."""
    x = np.zeros((300_000, 4), np.float32)
    x[299_999, 3] = np.nan
    with pytest.raises(DataError, match=r"x\[299999, 3\] is NaN"):
        model().predict(x)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"batch_size": 0}, "batch_size=0"),
        ({"batch_size": -5}, "batch_size=-5"),
        ({"batch_size": 2.5}, "batch_size=2.5"),
        ({"epochs": -1}, "epochs=-1"),
        ({"epochs": "3"}, "epochs='3'"),
        ({"validation_split": 1.0}, "none for training"),
        ({"validation_split": 0.999}, "none for training"),
        ({"validation_split": -0.1}, "validation_split=-0.1"),
        ({"validation_data": X}, "validation_data"),
        ({"validation_freq": 0}, "validation_freq=0"),
        ({"shuffle": "batch"}, "shuffle='batch'"),
        ({"verbose": 3}, "verbose=3"),
        ({"seed": -1}, "seed=-1"),
        ({"seed": 1.5}, "seed=1.5"),
        ({"class_weight": {0: 1.0}}, r"no weight for the labels \[1, 2\]"),
        ({"class_weight": [1, 2, 3]}, "must be a dict"),
        ({"class_weight": {0: 1.0, 1: -1, 2: 1}}, "class_weight=-1"),
        ({"callbacks": [print]}, "not a Callback"),
        ({"callbacks": [keras.callbacks.History]}, r"with \(\)"),
    ],
)
def test_arguments_of_fit(options, named):
    subject = model()
    before = subject.get_weights()
    with pytest.raises(ArgumentError, match=named):
        subject.fit(X, LABELS, **{"verbose": 0, **options})
    np.testing.assert_array_equal(before[0], subject.get_weights()[0])


@pytest.mark.parametrize(
    ("weights", "named"),
    [
        (np.ones(11), "11 weights for 12 samples"),
        (put(np.ones(12), 3, np.nan), r"sample_weight\[3\] is NaN"),
        (put(np.ones(12), 3, -1), "negative"),
        (["a"] * 12, "sample_weight has dtype"),
    ],
)
def test_sample_weights(weights, named):
    with pytest.raises(DataError, match=named):
        model().fit(X, LABELS, sample_weight=weights, verbose=0)


def test_validation_data_are_named():
    with pytest.raises(DataError, match="empty") as caught:
        model().fit(X, LABELS, validation_data=(X[:0], LABELS[:0]), verbose=0)
    assert "validation_data" in caught.value.__notes__[0]


def test_batch_larger_than_the_data():
    model().fit(X, LABELS, batch_size=1000, verbose=0)


@pytest.mark.parametrize(
    ("y", "units"), [(LABELS, 1), (LABELS[:, None], 1), (np.zeros((12, 1, 1)), None)]
)
def test_unambiguous_shapes_are_taken_as_keras_takes_them(y, units):
    """(n,) against (n, 1): there is one way to pair them."""
    if units is None:
        subject = keras.Sequential([layers.Dense(1, input_shape=(1, 4)), layers.Flatten()])
        subject.compile("sgd", "mse")
        subject.fit(X[:, None], y, verbose=0)
        return
    subject = model("mse", units)
    found = subject.evaluate(X, y, verbose=0)[0]
    expected = np.mean((subject.predict(X)[:, 0] - LABELS) ** 2)
    assert found == pytest.approx(expected, rel=1e-5)


def test_label_columns_and_whole_floats():
    one = model().evaluate(X, LABELS, verbose=0)[0]
    subject = model()
    subject.set_weights(model().get_weights())
    for y in (LABELS[:, None], LABELS.astype(float), LABELS.astype(np.uint8), LABELS.tolist()):
        assert np.isfinite(model().evaluate(X, y, verbose=0)[0])
    assert np.isfinite(one)
