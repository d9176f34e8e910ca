"""Feature columns and estimators. Values of columns are TensorFlow 2.21's own (compat.v1)."""

import gc
import pathlib

import numpy as np
import pandas
import pytest
from scipy.special import expit
from sklearn import datasets

import bital.tf1 as tf
from bital.tf1 import feature_column as fc

DATA = {
    "word": np.array(["a", "zz", "", "c"]),
    "words": np.array([["a", "b"], ["", "c"], ["", ""], ["q", "a"]]),
    "x": np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [-1.0, 0.0]]),
    "age": np.array([1.0, 10.0, 25.0, 90.0]),
    "id": np.array([0, 2, 1, 2]),
    "number": np.array([5, 77, -1, 123456]),
}
WORDS = fc.categorical_column_with_vocabulary_list("words", ["a", "b", "c"])
BUCKETS = fc.bucketized_column(fc.numeric_column("x", shape=[2]), [0.0, 3.0, 5.0])


def embedding(column, width, dimension, combiner="mean"):
    table = np.arange(width * dimension, dtype=np.float32).reshape(width, dimension)
    return fc.embedding_column(column, dimension, combiner, lambda *_, **__: table)


ROWS = {
    "numeric": (
        [fc.numeric_column("x", (2,), normalizer_fn=lambda x: x * 2), fc.numeric_column("age")],
        [[1, 2, 4], [10, 6, 8], [25, 10, 12], [90, -2, 0]],
    ),
    "vocabulary": ([fc.indicator_column(WORDS)], [[1, 1, 0], [0, 0, 1], [0, 0, 0], [1, 0, 0]]),
    "vocabulary_and_buckets": (
        [
            fc.indicator_column(
                fc.categorical_column_with_vocabulary_list("word", ["a", "b", "c"], None, -1, 3)
            )
        ],
        [[1, 0, 0, 0, 0, 0], [0, 0, 0, 0, 1, 0], [0, 0, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0]],
    ),
    "hash_of_strings": (
        [fc.indicator_column(fc.categorical_column_with_hash_bucket("word", 7))],
        np.eye(7)[[5, 1, 0, 5]] * [[1], [1], [0], [1]],
    ),
    "hash_of_integers": (
        [fc.indicator_column(fc.categorical_column_with_hash_bucket("number", 7, tf.int64))],
        np.eye(7)[[1, 0, 0, 5]] * [[1], [1], [0], [1]],
    ),
    "identity": (
        [fc.indicator_column(fc.categorical_column_with_identity("id", 3))],
        np.eye(3)[[0, 2, 1, 2]],
    ),
    "bucketized": (
        [BUCKETS],
        np.hstack([np.eye(4)[[1, 2, 3, 0]], np.eye(4)[[1, 2, 3, 1]]]),
    ),
    "embedding_mean": ([embedding(WORDS, 3, 2)], [[1, 2], [4, 5], [0, 0], [0, 1]]),
    "embedding_sum": ([embedding(WORDS, 3, 2, "sum")], [[2, 4], [4, 5], [0, 0], [0, 1]]),
    "embedding_sqrtn": (
        [embedding(WORDS, 3, 2, "sqrtn")],
        [[1.4142135, 2.8284271], [4, 5], [0, 0], [0, 1]],
    ),
    "embedding_of_buckets": ([embedding(BUCKETS, 8, 1)], [[3], [4], [5], [2.5]]),
}


@pytest.mark.parametrize("fed", [True, False], ids=["fed", "constant"])
@pytest.mark.parametrize("row", ROWS)
def test_columns_give_what_tensorflow_gives(row, fed):
    columns, expected = ROWS[row]
    with tf.Graph().as_default(), tf.Session() as session:
        if fed:
            features = {k: tf.placeholder(v.dtype, (None, *v.shape[1:])) for k, v in DATA.items()}
        else:
            features = {name: tf.constant(array) for name, array in DATA.items()}
        net = tf.feature_column.input_layer(features, columns)
        assert net.shape.as_list() == [None if fed else 4, np.shape(expected)[1]]
        assert net.dtype == tf.float32
        session.run(tf.global_variables_initializer())
        feeds = {features[name]: DATA[name] for name in DATA} if fed else {}
        np.testing.assert_allclose(session.run(net, feeds), expected, rtol=1e-6)


def test_an_embedding_is_learned_under_tensorflows_name():
    with tf.Graph().as_default(), tf.Session() as session:
        features = {"words": tf.constant(DATA["words"])}
        net = fc.input_layer(features, [embedding(WORDS, 3, 2)])
        (table,) = tf.trainable_variables()
        assert table.name == "input_layer/words_embedding/embedding_weights:0"
        session.run(tf.global_variables_initializer())
        found = session.run(tf.gradients(net, table)[0])
    np.testing.assert_array_equal(found, [[1.5, 1.5], [0.5, 0.5], [1, 1]])


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (WORDS, "wrap words with an embedding_column or indicator_column"),
        (fc.numeric_column("none"), "Feature none is not in features dictionary"),
        (fc.numeric_column("x", 3), "size 8 into shape"),
    ],
)
def test_a_column_that_does_not_fit_is_refused(column, message):
    with tf.Graph().as_default(), pytest.raises(ValueError, match=message):
        fc.input_layer({name: tf.constant(array) for name, array in DATA.items()}, [column])


def test_bad_columns_are_refused():
    column = fc.indicator_column(fc.categorical_column_with_hash_bucket("age", 3))
    for age in (tf.constant(DATA["age"]), tf.placeholder(tf.float32, (None,))):
        with pytest.raises(TypeError, match="takes strings or integers, got float"):
            fc.input_layer({"age": age}, [column])
    with pytest.raises(ValueError, match="Duplicate keys"):
        fc.categorical_column_with_vocabulary_list("word", ["a", b"a"])
    with pytest.raises(ValueError, match="increasing boundaries"):
        fc.bucketized_column(fc.numeric_column("x"), [1, 0])


# --- estimators -----------------------------------------------------------------------------


SEEDED = {"config": tf.estimator.RunConfig(tf_random_seed=1)}


def columns(width):
    return [fc.numeric_column("x", shape=[width])]


def table(name):
    X, t = getattr(datasets, f"load_{name}")(return_X_y=True)
    return {"x": ((X - X.mean(0)) / X.std(0)).astype(np.float32)}, t


def inputs(x, y=None, **options):
    return tf.estimator.inputs.numpy_input_fn(x, y, **{"shuffle": False, **options})


@pytest.fixture(scope="module")
def iris():
    x, t = table("iris")
    model = tf.estimator.DNNClassifier([10, 10], columns(4), n_classes=3, **SEEDED)
    return model.train(inputs(x, t, batch_size=30, num_epochs=60, shuffle=True)), x, t


def test_classes_of_iris(iris):
    model, x, t = iris
    found = model.evaluate(inputs(x, t, batch_size=50))
    assert found["accuracy"] >= 0.95
    assert found["global_step"] == 300
    rows = list(model.predict(inputs(x, t, batch_size=40)))
    chances = np.array([row["probabilities"] for row in rows])
    assert chances.shape == (150, 3)
    losses = -np.log(chances[np.arange(150), t])
    np.testing.assert_allclose(found["average_loss"], losses.mean(), rtol=1e-4)
    np.testing.assert_allclose(found["loss"], losses.reshape(3, 50).sum(1).mean(), rtol=1e-4)
    ids = np.array([row["class_ids"] for row in rows])
    np.testing.assert_array_equal(ids[:, 0], chances.argmax(1))
    assert rows[0]["classes"].tolist() == [b"0"]
    assert found["accuracy"] == pytest.approx((ids[:, 0] == t).mean())
    (first, *_) = model.predict(inputs(x), predict_keys=["logits"])
    assert set(first) == {"logits"}


def test_variables_have_tensorflows_names(iris):
    model, _, _ = iris
    names = [f"dnn/{layer}/{part}" for layer in LAYERS for part in ("bias", "kernel")]
    assert set(model.get_variable_names()) == {"global_step", *names} | {
        f"{name}/Adagrad" for name in names
    }
    assert model.get_variable_value("dnn/hiddenlayer_1/kernel").shape == (10, 10)


LAYERS = ("hiddenlayer_0", "hiddenlayer_1", "logits")


@pytest.mark.parametrize(
    ("kind", "divisor"), [(tf.estimator.DNNClassifier, 1), (tf.contrib.learn.DNNClassifier, 8)]
)
def test_one_step_by_hand(kind, divisor):
    """Adagrad at 0.05, on the sum of the cross-entropies; in contrib.learn on their mean."""
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(8, 3)).astype(np.float32), rng.integers(0, 4, 8)
    model = kind(hidden_units=[], feature_columns=columns(3), n_classes=4)
    model.train(inputs({"x": x}, t), steps=0)
    before = [model.get_variable_value(f"dnn/logits/{part}") for part in ("kernel", "bias")]
    model.train(inputs({"x": x}, t), steps=1)
    after = [model.get_variable_value(f"dnn/logits/{part}") for part in ("kernel", "bias")]
    scores = np.exp(x @ before[0] + before[1])
    error = (scores / scores.sum(1, keepdims=True) - np.eye(4)[t]) / divisor
    gradients = [x.T @ error, error.sum(0)]
    for old, new, g in zip(before, after, gradients, strict=True):
        np.testing.assert_allclose(new, old - 0.05 * g / np.sqrt(0.1 + g**2), rtol=1e-4, atol=1e-6)


def test_two_classes_of_words():
    x, t = table("breast_cancer")
    words = np.array(["bad", "good"])[t]
    model = tf.estimator.DNNClassifier(
        [10], columns(30), label_vocabulary=["bad", "good"], optimizer="Adam", **SEEDED
    )
    model.train(inputs(x, words, batch_size=64, num_epochs=None, shuffle=True), steps=60)
    found = model.evaluate(inputs(x, words))
    assert found["accuracy"] >= 0.95
    rows = list(model.predict(inputs(x)))
    chances = np.array([row["logistic"][0] for row in rows])
    np.testing.assert_allclose(chances, [row["probabilities"][1] for row in rows], atol=1e-6)
    np.testing.assert_allclose(chances, expit([row["logits"][0] for row in rows]), atol=1e-6)
    with pytest.raises(tf.errors.InvalidArgumentError, match="out of bounds"):
        model.evaluate(inputs(x, np.full(569, "ugly")))
    right = [row["classes"][0].decode() == word for row, word in zip(rows, words, strict=True)]
    assert np.mean(right) == pytest.approx(found["accuracy"])


def test_regression_with_an_optimizer_and_a_folder(tmp_path):
    x, t = table("diabetes")
    t = ((t - t.mean()) / t.std()).astype(np.float32)
    folder = str(tmp_path / "model")
    options = {"optimizer": tf.train.AdamOptimizer(0.01), **SEEDED}
    make = lambda: tf.estimator.DNNRegressor([20], columns(10), folder, **options)  # noqa: E731
    source = inputs(x, t, batch_size=100, num_epochs=None, shuffle=True)
    make().train(source, steps=60)
    model = make().train(source, max_steps=80).train(source, max_steps=70)
    assert model.latest_checkpoint().startswith(folder)
    found = make().evaluate(inputs(x, t))  # another estimator: what was learned is in the folder
    assert found["global_step"] == 80
    rows = np.array([row["predictions"] for row in make().predict(inputs(x))])
    assert rows.shape == (442, 1)
    assert np.mean((rows[:, 0] - t) ** 2) == pytest.approx(found["average_loss"], rel=1e-4)
    assert found["average_loss"] < 0.6
    assert found["prediction/mean"] == pytest.approx(rows.mean(), abs=1e-5)


def test_columns_of_words_are_learned():
    x = {"word": np.array(["up", "down", "left"] * 20), "on": np.array([[0], [1]] * 30)}
    t = (x["word"] == "up") ^ (x["on"][:, 0] == 1)
    word = fc.categorical_column_with_hash_bucket("word", 50)
    on = fc.categorical_column_with_identity("on", 2)
    net = tf.estimator.DNNClassifier(
        [20], [fc.embedding_column(word, 3), fc.indicator_column(on)], optimizer="Adam", **SEEDED
    )
    net.train(inputs(x, t.astype(int), num_epochs=80, batch_size=30, shuffle=True))
    assert net.evaluate(inputs(x, t.astype(int)))["accuracy"] == 1
    name = "dnn/input_from_feature_columns/input_layer/word_embedding/embedding_weights"
    assert net.get_variable_value(name).shape == (50, 3)


def test_a_seed_decides_all():
    x, t = table("iris")
    config = tf.estimator.RunConfig(tf_random_seed=3)

    def trained():
        model = tf.estimator.DNNClassifier([5], columns(4), n_classes=3, config=config, dropout=0.5)
        model.train(inputs(x, t, batch_size=16, shuffle=True))
        return model.get_variable_value("dnn/logits/kernel")

    np.testing.assert_array_equal(trained(), trained())


def test_folders_of_estimators_go_with_them():
    model = tf.estimator.DNNClassifier([], columns(2))
    with pytest.raises(ValueError, match="Could not find trained model in model_dir"):
        model.evaluate(inputs({"x": np.zeros((1, 2))}, [0]))
    folder = pathlib.Path(model.train(inputs({"x": np.zeros((1, 2))}, [0])).model_dir)
    assert (folder / "checkpoint").is_file()
    del model
    gc.collect()
    assert not folder.exists()


# --- functions of models and of input -------------------------------------------------------


def line(features, labels, mode, params):
    """A line through points, with a rate of its own."""
    w = tf.get_variable("w", [], initializer=tf.zeros_initializer())
    found = w * tf.cast(features["x"], tf.float32)
    if mode == tf.estimator.ModeKeys.PREDICT:
        assert labels is None
        return tf.estimator.EstimatorSpec(mode, predictions=found)
    loss = tf.reduce_mean(tf.square(found - labels))
    optimizer = tf.train.GradientDescentOptimizer(params["rate"])
    return tf.estimator.EstimatorSpec(
        mode,
        loss=loss,
        train_op=optimizer.minimize(loss, tf.train.get_global_step()),
        eval_metric_ops={"mean": tf.metrics.mean(labels)},
    )


def test_a_function_of_a_model():
    x, y = np.array([1.0, 2.0]), np.array([2.0, 4.0], np.float32)
    model = tf.estimator.Estimator(line, params={"rate": 0.1})
    model.train(lambda: ({"x": tf.constant(x)}, tf.constant(y)), steps=1)
    assert model.get_variable_value("w") == pytest.approx(1.0)  # 0.1 * mean(2 x y)
    found = model.evaluate(inputs({"x": x}, y, batch_size=1))
    assert found == {"mean": pytest.approx(3), "loss": pytest.approx(2.5), "global_step": 1}
    assert list(model.predict(inputs({"x": x}, y))) == pytest.approx([1, 2])
    assert next(model.predict(lambda: {"x": tf.constant(x)})) == pytest.approx(1)


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({}, ValueError, "never ends: write train"),
        ({"steps": 1, "hooks": ["hook"]}, tf.errors.UnimplementedError, "sess.run"),
        ({"steps": 99}, RuntimeError, "NaN loss during training, in step"),
    ],
)
def test_training_that_cannot_go_on(options, kind, message):
    model = tf.estimator.Estimator(line, params={"rate": 1e30})
    with pytest.raises(kind, match=message):
        model.train(lambda: ({"x": tf.constant(1.0)}, tf.constant(2.0)), **options)


def drawn(x, y=None, **options):
    """The rows that a function of input gives, in their order."""
    given = tf.estimator.inputs.numpy_input_fn(x, y, **options)
    model = tf.estimator.Estimator(lambda features: tf.estimator.EstimatorSpec("", features))
    return list(model.train(given, steps=0).predict(given))


def test_batches_hold_each_row_once_in_an_epoch():
    x = np.arange(10)
    assert drawn(x, batch_size=4, shuffle=False) == x.tolist()
    found = drawn(x, batch_size=4, num_epochs=3, shuffle=True)
    assert [sorted(found[i : i + 10]) for i in (0, 10, 20)] == [x.tolist()] * 3
    assert found[:10] != x.tolist()
    assert found[:10] != found[10:20]


def test_input_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="shuffle must be provided"):
        tf.estimator.inputs.numpy_input_fn(np.zeros(2))
    with pytest.raises(ValueError, match=r"mismatched: \[2, 3\]"):
        inputs({"x": np.zeros(2)}, np.zeros(3))


def test_data_frames():
    frame = pandas.DataFrame({"age": [1.0, 2.0, 3.0, 4.0], "word": ["a", "b", "a", "b"]})
    words = fc.categorical_column_with_vocabulary_list("word", ["a", "b"])
    model = tf.estimator.DNNRegressor(
        [], [fc.numeric_column("age"), fc.indicator_column(words)], optimizer="Adam", **SEEDED
    )
    source = tf.estimator.inputs.pandas_input_fn(
        frame, pandas.Series([1.0, 0.0, 1.0, 0.0]), batch_size=4, num_epochs=200, shuffle=False
    )
    assert model.train(source).evaluate(source, steps=1)["average_loss"] < 0.05


# --- contrib.learn --------------------------------------------------------------------------


def test_contrib_learn_in_scikit_learns_manner():
    (x, t), learn = table("iris"), tf.contrib.learn
    found = learn.infer_real_valued_columns_from_input(x["x"])
    model = learn.DNNClassifier(hidden_units=[20], n_classes=3, feature_columns=found, **SEEDED)
    whole = learn.SKCompat(model)
    assert whole.fit(x["x"], t, batch_size=50, steps=200) is whole
    predicted = whole.predict(x["x"])
    assert predicted["classes"].shape == (150,)
    assert predicted["probabilities"].shape == (150, 3)
    accuracy = np.mean(predicted["classes"] == t)
    assert accuracy >= 0.93
    assert whole.score(x["x"], t)["accuracy"] == pytest.approx(accuracy)
    assert set(whole.predict(x["x"], outputs=["logits"])) == {"logits"}
    assert list(model.predict(x["x"])) == predicted["classes"].tolist()
    np.testing.assert_allclose(list(model.predict_proba(x["x"])), predicted["probabilities"], 1e-5)
    model.fit(x["x"], t, steps=1)
    result = model.evaluate(x["x"], t)
    assert result["global_step"] == 201
    assert result["loss"] == pytest.approx(result["average_loss"], rel=1e-5)
    with pytest.raises(ValueError, match="the input never ends"):
        model.fit(x["x"], t)


def test_contrib_learn_of_numbers():
    x = np.linspace(-1, 1, 50, dtype=np.float32)[:, None]
    found = tf.contrib.learn.infer_real_valued_columns_from_input(x)
    model = tf.contrib.learn.DNNRegressor(
        [], found, optimizer=tf.train.AdamOptimizer(0.1), **SEEDED
    )
    model.fit(x, 3 * x[:, 0], steps=300)
    np.testing.assert_allclose(list(model.predict(x)), 3 * x[:, 0], atol=0.05)
    assert tf.contrib.learn.SKCompat(model).predict(x)["scores"].shape == (50,)
