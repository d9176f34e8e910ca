"""The decoder's weights are the encoder's, transposed.

chapter: autoencoders
reaches: mse <= 0.02
reaches: variables == 6
"""

from tf1_data import batches, mnist

import bital.tf1 as tf

X_train, _, X_test, _ = mnist(20000, 2000)
n_inputs, n_hidden1, n_hidden2 = 784, 150, 50

tf.set_random_seed(42)
activation, initializer = tf.nn.elu, tf.variance_scaling_initializer()
X = tf.placeholder(tf.float32, shape=[None, n_inputs])
weights1 = tf.Variable(initializer([n_inputs, n_hidden1]), dtype=tf.float32, name="weights1")
weights2 = tf.Variable(initializer([n_hidden1, n_hidden2]), dtype=tf.float32, name="weights2")
weights3 = tf.transpose(weights2, name="weights3")
weights4 = tf.transpose(weights1, name="weights4")
biases1 = tf.Variable(tf.zeros(n_hidden1), name="biases1")
biases2 = tf.Variable(tf.zeros(n_hidden2), name="biases2")
biases3 = tf.Variable(tf.zeros(n_hidden1), name="biases3")
biases4 = tf.Variable(tf.zeros(n_inputs), name="biases4")
hidden1 = activation(tf.matmul(X, weights1) + biases1)
hidden2 = activation(tf.matmul(hidden1, weights2) + biases2)
hidden3 = activation(tf.matmul(hidden2, weights3) + biases3)
outputs = tf.matmul(hidden3, weights4) + biases4
reconstruction_loss = tf.reduce_mean(tf.square(outputs - X))
penalty = 0.00001 * (tf.nn.l2_loss(weights1) + tf.nn.l2_loss(weights2))
training_op = tf.train.AdamOptimizer(0.002).minimize(reconstruction_loss + penalty)
variables = len(tf.trainable_variables())

with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    for epoch in range(3):
        for (X_batch,) in batches(150, X_train, seed=epoch):
            sess.run(training_op, feed_dict={X: X_batch})
    mse = reconstruction_loss.eval(feed_dict={X: X_test})
