"""What an executor is, and how one is found by name."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol

from bital.errors import ExecutorError, MissingExtraError
from bital.executors.alone import Alone
from bital.executors.device_array import DeviceArray
from bital.program import Array, Program

# Takes the values of a Program's inputs, gives those of its outputs. Results are fresh arrays
# (NumPy scalars where 0-d), never views of an argument; donated arguments may be overwritten.
Compiled = Callable[[Sequence[Any]], list[Array]]


class Executor(Protocol):
    """Turns Programs into callables."""

    name: str

    def compile(self, program: Program, donated: Collection[int] = ()) -> Compiled:
        """A callable that computes the Program.

        Parameters
        ----------
        program : Program
        donated : collection of int
            Positions of inputs whose arrays may be overwritten.
        """
        ...


class DeviceExecutor(Executor, Protocol):
    """An executor whose arrays may stay on a device, and that has options.

    `get_executor("xla[all, sharded]")` is ``executor.configured(("all", "sharded"))``.
    """

    def compile(
        self, program: Program, donated: Collection[int] = (), kept: Collection[int] = ()
    ) -> Compiled:
        """A callable that takes arrays of NumPy or of the device.

        Parameters
        ----------
        program : Program
        donated : collection of int
            Positions of inputs whose arrays may be overwritten.
        kept : collection of int
            Positions of outputs that stay on the device: `DeviceArray`, where they have axes.
        """
        ...

    devices: int
    processes: Alone

    def place(self, array: Array, batch_axis: int | None = None) -> DeviceArray:
        """Copy an array to the device.

        Parameters
        ----------
        array : array
            Each device gets a copy; or
        batch_axis : int, optional
            a part of it, cut along this axis. Of several processes each brings its `share`.
        """
        ...

    def share(self, size: int) -> slice:
        """Which samples of a batch of this size the devices of this process have."""
        ...

    def configured(self, options: Sequence[str]) -> Executor:
        """The executor with these options."""
        ...


# name -> module with an `executor`; other packages add theirs as entry points "bital.executors".
_BUILT_IN = {
    "numpy": "bital.executors.numpy",
    "native": "bital.executors.native.executor",
    "xla": "bital.executors.xla.executor",
}
# What debug_nans runs, and what calls that come from many threads do.
_TOOLS = {
    "checking": ("bital.executors.checking", "executor"),
    "native-alone": ("bital.executors.native.executor", "alone"),
}
_REQUIRES = {"native": "llvmlite", "xla": "jax"}  # what an extra of the executor's name installs
_loaded: dict[str, Executor] = {}


def get_executor(name: str) -> Executor:
    """The executor of this name, imported at first use; with options, as in ``"xla[all]"``.

    Raises
    ------
    ExecutorError
        Where there is none, naming those there are, or it does not have these options.
    MissingExtraError
        Where what it needs is not installed.
    """
    if name not in _loaded:
        _loaded[name] = _configured(name) if name.endswith("]") else _load(name)
    return _loaded[name]


def devices_of(name: str) -> DeviceExecutor | None:
    """The executor of this name, if its arrays may stay on a device."""
    found: Any = get_executor(name)
    return found if hasattr(found, "place") else None


def _configured(name: str) -> Executor:
    base, _, options = name.removesuffix("]").partition("[")
    executor = devices_of(base)
    if executor is None:
        raise ExecutorError(
            f"executor {name!r}: {base} runs on this machine's processor and has no options; "
            "several devices, and bfloat16, are for 'xla'"
        )
    return executor.configured([option.strip() for option in options.split(",")])


def is_installed(name: str) -> bool:
    """Whether a built-in executor has what it needs."""
    needed = _REQUIRES.get(name)
    return needed is None or importlib.util.find_spec(needed) is not None


def _load(name: str) -> Executor:
    if name in _TOOLS:
        module_name, attribute = _TOOLS[name]
        tool: Executor = getattr(importlib.import_module(module_name), attribute)
        return tool
    if name in _BUILT_IN:
        if not is_installed(name):
            raise MissingExtraError(
                f"the {name} executor needs {_REQUIRES[name]}: pip install 'bital[{name}]'"
            )
        module = importlib.import_module(_BUILT_IN[name])
        built_in: Executor = module.executor
        return built_in
    from importlib.metadata import entry_points  # slow to import, and rarely needed

    entries = entry_points(group="bital.executors")
    for entry in entries:
        if entry.name == name:
            loaded: Executor = entry.load()
            return loaded
    known = ", ".join(sorted({*_BUILT_IN, *(entry.name for entry in entries)}))
    raise ExecutorError(f"there is no executor {name!r}; installed: {known}")
