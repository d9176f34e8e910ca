"""docs/tf1.md says what there is: its tables are those of the modules and programs."""

import re
import runpy
from pathlib import Path

import pytest

tool = runpy.run_path(str(Path(__file__).parents[3] / "tools" / "tf1_names.py"))
PAGE = tool["PAGE"].read_text(encoding="utf-8")


def test_the_tables_are_up_to_date():
    assert tool["page"](PAGE) == PAGE, "python -m tools.tf1_names"


def test_every_program_is_in_the_table():
    for path in tool["PROGRAMS"].glob("*.py"):
        assert f"({Path('..') / path.relative_to(tool['ROOT'])})" in PAGE, path.name


@pytest.mark.slow
def test_the_example_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    exec(re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)[0], {})
    assert float(capsys.readouterr().out) > 0.93
