"""Keys: where random numbers come from, and how there come to be more of them."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from bital.api import random_bits
from bital.errors import ArgumentError, ShapeError

# Streams of one key: numbers are drawn from 0, new keys from 1 (split) and 2 (fold_in).
_SPLIT, _FOLD = 1, 2


def key(seed: Any) -> Any:
    """A key from a seed.

    Parameters
    ----------
    seed : int
        From 0 to 2**64 - 1. An integer that is being traced will do: ``vmap(key)(np.arange(5))``.

    Returns
    -------
    (2,) uint64

    Raises
    ------
    ArgumentError
        Where the seed is not such an integer.

    Examples
    --------
    >>> key(0).shape
    (2,)
    """
    if is_traced(seed) and not seed.shape and seed.dtype.kind in "iu":
        word = seed.astype(np.uint64)
        return np.stack([word, np.zeros_like(word)])
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
        raise ArgumentError(f"a seed is an integer, got {type(seed).__name__}: {seed!r:.60}")
    if not 0 <= seed < 2**64:
        raise ArgumentError(f"a seed lies from 0 to 2**64 - 1, got {seed}")
    return np.array([seed, 0], np.uint64)


def split(key: Any, num: int | Sequence[int] = 2) -> Any:
    """New keys, independent of each other and of the numbers that `key` itself gives.

    Parameters
    ----------
    key : (2,) uint64
    num : int or sequence of int, default 2
        How many, or their shape.

    Returns
    -------
    (num, 2) or (*num, 2) uint64

    Examples
    --------
    >>> first, second = split(key(0))
    """
    return random_bits(key, (*shape_of("split", num), 2), np.uint64, stream=_SPLIT)


def fold_in(key: Any, data: Any) -> Any:
    """A new key that depends on a key and on an integer, such as a step's number.

    Parameters
    ----------
    key : (2,) uint64
    data : int
        Modulo 2**64.

    Returns
    -------
    (2,) uint64

    Raises
    ------
    ArgumentError
        Where data is not one integer.

    Examples
    --------
    >>> step_key = fold_in(key(0), 17)
    """
    if np.shape(data) or not is_integer(data):
        raise ArgumentError(f"random.fold_in takes one integer to fold in, got {data!r:.60}")
    word = as_words(data)
    mixed = key ^ np.stack([np.zeros_like(word), word])
    return random_bits(mixed, (2,), np.uint64, stream=_FOLD)


# --- what the distributions share -----------------------------------------------------------


def is_traced(value: Any) -> bool:
    """Whether a value is being recorded, and may be anything."""
    return hasattr(value, "known_value")


def is_integer(value: Any) -> bool:
    """Whether a value is an integer or an array of integers."""
    return (value.dtype if hasattr(value, "dtype") else np.asarray(value).dtype).kind in "iu"


def as_words(value: Any) -> Any:
    """Integers modulo 2**64."""
    if isinstance(value, int):
        return np.uint64(value % 2**64)
    return (value if hasattr(value, "astype") else np.asarray(value)).astype(np.uint64)


def shape_of(name: str, shape: Any, *parameters: Any) -> tuple[int, ...]:
    """A shape, proved to be one, to which the parameters broadcast; None: their own shape."""
    own = np.broadcast_shapes(*map(np.shape, parameters))
    if shape is None:
        return own
    try:
        wanted = (
            (operator.index(shape),)
            if isinstance(shape, (int, np.integer))
            else tuple(map(operator.index, shape))
        )
    except TypeError:
        wanted = (-1,)
    if min(wanted, default=0) < 0:
        raise ArgumentError(
            f"random.{name}: a shape is a sequence of integers from 0 on, got {shape!r:.60}"
        )
    try:
        fits = np.broadcast_shapes(wanted, own) == wanted
    except ValueError:
        fits = False
    if not fits:
        raise ShapeError(
            f"random.{name}: parameters of shape {own} do not broadcast to shape={wanted}; "
            "shape=None takes the parameters' own"
        )
    return wanted


def float_dtype(name: str, dtype: Any) -> np.dtype[Any]:
    """float32 or float64, or an error."""
    result = np.dtype(dtype)
    if result not in (np.float32, np.float64):
        raise ArgumentError(f"random.{name}: numbers come as float32 or float64, not {result}")
    return result


def parameter(value: Any, dtype: np.dtype[Any]) -> Any:
    """A parameter in the dtype of the numbers that are drawn."""
    return value.astype(dtype) if hasattr(value, "astype") else np.asarray(value, dtype)[()]
