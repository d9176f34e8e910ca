"""The ``native`` executor: a Program as one machine-code function."""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from bital.errors import ExecutorError
from bital.executors.executor import Compiled, get_executor
from bital.executors.loops.control import lower
from bital.executors.loops.form import Module
from bital.executors.loops.scalar import NotLowered
from bital.executors.native import threads
from bital.executors.native.compiler import Machine, compile_text, vector_bytes
from bital.executors.native.printer import ARENA, FIRST_BUFFER, PARALLEL, SCRATCH, STATUS, print_module
from bital.passes import optimize
from bital.program import Array, Program

_log = logging.getLogger("bital")


class NativeExecutor:
    """Compiles with LLVM; what it cannot lower runs on ``numpy``, which is said once."""

    name = "native"

    def compile(self, program: Program, donated: Collection[int] = ()) -> Compiled:
        optimized = optimize(program)
        try:
            module = _lower(optimized, donated)
        except NotLowered as gap:
            _log.warning(
                "%s runs on the numpy executor: the native one does not have %s", program.name, gap
            )
            return get_executor("numpy").compile(program, donated)
        machine = Machine(compile_text(print_module(module, vector_bytes())))
        return _Function(module, machine)


def _lower(program: Program, donated: Collection[int]) -> Module:
    for dtype in {v.type.dtype for e in program.equations for v in (*e.inputs, *e.outputs)}:
        if dtype.kind not in "biuf" or dtype.itemsize > 8 or not dtype.isnative:
            raise NotLowered(f"arrays of {dtype}")
    return lower(program, donated, vector_bytes() // 4)


def to_llvm(program: Program) -> str:
    """The text that `NativeExecutor` compiles for a Program."""
    return print_module(_lower(optimize(program), ()), vector_bytes())


class _State:
    """What one running call needs: the table of pointers and the memory behind it."""

    def __init__(self, module: Module, constants: list[Array]) -> None:
        buffers = len(module.arguments) + len(module.results) + len(constants)
        self.table = (ctypes.c_void_p * (FIRST_BUFFER + buffers))()
        self.status = np.zeros(4, np.int64)
        self.arena = _aligned(module.arena)
        self.scratch = _aligned(module.scratch * threads.slots() if module.scratch else 0)
        self.scalars = np.zeros(len(module.results), np.int64)
        self.table[STATUS] = self.status.ctypes.data
        self.table[ARENA] = self.arena.ctypes.data
        self.table[SCRATCH] = self.scratch.ctypes.data
        self.table[PARALLEL] = threads.parallel_address()
        first = FIRST_BUFFER + len(module.arguments) + len(module.results)
        for position, array in enumerate(constants):
            self.table[first + position] = array.ctypes.data


def _aligned(size: int) -> Array:
    raw = np.empty(size + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size]


class _Function:
    """What `compile` returns."""

    def __init__(self, module: Module, machine: Machine) -> None:
        self.module = module
        self._machine = machine  # keeps the code alive
        self._run = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(machine.address("run"))
        self._constants = [array for _, array in module.constants]
        self._states: list[_State] = []

    def __call__(self, arguments: Sequence[Any]) -> list[Array]:
        module = self.module
        state = self._states.pop() if self._states else _State(module, self._constants)
        table = state.table
        keep = []
        for position, value in enumerate(arguments):
            array = np.ascontiguousarray(value)
            keep.append(array)
            table[FIRST_BUFFER + position] = array.ctypes.data
        results: list[Any] = []
        first = FIRST_BUFFER + len(module.arguments)
        for position, buffer in enumerate(module.results):
            if buffer.place == "argument":
                results.append(keep[buffer.position])
                continue
            out = np.empty(module.shapes[position], buffer.dtype)
            results.append(out)
            table[first + position] = out.ctypes.data
        self._run(ctypes.addressof(table))
        if state.status[0]:
            self._fail(state)
        self._states.append(state)
        return [out if out.shape else out[()] for out in results]

    def _fail(self, state: _State) -> None:
        site, value, place = (int(n) for n in state.status[:3])
        found = self.module.sites[site - 1]
        state.status[0] = 0
        self._states.append(state)
        position = tuple(int(n) for n in np.unravel_index(place, found.shape)) if found.shape else ()
        raise IndexError(f"index {value} is {found.message}, at position {position}")


executor = NativeExecutor()
Program.printers["llvm"] = to_llvm
__all__ = ["ExecutorError", "NativeExecutor", "executor"]
