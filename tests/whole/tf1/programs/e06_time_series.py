"""Sunspots next year, by stacked outputs and one dense layer, and a series that goes on by itself.

chapter: RNNs
reaches: ratio <= 0.7
reaches: length == 60
"""

import numpy as np
from tf1_data import sunspots

import bital.tf1 as tf

series = sunspots()
n_steps, n_inputs, n_neurons, n_outputs = 20, 1, 50, 1
train_part = series[:221]


def next_batch(batch_size, seed):
    starts = np.random.RandomState(seed).randint(len(train_part) - n_steps - 1, size=batch_size)
    rows = np.stack([train_part[s : s + n_steps + 1] for s in starts])
    return rows[:, :-1, None], rows[:, 1:, None]


tf.set_random_seed(42)
X = tf.placeholder(tf.float32, [None, n_steps, n_inputs])
y = tf.placeholder(tf.float32, [None, n_steps, n_outputs])
cell = tf.nn.rnn_cell.BasicRNNCell(num_units=n_neurons, activation=tf.nn.relu)
rnn_outputs, states = tf.nn.dynamic_rnn(cell, X, dtype=tf.float32)
stacked_rnn_outputs = tf.reshape(rnn_outputs, [-1, n_neurons])
stacked_outputs = tf.layers.dense(stacked_rnn_outputs, n_outputs)
outputs = tf.reshape(stacked_outputs, [-1, n_steps, n_outputs])
loss = tf.reduce_mean(tf.square(outputs - y))
training_op = tf.train.AdamOptimizer(learning_rate=0.002).minimize(loss)
init = tf.global_variables_initializer()
saver = tf.train.Saver()

with tf.Session() as sess:
    init.run()
    for iteration in range(1000):
        X_batch, y_batch = next_batch(50, iteration)
        sess.run(training_op, feed_dict={X: X_batch, y: y_batch})
        if iteration % 200 == 0:
            print(iteration, "MSE:", loss.eval(feed_dict={X: X_batch, y: y_batch}))
    saver.save(sess, "./my_time_series_model")

with tf.Session() as sess:
    saver.restore(sess, "./my_time_series_model")
    rows = np.lib.stride_tricks.sliding_window_view(series[221 - n_steps :], n_steps + 1)
    found = sess.run(outputs, feed_dict={X: rows[:, :-1, None]})[:, -1, 0]
    errors = ((found - rows[:, -1]) ** 2).mean()
    persistence = ((rows[:, -2] - rows[:, -1]) ** 2).mean()
    ratio = float(errors / persistence)

    sequence = list(train_part[-n_steps:])
    for _ in range(40):
        X_batch = np.array(sequence[-n_steps:]).reshape(1, n_steps, 1)
        y_pred = sess.run(outputs, feed_dict={X: X_batch})
        sequence.append(y_pred[0, -1, 0])
    length = len(sequence)
assert np.isfinite(sequence).all()
