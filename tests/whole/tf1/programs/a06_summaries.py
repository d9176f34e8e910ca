"""Summaries are written for TensorBoard.

chapter: first steps
reaches: files == 1
reaches: size >= 500
"""

import os

import numpy as np
from tf1_data import table

import bital.tf1 as tf

data, target = table("diabetes")
X_data = np.c_[np.ones((len(data), 1)), data].astype(np.float32)
t_data = (target.reshape(-1, 1) / 100).astype(np.float32)

X = tf.placeholder(tf.float32, shape=(None, X_data.shape[1]), name="X")
y = tf.placeholder(tf.float32, shape=(None, 1), name="y")
theta = tf.Variable(tf.random_uniform([X_data.shape[1], 1], -1.0, 1.0, seed=42), name="theta")
with tf.name_scope("loss") as scope:
    error = tf.matmul(X, theta) - y
    mse = tf.reduce_mean(tf.square(error), name="mse")
assert error.op.name == "loss/sub"
assert mse.op.name == "loss/mse"
training_op = tf.train.GradientDescentOptimizer(0.01).minimize(mse)
init = tf.global_variables_initializer()

mse_summary = tf.summary.scalar("MSE", mse)
tf.summary.histogram("theta", theta)
merged = tf.summary.merge_all()
file_writer = tf.summary.FileWriter("logs/run-1", tf.get_default_graph())

with tf.Session() as sess:
    sess.run(init)
    for step in range(20):
        feed = {X: X_data, y: t_data}
        if step % 10 == 0:
            file_writer.add_summary(mse_summary.eval(feed_dict=feed), step)
            file_writer.add_summary(sess.run(merged, feed_dict=feed), step)
        sess.run(training_op, feed_dict=feed)
    last = mse.eval(feed_dict=feed)
file_writer.flush()
file_writer.close()

names = os.listdir("logs/run-1")
files = sum("tfevents" in name for name in names)
size = sum(os.path.getsize(os.path.join("logs/run-1", name)) for name in names)
