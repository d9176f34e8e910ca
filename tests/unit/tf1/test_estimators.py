"""Feature columns and estimators. Values of columns are TensorFlow 2.21's own (compat.v1)."""

import numpy as np
import pytest

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
        (WORDS, "wrap a categorical column with an embedding_column or indicator_column"),
        (fc.numeric_column("none"), "Feature none is not in features dictionary"),
        (fc.numeric_column("x", 3), "size 8 into shape"),
    ],
)
def test_a_column_that_does_not_fit_is_refused(column, message):
    with tf.Graph().as_default(), pytest.raises(ValueError, match=message):
        fc.input_layer({name: tf.constant(array) for name, array in DATA.items()}, [column])


def test_bad_columns_are_refused():
    with pytest.raises(ValueError, match="Duplicate keys"):
        fc.categorical_column_with_vocabulary_list("word", ["a", b"a"])
    with pytest.raises(ValueError, match="increasing boundaries"):
        fc.bucketized_column(fc.numeric_column("x"), [1, 0])
