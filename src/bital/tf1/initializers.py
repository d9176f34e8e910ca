"""Initializers: ``initializer(shape, dtype=...) -> Tensor``."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from bital.graphs.dtypes import as_dtype
from bital.graphs.operation import constant
from bital.tf1.ops.random import random_normal, random_uniform, truncated_normal


class Initializer:
    """Makes first values of a shape."""

    def __call__(self, shape: Any, dtype: Any = "float32", partition_info: Any = None) -> Any:
        raise NotImplementedError


class Constant(Initializer):
    """One value, or an array of values in the order of the elements."""

    def __init__(self, value: Any = 0, dtype: Any = None, verify_shape: bool = False) -> None:
        self.value = value

    def __call__(self, shape: Any, dtype: Any = "float32", partition_info: Any = None) -> Any:
        return constant(self.value, dtype, shape)


class Zeros(Constant):
    """Zeros."""

    def __init__(self, dtype: Any = None) -> None:
        super().__init__(0)


class Ones(Constant):
    """Ones."""

    def __init__(self, dtype: Any = None) -> None:
        super().__init__(1)


class RandomNormal(Initializer):
    """Normally distributed numbers."""

    _draw = staticmethod(random_normal)

    def __init__(
        self, mean: float = 0.0, stddev: float = 1.0, seed: Any = None, dtype: Any = None
    ) -> None:
        self.mean, self.stddev, self.seed = mean, stddev, seed

    def __call__(self, shape: Any, dtype: Any = "float32", partition_info: Any = None) -> Any:
        return self._draw(shape, self.mean, self.stddev, as_dtype(dtype), self.seed)


class TruncatedNormal(RandomNormal):
    """Normally distributed numbers, none more than two standard deviations from the mean."""

    _draw = staticmethod(truncated_normal)


class RandomUniform(Initializer):
    """Uniformly distributed numbers, by default from -0.05 to 0.05."""

    def __init__(
        self, minval: Any = -0.05, maxval: Any = 0.05, seed: Any = None, dtype: Any = None
    ) -> None:
        self.minval, self.maxval, self.seed = minval, maxval, seed

    def __call__(self, shape: Any, dtype: Any = "float32", partition_info: Any = None) -> Any:
        return random_uniform(shape, self.minval, self.maxval, as_dtype(dtype), self.seed)


class VarianceScaling(Initializer):
    """Numbers with the variance ``scale / n``.

    Parameters
    ----------
    scale : float, default 1
    mode : {"fan_in", "fan_out", "fan_avg"}
        Whether n is how many values go into a unit, how many come out, or their mean.
    distribution : {"normal", "uniform", "truncated_normal", "untruncated_normal"}
    seed : int, optional
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: Any = None,
        dtype: Any = None,
    ) -> None:
        if mode not in ("fan_in", "fan_out", "fan_avg"):
            raise ValueError(f"Invalid `mode` argument: {mode!r}")
        distribution = {"normal": "truncated_normal"}.get(distribution, distribution)
        if distribution not in ("truncated_normal", "untruncated_normal", "uniform"):
            raise ValueError(f"Invalid `distribution` argument: {distribution!r}")
        self.scale, self.mode, self.distribution, self.seed = scale, mode, distribution, seed

    def __call__(self, shape: Any, dtype: Any = "float32", partition_info: Any = None) -> Any:
        lengths = [int(length) for length in shape]
        field = math.prod(lengths[:-2])
        fan_in = field * (lengths[-2] if len(lengths) > 1 else lengths[0] if lengths else 1)
        fan_out = field * (lengths[-1] if lengths else 1)
        fans = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}
        variance = self.scale / max(1.0, fans[self.mode])
        kind = as_dtype(dtype)
        if self.distribution == "uniform":
            limit = math.sqrt(3 * variance)
            return random_uniform(lengths, -limit, limit, kind, self.seed)
        deviation = math.sqrt(variance)
        if self.distribution == "untruncated_normal":
            return random_normal(lengths, 0.0, deviation, kind, self.seed)
        # What is cut off at two deviations would lack in the variance.
        return truncated_normal(lengths, 0.0, deviation / 0.87962566103423978, kind, self.seed)


def glorot_uniform_initializer(seed: Any = None, dtype: Any = None) -> VarianceScaling:
    """Uniform, of variance ``2 / (fan_in + fan_out)`` (Glorot and Bengio, 2010)."""
    return VarianceScaling(1.0, "fan_avg", "uniform", seed)


def glorot_normal_initializer(seed: Any = None, dtype: Any = None) -> VarianceScaling:
    """Truncated normal, of variance ``2 / (fan_in + fan_out)`` (Glorot and Bengio, 2010)."""
    return VarianceScaling(1.0, "fan_avg", "normal", seed)


def he_normal(seed: Any = None) -> VarianceScaling:
    """Truncated normal, of variance ``2 / fan_in`` (He et al., 2015)."""
    return VarianceScaling(2.0, "fan_in", "normal", seed)


def he_uniform(seed: Any = None) -> VarianceScaling:
    """Uniform, of variance ``2 / fan_in`` (He et al., 2015)."""
    return VarianceScaling(2.0, "fan_in", "uniform", seed)


class Orthogonal(Initializer):
    """A matrix with orthonormal rows or columns, times a gain."""

    def __init__(self, gain: float = 1.0, seed: Any = None, dtype: Any = None) -> None:
        self.gain, self.seed = gain, seed

    def __call__(self, shape: Any, dtype: Any = "float32", partition_info: Any = None) -> Any:
        from bital.tf1.ops.arrays import orthogonal

        lengths = [int(length) for length in shape]
        flat = [math.prod(lengths[:-1]), lengths[-1]]
        drawn = random_normal([max(flat), min(flat)], 0.0, 1.0, as_dtype(dtype), self.seed)
        return orthogonal(drawn, self.gain, flat[0] < flat[1], lengths)


class Identity(Initializer):
    """The identity matrix, times a gain."""

    def __init__(self, gain: float = 1.0, dtype: Any = None) -> None:
        self.gain = gain

    def __call__(self, shape: Any, dtype: Any = "float32", partition_info: Any = None) -> Any:
        return constant(self.gain * np.eye(int(shape[0]), int(shape[1])), dtype)


zeros_initializer = Zeros
ones_initializer = Ones
constant_initializer = Constant
random_normal_initializer = RandomNormal
random_uniform_initializer = RandomUniform
truncated_normal_initializer = TruncatedNormal
variance_scaling_initializer = VarianceScaling
orthogonal_initializer = Orthogonal
identity_initializer = Identity
