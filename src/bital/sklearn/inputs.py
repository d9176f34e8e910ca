"""From what users hand over to arrays that the network reads: learnt in ``fit``, kept with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import validate_data

from bital import tree
from bital.errors import DataError
from bital.keras.utils import PyDataset

WIDEST = 8.0
"""Deviations that the numbers of a column span at most, once they are scaled."""

DENSE_LIMIT = 1 << 28
"""Bytes up to which a sparse matrix becomes a dense one; larger ones do so batch by batch."""


CHUNK = 1 << 22
"""Bytes of the float64 copies in between."""


class ArrayInputs:
    """Numbers in columns, each moved to mean 0 and scaled to variance 1, or a span of `WIDEST`.

    Parameters
    ----------
    standardize : bool
        Whether they are; else they stay as they are.
    dtype : dtype
        Of the network.
    """

    kind = "array"

    def __init__(self, standardize: bool, dtype: Any) -> None:
        self.standardize = standardize
        self.dtype = np.dtype(dtype)
        self.mean: np.ndarray | None = None
        self.scale: np.ndarray | None = None

    def fit(self, x: Any, weights: np.ndarray | None = None) -> ArrayInputs:
        """Learn the columns' means and deviations, in float64."""
        self.columns = x.shape[1]
        if self.standardize:
            self.mean, self.scale = moments(x, weights)
            # Else a pixel that is white once in a thousand images comes as a hundred.
            self.scale = np.maximum(self.scale, _spans(x) / WIDEST)
        return self

    def transform(self, x: Any) -> Any:
        """Return ``(samples, columns)`` as the network reads it."""
        if hasattr(x, "toarray"):
            if x.shape[0] * x.shape[1] * self.dtype.itemsize > DENSE_LIMIT:
                return SparseRows(self, x)
            x = x.toarray()
        if self.mean is None:
            return np.asarray(x, self.dtype)
        found = np.empty(x.shape, self.dtype)
        for rows in _chunks(x):
            found[rows] = np.subtract(x[rows], self.mean, dtype=np.float64) / self.scale
        return found

    def spec(self) -> dict[str, Any]:
        """Return what the network has to be built for."""
        return {"numbers": self.columns, "categories": {}}

    def describe(self, names: Any = None) -> str:
        """Return a table of the columns as text."""
        names = [f"x{place}" for place in range(self.columns)] if names is None else names
        if self.mean is None:
            return f"{self.columns} columns of numbers, as they are"
        lines = [f"{self.columns} columns of numbers become (x - mean) / scale", ""]
        width = max(6, *(len(str(name)) for name in names))
        lines.append(f"{'column':{width}}  {'mean':>12}  {'scale':>12}")
        rows = zip(names, self.mean, self.scale, strict=True)
        return "\n".join([*lines, *(f"{n!s:{width}}  {m:12.6g}  {s:12.6g}" for n, m, s in rows)])

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return plain data and arrays from which `from_state` makes the same."""
        document = {
            "kind": self.kind,
            "standardize": self.standardize,
            "dtype": self.dtype.name,
            "columns": self.columns,
        }
        return document, {"mean": self.mean, "scale": self.scale} if self.standardize else {}

    @classmethod
    def from_state(cls, document: dict[str, Any], arrays: dict[str, np.ndarray]) -> ArrayInputs:
        """Return what `state` described."""
        made = cls(document["standardize"] is True, document["dtype"])
        made.columns = int(document["columns"])
        if made.standardize:
            made.mean, made.scale = arrays["mean"], arrays["scale"]
            for array in (made.mean, made.scale):
                if array.shape != (made.columns,) or array.dtype.kind != "f":
                    raise DataError(f"a {array.dtype}{list(array.shape)} is no scale of columns")
        return made


class SparseRows:
    """The rows of a sparse matrix that would be too large as a dense one, made when needed."""

    def __init__(self, inputs: ArrayInputs, x: Any) -> None:
        self.inputs, self.x = inputs, x.tocsr()
        self.shape = x.shape

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> Any:
        return self.inputs.transform(self.x[rows].toarray())


class SparseBatches(PyDataset):
    """Batches of sparse rows for ``model.fit``, in one order."""

    def __init__(
        self, rows: SparseRows, y: Any, weights: Any, size: int, order: np.ndarray
    ) -> None:
        super().__init__()
        self.rows, self.size, self.order = rows, size, order
        self.further = [part for part in (y, weights) if part is not None]

    def __len__(self) -> int:
        return -(-len(self.rows) // self.size)

    def __getitem__(self, number: int) -> Any:
        places = self.order[number * self.size : (number + 1) * self.size]
        taken = [tree.map(lambda array: array[places], part) for part in self.further]
        return self.rows[places], *taken


class TableInputs:
    """Columns of a data frame through a `bital.tables.TableEncoder`.

    Categories become rows of embedding tables. Columns whose vectors have one size share a table,
    each with its part of the rows, so that the network has few lookups.
    """

    kind = "table"

    def __init__(self, encoder: Any, dtype: Any) -> None:
        self.encoder = encoder
        self.dtype = np.dtype(dtype)
        self._place()

    @classmethod
    def fit(cls, x: Any, dtype: Any) -> TableInputs:
        """Learn the columns of a table."""
        from bital.tables import TableEncoder

        return cls(TableEncoder().fit(x), dtype)

    def _place(self) -> None:
        self.groups: dict[int, list[int]] = {}
        for column, size in enumerate(self.encoder.category_sizes_):
            self.groups.setdefault(_vector_size(size), []).append(column)

    def transform(self, x: Any) -> Any:
        """Return a dict of the network's inputs; without categories the numbers alone."""
        encoded = self.encoder.transform(x)
        found: dict[str, Any] = {}
        if encoded.numbers.shape[1]:
            found["numbers"] = encoded.numbers.astype(self.dtype, copy=False)
        sizes = np.array(self.encoder.category_sizes_, int)
        for size, columns in self.groups.items():
            starts = np.cumsum([0, *sizes[columns][:-1]])
            found[f"categories_{size}"] = (encoded.categories[:, columns] + starts).astype(np.int32)
        return found if self.groups else found["numbers"]

    def spec(self) -> dict[str, Any]:
        """Return what the network has to be built for: rows, columns of each vector size."""
        sizes = np.array(self.encoder.category_sizes_, int)
        return {
            "numbers": len(self.encoder.number_names_),
            "categories": {
                size: (int(sizes[columns].sum()), len(columns))
                for size, columns in self.groups.items()
            },
        }

    def describe(self, names: Any = None) -> Any:
        """Return what the encoder says of its columns."""
        return self.encoder.describe()

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return plain data and arrays from which `from_state` makes the same."""
        document, arrays = self.encoder.state()
        return {"kind": self.kind, "dtype": self.dtype.name, "encoder": document}, arrays

    @classmethod
    def from_state(cls, document: dict[str, Any], arrays: dict[str, np.ndarray]) -> TableInputs:
        """Return what `state` described."""
        from bital.tables import TableEncoder

        return cls(TableEncoder.from_state(document["encoder"], arrays), document["dtype"])


def from_state(document: Any, arrays: dict[str, np.ndarray]) -> Any:
    """Return the inputs that a file describes.

    Raises
    ------
    DataError
        If it describes none.
    """
    kinds = {"array": ArrayInputs, "table": TableInputs}
    if not isinstance(document, dict) or document.get("kind") not in kinds:
        raise DataError(f"{document!r:.40} does not say how inputs become numbers")
    return kinds[document["kind"]].from_state(document, arrays)


def moments(x: Any, weights: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and deviation of each column, ``(samples, columns) -> (columns,)`` twice.

    A column that is constant, up to rounding, has the deviation 1.
    """
    total = x.shape[0] if weights is None else weights.sum()
    shares = np.full(x.shape[0], 1.0) if weights is None else weights
    if hasattr(x, "toarray"):
        mean = np.asarray(x.T @ shares).ravel() / total
        square = np.asarray(x.multiply(x).T @ shares).ravel() / total - mean**2
    else:
        # In one layout, so that a table of numbers has the moments of the array, bit for bit.
        parts = [(shares[rows], rows) for rows in _chunks(x)]
        mean = sum(w @ np.ascontiguousarray(x[rows]) for w, rows in parts) / total
        square = sum(w @ np.square(np.ascontiguousarray(x[r]) - mean) for w, r in parts) / total
    if not np.isfinite(square).all():
        column = int(np.argmin(np.isfinite(square)))
        raise DataError(
            f"X holds numbers in column {column} whose squares are too large for float64. Scale "
            "them before."
        )
    small = np.finfo(np.float64).eps * len(shares) * (1 + mean**2)
    scale = np.where(square <= small, 1.0, np.sqrt(np.maximum(square, small)))
    return mean, scale


def _spans(x: Any) -> np.ndarray:
    """The largest number of each column less the smallest: ``(samples, columns) -> (columns,)``."""
    if hasattr(x, "toarray"):
        return (x.max(axis=0) - x.min(axis=0)).toarray().ravel().astype(np.float64)
    return np.subtract(x.max(axis=0), x.min(axis=0), dtype=np.float64)


def is_mixed(X: Any) -> bool:
    """Return whether X is a table with columns that are not all numbers, or with missing values."""
    if isinstance(X, (np.ndarray, list)) or hasattr(X, "toarray"):
        return False
    from bital.tables import is_table

    if not is_table(X):
        return False
    if isinstance(X, Mapping):
        return True
    values = np.asarray(X)
    return values.dtype.kind not in "biuf" or (values.dtype.kind == "f" and np.isnan(values).any())


def check_columns(estimator: Any, X: Any, reset: bool) -> None:
    """Let scikit-learn learn, or compare, the names and the number of a table's columns."""
    if not isinstance(X, Mapping):
        validate_data(estimator, X, skip_check_array=True, reset=reset)
    elif reset:
        estimator.feature_names_in_ = np.array(list(X), object)
        estimator.n_features_in_ = len(X)


def rows_of(values: Any, rows: np.ndarray) -> Any:
    """Return the rows at these places of an array, a sparse matrix or a table."""
    if isinstance(values, Mapping):
        return {name: np.asarray(column)[rows] for name, column in values.items()}
    if type(values).__module__.startswith("pyarrow"):
        return values.take(rows)
    return _safe_indexing(values, rows)


def _chunks(x: Any) -> Iterator[slice]:
    """Rows in parts whose float64 copies are small."""
    count = max(1, CHUNK // (8 * x.shape[1]))
    for start in range(0, x.shape[0], count):
        yield slice(start, start + count)


def _vector_size(rows: int) -> int:
    """A power of two near ``1.6 rows^0.56`` (Howard and Gugger 2020), at most 64."""
    return int(min(64, 2 ** max(1, round(np.log2(1.6 * rows**0.56)))))
