"""Dropout of inputs and hidden layers, switched by a placeholder with a default.

chapter: training deep nets
reaches: accuracy >= 0.93
reaches: spread == 0
numbers: shapes (dropout draws)
"""

import numpy as np
from tf1_data import batches, mnist

import bital.tf1 as tf

X_train, t_train, X_test, t_test = mnist(20000)

tf.set_random_seed(42)
X = tf.placeholder(tf.float32, shape=(None, 784), name="X")
y = tf.placeholder(tf.int32, shape=(None,), name="y")
training = tf.placeholder_with_default(False, shape=(), name="training")
dropout_rate = 0.5
X_drop = tf.layers.dropout(X, 0.2, training=training)
hidden1 = tf.layers.dense(X_drop, 300, activation=tf.nn.relu, name="hidden1")
hidden1_drop = tf.layers.dropout(hidden1, dropout_rate, training=training)
hidden2 = tf.layers.dense(hidden1_drop, 100, activation=tf.nn.relu, name="hidden2")
hidden2_drop = tf.layers.dropout(hidden2, dropout_rate, training=training)
logits = tf.layers.dense(hidden2_drop, 10, name="outputs")
loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))
training_op = tf.train.MomentumOptimizer(0.01, momentum=0.9).minimize(loss)
accuracy_op = tf.reduce_mean(tf.cast(tf.nn.in_top_k(logits, y, 1), tf.float32))

with tf.Session() as sess:
    tf.global_variables_initializer().run()
    dropped = sess.run(X_drop, {X: np.ones((100, 784)), training: True})
    assert set(np.unique(dropped)) == {0.0, 1.25}
    assert abs((dropped == 0).mean() - 0.2) < 0.01
    for epoch in range(4):
        for X_batch, t_batch in batches(50, X_train, t_train, seed=epoch):
            sess.run(training_op, {X: X_batch, y: t_batch, training: True})
    accuracy, again = (accuracy_op.eval({X: X_test, y: t_test}) for _ in range(2))
spread = float(accuracy - again)
