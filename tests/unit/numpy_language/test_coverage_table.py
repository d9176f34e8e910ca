"""Every public name of NumPy is known, and docs/numpy_coverage.md says what is true."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

import bital
from bital.errors import UnsupportedFunctionError
from bital.numpy_language import coverage, dispatch

ROOT = Path(__file__).parents[3]
tool = runpy.run_path(str(ROOT / "tools" / "numpy_coverage.py"))


def test_every_public_name_is_known() -> None:
    assert [name for name in coverage.public_names() if coverage.status(name) is None] == []


def test_a_new_name_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(np, "brand_new_function", len, raising=False)
    assert coverage.status("np.brand_new_function") is None
    assert "np.brand_new_function" in coverage.public_names()
    with pytest.raises(SystemExit, match="brand_new_function"):
        tool["page"]()


def test_a_name_is_in_one_table_only() -> None:
    assert set(coverage.REFUSED) & set(coverage.NOT_ARRAY_FUNCTIONS) == set()
    written_down = coverage.REFUSED.keys() | coverage.NOT_ARRAY_FUNCTIONS
    kinds = {name: coverage.status(name) for name in written_down & set(coverage.public_names())}
    assert [n for n, s in kinds.items() if s and s.kind == coverage.SUPPORTED] == []


def test_status_is_looked_up() -> None:
    assert coverage.status("np.sum") == coverage.Status("supported")
    assert coverage.status("np.concat") == coverage.Status("supported")  # np.concatenate by name
    assert coverage.status("ndarray.sum") == coverage.Status("supported")
    refused = coverage.status("ndarray.item")  # a method of tracers, but one that always raises
    assert refused is not None
    assert refused.kind == "refused"
    group = coverage.status("np.float32")
    assert group is not None
    assert group.kind == "not an array function"


def test_each_refusal_has_a_reason_and_an_alternative() -> None:
    assert [name for name, pair in coverage.REFUSED.items() if not all(pair)] == []


def test_the_error_gives_the_reason_and_the_alternative(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(dispatch.FUNCTIONS, np.mean)
    monkeypatch.setitem(coverage.REFUSED, "np.mean", ("it is forbidden here", "np.sum(x) / x.size"))
    with pytest.raises(UnsupportedFunctionError) as caught:
        bital.grad(lambda x: np.mean(x))(np.ones(3))
    message = str(caught.value)
    assert "np.mean cannot be traced: it is forbidden here" in message
    assert "instead: np.sum(x) / x.size" in message


def _lines(text: str) -> dict[str, str]:
    return {line.split("`")[1]: line for line in text.splitlines() if line.startswith("| `")}


def test_the_page_is_up_to_date() -> None:
    """Whole where it was made with the installed versions; else in the names that both have."""
    written, now = tool["PAGE"].read_text(encoding="utf-8"), tool["page"]()
    versions = [text[: text.index("\n\n*Not under jit*")] for text in (written, now)]
    if versions[0] == versions[1]:
        assert written == now, "run python -m tools.numpy_coverage"
    else:
        old, new = _lines(written), _lines(now)
        assert [new[n] for n in old.keys() & new] == [old[n] for n in old.keys() & new]


def test_the_command(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    main = tool["main"]
    main.__globals__["PAGE"] = tmp_path / "page.md"
    assert main(["--check"]) == 1
    assert "out of date" in capsys.readouterr().out
    assert main([]) == 0
    assert main(["--check"]) == 0
