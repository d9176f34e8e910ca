"""One program for each idiom of first-edition books: it reaches its figure in `bital.tf1`, and its
numbers are TensorFlow's own.

TensorFlow is asked in an environment of its own, whose interpreter the variable
BITAL_TENSORFLOW_PYTHON names; ``.ci/run`` makes one.
"""

from __future__ import annotations

import json
import operator
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tf1_data
import tf1_running
from tf1_files import read, write
from tf1_running import OURS, Program, Record

PYTHON = "BITAL_TENSORFLOW_PYTHON"
PROGRAMS = {name: Program.read(name) for name in tf1_running.names()}
RELATIONS = {">=": operator.ge, "<=": operator.le, "==": operator.eq}
QUICK = ("a", "b01", "b02", "c09", "c12", "e01", "e02")  # less than a second each


@pytest.fixture(scope="session", autouse=True)
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("tables")
    tf1_data.save(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(tf1_data.FOLDER, str(folder))
        yield


def recorded(program: Program, record: Record) -> dict[str, Any]:
    import bital.tf1 as tf

    return record.run(program, tf, OURS)


def marked(name: str) -> Any:
    return name if name.startswith(QUICK) else pytest.param(name, marks=pytest.mark.slow)


@pytest.mark.parametrize("name", [marked(name) for name in PROGRAMS])
def test_a_program_reaches_its_figure(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    program = PROGRAMS[name]
    found = recorded(program, Record())
    for variable, relation, bound in program.reaches:
        assert RELATIONS[relation](found[variable], bound), f"{variable} is {found[variable]}"


def test_every_program_says_what_it_shows() -> None:
    assert len(PROGRAMS) >= 30
    for program in PROGRAMS.values():
        assert program.reaches, f"{program.name} has no line `reaches:`"
        assert program.chapter
        assert all(relation in RELATIONS for _, relation, _ in program.reaches)


# --- beside TensorFlow ----------------------------------------------------------------------


class Peer:
    """A process of TensorFlow that runs programs."""

    def __init__(self, python: str) -> None:
        self.process = subprocess.Popen(
            [python, str(Path(__file__).with_name("tf1_peer.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, name: str, path: Path) -> Record:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps([name, str(path)]), file=self.process.stdin, flush=True)
        answer = json.loads(self.process.stdout.readline() or '{"failed": "the process ended"}')
        assert "path" in answer, f"TensorFlow: {answer['failed']}"
        return read(Path(answer["path"]))


@pytest.fixture(scope="session")
def tensorflow() -> Iterator[Peer]:
    python = os.environ.get(PYTHON)
    if not python:
        pytest.skip(f"{PYTHON} names no interpreter that has TensorFlow")
    peer = Peer(python)
    yield peer
    peer.process.communicate()


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, each in PROGRAMS.items() if each.compared])
def test_numbers_are_those_of_tensorflow(
    name: str, tensorflow: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that the first runs fetch, and the variables after them, from the same initial values."""
    program = PROGRAMS[name]
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    ours = Record(limit=program.runs)
    recorded(program, ours)
    write(tmp_path / "ours.npz", ours)
    theirs = tensorflow.run(name, tmp_path / "ours.npz")
    assert [list(values) for values in ours.initial] == [list(v) for v in theirs.initial]
    assert len(ours.runs) == len(theirs.runs)
    assert sum(map(len, ours.runs)) > 0 or ours.last
    for i, (run, other) in enumerate(zip(ours.runs, theirs.runs, strict=True)):
        for one, two in zip(run, other, strict=True):
            assert_same(one, two, program.random, f"run {i}")
    assert ours.last.keys() == theirs.last.keys()
    for key, value in ours.last.items():
        assert_same(value, theirs.last[key], program.random, key)


def assert_same(ours: np.ndarray, theirs: np.ndarray, random: bool, where: str) -> None:
    ours = np.asarray(ours)
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype), where
    if not random:
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4, err_msg=where)


def test_the_programs_import_nothing_else() -> None:
    """NumPy, the standard library, and the data of this folder: all that both environments have."""
    allowed = {"numpy", "tf1_data", "bital", *sys.stdlib_module_names}
    for program in PROGRAMS.values():
        lines = program.text.splitlines()
        found = [line.split()[1] for line in lines if line.startswith(("import ", "from "))]
        assert {name.split(".")[0] for name in found} <= allowed, program.name
        assert sum("bital" in name for name in found) == 1 or not program.compared
