"""Estimators in files and pickles: the same predictions, and the same training from there on."""

from __future__ import annotations

import copy
import pickle
import random

import numpy as np
import pytest
from sklearn.base import clone

import bital
from bital.errors import ArgumentError, ModelFileError, ModelStateError
from bital.keras import archive, losses
from bital.sklearn import DNNClassifier, DNNRegressor, load

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3))
LABELS = np.where(X[:, 0] > 0, "yes", "no")
NUMBERS = 100 + 20 * X[:, 0]
KINDS = np.stack([RNG.integers(0, 3, 40), 5 + (X[:, 1] > 0)], axis=1)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def error_of_mine(y_true, y_pred):
    return np.abs(y_true - y_pred) ** 1.5


@pytest.fixture(autouse=True)
def numpys_executor():
    with bital.config.executor("numpy"):
        yield


def table():
    town = np.where(LABELS == "yes", "Bonn", "Köln")
    return {"x": [*X[:-1, 0], None], "town": town, "flag": X[:, 1] > 0}


CASES = {
    "labels": (DNNClassifier(4, early_stopping=True, n_iter_no_change=99), X, LABELS),
    "kinds": (DNNClassifier(4, class_weight=None, dropout=(0.1,)), X, KINDS),
    "numbers": (DNNRegressor(losses.Huber(0.5), 4, alpha=0.1), X, NUMBERS),
    "own loss": (DNNRegressor(error_of_mine, 4), X, NUMBERS),
    "table": (DNNClassifier(4, class_weight={"no": 2.0, "yes": 1.0}), table(), LABELS),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_read_back_predicts_and_trains_on_alike(case, tmp_path):
    estimator, inputs, targets = CASES[case]
    estimator = clone(estimator).set_params(max_iter=2, random_state=0).fit(inputs, targets)
    path = tmp_path / "estimator.safetensors"
    estimator.save(path)
    others = [load(path), pickle.loads(pickle.dumps(estimator))]
    expected = estimator.predict(inputs)
    for other in others:
        np.testing.assert_array_equal(other.predict(inputs), expected)
        assert other.loss_curve_ == estimator.loss_curve_
        assert other.n_features_in_ == 3
    if case != "own loss":
        assert repr(clone(others[0])) == repr(clone(estimator))
    for one in (estimator, *others):
        one.partial_fit(inputs, targets)
    for other in others:
        for a, b in zip(estimator.coefs_, other.coefs_, strict=True):
            np.testing.assert_array_equal(a, b)
        assert other._progress.best == estimator._progress.best


def test_a_function_that_is_not_in_the_file_is_asked_for_by_a_new_fit(tmp_path):
    model = DNNRegressor(error_of_mine, 4, max_iter=1).fit(X, NUMBERS)
    model.save(tmp_path / "one.safetensors")
    again = load(tmp_path / "one.safetensors")
    assert "error_of_mine, not in the file" in repr(again)
    with pytest.raises(ModelStateError, match="set_params\\(loss=error_of_mine\\)"):
        again.fit(X, NUMBERS)
    again.set_params(loss=error_of_mine).fit(X, NUMBERS)


def test_files_that_are_damaged_or_of_another_kind_are_refused(tmp_path):
    path = tmp_path / "one.safetensors"
    model = DNNClassifier(4, max_iter=1).fit(X, LABELS)
    with pytest.raises(ArgumentError, match=r"one\.safetensors"):
        model.save(tmp_path / "one.pkl")
    model.save(path)
    whole = path.read_bytes()
    document, tensors = archive.read(path, {"bital.sklearn": 1})
    path.write_bytes(whole[:-5])
    with pytest.raises(ModelFileError):
        load(path)
    model.model_.save(path)
    with pytest.raises(ModelFileError, match=r"bital\.sklearn"):
        load(path)
    changes = [
        {"class": "Pipeline"},
        {"parameters": {}},
        {"inputs": {"kind": "code"}},
        {"targets": {"kind": "binary", "classes": [{"dtype": "M8[s]", "values": [1, 2]}]}},
        {"targets": {"kind": "multiclass", "classes": [{"dtype": "<i8", "values": [1, 2, 3]}]}},
        {"progress": {}},
        {"fitted": {}},
        {"model": {"format": "bital.sklearn"}},
    ]
    for change in changes:
        archive.write(path, {**document, **change}, tensors)
        with pytest.raises(ModelFileError, match="cannot be loaded"):
            load(path)
    archive.write(path, document, tensors)
    np.testing.assert_array_equal(load(path).predict(X), model.predict(X))


def places(document, before=()):
    items = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in items:
        yield (*before, key)
        if isinstance(value, (dict, list)):
            yield from places(value, (*before, key))


ODD = [None, True, -1, 2**40, 1.5, "x", [], {}, [1], {"a": 1}, "table", {"tuple": []}, 1e300]


@pytest.mark.slow
@pytest.mark.parametrize("case", ["labels", "table"])
def test_documents_that_nobody_would_write_are_refused_or_read(case, tmp_path):
    estimator, inputs, targets = CASES[case]
    path, draw = tmp_path / "one.safetensors", random.Random(0)
    clone(estimator).set_params(max_iter=1).fit(inputs, targets).save(path)
    document, tensors = archive.read(path, {"bital.sklearn": 1})
    refused = 0
    for _ in range(200):
        changed, arrays = copy.deepcopy(document), dict(tensors)
        place = draw.choice(list(places(document)))
        part = changed
        for key in place[:-1]:
            part = part[key]
        kind = draw.random()
        if kind < 0.2 and isinstance(part, dict):
            del part[place[-1]]
        elif kind < 0.3:
            del arrays[draw.choice(list(arrays))]
        elif kind < 0.4:
            name = draw.choice(list(arrays))
            arrays[name] = draw.choice([np.zeros(3), arrays[name][..., np.newaxis]])
        else:
            part[place[-1]] = draw.choice(ODD)
        archive.write(path, changed, arrays)
        try:
            load(path)
        except ModelFileError:
            refused += 1
    assert refused > 100
