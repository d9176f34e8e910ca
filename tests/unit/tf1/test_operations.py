"""Operations of bital.tf1: rows beside NumPy and TensorFlow, and what must be refused."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tables import tf1_operations
from tables.tf1_operations import DATA, ROWS, Row

import bital
import bital.tf1 as tf
from bital.tf1 import refused

PYTHON = "BITAL_TENSORFLOW_PYTHON"


@pytest.fixture(autouse=True)
def _graph() -> Any:
    with tf.Graph().as_default():
        yield


def run(*fetches: Any, **options: Any) -> Any:
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        found = sess.run([*fetches], **options)
        return found if len(found) > 1 else found[0]


# --- rows


def weighed(arrays: list[np.ndarray]) -> Any:
    return sum(np.sum(x * np.cos(3 * x + 1)) for x in arrays if x.dtype.kind == "f")


def slopes(row: Row) -> list[np.ndarray]:
    """Central differences of the weighed sum of what NumPy gives."""
    arrays = [DATA[name] for name in row.inputs]
    arrays = [x.astype(np.float64) if x.dtype.kind == "f" else x for x in arrays]
    found = []
    for x in (x for x in arrays if x.dtype.kind == "f"):
        slope = np.zeros_like(x)
        for place in np.ndindex(x.shape):
            start, sums = x[place], []
            for step in (1e-6, -1e-6):
                x[place] = start + step
                sums.append(weighed(row.expected(arrays)))
            x[place] = start
            slope[place] = (sums[0] - sums[1]) / 2e-6
        found.append(slope)
    return found


@pytest.mark.filterwarnings("ignore:(divide by zero|invalid value|overflow)")
@pytest.mark.parametrize("row", [r for r in ROWS if r.arrays], ids=lambda row: row.expression)
def test_values_types_shapes_and_gradients_are_those_of_arrays(row: Row):
    given = row.placeholders(tf, unknown=not row.fixed)
    tensors = row.tensors(tf, given)
    expected = row.expected([DATA[name] for name in row.inputs])
    assert [t.dtype.as_numpy_dtype for t in tensors] == [x.dtype for x in expected]
    if row.shape:
        assert tensors[0].shape.as_list() == list(eval(row.shape))
    assert all(t.shape.is_compatible_with(x.shape) for t, x in zip(tensors, expected, strict=True))
    fetches, sources = [*tensors], [x for x in given if x.dtype.is_floating]
    sums = [tf.reduce_sum(t * tf.cos(3 * t + 1)) for t in tensors if t.dtype.is_floating]
    if sums and sources and not row.flat:
        fetches += [g for g in tf.gradients(sums, sources) if g is not None]
        expected += slopes(row)
    with bital.config.executor("numpy"), tf.Session() as sess:
        found = sess.run(fetches, {x: DATA[n] for x, n in zip(given, row.inputs, strict=True)})
    for value, wanted in zip(found, expected, strict=True):
        scale = 1 + np.max(np.abs(wanted), initial=0, where=np.isfinite(wanted))
        np.testing.assert_allclose(value, wanted, rtol=2e-4, atol=1e-4 * scale)


@pytest.fixture(scope="module")
def tensorflow(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    """What TensorFlow itself makes of the rows."""
    if PYTHON not in os.environ:
        pytest.skip(f"{PYTHON} names no interpreter that has TensorFlow")
    target = tmp_path_factory.mktemp("tensorflow") / "rows.npz"
    quiet = {"TF_USE_LEGACY_KERAS": "1", "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    subprocess.run(
        [os.environ[PYTHON], Path(tf1_operations.__file__), target],
        env=os.environ | quiet,
        check=True,
        capture_output=True,
    )
    return dict(np.load(target))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:(divide by zero|invalid value|overflow)")
@pytest.mark.parametrize("number", range(len(ROWS)), ids=lambda n: ROWS[n].expression)
def test_rows_are_as_in_tensorflow(tensorflow: dict[str, np.ndarray], number: int):
    """Values, types, gradients, and shapes that are at least as well known, compiled."""
    row, notes = ROWS[number], json.loads(str(tensorflow["notes"]))
    for unknown in {False, not row.fixed}:
        shapes, absent, values = row.record(tf, unknown)
        theirs, *same, count = notes[f"{number} {unknown}"]
        assert [absent, len(values)] == [*same, count]
        for mine, other in zip(shapes, theirs, strict=True):
            if other is not None and None not in other:
                assert mine == other
        for i, value in enumerate(values):
            wanted = tensorflow[f"{number} {unknown} {i}"]
            assert np.asarray(value).dtype == wanted.dtype
            scale = 1 + np.max(np.abs(wanted), initial=0, where=np.isfinite(wanted))
            np.testing.assert_allclose(value, wanted, rtol=1e-4, atol=1e-5 * scale)


# --- what rows do not show


def test_of_equal_operands_the_first_has_the_gradient():
    x, zero = tf.constant([0.0, 1.0, -1.0]), tf.constant(0.0)
    ties = tf.gradients([tf.maximum(x, zero)], [x, zero])
    low, high = tf.constant([0.0, 0.5, 1.0, 2.0]), tf.constant([1.0, 3.0, 3.0])
    clipped, largest = tf.clip_by_value(low, 0.0, 1.0), tf.reduce_max(high)
    found = run(*ties, *tf.gradients(clipped, low), *tf.gradients(largest, high))
    for value, wanted in zip(found, ([1, 1, 0], 1, [1, 1, 1, 0], [0, 0.5, 0.5]), strict=True):
        np.testing.assert_array_equal(value, wanted)


def test_dropout_keeps_the_mean():
    x = tf.ones([100, 200])
    keep = tf.placeholder(tf.float32, [])
    plain = tf.nn.dropout(x, keep)
    rows = tf.nn.dropout(x, rate=0.75, noise_shape=[100, 1])
    first, second = run(plain, rows, feed_dict={keep: 0.5})
    assert {*np.unique(first)} == {0, 2}
    assert abs(first.mean() - 1) < 0.05  # 20,000 coins: a standard deviation is 0.007
    assert {*np.unique(second)} <= {0, 4}
    assert np.ptp(second, 1).max() == 0
    np.testing.assert_array_equal(run(plain, feed_dict={keep: 1.0}), np.ones((100, 200)))
    slope = tf.gradients(plain, x)[0]
    np.testing.assert_array_equal(*run(plain, slope, feed_dict={keep: 0.5}))


def test_seeds_decide_what_is_drawn():
    drawn = [tf.random_normal([3], seed=1), tf.multinomial(tf.zeros([2, 5]), 4, seed=2)]
    drawn += [tf.random_crop(tf.constant([*range(9)]), [4], seed=3), tf.random_shuffle([1, 2, 3])]
    first, second = run(*drawn), run(*drawn)
    for one, other in zip(first[:3], second[:3], strict=True):
        np.testing.assert_array_equal(one, other)
    assert first[1].shape == (2, 4)
    np.testing.assert_array_equal(np.diff(first[2]), 1)
    assert sorted(first[3]) == [1, 2, 3]


def test_labels_and_indices_out_of_range_are_named():
    label, logits = tf.placeholder(tf.int32, [None]), tf.zeros([2, 10])
    loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=label, logits=logits)
    for bad in (10, -1):
        with pytest.raises(tf.errors.InvalidArgumentError, match="out of bounds"):
            run(loss, feed_dict={label: [3, bad]})
    for fetch in (tf.gather(logits, label), tf.nn.embedding_lookup(logits, label)):
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"index 2 .* size 2"):
            run(fetch, feed_dict={label: [2]})
        with pytest.raises(tf.errors.InvalidArgumentError, match="out of bounds"):
            run(fetch, feed_dict={label: [-1]})


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: tf.sqrt(4), TypeError, "tf.cast"),
        (lambda: tf.constant(1) * tf.constant(2.0), TypeError, "float32"),
        (lambda: tf.constant(1) + 0.5, TypeError, "int32"),
        (lambda: tf.matmul(tf.ones([2, 3]), tf.ones([2, 3])), ValueError, "3"),
        (lambda: tf.ones([2, 3]) + tf.ones([4]), ValueError, "shape"),
        (lambda: tf.reshape(tf.ones([2, 3]), [4, -1]), ValueError, "Reshape"),
        (lambda: tf.logical_and(1, True), TypeError, "bool"),
        (lambda: tf.one_hot([1.0], 3), TypeError, "integer"),
        (lambda: tf.ones([2])[[0, 1]], TypeError, "tf.gather"),
        (lambda: tf.nn.conv2d(tf.ones([1, 4, 4, 1]), tf.ones([2, 2, 1, 1]), [1, 2], "SAME"),
         ValueError, "strides"),
        (lambda: tf.nn.max_pool(tf.ones([1, 4, 4, 1]), [1, 2, 2, 1], [1, 2, 2, 1], "SAME", "NCHW"),
         ValueError, "channels last"),
        (lambda: tf.nn.softmax_cross_entropy_with_logits(tf.ones([2, 3]), tf.ones([2, 3])),
         TypeError, "positional"),
        (lambda: tf.nn.sigmoid_cross_entropy_with_logits(
            labels=tf.ones([3]), logits=tf.ones([3, 1])),
         ValueError, r"\(3,\) for logits of shape \(3, 1\)"),
        (lambda: tf.nn.softmax_cross_entropy_with_logits(
            labels=tf.ones([3]), logits=tf.ones([3, 3])), ValueError, "labels of shape"),
        (lambda: tf.nn.sparse_softmax_cross_entropy_with_logits(
            labels=tf.ones([3, 1], tf.int32), logits=tf.ones([3, 3])), ValueError, "Sparse"),
        (lambda: tf.random_uniform([2], dtype=tf.int32), ValueError, "maxval"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_when_it_is_written(call: Any, error: type, words: str):
    with pytest.raises(error, match=words):
        call()


def test_names_are_tensorflows():
    x = tf.placeholder(tf.float32, [2, 2])
    named = {
        "add": x + 1,
        "sub": 1 - x,
        "truediv": x / 2,
        "matmul": x @ x,
        "Neg": -x,
        "strided_slice": x[0],
        "Mean": tf.reduce_mean(x),
        "here": tf.square(x, "here"),
        "there": tf.reduce_sum(x, 1, False, "there"),
        "stack": tf.stack([x, x]),
        "one_hot": tf.one_hot([1], 2),
        "Log1p": tf.log1p(x),
        "ToFloat": tf.to_float([1]),
        "random_normal": tf.random_normal([2]),
    }
    assert {name: t.op.name for name, t in named.items()} == {name: name for name in named}
    assert (x + 1).name == "add_1:0"


def test_loops_over_slices():
    x, w = tf.placeholder(tf.float32, [None, 2]), tf.Variable(2.0)
    values = np.array([[1, 2], [3, 4], [5, 6]], np.float32)
    sums = values.cumsum(0)
    rows = {
        tf.map_fn(lambda row: row * w, x): 2 * values,
        tf.map_fn(lambda pair: pair[0] - pair[1], (x, x), dtype=tf.float32): 0 * values,
        tf.scan(lambda total, row: total + row, x): sums,
        tf.scan(lambda total, row: total + row, x, tf.ones([2])): sums + 1,
        tf.scan(lambda total, row: total + row, x, reverse=True): values[::-1].cumsum(0)[::-1],
        tf.foldl(lambda total, row: total * w + row, x): [1 * 4 + 3 * 2 + 5, 2 * 4 + 4 * 2 + 6],
        tf.foldr(lambda total, row: total - row, x, tf.zeros([2])): -sums[-1],
    }
    pair = tf.map_fn(lambda row: (row, tf.reduce_sum(row)), x, dtype=(tf.float32, tf.float32))
    assert pair[1].shape.as_list() == [None]
    folded = [*rows][5]
    found = run(*rows, pair[1], *tf.gradients(folded, [w, x]), feed_dict={x: values})
    slopes = [[4, 4], [2, 2], [1, 1]]
    wanted = [*rows.values(), values.sum(1), (4 + 3) + (8 + 4), slopes]
    for value, expected in zip(found, wanted, strict=True):
        np.testing.assert_allclose(value, expected)


def test_a_sample_of_all_classes_gives_the_loss_of_all():
    rng = np.random.default_rng(0)
    weights, x, b = (rng.normal(size=n).astype(np.float32) for n in ((50, 4), (8, 4), 50))
    labels = rng.integers(0, 50, (8, 1))
    every = tf.range(50, dtype=tf.int64), tf.ones([8, 1]), tf.ones([50])
    found = tf.nn.sampled_softmax_loss(weights, b, labels, x, 50, 50, sampled_values=every)
    logits = tf.matmul(x, weights, transpose_b=True) + b
    whole = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels[:, 0], logits=logits)
    np.testing.assert_allclose(*run(found, whole), rtol=1e-5)


def test_sampled_losses_train():
    labels, inputs = tf.placeholder(tf.int64, [None, 1]), tf.placeholder(tf.float32, [None, 4])
    weights = tf.Variable(tf.random_normal([50, 4], seed=1))
    loss = tf.reduce_mean(tf.nn.nce_loss(weights, tf.zeros([50]), labels, inputs, 5, 50))
    slope = tf.gradients(loss, weights)[0]
    feeds = {labels: [[3], [4]], inputs: np.ones((2, 4))}
    first, second = run(loss, slope, feed_dict=feeds), run(loss, slope, feed_dict=feeds)
    assert first[0] != second[0]
    assert np.all(first[1][[3, 4]])
    assert 2 <= np.count_nonzero(first[1].any(1)) <= 7


@pytest.mark.parametrize("names", refused.REASONS)
def test_names_that_are_left_out_say_what_to_write(names: str):
    for name in names.split():
        module, _, last = f"tf.{name}".rpartition(".")
        with pytest.raises(tf.errors.UnimplementedError, match="left out"):
            getattr(eval(module), last)


def test_unknown_names_are_no_attributes():
    for module in (tf, tf.nn):
        with pytest.raises(AttributeError, match="relux"):
            _ = module.relux


def test_what_changes_nothing_is_taken():
    config = tf.ConfigProto(log_device_placement=True)
    config.gpu_options.allow_growth = True
    tf.logging.set_verbosity(tf.logging.WARN)
    with tf.device("/gpu:0"), tf.Session(config=config) as sess:
        assert sess.run(tf.constant(3)) == 3
