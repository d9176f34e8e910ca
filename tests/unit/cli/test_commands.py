"""The commands, on data small enough to train in a moment."""

import csv
import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from threadpoolctl import threadpool_info, threadpool_limits

import bital.cli
from bital import keras
from bital.cli import digits, networks, options, plots, recording, train
from bital.cli.run_folder import RunFolder
from bital.datasets import mnist
from bital.errors import BitalError, MissingExtraError, NonFiniteLossError

FAST = ("train", "mnist", "--hidden", "20", "--epochs", "2", "--quiet")
FILES = [
    "config.json",
    "curves.png",
    "metrics.csv",
    "metrics.json",
    "model.safetensors",
    "predictions.png",
]


STOPPED = ["checkpoints", *FILES]


def names(path):
    return sorted(p.name for p in path.iterdir())


def test_train_writes_a_whole_run_folder(invoke, small, tmp_path):
    result = invoke(*FAST, "--dropout", "0", "--seed", "3")
    assert result.exit_code == 0, result.output
    path = tmp_path / "runs" / "mnist-1"
    assert names(path) == FILES
    lines = result.output.splitlines()
    assert lines[0] == f"784-20-10, 15,910 weights; run folder {path.relative_to(tmp_path)}"
    assert [line.split()[0] for line in lines if line.endswith("%")] == [
        "training",
        "validation",
        "test",
    ]
    config = json.loads((path / "config.json").read_text())
    assert config["options"] == {
        "model": "mlp",
        "hidden": [20],
        "activation": "relu",
        "optimizer": "adam",
        "learning_rate": 0.002,
        "schedule": "cosine",
        "batch_size": 128,
        "epochs": 2,
        "dropout": 0.0,
        "seed": 3,
        "executor": bital.config.executor_name(),
        "threads": recording.default_threads(bital.config.executor_name()),
    }
    assert config["versions"]["bital"] == bital.__version__
    with (path / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert [float(row["learning_rate"]) for row in rows] == [0.002, 0.001]


def test_the_scores_are_those_of_the_saved_model(run_path, small):
    metrics = json.loads((run_path / "metrics.json").read_text())
    model = keras.models.load_model(run_path / "model.safetensors")
    assert (metrics["status"], metrics["epochs"]) == ("finished", 2)
    assert set(metrics["scores"]) == set(small)
    for name, part in small.items():
        loss, accuracy = model.evaluate(part.x, part.y, verbose=0)
        assert metrics["scores"][name]["loss"] == pytest.approx(loss, rel=1e-4)
        assert metrics["scores"][name]["accuracy"] == pytest.approx(accuracy, abs=1e-6)
    best = metrics["best_epoch"]
    with (run_path / "metrics.csv").open() as file:
        rows = {int(row["epoch"]): row for row in csv.DictReader(file)}
    found = max(rows, key=lambda e: (float(rows[e]["val_accuracy"]), -float(rows[e]["val_loss"])))
    assert best == found
    kept = metrics["scores"]["validation"]["accuracy"]
    assert kept == pytest.approx(float(rows[best]["val_accuracy"]), abs=1e-6)


class FakeModel:
    """What a Recorder needs of a model: its weights are the number of the epoch."""

    def __init__(self):
        self.optimizer = SimpleNamespace(learning_rate=0.5)
        self.epoch = 0
        self.saved = []

    def get_weights(self):
        return [np.array(self.epoch)]

    def save(self, path):
        self.saved.append((path.name, self.epoch))


def test_the_best_epoch_is_kept_and_the_loss_decides_between_equals(tmp_path):
    recorder = train.Recorder(RunFolder(tmp_path), None)
    recorder.model = model = FakeModel()
    measured = [(0.5, 1.0), (0.7, 0.8), (0.7, 0.6), (0.7, 0.7), (0.6, 0.1)]
    for epoch, (accuracy, loss) in enumerate(measured):
        model.epoch = epoch + 1
        recorder.on_epoch_begin(epoch)
        logs = {"loss": 1, "accuracy": 1, "val_loss": loss, "val_accuracy": accuracy}
        recorder.on_epoch_end(epoch, logs)
    assert model.saved == [("model.safetensors", epoch) for epoch in (1, 2, 3)]
    assert (recorder.best_epoch, recorder.best_weights) == (3, [3])
    assert [row["val_loss"] for row in RunFolder(tmp_path).read_history()] == [
        1,
        0.8,
        0.6,
        0.7,
        0.1,
    ]


def test_the_kept_epoch_is_measured_and_not_the_last(invoke, small, tmp_path, monkeypatch):
    real = train.Recorder.on_epoch_end

    def first_is_best(self, epoch, logs=None):
        real(self, epoch, {**logs, "val_accuracy": 1.0 - epoch / 10})

    monkeypatch.setattr(train.Recorder, "on_epoch_end", first_is_best)
    result = invoke(*FAST, "--epochs", "3", "--out", "run")
    assert "3 epochs in" in result.output
    assert "epoch 1 kept" in result.output
    written = json.loads((tmp_path / "run" / "metrics.json").read_text())["scores"]
    measured = json.loads(invoke("evaluate", "run", "--json").output)["scores"]
    assert written == measured


def test_the_three_parts_of_the_data():
    (x, y), (x_test, y_test) = mnist.load_mnist()
    parts = train.load_parts()
    assert np.array_equal(parts["train"].x, x[:55000])
    assert np.array_equal(parts["train"].y, y[:55000])
    assert np.array_equal(parts["validation"].x, x[55000:])
    assert np.array_equal(parts["validation"].y, y[55000:])
    assert np.array_equal(parts["test"].x, x_test)
    assert np.array_equal(parts["test"].y, y_test)


def test_a_seed_names_a_run(invoke, small, tmp_path):
    for out, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert invoke(*FAST, "--seed", seed, "--out", out).exit_code == 0
    scores = [json.loads((tmp_path / o / "metrics.json").read_text())["scores"] for o in "abc"]
    assert scores[0] == scores[1]
    assert scores[0] != scores[2]
    pictures = [(tmp_path / o / "predictions.png").read_bytes() for o in "ab"]
    assert pictures[0] == pictures[1]


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "rmsprop", "sgd"])
def test_every_optimizer_learns_with_its_own_rate(invoke, small, tmp_path, optimizer):
    options = ("--epochs", "4", "--batch-size", "50", "--out", "run")
    result = invoke(*FAST, "--optimizer", optimizer, *options)
    assert result.exit_code == 0, result.output
    scores = json.loads((tmp_path / "run" / "metrics.json").read_text())["scores"]
    assert scores["test"]["accuracy"] > 0.7


SMALL = {
    "cnn": ("4,8", ["Conv2D", "BatchNormalization"], "cnn 28x28-4-8-10"),
    "lstm": ("8,6", ["LSTM"], "lstm 28x28-8-6-10"),
}


@pytest.mark.slow
@pytest.mark.parametrize("model", sorted(SMALL))
def test_networks_for_pictures(invoke, small, tmp_path, model):
    """They take the same images, and every command works with their runs."""
    hidden, kinds, told = SMALL[model]
    options = ("--hidden", hidden, "--epochs", "1", "--executor", "numpy", "--out", "run")
    result = invoke(*FAST, "--model", model, *options)
    assert result.exit_code == 0, result.output
    assert result.output.startswith(told)
    written = json.loads((tmp_path / "run" / "metrics.json").read_text())["scores"]
    measured = invoke("evaluate", "run", "--json", "--executor", "numpy")
    assert json.loads(measured.output)["scores"] == written
    shown = invoke("inspect", "run").output
    assert [kind for kind in kinds if kind not in shown] == []
    np.save(tmp_path / "x.npy", small["test"].x[:3].reshape(3, 28, 28))
    answer = invoke("predict", "run", "x.npy", "--json", "--executor", "numpy")
    assert len(json.loads(answer.output)["predictions"]) == 3


def test_defaults_are_those_of_the_model():
    shape = options.complete({"model": "lstm", "hidden": None, "epochs": 2})
    assert (shape["hidden"], shape["epochs"], shape["schedule"]) == ((128,), 2, "onecycle")


def test_an_lstm_needs_a_layer(invoke, tmp_path):
    result = invoke(*FAST, "--model", "lstm", "--hidden", "none")
    assert result.exit_code == 2
    assert "an lstm needs a layer" in result.output
    assert list(tmp_path.iterdir()) == []


def test_any_number_of_convolutions_fits():
    preset = options.PRESETS["cnn"]
    settings = networks.Settings(
        (2,) * 6, *list(asdict(preset).values())[1:], "cnn", "adam", 0.1, 0, "numpy", 1
    )
    model = networks.build(settings, 10)
    assert model.output_shape == (None, 10)


def test_one_cycle_rises_and_falls(invoke, small, tmp_path):
    options = ("--schedule", "onecycle", "--epochs", "4", "--out", "run")
    assert invoke(*FAST, *options).exit_code == 0
    with (tmp_path / "run" / "metrics.csv").open() as file:
        rates = [float(row["learning_rate"]) for row in csv.DictReader(file)]
    assert rates[0] < rates[1] > rates[2] > rates[3]
    assert max(rates) <= 0.002


def test_no_hidden_layer_is_softmax_regression(invoke, small, tmp_path):
    assert invoke(*FAST, "--hidden", "none", "--out", "run").exit_code == 0
    model = keras.models.load_model(tmp_path / "run" / "model.safetensors")
    assert [w.shape for w in model.get_weights()] == [(784, 10), (10,)]


def test_an_earlier_run_is_never_overwritten(invoke, run_path):
    before = {p.name: p.read_bytes() for p in run_path.iterdir()}
    result = invoke(*FAST, "--out", "done")
    assert result.exit_code == 1
    assert "is not empty, and a run never overwrites anything" in result.output
    assert {p.name: p.read_bytes() for p in run_path.iterdir()} == before


def test_without_matplotlib_training_goes_on(invoke, small, tmp_path, monkeypatch):
    def missing(*_):
        raise MissingExtraError("Pictures need matplotlib.")

    monkeypatch.setattr(plots, "new_figure", missing)
    result = invoke(*FAST, "--out", "run")
    assert result.exit_code == 0
    assert result.output.count("Pictures need matplotlib.") == 1
    assert names(tmp_path / "run") == [n for n in FILES if not n.endswith(".png")]


def test_training_limits_its_threads_and_nobody_elses(invoke, small, monkeypatch):
    seen = []

    def blas():
        return {p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas"}

    monkeypatch.setattr(train.Recorder, "on_epoch_begin", lambda *_: seen.append(blas()))
    with threadpool_limits(2, "blas"):
        assert invoke(*FAST, "--executor", "numpy", "--out", "one").exit_code == 0
        assert blas() == {2}
    with threadpool_limits(1, "blas"):
        assert invoke(*FAST, "--threads", "2", "--out", "two").exit_code == 0
        assert blas() == {1}
    assert seen == [{1}, {1}, {2}, {2}]


def test_without_threadpoolctl_training_goes_on(invoke, small, monkeypatch):
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    result = invoke(*FAST, "--out", "run")
    assert result.exit_code == 0
    assert "threadpoolctl is not installed" in result.output


def test_ctrl_c_keeps_the_best_epoch_and_everything_about_it(invoke, small, tmp_path, monkeypatch):
    handlers = signal.getsignal(signal.SIGINT)
    real = train.Recorder.on_epoch_end

    def press(self, epoch, logs=None):
        if epoch == 1:
            signal.raise_signal(signal.SIGINT)
        real(self, epoch, logs)

    monkeypatch.setattr(train.Recorder, "on_epoch_end", press)
    result = invoke(*FAST, "--epochs", "50", "--out", "run")
    assert result.exit_code == 130
    assert "Stopped with Ctrl-C: 2 epochs" in result.output
    assert names(tmp_path / "run") == STOPPED
    assert "To go on: bital train mnist --resume run" in result.output
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert (metrics["status"], metrics["epochs"]) == ("interrupted", 2)
    assert invoke("evaluate", "run").exit_code == 0
    assert signal.getsignal(signal.SIGINT) is handlers


def test_ctrl_c_in_the_first_epoch_keeps_the_weights_so_far(invoke, small, tmp_path, monkeypatch):
    real = train.Recorder.on_epoch_begin

    def press(self, epoch, logs=None):
        signal.raise_signal(signal.SIGINT)
        real(self, epoch, logs)

    monkeypatch.setattr(train.Recorder, "on_epoch_begin", press)
    result = invoke(*FAST, "--out", "run")
    assert result.exit_code == 130
    assert "Stopped with Ctrl-C: 0 epochs" in result.output
    assert names(tmp_path / "run") == [n for n in STOPPED if n not in ("curves.png", "metrics.csv")]
    assert "kept" in invoke("inspect", "run").output


def stop_in_epoch(number, monkeypatch):
    """Press Ctrl-C when the epoch of this number, counted from 0, begins."""
    real = train.Recorder.on_epoch_begin

    def press(self, epoch, logs=None):
        real(self, epoch, logs)
        if epoch == number:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(train.Recorder, "on_epoch_begin", press)


def test_a_run_that_goes_on_ends_like_one_that_was_never_stopped(
    invoke, small, tmp_path, monkeypatch
):
    settings = ("--epochs", "3", "--seed", "5", "--executor", "numpy", "--schedule", "onecycle")
    assert invoke(*FAST, *settings, "--out", "whole").exit_code == 0
    with monkeypatch.context() as patch:
        stop_in_epoch(1, patch)
        assert invoke(*FAST, *settings, "--out", "run").exit_code == 130
    assert "bital train mnist --resume run" in invoke("inspect", "run").output
    result = invoke("train", "mnist", "--resume", "run", "--quiet")
    assert result.exit_code == 0, result.output
    assert names(tmp_path / "run") == FILES
    whole, resumed = (RunFolder(tmp_path / name) for name in ("whole", "run"))
    scores = [folder.read_metrics()["scores"] for folder in (whole, resumed)]
    assert scores[0] == scores[1]
    rows = [[list(r.values())[:-1] for r in f.read_history()] for f in (whole, resumed)]
    assert rows[0] == rows[1]
    weights = [keras.models.load_model(f.model).get_weights() for f in (whole, resumed)]
    assert [np.array_equal(a, b) for a, b in zip(*weights, strict=True)] == [True] * 4


def test_what_cannot_be_resumed_is_named(invoke, run_path, tmp_path):
    result = invoke("train", "mnist", "--resume", run_path)
    assert result.exit_code == 1
    assert "its training came to its end" in result.output
    assert "is not a run folder" in invoke("train", "mnist", "--resume", tmp_path).output
    result = invoke("train", "mnist", "--resume", run_path, "--epochs", "50")
    assert result.exit_code == 2
    assert "leave --epochs away" in result.output
    (run_path / "checkpoints").mkdir()
    config = (run_path / "config.json").read_text()
    (run_path / "config.json").write_text(config.replace('"adam"', '"adan"'))
    result = invoke("train", "mnist", "--resume", run_path)
    assert result.exit_code == 1
    assert "config.json is damaged: Invalid value for '--optimizer': 'adan' is" in result.output


def test_another_ctrl_c_during_the_last_work_stops_at_once(invoke, small, tmp_path, monkeypatch):
    monkeypatch.setattr(train, "score", lambda *_: signal.raise_signal(signal.SIGINT))
    result = invoke(*FAST, "--out", "run")
    assert result.exit_code == 130
    assert "Traceback" not in result.output
    assert names(tmp_path / "run") == [
        "checkpoints",
        "config.json",
        "metrics.csv",
        "model.safetensors",
    ]


def test_a_loss_that_explodes_is_a_failure_that_keeps_the_best(
    invoke, small, tmp_path, monkeypatch
):
    real = train.Recorder.on_epoch_end

    def explode(self, epoch, logs=None):
        if epoch == 1:
            raise NonFiniteLossError("the loss became nan")
        real(self, epoch, logs)

    monkeypatch.setattr(train.Recorder, "on_epoch_end", explode)
    result = invoke(*FAST, "--out", "run")
    assert result.exit_code == 1
    assert "Error: the loss became nan" in result.output
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert (metrics["status"], metrics["best_epoch"]) == ("failed", 1)
    assert names(tmp_path / "run") == FILES


@pytest.mark.filterwarnings("ignore:.*encountered:RuntimeWarning")
def test_an_absurd_learning_rate_is_a_named_failure(invoke, small, tmp_path):
    options = ("--optimizer", "sgd", "--learning-rate", "1e30", "--out", "run")
    result = invoke(*FAST, *options)
    assert result.exit_code == 1
    assert "Error: " in result.output
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["status"] == "failed"
    evaluated = invoke("evaluate", "run")
    assert evaluated.exit_code == 1
    assert "holds no model" in evaluated.output


# ---------------------------------------------------------------- predict
def test_predict_a_picture(invoke, run_path, small, tmp_path):
    digit = (255 * (1 - small["test"].x[0])).reshape(28, 28).astype(np.uint8)
    Image.fromarray(digit).save(tmp_path / "seven.png")
    result = invoke("predict", run_path, "seven.png")
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0] == "(dark digit on light paper: colours inverted)"
    assert lines[1].startswith("7  (")
    assert [line.split()[0] for line in lines[2:]] == [str(d) for d in range(10)]


def test_predict_many_as_text_and_as_json(invoke, run_path, small, tmp_path):
    np.save(tmp_path / "some.npy", small["test"].x[:5].reshape(5, 28, 28))
    text = invoke("predict", run_path, "some.npy")
    data = json.loads(invoke("predict", run_path, "some.npy", "--json").output)
    model = keras.models.load_model(run_path / "model.safetensors")
    expected = model.predict(small["test"].x[:5], verbose=0)
    found = data["predictions"]
    assert [p["digit"] for p in found] == expected.argmax(axis=1).tolist()
    assert np.array([p["probabilities"] for p in found]) == pytest.approx(expected, abs=1e-6)
    shown = [line.split()[2] for line in text.output.splitlines()]
    assert shown == [str(p["digit"]) for p in found]


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ("absent.png", "cannot be read as a picture"),
        ("absent.npy", "cannot be read as a NumPy array"),
        ("wide.npy", "shape (28, 29)"),
        ("text.png", "cannot be read as a picture"),
    ],
)
def test_predict_names_what_is_wrong_with_the_image(invoke, run_path, tmp_path, image, message):
    np.save(tmp_path / "wide.npy", np.zeros((28, 29)))
    (tmp_path / "text.png").write_text("no picture")
    result = invoke("predict", run_path, image)
    assert result.exit_code == 1
    assert message in result.output
    assert "Traceback" not in result.output


# ---------------------------------------------------------------- evaluate, inspect
def test_evaluate_repeats_the_scores_of_the_run(invoke, run_path, small):
    data = json.loads(invoke("evaluate", run_path, "--json").output)
    metrics = json.loads((run_path / "metrics.json").read_text())
    assert data["scores"] == metrics["scores"]
    table = np.array(data["confusion"])
    assert table.shape == (10, 10)
    assert table.sum(axis=1).tolist() == np.bincount(small["test"].y).tolist()
    assert table.trace() / 500 == pytest.approx(metrics["scores"]["test"]["accuracy"])
    text = invoke("evaluate", run_path).output
    assert f"{100 * metrics['scores']['test']['accuracy']:.2f} %" in text


def test_inspect_tells_everything(invoke, run_path):
    result = invoke("inspect", run_path)
    assert result.exit_code == 0, result.output
    for text in ("15,910", "hidden", "learning-rate", "finished: 2 epochs", "test", *FILES):
        assert text in result.output
    data = json.loads(invoke("inspect", run_path, "--json").output)
    assert sorted(data["files"]) == FILES
    assert data["metrics"]["status"] == "finished"


def test_inspect_a_run_that_was_killed(invoke, run_path):
    (run_path / "metrics.json").unlink()
    result = invoke("inspect", run_path)
    assert result.exit_code == 0
    assert "did not come to its end" in result.output


@pytest.mark.parametrize("command", ["evaluate", "inspect", "predict"])
def test_what_is_no_run_folder_is_named(invoke, tmp_path, command):
    np.save(tmp_path / "x.npy", np.zeros((28, 28)))
    more = ["x.npy"] if command == "predict" else []
    for path in ("nowhere", "x.npy", "."):
        result = invoke(command, path, *more)
        assert result.exit_code == 1
        assert "is not a run folder" in result.output
        assert "Traceback" not in result.output


@pytest.mark.parametrize("command", ["evaluate", "inspect", "predict"])
def test_a_damaged_model_is_named(invoke, run_path, tmp_path, command):
    np.save(tmp_path / "x.npy", np.zeros((28, 28)))
    model = run_path / "model.safetensors"
    model.write_bytes(model.read_bytes()[:-100])
    result = invoke(command, run_path, *(["x.npy"] if command == "predict" else []))
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert "Traceback" not in result.output


def test_a_model_of_something_else_is_named(invoke, run_path):
    other = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    other.save(run_path / "model.safetensors")
    result = invoke("evaluate", run_path)
    assert result.exit_code == 1
    assert "a model of digits takes (None, 784) and gives (None, 10)" in result.output


# ---------------------------------------------------------------- the whole command line
def test_an_unknown_executor_in_the_environment_is_named(run_path):
    command = [sys.executable, "-m", "bital.cli", "evaluate", str(run_path)]
    environment = {**os.environ, "BITAL_EXECUTOR": "warp"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert "there is no executor 'warp'" in done.stderr
    assert "Traceback" not in done.stderr


def test_version(invoke):
    assert bital.__version__ in invoke("--version").output


def test_without_click_the_extra_is_named(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "click", None)
    assert bital.cli.main() == 1
    assert "pip install click" in capsys.readouterr().err


def test_faults_of_bital_keep_their_traceback(invoke, monkeypatch):
    def fault(*_):
        raise AssertionError("a fault")

    monkeypatch.setattr(digits, "_load", fault)
    result = invoke("inspect", ".")
    assert not isinstance(result.exception, BitalError)
    assert result.exit_code == 1
