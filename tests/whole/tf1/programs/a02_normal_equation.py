"""Linear regression by the normal equation.

chapter: first steps
reaches: r2 >= 0.51
reaches: difference <= 0.001
"""

import numpy as np
from tf1_data import table

import bital.tf1 as tf

data, target = table("diabetes")
with_bias = np.c_[np.ones((len(data), 1)), data]

X = tf.constant(with_bias, dtype=tf.float32, name="X")
y = tf.constant(target.reshape(-1, 1) / 100, dtype=tf.float32, name="y")
XT = tf.transpose(X)
theta = tf.matmul(tf.matmul(tf.matrix_inverse(tf.matmul(XT, X)), XT), y)

with tf.Session() as sess:
    theta_value = theta.eval()

expected = np.linalg.lstsq(with_bias, target.reshape(-1, 1) / 100, rcond=None)[0]
difference = np.abs(with_bias @ (theta_value - expected)).max()
errors = target / 100 - (with_bias @ theta_value)[:, 0]
r2 = 1 - (errors**2).mean() / (target / 100).var()
