"""A variational autoencoder; new digits are generated from noise.

chapter: autoencoders
reaches: loss_value <= 160
reaches: spread >= 0.01
numbers: shapes (codings are drawn)
"""

from functools import partial

import numpy as np
from tf1_data import batches, mnist

import bital.tf1 as tf

X_train, _, X_test, _ = mnist(20000, 2000)
n_hidden1, n_hidden2, n_hidden3 = 200, 200, 20

tf.set_random_seed(42)
initializer = tf.variance_scaling_initializer()
my_dense_layer = partial(tf.layers.dense, activation=tf.nn.elu, kernel_initializer=initializer)
X = tf.placeholder(tf.float32, [None, 784])
hidden1 = my_dense_layer(X, n_hidden1)
hidden2 = my_dense_layer(hidden1, n_hidden2)
hidden3_mean = my_dense_layer(hidden2, n_hidden3, activation=None)
hidden3_gamma = my_dense_layer(hidden2, n_hidden3, activation=None)
noise = tf.random_normal(tf.shape(hidden3_gamma), dtype=tf.float32)
hidden3 = hidden3_mean + tf.exp(0.5 * hidden3_gamma) * noise
hidden4 = my_dense_layer(hidden3, n_hidden2)
hidden5 = my_dense_layer(hidden4, n_hidden1)
logits = my_dense_layer(hidden5, 784, activation=None)
outputs = tf.sigmoid(logits)
xentropy = tf.nn.sigmoid_cross_entropy_with_logits(labels=X, logits=logits)
reconstruction_loss = tf.reduce_sum(xentropy)
latent_loss = 0.5 * tf.reduce_sum(
    tf.exp(hidden3_gamma) + tf.square(hidden3_mean) - 1 - hidden3_gamma
)
loss = reconstruction_loss + latent_loss
training_op = tf.train.AdamOptimizer(0.001).minimize(loss)

with tf.Session() as sess:
    tf.global_variables_initializer().run()
    for epoch in range(5):
        for (X_batch,) in batches(150, X_train, seed=epoch):
            sess.run(training_op, feed_dict={X: X_batch})
        parts = sess.run([loss, reconstruction_loss, latent_loss], feed_dict={X: X_batch})
        print(epoch, parts)
    loss_value = loss.eval(feed_dict={X: X_test}) / len(X_test)
    codings_rnd = np.random.RandomState(0).normal(size=[60, n_hidden3])
    generated = outputs.eval(feed_dict={hidden3: codings_rnd})
spread = float(generated.var(axis=0).mean())
