"""Records as files, to be handed from one environment to the other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tf1_running import Record


def write(path: Path, record: Record) -> None:
    """Write what a record holds; each array under ``kind|number|which``."""
    arrays = {f"run|{i}|{j}": a for i, run in enumerate(record.runs) for j, a in enumerate(run)}
    for i, values in enumerate(record.initial):
        arrays |= {f"initial|{i}|{name}": value for name, value in values.items()}
    arrays |= {f"last|0|{name}": value for name, value in record.last.items()}
    arrays["counts"] = np.array([len(record.runs), len(record.initial)])
    np.savez(path, **arrays)


def read(path: Path) -> Record:
    """What `write` has written."""
    record = Record()
    with np.load(path) as arrays:
        runs, initial = arrays["counts"]
        record.runs = [[] for _ in range(runs)]
        record.initial = [{} for _ in range(initial)]
        for key in arrays.files[:-1]:
            kind, number, which = key.split("|")
            if kind == "run":
                record.runs[int(number)].append(arrays[key])
            elif kind == "initial":
                record.initial[int(number)][which] = arrays[key]
            else:
                record.last[which] = arrays[key]
    return record
