"""vmap: a function over an axis of its arguments."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bital import tree
from bital.api.recording import (
    apply,
    argument_names,
    check_leaves,
    function_name,
    leaf_type,
    record,
)
from bital.errors import ShapeError
from bital.transforms import batch

Function = Callable[..., Any]


def vmap(fun: Function, in_axes: Any = 0, out_axes: int = 0) -> Function:
    """`fun` mapped over an axis of its arguments, as one vectorised computation.

    Parameters
    ----------
    fun : callable
    in_axes : int, None, or a tuple of these, default 0
        For each positional argument the axis to map over, in all of its leaves; None: the same
        argument for all. Keyword arguments are mapped over axis 0.
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
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        axes = in_axes if isinstance(in_axes, (tuple, list)) else (in_axes,) * len(args)
        if len(axes) != len(args):
            raise ShapeError(f"vmap: in_axes={in_axes} does not fit {len(args)} arguments")
        check_leaves(fun, "argument ", args)
        check_leaves(fun, "keyword argument ", kwargs)
        leaves, structure = tree.flatten((args, kwargs))
        of_leaf = [axis for axis, arg in zip(axes, args, strict=True) for _ in tree.leaves(arg)]
        of_leaf += [0] * len(tree.leaves(kwargs))
        size = _mapped_size(fun, leaves, of_leaf)
        rows = [_first_row(x, axis) for x, axis in zip(leaves, of_leaf, strict=True)]

        def call(new: list[Any]) -> Any:
            new_args, new_kwargs = tree.unflatten(structure, new)
            return fun(*new_args, **new_kwargs)

        recorded = record(
            fun,
            rows,
            call,
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
