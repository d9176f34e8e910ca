"""A sparse autoencoder: the Kullback-Leibler divergence of the mean activations from a target.

chapter: autoencoders
reaches: mse <= 0.06
reaches: distance <= 0.1
"""

import numpy as np
from tf1_data import batches, mnist

import bital.tf1 as tf

X_train, _, X_test, _ = mnist(20000, 2000)
n_hidden, sparsity_target, sparsity_weight = 300, 0.1, 0.02


def kl_divergence(p, q):
    return p * tf.log(p / q) + (1 - p) * tf.log((1 - p) / (1 - q))


tf.set_random_seed(42)
X = tf.placeholder(tf.float32, shape=[None, 784])
hidden1 = tf.layers.dense(X, n_hidden, activation=tf.nn.sigmoid)
logits = tf.layers.dense(hidden1, 784)
outputs = tf.nn.sigmoid(logits)
hidden1_mean = tf.reduce_mean(hidden1, axis=0)
sparsity_loss = tf.reduce_sum(kl_divergence(sparsity_target, hidden1_mean))
xentropy = tf.nn.sigmoid_cross_entropy_with_logits(labels=X, logits=logits)
reconstruction_loss = tf.reduce_mean(xentropy)
loss = reconstruction_loss + sparsity_weight * sparsity_loss
training_op = tf.train.AdamOptimizer(0.005).minimize(loss)

with tf.Session() as sess:
    tf.global_variables_initializer().run()
    for epoch in range(3):
        for (X_batch,) in batches(500, X_train, seed=epoch):
            sess.run([training_op, loss, sparsity_loss], feed_dict={X: X_batch})
    found, activity = sess.run([outputs, hidden1_mean], feed_dict={X: X_test})
mse = np.mean((found - X_test) ** 2)
distance = np.abs(activity - sparsity_target).mean()
