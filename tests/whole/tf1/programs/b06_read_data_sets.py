"""MNIST by input_data.read_data_sets, its next_batch, and its three parts.

chapter: artificial networks
reaches: accuracy >= 0.9
numbers: no (TensorFlow 2 has no tensorflow.examples.tutorials)
"""

import bital.tf1 as tf
from bital.tf1.examples.tutorials.mnist import input_data

mnist = input_data.read_data_sets("/tmp/data/", one_hot=True)
assert mnist.train.images.shape == (55000, 784)
assert mnist.validation.num_examples == 5000
assert mnist.test.labels.shape == (10000, 10)

tf.set_random_seed(42)
x = tf.placeholder(tf.float32, [None, 784])
y = tf.placeholder(tf.float32, [None, 10])
hidden = tf.nn.sigmoid(
    tf.nn.xw_plus_b(x, tf.Variable(tf.random_normal([784, 50], stddev=0.05)), tf.zeros(50))
)
logits = tf.matmul(hidden, tf.Variable(tf.random_normal([50, 10], stddev=0.1)))
loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=y, logits=logits))
train_step = tf.train.AdamOptimizer(0.005).minimize(loss)
right = tf.equal(tf.argmax(logits, 1), tf.argmax(y, 1))

with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    for _ in range(mnist.train.num_examples // 100):
        batch_x, batch_y = mnist.train.next_batch(100)
        sess.run(train_step, feed_dict={x: batch_x, y: batch_y})
    found = sess.run(right, feed_dict={x: mnist.test.images, y: mnist.test.labels})
accuracy = found.mean()
