"""Tables from files, as polars data frames: whole, or in parts for what is larger than memory.

A CSV file says nothing of types. They are found over all of its rows, not the first ones alone, in
one streaming pass; a type is a name in `TYPES`, so that a later file can be read as this one was.
"""

from __future__ import annotations

import contextlib
import csv
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from bital.errors import ArgumentError, DataError, MissingExtraError, TableFileError
from bital.tables.columns import near

MISSING_TEXTS = ("", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NULL", "null", "None")
CELLS = 1 << 21  # of one part
SAMPLE = 10_000
SEPARATORS = ",;\t|"
SUFFIXES = {".csv", ".tsv", ".tab", ".txt", ".parquet", ".pq"}
_TEXT = "\0"  # begins no name of a column


def read_table(
    path: str | Path,
    columns: Sequence[str] | None = None,
    *,
    types: Mapping[str, str] | None = None,
    missing: Sequence[str] = (),
) -> Any:
    """Return the table of a CSV, TSV or Parquet file.

    Parameters
    ----------
    path : str or path
        ``.csv`` (separated by commas, semicolons, tabs or bars), ``.tsv``, ``.parquet``; of CSV
        files also compressed ones (``.csv.gz``, ``.csv.zst``). The first line holds the names.
    columns : sequence of str, optional
        The columns to read; by default all.
    types : dict, optional
        Types of columns of a CSV file, as ``scan_table(path).types`` returns; those of the others
        are found.
    missing : sequence of str
        How a CSV file writes that a value is missing, besides empty cells, ``NA``, ``N/A``,
        ``NaN``, ``NULL`` and ``None``.

    Returns
    -------
    polars.DataFrame

    Raises
    ------
    TableFileError
        If there is no such file, or it holds no table.
    DataError
        If it has no such column, or a value that is not of the type of its column.
    MissingExtraError
        If polars is not installed.

    Examples
    --------
    >>> path = getfixture("tmp_path") / "towns.csv"
    >>> _ = path.write_text("town;people;zip\\nBonn;338,4;05311\\nRome;;00118\\n")
    >>> read_table(path).rows()
    [('Bonn', 338.4, '05311'), ('Rome', None, '00118')]
    """
    return scan_table(path, columns, types=types, missing=missing).read()


def scan_table(
    path: str | Path,
    columns: Sequence[str] | None = None,
    *,
    rows: int | None = None,
    types: Mapping[str, str] | None = None,
    missing: Sequence[str] = (),
) -> TableScan:
    """Return the table of a file as an iterable of parts, for what is larger than memory.

    Parameters
    ----------
    path, columns, types, missing
        As in `read_table`.
    rows : int, optional
        The most rows of a part; by default about two million values.

    Returns
    -------
    TableScan
        Each iteration reads the file anew, in the order of its rows.

    Examples
    --------
    >>> path = getfixture("tmp_path") / "numbers.csv"
    >>> _ = path.write_text("x,y\\n1,a\\n2,b\\n3,c\\n")
    >>> scan = scan_table(path, rows=2)
    >>> [part.height for part in scan], scan.height, scan.types
    ([2, 1], 3, {'x': 'integer', 'y': 'text'})
    """
    return TableScan(path, columns, rows, types or {}, missing)


class TableScan:
    """The parts of a table in a file: iterate over it as often as needed.

    Attributes
    ----------
    path : Path
    columns : tuple of str
    height : int
        The number of rows.
    types : dict
        The type that each column of a CSV file is read as: give it to `read_table` or `scan_table`
        with another file that has to be read alike. Empty for Parquet, whose files hold them.
    """

    def __init__(
        self,
        path: str | Path,
        columns: Sequence[str] | None,
        rows: int | None,
        types: Mapping[str, str],
        missing: Sequence[str],
    ) -> None:
        self._polars = _import_polars(path)
        self.path = Path(path)
        self._missing = [*MISSING_TEXTS, *missing]
        self._is_text = _check_file(self.path) not in (".parquet", ".pq")
        with self._reading():
            self._frame = self._scan_csv() if self._is_text else self._polars.scan_parquet(path)
            self.columns = tuple(self._frame.collect_schema().names())
        if columns is not None:
            for name in columns:
                self._check_column(name)
            self.columns = tuple(columns)
        if rows is not None and (type(rows) is not int or rows < 1):
            raise ArgumentError(f"scan_table(rows={rows!r}): must be an integer of at least 1.")
        self._rows = rows or max(1, CELLS // max(1, len(self.columns)))
        self._given = {name: kind for name, kind in types.items() if name in self.columns}
        for name, kind in self._given.items():
            if kind not in TYPES:
                raise ArgumentError(
                    f"types[{name!r}] is {kind!r}: must be one of {', '.join(map(repr, TYPES))}."
                )

    def __iter__(self) -> Iterator[Any]:
        with self._reading():
            parts = self._typed().collect_batches(chunk_size=self._rows, lazy=True)
            for part in parts:
                yield from self._checked(part).iter_slices(self._rows)

    def read(self) -> Any:
        """Return the whole table as a ``polars.DataFrame``."""
        with self._reading():
            return self._checked(self._typed().collect())

    @cached_property
    def height(self) -> int:
        with self._reading():
            return int(self._frame.select(self._polars.len()).collect(engine="streaming").item())

    @cached_property
    def types(self) -> dict[str, str]:
        if not self._is_text:
            return {}
        found = {name: self._given.get(name, "") for name in self.columns}
        with self._reading():
            sample = self._frame.head(SAMPLE).collect().lazy()
            left = self._fitting(sample, {name: list(TYPES) for name in found if not found[name]})
            # Of all rows it is asked whether they have the first of these types: few fail.
            while left := {name: kinds for name, kinds in left.items() if not found[name]}:
                asked = {name: _first(kinds) for name, kinds in left.items()}
                for name, kinds in self._fitting(self._frame, asked).items():
                    found[name] = _chosen(kinds) if kinds else ""
                    left[name] = left[name][len(asked[name]) :]
        return found

    def _fitting(self, frame: Any, asked: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
        """The types, of those asked for, that fit all values of each column."""
        questions = [
            (TYPES[kind](text).null_count() == text.null_count()).alias(f"{kind} {name}")
            for name, kinds in asked.items()
            for text in [self._cell(name)]
            for kind in kinds
            if kind != "text"
        ]
        answers: dict[str, bool] = {}
        if questions:
            answers = frame.select(questions).collect(engine="streaming").row(0, named=True)
        return {
            name: [kind for kind in kinds if answers.get(f"{kind} {name}", kind == "text")]
            for name, kinds in asked.items()
        }

    def _typed(self) -> Any:
        """The lazy frame, with the columns that were asked for in their types.

        Beside each column whose type was given stands its text: see `_checked`.
        """
        if not self._is_text:
            return self._frame.select(self.columns)
        wanted = [TYPES[kind](self._cell(name)).alias(name) for name, kind in self.types.items()]
        texts = [self._cell(name).alias(_TEXT + name) for name in self._given]
        return self._frame.select(wanted + texts)

    def _checked(self, part: Any) -> Any:
        """A part, after a look at columns whose type was given: do all values have it?"""
        for name, kind in self._given.items() if self._is_text else ():
            wrong = part.filter(part[name].is_null() & part[_TEXT + name].is_not_null())
            if wrong.height:
                raise DataError(
                    f"{self.path.name}: column {name!r} holds {wrong[_TEXT + name][0]!r}, where "
                    f"the type {kind!r} was asked for. Correct the file, or leave the cell empty."
                )
        return part.select(self.columns)

    def _cell(self, name: str) -> Any:
        """The text of a column without spaces around it, null where it is missing."""
        pl = self._polars
        text = pl.col(name).str.strip_chars()
        return pl.when(text.is_in(self._missing)).then(None).otherwise(text)

    def _check_column(self, name: str) -> None:
        if name not in self.columns:
            raise DataError(
                f"{self.path.name} has no column {name!r}.{near(name, self.columns)} It has "
                f"{', '.join(map(repr, self.columns[:20]))}{', ...' if self.columns[20:] else ''}."
            )

    def _scan_csv(self) -> Any:
        """The lazy frame of a CSV file, all of text, with its names as they stand in the file."""
        names, separator = self._header()
        frame = self._polars.scan_csv(
            self.path,
            separator=separator,
            has_header=False,
            skip_rows=1,
            schema=dict.fromkeys(names, self._polars.String),
            raise_if_empty=False,
            missing_columns="insert",  # cells that a line has not are empty
            glob=False,
        )
        return frame.filter(
            self._polars.any_horizontal(self._polars.all().is_not_null())
        )  # empty lines

    def _header(self) -> tuple[list[str], str]:
        """The names in the first line, and what separates them."""
        pl = self._polars
        first = pl.scan_csv(
            self.path,
            separator="\x01",
            has_header=False,
            quote_char=None,
            n_rows=1,
            glob=False,
            infer_schema=False,
        ).collect()
        line = (first.item(0, 0) or "").removeprefix("\ufeff") if first.height else ""
        tabs = self.path.suffixes and set(self.path.suffixes) & {".tsv", ".tab"}
        separator = "\t" if tabs else max(SEPARATORS, key=_unquoted(line).count)
        names = [name.strip() for name in next(csv.reader([line], delimiter=separator), [])]
        if not any(names):
            raise TableFileError(f"{self.path} has no names of columns in its first line.")
        if _are_numbers(names):
            raise TableFileError(
                f"{self.path}: the first line, {line[:60]!r}, holds numbers where the names of the "
                "columns are needed: write a line of names above it."
            )
        names = [name or f"column {place}" for place, name in enumerate(names, 1)]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise TableFileError(
                f"{self.path}: two columns have the name {twice[0]!r}: rename one."
            )
        return names, separator

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        """Faults of polars as faults of the file."""
        try:
            yield
        except self._polars.exceptions.PolarsError as fault:
            reason = str(fault).strip().splitlines()[0]
            plain = next((text for key, text in _REASONS.items() if key in reason), f"{reason}.")
            raise TableFileError(f"{self.path} cannot be read as a table: {plain}") from fault


_MORE = (
    "a line has more cells than the first line has names: put cells with separators or quotes into "
    'quotes, and double the quotes inside ("5"" disk, new").'
)
_REASONS = {
    "(n_extra": _MORE,
    "more fields than": _MORE,
    "utf-8": "it is not in UTF-8. Convert it: iconv -f latin1 -t utf-8 OLD > NEW.",
    "empty CSV": "it is empty.",
}


def _unquoted(line: str) -> str:
    return re.sub(r'"[^"]*"', "", line)


def _are_numbers(names: Sequence[str]) -> bool:
    """Whether a header is a line of data. 0, 1, 2, ... may be names."""
    try:
        return len({int(float(name)) for name in names if float(name).is_integer()}) < len(names)
    except ValueError:
        return False


_UNCLEAR = ["day/month/year", "month/day/year"]


def _first(kinds: list[str]) -> list[str]:
    """The type to ask for, or all that have to be told apart: a column may have no values."""
    if len(kinds) == len(TYPES):
        return kinds
    return kinds[:2] if kinds[:2] == _UNCLEAR else kinds[:1]


def _chosen(kinds: list[str]) -> str:
    """The first type that fits, and text where all do, or where day and month are not clear."""
    return "text" if len(kinds) == len(TYPES) or kinds[:2] == _UNCLEAR else kinds[0]


def _import_polars(path: Any) -> Any:
    try:
        import polars
    except ImportError as fault:
        raise MissingExtraError(
            f"Reading {path} needs polars, which is not installed: pip install polars, or install "
            "bital with its extra 'tables'."
        ) from fault
    return polars


def _check_file(path: Path) -> str:
    """The last suffix of a file that can be read, without one of compression."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in (".gz", ".zst"):
        suffixes.pop()
    suffix = suffixes[-1] if suffixes else ""
    if suffix not in SUFFIXES:
        raise TableFileError(
            f"{path} does not end in {', '.join(sorted(SUFFIXES))}: save it as CSV or Parquet."
        )
    if not path.is_file():
        beside = [other.name for other in path.parent.glob("*") if other.is_file()]
        raise TableFileError(f"there is no file {path}.{near(path.name, beside)}")
    return suffix


def _date(text: Any, *formats: str) -> Any:
    """Text as moments of UTC without a zone, by the first format that fits."""
    pl = _import_polars("dates")
    moment = pl.Datetime("us")
    return pl.coalesce([text.str.strptime(moment, each, strict=False) for each in formats])


def _with_clock(day: str) -> tuple[str, ...]:
    return tuple(f"{day}{clock}" for clock in ("", " %H:%M", " %H:%M:%S%.f"))


def _iso(text: Any) -> Any:
    return _date(text.str.replace("T", " ", literal=True), *_with_clock("%Y-%m-%d"))


def _zoned(text: Any) -> Any:
    pl = _import_polars("dates")
    spaced = text.str.replace("T", " ", literal=True)
    utc = spaced.str.strptime(pl.Datetime("us", "UTC"), "%Y-%m-%d %H:%M:%S%.f%#z", strict=False)
    return utc.dt.replace_time_zone(None)


def _truth(text: Any) -> Any:
    pl = _import_polars("booleans")
    lower = text.str.to_lowercase()
    known = pl.when(lower.is_in(["true", "false"]))
    return known.then(lower == "true")


def _number(text: Any, dtype: str = "Float64") -> Any:
    """Numbers; 00118 is a code, and stays text."""
    pl = _import_polars("numbers")
    code = text.str.slice(0, 2).is_in([f"0{digit}" for digit in range(10)])
    return pl.when(~code).then(text).cast(getattr(pl, dtype), strict=False)


def _decimal_comma(text: Any) -> Any:
    return _number(text.str.replace(",", ".", literal=True))


# In the order of preference; the last one fits all.
TYPES: dict[str, Callable[[Any], Any]] = {
    "boolean": _truth,
    "integer": lambda text: _number(text, "Int64"),
    "number": _number,
    "decimal comma": _decimal_comma,
    "year-month-day": _iso,
    "with time zone": _zoned,
    "day.month.year": lambda text: _date(text, *_with_clock("%d.%m.%Y")),
    "day/month/year": lambda text: _date(text, *_with_clock("%d/%m/%Y")),
    "month/day/year": lambda text: _date(text, *_with_clock("%m/%d/%Y")),
    "text": lambda text: text,
}
