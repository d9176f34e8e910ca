"""Recurrent cells: one step of a sequence, from a state to the next."""

from __future__ import annotations

from typing import Any

import numpy as np

import bital
from bital.errors import ArgumentError, ShapeError
from bital.keras import activations, checks, constraints, initializers, regularizers
from bital.keras.layers.base import Layer, Shape
from bital.keras.random_state import draw_key


class Cell(Layer):
    """Base of the cells with ``kernel``, ``recurrent_kernel`` and ``bias``.

    A subclass says how many `gates` lie side by side in them, and defines `call`. Its arguments are
    those of the layer that runs it, `SimpleRNN`, `LSTM` or `GRU`.
    """

    gates = 1

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        who = type(self).__name__
        self.units = checks.integer(who, "units", units)
        self.activation = activations.get(activation)
        self.use_bias = checks.boolean(who, "use_bias", use_bias)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.recurrent_initializer = initializers.get(recurrent_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.recurrent_regularizer = regularizers.get(recurrent_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.recurrent_constraint = constraints.get(recurrent_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.dropout = checks.number(who, "dropout", dropout, 0, 1)
        self.recurrent_dropout = checks.number(who, "recurrent_dropout", recurrent_dropout, 0, 1)
        self.seed = None if seed is None else checks.integer(who, "seed", seed, low=0)
        self.bias: Any = None

    @property
    def state_size(self) -> Any:
        """The number of elements of each state, for one sample."""
        return self.units

    @property
    def output_size(self) -> int:
        """The number of outputs."""
        return self.units

    def build(self, input_shape: Shape) -> None:
        """Make the weights.

        Raises
        ------
        ShapeError
            If the inputs have no feature axis, or one of unknown size.
        """
        if len(input_shape) != 2 or input_shape[-1] is None:
            raise ShapeError(
                f"{type(self).__name__} {self.name!r} received steps of shape {input_shape}; it "
                "needs (batch, features) with a known number of features."
            )
        columns = self.gates * self.units
        self.kernel = self.add_weight(
            (input_shape[-1], columns),
            self.kernel_initializer,
            name="kernel",
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.recurrent_kernel = self.add_weight(
            (self.units, columns),
            self.recurrent_initializer,
            name="recurrent_kernel",
            regularizer=self.recurrent_regularizer,
            constraint=self.recurrent_constraint,
        )
        if self.use_bias:
            self.bias = self.add_weight(
                self.bias_shape,
                self.first_bias,
                name="bias",
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )

    @property
    def bias_shape(self) -> tuple[int, ...]:
        """The shape of the bias."""
        return (self.gates * self.units,)

    def first_bias(self, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """Return the bias's first value."""
        return self.bias_initializer(shape, dtype)

    def get_initial_state(self, batch_size: int) -> list[Any]:
        """Return states of zeros, ``(batch, units)``."""
        sizes = self.state_size if isinstance(self.state_size, list) else [self.state_size]
        return [np.zeros((batch_size, size), self.dtype) for size in sizes]

    def draw_masks(self, batch_size: int, features: int) -> tuple[Any, Any] | None:
        """Return the dropout masks of a sequence, one for all its steps; None if none is dropped.

        They are masks of the inputs and of the state. With ``recurrent_dropout`` each gate has
        masks of its own.
        """
        if not (self.dropout or self.recurrent_dropout):
            return None
        count = self.gates if self.recurrent_dropout else 1
        keys = bital.random.split(draw_key(self.seed), 2 * count)
        inputs = [self._mask(key, self.dropout, batch_size, features) for key in keys[:count]]
        state = [
            self._mask(key, self.recurrent_dropout, batch_size, self.units) for key in keys[count:]
        ]
        return (inputs if self.dropout else None, state if self.recurrent_dropout else None)

    def _mask(self, key: Any, rate: float, batch_size: int, size: int) -> Any:
        if rate == 1:
            return np.zeros((batch_size, size), self.dtype)
        keep = bital.random.bernoulli(key, 1 - rate, (batch_size, size))
        return keep.astype(self.dtype) * (1 / (1 - rate))

    def _masks(self, x: Any, training: bool, masks: Any) -> Any:
        """The masks of this step: none otherwise than while training, drawn if not given."""
        if not training:
            return None, None
        masks = self.draw_masks(*x.shape) if masks is None else masks
        return (None, None) if masks is None else masks

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return ``(batch, units)``."""
        return (input_shape[0], self.units)


class SimpleRNNCell(Cell):
    """One step of a `SimpleRNN`: ``activation(x @ kernel + h @ recurrent_kernel + bias)``.

    ``cell.call(x, [h]) -> h, [h]`` with x ``(batch, in)`` and h ``(batch, units)``. The arguments
    are those of `SimpleRNN`.

    Examples
    --------
    >>> import numpy as np
    >>> cell = SimpleRNNCell(2, kernel_initializer="ones")
    >>> cell.build((None, 1))
    >>> cell.call(np.zeros((1, 1), "f"), [np.zeros((1, 2), "f")])[0]
    array([[0., 0.]], dtype=float32)
    """

    def call(self, x: Any, states: Any, training: bool = False, masks: Any = None) -> Any:
        """Return the output and the list of the new state."""
        inputs, state = self._masks(x, training, masks)
        z = _product(x, self.kernel, inputs) + _product(states[0], self.recurrent_kernel, state)
        h = self.activation(z if self.bias is None else z + self.bias)
        return h, [h]


class LSTMCell(Cell):
    """One step of an `LSTM`, where the formulas are.

    ``cell.call(x, [h, c]) -> h, [h, c]`` with x ``(batch, in)``, h and c ``(batch, units)``. The
    arguments are those of `LSTM`.

    Examples
    --------
    >>> import numpy as np
    >>> cell = LSTMCell(2)
    >>> cell.build((None, 3))
    >>> cell.bias.numpy()
    array([0., 0., 1., 1., 0., 0., 0., 0.], dtype=float32)
    """

    gates = 4

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(
            units,
            activation,
            use_bias,
            kernel_initializer,
            recurrent_initializer,
            bias_initializer,
            **options,
        )
        self.recurrent_activation = activations.get(recurrent_activation)
        self.unit_forget_bias = checks.boolean("LSTMCell", "unit_forget_bias", unit_forget_bias)

    @property
    def state_size(self) -> Any:
        """The number of elements of h and of c, for one sample."""
        return [self.units, self.units]

    def first_bias(self, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """Return the bias's first value: that of the forget gate is 1, if so wished."""
        if not self.unit_forget_bias:
            return super().first_bias(shape, dtype)
        parts = [self.bias_initializer((n * self.units,), dtype) for n in (1, 2)]
        return np.concatenate([parts[0], np.ones(self.units, dtype), parts[1]])

    def call(self, x: Any, states: Any, training: bool = False, masks: Any = None) -> Any:
        """Return the output and the list of the new states, h and c."""
        inputs, state = self._masks(x, training, masks)
        h, c = states
        z = _product(x, self.kernel, inputs) + _product(h, self.recurrent_kernel, state)
        if self.bias is not None:
            z = z + self.bias
        i, f, g, o = (z[:, n * self.units : (n + 1) * self.units] for n in range(4))
        gate = self.recurrent_activation
        c = gate(f) * c + gate(i) * self.activation(g)
        h = gate(o) * self.activation(c)
        return h, [h, c]


class GRUCell(Cell):
    """One step of a `GRU`, where the formulas are.

    ``cell.call(x, [h]) -> h, [h]`` with x ``(batch, in)`` and h ``(batch, units)``. The arguments
    are those of `GRU`.

    Examples
    --------
    >>> import numpy as np
    >>> cell = GRUCell(2)
    >>> cell.build((None, 3))
    >>> cell.bias.shape
    (2, 6)
    """

    gates = 3

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        reset_after: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(
            units,
            activation,
            use_bias,
            kernel_initializer,
            recurrent_initializer,
            bias_initializer,
            **options,
        )
        self.recurrent_activation = activations.get(recurrent_activation)
        self.reset_after = checks.boolean("GRUCell", "reset_after", reset_after)

    @property
    def bias_shape(self) -> tuple[int, ...]:
        """The shape of the bias: with ``reset_after`` the state's product has one of its own."""
        columns = self.gates * self.units
        return (2, columns) if self.reset_after else (columns,)

    def call(self, x: Any, states: Any, training: bool = False, masks: Any = None) -> Any:
        """Return the output and the list of the new state."""
        inputs, state = self._masks(x, training, masks)
        h, n = states[0], self.units
        of_x = _product(x, self.kernel, inputs)
        if self.bias is not None:
            of_x = of_x + (self.bias[0] if self.reset_after else self.bias)
        gate = self.recurrent_activation
        if self.reset_after:
            of_h = _product(h, self.recurrent_kernel, state)
            if self.bias is not None:
                of_h = of_h + self.bias[1]
            z, r = (gate(of_x[:, s] + of_h[:, s]) for s in (slice(n), slice(n, 2 * n)))
            new = self.activation(of_x[:, 2 * n :] + r * of_h[:, 2 * n :])
        else:
            parts = None if state is None else state[:2]
            of_h = _product(h, self.recurrent_kernel[:, : 2 * n], parts)
            z, r = (gate(of_x[:, s] + of_h[:, s]) for s in (slice(n), slice(n, 2 * n)))
            reset = r * h if state is None else r * (h * state[2])
            new = self.activation(of_x[:, 2 * n :] + reset @ self.recurrent_kernel[:, 2 * n :])
        h = z * h + (1 - z) * new
        return h, [h]


class StackedRNNCells(Layer):
    """Cells on top of each other, as one cell: each one's output is the next one's input.

    ``RNN([cell, cell])`` makes one.

    Parameters
    ----------
    cells : list of layers
        Each with ``call(x, states) -> output, states`` and a ``state_size``.
    name, trainable, dtype
        As in `Layer`.

    Raises
    ------
    ArgumentError
        If something in ``cells`` is no cell.

    Examples
    --------
    >>> StackedRNNCells([LSTMCell(3), GRUCell(2)]).state_size
    [[3, 3], 2]
    """

    def __init__(self, cells: Any, **options: Any) -> None:
        super().__init__(**options)
        if not isinstance(cells, (list, tuple)) or not cells:
            raise ArgumentError(f"StackedRNNCells(cells={cells!r:.80}): must be a list of cells.")
        for cell in cells:
            require_cell("StackedRNNCells", cell)
        self.cells = list(cells)

    @property
    def state_size(self) -> list[Any]:
        """Those of the cells."""
        return [cell.state_size for cell in self.cells]

    @property
    def output_size(self) -> int:
        """That of the last cell."""
        return output_size(self.cells[-1])

    def build(self, input_shape: Shape) -> None:
        """Build the cells."""
        for cell in self.cells:
            if not cell.built:
                cell.build(input_shape)
            input_shape = (input_shape[0], output_size(cell))

    def get_initial_state(self, batch_size: int) -> list[Any]:
        """Return the first states of each cell."""
        return [initial_state(cell, batch_size, self.dtype) for cell in self.cells]

    def draw_masks(self, batch_size: int, features: int) -> list[Any] | None:
        """Return the dropout masks of each cell; None if none is dropped."""
        found = []
        for cell in self.cells:
            found.append(draw_masks(cell, batch_size, features))
            features = output_size(cell)
        return None if all(masks is None for masks in found) else found

    def call(self, x: Any, states: Any, training: bool = False, masks: Any = None) -> Any:
        """Return the last cell's output and the list of all new states."""
        new = []
        each_mask = [None] * len(self.cells) if masks is None else masks
        for cell, state, mask in zip(self.cells, states, each_mask, strict=True):
            x, state = run_cell(cell, x, state, training, mask)
            new.append(state)
        return x, new

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return ``(batch, units of the last cell)``."""
        return (input_shape[0], self.output_size)


# What anything with `call` and `state_size` does as a cell --------------------------------------


def require_cell(who: str, cell: Any) -> None:
    """Raise `ArgumentError` unless it is a cell."""
    if not (isinstance(cell, Layer) and hasattr(cell, "state_size")):
        raise ArgumentError(
            f"{who}({cell!r:.80}): a cell is a layer with call(x, states) -> output, states, and "
            "an attribute state_size, an integer or a list of them; for instance LSTMCell(32)."
        )


def output_size(cell: Any) -> int:
    """The number of outputs of a cell."""
    size = getattr(cell, "output_size", None)
    if size is None:
        size = cell.state_size[0] if isinstance(cell.state_size, (list, tuple)) else cell.state_size
    return int(size)


def initial_state(cell: Any, batch_size: int, dtype: Any) -> list[Any]:
    """The first states of a cell, as a list: zeros, where the cell does not say."""
    if hasattr(cell, "get_initial_state"):
        found = cell.get_initial_state(batch_size=batch_size)
        return list(found) if isinstance(found, (list, tuple)) else [found]
    sizes = cell.state_size if isinstance(cell.state_size, (list, tuple)) else [cell.state_size]
    return [np.zeros((batch_size, size), dtype) for size in sizes]


def draw_masks(cell: Any, batch_size: int, features: int) -> Any:
    """The dropout masks of a sequence; None for cells without."""
    return cell.draw_masks(batch_size, features) if hasattr(cell, "draw_masks") else None


def run_cell(cell: Any, x: Any, states: Any, training: bool, masks: Any) -> tuple[Any, Any]:
    """One step: the output, and the new states in the structure of the old ones."""
    options: dict[str, Any] = {"training": training} if "training" in cell._call_names else {}
    if masks is not None:
        options["masks"] = masks
    output, new = cell.call(x, states, **options)
    leaves, structure = bital.tree.leaves(new), bital.tree.flatten(states)[1]
    return output, bital.tree.unflatten(structure, leaves)


def _product(x: Any, kernel: Any, masks: Any) -> Any:
    """``x @ kernel``; with several masks, each gate's part of it has its own."""
    if masks is None:
        return x @ kernel
    parts = np.split(kernel, len(masks), axis=1)
    return np.concatenate([(x * m) @ part for m, part in zip(masks, parts, strict=True)], axis=1)


__all__ = ["Cell", "GRUCell", "LSTMCell", "SimpleRNNCell", "StackedRNNCells"]
