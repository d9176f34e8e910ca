"""Where a study is kept: in memory, in a file, in a database."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from bital.errors import ArgumentError
from bital.tune.optional import load_optuna

SQLITE_PATIENCE = 60
"""Seconds that one process waits while another writes into an SQLite file."""


def open_storage(where: Any) -> Any:
    """Open a storage of Optuna's.

    Parameters
    ----------
    where : str, path, storage or None
        The path of a journal, a file to which every change is added as a line; the URL of a
        database (``sqlite:///study.db``); a storage of Optuna's; None for memory.

    Raises
    ------
    ArgumentError
        If it is none of these, or the folder of the file does not exist.
    """
    optuna = load_optuna()
    if where is None:
        return optuna.storages.InMemoryStorage()
    if isinstance(where, optuna.storages.BaseStorage):
        return where
    if isinstance(where, str) and "://" in where:
        return _open_database(where)
    if not isinstance(where, (str, os.PathLike)):
        raise ArgumentError(
            f"search(storage={where!r}): must be the path of a file, the URL of a database "
            "(sqlite:///study.db), or a storage of Optuna's."
        )
    path = Path(where)
    if path.is_dir() or not path.parent.is_dir():
        fault = "is a folder" if path.is_dir() else "lies in a folder that does not exist"
        raise ArgumentError(f"search(storage={str(path)!r}): the file {fault}.")
    journal = optuna.storages.journal
    backend = journal.JournalFileBackend(str(path), lock_obj=JournalLock(path))
    return journal.JournalStorage(backend)


def _open_database(url: str) -> Any:
    """Open a database; where several processes make its tables at once, one of them is first."""
    from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

    options = {"timeout": SQLITE_PATIENCE} if url.startswith("sqlite") else {}
    for wait in (0.1, 0.3, 1.0, 0.0):
        try:
            return load_optuna().storages.RDBStorage(url, engine_kwargs={"connect_args": options})
        except (IntegrityError, OperationalError, ProgrammingError):
            if not wait:
                raise
            time.sleep(wait)
    raise AssertionError("the loop returns or raises")


class JournalLock:
    """The lock of a journal: the system gives it back when its process is killed.

    Optuna's own locks are files that stay behind, and make everybody wait for half a minute. Half
    a line, which a power cut can leave, is cut off before anything is added to it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: Any = None

    def acquire(self) -> bool:
        """Wait for the lock."""
        file = open(f"{self._path}.lock", "ab")  # noqa: SIM115  (closed by release)
        try:
            _lock(file)
            self._file = file
            self._mend()
        except BaseException:
            file.close()
            raise
        return True

    def release(self) -> None:
        """Give it back."""
        self._file.close()

    def _mend(self) -> None:
        with open(self._path, "rb+") as journal:
            end = journal.seek(0, os.SEEK_END)
            journal.seek(max(end - 1, 0))
            if end and journal.read(1) != b"\n":
                journal.seek(0)
                journal.truncate(journal.read().rfind(b"\n") + 1)


def _lock(file: Any) -> None:
    if os.name == "nt":
        import msvcrt

        file.seek(0)
        while True:
            try:
                msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)  # type: ignore[attr-defined]
            except OSError:  # it gives up after ten seconds
                continue
            return
    import fcntl

    fcntl.flock(file, fcntl.LOCK_EX)
