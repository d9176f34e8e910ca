"""Write ``docs/errors.md``: each error class with its cause, failing code, and repaired code.

    python -m tools.errors_page            # write the page
    python -m tools.errors_page --check    # say whether it is up to date

All of it is taken from the docstrings in ``src/bital/errors.py``.
"""

from __future__ import annotations

import argparse
import inspect
import re
import sys
from pathlib import Path
from typing import NamedTuple

from bital import errors

PAGE = Path(__file__).parents[1] / "docs" / "errors.md"
PREAMBLE = """\
import numpy as np, bital
from bital import keras

x = np.array([1.0, 2.0, 3.0])
"""
_INTRODUCTION = f"""\
# Errors

<!-- made by `python -m tools.errors_page` from src/bital/errors.py; do not edit -->

Each error that bital raises on purpose derives from `bital.errors.BitalError` and from the
built-in exception that NumPy users would expect. Its message says what was called, what was
received, why that cannot work, and what to write instead. The tests run the examples below, after

```python
{PREAMBLE}```

Lines that begin with `$` belong in a terminal.
"""


class Entry(NamedTuple):
    """One class of errors.py."""

    name: str
    base: str  # the built-in exception
    cause: str
    fails: str
    works: str


def entries() -> list[Entry]:
    """All classes but the common base, in the order of errors.py."""
    found = [
        each
        for each in vars(errors).values()
        if inspect.isclass(each) and each.__module__ == errors.__name__
    ]
    return [_entry(each) for each in found if each is not errors.BitalError]


def _entry(error: type[BaseException]) -> Entry:
    text = inspect.cleandoc(error.__doc__ or "")
    match = re.fullmatch(r"(.*?)\n\nFails::\n\n(.*?)\n\nWorks::\n\n(.*)", text, re.DOTALL)
    if match is None:
        raise SystemExit(f"the docstring of {error.__name__} has not the parts Fails:: and Works::")
    cause, fails, works = match.groups()
    return Entry(
        error.__name__, error.__bases__[-1].__name__, cause, _dedented(fails), _dedented(works)
    )


def _dedented(block: str) -> str:
    return "\n".join(line.removeprefix("    ") for line in block.splitlines())


def page() -> str:
    parts = [_INTRODUCTION]
    for entry in entries():
        cause = entry.cause.replace("``", "`")
        parts.append(
            f"## {entry.name}\n\nAlso a `{entry.base}`. {cause}\n\nFails:\n\n"
            f"```python\n{entry.fails}\n```\n\nWorks:\n\n```python\n{entry.works}\n```\n"
        )
    return "\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description="Write docs/errors.md.")
    parser.add_argument("--check", action="store_true", help="do not write, compare")
    text = page()
    if not parser.parse_args().check:
        PAGE.write_text(text)
    elif PAGE.read_text() != text:
        sys.exit("docs/errors.md is out of date: run python -m tools.errors_page")


if __name__ == "__main__":
    main()
