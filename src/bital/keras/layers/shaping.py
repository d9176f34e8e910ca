"""Layers that only rearrange."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from bital.errors import ArgumentError, ShapeError
from bital.keras import checks
from bital.keras.layers.base import Layer, Shape


class Flatten(Layer):
    """Each sample as one row of numbers: ``(batch, a, b, ...) -> (batch, a * b * ...)``.

    Samples that are single numbers, ``(batch,)``, become ``(batch, 1)``.

    Parameters
    ----------
    data_format : {"channels_last"}, optional
        Taken for Keras's sake; "channels_first" is refused.
    name, dtype, input_shape
        As in `Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> Flatten()(np.zeros((2, 28, 28))).shape
    (2, 784)
    """

    def __init__(self, data_format: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.data_format = checks.data_format("Flatten", data_format)

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


class Permute(Layer):
    """The axes of each sample in another order: ``(batch, a, b, ...) -> (batch, b, a, ...)``.

    Parameters
    ----------
    dims : tuple of int
        For each axis of the output, which of the input it is, counted from 1.
    name, dtype, input_shape
        As in `Layer`.

    Raises
    ------
    ArgumentError
        If ``dims`` is not a permutation of ``1, 2, ...``.

    Examples
    --------
    >>> import numpy as np
    >>> Permute((2, 1))(np.zeros((10, 3, 5))).shape
    (10, 5, 3)
    """

    def __init__(self, dims: Any, **options: Any) -> None:
        super().__init__(**options)
        self.dims = checks.shape("Permute", "dims", dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ArgumentError(
                f"Permute(dims={dims!r}): must hold each of 1 to {len(self.dims)} once; the batch, "
                "axis 0, stays first."
            )

    def check_input(self, input_shape: Shape) -> None:
        """Raise `ShapeError` unless samples have as many axes as ``dims``."""
        if len(input_shape) != len(self.dims) + 1:
            raise ShapeError(
                f"Permute {self.name!r}: dims={self.dims} needs samples of {len(self.dims)} axes, "
                f"and received inputs of shape {tuple(input_shape)}."
            )

    def call(self, x: Any) -> Any:
        """Return the inputs with their axes in the new order."""
        return np.transpose(x, (0, *self.dims))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the sizes in the new order."""
        self.check_input(input_shape)
        return tuple(input_shape[axis] for axis in (0, *self.dims))


class RepeatVector(Layer):
    """Each sample ``n`` times: ``(batch, features) -> (batch, n, features)``.

    Parameters
    ----------
    n : int
        How often.
    name, dtype, input_shape
        As in `Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> RepeatVector(3)(np.zeros((2, 5))).shape
    (2, 3, 5)
    """

    def __init__(self, n: int, **options: Any) -> None:
        super().__init__(**options)
        self.n = checks.integer("RepeatVector", "n", n)

    def check_input(self, input_shape: Shape) -> None:
        """Raise `ShapeError` unless samples are vectors."""
        if len(input_shape) != 2:
            raise ShapeError(
                f"RepeatVector {self.name!r} takes inputs of shape (batch, features), and received "
                f"{tuple(input_shape)}."
            )

    def call(self, x: Any) -> Any:
        """Return the inputs, repeated."""
        return np.broadcast_to(x[:, np.newaxis], self.compute_output_shape(x.shape))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return ``(batch, n, features)``."""
        self.check_input(input_shape)
        return (input_shape[0], self.n, input_shape[1])


__all__ = ["Flatten", "Permute", "RepeatVector", "Reshape"]
