"""A bidirectional layer on sequences of different lengths, in time-major order too.

chapter: RNNs
reaches: accuracy >= 0.9
reaches: difference <= 0.0001
runs: 10
"""

import numpy as np
from tf1_data import batches, table

import bital.tf1 as tf

data, target = table("digits")
data = data.reshape(-1, 8, 8)
X_train, t_train, X_test, t_test = data[:1400], target[:1400], data[1400:], target[1400:]
tf.set_random_seed(42)

X = tf.placeholder(tf.float32, [None, 8, 8])
y = tf.placeholder(tf.int64, [None])
lengths = tf.fill([tf.shape(X)[0]], 7)  # the last row of the image is not read
forward, backward = tf.nn.rnn_cell.GRUCell(20), tf.nn.rnn_cell.GRUCell(20)
(ahead, back), (last, first) = tf.nn.bidirectional_dynamic_rnn(
    forward, backward, X, sequence_length=lengths, dtype=tf.float32
)
logits = tf.layers.dense(tf.concat([last, first], axis=1), 10)
loss = tf.losses.sparse_softmax_cross_entropy(y, logits)
training_op = tf.train.AdamOptimizer(0.01).minimize(loss)

with tf.variable_scope("bidirectional_rnn/fw", reuse=True):
    major, _ = tf.nn.dynamic_rnn(
        tf.nn.rnn_cell.GRUCell(20, name="gru_cell"),
        tf.transpose(X, [1, 0, 2]),
        time_major=True,
        dtype=tf.float32,
        scope=tf.get_variable_scope(),
    )

with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    for epoch in range(12):
        for X_batch, t_batch in batches(50, X_train, t_train, seed=epoch):
            sess.run([training_op, loss], {X: X_batch, y: t_batch})
    accuracy = np.mean(sess.run(logits, {X: X_test}).argmax(axis=1) == t_test)
    one, two = sess.run([ahead, major], {X: X_test})
difference = np.abs(one[:, :7] - two.transpose(1, 0, 2)[:, :7]).max()
