"""Columns of any data frame in one form: numbers, text or moments, and which are missing.

pandas, polars, pyarrow and the rest are read through narwhals; a dict of arrays or lists needs no
library. Nothing else in this folder knows where a column came from.
"""

from __future__ import annotations

import datetime
import decimal
import difflib
import math
import numbers
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bital.errors import DataError, MissingExtraError

EPOCH = datetime.datetime(1970, 1, 1)
_TRUTH = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0, "1": 1.0, "0": 0.0}


@dataclass(frozen=True)
class Values:
    """One column.

    ``kind`` is ``"number"``, ``"boolean"`` (0 and 1), ``"date"`` (seconds since 1970, UTC),
    ``"text"`` or ``"empty"`` (nothing but missing values). ``data`` is float64 with NaN where a
    value is missing; for text it holds int64 positions in ``names``, and -1.
    """

    kind: str
    data: NDArray[Any]
    names: tuple[str, ...] = ()
    whole: bool = False  # an integer type

    @property
    def missing(self) -> NDArray[np.bool_]:
        return self.data < 0 if self.kind == "text" else np.isnan(self.data)

    @property
    def present(self) -> NDArray[Any]:
        return self.data[~self.missing]


def is_table(X: Any) -> bool:
    """Tell whether ``X`` is a data frame (pandas, polars, pyarrow, ...) or a dict of columns.

    Parameters
    ----------
    X : object

    Returns
    -------
    bool

    Examples
    --------
    >>> is_table({"age": [31, 42], "town": ["Bonn", None]})
    True
    >>> is_table([[31, 42]])
    False
    """
    if isinstance(X, Mapping):
        return True
    frame = type(X)
    protocols = ("__dataframe__", "__arrow_c_stream__", "__narwhals_dataframe__", "collect")
    return hasattr(frame, "columns") and any(hasattr(frame, name) for name in protocols)


def columns_of(X: Any, who: str) -> dict[str, Any]:
    """Return the columns of a table by name, as they are: `read` makes `Values` of one.

    Raises
    ------
    DataError
        If ``X`` is no table, or if columns have the same name or different lengths.
    MissingExtraError
        If narwhals is not installed and ``X`` is a data frame.
    """
    if not is_table(X):
        raise DataError(
            f"{who} takes a data frame (pandas, polars, pyarrow) or a dict of columns, and got "
            f"{type(X).__name__}: write {{'name': values, ...}}, or give arrays to a network "
            "as they are."
        )
    if isinstance(X, Mapping):
        pairs = [(name, _one_dimension(str(name), values)) for name, values in X.items()]
    else:
        pairs = list(_frame_columns(X, who))
    found = {str(name): column for name, column in pairs}
    if len(found) < len(pairs):
        names = [str(name) for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"{who}: two columns have the name {twice!r}: rename one.")
    lengths = {name: len(column) for name, column in found.items()}
    if len(set(lengths.values())) > 1:
        first, *others = lengths.items()
        other = next(pair for pair in others if pair[1] != first[1])
        raise DataError(
            f"{who}: column {first[0]!r} has {first[1]} rows and {other[0]!r} has {other[1]}: "
            "all columns of a table have as many."
        )
    return found


def _frame_columns(X: Any, who: str) -> Iterator[tuple[Any, Any]]:
    try:
        import narwhals as nw
    except ImportError as fault:
        raise MissingExtraError(
            f"Reading a {type(X).__module__.split('.')[0]} table needs narwhals, which is not "
            "installed: pip install narwhals, or install bital with its extra 'tables'. A dict of "
            "columns works without it."
        ) from fault
    if hasattr(X, "collect"):
        raise DataError(f"{who} got a lazy frame, {type(X).__name__}: write X.collect().")
    native_names = list(X.column_names if hasattr(X, "column_names") else X.columns)
    twice = {str(name) for name in native_names if native_names.count(name) > 1}
    if twice:
        raise DataError(f"{who}: two columns have the name {min(twice)!r}: rename one.")
    try:
        columns = nw.from_native(X, eager_only=True).iter_columns()
    except TypeError as fault:
        raise DataError(
            f"{who} cannot read a {type(X).__name__} ({fault}): make a data frame of pandas, "
            "polars or pyarrow of it, or a dict of columns."
        ) from fault
    yield from zip(native_names, columns, strict=True)


def _one_dimension(name: str, values: Any) -> Any:
    """An array, a list, or a series of some library, of a dict of columns."""
    sized = hasattr(values, "__len__") and hasattr(values, "__getitem__")
    if isinstance(values, (str, bytes, Mapping)) or not sized:
        raise DataError(
            f"column {name!r} is {values!r}: give one value for each row, as a list or an array."
        )
    if isinstance(values, np.ndarray) and values.ndim != 1:
        raise DataError(f"column {name!r} has the shape {values.shape}: a column is (rows,).")
    if isinstance(values, np.ma.MaskedArray):
        return values.tolist()
    if hasattr(values, "to_pylist"):  # an array of pyarrow
        return values.to_pylist()
    if type(values).__module__.startswith("pandas"):  # an array of pandas too
        values = sys.modules["pandas"].Series(values)
    if isinstance(values, (np.ndarray, list, tuple)):
        return values
    try:
        import narwhals as nw

        return nw.from_native(values, series_only=True)
    except (ImportError, TypeError):
        return list(values)


def read(name: str, column: Any) -> Values:
    """Return one column of `columns_of` in its one form.

    Raises
    ------
    DataError
        If its values are of a type that no table has; the message names the column.
    """
    if isinstance(column, np.ndarray):
        return _from_array(name, column)
    if isinstance(column, (list, tuple)):
        return _from_objects(name, column)
    return _from_series(name, column)


def _from_series(name: str, series: Any) -> Values:
    import narwhals as nw

    dtype = series.dtype
    null = series.is_null()
    if bool(null.all()):
        return empty(len(series))
    if dtype == nw.Boolean or dtype.is_numeric():
        kind = "boolean" if dtype == nw.Boolean else "number"
        data = _floats(series.cast(nw.Float64), null)
        return _checked(name, Values(kind, data, whole=not dtype.is_float()))
    if dtype in (nw.Date, nw.Datetime):
        return Values("date", _floats(series.dt.timestamp("us"), null) / 1e6)
    if dtype == nw.Duration:
        return Values("number", _floats(series.dt.total_microseconds(), null) / 1e6)
    if dtype in (nw.Categorical, nw.Enum):  # their values may be of any type
        return _text(_texts(name, series.to_list(), object))
    if dtype in (nw.List, nw.Array, nw.Struct, nw.Binary):
        raise DataError(
            f"column {name!r} holds values of type {dtype}: a network reads one number, text, "
            "boolean or date a row. Leave the column out, or make columns of its parts."
        )
    return _from_objects(name, series.to_list())


def _floats(series: Any, null: Any) -> NDArray[np.float64]:
    """A series as float64, NaN where it is null."""
    missing = np.asarray(null.to_numpy(), bool)
    filled = series.fill_null(0) if missing.any() else series
    data = np.array(filled.to_numpy(), np.float64)
    data[missing] = np.nan
    return data


def _from_array(name: str, array: NDArray[Any]) -> Values:
    code = array.dtype.kind
    if code in "biuf":
        kind = "boolean" if code == "b" else "number"
        return _checked(name, Values(kind, array.astype(np.float64), whole=code != "f"))
    if code in "Mm":
        data = array.astype(f"{code}8[us]").view(np.int64) / 1e6
        data[np.isnat(array)] = np.nan
        return _or_empty(Values("date" if code == "M" else "number", data))
    if code in "OUT":
        return _from_objects(name, array.tolist())
    raise DataError(
        f"column {name!r} has the dtype {array.dtype}: a network reads numbers, text, booleans or "
        "dates."
    )


def _from_objects(name: str, values: Sequence[Any]) -> Values:
    """A column of Python objects: what they all are decides."""
    types = set(map(type, values))
    if not types <= {str, int, bool, type(None)}:
        values = [None if is_missing(value) else value for value in values]
        types = set(map(type, values))
    types -= {type(None)}
    if not types:
        return empty(len(values))
    if all(issubclass(kind, str) for kind in types):
        return _text(values)
    if all(issubclass(kind, (bool, np.bool_)) for kind in types):
        return Values("boolean", _numbers(values), whole=True)
    if all(issubclass(kind, (datetime.date, np.datetime64)) for kind in types):
        return Values("date", np.array([_moment(value) for value in values]))
    if all(issubclass(kind, (datetime.timedelta, np.timedelta64)) for kind in types):
        seconds = [_seconds(value) for value in values]
        return Values("number", np.array(seconds))
    if all(issubclass(kind, datetime.time) for kind in types):
        return Values("number", np.array([_time(value) for value in values]))
    if all(issubclass(kind, (numbers.Real, decimal.Decimal, np.bool_)) for kind in types):
        whole = all(issubclass(kind, numbers.Integral) for kind in types)
        return _checked(name, Values("number", _numbers(values), whole=whole))
    return _text(_texts(name, values))


def is_missing(value: Any) -> bool:
    """Tell whether a value is None, NaN, NaT or pandas' NA."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    if isinstance(value, (float, np.floating, np.datetime64, np.timedelta64, decimal.Decimal)):
        return bool(value != value)
    return False


def _numbers(values: Sequence[Any]) -> NDArray[np.float64]:
    return np.array([math.nan if value is None else float(value) for value in values], np.float64)


def _moment(value: Any) -> float:
    if value is None:
        return math.nan
    if isinstance(value, np.datetime64):
        return float(value.astype("M8[us]").view(np.int64)) / 1e6
    if not isinstance(value, datetime.datetime):
        value = datetime.datetime(value.year, value.month, value.day)
    if value.tzinfo is not None:
        value = value.astimezone(datetime.UTC).replace(tzinfo=None)
    return (value - EPOCH).total_seconds()


def _seconds(value: Any) -> float:
    if value is None:
        return math.nan
    if isinstance(value, np.timedelta64):
        return float(value.astype("m8[us]").view(np.int64)) / 1e6
    return value.total_seconds()


def _time(value: Any) -> float:
    if value is None:
        return math.nan
    return value.hour * 3600 + value.minute * 60 + value.second + value.microsecond / 1e6


_PLAIN = (str, numbers.Real, decimal.Decimal, datetime.date, datetime.time, np.generic)


def _texts(name: str, values: Sequence[Any], allowed: Any = _PLAIN) -> list[str | None]:
    """Values as text: numbers as they are written, so that 1, 1.0 and "1" are one category."""
    found: list[str | None] = []
    for row, value in enumerate(values):
        if is_missing(value):
            found.append(None)
        elif isinstance(value, allowed):
            found.append(number_text(value) if isinstance(value, numbers.Real) else str(value))
        else:
            raise DataError(
                f"column {name!r} holds the {type(value).__name__} {value!r:.60} in row {row}: a "
                "network reads one number, text, boolean or date a row. Leave the column out, or "
                "make columns of its parts."
            )
    return found


def number_text(value: Any) -> str:
    """Return how a number is written as the name of a category.

    Examples
    --------
    >>> number_text(3.0), number_text(2.5), number_text(True)
    ('3', '2.5', 'true')
    """
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, numbers.Integral):
        return str(int(value))
    number = float(value)
    return str(int(number)) if number.is_integer() else repr(number)


def _text(values: Sequence[str | None]) -> Values:
    names = [str(name) for name in dict.fromkeys(values) if name is not None]
    if not names:
        return empty(len(values))
    codes: dict[str | None, int] = {name: place for place, name in enumerate(names)} | {None: -1}
    return Values("text", np.fromiter(map(codes.get, values), np.int64, len(values)), tuple(names))


def empty(rows: int) -> Values:
    """Return a column of missing values."""
    return Values("empty", np.full(rows, np.nan))


def _or_empty(values: Values) -> Values:
    return values if len(values.present) else empty(len(values.data))


def _checked(name: str, values: Values) -> Values:
    infinite = np.flatnonzero(np.isinf(values.data))
    if len(infinite):
        row = int(infinite[0])
        raise DataError(
            f"column {name!r} holds {values.data[row]} in row {row}: a network reads finite "
            "numbers. Write None or NaN where a value is missing."
        )
    return _or_empty(values)


def convert(name: str, values: Values, kind: str) -> Values:
    """Return a column as the kind that it was learned with: text is read, numbers are written.

    Raises
    ------
    DataError
        If that is not possible; the message names the column and the first value.
    """
    if values.kind == kind:
        return values
    if values.kind == "empty":
        if kind == "text":
            return Values("text", np.full(len(values.data), -1, np.int64))
        return Values(kind, values.data)
    if kind == "text" and values.kind in ("number", "boolean"):
        truth = values.kind == "boolean"
        data = values.data.tolist()
        return _text([None if v != v else number_text(bool(v) if truth else v) for v in data])
    if kind == "number" and values.kind == "boolean":
        return Values("number", values.data, whole=True)
    if kind == "boolean" and values.kind == "number":
        wrong = values.present[~np.isin(values.present, (0, 1))]
        if not len(wrong):
            return Values("boolean", values.data, whole=True)
        raise _unlike(name, values.kind, kind, number_text(wrong[0]))
    if values.kind == "text":
        table = np.array([_parse(name, text, kind) for text in values.names] + [math.nan])
        return Values(kind, table[values.data])
    first = values.present[0]
    shown = str(np.datetime64(int(first), "s")) if values.kind == "date" else number_text(first)
    raise _unlike(name, values.kind, kind, shown)


def _parse(name: str, text: str, kind: str) -> float:
    stripped = text.strip()
    try:
        if kind == "boolean":
            return _TRUTH[stripped.lower()]
        if kind == "date":
            return _moment(datetime.datetime.fromisoformat(stripped))
        number = float(stripped)
    except (ValueError, KeyError):
        raise _unlike(name, "text", kind, repr(text)) from None
    if math.isinf(number):
        raise _unlike(name, "text", kind, repr(text))
    return number


_CAME = {"number": "numbers", "boolean": "booleans", "text": "text", "date": "dates"}
_NEEDED = {kind: f"{word} {'is' if kind == 'text' else 'are'}" for kind, word in _CAME.items()}
_HINTS = {
    "number": "Write numbers alone, and nothing where one is missing",
    "boolean": "Write true, false, or nothing where it is missing",
    "text": "Write text",
    "date": "Write dates as 2024-12-31 or 2024-12-31 23:59:00",
}


def _unlike(name: str, came: str, kind: str, shown: str) -> DataError:
    other = came if kind == "text" else "category"
    return DataError(
        f"column {name!r} holds {_CAME[came]}, such as {shown}, where {_NEEDED[kind]} needed. "
        f"{_HINTS[kind]}; or fit with kinds={{{name!r}: {other!r}}}, or leave the column out."
    )


def near(name: str, names: Iterable[str]) -> str:
    """Return a hint at names that are like one, with a space before, or nothing."""
    folded = {other.casefold().strip(): other for other in names}
    close = difflib.get_close_matches(name.casefold().strip(), folded, n=3)
    return f" Did you mean {' or '.join(repr(folded[each]) for each in close)}?" if close else ""
