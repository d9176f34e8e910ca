"""Functional and subclassed models, several inputs and outputs."""

import copy
import pickle
import threading

import numpy as np
import pytest

import bital
from bital import keras
from bital.errors import ArgumentError, DataError, ModelStateError, NonFiniteLossError, ShapeError
from bital.keras import Input, Model, Sequential, layers

RNG = np.random.default_rng(0)
A = RNG.normal(size=(50, 4)).astype(np.float32)
B = RNG.normal(size=(50, 3)).astype(np.float32)
NUMBERS = (A[:, :1] * 2 + B[:, 1:2]).astype(np.float32)
LABELS = RNG.integers(0, 3, 50)


@pytest.fixture(autouse=True)
def on_numpy():
    with bital.config.executor("numpy"):
        yield


def two_and_two(**options):
    keras.utils.set_random_seed(3)
    a, b = Input((4,), name="a"), Input((3,), name="b")
    shared = layers.Dense(5, activation="tanh", name="shared")
    h = layers.Concatenate(name="joined")([shared(a), layers.Dense(2, name="small")(b)])
    kind = layers.Dense(3, activation="softmax", name="kind")(h)
    size = layers.Dense(1, name="size")(h)
    model = Model([a, b], [kind, size], **options)
    model.compile(
        "sgd",
        {"kind": "sparse_categorical_crossentropy", "size": "mse"},
        loss_weights={"kind": 2.0, "size": 0.5},
        metrics={"kind": ["accuracy"], "size": "mae"},
    )
    return model


class Hidden(Model):
    def __init__(self):
        super().__init__()
        self.hidden = layers.Dense(6, activation="relu")
        self.drop = layers.Dropout(0.3)
        self.out = layers.Dense(3, activation="softmax")

    def call(self, x):
        return self.out(self.drop(self.hidden(x)))


def functional():
    x = Input((4,))
    h = layers.Dropout(0.3)(layers.Dense(6, activation="relu")(x))
    return Model(x, layers.Dense(3, activation="softmax")(h))


def sequential():
    return Sequential(
        [
            Input((4,)),
            layers.Dense(6, activation="relu"),
            layers.Dropout(0.3),
            layers.Dense(3, activation="softmax"),
        ]
    )


class TestForms:
    @pytest.mark.parametrize("other", [functional, Hidden])
    def test_all_forms_train_to_the_same_bits(self, other):
        def trained(make):
            keras.utils.set_random_seed(1)
            model = make()
            model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
            history = model.fit(A, LABELS, batch_size=16, epochs=3, verbose=0, seed=4)
            return model, history.history

        one, first = trained(sequential)
        two, second = trained(other)
        for mine, its in zip(one.get_weights(), two.get_weights(), strict=True):
            if other is functional:
                np.testing.assert_array_equal(mine, its)
            else:  # a class has no last activation to leave out of the logarithm
                np.testing.assert_allclose(mine, its, rtol=1e-4, atol=1e-6)
        if other is functional:
            assert first == second
        np.testing.assert_allclose(one.predict(A), two.predict(A), rtol=1e-4, atol=1e-6)

    def test_training_is_handed_on_to_layers_that_nobody_told(self):
        model = Hidden()
        model(A)
        assert not np.array_equal(model(A, training=True), model(A, training=True))
        np.testing.assert_array_equal(model(A), model(A))

    def test_lists_and_dicts_of_layers_count(self):
        class Many(Model):
            def __init__(self):
                super().__init__()
                self.steps = [layers.Dense(4), [layers.Dense(4)]]
                self.heads = {"out": layers.Dense(2)}

            def call(self, x):
                return self.heads["out"](self.steps[1][0](self.steps[0](x)))

        model = Many()
        model.compile("sgd", "mse")
        model.fit(A, A[:, :2], verbose=0)
        assert [weight.path for weight in model.weights][::2] == [
            "steps_0/kernel",
            "steps_1_0/kernel",
            "heads_out/kernel",
        ]

    def test_a_subclass_of_model_can_be_functional(self):
        class Mine(Model):
            def twice(self, x):
                return 2 * self.predict(x)

        x = Input((4,))
        model = Mine(x, layers.Dense(1)(x))
        np.testing.assert_array_equal(model.twice(A), 2 * model.predict(A))

    def test_super_must_come_first(self):
        class Late(Model):
            def __init__(self):
                self.out = layers.Dense(1)
                super().__init__()

        with pytest.raises(ModelStateError, match="super"):
            Late()


class TestSeveral:
    def test_logs_are_the_losses_by_hand(self):
        model = two_and_two()
        found = model.evaluate([A, B], [LABELS, NUMBERS], verbose=0, return_dict=True)
        kind, size = model.predict([A, B])
        entropy = -np.log(kind[np.arange(50), LABELS]).mean()
        square = np.square(size - NUMBERS).mean()
        expected = {
            "loss": 2 * entropy + 0.5 * square,
            "kind_loss": entropy,
            "size_loss": square,
            "kind_accuracy": (kind.argmax(axis=1) == LABELS).mean(),
            "size_mae": np.abs(size - NUMBERS).mean(),
        }
        assert list(found) == list(expected)
        for name, value in expected.items():
            assert found[name] == pytest.approx(value, rel=1e-5), name
        assert model.evaluate([A, B], [LABELS, NUMBERS], verbose=0) == list(found.values())
        assert model.metrics_names == list(expected)

    def test_dicts_and_lists_are_the_same(self):
        def trained(x, y, weights):
            model = two_and_two()
            model.fit(x, y, sample_weight=weights, epochs=2, batch_size=16, verbose=0, seed=1)
            return model.get_weights()

        w = np.linspace(0, 1, 50)
        one = trained([A, B], [LABELS, NUMBERS], [w, None])
        two = trained({"b": B, "a": A}, {"size": NUMBERS, "kind": LABELS}, {"kind": w})
        for mine, its in zip(one, two, strict=True):
            np.testing.assert_array_equal(mine, its)

    def test_an_output_without_a_loss(self):
        a = Input((4,))
        first, second = layers.Dense(1, name="first")(a), layers.Dense(2, name="second")(a)
        model = Model(a, [first, second])
        model.compile("sgd", {"first": "mse"})
        before = model.get_layer("second").get_weights()[0]
        found = model.fit(A, {"first": NUMBERS}, verbose=0, epochs=2)
        assert set(found.history) == {"loss"}
        np.testing.assert_array_equal(model.get_layer("second").get_weights()[0], before)

    def test_dict_outputs_and_dict_inputs(self):
        inputs = {"left": Input((4,)), "right": Input((3,))}
        h = layers.Dense(2)(inputs["left"]) + layers.Dense(2)(inputs["right"])
        model = Model(inputs, {"sum": h, "norm": np.sum(h * h, axis=-1, keepdims=True)})
        model.compile("sgd", "mse", metrics={"norm": ["mae"]})
        x = {"left": A, "right": B}
        targets = {"sum": B[:, :2], "norm": NUMBERS}
        names = {"loss", "sum_loss", "norm_loss", "norm_mae"}
        assert set(model.fit(x, targets, verbose=0).history) == names
        out = model.predict(x, batch_size=16)
        np.testing.assert_allclose(out["norm"][:, 0], np.square(out["sum"]).sum(axis=1), rtol=1e-5)

    def test_a_class_with_several_outputs(self):
        class Two(Model):
            def __init__(self):
                super().__init__()
                self.one, self.two = layers.Dense(1), layers.Dense(3)

            def call(self, x):
                return self.one(x["a"]), self.two(x["b"])

        model = Two()
        model.compile("sgd", ["mse", "mae"])
        found = model.fit({"a": A, "b": B}, [NUMBERS, B], verbose=0).history
        assert set(found) == {"loss", "output_0_loss", "output_1_loss"}
        assert [part.shape for part in model.predict({"a": A, "b": B})] == [(50, 1), (50, 3)]
        assert (
            model.train_on_batch({"a": A, "b": B}, [NUMBERS, B], return_dict=True).keys()
            == found.keys()
        )

    @pytest.mark.parametrize(
        ("x", "y", "named"),
        [
            (A, [LABELS, NUMBERS], "a list of 2 arrays, named 'a', 'b'"),
            ([A], [LABELS, NUMBERS], "1 arrays"),
            ([A, B[:40]], [LABELS, NUMBERS], r"x\[1\] has 40"),
            ([A, B[:, :2]], [LABELS, NUMBERS], r"x\[1\] has shape \(50, 2\)"),
            ({"a": A, "c": B}, [LABELS, NUMBERS], "'a', 'c'"),
            ([A, B], LABELS, "2 outputs"),
            ([A, B], [LABELS], "2 outputs"),
            ([A, B], {"kind": LABELS, "siz": NUMBERS}, "'siz'"),
            ([A, B], [LABELS, NUMBERS[:40]], r"y\['size'\] has 40 targets"),
            ([A, B], [LABELS + 7, NUMBERS], "not a class label"),
        ],
    )
    def test_what_does_not_fit(self, x, y, named):
        with pytest.raises((DataError, ShapeError), match=named):
            two_and_two().fit(x, y, verbose=0)

    @pytest.mark.parametrize(
        ("options", "named"),
        [
            ({"loss": {"kind": "mse", "sise": "mse"}}, "sise"),
            ({"loss": ["mse"]}, "1 entries"),
            ({"loss": "mse", "loss_weights": [1.0]}, "1 entries"),
            ({"loss": "mse", "metrics": "mae"}, "entry for each"),
            ({"loss": "mse", "loss_weights": {"kind": "heavy"}}, "loss_weights='heavy'"),
        ],
    )
    def test_compile_arguments(self, options, named):
        with pytest.raises(ArgumentError, match=named):
            two_and_two().compile("sgd", **options)

    def test_class_weight_is_for_one_output(self):
        with pytest.raises(ArgumentError, match="one output"):
            two_and_two().fit([A, B], [LABELS, NUMBERS], class_weight={0: 1.0}, verbose=0)

    def test_nan_is_explained(self):
        x = A.copy()
        x[33, 2] = 3e38
        model = two_and_two()
        model.get_layer("shared").activation = keras.activations.get("linear")
        model.compile("sgd", "mse", loss_weights=[0.0, 1.0])
        model.set_weights([np.full_like(w, 2) for w in model.get_weights()])
        with pytest.raises(NonFiniteLossError, match="samples 33"):
            model.fit([x, B], [np.zeros((50, 3)), NUMBERS], batch_size=8, verbose=0, shuffle=False)

    @pytest.mark.parametrize("again", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
    def test_copies_go_on(self, again):
        model = two_and_two()
        model.fit([A, B], [LABELS, NUMBERS], verbose=0, seed=1)
        other = again(model)
        for one in (model, other):
            one.fit([A, B], [LABELS, NUMBERS], verbose=0, seed=2)
        for mine, its in zip(model.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_array_equal(mine, its)
        assert other.get_config() == model.get_config()
        assert other.get_layer("shared").output.shape == (None, 5)

    def test_threads(self):
        model = two_and_two()
        model.executor = "numpy"  # the block that chooses it does not reach into threads
        expected = model.predict([A, B], batch_size=50)[0]
        wrong = []

        def look():
            for _ in range(5):
                found = model.predict([A, B], batch_size=50)[0]
                wrong.extend([1] * (not np.array_equal(found, expected)))

        threads = [threading.Thread(target=look) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong


class TestGraphs:
    def test_a_shared_layer_gets_both_gradients(self):
        a, b = Input((4,)), Input((4,))
        dense = layers.Dense(1, use_bias=False)
        model = Model([a, b], dense(a) + dense(b))
        assert len(model.weights) == 1
        model.compile(keras.optimizers.SGD(0.1), "mse")
        kernel = model.get_weights()[0]
        other = A[::-1].copy()
        model.train_on_batch([A, other], NUMBERS)
        both = A + other
        gradient = 2 * both.T @ (both @ kernel - NUMBERS) / 50
        np.testing.assert_allclose(model.get_weights()[0], kernel - 0.1 * gradient, rtol=2e-4)

    def test_models_within_models(self):
        inner = functional()
        x = Input((4,))
        outer = Model(x, layers.Dense(1, name="last")(inner(x)))
        again = Sequential([Input((4,)), inner, layers.Dense(1, name="last")])
        again.set_weights(outer.get_weights())
        np.testing.assert_array_equal(outer.predict(A), again.predict(A))
        assert outer.count_params() == inner.count_params() + 4

    def test_features_of_a_model(self):
        base = sequential()
        base.compile("sgd", "sparse_categorical_crossentropy")
        features = Model(base.input, base.get_layer("dense").output)
        kernel, bias = base.layers[0].get_weights()
        np.testing.assert_allclose(
            features.predict(A), np.maximum(A @ kernel + bias, 0), rtol=1e-5, atol=1e-6
        )
        head = Model(base.input, layers.Dense(2)(features.output))
        assert [w.path for w in head.weights][-2:] == ["dense_1/kernel", "dense_1/bias"]
        base.fit(A, LABELS, verbose=0)
        kernel, bias = base.layers[0].get_weights()
        np.testing.assert_allclose(
            features.predict(A), np.maximum(A @ kernel + bias, 0), rtol=1e-5, atol=1e-6
        )

    def test_between_inner_values(self):
        x = Input((4,))
        middle = layers.Dense(6, name="first")(x)
        out = layers.Dense(2, name="second")(middle)
        upper = Model(middle, out)
        whole = Model(x, out)
        h = Model(x, middle).predict(A)
        np.testing.assert_allclose(upper.predict(h), whole.predict(A), rtol=1e-5, atol=1e-6)

    def test_numpy_functions_become_layers(self):
        x = Input((4,))
        h = np.concatenate([x[:, :2], 1 - x], axis=-1)
        model = Model(x, np.where(h > 0, h, -h) ** 2.0)
        expected = np.concatenate([A[:, :2], 1 - A], axis=-1) ** 2
        np.testing.assert_allclose(model.predict(A), expected, rtol=1e-5)
        again = type(model).from_config(model.get_config())
        np.testing.assert_array_equal(again.predict(A), model.predict(A))

    @pytest.mark.parametrize(
        ("use", "named"),
        [
            (lambda x: float(x), "float"),
            (lambda x: bool(x > 0), "bool"),
            (lambda x: len(x), "len"),
            (lambda x: list(x), "loop"),
            (lambda x: np.asarray(x), "np.asarray"),
            (lambda x: np.add(x, 1, out=np.zeros(3)), "out="),
            (lambda x: layers.Dense(3)(x) @ layers.Dense(2)(x), "matmul"),
            (lambda x: np.mean(x), "rows|samples"),
        ],
    )
    def test_symbolic_values_refuse(self, use, named):
        with pytest.raises((ArgumentError, ShapeError), match=named):
            use(Input((4,)))

    def test_methods_name_what_to_write(self):
        with pytest.raises(AttributeError, match=r"np\.sum"):
            Input((4,)).sum()

    def test_wrong_graphs(self):
        a, b = Input((4,), name="a"), Input((3,), name="b")
        out = layers.Dense(1)(a)
        with pytest.raises(ArgumentError, match="need the input 'a'"):
            Model(b, out)
        with pytest.raises(ArgumentError, match="do not depend on the input 'b'"):
            Model([a, b], out)
        with pytest.raises(ArgumentError, match="twice"):
            Model([a, a], out)
        with pytest.raises(ArgumentError, match="symbolic values"):
            Model(a, layers.Dense(1))
        with pytest.raises(ArgumentError, match="both"):
            Model(a)
        two = layers.Dense(1, name="same")(layers.Dense(4, name="same")(a))
        with pytest.raises(ArgumentError, match="two layers named 'same'"):
            Model(a, two)
        dense = layers.Dense(2)
        dense(a)
        with pytest.raises(ShapeError, match="kernel"):
            dense(b)

    def test_deep_graphs_are_copied(self):
        h = x = Input((2,))
        for _ in range(400):
            h = h + 1.0
        model = Model(x, h)
        other = pickle.loads(pickle.dumps(model))
        np.testing.assert_array_equal(other(np.zeros((1, 2))), [[400.0, 400.0]])

    def test_output_of_a_layer_that_was_called_twice(self):
        x = Input((4,))
        dense = layers.Dense(4)
        dense(dense(x))
        with pytest.raises(ModelStateError, match="2 times"):
            _ = dense.output


class TestLosses:
    def test_a_layer_can_add_to_the_loss(self):
        class Penalty(layers.Layer):
            def call(self, x):
                self.add_loss(0.1 * np.sum(x * x))
                return x

        x = Input((4,))
        model = Model(x, layers.Dense(1)(Penalty()(x)))
        model.compile("sgd", "mse")
        found = model.evaluate(A, NUMBERS, verbose=0)
        mse = np.square(model.predict(A) - NUMBERS).mean()
        assert found == pytest.approx(mse + 0.1 * np.square(A).sum(), rel=1e-5)

    def test_activity_regularizer(self):
        layer = layers.Dense(3, activity_regularizer=keras.regularizers.L2(0.5))
        model = Sequential([Input((4,)), layer])
        model.compile("sgd", "mse")
        out = model.predict(A)
        found = model.evaluate(A, B, verbose=0)
        expected = np.square(out - B).mean() + 0.5 * np.square(out).sum() / 50
        assert found == pytest.approx(expected, rel=1e-5)
        model(A)
        assert float(layer.losses[0]) == pytest.approx(0.5 * np.square(out).sum() / 50, rel=1e-5)

    def test_constraints_hold_after_each_step(self):
        class Bounded(layers.Layer):
            def build(self, input_shape):
                self.w = self.add_weight(
                    (input_shape[-1], 1), name="w", constraint=lambda w: np.maximum(w, 0)
                )

            def call(self, x):
                return x @ self.w

        model = Sequential([Input((4,)), Bounded()])
        model.compile(keras.optimizers.SGD(0.5), "mse")
        model.fit(A, -np.abs(NUMBERS), epochs=3, verbose=0)
        assert (model.get_weights()[0] >= 0).all()
        assert (model.get_weights()[0] == 0).any()


class TestMasks:
    def test_the_loss_counts_what_the_mask_lets_through(self):
        steps = RNG.normal(size=(6, 5, 3)).astype(np.float32)
        steps[2, 3:] = 0
        steps[4, 1:] = 0
        targets = RNG.normal(size=(6, 5, 2)).astype(np.float32)
        for form in ("functional", "sequential", "nested"):
            keras.utils.set_random_seed(0)
            if form == "sequential":
                model = Sequential(
                    [Input((5, 3)), layers.Masking(), layers.TimeDistributed(layers.Dense(2))]
                )
            else:
                x = Input((5, 3))
                masking = layers.Masking()
                if form == "nested":
                    inner = Input((5, 3))
                    masking = Model(inner, layers.Masking()(inner))
                model = Model(x, layers.TimeDistributed(layers.Dense(2))(masking(x)))
            model.compile("sgd", "mse", weighted_metrics=["mae"])
            loss, mae = model.evaluate(steps, targets, verbose=0)
            out = model.predict(steps)
            counts = np.any(steps != 0, axis=-1)
            errors = (out - targets)[counts]
            assert loss == pytest.approx(np.square(errors).mean(), rel=1e-5), form
            assert mae == pytest.approx(np.abs(errors).mean(), rel=1e-5), form
