"""What ``bital evaluate``, ``predict`` and ``inspect`` say, as data and as text."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

NAMES = {"train": "training", "validation": "validation", "test": "test"}
BAR = 40


def scores_table(scores: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Loss and accuracy of each part of the data, one line each."""
    lines = [f"{'':<12}{'loss':>8}{'accuracy':>12}"]
    for part, label in NAMES.items():
        if part in scores:
            value = scores[part]
            lines.append(f"{label:<12}{value['loss']:8.4f}{100 * value['accuracy']:10.2f} %")
    return lines


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


def options_lines(options: Mapping[str, Any]) -> list[str]:
    """The options of a run, one line each."""
    shown = {k: ",".join(map(str, v)) if isinstance(v, list) else v for k, v in options.items()}
    return [f"  {name.replace('_', '-'):<14} {value}" for name, value in shown.items()]
