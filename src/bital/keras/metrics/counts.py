"""Metrics of counts: how many samples are found, missed and mistaken at thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bital.errors import ArgumentError, ShapeError
from bital.keras import checks
from bital.keras.losses import align, spread_weights
from bital.keras.metrics.base import Metric, divided

_OUT = -1e10  # below every threshold


def counts(
    y_true: Any, y_pred: Any, sample_weight: Any, thresholds: np.ndarray, by_label: bool = False
) -> tuple[Any, Any, Any, Any]:
    """Return sums of weights: true and false positives, true and false negatives.

    An output is positive if it is above the threshold, a target if it is not 0. One histogram of
    the places of the outputs among the thresholds gives the sums for all of them.

    Parameters
    ----------
    y_true, y_pred : array, ``(batch, ..., n)``
    sample_weight : array or None
    thresholds : array, ``(T,)``, sorted
    by_label : bool
        Whether the last axis is kept.

    Returns
    -------
    tuple of four arrays, ``(T,)`` or ``(T, n)``, float64
    """
    y_true = align(y_true, y_pred)
    if y_true.shape != y_pred.shape:
        raise ShapeError(
            f"a metric of counts received targets of shape {y_true.shape} and outputs of shape "
            f"{y_pred.shape}; they must be equal. For class labels, give one-hot targets: "
            f"utils.to_categorical(y, {y_pred.shape[-1] if y_pred.shape else 1})."
        )
    values = np.ones(y_pred.shape, y_pred.dtype)
    if sample_weight is not None:
        values = spread_weights(sample_weight, y_pred)
    size = len(thresholds) + 1
    labels = y_pred.shape[-1] if by_label else 1
    place = np.searchsorted(thresholds.astype(y_pred.dtype), np.reshape(y_pred, -1), side="left")
    place = place + size * labels * np.reshape(y_true != 0, -1)
    if by_label:
        place = place + size * np.reshape(np.broadcast_to(np.arange(labels), y_pred.shape), -1)
    flat = np.reshape(values, -1).astype(np.float64)
    histogram = np.zeros(2 * labels * size, like=place)
    np.add.at(histogram, place, flat)
    histogram = np.reshape(histogram, (2, labels, size))
    above = np.flip(np.cumsum(np.flip(histogram[:, :, 1:], axis=2), axis=2), axis=2)
    below = np.sum(histogram, axis=2, keepdims=True) - above
    found = (above[1], above[0], below[0], below[1])
    return tuple(part.T if by_label else part[0] for part in found)  # type: ignore[return-value]


def _thresholds(who: str, thresholds: Any, default: float) -> tuple[np.ndarray, np.ndarray]:
    """Sorted thresholds, and the places of those that were given among them."""
    given = thresholds if isinstance(thresholds, (list, tuple)) else [thresholds]
    if thresholds is None:
        given = [default]
    else:
        given = [checks.number(who, "thresholds", one, 0, 1) for one in given]
    order = np.argsort(given, kind="stable")
    return np.asarray(given, np.float64)[order], np.argsort(order)


class _Counts(Metric):
    """Base: sums of counts at thresholds, by name."""

    wanted: tuple[int, ...]
    """Places in what `counts` returns."""

    _default = 0.5
    """The threshold where none is given."""

    def __init__(self, thresholds: Any = None, name: str | None = None) -> None:
        super().__init__(name)
        self.thresholds = list(thresholds) if isinstance(thresholds, tuple) else thresholds
        who = type(self).__name__
        self._sorted, self._places = _thresholds(who, self.thresholds, self._default)

    def zero_sums(self) -> Any:
        """Return zeros, one for each threshold."""
        return tuple(np.zeros(len(self._sorted)) for _ in self.wanted)

    def sums(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Return the counts of a batch."""
        found = counts(y_true, y_pred, sample_weight, self._sorted)
        return tuple(found[place] for place in self.wanted)

    def finish(self, *sums: Any) -> Any:
        """Return the value at the threshold, or a list of values."""
        values = np.asarray(self.at_thresholds(*sums))[self._places]
        return values if isinstance(self.thresholds, list) else values[0]

    def at_thresholds(self, *sums: Any) -> Any:
        """Return the values for counts at all thresholds."""
        return sums[0]


class TruePositives(_Counts):
    """How many outputs above the threshold whose target is 1: the sum of their weights.

    Parameters
    ----------
    thresholds : float or list of float, default 0.5
        In ``[0, 1]``. A list gives an array, for use by hand.

    Examples
    --------
    >>> TruePositives()([0, 1, 1], [0.9, 0.8, 0.2])
    1.0
    """

    direction = "max"
    wanted = (0,)


class FalsePositives(_Counts):
    """How many outputs above the threshold whose target is 0: the sum of their weights.

    Parameters
    ----------
    thresholds : float or list of float, default 0.5
        In ``[0, 1]``. A list gives an array, for use by hand.

    Examples
    --------
    >>> FalsePositives()([0, 1, 1], [0.9, 0.8, 0.2])
    1.0
    """

    direction = "min"
    wanted = (1,)


class TrueNegatives(_Counts):
    """How many outputs not above the threshold whose target is 0: the sum of their weights.

    Parameters
    ----------
    thresholds : float or list of float, default 0.5
        In ``[0, 1]``. A list gives an array, for use by hand.

    Examples
    --------
    >>> TrueNegatives()([0, 1, 1], [0.9, 0.8, 0.2])
    0.0
    """

    direction = "max"
    wanted = (2,)


class FalseNegatives(_Counts):
    """How many outputs not above the threshold whose target is 1: the sum of their weights.

    Parameters
    ----------
    thresholds : float or list of float, default 0.5
        In ``[0, 1]``. A list gives an array, for use by hand.

    Examples
    --------
    >>> FalseNegatives()([0, 1, 1], [0.9, 0.8, 0.2])
    1.0
    """

    direction = "min"
    wanted = (3,)


class _Share(_Counts):
    direction = "max"

    def __init__(
        self,
        thresholds: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
    ) -> None:
        if top_k is not None:
            self._default = _OUT
        super().__init__(thresholds, name)
        who = type(self).__name__
        self.top_k = None if top_k is None else checks.integer(who, "top_k", top_k)
        self.class_id = None if class_id is None else checks.integer(who, "class_id", class_id, 0)

    def sums(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Return the counts of a batch."""
        if self.top_k is not None:
            ranks = np.argsort(np.argsort(-y_pred, axis=-1, kind="stable"), axis=-1)
            y_pred = np.where(ranks < self.top_k, y_pred, _OUT)
        y_true, y_pred = of_class(self, y_true, y_pred, self.class_id)
        return super().sums(y_true, y_pred, sample_weight)

    def at_thresholds(self, *sums: Any) -> Any:
        """Return the values for counts at all thresholds."""
        right, wrong = sums
        return divided(right, right + wrong)


class Precision(_Share):
    """The share of the positive outputs whose target is 1.

    Parameters
    ----------
    thresholds : float or list of float, default 0.5
        Outputs above it are positive. A list gives an array, for use by hand.
    top_k : int, optional
        Only the ``k`` largest outputs of a sample count as positive.
    class_id : int, optional
        Look at this place of the last axis alone.

    Examples
    --------
    >>> Precision()([0, 1, 1, 1], [1, 0, 1, 1])
    0.6666666666666666
    """

    wanted = (0, 1)


class Recall(_Share):
    """The share of the targets 1 whose output is positive.

    Parameters
    ----------
    thresholds, top_k, class_id
        As in `Precision`.

    Examples
    --------
    >>> Recall()([0, 1, 1, 1], [1, 0, 1, 1])
    0.6666666666666666
    """

    wanted = (0, 3)


def of_class(metric: Metric, y_true: Any, y_pred: Any, class_id: int | None) -> tuple[Any, Any]:
    """Return targets and outputs of one class, or as they are."""
    if class_id is None:
        return y_true, y_pred
    y_true = align(y_true, y_pred)
    if y_pred.ndim < 2 or y_true.shape != y_pred.shape or class_id >= y_pred.shape[-1]:
        raise ArgumentError(
            f"{type(metric).__name__}(class_id={class_id}): the outputs have shape {y_pred.shape} "
            f"and the targets {y_true.shape}; both need that class in the last axis."
        )
    return y_true[..., class_id : class_id + 1], y_pred[..., class_id : class_id + 1]


class FBetaScore(Metric):
    """The weighted harmonic mean of precision and recall, over all samples.

    ``(1 + beta**2) * precision * recall / (beta**2 * precision + recall)``.

    Parameters
    ----------
    average : {None, "micro", "macro", "weighted"}
        None: an array with a score for each class, for use by hand. ``"micro"``: of the counts of
        all classes together. ``"macro"``: the mean of the scores. ``"weighted"``: by the number of
        samples of each class.
    beta : float, default 1
        How much more recall counts.
    threshold : float, optional
        Outputs above it are positive. Default: the largest of each sample is.

    Examples
    --------
    >>> y, p = [[1, 1, 0], [1, 0, 0]], [[0.2, 0.6, 0.7], [0.6, 0.3, 0.2]]
    >>> round(FBetaScore("micro", beta=2.0, threshold=0.5)(y, p), 4)
    0.6667
    """

    direction = "max"
    built = False

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str | None = "fbeta_score",
    ) -> None:
        super().__init__(name)
        who = type(self).__name__
        self.average = average
        if average is not None:
            checks.choice(who, "average", average, ("micro", "macro", "weighted"))
        self.beta = checks.number(who, "beta", beta, 1e-300)
        self.threshold = None
        if threshold is not None:
            self.threshold = checks.number(who, "threshold", threshold, 1e-300, 1)

    def build(self, output_shape: tuple[Any, ...]) -> None:
        """Take notice of the number of classes."""
        if len(output_shape) != 2:
            raise ShapeError(
                f"{type(self).__name__} takes outputs (batch, classes), and the model's are "
                f"{output_shape}."
            )
        self._classes = output_shape[1]
        self.built = True

    def zero_sums(self) -> Any:
        """Return zeros: true and false positives, false negatives, targets."""
        shape = () if self.average == "micro" else (self._classes if self.built else 1,)
        return tuple(np.zeros(shape) for _ in range(4))

    def sums(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Return the counts of a batch."""
        y_true = align(y_true, y_pred)
        if y_true.shape != y_pred.shape:
            raise ShapeError(
                f"{type(self).__name__} received targets of shape {y_true.shape} and outputs of "
                f"shape {y_pred.shape}; targets must be one-hot, (batch, classes)."
            )
        if self.threshold is None:
            largest = y_pred >= np.max(y_pred, axis=-1, keepdims=True)
            positive = largest & (np.abs(y_pred) > 1e-9)
        else:
            positive = y_pred > self.threshold
        positive, true = positive.astype(np.float64), y_true.astype(np.float64)
        parts = [positive * true, positive * (1 - true), (1 - positive) * true, true]
        if sample_weight is not None:
            weights = spread_weights(sample_weight, positive)
            parts = [part * weights for part in parts]
        axis = None if self.average == "micro" else 0
        return tuple(np.sum(part, axis=axis) for part in parts)

    def finish(self, *sums: Any) -> Any:
        """Return the score, or the scores."""
        right, extra, missed, true = sums
        precision, recall = right / (right + extra + 1e-7), right / (right + missed + 1e-7)
        factor = self.beta**2
        scores = (1 + factor) * precision * recall / (factor * precision + recall + 1e-7)
        if self.average == "weighted":
            return np.sum(scores * true) / (np.sum(true) + 1e-7)
        return scores if self.average is None else np.mean(scores)


class F1Score(FBetaScore):
    """The harmonic mean of precision and recall: `FBetaScore` with ``beta=1``.

    Parameters
    ----------
    average, threshold
        As in `FBetaScore`.

    Examples
    --------
    >>> y, p = [[1, 1, 0], [1, 0, 0]], [[0.2, 0.6, 0.7], [0.6, 0.3, 0.2]]
    >>> round(F1Score("micro", threshold=0.5)(y, p), 4)
    0.6667
    """

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str | None = "f1_score",
    ) -> None:
        super().__init__(average, 1.0, threshold, name)


def even_thresholds(who: str, count: Any, least: int = 1) -> np.ndarray:
    """Return so many thresholds from 0 to 1; a single one is 0.5."""
    count = checks.integer(who, "num_thresholds", count, least)
    return np.array([0.5]) if count == 1 else np.arange(count) / (count - 1)


def sorted_thresholds(who: str, thresholds: Sequence[float]) -> np.ndarray:
    """Return thresholds in ``[0, 1]``, sorted."""
    return np.sort([checks.number(who, "thresholds", one, 0, 1) for one in thresholds])
