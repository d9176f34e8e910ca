"""Gradients are computed, clipped, and applied; by value and by their common norm.

chapter: training deep nets
reaches: accuracy >= 0.9
reaches: largest <= 1.0001
"""

import numpy as np
from tf1_data import batches, table

import bital.tf1 as tf

data, target = table("digits")
X_train, t_train, X_test, t_test = data[:1400], target[:1400], data[1400:], target[1400:]

tf.set_random_seed(42)
X = tf.placeholder(tf.float32, shape=(None, 64), name="X")
y = tf.placeholder(tf.int32, shape=(None,), name="y")
layer = X
for number, size in enumerate([50, 50, 50, 50]):
    layer = tf.layers.dense(layer, size, tf.nn.relu, name=f"hidden{number + 1}")
logits = tf.layers.dense(layer, 10, name="outputs")
loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))

threshold = 0.1
optimizer = tf.train.GradientDescentOptimizer(0.1)
grads_and_vars = optimizer.compute_gradients(loss)
capped_gvs = [(tf.clip_by_value(grad, -threshold, threshold), var) for grad, var in grads_and_vars]
by_value = optimizer.apply_gradients(capped_gvs)

tvars = tf.trainable_variables()
grads, norm = tf.clip_by_global_norm(tf.gradients(loss, tvars), 1.0)
clipped_norm = tf.global_norm(grads)
by_norm = optimizer.apply_gradients(zip(grads, tvars))  # noqa: B905

largest = 0.0
with tf.Session() as sess:
    tf.global_variables_initializer().run()
    for epoch in range(15):
        for X_batch, t_batch in batches(50, X_train, t_train, seed=epoch):
            sess.run(by_value, {X: X_batch, y: t_batch})
    for epoch in range(15):
        for X_batch, t_batch in batches(50, X_train, t_train, seed=epoch):
            _, found = sess.run([by_norm, clipped_norm], {X: X_batch, y: t_batch})
            largest = max(largest, float(found))
    accuracy = np.mean(np.argmax(sess.run(logits, {X: X_test}), axis=1) == t_test)
