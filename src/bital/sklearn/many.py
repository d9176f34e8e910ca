"""Several estimators fitted at once, and the folds of cross-validations: `bital.keras.fit_many`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.metrics import check_scoring
from sklearn.model_selection import check_cv
from sklearn.utils.validation import _check_sample_weight

from bital import config, keras, tree
from bital.errors import ArgumentError, DataError
from bital.keras.hyperparameters import differences
from bital.sklearn import parameters
from bital.sklearn.base import DNN
from bital.sklearn.inputs import rows_of
from bital.sklearn.training import Plan, Training

_BEYOND_EPOCHS = [
    f"on_{kind}_{end}" for kind in ("train_batch", "test", "test_batch") for end in ("begin", "end")
]
_TOGETHER = ("batch_size", "steps_per_epoch", "epochs", "initial_epoch", "shuffle")


def fit_many(
    estimators: Sequence[Any],
    X: Any,
    y: Any,
    *,
    rows: Sequence[Any] | None = None,
    sample_weight: Any = None,
) -> list[Any]:
    """Fit several estimators; networks of one architecture train as one program.

    Each ends as ``estimator.fit(X[rows], y[rows])`` ends, to rounding, whatever its parameters are:
    learning rate, ``alpha``, dropout, early stopping, ``random_state``. Those with other sizes of
    layers, of batches or of samples are other programs, one for each kind. L-BFGS, sparse inputs
    and ``warm_start`` have none in common, and are fitted one after the other.

    Parameters
    ----------
    estimators : sequence of DNNClassifier or DNNRegressor
        Each is fitted in place.
    X, y, sample_weight
        As in ``fit``; the samples of all.
    rows : sequence of array-like, optional
        For each estimator the numbers of the samples to train on. Default: all samples.

    Returns
    -------
    list
        The estimators.

    Raises
    ------
    ArgumentError
        If one is not an estimator of these, stands there twice, or ``rows`` has another length.
    ValueError, TypeError
        As ``fit``. If the weights of one are no numbers in the end, when all others are fitted.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from bital.sklearn import DNNClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> several = [DNNClassifier((8,), alpha=a, max_iter=5, tol=0) for a in (1e-4, 1e-2)]
    >>> [estimator.n_iter_ for estimator in fit_many(several, X, y)]
    [5, 5]
    """
    estimators = list(estimators)
    for number, estimator in enumerate(estimators):
        if not isinstance(estimator, DNN) or any(estimator is e for e in estimators[:number]):
            raise ArgumentError(
                f"fit_many: estimators[{number}] is {estimator!r:.80}; give DNNClassifier or "
                "DNNRegressor, each one once (sklearn.base.clone makes others)."
            )
    faults = _fit(estimators, X, y, _checked_rows(rows, len(estimators)), sample_weight)
    for fault in faults:
        if fault is not None:
            raise fault
    return estimators


def cross_val_scores(
    estimators: Sequence[Any],
    X: Any,
    y: Any,
    *,
    cv: Any = None,
    scoring: Any = None,
    sample_weight: Any = None,
) -> np.ndarray:
    """Return the scores of several estimators in all folds, trained together as `fit_many` does.

    As ``sklearn.model_selection.cross_val_score`` of each, and much faster for small networks.

    Parameters
    ----------
    estimators : sequence of DNNClassifier or DNNRegressor
        They are cloned, not fitted.
    X, y, sample_weight
        The samples. Weights count in training.
    cv : int, splitter or iterable, optional
        As in scikit-learn: None for 5 folds, stratified for classifiers.
    scoring : str or callable, optional
        Default: the estimators' ``score``.

    Returns
    -------
    float64 array, ``(estimators, folds)``
        NaN where a training did not end in numbers.

    Raises
    ------
    ValueError, TypeError
        As ``fit``.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from bital.sklearn import DNNClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> several = [DNNClassifier((8,), alpha=a, max_iter=5, tol=0) for a in (1e-4, 1e-2)]
    >>> cross_val_scores(several, X, y, cv=3).shape
    (2, 3)
    """
    estimators = list(estimators)
    if not estimators:
        raise ArgumentError(f"cross_val_scores(estimators={estimators!r}): give at least one.")
    folds = list(check_cv(cv, y, classifier=is_classifier(estimators[0])).split(X, y))
    clones = [clone(estimator) for estimator in estimators for _ in folds]
    faults = _fit(clones, X, y, [train for _ in estimators for train, _ in folds], sample_weight)
    tests = [(rows_of(X, test), rows_of(y, test)) for _, test in folds]
    found = []
    for number, (fitted, fault) in enumerate(zip(clones, faults, strict=True)):
        score = check_scoring(fitted, scoring)
        found.append(np.nan if fault else score(fitted, *tests[number % len(folds)]))
    return np.array(found, np.float64).reshape(len(estimators), len(folds))


def _checked_rows(rows: Any, count: int) -> list[Any]:
    if rows is None:
        return [None] * count
    found = [np.asarray(each) for each in rows]
    if len(found) != count:
        raise ArgumentError(f"fit_many(rows=...): {len(found)} entries for {count} estimators.")
    return found


def _fit(
    estimators: list[Any], X: Any, y: Any, rows: list[Any], sample_weight: Any
) -> list[DataError | None]:
    """Fit all; return for each what is wrong with the weights in which it ended, if anything."""
    weights = sample_weight
    if weights is not None:
        weights = _check_sample_weight(weights, X, dtype=np.float64)
    pool, waiting = _Pool(), []
    trainings: list[Training] = []
    for estimator, own in zip(estimators, rows, strict=True):
        parts = [X, y, weights]
        if own is not None:
            parts = [part if part is None else rows_of(part, own) for part in parts]
        training = estimator._begin(*parts)
        trainings.append(training)
        if _is_alone(estimator, training):
            training.run()
        else:
            waiting.append(pool.taken(estimator, training))
    for together in _kinds(waiting):
        _train(together)
    faults: list[DataError | None] = []
    for estimator, training in zip(estimators, trainings, strict=True):
        try:
            estimator._end(training)
            faults.append(None)
        except DataError as fault:
            faults.append(fault)
    return faults


def _is_alone(estimator: Any, training: Training) -> bool:
    """Whether only ``training.run`` knows how to go on."""
    batches = training.y is None
    stopped = training.progress.stopped or training.arguments["initial_epoch"]
    hears = any(
        getattr(type(callback), name) is not getattr(keras.callbacks.Callback, name)
        for callback in training.arguments["callbacks"]
        for name in _BEYOND_EPOCHS
    )
    return bool(parameters.is_lbfgs(estimator) or batches or stopped or hears)


@dataclass
class _Waiting:
    """A training, and where its samples and those for validation stand among the others."""

    estimator: Any
    training: Training
    samples: tuple[Any, ...]
    tests: tuple[Any, ...] | None

    @property
    def kind(self) -> Any:
        """What must be equal in trainings of one program, beside the architecture."""
        arguments = self.training.arguments
        arrays = [self.samples, self.tests]
        types = [(a.shape[1:], a.dtype.str) for a in tree.leaves(arrays)]
        return (
            tuple(arguments[name] for name in _TOGETHER),
            tree.structure(arrays),
            tuple(types),
            config.executor_name(self.training.model.executor),
        )


class _Pool:
    """Arrays, each kept once: trainings of one fold have equal samples, encoded anew for each."""

    def __init__(self) -> None:
        self._known: dict[bytes, Any] = {}

    def taken(self, estimator: Any, training: Training) -> _Waiting:
        """Return the training without arrays of its own."""
        arguments = training.arguments
        samples = self._kept((training.x, training.y, arguments.pop("sample_weight")))
        held = arguments.pop("validation_data", None)
        tests = None if held is None else self._kept((*held, None)[:3])
        training.x = training.y = None
        training.model.executor = estimator.executor
        return _Waiting(estimator, training, samples, tests)

    def _kept(self, arrays: Any) -> Any:
        digest = hashlib.blake2b(repr(tree.structure(arrays)).encode())
        for array in tree.leaves(arrays):
            digest.update(f"{array.shape} {array.dtype.str} ".encode())
            digest.update(np.ascontiguousarray(array).view(np.uint8).data)
        return self._known.setdefault(digest.digest(), arrays)


def _kinds(waiting: list[_Waiting]) -> Iterator[list[_Waiting]]:
    """Put trainings together that one call of `keras.fit_many` takes."""
    found: dict[Any, list[_Waiting]] = {}
    for each in waiting:
        found.setdefault(each.kind, []).append(each)
    for together in found.values():
        yield from _architectures(together)


def _architectures(together: list[_Waiting]) -> list[list[_Waiting]]:
    if _are_alike(together):
        return [together]
    found: list[list[_Waiting]] = []
    for each in together:
        for others in found:
            if _are_alike([others[0], each]):
                others.append(each)
                break
        else:
            found.append([each])
    return found


def _are_alike(together: Sequence[_Waiting]) -> bool:
    try:
        differences([each.training.model for each in together])
    except ArgumentError:
        return False
    return True


def _train(together: list[_Waiting]) -> None:
    joined = _Joined()
    rows = [joined.rows(each.samples) for each in together]
    tests = None
    if together[0].tests is not None:
        tests = [joined.rows(each.tests) for each in together]
    x, y, weights = joined.arrays()
    first = together[0]
    arguments = first.training.arguments
    count, size = len(rows[0]), arguments["batch_size"]
    steps = arguments["steps_per_epoch"] or -(-count // size)
    plan = Plan(count, size, steps, arguments["epochs"] * len(together))
    for each in together:
        each.training.model.executor = first.estimator._executor(plan)
    keras.fit_many(
        [each.training.model for each in together],
        x,
        y,
        size,
        arguments["epochs"],
        rows=rows,
        validation_rows=tests,
        sample_weight=weights,
        shuffle=arguments["shuffle"],
        steps_per_epoch=arguments["steps_per_epoch"],
        seeds=[each.training.arguments["seed"] for each in together],
        callbacks=_callbacks(together),
    )


def _callbacks(together: list[_Waiting]) -> Callable[[int], Any]:
    return lambda number: together[number].training.arguments["callbacks"]


class _Joined:
    """Samples behind each other, and the numbers under which each part is found."""

    def __init__(self) -> None:
        self._places: dict[int, np.ndarray] = {}
        self._parts: list[Any] = []
        self._count = 0

    def rows(self, arrays: Any) -> np.ndarray:
        """Return the numbers of the samples of a part."""
        if id(arrays) not in self._places:
            count = len(tree.leaves(arrays)[0])
            self._places[id(arrays)] = np.arange(self._count, self._count + count)
            self._count += count
            self._parts.append(arrays)
        return self._places[id(arrays)]

    def arrays(self) -> Any:
        """Return all samples."""
        if len(self._parts) == 1:
            return self._parts[0]
        return tree.map(lambda *parts: np.concatenate(parts), *self._parts)


__all__ = ["cross_val_scores", "fit_many"]
