"""Layers around layers: both directions of a sequence, each step of a sequence."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from bital.errors import ArgumentError, ShapeError
from bital.keras import checks
from bital.keras.layers.base import Layer
from bital.keras.layers.calling import Shape
from bital.keras.layers.recurrent import RNN

_MERGES = ("sum", "mul", "concat", "ave", None)


class Bidirectional(Layer):
    """A recurrent layer along sequences in both directions, merged.

    ``(batch, time, in) -> (batch, 2 * units)``, or ``(batch, time, 2 * units)`` if the layer
    returns sequences; with other merges than "concat", ``units`` for ``2 * units``.

    Parameters
    ----------
    layer : RNN, LSTM, GRU or SimpleRNN
        The layer is not used itself, but made again, twice.
    merge_mode : {"concat", "sum", "mul", "ave", None}, default "concat"
        What is made of the two outputs; None returns both, as a tuple.
    weights : list of array, optional
        First values: those of the forward layer, then those of the backward layer.
    backward_layer : layer, optional
        For the other direction, with the opposite ``go_backwards``. Default: as ``layer``.
    name, trainable, dtype, input_shape
        As in `Layer`.

    Raises
    ------
    ArgumentError
        If the two layers do not go in opposite directions, or return different things.

    Notes
    -----
    ``initial_state`` of a call holds the states of the forward layer, then of the backward layer;
    so do the states that are returned after the output. Outputs of masked steps are 0.

    Source: Schuster and Paliwal 1997, "Bidirectional Recurrent Neural Networks".

    Examples
    --------
    >>> import numpy as np
    >>> from bital.keras.layers import LSTM
    >>> Bidirectional(LSTM(4, return_sequences=True))(np.zeros((2, 5, 3))).shape
    (2, 5, 8)
    """

    supports_masking = True
    _left_out = (*Layer._left_out, "weights")

    def __init__(
        self,
        layer: Any,
        merge_mode: str | None = "concat",
        weights: Any = None,
        backward_layer: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        for name, each in (("layer", layer), ("backward_layer", backward_layer)):
            if not isinstance(each, RNN) and (name == "layer" or each is not None):
                raise ArgumentError(
                    f"Bidirectional({name}={each!r:.80}): must be a recurrent layer, such as "
                    "LSTM(32) or RNN(cell)."
                )
        if merge_mode not in _MERGES:
            raise ArgumentError(
                f"Bidirectional(merge_mode={merge_mode!r}): must be one of "
                f"{', '.join(map(repr, _MERGES))}."
            )
        self.merge_mode = merge_mode
        self.forward_layer = _again(layer, "forward")
        self.backward_layer = (
            _again(layer, "backward", go_backwards=not layer.go_backwards)
            if backward_layer is None
            else backward_layer
        )
        self._require_opposites()
        for each in (self.forward_layer, self.backward_layer):
            each.zero_output_for_mask = each.return_sequences
        self._first_weights = None if weights is None else [np.asarray(w) for w in weights]

    def _argument(self, name: str) -> Any:
        return self.forward_layer if name == "layer" else super()._argument(name)

    def _require_opposites(self) -> None:
        pair = self.forward_layer, self.backward_layer
        if pair[0].go_backwards == pair[1].go_backwards:
            raise ArgumentError(
                f"Bidirectional {self.name!r}: both layers have go_backwards="
                f"{pair[0].go_backwards}; one must go the other way."
            )
        for name in ("stateful", "return_sequences", "return_state"):
            values = [getattr(each, name) for each in pair]
            if values[0] != values[1]:
                raise ArgumentError(
                    f"Bidirectional {self.name!r}: layer has {name}={values[0]} and backward_layer "
                    f"{name}={values[1]}; they must be the same."
                )

    @property
    def stateful(self) -> bool:
        """Whether the layers keep their states from batch to batch."""
        return bool(self.forward_layer.stateful)

    @property
    def return_sequences(self) -> bool:
        """Whether the outputs of all steps are returned."""
        return bool(self.forward_layer.return_sequences)

    @property
    def return_state(self) -> bool:
        """Whether the last states are returned too."""
        return bool(self.forward_layer.return_state)

    def reset_state(self) -> None:
        """Reset the states of both layers."""
        self.forward_layer.reset_state()
        self.backward_layer.reset_state()

    reset_states = reset_state

    def build(self, input_shape: Shape) -> None:
        """Build both layers."""
        self.forward_layer.build(input_shape)
        self.backward_layer.build(input_shape)
        if self._first_weights is not None:
            self.set_weights(self._first_weights)

    def check_input(self, input_shape: Shape) -> None:
        """Raise `ShapeError` unless these are sequences of what the layers were built for."""
        self.forward_layer.check_input(input_shape)

    def call(
        self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False
    ) -> Any:
        """Return the merged outputs, or a tuple of them and of the last states of both."""
        half = None if initial_state is None else len(initial_state) // 2
        first = (None, None) if half is None else (initial_state[:half], initial_state[half:])
        outputs, states = [], []
        for layer, state in zip((self.forward_layer, self.backward_layer), first, strict=True):
            found = layer(sequences, initial_state=state, mask=mask, training=training)
            output, *last = found if self.return_state else (found,)
            outputs.append(output)
            states += last
        y, back = outputs
        merged = self._merged(y, back[:, ::-1] if self.return_sequences else back)
        if not self.return_state:
            return merged
        return (*merged, *states) if self.merge_mode is None else (merged, *states)

    def _merged(self, y: Any, back: Any) -> Any:
        if self.merge_mode == "concat":
            return np.concatenate([y, back], axis=-1)
        if self.merge_mode == "sum":
            return y + back
        if self.merge_mode == "mul":
            return y * back
        return (y + back) / 2 if self.merge_mode == "ave" else (y, back)

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        """Return the mask for outputs of all steps, else None."""
        return mask if self.return_sequences else None

    def compute_output_shape(self, input_shape: Shape, initial_state_shape: Any = None) -> Shape:
        """Return the output's shape, or the list of it and of the states'."""
        outputs, states = [], []
        for layer in (self.forward_layer, self.backward_layer):
            found = layer.compute_output_shape(input_shape)
            output, *last = found if self.return_state else (found,)
            outputs.append(output)
            states += last
        if self.merge_mode == "concat":
            outputs = [(*outputs[0][:-1], outputs[0][-1] + outputs[1][-1])]
        elif self.merge_mode is not None:
            outputs = outputs[:1]
        found = [*outputs, *states]
        return found if len(found) > 1 else found[0]


def _again(layer: Any, prefix: str, **changes: Any) -> Any:
    """A new layer made as this one was."""
    name = f"{prefix}_{layer.name.removeprefix(prefix + '_')}"
    if layer.built:
        return type(layer).from_config({**layer.get_config(), "name": name, **changes})
    new = copy.deepcopy(layer)  # also with a cell of the user's own
    new.name, new.auto_named = name, False
    for argument, value in changes.items():
        setattr(new, argument, value)
    return new


class TimeDistributed(Layer):
    """A layer at each step of sequences: ``(batch, time, ...) -> (batch, time, ...)``.

    All steps go through the layer as one batch of ``batch * time`` samples.

    Parameters
    ----------
    layer : layer
        Takes ``(batch, ...)``.
    name, trainable, dtype, input_shape
        As in `Layer`.

    Raises
    ------
    ArgumentError
        If ``layer`` is no layer.
    ShapeError
        If the inputs are no sequences, or the mask does not fit them.

    Examples
    --------
    >>> import numpy as np
    >>> from bital.keras.layers import Dense
    >>> TimeDistributed(Dense(4))(np.zeros((2, 5, 3))).shape
    (2, 5, 4)
    """

    supports_masking = True

    def __init__(self, layer: Any, **options: Any) -> None:
        super().__init__(**options)
        if not isinstance(layer, Layer):
            raise ArgumentError(f"TimeDistributed({layer!r:.80}): must be a layer.")
        self.layer = layer

    def build(self, input_shape: Shape) -> None:
        """Build the layer for one step."""
        self.check_input(input_shape)
        self.layer.build((None, *input_shape[2:]))

    def check_input(self, input_shape: Shape) -> None:
        """Raise `ShapeError` unless these are sequences."""
        if len(input_shape) < 3:
            raise ShapeError(
                f"TimeDistributed {self.name!r} received inputs of shape {tuple(input_shape)}; it "
                "takes sequences, (batch, time, ...), of at least 3 axes."
            )

    def call(self, x: Any, mask: Any = None, training: bool = False) -> Any:
        """Return the layer's outputs at all steps."""
        batch, time, *sizes = x.shape
        options: dict[str, Any] = {}
        if mask is not None:
            if tuple(mask.shape[:2]) != (batch, time):
                raise ShapeError(
                    f"TimeDistributed {self.name!r} received a mask of shape {tuple(mask.shape)} "
                    f"for inputs of shape {tuple(x.shape)}; it must be (batch, time, ...)."
                )
            options["mask"] = mask.reshape((batch * time, *mask.shape[2:]))
        y = self.layer(x.reshape((batch * time, *sizes)), training=training, **options)
        return y.reshape((batch, time, *y.shape[1:]))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the layer's output shape, with the axis of time after the batch."""
        one = self.layer.compute_output_shape((input_shape[0], *input_shape[2:]))
        return (one[0], input_shape[1], *one[1:])


class Masking(Layer):
    """Marks steps of sequences that hold nothing: ``(batch, time, ...) -> (batch, time, ...)``.

    A step whose features all equal ``mask_value`` is masked: its outputs are 0, and the layers
    behind that take a mask skip it.

    Parameters
    ----------
    mask_value : float, default 0
        What marks such steps.
    name, dtype, input_shape
        As in `Layer`.

    Raises
    ------
    ArgumentError
        If ``mask_value`` is not a number.

    Examples
    --------
    >>> import numpy as np
    >>> Masking().compute_mask(np.array([[[1.0, 0.0], [0.0, 0.0]]]))
    array([[ True, False]])
    """

    supports_masking = True

    def __init__(self, mask_value: float = 0.0, **options: Any) -> None:
        super().__init__(**options)
        self.mask_value = checks.number("Masking", "mask_value", mask_value)

    def call(self, x: Any) -> Any:
        """Return the inputs, with 0 for masked steps."""
        return np.where(np.any(x != self.mask_value, axis=-1, keepdims=True), x, 0)

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        """Return which steps count, ``(batch, time)``."""
        return np.any(x != self.mask_value, axis=-1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        return input_shape


__all__ = ["Bidirectional", "Masking", "TimeDistributed"]
