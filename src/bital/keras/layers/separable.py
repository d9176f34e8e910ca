"""Convolutions of each channel by itself, and those that mix the channels afterwards."""

from __future__ import annotations

from typing import Any

from bital.keras import checks
from bital.keras.layers import weight_options
from bital.keras.layers.convolutional import _Convolution
from bital.nn import convolution


class _DepthwiseConv(_Convolution):
    """Convolutions of each channel by itself."""

    _is_base = True

    def __init__(
        self,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        bias_constraint: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(
            kernel_size,
            strides,
            padding,
            data_format,
            dilation_rate,
            activation,
            use_bias,
            bias_initializer,
            bias_regularizer,
            bias_constraint,
            activity_regularizer=activity_regularizer,
            **options,
        )
        self.depth_multiplier = checks.integer(
            type(self).__name__, "depth_multiplier", depth_multiplier
        )
        weight_options.keep(
            self,
            depthwise_initializer=depthwise_initializer,
            depthwise_regularizer=depthwise_regularizer,
            depthwise_constraint=depthwise_constraint,
        )

    def _build_kernels(self, channels: int) -> int:
        shape = (*self.kernel_size, channels, self.depth_multiplier)
        self.kernel = weight_options.add(self, "kernel", shape, "depthwise")
        return channels * self.depth_multiplier

    def _filters_of(self, channels: Any) -> Any:
        return None if channels is None else channels * self.depth_multiplier

    def _convolve(self, x: Any) -> Any:
        return convolution.depthwise_conv(
            x, self.kernel.value, self.strides, self.padding, self.dilation_rate
        )


class DepthwiseConv2D(_DepthwiseConv):
    """A convolution of each channel of images by itself.

    ``(batch, height, width, in) -> (batch, rows, columns, in * depth_multiplier)``. The kernel is
    ``(*kernel_size, in, depth_multiplier)``, the bias ``(in * depth_multiplier,)``.

    Parameters
    ----------
    kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias
        As in `Conv2D`.
    depth_multiplier : int, default 1
        Number of outputs of each channel.
    depthwise_initializer, bias_initializer : str or Initializer, default "glorot_uniform", "zeros"
        First values of kernel and bias.
    depthwise_regularizer, bias_regularizer, activity_regularizer, depthwise_constraint, \
bias_constraint, name, trainable, dtype, input_shape
        As in `Conv2D`, "depthwise" for its "kernel".

    Raises
    ------
    ArgumentError
        For an argument with a value that is not allowed.
    ShapeError
        If the inputs do not fit, or are smaller than a window.

    Notes
    -----
    Source: Chollet 2017, "Xception: Deep Learning with Depthwise Separable Convolutions".

    Examples
    --------
    >>> import numpy as np
    >>> DepthwiseConv2D(3, depth_multiplier=2)(np.zeros((2, 8, 8, 4))).shape
    (2, 6, 6, 8)
    """

    _rank = 2


class DepthwiseConv1D(_DepthwiseConv):
    """A convolution of each channel of sequences by itself.

    ``(batch, steps, in) -> (batch, length, in * depth_multiplier)``. Parameters and errors are
    those of `DepthwiseConv2D`, with one spatial axis.

    Examples
    --------
    >>> import numpy as np
    >>> DepthwiseConv1D(3, padding="same")(np.zeros((2, 8, 4))).shape
    (2, 8, 4)
    """

    _rank = 1


class _SeparableConv(_Convolution):
    """Convolutions of each channel by itself, then of all channels at each place."""

    _is_base = True

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        depth_multiplier: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        pointwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        pointwise_constraint: Any = None,
        bias_constraint: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(
            kernel_size,
            strides,
            padding,
            data_format,
            dilation_rate,
            activation,
            use_bias,
            bias_initializer,
            bias_regularizer,
            bias_constraint,
            activity_regularizer=activity_regularizer,
            **options,
        )
        who = type(self).__name__
        self.filters = checks.integer(who, "filters", filters)
        self.depth_multiplier = checks.integer(who, "depth_multiplier", depth_multiplier)
        weight_options.keep(
            self,
            depthwise_initializer=depthwise_initializer,
            pointwise_initializer=pointwise_initializer,
            depthwise_regularizer=depthwise_regularizer,
            pointwise_regularizer=pointwise_regularizer,
            depthwise_constraint=depthwise_constraint,
            pointwise_constraint=pointwise_constraint,
        )

    def _build_kernels(self, channels: int) -> int:
        shape = (*self.kernel_size, channels, self.depth_multiplier)
        self.depthwise_kernel = weight_options.add(self, "depthwise_kernel", shape, "depthwise")
        shape = (*[1] * self._rank, channels * self.depth_multiplier, self.filters)
        self.pointwise_kernel = weight_options.add(self, "pointwise_kernel", shape, "pointwise")
        return self.filters

    def _convolve(self, x: Any) -> Any:
        y = convolution.depthwise_conv(
            x, self.depthwise_kernel.value, self.strides, self.padding, self.dilation_rate
        )
        return y @ self.pointwise_kernel.reshape(-1, self.filters)


class SeparableConv2D(_SeparableConv):
    """A `DepthwiseConv2D`, and a convolution by windows of one pixel that mixes its channels.

    ``(batch, height, width, in) -> (batch, rows, columns, filters)``. The kernels are
    ``(*kernel_size, in, depth_multiplier)`` and ``(1, 1, in * depth_multiplier, filters)``, the
    bias ``(filters,)``.

    Parameters
    ----------
    filters, kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias
        As in `Conv2D`.
    depth_multiplier : int, default 1
        Number of outputs of each channel in the first of the two.
    depthwise_initializer, pointwise_initializer, bias_initializer : str or Initializer
        First values. Default: "glorot_uniform" and "zeros".
    depthwise_regularizer, pointwise_regularizer, bias_regularizer, activity_regularizer, \
depthwise_constraint, pointwise_constraint, bias_constraint, name, trainable, dtype, input_shape
        As in `Conv2D`.

    Raises
    ------
    ArgumentError
        For an argument with a value that is not allowed.
    ShapeError
        If the inputs do not fit, or are smaller than a window.

    Notes
    -----
    Source: Chollet 2017, "Xception: Deep Learning with Depthwise Separable Convolutions".

    Examples
    --------
    >>> import numpy as np
    >>> SeparableConv2D(16, 3)(np.zeros((2, 8, 8, 4))).shape
    (2, 6, 6, 16)
    """

    _rank = 2


class SeparableConv1D(_SeparableConv):
    """A `DepthwiseConv1D`, and a product that mixes its channels at each step.

    ``(batch, steps, in) -> (batch, length, filters)``. Parameters and errors are those of
    `SeparableConv2D`, with one spatial axis.

    Examples
    --------
    >>> import numpy as np
    >>> SeparableConv1D(16, 3, strides=2)(np.zeros((2, 9, 4))).shape
    (2, 4, 16)
    """

    _rank = 1


__all__ = ["DepthwiseConv1D", "DepthwiseConv2D", "SeparableConv1D", "SeparableConv2D"]
