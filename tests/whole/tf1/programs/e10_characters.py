"""The next character of Python's documentation: embeddings, a GRU, a loss over all steps.

chapter: RNNs
reaches: bits <= 3.3
runs: 8
"""

import numpy as np
from tf1_data import text

import bital.tf1 as tf

raw = text(60_000)
characters = sorted(set(raw))
codes = np.array([characters.index(c) for c in raw], np.int32)
n_steps, n_chars = 30, len(characters)
windows = np.lib.stride_tricks.sliding_window_view(codes[:54_000], n_steps + 1)
test = np.lib.stride_tricks.sliding_window_view(codes[54_000:], n_steps + 1)[::n_steps]

tf.set_random_seed(42)
x = tf.placeholder(tf.int32, [None, n_steps], name="x")
t = tf.placeholder(tf.int32, [None, n_steps], name="t")
vectors = tf.get_variable("vectors", [n_chars, 24])
inputs = tf.nn.embedding_lookup(vectors, x)
cell = tf.nn.rnn_cell.GRUCell(96)
zero = cell.zero_state(tf.shape(x)[0], tf.float32)
outputs, state = tf.nn.dynamic_rnn(cell, inputs, initial_state=zero)
logits = tf.layers.dense(outputs, n_chars)
loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=t, logits=logits))
optimizer = tf.train.AdamOptimizer(0.005, epsilon=1e-4)
gradients, variables = zip(*optimizer.compute_gradients(loss), strict=True)
gradients, _ = tf.clip_by_global_norm(gradients, 1.0)
training_op = optimizer.apply_gradients(zip(gradients, variables, strict=True))

rng = np.random.RandomState(0)
with tf.Session() as sess:
    tf.global_variables_initializer().run()
    for _ in range(400):
        rows = windows[rng.randint(len(windows), size=50)]
        sess.run([training_op, loss], {x: rows[:, :-1], t: rows[:, 1:]})
    bits = sess.run(loss, {x: test[:, :-1], t: test[:, 1:]}) / np.log(2)

    # It writes: one character a run, the state handed on.
    first = np.full((1, n_steps), characters.index("T"), np.int32)
    value = sess.run(state, {x: first})
    again = sess.run(state, {x: first, zero: value})
    assert np.abs(again - value).max() > 0
