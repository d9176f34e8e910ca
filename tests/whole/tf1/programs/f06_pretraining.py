"""Few labels: a classifier on the frozen layers of an autoencoder that saw all images.

chapter: autoencoders
reaches: accuracy >= 0.63
reaches: gain >= 0.04
"""

from tf1_data import batches, mnist

import bital.tf1 as tf

X_train, t_train, X_test, t_test = mnist(20000, 3000)
n_labels = 300

tf.set_random_seed(42)
initializer = tf.variance_scaling_initializer()
X = tf.placeholder(tf.float32, shape=[None, 784])
y = tf.placeholder(tf.int32, shape=[None])
weights1 = tf.Variable(initializer([784, 150]), name="weights1")
weights2 = tf.Variable(initializer([150, 50]), name="weights2")
weights3 = tf.Variable(initializer([50, 10]), name="weights3")
biases1 = tf.Variable(tf.zeros([150]), name="biases1")
biases2 = tf.Variable(tf.zeros([50]), name="biases2")
biases3 = tf.Variable(tf.zeros([10]), name="biases3")
hidden1 = tf.nn.elu(tf.matmul(X, weights1) + biases1)
hidden2 = tf.nn.elu(tf.matmul(hidden1, weights2) + biases2)
logits = tf.matmul(hidden2, weights3) + biases3

with tf.variable_scope("decoder"):
    hidden3 = tf.layers.dense(hidden2, 150, tf.nn.elu)
    outputs = tf.layers.dense(hidden3, 784)
mse = tf.reduce_mean(tf.square(outputs - X))
autoencoder_op = tf.train.AdamOptimizer(0.002, name="AdamOfAutoencoder").minimize(mse)

cross_entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits)
regularization = 0.0005 * (tf.nn.l2_loss(weights1) + tf.nn.l2_loss(weights2))
loss = tf.reduce_mean(cross_entropy) + regularization
training_op = tf.train.AdamOptimizer(0.005).minimize(loss, var_list=[weights3, biases3])
accuracy_op = tf.reduce_mean(tf.cast(tf.nn.in_top_k(logits, y, 1), tf.float32))
init = tf.global_variables_initializer()
pretrain_saver = tf.train.Saver([weights1, weights2, biases1, biases2])

with tf.Session() as sess:
    init.run()
    for epoch in range(4):
        for (X_batch,) in batches(150, X_train, seed=epoch):
            sess.run(autoencoder_op, {X: X_batch})
    pretrain_saver.save(sess, "./autoencoder.ckpt")


def train(restored):
    with tf.Session() as sess:
        init.run()
        if restored:
            pretrain_saver.restore(sess, "./autoencoder.ckpt")
        for epoch in range(60):
            for X_batch, t_batch in batches(50, X_train[:n_labels], t_train[:n_labels], seed=epoch):
                sess.run(training_op, feed_dict={X: X_batch, y: t_batch})
        return accuracy_op.eval(feed_dict={X: X_test, y: t_test})


accuracy, without = train(True), train(False)
gain = float(accuracy - without)
print(accuracy, without)
