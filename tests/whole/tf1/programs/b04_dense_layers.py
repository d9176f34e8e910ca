"""The same network from tf.layers.dense.

chapter: artificial networks
reaches: accuracy >= 0.96
"""

from tf1_data import batches, mnist

import bital.tf1 as tf

X_train, t_train, X_test, t_test = mnist(55000)

tf.set_random_seed(42)
X = tf.placeholder(tf.float32, shape=(None, 784), name="X")
y = tf.placeholder(tf.int32, shape=(None,), name="y")

with tf.name_scope("dnn"):
    hidden1 = tf.layers.dense(X, 300, name="hidden1", activation=tf.nn.relu)
    hidden2 = tf.layers.dense(hidden1, 100, name="hidden2", activation=tf.nn.relu)
    logits = tf.layers.dense(hidden2, 10, name="outputs")
    y_proba = tf.nn.softmax(logits)
assert [v.name for v in tf.trainable_variables()][:2] == ["hidden1/kernel:0", "hidden1/bias:0"]

with tf.name_scope("loss"):
    xentropy = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits)
    loss = tf.reduce_mean(xentropy, name="loss")
with tf.name_scope("train"):
    training_op = tf.train.GradientDescentOptimizer(learning_rate=0.05).minimize(loss)
with tf.name_scope("eval"):
    correct = tf.nn.in_top_k(logits, y, 1)
    accuracy_op = tf.reduce_mean(tf.cast(correct, tf.float32))

with tf.Session() as sess:
    tf.global_variables_initializer().run()
    for epoch in range(5):
        for X_batch, t_batch in batches(50, X_train, t_train, seed=epoch):
            sess.run(training_op, feed_dict={X: X_batch, y: t_batch})
        accuracy = accuracy_op.eval(feed_dict={X: X_test, y: t_test})
        print(epoch, accuracy)
    total = y_proba.eval(feed_dict={X: X_test[:100]}).sum(axis=1)
    assert abs(total - 1).max() < 1e-5
