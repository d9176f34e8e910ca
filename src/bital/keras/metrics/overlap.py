"""Metrics of overlap: intersection over union, from one table of counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bital.errors import ArgumentError, ShapeError
from bital.keras import checks
from bital.keras.losses import spread_weights
from bital.keras.metrics.base import Metric, divided


class IoU(Metric):
    """The mean, over classes, of ``true positives / (targets + outputs - true positives)``.

    Parameters
    ----------
    num_classes : int
    target_class_ids : list of int
        The classes to take the mean of; those that never occur do not count.
    name : str, optional
    ignore_class : int, optional
        A target that does not count, such as 255.
    sparse_y_true, sparse_y_pred : bool, default True
        Whether targets and outputs are labels; otherwise they have an axis of classes.
    axis : int, default -1
        That axis.

    Notes
    -----
    Sample weights count as they are; Keras rounds them to integers.

    Examples
    --------
    >>> round(IoU(num_classes=2, target_class_ids=[0])([0, 0, 1, 1], [0, 1, 0, 1]), 4)
    0.3333
    """

    direction = "max"

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(name)
        who = type(self).__name__
        self.num_classes = checks.integer(who, "num_classes", num_classes)
        ids = [checks.integer(who, "target_class_ids", one, 0) for one in target_class_ids]
        self.target_class_ids = ids
        if not ids or max(ids) >= num_classes:
            raise ArgumentError(
                f"{who}(target_class_ids={ids!r}): must name classes from 0 to {num_classes - 1}."
            )
        self.ignore_class = None
        if ignore_class is not None:
            self.ignore_class = checks.integer(who, "ignore_class", ignore_class, -(2**62))
        self.sparse_y_true = checks.boolean(who, "sparse_y_true", sparse_y_true)
        self.sparse_y_pred = checks.boolean(who, "sparse_y_pred", sparse_y_pred)
        self.axis = checks.integer(who, "axis", axis, low=-32)

    def zero_sums(self) -> Any:
        """Return zeros for each pair of a target and an output."""
        return (np.zeros((self.num_classes, self.num_classes)),)

    def sums(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Return the counts of a batch: targets by outputs."""
        y_true = y_true if self.sparse_y_true else np.argmax(y_true, axis=self.axis)
        y_pred = y_pred if self.sparse_y_pred else np.argmax(y_pred, axis=self.axis)
        if y_true.shape == (*y_pred.shape, 1):
            y_true = y_true[..., 0]
        if y_pred.shape == (*y_true.shape, 1):
            y_pred = y_pred[..., 0]
        if y_true.shape != y_pred.shape:
            raise ShapeError(
                f"{type(self).__name__} received labels of shape {y_true.shape} as targets and of "
                f"shape {y_pred.shape} as outputs; they must be equal. Outputs with an axis of "
                "classes need sparse_y_pred=False."
            )
        n = self.num_classes
        weights = np.ones(y_true.shape)
        if sample_weight is not None:
            weights = spread_weights(sample_weight, weights)
        true, found = (np.reshape(y, -1).astype(np.int64) for y in (y_true, y_pred))
        valid = (true >= 0) & (true < n) & (found >= 0) & (found < n)
        if self.ignore_class is not None:
            valid = valid & (true != self.ignore_class)
        place = np.where(valid, true * n + found, 0)
        flat = np.where(valid, np.reshape(weights, -1), 0.0)
        table = np.zeros(n * n, like=place)
        np.add.at(table, place, flat)
        return (np.reshape(table, (n, n)),)

    def finish(self, *sums: Any) -> Any:
        """Return the mean over the classes that occur."""
        (table,) = sums
        right = np.diag(table)
        union = (table.sum(axis=0) + table.sum(axis=1) - right)[self.target_class_ids]
        found = divided(right[self.target_class_ids], union)
        return divided(np.sum(found), np.sum(union > 1e-9))


class BinaryIoU(IoU):
    """`IoU` of two classes: outputs are 1 from ``threshold`` on.

    Examples
    --------
    >>> round(BinaryIoU(threshold=0.3)([0, 1, 0, 1], [0.1, 0.2, 0.4, 0.7]), 4)
    0.3333
    """

    def __init__(
        self,
        target_class_ids: Sequence[int] = (0, 1),
        threshold: float = 0.5,
        name: str | None = None,
    ) -> None:
        super().__init__(2, target_class_ids, name)
        self.threshold = checks.number("BinaryIoU", "threshold", threshold)

    def sums(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Return the counts of a batch: targets by outputs."""
        return super().sums(y_true, (y_pred >= self.threshold).astype(np.int64), sample_weight)


class MeanIoU(IoU):
    """`IoU` over all classes.

    Examples
    --------
    >>> round(MeanIoU(num_classes=2)([0, 0, 1, 1], [0, 1, 0, 1]), 4)
    0.3333
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        ids = range(checks.integer(type(self).__name__, "num_classes", num_classes))
        super().__init__(num_classes, ids, name, ignore_class, sparse_y_true, sparse_y_pred, axis)


class OneHotIoU(IoU):
    """`IoU` of one-hot targets, and outputs with an axis of classes.

    Examples
    --------
    >>> y, p = [[1, 0], [1, 0], [0, 1], [0, 1]], [[0.6, 0.4], [0.2, 0.8], [0.9, 0.1], [0, 1]]
    >>> round(OneHotIoU(num_classes=2, target_class_ids=[1])(y, p), 4)
    0.3333
    """

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(
            num_classes, target_class_ids, name, ignore_class, False, sparse_y_pred, axis
        )


class OneHotMeanIoU(MeanIoU):
    """`OneHotIoU` over all classes.

    Examples
    --------
    >>> y, p = [[1, 0], [1, 0], [0, 1], [0, 1]], [[0.6, 0.4], [0.2, 0.8], [0.9, 0.1], [0, 1]]
    >>> round(OneHotMeanIoU(num_classes=2)(y, p), 4)
    0.3333
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, name, ignore_class, False, sparse_y_pred, axis)
