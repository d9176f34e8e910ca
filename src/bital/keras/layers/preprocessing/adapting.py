"""Data that layers learn their state from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from bital.errors import DataError


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


__all__ = ["batches"]
