"""Cells of recurrent networks: one step, ``output, new_state = cell(inputs, state)``."""

from __future__ import annotations

import re
from collections import namedtuple
from typing import Any

from bital import tree
from bital.tf1 import errors, nn
from bital.tf1.graph import name_scope
from bital.tf1.initializers import Constant
from bital.tf1.operation import Value, Values, convert_to_tensor, operation
from bital.tf1.ops.arrays import concat, split, zeros
from bital.tf1.ops.math import clip_by_value, matmul, sigmoid, tanh
from bital.tf1.shapes import TensorShape
from bital.tf1.variables import get_variable, trainable_variables, variable_scope

LSTMStateTuple = namedtuple("LSTMStateTuple", ("c", "h"))
Stepped = tuple[Any, Any]  # the output and the new state


class RNNCell:
    """Base of cells: subclasses have `state_size`, `output_size` and ``call(inputs, state)``.

    Variables come from `tf.get_variable` in `call`, or from ``build(inputs_shape)``, in a scope
    that is named after the class when the cell is first called; later calls find them again.
    """

    name = reuse = _scope = None

    def __init__(self, trainable=True, name=None, dtype=None, _reuse=None) -> None:
        self.name, self.reuse = name, _reuse

    def __call__(self, inputs: Any, state: Any, scope: Any = None) -> Stepped:
        words = r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])"
        title = self.name or re.sub(words, "_", type(self).__name__).lower()
        inputs, first = convert_to_tensor(inputs), self._scope is None
        where, reuse = (scope, self.reuse) if first else (self._scope, True)
        with variable_scope(where, title, reuse=reuse, dtype=inputs.dtype) as entered:
            self._scope = self._scope or entered
            with name_scope(self._scope.original_name_scope):
                if first:
                    self.build(inputs.shape)
                return self.call(inputs, state)

    def build(self, inputs_shape: Any) -> None:
        """Make variables."""

    add_variable = add_weight = staticmethod(get_variable)
    variables = trainable_variables = weights = trainable_weights = property(
        lambda self: trainable_variables(f"{self._scope.name}/") if self._scope else [],
        doc="What was made when it was first called.",
    )

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        """Zeros in the nesting of `state_size`, each ``(batch_size, size)``."""
        sizes, structure = tree.flatten(self.state_size)
        with name_scope(f"{type(self).__name__}ZeroState"):
            found = [zeros([batch_size, *TensorShape(size)], dtype) for size in sizes]
        return tree.unflatten(structure, found)


@operation("RecurrentLinear")
def _linear(inputs: Values, kernel: Value, bias: Value) -> Value:
    """``concat(inputs) @ kernel + bias``, as a sum, of which what has no state leaves the loop."""
    total, start = bias, 0
    for values in inputs:
        total = values @ kernel[start : start + values.shape[-1]] + total
        start += values.shape[-1]
    return total


def _dense(
    inputs: Any, units: int, activation: Any = None, kernel=None, bias=None, scope=""
) -> Any:
    """A layer with the concatenated inputs; its variables are those of the present scope."""
    lengths = [tensor.shape[-1:].as_list()[0] for tensor in inputs]
    if None in lengths:
        raise ValueError(f"the last lengths of {inputs} must be known, to make a kernel for them")
    kernel = get_variable(f"{scope}kernel", [sum(lengths), units], initializer=kernel)
    bias = get_variable(f"{scope}bias", [units], initializer=bias or Constant(0))
    found = _linear(inputs, kernel, bias)
    return activation(found) if activation else found


class BasicRNNCell(RNNCell):
    """``tanh([x, h] @ kernel + bias)``, which is both the output and the new state."""

    def __init__(self, num_units, activation=None, reuse=None, name=None, dtype=None) -> None:
        super().__init__(name=name, _reuse=reuse)
        self.state_size = self.output_size = int(num_units)
        self.activation = activation or tanh

    def call(self, inputs: Any, state: Any) -> Stepped:
        output = _dense([inputs, state], self.output_size, self.activation)
        return output, output


class GRUCell(BasicRNNCell):
    """A gated recurrent unit (Cho et al., 2014): ``u * h + (1 - u) * tanh([x, r * h] @ ...)``."""

    def __init__(self, num_units, activation=None, reuse=None, kernel_initializer=None,
                 bias_initializer=None, name=None, dtype=None) -> None:  # fmt: skip
        super().__init__(num_units, activation, reuse, name)
        self._start = kernel_initializer, bias_initializer

    def call(self, inputs: Any, state: Any) -> Stepped:
        units, (kernel, bias) = self.output_size, self._start
        gates = _dense([inputs, state], 2 * units, sigmoid, kernel, bias or Constant(1), "gates/")
        r, u = split(gates, 2, axis=1)
        new = _dense([inputs, r * state], units, self.activation, kernel, bias, "candidate/")
        output = u * state + (1 - u) * new
        return output, output


class LSTMCell(RNNCell):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997); its gates are i, j, f, o.

    Optional are peepholes from the cell state to the gates, a projection of the output to
    `num_proj` units, and bounds for both.
    """

    def __init__(self, num_units, use_peepholes=False, cell_clip=None, initializer=None,
                 num_proj=None, proj_clip=None, num_unit_shards=None, num_proj_shards=None,
                 forget_bias=1.0, state_is_tuple=True, activation=None, reuse=None, name=None,
                 dtype=None) -> None:  # fmt: skip
        super().__init__(name=name, _reuse=reuse)
        self.output_size, self._sizes = num_proj or num_units, [num_units, num_proj or num_units]
        self.state_size = LSTMStateTuple(*self._sizes) if state_is_tuple else sum(self._sizes)
        self._projects, self._peeps, self._initializer = num_proj, use_peepholes, initializer
        self._clips, self._forget_bias = (cell_clip, proj_clip), forget_bias
        self.activation = activation or tanh

    def call(self, inputs: Any, state: Any) -> Stepped:
        units, start, tupled = (
            self._sizes[0],
            self._initializer,
            self.state_size != sum(self._sizes),
        )
        c, h = state if tupled else split(state, self._sizes, axis=1)
        i, j, f, o = split(_dense([inputs, h], 4 * units, None, start), 4, axis=1)
        if self._peeps:
            forget, add, out = (
                get_variable(f"w_{g}_diag", [units], initializer=start) for g in "fio"
            )
            f, i = f + forget * c, i + add * c
        c = sigmoid(f + self._forget_bias) * c + sigmoid(i) * self.activation(j)
        c = _clipped(c, self._clips[0])
        h = sigmoid(o + out * c if self._peeps else o) * self.activation(c)
        if self._projects:
            h = matmul(h, get_variable("projection/kernel", self._sizes, initializer=start))
            h = _clipped(h, self._clips[1])
        return h, LSTMStateTuple(c, h) if tupled else concat([c, h], 1)


def _clipped(value: Any, bound: float | None) -> Any:
    return value if bound is None else clip_by_value(value, -bound, bound)


class BasicLSTMCell(LSTMCell):
    """An LSTM cell without the options."""

    def __init__(self, num_units, forget_bias=1.0, state_is_tuple=True, activation=None, reuse=None,
                 name=None, dtype=None) -> None:  # fmt: skip
        options = {"activation": activation, "reuse": reuse, "name": name}
        super().__init__(
            num_units, forget_bias=forget_bias, state_is_tuple=state_is_tuple, **options
        )


class MultiRNNCell(RNNCell):
    """Cells on top of each other; the state is a tuple of theirs."""

    def __init__(self, cells, state_is_tuple=True) -> None:
        self._cells, self._sizes = list(cells), [cell.state_size for cell in cells]
        self.state_size = tuple(self._sizes) if state_is_tuple else sum(self._sizes)
        self.output_size = self._cells[-1].output_size

    def call(self, inputs: Any, state: Any) -> Stepped:
        tupled, found = isinstance(self.state_size, tuple), []
        states = state if tupled else split(state, self._sizes, axis=1)
        for index, (cell, old) in enumerate(zip(self._cells, states, strict=True)):
            with variable_scope(f"cell_{index}"):
                inputs, new = cell(inputs, old)
            found.append(new)
        return inputs, tuple(found) if tupled else concat(found, 1)


class DropoutWrapper(RNNCell):
    """Dropout of a cell's inputs, of its outputs, and of its state but for an LSTM's `c`."""

    def __init__(self, cell, input_keep_prob=1.0, output_keep_prob=1.0, state_keep_prob=1.0,
                 variational_recurrent=False, input_size=None, dtype=None,
                 seed=None) -> None:  # fmt: skip
        if variational_recurrent:
            raise errors.UnimplementedError("DropoutWrapper: variational_recurrent is left out")
        self._cell, self.state_size, self.output_size = cell, cell.state_size, cell.output_size
        self._kept, self._seed = (input_keep_prob, output_keep_prob, state_keep_prob), seed

    def __call__(self, inputs: Any, state: Any, scope: Any = None) -> Stepped:
        output, new = self._cell(self._drop(inputs, 0), state, scope)
        return self._drop(output, 1), self._drop(new, 2)

    def _drop(self, value: Any, place: int) -> Any:
        if isinstance(value, LSTMStateTuple):
            return LSTMStateTuple(value.c, self._drop(value.h, place))
        if isinstance(value, tuple):
            return tuple(self._drop(item, place) for item in value)
        keep_prob, seed = self._kept[place], self._seed
        if isinstance(keep_prob, (int, float)) and keep_prob >= 1:
            return value
        return nn.dropout(value, keep_prob, seed=None if seed is None else seed + place)


class OutputProjectionWrapper(RNNCell):
    """A cell, and a layer that makes `output_size` outputs of the cell's."""

    def __init__(self, cell, output_size, activation=None, reuse=None) -> None:
        super().__init__(_reuse=reuse)
        self._cell, self._activation = cell, activation
        self.state_size, self.output_size = cell.state_size, output_size

    def call(self, inputs: Any, state: Any) -> Stepped:
        output, new = self._cell(inputs, state)
        return _dense([output], self.output_size, self._activation), new


class InputProjectionWrapper(RNNCell):
    """A layer that makes `num_proj` inputs of the given ones, and a cell."""

    def __init__(self, cell, num_proj, activation=None, input_size=None, reuse=None) -> None:
        super().__init__(_reuse=reuse)
        self._cell, self._units, self._activation = cell, num_proj, activation
        self.state_size, self.output_size = cell.state_size, cell.output_size

    def call(self, inputs: Any, state: Any) -> Stepped:
        return self._cell(_dense([inputs], self._units, self._activation), state)


class ResidualWrapper(RNNCell):
    """A cell whose inputs are added to its outputs, or ``residual_fn(inputs, outputs)``."""

    def __init__(self, cell, residual_fn=None) -> None:
        self._cell, self.state_size, self.output_size = cell, cell.state_size, cell.output_size
        self._join = residual_fn or (lambda inputs, outputs: inputs + outputs)

    def __call__(self, inputs: Any, state: Any, scope: Any = None) -> Stepped:
        output, new = self._cell(inputs, state, scope)
        return self._join(inputs, output), new


def DeviceWrapper(cell: RNNCell, device: Any) -> RNNCell:
    """The cell itself: all runs on the CPU."""
    return cell


__all__ = [name for name in globals() if name.endswith(("Cell", "Wrapper", "StateTuple"))]
