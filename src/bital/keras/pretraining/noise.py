"""Ways to damage inputs, for denoising autoencoders."""

from __future__ import annotations

from typing import Any

import numpy as np

import bital
from bital.keras import checks
from bital.keras.layers import GaussianNoise, Layer
from bital.keras.layers.base import Shape
from bital.keras.random_state import draw_key


class _Damage(Layer):
    """Base: ``(batch, ...) -> (batch, ...)``, the identity unless training."""

    supports_masking = True

    def __init__(self, rate: float, seed: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        who = type(self).__name__
        self.rate = checks.number(who, "rate", rate, 0, 1)
        self.seed = None if seed is None else checks.integer(who, "seed", seed, low=0)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        return input_shape


class MaskingNoise(_Damage):
    """While training, sets a random part of the inputs to 0; the rest stays as it is.

    (`Dropout` divides the rest by ``1 - rate``.) ``(batch, ...) -> (batch, ...)``.

    Parameters
    ----------
    rate : float
        Part of the inputs, in ``[0, 1]``.
    seed : int, optional
        As in `Dropout`.

    Examples
    --------
    >>> import numpy as np
    >>> MaskingNoise(1.0)(np.ones((1, 3)), training=True)
    array([[0., 0., 0.]], dtype=float32)
    """

    def call(self, x: Any, training: bool = False) -> Any:
        """Return the inputs, damaged if ``training``."""
        if not training or self.rate == 0:
            return x
        keep = bital.random.bernoulli(draw_key(self.seed), 1 - self.rate, x.shape)
        return np.where(keep, x, 0)


class SaltAndPepperNoise(_Damage):
    """While training, sets a random part of the inputs to the smallest or the largest value.

    ``(batch, ...) -> (batch, ...)``; both are equally likely.

    Parameters
    ----------
    rate : float
        Part of the inputs, in ``[0, 1]``.
    low, high : float, default 0 and 1
        The two values.
    seed : int, optional
        As in `Dropout`.

    Examples
    --------
    >>> import numpy as np
    >>> x = SaltAndPepperNoise(1.0)(np.full((1, 50), 0.5), training=True)
    >>> np.unique(x)
    array([0., 1.], dtype=float32)
    """

    def __init__(
        self,
        rate: float,
        low: float = 0.0,
        high: float = 1.0,
        seed: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(rate, seed, **options)
        self.low = checks.number("SaltAndPepperNoise", "low", low)
        self.high = checks.number("SaltAndPepperNoise", "high", high, self.low)

    def call(self, x: Any, training: bool = False) -> Any:
        """Return the inputs, damaged if ``training``."""
        if not training or self.rate == 0:
            return x
        # One number decides both whether and how.
        drawn = bital.random.uniform(draw_key(self.seed), x.shape, x.dtype)
        low = drawn < self.rate / 2
        return np.where(low, self.low, np.where(drawn < self.rate, self.high, x)).astype(x.dtype)


__all__ = ["GaussianNoise", "MaskingNoise", "SaltAndPepperNoise"]
