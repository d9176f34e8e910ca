"""The estimators of ``contrib.learn``: they are fitted to arrays, and their loss is a mean."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from bital.tf1 import estimator
from bital.tf1.estimator import RunConfig as RunConfig
from bital.tf1.feature_column import Column, numeric_column


def infer_real_valued_columns_from_input(x: Any) -> list[Column]:
    """One column of all features of an array, ``(batch, ...)``."""
    return [numeric_column("", np.shape(x)[1:])]


class _Fitted(estimator.DNN):
    """What takes arrays, or functions of input."""

    _total = "reduce_mean"

    def fit(self, x=None, y=None, input_fn=None, steps=None, batch_size=None, max_steps=None):
        """Train for some steps more, or up to `max_steps`."""
        source = input_fn or _batches(x, y, batch_size, None, True)
        return self.train(source, None, steps, max_steps)

    def evaluate(
        self, x=None, y=None, input_fn=None, batch_size=None, steps=None
    ) -> dict[str, Any]:
        """The metrics, the loss, and the global step."""
        return super().evaluate(input_fn or _batches(x, y, batch_size), steps)

    def predict(self, x=None, input_fn=None, batch_size=None, outputs=None) -> Iterator[Any]:
        """The class, or the number, of one example after the other; or what `outputs` names."""
        for row in super().predict(input_fn or _batches(x, None, batch_size)):
            name, key = ("classes", "class_ids") if "classes" in row else ("scores", "predictions")
            row[name] = row.pop(key).squeeze()
            yield row[name] if outputs is None else {name: row[name] for name in outputs or row}

    def predict_proba(self, x=None, input_fn=None, batch_size=None) -> Iterator[Any]:
        """The probabilities of the classes for one example after the other."""
        return (row["probabilities"] for row in self.predict(x, input_fn, batch_size, []))


class DNNClassifier(_Fitted, estimator.DNNClassifier):
    """Dense layers, the mean cross-entropy as loss, Adagrad at the rate 0.05."""


class DNNRegressor(_Fitted, estimator.DNNRegressor):
    """Dense layers, the mean squared error as loss, Adagrad at the rate 0.05."""


class SKCompat:
    """An estimator with scikit-learn's methods, from arrays to arrays."""

    def __init__(self, estimator: Any) -> None:
        self._estimator = estimator

    def fit(self, x, y, batch_size=128, steps=None, max_steps=None) -> Any:
        """Train for some steps more, or up to `max_steps`."""
        self._estimator.fit(x, y, None, steps, batch_size, max_steps)
        return self

    def score(self, x, y, batch_size=128, steps=None) -> dict[str, Any]:
        """The metrics, the loss, and the global step."""
        return self._estimator.evaluate(x, y, None, batch_size, steps)

    def predict(self, x, batch_size=128, outputs=None) -> dict[str, np.ndarray]:
        """Arrays with a row for each example: "classes", "probabilities", "logits" or "scores"."""
        rows = [*self._estimator.predict(x, None, batch_size, outputs or [])]
        return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def _batches(
    x: Any, y: Any, size: int | None, epochs: int | None = 1, shuffle: bool = False
) -> Any:
    return estimator.numpy_input_fn({"": np.asarray(x)}, y, size or len(x), epochs, shuffle)
