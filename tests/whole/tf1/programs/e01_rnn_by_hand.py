"""A recurrent layer over two time steps, by hand, by static_rnn and by dynamic_rnn: the same.

chapter: RNNs
reaches: spread <= 0.00001
"""

import numpy as np

import bital.tf1 as tf

n_inputs, n_neurons = 3, 5
X_batch = np.array(
    [
        [[0, 1, 2], [9, 8, 7]],
        [[3, 4, 5], [0, 0, 0]],
        [[6, 7, 8], [6, 5, 4]],
        [[9, 0, 1], [3, 2, 1]],
    ]
)

X = tf.placeholder(tf.float32, [None, 2, n_inputs])
X_seqs = tf.unstack(tf.transpose(X, perm=[1, 0, 2]))
basic_cell = tf.contrib.rnn.BasicRNNCell(num_units=n_neurons)
with tf.variable_scope("static"):
    output_seqs, final_state = tf.nn.static_rnn(basic_cell, X_seqs, dtype=tf.float32)
    static = tf.transpose(tf.stack(output_seqs), perm=[1, 0, 2])
other_cell = tf.nn.rnn_cell.BasicRNNCell(num_units=n_neurons)
with tf.variable_scope("dynamic"):
    dynamic, dynamic_state = tf.nn.dynamic_rnn(other_cell, X, dtype=tf.float32)
names = [v.op.name for v in tf.global_variables()]
assert names[0] == "static/rnn/basic_rnn_cell/kernel"
assert names[3] == "dynamic/rnn/basic_rnn_cell/bias"

kernel, bias = tf.global_variables()[:2]
Wx, Wh = kernel[:n_inputs], kernel[n_inputs:]
Y0 = tf.tanh(tf.matmul(X[:, 0], Wx) + bias)
Y1 = tf.tanh(tf.matmul(Y0, Wh) + tf.matmul(X[:, 1], Wx) + bias)
copy = [tf.assign(b, a) for a, b in zip(tf.global_variables()[:2], tf.global_variables()[2:])]  # noqa: B905

with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    sess.run(copy)
    feed = {X: X_batch}
    found = sess.run([static, dynamic, tf.stack([Y0, Y1], axis=1)], feed_dict=feed)
    states = sess.run([final_state, dynamic_state, Y1], feed_dict=feed)
spread = max(np.abs(a - b).max() for group in (found, states) for a in group for b in group)
