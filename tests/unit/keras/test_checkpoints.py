"""Folders of checkpoints: whole files or none, one process at a time, the newest readable one."""

import json
import logging
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from bital.errors import ArgumentError, CheckpointError, ModelFileError
from bital.keras import archive, checkpoints
from bital.keras.checkpoints import Checkpoints, Folder
from bital.keras.plain import pack, unpack

STATE = {
    "epoch": 3,
    "weights": {"dense/kernel": np.arange(6, dtype=np.float32).reshape(2, 3)},
    "optimizer": {"iterations": np.int64(7), "slots": (np.ones(2), [np.zeros((0, 3))])},
    "numbers": (1.5, float("nan"), float("-inf"), None, True, 2**70, -0.0),
    "history": {"loss": [0.1 * i for i in range(300)]},
    1: {"$array": "x", "": [[]]},
    "text": "\u00e9\n",
}


def same(one, two):
    assert type(one) is type(two)
    if isinstance(one, dict):
        assert list(one) == list(two)
        assert all(same(one[key], two[key]) for key in one)
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(two)
        assert all(map(same, one, two))
    elif isinstance(one, (np.ndarray, np.generic)):
        assert one.dtype == two.dtype
        assert one.shape == two.shape
        assert one.tobytes() == two.tobytes()
    else:
        assert repr(one) == repr(two)
    return True


@pytest.fixture
def folder(tmp_path):
    opened = Folder(Checkpoints(tmp_path / "run"))
    yield opened
    opened.close()


def names(folder):
    return sorted(path.name for path in folder.path.iterdir() if path.name != "lock")


class TestPlain:
    def test_there_and_back(self):
        packed, arrays = pack(STATE)
        same(unpack(json.loads(json.dumps(packed, allow_nan=False)), arrays), STATE)

    def test_arrays_are_copies(self):
        array = np.zeros(3)
        _, arrays = pack([array])
        array += 1
        assert arrays["0"].tolist() == [0, 0, 0]

    @pytest.mark.parametrize("item", [object(), {1.5: 2}, np.array(["a"]), np.array([1j]), {1, 2}])
    def test_what_is_not_plain(self, item):
        with pytest.raises(ArgumentError, match=r"the state holds .* at a/1"):
            pack({"a": [0, item]}, "the state")

    @pytest.mark.parametrize(
        "data",
        [
            {"$array": "b"},
            {"$array": []},
            {"$code": 1},
            {"$tuple": 1},
            {"$float": "1"},
            {"$items": [[1]]},
            {"$items": [[[], 1]]},
            {"$scalar": None},
        ],
    )
    def test_damaged(self, data):
        with pytest.raises(ArgumentError):
            unpack([data], {"a": np.ones(2)})


class TestFolder:
    def test_newest(self, folder):
        assert folder.newest() is None
        for number in range(4):
            folder.write({**STATE, "epoch": number}, wait=True)
        assert names(folder) == [
            "checkpoint-00000003.safetensors",
            "checkpoint-00000004.safetensors",
        ]
        same(folder.newest(), {**STATE, "epoch": 3})

    def test_numbers_go_on(self, folder):
        folder.write(STATE, wait=True)
        folder.close()
        again = Folder(folder.options)
        again.write(STATE, wait=True)
        again.close()
        assert names(folder)[-1] == "checkpoint-00000002.safetensors"

    def test_the_caller_goes_on_while_a_checkpoint_is_written(self, folder, monkeypatch):
        go, write = threading.Event(), archive.write
        monkeypatch.setattr(archive, "write", lambda *a: (go.wait(10), write(*a)))
        state = {"weights": np.zeros(3)}
        folder.write(state)
        state["weights"] += 1  # training goes on
        assert not folder.idle
        assert names(folder) == []
        go.set()
        folder.wait()
        assert folder.idle
        assert folder.newest()["weights"].tolist() == [0, 0, 0]

    @pytest.mark.parametrize("damage", [b"", b"x" * 50, None])
    def test_a_damaged_one_is_passed_over(self, folder, damage, caplog):
        for number in range(2):
            folder.write({"epoch": number}, wait=True)
        last = folder.path / "checkpoint-00000002.safetensors"
        whole = bytearray(last.read_bytes())
        whole[-9] ^= 64
        last.write_bytes(whole if damage is None else damage)
        with caplog.at_level(logging.WARNING, "bital"):
            assert folder.newest() == {"epoch": 0}
        assert "passed over" in caplog.text
        folder.write({"epoch": 9}, wait=True)
        assert folder.newest() == {"epoch": 9}
        assert "checkpoint-00000001.safetensors" in names(folder)

    def test_all_damaged(self, folder):
        folder.write(STATE, wait=True)
        (folder.path / "checkpoint-00000001.safetensors").write_bytes(b"?")
        with pytest.raises(CheckpointError, match="none of its 1 checkpoints"):
            folder.newest()

    def test_what_a_killed_process_was_writing_is_never_taken(self, folder):
        folder.write(STATE, wait=True)
        folder.close()
        part = folder.path / ".checkpoint-00000002.safetensors.abc.part"
        part.write_bytes(b"half")
        (folder.path / "notes.part").write_bytes(b"the user's own")
        again = Folder(folder.options)
        again.close()
        assert names(folder) == ["checkpoint-00000001.safetensors", "notes.part"]

    def test_the_best_is_kept(self, tmp_path):
        folder = Folder(Checkpoints(tmp_path, keep=1, monitor="loss"))
        for number in range(5):
            folder.write({"epoch": number}, best=number == 2, wait=True)
        assert names(folder) == ["best.safetensors", "checkpoint-00000005.safetensors"]
        assert checkpoints.load(tmp_path / "best.safetensors") == {"epoch": 2}
        folder.clear()
        assert names(folder) == []
        folder.close()

    def test_a_checkpoint_of_another_format(self, tmp_path):
        archive.write(tmp_path / "m", {"format": "bital.keras", "version": 1}, {})
        with pytest.raises(ModelFileError, match=r"bital\.checkpoint"):
            checkpoints.load(tmp_path / "m")


class TestFaults:
    @pytest.mark.parametrize("number", [28, 30])  # ENOSPC, EROFS
    def test_a_write_that_fails_leaves_the_last_good_one(self, folder, monkeypatch, caplog, number):
        folder.write({"epoch": 1}, wait=True)

        def fails(*arguments):
            raise OSError(number, os.strerror(number))

        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", fails)
            folder.write({"epoch": 2}, wait=True)
        assert os.strerror(number) in str(folder.failed)
        assert "last good one stays" in caplog.text
        assert folder.newest() == {"epoch": 1}
        assert names(folder) == ["checkpoint-00000001.safetensors"]
        folder.write({"epoch": 3}, wait=True)
        assert folder.failed is None
        assert folder.newest() == {"epoch": 3}

    @pytest.mark.parametrize("place", ["/proc/run", "file/run"])
    def test_a_folder_that_cannot_be_made(self, tmp_path, monkeypatch, place):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "file").write_text("")
        with pytest.raises(CheckpointError, match="no checkpoints can be written there"):
            Folder(Checkpoints(place))

    def test_a_folder_is_for_one(self, folder):
        with pytest.raises(CheckpointError, match="another training uses this folder"):
            Folder(folder.options)

    def test_the_lock_ends_with_the_process(self, tmp_path):
        code = (
            "import os, signal, sys\n"
            "from bital.keras.checkpoints import Checkpoints, Folder\n"
            "folder = Folder(Checkpoints(sys.argv[1]))\n"
            "print('locked', flush=True)\n"
            "sys.stdin.read()\n"
        )
        command = [sys.executable, "-c", code, str(tmp_path)]
        pipes = {"stdout": subprocess.PIPE, "stdin": subprocess.PIPE}
        with subprocess.Popen(command, **pipes) as process:
            assert process.stdout.readline().strip() == b"locked"
            with pytest.raises(CheckpointError, match="another training"):
                Folder(Checkpoints(tmp_path))
            process.kill()
            process.wait()
            Folder(Checkpoints(tmp_path)).close()


@pytest.mark.parametrize(
    "options",
    [{"epochs": 0}, {"steps": 1.5}, {"seconds": -1}, {"keep": 0}, {"mode": "up"}, {"folder": 3}],
)
def test_options(options):
    with pytest.raises(ArgumentError):
        Checkpoints(**{"folder": "run", **options})


def test_better():
    less, more = Checkpoints("run", monitor="val_loss"), Checkpoints("run", monitor="val_accuracy")
    assert less.better(1.0, None)
    assert less.better(1.0, 2.0)
    assert not less.better(float("nan"), None)
    assert more.better(2.0, 1.0)
    assert Checkpoints("run", monitor="val_accuracy", mode="min").better(1.0, 2.0)
