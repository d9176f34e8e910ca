"""Numbers brought to another scale."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from bital.errors import ArgumentError, ShapeError
from bital.keras import checks
from bital.keras.layers.base import Layer, Shape
from bital.keras.layers.preprocessing.adapting import array_of, batches

# The smallest standard deviation that is divided by, as in Keras.
_SMALLEST = 1e-7


class Rescaling(Layer):
    """``x * scale + offset``: ``(batch, ...) -> (batch, ...)``.

    Parameters
    ----------
    scale, offset : float or list of float
        One number, or one for each place along the last axis. ``offset`` is 0 by default.
    name, dtype, input_shape
        As in `Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> Rescaling(1 / 256, offset=-0.5)(np.array([[0, 64, 128]], np.uint8))
    array([[-0.5 , -0.25,  0.  ]], dtype=float32)
    """

    supports_masking = True

    def __init__(self, scale: Any, offset: Any = 0.0, **options: Any) -> None:
        super().__init__(**options)
        self.scale = _numbers("Rescaling", "scale", scale)
        self.offset = _numbers("Rescaling", "offset", offset)

    def call(self, x: Any) -> Any:
        """Return the rescaled inputs."""
        return x * np.asarray(self.scale, self.dtype) + np.asarray(self.offset, self.dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        return input_shape


class Normalization(Layer):
    """``(x - mean) / sqrt(variance)``: ``(batch, ...) -> (batch, ...)``.

    Mean and variance are learnt from data by `adapt`, or given. Learnt ones are weights that
    training leaves alone: ``mean`` and ``variance`` with the sizes of the kept axes, and ``count``,
    which is 0 as in Keras.

    Parameters
    ----------
    axis : int, tuple of int or None, default -1
        The axes whose places each have a mean of their own; None: one mean for all.
    mean, variance : float or array, optional
        Instead of learnt ones; both or none.
    invert : bool, default False
        Undo it instead: ``x * sqrt(variance) + mean``.
    name, dtype, input_shape
        As in `Layer`.

    Raises
    ------
    ArgumentError
        If only one of mean and variance is given, or their shapes differ.
    ShapeError
        If inputs do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Normalization()
    >>> layer.adapt(np.array([[0.0, 10.0], [2.0, 30.0]]))
    >>> layer(np.array([[1.0, 40.0]]))
    array([[0., 2.]], dtype=float32)
    """

    supports_masking = True

    def __init__(
        self,
        axis: Any = -1,
        mean: Any = None,
        variance: Any = None,
        invert: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        who = "Normalization"
        axes = () if axis is None else axis if isinstance(axis, (list, tuple)) else (axis,)
        self.axis = tuple(checks.integer(who, "axis", each, low=-32) for each in axes)
        self.invert = checks.boolean(who, "invert", invert)
        self.input_mean = None if mean is None else _numbers(who, "mean", mean)
        self.input_variance = None if variance is None else _numbers(who, "variance", variance)
        if np.shape(self.input_mean) != np.shape(self.input_variance) or (
            (mean is None) != (variance is None)
        ):
            raise ArgumentError(
                f"{who}(mean={mean!r}, variance={variance!r}): give both, in one shape, or none "
                "and call adapt(data)."
            )
        if np.ndim(self.input_mean) > len(self.axis):
            raise ArgumentError(
                f"{who}(mean=...): a mean of {np.ndim(self.input_mean)} axes needs as many in "
                f"axis={axis!r}."
            )

    def build(self, input_shape: Shape) -> None:
        """Make mean, variance and count, unless they were given.

        Raises
        ------
        ShapeError
            If a kept axis does not exist or has no known size.
        """
        ndim = len(input_shape)
        if any(not -ndim <= axis < ndim for axis in self.axis):
            raise ShapeError(
                f"{self.name}: Normalization(axis={self.axis}) received inputs of shape "
                f"{tuple(input_shape)}, which have no such axis."
            )
        self._kept = tuple(sorted(axis % ndim for axis in self.axis))
        sizes = tuple(input_shape[axis] for axis in self._kept)
        if None in sizes:
            raise ShapeError(
                f"{self.name}: the sizes along axis={self.axis} must be known, and the inputs' "
                f"shape is {tuple(input_shape)}."
            )
        self._spread = tuple(input_shape[a] if a in self._kept else 1 for a in range(ndim))
        if self.input_mean is None:
            self.adapt_mean = self.add_weight(sizes, "zeros", trainable=False, name="mean")
            self.adapt_variance = self.add_weight(sizes, "ones", trainable=False, name="variance")
            self.count = self.add_weight((), "zeros", np.int64, trainable=False, name="count")
        else:
            self._given(self.input_mean)

    def check_input(self, input_shape: Shape) -> None:
        """Raise `ShapeError` unless the kept axes have the sizes of the mean."""
        have = tuple(input_shape)
        fits = len(have) == len(self._spread)
        if not fits or any(have[axis] != self._spread[axis] for axis in self._kept):
            raise ShapeError(
                f"{self.name} was made for inputs of shape {self.input_shape} and received {have}."
            )

    def adapt(self, data: Any) -> None:
        """Learn mean and variance from all of ``data``, in place of what was learnt before.

        Parameters
        ----------
        data : array, or iterable of arrays
            Samples, or batches of them. The sums are taken in float64.

        Raises
        ------
        ArgumentError
            If the layer was made with a mean.
        DataError
            If there are no data.
        """
        if self.input_mean is not None:
            raise ArgumentError(f"{self.name}.adapt(data): the layer was made with a mean.")
        mean: Any = 0.0
        variance: Any = 0.0
        count = 0
        for batch in batches(self.name, data):
            if not self.built:
                self.build((None, *batch.shape[1:]))
            self.check_input(batch.shape)
            rest = tuple(axis for axis in range(batch.ndim) if axis not in self._kept)
            values = batch.astype(np.float64)
            new = math.prod(batch.shape[axis] for axis in rest)
            part = new / (count + new)
            shift = np.mean(values, axis=rest) - mean
            # Chan, Golub and LeVeque 1983: moments of two parts give those of the whole.
            variance = variance * (1 - part) + np.var(values, axis=rest) * part
            variance = variance + part * (1 - part) * shift**2
            mean, count = mean + part * shift, count + new
        self.adapt_mean.assign(mean)
        self.adapt_variance.assign(variance)

    @property
    def mean(self) -> Any:
        """The mean, in a shape that broadcasts to the inputs; None before the layer is built."""
        return self._moment(self.input_mean, "adapt_mean")

    @property
    def variance(self) -> Any:
        """The variance, in a shape that broadcasts to the inputs."""
        return self._moment(self.input_variance, "adapt_variance")

    def call(self, x: Any) -> Any:
        """Return the normalised inputs, or undo it."""
        deviation = np.maximum(np.sqrt(self.variance), _SMALLEST)
        return x * deviation + self.mean if self.invert else (x - self.mean) / deviation

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        return input_shape

    def _moment(self, given: Any, learnt: str) -> Any:
        if not self.built:
            return None
        return (
            self._given(given) if given is not None else getattr(self, learnt).reshape(self._spread)
        )

    def _given(self, value: Any) -> Any:
        array = np.asarray(value, self.dtype)
        shape = [1] * len(self._spread)
        for axis, size in zip(self._kept[::-1], array.shape[::-1], strict=False):
            shape[axis] = size
        try:
            return np.broadcast_to(array.reshape(shape), self._spread)
        except ValueError:
            raise ShapeError(
                f"{self.name}: a mean of shape {array.shape} does not fit the sizes "
                f"{self._spread} along axis={self.axis}."
            ) from None

    def _argument(self, name: str) -> Any:
        renamed = {"mean": "input_mean", "variance": "input_variance"}
        return super()._argument(renamed.get(name, name))


def _numbers(who: str, name: str, value: Any) -> Any:
    """A number as it is, an array as nested lists.

    Raises
    ------
    ArgumentError
        If it holds anything but finite numbers.
    """
    array = array_of(who, name, value, "iuf", "numbers")
    if array.ndim == 0:
        return checks.number(who, name, value.item() if isinstance(value, np.ndarray) else value)
    if not np.all(np.isfinite(array)):
        raise ArgumentError(f"{who}({name}={value!r}): must be finite.")
    return array.astype(np.float64).tolist()


__all__ = ["Normalization", "Rescaling"]
