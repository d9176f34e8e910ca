"""Logistic regression, with log loss and metrics written out.

chapter: artificial networks
reaches: accuracy >= 0.94
"""

import numpy as np
from tf1_data import batches, table

import bital.tf1 as tf

data, target = table("breast_cancer")
data = np.c_[np.ones((len(data), 1)), data].astype(np.float32)
X_train, t_train, X_test, t_test = data[:400], target[:400], data[400:], target[400:]
n_inputs = data.shape[1]


def logistic_regression(X, y, learning_rate=0.1, initializer=None):
    n_columns = int(X.get_shape()[1])
    with tf.name_scope("logistic_regression"):
        with tf.name_scope("model"):
            if initializer is None:
                initializer = tf.random_uniform([n_columns, 1], -1.0, 1.0, seed=42)
            theta = tf.Variable(initializer, name="theta")
            logits = tf.matmul(X, theta, name="logits")
            y_proba = tf.sigmoid(logits)
        with tf.name_scope("train"):
            loss = tf.losses.log_loss(y, y_proba, scope="loss")
            training_op = tf.train.GradientDescentOptimizer(learning_rate).minimize(loss)
        with tf.name_scope("init"):
            init = tf.global_variables_initializer()
    return y_proba, loss, training_op, init


tf.set_random_seed(42)
X = tf.placeholder(tf.float32, shape=(None, n_inputs), name="X")
y = tf.placeholder(tf.float32, shape=(None, 1), name="y")
y_proba, loss, training_op, init = logistic_regression(X, y)

with tf.Session() as sess:
    sess.run(init)
    for epoch in range(60):
        for X_batch, t_batch in batches(50, X_train, t_train, seed=epoch):
            sess.run(training_op, feed_dict={X: X_batch, y: t_batch.reshape(-1, 1)})
        if epoch % 20 == 0:
            print(epoch, loss.eval(feed_dict={X: X_test, y: t_test.reshape(-1, 1)}))
    probabilities = y_proba.eval(feed_dict={X: X_test})

accuracy = np.mean((probabilities[:, 0] >= 0.5) == t_test)
