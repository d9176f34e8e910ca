"""fit, evaluate, predict: what is exact, what is the same every time, what is compiled once."""

import copy
import math
import pickle
import resource
import signal
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bital
from bital import keras
from bital.errors import ArgumentError, ModelStateError, NonFiniteLossError, ShapeError
from bital.keras import layers
from bital.keras.callbacks import Callback, LambdaCallback
from bital.keras.models.data import bucket

rng = np.random.default_rng(0)
X = rng.normal(size=(53, 4)).astype(np.float32)
LABELS = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)
NUMBERS = X @ np.array([1.0, -2.0, 0.5, 3.0], np.float32)


def classifier(optimizer="adam", seed=0, dropout=0.0, dtype=None, metrics=("accuracy",), **options):
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            layers.Input((4,)),
            layers.Dense(8, activation="relu"),
            layers.Dropout(dropout),
            layers.Dense(3, activation="softmax"),
        ],
        dtype=dtype,
    )
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=list(metrics), **options)
    return model


def regressor(optimizer="sgd", **options):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([layers.Dense(1, input_shape=(4,))])
    model.compile(optimizer, "mse", **options)
    return model


def same(one, other):
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


class TestFit:
    def test_learns(self):
        model = classifier(keras.optimizers.Adam(0.03))
        history = model.fit(X, LABELS, epochs=30, batch_size=16, verbose=0, seed=0)
        assert history is model.history
        assert history.epoch == list(range(30))
        assert history.history["accuracy"][-1] > 0.9
        assert model.evaluate(X, LABELS, verbose=0)[1] > 0.9

    def test_line_by_hand(self):
        """One epoch of one batch is the step that one would write."""
        model = regressor(keras.optimizers.SGD(0.1))
        kernel, bias = model.get_weights()
        error = X @ kernel + bias - NUMBERS[:, None]
        model.fit(X, NUMBERS, batch_size=64, verbose=0)
        np.testing.assert_allclose(
            model.get_weights()[0], kernel - 0.1 * 2 / 53 * X.T @ error, rtol=1e-5
        )
        np.testing.assert_allclose(model.get_weights()[1], bias - 0.2 * error.mean(), rtol=1e-5)

    @pytest.mark.parametrize("batch", [1, 7, 53, 100])
    def test_logs_are_means_over_samples(self, batch):
        """A rate of 0 keeps the weights, so the epoch's logs must equal the evaluation."""
        model = classifier(keras.optimizers.SGD(0.0), metrics=["accuracy", "mse"][:1])
        logs = model.fit(X, LABELS, batch_size=batch, verbose=0).history
        expected = model.evaluate(X, LABELS, verbose=0, return_dict=True)
        assert logs["loss"][0] == pytest.approx(expected["loss"], rel=1e-6)
        assert logs["accuracy"][0] == pytest.approx(expected["accuracy"], rel=1e-12)
        p = model.predict(X)[np.arange(53), LABELS]
        assert expected["loss"] == pytest.approx(-np.log(p).mean(), rel=1e-5)
        assert expected["accuracy"] == (model.predict(X).argmax(axis=1) == LABELS).mean()

    @pytest.mark.parametrize("dropout", [0.0, 0.4])
    def test_same_seed_same_weights(self, dropout):
        one, other = classifier(dropout=dropout), classifier(dropout=dropout)
        for model in (one, other):
            model.fit(X, LABELS, epochs=3, batch_size=8, verbose=0, seed=3)
        same(one, other)

    def test_program_wide_seed(self):
        models = []
        for _ in range(2):
            model = classifier(seed=9, dropout=0.3)
            model.fit(X, LABELS, epochs=2, batch_size=8, verbose=0)
            models.append(model)
        same(*models)

    def test_another_seed_another_order(self):
        one, other = classifier(), classifier()
        one.fit(X, LABELS, batch_size=8, verbose=0, seed=3)
        other.fit(X, LABELS, batch_size=8, verbose=0, seed=4)
        assert (one.get_weights()[0] != other.get_weights()[0]).any()

    def test_two_calls_equal_one(self):
        one, other = classifier(dropout=0.3), classifier(dropout=0.3)
        one.fit(X, LABELS, epochs=5, batch_size=8, verbose=0, seed=3)
        other.fit(X, LABELS, epochs=2, batch_size=8, verbose=0, seed=3)
        other.fit(X, LABELS, epochs=5, initial_epoch=2, batch_size=8, verbose=0, seed=3)
        same(one, other)

    def test_order_does_not_matter_for_one_batch(self):
        one, other = regressor(), regressor()
        one.fit(X, NUMBERS, batch_size=53, shuffle=True, verbose=0, seed=1)
        other.fit(X, NUMBERS, batch_size=53, shuffle=False, verbose=0)
        for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)

    def test_validation_split_takes_the_last_samples_before_shuffling(self):
        one, other = classifier(), classifier()
        split = one.fit(X, LABELS, validation_split=0.2, epochs=2, verbose=0, seed=1).history
        given = other.fit(
            X[:42],
            LABELS[:42],
            validation_data=(X[42:], LABELS[42:]),
            epochs=2,
            verbose=0,
            seed=1,
        ).history
        same(one, other)
        assert split == given
        assert split["val_loss"][-1] == pytest.approx(
            one.evaluate(X[42:], LABELS[42:], verbose=0)[0]
        )

    def test_validation_freq(self):
        history = classifier().fit(
            X, LABELS, validation_split=0.2, validation_freq=2, epochs=5, verbose=0
        )
        assert len(history.history["val_loss"]) == 2
        assert len(history.history["loss"]) == 5

    def test_sample_weight_zero_is_absence(self):
        one, other = regressor(), regressor()
        weights = np.r_[np.ones(50), np.zeros(3)]
        one.fit(X, NUMBERS, batch_size=53, sample_weight=weights, shuffle=False, verbose=0)
        other.optimizer.learning_rate *= 50 / 53  # the mean is over all samples, as in Keras
        other.fit(X[:50], NUMBERS[:50], batch_size=53, shuffle=False, verbose=0)
        for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5)

    def test_class_weights_are_for_training_alone(self):
        model = classifier(keras.optimizers.SGD(0.0))
        options = {"validation_split": 0.2, "verbose": 0, "shuffle": False}
        plain = model.fit(X, LABELS, **options).history
        weighted = model.fit(X, LABELS, class_weight={0: 1, 1: 2, 2: 5}, **options).history
        assert weighted["val_loss"] == plain["val_loss"]
        assert weighted["loss"][0] > plain["loss"][0]

    def test_weighted_metrics(self):
        model = classifier(metrics=["accuracy"], weighted_metrics=["sparse_categorical_accuracy"])
        weights = np.where(np.arange(53) < 10, 1.0, 0.0)
        found = model.evaluate(X, LABELS, sample_weight=weights, verbose=0, return_dict=True)
        right = model.predict(X).argmax(axis=1) == LABELS
        assert found["accuracy"] == right.mean()
        assert found["sparse_categorical_accuracy"] == right[:10].mean()

    def test_changing_the_rate_takes_effect_without_compiling_again(self):
        model = regressor()
        traced = []
        original = model.call
        model.call = lambda x, training=False: (traced.append(len(x)), original(x))[1]
        weights = []

        def slow(epoch, logs):
            model.optimizer.learning_rate = 0.0
            weights.append(model.get_weights()[0])

        model.fit(X, NUMBERS, epochs=4, verbose=0, callbacks=[LambdaCallback(on_epoch_end=slow)])
        np.testing.assert_array_equal(weights[0], weights[-1])
        assert sorted(traced) == [
            21,
            32,
        ]  # a program for the short last batch and one

    def test_second_epoch_does_not_trace(self):
        calls = []

        class Count(layers.Layer):
            def call(self, x):
                calls.append(x.shape)
                return x

        model = keras.Sequential([layers.Input((4,)), Count(), layers.Dense(1)])
        model.compile("sgd", "mse")
        calls.clear()
        model.fit(X, NUMBERS, batch_size=16, epochs=3, verbose=0, validation_split=0.2)
        # The short last batch, the validation, and whole batches.
        assert sorted(calls) == [(10, 4), (11, 4), (16, 4)]
        model.fit(X, NUMBERS, batch_size=16, epochs=3, verbose=0, validation_split=0.2)
        assert len(calls) == 3

    def test_run_eagerly_is_the_same_training(self):
        one, other = classifier(dropout=0.3), classifier(dropout=0.3, run_eagerly=True)
        one.fit(X, LABELS, verbose=0, seed=1)
        other.fit(X, LABELS, verbose=0, seed=1)
        for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)

    def test_executor_is_handed_on(self):
        model = classifier(executor="numpy")
        model.fit(X, LABELS, verbose=0)
        broken = classifier(executor="no such thing")
        with pytest.raises(bital.errors.BitalError, match="no such thing"):
            broken.fit(X, LABELS, verbose=0)

    def test_float64(self):
        model = classifier(dtype="float64")
        model.fit(X, LABELS, verbose=0)
        assert all(w.dtype == np.float64 for w in model.get_weights())
        assert model.predict(X).dtype == np.float64
        assert all(v.dtype == np.float64 for v in model.optimizer.variables[1:])

    def test_integer_images_are_cast(self):
        images = rng.integers(0, 256, (20, 4), dtype=np.uint8)
        one, other = classifier(), classifier()
        one.fit(images, LABELS[:20], verbose=0, seed=0)
        other.fit(images.astype(np.float32), LABELS[:20], verbose=0, seed=0)
        same(one, other)

    @pytest.mark.parametrize(
        "make", [np.asfortranarray, lambda x: x[::-1][::-1], np.ndarray.tolist]
    )
    def test_other_layouts_of_the_same_data(self, make):
        one, other = classifier(), classifier()
        one.fit(X, LABELS, verbose=0, seed=0, batch_size=10)
        other.fit(make(X), LABELS.tolist(), verbose=0, seed=0, batch_size=10)
        same(one, other)

    def test_data_are_left_alone(self):
        x, y = X.copy(), LABELS.copy()
        x.flags.writeable = y.flags.writeable = False
        classifier().fit(x, y, verbose=0)
        np.testing.assert_array_equal(x, X)

    def test_model_is_built_by_its_first_data(self):
        model = keras.Sequential([layers.Dense(3), layers.Dense(1)])
        model.compile("sgd", "mse")
        assert not model.built
        model.fit(X, NUMBERS, verbose=0)
        assert model.count_params() == 19

    def test_zero_epochs(self):
        model = classifier()
        before = model.get_weights()
        assert model.fit(X, LABELS, epochs=0, verbose=0).history == {}
        for a, b in zip(before, model.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)

    def test_memory_does_not_grow(self):
        model = classifier()
        model.fit(X, LABELS, epochs=20, batch_size=4, verbose=0)
        model.predict(X[:1])
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        model.fit(X, LABELS, epochs=150, batch_size=4, verbose=0)
        for _ in range(2000):
            model.predict(X[:1])
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert grown < 4096  # KiB


class TestLogits:
    """The last softmax or sigmoid is skipped under its logarithm."""

    @pytest.mark.parametrize(
        ("activation", "units", "loss", "y"),
        [
            ("softmax", 2, "sparse_categorical_crossentropy", np.array([1])),
            ("softmax", 2, "categorical_crossentropy", np.array([[0.0, 1.0]])),
            ("sigmoid", 1, "binary_crossentropy", np.array([1.0])),
        ],
    )
    @pytest.mark.parametrize("as_layer", [False, True])
    def test_a_very_wrong_answer_is_still_learned_from(self, activation, units, loss, y, as_layer):
        end = (
            [layers.Dense(units), layers.Activation(activation)]
            if as_layer
            else [layers.Dense(units, activation=activation)]
        )
        model = keras.Sequential([layers.Input((1,)), *end])
        model.compile(keras.optimizers.SGD(1.0), loss)
        kernel = np.array([[200.0, 0.0]]) if units == 2 else np.array([[-200.0]])
        model.set_weights([kernel, np.zeros(units)])
        x = np.ones((1, 1))
        assert model.evaluate(x, y, verbose=0) == pytest.approx(200)
        model.train_on_batch(x, y)
        assert model.evaluate(x, y, verbose=0) < 199
        share = model.predict(x)
        assert share.min() >= 0
        assert share.max() <= 1

    def test_within_another_model(self):
        inner = keras.Sequential([layers.Dense(2, activation="softmax")])
        model = keras.Sequential([layers.Input((1,)), layers.Flatten(), inner])
        model.compile("sgd", "sparse_categorical_crossentropy")
        model.set_weights([np.array([[200.0, 0.0]]), np.zeros(2)])
        assert model.evaluate(np.ones((1, 1)), [1], verbose=0) == pytest.approx(200)

    def test_other_pairs_are_left_alone(self):
        model = keras.Sequential([layers.Input((1,)), layers.Dense(2, activation="sigmoid")])
        model.compile("sgd", "categorical_crossentropy")
        model.set_weights([np.array([[1.0, 2.0]]), np.zeros(2)])
        p = 1 / (1 + np.exp(-np.array([1.0, 2.0])))
        assert model.evaluate(np.ones((1, 1)), [[0.0, 1.0]], verbose=0) == pytest.approx(
            -math.log(p[1] / p.sum()), rel=1e-5
        )

    def test_dropout_before_the_last_layer_still_acts(self):
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [layers.Input((4,)), layers.Dropout(0.99), layers.Dense(3, activation="softmax")]
        )
        model.compile(keras.optimizers.SGD(0.0), "sparse_categorical_crossentropy")
        logged = model.fit(X, LABELS, verbose=0).history["loss"][0]
        assert logged != pytest.approx(model.evaluate(X, LABELS, verbose=0), rel=1e-3)


class TestAccuracyChoice:
    @pytest.mark.parametrize(
        ("units", "activation", "loss", "y", "kind"),
        [
            (3, "softmax", "sparse_categorical_crossentropy", LABELS, "SparseCategoricalAccuracy"),
            (
                3,
                "softmax",
                "categorical_crossentropy",
                np.eye(3)[LABELS],
                "CategoricalAccuracy",
            ),
            (1, "sigmoid", "binary_crossentropy", LABELS > 0, "BinaryAccuracy"),
            (3, "sigmoid", "binary_crossentropy", np.eye(3)[LABELS], "BinaryAccuracy"),
            (1, None, "mse", LABELS, "BinaryAccuracy"),
            (3, None, "mse", np.eye(3)[LABELS], "CategoricalAccuracy"),
        ],
    )
    def test_by_loss_and_shapes(self, units, activation, loss, y, kind):
        model = keras.Sequential([layers.Input((4,)), layers.Dense(units, activation=activation)])
        model.compile("sgd", loss, metrics=["accuracy"])
        model.evaluate(X, y, verbose=0)
        assert type(model.metrics[0]).__name__ == kind
        assert model.metrics[0].name == "accuracy"

    def test_threshold_for_logits(self):
        """Keras compares logits with 0.5 here."""
        model = keras.Sequential([layers.Input((1,)), layers.Dense(1)])
        model.compile("sgd", keras.losses.BinaryCrossentropy(from_logits=True), metrics=["acc"])
        model.set_weights([np.ones((1, 1)), np.zeros(1)])
        x = np.array([[0.25], [-0.25]])
        assert model.evaluate(x, [1, 0], verbose=0, return_dict=True)["acc"] == 1.0


class TestInterrupt:
    def test_ctrl_c_finishes_the_step_and_keeps_the_model_whole(self):
        model, ended = classifier(), []

        class Press(Callback):
            def on_train_batch_begin(self, batch, logs=None):
                if batch == 3:
                    signal.raise_signal(signal.SIGINT)

            def on_train_end(self, logs=None):
                ended.append(self.model.optimizer.iterations)

        with pytest.raises(KeyboardInterrupt):
            model.fit(X, LABELS, batch_size=8, epochs=5, verbose=0, seed=0, callbacks=[Press()])
        assert ended == [4]  # the fourth step ran to its end
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        reference = classifier()

        class Stop(Callback):
            def on_train_batch_end(self, batch, logs=None):
                self.model.stop_training = batch == 3

        reference.fit(X, LABELS, batch_size=8, epochs=5, verbose=0, seed=0, callbacks=[Stop()])
        same(model, reference)
        model.fit(X, LABELS, verbose=0)

    def test_second_ctrl_c_gives_way_at_once(self):
        def press_twice(batch, logs):
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
            pytest.fail("the second signal must raise")

        with pytest.raises(KeyboardInterrupt):
            classifier().fit(
                X, LABELS, verbose=0, callbacks=[LambdaCallback(on_train_batch_begin=press_twice)]
            )

    def test_best_weights_are_restored(self):
        model = classifier()
        best = []

        def press(epoch, logs):
            best.append(self_weights(model))
            if epoch == 2:
                raise KeyboardInterrupt

        def self_weights(model):
            return model.get_weights()

        with pytest.raises(KeyboardInterrupt):
            model.fit(
                X,
                LABELS,
                epochs=9,
                verbose=0,
                callbacks=[
                    keras.callbacks.EarlyStopping("loss", patience=5, restore_best_weights=True),
                    LambdaCallback(on_epoch_end=press),
                ],
            )
        losses = model.history.history["loss"]
        chosen = best[int(np.argmin(losses))]
        for a, b in zip(chosen, model.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)

    def test_in_another_thread_signals_are_left_alone(self):
        done = []
        thread = threading.Thread(
            target=lambda: done.append(classifier().fit(X, LABELS, verbose=0))
        )
        thread.start()
        thread.join()
        assert done


class TestNonFiniteLoss:
    def test_names_the_batch_and_the_remedy(self):
        model = regressor(keras.optimizers.SGD(1e30))
        with pytest.raises(NonFiniteLossError, match=r"epoch 1, batch \d.*learning_rate"):
            model.fit(X, NUMBERS, batch_size=8, epochs=3, verbose=0)

    def test_callbacks_are_told_that_training_has_ended(self):
        ended = []
        with pytest.raises(FloatingPointError):
            regressor(keras.optimizers.SGD(1e30)).fit(
                X,
                NUMBERS,
                batch_size=8,
                epochs=3,
                verbose=0,
                callbacks=[LambdaCallback(on_train_end=lambda logs: ended.append(1))],
            )
        assert ended == [1]


class TestPredict:
    @settings(deadline=None, max_examples=25)
    @given(n=st.integers(1, 150), size=st.one_of(st.none(), st.integers(1, 70)))
    def test_any_number_of_samples(self, n, size):
        model = TestPredict.model = getattr(TestPredict, "model", None) or classifier()
        x = np.resize(X, (n, 4))
        found = model.predict(x, batch_size=size, verbose=0)
        assert found.shape == (n, 3)
        np.testing.assert_allclose(found, model(x), rtol=1e-5, atol=1e-7)

    def test_few_programs_serve_all_sizes(self):
        model = keras.Sequential([layers.Input((4,)), layers.Dense(1)])
        shapes = []
        original = model.call
        model.call = lambda x, training=False: (shapes.append(len(x)), original(x))[1]
        for n in range(1, 300):
            model.predict(np.zeros((n, 4)), verbose=0)
        assert shapes == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]

    @given(st.integers(1, 10_000), st.integers(1, 3000))
    def test_bucket(self, rows, limit):
        size = bucket(min(rows, limit), limit)
        assert min(rows, limit) <= size <= limit
        assert size == limit or size & (size - 1) == 0

    def test_on_batch(self):
        model = classifier()
        np.testing.assert_allclose(model.predict_on_batch(X), model(X), rtol=1e-5)

    def test_without_compiling(self):
        model = keras.Sequential([layers.Dense(2)])
        assert model.predict(X).shape == (53, 2)

    def test_result_is_a_plain_array_of_its_own(self):
        model = classifier()
        one = model.predict(X)
        kept = one.copy()
        model.predict(X + 1)
        np.testing.assert_array_equal(one, kept)
        assert type(one) is np.ndarray
        one[:] = 0

    def test_a_column_for_single_features(self):
        model = keras.Sequential([layers.Input((1,)), layers.Dense(1)])
        assert model.predict(np.arange(3.0)).shape == (3, 1)


class TestOnBatch:
    def test_train_and_test(self):
        model = classifier()
        before = model.test_on_batch(X, LABELS, return_dict=True)
        found = model.train_on_batch(X, LABELS, return_dict=True)
        assert found == pytest.approx(before)
        assert model.test_on_batch(X, LABELS)[0] < before["loss"]
        assert model.optimizer.iterations == 1

    def test_equals_a_fit_of_one_batch(self):
        one, other = classifier(), classifier()
        one.train_on_batch(X, LABELS)
        other.fit(X, LABELS, batch_size=64, shuffle=False, verbose=0)
        same(one, other)

    def test_scalar_without_metrics(self):
        assert isinstance(regressor().test_on_batch(X, NUMBERS), float)


class TestModelState:
    def test_not_compiled(self):
        model = keras.Sequential([layers.Dense(1, input_shape=(4,))])
        for call in (model.fit, model.evaluate, model.train_on_batch, model.test_on_batch):
            with pytest.raises(ModelStateError, match=r"model\.compile"):
                call(X, NUMBERS)
        model.compile("sgd")
        with pytest.raises(ModelStateError, match="needs a loss"):
            model.fit(X, NUMBERS)

    def test_no_layers(self):
        model = keras.Sequential()
        model.compile("sgd", "mse")
        with pytest.raises(ModelStateError, match="no layers"):
            model.fit(X, NUMBERS)
        with pytest.raises(ModelStateError, match="no layers"):
            model.pop()

    def test_optimizer_of_another_model(self):
        one, other = regressor(), regressor()
        other.compile(one.optimizer, "mse")
        one.fit(X, NUMBERS, verbose=0)
        with pytest.raises(ArgumentError, match="other weights"):
            other.fit(X, NUMBERS, verbose=0)

    def test_compiling_again_starts_the_optimizer_anew(self):
        model = classifier("adam")
        model.fit(X, LABELS, verbose=0)
        assert model.optimizer.iterations == 2
        model.compile("adam", "sparse_categorical_crossentropy")
        assert model.optimizer.iterations == 0

    def test_freezing_needs_compiling_again(self):
        model = classifier("sgd")
        model.fit(X, LABELS, verbose=0)
        model.layers[0].trainable = False
        with pytest.raises(ArgumentError, match="compile the model"):
            model.fit(X, LABELS, verbose=0)
        model.compile("sgd", "sparse_categorical_crossentropy")
        frozen = model.layers[0].get_weights()
        model.fit(X, LABELS, verbose=0)
        for a, b in zip(frozen, model.layers[0].get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)

    @pytest.mark.parametrize(
        ("options", "named"),
        [
            ({"optimizer": "adamm"}, "adam"),
            ({"optimizer": 3}, "not a optimizer|optimizer"),
            ({"loss": "mea"}, "mae"),
            ({"loss": keras.losses.MeanSquaredError(reduction=None)}, "reduction"),
            ({"metrics": ["accurracy"]}, "accuracy"),
            ({"metrics": 3}, "metric"),
            ({"run_eagerly": "yes"}, "run_eagerly"),
        ],
    )
    def test_compile_arguments(self, options, named):
        model = keras.Sequential([layers.Dense(1)])
        with pytest.raises(ArgumentError, match=named):
            model.compile(**options)

    def test_two_metrics_of_one_name(self):
        model = regressor(metrics=["mae", keras.metrics.MeanSquaredError(name="mae")])
        with pytest.raises(ArgumentError, match="'mae'"):
            model.fit(X, NUMBERS, verbose=0)

    def test_own_loss_and_metric_functions(self):
        model = regressor(metrics=[keras.losses.mean_absolute_error])

        def fourth(y_true, y_pred):
            return np.mean((y_true - y_pred) ** 4, axis=-1)

        model.compile("sgd", fourth, metrics=[keras.losses.mean_absolute_error])
        found = model.evaluate(X, NUMBERS[:, None], verbose=0, return_dict=True)
        error = model.predict(X)[:, 0] - NUMBERS
        assert found["loss"] == pytest.approx((error**4).mean(), rel=1e-5)
        assert found["mean_absolute_error"] == pytest.approx(np.abs(error).mean(), rel=1e-5)

    def test_named_functions_mean_their_classes(self):
        model = classifier()
        model.compile("sgd", keras.losses.sparse_categorical_crossentropy)
        assert type(model.loss) is keras.losses.SparseCategoricalCrossentropy


class TestSequential:
    def test_add_builds_as_it_goes(self):
        model = keras.Sequential()
        model.add(layers.Input((4,)))
        model.add(layers.Dense(3))
        model.add(layers.Dense(2))
        assert model.output_shape == (None, 2)
        assert [layer.name for layer in model.layers] == ["dense", "dense_1"]
        assert [v.path for v in model.weights] == [
            "dense/kernel",
            "dense/bias",
            "dense_1/kernel",
            "dense_1/bias",
        ]

    def test_names_start_anew_in_every_model(self):
        for _ in range(2):
            model = keras.Sequential([layers.Dense(3), layers.Dense(3)])
            assert [layer.name for layer in model.layers] == ["dense", "dense_1"]

    def test_pop_and_get_layer(self):
        model = keras.Sequential([layers.Input((4,)), layers.Dense(3), layers.Dense(2, name="out")])
        assert model.get_layer("out") is model.get_layer(index=-1)
        model.pop()
        assert model.predict(X).shape == (53, 3)
        with pytest.raises(ArgumentError, match="the layers are dense"):
            model.get_layer("out")

    def test_layers_can_serve_two_models(self):
        base = keras.Sequential([layers.Input((4,)), layers.Dense(3), layers.Dense(2)])
        top = keras.Sequential([layers.Input((4,)), base.layers[0]])
        np.testing.assert_array_equal(top(X), base.layers[0](X))

    def test_models_within_models(self):
        inner = keras.Sequential([layers.Dense(3), layers.Dense(2)], name="inner")
        model = keras.Sequential([layers.Input((4,)), inner, layers.Dense(1)])
        assert [v.path for v in model.weights][:2] == ["inner/dense/kernel", "inner/dense/bias"]
        model.compile("sgd", "mse")
        model.fit(X, NUMBERS, verbose=0)

    @pytest.mark.parametrize(
        ("make", "error", "named"),
        [
            (lambda: keras.Sequential([3]), ArgumentError, "not a layer"),
            (lambda: keras.Sequential([layers.Flatten]), ArgumentError, r"with \(\)"),
            (
                lambda: keras.Sequential([layers.Dense(1, name="a"), layers.Dense(1, name="a")]),
                ArgumentError,
                "named 'a' already",
            ),
            (
                lambda: keras.Sequential([layers.Dense(1), layers.Input((3,))]),
                ArgumentError,
                "stand first",
            ),
            (
                lambda: keras.Sequential(
                    [layers.Dense(2, input_shape=(4,)), layers.Dense(1, input_shape=(3,))]
                ),
                ShapeError,
                "leave this one out",
            ),
            (
                lambda: keras.Sequential([layers.Input((10,)), layers.Reshape((3, -1))]),
                ShapeError,
                "10 elements",
            ),
        ],
    )
    def test_wrong_layers(self, make, error, named):
        with pytest.raises(error, match=named):
            make()

    def test_plain_call_runs_numpy_only(self):
        model = classifier()
        kernel, bias, kernel_1, bias_1 = model.get_weights()
        hidden = np.maximum(X @ kernel + bias, 0) @ kernel_1 + bias_1
        share = np.exp(hidden) / np.exp(hidden).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(model(X), share, rtol=1e-5)

    def test_summary(self):
        lines = []
        classifier().summary(print_fn=lines.append)
        text = "\n".join(lines)
        for part in ("dense (Dense)", "(batch, 8)", "40", "27", "Total params: 67 (268.00 B)"):
            assert part in text
        lines.clear()
        keras.Sequential([layers.Dense(1000)]).summary(print_fn=lines.append)
        assert "not built" in lines[0]

    def test_summary_with_large_numbers(self, capsys):
        keras.Sequential([layers.Input((784,)), layers.Dense(300)]).summary(line_length=60)
        printed = capsys.readouterr().out
        assert "235,500" in printed
        assert max(map(len, printed.splitlines())) == 60


class TestCopies:
    @pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
    def test_a_copy_trains_on_alone(self, duplicate):
        model = classifier(dropout=0.3)
        model.fit(X, LABELS, verbose=0, seed=0)
        other = duplicate(model)
        before = model.get_weights()
        other.fit(X, LABELS, epochs=3, initial_epoch=1, verbose=0, seed=0)
        for a, b in zip(before, model.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
        model.fit(X, LABELS, epochs=3, initial_epoch=1, verbose=0, seed=0)
        same(model, other)

    def test_threads_may_ask_one_model(self):
        """While one thread traces, the variables hold tracers: the others must not see them."""
        model = classifier()
        expected = model(X)
        found, errors = {}, []

        def ask(n):
            try:
                found[n] = model.predict(X[:n], verbose=0)
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=ask, args=(n,)) for n in range(1, 54)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        for n, values in found.items():
            np.testing.assert_allclose(values, expected[:n], rtol=1e-5)


def test_nothing_to_train():
    model = keras.Sequential([layers.Input((4,)), layers.Flatten()])
    model.compile("sgd", "mse")
    assert np.isfinite(model.evaluate(X, X, verbose=0))
    with pytest.raises(ModelStateError, match="no weights to train"):
        model.fit(X, X, verbose=0)
    with pytest.raises(ModelStateError, match="no weights to train"):
        model.train_on_batch(X, X)
