"""From a Python function to a Program, and from a Program to results."""

from __future__ import annotations

import ast
import functools
import inspect
import linecache
import re
import textwrap
import threading
import tokenize
import warnings
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any

import numpy as np

from bital import config, tree
from bital.errors import ArgumentError, InputMutationError
from bital.executors import Compiled, DeviceArray, devices_of, get_executor
from bital.numpy_language import Trace, Tracer, current_trace, tracing
from bital.numpy_language.tracer import WEAK_DTYPES, as_array, as_atom
from bital.passes import lint, stabilize
from bital.program import ArrayType, Atom, Literal, Program, substitute, type_of

_LARGE_CONSTANTS = 64 << 20  # bytes


@dataclass
class Recorded:
    """A function as a Program.

    Attributes
    ----------
    program : Program
        Inputs are the leaves of the traced arguments, then what was captured.
    captured : list
        Arrays and outer tracers that the function closed over, as extra arguments.
    structure : tree.Structure
        Of the function's result.
    weak : tuple of (type or None)
        For each output, the Python type of a number whose dtype is still open.
    """

    program: Program
    captured: list[Any]
    structure: tree.Structure
    weak: tuple[type | None, ...]

    @property
    def wrt_arguments(self) -> list[bool]:
        """True for explicit arguments, False for captured ones."""
        count = len(self.program.inputs) - len(self.captured)
        return [True] * count + [False] * len(self.captured)


def record(
    fun: Callable[..., Any],
    leaves: Sequence[Any],
    call: Callable[[list[Any]], Any],
    *,
    names: Sequence[str | None] = (),
    values_known: bool,
    freeze: bool,
) -> Recorded:
    """Trace ``call(leaves)``, where `call` puts the leaves into `fun`'s arguments.

    Parameters
    ----------
    fun : callable
        Named in messages.
    leaves : sequence
        Arrays, numbers or tracers: what to trace.
    names : sequence of str
        The user's names for the leaves.
    values_known, freeze : bool
        As `Trace` takes them.
    """
    trace = Trace(function_name(fun), values_known=values_known, freeze=freeze)
    tracers = []
    for index, leaf in enumerate(leaves):
        type_, weak = leaf_type(leaf)
        var = trace.builder.input(type_, names[index] if index < len(names) else None)
        if trace.values is not None:
            value = leaf.known_value() if isinstance(leaf, Tracer) else leaf
            if value is not None:
                trace.values[var] = np.asarray(value, type_.dtype)[()]
        tracers.append(Tracer(trace, var, weak))
    inputs = list(tracers)
    with tracing(trace):
        result = call(list(tracers))
        found, structure = tree.flatten(result)
        paths = tree.flatten_with_path(result)
        atoms = [
            _output(trace, leaf, path, fun) for leaf, (path, _) in zip(found, paths, strict=True)
        ]
    if not atoms and any(tracer._version for tracer in inputs):
        raise InputMutationError(
            f"{function_name(fun)} changes an argument in place and returns nothing, but a traced "
            "function cannot reach the caller's array. Return the new value: `return w`"
        )
    if freeze:
        _warn_of_large_constants(trace, fun)
    weak_kinds = tuple(leaf._weak if isinstance(leaf, Tracer) else None for leaf in found)
    return Recorded(trace.builder.build(atoms), trace.captured, structure, weak_kinds)


def _output(trace: Trace, leaf: Any, path: str, fun: Callable[..., Any]) -> Atom:
    if not isinstance(leaf, (Tracer, np.ndarray, np.generic, bool, int, float, complex)):
        raise ArgumentError(
            f"{function_name(fun)} returned a {type(leaf).__name__} at result{path}: {leaf!r}. A "
            "traced function returns arrays and numbers, in tuples, lists, dicts, or None"
        )
    return as_atom(trace, leaf)


def _warn_of_large_constants(trace: Trace, fun: Callable[..., Any]) -> None:
    total = sum(array.nbytes for array in trace.builder.constants.values())
    if total > _LARGE_CONSTANTS:
        warnings.warn(
            f"{function_name(fun)} closes over {total / 2**20:.0f} MB of arrays, which were copied "
            "into the compiled function; pass them as arguments instead",
            stacklevel=5,
        )


def function_name(fun: Callable[..., Any]) -> str:
    name = getattr(fun, "__name__", None) or type(fun).__name__
    return re.sub(r"\W+", "", name) or "function"


def leaf_type(leaf: Any) -> tuple[ArrayType, type | None]:
    """The type of an argument's leaf; for a Python number also the kind that its dtype follows."""
    if isinstance(leaf, Tracer):
        leaf.require_open()
        return leaf._atom.type, leaf._weak
    if type(leaf) in WEAK_DTYPES:
        return ArrayType((), WEAK_DTYPES[type(leaf)]), type(leaf)
    if isinstance(leaf, np.ndarray):
        return type_of(leaf), None
    if type(leaf) is DeviceArray:
        return ArrayType(leaf.shape, leaf.dtype), None
    return type_of(as_array(leaf)), None


def reopened(value: Any, weak: type | None) -> Any:
    """A result as a number of open dtype again, where `weak` says that it is one."""
    if weak is None:
        return value
    return Tracer(value._trace, value._atom, weak) if isinstance(value, Tracer) else weak(value)


def check_leaves(fun: Callable[..., Any], what: str, value: Any) -> None:
    """Refuse arguments that cannot be traced, naming where they stand."""
    for path, leaf in tree.flatten_with_path(value):
        if isinstance(leaf, Tracer) or type(leaf) in (bool, float, complex):
            continue
        if type(leaf) is int and not -(2**63) <= leaf < 2**63:
            raise ArgumentError(
                f"{function_name(fun)}: {what}{path} is an int beyond int64; write it as a float"
            )
        try:
            as_array(leaf)
        except (ArgumentError, ValueError, TypeError) as fault:
            raise ArgumentError(
                f"{function_name(fun)}: {what}{path} is a {type(leaf).__name__} ({leaf!r:.60}), "
                f"which cannot be traced. {_repair(leaf)}"
            ) from fault


def _repair(leaf: Any) -> str:
    if isinstance(leaf, np.ndarray) and not leaf.dtype.isnative:
        return (
            f"Its dtype is {leaf.dtype.str!r}: its bytes stand in the other order than this "
            "machine's. Write x.astype(x.dtype.newbyteorder('='))"
        )
    return (
        "Arguments are arrays and numbers in tuples, lists and dicts; make another kind static "
        "with bital.jit(f, static_argnums=...)"
    )


def argument_names(fun: Callable[..., Any], args: Sequence[Any]) -> list[str | None]:
    """The user's name for each leaf.

    ``x``; ``W1`` for ``params['W1']``, or where the function says ``W1, b1 = params``; otherwise
    ``params_0`` for ``params[0]``.
    """
    structures = tuple([tree.structure(argument) for argument in args])
    if type(fun) is FunctionType and not hasattr(fun, "__wrapped__"):
        return list(_names_of_code(fun.__code__, structures))
    try:
        parameters = list(inspect.signature(fun).parameters)
    except (TypeError, ValueError):
        parameters = []
    return _names(parameters, getattr(inspect.unwrap(fun), "__code__", None), structures)


@functools.lru_cache(maxsize=1024)
def _names_of_code(
    code: CodeType, structures: tuple[tree.Structure, ...]
) -> tuple[str | None, ...]:
    return tuple(_names(code.co_varnames[: code.co_argcount], code, structures))


def _names(
    parameters: Sequence[str], code: CodeType | None, structures: Sequence[tree.Structure]
) -> list[str | None]:
    unpacked = _unpacked_names(code)
    names: list[str | None] = []
    for index, structure in enumerate(structures):
        argument = tree.unflatten(structure, [0] * structure.leaf_count)
        parameter = parameters[index] if index < len(parameters) else None
        given = _matched(unpacked.get(parameter or ""), argument)
        if given is not None:
            names += given
            continue
        for path, _ in tree.flatten_with_path(argument):
            last = re.search(r"\['(\w+)'\]$|\.(\w+)$", path)
            if last:
                name: str | None = last.group(1) or last.group(2)
            else:
                name = parameter and parameter + re.sub(r"\W+", "_", path).rstrip("_")
            names.append(name if name and name.isidentifier() else None)
    return names


def _matched(names: Any, argument: Any) -> list[str] | None:
    """The names of an argument's leaves, if it is nested as the names are."""
    if isinstance(names, str):
        return [names] if len(tree.leaves(argument)) == 1 else None
    if names is None or not isinstance(argument, (tuple, list)) or len(names) != len(argument):
        return None
    parts = [_matched(name, item) for name, item in zip(names, argument, strict=True)]
    return None if None in parts else [name for part in parts for name in part or ()]


@functools.cache
def _unpacked_names(code: CodeType | None) -> dict[str, Any]:
    """``{"params": ("W1", "b1")}`` for a function that says ``W1, b1 = params``; nested too."""
    if code is None:
        return {}
    # inspect.getsource looks through every module that is loaded, which takes tens of milliseconds.
    lines = linecache.getlines(code.co_filename)[code.co_firstlineno - 1 :]
    try:
        parsed = ast.parse(textwrap.dedent("".join(inspect.getblock(lines))))
    except (SyntaxError, tokenize.TokenError):
        return {}
    return {
        node.value.id: _target_names(node.targets[0])
        for node in ast.walk(parsed)
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Name)
        and isinstance(node.targets[0], (ast.Tuple, ast.List))
    }


def _target_names(target: ast.expr) -> Any:
    if isinstance(target, (ast.Tuple, ast.List)):
        return tuple(map(_target_names, target.elts))
    return target.id if isinstance(target, ast.Name) else None


# --- running --------------------------------------------------------------------------------


def apply(program: Program, arguments: Sequence[Any]) -> list[Any]:
    """Results of a Program: recorded if an argument is being traced, else computed."""
    return apply_transformed(program, None, lambda: program, arguments)


def apply_transformed(
    program: Program, name: Hashable, transform: Callable[[], Program], arguments: Sequence[Any]
) -> list[Any]:
    """Results of a transformed Program of the same inputs.

    Parameters
    ----------
    program : Program
    name : hashable
        Tells this transform, with its options, from others.
    transform : callable
        Makes the Program that is wanted. Not called where it was made before.
    """
    if any(isinstance(argument, Tracer) for argument in arguments):
        trace = current_trace()
        if trace is not None:
            return list(trace.inline(transform(), arguments))
    values = [as_value(a, var.type) for a, var in zip(arguments, program.inputs, strict=True)]
    if program.constants or config.executor_name() == "checking":  # they belong to this Program
        return compile_program(transform())(values)
    return _eager.run(program, name, transform, values)


def as_value(argument: Any, wanted: ArrayType) -> Any:
    """A plain argument exactly as the Program's type says."""
    if type(argument) is not np.ndarray and not isinstance(
        argument, (int, float, complex, np.generic)
    ):
        argument = as_array(argument)
    if isinstance(argument, np.ndarray) and argument.shape:
        return argument
    try:
        return wanted.dtype.type(argument)
    except OverflowError:
        raise ArgumentError(f"an argument is {argument}, beyond {wanted.dtype}") from None


def compile_program(
    program: Program,
    executor: str | None = None,
    donated: Collection[int] = (),
    kept: Collection[int] = (),
) -> Compiled:
    lint(program)
    name = config.executor_name(executor)
    device = devices_of(name) if kept else None
    if device is not None:
        return device.compile(stable(program), donated, kept)
    return get_executor(name).compile(stable(program), donated)


def stable(program: Program) -> Program:
    """What runs, or is differentiated, in the place of what was recorded."""
    return stabilize(program) if config.stabilizing() else program


class _Eager:
    """Runs Programs that are made anew at each call, as under ``grad`` without ``jit``.

    A structure is compiled once. The cache forgets what has not been used for longest. It keeps the
    Programs too: a structure names inner constants by identity, so these must stay alive with it.
    """

    def __init__(self, size: int = 64) -> None:
        self._size = size
        self._compiled: OrderedDict[Hashable, tuple[Compiled, Program]] = OrderedDict()
        self._lock = threading.Lock()

    def run(
        self, program: Program, name: Hashable, make: Callable[[], Program], values: list[Any]
    ) -> list[Any]:
        key = (program.structure(), name, config.executor_name(), config.stabilizing())
        entry = self._compiled.get(key)
        if entry is None:
            entry = compile_program(make()), program
            with self._lock:
                self._compiled[key] = entry
                while len(self._compiled) > self._size:
                    self._compiled.popitem(last=False)
        else:
            with self._lock:
                self._compiled[key] = entry
                self._compiled.move_to_end(key)
        return entry[0](values)


_eager = _Eager()


def with_literals(program: Program, values: dict[int, Any]) -> Program:
    """The Program with some scalar inputs fixed."""
    inputs = {index: program.inputs[index] for index in values}
    return substitute(
        program, {var: Literal(values[index], var.type.dtype) for index, var in inputs.items()}
    )
