"""A stacked autoencoder with ELU, He initialization and an l2 penalty that layers collect.

chapter: autoencoders
reaches: mse <= 0.03
"""

from functools import partial

from tf1_data import batches, mnist

import bital.tf1 as tf

X_train, _, X_test, _ = mnist(20000, 2000)
n_hidden1, n_hidden2 = 150, 50

tf.set_random_seed(42)
X = tf.placeholder(tf.float32, shape=[None, 784])
my_dense_layer = partial(
    tf.layers.dense,
    activation=tf.nn.elu,
    kernel_initializer=tf.variance_scaling_initializer(2.0),
    kernel_regularizer=lambda weights: 0.0001 * tf.nn.l2_loss(weights),
)
hidden1 = my_dense_layer(X, n_hidden1)
hidden2 = my_dense_layer(hidden1, n_hidden2)
hidden3 = my_dense_layer(hidden2, n_hidden1)
outputs = my_dense_layer(hidden3, 784, activation=None)
reconstruction_loss = tf.reduce_mean(tf.square(outputs - X))
reg_losses = tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES)
loss = tf.add_n([reconstruction_loss, *reg_losses])
training_op = tf.train.AdamOptimizer(0.002).minimize(loss)
names = [v.name for v in tf.trainable_variables()]
assert names[0] == "dense/kernel:0"
assert names[-1] == "dense_3/bias:0"

with tf.Session() as sess:
    tf.global_variables_initializer().run()
    for epoch in range(3):
        for (X_batch,) in batches(150, X_train, seed=epoch):
            sess.run(training_op, feed_dict={X: X_batch})
        print(epoch, reconstruction_loss.eval(feed_dict={X: X_batch}))
    mse = reconstruction_loss.eval(feed_dict={X: X_test})
