"""Layers that nearly every network has: the input, dense layers, activations."""

from __future__ import annotations

from typing import Any

import numpy as np

from bital.errors import ArgumentError, ShapeError
from bital.keras import activations, checks
from bital.keras.layers import weight_options
from bital.keras.layers.base import Activated, Layer, Shape
from bital.keras.layers.symbolic import Node, Symbol

# Arguments of Keras that bital does not have.
_LATER = ("lora_rank", "lora_alpha", "quantization_config")


class InputLayer(Layer):
    """Says what one sample looks like: ``(batch, *shape) -> (batch, *shape)``.

    Parameters
    ----------
    shape : tuple of int
        Sizes of one sample; None for a size that the data decide.
    batch_size : int, optional
        Taken for Keras's sake, without effect: models take any number of samples.
    dtype : dtype, optional
        Kind of numbers that the model gets. Integers stay integers; floating numbers are cast to
        the dtype of the model.
    name : str, optional
        As in `Layer`.

    Raises
    ------
    ArgumentError
        If ``shape`` is not a tuple of sizes.
    """

    _integer_inputs = True

    def __init__(
        self, shape: Any, batch_size: int | None = None, dtype: Any = None, *, name: Any = None
    ) -> None:
        super().__init__(name=name, input_shape=shape)
        self.shape = self.given_input_shape
        self.batch_size = (
            None if batch_size is None else checks.integer("Input", "batch_size", batch_size)
        )
        self.input_dtype = None if dtype is None else np.dtype(dtype)

    def symbol(self) -> Symbol:
        """Return the symbolic value that stands for the input."""
        if not self._nodes:
            node = Node(self, (), {})
            node.outputs = Symbol(node, 0, self.shape, self.input_dtype or self.dtype)
            self._nodes.append(node)
        return self._nodes[0].outputs

    def call(self, x: Any) -> Any:
        """Return the inputs as they are."""
        return x

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        return input_shape

    def _argument(self, name: str) -> Any:
        if name == "dtype":
            return self.input_dtype
        return self.shape[1:] if name == "shape" else super()._argument(name)


def Input(
    shape: Any = None,
    batch_size: int | None = None,
    dtype: Any = None,
    *,
    name: str | None = None,
    batch_shape: Any = None,
    **later: Any,
) -> Symbol:
    """Return a symbolic value: the input of a functional model, or the first item of a Sequential.

    Parameters
    ----------
    shape : tuple of int
        Sizes of one sample; None for a size that the data decide.
    batch_size : int, optional
        Taken for Keras's sake, without effect: models take any number of samples.
    dtype : dtype, default float32
        ``"int32"`` and the like keep integers as they are.
    name : str, optional
        By which ``fit`` finds the input in a dict.
    batch_shape : tuple of int, optional
        Instead of ``shape``: the same with the number of samples, or None, in front.

    Raises
    ------
    ArgumentError
        If the shape is not a tuple of sizes, or for ``sparse``, ``ragged``, ``tensor`` and
        ``optional``, which bital does not have.

    Examples
    --------
    >>> Input((784,)).shape
    (None, 784)
    """
    checks.absent("Input", later, ("sparse", "ragged", "tensor", "optional"))
    if (shape is None) == (batch_shape is None):
        raise ArgumentError("Input: give shape, the sizes of one sample, for instance (784,).")
    if batch_shape is not None:
        batch_size, *shape = batch_shape
    return InputLayer(shape, batch_size, dtype, name=name).symbol()


class Dense(Activated):
    """A fully connected layer: ``activation(x @ kernel + bias)``.

    ``(batch, ..., in) -> (batch, ..., units)``; the kernel is ``(in, units)``, the bias
    ``(units,)``.

    Parameters
    ----------
    units : int
        Number of outputs.
    activation : str or function, optional
        Default: none.
    use_bias : bool, default True
        Whether a bias is added.
    kernel_initializer : str or Initializer, default "glorot_uniform"
        First values of the kernel.
    bias_initializer : str or Initializer, default "zeros"
        First values of the bias.
    kernel_regularizer, bias_regularizer : str, Regularizer or function, optional
        What their size adds to the loss.
    kernel_constraint, bias_constraint : str, Constraint or function, optional
        What they are replaced by after each step.
    activity_regularizer, name, trainable, dtype, input_shape, input_dim
        As in `Layer`.

    Raises
    ------
    ArgumentError
        For an argument with a value that is not allowed.

    Examples
    --------
    >>> import numpy as np
    >>> Dense(2, kernel_initializer="ones")(np.array([[1.0, 2.0]]))
    array([[3., 3.]], dtype=float32)
    """

    supports_masking = True

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: Any = None,
        input_shape: Any = None,
        input_dim: int | None = None,
        **later: Any,
    ) -> None:
        checks.absent("Dense", later, _LATER)
        super().__init__(
            activity_regularizer=activity_regularizer,
            name=name,
            trainable=trainable,
            dtype=dtype,
            input_shape=input_shape,
            input_dim=input_dim,
        )
        self.units = checks.integer("Dense", "units", units)
        self.activation = activations.get(activation)
        self.use_bias = checks.boolean("Dense", "use_bias", use_bias)
        weight_options.keep(
            self,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            bias_constraint=bias_constraint,
        )
        self.bias = None

    def build(self, input_shape: Shape) -> None:
        """Make kernel and bias.

        Raises
        ------
        ShapeError
            If the inputs have no feature axis, or one of unknown size.
        """
        if len(input_shape) < 2 or input_shape[-1] is None:
            raise ShapeError(
                f"Dense {self.name!r} received inputs of shape {input_shape}; it needs (batch, "
                "..., features) with a known number of features. Write x[:, np.newaxis] if each "
                "sample is one number."
            )
        features = input_shape[-1]
        self.kernel = weight_options.add(self, "kernel", (features, self.units))
        if self.use_bias:
            self.bias = weight_options.add(self, "bias", (self.units,))

    def check_input(self, input_shape: Shape) -> None:
        """Raise `ShapeError` unless the last axis fits the kernel."""
        features = self.kernel.shape[0]
        if len(input_shape) < 2 or input_shape[-1] != features:
            raise ShapeError(
                f"Dense {self.name!r} expects inputs of shape (batch, ..., {features}), since its "
                f"kernel is {self.kernel.shape}, and received {tuple(input_shape)}."
            )

    def preactivate(self, x: Any) -> Any:
        """Return ``x @ kernel + bias``."""
        z = x @ self.kernel
        return z if self.bias is None else z + self.bias

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape with ``units`` in the last place."""
        return (*input_shape[:-1], self.units)


class Activation(Activated):
    """An activation as a layer of its own: ``(batch, ...) -> (batch, ...)``.

    Parameters
    ----------
    activation : str or function
        What to apply.
    name, dtype, input_shape
        As in `Layer`.

    Raises
    ------
    ArgumentError
        If ``activation`` is not an activation.

    Examples
    --------
    >>> import numpy as np
    >>> Activation("relu")(np.array([[-1.0, 2.0]]))
    array([[0., 2.]], dtype=float32)
    """

    supports_masking = True

    def __init__(self, activation: Any, **options: Any) -> None:
        if activation is None:
            raise ArgumentError("Activation(None): name one, for instance Activation('relu').")
        super().__init__(**options)
        self.activation = activations.get(activation)

    def preactivate(self, x: Any) -> Any:
        """Return the inputs as they are."""
        return x

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        return input_shape


__all__ = ["Activation", "Dense", "Input", "InputLayer"]
