"""Images read at other places: resized, and moved by affine maps.

Images are ``(batch, height, width, channels)``. All of it is plain NumPy with checked indices, so
images have derivatives.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

FILL_MODES = ("reflect", "wrap", "constant", "nearest")
INTERPOLATIONS = ("bilinear", "nearest")


def affine(
    images: Any, matrix: Any, interpolation: str, fill_mode: str, fill_value: float = 0.0
) -> Any:
    """Return images whose pixel ``(x, y)`` is the input's at ``matrix @ (x, y, 1)``.

    Parameters
    ----------
    images : array ``(batch, height, width, channels)``
    matrix : array ``(batch, 2, 3)``
        From places in the output to places in the input, ``x`` along the width first.
    interpolation : {"bilinear", "nearest"}
    fill_mode : {"reflect", "wrap", "constant", "nearest"}
        What lies outside of an image: its mirror image ``(d c b a | a b c d | d c b a)``, the image
        again ``(a b c d | a b c d | a b c d)``, a number, or the edge.
    fill_value : float
        The number.
    """
    _, height, width, _ = images.shape
    x = np.arange(width, dtype=images.dtype)
    y = np.arange(height, dtype=images.dtype)[:, np.newaxis]
    rows = [
        matrix[:, i, 0, np.newaxis, np.newaxis] * x
        + matrix[:, i, 1, np.newaxis, np.newaxis] * y
        + matrix[:, i, 2, np.newaxis, np.newaxis]
        for i in (0, 1)
    ]
    return sampled(images, rows[1], rows[0], interpolation, fill_mode, fill_value)


def sampled(
    images: Any, y: Any, x: Any, interpolation: str, fill_mode: str, fill_value: float = 0.0
) -> Any:
    """Return the images' values at the places ``(y, x)``, each ``(batch, height, width)``."""

    def read(row: Any, column: Any) -> Any:
        return _pixels(images, row, column, fill_mode, fill_value)

    if interpolation == "nearest":
        return read(_integer(y + 0.5), _integer(x + 0.5))
    top, left = np.floor(y), np.floor(x)
    down, right = (y - top)[..., np.newaxis], (x - left)[..., np.newaxis]
    i, j = _integer(top), _integer(left)
    above = read(i, j) * (1 - right) + read(i, j + 1) * right
    below = read(i + 1, j) * (1 - right) + read(i + 1, j + 1) * right
    return above * (1 - down) + below * down


def _integer(place: Any) -> Any:
    return np.floor(place).astype(np.int64)


def _pixels(images: Any, row: Any, column: Any, fill_mode: str, fill_value: float) -> Any:
    batch, height, width, channels = images.shape
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    row, column = _within(row, height, fill_mode), _within(column, width, fill_mode)
    number = np.arange(batch)[:, np.newaxis, np.newaxis]
    values = images.reshape(-1, channels)[(number * height + row) * width + column]
    if fill_mode == "constant":
        return np.where(inside[..., np.newaxis], values, fill_value)
    return values


def _within(place: Any, size: int, fill_mode: str) -> Any:
    """The pixel that stands for one outside."""
    if fill_mode == "wrap":
        return place % size
    if fill_mode == "reflect":
        place = place % (2 * size)
        return np.minimum(place, 2 * size - 1 - place)
    return np.clip(place, 0, size - 1)


def _triangle(x: np.ndarray) -> np.ndarray:
    return np.maximum(0, 1 - x)


def _cubic(x: np.ndarray) -> np.ndarray:
    """Keys 1981, "Cubic Convolution Interpolation for Digital Image Processing", a = -1/2."""
    near = ((1.5 * x - 2.5) * x) * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0))


def _lanczos(radius: int) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: np.where(x <= radius, np.sinc(x) * np.sinc(x / radius), 0)


KERNELS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "bilinear": _triangle,
    "bicubic": _cubic,
    "lanczos3": _lanczos(3),
    "lanczos5": _lanczos(5),
}
RESIZING = ("nearest", *KERNELS)


def resized(
    images: Any, height: int, width: int, interpolation: str = "bilinear", antialias: bool = False
) -> Any:
    """Return images of another size: a product with a matrix along each axis."""
    rows = _weights(images.shape[1], height, interpolation, antialias).astype(images.dtype)
    columns = _weights(images.shape[2], width, interpolation, antialias).astype(images.dtype)
    return np.einsum("biwc,wj->bijc", np.einsum("bhwc,hi->biwc", images, rows), columns)


def _weights(have: int, want: int, interpolation: str, antialias: bool) -> np.ndarray:
    """What each pixel of the input counts for each of the output, ``(have, want)``."""
    step = have / want
    centre = (np.arange(want) + 0.5) * step - 0.5
    if interpolation == "nearest":
        return np.eye(have)[:, np.floor(centre + 0.5).astype(int)]
    reach = max(step, 1.0) if antialias else 1.0
    weights = KERNELS[interpolation](np.abs(centre - np.arange(have)[:, np.newaxis]) / reach)
    return weights / weights.sum(axis=0)


def fitting_crop(images: Any, height: int, width: int) -> Any:
    """Return the largest part in the middle that has the proportions of ``height`` to ``width``."""
    _, rows, columns, _ = images.shape
    high = max(1, min(rows, int(columns * height / width)))
    wide = max(1, min(columns, int(rows * width / height)))
    return middle(images, high, wide)


def middle(images: Any, height: int, width: int) -> Any:
    """Return the middle of the images."""
    top, left = (images.shape[1] - height) // 2, (images.shape[2] - width) // 2
    return images[:, top : top + height, left : left + width]


def fitting_pad(images: Any, height: int, width: int, fill_value: float) -> Any:
    """Return the images, padded on two sides to the proportions of ``height`` to ``width``."""
    _, rows, columns, _ = images.shape
    pads = []
    for have, want in (
        (rows, max(rows, int(columns * height / width))),
        (columns, max(columns, int(rows * width / height))),
    ):
        before = (want - have) // 2
        # Both sides get the same: so Keras's images come out a row short where this is odd.
        pads.append((before, before))
    return np.pad(images, [(0, 0), *pads, (0, 0)], constant_values=fill_value)


def rotation(angle: Any, height: int, width: int) -> Any:
    """Return the matrices ``(batch, 2, 3)`` that turn images about their middle, in radians."""
    x, y = (width - 1) / 2, (height - 1) / 2
    cos, sin = np.cos(angle), np.sin(angle)
    return _matrix(cos, -sin, x - x * cos + y * sin, sin, cos, y - x * sin - y * cos)


def translation(down: Any, right: Any) -> Any:
    """Return the matrices that move images by so many pixels."""
    one, zero = np.ones_like(down), np.zeros_like(down)
    return _matrix(one, zero, -right, zero, one, -down)


def scaling(down: Any, right: Any, height: int, width: int) -> Any:
    """Return the matrices that read images at distances of ``down`` and ``right`` pixels."""
    x, y = (width - 1) / 2, (height - 1) / 2
    zero = np.zeros_like(down)
    return _matrix(right, zero, x * (1 - right), zero, down, y * (1 - down))


def _matrix(*entries: Any) -> Any:
    return np.stack(entries, axis=-1).reshape(-1, 2, 3)


def radians(turns: float) -> float:
    """Return turns as radians.

    Examples
    --------
    >>> radians(0.5) == math.pi
    True
    """
    return 2 * math.pi * turns
