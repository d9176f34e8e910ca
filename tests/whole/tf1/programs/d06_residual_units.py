"""Skip connections, batch normalization after convolutions, and inception's parallel paths.

chapter: ConvNets
reaches: accuracy >= 0.95
runs: 8
"""

import numpy as np
from tf1_data import batches, table

import bital.tf1 as tf

data, target = table("digits")
X_train, t_train, X_test, t_test = data[:1400], target[:1400], data[1400:], target[1400:]
tf.set_random_seed(42)

X = tf.placeholder(tf.float32, [None, 64], name="X")
y = tf.placeholder(tf.int64, [None], name="y")
training = tf.placeholder_with_default(False, shape=(), name="training")


def convolution(inputs, filters, size, name, activation=tf.nn.relu):
    with tf.variable_scope(name):
        z = tf.layers.conv2d(inputs, filters, size, padding="same", use_bias=False)
        z = tf.layers.batch_normalization(z, training=training, momentum=0.9)
        return z if activation is None else activation(z)


def residual_unit(inputs, name):
    channels = inputs.get_shape().as_list()[-1]
    with tf.variable_scope(name):
        h = convolution(inputs, channels, 3, "first")
        h = convolution(h, channels, 3, "second", activation=None)
        return tf.nn.relu(h + inputs)


h = convolution(tf.reshape(X, [-1, 8, 8, 1]), 8, 3, "stem")
h = residual_unit(h, "unit1")
paths = [convolution(h, 4, size, f"path{size}") for size in (1, 3, 5)]
h = tf.concat([*paths, tf.layers.max_pooling2d(h, 3, 1, padding="same")], axis=-1)
assert h.get_shape().as_list() == [None, 8, 8, 20]
h = tf.reduce_mean(tf.nn.max_pool(h, [1, 2, 2, 1], [1, 2, 2, 1], "SAME"), axis=[1, 2])
logits = tf.layers.dense(tf.nn.relu(tf.layers.dense(h, 40)), 10)
loss = tf.losses.sparse_softmax_cross_entropy(y, logits)
update_ops = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
step = tf.train.get_or_create_global_step()
rate = tf.train.exponential_decay(0.01, step, 28, 0.8)  # small steps before the averages are used
with tf.control_dependencies(update_ops):
    training_op = tf.train.AdamOptimizer(rate).minimize(loss, global_step=step)
prediction = tf.argmax(logits, 1)
names = [v.op.name for v in tf.trainable_variables()]
assert "unit1/first/conv2d/kernel" in names
assert "unit1/second/batch_normalization/beta" in names

with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    for epoch in range(12):
        for X_batch, t_batch in batches(50, X_train, t_train, seed=epoch):
            sess.run([training_op, loss], {X: X_batch, y: t_batch, training: True})
    accuracy = np.mean(sess.run(prediction, {X: X_test}) == t_test)
