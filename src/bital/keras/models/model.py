"""Models: layers that can be trained, measured and saved, however they are put together."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import bital
from bital.errors import ArgumentError, ModelStateError, ShapeError
from bital.keras.layers import calling
from bital.keras.layers.base import Layer, Shape
from bital.keras.models.graph import Graph
from bital.keras.models.summary import as_html, describe
from bital.keras.models.trainer import Trainer


class Model(Trainer, Layer):
    """A model: ``Model(inputs, outputs)``, or a class of your own with a ``call``.

    A functional model is what lies between symbolic values. `Input` makes them, and layers and
    NumPy functions called on them return more. Layers can be shared, models can be called like
    layers, and a model can end at a value inside of another, which gives that value's features.

    A subclass makes its layers in ``__init__``, as attributes or in lists and dicts that are
    attributes, and uses them in ``call(x)``, which is plain NumPy.

    Parameters
    ----------
    inputs, outputs : symbolic value, or list or dict of them
        Only for functional models.
    name : str, optional
        Default: the class's name in snake case.
    trainable : bool, default True
        Whether ``fit`` changes the weights.
    dtype : {"float32", "float64"}, default "float32"
        Of the weights and of the computation, for the layers that have none of their own.

    Raises
    ------
    ArgumentError
        If the outputs do not follow from the inputs, or two layers have one name.

    Examples
    --------
    >>> from bital.keras import Input, layers
    >>> x = Input((8,))
    >>> h = layers.Dense(8, activation="relu")(x)
    >>> model = Model(x, layers.Dense(1)(x + h))
    >>> model.count_params()
    81

    The same as a class:

    >>> class Residual(Model):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.hidden = layers.Dense(8, activation="relu")
    ...         self.out = layers.Dense(1)
    ...     def call(self, x):
    ...         return self.out(x + self.hidden(x))
    >>> Residual()(np.zeros((2, 8))).shape
    (2, 1)
    """

    _is_base = True
    _integer_inputs = True  # the layers within cast what they receive
    _graph: Graph | None = None

    def __new__(cls, *arguments: Any, **options: Any) -> Model:
        """Make a `Functional` for ``Model(inputs, outputs)``."""
        if cls is Model and (arguments or "inputs" in options):
            from bital.keras.models.functional import Functional

            cls = Functional
        return super().__new__(cls)

    def __init__(
        self,
        inputs: Any = None,
        outputs: Any = None,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, trainable=trainable, dtype=dtype)
        # While a step is traced the variables hold tracers; no other thread may read them then.
        self._lock = threading.RLock()
        self._forget_programs()
        self._output_shapes: Shape = None
        if (inputs is None) != (outputs is None):
            raise ArgumentError(f"{self.name}: give Model(inputs, outputs) both, or neither.")
        if inputs is not None:
            inputs = list(inputs) if isinstance(inputs, tuple) else inputs
            self._become(Graph(self.name, inputs, outputs))

    def _become(self, graph: Graph) -> None:
        """Take over what lies between symbolic values."""
        _name_uniquely(self.name, graph.layers)
        for layer in graph.layers:
            if layer._parent is None:
                layer._parent = self
        self._graph = graph
        if self._dtype is None:
            self._built_dtype = np.dtype(graph.results[0].node.layer.dtype)
        shapes = bital.tree.map(lambda symbol: symbol.shape, graph.inputs)
        self._build_shape = calling.map_shapes(tuple, shapes)
        self._output_shapes = calling.map_shapes(tuple, graph.shapes())
        for layer in graph.layers:
            if not self._trainable:
                layer.trainable = False

    # Layers -------------------------------------------------------------------------------

    @property
    def layers(self) -> list[Layer]:
        """The layers: those of a functional model in the order in which they run."""
        return list(self.sublayers)

    @property
    def sublayers(self) -> list[Layer]:
        """The layers, whose weights are the model's."""
        inner = super().sublayers
        if self._graph is None:
            return inner
        known = {id(layer) for layer in self._graph.layers}
        return [*self._graph.layers, *(layer for layer in inner if id(layer) not in known)]

    @property
    def inputs(self) -> list[Any]:
        """The symbolic inputs of a functional model."""
        return [] if self._graph is None else list(self._graph.sources)

    @property
    def outputs(self) -> list[Any]:
        """The symbolic outputs of a functional model."""
        return [] if self._graph is None else list(self._graph.results)

    @property
    def input(self) -> Any:
        """The symbolic input, or the list or dict of them."""
        return super().input if self._graph is None else self._graph.inputs

    @property
    def output(self) -> Any:
        """The symbolic output, or the list or dict of them."""
        return super().output if self._graph is None else self._graph.outputs

    @property
    def input_names(self) -> list[str]:
        """Names by which ``fit`` finds inputs in a dict."""
        return [] if self._graph is None else _numbered([s.name for s in self._graph.sources])

    @property
    def output_names(self) -> list[str]:
        """Names of the outputs, in logs and in dicts of losses, metrics and targets.

        The keys of a dict; else the names of the layers that make them, or ``output_0``, ...
        """
        shapes = self.output_shape
        if calling.is_shape(shapes):
            return ["output"] if self._graph is None else [self._graph.results[0].name]
        if isinstance(shapes, dict):
            return sorted(shapes)
        if self._graph is not None:
            return _numbered([symbol.name for symbol in self._graph.results])
        return [f"output_{number}" for number in range(len(shapes))]

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """Return the layer of this name or place.

        Raises
        ------
        ArgumentError
            If there is none.
        """
        layers = self.layers
        if index is not None and -len(layers) <= index < len(layers):
            return layers[index]
        if self._graph is not None:
            layers += [symbol.node.layer for symbol in self._graph.sources]
        for layer in layers:
            if name is not None and layer.name == name:
                return layer
        known = ", ".join(layer.name for layer in layers)
        raise ArgumentError(
            f"{self.name}.get_layer(name={name!r}, index={index!r}): the layers are {known}."
        )

    # As a layer ---------------------------------------------------------------------------

    def build(self, input_shape: Shape) -> None:
        """Make the weights of all layers for inputs of this shape, by calling the model on zeros.

        Raises
        ------
        ShapeError
            If a layer does not take what it receives.
        """
        self._build_on(calling.as_shapes(input_shape))

    def _build_on(self, x: Any) -> None:
        """Make the weights for inputs like these arrays."""
        if "build" in _own_methods(type(self)):
            self.build(calling.without_batch(calling.shapes_of(x)))
            return
        self._note_build(calling.without_batch(calling.shapes_of(x)))
        try:
            self._output_shapes, _ = calling.by_probing(self, ((_without_values(x),), {}))
        except BaseException:
            self._build_shape = None
            raise

    def _build_for(self, shape: Shape, further: dict[str, Any]) -> None:
        if "build" in _own_methods(type(self)):
            super()._build_for(shape, further)
        else:
            self._note_build(calling.without_batch(shape))  # the layers within see to themselves

    def call(self, x: Any, training: bool = False) -> Any:
        """Return the outputs for the inputs."""
        if self._graph is None:
            raise NotImplementedError(
                f"{type(self).__name__} must define call(self, x), or be Model(inputs, outputs)"
            )
        return self._graph.run(x, None, training)[0]

    def _as_inputs(self, x: Any) -> Any:
        x = super()._as_inputs(x)
        if self._graph is None:
            return x
        leaves, structure = bital.tree.flatten(x)
        if len(leaves) == len(self._graph.keeps_integers):
            leaves = [
                leaf if keeps or leaf.dtype == self.dtype else leaf.astype(self.dtype)
                for leaf, keeps in zip(leaves, self._graph.keeps_integers, strict=True)
            ]
        return bital.tree.unflatten(structure, leaves)

    def _called(
        self, x: Any, further: dict[str, Any], mask: Any, raw: frozenset[int]
    ) -> tuple[Any, Any]:
        if self._graph is None or self._calls_itself():
            return super()._called(x, further, mask, raw)
        outputs, masks = self._graph.run(x, mask, further.get("training"), raw)
        return outputs, masks[0] if len(masks) == 1 else masks

    def _calls_itself(self) -> bool:
        """Whether a subclass, or someone who looks on, has put another ``call`` in its place."""
        return "call" in self.__dict__ or type(self).call is not Model.call

    def _activation_of(self, output: int) -> Callable[[Any], Any] | None:
        if self._graph is None or self._calls_itself():
            return None
        return self._graph.activation_of(output)

    def check_input(self, input_shape: Shape) -> None:
        """Raise `ShapeError` unless a functional model takes inputs of these shapes."""
        if self._graph is None:
            return
        found: list[Any] = []
        expected = [symbol.shape for symbol in self._graph.sources]
        if calling.is_shape(input_shape) is not calling.is_shape(self._build_shape):
            found = []
        else:
            calling.map_shapes(found.append, input_shape)
        fits = len(found) == len(expected) and all(
            len(have) == len(want)
            and all(w in (None, h) or h is None for h, w in zip(have, want, strict=True))
            for have, want in zip(found, expected, strict=True)
        )
        if not fits:
            raise ShapeError(
                f"{self.name} takes inputs of shape {self._build_shape} and received {input_shape}."
            )

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the shapes of the outputs, batch first, for inputs of these shapes."""
        if self._output_shapes is not None and input_shape == self._build_shape:
            return self._output_shapes
        return super().compute_output_shape(input_shape)

    @property
    def path(self) -> str:
        """The name within another model; empty for a model of its own."""
        return "" if self._parent is None else super().path

    # Looking, saving ----------------------------------------------------------------------

    def summary(
        self,
        line_length: int | None = None,
        print_fn: Callable[[str], Any] | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
    ) -> None:
        """Print a table of the layers with their output shapes and parameters.

        Parameters
        ----------
        line_length : int, optional
            Width of the table, at least.
        print_fn : callable, optional
            What receives the text. Default: ``print``.
        expand_nested : bool, default False
            Whether the layers of models within are listed too.
        show_trainable : bool, default False
            Whether a column says which layers ``fit`` changes.
        """
        describe(self, line_length, print_fn, expand_nested, show_trainable)

    def _repr_html_(self) -> str:
        return as_html(self)

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

    def preactivate(self, x: Any, training: bool = False) -> Any:
        """Return what the last layer's activation is applied to: logits, for a softmax.

        Raises
        ------
        ModelStateError
            If the model has several outputs, or the last layer has no activation.
        """
        if not calling.is_shape(self.output_shape) or self._activation_of(0) is None:
            raise ModelStateError(f"{self.name}: the last layer has no activation to leave out.")
        return self._apply((x,), {}, training, {}, frozenset({0}))[0]


def _own_methods(cls: type) -> set[str]:
    """Methods that a user's subclass of Model defines."""
    bases = cls.__mro__[: cls.__mro__.index(Model)]
    return {name for base in bases for name in base.__dict__}


def _without_values(x: Any) -> Any:
    """The tree with stand-ins for its arrays."""
    if isinstance(x, dict):
        return {key: _without_values(value) for key, value in x.items()}
    if isinstance(x, (list, tuple)):
        return type(x)([_without_values(value) for value in x])
    return calling.ShapeOnly((None, *x.shape[1:]), x.dtype)


def _numbered(names: list[str]) -> list[str]:
    """The names, with numbers behind those that come again."""
    found: list[str] = []
    for name in names:
        number, unique = 0, name
        while unique in found:
            number += 1
            unique = f"{name}_{number}"
        found.append(unique)
    return found


def _name_uniquely(who: str, layers: list[Layer]) -> None:
    """Number the layers that nobody named; raise if two have been given one name."""
    fixed = [layer for layer in layers if not layer.auto_named or layer._parent is not None]
    taken: set[str] = set()
    for layer in fixed:
        if layer.name in taken:
            raise ArgumentError(
                f"{who} has two layers named {layer.name!r}. Give one another name: name='...'."
            )
        taken.add(layer.name)
    for layer in layers:
        if layer.auto_named and layer._parent is None:
            number, name = 0, layer.name
            while layer.name in taken:
                number += 1
                layer.name = f"{name}_{number}"
            taken.add(layer.name)


__all__ = ["Model"]
