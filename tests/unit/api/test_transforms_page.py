"""docs/transforms.md: each example runs, and prints what stands behind the line."""

import re
from pathlib import Path

PAGE = (Path(__file__).parents[3] / "docs" / "transforms.md").read_text()


def test_examples(capsys):
    scope = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(block, scope)
        wanted = re.findall(r"^ *(?:print\(.*\))? +# (.*)$", block, re.MULTILINE)
        assert capsys.readouterr().out.splitlines() == wanted, block
