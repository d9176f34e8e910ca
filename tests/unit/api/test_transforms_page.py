"""docs/transforms.md, docs/random.md: each example prints what stands behind its line."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize("page", ["transforms.md", "random.md"])
def test_examples(page, capsys):
    scope = {}
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
    assert blocks
    for block in blocks:
        exec(block, scope)
        wanted = re.findall(r"^ *(?:print\(.*\))? +# (.*)$", block, re.MULTILINE)
        assert capsys.readouterr().out.splitlines() == wanted, block
