"""docs/tables.md: its code runs, and shows what it says."""

import re
from pathlib import Path

from bital.tables.reading import TYPES

PAGE = (Path(__file__).parents[3] / "docs" / "tables.md").read_text()


def test_the_code_of_the_page(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(block, names)
    shown = re.search(r"```text\n(.*?)```", PAGE, re.DOTALL)[1]
    assert capsys.readouterr().out == shown
    assert names["scan"].types == {
        "price": "decimal comma",
        "town": "text",
        "sold": "day.month.year",
    }
    assert numbers_of(names["encoder"]) == 2 + 6


def numbers_of(encoder):
    return len(encoder.number_names_)


def test_every_type_is_on_the_page():
    for kind in TYPES:
        assert f"`{kind}`" in PAGE
