"""Layers that shift and scale their inputs to a common mean and size."""

from __future__ import annotations

from typing import Any

import numpy as np

from bital.errors import ArgumentError, ShapeError
from bital.keras import checks, constraints, initializers, regularizers
from bital.keras.layers.base import Layer, Shape


class LayerNormalization(Layer):
    """Each sample to mean 0 and variance 1 along some axes: ``(batch, ...) -> (batch, ...)``.

    ``gamma * (x - mean) / sqrt(variance + epsilon) + beta``; gamma and beta have the sizes of the
    normalised axes.

    Parameters
    ----------
    axis : int or list of int, default -1
        What mean and variance are taken over.
    epsilon : float, default 1e-3
        Keeps the divisor away from 0.
    center, scale : bool, default True
        Whether there is a beta, and a gamma.
    beta_initializer, gamma_initializer : str or Initializer, default "zeros", "ones"
        Their first values.
    beta_regularizer, gamma_regularizer : str, Regularizer or function, optional
        What their size adds to the loss.
    beta_constraint, gamma_constraint : str, Constraint or function, optional
        What they are replaced by after each step of training.
    name, trainable, dtype, input_shape
        As in `Layer`.

    Raises
    ------
    ArgumentError
        For an argument with a value that is not allowed.
    ShapeError
        If the inputs lack an axis, or its size is not known.

    Notes
    -----
    Source: Ba et al. 2016, "Layer Normalization", equation 4.

    Examples
    --------
    >>> import numpy as np
    >>> LayerNormalization(epsilon=0)(np.array([[1.0, 3.0]]))
    array([[-1.,  1.]], dtype=float32)
    """

    supports_masking = True

    def __init__(
        self,
        axis: Any = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        who = "LayerNormalization"
        self.axis = _axes(who, axis)
        self.epsilon = checks.number(who, "epsilon", epsilon, 0)
        self.center = checks.boolean(who, "center", center)
        self.scale = checks.boolean(who, "scale", scale)
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)
        self.gamma: Any = None
        self.beta: Any = None

    def build(self, input_shape: Shape) -> None:
        """Make gamma and beta."""
        shape = _sizes(self, self.axis, input_shape)
        if self.scale:
            self.gamma = self.add_weight(
                shape,
                self.gamma_initializer,
                name="gamma",
                regularizer=self.gamma_regularizer,
                constraint=self.gamma_constraint,
            )
        if self.center:
            self.beta = self.add_weight(
                shape,
                self.beta_initializer,
                name="beta",
                regularizer=self.beta_regularizer,
                constraint=self.beta_constraint,
            )

    def call(self, x: Any) -> Any:
        """Return the normalised inputs."""
        axes = _normalized(self.axis, x.ndim)
        centred = x - np.mean(x, axis=axes, keepdims=True)
        variance = np.var(x, axis=axes, keepdims=True)
        y = centred * (1 / np.sqrt(variance + self.epsilon))
        if self.gamma is not None:
            y = y * _spread(self.gamma, axes, x)
        return y if self.beta is None else y + _spread(self.beta, axes, x)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        return input_shape


class RMSNormalization(Layer):
    """Each sample divided by its root mean square: ``(batch, ...) -> (batch, ...)``.

    ``scale * x / sqrt(mean(x**2) + epsilon)``.

    Parameters
    ----------
    axis : int or list of int, default -1
        What the mean is taken over.
    epsilon : float, default 1e-6
        Keeps the divisor away from 0.
    name, trainable, dtype, input_shape
        As in `Layer`.

    Raises
    ------
    ArgumentError
        For an argument with a value that is not allowed.
    ShapeError
        If the inputs lack an axis, or its size is not known.

    Notes
    -----
    Source: Zhang and Sennrich 2019, "Root Mean Square Layer Normalization", equation 4.

    Examples
    --------
    >>> import numpy as np
    >>> RMSNormalization()(np.array([[1.0, 7.0]]))
    array([[0.2, 1.4]], dtype=float32)
    """

    supports_masking = True

    def __init__(self, axis: Any = -1, epsilon: float = 1e-6, **options: Any) -> None:
        super().__init__(**options)
        self.axis = _axes("RMSNormalization", axis)
        self.epsilon = checks.number("RMSNormalization", "epsilon", epsilon, 0)

    def build(self, input_shape: Shape) -> None:
        """Make the scale."""
        self.scale = self.add_weight(_sizes(self, self.axis, input_shape), "ones", name="scale")

    def call(self, x: Any) -> Any:
        """Return the normalised inputs."""
        axes = _normalized(self.axis, x.ndim)
        square = np.mean(x * x, axis=axes, keepdims=True)
        return x * (1 / np.sqrt(square + self.epsilon)) * _spread(self.scale, axes, x)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        return input_shape


def _axes(who: str, axis: Any) -> int | list[int]:
    """The argument, as an int or a list of ints."""
    if isinstance(axis, (list, tuple)) and axis:
        return [checks.integer(who, "axis", each, low=-64) for each in axis]
    return checks.integer(who, "axis", axis, low=-64)


def _normalized(axis: int | list[int], ndim: int) -> tuple[int, ...]:
    """Axes counted from the front, in order."""
    axes = axis if isinstance(axis, list) else [axis]
    return tuple(sorted(each % ndim for each in axes))


def _sizes(layer: Layer, axis: int | list[int], input_shape: Shape) -> tuple[int, ...]:
    """The sizes of these axes of the inputs."""
    ndim = len(input_shape)
    who = f"{type(layer).__name__} {layer.name!r}"
    for each in axis if isinstance(axis, list) else [axis]:
        if not -ndim <= each < ndim:
            raise ShapeError(
                f"{who} has axis={axis} and received inputs of shape {input_shape}, which have "
                f"{ndim} axes."
            )
    axes = _normalized(axis, ndim)
    if len(set(axes)) < len(axes):
        raise ArgumentError(f"{who}: axis={axis} names an axis of {input_shape} twice.")
    sizes = tuple(input_shape[each] for each in axes)
    if None in sizes:
        raise ShapeError(
            f"{who} received inputs of shape {input_shape}; it needs known sizes along axis={axis}."
        )
    return sizes


def _spread(weight: Any, axes: tuple[int, ...], x: Any) -> Any:
    """A weight with the sizes of these axes, to broadcast against ``x``."""
    if axes == tuple(range(x.ndim - len(axes), x.ndim)):
        return weight
    return weight.reshape(tuple(x.shape[i] if i in axes else 1 for i in range(x.ndim)))


__all__ = ["LayerNormalization", "RMSNormalization"]
