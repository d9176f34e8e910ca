"""What the rows do not say of layers with spatial axes: errors, and normalisation within fit."""

import numpy as np
import pytest

import bital
from bital import keras
from bital.errors import ArgumentError, ShapeError
from bital.keras import layers

IMAGES = np.zeros((2, 6, 5, 4))


@pytest.fixture(autouse=True)
def _numpy_executor():
    with bital.config.executor("numpy"):
        yield


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.Conv2D(0, 3), "filters=0"),
        (lambda: layers.Conv2D(3, (3, 3, 3)), "tuple of 2 integers"),
        (lambda: layers.Conv2D(3, 3, padding="causal"), "'valid', 'same'"),
        (lambda: layers.Conv1D(3, 3, padding="full"), "'valid', 'same', 'causal'"),
        (lambda: layers.Conv2D(3, 3, strides=2, dilation_rate=2), "one of them must be 1"),
        (lambda: layers.Conv2D(3, 3, groups=2), "groups must divide"),
        (lambda: layers.Conv2D(3, 3, data_format="channels_first"), "np.moveaxis"),
        (lambda: layers.Conv2D(3, 3, lora_rank=2), "lora_rank=2"),
        (lambda: layers.Conv2DTranspose(3, 3, strides=2, output_padding=2), "less than strides"),
        (lambda: layers.DepthwiseConv2D(3, depth_multiplier=0), "depth_multiplier=0"),
        (lambda: layers.MaxPooling2D(0), "pool_size=0"),
        (lambda: layers.MaxPooling2D(padding="causal"), "'valid', 'same'"),
        (lambda: layers.AdaptiveMaxPooling1D(0), "output_size=0"),
        (lambda: layers.UpSampling2D(interpolation="area"), "interpolation='area'"),
        (lambda: layers.ZeroPadding2D((1, 2, 3)), "each of the 2 spatial axes"),
        (lambda: layers.Cropping1D(-1), "cropping=-1"),
        (lambda: layers.BatchNormalization(momentum=1.5), "momentum=1.5"),
        (lambda: layers.BatchNormalization(renorm=True), "renorm=True"),
        (lambda: layers.GroupNormalization(groups=0), "groups=0"),
        (lambda: layers.UnitNormalization(axis="last"), "axis='last'"),
        (lambda: layers.SpectralNormalization("dense"), "must be a layer"),
    ],
)
def test_arguments(make, message):
    with pytest.raises(ArgumentError, match=message):
        make()


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (layers.Conv1D(3, 3), r"needs 3 axes, \(batch, steps, channels\)"),
        (layers.Conv3D(3, 3), "np.newaxis"),
        (layers.Conv2D(4, 7), r"kernel_size=\(7, 7\).*do not fit.*padding='same'"),
        (layers.Conv2D(3, 3, groups=3), "groups=3 must divide"),
        (layers.MaxPooling1D(), "needs 3 axes"),
        (layers.AveragePooling2D(6), r"pool_size=\(6, 6\) do not fit"),
        (layers.Cropping2D(3), "leaves nothing"),
        (layers.BatchNormalization(axis=4), "axis=4"),
        (layers.GroupNormalization(), "groups=32 must divide the 4 channels"),
        (layers.GroupNormalization(2, axis=0), "axis 0 is that of the samples"),
        (layers.UnitNormalization(axis=(1, 5)), r"axis=\[1, 5\]"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_inputs(layer, message):
    with pytest.raises(ShapeError, match=message):
        layer(IMAGES)


def test_built_for_other_channels():
    for layer in (layers.Conv2D(3, 3), layers.BatchNormalization()):
        layer(IMAGES)
        with pytest.raises(
            ShapeError, match=r"built for \(None, 6, 5, 4\)|shape \(None, 6, 5, 4\)"
        ):
            layer(IMAGES[..., :3])


def test_transposed_gaps_stay_zero():
    """With strides beyond the kernel there are places that no input reaches."""
    layer = layers.Conv1DTranspose(1, 1, strides=3, kernel_initializer="ones")
    assert layer(np.ones((1, 2, 1)))[0, :, 0].tolist() == [1, 0, 0, 1, 0, 0]


def normalized(**options):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [layers.Input((3,)), layers.BatchNormalization(momentum=0.5, **options), layers.Dense(1)]
    )
    model.compile(keras.optimizers.SGD(0.0), "mse")
    return model


class TestBatchNormalizationInFit:
    x = np.random.default_rng(0).normal(2.0, 3.0, size=(8, 3)).astype(np.float32)
    y = np.zeros((8, 1), np.float32)

    def test_moving_averages_by_hand(self):
        model = normalized()
        model.fit(self.x, self.y, batch_size=4, epochs=1, shuffle=False, verbose=0)
        mean, variance = np.zeros(3), np.ones(3)
        for batch in (self.x[:4], self.x[4:]):
            mean = 0.5 * mean + 0.5 * batch.mean(0)
            variance = 0.5 * variance + 0.5 * batch.var(0)
        norm = model.layers[-2]
        np.testing.assert_allclose(norm.moving_mean.numpy(), mean, rtol=1e-5)
        np.testing.assert_allclose(norm.moving_variance.numpy(), variance, rtol=1e-5)
        expected = (self.x - mean) / np.sqrt(variance + 1e-3) @ model.layers[-1].kernel.numpy()
        np.testing.assert_allclose(model.predict(self.x, verbose=0), expected, rtol=1e-4, atol=1e-5)

    def test_evaluation_leaves_them_alone(self):
        model = normalized()
        before = model.get_weights()
        model.evaluate(self.x, self.y, verbose=0)
        for now, then in zip(model.get_weights(), before, strict=True):
            np.testing.assert_array_equal(now, then)

    def test_frozen_it_infers(self):
        model = normalized(trainable=False)
        model.fit(self.x, self.y, batch_size=4, epochs=2, verbose=0)
        norm = model.layers[-2]
        np.testing.assert_array_equal(norm.moving_mean.numpy(), 0)
        x = self.x[:2]
        np.testing.assert_allclose(norm(x, training=True), x / np.sqrt(1.001), rtol=1e-6)


@pytest.mark.slow
def test_a_convolutional_network_learns_natively():
    """Which half of a picture is brighter, from 96 pictures; plain steps arrive at the same."""
    rng = np.random.default_rng(4)
    labels = rng.integers(0, 2, 96)
    x = rng.normal(size=(96, 8, 8, 1)).astype(np.float32)
    x[labels == 1, :, 4:] += 1
    x[labels == 0, :, :4] += 1
    found = []
    for executor in ("numpy", "native"):
        with bital.config.executor(executor):
            keras.utils.set_random_seed(2)
            model = keras.Sequential(
                [
                    layers.Input((8, 8, 1)),
                    layers.Conv2D(4, 3, padding="same", use_bias=False),
                    layers.BatchNormalization(),
                    layers.Activation("relu"),
                    layers.MaxPooling2D(),
                    layers.SeparableConv2D(8, 3, activation="relu"),
                    layers.Flatten(),
                    layers.Dense(2, activation="softmax"),
                ]
            )
            model.compile(
                keras.optimizers.Adam(0.005),
                "sparse_categorical_crossentropy",
                metrics=["accuracy"],
            )
            model.fit(x, labels, batch_size=16, epochs=20, verbose=0, shuffle=False)
            found.append(model.evaluate(x, labels, verbose=0, return_dict=True))
    assert found[1]["accuracy"] > 0.95
    assert found[1]["loss"] == pytest.approx(found[0]["loss"], rel=0.05)
