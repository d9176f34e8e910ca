"""Processes that compute together, as those above the executors see them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class Alone:
    """One process; what several do differs where `xla/processes.py` says so.

    Attributes
    ----------
    index : int
        Number of this process: 0 prints and writes.
    count : int
        How many there are.
    """

    index = 0
    count = 1

    def agree(self, numbers: Sequence[Any]) -> list[Any]:
        """Return process 0's numbers, in all processes."""
        return list(numbers)

    def any_of(self, flag: bool) -> bool:
        """Return whether the flag is set in any process."""
        return flag

    def shared(self, data: bytes) -> bytes:
        """Return process 0's bytes, in all processes."""
        return data


ALONE = Alone()
