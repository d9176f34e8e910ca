"""Long text in pieces: the state of one run is fed to the next, as the nested tuple that it is.

chapter: RNNs
reaches: bits <= 3.9
reaches: difference <= 0.00001
runs: 8
"""

import numpy as np
from tf1_data import text

import bital.tf1 as tf

raw = text(40_000)
characters = sorted(set(raw))
codes = np.array([characters.index(c) for c in raw], np.int32)
batch_size, n_steps, n_chars = 20, 25, len(characters)
rows = codes[: len(codes) // batch_size * batch_size].reshape(batch_size, -1)

tf.set_random_seed(42)
x = tf.placeholder(tf.int32, [batch_size, n_steps], name="tf_x")
t = tf.placeholder(tf.int32, [batch_size, n_steps], name="tf_y")
cells = [tf.nn.rnn_cell.BasicLSTMCell(64) for _ in range(2)]
cell = tf.nn.rnn_cell.MultiRNNCell(cells)
initial_state = cell.zero_state(batch_size, tf.float32)
outputs, final_state = tf.nn.dynamic_rnn(
    cell, tf.one_hot(x, depth=n_chars), initial_state=initial_state
)
logits = tf.layers.dense(tf.reshape(outputs, [-1, 64]), n_chars, name="logits")
loss = tf.reduce_mean(
    tf.nn.sparse_softmax_cross_entropy_with_logits(logits=logits, labels=tf.reshape(t, [-1]))
)
optimizer = tf.train.AdamOptimizer(0.01, epsilon=1e-4)
tvars = tf.trainable_variables()
grads, _ = tf.clip_by_global_norm(tf.gradients(loss, tvars), clip_norm=5)
train_op = optimizer.apply_gradients(zip(grads, tvars, strict=True), name="train_op")

with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    for _ in range(4):
        state = sess.run(initial_state)
        losses = []
        for start in range(0, rows.shape[1] - n_steps, n_steps):
            pieces = rows[:, start : start + n_steps], rows[:, start + 1 : start + n_steps + 1]
            feed = {x: pieces[0], t: pieces[1], initial_state: state}
            value, _, state = sess.run([loss, train_op, final_state], feed_dict=feed)
            losses.append(value)
        print(np.mean(losses))
    bits = np.mean(losses[-20:]) / np.log(2)
    # Each state can be fed by itself too.
    one = sess.run(loss, feed)
    parts = {}
    for (c, h), (c_value, h_value) in zip(initial_state, feed[initial_state], strict=True):
        parts |= {c: c_value, h: h_value}
    difference = abs(sess.run(loss, {x: pieces[0], t: pieces[1], **parts}) - one)
assert isinstance(state[0], tf.nn.rnn_cell.LSTMStateTuple)
