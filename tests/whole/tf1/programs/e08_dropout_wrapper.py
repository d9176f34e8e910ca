"""DropoutWrapper around every layer, with a keep_prob that is 1 but while training.

chapter: RNNs
reaches: accuracy >= 0.9
reaches: spread == 0
numbers: shapes (dropout draws)
runs: 10
"""

import numpy as np
from tf1_data import batches, table

import bital.tf1 as tf

data, target = table("digits")
data = data.reshape(-1, 8, 8)
X_train, t_train, X_test, t_test = data[:1400], target[:1400], data[1400:], target[1400:]
tf.set_random_seed(42)

keep_prob = tf.placeholder_with_default(1.0, shape=())
X = tf.placeholder(tf.float32, [None, 8, 8])
y = tf.placeholder(tf.int32, [None])
cells = [tf.contrib.rnn.BasicRNNCell(num_units=50) for _ in range(2)]
cells_drop = [tf.contrib.rnn.DropoutWrapper(cell, input_keep_prob=keep_prob) for cell in cells]
multi_layer_cell = tf.contrib.rnn.MultiRNNCell(cells_drop)
outputs, states = tf.nn.dynamic_rnn(multi_layer_cell, X, dtype=tf.float32)
logits = tf.layers.dense(outputs[:, -1], 10)
loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))
training_op = tf.train.AdamOptimizer(learning_rate=0.005).minimize(loss)

with tf.Session() as sess:
    tf.global_variables_initializer().run()
    for epoch in range(15):
        for X_batch, t_batch in batches(50, X_train, t_train, seed=epoch):
            _, mse = sess.run([training_op, loss], {X: X_batch, y: t_batch, keep_prob: 0.8})
    one, two = (sess.run(logits, {X: X_test}) for _ in range(2))
    noisy = sess.run(logits, {X: X_test, keep_prob: 0.5})
spread = np.abs(one - two).max()
assert np.abs(noisy - one).max() > 0.01
accuracy = np.mean(one.argmax(axis=1) == t_test)
