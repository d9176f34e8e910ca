"""The two pictures of a run. matplotlib is imported at first use, without a window system."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bital.figures import as_png, new_figure

Rows: TypeAlias = Sequence[Mapping[str, float]]

TRAIN, VALIDATION = "#4477aa", "#cc6677"  # told apart by colour-blind readers too
WRONG = "#b2182b"
COLUMNS = 10
CELL_WIDTH, CELL_HEIGHT = 38, 40  # pixels of the digits for one of them and its text
SAMPLES = 20
MISTAKES = 20


UNITS = {"loss": "cross-entropy", "accuracy": "%"}


def curves(rows: Rows, best_epoch: int, title: str, units: Mapping[str, str] = UNITS) -> bytes:
    """Draw loss and accuracy over the epochs as a PNG.

    Parameters
    ----------
    rows : sequence of mappings
        One for each epoch, with ``epoch``, ``loss``, ``accuracy``, ``val_loss``, ``val_accuracy``.
    best_epoch : int
        The epoch whose weights were kept.
    title : str
        What was trained.
    units : mapping
        A panel for each name, with the unit of its axis.

    Raises
    ------
    MissingExtraError
        matplotlib is not installed.
    """
    figure = new_figure(4.5 * len(units), 3.8)
    epochs = [row["epoch"] for row in rows]
    panels = figure.subplots(1, len(units), squeeze=False)[0]
    for axes, (name, unit) in zip(panels, units.items(), strict=True):
        scale = 100 if name == "accuracy" else 1
        for key, label, colour, marker in (
            (name, "training (during the epoch)", TRAIN, "o"),
            (f"val_{name}", "validation (after it)", VALIDATION, "s"),
        ):
            values = [row[key] * scale for row in rows]
            axes.plot(epochs, values, marker=marker, ms=3.5, lw=1.6, color=colour, label=label)
        axes.axvline(best_epoch, color="0.45", lw=1, ls=":", label=f"kept: epoch {best_epoch}")
        shown = "R2" if name == "r2_score" else name
        axes.set(title=shown.capitalize(), xlabel="epoch", ylabel=f"{shown} ({unit})")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.25)
    panels[0].set_ylim(bottom=0)
    place = "lower right" if len(units) > 1 else "upper right"
    panels[-1].legend(loc=place, edgecolor="none", fontsize=9)
    figure.suptitle(title, fontsize=11)
    return as_png(figure)


def predictions(
    images: NDArray[Any], labels: NDArray[Any], probabilities: NDArray[Any], seed: int
) -> bytes:
    """Draw sample digits and the worst mistakes, each with its prediction, as a PNG.

    The samples are drawn by seed from all images. The worst mistakes are those where the network
    gave the wrong digit the highest probability.

    Parameters
    ----------
    images : (n, 784) array
        Gray values, ink bright.
    labels : (n,) integer array
        The true digits.
    probabilities : (n, 10) array
        What the network says.
    seed : int
        Chooses the samples.

    Raises
    ------
    MissingExtraError
        matplotlib is not installed.
    """
    predicted = probabilities.argmax(axis=1)
    confidence = probabilities.max(axis=1)
    count = min(SAMPLES, len(images))
    samples = np.random.RandomState(seed).permutation(len(images))[:count]
    wrong = np.flatnonzero(predicted != labels)
    worst = wrong[np.argsort(-confidence[wrong], kind="stable")][:MISTAKES]
    heights = [max(1, -(-len(part) // COLUMNS)) for part in (samples, worst)]
    figure = new_figure(10.0, 1.07 * sum(heights) + 0.8)
    upper, lower = figure.subplots(2, 1, height_ratios=heights)
    upper.set_title(f"{count} of {len(images):,} test digits, chosen at random", fontsize=11)
    title = f"The worst of {len(wrong):,} mistakes: true digit → prediction, and its probability"
    lower.set_title(title if len(wrong) else "No mistakes", fontsize=11)
    for axes, chosen in ((upper, samples), (lower, worst)):
        axes.axis("off")
        if len(chosen):
            _digits(axes, images[chosen], labels[chosen], predicted[chosen], confidence[chosen])
    return as_png(figure)


def _digits(
    axes: Any,
    images: NDArray[Any],
    labels: NDArray[Any],
    predicted: NDArray[Any],
    confidence: NDArray[Any],
) -> None:
    """Draw images in rows of ten, each under its prediction.

    All are one large image: forty pairs of axes would take seconds to lay out.
    """
    rows = -(-len(images) // COLUMNS)
    sheet = np.zeros((rows * CELL_HEIGHT, COLUMNS * CELL_WIDTH), images.dtype)
    for i, image in enumerate(images):
        top = i // COLUMNS * CELL_HEIGHT + CELL_HEIGHT - 28
        left = i % COLUMNS * CELL_WIDTH + (CELL_WIDTH - 28) // 2
        sheet[top : top + 28, left : left + 28] = image.reshape(28, 28)
        right = predicted[i] == labels[i]
        text = f"{predicted[i]}" if right else f"{labels[i]} → {predicted[i]}"
        axes.text(
            left + 14,
            top - 2,
            f"{text}  ({100 * confidence[i]:.1f} %)",
            ha="center",
            fontsize=8,
            color="black" if right else WRONG,
        )
    axes.imshow(sheet, cmap="gray_r", interpolation="nearest")
