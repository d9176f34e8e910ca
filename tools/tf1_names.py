"""Write the tables of ``docs/tf1.md``: the idioms that have a program, and the names there are.

python -m tools.tf1_names            # write the tables into the page
python -m tools.tf1_names --check    # say whether they are up to date
"""

from __future__ import annotations

import argparse
import ast
import functools
import re
import sys
import types
from pathlib import Path

import bital.tf1
from bital.tf1.refused import REASONS

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "tf1.md"
PROGRAMS = ROOT / "tests" / "whole" / "tf1" / "programs"
CHAPTERS = (
    "first steps",
    "artificial networks",
    "training deep nets",
    "ConvNets",
    "RNNs",
    "autoencoders",
    "reinforcement learning",
)
# The namespaces of TensorFlow 1, and the modules of `bital.tf1` that define their names.
MODULES = {
    "tf": ("",),
    "tf.nn": ("nn", "rnn"),
    "tf.nn.rnn_cell": ("rnn",),
    "tf.layers": ("layers",),
    "tf.train": ("train", "saver"),
    "tf.losses": ("losses",),
    "tf.metrics": ("metrics",),
    "tf.summary": ("summary",),
    "tf.errors": ("errors",),
    "tf.estimator": ("estimator",),
    "tf.estimator.inputs": ("estimator",),
    "tf.feature_column": ("feature_column",),
    "tf.contrib.layers": ("contrib.layers", "layers"),
    "tf.contrib.framework": ("contrib.framework",),
    "tf.contrib.learn": ("contrib.learn", "estimator", "feature_column"),
}
# Defined there too, and no names of TensorFlow's.
HELPERS = {
    *("refuse", "smart_cond", "weighted", "quotient", "absolute", "lookup", "loop"),
    *("DNN", "Column", "rnn_cell"),
}


def fields(program: Path) -> dict[str, list[str]]:
    """What the docstring of a program says, by its words before the colon."""
    text = ast.get_docstring(ast.parse(program.read_text(encoding="utf-8"))) or ""
    found: dict[str, list[str]] = {"title": [text.splitlines()[0]]}
    for key, value in re.findall(r"^(\w+): (.*)$", text, re.MULTILINE):
        found.setdefault(key, []).append(value)
    return found


def idioms() -> str:
    """A row for each program, chapter by chapter."""
    programs = {path: fields(path) for path in sorted(PROGRAMS.glob("*.py"))}
    lines = ["| idiom | program | figure | beside TensorFlow |", "| --- | --- | --- | --- |"]
    for chapter in CHAPTERS:
        lines.append(f"| **{chapter}** | | | |")
        for path, said in programs.items():
            if said["chapter"] != [chapter]:
                continue
            link = f"[{path.stem}](../tests/whole/tf1/programs/{path.name})"
            figures = "; ".join(said["reaches"]).replace("_", " ").replace(">=", "≥")
            numbers = said.get("numbers", ["all"])[0]
            same = "the same numbers" if numbers == "all" else numbers
            figures = figures.replace("<=", "≤").replace("==", "=")
            lines.append(f"| {said['title'][0]} | {link} | {figures} | {same} |")
    return "\n".join(lines)


def public(title: str) -> list[str]:
    """The names of a namespace that are TensorFlow's."""
    module = functools.reduce(getattr, title.split(".")[1:], bital.tf1)
    sources = [f"bital.tf1.{source}".rstrip(".") for source in MODULES[title]]
    listed = getattr(module, "__all__", ()) if title == "tf.nn" else ()
    found = {*listed, *(name for name, value in vars(module).items() if _is_from(value, sources))}
    if title == "tf.nn":
        found -= {*public("tf.nn.rnn_cell"), "gather", "reduce_sum"}
    if title == "tf.nn.rnn_cell":
        found = {name for name in found if name[0].isupper()}
    return sorted(name for name in found - HELPERS if name[0] != "_")


def _is_from(value: object, sources: list[str]) -> bool:
    """Whether a value is defined in some modules; tf's own may be from anywhere in the package."""
    if isinstance(value, types.ModuleType):
        return False
    origin = getattr(value, "__module__", "")
    anywhere = sources == ["bital.tf1"] and origin.startswith(("bital.tf1.", "bital.graphs"))
    return origin in sources or anywhere


def names() -> str:
    """A row for each module."""
    lines = ["| module | names |", "| --- | --- |"]
    lines += [f"| {t} | {' '.join(f'`{name}`' for name in public(t))} |" for t in MODULES]
    return "\n".join(lines)


def refused() -> str:
    """A row for each reason."""
    lines = ["| left out | what to write |", "| --- | --- |"]
    for group, reason in REASONS.items():
        listed = " ".join(f"`{name}`" for name in group.split())
        lines.append(f"| {listed} | {reason} |")
    return "\n".join(lines)


def page(text: str) -> str:
    """The page, its tables written anew."""
    for marker, table in {"idioms": idioms, "names": names, "refused": refused}.items():
        start, end = (
            f"<!-- {marker}: made by `python -m tools.tf1_names` -->",
            f"<!-- /{marker} -->",
        )
        before, _, rest = text.partition(start)
        _, _, after = rest.partition(end)
        if not after:
            raise SystemExit(f"{PAGE.name} lacks {start} or {end}")
        text = f"{before}{start}\n{table()}\n{end}{after}"
    return text


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.tf1_names", description=__doc__)
    parser.add_argument("--check", action="store_true")
    old = PAGE.read_text(encoding="utf-8")
    new = page(old)
    if parser.parse_args().check:
        sys.exit(None if new == old else "docs/tf1.md is not up to date: python -m tools.tf1_names")
    PAGE.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
