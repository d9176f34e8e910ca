"""Attention and layer normalisation against plain formulas."""

import numpy as np
import pytest

import bital
from bital import keras
from bital.errors import ArgumentError, ShapeError
from bital.keras import layers


@pytest.fixture(autouse=True)
def _numpy_executor():
    with bital.config.executor("numpy"):
        yield


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def by_hand(weights, q, v, seen):
    """Multi-head attention, sample by sample, head by head, query by query."""
    wq, bq, wk, bk, wv, bv, wo, bo = weights
    out = np.zeros((*q.shape[:2], wo.shape[-1]))
    scores = np.zeros((len(q), wq.shape[1], q.shape[1], v.shape[1]))
    for b in range(len(q)):
        for h in range(wq.shape[1]):
            queries, keys = q[b] @ wq[:, h] + bq[h], v[b] @ wk[:, h] + bk[h]
            values = v[b] @ wv[:, h] + bv[h]
            for t in range(q.shape[1]):
                ones = np.flatnonzero(seen[b, t])
                weight = softmax(keys[ones] @ queries[t] / np.sqrt(wq.shape[2]))
                scores[b, h, t, ones] = weight
                out[b, t] += weight @ values[ones] @ wo[h]
    return out + bo, scores


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_multi_head_attention_by_hand(causal, masked, rng):
    q, v = rng.normal(size=(2, 4, 6)), rng.normal(size=(2, 4, 3))
    layer = layers.MultiHeadAttention(2, 3, value_dim=2, dtype="float64")
    layer(q, v)
    layer.set_weights([rng.normal(size=w.shape) for w in layer.weights])
    seen = np.ones((2, 4, 4), bool)
    options = {}
    if causal:
        seen &= np.tri(4, dtype=bool)
        options["use_causal_mask"] = True
    if masked:
        options["value_mask"] = np.array([[True, True, False, True], [True, False, False, False]])
        seen &= options["value_mask"][:, np.newaxis]
    output, scores = layer(q, v, return_attention_scores=True, **options)
    expected, weights = by_hand([w.numpy() for w in layer.weights], q, v, seen)
    np.testing.assert_allclose(output, expected, rtol=1e-10)
    np.testing.assert_allclose(scores, weights, rtol=1e-10, atol=1e-15)


def test_an_attention_mask_and_a_window(rng):
    x = rng.normal(size=(2, 5, 4))
    layer = layers.MultiHeadAttention(2, 3, sliding_window=2, dtype="float64")
    _, scores = layer(x, x, return_attention_scores=True)
    band = np.abs(np.subtract.outer(np.arange(5), np.arange(5))) < 2
    np.testing.assert_array_equal(scores > 0, np.broadcast_to(band, scores.shape))
    mask = rng.random((2, 5, 5)) < 0.5
    mask |= np.eye(5, dtype=bool)
    _, scores = layer(x, x, attention_mask=mask, return_attention_scores=True)
    np.testing.assert_array_equal(scores > 0, np.broadcast_to((mask & band)[:, None], scores.shape))


def test_a_causal_layer_sees_nothing_that_comes_later(rng):
    x = rng.normal(size=(1, 6, 4))
    layer = layers.MultiHeadAttention(2, 2, dtype="float64")
    y = layer(x, x, use_causal_mask=True)
    x[:, 4:] = rng.normal(size=(1, 2, 4))
    z = layer(x, x, use_causal_mask=True)
    np.testing.assert_array_equal(y[:, :4], z[:, :4])
    assert np.all(y[:, 4:] != z[:, 4:])


def test_attention_by_hand(rng):
    q, v, k = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 5, 2)), rng.normal(size=(2, 5, 4))
    masks = [np.array([[True, True, False]] * 2), rng.random((2, 5)) < 0.6]
    masks[1][:, 0] = True
    layer = layers.Attention(dtype="float64")
    output, weights = layer([q, v, k], mask=masks, return_attention_scores=True)
    scores = np.where(masks[1][:, np.newaxis], q @ k.swapaxes(1, 2), -np.inf)
    np.testing.assert_allclose(weights, softmax(scores), rtol=1e-10, atol=1e-15)
    expected = np.where(masks[0][:, :, np.newaxis], softmax(scores) @ v, 0)
    np.testing.assert_allclose(output, expected, rtol=1e-10)


def test_layer_normalization_by_hand(rng):
    x = rng.normal(size=(3, 4, 5))
    layer = layers.LayerNormalization(axis=(1, 2), epsilon=0.01, dtype="float64")
    layer(x)
    gamma, beta = (rng.normal(size=(4, 5)) for _ in "ab")
    layer.set_weights([gamma, beta])
    mean, var = x.mean(axis=(1, 2), keepdims=True), x.var(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(
        layer(x), gamma * (x - mean) / np.sqrt(var + 0.01) + beta, rtol=1e-10
    )


def test_a_transformer_learns_to_copy():
    """With functional layers, compiled by the default executor: the loss falls far below chance."""
    rng = np.random.default_rng(1)
    tokens = rng.integers(1, 5, (64, 6))
    x = layers.Input((6,))
    h = layers.Embedding(5, 16)(x)
    a = layers.MultiHeadAttention(2, 8)(h, h, use_causal_mask=True)
    h = layers.LayerNormalization()(h + a)
    h = layers.LayerNormalization()(h + layers.Dense(16, "relu")(h))
    model = keras.Model(x, layers.Dense(5, "softmax")(h))
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    before = np.roll(tokens, 1, axis=1)
    before[:, 0] = tokens[:, 0]
    history = model.fit(tokens, before, batch_size=16, epochs=40, verbose=0)
    assert history.history["loss"][-1] < 0.8 < 1.3 < history.history["loss"][0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.MultiHeadAttention(0, 3), "at least 1"),
        (lambda: layers.MultiHeadAttention(2, 3, flash_attention=True), "Leave it out"),
        (lambda: layers.Attention(score_mode="cosine"), "score_mode"),
        (lambda: layers.LayerNormalization(epsilon=-1), "between"),
    ],
)
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises(ArgumentError, match=message):
        make()


def test_inputs_that_do_not_fit():
    x = np.zeros((2, 5, 4))
    with pytest.raises(ShapeError, match="called on a list"):
        layers.Attention()(x)
    with pytest.raises(ShapeError, match="as many steps"):
        layers.Attention()([x, x, x[:, :3]])
    with pytest.raises(ShapeError, match="but for the features"):
        layers.MultiHeadAttention(2, 3)(x, x, x[:, :3])
    with pytest.raises(ShapeError, match="known sizes"):
        layers.LayerNormalization(axis=1).build((None, None, 3))
