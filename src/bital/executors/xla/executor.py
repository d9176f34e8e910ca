"""The ``xla`` executor: a Program compiled by XLA, through JAX, for the device that JAX uses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

import jax
import numpy as np

from bital.executors.executor import Compiled
from bital.executors.xla.lowering import Lowering
from bital.passes import optimize
from bital.program import Array, Program

# Programs keep the dtypes that they have. JAX knows those of 64 bits behind a switch, which is on
# while a Program is traced, compiled or called, in this thread alone.
_all_dtypes = jax.enable_x64
OPTIONS = {"xla_allow_excess_precision": False}  # float16 is rounded where NumPy rounds it


class XlaExecutor:
    """Compiles with XLA. Arrays go in and come out as NumPy's."""

    name = "xla"

    def compile(self, program: Program, donated: Collection[int] = ()) -> Compiled:
        program = optimize(program)
        lowering = Lowering(program)
        function = jax.jit(
            lowering, donate_argnums=_usable(program, donated), compiler_options=OPTIONS
        )
        types = [jax.ShapeDtypeStruct(each.shape, each.dtype) for each in program.input_types]
        with _all_dtypes(True):
            function.lower(*types)  # what cannot be lowered is said now

        def run(arguments: Sequence[Any]) -> list[Array]:
            with _all_dtypes(True):
                outputs, fault = function(*arguments)
                if fault is not None:
                    number, value, place = np.asarray(fault).tolist()
                    if number:
                        raise lowering.errors[number - 1](value, place)
                return [np.array(each) if each.shape else np.asarray(each)[()] for each in outputs]

        return run


def _usable(program: Program, donated: Collection[int]) -> tuple[int, ...]:
    """Donated inputs that a result of the same type can take the memory of."""
    free = Counter(program.output_types)
    found = []
    for index in sorted(donated):
        type = program.inputs[index].type
        if free[type] and type.shape:
            free[type] -= 1
            found.append(index)
    return tuple(found)


executor = XlaExecutor()
