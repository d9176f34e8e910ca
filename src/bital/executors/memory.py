"""What a Program takes of the machine's memory, told before anything runs."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from bital.errors import MemoryLimitError
from bital.executors.loops.form import Module
from bital.program import Program


@dataclass(frozen=True)
class Memory:
    """Bytes that a Program holds while it runs.

    Attributes
    ----------
    arguments : int
        The caller's arrays.
    constants : int
        Arrays that the traced function closed over.
    arena : int
        Everything in between, in one stretch whose parts are used again and again.
    results : int
        Fresh arrays; a result that is written over a donated argument takes none.
    """

    arguments: int
    constants: int
    arena: int
    results: int

    @property
    def total(self) -> int:
        return self.arguments + self.constants + self.arena + self.results

    def __str__(self) -> str:
        parts = ("arguments", "constants", "arena", "results", "total")
        return ", ".join(f"{name} {readable(getattr(self, name))}" for name in parts)


def readable(size: int) -> str:
    """A number of bytes for people."""
    number, unit = float(size), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if number < 1024 or unit == "TiB":
            break
        number /= 1024
    return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"


def of_module(module: Module, threads: int = 1) -> Memory:
    """What a lowered Program takes, with the scratch memory of so many threads."""
    return Memory(
        sum(buffer.nbytes for buffer in module.arguments),
        sum(buffer.nbytes for buffer, _ in module.constants),
        module.arena + threads * module.scratch,
        sum(buffer.nbytes for buffer in module.results if buffer.place == "result"),
    )


def measure(program: Program, donated: Collection[int] = ()) -> Memory:
    """What a Program takes when the ``native`` executor runs it on one thread."""
    from bital.executors.loops.control import lower
    from bital.passes import optimize

    return of_module(lower(optimize(program), donated, 8))


def require_memory(program: Program, memory: Memory) -> None:
    """Refuse a Program that the machine has no room for.

    Raises
    ------
    MemoryLimitError
        With the numbers.
    """
    limit = available()
    needed = memory.arena + memory.results + memory.constants
    if limit is not None and needed > limit:
        raise MemoryLimitError(
            f"{program.name} needs {readable(needed)} beside its arguments, and this process may "
            f"have {readable(limit)}: {memory}. Use smaller batches, or arrays of smaller dtypes"
        )


def available() -> int | None:
    """Bytes that this process may have at most, where the system tells."""
    limits = []
    with contextlib.suppress(AttributeError, ValueError, OSError):
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for place in ("memory.max", "memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):
            limits.append(int((Path("/sys/fs/cgroup") / place).read_text()))
    try:
        import resource

        soft, _ = resource.getrlimit(resource.RLIMIT_AS)
        limits += [soft] * (soft != resource.RLIM_INFINITY)
    except (ImportError, OSError):
        pass
    return min(limits, default=None)
