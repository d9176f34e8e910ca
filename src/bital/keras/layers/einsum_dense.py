"""Dense layers over any axes."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from bital.errors import ArgumentError, ShapeError
from bital.keras import activations, checks, constraints, initializers, regularizers
from bital.keras.layers.base import Activated, Shape

_FORMS = re.compile(
    r"(?P<left>\.\.\.)?(?P<x>[a-zA-Z]+)(?P<right>\.\.\.)?,(?P<kernel>[a-zA-Z]+)->"
    r"(?P<left_out>\.\.\.)?(?P<out>[a-zA-Z]+)(?P<right_out>\.\.\.)?"
)


class EinsumDense(Activated):
    """A dense layer by an equation: ``activation(einsum(equation, x, kernel) + bias)``.

    Weights: ``kernel`` with the axes that the equation names, and ``bias`` if ``bias_axes`` names
    axes of the output.

    Parameters
    ----------
    equation : str
        ``"ab,bc->ac"``, with an ellipsis on the left (``"...x,xy->...y"``) or on the right
        (``"abx...,xy->aby..."``) of the input and the output; the batch is the first axis.
    output_shape : int or tuple of int
        Sizes of the output without the batch and what an ellipsis stands for; None for those that
        the input decides.
    activation : str or function, optional
        Default: none.
    bias_axes : str, optional
        The axes of the output that the bias has, such as ``"c"``.
    kernel_initializer, bias_initializer : str or Initializer, "glorot_uniform" and "zeros"
        First values. What depends on the number of inputs counts the kernel's axes that are
        summed over as inputs, and those that stand in the output as outputs.
    kernel_regularizer, bias_regularizer : str, Regularizer or function, optional
        What their size adds to the loss.
    kernel_constraint, bias_constraint : str, Constraint or function, optional
        What they are projected to after each step.
    name, trainable, dtype, input_shape
        As in `Layer`.

    Raises
    ------
    ArgumentError
        If the equation does not have one of these forms.
    ShapeError
        If the inputs do not fit it.

    Examples
    --------
    >>> import numpy as np
    >>> layer = EinsumDense("abc,cd->abd", output_shape=(None, 64), bias_axes="d")
    >>> layer(np.zeros((2, 5, 16))).shape
    (2, 5, 64)
    """

    def __init__(
        self,
        equation: str,
        output_shape: Any,
        activation: Any = None,
        bias_axes: str | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.equation = _checked(equation)
        sizes = (output_shape,) if isinstance(output_shape, (int, np.integer)) else output_shape
        self.partial_output_shape = checks.shape("EinsumDense", "output_shape", sizes, unknown=True)
        self.activation = activations.get(activation)
        self.bias_axes = bias_axes
        output = _parts(self.equation)["out"]
        if bias_axes is not None and (not bias_axes or set(bias_axes) - set(output)):
            raise ArgumentError(
                f"EinsumDense(bias_axes={bias_axes!r}): must be some of the output's axes, "
                f"{output!r} in {equation!r}."
            )
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.bias = None

    def build(self, input_shape: Shape) -> None:
        """Make kernel and bias.

        Raises
        ------
        ShapeError
            If the inputs do not fit the equation.
        """
        parts = _parts(self.equation)
        sizes, elided = self._sizes(input_shape)
        unknown = [axis for axis in parts["kernel"] if sizes.get(axis) is None]
        if unknown:
            raise ShapeError(
                f"EinsumDense {self.name!r}: the size of the kernel's axis {unknown[0]!r} in "
                f"{self.equation!r} is not known from inputs of shape {tuple(input_shape)} and "
                f"output_shape={self.partial_output_shape}."
            )
        self.kernel = self.add_weight(
            tuple(sizes[axis] for axis in parts["kernel"]),
            self._scaled_by_equation(sizes),
            name="kernel",
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        if self.bias_axes is None:
            return
        first = min(parts["out"].index(axis) for axis in self.bias_axes)
        shape = [sizes[axis] if axis in self.bias_axes else 1 for axis in parts["out"][first:]]
        self.bias = self.add_weight(
            (*shape, *(1 for _ in elided if parts["right"])),
            self.bias_initializer,
            name="bias",
            regularizer=self.bias_regularizer,
            constraint=self.bias_constraint,
        )

    def check_input(self, input_shape: Shape) -> None:
        """Raise `ShapeError` unless the inputs fit the equation and the kernel."""
        sizes, _ = self._sizes(input_shape)
        for axis, size in zip(_parts(self.equation)["kernel"], self.kernel.shape, strict=True):
            if sizes[axis] != size:
                raise ShapeError(
                    f"EinsumDense {self.name!r}: axis {axis!r} of {self.equation!r} has size "
                    f"{sizes[axis]} in inputs of shape {tuple(input_shape)}; the kernel is "
                    f"{self.kernel.shape}."
                )

    def preactivate(self, x: Any) -> Any:
        """Return ``einsum(equation, x, kernel) + bias``."""
        z = np.einsum(self.equation, x, self.kernel)
        return z if self.bias is None else z + self.bias

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the sizes of the output's axes."""
        parts = _parts(self.equation)
        sizes, elided = self._sizes(input_shape)
        named = tuple(sizes[axis] for axis in parts["out"])
        return (*elided, *named) if parts["left"] else (*named, *elided)

    def _argument(self, name: str) -> Any:
        return self.partial_output_shape if name == "output_shape" else super()._argument(name)

    def _sizes(self, input_shape: Shape) -> tuple[dict[str, Any], Shape]:
        """Sizes by the letters of the equation, and those that the ellipsis stands for."""
        parts = _parts(self.equation)
        count = len(input_shape) - len(parts["x"])
        if count < 0 or (count > 0 and not (parts["left"] or parts["right"])):
            raise ShapeError(
                f"EinsumDense {self.name!r}: {self.equation!r} takes inputs of "
                f"{len(parts['x'])} axes{' or more' * bool(parts['left'] or parts['right'])}, and "
                f"received {tuple(input_shape)}."
            )
        shape = tuple(input_shape)
        cut = count if parts["left"] else len(parts["x"])
        elided, named = (shape[:cut], shape[cut:]) if parts["left"] else (shape[cut:], shape[:cut])
        sizes = dict(zip(parts["x"], named, strict=True))
        # The batch leads the output, named or within the ellipsis; its size is not in output_shape.
        letters = parts["out"] if parts["left"] and elided else parts["out"][1:]
        if len(letters) != len(self.partial_output_shape):
            raise ShapeError(
                f"EinsumDense {self.name!r}: output_shape={self.partial_output_shape} must have a "
                f"size for each of the axes {letters!r} of the output in {self.equation!r}."
            )
        for axis, size in zip(letters, self.partial_output_shape, strict=True):
            known = sizes.setdefault(axis, size)
            if None not in (size, known) and size != known:
                raise ShapeError(
                    f"EinsumDense {self.name!r}: axis {axis!r} of {self.equation!r} has size "
                    f"{known} in inputs of shape {shape} and {size} in output_shape="
                    f"{self.partial_output_shape}."
                )
        return sizes, elided

    def _scaled_by_equation(self, sizes: dict[str, Any]) -> Any:
        """The kernel's initializer, told which axes of the kernel are inputs."""
        initializer = self.kernel_initializer
        if not isinstance(initializer, initializers.VarianceScaling):
            return initializer
        parts = _parts(self.equation)
        inputs = [a for a in parts["kernel"] if a not in parts["out"]]
        outputs = [a for a in parts["kernel"] if a in parts["out"]]
        order = [parts["kernel"].index(axis) for axis in (*inputs, *outputs)]

        def made(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
            rows, columns = ([sizes[a] for a in axes] for axes in (inputs, outputs))
            matrix = initializer((math.prod(rows), math.prod(columns)), dtype)
            return np.transpose(matrix.reshape(*rows, *columns), np.argsort(order))

        return made


def _parts(equation: str) -> dict[str, str]:
    found = _FORMS.fullmatch(equation)
    assert found is not None
    return {name: text or "" for name, text in found.groupdict().items()}


def _checked(equation: Any) -> str:
    """The equation without spaces, if it has one of the forms and every axis comes from somewhere.

    Raises
    ------
    ArgumentError
        If it has not.
    """
    who = f"EinsumDense(equation={equation!r})"
    found = _FORMS.fullmatch(equation.replace(" ", "")) if isinstance(equation, str) else None
    if found is None:
        raise ArgumentError(
            f'{who}: must look like "ab,bc->ac", "...x,xy->...y" or "abx...,xy->aby...".'
        )
    parts = _parts(found.string)
    sides = [(bool(parts[s]), bool(parts[f"{s}_out"])) for s in ("left", "right")]
    if any(x != out for x, out in sides) or (parts["left"] and parts["right"]):
        raise ArgumentError(
            f"{who}: an ellipsis must stand at one end of the input and at the same of the output."
        )
    new = set(parts["out"]) - set(parts["x"]) - set(parts["kernel"])
    loose = set(parts["kernel"]) - set(parts["x"]) - set(parts["out"])
    if new or loose:
        axis = min(new or loose)
        raise ArgumentError(
            f"{who}: axis {axis!r} of the {'output' if new else 'kernel'} stands nowhere else."
        )
    return found.string


__all__ = ["EinsumDense"]
