"""What every layer is: a name, weights, and a ``call`` in plain NumPy."""

from __future__ import annotations

import functools
import inspect
from typing import Any

import numpy as np

import bital
from bital.errors import ArgumentError, DataError, ModelStateError, ShapeError
from bital.keras import checks, initializers, regularizers
from bital.keras.variables import Variable
from bital.keras.vocabulary import snake_case

Shape = tuple[Any, ...]
"""Sizes with the batch first; None where the data decide."""


class Layer:
    """Base of all layers.

    A subclass defines ``call(x)`` or ``call(x, training)`` in plain NumPy, ``build(input_shape)``
    if it has weights, and ``get_config()`` if its constructor has arguments of its own.

    Parameters
    ----------
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

    _takes_training = False

    def __init__(
        self,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: Any = None,
        input_shape: Any = None,
        input_dim: int | None = None,
    ) -> None:
        who = type(self).__name__
        self.auto_named = name is None
        self.name = snake_case(who) if name is None else checks.object_name(who, name)
        self.trainable = checks.boolean(who, "trainable", trainable)
        self._dtype = None if dtype is None else checks.floating_dtype(who, dtype)
        self._parent: Layer | None = None
        self._variables: list[Variable] = []
        self._inner: dict[str, list[Layer]] = {}
        self._build_shape: Shape | None = None
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
        cls._takes_training = "training" in inspect.signature(cls.call).parameters
        if "build" in cls.__dict__:
            cls.build = _remembering(cls.build)

    def __setattr__(self, name: str, value: Any) -> None:
        """Count layers and variables that become attributes as this layer's own."""
        if not name.startswith("_"):
            self._track(name, value)
        super().__setattr__(name, value)

    def _track(self, name: str, value: Any) -> None:
        items = list(value) if isinstance(value, (list, tuple)) else [value]
        found = [item for item in items if isinstance(item, Layer)]
        variable = isinstance(value, Variable)
        if not (found or variable or name in self.__dict__.get("_inner", ())):
            return
        if "_inner" not in self.__dict__:
            raise ModelStateError(
                f"{type(self).__name__}: write super().__init__() before self.{name} = ..., so "
                "that its weights can be counted."
            )
        for number, layer in enumerate(found):
            if layer.auto_named and layer._parent is None:
                layer.name = name if value is layer else f"{name}_{number}"
            layer._parent = self
        self._inner[name] = found
        if variable and all(value is not own for own in self._variables):
            value._owner = self
            value.name = name
            self._variables.append(value)

    # What subclasses define ---------------------------------------------------------------

    def build(self, input_shape: Shape) -> None:
        """Make the weights for inputs of this shape, ``(None, ...)``."""
        self._note_build(tuple(input_shape))

    def call(self, x: Any) -> Any:
        """Return the outputs for the inputs, in plain NumPy."""
        raise NotImplementedError(f"{type(self).__name__} must define call(self, x)")

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        return {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": None if self._dtype is None else self._dtype.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Layer:
        """Return a layer with these constructor arguments."""
        return cls(**config)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the output's shape, batch first, for inputs of this shape.

        The base class asks ``call``, with two samples of zeros.
        """
        sizes = tuple(1 if size is None else size for size in input_shape[1:])
        with np.errstate(all="ignore"):
            result = self(np.zeros((2, *sizes), self.dtype))
        return (None, *result.shape[1:])

    def check_input(self, input_shape: Shape) -> None:
        """Raise `ShapeError` if inputs of this shape do not fit the weights."""

    # Weights ------------------------------------------------------------------------------

    def add_weight(
        self,
        shape: tuple[int, ...] = (),
        initializer: Any = "glorot_uniform",
        dtype: Any = None,
        trainable: bool = True,
        name: str | None = None,
        regularizer: Any = None,
    ) -> Variable:
        """Create a weight, in ``build`` or ``__init__``; return its variable.

        Parameters
        ----------
        shape : tuple of int
            Sizes of the weight.
        initializer : str or Initializer, default "glorot_uniform"
            Where its first value comes from.
        dtype : dtype, optional
            Default: the layer's.
        trainable : bool, default True
            Whether ``fit`` changes it by its gradient.
        name : str, optional
            Last part of its path, unique within the layer.
        regularizer : str, Regularizer or function, optional
            What its size adds to the loss, while it is trainable.

        Raises
        ------
        ArgumentError
            If the name is taken.
        """
        who = f"{self.name}.add_weight"
        name = checks.object_name(who, name or f"variable_{len(self._variables)}")
        if any(variable.name == name for variable in self._variables):
            raise ArgumentError(f"{who}(name={name!r}): the layer has a weight of that name.")
        variable = Variable(
            initializers.get(initializer),
            checks.shape(who, "shape", shape),
            self.dtype if dtype is None else dtype,
            trainable,
            name,
            owner=self,
        )
        variable.regularizer = regularizers.get(regularizer)
        self._variables.append(variable)
        return variable

    @property
    def sublayers(self) -> list[Layer]:
        """Layers whose weights count as this layer's: its attributes that are layers."""
        return [layer for layers in self._inner.values() for layer in layers]

    @property
    def weights(self) -> list[Variable]:
        """All variables, those of the sublayers included."""
        inner = [variable for layer in self.sublayers for variable in layer.weights]
        return [*self._variables, *inner]

    @property
    def variables(self) -> list[Variable]:
        """The same as ``weights``."""
        return self.weights

    @property
    def trainable_weights(self) -> list[Variable]:
        """The variables that ``fit`` changes by their gradients."""
        if not self.trainable:
            return []
        own = [variable for variable in self._variables if variable.trainable]
        return own + [v for layer in self.sublayers for v in layer.trainable_weights]

    trainable_variables = trainable_weights

    @property
    def non_trainable_weights(self) -> list[Variable]:
        """The other variables."""
        chosen = {id(variable) for variable in self.trainable_weights}
        return [variable for variable in self.weights if id(variable) not in chosen]

    non_trainable_variables = non_trainable_weights

    def get_weights(self) -> list[np.ndarray]:
        """Return copies of all weights as plain arrays."""
        return [variable.numpy() for variable in self.weights]

    def set_weights(self, weights: Any) -> None:
        """Replace all weights, in the order of ``get_weights``; all of them, or none on an error.

        Raises
        ------
        ShapeError
            If the number of arrays or a shape differs.
        """
        variables = self.weights
        values = [np.asarray(value) for value in weights]
        if len(values) != len(variables):
            built = "" if self.built else " It has not been built yet: call it on data first."
            raise ShapeError(
                f"{self.name}.set_weights received {len(values)} arrays; the layer has "
                f"{len(variables)} weights.{built}"
            )
        for variable, value in zip(variables, values, strict=True):
            if value.shape != variable.shape:
                raise ShapeError(
                    f"{self.name}.set_weights received an array of shape {value.shape} for "
                    f"{variable.path!r} of shape {variable.shape}."
                )
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)

    def count_params(self) -> int:
        """Return the number of elements of all weights.

        Raises
        ------
        ModelStateError
            Before the layer is built: its weights depend on the input's shape.
        """
        if not self.built:
            raise ModelStateError(
                f"{self.name}.count_params(): the layer has no weights before it knows its input. "
                "Give input_shape=..., or call it on data first."
            )
        return sum(variable.size for variable in self.weights)

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

    def __call__(self, x: Any, training: bool = False) -> Any:
        """Return the outputs for the inputs: arrays, traced values or lists of numbers.

        Raises
        ------
        ShapeError
            If the inputs do not fit the weights.
        DataError
            If the inputs are not numbers.
        """
        x = self._as_input(x)
        if not self.built:
            self.build((None, *x.shape[1:]))
        self.check_input(x.shape)
        with bital.named_scope(self.name):
            return self.call(x, training=training) if self._takes_training else self.call(x)

    def _note_build(self, shape: Shape) -> None:
        # A layer that moves to another model keeps the dtype of its weights.
        self._built_dtype = self.dtype
        self._build_shape = shape

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
            if np.dtype(x.dtype).kind not in "biuf":
                raise DataError(
                    f"layer {self.name!r} received an array of dtype {x.dtype}; it computes with "
                    "numbers. Turn categories into integers or one-hot vectors first."
                )
            x = x.astype(self.dtype)
        return x

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name!r} built={self.built}>"


class Activated(Layer):
    """A layer whose output is an activation of something: ``activation(preactivate(x))``.

    A model that ends in one can compute its loss from ``preactivate(x)``, where that is more
    accurate: see ``losses.Loss.on_logits``.
    """

    activation: Any

    def preactivate(self, x: Any) -> Any:
        """Return what the activation is applied to."""
        raise NotImplementedError

    def call(self, x: Any) -> Any:
        """Return the activation of ``preactivate(x)``."""
        return self.activation(self.preactivate(x))


def _remembering(build: Any) -> Any:
    """``build`` that also notes the shape, so that subclasses need not call the base class."""

    @functools.wraps(build)
    def wrapper(self: Layer, input_shape: Shape | None = None) -> None:
        if self._build_shape is not None:
            return
        if input_shape is None:
            input_shape = self.given_input_shape
        if input_shape is None:
            raise ModelStateError(
                f"{self.name}.build(): the input shape is not known. Write build((None, 784)), or "
                "give the first layer input_shape=(784,)."
            )
        shape = tuple(input_shape)
        before = len(self._variables)
        try:
            build(self, shape)
        except BaseException:
            del self._variables[before:]
            raise
        self._note_build(shape)

    return wrapper
