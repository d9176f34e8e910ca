"""Name scopes, a graph built by functions, and a variable shared between their calls.

chapter: first steps
reaches: value == 5
reaches: variables == 6
"""

import numpy as np

import bital.tf1 as tf


def relu(X):
    with tf.name_scope("relu"):
        w = tf.Variable(tf.random_normal((int(X.get_shape()[1]), 1), seed=7), name="weights")
        b = tf.Variable(0.0, name="bias")
        z = tf.add(tf.matmul(X, w), b, name="z")
        return tf.maximum(z, 0.0, name="relu")


def shared_relu(X):
    with tf.variable_scope("relu_shared", reuse=tf.AUTO_REUSE):
        threshold = tf.get_variable("threshold", shape=(), initializer=tf.constant_initializer(1.0))
        w = tf.get_variable("weights", (3, 1), initializer=tf.ones_initializer())
        return tf.maximum(tf.matmul(X, w), threshold, name="max")


X = tf.placeholder(tf.float32, shape=(None, 3), name="X")
relus = [relu(X) for _ in range(2)]
assert [each.op.name for each in relus] == ["relu/relu", "relu_1/relu"]
added = tf.add_n(relus, name="output")

shared = [shared_relu(X) for _ in range(5)]
with tf.variable_scope("relu_shared", reuse=True):
    threshold = tf.get_variable("threshold")
with tf.variable_scope("relu_shared") as scope:
    scope.reuse_variables()
    assert tf.get_variable("threshold") is threshold
try:
    with tf.variable_scope("relu_shared"):
        tf.get_variable("threshold", shape=())
except ValueError as error:
    assert "already exists" in str(error)  # noqa: PT017
else:
    raise AssertionError("made twice")
shared_sum = tf.add_n(shared, name="shared_output")
variables = len(tf.global_variables())

with tf.Session() as sess:
    tf.global_variables_initializer().run()
    sess.run(added, feed_dict={X: np.eye(3, dtype=np.float32)})
    value = shared_sum.eval(feed_dict={X: [[0.5, 0.2, 0.1]]})[0, 0]
