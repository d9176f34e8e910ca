"""What the two README files say is true: their code runs, their links lead somewhere."""

import os
import re
import subprocess
import sys
import tokenize
from io import StringIO
from pathlib import Path

import pytest
from click.testing import CliRunner

from bital.cli.commands import cli

ROOT = Path(__file__).parents[2]
READMES = ["README.md", "README.ko.md"]


def blocks(name, language):
    text = (ROOT / name).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def tokens(code):
    """The code without its comments and spacing."""
    skipped = (tokenize.COMMENT, tokenize.NL)
    found = tokenize.generate_tokens(StringIO(code).readline)
    return [token.string for token in found if token.type not in skipped]


def test_both_languages_show_the_same_code_and_commands():
    for language in ("python", "console"):
        english, korean = (blocks(name, language) for name in READMES)
        assert len(english) == len(korean) > 1
        for a, b in zip(english, korean, strict=True):
            if language == "python":
                assert tokens(a) == tokens(b)
            else:
                strip = [re.sub(r"\s*#.*", "", text) for text in (a, b)]
                assert strip[0] == strip[1]


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(0, id="gradient"),
        pytest.param(1, id="keras"),
        pytest.param(2, id="convolutions", marks=pytest.mark.slow),
        pytest.param(3, id="estimators", marks=pytest.mark.slow),
    ],
)
def test_the_code_runs(tmp_path, number):
    source = blocks("README.md", "python")[number]
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", source],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    if number == 0:
        value, _, text = result.stdout.partition("\n")
        assert float(value) < 0.2  # the loss of the start is about 1.1
        assert "np.matmul" in text
        compile(text, "README", "exec")
    else:
        name = ("digits", "both", "digits-table")[number - 1]
        assert (tmp_path / f"{name}.safetensors").is_file()


@pytest.mark.parametrize("name", READMES)
def test_links_lead_somewhere(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)]+)\)", text)
    assert targets
    assert [t for t in targets if not (ROOT / t).exists()] == []
    assert [e for e in re.findall(r"examples/\w+\.py", text) if not (ROOT / e).exists()] == []


def test_every_command_and_option_that_is_shown_exists():
    shown = [
        line.split("#")[0].split("&&")[-1].split()
        for block in blocks("README.md", "console")
        for line in block.splitlines()
        if "bital " in line
    ]
    assert len(shown) == 10
    for words in shown:
        assert words[0] == "bital"
        usage = CliRunner().invoke(cli, [*words[1:3], "--help"]).output
        assert [w for w in words if w.startswith("--") and w not in usage] == []
