"""Recurrent networks: cells, ``output, new_state = cell(inputs, state)``, and loops over them."""

from __future__ import annotations

import functools
import re
from collections import namedtuple
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import bital
from bital import tree
from bital.graphs.control import parameter, part_of
from bital.graphs.dtypes import as_dtype
from bital.graphs.graph import Tensor, get_default_graph, name_scope, probes_of
from bital.graphs.operation import Anys, Run, Value, Values, convert_to_tensor, operation
from bital.graphs.shapes import TensorShape
from bital.tf1 import nn
from bital.tf1.initializers import Constant
from bital.tf1.ops.arrays import concat, shape, split, transpose, where, zeros, zeros_like
from bital.tf1.ops.math import cast, clip_by_value, less, matmul, sigmoid, tanh
from bital.tf1.variables import get_variable, trainable_variables, variable_scope

LSTMStateTuple = namedtuple("LSTMStateTuple", ("c", "h"))
Pair = tuple[Any, Any]  # outputs and state


class RNNCell:
    """Base of cells: subclasses have `state_size`, `output_size` and ``call(inputs, state)``.

    Variables come from `tf.get_variable` in `call`, or from ``build(inputs_shape)``, in a scope
    that is named after the class when the cell is first called; later calls find them again.
    """

    name = reuse = _scope = None

    def __init__(self, trainable=True, name=None, dtype=None, _reuse=None) -> None:
        self.name, self.reuse = name, _reuse

    def __call__(self, inputs: Any, state: Any, scope: Any = None) -> Pair:
        words = r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])"
        title = self.name or re.sub(words, "_", type(self).__name__).lower()
        x, first = convert_to_tensor(inputs), self._scope is None
        where, reuse = (scope, self.reuse) if first else (self._scope, True)
        with variable_scope(where, title, reuse=reuse, dtype=x.dtype) as entered:
            self._scope = self._scope or entered
            with name_scope(self._scope.original_name_scope):
                if first:
                    self.build(x.shape)
                return self.call(x, state)

    def build(self, inputs_shape: Any) -> None:
        """Make variables."""

    add_variable = add_weight = staticmethod(get_variable)
    variables = trainable_variables = weights = trainable_weights = property(
        lambda self: trainable_variables(f"{self._scope.name}/") if self._scope else []
    )

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        """Zeros in the nesting of `state_size`, each ``(batch_size, size)``."""
        with name_scope(f"{type(self).__name__}ZeroState"):
            make = lambda size: zeros([batch_size, *TensorShape(size)], dtype)  # noqa: E731
            return tree.map(make, self.state_size)


@operation("RecurrentLinear")
def _linear(inputs: Values, kernel: Value, bias: Value) -> Value:
    """``concat(inputs) @ kernel + bias``, as a sum, of which what has no state leaves the loop."""
    total, start = bias, 0
    for values in inputs:
        total = values @ kernel[start : start + values.shape[-1]] + total
        start += values.shape[-1]
    return total


def _dense(inputs: Any, units: int, activation: Any, scope="", kernel=None, bias=None) -> Any:
    """A layer with the concatenated inputs; its variables are those of the present scope."""
    depth = sum(int(tensor.shape[-1]) for tensor in inputs)
    kernel = get_variable(f"{scope}kernel", [depth, units], initializer=kernel)
    bias = get_variable(f"{scope}bias", [units], initializer=bias or Constant(0))
    found = _linear(inputs, kernel, bias)
    return activation(found) if activation else found


class BasicRNNCell(RNNCell):
    """``tanh([x, h] @ kernel + bias)``, which is both the output and the new state."""

    state_size = output_size = property(lambda self: self.num_units)

    def __init__(self, num_units, activation=None, reuse=None, name=None, dtype=None) -> None:
        vars(self).update(locals())

    def call(self, inputs: Any, state: Any) -> Pair:
        return (_dense([inputs, state], self.num_units, self.activation or tanh),) * 2


class GRUCell(BasicRNNCell):
    """A gated recurrent unit (Cho et al., 2014): ``u * h + (1 - u) * tanh([x, r * h] @ ...)``."""

    def __init__(self, num_units, activation=None, reuse=None, kernel_initializer=None,
                 bias_initializer=None, name=None, dtype=None) -> None:  # fmt: skip
        vars(self).update(locals())

    def call(self, inputs: Any, state: Any) -> Pair:
        units, kernel, bias = self.num_units, self.kernel_initializer, self.bias_initializer
        gates = [inputs, state], 2 * units, sigmoid, "gates/", kernel, bias or Constant(1)
        r, u = split(_dense(*gates), 2, axis=1)
        new = [inputs, r * state], units, self.activation or tanh, "candidate/", kernel, bias
        return (u * state + (1 - u) * _dense(*new),) * 2


class LSTMCell(RNNCell):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997); its gates are i, j, f, o.

    Optional are peepholes from the cell state to the gates, a projection of the output to
    `num_proj` units, and bounds for both.
    """

    output_size = property(lambda self: self.num_proj or self.num_units)
    _sizes = property(lambda self: LSTMStateTuple(self.num_units, self.output_size))
    state_size = property(lambda self: self._sizes if self.state_is_tuple else sum(self._sizes))

    def __init__(self, num_units, use_peepholes=False, cell_clip=None, initializer=None,
                 num_proj=None, proj_clip=None, num_unit_shards=None, num_proj_shards=None,
                 forget_bias=1.0, state_is_tuple=True, activation=None, reuse=None, name=None,
                 dtype=None) -> None:  # fmt: skip
        vars(self).update(locals())

    def call(self, inputs: Any, state: Any) -> Pair:
        units, activation = self.num_units, self.activation or tanh
        make = functools.partial(get_variable, initializer=self.initializer)
        c, h = state if self.state_is_tuple else split(state, [*self._sizes], axis=1)
        gates = _dense([inputs, h], 4 * units, None, "", self.initializer)
        i, j, f, o = split(gates, 4, axis=1)
        if self.use_peepholes:
            w_f, w_i, w_o = (make(f"w_{gate}_diag", [units]) for gate in "fio")
            f, i = f + w_f * c, i + w_i * c
        c = sigmoid(f + self.forget_bias) * c + sigmoid(i) * activation(j)
        c = clip_by_value(c, -self.cell_clip, self.cell_clip) if self.cell_clip else c
        h = sigmoid(o + w_o * c if self.use_peepholes else o) * activation(c)
        if self.num_proj:
            h = matmul(h, make("projection/kernel", [*self._sizes]))
            h = clip_by_value(h, -self.proj_clip, self.proj_clip) if self.proj_clip else h
        return h, LSTMStateTuple(c, h) if self.state_is_tuple else concat([c, h], 1)


class BasicLSTMCell(LSTMCell):
    """An LSTM cell without the options."""

    use_peepholes = cell_clip = initializer = num_proj = None

    def __init__(self, num_units, forget_bias=1.0, state_is_tuple=True, activation=None, reuse=None,
                 name=None, dtype=None) -> None:  # fmt: skip
        vars(self).update(locals())


class MultiRNNCell(RNNCell):
    """Cells on top of each other; the state is a tuple of theirs."""

    output_size = property(lambda self: self.cells[-1].output_size)
    _sizes = property(lambda self: tuple(cell.state_size for cell in self.cells))
    state_size = property(lambda self: self._sizes if self.state_is_tuple else sum(self._sizes))

    def __init__(self, cells, state_is_tuple=True) -> None:
        cells = list(cells)
        vars(self).update(locals())

    def call(self, inputs: Any, state: Any) -> Pair:
        found = [*(state if self.state_is_tuple else split(state, [*self._sizes], axis=1))]
        for index, cell in enumerate(self.cells):
            with variable_scope(f"cell_{index}"):
                inputs, found[index] = cell(inputs, found[index])
        return inputs, tuple(found) if self.state_is_tuple else concat(found, 1)


class DropoutWrapper(RNNCell):
    """Dropout of a cell's inputs, of its outputs, and of its state but for an LSTM's `c`."""

    state_size = property(lambda self: self.cell.state_size)
    output_size = property(lambda self: self.cell.output_size)

    def __init__(self, cell, input_keep_prob=1.0, output_keep_prob=1.0, state_keep_prob=1.0,
                 *, seed=None) -> None:  # fmt: skip
        vars(self).update(locals())

    def __call__(self, inputs: Any, state: Any, scope: Any = None) -> Pair:
        output, new = self.cell(self._kept(inputs, self.input_keep_prob, 0), state, scope)
        new = self._kept(new, self.state_keep_prob, 2)
        return self._kept(output, self.output_keep_prob, 1), new

    def _kept(self, value: Any, share: Any, salt: int) -> Any:
        if isinstance(share, (int, float)) and share >= 1:
            return value
        if isinstance(value, LSTMStateTuple):
            return LSTMStateTuple(value.c, self._kept(value.h, share, salt))
        if isinstance(value, tuple):
            return tuple(self._kept(item, share, salt) for item in value)
        return nn.dropout(value, share, seed=None if self.seed is None else self.seed + salt)


class OutputProjectionWrapper(RNNCell):
    """A cell, and a layer that makes `output_size` outputs of the cell's."""

    state_size = property(lambda self: self.cell.state_size)

    def __init__(self, cell, output_size, activation=None, reuse=None) -> None:
        vars(self).update(locals())

    def call(self, inputs: Any, state: Any) -> Pair:
        output, new = self.cell(inputs, state)
        return _dense([output], self.output_size, self.activation), new


# --- loops


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
    count, length = len(sequences), sequences[0].shape[:1]

    def turn(now: Any, *args: Any) -> Any:
        state, outputs = step(now, args[:count], tree.unflatten(structure, args[count:]))
        return [*tree.leaves(state), *outputs]

    like = lambda x, lengths: (x.dtype, probes_of(lengths, x.dtype))  # noqa: E731
    kinds = [(as_dtype("int32"), probes_of((), "int32"))]
    kinds += [like(x, x.shape[1:]) for x in sequences] + [like(x, x.shape) for x in leaves]
    part, _ = part_of(turn, [parameter(*kind) for kind in kinds], title)
    for old, new in zip(leaves, part.results, strict=False):
        if old.dtype != new.dtype or not old.shape.is_compatible_with(new.shape):
            raise ValueError(f"{title}: the state {old!r} becomes {new!r}: they must be alike")
    kinds = [like(x, x.shape) for x in part.results[: len(leaves)]]
    kinds += [like(x, length.concatenate(x.shape)) for x in part.results[len(leaves) :]]
    attributes = {"_sequences": count, "_start": len(leaves), "_captured": len(part.captured)}
    attributes |= {"step": part.described(), "reverse": reverse}
    given = [*sequences, *leaves, *part.captured]
    found = get_default_graph().add("Loop", given, attributes, kinds).outputs
    return tree.unflatten(structure, found[: len(leaves)]), list(found[len(leaves) :])


def _start(cell: Any, initial_state: Any, batch: Any, dtype: Any) -> Any:
    if initial_state is None and dtype is None:
        raise ValueError("If there is no initial_state, you must give a dtype.")
    return cell.zero_state(batch, dtype) if initial_state is None else initial_state


def _step(cell: Any, inputs: Any, state: Any, time: Any, lengths: Any) -> tuple[Any, list[Any]]:
    """The new state and the output: the old one, and zeros, for sequences that have ended."""
    output, new = cell(inputs, state)
    if lengths is None:
        return new, [output]
    alive = less(time, cast(lengths, "int32"))
    kept = tree.map(lambda after, before: where(alive, after, before), new, state)
    return kept, [where(alive, output, zeros_like(output))]


def dynamic_rnn(cell, inputs, sequence_length=None, initial_state=None, dtype=None,
                parallel_iterations=None, swap_memory=False, time_major=False, scope="rnn",
                _reverse=False) -> Pair:  # fmt: skip
    """Outputs ``(batch, time, units)`` and the last state of a cell that goes along a sequence.

    `inputs` are ``(batch, time, depth)``, or ``(time, batch, depth)`` if `time_major`. The step is
    compiled once. After a sequence's `sequence_length` outputs are 0 and its state stays.
    """

    def swapped(x: Tensor) -> Tensor:
        return x if time_major else transpose(x, [1, 0, *range(2, len(x.shape))])

    def step(time: Any, items: Any, state: Any) -> Any:
        return _step(cell, items[0], state, time, sequence_length)

    with variable_scope(scope or "rnn"):
        x = convert_to_tensor(inputs)
        if len(x.shape) < 3:
            raise ValueError(f"inputs must be (batch, time, depth), got {x!r}")
        x = swapped(x)
        start = _start(cell, initial_state, shape(x)[1], dtype)
        state, (outputs,) = loop(step, [x], start, _reverse, "tf.nn.dynamic_rnn")
        return swapped(outputs), state


def bidirectional_dynamic_rnn(cell_fw, cell_bw, inputs, sequence_length=None, initial_state_fw=None,
                              initial_state_bw=None, dtype=None, parallel_iterations=None,
                              swap_memory=False, time_major=False, scope=None) -> Any:  # fmt: skip
    """`dynamic_rnn` of two cells, the second from the end: (outputs, outputs), (state, state)."""
    with variable_scope(scope or "bidirectional_rnn"):
        own = dtype, None, False, time_major
        first = dynamic_rnn(cell_fw, inputs, sequence_length, initial_state_fw, *own, "fw")
        last = dynamic_rnn(cell_bw, inputs, sequence_length, initial_state_bw, *own, "bw", True)
    return tuple(zip(first, last, strict=True))


def static_rnn(cell, inputs, initial_state=None, dtype=None, sequence_length=None,
               scope=None) -> tuple[list[Any], Any]:  # fmt: skip
    """A list of outputs and the last state for a list of inputs, ``(batch, depth)`` each."""
    if not isinstance(inputs, (list, tuple)) or not inputs:
        raise TypeError("inputs must be a list of tensors, one for each step: tf.unstack makes it")
    outputs: list[Any] = []
    with variable_scope(scope or "rnn"):
        state = _start(cell, initial_state, shape(inputs[0])[0], dtype)
        for time, item in enumerate(inputs):
            state, output = _step(cell, item, state, time, sequence_length)
            outputs += output
    return outputs, state


__all__ = [name for name in globals() if name.endswith(("Cell", "Wrapper", "StateTuple", "_rnn"))]
