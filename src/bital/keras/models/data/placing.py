"""Samples on their way to the executor's device, or devices."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from bital import DeviceArray, config, tree
from bital.errors import ArgumentError
from bital.keras.models.data.mapped import Mapped
from bital.keras.models.data.parts import Part, batches_at_once, prefetched, stack
from bital.keras.models.data.samples import Data


class Placing:
    """Brings the samples of one training or evaluation to where steps are computed.

    One device gets samples that are in memory once, and picks its batches out of them. Several
    devices get a few batches at a time, in the order of training, each its part of every batch:
    no device, and no process, has more than that of the data. Either happens in the thread that
    reads what is not in memory.

    Parameters
    ----------
    executor : str, optional
        Its name; default: `bital.config`'s. Nothing is done for one that computes in NumPy's
        memory.
    """

    def __init__(self, executor: str | None) -> None:
        self.executor = config.device_executor(executor)
        self.processes = config.processes(executor)
        self._known: dict[Any, tuple[Any, DeviceArray]] = {}

    @property
    def devices(self) -> int:
        """How many parts a batch is cut into."""
        return 1 if self.executor is None else self.executor.devices

    def check(self, who: str, size: int) -> None:
        """Refuse a batch that cannot be cut.

        Raises
        ------
        ArgumentError
            If its size is not a multiple of the number of devices.
        """
        if size % self.devices:
            more = self.rounded(size)
            raise ArgumentError(
                f"{who}(batch_size={size}): {self.devices} devices take equal parts of a batch. "
                f"Write batch_size={more}"
                + (f" or {more - self.devices}." if more > self.devices else ".")
            )

    def rounded(self, size: int) -> int:
        """Return the next size that can be cut."""
        return -(-size // self.devices) * self.devices

    def parts(
        self, source: Any, size: int, order: np.ndarray | None = None, skip: int = 0
    ) -> Iterator[Part]:
        """Yield the batches of an epoch, where they are computed with; see ``Data.parts``."""
        if self.executor is None:
            return iter(source.parts(size, order, skip))
        if self.devices == 1:
            bring = self._once if isinstance(source, Data) else self._placed
            return iter(source.parts(size, order, skip, functools.partial(self._brought, bring)))
        if isinstance(source, Mapped):
            order = np.arange(len(source)) if order is None else order
            rows = order[skip * size :]
            return prefetched(self._cut(source.read, source.whole(), rows, size, skip))
        return iter(source.parts(size, order, skip, self._all_cut))

    def inputs(self, x: Any) -> Any:
        """Return inputs to predict for, cut for several devices where that can be done."""
        executor, count = self.executor, len(tree.leaves(x)[0])
        if executor is None or self.devices == 1 or count % self.devices:
            return x
        share = executor.share(count)
        return tree.map(lambda array: executor.place(array[share], 0), x)

    def resident(self, arrays: Any) -> Any:
        """Return samples that are used whole at each step, where steps are computed."""
        return arrays if self.executor is None else tree.map(self._once, arrays)

    # One device

    def _brought(self, bring: Any, parts: Iterator[Part]) -> Iterator[Part]:
        for part in parts:
            arrays, rows = part.stacked()
            rows = None if rows is None else self._placed(rows)
            yield replace(part, looped=(tree.map(bring, arrays), rows))

    def _placed(self, array: np.ndarray) -> DeviceArray:
        assert self.executor is not None
        return self.executor.place(array)

    def _once(self, array: np.ndarray) -> DeviceArray:
        """The array on the device, copied at its first epoch alone."""
        key = array.__array_interface__["data"][0], array.shape, array.strides, array.dtype
        if key not in self._known:
            self._known[key] = array, self._placed(array)
        return self._known[key][1]

    # Several devices

    def _all_cut(self, parts: Iterator[Part]) -> Iterator[Part]:
        for part in parts:
            if part.size % self.devices:  # as the last batch of a generator may be
                yield part
                continue
            rows = np.arange(part.rows) if part.order is None else part.order
            yield from self._cut(part.data.rows, part.data.whole(), rows, part.size, part.first)

    def _cut(
        self, read: Callable[[Any], Data], like: Any, rows: np.ndarray, size: int, first: int
    ) -> Iterator[Part]:
        """Yield the batches of these rows, each device's part of whole ones on the device."""
        executor = self.executor
        assert executor is not None
        whole = len(rows) // size
        most = min(batches_at_once(like, size), max(whole, 1))
        share = executor.share(size)
        share_size = share.stop - share.start
        for start in range(0, whole, most):
            count = min(most, whole - start)
            places = rows[start * size : (start + count) * size].reshape(count, size)
            # The last part has the shape of the others, so that one program serves all.
            wanted = np.resize(places[:, share], (most, share_size))
            mine = read(wanted.reshape(-1))
            looped = tree.map(lambda x: executor.place(stack(x, share_size), 1), mine.whole())
            origin = places.reshape(-1)
            yield Part(mine, size, count * size, first + start, None, origin, (looped, None))
        rest = rows[whole * size :]
        if len(rest):
            yield Part(read(rest), size, len(rest), first + whole, None, rest)


__all__ = ["Placing"]
