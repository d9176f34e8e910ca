"""`tf.nn`: activations, losses, convolutions, pooling, normalization, and samples of classes."""

from __future__ import annotations

from typing import Any

import numpy as np

import bital
from bital import nn, random
from bital.graphs.operation import Anys, Index, Key, Value, Values
from bital.tf1 import rnn as rnn_cell  # noqa: F401
from bital.tf1.ops import define, exported, op, table, within
from bital.tf1.ops.arrays import gather
from bital.tf1.ops.math import log_sigmoid, reduce_sum, sigmoid, tanh  # noqa: F401
from bital.tf1.rnn import bidirectional_dynamic_rnn, dynamic_rnn, static_rnn  # noqa: F401

globals().update(table("elu relu relu6 selu softplus softsign", nn, "features"))
softmax = define("Softmax", nn.softmax, "logits", axis=-1)
log_softmax = define("LogSoftmax", nn.log_softmax, "logits", axis=-1)
leaky_relu = define("LeakyRelu", lambda x, alpha: nn.leaky_relu(x, alpha), "features", alpha=0.2)
swish = define("Swish", nn.silu, "features")
bias_add = define("BiasAdd", lambda x, bias, data_format: x + bias, "value bias", data_format=None)
l2_loss = define("L2Loss", lambda t: np.sum(np.square(t)) / 2, "t")
xw_plus_b = define("xw_plus_b", lambda x, w, b: x @ w + b, "x weights biases")
zero_fraction = define("ZeroFraction", lambda x: np.mean(x == 0, dtype="f4"), "value:Any_")
relu_layer = define("relu_layer", lambda x, w, b: nn.relu(x @ w + b), "x weights biases")


@op("CRelu")
def crelu(features: Value, axis: int = -1) -> Value:
    """The positive parts of x and of -x, side by side."""
    return nn.relu(np.concatenate([features, -features], axis))


@op("Dropout", "dropout")
def dropout(x: Value, keep_prob: Value = None, noise_shape: Index = None, seed=None,
            rate: Value = None, *, key: Key) -> Value:  # fmt: skip
    """Each element with probability keep_prob, divided by it, and else 0."""
    keep = 1 - rate if keep_prob is None else keep_prob
    chosen = random.bernoulli(key, keep, x.shape if noise_shape is None else tuple(noise_shape))
    return np.where(chosen, x / keep, np.zeros((), x.dtype))


# --- losses


def _alike(labels: Any, logits: Any) -> Any:
    """The labels, which must not be stretched to the shape of the logits."""
    if labels.shape != logits.shape:
        raise ValueError(f"labels of shape {labels.shape} for logits of shape {logits.shape}")
    return labels


def _softmax_loss(name: str, held: Any) -> Any:
    def loss(*, labels: Value, logits: Value, axis: int = -1) -> Value:
        """``-sum(labels * log(softmax(logits)))``; labels get a gradient in version 2 alone."""
        return -np.sum(held(_alike(labels, logits)) * nn.log_softmax(logits, axis), axis)

    return op(f"SoftmaxCrossEntropy{name}", f"softmax_cross_entropy_with_logits{name}")(loss)


softmax_cross_entropy_with_logits = _softmax_loss("_sg", bital.stop_gradient)
softmax_cross_entropy_with_logits_v2 = _softmax_loss("", lambda labels: labels)


@op("SparseSoftmaxCrossEntropyWithLogits")
def sparse_softmax_cross_entropy_with_logits(*, labels: Index, logits: Value) -> Value:
    """``-log(softmax(logits))`` at the labels; one out of range is an error when it runs."""
    places = within(labels, logits.shape[-1])[..., None]
    return -np.take_along_axis(nn.log_softmax(logits), places, -1)[..., 0]


@op("SigmoidCrossEntropyWithLogits", "logistic_loss")
def sigmoid_cross_entropy_with_logits(*, labels: Value, logits: Value) -> Value:
    """``-labels * log(sigmoid(logits)) - (1 - labels) * log(1 - sigmoid(logits))``."""
    return (1 - _alike(labels, logits)) * logits + nn.softplus(-logits)


@op("WeightedCrossEntropyWithLogits", "logistic_loss")
def weighted_cross_entropy_with_logits(labels: Value = None, logits: Value = None,
                                       pos_weight: Value = None,
                                       targets: Value = None) -> Value:  # fmt: skip
    """The same, with the first term times pos_weight."""
    labels = _alike(targets if labels is None else labels, logits)
    return (1 - labels) * logits + (1 + (pos_weight - 1) * labels) * nn.softplus(-logits)


@op("InTopKV2", "in_top_k")
def in_top_k(predictions: Value, targets: Index, k: int) -> Value:
    """Whether fewer than k classes have a higher prediction than the target."""
    inside = (targets >= 0) & (targets < predictions.shape[1])
    picked = np.take_along_axis(predictions, np.where(inside, targets, 0)[:, None], 1)
    return inside & np.isfinite(picked[:, 0]) & (np.sum(predictions > picked, 1) < k)


@op("TopKV2")
def top_k(input: Value, k: int = 1, sorted: bool = True) -> Anys:
    """The k largest elements along the last axis, the largest first, and their indices."""
    places = np.argsort(-input, -1, kind="stable")[..., :k]
    return [np.take_along_axis(input, places, -1), places.astype(np.int32)]


# --- convolutions and pooling


def _spatial(name: str, value: Any, data_format: Any = "NHWC") -> Any:
    """What a list of four numbers says of rows and columns."""
    if data_format != "NHWC" or len(value) != 4 or value[0] != 1 or value[3] != 1:
        raise ValueError(
            f"{name}={value}, data_format={data_format}: must be [1, rows, columns, 1], with "
            "channels last (NHWC); tf.transpose puts them there"
        )
    return tuple(value[1:3])


@op("Conv2D")
def conv2d(input: Value, filter: Value, strides, padding, use_cudnn_on_gpu=True,
           data_format="NHWC", dilations=(1, 1, 1, 1)) -> Value:  # fmt: skip
    """Convolution, ``(n, rows, columns, in), (height, width, in, out) -> (n, ..., out)``."""
    apart, steps = _spatial("dilations", dilations), _spatial("strides", strides, data_format)
    return nn.conv(input, filter, steps, padding.lower(), apart)


@op("DepthwiseConv2dNative", "depthwise")
def depthwise_conv2d(input: Value, filter: Value, strides, padding, rate=None) -> Value:
    """A convolution of each channel by itself."""
    steps = _spatial("strides", strides)
    return nn.depthwise_conv(input, filter, steps, padding.lower(), rate or (1, 1))


def _pool(kind: str, function: Any) -> Any:
    def pool(value: Any, ksize: Any, strides: Any, padding: str, data_format: str) -> Any:
        steps = _spatial("strides", strides, data_format)
        return function(value, _spatial("ksize", ksize), steps, padding.lower())

    return define(kind, pool, "value", ksize=..., strides=..., padding=..., data_format="NHWC")


max_pool, avg_pool = _pool("MaxPool", nn.max_pool), _pool("AvgPool", nn.avg_pool)


@op("Conv1D", "conv1d")
def conv1d(value: Value, filters: Value, stride: int, padding: str) -> Value:
    """Convolution, ``(n, length, in), (size, in, out) -> (n, ..., out)``."""
    return nn.conv(value, filters, stride, padding.lower())


@op("Conv2DBackpropInput", "conv2d_transpose")
def conv2d_transpose(value: Value, filter: Value, output_shape: Index, strides: Any,
                     padding="SAME", data_format="NHWC") -> Value:  # fmt: skip
    """The transpose of a convolution: ``filter`` is ``(height, width, out, in)``."""
    steps = _spatial("strides", strides, data_format)
    zeros = np.zeros(tuple(output_shape), value.dtype)
    return bital.vjp(lambda x: nn.conv(x, filter, steps, padding.lower()), zeros)[1](value)[0]


def separable_conv2d(input, depthwise_filter, pointwise_filter, strides, padding, rate=None,
                     name="separable_conv2d") -> Any:  # fmt: skip
    """A convolution of each channel by itself, then one that mixes them."""
    apart = depthwise_conv2d(input, depthwise_filter, strides, padding, rate)
    return conv2d(apart, pointwise_filter, [1, 1, 1, 1], "VALID", name=name)


# --- normalization


@op("L2Normalize", "l2_normalize")
def l2_normalize(x: Value, axis: Any = None, epsilon: float = 1e-12) -> Value:
    """``x / sqrt(max(sum(x**2), epsilon))``."""
    return x / np.sqrt(np.maximum(np.sum(np.square(x), axis=axis, keepdims=True), epsilon))


@op("Moments", "moments")
def moments(x: Value, axes: Any, shift: Any = None, keepdims: Any = False) -> Values:
    """Mean and variance over axes."""
    mean = np.mean(x, axes, keepdims=True)
    spread = np.mean(np.square(x - mean), axes, keepdims=bool(keepdims))
    return [mean if keepdims else mean.reshape(spread.shape), spread]


@op("BatchNorm", "batchnorm")
def batch_normalization(x: Value, mean: Value, variance: Value, offset: Value = None,
                        scale: Value = None, variance_epsilon: float = 1e-3) -> Value:  # fmt: skip
    """``(x - mean) / sqrt(variance + epsilon) * scale + offset``; the last two may be None."""
    factor = (1 if scale is None else scale) / np.sqrt(variance + variance_epsilon)
    return (x - mean) * factor + (0 if offset is None else offset)


@op("LRN")
def local_response_normalization(input: Value, depth_radius=5, bias=1, alpha=1, beta=0.5) -> Value:
    """``x / (bias + alpha * sum(x**2))**beta``, over the channels that are so near."""
    around = [(0, 0)] * (input.ndim - 1) + [(depth_radius, depth_radius)]
    squares, channels = np.pad(np.square(input), around), input.shape[-1]
    total = sum(squares[..., i : i + channels] for i in range(2 * depth_radius + 1))
    return input / (bias + alpha * total) ** beta


lrn = local_response_normalization

# --- samples of classes


def embedding_lookup(params: Any, ids: Any, partition_strategy="mod", name: Any = None) -> Any:
    """The rows of a table with these indices."""
    return gather(params, ids, name=name or "embedding_lookup")


@op("LogUniformCandidateSampler")
def log_uniform_candidate_sampler(true_classes: Index, num_true: int, num_sampled: int,
                                  unique: bool, range_max: int, seed: Any = None,
                                  *, key: Key) -> Anys:  # fmt: skip
    """Classes of which those with low numbers are frequent, and how often they were expected."""
    return [*nn.log_uniform_candidates(key, num_sampled, range_max, true_classes, unique)]


_sampled_logits = define(
    "SampledLogits",
    lambda *args, remove_hits: [*nn.sampled_logits(*args, remove_hits)],
    "weights:Value biases:Value inputs:Value true_count:Value count:Value labels:Index drawn:Index",
    remove_hits=...,
)


def _sampled(title: str, loss: Any, remove: bool = False) -> Any:
    def call(weights, biases, labels, inputs, num_sampled, num_classes, num_true=1,
             sampled_values=None, remove_accidental_hits=remove, partition_strategy="mod",
             name=title, seed=None) -> Any:  # fmt: skip
        """A loss of the true classes and of num_sampled others in the place of all classes."""
        sampled, true_count, sampled_count = sampled_values or log_uniform_candidate_sampler(
            labels, num_true, num_sampled, True, num_classes, seed
        )
        given = weights, biases, inputs, true_count, sampled_count, labels, sampled
        logits, targets = _sampled_logits(*given, remove_accidental_hits)
        return loss(labels=targets, logits=logits, name=name)

    return call


sampled_softmax_loss = _sampled("sampled_softmax_loss", softmax_cross_entropy_with_logits, True)
nce_loss = _sampled("nce_loss", lambda **x: reduce_sum(sigmoid_cross_entropy_with_logits(**x), 1))

_OTHERS = {"bidirectional_dynamic_rnn", "dynamic_rnn", "rnn_cell", "static_rnn"}
__all__ = sorted({*exported(dict(globals())), *_OTHERS} - {"gather", "reduce_sum"})
