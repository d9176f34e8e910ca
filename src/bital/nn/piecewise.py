"""Activation functions made of pieces: where the pieces meet, the docstring says the derivative."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any


def relu(x: Array) -> Array:
    """Return ``max(x, 0)``; the derivative at 0 is 0.

    Source: Nair and Hinton 2010, "Rectified Linear Units Improve Restricted Boltzmann Machines".

    Examples
    --------
    >>> import numpy as np
    >>> relu(np.array([-1.0, 0.0, 2.0]))
    array([0., 0., 2.])
    """
    return np.where(x > 0, x, 0)


def relu6(x: Array) -> Array:
    """Return ``min(max(x, 0), 6)``; the derivative is 0 at 0 and at 6.

    Source: Krizhevsky 2010, "Convolutional Deep Belief Networks on CIFAR-10".

    Examples
    --------
    >>> import numpy as np
    >>> relu6(np.array([-1.0, 3.0, 9.0]))
    array([0., 3., 6.])
    """
    return np.where(x > 0, np.where(x < 6, x, 6), 0)


def leaky_relu(x: Array, negative_slope: float = 0.2) -> Array:
    """Return ``x`` where ``x > 0``, else ``negative_slope * x``.

    The derivative at 0 is ``negative_slope``.

    Source: Maas et al. 2013, "Rectifier Nonlinearities Improve Neural Network Acoustic Models".

    Examples
    --------
    >>> import numpy as np
    >>> leaky_relu(np.array([-1.0, 2.0]))
    array([-0.2,  2. ])
    """
    return np.where(x > 0, x, negative_slope * x)


def hard_sigmoid(x: Array) -> Array:
    """Return ``relu6(x + 3) / 6``, the piecewise linear sigmoid.

    Examples
    --------
    >>> import numpy as np
    >>> hard_sigmoid(np.array([-3.0, 0.0, 3.0]))
    array([0. , 0.5, 1. ])
    """
    return relu6(x + 3) / 6


def hard_silu(x: Array) -> Array:
    """Return ``x * hard_sigmoid(x)``, also called hard swish.

    Source: Howard et al. 2019, "Searching for MobileNetV3", section 5.2.

    Examples
    --------
    >>> import numpy as np
    >>> hard_silu(np.array([-3.0, 0.0, 3.0]))
    array([-0.,  0.,  3.])
    """
    return x * hard_sigmoid(x)


def hard_tanh(x: Array) -> Array:
    """Return ``x`` kept within ``[-1, 1]``; the derivative at -1 and 1 is 1.

    Examples
    --------
    >>> import numpy as np
    >>> hard_tanh(np.array([-2.0, 0.5, 2.0]))
    array([-1. ,  0.5,  1. ])
    """
    return np.where(x > 1, 1, np.where(x < -1, -1, x))


def hard_shrink(x: Array, threshold: float = 0.5) -> Array:
    """Return ``x`` where ``|x| > threshold``, else 0.

    Examples
    --------
    >>> import numpy as np
    >>> hard_shrink(np.array([-1.0, 0.5, 1.0]))
    array([-1.,  0.,  1.])
    """
    return np.where(np.abs(x) > threshold, x, 0)


def soft_shrink(x: Array, threshold: float = 0.5) -> Array:
    """Return ``x`` moved towards 0 by ``threshold``, and 0 where that would pass it.

    The derivative at ``-threshold`` and ``threshold`` is 0.

    Examples
    --------
    >>> import numpy as np
    >>> soft_shrink(np.array([-1.0, 0.5, 1.0]))
    array([-0.5,  0. ,  0.5])
    """
    return np.where(x > threshold, x - threshold, np.where(x < -threshold, x + threshold, 0))


def threshold(x: Array, threshold: float, default_value: float) -> Array:
    """Return ``x`` where ``x > threshold``, else ``default_value``.

    Examples
    --------
    >>> import numpy as np
    >>> threshold(np.array([-1.0, 2.0]), 0.0, 5.0)
    array([5., 2.])
    """
    return np.where(x > threshold, x, default_value)


def sparse_plus(x: Array) -> Array:
    """Return 0 for ``x <= -1``, ``(x + 1)**2 / 4`` up to 1, and ``x`` from there on.

    Its derivative is `sparse_sigmoid`.

    Examples
    --------
    >>> import numpy as np
    >>> sparse_plus(np.array([-2.0, 0.0, 2.0]))
    array([0.  , 0.25, 2.  ])
    """
    inside = np.where(np.abs(x) < 1, x, 0)
    return np.where(x <= -1, 0, np.where(x >= 1, x, 0.25 * np.square(inside + 1)))


def sparse_sigmoid(x: Array) -> Array:
    """Return ``(x + 1) / 2`` kept within ``[0, 1]``; the derivative at -1 and 1 is 0.

    Source: Martins and Astudillo 2016, "From Softmax to Sparsemax", section 2.2.

    Examples
    --------
    >>> import numpy as np
    >>> sparse_sigmoid(np.array([-2.0, 0.0, 2.0]))
    array([0. , 0.5, 1. ])
    """
    return np.where(x <= -1, 0, np.where(x >= 1, 1, 0.5 * (x + 1)))


def sparsemax(x: Array, axis: int = -1) -> Array:
    """Return the point of the simplex that is nearest to ``x``: ``(..., n) -> (..., n)``.

    A softmax with exact zeros: ``max(x - tau, 0)`` with ``tau`` such that the sum is 1.

    Source: Martins and Astudillo 2016, "From Softmax to Sparsemax", algorithm 1.

    Examples
    --------
    >>> import numpy as np
    >>> sparsemax(np.array([1.0, 0.5, -1.0]))
    array([0.75, 0.25, 0.  ])
    """
    n = x.shape[axis]
    falling = np.flip(np.sort(x, axis=axis), axis=axis)
    sums = np.cumsum(falling, axis=axis)
    shape = [1] * x.ndim
    shape[axis] = n
    ranks = np.arange(1, n + 1, dtype=x.dtype).reshape(shape)
    support = falling * ranks > sums - 1
    size = np.sum(support, axis=axis, keepdims=True)
    total = np.sum(np.where(support, falling, 0), axis=axis, keepdims=True)
    tau = (total - 1) / size.astype(x.dtype)
    return np.where(x > tau, x - tau, 0)
