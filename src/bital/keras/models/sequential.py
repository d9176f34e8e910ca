"""Layers in a row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bital.errors import ArgumentError, ModelStateError, ShapeError
from bital.keras import checks, layers
from bital.keras.layers.base import LAYERS, Layer, Shape
from bital.keras.layers.symbolic import Symbol
from bital.keras.models.model import Model


class Sequential(Model):
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
        self._symbols: tuple[Any, list[Any]] | None = None
        for layer in layers or ():
            self._append(layer)
        self._build_if_known()

    # Layers -------------------------------------------------------------------------------

    _input_layer: layers.InputLayer | None = None
    _is_base = False

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
        self._symbols = self._output_shapes = None
        return self._layers.pop()

    def _append(self, layer: Any) -> None:
        if isinstance(layer, Symbol):
            layer = layer.node.layer if not layer.node.sources else layer
        if not isinstance(layer, Layer):
            hint = " Write an instance, with ()." if isinstance(layer, type) else ""
            raise ArgumentError(f"{self.name} received {layer!r}, which is not a layer.{hint}")
        if isinstance(layer, layers.InputLayer):
            if self._layers or self.given_input_shape is not None:
                raise ArgumentError(f"{self.name}: an Input must stand first, and only once.")
            self.given_input_shape = layer.given_input_shape
            self._input_layer = layer
            return
        self._name_uniquely(layer)
        if not self._layers and self.given_input_shape is None:
            self.given_input_shape = layer.given_input_shape or layer.input_shape
        layer._parent = self
        self._layers.append(layer)
        self._symbols = self._output_shapes = None
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
        return self._chained(x, None, training, frozenset())[0]

    def _called(
        self, x: Any, further: dict[str, Any], mask: Any, raw: frozenset[int]
    ) -> tuple[Any, Any]:
        if "call" in self.__dict__ or type(self).call is not Sequential.call:
            return Layer._called(self, x, further, mask, raw)
        return self._chained(x, mask, further.get("training"), raw)

    def _chained(self, x: Any, mask: Any, training: Any, raw: frozenset[int]) -> tuple[Any, Any]:
        for layer in self._layers:
            masks = {} if mask is None else {"mask": mask}
            last = raw if layer is self._layers[-1] else frozenset()
            x, mask = layer._apply((x,), {}, training, masks, last)
        return x, mask

    def _activation_of(self, output: int) -> Callable[[Any], Any] | None:
        return self._layers[-1]._activation_of(output) if self._layers else None

    @property
    def _integer_inputs(self) -> bool:  # type: ignore[override]
        return bool(self._layers) and self._layers[0]._integer_inputs

    def check_input(self, input_shape: Shape) -> None:
        """Raise `ShapeError` unless the first layer takes inputs of this shape."""
        self._layers[0].check_input(input_shape)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the output's shape, batch first, for inputs of this shape."""
        if not self.built or input_shape != self._build_shape:
            return self._flow(input_shape, self._layers)
        if self._output_shapes is None:
            self._output_shapes = self._flow(input_shape, self._layers)
        return self._output_shapes

    def _flow(self, shape: Shape, through: Sequence[Layer]) -> Shape:
        for layer in through:
            shape = layer.compute_output_shape(shape)
        return shape

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """Return the layer of this name or place; its ``output`` leads to features.

        Raises
        ------
        ArgumentError
            If there is none.
        """
        layer = super().get_layer(name, index)
        if self.built and self._symbols is None and not layer._nodes:
            self._symbolic()
        return layer

    def _build_if_known(self) -> None:
        if self._layers and not self.built and self.given_input_shape is not None:
            self.build(self.given_input_shape)

    # In functional models -----------------------------------------------------------------

    def _symbolic(self) -> tuple[Any, list[Any]]:
        """A symbolic input, and what each layer makes of it."""
        if not self.built:
            raise ModelStateError(
                f"{self.name}.input: the model does not know its input yet. Put Input(shape) first."
            )
        if self._symbols is None:
            value = first = layers.Input(self._build_shape[1:], dtype=self._input_dtype)
            found = []
            for layer in self._layers:
                value = layer(value)
                found.append(value)
            self._symbols = first, found
        return self._symbols

    @property
    def _input_dtype(self) -> Any:
        return None if self._input_layer is None else self._input_layer.input_dtype

    @property
    def input(self) -> Any:
        """A symbolic input, from which ``get_layer(name).output`` follows."""
        return self._symbolic()[0]

    @property
    def output(self) -> Any:
        """The symbolic output."""
        return self._symbolic()[1][-1]

    @property
    def inputs(self) -> list[Any]:
        """The symbolic input, in a list."""
        return [self.input]

    @property
    def outputs(self) -> list[Any]:
        """The symbolic output, in a list."""
        return [self.output]

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_symbols": None}

    def get_config(self) -> dict[str, Any]:
        """Return name, dtype, input shape and layers as plain data."""
        shape = self._build_shape or self.given_input_shape
        return {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": None if self._dtype is None else self._dtype.name,
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
