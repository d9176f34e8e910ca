"""What becomes of one column, decided by its statistics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bital.tables.checks import looks_like_id, written_dates, written_numbers
from bital.tables.columns import Values
from bital.tables.statistics import TIME, Statistics, date_parts, text_hash

MISSING, UNKNOWN, FIRST = 0, 1, 2  # rows of an embedding
_CLIP = 1e6  # standard deviations: no finite sample reaches them, a float32 network survives them


@dataclass(frozen=True)
class Column:
    """What was learned of one column.

    Attributes
    ----------
    name : str
    kind : str
        ``"number"``, ``"boolean"``, ``"date"``, ``"category"``, ``"hashed"``; or one that is left
        out: ``"constant"``, ``"empty"``, ``"id"``, ``"ignored"``.
    rows, missing : int
        Rows seen, and how many of them had no value.
    became : tuple of str
        Names of its numbers, or of the one column of categories; empty if it is left out.
    size : int
        Rows of its embedding, 0 if it has none.
    note : str
        Its range, or the number of its categories.
    warning : str
        What one should do about it.
    """

    name: str
    kind: str
    rows: int
    missing: int
    became: tuple[str, ...] = ()
    size: int = 0
    note: str = ""
    warning: str = ""


@dataclass(frozen=True)
class Encoding:
    """One column's values to arrays."""

    column: Column
    kind: str  # of `Values`
    scales: tuple[tuple[str, float, float], ...] = ()  # part, centre, scale
    places: Mapping[str, int] = field(default_factory=dict)  # category -> row of the embedding
    buckets: int = 0

    @classmethod
    def of(cls, known: Statistics, given: str | None, buckets: int) -> Encoding:
        """Decide for a column; ``given`` is the kind that a user named."""
        column = partial(Column, known.name, rows=known.rows, missing=known.missing)
        if given == "ignore":
            return cls(column("ignored"), "text")
        if not known.present:
            return cls(column("empty", note="no row has a value"), known.kind)
        warning = "" if given else looks_like_id(known)
        if warning:
            note = f"about {known.distinct:,.0f} different values"
            return cls(column("id", note=note, warning=warning), known.kind)
        if known.kind != "text":
            return cls._of_numbers(known, column)
        became = (known.name,)
        if known.counts is None:
            note = f"about {known.distinct:,.0f} categories in {buckets:,} buckets"
            hashed = column("hashed", became=became, size=FIRST + buckets, note=note)
            return cls(hashed, "text", buckets=buckets)
        names = sorted(known.counts)
        if len(names) == 1 and not known.missing:
            return cls(column("constant", note=f"always {names[0]!r}"), "text")
        category = column(
            "category",
            became=became,
            size=FIRST + len(names),
            note=f"{len(names):,} categor{'y' if len(names) == 1 else 'ies'}",
            warning="" if given else written_dates(known) or written_numbers(known),
        )
        return cls(category, "text", places={name: FIRST + k for k, name in enumerate(names)})

    @classmethod
    def _of_numbers(cls, known: Statistics, column: Any) -> Encoding:
        scales = []
        for part, moments in known.moments.items():
            if known.kind == "boolean":
                centre, scale = 0.5, 0.5
            elif part in ("", TIME):
                centre, scale = moments.mean, moments.scale
            else:
                centre, scale = 0.0, 1.0  # sines and cosines
            if moments.scale:
                scales.append((part, centre, scale))
        became = [known.name + (f": {part}" if part else "") for part, _, _ in scales]
        if known.missing:
            became.append(f"{known.name} is missing")
        moments = known.moments[TIME if known.kind == "date" else ""]
        kind = known.kind if became else "constant"
        note = _range(moments.low, moments.high, known.kind == "date")
        return cls(column(kind, became=tuple(became), note=note), known.kind, tuple(scales))

    def encode(self, values: Values) -> list[NDArray[Any]]:
        """Return the arrays that ``column.became`` names."""
        if self.kind == "text":
            return [self._rows(values)]
        parts = date_parts(values.data) if self.kind == "date" else {"": values.data}
        arrays = []
        for part, centre, scale in self.scales:
            with np.errstate(over="ignore"):  # far is far
                scaled = np.clip((parts[part] - centre) / scale, -_CLIP, _CLIP)
            scaled[np.isnan(scaled)] = 0.0
            arrays.append(scaled)
        return [*arrays, values.missing] if self.column.missing else arrays

    def _rows(self, values: Values) -> NDArray[np.int64]:
        if self.buckets:
            rows = [FIRST + text_hash(name) % self.buckets for name in values.names]
        else:
            rows = [self.places.get(name, UNKNOWN) for name in values.names]
        return np.array([*rows, MISSING], np.int64)[values.data]


def _range(low: float, high: float, dates: bool) -> str:
    if dates:
        ends = [str(np.datetime64(int(end), "s")).replace("T00:00:00", "") for end in (low, high)]
    else:
        ends = [f"{end:g}" for end in (low, high)]
    return f"{ends[0]} to {ends[1]}" if ends[0] != ends[1] else f"always {ends[0]}"
