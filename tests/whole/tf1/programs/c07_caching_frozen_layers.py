"""What frozen layers give is computed once, and fed to the rest in the place of the inputs.

chapter: training deep nets
reaches: accuracy >= 0.86
"""

import numpy as np
from tf1_data import mnist

import bital.tf1 as tf

X_train, t_train, X_test, t_test = mnist(20000)
n_batches = 200

tf.set_random_seed(42)
X = tf.placeholder(tf.float32, shape=(None, 784), name="X")
y = tf.placeholder(tf.int32, shape=(None,), name="y")
he_init = tf.variance_scaling_initializer(2.0, seed=5)
hidden1 = tf.layers.dense(X, 300, tf.nn.relu, kernel_initializer=he_init, name="hidden1")
hidden2 = tf.layers.dense(hidden1, 100, tf.nn.relu, kernel_initializer=he_init, name="hidden2")
hidden2_stop = tf.stop_gradient(hidden2)
hidden3 = tf.layers.dense(hidden2_stop, 100, tf.nn.relu, name="hidden3")
logits = tf.layers.dense(hidden3, 10, name="outputs")
loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))
training_op = tf.train.MomentumOptimizer(0.1, 0.9).minimize(loss)
accuracy_op = tf.reduce_mean(tf.cast(tf.nn.in_top_k(logits, y, 1), tf.float32))

with tf.Session() as sess:
    tf.global_variables_initializer().run()
    h2_cache = sess.run(hidden2, feed_dict={X: X_train})
    rng = np.random.RandomState(1)
    for _ in range(12):
        shuffled = rng.permutation(len(h2_cache))
        for rows in np.array_split(shuffled, n_batches):
            sess.run(training_op, feed_dict={hidden2: h2_cache[rows], y: t_train[rows]})
    accuracy = accuracy_op.eval(feed_dict={X: X_test, y: t_test})
