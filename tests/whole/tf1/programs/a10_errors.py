"""What TensorFlow refuses is refused here, in the same classes.

chapter: first steps
reaches: caught == 8
"""

import numpy as np

import bital.tf1 as tf

x = tf.placeholder(tf.float32, (None, 2), name="x")
w = tf.Variable(tf.ones((2, 1)), name="w")
y = tf.matmul(x, w)
labels = tf.placeholder(tf.int32, (None,), name="labels")
loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=tf.concat([y, y], 1))
init = tf.global_variables_initializer()


def raises(kinds, function, text):
    try:
        function()
    except kinds as error:
        assert text in str(error), str(error)  # noqa: PT017
        return 1
    return 0


caught = 0
with tf.Session() as sess:
    one = np.ones((3, 2))
    caught += raises(tf.errors.FailedPreconditionError, lambda: sess.run(y, {x: one}), "w")
    sess.run(init)
    caught += raises(tf.errors.InvalidArgumentError, lambda: sess.run(y), "x")
    caught += raises(ValueError, lambda: sess.run(y, {x: np.ones((3, 3))}), "(3, 3)")
    caught += raises(ValueError, lambda: tf.matmul(x, tf.ones((3, 1))), "")
    caught += raises(TypeError, lambda: bool(x), "bool")
    caught += raises((TypeError, ValueError), lambda: x + tf.constant(1), "int32")
    caught += raises(KeyError, lambda: tf.get_default_graph().get_tensor_by_name("nothing:0"), "")
    caught += raises((TypeError, ValueError), lambda: sess.run(None), "None")
    sess.run(y, {x: one})
