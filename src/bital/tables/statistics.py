"""What is counted of a column, chunk by chunk, so that chunks give what the whole would."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bital.errors import ArgumentError, DataError
from bital.tables.columns import Values

SKETCH = 1024
LARGEST = 1e140
DAY, WEEK, YEAR = 86400.0, 7 * 86400.0, 365.2425 * 86400.0
CYCLES = {"year": YEAR, "week": WEEK, "day": DAY}
TIME = "time"


class Moments:
    """Number, mean, variance, least and greatest of a stream of numbers.

    Chunks are joined by the update of Chan, Golub and LeVeque, "Algorithms for computing the
    sample variance" (1983): no sum of squares, so nothing cancels.
    """

    def __init__(
        self,
        count: int = 0,
        mean: float = 0.0,
        squares: float = 0.0,
        low: float = 0.0,
        high: float = 0.0,
    ) -> None:
        self.count, self.mean, self.squares = count, mean, squares
        self.low, self.high = low, high

    def update(self, values: NDArray[np.float64]) -> None:
        """Add numbers, without NaN, that `check` has let pass."""
        if not len(values):
            return
        low, high = float(values.min()), float(values.max())
        shift = float(values[0])  # makes the mean of equal values exact
        mean = shift + float(np.mean(values - shift))
        squares = float(np.sum(np.square(values - mean)))
        total = self.count + len(values)
        apart = mean - self.mean
        first = not self.count
        self.squares += squares + apart * apart * (self.count * len(values) / total)
        self.mean = mean if first else self.mean + apart * (len(values) / total)
        self.low = low if first else min(self.low, low)
        self.high = high if first else max(self.high, high)
        self.count = total

    @property
    def scale(self) -> float:
        """The standard deviation, or 0 if it is nothing but rounding."""
        deviation = math.sqrt(self.squares / self.count) if self.count else 0.0
        if self.low == self.high or deviation <= 4e-15 * max(abs(self.low), abs(self.high)):
            return 0.0
        return deviation


def check(name: str, values: Values) -> None:
    """Refuse numbers whose squares are not finite.

    Raises
    ------
    DataError
        It names the column and the number.
    """
    if values.kind == "number":
        large = values.present[np.abs(values.present) > LARGEST]
        if len(large):
            raise DataError(
                f"column {name!r} holds {large[0]:g}: numbers above {LARGEST:g} cannot be scaled. "
                "Use their logarithms, or None where such a value means that it is missing."
            )


class Sketch:
    """How many different values a stream has, from its `SKETCH` least 64-bit hashes.

    Exact below `SKETCH`, and beyond it with a standard error of 3 %. Bar-Yossef et al., "Counting
    distinct elements in a data stream" (2002).
    """

    def __init__(self, least: NDArray[np.uint64] | None = None) -> None:
        self.least = np.zeros(0, np.uint64) if least is None else least

    def update(self, hashes: NDArray[np.uint64]) -> None:
        """Add hashes."""
        if len(self.least) == SKETCH:
            hashes = hashes[hashes < self.least[-1]]
        self.least = np.unique(np.concatenate([self.least, hashes]))[:SKETCH]

    @property
    def distinct(self) -> float:
        """The number of different values, or an estimate of it."""
        if len(self.least) < SKETCH:
            return len(self.least)
        return (SKETCH - 1) / (float(self.least[-1]) + 1) * 2.0**64


def text_hash(text: str) -> int:
    """Return 64 bits of BLAKE2b (RFC 7693) of the text's UTF-8: the same everywhere, for ever.

    Examples
    --------
    >>> hex(text_hash("Bonn"))
    '0xfd9a2bc6bd92f43f'
    """
    raw = text.encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(raw, digest_size=8).digest(), "little")


def number_hashes(values: NDArray[np.float64]) -> NDArray[np.uint64]:
    """Return 64 bits for each number: the last steps of SplitMix64 on its own bits."""
    bits = (values + 0.0).view(np.uint64)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


def date_parts(seconds: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Return a moment as numbers: when, and sine and cosine in the year, the week and the day."""
    parts = {TIME: seconds}
    for cycle, length in CYCLES.items():
        clock = seconds if cycle == "day" else np.floor(seconds / DAY) * DAY
        angle = 2 * np.pi * np.mod(clock, length) / length
        parts[f"sine of {cycle}"] = np.sin(angle)
        parts[f"cosine of {cycle}"] = np.cos(angle)
    return parts


class Statistics:
    """All that is known of one column: enough to decide what becomes of it, and to go on.

    Parameters
    ----------
    name : str
    limit : int
        The most categories that are counted one by one.
    kind : str or None
        What its values must be, if that was said; else the first chunk with a value decides.
    """

    def __init__(self, name: str, limit: int, kind: str | None = None) -> None:
        self.name, self.limit = name, limit
        self.kind = kind or "empty"
        self.rows = self.missing = 0
        self.whole = True
        self.moments: dict[str, Moments] = {}
        self.counts: dict[str, int] | None = {}
        self.sketch = Sketch()

    @property
    def present(self) -> int:
        return self.rows - self.missing

    def update(self, values: Values) -> None:
        """Add a chunk, of kind `kind` or ``"empty"``."""
        if values.kind != "empty" and self.kind in ("empty", "boolean"):
            self.kind = values.kind
        missing = values.missing
        self.rows += len(missing)
        self.missing += int(missing.sum())
        if values.kind == "text":
            self._count(values)
        elif values.kind == "date":
            for part, numbers in date_parts(values.present).items():
                self.moments.setdefault(part, Moments()).update(numbers)
        elif values.kind in ("number", "boolean"):
            self.moments.setdefault("", Moments()).update(values.present)
            self.whole = self.whole and values.whole
            if self.whole:
                self.sketch.update(number_hashes(values.present))

    def _count(self, values: Values) -> None:
        occur = np.bincount(values.data[values.data >= 0], minlength=len(values.names))
        pairs = [(t, int(n)) for t, n in zip(values.names, occur, strict=True) if n]
        texts: Iterable[str] = [text for text, _ in pairs]
        if self.counts is not None:
            for text, number in pairs:
                self.counts[text] = self.counts.get(text, 0) + number
            if len(self.counts) <= self.limit:
                return
            texts, self.counts = self.counts, None
        self.sketch.update(np.array([text_hash(text) for text in texts], np.uint64))

    @property
    def distinct(self) -> float:
        if self.kind == "text" and self.counts is not None:
            return len(self.counts)
        return self.sketch.distinct

    def state(self, arrays: dict[str, NDArray[Any]], key: str) -> dict[str, Any]:
        """Return this as JSON; what is long goes into ``arrays``, under names after ``key``."""
        if len(self.sketch.least):
            arrays[f"{key}.sketch"] = self.sketch.least
        if self.counts:
            encoded = [text.encode("utf-8", "surrogatepass") for text in sorted(self.counts)]
            arrays[f"{key}.text"] = np.frombuffer(b"".join(encoded), np.uint8)
            arrays[f"{key}.lengths"] = np.array([len(text) for text in encoded], np.int64)
            arrays[f"{key}.counts"] = np.array([self.counts[t] for t in sorted(self.counts)])
        return {
            "name": self.name,
            "kind": self.kind,
            "rows": self.rows,
            "missing": self.missing,
            "whole": self.whole,
            "counted": self.counts is not None,
            "moments": {part: list(vars(m).values()) for part, m in self.moments.items()},
        }

    @classmethod
    def from_state(
        cls, document: dict[str, Any], arrays: dict[str, NDArray[Any]], key: str, limit: int
    ) -> Statistics:
        """Return what `state` described.

        Raises
        ------
        ArgumentError, KeyError, TypeError, ValueError
            If it is not what `state` returns.
        """
        found = cls(document["name"], limit, document["kind"])
        found.rows, found.missing = document["rows"], document["missing"]
        found.whole = document["whole"]
        found.moments = {part: Moments(*each) for part, each in document["moments"].items()}
        found.sketch = Sketch(arrays.get(f"{key}.sketch"))
        if not document["counted"]:
            found.counts = None
        elif f"{key}.counts" in arrays:
            found.counts = _counts(arrays, key)
        found._check()
        return found

    def _check(self) -> None:
        """Refuse what no column has: it would fail later, and elsewhere."""
        moments = list(self.moments.values())
        numbers = [number for m in moments for number in (m.mean, m.squares, m.low, m.high)]
        counted = [*(m.count for m in moments)]
        if self.kind == "text" and self.counts is not None:
            counted.append(sum(self.counts.values()))
        sound = (
            isinstance(self.name, str)
            and self.kind in {"empty", "text", *PARTS}
            and all(type(n) is int and n >= 0 for n in (self.rows, self.missing, *counted))
            and all(count == self.present for count in counted)
            and all(type(number) in (int, float) and math.isfinite(number) for number in numbers)
            and (tuple(self.moments) == PARTS.get(self.kind, ()) or not self.present)
            and self.sketch.least.dtype == np.uint64
            and self.sketch.least.ndim == 1
            and isinstance(self.whole, bool)
        )
        if not sound:
            raise ArgumentError(f"what is said of column {self.name!r} is not true of any column.")


PARTS = {"number": ("",), "boolean": ("",), "date": tuple(date_parts(np.zeros(1)))}


def _counts(arrays: dict[str, NDArray[Any]], key: str) -> dict[str, int]:
    raw, lengths, numbers = (arrays[f"{key}.{part}"] for part in ("text", "lengths", "counts"))
    ends = np.cumsum(lengths).tolist()
    types = [array.dtype.str[1:] for array in (raw, lengths, numbers)]
    if (
        types != ["u1", "i8", "i8"]
        or lengths.min() < 0
        or numbers.min() < 1
        or ends[-1] != len(raw)
    ):
        raise ArgumentError(f"{key}: {len(lengths)} texts do not fit {raw.size} bytes.")
    texts = [
        raw[start:end].tobytes().decode("utf-8", "surrogatepass")
        for start, end in zip([0, *ends[:-1]], ends, strict=True)
    ]
    return dict(zip(texts, numbers.tolist(), strict=True))
