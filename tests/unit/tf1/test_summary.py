"""Summaries: what stands in event files, read here record by record, with checksums."""

import struct
import sys

import numpy as np
import pytest
from tensorboardX.proto import event_pb2, graph_pb2

import bital.tf1 as tf
from bital.errors import MissingExtraError


@pytest.fixture(autouse=True)
def sess():
    with tf.Graph().as_default(), tf.Session() as session:
        yield session


def crc32c(data):
    """Castagnoli's checksum, bit by bit, masked as in TFRecord files."""
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ 0x82F63B78 * (value & 1)
    value ^= 0xFFFFFFFF
    return ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF


def events(folder):
    (path,) = folder.iterdir()
    assert ".tfevents." in path.name
    data, found = path.read_bytes(), []
    while data:
        length, sum_of_length = struct.unpack("<QI", data[:12])
        record, (sum_of_record,) = (
            data[12 : 12 + length],
            struct.unpack_from("<I", data, 12 + length),
        )
        assert (sum_of_length, sum_of_record) == (crc32c(data[:8]), crc32c(record))
        found.append(event_pb2.Event.FromString(record))
        data = data[16 + length :]
    return found


def test_event_files(sess, tmp_path):
    x = tf.placeholder(tf.float32, [None], name="x")
    mean = tf.summary.scalar("mean of x", tf.reduce_mean(x))
    with tf.name_scope("h"), tf.control_dependencies([mean]):
        tf.summary.histogram("x", x)
    merged = tf.summary.merge_all()
    assert (mean.op.name, merged.op.name) == ("mean_of_x", "Merge/MergeSummary")
    with tf.summary.FileWriter(tmp_path / "run", tf.get_default_graph()) as writer:
        assert writer.get_logdir() == str(tmp_path / "run")
        for step in range(2):
            writer.add_summary(sess.run(merged, {x: np.arange(4) + step}), step)
        writer.add_summary(mean.eval({x: [7.0]}), global_step=np.int64(2))
        writer.flush()
    version, graph, first, second, last = events(tmp_path / "run")
    assert version.file_version == "brain.Event:2"
    nodes = {node.name: node for node in graph_pb2.GraphDef.FromString(graph.graph_def).node}
    assert nodes["mean_of_x"].op == "ScalarSummary"
    assert list(nodes["h/x"].input) == ["x", "^mean_of_x"]
    assert [event.step for event in (first, second, last)] == [0, 1, 2]
    assert first.wall_time > 1.6e9
    scalar, histogram = second.summary.value
    assert (scalar.tag, scalar.simple_value) == ("mean_of_x", 2.5)
    found = histogram.histo
    assert (histogram.tag, found.min, found.max, found.num) == ("h/x", 1, 4, 4)
    assert (found.sum, found.sum_squares) == (10, 30)
    counts = dict(zip(found.bucket_limit, found.bucket, strict=True))
    assert sum(counts.values()) == 4
    for value in (1, 2, 3, 4):  # each stands below the first limit above it
        assert counts[min(limit for limit in counts if limit > value)] == 1
    assert [value.simple_value for value in last.summary.value] == [7.0]


def test_collections_of_summaries(sess):
    assert tf.summary.merge_all() is None
    one = tf.summary.scalar("loss", 1.0, collections=["mine"])
    with tf.name_scope("a"):
        two = tf.summary.scalar(name="loss", tensor=tf.constant(2.0))
    assert tf.get_collection(tf.GraphKeys.SUMMARIES) == [two]
    assert tf.get_collection("mine") == [one]
    found = sess.run([tf.summary.merge([one, two]), one, two, tf.constant(3.0) * 2.0])
    assert found[0] == found[1] + found[2]
    assert found[3] == 6.0


def test_what_cannot_be_summed_up(sess, monkeypatch):
    x = tf.placeholder(tf.float32)
    with pytest.raises(tf.errors.InvalidArgumentError, match="Nan in summary histogram for: x"):
        sess.run(tf.summary.histogram("x", x), {x: [1.0, np.nan]})
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(MissingExtraError, match=r"bital\[tensorboard\]"):
        tf.summary.FileWriter("logs")
