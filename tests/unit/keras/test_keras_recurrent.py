"""Recurrent layers: worked by hand, masked, with kept states, in both directions."""

import numpy as np
import pytest

import bital
from bital import keras
from bital.errors import ArgumentError, ModelStateError, ShapeError
from bital.keras import layers
from bital.keras.variables import holding

KINDS = [layers.SimpleRNN, layers.LSTM, layers.GRU]
kinds = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


@pytest.fixture(autouse=True)
def _numpy_executor():
    with bital.config.executor("numpy"):
        yield


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(3, 6, 2))


def same(layer, other, x):
    """The other layer, with the weights of the first."""
    other(x)
    other.set_weights(layer.get_weights())
    return other


def test_an_lstm_step_worked_by_hand():
    layer = layers.LSTM(1, return_state=True, dtype="float64")
    layer.build((None, None, 1))
    layer.set_weights(
        [
            np.array([[0.5, -0.3, 0.8, 0.1]]),
            np.array([[0.2, 0.4, -0.6, 0.7]]),
            np.array([0.1, 1.0, -0.2, 0.3]),
        ]
    )
    first = [np.array([[0.5]]), np.array([[-1.0]])]
    output, h, c = layer(np.array([[[2.0]]]), initial_state=first)
    # z = 2 * kernel + 0.5 * recurrent + bias
    i = 1 / (1 + np.exp(-(1.0 + 0.1 + 0.1)))
    f = 1 / (1 + np.exp(-(-0.6 + 0.2 + 1.0)))
    g = np.tanh(1.6 - 0.3 - 0.2)
    o = 1 / (1 + np.exp(-(0.2 + 0.35 + 0.3)))
    cell = f * -1.0 + i * g
    np.testing.assert_allclose(c, [[cell]], rtol=1e-14)
    np.testing.assert_allclose(h, [[o * np.tanh(cell)]], rtol=1e-14)
    np.testing.assert_array_equal(output, h)


@pytest.mark.parametrize("reset_after", [True, False])
def test_a_gru_step_worked_by_hand(reset_after):
    layer = layers.GRU(1, dtype="float64", reset_after=reset_after)
    layer.build((None, None, 1))
    bias = np.array([[0.1, 0.2, 0.3], [-0.1, 0.4, 0.5]])
    kernels = [np.array([[0.5, -0.3, 0.8]]), np.array([[0.2, 0.4, -0.6]])]
    layer.set_weights([*kernels, bias if reset_after else bias[0]])
    h = 0.5
    (xz, xr, xh), (hz, hr, hh) = 2 * kernels[0][0] + bias[0], h * kernels[1][0]
    if reset_after:
        hz, hr, hh = np.array([hz, hr, hh]) + bias[1]
    z, r = 1 / (1 + np.exp(-(xz + hz))), 1 / (1 + np.exp(-(xr + hr)))
    new = np.tanh(xh + r * hh)
    found = layer(np.array([[[2.0]]]), initial_state=[np.array([[h]])])
    np.testing.assert_allclose(found, [[z * h + (1 - z) * new]], rtol=1e-14)


@kinds
def test_masked_steps_count_as_if_they_were_not_there(kind, x):
    layer = kind(4, return_sequences=True, return_state=True, dtype="float64")
    lengths = [6, 2, 4]
    mask = np.arange(6) < np.array(lengths)[:, np.newaxis]
    outputs, *states = layer(x, mask=mask)
    for row, length in enumerate(lengths):
        alone, *ends = layer(x[row : row + 1, :length])
        np.testing.assert_allclose(outputs[row, :length], alone[0], rtol=1e-12)
        np.testing.assert_allclose(outputs[row, length:] - alone[0, -1], 0, atol=1e-12)
        for state, end in zip(states, ends, strict=True):
            np.testing.assert_allclose(state[row], end[0], rtol=1e-12)


@kinds
def test_a_mask_with_a_gap(kind, x):
    layer = kind(4, dtype="float64")
    mask = np.ones((3, 6), bool)
    mask[:, 2:4] = False
    without = np.delete(x, [2, 3], axis=1)
    np.testing.assert_allclose(layer(x, mask=mask), layer(without), rtol=1e-12)


@kinds
def test_stateful_batches_are_one_long_sequence(kind, x):
    layer = kind(4, return_sequences=True, dtype="float64")
    whole = layer(x)
    kept = kind(4, return_sequences=True, stateful=True, dtype="float64")
    kept.build((3, None, 2))
    kept.set_weights(layer.get_weights())
    parts = [kept(x[:, :2]), kept(x[:, 2:])]
    np.testing.assert_allclose(np.concatenate(parts, axis=1), whole, rtol=1e-12)
    kept.reset_state()
    np.testing.assert_allclose(kept(x), whole, rtol=1e-12)


def test_states_are_weights_that_training_does_not_change_by_gradients(x):
    layer = layers.LSTM(4, stateful=True)
    layer.build((3, 6, 2))
    assert [w.shape for w in layer.non_trainable_weights] == [(3, 4), (3, 4)]
    assert len(layer.trainable_weights) == 3
    layer(x)
    assert any(np.any(w.numpy()) for w in layer.non_trainable_weights)
    with pytest.raises(ShapeError, match="must be"):
        layer(x[:2])


def test_stateful_without_a_batch_size_says_what_to_write(x):
    layer = layers.GRU(2, stateful=True)
    with pytest.raises(ModelStateError, match="batch_size=32"):
        bital.jit(layer)(x)


@kinds
def test_backwards_is_the_sequence_turned_round(kind, x):
    layer = kind(4, return_sequences=True, dtype="float64")
    y = layer(x[:, ::-1])
    back = same(layer, kind(4, return_sequences=True, go_backwards=True, dtype="float64"), x)
    np.testing.assert_allclose(back(x), y, rtol=1e-12)


@pytest.mark.parametrize("merge", ["sum", "mul", "ave", "concat", None])
@pytest.mark.parametrize("sequences", [True, False])
def test_bidirectional_merges_two_layers(merge, sequences, x):
    both = layers.Bidirectional(
        layers.GRU(4, return_sequences=sequences), merge_mode=merge, dtype="float64"
    )
    found = both(x)
    forward, backward = (layers.GRU(4, return_sequences=sequences, dtype="float64") for _ in "ab")
    weights = both.get_weights()
    for layer, part in ((forward, weights[:3]), (backward, weights[3:])):
        layer(x)
        layer.set_weights(part)
    y, back = forward(x), backward(x[:, ::-1])
    back = back[:, ::-1] if sequences else back
    expected = {
        "sum": y + back,
        "mul": y * back,
        "ave": (y + back) / 2,
        "concat": np.concatenate([y, back], axis=-1),
        None: (y, back),
    }[merge]
    for a, b in zip(bital.tree.leaves(found), bital.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_dropout_drops_the_same_elements_at_all_steps():
    layer = layers.SimpleRNN(
        50,
        activation="linear",
        dropout=0.5,
        use_bias=False,
        kernel_initializer="identity",
        recurrent_initializer="zeros",
        return_sequences=True,
    )
    y = layer(np.ones((2, 4, 50)), training=True)
    np.testing.assert_array_equal(y, np.broadcast_to(y[:, :1], y.shape))
    assert set(np.unique(y)) == {0.0, 2.0}
    np.testing.assert_array_equal(layer(np.ones((2, 4, 50))), np.ones((2, 4, 50)))


def test_recurrent_dropout_drops_parts_of_the_state():
    layer = layers.SimpleRNN(
        50,
        activation="linear",
        recurrent_dropout=0.5,
        kernel_initializer="ones",
        recurrent_initializer="identity",
        return_sequences=True,
    )
    y = layer(np.ones((1, 2, 1)), training=True)
    assert set(np.unique(y[:, 0])) == {1.0}
    assert set(np.unique(y[:, 1])) == {1.0, 3.0}  # 1 + 0 and 1 + 2 * 1


def test_a_cell_of_the_users_own(x):
    class Sum(layers.Layer):
        state_size = 2

        def call(self, x, states):
            return 2 * (states[0] + x), states[0] + x

    y = layers.RNN(Sum(), return_sequences=True, dtype="float64")(x)
    np.testing.assert_allclose(y, 2 * np.cumsum(x, axis=1), rtol=1e-12)
    both = layers.Bidirectional(layers.RNN(Sum(), return_sequences=True), dtype="float64")(x)
    back = 2 * np.cumsum(x[:, ::-1], axis=1)[:, ::-1]
    np.testing.assert_allclose(both, np.concatenate([y, back], axis=-1), rtol=1e-12)
    last, state = layers.RNN(Sum(), return_state=True, dtype="float64")(x)
    np.testing.assert_allclose(last, 2 * np.sum(x, axis=1), rtol=1e-12)
    np.testing.assert_allclose(state, np.sum(x, axis=1), rtol=1e-12)


def test_masking_and_time_distributed_in_a_model(x):
    x[1, 3:] = 0
    model = keras.Sequential(
        [
            layers.Input((None, 2)),
            layers.Masking(),
            layers.TimeDistributed(layers.Dense(3, use_bias=False)),
            layers.LSTM(4),
        ]
    )
    y = model.predict(x)
    alone = model.predict(x[1:2, :3])
    np.testing.assert_allclose(y[1], alone[0], rtol=1e-5)


def test_a_stateful_layer_is_carried_through_fit(x, tmp_path):
    lstm = layers.LSTM(3, stateful=True, batch_size=3)
    model = keras.Sequential([layers.Input((6, 2)), lstm, layers.Dense(1)])
    model.compile("sgd", "mse")
    two = np.concatenate([x, x])
    model.fit(two, np.zeros((6, 1)), batch_size=3, epochs=1, shuffle=False, verbose=0)
    states = [w.numpy() for w in model.layers[0].non_trainable_weights]
    assert all(np.any(state) for state in states)
    model.save(tmp_path / "model.safetensors")
    again = keras.models.load_model(tmp_path / "model.safetensors")
    for state, kept in zip(states, again.layers[0].non_trainable_weights, strict=True):
        np.testing.assert_array_equal(state, kept.numpy())


def test_the_compiled_program_does_not_grow_with_the_sequence():
    pytest.importorskip("llvmlite")
    layer = layers.LSTM(4)
    layer.build((None, None, 2))

    def loss(weights, x):
        with holding(layer.weights, weights):
            return np.sum(layer(x))

    def size(steps):
        x = np.zeros((2, steps, 2), np.float32)
        weights = [w.value for w in layer.weights]
        return len(bital.trace(bital.grad(loss), weights, x).to_llvm().splitlines())

    # Not equal: where products stand, and who shares a loop, goes by the amounts of memory.
    assert size(1000) < 1.1 * size(10)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.LSTM(0), "at least 1"),
        (lambda: layers.LSTM(4, dropout=1.5), "between 0 and 1"),
        (lambda: layers.GRU(4, time_major=True), "swapaxes"),
        (lambda: layers.LSTM(4, use_cudnn=True), "cuDNN"),
        (lambda: layers.RNN(layers.Dense(3)), "state_size"),
        (lambda: layers.Bidirectional(layers.Dense(3)), "recurrent layer"),
        (lambda: layers.Bidirectional(layers.LSTM(3), merge_mode="max"), "merge_mode"),
        (
            lambda: layers.Bidirectional(layers.LSTM(3), backward_layer=layers.LSTM(3)),
            "other way",
        ),
        (lambda: layers.TimeDistributed(3), "must be a layer"),
    ],
)
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises(ArgumentError, match=message):
        make()


def test_inputs_that_are_no_sequences(x):
    with pytest.raises(ShapeError, match="newaxis"):
        layers.LSTM(4)(x[:, :, 0])
    with pytest.raises(ShapeError, match="mask"):
        layers.LSTM(4)(x, mask=np.ones((3, 5), bool))
    with pytest.raises(ShapeError, match="at least 3"):
        layers.TimeDistributed(layers.Dense(3))(x[:, :, 0])
