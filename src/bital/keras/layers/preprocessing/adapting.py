"""Data that layers learn their state from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from bital.errors import ArgumentError, DataError


def batches(who: str, data: Any) -> Iterator[np.ndarray]:
    """Yield the arrays of ``data``: one array, nested lists, or an iterable of batches.

    A batch that is a tuple, ``(x, y)``, counts by its first part.

    Raises
    ------
    DataError
        If there is none.
    """
    whole = hasattr(data, "shape") or (
        isinstance(data, (list, tuple)) and not any(hasattr(item, "shape") for item in data)
    )
    empty = True
    for batch in [data] if whole else data:
        array = np.asarray(batch[0] if isinstance(batch, tuple) and not whole else batch)
        if array.ndim == 0 or array.size == 0:
            raise DataError(f"{who}.adapt received an array of shape {array.shape}: it is empty.")
        empty = False
        yield array
    if empty:
        raise DataError(f"{who}.adapt received {data!r}, without a single batch.")


def array_of(who: str, name: str, value: Any, kinds: str, what: str) -> np.ndarray:
    """Return an argument as an array of one of these kinds of dtypes.

    Raises
    ------
    ArgumentError
        If it is none, such as lists of different lengths.
    """
    try:
        array = np.asarray(value)
    except (ValueError, OverflowError, TypeError):
        array = np.empty(0, object)
    if array.dtype.kind not in kinds and not (array.size == 0 and value == []):
        text = repr(value)
        shown = text if len(text) < 80 else text[:80] + "..."
        raise ArgumentError(f"{who}({name}={shown}): must be {what}.")
    return array


__all__ = ["array_of", "batches"]
