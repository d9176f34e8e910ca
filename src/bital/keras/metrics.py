"""Metrics: Keras's names. Each is a sum over samples and a count, so that the value over an epoch
is exact for any size of the last batch.

The pure half, ``sums(y_true, y_pred, sample_weight) -> (total, count)`` and ``finish(total,
count)``, runs inside the compiled step. The other half, ``update_state``, ``result`` and
``reset_state``, is for use by hand.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from bital import nn
from bital.errors import ArgumentError, ShapeError
from bital.keras import checks, functions
from bital.keras.losses import BinaryCrossentropy, Loss, align, spread_weights
from bital.keras.vocabulary import Vocabulary, snake_case


class Metric:
    """Base of the metrics: subclasses define ``values(y_true, y_pred) -> (batch, ...)``.

    Parameters
    ----------
    name : str, optional
        Under which it stands in logs. Default: the class's name in snake case.
    """

    direction: str | None = None
    """``"max"`` or ``"min"``: which is better, where that is known."""

    def __init__(self, name: str | None = None) -> None:
        who = type(self).__name__
        self.name = snake_case(who) if name is None else checks.object_name(who, name)
        self._total = 0.0
        self._count = 0.0

    def values(self, y_true: Any, y_pred: Any) -> Any:
        """Return one value for each sample."""
        raise NotImplementedError(f"{type(self).__name__} must define values(y_true, y_pred)")

    def sums(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> tuple[Any, Any]:
        """Return the sum of the values, each times its weight, and the sum of the weights."""
        return _sums(self.values(y_true, y_pred), sample_weight)

    def zero_sums(self) -> Any:
        """Return the sums before the first batch: numbers or arrays, in a tree as `sums` has."""
        return 0.0, 0.0

    def finished(self, sums: Any) -> Any:
        """Return the metric for a tree of sums over all samples."""
        return self.finish(*sums)

    def finish(self, total: Any, count: Any) -> Any:
        """Return the metric for sums over all samples."""
        return total / count if count else 0.0

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch of targets and outputs."""
        y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
        total, count = self.sums(y_true, y_pred, sample_weight)
        self._total += float(total)
        self._count += float(count)

    def result(self) -> float:
        """Return the metric over all batches since ``reset_state``."""
        return float(self.finish(self._total, self._count))

    def reset_state(self) -> None:
        """Forget all batches."""
        self._total = self._count = 0.0

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> float:
        """Add a batch; return the metric over all batches so far."""
        self.update_state(y_true, y_pred, sample_weight)
        return self.result()

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        return {"name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Metric:
        """Return a metric with these constructor arguments."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.get_config()}>"


class Mean(Metric):
    """The mean of the values given to ``update_state``.

    Examples
    --------
    >>> m = Mean()
    >>> m.update_state([1.0, 3.0])
    >>> m.result()
    2.0
    """

    def update_state(self, values: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Add values, with weights."""
        total, count = _sums(np.asarray(values, dtype=np.float64), sample_weight)
        self._total += float(total)
        self._count += float(count)

    def __call__(self, values: Any, sample_weight: Any = None) -> float:  # type: ignore[override]
        """Add values; return the mean so far."""
        self.update_state(values, sample_weight)
        return self.result()


class Accuracy(Metric):
    """How often ``y_pred`` equals ``y_true``.

    Examples
    --------
    >>> Accuracy()([[1], [2], [3], [4]], [[0], [2], [3], [4]])
    0.75
    """

    direction = "max"

    def values(self, y_true: Any, y_pred: Any) -> Any:
        """Return the share of equal elements of each sample."""
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
        """Return the share of right elements of each sample."""
        return _equal(align(y_true, y_pred), y_pred > self.threshold)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        return {**super().get_config(), "threshold": self.threshold}


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

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        return {"k": self.k, **super().get_config()}


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


class MeanSquaredError(Metric):
    """``mean((y_pred - y_true)**2)``.

    Examples
    --------
    >>> MeanSquaredError()([[0.0], [0.0]], [[1.0], [3.0]])
    5.0
    """

    direction = "min"

    def values(self, y_true: Any, y_pred: Any) -> Any:
        """Return the mean square of each sample."""
        return nn.mean_squared_error(align(y_true, y_pred), y_pred)


class RootMeanSquaredError(MeanSquaredError):
    """The square root of ``MeanSquaredError`` over all samples.

    Examples
    --------
    >>> RootMeanSquaredError()([[0.0], [0.0]], [[1.0], [7.0]])
    5.0
    """

    def finish(self, total: Any, count: Any) -> Any:
        """Return the square root of the mean."""
        return np.sqrt(super().finish(total, count))


class MeanAbsoluteError(Metric):
    """``mean(|y_pred - y_true|)``.

    Examples
    --------
    >>> MeanAbsoluteError()([[0.0], [0.0]], [[1.0], [-3.0]])
    2.0
    """

    direction = "min"

    def values(self, y_true: Any, y_pred: Any) -> Any:
        """Return the mean size of the errors of each sample."""
        return nn.mean_absolute_error(align(y_true, y_pred), y_pred)


class FunctionMetric(Metric):
    """The mean of a user's function ``(y_true, y_pred) -> (batch, ...)``."""

    def __init__(self, function: Callable[[Any, Any], Any], name: str | None = None) -> None:
        own = getattr(function, "__name__", "metric")
        super().__init__(name or (own if own.isidentifier() else "metric"))
        self.function = functions.own(function)

    def values(self, y_true: Any, y_pred: Any) -> Any:
        """Return what the function returns."""
        return self.function(align(y_true, y_pred), y_pred)


def _equal(y_true: Any, y_pred: Any) -> Any:
    """The share of equal elements of each sample."""
    if y_true.shape != y_pred.shape:
        raise ShapeError(
            f"an accuracy received targets of shape {y_true.shape} and outputs of shape "
            f"{y_pred.shape}; they must be equal. For class labels use "
            "'sparse_categorical_accuracy'."
        )
    equal = y_true == y_pred
    return equal if equal.ndim < 2 else np.mean(equal, axis=-1)


def _labels(y_true: Any, y_pred: Any) -> Any:
    return y_true[..., 0] if y_true.ndim == y_pred.ndim and y_true.shape[-1] == 1 else y_true


def _in_top(labels: Any, y_pred: Any, k: int) -> Any:
    index = np.expand_dims(labels, -1)
    if np.dtype(labels.dtype).kind == "f":
        index = index.astype(np.int64)
    above = y_pred > np.take_along_axis(y_pred, index, axis=-1)
    return np.sum(above, axis=-1) < k


def _sums(values: Any, sample_weight: Any) -> tuple[Any, Any]:
    if sample_weight is None:
        return np.sum(values), math.prod(values.shape)
    if np.dtype(values.dtype).kind != "f":
        values = values.astype(np.float64)
    weights = spread_weights(sample_weight, values)
    return np.sum(values * weights), np.sum(weights)


_ALL = (
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    Mean,
    MeanAbsoluteError,
    MeanSquaredError,
    RootMeanSquaredError,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
)

VOCABULARY = Vocabulary(
    "metric",
    Metric,
    _ALL,
    {"mse": MeanSquaredError, "mae": MeanAbsoluteError, "rmse": RootMeanSquaredError},
    wrap=FunctionMetric,
)


def get(identifier: Any) -> Metric:
    """Return the metric that a name, config, function, class or instance means.

    Raises
    ------
    ArgumentError
        If it means none.

    Examples
    --------
    >>> get("mae").name
    'mean_absolute_error'
    """
    return VOCABULARY.get(identifier)


def resolve(
    identifier: Any, loss: Loss | None, target_shape: tuple[Any, ...], output_shape: tuple[Any, ...]
) -> Metric:
    """Return the metric that ``compile`` was asked for, now that all shapes are known.

    ``"accuracy"`` becomes the binary one for the binary crossentropy or a single output, the
    sparse one if targets have fewer axes than outputs, else the categorical one. For logits the
    binary threshold is 0. A name given to ``compile`` stays the name in logs.
    """
    if not isinstance(identifier, str):
        return get(identifier)
    kinds: dict[str, tuple[type[Metric], type[Metric], type[Metric]]] = {
        "accuracy": (BinaryAccuracy, SparseCategoricalAccuracy, CategoricalAccuracy),
        "acc": (BinaryAccuracy, SparseCategoricalAccuracy, CategoricalAccuracy),
    }
    if identifier not in kinds:
        metric = get(identifier)
        metric.name = identifier
        return metric
    binary, sparse, categorical = kinds[identifier]
    if isinstance(loss, BinaryCrossentropy) or output_shape[-1] == 1:
        from_logits = isinstance(loss, BinaryCrossentropy) and loss.from_logits
        return binary(name=identifier, threshold=0.0 if from_logits else 0.5)
    fewer = len(target_shape) < len(output_shape) or target_shape[-1] == 1
    return (sparse if fewer else categorical)(name=identifier)


def listed(name: str, requests: Any) -> list[Any]:
    """Return what ``compile`` was asked for as a list, once every name in it means something.

    Raises
    ------
    ArgumentError
        If it is not a metric or a list of metrics.
    """
    if requests is None:
        return []
    found = list(requests) if isinstance(requests, (list, tuple)) else [requests]
    for request in found:
        if isinstance(request, (list, dict)) and "class_name" not in request:
            raise ArgumentError(
                f"compile({name}={requests!r}): must be a list of metrics, for the one output."
            )
        if not isinstance(request, str) or request not in ("accuracy", "acc"):
            get(request)  # a wrong name fails here, not at the first fit
    return found


def unique(names: list[str]) -> None:
    """Raise if two metrics have one name.

    Raises
    ------
    ArgumentError
        They would overwrite each other in the logs.
    """
    for name in names:
        if names.count(name) > 1:
            raise ArgumentError(
                f"two metrics are named {name!r}; give one of them another name, for instance "
                f"TopKCategoricalAccuracy(k=3, name='top_3')."
            )


__all__ = [cls.__name__ for cls in _ALL] + ["FunctionMetric", "Metric", "get"]
