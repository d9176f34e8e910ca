"""A learning rate that decays exponentially with the global step.

chapter: training deep nets
reaches: accuracy >= 0.93
reaches: difference <= 0.000001
"""

import numpy as np
from tf1_data import batches, table

import bital.tf1 as tf

data, target = table("digits")
X_train, t_train, X_test, t_test = data[:1400], target[:1400], data[1400:], target[1400:]

tf.set_random_seed(42)
X = tf.placeholder(tf.float32, shape=(None, 64), name="X")
y = tf.placeholder(tf.int32, shape=(None,), name="y")
hidden = tf.layers.dense(X, 40, activation=tf.nn.relu, name="hidden")
logits = tf.layers.dense(hidden, 10, name="outputs")
loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))

with tf.name_scope("train"):
    initial_learning_rate, decay_steps, decay_rate = 0.1, 100, 1 / 10
    global_step = tf.Variable(0, trainable=False, name="global_step")
    learning_rate = tf.train.exponential_decay(
        initial_learning_rate, global_step, decay_steps, decay_rate
    )
    optimizer = tf.train.MomentumOptimizer(learning_rate, momentum=0.9)
    training_op = optimizer.minimize(loss, global_step=global_step)
    others = [
        tf.train.exponential_decay(0.1, global_step, 100, 0.1, staircase=True),
        tf.train.inverse_time_decay(0.1, global_step, 100, 0.5),
        tf.train.polynomial_decay(0.1, global_step, 200, 0.01, power=2.0),
        tf.train.piecewise_constant(global_step, [5, 10], [0.1, 0.05, 0.01]),
    ]

with tf.Session() as sess:
    tf.global_variables_initializer().run()
    for epoch in range(6):
        for X_batch, t_batch in batches(50, X_train, t_train, seed=epoch):
            sess.run(training_op, {X: X_batch, y: t_batch})
            sess.run([learning_rate, *others])
    rate, step = sess.run([learning_rate, global_step])
    difference = abs(rate - 0.1 * 0.1 ** (step / 100))
    accuracy = np.mean(sess.run(logits, {X: X_test}).argmax(axis=1) == t_test)
assert step == 6 * 28
