"""The usual faults of tables, told before training: ids, dates as text, targets that cannot be."""

from __future__ import annotations

import re

from bital.tables.statistics import SKETCH, Statistics

ID_ROWS = 50
_ID_NAME = re.compile(
    r"(?i:(^|[\W_])(id|uuid|guid|key|index|row|nr|no)$)|(?<=[a-z])(Id|ID)$"
    r"|^(Unnamed: 0|column 1)$"  # the index of a data frame in a file
)
_DATE = re.compile(
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}([ T]\d{1,2}:\d{2}.*)?"
    r"|\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2})( .*)?"
    r"|\d{1,2}[ -](jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[ -]\d{2,4}",
    re.I,
)

MANY = 20  # different numbers as text
_NUMBER = re.compile(r"[$€£]?\s?[+-]?\d[\d,.' ]*(e[+-]?\d+)?\s?([%$€£]|[a-z]{1,3})?", re.I)
_CODE = re.compile(r"[+-]?0\d")


def looks_like_id(known: Statistics) -> str:
    """Return a warning if a column tells rows apart and nothing else, or nothing."""
    share = 0.99 if known.distinct < SKETCH else 0.9  # three standard errors of an estimate
    if known.present < ID_ROWS or known.distinct < share * known.present:
        return ""
    kind = "category" if known.kind == "text" else "number"
    way = f"Pass kinds={{{known.name!r}: {kind!r}}} if it means something."
    if known.kind == "text":
        return (
            f"column {known.name!r} is left out: (nearly) all of its {known.present:,} texts are "
            f"different, as ids and remarks are. {way}"
        )
    if known.kind == "number" and known.whole and _ID_NAME.search(known.name):
        return (
            f"column {known.name!r} is left out: its whole numbers are all different, or "
            f"nearly, and it is named like an id. {way}"
        )
    return ""


def written_dates(known: Statistics) -> str:
    """Return a warning if all categories of a column are dates, or nothing."""
    texts = known.counts or {}
    if not texts or not all(_DATE.fullmatch(text.strip()) for text in texts):
        return ""
    iso = all(re.match(r"\d{4}-\d\d-\d\d($|[ T])", text.strip()) for text in texts)
    way = (
        f"pass kinds={{{known.name!r}: 'date'}}"
        if iso
        else "write them as 2024-12-31, or use pandas.to_datetime or str.to_date of polars"
    )
    return (
        f"column {known.name!r} holds dates as text, such as {min(texts)!r}, which are categories "
        f"without order: {way}."
    )


def written_numbers(known: Statistics) -> str:
    """Return a warning if most categories of a column are numbers, or nothing."""
    counts = known.counts or {}
    others = {text: count for text, count in counts.items() if not _NUMBER.fullmatch(text.strip())}
    codes = any(_CODE.match(text.strip()) for text in counts)
    if len(counts) < MANY or len(others) > 0.2 * len(counts) or codes:
        return ""
    number = min(text for text in counts if text not in others)
    way = f"Make numbers of it, or pass kinds={{{known.name!r}: 'category'}}."
    if others:
        other = max(others, key=lambda text: (others[text], text))
        way = f"If {other!r} means that it is missing, read_table(path, missing=[{other!r}]) knows."
    return (
        f"column {known.name!r} holds numbers as text, such as {number!r}: its {len(counts):,} "
        f"values are categories without order. {way}"
    )
