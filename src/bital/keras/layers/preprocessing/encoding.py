"""Integers as vectors: what `CategoryEncoding` does, and other layers at their ends."""

from __future__ import annotations

from typing import Any

import numpy as np

from bital.errors import ArgumentError, DataError
from bital.keras import checks
from bital.keras.layers.base import Layer, Shape

MODES = ("one_hot", "multi_hot", "count")


class CategoryEncoding(Layer):
    """Integers as vectors of 0 and 1, or of counts.

    Parameters
    ----------
    num_tokens : int
        How many integers there are: 0 to ``num_tokens - 1``.
    output_mode : {"multi_hot", "one_hot", "count"}, default "multi_hot"
        ``"one_hot"``: each integer for itself, ``(batch, ...) -> (batch, ..., num_tokens)``, where
        a last axis of size 1 is dropped first. ``"multi_hot"``: which of them stand in a sample,
        ``(batch, n) -> (batch, num_tokens)``. ``"count"``: how often.
    sparse : bool, default False
        Taken for Keras's sake; there are no sparse arrays here.
    name, dtype
        As in `Layer`; the dtype is the output's.

    Raises
    ------
    DataError
        If an integer of a plain array is out of range, with its position. Within a compiled model
        such an integer gives a vector of zeros.

    Examples
    --------
    >>> import numpy as np
    >>> CategoryEncoding(num_tokens=4, output_mode="count")(np.array([[0, 2, 2]]))
    array([[1., 0., 2., 0.]], dtype=float32)
    """

    _integer_inputs = True

    def __init__(
        self,
        num_tokens: int,
        output_mode: str = "multi_hot",
        sparse: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        who = "CategoryEncoding"
        self.num_tokens = checks.integer(who, "num_tokens", num_tokens)
        mode = "multi_hot" if output_mode == "binary" else output_mode
        self.output_mode = checks.choice(who, "output_mode", mode, MODES)
        self.sparse = dense(who, sparse)

    def call(self, x: Any, count_weights: Any = None) -> Any:
        """Return the vectors; ``count_weights``, shaped as the inputs, weigh what is counted."""
        if count_weights is not None and self.output_mode != "count":
            raise ArgumentError(
                f"{self.name}: count_weights are for output_mode='count', and this layer has "
                f"output_mode={self.output_mode!r}."
            )
        x = x.astype(np.int64)
        if isinstance(x, np.ndarray):
            self._check(x)
        return encoded(x, self.output_mode, self.num_tokens, self.dtype, count_weights)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape with ``num_tokens`` in the place that the mode gives it."""
        return encoded_shape(input_shape, self.output_mode, self.num_tokens)

    def _check(self, x: np.ndarray) -> None:
        wrong = (x < 0) | (x >= self.num_tokens)
        if wrong.any():
            place = tuple(int(i) for i in np.argwhere(wrong)[0])
            raise DataError(
                f"{self.name}: the input at position {place} is {x[place]}, and CategoryEncoding("
                f"num_tokens={self.num_tokens}) takes 0 to {self.num_tokens - 1}."
            )


def dense(who: str, sparse: Any) -> bool:
    """False, for the argument ``sparse``.

    Raises
    ------
    ArgumentError
        For True: bital has no sparse arrays.
    """
    if checks.boolean(who, "sparse", sparse):
        raise ArgumentError(f"{who}(sparse={sparse}): bital has no sparse arrays; leave it out.")
    return False


def encoded(x: Any, mode: str, depth: int, dtype: Any, weights: Any = None) -> Any:
    """Return integers as vectors of length ``depth``; those out of range count for nothing."""
    if mode == "int":
        return x
    if mode == "one_hot" and x.ndim > 1 and x.shape[-1] == 1:
        x = x.reshape(x.shape[:-1])
    vectors = np.equal(x[..., np.newaxis], np.arange(depth))
    if mode == "one_hot":
        return vectors.astype(dtype)
    if mode == "multi_hot":
        return np.any(vectors, axis=-2).astype(dtype)
    vectors = vectors.astype(dtype)
    if weights is not None:
        vectors = vectors * weights[..., np.newaxis]
    return np.sum(vectors, axis=-2)


def encoded_shape(input_shape: Shape, mode: str, depth: int) -> Shape:
    """Return the shape of what `encoded` returns."""
    shape = tuple(input_shape)
    if mode == "int":
        return shape
    last_goes = mode != "one_hot" or (len(shape) > 1 and shape[-1] == 1)
    return (*(shape[:-1] if last_goes else shape), depth)


__all__ = ["MODES", "CategoryEncoding", "dense", "encoded", "encoded_shape"]
