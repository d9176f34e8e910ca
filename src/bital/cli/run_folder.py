"""The folder that one training run leaves behind, and nothing of how it is made or shown.

``model.safetensors``
    The best model of the run, from ``model.save``.
``config.json``
    What was asked: all options, the split of the data, versions.
``metrics.csv``
    One row for each finished epoch.
``metrics.json``
    The end of the run: status, best epoch, times, loss and accuracy on each part of the data.
``curves.png``, ``predictions.png``, ...
    Pictures, where matplotlib is installed.
``report.html``
    Of a table: all about the run on one page.
``checkpoints``
    What ``bital train --resume`` goes on from; gone when the training is done.

Every file is written beside its place and then renamed into it: whoever reads the folder, at any
moment and after any crash, finds whole files only.
"""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from bital.errors import RunFolderError
from bital.keras.files import write_atomically

Keys: TypeAlias = Mapping[str, type | tuple[type, ...]]
"""What a JSON object must hold, and of which type."""

FORMAT = 1
SIZE_LIMIT = 16 * 2**20
"""Bytes that a JSON or CSV file of a run may have; ours have a few thousand."""

CONFIG_KEYS: Keys = {
    "format": int,
    "command": str,
    "started": str,
    "options": dict,
    "versions": dict,
}
METRICS_KEYS: Keys = {
    "status": str,
    "epochs": int,
    "best_epoch": int,
    "seconds": (int, float),
    "scores": dict,
}


@dataclass(frozen=True)
class RunFolder:
    """The places inside a run folder, with reading and writing of its tables.

    Parameters
    ----------
    path : Path
    writes : bool, default True
        False in a process that leaves the writing to another.
    """

    path: Path
    writes: bool = True

    @property
    def model(self) -> Path:
        """Where the best model is."""
        return self.path / "model.safetensors"

    @property
    def config(self) -> Path:
        """Where the options are."""
        return self.path / "config.json"

    @property
    def metrics(self) -> Path:
        """Where the end of the run is."""
        return self.path / "metrics.json"

    @property
    def history(self) -> Path:
        """Where the epochs are."""
        return self.path / "metrics.csv"

    @property
    def curves(self) -> Path:
        """Where the picture of loss and accuracy is."""
        return self.path / "curves.png"

    @property
    def report(self) -> Path:
        """Where the page about a run on a table is."""
        return self.path / "report.html"

    @property
    def checkpoints(self) -> Path:
        """Where the state of an unfinished training is."""
        return self.path / "checkpoints"

    @property
    def predictions(self) -> Path:
        """Where the picture of digits is."""
        return self.path / "predictions.png"

    def write(self, path: Path, content: bytes) -> None:
        """Write a whole file, or leave what was there."""
        if not self.writes:
            return

        def fill(temporary: Path) -> None:
            temporary.write_bytes(content)

        write_atomically(path, fill)

    def write_json(self, path: Path, content: Mapping[str, Any]) -> None:
        """Write a JSON object as text that people can read too."""
        self.write(path, (json.dumps(content, indent=2, allow_nan=False) + "\n").encode())

    def write_history(self, rows: Sequence[Mapping[str, float]]) -> None:
        """Write one line for each epoch; the first row names the columns."""
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        self.write(self.history, text.getvalue().encode())

    def read_config(self) -> dict[str, Any]:
        """Read what was asked.

        Raises
        ------
        RunFolderError
            The file is missing, is not JSON, or is of a later format.
        """
        config = _read_json(self.config, CONFIG_KEYS)
        if config.get("format") != FORMAT:
            raise RunFolderError(
                f"{self.config}: format {config.get('format')!r}, but this version of bital reads "
                f"format {FORMAT}."
            )
        return config

    def read_metrics(self) -> dict[str, Any] | None:
        """Read the end of the run, or None when the run never came to its end."""
        if not self.metrics.exists():
            return None
        metrics = _read_json(self.metrics, METRICS_KEYS)
        for name, score in metrics["scores"].items():
            where = f"{self.metrics}: score {name!r}"
            _require(score, {}, where)
            _require(score, dict.fromkeys(score, (int, float, type(None))), where)
        return metrics

    def read_history(self) -> list[dict[str, float]]:
        """Read the finished epochs.

        Raises
        ------
        RunFolderError
            A cell is not a number.
        """
        if not self.history.exists():
            return []
        rows = csv.DictReader(io.StringIO(_read_text(self.history), newline=""))
        try:
            return [{name: float(cell) for name, cell in row.items()} for row in rows]
        except (TypeError, ValueError, csv.Error) as error:
            raise RunFolderError(f"{self.history} is damaged: {error}.") from error


def create(out: Path | None, default_parent: Path = Path("runs"), name: str = "mnist") -> RunFolder:
    """Make a new run folder, and make sure that files can be written into it.

    Parameters
    ----------
    out : Path, optional
        The folder; it must not exist yet or be empty. Default: the first free one of
        ``runs/mnist-1``, ``runs/mnist-2``, ...

    Raises
    ------
    RunFolderError
        The folder holds files already, or cannot be made or written.
    """
    try:
        path = _next_free(default_parent, name) if out is None else _empty(out)
        probe = path / ".probe"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        place = out or default_parent
        raise RunFolderError(
            f"The run folder {place} cannot be written ({error.strerror or error}). Nothing was "
            "trained. Choose another place with --out."
        ) from error
    return RunFolder(path)


def open_run(path: Path) -> RunFolder:
    """Open the folder of an earlier run.

    Raises
    ------
    RunFolderError
        It is not a run folder, or its run ended before it had a model.
    """
    folder = _known(path)
    if not folder.model.is_file():
        raise RunFolderError(
            f"{path} holds no model: its run ended before the first one was saved. Train again: "
            f"bital {folder.read_config()['command']}"
        )
    return folder


def open_unfinished(path: Path) -> RunFolder:
    """Open the folder of a run that was interrupted, to go on with it.

    Raises
    ------
    RunFolderError
        It is not a run folder, or its run is done.
    """
    folder = _known(path)
    if not folder.checkpoints.is_dir():
        raise RunFolderError(
            f"{path} holds no checkpoints: its training came to its end, and there is nothing to "
            f"go on with. Train anew: bital {folder.read_config()['command']}"
        )
    return folder


def _known(path: Path) -> RunFolder:
    folder = RunFolder(path)
    if not path.is_dir() or not folder.config.is_file():
        reason = "is not a folder" if not path.is_dir() else "has no config.json"
        raise RunFolderError(
            f"{path} is not a run folder: it {reason}. Give a folder that `bital train` made, "
            "such as runs/mnist-1."
        )
    return folder


def _next_free(parent: Path, name: str) -> Path:
    parent.mkdir(parents=True, exist_ok=True)
    number = 1
    while True:
        path = parent / f"{name}-{number}"
        try:
            path.mkdir()  # fails if it exists: two runs started at once get two folders
        except FileExistsError:
            number += 1
        else:
            return path


def _empty(path: Path) -> Path:
    if path.exists() and not path.is_dir():
        raise RunFolderError(f"--out {path} is a file. Name a folder that does not exist yet.")
    path.mkdir(parents=True, exist_ok=True)
    if any(path.iterdir()):
        raise RunFolderError(
            f"--out {path} is not empty, and a run never overwrites anything. Name a folder that "
            "does not exist yet, or leave --out away."
        )
    return path


def _read_text(path: Path) -> str:
    try:
        if path.stat().st_size > SIZE_LIMIT:
            raise RunFolderError(f"{path} has more than {SIZE_LIMIT} bytes: not a file of a run.")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RunFolderError(f"{path} cannot be read: {error}.") from error


def _read_json(path: Path, keys: Keys) -> dict[str, Any]:
    try:
        content = json.loads(_read_text(path))
    except (ValueError, RecursionError) as error:
        raise RunFolderError(f"{path} is damaged: {error}.") from error
    _require(content, keys, str(path))
    return dict(content)


def _require(content: Any, keys: Keys, where: str) -> None:
    """Check that ``content`` is a JSON object with these keys, each of its type."""
    if not isinstance(content, dict):
        raise RunFolderError(f"{where} is damaged: it is {type(content).__name__}, not an object.")
    for key, kind in keys.items():
        if not isinstance(content.get(key), kind):
            raise RunFolderError(f"{where} is damaged: {key!r} is {content.get(key)!r}.")
