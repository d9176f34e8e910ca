"""Sequences as arrays: padded to one length, or cut out of a long one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from bital.errors import ArgumentError, DataError
from bital.keras import checks


class PyDataset:
    """Batches by number: the base that Keras has for them; ``fit`` asks for the two methods alone.

    Define ``__len__``, the number of batches, and ``__getitem__(i)``, which returns ``(x, y)`` or
    ``(x, y, sample_weight)``. ``fit`` shuffles the numbers and reads ahead.

    Parameters
    ----------
    workers, use_multiprocessing, max_queue_size
        Taken for Keras's sake, without effect: one thread reads ahead.

    Examples
    --------
    >>> class Squares(PyDataset):
    ...     def __len__(self):
    ...         return 4
    ...
    ...     def __getitem__(self, i):
    ...         x = np.arange(8.0)[:, np.newaxis] + 8 * i
    ...         return x, x**2
    >>> Squares().num_batches
    4
    """

    def __init__(
        self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10
    ) -> None:
        self.workers = checks.integer("PyDataset", "workers", workers)
        self.use_multiprocessing = use_multiprocessing
        self.max_queue_size = max_queue_size

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__}: define __len__, the number of batches.")

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError(f"{type(self).__name__}: define __getitem__(i), batch i.")

    @property
    def num_batches(self) -> int:
        """How many batches there are."""
        return len(self)

    def on_epoch_end(self) -> None:
        """Called after each epoch."""


def pad_sequences(
    sequences: Sequence[Any],
    maxlen: int | None = None,
    dtype: Any = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: Any = 0.0,
) -> np.ndarray:
    """Return sequences of different lengths as one array ``(samples, maxlen, ...)``.

    Parameters
    ----------
    sequences : list of sequences
        Each of numbers, or of arrays of one shape.
    maxlen : int, optional
        Length of the result. Default: that of the longest.
    dtype : dtype, default "int32"
    padding, truncating : {"pre", "post"}, default "pre"
        Where ``value`` is put, and where a sequence that is too long is cut.
    value : number, default 0

    Raises
    ------
    DataError
        If something is not a sequence, or its elements have different shapes.

    Examples
    --------
    >>> pad_sequences([[1], [2, 3, 4]], maxlen=2)
    array([[0, 1],
           [3, 4]], dtype=int32)
    """
    who = "pad_sequences"
    checks.choice(who, "padding", padding, ("pre", "post"))
    checks.choice(who, "truncating", truncating, ("pre", "post"))
    for place, sequence in enumerate(sequences):
        if not hasattr(sequence, "__len__"):
            raise DataError(f"{who}(sequences): sequences[{place}] is {sequence!r}, no sequence.")
    longest = max((len(sequence) for sequence in sequences), default=0)
    length = longest if maxlen is None else checks.integer(who, "maxlen", maxlen)
    shape: tuple[int, ...] = next((np.asarray(s).shape[1:] for s in sequences if len(s)), ())
    found = np.full((len(sequences), length, *shape), value, dtype=dtype)
    for place, sequence in enumerate(sequences):
        row = np.asarray(sequence[-length:] if truncating == "pre" else sequence[:length], dtype)
        if not len(row):
            continue
        if row.shape[1:] != shape:
            raise DataError(
                f"{who}(sequences): the elements of sequences[{place}] have shape "
                f"{row.shape[1:]}, and others before have {shape}."
            )
        where = slice(length - len(row), None) if padding == "pre" else slice(len(row))
        found[place, where] = row
    return found


class Windows:
    """Batches of windows of a series, in the form of Keras's ``PyDataset``: `len` and ``[i]``.

    ``timeseries_dataset_from_array`` makes it and explains its arguments.
    """

    def __init__(
        self,
        data: np.ndarray,
        targets: np.ndarray | None,
        starts: np.ndarray,
        steps: np.ndarray,
        batch_size: int,
    ) -> None:
        self.data = data
        self.targets = targets
        self.starts = starts
        self.steps = steps
        self.batch_size = batch_size

    def __len__(self) -> int:
        return math.ceil(len(self.starts) / self.batch_size)

    def __getitem__(self, number: int) -> Any:
        if not 0 <= number < len(self):
            raise IndexError(f"batch {number} of {len(self)}")
        return self._cut(slice(number * self.batch_size, (number + 1) * self.batch_size))

    def whole(self) -> Any:
        """Return all windows as one batch, for ``model.fit(*windows.whole())``."""
        return self._cut(slice(None))

    def _cut(self, part: slice) -> Any:
        starts = self.starts[part]
        x = self.data[starts[:, np.newaxis] + self.steps]
        return x if self.targets is None else (x, self.targets[starts])


def timeseries_dataset_from_array(
    data: Any,
    targets: Any,
    sequence_length: int,
    sequence_stride: int = 1,
    sampling_rate: int = 1,
    batch_size: int = 128,
    shuffle: bool = False,
    seed: int | None = None,
    start_index: int | None = None,
    end_index: int | None = None,
) -> Windows:
    """Return windows of a series, batch by batch: ``(batch, sequence_length, ...)``.

    Parameters
    ----------
    data : array ``(time, ...)``
        The series.
    targets : array ``(time, ...)`` or None
        ``targets[i]`` belongs to the window that begins at ``data[i]``; it can be shorter.
    sequence_length : int
        Elements of a window.
    sequence_stride : int, default 1
        Distance of the beginnings of windows.
    sampling_rate : int, default 1
        Distance of the elements of a window.
    batch_size : int, default 128
    shuffle : bool, default False
        Whether the windows come in a random order, always the same one.
    seed : int, optional
        Of the order.
    start_index, end_index : int, optional
        The part of the series to use.

    Returns
    -------
    Windows
        Of ``(x, y)``, or x without targets. ``model.fit`` takes it; ``whole()`` gives all at once.

    Raises
    ------
    ArgumentError
        If no window fits, or an argument is not allowed.

    Examples
    --------
    >>> import numpy as np
    >>> x, y = timeseries_dataset_from_array(np.arange(6), np.arange(6)[2:], 2)[0]
    >>> x.tolist(), y.tolist()
    ([[0, 1], [1, 2], [2, 3], [3, 4]], [2, 3, 4, 5])
    """
    who = "timeseries_dataset_from_array"
    length = checks.integer(who, "sequence_length", sequence_length)
    stride = checks.integer(who, "sequence_stride", sequence_stride)
    rate = checks.integer(who, "sampling_rate", sampling_rate)
    size = checks.integer(who, "batch_size", batch_size)
    part = slice(start_index, end_index)
    series = np.asarray(data)[part]
    aims = None if targets is None else np.asarray(targets)[part]
    count = len(series) - (length - 1) * rate
    if aims is not None:
        count = min(count, len(aims))
    if count < 1:
        raise ArgumentError(
            f"{who}(sequence_length={length}, sampling_rate={rate}): no window fits into "
            f"{len(series)} elements{'' if aims is None else f' with {len(aims)} targets'}."
        )
    starts = np.arange(0, count, stride)
    if checks.boolean(who, "shuffle", shuffle):
        np.random.default_rng(seed).shuffle(starts)
    return Windows(series, aims, starts, np.arange(length) * rate, size)


__all__ = ["Windows", "pad_sequences", "timeseries_dataset_from_array"]
