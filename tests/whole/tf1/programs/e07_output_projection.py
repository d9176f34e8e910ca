"""OutputProjectionWrapper: a dense layer at every step, inside the cell.

chapter: RNNs
reaches: mse <= 0.02
numbers: no (TensorFlow 2 has no tf.contrib, where the wrapper was)
"""

import numpy as np

import bital.tf1 as tf

n_steps, resolution = 20, 0.1


def time_series(t):
    return t * np.sin(t) / 3 + 2 * np.sin(t * 5)


def next_batch(batch_size, seed):
    start = np.random.RandomState(seed).rand(batch_size, 1) * (30 - n_steps * resolution)
    Ts = start + np.arange(0.0, n_steps + 1) * resolution
    ys = time_series(Ts) / 10
    return ys[:, :-1].reshape(-1, n_steps, 1), ys[:, 1:].reshape(-1, n_steps, 1)


tf.set_random_seed(42)
X = tf.placeholder(tf.float32, [None, n_steps, 1])
y = tf.placeholder(tf.float32, [None, n_steps, 1])
cell = tf.contrib.rnn.OutputProjectionWrapper(
    tf.contrib.rnn.BasicRNNCell(num_units=100, activation=tf.nn.relu), output_size=1
)
outputs, states = tf.nn.dynamic_rnn(cell, X, dtype=tf.float32)
assert outputs.get_shape().as_list() == [None, n_steps, 1]
assert states.get_shape().as_list() == [None, 100]
loss = tf.reduce_mean(tf.square(outputs - y))
training_op = tf.train.AdamOptimizer(learning_rate=0.001).minimize(loss)

with tf.Session() as sess:
    tf.global_variables_initializer().run()
    for iteration in range(600):
        X_batch, y_batch = next_batch(50, iteration)
        sess.run(training_op, feed_dict={X: X_batch, y: y_batch})
    X_new, y_new = next_batch(200, 12345)
    mse = loss.eval({X: X_new, y: y_new})
