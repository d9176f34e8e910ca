"""Compiling and running the emitted source."""

from __future__ import annotations

import itertools
import linecache
import threading
import weakref
from collections.abc import Callable, Collection, Sequence
from typing import Any

from bital.executors.executor import Compiled
from bital.executors.numpy.source import Source, emit
from bital.passes import optimize
from bital.program import Array, Program

_numbers = itertools.count()


class NumpyExecutor:
    """Needs NumPy only; its results define what is right."""

    name = "numpy"

    def compile(self, program: Program, donated: Collection[int] = ()) -> Compiled:
        source = emit(optimize(program), donated)
        filename = f"<bital.{program.name}.{next(_numbers)}>"
        # Known to linecache, so that tracebacks and debuggers show the generated lines.
        linecache.cache[filename] = (len(source.text), None, source.text.splitlines(True), filename)
        namespace: dict[str, Any] = dict(source.constants)
        exec(compile(source.text, filename, "exec"), namespace)  # our own text, made from a Program
        if source.has_workspace:
            namespace["workspace"] = _Workspace(namespace["workspace"])
        function = namespace[source.name]

        def run(arguments: Sequence[Any]) -> list[Array]:
            results: list[Array] = function(*arguments)
            return results

        weakref.finalize(run, linecache.cache.pop, filename, None).atexit = False
        return run


class _Workspace(threading.local):
    """The emitted text's buffers, one set a thread, made at its first call."""

    def __init__(self, make: Callable[[], list[Array]]) -> None:
        self._buffers = make()

    def __call__(self) -> list[Array]:
        return self._buffers


def to_numpy(program: Program) -> str:
    """The text that `NumpyExecutor` compiles for a Program."""
    source: Source = emit(optimize(program))
    return source.text


executor = NumpyExecutor()
Program.printers["numpy"] = to_numpy
