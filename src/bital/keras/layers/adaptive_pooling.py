"""Pooling to a given size as layers, channels last."""

from __future__ import annotations

from typing import Any

from bital.keras import checks
from bital.keras.layers.base import Shape
from bital.keras.layers.pooling import _Spatial
from bital.nn import pooling, windows


class _AdaptivePooling(_Spatial):
    """Pooling over a given number of windows."""

    _is_base = True
    _pool: Any

    def __init__(self, output_size: Any, data_format: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        who = type(self).__name__
        self.output_size = windows.per_axis(who, "output_size", output_size, self._rank)
        self.data_format = checks.data_format(who, data_format)

    def call(self, x: Any) -> Any:
        """Return the pooled inputs."""
        return type(self)._pool(x, self.output_size)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return ``(batch, *output_size, channels)``."""
        return (input_shape[0], *self.output_size, input_shape[-1])


class AdaptiveAveragePooling2D(_AdaptivePooling):
    """The mean of so many windows of images.

    ``(batch, height, width, c) -> (batch, *output_size, c)``

    Parameters
    ----------
    output_size : int or tuple of int
        How many windows along each axis. Along one of length ``m`` window ``i`` of ``k`` goes from
        ``floor(i * m / k)`` to ``ceil((i + 1) * m / k)``.
    data_format : {"channels_last"}, optional
        Taken for Keras's sake; "channels_first" is refused.
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
    >>> AdaptiveAveragePooling2D(3)(np.zeros((2, 7, 5, 4))).shape
    (2, 3, 3, 4)
    """

    _rank = 2
    _pool = staticmethod(pooling.adaptive_avg_pool)


class AdaptiveAveragePooling1D(_AdaptivePooling):
    """The mean of so many windows of sequences.

    ``(batch, steps, c) -> (batch, size, c)``

    Parameters and errors are those of `AdaptiveAveragePooling2D`.

    Examples
    --------
    >>> import numpy as np
    >>> AdaptiveAveragePooling1D(3)(np.zeros((2, 7, 4))).shape
    (2, 3, 4)
    """

    _rank = 1
    _pool = staticmethod(pooling.adaptive_avg_pool)


class AdaptiveAveragePooling3D(_AdaptivePooling):
    """The mean of so many windows of volumes.

    ``(batch, a, b, c, in) -> (batch, *output_size, in)``

    Parameters and errors are those of `AdaptiveAveragePooling2D`.

    Examples
    --------
    >>> import numpy as np
    >>> AdaptiveAveragePooling3D(3)(np.zeros((1, 4, 5, 6, 2))).shape
    (1, 3, 3, 3, 2)
    """

    _rank = 3
    _pool = staticmethod(pooling.adaptive_avg_pool)


class AdaptiveMaxPooling2D(_AdaptivePooling):
    """The largest element of so many windows of images.

    ``(batch, height, width, c) -> (batch, *output_size, c)``

    Parameters and errors are those of `AdaptiveAveragePooling2D`.

    Examples
    --------
    >>> import numpy as np
    >>> AdaptiveMaxPooling2D(3)(np.zeros((2, 7, 5, 4))).shape
    (2, 3, 3, 4)
    """

    _rank = 2
    _pool = staticmethod(pooling.adaptive_max_pool)


class AdaptiveMaxPooling1D(_AdaptivePooling):
    """The largest element of so many windows of sequences.

    ``(batch, steps, c) -> (batch, size, c)``

    Parameters and errors are those of `AdaptiveAveragePooling2D`.

    Examples
    --------
    >>> import numpy as np
    >>> AdaptiveMaxPooling1D(3)(np.zeros((2, 7, 4))).shape
    (2, 3, 4)
    """

    _rank = 1
    _pool = staticmethod(pooling.adaptive_max_pool)


class AdaptiveMaxPooling3D(_AdaptivePooling):
    """The largest element of so many windows of volumes.

    ``(batch, a, b, c, in) -> (batch, *output_size, in)``

    Parameters and errors are those of `AdaptiveAveragePooling2D`.

    Examples
    --------
    >>> import numpy as np
    >>> AdaptiveMaxPooling3D(3)(np.zeros((1, 4, 5, 6, 2))).shape
    (1, 3, 3, 3, 2)
    """

    _rank = 3
    _pool = staticmethod(pooling.adaptive_max_pool)


__all__ = [
    "AdaptiveAveragePooling1D",
    "AdaptiveAveragePooling2D",
    "AdaptiveAveragePooling3D",
    "AdaptiveMaxPooling1D",
    "AdaptiveMaxPooling2D",
    "AdaptiveMaxPooling3D",
]
