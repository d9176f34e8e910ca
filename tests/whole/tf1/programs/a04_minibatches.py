"""Mini-batches fed through placeholders whose first length is None.

chapter: first steps
reaches: mse <= 0.32
"""

import numpy as np
from tf1_data import batches, table

import bital.tf1 as tf

data, target = table("diabetes")
X_data = np.c_[np.ones((len(data), 1)), data].astype(np.float32)
t_data = target.reshape(-1, 1) / 100

A = tf.placeholder(tf.float32, shape=(None, 3))
B = A + 5
with tf.Session() as sess:
    assert B.eval(feed_dict={A: [[1, 2, 3]]}).tolist() == [[6, 7, 8]]
    assert B.eval(feed_dict={A: [[4, 5, 6], [7, 8, 9]]}).shape == (2, 3)

X = tf.placeholder(tf.float32, shape=(None, X_data.shape[1]), name="X")
y = tf.placeholder(tf.float32, shape=(None, 1), name="y")
theta = tf.Variable(tf.random_uniform([X_data.shape[1], 1], -1.0, 1.0, seed=42), name="theta")
error = tf.matmul(X, theta, name="predictions") - y
mse_op = tf.reduce_mean(tf.square(error), name="mse")
optimizer = tf.train.MomentumOptimizer(learning_rate=0.01, momentum=0.9)
training_op = optimizer.minimize(mse_op)
init = tf.global_variables_initializer()

with tf.Session() as sess:
    sess.run(init)
    for epoch in range(20):
        for X_batch, t_batch in batches(50, X_data, t_data, seed=epoch):
            sess.run(training_op, feed_dict={X: X_batch, y: t_batch})
    mse = mse_op.eval(feed_dict={X: X_data, y: t_data})
