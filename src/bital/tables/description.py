"""How an encoder shows itself: one row a column, as text and as HTML."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

HEADINGS = ("column", "kind", "missing", "becomes", "note")


class Description:
    """What became of each column of a table; `str` and notebooks show it.

    Attributes
    ----------
    rows : list of tuple of str
        Name, kind, missing values, what it became, note.
    warnings : list of str
        What one should do about its columns.
    """

    def __init__(self, columns: Sequence[Any], count: int) -> None:
        self.count = count
        self.rows = [
            (c.name, c.kind, _missing(c.missing, c.rows), _became(c), c.note) for c in columns
        ]
        self.warnings = [c.warning for c in columns if c.warning]
        numbers = sum(len(c.became) for c in columns if not c.size)
        categories = sum(c.size > 0 for c in columns)
        self.title = (
            f"{_many(len(columns), 'column')} of {_many(count, 'row')} become "
            f"{_many(numbers, 'number')} and {_many(categories, 'column')} of categories"
        )

    def __str__(self) -> str:
        table = [HEADINGS, *self.rows]
        widths = [max(len(row[place]) for row in table) for place in range(len(HEADINGS))]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in table
        ]
        rule = "  ".join("-" * width for width in widths)
        told = ["", *self.warnings] if self.warnings else []
        return "\n".join([self.title, "", lines[0], rule, *lines[1:], *told])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{name}</th>" for name in HEADINGS)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>"
            for row in self.rows
        )
        return (
            f"<p>{html.escape(self.title)}</p><table><thead><tr>{head}</tr></thead>"
            f"<tbody>{body}</tbody></table>"
            + "".join(f"<p>{html.escape(each)}</p>" for each in self.warnings)
        )


def _missing(missing: int, rows: int) -> str:
    if not missing:
        return "0"
    share = 100 * missing / rows
    return f"{missing:,} ({'<0.1' if share < 0.1 else f'{share:.1f}'} %)"


def _became(column: Any) -> str:
    if column.size:
        return f"embedding of {column.size:,} rows"
    if not column.became:
        return "nothing"
    return _many(len(column.became), "number")


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
