"""Branches, loops, and the order of side effects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import bital
from bital import tree
from bital.graphs.dtypes import DType
from bital.graphs.evaluation import Part, ancestors
from bital.graphs.graph import Operation, Probed, Tensor, get_default_graph, probes_of
from bital.graphs.operation import KERNELS, Any_, Anys, Bool, Run, convert_to_tensor, operation


@operation("NoOp")
def no_op() -> None:
    """An operation that does nothing, but for what it depends on."""


@operation("Parameter")
def _parameter() -> None:
    """What stands for an argument of a part of a graph."""


@operation("Identity")
def identity(input: Any_) -> Any_:
    """The tensor itself, under another name."""
    return input


@operation("StopGradient")
def stop_gradient(input: Any_) -> Any_:
    """The tensor itself, through which no gradient flows."""
    return bital.stop_gradient(input)


def group(*inputs: Any, name: str = "group_deps") -> Operation:
    """An operation that is done when all the others are."""
    graph = get_default_graph()
    with graph.control_dependencies(tree.leaves(inputs)):
        return no_op(name=name)


def tuple_(tensors: Any, name: str = "tuple", control_inputs: Any = None) -> list[Any]:
    """The tensors, each to be had only when all are computed."""
    graph = get_default_graph()
    found = [item for item in tensors if item is not None]
    with graph.control_dependencies([*found, *(control_inputs or ())]):
        return [None if item is None else identity(item) for item in tensors]


# --- parts of a graph -----------------------------------------------------------------------


def parameter(dtype: DType, probes: Probed) -> Tensor:
    """A tensor that stands for an argument of a part."""
    return get_default_graph().add("Parameter", (), {}, [(dtype, probes)]).outputs[0]


def part_of(
    function: Callable[..., Any], parameters: Sequence[Tensor], who: str
) -> tuple[Part, Any]:
    """What a function adds to the graph, as a part, and what it returned.

    It may not assign to variables, since it may be run any number of times.
    """
    graph = get_default_graph()
    start = len(graph.get_operations())
    with graph.control_dependencies(None):
        returned = function(*parameters)
        results = [convert_to_tensor(item) for item in tree.leaves(returned)]
    own = {*graph.get_operations()[start:]}
    inside = [op for op in ancestors([t.op for t in results], parameters) if op in own]
    inside = [op for op in inside if op.type not in ("Variable", "Parameter")]
    bad = [op for op in own if KERNELS[op.type].assigns and op.type != "Assign"]
    bad += [op for op in inside if KERNELS[op.type].assigns]
    if bad:
        raise ValueError(
            f"{who}: {bad[0]!r} assigns to a variable inside: let the branch or loop return the "
            "new value, and assign that outside"
        )
    return Part(parameters, inside, results), returned


def cond(
    pred: Any,
    true_fn: Callable[[], Any] | None = None,
    false_fn: Callable[[], Any] | None = None,
    strict: bool = False,
    name: str = "cond",
    fn1: Any = None,
    fn2: Any = None,
) -> Any:
    """What `true_fn` or `false_fn` returns, of which one runs; they return the same nesting."""
    parts = []
    for function in (true_fn or fn1, false_fn or fn2):
        with get_default_graph().name_scope(name):
            parts.append(part_of(function, [], f"tf.cond {name!r}"))
    (true, structure), (false, _) = parts
    kinds = [[(t.dtype, t.shape.ndims) for t in part.results] for part in (true, false)]
    if kinds[0] != kinds[1]:
        raise TypeError(
            f"tf.cond {name!r}: the branches must return tensors of the same dtypes and ranks, got "
            f"{true.results} and {false.results}"
        )
    predicate = convert_to_tensor(pred)
    results = []
    for one, other in zip(true.results, false.results, strict=True):
        same = one.shape == other.shape
        results.append((one.dtype, one.probes if same else None))
    op = get_default_graph().add(
        "Cond",
        [predicate, *dict.fromkeys([*true.captured, *false.captured])],
        {"true": true.described(), "false": false.described()},
        results,
        name,
    )
    op.attributes["_captured"] = len(op.inputs) - 1
    return tree.unflatten(tree.structure(structure), op.outputs)


@operation("Cond")
def _cond(predicate: Bool, captured: Anys, true: Any, false: Any, run: Run) -> Anys:
    return bital.cond(predicate, lambda: run("true"), lambda: run("false"))


def while_loop(
    cond: Callable[..., Any],
    body: Callable[..., Any],
    loop_vars: Any,
    shape_invariants: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    name: str = "while",
    maximum_iterations: int | None = None,
) -> Any:
    """``while cond(*vars): vars = body(*vars)``, and the last vars.

    Shapes must not change from turn to turn. It can be differentiated only in forward mode, since
    how often it turns is not known: use `tf.scan` or `dynamic_rnn` to train through a loop.
    """
    if maximum_iterations is not None:
        inner_cond, inner_body = cond, body
        cond = lambda i, *v: (i < maximum_iterations) & inner_cond(*v)  # noqa: E731
        body = lambda i, *v: [i + 1, *tree.leaves(inner_body(*v))]  # noqa: E731
        found = while_loop(cond, body, [0, *tree.leaves(loop_vars)], name=name)[1:]
        return found[0] if len(found) == 1 else found
    start = [convert_to_tensor(item) for item in tree.leaves(loop_vars)]
    with get_default_graph().name_scope(name):
        parameters = [parameter(tensor.dtype, _without_values(tensor)) for tensor in start]
        shaped = tree.unflatten(tree.structure(loop_vars), parameters)
        shaped = shaped if isinstance(shaped, (list, tuple)) else [shaped]
        condition, _ = part_of(lambda *_: cond(*shaped), parameters, f"tf.while_loop {name!r}")
        turn, _ = part_of(lambda *_: body(*shaped), parameters, f"tf.while_loop {name!r}")
    for before, after in zip(start, turn.results, strict=True):
        if before.dtype != after.dtype or not before.shape.is_compatible_with(after.shape):
            raise ValueError(
                f"tf.while_loop {name!r}: {before!r} becomes {after!r} after one turn: shapes and "
                "dtypes must stay the same"
            )
    captured = list(dict.fromkeys([*condition.captured, *turn.captured]))
    op = get_default_graph().add(
        "While",
        [*start, *captured],
        {
            "_start": len(start),
            "_captured": len(captured),
            "condition": condition.described(),
            "body": turn.described(),
        },
        [(tensor.dtype, _without_values(tensor)) for tensor in start],
        name,
    )
    found = tree.unflatten(tree.structure(loop_vars), op.outputs)
    return found[0] if isinstance(loop_vars, (list, tuple)) and len(loop_vars) == 1 else found


def _without_values(tensor: Tensor) -> Probed:
    return None if tensor.probes is None else probes_of(tensor.shape, tensor.dtype)


@operation("While")
def _while(start: Anys, captured: Anys, condition: Any, body: Any, run: Run) -> Anys:
    def more(state: Any) -> Any:
        return run("condition", *state[1])[0]

    def turn(state: Any) -> Any:
        return state[0] + np.int32(1), run("body", *state[1], turn=state[0])

    return bital.while_loop(more, turn, (np.int32(0), list(start)))[1]
