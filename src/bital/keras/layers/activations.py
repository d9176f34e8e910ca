"""Activations that have arguments, as layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from bital import nn
from bital.errors import ArgumentError, ShapeError
from bital.keras import checks, constraints, initializers, regularizers
from bital.keras.layers.base import Layer, Shape


class _Elementwise(Layer):
    """Base of layers whose outputs have the inputs' shape."""

    supports_masking = True

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        return input_shape


class ReLU(_Elementwise):
    """``min(x, max_value)`` where ``x > threshold``, else ``negative_slope * (x - threshold)``.

    ``(batch, ...) -> (batch, ...)``. The derivative at the threshold is that of the left side, and
    at ``max_value`` it is 0.

    Parameters
    ----------
    max_value : float, optional
        The largest output. Default: none.
    negative_slope : float, default 0
        The slope below the threshold.
    threshold : float, default 0
        Where the right side begins.
    name, dtype, input_shape
        As in `Layer`.

    Raises
    ------
    ArgumentError
        If a number is negative.

    Examples
    --------
    >>> import numpy as np
    >>> ReLU(max_value=6, negative_slope=0.1)(np.array([[-1.0, 3.0, 9.0]]))
    array([[-0.1,  3. ,  6. ]], dtype=float32)
    """

    def __init__(
        self,
        max_value: float | None = None,
        negative_slope: float = 0.0,
        threshold: float = 0.0,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.max_value = (
            None if max_value is None else checks.number("ReLU", "max_value", max_value, 0)
        )
        self.negative_slope = checks.number("ReLU", "negative_slope", negative_slope, 0)
        self.threshold = checks.number("ReLU", "threshold", threshold, 0)

    def call(self, x: Any) -> Any:
        """Return the outputs."""
        high = x if self.max_value is None else np.where(x < self.max_value, x, self.max_value)
        low = self.negative_slope * (x - self.threshold) if self.negative_slope else 0
        return np.where(x > self.threshold, high, low)


class LeakyReLU(_Elementwise):
    """``x`` where ``x > 0``, else ``negative_slope * x``: ``(batch, ...) -> (batch, ...)``.

    Parameters
    ----------
    negative_slope : float, default 0.3
        The slope of the left side.
    name, dtype, input_shape
        As in `Layer`.

    Notes
    -----
    Source: Maas et al. 2013, "Rectifier Nonlinearities Improve Neural Network Acoustic Models".

    Examples
    --------
    >>> import numpy as np
    >>> LeakyReLU()(np.array([[-1.0, 2.0]]))
    array([[-0.3,  2. ]], dtype=float32)
    """

    def __init__(self, negative_slope: float = 0.3, **options: Any) -> None:
        super().__init__(**options)
        self.negative_slope = checks.number("LeakyReLU", "negative_slope", negative_slope, 0)

    def call(self, x: Any) -> Any:
        """Return the outputs."""
        return nn.leaky_relu(x, self.negative_slope)


class ELU(_Elementwise):
    """``x`` where ``x > 0``, else ``alpha * (exp(x) - 1)``: ``(batch, ...) -> (batch, ...)``.

    Parameters
    ----------
    alpha : float, default 1
        Minus the limit on the left.
    name, dtype, input_shape
        As in `Layer`.

    Notes
    -----
    Source: Clevert et al. 2016, "Fast and Accurate Deep Network Learning by Exponential Linear
    Units", equation 15.

    Examples
    --------
    >>> import numpy as np
    >>> ELU()(np.array([[-1.0, 2.0]])).round(3)
    array([[-0.632,  2.   ]], dtype=float32)
    """

    def __init__(self, alpha: float = 1.0, **options: Any) -> None:
        super().__init__(**options)
        self.alpha = checks.number("ELU", "alpha", alpha)

    def call(self, x: Any) -> Any:
        """Return the outputs."""
        return nn.elu(x, self.alpha)


class PReLU(_Elementwise):
    """``x`` where ``x > 0``, else ``alpha * x``, with a learned ``alpha`` for each place.

    ``(batch, ...) -> (batch, ...)``; the weight ``alpha`` has the shape of a sample, with 1 for
    the shared axes.

    Parameters
    ----------
    alpha_initializer : str or Initializer, default "zeros"
        First values.
    alpha_regularizer : str, Regularizer or function, optional
        What their size adds to the loss.
    alpha_constraint : str, Constraint or function, optional
        What they are projected to after each step.
    shared_axes : int or list of int, optional
        Axes along which places share one ``alpha``, counted with the batch as 0: ``[1, 2]`` for
        one per channel of an image.
    name, trainable, dtype, input_shape
        As in `Layer`.

    Notes
    -----
    Source: He et al. 2015, "Delving Deep into Rectifiers", equation 1.

    Examples
    --------
    >>> import numpy as np
    >>> PReLU("ones", shared_axes=[1, 2])(np.full((1, 4, 4, 3), -2.0)).mean()
    np.float32(-2.0)
    """

    def __init__(
        self,
        alpha_initializer: Any = "zeros",
        alpha_regularizer: Any = None,
        alpha_constraint: Any = None,
        shared_axes: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.alpha_initializer = initializers.get(alpha_initializer)
        self.alpha_regularizer = regularizers.get(alpha_regularizer)
        self.alpha_constraint = constraints.get(alpha_constraint)
        self.shared_axes = None
        if shared_axes is not None:
            axes = shared_axes if isinstance(shared_axes, (list, tuple)) else [shared_axes]
            self.shared_axes = [checks.integer("PReLU", "shared_axes", axis) for axis in axes]

    def build(self, input_shape: Shape) -> None:
        """Make ``alpha``.

        Raises
        ------
        ShapeError
            If a size that is not shared is unknown, or a shared axis does not exist.
        """
        shared = self.shared_axes or []
        sizes = [1 if axis in shared else n for axis, n in enumerate(input_shape)][1:]
        if None in sizes or any(axis >= len(input_shape) for axis in shared):
            raise ShapeError(
                f"PReLU {self.name!r} with shared_axes={self.shared_axes} received inputs of shape "
                f"{tuple(input_shape)}; all sizes that are not shared must be known."
            )
        self.alpha = self.add_weight(
            tuple(sizes),
            self.alpha_initializer,
            name="alpha",
            regularizer=self.alpha_regularizer,
            constraint=self.alpha_constraint,
        )

    def check_input(self, input_shape: Shape) -> None:
        """Raise `ShapeError` unless ``alpha`` fits the inputs."""
        have = tuple(input_shape[1:])
        if len(have) != self.alpha.ndim or any(
            a not in (1, n) for a, n in zip(self.alpha.shape, have, strict=True)
        ):
            raise ShapeError(
                f"PReLU {self.name!r} has an alpha of shape {self.alpha.shape} and received inputs "
                f"of shape {tuple(input_shape)}."
            )

    def call(self, x: Any) -> Any:
        """Return the outputs."""
        return np.where(x > 0, x, self.alpha * x)


class Softmax(_Elementwise):
    """``exp(x) / sum(exp(x), axis)``: ``(batch, ...) -> (batch, ...)``.

    Parameters
    ----------
    axis : int or list of int, default -1
        What sums to 1.
    name, dtype, input_shape
        As in `Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> Softmax()(np.array([[1.0, 1.0]]), mask=np.array([[True, False]]))
    array([[1., 0.]], dtype=float32)
    """

    def __init__(self, axis: Any = -1, **options: Any) -> None:
        super().__init__(**options)
        several = isinstance(axis, (list, tuple))
        for number in axis if several else [axis]:
            checks.integer("Softmax", "axis", number, low=-32)
        self.axis = tuple(axis) if several else int(axis)

    def call(self, x: Any, mask: Any = None) -> Any:
        """Return the outputs; places where ``mask`` is False get 0 and the others sum to 1.

        Raises
        ------
        ArgumentError
            If ``mask`` does not broadcast to the inputs.
        """
        if mask is None:
            return nn.softmax(x, self.axis)
        fits = zip(mask.shape[::-1], x.shape[::-1], strict=False)
        if mask.ndim > x.ndim or any(m not in (1, n) for m, n in fits):
            raise ArgumentError(
                f"Softmax {self.name!r}: a mask of shape {mask.shape} does not broadcast to inputs "
                f"of shape {x.shape}."
            )
        keep = mask if mask.dtype == bool else mask > 0.5
        return np.where(keep, nn.softmax(np.where(keep, x, -1e9), self.axis), 0)


__all__ = ["ELU", "LeakyReLU", "PReLU", "ReLU", "Softmax"]
