"""Arrays that stay where an executor computes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


class DeviceArray:
    """An array on a device, which comes to NumPy when it is looked at.

    `bital.jit` with ``on_device`` returns such arrays and takes them again. All else reads them
    as any function of NumPy reads what has ``__array__``: by a copy, made anew each time. They do
    not change; given away to a compiled function (``donate_argnums``) they are gone.

    Attributes
    ----------
    shape, dtype
        As of NumPy's arrays.
    buffer
        The executor's own, with shape and dtype, ``fetch()`` to NumPy's memory, and ``copy()``.

    Examples
    --------
    >>> step = bital.jit(lambda w: w * 2, executor="xla", on_device=True)     # doctest: +SKIP
    >>> step(step(np.ones(2)))                                                # doctest: +SKIP
    DeviceArray(shape=(2,), dtype=float64)
    """

    __slots__ = ("__weakref__", "buffer", "dtype", "shape")
    base = None  # shares no memory with an array of NumPy

    def __init__(self, buffer: Any) -> None:
        self.buffer = buffer
        self.shape: tuple[int, ...] = tuple(buffer.shape)
        self.dtype: np.dtype[Any] = np.dtype(buffer.dtype)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes on the device, of one copy."""
        return self.size * self.dtype.itemsize

    def copy(self) -> DeviceArray:
        """Return another array of the same values on the device."""
        return DeviceArray(self.buffer.copy())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError(f"{self} is on a device: it cannot be seen without a copy")
        found: np.ndarray = self.buffer.fetch()
        return found if dtype is None else found.astype(dtype, copy=False)

    def __getitem__(self, index: Any) -> Any:
        return np.asarray(self)[index]

    def __len__(self) -> int:
        return self.shape[0]

    def __reduce__(self) -> Any:
        """As a copy or in a pickle it is NumPy's: the device belongs to this process."""
        return np.array, (np.asarray(self),)

    def __repr__(self) -> str:
        return f"DeviceArray(shape={self.shape}, dtype={self.dtype})"
