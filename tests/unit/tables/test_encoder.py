"""TableEncoder against NumPy, and by hand."""

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from bital.errors import DataError
from bital.tables import TableEncoder

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
