"""An autoencoder trained in phases of one graph: each optimizer changes its own var_list.

chapter: autoencoders
reaches: mse <= 0.03
reaches: changed == 0
"""

import itertools

import numpy as np
from tf1_data import batches, mnist

import bital.tf1 as tf

X_train, _, X_test, _ = mnist(10000, 2000)
sizes = [784, 150, 50, 150, 784]

tf.set_random_seed(42)
X = tf.placeholder(tf.float32, shape=[None, 784])
init = tf.variance_scaling_initializer()
weights = [
    tf.Variable(init([a, b]), name=f"weights{i + 1}")
    for i, (a, b) in enumerate(itertools.pairwise(sizes))
]
biases = [tf.Variable(tf.zeros(n), name=f"biases{i + 1}") for i, n in enumerate(sizes[1:])]
hidden1 = tf.nn.elu(tf.matmul(X, weights[0]) + biases[0])
hidden2 = tf.nn.elu(tf.matmul(hidden1, weights[1]) + biases[1])
hidden3 = tf.nn.elu(tf.matmul(hidden2, weights[2]) + biases[2])
outputs = tf.matmul(hidden3, weights[3]) + biases[3]
reconstruction_loss = tf.reduce_mean(tf.square(outputs - X))

optimizer = tf.train.AdamOptimizer(0.002)
with tf.name_scope("phase1"):
    phase1_outputs = tf.matmul(hidden1, weights[3]) + biases[3]
    phase1_loss = tf.reduce_mean(tf.square(phase1_outputs - X))
    phase1_training_op = optimizer.minimize(phase1_loss)
with tf.name_scope("phase2"):
    phase2_loss = tf.reduce_mean(tf.square(hidden3 - hidden1))
    train_vars = [weights[1], biases[1], weights[2], biases[2]]
    phase2_training_op = optimizer.minimize(phase2_loss, var_list=train_vars)

with tf.Session() as sess:
    tf.global_variables_initializer().run()
    for epoch in range(3):
        for (X_batch,) in batches(150, X_train, seed=epoch):
            sess.run([phase1_training_op, phase1_loss], feed_dict={X: X_batch})
    first = weights[0].eval()
    hidden1_cache = hidden1.eval(feed_dict={X: X_train})
    for epoch in range(6):
        for (cached,) in batches(150, hidden1_cache, seed=epoch):
            sess.run(phase2_training_op, feed_dict={hidden1: cached})
    changed = np.abs(weights[0].eval() - first).max()
    mse = reconstruction_loss.eval(feed_dict={X: X_test})
