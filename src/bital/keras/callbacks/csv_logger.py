"""Logs as a table in a file."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from bital.errors import ArgumentError
from bital.keras import checks
from bital.keras.callbacks.base import Callback, Logs


class CSVLogger(Callback):
    """Writes the logs of each epoch as a line of a CSV file, at once.

    Parameters
    ----------
    filename : str or path
        Where to.
    separator : str, default ","
        Between the fields.
    append : bool, default False
        Go on with a file that exists, which must have the same fields.

    Raises
    ------
    ArgumentError
        At the first epoch, if the file to append to has other fields.

    Examples
    --------
    >>> CSVLogger("log.csv").append
    False
    """

    def __init__(self, filename: Any, separator: str = ",", append: bool = False) -> None:
        self.filename = Path(filename)
        self.separator = separator
        self.append = checks.boolean("CSVLogger", "append", append)
        self._file: Any = None
        self._writer: Any = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Open the file."""
        names = ["epoch", *self.params["logged"]]
        header = None
        if self.append and self.filename.exists():
            with self.filename.open(newline="", encoding="utf-8") as file:
                header = next(csv.reader(file, delimiter=self.separator), None)
            if header is not None and header != names:
                raise ArgumentError(
                    f"CSVLogger({str(self.filename)!r}, append=True): the file has the fields "
                    f"{', '.join(header)} and training logs {', '.join(names)}. Choose another "
                    "file, or append=False to write it anew."
                )
        mode = "a" if self.append else "w"
        self._file = self.filename.open(mode, newline="", encoding="utf-8")
        self._writer = csv.DictWriter(self._file, names, "NA", delimiter=self.separator)
        if header is None:
            self._writer.writeheader()
            self._file.flush()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Write a line."""
        known = {k: v for k, v in (logs or {}).items() if k in self._writer.fieldnames}
        self._writer.writerow({"epoch": epoch, **known})
        self._file.flush()

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None
