"""Layers around a function of the user's, or around nothing."""

from __future__ import annotations

import inspect
from typing import Any

from bital.errors import ArgumentError
from bital.keras import functions
from bital.keras.layers.base import Layer, Shape


class Identity(Layer):
    """Returns its inputs: ``(batch, ...) -> (batch, ...)``.

    Examples
    --------
    >>> import numpy as np
    >>> Identity()(np.array([[1.0]]))
    array([[1.]], dtype=float32)
    """

    supports_masking = True

    def call(self, x: Any) -> Any:
        """Return the inputs."""
        return x

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        return input_shape


class Lambda(Layer):
    """A function of NumPy code as a layer: ``(batch, ...) -> (batch, ...)``.

    Parameters
    ----------
    function : callable
        ``function(x, **arguments)``; if it has parameters ``training`` or ``mask`` it gets them,
        and a model file cannot hold it.
    output_shape : tuple of int or callable, optional
        Sizes of one sample of the output, or a function of the input's shape. Default: what the
        function returns for samples of zeros.
    mask : array or callable, optional
        The output's mask, or a function ``(x, mask)`` that returns it. Default: none.
    arguments : dict, optional
        Further arguments of the function.
    name, dtype, input_shape
        As in `Layer`.

    Raises
    ------
    ArgumentError
        If ``function`` is not callable, or ``arguments`` is not a dict.

    Examples
    --------
    >>> import numpy as np
    >>> Lambda(lambda x: np.sqrt(x) + 1)(np.array([[4.0]]))
    array([[3.]], dtype=float32)
    """

    def __init__(
        self,
        function: Any,
        output_shape: Any = None,
        mask: Any = None,
        arguments: dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if isinstance(function, dict):
            function = functions.deserialize(function)
        if not callable(function):
            raise ArgumentError(
                f"Lambda(function={function!r}): must be a function, such as lambda x: x**2."
            )
        if arguments is not None and not isinstance(arguments, dict):
            raise ArgumentError(f"Lambda(arguments={arguments!r}): must be a dict by name.")
        self.function = functions.own(function)
        self.given_output_shape = output_shape
        self.mask = mask
        self.arguments = arguments or {}
        self.supports_masking = mask is not None
        try:
            taken = set(inspect.signature(function).parameters)
        except ValueError:  # a ufunc or another builtin without a signature
            taken = set()
        self._asked = taken & {"training", "mask"}

    def call(self, x: Any, training: bool = False, mask: Any = None) -> Any:
        """Return what the function does."""
        known = {"training": training, "mask": mask}
        given = {name: known[name] for name in self._asked}
        # A function that asks for these has no single form that a file could hold.
        function = self.function.function if given else self.function
        return function(x, **self.arguments, **given)

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        """Return the mask that was given, or what its function returns."""
        return self.mask(x, mask) if callable(self.mask) else self.mask

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """Return ``output_shape`` behind the batch, or what the function returns for zeros."""
        if self.given_output_shape is None:
            return super().compute_output_shape(input_shape)
        if callable(self.given_output_shape):
            return tuple(self.given_output_shape(input_shape))
        batch = input_shape[0][0] if isinstance(input_shape[0], tuple) else input_shape[0]
        return (batch, *self.given_output_shape)

    def _argument(self, name: str) -> Any:
        return self.given_output_shape if name == "output_shape" else super()._argument(name)


__all__ = ["Identity", "Lambda"]
