"""How often the outputs are right."""

from __future__ import annotations

from typing import Any

import numpy as np

from bital.errors import ShapeError
from bital.keras import checks
from bital.keras.losses import align
from bital.keras.metrics.base import Metric


class Accuracy(Metric):
    """How often ``y_pred`` equals ``y_true``.

    Examples
    --------
    >>> Accuracy()([[1], [2], [3], [4]], [[0], [2], [3], [4]])
    0.75
    """

    direction = "max"

    def values(self, y_true: Any, y_pred: Any) -> Any:
        """Return whether elements are equal."""
        return _equal(align(y_true, y_pred), y_pred)


class BinaryAccuracy(Metric):
    """How often ``y_pred > threshold`` equals ``y_true``.

    Examples
    --------
    >>> BinaryAccuracy()([[1], [1], [0], [0]], [[0.98], [1], [0], [0.6]])
    0.75
    """

    direction = "max"

    def __init__(self, name: str | None = None, threshold: float = 0.5) -> None:
        super().__init__(name)
        self.threshold = checks.number("BinaryAccuracy", "threshold", threshold)

    def values(self, y_true: Any, y_pred: Any) -> Any:
        """Return whether elements are right."""
        return _equal(align(y_true, y_pred), y_pred > self.threshold)


class CategoricalAccuracy(Metric):
    """How often the largest output stands where the largest of the one-hot targets does.

    Examples
    --------
    >>> CategoricalAccuracy()([[0, 0, 1], [0, 1, 0]], [[0.1, 0.9, 0.8], [0.05, 0.95, 0]])
    0.5
    """

    direction = "max"

    def values(self, y_true: Any, y_pred: Any) -> Any:
        """Return 1 for each right sample, else 0."""
        return np.argmax(y_true, axis=-1) == np.argmax(y_pred, axis=-1)


class SparseCategoricalAccuracy(Metric):
    """How often the largest output stands at the label.

    Examples
    --------
    >>> SparseCategoricalAccuracy()([2, 1], [[0.1, 0.6, 0.3], [0.05, 0.95, 0]])
    0.5
    """

    direction = "max"

    def values(self, y_true: Any, y_pred: Any) -> Any:
        """Return 1 for each right sample, else 0."""
        return _labels(y_true, y_pred) == np.argmax(y_pred, axis=-1)


class _TopK(Metric):
    direction = "max"

    def __init__(self, k: int = 5, name: str | None = None) -> None:
        super().__init__(name)
        self.k = checks.integer(type(self).__name__, "k", k)


class TopKCategoricalAccuracy(_TopK):
    """How often fewer than ``k`` outputs are above the one at the largest of the one-hot targets.

    Examples
    --------
    >>> TopKCategoricalAccuracy(k=1)([[0, 0, 1], [0, 1, 0]], [[0.1, 0.9, 0.8], [0.05, 0.95, 0]])
    0.5
    """

    def values(self, y_true: Any, y_pred: Any) -> Any:
        """Return 1 for each right sample, else 0."""
        return _in_top(np.argmax(y_true, axis=-1), y_pred, self.k)


class SparseTopKCategoricalAccuracy(_TopK):
    """How often fewer than ``k`` outputs are above the one at the label.

    Examples
    --------
    >>> SparseTopKCategoricalAccuracy(k=1)([2, 1], [[0.1, 0.9, 0.8], [0.05, 0.95, 0]])
    0.5
    """

    def values(self, y_true: Any, y_pred: Any) -> Any:
        """Return 1 for each right sample, else 0."""
        return _in_top(_labels(y_true, y_pred), y_pred, self.k)


def _equal(y_true: Any, y_pred: Any) -> Any:
    """Whether elements are equal."""
    if y_true.shape != y_pred.shape:
        raise ShapeError(
            f"an accuracy received targets of shape {y_true.shape} and outputs of shape "
            f"{y_pred.shape}; they must be equal. For class labels use "
            "'sparse_categorical_accuracy'."
        )
    return y_true == y_pred


def _labels(y_true: Any, y_pred: Any) -> Any:
    return y_true[..., 0] if y_true.ndim == y_pred.ndim and y_true.shape[-1] == 1 else y_true


def _in_top(labels: Any, y_pred: Any, k: int) -> Any:
    index = np.expand_dims(labels, -1)
    if np.dtype(labels.dtype).kind == "f":
        index = index.astype(np.int64)
    above = y_pred > np.take_along_axis(y_pred, index, axis=-1)
    return np.sum(above, axis=-1) < k
