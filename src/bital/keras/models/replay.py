"""Why a loss became NaN: the last good state, and the calls since, run again batch by batch.

A training program overwrites its weights. So now and then, where that costs at most a hundredth of
the time, the state is copied; the calls after that are only noted. Training is deterministic, so
the same calls lead to the same bits, and the first batch that leaves something behind that is not
finite is found and computed once more by the executor that searches.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

import bital
from bital.errors import NonFiniteError
from bital.keras.models.step import Steps
from bital.keras.variables import values_of

State = tuple[Any, Any, Any]
"""Weights, the optimizer's state, other values."""

_SHARE = 100  # a copy is made after so many times what it takes
_MOST_CALLS = 1000
_MOST_BYTES = 256 << 20  # of data that nothing else would keep in memory


class Replay:
    """What is kept of a training.

    Parameters
    ----------
    run : callable
        ``run(name, state, sums, batch, key, rate) -> results``: one of the training programs.
    """

    def __init__(self, run: Callable[..., Any]) -> None:
        self._run = run
        self._state: State | None = None
        self._calls: list[tuple[Any, ...]] = []
        self._left: tuple[int, ...] = ()
        self._seconds = 0.0
        self._held = 0
        self._taken = 0.0

    def before(self, state: State, *call: Any, held: int = 0) -> None:
        """Note a call: its name, sums, batch, key, learning rate, and the batches' rows.

        ``held`` is the size of the batch, where it is kept in memory by this note alone.
        """
        start = time.perf_counter()
        known = _identity(state) == self._left
        late = start - self._taken >= _SHARE * self._seconds or len(self._calls) >= _MOST_CALLS
        late = late or self._held >= _MOST_BYTES
        if (late or not known) and (_is_finite(state) or not known):
            self._state, self._calls, self._held = _copied(state), [], 0
            self._taken = time.perf_counter()
            self._seconds = self._taken - start
        self._calls.append(call)
        self._held += held

    def after(self, state: State) -> None:
        """Note what a call left behind: if it is changed before the next, that begins anew."""
        self._left = _identity(state)

    def explain(self, steps: Steps, last: int) -> str | None:
        """The first operation that made something that is not finite, in words.

        Parameters
        ----------
        steps : Steps
        last : int
            Number of the batch after which the loss was found not to be finite.

        Returns
        -------
        str or None
            None if it does not happen again, as after a change from outside.
        """
        state = self._state
        for index, (name, sums, batch, key, rate, rows) in enumerate(self._calls):
            numbers: Any = [None]
            if name == "train_many":
                stop = last + 1 if index == len(self._calls) - 1 else int(batch[3])
                numbers = range(int(batch[2]), stop)
            for number in numbers:
                one = batch
                if number is not None:
                    one = *batch[:2], np.int64(number), np.int64(number + 1)
                found = self._run(name, _copied(state), sums, one, key, rate)
                if not _is_finite(found):
                    single = batch if number is None else steps.batch(*batch[:2], number)
                    call = ("train", _copied(state), sums, single, key, rate)
                    return self._searched(call, rows() if number is None else rows(number))
                state, sums = found[:3], found[3]
        return None

    def _searched(self, call: Any, rows: np.ndarray) -> str | None:
        try:
            with bital.debug_nans():
                self._run(*call)
        except NonFiniteError as error:
            return _told(error, rows)
        return None


def _told(error: NonFiniteError, rows: np.ndarray) -> str:
    bad: Any = error.rows
    if error.shape[:1] == (len(rows),) and bad is not None and len(bad):
        shown = f"It happened in the training samples {_listed(rows[bad])}"
    else:
        shown = f"The batch holds the training samples {_listed(rows)}"
    return f"{error}\n  {shown}"


def _listed(rows: np.ndarray) -> str:
    more = f", ... ({len(rows)} in all)" if len(rows) > 10 else ""
    return ", ".join(str(row) for row in rows[:10]) + more


def _identity(state: State) -> tuple[int, ...]:
    return tuple(map(id, bital.tree.leaves(state)))


def _copied(state: Any) -> Any:
    return bital.tree.map(lambda leaf: leaf.copy(), state)


def _is_finite(state: Any) -> bool:
    leaves = bital.tree.leaves(state)
    return all(bool(np.isfinite(leaf).all()) for leaf in leaves)


def current(steps: Steps, optimizer: Any) -> State:
    """The state as it is now."""
    return values_of(steps.trainable), optimizer._state, values_of(steps.others)
