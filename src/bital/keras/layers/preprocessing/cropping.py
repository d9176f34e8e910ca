"""Images cut or brought to a size."""

from __future__ import annotations

from typing import Any

import numpy as np

import bital
from bital.errors import ArgumentError
from bital.keras import checks
from bital.keras.layers.base import Shape
from bital.keras.layers.preprocessing import images
from bital.keras.layers.preprocessing.augmentation import _Images
from bital.keras.random_state import draw_key


class _Sized(_Images):
    """Base: ``(batch, ..., ..., channels) -> (batch, height, width, channels)``."""

    def __init__(
        self, height: int, width: int, data_format: str | None = None, **options: Any
    ) -> None:
        super().__init__(data_format=data_format, **options)
        self.height = checks.integer(type(self).__name__, "height", height)
        self.width = checks.integer(type(self).__name__, "width", width)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return ``(batch, height, width, channels)``."""
        return (input_shape[0], self.height, self.width, input_shape[-1])

    def fitted(self, x: Any) -> Any:
        """Return the largest middle part of the right proportions, resized."""
        return images.resized(
            images.fitting_crop(x, self.height, self.width), self.height, self.width
        )

    def _fits(self, x: Any) -> bool:
        return bool(x.shape[1] >= self.height and x.shape[2] >= self.width)


class CenterCrop(_Sized):
    """The middle of images: ``(batch, ..., ..., channels) -> (batch, height, width, channels)``.

    Images that are smaller are resized, after a cut to the right proportions.

    Parameters
    ----------
    height, width : int
        Sizes of the output.
    data_format : {"channels_last"}, optional
    name, dtype, input_shape
        As in `Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> CenterCrop(1, 2)(np.arange(12.0).reshape(1, 3, 4, 1)).ravel()
    array([5., 6.], dtype=float32)
    """

    def call(self, x: Any) -> Any:
        """Return the middle."""
        return images.middle(x, self.height, self.width) if self._fits(x) else self.fitted(x)


class RandomCrop(_Sized):
    """While training, a part of each image at a random place; otherwise the middle, resized.

    ``(batch, ..., ..., channels) -> (batch, height, width, channels)``. Images that are smaller
    are resized in training too.

    Parameters
    ----------
    height, width : int
        Sizes of the output.
    seed : int, optional
        As in `Dropout`.
    data_format : {"channels_last"}, optional
    name, dtype, input_shape
        As in `Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> RandomCrop(2, 2)(np.zeros((5, 8, 8, 3)), training=True).shape
    (5, 2, 2, 3)
    """

    def __init__(
        self,
        height: int,
        width: int,
        seed: int | None = None,
        data_format: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(height, width, data_format=data_format, **options)
        self.seed = None if seed is None else checks.integer("RandomCrop", "seed", seed, low=0)

    def call(self, x: Any, training: bool = False) -> Any:
        """Return the parts."""
        if not training or not self._fits(x):
            return self.fitted(x)
        drawn = bital.random.uniform(draw_key(self.seed), (2, x.shape[0]), np.float64)
        top, left = (
            np.floor(drawn[axis] * (x.shape[1 + axis] - size + 1)).astype(np.int64)
            for axis, size in enumerate((self.height, self.width))
        )
        return self.transform(x, top, left)

    def transform(self, x: Any, top: Any, left: Any) -> Any:
        """Return the parts that begin at these rows and columns, ``(batch,)`` each."""
        number = np.arange(x.shape[0])[:, np.newaxis, np.newaxis]
        rows = top[:, np.newaxis, np.newaxis] + np.arange(self.height)[:, np.newaxis]
        columns = left[:, np.newaxis, np.newaxis] + np.arange(self.width)
        flat = (number * x.shape[1] + rows) * x.shape[2] + columns
        return x.reshape(-1, x.shape[3])[flat]


class Resizing(_Sized):
    """Images of another size: ``(batch, ..., ..., channels) -> (batch, height, width, channels)``.

    Parameters
    ----------
    height, width : int
        Sizes of the output.
    interpolation : {"bilinear", "nearest", "bicubic", "lanczos3", "lanczos5"}
        How values between pixels are made.
    crop_to_aspect_ratio : bool, default False
        Cut the sides off rather than change the proportions.
    pad_to_aspect_ratio : bool, default False
        Put ``fill_value`` at the sides rather than change the proportions.
    fill_mode : {"constant"}
    fill_value : float, default 0
    antialias : bool, default False
        Whether a smaller image takes the mean of all pixels that it stands for.
    data_format : {"channels_last"}, optional
    name, dtype, input_shape
        As in `Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> Resizing(1, 2)(np.array([0.0, 0.0, 4.0, 8.0]).reshape(1, 1, 4, 1)).ravel()
    array([0., 6.], dtype=float32)
    """

    def __init__(
        self,
        height: int,
        width: int,
        interpolation: str = "bilinear",
        crop_to_aspect_ratio: bool = False,
        pad_to_aspect_ratio: bool = False,
        fill_mode: str = "constant",
        fill_value: float = 0.0,
        antialias: bool = False,
        data_format: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(height, width, data_format=data_format, **options)
        who = "Resizing"
        self.interpolation = checks.choice(who, "interpolation", interpolation, images.RESIZING)
        self.crop_to_aspect_ratio = checks.boolean(
            who, "crop_to_aspect_ratio", crop_to_aspect_ratio
        )
        self.pad_to_aspect_ratio = checks.boolean(who, "pad_to_aspect_ratio", pad_to_aspect_ratio)
        if self.crop_to_aspect_ratio and self.pad_to_aspect_ratio:
            raise ArgumentError(
                f"{who}(crop_to_aspect_ratio={crop_to_aspect_ratio}, pad_to_aspect_ratio="
                f"{pad_to_aspect_ratio}): only one of them can be True."
            )
        self.fill_mode = checks.choice(who, "fill_mode", fill_mode, ("constant",))
        self.fill_value = checks.number(who, "fill_value", fill_value)
        self.antialias = checks.boolean(who, "antialias", antialias)

    def call(self, x: Any) -> Any:
        """Return the images, resized."""
        if self.crop_to_aspect_ratio:
            x = images.fitting_crop(x, self.height, self.width)
        if self.pad_to_aspect_ratio:
            x = images.fitting_pad(x, self.height, self.width, self.fill_value)
        return images.resized(x, self.height, self.width, self.interpolation, self.antialias)


__all__ = ["CenterCrop", "RandomCrop", "Resizing"]
