"""Convolutions as layers, channels last, with 1 to 3 spatial axes."""

from __future__ import annotations

from typing import Any

from bital.errors import ArgumentError, ShapeError
from bital.keras import activations, checks
from bital.keras.layers import weight_options
from bital.keras.layers.base import Activated, Shape
from bital.nn import convolution, windows

_LATER = ("lora_rank", "lora_alpha", "quantization_config")


class _Convolution(Activated):
    """What all convolutions share: where the windows lie, the bias and the activation."""

    _is_base = True
    _rank: int
    _causal = False

    def __init__(
        self,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        bias_initializer: Any = "zeros",
        bias_regularizer: Any = None,
        bias_constraint: Any = None,
        **options: Any,
    ) -> None:
        who = type(self).__name__
        checks.absent(who, {name: options.pop(name) for name in _LATER if name in options}, _LATER)
        super().__init__(**options)
        self.kernel_size = windows.per_axis(who, "kernel_size", kernel_size, self._rank)
        self.strides = windows.per_axis(who, "strides", strides, self._rank)
        self.dilation_rate = windows.per_axis(who, "dilation_rate", dilation_rate, self._rank)
        self.padding = windows.check_padding(who, padding, self._causal and self._rank == 1)
        self.data_format = checks.data_format(who, data_format)
        self.activation = activations.get(activation)
        self.use_bias = checks.boolean(who, "use_bias", use_bias)
        weight_options.keep(
            self,
            bias_initializer=bias_initializer,
            bias_regularizer=bias_regularizer,
            bias_constraint=bias_constraint,
        )
        self.bias: Any = None

    def _refuse_both(self) -> None:
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ArgumentError(
                f"{type(self).__name__}(strides={self.strides}, dilation_rate="
                f"{self.dilation_rate}): one of them must be 1, as in Keras."
            )

    def build(self, input_shape: Shape) -> None:
        """Make the kernel and the bias.

        Raises
        ------
        ShapeError
            If the inputs have another number of axes, or their channels are unknown or do not fit.
        """
        axes = self._rank + 2
        who = f"{type(self).__name__} {self.name!r}"
        if len(input_shape) != axes or input_shape[-1] is None:
            hint = " Write x[..., np.newaxis] for one channel." * (len(input_shape) == axes - 1)
            raise ShapeError(
                f"{who} received inputs of shape {input_shape}; it needs {axes} axes, (batch, "
                f"{'steps' if self._rank == 1 else '*spatial'}, channels), with a known number of "
                f"channels.{hint}"
            )
        filters = self._build_kernels(input_shape[-1])
        if self.use_bias:
            self.bias = weight_options.add(self, "bias", (filters,))

    def check_input(self, input_shape: Shape) -> None:
        """Raise `ShapeError` unless axes and channels are those that the layer was built for."""
        built = self.input_shape
        if len(input_shape) != len(built) or input_shape[-1] != built[-1]:
            raise ShapeError(
                f"{type(self).__name__} {self.name!r} expects inputs of shape (batch, "
                f"{'..., ' * self._rank}{built[-1]}), as it was built for {built}, and received "
                f"{tuple(input_shape)}."
            )
        self.compute_output_shape(input_shape)

    def preactivate(self, x: Any) -> Any:
        """Return the convolution, and the bias added to it."""
        y = self._convolve(x)
        return y if self.bias is None else y + self.bias

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return ``(batch, *lengths, filters)``.

        Raises
        ------
        ShapeError
            If no window fits into the inputs.
        """
        lengths = self._lengths(input_shape[1:-1])
        if any(length is not None and length < 1 for length in lengths):
            raise ShapeError(
                f"{type(self).__name__} {self.name!r} received inputs of shape "
                f"{tuple(input_shape)}: windows of kernel_size={self.kernel_size} with "
                f"dilation_rate={self.dilation_rate} do not fit. Use smaller ones, or "
                "padding='same'."
            )
        return (input_shape[0], *lengths, self._filters_of(input_shape[-1]))

    def _lengths(self, spatial: Shape) -> list[int | None]:
        window = (self.kernel_size, self.strides, self.dilation_rate)
        each = zip(spatial, *window, strict=True)
        return [windows.output_length(*sizes, self.padding) for sizes in each]

    def _build_kernels(self, channels: int) -> int:
        """Make the kernels, and return the number of filters."""
        raise NotImplementedError

    def _filters_of(self, channels: Any) -> Any:
        return self.filters

    def _convolve(self, x: Any) -> Any:
        raise NotImplementedError


class _Conv(_Convolution):
    """Convolutions by one kernel for all channels."""

    _is_base = True
    _causal = True

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        groups: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
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
        self.groups = checks.integer(who, "groups", groups)
        if self.filters % self.groups:
            raise ArgumentError(f"{who}(filters={filters}, groups={groups}): groups must divide.")
        self._refuse_both()
        weight_options.keep(
            self,
            kernel_initializer=kernel_initializer,
            kernel_regularizer=kernel_regularizer,
            kernel_constraint=kernel_constraint,
        )

    def _build_kernels(self, channels: int) -> int:
        if channels % self.groups:
            raise ShapeError(
                f"{type(self).__name__} {self.name!r} received inputs with {channels} channels; "
                f"groups={self.groups} must divide them."
            )
        shape = (*self.kernel_size, channels // self.groups, self.filters)
        self.kernel = weight_options.add(self, "kernel", shape)
        return self.filters

    def _convolve(self, x: Any) -> Any:
        return convolution.conv(
            x, self.kernel.value, self.strides, self.padding, self.dilation_rate, self.groups
        )


class Conv2D(_Conv):
    """A convolution of images: ``(batch, height, width, in) -> (batch, rows, columns, filters)``.

    The kernel is ``(*kernel_size, in / groups, filters)``, the bias ``(filters,)``.

    Parameters
    ----------
    filters : int
        Number of output channels.
    kernel_size : int or tuple of int
        Height and width of a window.
    strides : int or tuple of int, default 1
        Steps between windows.
    padding : {"valid", "same"}, default "valid"
        No zeros around the images, or so many that rows are ``ceil(height / strides)``, the odd one
        at the end. `Conv1D` also takes "causal": all zeros stand before the sequence.
    data_format : {"channels_last"}, optional
        Taken for Keras's sake; "channels_first" is refused.
    dilation_rate : int or tuple of int, default 1
        Steps between the elements of a window; only with strides of 1.
    groups : int, default 1
        Input and output channels fall into so many groups; each filter sees its own.
    activation : str or function, optional
        Default: none.
    use_bias : bool, default True
        Whether a bias is added.
    kernel_initializer, bias_initializer : str or Initializer, default "glorot_uniform", "zeros"
        First values.
    kernel_regularizer, bias_regularizer : str, Regularizer or function, optional
        What their size adds to the loss.
    activity_regularizer : str, Regularizer or function, optional
        What the size of the outputs adds to the loss.
    kernel_constraint, bias_constraint : str, Constraint or function, optional
        What they are replaced by after each step of training.
    name, trainable, dtype, input_shape
        As in `Layer`.

    Raises
    ------
    ArgumentError
        For an argument with a value that is not allowed.
    ShapeError
        If the inputs do not fit, or are smaller than a window.

    Notes
    -----
    Computed by `bital.nn.conv`. Source: LeCun et al. 1989, "Backpropagation Applied to Handwritten
    Zip Code Recognition".

    Examples
    --------
    >>> import numpy as np
    >>> Conv2D(32, 3, padding="same", activation="relu")(np.zeros((2, 28, 28, 1))).shape
    (2, 28, 28, 32)
    """

    _rank = 2


class Conv1D(_Conv):
    """A convolution of sequences: ``(batch, steps, in) -> (batch, length, filters)``.

    Parameters and errors are those of `Conv2D`, with one spatial axis.

    Examples
    --------
    >>> import numpy as np
    >>> Conv1D(8, 3, padding="causal", dilation_rate=2)(np.zeros((2, 10, 4))).shape
    (2, 10, 8)
    """

    _rank = 1


class Conv3D(_Conv):
    """A convolution of volumes: ``(batch, a, b, c, in) -> (batch, d, e, f, filters)``.

    Parameters and errors are those of `Conv2D`, with three spatial axes.

    Examples
    --------
    >>> import numpy as np
    >>> Conv3D(8, (1, 3, 3), strides=(1, 2, 2))(np.zeros((2, 4, 9, 9, 1))).shape
    (2, 4, 4, 4, 8)
    """

    _rank = 3


class _ConvTranspose(_Convolution):
    """The transposes of convolutions."""

    _is_base = True

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        output_padding: Any = None,
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
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
        self._refuse_both()
        self.output_padding: Any = None
        if output_padding is not None:
            self.output_padding = windows.per_axis(
                who, "output_padding", output_padding, self._rank, low=0
            )
            if any(more >= by for more, by in zip(self.output_padding, self.strides, strict=True)):
                raise ArgumentError(
                    f"{who}(output_padding={output_padding!r}): must be less than strides="
                    f"{self.strides}."
                )
        weight_options.keep(
            self,
            kernel_initializer=kernel_initializer,
            kernel_regularizer=kernel_regularizer,
            kernel_constraint=kernel_constraint,
        )

    def _build_kernels(self, channels: int) -> int:
        shape = (*self.kernel_size, self.filters, channels)
        self.kernel = weight_options.add(self, "kernel", shape)
        return self.filters

    def _convolve(self, x: Any) -> Any:
        return convolution.conv_transpose(
            x,
            self.kernel.value,
            self.strides,
            self.padding,
            self.dilation_rate,
            self.output_padding,
        )

    def _lengths(self, spatial: Shape) -> list[int | None]:
        reaches = map(windows.span, self.kernel_size, self.dilation_rate)
        extra = self.output_padding or (None,) * self._rank
        each = zip(spatial, self.strides, reaches, extra, strict=True)
        return [
            convolution.transposed_length(n, by, reach, self.padding, more)[0]
            for n, by, reach, more in each
        ]


class Conv2DTranspose(_ConvTranspose):
    """The transpose of a `Conv2D`, which makes images larger.

    ``(batch, height, width, in) -> (batch, rows, columns, filters)``; rows are ``height * strides``
    with padding="same". The kernel is ``(*kernel_size, filters, in)``, the bias ``(filters,)``.

    Parameters
    ----------
    filters, kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias
        As in `Conv2D`.
    output_padding : int or tuple of int, optional
        Rows and columns added at the end, fewer than ``strides``: see `bital.nn.conv_transpose`.
    kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer, \
activity_regularizer, kernel_constraint, bias_constraint, name, trainable, dtype, input_shape
        As in `Conv2D`.

    Raises
    ------
    ArgumentError
        For an argument with a value that is not allowed.
    ShapeError
        If the inputs do not fit.

    Notes
    -----
    Source: Zeiler et al. 2010, "Deconvolutional Networks".

    Examples
    --------
    >>> import numpy as np
    >>> Conv2DTranspose(16, 3, strides=2, padding="same")(np.zeros((2, 7, 7, 32))).shape
    (2, 14, 14, 16)
    """

    _rank = 2


class Conv1DTranspose(_ConvTranspose):
    """The transpose of a `Conv1D`: ``(batch, steps, in) -> (batch, length, filters)``.

    Parameters and errors are those of `Conv2DTranspose`, with one spatial axis.

    Examples
    --------
    >>> import numpy as np
    >>> Conv1DTranspose(16, 3, strides=2)(np.zeros((2, 5, 4))).shape
    (2, 11, 16)
    """

    _rank = 1


class Conv3DTranspose(_ConvTranspose):
    """The transpose of a `Conv3D`: ``(batch, a, b, c, in) -> (batch, d, e, f, filters)``.

    Parameters and errors are those of `Conv2DTranspose`, with three spatial axes.

    Examples
    --------
    >>> import numpy as np
    >>> Conv3DTranspose(2, 2, strides=2)(np.zeros((1, 2, 3, 4, 1))).shape
    (1, 4, 6, 8, 2)
    """

    _rank = 3


__all__ = [
    "Conv1D",
    "Conv1DTranspose",
    "Conv2D",
    "Conv2DTranspose",
    "Conv3D",
    "Conv3DTranspose",
]
