"""Random numbers that depend on an explicit key alone.

A key is two 64-bit words. The same key gives the same numbers, in any order of calls, on every
executor and any number of threads; `split` and `fold_in` make new keys that are independent of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bital.api import random_bits
from bital.errors import ArgumentError

__all__ = ["bernoulli", "fold_in", "key", "normal", "split", "truncated_normal", "uniform"]

# Streams of one key: numbers are drawn from 0, new keys from 1 (split) and 2 (fold_in).
_SPLIT, _FOLD = 1, 2


def key(seed: int) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """A key from a seed.

    Parameters
    ----------
    seed : int
        From 0 to 2**64 - 1.

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
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
        raise ArgumentError(f"a seed is an integer, got {type(seed).__name__}: {seed!r}")
    if not 0 <= seed < 2**64:
        raise ArgumentError(f"a seed lies from 0 to 2**64 - 1, got {seed}")
    return np.array([seed, 0], np.uint64)


def split(key: Any, num: int = 2) -> Any:
    """New keys, independent of each other and of the numbers that `key` itself gives.

    Returns
    -------
    (num, 2) uint64

    Examples
    --------
    >>> first, second = split(key(0))
    """
    return random_bits(key, (num, 2), np.uint64, stream=_SPLIT)


def fold_in(key: Any, data: Any) -> Any:
    """A new key that depends on a key and on an integer, such as a step's number.

    Returns
    -------
    (2,) uint64

    Examples
    --------
    >>> step_key = fold_in(key(0), 17)
    """
    if isinstance(data, int):
        data = np.uint64(data)
    mixed = key ^ np.stack([data.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15), data.astype(np.uint64)])
    return random_bits(mixed, (2,), np.uint64, stream=_FOLD)


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
        The bits' upper 24 (float32) or 53 (float64), times 2**-24 or 2**-53.

    Examples
    --------
    >>> x = uniform(key(0), (3,))
    >>> bool(((x >= 0) & (x < 1)).all())
    True
    """
    dtype = np.dtype(dtype)
    if dtype == np.float32:
        unit = (random_bits(key, shape, np.uint32) >> np.uint32(8)).astype(dtype) * dtype.type(2.0**-24)
    elif dtype == np.float64:
        unit = (random_bits(key, shape, np.uint64) >> np.uint64(11)).astype(dtype) * 2.0**-53
    else:
        raise ArgumentError(f"random numbers come as float32 or float64, not {dtype}")
    if isinstance(minval, (int, float)) and isinstance(maxval, (int, float)):
        if (minval, maxval) == (0.0, 1.0):
            return unit
        if not minval < maxval:
            raise ArgumentError(f"uniform needs minval < maxval, got {minval} and {maxval}")
    return unit * (maxval - minval) + minval


def normal(key: Any, shape: Sequence[int] = (), dtype: Any = np.float64) -> Any:
    """Standard normal, by the Box-Muller transform.

    Returns
    -------
    array of `shape` and `dtype`
        ``sqrt(-2 log u) cos(2 pi v)`` with u in (0, 1] and v in [0, 1).
        (Box and Muller, Annals of Mathematical Statistics 29, 1958, p. 610.)

    Examples
    --------
    >>> normal(key(0), (2, 3)).shape
    (2, 3)
    """
    dtype = np.dtype(dtype)
    pair = uniform(key, (2, *shape), dtype)
    radius = np.sqrt(-2.0 * np.log(1.0 - pair[0]))
    return radius * np.cos((2.0 * np.pi) * pair[1])


def truncated_normal(
    key: Any, lower: float, upper: float, shape: Sequence[int] = (), dtype: Any = np.float64
) -> Any:
    """Standard normal, restricted to [lower, upper], by inverting the distribution function.

    Parameters
    ----------
    lower, upper : float
        Finite, within [-8, 8].

    Returns
    -------
    array of `shape` and `dtype`
        The inverse is interpolated in a table of 4,097 points between the bounds, whose quantiles
        are off by less than 1e-5.

    Examples
    --------
    >>> float(np.abs(truncated_normal(key(0), -2.0, 2.0, (1000,))).max()) <= 2.0
    True
    """
    if not -8.0 <= lower < upper <= 8.0:
        raise ArgumentError(f"truncated_normal needs -8 <= lower < upper <= 8, got {lower}, {upper}")
    points, quantiles = _quantile_table(lower, upper)
    u = uniform(key, shape, np.float64)
    index = np.clip(np.searchsorted(quantiles, u, side="right") - 1, 0, len(points) - 2)
    weight = (u - quantiles[index]) / (quantiles[index + 1] - quantiles[index])
    return (points[index] + weight * (points[index + 1] - points[index])).astype(dtype)


def bernoulli(key: Any, p: Any = 0.5, shape: Sequence[int] = ()) -> Any:
    """True with probability p.

    Parameters
    ----------
    p : number or array that broadcasts to `shape`, default 0.5

    Returns
    -------
    bool array of `shape`

    Examples
    --------
    >>> bernoulli(key(0), 0.9, (4,)).dtype
    dtype('bool')
    """
    return uniform(key, shape, np.float32) < p
