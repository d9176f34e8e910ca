"""`check_target`: what can be told of a target before anything is trained."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bital.errors import DataError, TableWarning
from bital.tables.columns import Values, columns_of, near, number_text, read

FEW = 20  # different whole numbers are classes
ROWS = 50  # with fewer, nothing is told of leaks
SAMPLE = 20_000
LEAK = 0.02  # of the error that is made without the column


@dataclass(frozen=True)
class Target:
    """What was found of a target.

    Attributes
    ----------
    name : str
    task : str
        ``"classification"`` or ``"regression"``.
    reason : str
        Why it is that task.
    classes : tuple of str
        Names of the classes, in order; empty for regression.
    missing : int
        Rows without a target: no network can learn from them.
    leaks : tuple of str
        Columns that alone predict it.
    """

    name: str
    task: str
    reason: str
    classes: tuple[str, ...]
    missing: int
    leaks: tuple[str, ...]


def check_target(X: Any, target: str, *, task: str | None = None) -> Target:
    """Tell what a target is, and look for the usual faults.

    Text, booleans, and whole numbers of at most 20 different values are classes; other numbers
    are quantities. A column leaks the target if it alone predicts it: the most frequent class
    of each of its values, or the mean rank of the target, taken from one half of the rows, leaves
    at most 2 % of the error on the other half, where numbers take the nearest value. The error is
    the share of wrong classes, or the variance of the ranks.

    Parameters
    ----------
    X : data frame or dict of columns
        With the target; of more than 20,000 rows, as many are looked at for leaks.
    target : str
        The name of its column.
    task : str, optional
        ``"classification"`` or ``"regression"``, if it is known.

    Returns
    -------
    Target

    Raises
    ------
    DataError
        If there is no such column, or nothing can be learned from it.

    Warns
    -----
    TableWarning
        If a column leaks the target.

    Examples
    --------
    >>> found = check_target({"age": [31, 42, 53], "buys": ["yes", "no", "yes"]}, "buys")
    >>> found.task, found.classes
    ('classification', ('no', 'yes'))
    """
    columns = columns_of(X, "check_target")
    if target not in columns:
        known = ", ".join(map(repr, list(columns)[:20])) + (", ..." if len(columns) > 20 else "")
        raise DataError(
            f"the table has no column {target!r} to be the target.{near(target, columns)} "
            f"It has {known}."
        )
    values = read(target, columns[target])
    chosen, reason = _task(target, values)
    if task not in (None, "classification", "regression"):
        raise DataError(f"task is {task!r}: must be 'classification' or 'regression'.")
    if task is not None:
        chosen, reason = task, "as asked for"
    names, y = _classes(target, values) if chosen == "classification" else ((), values.data)
    if chosen == "regression":
        _check_quantity(target, values)
    leaks = _leaks(columns, target, y, len(names))
    for name, left in leaks.items():
        warnings.warn(
            f"column {name!r} alone predicts {target!r}: {left:.1%} of the error is left with it. "
            "If it is known only together with the target, the network learns nothing else, and "
            "fails on new rows: leave it out.",
            TableWarning,
            stacklevel=2,
        )
    return Target(target, chosen, reason, names, int(values.missing.sum()), tuple(leaks))


def _task(name: str, values: Values) -> tuple[str, str]:
    if values.kind == "empty":
        raise DataError(f"the target {name!r} is missing in all {len(values.data)} rows.")
    if values.kind == "date":
        raise DataError(
            f"the target {name!r} holds dates: a network predicts classes or numbers. Make a "
            "number of it, such as the days from another date."
        )
    if values.kind != "number":
        return "classification", f"it holds {'text' if values.kind == 'text' else 'booleans'}"
    present = values.present
    distinct = len(np.unique(present))
    if np.all(present == np.floor(present)) and distinct <= FEW:
        return "classification", f"it holds {distinct} different whole numbers"
    return "regression", f"it holds {distinct:,} different numbers"


def _classes(name: str, values: Values) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Names of the classes, and their numbers by row, NaN where there is none."""
    labels = values.present
    if values.kind == "text":
        labels = np.array(values.names, object)[labels]
    known, numbers = np.unique(labels, return_inverse=True)
    names = known.tolist()
    if values.kind != "text":
        names = [number_text(bool(c) if values.kind == "boolean" else c) for c in names]
    if len(names) == 1:
        raise DataError(
            f"the target {name!r} has one class, {names[0]!r}, in all rows: there is nothing to "
            "tell apart. Take rows of other classes too."
        )
    if len(labels) >= ROWS and len(names) > len(labels) / 2:
        raise DataError(
            f"the target {name!r} has {len(names):,} classes in {len(labels):,} rows, such as "
            f"{names[0]!r}: most are seen once. Is it an id, or a number written as text?"
        )
    y = np.full(len(values.data), np.nan)
    y[~values.missing] = numbers
    return tuple(names), y


def _check_quantity(name: str, values: Values) -> None:
    if values.kind == "text":
        raise DataError(
            f"the target {name!r} holds text, such as {values.names[0]!r}, where regression needs "
            "numbers: write numbers alone, or choose classification."
        )
    present = values.present
    if np.all(present == present[0]):
        raise DataError(
            f"the target {name!r} is {number_text(present[0])} in all rows: nothing to learn."
        )


def _leaks(
    columns: Mapping[str, Any], target: str, y: NDArray[np.float64], classes: int
) -> dict[str, float]:
    """Columns that predict the target, with the share of the error that each leaves."""
    rows = np.flatnonzero(~np.isnan(y))
    rows = np.random.default_rng(0).permutation(rows)[:SAMPLE]
    if len(rows) < ROWS:
        return {}
    y = y[rows]
    if not classes:  # ranks: an outlier is no more than the greatest
        y = np.unique(y, return_inverse=True)[1].astype(float)
    found = {}
    for name, column in columns.items():
        if name == target:
            continue
        left = _error_left(_places(read(name, column), rows), y, classes)
        if left <= LEAK:
            found[name] = left
    return found


def _places(values: Values, rows: NDArray[Any]) -> NDArray[np.int64]:
    """A column as places among its values; numbers take the nearest one of the first half."""
    data = values.data[rows]
    if values.kind == "text":
        return np.unique(data, return_inverse=True)[1]
    missing = np.isnan(data)
    known = np.unique(data[: len(rows) // 2][~missing[: len(rows) // 2]])
    if not len(known):
        return missing.astype(np.int64)
    middles = known[:-1] + (known[1:] - known[:-1]) / 2
    return np.where(missing, len(known), np.searchsorted(middles, data))


def _error_left(places: NDArray[np.int64], y: NDArray[np.float64], classes: int) -> float:
    """Error on the second half, by what each place holds in the first, over that without."""
    half = len(y) // 2
    x, new = places[:half], places[half:]
    size = int(places.max()) + 1
    if classes:
        if size * classes > 1 << 24:
            return 1.0
        table = np.bincount(x * classes + y[:half].astype(int), minlength=size * classes)
        table = table.reshape(size, classes)
        usual = table.sum(axis=0).argmax()
        guess = np.where(table.any(axis=1), table.argmax(axis=1), usual)
        error, base = np.sum(guess[new] != y[half:]), np.sum(usual != y[half:])
        return float(error / base) if base >= 10 else 1.0
    count = np.bincount(x, minlength=size)
    mean = y[:half].mean()
    guess = np.where(
        count > 0, np.bincount(x, y[:half], minlength=size) / np.maximum(count, 1), mean
    )
    return float(np.sum((guess[new] - y[half:]) ** 2) / np.sum((mean - y[half:]) ** 2))
