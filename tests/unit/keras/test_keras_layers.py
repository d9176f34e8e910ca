"""One test for all layers: a row of LAYERS is all that a new layer has to add."""

import json
from dataclasses import dataclass, field

import numpy as np
import pytest

import bital
from bital import keras
from bital.errors import ArgumentError, DataError, ModelStateError, ShapeError
from bital.keras import layers


@dataclass(frozen=True)
class Row:
    """What a layer is, and what it must do."""

    make: type
    options: dict
    input_shape: tuple  # of one sample
    output_shape: tuple  # of one sample
    weights: tuple = ()  # shapes
    reference: object = None  # plain NumPy: (x, *weights) -> outputs, where it is not random
    config: dict = field(default_factory=dict)  # part of get_config() that must be there

    @property
    def name(self):
        return f"{self.make.__name__}-{self.options}-{self.input_shape}"


LAYERS = [
    Row(
        layers.Dense,
        {"units": 3},
        (4,),
        (3,),
        ((4, 3), (3,)),
        lambda x, k, b: x @ k + b,
        {"units": 3, "activation": "linear", "use_bias": True},
    ),
    Row(
        layers.Dense,
        {"units": 2, "activation": "tanh", "use_bias": False, "kernel_initializer": "he_normal"},
        (5, 4),
        (5, 2),
        ((4, 2),),
        lambda x, k: np.tanh(x @ k),
        {"use_bias": False, "kernel_constraint": None},
    ),
    Row(
        layers.Dense,
        {"units": 2, "activation": "softmax", "bias_initializer": keras.initializers.Constant(0.5)},
        (3,),
        (2,),
        ((3, 2), (2,)),
        lambda x, k, b: np.exp(x @ k + b) / np.exp(x @ k + b).sum(axis=-1, keepdims=True),
    ),
    Row(layers.Activation, {"activation": "relu"}, (4,), (4,), (), lambda x: np.maximum(x, 0)),
    Row(layers.Dropout, {"rate": 0.4, "seed": 3}, (6,), (6,), (), lambda x: x),
    Row(
        layers.Dropout,
        {"rate": 0.5, "noise_shape": (None, 1, None)},
        (3, 4),
        (3, 4),
        (),
        lambda x: x,
        {"noise_shape": [None, 1, None]},
    ),
    Row(layers.Flatten, {}, (2, 3), (6,), (), lambda x: x.reshape(len(x), 6)),
    Row(layers.Flatten, {}, (), (1,), (), lambda x: x.reshape(len(x), 1)),
    Row(
        layers.Reshape,
        {"target_shape": (3, -1)},
        (12,),
        (3, 4),
        (),
        lambda x: x.reshape(len(x), 3, 4),
        {"target_shape": [3, -1]},
    ),
]
rows = pytest.mark.parametrize("row", LAYERS, ids=lambda row: row.name)


def samples(row, n=6, dtype=np.float32):
    return np.random.default_rng(1).normal(size=(n, *row.input_shape)).astype(dtype)


def one_layer_model(row, **options):
    """The layer, with a dense one behind it so that there is always something to train."""
    keras.utils.set_random_seed(5)
    first = row.make(**row.options)
    shape = row.input_shape
    return keras.Sequential(
        [layers.Input(shape), first, layers.Flatten(), layers.Dense(1)], **options
    )


@rows
def test_shapes_weights_and_values(row):
    layer = row.make(**row.options)
    assert not layer.built
    x = samples(row)
    outputs = layer(x)
    assert layer.built
    assert outputs.shape == (6, *row.output_shape)
    assert layer.compute_output_shape((None, *row.input_shape)) == (None, *row.output_shape)
    assert layer.output_shape == (None, *row.output_shape)
    assert tuple(w.shape for w in layer.weights) == row.weights
    assert layer.count_params() == sum(int(np.prod(shape)) for shape in row.weights)
    np.testing.assert_allclose(outputs, row.reference(x, *layer.get_weights()), rtol=2e-5)


@rows
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("given", [np.float32, np.float64, np.uint8, np.int64])
def test_dtype(row, dtype, given):
    layer = row.make(**row.options, dtype=dtype)
    x = np.abs(samples(row)).astype(given)
    assert layer(x).dtype == dtype
    assert layer(x, training=True).dtype == dtype
    assert all(w.dtype == dtype for w in layer.weights)


@rows
def test_config_round_trip(row):
    layer = row.make(**row.options, name="mine", trainable=False, dtype="float64")
    config = json.loads(json.dumps(layer.get_config()))
    assert config["name"] == "mine"
    assert config.items() >= row.config.items()
    again = row.make.from_config(config)
    assert again.get_config() == config
    assert not again.trainable


@rows
def test_save_and_load(row, tmp_path):
    model = one_layer_model(row)
    model.save(tmp_path / "m.safetensors")
    again = keras.models.load_model(tmp_path / "m.safetensors")
    x = samples(row)
    np.testing.assert_array_equal(again.predict(x), model.predict(x))
    assert again.get_config() == model.get_config()


@rows
def test_compiled_equals_plain(row):
    model = one_layer_model(row)
    x = samples(row)
    np.testing.assert_allclose(model.predict(x), model(x), rtol=1e-5, atol=1e-6)


@rows
def test_training_lowers_the_loss(row):
    model = one_layer_model(row)
    model.compile(keras.optimizers.SGD(0.02), "mse")
    x = samples(row, 16)
    y = np.random.default_rng(2).normal(size=(16, 1))
    before = model.evaluate(x, y, verbose=0)
    model.fit(x, y, epochs=8, batch_size=16, verbose=0, seed=1)
    assert model.evaluate(x, y, verbose=0) < before


@rows
def test_gradients(row):
    """Of inputs and weights at once, against finite differences, with the training's masks."""
    layer = row.make(**row.options, dtype="float64")
    x = samples(row, 3, np.float64) + 0.05
    layer(x)
    x = np.where(np.abs(x) < 0.01, 0.5, x)  # relu has its kink at 0

    def run(x, *weights):
        with (
            keras.random_state.keys(bital.random.key(3), np.uint64(0)),
            keras.variables.holding(layer.weights, weights),
        ):
            return layer(x, training=True)

    bital.check_grads(run, (x, *layer.get_weights()), order=2)


@rows
def test_weights_can_be_set_and_are_copies(row):
    layer = row.make(**row.options)
    layer(samples(row))
    weights = [w + 1 for w in layer.get_weights()]
    layer.set_weights(weights)
    for w in layer.get_weights():
        w += 100
    for now, w in zip(layer.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(now, w)
    with pytest.raises(ShapeError, match=f"received {len(weights) + 1} arrays"):
        layer.set_weights([*weights, np.zeros(1)])


class TestDense:
    def test_first_layer_knows_its_input(self):
        for options in ({"input_shape": (4,)}, {"input_dim": 4}):
            assert keras.Sequential([layers.Dense(3, **options)]).count_params() == 15

    def test_wrong_features(self):
        layer = layers.Dense(3, name="head")
        layer.build((None, 4))
        with pytest.raises(ShapeError, match=r"'head' expects .*\(4, 3\), and received \(2, 5\)"):
            layer(np.zeros((2, 5)))

    @pytest.mark.parametrize("shape", [(None,), (None, 3, None)])
    def test_needs_a_feature_axis(self, shape):
        with pytest.raises(ShapeError, match="features"):
            layers.Dense(3).build(shape)

    @pytest.mark.parametrize(
        ("options", "named"),
        [
            ({"units": 0}, "units=0"),
            ({"units": -3}, "units=-3"),
            ({"units": 3.0}, "Write units=3"),
            ({"units": True}, "units=True"),
            ({"units": "3"}, "units='3'"),
            ({"units": 3, "use_bias": 1}, "use_bias=1"),
            ({"units": 3, "activation": "rellu"}, "activation='rellu'"),
            ({"units": 3, "kernel_initializer": "he_norml"}, "he_normal"),
            ({"units": 3, "kernel_constraint": "mx_norm"}, "max_norm"),
            ({"units": 3, "lora_rank": 4}, "no lora rank"),
            ({"units": 3, "unit": 3}, "no argument 'unit'"),
            ({"units": 3, "dtype": "int32"}, "dtype='int32'"),
            ({"units": 3, "dtype": "float16"}, "dtype='float16'"),
            ({"units": 3, "name": "a/b"}, "name='a/b'"),
            ({"units": 3, "input_shape": 4}, "input_shape=4"),
            ({"units": 3, "input_shape": (4,), "input_dim": 4}, "not both"),
        ],
    )
    def test_arguments(self, options, named):
        with pytest.raises(ArgumentError, match=named):
            layers.Dense(**options)

    def test_regularizers_may_be_none(self):
        assert layers.Dense(3, kernel_regularizer=None, bias_constraint=None).units == 3

    def test_strings_are_no_inputs(self):
        with pytest.raises(DataError, match="<U1"):
            layers.Dense(2)(np.array([["a"]]))


class TestDropout:
    def mask(self, layer, step=0, key=0, shape=(1000,)):
        with keras.random_state.keys(bital.random.key(key), np.uint64(step)):
            return layer(np.ones((2, *shape)), training=True)

    def test_scaling(self):
        found = self.mask(layers.Dropout(0.25))
        assert set(np.unique(found).round(6)) == {0, np.float32(4 / 3).round(6)}
        assert 0.2 < np.mean(found == 0) < 0.3

    def test_only_while_training(self):
        x = np.ones((2, 3), np.float32)
        np.testing.assert_array_equal(layers.Dropout(0.9)(x), x)

    def test_extreme_rates(self):
        np.testing.assert_array_equal(self.mask(layers.Dropout(0)), 1)
        np.testing.assert_array_equal(self.mask(layers.Dropout(1)), 0)

    def test_masks_depend_on_the_key_and_on_nothing_else(self):
        layer = layers.Dropout(0.5)
        np.testing.assert_array_equal(self.mask(layer), self.mask(layer))
        assert (self.mask(layer) != self.mask(layer, key=1)).any()

    def test_two_layers_have_two_masks(self):
        with keras.random_state.keys(bital.random.key(0), np.uint64(0)):
            one = layers.Dropout(0.5)(np.ones((2, 100)), training=True)
            other = layers.Dropout(0.5)(np.ones((2, 100)), training=True)
        assert (one != other).any()

    def test_own_seed(self):
        layer = layers.Dropout(0.5, seed=7)
        np.testing.assert_array_equal(self.mask(layer), self.mask(layer, key=1))
        assert (self.mask(layer) != self.mask(layer, step=1)).any()

    def test_noise_shape(self):
        found = self.mask(layers.Dropout(0.5, noise_shape=(None, 1, None)), shape=(3, 50))
        np.testing.assert_array_equal(found, np.broadcast_to(found[:, :1], found.shape))

    def test_by_hand_without_a_step(self):
        keras.utils.set_random_seed(1)
        one = layers.Dropout(0.5)(np.ones((2, 100)), training=True)
        keras.utils.set_random_seed(1)
        np.testing.assert_array_equal(one, layers.Dropout(0.5)(np.ones((2, 100)), training=True))

    @pytest.mark.parametrize("rate", [-0.1, 1.1, "0.5", float("nan"), True])
    def test_rate(self, rate):
        with pytest.raises(ArgumentError, match="rate="):
            layers.Dropout(rate)

    def test_noise_shape_must_fit(self):
        with pytest.raises(ShapeError, match="does not broadcast"):
            layers.Dropout(0.5, noise_shape=(None, 2))(np.ones((2, 3)))
        with pytest.raises(ArgumentError, match="as many axes"):
            layers.Dropout(0.5, noise_shape=(1,))(np.ones((2, 3)))


class TestReshape:
    def test_elements_must_fill_it(self):
        with pytest.raises(ShapeError, match=r"10 elements.*\(3, -1\)"):
            layers.Reshape((3, -1))(np.zeros((2, 10)))
        with pytest.raises(ShapeError, match="10 elements"):
            layers.Reshape((3, 4))(np.zeros((2, 10)))

    @pytest.mark.parametrize("shape", [(-1, -1), (0, 3), (2.0,), "ab", 6])
    def test_arguments(self, shape):
        with pytest.raises(ArgumentError, match="target_shape"):
            layers.Reshape(shape)


class Scale(layers.Layer):
    """A layer of one's own, as the docs show it."""

    def build(self, input_shape):
        self.factor = self.add_weight((input_shape[-1],), "ones", name="factor")
        self.seen = self.add_weight((), "zeros", trainable=False, name="seen")

    def call(self, x, training=False):
        if training:
            self.seen.assign(self.seen + 1)
        return x * self.factor


class TestOwnLayers:
    def test_train(self):
        model = keras.Sequential([layers.Input((3,)), Scale(), layers.Dense(1)])
        model.compile(keras.optimizers.SGD(0.05), "mse")
        x = np.random.default_rng(0).normal(size=(20, 3))
        y = x.sum(axis=1) * 2
        history = model.fit(x, y, epochs=5, batch_size=5, verbose=0, seed=0).history
        assert history["loss"][-1] < history["loss"][0]
        assert (model.layers[0].factor.numpy() != 1).all()
        assert model.layers[0].seen.numpy() == 20  # steps; evaluate and predict do not count
        model.evaluate(x, y, verbose=0)
        assert model.layers[0].seen.numpy() == 20

    def test_frozen(self):
        model = keras.Sequential([layers.Input((3,)), Scale(trainable=False), layers.Dense(1)])
        model.compile("sgd", "mse")
        model.fit(np.ones((4, 3)), np.ones(4), verbose=0)
        np.testing.assert_array_equal(model.layers[0].factor, 1)
        assert [v.path for v in model.trainable_weights] == ["dense/kernel", "dense/bias"]
        assert len(model.non_trainable_weights) == 2

    def test_shape_is_found_by_asking(self):
        layer = Scale()
        layer.build((None, 3))
        assert layer.compute_output_shape((None, 3)) == (None, 3)

    def test_cannot_be_saved_as_a_model(self, tmp_path):
        model = keras.Sequential([layers.Input((3,)), Scale()])
        with pytest.raises(ArgumentError, match="save_weights"):
            model.save(tmp_path / "m.safetensors")
        assert not list(tmp_path.iterdir())
        model.save_weights(tmp_path / "w.safetensors")
        model.load_weights(tmp_path / "w.safetensors")

    def test_weights_need_names_of_their_own(self):
        layer = layers.Layer()
        layer.add_weight((2,), name="w")
        with pytest.raises(ArgumentError, match="name='w'"):
            layer.add_weight((2,), name="w")

    def test_a_build_that_fails_can_be_tried_again(self):
        layer = layers.Dense(3)
        with pytest.raises(ShapeError):
            layer.build((None,))
        layer.build((None, 2))
        assert layer.count_params() == 9

    def test_no_parameters_before_the_input_is_known(self):
        with pytest.raises(ModelStateError, match="input_shape"):
            layers.Dense(3).count_params()


class Block(layers.Layer):
    """A layer made of layers."""

    def __init__(self, units, **options):
        super().__init__(**options)
        self.first = layers.Dense(units, activation="tanh")
        self.rest = [layers.Dense(units), layers.Dense(units, name="last")]
        self.scale = keras.Variable(np.ones(units))

    def call(self, x):
        x = self.first(x)
        for layer in self.rest:
            x = x + layer(x)
        return x * self.scale


class TestLayersOfLayers:
    def test_all_weights_are_found_and_trained(self):
        model = keras.Sequential([layers.Input((3,)), Block(4), layers.Dense(1)])
        assert [v.path for v in model.weights] == [
            "block/scale",
            "block/first/kernel",
            "block/first/bias",
            "block/rest_0/kernel",
            "block/rest_0/bias",
            "block/last/kernel",
            "block/last/bias",
            "dense/kernel",
            "dense/bias",
        ]
        before = model.get_weights()
        model.compile(keras.optimizers.SGD(0.1), "mse")
        model.fit(np.random.default_rng(0).normal(size=(20, 3)), np.arange(20), verbose=0)
        for a, b in zip(before, model.get_weights(), strict=True):
            assert (a != b).any()

    def test_weights_survive_a_file(self, tmp_path):
        make = lambda: keras.Sequential([layers.Input((3,)), Block(4)])  # noqa: E731
        model, other = make(), make()
        model.save_weights(tmp_path / "w.safetensors")
        other.load_weights(tmp_path / "w.safetensors")
        x = np.ones((2, 3))
        np.testing.assert_array_equal(model.predict(x), other.predict(x))

    def test_replaced_layers_do_not_count(self):
        block = Block(4)
        block.first = layers.Dense(2)
        block.rest = None
        block.first(np.ones((2, 3)))
        assert [v.path for v in block.weights] == [
            "block/scale",
            "block/first/kernel",
            "block/first/bias",
        ]

    def test_frozen_as_a_whole(self):
        model = keras.Sequential([layers.Input((3,)), Block(4, trainable=False), layers.Dense(1)])
        assert [v.path for v in model.trainable_weights] == ["dense/kernel", "dense/bias"]

    def test_the_base_class_must_be_started_first(self):
        class Wrong(layers.Layer):
            def __init__(self):
                self.inner = layers.Dense(1)

        with pytest.raises(ModelStateError, match=r"super\(\).__init__\(\)"):
            Wrong()

    def test_a_single_number_is_no_batch(self):
        with pytest.raises(DataError, match="single number"):
            layers.Flatten()(3.0)

    def test_asking_for_the_shape_warns_of_nothing(self):
        class Log(layers.Layer):
            def call(self, x):
                return np.log(x)

        model = keras.Sequential([layers.Input((3,)), Log()])
        assert model.output_shape == (None, 3)
