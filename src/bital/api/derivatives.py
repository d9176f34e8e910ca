"""Derivatives: gradients, products with Jacobians."""

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
from bital.program import ArrayType, Program
from bital.transforms import jvp as jvp_transform
from bital.transforms import linearize as linearize_transform
from bital.transforms import split
from bital.transforms import vjp as vjp_transform

Function = Callable[..., Any]

# --- choosing arguments ---------------------------------------------------------------------


_PLAIN = frozenset({np.dtype(np.float64), np.dtype(np.float32)})  # as nearly always


class Chosen(NamedTuple):
    """The arguments to differentiate, as leaves, and how to call the function with others."""

    leaves: list[Any]
    structure: tree.Structure  # of the chosen arguments, as a tuple
    call: Callable[[list[Any]], Any]
    names: list[str | None]


def choose(fun: Function, args: Sequence[Any], kwargs: dict[str, Any], argnums: Any) -> Chosen:
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
    return Chosen(leaves, structure, call, [name for names in all_names for name in names])


def require_floating(fun: Function, what: str, argument: Any) -> None:
    if all(type(x) is np.ndarray and x.dtype in _PLAIN for x in tree.leaves(argument)):
        return
    check_leaves(fun, what, argument)
    for path, leaf in tree.flatten_with_path(argument):
        type_, _ = leaf_type(leaf)
        if not type_.is_inexact:
            raise DifferentiationError(
                f"{function_name(fun)}: {what}{path} is {type_.dtype} ({leaf!r:.60}), and a "
                "derivative needs floating-point or complex numbers. Write 3.0 instead of 3, or "
                "x.astype(np.float64)"
            )


def record_chosen(fun: Function, chosen: Chosen) -> Recorded:
    return record(
        fun, chosen.leaves, chosen.call, names=chosen.names, values_known=True, freeze=False
    )


def unchoose(structure: tree.Structure, leaves: list[Any], argnums: Any) -> Any:
    values = tree.unflatten(structure, leaves)
    return values[0] if isinstance(argnums, int) else values


def main_structure(fun: Function, recorded: Recorded, has_aux: bool) -> tree.Structure:
    """The structure of what is differentiated, in front of aux where there is one."""
    structure = recorded.structure
    if not has_aux:
        return structure
    if structure.kind is not tuple or len(structure.children) != 2:
        raise DifferentiationError(
            f"{function_name(fun)} with has_aux=True must return a pair (value, aux), it returned "
            f"{structure}"
        )
    return structure.children[0]


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
        The positional arguments to differentiate: floating or complex arrays or numbers, in any
        nesting of tuples, lists and dicts.
    has_aux : bool, default False
        Whether `fun` returns further values that are not differentiated.

    Returns
    -------
    callable
        ``(value, gradient)``, or ``((value, aux), gradient)``. The gradient has the structure,
        shapes and dtypes of the arguments. With respect to a complex ``z = x + iy`` it is
        ``df/dx - i df/dy``, as in JAX: its conjugate points uphill.

    Raises
    ------
    DifferentiationError
        Where an argument is neither floating nor complex, or the value is not a floating scalar.

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
        chosen = choose(fun, args, kwargs, argnums)
        require_floating(
            fun,
            "argument ",
            tree.unflatten(chosen.structure, chosen.leaves)[0]
            if isinstance(argnums, int)
            else tree.unflatten(chosen.structure, chosen.leaves),
        )
        recorded = record_chosen(fun, chosen)
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
        return value, unchoose(chosen.structure, results[len(outputs) :], argnums)

    return wrapped


def _require_scalar(fun: Function, recorded: Recorded, has_aux: bool) -> None:
    main = main_structure(fun, recorded, has_aux)
    types = recorded.program.output_types[:1]
    if types and main.kind is None:
        _refuse_complex(fun, types[0])
    if main.kind is not None or types[0].shape or types[0].dtype.kind != "f":
        shown = ", ".join(map(str, recorded.program.output_types)) or "nothing"
        raise DifferentiationError(
            f"a gradient needs a floating scalar, and {function_name(fun)} returned {shown} in "
            f"{main}. Reduce it (np.sum, np.mean), return further values with has_aux=True, or use "
            "bital.jacobian"
        )


def _refuse_complex(fun: Function, type_: ArrayType) -> None:
    if type_.dtype.kind == "c":
        raise DifferentiationError(
            f"{function_name(fun)} returned {type_}, and a gradient is that of a real number. "
            "Return z.real, z.imag, np.abs(z) or np.abs(z) ** 2, whichever is meant; for the "
            "derivative of a holomorphic function write bital.jacobian(f, holomorphic=True)"
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
        Any floating or complex outputs; with `has_aux` a pair ``(outputs, aux)``.
    *primals
        Floating or complex arguments, in any nesting.

    Returns
    -------
    outputs
    pull_back : callable
        ``pull_back(cotangents) -> tuple``, a cotangent for each primal: v -> v^T J. Of complex
        numbers the g with ``Re(g t) = Re(v J t)`` for every tangent t: nothing is conjugated.
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
    require_floating(fun, "primal ", primals)
    chosen = choose(fun, primals, {}, tuple(range(len(primals))))
    recorded = record_chosen(fun, chosen)
    structure, main = recorded.structure, main_structure(fun, recorded, has_aux)
    count, total = main.leaf_count, structure.leaf_count
    floating = [type.is_inexact for type in recorded.program.output_types[:count]]
    pulled = floating + [False] * (total - count)
    program = vjp_transform(stable(recorded.program), recorded.wrt_arguments, pulled)
    forward, backward = split(program, len(recorded.program.inputs), total)
    results = apply(forward, [*chosen.leaves, *recorded.captured])
    outputs, residuals = results[:total], results[total:]
    types = recorded.program.output_types[:count]

    def pull_back(cotangents: Any) -> Any:
        cts = matching(function_name(fun), "cotangent", cotangents, main, types)
        given = [ct for ct, used in zip(cts, floating, strict=True) if used]
        return tree.unflatten(chosen.structure, apply(backward, [*residuals, *given]))

    value = tree.unflatten(structure, outputs)
    return (value[0], pull_back, value[1]) if has_aux else (value, pull_back)


def matching(
    name: str, what: str, values: Any, structure: tree.Structure, types: Sequence[Any]
) -> list[Any]:
    """Leaves of `values`, proved to have this structure and these types."""
    leaves, given = tree.flatten(values)
    if given != structure:
        raise ShapeError(f"{name}: the {what} has structure {given}, needed is {structure}")
    for leaf, type_ in zip(leaves, types, strict=True):
        actual, weak = leaf_type(leaf)
        fits = weak is not None and (weak is not complex or type_.dtype.kind == "c")
        if actual.shape != type_.shape or (actual.dtype != type_.dtype and not fits):
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
        Floating or complex arguments, in any nesting.
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
    require_floating(fun, "primal ", primals)
    chosen = choose(fun, primals, {}, tuple(range(len(primals))))
    recorded = record_chosen(fun, chosen)
    types = recorded.program.input_types[: len(chosen.leaves)]
    moved = matching(function_name(fun), "tangent", tuple(tangents), chosen.structure, types)
    program = jvp_transform(stable(recorded.program), recorded.wrt_arguments)
    results = apply(program, [*chosen.leaves, *recorded.captured, *moved])
    count = len(recorded.program.outputs)
    value = tree.unflatten(recorded.structure, results[:count])
    slope = tree.unflatten(recorded.structure, results[count:])
    return (value[0], slope[0], value[1]) if has_aux else (value, slope)


def linearize(fun: Function, *primals: Any, has_aux: bool = False) -> Any:
    """The value of `fun`, and its derivative at `primals` as a linear function of tangents.

    Parameters
    ----------
    fun : callable
        Any outputs; with `has_aux` a pair ``(outputs, aux)``.
    *primals
        Floating arguments, in any nesting.

    Returns
    -------
    outputs
    push_forward : callable
        ``push_forward(*tangents) -> output tangents``: v -> J v.
    aux
        Only with `has_aux`.

    Raises
    ------
    DifferentiationError, ShapeError

    Notes
    -----
    `fun` itself runs once; what J v needs of it is kept, so that a further v costs the linear part
    alone. For one v, `jvp` does the same and keeps nothing.

    Examples
    --------
    >>> y, push_forward = linearize(np.sin, 0.0)
    >>> push_forward(2.0), push_forward(3.0)
    (np.float64(2.0), np.float64(3.0))
    """
    require_floating(fun, "primal ", primals)
    chosen = choose(fun, primals, {}, tuple(range(len(primals))))
    recorded = record_chosen(fun, chosen)
    main = main_structure(fun, recorded, has_aux)
    program = stable(recorded.program)
    forward, linear = linearize_transform(program, recorded.wrt_arguments, main.leaf_count)
    results = apply(forward, [*chosen.leaves, *recorded.captured])
    total = recorded.structure.leaf_count
    types, residuals = program.input_types[: len(chosen.leaves)], results[total:]

    def push_forward(*tangents: Any) -> Any:
        moved = matching(function_name(fun), "tangent", tangents, chosen.structure, types)
        return tree.unflatten(main, apply(linear, [*residuals, *moved]))

    value = tree.unflatten(recorded.structure, results[:total])
    return (value[0], push_forward, value[1]) if has_aux else (value, push_forward)
