"""What is lowered and measured: a loss and metrics for each output, and their names in logs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bital.errors import ArgumentError, DataError
from bital.keras import checks, losses, metrics
from bital.keras.layers import calling
from bital.keras.models import data


@dataclass
class Output:
    """One output of a model: its loss, if it has one, and its metrics."""

    name: str
    loss: losses.Loss | None
    weight: float
    metrics: list[tuple[metrics.Metric, bool]] = field(default_factory=list)
    """And whether each is weighted by the sample weights."""


class Objective:
    """What `compile` was asked for, resolved for the outputs of a built model.

    Parameters
    ----------
    model : Model
    loss, loss_weights, metric_requests, weighted_requests
        As ``compile`` received them: for the one output, or lists or dicts by output.

    Raises
    ------
    ArgumentError
        If they name an output that the model does not have, or there are too few or too many.
    """

    def __init__(
        self, model: Any, loss: Any, loss_weights: Any, metric_requests: Any, weighted: Any
    ) -> None:
        self.single = calling.is_shape(model.output_shape)
        names = model.output_names
        shapes = model.output_shape
        if isinstance(shapes, dict):
            shapes = [shapes[name] for name in names]
        self.shapes = [shapes] if self.single else list(shapes)
        found = _per_output("loss", loss, names)
        factors = [1.0 if w is None else w for w in _weights(loss_weights, names, len(found))]
        self.outputs = [
            Output(name, None if own is None else losses.get(own), weight)
            for name, own, weight in zip(names, found, factors, strict=True)
        ]
        self._requests = [
            (_lists("metrics", metric_requests, names), False),
            (_lists("weighted_metrics", weighted, names), True),
        ]
        self._resolved = False

    def prepared(self, y: Any, samples: int, dtype: Any, name: str, model: Any) -> Any:
        """Return checked targets: an array, or a tuple with one for each output.

        Raises
        ------
        DataError, ShapeError
            If they do not fit the outputs.
        """
        if all(output.loss is None for output in self.outputs):
            return self._unchecked(y, samples, dtype)
        given = data.outputs(model, y, name)
        labels = [name] if self.single else [f"{name}[{o.name!r}]" for o in self.outputs]
        found = tuple(
            None
            if output.loss is None
            else data.targets(value, samples, output.loss, shape, dtype, label)
            for value, output, shape, label in zip(
                given, self.outputs, self.shapes, labels, strict=True
            )
        )
        return found[0] if self.single else found

    def _unchecked(self, y: Any, samples: int, dtype: Any) -> Any:
        """Targets for a loss of the model's own, which knows what fits, if there are any."""
        if y is None or not self.single:
            return y if self.single else tuple([None] * len(self.outputs) if y is None else y)
        y = data.numbers("y", y)
        if len(y) != samples:
            raise DataError(f"x has {samples} samples and y has {len(y)} targets.")
        return y if y.dtype.kind in "iub" else y.astype(dtype, copy=False)

    def weights(self, weights: Any, samples: int, dtype: Any, model: Any) -> Any:
        """Return checked sample weights like the targets, or None. One array is for all outputs."""
        name = "sample_weight"
        if weights is None or self.single:
            if isinstance(weights, dict):
                (weights,) = data.outputs(model, weights, name)
            return data.sample_weights(weights, samples, dtype)
        if not isinstance(weights, dict) and not _is_listed(weights, len(self.outputs)):
            weights = [weights] * len(self.outputs)
        given = data.outputs(model, weights, name)
        labels = [f"{name}[{output.name!r}]" for output in self.outputs]
        pairs = zip(given, labels, strict=True)
        return tuple(data.sample_weights(value, samples, dtype, label) for value, label in pairs)

    def resolve(self, y: Any) -> None:
        """Choose the metrics, now that the shapes of the targets are known."""
        if self._resolved:
            return
        targets = [y] if self.single else list(y)
        for number, output in enumerate(self.outputs):
            for requests, weighted in self._requests:
                for request in requests[number]:
                    if targets[number] is None:
                        raise ArgumentError(
                            f"compile(metrics=...): the output {output.name!r} has metrics and no "
                            "loss, so fit does not know its targets. Give it a loss."
                        )
                    found = metrics.resolve(
                        request, output.loss, targets[number].shape, self.shapes[number]
                    )
                    output.metrics.append((found, weighted))
        metrics.unique(self.names())
        self._resolved = True

    def names(self) -> list[str]:
        """The names in logs, in the order of the sums: Keras's."""
        if self.single:
            return ["loss", *(metric.name for metric, _ in self.outputs[0].metrics)]
        names = ["loss", *(f"{o.name}_loss" for o in self.parts())]
        return names + [f"{o.name}_{metric.name}" for o in self.outputs for metric, _ in o.metrics]

    def parts(self) -> list[Output]:
        """The outputs whose losses stand in the logs beside their sum: if there are several."""
        found = [output for output in self.outputs if output.loss is not None]
        return found if len(found) > 1 else []

    def metrics(self) -> list[metrics.Metric]:
        """All metrics, in the order of the sums."""
        return [metric for output in self.outputs for metric, _ in output.metrics]

    def on_logits(
        self, activation_of: Callable[[int], Any]
    ) -> tuple[list[losses.Loss | None], dict[int, Any]]:
        """Return the losses, and the activations that they do without: see ``Loss.on_logits``."""
        found: list[losses.Loss | None] = []
        activations: dict[int, Any] = {}
        for number, output in enumerate(self.outputs):
            loss = output.loss
            if loss is not None and loss.undoes is not None:
                activation = activation_of(number)
                if getattr(activation, "__name__", None) == loss.undoes:
                    other = loss.on_logits()
                    if other is not None and other is not loss:
                        loss, activations[number] = other, activation
            found.append(loss)
        return found, activations


def with_mask(weights: Any, mask: Any, like: Any, mean: bool) -> Any:
    """Return sample weights in which only what the mask lets through counts.

    For a mean over all values they are scaled so that it becomes the mean over those that count.
    """
    if mask is None:
        return weights
    counts = mask.astype(like.dtype)
    if mean:
        total = np.sum(counts)
        counts = counts * (counts.size / np.where(total == 0, 1, total)).astype(like.dtype)
    if weights is None:
        return counts
    weights = weights.astype(like.dtype)
    return counts * weights.reshape(weights.shape + (1,) * (counts.ndim - weights.ndim))


def _per_output(what: str, given: Any, names: list[str]) -> list[Any]:
    if isinstance(given, dict) and "class_name" not in given:
        unknown = [name for name in given if name not in names]
        if unknown:
            raise ArgumentError(
                f"compile({what}=...) has the keys {', '.join(map(repr, given))}; the model's "
                f"outputs are {', '.join(map(repr, names))}."
            )
        return [given.get(name) for name in names]
    if isinstance(given, (list, tuple)):
        if len(given) != len(names):
            raise ArgumentError(
                f"compile({what}=...) has {len(given)} entries; the model has {len(names)} outputs:"
                f" {', '.join(map(repr, names))}."
            )
        return list(given)
    return [given] * len(names)


def _weights(given: Any, names: list[str], count: int) -> list[float | None]:
    if given is None:
        return [None] * count
    if not isinstance(given, (dict, list, tuple)):
        given = [given] * count
    found = _per_output("loss_weights", given, names)
    return [None if w is None else checks.number("compile", "loss_weights", w) for w in found]


def _is_listed(given: Any, count: int) -> bool:
    if not isinstance(given, (list, tuple)) or len(given) != count:
        return False
    return any(item is None or np.ndim(item) for item in given)


def _lists(what: str, given: Any, names: list[str]) -> list[list[Any]]:
    """The list of metrics for each output."""
    if len(names) == 1 and not isinstance(given, dict):
        if isinstance(given, (list, tuple)) and any(isinstance(g, (list, tuple)) for g in given):
            given = [item for part in given for item in _as_list(part)]
        return [metrics.listed(what, given)]
    if isinstance(given, dict) and "class_name" not in given:
        return [metrics.listed(what, part) for part in _per_output(what, given, names)]
    if isinstance(given, (list, tuple)) and len(given) == len(names):
        return [metrics.listed(what, part) for part in given]
    if given:
        raise ArgumentError(
            f"compile({what}={given!r}): the model has {len(names)} outputs. Give a list with an "
            f"entry for each, or a dict with the keys {', '.join(map(repr, names))}."
        )
    return [[] for _ in names]


def _as_list(part: Any) -> list[Any]:
    return list(part) if isinstance(part, (list, tuple)) else [part]


__all__ = ["Objective", "Output", "with_mask"]
