"""Normal numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from bital.errors import ArgumentError, ShapeError
from bital.random.keys import float_dtype, is_traced, parameter, shape_of
from bital.random.uniforms import uniform


def normal(key: Any, shape: Sequence[int] = (), dtype: Any = np.float64) -> Any:
    """Standard normal, by the Box-Muller transform.

    Parameters
    ----------
    key : (2,) uint64
    shape : sequence of int
    dtype : float32 or float64, default float64

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
    dtype = float_dtype("normal", dtype)
    pair = uniform(key, (2, *shape_of("normal", shape)), dtype)
    radius = np.sqrt(-2.0 * np.log(1.0 - pair[0]))
    return radius * np.cos((2.0 * np.pi) * pair[1])


def truncated_normal(
    key: Any,
    lower: Any,
    upper: Any,
    shape: Sequence[int] | None = None,
    dtype: Any = np.float64,
) -> Any:
    """Standard normal, restricted to [lower, upper], by inverting the distribution function.

    Parameters
    ----------
    key : (2,) uint64
    lower, upper : float or array
        Within [-8, 8]. They are fixed when a function is recorded.
    shape : sequence of int, optional
        To which the bounds broadcast; by default their own.
    dtype : float32 or float64, default float64

    Returns
    -------
    array of `shape` and `dtype`
        The normal quantile of a uniform number between the bounds' probabilities.

    Raises
    ------
    ArgumentError
        Where lower is not below upper, a bound is beyond 8 or NaN, or a bound is being traced.

    Examples
    --------
    >>> float(np.abs(truncated_normal(key(0), -2.0, 2.0, (1000,))).max()) <= 2.0
    True
    """
    dtype = float_dtype("truncated_normal", dtype)
    if is_traced(lower) or is_traced(upper):
        raise ArgumentError(
            f"random.truncated_normal: the bounds are fixed, got {lower!r:.60} and {upper!r:.60}. "
            "Pass them as plain numbers (static_argnums under bital.jit), or reject and draw again"
        )
    if not np.all((np.less_equal(-8.0, lower)) & np.less(lower, upper) & np.less_equal(upper, 8.0)):
        raise ArgumentError(
            f"truncated_normal needs -8 <= lower < upper <= 8, got {lower!r:.60}, {upper!r:.60}"
        )
    shape = shape_of("truncated_normal", shape, lower, upper)
    turned = np.greater(lower, 0.0)  # the upper tail as the lower one, whose numbers are finer
    first, last = np.where(turned, np.negative(upper), lower), np.where(turned, -lower, upper)
    low, high = map(_probability, (first, last))
    x = _normal_quantile(uniform(key, shape, np.float64, low, high))
    return np.clip(np.where(turned, -x, x), lower, upper).astype(dtype)


def multivariate_normal(
    key: Any, mean: Any, cov: Any, shape: Sequence[int] | None = None, dtype: Any = np.float64
) -> Any:
    """Normal vectors with a mean and a covariance matrix.

    Parameters
    ----------
    key : (2,) uint64
    mean : (..., n)
    cov : (..., n, n)
        Symmetric and positive definite.
    shape : sequence of int, optional
        How many vectors, without n; by default one for each mean and matrix.
    dtype : float32 or float64, default float64

    Returns
    -------
    (*shape, n) of `dtype`
        ``mean + L z`` with a standard normal z and the Cholesky factor, ``L @ L.T == cov``.
        Differentiable in mean and cov.

    Raises
    ------
    ShapeError
        Where mean and cov do not fit.
    numpy.linalg.LinAlgError
        Where cov is not positive definite.

    Examples
    --------
    >>> multivariate_normal(key(0), np.zeros(2), np.eye(2), (5,)).shape
    (5, 2)
    """
    dtype = float_dtype("multivariate_normal", dtype)
    mean, cov = parameter(mean, dtype), parameter(cov, dtype)
    n = np.shape(mean)[-1:]
    if not n or np.shape(cov)[-2:] != (*n, *n):
        raise ShapeError(
            f"random.multivariate_normal: a mean of shape {np.shape(mean)} needs a covariance of "
            f"shape (..., n, n) with the same n, got {np.shape(cov)}"
        )
    batch = np.broadcast_shapes(np.shape(mean)[:-1], np.shape(cov)[:-2])
    rows = shape_of("multivariate_normal", batch if shape is None else shape, np.empty(batch))
    z = normal(key, (*rows, *n), dtype)
    return mean + (np.linalg.cholesky(cov) @ z[..., None])[..., 0]


def _probability(bound: Any) -> Any:
    """That a standard normal number lies below."""
    return 0.5 * np.vectorize(math.erfc, otypes=[float])(np.divide(bound, -math.sqrt(2.0)))


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
