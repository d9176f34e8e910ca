"""Cells and the loops over them, against the formulas in NumPy; names are TensorFlow's."""

import numpy as np
import pytest

import bital.tf1 as tf
from bital.tf1.nn import rnn_cell as cells

R = np.random.RandomState(1)
X = R.randn(3, 4, 2).astype(np.float32)  # sequences, steps, features
LENGTHS = np.array([4, 2, 0], np.int32)


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


def placeholder():
    return tf.placeholder(tf.float32, (None, *X.shape[1:]))


def run(fetches, feeds=None):
    """What is fetched, and the variables by the last words of their names."""
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        found = {v.op.name: v for v in tf.global_variables()}
        values = {name: R.randn(*v.shape.as_list()) * 0.7 for name, v in found.items()}
        for name, value in values.items():
            found[name].load(value.astype(np.float32), sess)
        return sess.run(fetches, feeds), {k.partition("_cell/")[2]: v for k, v in values.items()}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def joined(x, h, w, scope=""):
    return np.hstack([x, h]) @ w[f"{scope}kernel"] + w[f"{scope}bias"]


def basic(w, x, h):
    return (np.tanh(joined(x, h, w)),) * 2


def gru(w, x, h):
    r, u = np.split(sigmoid(joined(x, h, w, "gates/")), 2, 1)
    new = u * h + (1 - u) * np.tanh(joined(x, r * h, w, "candidate/"))
    return new, new


def lstm(w, x, state, bias=1.0, clip=np.inf, out=np.inf):
    c, h = state
    i, j, f, o = np.split(joined(x, h, w), 4, 1)
    w_f, w_i, w_o = (w.get(f"w_{gate}_diag", 0) for gate in "fio")
    c = sigmoid(f + bias + w_f * c) * c + sigmoid(i + w_i * c) * np.tanh(j)
    c = np.clip(c, -clip, clip)
    h = sigmoid(o + w_o * c) * np.tanh(c)
    if "projection/kernel" in w:
        h = np.clip(h @ w["projection/kernel"], -out, out)
    return h, (c, h)


def zeros(*sizes):
    return tuple(np.zeros((3, size)) for size in sizes)


ROWS = {
    "basic": (lambda: cells.BasicRNNCell(5), basic, zeros(5)[0]),
    "gru": (lambda: cells.GRUCell(5), gru, zeros(5)[0]),
    "lstm": (lambda: cells.LSTMCell(5), lstm, zeros(5, 5)),
    "basic_lstm": (
        lambda: cells.BasicLSTMCell(5, forget_bias=0.0),
        lambda *a: lstm(*a, bias=0),
        zeros(5, 5),
    ),
    "peepholes": (lambda: cells.LSTMCell(5, use_peepholes=True), lstm, zeros(5, 5)),
    "projected": (
        lambda: cells.LSTMCell(5, True, 0.3, num_proj=2, proj_clip=0.2),
        lambda *a: lstm(*a, clip=0.3, out=0.2),
        zeros(5, 2),
    ),
}


@pytest.mark.parametrize(
    ("row", "static"), [*((row, False) for row in ROWS), ("gru", True), ("projected", True)]
)
def test_cells(row, static):
    make, formula, state = ROWS[row]
    x, lengths = placeholder(), tf.placeholder(tf.int32, (None,))
    if static:
        options = {"sequence_length": lengths, "dtype": tf.float32}
        outputs, last = tf.nn.static_rnn(make(), tf.unstack(x, axis=1), **options)
        outputs = tf.stack(outputs, 1)
    else:
        outputs, last = tf.nn.dynamic_rnn(make(), x, lengths, dtype=tf.float32)
    (found, found_state), w = run([outputs, last], {x: X, lengths: LENGTHS})
    assert outputs.shape.as_list() == [None, 4, found.shape[-1]]
    truth = []
    for t in range(4):
        output, new = formula(w, X[:, t], state)
        alive = (t < LENGTHS)[:, None]
        truth.append(np.where(alive, output, 0))
        pairs = zip(new, state, strict=True) if isinstance(new, tuple) else ()
        kept = tuple(np.where(alive, a, b) for a, b in pairs)
        state = kept if isinstance(new, tuple) else np.where(alive, new, state)
    np.testing.assert_allclose(found, np.stack(truth, 1), rtol=1e-4, atol=1e-5)
    for one, two in zip(found_state, state, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-5)
    if isinstance(state, tuple):
        assert isinstance(found_state, cells.LSTMStateTuple)


def names():
    return [v.op.name for v in tf.global_variables()]


def test_names():
    x = placeholder()
    deep = cells.MultiRNNCell([cells.GRUCell(3), cells.DropoutWrapper(cells.BasicLSTMCell(2))])
    outputs, state = tf.nn.dynamic_rnn(deep, x, dtype=tf.float32)
    assert outputs.op.name == "rnn/transpose_1"
    assert [s.shape.as_list() for s in (state[0], *state[1])] == [[None, 3], [None, 2], [None, 2]]
    peepholes = cells.LSTMCell(2, use_peepholes=True, num_proj=1)
    with tf.variable_scope("other"):
        tf.nn.dynamic_rnn(peepholes, x, dtype=tf.float32)
    wrapped = cells.OutputProjectionWrapper(cells.BasicRNNCell(3), 1)
    tf.nn.dynamic_rnn(wrapped, x, dtype=tf.float32, scope="out")
    first, second = (
        "rnn/multi_rnn_cell/cell_0/gru_cell",
        "rnn/multi_rnn_cell/cell_1/basic_lstm_cell",
    )
    third, last = "other/rnn/lstm_cell", "out/output_projection_wrapper"
    assert names() == [
        *(
            f"{first}/{part}/{kind}"
            for part in ("gates", "candidate")
            for kind in ("kernel", "bias")
        ),
        *(f"{second}/{kind}" for kind in ("kernel", "bias")),
        *(f"{third}/{kind}" for kind in ("kernel", "bias", "w_f_diag", "w_i_diag", "w_o_diag")),
        f"{third}/projection/kernel",
        *(f"{last}/{kind}" for kind in ("basic_rnn_cell/kernel", "basic_rnn_cell/bias")),
        *(f"{last}/{kind}" for kind in ("kernel", "bias")),
    ]
    assert [v.op.name for v in peepholes.trainable_variables] == names()[6:12]


def test_where_variables_are_shared():
    x, cell = placeholder(), cells.BasicRNNCell(3)
    one, _ = tf.nn.dynamic_rnn(cell, x, dtype=tf.float32)
    two, _ = tf.nn.dynamic_rnn(cell, x, dtype=tf.float32, scope="again")
    three, _ = cell(x[:, 0], cell.zero_state(3, tf.float32))
    assert names() == ["rnn/basic_rnn_cell/kernel", "rnn/basic_rnn_cell/bias"]
    (one, two, three), _ = run([one, two, three], {x: X})
    np.testing.assert_array_equal(one, two)
    np.testing.assert_allclose(one[:, 0], three, rtol=1e-6)


def test_two_cells_outside_of_loops():
    x = placeholder()[:, 0]
    for _ in range(2):
        cell = cells.LSTMCell(3)
        cell(x, cell.zero_state(tf.shape(x)[0], tf.float32))
    assert names() == [f"lstm_cell{n}/{kind}" for n in ("", "_1") for kind in ("kernel", "bias")]


def test_layers_of_cells():
    x = placeholder()
    deep = cells.MultiRNNCell([cells.GRUCell(3), cells.BasicRNNCell(2)])
    one, states = tf.nn.dynamic_rnn(deep, x, dtype=tf.float32)
    with tf.variable_scope("rnn/multi_rnn_cell", reuse=True):
        inner, state = tf.nn.dynamic_rnn(cells.GRUCell(3), x, dtype=tf.float32, scope="cell_0")
        two, last = tf.nn.dynamic_rnn(
            cells.BasicRNNCell(2), inner, dtype=tf.float32, scope="cell_1"
        )
    found, _ = run([one, *states, two, state, last], {x: X})
    for a, b in zip(found[:3], found[3:], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)


def test_states_that_are_one_array():
    x = placeholder()
    deep = [cells.LSTMCell(3, state_is_tuple=False), cells.GRUCell(4)]
    deep = cells.MultiRNNCell(deep, state_is_tuple=False)
    assert deep.state_size == 10
    outputs, state = tf.nn.dynamic_rnn(deep, x, dtype=tf.float32)
    (outputs, state), _ = run([outputs, state], {x: X})
    np.testing.assert_array_equal(outputs[:, -1], state[:, 6:])


def test_a_state_that_is_fed_goes_on():
    x, cell = placeholder(), cells.BasicLSTMCell(3)
    c, h = (tf.placeholder(tf.float32, (None, 3)) for _ in "ch")
    outputs, state = tf.nn.dynamic_rnn(cell, x, initial_state=cells.LSTMStateTuple(c, h))
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        start = np.zeros((3, 3), np.float32)
        whole, last = sess.run([outputs, state], {x: X, c: start, h: start})
        # The same sequence's last step, from the state before it: through static_rnn.
        with tf.variable_scope("", reuse=True):
            steps = tf.unstack(x, axis=1)
            _, before = tf.nn.static_rnn(cell, steps[:3], cells.LSTMStateTuple(c, h))
        middle = sess.run(before, {x: X, c: start, h: start})
        found = sess.run(
            tf.nn.static_rnn(cell, steps[3:], cells.LSTMStateTuple(c, h), scope="end"),
            {x: X, c: middle.c, h: middle.h},
        )
    np.testing.assert_allclose(found[0][0], whole[:, 3], rtol=1e-5)
    np.testing.assert_allclose(found[1].c, last.c, rtol=1e-5)


def test_time_first():
    x, cell = placeholder(), cells.GRUCell(3)
    one = tf.nn.dynamic_rnn(cell, x, LENGTHS, dtype=tf.float32)
    turned = tf.transpose(x, [1, 0, 2])
    two = tf.nn.dynamic_rnn(cell, turned, LENGTHS, dtype=tf.float32, time_major=True, scope="b")
    ((one, last), (two, same)), _ = run([one, two], {x: X})
    np.testing.assert_array_equal(one, two.transpose(1, 0, 2))
    np.testing.assert_array_equal(last, same)


def test_both_directions():
    x, forward, backward = placeholder(), cells.GRUCell(3), cells.BasicRNNCell(2)
    both = tf.nn.bidirectional_dynamic_rnn(forward, backward, x, LENGTHS, dtype=tf.float32)
    one = tf.nn.dynamic_rnn(forward, x, LENGTHS, dtype=tf.float32)
    turned = tf.reverse_sequence(x, LENGTHS, seq_axis=1, batch_axis=0)
    other = tf.nn.dynamic_rnn(backward, turned, LENGTHS, dtype=tf.float32, scope="b")
    outputs = tf.reverse_sequence(other[0], LENGTHS, seq_axis=1, batch_axis=0)
    assert names()[0] == "bidirectional_rnn/fw/gru_cell/gates/kernel"
    assert names()[-1] == "bidirectional_rnn/bw/basic_rnn_cell/bias"
    found, _ = run([both, ((one[0], outputs), (one[1], other[1]))], {x: X})
    for pair, truth in zip(*found, strict=True):
        for a, b in zip(pair, truth, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5)


@pytest.mark.parametrize("row", ["peepholes", pytest.param("gru", marks=pytest.mark.slow)])
def test_gradients(row):
    """Through time, numerically; and the unrolled network has the same."""
    x, cell = placeholder(), ROWS[row][0]()
    outputs, _ = tf.nn.dynamic_rnn(cell, x, LENGTHS, dtype=tf.float32)
    static, _ = tf.nn.static_rnn(cell, tf.unstack(x, axis=1), None, tf.float32, LENGTHS, "s")
    losses = [tf.reduce_sum(tf.square(y)) for y in (outputs, tf.stack(static, 1))]
    variables = tf.trainable_variables()
    ours, theirs = (tf.gradients(loss, [x, *variables]) for loss in losses)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        one, two = sess.run([ours, theirs], {x: X})
        for a, b in zip(one, two, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
        assert not one[0][1, 2:].any()  # after its end
        for variable, gradient in zip(variables, one[1:], strict=True):
            value = sess.run(variable)
            way = R.randn(*value.shape).astype(np.float32)
            ends = []
            for step in (1e-2, -1e-2):
                variable.load(value + step * way, sess)
                ends.append(sess.run(losses[0], {x: X}))
            variable.load(value, sess)
            slope = (ends[0] - ends[1]) / 2e-2
            np.testing.assert_allclose((gradient * way).sum(), slope, rtol=0.02, atol=2e-3)


def test_the_graph_does_not_grow_with_the_steps(graph):
    counts = []
    for steps in (5, 500):
        with tf.Graph().as_default() as graph:
            x = tf.placeholder(tf.float32, (None, steps, 2))
            outputs, _ = tf.nn.dynamic_rnn(cells.LSTMCell(3), x, dtype=tf.float32)
            tf.gradients(outputs, tf.trainable_variables())
            counts.append(len(graph.get_operations()))
            found, _ = run(outputs, {x: np.ones((2, steps, 2))})
            assert found.shape == (2, steps, 3)
    assert counts[0] == counts[1]


def test_any_number_of_steps():
    x = tf.placeholder(tf.float32, (None, None, 2))
    outputs, _ = tf.nn.dynamic_rnn(cells.GRUCell(3), x, dtype=tf.float32)
    assert outputs.shape.as_list() == [None, None, 3]
    for steps in (1, 7):
        found, _ = run(outputs, {x: np.ones((2, steps, 2))})
        assert found.shape == (2, steps, 3)


# --- dropout -------------------------------------------------------------------------------


class Same(cells.RNNCell):
    """Gives its inputs, and adds them up in an LSTM's state."""

    state_size = cells.LSTMStateTuple(1000, 1000)
    output_size = 1000

    def call(self, inputs, state):
        return inputs, cells.LSTMStateTuple(state.c + inputs, state.h + inputs)


def test_dropout_of_inputs_and_outputs():
    x, keep = tf.ones((2, 3, 1000)), tf.placeholder_with_default(0.5, shape=())
    first = cells.DropoutWrapper(Same(), input_keep_prob=keep)
    outputs, state = tf.nn.dynamic_rnn(first, x, dtype=tf.float32)
    after = cells.DropoutWrapper(Same(), output_keep_prob=0.5)
    dropped, whole = tf.nn.dynamic_rnn(after, x, dtype=tf.float32, scope="b")
    with tf.Session() as sess:
        found, last, dropped, whole = sess.run([outputs, state.c, dropped, whole.c])
        for values in (found, dropped):
            assert set(np.unique(values)) == {0, 2}
            assert 0.45 < np.mean(values > 0) < 0.55
            assert 400 < np.sum(values[0, 0] != values[0, 1]) < 600  # another mask in each step
        np.testing.assert_array_equal(last, found.sum(1))
        np.testing.assert_array_equal(whole, 3)
        np.testing.assert_array_equal(sess.run(outputs, {keep: 1.0}), 1)


def test_dropout_of_states():
    x = tf.ones((2, 1, 1000))
    cell = cells.DropoutWrapper(Same(), state_keep_prob=0.5)
    _, state = tf.nn.dynamic_rnn(cell, x, dtype=tf.float32)
    with tf.Session() as sess:
        c, h = sess.run(state)
    np.testing.assert_array_equal(c, 1)
    assert set(np.unique(h)) == {0, 2}


def test_seeded_dropout_is_the_same_in_every_session():
    cell = cells.DropoutWrapper(Same(), input_keep_prob=0.5, seed=3)
    outputs, _ = tf.nn.dynamic_rnn(cell, tf.ones((1, 2, 1000)), dtype=tf.float32)
    found = []
    for _ in range(2):
        with tf.Session() as sess:
            found.append(sess.run([outputs, outputs])[0])
    np.testing.assert_array_equal(*found)


# --- cells of one's own, and errors --------------------------------------------------------


def test_a_cell_of_ones_own():
    class Sum(cells.RNNCell):
        state_size = output_size = 2

        def build(self, inputs_shape):
            self.w = self.add_variable("w", [int(inputs_shape[-1]), 2])

        def call(self, inputs, state):
            new = state + tf.matmul(inputs, self.w) * tf.get_variable("scale", [2])
            return new, new

    x, cell = placeholder(), Sum()
    dynamic, _ = tf.nn.dynamic_rnn(cell, x, dtype=tf.float32)
    static, _ = tf.nn.static_rnn(cell, tf.unstack(x, axis=1), dtype=tf.float32)
    assert names() == ["rnn/sum/w", "rnn/sum/scale"]
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        found, steps, *w = sess.run([dynamic, static, *cell.variables], {x: X})
    np.testing.assert_allclose(found, np.cumsum(X @ w[0] * w[1], 1), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(np.stack(steps, 1), found, rtol=1e-5)


def test_a_wrapper_that_does_not_know_the_base():
    class Device(cells.RNNCell):
        state_size = output_size = 3

        def __init__(self, cell):
            self._inner = cell

        def __call__(self, inputs, state, scope=None):
            return self._inner(inputs, state, scope)

    x = placeholder()
    tf.nn.dynamic_rnn(Device(cells.BasicRNNCell(3)), x, dtype=tf.float32)
    assert names()[0] == "rnn/basic_rnn_cell/kernel"


def test_what_cannot_be_made():
    x, cell = placeholder(), cells.BasicRNNCell(3)
    with pytest.raises(ValueError, match="no initial_state, you must give a dtype"):
        tf.nn.dynamic_rnn(cell, x)
    with pytest.raises(ValueError, match=r"must be \(batch, time, depth\)"):
        tf.nn.dynamic_rnn(cell, x[:, 0], dtype=tf.float32)
    with pytest.raises(TypeError, match=r"tf\.unstack"):
        tf.nn.static_rnn(cell, x, dtype=tf.float32)
    with pytest.raises(ValueError, match="must be alike"):
        tf.nn.dynamic_rnn(cell, x, initial_state=tf.zeros((3, 4)))
    with pytest.raises(TypeError, match="float64"):
        tf.nn.dynamic_rnn(cells.BasicRNNCell(3), x, dtype=tf.float64, scope="d")
    with pytest.raises(tf.errors.UnimplementedError, match=r"tf\.nn\.raw_rnn is left out"):
        tf.nn.raw_rnn(cell, lambda *_: None)


def test_two_networks_of_one_name():
    x = placeholder()
    tf.nn.dynamic_rnn(cells.BasicRNNCell(3), x, dtype=tf.float32)
    with pytest.raises(ValueError, match="rnn/basic_rnn_cell/kernel already exists"):
        tf.nn.dynamic_rnn(cells.BasicRNNCell(3), x, dtype=tf.float32)
