"""Pictures of digits from files, made like those of MNIST: ``(n, 784)`` float32 in [0, 1].

MNIST's digits are white on black, 20 pixels high or wide, with their centre of mass in the middle
of 28 x 28. A scan or a drawing is brought to that form, and each step that changed the picture is
told to the caller.
"""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bital.errors import ImageFileError, MissingExtraError

SIZE = 28
BOX = 20
"""Longer side of a digit in MNIST."""
LARGEST = 4096
"""Longest side of a picture that is accepted."""
FAINTEST = 16
"""Gray levels between paper and ink below which a picture counts as blank."""

Gray: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True)
class Digits:
    """Images ready for the network, and what was done to make them so.

    ``images``: (n, 784) float32 in [0, 1], ink bright.
    """

    images: Gray
    notes: tuple[str, ...]


def load(path: Path) -> Digits:
    """Load ``.npy`` as an array of images, and any other file as one picture.

    Raises
    ------
    ImageFileError
        The file cannot be read, or does not hold images of digits.
    MissingExtraError
        The file is a picture, and Pillow is not installed.
    """
    return load_array(path) if path.suffix.lower() == ".npy" else load_picture(path)


def load_array(path: Path) -> Digits:
    """Load one or many images of 28 x 28 from a file that ``np.save`` wrote.

    Shapes: (28, 28), (784,), (n, 28, 28), (n, 784), (n, 1, 28, 28) or (n, 28, 28, 1), ink bright as
    in MNIST. Bytes and other integers are divided by 255, and so are floats that exceed 1.
    """
    try:
        with path.open("rb") as file:  # not np.load: it would also open archives and pickles
            array = np.lib.format.read_array(file, allow_pickle=False)
    except (OSError, ValueError, EOFError, MemoryError, SyntaxError) as error:
        raise ImageFileError(
            f"{path} cannot be read as a NumPy array ({error}). Write one array with np.save."
        ) from error
    if array.dtype.kind not in "buif":
        raise ImageFileError(f"{path} has dtype {array.dtype}; gray values are numbers.")
    images = _rows(array, path)
    if images.size == 0:
        raise ImageFileError(f"{path} has shape {array.shape}: no image at all.")
    return _scaled(images, path)


def _rows(array: NDArray[Any], path: Path) -> NDArray[Any]:
    """One row of 784 for each image."""
    shape = array.shape
    one = shape in ((SIZE, SIZE), (SIZE * SIZE,))
    many = shape[1:] in ((SIZE, SIZE), (SIZE * SIZE,), (1, SIZE, SIZE), (SIZE, SIZE, 1))
    if not one and not many:
        raise ImageFileError(
            f"{path} has shape {shape}. Expected (28, 28) or (784,) for one image, (n, 28, 28), "
            "(n, 784), (n, 1, 28, 28) or (n, 28, 28, 1) for many."
        )
    return array.reshape(1 if one else shape[0], SIZE * SIZE)


def _scaled(images: NDArray[Any], path: Path) -> Digits:
    low, high = images.min(), images.max()
    if not np.isfinite(low) or not np.isfinite(high):
        raise ImageFileError(f"{path} holds values that are not finite (NaN or infinity).")
    integers = images.dtype.kind in "ui"
    if low < 0 or high > 255:
        raise ImageFileError(
            f"{path} holds values from {low} to {high}; gray values are integers from 0 to 255 or "
            "floats from 0 to 1."
        )
    values = images.astype(np.float32)
    if integers or high > 1:
        return Digits(values / np.float32(255), ("gray values divided by 255",))
    return Digits(values, ())


def load_picture(path: Path) -> Digits:
    """Load one picture of one digit, in any format that Pillow reads."""
    gray = _read_gray(path)
    notes = []
    # Paper is what surrounds the digit: the median of the frame, whatever its shade.
    frame = np.concatenate([gray[0], gray[-1], gray[1:-1, 0], gray[1:-1, -1]])
    paper = float(np.median(frame))
    if paper > 127:
        gray, paper = 255 - gray, 255 - paper
        notes.append("dark digit on light paper: colours inverted")
    contrast = float(gray.max()) - paper
    if contrast < FAINTEST:
        raise ImageFileError(
            f"{path} looks blank: ink and paper differ by {contrast:.0f} of 255 gray levels."
        )
    if gray.shape == (SIZE, SIZE):
        return Digits(gray.reshape(1, -1) / np.float32(255), tuple(notes))
    # Half of the contrast is where MNIST's ink has its edge; a quarter keeps soft edges.
    ink = np.clip((gray - paper) / contrast, 0, 1).astype(np.float32)
    rows, columns = (np.flatnonzero((ink > 0.25).any(axis=axis)) for axis in (1, 0))
    digit = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    notes.append(
        f"{gray.shape[1]} x {gray.shape[0]} pixels: the digit ({digit.shape[1]} x "
        f"{digit.shape[0]}) was scaled to {BOX} and centred in {SIZE} x {SIZE}"
    )
    return Digits(_centred(_fitted(digit)).reshape(1, -1), tuple(notes))


def _read_gray(path: Path) -> Gray:
    """Gray values ``(height, width)`` from 0 to 255; transparent parts count as white paper."""
    try:
        from PIL import Image
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"Reading {path} needs Pillow, which is not installed: pip install pillow, or install "
            'bital with its extra "cli". Arrays saved with np.save work without it.'
        ) from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as picture:
                if max(picture.size) > LARGEST:
                    raise ImageFileError(
                        f"{path} has {picture.width} x {picture.height} pixels; the longest side "
                        f"may have {LARGEST}. Cut out the digit."
                    )
                colours = picture.convert("RGBA")
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise ImageFileError(f"{path} is too large: {error}") from error
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise ImageFileError(f"{path} cannot be read as a picture ({error}).") from error
    paper = Image.new("RGBA", colours.size, "white")
    return np.asarray(Image.alpha_composite(paper, colours).convert("L"), dtype=np.float32)


def _fitted(digit: Gray) -> Gray:
    """Scale so that the longer side has 20 pixels, averaging over what each new pixel covers."""
    from PIL import Image

    height, width = digit.shape
    longer = max(height, width)
    size = (max(1, round(width * BOX / longer)), max(1, round(height * BOX / longer)))
    resampling = Image.Resampling.BOX if longer > BOX else Image.Resampling.BILINEAR
    scaled = Image.fromarray(digit).resize(size, resampling)
    return np.asarray(scaled, dtype=np.float32)


def _centred(digit: Gray) -> Gray:
    """Put the centre of mass into the middle of 28 x 28, as far as the digit then fits."""
    canvas = np.zeros((SIZE, SIZE), np.float32)
    mass = digit.sum()
    corner = []
    for axis, length in enumerate(digit.shape):
        centre = (digit.sum(axis=1 - axis) * (np.arange(length) + 0.5)).sum() / mass
        corner.append(int(np.clip(round(SIZE / 2 - float(centre)), 0, SIZE - length)))
    top, left = corner
    canvas[top : top + digit.shape[0], left : left + digit.shape[1]] = digit
    return canvas
