"""The update operations of batch normalization as control dependencies of the training operation.

chapter: training deep nets
reaches: accuracy >= 0.94
runs: 20
"""

import numpy as np
from tf1_data import batches, table

import bital.tf1 as tf

data, target = table("digits")
X_train, t_train, X_test, t_test = data[:1400], target[:1400], data[1400:], target[1400:]

tf.set_random_seed(42)
X = tf.placeholder(tf.float32, shape=(None, 64), name="X")
y = tf.placeholder(tf.int64, shape=(None,), name="y")
training = tf.placeholder(tf.bool, shape=(), name="training")

hidden = tf.layers.dense(X, 50, use_bias=False, name="hidden")
hidden = tf.nn.relu(tf.layers.batch_normalization(hidden, training=training, name="normal"))
logits = tf.layers.dense(hidden, 10, name="outputs")
loss = tf.losses.sparse_softmax_cross_entropy(labels=y, logits=logits)
global_step = tf.train.get_or_create_global_step()
with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
    training_op = tf.train.MomentumOptimizer(0.05, 0.9).minimize(loss, global_step=global_step)
prediction = tf.argmax(logits, axis=1)
moving_mean = tf.get_default_graph().get_tensor_by_name("normal/moving_mean:0")

with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    for epoch in range(40):
        for X_batch, t_batch in batches(64, X_train, t_train, seed=epoch):
            sess.run([training_op, loss], {X: X_batch, y: t_batch, training: True})
    assert np.abs(sess.run(moving_mean)).max() > 0
    assert sess.run(global_step) == 40 * 21
    found = sess.run(prediction, {X: X_test, training: False})
accuracy = np.mean(found == t_test)
