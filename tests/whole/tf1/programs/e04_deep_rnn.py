"""A stack of recurrent layers by MultiRNNCell, classified from all their last states.

chapter: RNNs
reaches: accuracy >= 0.9
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
y = tf.placeholder(tf.int32, [None])
layers = [tf.contrib.rnn.BasicRNNCell(num_units=40, activation=tf.nn.relu) for _ in range(3)]
multi_layer_cell = tf.contrib.rnn.MultiRNNCell(layers)
outputs, states = tf.nn.dynamic_rnn(multi_layer_cell, X, dtype=tf.float32)
assert len(states) == 3
assert tf.global_variables()[2].op.name == "rnn/multi_rnn_cell/cell_1/basic_rnn_cell/kernel"
states_concat = tf.concat(axis=1, values=states)
logits = tf.layers.dense(states_concat, 10)
loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))
training_op = tf.train.AdamOptimizer(learning_rate=0.003).minimize(loss)

with tf.Session() as sess:
    tf.global_variables_initializer().run()
    for epoch in range(20):
        for X_batch, t_batch in batches(100, X_train, t_train, seed=epoch):
            sess.run([training_op, loss], feed_dict={X: X_batch, y: t_batch})
    accuracy = np.mean(sess.run(logits, {X: X_test}).argmax(axis=1) == t_test)
