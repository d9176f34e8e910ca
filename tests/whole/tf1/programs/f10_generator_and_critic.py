"""Two networks against each other: variables by scope, an optimizer for each, shared weights.

chapter: autoencoders
reaches: distance <= 0.35
"""

import numpy as np

import bital.tf1 as tf


def generator(z, reuse=None):
    with tf.variable_scope("generator", reuse=reuse):
        h = tf.layers.dense(z, 24, activation=tf.nn.leaky_relu)
        return tf.layers.dense(h, 1)


def discriminator(x, reuse=None):
    with tf.variable_scope("discriminator", reuse=reuse):
        h = tf.layers.dense(x, 24, activation=tf.nn.leaky_relu)
        h = tf.layers.dense(h, 24, activation=tf.nn.leaky_relu)
        return tf.layers.dense(h, 1)


tf.set_random_seed(42)
real = tf.placeholder(tf.float32, [None, 1], name="real")
z = tf.placeholder(tf.float32, [None, 4], name="z")
fake = generator(z)
d_real, d_fake = discriminator(real), discriminator(fake, reuse=True)


def entropy(logits, label):
    labels = tf.ones_like(logits) * label
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(logits=logits, labels=labels))


d_loss = entropy(d_real, 0.9) + entropy(d_fake, 0.0)
g_loss = entropy(d_fake, 1.0)
t_vars = tf.trainable_variables()
d_vars = [var for var in t_vars if var.name.startswith("discriminator")]
g_vars = [var for var in t_vars if var.name.startswith("generator")]
assert (len(d_vars), len(g_vars)) == (6, 4)
d_train = tf.train.AdamOptimizer(0.002, beta1=0.5).minimize(d_loss, var_list=d_vars)
g_train = tf.train.AdamOptimizer(0.002, beta1=0.5).minimize(g_loss, var_list=g_vars)

rng = np.random.RandomState(0)
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    for _ in range(2000):
        x_batch, z_batch = 2 + 0.5 * rng.randn(100, 1), rng.randn(100, 4)
        _, d_value = sess.run([d_train, d_loss], {real: x_batch, z: z_batch})
        _, g_value = sess.run([g_train, g_loss], {z: z_batch})
    found = sess.run(fake, {z: rng.randn(2000, 4)})
distance = float(abs(found.mean() - 2))
