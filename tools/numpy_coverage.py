"""Write ``docs/numpy_coverage.md``: every public name of NumPy and what becomes of it in a trace.

    python -m tools.numpy_coverage            # write the page
    python -m tools.numpy_coverage --check    # say whether it is up to date

The page is for the installed versions of NumPy and SciPy; it is kept for the newest ones.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from bital.numpy_language import coverage
from bital.numpy_language.coverage import Status

PAGE = Path(__file__).parents[1] / "docs" / "numpy_coverage.md"

_INTRODUCTION = """\
# What bital knows of NumPy

<!-- made by `python -m tools.numpy_coverage`; do not edit -->

Every public name of NumPy {numpy} (`numpy`, `numpy.linalg`, `numpy.fft`, what an `ndarray` has)
and every ufunc of `scipy.special` of SciPy {scipy}. A name is **supported**, or **refused** with a
reason and what to write instead: an error that says so, at your line, never a silent slow path.
What is not a function of arrays stands at the end of each section.

*Not under jit* are functions whose result has a shape that depends on values. `bital.grad` knows
the values; `bital.jit` and `bital.vmap` do not, and refuse.

Not listed: `numpy.random` (write [bital.random](numpy.md)), and what is not plain arrays of numbers
(`numpy.ma`, `numpy.char`, `numpy.rec`, `numpy.strings`) or is made of arrays by other means
(`numpy.polynomial`, `numpy.lib`): on traced values they work as far as what they call does.

A supported function may still refuse an option; the error then names it. Derivatives at kinks and
ties are stated in [numpy.md](numpy.md).
"""

_TITLES = {
    "np.": "numpy",
    "np.linalg.": "numpy.linalg",
    "np.fft.": "numpy.fft",
    "ndarray.": "methods and attributes of ndarray",
    "scipy.special.": "ufuncs of scipy.special",
}


def statuses() -> dict[str, dict[str, Status]]:
    """By prefix, the status of each public name; unknown ones are an error."""
    names = coverage.public_names()
    found = {name: coverage.status(name) for name in names}
    unknown = [name for name, status in found.items() if status is None]
    if unknown:
        raise SystemExit(f"names that coverage.py does not know: {', '.join(unknown)}")
    return {
        prefix: {n: s for n, s in found.items() if s and n.rpartition(".")[0] + "." == prefix}
        for prefix in _TITLES
    }


def counts(section: dict[str, Status]) -> tuple[int, int, int, int]:
    """Supported in full, supported where values are known, refused, not array functions."""
    kinds = [status.kind for status in section.values()]
    order = (coverage.SUPPORTED, coverage.NEEDS_VALUES, coverage.REFUSED_, coverage.NOT_ARRAY)
    full, partly, refused, other = (kinds.count(kind) for kind in order)
    return full, partly, refused, other


def percentage(full: int, partly: int, refused: int) -> str:
    """Of array functions, those that are supported."""
    total = full + partly + refused
    return f"{100 * (full + partly) / total:.1f} %" if total else "-"


def page() -> str:
    """The whole page."""
    sections = statuses()
    lines = [
        _INTRODUCTION.format(numpy=version("numpy"), scipy=version("scipy")),
        *_summary(sections),
    ]
    for prefix, section in sections.items():
        lines += ["", f"## {_TITLES[prefix]}", "", *_section(section)]
    beyond = sorted(f"`{name}`" for name in coverage.further_names())
    lines += ["", "## Beyond these", "", f"Supported too: {', '.join(beyond)}."]
    return "\n".join(lines) + "\n"


def _summary(sections: dict[str, dict[str, Status]]) -> Iterator[str]:
    yield "| | supported | not under jit | refused | of array functions | not array functions |"
    yield "|---|---|---|---|---|---|"
    rows = {_TITLES[prefix]: counts(section) for prefix, section in sections.items()}
    numpy = [row for title, row in rows.items() if "scipy" not in title]
    for title, summed in (("NumPy in all", numpy), ("with SciPy's", list(rows.values()))):
        full, partly, refused, other = map(sum, zip(*summed, strict=True))
        rows[f"**{title}**"] = full, partly, refused, other
    for title, (full, partly, refused, other) in rows.items():
        share = percentage(full, partly, refused)
        yield f"| {title} | {full} | {partly} | {refused} | {share} | {other} |"


def _section(section: dict[str, Status]) -> Iterator[str]:
    yield "| name | status | why not | instead |"
    yield "|---|---|---|---|"
    groups: dict[str, list[str]] = {}
    for name, status in section.items():
        if status.kind == coverage.NOT_ARRAY:
            groups.setdefault(status.reason, []).append(name)
        else:
            cells = (f"`{name}`", status.kind, status.reason, status.instead)
            yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
    if groups:
        yield ""
        yield "Not array functions:"
        yield ""
    for group, names in groups.items():
        yield f"- {group}: {', '.join(f'`{name}`' for name in names)}"


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, add_help=True)
    parser.add_argument("--check", action="store_true", help="write nothing")
    options = parser.parse_args(arguments)
    text = page()
    if options.check:
        current = PAGE.exists() and PAGE.read_text(encoding="utf-8") == text
        print("up to date" if current else f"{PAGE.name} is out of date: run this without --check")
        return 0 if current else 1
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
