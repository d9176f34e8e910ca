"""`tf.layers`: functions that make their variables, under the names that TensorFlow gives them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bital
from bital.graphs.control import cond, identity
from bital.graphs.graph import (
    GraphKeys,
    Tensor,
    control_dependencies,
    get_collection_ref,
    name_scope,
)
from bital.graphs.operation import Value, Values, convert_to_tensor, operation
from bital.tf1 import errors, nn
from bital.tf1.initializers import Constant
from bital.tf1.ops.arrays import reshape, shape, size
from bital.tf1.ops.math import cast, matmul, maximum
from bital.tf1.variables import assign, get_variable, variable_scope

ZEROS, ONES = Constant(0), Constant(1)


_WINDOWED = {k: getattr(bital.nn, k) for k in ("avg_pool", "conv", "conv_transpose", "max_pool")}


def smart_cond(pred: Any, true: Callable[[], Any], false: Callable[[], Any]) -> Any:
    """`tf.cond`, or one of the two alone where it is known which."""
    return cond(pred, true, false) if hasattr(pred, "graph") else true() if pred else false()


@operation("Windowed")
def _windowed(inputs: Values, kind: str, options: Any) -> Value:
    return _WINDOWED[kind](*inputs, *options)


def _channels(x: Tensor, data_format: str | None = None) -> int:
    if data_format not in ("channels_last", "NHWC", "NWC", None):
        raise errors.UnimplementedError(f"{data_format}: tf.transpose channels to the last axis")
    return int(x.shape[-1])


def weighted(title, inputs, product, lengths, activation=None, use_bias=True,
             kernel_initializer=None, bias_initializer=ZEROS, kernel_regularizer=None,
             bias_regularizer=None, activity_regularizer=None, kernel_constraint=None,
             bias_constraint=None, trainable=True, name=None, reuse=None,
             _names=("kernel", "bias")):  # fmt: skip
    """``activation(product(kernel) + bias)``: what all layers with weights are."""
    with variable_scope(name, title, reuse=reuse, dtype=inputs.dtype):
        own = None, kernel_initializer, kernel_regularizer, trainable
        outputs = product(get_variable(_names[0], lengths, *own, constraint=kernel_constraint))
        if use_bias:
            own = outputs.shape[-1:], None, bias_initializer, bias_regularizer, trainable
            bias = get_variable(_names[1], *own, constraint=bias_constraint)
            outputs = nn.bias_add(outputs, bias)
        outputs = activation(outputs) if activation else outputs
        if activity_regularizer:
            with name_scope("ActivityRegularizer"):
                penalty = activity_regularizer(outputs) / cast(shape(outputs)[0], outputs.dtype)
            get_collection_ref(GraphKeys.REGULARIZATION_LOSSES).append(penalty)
    return outputs


def dense(inputs: Any, units: int, *args: Any, _core=weighted, _title="dense", **options: Any):
    """A fully connected layer, ``(..., in) -> (..., units)``; the options are `weighted`'s."""
    x = convert_to_tensor(inputs)
    kernel = [_channels(x), int(units)]
    return _core(_title, x, lambda kernel: matmul(x, kernel), kernel, *args, **options)


def _conv(title: str, rank: int) -> Any:
    kind = "conv_transpose" if "transpose" in title else "conv"

    def conv(inputs, filters, kernel_size, strides=1, padding="valid", data_format=None,
             dilation_rate=1, *args, _core=weighted, _title=title, **options):  # fmt: skip
        """A convolution, ``(n, ..., in) -> (n, ..., filters)``; the options are `weighted`'s."""
        x = convert_to_tensor(inputs)
        channels = [_channels(x, data_format), int(filters)][:: 1 if kind == "conv" else -1]
        sizes = [kernel_size] * rank if isinstance(kernel_size, int) else list(kernel_size)
        own = [strides, padding.lower(), dilation_rate]
        product = lambda kernel: _windowed([x, kernel], kind, own, name=title)  # noqa: E731
        return _core(_title, x, product, sizes + channels, *args, **options)

    return conv


conv1d, conv2d = _conv("conv1d", 1), _conv("conv2d", 2)
conv2d_transpose = _conv("conv2d_transpose", 2)


def _pool(title: str, kind: str) -> Any:
    def pool(inputs, pool_size, strides, padding="valid", data_format=None, name=None,
             _title=title):  # fmt: skip
        """The largest element, or the mean, of each window."""
        x = convert_to_tensor(inputs)
        _channels(x, data_format)
        with variable_scope(name, _title):
            own = [pool_size, strides, padding.lower()]
            return _windowed([x], f"{kind}_pool", own, name=f"{kind.title()}Pool")

    return pool


max_pooling1d, max_pooling2d = _pool("max_pooling1d", "max"), _pool("max_pooling2d", "max")
average_pooling1d = _pool("average_pooling1d", "avg")
average_pooling2d = _pool("average_pooling2d", "avg")


def flatten(inputs: Any, name: Any = None, data_format: Any = None, _title="flatten") -> Tensor:
    """One axis of all but the first, ``(n, ...) -> (n, features)``."""
    x = convert_to_tensor(inputs)
    with variable_scope(name, _title):
        rest = x.shape[1:].num_elements()
        return reshape(x, [shape(x)[0], -1] if rest is None else [-1, rest])


def dropout(inputs, rate=0.5, noise_shape=None, seed=None, training=False, name=None,
            _title="dropout"):  # fmt: skip
    """While training, zeros for this share of the elements, and ``x / (1 - rate)`` for others."""
    with variable_scope(name, _title):
        drop = lambda: nn.dropout(inputs, None, noise_shape, seed, rate=rate)  # noqa: E731
        return smart_cond(training, drop, lambda: identity(inputs))


def batch_normalization(
    inputs, axis=-1, momentum=0.99, epsilon=1e-3, center=True, scale=True, beta_initializer=ZEROS,
    gamma_initializer=ONES, moving_mean_initializer=ZEROS, moving_variance_initializer=ONES,
    beta_regularizer=None, gamma_regularizer=None, training=False, trainable=True, name=None,
    reuse=None, fused=None, _title="batch_normalization", _fused=(4,),
    _updates=GraphKeys.UPDATE_OPS):  # fmt: skip
    """Inputs of mean 0 and variance 1, times gamma, plus beta (Ioffe and Szegedy, 2015).

    While training the moments are the batch's, and the operations in the collection UPDATE_OPS,
    which must be run too, move the kept ones towards them; else they are the kept ones.
    """
    x = convert_to_tensor(inputs)
    length, ndims = [int(x.shape[axis])], len(x.shape)
    others = [i for i in range(ndims) if i != axis % ndims]

    def trained() -> list[Tensor]:
        mean, variance = nn.moments(x, others)
        grown = variance
        if ndims in _fused and fused is not False:  # these kernels keep it without its bias
            count = cast(size(x), x.dtype) / length[0]
            grown = variance * count / maximum(count - 1, 1.0)
        pairs = zip(kept, (mean, grown), strict=True)
        return [mean, variance, *(old - (old - new) * (1 - momentum) for old, new in pairs)]

    with variable_scope(name, _title, reuse=reuse, dtype=x.dtype):
        own = None, gamma_initializer, gamma_regularizer, trainable
        gamma = get_variable("gamma", length, *own) if scale else None
        own = None, beta_initializer, beta_regularizer, trainable
        beta = get_variable("beta", length, *own) if center else None
        starts = ("mean", moving_mean_initializer), ("variance", moving_variance_initializer)
        kept = [get_variable(f"moving_{key}", length, None, v, None, False) for key, v in starts]
        mean, variance, *news = smart_cond(training, trained, lambda: kept + kept)
        wide = [1 if i in others else -1 for i in range(ndims)]
        given = [v if v is None else reshape(v, wide) for v in (mean, variance, beta, gamma)]
        outputs = nn.batch_normalization(x, *given, epsilon)
        pairs = zip(kept, news if news[0] is not kept[0] else (), strict=False)
        updates = [assign(*pair, name="AssignMovingAvg").op for pair in pairs]
        if _updates is None:
            with control_dependencies(updates):
                return identity(outputs)
        get_collection_ref(_updates).extend(updates)
    return outputs
