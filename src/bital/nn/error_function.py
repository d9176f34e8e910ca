"""The distribution function of the normal distribution, which NumPy has no name for."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import bital

# erfc(z) = t exp(-z^2 + p(2t - 1)) with t = 2 / (2 + z), z >= 0: the Chebyshev coefficients of p.
# Source: Press et al. 2007, "Numerical Recipes", section 6.2.2.
_COEFFICIENTS = (
    -0.65132685989085459, 6.4196979235649026e-1, 1.9476473204185836e-2, -9.561514786808631e-3,
    -9.46595344482036e-4, 3.66839497852761e-4, 4.2523324806907e-5, -2.0278578112534e-5,
    -1.624290004647e-6, 1.303655835580e-6, 1.5626441722e-8, -8.5238095915e-8, 6.529054439e-9,
    5.059343495e-9, -9.91364156e-10, -2.27365122e-10, 9.6467911e-11, 2.394038e-12,
    -6.886027e-12, 8.94487e-13, 3.13092e-13, -1.12708e-13, 3.81e-16, 7.106e-15, -1.523e-15,
)  # fmt: skip
_FAR = 40.0  # erfc rounds to 0 long before, in every dtype


@bital.custom_jvp
def normal_cdf(x: Any) -> Any:
    """Return the probability that a standard normal number is below ``x``: ``(...) -> (...)``.

    ``Phi(x) = erfc(-x / sqrt(2)) / 2``, with a small relative error in both tails. The derivative
    is the normal density.

    Examples
    --------
    >>> import numpy as np
    >>> normal_cdf(np.array([-40.0, 0.0, 1.96])).round(3)
    array([0.   , 0.5  , 0.975])
    """
    z = np.minimum(np.abs(x) * math.sqrt(0.5), _FAR)
    t = 2 / (2 + z)
    s = 2 * t - 1
    enough = 14 if np.dtype(z.dtype).itemsize <= 4 else len(_COEFFICIENTS)
    later, last = 0.0, 0.0
    for coefficient in _COEFFICIENTS[enough - 1 : 0 : -1]:  # Clenshaw's recurrence
        later, last = 2 * s * later - last + coefficient, later
    tail = 0.5 * t * np.exp(_COEFFICIENTS[0] + s * later - last - z * z)
    return np.where(x > 0, 1 - tail, tail)


@normal_cdf.defjvp
def _slope(primals: tuple[Any], tangents: tuple[Any]) -> tuple[Any, Any]:
    (x,), (dx,) = primals, tangents
    # The square of what is far off would overflow, and its density is 0 anyway.
    near = np.where(np.abs(x) < _FAR, x, 0)
    density = np.exp(-0.5 * (near * near)) * (1 / math.sqrt(2 * math.pi))
    return normal_cdf(x), dx * np.where(np.abs(x) < _FAR, density, 0)


__all__ = ["normal_cdf"]
