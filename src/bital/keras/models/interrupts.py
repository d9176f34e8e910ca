"""Ctrl-C between training steps, never within one; and calls short enough to come to it soon."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from bital import config

_CALL_SECONDS = 0.1
_GROWTH = 64  # times as many steps, at most: what a call takes beside its steps misleads


class Interrupt:
    """Whether Ctrl-C was pressed since the block began, in any of several processes."""

    def __init__(self, processes: Any = None) -> None:
        self.pressed = False
        self._processes = config.ALONE if processes is None else processes

    def check(self) -> None:
        """Raise KeyboardInterrupt if Ctrl-C was pressed."""
        if self._processes.any_of(self.pressed):
            self.pressed = False
            raise KeyboardInterrupt

    def note(self, number: int, frame: FrameType | None) -> None:
        """Handle the signal: remember it; at the second one give way at once."""
        if self.pressed:
            signal.default_int_handler(number, frame)
        self.pressed = True


class Pace:
    """How many steps one call takes: as many as are done within a tenth of a second.

    The number starts at one, and follows from the time of the last call. It has no effect on
    results.
    """

    def __init__(self) -> None:
        self.steps = 1

    @contextmanager
    def measured(self, steps: int) -> Iterator[None]:
        """Take the time of a call of so many steps."""
        start = time.perf_counter()
        yield
        seconds = time.perf_counter() - start
        possible = int(steps * _CALL_SECONDS / max(seconds, 1e-9))
        if seconds > _CALL_SECONDS or steps == self.steps:
            self.steps = max(1, min(possible, _GROWTH * steps))


@contextmanager
def deferred(processes: Any = None) -> Iterator[Interrupt]:
    """Hold Ctrl-C back until ``check`` is called, so that no step is cut in two.

    A step overwrites the weights in place; cut short it would leave some of them new and some old.
    Python delivers the signal to the main thread only, and only its own handler is replaced.
    """
    interrupt = Interrupt(processes)
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield interrupt
        return
    signal.signal(signal.SIGINT, interrupt.note)
    try:
        yield interrupt
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
