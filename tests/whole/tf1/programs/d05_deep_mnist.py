"""Convolutions from functions for weights and biases, keep_prob as a placeholder, eval and run.

chapter: ConvNets
reaches: test_accuracy >= 0.91
numbers: shapes (dropout draws)
runs: 10
"""

import numpy as np
from tf1_data import batches, mnist

import bital.tf1 as tf

X_train, t_train, X_test, t_test = mnist(10000, 3000)
one_hot = np.eye(10, dtype=np.float32)
tf.set_random_seed(42)


def weight_variable(shape):
    return tf.Variable(tf.truncated_normal(shape, stddev=0.1))


def bias_variable(shape):
    return tf.Variable(tf.constant(0.1, shape=shape))


def conv2d(x, W):
    return tf.nn.conv2d(x, W, strides=[1, 1, 1, 1], padding="SAME")


def max_pool_2x2(x):
    return tf.nn.max_pool(x, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding="SAME")


sess = tf.InteractiveSession()
x = tf.placeholder(tf.float32, shape=[None, 784])
y_ = tf.placeholder(tf.float32, shape=[None, 10])
x_image = tf.reshape(x, [-1, 28, 28, 1])
h_conv1 = tf.nn.relu(conv2d(x_image, weight_variable([5, 5, 1, 8])) + bias_variable([8]))
h_pool1 = max_pool_2x2(h_conv1)
h_conv2 = tf.nn.relu(conv2d(h_pool1, weight_variable([5, 5, 8, 16])) + bias_variable([16]))
h_pool2 = max_pool_2x2(h_conv2)
h_pool2_flat = tf.reshape(h_pool2, [-1, 7 * 7 * 16])
W_fc1, b_fc1 = weight_variable([7 * 7 * 16, 128]), bias_variable([128])
h_fc1 = tf.nn.relu(tf.matmul(h_pool2_flat, W_fc1) + b_fc1)
keep_prob = tf.placeholder(tf.float32)
h_fc1_drop = tf.nn.dropout(h_fc1, keep_prob)
y_conv = tf.matmul(h_fc1_drop, weight_variable([128, 10])) + bias_variable([10])
cross_entropy = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits_v2(labels=y_, logits=y_conv))
train_step = tf.train.AdamOptimizer(4e-3).minimize(cross_entropy)
correct_prediction = tf.equal(tf.argmax(y_conv, 1), tf.argmax(y_, 1))
accuracy = tf.reduce_mean(tf.cast(correct_prediction, tf.float32))
assert [v.op.name for v in tf.global_variables()[:2]] == ["Variable", "Variable_1"]

sess.run(tf.global_variables_initializer())
for i, (batch_x, batch_t) in enumerate(batches(50, X_train, t_train)):
    if i % 50 == 0:
        train_accuracy = accuracy.eval({x: batch_x, y_: one_hot[batch_t], keep_prob: 1.0})
        print("step", i, "training accuracy", train_accuracy)
    train_step.run(feed_dict={x: batch_x, y_: one_hot[batch_t], keep_prob: 0.5})
test_accuracy = accuracy.eval({x: X_test, y_: one_hot[t_test], keep_prob: 1.0})
sess.close()
