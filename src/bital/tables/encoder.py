"""`TableEncoder`: what the columns of a table become before a network reads them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bital.errors import ArgumentError, DataError, ModelStateError, TableWarning
from bital.tables.columns import Values, columns_of, convert, is_table, near, read
from bital.tables.description import Description
from bital.tables.encoding import Column, Encoding
from bital.tables.statistics import Statistics, check

KINDS = {
    "number": "number",
    "boolean": "boolean",
    "date": "date",
    "category": "text",
    "hashed": "text",
    "ignore": "text",
}
_VERSION = 1


class Encoded(NamedTuple):
    """A table as arrays.

    Attributes
    ----------
    numbers : (rows, numbers) float32 array
    categories : (rows, columns of categories) int32 array
        Row numbers of embeddings: 0 for a missing value, 1 for an unknown category.
    """

    numbers: NDArray[np.float32]
    categories: NDArray[np.int32]


class TableEncoder:
    """Learns how the columns of a table become numbers and categories, and does it.

    ==========  ==============================================================================
    number      ``(x - mean) / standard deviation``
    boolean     -1 and 1
    date        the same as a number, and sine and cosine of its place in the year, the week
                and the day; those that do not vary are left out. Time zones become UTC.
    category    a row of an embedding: 0 is a missing value, 1 an unknown category, and the
                others are in the order of their names
    hashed      with more than ``max_categories`` categories: row ``2 + hash % hash_buckets``
    left out    constant and empty columns; with a warning ids: texts that are all different, and
                whole numbers that are, if the name is like that of an id
    ==========  ==============================================================================

    A column with missing values gives one more number, 1 where it is missing; its own numbers are
    0 there, the mean.

    Parameters
    ----------
    kinds : dict, optional
        What columns are, by name: ``"number"``, ``"boolean"``, ``"date"``, ``"category"``,
        ``"hashed"`` or ``"ignore"``. The others are what their types and values say.
    max_categories : int, default 4096
        Texts of more different values are hashed.
    hash_buckets : int, default 4096

    Attributes
    ----------
    columns_ : tuple of Column
    number_names_, category_names_ : tuple of str
        Names of the columns of what `transform` returns.
    category_sizes_ : tuple of int
        Rows of the embedding for each column of categories.
    rows_ : int
        Rows seen.

    Examples
    --------
    >>> encoder = TableEncoder()
    >>> table = {"age": [20, 40, None], "town": ["Bonn", "Rome", "Bonn"]}
    >>> encoder.fit_transform(table)
    Encoded(numbers=array([[-1.,  0.],
           [ 1.,  0.],
           [ 0.,  1.]], dtype=float32), categories=array([[2],
           [3],
           [2]], dtype=int32))
    >>> encoder.transform({"town": ["Oslo", None], "age": [30, 30]}).categories.ravel()
    array([1, 0], dtype=int32)
    >>> encoder.number_names_, encoder.category_sizes_
    (('age', 'age is missing'), (4,))
    """

    def __init__(
        self,
        kinds: Mapping[str, str] | None = None,
        *,
        max_categories: int = 4096,
        hash_buckets: int = 4096,
    ) -> None:
        self.kinds = {str(name): kind for name, kind in dict(kinds or {}).items()}
        for name, kind in self.kinds.items():
            if kind not in KINDS:
                raise ArgumentError(
                    f"TableEncoder(kinds={{{name!r}: {kind!r}}}): must be one of "
                    f"{', '.join(map(repr, KINDS))}."
                )
        for option, value in (("max_categories", max_categories), ("hash_buckets", hash_buckets)):
            if type(value) is not int or value < 1:
                raise ArgumentError(
                    f"TableEncoder({option}={value!r}): must be an integer above 0."
                )
        self.max_categories, self.hash_buckets = max_categories, hash_buckets
        self._statistics: dict[str, Statistics] = {}
        self._plan: list[Encoding] | None = None

    def fit(self, X: Any, y: Any = None) -> TableEncoder:
        """Learn from a table, or from an iterable of tables such as `scan_table` returns.

        Parameters
        ----------
        X : data frame, dict of columns, or iterable of these
        y : ignored

        Returns
        -------
        TableEncoder
            Itself.

        Raises
        ------
        DataError
            If a column cannot be read, or there is nothing to learn from; it names the column.

        Warns
        -----
        TableWarning
            If a column was left out since it holds ids, or holds dates as text.
        """
        self._statistics = {}
        for chunk in [X] if is_table(X) else _chunks(X):
            self.partial_fit(chunk)
        if not self._statistics or not self.rows_:
            raise DataError(f"TableEncoder.fit got a table of {self.rows_} rows: nothing to learn.")
        for column in self.columns_:
            if column.warning:
                warnings.warn(column.warning, TableWarning, stacklevel=2)
        return self

    def partial_fit(self, X: Any, y: Any = None) -> TableEncoder:
        """Go on learning from further rows; the result is that of all rows in one `fit`.

        Parameters
        ----------
        X : data frame or dict of columns
        y : ignored

        Returns
        -------
        TableEncoder
            Itself.

        Raises
        ------
        DataError
            If its columns are not those of before, by name or kind; it names the column.
        """
        columns = columns_of(X, "TableEncoder")
        first = not self._statistics
        if first:
            self._check_kinds(columns)
        else:
            self._check_columns(columns)
        chunk: dict[str, Values] = {}
        for name, column in columns.items():
            kind = self._kind_so_far(name)
            values = _unread(len(column)) if kind == "ignore" else read(name, column)
            if kind not in ("empty", "ignore"):
                values = self._joined(name, values, kind)
            check(name, values)
            chunk[name] = values
        for name, values in chunk.items():  # all are read: a fault changes nothing
            self._known(name).update(values)
        self._plan = None
        return self

    def transform(self, X: Any) -> Encoded:
        """Return a table as arrays: ``(rows, columns) -> (rows, numbers), (rows, categories)``.

        Columns may stand in any order; further columns are ignored.

        Parameters
        ----------
        X : data frame or dict of columns

        Returns
        -------
        Encoded
            float32 numbers and int32 categories.

        Raises
        ------
        DataError
            If a column is missing or does not hold what it held in `fit`; it names the column.
        """
        plan = self._fitted()
        columns = columns_of(X, "TableEncoder.transform")
        _check_present([each.column.name for each in plan if each.column.became], columns)
        rows = len(next(iter(columns.values()))) if columns else 0
        numbers: list[NDArray[Any]] = []
        categories: list[NDArray[Any]] = []
        for each in plan:
            if not each.column.became:
                continue
            name = each.column.name
            values = convert(name, read(name, columns[name]), each.kind)
            (categories if each.column.size else numbers).extend(each.encode(values))
        return Encoded(
            _stacked(numbers, rows, np.float32),
            _stacked(categories, rows, np.int32),
        )

    def fit_transform(self, X: Any, y: Any = None) -> Encoded:
        """Return ``fit(X).transform(X)``."""
        return self.fit(X).transform(X)

    @property
    def columns_(self) -> tuple[Column, ...]:
        return tuple(each.column for each in self._fitted())

    @property
    def number_names_(self) -> tuple[str, ...]:
        return tuple(name for c in self.columns_ if not c.size for name in c.became)

    @property
    def category_names_(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns_ if column.size)

    @property
    def category_sizes_(self) -> tuple[int, ...]:
        return tuple(column.size for column in self.columns_ if column.size)

    @property
    def rows_(self) -> int:
        return max((each.rows for each in self._statistics.values()), default=0)

    def categories(self, name: str) -> tuple[str, ...]:
        """Return the known categories of a column, in the order of their embedding rows from 2.

        Raises
        ------
        DataError
            If there is no column of categories with this name.
        """
        found = {each.column.name: each.places for each in self._fitted() if each.places}
        if name not in found:
            raise DataError(f"{name!r} is no column of categories.{near(name, found)}")
        return tuple(found[name])

    def describe(self) -> Description:
        """Return what each column is and became, as text, and as a table in notebooks."""
        return Description(self.columns_, self.rows_)

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return all that was learned: a document of JSON, and arrays by name.

        `from_state` makes an encoder of it that transforms alike and can go on learning.
        """
        self._fitted()
        arrays: dict[str, NDArray[Any]] = {}
        columns = [
            each.state(arrays, f"table.{place}")
            for place, each in enumerate(self._statistics.values())
        ]
        document = {
            "version": _VERSION,
            "kinds": self.kinds,
            "max_categories": self.max_categories,
            "hash_buckets": self.hash_buckets,
            "columns": columns,
        }
        return document, arrays

    @classmethod
    def from_state(
        cls, document: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
    ) -> TableEncoder:
        """Return the encoder that `state` described.

        Raises
        ------
        ArgumentError
            If they are not what `state` returns.
        """
        version = document.get("version") if isinstance(document, Mapping) else None
        if version != _VERSION:
            raise ArgumentError(
                f"TableEncoder.from_state: the version is {version!r}, and this bital reads "
                f"{_VERSION}; a newer bital may read it."
            )
        try:
            found = cls(
                document["kinds"],
                max_categories=document["max_categories"],
                hash_buckets=document["hash_buckets"],
            )
            for place, column in enumerate(document["columns"]):
                limit = found._limit(column["name"])
                each = Statistics.from_state(column, dict(arrays), f"table.{place}", limit)
                found._statistics[each.name] = each
            found._fitted()
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as fault:
            raise ArgumentError(
                f"TableEncoder.from_state: the state is damaged ({type(fault).__name__}: {fault})."
            ) from fault
        return found

    def _repr_html_(self) -> str:
        return self.describe()._repr_html_() if self._statistics else f"<pre>{self!r}</pre>"

    def _fitted(self) -> list[Encoding]:
        if not self._statistics:
            raise ModelStateError(
                f"this {type(self).__name__} has learned nothing yet: call fit(X) first."
            )
        if self._plan is None:
            self._plan = [
                Encoding.of(each, self.kinds.get(each.name), self.hash_buckets)
                for each in self._statistics.values()
            ]
        return self._plan

    def _limit(self, name: str) -> int:
        given = self.kinds.get(name)
        limits = {"category": 1 << 62, "hashed": 0, "ignore": 0}
        return limits.get(given or "", self.max_categories)

    def _kind_so_far(self, name: str) -> str:
        """What the column's values must be; "empty" if anything is welcome."""
        given = self.kinds.get(name)
        if given == "ignore":
            return "ignore"
        if name in self._statistics:
            return self._statistics[name].kind
        return KINDS[given] if given else "empty"

    def _known(self, name: str) -> Statistics:
        if name not in self._statistics:
            given = self.kinds.get(name)
            self._statistics[name] = Statistics(
                name, self._limit(name), KINDS[given] if given else None
            )
        return self._statistics[name]

    def _joined(self, name: str, values: Values, kind: str) -> Values:
        """A chunk as the kind of the rows before; booleans are numbers as soon as one is."""
        if kind == "boolean" and values.kind == "number" and name not in self.kinds:
            return values
        return convert(name, values, kind)

    def _check_kinds(self, columns: Mapping[str, Any]) -> None:
        for name in self.kinds:
            if name not in columns:
                raise DataError(
                    f"TableEncoder(kinds=...) names {name!r}, which is no column."
                    f"{near(name, columns)}"
                )

    def _check_columns(self, columns: Mapping[str, Any]) -> None:
        _check_present(list(self._statistics), columns)
        more = [name for name in columns if name not in self._statistics]
        if more:
            raise DataError(
                f"TableEncoder.partial_fit: column {more[0]!r} was not there in the rows before."
                f"{near(more[0], self._statistics)} Every chunk has the same columns."
            )


def _unread(rows: int) -> Values:
    """A column that nobody looks at."""
    return Values("text", np.full(rows, -1, np.int64))


def _stacked(parts: Sequence[NDArray[Any]], rows: int, dtype: Any) -> NDArray[Any]:
    found = np.empty((rows, len(parts)), dtype)
    for place, part in enumerate(parts):
        found[:, place] = part
    return found


def _check_present(names: Sequence[str], columns: Mapping[str, Any]) -> None:
    absent = [name for name in names if name not in columns]
    if absent:
        others = f" (and {len(absent) - 1} more)" if len(absent) > 1 else ""
        known = ", ".join(map(repr, list(columns)[:8])) + (", ..." if len(columns) > 8 else "")
        raise DataError(
            f"column {absent[0]!r}{others} is missing: the encoder has learned it."
            f"{near(absent[0], columns)} The table has {known or 'no columns'}."
        )


def _chunks(X: Any) -> Iterable[Any]:
    if isinstance(X, (str, bytes, np.ndarray)) or not hasattr(X, "__iter__"):
        raise DataError(
            f"TableEncoder.fit takes a data frame or a dict of columns, and got {type(X).__name__}:"
            " read a file with bital.tables.read_table(path); arrays need no encoder."
        )
    return X
