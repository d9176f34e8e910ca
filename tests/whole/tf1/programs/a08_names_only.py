"""A graph of its own; everything that is run or fed is named by strings.

chapter: first steps
reaches: error <= 0.06
"""

import numpy as np

import bital.tf1 as tf

g = tf.Graph()
with g.as_default():
    tf.set_random_seed(123)
    tf_x = tf.placeholder(shape=(None,), dtype=tf.float32, name="tf_x")
    tf_y = tf.placeholder(shape=(None,), dtype=tf.float32, name="tf_y")
    weight = tf.Variable(tf.random_normal(shape=(1, 1), stddev=0.25), name="weight")
    bias = tf.Variable(0.0, name="bias")
    y_hat = tf.add(weight * tf_x, bias, name="y_hat")
    cost = tf.reduce_mean(tf.square(tf_y - y_hat), name="cost")
    train_op = tf.train.GradientDescentOptimizer(learning_rate=0.1).minimize(cost, name="train_op")
    init_op = tf.global_variables_initializer()
assert y_hat.get_shape().as_list() == [1, None]

rng = np.random.RandomState(0)
x_train = rng.uniform(-2, 2, 200)
y_train = 1.5 * x_train + 0.8 + rng.normal(0, 0.2, 200)

with tf.Session(graph=g) as sess:
    sess.run(init_op)
    for _ in range(50):
        c, _ = sess.run(["cost:0", "train_op"], feed_dict={"tf_x:0": x_train, "tf_y:0": y_train})
    w, b = sess.run(["weight:0", "bias:0"])
    error = float(max(abs(w[0, 0] - 1.5), abs(b - 0.8)))
