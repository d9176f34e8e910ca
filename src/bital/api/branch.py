"""A branch on a value, of which both sides are recorded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bital import tree
from bital.api.control import (
    Function,
    LeafType,
    as_operand,
    closed,
    grown_type,
    probe,
    rank,
    traced_number,
)
from bital.api.recording import (
    Recorded,
    argument_names,
    check_leaves,
    leaf_type,
    record,
    reopened,
)
from bital.errors import TypeMismatchError
from bital.numpy_language import Tracer, bind
from bital.primitives.branch import cond as cond_p
from bital.primitives.elementwise import convert
from bital.program import Builder, Literal, Var, building, inline


def cond(pred: Any, true_fun: Function, false_fun: Function, *operands: Any) -> Any:
    """A branch on a value: ``true_fun(*operands) if pred else false_fun(*operands)``.

    Parameters
    ----------
    pred : bool
        One bool, or a number: true where it is not 0.
    true_fun, false_fun : callable
        Take the operands and return results of one structure, with equal shapes and dtypes.
    *operands : array, number, or any nesting of them

    Returns
    -------
    What the branch returns.

    Raises
    ------
    TypeMismatchError
        Where the branches return different structures, shapes or dtypes, or pred is not one value.

    Notes
    -----
    Where pred is a plain value the branch is simply called; where it is traced both are recorded
    and one of them runs. Under `vmap`, with a pred for each lane, both run and `np.where` chooses:
    a derivative that is infinite in the branch not taken can then give NaN, as with `np.where`.

    Examples
    --------
    >>> f = jit(lambda x: cond(x > 0, np.sqrt, lambda x: 0.0 * x, x))
    >>> f(4.0), f(-4.0)
    (np.float64(2.0), np.float64(-0.0))
    """
    if np.ndim(pred) or tree.structure(pred).kind is not None:
        raise TypeMismatchError(
            f"cond: pred must be one value, got {pred!r:.80}. Join elements with np.any or np.all; "
            "np.where(pred, a, b) chooses for each element"
        )
    if not isinstance(pred, Tracer):
        return true_fun(*operands) if pred else false_fun(*operands)
    leaves, structure = tree.flatten(operands)
    check_leaves(true_fun, "operand ", operands)
    both = [_branch(fun, leaves, structure) for fun in (true_fun, false_fun)]
    types = _common_types(*both)
    if not types:
        return tree.unflatten(both[0].structure, [])
    (true, of_true), (false, of_false) = (
        closed(_with_dtypes(recorded, types)) for recorded in both
    )
    k = len(of_true)
    params = {
        "true_branch": true.replace(
            inputs=[*true.inputs[:k], *(Var(leaf_type(x)[0]) for x in of_false), *true.inputs[k:]]
        ),
        "false_branch": false.replace(
            inputs=[*(Var(leaf_type(x)[0]) for x in of_true), *false.inputs]
        ),
    }
    plain = [as_operand(leaf, leaf_type(leaf)[0]) for leaf in leaves]
    test = pred if pred.dtype == np.bool_ else pred != 0
    outputs = bind(cond_p, test, *of_true, *of_false, *plain, **params)
    results = [reopened(x, weak) for x, (_, weak) in zip(outputs, types, strict=True)]
    return tree.unflatten(both[0].structure, results)


def _branch(fun: Function, leaves: list[Any], structure: tree.Structure) -> Recorded:
    return record(
        fun,
        [probe(*leaf_type(leaf)) for leaf in leaves],
        lambda new: tree.map(traced_number, fun(*tree.unflatten(structure, new))),
        names=argument_names(fun, tree.unflatten(structure, leaves)),
        values_known=False,
        freeze=False,
    )


def _common_types(true: Recorded, false: Recorded) -> list[LeafType]:
    """The types of what a cond returns: numbers of open dtype go by the other branch."""
    if true.structure != false.structure:
        raise TypeMismatchError(
            f"cond: true_fun returns the structure {true.structure} and false_fun "
            f"{false.structure}; the branches must return one structure"
        )
    paths = tree.flatten_with_path(tree.unflatten(true.structure, range(len(true.weak))))
    columns = [zip(each.program.output_types, each.weak, strict=True) for each in (true, false)]
    types = []
    for (path, _), a, b in zip(paths, *columns, strict=True):
        first, second = (a, b) if a[1] is not None else (b, a)  # the first is open, if one is
        if second[1] is not None and rank(first[1]) > rank(second[1]):
            first, second = second, first
        common = grown_type(first, second)
        if common[0] != second[0]:
            same = a[0].shape == b[0].shape
            cure = f".astype(np.{a[0].dtype})" if same else f"np.broadcast_to(..., {a[0].shape})"
            raise TypeMismatchError(
                f"cond: result{path} of true_fun is {a[0]}, of false_fun {b[0]}; the branches must "
                f"return equal shapes and dtypes. Convert one, for example with {cure}"
            )
        types.append(second)
    return types


def _with_dtypes(recorded: Recorded, types: Sequence[LeafType]) -> Recorded:
    """The outputs converted; only numbers of open dtype need it."""
    builder = Builder(recorded.program.name)
    with building(builder):
        inputs = [builder.input(var.type, var.name) for var in recorded.program.inputs]
        outputs = [
            atom
            if atom.type == type_
            else Literal(atom.value, type_.dtype)
            if isinstance(atom, Literal)
            else convert(atom, dtype=type_.dtype)
            for atom, (type_, _) in zip(
                inline(builder, recorded.program, inputs), types, strict=True
            )
        ]
    weak = tuple(weak for _, weak in types)
    program = builder.build(outputs)
    return Recorded(program, recorded.captured, recorded.structure, weak)
