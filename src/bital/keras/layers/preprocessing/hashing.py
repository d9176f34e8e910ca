"""Strings and integers as the numbers of bins."""

from __future__ import annotations

from typing import Any

import numpy as np

from bital.errors import ArgumentError, DataError
from bital.keras import checks
from bital.keras.layers.base import Layer, Shape
from bital.keras.layers.preprocessing.encoding import MODES, dense, encoded, encoded_shape
from bital.keras.layers.preprocessing.hashes import fingerprint, siphash


class Hashing(Layer):
    """The number of the bin that each string or integer is hashed to: ``(batch, ...)``, same out.

    The bins are TensorFlow's, and the same on every platform. Hashing runs on plain arrays: put the
    layer before the model, not into it.

    Parameters
    ----------
    num_bins : int
        How many bins there are; with a ``mask_value`` bin 0 is its own.
    mask_value : str or int, optional
        What goes to bin 0.
    salt : int or (int, int), optional
        Key of SipHash-2-4; without it the hash is FarmHash's Fingerprint64. One integer is taken
        twice.
    output_mode : {"int", "one_hot", "multi_hot", "count"}, default "int"
        int64 numbers, or vectors as in `CategoryEncoding`.
    sparse : bool, default False
        Taken for Keras's sake; there are no sparse arrays here.
    name, dtype
        As in `Layer`; the dtype is that of the vectors.

    Raises
    ------
    DataError
        Within a compiled model, and for anything but strings and integers.

    Notes
    -----
    Floating inputs are cut to integers first and integers hashed as their decimal digits, as in
    Keras. Source of the idea: Weinberger et al. 2009, "Feature Hashing for Large Scale Multitask
    Learning".

    Examples
    --------
    >>> import numpy as np
    >>> Hashing(num_bins=3)(np.array([["A"], ["B"], ["E"]])).tolist()
    [[1], [0], [2]]
    """

    _integer_inputs = True

    def __init__(
        self,
        num_bins: int,
        mask_value: Any = None,
        salt: Any = None,
        output_mode: str = "int",
        sparse: bool = False,
        **options: Any,
    ) -> None:
        if str(options.get("dtype")) in ("int64", "int32") and output_mode == "int":
            options = {**options, "dtype": None}
        super().__init__(**options)
        self.num_bins = checks.integer("Hashing", "num_bins", num_bins)
        if not (mask_value is None or isinstance(mask_value, (str, int))):
            raise ArgumentError(f"Hashing(mask_value={mask_value!r}): must be a string or integer.")
        self.mask_value = mask_value
        self.salt = salted("Hashing", salt)
        self.output_mode = checks.choice("Hashing", "output_mode", output_mode, ("int", *MODES))
        self.sparse = dense("Hashing", sparse)

    def call(self, x: Any) -> Any:
        """Return the bins."""
        values = plain_array(self, x)
        bins = self.num_bins
        kept = self.mask_value is not None and bins > 1
        places = hashed(values, bins - kept, self.salt)
        if kept:
            places = np.where(_equals(values, self.mask_value), 0, places + 1)
        return encoded(places, self.output_mode, bins, self.dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape, or that of the vectors."""
        return encoded_shape(input_shape, self.output_mode, self.num_bins)


def salted(who: str, salt: Any) -> tuple[int, int] | None:
    """Return a salt as two integers.

    Raises
    ------
    ArgumentError
        If it is neither one integer nor two.
    """
    if salt is None:
        return None
    pair = salt if isinstance(salt, (list, tuple)) else (salt, salt)
    if len(pair) != 2:
        raise ArgumentError(f"{who}(salt={salt!r}): must be one integer or two.")
    first, second = (checks.integer(who, "salt", part, low=-(2**63)) for part in pair)
    return first, second


def plain_array(layer: Layer, x: Any, encoding: str = "utf-8") -> np.ndarray:
    """Return inputs as an array of strings or integers.

    Raises
    ------
    DataError
        If they are traced values, or hold something else.
    """
    if not isinstance(x, np.ndarray):
        raise DataError(
            f"{layer.name}: {type(layer).__name__} looks up values of plain arrays and received a "
            f"{type(x).__name__}: it cannot be part of a compiled model. Call it on the data "
            f"first, x = {layer.name}(x), and give the model what it returns."
        )
    kind = x.dtype.kind
    if kind == "S":
        return np.char.decode(x, encoding)
    if kind == "O":
        wrong = [item for item in x.reshape(-1) if not isinstance(item, (str, bytes))]
        if wrong:
            raise DataError(
                f"{layer.name} received an array of objects that holds {wrong[0]!r} of type "
                f"{type(wrong[0]).__name__}; it takes strings or integers."
            )
        texts = [t.decode(encoding) if isinstance(t, bytes) else t for t in x.reshape(-1)]
        return np.array(texts, dtype=np.str_).reshape(x.shape)
    if kind == "f":
        return x.astype(np.int64)
    if kind not in "biuUT":
        raise DataError(f"{layer.name} received an array of dtype {x.dtype}; it takes strings.")
    return x


def hashed(values: np.ndarray, bins: int, salt: tuple[int, int] | None) -> np.ndarray:
    """Return the hash of each value modulo ``bins``, int64; equal values are hashed once."""
    kinds, places = np.unique(values, return_inverse=True)
    texts = [str(kind).encode() for kind in kinds.tolist()]
    found = [(fingerprint(t) if salt is None else siphash(t, salt)) % bins for t in texts]
    return np.array(found, np.int64)[places].reshape(values.shape)


def _equals(values: np.ndarray, mask_value: Any) -> Any:
    texts = values.dtype.kind not in "biu"
    if texts != isinstance(mask_value, str):
        return False
    return values == mask_value


__all__ = ["Hashing", "hashed", "plain_array", "salted"]
