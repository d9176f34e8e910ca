"""Layers that go along a sequence: a cell, run by ``bital.scan``."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

import bital
from bital.errors import ArgumentError, ModelStateError, ShapeError
from bital.keras import checks
from bital.keras.layers import cells
from bital.keras.layers.base import Layer
from bital.keras.layers.calling import Shape
from bital.keras.layers.cells import GRUCell, LSTMCell, SimpleRNNCell, StackedRNNCells
from bital.keras.variables import Variable


class RNN(Layer):
    """Runs a cell along the steps of sequences: ``(batch, time, ...) -> (batch, units)``.

    With ``return_sequences`` the output is ``(batch, time, units)``; with ``return_state`` it is a
    tuple of the output and the last states.

    Parameters
    ----------
    cell : layer, or list of layers
        With ``call(x, states) -> output, states`` and a ``state_size``, an integer or a list of
        them; if it likes, an ``output_size`` and ``get_initial_state(batch_size)``. A list of
        cells is a `StackedRNNCells`.
    return_sequences : bool, default False
        Whether to return the outputs of all steps, not of the last one.
    return_state : bool, default False
        Whether to return the last states too.
    go_backwards : bool, default False
        Whether to start with the last step; the outputs are in the order in which they are made.
    stateful : bool, default False
        Whether a batch starts from the states that the batch before it ended with, sample by
        sample, until ``reset_state()``. Needs batches of one size; call ``fit`` with
        ``shuffle=False``.
    unroll : bool, default False
        Taken for Keras's sake, without effect: a loop is compiled once, for any length.
    zero_output_for_mask : bool, default False
        With ``return_sequences``: whether the outputs of masked steps are 0, not repeated.
    batch_size : int, optional
        The number of samples of a stateful layer's batches, where no data said it yet.
    name, trainable, dtype, input_shape
        As in `Layer`.

    Raises
    ------
    ArgumentError
        For an argument with a value that is not allowed.
    ShapeError
        If inputs, states or mask do not fit.

    Notes
    -----
    Arguments of a call: ``initial_state``, a list of arrays, in the place of zeros; ``mask``, bool
    ``(batch, time)``: where it is False the states stay, and the output is the one before.

    Examples
    --------
    >>> import numpy as np
    >>> class Sum(Layer):
    ...     state_size = 2
    ...     def call(self, x, states):
    ...         total = states[0] + x
    ...         return total, [total]
    >>> RNN(Sum(), return_sequences=True)(np.ones((1, 3, 2)))[0].tolist()
    [[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]
    """

    supports_masking = True

    def __init__(
        self,
        cell: Any,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        batch_size: int | None = None,
        **options: Any,
    ) -> None:
        who = type(self).__name__
        if options.pop("time_major", False):
            raise ArgumentError(
                f"{who}(time_major=True): sequences are (batch, time, ...). Write "
                "layer(np.swapaxes(x, 0, 1))."
            )
        super().__init__(**options)
        cell = StackedRNNCells(cell) if isinstance(cell, (list, tuple)) else cell
        cells.require_cell(who, cell)
        self.cell = cell
        self.return_sequences = checks.boolean(who, "return_sequences", return_sequences)
        self.return_state = checks.boolean(who, "return_state", return_state)
        self.go_backwards = checks.boolean(who, "go_backwards", go_backwards)
        self.stateful = checks.boolean(who, "stateful", stateful)
        self.unroll = checks.boolean(who, "unroll", unroll)
        self.zero_output_for_mask = checks.boolean(
            who, "zero_output_for_mask", zero_output_for_mask
        )
        self.batch_size = batch_size and checks.integer(who, "batch_size", batch_size)
        self.states: list[Any] | None = None

    def build(self, input_shape: Shape) -> None:
        """Build the cell; if stateful and the batch size is known, make the states.

        Raises
        ------
        ShapeError
            If the inputs are no sequences.
        """
        self._require_sequences(input_shape)
        if not self.cell.built:
            self.cell.build((input_shape[0], *input_shape[2:]))
        batch_size = self.batch_size if input_shape[0] is None else input_shape[0]
        if self.stateful and batch_size is not None:
            self._make_states(batch_size)

    def check_input(self, input_shape: Shape) -> None:
        """Raise `ShapeError` unless these are sequences of what the cell was built for."""
        self._require_sequences(input_shape)
        built = self.input_shape
        if built is not None and tuple(input_shape[2:]) != tuple(built[2:]):
            raise ShapeError(
                f"{type(self).__name__} {self.name!r} was built for sequences of shape "
                f"{tuple(built)} and received {tuple(input_shape)}."
            )

    def _require_sequences(self, shape: Shape) -> None:
        if len(shape) < 3:
            raise ShapeError(
                f"{type(self).__name__} {self.name!r} received inputs of shape {tuple(shape)}; it "
                "takes sequences, (batch, time, features). Write x[:, :, np.newaxis] if each step "
                "is one number."
            )

    @property
    def weights(self) -> list[Variable]:
        """The cell's, then the states that a stateful layer keeps."""
        return [*self.cell.weights, *self._variables]

    def set_weights(self, weights: Any) -> None:
        """Replace all weights; those of a stateful layer without its states too, as in Keras."""
        values = list(weights)
        if self._variables and len(values) == len(self.cell.weights):
            values += [variable.value for variable in self._variables]
        super().set_weights(values)

    # States -------------------------------------------------------------------------------

    def get_initial_state(self, batch_size: int) -> list[Any]:
        """Return the states that a sequence starts from."""
        return cells.initial_state(self.cell, batch_size, self.dtype)

    def reset_state(self) -> None:
        """Start anew: set the kept states of a stateful layer to their first values."""
        if self.states is None:
            return
        variables = bital.tree.leaves(self.states)
        first = bital.tree.leaves(self.get_initial_state(variables[0].shape[0]))
        for variable, value in zip(variables, first, strict=True):
            variable.assign(value)

    def reset_states(self) -> None:
        """The same as ``reset_state``."""
        self.reset_state()

    def _make_states(self, batch_size: int) -> None:
        self.batch_size = batch_size
        leaves, structure = bital.tree.flatten(self.get_initial_state(batch_size))
        kept = [
            self.add_weight(value.shape, _first(value), trainable=False, name=f"state_{number}")
            for number, value in enumerate(leaves)
        ]
        self.states = bital.tree.unflatten(structure, kept)

    def _first_states(self, sequences: Any, given: Any) -> list[Any]:
        batch = sequences.shape[0]
        wanted = self.get_initial_state(batch)
        if self.stateful and self.states is None:
            if not isinstance(sequences, np.ndarray):
                raise ModelStateError(
                    f"{type(self).__name__} {self.name!r} is stateful: its states are weights, one "
                    "row a sample, and the number of samples is not known. Write "
                    f"{type(self).__name__}(..., stateful=True, batch_size=32)."
                )
            self._make_states(batch)
        if given is None:
            given = self.states if self.stateful else wanted
        found = bital.tree.leaves(given)
        leaves, structure = bital.tree.flatten(wanted)
        shapes = [tuple(each.shape) for each in found], [each.shape for each in leaves]
        if shapes[0] != shapes[1]:
            raise ShapeError(
                f"{type(self).__name__} {self.name!r} received sequences of shape "
                f"{tuple(sequences.shape)} and starts from states of shapes {shapes[0]}; they "
                f"must be {shapes[1]}."
            )
        values = [each.value if isinstance(each, Variable) else each for each in found]
        return bital.tree.unflatten(structure, [each.astype(self.dtype) for each in values])

    # Use ----------------------------------------------------------------------------------

    def call(
        self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False
    ) -> Any:
        """Return the output, or a tuple of it and the last states."""
        batch, length = sequences.shape[:2]
        first = self._first_states(sequences, initial_state)
        structure = bital.tree.structure(first)
        masks = None
        if training:
            masks = cells.draw_masks(self.cell, batch, sequences.shape[-1])
        xs = (np.swapaxes(sequences, 0, 1), self._time_first(mask, batch, length))
        places: list[int] = []  # which of the states the output is, if it is one

        def step(states: Any, slices: Any) -> Any:
            x, keep = slices
            old = bital.tree.leaves(states)
            output, new_states = cells.run_cell(self.cell, x, states, training, masks)
            new = bital.tree.leaves(new_states)
            places[:] = [n for n, state in enumerate(new) if state is output][:1]
            if keep is not None:
                before = old[places[0]] if places else old[_assumed(states)]
                hidden = 0 if self.zero_output_for_mask and self.return_sequences else before
                output = np.where(_beside(keep, output), output, hidden)
                pairs = zip(new, old, strict=True)
                new = [np.where(_beside(keep, a), a, b) for a, b in pairs]
            stacked = self.return_sequences or not places
            return bital.tree.unflatten(structure, new), output if stacked else None

        last, outputs = bital.scan(step, first, xs, reverse=self.go_backwards)
        states = bital.tree.leaves(last)
        if self.stateful:
            for variable, value in zip(bital.tree.leaves(self.states), states, strict=True):
                variable.assign(value)
        if self.return_sequences:
            output = np.swapaxes(outputs[::-1] if self.go_backwards else outputs, 0, 1)
        else:
            end = 0 if self.go_backwards else -1
            output = states[places[0]] if places else outputs[end]
        return (output, *last) if self.return_state else output

    def _time_first(self, mask: Any, batch: int, length: int) -> Any:
        if mask is None:
            return None
        if tuple(mask.shape) != (batch, length):
            raise ShapeError(
                f"{type(self).__name__} {self.name!r} received a mask of shape "
                f"{tuple(mask.shape)} for sequences of {length} steps and a batch of {batch}; it "
                f"must be (batch, time), {(batch, length)}."
            )
        return np.swapaxes(mask.astype(bool), 0, 1)

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        """Return the mask for outputs of all steps, else None."""
        return mask if self.return_sequences else None

    def compute_output_shape(self, input_shape: Shape, initial_state_shape: Any = None) -> Shape:
        """Return the output's shape, or the tuple of it and of the states'."""
        size = cells.output_size(self.cell)
        batch = input_shape[0]
        output = (batch, input_shape[1], size) if self.return_sequences else (batch, size)
        if not self.return_state:
            return output
        states = _state_shapes(self.cell.state_size, batch)
        return [output, *(states if isinstance(states, list) else [states])]


def _first(value: Any) -> Any:
    """An initializer that gives this array."""
    return lambda shape, dtype: np.broadcast_to(value, shape).astype(dtype)


def _state_shapes(size: Any, batch: Any) -> Any:
    if isinstance(size, (list, tuple)):
        return [_state_shapes(each, batch) for each in size]
    return (batch, size)


def _assumed(states: Any) -> int:
    """Which state Keras takes for the output before: the first, or the first of the last cell."""
    counts = [len(bital.tree.leaves(each)) for each in states]
    return sum(counts[:-1]) if isinstance(states[0], (list, tuple)) else 0


def _beside(keep: Any, value: Any) -> Any:
    """A mask ``(batch,)`` with axes of one element for the others of ``value``."""
    return keep.reshape(keep.shape[0], *(1,) * (value.ndim - 1))


class _CellLayer(RNN):
    """Base of the layers whose cell is one of ours: they have the cell's arguments as their own."""

    _left_out = (*RNN._left_out, "cell", "implementation", "use_cudnn")

    def __init__(
        self,
        cell: Any,
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        implementation: int = 2,
        use_cudnn: Any = "auto",
        **options: Any,
    ) -> None:
        who = type(self).__name__
        if implementation not in (1, 2):
            raise ArgumentError(f"{who}(implementation={implementation!r}): must be 1 or 2.")
        if use_cudnn not in (False, "auto"):
            raise ArgumentError(
                f"{who}(use_cudnn={use_cudnn!r}): bital has no cuDNN. Leave it out."
            )
        made = cell(
            kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint,
            bias_constraint=bias_constraint,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            seed=seed,
        )
        super().__init__(made, **options)

    def __getattr__(self, name: str) -> Any:
        """The cell's arguments, kernels and the like, under their names."""
        if name.startswith("_") or "cell" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self.cell, name)


class SimpleRNN(_CellLayer):
    """``h = activation(x @ kernel + h @ recurrent_kernel + bias)``, step by step.

    ``(batch, time, in) -> (batch, units)``, or ``(batch, time, units)`` with ``return_sequences``.
    Weights: kernel ``(in, units)``, recurrent_kernel ``(units, units)``, bias ``(units,)``.

    Parameters
    ----------
    units : int
        Number of outputs, and of elements of the state.
    activation : str or function, default "tanh"
        Of the state.
    use_bias : bool, default True
        Whether a bias is added.
    kernel_initializer, recurrent_initializer, bias_initializer : str or Initializer
        First values: "glorot_uniform", "orthogonal", "zeros".
    kernel_regularizer, recurrent_regularizer, bias_regularizer : str, Regularizer or function
        What their size adds to the loss.
    kernel_constraint, recurrent_constraint, bias_constraint : str, Constraint or function
        What they are replaced by after each step of training.
    dropout, recurrent_dropout : float, default 0
        Part of the inputs, and of the state, to drop while training: the same elements at all
        steps of a sequence.
    seed : int, optional
        Of the dropout.
    return_sequences, return_state, go_backwards, stateful, unroll, zero_output_for_mask, batch_size
        As in `RNN`.
    implementation, use_cudnn
        Taken for Keras's sake, without effect.
    name, trainable, dtype, input_shape
        As in `Layer`.

    Raises
    ------
    ArgumentError
        For an argument with a value that is not allowed.

    Notes
    -----
    Sources: Elman 1990, "Finding Structure in Time"; of the dropout, Gal and Ghahramani 2016, "A
    Theoretically Grounded Application of Dropout in Recurrent Neural Networks".

    Examples
    --------
    >>> import numpy as np
    >>> SimpleRNN(4, return_sequences=True)(np.zeros((2, 5, 3))).shape
    (2, 5, 4)
    """

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        **options: Any,
    ) -> None:
        cell = functools.partial(
            SimpleRNNCell,
            units,
            activation,
            use_bias,
            kernel_initializer,
            recurrent_initializer,
            bias_initializer,
        )
        super().__init__(cell, **options)


class LSTM(_CellLayer):
    """Long short-term memory: ``(batch, time, in) -> (batch, units)``.

    With ``z = x @ kernel + h @ recurrent_kernel + bias`` in four parts i, f, g, o and the recurrent
    activation s::

        c = s(f) * c + s(i) * activation(g)
        h = s(o) * activation(c)

    The output is h, ``(batch, time, units)`` with ``return_sequences``. Weights: kernel
    ``(in, 4 * units)``, recurrent_kernel ``(units, 4 * units)``, bias ``(4 * units,)``. The states
    are h and c.

    Parameters
    ----------
    units : int
        Number of outputs, and of elements of each state.
    activation, recurrent_activation : str or function, default "tanh", "sigmoid"
        Of the states, and of the gates.
    use_bias : bool, default True
        Whether a bias is added.
    kernel_initializer, recurrent_initializer, bias_initializer : str or Initializer
        First values: "glorot_uniform", "orthogonal", "zeros".
    unit_forget_bias : bool, default True
        Whether the bias of the forget gate starts from 1.
    kernel_regularizer, ..., bias_constraint, dropout, recurrent_dropout, seed
        As in `SimpleRNN`.
    return_sequences, return_state, go_backwards, stateful, unroll, zero_output_for_mask, batch_size
        As in `RNN`.
    implementation, use_cudnn
        Taken for Keras's sake, without effect.
    name, trainable, dtype, input_shape
        As in `Layer`.

    Raises
    ------
    ArgumentError
        For an argument with a value that is not allowed.

    Notes
    -----
    Sources: Hochreiter and Schmidhuber 1997, "Long Short-Term Memory"; Gers et al. 2000, "Learning
    to Forget"; of the forget gate's bias, Jozefowicz et al. 2015, "An Empirical Exploration of
    Recurrent Network Architectures".

    Examples
    --------
    >>> import numpy as np
    >>> output, h, c = LSTM(4, return_state=True)(np.zeros((2, 5, 3)))
    >>> output.shape, h.shape, c.shape
    ((2, 4), (2, 4), (2, 4))
    """

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
        cell = functools.partial(
            LSTMCell,
            units,
            activation,
            recurrent_activation,
            use_bias,
            kernel_initializer,
            recurrent_initializer,
            bias_initializer,
            unit_forget_bias,
        )
        super().__init__(cell, **options)


class GRU(_CellLayer):
    """Gated recurrent unit: ``(batch, time, in) -> (batch, units)``.

    With ``x @ kernel + bias[0]`` in three parts xz, xr, xh, ``h @ recurrent_kernel + bias[1]`` in
    three parts hz, hr, hh, and the recurrent activation s::

        z, r = s(xz + hz), s(xr + hr)
        h = z * h + (1 - z) * activation(xh + r * hh)

    Without ``reset_after``, ``(r * h) @ recurrent_kernel`` stands in the place of ``r * hh``, and
    there is one bias. The output is h, ``(batch, time, units)`` with ``return_sequences``. Weights:
    kernel ``(in, 3 * units)``, recurrent_kernel ``(units, 3 * units)``, bias ``(2, 3 * units)``, or
    ``(3 * units,)`` without ``reset_after``.

    Parameters
    ----------
    units : int
        Number of outputs, and of elements of the state.
    activation, recurrent_activation : str or function, default "tanh", "sigmoid"
        Of the state, and of the gates.
    use_bias : bool, default True
        Whether biases are added.
    kernel_initializer, recurrent_initializer, bias_initializer : str or Initializer
        First values: "glorot_uniform", "orthogonal", "zeros".
    reset_after : bool, default True
        Whether the reset gate acts after the product with the state (as in cuDNN) or before it.
    kernel_regularizer, ..., bias_constraint, dropout, recurrent_dropout, seed
        As in `SimpleRNN`.
    return_sequences, return_state, go_backwards, stateful, unroll, zero_output_for_mask, batch_size
        As in `RNN`.
    implementation, use_cudnn
        Taken for Keras's sake, without effect.
    name, trainable, dtype, input_shape
        As in `Layer`.

    Raises
    ------
    ArgumentError
        For an argument with a value that is not allowed.

    Notes
    -----
    Source: Cho et al. 2014, "Learning Phrase Representations using RNN Encoder-Decoder for
    Statistical Machine Translation": version 1 of the paper resets after, version 3 before.

    Examples
    --------
    >>> import numpy as np
    >>> GRU(4)(np.zeros((2, 5, 3))).shape
    (2, 4)
    """

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
        cell = functools.partial(
            GRUCell,
            units,
            activation,
            recurrent_activation,
            use_bias,
            kernel_initializer,
            recurrent_initializer,
            bias_initializer,
            reset_after,
        )
        super().__init__(cell, **options)


__all__ = ["GRU", "LSTM", "RNN", "SimpleRNN"]
