"""Layers that are trained one after the other, then together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bital.errors import ArgumentError, ModelStateError
from bital.keras import checks
from bital.keras.callbacks import History
from bital.keras.layers import Input, Layer
from bital.keras.models import Sequential
from bital.keras.pretraining.autoencoder import Autoencoder
from bital.keras.pretraining.boltzmann import RBM


class Stack:
    """Autoencoders or Boltzmann machines, each trained on the codes of the one below.

    Of autoencoders it is a stacked (denoising) autoencoder, of machines a deep belief network.

    Parameters
    ----------
    stages : list of Autoencoder or RBM
        From the bottom. Each has its own optimizer, noise and penalties.

    Raises
    ------
    ArgumentError
        If something else is in the list, or nothing.

    Notes
    -----
    Sources: Hinton, Osindero and Teh 2006, "A Fast Learning Algorithm for Deep Belief Nets"; Bengio
    et al. 2007, "Greedy Layer-Wise Training of Deep Networks".

    Examples
    --------
    >>> import numpy as np
    >>> from bital.keras.layers import Dense
    >>> x = np.random.default_rng(0).random((32, 8)).astype(np.float32)
    >>> stack = Stack([Autoencoder(6), Autoencoder(4)])
    >>> histories = stack.fit(x, epochs=1, verbose=0, seed=0)
    >>> model = stack.to_sequential([Dense(3, activation="softmax")])
    >>> [layer.units for layer in model.layers]
    [6, 4, 3]
    """

    def __init__(self, stages: Sequence[Any]) -> None:
        self.stages = list(stages)
        for stage in self.stages:
            if not isinstance(stage, (Autoencoder, RBM)):
                raise ArgumentError(
                    f"Stack received {stage!r}; its stages are Autoencoder(units) and RBM(units)."
                )
        if len({id(stage) for stage in self.stages}) != len(self.stages) or not self.stages:
            raise ArgumentError(
                f"Stack received {len(self.stages)} stages; give at least one, each once."
            )

    def fit(
        self,
        x: Any,
        epochs: int | Sequence[int] = 1,
        seed: int | None = None,
        validation_data: Any = None,
        **options: Any,
    ) -> list[History]:
        """Train the stages from the bottom; return their histories.

        Parameters
        ----------
        x : array ``(samples, features)``
            Inputs.
        epochs : int or list of int
            For each stage.
        seed : int, optional
            As in ``Model.fit``; the stage at place i gets ``seed + i``.
        validation_data : array ``(samples, features)``, optional
            Inputs to measure on.
        **options
            Further ones of ``Model.fit``, for every stage. A callback serves them all.

        Raises
        ------
        ArgumentError
            If ``epochs`` is not one number or as many as there are stages.
        """
        counts = list(epochs) if isinstance(epochs, (list, tuple)) else [epochs] * len(self.stages)
        if len(counts) != len(self.stages):
            raise ArgumentError(
                f"Stack.fit(epochs={epochs!r}): give one number, or {len(self.stages)}."
            )
        if seed is not None:
            checks.integer("Stack.fit", "seed", seed, low=0)
        histories = []
        for number, (stage, count) in enumerate(zip(self.stages, counts, strict=True)):
            own = None if seed is None else seed + number
            found = stage.fit(x, epochs=count, seed=own, validation_data=validation_data, **options)
            histories.append(found)
            x = stage.encode(x)
            validation_data = None if validation_data is None else stage.encode(validation_data)
        return histories

    def encode(self, x: Any) -> np.ndarray:
        """Return the codes of the last stage: ``(samples, features) -> (samples, units)``."""
        for stage in self.stages:
            x = stage.encode(x)
        return np.asarray(x)

    def to_sequential(self, head: Sequence[Layer] = (), name: str | None = None) -> Sequential:
        """Return the encoders as `Dense` layers of a model, with ``head`` on top, to be fine-tuned.

        The model has copies of the weights. It is not compiled.

        Raises
        ------
        ModelStateError
            Before `fit`.
        """
        if not all(stage.built for stage in self.stages):
            raise ModelStateError("Stack.to_sequential: the stages have no weights before fit(x).")
        features = self.stages[0].input_shape[1]
        encoders = [
            stage.to_dense(name=f"encoder_{number}") for number, stage in enumerate(self.stages)
        ]
        return Sequential([Input((features,)), *encoders, *head], name=name)


__all__ = ["Stack"]
