"""LLVM's words for dtypes, vectors of lanes, and numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from bital.executors.loops.form import BOOL, DType

_FLOATS = {2: "half", 4: "float", 8: "double"}


def scalar_type(dtype: DType) -> str:
    """The LLVM type of an element in a register."""
    if dtype.kind == "f":
        return _FLOATS[dtype.itemsize]
    # A complex number is bits that are moved about; what computes with one is NumPy.
    return "i1" if dtype.kind == "b" else f"i{8 * dtype.itemsize}"


def memory_type(dtype: DType) -> str:
    return "i8" if dtype.kind == "b" else scalar_type(dtype)


def wide(type: str, lanes: int) -> str:
    return f"<{lanes} x {type}>" if lanes else type


def literal(value: Any, dtype: DType) -> str:
    """A number in LLVM's notation, to the last bit."""
    if dtype.kind == "b":
        return "true" if value else "false"
    if dtype.kind == "c":
        return str(int.from_bytes(dtype.type(value).tobytes(), "little"))
    if dtype.kind in "iu":
        return str(int(value))
    if dtype.itemsize == 2:
        return f"0xH{np.float16(value).view(np.uint16):04X}"
    if dtype.itemsize == 4 and math.isnan(value):
        return "0x7FF8000000000000"
    return f"0x{np.float64(value).view(np.uint64):016X}"


def suffix(dtype: DType, lanes: int) -> str:
    letter = f"f{8 * dtype.itemsize}" if dtype.kind == "f" else scalar_type(dtype)
    return f"v{lanes}{letter}" if lanes else letter


def zero(dtype: DType, lanes: int) -> str:
    if lanes:
        return "zeroinitializer"
    return "0.0" if dtype.kind == "f" else "0"


def memory_suffix(dtype: DType, lanes: int) -> str:
    return f"v{lanes}i8" if dtype == BOOL else suffix(dtype, lanes)
