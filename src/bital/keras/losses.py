"""Losses: Keras's names, over the pure functions of ``bital.nn.losses``.

A loss gives one value per sample and reduces them to the number that training lowers. Before any
training starts, ``prepare`` brings targets into the form that the loss compares with, or says where
they cannot be.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bital import nn
from bital.errors import ArgumentError, DataError, ShapeError
from bital.keras import checks, functions
from bital.keras.vocabulary import Vocabulary, snake_case

REDUCTIONS = ("sum_over_batch_size", "sum", "mean_with_sample_weight", "none")


def align(y_true: Any, y_pred: Any) -> Any:
    """Return targets with a last axis of size 1 added or removed, if that makes shapes equal.

    This is what Keras does, and the only change of shape that cannot be meant otherwise.
    """
    if y_pred.shape == (*y_true.shape, 1):
        return y_true[..., np.newaxis]
    if y_true.shape == (*y_pred.shape, 1):
        return y_true[..., 0]
    return y_true


class Loss:
    """Base of the losses: subclasses define ``call(y_true, y_pred) -> (batch, ...)``.

    Parameters
    ----------
    reduction : str, default "sum_over_batch_size"
        ``"sum_over_batch_size"`` (also ``"mean"``): the mean over all values, each times its
        sample weight. ``"mean_with_sample_weight"``: divided by the sum of the weights instead.
        ``"sum"``: the sum. ``"none"``: no reduction, not for training.
    name : str, optional
        Default: the class's name in snake case.
    """

    undoes: str | None = None
    """Name of the activation whose outputs this loss takes the logarithm of."""

    def __init__(self, reduction: str | None = "sum_over_batch_size", name: str | None = None):
        who = type(self).__name__
        reduction = {None: "none", "mean": "sum_over_batch_size"}.get(reduction, reduction)
        self.reduction = checks.choice(who, "reduction", reduction, REDUCTIONS)
        self.name = snake_case(who) if name is None else checks.object_name(who, name)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return one value for each sample."""
        raise NotImplementedError(f"{type(self).__name__} must define call(self, y_true, y_pred)")

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Return the reduced loss of targets and outputs: arrays, traced values or lists.

        Raises
        ------
        ShapeError
            If the shapes differ, beyond a last axis of size 1.
        """
        y_true = y_true if hasattr(y_true, "dtype") else np.asarray(y_true)
        y_pred = y_pred if hasattr(y_pred, "dtype") else np.asarray(y_pred)
        return self.reduce(self.call(y_true, y_pred), sample_weight)

    def reduce(self, values: Any, sample_weight: Any = None) -> Any:
        """Return the reduction of one value per sample."""
        if sample_weight is not None:
            sample_weight = spread_weights(sample_weight, values)
            values = values * sample_weight
        if self.reduction == "none":
            return values
        if self.reduction == "sum":
            return np.sum(values)
        if self.reduction == "mean_with_sample_weight" and sample_weight is not None:
            total = np.sum(sample_weight)
            return np.sum(values) / np.where(total == 0, 1, total)
        return np.mean(values)

    def on_logits(self) -> Loss | None:
        """Return the same loss as a function of what the activation was applied to, if it has one.

        ``-log(softmax(z))`` loses all digits where the softmax rounds to 0 or 1; computed from
        ``z`` it is exact. ``fit`` and ``evaluate`` use it if the model ends in the activation that
        this loss ``undoes``.
        """
        return None

    def prepare(self, y: np.ndarray, output_shape: tuple[Any, ...], dtype: Any) -> np.ndarray:
        """Return targets as this loss compares them with outputs ``(None, ...)``.

        The base class, for losses that users write, leaves integers and shapes as they are.

        Raises
        ------
        DataError
            If a target has a value that the loss cannot take.
        ShapeError
            If the shapes do not fit.
        """
        del output_shape
        return y if y.dtype.kind in "iu" else y.astype(dtype, copy=False)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        return {"reduction": self.reduction, "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Loss:
        """Return a loss with these constructor arguments."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.get_config()}>"


class _Elementwise(Loss):
    """Base of the losses whose targets look like the outputs."""

    def prepare(self, y: np.ndarray, output_shape: tuple[Any, ...], dtype: Any) -> np.ndarray:
        """Return floating targets of the outputs' shape."""
        return match_outputs(self.name, y, output_shape).astype(dtype, copy=False)


class MeanSquaredError(_Elementwise):
    """``mean((y_pred - y_true)**2)`` over the last axis.

    Examples
    --------
    >>> float(MeanSquaredError()([[0.0], [0.0]], [[1.0], [3.0]]))
    5.0
    """

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return one value for each sample."""
        return nn.mean_squared_error(align(y_true, y_pred), y_pred)


class MeanAbsoluteError(_Elementwise):
    """``mean(|y_pred - y_true|)`` over the last axis.

    Examples
    --------
    >>> float(MeanAbsoluteError()([[0.0], [0.0]], [[1.0], [-3.0]]))
    2.0
    """

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return one value for each sample."""
        return nn.mean_absolute_error(align(y_true, y_pred), y_pred)


class Huber(_Elementwise):
    """Quadratic up to ``delta``, linear beyond: see ``bital.nn.huber``.

    Examples
    --------
    >>> float(Huber()([[0.0], [0.0]], [[1.0], [3.0]]))
    1.5
    """

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
    ) -> None:
        super().__init__(reduction, name)
        self.delta = checks.number("Huber", "delta", delta, 1e-300)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return one value for each sample."""
        return nn.huber(align(y_true, y_pred), y_pred, self.delta)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        return {"delta": self.delta, **super().get_config()}


class _Crossentropy(Loss):
    """Base of the crossentropies: from probabilities or, exactly, from logits."""

    def __init__(
        self,
        from_logits: bool = False,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
    ) -> None:
        super().__init__(reduction, name)
        self.from_logits = checks.boolean(type(self).__name__, "from_logits", from_logits)

    def on_logits(self) -> Loss | None:
        """Return this loss with ``from_logits=True``."""
        return (
            self if self.from_logits else type(self)(**{**self.get_config(), "from_logits": True})
        )

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        return {"from_logits": self.from_logits, **super().get_config()}


class _Smoothed(_Crossentropy):
    """Base of the crossentropies with label smoothing."""

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
    ) -> None:
        super().__init__(from_logits, reduction, name)
        who = type(self).__name__
        self.label_smoothing = checks.number(who, "label_smoothing", label_smoothing, 0, 1)

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

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        return {"label_smoothing": self.label_smoothing, **super().get_config()}


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
        return nn.categorical_crossentropy(y_true, y_pred, self.from_logits, self.label_smoothing)


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
        return nn.binary_crossentropy(y_true, y_pred, self.from_logits, self.label_smoothing)


class SparseCategoricalCrossentropy(_Crossentropy):
    """``-log p[label]``, for labels 0, 1, 2, ...: see ``nn.sparse_categorical_crossentropy``.

    Examples
    --------
    >>> round(float(SparseCategoricalCrossentropy()([1], [[0.5, 0.5]])), 4)
    0.6931
    """

    undoes = "softmax"

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return one value for each sample."""
        if y_true.ndim == y_pred.ndim and y_true.shape[-1] == 1:
            y_true = y_true[..., 0]
        return nn.sparse_categorical_crossentropy(y_true, y_pred, self.from_logits)

    def prepare(self, y: np.ndarray, output_shape: tuple[Any, ...], dtype: Any) -> np.ndarray:
        """Return int64 labels of the outputs' shape without the classes."""
        del dtype
        classes = output_shape[-1]
        expected = tuple(output_shape[1:-1])
        if y.shape[1:] == (*expected, 1):
            y = y[..., 0]
        if y.shape[1:] != expected:
            hint = (
                "For one-hot targets use loss='categorical_crossentropy'."
                if y.shape[1:] == (*expected, classes)
                else "Give each sample one class label."
            )
            raise ShapeError(
                f"y has shape {y.shape} and the model's output {_text(output_shape)}; "
                f"{self.name} compares labels of shape {_text((None, *expected))}. {hint}"
            )
        labels = y if y.dtype.kind in "iu" else y.astype(np.int64)
        wrong = (labels < 0) | (labels >= classes) | (labels != y)
        if wrong.any():
            place = tuple(int(i) for i in np.argwhere(wrong)[0])
            raise DataError(
                f"y{list(place)} is {y[place]}, which is not a class label: the model's output of "
                f"shape {_text(output_shape)} has the classes 0 to {classes - 1}."
                + _label_hint(y, classes)
            )
        return labels.astype(np.int64, copy=False)


class FunctionLoss(Loss):
    """A user's function ``(y_true, y_pred) -> (batch, ...)``, or to one number."""

    def __init__(self, function: Any) -> None:
        name = getattr(function, "__name__", "loss")
        super().__init__(name=name if name.isidentifier() else "loss")
        self.function = functions.own(function)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return one value for each sample."""
        return self.function(align(y_true, y_pred), y_pred)


def spread_weights(sample_weight: Any, values: Any) -> Any:
    """Return sample weights in the dtype of the values and with as many axes.

    Raises
    ------
    ShapeError
        If they have more axes than the values, or another length.
    """
    if not hasattr(sample_weight, "dtype"):
        sample_weight = np.asarray(sample_weight)
    if sample_weight.ndim == values.ndim + 1 and sample_weight.shape[-1] == 1:
        sample_weight = sample_weight[..., 0]
    shape = sample_weight.shape
    if shape != values.shape[: len(shape)]:
        raise ShapeError(
            f"sample_weight has shape {shape} and the loss one value for each of {values.shape}; "
            "give one weight for each sample."
        )
    sample_weight = sample_weight.reshape(shape + (1,) * (values.ndim - len(shape)))
    return np.broadcast_to(sample_weight.astype(values.dtype), values.shape)


def match_outputs(name: str, y: np.ndarray, output_shape: tuple[Any, ...]) -> np.ndarray:
    """Return targets in the shape of the outputs ``(None, ...)``, or say how they can get there.

    Raises
    ------
    ShapeError
        If they differ by more than a last axis of size 1.
    """
    expected = tuple(output_shape[1:])
    have = y.shape[1:]
    if len(have) == len(expected) and all(
        e in (None, h) for e, h in zip(expected, have, strict=True)
    ):
        return y
    if expected == (*have, 1):
        return y[..., np.newaxis]
    if have == (*expected, 1):
        return y[..., 0]
    if have in ((), (1,)) and len(expected) == 1:
        repair = (
            "If y holds class labels, use loss='sparse_categorical_crossentropy', or "
            f"utils.to_categorical(y, {expected[0]}); else end the model in Dense(1)."
        )
    elif len(have) == 1 and len(expected) == 1:
        repair = f"End the model in a layer of {have[0]} outputs, or give {expected[0]} targets."
    else:
        repair = "Give each output its own target."
    raise ShapeError(
        f"y has shape {y.shape} and the model's output {_text(output_shape)}; {name} compares "
        f"them one to one, and broadcasting would compare every target with every output. {repair}"
    )


def _label_hint(y: np.ndarray, classes: int) -> str:
    if y.min() == 1 and y.max() == classes:
        return f" The labels run from 1 to {classes}: write y - 1."
    if y.max() >= classes and np.all(y == np.floor(y)):
        return f" The largest label is {y.max()}: end the model in a layer of {int(y.max()) + 1}."
    return ""


def _text(shape: tuple[Any, ...]) -> str:
    return (
        f"({', '.join('batch' if n is None else str(n) for n in shape)}{',' * (len(shape) == 1)})"
    )


sparse_categorical_crossentropy = nn.sparse_categorical_crossentropy
categorical_crossentropy = nn.categorical_crossentropy
binary_crossentropy = nn.binary_crossentropy
mean_squared_error = nn.mean_squared_error
mean_absolute_error = nn.mean_absolute_error
huber = nn.huber

_ALL = (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    Huber,
    MeanAbsoluteError,
    MeanSquaredError,
    SparseCategoricalCrossentropy,
)

VOCABULARY = Vocabulary(
    "loss",
    Loss,
    _ALL,
    {"mse": MeanSquaredError, "mae": MeanAbsoluteError, "bce": BinaryCrossentropy},
    wrap=FunctionLoss,
)

# A named function means its class: the class also checks targets, and trains from logits.
_FUNCTIONS = {getattr(nn, snake_case(cls.__name__)): cls for cls in _ALL}


def get(identifier: Any) -> Loss:
    """Return the loss that a name, config, function, class or instance means.

    Raises
    ------
    ArgumentError
        If it means none, or one without a reduction.

    Examples
    --------
    >>> get("mse").name
    'mean_squared_error'
    """
    if callable(identifier) and not isinstance(identifier, (Loss, type)):
        identifier = _FUNCTIONS.get(identifier, identifier)
    loss = VOCABULARY.get(identifier)
    if loss.reduction == "none":
        raise ArgumentError(
            f"loss {loss.name!r} has reduction='none'; training lowers one number. Use "
            "reduction='sum_over_batch_size' or 'sum'."
        )
    return loss


__all__ = [cls.__name__ for cls in _ALL] + [
    "FunctionLoss",
    "Loss",
    "binary_crossentropy",
    "categorical_crossentropy",
    "get",
    "huber",
    "mean_absolute_error",
    "mean_squared_error",
    "sparse_categorical_crossentropy",
]
