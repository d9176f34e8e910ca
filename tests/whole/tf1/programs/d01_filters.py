"""Filters written by hand are applied to digits: lines upright and across, SAME and VALID.

chapter: ConvNets
reaches: upright >= 1.5
reaches: difference <= 0.00001
"""

import numpy as np
from tf1_data import mnist

import bital.tf1 as tf

images, digits, *_ = mnist(2000, 10)
batch = images.reshape(-1, 28, 28, 1)
(ones,) = np.nonzero(digits == 1)

filters = np.zeros(shape=(7, 7, 1, 2), dtype=np.float32)
filters[:, 3, :, 0] = 1  # an upright line
filters[3, :, :, 1] = 1  # one across

X = tf.placeholder(tf.float32, shape=(None, 28, 28, 1))
convolution = tf.nn.conv2d(X, filters, strides=[1, 2, 2, 1], padding="SAME")
valid = tf.nn.conv2d(X, filters, strides=[1, 1, 1, 1], padding="VALID")
assert convolution.get_shape().as_list() == [None, 14, 14, 2]
assert valid.get_shape().as_list() == [None, 22, 22, 2]

with tf.Session() as sess:
    output, exact = sess.run([convolution, valid], feed_dict={X: batch[ones[:50]]})

# A 1 is rather an upright line than one across.
upright = (output[..., 0] ** 2).mean() / (output[..., 1] ** 2).mean()
windows = np.lib.stride_tricks.sliding_window_view(batch[ones[:50], :, :, 0], (7, 7), axis=(1, 2))
expected = np.einsum("nijkl,klc->nijc", windows, filters[:, :, 0])
difference = np.abs(exact - expected).max()
