"""Where random numbers come from when nobody named a seed, and keys for random layers.

Two sources. `fresh_seed` draws from one program-wide generator that ``utils.set_random_seed``
restarts: initial weights, and the seed of a ``fit`` that has none. Within a step, `keys` holds the
step's own key, from which each random layer draws its own: the same step always drops the same
units, whichever step came before.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

import bital
from bital.keras import checks


class _Program:
    """The program-wide generator; made at first use from the operating system's entropy."""

    generator: np.random.Generator | None = None


def set_random_seed(seed: int) -> None:
    """Restart Python's, NumPy's and bital's program-wide generators from ``seed``.

    Raises
    ------
    ArgumentError
        If ``seed`` is not an integer in ``[0, 2**32)``.
    """
    value = checks.integer("set_random_seed", "seed", seed, low=0)
    checks.number("set_random_seed", "seed", value, 0, 2**32 - 1)
    random.seed(value)
    np.random.seed(value)
    _Program.generator = np.random.Generator(np.random.Philox(value))


def fresh_seed() -> int:
    """Return the next seed of the program-wide generator."""
    if _Program.generator is None:
        _Program.generator = np.random.Generator(np.random.Philox())
    return int(_Program.generator.integers(2**32))


def get_state() -> Any:
    """Return the state of the program-wide generator as plain data; None before its first use."""
    return None if _Program.generator is None else _Program.generator.bit_generator.state


def set_state(state: Any) -> None:
    """Let the program-wide generator go on from a state that `get_state` returned."""
    if state is not None:
        generator = np.random.Generator(np.random.Philox())
        generator.bit_generator.state = state
        _Program.generator = generator


class _Keys:
    """The keys of one forward pass."""

    def __init__(self, key: Any, step: Any) -> None:
        self.key = key
        self.step = step
        self.drawn = 0

    def draw(self) -> Any:
        self.drawn += 1
        return bital.random.fold_in(self.key, self.drawn)


_keys: ContextVar[_Keys | None] = ContextVar("bital_keras_keys", default=None)


@contextmanager
def keys(key: Any, step: Any) -> Iterator[None]:
    """Let random layers draw from the key of this step within the block."""
    token = _keys.set(_Keys(key, step))
    try:
        yield
    finally:
        _keys.reset(token)


def draw_key(seed: int | None = None) -> Any:
    """Return a key that no other layer of this forward pass gets.

    With a ``seed`` it depends on that seed and the step only. Outside a step, keys without a seed
    come from the program-wide generator.
    """
    current = _keys.get()
    if current is None:
        return bital.random.key(fresh_seed() if seed is None else seed)
    if seed is None:
        return current.draw()
    return bital.random.fold_in(bital.random.key(seed), current.step)


class _Orders(threading.local):
    """A generator of each thread; to set its state takes a third of the time of making one."""

    def __init__(self) -> None:
        self.generator = np.random.Generator(np.random.Philox(0))
        self.start = self.generator.bit_generator.state


_orders = _Orders()


def permutation(seed: int, epoch: int, samples: int | np.ndarray) -> np.ndarray:
    """Return the order of samples in an epoch, a function of seed and epoch alone.

    ``samples`` is how many there are, or an array ``(samples,)`` to be put in that order.
    """
    words = {**_orders.start["state"], "key": np.array([seed % 2**64, epoch], np.uint64)}
    _orders.generator.bit_generator.state = {**_orders.start, "state": words}
    return _orders.generator.permutation(samples)
