"""A table in parts: rows to train, to validate and to test on, in memory or piece by piece."""

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bital import tables
from bital.cli.table.settings import CLASSIFICATION, REGRESSION, Settings
from bital.errors import DataError, RunFolderError

TRAIN, VALIDATION, TEST = range(3)
PARTS = {"train": TRAIN, "validation": VALIDATION, "test": TEST}
NONE = -1
"""The part of rows without a target."""

STREAM_FROM = 256 * 2**20
"""Bytes of a file from which it is read piece by piece."""
FEWEST = 10
"""Rows with a target that can be cut in three."""


class Target(NamedTuple):
    """The column to learn, of the rows that have it.

    ``values``: (n,) places in ``classes``, or float64 quantities. ``present``: (rows,) which rows
    of the file have one. ``classes``: (k,) sorted labels, or None. ``reason``: what made the task.
    ``leaks``: columns that alone predict it.
    """

    values: NDArray[Any]
    present: NDArray[np.bool_]
    classes: NDArray[Any] | None
    reason: str
    leaks: tuple[str, ...] = ()


def labels_of(series: Any) -> NDArray[Any]:
    """Classes as a table holds them: ``(n,)`` of text, booleans or integers."""
    import polars as pl

    if series.dtype.is_float() and (series == series.floor()).all():
        series = series.cast(pl.Int64)
    elif not series.dtype.is_numeric() and series.dtype != pl.Boolean:
        series = series.cast(pl.String)
    return np.asarray(series.to_numpy())


def target_of(frame: Any, settings: Settings) -> Target:
    """Read a target; for the task ``"auto"`` find the task, and look for columns that leak it.

    Raises
    ------
    DataError
        It cannot be learned, as a column of one value or of dates.
    """
    import polars as pl

    name, task = settings.target, settings.task
    frame = frame.drop(settings.ignore)
    found = tables.check_target(frame, name, task=None if task == "auto" else task)
    series = frame[name].fill_nan(None) if frame[name].dtype.is_float() else frame[name]
    present, known = series.is_not_null().to_numpy(), series.drop_nulls()
    if found.task == REGRESSION:
        values = known.cast(pl.Float64).to_numpy()
        return Target(values, present, None, found.reason, found.leaks)
    classes, places = np.unique(labels_of(known), return_inverse=True)
    reason = found.reason
    if task == "auto" and series.dtype.is_numeric() and len(classes) > 2:
        reason += "; --task regression takes them as quantities"
    return Target(places.astype(np.int32), present, classes, reason, found.leaks)


def split(strata: NDArray[Any], seed: int, validation: float, test: float) -> NDArray[np.int8]:
    """Deal rows to the parts by chance, in equal shares of every stratum: ``(n,) -> (n,)``.

    Examples
    --------
    >>> parts = split(np.repeat([0, 1], [20, 10]), seed=0, validation=0.1, test=0.2)
    >>> [np.bincount(parts[rows], minlength=3).tolist() for rows in (slice(20), slice(20, 30))]
    [[14, 2, 4], [7, 1, 2]]
    """
    shuffled = np.random.default_rng(seed).permutation(len(strata))
    order = shuffled[np.argsort(strata[shuffled], kind="stable")]
    counts = np.bincount(strata)
    first = np.repeat(np.cumsum(counts) - counts, counts)
    place = (np.arange(len(strata)) - first + 0.5) / np.repeat(counts, counts)
    parts = np.full(len(strata), TRAIN, np.int8)
    parts[order[place < test + validation]] = VALIDATION
    parts[order[place < test]] = TEST
    return parts


class Table:
    """The file of a run, its target, and the part that each row belongs to.

    Parameters
    ----------
    scan : bital.tables.TableScan
    frame : polars.DataFrame, optional
        All of its rows, where they fit into memory.
    target : Target
    settings : Settings
        With the task that was found.
    """

    def __init__(self, scan: Any, frame: Any, target: Target, settings: Settings) -> None:
        self.target, self.settings, self.types = target, settings, scan.types
        if len(target.values) < FEWEST:
            raise DataError(
                f"{scan.path}: {settings.target!r} has a value in {len(target.values)} rows; at "
                f"least {FEWEST} are needed."
            )
        self._pieces = scan if frame is None else [frame]
        strata = np.zeros(len(target.values), int) if target.classes is None else target.values
        parts = split(strata, settings.seed, settings.validation, settings.test)
        for name, part in PARTS.items():
            if not (parts == part).any():
                raise DataError(
                    f"{scan.path}: of {len(parts)} rows none is left for the {name} part. Take a "
                    "larger table, or other shares with --test and --validation."
                )
        self.part = np.full(len(target.present), NONE, np.int8)
        self.part[target.present] = parts
        self._values = np.zeros(len(target.present), target.values.dtype)
        self._values[target.present] = target.values

    def y(self, part: int) -> NDArray[Any]:
        """The targets of a part: places of classes, or quantities."""
        return self._values[self.part == part]

    def labels(self, part: int) -> NDArray[Any]:
        """The targets of a part as they stand in the table."""
        y, classes = self.y(part), self.target.classes
        return y if classes is None else classes[y]

    def frames(self, part: int) -> Iterator[Any]:
        """The rows of a part, without the target: one frame, or several of bounded size."""
        start = 0
        for frame in self._pieces:
            chosen = self.part[start : start + len(frame)] == part
            start += len(frame)
            if chosen.any():
                yield frame.drop(self.settings.target).filter(chosen)
        if start != len(self.part):
            raise DataError(f"The table has {start} rows, and had {len(self.part)} just before.")

    def sample(self, part: int, most: int) -> tuple[Any, NDArray[Any]]:
        """Rows of a part in one frame, at most so many, by chance; and their targets."""
        import polars as pl

        places = np.flatnonzero(self.part == part)
        chosen = np.random.default_rng(self.settings.seed).permutation(len(places))[:most]
        wanted = np.zeros(len(places), bool)
        wanted[chosen] = True
        found, start = [], 0
        for frame in self.frames(part):
            found.append(frame.filter(wanted[start : start + len(frame)]))
            start += len(frame)
        return pl.concat(found), self.y(part)[wanted]


def opened(path: Path, settings: Settings) -> tuple[Table, Settings]:
    """Open a table, and settle the task.

    Raises
    ------
    DataError
        It cannot be read, or its target cannot be learned.
    """
    scan = tables.scan_table(path)
    name = settings.target
    tables.scan_table(path, [name, *settings.kinds])  # names a missing column before all is read
    if settings.stream:
        frame = None
        column = tables.read_table(path, [name], types=scan.types)
        target = target_of(column, replace(settings, ignore=()))
        target = target._replace(leaks=_leaks(scan, target, settings))
    else:
        frame = scan.read()
        target = target_of(frame, settings)
    settings = replace(settings, task=REGRESSION if target.classes is None else CLASSIFICATION)
    return Table(scan, frame, target, settings), settings


def _leaks(scan: Any, target: Target, settings: Settings) -> tuple[str, ...]:
    """Columns that leak the target of a large table, as far as its first rows tell."""
    task = REGRESSION if target.classes is None else CLASSIFICATION
    with suppress(DataError):  # these rows may have one class
        return target_of(next(iter(scan)), replace(settings, task=task)).leaks
    return ()


def streams(path: Path) -> bool:
    """Whether a file is so large that it is read piece by piece where nothing is said."""
    return path.is_file() and path.stat().st_size >= STREAM_FROM


def fingerprint(path: Path) -> dict[str, Any]:
    """What tells whether a file is still the same."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"path": str(path.resolve()), "bytes": path.stat().st_size, "sha256": digest}


def require_same(path: Path, data: dict[str, Any]) -> None:
    """Check that a file is what a run was begun with.

    Raises
    ------
    RunFolderError
        It is gone, or it is another.
    """
    if not path.is_file():
        raise RunFolderError(f"The table of the run, {path}, is gone. Put it back there.")
    if fingerprint(path)["sha256"] != data["sha256"]:
        raise RunFolderError(
            f"{path} is no longer the table that the run was begun with. Put that one back, or "
            "train anew."
        )
