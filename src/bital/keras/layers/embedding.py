"""Vectors looked up by integers."""

from __future__ import annotations

from typing import Any

import numpy as np

from bital.errors import IndexOutOfBoundsError
from bital.keras import checks, constraints, initializers, regularizers
from bital.keras.layers.base import Layer, Shape


class Embedding(Layer):
    """A vector for each integer: ``(batch, ...) -> (batch, ..., output_dim)``.

    The one weight, ``embeddings``, is ``(input_dim, output_dim)``; the output is
    ``embeddings[x]``.

    Parameters
    ----------
    input_dim : int
        How many integers there are: 0 to ``input_dim - 1``.
    output_dim : int
        Size of a vector.
    embeddings_initializer : str or Initializer, default "uniform"
        First values.
    embeddings_regularizer : str, Regularizer or function, optional
        What the size of the vectors adds to the loss.
    embeddings_constraint : str, Constraint or function, optional
        What the vectors are projected to after each step.
    mask_zero : bool, default False
        Whether 0 means "nothing here": layers after this one leave such places out.
    weights : array ``(input_dim, output_dim)`` or list of it, optional
        First values, instead of the initializer's.
    name, trainable, dtype, input_shape
        As in `Layer`.

    Raises
    ------
    IndexOutOfBoundsError
        Where an integer is negative or too large, with its position. Floating inputs are cut to
        integers, as in Keras.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Embedding(3, 2, weights=np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]))
    >>> layer(np.array([[2, 0]]))
    array([[[4., 5.],
            [0., 1.]]], dtype=float32)
    """

    _integer_inputs = True
    _left_out = ("input_shape", "weights")

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        weights: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.input_dim = checks.integer("Embedding", "input_dim", input_dim)
        self.output_dim = checks.integer("Embedding", "output_dim", output_dim)
        self.embeddings_initializer = initializers.get(embeddings_initializer)
        self.embeddings_regularizer = regularizers.get(embeddings_regularizer)
        self.embeddings_constraint = constraints.get(embeddings_constraint)
        self.mask_zero = checks.boolean("Embedding", "mask_zero", mask_zero)
        self.supports_masking = self.mask_zero
        if weights is not None:
            self.build((None, None))
            self.set_weights(weights if isinstance(weights, (list, tuple)) else [weights])

    def build(self, input_shape: Shape) -> None:
        """Make the vectors; they do not depend on the inputs' shape."""
        self.embeddings = self.add_weight(
            (self.input_dim, self.output_dim),
            self.embeddings_initializer,
            name="embeddings",
            regularizer=self.embeddings_regularizer,
            constraint=self.embeddings_constraint,
        )

    def call(self, x: Any) -> Any:
        """Return ``embeddings[x]``."""
        if np.dtype(x.dtype).kind not in "iu":
            x = x.astype(np.int32)
        if isinstance(x, np.ndarray):
            self._check(x)
        if np.dtype(x.dtype).kind == "i":
            # NumPy counts negative numbers from the end: they are moved out of range instead.
            x = np.where(x < 0, x - self.input_dim, x)
        table = self.embeddings.value
        if isinstance(table, np.ndarray):
            table = np.asarray(table, like=x)  # NumPy cannot look a traced value up in an array
        return table[x]

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        """Return where the inputs are not 0, with ``mask_zero``."""
        return np.not_equal(x, 0) if self.mask_zero else None

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape with ``output_dim`` behind it."""
        return (*input_shape, self.output_dim)

    def _check(self, x: np.ndarray) -> None:
        wrong = (x < 0) | (x >= self.input_dim)
        if wrong.any():
            place = tuple(int(i) for i in np.argwhere(wrong)[0])
            raise IndexOutOfBoundsError(
                f"{self.name}: the input at position {place} is {x[place]}, and the layer has "
                f"vectors for 0 to {self.input_dim - 1}. Write Embedding(input_dim="
                f"{max(int(x.max()) + 1, 1)}, ...), or look for what made it."
            )


__all__ = ["Embedding"]
