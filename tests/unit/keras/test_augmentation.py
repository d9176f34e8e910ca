"""Images changed at random: beside SciPy with forced parameters, and what is drawn."""

import json

import numpy as np
import pytest
from scipy import ndimage

import bital
from bital import keras
from bital.errors import ArgumentError, ShapeError
from bital.keras import layers
from bital.keras.layers.preprocessing import images

SCIPY = {
    "reflect": "reflect",
    "wrap": "grid-wrap",
    "constant": "grid-constant",
    "nearest": "nearest",
}
X = np.random.default_rng(0).normal(size=(2, 5, 7, 3))
MAKERS = [
    lambda: layers.RandomFlip(seed=1),
    lambda: layers.RandomRotation(0.2, "wrap", seed=1),
    lambda: layers.RandomTranslation(0.3, (-0.2, 0.4), "constant", fill_value=2.0, seed=1),
    lambda: layers.RandomZoom(0.3, (-0.5, 0.1), interpolation="nearest", seed=1),
    lambda: layers.RandomContrast((0.3, 0.6), value_range=(-9, 9), seed=1),
    lambda: layers.RandomBrightness(0.4, value_range=(-9, 9), seed=1),
    lambda: layers.RandomCrop(3, 4, seed=1),
]


@pytest.mark.parametrize("mode", images.FILL_MODES)
@pytest.mark.parametrize("interpolation", images.INTERPOLATIONS)
def test_affine_maps(mode, interpolation):
    rng = np.random.default_rng(1)
    matrix = rng.normal(size=(2, 2, 3)) * [1.3, 1.3, 6]  # far outside, too
    found = images.affine(X, matrix, interpolation, mode, 0.7)
    y, x = np.mgrid[:5, :7]
    for image, (across, down), result in zip(X, matrix, found, strict=True):
        places = [row[0] * x + row[1] * y + row[2] for row in (down, across)]
        for channel in range(3):
            expected = ndimage.map_coordinates(
                image[..., channel],
                places,
                order=1 if interpolation == "bilinear" else 0,
                mode=SCIPY[mode],
                cval=0.7,
            )
            np.testing.assert_allclose(result[..., channel], expected, atol=1e-12)


@pytest.mark.parametrize("mode", images.FILL_MODES)
def test_derivative(mode):
    layer = layers.RandomRotation(0.5, mode)
    angle = np.array([0.3, -2.0])
    bital.testing.check_grads(lambda x: layer.transform(x, angle), (X,), order=1)


def test_rotation_by_quarters():
    """Counterclockwise, exact: the corners land on corners."""
    square = X[:, :, :5]
    found = layers.RandomRotation(0.25).transform(square, np.full(2, np.pi / 2))
    np.testing.assert_allclose(found, np.rot90(square, axes=(1, 2)), atol=1e-12)


def test_whole_pixels():
    moved = layers.RandomTranslation(0.5, 0.5, "constant").transform(
        X, np.array([1.0, -2.0]), np.array([0.0, 3.0])
    )
    np.testing.assert_allclose(moved[0], np.pad(X[0], [(1, 0), (0, 0), (0, 0)])[:5], atol=1e-12)
    np.testing.assert_allclose(moved[1], np.pad(X[1], [(0, 2), (3, 0), (0, 0)])[2:, :7], atol=1e-12)
    flipped = layers.RandomFlip().transform(X, np.array([True, False]), np.array([True, True]))
    np.testing.assert_array_equal(flipped[0], X[0, ::-1, ::-1])
    np.testing.assert_array_equal(flipped[1], X[1, ::-1])
    cut = layers.RandomCrop(3, 4).transform(X, np.array([0, 2]), np.array([3, 1]))
    np.testing.assert_array_equal(cut[0], X[0, :3, 3:])
    np.testing.assert_array_equal(cut[1], X[1, 2:, 1:5])


@pytest.mark.parametrize("make", MAKERS, ids=lambda make: type(make()).__name__)
def test_what_is_drawn(make):
    """Another change for each image, a function of the seed, in training only."""
    layer = make()
    x = np.repeat(X[:1], 40, axis=0)
    y = layer(x, training=True)
    kinds = np.unique(y, axis=0)
    assert len(kinds) > (3 if isinstance(layer, layers.RandomFlip) else 4)
    np.testing.assert_array_equal(layer(x, training=True), y)
    if not isinstance(layer, layers.RandomCrop):
        np.testing.assert_array_equal(layer(x), x.astype(np.float32))
    again = type(layer).from_config(json.loads(json.dumps(layer.get_config())))
    np.testing.assert_array_equal(again(x, training=True), y)
    compiled = bital.jit(lambda x: layer(x, training=True), executor="numpy")
    np.testing.assert_allclose(compiled(x.astype(np.float32)), y, atol=1e-6)


def test_bounds_of_what_is_drawn():
    key, x = bital.random.key(0), np.zeros((500, 10, 20, 1))
    down, right = layers.RandomTranslation((0.1, 0.3), 0.5).draw(key, x)
    assert 1 <= down.min() < 1.1
    assert 2.9 < down.max() <= 3
    assert -10 <= right.min() < -9.5
    assert 9.5 < right.max() <= 10
    (angle,) = layers.RandomRotation((-0.25, 0)).draw(key, x)
    assert -np.pi / 2 <= angle.min() < -1.5
    assert angle.max() <= 0
    down, right = layers.RandomZoom((-0.5, -0.25)).draw(key, x)
    assert down is right
    assert 0.5 <= down.min() < down.max() <= 0.75


def test_training_with_images_on_native():
    model = keras.Sequential(
        [
            layers.Input((6, 6, 1)),
            layers.RandomRotation(0.1, seed=0),
            layers.RandomCrop(5, 5, seed=0),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )
    x, y = np.ones((8, 6, 6, 1), np.float32), np.ones((8, 1), np.float32)
    weights = []
    for executor in ("numpy", "native"):
        model.layers[-1].set_weights([np.full((25, 1), 0.01), np.zeros(1)])
        model.compile("sgd", "mse", executor=executor)
        model.fit(x, y, batch_size=4, epochs=2, verbose=0, seed=0)
        weights.append(model.get_weights())
    for a, b in zip(*weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_resizing_keeps_what_it_should():
    assert layers.Resizing(2, 2, crop_to_aspect_ratio=True)(X).shape == (2, 2, 2, 3)
    constant = np.full((1, 5, 7, 2), 3.0)
    for kind in images.RESIZING:
        for size in ((3, 4), (9, 11)):
            for antialias in (False, True):
                found = layers.Resizing(*size, kind, antialias=antialias)(constant)
                np.testing.assert_allclose(found, 3.0, rtol=1e-6)
    same = layers.Resizing(5, 7, "bicubic")(X)
    np.testing.assert_allclose(same, X, atol=1e-6)
    padded = layers.Resizing(4, 4, pad_to_aspect_ratio=True)(np.ones((1, 2, 4, 1)))
    np.testing.assert_allclose(padded[0, :, 0, 0], [0, 1, 1, 0])
    np.testing.assert_array_equal(layers.CenterCrop(3, 3)(X), X[:, 1:4, 2:5].astype(np.float32))


def test_bad_arguments():
    with pytest.raises(ArgumentError, match="between -1 and 1"):
        layers.RandomRotation(2.0)
    with pytest.raises(ArgumentError, match="fill_mode"):
        layers.RandomZoom(0.1, fill_mode="mirror")
    with pytest.raises(ArgumentError, match="moveaxis"):
        layers.RandomFlip(data_format="channels_first")
    with pytest.raises(ArgumentError, match="only one of them"):
        layers.Resizing(2, 2, crop_to_aspect_ratio=True, pad_to_aspect_ratio=True)
    with pytest.raises(ShapeError, match="newaxis"):
        layers.RandomFlip()(np.zeros((5, 7, 3)))
