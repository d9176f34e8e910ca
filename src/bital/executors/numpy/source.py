"""From a Program to NumPy source."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from bital.executors.numpy.expressions import EXPRESSIONS, OVERWRITES, STATEMENTS, writes_out
from bital.passes.memory import VIEWS, Plan, plan
from bital.program import Array, ArrayType, Atom, Equation, Literal, Program, Var
from bital.program.text import Names

_PRINTED = 64  # elements: longer constants are named, not printed
_RESERVED = {*keyword.kwlist, *dir(builtins), "np", "workspace"}


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
    return _Emitter(program, donated).source()


class _Emitter:
    def __init__(self, program: Program, donated: Collection[int]) -> None:
        self.program = program
        self.donated = {program.inputs[index] for index in donated}
        self.plan: Plan = plan(program, self.donated, writes_out, _overwrites)
        slots = {f"buffer_{index}" for index in range(len(self.plan.slots))}
        usable = program.name.isidentifier() and program.name not in _RESERVED
        self.function = program.name if usable else "program"
        # The function's own name too: it is a global, as the constants are.
        self.names = Names(_RESERVED | slots | {self.function})
        self.definitions = {out: e for e in program.equations for out in e.outputs}
        for var in program.inputs:
            self.names.of(var)
        for var in program.constants:  # globals of the text, so not of one letter
            self.names.of(var, "constant")

    def source(self) -> Source:
        program = self.program
        lines, constants = ["import numpy as np", "", *self._workspace()], {}
        for var, array in program.constants.items():
            name = self.names.of(var)
            if array.size <= _PRINTED:
                lines.append(f"{name} = {_constant(array)}")
            else:
                lines.append(f"# {name}: a constant, {_shape(var.type)}, too long to print")
                constants[name] = array
        lines += [""] * bool(program.constants)
        lines += self._function()
        text = "\n".join(lines) + "\n"
        return Source(self.function, text, constants, bool(self.plan.slots))

    def _workspace(self) -> list[str]:
        if not self.plan.slots:
            return []
        buffers = [f"        np.empty({t.shape}, np.{_dtype(t.dtype)})," for t in self.plan.slots]
        return [
            "def workspace():",
            "    # Made once a thread and written over at each call. No result is among them.",
            "    return [",
            *buffers,
            "    ]",
            "",
        ]

    def _function(self) -> list[str]:
        program = self.program
        arguments = ", ".join(self.names.of(var) for var in program.inputs)
        lines = [f"def {self.function}({arguments}):"]
        lines += [f"    # {self.names.of(var)}: {_shape(var.type)}" for var in program.inputs]
        if self.plan.slots:
            buffers = ", ".join(f"buffer_{index}" for index in range(len(self.plan.slots)))
            lines.append(f"    {buffers}{',' * (len(self.plan.slots) == 1)} = workspace()")
        for equation in program.equations:
            statements = self._equation(equation)
            comment = f"  # {_shape(equation.outputs[0].type)}"
            lines += [f"    {line}" for line in statements[:-1]]
            lines.append(f"    {statements[-1]}{comment}")
        results = ", ".join(self._results())
        return [*lines, f"    return [{results}]"]

    def _equation(self, equation: Equation) -> list[str]:
        name = equation.primitive.name
        (out,) = equation.outputs
        over = self.plan.in_place_of.get(out)
        target = self.names.of(out)
        operands = [self._operand(atom, equation) for atom in equation.inputs]
        if name in STATEMENTS:
            start = None if over is not None else self._fresh(equation.inputs[0], operands[0])
            return STATEMENTS[name](equation, operands, target, start)
        buffer = None
        if over is not None and writes_out(equation):
            buffer = self.names.of(over)
        elif out in self.plan.slot_of:
            buffer = f"buffer_{self.plan.slot_of[out]}"
        return [f"{target} = {EXPRESSIONS[name](equation, operands, buffer)}"]

    def _fresh(self, atom: Atom, operand: str) -> str:
        """An array of its own with the operand's values."""
        made = self.definitions.get(atom) if isinstance(atom, Var) else None
        if made is not None and made.primitive.name == "broadcast_to":
            value = made.inputs[0]
            if isinstance(value, Literal) and value.value == 0:
                return f"np.zeros({atom.type.shape}, np.{atom.type.dtype.name})"
        return f"np.array({operand})"

    def _operand(self, atom: Atom, equation: Equation) -> str:
        if isinstance(atom, Var):
            return self.names.of(atom)
        # Beside an array a plain number takes the array's dtype.
        open_dtype = equation.primitive.name in OVERWRITES and any(
            isinstance(other, Var) and other.type.dtype == atom.type.dtype
            for other in equation.inputs
        )
        return format_literal(atom, typed=not open_dtype)

    def _results(self) -> list[str]:
        given: set[Var] = set()
        results = []
        for atom in self.program.outputs:
            if isinstance(atom, Literal):
                results.append(format_literal(atom, typed=True))
                continue
            name = self.names.of(atom)
            root = self.plan.roots[atom]
            made = self.definitions.get(root)
            # A result must not share memory with an argument, a constant or another result.
            shared = root in given or (made is None and root not in self.donated)
            if not atom.type.shape:
                results.append(f"{name}[()]")
            elif (
                shared
                or (made is not None and made.primitive.name in VIEWS)
                or _is_stretched(self.definitions, atom)
            ):
                results.append(f"np.array({name})")
            else:
                results.append(name)
            given.add(root)
        return results


def _constant(array: Array) -> str:
    dtype = f"np.{_dtype(array.dtype)}"
    if not array.size:
        return f"np.zeros({array.shape}, {dtype})"
    numbers = re.sub(r"nan|inf", r"np.\g<0>", str(array.tolist()))
    return f"np.array({numbers}, {dtype})"


def _is_stretched(definitions: dict[Var, Equation], atom: Var) -> bool:
    """Whether elements of a view share memory, so that it cannot be written to."""
    made = definitions.get(atom)
    while made is not None and made.primitive.name in VIEWS:
        if made.primitive.name == "broadcast_to":
            return True
        source = made.inputs[0]
        made = definitions.get(source) if isinstance(source, Var) else None
    return False


def _overwrites(equation: Equation) -> Collection[int]:
    return OVERWRITES.get(equation.primitive.name, ())


def format_literal(literal: Literal, typed: bool) -> str:
    dtype = literal.type.dtype
    value: Any = literal.value
    if dtype.kind == "f":
        text = {"inf": "np.inf", "-inf": "-np.inf", "nan": "np.nan"}.get(str(value), str(value))
    else:
        text = str(value.item())
    if not typed:
        return text
    return f"np.{_dtype(dtype)}({text})"


def _dtype(dtype: np.dtype[Any]) -> str:
    """The name of a dtype in NumPy's namespace."""
    return "bool_" if dtype.kind == "b" else dtype.name


def _shape(type: ArrayType) -> str:
    return f"{type.shape} {type.dtype.name}"
