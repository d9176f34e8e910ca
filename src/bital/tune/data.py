"""The data of a search, cut into what trials train on and what they are scored on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

import bital
from bital.errors import ArgumentError, DataError
from bital.tune.optional import load_sklearn

LOOKED_AT = 64
"""Rows by which a study knows its data again."""


class Part(NamedTuple):
    """What one training of a trial gets, and the rows that it may see (None: all)."""

    x: Any
    y: Any
    x_val: Any
    y_val: Any
    rows: Any


class Data:
    """Samples, and how they are cut.

    Parameters
    ----------
    x, y
        Inputs and targets as the learner takes them: arrays, containers of arrays, tables.
    cv : int, float, splitter, iterable of (train, test), or None
        Folds as scikit-learn counts them; a float is the share of one part that is held out.
        Default: 5 folds.
    validation : (x, y) or None
        What to score on instead.
    classifier : bool
        Whether folds have equal shares of the classes.
    seed : int
        Of the part that is held out.

    Raises
    ------
    ArgumentError, DataError
        If both are given, or do not fit.
    """

    def __init__(
        self, x: Any, y: Any, cv: Any, validation: Any, classifier: bool, seed: int
    ) -> None:
        self.x, self.y = x, y
        self.validation = validation
        self.cv = cv
        if validation is None:
            self.rows = _splits(x, y, 5 if cv is None else cv, classifier, seed)
            return
        if cv is not None:
            raise ArgumentError(
                f"search(cv={cv!r}, validation_data=...): trials are scored on one or the other."
            )
        if not isinstance(validation, (tuple, list)) or len(validation) != 2:
            raise ArgumentError(
                "search(validation_data=...): must be a pair (x, y), not "
                f"{type(validation).__name__}."
            )
        self.rows = [None]

    def __len__(self) -> int:
        return len(self.rows)

    def part(self, fold: int) -> Part:
        """The data of one fold."""
        if self.validation is not None:
            return Part(plain(self.x), plain(self.y), *self.validation, None)
        train, test = self.rows[fold]
        x, y = take(self.x, train), take(self.y, train)
        return Part(x, y, take(self.x, test), take(self.y, test), train)

    def describe(self) -> dict[str, Any]:
        """What a study keeps to know the data again; plain data."""
        found = {"x": _described(self.x), "y": _described(self.y)}
        if self.validation is not None:
            found["validation"] = [_described(item) for item in self.validation]
        else:
            digest = hashlib.sha256()
            for pair in self.rows:
                for rows in pair:
                    digest.update(np.ascontiguousarray(rows, np.int64).tobytes())
            found["folds"] = f"{len(self.rows)}, {digest.hexdigest()[:16]}"
        return found


def take(data: Any, rows: Any) -> Any:
    """The rows of an array, a table, or of each array in a container."""
    if data is None:
        return None
    if isinstance(data, dict):
        return {name: take(item, rows) for name, item in data.items()}
    if isinstance(data, (list, tuple)) and data and hasattr(data[0], "shape"):
        return type(data)(take(item, rows) for item in data)
    if hasattr(data, "iloc"):
        return data.iloc[rows]
    if type(data).__module__.startswith("pyarrow"):
        return data.take(rows)
    return data[rows] if hasattr(data, "shape") else np.asarray(data)[rows]


def plain(data: Any) -> Any:
    """Arrays that lie in a file shared by workers, as ordinary ones: nothing is copied."""
    return np.asarray(data) if isinstance(data, np.memmap) else data


def _splits(x: Any, y: Any, cv: Any, classifier: bool, seed: int) -> list[Any]:
    if isinstance(cv, Iterable):
        found = [tuple(pair) for pair in cv]
    else:
        selection = load_sklearn("model_selection", "A search with cross-validation")
        labels = None if y is None else np.asarray(y)
        if isinstance(cv, float):
            if not 0 < cv < 1:
                raise ArgumentError(f"search(cv={cv!r}): a share must lie between 0 and 1.")
            kind = selection.StratifiedShuffleSplit if classifier else selection.ShuffleSplit
            cv = kind(n_splits=1, test_size=cv, random_state=seed)
        splitter = selection.check_cv(cv, labels, classifier=classifier)
        found = list(splitter.split(np.zeros(_length(x)), labels))
    if not found:
        raise ArgumentError(f"search(cv={cv!r}): there are no folds.")
    return found


def _length(x: Any) -> int:
    if isinstance(x, dict) and x:
        return _length(next(iter(x.values())))
    if isinstance(x, (list, tuple)) and x and hasattr(x[0], "shape"):
        return _length(x[0])
    if hasattr(x, "shape") and len(x.shape):
        return int(x.shape[0])
    try:
        return len(x)
    except TypeError:
        raise DataError(
            f"search(X={type(x).__name__}): must be arrays or tables, whose rows can be cut into "
            "folds."
        ) from None


def _described(data: Any) -> Any:
    """Kind, shape and a digest of rows spread over the data."""
    if data is None:
        return None
    if isinstance(data, (dict, list, tuple)) and not np.isscalar(data):
        leaves = [leaf for leaf in bital.tree.leaves(data) if hasattr(leaf, "shape")]
        if leaves:
            return [_described(leaf) for leaf in leaves]
    n = _length(data)
    rows = np.unique(np.linspace(0, n - 1, min(n, LOOKED_AT)).astype(int)) if n else []
    some = take(data, rows)
    if hasattr(some, "toarray"):
        some = some.toarray()
    text = repr(np.asarray(some).tolist())
    shape = list(getattr(data, "shape", (n,)))
    return f"{shape} {hashlib.sha256(text.encode()).hexdigest()[:16]}"
