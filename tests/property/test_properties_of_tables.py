"""Tables of any content: chunks equal the whole, libraries agree, states come back."""

import csv
import datetime
import itertools
import json
import math

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bital.tables import TableEncoder, scan_table

few = settings(max_examples=settings.default.max_examples // 4)  # these read many tables
some = settings(max_examples=settings.default.max_examples // 2)
NUMBERS = st.floats(-1e30, 1e30) | st.integers(-3, 3).map(float) | st.just(math.nan)
DATES = st.datetimes(datetime.datetime(1900, 1, 1), datetime.datetime(2100, 1, 1))
CELLS = {
    "number": NUMBERS,
    "whole": st.integers(-(2**53), 2**53),
    "boolean": st.booleans(),
    "text": st.text(max_size=3),
    "date": DATES.map(lambda moment: moment.replace(microsecond=0)),
    "empty": st.none(),
}


@st.composite
def tables(draw, low=1):
    rows = draw(st.integers(low, 12))
    kinds = draw(st.lists(st.sampled_from(sorted(CELLS)), min_size=1, max_size=4))
    return {
        f"{kind} {place}": draw(
            st.lists(st.none() | CELLS[kind], min_size=rows, max_size=rows), label=kind
        )
        for place, kind in enumerate(kinds)
    }


def part(table, start, end):
    return {name: values[start:end] for name, values in table.items()}


def assert_equal(one, two, rtol=0.0):
    np.testing.assert_array_equal(one.categories, two.categories)
    np.testing.assert_allclose(one.numbers, two.numbers, rtol=rtol, atol=rtol)


def in_libraries(table):
    nullable = {
        "number": "Float64",
        "whole": "Int64",
        "boolean": "boolean",
        "text": "string",
        "date": "datetime64[us]",
        "empty": object,
    }
    types = {
        "number": pl.Float64,
        "whole": pl.Int64,
        "boolean": pl.Boolean,
        "text": pl.String,
        "date": pl.Datetime("us"),
        "empty": pl.Null,
    }
    kinds = {name: name.split()[0] for name in table}
    frame = pl.DataFrame(table, schema={name: types[kind] for name, kind in kinds.items()})
    yield frame
    yield frame.to_arrow()
    yield frame.to_pandas()
    yield frame.to_pandas(use_pyarrow_extension_array=True)
    yield pd.DataFrame({n: pd.Series(v, dtype=nullable[kinds[n]]) for n, v in table.items()})
    yield pd.DataFrame({n: pd.Series(v, dtype=object) for n, v in table.items()})
    yield pa.table(frame.to_arrow())


@few
@given(tables())
def test_libraries_agree(table):
    expected = TableEncoder().fit(table)
    encoded = expected.transform(table)
    assert np.isfinite(encoded.numbers).all()
    sizes = np.array(expected.category_sizes_)
    assert (encoded.categories >= 0).all()
    assert (encoded.categories < sizes).all()
    assert not (encoded.categories == 1).any()  # what was learned is known
    for frame in in_libraries(table):
        found = TableEncoder().fit(frame)
        assert found.columns_ == expected.columns_, type(frame)
        assert_equal(found.transform(frame), encoded)
        assert_equal(expected.transform(frame), encoded)


@some
@given(tables(), st.lists(st.integers(0, 12), max_size=3), st.randoms(use_true_random=False))
def test_chunks_equal_the_whole_in_any_order(table, cuts, random):
    rows = len(next(iter(table.values())))
    whole = TableEncoder().fit(table)
    order = random.sample(range(rows), rows)
    mixed = {name: [values[row] for row in order] for name, values in table.items()}
    chunks = TableEncoder()
    ends = [0, *sorted(min(cut, rows) for cut in cuts), rows]
    for start, end in itertools.pairwise(ends):
        chunks.partial_fit(part(mixed, start, end))
    assert chunks.columns_ == whole.columns_
    assert_equal(chunks.transform(table), whole.transform(table), rtol=1e-6)


@some
@given(tables(low=2), st.integers(0, 12), st.integers(1, 3))
def test_states_come_back_and_go_on(table, cut, limit):
    encoder = TableEncoder(max_categories=limit, hash_buckets=7).partial_fit(part(table, 0, cut))
    assume(encoder.rows_)
    document, arrays = encoder.state()
    document = json.loads(json.dumps(document, allow_nan=False))
    assert {array.dtype.kind for array in arrays.values()} <= set("iuf")
    again = TableEncoder.from_state(document, arrays)
    assert again.columns_ == encoder.columns_
    assert str(again.describe()) == str(encoder.describe())
    assert_equal(again.transform(part(table, 0, cut)), encoder.transform(part(table, 0, cut)))
    rest = part(table, cut, None)
    assert again.partial_fit(rest).columns_ == encoder.partial_fit(rest).columns_
    assert_equal(again.transform(table), encoder.transform(table))
    for one, two in zip(again.state()[1].items(), encoder.state()[1].items(), strict=True):
        assert one[0] == two[0]
        np.testing.assert_array_equal(one[1], two[1])


@some
@given(tables(), st.randoms(use_true_random=False))
def test_columns_in_any_order_among_others(table, random):
    encoder = TableEncoder().fit(table)
    names = random.sample(list(table), len(table))
    rows = len(next(iter(table.values())))
    other = {"one more": ["x"] * rows} | {name: table[name] for name in names}
    assert_equal(encoder.transform(other), encoder.transform(table))


FIELDS = {  # as Python writes them
    "integer": st.integers(-(2**63), 2**63 - 1),
    "number": st.floats(allow_nan=False, allow_infinity=False),
    "boolean": st.booleans(),
    "text": st.text(
        st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from('",;\n\t')
    ).map(lambda text: f"_{text}_"),
    "date": st.datetimes(datetime.datetime(1900, 1, 1), datetime.datetime(2100, 1, 1)),
}


@few
@given(st.data(), st.lists(st.sampled_from(sorted(FIELDS)), min_size=1, max_size=4))
def test_files_give_back_what_was_written(tmp_path_factory, data, kinds):
    """Written by the standard library, in any of the separators; read whole and in parts."""
    row = st.tuples(*(st.none() | FIELDS[kind] for kind in kinds))
    rows = data.draw(st.lists(row.filter(lambda row: any(v is not None for v in row)), max_size=9))
    path = tmp_path_factory.mktemp("tables") / "t.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=data.draw(st.sampled_from(",;\t|")))
        writer.writerow(f"{kind} {place}" for place, kind in enumerate(kinds))
        writer.writerows(rows)
    scan = scan_table(path, rows=data.draw(st.integers(1, 4)))
    assert scan.read().rows() == [row for part in scan for row in part.rows()]
    assert scan.height == len(rows)
    found = scan.read()
    for place, values in enumerate(zip(*rows, strict=True)):
        assert found[:, place].to_list() == list(values), scan.types
