"""The table and the bar of ``bital train``."""

import doctest
import io
import sys

import pytest

from bital import keras
from bital.cli import progress
from bital.cli.progress import HEADER, Progress, row_text

ROW = {"epoch": 1, "loss": 0.5, "accuracy": 0.9, "val_loss": 0.25, "val_accuracy": 1.0}


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def train(monkeypatch):
    """Train a tiny model for two epochs, and return what was written."""

    def run(stream, fail=None):
        monkeypatch.setattr(sys, "stdout", stream)
        shown = Progress()

        class Recorder(keras.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None):
                shown.epoch_recorded({**ROW, "epoch": epoch + 1, "seconds": 1.0}, epoch == 0)
                if fail:
                    raise fail

        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        model.fit(
            [[0.0, 1.0]] * 8,
            [[1.0]] * 8,
            batch_size=2,
            epochs=2,
            callbacks=[shown, Recorder()],
            verbose=0,
        )
        return stream.getvalue()

    return run


def test_the_example_in_the_docstring_runs():
    found = doctest.testmod(progress)
    assert (found.attempted > 0, found.failed) == (True, 0)


def test_a_log_file_gets_the_table_alone(train):
    rows = [row_text({**ROW, "epoch": i, "seconds": 1.0}, 2, i == 1) for i in (1, 2)]
    assert train(io.StringIO()).splitlines() == [*HEADER, *rows]


def test_a_terminal_gets_a_bar_that_goes_away(train):
    written = train(Terminal())
    assert "% |" in written
    assert "left" in written
    last = written.rsplit("\n", 1)[-1]
    assert last.split("\r")[-1].strip() == ""  # the last line is empty again


def test_the_bar_goes_away_after_ctrl_c_too(train, monkeypatch):
    stream = Terminal()
    with pytest.raises(KeyboardInterrupt):
        train(stream, fail=KeyboardInterrupt())
    assert stream.getvalue().rsplit("\r", 1)[-1].strip() == ""


def test_every_line_fits_into_80_columns(train, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    worst = {**ROW, "epoch": 10000, "loss": 12345.6789, "val_loss": 12345.6789, "seconds": 99999}
    assert len(row_text(worst, 10000, best=True)) < 80
    lines = train(Terminal()).replace("\r", "\n").splitlines()
    assert max(map(len, lines)) < 80
