"""Callbacks of learning rates, logs, averages and errors; pictures; the search for a rate."""

import json

import numpy as np
import pytest

from bital import keras
from bital.errors import ArgumentError, ModelStateError, NonFiniteLossError
from bital.keras import callbacks, layers
from bital.keras.callbacks import plotting

X = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
Y = X.sum(axis=1)


def model(optimizer=None, **options):
    keras.utils.set_random_seed(0)
    made = keras.Sequential([layers.Input((3,)), layers.Dense(1)])
    made.compile(optimizer or keras.optimizers.SGD(0.05), "mse", executor="numpy", **options)
    return made


class Scripted(callbacks.Callback):
    """Puts given values into the logs, to test what follows from them."""

    def __init__(self, values):
        self.values = values

    def on_epoch_end(self, epoch, logs=None):
        logs["loss"] = self.values[epoch]


def rates(subject, values):
    made = model()
    history = made.fit(
        X, Y, epochs=len(values), verbose=0, callbacks=[Scripted(values), subject]
    ).history
    return [round(rate / 0.05, 6) for rate in history["learning_rate"]]


def test_reduce_on_plateau():
    """Keras logs the rate of the epoch, before it is lowered."""
    lower = callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=2, cooldown=1, min_lr=0.01)
    values = [1.0, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9]
    # The epoch that ends the cooldown counts again; 0.01 is the lowest.
    assert rates(lower, values) == [1, 1, 1, 1, 0.5, 0.5, 0.25, 0.25, 0.2]
    assert rates(lower, values)[:4] == [1, 1, 1, 1]  # it forgets the training before
    rising = callbacks.ReduceLROnPlateau("loss", patience=1, mode="max", min_delta=0.5)
    assert rates(rising, [1.0, 1.4, 1.6]) == [1, 1, 0.1]
    assert set(lower.get_state()) == {"best", "wait", "cooldown_counter"}


def test_learning_rate_scheduler():
    halving = callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2 if epoch else rate)
    assert rates(halving, [1, 1, 1]) == [1, 0.5, 0.25]
    given = callbacks.LearningRateScheduler(lambda epoch: [0.05, 0.1][epoch])
    assert rates(given, [1, 1]) == [1, 2]
    with pytest.raises(ArgumentError, match="rate"):
        rates(callbacks.LearningRateScheduler(lambda epoch: "fast"), [1])
    scheduled = model(keras.optimizers.SGD(keras.optimizers.schedules.Warmup(0.1, 3)))
    with pytest.raises(ArgumentError, match="schedule"):
        scheduled.fit(X, Y, epochs=2, verbose=0, callbacks=[halving])


def test_terminate_on_nan(capsys):
    made = model(keras.optimizers.SGD(1e30))
    ended = []
    end = callbacks.LambdaCallback(on_train_end=lambda logs: ended.append(True))
    history = made.fit(X, Y, epochs=9, verbose=0, callbacks=[callbacks.TerminateOnNaN(), end])
    assert len(history.epoch) < 9
    assert ended == [True]
    assert "the loss became" in capsys.readouterr().out
    with pytest.raises(NonFiniteLossError):
        made.fit(X, Y, epochs=9, verbose=0, callbacks=[callbacks.TerminateOnNaN(raise_error=True)])


def test_json_lines(tmp_path):
    path = tmp_path / "log.jsonl"
    for append in (False, True):
        log = callbacks.JSONLogger(path, append=append)
        model().fit(X, Y, epochs=2, validation_split=0.5, verbose=0, callbacks=[log])
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [0, 1, 0, 1]
    assert set(lines[0]) == {"epoch", "seconds", "loss", "val_loss"}


def test_tensorboard(tmp_path):
    pytest.importorskip("tensorboardX")
    from tensorboardX.event_file_writer import EventFileWriter  # noqa: F401
    from tensorboardX.proto.event_pb2 import Event

    board = callbacks.TensorBoard(tmp_path, histogram_freq=1, update_freq=1)
    history = (
        model()
        .fit(X, Y, batch_size=5, epochs=2, validation_split=0.5, verbose=0, callbacks=[board])
        .history
    )
    found = {}
    for path in tmp_path.glob("*/*"):
        data, start = path.read_bytes(), 0
        while start < len(data):  # length, its checksum, the event, its checksum
            size = int.from_bytes(data[start : start + 8], "little")
            event = Event.FromString(data[start + 12 : start + 12 + size])
            start += size + 16
            for value in event.summary.value:
                key = path.parent.name, value.tag
                found.setdefault(key, []).append((event.step, value))
    for run, prefix in (("train", ""), ("validation", "val_")):
        values = [value.simple_value for _, value in found[run, "epoch_loss"]]
        np.testing.assert_allclose(values, history[f"{prefix}loss"], rtol=1e-6)
    assert [step for step, _ in found["train", "batch_loss"]] == [1, 2, 3, 4]
    histogram = found["train", "dense/kernel"][0][1].histo
    assert sum(histogram.bucket) == 3
    with pytest.raises(ArgumentError, match="write graph"):
        callbacks.TensorBoard(tmp_path, write_graph=True)


def test_averages():
    optimizer = keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5)
    made = model(optimizer)
    seen = []
    look = callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append(made.get_weights()[0])
    )
    swap = callbacks.SwapEMAWeights(swap_on_epoch=True)
    made.fit(X, Y, epochs=2, batch_size=20, verbose=0, callbacks=[look, swap, look])
    weights, averages = seen[::2], seen[1::2]
    np.testing.assert_allclose(averages[0], weights[0])
    np.testing.assert_allclose(averages[1], 0.5 * (weights[0] + weights[1]), rtol=1e-6)
    np.testing.assert_allclose(made.get_weights()[0], averages[1])  # fit ends with them
    with pytest.raises(ArgumentError, match="use_ema=True"):
        model().fit(X, Y, verbose=0, validation_split=0.5, callbacks=[callbacks.SwapEMAWeights()])


def test_remote_monitor_is_refused():
    with pytest.raises(ArgumentError, match="JSONLogger"):
        callbacks.RemoteMonitor("http://localhost:9000")


def test_find_learning_rate():
    made = model(keras.optimizers.SGD(0.05, momentum=0.9))
    made.fit(X, Y, verbose=0)
    before = made.get_weights(), [np.array(a) for a in made.optimizer.variables]
    found = callbacks.find_learning_rate(made, X, Y, low=1e-5, high=100.0, steps=40, seed=1)
    assert len(found.rates) == len(found.losses) < 40  # it ended when the loss grew
    assert 1e-4 < found.suggestion < 1.0
    assert made.optimizer.learning_rate == 0.05
    for one, other in zip(made.get_weights(), before[0], strict=True):
        np.testing.assert_array_equal(one, other)
    for one, other in zip(made.optimizer.variables, before[1], strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(ModelStateError, match="compile"):
        callbacks.find_learning_rate(keras.Sequential([layers.Dense(1)]), X, Y)


def test_pictures():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    from matplotlib import pyplot

    history = model(metrics=["mae"]).fit(
        X, Y, epochs=4, validation_split=0.5, validation_freq=2, verbose=0
    )
    figure = history.plot()
    loss = figure.axes[0]
    assert [axes.get_title() for axes in figure.axes] == ["loss", "mae"]
    np.testing.assert_array_equal(loss.lines[0].get_xdata(), [1, 2, 3, 4])
    np.testing.assert_array_equal(loss.lines[1].get_xdata(), [2, 4])
    np.testing.assert_allclose(loss.lines[1].get_ydata(), history.history["val_loss"])
    assert len(history.plot("mae").axes) == 1
    with pytest.raises(ArgumentError, match="loss, mae"):
        history.plot("accuracy")
    found = callbacks.LearningRates(np.geomspace(1e-3, 1, 4), np.arange(4.0), 0.1)
    assert found.plot(plotting.new_axes()).get_xscale() == "log"
    pyplot.close("all")
