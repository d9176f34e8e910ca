"""Gamma numbers, and what is made of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bital.api import custom_jvp, stop_gradient, while_loop
from bital.errors import ShapeError
from bital.random.keys import float_dtype, fold_in, parameter, shape_of, split
from bital.random.normals import normal
from bital.random.uniforms import open_uniform


def gamma(key: Any, a: Any, shape: Sequence[int] | None = None, dtype: Any = np.float64) -> Any:
    """Gamma with shape parameter a and scale 1: density x**(a - 1) exp(-x) / Gamma(a).

    Parameters
    ----------
    key : (2,) uint64
    a : number or array, positive
    shape : sequence of int, optional
        To which a broadcasts; by default a's own.
    dtype : float32 or float64, default float64

    Returns
    -------
    array of `shape` and `dtype`
        NaN where a is not positive and finite. Where a is small the number may be too small for the
        dtype, and 0: `loggamma` gives its logarithm.

    Notes
    -----
    By rejection (Marsaglia and Tsang, ACM TOMS 26, 2000, p. 363), each attempt from a key of its
    own, so that an element depends on the key and its place alone. Differentiable in a, in both
    modes, by implicit reparametrisation: dx/da = -(dP(a, x)/da) / density, with the distribution
    function P (Figurnov, Mohamed and Mnih, NeurIPS 2018). Second derivatives have forward mode
    alone over either.

    Examples
    --------
    >>> gamma(key(0), np.array([0.5, 3.0])).shape
    (2,)
    """
    x, shrink = _draw("gamma", key, a, shape, dtype)
    return x * np.exp(shrink)


def loggamma(key: Any, a: Any, shape: Sequence[int] | None = None, dtype: Any = np.float64) -> Any:
    """The logarithm of `gamma`'s numbers, which does not underflow where a is small.

    Examples
    --------
    >>> bool(np.isfinite(loggamma(key(0), 1e-6)))
    True
    """
    x, shrink = _draw("loggamma", key, a, shape, dtype)
    return np.log(x) + shrink


def beta(
    key: Any, a: Any, b: Any, shape: Sequence[int] | None = None, dtype: Any = np.float64
) -> Any:
    """Beta with parameters a and b: density proportional to x**(a - 1) (1 - x)**(b - 1).

    Parameters
    ----------
    key : (2,) uint64
    a, b : number or array, positive
    shape : sequence of int, optional
        To which a and b broadcast; by default their own.
    dtype : float32 or float64, default float64

    Returns
    -------
    array of `shape` and `dtype`
        ``x / (x + y)`` with gamma numbers x and y, in logarithms. Differentiable in a and b.

    Examples
    --------
    >>> beta(key(0), 2.0, 3.0, (4,)).shape
    (4,)
    """
    dtype, shape = float_dtype("beta", dtype), shape_of("beta", shape, a, b)
    first, second = split(key)
    x, y = loggamma(first, a, shape, dtype), loggamma(second, b, shape, dtype)
    return np.exp(x - np.logaddexp(x, y))


def dirichlet(
    key: Any, alpha: Any, shape: Sequence[int] | None = None, dtype: Any = np.float64
) -> Any:
    """Dirichlet: probabilities of n outcomes, with density proportional to prod x_i**(alpha_i - 1).

    Parameters
    ----------
    key : (2,) uint64
    alpha : (..., n), positive
    shape : sequence of int, optional
        How many vectors, without n; by default one for each row of alpha.
    dtype : float32 or float64, default float64

    Returns
    -------
    (*shape, n) of `dtype`
        Gamma numbers over their sum, in logarithms; rows sum to 1. Differentiable in alpha.

    Examples
    --------
    >>> dirichlet(key(0), np.ones(3), (4,)).shape
    (4, 3)
    """
    if not np.ndim(alpha):
        raise ShapeError(f"random.dirichlet: alpha has shape (..., n), got {alpha!r:.60}")
    batch, n = np.shape(alpha)[:-1], np.shape(alpha)[-1]
    dtype = float_dtype("dirichlet", dtype)
    rows = shape_of("dirichlet", batch if shape is None else shape, np.empty(batch))
    x = loggamma(key, alpha, (*rows, n), dtype)
    x = np.exp(x - stop_gradient(np.max(x, axis=-1, keepdims=True)))
    return x / np.sum(x, axis=-1, keepdims=True)


def _draw(name: str, key: Any, a: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
    """A number of a larger parameter, and the logarithm that makes it one of a.

    If x is of a + 1, then ``x u**(1 / a)`` is of a (Marsaglia and Tsang, section 6).
    """
    dtype = float_dtype(name, dtype)
    shape = shape_of(name, shape, a)
    a = parameter(a, dtype)
    is_small = (a > 0.0) & (a < 1.0)
    larger = np.where(is_small, a + 1.0, a)
    first, second = split(key)
    x = _sampled(larger, _rejection(first, stop_gradient(larger), shape, dtype))
    log_u = np.log(open_uniform(second, shape, dtype))
    return x, np.where(is_small, log_u / np.where(is_small, a, 1.0), 0.0)


def _rejection(key: Any, a: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
    """Gamma numbers for a >= 1."""
    possible = (a > 0.0) & np.isfinite(a)
    d = np.where(possible, a, 1.0) - 1.0 / 3.0
    c = 1.0 / np.sqrt(9.0 * d)

    def attempt(state: Any) -> Any:
        turn, found, done = state
        of_x, of_u = split(fold_in(key, turn))
        x, u = normal(of_x, shape, dtype), open_uniform(of_u, shape, dtype)
        root = 1.0 + c * x
        v = np.where(root > 0.0, root, 1.0) ** 3
        accepted = (root > 0.0) & (np.log(u) < 0.5 * x * x + d * (1.0 - v + np.log(v)))
        return turn + 1, np.where(accepted & ~done, d * v, found), done | accepted

    start = np.full(shape, np.nan, dtype)[()]
    none = np.broadcast_to(~possible, shape)
    return while_loop(lambda state: ~np.all(state[2]), attempt, (0, start, none))[1]


# --- the derivative by the parameter --------------------------------------------------------


@custom_jvp
def _sampled(a: Any, x: Any) -> Any:
    """x, as a function of the parameter for which it was drawn."""
    return x * 1.0


@_sampled.defjvp
def _rule(primals: Any, tangents: Any) -> Any:
    (a, x), (da, dx) = primals, tangents
    return x, dx + da * _slope(a, x)


_LARGE = 500.0  # from here on the expansion is exact to 1e-9, and the series long


def _slope(a: Any, x: Any) -> Any:
    """dx/da where the distribution function P(a, x) stays the same; a >= 1."""
    wide, at = a.astype(np.float64), np.maximum(x.astype(np.float64), 1e-300)
    large = wide >= _LARGE
    far = _slope_by_expansion(np.where(large, wide, _LARGE), np.where(large, at, _LARGE))
    near = _slope_by_series(np.where(large, 1.0, wide), np.where(large, 1.0, at))
    return np.where(large, far, near).astype(x.dtype)


def _slope_by_series(a: Any, x: Any) -> Any:
    """From P = x**a exp(-x) / Gamma(a + 1) sum_n x**n / ((a + 1) ... (a + n)), term by term."""
    one = np.ones_like(a * x)

    def add(state: Any) -> Any:
        n, term, harmonic, total, slopes = state
        n, term = n + 1.0, term * x / (a + n + 1.0)
        harmonic = harmonic + 1.0 / (a + n)
        return n, term, harmonic, total + term, slopes + term * harmonic

    start = (0.0, one, 0.0 * one, one, 0.0 * one)
    _, _, _, total, slopes = while_loop(
        lambda state: np.any(state[1] > 1e-17 * state[3]) & (state[0] < 1e4), add, start
    )
    return -(x / a) * (total * (np.log(x) - _digamma(a + 1.0)) - slopes)


def _digamma(x: Any) -> Any:
    """For x >= 1: shifted by 9, then Stirling's series (DLMF 5.11.2)."""
    shift = sum(1.0 / (x + k) for k in range(9))
    y = 1.0 / (x + 9.0)
    z = y * y
    series = z * (1 / 12 - z * (1 / 120 - z * (1 / 252 - z * (1 / 240 - z / 132))))
    return -np.log(y) - 0.5 * y - series - shift


def _slope_by_expansion(a: Any, x: Any) -> Any:
    """From the Cornish-Fisher expansion of x about the normal quantile of the same probability."""
    root = np.sqrt(a)
    y = 3.0 * root * (np.cbrt(x / a) - 1.0 + 1.0 / (9.0 * a))  # Wilson and Hilferty
    for _ in range(2):
        p1, p2, p3, p4 = _polynomials(y)
        excess = a + root * y + p1 / 3.0 + p2 / (36.0 * root) - p3 / (810.0 * a)
        excess = excess + p4 / (38880.0 * a * root) - x
        y = y - excess / (root + y / 1.5 + (3.0 * y * y - 7.0) / (36.0 * root))
    _, p2, p3, p4 = _polynomials(y)
    slope = 1.0 + y / (2.0 * root) - p2 / (72.0 * a * root)
    return slope + p3 / (810.0 * a * a) - p4 / (25920.0 * a * a * root)


def _polynomials(y: Any) -> tuple[Any, Any, Any, Any]:
    """Of Abramowitz and Stegun, 26.2.50, for the chi-square distribution (their 26.4.14 on)."""
    z = y * y
    return (
        z - 1.0,
        y * (z - 7.0),
        (3.0 * z + 7.0) * z - 16.0,
        y * ((9.0 * z + 256.0) * z - 433.0),
    )
