"""Many steps per call: cut however one likes, the training is the same, bit for bit."""

import contextlib
import itertools
import os
import signal
import threading
import time

import numpy as np
import pytest

import bital
from bital import keras
from bital.errors import NonFiniteLossError
from bital.keras import layers
from bital.keras.callbacks import Callback, LambdaCallback, progress
from bital.keras.models import interrupts

rng = np.random.default_rng(0)
X = rng.normal(size=(53, 4)).astype(np.float32)
LABELS = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)
BYTES = rng.integers(0, 256, (53, 4), dtype=np.uint8)
WEIGHTS = rng.uniform(0.5, 2, 53)


pytestmark = pytest.mark.usefixtures("executor")


def classifier(dropout=0.3, **options):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            layers.Input((4,)),
            layers.Dense(8, activation="relu"),
            layers.Dropout(dropout),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], **options)
    return model


def same(one, other):
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def pace_of(monkeypatch, sizes):
    """Let the calls take so many steps, in turn, whatever the clock says; return what they took."""
    taken, wanted = [], itertools.cycle(sizes)

    class Pace(interrupts.Pace):
        def __init__(self):
            pass

        steps = property(lambda self: next(wanted))

        def measured(self, steps):
            taken.append(steps)
            return contextlib.nullcontext()

    monkeypatch.setattr(interrupts, "Pace", Pace)
    return taken


def hear(log):
    return LambdaCallback(on_train_batch_end=lambda batch, logs: log.append((batch, logs)))


CASES = {
    "plain": {"x": X},
    "in order": {"x": X, "shuffle": False},
    "sample weights": {"x": X, "sample_weight": WEIGHTS},
    "class weights": {"x": X, "class_weight": {0: 1, 1: 2, 2: 3}},
    "validation": {"x": X, "validation_split": 0.4, "validation_batch_size": 6},
    "bytes": {"x": BYTES},
    "float64": {"x": X.astype(np.float64)},
    "columns first": {"x": np.asfortranarray(X)},
    "other byte order": {"x": X.astype(">f4")},
    "whole batches only": {"x": X[:48], "y": LABELS[:48]},
}


@pytest.mark.parametrize("name", CASES)
def test_the_cut_does_not_matter(monkeypatch, name):
    options = {"y": LABELS, "epochs": 3, "batch_size": 8, "seed": 3, "verbose": 0, **CASES[name]}
    found = []
    for sizes in ([1], [3, 2], [100]):
        with monkeypatch.context() as patch:
            taken = pace_of(patch, sizes)
            model = classifier()
            found.append((model, model.fit(**options).history))
        assert max(taken) == min(max(sizes), 6 if name != "validation" else 3)
    log = []
    model = classifier()
    found.append((model, model.fit(**options, callbacks=[hear(log)]).history))
    count = -(-len(options["x"]) // 8) if name != "validation" else 4
    assert [batch for batch, _ in log] == [*range(count)] * 3
    assert log[-1][1] == {name: found[-1][1][name][-1] for name in ("loss", "accuracy")}
    for model, history in found[1:]:
        same(model, found[0][0])
        assert history == found[0][1]


def test_equals_one_step_after_another():
    """The same batches through `train_on_batch`, which is a program without a loop."""
    one, other = classifier(dropout=0.0), classifier(dropout=0.0)
    one.fit(X, LABELS, batch_size=8, epochs=2, shuffle=False, verbose=0)
    for _ in range(2):
        for start in range(0, 53, 8):
            other.train_on_batch(X[start : start + 8], LABELS[start : start + 8])
    same(one, other)
    assert one.optimizer.iterations == other.optimizer.iterations == 14


def test_dropout_is_that_of_the_step():
    """Its masks depend on seed and step alone: those of a step run as ordinary Python."""
    one, other = classifier(dropout=0.5), classifier(dropout=0.5, run_eagerly=True)
    one.fit(X, LABELS, batch_size=8, epochs=2, seed=5, verbose=0)
    other.fit(X, LABELS, batch_size=8, epochs=2, seed=5, verbose=0)
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_against_plain_numpy():
    """SGD on a line, by hand, in the order that is given."""
    model = keras.Sequential([layers.Input((4,)), layers.Dense(1, use_bias=False)])
    model.compile(keras.optimizers.SGD(0.05), "mse")
    w = model.get_weights()[0].astype(np.float64)
    y = X @ np.array([1.0, -2.0, 0.5, 3.0], np.float32)
    model.fit(X, y, batch_size=10, epochs=2, shuffle=False, verbose=0)
    for start in [*range(0, 53, 10)] * 2:
        x, t = X[start : start + 10], y[start : start + 10, None]
        w -= 0.05 * 2 / len(x) * x.T @ (x @ w - t)
    np.testing.assert_allclose(model.get_weights()[0], w, rtol=1e-5)


@pytest.mark.parametrize("sizes", [[1], [2], [100]])
def test_evaluation_is_the_same_for_any_cut(monkeypatch, sizes):
    taken, model = pace_of(monkeypatch, sizes), classifier()
    whole = model.evaluate(X, LABELS, sample_weight=WEIGHTS, verbose=0)
    taken.clear()
    cut = model.evaluate(X, LABELS, sample_weight=WEIGHTS, batch_size=8, verbose=0)
    np.testing.assert_allclose(cut, whole, rtol=1e-6)
    assert sum(taken) == 6
    assert cut[1] == (model.predict(X).argmax(axis=1) == LABELS).mean()


class TestNonFiniteLoss:
    @pytest.mark.parametrize("sizes", [[1], [3], [100]])
    def test_names_the_batch_within_a_call(self, monkeypatch, sizes):
        """Targets so large that the loss of the fifth batch overflows."""
        y = np.zeros(53, np.float32)
        y[34] = 3e38
        model = keras.Sequential([layers.Input((4,)), layers.Dense(1)])
        model.compile(keras.optimizers.SGD(0.0), "mse")
        before = model.evaluate(X[:32], y[:32], verbose=0)
        pace_of(monkeypatch, sizes)
        with pytest.raises(NonFiniteLossError) as caught:
            model.fit(X, y, batch_size=8, shuffle=False, verbose=0)
        assert f"inf in epoch 1, batch 5 (mean before: {before:.4g})" in str(caught.value)
        assert model.optimizer.iterations == 5  # the loop went no further

    def test_in_the_first_batch(self):
        y = np.full(53, 3e38, np.float32)
        model = keras.Sequential([layers.Input((4,)), layers.Dense(1)])
        model.compile("sgd", "mse")
        with pytest.raises(NonFiniteLossError, match=r"batch 1 \(mean before: none"):
            model.fit(X, y, batch_size=8, verbose=0)


class TestCallbacks:
    def test_every_batch_where_one_asks(self, monkeypatch):
        taken = pace_of(monkeypatch, [4])
        begun, model = [], classifier()
        hook = LambdaCallback(on_train_batch_begin=lambda batch, logs: begun.append(batch))
        model.fit(X, LABELS, batch_size=8, verbose=0, callbacks=[hook])
        assert begun == [*range(7)]
        assert taken == [1] * 6

    def test_now_and_then_for_one_who_does_not(self, monkeypatch):
        taken = pace_of(monkeypatch, [4])
        heard, model = [], classifier()

        class Watch(Callback):
            every_batch = False

            def on_train_batch_begin(self, batch, logs=None):
                heard.append(("begin", batch))

            def on_train_batch_end(self, batch, logs=None):
                heard.append(("end", batch))

            def on_test_batch_end(self, batch, logs=None):
                heard.append(("test", batch))

        model.fit(X, LABELS, batch_size=8, verbose=0, callbacks=[Watch()])
        assert heard == [
            *[("begin", 0), ("end", 3)],
            *[("begin", 4), ("end", 5)],
            *[("begin", 6), ("end", 6)],
        ]
        assert taken == [4, 2]
        heard.clear()
        model.evaluate(X, LABELS, batch_size=8, verbose=0, callbacks=[Watch()])
        assert heard == [("test", 3), ("test", 5), ("test", 6)]

    def test_the_bar_moves_by_calls(self, monkeypatch):
        taken = pace_of(monkeypatch, [4])
        moves = []
        monkeypatch.setattr(progress, "_watched", lambda: True)
        monkeypatch.setattr(
            progress.Bar, "_move", lambda self, batch, logs: moves.append((batch, *logs))
        )
        classifier().fit(X, LABELS, batch_size=8, verbose=1)
        assert moves == [(n, "loss", "accuracy") for n in (3, 5, 6)]
        assert taken == [4, 2]

    def test_learning_rate_set_between_epochs(self):
        model, seen = classifier(), []

        def stop(epoch, logs):
            model.optimizer.learning_rate = 0.0
            seen.append(model.get_weights()[0])

        model.fit(
            *(X, LABELS),
            **{"batch_size": 8, "epochs": 3, "verbose": 0},
            callbacks=[LambdaCallback(on_epoch_end=stop)],
        )
        np.testing.assert_array_equal(seen[0], seen[2])


class TestPace:
    def clock(self, monkeypatch, seconds_per_step):
        now = [0.0]
        monkeypatch.setattr(interrupts.time, "perf_counter", lambda: now[0])

        def call(pace, limit=10**9):
            steps = min(pace.steps, limit)
            with pace.measured(steps):
                now[0] += steps * seconds_per_step[0]
            return steps

        return call

    def test_a_call_takes_a_tenth_of_a_second(self, monkeypatch):
        cost = [2**-10]
        call = self.clock(monkeypatch, cost)
        pace = interrupts.Pace()
        assert [call(pace) for _ in range(4)] == [1, 64, 102, 102]
        cost[0] = 2**-6
        assert [call(pace) for _ in range(3)] == [102, 6, 6]

    def test_the_few_steps_that_are_left_say_nothing(self, monkeypatch):
        call = self.clock(monkeypatch, [2**-10])
        pace = interrupts.Pace()
        assert [call(pace, 3) for _ in range(5)] == [1, 3, 3, 3, 3]
        assert call(pace) == 64

    def test_one_step_however_long(self, monkeypatch):
        call = self.clock(monkeypatch, [5.0])
        pace = interrupts.Pace()
        assert [call(pace) for _ in range(3)] == [1, 1, 1]


@pytest.mark.skipif(os.name == "nt", reason="signals are those of POSIX")
def test_ctrl_c_within_many_steps():
    """Epochs of minutes without a callback: Ctrl-C is answered between two calls."""
    model = classifier()
    x, y = np.resize(X, (200_000, 4)), np.resize(LABELS, 200_000)
    pressed, ended = [], []

    def press():
        pressed.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(1.0, press)
    stop = LambdaCallback(
        on_train_begin=lambda logs: timer.start(),
        on_train_end=lambda logs: ended.append(int(model.optimizer.iterations)),
    )
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y, batch_size=2, epochs=10_000, verbose=0, callbacks=[stop], seed=0)
    waited = time.perf_counter() - pressed[0]
    assert waited < 60  # what is promised is a second; a loaded machine is no reason to fail
    assert ended[0] > 0
    weights = model.get_weights()
    assert all(np.isfinite(w).all() for w in weights)
    model.fit(X, LABELS, verbose=0)


class TestPredict:
    def test_again_and_again(self, monkeypatch):
        model = classifier()
        first = model.predict(X[:1])
        asked = []
        monkeypatch.setattr(
            type(model), "_features", lambda self, x: asked.append(x) or pytest.fail("long way")
        )
        again = model.predict(X[:1])
        np.testing.assert_array_equal(first, again)
        assert again is not first
        np.testing.assert_allclose(model.predict(X[1:2]), model(X[1:2]), rtol=1e-5)

    def test_new_weights(self):
        model = classifier()
        model.predict(X[:1])
        model.fit(X, LABELS, verbose=0)
        np.testing.assert_allclose(model.predict(X[:1]), model(X[:1]), rtol=1e-5)
        model.set_weights([2 * w for w in model.get_weights()])
        np.testing.assert_allclose(model.predict(X[:1]), model(X[:1]), rtol=1e-5)

    def test_new_layers(self):
        inner = keras.Sequential([layers.Dense(3), layers.Dense(2)])
        model = keras.Sequential([layers.Input((4,)), inner])
        assert model.predict(X[:1]).shape == (1, 2)
        inner.pop()
        assert model.predict(X[:1]).shape == (1, 3)
        model.add(layers.Dense(5))
        assert model.predict(X[:1]).shape == (1, 5)

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    def test_is_still_checked(self, bad):
        model = classifier()
        x = X[:1].copy()
        model.predict(x)
        x[0, 2] = bad
        with pytest.raises(bital.errors.DataError, match=r"x\[0, 2\]"):
            model.predict(x)

    def test_large_numbers_are_no_error(self):
        model = keras.Sequential([layers.Input((4,)), layers.Dense(1, use_bias=False)])
        x = np.full((1, 4), 1e30, np.float32)
        np.testing.assert_array_equal(model.predict(x), model.predict(x))

    def test_other_shapes_and_types(self):
        model = classifier()
        expected = model.predict(X[:2])
        for x in (X[:2].tolist(), X[:2].astype(np.float64), np.asfortranarray(X[:2])):
            np.testing.assert_array_equal(model.predict(x), expected)
        with pytest.raises(bital.errors.ShapeError):
            model.predict(X[:2, :3])

    def test_results_are_no_views(self):
        model = keras.Sequential([layers.Input((2, 2)), layers.Flatten()])
        x = np.ones((1, 2, 2), np.float32)
        for _ in range(2):
            model.predict(x)[:] = 5
            assert (x == 1).all()

    def test_in_another_executor(self):
        model = classifier()
        expected = model.predict(X[:1])
        with bital.config.executor("numpy"):
            np.testing.assert_allclose(model.predict(X[:1]), expected, rtol=1e-6)
        np.testing.assert_array_equal(model.predict(X[:1]), expected)


class TestReplay:
    """The first non-finite loss is explained by computing its batch again."""

    def refused(self, model, y, **options):
        with pytest.raises(NonFiniteLossError) as caught:
            model.fit(X, y, batch_size=8, verbose=0, **options)
        return str(caught.value)

    @pytest.mark.parametrize("shuffle", [False, True])
    @pytest.mark.parametrize("eagerly", [False, True])
    def test_the_sample_and_the_line_are_named(self, shuffle, eagerly):
        y = np.zeros(53, np.float32)
        y[34] = 3e38
        model = keras.Sequential([layers.Input((4,)), layers.Dense(1)])
        model.compile(keras.optimizers.SGD(0.0), "mse", run_eagerly=eagerly)
        text = self.refused(model, y, shuffle=shuffle, seed=1)
        assert "np.multiply made infinity in 1 of" in text
        assert "in the forward pass" in text
        assert os.path.join("nn", "losses", "regression.py") in text
        assert "from -3e+38 to" in text
        assert text.endswith("in the training samples 34")

    @pytest.mark.parametrize("last", [50, 49])
    def test_in_a_shorter_last_batch(self, last):
        y = np.zeros(53, np.float32)
        y[last] = 3e38
        model = keras.Sequential([layers.Input((4,)), layers.Dense(1)])
        model.compile(keras.optimizers.SGD(0.0), "mse")
        assert self.refused(model, y, shuffle=False).endswith(f"the training samples {last}")

    def test_the_layer_is_named(self):
        def loss(y, p):
            return np.mean(p - y)

        model = keras.Sequential(
            [
                layers.Input((4,)),
                layers.Dense(4, activation=np.exp, kernel_initializer="ones", name="powers"),
                layers.Dense(1, name="last"),
            ]
        )
        model.compile("sgd", loss)
        x = X.copy()
        x[9] = 1000.0
        with pytest.raises(NonFiniteLossError) as caught:
            model.fit(x, np.zeros(53), batch_size=8, shuffle=False, verbose=0)
        assert "np.exp made infinity" in str(caught.value)
        assert "/powers)" in str(caught.value)
        assert str(caught.value).endswith("in the training samples 9")

    def test_a_gradient_that_breaks_the_weights_a_batch_before(self):
        """The root's slope at 0 is infinite: the loss of the batch itself is still finite."""

        def loss(y, p):
            return np.mean(np.sqrt(np.abs(p - y)))

        model = keras.Sequential(
            [layers.Input((4,)), layers.Dense(1, kernel_initializer="zeros", use_bias=False)]
        )
        model.compile("sgd", loss)
        text = self.refused(model, np.zeros(53), shuffle=False)
        assert "nan in epoch 1, batch 2" in text
        assert "in the backward pass" in text
        assert "np.sqrt(np.abs(p - y))" in text

    def test_long_after_the_last_copy(self, monkeypatch):
        """Nothing is copied after the first call: all of three epochs is run again."""
        monkeypatch.setattr("bital.keras.models.replay._SHARE", 1e9)
        y = X.sum(axis=1)
        model = keras.Sequential([layers.Input((4,)), layers.Dense(1)])
        model.compile(keras.optimizers.SGD(3.0), "mse")
        text = self.refused(model, y, epochs=200, seed=3)
        assert "made" in text
        assert "training samples" in text

    def test_what_cannot_be_reproduced_is_not_explained(self):
        class Break(keras.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None):
                self.model.layers[-1].kernel.value[...] = np.nan  # behind everyone's back

        model = keras.Sequential([layers.Input((4,)), layers.Dense(1)])
        model.compile("sgd", "mse")
        text = self.refused(model, np.zeros(53), epochs=3, callbacks=[Break()])
        assert "the loss became nan in epoch 2" in text

    def test_weights_that_are_set_anew_are_a_new_start(self):
        class Break(keras.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None):
                self.model.set_weights([np.full((4, 1), 1e30), np.zeros(1)])

        model = keras.Sequential([layers.Input((4,)), layers.Dense(1)])
        model.compile("sgd", "mse")
        text = self.refused(model, np.zeros(53), epochs=3, callbacks=[Break()])
        assert "the loss became inf in epoch 2, batch 1" in text
        assert "np.multiply made infinity in 8 of 8" in text

    def test_training_itself_is_not_changed(self):
        histories = []
        for share in (0, 100):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("bital.keras.models.replay._SHARE", share)
                keras.utils.set_random_seed(5)
                model = keras.Sequential([layers.Input((4,)), layers.Dense(1)])
                model.compile("adam", "mse")
                history = model.fit(X, X.sum(axis=1), batch_size=8, epochs=3, verbose=0, seed=2)
                histories.append((history.history["loss"], model.get_weights()))
        assert histories[0][0] == histories[1][0]
        for a, b in zip(histories[0][1], histories[1][1], strict=True):
            np.testing.assert_array_equal(a, b)
