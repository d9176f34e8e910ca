"""Cells of recurrent networks: one step, ``output, new_state = cell(inputs, state)``."""

from __future__ import annotations

import re
from collections import namedtuple
from typing import Any

from bital import tree
from bital.tf1 import nn
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

    def call(self, inputs: Any, state: Any) -> Stepped:
        output = _dense([inputs, state], self.num_units, self.activation or tanh)
        return output, output


class GRUCell(BasicRNNCell):
    """A gated recurrent unit (Cho et al., 2014): ``u * h + (1 - u) * tanh([x, r * h] @ ...)``."""

    def __init__(self, num_units, activation=None, reuse=None, kernel_initializer=None,
                 bias_initializer=None, name=None, dtype=None) -> None:  # fmt: skip
        vars(self).update(locals())

    def call(self, inputs: Any, state: Any) -> Stepped:
        units, kernel, bias = self.num_units, self.kernel_initializer, self.bias_initializer
        starts = kernel, bias or Constant(1)
        r, u = split(_dense([inputs, state], 2 * units, sigmoid, "gates/", *starts), 2, axis=1)
        own = self.activation or tanh, "candidate/", kernel, bias
        output = u * state + (1 - u) * _dense([inputs, r * state], units, *own)
        return output, output


class LSTMCell(RNNCell):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997); its gates are i, j, f, o.

    Optional are peepholes from the cell state to the gates, a projection of the output to
    `num_proj` units, and bounds for both.
    """

    output_size = property(lambda self: self.num_proj or self.num_units)
    _sizes = property(lambda self: [self.num_units, self.output_size])

    def __init__(self, num_units, use_peepholes=False, cell_clip=None, initializer=None,
                 num_proj=None, proj_clip=None, num_unit_shards=None, num_proj_shards=None,
                 forget_bias=1.0, state_is_tuple=True, activation=None, reuse=None, name=None,
                 dtype=None) -> None:  # fmt: skip
        vars(self).update(locals())

    @property
    def state_size(self) -> Any:
        """The number of units, and of outputs."""
        return LSTMStateTuple(*self._sizes) if self.state_is_tuple else sum(self._sizes)

    def call(self, inputs: Any, state: Any) -> Stepped:
        units, start, activation = self.num_units, self.initializer, self.activation or tanh
        c, h = state if self.state_is_tuple else split(state, self._sizes, axis=1)
        i, j, f, o = split(_dense([inputs, h], 4 * units, None, "", start), 4, axis=1)
        if self.use_peepholes:
            make = lambda gate: get_variable(f"w_{gate}_diag", [units], initializer=start)  # noqa: E731
            f, i, peephole = f + make("f") * c, i + make("i") * c, make("o")
        c = sigmoid(f + self.forget_bias) * c + sigmoid(i) * activation(j)
        c = _clipped(c, self.cell_clip)
        h = sigmoid(o + peephole * c if self.use_peepholes else o) * activation(c)
        if self.num_proj:
            h = matmul(h, get_variable("projection/kernel", self._sizes, initializer=start))
            h = _clipped(h, self.proj_clip)
        return h, LSTMStateTuple(c, h) if self.state_is_tuple else concat([c, h], 1)


def _clipped(value: Any, bound: float | None) -> Any:
    return value if bound is None else clip_by_value(value, -bound, bound)


class BasicLSTMCell(LSTMCell):
    """An LSTM cell without the options."""

    use_peepholes, cell_clip, initializer, num_proj = False, None, None, None

    def __init__(self, num_units, forget_bias=1.0, state_is_tuple=True, activation=None, reuse=None,
                 name=None, dtype=None) -> None:  # fmt: skip
        vars(self).update(locals())


class MultiRNNCell(RNNCell):
    """Cells on top of each other; the state is a tuple of theirs."""

    output_size = property(lambda self: self.cells[-1].output_size)
    _sizes = property(lambda self: [cell.state_size for cell in self.cells])
    state_size = property(
        lambda self: tuple(self._sizes) if self.state_is_tuple else sum(self._sizes)
    )

    def __init__(self, cells, state_is_tuple=True) -> None:
        vars(self).update(locals())

    def call(self, inputs: Any, state: Any) -> Stepped:
        states, found = state if self.state_is_tuple else split(state, self._sizes, axis=1), []
        for index, (cell, old) in enumerate(zip(self.cells, states, strict=True)):
            with variable_scope(f"cell_{index}"):
                inputs, new = cell(inputs, old)
            found.append(new)
        return inputs, tuple(found) if self.state_is_tuple else concat(found, 1)


class _Wrapper(RNNCell):
    state_size = property(lambda self: self.cell.state_size)
    output_size = property(lambda self: self.cell.output_size)


class DropoutWrapper(_Wrapper):
    """Dropout of a cell's inputs, of its outputs, and of its state but for an LSTM's `c`."""

    def __init__(self, cell, input_keep_prob=1.0, output_keep_prob=1.0, state_keep_prob=1.0,
                 *, seed=None) -> None:  # fmt: skip
        vars(self).update(locals())

    def __call__(self, inputs: Any, state: Any, scope: Any = None) -> Stepped:
        output, new = self.cell(self._kept(inputs, self.input_keep_prob, 0), state, scope)
        return self._kept(output, self.output_keep_prob, 1), self._kept(
            new, self.state_keep_prob, 2
        )

    def _kept(self, value: Any, share: Any, salt: int) -> Any:
        if isinstance(share, (int, float)) and share >= 1:
            return value
        if isinstance(value, LSTMStateTuple):
            return LSTMStateTuple(value.c, self._kept(value.h, share, salt))
        if isinstance(value, tuple):
            return tuple(self._kept(item, share, salt) for item in value)
        return nn.dropout(value, share, seed=None if self.seed is None else self.seed + salt)


class OutputProjectionWrapper(_Wrapper):
    """A cell, and a layer that makes `output_size` outputs of the cell's."""

    output_size = None

    def __init__(self, cell, output_size, activation=None, reuse=None) -> None:
        vars(self).update(locals())

    def call(self, inputs: Any, state: Any) -> Stepped:
        output, new = self.cell(inputs, state)
        return _dense([output], self.output_size, self.activation), new


class InputProjectionWrapper(_Wrapper):
    """A layer that makes `num_proj` inputs of the given ones, and a cell."""

    def __init__(self, cell, num_proj, activation=None, input_size=None, reuse=None) -> None:
        vars(self).update(locals())

    def call(self, inputs: Any, state: Any) -> Stepped:
        return self.cell(_dense([inputs], self.num_proj, self.activation), state)


__all__ = [name for name in globals() if name.endswith(("Cell", "Wrapper", "StateTuple"))]
