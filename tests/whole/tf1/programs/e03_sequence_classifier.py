"""A digit is read row by row, and classified from the last state.

chapter: RNNs
reaches: accuracy >= 0.9
runs: 15
"""

from tf1_data import batches, mnist

import bital.tf1 as tf

X_train, t_train, X_test, t_test = mnist(20000)
tf.set_random_seed(42)
n_steps, n_inputs, n_neurons, n_outputs = 28, 28, 100, 10

X = tf.placeholder(tf.float32, [None, n_steps, n_inputs])
y = tf.placeholder(tf.int32, [None])
with tf.variable_scope("rnn", initializer=tf.variance_scaling_initializer()):
    basic_cell = tf.nn.rnn_cell.BasicRNNCell(num_units=n_neurons)
    outputs, states = tf.nn.dynamic_rnn(basic_cell, X, dtype=tf.float32)
    logits = tf.layers.dense(states, n_outputs)
loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))
training_op = tf.train.AdamOptimizer(learning_rate=0.001).minimize(loss)
accuracy_op = tf.reduce_mean(tf.cast(tf.nn.in_top_k(logits, y, 1), tf.float32))

with tf.Session() as sess:
    tf.global_variables_initializer().run()
    for epoch in range(5):
        for X_batch, t_batch in batches(100, X_train, t_train, seed=epoch):
            X_batch = X_batch.reshape((-1, n_steps, n_inputs))
            sess.run(training_op, feed_dict={X: X_batch, y: t_batch})
        acc_train = accuracy_op.eval(feed_dict={X: X_batch, y: t_batch})
    accuracy = accuracy_op.eval(feed_dict={X: X_test.reshape(-1, 28, 28), y: t_test})
    print(acc_train, accuracy)
