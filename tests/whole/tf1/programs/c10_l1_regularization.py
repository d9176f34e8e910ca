"""An l1 penalty written out, and penalties that layers collect.

chapter: training deep nets
reaches: accuracy >= 0.9
reaches: ratio <= 0.5
"""

from functools import partial

import numpy as np
from tf1_data import batches, table

import bital.tf1 as tf

data, target = table("digits")
X_train, t_train, X_test, t_test = data[:1400], target[:1400], data[1400:], target[1400:]
scale = tf.placeholder_with_default(0.0, shape=(), name="scale")


def l1(weights):
    return 0.0005 * tf.reduce_sum(tf.abs(weights))


tf.set_random_seed(42)
X = tf.placeholder(tf.float32, shape=(None, 64), name="X")
y = tf.placeholder(tf.int32, shape=(None,), name="y")
my_dense_layer = partial(tf.layers.dense, activation=tf.nn.relu, kernel_regularizer=l1)
hidden1 = my_dense_layer(X, 40, name="hidden1")
hidden2 = my_dense_layer(hidden1, 30, name="hidden2")
logits = my_dense_layer(hidden2, 10, activation=None, name="outputs")
W1 = tf.get_default_graph().get_tensor_by_name("hidden1/kernel:0")

xentropy = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits)
base_loss = tf.reduce_mean(xentropy, name="avg_xentropy")
reg_losses = tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES)
assert len(reg_losses) == 3
loss = base_loss + scale * tf.add_n(reg_losses, name="penalty")
training_op = tf.train.AdamOptimizer(0.005).minimize(loss)

sizes = []
with tf.Session() as sess:
    init = tf.global_variables_initializer()
    for weight in (1.0, 0.0):
        sess.run(init)
        for epoch in range(30):
            for X_batch, t_batch in batches(50, X_train, t_train, seed=epoch):
                sess.run(training_op, {X: X_batch, y: t_batch, scale: weight})
        sizes.append(np.abs(sess.run(W1)).sum())
        found = sess.run(logits, {X: X_test}).argmax(axis=1)
        accuracy = np.mean(found == t_test)
        print(weight, sizes[-1], accuracy)
ratio = sizes[0] / sizes[1]
