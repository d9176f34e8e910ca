"""docs/errors.md says what errors.py says, and its examples do what they say."""

import runpy
import warnings
from pathlib import Path

import pytest

from bital import errors

tool = runpy.run_path(str(Path(__file__).parents[3] / "tools" / "errors_page.py"))
ENTRIES = {entry.name: entry for entry in tool["entries"]()}
# What an example cannot show in a test, and where it is tested.
ELSEWHERE = {
    "DatasetError": "a damaged installation: tests/unit/datasets",
    "MissingExtraError": "a terminal: tests/unit/cli",
    "RunFolderError": "a terminal: tests/unit/cli",
    "ProcessLostError": "processes: tests/unit/executors/xla/test_processes.py",
    "ImageFileError": "a terminal: tests/unit/cli",
    "MemoryCorruptionError": "wrong machine code: tests/unit/executors/native/test_red_zones.py",
}


def run(code):
    namespace = {}
    exec(tool["PREAMBLE"] + "\n" + code, namespace)


def test_the_page_is_up_to_date():
    assert tool["PAGE"].read_text() == tool["page"]()


def test_every_class_is_on_the_page():
    classes = {
        name
        for name, each in vars(errors).items()
        if isinstance(each, type) and issubclass(each, BaseException)
    }
    assert classes - {"BitalError"} == set(ENTRIES)


RUN = [name for name in ENTRIES if name not in ELSEWHERE]


@pytest.mark.parametrize("name", RUN)
def test_the_failing_code_fails_so(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    kind = getattr(errors, name)
    if issubclass(kind, Warning):
        with pytest.warns(kind):
            run(ENTRIES[name].fails)
        return
    with pytest.raises(kind) as caught:
        run(ENTRIES[name].fails)
    assert type(caught.value) is kind
    assert len(str(caught.value)) > 30


@pytest.mark.parametrize("name", RUN)
def test_the_repaired_code_works(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(ENTRIES[name].works)


def test_every_class_tested_elsewhere_exists():
    assert set(ELSEWHERE) <= set(ENTRIES)
