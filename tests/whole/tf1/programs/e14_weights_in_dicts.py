"""Weights in dicts, placeholders of type "float", time steps split from one long matrix.

chapter: RNNs
reaches: test_accuracy >= 0.85
runs: 12
"""

import numpy as np
from tf1_data import batches, table

import bital.tf1 as tf

data, target = table("digits")
one_hot = np.eye(10)[target]
X_train, t_train, X_test, t_test = data[:1400], one_hot[:1400], data[1400:], one_hot[1400:]
learning_rate, n_input, n_steps, n_hidden, n_classes = 0.01, 8, 8, 48, 10

tf.set_random_seed(42)
x = tf.placeholder("float", [None, n_steps, n_input])
y = tf.placeholder("float", [None, n_classes])
weights = {"out": tf.Variable(tf.random_normal([n_hidden, n_classes]))}
biases = {"out": tf.Variable(tf.random_normal([n_classes]))}


def RNN(x, weights, biases):
    x = tf.transpose(x, [1, 0, 2])
    x = tf.reshape(x, [-1, n_input])
    x = tf.split(x, n_steps, 0)
    lstm_cell = tf.contrib.rnn.BasicLSTMCell(n_hidden, forget_bias=1.0)
    outputs, _states = tf.nn.static_rnn(lstm_cell, x, dtype=tf.float32)
    return tf.matmul(outputs[-1], weights["out"]) + biases["out"]


pred = RNN(x, weights, biases)
cost = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(logits=pred, labels=y))
optimizer = tf.train.AdamOptimizer(learning_rate=learning_rate).minimize(cost)
correct_pred = tf.equal(tf.argmax(pred, 1), tf.argmax(y, 1))
accuracy = tf.reduce_mean(tf.cast(correct_pred, tf.float32))

with tf.Session(config=tf.ConfigProto(allow_soft_placement=True)) as sess:
    sess.run(tf.global_variables_initializer())
    for epoch in range(8):
        for batch_x, batch_y in batches(64, X_train, t_train, seed=epoch):
            feed = {x: batch_x.reshape((-1, n_steps, n_input)), y: batch_y}
            sess.run(optimizer, feed_dict=feed)
        loss, acc = sess.run([cost, accuracy], feed_dict=feed)
    test_accuracy = accuracy.eval({x: X_test.reshape(-1, n_steps, n_input), y: t_test})
