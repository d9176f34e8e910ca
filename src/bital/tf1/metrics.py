"""Metrics over many runs: a value, and an operation that adds a batch to it, in local variables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bital.tf1.graph import GraphKeys
from bital.tf1.losses import quotient
from bital.tf1.operation import Any_, Value, operation
from bital.tf1.ops import math
from bital.tf1.variables import Variable, assign_add, variable_scope


@operation("MetricSums")
def _sums(top: Any_, bottom: Any_, weights: Any_ = None) -> Any_:
    weights = np.float32(1) if weights is None else weights.astype(np.float32)
    spread = np.broadcast_to(weights, np.shape(top)) * bottom.astype(np.float32)
    return np.stack([np.sum(top.astype(np.float32) * spread), np.sum(spread)])


@operation("MetricQuotient")
def _quotient(sums: Value) -> Value:
    return quotient(sums[0], sums[1])


def _metric(title: str, sums: Callable[..., Any]) -> Callable[..., Any]:
    def metric(*args: Any, name: str | None = None, **kwargs: Any) -> tuple[Any, Any]:
        with variable_scope(name, title):
            new, keys = sums(*args, **kwargs), [GraphKeys.LOCAL_VARIABLES]
            start = np.zeros(2, np.float32)
            total = Variable(start, trainable=False, collections=keys, name="total")
            value = _quotient(total, name="value")
            return value, _quotient(assign_add(total, new), name="update_op")

    return metric


def _equal(labels: Any, predictions: Any) -> Any:
    return math.equal(math.cast(labels, predictions.dtype), predictions)


def _hits(some: Any, among: Any, weights: Any) -> Any:
    return _sums(math.cast(some, "bool"), math.cast(among, "bool"), weights)


mean = _metric("mean", lambda values, weights=None: _sums(values, 1.0, weights))
accuracy = _metric(
    "accuracy",
    lambda labels, predictions, weights=None: _sums(_equal(labels, predictions), 1.0, weights),
)
precision = _metric(
    "precision", lambda labels, predictions, weights=None: _hits(labels, predictions, weights)
)
recall = _metric(
    "recall", lambda labels, predictions, weights=None: _hits(predictions, labels, weights)
)
