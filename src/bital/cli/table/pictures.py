"""The pictures of a run on a table, as PNG: the files beside the report, and in it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bital.cli import plots
from bital.cli.table.scores import Importance
from bital.figures import as_png, new_figure

MAIN, OTHER = plots.TRAIN, plots.VALIDATION
MOST = 25
"""Classes in a confusion matrix, columns in the picture of their importance."""


def confusion(table: NDArray[np.int64], classes: Sequence[str]) -> bytes:
    """Draw how often each class (row) was taken for each (column): ``(k, k)``."""
    count = len(classes)
    side = min(8.5, 2.6 + 0.55 * count)
    figure = new_figure(side + 0.6, side)
    axes = figure.subplots()
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    shown = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    if count <= MOST:
        for row, column in np.ndindex(*table.shape):
            if table[row, column]:
                dark = shares[row, column] > 0.5
                axes.text(column, row, f"{table[row, column]:,}", ha="center", va="center",
                          fontsize=9 if count <= 12 else 7,
                          color="white" if dark else "black")  # fmt: skip
        names = [short(name) for name in classes]
        turned = max(map(len, names)) > 3
        axes.set_xticks(range(count), names, rotation=45 if turned else 0,
                        ha="right" if turned else "center")  # fmt: skip
        axes.set_yticks(range(count), names)
    axes.set(xlabel="predicted", ylabel="true", title="Which classes are taken for which")
    figure.colorbar(shown, ax=axes, label="share of the true class", shrink=0.8)
    return as_png(figure)


def probabilities(truth: NDArray[Any], given: NDArray[Any], classes: Sequence[str]) -> bytes:
    """Draw ROC curves, and whether events come as often as their probabilities say.

    Parameters
    ----------
    truth : (n,) integer array
    given : (n, k) array
    classes : sequence of str
    """
    from sklearn.metrics import roc_curve

    figure = new_figure(9.0, 4.1)
    left, right = figure.subplots(1, 2)
    binary = len(classes) == 2
    counts = np.bincount(truth, minlength=len(classes))
    chosen = [1] if binary else np.argsort(-counts)[:8]
    for place in chosen:
        is_it = truth == place
        if 0 < is_it.sum() < len(truth):
            false, true, _ = roc_curve(is_it, given[:, place])
            colour = MAIN if binary else None
            left.plot(false, true, lw=1.6, color=colour, label=short(classes[place]))
    left.plot([0, 1], [0, 1], color="0.6", lw=1, ls=":")
    left.set(title="ROC: found against false alarms", xlabel="false alarms (share of the others)",
             ylabel="found (share of the class)", aspect="equal")  # fmt: skip
    if left.get_legend_handles_labels()[0]:
        left.legend(loc="lower right", edgecolor="none", fontsize=8)
    said = given[:, 1] if binary else given.max(axis=1)
    came = truth == 1 if binary else given.argmax(axis=1) == truth
    _reliability(right, said, came)
    of = f"'{short(classes[1])}'" if binary else "the likeliest class"
    right.set(title="Do probabilities come true?", xlabel=f"probability of {of}")
    right.set(ylabel="how often it was right", xlim=(0, 1), ylim=(0, 1), aspect="equal")
    return as_png(figure)


def _reliability(axes: Any, said: NDArray[Any], came: NDArray[Any]) -> None:
    """Means in ten groups of like probability; the size of a point is the number of rows."""
    group = np.minimum((said * 10).astype(int), 9)
    counts = np.bincount(group, minlength=10)
    some = counts > 0
    x = np.bincount(group, said, 10)[some] / counts[some]
    y = np.bincount(group, came, 10)[some] / counts[some]
    axes.plot([0, 1], [0, 1], color="0.6", lw=1, ls=":")
    axes.plot(x, y, color=MAIN, lw=1.2, alpha=0.6, clip_on=False)
    axes.scatter(
        x, y, s=15 + 250 * counts[some] / counts.max(), color=MAIN, alpha=0.8, clip_on=False
    )


def quantities(truth: NDArray[Any], predicted: NDArray[Any], target: str) -> bytes:
    """Draw predictions against the truth, and how large the errors are: ``(n,)`` and ``(n,)``."""
    figure = new_figure(9.0, 4.1)
    left, right = figure.subplots(1, 2)
    ends = [min(truth.min(), predicted.min()), max(truth.max(), predicted.max())]
    left.plot(ends, ends, color="0.4", lw=1, ls=":")
    if len(truth) > 3000:
        left.hexbin(truth, predicted, gridsize=45, cmap="Blues", bins="log", mincnt=1)
    else:
        left.scatter(truth, predicted, s=14, color=MAIN, alpha=0.5, lw=0)
    left.set(title="Predictions against the truth", xlabel=f"{short(target)}, true",
             ylabel=f"{short(target)}, predicted")  # fmt: skip
    error = predicted - truth
    reach = np.quantile(np.abs(error), 0.995) or 1.0
    inside = error[np.abs(error) <= reach]
    right.hist(inside, bins=min(60, max(10, int(len(error) ** 0.5))), color=MAIN, alpha=0.8)
    right.axvline(0, color="0.4", lw=1, ls=":")
    middle = float(np.median(error))
    right.axvline(middle, color=OTHER, lw=1.4, label=f"median {middle:.3g}")
    right.legend(edgecolor="none", fontsize=9)
    beyond = len(error) - len(inside)
    outside = f" ({beyond:,} rows are beyond the edges)" if beyond else ""
    right.set(title="Errors", xlabel=f"predicted minus true{outside}", ylabel="rows")
    for axes in (left, right):
        axes.grid(alpha=0.25)
    return as_png(figure)


def importance(found: Sequence[Importance], unit: str) -> bytes:
    """Draw how much worse predictions become without each column, the most important on top."""
    shown = list(found[:MOST])[::-1]
    figure = new_figure(9.0, 1.1 + 0.3 * len(shown))
    axes = figure.subplots()
    axes.barh([short(each.column, 30) for each in shown], [each.mean for each in shown],
              xerr=[each.deviation for each in shown], color=MAIN, ecolor="0.35", height=0.65,
              error_kw={"lw": 1})  # fmt: skip
    axes.axvline(0, color="0.4", lw=0.8)
    axes.grid(axis="x", alpha=0.25)
    left_out = f" (the first {MOST} of {len(found)})" if len(found) > MOST else ""
    axes.set(xlabel=f"{unit} grows by, when the column is shuffled",
             title=f"What the predictions rest on{left_out}")  # fmt: skip
    return as_png(figure)


def short(text: str, most: int = 18) -> str:
    """A name that leaves room for the picture; a dollar sign would start a formula."""
    text = text if len(text) <= most else f"{text[: most - 1]}…"
    return text.replace("$", r"\$")
