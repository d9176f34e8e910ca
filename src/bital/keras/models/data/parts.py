"""What a training goes through in one epoch, piece by piece: each is in memory as a whole."""

from __future__ import annotations

import contextvars
import math
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from bital import tree

if TYPE_CHECKING:
    from bital.keras.models.data.samples import Data

Item = TypeVar("Item")
_PART_BYTES = 32 << 20

Arrays = tuple[Any, Any, Any]
"""Inputs, targets and sample weights: trees of arrays."""

Bring = Callable[[Iterator["Part"]], Iterator["Part"]]
"""What brings parts to where they are computed with, in the thread that makes them."""


@dataclass(frozen=True)
class Part:
    """Batches in a row.

    Parameters
    ----------
    data : Data
        As compiled code reads it; it may hold more rows than count.
    size : int
        Of a batch.
    rows : int
        How many samples count: the last batch may be shorter.
    first : int
        Number of the first batch within the epoch.
    order : array of int, optional
        Where in ``data`` the samples stand, in the order of training.
    origin : array of int, optional
        Where the samples stand in the whole of the data.
    looped : (arrays, rows), optional
        What a loop over the whole batches reads, if that is on a device.
    """

    data: Data
    size: int
    rows: int
    first: int = 0
    order: np.ndarray | None = None
    origin: np.ndarray | None = None
    looped: tuple[Arrays, Any] | None = None

    @property
    def whole(self) -> int:
        """How many batches are of full size."""
        return self.rows // self.size

    @property
    def count(self) -> int:
        """How many batches there are."""
        return math.ceil(self.rows / self.size)

    def stacked(self) -> tuple[Arrays, Any]:
        """Return the arrays that a loop over batches reads, and the rows of each batch or None."""
        if self.looped is not None:
            return self.looped
        if self.order is None:
            return self.data.stacked(self.size), None
        return self.data.whole(), stack(self.order, self.size)

    def batch(self, number: int) -> Arrays:
        """Return one batch."""
        start, stop = number * self.size, min((number + 1) * self.size, self.rows)
        rows = slice(start, stop) if self.order is None else self.order[start:stop]
        return self.data.rows(rows).whole()

    def places(self, number: int) -> np.ndarray:
        """Return where the samples of a batch stand in the whole of the data."""
        start, stop = number * self.size, min((number + 1) * self.size, self.rows)
        known = self.order if self.origin is None else self.origin
        return np.arange(start, stop) if known is None else known[start:stop]


def stack(array: np.ndarray, size: int) -> np.ndarray:
    """Return the whole batches of an array: ``(samples, ...) -> (batches, size, ...)``."""
    count = len(array) // size
    return array[: count * size].reshape(count, size, *array.shape[1:])


def batches_at_once(arrays: Any, size: int) -> int:
    """Return how many batches of samples like these are worth a part of their own."""
    row = sum(math.prod(a.shape[1:]) * a.itemsize for a in tree.leaves(arrays))
    return max(1, _PART_BYTES // max(1, size * row))


def prefetched(items: Iterable[Item]) -> Iterator[Item]:
    """Yield the items, each made by a thread while the one before it is in use."""
    ready: queue.Queue[tuple[str, Any]] = queue.Queue(maxsize=1)
    stopped = threading.Event()

    def put(kind: str, value: Any = None) -> bool:
        while not stopped.is_set():
            try:
                ready.put((kind, value), timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            for item in items:
                if not put("item", item):
                    return
            put("end")
        except BaseException as error:
            put("error", error)

    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(work,), name="bital-data", daemon=True)
    thread.start()
    try:
        while True:
            kind, value = ready.get()
            if kind == "end":
                return
            if kind == "error":
                raise value
            yield value
    finally:
        stopped.set()
        thread.join()


__all__ = ["Part", "prefetched"]
