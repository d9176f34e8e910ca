"""Layers that only rearrange."""

from __future__ import annotations

import math
from typing import Any

from bital.errors import ShapeError
from bital.keras import checks
from bital.keras.layers.base import Layer, Shape


class Flatten(Layer):
    """Each sample as one row of numbers: ``(batch, a, b, ...) -> (batch, a * b * ...)``.

    Samples that are single numbers, ``(batch,)``, become ``(batch, 1)``.

    Examples
    --------
    >>> import numpy as np
    >>> Flatten()(np.zeros((2, 28, 28))).shape
    (2, 784)
    """

    def call(self, x: Any) -> Any:
        """Return the inputs, flattened."""
        return x.reshape((x.shape[0], math.prod(x.shape[1:])))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return ``(batch, features)``; features are None if a size is unknown."""
        sizes = input_shape[1:]
        return (input_shape[0], None if None in sizes else math.prod(sizes))


class Reshape(Layer):
    """Each sample in another shape: ``(batch, ...) -> (batch, *target_shape)``.

    Parameters
    ----------
    target_shape : tuple of int
        Sizes of one sample; one of them can be -1.
    name, dtype, input_shape
        As in `Layer`.

    Raises
    ------
    ArgumentError
        If ``target_shape`` is not a tuple of sizes.

    Examples
    --------
    >>> import numpy as np
    >>> Reshape((28, -1))(np.zeros((2, 784))).shape
    (2, 28, 28)
    """

    def __init__(self, target_shape: Any, **options: Any) -> None:
        super().__init__(**options)
        self.target_shape = checks.shape("Reshape", "target_shape", target_shape, wildcard=True)

    def check_input(self, input_shape: Shape) -> None:
        """Raise `ShapeError` if the number of elements differs."""
        self._resolve(input_shape)

    def call(self, x: Any) -> Any:
        """Return the inputs in the target shape."""
        return x.reshape((x.shape[0], *self._resolve(x.shape)))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return ``(batch, *target_shape)``."""
        if None in input_shape[1:]:
            return (input_shape[0], *(None if n == -1 else n for n in self.target_shape))
        return (input_shape[0], *self._resolve(input_shape))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        return {**super().get_config(), "target_shape": list(self.target_shape)}

    def _resolve(self, input_shape: Shape) -> tuple[int, ...]:
        have = math.prod(input_shape[1:])
        known = math.prod(size for size in self.target_shape if size != -1)
        fits = have % known == 0 if -1 in self.target_shape else have == known
        if not fits:
            raise ShapeError(
                f"Reshape {self.name!r} received samples of shape {tuple(input_shape[1:])}, which "
                f"have {have} elements; they do not fill target_shape={self.target_shape}."
            )
        return tuple(have // known if size == -1 else size for size in self.target_shape)


__all__ = ["Flatten", "Reshape"]
