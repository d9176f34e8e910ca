"""Two-dimensional classification problems, each made from a formula and a seed.

All functions return ``x``: ``(n, 2)`` float64 and ``y``: ``(n,)`` int64, and are pure: the same
arguments give the same arrays, and NumPy's global random state is neither read nor changed.
Except for ``xor``, the rows come in an order shuffled by the seed, so that any slice of them holds
all classes.
"""

import numbers
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from bital.errors import ArgumentError

Points: TypeAlias = tuple[NDArray[np.float64], NDArray[np.int64]]


def xor(n: int = 4, noise: float = 0.0, seed: int = 0) -> Points:
    """The exclusive or: the smallest problem that no single straight line can solve.

    Row ``i`` is corner ``i mod 4`` of the unit square, in the order of the truth table
    (0, 0), (0, 1), (1, 0), (1, 1), plus ``noise * N(0, 1)`` in each coordinate. Its label is the
    exclusive or of the corner's coordinates.

    Parameters
    ----------
    n : int, default 4
        Number of rows. The default is the truth table itself.
    noise : float, default 0.0
        Standard deviation of the normal noise.
    seed : int, default 0
        From 0 to 2**32 - 1.

    Returns
    -------
    x : (n, 2) float64
    y : (n,) int64, 0 or 1

    Raises
    ------
    ArgumentError
        ``n`` is not a positive integer, ``noise`` is negative or not finite, or ``seed`` is not an
        integer in its range.

    Examples
    --------
    >>> from bital import datasets
    >>> x, y = datasets.xor()
    >>> y.tolist()
    [0, 1, 1, 0]
    """
    random = _random("xor", n, noise, seed)
    corner = np.arange(n) % 4
    bits = np.stack([corner // 2, corner % 2], axis=1)
    y = (bits[:, 0] ^ bits[:, 1]).astype(np.int64)
    return bits + noise * random.standard_normal((n, 2)), y


def spirals(
    n: int = 300, classes: int = 3, turns: float = 0.75, noise: float = 0.03, seed: int = 0
) -> Points:
    """Arms of a spiral, one for each class, wound into each other.

    A point of class ``c`` at ``r`` in (0, 1] lies at the angle
    ``2 pi (turns * r + c / classes)`` and the radius ``r``:
    ``x = r * (cos angle, sin angle) + noise * N(0, 1)``. The ``r`` of one class are evenly spaced.

    Parameters
    ----------
    n : int, default 300
        Number of rows. Class sizes differ by at most one.
    classes : int, default 3
        Number of arms, at least 2.
    turns : float, default 0.75
        How often an arm winds around the origin.
    noise : float, default 0.03
        Standard deviation of the normal noise.
    seed : int, default 0
        From 0 to 2**32 - 1.

    Returns
    -------
    x : (n, 2) float64
    y : (n,) int64, from 0 to ``classes - 1``

    Raises
    ------
    ArgumentError
        As ``xor``, or ``classes`` is not an integer from 2 to ``n``, or ``turns`` is not finite.

    Examples
    --------
    >>> from bital import datasets
    >>> x, y = datasets.spirals(n=90, classes=3)
    >>> x.shape, sorted(set(y.tolist()))
    ((90, 2), [0, 1, 2])
    """
    random = _random("spirals", n, noise, seed)
    if not _is_integer(classes) or not 2 <= classes <= n:
        raise ArgumentError(
            f"datasets.spirals: classes={classes!r}, but it must be an integer from 2 to n={n}."
        )
    if not _is_real(turns) or not np.isfinite(turns):
        raise ArgumentError(f"datasets.spirals: turns={turns!r}, but it must be a finite number.")
    sizes = _sizes(n, classes)
    y = np.repeat(np.arange(classes, dtype=np.int64), sizes)
    r = np.concatenate([np.arange(1, size + 1) / size for size in sizes])
    angle = 2 * np.pi * (turns * r + y / classes)
    return _finish(r * np.cos(angle), r * np.sin(angle), y, noise, random)


def moons(n: int = 200, noise: float = 0.1, seed: int = 0) -> Points:
    """Two half circles, each with its end inside the other.

    With ``a`` evenly spaced from 0 to pi, class 0 is the upper half circle ``(cos a, sin a)`` and
    class 1 the lower one ``(1 - cos a, 1/2 - sin a)``, each plus ``noise * N(0, 1)``. Without noise
    these are the points of scikit-learn's ``make_moons``.

    Parameters
    ----------
    n : int, default 200
        Number of rows, at least 2: ``n // 2`` of class 0, the rest of class 1.
    noise : float, default 0.1
        Standard deviation of the normal noise.
    seed : int, default 0
        From 0 to 2**32 - 1.

    Returns
    -------
    x : (n, 2) float64
    y : (n,) int64, 0 or 1

    Raises
    ------
    ArgumentError
        As ``xor``, or ``n`` is less than 2.

    Examples
    --------
    >>> from bital import datasets
    >>> x, y = datasets.moons(n=100, noise=0.2, seed=1)
    >>> x.shape, int(y.sum())
    ((100, 2), 50)
    """
    random = _random("moons", n, noise, seed, smallest=2)
    upper, lower = (np.linspace(0, np.pi, size) for size in (n // 2, n - n // 2))
    first = np.concatenate([np.cos(upper), 1 - np.cos(lower)])
    second = np.concatenate([np.sin(upper), 0.5 - np.sin(lower)])
    y = np.repeat(np.arange(2, dtype=np.int64), (upper.size, lower.size))
    return _finish(first, second, y, noise, random)


def circles(n: int = 200, factor: float = 0.5, noise: float = 0.05, seed: int = 0) -> Points:
    """A circle inside a circle.

    With ``a`` evenly spaced in [0, 2 pi), class 0 lies at ``(cos a, sin a)`` and class 1 at
    ``factor * (cos a, sin a)``, each plus ``noise * N(0, 1)``. Without noise these are the points
    of scikit-learn's ``make_circles``.

    Parameters
    ----------
    n : int, default 200
        Number of rows, at least 2: ``n // 2`` of class 0, the rest of class 1.
    factor : float, default 0.5
        Radius of the inner circle, from 0 up to but not including 1.
    noise : float, default 0.05
        Standard deviation of the normal noise.
    seed : int, default 0
        From 0 to 2**32 - 1.

    Returns
    -------
    x : (n, 2) float64
    y : (n,) int64, 0 (outer) or 1 (inner)

    Raises
    ------
    ArgumentError
        As ``xor``, or ``n`` is less than 2, or ``factor`` is not in [0, 1).

    Examples
    --------
    >>> from bital import datasets
    >>> x, y = datasets.circles(n=100, noise=0.0)
    >>> bool(np.allclose(np.hypot(*x[y == 1].T), 0.5))
    True
    """
    random = _random("circles", n, noise, seed, smallest=2)
    if not _is_real(factor) or not 0 <= factor < 1:
        raise ArgumentError(
            f"datasets.circles: factor={factor!r}, but the inner radius must be at least 0 and "
            "less than the outer radius, 1."
        )
    sizes = (n // 2, n - n // 2)
    angle = np.concatenate([2 * np.pi * np.arange(size) / size for size in sizes])
    y = np.repeat(np.arange(2, dtype=np.int64), sizes)
    radius = np.where(y == 0, 1.0, factor)
    return _finish(radius * np.cos(angle), radius * np.sin(angle), y, noise, random)


def _is_integer(value: object) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _is_real(value: object) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _random(name: str, n: int, noise: float, seed: int, smallest: int = 1) -> np.random.RandomState:
    """Check the arguments that all functions share, and make their source of numbers.

    ``RandomState`` and not ``Generator``: NumPy promises that its stream never changes (NEP 19),
    so a seed names the same points in every version.
    """
    if not _is_integer(n) or n < smallest:
        raise ArgumentError(
            f"datasets.{name}: n={n!r}, but the number of rows must be an integer of at least "
            f"{smallest}."
        )
    if not _is_real(noise) or not 0 <= noise < np.inf:
        raise ArgumentError(
            f"datasets.{name}: noise={noise!r}, but a standard deviation must be a finite number "
            "of at least 0."
        )
    if not _is_integer(seed) or not 0 <= seed < 2**32:
        raise ArgumentError(
            f"datasets.{name}: seed={seed!r}, but it must be an integer from 0 to 2**32 - 1."
        )
    return np.random.RandomState(int(seed))


def _sizes(n: int, classes: int) -> list[int]:
    """Split ``n`` rows into class sizes that differ by at most one, the larger ones first."""
    return [n // classes + (c < n % classes) for c in range(classes)]


def _finish(
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    y: NDArray[np.int64],
    noise: float,
    random: np.random.RandomState,
) -> Points:
    """Join the coordinates, add the noise and shuffle the rows."""
    x = np.stack([first, second], axis=1) + noise * random.standard_normal((y.size, 2))
    order = random.permutation(y.size)
    return x[order], y[order]
