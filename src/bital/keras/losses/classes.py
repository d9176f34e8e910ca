"""Losses of classes: from probabilities or, exactly, from logits; and losses of labels."""

from __future__ import annotations

from typing import Any

import numpy as np

from bital import nn
from bital.errors import DataError, ShapeError
from bital.keras import checks
from bital.keras.losses.base import Loss, align, match_outputs, shape_text


class _Crossentropy(Loss):
    """Base of the crossentropies: what ``undoes`` names has its outputs along the last axis."""

    from_logits: bool
    axis: int

    def on_logits(self) -> Loss | None:
        """Return this loss with ``from_logits=True``."""
        if self.from_logits:
            return self
        if self.axis != -1 and self.undoes == "softmax":
            return None
        return type(self)(**{**self.get_config(), "from_logits": True})


class _Smoothed(_Crossentropy):
    """Base of the crossentropies with label smoothing: targets are probabilities."""

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
    ) -> None:
        super().__init__(reduction, name)
        who = type(self).__name__
        self.from_logits = checks.boolean(who, "from_logits", from_logits)
        self.label_smoothing = checks.number(who, "label_smoothing", label_smoothing, 0, 1)
        self.axis = checks.integer(who, "axis", axis, low=-32)

    def prepare(self, y: np.ndarray, output_shape: tuple[Any, ...], dtype: Any) -> np.ndarray:
        """Return floating targets of the outputs' shape, each in ``[0, 1]``."""
        y = match_outputs(self.name, y, output_shape)
        wrong = (y < 0) | (y > 1)
        if wrong.any():
            place = tuple(int(i) for i in np.argwhere(wrong)[0])
            raise DataError(
                f"y{list(place)} is {y[place]}; targets of {self.name} are probabilities and must "
                "lie between 0 and 1. For classes that are numbered 0, 1, 2, ... use "
                "'sparse_categorical_crossentropy'."
            )
        return y.astype(dtype, copy=False)


class CategoricalCrossentropy(_Smoothed):
    """``-sum(y_true * log p)``, for one-hot targets: see ``bital.nn.categorical_crossentropy``.

    Examples
    --------
    >>> round(float(CategoricalCrossentropy()([[0.0, 1.0]], [[0.5, 0.5]])), 4)
    0.6931
    """

    undoes = "softmax"

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return one value for each sample."""
        return nn.categorical_crossentropy(
            y_true, y_pred, self.from_logits, self.label_smoothing, self.axis
        )


class BinaryCrossentropy(_Smoothed):
    """``-mean(t log p + (1 - t) log(1 - p))``: see ``bital.nn.binary_crossentropy``.

    Examples
    --------
    >>> round(float(BinaryCrossentropy(from_logits=True)([[1.0]], [[0.0]])), 4)
    0.6931
    """

    undoes = "sigmoid"

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return one value for each sample."""
        y_true = align(y_true, y_pred)
        return nn.binary_crossentropy(
            y_true, y_pred, self.from_logits, self.label_smoothing, self.axis
        )


class BinaryFocalCrossentropy(_Smoothed):
    """The binary crossentropy, less of what is already right: see ``nn.binary_focal_crossentropy``.

    Examples
    --------
    >>> round(float(BinaryFocalCrossentropy()([[1.0]], [[0.5]])), 4)
    0.1733
    """

    undoes = "sigmoid"

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
    ) -> None:
        super().__init__(from_logits, label_smoothing, axis, reduction, name)
        who = "BinaryFocalCrossentropy"
        self.apply_class_balancing = checks.boolean(
            who, "apply_class_balancing", apply_class_balancing
        )
        self.alpha = checks.number(who, "alpha", alpha, 0, 1)
        self.gamma = checks.number(who, "gamma", gamma, 0)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return one value for each sample."""
        return nn.binary_focal_crossentropy(
            align(y_true, y_pred),
            y_pred,
            self.apply_class_balancing,
            self.alpha,
            self.gamma,
            self.from_logits,
            self.label_smoothing,
            self.axis,
        )


class CategoricalFocalCrossentropy(_Smoothed):
    """``-sum(alpha * (1 - p)**gamma * y_true * log p)``: see ``nn.categorical_focal_crossentropy``.

    Examples
    --------
    >>> round(float(CategoricalFocalCrossentropy()([[0.0, 1.0]], [[0.5, 0.5]])), 4)
    0.0433
    """

    undoes = "softmax"

    def __init__(
        self,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
    ) -> None:
        super().__init__(from_logits, label_smoothing, axis, reduction, name)
        self.alpha = checks.number("CategoricalFocalCrossentropy", "alpha", alpha, 0)
        self.gamma = checks.number("CategoricalFocalCrossentropy", "gamma", gamma, 0)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return one value for each sample."""
        return nn.categorical_focal_crossentropy(
            y_true,
            y_pred,
            self.alpha,
            self.gamma,
            self.from_logits,
            self.label_smoothing,
            self.axis,
        )


class SparseCategoricalCrossentropy(_Crossentropy):
    """``-log p[label]``, for labels 0, 1, 2, ...: see ``nn.sparse_categorical_crossentropy``.

    Parameters
    ----------
    ignore_class : int, optional
        A label whose samples do not count, such as -1: the mean is over the others.

    Examples
    --------
    >>> round(float(SparseCategoricalCrossentropy()([1], [[0.5, 0.5]])), 4)
    0.6931
    """

    undoes = "softmax"

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        axis: int = -1,
        name: str | None = None,
    ) -> None:
        super().__init__(reduction, name)
        who = "SparseCategoricalCrossentropy"
        self.from_logits = checks.boolean(who, "from_logits", from_logits)
        self.ignore_class = None
        if ignore_class is not None:
            self.ignore_class = checks.integer(who, "ignore_class", ignore_class, low=-(2**62))
        self.axis = checks.integer(who, "axis", axis, low=-32)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return one value for each sample."""
        return nn.sparse_categorical_crossentropy(
            self._labels(y_true, y_pred.ndim),
            y_pred,
            self.from_logits,
            self.ignore_class,
            self.axis,
        )

    def counted(self, y_true: Any, values: Any) -> Any:
        """Return which samples have another label than ``ignore_class``."""
        if self.ignore_class is None:
            return None
        return self._labels(y_true, values.ndim + 1) != self.ignore_class

    def _labels(self, y_true: Any, ndim: int) -> Any:
        found = y_true.ndim == ndim and y_true.shape[self.axis] == 1
        return np.squeeze(y_true, self.axis) if found else y_true

    def prepare(self, y: np.ndarray, output_shape: tuple[Any, ...], dtype: Any) -> np.ndarray:
        """Return int64 labels of the outputs' shape without the classes."""
        del dtype
        return labels_for(self.name, y, output_shape, self.axis, self.ignore_class)


class CategoricalGeneralizedCrossEntropy(Loss):
    """``(1 - p[label]**q) / q``, which wrong labels cost less: see the function in ``bital.nn``.

    Examples
    --------
    >>> float(CategoricalGeneralizedCrossEntropy()([1], [[0.75, 0.25]]))
    1.0
    """

    def __init__(
        self,
        q: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
    ) -> None:
        super().__init__(reduction, name)
        self.q = checks.number("CategoricalGeneralizedCrossEntropy", "q", q, 1e-9, 1 - 1e-9)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return one value for each sample."""
        if y_true.ndim == y_pred.ndim and y_true.shape[-1] == 1:
            y_true = y_true[..., 0]
        return nn.categorical_generalized_cross_entropy(y_true, y_pred, self.q)

    def prepare(self, y: np.ndarray, output_shape: tuple[Any, ...], dtype: Any) -> np.ndarray:
        """Return int64 labels of the outputs' shape without the classes."""
        del dtype
        return labels_for(self.name, y, output_shape)


class Circle(Loss):
    """Draws the vectors of one class together: see ``bital.nn.circle``.

    Targets are labels, outputs vectors of length 1. Samples that give 0 do not count in the mean.

    Examples
    --------
    >>> y, vectors = [0, 0, 1], [[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]]
    >>> round(float(Circle()(y, vectors)), 2)
    19.2
    """

    def __init__(
        self,
        gamma: float = 80.0,
        margin: float = 0.4,
        remove_diagonal: bool = True,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
    ) -> None:
        super().__init__(reduction, name)
        self.gamma = checks.number("Circle", "gamma", gamma, 0)
        self.margin = checks.number("Circle", "margin", margin, 0, 1)
        self.remove_diagonal = checks.boolean("Circle", "remove_diagonal", remove_diagonal)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return one value for each sample."""
        labels = y_true[..., 0] if y_true.ndim == 2 and y_true.shape[-1] == 1 else y_true
        return nn.circle(labels, y_pred, self.gamma, self.margin, self.remove_diagonal)

    def counted(self, y_true: Any, values: Any) -> Any:
        """Return which samples have a loss."""
        del y_true
        return values > 0

    def prepare(self, y: np.ndarray, output_shape: tuple[Any, ...], dtype: Any) -> np.ndarray:
        """Return int64 labels, one for each vector."""
        del dtype
        return labels_for(self.name, y, output_shape, classes=False)


class CTC(Loss):
    """The loss of sequences that are not aligned with their labels: see ``bital.nn.ctc``.

    Targets are labels from 1, ``(batch, labels)``, filled up with 0; outputs are logits ``(batch,
    time, classes)`` of which class 0 is the blank.

    Examples
    --------
    >>> import numpy as np
    >>> round(float(CTC()(np.array([[1]]), np.zeros((1, 2, 2)))), 4)
    0.2877
    """

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return one value for each sample."""
        return nn.ctc(y_true, y_pred)

    def prepare(self, y: np.ndarray, output_shape: tuple[Any, ...], dtype: Any) -> np.ndarray:
        """Return int64 labels ``(batch, labels)``."""
        del dtype
        if y.ndim != 2 or len(output_shape) != 3:
            raise ShapeError(
                f"y has shape {y.shape} and the model's output {shape_text(output_shape)}; "
                f"{self.name} takes labels (batch, labels) and logits (batch, time, classes)."
            )
        return _as_labels(y, output_shape)


def labels_for(
    name: str,
    y: np.ndarray,
    output_shape: tuple[Any, ...],
    axis: int = -1,
    ignored: int | None = None,
    classes: bool = True,
) -> np.ndarray:
    """Return int64 labels of the outputs' shape without ``axis``, each in range or ``ignored``.

    With ``classes=False`` any whole number is a label.

    Raises
    ------
    DataError
        If a label is out of range.
    ShapeError
        If the shapes do not fit.
    """
    place = axis % len(output_shape)
    expected = tuple(n for i, n in enumerate(output_shape) if i not in (0, place))
    if y.shape[1:] == (*expected, 1):
        y = y[..., 0]
    if len(y.shape) != len(expected) + 1 or any(
        n not in (None, m) for n, m in zip(expected, y.shape[1:], strict=True)
    ):
        hint = (
            "For one-hot targets use loss='categorical_crossentropy'."
            if y.shape[1:] == output_shape[1:]
            else "Give each sample one class label."
        )
        raise ShapeError(
            f"y has shape {y.shape} and the model's output {shape_text(output_shape)}; "
            f"{name} compares labels of shape {shape_text((None, *expected))}. {hint}"
        )
    return _as_labels(y, output_shape, axis, ignored, classes)


def _as_labels(
    y: np.ndarray,
    output_shape: tuple[Any, ...],
    axis: int = -1,
    ignored: int | None = None,
    ranged: bool = True,
) -> np.ndarray:
    classes = output_shape[axis]
    whole = y.dtype.kind in "iu"
    if whole and ranged and y.min() >= 0 and y.max() < classes:
        return y.astype(np.int64, copy=False)
    labels = y if whole else y.astype(np.int64)
    wrong = labels != y
    if ranged:
        wrong |= (labels < 0) | (labels >= classes)
    if ignored is not None:
        wrong &= labels != ignored
    if wrong.any():
        place = tuple(int(i) for i in np.argwhere(wrong)[0])
        known = f"the classes 0 to {classes - 1}" if ranged else "whole numbers as labels"
        raise DataError(
            f"y{list(place)} is {y[place]}, which is not a class label: the model's output of "
            f"shape {shape_text(output_shape)} has {known}." + _label_hint(y, classes)
        )
    return labels.astype(np.int64, copy=False)


def _label_hint(y: np.ndarray, classes: int) -> str:
    if y.min() == 1 and y.max() == classes:
        return f" The labels run from 1 to {classes}: write y - 1."
    if y.max() >= classes and np.all(y == np.floor(y)):
        return f" The largest label is {y.max()}: end the model in a layer of {int(y.max()) + 1}."
    return ""
