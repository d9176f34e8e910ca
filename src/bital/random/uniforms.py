"""Bits, uniform numbers, and integers of a range."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bital.api import random_bits
from bital.errors import ArgumentError
from bital.random.keys import as_words, float_dtype, is_integer, is_traced, parameter, shape_of


def bits(key: Any, shape: Sequence[int] = (), dtype: Any = np.uint32) -> Any:
    """Random unsigned integers, each bit 0 or 1 with equal probability.

    Parameters
    ----------
    key : (2,) uint64
    shape : sequence of int
    dtype : uint32 or uint64, default uint32

    Returns
    -------
    array of `shape` and `dtype`
        Philox-4x64-10 (Salmon, Moraes, Dror and Shaw, SC 2011) in NumPy's layout.

    Examples
    --------
    >>> bits(key(0), (2,)).dtype
    dtype('uint32')
    """
    return random_bits(key, shape_of("bits", shape), dtype)


def uniform(
    key: Any,
    shape: Sequence[int] = (),
    dtype: Any = np.float64,
    minval: Any = 0.0,
    maxval: Any = 1.0,
) -> Any:
    """Uniform on [minval, maxval).

    Parameters
    ----------
    key : (2,) uint64
    shape : sequence of int
    dtype : float32 or float64, default float64
    minval, maxval : number or array that broadcasts to `shape`

    Returns
    -------
    array of `shape` and `dtype`
        ``u * (maxval - minval) + minval``, where u is the bits' upper 24 (float32) or 53 (float64),
        times 2**-24 or 2**-53. Differentiable in minval and maxval.

    Raises
    ------
    ArgumentError
        Where minval and maxval are numbers and minval is not below maxval.

    Examples
    --------
    >>> x = uniform(key(0), (3,))
    >>> bool(((x >= 0) & (x < 1)).all())
    True
    """
    dtype = float_dtype("uniform", dtype)
    shape = shape_of("uniform", shape, minval, maxval)
    if dtype == np.float32:
        unit = (random_bits(key, shape, np.uint32) >> np.uint32(8)).astype(dtype) * dtype.type(
            2.0**-24
        )
    else:
        unit = (random_bits(key, shape, np.uint64) >> np.uint64(11)).astype(dtype) * 2.0**-53
    if isinstance(minval, (int, float)) and isinstance(maxval, (int, float)):
        if (minval, maxval) == (0.0, 1.0):
            return unit
        if not minval < maxval:
            raise ArgumentError(f"uniform needs minval < maxval, got {minval} and {maxval}")
    minval, maxval = parameter(minval, dtype), parameter(maxval, dtype)
    return unit * (maxval - minval) + minval


def open_uniform(key: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
    """Uniform on (0, 1), symmetric about 1/2: the middles of 2**23 or 2**52 equal pieces."""
    if dtype == np.float32:
        whole = (random_bits(key, shape, np.uint32) >> np.uint32(9)).astype(dtype)
        return (whole + np.float32(0.5)) * np.float32(2.0**-23)
    whole = (random_bits(key, shape, np.uint64) >> np.uint64(12)).astype(dtype)
    return (whole + 0.5) * 2.0**-52


def randint(key: Any, shape: Sequence[int], minval: Any, maxval: Any, dtype: Any = np.int64) -> Any:
    """Integers from minval up to, but without, maxval; all with equal probability.

    Parameters
    ----------
    key : (2,) uint64
    shape : sequence of int
    minval, maxval : int, or array of integers that broadcasts to `shape`
    dtype : integer dtype, default int64

    Returns
    -------
    array of `shape` and `dtype`
        ``minval + floor(w (maxval - minval) / 2**128)`` with a random w of 128 bits: no value's
        probability is off by more than 2**-128. Where the bounds are traced and maxval is not above
        minval: minval.

    Raises
    ------
    ArgumentError
        Where the bounds are no integers, are empty, or lie beyond the dtype.

    Examples
    --------
    >>> dice = randint(key(0), (100,), 1, 7)
    >>> int(dice.min()), int(dice.max())
    (1, 6)
    """
    dtype, bounds = np.dtype(dtype), (minval, maxval)
    if dtype.kind not in "iu":
        raise ArgumentError(f"random.randint: integers come in an integer dtype, not {dtype}")
    shape = shape_of("randint", shape, *bounds)
    for bound in bounds:
        if not is_integer(bound) and type(bound) is not int:
            raise ArgumentError(f"random.randint: a bound is an integer, got {bound!r:.60}")
    words = random_bits(key, (2, *shape), np.uint64)
    if _check_bounds(minval, maxval, dtype) == 2**64:
        return words[0].astype(dtype)
    low = as_words(minval)
    span = np.subtract(as_words(maxval), low)
    if any(map(is_traced, bounds)):
        span = np.where(maxval > minval, span, np.uint64(1))
    middle = np.multiply(words[0], span)  # words wrap round; NumPy's scalars would warn of it
    total = np.add(middle, _high_word(words[1], span))
    offset = _high_word(words[0], span) + (total < middle)
    return np.add(offset, low).astype(dtype)


def _check_bounds(minval: Any, maxval: Any, dtype: np.dtype[Any]) -> int:
    """Refuse what is plainly wrong; the length of the range, where it is known, else 0."""
    if is_traced(minval) or is_traced(maxval):
        return 0
    limits = np.iinfo(dtype)
    low, high = (int(np.min(minval)), int(np.max(maxval))) if np.size(minval) else (0, 1)
    if low < limits.min or high > int(limits.max) + 1 or np.any(np.less_equal(maxval, minval)):
        raise ArgumentError(
            f"random.randint needs minval < maxval within {dtype}, got {minval!r:.60} and "
            f"{maxval!r:.60}"
        )
    return high - low


def _high_word(x: Any, y: Any) -> Any:
    """The upper 64 of the 128 bits of x y."""
    half, low = np.uint64(32), np.uint64(2**32 - 1)
    x_low, x_high, y_low, y_high = x & low, x >> half, y & low, y >> half
    first = x_high * y_low + (x_low * y_low >> half)
    second = x_low * y_high + (first & low)
    return x_high * y_high + (first >> half) + (second >> half)
