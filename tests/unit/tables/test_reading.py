"""Files to tables: types over all rows, parts of bounded size, faults that name the column."""

import csv
import gzip
import sys
from datetime import datetime

import numpy as np
import pandas as pd
import polars as pl
import pytest

from bital.errors import ArgumentError, DataError, MissingExtraError, TableFileError
from bital.tables import TableEncoder, read_table, scan_table


@pytest.fixture
def file(tmp_path):
    def write(text, name="table.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(text.encode(encoding))
        return path

    return write


@pytest.mark.parametrize(
    ("cells", "kind", "values"),
    [
        (["1", "-2", "+3", ""], "integer", [1, -2, 3, None]),
        (["1", "2.5", "1e3", "NA"], "number", [1.0, 2.5, 1000.0, None]),
        (["12345678901234567890", "1"], "number", [12345678901234567890.0, 1.0]),
        (["true", "False", "TRUE", "null"], "boolean", [True, False, True, None]),
        (["00118", "53111"], "text", ["00118", "53111"]),
        ([" a ", "b", "None"], "text", ["a", "b", None]),
        (["2024-01-02", "2024-01-02 03:04"], "year-month-day", ["2024-01-02", "2024-01-02 03:04"]),
        (["2024-01-02T03:04:05.5", ""], "year-month-day", ["2024-01-02 03:04:05.5", None]),
        (["2024-01-02T03:00:00+02:00"], "with time zone", ["2024-01-02 01:00"]),
        (["31.12.2024", "1.2.2024"], "day.month.year", ["2024-12-31", "2024-02-01"]),
        (["31/12/2024", "1/2/2024"], "day/month/year", ["2024-12-31", "2024-02-01"]),
        (["12/31/2024", "1/2/2024"], "month/day/year", ["2024-12-31", "2024-01-02"]),
        (["1/2/2024", "3/4/2024"], "text", ["1/2/2024", "3/4/2024"]),  # nobody can know
        (["", "NA"], "text", [None, None]),
        (["1", "2", "?"], "text", ["1", "2", "?"]),
    ],
)
def test_types(file, cells, kind, values):
    path = file("".join(f"x,{cell}\n" for cell in ["c", *cells]))
    assert scan_table(path).types["c"] == kind
    if "-" in kind or "/" in kind or "day" in kind or "zone" in kind:
        values = [value and datetime.fromisoformat(value) for value in values]
    found = read_table(path)["c"].to_list()
    assert found == values
    assert [type(value) for value in found] == [type(value) for value in values]


def test_types_are_those_of_all_rows(file):
    rows = 30_000
    path = file("n,t,d,e,f,g\n" + "1,2,1/2/2024,,,1/2/2024\n" * rows + "1.5,x,1/31/2024,7,,x\n")
    kinds = {"n": "number", "t": "text", "d": "month/day/year", "e": "integer", "f": "text"}
    assert scan_table(path).types == kinds | {"g": "text"}
    frame = read_table(path)
    assert frame.height == rows + 1
    assert frame.row(-1) == (1.5, "x", datetime(2024, 1, 31), 7, None, "x")


def test_a_table_of_every_kind_is_that_of_pandas(tmp_path):
    random = np.random.default_rng(0)
    rows = 500
    table = pd.DataFrame(
        {
            "whole": random.integers(-9, 9, rows),
            "real": random.normal(size=rows),
            "name, quoted": random.choice(["a", 'b "c"', "d, e", "ä\nö"], rows),
        }
    )
    table.loc[::7, "real"] = np.nan
    table.to_csv(tmp_path / "t.csv", index=False, quoting=csv.QUOTE_MINIMAL)
    found = read_table(tmp_path / "t.csv")
    assert found.columns == list(table.columns)
    for name in table.columns:
        expected = table[name].astype(object).where(table[name].notna(), None).to_list()
        assert found[name].to_list() == expected


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_separators(file, separator):
    lines = [["a", "b"], ["1", "x"], ["2", "y"]]
    path = file("".join(separator.join(line) + "\n" for line in lines))
    assert read_table(path).rows() == [(1, "x"), (2, "y")]


@pytest.mark.parametrize("text", ["a,b\n1\n2,3\n", "a,b\n2,3\n1\n"])
def test_short_lines_miss_values(file, text):
    assert sorted(read_table(file(text)).rows()) == [(1, None), (2, 3)]


def test_a_decimal_comma(file):
    path = file("a;b\n1,5;2\n-2,25;3\n")
    assert read_table(path).rows() == [(1.5, 2), (-2.25, 3)]


def test_marks_and_empty_lines_and_compression(file, tmp_path):
    expected = [(1, "x"), (2, None)]
    assert read_table(file("\ufeffa,b\r\n1,x\r\n\r\n2,\r\n,\r\n\r\n")).rows() == expected
    packed = tmp_path / "t.csv.gz"
    packed.write_bytes(gzip.compress(b"a,b\n1,x\n2,\n"))
    assert read_table(packed).rows() == expected
    assert read_table(file("a\tb\n1\tx\n2\t\n", "t.tsv")).rows() == expected
    assert read_table(file("0,1\n1,x\n2,\n")).columns == ["0", "1"]


def test_a_mark_for_missing_values(file):
    path = file("a,b\n1,?\n2,3\n")
    assert read_table(path, missing=["?"]).rows() == [(1, None), (2, 3)]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_parts(tmp_path, suffix):
    frame = pl.DataFrame({"a": range(1000), "b": [str(n % 7) + "x" for n in range(1000)]})
    path = tmp_path / f"t.{suffix}"
    getattr(frame, f"write_{suffix}")(path)
    scan = scan_table(path, rows=300)
    assert scan.height == 1000
    for _ in range(2):
        parts = list(scan)
        assert [part.height for part in parts if part.height > 300] == []
        assert pl.concat(parts).equals(frame)
    assert scan.read().equals(frame)
    chosen = scan_table(path, ["b"], rows=300)
    assert pl.concat(list(chosen)).equals(frame.select("b"))
    encoder = TableEncoder({"a": "number"})
    assert encoder.fit(scan).category_sizes_ == (9,)


def test_types_of_another_file(file):
    first = scan_table(file("when,zip\n12/31/2024,00118\n1/2/2024,53111\n", "one.csv"))
    second = file("when,zip\n1/2/2024,53111\n", "two.csv")
    assert read_table(second).rows() == [("1/2/2024", 53111)]
    assert read_table(second, types=first.types).rows() == [(datetime(2024, 1, 2), "53111")]
    third = file("when,zip\n2024-01-02,53111\n", "three.csv")
    with pytest.raises(DataError, match=r"three.csv: column 'when' holds '2024-01-02'"):
        read_table(third, types=first.types)
    with pytest.raises(DataError, match="column 'when' holds"):
        list(scan_table(third, types=first.types))
    with pytest.raises(ArgumentError, match=r"types\['zip'\] is 'code': must be one of 'boolean'"):
        scan_table(second, types={"zip": "code"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it is empty"),
        ("\n1,2\n", "no names of columns"),
        ("1.5,2\n3,4\n", "'1.5,2', holds numbers where the names of the columns are needed"),
        ("a,a\n1,2\n", "two columns have the name 'a'"),
        ("a,b\n1,2,3\n", "a line has more cells"),
        ("a,b\n1,2\n1,2,3\n", "a line has more cells"),
        ('a,b\n1,"2\n', "cannot be read as a table"),
    ],
)
def test_files_that_hold_no_table(file, text, message):
    with pytest.raises(TableFileError, match=message):
        read_table(file(text))


def test_files_of_other_kinds(file, tmp_path):
    with pytest.raises(TableFileError, match="not in UTF-8"):
        read_table(file("a,b\nä,1\n", encoding="latin-1"))
    with pytest.raises(TableFileError, match=r"no file .*Did you mean 'table.csv'"):
        read_table(tmp_path / "tabel.csv")
    with pytest.raises(TableFileError, match=r"does not end in .csv"):
        read_table(file("a", "table.xlsx"))
    with pytest.raises(TableFileError, match="cannot be read as a table"):
        read_table(file("no parquet", "table.parquet"))


def test_columns_that_are_not_there(file):
    path = file("Price,b\n1,2\n")
    with pytest.raises(DataError, match=r"has no column 'price'. Did you mean 'Price'"):
        read_table(path, ["b", "price"])
    with pytest.raises(ArgumentError, match="rows=0"):
        scan_table(path, rows=0)


def test_without_polars(file, monkeypatch):
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(MissingExtraError, match="pip install polars"):
        read_table(file("a\n1\n"))
