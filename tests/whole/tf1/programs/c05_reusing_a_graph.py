"""Layers of a saved network are reused: its graph is imported, its tensors found by name.

chapter: training deep nets
reaches: accuracy >= 0.75
reaches: unchanged == 0
"""

import numpy as np
from tf1_data import batches, table

import bital.tf1 as tf

data, target = table("digits")
low = target < 5
X_low, t_low, X_high, t_high = data[low], target[low], data[~low], target[~low] - 5


def batch_loss(logits, y):
    xentropy = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits)
    return tf.reduce_mean(xentropy, name="loss")


# The old task: digits 0 to 4.
tf.set_random_seed(42)
X = tf.placeholder(tf.float32, shape=(None, 64), name="X")
y = tf.placeholder(tf.int32, shape=(None,), name="y")
hidden1 = tf.layers.dense(X, 60, activation=tf.nn.relu, name="hidden1")
hidden2 = tf.layers.dense(hidden1, 40, activation=tf.nn.relu, name="hidden2")
logits = tf.layers.dense(hidden2, 5, name="outputs")
with tf.name_scope("loss"):
    loss = batch_loss(logits, y)
with tf.name_scope("train"):
    training_op = tf.train.AdamOptimizer(0.005).minimize(loss, name="training_op")
for op in (X, y, training_op):
    tf.add_to_collection("my_important_ops", op)
init = tf.global_variables_initializer()
saver = tf.train.Saver()
with tf.Session() as sess:
    init.run()
    for epoch in range(5):
        for X_batch, t_batch in batches(50, X_low, t_low, seed=epoch):
            sess.run(training_op, feed_dict={X: X_batch, y: t_batch})
    saver.save(sess, "./old_model.ckpt")
    old = sess.run("hidden1/kernel:0")

# The new one: digits 5 to 9, on the same hidden layers, the first of which is frozen.
tf.reset_default_graph()
tf.set_random_seed(42)
saver = tf.train.import_meta_graph("./old_model.ckpt.meta")
graph = tf.get_default_graph()
assert "hidden2/kernel" in [op.name for op in graph.get_operations()]
X, y, _ = tf.get_collection("my_important_ops")
hidden2 = graph.get_tensor_by_name("hidden2/Relu:0")
hidden2_stop = tf.stop_gradient(hidden2)
assert hidden2.get_shape().as_list() == [None, 40]

new_hidden = tf.layers.dense(hidden2_stop, 30, activation=tf.nn.relu, name="new_hidden")
new_logits = tf.layers.dense(new_hidden, 5, name="new_outputs")
with tf.name_scope("new_loss"):
    new_loss = batch_loss(new_logits, y)
with tf.name_scope("new_eval"):
    correct = tf.nn.in_top_k(new_logits, y, 1)
    accuracy_op = tf.reduce_mean(tf.cast(correct, tf.float32), name="accuracy")
with tf.name_scope("new_train"):
    new_training_op = tf.train.AdamOptimizer(0.005).minimize(new_loss)
init = tf.global_variables_initializer()
new_saver = tf.train.Saver()

with tf.Session() as sess:
    init.run()
    saver.restore(sess, "./old_model.ckpt")
    for epoch in range(15):
        for X_batch, t_batch in batches(50, X_high[:700], t_high[:700], seed=epoch):
            sess.run(new_training_op, feed_dict={X: X_batch, y: t_batch})
    accuracy = accuracy_op.eval(feed_dict={X: X_high[700:], y: t_high[700:]})
    unchanged = np.abs(sess.run("hidden1/kernel:0") - old).max()
    new_saver.save(sess, "./new_model.ckpt")
