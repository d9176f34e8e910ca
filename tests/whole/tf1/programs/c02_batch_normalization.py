"""Batch normalization with a placeholder for training, partial, and the update operations.

chapter: training deep nets
reaches: accuracy >= 0.94
"""

from functools import partial

from tf1_data import batches, mnist

import bital.tf1 as tf

X_train, t_train, X_test, t_test = mnist(20000)

tf.set_random_seed(42)
X = tf.placeholder(tf.float32, shape=(None, 784), name="X")
y = tf.placeholder(tf.int32, shape=(None,), name="y")
training = tf.placeholder_with_default(False, shape=(), name="training")

batch_norm_layer = partial(tf.layers.batch_normalization, training=training, momentum=0.9)
dense_layer = partial(
    tf.layers.dense, kernel_initializer=tf.variance_scaling_initializer(2.0, seed=3)
)
hidden1 = dense_layer(X, 300, name="hidden1")
bn1 = tf.nn.elu(batch_norm_layer(hidden1))
hidden2 = dense_layer(bn1, 100, name="hidden2")
bn2 = tf.nn.elu(batch_norm_layer(hidden2))
logits = batch_norm_layer(dense_layer(bn2, 10, name="outputs"))
names = [v.name for v in tf.global_variables()]
assert "batch_normalization/moving_mean:0" in names
assert "batch_normalization_2/gamma:0" in names

loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))
training_op = tf.train.GradientDescentOptimizer(0.05).minimize(loss)
accuracy_op = tf.reduce_mean(tf.cast(tf.nn.in_top_k(logits, y, 1), tf.float32))
extra_update_ops = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
assert len(extra_update_ops) == 6
means = tf.get_default_graph().get_tensor_by_name("batch_normalization/moving_mean:0")

with tf.Session() as sess:
    tf.global_variables_initializer().run()
    for epoch in range(5):
        for X_batch, t_batch in batches(100, X_train, t_train, seed=epoch):
            sess.run(
                [training_op, extra_update_ops],
                feed_dict={training: True, X: X_batch, y: t_batch},
            )
        print(sess.run(means)[:3])
        accuracy = accuracy_op.eval(feed_dict={X: X_test, y: t_test})
