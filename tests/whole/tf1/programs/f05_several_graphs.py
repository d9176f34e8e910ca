"""Autoencoders in graphs of their own, each on the codings of the one before, then stacked.

chapter: autoencoders
reaches: mse <= 0.03
numbers: all
runs: 40
"""

import numpy as np
from tf1_data import batches, mnist

import bital.tf1 as tf

X_train, _, X_test, _ = mnist(6000, 2000)


def train_autoencoder(data, n_neurons, n_epochs, output_activation=None):
    """Weights and biases, and what the hidden layer makes of the data."""
    graph = tf.Graph()
    n_inputs = data.shape[1]
    with graph.as_default():
        tf.set_random_seed(42)
        X = tf.placeholder(tf.float32, shape=[None, n_inputs])
        hidden = tf.layers.dense(X, n_neurons, activation=tf.nn.elu, name="hidden")
        outputs = tf.layers.dense(hidden, n_inputs, activation=output_activation, name="outputs")
        mse = tf.reduce_mean(tf.square(outputs - X))
        training_op = tf.train.AdamOptimizer(0.002).minimize(mse)
        init = tf.global_variables_initializer()
    with tf.Session(graph=graph) as sess:
        init.run()
        for epoch in range(n_epochs):
            for (rows,) in batches(150, data, seed=epoch):
                sess.run(training_op, feed_dict={X: rows})
        params = {
            var.name: var.eval() for var in tf.get_collection(tf.GraphKeys.TRAINABLE_VARIABLES)
        }
        codings = hidden.eval(feed_dict={X: data})
    return codings, *(
        params[f"{n}/{w}:0"] for n in ("hidden", "outputs") for w in ("kernel", "bias")
    )


hidden_output, W1, b1, W4, b4 = train_autoencoder(X_train, 150, 5)
_, W2, b2, W3, b3 = train_autoencoder(hidden_output, 50, 10)

tf.reset_default_graph()
X = tf.placeholder(tf.float32, shape=[None, 784])
hidden1 = tf.nn.elu(tf.matmul(X, W1) + b1)
hidden2 = tf.nn.elu(tf.matmul(hidden1, W2) + b2)
hidden3 = tf.matmul(hidden2, W3) + b3
outputs = tf.matmul(hidden3, W4) + b4
with tf.Session() as sess:
    found = outputs.eval(feed_dict={X: X_test})
mse = np.mean((found - X_test) ** 2)
