"""Logs as lines of JSON in a file."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any

from bital.keras import checks
from bital.keras.callbacks.base import Callback, Logs


class JSONLogger(Callback):
    """Writes the logs of each epoch as a line of JSON, at once.

    ``{"epoch": 0, "seconds": 0.71, "loss": 0.31, ...}``; NaN and infinity become null. Keras has
    no such callback.

    Parameters
    ----------
    filename : str or path
        Where to; such files are often named ``log.jsonl``.
    append : bool, default False
        Go on with a file that exists.

    Examples
    --------
    >>> JSONLogger("log.jsonl").append
    False
    """

    def __init__(self, filename: Any, append: bool = False) -> None:
        self.filename = Path(filename)
        self.append = checks.boolean("JSONLogger", "append", append)
        self._file: Any = None
        self._start = 0.0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Open the file."""
        self._file = self.filename.open("a" if self.append else "w", encoding="utf-8")
        self._start = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Write a line."""
        seconds = round(time.perf_counter() - self._start, 3)
        values = {k: float(v) for k, v in (logs or {}).items()}
        known = {k: v if math.isfinite(v) else None for k, v in values.items()}
        self._file.write(json.dumps({"epoch": epoch, "seconds": seconds, **known}) + "\n")
        self._file.flush()

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None
