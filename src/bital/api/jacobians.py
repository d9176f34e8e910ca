"""Whole derivatives: Jacobians and Hessians."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bital import tree
from bital.api.derivatives import (
    choose,
    grad,
    main_structure,
    record_chosen,
    require_floating,
    unchoose,
)
from bital.api.recording import Recorded, apply, function_name, leaf_type, stable
from bital.errors import DifferentiationError
from bital.primitives.control import custom_vjp_call
from bital.primitives.inner import holds
from bital.primitives.loops import while_loop
from bital.program import ArrayType, Program
from bital.transforms import batch, split
from bital.transforms import jvp as jvp_transform
from bital.transforms import vjp as vjp_transform

Function = Callable[..., Any]


def jacobian(
    fun: Function,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
) -> Function:
    """A function that returns all first derivatives of `fun`, in the cheaper of the two modes.

    Parameters
    ----------
    fun : callable
        Any floating outputs; with `has_aux` a pair ``(outputs, aux)``.
    argnums : int or sequence of int, default 0
        The positional arguments to differentiate: floating arrays or numbers, in any nesting.
    has_aux : bool, default False
        Whether `fun` returns further values that are not differentiated.
    holomorphic : bool, default False
        Whether `fun` is holomorphic, from complex numbers to complex numbers: then the result is
        its complex derivative. Where only the outputs are complex the columns are
        ``df/dx``; where only the arguments are, ``df/dx - i df/dy``, as `grad` gives it.

    Returns
    -------
    callable
        The Jacobian: of the structure of `fun`'s outputs, holding the structure of the arguments,
        of arrays of shape ``output.shape + argument.shape``. With `has_aux` a pair
        ``(Jacobian, aux)``.

    Raises
    ------
    DifferentiationError
        Where an argument or an output is an integer, or both are complex and `fun` is not said to
        be holomorphic.

    Notes
    -----
    Where there are no more inputs than outputs it is computed forward, a column an input, and so
    through a `while_loop`; else, and through a `custom_vjp`, in reverse, a row an output. `jacfwd`
    and `jacrev` are one or the other whatever the shapes.

    Examples
    --------
    >>> jacobian(lambda x: x ** 2)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """
    return _jacobian(fun, argnums, has_aux, holomorphic, None)


def jacfwd(
    fun: Function,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
) -> Function:
    """`jacobian` in forward mode: a pass for each element of the arguments, all at once.

    Examples
    --------
    >>> jacfwd(lambda x: np.stack([x, x ** 2, x ** 3]))(2.0)
    array([ 1.,  4., 12.])
    """
    return _jacobian(fun, argnums, has_aux, holomorphic, True)


def jacrev(
    fun: Function,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
) -> Function:
    """`jacobian` in reverse mode: a backward pass for each element of the outputs, all at once.

    Examples
    --------
    >>> jacrev(lambda x: np.sum(x ** 2))(np.array([1.0, 2.0]))
    array([2., 4.])
    """
    return _jacobian(fun, argnums, has_aux, holomorphic, False)


def hessian(fun: Function, argnums: int | Sequence[int] = 0, has_aux: bool = False) -> Function:
    """A function that returns all second derivatives of a scalar `fun`: forward over reverse.

    Parameters
    ----------
    fun, argnums, has_aux
        As `grad` takes them.

    Returns
    -------
    callable
        The Hessian: the structure of the arguments, holding the structure of the arguments, of
        arrays of shape ``argument.shape + other_argument.shape``.

    Raises
    ------
    DifferentiationError
        As `grad`, and where an argument is complex: second derivatives by x and y of
        ``z = x + iy`` are three real numbers, not a complex one. Pass x and y.

    Examples
    --------
    >>> hessian(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 2.0]))
    array([[4., 2.],
           [2., 0.]])
    """
    slopes = grad(fun, argnums, has_aux)

    @functools.wraps(fun)
    def real_slopes(*args: Any, **kwargs: Any) -> Any:
        found = slopes(*args, **kwargs)
        if _any_complex([leaf_type(x)[0] for x in tree.leaves(found[0] if has_aux else found)]):
            raise DifferentiationError(
                f"the Hessian of {function_name(fun)} by a complex argument is no complex number. "
                "Pass its parts: bital.hessian(lambda x, y: f(x + 1j * y), argnums=(0, 1))"
            )
        return found

    return jacobian(real_slopes, argnums, has_aux)


def _jacobian(
    fun: Function,
    argnums: int | Sequence[int],
    has_aux: bool,
    holomorphic: bool,
    forward: bool | None,
) -> Function:
    @functools.wraps(fun)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        chosen = choose(fun, args, kwargs, argnums)
        require_floating(fun, "argument ", tree.unflatten(chosen.structure, chosen.leaves))
        recorded = record_chosen(fun, chosen)
        main = main_structure(fun, recorded, has_aux)
        inputs = recorded.program.input_types[: len(chosen.leaves)]
        outputs = recorded.program.output_types[: main.leaf_count]
        for type_ in outputs:
            if type_.dtype.kind not in "fc":
                raise DifferentiationError(
                    f"{function_name(fun)} returned {type_}, which has no derivative"
                )
        mode = _is_forward(recorded.program, inputs, outputs) if forward is None else forward
        _check_complex(function_name(fun), inputs, outputs, holomorphic, mode)
        compute = _columns if mode else _rows
        values, blocks = compute(recorded, inputs, outputs, [*chosen.leaves, *recorded.captured])
        rows = [unchoose(chosen.structure, row, argnums) for row in blocks]
        result = tree.unflatten(main, rows)
        return (result, tree.unflatten(recorded.structure, values)[1]) if has_aux else result

    return wrapped


Types = Sequence[ArrayType]


def _is_forward(program: Program, inputs: Types, outputs: Types) -> bool:
    """Whether columns are to be computed: where there are fewer, or no other way."""
    if holds(program.equations, custom_vjp_call):
        return False
    if holds(program.equations, while_loop) or _any_complex(outputs):
        return True
    fewer = sum(type_.size for type_ in inputs) <= sum(type_.size for type_ in outputs)
    return fewer and not _any_complex(inputs)


def _any_complex(types: Types) -> bool:
    return any(type_.dtype.kind == "c" for type_ in types)


def _check_complex(
    name: str, inputs: Types, outputs: Types, holomorphic: bool, forward: bool
) -> None:
    """Refuse what has no Jacobian: of one complex number by another, unless it is holomorphic."""
    shown = f"{', '.join(map(str, inputs))} -> {', '.join(map(str, outputs))}"
    if holomorphic:
        if any(type_.dtype.kind != "c" for type_ in (*inputs, *outputs)):
            raise DifferentiationError(
                f"{name} is {shown}, and a holomorphic function takes and returns complex numbers. "
                "Write it without holomorphic=True, or give it complex arguments"
            )
    elif _any_complex(inputs if forward else outputs):
        mode = "forward mode: take bital.jacrev" if forward else "reverse mode: take bital.jacfwd"
        both = _any_complex(inputs) and _any_complex(outputs)
        raise DifferentiationError(
            f"{name} is {shown}, and has no Jacobian "
            + ("unless it is holomorphic: say holomorphic=True if it is" if both else f"in {mode}")
        )


def _basis(types: Types) -> tuple[int, list[Any]]:
    """For each type an array (n, *shape); row i is 1 at the i-th of all n elements, else 0."""
    total, offset, blocks = sum(type.size for type in types), 0, []
    for type_ in types:
        block = np.zeros((total, type_.size), type_.dtype)
        block[offset : offset + type_.size] = np.eye(type_.size, dtype=type_.dtype)
        blocks.append(block.reshape(total, *type_.shape))
        offset += type_.size
    return total, blocks


Blocks = tuple[list[Any], list[list[Any]]]  # the values of `fun`; of each output a row of blocks


def _columns(recorded: Recorded, inputs: Types, outputs: Types, arguments: list[Any]) -> Blocks:
    program = jvp_transform(stable(recorded.program), recorded.wrt_arguments)
    count = len(recorded.program.outputs)
    total, basis = _basis(inputs)
    mapped = [False] * len(arguments) + [True] * len(inputs)
    wanted = [False] * count + [True] * count
    results = apply(batch(program, total, mapped, wanted), [*arguments, *basis])
    blocks = []
    for slope in results[count : count + len(outputs)]:
        columns, offset, row = np.moveaxis(slope, 0, -1), 0, []
        for type_ in inputs:
            part = columns[..., offset : offset + type_.size]
            row.append(np.reshape(part, (*columns.shape[:-1], *type_.shape))[()])
            offset += type_.size
        blocks.append(row)
    return results[:count], blocks


def _rows(recorded: Recorded, inputs: Types, outputs: Types, arguments: list[Any]) -> Blocks:
    program = stable(recorded.program)
    count = len(program.outputs)
    pulled = [index < len(outputs) for index in range(count)]
    both = vjp_transform(program, recorded.wrt_arguments, pulled)
    forward, backward = split(both, len(program.inputs), count)
    results = apply(forward, arguments)
    values, residuals = results[:count], results[count:]
    total, basis = _basis(outputs)
    mapped = [False] * len(residuals) + [True] * len(outputs)
    cotangents = apply(batch(backward, total, mapped), [*residuals, *basis])
    blocks, offset = [], 0
    for type_ in outputs:
        rows = [ct[offset : offset + type_.size] for ct in cotangents]
        blocks.append(
            [
                np.reshape(row, (*type_.shape, *argument.shape))[()]
                for row, argument in zip(rows, inputs, strict=True)
            ]
        )
        offset += type_.size
    return values, blocks
