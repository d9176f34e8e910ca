"""Batches that somebody else makes: generators, iterables, and objects like Keras's PyDataset."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from bital import tree
from bital.errors import ArgumentError, DataError
from bital.keras import random_state
from bital.keras.models.data.parts import Bring, Part, prefetched
from bital.keras.models.data.samples import Data

_PART_BYTES = 16 << 20
_MOST = 16


def is_batches(x: Any) -> bool:
    """Whether this makes batches: it is no array, table or container of them."""
    if isinstance(x, (np.ndarray, list, tuple, dict, str, bytes)) or hasattr(x, "__array__"):
        return False
    return _is_indexed(x) or isinstance(x, Iterable)


def _is_indexed(x: Any) -> bool:
    return hasattr(x, "__getitem__") and hasattr(x, "__len__")


class Batches:
    """A source of batches ``(x, y)`` or ``(x, y, sample_weight)``.

    Parameters
    ----------
    who : str
        The method, for messages.
    check : callable
        ``check(x, y, sample_weight) -> Data`` for one batch.
    source : iterable, or object with ``__getitem__`` and ``__len__``
        The latter is asked for batch 0, 1, ...; ``fit`` shuffles their numbers, and calls its
        ``on_epoch_end()`` after each epoch if it has one.
    steps : int, optional
        Batches in an epoch. Default: its length, or all that it yields.
    dtype : dtype
        Of the model.

    Raises
    ------
    DataError
        If there is no batch.
    """

    def __init__(
        self, who: str, check: Callable[..., Data], source: Any, steps: int | None, dtype: Any
    ) -> None:
        self._who = who
        self._check = check
        self._source = source
        self._dtype = dtype
        self._class_weight: Any = None
        self.repeatable = self.shuffles = _is_indexed(source)
        self._steps = steps
        if steps is None and hasattr(source, "__len__"):
            self._steps = len(source)
        self._once = isinstance(source, Iterator)
        self.ends = not self._once or steps is not None
        self._iterator = iter(source) if self._once else None
        first = next(iter(self._raw(None, 0)), None)
        if first is None:
            raise DataError(f"{who}: the {type(source).__name__} yields no batch.")
        if self._once:
            self._iterator = itertools.chain([first], self._iterator)
        self._checked(first)  # wrong shapes and dtypes, before anything is trained

    def steps(self, size: int) -> int | None:
        """Return the number of batches in an epoch, if it is known."""
        return self._steps

    def whole(self) -> Any:
        """Return what tells this source from others: its kind and its number of batches."""
        return type(self._source).__name__, self._steps, None

    def split(self, fraction: float) -> Any:
        """Refuse: the last samples are not known."""
        raise ArgumentError(
            f"fit(validation_split={fraction!r}) needs arrays; for batches that are made on the "
            "way give validation_data."
        )

    def by_class(self, class_weight: Any, dtype: Any) -> Batches:
        """Return the samples weighted by their labels; see ``Data.by_class``."""
        other = copy.copy(self)
        other._class_weight = class_weight
        return other

    def in_place(self, dtype: Any) -> Batches:
        """Return the batches; each is brought into place when it is made."""
        return self

    def order(self, seed: int, epoch: int) -> np.ndarray | None:
        """Return the order of the batches in an epoch, if they can be asked for by number."""
        if not self.shuffles or self._steps is None:
            return None
        return random_state.permutation(seed, epoch, self._steps)

    def parts(
        self, size: int, order: np.ndarray | None, skip: int = 0, bring: Bring = iter
    ) -> Iterator[Part]:
        """Yield the batches of an epoch, several at a time, but for the first ``skip``."""
        parts = bring(self._grouped(self._raw(order, skip), skip))
        yield from prefetched(parts) if self.repeatable else parts
        if hasattr(self._source, "on_epoch_end"):
            self._source.on_epoch_end()

    def _raw(self, order: np.ndarray | None, skip: int) -> Iterator[Any]:
        if self.repeatable:
            steps = self._steps or 0
            for number in range(skip, steps):
                yield self._source[number if order is None else int(order[number])]
            return
        made = self._iterator if self._once else iter(self._source)
        assert made is not None
        yield from itertools.islice(made, self._steps)

    def _grouped(self, raw: Iterable[Any], skip: int) -> Iterator[Part]:
        """Join batches of one size, so that one call of a program takes several of them."""
        group: list[Data] = []
        done = skip

        def flushed() -> Iterator[Part]:
            nonlocal done
            size = len(group[0]) if group else 0
            together = [_joined(group)] if len(group) == most else group
            for samples in together:
                yield Part(samples.in_place(self._dtype), size, len(samples), done)
                done += len(samples) // size
            group.clear()

        most, kind = 1, None
        for batch in raw:
            samples = self._checked(batch)
            found = [(array.shape, array.dtype) for array in tree.leaves(samples.whole())]
            if found != kind:
                yield from flushed()
                kind = found
                size = sum(array.nbytes for array in tree.leaves(samples.whole()))
                most = max(1, min(_MOST, self._steps or _MOST, _PART_BYTES // max(1, size)))
            group.append(samples)
            if len(group) == most:
                yield from flushed()
        yield from flushed()
        missing = self._steps is not None and done < self._steps
        if done == 0 or missing:
            raise DataError(
                f"{self._who}: the {type(self._source).__name__} ended after {done} batches"
                + (f" of {self._steps}" if missing else "")
                + ". Give a smaller steps_per_epoch, or an iterable that begins anew each epoch: a "
                "generator is at its end only once."
            )

    def _checked(self, batch: Any) -> Data:
        if not isinstance(batch, tuple):
            batch = (batch,)
        if len(batch) > 3:
            raise DataError(
                f"{self._who}: a batch is a tuple of {len(batch)} items; it must be (x, y) or "
                "(x, y, sample_weight)."
            )
        x, y, weights = (*batch, None, None)[:3]
        return self._check(x, y, weights).by_class(self._class_weight, self._dtype)


def _joined(group: list[Data]) -> Data:
    if len(group) == 1:
        return group[0]
    wholes = [samples.whole() for samples in group]
    return Data(*tree.map(lambda *arrays: np.concatenate(arrays), *wholes))


__all__ = ["Batches", "is_batches"]
