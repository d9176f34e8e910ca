"""What a loss is, and how targets are brought into the form that it compares with.

A loss gives one value per sample and reduces them to the number that training lowers. Before any
training starts, ``prepare`` brings targets into the form that the loss compares with, or says where
they cannot be.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from bital.errors import ShapeError
from bital.keras import checks, functions
from bital.keras.configuration import Configured
from bital.keras.vocabulary import snake_case

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


class Loss(Configured):
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

    def __call__(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None
    ) -> Any:
        """Return the reduced loss of targets and outputs: arrays, traced values or lists.

        Parameters
        ----------
        y_true, y_pred : array, ``(batch, ...)``
        sample_weight : array, optional
            ``(batch,)``, or with more of the values' axes.
        mask : array of bool, optional
            False for what does not count, such as the filling of a sequence: ``(batch, time)``.

        Raises
        ------
        ShapeError
            If the shapes differ, beyond a last axis of size 1.
        """
        y_true = y_true if hasattr(y_true, "dtype") else np.asarray(y_true)
        y_pred = y_pred if hasattr(y_pred, "dtype") else np.asarray(y_pred)
        values = self.call(y_true, y_pred)
        counted = self.counted(y_true, values)
        if counted is not None:
            mask = counted if mask is None else mask & counted
        return self.reduce(values, sample_weight, mask)

    def counted(self, y_true: Any, values: Any) -> Any:
        """Return which values count, as bool; None where all do."""
        del y_true, values

    def reduce(self, values: Any, sample_weight: Any = None, mask: Any = None) -> Any:
        """Return the reduction of one value per sample.

        A mean is taken over what the mask leaves.
        """
        if mask is not None:
            mask = spread_weights(mask, values)
            if self.reduction == "sum_over_batch_size":
                total = np.sum(mask)
                mask = mask * (math.prod(values.shape) / np.where(total == 0, 1, total))
        if sample_weight is not None:
            sample_weight = spread_weights(sample_weight, values)
        if mask is not None:
            sample_weight = mask if sample_weight is None else sample_weight * mask
        if sample_weight is not None:
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

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.get_config()}>"


class Elementwise(Loss):
    """Base of the losses whose targets look like the outputs: ``_function(targets, outputs, ...)``.

    What follows are attributes of the loss, by the names in ``arguments``.
    """

    _function: ClassVar[Callable[..., Any]]
    arguments: ClassVar[tuple[str, ...]] = ()

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return one value for each sample."""
        options = {name: getattr(self, name) for name in self.arguments}
        return type(self)._function(align(y_true, y_pred), y_pred, **options)

    def prepare(self, y: np.ndarray, output_shape: tuple[Any, ...], dtype: Any) -> np.ndarray:
        """Return floating targets of the outputs' shape."""
        return match_outputs(self.name, y, output_shape).astype(dtype, copy=False)


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
        f"y has shape {y.shape} and the model's output {shape_text(output_shape)}; {name} compares "
        f"them one to one, and broadcasting would compare every target with every output. {repair}"
    )


def shape_text(shape: tuple[Any, ...]) -> str:
    return (
        f"({', '.join('batch' if n is None else str(n) for n in shape)}{',' * (len(shape) == 1)})"
    )
