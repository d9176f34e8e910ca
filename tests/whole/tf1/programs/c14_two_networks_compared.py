"""Two networks with shared names become the halves of a third, which compares two digits.

chapter: training deep nets
reaches: accuracy >= 0.85
"""

import numpy as np
from tf1_data import table

import bital.tf1 as tf

data, target = table("digits")
he_init = tf.variance_scaling_initializer(2.0, seed=11)


def dnn(inputs, n_hidden_layers=2, n_neurons=50, name=None):
    with tf.variable_scope(name, "dnn"):
        for layer in range(n_hidden_layers):
            inputs = tf.layers.dense(
                inputs, n_neurons, kernel_initializer=he_init, name=f"hidden{layer + 1}"
            )
            inputs = tf.nn.elu(inputs, name=f"hidden{layer + 1}_out")
        return inputs


tf.set_random_seed(42)
X = tf.placeholder(tf.float32, shape=(None, 2, 64), name="X")
X1, X2 = tf.unstack(X, axis=1)
y = tf.placeholder(tf.int32, shape=[None, 1])
dnn1 = dnn(X1, name="DNN_A")
dnn2 = dnn(X2, name="DNN_B")
dnn_outputs = tf.concat([dnn1, dnn2], axis=1)
assert dnn_outputs.get_shape().as_list() == [None, 100]
hidden = tf.layers.dense(dnn_outputs, units=20, activation=tf.nn.elu, name="extra")
logits = tf.layers.dense(hidden, units=1, name="outputs")
y_proba = tf.nn.sigmoid(logits)
y_pred = tf.cast(tf.greater_equal(logits, 0), tf.int32)
y_as_float = tf.cast(y, tf.float32)
xentropy = tf.nn.sigmoid_cross_entropy_with_logits(labels=y_as_float, logits=logits)
loss = tf.reduce_mean(xentropy)
training_op = tf.train.MomentumOptimizer(0.02, 0.95, use_nesterov=True).minimize(loss)
accuracy_op = tf.reduce_mean(tf.cast(tf.equal(y_pred, y), tf.float32))


def pairs(rows, n, seed):
    """Half of them of the same digit; 1 where the digits differ."""
    rng = np.random.RandomState(seed)
    images, digits = data[rows], target[rows]
    first = rng.randint(len(images), size=n)
    second = rng.randint(len(images), size=n)
    for i in range(0, n, 2):
        second[i] = rng.choice(np.flatnonzero(digits == digits[first[i]]))
    different = (digits[first] != digits[second]).astype(np.int32)
    return np.stack([images[first], images[second]], axis=1), different.reshape(-1, 1)


with tf.Session() as sess:
    tf.global_variables_initializer().run()
    for step in range(1500):
        X_batch, t_batch = pairs(slice(0, 1400), 100, step)
        sess.run([loss, training_op], {X: X_batch, y: t_batch})
    X_test, t_test = pairs(slice(1400, None), 1000, 12345)
    accuracy = accuracy_op.eval({X: X_test, y: t_test})
