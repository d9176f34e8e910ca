"""What the table of layers does not say: masks, statistics of noise, errors."""

import numpy as np
import pytest

import bital
from bital import keras
from bital.errors import ArgumentError, DataError, IndexOutOfBoundsError, ShapeError
from bital.keras import layers

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _numpy_executor():
    with bital.config.executor("numpy"):
        yield


def test_embedding_of_bad_integers():
    layer = layers.Embedding(4, 2)
    with pytest.raises(
        IndexOutOfBoundsError, match=r"position \(1, 0\) is 4.*Embedding\(input_dim=5"
    ):
        layer(np.array([[0, 1], [4, 0]]))
    with pytest.raises(IndexOutOfBoundsError, match=r"position \(0,\) is -1"):
        layer(np.array([-1]))
    for executor in ("numpy", "native"):
        compiled = bital.jit(lambda x: layer(x), executor=executor)
        np.testing.assert_array_equal(compiled(np.array([3, 0])), layer(np.array([3, 0])))
        for bad in (4, -1):  # -1 is not the last one
            with pytest.raises(IndexError, match="out of bounds"):
                compiled(np.array([0, bad]))
    assert layer(np.array([[2.0]])).shape == (1, 1, 2)


def test_embedding_in_a_model():
    x = RNG.integers(0, 9, (40, 5))
    y = (x == 3).any(axis=1).astype(np.float32)[:, np.newaxis]
    model = keras.Sequential(
        [
            layers.Input((5,)),
            layers.Embedding(9, 4),
            layers.Flatten(),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.05), "binary_crossentropy")
    losses = model.fit(x, y, epochs=30, batch_size=20, verbose=0, seed=0).history["loss"]
    assert losses[-1] < 0.5 * losses[0]


def test_masks_of_embedding_and_merging():
    ids = np.array([[1, 0, 2], [0, 0, 3]])
    embedding = layers.Embedding(4, 2, mask_zero=True)
    mask = embedding.compute_mask(ids)
    assert mask.tolist() == [[True, False, True], [False, False, True]]
    assert layers.Embedding(4, 2).compute_mask(ids) is None
    other = np.array([[True, True, False], [False, True, True]])
    x, y = RNG.normal(size=(2, 2, 3, 2)).astype(np.float32)
    masks = [mask, other]
    assert layers.Add().compute_mask([x, y], masks).tolist() == (mask | other).tolist()
    assert layers.Add().compute_mask([x, y], [mask, None]) is None
    a, b = mask[..., np.newaxis], other[..., np.newaxis]
    # A masked place does not count, and is 0 in a product where no input counts.
    product = np.where(a | b, np.where(a, x, 1) * np.where(b, y, 1), 0)
    np.testing.assert_array_equal(layers.Multiply()([x, y], mask=masks), product)
    largest = np.where(a & b, np.maximum(x, y), np.where(a, x, np.where(b, y, x)))
    np.testing.assert_array_equal(layers.Maximum()([x, y], mask=masks), largest)
    along = layers.Concatenate(axis=1).compute_mask([x, y], masks)
    np.testing.assert_array_equal(along, np.concatenate(masks, axis=1))
    features = layers.Concatenate().compute_mask([x, y], [mask, None])
    assert features.all()  # an input without a mask counts everywhere
    assert layers.Dot(1).compute_mask([x, y], masks) is None


def test_merging_of_wrong_shapes():
    with pytest.raises(ShapeError, match="do not broadcast"):
        layers.Add()([np.zeros((2, 3)), np.zeros((2, 4))])
    with pytest.raises(ShapeError, match="all sizes but those along"):
        layers.Concatenate()([np.zeros((2, 3, 1)), np.zeros((2, 4, 1))])
    with pytest.raises(ShapeError, match="takes two arrays"):
        layers.Subtract()([np.zeros((2, 3))] * 3)
    with pytest.raises(ShapeError, match="must be equal"):
        layers.Dot(1)([np.zeros((2, 3)), np.zeros((2, 4))])
    with pytest.raises(ShapeError, match="takes a list"):
        layers.Add()(np.zeros((2, 3)))
    with pytest.raises(ArgumentError, match="the batch"):
        layers.Concatenate(axis=0)
    np.testing.assert_array_equal(layers.add([np.ones((1, 2))] * 3), np.full((1, 2), 3))


def test_equations():
    layer = layers.EinsumDense("abc,cd->abd", (None, 4))
    assert layer.compute_output_shape((None, 3, 5)) == (None, 3, 4)
    assert layer(np.zeros((2, 3, 5))).shape == (2, 3, 4)
    for bad in ("ab,bc", "...ab,bc->ac", "ab...,bc->...ac", "ab,bc->ad", "ab,bcd->ac", "ab->ac"):
        with pytest.raises(ArgumentError, match="equation="):
            layers.EinsumDense(bad, 3)
    with pytest.raises(ArgumentError, match="bias_axes"):
        layers.EinsumDense("ab,bc->ac", 3, bias_axes="b")
    with pytest.raises(ShapeError, match="takes inputs of 2 axes"):
        layers.EinsumDense("ab,bc->ac", 3)(np.zeros((2, 3, 4)))
    with pytest.raises(ShapeError, match="axis 'c' of"):
        layer(np.zeros((2, 3, 6)))
    # Glorot by the axes that are summed over: 40 inputs, 8 outputs.
    wide = layers.EinsumDense("abc,bcd->ad", 8)
    wide.build((None, 8, 5))
    limit = np.sqrt(6 / 48)
    assert 0.9 * limit < np.abs(wide.kernel.numpy()).max() <= limit


def test_noise_keeps_the_moments():
    x = RNG.normal(size=(400, 300)).astype(np.float32)
    y = layers.AlphaDropout(0.3, seed=0)(x, training=True)
    assert abs(y.mean()) < 0.02
    assert y.var() == pytest.approx(1, abs=0.03)
    noise = layers.GaussianNoise(0.5, seed=0)(x, training=True) - x
    assert noise.std() == pytest.approx(0.5, abs=0.01)
    factor = layers.GaussianDropout(0.2, seed=0)(np.ones_like(x), training=True)
    assert factor.mean() == pytest.approx(1, abs=0.01)
    assert factor.var() == pytest.approx(0.25, abs=0.01)
    kept = layers.SpatialDropout2D(0.5, seed=0)(np.ones((64, 3, 4, 32)), training=True)
    assert set(np.unique(kept)) == {0, 2}
    assert np.ptp(kept, axis=(1, 2)).max() == 0
    with pytest.raises(ArgumentError, match="infinite"):
        layers.GaussianDropout(1.0)
    with pytest.raises(ShapeError, match="4 axes"):
        layers.SpatialDropout2D(0.5)(np.ones((2, 3, 4)), training=True)


def test_activity_regularization_lowers_activity():
    def trained(l2):
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [
                layers.Input((3,)),
                layers.Dense(4),
                layers.ActivityRegularization(l2=l2),
                layers.Dense(1),
            ]
        )
        model.compile("sgd", "mse")
        x = np.ones((16, 3), np.float32)
        model.fit(x, x[:, :1], epochs=40, verbose=0, seed=0)
        return np.sum(model.layers[0](x) ** 2)

    assert trained(0.1) < 0.8 * trained(0.0)


def test_lambda():
    scaled = layers.Lambda(lambda x, by: x * by, arguments={"by": 3})
    assert scaled(np.ones((1, 2))).tolist() == [[3, 3]]
    told = layers.Lambda(lambda x, training: x + 1 if training else x)
    assert told(np.ones((1, 1)), training=True).item() == 2
    assert told(np.ones((1, 1))).item() == 1
    shaped = layers.Lambda(lambda x: x[:, :1], output_shape=(1,))
    assert shaped.compute_output_shape((None, 5)) == (None, 1)
    assert layers.Lambda(np.tanh).compute_output_shape((None, 5)) == (None, 5)
    with pytest.raises(ArgumentError, match="must be a function"):
        layers.Lambda("tanh")


def test_strings_stay_out_of_models():
    lookup = layers.StringLookup(vocabulary=["a", "b"])
    model = keras.Sequential([layers.Input((1,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    words = np.array([["a"], ["b"]])
    with pytest.raises(DataError, match="needs numbers"):
        model.fit(words, np.zeros((2, 1)), verbose=0)
    model.fit(lookup(words), np.zeros((2, 1)), verbose=0)


def test_shapes():
    with pytest.raises(ArgumentError, match="each of 1 to 2 once"):
        layers.Permute((1, 3))
    with pytest.raises(ShapeError, match=r"\(batch, features\)"):
        layers.RepeatVector(2)(np.zeros((2, 3, 4)))
    with pytest.raises(ArgumentError, match="moveaxis"):
        layers.Flatten(data_format="channels_first")
    shared = layers.PReLU(shared_axes=1)
    shared(np.zeros((2, 4, 3)))
    with pytest.raises(ShapeError, match="alpha of shape"):
        shared(np.zeros((2, 4, 5)))
