"""Gradient descent, momentum, Nesterov, AdaGrad, RMSProp and Adam on the same network.

chapter: training deep nets
reaches: worst >= 0.93
runs: 60
"""

import numpy as np
from tf1_data import batches, table

import bital.tf1 as tf

data, target = table("digits")
X_train, t_train, X_test, t_test = data[:1400], target[:1400], data[1400:], target[1400:]
optimizers = {
    "plain": tf.train.GradientDescentOptimizer(0.2),
    "momentum": tf.train.MomentumOptimizer(learning_rate=0.05, momentum=0.9),
    "nesterov": tf.train.MomentumOptimizer(0.05, momentum=0.9, use_nesterov=True),
    "adagrad": tf.train.AdagradOptimizer(learning_rate=0.1),
    "rmsprop": tf.train.RMSPropOptimizer(0.003, momentum=0.9, decay=0.9, epsilon=1e-10),
    "centered": tf.train.RMSPropOptimizer(0.003, decay=0.9, epsilon=1e-4, centered=True),
    "adam": tf.train.AdamOptimizer(learning_rate=0.005),
}

tf.set_random_seed(42)
X = tf.placeholder(tf.float32, shape=(None, 64), name="X")
y = tf.placeholder(tf.int32, shape=(None,), name="y")
hidden = tf.layers.dense(X, 40, activation=tf.nn.tanh, name="hidden")
logits = tf.layers.dense(hidden, 10, name="outputs")
loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))
training_ops = {name: each.minimize(loss) for name, each in optimizers.items()}
assert optimizers["adam"].get_slot_names() == ["m", "v"]
slot = optimizers["momentum"].get_slot(tf.trainable_variables()[0], "momentum")
assert slot.name == "hidden/kernel/Momentum:0"
init = tf.global_variables_initializer()

accuracy = {}
with tf.Session() as sess:
    # The first steps of all, in turns; then each from the start.
    sess.run(init)
    for X_batch, t_batch in batches(200, X_train, t_train):
        for training_op in training_ops.values():
            sess.run([training_op, loss], {X: X_batch, y: t_batch})
    for name, training_op in training_ops.items():
        sess.run(init)
        for epoch in range(20):
            for X_batch, t_batch in batches(50, X_train, t_train, seed=epoch):
                sess.run(training_op, {X: X_batch, y: t_batch})
        accuracy[name] = np.mean(sess.run(logits, {X: X_test}).argmax(axis=1) == t_test)
worst = min(accuracy.values())
print(accuracy)
