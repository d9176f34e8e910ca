"""Gradient descent: the gradient by hand, by tf.gradients, and by an optimizer.

chapter: first steps
reaches: spread <= 0.0001
reaches: mse <= 0.35
"""

import numpy as np
from tf1_data import table

import bital.tf1 as tf

data, target = table("diabetes")
X_data = np.c_[np.ones((len(data), 1)), data]
n_epochs, learning_rate = 200, 0.01


def train(way):
    tf.reset_default_graph()
    X = tf.constant(X_data, dtype=tf.float32, name="X")
    y = tf.constant(target.reshape(-1, 1) / 100, dtype=tf.float32, name="y")
    theta = tf.Variable(tf.random_uniform([X_data.shape[1], 1], -1.0, 1.0, seed=42), name="theta")
    y_pred = tf.matmul(X, theta, name="predictions")
    error = y_pred - y
    mse = tf.reduce_mean(tf.square(error), name="mse")
    if way == "hand":
        gradients = 2 / len(X_data) * tf.matmul(tf.transpose(X), error)
        training_op = tf.assign(theta, theta - learning_rate * gradients)
    elif way == "gradients":
        gradients = tf.gradients(mse, [theta])[0]
        training_op = tf.assign(theta, theta - learning_rate * gradients)
    else:
        optimizer = tf.train.GradientDescentOptimizer(learning_rate=learning_rate)
        training_op = optimizer.minimize(mse)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        theta.load(np.full((X_data.shape[1], 1), 0.5, np.float32), sess)
        for epoch in range(n_epochs):
            if epoch % 100 == 0:
                print("Epoch", epoch, "MSE =", mse.eval())
            sess.run(training_op)
        return theta.eval(), mse.eval()


found = [train(way) for way in ("hand", "gradients", "optimizer")]
spread = max(np.abs(theta - found[0][0]).max() for theta, _ in found)
mse = found[-1][1]
