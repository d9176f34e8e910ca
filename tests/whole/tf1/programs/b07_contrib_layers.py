"""The network from contrib.layers.fully_connected, its options set once by arg_scope.

chapter: artificial networks
reaches: accuracy >= 0.96
numbers: no (TensorFlow 2 has no tf.contrib)
"""

from tf1_data import batches, mnist

import bital.tf1 as tf
from bital.tf1.contrib.layers import fully_connected

X_train, t_train, X_test, t_test = mnist(55000)

tf.set_random_seed(42)
X = tf.placeholder(tf.float32, shape=(None, 784), name="X")
y = tf.placeholder(tf.int64, shape=(None,), name="y")

he_init = tf.contrib.layers.variance_scaling_initializer()
with tf.contrib.framework.arg_scope(
    [fully_connected],
    weights_initializer=he_init,
    weights_regularizer=tf.contrib.layers.l2_regularizer(scale=0.0001),
):
    hidden1 = fully_connected(X, 300, scope="hidden1", activation_fn=tf.nn.elu)
    hidden2 = fully_connected(hidden1, 100, scope="hidden2")
    logits = fully_connected(hidden2, 10, activation_fn=None, scope="outputs")
assert tf.trainable_variables()[0].name == "hidden1/weights:0"
assert tf.trainable_variables()[1].name == "hidden1/biases:0"

base_loss = tf.reduce_mean(
    tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits), name="base_loss"
)
reg_losses = tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES)
assert len(reg_losses) == 3
loss = tf.add_n([base_loss, *reg_losses], name="loss")
training_op = tf.train.GradientDescentOptimizer(0.05).minimize(loss)
accuracy_op = tf.reduce_mean(tf.cast(tf.nn.in_top_k(logits, y, 1), tf.float32))

with tf.Session() as sess:
    tf.global_variables_initializer().run()
    for epoch in range(5):
        for X_batch, t_batch in batches(50, X_train, t_train, seed=epoch):
            sess.run(training_op, feed_dict={X: X_batch, y: t_batch})
    accuracy = accuracy_op.eval(feed_dict={X: X_test, y: t_test})
