"""What `DNNClassifier` and `DNNRegressor` share."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from bital import config, tree
from bital.errors import ArgumentError, DataError
from bital.keras.layers import Dense
from bital.sklearn import network, parameters, saving
from bital.sklearn.inputs import (
    ArrayInputs,
    SparseBatches,
    SparseRows,
    TableInputs,
    check_columns,
    is_mixed,
    rows_of,
)
from bital.sklearn.training import Plan, Progress, Training

COMPILING = 0.1
"""Seconds: half of what machine code takes longer to make, since few networks are fitted once."""

EPOCHS, ITERATIONS = 50, 200
"""Of a training whose ``max_iter`` is None; iterations are those of L-BFGS."""


class DNN(BaseEstimator):
    """Base of the estimators: checks, encodes, builds, trains and predicts.

    Subclasses know targets: `_begin_targets`, `_encode_targets`, `_loss`, `_last`.
    """

    # Training -----------------------------------------------------------------------------

    def fit(self, X: Any, y: Any, sample_weight: Any = None, validation_data: Any = None) -> DNN:
        """Train on all samples, ``max_iter`` epochs at most.

        Parameters
        ----------
        X : array-like or sparse matrix, ``(samples, columns)``, or data frame
        y : array-like, ``(samples,)`` or ``(samples, targets)``
        sample_weight : array-like, ``(samples,)``, optional
            A sample of weight 2 counts as two samples.
        validation_data : (X, y) or (X, y, sample_weight), optional
            Samples to measure on after each epoch, and for ``early_stopping``.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            If something does not fit; nothing has been trained then.
        """
        return self._run(self._begin(X, y, sample_weight, validation_data))

    def _run(self, training: Training) -> DNN:
        try:
            training.run()
        except KeyboardInterrupt:
            self._end(training)
            raise
        return self._end(training)

    def _begin(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        validation_data: Any = None,
        *,
        incremental: bool = False,
        classes: Any = None,
    ) -> Training:
        """Check and encode the data, and build and compile the model, or take the one there is."""
        parameters.check(self)
        anew = not (hasattr(self, "model_") and (incremental or self.warm_start))
        X, y = self._checked(X, y, anew)
        if anew:
            self._begin_targets(y, classes)
        X, y, weights = _counted(X, y, self._sample_weights(sample_weight, X, y))
        X, y, weights, held = self._held_out(X, y, weights, validation_data)
        if anew:
            self._inputs = self._learnt_inputs(X, weights)
            self._scale_targets(y, weights)
        elif not incremental:
            self._require_known(y)
            if isinstance(self.solver, str):
                self._model.optimizer.learning_rate = self.learning_rate_init
        x, targets = self._inputs.transform(X), self._encode_targets(y)
        plan = self._plan(len(y), incremental)
        if anew:
            self._start(plan, weights, held is not None)
        model = self._model
        arguments = self._arguments(plan)
        if held is not None:
            arguments["validation_data"] = self._encoded(held)
        if isinstance(x, SparseRows):
            if parameters.is_lbfgs(self):
                raise ArgumentError(
                    f"solver='lbfgs' takes all samples at once, and X, {x.shape}, is too large as "
                    "a dense array. Use solver='adam'."
                )
            order = np.random.Generator(np.random.PCG64(self._seed)).permutation(len(x))
            x, targets = SparseBatches(x, targets, weights, plan.size, order), None
            for name in ("batch_size", "steps_per_epoch"):
                arguments.pop(name)
        else:
            arguments["sample_weight"] = weights
        self._follow(anew, incremental, held is not None, len(y))
        arguments["callbacks"] = [*(self.callbacks or []), self._progress]
        return Training(
            model,
            x,
            targets,
            arguments,
            self._progress,
            self.solver,
            self.tol,
            model.history,
            max_fun=self.max_fun,
        )

    def _end(self, training: Training) -> DNN:
        """Set what a fitted estimator has."""
        self.model_ = training.model
        if not all(np.isfinite(w).all() for w in self.model_.get_weights()):
            raise DataError(
                f"Solver produced non-finite parameter weights (solver={self.solver!r}). The input "
                "data may contain large values and need to be preprocessed."
            )
        logs = training.logs
        for name, values in logs.items():
            self.history_.setdefault(name, []).extend(values)
        self.n_iter_ = len(logs.get("loss", ()))
        if training.lbfgs is not None:
            self.n_iter_ = training.lbfgs.iterations
        self.t_ += self.n_iter_ * training.progress.size
        self._set_curves()
        self._warn_unless_converged(training)
        return self

    def _set_curves(self) -> None:
        """Set the attributes that follow from the history."""
        self.loss_curve_ = self.history_.get("loss", [])
        self.loss_ = self.loss_curve_[-1] if self.loss_curve_ else None
        self.validation_loss_curve_ = self.history_.get("val_loss")
        self.validation_scores_ = self.history_.get(f"val_{self._score_name}")
        self.best_loss_ = self.best_validation_score_ = None
        if self._progress.score:
            self.best_validation_score_ = self._progress.best
        elif self.loss_curve_:
            self.best_loss_ = min(self.loss_curve_)

    def _warn_unless_converged(self, training: Training) -> None:
        epochs = training.arguments["epochs"] - training.arguments["initial_epoch"]
        at_end = training.lbfgs is None and self.n_iter_ == epochs == self.max_iter
        open_end = self.steps is None and training.progress.rates != "cosine" and self.tol > 0
        if at_end and open_end and epochs > 1 and not training.progress.stopped:
            warnings.warn(
                f"Stochastic Optimizer: Maximum iterations ({self.max_iter}) reached and the "
                "optimization hasn't converged yet.",
                ConvergenceWarning,
                stacklevel=5,
            )

    @available_if(lambda self: self._solver_takes_batches())
    def partial_fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        validation_data: Any = None,
    ) -> DNN:
        """Train for one epoch on these samples, from where the estimator is.

        ``early_stopping`` works here too: a part of each call's samples is held out, or
        ``validation_data`` are given; when the score has not risen for ``n_iter_no_change`` calls
        the best weights are put back, and later calls change nothing.

        Parameters and errors as in `fit`.
        """
        training = self._begin(X, y, sample_weight, validation_data, incremental=True)
        return self._run(training)

    def _solver_takes_batches(self) -> bool:
        if parameters.is_lbfgs(self):
            raise AttributeError(
                "partial_fit is only available for stochastic optimizers. lbfgs is not stochastic."
            )
        return True

    # Pieces of _begin ---------------------------------------------------------------------

    def _checked(self, X: Any, y: Any, anew: bool) -> tuple[Any, Any]:
        """Return inputs and targets that scikit-learn's checks have passed."""
        if self._reads_table(X, anew):
            check_columns(self, X, reset=anew)
            return X, self._checked_targets(y, X)
        return validate_data(
            self,
            X,
            y,
            accept_sparse="csr",
            multi_output=True,
            y_numeric=not is_classifier(self),
            dtype=(np.float64, np.float32),
            reset=anew,
        )

    def _reads_table(self, X: Any, anew: bool) -> bool:
        if anew:
            self._is_table = is_mixed(X)
        return self._is_table

    def _learnt_inputs(self, X: Any, weights: Any) -> Any:
        if self._is_table:
            return TableInputs.fit(X, np.float32)
        return ArrayInputs(self.standardize, X.dtype).fit(X, weights)

    def _inputs_of(self, X: Any) -> Any:
        """Return inputs for a prediction as the network reads them."""
        check_is_fitted(self, "model_")
        if self._is_table:
            check_columns(self, X, reset=False)
        else:
            X = validate_data(
                self, X, accept_sparse="csr", dtype=(np.float64, np.float32), reset=False
            )
        return self._inputs.transform(X)

    def _sample_weights(self, sample_weight: Any, X: Any, y: Any) -> np.ndarray | None:
        if sample_weight is None:
            return None
        return _check_sample_weight(sample_weight, X, dtype=np.float64)

    def _held_out(self, X: Any, y: Any, weights: Any, given: Any) -> Any:
        """Return what to train on, ``X, y, weights``, and what to measure on or None."""
        if given is not None:
            return X, y, weights, self._checked_validation(given)
        if not self.early_stopping or parameters.is_lbfgs(self):  # which ends by itself
            return X, y, weights, None
        train, test = train_test_split(
            np.arange(len(y)),
            random_state=check_random_state(self.random_state),
            test_size=self.validation_fraction,
            stratify=self._strata(y),
        )
        if len(test) < 2:
            raise DataError(
                f"The validation set is too small, {len(test)} of {len(y)} samples. Increase "
                "'validation_fraction' or the size of your dataset."
            )
        held = [rows_of(X, test), rows_of(y, test)]
        if weights is not None:
            held.append(weights[test])
            weights = weights[train]
        return rows_of(X, train), rows_of(y, train), weights, held

    def _checked_validation(self, given: Any) -> list[Any]:
        if not isinstance(given, (tuple, list)) or len(given) not in (2, 3):
            raise ArgumentError(
                "validation_data must be (X, y) or (X, y, sample_weight), and is a "
                f"{type(given).__name__}."
            )
        X, y = self._checked(given[0], given[1], False)
        return [X, y, *(_check_sample_weight(w, X, dtype=np.float64) for w in given[2:])]

    def _strata(self, y: Any) -> Any:
        return None

    def _require_known(self, y: Any) -> None:
        """Raise where ``warm_start`` cannot go on with these targets."""

    def _encoded(self, held: list[Any]) -> Any:
        x, y, weights = self._inputs.transform(held[0]), self._encode_targets(held[1]), held[2:]
        if isinstance(x, SparseRows):
            return SparseBatches(x, y, weights[0] if weights else None, 1024, np.arange(len(x)))
        return x, y, *weights

    def _plan(self, samples: int, incremental: bool) -> Plan:
        """Return how the samples are cut into batches, and how often they are gone through."""
        if self.batch_size != "auto" and self.batch_size > samples:
            warnings.warn(
                "Got `batch_size` less than 1 or larger than sample size. It is going to be "
                "clipped",
                stacklevel=5,
            )
        given = None if self.batch_size == "auto" else int(min(self.batch_size, samples))
        epochs = self.max_iter or (ITERATIONS if parameters.is_lbfgs(self) else EPOCHS)
        epochs = 1 if incremental else int(epochs)
        return Plan.of(samples, given, epochs, None if incremental else self.steps, self.shuffle)

    def _start(self, plan: Plan, weights: Any, validated: bool) -> None:
        """Build and compile a network with new weights."""
        draw = check_random_state(self.random_state)
        first, self._seed = map(int, draw.randint(np.iinfo(np.int32).max, size=2))
        loss = self._loss(weights is not None)
        size = plan.samples if parameters.is_lbfgs(self) else plan.size
        size = size if weights is None else size * weights.mean()
        alpha = min(0.1, 100 / plan.samples) if self.alpha is None else self.alpha
        self._model = network.build(
            self,
            self._inputs.spec(),
            self._outputs(),
            self._last(),
            self._inputs.dtype,
            first,
            network.penalty(alpha, size),
        )
        self._model.compile(
            network.make_optimizer(self),
            loss,
            self._loss_factor(),
            weighted_metrics=[self._metric()] if validated else None,
            executor=self._executor(plan),
        )
        self.history_: dict[str, list[float]] = {}
        self.t_ = 0

    def _loss_factor(self) -> float | None:
        """Return what the network's loss is multiplied by to be scikit-learn's."""
        return None

    def _executor(self, plan: Plan) -> str | None:
        """Return NumPy's executor where machine code takes longer to make than it saves."""
        if self.executor is not None or config.is_chosen():
            return self.executor
        weights = sum(weight.size for weight in self._model.get_weights())
        saved = 2e-4 + 6e-10 * weights * plan.size  # seconds a step
        epochs = (self.max_iter or EPOCHS) if self.steps is None else plan.epochs
        return "numpy" if epochs * plan.steps * saved < COMPILING else None

    def _arguments(self, plan: Plan) -> dict[str, Any]:
        """Return what ``model.fit`` is told."""
        done = len(self.history_.get("loss", ()))
        return {
            "batch_size": plan.size,
            "steps_per_epoch": plan.limit,
            "epochs": done + plan.epochs,
            "initial_epoch": done,
            "shuffle": bool(self.shuffle),
            "seed": self._seed,
            "verbose": min(int(self.verbose), 2),  # scikit-learn takes larger ones too
        }

    def _rates(self, incremental: bool) -> str:
        """Return what becomes of the learning rate in this training."""
        named = isinstance(self.solver, str)
        if self.learning_rate == "auto":
            ends = named and not (incremental or self.warm_start)
            return "cosine" if ends else "constant"
        sgd = named and self.solver == "sgd"
        return self.learning_rate if sgd or self.learning_rate == "cosine" else "constant"

    def _follow(self, anew: bool, incremental: bool, validated: bool, samples: int) -> None:
        """Make what follows the training; ``partial_fit`` goes on with the one there is."""
        if anew or not incremental:
            name = self.monitor
            if name == "auto":
                name = f"val_{self._score_name}" if self.early_stopping and validated else "loss"
            self._progress = Progress(
                name,
                not name.endswith("loss"),
                self.tol,
                self.n_iter_no_change,
                self._rates(incremental),
                self.power_t,
                name.startswith("val_") and self.restore_best,
            )
        elif not (self.early_stopping and self._progress.incremental):
            self._progress.stopped = False  # what ended `fit` does not end `partial_fit`
            self._progress.waited = 0
        self._progress.size = samples
        self._progress.incremental = incremental
        self._progress.rates = self._rates(incremental)

    # Looking ------------------------------------------------------------------------------

    def _predicted(self, X: Any) -> Any:
        """Return the network's outputs."""
        x = self._inputs_of(X)
        if isinstance(x, SparseRows):
            places = range(0, len(x), 1024)
            parts = [self.model_.predict(x[p : p + 1024], verbose=0) for p in places]
            return tree.map(lambda *found: np.concatenate(found), *parts)
        return self.model_.predict(x, verbose=0)

    @property
    def coefs_(self) -> list[np.ndarray]:
        """Matrices of the layers, ``(in, out)`` each."""
        return [layer.kernel.value for layer in self._dense_layers("coefs_")]

    @coefs_.setter
    def coefs_(self, values: list[np.ndarray]) -> None:
        for layer, value in zip(self._dense_layers("coefs_"), values, strict=True):
            layer.set_weights([value, layer.bias.value])

    @property
    def intercepts_(self) -> list[np.ndarray]:
        """Biases of the layers, ``(out,)`` each."""
        return [layer.bias.value for layer in self._dense_layers("intercepts_")]

    @intercepts_.setter
    def intercepts_(self, values: list[np.ndarray]) -> None:
        for layer, value in zip(self._dense_layers("intercepts_"), values, strict=True):
            layer.set_weights([layer.kernel.value, value])

    def _dense_layers(self, name: str) -> list[Dense]:
        if not hasattr(self, "model_"):
            raise AttributeError(f"{type(self).__name__} has no {name} before it is fitted.")
        return [layer for layer in self.model_.layers if isinstance(layer, Dense)]

    @property
    def n_layers_(self) -> int:
        """Number of layers, those of inputs and outputs too."""
        return len(self._dense_layers("n_layers_")) - len(self._outputs()) + 2

    @property
    def n_outputs_(self) -> int:
        """Number of outputs of the network."""
        self._dense_layers("n_outputs_")
        return sum(self._outputs())

    @property
    def out_activation_(self) -> str:
        """Activation of the outputs, by scikit-learn's name."""
        self._dense_layers("out_activation_")
        return {"sigmoid": "logistic", "linear": "identity"}.get(self._last(), self._last())

    def describe_columns(self) -> Any:
        """Return what became of each column; it prints as a table."""
        check_is_fitted(self, "model_")
        return self._inputs.describe(getattr(self, "feature_names_in_", None))

    def save(self, path: Any) -> None:
        """Write inputs, labels, network and optimizer into one inert safetensors file.

        `bital.sklearn.load` reads it. A file that exists is replaced as a whole or not at all.
        Functions of your own are saved as what they compute, with the network.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        OSError
            If it cannot be written.
        """
        saving.save(self, path)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _counted(X: Any, y: Any, weights: Any) -> tuple[Any, Any, Any]:
    """Return the samples whose weight is not 0: the others are as if they were not there."""
    if weights is None or np.all(weights != 0):
        return X, y, weights
    rows = np.flatnonzero(weights)
    if not len(rows):
        raise DataError(f"sample_weight is 0 for all {len(weights)} samples: nothing to train on.")
    return rows_of(X, rows), rows_of(y, rows), weights[rows]
