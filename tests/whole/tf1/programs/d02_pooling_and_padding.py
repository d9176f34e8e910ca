"""Pooling, strides, paddings, dilations, depthwise and transposed convolutions.

chapter: ConvNets
reaches: right == 9
"""

import numpy as np

import bital.tf1 as tf

rng = np.random.RandomState(0)
data = rng.rand(2, 13, 14, 3).astype(np.float32)
kernel = rng.randn(5, 6, 3, 4).astype(np.float32)
up = rng.randn(3, 3, 2, 3).astype(np.float32)

X = tf.placeholder(tf.float32, (None, 13, 14, 3), name="X")
results = [
    (tf.nn.max_pool(X, [1, 2, 2, 1], [1, 2, 2, 1], "VALID"), (2, 6, 7, 3)),
    (tf.nn.max_pool(X, [1, 3, 3, 1], [1, 2, 2, 1], "SAME"), (2, 7, 7, 3)),
    (tf.nn.avg_pool(X, [1, 3, 3, 1], [1, 2, 2, 1], "SAME"), (2, 7, 7, 3)),
    (tf.nn.conv2d(X, kernel, strides=[1, 5, 5, 1], padding="SAME"), (2, 3, 3, 4)),
    (tf.nn.conv2d(X, kernel, strides=[1, 5, 5, 1], padding="VALID"), (2, 2, 2, 4)),
    (tf.nn.conv2d_transpose(X, up, [2, 26, 28, 2], [1, 2, 2, 1]), (2, 26, 28, 2)),
    (tf.layers.conv2d(X, 5, 3, dilation_rate=2, padding="same", name="dilated"), (2, 13, 14, 5)),
    (tf.nn.depthwise_conv2d(X, kernel[..., :2], [1, 1, 1, 1], "SAME"), (2, 13, 14, 6)),
    (tf.layers.average_pooling2d(X, 4, 4), (2, 3, 3, 3)),
]
with tf.Session() as sess:
    tf.global_variables_initializer().run()
    found = sess.run([tensor for tensor, _ in results], {X: data})
right = sum(
    value.shape == shape and (tensor.get_shape().as_list()[1:] == list(shape)[1:])
    for value, (tensor, shape) in zip(found, results, strict=True)
)
assert np.allclose(found[0][0, 0, 0], data[0, :2, :2].max(axis=(0, 1)))
