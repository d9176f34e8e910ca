"""Vectors of words from Python's own documentation, trained by noise-contrastive estimation.

chapter: RNNs
reaches: last_loss <= 6
reaches: norm <= 1.0001
numbers: shapes (noise words are drawn)
runs: 8
"""

import re
from collections import Counter

import numpy as np
from tf1_data import text

import bital.tf1 as tf

words = re.findall("[a-z]+", text(150_000).lower())
vocabulary_size, embedding_size, skip_window = 1000, 40, 1
most_common = [word for word, _ in Counter(words).most_common(vocabulary_size - 1)]
code = {word: i + 1 for i, word in enumerate(most_common)}
data = np.array([code.get(word, 0) for word in words])


def generate_batch(batch_size, seed):
    centers = np.random.RandomState(seed).randint(1, len(data) - 1, batch_size // 2)
    inputs = np.repeat(data[centers], 2)
    labels = np.stack([data[centers - skip_window], data[centers + skip_window]], 1).reshape(-1, 1)
    return inputs, labels


tf.set_random_seed(42)
train_labels = tf.placeholder(tf.int32, shape=[None, 1])
train_inputs = tf.placeholder(tf.int32, shape=[None])
valid_dataset = tf.constant([code["the"], code["function"], code["class"]], dtype=tf.int32)
init_embeds = tf.random_uniform([vocabulary_size, embedding_size], -1.0, 1.0)
embeddings = tf.Variable(init_embeds)
embed = tf.nn.embedding_lookup(embeddings, train_inputs)
nce_weights = tf.Variable(
    tf.truncated_normal([vocabulary_size, embedding_size], stddev=1.0 / np.sqrt(embedding_size))
)
nce_biases = tf.Variable(tf.zeros([vocabulary_size]))
loss = tf.reduce_mean(
    tf.nn.nce_loss(nce_weights, nce_biases, train_labels, embed, 10, vocabulary_size)
)
training_op = tf.train.AdamOptimizer(0.01).minimize(loss)
norm_op = tf.sqrt(tf.reduce_sum(tf.square(embeddings), axis=1, keep_dims=True))
normalized_embeddings = embeddings / norm_op
valid_embeddings = tf.nn.embedding_lookup(normalized_embeddings, valid_dataset)
similarity = tf.matmul(valid_embeddings, normalized_embeddings, transpose_b=True)

losses = []
with tf.Session() as sess:
    tf.global_variables_initializer().run()
    for step in range(1500):
        inputs, labels = generate_batch(128, step)
        feed = {train_inputs: inputs, train_labels: labels}
        _, loss_value = sess.run([training_op, loss], feed_dict=feed)
        losses.append(loss_value)
    sim = similarity.eval()
    final_embeddings = normalized_embeddings.eval()
last_loss = np.mean(losses[-100:])
norm = np.linalg.norm(final_embeddings, axis=1).max()
nearest = [most_common[i - 1] for i in (-sim[1]).argsort()[1:6] if i]
print(np.mean(losses[:50]), last_loss, nearest)
