"""From a Program to a function that JAX traces, and what that function finds wrong with data.

XLA cannot raise. So what depends on data and may fail is checked on the device: the first fault
goes along with the values, through loops and branches, and comes out as one more result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jax import numpy as jnp

from bital.executors.xla import precision
from bital.executors.xla.convolutions import recognised
from bital.executors.xla.table import CONTROL, checked_rule_of, rule_of
from bital.program import Atom, Equation, Literal, Program, Var, subprograms

# What is raised, made of the value that is wrong and its place in the array that was checked.
Error = Callable[[int, int], BaseException]
_NONE = np.zeros(3, np.int64)


class Lowering:
    """A Program that is being traced by JAX.

    Parameters
    ----------
    program : Program
    products : {"float32", "bfloat16"}
        In which products of float32 are taken.

    Attributes
    ----------
    errors : list of callable
        What the checks raise, in their order.
    fault : int64[3] or None
        Number of the first check that failed, from 1 on, or 0; the value; its place. None where
        nothing was checked.
    """

    def __init__(self, program: Program, products: str = "float32") -> None:
        self.program = program
        self.products = products
        self.errors: list[Error] = []
        self.fault: Any = None
        self.__name__ = program.name

    def __call__(self, *arguments: Any) -> tuple[list[Any], Any]:
        """The outputs and the fault: this is what `jax.jit` compiles."""
        self.errors, self.fault = [], None
        return self.run(self.program, arguments), self.fault

    def run(self, program: Program, arguments: Sequence[Any]) -> list[Any]:
        """The outputs of a Program."""
        values: dict[Var, Any] = dict(zip(program.inputs, arguments, strict=True))
        values |= program.constants

        def read(atom: Atom) -> Any:
            return atom.value if isinstance(atom, Literal) else values[atom]

        for equation in recognised(program):
            results = self._results(equation, [read(atom) for atom in equation.inputs])
            for var, value in zip(equation.outputs, results, strict=True):
                found, wanted = (value.shape, value.dtype), (var.type.shape, var.type.dtype)
                assert found == wanted, f"{equation.primitive} gave {found}, not {wanted}"
                values[var] = value
        return [jnp.asarray(read(atom)) for atom in program.outputs]

    def _results(self, equation: Equation, operands: list[Any]) -> Sequence[Any]:
        if equation.primitive.name in CONTROL:
            found: list[Any] = CONTROL[equation.primitive.name](self, operands, **equation.params)
            return found
        checked = checked_rule_of(equation)
        if checked is not None:
            result = checked(self, equation, *operands)
        elif self._narrow(equation, operands):
            rule = precision.RULES[equation.primitive.name]
            result = rule(*operands, **equation.params)
        else:
            result = rule_of(equation)(*operands, **equation.params)
        return result if equation.primitive.multiple_results else [result]

    def _narrow(self, equation: Equation, operands: list[Any]) -> bool:
        """Whether this is a product that is taken in bfloat16."""
        narrow = self.products == "bfloat16" and equation.primitive.name in precision.RULES
        return narrow and precision.applies(operands)

    # --- faults

    def check(self, error: Error, bad: Any, values: Any) -> None:
        """Note the first place that is ``bad``, with the value there, unless there is a fault."""
        if not bad.size:
            return
        bad, values = bad.reshape(-1), values.reshape(-1)
        place = jnp.min(jnp.where(bad, np.arange(bad.size), bad.size))
        self.note(error, place < bad.size, values.at[place].get(mode="clip"), place)

    def note(self, error: Error, failed: Any, value: Any, place: Any = 0) -> None:
        self.errors.append(error)
        fault = _NONE if self.fault is None else self.fault
        found = jnp.stack([jnp.int64(each) for each in (len(self.errors), value, place)])
        self.fault = jnp.where((fault[0] == 0) & failed, found, fault)

    def start(self, *programs: Program) -> Any:
        """The fault that inner Programs begin with: None if they check nothing."""
        if not any(map(_checks, programs)):
            return None
        return _NONE if self.fault is None else self.fault

    def inner(self, program: Program, fault: Any, arguments: Sequence[Any]) -> tuple[Any, Any]:
        """What a loop's body or a branch makes of the fault so far, and its outputs."""
        outer, self.fault = self.fault, fault
        outputs = self.run(program, arguments)
        fault, self.fault = self.fault, outer
        return fault, outputs

    def go_on(self, fault: Any) -> None:
        """After inner Programs."""
        self.fault = self.fault if fault is None else fault


def _checks(program: Program) -> bool:
    """Whether a Program, or one inside of it, may find a fault."""
    return any(
        checked_rule_of(equation) is not None or any(map(_checks, subprograms(equation)))
        for equation in program.equations
    )
