"""The way back from machine code: what NumPy computes in the middle of a native call."""

from __future__ import annotations

import ctypes
import math
from typing import Any

import numpy as np

from bital.executors.loops.form import Buffer, Module
from bital.executors.native.printer import ARENA, HOST, STATUS, slots_of
from bital.program import Array

FAILED = -2  # the status of a call in which NumPy raised


class Hosts:
    """The functions that a module calls by number, each on memory that a call's table points to."""

    def __init__(self, module: Module) -> None:
        self._hosts = module.hosts
        self._slots = slots_of(module)
        self._table = ctypes.c_void_p * (max(self._slots.values(), default=HOST) + 1)
        self._faults: dict[int, BaseException] = {}
        self.address: int | None = None
        if module.hosts:
            prototype = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)
            self._callback = prototype(self._run)  # the machine code's, so it must stay
            self.address = ctypes.cast(self._callback, ctypes.c_void_p).value

    def fault(self, table: int) -> BaseException:
        """What the call with this table raised."""
        return self._faults.pop(table)

    def _run(self, table: int, number: int) -> None:
        found: Any = self._table.from_address(table)
        host = self._hosts[number]
        try:
            operands = [
                self._array(found, *each) if isinstance(each, tuple) else each
                for each in host.operands
            ]
            with np.errstate(all="ignore"):
                results = host.function(*operands)
            for (buffer, shape), result in zip(host.results, results, strict=True):
                self._array(found, buffer, 0, shape, whole=True)[...] = result
        except BaseException as fault:  # nothing may be raised through machine code
            self._faults[table] = fault
            ctypes.c_int64.from_address(found[STATUS]).value = FAILED

    def _array(
        self, table: Any, buffer: Buffer, offset: int, shape: tuple[int, ...], whole: bool = False
    ) -> Array:
        """An array over a buffer's memory; a scalar where it is 0-d and only read."""
        size = math.prod(shape)
        if not size:
            return np.empty(shape, buffer.dtype)
        root = buffer.root
        if root.place == "arena":
            address = table[ARENA] + root.position
        else:
            address = table[self._slots[root.place, root.position]]
        address += offset * buffer.dtype.itemsize
        memory: Any = (ctypes.c_char * (size * buffer.dtype.itemsize)).from_address(address)
        array: Array = np.frombuffer(memory, buffer.dtype).reshape(shape)
        return array if whole or shape else array[()]
