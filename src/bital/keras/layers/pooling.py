"""Pooling as layers, channels last, with 1 to 3 spatial axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from bital.errors import ShapeError
from bital.keras import checks
from bital.keras.layers.base import Layer, Shape
from bital.nn import pooling, windows


class _Spatial(Layer):
    """Layers for inputs of a fixed number of spatial axes."""

    _is_base = True
    _rank: int

    def check_input(self, input_shape: Shape) -> None:
        """Raise `ShapeError` for inputs of another number of axes, or ones that do not fit."""
        if len(input_shape) != self._rank + 2:
            raise ShapeError(
                f"{type(self).__name__} {self.name!r} received inputs of shape "
                f"{tuple(input_shape)}; it needs {self._rank + 2} axes, (batch, "
                f"{'..., ' * self._rank}channels)."
            )
        self.compute_output_shape(input_shape)


class _Pooling(_Spatial):
    """Pooling over windows."""

    _is_base = True
    _pool: Any

    def __init__(
        self,
        pool_size: Any = 2,
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        who = type(self).__name__
        self.pool_size = windows.per_axis(who, "pool_size", pool_size, self._rank)
        strides = self.pool_size if strides is None else strides
        self.strides = windows.per_axis(who, "strides", strides, self._rank)
        self.padding = windows.check_padding(who, padding)
        self.data_format = checks.data_format(who, data_format)

    def call(self, x: Any) -> Any:
        """Return the pooled inputs."""
        return type(self)._pool(x, self.pool_size, self.strides, self.padding)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return ``(batch, *lengths, channels)``."""
        each = zip(input_shape[1:-1], self.pool_size, self.strides, strict=True)
        lengths = [windows.output_length(n, size, by, 1, self.padding) for n, size, by in each]
        if any(length is not None and length < 1 for length in lengths):
            raise ShapeError(
                f"{type(self).__name__} {self.name!r} received inputs of shape "
                f"{tuple(input_shape)}: windows of pool_size={self.pool_size} do not fit. Use "
                "smaller ones, or padding='same'."
            )
        return (input_shape[0], *lengths, input_shape[-1])


class MaxPooling2D(_Pooling):
    """The largest element of each window: ``(batch, height, width, c) -> (batch, i, j, c)``.

    Parameters
    ----------
    pool_size : int or tuple of int, default 2
        Height and width of a window.
    strides : int or tuple of int, optional
        Steps between windows. Default: ``pool_size``.
    padding : {"valid", "same"}, default "valid"
        Whether windows lie within the inputs, or reach over the ends so that ``i = ceil(height /
        strides)``; what is outside does not count.
    data_format : {"channels_last"}, optional
        Taken for Keras's sake; "channels_first" is refused.
    name, dtype, input_shape
        As in `Layer`.

    Raises
    ------
    ArgumentError
        For an argument with a value that is not allowed.
    ShapeError
        If the inputs have another number of axes, or are smaller than a window.

    Notes
    -----
    Computed by `bital.nn.max_pool`. Where elements of a window are equal, the gradient is divided
    among them; Keras gives it to the first. Source: Riesenhuber and Poggio 1999, "Hierarchical
    Models of Object Recognition in Cortex".

    Examples
    --------
    >>> import numpy as np
    >>> MaxPooling2D()(np.zeros((2, 28, 28, 32))).shape
    (2, 14, 14, 32)
    """

    _rank = 2
    _pool = staticmethod(pooling.max_pool)


class MaxPooling1D(_Pooling):
    """The largest element of each window: ``(batch, steps, c) -> (batch, length, c)``.

    Parameters and errors are those of `MaxPooling2D`, with one spatial axis.

    Examples
    --------
    >>> import numpy as np
    >>> MaxPooling1D(3, strides=2, padding="same")(np.zeros((2, 9, 4))).shape
    (2, 5, 4)
    """

    _rank = 1
    _pool = staticmethod(pooling.max_pool)


class MaxPooling3D(_Pooling):
    """The largest element of each window: ``(batch, a, b, c, in) -> (batch, d, e, f, in)``.

    Parameters and errors are those of `MaxPooling2D`, with three spatial axes.

    Examples
    --------
    >>> import numpy as np
    >>> MaxPooling3D()(np.zeros((2, 4, 6, 8, 1))).shape
    (2, 2, 3, 4, 1)
    """

    _rank = 3
    _pool = staticmethod(pooling.max_pool)


class AveragePooling2D(_Pooling):
    """The mean of each window: ``(batch, height, width, c) -> (batch, i, j, c)``.

    Parameters and errors are those of `MaxPooling2D`. Source: LeCun et al. 1998, "Gradient-Based
    Learning Applied to Document Recognition", the layers S2 and S4.

    Examples
    --------
    >>> import numpy as np
    >>> AveragePooling2D()(np.arange(4.0).reshape(1, 2, 2, 1)).item()
    1.5
    """

    _rank = 2
    _pool = staticmethod(pooling.avg_pool)


class AveragePooling1D(_Pooling):
    """The mean of each window: ``(batch, steps, c) -> (batch, length, c)``.

    Parameters and errors are those of `MaxPooling2D`, with one spatial axis.

    Examples
    --------
    >>> import numpy as np
    >>> AveragePooling1D(4)(np.zeros((2, 9, 3))).shape
    (2, 2, 3)
    """

    _rank = 1
    _pool = staticmethod(pooling.avg_pool)


class AveragePooling3D(_Pooling):
    """The mean of each window: ``(batch, a, b, c, in) -> (batch, d, e, f, in)``.

    Parameters and errors are those of `MaxPooling2D`, with three spatial axes.

    Examples
    --------
    >>> import numpy as np
    >>> AveragePooling3D((1, 2, 2))(np.zeros((2, 4, 6, 8, 1))).shape
    (2, 4, 3, 4, 1)
    """

    _rank = 3
    _pool = staticmethod(pooling.avg_pool)


class _GlobalPooling(_Spatial):
    """Pooling over all places."""

    _is_base = True

    def __init__(
        self, data_format: str | None = None, keepdims: bool = False, **options: Any
    ) -> None:
        super().__init__(**options)
        self.data_format = checks.data_format(type(self).__name__, data_format)
        self.keepdims = checks.boolean(type(self).__name__, "keepdims", keepdims)

    @property
    def _axes(self) -> tuple[int, ...]:
        return tuple(range(1, self._rank + 1))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return ``(batch, channels)``, with ones between if ``keepdims``."""
        ones = (1,) * self._rank if self.keepdims else ()
        return (input_shape[0], *ones, input_shape[-1])


class _GlobalMax(_GlobalPooling):
    _is_base = True

    def call(self, x: Any) -> Any:
        """Return the largest element of each channel."""
        return np.max(x, axis=self._axes, keepdims=self.keepdims)


class _GlobalAverage(_GlobalPooling):
    _is_base = True

    def call(self, x: Any) -> Any:
        """Return the mean of each channel."""
        return np.mean(x, axis=self._axes, keepdims=self.keepdims)


class GlobalMaxPooling2D(_GlobalMax):
    """The largest element of each channel: ``(batch, height, width, c) -> (batch, c)``.

    Parameters
    ----------
    data_format : {"channels_last"}, optional
        Taken for Keras's sake; "channels_first" is refused.
    keepdims : bool, default False
        Whether the spatial axes stay, with length 1.
    name, dtype, input_shape
        As in `Layer`.

    Raises
    ------
    ArgumentError
        For an argument with a value that is not allowed.
    ShapeError
        If the inputs have another number of axes.

    Examples
    --------
    >>> import numpy as np
    >>> GlobalMaxPooling2D()(np.arange(8.0).reshape(1, 2, 2, 2))
    array([[6., 7.]], dtype=float32)
    """

    _rank = 2


class GlobalMaxPooling1D(_GlobalMax):
    """The largest element of each channel: ``(batch, steps, c) -> (batch, c)``.

    Parameters and errors are those of `GlobalMaxPooling2D`.

    Examples
    --------
    >>> import numpy as np
    >>> GlobalMaxPooling1D()(np.arange(6.0).reshape(1, 3, 2))
    array([[4., 5.]], dtype=float32)
    """

    _rank = 1


class GlobalMaxPooling3D(_GlobalMax):
    """The largest element of each channel: ``(batch, a, b, c, in) -> (batch, in)``.

    Parameters and errors are those of `GlobalMaxPooling2D`.

    Examples
    --------
    >>> import numpy as np
    >>> GlobalMaxPooling3D(keepdims=True)(np.zeros((2, 4, 4, 4, 3))).shape
    (2, 1, 1, 1, 3)
    """

    _rank = 3


class GlobalAveragePooling2D(_GlobalAverage):
    """The mean of each channel: ``(batch, height, width, c) -> (batch, c)``.

    Parameters and errors are those of `GlobalMaxPooling2D`. Source: Lin et al. 2014, "Network In
    Network", section 3.2.

    Examples
    --------
    >>> import numpy as np
    >>> GlobalAveragePooling2D()(np.arange(8.0).reshape(1, 2, 2, 2))
    array([[3., 4.]], dtype=float32)
    """

    _rank = 2


class GlobalAveragePooling1D(_GlobalAverage):
    """The mean of each channel: ``(batch, steps, c) -> (batch, c)``.

    Parameters and errors are those of `GlobalMaxPooling2D`. With a mask, ``(batch, steps)``, only
    the steps that it keeps count.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.arange(6.0).reshape(1, 3, 2)
    >>> GlobalAveragePooling1D()(x, mask=np.array([[True, True, False]]))
    array([[1., 2.]], dtype=float32)
    """

    _rank = 1
    supports_masking = True

    def call(self, x: Any, mask: Any = None) -> Any:
        """Return the mean of each channel over the steps that count."""
        if mask is None:
            return super().call(x)
        kept = mask.astype(bool)[..., np.newaxis]
        total = np.sum(np.where(kept, x, 0), axis=1, keepdims=self.keepdims)
        return total / np.sum(kept.astype(x.dtype), axis=1, keepdims=self.keepdims)

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        """Return None: there are no steps any more."""
        del x, mask


class GlobalAveragePooling3D(_GlobalAverage):
    """The mean of each channel: ``(batch, a, b, c, in) -> (batch, in)``.

    Parameters and errors are those of `GlobalMaxPooling2D`.

    Examples
    --------
    >>> import numpy as np
    >>> GlobalAveragePooling3D()(np.zeros((2, 4, 4, 4, 3))).shape
    (2, 3)
    """

    _rank = 3


__all__ = [
    "AveragePooling1D",
    "AveragePooling2D",
    "AveragePooling3D",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlobalAveragePooling3D",
    "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
    "GlobalMaxPooling3D",
    "MaxPooling1D",
    "MaxPooling2D",
    "MaxPooling3D",
]
