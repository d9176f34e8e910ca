"""Batches for `predict`, filled up to a few sizes."""

from __future__ import annotations

import numpy as np


def padded(rows: np.ndarray, limit: int) -> np.ndarray:
    """Return the rows, filled up with rows of zeros to a `bucket` size."""
    size = bucket(len(rows), limit)
    if size == len(rows):
        return rows
    whole = np.zeros((size, *rows.shape[1:]), rows.dtype)
    whole[: len(rows)] = rows
    return whole


def bucket(rows: int, limit: int) -> int:
    """Return the number of rows to pad ``rows`` to: a power of two, at most ``limit``.

    Examples
    --------
    >>> [bucket(n, 100) for n in (1, 3, 40, 99)]
    [1, 4, 64, 100]
    """
    return min(limit, 1 << (rows - 1).bit_length())
