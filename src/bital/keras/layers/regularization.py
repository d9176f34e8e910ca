"""Layers that act while training only."""

from __future__ import annotations

from typing import Any

import numpy as np

import bital
from bital.errors import ArgumentError, ShapeError
from bital.keras import checks
from bital.keras.layers.base import Layer, Shape
from bital.keras.random_state import draw_key


class Dropout(Layer):
    """While training, sets a random part of the inputs to 0: ``(batch, ...) -> (batch, ...)``.

    What is kept is divided by ``1 - rate``, so the expected value stays. Otherwise the identity.

    Parameters
    ----------
    rate : float
        Part of the inputs to drop, in ``[0, 1]``.
    noise_shape : tuple of int, optional
        Shape of the mask, batch first, broadcast to the inputs; None for the input's size. So
        ``(None, 1, None)`` drops whole columns of the second axis.
    seed : int, optional
        Makes the masks depend on this seed and the training step alone, not on ``fit``'s seed.
    name, dtype, input_shape
        As in `Layer`.

    Raises
    ------
    ArgumentError
        If ``rate`` is outside ``[0, 1]``.

    Notes
    -----
    Source: Srivastava et al. 2014, "Dropout: A Simple Way to Prevent Neural Networks from
    Overfitting", section 10 for the scaling.

    Examples
    --------
    >>> import numpy as np
    >>> Dropout(0.5)(np.array([[1.0, 2.0]]))
    array([[1., 2.]], dtype=float32)
    """

    supports_masking = True

    def __init__(
        self, rate: float, noise_shape: Any = None, seed: int | None = None, **options: Any
    ) -> None:
        super().__init__(**options)
        self.rate = checks.number("Dropout", "rate", rate, 0, 1)
        self.seed = None if seed is None else checks.integer("Dropout", "seed", seed, low=0)
        self.noise_shape = None
        if noise_shape is not None:
            self.noise_shape = checks.shape("Dropout", "noise_shape", noise_shape, unknown=True)

    def check_input(self, input_shape: Shape) -> None:
        """Raise `ShapeError` if ``noise_shape`` does not broadcast to the inputs."""
        mask = self._mask_shape(input_shape)
        if len(mask) != len(input_shape) or any(
            m not in (1, n) for m, n in zip(mask, input_shape, strict=True)
        ):
            raise ShapeError(
                f"Dropout {self.name!r}: noise_shape={self.noise_shape} does not broadcast to "
                f"inputs of shape {tuple(input_shape)}; each size must be 1, None or the input's."
            )

    def call(self, x: Any, training: bool = False) -> Any:
        """Return the inputs, with a part of them dropped if ``training``."""
        if not training or self.rate == 0:
            return x
        if self.rate == 1:
            return np.zeros_like(x)
        keep = bital.random.bernoulli(draw_key(self.seed), 1 - self.rate, self._mask_shape(x.shape))
        return np.where(keep, x * (1 / (1 - self.rate)), 0)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        return input_shape

    def _mask_shape(self, input_shape: Shape) -> Shape:
        if self.noise_shape is None:
            return tuple(input_shape)
        if len(self.noise_shape) != len(input_shape):
            raise ArgumentError(
                f"Dropout {self.name!r}: noise_shape={self.noise_shape} must have as many axes as "
                f"the inputs, of shape {tuple(input_shape)}."
            )
        pairs = zip(self.noise_shape, input_shape, strict=True)
        return tuple(n if m is None else m for m, n in pairs)


__all__ = ["Dropout"]
