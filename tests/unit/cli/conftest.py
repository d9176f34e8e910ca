"""Small data and a finished run, shared by the tests of the commands."""

import pytest
from click.testing import CliRunner

from bital.cli import train
from bital.cli.commands import cli


@pytest.fixture
def small(monkeypatch):
    """MNIST cut down to what trains in a moment."""
    whole = train.load_parts()
    sizes = {"train": 2000, "validation": 500, "test": 500}
    parts = {n: train.Part(p.x[: sizes[n]], p.y[: sizes[n]]) for n, p in whole.items()}
    monkeypatch.setattr(train, "load_parts", lambda: parts)
    return parts


@pytest.fixture
def invoke(tmp_path, monkeypatch):
    """Run the command line in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BITAL_EXECUTOR", raising=False)

    def run(*arguments):
        return CliRunner().invoke(cli, [str(a) for a in arguments])

    return run


FAST = ("train", "mnist", "--hidden", "20", "--epochs", "2", "--quiet")


@pytest.fixture
def run_path(invoke, small, tmp_path):
    """The folder of a small finished run."""
    result = invoke(*FAST, "--out", "done")
    assert result.exit_code == 0, result.output
    return tmp_path / "done"
