"""The usual faults of tables: each is told, and what is like it and no fault is not."""

import datetime
import warnings

import numpy as np
import pytest

from bital.errors import DataError, TableWarning
from bital.tables import TableEncoder, check_target

ROWS = 400
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=ROWS)
IDS = RANDOM.permutation(10**6)[:ROWS]


def days(template):
    return [template.format(y=2000 + n // 300, m=n % 12 + 1, d=n % 28 + 1) for n in range(ROWS)]


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("customer", [f"c-{n}" for n in IDS], r"'customer' is left out: .* all of its 400 texts"),
        ("Unnamed: 0", np.arange(ROWS), r"'Unnamed: 0' is left out"),
        ("customer_id", IDS, r"'customer_id' is left out: its whole numbers are all different"),
        ("customerID", IDS, r"'customerID' is left out"),
        ("when", days("{d}.{m}.{y}"), r"'when' holds dates as text, such as .* as 2024-12-31"),
        ("when", days("{y}-{m:02}-{d:02}"), r"'when' holds dates .* pass kinds={'when': 'date'}"),
        ("when", days("{d} Jan {y}"), r"'when' holds dates as text"),
        ("price", [f"${n % 50},000" for n in range(ROWS)], r"'price' holds numbers as text"),
        ("weight", [f"{n % 50 + 1} kg" for n in range(ROWS)], r"'weight' holds numbers as text"),
        ("age", [*map(str, range(20, 60)), *["?"] * 9], r"If '\?' means that it is missing"),
    ],
)
def test_faults_are_told(name, values, message):
    with pytest.warns(TableWarning, match=message):
        encoder = TableEncoder().fit({name: values})
    [column] = encoder.columns_
    assert (column.became == ()) == ("left out" in message)
    kind = "date" if "pass kinds={'when': 'date'}" in message else "category"
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # what is said is believed
        told = TableEncoder({name: kind}).fit({name: values})
    assert told.columns_[0].kind == kind


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("x", np.arange(ROWS)),
        ("year", np.arange(1950, 2020)),
        ("customer_id", IDS + 0.5),
        ("paid", IDS),  # no id: it ends in the letters alone
        ("price", X),
        ("id", RANDOM.integers(0, 50, ROWS)),  # repeated
        ("house", [f"{n % 9}b" for n in range(ROWS)]),
        ("zip", [f"0{n % 90 + 10}11" for n in range(ROWS)]),
        ("town", RANDOM.choice(["Bonn", "Rome"], ROWS)),
        ("short", [f"c-{n}" for n in IDS[:20]]),
        ("when", np.array(days("{y}-{m:02}-{d:02}"), "datetime64[D]")),
    ],
)
def test_what_is_no_fault_is_not_told(name, values):
    assert TableEncoder().fit({name: values}).columns_[0].became


@pytest.mark.parametrize(
    ("values", "task", "classes"),
    [
        (["b", "a", None, "b"], "classification", ("a", "b")),
        ([True, False, None, True], "classification", ("false", "true")),
        ([3, 1, 2, 1], "classification", ("1", "2", "3")),
        ([3.0, 1.0, np.nan, 1.0], "classification", ("1", "3")),
        ([3.5, 1.0, 2.0, np.nan], "regression", ()),
        (list(range(21)), "regression", ()),
    ],
)
def test_the_task(values, task, classes):
    found = check_target({"y": values, "x": [0] * len(values)}, "y")
    assert (found.task, found.classes, found.leaks) == (task, classes, ())
    assert found.missing == sum(value is None or value != value for value in values)


def test_a_task_that_was_asked_for():
    table = {"y": list(range(21))}
    assert check_target(table, "y", task="classification").classes[2] == "2"
    assert check_target({"y": [1, 2, 1]}, "y", task="regression").task == "regression"
    with pytest.raises(DataError, match="holds text, such as 'a', where regression"):
        check_target({"y": ["a", "b"]}, "y", task="regression")
    with pytest.raises(DataError, match="'regress': must be"):
        check_target(table, "y", task="regress")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([None, None], "missing in all 2 rows"),
        (["a", "a", None], "one class, 'a'"),
        ([7, 7], "one class, '7'"),
        ([7.5, 7.5], "is 7.5 in all rows"),
        ([datetime.date(2024, 1, 2), None], "holds dates"),
        ([f"c{n}" for n in range(60)], "60 classes in 60 rows"),
    ],
)
def test_targets_that_cannot_be(values, message):
    with pytest.raises(DataError, match=message):
        check_target({"y": values}, "y")


def test_a_target_that_is_not_there():
    with pytest.raises(DataError, match=r"no column 'pirce' .* Did you mean 'price'\? It has 'pr"):
        check_target({"price": [1], "x": [2]}, "pirce")


@pytest.mark.parametrize(
    ("target", "column"),
    [
        (X, np.round(X * 100)),
        (X, X**2 * np.sign(X)),
        (X > 0, X),
        (X > 0, np.where(X > 0, "alive", "dead")),
        (np.digitize(X, [-1, 0, 1]), np.digitize(X, [-1, 0, 1]) * 7),
        (X > 0, [x if x > 0 else None for x in X]),  # known only where it is so
        (np.where(X > 1.5, "fraud", "fine"), X > 1.5),  # rare
    ],
)
def test_leaks_are_told(target, column):
    table = {
        "y": target,
        "good": X + RANDOM.normal(size=ROWS),
        "id": [*map(str, IDS)],
        "bad": column,
    }
    with pytest.warns(TableWarning, match="column 'bad' alone predicts 'y'"):
        assert check_target(table, "y").leaks == ("bad",)


@pytest.mark.parametrize(
    ("target", "column"),
    [
        (X, X + 0.3 * RANDOM.normal(size=ROWS)),
        (X > 0, X + 0.3 * RANDOM.normal(size=ROWS)),
        (X > 0, IDS),
        (X > 0, [*map(str, IDS)]),
        (X > 2.5, [0.0] * ROWS),
    ],
)
def test_what_is_no_leak_is_not_told(target, column):
    assert check_target({"y": target, "x": column}, "y").leaks == ()


@pytest.mark.parametrize("rows", [900, 1100, 2100, 9000, 100_000])
def test_ids_are_found_where_values_are_only_estimated(rows):
    table = {
        "id": np.arange(rows),
        "note": [f"n{row}" for row in range(rows)],
        "x": RANDOM.random(rows),
    }
    table["half"] = [f"h{row // 2}" for row in range(rows)]
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        encoder = TableEncoder().fit(table)
    assert [str(warning.message).split("'")[1] for warning in told] == ["id", "note"]
    assert [column.name for column in encoder.columns_ if column.became] == ["x", "half"]
