"""Arrays on disk, larger than memory: read a few batches at a time, and checked then."""

from __future__ import annotations

import copy
import math
import mmap
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from bital import tree
from bital.errors import ArgumentError, DataError
from bital.keras import checks, random_state
from bital.keras.models.data.parts import Bring, Part, batches_at_once, prefetched
from bital.keras.models.data.samples import Data


def is_mapped(value: Any) -> bool:
    """Whether there is a memory-mapped array among these."""
    if isinstance(value, dict):
        return any(is_mapped(part) for part in value.values())
    if isinstance(value, (list, tuple)) and any(isinstance(part, np.ndarray) for part in value):
        return any(is_mapped(part) for part in value)
    while isinstance(value, np.ndarray):
        if isinstance(value, np.memmap):
            return True
        value = value.base
    return isinstance(value, mmap.mmap)


class Mapped:
    """Samples of which some are on disk.

    Parameters
    ----------
    check : callable
        ``check(x, y, sample_weight) -> Data`` for a few rows.
    x, y, weights : array, or list or dict of arrays
        Of one length; None for what there is not.
    dtype : dtype
        Of the model.

    Raises
    ------
    DataError
        If they differ in length.
    """

    shuffles = True
    repeatable = True

    def __init__(
        self, check: Callable[..., Data], x: Any, y: Any, weights: Any, dtype: Any
    ) -> None:
        self._check = check
        self._given = tree.map(_as_array, (_arrays(x), _arrays(y), _arrays(weights)))
        self._dtype = dtype
        self._class_weight: Any = None
        lengths = {len(array) if array.ndim else 0 for array in tree.leaves(self._given)}
        if len(lengths) != 1:
            raise DataError(
                "x, y and sample_weight differ in their number of samples: "
                f"{', '.join(map(str, sorted(lengths)))}. Give one row of each for each sample."
            )
        (self._length,) = lengths
        if not self._length:
            raise DataError("x is empty; give at least one sample.")
        self.read(np.arange(1))  # wrong shapes and dtypes, before anything is trained

    def __len__(self) -> int:
        return self._length

    def whole(self) -> Any:
        """Return the arrays as they were given."""
        return self._given

    def steps(self, size: int) -> int:
        """Return the number of batches."""
        return math.ceil(len(self) / size)

    def split(self, fraction: float) -> tuple[Mapped, Mapped]:
        """Return all but the last ``fraction`` of the samples, and that; see ``Data.split``."""
        checks.number("fit", "validation_split", fraction, 0, 1)
        place = math.floor(len(self) * (1 - fraction))
        if place in (0, len(self)):
            raise ArgumentError(
                f"fit(validation_split={fraction!r}) of {len(self)} samples leaves none for "
                f"{'training' if place == 0 else 'validation'}; choose another fraction."
            )
        return self._slice(slice(0, place)), self._slice(slice(place, None))

    def _slice(self, rows: slice) -> Mapped:
        other = copy.copy(self)
        other._given = tree.map(lambda array: array[rows], self._given)
        other._length = len(tree.leaves(other._given)[0])
        return other

    def by_class(self, class_weight: Any, dtype: Any) -> Mapped:
        """Return the samples weighted by their labels; see ``Data.by_class``."""
        other = copy.copy(self)
        other._class_weight = class_weight
        other.read(np.arange(1))
        return other

    def in_place(self, dtype: Any) -> Mapped:
        """Return the samples; each part is brought into place when it is read."""
        return self

    def order(self, seed: int, epoch: int) -> np.ndarray:
        """Return the order of the samples in an epoch: that of the same arrays in memory."""
        return random_state.permutation(seed, epoch, len(self))

    def parts(
        self, size: int, order: np.ndarray | None, skip: int = 0, bring: Bring = iter
    ) -> Iterator[Part]:
        """Yield batches in this order, a few at a time, but for the first ``skip``."""
        return prefetched(bring(self._read_parts(size, order, skip)))

    def _read_parts(self, size: int, order: np.ndarray | None, skip: int) -> Iterator[Part]:
        most = batches_at_once(self._given, size) * size
        for start in range(skip * size, len(self), most):
            stop = min(start + most, len(self))
            places = np.arange(start, stop) if order is None else order[start:stop]
            wanted = places
            if len(places) < most < len(self):
                # The last part has the shape of the others, so that one program serves all.
                wanted = np.concatenate([places, np.repeat(places[-1:], most - len(places))])
            yield Part(self.read(wanted), size, len(places), start // size, None, places)

    def read(self, places: np.ndarray) -> Data:
        """Return the checked samples at these places, in memory."""
        rows = tree.map(lambda array: _gathered(array, places), self._given)
        found = self._check(*rows).by_class(self._class_weight, self._dtype)
        return found.in_place(self._dtype)


def _gathered(array: np.ndarray, places: np.ndarray) -> np.ndarray:
    """The rows at these places, read in the order in which they lie on the disk."""
    if places[-1] - places[0] == len(places) - 1 and (np.diff(places) == 1).all():
        return np.array(array[places[0] : places[-1] + 1])
    along = np.argsort(places, kind="stable")
    found = np.empty((len(places), *array.shape[1:]), array.dtype)
    found[along] = array[places[along]]
    return found


def _arrays(value: Any) -> Any:
    """Lists of numbers as arrays; trees of arrays stay trees."""
    if isinstance(value, (list, tuple)) and not any(isinstance(v, np.ndarray) for v in value):
        return np.asarray(value)
    return value


def _as_array(value: Any) -> Any:
    return value if isinstance(value, np.ndarray) else np.asarray(value)


__all__ = ["Mapped", "is_mapped"]
