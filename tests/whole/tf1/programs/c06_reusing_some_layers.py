"""Some layers are restored by a saver of a subset, the lower ones frozen by var_list.

chapter: training deep nets
reaches: accuracy >= 0.93
reaches: frozen == 0
"""

import numpy as np
from tf1_data import batches, table

import bital.tf1 as tf

data, target = table("digits")
X_train, t_train, X_test, t_test = data[:1200], target[:1200], data[1200:], target[1200:]


def network(sizes):
    tf.reset_default_graph()
    tf.set_random_seed(42)
    X = tf.placeholder(tf.float32, shape=(None, 64), name="X")
    y = tf.placeholder(tf.int32, shape=(None,), name="y")
    layer = X
    for number, size in enumerate(sizes):
        layer = tf.layers.dense(layer, size, activation=tf.nn.relu, name=f"hidden{number + 1}")
    logits = tf.layers.dense(layer, 10, name="outputs")
    loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))
    right = tf.equal(tf.argmax(logits, 1), tf.cast(y, tf.int64))
    return X, y, loss, tf.reduce_mean(tf.cast(right, tf.float32))


X, y, loss, _ = network([50, 40, 30])
training_op = tf.train.AdamOptimizer(0.003).minimize(loss)
with tf.Session() as sess:
    tf.global_variables_initializer().run()
    for epoch in range(15):
        for X_batch, t_batch in batches(50, X_train, t_train, seed=epoch):
            sess.run(training_op, {X: X_batch, y: t_batch})
    tf.train.Saver().save(sess, "./first.ckpt")

X, y, loss, accuracy_op = network([50, 40, 20])
train_vars = tf.get_collection(tf.GraphKeys.TRAINABLE_VARIABLES, scope="hidden[3]|outputs")
assert len(train_vars) == 4
training_op = tf.train.GradientDescentOptimizer(0.1).minimize(loss, var_list=train_vars)
reuse_vars = tf.get_collection(tf.GraphKeys.GLOBAL_VARIABLES, scope="hidden[12]")
restore_saver = tf.train.Saver({var.op.name: var for var in reuse_vars})
init = tf.global_variables_initializer()
with tf.Session() as sess:
    init.run()
    restore_saver.restore(sess, "./first.ckpt")
    before = sess.run(reuse_vars)
    for epoch in range(10):
        for X_batch, t_batch in batches(50, X_train, t_train, seed=epoch):
            sess.run(training_op, {X: X_batch, y: t_batch})
    frozen = max(np.abs(a - b).max() for a, b in zip(before, sess.run(reuse_vars), strict=True))
    accuracy = accuracy_op.eval({X: X_test, y: t_test})
