"""Own training steps and losses, freezing, transfer, copies, tables and pictures of models."""

import numpy as np
import pytest

import bital
from bital import keras
from bital.errors import ArgumentError, ModelStateError
from bital.keras import Input, Model, Sequential, layers, models

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 4)).astype(np.float32)
Y = (X @ RNG.normal(size=(4, 1))).astype(np.float32)


@pytest.fixture(autouse=True)
def on_numpy():
    with bital.config.executor("numpy"):
        yield


def network(kind=Model):
    keras.utils.set_random_seed(1)
    x = Input((4,))
    h = layers.Dense(5, "tanh", name="lower")(x)
    return kind(x, layers.Dense(1, name="upper")(h))


class Halved(Model):
    """Steps of half the size."""

    def train_step(self, forward, weights, batch):
        value, gradients = super().train_step(forward, weights, batch)
        return value, tuple(0.5 * g for g in gradients)


class TestOwnSteps:
    @pytest.mark.parametrize("eagerly", [False, True])
    def test_gradients_of_ones_own(self, eagerly):
        mine, its = network(Halved), network()
        mine.compile(keras.optimizers.SGD(0.1), "mse", metrics=["mae"], run_eagerly=eagerly)
        its.compile(keras.optimizers.SGD(0.05), "mse", metrics=["mae"], run_eagerly=eagerly)
        one = mine.fit(X, Y, epochs=3, batch_size=16, verbose=0, seed=1).history
        two = its.fit(X, Y, epochs=3, batch_size=16, verbose=0, seed=1).history
        np.testing.assert_allclose(one["loss"], two["loss"], rtol=1e-5)
        np.testing.assert_allclose(one["mae"], two["mae"], rtol=1e-5)

    def test_other_inputs(self):
        """The step sees the batch: here it trains on inputs moved against the gradient's sign."""

        class Moved(Model):
            def train_step(self, forward, weights, batch):
                x, y, w = batch
                slope = bital.grad(lambda x: forward(weights, x, y, w)[0])(x)
                return super().train_step(forward, weights, (x + 0.1 * np.sign(slope), y, w))

        model = network(Moved)
        model.compile("sgd", "mse")
        before = model.evaluate(X, Y, verbose=0)
        assert model.fit(X, Y, batch_size=40, verbose=0).history["loss"][0] > before

    def test_compute_loss(self):
        class Robust(Model):
            def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
                return 3 * super().compute_loss(x, y, y_pred, sample_weight) + np.mean(x * 0 + 1)

        model, plain = network(Robust), network()
        for each in (model, plain):
            each.compile("sgd", "mse")
        expected = 3 * plain.evaluate(X, Y, verbose=0) + 1
        assert model.evaluate(X, Y, verbose=0) == pytest.approx(expected, rel=1e-6)

    def test_a_loss_that_needs_no_targets(self):
        class Rebuilding(Model):
            def __init__(self):
                super().__init__()
                self.code, self.back = layers.Dense(2), layers.Dense(4)

            def call(self, x):
                found = self.back(self.code(x))
                self.add_loss(np.mean((found - x) ** 2))
                return found

        model = Rebuilding()
        model.compile("adam")
        losses = model.fit(X, epochs=3, verbose=0).history["loss"]
        assert losses[-1] < losses[0]
        expected = np.square(model.predict(X) - X).mean()
        assert model.evaluate(X, verbose=0) == pytest.approx(expected, rel=1e-5)

    def test_no_loss_at_all(self):
        model = network()
        model.compile("adam")
        with pytest.raises(ModelStateError, match="needs a loss"):
            model.fit(X, Y, verbose=0)


class TestFreezing:
    def test_a_frozen_layer_stays(self):
        model = network()
        model.get_layer("lower").trainable = False
        model.compile("sgd", "mse")
        before = model.get_weights()
        model.fit(X, Y, verbose=0)
        after = model.get_weights()
        np.testing.assert_array_equal(before[0], after[0])
        assert not np.array_equal(before[2], after[2])

    def test_freezing_reaches_layers_within(self):
        base = Sequential([Input((4,)), layers.Dense(3), layers.BatchNormalization()])
        model = Sequential([base, layers.Dense(1)])
        base.trainable = False
        assert [layer.trainable for layer in base.layers] == [False, False]
        assert len(model.trainable_weights) == 2
        model.compile("sgd", "mse")
        before = base.get_weights()
        model.fit(X + 3, Y, verbose=0)
        for old, new in zip(before, base.get_weights(), strict=True):
            np.testing.assert_array_equal(old, new)  # the moving statistics as well
        base.trainable = True
        assert len(model.trainable_weights) == 6

    def test_transfer_of_lower_layers(self):
        old = network()
        old.compile("sgd", "mse")
        old.fit(X, Y, verbose=0)
        lower = Model(old.input, old.get_layer("lower").output)
        lower.trainable = False
        new = Sequential([lower, layers.Dense(2)])
        new.compile("sgd", "mse")
        new.fit(X, X[:, :2], verbose=0)
        np.testing.assert_array_equal(new.get_weights()[0], old.get_weights()[0])
        other = network()
        other.get_layer("lower").set_weights(old.get_layer("lower").get_weights())
        features = Model(other.input, other.get_layer("lower").output)
        np.testing.assert_array_equal(features.predict(X), lower.predict(X))


class TestLooking:
    def test_clone(self):
        model = network()
        other = models.clone_model(model)
        assert other.get_config() == model.get_config()
        assert not np.array_equal(other.get_weights()[0], model.get_weights()[0])
        with pytest.raises(ArgumentError, match="must be a model"):
            models.clone_model(layers.Dense(1))

    def test_summary(self):
        inner = Sequential([Input((4,)), layers.Dense(3)], name="inner")
        x = Input((4,), name="x")
        model = Model(x, layers.Dense(2, name="out")(np.maximum(inner(x), 0)), name="whole")
        inner.trainable = False
        told = []
        model.summary(print_fn=told.append, expand_nested=True, show_trainable=True)
        lines = [line.split() for line in told[0].splitlines()]
        assert lines[0] == ["Model:", "whole", "(Functional)"]
        assert ["inner", "(Sequential)", "(batch,", "3)", "15", "x", "no"] in lines
        assert ["dense", "(Dense)", "(batch,", "3)", "15", "no"] in lines
        assert ["out", "(Dense)", "(batch,", "2)", "8", "maximum", "yes"] in lines
        assert ["Trainable", "params:", "8"] in lines
        assert "<td>inner (Sequential)</td>" in model._repr_html_()

    def test_picture(self, tmp_path):
        pytest.importorskip("matplotlib")
        drawing = keras.utils.plot_model(
            network(), tmp_path / "m.svg", show_shapes=True, show_layer_activations=True
        )
        text = (tmp_path / "m.svg").read_text()
        for word in ("lower", "upper", "tanh"):
            assert word in text
        assert drawing.svg == text
        with pytest.raises(ArgumentError, match="rankdir"):
            keras.utils.plot_model(network(), None, rankdir="LR")

        class Own(Model):
            def call(self, x):
                return x

        with pytest.raises(ModelStateError, match="graph is not known"):
            keras.utils.plot_model(Own(), None)
