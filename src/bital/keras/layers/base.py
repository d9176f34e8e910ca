"""What every layer is: a name, weights, and a ``call`` in plain NumPy."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import bital
from bital.errors import ArgumentError, DataError, ModelStateError
from bital.keras import checks, regularizers
from bital.keras.configuration import Configured
from bital.keras.layers import calling, symbolic
from bital.keras.layers.calling import Shape
from bital.keras.layers.weights import Weighted
from bital.keras.variables import Variable
from bital.keras.vocabulary import Vocabulary, snake_case


class Layer(Weighted, Configured):
    """Base of all layers.

    A subclass defines ``call`` in plain NumPy and ``build(input_shape)`` if it has weights. The
    first argument of ``call`` is the input: an array, or a list or dict of arrays. It can take more
    arrays, and by these names ``training`` (a bool) and ``mask`` (bool, ``(batch, time)``, or
    None). A constructor that stores each argument under its own name needs no ``get_config``.

    ``build`` receives the input's shape, ``(None, ...)``, or the list or dict of shapes; for
    further arrays of ``call``, say ``value``, it may take ``value_shape``.

    Parameters
    ----------
    activity_regularizer : str, Regularizer or function, optional
        What the size of the outputs adds to the loss, divided by the number of samples.
    name : str, optional
        Default: the class's name in snake case, numbered within a model.
    trainable : bool, default True
        Whether ``fit`` changes the weights.
    dtype : {"float32", "float64"}, optional
        Of the weights and of the computation. Default: the model's, which is float32.
    input_shape : tuple of int, optional
        Sizes of one sample, for the first layer of a model.
    input_dim : int, optional
        The same for flat samples: ``input_shape=(input_dim,)``.

    Examples
    --------
    >>> import numpy as np
    >>> class Scale(Layer):
    ...     def build(self, input_shape):
    ...         self.factor = self.add_weight((input_shape[-1],), "ones", name="factor")
    ...     def call(self, x):
    ...         return x * self.factor
    >>> Scale()(np.array([[1.0, 2.0]]))
    array([[1., 2.]], dtype=float32)
    """

    supports_masking = False
    """Whether the mask of the input holds for the output."""

    _integer_inputs = False
    """Whether inputs that are not floating stay as they are; else all are cast to the dtype."""

    _is_base = True  # of each class by itself: a base is not in the vocabulary
    _casts = True  # what floating inputs need: NumPy functions compute with what they are given
    _left_out = ("input_shape", "input_dim")
    _probed = True
    _call_names: tuple[str, ...] = ()
    _build_names: tuple[str, ...] = ()

    def __init__(
        self,
        *,
        activity_regularizer: Any = None,
        name: str | None = None,
        trainable: bool = True,
        dtype: Any = None,
        input_shape: Any = None,
        input_dim: int | None = None,
    ) -> None:
        who = type(self).__name__
        self.auto_named = name is None
        self.name = snake_case(who) if name is None else checks.object_name(who, name)
        self._trainable = checks.boolean(who, "trainable", trainable)
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self._dtype = None if dtype is None else checks.floating_dtype(who, dtype)
        self._parent: Layer | None = None
        self._variables: list[Variable] = []
        self._inner: dict[str, list[Layer]] = {}
        self._build_shape: Shape = None
        self._added_losses: list[Any] = []
        self._nodes: list[symbolic.Node] = []
        self._built_dtype: np.dtype[Any] | None = None
        if input_dim is not None:
            if input_shape is not None:
                raise ArgumentError(f"{who}: give input_shape or input_dim, not both.")
            input_shape = (checks.integer(who, "input_dim", input_dim),)
        self.given_input_shape: Shape | None = None
        if input_shape is not None:
            sizes = checks.shape(who, "input_shape", input_shape, unknown=True)
            self.given_input_shape = (None, *sizes)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls._probed = cls.compute_output_shape is Layer.compute_output_shape
        cls._call_names = calling.argument_names(cls.call)
        if "build" in cls.__dict__:
            cls._build_names = calling.argument_names(cls.build)[1:]
            cls.build = _remembering(cls.build)

    def __setattr__(self, name: str, value: Any) -> None:
        """Count layers and variables that become attributes as this layer's own."""
        if not name.startswith("_"):
            self._track(name, value)
        super().__setattr__(name, value)

    def _track(self, name: str, value: Any) -> None:
        found = dict(_layers_in(value, name))
        variable = isinstance(value, Variable)
        if not (found or variable or name in self.__dict__.get("_inner", ())):
            return
        if "_inner" not in self.__dict__:
            raise ModelStateError(
                f"{type(self).__name__}: write super().__init__() before self.{name} = ..., so "
                "that its weights can be counted."
            )
        for path, layer in found.items():
            if layer.auto_named and layer._parent is None:
                layer.name = path
            layer._parent = self
        self._inner[name] = list(found.values())
        if variable and all(value is not own for own in self._variables):
            value._owner = self
            value.name = name
            self._variables.append(value)

    # What subclasses define ---------------------------------------------------------------

    def build(self, input_shape: Shape) -> None:
        """Make the weights for inputs of this shape, ``(None, ...)``."""
        self._note_build(input_shape)

    def call(self, x: Any) -> Any:
        """Return the outputs for the inputs, in plain NumPy."""
        raise NotImplementedError(f"{type(self).__name__} must define call(self, x)")

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        """Return the mask of the output, or None, for an input with this mask.

        The base class hands the mask on if the layer ``supports_masking``.
        """
        del x
        return mask if self.supports_masking else None

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the output's shape, batch first, for inputs of this shape.

        The base class asks ``call``, with two samples of zeros.
        """
        return calling.by_probing(self, ((calling.as_shapes(input_shape),), {}))[0]

    def check_input(self, input_shape: Shape) -> None:
        """Raise `ShapeError` if inputs of this shape do not fit the weights."""

    def _argument(self, name: str) -> Any:
        return self._dtype if name == "dtype" else super()._argument(name)

    # Use ----------------------------------------------------------------------------------

    @property
    def built(self) -> bool:
        """Whether the weights exist."""
        return self._build_shape is not None

    @property
    def input_shape(self) -> Shape | None:
        """The shape that the layer was built for, batch first."""
        return self._build_shape

    @property
    def output_shape(self) -> Shape | None:
        """The output's shape, batch first, once the layer is built."""
        return None if self._build_shape is None else self.compute_output_shape(self._build_shape)

    @property
    def input(self) -> Any:
        """The symbolic input of the layer's only call in a functional model."""
        return symbolic.only_node(self, "input").arguments[0]

    @property
    def output(self) -> Any:
        """The symbolic output of the layer's only call in a functional model."""
        return symbolic.only_node(self, "output").outputs

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the weights and of the computation."""
        if self._dtype is not None:
            return self._dtype
        if self._built_dtype is not None:
            return self._built_dtype
        return self._parent.dtype if self._parent is not None else np.dtype(np.float32)

    @property
    def path(self) -> str:
        """Names of the layers around it and its own, joined by ``/``."""
        prefix = self._parent.path if self._parent is not None else ""
        return f"{prefix}/{self.name}" if prefix else self.name

    def __call__(
        self, x: Any, *more: Any, training: bool | None = None, mask: Any = None, **named: Any
    ) -> Any:
        """Return the outputs for the inputs: arrays, traced values or lists of numbers.

        Parameters
        ----------
        x : array, or list or dict of arrays
            ``(batch, ...)``
        *more, **named
            The further arguments of ``call``.
        training : bool, optional
            Default: that of the layer whose ``call`` this is in, else False.
        mask : array of bool, optional
            ``(batch, time)``: which steps of the input count.

        Raises
        ------
        ShapeError
            If the inputs do not fit the weights.
        DataError
            If the inputs are not numbers.
        """
        if symbolic.is_symbolic((x, more, named)):
            return symbolic.record(self, (x, *more), named, training, mask)
        masks = {} if mask is None else {"mask": mask}
        return self._apply((x, *more), named, training, masks)[0]

    def _apply(
        self,
        arguments: tuple[Any, ...],
        named: dict[str, Any],
        training: Any,
        masks: dict[str, Any],
        raw: frozenset[int] = frozenset(),
    ) -> tuple[Any, Any]:
        """Return the outputs and their mask; ``masks`` holds ``mask`` and, say, ``value_mask``.

        The outputs whose numbers are in ``raw`` are returned without their last activation.
        """
        first, *_ = arguments
        x = self._as_inputs(first)
        further = dict(zip(self._call_names[1:], arguments[1:], strict=False)) | named
        if len(arguments) > max(1, len(self._call_names)):
            raise ArgumentError(
                f"layer {self.name!r} takes {len(self._call_names)} arguments and was called with "
                f"{len(arguments)}. Several inputs of one kind are a list: layer([a, b])."
            )
        if "training" in further:
            training = further.pop("training")
        further = {name: self._as_further(value) for name, value in further.items()}
        shape = calling.shapes_of(x)
        if not self.built:
            self._build_for(shape, further)
        self.check_input(shape)
        self._added_losses = []
        with calling.training_as(training) as training, bital.named_scope(self.name):
            if "training" in self._call_names:
                further["training"] = training
            further |= {name: mask for name, mask in masks.items() if name in self._call_names}
            outputs, mask = self._called(x, further, masks.get("mask"), raw)
            if self.activity_regularizer is not None:
                for output in bital.tree.leaves(outputs):
                    self.add_loss(self.activity_regularizer(output) / output.shape[0])
        return outputs, mask

    def _called(
        self, x: Any, further: dict[str, Any], mask: Any, raw: frozenset[int]
    ) -> tuple[Any, Any]:
        return self.call(x, **further), self.compute_mask(x, mask)

    def _activation_of(self, output: int) -> Callable[[Any], Any] | None:
        """The activation that makes an output, if the layer can do without it."""
        return None

    def _build_for(self, shape: Shape, further: dict[str, Any]) -> None:
        shapes = {f"{name}_shape": value for name, value in further.items()}
        wanted = {
            name: calling.without_batch(calling.shapes_of(shapes[name]))
            for name in self._build_names
            if shapes.get(name) is not None
        }
        self.build(calling.without_batch(shape), **wanted)

    def _note_build(self, shape: Shape) -> None:
        # A layer that moves to another model keeps the dtype of its weights.
        self._built_dtype = self.dtype
        self._build_shape = calling.map_shapes(tuple, shape)

    def _as_inputs(self, x: Any) -> Any:
        """The input as arrays; a list of numbers is one array, a list of arrays several."""
        if isinstance(x, dict):
            return {key: self._as_inputs(value) for key, value in x.items()}
        if isinstance(x, (list, tuple)) and any(hasattr(item, "shape") for item in x):
            return [self._as_inputs(item) for item in x]
        return self._as_input(x)

    def _as_further(self, value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return type(value)([self._as_further(item) for item in value])
        if isinstance(value, Variable):
            value = value.value
        floating = hasattr(value, "dtype") and np.dtype(value.dtype).kind == "f"
        return value.astype(self.dtype) if floating and value.dtype != self.dtype else value

    def _as_input(self, x: Any) -> Any:
        if isinstance(x, Variable):
            x = x.value
        if not hasattr(x, "dtype"):
            x = np.asarray(x)
        if not x.shape:
            raise DataError(
                f"layer {self.name!r} received a single number; it takes a batch, (batch, ...)."
            )
        if x.dtype != self.dtype:
            kind = np.dtype(x.dtype).kind
            if self._integer_inputs and kind != "f":
                return x
            if kind not in "biuf":
                raise DataError(
                    f"layer {self.name!r} received an array of dtype {x.dtype}; it computes with "
                    "numbers. Turn categories into integers or one-hot vectors first."
                )
            x = x.astype(self.dtype)
        return x

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_nodes": []}  # a functional model brings its calls back

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name!r} built={self.built}>"


class Activated(Layer):
    """A layer whose output is an activation of something: ``activation(preactivate(x))``.

    A model that ends in one can compute its loss from ``preactivate(x)``, where that is more
    accurate: see ``losses.Loss.on_logits``.
    """

    _is_base = True
    activation: Any

    def preactivate(self, x: Any) -> Any:
        """Return what the activation is applied to."""
        raise NotImplementedError

    def call(self, x: Any) -> Any:
        """Return the activation of ``preactivate(x)``."""
        return self.activation(self.preactivate(x))

    def _called(
        self, x: Any, further: dict[str, Any], mask: Any, raw: frozenset[int]
    ) -> tuple[Any, Any]:
        call = self.preactivate if raw else self.call
        return call(x, **further), self.compute_mask(x, mask)

    def _activation_of(self, output: int) -> Callable[[Any], Any] | None:
        return self.activation if self.activity_regularizer is None else None


def _remembering(build: Any) -> Any:
    """``build`` that also notes the shape, so that subclasses need not call the base class."""

    @functools.wraps(build)
    def wrapper(self: Layer, input_shape: Shape = None, **more: Shape) -> None:
        if self._build_shape is not None:
            return
        if input_shape is None:
            input_shape = self.given_input_shape
        if input_shape is None:
            raise ModelStateError(
                f"{self.name}.build(): the input shape is not known. Write build((None, 784)), or "
                "give the first layer input_shape=(784,)."
            )
        shape = calling.map_shapes(tuple, input_shape)
        before = len(self._variables)
        try:
            build(self, shape, **more)
        except BaseException:
            del self._variables[before:]
            raise
        self._note_build(shape)

    return wrapper


def _layers_in(value: Any, path: str) -> Iterator[tuple[str, Layer]]:
    """The layers in lists and dicts, with names after their places."""
    if isinstance(value, Layer):
        yield path, value
    elif isinstance(value, (list, tuple)):
        for number, item in enumerate(value):
            yield from _layers_in(item, f"{path}_{number}")
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _layers_in(item, f"{path}_{key}")


def _layer_classes() -> list[type]:
    """Every layer and model that bital exports, without those that are only bases."""
    found: list[type] = []
    for folder in ("layers", "models"):
        module = importlib.import_module(f"bital.keras.{folder}")
        exported = [getattr(module, name) for name in module.__all__]
        found += [cls for cls in exported if isinstance(cls, type) and issubclass(cls, Layer)]
    return [cls for cls in found if not cls.__dict__.get("_is_base")]


LAYERS = Vocabulary("layer", Layer, _layer_classes)
"""What a file may name: every class that ``bital.keras.layers`` and ``models`` export."""
