"""Metrics over many runs: a value, and an operation that adds a batch to it, in local variables."""

from __future__ import annotations

from typing import Any

import numpy as np

from bital.tf1.graph import GraphKeys, add_to_collection
from bital.tf1.operation import Any_, Value, convert_to_tensor, operation
from bital.tf1.ops import math
from bital.tf1.variables import Variable, assign_add, variable_scope


def _metric(title: str, counts: Any, finish: Any, args: Any, options: dict[str, Any]) -> Any:
    """What `finish` makes of the sum of counts, and the operation that adds to that sum."""
    with variable_scope(options.pop("name", None), title):
        new = counts(*args, options.pop("weights", None))
        first = np.zeros(new.shape.as_list(), np.float32)
        keys = [GraphKeys.LOCAL_VARIABLES, "metric_variables"]
        total = Variable(first, trainable=False, collections=keys, name="total")
        value, update = (
            finish(total, name="value"),
            finish(assign_add(total, new), name="update_op"),
        )
    for key, found in (("metrics_collections", value), ("updates_collections", update)):
        for collection in options.pop(key, None) or ():
            add_to_collection(collection, found)
    if options:
        raise TypeError(f"tf.metrics.{title} takes no {', '.join(options)}")
    return value, update


@operation("MetricSums")
def _sums(top: Any_, bottom: Any_, weights: Any_ = None) -> Any_:
    weights = np.float32(1) if weights is None else weights.astype(np.float32)
    spread = np.broadcast_to(weights, np.shape(top)) * bottom.astype(np.float32)
    return np.stack([np.sum(top.astype(np.float32) * spread), np.sum(spread)])


@operation("MetricQuotient")
def _quotient(sums: Value) -> Value:
    return np.where(sums[1] == 0, 0, sums[0] / np.where(sums[1] == 0, 1, sums[1]))


_LIMITS = np.array([-1e-7, *np.arange(1, 199) / 199, 1 + 1e-7], np.float32)


@operation("MetricConfusions")
def _confusions(labels: Any_, predictions: Any_, weights: Any_ = None) -> Any_:
    weights = np.float32(1) if weights is None else weights.astype(np.float32)
    true = labels.astype(np.float32).reshape(-1, 1)
    found = (predictions.reshape(-1, 1) > _LIMITS).astype(np.float32)
    weights = np.broadcast_to(weights, np.shape(predictions)).reshape(-1, 1)
    pairs = ((true, found), (true, 1 - found), (1 - true, found), (1 - true, 1 - found))
    return np.stack([np.sum(a * b * weights, 0) for a, b in pairs])


@operation("MetricArea")
def _area(confusions: Value) -> Value:
    hits, misses, alarms, rejections = confusions
    small = np.float32(1e-6)
    y, x = (hits + small) / (hits + misses + small), alarms / (alarms + rejections + small)
    return np.sum((x[:-1] - x[1:]) * (y[:-1] + y[1:]) / 2)


def mean(values: Any, weights: Any = None, **options: Any) -> Any:
    """The weighted mean of all values."""
    return _metric("mean", _sums, _quotient, (values, 1.0), {"weights": weights, **options})


def mean_squared_error(labels: Any, predictions: Any, weights: Any = None, **options: Any) -> Any:
    """The weighted mean of squared errors."""
    errors = math.squared_difference(
        math.cast(predictions, "float32"), math.cast(labels, "float32")
    )
    options = {"weights": weights, **options}
    return _metric("mean_squared_error", _sums, _quotient, (errors, 1.0), options)


def accuracy(labels: Any, predictions: Any, weights: Any = None, **options: Any) -> Any:
    """How often predictions are the labels."""
    predictions = convert_to_tensor(predictions)
    hits = math.equal(math.cast(labels, predictions.dtype), predictions)
    return _metric("accuracy", _sums, _quotient, (hits, 1.0), {"weights": weights, **options})


def precision(labels: Any, predictions: Any, weights: Any = None, **options: Any) -> Any:
    """How often what is predicted as true is true."""
    pair = math.cast(labels, "bool"), math.cast(predictions, "bool")
    return _metric("precision", _sums, _quotient, pair, {"weights": weights, **options})


def recall(labels: Any, predictions: Any, weights: Any = None, **options: Any) -> Any:
    """How often what is true is predicted as true."""
    pair = math.cast(predictions, "bool"), math.cast(labels, "bool")
    return _metric("recall", _sums, _quotient, pair, {"weights": weights, **options})


def auc(labels: Any, predictions: Any, weights: Any = None, **options: Any) -> Any:
    """The area under the ROC curve, by 200 thresholds from 0 to 1."""
    pair = math.cast(labels, "bool"), predictions
    return _metric("auc", _confusions, _area, pair, {"weights": weights, **options})
