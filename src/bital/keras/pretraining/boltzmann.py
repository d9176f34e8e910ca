"""Restricted Boltzmann machines."""

from __future__ import annotations

from typing import Any

import numpy as np

import bital
from bital import nn
from bital.errors import ShapeError
from bital.keras import checks, initializers, optimizers, random_state, regularizers
from bital.keras.callbacks import History
from bital.keras.layers import Dense
from bital.keras.layers.base import Shape
from bital.keras.models import Model
from bital.keras.pretraining.autoencoder import dense, own_targets
from bital.keras.random_state import draw_key


class RBM(Model):
    """A restricted Boltzmann machine: ``(batch, visible) -> (batch, visible)``, reconstructions.

    Its energy is ``-v @ b - h @ c - v @ W @ h`` for Bernoulli units, and has ``|v - b|**2 / 2`` in
    the place of the first term for Gaussian visible units of variance 1. The weights are ``kernel``
    W, ``bias`` c of the hidden and ``visible_bias`` b.

    It is a model: `fit` needs no targets, and takes every other argument; ``compile`` chooses the
    optimizer. What is lowered is ``mean(F(v)) - mean(F(v_k))``, with the free energy F and samples
    v_k that count as constants: its gradient is contrastive divergence. The ``loss`` in the logs is
    the squared error of reconstructions, per input; it tells how training goes, though it is not
    what is lowered.

    Parameters
    ----------
    units : int
        Number of hidden units.
    visible : {"bernoulli", "gaussian"}, default "bernoulli"
        For inputs in [0, 1], or for inputs of mean 0 and variance 1 (see `Normalization`).
    k : int, default 1
        Steps of Gibbs sampling.
    persistent : bool, default False
        Whether samples go on from the ones before, and not from the inputs.
    chains : int, default 100
        How many samples go on, if they do.
    weight_decay : float, default 0
        Adds ``weight_decay / 2 * sum(kernel**2)`` to what is lowered.
    kernel_initializer : str or Initializer, optional
        Default: normal with standard deviation 0.01.
    optimizer : str or Optimizer, optional
        Default: ``SGD(0.05, momentum=0.5)``.
    name, dtype
        As in `Layer`.

    Notes
    -----
    Sources: Hinton 2002, "Training Products of Experts by Minimizing Contrastive Divergence";
    Hinton 2012, "A Practical Guide to Training Restricted Boltzmann Machines"; Tieleman 2008,
    "Training Restricted Boltzmann Machines using Approximations to the Likelihood Gradient"
    (persistent chains).

    Examples
    --------
    >>> import numpy as np
    >>> v = np.eye(6, dtype=np.float32)[np.arange(60) % 6]
    >>> machine = RBM(4, persistent=True, chains=20)
    >>> history = machine.fit(v, epochs=2, batch_size=20, verbose=0, seed=0)
    >>> machine.free_energy(v).shape
    (60,)
    """

    def __init__(
        self,
        units: int,
        visible: str = "bernoulli",
        k: int = 1,
        persistent: bool = False,
        chains: int = 100,
        weight_decay: float = 0.0,
        kernel_initializer: Any = None,
        optimizer: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.units = checks.integer("RBM", "units", units)
        self.visible = checks.choice("RBM", "visible", visible, ("bernoulli", "gaussian"))
        self.k = checks.integer("RBM", "k", k)
        self.persistent = checks.boolean("RBM", "persistent", persistent)
        self.chains = checks.integer("RBM", "chains", chains)
        self.weight_decay = checks.number("RBM", "weight_decay", weight_decay, 0)
        self.kernel_initializer = initializers.get(
            initializers.RandomNormal(stddev=0.01)
            if kernel_initializer is None
            else kernel_initializer
        )
        chosen = optimizers.SGD(0.05, momentum=0.5) if optimizer is None else optimizer
        self.compile(chosen, _reconstruction_error)

    def build(self, input_shape: Shape) -> None:
        """Make the weights, and the chains.

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
        decay = regularizers.L2(self.weight_decay / 2) if self.weight_decay else None
        self.kernel = self.add_weight(
            (input_shape[1], self.units), self.kernel_initializer, name="kernel", regularizer=decay
        )
        self.bias = self.add_weight((self.units,), "zeros", name="bias")
        self.visible_bias = self.add_weight((input_shape[1],), "zeros", name="visible_bias")
        if self.persistent:
            self.state = self.add_weight(
                (self.chains, self.units), "zeros", trainable=False, name="state"
            )

    def call(self, v: Any, training: bool = False) -> Any:
        """Return the reconstructions; with ``training``, add contrastive divergence to the loss."""
        if training:
            gap = np.mean(self._free_energy(v)) - np.mean(self._free_energy(self._samples(v)))
            self.add_loss(gap - bital.stop_gradient(gap))  # its gradient, not its value
        return self._visible_mean(self._hidden_mean(v))

    def fit(self, v: Any, y: Any = None, **options: Any) -> History:  # type: ignore[override]
        """Learn the distribution of ``v``; return the history. ``options`` as in ``Model.fit``.

        ``validation_data`` is an array of inputs. For Bernoulli units the logs have a
        ``pseudo_likelihood``, estimated after each epoch on the first 1,000 of the inputs, always
        with the same flips.

        Raises
        ------
        ArgumentError
            If targets are given.
        """
        self._monitored = np.asarray(v)[:1000]
        return super().fit(*own_targets(self.name, v, y, options), **options)

    def _train_epoch(self, *arguments: Any) -> dict[str, float]:
        logs = super()._train_epoch(*arguments)
        if self.visible == "bernoulli":
            logs["pseudo_likelihood"] = self.pseudo_likelihood(self._monitored, seed=0)
        return logs

    def _log_names(self, validated: bool) -> list[str]:
        extra = ["pseudo_likelihood"] if self.visible == "bernoulli" else []
        return super()._log_names(validated) + extra

    # What it knows ------------------------------------------------------------------------

    def free_energy(self, v: Any) -> np.ndarray:
        """Return ``-log(sum(exp(-energy)))`` over hidden units: ``(batch, visible) -> (batch,)``.

        Two inputs are as likely as ``exp`` of the difference of their free energies.
        """
        return np.asarray(self._free_energy(self._as_input(v)))

    def pseudo_likelihood(self, v: Any, seed: int | None = None) -> float:
        """Return an estimate of the mean logarithm of the pseudo-likelihood, for Bernoulli units.

        That is the sum over inputs of the logarithm of the probability of one given all others. In
        each sample one input, drawn at random, stands for all.
        """
        v = np.asarray(self._as_input(v))
        seed = random_state.fresh_seed() if seed is None else seed
        rows = np.arange(len(v))
        flips = np.random.default_rng(seed).integers(v.shape[1], size=len(v))
        other = v.copy()
        other[rows, flips] = 1 - other[rows, flips]
        gap = self.free_energy(other).astype(np.float64) - self.free_energy(v)
        return float(-v.shape[1] * np.mean(nn.softplus(-gap)))

    def encode(self, v: Any) -> np.ndarray:
        """Return the hidden units' probabilities: ``(samples, visible) -> (samples, units)``."""
        return np.asarray(self._hidden_mean(self._as_input(v)))

    def reconstruct(self, v: Any) -> np.ndarray:
        """Return the visible units' means, given the hidden units' probabilities given ``v``."""
        v = self._as_input(v)
        return np.asarray(self._visible_mean(self._hidden_mean(v)))

    def sample(self, n: int, steps: int = 1000, seed: int | None = None) -> np.ndarray:
        """Return means of the visible units after so many steps of Gibbs sampling from noise.

        Parameters
        ----------
        n : int
            How many.
        steps : int, default 1000
            Steps from hidden units that are 0 or 1 with equal probability.
        seed : int, optional
            Default: from the program-wide generator.

        Returns
        -------
        array ``(n, visible)``
        """
        checks.integer(f"{self.name}.sample", "n", n)
        checks.integer(f"{self.name}.sample", "steps", steps)
        seed = random_state.fresh_seed() if seed is None else seed
        start, chain = bital.random.split(bital.random.key(seed))
        hidden = bital.random.bernoulli(start, 0.5, (n, self.units)).astype(self.dtype)

        def run(key: Any, hidden: Any) -> Any:
            return self._visible_mean(self._gibbs(key, hidden, steps)[1])

        return np.asarray(bital.jit(run, executor=self.executor)(chain, hidden))

    def to_dense(self, **options: Any) -> Dense:
        """Return the way to the hidden units as a `Dense` layer with copies of the weights."""
        return dense("sigmoid", self.kernel, self.bias, **options)

    # Its distributions --------------------------------------------------------------------

    def _hidden_mean(self, v: Any) -> Any:
        return nn.sigmoid(v @ self.kernel + self.bias)

    def _visible_mean(self, h: Any) -> Any:
        z = h @ self.kernel.T + self.visible_bias
        return nn.sigmoid(z) if self.visible == "bernoulli" else z

    def _free_energy(self, v: Any) -> Any:
        hidden = np.sum(nn.softplus(v @ self.kernel + self.bias), axis=1)
        if self.visible == "bernoulli":
            return -(v @ self.visible_bias) - hidden
        return np.sum((v - self.visible_bias) ** 2, axis=1) / 2 - hidden

    def _gibbs(self, key: Any, hidden: Any, steps: int) -> tuple[Any, Any]:
        """Return visible units and then hidden ones, after so many steps from these."""

        def step(state: Any, key: Any) -> Any:
            _, hidden = state
            keys = bital.random.split(key)
            mean = self._visible_mean(hidden)
            if self.visible == "bernoulli":
                visible = bital.random.bernoulli(keys[0], mean).astype(mean.dtype)
            else:
                visible = mean + bital.random.normal(keys[0], mean.shape, mean.dtype)
            probability = self._hidden_mean(visible)
            drawn = bital.random.bernoulli(keys[1], probability).astype(mean.dtype)
            return (visible, drawn), None

        first = np.zeros((hidden.shape[0], self.kernel.shape[0]), self.dtype)
        state, _ = bital.scan(step, (first, hidden), bital.random.split(key, steps))
        return state

    def _samples(self, v: Any) -> Any:
        """Visible units after ``k`` steps; they count as constants."""
        start, chain = bital.random.split(draw_key())
        if self.persistent:
            hidden = self.state.value
        else:
            probability = bital.stop_gradient(self._hidden_mean(v))
            hidden = bital.random.bernoulli(start, probability).astype(v.dtype)
        visible, hidden = bital.stop_gradient(self._gibbs(chain, hidden, self.k))
        if self.persistent:
            self.state.assign(hidden)
        return visible


def _reconstruction_error(v: Any, reconstruction: Any) -> Any:
    """The mean squared error, without a gradient: another term is lowered."""
    return np.mean((v - bital.stop_gradient(reconstruction)) ** 2, axis=-1)


__all__ = ["RBM"]
