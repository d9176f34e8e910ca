"""Run folders: places, atomic writing, and what is said about folders that are none."""

import json

import pytest

from bital.cli import run_folder
from bital.cli.run_folder import RunFolder, create, open_run
from bital.errors import RunFolderError

CONFIG = {
    "format": 1,
    "command": "train mnist",
    "started": "2026-01-01T00:00:00+00:00",
    "options": {"seed": 0},
    "versions": {"bital": "0"},
}
METRICS = {
    "status": "finished",
    "epochs": 2,
    "best_epoch": 1,
    "seconds": 1.5,
    "scores": {"test": {"loss": 0.1, "accuracy": 0.98}},
}


@pytest.fixture
def folder(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    folder.write_json(folder.config, CONFIG)
    folder.model.write_bytes(b"a model")
    return folder


def test_default_folders_are_numbered_and_never_reused(tmp_path):
    names = [create(None, tmp_path / "runs").path.name for _ in range(3)]
    assert names == ["mnist-1", "mnist-2", "mnist-3"]
    (tmp_path / "runs" / "mnist-2").rmdir()
    assert create(None, tmp_path / "runs").path.name == "mnist-2"


def test_a_named_folder_is_made_with_its_parents_and_may_exist_empty(tmp_path):
    path = tmp_path / "a" / "b"
    assert create(path).path == path
    assert create(path).path == path
    assert list(path.iterdir()) == []


def test_a_folder_with_files_is_refused_and_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(RunFolderError, match="is not empty, and a run never overwrites"):
        create(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_a_file_as_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(RunFolderError, match="is a file"):
        create(tmp_path / "file")
    with pytest.raises(RunFolderError, match="cannot be written"):
        create(tmp_path / "file" / "below")


def test_an_unwritable_folder_is_named_before_anything_is_trained(tmp_path, monkeypatch):
    # The tests may run as root, whom permissions do not stop: the file system refuses instead.
    def refuse(self, data):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.write_bytes", refuse)
    with pytest.raises(RunFolderError, match=r"cannot be written \(Permission denied\).*--out"):
        create(tmp_path / "run")


def test_a_failed_write_leaves_the_old_file_and_no_rubbish(folder, monkeypatch):
    folder.write_json(folder.metrics, METRICS)
    before = {p.name: p.read_bytes() for p in folder.path.iterdir()}

    def fail(source, target):
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        folder.write_json(folder.metrics, {**METRICS, "epochs": 3})
    assert {p.name: p.read_bytes() for p in folder.path.iterdir()} == before


def test_what_is_written_is_read_again(folder):
    rows = [
        {"epoch": 1, "loss": 0.123456789012345, "seconds": 0.5},
        {"epoch": 2, "loss": 1e-17, "seconds": 0.25},
    ]
    folder.write_history(rows)
    folder.write_json(folder.metrics, METRICS)
    assert folder.read_history() == rows
    assert folder.read_metrics() == METRICS
    assert folder.read_config() == CONFIG
    assert folder.history.read_text().splitlines()[0] == "epoch,loss,seconds"
    assert open_run(folder.path) == folder


def test_a_run_that_did_not_end_has_no_metrics_and_maybe_no_epochs(folder):
    assert folder.read_metrics() is None
    assert folder.read_history() == []


def test_nan_is_never_written_as_json(folder):
    with pytest.raises(ValueError, match="not JSON compliant"):
        folder.write_json(folder.metrics, {"loss": float("nan")})
    assert not folder.metrics.exists()


def test_folders_that_are_no_runs_are_named(tmp_path, folder):
    with pytest.raises(RunFolderError, match=r"is not a folder.*bital train"):
        open_run(tmp_path / "nowhere")
    with pytest.raises(RunFolderError, match=r"has no config\.json"):
        open_run(tmp_path)
    folder.model.unlink()
    with pytest.raises(RunFolderError, match="holds no model"):
        open_run(folder.path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"[" * 100_000,
        b"\xff\xfe",
        json.dumps({**CONFIG, "options": 3}).encode(),
        json.dumps({**CONFIG, "format": "1"}).encode(),
        json.dumps({k: v for k, v in CONFIG.items() if k != "versions"}).encode(),
        b" " * (run_folder.SIZE_LIMIT + 1),
    ],
    ids=["empty", "cut", "list", "deep", "not text", "options", "format", "missing", "huge"],
)
def test_a_damaged_config_is_named(folder, content):
    folder.config.write_bytes(content)
    with pytest.raises(RunFolderError, match=r"config\.json"):
        folder.read_config()


def test_a_config_of_a_later_version_is_named(folder):
    folder.write_json(folder.config, {**CONFIG, "format": 2})
    with pytest.raises(RunFolderError, match="format 2, but this version of bital reads format 1"):
        folder.read_config()


@pytest.mark.parametrize("scores", [{"test": None}, {"test": 1}, {"test": {"loss": "x"}}])
def test_damaged_scores_are_named(folder, scores):
    folder.write_json(folder.metrics, {**METRICS, "scores": scores})
    with pytest.raises(RunFolderError, match=r"metrics\.json: score 'test' is damaged"):
        folder.read_metrics()


@pytest.mark.parametrize("line", ["1,two", "1", "1,2,3"])
def test_a_damaged_history_is_named(folder, line):
    folder.history.write_text(f"epoch,loss\n{line}\n")
    with pytest.raises(RunFolderError, match=r"metrics\.csv is damaged"):
        folder.read_history()
