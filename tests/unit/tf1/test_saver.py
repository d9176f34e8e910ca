"""Checkpoints and saved graphs: what comes back, what is kept, what is refused."""

import json
import os
import random
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

import bital.tf1 as tf
from bital.keras import archive

train, errors = tf.train, tf.errors


@pytest.fixture(autouse=True)
def sess():
    with tf.Graph().as_default(), tf.Session() as session:
        yield session


def two_variables(sess):
    w = tf.Variable(np.arange(6, dtype=np.float32).reshape(2, 3), name="W")
    n = tf.Variable(np.int64(7), trainable=False, name="scope/n")
    sess.run(tf.global_variables_initializer())
    return w, n


def test_values_come_back(sess, tmp_path):
    w, n = two_variables(sess)
    path = train.Saver().save(sess, tmp_path / "m.ckpt", write_meta_graph=False)
    assert path == str(tmp_path / "m.ckpt")
    assert sorted(os.listdir(tmp_path)) == ["checkpoint", "m.ckpt.index"]
    sess.run([w.assign(w * 2.0), n.assign(0)])
    train.Saver().restore(sess, path)
    np.testing.assert_array_equal(sess.run(w), [[0, 1, 2], [3, 4, 5]])
    assert sess.run(n) == 7
    assert sess.run(n).dtype == np.int64
    sess.run(w.assign_add(np.ones((2, 3), np.float32)))  # what was read may be written to
    with tf.Session() as other:
        train.Saver([n]).restore(other, path)
        assert other.run(n) == 7
        with pytest.raises(errors.FailedPreconditionError):
            other.run(w)


def test_names_in_the_file(sess, tmp_path):
    w, n = two_variables(sess)
    path = train.Saver({"weights": w, "n": n}).save(sess, tmp_path / "m")
    assert train.list_variables(path) == [("n", []), ("weights", [2, 3])]
    assert train.load_variable(str(tmp_path), "n") == 7
    sess.run(w.assign(w * 0.0))
    train.Saver({"weights": w}).restore(sess, path)
    assert sess.run(w)[1, 2] == 5
    with pytest.raises(errors.NotFoundError, match=r"Key W not found in .*'weights'"):
        train.Saver([w]).restore(sess, path)
    with pytest.raises(errors.NotFoundError, match="Key v not found"):
        train.load_variable(path, "v")


def test_which_files_are_kept(sess, tmp_path):
    _, n = two_variables(sess)
    saver = train.Saver(max_to_keep=2)
    for step in (1, 2, 1, 3):
        path = saver.save(sess, tmp_path / "m", global_step=step)
    assert path == str(tmp_path / "m-3") == train.latest_checkpoint(tmp_path)
    kept = [str(tmp_path / name) for name in ("m-1", "m-3")]
    assert saver.last_checkpoints == kept
    state = train.get_checkpoint_state(str(tmp_path))
    assert (state.model_checkpoint_path, state.all_model_checkpoint_paths) == (kept[-1], kept)
    names = ["checkpoint", "m-1.index", "m-1.meta", "m-3.index", "m-3.meta"]
    assert sorted(os.listdir(tmp_path)) == names
    moved = shutil.move(tmp_path, tmp_path.with_name("moved"))
    assert train.latest_checkpoint(moved) == os.path.join(moved, "m-3")
    assert train.checkpoint_exists(os.path.join(moved, "m-1"))
    assert train.Saver(max_to_keep=None).save(sess, f"{moved}/all", n).endswith("all-7")
    os.remove(os.path.join(moved, "all-7.index"))
    assert train.latest_checkpoint(moved) is None
    assert train.latest_checkpoint(tmp_path) is train.get_checkpoint_state(tmp_path) is None


def test_what_cannot_be_saved(sess, tmp_path):
    with pytest.raises(ValueError, match="No variables to save"):
        train.Saver()
    w = tf.Variable(1.0, name="w")
    with pytest.raises(errors.FailedPreconditionError, match="uninitialized value w"):
        train.Saver().save(sess, tmp_path / "m")
    sess.run(w.initializer)
    with pytest.raises(ValueError, match=r"Parent directory of .* doesn't exist"):
        train.Saver().save(sess, tmp_path / "no" / "m")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("value", [np.zeros((3, 2), np.float32), np.zeros((2, 3))])
def test_other_shapes_and_dtypes(sess, tmp_path, value):
    _w, _n = two_variables(sess)
    path = train.Saver().save(sess, tmp_path / "m")
    with tf.Graph().as_default(), tf.Session() as other:
        m = tf.Variable(np.int64(0), name="scope/n")
        tf.Variable(value, name="W")
        with pytest.raises(errors.InvalidArgumentError, match=r"'W:0' .* and 'W' of float32\(2, 3"):
            train.Saver().restore(other, path)
        with pytest.raises(errors.FailedPreconditionError):
            other.run(m)  # all of them or none


def test_what_is_no_checkpoint(sess, tmp_path):
    two_variables(sess)
    saver = train.Saver()
    for path in (None, tmp_path / "m", tmp_path):
        with pytest.raises(ValueError, match="The passed save_path is not a valid checkpoint"):
            saver.restore(sess, path)
    path = Path(saver.save(sess, tmp_path / "m") + ".index")
    content = path.read_bytes()
    for damaged in (b"", content[:-1], content[:-1] + b"\1", content.replace(b"W", b"V")):
        path.write_bytes(damaged)
        with pytest.raises(errors.DataLossError, match=re.escape(str(path))):
            saver.restore(sess, tmp_path / "m")
    path.write_bytes((tmp_path / "m.meta").read_bytes())
    with pytest.raises(errors.DataLossError, match=r"bital\.tf1\.variables"):
        saver.restore(sess, tmp_path / "m")
    (tmp_path / "m.data-00000-of-00001").touch()
    with pytest.raises(errors.DataLossError, match="TensorFlow's own format"):
        saver.restore(sess, tmp_path / "m")
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "m"')
    with pytest.raises(errors.DataLossError, match="checkpoint"):
        train.latest_checkpoint(tmp_path)


def test_a_full_disk_leaves_the_old_checkpoint(sess, tmp_path, monkeypatch):
    w, _ = two_variables(sess)
    saver = train.Saver()
    path = saver.save(sess, tmp_path / "m")
    sess.run(w.assign(w * 2.0))

    def full(*_):
        raise OSError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            saver.save(sess, tmp_path / "m")
    saver.restore(sess, path)
    assert sess.run(w)[1, 2] == 5
    assert sorted(os.listdir(tmp_path)) == ["checkpoint", "m.index", "m.meta"]


# --- graphs ---------------------------------------------------------------------------------


def network():
    """All that a graph can hold: parts, random numbers, text, collections, unknown lengths."""
    x = tf.placeholder(tf.float32, (None, 3), name="x")
    rate = tf.placeholder_with_default(np.float32(0.1), (), name="rate")
    with tf.variable_scope("layer"):
        w = tf.get_variable("w", (3, 2), initializer=tf.random_normal_initializer(seed=1))
        noise = tf.random_normal(tf.shape(x), stddev=0.1, seed=2)
        h = tf.matmul(x + noise, w, name="h")
    chosen = tf.cond(rate > 0.0, lambda: h * rate, lambda: h, name="chosen")
    _, total = tf.while_loop(
        lambda i, s: i < 3, lambda i, s: (i + 1, s * 2.0), [0, tf.reduce_sum(chosen)], name="loop"
    )
    tf.identity(total, name="total")
    loss = tf.reduce_mean(tf.square(chosen), name="loss")
    count = train.get_or_create_global_step()
    step = train.AdamOptimizer(rate).minimize(loss, count, name="step")
    tf.constant(["caf\u00e9", "\ud55c"], name="text")
    tf.add_to_collection("mine", step)
    tf.add_to_collection("mine", loss)
    tf.add_to_collection("mine", "word")


FEED = {"x:0": np.arange(6, dtype=np.float32).reshape(2, 3)}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A path, what three more steps give, and how the graph is described."""
    path = tmp_path_factory.mktemp("saved") / "m"
    with tf.Graph().as_default() as graph, tf.Session() as session:
        network()
        session.run(tf.global_variables_initializer())
        session.run("step", FEED)
        train.Saver(max_to_keep=3).save(session, path)
        session._turns.clear()  # the seeds' numbers begin anew in another session
        return path, three_steps(session), described(graph)


def three_steps(session):
    found = [session.run(["loss:0", "step", "layer/w:0"], FEED) for _ in range(3)]
    return [*found, session.run("total:0", {**FEED, "rate:0": 0.0})]


def described(graph):
    tensors = [tensor for op in graph.get_operations() for tensor in op.outputs]
    return [*map(repr, graph.get_operations()), *(str(tensor.shape) for tensor in tensors)]


def test_a_graph_goes_on_where_it_was(sess, saved):
    path, expected, description = saved
    saver = train.import_meta_graph(f"{path}.meta")
    assert described(tf.get_default_graph()) == description
    saver.restore(sess, path)
    for one, two in zip(expected, three_steps(sess), strict=True):
        np.testing.assert_equal(one, two)
    assert sess.run("text:0").tolist() == ["caf\u00e9".encode(), "\ud55c".encode()]
    step, loss, word = tf.get_collection("mine")
    assert (step.name, loss.name, word) == ("step", "loss:0", "word")
    assert [v.name for v in tf.trainable_variables()] == ["layer/w:0"]
    assert train.get_global_step() is tf.global_variables()[1]
    assert sess.run(train.get_global_step()) == 4


def test_what_is_added_to_an_imported_graph(sess, saved):
    saver = train.import_meta_graph(f"{saved[0]}.meta")
    graph, (w,) = tf.get_default_graph(), tf.trainable_variables()
    h = graph.get_tensor_by_name("layer/h:0")
    assert h.shape.as_list() == [None, 2]
    top = tf.Variable(np.ones((2, 1), np.float32), name="top")
    loss = tf.reduce_mean(tf.square(tf.matmul(tf.stop_gradient(h), top)))
    new = train.AdamOptimizer(name="step").minimize(loss, var_list=[top])
    again = train.AdamOptimizer().minimize(tf.reduce_sum(w), var_list=[w], name="step")
    assert (new.name, again.name) == ("step_1", "step_2")
    assert graph.get_operation_by_name("layer/w/Adam_2").type == "Variable"
    sess.run(tf.global_variables_initializer())
    saver.restore(sess, saved[0])
    before = sess.run(w)
    sess.run(new, FEED)
    np.testing.assert_array_equal(sess.run(w), before)
    assert sess.run(top)[0, 0] != 1


def test_where_a_graph_cannot_be_imported(saved, tmp_path):
    train.import_meta_graph(f"{saved[0]}.meta")
    with pytest.raises(ValueError, match="reset_default_graph"):
        train.import_meta_graph(f"{saved[0]}.meta")
    with pytest.raises(OSError, match="does not exist"):
        train.import_meta_graph(tmp_path / "no.meta")
    with tf.Graph().as_default() as graph:
        with pytest.raises(errors.DataLossError, match=r"bital\.tf1\.graph"):
            train.import_meta_graph(f"{saved[0]}.index")
        assert graph.get_operations() == []
        train.export_meta_graph(tmp_path / "empty.meta")
        assert train.import_meta_graph(tmp_path / "empty.meta") is None


def of(index, part, value):
    """Changes part of an operation: type, name, inputs, controls, attributes, outputs."""

    def change(document):
        document["operations"][index][part] = value

    return change


HOSTILE = {
    "kernel": of(0, 0, "os.system"),
    "name": of(1, 1, "x/"),
    "number": of(1, 1, 5),
    "input": of(0, 2, [{"tensor": "loss:0"}]),
    "no_tensor": of(0, 2, [1]),
    "control": of(0, 3, [1]),
    "attributes": of(0, 4, []),
    "array": of(-1, 4, {"value": {"array": 5}}),
    "dtype": of(0, 5, [["spam", None]]),
    "shape": of(0, 5, [["float32", [{"unknown": ["float32", [-1]]}] * 2]]),
    "probes": of(0, 5, [["float32", [1, 2]]]),
    "twice": lambda document: document["operations"].append(document["operations"][0]),
    "part": lambda document: [
        op[4]["part"].update(operations=[op[1]])
        for op in document["operations"]
        if op[0] == "Gradients"
    ],
    "variable": lambda document: document["collections"].update(variables=[{"variable": ["x"]}]),
    "collections": lambda document: document.update(collections=[]),
    "saver": lambda document: document.update(saver=[[1], 2]),
    "missing": lambda document: document.pop("operations"),
}


@pytest.mark.parametrize("row", HOSTILE)
def test_hostile_graphs(saved, tmp_path, row):
    document, arrays = archive.read(f"{saved[0]}.meta", {"bital.tf1.graph": 1})
    HOSTILE[row](document)
    archive.write(tmp_path / "m.meta", document, arrays)
    with pytest.raises(errors.DataLossError):
        train.import_meta_graph(tmp_path / "m.meta")
    assert tf.get_default_graph().get_operations() == []


TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|[\[\]{},:]')
NASTY = ["-1", "1e308", "99999999999", "null", "[]", "{}", '""', '"x"', '"MatMul"', "[[1]]", "true"]


@pytest.mark.slow
def test_mutated_graphs_are_refused_or_read(saved, tmp_path):
    rng = random.Random(0)
    content = Path(f"{saved[0]}.meta").read_bytes()
    document, arrays = archive.read(f"{saved[0]}.meta", {"bital.tf1.graph": 1})
    text, path = json.dumps(document), tmp_path / "mutated"
    refused = 0
    for turn in range(3000):
        if turn % 3 == 0:
            data = bytearray(content)
            place = rng.randrange(len(data))
            data[place : place + rng.randrange(3)] = rng.randbytes(rng.randrange(1, 4))
            path.write_bytes(data)
        else:
            tokens = TOKEN.findall(text)
            for _ in range(rng.randrange(1, 4)):
                other = rng.choice([*NASTY, rng.choice(tokens), ""])
                tokens[rng.randrange(len(tokens))] = other
            try:
                archive.write(path, json.loads("".join(tokens)), arrays)
            except ValueError:
                continue
        with tf.Graph().as_default():
            try:
                train.import_meta_graph(path)
            except errors.DataLossError:
                refused += 1
    assert refused > 1000
