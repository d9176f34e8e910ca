"""Graphs: names, scopes, static shapes, collections. TensorFlow 1.15's own answers, by hand."""

import numpy as np
import pytest

import bital.tf1 as tf


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


def test_names_are_unique_and_scoped():
    assert [tf.constant(0, name="c").op.name for _ in range(3)] == ["c", "c_1", "c_2"]
    with tf.name_scope("a"):
        assert tf.constant(0, name="c").name == "a/c:0"
        with tf.name_scope("b") as scope:
            assert scope == "a/b/"
            assert tf.constant(0, name="c").name == "a/b/c:0"
    with tf.name_scope("a"):
        assert tf.constant(0, name="c").name == "a_1/c:0"
    with tf.name_scope("a/"):
        assert tf.constant(0, name="d").name == "a/d:0"


def test_names_that_meet_a_numbered_one():
    assert tf.constant(0, name="x_1").op.name == "x_1"
    assert [tf.constant(0, name="x").op.name for _ in range(3)] == ["x", "x_2", "x_3"]


def test_what_a_name_finds(graph):
    x = tf.placeholder(tf.float32, (None, 3), name="x")
    assert graph.get_tensor_by_name("x:0") is x
    assert graph.get_operation_by_name("x") is x.op
    with pytest.raises(KeyError, match="'y' refers to an Operation not in the graph"):
        graph.get_operation_by_name("y")
    with pytest.raises(ValueError, match="write 'x:0'"):
        graph.get_tensor_by_name("x")
    with pytest.raises(KeyError, match="1 results"):
        graph.get_tensor_by_name("x:1")


UNKNOWN = None
SHAPES = [
    (lambda x: x + 1.0, (None, 6)),
    (lambda x: tf.matmul(x, np.ones((6, 2), np.float32)), (None, 2)),
    (lambda x: tf.reshape(x, [-1, 2, 3]), (None, 2, 3)),
    (lambda x: tf.reshape(x, [-1]), (None,)),
    (lambda x: tf.reshape(x, tf.stack([tf.shape(x)[0], 3, 2])), (None, 3, 2)),
    (lambda x: tf.reshape(x, [tf.shape(x)[0], 3, 2]), (None, 3, 2)),
    (lambda x: tf.reduce_mean(x), ()),
    (lambda x: tf.reduce_mean(x, axis=0), (6,)),
    (lambda x: tf.shape(x), (2,)),
    (lambda x: x + tf.placeholder(tf.float32, [6]), (None, 6)),
    (lambda x: x + tf.placeholder(tf.float32, [5, 6]), (5, 6)),
    (lambda x: x + tf.placeholder(tf.float32), UNKNOWN),
    (lambda x: tf.reduce_mean(tf.placeholder(tf.float32)), ()),
    (lambda x: tf.random_normal(tf.shape(x)), (None, 6)),
]


@pytest.mark.parametrize("number", range(len(SHAPES)))
def test_static_shapes(number):
    function, shape = SHAPES[number]
    found = function(tf.placeholder(tf.float32, (None, 6))).get_shape()
    assert found.ndims is None if shape is None else found.as_list() == list(shape)


def test_static_shapes_by_hand():
    x = tf.placeholder(tf.float32, (None, 784))
    assert str(x) == 'Tensor("Placeholder:0", shape=(?, 784), dtype=float32)'
    assert int(x.get_shape()[1]) == 784
    assert x.shape[1].value == 784
    assert x.shape[0].value is None
    assert x.get_shape().as_list() == [None, 784] == x.shape.as_list()
    assert str(x.get_shape()) == "(?, 784)"
    assert x.shape == [None, 784]
    with pytest.raises(TypeError, match="unknown until the graph runs"):
        int(x.shape[0])
    x.set_shape([50, None])
    assert x.shape == (50, 784)
    with pytest.raises(ValueError, match=r"\(50, 784\) and \(51, 784\) are not compatible"):
        x.set_shape([51, 784])


def test_shapes_that_cannot_meet():
    x = tf.placeholder(tf.float32, (None, 784))
    with pytest.raises(ValueError, match=r"'bad' cannot be computed of .*\(\?, 784\).*\(300, 10\)"):
        tf.matmul(x, tf.ones((300, 10)) if hasattr(tf, "ones") else np.ones((300, 10)), name="bad")
    with pytest.raises(TypeError, match="has type int32 that does not match type float32"):
        x + tf.constant(1)
    with tf.Graph().as_default():
        other = tf.constant(1.0)
    with pytest.raises(ValueError, match="same graph"):
        x + other


def test_tensors_are_no_values():
    x = tf.constant([1.0, 2.0])
    with pytest.raises(TypeError, match="Python bool"):
        bool(x)
    with pytest.raises(TypeError, match="no value outside of a session"):
        np.asarray(x)
    assert len(list(x)) == 2
    with pytest.raises(TypeError, match="first length is unknown"):
        list(tf.placeholder(tf.float32, [None]))
    assert {x: 1}[x] == 1
    assert x != tf.constant(1.0)


def test_collections(graph):
    weights = tf.Variable([1.0], name="weights")
    with tf.name_scope("inner"):
        other = tf.Variable([1.0], name="other", trainable=False)
    assert tf.global_variables() == [weights, other] == tf.get_collection("variables")
    assert tf.trainable_variables() == [weights]
    assert tf.get_collection(tf.GraphKeys.GLOBAL_VARIABLES, scope="inner") == [other]
    tf.add_to_collection("mine", 3)
    assert tf.get_collection("mine") == [3]
    assert tf.get_collection("none") == []
    tf.get_collection("mine").append(4)
    assert tf.get_collection("mine") == [3]
    tf.get_collection_ref("mine").append(4)
    assert tf.get_collection("mine") == [3, 4]


def test_default_graphs(graph):
    with tf.Graph().as_default() as other:
        assert tf.get_default_graph() is other
        assert tf.constant(1).graph is other
        with pytest.raises(AssertionError):
            tf.reset_default_graph()
    assert tf.get_default_graph() is graph


def test_constants():
    cases = [
        (1, "int32"),
        (1.5, "float32"),
        ([1, 2.5], "float32"),
        (np.float64(1), "float64"),
        (np.ones(2, np.int64), "int64"),
        (True, "bool"),
        (1j, "complex64"),
    ]
    for value, dtype in cases:
        assert tf.constant(value).dtype == dtype
    with tf.Session() as sess:
        assert sess.run(tf.constant(3, tf.float64, [2])).tolist() == [3.0, 3.0]
        assert sess.run(tf.constant([1, 2], shape=[2, 2])).tolist() == [[1, 2], [2, 2]]
        assert sess.run(tf.constant("hello")) == b"hello"
    with pytest.raises(TypeError, match=r"Expected int32, got 1\.5"):
        tf.constant(1.5, tf.int32)
    with pytest.raises(ValueError, match="None values not supported"):
        tf.constant(None)
    with pytest.raises(ValueError, match="rows differ in length"):
        tf.constant([[1], [2, 3]])


def test_dtypes():
    assert tf.float32.name == "float32"
    assert tf.float32 == np.float32
    assert tf.float32 != tf.float64
    assert tf.as_dtype("int64") is tf.int64
    assert tf.int32.max == 2**31 - 1
    assert tf.int64.is_integer
    assert tf.float32.as_numpy_dtype is np.float32
    assert {tf.bool: 1}[tf.as_dtype(bool)] == 1
    assert (tf.as_dtype("float"), tf.as_dtype("double")) == (tf.float32, tf.float64)
    with pytest.raises(TypeError, match="Cannot convert value 'spam'"):
        tf.as_dtype("spam")
