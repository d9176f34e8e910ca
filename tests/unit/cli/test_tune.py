"""bital tune, on digits and on a table."""

import json
import shlex

import numpy as np
import polars as pl
import pytest

pytest.importorskip("optuna")

from bital.tune import searching

FAST = ("--executor", "numpy", "--epochs", "2", "--trials", "3", "--hidden", "8", "--quiet")
WRITTEN = ["best.json", "history.png", "importance.png", "study.journal", "study.journal.lock",
           "trials.csv"]  # fmt: skip


def names(path):
    return sorted(p.name for p in path.iterdir())


def write_houses():
    generator = np.random.default_rng(0)
    area, town = generator.uniform(30, 200, 200), generator.choice(["Bonn", "Rome"], 200)
    price = area * np.where(town == "Rome", 3.0, 2.0)
    pl.DataFrame({"area": area, "town": town, "price": price}).write_csv("houses.csv")


@pytest.mark.slow
def test_digits_and_going_on(invoke, small, tmp_path):
    result = invoke("tune", "mnist", *FAST, "--batch-size", 50)
    assert result.exit_code == 0, result.output
    folder = tmp_path / "runs" / "tune-mnist-1"
    assert names(folder) == WRITTEN
    best = json.loads((folder / "best.json").read_text())
    assert best["params"]["hidden"] == [8]
    assert best["params"]["batch_size"] == 50
    assert len((folder / "trials.csv").read_text().splitlines()) == 4
    assert best["command"] in result.output

    more = invoke("tune", "mnist", *FAST, "--batch-size", 50, "--trials", 4, "--study", folder)
    assert more.exit_code == 0, more.output
    assert len((folder / "trials.csv").read_text().splitlines()) == 5

    best = json.loads((folder / "best.json").read_text())
    trained = invoke(*shlex.split(best["command"])[1:], "--executor", "numpy", "--quiet")
    assert trained.exit_code == 0, trained.output  # the command that it names trains that network
    chosen = json.loads((tmp_path / "runs" / "mnist-1" / "config.json").read_text())["options"]
    assert {name: chosen[name] for name in best["params"]} == best["params"]

    other = invoke("tune", "mnist", *FAST, "--batch-size", 60, "--study", folder)
    assert other.exit_code == 1
    assert "differs in space" in other.output


@pytest.mark.parametrize("more", [(), ("--folds", "2")])
def test_a_table(invoke, tmp_path, more):
    write_houses()
    search = ("--learning-rate", "1e-3:1e-1", "--dropout", "0", "--dropout", "0.1")
    result = invoke("tune", "houses.csv", "--target", "price", *search, *FAST, *more)
    assert result.exit_code == 0, result.output
    folder = tmp_path / "runs" / "tune-houses-1"
    assert names(folder) == WRITTEN
    best = json.loads((folder / "best.json").read_text())
    assert 1e-3 <= best["params"]["learning_rate_init"] <= 1e-1
    assert best["params"]["dropout"] in (0, 0.1)
    assert best["command"].startswith("bital train houses.csv --target price --hidden 8 ")


def test_ctrl_c_keeps_what_was_found(invoke, tmp_path, monkeypatch):
    write_houses()
    command = ("tune", "houses.csv", "--target", "price", *FAST, "--study", "mine")
    run, count = searching._run, []

    def interrupted(*arguments):
        count.append(1)
        if len(count) == 3:
            raise KeyboardInterrupt
        run(*arguments)

    monkeypatch.setattr(searching, "_run", interrupted)
    result = invoke(*command)
    assert result.exit_code == 130, result.output
    assert "To go on: bital tune houses.csv --study mine" in result.output
    assert names(tmp_path / "mine") == WRITTEN
    monkeypatch.setattr(searching, "_run", run)
    assert invoke(*command).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("tune", "letters"), "not 'mnist', and not a table"),
        (("tune", "houses.csv"), "--target COLUMN"),
        (("tune", "mnist", "--learning-rate", "1:0.1"), "the lower end first"),
        (("tune", "mnist", "--dropout", "0:2"), "less than 1"),
        (("tune", "mnist", "--hidden", "a"), "is not a size"),
    ],
)
def test_wrong_command_lines(invoke, arguments, message):
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert message in result.output
