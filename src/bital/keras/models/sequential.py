"""Layers in a row."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import bital
from bital.errors import ArgumentError, ModelStateError, ShapeError
from bital.keras import checks, layers
from bital.keras.layers.base import LAYERS, Activated, Layer, Shape
from bital.keras.models.summary import describe
from bital.keras.models.trainer import Trainer


class Sequential(Trainer, Layer):
    """A model that hands its input through one layer after another.

    Parameters
    ----------
    layers : list of Layer, optional
        More can follow by ``add``. An `Input` at the front, or ``input_shape=`` in the first
        layer, makes all weights at once; without, the first data do.
    name : str, default "sequential"
    trainable : bool, default True
        Whether ``fit`` changes the weights.
    dtype : {"float32", "float64"}, default "float32"
        Of the weights and of the computation, for the layers that have none of their own.

    Raises
    ------
    ArgumentError
        If something is not a layer, or two layers have one name.

    Examples
    --------
    >>> model = Sequential([layers.Input((784,)), layers.Dense(10, activation="softmax")])
    >>> model.count_params()
    7850
    """

    def __init__(
        self,
        layers: Sequence[Layer] | None = None,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, trainable=trainable, dtype=dtype)
        self._layers: list[Layer] = []
        # While a step is traced the variables hold tracers; no other thread may read them then.
        self._lock = threading.RLock()
        self._forget_programs()
        for layer in layers or ():
            self._append(layer)
        self._build_if_known()

    # Layers -------------------------------------------------------------------------------

    @property
    def layers(self) -> list[Layer]:
        """The layers, without an `Input`."""
        return list(self._layers)

    @property
    def sublayers(self) -> list[Layer]:
        """The layers, whose weights are the model's."""
        return self._layers

    def add(self, layer: Layer) -> None:
        """Put a layer at the end.

        Raises
        ------
        ArgumentError
            If it is not a layer, or its name is taken.
        ShapeError
            If it does not take what the layer before it returns.
        """
        self._append(layer)
        try:
            if self.built and not isinstance(layer, layers.InputLayer):
                _build_layer(layer, self._flow(self._build_shape, self._layers[:-1]))
            self._build_if_known()
        except ShapeError:
            self._layers.remove(layer)
            raise

    def pop(self) -> Layer:
        """Take the last layer off and return it.

        Raises
        ------
        ModelStateError
            If there is none.
        """
        if not self._layers:
            raise ModelStateError(f"{self.name}.pop(): the model has no layers.")
        self._forget_programs()
        return self._layers.pop()

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """Return the layer of this name or place.

        Raises
        ------
        ArgumentError
            If there is none.
        """
        if index is not None and -len(self._layers) <= index < len(self._layers):
            return self._layers[index]
        for layer in self._layers:
            if name is not None and layer.name == name:
                return layer
        known = ", ".join(layer.name for layer in self._layers)
        raise ArgumentError(
            f"{self.name}.get_layer(name={name!r}, index={index!r}): the layers are {known}."
        )

    def _append(self, layer: Any) -> None:
        if not isinstance(layer, Layer):
            hint = " Write an instance, with ()." if isinstance(layer, type) else ""
            raise ArgumentError(f"{self.name} received {layer!r}, which is not a layer.{hint}")
        if isinstance(layer, layers.InputLayer):
            if self._layers or self.given_input_shape is not None:
                raise ArgumentError(f"{self.name}: an Input must stand first, and only once.")
            self.given_input_shape = layer.given_input_shape
            return
        self._name_uniquely(layer)
        if not self._layers and self.given_input_shape is None:
            self.given_input_shape = layer.given_input_shape or layer.input_shape
        layer._parent = self
        self._layers.append(layer)
        self._forget_programs()

    def _name_uniquely(self, layer: Layer) -> None:
        taken = {other.name for other in self._layers}
        if layer.name not in taken:
            return
        if not layer.auto_named or layer._parent is not None:
            raise ArgumentError(
                f"{self.name} has a layer named {layer.name!r} already. Give this one another "
                "name: name='...'."
            )
        number = 1
        while f"{layer.name}_{number}" in taken:
            number += 1
        layer.name = f"{layer.name}_{number}"

    # As a layer ---------------------------------------------------------------------------

    def build(self, input_shape: Shape) -> None:
        """Make the weights of all layers for inputs of this shape, ``(None, ...)``.

        Without a shape it is that of the `Input`.

        Raises
        ------
        ShapeError
            If a layer does not take what the one before it returns.
        ModelStateError
            If the model has no layers, or no shape is known.
        """
        if not self._layers:
            raise ModelStateError(f"{self.name} has no layers: add some with {self.name}.add(...).")
        shape = tuple(input_shape)
        for layer in self._layers:
            _build_layer(layer, shape)
            shape = layer.compute_output_shape(shape)

    def call(self, x: Any, training: bool = False) -> Any:
        """Return the outputs of the last layer."""
        for layer in self._layers:
            x = layer(x, training=training)
        return x

    def check_input(self, input_shape: Shape) -> None:
        """Raise `ShapeError` unless the first layer takes inputs of this shape."""
        self._layers[0].check_input(input_shape)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the output's shape, batch first, for inputs of this shape."""
        return self._flow(input_shape, self._layers)

    def preactivate(self, x: Any, training: bool = False) -> Any:
        """Return what the last layer's activation is applied to: logits, for a softmax.

        Raises
        ------
        ModelStateError
            If the last layer has no activation.
        """
        if self.final_activation is None:
            raise ModelStateError(f"{self.name}: the last layer has no activation to leave out.")
        x = self._as_input(x)
        with bital.named_scope(self.name):
            for layer in self._layers[:-1]:
                x = layer(x, training=training)
            last = self._layers[-1]
            if isinstance(last, Sequential):
                return last.preactivate(x, training=training)
            last.check_input(x.shape)
            with bital.named_scope(last.name):
                return last.preactivate(last._as_input(x))

    @property
    def final_activation(self) -> Callable[[Any], Any] | None:
        """The activation of the last layer, if it has one."""
        last = self._layers[-1] if self._layers else None
        if isinstance(last, Sequential):
            return last.final_activation
        return last.activation if isinstance(last, Activated) else None

    @property
    def path(self) -> str:
        """The name within another model; empty for a model of its own."""
        return "" if self._parent is None else super().path

    def _flow(self, shape: Shape, through: Sequence[Layer]) -> Shape:
        for layer in through:
            shape = layer.compute_output_shape(shape)
        return shape

    def _build_if_known(self) -> None:
        if self._layers and not self.built and self.given_input_shape is not None:
            self.build(self.given_input_shape)

    # Looking, saving ----------------------------------------------------------------------

    def summary(
        self, line_length: int | None = None, print_fn: Callable[[str], Any] | None = None
    ) -> None:
        """Print a table of the layers with their output shapes and parameters.

        Parameters
        ----------
        line_length : int, optional
            Width of the table, at least.
        print_fn : callable, optional
            What receives the text. Default: ``print``.
        """
        describe(self, line_length, print_fn)

    def save(
        self, path: str | Path, overwrite: bool = True, include_optimizer: bool = True
    ) -> None:
        """Write the model into one safetensors file: see `bital.keras.saving`.

        Parameters
        ----------
        path : str or path
            Where to. A file that exists is replaced as a whole, or not at all.
        overwrite : bool, default True
            Whether a file that exists may be replaced.
        include_optimizer : bool, default True
            Whether loss, metrics and optimizer are saved too, so that training can go on.

        Raises
        ------
        ModelStateError
            If the model has no weights yet.
        ArgumentError
            If it holds a function or class of your own, or the file may not be replaced.
        """
        from bital.keras import saving

        saving.save_model(self, path, overwrite, include_optimizer)

    def save_weights(self, path: str | Path, overwrite: bool = True) -> None:
        """Write the weights alone; this works with layers and functions of your own too."""
        from bital.keras import saving

        saving.save_weights(self, path, overwrite)

    def load_weights(self, path: str | Path) -> None:
        """Read weights that ``save`` or ``save_weights`` wrote: all of them, or none on an error.

        Raises
        ------
        ModelFileError
            If the file is damaged or holds the weights of another model.
        """
        from bital.keras import saving

        saving.load_weights(self, path)

    def get_config(self) -> dict[str, Any]:
        """Return name, dtype, input shape and layers as plain data."""
        shape = self._build_shape or self.given_input_shape
        return {
            **super().get_config(),
            "input_shape": None if shape is None else list(shape[1:]),
            "layers": [LAYERS.serialize(layer) for layer in self._layers],
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Sequential:
        """Return the model that `get_config` described. It gets its weights by ``build``.

        Raises
        ------
        ArgumentError
            If ``config`` is not what `get_config` returns.
        """
        who = "Sequential.from_config"
        if set(config) != {"name", "trainable", "dtype", "input_shape", "layers"}:
            raise ArgumentError(f"{who} received the keys {', '.join(sorted(config))}.")
        described = config["layers"]
        if not isinstance(described, list):
            raise ArgumentError(f"{who}: 'layers' must be a list.")
        model = cls(name=config["name"], trainable=config["trainable"], dtype=config["dtype"])
        for layer in described:
            model._append(LAYERS.deserialize(layer))
        if config["input_shape"] is not None:
            sizes = checks.shape(who, "input_shape", config["input_shape"], unknown=True)
            model.given_input_shape = (None, *sizes)
        return model


def _build_layer(layer: Layer, shape: Shape) -> None:
    given = layer.given_input_shape
    if given is not None and given[1:] != shape[1:] and not layer.built:
        raise ShapeError(
            f"layer {layer.name!r} was made for input_shape={given[1:]} and receives {shape[1:]}. "
            "Only the first layer of a model needs an input_shape: leave this one out."
        )
    if not layer.built:
        layer.build(shape)
    layer.check_input(shape)
    if not all(inner.built for inner in layer.sublayers):
        # A layer of layers: they learn their input's shape by being called.
        Layer.compute_output_shape(layer, shape)


__all__ = ["LAYERS", "Sequential"]
