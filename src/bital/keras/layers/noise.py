"""Further layers that act while training only: noise of several kinds, and penalties."""

from __future__ import annotations

from typing import Any

import numpy as np

import bital
from bital.errors import ArgumentError, ShapeError
from bital.keras import checks, regularizers
from bital.keras.layers.base import Layer, Shape
from bital.keras.layers.regularization import Dropout
from bital.keras.random_state import draw_key
from bital.nn.activations import SELU_ALPHA, SELU_SCALE


class _SpatialDropout(Dropout):
    """Base: drops whole channels, ``(batch, *spatial, channels)``."""

    _left_out = (*Dropout._left_out, "noise_shape")
    spatial: int

    def __init__(self, rate: float, seed: int | None = None, **options: Any) -> None:
        super().__init__(rate, seed=seed, **options)

    def _mask_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) != self.spatial + 2:
            raise ShapeError(
                f"{type(self).__name__} {self.name!r} takes inputs of {self.spatial + 2} axes, "
                f"(batch, {'..., ' * (self.spatial > 0)}channels), and received "
                f"{tuple(input_shape)}."
            )
        return (input_shape[0], *(1,) * self.spatial, input_shape[-1])


class SpatialDropout1D(_SpatialDropout):
    """While training, drops whole channels of sequences: ``(batch, steps, channels)``, same out.

    Parameters
    ----------
    rate : float
        Part of the channels to drop, in ``[0, 1]``.
    seed : int, optional
        As in `Dropout`.
    name, dtype, input_shape
        As in `Layer`.

    Notes
    -----
    Source: Tompson et al. 2015, "Efficient Object Localization Using Convolutional Networks".

    Examples
    --------
    >>> import numpy as np
    >>> x = SpatialDropout1D(0.5, seed=0)(np.ones((2, 3, 8)), training=True)
    >>> bool(np.all(x == x[:, :1]))
    True
    """

    spatial = 1


class SpatialDropout2D(_SpatialDropout):
    """The same for images: ``(batch, height, width, channels)``; see `SpatialDropout1D`.

    ``data_format`` can only be "channels_last".
    """

    spatial = 2

    def __init__(
        self, rate: float, data_format: Any = None, seed: int | None = None, **options: Any
    ) -> None:
        super().__init__(rate, seed=seed, **options)
        self.data_format = checks.data_format(type(self).__name__, data_format)


class SpatialDropout3D(SpatialDropout2D):
    """The same for volumes: ``(batch, a, b, c, channels)``; see `SpatialDropout1D`."""

    spatial = 3


class AlphaDropout(Dropout):
    """Dropout that keeps mean and variance of inputs with mean 0 and variance 1.

    ``(batch, ...) -> (batch, ...)``. While training, a part of the inputs is set to the limit of
    ``selu`` on the left, then all are scaled and shifted; it belongs behind ``selu`` layers.

    Parameters
    ----------
    rate : float
        Part of the inputs to drop, in ``[0, 1]``.
    noise_shape : tuple of int, optional
        As in `Dropout`.
    seed : int, optional
        As in `Dropout`.
    name, dtype, input_shape
        As in `Layer`.

    Notes
    -----
    Source: Klambauer et al. 2017, "Self-Normalizing Neural Networks".

    Examples
    --------
    >>> import numpy as np
    >>> AlphaDropout(0.2)(np.array([[1.0, 2.0]]))
    array([[1., 2.]], dtype=float32)
    """

    def call(self, x: Any, training: bool = False) -> Any:
        """Return the inputs, with a part of them dropped if ``training``."""
        if not training or self.rate == 0:
            return x
        if self.rate == 1:
            return np.zeros_like(x)
        low = -SELU_ALPHA * SELU_SCALE
        keep = bital.random.bernoulli(draw_key(self.seed), 1 - self.rate, self._mask_shape(x.shape))
        a = ((1 - self.rate) * (1 + self.rate * low**2)) ** -0.5
        return a * np.where(keep, x, low) - a * low * self.rate


class _Noise(Layer):
    """Base: draws standard normal numbers, one for each input."""

    supports_masking = True

    def __init__(self, seed: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.seed = None if seed is None else checks.integer(type(self).__name__, "seed", seed, 0)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        return input_shape

    def _normal(self, x: Any) -> Any:
        return bital.random.normal(draw_key(self.seed), x.shape, x.dtype)


class GaussianNoise(_Noise):
    """While training, adds normal noise of mean 0: ``(batch, ...) -> (batch, ...)``.

    Parameters
    ----------
    stddev : float
        Its standard deviation, in ``[0, 1]``.
    seed : int, optional
        As in `Dropout`.
    name, dtype, input_shape
        As in `Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> GaussianNoise(0.1)(np.array([[1.0, 2.0]]))
    array([[1., 2.]], dtype=float32)
    """

    def __init__(self, stddev: float, seed: int | None = None, **options: Any) -> None:
        super().__init__(seed=seed, **options)
        self.stddev = checks.number("GaussianNoise", "stddev", stddev, 0, 1)

    def call(self, x: Any, training: bool = False) -> Any:
        """Return the inputs, with noise if ``training``."""
        return x + self.stddev * self._normal(x) if training and self.stddev else x


class GaussianDropout(_Noise):
    """While training, multiplies by normal noise of mean 1: ``(batch, ...) -> (batch, ...)``.

    Parameters
    ----------
    rate : float
        In ``[0, 1)``: the noise has variance ``rate / (1 - rate)``, as dropout's.
    seed : int, optional
        As in `Dropout`.
    name, dtype, input_shape
        As in `Layer`.

    Notes
    -----
    Source: Srivastava et al. 2014, "Dropout: A Simple Way to Prevent Neural Networks from
    Overfitting", section 10.

    Examples
    --------
    >>> import numpy as np
    >>> GaussianDropout(0.1)(np.array([[1.0, 2.0]]))
    array([[1., 2.]], dtype=float32)
    """

    def __init__(self, rate: float, seed: int | None = None, **options: Any) -> None:
        super().__init__(seed=seed, **options)
        self.rate = checks.number("GaussianDropout", "rate", rate, 0, 1)
        if self.rate == 1:
            raise ArgumentError(
                f"GaussianDropout(rate={rate!r}): the noise's variance, rate / (1 - rate), would "
                "be infinite. Choose a rate below 1."
            )

    def call(self, x: Any, training: bool = False) -> Any:
        """Return the inputs, times noise if ``training``."""
        if not training or self.rate == 0:
            return x
        return x * (1 + (self.rate / (1 - self.rate)) ** 0.5 * self._normal(x))


class ActivityRegularization(Layer):
    """Adds the size of its inputs to the loss: ``(batch, ...) -> (batch, ...)``, unchanged.

    Parameters
    ----------
    l1, l2 : float, default 0
        Factors of the sum of absolute values and of squares, per sample.
    name, dtype, input_shape
        As in `Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> ActivityRegularization(l1=0.01)(np.array([[1.0, 2.0]]))
    array([[1., 2.]], dtype=float32)
    """

    supports_masking = True
    _left_out = (*Layer._left_out, "activity_regularizer")

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **options: Any) -> None:
        super().__init__(activity_regularizer=regularizers.L1L2(l1, l2), **options)
        self.l1 = checks.number("ActivityRegularization", "l1", l1, 0)
        self.l2 = checks.number("ActivityRegularization", "l2", l2, 0)

    def call(self, x: Any) -> Any:
        """Return the inputs."""
        return x

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        return input_shape


__all__ = [
    "ActivityRegularization",
    "AlphaDropout",
    "GaussianDropout",
    "GaussianNoise",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
]
