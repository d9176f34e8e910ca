"""Layers that make the spatial axes longer or shorter, channels last."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bital.errors import ArgumentError, ShapeError
from bital.keras import checks
from bital.keras.layers.base import Shape
from bital.keras.layers.pooling import _Spatial
from bital.nn import windows


class _UpSampling(_Spatial):
    """Each place several times."""

    _is_base = True
    size: Any

    def call(self, x: Any) -> Any:
        """Return the inputs with each place repeated."""
        for axis, factor in enumerate(self._factors, 1):
            if factor > 1:
                x = np.repeat(x, factor, axis=axis)
        return x

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return ``(batch, *lengths, channels)``."""
        pairs = zip(input_shape[1:-1], self._factors, strict=True)
        lengths = [None if n is None else n * factor for n, factor in pairs]
        return (input_shape[0], *lengths, input_shape[-1])

    @property
    def _factors(self) -> tuple[int, ...]:
        return (self.size,) if isinstance(self.size, int) else self.size


class UpSampling1D(_UpSampling):
    """Each step several times: ``(batch, steps, c) -> (batch, steps * size, c)``.

    Parameters
    ----------
    size : int, default 2
        How many times.
    name, dtype, input_shape
        As in `Layer`.

    Raises
    ------
    ArgumentError
        If ``size`` is not a positive integer.
    ShapeError
        If the inputs have another number of axes.

    Examples
    --------
    >>> import numpy as np
    >>> UpSampling1D()(np.array([[[1.0], [2.0]]]))[0, :, 0]
    array([1., 1., 2., 2.], dtype=float32)
    """

    _rank = 1

    def __init__(self, size: int = 2, **options: Any) -> None:
        super().__init__(**options)
        self.size = checks.integer("UpSampling1D", "size", size)


class UpSampling2D(_UpSampling):
    """Larger images: ``(batch, height, width, c) -> (batch, height * a, width * b, c)``.

    Parameters
    ----------
    size : int or tuple of int, default 2
        The factors ``(a, b)``.
    data_format : {"channels_last"}, optional
        Taken for Keras's sake; "channels_first" is refused.
    interpolation : {"nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"}, default "nearest"
        Whether pixels are repeated, or weighted means of those around: of 2, 4, 6 or 10 along each
        axis. Beyond the edges there are none.
    name, dtype, input_shape
        As in `Layer`.

    Raises
    ------
    ArgumentError
        For an argument with a value that is not allowed.
    ShapeError
        If the inputs have another number of axes.

    Notes
    -----
    Source of the cubic weights: Keys 1981, "Cubic Convolution Interpolation for Digital Image
    Processing".

    Examples
    --------
    >>> import numpy as np
    >>> UpSampling2D((1, 2), interpolation="bilinear")(np.array([[[[0.0], [4.0]]]]))[0, 0, :, 0]
    array([0., 1., 3., 4.], dtype=float32)
    """

    _rank = 2

    def __init__(
        self,
        size: Any = (2, 2),
        data_format: str | None = None,
        interpolation: str = "nearest",
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.size = windows.per_axis("UpSampling2D", "size", size, 2)
        self.data_format = checks.data_format("UpSampling2D", data_format)
        if isinstance(interpolation, str):
            interpolation = interpolation.lower()
        self.interpolation = checks.choice(
            "UpSampling2D", "interpolation", interpolation, ("nearest", *_KERNELS)
        )

    def call(self, x: Any) -> Any:
        """Return the larger images."""
        if self.interpolation == "nearest":
            return super().call(x)
        kernel = _KERNELS[self.interpolation]
        height, width = x.shape[1:3]
        rows = _weights(kernel, height, self.size[0]).astype(x.dtype)
        columns = _weights(kernel, width, self.size[1]).astype(x.dtype)
        x = np.einsum("ih,nhwc->niwc", rows, x)
        return np.einsum("jw,niwc->nijc", columns, x)


class UpSampling3D(_UpSampling):
    """Larger volumes, each place repeated along three axes.

    Parameters
    ----------
    size : int or tuple of int, default 2
        How many times along each axis.
    data_format, name, dtype, input_shape
        As in `UpSampling2D`.

    Raises
    ------
    ArgumentError
        For an argument with a value that is not allowed.
    ShapeError
        If the inputs have another number of axes.

    Examples
    --------
    >>> import numpy as np
    >>> UpSampling3D((1, 2, 3))(np.zeros((1, 2, 2, 2, 5))).shape
    (1, 2, 4, 6, 5)
    """

    _rank = 3

    def __init__(
        self, size: Any = (2, 2, 2), data_format: str | None = None, **options: Any
    ) -> None:
        super().__init__(**options)
        self.size = windows.per_axis("UpSampling3D", "size", size, 3)
        self.data_format = checks.data_format("UpSampling3D", data_format)


def _linear(x: Any) -> Any:
    return np.maximum(1 - x, 0)


def _cubic(x: Any) -> Any:
    near = ((1.5 * x - 2.5) * x) * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0))


def _lanczos(radius: int) -> Callable[[Any], Any]:
    return lambda x: np.where(x <= radius, np.sinc(x) * np.sinc(x / radius), 0)


_KERNELS: dict[str, Callable[[Any], Any]] = {
    "bilinear": _linear,
    "bicubic": _cubic,
    "lanczos3": _lanczos(3),
    "lanczos5": _lanczos(5),
}


def _weights(kernel: Callable[[Any], Any], length: int, factor: int) -> np.ndarray:
    """The matrix ``(length * factor, length)`` of the weights of the old places in the new."""
    places = (np.arange(length * factor)[:, np.newaxis] + 0.5) / factor - 0.5
    found = kernel(np.abs(places - np.arange(length)))
    return np.asarray(found / found.sum(axis=1, keepdims=True))


class _Margins(_Spatial):
    """Layers with a number for each end of each spatial axis."""

    _is_base = True

    def _pairs(self, name: str, value: Any) -> Any:
        """``value`` as a pair for each axis; for one axis as a pair."""
        who = type(self).__name__
        if self._rank == 1:
            return windows.per_axis(who, name, value, 2, low=0)
        whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
        values = (value,) * self._rank if whole else value
        if not isinstance(values, (tuple, list)) or len(values) != self._rank:
            raise ArgumentError(
                f"{who}({name}={value!r}): must be an integer, or a tuple with an integer or a "
                f"pair for each of the {self._rank} spatial axes."
            )
        return tuple(windows.per_axis(who, name, each, 2, low=0) for each in values)

    def _by_axis(self, pairs: Any) -> tuple[tuple[int, int], ...]:
        return (pairs,) if self._rank == 1 else pairs


class _ZeroPadding(_Margins):
    _is_base = True

    def __init__(self, padding: Any = 1, data_format: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.padding = self._pairs("padding", padding)
        self.data_format = checks.data_format(type(self).__name__, data_format)

    def call(self, x: Any) -> Any:
        """Return the inputs with zeros around."""
        return np.pad(x, [(0, 0), *self._by_axis(self.padding), (0, 0)])

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return ``(batch, *lengths, channels)``."""
        each = zip(input_shape[1:-1], self._by_axis(self.padding), strict=True)
        lengths = [None if n is None else n + sum(pair) for n, pair in each]
        return (input_shape[0], *lengths, input_shape[-1])


class ZeroPadding2D(_ZeroPadding):
    """Zeros around images: ``(batch, height, width, c) -> (batch, rows, columns, c)``.

    Parameters
    ----------
    padding : int or tuple, default 1
        How many rows and columns at each side, or ``(rows, columns)``, where each can be a pair:
        before and after.
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
    >>> ZeroPadding2D(((1, 0), 2))(np.ones((1, 1, 1, 1)))[0, :, :, 0]
    array([[0., 0., 0., 0., 0.],
           [0., 0., 1., 0., 0.]], dtype=float32)
    """

    _rank = 2


class ZeroPadding1D(_ZeroPadding):
    """Zeros around sequences: ``(batch, steps, c) -> (batch, before + steps + after, c)``.

    Parameters
    ----------
    padding : int or tuple of int, default 1
        How many at each end, or ``(before, after)``.
    data_format, name, dtype, input_shape
        As in `ZeroPadding2D`, and its errors.

    Examples
    --------
    >>> import numpy as np
    >>> ZeroPadding1D((2, 0))(np.ones((1, 1, 1)))[0, :, 0]
    array([0., 0., 1.], dtype=float32)
    """

    _rank = 1


class ZeroPadding3D(_ZeroPadding):
    """Zeros around volumes: ``(batch, a, b, c, in) -> (batch, d, e, f, in)``.

    Parameters and errors are those of `ZeroPadding2D`, with three spatial axes.

    Examples
    --------
    >>> import numpy as np
    >>> ZeroPadding3D((1, 0, 2))(np.ones((1, 2, 2, 2, 1))).shape
    (1, 4, 2, 6, 1)
    """

    _rank = 3


class _Cropping(_Margins):
    _is_base = True

    def call(self, x: Any) -> Any:
        """Return the inputs without their margins."""
        pairs = self._by_axis(self.cropping)
        cut = [slice(a, n - b) for n, (a, b) in zip(x.shape[1:-1], pairs, strict=True)]
        return x[(slice(None), *cut)]

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return ``(batch, *lengths, channels)``.

        Raises
        ------
        ShapeError
            If nothing is left.
        """
        each = zip(input_shape[1:-1], self._by_axis(self.cropping), strict=True)
        lengths = [None if n is None else n - sum(pair) for n, pair in each]
        if any(length is not None and length < 1 for length in lengths):
            raise ShapeError(
                f"{type(self).__name__} {self.name!r} received inputs of shape "
                f"{tuple(input_shape)}: cropping={self.cropping} leaves nothing of them."
            )
        return (input_shape[0], *lengths, input_shape[-1])


class Cropping1D(_Cropping):
    """Sequences without their ends: ``(batch, steps, c) -> (batch, steps - before - after, c)``.

    Parameters
    ----------
    cropping : int or tuple of int, default (1, 1)
        How many at each end, or ``(before, after)``.
    name, dtype, input_shape
        As in `Layer`.

    Raises
    ------
    ArgumentError
        For an argument with a value that is not allowed.
    ShapeError
        If the inputs have another number of axes, or nothing is left.

    Examples
    --------
    >>> import numpy as np
    >>> Cropping1D((2, 0))(np.arange(4.0).reshape(1, 4, 1))[0, :, 0]
    array([2., 3.], dtype=float32)
    """

    _rank = 1

    def __init__(self, cropping: Any = (1, 1), **options: Any) -> None:
        super().__init__(**options)
        self.cropping = self._pairs("cropping", cropping)


class Cropping2D(_Cropping):
    """Images without their margins: ``(batch, height, width, c) -> (batch, rows, columns, c)``.

    Parameters
    ----------
    cropping : int or tuple, default 0
        How many rows and columns at each side, or ``(rows, columns)``, where each can be a pair:
        before and after.
    data_format : {"channels_last"}, optional
        Taken for Keras's sake; "channels_first" is refused.
    name, dtype, input_shape
        As in `Layer`.

    Raises
    ------
    ArgumentError
        For an argument with a value that is not allowed.
    ShapeError
        If the inputs have another number of axes, or nothing is left.

    Examples
    --------
    >>> import numpy as np
    >>> Cropping2D(((1, 2), 3))(np.zeros((1, 28, 28, 3))).shape
    (1, 25, 22, 3)
    """

    _rank = 2

    def __init__(
        self, cropping: Any = ((0, 0), (0, 0)), data_format: str | None = None, **options: Any
    ) -> None:
        super().__init__(**options)
        self.cropping = self._pairs("cropping", cropping)
        self.data_format = checks.data_format("Cropping2D", data_format)


class Cropping3D(_Cropping):
    """Volumes without their margins: ``(batch, a, b, c, in) -> (batch, d, e, f, in)``.

    Parameters and errors are those of `Cropping2D`, with three spatial axes; the default is 1.

    Examples
    --------
    >>> import numpy as np
    >>> Cropping3D()(np.zeros((1, 4, 5, 6, 2))).shape
    (1, 2, 3, 4, 2)
    """

    _rank = 3

    def __init__(
        self,
        cropping: Any = ((1, 1), (1, 1), (1, 1)),
        data_format: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.cropping = self._pairs("cropping", cropping)
        self.data_format = checks.data_format("Cropping3D", data_format)


__all__ = [
    "Cropping1D",
    "Cropping2D",
    "Cropping3D",
    "UpSampling1D",
    "UpSampling2D",
    "UpSampling3D",
    "ZeroPadding1D",
    "ZeroPadding2D",
    "ZeroPadding3D",
]
