"""What an executor is, and how one is found by name."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol

from bital.errors import ExecutorError, MissingExtraError
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
    """The executor of this name, imported at first use.

    Raises
    ------
    ExecutorError
        Where there is none, naming those there are.
    MissingExtraError
        Where what it needs is not installed.
    """
    if name not in _loaded:
        _loaded[name] = _load(name)
    return _loaded[name]


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
