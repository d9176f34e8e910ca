"""Optimizers, learning rates, averages, losses, metrics. Weights are TensorFlow 2.21's own."""

import math

import numpy as np
import pytest

import bital.tf1 as tf
from bital.tf1.examples.tutorials.mnist import input_data

train = tf.train


@pytest.fixture(autouse=True)
def sess():
    with tf.Graph().as_default(), tf.Session() as session:
        yield session


# Five steps from [1.5, -2, 0.5] down the mean of (w**2 - 1)**2, in TensorFlow's compat.v1.
STEPS = {
    "descent": (
        lambda: train.GradientDescentOptimizer(0.05),
        [1.1585732, -1.2134718, 0.62718129],
        {},
        [],
    ),
    "momentum": (
        lambda: train.MomentumOptimizer(0.05, 0.9),
        [0.64889753, 0.17965588, 0.82970244],
        {"momentum": "W/Momentum"},
        [],
    ),
    "nesterov": (
        lambda: train.MomentumOptimizer(0.05, 0.9, use_nesterov=True),
        [0.73818314, -0.10655162, 0.90958726],
        {"momentum": "W/Momentum"},
        [],
    ),
    "adam": (
        lambda: train.AdamOptimizer(0.05),
        [1.2566041, -1.7530432, 0.74990994],
        {"m": "W/Adam", "v": "W/Adam_1"},
        ["beta1_power", "beta2_power"],
    ),
    "adam_numbers": (
        lambda: train.AdamOptimizer(0.05, beta1=0.5, beta2=0.9, epsilon=0.1),
        [1.2882903, -1.767186, 0.67731321],
        {"m": "W/Adam", "v": "W/Adam_1"},
        ["beta1_power", "beta2_power"],
    ),
    "rmsprop": (
        lambda: train.RMSPropOptimizer(0.05),
        [1.2012423, -1.5752147, 0.64231467],
        {"rms": "W/RMSProp", "momentum": "W/RMSProp_1"},
        [],
    ),
    "rmsprop_numbers": (
        lambda: train.RMSPropOptimizer(0.05, decay=0.8, momentum=0.5, epsilon=0.01),
        [1.0831218, -1.4566543, 0.74776649],
        {"rms": "W/RMSProp", "momentum": "W/RMSProp_1"},
        [],
    ),
    "centered": (
        lambda: train.RMSPropOptimizer(0.05, momentum=0.5, centered=True),
        [1.0374607, -1.2845854, 0.72856516],
        {"rms": "W/RMSProp", "mg": "W/RMSProp_1", "momentum": "W/RMSProp_2"},
        [],
    ),
    "adagrad": (
        lambda: train.AdagradOptimizer(0.5),
        [1.000192, -1.1629759, 0.93459862],
        {"accumulator": "W/Adagrad"},
        [],
    ),
    "adagrad_start": (
        lambda: train.AdagradOptimizer(0.5, initial_accumulator_value=1.0),
        [1.0021106, -1.164974, 0.99996978],
        {"accumulator": "W/Adagrad"},
        [],
    ),
}


def problem(dtype=np.float32):
    w = tf.Variable(np.array([1.5, -2, 0.5], dtype), name="W")
    return w, tf.reduce_mean(tf.square(tf.square(w) - 1.0))


@pytest.mark.parametrize("row", STEPS)
def test_weights_and_slots(sess, row):
    make, weights, slots, powers = STEPS[row]
    w, loss = problem()
    optimizer = make()
    step = optimizer.minimize(loss)
    sess.run(tf.global_variables_initializer())
    for _ in range(5):
        sess.run(step)
    np.testing.assert_allclose(sess.run(w), weights, rtol=1e-6, atol=1e-7)
    assert optimizer.get_slot_names() == sorted(slots)
    assert {slot: optimizer.get_slot(w, slot).op.name for slot in slots} == slots
    assert [v.op.name for v in optimizer.variables()] == sorted([*slots.values(), *powers])
    assert tf.trainable_variables() == [w]
    assert optimizer.get_slot(w, "nothing") is None
    assert optimizer.get_slot(loss, "m") is None


def test_names_of_what_minimize_adds():
    with tf.name_scope("h"):
        w = tf.Variable(np.ones((2, 2), np.float32), name="W")
    loss, count = tf.reduce_sum(w * w), train.get_or_create_global_step()
    with tf.name_scope("train"):
        first = train.AdamOptimizer(0.1).minimize(loss, global_step=count)
        optimizer = train.AdamOptimizer(0.1)
        second = optimizer.minimize(loss)
    assert (first.name, first.type) == ("train/Adam", "AssignAdd")
    assert (second.name, second.type) == ("train/Adam_1", "NoOp")
    graph = tf.get_default_graph()
    for name in ("learning_rate", "beta1", "update_h/W/ApplyAdam", "update"):
        graph.get_operation_by_name(f"train/Adam/{name}")
    names = ["h/W/Adam_2", "h/W/Adam_3", "train/beta1_power_1", "train/beta2_power_1"]
    assert [v.op.name for v in optimizer.variables()] == names
    with tf.variable_scope("mine"):
        train.MomentumOptimizer(0.1, 0.9).minimize(loss, name="go")
    assert graph.get_operation_by_name("mine/go").type == "NoOp"
    assert graph.get_operation_by_name("mine/h/W/Momentum").type == "Variable"


def test_steps_are_counted(sess):
    w, loss = problem()
    count = tf.Variable(0, trainable=False, name="global_step")
    rate = train.exponential_decay(0.1, count, 1, 0.5)
    step = train.GradientDescentOptimizer(rate).minimize(loss, global_step=count)
    sess.run(tf.global_variables_initializer())
    expected = np.array([1.5, -2, 0.5])
    for number in range(4):
        assert sess.run(rate) == pytest.approx(0.1 * 0.5**number)
        sess.run(step)
        expected -= 0.1 * 0.5**number * 4 / 3 * expected * (expected**2 - 1)
        np.testing.assert_allclose(sess.run(w), expected, rtol=1e-5)
    assert train.global_step(sess, count) == 4


def test_gradients_may_be_changed(sess):
    w, loss = problem()
    other = tf.Variable(1.0)
    optimizer = train.GradientDescentOptimizer(tf.placeholder(tf.float32, [], name="rate"))
    pairs = optimizer.compute_gradients(loss, var_list=[w, other])
    assert pairs[1] == (None, other)
    pairs = [(None if g is None else tf.clip_by_value(g, -1.0, 1.0), v) for g, v in pairs]
    step = optimizer.apply_gradients(pairs)
    sess.run(tf.global_variables_initializer())
    sess.run(step, {"rate:0": 0.5})
    np.testing.assert_allclose(sess.run(w), [1.0, -1.5, 0.75])


def test_constraints_and_dtypes(sess):
    w = tf.get_variable(
        "w", initializer=tf.constant(np.array([1.0, 2.0])), constraint=lambda v: tf.maximum(v, 0.5)
    )
    step = train.AdamOptimizer(1.0).minimize(tf.reduce_sum(w))
    sess.run(tf.global_variables_initializer())
    sess.run(step)
    found = sess.run(w)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, [0.5, 1.0], rtol=1e-6)


def test_what_cannot_be_trained():
    with pytest.raises(ValueError, match=r"No variables to optimize\."):
        train.AdamOptimizer().minimize(tf.constant(1.0))
    tf.Variable(1.0, name="v")
    with pytest.raises(ValueError, match=r"No gradients provided for any variable.*'v:0'"):
        train.AdamOptimizer().minimize(tf.constant(1.0))
    with pytest.raises(TypeError, match="learning_rate"):
        train.GradientDescentOptimizer()
    with pytest.raises(TypeError, match="rate"):
        train.AdamOptimizer(rate=0.1)


def test_learning_rates(sess):
    n = tf.placeholder(tf.int64, [])
    rates = {
        train.exponential_decay(0.1, n, 10, 0.5): lambda i: 0.1 * 0.5 ** (i / 10),
        train.exponential_decay(0.1, n, 10, decay_rate=0.5, staircase=True): (
            lambda i: 0.1 * 0.5 ** (i // 10)
        ),
        train.natural_exp_decay(0.1, n, 10, 0.5): lambda i: 0.1 * math.exp(-0.05 * i),
        train.inverse_time_decay(0.1, n, 10, 0.5): lambda i: 0.1 / (1 + 0.05 * i),
        train.polynomial_decay(0.1, n, 10): lambda i: 0.0001 + 0.0999 * (1 - min(i, 10) / 10),
        train.cosine_decay(0.1, n, 20, alpha=0.1): (
            lambda i: 0.1 * (0.45 * (1 + math.cos(math.pi * min(i, 20) / 20)) + 0.1)
        ),
        train.piecewise_constant(n, [3, 12], [1.0, 0.5, 0.1]): (
            lambda i: 1.0 if i <= 3 else 0.5 if i <= 12 else 0.1
        ),
    }
    for i in (0, 3, 4, 9, 10, 12, 13, 27):
        found = sess.run(list(rates), {n: i})
        np.testing.assert_allclose(found, [formula(i) for formula in rates.values()], rtol=1e-5)
        assert {value.dtype for value in found} == {np.dtype(np.float32)}
    assert [rate.op.name for rate in rates][:2] == ["ExponentialDecay", "ExponentialDecay_1"]


def test_moving_averages(sess):
    w = tf.Variable([1.0, 2.0], name="W")
    count = train.get_or_create_global_step()
    assert train.get_or_create_global_step() is train.get_global_step() is count
    averages = train.ExponentialMovingAverage(0.9, count)
    with tf.control_dependencies([w.assign_add([1.0, -1.0])]):
        update = averages.apply([w])
    with tf.control_dependencies([update]):
        step = tf.assign_add(count, 1)
    sess.run(tf.global_variables_initializer())
    expected, value = np.array([1.0, 2.0]), np.array([1.0, 2.0])
    for n in range(4):
        sess.run(step)
        value += [1, -1]
        decay = min(0.9, (1 + n) / (10 + n))
        expected = decay * expected + (1 - decay) * value
        np.testing.assert_allclose(sess.run(averages.average(w)), expected, rtol=1e-6)
    name = "W/ExponentialMovingAverage"
    assert averages.average_name(w) == averages.average(w).op.name == name
    assert averages.variables_to_restore() == {name: w, "global_step": count}
    assert averages.average(count) is None


# Of labels y, predictions p and weights w, in TensorFlow's compat.v1.
RANDOM = np.random.RandomState(0)
Y, P = RANDOM.rand(4, 3).astype(np.float32), RANDOM.rand(4, 3).astype(np.float32)
W = np.array([[1], [0], [2], [0.5]], np.float32)
LABELS = np.array([0, 2, 1, 1])
losses, Reduction = tf.losses, tf.losses.Reduction
LOSSES = {
    "squared": (lambda: losses.mean_squared_error(Y, P), 0.0997),
    "weighted": (lambda: losses.mean_squared_error(Y, P, weights=W), 0.08148),
    "sum": (lambda: losses.absolute_difference(Y, P, W, reduction=Reduction.SUM), 2.01474),
    "huber": (lambda: losses.huber_loss(labels=Y * 3, predictions=P, delta=0.5), 0.51185),
    "log": (lambda: losses.log_loss(Y, P), 0.91827),
    "mean": (lambda: losses.mean_squared_error(Y, P, W, reduction=Reduction.MEAN), 0.06984),
    "softmax": (lambda: losses.softmax_cross_entropy(np.eye(3)[LABELS], tf.constant(P)), 1.04983),
    "softmax_weighted": (
        lambda: losses.softmax_cross_entropy(Y, logits=tf.constant(P), weights=W[:, 0]),
        2.684,
    ),
    "sparse": (
        lambda: losses.sparse_softmax_cross_entropy(labels=LABELS, logits=tf.constant(P)),
        1.04983,
    ),
    "batch": (
        lambda: losses.sparse_softmax_cross_entropy(
            LABELS[:, None], tf.constant(P), W[:, 0], reduction=Reduction.SUM_OVER_BATCH_SIZE
        ),
        0.99773,
    ),
    "sigmoid": (lambda: losses.sigmoid_cross_entropy(Y.round(), tf.constant(P)), 0.58479),
    "nothing": (lambda: losses.mean_squared_error(Y, P, weights=0.0), 0.0),
    "none": (lambda: losses.mean_squared_error(Y, P, reduction=Reduction.NONE), (Y - P) ** 2),
}  # fmt: skip


@pytest.mark.parametrize("row", LOSSES)
def test_losses(sess, row):
    make, value = LOSSES[row]
    loss = make()
    np.testing.assert_allclose(sess.run(loss), value, atol=6e-6)
    assert losses.get_losses() == [loss]


def test_losses_are_collected(sess):
    first = losses.mean_squared_error(Y, P)
    second = losses.mean_squared_error(Y, P, scope="mine", loss_collection=None)
    assert (first.op.name, second.op.name) == ("mean_squared_error/value", "mine/value")
    tf.get_variable("v", initializer=3.0, regularizer=lambda v: v * 2.0)
    losses.add_loss(tf.constant(1.0))
    sess.run(tf.global_variables_initializer())
    assert sess.run(losses.get_total_loss()) == pytest.approx(0.0997 + 6 + 1, abs=1e-5)
    assert sess.run(losses.get_total_loss(False, name="own")) == pytest.approx(1.0997, abs=1e-5)


def test_shapes_that_losses_refuse():
    with pytest.raises(ValueError, match="not compatible"):
        losses.mean_squared_error(Y, P[:, :1])
    with pytest.raises(ValueError, match="weights of 1 axes for losses of 2"):
        losses.mean_squared_error(Y, P, weights=W[:, 0])


def test_metrics(sess):
    x, t = tf.placeholder(tf.float32, [None]), tf.placeholder(tf.int32, [None])
    metrics = [
        tf.metrics.mean(x),
        tf.metrics.mean(x, weights=x),
        tf.metrics.accuracy(labels=t, predictions=tf.cast(x > 0.5, tf.int32)),
        tf.metrics.precision(t, x > 0.5),
        tf.metrics.recall(t, x > 0.5, name="found"),
    ]
    values, updates = zip(*metrics, strict=True)
    assert [v.op.name for v in values][2:] == ["accuracy/value", "precision/value", "found/value"]
    assert updates[2].op.name == "accuracy/update_op"
    assert tf.global_variables() == []
    sess.run(tf.local_variables_initializer())
    assert sess.run(values) == (0, 0, 0, 0, 0)
    sess.run(updates, {x: [0.2, 0.6], t: [0, 0]})
    found = sess.run(updates, {x: [0.4, 0.8], t: [1, 1]})
    np.testing.assert_allclose(found, [0.5, 0.6, 0.5, 0.5, 0.5], rtol=1e-6)
    assert sess.run(values) == found


def test_mnist_of_the_tutorials():
    data = input_data.read_data_sets("/nowhere", one_hot=True, validation_size=6000, seed=3)
    assert data.train.images.shape == (54000, 784)
    assert data.train.images.dtype == np.float32
    assert data.validation.labels.shape == (6000, 10)
    assert data.test.num_examples == 10000
    assert data.train.images.max() == 1
    assert data.validation.labels[0].argmax() == 5
    small = input_data.DataSet(np.arange(5), np.arange(5) * 10, seed=1)
    batches = [small.next_batch(2) for _ in range(5)]
    assert small.epochs_completed == 1
    images = np.concatenate([images for images, _ in batches])
    assert sorted(images[:5]) == sorted(images[5:]) == [0, 1, 2, 3, 4]
    assert all((labels == images * 10).all() for images, labels in batches)
    assert small.next_batch(5, shuffle=False)[0].tolist() == [0, 1, 2, 3, 4]
