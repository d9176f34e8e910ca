"""The engine's public functions: differentiate, vectorise, compile, show."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

import numpy as np

from bital import config, tree
from bital.errors import ArgumentError, DifferentiationError, ShapeError
from bital.executors import Compiled
from bital.numpy_language import Tracer, bind, current_trace
from bital.primitives.control import custom_vjp_call
from bital.primitives.elementwise import stop_gradient as stop_gradient_p
from bital.primitives.random import random_bits as random_bits_p
from bital.program import Program
from bital.recording import (
    Recorded,
    apply,
    argument_names,
    as_value,
    check_leaves,
    compile_program,
    function_name,
    leaf_type,
    record,
    with_literals,
)
from bital.transforms import batch, split
from bital.transforms import jvp as jvp_transform
from bital.transforms import vjp as vjp_transform

Function = Callable[..., Any]

# --- choosing arguments ---------------------------------------------------------------------


class _Chosen(NamedTuple):
    """The arguments to differentiate, as leaves, and how to call the function with others."""

    leaves: list[Any]
    structure: tree.Structure  # of the chosen arguments, as a tuple
    call: Callable[[list[Any]], Any]
    names: list[str | None]


def _choose(fun: Function, args: Sequence[Any], kwargs: dict[str, Any], argnums: Any) -> _Chosen:
    positions = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    for position in positions:
        if not isinstance(position, int) or not -len(args) <= position < len(args):
            raise ArgumentError(
                f"argnums={argnums} asks for argument {position} of {function_name(fun)}, which was "
                f"called with {len(args)} positional arguments"
            )
    positions = tuple(position % len(args) for position in positions)
    chosen = tuple(args[position] for position in positions)
    leaves, structure = tree.flatten(chosen)

    def call(new_leaves: list[Any]) -> Any:
        full = list(args)
        for position, value in zip(positions, tree.unflatten(structure, new_leaves), strict=True):
            full[position] = value
        return fun(*full, **kwargs)

    all_names = [
        argument_names(fun, args[: p + 1])[-len(tree.leaves(args[p])) or None :]
        if tree.leaves(args[p])
        else []
        for p in positions
    ]
    return _Chosen(leaves, structure, call, [name for names in all_names for name in names])


def _require_floating(fun: Function, what: str, argument: Any) -> None:
    check_leaves(fun, what, argument)
    for path, leaf in tree.flatten_with_path(argument):
        type_, _ = leaf_type(leaf)
        if type_.dtype.kind != "f":
            raise DifferentiationError(
                f"{function_name(fun)}: {what}{path} is {type_.dtype} ({leaf!r:.60}), and a "
                "derivative needs floating-point numbers. Write 3.0 instead of 3, or "
                "x.astype(np.float64)"
            )


def _record_chosen(fun: Function, chosen: _Chosen) -> Recorded:
    return record(
        fun, chosen.leaves, chosen.call, names=chosen.names, values_known=True, freeze=False
    )


def _unchoose(structure: tree.Structure, leaves: list[Any], argnums: Any) -> Any:
    values = tree.unflatten(structure, leaves)
    return values[0] if isinstance(argnums, int) else values


# --- reverse mode ---------------------------------------------------------------------------


def value_and_grad(
    fun: Function, argnums: int | Sequence[int] = 0, has_aux: bool = False
) -> Function:
    """A function that returns `fun`'s value and its gradient.

    Parameters
    ----------
    fun : callable
        Returns a floating scalar; with `has_aux` a pair ``(scalar, aux)``.
    argnums : int or sequence of int, default 0
        The positional arguments to differentiate: floating arrays or numbers, in any nesting of
        tuples, lists and dicts.
    has_aux : bool, default False
        Whether `fun` returns further values that are not differentiated.

    Returns
    -------
    callable
        ``(value, gradient)``, or ``((value, aux), gradient)``. The gradient has the structure,
        shapes and dtypes of the arguments.

    Raises
    ------
    DifferentiationError
        Where an argument is not floating, or the value is not a floating scalar.

    Notes
    -----
    Reverse mode: one forward and one backward pass, whatever the number of arguments.
    Python control flow on values works, as nothing is compiled ahead; under `jit` it does not.

    Examples
    --------
    >>> value_and_grad(lambda w: np.sum(w ** 2))(np.array([1.0, 3.0]))
    (np.float64(10.0), array([2., 6.]))
    """

    @functools.wraps(fun)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        chosen = _choose(fun, args, kwargs, argnums)
        _require_floating(
            fun,
            "argument ",
            tree.unflatten(chosen.structure, chosen.leaves)[0]
            if isinstance(argnums, int)
            else tree.unflatten(chosen.structure, chosen.leaves),
        )
        recorded = _record_chosen(fun, chosen)
        outputs = recorded.program.outputs
        _require_scalar(fun, recorded, has_aux)
        pulled = [True] + [False] * (len(outputs) - 1)
        program = vjp_transform(recorded.program, recorded.wrt_arguments, pulled)
        program = with_literals(program, {len(recorded.program.inputs): 1})
        results = apply(program, [*chosen.leaves, *recorded.captured])
        value = tree.unflatten(recorded.structure, results[: len(outputs)])
        return value, _unchoose(chosen.structure, results[len(outputs) :], argnums)

    return wrapped


def _require_scalar(fun: Function, recorded: Recorded, has_aux: bool) -> None:
    structure = recorded.structure
    if has_aux and (structure.kind is not tuple or len(structure.children) != 2):
        raise DifferentiationError(
            f"{function_name(fun)} with has_aux=True must return a pair (value, aux), it returned "
            f"{structure}"
        )
    main = structure.children[0] if has_aux else structure
    types = recorded.program.output_types[:1]
    if main.kind is not None or types[0].shape or types[0].dtype.kind != "f":
        shown = ", ".join(map(str, recorded.program.output_types)) or "nothing"
        raise DifferentiationError(
            f"a gradient needs a floating scalar, and {function_name(fun)} returned {shown} in "
            f"{main}. Reduce it (np.sum, np.mean), return further values with has_aux=True, or use "
            "bital.jacobian"
        )


def grad(fun: Function, argnums: int | Sequence[int] = 0, has_aux: bool = False) -> Function:
    """A function that returns the gradient of `fun`. See `value_and_grad`.

    Returns
    -------
    callable
        The gradient; with `has_aux` a pair ``(gradient, aux)``.

    Examples
    --------
    >>> grad(np.tanh)(0.0)
    np.float64(1.0)
    >>> grad(grad(lambda x: x ** 3))(2.0)
    np.float64(12.0)
    """
    both = value_and_grad(fun, argnums, has_aux)

    @functools.wraps(fun)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        value, gradient = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return wrapped


def vjp(fun: Function, *primals: Any, has_aux: bool = False) -> Any:
    """The value of `fun`, and a function that pulls cotangents back through it.

    Parameters
    ----------
    fun : callable
        Any floating outputs; with `has_aux` a pair ``(outputs, aux)``.
    *primals
        Floating arguments, in any nesting.

    Returns
    -------
    outputs
    pull_back : callable
        ``pull_back(cotangents) -> tuple``, a cotangent for each primal: v -> v^T J.
    aux
        Only with `has_aux`.

    Raises
    ------
    DifferentiationError, ShapeError

    Examples
    --------
    >>> y, pull_back = vjp(lambda x: x ** 2, np.array([1.0, 2.0]))
    >>> pull_back(np.array([1.0, 10.0]))
    (array([ 2., 40.]),)
    """
    _require_floating(fun, "primal ", primals)
    chosen = _choose(fun, primals, {}, tuple(range(len(primals))))
    recorded = _record_chosen(fun, chosen)
    structure, main = recorded.structure, recorded.structure
    if has_aux:
        if structure.kind is not tuple or len(structure.children) != 2:
            raise DifferentiationError(
                f"{function_name(fun)} with has_aux=True must return (outputs, aux), it returned "
                f"{structure}"
            )
        main = structure.children[0]
    count, total = main.leaf_count, structure.leaf_count
    floating = [type.dtype.kind == "f" for type in recorded.program.output_types[:count]]
    pulled = floating + [False] * (total - count)
    program = vjp_transform(recorded.program, recorded.wrt_arguments, pulled)
    forward, backward = split(program, len(recorded.program.inputs), total)
    results = apply(forward, [*chosen.leaves, *recorded.captured])
    outputs, residuals = results[:total], results[total:]
    types = recorded.program.output_types[:count]

    def pull_back(cotangents: Any) -> Any:
        cts = _matching(function_name(fun), "cotangent", cotangents, main, types)
        given = [ct for ct, used in zip(cts, floating, strict=True) if used]
        return tree.unflatten(chosen.structure, apply(backward, [*residuals, *given]))

    value = tree.unflatten(structure, outputs)
    return (value[0], pull_back, value[1]) if has_aux else (value, pull_back)


def _matching(
    name: str, what: str, values: Any, structure: tree.Structure, types: Sequence[Any]
) -> list[Any]:
    """Leaves of `values`, proved to have this structure and these types."""
    leaves, given = tree.flatten(values)
    if given != structure:
        raise ShapeError(f"{name}: the {what} has structure {given}, needed is {structure}")
    for leaf, type_ in zip(leaves, types, strict=True):
        actual, weak = leaf_type(leaf)
        if actual.shape != type_.shape or (weak is None and actual.dtype != type_.dtype):
            raise ShapeError(f"{name}: a {what} is {actual}, needed is {type_}")
    return leaves


# --- forward mode ---------------------------------------------------------------------------


def jvp(
    fun: Function, primals: Sequence[Any], tangents: Sequence[Any], has_aux: bool = False
) -> Any:
    """The value of `fun`, and its derivative along `tangents`: J v.

    Parameters
    ----------
    fun : callable
    primals : sequence
        Floating arguments, in any nesting.
    tangents : sequence
        Of the same structure, shapes and dtypes.

    Returns
    -------
    outputs, output tangents (and aux with `has_aux`)

    Raises
    ------
    DifferentiationError, ShapeError

    Examples
    --------
    >>> jvp(np.sin, (0.0,), (2.0,))
    (np.float64(0.0), np.float64(2.0))
    """
    primals = tuple(primals)
    _require_floating(fun, "primal ", primals)
    chosen = _choose(fun, primals, {}, tuple(range(len(primals))))
    recorded = _record_chosen(fun, chosen)
    types = recorded.program.input_types[: len(chosen.leaves)]
    moved = _matching(function_name(fun), "tangent", tuple(tangents), chosen.structure, types)
    program = jvp_transform(recorded.program, recorded.wrt_arguments)
    results = apply(program, [*chosen.leaves, *recorded.captured, *moved])
    count = len(recorded.program.outputs)
    value = tree.unflatten(recorded.structure, results[:count])
    slope = tree.unflatten(recorded.structure, results[count:])
    return (value[0], slope[0], value[1]) if has_aux else (value, slope)


# --- whole derivatives ----------------------------------------------------------------------


def jacobian(fun: Function, argnums: int | Sequence[int] = 0) -> Function:
    """A function that returns all first derivatives of `fun`.

    The result has the structure of `fun`'s outputs, holding the structure of the arguments, of
    arrays of shape ``output.shape + argument.shape``. Where there are no more inputs than outputs
    it is computed forward, a column an input; else in reverse, a row an output.

    Raises
    ------
    DifferentiationError

    Examples
    --------
    >>> jacobian(lambda x: x ** 2)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """

    @functools.wraps(fun)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        chosen = _choose(fun, args, kwargs, argnums)
        _require_floating(fun, "argument ", tree.unflatten(chosen.structure, chosen.leaves))
        recorded = _record_chosen(fun, chosen)
        program = recorded.program
        inputs = program.input_types[: len(chosen.leaves)]
        arguments = [*chosen.leaves, *recorded.captured]
        for type_ in program.output_types:
            if type_.dtype.kind != "f":
                raise DifferentiationError(
                    f"{function_name(fun)} returned {type_}, which has no derivative"
                )
        if sum(t.size for t in inputs) <= sum(t.size for t in program.output_types):
            blocks = _columns(recorded, inputs, arguments)
        else:
            blocks = _rows(recorded, inputs, arguments)
        rows = [_unchoose(chosen.structure, row, argnums) for row in blocks]
        return tree.unflatten(recorded.structure, rows)

    return wrapped


def _basis(types: Sequence[Any]) -> tuple[int, list[Any]]:
    """For each type an array (n, *shape); row i is 1 at the i-th of all n elements, else 0."""
    total, offset, blocks = sum(type.size for type in types), 0, []
    for type_ in types:
        block = np.zeros((total, type_.size), type_.dtype)
        block[offset : offset + type_.size] = np.eye(type_.size, dtype=type_.dtype)
        blocks.append(block.reshape(total, *type_.shape))
        offset += type_.size
    return total, blocks


def _columns(recorded: Recorded, inputs: Sequence[Any], arguments: list[Any]) -> list[list[Any]]:
    program = jvp_transform(recorded.program, recorded.wrt_arguments)
    total, basis = _basis(inputs)
    mapped = [False] * len(arguments) + [True] * len(inputs)
    results = apply(batch(program, total, mapped), [*arguments, *basis])
    blocks = []
    for slope in results[len(recorded.program.outputs) :]:
        columns, offset, row = np.moveaxis(slope, 0, -1), 0, []
        for type_ in inputs:
            part = columns[..., offset : offset + type_.size]
            row.append(np.reshape(part, (*columns.shape[:-1], *type_.shape)))
            offset += type_.size
        blocks.append(row)
    return blocks


def _rows(recorded: Recorded, inputs: Sequence[Any], arguments: list[Any]) -> list[list[Any]]:
    program = recorded.program
    outputs = program.output_types
    both = vjp_transform(program, recorded.wrt_arguments)
    forward, backward = split(both, len(program.inputs), len(outputs))
    residuals = apply(forward, arguments)[len(outputs) :]
    total, basis = _basis(outputs)
    mapped = [False] * len(residuals) + [True] * len(outputs)
    results = apply(batch(backward, total, mapped), [*residuals, *basis])
    blocks, offset = [], 0
    for type_ in outputs:
        rows = [result[offset : offset + type_.size] for result in results]
        blocks.append(
            [
                np.reshape(row, (*type_.shape, *argument.shape))
                for row, argument in zip(rows, inputs, strict=True)
            ]
        )
        offset += type_.size
    return blocks


def hessian(fun: Function, argnums: int | Sequence[int] = 0) -> Function:
    """A function that returns all second derivatives of a scalar `fun`: forward over reverse.

    Examples
    --------
    >>> hessian(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 2.0]))
    array([[4., 2.],
           [2., 0.]])
    """
    return jacobian(grad(fun, argnums), argnums)


# --- vectorising ----------------------------------------------------------------------------


def vmap(fun: Function, in_axes: Any = 0, out_axes: int = 0) -> Function:
    """`fun` mapped over an axis of its arguments, as one vectorised computation.

    Parameters
    ----------
    fun : callable
    in_axes : int, None, or a tuple of these, default 0
        For each positional argument the axis to map over, in all of its leaves; None: the same
        argument for all.
    out_axes : int, default 0
        Where the axis stands in all outputs.

    Raises
    ------
    ShapeError
        Where nothing is mapped, or lengths differ.

    Examples
    --------
    >>> vmap(np.dot)(np.ones((3, 2)), np.ones((3, 2)))
    array([2., 2., 2.])
    """

    @functools.wraps(fun)
    def wrapped(*args: Any) -> Any:
        axes = in_axes if isinstance(in_axes, (tuple, list)) else (in_axes,) * len(args)
        if len(axes) != len(args):
            raise ShapeError(f"vmap: in_axes={in_axes} does not fit {len(args)} arguments")
        leaves, structure = tree.flatten(args)
        of_leaf = [axis for axis, arg in zip(axes, args, strict=True) for _ in tree.leaves(arg)]
        size = _mapped_size(fun, leaves, of_leaf)
        rows = [_first_row(x, axis) for x, axis in zip(leaves, of_leaf, strict=True)]
        recorded = record(
            fun,
            rows,
            lambda new: fun(*tree.unflatten(structure, new)),
            names=argument_names(fun, args),
            values_known=False,
            freeze=False,
        )
        mapped = [axis is not None for axis in of_leaf] + [False] * len(recorded.captured)
        program = batch(recorded.program, size, mapped)
        moved = [
            x if axis is None or axis == 0 else np.moveaxis(x, axis, 0)
            for x, axis in zip(leaves, of_leaf, strict=True)
        ]
        results = apply(program, [*moved, *recorded.captured])
        if out_axes != 0:
            results = [np.moveaxis(result, 0, out_axes) for result in results]
        return tree.unflatten(recorded.structure, results)

    return wrapped


def _mapped_size(fun: Function, leaves: Sequence[Any], axes: Sequence[Any]) -> int:
    sizes = set()
    for leaf, axis in zip(leaves, axes, strict=True):
        if axis is not None:
            if not -np.ndim(leaf) <= axis < np.ndim(leaf):
                raise ShapeError(
                    f"vmap({function_name(fun)}): an argument of shape {np.shape(leaf)} has no "
                    f"axis {axis} to map over; in_axes=None leaves it as it is"
                )
            sizes.add(np.shape(leaf)[axis])
    if len(sizes) != 1:
        found = ", ".join(map(str, sorted(sizes))) or "none"
        raise ShapeError(
            f"vmap({function_name(fun)}): the mapped axes must have one length, found: {found}"
        )
    return int(sizes.pop())


def _first_row(x: Any, axis: int | None) -> Any:
    if axis is None:
        return x
    type_, _ = leaf_type(x)
    shape = [n for i, n in enumerate(type_.shape) if i != axis % len(type_.shape)]
    return np.broadcast_to(np.zeros((), type_.dtype), shape)


# --- compiling ------------------------------------------------------------------------------


class _Entry(NamedTuple):
    compiled: Compiled
    recorded: Recorded


class _Jitted:
    """What `jit` returns."""

    def __init__(
        self,
        fun: Function,
        static: tuple[int, ...],
        donate: tuple[int, ...],
        executor: str | None,
    ) -> None:
        functools.update_wrapper(self, fun)
        self._fun = fun
        self._static = static
        self._donate = donate
        self._executor = executor
        self._entries: dict[Any, _Entry] = {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        dynamic = [a for i, a in enumerate(args) if i not in self._static] if self._static else args
        leaves, structure = tree.flatten((dynamic, kwargs) if kwargs else dynamic)
        if current_trace() is not None and any(isinstance(x, Tracer) for x in leaves):
            recorded = self._record(args, kwargs, leaves)
            outputs = apply(recorded.program, [*leaves, *recorded.captured])
            return tree.unflatten(recorded.structure, outputs)
        key = self._key(args, leaves, structure)
        entry = self._entries.get(key)
        if entry is None:
            entry = self._compile(args, kwargs, leaves)
            if not entry.recorded.captured:
                self._entries[key] = entry
        inputs = [*leaves, *entry.recorded.captured] if entry.recorded.captured else leaves
        if entry.recorded.captured:
            outputs = apply(entry.recorded.program, inputs)
        else:
            types = entry.recorded.program.inputs
            values = [as_value(x, v.type) for x, v in zip(inputs, types, strict=True)]
            if self._donate:
                _protect_shared(values, self._donated_leaves(args))
            outputs = entry.compiled(values)
        return tree.unflatten(entry.recorded.structure, outputs)

    def _key(self, args: Sequence[Any], leaves: Sequence[Any], structure: tree.Structure) -> Any:
        types = tuple((x.shape, x.dtype) if isinstance(x, np.ndarray) else type(x) for x in leaves)
        if not self._static:
            return types, structure, self._executor or config.executor_name()
        static = tuple(args[i] for i in self._static if i < len(args))
        try:
            hash(static)
        except TypeError as fault:
            raise ArgumentError(
                f"{function_name(self._fun)}: a static argument must be hashable, got {static!r}: "
                "use a tuple instead of a list, or do not make an array static"
            ) from fault
        return types, structure, static, self._executor or config.executor_name()

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

    def _compile(self, args: Sequence[Any], kwargs: dict[str, Any], leaves: list[Any]) -> _Entry:
        recorded = self._record(args, kwargs, leaves)
        donated = [] if recorded.captured else self._donated_leaves(args)
        return _Entry(compile_program(recorded.program, self._executor, donated), recorded)

    def _donated_leaves(self, args: Sequence[Any]) -> list[int]:
        positions, offset = [], 0
        for index, argument in enumerate(args):
            if index in self._static:
                continue
            count = len(tree.leaves(argument))
            if index in self._donate:
                positions += range(offset, offset + count)
            offset += count
        return positions


def _protect_shared(values: list[Any], donated: Collection[int]) -> None:
    """Copy donated arrays that are not wholly the caller's to give: views, and shared ones."""
    owners: dict[int, int] = {}
    for value in values:
        owner = getattr(value, "base", None)
        owners[id(value)] = owners.get(id(value), 0) + 1
        if owner is not None:
            owners[id(owner)] = owners.get(id(owner), 0) + 1
    for index in donated:
        value = values[index]
        if isinstance(value, np.ndarray) and (
            not value.flags.writeable or value.base is not None or owners[id(value)] > 1
        ):
            values[index] = value.copy()


def jit(
    fun: Function | None = None,
    *,
    static_argnums: int | Sequence[int] = (),
    donate_argnums: int | Sequence[int] = (),
    executor: str | None = None,
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
        "numpy"; by default the one that `bital.config` says.

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
            jit, static_argnums=static_argnums, donate_argnums=donate_argnums, executor=executor
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
    return _Jitted(fun, static, donate, executor)


def trace(fun: Function, *args: Any, **kwargs: Any) -> Program:
    """The Program that `fun` is for arguments of these types.

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
    recorded = inner._record(args, kwargs, tree.leaves((list(args), kwargs)))
    return recorded.program


# --- stop_gradient, custom_vjp, random bits -------------------------------------------------


def stop_gradient(x: Any) -> Any:
    """x, as a constant to every derivative. Takes any nesting of arrays.

    Examples
    --------
    >>> grad(lambda x: x * stop_gradient(x))(3.0)
    np.float64(3.0)
    """
    return tree.map(
        lambda leaf: bind(stop_gradient_p, leaf) if isinstance(leaf, Tracer) else leaf, x
    )


class custom_vjp:
    """A function with its own backward rule.

    Parameters
    ----------
    fun : callable
        The function: floating arrays -> floating arrays.

    Examples
    --------
    >>> @custom_vjp
    ... def clipped(x):
    ...     return x * 1.0
    >>> def forward(x):
    ...     return clipped(x), None
    >>> def backward(residuals, ct):
    ...     return (np.clip(ct, -1.0, 1.0),)
    >>> clipped.defvjp(forward, backward)
    >>> grad(lambda x: 100.0 * clipped(x))(2.0)
    np.float64(1.0)
    """

    def __init__(self, fun: Function) -> None:
        functools.update_wrapper(self, fun)
        self._fun = fun
        self._rules: tuple[Function, Function] | None = None

    def defvjp(self, forward: Function, backward: Function) -> None:
        """Set the rules.

        Parameters
        ----------
        forward : callable
            ``forward(*args) -> (outputs, residuals)``.
        backward : callable
            ``backward(residuals, cotangents) -> tuple``: a cotangent for each argument, or None for
            zero.
        """
        self._rules = forward, backward

    def __call__(self, *args: Any) -> Any:
        leaves, structure = tree.flatten(args)
        if not any(isinstance(leaf, Tracer) for leaf in leaves):
            return self._fun(*args)
        if self._rules is None:
            raise DifferentiationError(
                f"{function_name(self._fun)} is a custom_vjp without rules; give them with "
                f"{function_name(self._fun)}.defvjp(forward, backward)"
            )
        primal = self._closed(
            self._fun, leaves, lambda new: self._fun(*tree.unflatten(structure, new))
        )
        forward = self._closed(
            self._rules[0],
            leaves,
            lambda new: self._rules[0](*tree.unflatten(structure, new)),  # type: ignore[index]
        )
        backward = self._record_backward(forward, primal, structure, leaves)
        outputs = bind(
            custom_vjp_call,
            *leaves,
            primal=primal.program,
            forward=forward.program,
            backward=backward,
        )
        return tree.unflatten(primal.structure, outputs)

    @staticmethod
    def _closed(fun: Function, leaves: list[Any], call: Callable[[list[Any]], Any]) -> Recorded:
        recorded = record(fun, leaves, call, values_known=False, freeze=True)
        if recorded.captured:
            raise DifferentiationError(
                f"{function_name(fun)} is part of a custom_vjp and closes over a traced value; pass "
                "that value as an argument, so that the backward rule can give it a cotangent"
            )
        return recorded

    def _record_backward(
        self, forward: Recorded, primal: Recorded, structure: tree.Structure, leaves: list[Any]
    ) -> Program:
        """``backward`` as residuals, cotangents -> a cotangent for each leaf of the arguments."""
        rules = self._rules
        assert rules is not None
        name = function_name(rules[0])
        pair = forward.structure
        if (
            pair.kind is not tuple
            or len(pair.children) != 2
            or pair.children[0] != primal.structure
        ):
            raise DifferentiationError(
                f"{name} must return (outputs, residuals) with outputs as in {primal.structure}, it "
                f"returned {pair}"
            )
        count = len(primal.program.outputs)
        types = [*forward.program.output_types[count:], *primal.program.output_types]
        residual_count = len(types) - count
        probes = [np.broadcast_to(np.zeros((), t.dtype), t.shape) for t in types]

        def call(new: list[Any]) -> list[Any]:
            residuals = tree.unflatten(pair.children[1], new[:residual_count])
            cts = tree.unflatten(primal.structure, new[residual_count:])
            results = rules[1](residuals, cts)
            if not isinstance(results, (tuple, list)) or len(results) != len(structure.children):
                raise DifferentiationError(
                    f"{function_name(rules[1])} must return a tuple of {len(structure.children)} "
                    f"cotangents, one for each argument, it returned {results!r:.80}"
                )
            return _cotangent_leaves(function_name(rules[1]), results, structure, leaves)

        return self._closed(rules[1], probes, call).program


def _cotangent_leaves(
    name: str, results: Sequence[Any], structure: tree.Structure, leaves: list[Any]
) -> list[Any]:
    given: list[Any] = []
    rest = iter(leaves)
    for child, result in zip(structure.children, results, strict=True):
        wanted = [next(rest) for _ in range(child.leaf_count)]
        if result is None:
            given += [np.zeros(leaf_type(x)[0].shape, leaf_type(x)[0].dtype) for x in wanted]
            continue
        found, shape = tree.flatten(result)
        if shape != child:
            raise ShapeError(f"{name}: a cotangent has structure {shape}, the argument is {child}")
        for leaf, x in zip(found, wanted, strict=True):
            type_, actual = leaf_type(x)[0], leaf_type(leaf)
            if actual[0].shape != type_.shape:
                raise ShapeError(f"{name}: a cotangent is {actual[0]}, the argument is {type_}")
            given.append(
                leaf if actual[0].dtype == type_.dtype else leaf * np.ones((), type_.dtype)
            )
    return given


def random_bits(key: Any, shape: Sequence[int], dtype: Any = np.uint32, stream: int = 0) -> Any:
    """Random unsigned integers that depend on `key` alone.

    Parameters
    ----------
    key : (2,) uint64
        From `bital.random.key` or `bital.random.split`.
    shape : sequence of int
    dtype : uint32 or uint64
    stream : int
        Another stream of the same key.

    Returns
    -------
    array of `shape` and `dtype`
        Philox-4x64-10 in counter mode (Salmon et al., SC 2011).
    """
    params = {"shape": tuple(shape), "dtype": np.dtype(dtype), "stream": stream}
    if isinstance(key, Tracer):
        return bind(random_bits_p, key, **params)
    return random_bits_p.reference(np.asarray(key, np.uint64), **params)
