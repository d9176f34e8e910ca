"""TableEncoder against NumPy, and by hand."""

import datetime
import decimal
import doctest
import importlib
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from bital.errors import ArgumentError, DataError, MissingExtraError
from bital.tables import TableEncoder, is_table

TABLE = {
    "n": [1.5, None, 2, 4],
    "b": [True, False, None, True],
    "t": ["a", None, "b", "a"],
    "d": [
        datetime.datetime(2020, 1, 1, 3),
        None,
        datetime.datetime(2021, 5, 2),
        datetime.datetime(2022, 7, 1),
    ],
    "c": [1, 1, 1, 1],
}
FRAMES = {
    "pandas": pd.DataFrame,
    "pandas nullable": lambda t: pd.DataFrame(t).convert_dtypes(),
    "pandas arrow": lambda t: pd.DataFrame(t).convert_dtypes(dtype_backend="pyarrow"),
    "pandas objects": lambda t: pd.DataFrame(t).astype(object),
    "pandas category": lambda t: pd.DataFrame(t).astype({"t": "category"}),
    "polars": pl.DataFrame,
    "polars category": lambda t: pl.DataFrame(t).with_columns(pl.col("t").cast(pl.Categorical)),
    "polars enum": lambda t: pl.DataFrame(t).with_columns(pl.col("t").cast(pl.Enum(["b", "a"]))),
    "pyarrow": pa.table,
    "dict of series": lambda t: {name: pl.Series(values) for name, values in t.items()},
}


@pytest.mark.parametrize("frame", FRAMES)
def test_frames_of_every_library_give_the_same(frame):
    expected = TableEncoder().fit(TABLE)
    found = TableEncoder().fit(FRAMES[frame](TABLE))
    assert found.columns_ == expected.columns_
    for ours, theirs in zip(
        found.transform(FRAMES[frame](TABLE)), expected.transform(TABLE), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_what_the_columns_become():
    encoder = TableEncoder()
    numbers, categories = encoder.fit_transform(TABLE)
    assert [column.kind for column in encoder.columns_] == [
        "number",
        "boolean",
        "category",
        "date",
        "constant",
    ]
    n = np.array([1.5, 2, 4])
    scaled = (n - n.mean()) / n.std()
    expected = [scaled[0], 0, scaled[1], scaled[2]]
    np.testing.assert_allclose(numbers[:, 0], expected, rtol=1e-6)
    np.testing.assert_array_equal(numbers[:, 1], [0, 1, 0, 0])
    np.testing.assert_array_equal(numbers[:, 2], [1, -1, 0, 1])
    np.testing.assert_array_equal(categories, [[2], [0], [3], [2]])
    assert numbers.dtype == np.float32
    assert categories.dtype == np.int32
    assert encoder.category_sizes_ == (4,)
    assert encoder.number_names_[4] == "d: time"
    assert len(encoder.number_names_) == numbers.shape[1]


def test_unknown_categories_and_other_orders():
    encoder = TableEncoder().fit({"x": [1.0, 2.0], "t": ["a", "b"]})
    numbers, categories = encoder.transform({"more": [0, 0], "t": ["c", None], "x": [1.5, 2.5]})
    np.testing.assert_array_equal(categories, [[1], [0]])
    np.testing.assert_array_equal(numbers, [[0], [2]])


def test_a_missing_column_is_named():
    encoder = TableEncoder().fit({"price": [1.0, 2.0]})
    with pytest.raises(DataError, match=r"'price' is missing.*Did you mean 'Price'"):
        encoder.transform({"Price": [1.0]})


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ([[1, 2]], r"takes a data frame .* or a dict of columns, and got list"),
        (np.ones((2, 2)), "takes a data frame or a dict of columns, and got ndarray"),
        ({}, "0 rows: nothing to learn"),
        ({"a": []}, "0 rows: nothing to learn"),
        ({"a": [1, 2], "b": [1]}, "'a' has 2 rows and 'b' has 1"),
        ({"a": np.ones((2, 2))}, r"'a' has the shape \(2, 2\)"),
        ({"a": "text"}, "'a' is 'text': give one value for each row"),
        ({"a": [1.0, np.inf]}, "'a' holds inf in row 1"),
        ({"a": [1.0, 1e200]}, "'a' holds 1e.200: numbers above 1e.140"),
        ({"a": ["x", [1]]}, r"'a' holds the list \[1\] in row 1"),
        ({"a": np.array([b"x"])}, "'a' has the dtype .S1"),
        ({"a": np.array([1j])}, "'a' has the dtype complex128"),
        ({1: [1], "1": [2]}, "two columns have the name '1'"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "two columns have the name 'a'"),
        (pl.DataFrame({"a": [[1, 2]]}), "'a' holds values of type List"),
        (pl.DataFrame({"a": [{"b": 1}]}), "'a' holds values of type Struct"),
        (pl.DataFrame({"a": [b"x"]}), "'a' holds values of type Binary"),
        (pa.table({"a": pa.array([{"b": 1}])}), "'a' holds values of type Struct"),
        (pa.record_batch({"a": [1]}), "cannot read a RecordBatch"),
        ({"a": {1, 2}}, "'a' is {1, 2}: give one value for each row"),
        ({"a": (n for n in "xy")}, "'a' is <generator"),
        (pl.LazyFrame({"a": [1]}), r"write X.collect\(\)"),
    ],
)
def test_tables_that_cannot_be(table, message):
    with pytest.raises(DataError, match=message):
        TableEncoder().fit(table)


LEARNED = {
    "n": [1.0, 2.0],
    "b": [True, False],
    "t": ["1", "x"],
    "d": np.array(["2024-01-02", "2024-05-06"], "datetime64[D]"),
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n": ["1", "many"]}, "'n' holds text, such as 'many', where numbers are needed"),
        ({"n": ["1", "inf"]}, "'n' holds text, such as 'inf'"),
        ({"n": [1, -np.inf]}, "'n' holds -inf in row 1"),
        ({"n": LEARNED["d"]}, "'n' holds dates, such as 2024-01-02T00:00:00, where numbers"),
        ({"b": [0, 2]}, "'b' holds numbers, such as 2, where booleans are needed"),
        ({"b": ["yes", "perhaps"]}, "'b' holds text, such as 'perhaps', where booleans"),
        ({"d": ["2024-01-02", "1.2.2024"]}, "'d' holds text, such as '1.2.2024', where dates"),
        ({"d": [1, 2]}, "'d' holds numbers, such as 1, where dates are needed"),
        ({"t": LEARNED["d"]}, "'t' holds dates, such as .* where text is needed"),
    ],
)
def test_values_of_another_kind_name_the_column(change, message):
    encoder = TableEncoder().fit(LEARNED)
    with pytest.raises(DataError, match=message):
        encoder.transform(LEARNED | change)
    encoder = TableEncoder(dict.fromkeys("b", "boolean")).fit(LEARNED)  # else it may be a number
    for ask in (encoder.transform, encoder.partial_fit):
        before = encoder.state()[0]
        with pytest.raises(DataError, match=message):
            ask(LEARNED | change)
        assert encoder.state()[0] == before  # a fault changes nothing


@pytest.mark.parametrize(
    ("change", "numbers", "categories"),
    [
        ({"n": ["1", "2.0"]}, [-1, 1], None),
        ({"n": [None, "1.5"]}, [0, 0], None),
        ({"n": [True, True]}, [-1, -1], None),
        ({"b": ["Yes", "no"]}, None, None),
        ({"b": [1.0, 0]}, None, None),
        ({"d": ["2024-01-02", "2024-05-06 00:00"]}, None, None),
        ({"t": [1, "x"]}, None, [2, 3]),
        ({"t": [1.0, 2.0]}, None, [2, 1]),
        ({"t": [True, None]}, None, [1, 0]),
        ({"t": [None, np.nan]}, None, [0, 0]),
    ],
)
def test_values_that_mean_the_same_are_read(change, numbers, categories):
    encoder = TableEncoder().fit(LEARNED)
    usual = encoder.transform(LEARNED)
    found = encoder.transform(LEARNED | change)
    np.testing.assert_array_equal(found.numbers[:, 1:], usual.numbers[:, 1:])
    np.testing.assert_array_equal(
        found.numbers[:, 0], usual.numbers[:, 0] if numbers is None else numbers
    )
    np.testing.assert_array_equal(
        found.categories[:, 0], [2, 3] if categories is None else categories
    )


def test_kinds_that_are_named():
    table = {"zip": [53111, 118, 53111], "when": ["2024-01-02", "2024-01-03", None]}
    table |= {"flag": ["yes", "no", "no"], "size": ["1", "2", "4"], "remark": ["a", "b", "c"]}
    kinds = {"zip": "category", "when": "date", "flag": "boolean", "size": "number"}
    encoder = TableEncoder({**kinds, "remark": "ignore"}).fit(table)
    assert [column.kind for column in encoder.columns_] == [*kinds.values(), "ignored"]
    assert encoder.categories("zip") == ("118", "53111")
    encoder.transform({name: table[name] for name in kinds})  # what is ignored may be missing
    with pytest.raises(DataError, match=r"names 'zap', which is no column. Did you mean 'zip'"):
        TableEncoder({"zap": "number"}).fit(table)
    with pytest.raises(ArgumentError, match=r"'zip': 'code'.*must be one of 'number'"):
        TableEncoder({"zip": "code"})
    with pytest.raises(ArgumentError, match="hash_buckets=0"):
        TableEncoder(hash_buckets=0)
    with pytest.raises(DataError, match="'n' is no column of categories"):
        encoder.categories("n")


def test_dates():
    """A year later is the same place in the year; the parts that do not vary are left out."""
    days = np.arange("2023-01-01", "2024-12-31", dtype="datetime64[D]")
    encoder = TableEncoder().fit({"d": days})
    assert encoder.number_names_ == tuple(
        f"d: {part}"
        for part in ("time", "sine of year", "cosine of year", "sine of week", "cosine of week")
    )
    numbers = encoder.transform({"d": days}).numbers.astype(float)
    seconds = days.astype("datetime64[s]").astype(float)
    np.testing.assert_allclose(numbers[:, 0], (seconds - seconds.mean()) / seconds.std(), rtol=1e-5)
    angle = np.arctan2(numbers[:, 3], numbers[:, 4])
    np.testing.assert_allclose(np.mod(np.diff(angle), 2 * np.pi), 2 * np.pi / 7, rtol=1e-5)
    np.testing.assert_allclose(numbers[365, 1:3], numbers[0, 1:3], atol=0.01)
    clock = np.array(["2024-01-01T06:00", "2024-01-01T18:00"], "datetime64[m]")
    encoder = TableEncoder().fit({"d": clock})
    assert encoder.number_names_ == ("d: time", "d: sine of day", "d: cosine of day")
    np.testing.assert_allclose(encoder.transform({"d": clock}).numbers[:, 1], [1, -1], rtol=1e-6)


def test_time_zones_are_read_in_utc():
    naive = pd.DataFrame({"d": pd.to_datetime(["2024-03-01 12:00", "2024-07-01 12:00"])})
    berlin = naive.assign(d=naive["d"].dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin"))
    encoder = TableEncoder().fit(naive)
    expected = encoder.transform(naive).numbers
    for frame in (
        berlin,
        pl.from_pandas(berlin),
        pa.Table.from_pandas(berlin),
        {"d": [moment.to_pydatetime() for moment in berlin["d"]]},
        {"d": ["2024-03-01T12:00:00Z", "2024-07-01 14:00:00+02:00"]},
    ):
        np.testing.assert_array_equal(encoder.transform(frame).numbers, expected)


def test_durations_and_times_are_numbers():
    wait = np.array([60, 120], "timedelta64[s]")
    clock = [datetime.time(6), datetime.time(18)]
    for values in (
        wait,
        list(wait),
        wait.tolist(),
        pl.Series(wait.tolist()),
        pd.Series(wait),
        clock,
    ):
        np.testing.assert_array_equal(
            TableEncoder().fit_transform({"x": values}).numbers, [[-1], [1]]
        )


def test_columns_that_say_nothing():
    table = {"c": ["x", "x", "x"], "e": [None, None, None], "f": [False] * 3, "n": [7.1] * 3}
    encoder = TableEncoder().fit({**table, "x": [1, 2, 3]})
    assert [c.kind for c in encoder.columns_[:4]] == ["constant", "empty", "constant", "constant"]
    assert encoder.number_names_ == ("x",)
    assert encoder.transform({"x": [2]}).numbers.tolist() == [[0]]  # they need not be there
    encoder = TableEncoder().fit({"c": ["x", None], "n": [7.1, None]})
    assert (encoder.number_names_, encoder.category_sizes_) == (("n is missing",), (3,))
    nothing = TableEncoder().fit(table).transform({"c": ["y", "z"]})
    assert (nothing.numbers.shape, nothing.categories.shape) == ((2, 0), (2, 0))


def test_values_far_from_all_that_was_seen_stay_finite():
    encoder = TableEncoder().fit({"x": [0.0, 1e-9]})
    assert encoder.transform({"x": [1e300, -1e300]}).numbers.ravel().tolist() == [1e6, -1e6]


def test_many_categories_are_hashed():
    texts = [f"{n}" * 2 + "x" for n in range(40)] * 2
    encoder = TableEncoder(max_categories=39, hash_buckets=16)
    categories = encoder.fit_transform({"t": texts}).categories.ravel()
    assert (encoder.columns_[0].kind, encoder.category_sizes_) == ("hashed", (18,))
    assert set(categories) <= set(range(2, 18))
    assert len(set(categories)) > 8
    np.testing.assert_array_equal(categories[:40], categories[40:])
    assert encoder.transform({"t": [None]}).categories.item() == 0
    assert TableEncoder(max_categories=40).fit({"t": texts}).columns_[0].kind == "category"


def test_chunks_have_the_same_columns():
    encoder = TableEncoder().partial_fit({"a": [1], "b": [None]})
    with pytest.raises(DataError, match="column 'b' is missing"):
        encoder.partial_fit({"a": [1]})
    with pytest.raises(DataError, match="column 'c' was not there in the rows before"):
        encoder.partial_fit({"a": [1], "b": [1], "c": [1]})
    encoder.partial_fit({"b": ["x"], "a": [2]}).partial_fit({"a": [3], "b": ["y"]})
    assert [column.kind for column in encoder.columns_] == ["number", "category"]
    assert encoder.rows_ == 3


def test_a_fault_changes_nothing():
    encoder = TableEncoder().fit({"a": [1.0, 2.0], "b": [1.0, 2.0]})
    before = encoder.state()[0]
    with pytest.raises(DataError, match=r"'b' holds -1e.200"):
        encoder.partial_fit({"a": [3.0], "b": [-1e200]})
    assert encoder.state()[0] == before


def test_booleans_become_numbers_with_the_first_number():
    whole = TableEncoder().fit({"x": np.array([True, False, 2], object)})
    parts = TableEncoder().partial_fit({"x": [True, False]}).partial_fit({"x": [2]})
    assert parts.columns_ == whole.columns_


def test_without_narwhals(monkeypatch):
    monkeypatch.setitem(sys.modules, "narwhals", None)
    TableEncoder().fit(TABLE)
    TableEncoder().fit({"a": pd.Series([1, 2])})
    with pytest.raises(MissingExtraError, match="pip install narwhals"):
        TableEncoder().fit(pd.DataFrame(TABLE))


def test_neither_frames_nor_estimators_are_imported():
    code = "import sys, bital.tables as t; t.TableEncoder().fit({'a': ['x', 'y']}).transform;"
    code += "print(sorted({name.split('.')[0] for name in sys.modules}))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for name in ("polars", "narwhals", "pandas", "pyarrow", "sklearn", "optuna", "scipy"):
        assert f"'{name}'" not in found.stdout


def test_what_is_shown():
    encoder = TableEncoder().fit({"<b>": [1.0, None, 3.0], "town": ["a", "b", "b"]})
    text = str(encoder.describe())
    assert text.splitlines()[0] == "2 columns of 3 rows become 2 numbers and 1 column of categories"
    assert "town    category  0           embedding of 4 rows  2 categories" in text
    assert "<td>&lt;b&gt;</td><td>number</td><td>1 (33.3 %)</td>" in encoder._repr_html_()
    encoder = TableEncoder().partial_fit({"<row> no": np.arange(60)})  # which warns of nothing
    assert str(encoder.describe()).endswith(encoder.columns_[0].warning)
    assert "<p>column &#x27;&lt;row&gt; no&#x27; is left out" in encoder._repr_html_()
    assert TableEncoder()._repr_html_().startswith("<pre>")


@pytest.mark.parametrize("module", ["columns", "encoder", "statistics", "target"])
def test_examples(module):
    found = doctest.testmod(importlib.import_module(f"bital.tables.{module}"))
    assert found.attempted
    assert found.failed == 0


DAY, CLOCK = datetime.date(2024, 1, 2), datetime.time(1)
MOMENT, HALF = datetime.datetime(2024, 1, 2, 3, 4), decimal.Decimal("1.5")


@pytest.mark.parametrize(
    ("values", "kind", "note"),
    [
        (pd.Categorical([1, None]), "category", "1 category"),
        (pd.Categorical(pd.cut([1.0, np.nan], [0, 2])), "category", "1 category"),
        (pd.arrays.SparseArray([1.0, np.nan]), "number", "always 1"),
        (pd.to_datetime(["2024-01-02", None]).tz_localize("Asia/Seoul"), "date", "2024-01-01T15"),
        (pd.to_timedelta([1, None], unit="s"), "number", "always 1"),
        (pd.array([1, None], "UInt8"), "number", "always 1"),
        (pd.array([1.5, None], "Float32"), "number", "always 1.5"),
        (pd.array([True, None], "boolean"), "boolean", "always 1"),
        (pd.array(["x", None], "string"), "category", "1 category"),
        (pd.Series([DAY, pd.NaT], dtype=object), "date", "always 2024-01-02"),
        (pd.Series([HALF, pd.NA], dtype=object), "number", "always 1.5"),
        (pl.Series([HALF, None]), "number", "always 1.5"),
        (pl.Series([1, None], dtype=pl.UInt64), "number", "always 1"),
        (pl.Series([1.0, float("nan")]), "number", "always 1"),
        (pl.Series([CLOCK, None]), "number", "always 3600"),
        (pl.Series([datetime.timedelta(1), None]), "number", "always 86400"),
        (pl.Series([DAY, None]), "date", "always 2024-01-02"),
        (pl.Series([MOMENT, None], dtype=pl.Datetime("ns")), "date", "always 2024-01-02T03:04"),
        (pl.Series([None, None]), "empty", "no row has a value"),
        (pa.array(["x", None]).dictionary_encode(), "category", "1 category"),
        (pa.array([MOMENT, None], pa.timestamp("ns", "Asia/Seoul")), "date", "2024-01-02T03:04"),
        (pa.array([DAY, None], pa.date64()), "date", "always 2024-01-02"),
        (pa.array([CLOCK, None], pa.time32("s")), "number", "always 3600"),
        (pa.array([datetime.timedelta(1), None]), "number", "always 86400"),
        (pa.array(["x", None], pa.string_view()), "category", "1 category"),
        (pa.array([HALF, None]), "number", "always 1.5"),
        (pa.array([True, None]), "boolean", "always 1"),
        (pa.nulls(2), "empty", "no row has a value"),
        (np.array(["2024-01-02", "NaT"], "datetime64[ns]"), "date", "always 2024-01-02"),
        (np.array([1, "NaT"], "timedelta64[m]"), "number", "always 60"),
        (np.array([1.5, np.nan], np.float16), "number", "always 1.5"),
        (np.array([1.5, np.nan], np.longdouble), "number", "always 1.5"),
        (np.ma.array([1, 2], mask=[False, True]), "number", "always 1"),
        (np.array(["x", "x"], "T"), "constant", "always 'x'"),
        ([2**70, None], "number", "always 1.18059e+21"),
        ([MOMENT.replace(tzinfo=datetime.UTC), None], "date", "2024-01-02T03:04"),
    ],
)
def test_types_of_every_library(values, kind, note):
    """In a dict, and in a frame of the library, where it has one."""
    tables = [{"x": values}]
    if type(values).__module__.startswith("pandas"):
        tables.append(pd.DataFrame({"x": values}))
    if isinstance(values, pl.Series):
        tables.append(pl.DataFrame({"x": values}))
    if isinstance(values, pa.Array):
        tables.append(pa.table({"x": values}))
    for table in tables:
        encoder = TableEncoder().fit(table)
        [column] = encoder.columns_
        assert (column.kind, note in column.note) == (kind, True)
        if kind != "constant":
            assert column.missing == (2 if kind == "empty" else 1)
        encoder.transform(table)


def test_names_that_are_no_text():
    wide = pd.DataFrame([[1, "a"], [2, "b"]])
    assert [column.name for column in TableEncoder().fit(wide).columns_] == ["0", "1"]
    wide.columns = pd.MultiIndex.from_tuples([("x", "y"), ("x", "z")])
    assert TableEncoder().fit(wide).columns_[0].name == "('x', 'y')"


def test_pickles():
    encoder = TableEncoder().fit(TABLE)
    again = pickle.loads(pickle.dumps(encoder))
    assert again.columns_ == encoder.columns_
    np.testing.assert_array_equal(again.transform(TABLE).numbers, encoder.transform(TABLE).numbers)


@pytest.mark.parametrize("frame", [*FRAMES.values(), pd.DataFrame, pl.LazyFrame])
def test_what_is_a_table(frame):
    table = frame(TABLE)
    assert is_table(table)
    assert not is_table(np.ones((2, 2)))
    for values in (table["n"] if hasattr(table, "shape") else [1, 2], "text", None, pd.DataFrame):
        assert not is_table(values)
