"""Stacked LSTM and GRU cells: peepholes, projections, tuples of states.

chapter: RNNs
reaches: worst >= 0.9
runs: 12
"""

import numpy as np
from tf1_data import batches, table

import bital.tf1 as tf

data, target = table("digits")
data = data.reshape(-1, 8, 8)
X_train, t_train, X_test, t_test = data[:1400], target[:1400], data[1400:], target[1400:]

cells = {
    "basic": lambda: tf.contrib.rnn.BasicLSTMCell(num_units=32),
    "peepholes": lambda: tf.contrib.rnn.LSTMCell(num_units=32, use_peepholes=True),
    "projected": lambda: tf.contrib.rnn.LSTMCell(num_units=32, num_proj=20),
    "gru": lambda: tf.contrib.rnn.GRUCell(num_units=32),
}
worst = 1.0
for name, make in cells.items():
    tf.reset_default_graph()
    tf.set_random_seed(42)
    X = tf.placeholder(tf.float32, [None, 8, 8])
    y = tf.placeholder(tf.int32, [None])
    cell = tf.contrib.rnn.MultiRNNCell([make() for _ in range(2)])
    outputs, states = tf.nn.dynamic_rnn(cell, X, dtype=tf.float32)
    top_h_state = states[-1] if name == "gru" else states[-1].h
    logits = tf.layers.dense(top_h_state, 10, name="softmax")
    loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))
    training_op = tf.train.AdamOptimizer(learning_rate=0.01).minimize(loss)
    with tf.Session() as sess:
        tf.global_variables_initializer().run()
        for epoch in range(12):
            for X_batch, t_batch in batches(50, X_train, t_train, seed=epoch):
                sess.run([training_op, loss, states], feed_dict={X: X_batch, y: t_batch})
        accuracy = np.mean(sess.run(logits, {X: X_test}).argmax(axis=1) == t_test)
    print(name, accuracy)
    worst = min(worst, accuracy)
