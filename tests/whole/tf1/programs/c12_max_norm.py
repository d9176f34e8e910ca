"""Max-norm regularization: weights are clipped after each step by operations of a collection.

chapter: training deep nets
reaches: accuracy >= 0.92
reaches: largest <= 1.0001
"""

import numpy as np
from tf1_data import batches, table

import bital.tf1 as tf

data, target = table("digits")
X_train, t_train, X_test, t_test = data[:1400], target[:1400], data[1400:], target[1400:]


def max_norm_regularizer(threshold, axes=1, name="max_norm", collection="max_norm"):
    def max_norm(weights):
        clipped = tf.clip_by_norm(weights, clip_norm=threshold, axes=axes)
        clip_weights = tf.assign(weights, clipped, name=name)
        tf.add_to_collection(collection, clip_weights)
        return None  # there is no loss to add

    return max_norm


tf.set_random_seed(42)
X = tf.placeholder(tf.float32, shape=(None, 64), name="X")
y = tf.placeholder(tf.int32, shape=(None,), name="y")
max_norm_reg = max_norm_regularizer(threshold=1.0)
hidden1 = tf.layers.dense(X, 50, tf.nn.relu, kernel_regularizer=max_norm_reg, name="hidden1")
hidden2 = tf.layers.dense(hidden1, 30, tf.nn.relu, kernel_regularizer=max_norm_reg, name="hidden2")
logits = tf.layers.dense(hidden2, 10, name="outputs")
loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))
training_op = tf.train.MomentumOptimizer(0.05, 0.9).minimize(loss)
clip_all_weights = tf.get_collection("max_norm")
assert len(clip_all_weights) == 2
kernel = tf.get_default_graph().get_tensor_by_name("hidden1/kernel:0")

with tf.Session() as sess:
    tf.global_variables_initializer().run()
    for epoch in range(20):
        for X_batch, t_batch in batches(50, X_train, t_train, seed=epoch):
            sess.run(training_op, {X: X_batch, y: t_batch})
            sess.run(clip_all_weights)
    largest = np.linalg.norm(sess.run(kernel), axis=1).max()
    accuracy = np.mean(sess.run(logits, {X: X_test}).argmax(axis=1) == t_test)
