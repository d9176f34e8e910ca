"""The steps of training, testing and predicting, as pure functions of arrays.

This is the one place where a model with variables becomes a function: within the step its
variables hold the step's values, traced ones if the step is being compiled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import bital
from bital.keras.losses import Loss
from bital.keras.metrics import Metric
from bital.keras.random_state import keys
from bital.keras.variables import Variable, called, holding

Sums = tuple[tuple[Any, Any], ...]
"""For the loss and each metric: the sum over samples and the count, float64."""

Samples = tuple[Any, Any, Any]
"""Inputs, targets and sample weights or None: whole, or stacked batch by batch."""


class Steps:
    """The pure functions of one compiled model.

    Parameters
    ----------
    model : Sequential
        Built.
    loss : Loss
        As compiled.
    metrics : sequence of (Metric, bool)
        And whether each is weighted by the sample weights.
    rule : bital.nn.optimizers.Optimizer
        What turns gradients into new weights.
    trainable, others : list of Variable
        The variables with a gradient, and those that layers assign to themselves.
    """

    def __init__(
        self,
        model: Any,
        loss: Loss,
        metrics: Sequence[tuple[Metric, bool]],
        rule: Any,
        trainable: list[Variable],
        others: list[Variable],
    ) -> None:
        self.model = model
        self.metrics = metrics
        self.rule = rule
        self.trainable = trainable
        self.others = others
        self.loss = loss
        self.activation: Callable[[Any], Any] | None = None
        # A softmax or sigmoid under a logarithm is skipped: see Loss.on_logits.
        activation = model.final_activation
        if loss.undoes is not None and getattr(activation, "__name__", None) == loss.undoes:
            on_logits = loss.on_logits()
            if on_logits is not None and on_logits is not loss:
                self.loss, self.activation = on_logits, activation

    def zero_sums(self) -> Sums:
        """Return the sums before the first batch."""
        # Scalars, as the steps return them: arrays would be another program.
        return ((np.float64(0), np.float64(0)),) * (len(self.metrics) + 1)

    def train(
        self,
        weights: tuple[Any, ...],
        state: Any,
        others: tuple[Any, ...],
        sums: Sums,
        x: Any,
        y: Any,
        sample_weight: Any,
        key: Any,
        learning_rate: Any,
    ) -> tuple[Any, Any, Any, Sums]:
        """Return new weights, optimizer state, other values and sums after one batch."""

        weights, others = called(self.trainable, weights), called(self.others, others)
        step = state["iterations"].astype(np.uint64)
        step_key = bital.random.fold_in(key, step)

        def lowered(weights: tuple[Any, ...]) -> tuple[Any, tuple[Any, Any]]:
            weights = called(self.trainable, weights)
            with keys(step_key, step):
                value, outputs, kept = self._forward(weights, others, x, y, sample_weight, True)
            return value, (outputs, kept)

        (value, (outputs, kept)), gradients = bital.value_and_grad(lowered, has_aux=True)(weights)
        weights, state = self.rule.update(gradients, state, weights, learning_rate)
        return weights, state, kept, self._add(sums, value, x.shape[0], y, outputs, sample_weight)

    def test(
        self,
        weights: tuple[Any, ...],
        others: tuple[Any, ...],
        sums: Sums,
        x: Any,
        y: Any,
        sample_weight: Any,
    ) -> Sums:
        """Return the sums after one more batch."""
        value, outputs, _ = self._forward(weights, others, x, y, sample_weight, False)
        return self._add(sums, value, x.shape[0], y, outputs, sample_weight)

    def train_many(
        self,
        weights: tuple[Any, ...],
        state: Any,
        others: tuple[Any, ...],
        sums: Sums,
        samples: Samples,
        order: Any,
        start: Any,
        stop: Any,
        key: Any,
        learning_rate: Any,
    ) -> tuple[Any, Any, Any, Sums, Any, tuple[Any, Any]]:
        """Return what `train` does after the batches from ``start`` on.

        The loop ends before the batch ``stop``, or after one that makes the loss NaN or infinite.

        Returns
        -------
        weights, state, others, sums
            As `train` returns them.
        number
            Of the next batch.
        before
            The loss's sum and count before the last batch.
        """

        def going(carry: Any) -> Any:
            *_, sums, number, _ = carry
            return (number < stop) & np.isfinite(sums[0][0])

        def step(carry: Any) -> Any:
            weights, state, others, sums, number, _ = carry
            batch = self.batch(samples, order, number)
            after = self.train(weights, state, others, sums, *batch, key, learning_rate)
            return *after, number + 1, sums[0]

        found: Any = bital.while_loop(going, step, (weights, state, others, sums, start, sums[0]))
        return found

    def test_many(
        self,
        weights: tuple[Any, ...],
        others: tuple[Any, ...],
        sums: Sums,
        samples: Samples,
        start: Any,
        stop: Any,
    ) -> Sums:
        """Return the sums after the batches from ``start`` to before ``stop``."""

        def step(number: Any, sums: Sums) -> Sums:
            return self.test(weights, others, sums, *self.batch(samples, None, number))

        found: Sums = bital.fori_loop(start, stop, step, sums)
        return found

    def batch(self, samples: Samples, order: Any, number: Any) -> Samples:
        """Take a batch's rows; their dtype is changed here, so that no second data set is made."""
        rows = number if order is None else order[number]
        x, y, sample_weight = [None if array is None else array[rows] for array in samples]
        return x.astype(self.model.dtype), y, sample_weight

    def _forward(
        self,
        weights: tuple[Any, ...],
        others: tuple[Any, ...],
        x: Any,
        y: Any,
        sample_weight: Any,
        training: bool,
    ) -> tuple[Any, Any, tuple[Any, ...]]:
        with holding(self.trainable, weights), holding(self.others, others):
            if self.activation is None:
                outputs = self.model(x, training=training)
                value = self.loss(y, outputs, sample_weight)
            else:
                logits = self.model.preactivate(x, training=training)
                outputs = self.activation(logits)
                value = self.loss(y, logits, sample_weight)
            for variable in self.trainable:
                if variable.regularizer is not None:
                    value = value + variable.regularizer(variable.value)
            return value, outputs, tuple(variable.value for variable in self.others)

    def _add(
        self, sums: Sums, value: Any, samples: int, y: Any, outputs: Any, sample_weight: Any
    ) -> Sums:
        """Add a batch: its loss counts once for each sample, so that the epoch's is the mean."""
        found = [(_double(value) * samples, samples)]
        for metric, weighted in self.metrics:
            found.append(metric.sums(y, outputs, sample_weight if weighted else None))
        return tuple(
            (total + _double(new), count + _double(more))
            for (total, count), (new, more) in zip(sums, found, strict=True)
        )


def predictor(model: Any, variables: list[Variable]) -> Callable[[tuple[Any, ...], Any], Any]:
    """Return the pure function ``(weights, x) -> outputs`` of a built model."""

    def predict(weights: tuple[Any, ...], x: Any) -> Any:
        with holding(variables, called(variables, weights)):
            return model(x)

    return predict


def _double(value: Any) -> Any:
    """A sum over a batch in float64: a float32 running sum over an epoch would lose digits."""
    return float(value) if isinstance(value, int) else value.astype(np.float64)
