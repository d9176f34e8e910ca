"""Metrics over many runs: a value, and an operation that adds a batch to it, in local variables."""

from __future__ import annotations

from typing import Any

import numpy as np

from bital.graphs.graph import GraphKeys
from bital.graphs.operation import Any_, Value, convert_to_tensor, operation
from bital.tf1.losses import quotient
from bital.tf1.ops import math
from bital.tf1.variables import Variable, assign_add, variable_scope


@operation("MetricSums")
def _sums(values: Any_, weights: Any_ = None) -> Any_:
    values = values.astype(np.float32)
    weights = np.ones_like(values) if weights is None else weights.astype(np.float32)
    spread = np.broadcast_to(weights, values.shape)
    return np.stack([np.sum(values * spread), np.sum(spread)])


@operation("MetricQuotient")
def _quotient(sums: Value) -> Value:
    return quotient(sums[0], sums[1])


def mean(values: Any, weights: Any = None, *, name: str | None = None, title: str = "mean") -> Any:
    """The weighted mean of all values."""
    with variable_scope(name, title):
        start, keys = np.zeros(2, np.float32), [GraphKeys.LOCAL_VARIABLES]
        total = Variable(start, trainable=False, collections=keys, name="total")
        added = assign_add(total, _sums(values, weights))
        return _quotient(total, name="value"), _quotient(added, name="update_op")


def accuracy(labels: Any, predictions: Any, weights: Any = None, *, name: Any = None) -> Any:
    """How often predictions are the labels."""
    predictions = convert_to_tensor(predictions)
    hits = math.equal(math.cast(labels, predictions.dtype), predictions)
    return mean(hits, weights, name=name, title="accuracy")


def precision(labels: Any, predictions: Any, *, name: Any = None) -> Any:
    """How often what is predicted as true is true."""
    return mean(labels, predictions, name=name, title="precision")


def recall(labels: Any, predictions: Any, *, name: Any = None) -> Any:
    """How often what is true is predicted as true."""
    return mean(predictions, labels, name=name, title="recall")
