"""Sequences of different lengths: outputs past the end are zero, the state is the last one.

chapter: RNNs
reaches: right == 4
"""

import numpy as np

import bital.tf1 as tf

X = tf.placeholder(tf.float32, [None, 3, 2], name="X")
seq_length = tf.placeholder(tf.int32, [None], name="seq_length")
cell = tf.contrib.rnn.GRUCell(num_units=4)
outputs, states = tf.nn.dynamic_rnn(cell, X, dtype=tf.float32, sequence_length=seq_length)
total = tf.reduce_sum(tf.square(outputs))
slope = tf.gradients(total, X)[0]
assert outputs.get_shape().as_list() == [None, 3, 4]
assert states.get_shape().as_list() == [None, 4]

rng = np.random.RandomState(0)
data = rng.randn(4, 3, 2).astype(np.float32)
lengths = np.array([3, 1, 2, 3])
with tf.Session() as sess:
    tf.global_variables_initializer().run()
    values, last, derivative = sess.run([outputs, states, slope], {X: data, seq_length: lengths})
right = 0
for row, length in enumerate(lengths):
    after = not values[row, length:].any() and not derivative[row, length:].any()
    right += int(after and np.array_equal(values[row, length - 1], last[row]))
