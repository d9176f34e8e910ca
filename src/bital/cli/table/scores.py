"""How good predictions are, against the truth and against knowing nothing; which columns count."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bital.cli.recording import Score

REPEATS = 5
"""How often each column is shuffled."""


class Importance(NamedTuple):
    """How much worse the predictions become when a column is shuffled: mean and deviation."""

    column: str
    mean: float
    deviation: float


def answers(estimator: Any, frames: Iterator[Any]) -> NDArray[Any]:
    """What an estimator says of frames: ``(n, classes)`` probabilities, or ``(n,)`` quantities."""
    ask = getattr(estimator, "predict_proba", estimator.predict)
    names = estimator.feature_names_in_.tolist()
    return np.concatenate([np.asarray(ask(frame.select(names))) for frame in frames])


def measured(truth: NDArray[Any], given: NDArray[Any]) -> dict[str, float | None]:
    """The scores of `answers`."""
    return (of_classes if given.ndim == 2 else of_quantities)(truth, given)


def of_classes(truth: NDArray[Any], probabilities: NDArray[Any]) -> dict[str, float | None]:
    """Measures of a classification.

    Parameters
    ----------
    truth : (n,) integer array
        Places of the classes.
    probabilities : (n, classes) array

    Returns
    -------
    dict
        ``accuracy``. ``balanced_accuracy``: mean over the classes that occur of the share found.
        ``auc``: area under the ROC curve, of several classes the mean of one against the rest; None
        where a class is missing. ``loss``: cross-entropy.
    """
    from sklearn.metrics import roc_auc_score

    classes = probabilities.shape[1]
    right = np.take_along_axis(probabilities, truth[:, np.newaxis], axis=1)
    answers = probabilities.argmax(axis=1)
    counts = np.bincount(truth, minlength=classes)
    hits = np.bincount(truth[answers == truth], minlength=classes)
    auc = None
    if (counts > 0).all():
        chosen = probabilities[:, 1] if classes == 2 else probabilities
        auc = float(roc_auc_score(truth, chosen, multi_class="ovr"))
    return {
        "accuracy": float((answers == truth).mean()),
        "balanced_accuracy": float((hits[counts > 0] / counts[counts > 0]).mean()),
        "auc": auc,
        "loss": float(-np.log(np.maximum(right, 1e-7), dtype=np.float64).mean()),
    }


def of_quantities(truth: NDArray[Any], predicted: NDArray[Any]) -> dict[str, float | None]:
    """Measures of a regression, ``(n,)`` and ``(n,)``, in the unit of the target.

    ``rmse``: root of the mean squared error. ``mae``: mean absolute error. ``r2``: share of the
    variance that is explained; None where there is none.
    """
    error = predicted - truth
    variance = float(np.var(truth))
    square = float(np.mean(np.square(error)))
    return {
        "rmse": square**0.5,
        "mae": float(np.mean(np.abs(error))),
        "r2": 1 - square / variance if variance else None,
    }


def baseline(train: NDArray[Any], test: NDArray[Any], classes: int) -> Score:
    """What one reaches without looking at any column, from the training targets alone.

    Of classes: their shares as probabilities. Of quantities (``classes=0``): the mean.
    """
    if not classes:
        return of_quantities(test, np.full(len(test), train.mean()))
    shares = np.bincount(train, minlength=classes) / len(train)
    return of_classes(test, np.tile(shares, (len(test), 1)))


def importance(
    frame: Any,
    names: list[str],
    loss: Callable[[Any], float],
    seed: int,
    repeats: int = REPEATS,
) -> list[Importance]:
    """How much a loss grows when the values of one column are shuffled among the rows.

    The most important column stands first. Columns that say the same share their importance, so
    that each of them may look unimportant (Breiman, "Random forests", 2001).

    Parameters
    ----------
    frame : polars.DataFrame
    names : list of str
        The columns to shuffle.
    loss : callable
        Of a frame like this one.
    seed : int
    repeats : int, default 5
    """
    generator = np.random.default_rng(seed)
    whole = loss(frame)
    found = []
    for name in names:
        grown = []
        for _ in range(repeats):
            shuffled = frame[name].gather(generator.permutation(len(frame)))
            grown.append(loss(frame.with_columns(shuffled.alias(name))) - whole)
        found.append(Importance(name, float(np.mean(grown)), float(np.std(grown))))
    return sorted(found, key=lambda each: -each.mean)
