"""Sessions: fetches, feeds, variables, order of effects, branches and loops."""

import collections
import threading

import numpy as np
import pytest

import bital.tf1 as tf


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


@pytest.fixture
def sess(graph):
    with tf.Session() as session:
        yield session


def test_fetches_keep_their_nesting(sess):
    a, b = tf.constant(1.0, name="a"), tf.constant([2, 3])
    Pair = collections.namedtuple("Pair", "x y")
    found = sess.run({"one": a, "more": [b, (a, "a:0")], "pair": Pair(a, b), "op": a.op})
    assert found["one"] == 1.0
    assert isinstance(found["one"], np.float32)
    assert found["more"][0].tolist() == [2, 3]
    assert found["more"][1] == (1.0, 1.0)
    assert [*found] == ["one", "more", "pair", "op"]
    assert isinstance(found["pair"], Pair)
    assert found["pair"].x == 1.0
    assert found["op"] is None
    with pytest.raises(TypeError, match="None"):
        sess.run([a, None])
    with pytest.raises(TypeError, match="Can not convert a int"):
        sess.run(3)
    with pytest.raises(KeyError, match="nothing"):
        sess.run("nothing")


def test_feeds(sess):
    x = tf.placeholder(tf.float32, (None, 2), name="x")
    y = x * 2.0
    assert sess.run(y, {x: [[1, 2]]}).tolist() == [[2.0, 4.0]]
    assert sess.run(y, feed_dict={"x:0": np.ones((3, 2))}).shape == (3, 2)
    assert y.eval({x: np.zeros((0, 2))}).shape == (0, 2)
    assert sess.run(y + 1.0, {y: [[1, 1]]}).tolist() == [[2.0, 2.0]]  # what is fed is not computed
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"must feed .* 'x' with dtype float"):
        sess.run(y)
    with pytest.raises(
        ValueError, match=r"shape \(3,\) for Tensor 'x:0', which has shape '\(\?, 2"
    ):
        sess.run(y, {x: [1, 2, 3]})
    with pytest.raises(TypeError, match="Cannot feed"):
        sess.run(y, {x: y})
    with pytest.raises(TypeError, match="Expected int32"):
        sess.run(tf.identity(tf.placeholder(tf.int32, name="n")), {"n:0": 1.5})


def test_nested_feeds(sess):
    a, b, c = (tf.placeholder("float", ()) for _ in range(3))
    assert sess.run(a * b + c, {(a, (b,)): (2, (3,)), c: 1}) == 7.0
    with pytest.raises(ValueError, match="another nesting"):
        sess.run(a, {(a, b): 2})


def test_defaults_of_placeholders(sess):
    x = tf.placeholder_with_default(np.float32(3.0), ())
    assert sess.run(x * 2.0) == 6.0
    assert sess.run(x * 2.0, {x: 5.0}) == 10.0


def test_uninitialized_variables(sess):
    w = tf.Variable([1.0, 2.0], name="w")
    with pytest.raises(tf.errors.FailedPreconditionError, match="uninitialized value w"):
        sess.run(w)
    sess.run(tf.global_variables_initializer())
    assert sess.run(w).tolist() == [1.0, 2.0]
    with tf.Session() as other, pytest.raises(tf.errors.FailedPreconditionError):
        other.run(w)


def test_fetched_values_are_not_the_sessions(sess):
    w = tf.Variable([1.0, 2.0])
    sess.run(w.initializer)
    sess.run(w)[0] = 9.0
    assert sess.run(w).tolist() == [1.0, 2.0]
    kept = sess.run(w)
    sess.run(w.assign_add([1.0, 1.0]))
    assert kept.tolist() == [1.0, 2.0]


def test_fed_arrays_are_not_changed(sess):
    x, w = tf.placeholder(tf.float32, [2]), tf.Variable([0.0, 0.0])
    fed = np.ones(2, np.float32)
    sess.run(w.assign(x), {x: fed})
    for _ in range(3):
        sess.run(w.assign_add([1.0, 1.0]))
    assert fed.tolist() == [1.0, 1.0]
    assert sess.run(w).tolist() == [4.0, 4.0]


def test_operations_see_assignments_that_stand_before(sess):
    v = tf.Variable(1.0)
    before = v * 10.0
    add = tf.assign_add(v, 1.0)
    with tf.control_dependencies([add]):
        after = v * 10.0
    sess.run(v.initializer)
    assert sess.run([before, add, after]) == [10.0, 2.0, 20.0]
    assert sess.run(after) == 30.0  # a dependency runs too
    assert sess.run([v, before]) == [3.0, 30.0]


def test_assignments_are_checked(sess):
    v = tf.Variable([1.0, 2.0], name="v")
    with pytest.raises(ValueError, match=r"v has shape \(2,\), and the value \(3,\)"):
        v.assign([1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="only a variable"):
        tf.assign(tf.constant(1.0), 2.0)
    free = tf.Variable([1.0], validate_shape=False)
    sess.run(tf.global_variables_initializer())
    assert sess.run(tf.assign(free, [1.0, 2.0], validate_shape=False)).shape == (2,)
    assert sess.run(free).shape == (2,)
    v.load([5.0, 6.0], sess)
    assert sess.run(v).tolist() == [5.0, 6.0]


def test_gradients(sess):
    x, w = tf.placeholder(tf.float32, [3]), tf.Variable([1.0, 2.0, 3.0])
    y = tf.reduce_mean(tf.square(w) * x)
    z = tf.stop_gradient(w) * w
    sess.run(w.initializer)
    feed = {x: [1.0, 1.0, 2.0]}
    assert np.allclose(sess.run(tf.gradients(y, [w, x]), feed)[0], [2 / 3, 4 / 3, 4.0])
    assert np.allclose(sess.run(tf.gradients(y, [w, x]), feed)[1], [1 / 3, 4 / 3, 3.0])
    assert tf.gradients(y, tf.constant(1.0)) == [None]
    assert tf.gradients(tf.stop_gradient(tf.square(w)) * x, w) == [None]
    assert sess.run(tf.gradients(z, w)[0]).tolist() == [1.0, 2.0, 3.0]
    assert np.allclose(
        sess.run(tf.gradients([w, z], w, [[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]])[0]), [1, 2, 3]
    )
    second = tf.gradients(tf.gradients(w * w * w, w)[0], w)[0]
    assert sess.run(second).tolist() == [6.0, 12.0, 18.0]
    inner = tf.square(w)
    assert sess.run(tf.gradients(inner * inner, inner)[0]).tolist() == [2.0, 8.0, 18.0]
    assert sess.run(tf.gradients(inner * w, w, stop_gradients=[inner])[0]).tolist() == [
        1.0,
        4.0,
        9.0,
    ]
    with pytest.raises(TypeError, match="floating"):
        tf.gradients(tf.constant(1), w)


def test_values_beside_their_gradient_are_the_same(sess):
    w = tf.Variable(tf.random_normal([50], seed=1))
    noise = tf.random_normal([50], seed=2)
    loss = tf.reduce_mean(tf.square(w - noise))
    (slope,) = tf.gradients(loss, w)
    sess.run(w.initializer)
    value, slope, drawn, weights = sess.run([loss, slope, noise, w])
    assert np.allclose(value, np.mean((weights - drawn) ** 2))
    assert np.allclose(slope, 2 * (weights - drawn) / 50)


def test_seeds():
    def draw(graph_seed, seed):
        with tf.Graph().as_default():
            if graph_seed is not None:
                tf.set_random_seed(graph_seed)
            x = tf.random_uniform([3], seed=seed)
            with tf.Session() as one, tf.Session() as two:
                return [x.eval(session=s).tolist() for s in (one, one, two, two)]

    for graph_seed, seed in [(1, None), (1, 2), (None, 2)]:
        a, b, c, d = draw(graph_seed, seed)
        assert a == c
        assert b == d
        assert a != b
        assert draw(graph_seed, seed) == [a, b, c, d]
    with tf.Graph().as_default(), tf.Session() as one:
        tf.set_random_seed(1)
        states = tf.while_loop(
            lambda i, *_: i < 3,
            lambda i, a, b, c: (i + 1, b, c, tf.random_uniform(())),
            (0, 0.0, 0.0, 0.0),
        )
        turns = [one.run(states[1:]) for _ in range(5)]
    assert len({float(number) for turn in turns for number in turn}) == 15
    a, b, c, d = draw(None, None)
    assert len({*map(tuple, (a, b, c, d))}) == 4
    assert draw(1, 2) != draw(1, 3) != draw(2, 3)


def test_branches(sess):
    x, flag = tf.placeholder(tf.float32, ()), tf.placeholder(tf.bool, ())
    y = tf.cond(flag, lambda: tf.sqrt(x), lambda: x * x)
    assert sess.run(y, {x: 9.0, flag: True}) == 3.0
    assert sess.run(y, {x: 9.0, flag: False}) == 81.0
    z = tf.cond(x < 5.0, lambda: (x, [x + 1.0]), lambda: (-x, [x]))
    assert sess.run(z, {x: 9.0}) == (-9.0, [9.0])
    assert sess.run(z, {x: 1.0}) == (1.0, [2.0])
    slope = tf.gradients(tf.cond(x < 5.0, lambda: 3.0 * x, lambda: x * x), x)[0]
    assert sess.run(slope, {x: 9.0}) == 18.0
    assert sess.run(slope, {x: 2.0}) == 3.0
    with pytest.raises(TypeError, match="same dtypes and ranks"):
        tf.cond(flag, lambda: tf.constant(1), lambda: tf.constant(1.0))
    v = tf.Variable(1.0)
    with pytest.raises(ValueError, match="assigns to a variable inside"):
        tf.cond(flag, lambda: tf.assign(v, 2.0), lambda: v + 0.0)


def test_loops(sess):
    n = tf.placeholder(tf.int32, ())
    factor = tf.Variable(2.0)
    i, total = tf.while_loop(lambda i, _: i < n, lambda i, s: (i + 1, s * factor), (0, 1.0))
    sess.run(factor.initializer)
    assert sess.run([i, total], {n: 10}) == [10, 1024.0]
    assert sess.run(total, {n: 0}) == 1.0
    last = tf.while_loop(lambda x: x < 100, lambda x: x * 2, [1], maximum_iterations=3)
    assert sess.run(last) == 8
    drawn = tf.while_loop(
        lambda i, *_: i < 2,
        lambda i, a, b: (i + 1, b, tf.random_uniform(())),
        (0, 0.0, 0.0),
    )
    _, first, second = sess.run(drawn)
    assert first != second
    assert 0 < first < 1
    with pytest.raises(ValueError, match="must stay the same"):
        tf.while_loop(lambda x: x < 3.0, lambda x: tf.stack([x, x]), [0.0])


def test_variable_scopes():
    with tf.variable_scope("net") as scope:
        a = tf.get_variable("a", [2, 3])
        with tf.variable_scope("inner", reuse=tf.AUTO_REUSE):
            b = tf.get_variable("b", (), initializer=tf.zeros_initializer())
            assert tf.get_variable("b", ()) is b
        with pytest.raises(ValueError, match="net/a already exists"):
            tf.get_variable("a", [2, 3])
        scope.reuse_variables()
        assert tf.get_variable("a") is a
    assert (a.name, b.name, (a + 1.0).name) == ("net/a:0", "net/inner/b:0", "add:0")
    with tf.variable_scope("net", reuse=True):
        assert tf.get_variable("a", [2, 3]) is a
        with pytest.raises(ValueError, match="net/new does not exist"):
            tf.get_variable("new", [2])
        with pytest.raises(ValueError, match=r"shape \(5,\)"):
            tf.get_variable("a", [5])
    with tf.variable_scope("other"), tf.variable_scope(scope, reuse=True):
        assert tf.get_variable("a") is a
    names = []
    for _ in range(2):
        with tf.variable_scope(None, default_name="block"):
            names.append(tf.get_variable("w", [1]).name)
    assert names == ["block/w:0", "block_1/w:0"]
    with pytest.raises(ValueError, match="must be fully defined"):
        tf.get_variable("unshaped")


def test_variables_start_as_their_dtype_asks(sess):
    count, weights = tf.get_variable("n", [2], tf.int32), tf.get_variable("w", [50, 50])
    sess.run(tf.global_variables_initializer())
    assert sess.run(count).tolist() == [0, 0]
    assert 0.2 < np.abs(sess.run(weights)).max() <= np.sqrt(6 / 100)


def test_regularizers_of_variables(sess):
    penalty = lambda w: tf.reduce_mean(tf.square(w))  # noqa: E731
    with tf.variable_scope("s", regularizer=penalty):
        tf.get_variable("w", initializer=[3.0, 4.0])
    (found,) = tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES)
    sess.run(tf.global_variables_initializer())
    assert sess.run(found) == 12.5


def test_interactive_sessions():
    session = tf.InteractiveSession()
    x = tf.Variable(3.0)
    x.initializer.run()
    assert (x * 2.0).eval() == 6.0
    assert tf.get_default_session() is session
    session.close()
    assert tf.get_default_session() is None
    with pytest.raises(ValueError, match="no default session"):
        x.eval()
    with pytest.raises(RuntimeError, match="closed Session"):
        session.run(x)


def test_runs_from_several_threads(sess):
    v = tf.Variable(np.zeros(1000, np.float32))
    add = v.assign_add(np.ones(1000, np.float32))
    sess.run(v.initializer)
    threads = [
        threading.Thread(target=lambda: [sess.run(add.op) for _ in range(200)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (sess.run(v) == 800).all()


def test_a_failed_run_says_where_and_leaves_the_session_usable(sess):
    i, w = tf.placeholder(tf.int32, [None]), tf.Variable([1.0, 2.0])
    update = tf.scatter_update(w, i, tf.ones_like(i, tf.float32) if hasattr(tf, "ones_like") else 1)
    sess.run(w.initializer)
    with pytest.raises(Exception, match="out of bounds"):
        sess.run(update, {i: [5]})
    assert sess.run(w).tolist() == [1.0, 2.0]
