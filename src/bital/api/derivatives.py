"""Derivatives: gradients, products with Jacobians, whole Jacobians and Hessians."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from bital import tree
from bital.api.recording import (
    Recorded,
    apply,
    apply_transformed,
    argument_names,
    check_leaves,
    function_name,
    leaf_type,
    record,
    stable,
    with_literals,
)
from bital.errors import ArgumentError, DifferentiationError, ShapeError
from bital.primitives.control import custom_vjp_call
from bital.primitives.inner import holds
from bital.primitives.loops import while_loop
from bital.program import Program
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
    positions = tuple(argnums) if isinstance(argnums, (tuple, list)) else (argnums,)
    for position in positions:
        if not isinstance(position, int) or not -len(args) <= position < len(args):
            raise ArgumentError(
                f"argnums={argnums} asks for argument {position} of {function_name(fun)}, "
                f"which was called with {len(args)} positional arguments"
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
        wrt = recorded.wrt_arguments

        def transform() -> Program:
            both = vjp_transform(stable(recorded.program), wrt, pulled)
            return with_literals(both, {len(wrt): 1})

        arguments = [*chosen.leaves, *recorded.captured]
        name = ("value_and_grad", len(chosen.leaves))
        results = apply_transformed(recorded.program, name, transform, arguments)
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
    program = vjp_transform(stable(recorded.program), recorded.wrt_arguments, pulled)
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
    program = jvp_transform(stable(recorded.program), recorded.wrt_arguments)
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
    it is computed forward, a column an input, and so through a `while_loop`; else, and through a
    `custom_vjp`, in reverse, a row an output.

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
        if _is_forward(program, sum(type_.size for type_ in inputs)):
            blocks = _columns(recorded, inputs, arguments)
        else:
            blocks = _rows(recorded, inputs, arguments)
        rows = [_unchoose(chosen.structure, row, argnums) for row in blocks]
        return tree.unflatten(recorded.structure, rows)

    return wrapped


def _is_forward(program: Program, inputs: int) -> bool:
    """Whether columns are to be computed: where there are fewer, or no other way."""
    if holds(program.equations, custom_vjp_call):
        return False
    fewer = inputs <= sum(type_.size for type_ in program.output_types)
    return fewer or holds(program.equations, while_loop)


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
    program = jvp_transform(stable(recorded.program), recorded.wrt_arguments)
    total, basis = _basis(inputs)
    mapped = [False] * len(arguments) + [True] * len(inputs)
    results = apply(batch(program, total, mapped), [*arguments, *basis])
    blocks = []
    for slope in results[len(recorded.program.outputs) :]:
        columns, offset, row = np.moveaxis(slope, 0, -1), 0, []
        for type_ in inputs:
            part = columns[..., offset : offset + type_.size]
            row.append(np.reshape(part, (*columns.shape[:-1], *type_.shape))[()])
            offset += type_.size
        blocks.append(row)
    return blocks


def _rows(recorded: Recorded, inputs: Sequence[Any], arguments: list[Any]) -> list[list[Any]]:
    program = stable(recorded.program)
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
                np.reshape(row, (*type_.shape, *argument.shape))[()]
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
