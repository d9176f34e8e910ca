"""He initialization, ELU, and the scaled SELU without normalization layers.

chapter: training deep nets
reaches: accuracy >= 0.94
reaches: spread <= 0.35
"""

import numpy as np
from tf1_data import batches, mnist

import bital.tf1 as tf

X_train, t_train, X_test, t_test = mnist(20000)
means, stds = X_train.mean(axis=0), X_train.std(axis=0) + 1e-10

he_init = tf.variance_scaling_initializer(2.0, seed=3)
tf.set_random_seed(42)
X = tf.placeholder(tf.float32, shape=(None, 784), name="X")
y = tf.placeholder(tf.int32, shape=(None,), name="y")


def selu(z, scale=1.0507009873554805, alpha=1.6732632423543772):
    return scale * tf.where(z >= 0.0, z, alpha * tf.nn.elu(z))


hidden = tf.layers.dense(X, 100, activation=selu, kernel_initializer=he_init, name="hidden1")
hidden = tf.layers.dense(hidden, 100, tf.nn.selu, kernel_initializer=he_init, name="hidden2")
hidden = tf.layers.dense(hidden, 50, tf.nn.elu, kernel_initializer=he_init, name="hidden3")
logits = tf.layers.dense(hidden, 10, name="outputs")
loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))
training_op = tf.train.GradientDescentOptimizer(0.02).minimize(loss)
accuracy_op = tf.reduce_mean(tf.cast(tf.nn.in_top_k(logits, y, 1), tf.float32))
first = tf.get_default_graph().get_tensor_by_name("hidden1/kernel:0")

with tf.Session() as sess:
    tf.global_variables_initializer().run()
    spread = abs(float(np.std(first.eval())) * np.sqrt(784 / 2) - 1)
    for epoch in range(10):
        for X_batch, t_batch in batches(50, X_train, t_train, seed=epoch):
            scaled = (X_batch - means) / (stds + 0.3)
            sess.run(training_op, feed_dict={X: scaled, y: t_batch})
    scaled = (X_test - means) / (stds + 0.3)
    accuracy = accuracy_op.eval(feed_dict={X: scaled, y: t_test})
