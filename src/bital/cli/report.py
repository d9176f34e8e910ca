"""What ``bital evaluate``, ``predict`` and ``inspect`` say, as data and as text."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

NAMES = {
    "train": "training",
    "validation": "validation",
    "test": "test",
    "table": "table",
    "baseline": "(baseline)",
}
SHARES = ("accuracy", "balanced_accuracy")
"""Measures that are shown as percentages."""
PLAIN = ("loss", "auc", "f1", "r2")
"""Measures without a unit, that are shown with four digits behind the point."""
HEADS = {"rmse": "RMSE", "mae": "MAE", "r2": "R2", "auc": "AUC", "f1": "F1",
         "balanced_accuracy": "balanced acc."}  # fmt: skip
BAR = 40


def scores_table(scores: Mapping[str, Mapping[str, float | None]]) -> list[str]:
    """What was measured on each part of the data, one line each.

    Examples
    --------
    >>> print(*scores_table({"test": {"loss": 0.0512, "accuracy": 0.9834}}), sep="\\n")
                    loss    accuracy
    test          0.0512     98.34 %
    """
    measured = list(next(iter(scores.values()), {"loss": None, "accuracy": None}))
    widths = [max(12 if name in SHARES else 8, len(HEADS.get(name, name)) + 3) for name in measured]
    cells = zip(measured, widths, strict=True)
    lines = [f"{'':<12}" + "".join(f"{HEADS.get(name, name):>{width}}" for name, width in cells)]
    for part, label in NAMES.items():
        if part in scores:
            cells = zip(measured, widths, strict=True)
            texts = (f"{figure(name, scores[part].get(name)):>{width}}" for name, width in cells)
            lines.append(f"{label:<12}{''.join(texts)}")
    return lines


def figure(name: str, value: float | None) -> str:
    """One measured value as text.

    Examples
    --------
    >>> figure("accuracy", 0.9834), figure("loss", 0.05), figure("rmse", 51234.5)
    ('98.34 %', '0.0500', '51,234')
    """
    if value is None:
        return "-"
    if name in SHARES:
        return f"{100 * value:.2f} %"
    if abs(value) >= 10_000:
        return f"{value:,.0f}"
    return f"{value:.4f}" if name in PLAIN or abs(value) < 1 else f"{value:.{_digits(value)}f}"


def _digits(value: float) -> int:
    """Digits behind the point for five in all."""
    return max(0, 4 - int(np.floor(np.log10(abs(value)))))


def confusion(labels: NDArray[Any], predicted: NDArray[Any]) -> NDArray[np.int64]:
    """How often each true digit (row) got each answer (column): ``(10, 10)``."""
    table = np.zeros((10, 10), np.int64)
    np.add.at(table, (labels, predicted), 1)
    return table


def confusion_table(table: NDArray[np.int64]) -> list[str]:
    """The confusions of the test digits, one line for each true digit."""
    columns = "".join(f"{digit:>6}" for digit in range(10))
    lines = ["true   accuracy  taken for", f"digit{'':<13}{columns}"]
    for digit, row in enumerate(table):
        share = f"{100 * row[digit] / row.sum():.2f} %" if row.sum() else "-"
        cells = "".join(f"{count if count else '.':>6}" for count in row)
        lines.append(f"{digit:>5}{share:>11}  {cells}")
    return lines


def prediction_lines(probabilities: NDArray[Any]) -> list[str]:
    """One image: the digit, and a bar for each. Many images: the digit of each."""
    digits, best = probabilities.argmax(axis=1), probabilities.max(axis=1)
    if len(probabilities) > 1:
        pairs = zip(digits, best, strict=True)
        return [f"image {i}: {digit}  ({100 * p:.1f} %)" for i, (digit, p) in enumerate(pairs)]
    lines = [f"{digits[0]}  ({100 * best[0]:.1f} %)"]
    for digit, p in enumerate(probabilities[0]):
        lines.append(f"  {digit}  {p:.4f}  {'#' * round(BAR * float(p))}".rstrip())
    return lines


def predictions_data(probabilities: NDArray[Any]) -> list[dict[str, Any]]:
    """The same for programs."""
    return [
        {"digit": int(row.argmax()), "probabilities": [float(p) for p in row]}
        for row in probabilities
    ]


def options_pairs(options: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The options of a run by name, as text; what was left open is the estimator's choice."""
    found = []
    for name, value in options.items():
        shown = ",".join(map(str, value)) if isinstance(value, list) else value
        found.append((name.replace("_", "-"), "(default)" if value is None else str(shown)))
    return found


def options_lines(options: Mapping[str, Any]) -> list[str]:
    """The options of a run, one line each."""
    return [f"  {name:<14} {value}" for name, value in options_pairs(options)]
