"""A folder of checkpoints: written beside the training, each as a whole or not at all.

A checkpoint is one file, ``checkpoint-00000042.safetensors``, that takes its name only when all of
it is on the disk. The folder belongs to one process at a time: an operating-system lock, which a
process that is killed gives back.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bital.errors import ArgumentError, CheckpointError, ModelFileError
from bital.keras import archive, checks
from bital.keras.plain import pack, unpack

FORMAT = "bital.checkpoint"
VERSION = 1

_NAME = re.compile(r"checkpoint-(\d{8})\.safetensors")
_PART = re.compile(r"\.(checkpoint-\d{8}|best)\.safetensors\..*\.part")
_SHARE = 10  # checkpoints take at most a tenth of the time


class Checkpoints:
    """Where and how often a training is saved, for ``fit(resume=...)``.

    A checkpoint is due when any of the three is reached. One that is due waits while another is
    being written, and until writing takes at most a tenth of the time.

    Parameters
    ----------
    folder : str or path
        Made if it does not exist. It holds the checkpoints of one training.
    epochs, steps : int, optional
        After so many epochs or training steps. Default: after each epoch.
    seconds : float, default 30
        After so many seconds, within an epoch too. None: not by the clock.
    keep : int, default 2
        How many of the newest are kept.
    monitor : str, optional
        Name of a value in the logs: the checkpoint of the best epoch is kept besides, as
        ``best.safetensors``; ``model.load_weights`` reads it.
    mode : {"auto", "min", "max"}, default "auto"
        Which way is better. ``"auto"``: more, for names that end in ``acc``, ``accuracy``, ``auc``,
        ``precision``, ``recall`` or ``score``, as in Keras; else less.

    Raises
    ------
    ArgumentError
        For a value that is not allowed.

    Examples
    --------
    >>> Checkpoints("runs/mnist", seconds=60.0, keep=3).keep
    3
    """

    removed_at_end = False
    """Whether a training that comes to its end leaves nothing behind."""

    def __init__(
        self,
        folder: str | Path,
        *,
        epochs: int | None = 1,
        steps: int | None = None,
        seconds: float | None = 30.0,
        keep: int = 2,
        monitor: str | None = None,
        mode: str = "auto",
    ) -> None:
        who = "Checkpoints"
        if not isinstance(folder, (str, os.PathLike)):
            raise ArgumentError(f"{who}(folder={folder!r}): must be the path of a folder.")
        self.folder = Path(folder)
        self.epochs = None if epochs is None else checks.integer(who, "epochs", epochs)
        self.steps = None if steps is None else checks.integer(who, "steps", steps)
        self.seconds = None if seconds is None else checks.number(who, "seconds", seconds, 0)
        self.keep = checks.integer(who, "keep", keep)
        self.monitor = monitor
        self.mode = checks.choice(who, "mode", mode, ("auto", "min", "max"))

    def better(self, value: float, than: float | None) -> bool:
        """Return whether a value of the monitor is better than another, or than none."""
        if than is None or math.isnan(value):
            return not math.isnan(value)
        more = self.mode == "max"
        if self.mode == "auto" and self.monitor is not None:
            endings = ("acc", "accuracy", "auc", "precision", "recall", "score")
            more = self.monitor.lower().endswith(endings)
        return value > than if more else value < than


class Folder:
    """A folder of checkpoints, open and locked, with a thread that writes.

    Raises
    ------
    CheckpointError
        If the folder cannot be made or locked.
    """

    def __init__(self, options: Checkpoints) -> None:
        self.options = options
        self.path = options.folder
        self.failed: BaseException | None = None
        self.seconds = 0.0  # that the last checkpoint took
        self._thread: threading.Thread | None = None
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(self.path / "lock")
            for item in self.path.iterdir():
                if _PART.fullmatch(item.name):
                    item.unlink()  # what a killed process was writing
        except OSError as error:
            raise CheckpointError(
                f"fit(resume={str(self.path)!r}): no checkpoints can be written there: {error}."
            ) from error
        self._next = max(self._found(), default=0) + 1

    def close(self) -> None:
        """Wait for the writer, and let others have the folder."""
        self.wait()
        self._lock.close()

    @property
    def idle(self) -> bool:
        """Whether nothing is being written."""
        return self._thread is None or not self._thread.is_alive()

    def rests(self, since: float) -> bool:
        """Whether writing has had its share of the time since then."""
        return self.idle and time.perf_counter() - since >= _SHARE * self.seconds

    def newest(self) -> Any:
        """Return the state of the newest whole checkpoint; None where there is none.

        Raises
        ------
        CheckpointError
            If there are checkpoints, and all are damaged.
        """
        numbers = sorted(self._found(), reverse=True)
        for number in numbers:
            path = self._file(number)
            try:
                return load(path)
            except (ModelFileError, OSError) as error:
                _log(f"a checkpoint is passed over, the one before it is taken. {error}")
                with contextlib.suppress(OSError):
                    path.replace(path.with_name(f"damaged-{path.name}"))
        if numbers:
            raise CheckpointError(
                f"fit(resume={str(self.path)!r}): none of its {len(numbers)} checkpoints can be "
                "read; they are now named damaged-*. Train anew, or get them from a backup."
            )
        return None

    def write(self, state: Any, best: bool = False, wait: bool = False) -> None:
        """Copy a state and write it, beside the caller or, with ``wait``, before returning.

        A failure to write is logged, and kept in ``failed`` until a checkpoint succeeds.
        """
        start = time.perf_counter()
        packed, arrays = pack(state, "a checkpoint")
        self.wait()
        number, self._next = self._next, self._next + 1
        document = {"format": FORMAT, "version": VERSION, "state": packed}

        def work() -> None:
            try:
                archive.write(self._file(number), document, arrays)
                if best:
                    self._keep_best(number)
                self._prune()
                self.failed = None
            except Exception as error:
                self.failed = error
                _log(f"a checkpoint could not be written; the last good one stays. {error}")
            self.seconds = time.perf_counter() - start

        self._thread = threading.Thread(target=work, name="bital-checkpoint")
        self._thread.start()
        if wait:
            self.wait()

    def wait(self) -> None:
        """Return when nothing is being written."""
        if self._thread is not None:
            self._thread.join()

    def clear(self) -> None:
        """Remove all checkpoints."""
        self.wait()
        for path in [*map(self._file, self._found()), self.path / "best.safetensors"]:
            path.unlink(missing_ok=True)

    def _file(self, number: int) -> Path:
        return self.path / f"checkpoint-{number:08d}.safetensors"

    def _found(self) -> list[int]:
        names = (_NAME.fullmatch(item.name) for item in self.path.iterdir())
        return [int(name[1]) for name in names if name]

    def _prune(self) -> None:
        for number in sorted(self._found())[: -self.options.keep]:
            self._file(number).unlink(missing_ok=True)

    def _keep_best(self, number: int) -> None:
        temporary = self.path / f".best.safetensors.{os.getpid()}.part"
        temporary.unlink(missing_ok=True)
        try:
            os.link(self._file(number), temporary)
        except OSError:  # a file system without hard links
            shutil.copyfile(self._file(number), temporary)
        os.replace(temporary, self.path / "best.safetensors")


class Elsewhere(Folder):
    """The same folder in a process that leaves it to another."""

    def __init__(self, options: Checkpoints) -> None:
        self.options, self.path = options, options.folder
        self.failed, self.seconds, self._thread = None, 0.0, None

    def close(self) -> None:
        """Do nothing, as the other methods."""

    def newest(self) -> Any:
        """Return None."""

    def write(self, state: Any, best: bool = False, wait: bool = False) -> None:
        """Do nothing."""

    def clear(self) -> None:
        """Do nothing."""


def load(path: str | Path) -> Any:
    """Return the state that a checkpoint holds.

    Raises
    ------
    ModelFileError
        If it is damaged.
    """
    document, tensors = archive.read(path, {FORMAT: VERSION})
    try:
        return unpack(document["state"], tensors)
    except (KeyError, ArgumentError) as error:
        raise archive.damaged(path, f"its state is not one that bital writes ({error})") from error


def _locked(path: Path) -> Any:
    """An open file with an exclusive lock on it; it ends with the file, or with the process."""
    file = path.open("a+b")
    try:
        if os.name == "nt":
            import msvcrt

            lock: Callable[[], Any] = lambda: msvcrt.locking(  # type: ignore[attr-defined]  # noqa: E731
                file.fileno(),
                msvcrt.LK_NBLCK,  # type: ignore[attr-defined]
                1,
            )
        else:
            import fcntl

            lock = lambda: fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # noqa: E731
        lock()
    except OSError as error:
        file.close()
        if not isinstance(error, (BlockingIOError, PermissionError)):
            raise
        raise CheckpointError(
            f"fit(resume={str(path.parent)!r}): another training uses this folder now. Wait for "
            "it, stop it, or give this one a folder of its own."
        ) from error
    return file


def _log(message: str) -> None:
    import logging

    logging.getLogger("bital").warning(message)


def sample_of(array: np.ndarray, rows: int = 64) -> str:
    """Return dtype, shape and a checksum of some rows: cheap for any size.

    Examples
    --------
    >>> sample_of(np.zeros((3, 2)))
    'float64[3, 2] with checksum f288b395'
    """
    import zlib

    chosen = array
    if array.ndim and len(array) > rows:
        chosen = array[np.linspace(0, len(array) - 1, rows).astype(int)]
    found = zlib.crc32(np.ascontiguousarray(chosen).tobytes())
    return f"{array.dtype.name}{list(array.shape)} with checksum {found:08x}"


__all__ = ["Checkpoints", "Elsewhere", "Folder", "load", "sample_of"]
