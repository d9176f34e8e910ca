"""Moving averages of the weights, and the network evaluated with them.

chapter: training deep nets
reaches: accuracy >= 0.93
reaches: difference <= 0.0001
"""

import numpy as np
from tf1_data import batches, table

import bital.tf1 as tf

data, target = table("digits")
X_train, t_train, X_test, t_test = data[:1400], target[:1400], data[1400:], target[1400:]

tf.set_random_seed(42)
X = tf.placeholder(tf.float32, [None, 64], name="x-input")
y = tf.placeholder(tf.int64, [None], name="y-input")
w1 = tf.Variable(tf.truncated_normal([64, 50], stddev=0.1, seed=1), name="w1")
b1 = tf.Variable(tf.constant(0.1, shape=[50]), name="b1")
w2 = tf.Variable(tf.truncated_normal([50, 10], stddev=0.1, seed=2), name="w2")
b2 = tf.Variable(tf.constant(0.1, shape=[10]), name="b2")
global_step = tf.Variable(0, trainable=False)
average = tf.train.ExponentialMovingAverage(0.9, global_step)
averages_op = average.apply(tf.trainable_variables())


def inference(value=lambda variable: variable):
    hidden = tf.nn.relu(tf.matmul(X, value(w1)) + value(b1))
    return tf.matmul(hidden, value(w2)) + value(b2)


logits, average_logits = inference(), inference(average.average)
xentropy = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits)
penalty = 0.0001 * (tf.nn.l2_loss(w1) + tf.nn.l2_loss(w2))
loss = tf.reduce_mean(xentropy) + penalty
train_step = tf.train.GradientDescentOptimizer(0.2).minimize(loss, global_step=global_step)
with tf.control_dependencies([train_step, averages_op]):
    train_op = tf.no_op(name="train")

expected = None
with tf.Session() as sess:
    tf.global_variables_initializer().run()
    for epoch in range(20):
        for X_batch, t_batch in batches(100, X_train, t_train, seed=epoch):
            sess.run(train_step, {X: X_batch, y: t_batch})
            old, weights, step = sess.run([average.average(b2), b2, global_step])
            sess.run(averages_op)
            decay = min(0.9, (1 + step) / (10 + step))
            expected = decay * old + (1 - decay) * weights
    difference = np.abs(sess.run(average.average(b2)) - expected).max()
    sess.run(train_op, {X: X_batch, y: t_batch})
    accuracy = np.mean(sess.run(average_logits, {X: X_test}).argmax(axis=1) == t_test)
