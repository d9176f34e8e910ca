"""What the commands for tables are made of: parts, targets, scores, rows that are encoded."""

import numpy as np
import polars as pl
import pytest
from sklearn import metrics

from bital.cli.table import data, encoded, scores, settings
from bital.errors import BitalError
from bital.sklearn.inputs import TableInputs
from bital.tables import TableEncoder

OPEN = dict.fromkeys(
    ("hidden", "activation", "optimizer", "learning_rate", "batch_size", "epochs", "dropout")
)


def options(**given):
    plain = {"target": "y", "task": "auto", "ignore": (), "kind": (), "test": 0.2}
    rest = {"validation": 0.1, "balanced": False, "stream": False, "seed": 0, "threads": 1}
    return settings.Settings(**{**plain, **rest, **OPEN, "executor": "numpy", **given})


# ---------------------------------------------------------------- parts
@pytest.mark.parametrize("counts", [[100], [60, 40], [50, 7, 3, 1]])
@pytest.mark.parametrize("seed", [0, 7])
def test_every_class_is_dealt_in_the_same_shares(counts, seed):
    strata = np.random.default_rng(1).permutation(np.repeat(np.arange(len(counts)), counts))
    parts = data.split(strata, seed, validation=0.1, test=0.2)
    for place, count in enumerate(counts):
        found = np.bincount(parts[strata == place], minlength=3)
        assert abs(found[data.TEST] - 0.2 * count) <= 0.5 + 1e-9
        assert abs(found[data.VALIDATION] - 0.1 * count) <= 1
        assert found[data.TRAIN] >= 1
    assert np.array_equal(parts, data.split(strata, seed, 0.1, 0.2))


def test_another_seed_deals_otherwise():
    strata = np.zeros(100, int)
    assert (data.split(strata, 0, 0.1, 0.2) != data.split(strata, 1, 0.1, 0.2)).any()


def table(path, rows=40, **settings_):
    numbers = np.arange(rows)
    frame = pl.DataFrame(
        {
            "x": numbers * 0.5,
            "town": np.array(["Bonn", "Rome", "Oslo"])[numbers % 3],
            "y": np.where(numbers % 4, "no", "yes"),
        }
    ).with_columns(pl.when(pl.col("x") < 1).then(None).otherwise(pl.col("y")).alias("y"))
    frame.write_csv(path)
    return data.opened(path, options(**settings_))


def test_the_parts_of_a_table_are_its_rows_with_a_target(tmp_path, monkeypatch):
    whole, chosen = table(tmp_path / "t.csv")
    assert (chosen.task, whole.target.classes.tolist()) == ("classification", ["no", "yes"])
    assert (whole.part == data.NONE).tolist() == [True, True, *[False] * 38]
    frames = [pl.concat(whole.frames(part)) for part in range(3)]
    seen = sorted(x for frame in frames for x in frame["x"].to_list())
    assert seen == [0.5 * row for row in range(2, 40)]
    for part, frame in enumerate(frames):
        numbers = (2 * frame["x"].to_numpy()).astype(int)
        assert whole.labels(part).tolist() == np.where(numbers % 4, "no", "yes").tolist()
        assert frame.columns == ["x", "town"]
    monkeypatch.setattr("bital.tables.reading.CELLS", 15)  # parts of five rows
    streamed, _ = table(tmp_path / "t.csv", stream=True)
    pieces = list(streamed.frames(data.TRAIN))
    assert len(pieces) > 4
    assert pl.concat(pieces).equals(frames[data.TRAIN])
    assert np.array_equal(streamed.part, whole.part)
    sample, y = streamed.sample(data.TRAIN, 5)
    numbers = (2 * sample["x"].to_numpy()).astype(int)
    assert len(sample) == 5
    assert (whole.target.classes[y] == np.where(numbers % 4, "no", "yes")).all()


def test_too_small_a_table_is_named(tmp_path):
    with pytest.raises(BitalError, match="'y' has a value in 8 rows"):
        table(tmp_path / "t.csv", rows=10)
    with pytest.raises(BitalError, match="none is left for the validation part"):
        table(tmp_path / "t.csv", rows=12, validation=0.01)


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        (["b", "a"], ["b", "a"]),
        ([True, False], [True, False]),
        ([2, 1], [2, 1]),
        ([2.0, 1.0], [2, 1]),
        ([0.5, 1.0], [0.5, 1.0]),
    ],
)
def test_labels_are_those_of_the_table(values, labels):
    found = data.labels_of(pl.Series(values)).tolist()
    assert found == labels
    assert list(map(type, found)) == list(map(type, labels))


def test_kinds_of_columns_from_the_command_line():
    given = options(kind=("a=b=date", "zip=category"), ignore=("id",))
    assert given.kinds == {"a=b": "date", "zip": "category", "id": "ignore"}


# ---------------------------------------------------------------- rows
@pytest.mark.parametrize("columns", [["n", "c"], ["n"], ["c"]])
def test_rows_encoded_in_pieces_are_those_encoded_at_once(tmp_path, columns):
    generator = np.random.default_rng(0)
    frame = pl.DataFrame(
        {"n": generator.normal(size=50), "c": generator.choice(["a", "b", None], 50)}
    ).select(columns)
    encoder = TableEncoder().fit(frame)
    whole = TableInputs(encoder, np.float32).transform(frame)
    inputs = encoded.Inputs(encoder, np.float32)
    made = inputs.rows(frame.iter_slices(7), 50, encoded.on_disk(tmp_path / "rows"))
    assert (len(made), made.shape) == (50, (50,))
    arrays = inputs.transform(made)
    pairs = whole.items() if isinstance(whole, dict) else [(None, whole)]
    for name, array in pairs:
        found = arrays if name is None else arrays[name]
        assert isinstance(found, np.memmap)
        assert np.array_equal(found, array)


# ---------------------------------------------------------------- scores
@pytest.mark.parametrize("classes", [2, 4])
def test_scores_of_classes_are_those_of_scikit_learn(classes):
    generator = np.random.default_rng(0)
    truth = generator.integers(0, classes, 200)
    given = generator.dirichlet(np.ones(classes), 200)
    found = scores.of_classes(truth, given)
    answers = given.argmax(axis=1)
    assert found["loss"] == pytest.approx(metrics.log_loss(truth, given))
    assert found["accuracy"] == metrics.accuracy_score(truth, answers)
    expected = metrics.balanced_accuracy_score(truth, answers)
    assert found["balanced_accuracy"] == pytest.approx(expected)
    chosen = given[:, 1] if classes == 2 else given
    assert found["auc"] == metrics.roc_auc_score(truth, chosen, multi_class="ovr")


def test_a_class_that_does_not_occur_has_no_curve():
    found = scores.of_classes(np.array([0, 0, 2]), np.eye(3)[[0, 1, 2]])
    assert found["auc"] is None
    assert found["balanced_accuracy"] == 0.75


def test_scores_of_quantities_are_those_of_scikit_learn():
    truth, given = np.random.default_rng(0).normal(size=(2, 100)) * 30
    found = scores.of_quantities(truth, given)
    assert found["rmse"] == pytest.approx(metrics.root_mean_squared_error(truth, given))
    assert found["mae"] == pytest.approx(metrics.mean_absolute_error(truth, given))
    assert found["r2"] == pytest.approx(metrics.r2_score(truth, given))
    assert scores.of_quantities(np.ones(3), given[:3])["r2"] is None


def test_what_one_reaches_without_looking():
    found = scores.baseline(np.array([0, 0, 0, 1]), np.array([0, 1]), 2)
    assert (found["accuracy"], found["auc"]) == (0.5, 0.5)
    assert found["loss"] == pytest.approx(-(np.log(0.75) + np.log(0.25)) / 2)
    found = scores.baseline(np.array([1.0, 3.0]), np.array([2.0, 5.0]), 0)
    assert (found["mae"], found["r2"]) == (1.5, pytest.approx(1 - 4.5 / 2.25))


def test_importance_is_how_much_is_lost_without_a_column():
    generator = np.random.default_rng(0)
    frame = pl.DataFrame(generator.normal(size=(400, 3)), schema=["a", "b", "c"])
    truth = 3 * frame["a"].to_numpy() + frame["b"].to_numpy()

    def loss(shuffled):
        return float(((3 * shuffled["a"] + shuffled["b"] - truth) ** 2).mean())

    found = scores.importance(frame, ["c", "b", "a"], loss, seed=0)
    assert [each.column for each in found] == ["a", "b", "c"]
    assert [each.mean for each in found] == pytest.approx([18, 2, 0], rel=0.15)
    assert found[2] == ("c", 0.0, 0.0)
