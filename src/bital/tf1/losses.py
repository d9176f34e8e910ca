"""Losses that are weighted, reduced to a number, and collected."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from bital.tf1 import nn
from bital.tf1.graph import GraphKeys, Tensor, add_to_collection, get_collection, name_scope
from bital.tf1.operation import Value, constant, convert_to_tensor, operation
from bital.tf1.ops import math
from bital.tf1.ops.arrays import squeeze


class Reduction:
    """How the elements of a loss become one number."""

    NONE, SUM = "none", "weighted_sum"
    MEAN, SUM_OVER_BATCH_SIZE = "weighted_mean", "weighted_sum_over_batch_size"
    SUM_BY_NONZERO_WEIGHTS = SUM_OVER_NONZERO_WEIGHTS = "weighted_sum_by_nonzero_weights"


@operation("WeightedLoss")
def _weighted(losses: Value, weights: Value, reduction: str) -> Value:
    if np.ndim(weights) not in (0, np.ndim(losses)):
        raise ValueError(f"weights of {np.ndim(weights)} axes for losses of {np.ndim(losses)}")
    found, spread = losses * weights, np.broadcast_to(weights, losses.shape)
    if reduction == Reduction.NONE:
        return found
    counts = {
        Reduction.SUM: np.ones((), losses.dtype),
        Reduction.MEAN: np.sum(spread),
        Reduction.SUM_OVER_BATCH_SIZE: np.sum(np.ones_like(spread)),
        Reduction.SUM_BY_NONZERO_WEIGHTS: np.sum((spread != 0).astype(losses.dtype)),
    }
    count = counts[reduction]
    return np.where(count == 0, 0, np.sum(found) / np.where(count == 0, 1, count))


def compute_weighted_loss(
    losses: Any,
    weights: Any = 1.0,
    scope: Any = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = Reduction.SUM_BY_NONZERO_WEIGHTS,
) -> Tensor:
    """The mean of losses times weights over those with weights, or another `Reduction`."""
    with name_scope(scope, "weighted_loss"):
        weights = math.cast(weights, losses.dtype)
        found = _weighted(losses, weights, reduction, name="value")
    if loss_collection:
        add_to_collection(loss_collection, found)
    return found


def _loss(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """What gives the loss of each element, with weights, a scope, a collection and a reduction."""
    title = function.__name__ + "_loss" * function.__name__.endswith("cross_entropy")
    labels, predictions, *options = inspect.signature(function).parameters.values()
    _, weights, *shared = inspect.signature(compute_weighted_loss).parameters.values()
    signature = inspect.Signature([labels, predictions, weights, *options, *shared])

    @functools.wraps(function)
    def loss(*args: Any, **kwargs: Any) -> Tensor:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        given = bound.arguments
        with name_scope(given["scope"], title) as given["scope"]:
            own = [given.pop(p.name) for p in (labels, predictions, *options)]
            return compute_weighted_loss(function(*own), **given)

    loss.__signature__ = signature  # type: ignore[attr-defined]
    return loss


def _floats(labels: Any, predictions: Any) -> tuple[Tensor, Tensor]:
    found = math.cast(labels, "float32"), math.cast(predictions, "float32")
    found[0].shape.merge_with(found[1].shape)
    return found


@_loss
def absolute_difference(labels: Any, predictions: Any) -> Tensor:
    """``|predictions - labels|``."""
    labels, predictions = _floats(labels, predictions)
    return math.abs(predictions - labels)


@_loss
def mean_squared_error(labels: Any, predictions: Any) -> Tensor:
    """``(predictions - labels)**2``."""
    labels, predictions = _floats(labels, predictions)
    return math.squared_difference(predictions, labels)


@_loss
def huber_loss(labels: Any, predictions: Any, delta: float = 1.0) -> Tensor:
    """``e**2 / 2`` of errors e up to delta, and ``delta (|e| - delta / 2)`` of larger ones."""
    labels, predictions = _floats(labels, predictions)
    error = math.abs(predictions - labels)
    near = math.minimum(error, delta)
    return 0.5 * near * near + delta * (error - near)


@_loss
def log_loss(labels: Any, predictions: Any, epsilon: float = 1e-7) -> Tensor:
    """The cross-entropy of labels from 0 to 1 and probabilities."""
    labels, predictions = _floats(labels, predictions)
    other = (1 - labels) * math.log(1 - predictions + epsilon)
    return -labels * math.log(predictions + epsilon) - other


@_loss
def hinge_loss(labels: Any, logits: Any) -> Tensor:
    """``max(0, 1 - (2 labels - 1) logits)``."""
    labels, logits = _floats(labels, logits)
    return nn.relu(1 - (2 * labels - 1) * logits)


@_loss
def softmax_cross_entropy(onehot_labels: Any, logits: Any, label_smoothing: float = 0) -> Tensor:
    """``-sum(labels log(softmax(logits)))``, of labels that may be moved towards their mean."""
    labels = math.cast(onehot_labels, logits.dtype)
    if label_smoothing:
        classes = int(logits.shape[-1])
        labels = labels * (1 - label_smoothing) + label_smoothing / classes
    return nn.softmax_cross_entropy_with_logits_v2(labels=labels, logits=logits)


@_loss
def sparse_softmax_cross_entropy(labels: Any, logits: Any) -> Tensor:
    """``-log(softmax(logits))`` at the labels, ``(batch,)`` or ``(batch, 1)``."""
    labels = convert_to_tensor(labels)
    labels = squeeze(labels, [-1]) if labels.shape.ndims == logits.shape.ndims else labels
    return nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)


@_loss
def sigmoid_cross_entropy(
    multi_class_labels: Any, logits: Any, label_smoothing: float = 0
) -> Tensor:
    """The cross-entropy of labels from 0 to 1 and ``sigmoid(logits)``."""
    labels = math.cast(multi_class_labels, logits.dtype)
    labels = labels * (1 - label_smoothing) + 0.5 * label_smoothing if label_smoothing else labels
    return nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits)


def get_losses(scope: str | None = None, loss_collection: str = GraphKeys.LOSSES) -> list[Tensor]:
    """The losses that have been collected."""
    return get_collection(loss_collection, scope)


def get_regularization_losses(scope: str | None = None) -> list[Tensor]:
    """The penalties of regularizers."""
    return get_collection(GraphKeys.REGULARIZATION_LOSSES, scope)


def get_regularization_loss(scope: Any = None, name: str = "total_regularization_loss") -> Tensor:
    """The sum of the penalties of regularizers."""
    found = get_regularization_losses(scope)
    return math.add_n(found, name=name) if found else constant(0.0)


def get_total_loss(
    add_regularization_losses: bool = True, name: str = "total_loss", scope: str | None = None
) -> Tensor:
    """The sum of all losses, and of the penalties of regularizers."""
    found = get_losses(scope)
    found = found + get_regularization_losses(scope) if add_regularization_losses else found
    return math.add_n(found, name=name)


def add_loss(loss: Tensor, loss_collection: str = GraphKeys.LOSSES) -> None:
    """Collect a loss of one's own."""
    add_to_collection(loss_collection, loss)
