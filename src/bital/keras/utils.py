"""Small helpers."""

from __future__ import annotations

from typing import Any

import numpy as np

from bital.errors import ArgumentError, DataError
from bital.keras import checks
from bital.keras.models.plotting import plot_model
from bital.keras.random_state import set_random_seed
from bital.keras.sequences import PyDataset, pad_sequences, timeseries_dataset_from_array
from bital.nn import one_hot


def to_categorical(x: Any, num_classes: int | None = None) -> np.ndarray:
    """Return one-hot float32 vectors for class labels: ``(...) -> (..., num_classes)``.

    A last axis of size 1 is dropped first, as in Keras.

    Parameters
    ----------
    x : array-like of int
        Labels from 0.
    num_classes : int, optional
        Default: the largest label plus 1.

    Raises
    ------
    DataError
        If a label is not an integer in ``[0, num_classes)``.

    Examples
    --------
    >>> to_categorical([0, 2])
    array([[1., 0., 0.],
           [0., 0., 1.]], dtype=float32)
    """
    labels = np.asarray(x)
    whole = labels.dtype.kind == "f" and bool(np.all(labels == np.floor(labels)))
    if labels.dtype.kind not in "iub" and not whole:
        raise DataError(f"to_categorical(x): labels of dtype {labels.dtype} must be integers.")
    labels = labels.astype(np.int64)
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    if labels.size == 0:
        raise DataError("to_categorical(x): x is empty.")
    classes = (
        int(labels.max()) + 1
        if num_classes is None
        else checks.integer("to_categorical", "num_classes", num_classes)
    )
    wrong = (labels < 0) | (labels >= classes)
    if wrong.any():
        place = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise DataError(
            f"to_categorical(x, num_classes={classes}): x{list(place)} is {labels[place]}, and "
            f"labels run from 0 to {classes - 1}."
        )
    return one_hot(labels, classes)


def normalize(x: Any, axis: int = -1, order: int = 2) -> np.ndarray:
    """Return ``x`` divided by its norm along an axis; what is 0 throughout stays so.

    Parameters
    ----------
    x : array-like
    axis : int, default -1
    order : int, default 2
        Of the norm, as in ``np.linalg.norm``.

    Examples
    --------
    >>> normalize([[3.0, 4.0], [0.0, 0.0]])
    array([[0.6, 0.8],
           [0. , 0. ]])
    """
    array = np.asarray(x)
    norm = np.linalg.norm(array, order, axis, keepdims=True)
    return array / np.where(norm == 0, 1, norm)


def image_dataset_from_directory(directory: Any, *arguments: Any, **options: Any) -> Any:
    """Refused: bital reads no folders of images.

    Raises
    ------
    ArgumentError
        Always, with what to write instead.
    """
    raise ArgumentError(
        f"image_dataset_from_directory({str(directory)!r}): bital reads no folders of images. With "
        "Pillow: np.stack([np.asarray(Image.open(p).resize((64, 64))) for p in sorted(paths)]), "
        "and keras.layers.Resizing for sizes within a model."
    )


__all__ = [
    "PyDataset",
    "image_dataset_from_directory",
    "normalize",
    "pad_sequences",
    "plot_model",
    "set_random_seed",
    "timeseries_dataset_from_array",
    "to_categorical",
]
