"""Images changed at random while training, and cut to size."""

from __future__ import annotations

from typing import Any

import numpy as np

import bital
from bital.errors import ArgumentError, ShapeError
from bital.keras import checks
from bital.keras.layers.base import Layer, Shape
from bital.keras.layers.preprocessing import images
from bital.keras.random_state import draw_key


class _Images(Layer):
    """Base: ``(batch, height, width, channels)`` in, the same out unless said otherwise."""

    def __init__(self, data_format: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.data_format = checks.data_format(type(self).__name__, data_format)

    def check_input(self, input_shape: Shape) -> None:
        """Raise `ShapeError` unless the inputs are images."""
        if len(input_shape) != 4:
            raise ShapeError(
                f"{self.name}: {type(self).__name__} takes images (batch, height, width, channels) "
                f"and received {tuple(input_shape)}. For one image write x[np.newaxis], for one "
                "channel x[..., np.newaxis]."
            )

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        return tuple(input_shape)


class _Random(_Images):
    """Base: draws parameters for each image while training, and transforms by them.

    A subclass has ``draw(key, shape)``, which returns a tuple of arrays, and ``transform(x,
    *drawn)``, without any randomness.
    """

    def __init__(self, seed: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.seed = None if seed is None else checks.integer(type(self).__name__, "seed", seed, 0)

    def call(self, x: Any, training: bool = False) -> Any:
        """Return the images, changed if ``training``."""
        return self.transform(x, *self.draw(draw_key(self.seed), x)) if training else x

    def draw(self, key: Any, x: Any) -> tuple[Any, ...]:
        """Return the parameters, ``(batch,)`` each."""
        raise NotImplementedError

    def transform(self, x: Any, *drawn: Any) -> Any:
        """Return the images, changed."""
        raise NotImplementedError


class _Moving(_Random):
    """Base of the layers that read images at other places."""

    def __init__(
        self,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(seed=seed, data_format=data_format, **options)
        who = type(self).__name__
        self.fill_mode = checks.choice(who, "fill_mode", fill_mode, images.FILL_MODES)
        self.interpolation = checks.choice(
            who, "interpolation", interpolation, images.INTERPOLATIONS
        )
        self.fill_value = checks.number(who, "fill_value", fill_value)

    def moved(self, x: Any, matrix: Any) -> Any:
        """Return the images read at the places that the matrices name."""
        matrix = matrix.astype(x.dtype)
        return images.affine(x, matrix, self.interpolation, self.fill_mode, self.fill_value)


class RandomFlip(_Random):
    """While training, mirrors half of the images: ``(batch, height, width, channels)``, same out.

    Parameters
    ----------
    mode : {"horizontal_and_vertical", "horizontal", "vertical"}
        Left to right, upside down, or both, each drawn by itself. (Keras draws once for both.)
    seed : int, optional
        As in `Dropout`.
    data_format : {"channels_last"}, optional
    name, dtype, input_shape
        As in `Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> layer = RandomFlip("horizontal")
    >>> layer.transform(np.arange(3.0).reshape(1, 1, 3, 1), np.array([True]), None).ravel()
    array([2., 1., 0.])
    """

    def __init__(
        self,
        mode: str = "horizontal_and_vertical",
        seed: int | None = None,
        data_format: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(seed=seed, data_format=data_format, **options)
        modes = ("horizontal_and_vertical", "horizontal", "vertical")
        self.mode = checks.choice("RandomFlip", "mode", mode, modes)

    def draw(self, key: Any, x: Any) -> tuple[Any, ...]:
        """Return whether each image is mirrored left to right, and upside down."""
        flips = bital.random.bernoulli(key, 0.5, (2, x.shape[0]))
        return (
            flips[0] if "horizontal" in self.mode else None,
            flips[1] if "vertical" in self.mode else None,
        )

    def transform(self, x: Any, *drawn: Any) -> Any:
        """Return the images, mirrored where drawn."""
        sideways, upside_down = drawn
        if sideways is not None:
            x = np.where(_beside(sideways), x[:, :, ::-1], x)
        return x if upside_down is None else np.where(_beside(upside_down), x[:, ::-1], x)


class RandomRotation(_Moving):
    """While training, turns images: ``(batch, height, width, channels)``, same out.

    Parameters
    ----------
    factor : float or (float, float)
        The angle is uniform between these parts of a full turn; one number f means ``(-f, f)``.
        Positive ones turn counterclockwise.
    fill_mode : {"reflect", "wrap", "constant", "nearest"}
        What lies outside of an image: its mirror image, the image again, a number, or its edge.
    interpolation : {"bilinear", "nearest"}
        How values between pixels are made.
    seed : int, optional
        As in `Dropout`.
    fill_value : float, default 0
        The number for ``fill_mode="constant"``.
    data_format : {"channels_last"}, optional
    name, dtype, input_shape
        As in `Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> layer = RandomRotation(0.1)
    >>> x = np.arange(4.0).reshape(1, 2, 2, 1)
    >>> layer.transform(x, np.array([np.pi / 2])).round(4).squeeze()
    array([[1., 3.],
           [0., 2.]])
    """

    def __init__(
        self,
        factor: Any,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **options)
        self.factor = _bounds("RandomRotation", "factor", factor)

    def draw(self, key: Any, x: Any) -> tuple[Any, ...]:
        """Return the angles in radians."""
        low, high = (images.radians(turns) for turns in self.factor)
        return (bital.random.uniform(key, (x.shape[0],), x.dtype, low, high),)

    def transform(self, x: Any, *drawn: Any) -> Any:
        """Return the images, turned by the angles."""
        return self.moved(x, images.rotation(drawn[0], *x.shape[1:3]))


class RandomTranslation(_Moving):
    """While training, shifts images: ``(batch, height, width, channels)``, same out.

    Parameters
    ----------
    height_factor, width_factor : float or (float, float)
        The shift is uniform between these parts of the height, and of the width; one number f
        means ``(-f, f)``. Positive ones shift down, and to the right.
    fill_mode, interpolation, seed, fill_value, data_format
        As in `RandomRotation`.
    name, dtype, input_shape
        As in `Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> layer = RandomTranslation(0, 0.5, fill_mode="constant")
    >>> x = np.arange(1.0, 4.0).reshape(1, 1, 3, 1)
    >>> layer.transform(x, np.array([0.0]), np.array([1.0])).ravel()
    array([0., 1., 2.])
    """

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **options)
        self.height_factor = _bounds("RandomTranslation", "height_factor", height_factor)
        self.width_factor = _bounds("RandomTranslation", "width_factor", width_factor)

    def draw(self, key: Any, x: Any) -> tuple[Any, ...]:
        """Return the shifts in pixels: down, and to the right."""
        drawn = bital.random.uniform(key, (2, x.shape[0]), x.dtype)
        return (
            _between(drawn[0], self.height_factor) * x.shape[1],
            _between(drawn[1], self.width_factor) * x.shape[2],
        )

    def transform(self, x: Any, *drawn: Any) -> Any:
        """Return the images, shifted."""
        return self.moved(x, images.translation(*drawn))


class RandomZoom(_Moving):
    """While training, zooms into or out of images: ``(batch, height, width, channels)``, same out.

    Parameters
    ----------
    height_factor : float or (float, float)
        The distance at which pixels are read is ``1 + factor``, uniform between these; one number f
        means ``(-f, f)``. Positive factors zoom out.
    width_factor : float or (float, float), optional
        Default: the same zoom as the height's.
    fill_mode, interpolation, seed, fill_value, data_format
        As in `RandomRotation`.
    name, dtype, input_shape
        As in `Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> layer = RandomZoom(0.5, fill_mode="nearest")
    >>> x = np.arange(4.0).reshape(1, 1, 4, 1)
    >>> layer.transform(x, np.array([0.5]), np.array([0.5])).ravel()
    array([0.75, 1.25, 1.75, 2.25])
    """

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any = None,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **options)
        self.height_factor = _bounds("RandomZoom", "height_factor", height_factor)
        self.width_factor = width_factor
        if width_factor is not None:
            self.width_factor = _bounds("RandomZoom", "width_factor", width_factor)
        for low, _ in (self.height_factor, self.width_factor or (0, 0)):
            if low == -1:
                raise ArgumentError(
                    "RandomZoom: a factor of -1 would stretch a single point over the image; it "
                    f"must lie above, and height_factor={height_factor!r}, "
                    f"width_factor={width_factor!r}."
                )

    def draw(self, key: Any, x: Any) -> tuple[Any, ...]:
        """Return the distances at which pixels are read: down, and to the right."""
        drawn = bital.random.uniform(key, (2, x.shape[0]), x.dtype)
        down = 1 + _between(drawn[0], self.height_factor)
        if self.width_factor is None:
            return down, down
        return down, 1 + _between(drawn[1], self.width_factor)

    def transform(self, x: Any, *drawn: Any) -> Any:
        """Return the images, zoomed."""
        return self.moved(x, images.scaling(*drawn, *x.shape[1:3]))


class RandomContrast(_Random):
    """While training, moves values away from each channel's mean, or towards it.

    ``(x - mean) * (1 + f) + mean``, cut to the range of values:
    ``(batch, height, width, channels)``, same out.

    Parameters
    ----------
    factor : float or (float, float)
        f is uniform between minus the first and the second; both in ``[0, 1]``.
    value_range : (float, float), default (0, 255)
        Smallest and largest value.
    seed : int, optional
        As in `Dropout`.
    data_format : {"channels_last"}, optional
    name, dtype, input_shape
        As in `Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([1.0, 3.0]).reshape(1, 1, 2, 1)
    >>> RandomContrast(0.5).transform(x, np.array([0.5])).ravel()
    array([0.5, 3.5])
    """

    def __init__(
        self,
        factor: Any,
        value_range: Any = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(seed=seed, data_format=data_format, **options)
        pair = factor if isinstance(factor, (list, tuple)) else (factor, factor)
        self.factor = tuple(
            checks.number("RandomContrast", "factor", part, 0, 1) for part in _two(pair)
        )
        self.value_range = _range("RandomContrast", value_range)

    def draw(self, key: Any, x: Any) -> tuple[Any, ...]:
        """Return f."""
        low, high = self.factor
        return (bital.random.uniform(key, (x.shape[0],), x.dtype, -low, high),)

    def transform(self, x: Any, *drawn: Any) -> Any:
        """Return the images with another contrast."""
        mean = np.mean(x, axis=(1, 2), keepdims=True)
        return np.clip((x - mean) * (1 + _beside(drawn[0])) + mean, *self.value_range)


class RandomBrightness(_Random):
    """While training, adds a number to each image, and cuts it to the range of values.

    ``(batch, height, width, channels)``, same out.

    Parameters
    ----------
    factor : float or (float, float)
        The number is uniform between these parts of the range; one number f means ``(-f, f)``.
    value_range : (float, float), default (0, 255)
        Smallest and largest value.
    seed : int, optional
        As in `Dropout`.
    data_format : {"channels_last"}, optional
    name, dtype, input_shape
        As in `Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([1.0, 250.0]).reshape(1, 1, 2, 1)
    >>> RandomBrightness(0.1).transform(x, np.array([20.0])).ravel()
    array([ 21., 255.])
    """

    def __init__(
        self,
        factor: Any,
        value_range: Any = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(seed=seed, data_format=data_format, **options)
        self.factor = _bounds("RandomBrightness", "factor", factor)
        self.value_range = _range("RandomBrightness", value_range)

    def draw(self, key: Any, x: Any) -> tuple[Any, ...]:
        """Return the numbers."""
        low, high = self.value_range
        drawn = bital.random.uniform(key, (x.shape[0],), x.dtype, *self.factor)
        return (drawn * (high - low),)

    def transform(self, x: Any, *drawn: Any) -> Any:
        """Return the images with another brightness."""
        return np.clip(x + _beside(drawn[0]), *self.value_range)


def _beside(values: Any) -> Any:
    """``(batch,) -> (batch, 1, 1, 1)``."""
    return values.reshape(-1, 1, 1, 1)


def _between(unit: Any, bounds: tuple[float, float]) -> Any:
    return bounds[0] + unit * (bounds[1] - bounds[0])


def _two(pair: Any) -> tuple[Any, Any]:
    if not isinstance(pair, (list, tuple)) or len(pair) != 2:
        raise ArgumentError(f"received {pair!r}: must be two numbers.")
    return pair[0], pair[1]


def _bounds(who: str, name: str, factor: Any) -> tuple[float, float]:
    """A factor as its two bounds in ``[-1, 1]``, the lower first."""
    if isinstance(factor, (list, tuple)):
        low, high = (checks.number(who, name, part, -1, 1) for part in _two(factor))
        return min(low, high), max(low, high)
    size = abs(checks.number(who, name, factor, -1, 1))
    return -size, size


def _range(who: str, value_range: Any) -> tuple[float, float]:
    low, high = (checks.number(who, "value_range", part) for part in _two(value_range))
    return min(low, high), max(low, high)


__all__ = [
    "RandomBrightness",
    "RandomContrast",
    "RandomFlip",
    "RandomRotation",
    "RandomTranslation",
    "RandomZoom",
]
