"""Denoising autoencoders: Gaussian noise on the inputs, and dropout of them.

chapter: autoencoders
reaches: mse <= 0.04
reaches: better >= 1.5
numbers: shapes (noise is drawn)
"""

import numpy as np
from tf1_data import batches, mnist

import bital.tf1 as tf

X_train, _, X_test, _ = mnist(20000, 1000)
noise_level = 0.4

tf.set_random_seed(42)
X = tf.placeholder(tf.float32, shape=[None, 784])
training = tf.placeholder_with_default(False, shape=(), name="training")
X_noisy = X + noise_level * tf.random_normal(tf.shape(X))
X_drop = tf.layers.dropout(X, 0.3, training=training)
hidden1 = tf.layers.dense(X_noisy, 150, activation=tf.nn.relu, name="hidden1")
hidden2 = tf.layers.dense(hidden1, 50, activation=tf.nn.relu, name="hidden2")
hidden3 = tf.layers.dense(hidden2, 150, activation=tf.nn.relu, name="hidden3")
outputs = tf.layers.dense(hidden3, 784, name="outputs")
loss = tf.reduce_mean(tf.square(outputs - X))
training_op = tf.train.AdamOptimizer(0.002).minimize(loss)

with tf.Session() as sess:
    tf.global_variables_initializer().run()
    for epoch in range(3):
        for (X_batch,) in batches(150, X_train, seed=epoch):
            sess.run(training_op, feed_dict={X: X_batch, training: True})
    noisy, cleaned, mse = sess.run([X_noisy, outputs, loss], feed_dict={X: X_test})
    dropped = sess.run(X_drop, feed_dict={X: X_test, training: True})
better = np.mean((noisy - X_test) ** 2) / np.mean((cleaned - X_test) ** 2)
assert 0.6 < (dropped != 0).sum() / (X_test != 0).sum() < 0.8
