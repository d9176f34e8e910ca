"""The steps of training, testing and predicting, as pure functions of arrays.

This is the one place where a model with variables becomes a function: within the step its
variables hold the step's values, traced ones if the step is being compiled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import bital
from bital.errors import ModelStateError
from bital.keras.layers.calling import collecting_losses
from bital.keras.models.objective import Objective, with_mask
from bital.keras.random_state import keys
from bital.keras.variables import Variable, called, holding

Sums = tuple[Any, ...]
"""For the loss, the loss of each output if there are several, and each metric: a tree of sums over
samples, float64. That of a loss is the sum and the count."""

Samples = tuple[Any, Any, Any]
"""Inputs, targets and sample weights or None, each a tree: whole, or stacked batch by batch."""


class Steps:
    """The pure functions of one compiled model.

    Parameters
    ----------
    model : Model
        Built.
    objective : Objective
        Losses and metrics, resolved.
    rule : bital.nn.optimizers.Optimizer
        What turns gradients into new weights.
    trainable, others : list of Variable
        The variables with a gradient, and those that layers assign to themselves.
    """

    def __init__(
        self,
        model: Any,
        objective: Objective,
        rule: Any,
        trainable: list[Variable],
        others: list[Variable],
    ) -> None:
        self.model = model
        self.objective = objective
        self.rule = rule
        self.trainable = trainable
        self.others = others
        # A softmax or sigmoid under a logarithm is skipped: see Loss.on_logits.
        self.own_loss = model.compute_loss if model._has_own("compute_loss") else None
        activation_of = model._activation_of if self.own_loss is None else lambda _: None
        self.losses, self.activations = objective.on_logits(activation_of)

    def zero_sums(self) -> Sums:
        """Return the sums before the first batch."""
        # Scalars, as the steps return them: arrays would be another program.
        zero = (0.0, 0.0)
        losses = [zero] * (1 + len(self.objective.parts()))
        found = (*losses, *(metric.zero_sums() for metric in self.objective.metrics()))
        return bital.tree.map(np.float64, found)

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

        def forward(weights: tuple[Any, ...], *batch: Any) -> tuple[Any, tuple[Any, Any]]:
            weights = called(self.trainable, weights)
            with keys(step_key, step):
                value, outputs, kept = self._forward(weights, others, *batch, True)
            return value, (outputs, kept)

        batch = x, y, sample_weight
        (value, (outputs, kept)), gradients = self.model.train_step(forward, weights, batch)
        weights, state = self.rule.update(gradients, state, weights, learning_rate)
        weights = self._constrained(weights)
        return weights, state, kept, self._add(sums, value, y, outputs, sample_weight)

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
        return self._add(sums, value, y, outputs, sample_weight)

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
        x, y, sample_weight = bital.tree.map(lambda array: array[rows], samples)
        return self.model._as_inputs(x), y, sample_weight

    def _constrained(self, weights: tuple[Any, ...]) -> tuple[Any, ...]:
        pairs = zip(self.trainable, weights, strict=True)
        return tuple(w if v.constraint is None else v.constraint(w) for v, w in pairs)

    def _forward(
        self,
        weights: tuple[Any, ...],
        others: tuple[Any, ...],
        x: Any,
        y: Any,
        sample_weight: Any,
        training: bool,
    ) -> tuple[Any, Any, tuple[Any, ...]]:
        """Return the loss, what the sums are made of, and the other values."""
        with holding(self.trainable, weights), holding(self.others, others):
            with collecting_losses() as added:
                raw = frozenset(self.activations)
                outputs, masks = self.model._apply((x,), {}, training, {}, raw)
                values, parts = self._losses(y, outputs, masks, sample_weight)
                if self.own_loss is not None:
                    values = [self.own_loss(x, y, outputs, sample_weight)]
            values = [*values, *added]
            if not values:
                raise ModelStateError(
                    f"{self.model.name} has no loss: compile it with one, or let a layer or "
                    "compute_loss add one."
                )
            value = sum(values[1:], start=values[0])
            for variable in self.trainable:
                if variable.regularizer is not None:
                    value = value + variable.regularizer(variable.value)
            kept = tuple(variable.value for variable in self.others)
            return value, parts, kept

    def total(self, y: Any, outputs: Any, sample_weight: Any) -> Any:
        """Return the sum of the losses that the model was compiled with, each times its weight."""
        return sum(self._losses(y, outputs, None, sample_weight)[0])

    def _losses(self, y: Any, outputs: Any, masks: Any, sample_weight: Any) -> tuple[Any, Any]:
        """Return the losses, each times its weight; and outputs, masks and losses before that."""
        single = self.objective.single
        found = bital.tree.leaves(outputs)
        targets = (y,) if single else y
        counts = self._weights(sample_weight)
        listed = masks if isinstance(masks, list) else [masks]
        listed = [*listed, *[None] * (len(found) - len(listed))]
        weighted, plain = [], []
        for number, (output, loss) in enumerate(
            zip(self.objective.outputs, self.losses, strict=True)
        ):
            if loss is None:
                continue
            mean = loss.reduction == "sum_over_batch_size"
            counted = with_mask(counts[number], listed[number], found[number], mean)
            value = loss(targets[number], found[number], counted)
            plain.append(value)
            weighted.append(value if output.weight == 1 else value * output.weight)
        for number, activation in self.activations.items():
            found[number] = activation(found[number])
        return weighted, (tuple(found), tuple(listed), tuple(plain))

    def _weights(self, sample_weight: Any) -> Any:
        if self.objective.single:
            return (sample_weight,)
        return (None,) * len(self.losses) if sample_weight is None else sample_weight

    def _add(self, sums: Sums, value: Any, y: Any, found: Any, sample_weight: Any) -> Sums:
        """Add a batch: its loss counts once for each sample, so that the epoch's is the mean."""
        outputs, masks, losses = found
        samples = outputs[0].shape[0]
        targets = (y,) if self.objective.single else y
        counts = self._weights(sample_weight)
        new: list[Any] = [(_double(value) * samples, samples)]
        new += [
            (_double(loss) * samples, samples) for loss in losses[: len(self.objective.parts())]
        ]
        for number, output in enumerate(self.objective.outputs):
            for metric, weighted in output.metrics:
                own = counts[number] if weighted else None
                own = with_mask(own, masks[number], outputs[number], False)
                new.append(metric.sums(targets[number], outputs[number], own))
        return bital.tree.map(lambda total, more: total + _double(more), sums, tuple(new))


def predictor(model: Any, variables: list[Variable]) -> Callable[[tuple[Any, ...], Any], Any]:
    """Return the pure function ``(weights, x) -> outputs`` of a built model."""

    def predict(weights: tuple[Any, ...], x: Any) -> Any:
        with holding(variables, called(variables, weights)):
            return model(x)

    return predict


def _double(value: Any) -> Any:
    """A sum over a batch in float64: a float32 running sum over an epoch would lose digits."""
    return float(value) if isinstance(value, int) else value.astype(np.float64)
