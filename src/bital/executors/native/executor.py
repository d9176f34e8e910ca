"""The ``native`` executor: a Program as one machine-code function."""

from __future__ import annotations

import ctypes
import functools
import logging
import math
import struct
import threading
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from bital.errors import ExecutorError, IndexOutOfBoundsError, MemoryCorruptionError
from bital.executors.executor import Compiled, get_executor
from bital.executors.loops.control import lower
from bital.executors.loops.form import Module
from bital.executors.loops.scalar import NotLowered
from bital.executors.memory import of_module, require_memory
from bital.executors.native import threads
from bital.executors.native.compiler import Machine, load, shared_products, vector_bytes
from bital.executors.native.host import FAILED, Hosts
from bital.executors.native.printer import (
    ARENA,
    FIRST_BUFFER,
    HOST,
    PARALLEL,
    SCRATCH,
    STATUS,
    Layout,
    print_module,
)
from bital.passes import optimize
from bital.program import Array, Program

_log = logging.getLogger("bital")
_CONTIGUOUS, _ALIGNED = 0x1, 0x100  # flags of NumPy's C interface


class NativeExecutor:
    """Compiles with LLVM; what it cannot lower runs on ``numpy``, which is said once.

    Parameters
    ----------
    alone : bool, default False
        Whether a call uses no other thread than the one that makes it: for callers that have many
        calls to make, and threads of their own. Results are the same, bit for bit.
    """

    def __init__(self, alone: bool = False) -> None:
        self.name = "native-alone" if alone else "native"
        self._alone = alone

    def compile(self, program: Program, donated: Collection[int] = ()) -> Compiled:
        optimized = optimize(program)
        try:
            module = lower_native(optimized, donated)
        except NotLowered as gap:
            _log.warning(
                "%s runs on the numpy executor: the native one does not have %s", program.name, gap
            )
            return get_executor("numpy").compile(program, donated)
        require_memory(program, of_module(module, threads.slots()))
        return function_of(module, self._alone)


def lower_native(program: Program, donated: Collection[int] = ()) -> Module:
    """An optimised Program as loops for this processor."""
    for dtype in {atom.type.dtype for e in program.equations for atom in (*e.inputs, *e.outputs)}:
        width = 16 if dtype.kind == "c" else 8
        if dtype.kind not in "biufc" or dtype.itemsize > width or not dtype.isnative:
            raise NotLowered(f"arrays of {dtype}")
    return lower(program, donated, vector_bytes() // 4)


def function_of(module: Module, alone: bool = False) -> Compiled:
    """What runs a lowered Program, with the pool of threads or ``alone``."""
    text = print_module(module, shared_products, _layout())
    made = _Function if module.zones is None else _Guarded
    return made(module, load(text, careful=not module.is_tiny), alone)


def to_llvm(program: Program) -> str:
    """The text that `NativeExecutor` compiles for a Program."""
    return print_module(lower_native(optimize(program)), shared_products, _layout())


@functools.cache
def _layout() -> Layout:
    """Where NumPy's objects have their memory, found by looking for what is known of some."""
    arrays: list[Array] = [np.arange(4.0), np.arange(4.0)[::2], np.zeros((3, 2), np.int8).T]
    arrays[0].flags.writeable = False

    def offset(width: int, known: Any) -> int:
        for place in range(0, 128, width):
            if all(
                int.from_bytes(ctypes.string_at(id(a) + place, width), "little") == known(a)
                for a in arrays
            ):
                return place
        raise ExecutorError("the native executor does not know this Python's arrays; use 'numpy'")

    number = np.float64(1.2345)
    scalar = ctypes.string_at(id(number), 64).find(number.tobytes())
    data = offset(8, lambda array: array.ctypes.data)
    flags = offset(4, lambda array: array.flags.num)
    return Layout(data, flags, _CONTIGUOUS | _ALIGNED, scalar)


def _aligned(size: int) -> Array:
    raw = np.empty(size + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size]


class _State:
    """What one running call needs: the table of pointers, and the memory behind it."""

    def __init__(
        self, module: Module, constants: Sequence[Array], hosts: Hosts, alone: bool
    ) -> None:
        count = len(module.arguments) + len(module.results) + len(constants)
        self.status = (ctypes.c_int64 * 4)()
        self.arena = _aligned(module.arena)
        self.scratch = _aligned(module.scratch * threads.slots() if module.scratch else 0)
        self.scalars: list[Any] = []
        table = self.table = (ctypes.c_void_p * (FIRST_BUFFER + count))()
        table[STATUS] = ctypes.addressof(self.status)
        table[ARENA] = self.arena.ctypes.data
        table[SCRATCH] = self.scratch.ctypes.data
        table[PARALLEL] = threads.parallel_address(alone)
        table[HOST] = hosts.address
        place = FIRST_BUFFER + len(module.arguments)
        for buffer, shape in zip(module.results, module.shapes, strict=True):
            cell = None if shape else np.zeros((), buffer.dtype)
            self.scalars.append(cell)
            if cell is not None:
                table[place] = cell.ctypes.data
            place += 1
        for array in constants:
            table[place] = array.ctypes.data
            place += 1
        self.address = ctypes.addressof(table)
        self.objects = (ctypes.c_void_p * max(len(module.arguments) + len(module.results), 1))()
        self.objects_address = ctypes.addressof(self.objects)


class _Function:
    """What `compile` returns."""

    _empty: Callable[..., Array] = staticmethod(np.empty)

    def __init__(self, module: Module, machine: Machine, alone: bool = False) -> None:
        self.module = module
        self._alone = alone
        self._machine = machine  # keeps the code alive
        prototype = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)
        self._run = prototype(machine.address("run"))
        self._constants = [array for _, array in module.constants]
        self._hosts = Hosts(module)
        self._kinds = [
            np.ndarray if shape else buffer.dtype.type
            for buffer, shape in zip(module.arguments, module.argument_shapes, strict=True)
        ]
        self._pack = struct.Struct(f"{len(module.arguments) + len(module.results)}P").pack_into
        # How each result is made: a fresh array, a donated argument, or a cell of the state.
        self._results = [
            (buffer.position if buffer.place == "argument" else -1, shape, buffer.dtype)
            for buffer, shape in zip(module.results, module.shapes, strict=True)
        ]
        self._cells = [place for place, shape in enumerate(module.shapes) if not shape]
        self._states: list[_State] = []

    def __call__(self, arguments: Sequence[Any]) -> list[Array]:
        # A state belongs to one running call: taken from the list, and put back after it.
        try:
            state = self._states.pop()
        except IndexError:
            state = _State(self.module, self._constants, self._hosts, self._alone)
        objects = list(arguments)
        if [*map(type, objects)] != self._kinds:
            objects = self._as_kinds(objects)
        results: list[Any] = [
            (self._empty(shape, dtype) if shape else None) if given < 0 else objects[given]
            for given, shape, dtype in self._results
        ]
        objects += results
        self._pack(state.objects, 0, *map(id, objects))
        self._run(state.address, state.objects_address)
        if state.status[0]:
            return self._again(state, arguments)
        for place in self._cells:
            results[place] = state.scalars[place][()]
        self._states.append(state)
        return results

    def _as_kinds(self, objects: list[Any]) -> list[Any]:
        """Arrays, and scalars of the right width, as machine code reads them."""
        found: list[Any] = []
        for value, kind in zip(objects, self._kinds, strict=True):
            if kind is np.ndarray:
                found.append(value if isinstance(value, np.ndarray) else np.asarray(value))
            else:
                found.append(kind(value[()] if isinstance(value, np.ndarray) else value))
        return found

    def _again(self, state: _State, arguments: Sequence[Any]) -> list[Array]:
        """Say what went wrong; if an array was not laid out as it must be, copy it and go on."""
        site, value, place = state.status[:3]
        state.status[0] = 0
        self._states.append(state)
        if site == FAILED:
            raise self._hosts.fault(state.address)
        if site < 0:
            return self([np.array(a, order="C") if np.ndim(a) else a for a in arguments])
        found = self.module.sites[site - 1]
        where = tuple(int(n) for n in np.unravel_index(place, found.shape)) if found.shape else ()
        line = f" ({found.source})" if found.source else ""
        raise IndexOutOfBoundsError(
            f"index {value} is {found.message}"
            + (f": it stands at position {where} of the index array" if where else "")
            + line
        )


class _Guarded(_Function):
    """For debugging: memory starts as NaN, and what was written outside of it is found."""

    def __init__(self, module: Module, machine: Machine, alone: bool = False) -> None:
        super().__init__(module, machine, alone)
        self._lock = threading.RLock()
        self._states = [_State(module, self._constants, self._hosts, alone)]
        self._fenced: list[tuple[Array, str]] = []

    def __call__(self, arguments: Sequence[Any]) -> list[Array]:
        with self._lock:
            arena = self._states[-1].arena
            zones = self.module.zones or ()
            self._fenced = [(arena[begin:end], name) for begin, end, name in zones]
            arena[:] = _POISON
            for zone, _ in self._fenced:
                zone[:] = _FENCE
            results = super().__call__(arguments)
            for zone, name in self._fenced:
                if (zone != _FENCE).any():
                    raise MemoryCorruptionError(
                        f"{self.module.name} wrote outside of {name}: the native executor has a "
                        "fault, please report it; executor='numpy' does not"
                    )
            return results

    def _empty(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        size = math.prod(shape) * dtype.itemsize
        raw = _aligned(size + 128)
        raw[:] = _FENCE
        own = raw[64 : 64 + size]
        own[:] = _POISON
        name = f"a result of shape {shape} and dtype {dtype}"
        self._fenced += [(raw[:64], name), (raw[64 + size :], name)]
        return own.view(dtype).reshape(shape)


_POISON, _FENCE = 0xFF, 0xA5  # 0xFF: NaN in every float, -1 in every signed integer


executor = NativeExecutor()
alone = NativeExecutor(alone=True)
