"""Draws from finitely or countably many outcomes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from bital.api import random_bits, while_loop
from bital.errors import ArgumentError, ShapeError
from bital.random.continuous import gumbel
from bital.random.keys import fold_in, is_traced, shape_of, split
from bital.random.uniforms import randint, uniform


def bernoulli(key: Any, p: Any = 0.5, shape: Sequence[int] | None = None) -> Any:
    """True with probability p.

    Parameters
    ----------
    key : (2,) uint64
    p : number or array, default 0.5
    shape : sequence of int, optional
        To which p broadcasts; by default p's own.

    Returns
    -------
    bool array of `shape`
        ``u < p`` with u of 24 bits: probabilities are multiples of 2**-24.

    Examples
    --------
    >>> bernoulli(key(0), 0.9, (4,)).dtype
    dtype('bool')
    """
    return uniform(key, shape_of("bernoulli", shape, p), np.float32) < p


def categorical(key: Any, logits: Any, axis: int = -1, shape: Sequence[int] | None = None) -> Any:
    """Indices that are drawn with probabilities ``softmax(logits, axis)``.

    Parameters
    ----------
    key : (2,) uint64
    logits : (..., n, ...)
        Logarithms of probabilities, up to a constant; -inf: never.
    axis : int, default -1
        Of n.
    shape : sequence of int, optional
        Of the result: ends with logits' shape without n, or what that broadcasts to. By default
        that shape itself.

    Returns
    -------
    int64 array of `shape`
        ``argmax(logits + gumbel)``, of which the last axes are logits' (Gumbel, 1954).

    Examples
    --------
    >>> categorical(key(0), np.array([-np.inf, 0.0, -np.inf]), shape=(3,)).tolist()
    [1, 1, 1]
    """
    if not -np.ndim(logits) <= axis < np.ndim(logits):
        raise ShapeError(
            f"random.categorical: logits of shape {np.shape(logits)} have no axis {axis}"
        )
    axis = axis % np.ndim(logits) - np.ndim(logits)  # from the end: the draws' axes come in front
    own = list(np.shape(logits))
    n = own.pop(axis)
    rows = list(shape_of("categorical", own if shape is None else shape, np.empty(own)))
    rows.insert(len(rows) + axis + 1, n)
    kind = getattr(logits, "dtype", np.float64)
    noise = gumbel(key, rows, kind if kind == np.float32 else np.float64)
    return np.argmax(noise + logits, axis=axis)


def permutation(key: Any, x: Any, axis: int = 0, independent: bool = False) -> Any:
    """A random order of x along an axis.

    Parameters
    ----------
    key : (2,) uint64
    x : int or array
        n stands for ``np.arange(n)``.
    axis : int, default 0
    independent : bool, default False
        Whether each row along the axis gets an order of its own; else all get the same one.

    Returns
    -------
    array like x
        All orders have the same probability, up to the 2**-65 n**2 with which two of n random
        64-bit words are equal.

    Examples
    --------
    >>> np.sort(permutation(key(0), 4)).tolist()
    [0, 1, 2, 3]
    """
    if isinstance(x, (int, np.integer)):
        x = np.arange(x)
    if not -np.ndim(x) <= axis < np.ndim(x):
        raise ShapeError(f"random.permutation: an array of shape {np.shape(x)} has no axis {axis}")
    if independent:
        words = random_bits(key, np.shape(x), np.uint64)
        return np.take_along_axis(x, np.argsort(words, axis=axis, kind="stable"), axis)
    words = random_bits(key, np.shape(x)[axis : axis + 1 or None], np.uint64)
    return _taken(x, np.argsort(words, kind="stable"), axis)


def choice(
    key: Any,
    a: Any,
    shape: Sequence[int] = (),
    replace: bool = True,
    p: Any = None,
    axis: int = 0,
) -> Any:
    """Elements of a, drawn at random.

    Parameters
    ----------
    key : (2,) uint64
    a : int or array
        n stands for ``np.arange(n)``.
    shape : sequence of int
        How many.
    replace : bool, default True
        Whether an element may be drawn more than once.
    p : (n,), optional
        Probabilities, or any weights; by default equal ones.
    axis : int, default 0
        Of a, along which its elements lie.

    Returns
    -------
    array
        Of a's shape, with `shape` in the place of the axis.

    Raises
    ------
    ArgumentError
        Where there is nothing to draw from, too little to draw without replacement, or p holds
        what is no weight.

    Notes
    -----
    Without replacement and with p, the elements are those with the largest ``log(p) + gumbel``: as
    if drawn one after the other, each with p among those that are left (Yellott, 1977).

    Examples
    --------
    >>> choice(key(0), np.array([1.5, 2.5]), (3,), p=np.array([0.0, 1.0])).tolist()
    [2.5, 2.5, 2.5]
    """
    if isinstance(a, (int, np.integer)):
        a = np.arange(a)
    if not -np.ndim(a) <= axis < np.ndim(a):
        raise ShapeError(f"random.choice: an array of shape {np.shape(a)} has no axis {axis}")
    shape = shape_of("choice", shape)
    n, count = np.shape(a)[axis], math.prod(shape)
    if (count and not n) or (not replace and count > n):
        raise ArgumentError(
            f"random.choice: {count} elements cannot be drawn from {n}"
            + ("" if replace else " without replacement")
        )
    if p is not None:
        _check_weights(p, n, 1 if replace else count)
    if replace and p is None:
        places = randint(key, shape, 0, n) if count else np.zeros(shape, np.int64)
    elif replace:
        steps = np.cumsum(p)
        drawn = uniform(key, shape, np.float64) * steps[-1]
        places = np.searchsorted(steps, drawn, side="right")
    elif p is None:
        places = permutation(key, n)[:count].reshape(shape)
    else:
        with np.errstate(divide="ignore"):
            scores = np.log(p) + gumbel(key, (n,))
        places = np.argsort(-scores, kind="stable")[:count].reshape(shape)
    return _taken(a, places, axis)


def _taken(a: Any, places: Any, axis: int) -> Any:
    if is_traced(places) and not is_traced(a):
        a = np.asarray(a, like=places)
    return np.take(a, places, axis=axis)


def _check_weights(p: Any, n: int, needed: int) -> None:
    if np.shape(p) != (n,):
        raise ShapeError(f"random.choice: p has shape {np.shape(p)}, needed is {(n,)}")
    if is_traced(p):
        return
    weights = np.asarray(p)
    if not np.all((weights >= 0) & np.isfinite(weights)) or np.sum(weights > 0) < needed:
        raise ArgumentError(
            f"random.choice: p={weights!r:.80} must be finite, not negative, and positive for at "
            f"least {needed} elements"
        )


def poisson(key: Any, lam: Any, shape: Sequence[int] | None = None, dtype: Any = np.int64) -> Any:
    """Poisson with mean lam: k with probability lam**k exp(-lam) / k!.

    Parameters
    ----------
    key : (2,) uint64
    lam : number or array, not negative
    shape : sequence of int, optional
        To which lam broadcasts; by default lam's own.
    dtype : integer dtype, default int64

    Returns
    -------
    array of `shape` and `dtype`
        -1 where lam is negative or NaN.

    Notes
    -----
    Below 10 by adding up probabilities; from 10 on by rejection (Hormann, "The transformed
    rejection method for generating Poisson random variables", 1993, algorithm PTRS). Not
    differentiable: the numbers are integers.

    Examples
    --------
    >>> poisson(key(0), 3.0, (5,)).dtype
    dtype('int64')
    """
    shape = shape_of("poisson", shape, lam)
    lam = (lam if hasattr(lam, "astype") else np.asarray(lam)).astype(np.float64)
    first, second = split(key)
    large = (lam >= 10.0) & np.isfinite(lam)
    few = _poisson_by_adding(first, np.where(lam < 10.0, lam, 0.0), shape)
    many = _poisson_by_rejection(second, np.where(large, lam, 10.0), large, shape)
    return np.where(lam >= 0.0, np.where(large, many, few), -1.0).astype(dtype)


def _poisson_by_adding(key: Any, lam: Any, shape: tuple[int, ...]) -> Any:
    u = uniform(key, shape, np.float64)
    first = np.exp(-lam) + 0.0 * u

    def add(state: Any) -> Any:
        k, found, probability, total = state
        probability = probability * lam / (k + 1.0)
        above = u >= total
        return k + 1.0, np.where(above, k + 1.0, found), probability, total + probability

    start = (0.0, 0.0 * u, first, first)
    return while_loop(lambda s: np.any(u >= s[3]) & (s[0] < 60.0), add, start)[1]


def _poisson_by_rejection(key: Any, lam: Any, wanted: Any, shape: tuple[int, ...]) -> Any:
    b = 0.931 + 2.53 * np.sqrt(lam)
    a = -0.059 + 0.02483 * b
    scale, quick = 1.1239 + 1.1328 / (b - 3.4), 0.9277 - 3.6224 / (b - 2.0)

    def attempt(state: Any) -> Any:
        turn, found, done = state
        pair = uniform(fold_in(key, turn), (2, *shape), np.float64)
        u, v = pair[0] - 0.5, 1.0 - pair[1]
        near = 0.5 - np.abs(u)
        edge = np.maximum(near, 1e-300)
        k = np.floor((2.0 * a / edge + b) * u + lam + 0.43)
        at = np.maximum(k, 0.0)
        ratio = np.log(v * scale / (a / (edge * edge) + b))
        exact = ratio <= at * np.log(lam) - lam - _log_factorial(at)
        inside = (k >= 0.0) & ~((near < 0.013) & (v > near))
        accepted = ((near >= 0.07) & (v <= quick)) | (inside & exact)
        return turn + 1, np.where(accepted & ~done, k, found), done | accepted

    start = (0, np.zeros(shape)[()], np.broadcast_to(~wanted, shape))
    return while_loop(lambda state: ~np.all(state[2]), attempt, start)[1]


def _log_factorial(k: Any) -> Any:
    """log k!: shifted by 9 where k is small, then Stirling's series (DLMF 5.11.1)."""
    small = k < 9.0
    product = math.prod(np.where(small, k + j, 1.0) for j in range(1, 10))
    x = np.where(small, k + 10.0, k + 1.0)
    z = 1.0 / (x * x)
    series = (1 / 12 - z * (1 / 360 - z * (1 / 1260 - z * (1 / 1680 - z / 1188)))) / x
    return (x - 0.5) * np.log(x) - x + 0.5 * math.log(2.0 * math.pi) + series - np.log(product)
