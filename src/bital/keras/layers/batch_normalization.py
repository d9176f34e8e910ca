"""Layers that normalise over the samples of a batch, over groups of channels, or to length 1."""

from __future__ import annotations

from typing import Any

import numpy as np

from bital.errors import ArgumentError, ShapeError
from bital.keras import checks
from bital.keras.layers import weight_options
from bital.keras.layers.base import Layer, Shape

_MASK_EPSILON = 1e-7  # Keras's, in the divisor of masked means


class _ShiftedAndScaled(Layer):
    """One axis of channels, each with a gamma and a beta of its own."""

    _is_base = True
    supports_masking = True

    def __init__(
        self,
        axis: int = -1,
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
        who = type(self).__name__
        self.axis = checks.integer(who, "axis", axis, low=-64)
        self.epsilon = checks.number(who, "epsilon", epsilon, 0)
        self.center = checks.boolean(who, "center", center)
        self.scale = checks.boolean(who, "scale", scale)
        weight_options.keep(
            self,
            beta_initializer=beta_initializer,
            gamma_initializer=gamma_initializer,
            beta_regularizer=beta_regularizer,
            gamma_regularizer=gamma_regularizer,
            beta_constraint=beta_constraint,
            gamma_constraint=gamma_constraint,
        )
        self.gamma: Any = None
        self.beta: Any = None

    def _make_weights(self, input_shape: Shape) -> int:
        """Make gamma and beta, and return the number of channels."""
        self._check_axis(input_shape)
        channels = input_shape[self.axis]
        if channels is None:
            raise ShapeError(
                f"{type(self).__name__} {self.name!r} received inputs of shape {input_shape}; it "
                f"needs a known size along axis={self.axis}."
            )
        if self.scale:
            self.gamma = weight_options.add(self, "gamma", (channels,))
        if self.center:
            self.beta = weight_options.add(self, "beta", (channels,))
        return int(channels)

    def _check_axis(self, input_shape: Shape) -> None:
        """Raise `ShapeError` if the inputs lack the axis."""
        if not -len(input_shape) <= self.axis < len(input_shape):
            raise ShapeError(
                f"{type(self).__name__} {self.name!r} has axis={self.axis} and received inputs of "
                f"shape {tuple(input_shape)}, which have {len(input_shape)} axes."
            )

    def check_input(self, input_shape: Shape) -> None:
        """Raise `ShapeError` unless axes and channels are those that the layer was built for."""
        built = self.input_shape
        if len(input_shape) != len(built) or input_shape[self.axis] != built[self.axis]:
            raise ShapeError(
                f"{type(self).__name__} {self.name!r} was built for inputs of shape {built} and "
                f"received {tuple(input_shape)}: they must agree along axis={self.axis}."
            )

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        self._check_axis(input_shape)
        return tuple(input_shape)

    def _shift_and_scale(self, centred: Any, inverse: Any, shape: tuple[int, ...]) -> Any:
        """``gamma * centred * inverse + beta``, with gamma and beta in this shape."""
        if self.gamma is not None:
            inverse = inverse * self.gamma.reshape(shape)
        y = centred * inverse
        return y if self.beta is None else y + self.beta.reshape(shape)


class BatchNormalization(_ShiftedAndScaled):
    """Each channel to mean 0 and variance 1: ``(batch, ..., channels)``, same out.

    While training by the mean and variance of the batch, ``gamma * (x - mean) / sqrt(variance +
    epsilon) + beta``; otherwise, or where ``trainable`` is False, by their moving averages. The
    weights, each ``(channels,)``, are gamma, beta, moving_mean and moving_variance.

    Parameters
    ----------
    axis : int, default -1
        The axis of the channels.
    momentum : float, default 0.99
        Of the moving averages: ``moving = momentum * moving + (1 - momentum) * new``.
    epsilon : float, default 1e-3
        Keeps the divisor away from 0.
    center, scale : bool, default True
        Whether there is a beta, and a gamma.
    beta_initializer, gamma_initializer, moving_mean_initializer, moving_variance_initializer : \
str or Initializer, default "zeros", "ones", "zeros", "ones"
        Their first values.
    beta_regularizer, gamma_regularizer : str, Regularizer or function, optional
        What their size adds to the loss.
    beta_constraint, gamma_constraint : str, Constraint or function, optional
        What they are replaced by after each step of training.
    renorm, renorm_clipping, renorm_momentum, synchronized
        Keras's; bital has neither batch renormalisation nor several devices, and refuses True.
    name, trainable, dtype, input_shape
        As in `Layer`.

    Raises
    ------
    ArgumentError
        For an argument with a value that is not allowed.
    ShapeError
        If the inputs lack the axis, or its size is unknown or not the one that was built for.

    Notes
    -----
    A mask, ``(batch, steps)``, leaves steps out of mean and variance. Source: Ioffe and Szegedy
    2015, "Batch Normalization", algorithms 1 and 2; as in Keras the moving variance is that of the
    batch, not the unbiased one.

    Examples
    --------
    >>> import numpy as np
    >>> layer = BatchNormalization(epsilon=0)
    >>> layer(np.array([[1.0], [3.0]]), training=True)[:, 0]
    array([-1.,  1.], dtype=float32)
    >>> layer.moving_mean.numpy()
    array([0.02], dtype=float32)
    """

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        renorm: bool = False,
        renorm_clipping: Any = None,
        renorm_momentum: float = 0.99,
        synchronized: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(
            axis,
            epsilon,
            center,
            scale,
            beta_initializer,
            gamma_initializer,
            beta_regularizer,
            gamma_regularizer,
            beta_constraint,
            gamma_constraint,
            **options,
        )
        who = "BatchNormalization"
        self.momentum = checks.number(who, "momentum", momentum, 0, 1)
        weight_options.keep(
            self,
            moving_mean_initializer=moving_mean_initializer,
            moving_variance_initializer=moving_variance_initializer,
        )
        for name, value in (("renorm", renorm), ("synchronized", synchronized)):
            if checks.boolean(who, name, value):
                raise ArgumentError(f"{who}({name}=True): bital has none. Leave it out.")
        self.renorm = False
        self.renorm_clipping = renorm_clipping
        self.renorm_momentum = checks.number(who, "renorm_momentum", renorm_momentum, 0, 1)
        self.synchronized = False

    def build(self, input_shape: Shape) -> None:
        """Make gamma, beta and the moving averages."""
        shape = (self._make_weights(input_shape),)
        for name in ("moving_mean", "moving_variance"):
            initializer = getattr(self, f"{name}_initializer")
            setattr(self, name, self.add_weight(shape, initializer, trainable=False, name=name))

    def call(self, x: Any, training: bool = False, mask: Any = None) -> Any:
        """Return the normalised inputs; while training, move the averages."""
        axis = self.axis % x.ndim
        shape = tuple(n if i == axis else 1 for i, n in enumerate(x.shape))
        if not (training and self.trainable):
            centred = x - self.moving_mean.reshape(shape)
            inverse = 1 / np.sqrt(self.moving_variance.reshape(shape) + self.epsilon)
            return self._shift_and_scale(centred, inverse, shape)
        mean, centred, variance = self._moments(x, axis, mask)
        for moving, new in ((self.moving_mean, mean), (self.moving_variance, variance)):
            old = moving.value
            moving.assign(self.momentum * old + (1 - self.momentum) * new.reshape(old.shape))
        return self._shift_and_scale(centred, 1 / np.sqrt(variance + self.epsilon), shape)

    def _moments(self, x: Any, axis: int, mask: Any) -> tuple[Any, Any, Any]:
        """Mean, inputs without it, and variance, over all axes but one."""
        axes = tuple(i for i in range(x.ndim) if i != axis)
        if mask is None:
            mean = np.mean(x, axis=axes, keepdims=True)
            centred = x - mean
            return mean, centred, np.var(x, axis=axes, keepdims=True)
        if mask.ndim != x.ndim - 1:
            raise ShapeError(
                f"BatchNormalization {self.name!r} received inputs of shape {tuple(x.shape)} and a "
                f"mask of shape {tuple(mask.shape)}; the mask must be {tuple(x.shape[:-1])}."
            )
        kept = np.broadcast_to(mask.astype(bool)[..., np.newaxis], x.shape)
        count = np.sum(kept.astype(x.dtype), axis=axes, keepdims=True) + _MASK_EPSILON
        mean = np.sum(np.where(kept, x, 0), axis=axes, keepdims=True) / count
        centred = x - mean
        square = np.where(kept, centred * centred, 0)
        return mean, centred, np.sum(square, axis=axes, keepdims=True) / count


class GroupNormalization(_ShiftedAndScaled):
    """Each group of channels of a sample to mean 0 and variance 1: ``(batch, ..., channels)``.

    ``gamma * (x - mean) / sqrt(variance + epsilon) + beta``, with the mean and variance of the
    group over all places; gamma and beta are ``(channels,)``.

    Parameters
    ----------
    groups : int, default 32
        How many; -1 for a group of each channel ("instance normalisation"), 1 for all in one.
    axis : int, default -1
        The axis of the channels.
    epsilon, center, scale, beta_initializer, gamma_initializer, beta_regularizer, \
gamma_regularizer, beta_constraint, gamma_constraint, name, trainable, dtype, input_shape
        As in `BatchNormalization`.

    Raises
    ------
    ArgumentError
        For an argument with a value that is not allowed.
    ShapeError
        If the groups do not divide the channels, or the inputs lack the axis.

    Notes
    -----
    Source: Wu and He 2018, "Group Normalization".

    Examples
    --------
    >>> import numpy as np
    >>> GroupNormalization(2, epsilon=0)(np.array([[1.0, 3.0, 20.0, 10.0]]))
    array([[-1.,  1.,  1., -1.]], dtype=float32)
    """

    def __init__(
        self,
        groups: int = 32,
        axis: int = -1,
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
        super().__init__(
            axis,
            epsilon,
            center,
            scale,
            beta_initializer,
            gamma_initializer,
            beta_regularizer,
            gamma_regularizer,
            beta_constraint,
            gamma_constraint,
            **options,
        )
        self.groups = checks.integer("GroupNormalization", "groups", groups, low=-1)
        if groups == 0:
            raise ArgumentError("GroupNormalization(groups=0): must be positive, or -1.")

    def build(self, input_shape: Shape) -> None:
        """Make gamma and beta."""
        if self.axis % len(input_shape) == 0:
            raise ShapeError(f"GroupNormalization {self.name!r}: axis 0 is that of the samples.")
        channels = self._make_weights(input_shape)
        if channels % self.groups:
            raise ShapeError(
                f"GroupNormalization {self.name!r} received inputs of shape {input_shape}: "
                f"groups={self.groups} must divide the {channels} channels. Its default is 32."
            )

    def call(self, x: Any) -> Any:
        """Return the normalised inputs."""
        axis = self.axis % x.ndim
        channels = x.shape[axis]
        pair = (channels, 1) if self.groups == -1 else (self.groups, channels // self.groups)
        grouped = x.reshape((*x.shape[:axis], *pair, *x.shape[axis + 1 :]))
        axes = tuple(i for i in range(1, grouped.ndim) if i != axis)
        centred = grouped - np.mean(grouped, axis=axes, keepdims=True)
        variance = np.var(grouped, axis=axes, keepdims=True)
        shape = (*[1] * axis, *pair, *[1] * (x.ndim - axis - 1))
        y = self._shift_and_scale(centred, 1 / np.sqrt(variance + self.epsilon), shape)
        return y.reshape(x.shape)


class UnitNormalization(Layer):
    """Each sample to length 1: ``x / sqrt(sum(x**2))``, ``(batch, ...)``, same out.

    Parameters
    ----------
    axis : int or list of int, default -1
        What the sum is taken over.
    name, dtype, input_shape
        As in `Layer`.

    Raises
    ------
    ArgumentError
        If ``axis`` is not an integer or a list of them.
    ShapeError
        If the inputs lack an axis.

    Notes
    -----
    Lengths below 1e-12 count as 1e-12.

    Examples
    --------
    >>> import numpy as np
    >>> UnitNormalization()(np.array([[3.0, 4.0]]))
    array([[0.6, 0.8]], dtype=float32)
    """

    supports_masking = True

    def __init__(self, axis: Any = -1, **options: Any) -> None:
        super().__init__(**options)
        several = isinstance(axis, (list, tuple))
        axes = [
            checks.integer("UnitNormalization", "axis", each, low=-64)
            for each in (axis if several else [axis])
        ]
        self.axis: Any = axes if several else axes[0]

    def call(self, x: Any) -> Any:
        """Return the inputs, each divided by its length."""
        axis = tuple(self.axis) if isinstance(self.axis, list) else self.axis
        square = np.sum(x * x, axis=axis, keepdims=True)
        return x / np.sqrt(np.maximum(square, 1e-24))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        self.check_input(input_shape)
        return tuple(input_shape)

    def check_input(self, input_shape: Shape) -> None:
        """Raise `ShapeError` if the inputs lack an axis."""
        axes = self.axis if isinstance(self.axis, list) else [self.axis]
        if any(not -len(input_shape) <= axis < len(input_shape) for axis in axes):
            raise ShapeError(
                f"UnitNormalization {self.name!r} has axis={self.axis} and received inputs of "
                f"shape {tuple(input_shape)}, which have {len(input_shape)} axes."
            )


__all__ = ["BatchNormalization", "GroupNormalization", "UnitNormalization"]
