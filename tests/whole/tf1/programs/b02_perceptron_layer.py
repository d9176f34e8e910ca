"""A threshold unit learns AND, OR and NAND, and needs a layer between for XOR.

chapter: artificial networks
reaches: gates == 12
reaches: xor == 4
"""

import numpy as np

import bital.tf1 as tf

inputs = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
targets = {"and": [0, 0, 0, 1], "or": [0, 1, 1, 1], "nand": [1, 1, 1, 0]}

x = tf.placeholder(tf.float32, (None, 2), name="x")
t = tf.placeholder(tf.float32, (None, 1), name="t")
w = tf.Variable(tf.zeros((2, 1)), name="w")
b = tf.Variable(tf.zeros(1), name="b")
output = tf.to_float(tf.greater(tf.matmul(x, w) + b, 0.0), name="output")
mistake = t - output
update = tf.group(
    w.assign_add(0.1 * tf.matmul(x, mistake, transpose_a=True)),
    b.assign_add(0.1 * tf.reduce_sum(mistake, 0)),
)
init = tf.global_variables_initializer()

gates = 0
learned = {}
with tf.Session() as sess:
    for name, values in targets.items():
        wanted = np.array(values, np.float32).reshape(-1, 1)
        sess.run(init)
        for _ in range(20):
            sess.run(update, {x: inputs, t: wanted})
        learned[name] = sess.run(output, {x: inputs})
        gates += int((learned[name] == wanted).sum())
    hidden = np.concatenate([learned["or"], learned["nand"]], axis=1)
    sess.run(init)
    for _ in range(20):
        sess.run(update, {x: hidden, t: np.array([[0], [1], [1], [0]], np.float32)})
    xor = int((sess.run(output, {x: hidden})[:, 0] == [0, 1, 1, 0]).sum())
