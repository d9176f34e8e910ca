"""A convolutional network for MNIST from tf.layers.

chapter: ConvNets
reaches: accuracy >= 0.94
runs: 12
"""

from tf1_data import batches, mnist

import bital.tf1 as tf

X_train, t_train, X_test, t_test = mnist(12000, 5000)
tf.set_random_seed(42)

with tf.name_scope("inputs"):
    X = tf.placeholder(tf.float32, shape=[None, 784], name="X")
    X_reshaped = tf.reshape(X, shape=[-1, 28, 28, 1])
    y = tf.placeholder(tf.int32, shape=[None], name="y")

conv1 = tf.layers.conv2d(
    X_reshaped, filters=16, kernel_size=3, strides=1, padding="SAME", activation=tf.nn.relu,
    name="conv1",
)  # fmt: skip
conv2 = tf.layers.conv2d(
    conv1, filters=32, kernel_size=3, strides=2, padding="SAME", activation=tf.nn.relu,
    name="conv2",
)  # fmt: skip
with tf.name_scope("pool3"):
    pool3 = tf.nn.max_pool(conv2, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding="VALID")
    pool3_flat = tf.reshape(pool3, shape=[-1, 32 * 7 * 7])
with tf.name_scope("fc1"):
    fc1 = tf.layers.dense(pool3_flat, 64, activation=tf.nn.relu, name="fc1")
with tf.name_scope("output"):
    logits = tf.layers.dense(fc1, 10, name="output")
with tf.name_scope("train"):
    xentropy = tf.nn.sparse_softmax_cross_entropy_with_logits(logits=logits, labels=y)
    loss = tf.reduce_mean(xentropy)
    training_op = tf.train.AdamOptimizer(0.003).minimize(loss)
with tf.name_scope("eval"):
    correct = tf.nn.in_top_k(logits, y, 1)
    accuracy_op = tf.reduce_mean(tf.cast(correct, tf.float32))

with tf.Session() as sess:
    tf.global_variables_initializer().run()
    for epoch in range(3):
        for X_batch, t_batch in batches(100, X_train, t_train, seed=epoch):
            sess.run(training_op, feed_dict={X: X_batch, y: t_batch})
    accuracy = accuracy_op.eval(feed_dict={X: X_test, y: t_test})
