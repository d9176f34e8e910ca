"""A ConvNet with dropout, stopped early; the best model is kept in memory and assigned back.

chapter: ConvNets
reaches: accuracy >= 0.95
reaches: difference == 0
numbers: shapes (dropout draws)
runs: 12
"""

import numpy as np
from tf1_data import batches, table

import bital.tf1 as tf

data, target = table("digits")
X_train, t_train, X_val, t_val = data[:1400], target[:1400], data[1400:], target[1400:]
tf.set_random_seed(42)


def get_model_params():
    gvars = tf.get_collection(tf.GraphKeys.GLOBAL_VARIABLES)
    values = tf.get_default_session().run(gvars)
    return {gvar.op.name: value for gvar, value in zip(gvars, values, strict=True)}


def restore_model_params(model_params):
    gvar_names = list(model_params)
    graph = tf.get_default_graph()
    assign_ops = {name: graph.get_operation_by_name(name + "/Assign") for name in gvar_names}
    init_values = {name: assign_op.inputs[1] for name, assign_op in assign_ops.items()}
    feed_dict = {init_values[name]: model_params[name] for name in gvar_names}
    tf.get_default_session().run(assign_ops, feed_dict=feed_dict)


X = tf.placeholder(tf.float32, shape=[None, 64], name="X")
y = tf.placeholder(tf.int32, shape=[None], name="y")
training = tf.placeholder_with_default(False, shape=[], name="training")
images = tf.reshape(X, [-1, 8, 8, 1])
conv = tf.layers.conv2d(images, 16, 3, padding="SAME", activation=tf.nn.relu, name="conv1")
pool = tf.layers.max_pooling2d(conv, 2, 2, name="pool")
flat_drop = tf.layers.dropout(tf.layers.flatten(pool), 0.25, training=training)
fc1 = tf.layers.dense(flat_drop, 50, activation=tf.nn.relu, name="fc1")
fc1_drop = tf.layers.dropout(fc1, 0.5, training=training)
logits = tf.layers.dense(fc1_drop, 10, name="output")
loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(logits=logits, labels=y))
training_op = tf.train.AdamOptimizer(0.003).minimize(loss)
accuracy_op = tf.reduce_mean(tf.cast(tf.nn.in_top_k(logits, y, 1), tf.float32))

best_loss, without_progress, best = np.inf, 0, None
with tf.Session() as sess:
    tf.global_variables_initializer().run()
    for epoch in range(60):
        for X_batch, t_batch in batches(50, X_train, t_train, seed=epoch):
            sess.run(training_op, feed_dict={X: X_batch, y: t_batch, training: True})
        loss_val = loss.eval(feed_dict={X: X_val, y: t_val})
        if loss_val < best_loss:
            best_loss, best, without_progress = loss_val, get_model_params(), 0
        else:
            without_progress += 1
            if without_progress > 8:
                break
    restore_model_params(best)
    difference = loss.eval(feed_dict={X: X_val, y: t_val}) - best_loss
    accuracy = accuracy_op.eval(feed_dict={X: X_val, y: t_val})
