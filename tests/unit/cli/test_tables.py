"""The commands on tables of one's own."""

import builtins
import json
import shutil
import signal
import sys
from html.parser import HTMLParser

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner
from sklearn.metrics import accuracy_score, r2_score

from bital import sklearn
from bital.cli import plots, recording
from bital.cli.commands import cli
from bital.cli.run_folder import RunFolder
from bital.cli.table import pictures, report
from bital.cli.table.scores import Importance

FAST = ("--epochs", "6", "--hidden", "8", "--executor", "numpy", "--quiet", "--batch-size", "32")
KEPT = ["config.json", "metrics.csv", "metrics.json", "model.safetensors", "report.html"]


def names(path):
    return sorted(p.name for p in path.iterdir())


def houses(rows=240, seed=0):
    generator = np.random.default_rng(seed)
    area = generator.uniform(30, 200, rows).round(1)
    town = generator.choice(["Bonn", "Rome", "<b>Oslo</b>"], rows)
    garden = generator.random(rows) < 0.4
    price = area * np.where(town == "Rome", 3.0, 2.0) + 50 * garden + generator.normal(0, 9, rows)
    missing = generator.random(rows) < 0.1
    return pl.DataFrame(
        {
            "area": np.where(missing, np.nan, area),
            "town": town,
            "garden": np.where(garden, "yes", "no"),
            "price": price.round(2),
            "dear": np.where(price > 280, "dear", "cheap"),
        }
    ).with_columns(pl.col("area").fill_nan(None))


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    """A table with a finished run of each task, made once; pictures in one of them."""
    folder = tmp_path_factory.mktemp("tables")
    houses().write_csv(folder / "houses.csv")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for target, other in (("price", "dear"), ("dear", "price")):
            arguments = ("train", "houses.csv", "--target", target, "--ignore", other)
            result = CliRunner().invoke(cli, [*arguments, *FAST, "--out", target])
            assert result.exit_code == 0, result.output
            patch.setattr(report.Report, "pictures", lambda _: iter(()))
    return folder


@pytest.fixture
def here(runs, invoke, tmp_path):
    """An own copy of that folder."""
    shutil.copytree(runs, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.fixture
def plain(monkeypatch):
    """No pictures, which take longer than all the rest."""
    monkeypatch.setattr(report.Report, "pictures", lambda _: iter(()))


def split_of(run):
    """The test rows of a run, as the command dealt them."""
    from bital.cli.table import data, predicting

    folder = RunFolder(run)
    chosen = predicting._settings(folder, folder.read_config())
    table, _ = data.opened(run.parent / "houses.csv", chosen)
    return pl.concat(table.frames(data.TEST)), table.labels(data.TEST)


# ---------------------------------------------------------------- train
def test_a_regression_leaves_a_whole_run_folder(here):
    assert names(here / "price") == sorted([*KEPT, "curves.png", "errors.png", "importance.png"])
    folder = RunFolder(here / "price")
    config, metrics = folder.read_config(), folder.read_metrics()
    assert config["command"] == "train houses.csv"
    assert config["data"]["rows"] == 240
    assert config["data"]["types"]["area"] == "number"
    assert config["options"]["task"] == "regression"
    assert (config["options"]["ignore"], config["options"]["hidden"]) == (["dear"], [8])
    rows = folder.read_history()
    assert len(rows) == metrics["epochs"] == 6
    assert min(rows, key=lambda row: row["val_loss"])["epoch"] == metrics["best_epoch"]
    frame, truth = split_of(here / "price")
    estimator = sklearn.load(folder.model)
    answers = estimator.predict(frame.select("area", "town", "garden"))
    assert metrics["scores"]["test"]["r2"] == pytest.approx(r2_score(truth, answers))
    assert metrics["scores"]["test"]["r2"] > metrics["scores"]["baseline"]["r2"]
    assert len(frame) == 48


def test_a_classification_measures_what_it_saved(here):
    metrics = RunFolder(here / "dear").read_metrics()
    frame, truth = split_of(here / "dear")
    estimator = sklearn.load(here / "dear" / "model.safetensors")
    answers = estimator.predict(frame.select("area", "town", "garden"))
    assert metrics["scores"]["test"]["accuracy"] == accuracy_score(truth, answers)
    assert estimator.classes_.tolist() == ["cheap", "dear"]


class Page(HTMLParser):
    """Tags, sources and text of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.sources, self.text = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.sources += [value for name, value in attributes if name in ("src", "href")]

    def handle_data(self, data):
        self.text += data


def test_the_report_is_one_page_that_needs_nothing_else(here):
    text = (here / "price" / "report.html").read_text()
    page = Page(text)
    assert page.tags.count("img") == 3
    assert all(source.startswith("data:image/png;base64,") for source in page.sources)
    assert not {"script", "link", "b>oslo<"} & set(page.tags)
    assert "url(" not in text
    assert "<b>Oslo</b>" not in text
    metrics = RunFolder(here / "price").read_metrics()
    told = (
        "price from houses.csv",
        f"{metrics['scores']['test']['r2']:.4f}",
        "embedding of 5 rows",  # three towns, missing, unknown
        "The test rows that are missed most",
        "bital predict price new.csv --out predictions.csv",
        "--target price --task regression --ignore dear",
    )
    assert [part for part in told if part not in page.text] == []


def test_the_page_of_a_classification(here):
    text = Page((here / "dear" / "report.html").read_text()).text
    told = ("Each class", "cheap", "balanced acc.", "get the right answer", "importance")
    assert [part for part in told if part not in text] == []


def test_streaming_gives_the_same(here, plain, monkeypatch, invoke):
    monkeypatch.setattr("bital.tables.reading.CELLS", 300)  # parts of sixty rows
    more = ("--ignore", "dear", "--stream", "--out", "streamed")
    result = invoke("train", "houses.csv", "--target", "price", *FAST, *more)
    assert result.exit_code == 0, result.output
    found = [RunFolder(here / name).read_metrics()["scores"] for name in ("price", "streamed")]
    for part in ("train", "validation", "test"):
        assert found[0][part]["rmse"] == pytest.approx(found[1][part]["rmse"], rel=1e-4)
    assert not (here / "streamed" / "rows").exists()


def test_streaming_in_batches_of_the_estimators_choice(here, plain, invoke):
    more = ("--target", "price", "--stream", "--epochs", "1", "--out", "streamed", "--quiet")
    result = invoke("train", "houses.csv", *more, "--executor", "numpy")
    assert result.exit_code == 0, result.output


def test_ctrl_c_and_resume_end_like_one_that_was_never_stopped(here, plain, monkeypatch, invoke):
    real = recording.Recorder.on_epoch_begin

    def press(self, epoch, logs=None):
        real(self, epoch, logs)
        if epoch == 3:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(recording.Recorder, "on_epoch_begin", press)
        arguments = ("--target", "price", "--ignore", "dear", *FAST, "--out", "stopped")
        result = invoke("train", "houses.csv", *arguments)
    assert result.exit_code == 130
    assert "To go on: bital train houses.csv --resume stopped" in result.output
    assert RunFolder(here / "stopped").read_metrics()["status"] == "interrupted"
    assert invoke("evaluate", "stopped").exit_code == 0
    wrong = invoke("train", "mnist", "--resume", "stopped")
    assert "bital train houses.csv --resume stopped" in wrong.output
    result = invoke("train", "houses.csv", "--resume", "stopped", "--quiet")
    assert result.exit_code == 0, result.output
    assert names(here / "stopped") == KEPT
    folders = [RunFolder(here / name) for name in ("price", "stopped")]
    assert folders[0].read_metrics()["scores"] == folders[1].read_metrics()["scores"]
    weights = [sklearn.load(folder.model).model_.get_weights() for folder in folders]
    assert all(np.array_equal(a, b) for a, b in zip(*weights, strict=True))


def test_a_changed_table_is_not_gone_on_with(here, invoke):
    (here / "price" / "checkpoints").mkdir()
    houses(seed=1).write_csv(here / "houses.csv")
    result = invoke("train", "houses.csv", "--resume", "price")
    assert result.exit_code == 1
    assert "no longer the table that the run was begun with" in result.output


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ((), 2, "--target COLUMN"),
        (("--target", "prize"), 1, "Did you mean 'price'"),
        (("--target", "price", "--task", "classification"), 1, "classes in 240 rows"),
        (("--target", "town", "--task", "regression"), 1, "holds text"),
        (("--target", "price", "--kind", "town=colour"), 2, "one of the kinds number"),
        (("--target", "price", "--ignore", "twon"), 1, "'twon'"),
        (("--target", "price", "--test", "0.6", "--validation", "0.4"), 2, "no rows to train on"),
        (("--target", "price", "--test", "1"), 2, "less than 1"),
    ],
)
def test_what_cannot_be_trained_is_named(here, invoke, arguments, status, message):
    before = names(here)
    result = invoke("train", "houses.csv", *arguments)
    assert result.exit_code == status, result.output
    assert message in result.output
    assert "Traceback" not in result.output
    assert names(here) == before


def test_a_file_that_is_not_there(invoke):
    result = invoke("train", "absent.csv", "--target", "x")
    assert result.exit_code == 1
    assert "there is no file absent.csv" in result.output


def test_faults_of_a_table_are_told(here, plain, invoke):
    frame = houses().with_columns(
        day=pl.Series([f"{1 + i % 28}.{1 + i % 12}.2023" for i in range(240)]),
        euro=pl.col("price") * 1.1,
    )
    frame.write_csv(here / "faulty.csv")
    result = invoke("train", "faulty.csv", "--target", "price", *FAST, "--out", "faulty")
    assert result.exit_code == 0, result.output
    assert "Note: Column 'euro' alone predicts 'price'" in result.output
    assert "--ignore euro" in result.output
    assert "Worth a look" in (here / "faulty" / "report.html").read_text()
    frame.select("day", one=pl.lit("same")).write_csv(here / "one.csv")
    result = invoke("train", "one.csv", "--target", "one")
    assert result.exit_code == 1
    assert "has one class, 'same'" in result.output


def test_one_class_weighs_as_much_as_the_other(here, plain, invoke):
    more = ("--target", "dear", "--ignore", "price", "--balanced", "--out", "even")
    assert invoke("train", "houses.csv", *FAST, *more).exit_code == 0
    assert sklearn.load(here / "even" / "model.safetensors").class_weight == "balanced"


def test_any_name_can_be_drawn():
    """Dollar signs would be formulas, and not every font has Korean letters."""
    names = [r"$\frac$ {", "가격 $1 $2", "<b>"]
    truth, given = np.arange(30) % 3, np.full((30, 3), 1 / 3)
    table = np.full((3, 3), 10)
    ones = [Importance(name, 1.0, 0.1) for name in names]
    rows = [{"epoch": 1, "loss": 1.0, "accuracy": 0.5, "val_loss": 1.0, "val_accuracy": 0.5}]
    for drawn in (
        pictures.confusion(table, names),
        pictures.probabilities(truth, given, names),
        pictures.quantities(truth * 1.0, truth * 2.0, names[1]),
        pictures.importance(ones, "RMSE"),
        plots.curves(rows, 1, pictures.short(names[0])),
    ):
        assert drawn.startswith(b"\x89PNG")


def test_numbers_alone(here, plain, invoke):
    houses().select("area", "price").write_csv(here / "numbers.tsv", separator="\t")
    result = invoke("train", "numbers.tsv", "--target", "price", *FAST, "--out", "n")
    assert result.exit_code == 0, result.output
    assert invoke("predict", "n", "numbers.tsv").output.count("\n") == 241


# ---------------------------------------------------------------- predict
@pytest.mark.parametrize("suffix", ["csv", "tsv", "parquet"])
def test_predictions_are_those_of_the_estimator(here, invoke, suffix):
    new = houses(30, seed=5).drop("price", "dear")
    new.write_parquet(here / "new.parquet")
    out = here / f"predictions.{suffix}"
    result = invoke("predict", "price", "new.parquet", "--out", out, "--keep", "town")
    assert result.exit_code == 0, result.output
    assert result.output == f"30 predictions in {out}\n"
    read = {"csv": pl.read_csv, "parquet": pl.read_parquet}.get(
        suffix, lambda path: pl.read_csv(path, separator="\t")
    )
    found = read(out)
    assert found.columns == ["town", "prediction"]
    assert found["town"].to_list() == new["town"].to_list()
    expected = sklearn.load(here / "price" / "model.safetensors").predict(new)
    assert found["prediction"].to_numpy() == pytest.approx(expected, rel=1e-6)


def test_predictions_of_classes_with_their_probabilities(here, invoke):
    result = invoke("predict", "dear", "houses.csv", "--probabilities", "--json")
    found = json.loads(result.output)["predictions"]
    estimator = sklearn.load(here / "dear" / "model.safetensors")
    columns = houses().select("area", "town", "garden")
    assert [row["prediction"] for row in found] == estimator.predict(columns).tolist()
    given = [[row["probability_cheap"], row["probability_dear"]] for row in found]
    assert np.array(given) == pytest.approx(estimator.predict_proba(columns), abs=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("price", "short.csv"), "no column 'garden'"),
        (("price", "houses.csv", "--out", "p.xlsx"), "must end in .csv, .tsv, .parquet"),
        (("price", "houses.csv", "--keep", "prize"), "Did you mean 'price'"),
        (("price", "houses.csv", "--probabilities"), "has no probabilities"),
        (("price", "words.csv"), "column 'area'"),
        (("price", "clash.csv", "--keep", "prediction"), "have a column of this name"),
    ],
)
def test_predict_names_what_is_wrong(here, invoke, arguments, message):
    new = houses(5)
    new.drop("garden").write_csv(here / "short.csv")
    new.with_columns(area=pl.lit("large")).write_csv(here / "words.csv")
    new.with_columns(prediction=1).write_csv(here / "clash.csv")
    before = names(here)
    result = invoke("predict", *arguments)
    assert result.exit_code == 1
    assert message in result.output
    assert "Traceback" not in result.output
    assert names(here) == before


# ---------------------------------------------------------------- evaluate, inspect
def test_evaluate_repeats_the_scores_of_the_run(here, runs, invoke):
    for name in ("price", "dear"):
        config = RunFolder(here / name).read_config()
        assert config["data"]["path"] == str(runs / "houses.csv")
        found = json.loads(invoke("evaluate", name, "--json").output)
        assert found["scores"] == RunFolder(here / name).read_metrics()["scores"]


def test_evaluate_on_another_table(here, invoke):
    new = houses(60, seed=9)
    new.with_columns(pl.when(pl.col("area") > 100).then(pl.col("dear"))).write_csv(here / "n.csv")
    known = new.with_columns(pl.when(pl.col("area") > 100).then(pl.col("dear"))).drop_nulls("dear")
    found = json.loads(invoke("evaluate", "dear", "n.csv", "--json").output)["scores"]["table"]
    estimator = sklearn.load(here / "dear" / "model.safetensors")
    answers = estimator.predict(known.select("area", "town", "garden"))
    assert found["accuracy"] == accuracy_score(known["dear"].to_list(), answers)
    assert "table" in invoke("evaluate", "dear", "n.csv").output
    new.with_columns(dear=pl.lit("free")).write_csv(here / "n.csv")
    assert "'free', which is none of the 2 classes" in invoke("evaluate", "dear", "n.csv").output


def test_inspect_shows_columns_network_and_results(here, invoke):
    result = invoke("inspect", "price")
    assert result.exit_code == 0, result.output
    told = (
        "regression: price of",
        "embedding of 5 rows",
        "Trainable params",
        "ignore",
        "report.html",
    )
    assert [part for part in told if part not in result.output] == []
    assert "R2" in result.output


def test_options_of_tables_are_not_for_digits(run_path, invoke):
    result = invoke("predict", run_path, "x.png", "--out", "p.csv")
    assert result.exit_code == 2
    assert "leave --out away" in result.output
    assert "leave t.csv away" in invoke("evaluate", run_path, "t.csv").output


def test_without_jinja_the_extra_is_named(here, plain, invoke, monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name == "jinja2":
            raise ModuleNotFoundError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    arguments = ("--target", "price", *FAST, "--out", "run", "--ignore", "dear")
    result = invoke("train", "houses.csv", *arguments)
    assert result.exit_code == 0, result.output
    assert "pip install jinja2" in result.output
    assert "report.html" not in names(here / "run")


def test_without_scikit_learn_the_extra_is_named(here, invoke, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    for arguments in (("train", "houses.csv", "--target", "price"), ("evaluate", "price")):
        result = invoke(*arguments)
        assert result.exit_code == 1
        assert "pip install scikit-learn" in result.output


@pytest.mark.filterwarnings("ignore:.*encountered:RuntimeWarning")
def test_a_training_that_explodes_is_a_named_failure(here, plain, invoke):
    more = ("--target", "price", "--optimizer", "sgd", "--learning-rate", "1e30", "--out", "run")
    result = invoke("train", "houses.csv", *FAST, *more)
    assert result.exit_code == 1
    assert "Error: " in result.output
    assert RunFolder(here / "run").read_metrics()["status"] == "failed"


def test_help_of_both_kinds(invoke):
    for data, option in (("mnist", "--model"), ("t.csv", "--target")):
        result = invoke("train", data, "--help")
        assert result.exit_code == 0
        assert f"Usage: cli train {data} [OPTIONS]" in result.output
        assert result.output.split("Options:")[1].split()[0] == option
        assert max(map(len, result.output.splitlines())) <= 80


def test_options_may_stand_before_the_data(invoke, small):
    result = invoke("train", "--epochs", "0", "mnist")
    assert "0 is not in the range" in result.output
