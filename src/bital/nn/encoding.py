"""Class labels as vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from bital.errors import ArgumentError


def one_hot(labels: Any, num_classes: int, dtype: Any = np.float32, axis: int = -1) -> Any:
    """Return vectors that are 1 at each label and 0 elsewhere: ``(...) -> (..., num_classes)``.

    Parameters
    ----------
    labels : integer array or traced value, ``(...)``
        A label outside ``[0, num_classes)`` gives a vector of zeros.
    num_classes : int
        Length of the new axis.
    dtype : dtype, default float32
        Of the result.
    axis : int, default -1
        Where the new axis stands in the result.

    Raises
    ------
    ArgumentError
        If the labels are not integers, or ``num_classes`` is not a positive integer.

    Examples
    --------
    >>> import numpy as np
    >>> one_hot(np.array([2, 0]), 3)
    array([[0., 0., 1.],
           [1., 0., 0.]], dtype=float32)
    """
    if not isinstance(num_classes, (int, np.integer)) or num_classes < 1:
        raise ArgumentError(
            f"one_hot(num_classes={num_classes!r}): the number of classes must be a positive "
            "integer, for instance one_hot(labels, 10)."
        )
    kind = np.dtype(labels.dtype).kind if hasattr(labels, "dtype") else None
    if kind is None:
        labels = np.asarray(labels)
        kind = labels.dtype.kind
    if kind not in "iu":
        raise ArgumentError(
            f"one_hot(labels) received labels of dtype {labels.dtype}; labels must be integers. "
            "Write one_hot(labels.astype(int), num_classes) if they are whole numbers."
        )
    place = axis % (labels.ndim + 1)
    classes = np.arange(num_classes).reshape((num_classes,) + (1,) * (labels.ndim - place))
    return (np.expand_dims(labels, place) == classes).astype(dtype)
