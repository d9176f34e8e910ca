"""A network for MNIST from plain operations: layers by a function, softmax, in_top_k, batches.

chapter: artificial networks
reaches: accuracy >= 0.96
"""

import numpy as np
from tf1_data import batches, mnist

import bital.tf1 as tf

X_train, t_train, X_test, t_test = mnist(55000)
n_inputs, n_hidden1, n_hidden2, n_outputs = 28 * 28, 300, 100, 10

tf.set_random_seed(42)
X = tf.placeholder(tf.float32, shape=(None, n_inputs), name="X")
y = tf.placeholder(tf.int32, shape=(None), name="y")


def neuron_layer(X, n_neurons, name, activation=None):
    with tf.name_scope(name):
        n_inputs = int(X.get_shape()[1])
        stddev = 2 / np.sqrt(n_inputs)
        init = tf.truncated_normal((n_inputs, n_neurons), stddev=stddev, seed=1)
        W = tf.Variable(init, name="kernel")
        b = tf.Variable(tf.zeros([n_neurons]), name="bias")
        Z = tf.matmul(X, W) + b
        return Z if activation is None else activation(Z)


with tf.name_scope("dnn"):
    hidden1 = neuron_layer(X, n_hidden1, name="hidden1", activation=tf.nn.relu)
    hidden2 = neuron_layer(hidden1, n_hidden2, name="hidden2", activation=tf.nn.relu)
    logits = neuron_layer(hidden2, n_outputs, name="outputs")
with tf.name_scope("loss"):
    xentropy = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits)
    loss = tf.reduce_mean(xentropy, name="loss")
with tf.name_scope("train"):
    training_op = tf.train.GradientDescentOptimizer(0.05).minimize(loss)
with tf.name_scope("eval"):
    correct = tf.nn.in_top_k(logits, y, 1)
    accuracy_op = tf.reduce_mean(tf.cast(correct, tf.float32))
init = tf.global_variables_initializer()
saver = tf.train.Saver()

with tf.Session() as sess:
    init.run()
    for epoch in range(5):
        for X_batch, t_batch in batches(50, X_train, t_train, seed=epoch):
            sess.run(training_op, feed_dict={X: X_batch, y: t_batch})
        acc_batch = accuracy_op.eval(feed_dict={X: X_batch, y: t_batch})
        accuracy = accuracy_op.eval(feed_dict={X: X_test, y: t_test})
        print(epoch, "batch:", acc_batch, "test:", accuracy)
    saver.save(sess, "./my_model_final.ckpt")

with tf.Session() as sess:
    saver.restore(sess, "./my_model_final.ckpt")
    Z = logits.eval(feed_dict={X: X_test[:200]})
    assert np.mean(np.argmax(Z, axis=1) == t_test[:200]) >= 0.93
