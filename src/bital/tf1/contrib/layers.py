"""`tf.contrib.layers`: layers with ReLU by default, initializers, regularizers."""

from __future__ import annotations

from typing import Any

from bital.graphs.graph import GraphKeys, Tensor
from bital.tf1 import layers, nn
from bital.tf1.contrib.framework import add_arg_scope
from bital.tf1.initializers import VarianceScaling
from bital.tf1.ops import math


def variance_scaling_initializer(factor=2.0, mode="FAN_IN", uniform=False, seed=None, dtype=None):
    """Numbers of variance ``factor / n``: by default those of He et al. (2015)."""
    scale = factor if uniform else 1.3 * 0.8796256610342398**2 * factor
    return VarianceScaling(scale, mode.lower(), "uniform" if uniform else "normal", seed)


def xavier_initializer(uniform: bool = True, seed: Any = None, dtype: Any = None) -> Any:
    """Numbers of variance ``2 / (fan_in + fan_out)`` (Glorot and Bengio, 2010)."""
    return variance_scaling_initializer(1.0, "FAN_AVG", uniform, seed)


_XAVIER = xavier_initializer()


def _regularizer(title: str, penalty: Any) -> Any:
    def regularizer(scale: float, scope: str | None = None) -> Any:
        """What gives ``scale * penalty(weights)``."""
        if isinstance(scale, int) or scale < 0:
            raise ValueError(f"{title}(scale={scale!r}): must be a float of at least 0")
        return lambda w: math.multiply(penalty(w), scale, name=scope or title) if scale else None

    return regularizer


l1_regularizer = _regularizer("l1_regularizer", lambda weights: math.reduce_sum(math.abs(weights)))
l2_regularizer = _regularizer("l2_regularizer", nn.l2_loss)


def l1_l2_regularizer(scale_l1: float = 1.0, scale_l2: float = 1.0, scope: Any = None) -> Any:
    """The sum of both."""
    both = l1_regularizer(scale_l1), l2_regularizer(scale_l2)
    return lambda weights: math.add_n(
        [p for p in (each(weights) for each in both) if p is not None]
    )


def _finished(title, inputs, product, lengths, activation_fn=nn.relu, normalizer_fn=None,
              normalizer_params=None, weights_initializer=_XAVIER, weights_regularizer=None,
              biases_initializer=layers.ZEROS, biases_regularizer=None, reuse=None,
              trainable=True, scope=None) -> Tensor:  # fmt: skip
    """A layer with weights that is normalized, without biases then, before its activation."""

    def finish(outputs: Tensor) -> Tensor:
        outputs = normalizer_fn(outputs, **(normalizer_params or {})) if normalizer_fn else outputs
        return activation_fn(outputs) if activation_fn else outputs

    own = weights_initializer, biases_initializer, weights_regularizer, biases_regularizer
    more = {"trainable": trainable, "name": scope, "reuse": reuse, "_names": ("weights", "biases")}
    biased = normalizer_fn is None and biases_initializer is not None
    return layers.weighted(title, inputs, product, lengths, finish, biased, *own, **more)


@add_arg_scope
def fully_connected(inputs: Any, num_outputs: int, *args: Any, **options: Any) -> Tensor:
    """``relu(inputs @ weights + biases)``; the options are those of `_finished`."""
    options |= {"_core": _finished, "_title": "fully_connected"}
    return layers.dense(inputs, num_outputs, *args, **options)


@add_arg_scope
def conv2d(inputs, num_outputs, kernel_size, stride=1, padding="SAME", data_format=None, rate=1,
           *args, **options) -> Tensor:  # fmt: skip
    """A convolution over rows and columns; the options are those of `_finished`."""
    own = inputs, num_outputs, kernel_size, stride, padding, data_format, rate
    return layers.conv2d(*own, *args, _core=_finished, _title="Conv", **options)


convolution2d = conv2d


@add_arg_scope
def max_pool2d(inputs, kernel_size, stride=2, padding="VALID", data_format=None, scope=None):
    """The largest element of each window."""
    own = inputs, kernel_size, stride, padding, data_format, scope
    return layers.max_pooling2d(*own, _title="MaxPool2D")


@add_arg_scope
def flatten(inputs: Any, scope: str | None = None) -> Tensor:
    """One axis of all but the first, ``(n, ...) -> (n, features)``."""
    return layers.flatten(inputs, name=scope, _title="Flatten")


@add_arg_scope
def dropout(inputs, keep_prob=0.5, noise_shape=None, is_training=True, scope=None, seed=None):
    """While training, ``x / keep_prob`` for this share of the elements, and 0 for the others."""
    own = 1 - keep_prob, noise_shape, seed, is_training, scope
    return layers.dropout(inputs, *own, _title="Dropout")


@add_arg_scope
def batch_norm(inputs, decay=0.999, center=True, scale=False, epsilon=0.001, activation_fn=None,
               param_initializers=None, param_regularizers=None,
               updates_collections=GraphKeys.UPDATE_OPS, is_training=True, reuse=None,
               trainable=True, fused=None, scope=None) -> Tensor:  # fmt: skip
    """`tf.layers.batch_normalization`; with ``updates_collections=None`` it updates by itself."""
    more = {f"{key}_initializer": value for key, value in (param_initializers or {}).items()}
    more |= {f"{key}_regularizer": value for key, value in (param_regularizers or {}).items()}
    more |= {"training": is_training, "trainable": trainable, "name": scope, "reuse": reuse}
    more |= {"_title": "BatchNorm", "_fused": (2, 4), "_updates": updates_collections}
    own = inputs, -1, decay, epsilon, center, scale
    outputs = layers.batch_normalization(*own, fused=fused, **more)
    return activation_fn(outputs) if activation_fn else outputs
