"""Perceptron: Rosenblatt's rule by hand, beside scikit-learn's, and what both have to keep."""

import pickle

import numpy as np
import pytest
from scipy import sparse
from sklearn import linear_model
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.utils.estimator_checks import check_estimator

from bital.errors import BitalError, ModelFileError
from bital.sklearn import Perceptron, load

GATES = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])


@pytest.fixture(scope="module")
def iris():
    return load_iris(return_X_y=True)


def test_the_rule_by_hand():
    """AND: rows 00 01 10 11, each wrong answer (a sum of 0 is one) moves the unit by t x."""
    unit = Perceptron(shuffle=False, max_iter=2, tol=None).fit(GATES, [0, 0, 0, 1])
    # epoch 1: 00 sum 0, bias -1; 01 sum -1, right; 10 right; 11 sum -1, wrong: w (1, 1), bias 0
    # epoch 2: 00 sum 0, bias -1; 01 sum 0, w (1, 0), bias -2; 10 sum -1, right; 11 wrong
    assert unit.coef_.tolist() == [[2.0, 1.0]]
    assert unit.intercept_.tolist() == [-1.0]
    assert unit.mistakes_.tolist() == [[2.0], [3.0]]
    assert unit.n_iter_ == 2


@pytest.mark.parametrize("truth", [[0, 0, 0, 1], [0, 1, 1, 1], [1, 1, 1, 0]])
def test_gates_are_learned(truth):
    unit = Perceptron().fit(GATES, truth)
    assert unit.predict(GATES).tolist() == truth
    assert unit.mistakes_[-1].item() == 0
    assert (unit.mistakes_[:-1] > 0).all()


def test_xor_is_not():
    with pytest.warns(ConvergenceWarning, match="max_iter=3 "):
        Perceptron(max_iter=3).fit(GATES, [0, 1, 1, 0])
    unit = Perceptron(tol=None, max_iter=50).fit(GATES, [0, 1, 1, 0])
    assert (unit.mistakes_ > 0).all()


def test_mistakes_are_bounded_where_a_plane_parts_the_classes():
    """Novikoff 1962: (R / margin)^2 mistakes at most, in whatever order the rows come."""
    rng = np.random.default_rng(0)
    normal = rng.normal(size=5)
    normal /= np.linalg.norm(normal)
    x = rng.normal(size=(400, 5))
    x = x[np.abs(x @ normal) > 0.2]
    bound = (np.linalg.norm(x, axis=1).max() / np.abs(x @ normal).min()) ** 2
    for seed in range(3):
        unit = Perceptron(fit_intercept=False, tol=None, random_state=seed).fit(x, x @ normal > 0)
        assert unit.mistakes_[-1] == 0
        assert 0 < unit.mistakes_.sum() <= bound


PENALTIES = [
    {"penalty": "l2"},
    {"penalty": "l1", "alpha": 0.01},
    {"penalty": "elasticnet", "alpha": 0.01, "eta0": 0.3, "l1_ratio": 0.4},
]


@pytest.mark.parametrize("two", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"fit_intercept": False, "eta0": 0.1},
        {"n_iter_no_change": 2, "tol": 0.1},
        {"class_weight": "balanced"},
        {"class_weight": {0: 2.0, 1: 0.5}},
        *({**penalty, "tol": None, "max_iter": 4} for penalty in PENALTIES),
    ],
)
def test_the_weights_are_those_of_scikit_learn(iris, options, two):
    x, y = iris
    y = np.minimum(y, 1)[:120] if two else y[:120]
    ours, theirs = (
        kind(shuffle=False, **options).fit(x[:120], y)
        for kind in (Perceptron, linear_model.Perceptron)
    )
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=1e-10, atol=1e-10)
    if ours.mistakes_[-1].all():  # scikit-learn goes on for five epochs without a mistake
        assert ours.n_iter_ == theirs.n_iter_
    np.testing.assert_array_equal(ours.predict(x), theirs.predict(x))
    np.testing.assert_allclose(ours.decision_function(x), theirs.decision_function(x), rtol=1e-9)


def test_a_first_pass_with_weights_is_that_of_scikit_learn(iris):
    x, y = iris
    weight = np.random.default_rng(0).uniform(0.1, 3, len(y))
    ours, theirs = (
        kind(shuffle=False, tol=None, max_iter=2).fit(x, y, sample_weight=weight)
        for kind in (Perceptron, linear_model.Perceptron)
    )
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-10)


def test_weights_are_repetitions_and_order_does_not_matter(iris):
    x, y = iris
    rng = np.random.default_rng(0)
    weight = rng.integers(0, 4, len(y))
    order = rng.permutation(weight.sum())
    once = Perceptron(max_iter=7, tol=None).fit(x, y, sample_weight=weight)
    often = Perceptron(max_iter=7, tol=None).fit(
        x.repeat(weight, axis=0)[order], y.repeat(weight)[order]
    )
    np.testing.assert_array_equal(once.coef_, often.coef_)
    np.testing.assert_array_equal(once.mistakes_, often.mistakes_)
    other = Perceptron(max_iter=7, tol=None, random_state=1).fit(x, y, sample_weight=weight)
    assert (other.coef_ != once.coef_).any()


@pytest.mark.parametrize("penalty", [None, "l2"])
def test_fits_of_one_epoch_are_one_fit(iris, penalty):
    x, y = iris
    whole = Perceptron(penalty=penalty, max_iter=6, tol=None).fit(x, y)
    warm = Perceptron(penalty=penalty, max_iter=2, tol=None, warm_start=True)
    parts = Perceptron(penalty=penalty)
    for turn in range(6):
        parts.partial_fit(x, y, classes=[0, 1, 2] if turn == 0 else None)
        if turn % 2:
            warm.fit(x, y)
    for unit in (warm, parts):
        np.testing.assert_array_equal(unit.coef_, whole.coef_)
        np.testing.assert_array_equal(unit.intercept_, whole.intercept_)


def test_sparse_is_dense():
    x, y = load_digits(return_X_y=True)  # more rows than one chunk has, and many zeros
    dense = Perceptron(max_iter=3, tol=None).fit(x, y)
    for kind in (sparse.csr_array, sparse.csc_matrix):
        found = Perceptron(max_iter=3, tol=None).fit(kind(x), y)
        np.testing.assert_array_equal(found.coef_, dense.coef_)
        np.testing.assert_array_equal(found.predict(kind(x)), dense.predict(x))
    single = Perceptron(max_iter=3, tol=None).fit(x.astype(np.float32), y)
    np.testing.assert_array_equal(single.coef_, dense.coef_)  # digits are whole numbers


def test_early_stopping_judges_rows_that_are_not_learned_from():
    x, y = load_digits(return_X_y=True)
    unit = Perceptron(early_stopping=True, n_iter_no_change=2, validation_fraction=0.5).fit(x, y)
    assert unit.n_iter_ < 20
    assert unit.score(x, y) > 0.85
    assert unit.mistakes_[0].sum() < len(y) // 2 * 2  # counted over half of the rows


def test_it_starts_where_it_is_told():
    unit = Perceptron(shuffle=False, max_iter=1, tol=None)
    unit.fit(GATES, [0, 0, 0, 1], coef_init=[[2.0, 1.0]], intercept_init=[-2.5])
    assert (unit.coef_.tolist(), unit.intercept_.tolist()) == ([[2.0, 1.0]], [-2.5])
    assert unit.mistakes_.tolist() == [[0.0]]


def test_verbose(capsys):
    Perceptron(shuffle=False, max_iter=2, tol=None, verbose=1).fit(GATES, [0, 0, 0, 1])
    assert (
        capsys.readouterr().out
        == "Epoch 1: mistakes 2, loss 0.25\nEpoch 2: mistakes 3, loss 0.25\n"
    )


def test_copies(iris):
    x, y = iris
    names = np.array(["setosa", "versicolor", "virginica"])
    unit = Perceptron(max_iter=5, tol=None).fit(x, names[y])
    assert set(unit.predict(x)) <= set(names)
    again = pickle.loads(pickle.dumps(unit))
    np.testing.assert_array_equal(again.predict(x), unit.predict(x))
    np.testing.assert_array_equal(
        again.partial_fit(x, names[y]).coef_, unit.partial_fit(x, names[y]).coef_
    )
    with pytest.raises(NotFittedError):
        clone(unit).predict(x)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"penalty": "l3"}, "penalty has to be .* it is 'l3'"),
        ({"eta0": 0}, "eta0 has to be a number above zero"),
        ({"alpha": -1}, "alpha"),
        ({"l1_ratio": 2}, "l1_ratio"),
        ({"max_iter": 0}, "max_iter"),
        ({"max_iter": 1.5}, "max_iter"),
        ({"tol": -1}, "tol"),
        ({"n_iter_no_change": 0}, "n_iter_no_change"),
        ({"validation_fraction": 1.0}, "validation_fraction"),
        ({"class_weight": "even"}, "class_weight"),
        ({"eta0": 1e308}, "scale the columns"),
    ],
)
def test_parameters_that_cannot_be(options, said):
    with np.errstate(all="ignore"), pytest.raises(ValueError, match=said) as caught:
        Perceptron(**options).fit(1e10 * GATES, [0, 1, 1, 0])
    assert isinstance(caught.value, BitalError)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"y": [1, 1, 1, 1]}, "one class, 1"),
        ({"sample_weight": [1, 1]}, r"shape \(2,\)"),
        ({"sample_weight": [0, 0, 0, 0]}, "not all zero"),
        ({"sample_weight": [1, 1, 1, -1]}, "from -1 to 1"),
        ({"coef_init": np.zeros((1, 3))}, r"coef_init has the shape \(1, 3\)"),
    ],
)
def test_data_that_cannot_be(given, said):
    with pytest.raises(ValueError, match=said) as caught:
        Perceptron().fit(**{"X": GATES, "y": [0, 1, 1, 1], **given})
    assert isinstance(caught.value, BitalError)


def test_partial_fit_wants_to_know_the_classes():
    unit = Perceptron()
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        unit.partial_fit(GATES, [0, 0, 0, 1])
    unit.partial_fit(GATES, [0, 0, 0, 0], classes=[0, 1])
    with pytest.raises(ValueError, match="not the same as on the last call"):
        unit.partial_fit(GATES, [0, 0, 0, 1], classes=[0, 2])
    with pytest.raises(ValueError, match=r"labels \[2\]"):
        unit.partial_fit(GATES, [0, 0, 0, 2])
    with pytest.raises(ValueError, match="needs all labels"):
        Perceptron(class_weight="balanced").partial_fit(GATES, [0, 0, 0, 1], classes=[0, 1])
    with pytest.raises(ValueError, match="classes of the last fit"):
        unit.set_params(warm_start=True).fit(GATES, [0, 1, 2, 2])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_scikit_learn_finds_no_fault():
    results = check_estimator(Perceptron(), on_skip=None)
    assert len(results) > 50
    skipped = {found["check_name"] for found in results if found["status"] != "passed"}
    assert skipped <= {"check_array_api_input"}  # runs where SCIPY_ARRAY_API=1 is set


def test_files(iris, tmp_path):
    pandas = pytest.importorskip("pandas")
    x, y = iris
    frame = pandas.DataFrame(x, columns=list("abcd"))
    labels = np.array(["setosa", "versicolor", "virginica"])[y]
    unit = Perceptron(max_iter=4, tol=None, class_weight={"setosa": 2.0}).fit(frame, labels)
    unit.save(tmp_path / "units.safetensors")
    again = load(tmp_path / "units.safetensors")
    assert again.get_params() == unit.get_params()
    np.testing.assert_array_equal(again.predict(frame), unit.predict(frame))
    again.partial_fit(frame, labels)
    unit.partial_fit(frame, labels)
    np.testing.assert_array_equal(again.coef_, unit.coef_)
    assert (again.n_features_in_, again.n_iter_) == (4, unit.n_iter_)
    content = bytearray((tmp_path / "units.safetensors").read_bytes())
    content[-9] ^= 1
    (tmp_path / "units.safetensors").write_bytes(content)
    with pytest.raises(ModelFileError):
        load(tmp_path / "units.safetensors")
    with pytest.raises(NotFittedError):
        Perceptron().save(tmp_path / "none.safetensors")
