"""`tf.layers` and `tf.contrib.layers` against NumPy; names are TensorFlow's."""

import numpy as np
import pytest

import bital.tf1 as tf
from bital.tf1.contrib import framework
from bital.tf1.contrib import layers as contrib

R = np.random.RandomState(0)
X2 = R.randn(6, 4).astype(np.float32)
X4 = R.randn(3, 5, 6, 2).astype(np.float32)
UPDATES, PENALTIES = tf.GraphKeys.UPDATE_OPS, tf.GraphKeys.REGULARIZATION_LOSSES


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


def placeholder(values):
    return tf.placeholder(tf.float32, (None, *values.shape[1:]), name="X")


def started():
    sess = tf.Session()
    sess.run(tf.global_variables_initializer())
    return sess


def weights(sess):
    return {v.op.name: sess.run(v) for v in tf.global_variables()}


def l1(w):
    return 0.1 * tf.reduce_sum(tf.abs(w))


# --- names and shapes ----------------------------------------------------------------------

ROWS = {
    "dense": (lambda x: tf.layers.dense(tf.layers.flatten(x), 3), "dense/BiasAdd:0", (None, 3)),
    "dense_of_more_axes": (lambda x: tf.layers.dense(x, 7), "dense/BiasAdd:0", (None, 5, 6, 7)),
    "relu": (
        lambda x: tf.layers.dense(x, 7, tf.nn.relu, name="hidden"),
        "hidden/Relu:0",
        (None, 5, 6, 7),
    ),
    "conv2d": (
        lambda x: tf.layers.conv2d(x, 4, 3, strides=2, padding="SAME", activation=tf.nn.relu),
        "conv2d/Relu:0",
        (None, 3, 3, 4),
    ),
    "conv2d_transpose": (
        lambda x: tf.layers.conv2d_transpose(x, 4, (3, 2), 2, "same"),
        "conv2d_transpose/BiasAdd:0",
        (None, 10, 12, 4),
    ),
    "max_pooling2d": (
        lambda x: tf.layers.max_pooling2d(x, 2, 2),
        "max_pooling2d/MaxPool:0",
        (None, 2, 3, 2),
    ),
    "average_pooling2d": (
        lambda x: tf.layers.average_pooling2d(x, 2, 2, "same"),
        "average_pooling2d/AvgPool:0",
        (None, 3, 3, 2),
    ),
    "flatten_by_name": (lambda x: tf.layers.flatten(x, "flat"), "flat/Reshape:0", (None, 60)),
    "flatten": (tf.layers.flatten, "flatten/Reshape:0", (None, 60)),
    "dropout": (tf.layers.dropout, "dropout/Identity:0", (None, 5, 6, 2)),
    "fully_connected": (
        lambda x: contrib.fully_connected(contrib.flatten(x), 3),
        "fully_connected/Relu:0",
        (None, 3),
    ),
    "contrib_conv2d": (lambda x: contrib.conv2d(x, 3, [3, 3]), "Conv/Relu:0", (None, 5, 6, 3)),
    "contrib_max_pool2d": (
        lambda x: contrib.max_pool2d(x, 2),
        "MaxPool2D/MaxPool:0",
        (None, 2, 3, 2),
    ),
}


@pytest.mark.parametrize("row", ROWS)
def test_names_and_static_shapes(row):
    build, name, shape = ROWS[row]
    found = build(placeholder(X4))
    assert found.name == name
    assert found.shape.as_list() == list(shape)
    with started() as sess:
        value = sess.run(found, {"X:0": X4})
    assert value.shape == (3, *shape[1:])


def test_variables_are_numbered_and_shared():
    x = placeholder(X2)
    tf.layers.dense(x, 3)
    tf.layers.dense(x, 2, use_bias=False, trainable=False)
    one = tf.layers.dense(x, 5, name="h")
    two = tf.layers.dense(x, 5, name="h", reuse=True)
    names = ["dense/kernel", "dense/bias", "dense_1/kernel", "h/kernel", "h/bias"]
    assert [v.op.name for v in tf.global_variables()] == names
    assert "dense_1/kernel:0" not in [v.name for v in tf.trainable_variables()]
    assert two.name == "h_1/BiasAdd:0"
    with started() as sess:
        np.testing.assert_array_equal(*sess.run([one, two], {x: X2}))
    with pytest.raises(ValueError, match="h/kernel already exists"):
        tf.layers.dense(x, 5, name="h")


def test_unnamed_layers_are_found_again():
    x = placeholder(X2)
    found = []
    for reuse in (False, True):
        with tf.variable_scope("m", reuse=reuse):
            found.append(tf.layers.dense(tf.layers.dense(x, 3), 2))
    assert len(tf.global_variables()) == 4
    with started() as sess:
        np.testing.assert_array_equal(*sess.run(found, {x: X2}))


def test_what_cannot_be_made():
    with pytest.raises(TypeError, match="of this axis is unknown"):
        tf.layers.dense(tf.placeholder(tf.float32, (None, None)), 3)
    with pytest.raises(tf.errors.UnimplementedError, match=r"tf\.transpose channels"):
        tf.layers.conv2d(placeholder(X4), 3, 3, data_format="channels_first")
    with pytest.raises(TypeError, match="unit"):
        tf.layers.dense(placeholder(X2), 3, unit=3)
    with pytest.raises(ValueError, match="not decorated"), framework.arg_scope([tf.layers.dense]):
        pass


# --- values --------------------------------------------------------------------------------


def test_dense_and_penalties():
    x = placeholder(X2)
    options = {"kernel_regularizer": l1, "activity_regularizer": l1}
    y = tf.layers.dense(x, 3, tf.nn.tanh, bias_initializer=tf.ones_initializer(), **options)
    tf.layers.dense(x, 3, name="dense", reuse=True, **options)  # one penalty for each variable
    names = [p.name for p in tf.get_collection(PENALTIES)]
    assert names[0].startswith("dense/kernel/Regularizer/")
    assert len(names) == 3
    with started() as sess:
        value, *penalties = sess.run([y, *tf.get_collection(PENALTIES)], {x: X2})
        kernel = weights(sess)["dense/kernel"]
    truth = np.tanh(X2 @ kernel + 1)
    np.testing.assert_allclose(value, truth, rtol=1e-5)
    np.testing.assert_allclose(penalties[0], 0.1 * np.abs(kernel).sum(), rtol=1e-5)
    np.testing.assert_allclose(penalties[1], 0.1 * np.abs(truth).sum() / 6, rtol=1e-5)


def test_convolution_of_every_window():
    x = placeholder(X4)
    y = tf.layers.conv2d(x, 3, (2, 3), strides=(1, 2), bias_initializer=tf.ones_initializer())
    with started() as sess:
        value = sess.run(y, {x: X4})
        kernel = weights(sess)["conv2d/kernel"]
    assert kernel.shape == (2, 3, 2, 3)
    truth = np.empty((3, 4, 2, 3))
    for i, j in np.ndindex(4, 2):
        window = X4[:, i : i + 2, 2 * j : 2 * j + 3]
        truth[:, i, j] = np.einsum("nabc,abcd->nd", window, kernel) + 1
    np.testing.assert_allclose(value, truth, rtol=1e-4, atol=1e-5)


def test_transposed_convolution_is_the_adjoint():
    x, wide = placeholder(X4), R.randn(3, 10, 12, 3).astype(np.float32)
    up = tf.layers.conv2d_transpose(x, 3, 3, 2, "same", use_bias=False)
    down = tf.layers.conv2d(tf.constant(wide), 2, 3, 2, "same", use_bias=False, name="down")
    kernel, other = tf.global_variables()
    assert kernel.shape.as_list() == [3, 3, 3, 2]
    with started() as sess:
        other.load(sess.run(kernel), sess)
        grown, shrunk = sess.run([up, down], {x: X4})
    np.testing.assert_allclose((grown * wide).sum(), (shrunk * X4).sum(), rtol=1e-4)


def test_one_axis():
    x = tf.constant(np.array([3.0, 1, 4, 1, 5], np.float32).reshape(1, 5, 1))
    largest = tf.layers.max_pooling1d(x, 2, 2, "same")
    mean = tf.layers.average_pooling1d(x, 2, 2)
    sums = tf.layers.conv1d(x, 1, 2, kernel_initializer=tf.ones_initializer())
    with started() as sess:
        found = [value[0, :, 0].tolist() for value in sess.run([largest, mean, sums])]
    assert found == [[3, 4, 5], [2, 2.5], [4, 5, 5, 6]]


@pytest.mark.parametrize("how", ["known", "fed", "contrib"])
def test_dropout(how):
    x, training = tf.ones((1000,)), tf.placeholder_with_default(False, shape=())
    if how == "contrib":
        y = contrib.dropout(x, 0.75, is_training=training)
    else:
        y = tf.layers.dropout(x, 0.25, training=True if how == "known" else training)
    with tf.Session() as sess:
        value = sess.run(y, {training: True})
        assert set(np.unique(value)) == {0, np.float32(1 / 0.75)}
        assert 650 < np.count_nonzero(value) < 850
        if how != "known":
            np.testing.assert_array_equal(sess.run(y), 1)


# --- batch normalization -------------------------------------------------------------------


def normalized(values, mean, variance, gamma=1.0, beta=0.0, epsilon=1e-3):
    return (values - mean) / np.sqrt(variance + epsilon) * gamma + beta


@pytest.mark.parametrize("values", [X2, X4], ids=["rows", "images"])
@pytest.mark.parametrize("how", ["known", "fed"])
def test_batch_normalization(values, how):
    x = placeholder(values)
    fed = tf.placeholder_with_default(False, shape=())
    training = True if how == "known" else fed
    y = tf.layers.batch_normalization(x, training=training, momentum=0.9)
    names = [v.op.name.partition("/")[2] for v in tf.global_variables()]
    assert names == ["gamma", "beta", "moving_mean", "moving_variance"]
    assert len(tf.trainable_variables()) == 2
    updates = tf.get_collection(UPDATES)
    axes, count = tuple(range(values.ndim - 1)), values.size // values.shape[-1]
    mean, variance = values.mean(axes), values.var(axes)
    unbiased = variance * (count / (count - 1) if values.ndim == 4 else 1)
    with started() as sess:
        tf.global_variables()[0].load(np.full(len(mean), 2, np.float32), sess)
        tf.global_variables()[1].load(np.full(len(mean), 3, np.float32), sess)
        found = sess.run([y, *updates], {x: values, fed: True})[0]
        np.testing.assert_allclose(found, normalized(values, mean, variance, 2, 3), atol=1e-4)
        kept = [sess.run(v) for v in tf.global_variables()[2:]]
        np.testing.assert_allclose(kept[0], 0.1 * mean, atol=1e-6)
        np.testing.assert_allclose(kept[1], 0.9 + 0.1 * unbiased, rtol=1e-5)
        if how == "fed":
            found = sess.run([y, *updates], {x: values})[0]
            np.testing.assert_allclose(found, normalized(values, *kept, 2, 3), atol=1e-4)
            for v, value in zip(tf.global_variables()[2:], kept, strict=True):
                np.testing.assert_array_equal(sess.run(v), value)


def test_batch_normalization_that_is_not_trained():
    x = placeholder(X2)
    y = tf.layers.batch_normalization(x, center=False, scale=False)
    assert tf.get_collection(UPDATES) == []
    assert tf.trainable_variables() == []
    with started() as sess:
        np.testing.assert_allclose(sess.run(y, {x: X2}), X2 / np.sqrt(1.001), rtol=1e-5)


def test_batch_normalization_along_another_axis():
    x = placeholder(X4)
    y = tf.layers.batch_normalization(x, axis=1, training=True)
    with started() as sess:
        value = sess.run(y, {x: X4})
    mean, variance = (f(X4, (0, 2, 3), keepdims=True) for f in (np.mean, np.var))
    np.testing.assert_allclose(value, normalized(X4, mean, variance), atol=1e-4)


def test_gradients_flow_through_the_moments():
    """Numerically: moving one input moves the batch's mean and variance too."""
    x = placeholder(X2)
    y = tf.layers.batch_normalization(x, training=True)
    loss = tf.reduce_sum(y * tf.constant(X2[::-1].copy()))
    (gradient,) = tf.gradients(loss, x)
    with started() as sess:
        value = sess.run(gradient, {x: X2})
        for place in ((0, 0), (3, 2)):
            step = np.zeros_like(X2)
            step[place] = 1e-2
            ends = [sess.run(loss, {x: X2 + s * step}) for s in (1, -1)]
            np.testing.assert_allclose(value[place], (ends[0] - ends[1]) / 2e-2, rtol=1e-2)


# --- contrib -------------------------------------------------------------------------------


def test_fully_connected_with_a_normalizer():
    x = placeholder(X2)
    params = {"is_training": True, "decay": 0.5, "updates_collections": None}
    y = contrib.fully_connected(
        x, 3, normalizer_fn=contrib.batch_norm, normalizer_params=params, scope="h"
    )
    assert [v.op.name for v in tf.global_variables()] == [
        "h/weights",
        "h/BatchNorm/beta",
        "h/BatchNorm/moving_mean",
        "h/BatchNorm/moving_variance",
    ]
    with started() as sess:
        value, found = sess.run(y, {x: X2}), weights(sess)
    sums = X2 @ found["h/weights"]
    truth = np.maximum(normalized(sums, sums.mean(0), sums.var(0)), 0)
    np.testing.assert_allclose(value, truth, atol=1e-4)
    np.testing.assert_allclose(found["h/BatchNorm/moving_mean"], sums.mean(0) / 2, atol=1e-5)
    unbiased = sums.var(0) * 6 / 5  # as TensorFlow's fused kernel, which contrib uses for rows too
    np.testing.assert_allclose(found["h/BatchNorm/moving_variance"], (1 + unbiased) / 2, rtol=1e-4)


def test_arg_scope():
    x, start = placeholder(X2), tf.ones_initializer()
    linear = contrib.fully_connected
    with framework.arg_scope([linear], activation_fn=None, weights_initializer=start) as scope:
        one = linear(x, 2)
        with framework.arg_scope([linear, contrib.conv2d], biases_initializer=None):
            two = linear(x, 2, activation_fn=tf.nn.relu)
    three = linear(x, 2)
    with framework.arg_scope(scope):
        four = linear(x, 2)
    names = [t.name.rpartition("/")[2] for t in (one, two, three, four)]
    assert names == ["BiasAdd:0", "Relu:0", "Relu:0", "BiasAdd:0"]
    sums = np.repeat(X2.sum(1, keepdims=True), 2, 1)
    with started() as sess:
        values = sess.run([one, two, four], {x: X2})
    for value, truth in zip(values, (sums, np.maximum(sums, 0), sums), strict=True):
        np.testing.assert_allclose(value, truth, rtol=1e-4, atol=1e-6)


def test_a_function_of_ones_own_takes_arg_scope():
    @framework.add_arg_scope
    def double(x, factor=2):
        return x * factor

    with framework.arg_scope([double], factor=3):
        assert double(5) == 15
        assert double(5, factor=4) == 20
    assert double(5) == 10


def test_regularizers():
    w = tf.constant([[1.0, -2.0], [3.0, 0.5]])
    both = contrib.l1_l2_regularizer(0.5, 0.1)(w)
    found = [contrib.l1_regularizer(0.5)(w), contrib.l2_regularizer(0.1)(w), both]
    assert contrib.l1_regularizer(0.0)(w) is None
    assert found[0].op.name == "l1_regularizer_1"
    with tf.Session() as sess:
        np.testing.assert_allclose(sess.run(found), [3.25, 0.7125, 3.9625], rtol=1e-6)
    with pytest.raises(ValueError, match="must be a float of at least 0"):
        contrib.l2_regularizer(1)
    with tf.variable_scope("s", regularizer=contrib.l1_regularizer(0.5)):
        tf.get_variable("w", initializer=w)
    names = [p.op.name for p in tf.get_collection(PENALTIES)]
    assert names == ["s/w/Regularizer/l1_regularizer"]


@pytest.mark.parametrize(
    ("initializer", "variance"),
    [
        (contrib.variance_scaling_initializer(), 2 / 300 * 1.3 * 0.7737),
        (contrib.variance_scaling_initializer(1.0, "FAN_OUT", True), 1 / 200),
        (contrib.xavier_initializer(), 2 / 500),
        (contrib.xavier_initializer(False), 2 / 500 * 1.3 * 0.7737),
    ],
)
def test_initializers(initializer, variance):
    """A normal variable cut at two deviations keeps 0.7737 of its variance."""
    with tf.Session() as sess:
        value = sess.run(initializer([300, 200], tf.float32))
    np.testing.assert_allclose(value.var(), variance, rtol=0.03)
    assert abs(value.mean()) < 3e-3
