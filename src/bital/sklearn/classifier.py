"""`DNNClassifier`."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils import compute_sample_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import unique_labels
from sklearn.utils.validation import column_or_1d

from bital.errors import ArgumentError
from bital.sklearn import network
from bital.sklearn.base import DNN
from bital.sklearn.labels import Labels
from bital.sklearn.parameters import documented


@documented
class DNNClassifier(ClassifierMixin, DNN):
    """A network of dense layers for classes: two, several, or several targets.

    It takes the place of `sklearn.neural_network.MLPClassifier`: names that both have mean the
    same. Inputs are arrays, sparse matrices or data frames: a frame with columns that are not
    numbers, or with missing values, goes through a `bital.tables.TableEncoder`.

    Parameters
    ----------
    {shared}
    loss : str, Loss or function, default "log_loss"
        What training lowers: a name or an object of `bital.keras.losses`, or a function of NumPy
        code ``(y_true, y_pred) -> (batch,)`` of one-hot targets and probabilities.
    class_weight : dict, "balanced" or None, default None
        A factor for the samples of each class; "balanced" makes all classes count the same.
    {later}
    classes_ : array, or list of them for several targets of several classes

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> model = DNNClassifier((20, 10), learning_rate_init=0.01, dropout=0.1, random_state=0)
    >>> bool(model.fit(X, y).score(X, y) > 0.9)
    True
    """

    _score_name = "accuracy"

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        hidden_units: Any = None,
        loss: Any = "log_loss",
        solver: Any = "adam",
        alpha: float | None = None,
        dropout: Any = 0.0,
        batch_size: Any = "auto",
        learning_rate: str = "auto",
        learning_rate_init: float = 0.01,
        power_t: float = 0.5,
        max_iter: int | None = None,
        steps: int | None = None,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: Any = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        monitor: str = "auto",
        restore_best: bool = True,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        class_weight: Any = None,
        standardize: bool = True,
        callbacks: Any = None,
        executor: str | None = None,
    ) -> None:
        given = locals()
        self.__dict__.update({k: v for k, v in given.items() if k not in ("self", "__class__")})

    # Targets ------------------------------------------------------------------------------

    def _checked_targets(self, y: Any, X: Any) -> Any:
        return np.asarray(y)

    def _begin_targets(self, y: Any, classes: Any) -> None:
        self._labels = Labels.of(_column(y), classes)
        self.classes_ = self._labels.classes

    def _scale_targets(self, y: Any, weights: Any) -> None:
        """Labels have no scale."""

    def _encode_targets(self, y: Any) -> Any:
        targets = self._labels.encode(_column(y))
        if self._loss_name() in ("log_loss", "sparse_categorical_crossentropy"):
            return targets
        if self._labels.kind == "multiclass":
            return np.eye(len(self.classes_), dtype=self._inputs.dtype)[targets]
        return targets

    def _require_known(self, y: Any) -> None:
        if self._labels.kind in ("binary", "multiclass") and np.ndim(y) == 1:
            found = unique_labels(y)
            if not np.array_equal(found, self.classes_):
                raise ArgumentError(
                    "warm_start can only be used where `y` has the same classes as in the "
                    f"previous call to fit. Previously got {self.classes_}, `y` has {found}"
                )

    def _sample_weights(self, sample_weight: Any, X: Any, y: Any) -> np.ndarray | None:
        weights = super()._sample_weights(sample_weight, X, y)
        if self.class_weight is None:
            return weights
        by_class = compute_sample_weight(self.class_weight, y)
        return by_class if weights is None else weights * by_class

    def _strata(self, y: Any) -> Any:
        return y if np.ndim(y) == 1 or y.shape[1] == 1 else None

    def _loss_name(self) -> str | None:
        return self.loss if isinstance(self.loss, str) else None

    def _loss(self, weighted: bool) -> Any:
        if self._loss_name() != "log_loss":
            return network.make_loss(self.loss, weighted)
        several = self._labels.kind in ("multiclass", "multioutput")
        name = "sparse_categorical_crossentropy" if several else "binary_crossentropy"
        return network.make_loss(name, weighted)

    def _loss_factor(self) -> float | None:
        summed = self._loss_name() == "log_loss" and self._labels.kind == "multilabel"
        return len(self.classes_) if summed else None  # over labels, where Keras takes the mean

    def _outputs(self) -> list[int]:
        return self._labels.outputs

    def _last(self) -> str:
        return "softmax" if self._labels.kind in ("multiclass", "multioutput") else "sigmoid"

    def _metric(self) -> str:
        return "accuracy"

    def _targets_state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return self._labels.state(), {}

    def _set_targets_state(self, document: dict[str, Any], arrays: Any) -> None:
        self._labels = Labels.from_state(document)
        self.classes_ = self._labels.classes

    # Training by parts --------------------------------------------------------------------

    @available_if(lambda self: self._solver_takes_batches())
    def partial_fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        classes: Any = None,
        validation_data: Any = None,
    ) -> DNNClassifier:
        """Train for one epoch on these samples, from where the estimator is.

        Parameters
        ----------
        classes : array-like, ``(classes,)``
            All labels that will ever come; needed in the first call, unless ``y`` has several
            columns of 0 and 1.
        X, y, sample_weight, validation_data
            As in `fit`.
        """
        if not hasattr(self, "model_"):
            self._require_classes(y, classes)
        elif classes is not None and not np.array_equal(self.classes_, unique_labels(classes)):
            raise ArgumentError(
                f"classes={classes!r} is not the same as on last call to partial_fit, was: "
                f"{self.classes_!r}"
            )
        training = self._begin(
            X, y, sample_weight, validation_data, incremental=True, classes=classes
        )
        return self._run(training)

    def _require_classes(self, y: Any, classes: Any) -> None:
        if classes is None and np.ndim(y) == 1:
            raise ArgumentError(
                "classes must be passed on the first call to partial_fit: those that will ever "
                f"come, beside {', '.join(map(str, np.unique(y)[:8]))}."
            )
        if self.class_weight == "balanced":
            raise ArgumentError(
                "class_weight='balanced' needs all samples at once; give partial_fit a dict of "
                "weights, compute_class_weight('balanced', classes=..., y=...) makes them."
            )

    # Predictions --------------------------------------------------------------------------

    def predict(self, X: Any) -> np.ndarray:
        """Return the most likely labels: ``(samples, columns) -> (samples,)``."""
        outputs = self._predicted(X)
        return self._labels.decode(outputs)

    def predict_proba(self, X: Any) -> Any:
        """Return probabilities, in the order of ``classes_``: ``(samples, classes)``.

        For several targets of several classes a list with an array for each.
        """
        outputs = self._predicted(X)
        return self._labels.probabilities(outputs)

    def predict_log_proba(self, X: Any) -> Any:
        """Return the logarithms of `predict_proba`."""
        found = self.predict_proba(X)
        with np.errstate(divide="ignore"):
            return [np.log(p) for p in found] if isinstance(found, list) else np.log(found)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the share of samples whose labels are all right: for one target the accuracy."""
        found = self.predict(X)
        if self._labels.kind != "multioutput":
            return float(accuracy_score(y, found, sample_weight=sample_weight))
        right = np.all(found == np.asarray(y), axis=1)
        return float(np.average(right, weights=sample_weight))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


def _column(y: Any) -> Any:
    """A target in one column as an array of one axis, with scikit-learn's warning."""
    if getattr(y, "ndim", 1) == 2 and y.shape[1] == 1 and not hasattr(y, "toarray"):
        return column_or_1d(y, warn=True)
    return y
