"""jit and trace: a function compiled, and shown."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from bital import config, tree
from bital.api.calling import builder, matcher
from bital.api.recording import (
    Recorded,
    apply,
    argument_names,
    as_value,
    check_leaves,
    compile_program,
    function_name,
    leaf_type,
    record,
    reopened,
    stable,
)
from bital.api.traces import Signature, note_recording, signature
from bital.errors import ArgumentError
from bital.executors import Compiled, DeviceArray, devices_of
from bital.numpy_language import Tracer, current_trace
from bital.program import ArrayType, Program

Function = Callable[..., Any]


class _Entry:
    """One recording, and what it was compiled to once it was run."""

    __slots__ = ("compiled", "donated", "kept", "recorded", "repeated", "types")

    def __init__(self, recorded: Recorded, donated: list[int], kept: list[int]) -> None:
        self.recorded = recorded
        self.donated = donated  # positions among the leaves
        self.kept = kept  # the same, of the result
        self.compiled: Compiled | None = None
        self.repeated: _Repeated | None = None
        count = len(recorded.program.inputs) - len(recorded.captured)
        self.types = [var.type for var in recorded.program.inputs[:count]]

    def compile(self, executor: str) -> Compiled:
        program = self.recorded.program
        self.compiled = compile_program(program, executor, self.donated, self.kept)
        return self.compiled


class _Repeated:
    """An entry that was used twice, and is likely to be used again: calls in short."""

    __slots__ = ("build", "compiled", "donated", "executor", "match", "stabilizing")

    def __init__(self, entry: _Entry, arguments: Any, executor: str) -> None:
        assert entry.compiled is not None
        self.match = matcher(arguments, entry.types) or _never
        self.build = builder(entry.recorded.structure)
        self.compiled = entry.compiled
        self.donated = entry.donated
        self.executor = executor
        self.stabilizing = config.stabilizing()


def _never(arguments: Any) -> None:
    """Matches nothing."""


class _Jitted:
    """What `jit` returns."""

    def __init__(
        self,
        fun: Function,
        static: tuple[int, ...],
        donate: tuple[int, ...],
        executor: str | None,
        on_device: bool | tuple[int, ...] = (),
    ) -> None:
        functools.update_wrapper(self, fun)
        self._fun = fun
        self._static = static
        self._donate = donate
        self._executor = executor
        self._on_device = on_device
        self._entries: dict[Any, _Entry] = {}
        self._repeated: _Repeated | None = None
        self.recordings = 0
        self._signatures: list[Signature] = []

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        short = self._repeated
        if (
            short is not None
            and not kwargs
            and (values := short.match(args)) is not None
            and short.executor == config.executor_name(self._executor)
            and short.stabilizing == config.stabilizing()
        ):
            if short.donated:
                _protect_shared(values, short.donated)
            return short.build(short.compiled(values))
        entry, leaves, executor = self._find(args, kwargs)
        recorded = entry.recorded
        traced = current_trace() is not None and any(isinstance(x, Tracer) for x in leaves)
        if traced or recorded.captured:
            outputs = apply(recorded.program, [*leaves, *recorded.captured])
        else:
            values = [
                x if type(x) is np.ndarray and x.shape else _as_value(x, type_, executor)
                for x, type_ in zip(leaves, entry.types, strict=True)
            ]
            if entry.donated:
                _protect_shared(values, entry.donated)
            if entry.compiled and not (kwargs or self._static or any(recorded.weak)):
                self._repeated = entry.repeated = entry.repeated or _Repeated(entry, args, executor)
            outputs = (entry.compiled or entry.compile(executor))(values)
        return _result(recorded, outputs)

    def compiled(self, *args: Any) -> Compiled:
        """What runs for arguments of these types, for callers who answer for the types.

        It takes the arguments' leaves, arrays, and returns those of the results.
        """
        entry, _, executor = self._find(args, {})
        return entry.compiled or entry.compile(executor)

    def _find(self, args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[_Entry, list[Any], str]:
        """The recording for these arguments, their leaves, and the executor's name."""
        dynamic = [a for i, a in enumerate(args) if i not in self._static] if self._static else args
        leaves, structure = tree.flatten((dynamic, kwargs) if kwargs else dynamic)
        executor = config.executor_name(self._executor)
        key = (self._key(args, leaves), structure, executor, config.stabilizing())
        entry = self._entries.get(key)
        if entry is None:
            recorded = self._record(args, kwargs, leaves)
            kept = _kept_leaves(recorded, self._on_device)
            entry = _Entry(recorded, self._donated_leaves(args), kept)
            self.recordings += 1
            new = signature(self._fun, args, kwargs, self._static, executor)
            note_recording(function_name(self._fun), new, self._signatures)
            if not entry.recorded.captured:  # what was captured belongs to one call
                self._entries[key] = entry
                self._signatures.append(new)
        return entry, leaves, executor

    def _key(self, args: Sequence[Any], leaves: Sequence[Any]) -> Any:
        types = tuple(
            [
                (x.shape, x.dtype)
                if isinstance(x, (np.ndarray, np.generic, DeviceArray))
                else leaf_type(x)
                if isinstance(x, Tracer)
                else type(x)
                for x in leaves
            ]
        )
        if not self._static:
            return types
        static = tuple((type(args[i]), args[i]) for i in self._static if i < len(args))
        try:
            hash(static)
        except TypeError as fault:
            raise ArgumentError(
                f"{function_name(self._fun)}: a static argument must be hashable, got {static!r}: "
                "use a tuple instead of a list, or do not make an array static"
            ) from fault
        return types, static

    def _record(self, args: Sequence[Any], kwargs: dict[str, Any], leaves: list[Any]) -> Recorded:
        fun, static = self._fun, self._static
        dynamic = [a for i, a in enumerate(args) if i not in static]
        check_leaves(fun, "argument ", dynamic)
        check_leaves(fun, "keyword argument ", kwargs)
        structure = tree.structure((dynamic, kwargs))

        def call(new_leaves: list[Any]) -> Any:
            new, new_kwargs = tree.unflatten(structure, new_leaves)
            rest = iter(new)
            full = [a if i in static else next(rest) for i, a in enumerate(args)]
            return fun(*full, **new_kwargs)

        names = argument_names(fun, [None if i in static else a for i, a in enumerate(args)])
        names += [
            key if len(tree.leaves(v)) == 1 else None
            for key, v in sorted(kwargs.items())
            for _ in tree.leaves(v)
        ]
        return record(fun, leaves, call, names=names, values_known=False, freeze=True)

    def _donated_leaves(self, args: Sequence[Any]) -> list[int]:
        positions: list[int] = []
        offset = 0
        for index, argument in enumerate(args):
            if index in self._static:
                continue
            count = len(tree.leaves(argument))
            if index in self._donate:
                positions += range(offset, offset + count)
            offset += count
        return positions


def _as_value(leaf: Any, wanted: ArrayType, executor: str) -> Any:
    """A leaf as the executor takes it: what is on a device stays there if it can be used there."""
    if type(leaf) is DeviceArray and devices_of(executor) is not None:
        return leaf
    return as_value(leaf, wanted)


def _kept_leaves(recorded: Recorded, on_device: bool | tuple[int, ...]) -> list[int]:
    """Positions among the results' leaves of what stays on the device."""
    structure = recorded.structure
    if isinstance(on_device, bool):
        return list(range(structure.leaf_count)) if on_device else []
    if on_device and (structure.kind is not tuple or max(on_device) >= len(structure.children)):
        raise ArgumentError(
            f"jit(on_device={on_device}) are places in the tuple that "
            f"{recorded.program.name} returns; it returns {structure}"
        )
    ends = list(itertools.accumulate(child.leaf_count for child in structure.children))
    starts = [0, *ends]
    return [leaf for place in on_device for leaf in range(starts[place], ends[place])]


def _result(recorded: Recorded, outputs: list[Any]) -> Any:
    """Outputs in their structure; those that are open in dtype as Python numbers again."""
    if any(recorded.weak):
        outputs = [
            reopened(value, kind) for value, kind in zip(outputs, recorded.weak, strict=True)
        ]
    return tree.unflatten(recorded.structure, outputs)


def _protect_shared(values: list[Any], donated: Collection[int]) -> None:
    """Copy donated arrays that are not wholly the caller's to give: views, and shared ones."""
    owners = [value.base for value in values if value.base is not None]
    distinct = {*map(id, values)}
    if (
        len(distinct) == len(values)
        and all(type(owner) is np.ndarray and owner.base is None for owner in owners)
        and distinct.isdisjoint(map(id, owners))
        and not any(values[index].base is not None for index in donated)
    ):  # as nearly always
        for index in donated:
            value = values[index]
            if isinstance(value, np.ndarray) and not value.flags.writeable:
                values[index] = value.copy()
        return
    users: dict[int, int] = {}
    strange = []  # views whose memory does not plainly belong to an array
    for value in values:
        owner = value.base
        users[id(value)] = users.get(id(value), 0) + 1
        if owner is not None:
            users[id(owner)] = users.get(id(owner), 0) + 1
            if type(owner) is not np.ndarray or owner.base is not None:
                strange.append(value)
    for index in donated:
        value = values[index]
        if isinstance(value, np.ndarray) and (
            not value.flags.writeable
            or value.base is not None
            or users[id(value)] > 1
            or any(np.may_share_memory(value, other) for other in strange)
        ):
            values[index] = value.copy()


def jit(
    fun: Function | None = None,
    *,
    static_argnums: int | Sequence[int] = (),
    donate_argnums: int | Sequence[int] = (),
    executor: str | None = None,
    on_device: bool | int | Sequence[int] = False,
) -> Any:
    """`fun`, recorded once for each combination of argument types and compiled.

    Parameters
    ----------
    fun : callable
        Takes and returns arrays and numbers, in any nesting. Plain NumPy inside.
    static_argnums : int or sequence of int
        Positional arguments that are not traced: hashable values that steer Python code. A new
        value is a new recording.
    donate_argnums : int or sequence of int
        Positional arguments whose arrays may be overwritten, to save memory: do not use them after
        the call.
    executor : str, optional
        "numpy", "native" or "xla"; by default the one that `bital.config` says.
    on_device : bool, int or sequence of int, default False
        Which places of the tuple that `fun` returns, or True for all of it, stay where the
        executor computes, as `DeviceArray`: give them to the next call, and NumPy copies them when
        it looks at them. It has a meaning for ``xla`` alone: elsewhere arrays are NumPy's.

    Notes
    -----
    Values are unknown while `fun` is recorded, so a Python branch on one raises `TracerBoolError`.
    Arrays that `fun` closes over are copied when it is recorded. Shapes are part of the recording:
    another shape is recorded anew.

    Raises
    ------
    ArgumentError, TracerBoolError, TracerConversionError, UnsupportedFunctionError

    Examples
    --------
    >>> jit(lambda x: np.exp(x) / np.exp(x).sum())(np.zeros(2))
    array([0.5, 0.5])
    """
    if fun is None:
        return functools.partial(
            jit,
            static_argnums=static_argnums,
            donate_argnums=donate_argnums,
            executor=executor,
            on_device=on_device,
        )
    if not callable(fun):
        raise ArgumentError(f"bital.jit takes a function, got {type(fun).__name__}: {fun!r:.60}")
    static = (static_argnums,) if isinstance(static_argnums, int) else tuple(static_argnums)
    donate = (donate_argnums,) if isinstance(donate_argnums, int) else tuple(donate_argnums)
    if any(index < 0 for index in (*static, *donate)) or set(static) & set(donate):
        raise ArgumentError(
            f"static_argnums={static_argnums} and donate_argnums={donate_argnums} must be "
            "different positions from 0 on"
        )
    if not isinstance(on_device, bool):
        on_device = (on_device,) if isinstance(on_device, int) else tuple(on_device)
    return _Jitted(fun, static, donate, executor, on_device)


def trace(fun: Function, *args: Any, **kwargs: Any) -> Program:
    """The Program that runs `fun` for arguments of these types.

    What `bital.config.stabilize` rewrites is rewritten in it.

    Returns
    -------
    Program
        ``print(program)`` shows the equations, ``program.to_numpy()`` the NumPy source that the
        ``numpy`` executor runs.

    Examples
    --------
    >>> print(trace(lambda x: np.sum(x * x), np.ones(3)))
    program lambda(x: float64[3]) {
      a: float64[3] = mul(x, x)
      b: float64[] = reduce_sum(a) [axes=(0,), keepdims=False]
      return b
    }
    """
    inner = fun if isinstance(fun, _Jitted) else _Jitted(fun, (), (), None)
    dynamic = [a for i, a in enumerate(args) if i not in inner._static]
    recorded = inner._record(args, kwargs, tree.leaves((dynamic, kwargs)))
    return stable(recorded.program)


def eval_shape(fun: Function, *args: Any) -> Any:
    """The types of what `fun` returns, without computing it: no array of its sizes is made.

    Parameters
    ----------
    fun : callable
    *args
        Arrays, or whatever has a ``shape`` and a ``dtype``, in containers; and static values.

    Returns
    -------
    container of ArrayType
        Like the result of `fun`, with ``shape`` and ``dtype`` in the place of arrays.

    Examples
    --------
    >>> str(eval_shape(lambda x: np.tile(x, (10**6, 10**6)), np.ones((2, 3))))
    'float64[2000000,3000000]'
    """
    leaves, structure = tree.flatten(args)
    types = {
        index: ArrayType(tuple(leaf.shape), np.dtype(leaf.dtype))
        for index, leaf in enumerate(leaves)
        if hasattr(leaf, "shape") and hasattr(leaf, "dtype")
    }
    arrays = [np.broadcast_to(np.zeros((), type_.dtype), type_.shape) for type_ in types.values()]

    def call(traced: list[Any]) -> Any:
        known = dict(zip(types, traced, strict=True))
        return fun(*tree.unflatten(structure, [known.get(i, x) for i, x in enumerate(leaves)]))

    recorded = record(fun, arrays, call, values_known=False, freeze=False)
    return tree.unflatten(recorded.structure, recorded.program.output_types)
