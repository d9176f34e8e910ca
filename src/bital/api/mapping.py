"""vmap: a function over an axis of its arguments."""

from __future__ import annotations

import functools
import operator
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
from bital.errors import ArgumentError, ShapeError
from bital.primitives.inner import depends
from bital.transforms import batch

Function = Callable[..., Any]
Axis = int | None


def vmap(
    fun: Function, in_axes: Any = 0, out_axes: Any = 0, axis_size: int | None = None
) -> Function:
    """`fun` mapped over an axis of its arguments, as one vectorised computation.

    Parameters
    ----------
    fun : callable
    in_axes : int, None, or a tuple or list with an entry for each positional argument, default 0
        The axis to map over, counted from the end where it is negative; None: the same value for
        all. The entry of an argument that is a container is one axis for all of its leaves, or a
        container of the same structure, down to where one axis holds for all that is below.
        Keyword arguments are mapped over axis 0.
    out_axes : int, None, or a nesting of these, default 0
        Where the new axis stands in the outputs; as with `in_axes`, one for all or a container as
        `fun` returns it. None: the output does not depend on what is mapped, and comes once.
    axis_size : int, optional
        The length of the mapped axes. Needed only where nothing is mapped.

    Returns
    -------
    callable
        Takes `fun`'s arguments with one axis more where they are mapped, and returns its results
        with one axis more.

    Raises
    ------
    ShapeError
        Where lengths differ, nothing is mapped, an array lacks the axis, an axis stands for a
        container of another structure, or an output with ``out_axes=None`` depends on what is
        mapped.
    ArgumentError
        Where an axis is not an int or None.

    Examples
    --------
    >>> vmap(np.dot)(np.ones((3, 2)), np.ones((3, 2)))
    array([2., 2., 2.])
    >>> layer = lambda p, x: x @ p["W"] + p["b"]
    >>> ensemble = vmap(layer, in_axes=({"W": 0, "b": None}, None), out_axes=-1)
    >>> ensemble({"W": np.ones((5, 2, 3)), "b": np.zeros(3)}, np.ones(2)).shape
    (3, 5)
    """
    if not callable(fun):
        raise ArgumentError(f"bital.vmap takes a function, got {type(fun).__name__}: {fun!r:.60}")
    for name, axes in (("in_axes", in_axes), ("out_axes", out_axes)):
        _check_axes(name, axes)
    name = f"vmap({function_name(fun)})"

    @functools.wraps(fun)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        check_leaves(fun, "argument ", args)
        check_leaves(fun, "keyword argument ", kwargs)
        leaves, structure = tree.flatten((args, kwargs))
        of_args, of_kwargs = structure.children
        axes = tuple(in_axes) if isinstance(in_axes, list) else in_axes
        if isinstance(axes, tuple) and len(axes) != len(args):
            raise ShapeError(
                f"{name}: in_axes={in_axes} has {len(axes)} entries for {len(args)} arguments"
            )
        of_leaf = _spread(name, "in_axes", axes, of_args) + [0] * of_kwargs.leaf_count
        size = _mapped_size(name, (args, kwargs), of_leaf, axis_size)
        rows = [_first_row(x, axis) for x, axis in zip(leaves, of_leaf, strict=True)]

        def call(new: list[Any]) -> Any:
            new_args, new_kwargs = tree.unflatten(structure, new)
            return fun(*new_args, **new_kwargs)

        names = argument_names(fun, args)
        recorded = record(fun, rows, call, names=names, values_known=False, freeze=False)
        mapped = [axis is not None for axis in of_leaf] + [False] * len(recorded.captured)
        moves = depends(recorded.program, mapped)
        targets = _output_axes(name, out_axes, recorded.structure, recorded.program, moves)
        wanted = [axis is not None for axis in targets]
        program = batch(recorded.program, size, mapped, wanted)
        moved = [
            np.moveaxis(x, axis, 0) if axis else x for x, axis in zip(leaves, of_leaf, strict=True)
        ]
        results = [
            np.moveaxis(x, 0, axis) if axis else x
            for x, axis in zip(apply(program, [*moved, *recorded.captured]), targets, strict=True)
        ]
        return tree.unflatten(recorded.structure, results)

    return wrapped


def _is_axis(value: Any) -> bool:
    return value is None or (isinstance(value, (int, np.integer)) and not isinstance(value, bool))


def _check_axes(name: str, axes: Any) -> None:
    for path, axis in tree.flatten_with_path(axes):
        if not _is_axis(axis):
            raise ArgumentError(
                f"vmap: {name}{path} is {axis!r:.60}; an axis is an int, or None for what is not "
                "mapped, or a container of these"
            )


def _spread(name: str, what: str, axes: Any, structure: tree.Structure) -> list[Axis]:
    """An axis for each leaf of a structure, from a tree that may stop before its leaves."""
    if _is_axis(axes):
        return [axes] * structure.leaf_count
    keys = tuple(sorted(axes)) if isinstance(axes, dict) else ()
    kind: Any = structure.kind or ()
    found = isinstance(axes, kind) and (keys, len(axes))
    if found != (structure.keys, len(structure.children)):
        raise ShapeError(
            f"{name}: {what}={axes!r:.80} does not fit {structure}; it must be one axis for the "
            "whole, or a container of the same kind, length and keys"
        )
    spread: list[Axis] = []
    for key, child in zip(keys or range(len(axes)), structure.children, strict=True):
        spread += _spread(name, f"{what}[{key!r}]", axes[key], child)
    return spread


def _mapped_size(name: str, arguments: Any, axes: Sequence[Axis], given: int | None) -> int:
    """The one length of all mapped axes."""
    args, kwargs = arguments
    labelled = [(f"argument {path}", x) for path, x in tree.flatten_with_path(args)]
    labelled += [(f"keyword argument {path}", x) for path, x in tree.flatten_with_path(kwargs)]
    sizes = {} if given is None else {"axis_size": operator.index(given)}
    for (label, leaf), axis in zip(labelled, axes, strict=True):
        if axis is None:
            continue
        shape = np.shape(leaf)
        if not -len(shape) <= axis < len(shape):
            raise ShapeError(
                f"{name}: {label} has shape {shape} and no axis {axis} to map over; "
                "in_axes=None leaves it as it is"
            )
        sizes[f"{label} of shape {shape} along axis {axis}"] = int(shape[axis])
    if not sizes:
        raise ShapeError(
            f"{name}: no argument is mapped, so nothing says how often; map one (in_axes=0), or "
            "give axis_size="
        )
    if len(set(sizes.values())) > 1 or min(sizes.values()) < 0:
        found = "; ".join(f"{label}: {size}" for label, size in sizes.items())
        raise ShapeError(f"{name}: the mapped axes must have one length, found {found}")
    return next(iter(sizes.values()))


def _output_axes(
    name: str, out_axes: Any, structure: tree.Structure, program: Any, moves: Sequence[bool]
) -> list[Axis]:
    """Where the axis stands in each output."""
    axes = _spread(name, "out_axes", out_axes, structure)
    paths = tree.flatten_with_path(tree.unflatten(structure, range(len(axes))))
    for (path, _), axis, type_, depends_on in zip(
        paths, axes, program.output_types, moves, strict=True
    ):
        if axis is None and depends_on:
            raise ShapeError(
                f"{name}: result{path} has out_axes=None and depends on what is mapped, so it "
                "differs from row to row; give it an axis"
            )
        if axis is not None and not -type_.ndim - 1 <= axis <= type_.ndim:
            raise ShapeError(
                f"{name}: out_axes={axis} for result{path}, which has {type_.ndim + 1} axes with "
                "the mapped one"
            )
    return axes


def _first_row(x: Any, axis: Axis) -> Any:
    if axis is None:
        return x
    type_, _ = leaf_type(x)
    shape = [n for i, n in enumerate(type_.shape) if i != axis % len(type_.shape)]
    return np.broadcast_to(np.zeros((), type_.dtype), shape)
