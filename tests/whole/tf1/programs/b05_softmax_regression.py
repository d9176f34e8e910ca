"""Softmax regression with one-hot labels and a cross-entropy written out, in an InteractiveSession.

chapter: artificial networks
reaches: accuracy_value >= 0.91
"""

import numpy as np
from tf1_data import batches, mnist

import bital.tf1 as tf

X_train, t_train, X_test, t_test = mnist(55000)
one_hot = np.eye(10, dtype=np.float32)

sess = tf.InteractiveSession()
tf.set_random_seed(42)
x = tf.placeholder(tf.float32, [None, 784])
y_ = tf.placeholder(tf.float32, [None, 10])
W = tf.Variable(tf.zeros([784, 10]))
b = tf.Variable(tf.zeros([10]))
y = tf.nn.softmax(tf.matmul(x, W) + b)
cross_entropy = tf.reduce_mean(-tf.reduce_sum(y_ * tf.log(y + 1e-10), reduction_indices=[1]))
train_step = tf.train.GradientDescentOptimizer(0.5).minimize(cross_entropy)
correct_prediction = tf.equal(tf.argmax(y, 1), tf.argmax(y_, 1))
accuracy = tf.reduce_mean(tf.cast(correct_prediction, tf.float32))

tf.global_variables_initializer().run()
for batch_x, batch_t in batches(100, X_train, t_train):
    train_step.run({x: batch_x, y_: one_hot[batch_t]})
accuracy_value = accuracy.eval({x: X_test, y_: one_hot[t_test]})
print(accuracy_value)
sess.close()
