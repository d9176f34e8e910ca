"""Losses that are weighted, reduced to a number, and collected."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from bital.graphs.graph import GraphKeys, Tensor, add_to_collection, get_collection, name_scope
from bital.graphs.operation import Value, convert_to_tensor, operation
from bital.tf1 import nn
from bital.tf1.ops import math
from bital.tf1.ops.arrays import squeeze

_LOSSES, _SUM_BY_WEIGHTS = GraphKeys.LOSSES, "weighted_sum_by_nonzero_weights"


class Reduction:
    """How the elements of a loss become one number."""

    NONE, SUM = "none", "weighted_sum"
    MEAN, SUM_OVER_BATCH_SIZE = "weighted_mean", "weighted_sum_over_batch_size"
    SUM_BY_NONZERO_WEIGHTS = SUM_OVER_NONZERO_WEIGHTS = _SUM_BY_WEIGHTS


def quotient(total: Any, count: Any) -> Any:
    """0 where there is nothing to divide by."""
    return np.where(count == 0, 0, total / np.where(count == 0, 1, count))


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
    return quotient(np.sum(found), counts[reduction])


def compute_weighted_loss(
    losses, weights=1.0, scope=None, loss_collection=_LOSSES, reduction=_SUM_BY_WEIGHTS
) -> Tensor:
    """The mean of losses times weights over those with weights, or another `Reduction`."""
    losses = convert_to_tensor(losses)
    with name_scope(scope, "weighted_loss"):
        weights = math.cast(weights, losses.dtype)
        found = _weighted(losses, weights, reduction, name="value")
    if loss_collection:
        add_to_collection(loss_collection, found)
    return found


def _loss(title: str, formula: Callable[..., Tensor], floats: bool = True) -> Callable[..., Tensor]:
    """A loss: the formula of its elements, with weights, a scope, a collection and a reduction."""
    own = inspect.signature(formula).parameters
    labels, predictions, *options = own.values()
    _, weights, *shared = inspect.signature(compute_weighted_loss).parameters.values()
    signature = inspect.Signature([labels, predictions, weights, *options, *shared])

    def loss(*args: Any, **kwargs: Any) -> Tensor:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        given = bound.arguments
        with name_scope(given["scope"], title) as given["scope"]:
            one, other, *more = [given.pop(name) for name in own]
            if floats:
                one, other = math.cast(one, "float32"), math.cast(other, "float32")
                one.shape.merge_with(other.shape)
            return compute_weighted_loss(formula(one, other, *more), **given)

    return loss


def _huber(labels: Any, predictions: Any, delta: float = 1.0) -> Tensor:
    error = math.abs(predictions - labels)
    near = math.minimum(error, delta)
    return 0.5 * near * near + delta * (error - near)


def _log(labels: Any, predictions: Any, epsilon: float = 1e-7) -> Tensor:
    other = (1 - labels) * math.log(1 - predictions + epsilon)
    return -labels * math.log(predictions + epsilon) - other


def _sparse(labels: Any, logits: Tensor) -> Tensor:
    labels = convert_to_tensor(labels)
    labels = squeeze(labels, [-1]) if labels.shape.ndims == logits.shape.ndims else labels
    return nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)


def _softmax(onehot_labels: Any, logits: Tensor) -> Tensor:
    labels = math.cast(onehot_labels, logits.dtype)
    return nn.softmax_cross_entropy_with_logits_v2(labels=labels, logits=logits)


def _sigmoid(multi_class_labels: Any, logits: Tensor) -> Tensor:
    labels = math.cast(multi_class_labels, logits.dtype)
    return nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits)


absolute_difference = _loss(
    "absolute_difference", lambda labels, predictions: math.abs(predictions - labels)
)
mean_squared_error = _loss(
    "mean_squared_error", lambda labels, predictions: math.square(predictions - labels)
)
huber_loss = _loss("huber_loss", _huber)
log_loss = _loss("log_loss", _log)
softmax_cross_entropy = _loss("softmax_cross_entropy_loss", _softmax, False)
sparse_softmax_cross_entropy = _loss("sparse_softmax_cross_entropy_loss", _sparse, False)
sigmoid_cross_entropy = _loss("sigmoid_cross_entropy_loss", _sigmoid, False)


def get_losses(scope: str | None = None, loss_collection: str = GraphKeys.LOSSES) -> list[Tensor]:
    """The losses that have been collected."""
    return get_collection(loss_collection, scope)


def get_regularization_losses(scope: str | None = None) -> list[Tensor]:
    """The penalties of regularizers."""
    return get_collection(GraphKeys.REGULARIZATION_LOSSES, scope)


def get_total_loss(add_regularization_losses=True, name="total_loss", scope=None) -> Tensor:
    """The sum of all losses, and of the penalties of regularizers."""
    found = get_losses(scope)
    found = found + get_regularization_losses(scope) if add_regularization_losses else found
    return math.add_n(found, name=name)


def add_loss(loss: Tensor, loss_collection: str = GraphKeys.LOSSES) -> None:
    """Collect a loss of one's own."""
    add_to_collection(loss_collection, loss)
