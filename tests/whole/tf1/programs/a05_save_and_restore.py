"""A model is saved during training and restored, whole, in part, and with its graph.

chapter: first steps
reaches: difference == 0
reaches: kept == 2
"""

import os

import numpy as np
from tf1_data import table

import bital.tf1 as tf

data, target = table("diabetes")
X_data = np.c_[np.ones((len(data), 1)), data].astype(np.float32)
t_data = (target.reshape(-1, 1) / 100).astype(np.float32)

X = tf.constant(X_data, name="X")
y = tf.constant(t_data, name="y")
theta = tf.Variable(tf.random_uniform([X_data.shape[1], 1], -1.0, 1.0, seed=42), name="theta")
mse = tf.reduce_mean(tf.square(tf.matmul(X, theta) - y), name="mse")
training_op = tf.train.GradientDescentOptimizer(0.01).minimize(mse)
init = tf.global_variables_initializer()
saver = tf.train.Saver(max_to_keep=2)

with tf.Session() as sess:
    sess.run(init)
    for epoch in range(40):
        if epoch % 10 == 0:
            saver.save(sess, "./my_model", global_step=epoch)
        sess.run(training_op)
    best_theta = theta.eval()
    path = saver.save(sess, "./my_model_final.ckpt")

kept = len(tf.train.get_checkpoint_state(".").all_model_checkpoint_paths)
assert not [name for name in os.listdir() if name.startswith("my_model-0")]
assert tf.train.latest_checkpoint(".").endswith("my_model_final.ckpt")

with tf.Session() as sess:
    saver.restore(sess, path)
    difference = np.abs(theta.eval() - best_theta).max()

# One variable under another name.
weights_saver = tf.train.Saver({"weights": theta})
with tf.Session() as sess:
    sess.run(init)
    weights_saver.save(sess, "./weights.ckpt")
    first = theta.eval()
    sess.run(training_op)
    weights_saver.restore(sess, "./weights.ckpt")
    difference += np.abs(theta.eval() - first).max()

# The graph is in the file too: another program need not know how it was built.
tf.reset_default_graph()
saver = tf.train.import_meta_graph("./my_model_final.ckpt.meta")
theta = tf.get_default_graph().get_tensor_by_name("theta:0")
with tf.Session() as sess:
    saver.restore(sess, "./my_model_final.ckpt")
    difference += np.abs(theta.eval() - best_theta).max()
