"""A layer whose kernel is divided by its largest singular value."""

from __future__ import annotations

from typing import Any

import numpy as np

import bital
from bital.errors import ArgumentError
from bital.keras import checks, initializers
from bital.keras.layers.base import Layer, Shape
from bital.keras.variables import Variable

_EPSILON = 1e-7


class SpectralNormalization(Layer):
    """Wrap a layer and divide its kernel, while training, by an estimate of its spectral norm.

    ``(batch, ...) -> `` what the layer returns. The kernel counts as a matrix of ``out`` columns;
    ``vector_u``, ``(1, out)``, is the estimate of its first right singular vector.

    Parameters
    ----------
    layer : Layer
        With a ``kernel`` or ``embeddings``, such as `Dense`, `Conv2D` or `Embedding`.
    power_iterations : int, default 1
        Steps of the power iteration in each call.
    name, trainable, dtype, input_shape
        As in `Layer`.

    Raises
    ------
    ArgumentError
        If ``layer`` is not a layer with a kernel.

    Notes
    -----
    Source: Miyato et al. 2018, "Spectral Normalization for Generative Adversarial Networks",
    algorithm 1. In ``fit`` the gradient goes through the division, and the optimizer changes the
    kernel before it; called by hand with ``training=True`` the kernel itself is replaced.

    Examples
    --------
    >>> import numpy as np
    >>> from bital.keras.layers import Dense
    >>> layer = SpectralNormalization(Dense(1, kernel_initializer="ones"))
    >>> layer(np.array([[3.0, 4.0]]), training=True).round(3)
    array([[4.95]], dtype=float32)
    """

    def __init__(self, layer: Any, power_iterations: int = 1, **options: Any) -> None:
        super().__init__(**options)
        if not isinstance(layer, Layer):
            raise ArgumentError(f"SpectralNormalization({layer!r:.80}): must be a layer.")
        self.layer = layer
        self.power_iterations = checks.integer(
            "SpectralNormalization", "power_iterations", power_iterations
        )

    def build(self, input_shape: Shape) -> None:
        """Build the layer, and make the vector."""
        self.layer.build(input_shape)
        out = self._kernel.shape[-1]
        self.vector_u = self.add_weight(
            (1, out), initializers.TruncatedNormal(stddev=0.02), trainable=False, name="vector_u"
        )

    @property
    def _kernel(self) -> Variable:
        for name in ("kernel", "embeddings"):
            if hasattr(self.layer, name):
                return getattr(self.layer, name)
        raise ArgumentError(
            f"SpectralNormalization({type(self.layer).__name__}): the layer has neither a kernel "
            "nor embeddings to normalise."
        )

    @property
    def weights(self) -> list[Variable]:
        """The kernel, the vector, and the layer's other weights, as in Keras."""
        if not self.built:
            return []
        kernel = self._kernel
        rest = [variable for variable in self.layer.weights if variable is not kernel]
        return [kernel, self.vector_u, *rest]

    def call(self, x: Any, training: bool = False) -> Any:
        """Return the layer's outputs; while training, normalise its kernel first."""
        if training:
            kernel = self._kernel.value
            matrix = kernel.reshape((-1, kernel.shape[-1]))
            u: Any = self.vector_u.value
            for _ in range(self.power_iterations):
                v = _unit(u @ matrix.T)
                u = _unit(v @ matrix)
            u, v = bital.stop_gradient(u), bital.stop_gradient(v)
            sigma = (v @ matrix @ u.T)[0, 0]
            zero = np.all(kernel == 0)
            self.vector_u.assign(np.where(zero, self.vector_u.value, u))
            self._kernel.assign(kernel / np.where(zero, 1, sigma))
        return self.layer(x, training=training)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the layer's."""
        return self.layer.compute_output_shape(input_shape)


def _unit(vector: Any) -> Any:
    return vector / np.sqrt(np.maximum(np.sum(vector * vector), _EPSILON**2))


__all__ = ["SpectralNormalization"]
