"""Random numbers that depend on an explicit key alone.

A key is two 64-bit words. The same key gives the same numbers, in any order of calls, on every
executor and any number of threads; `split` and `fold_in` make new keys that are independent of it.
"""

from __future__ import annotations

import math
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
    word = data.astype(np.uint64) if hasattr(data, "astype") else np.uint64(data)
    mixed = key ^ np.stack([np.zeros_like(word), word])
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
        unit = (random_bits(key, shape, np.uint32) >> np.uint32(8)).astype(dtype) * dtype.type(
            2.0**-24
        )
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
        The normal quantile of a uniform number between the bounds' probabilities.

    Examples
    --------
    >>> float(np.abs(truncated_normal(key(0), -2.0, 2.0, (1000,))).max()) <= 2.0
    True
    """
    if not -8.0 <= lower < upper <= 8.0:
        raise ArgumentError(
            f"truncated_normal needs -8 <= lower < upper <= 8, got {lower}, {upper}"
        )
    low, high = (0.5 * (1.0 + math.erf(bound / math.sqrt(2.0))) for bound in (lower, upper))
    x = _normal_quantile(uniform(key, shape, np.float64, low, high))
    return np.clip(x, lower, upper).astype(dtype)


# Coefficients of M. J. Wichura, "Algorithm AS 241: the percentage points of the normal
# distribution", Applied Statistics 37 (1988), p. 477, PPND16; highest power first.
_CENTRE = (
    (
        2.5090809287301226727e3,
        3.3430575583588128105e4,
        6.7265770927008700853e4,
        4.5921953931549871457e4,
        1.3731693765509461125e4,
        1.9715909503065514427e3,
        1.3314166789178437745e2,
        3.3871328727963666080e0,
    ),
    (
        5.2264952788528545610e3,
        2.8729085735721942674e4,
        3.9307895800092710610e4,
        2.1213794301586595867e4,
        5.3941960214247511077e3,
        6.8718700749205790830e2,
        4.2313330701600911252e1,
        1.0,
    ),
)
_TAIL = (
    (
        7.74545014278341407640e-4,
        2.27238449892691845833e-2,
        2.41780725177450611770e-1,
        1.27045825245236838258e0,
        3.64784832476320460504e0,
        5.76949722146069140550e0,
        4.63033784615654529590e0,
        1.42343711074968357734e0,
    ),
    (
        1.05075007164441684324e-9,
        5.47593808499534494600e-4,
        1.51986665636164571966e-2,
        1.48103976427480074590e-1,
        6.89767334985100004550e-1,
        1.67638483018380384940e0,
        2.05319162663775882187e0,
        1.0,
    ),
)
_FAR_TAIL = (
    (
        2.01033439929228813265e-7,
        2.71155556874348757815e-5,
        1.24266094738807843860e-3,
        2.65321895265761230930e-2,
        2.96560571828504891230e-1,
        1.78482653991729133580e0,
        5.46378491116411436990e0,
        6.65790464350110377720e0,
    ),
    (
        2.04426310338993978564e-15,
        1.42151175831644588870e-7,
        1.84631831751005468180e-5,
        7.86869131145613259100e-4,
        1.48753612908506148525e-2,
        1.36929880922735805310e-1,
        5.99832206555887937690e-1,
        1.0,
    ),
)


def _ratio(coefficients: tuple[tuple[float, ...], tuple[float, ...]], x: Any) -> Any:
    values = []
    for polynomial in coefficients:
        value = x * 0.0 + polynomial[0]
        for coefficient in polynomial[1:]:
            value = value * x + coefficient
        values.append(value)
    return values[0] / values[1]


def _normal_quantile(p: Any) -> Any:
    """The x below which a standard normal number lies with probability p, to about 1e-15."""
    q = p - 0.5
    centre = np.abs(q) <= 0.425
    near = q * _ratio(_CENTRE, 0.180625 - np.where(centre, q, 0.0) ** 2)
    depth = np.sqrt(-np.log(np.maximum(np.minimum(p, 1.0 - p), 1e-300)))
    far = np.where(depth <= 5.0, _ratio(_TAIL, depth - 1.6), _ratio(_FAR_TAIL, depth - 5.0))
    return np.where(centre, near, np.sign(q) * far)


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
