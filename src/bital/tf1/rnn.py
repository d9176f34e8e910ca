"""Networks that take a cell from step to step of a sequence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import bital
from bital import tree
from bital.tf1.control import parameter, part_of
from bital.tf1.graph import Tensor, get_default_graph, probes_of
from bital.tf1.operation import Anys, Run, convert_to_tensor, operation
from bital.tf1.ops.arrays import concat, shape, transpose, where, zeros_like
from bital.tf1.ops.math import cast, less
from bital.tf1.variables import variable_scope

__all__ = ["bidirectional_dynamic_rnn", "dynamic_rnn", "static_bidirectional_rnn", "static_rnn"]


@operation("Loop")
def _loop(sequences: Anys, start: Anys, captured: Anys, step: Any, reverse: bool, run: Run) -> Anys:
    def turn(state: Any, items: Any) -> Any:
        found = run("step", *items, *state, turn=items[0])
        return found[: len(state)], found[len(state) :]

    times = np.arange(sequences[0].shape[0], dtype=np.int32)
    state, outputs = bital.scan(turn, list(start), (times, *sequences), reverse=reverse)
    return [*state, *outputs]


def loop(
    step: Callable[..., Any], sequences: Sequence[Tensor], start: Any, reverse: bool, title: str
) -> tuple[Any, list[Tensor]]:
    """The last state, and outputs side by side on a first axis, of a part of a graph in a loop.

    ``step(time, slices, state) -> (state, outputs)`` is written, differentiated and compiled once.
    """
    leaves, structure = tree.flatten(tree.map(convert_to_tensor, start))
    time, count = sequences[0].shape[:1], len(sequences)

    def kind(dtype: Any, lengths: Any) -> Any:
        return dtype, probes_of(lengths, dtype)

    def turn(now: Any, *args: Any) -> Any:
        state, outputs = step(now, args[:count], tree.unflatten(structure, args[count:]))
        return [*tree.leaves(state), *outputs]

    kinds = [kind(convert_to_tensor(0).dtype, ())]
    kinds += [kind(tensor.dtype, tensor.shape[1:]) for tensor in sequences]
    kinds += [kind(tensor.dtype, tensor.shape) for tensor in leaves]
    part, _ = part_of(turn, [parameter(*each) for each in kinds], title)
    for old, new in zip(leaves, part.results, strict=False):
        if old.dtype != new.dtype or not old.shape.is_compatible_with(new.shape):
            raise ValueError(f"{title}: the state {old!r} becomes {new!r}: they must be alike")
    results = [kind(tensor.dtype, tensor.shape) for tensor in part.results[: len(leaves)]]
    outputs = part.results[len(leaves) :]
    results += [kind(tensor.dtype, time.concatenate(tensor.shape)) for tensor in outputs]
    attributes = {"step": part.described(), "reverse": reverse}
    inputs = {"_sequences": sequences, "_start": leaves, "_captured": part.captured}
    attributes |= {key: len(tensors) for key, tensors in inputs.items()}
    given = [tensor for tensors in inputs.values() for tensor in tensors]
    found = get_default_graph().add("Loop", given, attributes, results).outputs
    return tree.unflatten(structure, found[: len(leaves)]), list(found[len(leaves) :])


def _start(cell: Any, initial_state: Any, batch: Any, dtype: Any) -> Any:
    if initial_state is None and dtype is None:
        raise ValueError("If there is no initial_state, you must give a dtype.")
    return cell.zero_state(batch, dtype) if initial_state is None else initial_state


def _step(cell: Any, inputs: Any, state: Any, time: Any, lengths: Any) -> tuple[Any, Any]:
    """The new state and the output: the old one, and zeros, for sequences that have ended."""
    output, new = cell(inputs, state)
    if lengths is None:
        return new, output
    alive = less(time, cast(lengths, "int32"))
    kept = tree.map(lambda after, before: where(alive, after, before), new, state)
    return kept, where(alive, output, zeros_like(output))


def _dynamic(cell, inputs, lengths, state, dtype, time_major, reverse=False) -> tuple[Any, Any]:
    def swapped(tensor: Tensor) -> Tensor:
        return tensor if time_major else transpose(tensor, [1, 0, *range(2, len(tensor.shape))])

    x = convert_to_tensor(inputs)
    if x.shape.ndims is None or x.shape.ndims < 3 or x.shape[-1].value is None:
        raise ValueError(f"inputs must be (batch, time, depth) of known depth, got {x!r}")

    def step(time: Any, items: Any, state: Any) -> Any:
        state, output = _step(cell, items[0], state, time, lengths)
        return state, [output]

    x = swapped(x)
    start = _start(cell, state, shape(x)[1], dtype)
    state, (outputs,) = loop(step, [x], start, reverse, "tf.nn.dynamic_rnn")
    return swapped(outputs), state


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
    with variable_scope(scope or "bidirectional_rnn"):
        rest, found = (dtype, time_major), []
        for way, cell, state in (
            ("fw", cell_fw, initial_state_fw),
            ("bw", cell_bw, initial_state_bw),
        ):
            with variable_scope(way):
                found.append(_dynamic(cell, inputs, sequence_length, state, *rest, way == "bw"))
    return tuple(zip(*found, strict=True))


def static_rnn(cell, inputs, initial_state=None, dtype=None, sequence_length=None, scope=None,
               _reverse=False) -> tuple[list[Any], Any]:  # fmt: skip
    """A list of outputs and the last state for a list of inputs, ``(batch, depth)`` each."""
    if not isinstance(inputs, (list, tuple)) or not inputs:
        raise TypeError("inputs must be a list of tensors, one for each step: tf.unstack makes it")
    with variable_scope(scope or "rnn"):
        state = _start(cell, initial_state, shape(inputs[0])[0], dtype)
        outputs: list[Any] = [None] * len(inputs)
        for time in range(len(inputs))[:: -1 if _reverse else 1]:
            state, outputs[time] = _step(cell, inputs[time], state, time, sequence_length)
    return outputs, state


def static_bidirectional_rnn(cell_fw, cell_bw, inputs, initial_state_fw=None, initial_state_bw=None,
                             dtype=None, sequence_length=None, scope=None) -> Any:  # fmt: skip
    """`static_rnn` of two cells, the second one from the end: joined outputs, and both states."""
    with variable_scope(scope or "bidirectional_rnn"):
        first = static_rnn(cell_fw, inputs, initial_state_fw, dtype, sequence_length, "fw")
        last = static_rnn(cell_bw, inputs, initial_state_bw, dtype, sequence_length, "bw", True)
    return [concat(pair, 1) for pair in zip(first[0], last[0], strict=True)], first[1], last[1]
