"""Initial values of weights: Keras's names, defaults and formulas.

An initializer is called as ``initializer(shape, dtype)`` and returns a plain array. With a ``seed``
it returns the same values at every call; without one, new values at every call, from the
program-wide generator that ``utils.set_random_seed`` restarts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from bital.errors import ArgumentError, ShapeError
from bital.keras import checks
from bital.keras.configuration import Configured
from bital.keras.random_state import fresh_seed
from bital.keras.vocabulary import Vocabulary

# Standard deviation of a unit normal cut off at two standard deviations.
_TRUNCATED_STDDEV = 0.87962566103423978


class Initializer(Configured):
    """Base: subclasses define ``__call__(shape, dtype)`` and store what their constructor gets."""

    def __call__(self, shape: tuple[int, ...], dtype: Any = np.float32) -> np.ndarray:
        """Return an array of this shape and dtype."""
        raise NotImplementedError

    def __repr__(self) -> str:
        given = {name: value for name, value in self.get_config().items() if value is not None}
        inner = ", ".join(f"{name}={value!r}" for name, value in given.items())
        return f"{type(self).__name__}({inner})"


class Zeros(Initializer):
    """All 0."""

    def __call__(self, shape: tuple[int, ...], dtype: Any = np.float32) -> np.ndarray:
        """Return zeros."""
        return np.zeros(shape, dtype)


class Ones(Initializer):
    """All 1."""

    def __call__(self, shape: tuple[int, ...], dtype: Any = np.float32) -> np.ndarray:
        """Return ones."""
        return np.ones(shape, dtype)


class Constant(Initializer):
    """All ``value``: a number, or an array that is broadcast to the shape.

    Examples
    --------
    >>> Constant([1.0, 2.0])((2, 2))
    array([[1., 2.],
           [1., 2.]], dtype=float32)
    """

    def __init__(self, value: Any = 0.0) -> None:
        self.value = value
        if np.ndim(value) == 0:
            value = value.item() if isinstance(value, np.ndarray) else value
            self.value = checks.number("Constant", "value", value)
        elif not np.isfinite(np.asarray(value, np.float64)).all():
            raise ArgumentError("Constant(value=...): the array holds NaN or infinity.")

    def __call__(self, shape: tuple[int, ...], dtype: Any = np.float32) -> np.ndarray:
        """Return an array filled with the value.

        Raises
        ------
        ShapeError
            If an array cannot be broadcast to ``shape``.
        """
        try:
            return np.full(shape, self.value, dtype)
        except ValueError as error:
            raise ShapeError(
                f"Constant(value=...): the array of shape {np.shape(self.value)} cannot be "
                f"broadcast to a weight of shape {tuple(shape)}. Give one of the weight's shape."
            ) from error


class Identity(Initializer):
    """``gain`` times the identity matrix, ``(n, m)``."""

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = checks.number("Identity", "gain", gain)

    def __call__(self, shape: tuple[int, ...], dtype: Any = np.float32) -> np.ndarray:
        """Return the matrix.

        Raises
        ------
        ArgumentError
            If ``shape`` is not that of a matrix.
        """
        if len(shape) != 2:
            raise ArgumentError(f"Identity makes matrices; it was asked for the shape {shape}.")
        return self.gain * np.eye(*shape, dtype=dtype)


class _Random(Initializer):
    """Base of the initializers that draw: ``draw(generator, shape)`` in float64."""

    def __init__(self, seed: int | None) -> None:
        self.seed = None if seed is None else checks.integer(type(self).__name__, "seed", seed, 0)

    def __call__(self, shape: tuple[int, ...], dtype: Any = np.float32) -> np.ndarray:
        """Return drawn values."""
        seed = fresh_seed() if self.seed is None else self.seed
        return self.draw(np.random.Generator(np.random.Philox(seed)), shape).astype(dtype)

    def draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Return float64 values of this shape."""
        raise NotImplementedError


class RandomNormal(_Random):
    """Normal with this mean and standard deviation."""

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.mean = checks.number(type(self).__name__, "mean", mean)
        self.stddev = checks.number(type(self).__name__, "stddev", stddev, 0)

    def draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Return float64 values of this shape."""
        return generator.normal(self.mean, self.stddev, shape)


class TruncatedNormal(RandomNormal):
    """Normal, with values beyond two standard deviations drawn again."""

    def draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Return float64 values of this shape."""
        return self.mean + self.stddev * _truncated(generator, shape)


class RandomUniform(_Random):
    """Uniform in ``[minval, maxval)``."""

    def __init__(
        self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None
    ) -> None:
        super().__init__(seed)
        self.minval = checks.number("RandomUniform", "minval", minval)
        self.maxval = checks.number("RandomUniform", "maxval", maxval, self.minval)

    def draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Return float64 values of this shape."""
        return generator.uniform(self.minval, self.maxval, shape)


class Orthogonal(_Random):
    """``gain`` times a matrix with orthonormal rows or columns.

    Shapes of more axes are filled as ``(all but the last, last)``.

    Source: Saxe et al. 2014, "Exact solutions to the nonlinear dynamics of learning in deep linear
    neural networks".
    """

    def __init__(self, gain: float = 1.0, seed: int | None = None) -> None:
        super().__init__(seed)
        self.gain = checks.number("Orthogonal", "gain", gain)

    def draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Return float64 values of this shape.

        Raises
        ------
        ArgumentError
            If ``shape`` has fewer than two axes.
        """
        if len(shape) < 2:
            raise ArgumentError(f"Orthogonal makes matrices; it was asked for the shape {shape}.")
        rows, columns = math.prod(shape[:-1]), shape[-1]
        tall = generator.normal(size=(max(rows, columns), min(rows, columns)))
        q, r = np.linalg.qr(tall)
        q *= np.sign(np.diag(r))  # makes the distribution uniform
        return self.gain * (q if rows >= columns else q.T).reshape(shape)


class VarianceScaling(_Random):
    """Mean 0 and variance ``scale / n``, with ``n`` the inputs, outputs or their average.

    Parameters
    ----------
    scale : float, default 1
    mode : {"fan_in", "fan_out", "fan_avg"}
    distribution : {"truncated_normal", "untruncated_normal", "uniform"}
    seed : int, optional
    input_axes, output_axes : sequence of int, optional
        The axes that count as inputs and as outputs, where those are not the last two: a kernel of
        attention ``(features, heads, size)`` has ``input_axes=[0], output_axes=[1, 2]``.
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ) -> None:
        super().__init__(seed)
        who = type(self).__name__
        self.input_axes = _axes(who, "input_axes", input_axes)
        self.output_axes = _axes(who, "output_axes", output_axes)
        self.scale = checks.number(who, "scale", scale, 1e-300)
        self.mode = checks.choice(who, "mode", mode, ("fan_in", "fan_out", "fan_avg"))
        kinds = ("truncated_normal", "untruncated_normal", "uniform")
        distribution = "truncated_normal" if distribution == "normal" else distribution
        self.distribution = checks.choice(who, "distribution", distribution, kinds)

    def draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Return float64 values of this shape."""
        fan_in, fan_out = _fans(shape)
        if self.input_axes is not None and self.output_axes is not None:
            fan_in = math.prod(shape[axis] for axis in self.input_axes)
            fan_out = math.prod(shape[axis] for axis in self.output_axes)
        n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        stddev = math.sqrt(self.scale / max(1.0, n))
        if self.distribution == "uniform":
            limit = math.sqrt(3.0) * stddev
            return generator.uniform(-limit, limit, shape)
        if self.distribution == "untruncated_normal":
            return generator.normal(0.0, stddev, shape)
        return stddev / _TRUNCATED_STDDEV * _truncated(generator, shape)


class _Scaled(VarianceScaling):
    """Base of the named scalings: seed and axes are left to choose."""

    rule: tuple[float, str, str]

    def __init__(
        self,
        seed: int | None = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ) -> None:
        super().__init__(*self.rule, seed=seed, input_axes=input_axes, output_axes=output_axes)


class GlorotUniform(_Scaled):
    """Uniform within ``sqrt(6 / (fan_in + fan_out))`` (Glorot and Bengio 2010, equation 16)."""

    rule = (1.0, "fan_avg", "uniform")


class GlorotNormal(_Scaled):
    """Truncated normal of variance ``2 / (fan_in + fan_out)`` (Glorot and Bengio 2010)."""

    rule = (1.0, "fan_avg", "truncated_normal")


class HeUniform(_Scaled):
    """Uniform within ``sqrt(6 / fan_in)`` (He et al. 2015, "Delving Deep into Rectifiers")."""

    rule = (2.0, "fan_in", "uniform")


class HeNormal(_Scaled):
    """Truncated normal of variance ``2 / fan_in`` (He et al. 2015, equation 10)."""

    rule = (2.0, "fan_in", "truncated_normal")


class LecunUniform(_Scaled):
    """Uniform within ``sqrt(3 / fan_in)`` (LeCun et al. 1998, "Efficient BackProp")."""

    rule = (1.0, "fan_in", "uniform")


class LecunNormal(_Scaled):
    """Truncated normal of variance ``1 / fan_in`` (LeCun et al. 1998, "Efficient BackProp")."""

    rule = (1.0, "fan_in", "truncated_normal")


def _fans(shape: tuple[int, ...]) -> tuple[float, float]:
    """Inputs and outputs that one element of a kernel of this shape joins."""
    if len(shape) < 2:
        size = shape[0] if shape else 1
        return size, size
    field = math.prod(shape[:-2])
    return shape[-2] * field, shape[-1] * field


def _axes(who: str, name: str, axes: Sequence[int] | None) -> list[int] | None:
    return None if axes is None else [checks.integer(who, name, axis, low=-32) for axis in axes]


def _truncated(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    values = generator.standard_normal(math.prod(shape))
    far = np.flatnonzero(np.abs(values) > 2)
    while far.size:
        values[far] = generator.standard_normal(far.size)
        far = far[np.abs(values[far]) > 2]
    return values.reshape(shape)


class _Function(Initializer):
    """A user's function ``(shape, dtype) -> array``."""

    def __init__(self, function: Any) -> None:
        self.function = function

    def __call__(self, shape: tuple[int, ...], dtype: Any = np.float32) -> np.ndarray:
        """Return what the function returns."""
        return self.function(shape, dtype=dtype)

    def __repr__(self) -> str:
        return repr(self.function)


_ALL = (
    Zeros,
    Ones,
    Constant,
    Identity,
    RandomNormal,
    TruncatedNormal,
    RandomUniform,
    Orthogonal,
    VarianceScaling,
    GlorotUniform,
    GlorotNormal,
    HeUniform,
    HeNormal,
    LecunUniform,
    LecunNormal,
)

VOCABULARY = Vocabulary(
    "initializer",
    Initializer,
    _ALL,
    {
        "zero": Zeros,
        "one": Ones,
        "normal": RandomNormal,
        "uniform": RandomUniform,
        "IdentityInitializer": Identity,
        "OrthogonalInitializer": Orthogonal,
    },
    wrap=_Function,
)


def get(identifier: Any) -> Initializer:
    """Return the initializer that a name, config, array, function, class or instance means.

    Raises
    ------
    ArgumentError
        If it means none.

    Examples
    --------
    >>> get("he_normal")
    HeNormal()
    """
    if isinstance(identifier, np.ndarray):
        return Constant(identifier)
    if isinstance(identifier, str) and identifier.lower() in ("stft", "stftinitializer"):
        raise ArgumentError(
            f"initializer {identifier!r}: bital has no initializer of Fourier transforms. Compute "
            "the kernel by np.fft and give it as an array, or use np.fft in a layer of your own."
        )
    return VOCABULARY.get(identifier)


__all__ = [cls.__name__ for cls in _ALL] + ["Initializer", "get"]
