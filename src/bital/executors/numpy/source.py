"""From a Program to NumPy source."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Collection
from dataclasses import dataclass

from bital.executors.numpy.blocks import Block, dtype_name, type_text
from bital.program import Array, ArrayType, Program
from bital.program.text import Names

_PRINTED = 64  # elements: longer constants are named, not printed
_RESERVED = {*keyword.kwlist, *dir(builtins), "np", "scipy", "workspace", "corner"}


@dataclass
class Source:
    """Text of one function, and what it refers to."""

    name: str
    text: str
    constants: dict[str, Array]  # those that are too long to stand in the text
    has_workspace: bool


def emit(program: Program, donated: Collection[int] = ()) -> Source:
    """Print a Program as a NumPy function that takes its inputs and returns a list.

    The text stands alone, unless it names constants that are too long to print.

    Parameters
    ----------
    program : Program
        Already optimised.
    donated : collection of int
        Positions of inputs that may be written over.
    """
    slots: list[ArrayType] = []
    usual = next((var.type.dtype for var in program.inputs if var.type.dtype.kind in "fc"), None)
    block = Block(program, {program.inputs[index] for index in donated}, slots, usual)
    usable = program.name.isidentifier() and program.name not in _RESERVED
    function = program.name if usable else "program"
    # The function's own name too: it is a global, as the constants are.
    buffers = [f"buffer_{index}" for index in range(len(slots))]
    names = Names(_RESERVED | {*buffers, function})
    for var in program.inputs:
        names.of(var)
    for var in program.constants:  # globals of the text, so not of one letter
        names.of(var, "constant")

    lines, constants = ["import numpy as np", "", *_workspace(slots)], {}
    for var, array in program.constants.items():
        name = names.of(var)
        if array.size <= _PRINTED:
            lines.append(f"{name} = {_constant(array)}")
        else:
            lines.append(f"# {name}: a constant, {type_text(var.type)}, too long to print")
            constants[name] = array
    lines += [""] * bool(program.constants)
    lines.append(f"def {function}({', '.join(names.of(var) for var in program.inputs)}):")
    lines += [f"    # {names.of(var)}: {type_text(var.type)}" for var in program.inputs]
    if slots:
        lines.append(f"    {', '.join(buffers)}{',' * (len(slots) == 1)} = workspace()")
    lines += [line and f"    {line}" for line in block.lines(names)]
    lines.append(f"    return [{', '.join(block.results(program.outputs, '[()]'))}]")
    if any("scipy.special." in line for line in lines):
        lines.insert(1, "import scipy.special")
    return Source(function, "\n".join(lines) + "\n", constants, bool(slots))


def _workspace(slots: Collection[ArrayType]) -> list[str]:
    if not slots:
        return []
    buffers = [f"        np.empty({t.shape}, np.{dtype_name(t.dtype)})," for t in slots]
    return [
        "def workspace():",
        "    # Made once a thread and written over at each call. No result is among them.",
        "    return [",
        *buffers,
        "    ]",
        "",
    ]


def _constant(array: Array) -> str:
    dtype = f"np.{dtype_name(array.dtype)}"
    if not array.size:
        return f"np.zeros({array.shape}, {dtype})"
    if array.dtype.kind == "c":  # by parts: no sum of two gives back -0.0 or infinities
        parts = _constant(array.reshape(-1).view(f"f{array.dtype.itemsize // 2}"))
        return f"{parts}.view({dtype}).reshape({array.shape})"
    numbers = re.sub(r"nan|inf", r"np.\g<0>", str(array.tolist()))
    return f"np.array({numbers}, {dtype})"
