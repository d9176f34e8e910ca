"""Callbacks: what they are told, and what they do."""

import csv
import io
import sys

import numpy as np
import pytest

from bital import keras
from bital.errors import ArgumentError
from bital.keras import callbacks, layers
from bital.keras.callbacks import (
    Callback,
    EarlyStopping,
    LambdaCallback,
    ModelCheckpoint,
    progress,
)

X = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
Y = X.sum(axis=1)


def model(rate=0.05, **options):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([layers.Input((3,)), layers.Dense(1)])
    model.compile(keras.optimizers.SGD(rate), "mse", **{"metrics": ["mae"], **options})
    return model


class Scripted(Callback):
    """Puts given values into the logs, to test what follows from them."""

    def __init__(self, name, values):
        self.name = name
        self.values = values

    def on_epoch_end(self, epoch, logs=None):
        logs[self.name] = self.values[epoch]


def run(subject, values, name="loss", epochs=None):
    chosen = model()
    weights = []
    keep = LambdaCallback(on_epoch_end=lambda epoch, logs: weights.append(chosen.get_weights()))
    chosen.fit(
        X,
        Y,
        epochs=epochs or len(values),
        verbose=0,
        callbacks=[keep, Scripted(name, values), subject],
    )
    return chosen, weights


class TestOrder:
    def test_hooks(self):
        heard = []
        names = [name for name in vars(Callback) if name.startswith("on_")]
        note = LambdaCallback(
            **{name: lambda *a, name=name: heard.append(name[3:]) for name in names}
        )
        subject = model()
        subject.fit(X, Y, batch_size=10, validation_split=0.5, verbose=0, callbacks=[note])
        assert heard == [
            "train_begin",
            "epoch_begin",
            "train_batch_begin",
            "train_batch_end",
            "test_begin",
            "test_batch_begin",
            "test_batch_end",
            "test_end",
            "epoch_end",
            "train_end",
        ]
        heard.clear()
        subject.predict(X, batch_size=10, callbacks=[note], verbose=0)
        assert heard == [
            "predict_begin",
            *["predict_batch_begin", "predict_batch_end"] * 2,
            "predict_end",
        ]

    def test_logs_and_params(self):
        found = {}

        class Look(Callback):
            def on_train_begin(self, logs=None):
                found["params"] = self.params

            def on_train_batch_end(self, batch, logs=None):
                found[batch] = dict(logs)

            def on_epoch_end(self, epoch, logs=None):
                found["epoch"] = dict(logs)

        model().fit(X, Y, batch_size=15, epochs=1, verbose=0, callbacks=[Look()])
        assert found["params"]["steps"] == 2
        assert found["params"]["epochs"] == 1
        assert found[1] == found["epoch"]
        assert set(found[0]) == {"loss", "mae"}
        assert all(type(value) is float for value in found[0].values())

    def test_training_ends_for_all_even_if_one_fails(self):
        ended = []

        def fail(*arguments):
            raise RuntimeError("mine")

        with pytest.raises(RuntimeError, match="mine"):
            model().fit(
                X,
                Y,
                verbose=0,
                callbacks=[
                    LambdaCallback(on_train_end=lambda logs: ended.append("first")),
                    LambdaCallback(on_epoch_end=fail, on_train_end=fail),
                    LambdaCallback(on_train_end=lambda logs: ended.append("last")),
                ],
            )
        assert sorted(ended) == ["first", "last"]

    def test_lambda_callback_arguments(self):
        with pytest.raises(ArgumentError, match="the hooks are on_train_begin"):
            LambdaCallback(on_epoch=print)
        with pytest.raises(ArgumentError, match="must be a function"):
            LambdaCallback(on_epoch_end=3)


class TestEarlyStopping:
    @pytest.mark.parametrize(
        ("options", "values", "epochs_run", "best"),
        [
            ({"patience": 0}, [3, 2, 2.5, 1], 3, 1),
            ({"patience": 2}, [3, 2, 2.5, 2.4, 1], 4, 1),
            ({"patience": 3}, [3, 2, 2.5, 2.4, 1, 0], 6, 5),
            ({"min_delta": 0.5, "patience": 1}, [3, 2.8, 2.7, 2.6], 2, 0),
            ({"min_delta": -0.5, "patience": 1}, [3, 2.8, 2.7, 2.6], 2, 0),
            ({"mode": "max", "patience": 1}, [1, 2, 1.5, 3], 3, 1),
            ({"patience": 1, "start_from_epoch": 3}, [1, 2, 3, 4, 5, 6], 5, 3),
            ({"patience": 2, "baseline": 1.0}, [3, 4, 5, 0], 2, 0),
            ({"patience": 2, "baseline": 2.5}, [3, 2, 4, 5, 0], 4, 1),
            ({"patience": 1}, [float("nan"), 2, 1, 0.5], 4, 3),
        ],
    )
    def test_when_it_stops_and_what_it_restores(self, options, values, epochs_run, best):
        stopper = EarlyStopping("loss", restore_best_weights=True, **options)
        chosen, weights = run(stopper, values)
        assert len(weights) == epochs_run
        assert stopper.best_epoch == best
        for a, b in zip(weights[best], chosen.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)

    def test_without_restoring_the_last_weights_stay(self):
        chosen, weights = run(EarlyStopping("loss"), [3, 2, 2.5, 1])
        np.testing.assert_array_equal(weights[-1][0], chosen.get_weights()[0])

    def test_knows_which_way_is_better(self):
        subject = model(metrics=[keras.metrics.BinaryAccuracy()])
        stopper = EarlyStopping("val_binary_accuracy", patience=1)
        values = Scripted("val_binary_accuracy", [0.1, 0.2, 0.3, 0.2, 0.1])
        history = subject.fit(
            X, Y, epochs=5, validation_split=0.2, verbose=0, callbacks=[values, stopper]
        )
        assert len(history.epoch) == 4
        assert stopper.best == 0.3

    def test_unknown_direction(self):
        stopper = EarlyStopping("strange")
        with pytest.raises(ArgumentError, match="mode='min' or mode='max'"):
            run(stopper, [1, 2], name="strange")

    def test_missing_value_names_what_there_is(self):
        with pytest.raises(ArgumentError, match=r"'loss', 'mae'.*validation_split"):
            model().fit(X, Y, verbose=0, callbacks=[EarlyStopping()])

    def test_epochs_without_validation_do_not_count(self):
        stopper = EarlyStopping(patience=1)
        history = model(rate=0.0).fit(
            X,
            Y,
            epochs=9,
            validation_split=0.2,
            validation_freq=3,
            verbose=0,
            callbacks=[stopper],
        )
        assert len(history.epoch) == 6

    def test_can_be_used_again(self):
        stopper = EarlyStopping("loss")
        run(stopper, [3, 4])
        run(stopper, [9, 8, 9])
        assert stopper.best == 8

    def test_verbose(self, capsys):
        run(EarlyStopping("loss", verbose=1, restore_best_weights=True), [1, 2, 3])
        assert capsys.readouterr().out == (
            "Epoch 2: early stopping\nRestored the weights of epoch 1\n"
        )

    @pytest.mark.parametrize(
        "options", [{"patience": -1}, {"mode": "up"}, {"min_delta": "a"}, {"baseline": "b"}]
    )
    def test_arguments(self, options):
        with pytest.raises(ArgumentError, match=next(iter(options))):
            EarlyStopping(**options)


class TestModelCheckpoint:
    def test_names_are_filled_in(self, tmp_path):
        saver = ModelCheckpoint(tmp_path / "sub" / "m-{epoch:02d}-{loss:.1f}.safetensors")
        run(saver, [3.04, 2.0])
        names = sorted(path.name for path in (tmp_path / "sub").iterdir())
        assert names == ["m-01-3.0.safetensors", "m-02-2.0.safetensors"]

    def test_best_only(self, tmp_path, capsys):
        path = tmp_path / "best.safetensors"
        saver = ModelCheckpoint(path, "loss", save_best_only=True, verbose=1)
        _, weights = run(saver, [3, 1, 2])
        again = keras.models.load_model(path)
        np.testing.assert_array_equal(again.get_weights()[0], weights[1][0])
        assert again.optimizer.iterations == 2
        assert capsys.readouterr().out.count("saved") == 2

    def test_threshold(self, tmp_path):
        path = tmp_path / "best.safetensors"
        run(ModelCheckpoint(path, "loss", save_best_only=True, initial_value_threshold=1.0), [3, 2])
        assert not path.exists()

    def test_weights_only(self, tmp_path):
        path = tmp_path / "w.safetensors"
        chosen, _ = run(ModelCheckpoint(path, save_weights_only=True), [3])
        other = model()
        other.load_weights(path)
        np.testing.assert_array_equal(other.get_weights()[0], chosen.get_weights()[0])

    def test_failing_write_leaves_the_last_file(self, tmp_path, monkeypatch):
        path = tmp_path / "best.safetensors"
        chosen, _ = run(ModelCheckpoint(path, "loss"), [3])
        kept = path.read_bytes()

        def full(*arguments):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("os.replace", full)
        with pytest.raises(OSError, match="No space"):
            chosen.fit(X, Y, verbose=0, callbacks=[ModelCheckpoint(path, "loss")])
        assert path.read_bytes() == kept
        assert [p.name for p in tmp_path.iterdir()] == ["best.safetensors"]

    def test_unknown_field(self, tmp_path):
        with pytest.raises(ArgumentError, match=r"'val_loss'.*epoch, loss"):
            run(ModelCheckpoint(tmp_path / "{val_loss}"), [3])


class TestCSVLogger:
    def read(self, path, separator=","):
        with path.open(newline="") as file:
            return list(csv.reader(file, delimiter=separator))

    def test_lines(self, tmp_path):
        path = tmp_path / "log.csv"
        history = model().fit(
            X,
            Y,
            epochs=3,
            validation_split=0.2,
            validation_freq=2,
            verbose=0,
            callbacks=[callbacks.CSVLogger(path, separator=";")],
        )
        header, *lines = self.read(path, ";")
        assert header == ["epoch", "loss", "mae", "val_loss", "val_mae"]
        assert [line[0] for line in lines] == ["0", "1", "2"]
        assert lines[0][3] == "NA"
        assert float(lines[1][3]) == history.history["val_loss"][0]

    def test_append(self, tmp_path):
        path = tmp_path / "log.csv"
        for _ in range(2):
            model().fit(X, Y, verbose=0, callbacks=[callbacks.CSVLogger(path, append=True)])
        assert len(self.read(path)) == 3
        with pytest.raises(ArgumentError, match="has the fields epoch, loss, mae and"):
            model().fit(
                X,
                Y,
                validation_split=0.2,
                verbose=0,
                callbacks=[callbacks.CSVLogger(path, append=True)],
            )
        assert len(self.read(path)) == 3
        model().fit(X, Y, verbose=0, callbacks=[callbacks.CSVLogger(path)])
        assert len(self.read(path)) == 2

    def test_file_is_closed_after_an_error(self, tmp_path):
        logger = callbacks.CSVLogger(tmp_path / "log.csv")

        def fail(epoch, logs):
            raise RuntimeError

        with pytest.raises(RuntimeError):
            model().fit(X, Y, verbose=0, callbacks=[logger, LambdaCallback(on_epoch_end=fail)])
        assert logger._file is None
        assert len(self.read(tmp_path / "log.csv")) == 2


class Terminal(io.StringIO):
    def isatty(self):
        return True


class TestProgress:
    def test_silent(self, capfd):
        subject = model()
        subject.fit(X, Y, epochs=2, validation_split=0.2, verbose=0)
        subject.evaluate(X, Y, verbose=0)
        subject.predict(X, verbose=0, batch_size=5)
        assert capfd.readouterr() == ("", "")

    @pytest.mark.parametrize("verbose", ["auto", 1, 2])
    def test_a_line_an_epoch_in_a_log_file(self, capfd, verbose):
        subject = model()
        subject.fit(X, Y, epochs=2, validation_split=0.2, verbose=verbose)
        printed, errors = capfd.readouterr()
        assert errors == ""
        first, second = printed.splitlines()
        assert first.startswith("Epoch 1/2 - 0.")
        for name in ("loss: ", "mae: ", "val_loss: ", "val_mae: "):
            assert name in second
        subject.evaluate(X, Y, verbose=verbose)
        subject.predict(X, verbose=verbose, batch_size=5)
        assert capfd.readouterr().out.startswith("Evaluation - ")

    def test_a_bar_in_a_terminal(self, monkeypatch):
        screen = Terminal()
        monkeypatch.setattr(sys, "stdout", screen)
        subject = model()
        subject.fit(X, Y, epochs=2, batch_size=5, validation_split=0.2)
        subject.evaluate(X, Y)
        subject.predict(X, batch_size=5)
        text = screen.getvalue()
        for part in ("Epoch 1/2: 100%", "Epoch 2/2: 100%", "4/4", "val_mae: ", "Evaluation"):
            assert part in text
        assert "Prediction: 100%" in text

    def test_lines_in_a_terminal_if_asked_for(self, monkeypatch):
        screen = Terminal()
        monkeypatch.setattr(sys, "stdout", screen)
        model().fit(X, Y, verbose=2)
        assert screen.getvalue().count("\n") == 1

    def test_a_bar_is_closed_after_an_error(self, monkeypatch):
        monkeypatch.setattr(sys, "stdout", Terminal())
        bars = []
        original = progress.Bar._open
        monkeypatch.setattr(
            progress.Bar, "_open", lambda self, title: (bars.append(self), original(self, title))
        )

        def fail(batch, logs):
            raise RuntimeError

        with pytest.raises(RuntimeError):
            model().fit(X, Y, callbacks=[LambdaCallback(on_train_batch_end=fail)])
        assert bars[0].bar is None

    def test_notebook(self, monkeypatch):
        class OutStream(io.StringIO):
            pass

        OutStream.__module__ = "ipykernel.iostream"
        screen = OutStream()
        monkeypatch.setattr(sys, "stdout", screen)
        monkeypatch.setattr(progress, "find_spec", lambda name: None)
        model().fit(X, Y)
        assert "100%" in screen.getvalue()

    def test_no_standard_output_at_all(self, monkeypatch):
        monkeypatch.setattr(sys, "stdout", None)
        model().fit(X, Y)
