"""Shapes known and unknown, slices, joins, tf.cond, tf.while_loop, and control dependencies.

chapter: first steps
reaches: right == 12
"""

import numpy as np

import bital.tf1 as tf

x = tf.placeholder(tf.float32, (None, 4), name="x")
flag = tf.placeholder(tf.bool, (), name="flag")

assert x.get_shape().as_list() == [None, 4]
assert int(x.shape[1]) == 4
rows = tf.shape(x)[0]
flat = tf.reshape(x, [-1])
pairs = tf.reshape(x, tf.stack([rows * 2, 2]))
middle = x[:, 1:3]
joined = tf.concat([x, tf.zeros(tf.stack([rows, 1]))], axis=1)
parts = tf.split(x, 2, axis=1)
columns = tf.unstack(x, axis=1)
picked = tf.gather(tf.transpose(x), [3, 0])
chosen = tf.where(x > 2.0, x, -x)
both = tf.cond(flag, lambda: tf.reduce_sum(x), lambda: tf.reduce_max(x))
_, powers = tf.while_loop(
    lambda i, v: tf.less(i, 5), lambda i, v: [i + 1, v * 2.0], [tf.constant(0), tf.constant(1.0)]
)
counter = tf.Variable(0, trainable=False, name="counter")
with tf.control_dependencies([tf.assign_add(counter, 1)]):
    counted = tf.identity(counter)

data = np.arange(12, dtype=np.float32).reshape(3, 4)
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    feed = {x: data, flag: True}
    checks = [
        (flat, data.ravel()),
        (pairs, data.reshape(6, 2)),
        (middle, data[:, 1:3]),
        (joined, np.c_[data, np.zeros(3)]),
        (parts[1], data[:, 2:]),
        (columns[3], data[:, 3]),
        (picked, data.T[[3, 0]]),
        (chosen, np.where(data > 2, data, -data)),
        (both, data.sum()),
        (powers, 32.0),
    ]
    right = sum(bool(np.array_equal(sess.run(t, feed), v)) for t, v in checks)
    right += int(sess.run(both, {x: data, flag: False}) == 11)
    sess.run(counted)
    sess.run(counted)
    right += int(sess.run(counter) == 2)
