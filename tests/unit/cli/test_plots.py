"""Pictures of a run: whole PNG files, and what they say."""

import builtins
import io

import numpy as np
import pytest
from PIL import Image

from bital.cli import plots
from bital.datasets import mnist
from bital.errors import MissingExtraError


def rows(count):
    names = ("loss", "accuracy", "val_loss", "val_accuracy")
    return [{"epoch": i + 1, **dict.fromkeys(names, 0.5 / (i + 1))} for i in range(count)]


@pytest.fixture
def figures(monkeypatch):
    """Every figure that is turned into a PNG."""
    seen = []
    real = plots.as_png

    def keep(figure):
        seen.append(figure)
        return real(figure)

    monkeypatch.setattr(plots, "as_png", keep)
    return seen


@pytest.mark.parametrize("epochs", [1, 2, 40])
def test_curves_show_both_parts_and_the_kept_epoch(figures, epochs):
    png = plots.curves(rows(epochs), best_epoch=1, title="a network")
    assert Image.open(io.BytesIO(png)).size == (1080, 456)
    (figure,) = figures
    loss, accuracy = figure.axes
    assert [axes.get_xlabel() for axes in figure.axes] == ["epoch", "epoch"]
    assert loss.get_ylabel() == "loss (cross-entropy)"
    assert accuracy.get_ylabel() == "accuracy (%)"
    training, validation, kept = accuracy.get_lines()
    assert training.get_ydata() == pytest.approx([50 / (i + 1) for i in range(epochs)])
    assert validation.get_xdata().tolist() == list(range(1, epochs + 1))
    assert list(kept.get_xdata()) == [1, 1]
    assert figure.get_suptitle() == "a network"


@pytest.fixture(scope="module")
def digits():
    _, (x, t) = mnist.load_mnist()
    return x[:50], t[:50]


def test_predictions_show_the_worst_mistakes_first(figures, digits):
    x, t = digits
    answers = np.eye(10)[t] * 0.9 + 0.01
    answers[3] = np.eye(10)[(t[3] + 1) % 10] * 0.6 + 0.04
    answers[7] = np.eye(10)[(t[7] + 2) % 10] * 0.8 + 0.02
    png = plots.predictions(x, t, answers, seed=1)
    assert Image.open(io.BytesIO(png)).format == "PNG"
    upper, lower = figures[0].axes
    assert upper.get_title() == "20 of 50 test digits, chosen at random"
    assert lower.get_title().startswith("The worst of 2 mistakes: true digit → prediction")
    assert [text.get_text() for text in lower.texts] == [
        f"{t[7]} → {(t[7] + 2) % 10}  (82.0 %)",
        f"{t[3]} → {(t[3] + 1) % 10}  (64.0 %)",
    ]
    sheet = lower.images[0].get_array()
    for text, image in zip(lower.texts, x[[7, 3]], strict=True):
        column, bottom = text.get_position()
        shown = sheet[bottom + 2 : bottom + 30, column - 14 : column + 14]
        assert np.array_equal(shown, image.reshape(28, 28))


@pytest.mark.parametrize("wrong", [0, 50])
@pytest.mark.parametrize("count", [1, 50])
def test_predictions_with_no_mistakes_and_with_mistakes_only(figures, digits, wrong, count):
    x, t = (part[:count] for part in digits)
    answers = np.eye(10)[(t + bool(wrong)) % 10]
    plots.predictions(x, t, answers, seed=0)
    lower = figures[0].axes[1]
    assert len(lower.texts) == (min(count, plots.MISTAKES) if wrong else 0)
    assert (lower.get_title() == "No mistakes") == (not wrong)


def test_the_same_seed_shows_the_same_digits(digits):
    x, t = digits
    answers = np.eye(10)[t]
    assert plots.predictions(x, t, answers, 3) == plots.predictions(x, t, answers, 3)
    assert plots.predictions(x, t, answers, 3) != plots.predictions(x, t, answers, 4)


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    real = builtins.__import__

    def without(name, *rest, **more):
        if name.startswith("matplotlib"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match="pip install matplotlib"):
        plots.curves(rows(2), 1, "a network")
