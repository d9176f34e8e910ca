"""Activation functions, in plain NumPy: they run on arrays and on traced values alike.

Every function maps ``(...) -> (...)`` and keeps a floating dtype; integers promote as in NumPy.
Each one is finite, with finite derivatives of every order, wherever its formula is: a branch of
``np.where`` that is not taken never sees an argument on which it would overflow.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import bital
from bital.errors import ShapeError
from bital.nn.error_function import normal_cdf

Array = Any
"""A NumPy array, a NumPy scalar or a traced value."""

# Klambauer et al. 2017, "Self-Normalizing Neural Networks", equation 14.
SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805


def linear(x: Array) -> Array:
    """Return ``x`` as it is.

    Examples
    --------
    >>> import numpy as np
    >>> linear(np.array([-1.0, 2.0]))
    array([-1.,  2.])
    """
    return x


def exponential(x: Array) -> Array:
    """Return ``exp(x)``.

    Examples
    --------
    >>> import numpy as np
    >>> exponential(np.array([0.0]))
    array([1.])
    """
    return np.exp(x)


def tanh(x: Array) -> Array:
    """Return the hyperbolic tangent of ``x``.

    Examples
    --------
    >>> import numpy as np
    >>> tanh(np.array([0.0]))
    array([0.])
    """
    return np.tanh(x)


def elu(x: Array, alpha: float = 1.0) -> Array:
    """Return ``x`` where ``x > 0``, else ``alpha * (exp(x) - 1)``.

    The derivative at 0 is ``alpha``.

    Source: Clevert et al. 2016, "Fast and Accurate Deep Network Learning by Exponential Linear
    Units", equation 15.

    Examples
    --------
    >>> import numpy as np
    >>> elu(np.array([0.0, 2.0]))
    array([0., 2.])
    """
    positive = x > 0
    return np.where(positive, x, alpha * np.expm1(np.where(positive, 0, x)))


def selu(x: Array) -> Array:
    """Return ``SELU_SCALE * elu(x, SELU_ALPHA)``.

    Source: Klambauer et al. 2017, "Self-Normalizing Neural Networks", equation 2.

    Examples
    --------
    >>> import numpy as np
    >>> selu(np.array([0.0, 1.0])).round(4)
    array([0.    , 1.0507])
    """
    return SELU_SCALE * elu(x, SELU_ALPHA)


def sigmoid(x: Array) -> Array:
    """Return ``1 / (1 + exp(-x))``, to full relative precision in both tails.

    Examples
    --------
    >>> import numpy as np
    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0]))
    array([0. , 0.5, 1. ])
    """
    # Not abs(x): its derivative at 0 is 0, and the sigmoid's there is 1/4.
    positive = x >= 0
    small = np.exp(np.where(positive, -x, x))
    return np.where(positive, 1, small) / (1 + small)


def silu(x: Array) -> Array:
    """Return ``x * sigmoid(x)``, also called swish.

    Source: Elfwing et al. 2018, "Sigmoid-Weighted Linear Units", equation 5.

    Examples
    --------
    >>> import numpy as np
    >>> silu(np.array([0.0]))
    array([0.])
    """
    return x * sigmoid(x)


def softplus(x: Array) -> Array:
    """Return ``log(1 + exp(x))`` without overflow.

    Examples
    --------
    >>> import numpy as np
    >>> softplus(np.array([-1000.0, 1000.0]))
    array([   0., 1000.])
    """
    positive = x >= 0
    return np.where(positive, x, 0) + np.log1p(np.exp(np.where(positive, -x, x)))


def softsign(x: Array) -> Array:
    """Return ``x / (1 + |x|)``.

    Examples
    --------
    >>> import numpy as np
    >>> softsign(np.array([-1.0, 0.0, 3.0]))
    array([-0.5 ,  0.  ,  0.75])
    """
    return x / (1 + np.abs(x))


def mish(x: Array) -> Array:
    """Return ``x * tanh(softplus(x))``.

    Source: Misra 2020, "Mish: A Self Regularized Non-Monotonic Activation Function", equation 1.

    Examples
    --------
    >>> import numpy as np
    >>> mish(np.array([0.0]))
    array([0.])
    """
    return x * np.tanh(softplus(x))


def celu(x: Array, alpha: float = 1.0) -> Array:
    """Return ``x`` where ``x > 0``, else ``alpha * (exp(x / alpha) - 1)``.

    Unlike `elu` its derivative at 0 is 1 for every ``alpha``.

    Source: Barron 2017, "Continuously Differentiable Exponential Linear Units", equation 2.

    Examples
    --------
    >>> import numpy as np
    >>> celu(np.array([0.0, 2.0]))
    array([0., 2.])
    """
    positive = x > 0
    return np.where(positive, x, alpha * np.expm1(np.where(positive, 0, x) / alpha))


def log_sigmoid(x: Array) -> Array:
    """Return ``log(sigmoid(x))`` without overflow.

    Examples
    --------
    >>> import numpy as np
    >>> log_sigmoid(np.array([-1000.0, 1000.0]))
    array([-1000.,    -0.])
    """
    return -softplus(-x)


def tanh_shrink(x: Array) -> Array:
    """Return ``x - tanh(x)``.

    Examples
    --------
    >>> import numpy as np
    >>> tanh_shrink(np.array([0.0]))
    array([0.])
    """
    return x - np.tanh(x)


def squareplus(x: Array, b: float = 4.0) -> Array:
    """Return ``(x + sqrt(x**2 + b)) / 2``, an algebraic softplus, without overflow.

    Source: Barron 2021, "Squareplus: A Softplus-Like Algebraic Rectifier".

    Examples
    --------
    >>> import numpy as np
    >>> squareplus(np.array([0.0]))
    array([1.])
    """
    return 0.5 * (x + np.hypot(x, math.sqrt(b)))


def gelu(x: Array, approximate: bool = True) -> Array:
    """Return the Gaussian error linear unit ``x * Phi(x)``, with the normal distribution function.

    With ``approximate`` its tanh form, at most 5e-4 away: ``0.5 * x * (1 + tanh(sqrt(2 / pi) * (x
    + 0.044715 * x**3)))``.

    Source: Hendrycks and Gimpel 2016, "Gaussian Error Linear Units", section 2.

    Examples
    --------
    >>> import numpy as np
    >>> gelu(np.array([0.0, 1.0])).round(4)
    array([0.    , 0.8412])
    >>> gelu(np.array([0.0, 1.0]), approximate=False).round(4)
    array([0.    , 0.8413])
    """
    if not approximate:
        return x * normal_cdf(x)
    inner = x * (0.7978845608028654 + 0.035677408136300125 * (x * x))
    return 0.5 * x * (1 + np.tanh(inner))


def glu(x: Array, axis: int = -1) -> Array:
    """Return ``a * sigmoid(b)`` for the halves ``a, b`` of ``x``: ``(..., 2n) -> (..., n)``.

    Source: Dauphin et al. 2017, "Language Modeling with Gated Convolutional Networks".

    Raises
    ------
    ShapeError
        If the axis has an odd number of elements.

    Examples
    --------
    >>> import numpy as np
    >>> glu(np.array([3.0, 0.0]))
    array([1.5])
    """
    if x.shape[axis] % 2:
        raise ShapeError(
            f"glu(x, axis={axis}) received shape {x.shape}: the axis is cut in two halves and must "
            "have an even number of elements. Give the layer before it one output more."
        )
    first, second = np.split(x, 2, axis=axis)
    return first * sigmoid(second)


def logsumexp(x: Array, axis: int | tuple[int, ...] | None = -1, keepdims: bool = False) -> Array:
    """Return ``log(sum(exp(x), axis))`` without overflow: ``(..., n) -> (...)``.

    A slice that is ``-inf`` throughout gives ``-inf``.

    Examples
    --------
    >>> import numpy as np
    >>> (logsumexp(np.array([1000.0, 1000.0])) - 1000).round(4)
    np.float64(0.6931)
    """
    # The shift cancels in the exact derivative, so it need not be differentiated.
    top = bital.stop_gradient(np.max(x, axis=axis, keepdims=True))
    top = np.where(np.isfinite(top), top, 0)
    total = np.log(np.sum(np.exp(x - top), axis=axis, keepdims=True)) + top
    return total if keepdims else np.squeeze(total, axis=axis)


def softmax(x: Array, axis: int | tuple[int, ...] = -1) -> Array:
    """Return ``exp(x) / sum(exp(x), axis)`` without overflow: ``(..., n) -> (..., n)``.

    Examples
    --------
    >>> import numpy as np
    >>> softmax(np.array([1000.0, 1000.0]))
    array([0.5, 0.5])
    """
    powers = np.exp(x - bital.stop_gradient(np.max(x, axis=axis, keepdims=True)))
    return powers / np.sum(powers, axis=axis, keepdims=True)


def log_softmax(x: Array, axis: int | tuple[int, ...] = -1) -> Array:
    """Return ``x - logsumexp(x, axis)``: ``(..., n) -> (..., n)``.

    Examples
    --------
    >>> import numpy as np
    >>> log_softmax(np.array([0.0, 0.0])).round(4)
    array([-0.6931, -0.6931])
    """
    shifted = x - bital.stop_gradient(np.max(x, axis=axis, keepdims=True))
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))
