"""An epoch of several networks as one compiled program.

The training step of one model is traced once and mapped, by `bital.vmap`, over weights, states,
keys, rates, rows, and the numbers in which the models differ (`hyperparameters`). The program is
kept, as `models.sharing` does, for other networks that are the same but for such numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import bital
from bital.keras.hyperparameters import Full, Numbers, Place, Table, fingerprint
from bital.keras.models import sharing
from bital.keras.models.running import LOOKING_BATCH

_KEPT = 4  # programs of models that are the same but for numbers that Python decides by


@dataclass(frozen=True)
class Epoch:
    """A program, and what it takes and gives."""

    compiled: Callable[[list[Any]], list[np.ndarray]]
    results: bital.tree.Structure
    table: Table

    def __call__(self, state: Any, rows: Any, tests: Any, own: Any, samples: Any) -> Any:
        """Train and measure a block of networks.

        Parameters
        ----------
        state : tree of arrays, ``(networks, ...)``
            Weights, states of optimizers, other values; overwritten.
        rows : array, int64, ``(networks, samples)``
            The samples of each, in the order of this epoch.
        tests : array, int64, ``(networks, samples)``, optional
            Those to be measured on.
        own : (keys, rates, rows of the table)
            Of each network.
        samples : (training, tests)
            What rows and tests are numbers of.

        Returns
        -------
        state, sums, sums of tests
        """
        leaves = bital.tree.leaves((state, rows, tests, own, samples))
        with np.errstate(all="ignore"):
            return bital.tree.unflatten(self.results, self.compiled(leaves))


def epoch(
    model: Any,
    places: Sequence[Place],
    members: Sequence[int],
    size: int,
    executor: str,
    arguments: Callable[[int], Any],
) -> Epoch:
    """Return the program of a model's epoch in batches of ``size``, traced and compiled if need be.

    Parameters
    ----------
    places, members
        Where models differ, and which models it must do for.
    arguments : callable
        Makes arguments of an `Epoch`, with a table as wide as it says.

    Raises
    ------
    Divided
        If one program does not do for all members.
    """
    leaves, structure = bital.tree.flatten(arguments(0))
    types = tuple((leaf.shape, leaf.dtype) for leaf in leaves)
    paths = tuple((place.path, place.dtype) for place in places)
    running = executor, bital.config.stabilizing(), bital.config.num_threads()
    seen = fingerprint(model, places)
    key = seen and ("epoch", seen, paths, size, structure, types, running)
    known: list[Epoch] = sharing.shared(key, list) if key else []
    for each in known:
        if each.table.of(places, members) is not None:
            return each
    made = _Tracing(model, Numbers(places, members), size).compiled(executor, arguments)
    known[:] = [made, *known[: _KEPT - 1]]
    return made


class _Tracing:
    """The function that is traced."""

    def __init__(self, model: Any, numbers: Numbers, size: int) -> None:
        self.model = model
        self.numbers = numbers
        self.steps = model._steps()
        self.size = size

    def compiled(self, executor: str, arguments: Callable[[int], Any]) -> Epoch:
        program = bital.jit(self._epoch, donate_argnums=0, executor=executor)
        while True:
            given = arguments(self.numbers.table().width)
            try:
                with self.model._lock, self.numbers.in_place():
                    found = program.compiled(*given)
                return Epoch(found, self.results, self.numbers.table())
            except Full:
                self.numbers.widen()

    def _epoch(self, state: Any, rows: Any, tests: Any, own: Any, samples: Any) -> Any:
        steps, size = self.steps, self.size
        training, measured = samples

        def batch(arrays: Any, rows: Any) -> Any:
            x, y, weights = bital.tree.map(lambda array: array[rows], arrays)
            return self.model._as_inputs(x), y, weights

        def train(carry: Any, rows: Any, key: Any, rate: Any, row: Any) -> Any:
            (weights, state, others), sums = carry
            with self.numbers.read_from(row):
                *after, sums = steps.train(
                    weights, state, others, sums, *batch(training, rows), key, rate
                )
            return tuple(after), sums

        def test(sums: Any, rows: Any, state: Any, row: Any) -> Any:
            weights, _, others = state
            with self.numbers.read_from(row):
                return steps.test(weights, others, sums, *batch(measured, rows))

        lanes = len(rows)
        zeros = bital.tree.map(lambda zero: np.zeros(lanes, zero.dtype), steps.zero_sums())
        many = bital.vmap(train)
        state, sums = _swept(
            lambda carry, rows: many(carry, rows, *own), (state, zeros), rows, size
        )
        found = None
        if tests is not None:
            looking = bital.vmap(test)
            found = _swept(
                lambda sums, rows: looking(sums, rows, state, own[-1]),
                zeros,
                tests,
                max(size, LOOKING_BATCH),
            )
        self.results = bital.tree.structure((state, sums, found))
        return state, sums, found


def _swept(step: Callable[[Any, Any], Any], carry: Any, rows: Any, size: int) -> Any:
    """``step(carry, rows of a batch)`` for all batches of rows ``(networks, samples)``."""
    networks, count = rows.shape
    whole = count // size
    if whole:
        blocks = rows[:, : whole * size].reshape(networks, whole, size).transpose(1, 0, 2)
        carry = bital.fori_loop(0, whole, lambda i, carry: step(carry, blocks[i]), carry)
    return step(carry, rows[:, whole * size :]) if count % size else carry


__all__ = ["Epoch", "epoch"]
