"""Small data and a finished run, shared by the tests of the commands."""

import shutil

import pytest
from click.testing import CliRunner

from bital.cli import train
from bital.cli.commands import cli

SIZES = {"train": 2000, "validation": 500, "test": 500}
FAST = ("train", "mnist", "--hidden", "20", "--epochs", "2", "--quiet")


@pytest.fixture(scope="session")
def small_parts():
    """MNIST cut down to what trains in a moment."""
    whole = train.load_parts()
    return {n: train.Part(p.x[: SIZES[n]], p.y[: SIZES[n]]) for n, p in whole.items()}


@pytest.fixture
def small(monkeypatch, small_parts):
    """Let the commands work on little data."""
    monkeypatch.setattr(train, "load_parts", lambda: small_parts)
    return small_parts


@pytest.fixture
def invoke(tmp_path, monkeypatch):
    """Run the command line in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        return CliRunner().invoke(cli, [str(a) for a in arguments])

    return run


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory, small_parts):
    """A small finished run that is made once."""
    path = tmp_path_factory.mktemp("finished") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "load_parts", lambda: small_parts)
        result = CliRunner().invoke(cli, [*FAST, "--out", str(path)])
    assert result.exit_code == 0, result.output
    return path


@pytest.fixture
def run_path(finished_run, invoke, small, tmp_path):
    """The folder of a small finished run, one's own to damage."""
    return shutil.copytree(finished_run, tmp_path / "done")
