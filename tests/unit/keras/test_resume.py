"""fit(resume=folder): interruptions of every kind, and what is refused."""

import os

import numpy as np
import pytest

from bital import keras
from bital.errors import ArgumentError, CheckpointError
from bital.keras import layers
from bital.keras.callbacks import BackupAndRestore, Callback, EarlyStopping, ModelCheckpoint
from bital.keras.checkpoints import Checkpoints

RNG = np.random.default_rng(3)
X = RNG.normal(size=(43, 4)).astype(np.float32)
Y = RNG.integers(0, 3, 43)


def model(units=5):
    keras.utils.set_random_seed(1)
    made = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(units, "tanh"),
            layers.Dropout(0.3),
            layers.Dense(3, "softmax"),
        ]
    )
    rate = keras.optimizers.schedules.CosineDecay(0.05, 40)
    made.compile(
        keras.optimizers.Adam(rate),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
        executor="numpy",
    )
    return made


def fit(made, resume=None, epochs=4, callbacks=(), **options):
    early = EarlyStopping("val_loss", patience=3, restore_best_weights=True)
    options = {"batch_size": 8, "verbose": 0, "validation_split": 0.2, **options}
    return made.fit(X, Y, epochs=epochs, callbacks=[early, *callbacks], resume=resume, **options)


def same(one, other):
    assert one.history.history == other.history.history
    assert one.history.epoch == other.history.epoch
    state = (one.optimizer.variables, other.optimizer.variables)
    for pairs in (
        zip(one.get_weights(), other.get_weights(), strict=True),
        zip(*state, strict=True),
    ):
        for a, b in pairs:
            np.testing.assert_array_equal(a, b)


class Interrupt(Callback):
    """Presses Ctrl-C after some batches, or in a validation."""

    def __init__(self, steps, validation=False):
        self.left = steps
        self.validation = validation

    def on_train_batch_end(self, batch, logs=None):
        self._count(self.validation)

    def on_test_batch_end(self, batch, logs=None):
        self._count(not self.validation)

    def _count(self, other):
        self.left -= not other
        if self.left == 0:
            os.kill(os.getpid(), 2)


@pytest.fixture(scope="module")
def whole():
    """The training that is not interrupted."""
    made = model()
    fit(made)
    return made


@pytest.mark.slow
class TestInterruption:
    @pytest.mark.parametrize("validation", [False, True])
    def test_ctrl_c_again_and_again(self, tmp_path, whole, validation):
        presses = 0
        while True:
            made = model()
            made.layers[0].set_weights([np.ones((4, 5)), np.ones(5)] if presses else _first())
            try:
                steps = 3 if not validation else 1 if presses < 3 else 99
                fit(made, tmp_path, callbacks=[Interrupt(steps, validation)])
                break
            except KeyboardInterrupt:
                presses += 1
        assert presses >= 3
        same(made, whole)

    def test_the_same_model_goes_on(self, tmp_path, whole):
        made = model()
        with pytest.raises(KeyboardInterrupt):
            fit(made, tmp_path, callbacks=[Interrupt(7)])
        fit(made, tmp_path)
        same(made, whole)

    def test_a_finished_training_returns_at_once(self, tmp_path, whole):
        fit(model(), tmp_path)
        made = model()
        steps = []
        history = fit(made, tmp_path, callbacks=[keras.callbacks.LambdaCallback(
            on_train_batch_begin=lambda batch, logs: steps.append(batch))])  # fmt: skip
        assert steps == []
        assert history.history == whole.history.history
        same(made, whole)

    def test_more_epochs_go_on(self, tmp_path):
        longer, made = model(), model()
        fit(longer, epochs=6)
        fit(model(), tmp_path)
        fit(made, tmp_path, epochs=6)
        same(made, longer)

    def test_other_seeds_of_the_program_do_not_matter(self, tmp_path, whole):
        with pytest.raises(KeyboardInterrupt):
            fit(model(), tmp_path, callbacks=[Interrupt(5)])
        made = model()
        keras.utils.set_random_seed(99)
        fit(made, tmp_path)
        same(made, whole)

    def test_an_error_keeps_the_last_checkpoint(self, tmp_path, whole):
        def fails(epoch, logs):
            if epoch == 2:
                raise ZeroDivisionError

        kept = Checkpoints(tmp_path, steps=1)
        failing = keras.callbacks.LambdaCallback(on_epoch_end=fails)
        with pytest.raises(ZeroDivisionError):
            fit(model(), kept, callbacks=[failing])
        made = model()
        fit(made, kept)
        same(made, whole)


def _first():
    return model().layers[0].get_weights()


class TestRefusals:
    @pytest.fixture
    def folder(self, tmp_path):
        fit(model(), tmp_path, epochs=1)
        return tmp_path

    @pytest.mark.parametrize(
        ("options", "named"),
        [
            ({"batch_size": 9}, "batch_size: 8 before, now 9"),
            ({"shuffle": False}, "shuffle"),
            ({"seed": 3}, "seed: None before, now 3"),
            ({"sample_weight": np.ones(43)}, "data sample_weight"),
            ({"validation_split": 0.3}, "data x"),
        ],
    )
    def test_other_arguments(self, folder, options, named):
        with pytest.raises(CheckpointError, match=named):
            fit(model(), folder, **options)

    def test_another_model(self, folder):
        with pytest.raises(CheckpointError, match="units: 5 before, now 6"):
            fit(model(6), folder)

    def test_other_data(self, folder, monkeypatch):
        monkeypatch.setitem(globals(), "X", X + np.float32(1e-3))
        with pytest.raises(CheckpointError, match="data x"):
            fit(model(), folder)

    def test_another_loss(self, folder):
        made = model()
        made.compile(made.optimizer, lambda y, p: np.sum(p, axis=1), metrics=["accuracy"])
        with pytest.raises(CheckpointError, match="loss"):
            fit(made, folder)

    def test_a_missing_callback(self, folder):
        with pytest.raises(CheckpointError, match="EarlyStopping"):
            model().fit(X, Y, 8, epochs=1, verbose=0, validation_split=0.2, resume=folder)

    def test_a_refusal_changes_nothing(self, folder):
        before = {path: path.read_bytes() for path in folder.glob("*.safetensors")}
        made = model()
        weights = made.get_weights()
        with pytest.raises(CheckpointError):
            fit(made, folder, batch_size=9)
        assert {path: path.read_bytes() for path in folder.glob("*.safetensors")} == before
        for one, other in zip(weights, made.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)

    def test_a_callback_with_a_state_that_is_not_plain(self, tmp_path):
        class Odd(Callback):
            def get_state(self):
                return {"file": object()}

        with pytest.raises(ArgumentError, match="callbacks/Odd 0/file"):
            fit(model(), tmp_path, callbacks=[Odd()])


@pytest.mark.slow
class TestFaults:
    def test_a_disk_that_is_full_from_the_start(self, tmp_path, monkeypatch):
        made = model()
        weights = made.get_weights()
        monkeypatch.setattr(os, "fsync", _full)
        with pytest.raises(CheckpointError, match=r"nothing has been trained.*No space"):
            fit(made, tmp_path)
        np.testing.assert_array_equal(made.get_weights()[0], weights[0])

    def test_a_disk_that_becomes_full(self, tmp_path, monkeypatch, caplog, whole):
        made = model()
        fills = keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: monkeypatch.setattr(os, "fsync", _full)
        )
        with pytest.raises(CheckpointError, match=r"model holds its result.*No space"):
            fit(made, tmp_path, callbacks=[fills])
        assert "last good one stays" in caplog.text
        same(made, whole)
        monkeypatch.undo()
        again = model()
        fit(again, tmp_path, callbacks=[keras.callbacks.LambdaCallback()])
        same(again, whole)


def _full(handle):
    raise OSError(28, "No space left on device")


@pytest.mark.slow
class TestCallbacks:
    def test_backup_and_restore(self, tmp_path, whole):
        made = model()
        with pytest.raises(KeyboardInterrupt):
            fit(model(), callbacks=[BackupAndRestore(tmp_path, save_freq=2), Interrupt(9)])
        assert list(tmp_path.glob("checkpoint-*"))
        fit(made, callbacks=[BackupAndRestore(tmp_path, save_freq=2)])
        same(made, whole)
        assert not list(tmp_path.glob("*.safetensors"))

    def test_one_place_only(self, tmp_path):
        with pytest.raises(ArgumentError, match="not both"):
            fit(model(), tmp_path, callbacks=[BackupAndRestore(tmp_path)])
        with pytest.raises(ArgumentError, match="save_freq='never'"):
            BackupAndRestore(tmp_path, save_freq="never")

    def test_the_best(self, tmp_path):
        made = model()
        fit(made, Checkpoints(tmp_path, monitor="val_accuracy"))
        best = model()
        best.load_weights(tmp_path / "best.safetensors")
        values = made.history.history["val_accuracy"]
        start = int(43 * 0.8)
        found = best.evaluate(X[start:], Y[start:], verbose=0, return_dict=True)["accuracy"]
        assert found == pytest.approx(max(values))

    def test_a_monitor_that_is_not_logged(self, tmp_path):
        with pytest.raises(ArgumentError, match="val_f1"):
            fit(model(), Checkpoints(tmp_path, monitor="val_f1"))

    def test_model_checkpoint_by_steps(self, tmp_path):
        saving = ModelCheckpoint(tmp_path / "{epoch}-{batch}.safetensors", save_freq=4)
        fit(model(), epochs=2, callbacks=[saving])
        assert sorted(path.name for path in tmp_path.iterdir()) == [
            "1-4.safetensors",
            "2-3.safetensors",
        ]
