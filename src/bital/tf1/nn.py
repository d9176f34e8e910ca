"""`tf.nn`: activations, losses, convolutions, pooling, and what embeddings need."""

from __future__ import annotations

from typing import Any

import numpy as np

from bital import nn, random
from bital.tf1 import rnn_cell as rnn_cell
from bital.tf1.control import stop_gradient
from bital.tf1.operation import Any_, Anys, Index, Key, Value
from bital.tf1.ops import define, exported, op
from bital.tf1.ops.arrays import _within
from bital.tf1.ops.math import sigmoid as sigmoid
from bital.tf1.ops.math import tanh as tanh
from bital.tf1.rnn import *  # noqa: F403

# --- activations

crelu = define(
    "CRelu",
    lambda features, axis: nn.relu(np.concatenate([features, -features], axis)),
    "features",
    axis=-1,
)
elu = define("Elu", nn.elu, "features")
leaky_relu = define(
    "LeakyRelu", lambda features, alpha: nn.leaky_relu(features, alpha), "features", alpha=0.2
)
log_softmax = define(
    "LogSoftmax",
    lambda x, axis: nn.log_softmax(x, -1 if axis is None else axis),
    "logits",
    axis=None,
)
relu = define("Relu", nn.relu, "features")
relu6 = define("Relu6", nn.relu6, "features")
selu = define("Selu", nn.selu, "features")
softmax = define(
    "Softmax", lambda x, axis: nn.softmax(x, -1 if axis is None else axis), "logits", axis=None
)
softplus = define("Softplus", nn.softplus, "features")
softsign = define("Softsign", nn.softsign, "features")
swish = define("Swish", nn.silu, "features")


@op("Dropout", "dropout")
def _dropout(
    x: Value, keep: Value, noise_shape: Index = None, seed: int | None = None, *, key: Key
) -> Value:
    shape = np.shape(x) if noise_shape is None else tuple(noise_shape)
    return np.where(random.bernoulli(key, keep, shape), x / keep, np.zeros((), x.dtype))


def dropout(
    x: Any,
    keep_prob: Any = None,
    noise_shape: Any = None,
    seed: int | None = None,
    name: str | None = None,
    rate: Any = None,
) -> Any:
    """Each element with probability keep_prob, divided by it, and else 0."""
    return _dropout(x, 1 - rate if keep_prob is None else keep_prob, noise_shape, seed, name=name)


# --- losses


@op("SoftmaxCrossEntropyWithLogits", "softmax_cross_entropy_with_logits")
def _softmax_loss(labels: Value, logits: Value, axis: int) -> Value:
    return -np.sum(labels * nn.log_softmax(logits, axis), axis)


def softmax_cross_entropy_with_logits_v2(
    *, labels: Any, logits: Any, axis: int | None = None, name: str | None = None, dim: int = -1
) -> Any:
    """``-sum(labels * log(softmax(logits)))`` over the last axis."""
    return _softmax_loss(labels, logits, dim if axis is None else axis, name=name)


def softmax_cross_entropy_with_logits(*, labels: Any, logits: Any, **options: Any) -> Any:
    """``-sum(labels * log(softmax(logits)))`` over the last axis, without a gradient of labels."""
    return softmax_cross_entropy_with_logits_v2(
        labels=stop_gradient(labels), logits=logits, **options
    )


@op("SparseSoftmaxCrossEntropyWithLogits")
def _sparse_loss(labels: Index, logits: Value) -> Value:
    places = _within(labels, logits.shape[-1])[..., None]
    return -np.take_along_axis(nn.log_softmax(logits), places, -1)[..., 0]


def sparse_softmax_cross_entropy_with_logits(
    *, labels: Any, logits: Any, name: str | None = None
) -> Any:
    """``-log(softmax(logits))`` at the labels; a label out of range is an error when it runs."""
    return _sparse_loss(labels, logits, name=name)


@op("SigmoidCrossEntropyWithLogits", "logistic_loss")
def _sigmoid_loss(labels: Value, logits: Value, pos_weight: Value = None) -> Value:
    weight = 1 if pos_weight is None else 1 + (pos_weight - 1) * labels
    return (1 - labels) * logits + weight * nn.softplus(-logits)


def sigmoid_cross_entropy_with_logits(*, labels: Any, logits: Any, name: str | None = None) -> Any:
    """``-labels * log(sigmoid(logits)) - (1 - labels) * log(1 - sigmoid(logits))``."""
    return _sigmoid_loss(labels, logits, name=name)


def weighted_cross_entropy_with_logits(
    labels: Any = None,
    logits: Any = None,
    pos_weight: Any = None,
    name: Any = None,
    targets: Any = None,
) -> Any:
    """The same, with the first term times pos_weight."""
    return _sigmoid_loss(targets if labels is None else labels, logits, pos_weight, name=name)


@op("L2Loss")
def l2_loss(t: Value) -> Value:
    """``sum(t**2) / 2``."""
    return np.sum(np.square(t)) / np.asarray(2, t.dtype)


@op("InTopKV2", "in_top_k")
def in_top_k(predictions: Value, targets: Index, k: int) -> Value:
    """Whether fewer than k classes have a higher prediction than the target."""
    classes = predictions.shape[-1]
    inside = (targets >= 0) & (targets < classes)
    picked = np.take_along_axis(predictions, np.where(inside, targets, 0)[:, None], -1)
    higher = np.sum(predictions > picked, -1)
    return inside & np.isfinite(picked[:, 0]) & (higher < k)


# --- convolutions and pooling


def _spatial(name: str, value: Any) -> Any:
    """What an argument of four numbers, (1, rows, columns, 1), says of rows and columns."""
    if not isinstance(value, list) or len(value) != 4 or value[0] != 1 or value[3] != 1:
        raise ValueError(
            f"{name}={value!r}: must be [1, rows, columns, 1], for (batch, rows, columns, channels)"
        )
    return tuple(value[1:3])


def _channels_last(data_format: str) -> None:
    if data_format not in ("NHWC", "NWC"):
        raise ValueError(
            f"data_format={data_format!r}: channels must be last (NHWC), use tf.transpose"
        )


@op("Conv2D")
def conv2d(
    input: Value,
    filter: Value,
    strides: Any,
    padding: str,
    use_cudnn_on_gpu: bool = True,
    data_format: str = "NHWC",
    dilations: Any = (1, 1, 1, 1),
) -> Value:
    """Convolution, ``(n, rows, columns, in), (height, width, in, out) -> (n, ..., out)``."""
    _channels_last(data_format)
    steps, dilation = _spatial("strides", strides), _spatial("dilations", dilations)
    return nn.conv(input, filter, steps, padding.lower(), dilation)


def _pool(kind: str, function: Any) -> Any:
    def pool(value: Any, ksize: Any, strides: Any, padding: str, data_format: str) -> Any:
        _channels_last(data_format)
        size, steps = _spatial("ksize", ksize), _spatial("strides", strides)
        return function(value, size, steps, padding.lower())

    return define(kind, pool, "value", ksize=..., strides=..., padding=..., data_format="NHWC")


max_pool = _pool("MaxPool", nn.max_pool)
avg_pool = _pool("AvgPool", nn.avg_pool)


@op("BiasAdd")
def bias_add(value: Value, bias: Value, data_format: Any = None) -> Value:
    """A vector added along the last axis."""
    return value + bias


# --- normalization


@op("TopKV2")
def top_k(input: Value, k: int = 1, sorted: bool = True) -> Anys:
    """The k largest elements along the last axis, the largest first, and their indices."""
    places = np.argsort(-input, -1, kind="stable")[..., :k]
    return [np.take_along_axis(input, places, -1), places.astype(np.int32)]


def embedding_lookup(
    params: Any, ids: Any, partition_strategy: str = "mod", name: Any = None
) -> Any:
    """The rows with these indices."""
    return _lookup(params[0] if isinstance(params, list) else params, ids, name=name)


@op("GatherRows", "embedding_lookup")
def _lookup(params: Any_, ids: Index) -> Any_:
    return np.take(params, _within(ids, params.shape[0]), 0)


__all__ = [*exported(dict(globals()))]
