"""Small networks of each layer and cell, for `bital.tf1` and for TensorFlow itself.

Run as a program, by TensorFlow's interpreter, it writes what TensorFlow makes of them into a file.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

R = np.random.RandomState
ROWS, SEQUENCES, IMAGES = R(0).randn(6, 4), R(1).randn(3, 5, 4), R(2).randn(3, 9, 8, 2)
LENGTHS = np.array([5, 3, 0], np.int32)
CASES: dict[
    str, Callable[[Any], Any]
] = {}  # name -> function of tf: (what is fetched, what is fed)


def fed(tf: Any, values: np.ndarray) -> tuple[Any, Any]:
    """A placeholder without a first length, and what it is fed."""
    values = values.astype(np.float32) if values.dtype == np.float64 else values
    x = tf.placeholder(tf.as_dtype(values.dtype), (None, *values.shape[1:]))
    return x, {x: values}


def layer(name: str, values: np.ndarray, build: Callable[[Any, Any], Any]) -> None:
    def case(tf: Any) -> Any:
        x, feeds = fed(tf, values)
        found = build(tf, x)
        return (found if isinstance(found, list) else [found]), feeds

    CASES[name] = case


def penalty(tf: Any) -> Any:
    return lambda w: 0.1 * tf.reduce_sum(tf.abs(w))


def dense(tf: Any, x: Any) -> Any:
    options = {"kernel_regularizer": penalty(tf), "activity_regularizer": penalty(tf)}
    h = tf.layers.dense(x, 3, tf.nn.relu, name="h", **options)
    again = tf.layers.dense(x, 3, name="h", reuse=True)
    y = tf.layers.dense(h, 2, use_bias=False)
    return [h, again, y, *tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES)]


layer("dense", ROWS, dense)
layer("dense_of_sequences", SEQUENCES, lambda tf, x: tf.layers.dense(x, 3, tf.nn.tanh))
layer("flatten", IMAGES, lambda tf, x: tf.layers.flatten(x))

for size, strides, padding, dilation in (
    (3, 2, "same", 1),
    ((3, 2), (1, 2), "valid", 1),
    (3, 1, "SAME", 2),
):
    own = {"strides": strides, "padding": padding, "dilation_rate": dilation}
    layer(
        f"conv2d_{size}_{strides}_{padding}_{dilation}",
        IMAGES,
        lambda tf, x, size=size, own=own: tf.layers.conv2d(x, 4, size, activation=tf.nn.elu, **own),
    )
for size, strides, padding in (
    (3, 2, "same"),
    (3, 2, "valid"),
    (2, 3, "valid"),
    (2, 3, "same"),
    ((2, 3), (2, 1), "same"),
):
    own = {"strides": strides, "padding": padding}
    layer(
        f"conv2d_transpose_{size}_{strides}_{padding}",
        IMAGES,
        lambda tf, x, size=size, own=own: tf.layers.conv2d_transpose(x, 4, size, **own),
    )
for padding in ("same", "valid"):
    own = {"pool_size": 3, "strides": 2, "padding": padding}
    layer(f"max_{padding}", IMAGES, lambda tf, x, own=own: tf.layers.max_pooling2d(x, **own))
    layer(f"avg_{padding}", IMAGES, lambda tf, x, own=own: tf.layers.average_pooling2d(x, **own))
    own = {"filters": 3, "kernel_size": 3, "strides": 2, "padding": padding}
    layer(f"conv1d_{padding}", SEQUENCES, lambda tf, x, own=own: tf.layers.conv1d(x, **own))


def normalized(name: str, values: np.ndarray, training: Any, **options: Any) -> None:
    """Training is True, False, or what is fed: "true" or "false"."""

    def case(tf: Any) -> Any:
        x, feeds = fed(tf, values)
        switch = training
        if isinstance(training, str):
            switch = tf.placeholder_with_default(False, shape=())
            feeds |= {switch: training == "true"}
        y = tf.layers.batch_normalization(x, training=switch, momentum=0.9, **options)
        return [y], feeds

    CASES[f"batch_normalization_{name}"] = case


for training in (True, False, "true", "false"):
    normalized(f"rows_{training!r}", ROWS, training)
    normalized(f"images_{training!r}", IMAGES, training)
normalized("not_fused", IMAGES, True, fused=False)
normalized("without_scale", SEQUENCES, True, scale=False, epsilon=0.1)
normalized("axis_1", SEQUENCES, True, axis=1)


def leaves(tree: Any) -> list[Any]:
    return [x for item in tree for x in leaves(item)] if isinstance(tree, (tuple, list)) else [tree]


def network(name: str, make: Callable[[Any], Any], lengths: Any = None, static: bool = False):
    def case(tf: Any) -> Any:
        x, feeds = fed(tf, SEQUENCES)
        options: dict[str, Any] = {"dtype": tf.float32}
        if lengths is not None:
            options["sequence_length"], more = fed(tf, lengths)
            feeds |= more
        cell = make(tf.nn.rnn_cell)
        if static:
            return leaves(tf.nn.static_rnn(cell, tf.unstack(x, axis=1), **options)), feeds
        return leaves(tf.nn.dynamic_rnn(cell, x, **options)), feeds

    CASES[f"rnn_{name}"] = case


CELLS = {
    "basic": lambda cells: cells.BasicRNNCell(5),
    "lstm": lambda cells: cells.LSTMCell(5, forget_bias=0.5),
    "peepholes": lambda cells: cells.LSTMCell(5, use_peepholes=True),
    "projected": lambda cells: cells.LSTMCell(5, True, 0.3, num_proj=2, proj_clip=0.2),
    "one_array": lambda cells: cells.LSTMCell(5, num_proj=2, state_is_tuple=False),
    "basic_lstm": lambda cells: cells.BasicLSTMCell(5),
    "gru": lambda cells: cells.GRUCell(5),
    "deep": lambda cells: cells.MultiRNNCell([cells.LSTMCell(3), cells.GRUCell(4)]),
}
for name, make in CELLS.items():
    network(name, make)
    network(f"{name}_of_lengths", make, LENGTHS)
network("static", CELLS["deep"], static=True)
network("static_of_lengths", CELLS["deep"], LENGTHS, static=True)


def both_directions(tf: Any) -> Any:
    x, feeds = fed(tf, SEQUENCES)
    lengths, more = fed(tf, LENGTHS)
    forward, backward = tf.nn.rnn_cell.GRUCell(3), tf.nn.rnn_cell.BasicRNNCell(2)
    found = tf.nn.bidirectional_dynamic_rnn(forward, backward, x, lengths, dtype=tf.float32)
    return leaves(found), feeds | more


CASES["both_directions"] = both_directions


def shared(tf: Any) -> Any:
    x, feeds = fed(tf, SEQUENCES)
    found = []
    for reuse in (False, True):
        with tf.variable_scope("m", reuse=reuse):
            outputs, _ = tf.nn.dynamic_rnn(tf.nn.rnn_cell.GRUCell(3), x, dtype=tf.float32)
            found.append(tf.layers.dense(outputs, 2))
    return found, feeds


CASES["shared"] = shared


def results(tf: Any, name: str) -> dict[str, Any]:
    """Names, static shapes, values, gradients, and variables after the updates, as JSON."""
    with tf.Graph().as_default():
        fetches, feeds = CASES[name](tf)
        variables, trained = tf.global_variables(), tf.trainable_variables()
        sources = [*trained, *(x for x in feeds if x.dtype == tf.float32)]
        loss = tf.add_n([tf.reduce_sum(tf.square(y) * 0.5 + tf.sin(y)) for y in fetches])
        gradients = tf.gradients(loss, sources)
        given = [g for g in gradients if g is not None]
        with tf.Session() as sess:
            sess.run(tf.global_variables_initializer())
            for i, v in enumerate(variables):
                value = R(i).randn(*v.get_shape().as_list()).astype(np.float32) / 2
                v.load(np.abs(value) + 1 if "variance" in v.name else value, sess)
            updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
            values, slopes, _ = sess.run([fetches, given, updates], feeds)
            after = sess.run(variables) if variables else []
    return {
        "names": [[v.name, v.get_shape().as_list(), v in trained] for v in variables],
        "shapes": [y.get_shape().as_list() for y in fetches],
        "without_gradient": [g is None for g in gradients],
        "values": [value.tolist() for value in (*values, *slopes, *after)],
    }


if __name__ == "__main__":
    os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    import tensorflow.compat.v1 as tensorflow

    tensorflow.disable_v2_behavior()
    with open(sys.argv[1], "w") as file:
        json.dump({name: results(tensorflow, name) for name in CASES}, file)
