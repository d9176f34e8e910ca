"""`DNNRegressor`."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.validation import column_or_1d

from bital.errors import DataError
from bital.keras.losses import Loss
from bital.sklearn import network
from bital.sklearn.base import DNN
from bital.sklearn.inputs import moments
from bital.sklearn.parameters import documented


@documented
class DNNRegressor(RegressorMixin, DNN):
    """A network of dense layers for numbers: one target or several.

    It takes the place of `sklearn.neural_network.MLPRegressor`: names that both have mean the same.
    Inputs are arrays, sparse matrices or data frames: a frame with columns that are not numbers, or
    with missing values, goes through a `bital.tables.TableEncoder`.

    Parameters
    ----------
    loss : str, Loss or function, default "squared_error"
        "squared_error" (half of it, as scikit-learn has it), "absolute_error", "huber",
        "quantile", "poisson" (the network ends in an exponential), another name or an object of
        `bital.keras.losses`, or a function of NumPy code ``(y_true, y_pred) -> (batch,)``, which
        sees targets and predictions in their own units.
    {shared}
    quantile : float or list of float, default 0.5
        Of ``loss="quantile"``. For a list `predict` returns a column for each.
    delta : float, default 1.0
        Where ``loss="huber"`` becomes linear, in standard deviations of the target.
    {later}

    Examples
    --------
    >>> import numpy as np
    >>> X = np.linspace(-1, 1, 40)[:, np.newaxis]
    >>> model = DNNRegressor(solver="lbfgs", activation="tanh", alpha=1e-4, random_state=0)
    >>> bool(model.fit(X, X[:, 0] ** 2).score(X, X[:, 0] ** 2) > 0.999)
    True
    """

    _also = "and targets "

    _score_name = "r2_score"

    def __init__(
        self,
        loss: Any = "squared_error",
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        hidden_units: Any = None,
        quantile: Any = 0.5,
        delta: float = 1.0,
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
        standardize: bool = True,
        callbacks: Any = None,
        executor: str | None = None,
    ) -> None:
        given = locals()
        self.__dict__.update({k: v for k, v in given.items() if k not in ("self", "__class__")})

    def _checked_targets(self, y: Any, X: Any) -> Any:
        return np.asarray(y, np.float64)

    def _begin_targets(self, y: Any, classes: Any) -> None:
        self._targets = _columns(y).shape[1]
        self._flat = np.ndim(y) == 1 or y.shape[1] == 1

    def _scale_targets(self, y: Any, weights: Any) -> None:
        """Learn what brings the targets to mean 0 and variance 1, where the loss allows it."""
        self._offset, self._factor = np.zeros(self._targets), np.ones(self._targets)
        if not self.standardize:
            return
        mean, scale = moments(_columns(y), weights)
        if self.loss == "poisson":  # the same loss for any unit, up to a constant
            self._factor = np.where(mean > 0, mean, 1.0)
        else:
            self._offset, self._factor = mean, scale

    def _encode_targets(self, y: Any) -> Any:
        y = _columns(y)
        if y.shape[1] != self._targets:
            raise DataError(
                f"y has {y.shape[1]} columns and the estimator was fitted with {self._targets}."
            )
        if self.loss == "poisson" and np.any(y < 0):
            raise DataError(f"loss='poisson' needs targets that are not negative; y has {y.min()}.")
        return ((y - self._offset) / self._factor).astype(self._inputs.dtype)

    def _loss(self, weighted: bool) -> Any:
        options: dict[str, Any] = {}
        if self.loss == "quantile":
            options["quantile"] = self.quantile
        elif self.loss == "huber":
            options["delta"] = self.delta
        loss = self.loss
        if callable(loss) and not isinstance(loss, (Loss, type)):
            loss = _InUsersUnits(loss, self._offset, self._factor)
        return network.make_loss(loss, weighted, **options)

    def _loss_factor(self) -> float | None:
        squared = isinstance(self.loss, str) and self.loss == "squared_error"
        return 0.5 * self._targets if squared else None  # half of the sum; Keras takes the mean

    def _outputs(self) -> list[int]:
        several = self.loss == "quantile" and np.ndim(self.quantile) == 1
        return [len(self.quantile) if several else self._targets]

    def _last(self) -> str:
        return "exponential" if self.loss == "poisson" else "linear"

    def _metric(self) -> Any:
        return "r2_score"

    def _targets_state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        document = {"targets": self._targets, "flat": bool(self._flat)}
        return document, {"offset": self._offset, "factor": self._factor}

    def _set_targets_state(self, document: dict[str, Any], arrays: Any) -> None:
        self._targets, self._flat = int(document["targets"]), document["flat"] is True
        self._offset, self._factor = arrays["offset"], arrays["factor"]
        for array in (self._offset, self._factor):
            if array.shape != (self._targets,) or array.dtype.kind != "f":
                raise DataError(f"a {array.dtype}{list(array.shape)} is no scale of targets")

    def predict(self, X: Any) -> np.ndarray:
        """Return predictions: ``(samples, columns) -> (samples,)`` or ``(samples, targets)``."""
        found = self._predicted(X)
        found = (found * self._factor + self._offset).astype(found.dtype, copy=False)
        return found[:, 0] if self._flat and found.shape[1] == 1 else found

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = False
        tags.target_tags.multi_output = True
        return tags


class _InUsersUnits:
    """A loss of targets and predictions as the user knows them, for the network's."""

    def __init__(self, function: Any, offset: np.ndarray, factor: np.ndarray) -> None:
        self.function, self.offset, self.factor = function, offset, factor
        self.__name__ = getattr(function, "__name__", "loss")

    def __call__(self, y_true: Any, y_pred: Any) -> Any:
        dtype = y_pred.dtype
        shift, scale = self.offset.astype(dtype), self.factor.astype(dtype)
        return self.function(y_true * scale + shift, y_pred * scale + shift)


def _columns(y: Any) -> np.ndarray:
    y = np.asarray(y)
    if y.ndim == 2 and y.shape[1] == 1:
        y = column_or_1d(y, warn=True)
    return y.reshape(len(y), -1).astype(np.float64)
