"""States of encoders: what is damaged is refused, and hashes are the same everywhere."""

import contextlib
import copy
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from bital.errors import ArgumentError, ModelStateError
from bital.tables import TableEncoder
from bital.tables.statistics import SKETCH, Sketch, number_hashes, text_hash

TABLE = {
    "n": [1.0, None, 3.0],
    "t": ["a", "ä", None],
    "h": ["x", "y", "z"],
    "d": np.array(["2024-01-02", "NaT", "2024-03-04"], "datetime64[D]"),
}


def state():
    return TableEncoder({"h": "hashed"}, hash_buckets=5).fit(TABLE).state()


def test_text_hashes_are_those_of_blake2b():
    """Values of `b2sum -l 64`, whose first byte is the least."""
    for text, digest in {"": "e4a6a0577479b2b4", "abc": "d8bb14d833d59559"}.items():
        assert text_hash(text).to_bytes(8, "little").hex() == digest
    code = "from bital.tables import TableEncoder as T; e = T({'t': 'hashed'}, hash_buckets=97);"
    code += "print(e.fit_transform({'t': ['Bonn', 'Köln', '']}).categories.ravel().tolist())"
    found = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONHASHSEED": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout == f"{[2 + text_hash(text) % 97 for text in ('Bonn', 'Köln', '')]}\n"


@pytest.mark.parametrize("count", [10, SKETCH - 1, SKETCH, 50_000])
def test_the_number_of_different_values(count):
    for hashes in (
        number_hashes(np.arange(count, dtype=float)),
        np.array([text_hash(str(n)) for n in range(count)], np.uint64),
    ):
        sketch = Sketch()
        for part in np.array_split(np.concatenate([hashes, hashes[::2]]), 7):
            sketch.update(part)
        assert sketch.distinct == pytest.approx(count, rel=0.1)
        if count < SKETCH:
            assert sketch.distinct == count


def test_a_state_is_json_and_arrays():
    document, arrays = state()
    again = TableEncoder.from_state(json.loads(json.dumps(document, allow_nan=False)), arrays)
    expected = TableEncoder({"h": "hashed"}, hash_buckets=5).fit_transform(TABLE)
    for one, two in zip(again.transform(TABLE), expected, strict=True):
        np.testing.assert_array_equal(one, two)


def damages():
    document, arrays = state()
    for place, column in enumerate(document["columns"]):
        for key, value in column.items():
            for other in (None, -1, "x", [], {"": [1]}, not value):
                if other == value or (key, other) in (("name", "x"), ("whole", other)):
                    continue
                if type(other) is bool and not isinstance(value, bool):
                    continue
                damaged = copy.deepcopy(document)
                damaged["columns"][place][key] = other
                yield f"{column['name']}.{key}={other}", damaged, arrays
    for key in document:
        yield f"no {key}", {k: v for k, v in document.items() if k != key}, arrays
    yield "version", document | {"version": 2}, arrays
    for key, array in arrays.items():
        if key.endswith(("counts", "lengths", "text")):
            yield f"short {key}", document, arrays | {key: array[:-1]}
            yield f"float {key}", document, arrays | {key: array.astype(np.float32)}
            if not key.endswith("text"):
                yield f"negative {key}", document, arrays | {key: -array}
    yield "no document", None, arrays


@pytest.mark.parametrize(
    ("document", "arrays"), [pytest.param(*rest, id=name) for name, *rest in damages()]
)
def test_damaged_states_are_refused_or_whole(document, arrays):
    """An `ArgumentError`, or an encoder that works: nothing else."""
    with contextlib.suppress(ArgumentError):
        encoder = TableEncoder.from_state(document, arrays)
        encoder.describe()
        encoder.transform(TABLE)
        encoder.partial_fit(TABLE)


def test_nothing_is_known_before_fit():
    for ask in (
        lambda encoder: encoder.transform(TABLE),
        lambda encoder: encoder.state(),
        lambda encoder: encoder.columns_,
        lambda encoder: encoder.describe(),
    ):
        with pytest.raises(ModelStateError, match="call fit"):
            ask(TableEncoder())
