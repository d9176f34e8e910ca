"""Images moved by the parameters that Keras 3 draws, and resized, beside Keras."""

import numpy as np
import pytest

from bital.keras import layers

theirs = pytest.importorskip("keras")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

X = np.random.default_rng(0).uniform(0, 255, (4, 9, 12, 3)).astype(np.float32)
MODES = ["reflect", "wrap", "constant", "nearest"]


def close(found, expected):
    np.testing.assert_allclose(found, np.asarray(expected), atol=2e-2)  # of 255, in float32


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", ["bilinear", "nearest"])
def test_moving(mode, kind):
    options = {"fill_mode": mode, "interpolation": kind, "fill_value": 9.0}
    flat = lambda value: np.asarray(value).reshape(-1)  # noqa: E731

    keras = theirs.layers.RandomRotation(0.4, **options)
    drawn = keras.get_random_transformation(X, training=True)
    angle = flat(drawn["angle"]) * np.pi / 180
    expected = keras.transform_images(X, drawn, training=True)
    close(layers.RandomRotation(0.4, **options).transform(X, angle), expected)

    keras = theirs.layers.RandomZoom((-0.6, 0.7), 0.5, **options)
    drawn = keras.get_random_transformation(X, training=True)
    zooms = flat(drawn["height_zoom"]), flat(drawn["width_zoom"])
    expected = keras.transform_images(X, drawn, training=True)
    close(layers.RandomZoom(0.6, **options).transform(X, *zooms), expected)

    keras = theirs.layers.RandomTranslation(0.8, 0.9, **options)
    drawn = keras.get_random_transformation(X, training=True)
    right, down = np.asarray(drawn["translations"]).T
    expected = keras.transform_images(X, drawn, training=True)
    close(layers.RandomTranslation(0.8, 0.9, **options).transform(X, down, right), expected)


def test_values():
    keras = theirs.layers.RandomContrast(0.7)
    drawn = keras.get_random_transformation(X, training=True)
    factor = np.asarray(drawn["contrast_factor"]).reshape(-1) - 1
    close(layers.RandomContrast(0.7).transform(X, factor), keras.transform_images(X, drawn))
    keras = theirs.layers.RandomBrightness(0.7)
    drawn = keras.get_random_transformation(X, training=True)
    delta = np.asarray(drawn["rgb_delta"]).reshape(-1)
    close(layers.RandomBrightness(0.7).transform(X, delta), keras.transform_images(X, drawn))


@pytest.mark.parametrize("kind", ["bilinear", "nearest", "bicubic", "lanczos3", "lanczos5"])
@pytest.mark.parametrize("size", [(4, 5), (20, 13)])
@pytest.mark.parametrize("option", [{}, {"antialias": True}, {"crop_to_aspect_ratio": True}])
def test_resizing(kind, size, option):
    make = lambda k: k.layers.Resizing(*size, kind, **option)  # noqa: E731
    close(layers.Resizing(*size, kind, **option)(X), make(theirs)(X))


def test_sizes():
    options = {"pad_to_aspect_ratio": True, "fill_value": 5.0}
    close(layers.Resizing(6, 4, **options)(X), theirs.layers.Resizing(6, 4, **options)(X))
    for size in ((4, 5), (20, 13), (5, 30)):
        close(layers.CenterCrop(*size)(X), theirs.layers.CenterCrop(*size)(X))
