"""Distributions that are a function of one uniform number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bital.random.keys import float_dtype, shape_of
from bital.random.uniforms import open_uniform, uniform


def exponential(key: Any, shape: Sequence[int] = (), dtype: Any = np.float64) -> Any:
    """Exponential with mean 1: density exp(-x), x >= 0.

    Parameters
    ----------
    key : (2,) uint64
    shape : sequence of int
    dtype : float32 or float64, default float64

    Returns
    -------
    array of `shape` and `dtype`
        ``-log(1 - u)``. For another rate divide by it.

    Examples
    --------
    >>> waiting = exponential(key(0), (3,)) / 2.0  # two events in each unit of time
    """
    return -np.log1p(-uniform(key, shape, float_dtype("exponential", dtype)))


def gumbel(key: Any, shape: Sequence[int] = (), dtype: Any = np.float64) -> Any:
    """Standard Gumbel: distribution function exp(-exp(-x)).

    Parameters
    ----------
    key : (2,) uint64
    shape : sequence of int
    dtype : float32 or float64, default float64

    Returns
    -------
    array of `shape` and `dtype`
        ``-log(-log u)``.

    Notes
    -----
    ``np.argmax(logits + gumbel(key, logits.shape))`` is `categorical`; with a softmax in the place
    of the argmax it can be differentiated (Jang, Gu and Poole, ICLR 2017).

    Examples
    --------
    >>> gumbel(key(0), (2,)).shape
    (2,)
    """
    return -np.log(-np.log(_open("gumbel", key, shape, dtype)))


def laplace(key: Any, shape: Sequence[int] = (), dtype: Any = np.float64) -> Any:
    """Standard Laplace: density exp(-|x|) / 2.

    Parameters
    ----------
    key : (2,) uint64
    shape : sequence of int
    dtype : float32 or float64, default float64

    Returns
    -------
    array of `shape` and `dtype`
        ``-sign(v) log(1 - |v|)`` with v uniform on (-1, 1).

    Examples
    --------
    >>> laplace(key(0), (2,)).shape
    (2,)
    """
    v = 2.0 * _open("laplace", key, shape, dtype) - 1.0
    return -np.sign(v) * np.log1p(-np.abs(v))


def logistic(key: Any, shape: Sequence[int] = (), dtype: Any = np.float64) -> Any:
    """Standard logistic: distribution function 1 / (1 + exp(-x)).

    Parameters
    ----------
    key : (2,) uint64
    shape : sequence of int
    dtype : float32 or float64, default float64

    Returns
    -------
    array of `shape` and `dtype`
        ``log(u / (1 - u))``.

    Examples
    --------
    >>> logistic(key(0), (2,)).shape
    (2,)
    """
    u = _open("logistic", key, shape, dtype)
    return np.log(u) - np.log1p(-u)


def cauchy(key: Any, shape: Sequence[int] = (), dtype: Any = np.float64) -> Any:
    """Standard Cauchy: density 1 / (pi (1 + x**2)).

    Parameters
    ----------
    key : (2,) uint64
    shape : sequence of int
    dtype : float32 or float64, default float64

    Returns
    -------
    array of `shape` and `dtype`
        ``tan(pi (u - 1/2))``.

    Examples
    --------
    >>> cauchy(key(0), (2,)).shape
    (2,)
    """
    return np.tan(np.pi * (_open("cauchy", key, shape, dtype) - 0.5))


def _open(name: str, key: Any, shape: Sequence[int], dtype: Any) -> Any:
    return open_uniform(key, shape_of(name, shape), float_dtype(name, dtype))
