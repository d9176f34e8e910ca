import doctest

import numpy as np
import pytest

optuna = pytest.importorskip("optuna")
scipy_stats = pytest.importorskip("scipy.stats")

from bital.errors import ArgumentError  # noqa: E402
from bital.tune import Log, Space, space  # noqa: E402

kinds = optuna.distributions


def relu(x):
    return np.maximum(x, 0)


@pytest.mark.parametrize(
    ("written", "distribution"),
    [
        ((1, 8), kinds.IntDistribution(1, 8)),
        ((0.0, 0.5), kinds.FloatDistribution(0.0, 0.5)),
        ((0, 0.5), kinds.FloatDistribution(0.0, 0.5)),
        ((np.int64(1), np.int64(8)), kinds.IntDistribution(1, 8)),
        (Log(1e-4, 1e-1), kinds.FloatDistribution(1e-4, 1e-1, log=True)),
        (Log(8, 512), kinds.IntDistribution(8, 512, log=True)),
        (kinds.IntDistribution(0, 10, step=5), kinds.IntDistribution(0, 10, step=5)),
        (scipy_stats.uniform(1, 3), kinds.FloatDistribution(1.0, 4.0)),
        (scipy_stats.loguniform(1e-3, 1.0), kinds.FloatDistribution(1e-3, 1.0, log=True)),
        (scipy_stats.randint(2, 9), kinds.IntDistribution(2, 8)),
        (["adam", None, 3, True], kinds.CategoricalDistribution(["adam", None, 3, True])),
        (np.array([8, 16]), kinds.CategoricalDistribution([8, 16])),
        (range(3), kinds.CategoricalDistribution([0, 1, 2])),
        ([(300, 100), (50,)], kinds.CategoricalDistribution(["(300, 100)", "(50,)"])),
        ([relu, "tanh"], kinds.CategoricalDistribution(["relu", "tanh"])),
        ({"deep": (9, 9), "wide": (99,)}, kinds.CategoricalDistribution(["deep", "wide"])),
    ],
)
def test_what_is_written_becomes_a_distribution(written, distribution):
    assert Space({"p": written}).distributions["p"] == distribution


def test_labels_stand_for_the_choices():
    choices = Space({"sizes": [(300, 100), (50,)], "f": [relu], "n": {"few": 3}})
    found = choices.values_of({"sizes": "(50,)", "f": "relu", "n": "few"})
    assert found == {"sizes": (50,), "f": relu, "n": 3}


def test_a_function_of_a_trial_may_let_one_depend_on_another():
    def tree(trial):
        depth = trial.suggest_int("depth", 1, 3)
        return {"sizes": tuple(trial.suggest_int(f"units{i}", 4, 8) for i in range(depth))}

    assert Space(tree).values_of({"depth": 2, "units0": 5, "units1": 7}) == {"sizes": (5, 7)}
    with pytest.raises(ArgumentError, match="a function has no grid"):
        Space(tree).grid()


def test_a_grid_is_all_combinations():
    step = kinds.FloatDistribution(0.0, 1.0, step=0.5)
    found = Space({"a": ["x", "y"], "b": (1, 3), "c": step}).grid()
    assert len(found) == 2 * 3 * 3
    assert found[:2] == [{"a": "x", "b": 1, "c": 0.0}, {"a": "x", "b": 1, "c": 0.5}]
    assert len({tuple(point.values()) for point in found}) == 18


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({}, "not empty"),
        ([1], "not empty"),
        ({3: [1]}, "must be strings"),
        ({"p": []}, "no choices"),
        ({"p": [1, 1.0]}, "two choices"),
        ({"p": (1, 2, 3)}, "Choices are a list"),
        ({"p": ("a", "b")}, "Choices are a list"),
        ({"p": (3, 1)}, "low <= high"),
        ({"p": (0.0, np.inf)}, "finite"),
        ({"p": 3}, "Write a list of choices"),
        ({"p": "adam"}, "Write a list of choices"),
        ({"p": [object()]}, "Give names"),
        ({"p": scipy_stats.norm()}, "not 'norm'"),
    ],
)
def test_what_cannot_be_searched_is_refused(written, message):
    with pytest.raises(ArgumentError, match=message):
        Space(written)


@pytest.mark.parametrize("ends", [(0, 1), (-1.0, 1.0), ("a", 1), (2.0, 1.0)])
def test_a_logarithmic_range_needs_numbers_above_zero(ends):
    with pytest.raises(ArgumentError):
        Log(*ends)


def test_a_grid_needs_steps_and_an_end():
    with pytest.raises(ArgumentError, match="needs a list"):
        Space({"p": (0.0, 1.0)}).grid()
    with pytest.raises(ArgumentError, match="needs a list"):
        Space({"p": Log(1, 100)}).grid()
    with pytest.raises(ArgumentError, match="points"):
        Space({"p": (1, 1000), "q": (1, 1000)}).grid()


def test_examples():
    assert doctest.testmod(space).failed == 0
