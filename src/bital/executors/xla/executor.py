"""The ``xla`` executor: a Program compiled by XLA, through JAX, for the devices that JAX uses."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import jax
import numpy as np

from bital.executors.alone import ALONE
from bital.executors.device_array import DeviceArray
from bital.executors.executor import Compiled
from bital.executors.xla import processes
from bital.executors.xla.layout import Layout, layout_of
from bital.executors.xla.lowering import Lowering
from bital.passes import optimize
from bital.program import Array, Program

# Programs keep the dtypes that they have. JAX knows those of 64 bits behind a switch, which is on
# while a Program is traced, compiled or called, in this thread alone.
_all_dtypes = jax.enable_x64
OPTIONS = {"xla_allow_excess_precision": False}  # float16 is rounded where NumPy rounds it


class XlaExecutor:
    """Compiles with XLA. Arrays go in and come out as NumPy's, but for those that are kept.

    Parameters
    ----------
    layout : Layout, optional
        How arrays lie on several devices. None: all on the one that JAX uses.
    precision : {"float32", "bfloat16"}
        In which products of float32 are taken.
    """

    name = "xla"

    def __init__(self, layout: Layout | None = None, precision: str = "float32") -> None:
        self.layout = layout
        self.precision = precision
        self.devices = 1 if layout is None else layout.count
        self.processes = ALONE if layout is None else processes.together()

    def configured(self, options: Sequence[str]) -> XlaExecutor:
        """The executor with options: ``"bfloat16"``, and those of `layout_of`."""
        rest = [option for option in options if option != "bfloat16"]
        precision = "bfloat16" if len(rest) < len(options) else "float32"
        return XlaExecutor(layout_of(rest), precision)

    def compile(
        self, program: Program, donated: Collection[int] = (), kept: Collection[int] = ()
    ) -> Compiled:
        program = optimize(program)
        lowering = Lowering(program, self.precision)
        kept = {index for index in kept if program.outputs[index].type.shape}
        given = _given(program, donated, kept)
        layout = self.layout
        function = jax.jit(
            lowering,
            donate_argnums=tuple(given),
            compiler_options=OPTIONS,
            out_shardings=None if layout is None else layout.of_results(program, kept),
        )
        types = [
            jax.ShapeDtypeStruct(
                each.shape,
                each.dtype,
                sharding=layout.of_state(each.shape) if layout and index in given else None,
            )
            for index, each in enumerate(program.input_types)
        ]
        with _all_dtypes(True):
            function.lower(*types)  # what cannot be lowered is said now

        def run(arguments: Sequence[Any]) -> list[Any]:
            with _all_dtypes(True), processes.translated():
                arrays = [a.buffer.array if type(a) is DeviceArray else a for a in arguments]
                for index in given:
                    if type(arguments[index]) is not DeviceArray:
                        arrays[index] = self._own(arguments[index])
                outputs, fault = function(*arrays)
                if fault is not None:
                    number, value, place = np.asarray(fault).tolist()
                    if number:
                        _give_back(given, arguments, outputs)
                        raise lowering.errors[number - 1](value, place)
                looked_at = [each for i, each in enumerate(outputs) if i not in kept]
                here = iter(jax.device_get(looked_at))
                return [
                    DeviceArray(Buffer(each)) if i in kept else _own_numpy(next(here))
                    for i, each in enumerate(outputs)
                ]

        return run

    def place(self, array: Array, batch_axis: int | None = None) -> DeviceArray:
        """Copy an array to the device, or devices: see `DeviceExecutor`."""
        with _all_dtypes(True):
            if self.layout is None:
                return DeviceArray(Buffer(jax.device_put(array)))
            return DeviceArray(Buffer(self.layout.placed(array, batch_axis)))

    def share(self, size: int) -> slice:
        """Which samples of a batch this process has: see `DeviceExecutor`."""
        return slice(0, size) if self.layout is None else self.layout.share(size)

    def _own(self, array: Any) -> Any:
        """State on its way to the device: a copy, since XLA may write over what it is given."""
        copied = np.array(array)
        return jax.device_put(copied) if self.layout is None else self.layout.state(copied)


class Buffer:
    """An array of JAX as a `DeviceArray` holds it."""

    __slots__ = ("array", "dtype", "shape")

    def __init__(self, array: jax.Array) -> None:
        self.array = array
        self.shape: tuple[int, ...] = array.shape
        self.dtype: np.dtype[Any] = array.dtype

    def fetch(self) -> np.ndarray:
        """A copy in NumPy's memory."""
        return np.array(processes.gathered(self.array))

    def copy(self) -> Buffer:
        """A copy on the device."""
        with _all_dtypes(True):
            return Buffer(self.array.copy())


def _own_numpy(array: Any) -> Any:
    return np.array(array) if array.shape else np.asarray(array)[()]


def _given(program: Program, donated: Collection[int], kept: Collection[int]) -> dict[int, int]:
    """Donated inputs that a result of the same type can take the memory of, and that result."""
    free: dict[Any, list[int]] = {}
    for index in sorted(range(len(program.outputs)), key=lambda index: (index not in kept, index)):
        free.setdefault(program.outputs[index].type, []).append(index)
    found = {}
    for index in sorted(donated):
        type = program.inputs[index].type
        if free.get(type) and type.shape:
            found[index] = free[type].pop(0)
    return found


def _give_back(given: dict[int, int], arguments: Sequence[Any], outputs: Sequence[Any]) -> None:
    """After an error: arrays that were given away hold what the step made of them."""
    for index, output in given.items():
        if type(arguments[index]) is DeviceArray:
            arguments[index].buffer = Buffer(outputs[output])


executor = XlaExecutor()
