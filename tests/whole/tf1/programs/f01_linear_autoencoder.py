"""A linear autoencoder finds the plane of the principal components.

chapter: autoencoders
reaches: ratio <= 1.05
"""

import numpy as np
from tf1_data import table

import bital.tf1 as tf

X_train, _ = table("iris")
n_inputs, n_hidden, n_outputs = 4, 2, 4

tf.set_random_seed(42)
X = tf.placeholder(tf.float32, shape=[None, n_inputs])
hidden = tf.layers.dense(X, n_hidden)
outputs = tf.layers.dense(hidden, n_outputs)
reconstruction_loss = tf.reduce_mean(tf.square(outputs - X))
training_op = tf.train.AdamOptimizer(0.01, epsilon=1e-4).minimize(reconstruction_loss)
codings = hidden

with tf.Session() as sess:
    tf.global_variables_initializer().run()
    for _ in range(1000):
        training_op.run(feed_dict={X: X_train})
    codings_val, error = sess.run([codings, reconstruction_loss], feed_dict={X: X_train})
assert codings_val.shape == (150, 2)

singular = np.linalg.svd(X_train - X_train.mean(axis=0), compute_uv=False)
ratio = error / ((singular[2:] ** 2).sum() / X_train.size)
