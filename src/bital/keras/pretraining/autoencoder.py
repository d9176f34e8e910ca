"""Autoencoders of one hidden layer."""

from __future__ import annotations

from typing import Any

import numpy as np

from bital.errors import ArgumentError, ShapeError
from bital.keras import activations, checks, initializers, regularizers
from bital.keras.callbacks import History
from bital.keras.layers import Activated, Dense, Layer
from bital.keras.layers.base import Shape
from bital.keras.models import Sequential


class Coder(Activated):
    """Codes its inputs and decodes them again: ``(batch, features) -> (batch, features)``.

    ``h = activation(x @ kernel + bias)``, then ``decoder_activation(h @ kernel.T + decoder_bias)``,
    or with a ``decoder_kernel`` of its own. The weights stand in this order: kernel, bias,
    decoder_kernel if not tied, decoder_bias. `Autoencoder` explains the arguments.

    Examples
    --------
    >>> import numpy as np
    >>> coder = Coder(2, "linear", "linear", kernel_initializer="ones")
    >>> coder(np.array([[1.0, 2.0]]))
    array([[6., 6.]], dtype=float32)
    """

    def __init__(
        self,
        units: int,
        activation: Any = "sigmoid",
        decoder_activation: Any = "sigmoid",
        tied: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        kernel_regularizer: Any = None,
        hidden_regularizer: Any = None,
        sparsity: float | None = None,
        sparsity_weight: float = 0.1,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        who = "Autoencoder"
        self.units = checks.integer(who, "units", units)
        self.hidden_activation = activations.get(activation)
        self.activation = activations.get(decoder_activation)
        self.tied = checks.boolean(who, "tied", tied)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.hidden_regularizer = regularizers.get(hidden_regularizer)
        self.sparsity = sparsity
        if sparsity is not None:
            self.sparsity = checks.number(who, "sparsity", sparsity, 1e-6, 1 - 1e-6)
            if self.hidden_activation is not activations.get("sigmoid"):
                raise ArgumentError(
                    f"{who}(sparsity={sparsity}, activation={activation!r}): the target is a mean "
                    "activity between 0 and 1, which only activation='sigmoid' has. Write "
                    "hidden_regularizer='l1' for others."
                )
        self.sparsity_weight = checks.number(who, "sparsity_weight", sparsity_weight, 0)
        self.decoder_kernel = None

    def build(self, input_shape: Shape) -> None:
        """Make the weights.

        Raises
        ------
        ShapeError
            If the inputs are not vectors of a known size.
        """
        if len(input_shape) != 2 or input_shape[1] is None:
            raise ShapeError(
                f"{self.name} takes inputs of shape (batch, features), and received "
                f"{tuple(input_shape)}. Write x.reshape(len(x), -1)."
            )
        features = input_shape[1]
        options = {"initializer": self.kernel_initializer, "regularizer": self.kernel_regularizer}
        self.kernel = self.add_weight((features, self.units), name="kernel", **options)
        self.bias = self.add_weight((self.units,), "zeros", name="bias")
        if not self.tied:
            self.decoder_kernel = self.add_weight(
                (self.units, features), name="decoder_kernel", **options
            )
        self.decoder_bias = self.add_weight((features,), "zeros", name="decoder_bias")

    def encode(self, x: Any) -> Any:
        """Return the codes: ``(batch, features) -> (batch, units)``."""
        return self.hidden_activation(x @ self.kernel + self.bias)

    def preactivate(self, x: Any) -> Any:
        """Return what the decoder's activation is applied to, and add the penalties."""
        h = self.encode(x)
        if self.hidden_regularizer is not None:
            self.add_loss(self.hidden_regularizer(h) / h.shape[0])
        if self.sparsity is not None:
            self.add_loss(self.sparsity_weight * _divergence(self.sparsity, np.mean(h, axis=0)))
        back = self.kernel.T if self.decoder_kernel is None else self.decoder_kernel
        return h @ back + self.decoder_bias

    def decode(self, h: Any) -> Any:
        """Return the reconstructions: ``(batch, units) -> (batch, features)``."""
        back = self.kernel.T if self.decoder_kernel is None else self.decoder_kernel
        return self.activation(h @ back + self.decoder_bias)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        return tuple(input_shape)


class Autoencoder(Sequential):
    """A hidden layer that learns to reconstruct its inputs: ``(batch, features)``, same out.

    ``h = activation(x @ kernel + bias)``, then ``decoder_activation(h @ kernel.T + decoder_bias)``.
    It is a model: `fit` needs no targets, and takes every other argument; ``compile`` changes what
    the constructor chose.

    Parameters
    ----------
    units : int
        Size of the hidden layer.
    activation : str or function, default "sigmoid"
        Of the hidden layer.
    decoder_activation : str or function, default "sigmoid"
        Of the reconstruction: "sigmoid" for inputs in [0, 1], "linear" for any.
    noise : Layer, optional
        What damages the inputs in training, such as `MaskingNoise`: a denoising autoencoder. The
        target is the input without the damage.
    tied : bool, default True
        Whether the decoder uses the encoder's kernel, transposed.
    kernel_initializer : str or Initializer, default "glorot_uniform"
        First values of the kernels; biases begin with 0.
    kernel_regularizer : str, Regularizer or function, optional
        What the size of the kernels adds to the loss.
    hidden_regularizer : str, Regularizer or function, optional
        What the size of the codes adds to the loss, per sample: ``"l1"`` makes them sparse.
    sparsity : float, optional
        Mean activity that each hidden unit is held to, such as 0.05.
    sparsity_weight : float, default 0.1
        Factor of the divergence from it, ``sum(KL(sparsity, mean activity))``.
    optimizer : str or Optimizer, default "adam"
        As in ``compile``.
    loss : str, Loss or function, optional
        Default: "binary_crossentropy" with a sigmoid decoder, else "mse".
    name, dtype
        As in `Layer`.

    Notes
    -----
    Sources: Bengio et al. 2007, "Greedy Layer-Wise Training of Deep Networks"; Vincent et al. 2010,
    "Stacked Denoising Autoencoders"; Ng 2011, "Sparse Autoencoder" (the divergence).

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(0).random((32, 8)).astype(np.float32)
    >>> coder = Autoencoder(3)
    >>> history = coder.fit(x, epochs=2, verbose=0, seed=0)
    >>> coder.encode(x).shape
    (32, 3)
    """

    def __init__(
        self,
        units: int,
        activation: Any = "sigmoid",
        decoder_activation: Any = "sigmoid",
        noise: Layer | None = None,
        tied: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        kernel_regularizer: Any = None,
        hidden_regularizer: Any = None,
        sparsity: float | None = None,
        sparsity_weight: float = 0.1,
        optimizer: Any = "adam",
        loss: Any = None,
        **options: Any,
    ) -> None:
        coder = Coder(
            units,
            activation,
            decoder_activation,
            tied,
            kernel_initializer,
            kernel_regularizer,
            hidden_regularizer,
            sparsity,
            sparsity_weight,
        )
        super().__init__([coder] if noise is None else [noise, coder], **options)
        binary = coder.activation is activations.get("sigmoid")
        self.compile(optimizer, loss or ("binary_crossentropy" if binary else "mse"))

    @property
    def coder(self) -> Coder:
        """The layer that holds the weights."""
        coder = self.layers[-1]
        assert isinstance(coder, Coder)
        return coder

    def fit(self, x: Any, y: Any = None, **options: Any) -> History:  # type: ignore[override]
        """Learn to reconstruct ``x``; return the history. ``options`` are those of ``Model.fit``.

        ``validation_data`` is an array of inputs.

        Raises
        ------
        ArgumentError
            If targets are given: they are the inputs.
        """
        return super().fit(*own_targets(self.name, x, y, options), **options)

    def encode(self, x: Any, batch_size: int = 1024) -> np.ndarray:
        """Return the codes: ``(samples, features) -> (samples, units)``."""
        x = np.asarray(x, self.dtype)
        parts = range(0, len(x), batch_size)
        return np.concatenate([self.coder.encode(x[at : at + batch_size]) for at in parts])

    def decode(self, h: Any) -> np.ndarray:
        """Return the reconstructions: ``(samples, units) -> (samples, features)``."""
        return np.asarray(self.coder.decode(np.asarray(h, self.dtype)))

    def to_dense(self, **options: Any) -> Dense:
        """Return the encoder as a `Dense` layer with copies of its weights, for another model."""
        coder = self.coder
        return dense(coder.hidden_activation, coder.kernel, coder.bias, **options)


def own_targets(who: str, x: Any, y: Any, options: dict[str, Any]) -> tuple[Any, Any]:
    """The inputs as their own targets, in ``options["validation_data"]`` too.

    Raises
    ------
    ArgumentError
        If there are others.
    """
    validation = options.get("validation_data")
    if y is not None or isinstance(validation, (tuple, list)):
        given = "y" if y is not None else "validation_data=(x, y)"
        raise ArgumentError(f"{who}.fit({given}): there are no targets; give the inputs alone.")
    if validation is not None:
        options["validation_data"] = (validation, validation)
    return x, x


def dense(activation: Any, kernel: Any, bias: Any, **options: Any) -> Dense:
    """Return a `Dense` layer with these weights."""
    layer = Dense(kernel.shape[1], activation, dtype=kernel.dtype, **options)
    layer.build((None, kernel.shape[0]))
    layer.set_weights([kernel.numpy(), bias.numpy()])
    return layer


def _divergence(target: float, mean: Any) -> Any:
    """The sum over units of the divergence of Bernoulli distributions."""
    on = target * (np.log(target) - np.log(mean))
    off = (1 - target) * (np.log(1 - target) - np.log(1 - mean))
    return np.sum(on + off)


__all__ = ["Autoencoder", "Coder"]
