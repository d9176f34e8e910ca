"""Metrics of curves over all thresholds: areas, and the best point under a condition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bital import nn
from bital.errors import ArgumentError, ShapeError
from bital.keras import checks
from bital.keras.losses import align, spread_weights
from bital.keras.metrics.base import Metric, divided
from bital.keras.metrics.counts import counts, even_thresholds, of_class, sorted_thresholds


class _Curve(Metric):
    """Base: true and false positives, true and false negatives at many thresholds."""

    direction = "max"
    _points: np.ndarray
    _labels: int | None = None

    def zero_sums(self) -> Any:
        """Return zeros: for each threshold, and each label where these are kept apart."""
        more = () if self._labels is None else (self._labels,)
        return tuple(np.zeros((len(self._points), *more)) for _ in range(4))


class _Best(_Curve):
    """Base: the best of one share where another is at least ``value``."""

    def __init__(
        self, value: float, num_thresholds: int, class_id: int | None, name: str | None
    ) -> None:
        super().__init__(name)
        who = type(self).__name__
        self._points = even_thresholds(who, num_thresholds)
        self._value = value
        self.num_thresholds = len(self._points)
        self.class_id = None if class_id is None else checks.integer(who, "class_id", class_id, 0)

    def sums(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Return the counts of a batch."""
        y_true, y_pred = of_class(self, y_true, y_pred, self.class_id)
        return counts(y_true, np.clip(y_pred, 0, 1), sample_weight, self._points)

    def shares(self, tp: Any, fp: Any, tn: Any, fn: Any) -> tuple[Any, Any]:
        """Return what must be at least the value, and what is to be large."""
        raise NotImplementedError

    def finish(self, *sums: Any) -> Any:
        """Return the largest share."""
        bound, wanted = self.shares(*sums)
        return np.max(np.where(bound >= self._value, wanted, 0.0))


class SensitivityAtSpecificity(_Best):
    """The largest sensitivity (recall) at thresholds where the specificity is at least a value.

    Parameters
    ----------
    specificity : float
        The value, in ``[0, 1]``.
    num_thresholds : int, default 200
        Evenly from 0 to 1.
    class_id : int, optional
        Look at this place of the last axis alone.

    Examples
    --------
    >>> round(SensitivityAtSpecificity(0.5)([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8]), 4)
    0.5
    """

    def __init__(
        self,
        specificity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
    ) -> None:
        self.specificity = checks.number(
            "SensitivityAtSpecificity", "specificity", specificity, 0, 1
        )
        super().__init__(self.specificity, num_thresholds, class_id, name)

    def shares(self, tp: Any, fp: Any, tn: Any, fn: Any) -> tuple[Any, Any]:
        """Return what must be at least the value, and what is to be large."""
        return divided(tn, tn + fp), divided(tp, tp + fn)


class SpecificityAtSensitivity(_Best):
    """The largest specificity at thresholds where the sensitivity (recall) is at least a value.

    Parameters
    ----------
    sensitivity : float
        The value, in ``[0, 1]``.
    num_thresholds : int, default 200
        Evenly from 0 to 1.
    class_id : int, optional
        Look at this place of the last axis alone.

    Examples
    --------
    >>> round(SpecificityAtSensitivity(0.8)([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8]), 4)
    0.3333
    """

    def __init__(
        self,
        sensitivity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
    ) -> None:
        self.sensitivity = checks.number(
            "SpecificityAtSensitivity", "sensitivity", sensitivity, 0, 1
        )
        super().__init__(self.sensitivity, num_thresholds, class_id, name)

    def shares(self, tp: Any, fp: Any, tn: Any, fn: Any) -> tuple[Any, Any]:
        """Return what must be at least the value, and what is to be large."""
        return divided(tp, tp + fn), divided(tn, tn + fp)


class PrecisionAtRecall(_Best):
    """The largest precision at thresholds where the recall is at least a value.

    Parameters
    ----------
    recall : float
        The value, in ``[0, 1]``.
    num_thresholds : int, default 200
        Evenly from 0 to 1.
    class_id : int, optional
        Look at this place of the last axis alone.

    Examples
    --------
    >>> round(PrecisionAtRecall(0.8)([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8]), 4)
    0.5
    """

    def __init__(
        self,
        recall: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
    ) -> None:
        self.recall = checks.number("PrecisionAtRecall", "recall", recall, 0, 1)
        super().__init__(self.recall, num_thresholds, class_id, name)

    def shares(self, tp: Any, fp: Any, tn: Any, fn: Any) -> tuple[Any, Any]:
        """Return what must be at least the value, and what is to be large."""
        return divided(tp, tp + fn), divided(tp, tp + fp)


class RecallAtPrecision(_Best):
    """The largest recall at thresholds where the precision is at least a value.

    Parameters
    ----------
    precision : float
        The value, in ``[0, 1]``.
    num_thresholds : int, default 200
        Evenly from 0 to 1.
    class_id : int, optional
        Look at this place of the last axis alone.

    Examples
    --------
    >>> round(RecallAtPrecision(0.5)([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8]), 4)
    1.0
    """

    def __init__(
        self,
        precision: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
    ) -> None:
        self.precision = checks.number("RecallAtPrecision", "precision", precision, 0, 1)
        super().__init__(self.precision, num_thresholds, class_id, name)

    def shares(self, tp: Any, fp: Any, tn: Any, fn: Any) -> tuple[Any, Any]:
        """Return what must be at least the value, and what is to be large."""
        return divided(tp, tp + fp), divided(tp, tp + fn)


class AUC(_Curve):
    """The area under a curve of rates at many thresholds.

    Parameters
    ----------
    num_thresholds : int, default 200
        Evenly from 0 to 1.
    curve : {"ROC", "PR", "PRGAIN"}, default "ROC"
        True positives over false positives; precision over recall; the same as gains.
    summation_method : {"interpolation", "minoring", "majoring"}, default "interpolation"
        Between two points of a curve: the mean of their heights (for ``"PR"`` the exact area
        between them), the lower, or the higher.
    name : str, optional
    thresholds : list of float, optional
        Others than the even ones; 0 and 1 are put around them.
    multi_label : bool, default False
        Whether the areas of the labels (the last axis) are taken apart and averaged.
    num_labels : int, optional
        Keras's; the outputs' shape says it.
    label_weights : list of float, optional
        A weight for each label.
    from_logits : bool, default False
        Whether a sigmoid is applied to the outputs.

    Notes
    -----
    Source: Davis and Goadrich 2006, "The Relationship Between Precision-Recall and ROC Curves", for
    the interpolation of ``"PR"``; Flach and Kull 2015, "Precision-Recall-Gain Curves".

    Examples
    --------
    >>> AUC(num_thresholds=3)([0, 0, 1, 1], [0, 0.5, 0.3, 0.9])
    0.75
    """

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        thresholds: Sequence[float] | None = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Sequence[float] | None = None,
        from_logits: bool = False,
    ) -> None:
        super().__init__(name)
        if thresholds is None:
            points = even_thresholds("AUC", num_thresholds, 2)
            self.thresholds = None
        else:
            inner = sorted_thresholds("AUC", thresholds)
            points = np.concatenate([[0.0], inner, [1.0]])
            self.thresholds = inner.tolist()
        self.num_thresholds = len(points)
        self._points = np.array([-1e-7, *points[1:-1], 1 + 1e-7])
        ways = ("interpolation", "minoring", "majoring")
        self.curve = checks.choice("AUC", "curve", str(curve).upper(), ("ROC", "PR", "PRGAIN"))
        method = str(summation_method).lower()
        self.summation_method = checks.choice("AUC", "summation_method", method, ways)
        self.multi_label = checks.boolean("AUC", "multi_label", multi_label)
        self.from_logits = checks.boolean("AUC", "from_logits", from_logits)
        self.num_labels = num_labels
        if num_labels is not None:
            if not multi_label:
                raise ArgumentError("AUC(num_labels=...) is for multi_label=True alone.")
            self._labels = checks.integer("AUC", "num_labels", num_labels)
        self.label_weights = None
        if label_weights is not None:
            weights = [checks.number("AUC", "label_weights", one, 0) for one in label_weights]
            self.label_weights = weights
        self.built = not self.multi_label

    def build(self, output_shape: tuple[Any, ...]) -> None:
        """Take notice of the number of labels."""
        if not self.multi_label:
            return
        if len(output_shape) != 2 or self._labels not in (None, output_shape[1]):
            raise ShapeError(
                f"AUC(multi_label=True, num_labels={self.num_labels}) takes outputs (batch, "
                f"labels), and the model's are {output_shape}."
            )
        self._labels = output_shape[1]
        self.built = True

    def sums(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Return the counts of a batch."""
        y_pred = nn.sigmoid(y_pred) if self.from_logits else np.clip(y_pred, 0, 1)
        if self.label_weights is None or self.multi_label:
            return counts(y_true, y_pred, sample_weight, self._points, self.multi_label)
        weights = np.broadcast_to(np.asarray(self.label_weights, y_pred.dtype), y_pred.shape)
        if sample_weight is not None:
            weights = weights * spread_weights(sample_weight, y_pred)
        return counts(align(y_true, y_pred), y_pred, weights, self._points)

    def finish(self, *sums: Any) -> Any:
        """Return the area."""
        if self.curve == "PR" and self.summation_method == "interpolation":
            return self._over_labels(_area_of_precision(*sums))
        x, y = self._points_of_curve(*sums)
        left, right = y[:-1], y[1:]
        if self.summation_method == "interpolation":
            heights = (left + right) / 2
        elif self.summation_method == "minoring":
            heights = np.minimum(left, right)
        else:
            heights = np.maximum(left, right)
        return self._over_labels((x[:-1] - x[1:]) * heights)

    def _points_of_curve(self, tp: Any, fp: Any, tn: Any, fn: Any) -> tuple[Any, Any]:
        recall = divided(tp, tp + fn)
        if self.curve == "ROC":
            return divided(fp, fp + tn), recall
        if self.curve == "PR":
            return recall, divided(tp, tp + fp)
        scale = divided(tp + fn, tn + fp)
        recall_gain = np.where(tp == 0, 0.0, 1 - scale * divided(fn, tp))
        precision_gain = np.where(tp == 0, 1.0, 1 - scale * divided(fp, tp))
        return np.maximum(recall_gain, 0.0), precision_gain

    def _over_labels(self, areas: Any) -> Any:
        by_label = np.sum(areas, axis=0)
        if not self.multi_label:
            return by_label
        if self.label_weights is None:
            return np.mean(by_label)
        return divided(np.sum(by_label * self.label_weights), np.sum(self.label_weights))


def _area_of_precision(tp: Any, fp: Any, tn: Any, fn: Any) -> Any:
    """The areas between neighbouring points, true positives being linear in all positives."""
    del tn
    rise = tp[:-1] - tp[1:]
    positives = tp + fp
    slope = divided(rise, np.maximum(positives[:-1] - positives[1:], 0))
    start = tp[1:] - slope * positives[1:]
    both = (positives[:-1] > 0) & (positives[1:] > 0)
    ratio = np.where(both, divided(positives[:-1], np.maximum(positives[1:], 0)), 1.0)
    return divided(slope * (rise + start * np.log(ratio)), np.maximum(tp[1:] + fn[1:], 0))
