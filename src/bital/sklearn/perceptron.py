"""Rosenblatt's perceptron: threshold units, and the rule by which they learn."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any
from warnings import warn

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.utils import check_array, check_random_state
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets, unique_labels
from sklearn.utils.validation import check_is_fitted, validate_data

from bital.errors import ArgumentError, DataError
from bital.sklearn import saving
from bital.sklearn.labels import from_plain, plain
from bital.sklearn.rule import Unit, merged, show

Array = NDArray[Any]


class Perceptron(ClassifierMixin, BaseEstimator):
    """Threshold units that learn from their mistakes, one row at a time.

    A unit says yes where ``coef @ x + intercept > 0``. It is shown the rows one after another, and
    after each wrong answer it moves towards the right one, with ``t`` = 1 for yes and -1 for no::

        coef += eta0 * t * x
        intercept += eta0 * t

    If a plane parts the classes, the rule finds one after finitely many mistakes; if none does, it
    never settles. Two classes need one unit; of more classes each has a unit of its own that tells
    it from all others, and the unit with the largest sum decides.

    Parameters, results and stopping are those of `sklearn.linear_model.Perceptron`, with three
    differences. A unit stops as soon as it makes no mistake in an epoch. With ``shuffle=True``
    equal rows are shown as one row of their common weight, and the order of the rows does not
    matter, so that a row of weight 2 is the same as two rows. All units learn in one compiled
    program: `n_jobs` is accepted and changes nothing.

    Parameters
    ----------
    penalty : {"l2", "l1", "elasticnet"} or None, default None
        What draws the weights towards zero at each row. L1 is the cumulative penalty of Tsuruoka
        et al. 2009, which makes weights exactly zero.
    alpha : float, default 0.0001
        The strength of the penalty.
    l1_ratio : float, default 0.15
        The share of L1 in "elasticnet", from 0 to 1.
    fit_intercept : bool, default True
        Learn an intercept; otherwise it is zero.
    max_iter : int, default 1000
        Epochs of `fit` at most.
    tol : float or None, default 1e-3
        A unit stops when for `n_iter_no_change` epochs its mean loss has not fallen by `tol`. The
        loss of a row is ``max(0, -t (coef @ x + intercept))``. None: only without mistakes.
    shuffle : bool, default True
        Show the rows in another order in each epoch; otherwise as they come.
    verbose : int, default 0
        Above 0, print each epoch's mistakes and loss.
    eta0 : float, default 1.0
        The learning rate. Without a penalty it scales the weights and changes no prediction.
    n_jobs : int or None, default None
        No effect.
    random_state : int, RandomState or None, default 0
        Chooses the orders and the validation rows.
    early_stopping : bool, default False
        Judge units by their accuracy on rows set aside instead of by their loss.
    validation_fraction : float, default 0.1
        The share of the rows that is set aside for that, from each class.
    n_iter_no_change : int, default 5
        Epochs without improvement after which a unit stops.
    class_weight : dict, "balanced" or None, default None
        Factors of the steps for each class.
    warm_start : bool, default False
        `fit` goes on from the weights that it left last time.

    Attributes
    ----------
    classes_ : ndarray (classes,)
        The labels, sorted.
    coef_, intercept_ : float64 (units, features), (units,)
        The weights, with one unit for two classes.
    n_iter_ : int
        Epochs of the last fit, of the unit that took longest.
    mistakes_ : float64 (n_iter_, units)
        The weight of the rows that each unit got wrong while it learned, in each epoch (with plain
        rows, their number). A unit that has stopped keeps its last count.
    n_features_in_, feature_names_in_
        As everywhere in scikit-learn.

    References
    ----------
    F. Rosenblatt, "The perceptron: a probabilistic model for information storage and organization
    in the brain", Psychological Review 65(6), 1958. Y. Tsuruoka, J. Tsujii and S. Ananiadou,
    "Stochastic gradient descent training for L1-regularized log-linear models with cumulative
    penalty", ACL 2009.

    Examples
    --------
    >>> import numpy as np
    >>> from bital.sklearn import Perceptron
    >>> X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    >>> unit = Perceptron(random_state=1).fit(X, ["no", "no", "no", "yes"])  # AND
    >>> unit.predict(X)
    array(['no', 'no', 'no', 'yes'], dtype='<U3')
    >>> bool(unit.mistakes_[-1, 0] == 0)
    True
    """

    def __init__(
        self,
        *,
        penalty: str | None = None,
        alpha: float = 0.0001,
        l1_ratio: float = 0.15,
        fit_intercept: bool = True,
        max_iter: int = 1000,
        tol: float | None = 1e-3,
        shuffle: bool = True,
        verbose: int = 0,
        eta0: float = 1.0,
        n_jobs: int | None = None,
        random_state: Any = 0,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        class_weight: Any = None,
        warm_start: bool = False,
    ) -> None:
        self.penalty = penalty
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.shuffle = shuffle
        self.verbose = verbose
        self.eta0 = eta0
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.class_weight = class_weight
        self.warm_start = warm_start

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    # --- learning -------------------------------------------------------------------------------

    def fit(
        self,
        X: Any,
        y: Any,
        coef_init: Any = None,
        intercept_init: Any = None,
        sample_weight: Any = None,
    ) -> Perceptron:
        """Learn until each unit makes no mistakes, does not get better, or `max_iter` is reached.

        Parameters
        ----------
        X : array or sparse matrix (n, features)
            A sparse one is made dense a few rows at a time.
        y : array (n,)
            Labels of any kind that sorts.
        coef_init, intercept_init : arrays, default zeros
            Weights to start from, shaped as `coef_` and `intercept_`.
        sample_weight : array (n,), default ones
            Factors of the steps, zero or above; a row of weight 0 is not shown.

        Returns
        -------
        Perceptron
            This estimator.

        Raises
        ------
        ValueError
            For parameters, data or weights that cannot be learned from.

        Warns
        -----
        ConvergenceWarning
            `max_iter` epochs were not enough.
        """
        self._check_parameters()
        X, y, weight = self._checked(X, y, sample_weight, reset=True)
        classes = unique_labels(y)
        if len(classes) < 2:
            raise DataError(
                f"Perceptron.fit: all rows of y have one class, {classes.tolist()[0]!r}; a "
                "threshold unit tells one class from others, so y needs two classes or more"
            )
        if not (self.warm_start and hasattr(self, "coef_")):
            self._start(classes, X.shape[1])
        elif not np.array_equal(classes, self.classes_):
            raise DataError(
                f"Perceptron.fit: with warm_start=True y has to have the classes of the last fit, "
                f"{self.classes_.tolist()}, and it has {classes.tolist()}; use warm_start=False"
            )
        for name, given in (("coef_", coef_init), ("intercept_", intercept_init)):
            if given is not None:
                setattr(self, name, _shaped(name, given, getattr(self, name).shape))
        learning = self._learn(X, y, weight, self.max_iter)
        if learning.any() and self.tol is not None and self.n_iter_ == self.max_iter:
            warn(
                f"Perceptron: max_iter={self.max_iter} epochs were reached before convergence; "
                f"{learning.sum()} of {len(learning)} units were still getting better",
                ConvergenceWarning,
                stacklevel=2,
            )
        return self

    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None
    ) -> Perceptron:
        """Show the rows once more, for one epoch, starting from the weights so far.

        Parameters
        ----------
        X : array or sparse matrix (n, features)
        y : array (n,)
            Labels, all of them among `classes`.
        classes : array (classes,)
            All labels that will ever come: needed in the first call, and checked in later ones.
        sample_weight : array (n,), default ones

        Returns
        -------
        Perceptron
            This estimator.

        Raises
        ------
        ValueError
            As `fit`, and where `classes` is missing in the first call or differs in a later one.
        """
        self._check_parameters()
        first = not hasattr(self, "classes_")
        if first and classes is None:
            raise ArgumentError(
                "Perceptron.partial_fit: classes must be passed on the first call, as not every "
                "chunk has every class; write partial_fit(X, y, classes=np.unique(all_labels))"
            )
        if self.class_weight == "balanced":
            raise ArgumentError(
                'Perceptron.partial_fit: class_weight="balanced" needs all labels at once; pass '
                "a dict of weights, class_weight={label: weight, ...}"
            )
        X, y, weight = self._checked(X, y, sample_weight, reset=first)
        if classes is not None:
            classes = unique_labels(classes)
            if first:
                self._start(classes, X.shape[1])
            elif not np.array_equal(classes, self.classes_):
                raise ArgumentError(
                    f"Perceptron.partial_fit: classes={classes.tolist()} is not the same as on "
                    f"the last call to partial_fit, which was {self.classes_.tolist()}"
                )
        unknown = np.setdiff1d(y, self.classes_)
        if len(unknown):
            raise DataError(
                f"Perceptron.partial_fit: y has the labels {unknown.tolist()}, which are not among "
                f"the classes {self.classes_.tolist()}"
            )
        self._learn(X, y, weight, 1)
        return self

    def _checked(self, X: Any, y: Any, sample_weight: Any, reset: bool) -> tuple[Any, Array, Array]:
        """The rows whose weight is not zero, their labels and their weights."""
        X, y = validate_data(
            self,
            X,
            y,
            reset=reset,
            accept_sparse="csr",
            accept_large_sparse=False,
            dtype=(np.float64, np.float32),
        )
        check_classification_targets(y)
        if sample_weight is None:
            return X, y, np.ones(len(y))
        weight = check_array(
            sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight"
        )
        if weight.shape != y.shape:
            raise DataError(
                f"Perceptron: sample_weight has the shape {weight.shape}, and y has {y.shape}; "
                "give one weight for each row"
            )
        if (weight < 0).any() or not weight.any():
            raise DataError(
                "Perceptron: sample_weight has to be zero or above, and not all zero; it is from "
                f"{weight.min():g} to {weight.max():g}"
            )
        shown = weight > 0
        return X[shown], y[shown], weight[shown]

    def _start(self, classes: Array, features: int) -> None:
        """Units that know nothing."""
        units = 1 if len(classes) == 2 else len(classes)
        self.classes_ = classes
        self.coef_, self.intercept_ = np.zeros((units, features)), np.zeros(units)
        self._seed = int(check_random_state(self.random_state).randint(2**31))
        self._epochs = 0  # so far: with the seed, they choose the next order

    def _learn(self, X: Any, y: Array, weight: Array, epochs: int) -> Array:
        """Show the rows so many times at most; which units were still learning at the end."""
        judge = None
        if self.early_stopping:
            X, y, weight, judge = self._set_aside(X, y, weight)
        if self.shuffle:
            X, y, weight = merged(X, y, weight)
        steps = self._steps(y, weight)
        decay, cut = self._penalties()
        unit: Unit = (self.coef_.copy(), self.intercept_.copy())
        if cut:
            unit += (np.zeros(len(self.coef_)), np.zeros(self.coef_.shape))
        best, idle = np.full(len(self.coef_), -np.inf), np.zeros(len(self.coef_), int)
        learning = np.ones(len(self.coef_), bool)
        curve: list[Array] = []
        least = -np.inf if self.tol is None else self.tol
        while learning.any() and len(curve) < epochs:
            order = self._order(len(y))
            fixed = float(self.fit_intercept), decay, cut
            unit, wrong, loss = show(unit, X, steps * learning, order, *fixed)
            self.coef_, self.intercept_ = unit[:2]
            if not (np.isfinite(self.coef_).all() and np.isfinite(self.intercept_).all()):
                raise DataError(
                    "Perceptron.fit: the weights have overflown; scale the columns of X, for "
                    "example with make_pipeline(StandardScaler(), Perceptron())"
                )
            mistakes = weight @ wrong
            curve.append(np.where(learning, mistakes, curve[-1] if curve else 0))
            loss = weight @ loss / weight.sum()
            score = -loss if judge is None else judge()
            idle = np.where(score < best + least, idle + 1, 0)
            best = np.maximum(best, score)
            learning &= (idle < self.n_iter_no_change) & ((mistakes > 0) | (decay < 1) | (cut > 0))
            if self.verbose:
                print(f"Epoch {len(curve)}: mistakes {mistakes.sum():g}, loss {loss.mean():.6g}")
        self.n_iter_, self.mistakes_ = len(curve), np.array(curve)
        return learning

    def _set_aside(self, X: Any, y: Array, weight: Array) -> Any:
        """Rows to learn from, and a function: each unit's share of right answers on the others."""
        split = StratifiedShuffleSplit(
            1, test_size=self.validation_fraction, random_state=self._seed
        )
        learn, held = next(split.split(np.zeros((len(y), 1)), y))
        x, t, w = X[held], self._signs(y[held]), weight[held]

        def judge() -> Array:
            right = (x @ self.coef_.T + self.intercept_ > 0) == (t > 0)
            return np.asarray(w @ right / w.sum())

        return X[learn], y[learn], weight[learn], judge

    def _signs(self, y: Array) -> Array:
        """1 where a unit should say yes, -1 where no: ``(n, units)``."""
        code = np.searchsorted(self.classes_, y)[:, np.newaxis]
        yes = [1] if len(self.classes_) == 2 else range(len(self.classes_))
        return np.where(code == np.array(yes), 1.0, -1.0)

    def _steps(self, y: Array, weight: Array) -> Array:
        """How far each row would move each unit, with its sign: ``(n, units)``."""
        signs = self._signs(y)
        factor = compute_class_weight(self.class_weight, classes=self.classes_, y=y)
        if len(self.classes_) == 2:
            factors = np.where(signs > 0, factor[1], factor[0])
        else:
            factors = np.where(signs > 0, factor, 1.0)
        return self.eta0 * signs * factors * weight[:, np.newaxis]

    def _penalties(self) -> tuple[float, float]:
        """At each row, what the weights are multiplied by, and what L1 takes from them."""
        if self.penalty is None:
            return 1.0, 0.0
        share = {"l2": 0.0, "l1": 1.0}.get(self.penalty, self.l1_ratio)
        rate = self.eta0 * self.alpha
        return max(0.0, 1.0 - (1.0 - share) * rate), share * rate

    def _order(self, rows: int) -> Array:
        """The order of the next epoch."""
        self._epochs += 1
        if not self.shuffle:
            return np.arange(rows)
        return np.random.default_rng([self._seed, self._epochs]).permutation(rows)

    # --- answers --------------------------------------------------------------------------------

    def decision_function(self, X: Any) -> Array:
        """The weighted sums: above zero the unit says yes.

        Parameters
        ----------
        X : array or sparse matrix (n, features)

        Returns
        -------
        float64 (n,) for two classes, otherwise (n, classes)

        Raises
        ------
        NotFittedError
            Before `fit`.
        """
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, accept_sparse="csr")
        sums = np.asarray(X @ self.coef_.T + self.intercept_)
        return sums[:, 0] if len(self.classes_) == 2 else sums

    def predict(self, X: Any) -> Array:
        """The label of each row.

        Parameters
        ----------
        X : array or sparse matrix (n, features)

        Returns
        -------
        array (n,)
            Labels out of `classes_`.

        Raises
        ------
        NotFittedError
            Before `fit`.
        """
        sums = self.decision_function(X)
        chosen = (sums > 0).astype(int) if sums.ndim == 1 else sums.argmax(axis=1)
        return np.asarray(self.classes_[chosen])

    def save(self, path: Any) -> None:
        """Write parameters, labels and weights to one inert file: `bital.sklearn.load` reads it.

        Parameters
        ----------
        path : str or path
            ``.safetensors`` is the usual suffix.

        Raises
        ------
        NotFittedError
            Before `fit`.
        DataError
            If labels are neither numbers nor text.
        """
        saving.save_units(self, path)

    def _fitted_state(self) -> tuple[dict[str, Any], dict[str, Array]]:
        names = getattr(self, "feature_names_in_", None)
        document = {
            "classes": plain(self.classes_),
            "feature_names_in_": None if names is None else names.tolist(),
            "seed": self._seed,
            "epochs": self._epochs,
        }
        arrays = {"coef": self.coef_, "intercept": self.intercept_, "mistakes": self.mistakes_}
        return document, arrays

    def _set_fitted_state(self, document: dict[str, Any], arrays: dict[str, Array]) -> None:
        self.classes_ = from_plain(document["classes"])
        units = 1 if len(self.classes_) == 2 else len(self.classes_)
        self.coef_, self.intercept_ = arrays["coef"], arrays["intercept"]
        self.mistakes_ = arrays["mistakes"]
        self.n_features_in_, self.n_iter_ = self.coef_.shape[1], len(self.mistakes_)
        shapes = (units, self.n_features_in_), (units,), (self.n_iter_, units)
        found = self.coef_, self.intercept_, self.mistakes_
        for array, shape in zip(found, shapes, strict=True):
            if array.shape != shape or array.dtype != np.float64:
                raise DataError(f"its weights do not belong to {len(self.classes_)} classes")
        names = document["feature_names_in_"]
        if names is not None:
            self.feature_names_in_ = np.array([str(name) for name in names], object)
        self._seed, self._epochs = int(document["seed"]), int(document["epochs"])

    def _check_parameters(self) -> None:
        for name, (allowed, words) in _PARAMETERS.items():
            value = getattr(self, name)
            if not allowed(value):
                raise ArgumentError(f"Perceptron: {name} has to be {words}; it is {value!r}")


def _whole(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and value >= 1


def _real(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and not np.isnan(value)


_PARAMETERS = {
    "penalty": (
        lambda v: v in (None, "l2", "l1", "elasticnet"),
        '"l2", "l1", "elasticnet" or None',
    ),
    "alpha": (lambda v: _real(v) and v >= 0, "a number, zero or above"),
    "l1_ratio": (lambda v: _real(v) and 0 <= v <= 1, "a number from 0 to 1"),
    "max_iter": (_whole, "a whole number, 1 or above"),
    "tol": (lambda v: v is None or (_real(v) and v >= 0), "a number, zero or above, or None"),
    "eta0": (lambda v: _real(v) and 0 < v < np.inf, "a number above zero"),
    "validation_fraction": (lambda v: _real(v) and 0 < v < 1, "a number between 0 and 1"),
    "n_iter_no_change": (_whole, "a whole number, 1 or above"),
    "class_weight": (
        lambda v: v is None or v == "balanced" or isinstance(v, dict),
        'a dict {label: weight}, "balanced" or None',
    ),
}


def _shaped(name: str, given: Any, shape: tuple[int, ...]) -> Array:
    start = np.array(given, np.float64)
    if start.size != np.prod(shape):
        raise DataError(
            f"Perceptron.fit: {name.rstrip('_')}_init has the shape {start.shape}; for these "
            f"classes and features it has to be {shape}"
        )
    return start.reshape(shape)
