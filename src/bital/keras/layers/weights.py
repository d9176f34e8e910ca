"""What a layer has: its weights, those of the layers within, and what it adds to the loss."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from bital.errors import ArgumentError, ModelStateError, ShapeError
from bital.keras import checks, initializers, regularizers
from bital.keras.layers import calling
from bital.keras.variables import Variable


class Weighted:
    """The half of `Layer` that holds weights."""

    name: str
    built: bool
    dtype: np.dtype[Any]
    _trainable: bool
    _variables: list[Variable]
    _inner: dict[str, list[Any]]
    _added_losses: list[Any]

    def add_weight(
        self,
        shape: tuple[int, ...] = (),
        initializer: Any = "glorot_uniform",
        dtype: Any = None,
        trainable: bool = True,
        name: str | None = None,
        regularizer: Any = None,
        constraint: Any = None,
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
        constraint : str, Constraint or function, optional
            ``weight -> weight``: what it is replaced by after each step of training.

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
        variable.constraint = _constraint(constraint)
        self._variables.append(variable)
        return variable

    def add_loss(self, value: Any) -> None:
        """Add a number to the loss that training lowers; to be called within ``call``.

        Parameters
        ----------
        value : scalar, or list of them
            Computed from the inputs and the weights.
        """
        for loss in value if isinstance(value, (list, tuple)) else [value]:
            if not calling.collected(loss):
                self._added_losses.append(loss)

    @property
    def losses(self) -> list[Any]:
        """What the last call added to the loss, and the penalties of the weights."""
        penalties = [
            variable.regularizer(variable.value)
            for variable in self.trainable_weights
            if variable.regularizer is not None
        ]
        return [loss for layer in self._nested() for loss in layer._added_losses] + penalties

    def _nested(self) -> Iterator[Any]:
        """This layer and all within it."""
        yield self
        for layer in self.sublayers:
            yield from layer._nested()

    @property
    def trainable(self) -> bool:
        """Whether ``fit`` changes the weights; setting it sets it in all layers within too."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        checks.boolean(type(self).__name__, "trainable", value)
        for layer in self._nested():
            layer._trainable = value

    @property
    def sublayers(self) -> list[Any]:
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


def _constraint(identifier: Any) -> Any:
    if identifier is None:
        return None
    return importlib.import_module("bital.keras.constraints").get(identifier)
