"""Networks that take a cell from step to step of a sequence."""

from __future__ import annotations

from typing import Any

import numpy as np

import bital
from bital import tree
from bital.tf1.control import parameter, part_of
from bital.tf1.dtypes import as_dtype
from bital.tf1.graph import get_default_graph, probes_of
from bital.tf1.operation import Any_, Anys, Run, convert_to_tensor, operation
from bital.tf1.ops.arrays import concat, shape, transpose, where, zeros_like
from bital.tf1.ops.math import cast, less
from bital.tf1.variables import variable_scope

__all__ = [
    "bidirectional_dynamic_rnn",
    "dynamic_rnn",
    "static_bidirectional_rnn",
    "static_rnn",
]


@operation("Recurrence")
def _loop(sequence: Any_, start: Anys, captured: Anys, step: Any, reverse: bool, run: Run) -> Anys:
    def turn(state: Any, item: Any) -> Any:
        found = run("step", *item, *state, turn=item[0])
        return found[: len(state)], found[len(state) :]

    times = np.arange(sequence.shape[0], dtype=np.int32)
    state, outputs = bital.scan(turn, list(start), (times, sequence), reverse=reverse)
    return [*state, *outputs]


def _start(cell: Any, initial_state: Any, batch: Any, dtype: Any) -> Any:
    """The first state: as it is given, or zeros."""
    if initial_state is None:
        if dtype is None:
            raise ValueError("If there is no initial_state, you must give a dtype.")
        return cell.zero_state(batch, dtype)
    return tree.map(convert_to_tensor, initial_state)


def _step(cell: Any, inputs: Any, state: Any, time: Any, lengths: Any) -> tuple[Any, Any]:
    """The output and the new state: zeros and the old one for sequences that have ended."""
    output, new = cell(inputs, state)
    if lengths is None:
        return output, new
    alive = less(time, cast(lengths, "int32"))
    kept = tree.map(lambda after, before: where(alive, after, before), new, state)
    return where(alive, output, zeros_like(output)), kept


def _dynamic(cell, inputs, lengths, state, dtype, time_major, reverse=False) -> tuple[Any, Any]:
    inputs = convert_to_tensor(inputs)
    ndims = inputs.shape.ndims
    if ndims is None or ndims < 3 or inputs.shape[-1].value is None:
        raise ValueError(f"inputs must be (batch, time, depth) of known depth, got {inputs!r}")
    swapped = [1, 0, *range(2, ndims)]
    sequence = inputs if time_major else transpose(inputs, swapped)
    state = _start(cell, state, shape(sequence)[1], dtype)
    start, structure = tree.flatten(state)
    whole = probes_of(sequence.shape[1:], sequence.dtype)
    kinds = [(as_dtype("int32"), probes_of((), "int32")), (sequence.dtype, whole)]
    kinds += [(tensor.dtype, probes_of(tensor.shape, tensor.dtype)) for tensor in start]

    def step(time: Any, item: Any, *states: Any) -> Any:
        output, new = _step(cell, item, tree.unflatten(structure, states), time, lengths)
        return [*tree.leaves(new), output]

    part, _ = part_of(step, [parameter(*kind) for kind in kinds], "tf.nn.dynamic_rnn")
    *states, output = part.results
    for before, after in zip(start, states, strict=True):
        if before.dtype != after.dtype or not before.shape.is_compatible_with(after.shape):
            raise ValueError(
                f"the cell makes {after!r} of the state {before!r}: they must be alike"
            )
    time = sequence.shape[:1]
    results = [(tensor.dtype, probes_of(tensor.shape, tensor.dtype)) for tensor in states]
    results.append((output.dtype, probes_of(time.concatenate(output.shape), output.dtype)))
    given, attributes = [sequence, *start, *part.captured], {"reverse": reverse}
    attributes |= {"_start": len(start), "_captured": len(part.captured), "step": part.described()}
    *states, outputs = get_default_graph().add("Recurrence", given, attributes, results).outputs
    if not time_major:
        outputs = transpose(outputs, [1, 0, *range(2, outputs.shape.ndims)])
    return outputs, tree.unflatten(structure, states)


def dynamic_rnn(cell, inputs, sequence_length=None, initial_state=None, dtype=None,
                parallel_iterations=None, swap_memory=False, time_major=False,
                scope=None) -> tuple[Any, Any]:  # fmt: skip
    """Outputs ``(batch, time, units)`` and the last state of a cell that goes along a sequence.

    `inputs` are ``(batch, time, depth)``, or ``(time, batch, depth)`` if `time_major`. The step is
    compiled once. After a sequence's `sequence_length` outputs are 0 and its state stays.
    """
    with variable_scope(scope or "rnn"):
        return _dynamic(cell, inputs, sequence_length, initial_state, dtype, time_major)


def bidirectional_dynamic_rnn(cell_fw, cell_bw, inputs, sequence_length=None, initial_state_fw=None,
                              initial_state_bw=None, dtype=None, parallel_iterations=None,
                              swap_memory=False, time_major=False, scope=None) -> Any:  # fmt: skip
    """`dynamic_rnn` of two cells, the second from the end: (outputs, outputs), (state, state)."""
    options, found = (inputs, sequence_length), []
    with variable_scope(scope or "bidirectional_rnn"):
        for way, cell, state in (
            ("fw", cell_fw, initial_state_fw),
            ("bw", cell_bw, initial_state_bw),
        ):
            with variable_scope(way):
                found.append(_dynamic(cell, *options, state, dtype, time_major, way == "bw"))
    return tuple(zip(*found, strict=True))


def static_rnn(cell, inputs, initial_state=None, dtype=None, sequence_length=None,
               scope=None, _reverse=False) -> tuple[list[Any], Any]:  # fmt: skip
    """A list of outputs and the last state for a list of inputs, ``(batch, depth)`` each."""
    if not isinstance(inputs, (list, tuple)) or not inputs:
        raise TypeError("inputs must be a list of tensors, one for each step: tf.unstack makes it")
    with variable_scope(scope or "rnn"):
        inputs = [convert_to_tensor(item) for item in inputs]
        state = _start(cell, initial_state, shape(inputs[0])[0], dtype)
        outputs: list[Any] = [None] * len(inputs)
        for time in range(len(inputs))[:: -1 if _reverse else 1]:
            outputs[time], state = _step(cell, inputs[time], state, time, sequence_length)
    return outputs, state


def static_bidirectional_rnn(cell_fw, cell_bw, inputs, initial_state_fw=None, initial_state_bw=None,
                             dtype=None, sequence_length=None, scope=None) -> Any:  # fmt: skip
    """`static_rnn` of two cells, the second one from the end: joined outputs, and both states."""
    with variable_scope(scope or "bidirectional_rnn"):
        first = static_rnn(cell_fw, inputs, initial_state_fw, dtype, sequence_length, "fw")
        last = static_rnn(cell_bw, inputs, initial_state_bw, dtype, sequence_length, "bw", True)
    return [concat(pair, 1) for pair in zip(first[0], last[0], strict=True)], first[1], last[1]
