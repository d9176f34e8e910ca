"""A sequence is read by an encoder and written backwards by a decoder that starts from its state.

chapter: RNNs
reaches: right >= 0.9
runs: 10
"""

import numpy as np

import bital.tf1 as tf

n_symbols, length, batch_size = 8, 5, 64
GO = n_symbols


def next_batch(size, seed):
    source = np.random.RandomState(seed).randint(n_symbols, size=(size, length))
    target = source[:, ::-1]
    return source, np.c_[np.full(size, GO), target[:, :-1]], target


tf.set_random_seed(42)
source = tf.placeholder(tf.int32, [None, length], name="source")
given = tf.placeholder(tf.int32, [None, length], name="given")
target = tf.placeholder(tf.int32, [None, length], name="target")
vectors = tf.get_variable("vectors", [n_symbols + 1, 16])
with tf.variable_scope("encoder"):
    cell = tf.nn.rnn_cell.LSTMCell(64)
    _, encoder_state = tf.nn.dynamic_rnn(
        cell, tf.nn.embedding_lookup(vectors, source), dtype=tf.float32
    )
with tf.variable_scope("decoder"):
    cell = tf.nn.rnn_cell.LSTMCell(64)
    outputs, _ = tf.nn.dynamic_rnn(
        cell, tf.nn.embedding_lookup(vectors, given), initial_state=encoder_state
    )
    logits = tf.layers.dense(outputs, n_symbols)
assert isinstance(encoder_state, tf.nn.rnn_cell.LSTMStateTuple)
loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=target, logits=logits))
training_op = tf.train.AdamOptimizer(0.005).minimize(loss)
predicted = tf.argmax(logits, axis=2, output_type=tf.int32)

with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    for step in range(500):
        feed = dict(zip((source, given, target), next_batch(batch_size, step), strict=True))
        sess.run([training_op, loss], feed)
    # It writes by itself: what it said is what it is given next.
    asked, _, wanted = next_batch(200, 99999)
    said = np.full((200, length), GO)
    for step in range(length):
        found = sess.run(predicted, {source: asked, given: said})
        if step + 1 < length:
            said[:, step + 1] = found[:, step]
right = np.mean(found == wanted)
