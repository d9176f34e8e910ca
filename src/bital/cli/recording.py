"""How a training of any kind is watched: its epochs, its best model, and how it ended."""

import math
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

import bital
from bital import keras
from bital.cli.progress import Progress
from bital.cli.run_folder import FORMAT, RunFolder
from bital.errors import NonFiniteLossError

Say: TypeAlias = Callable[[str], None]
Row: TypeAlias = Mapping[str, float]
Score: TypeAlias = Mapping[str, float]


@dataclass(frozen=True)
class Outcome:
    """How a run ended: ``finished``, ``interrupted`` or ``failed``, and how good its model is."""

    status: str
    best_epoch: int
    epochs: int
    seconds: float
    scores: dict[str, Score]


def config(command: str, options: Any, data: dict[str, Any], *packages: str) -> dict[str, Any]:
    """What a run is, for its folder: the dataclass of its options, its data, the versions."""
    from importlib.metadata import version

    return {
        "format": FORMAT,
        "command": command,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "options": asdict(options),
        "data": data,
        "versions": {
            "bital": bital.__version__,
            "numpy": np.__version__,
            **{name: version(name) for name in packages},
            "python": platform.python_version(),
            "machine": f"{platform.system()} {platform.machine()}",
        },
    }


def default_threads(executor: str) -> int:
    """How many threads an executor does well with.

    The native one shares its work among all, and gives the same weights for any number. With more
    than one of NumPy's BLAS a network of the books' size trains no faster, and many times slower
    as soon as another program wants a core too; sums in another order give a seed other weights.
    """
    return bital.config.num_threads() if executor == "native" else 1


@contextmanager
def blas_threads(count: int, say: Say) -> Iterator[None]:
    """Let matrix products use this many threads; the native executor keeps to BLAS's limit."""
    try:
        from threadpoolctl import threadpool_limits
    except ModuleNotFoundError:
        say("The number of threads is NumPy's own choice: threadpoolctl is not installed.")
        yield
    else:
        with threadpool_limits(limits=count, user_api="blas"):
            yield


def most_accurate(row: Row) -> tuple[float, ...]:
    """The highest validation accuracy is best, and among equals the lowest validation loss."""
    return row["val_accuracy"], -row["val_loss"]


def lowest_loss(row: Row) -> tuple[float, ...]:
    """The lowest validation loss is best."""
    return (-row["val_loss"],)


class Recorder(keras.callbacks.Callback):
    """After each epoch: one row of metrics, and the model if it is the best so far.

    Parameters
    ----------
    folder : RunFolder
        Where the rows go.
    progress : Progress, optional
        What is shown of them.
    names : sequence of str
        What is recorded, on the training and the validation part.
    quality : callable
        Of a row; the epoch where it is highest is the best, the first of equals.
    save : callable, optional
        Writes the model. Default: ``model.save`` into the folder.
    every : float, default 0
        Seconds between two writings, at least: epochs may be shorter than writing takes.
    """

    def __init__(
        self,
        folder: RunFolder,
        progress: Progress | None,
        names: Sequence[str] = ("loss", "accuracy"),
        quality: Callable[[Row], tuple[float, ...]] = most_accurate,
        save: Callable[[], None] | None = None,
        every: float = 0.0,
    ) -> None:
        self.rows: list[dict[str, float]] = []
        self.best_weights: list[NDArray[Any]] | None = None
        self.behind = False  # the file is not of the best epoch
        self.folder, self._progress = folder, progress
        self._names = (*names, *(f"val_{name}" for name in names))
        self._quality, self._save, self._every = quality, save, every
        self._saved = self._told = -math.inf
        self._start = self._begin = time.perf_counter()
        self._rate = 0.0

    @property
    def seconds(self) -> float:
        """How long the training has taken, the part before an interruption too."""
        return time.perf_counter() - self._start

    @property
    def best_epoch(self) -> int:
        """The first of the best epochs, counted from 1; 0 before there is one."""
        return int(max(self.rows, key=self._quality)["epoch"]) if self.rows else 0

    def get_state(self) -> dict[str, Any]:
        """Everything so far, for a checkpoint."""
        return {
            "rows": [dict(row) for row in self.rows],
            "best_weights": self.best_weights,
            "seconds": self.seconds,
            "epoch_seconds": time.perf_counter() - self._begin,
            "rate": self._rate,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on where a checkpoint was made."""
        self.rows, self.best_weights = list(state["rows"]), state["best_weights"]
        now = time.perf_counter()
        self._start, self._begin = now - state["seconds"], now - state["epoch_seconds"]
        self._rate = state["rate"]
        self.behind = True  # the file may be of an epoch after the checkpoint

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Note the time, and the learning rate of the epoch's first step."""
        self._rate = float(self.model.optimizer.learning_rate)
        self._begin = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Record the epoch, and keep the model if it is the best."""
        logs = logs or {}
        row = {"epoch": epoch + 1, **{name: float(logs[name]) for name in self._names}}
        row["learning_rate"] = self._rate
        row["seconds"] = round(time.perf_counter() - self._begin, 3)
        self.rows.append(row)
        better = self.best_epoch == row["epoch"]
        now = time.perf_counter()
        if better:
            self.best_weights = self.model.get_weights()
            self.behind = now < self._saved + self._every
            if not self.behind:
                self.save()
                self._saved = time.perf_counter()
        if now >= self._told + self._every:
            self.folder.write_history(self.rows)
            self._told = time.perf_counter()
        if self._progress is not None:
            self._progress.epoch_recorded(row, better)

    def save(self) -> None:
        """Write the model as it is now."""
        if not self.folder.writes:
            return
        if self._save is None:
            self.model.save(self.folder.model)
        else:
            self._save()


def watch(fit: Callable[[], Any]) -> tuple[str, NonFiniteLossError | None]:
    """Run a training to one of its three ends: the status, and what the failure was."""
    try:
        fit()
    except KeyboardInterrupt:  # fit raises it between two steps: the model is whole
        return "interrupted", None
    except NonFiniteLossError as error:
        return "failed", error
    return "finished", None


def keep_best(recorder: Recorder, model: Any, status: str) -> bool:
    """Give the model its best weights and see that its file has them; whether there are any."""
    recorder.set_model(model)  # Ctrl-C may have come before fit did so
    if recorder.rows:
        recorder.folder.write_history(recorder.rows)
    if recorder.best_weights is not None:
        model.set_weights(recorder.best_weights)
        if recorder.behind:
            recorder.save()
    elif status == "interrupted":  # before the first epoch was over: keep what there is
        recorder.save()
    else:
        return False
    return True


def ended(recorder: Recorder, status: str, seconds: float, scores: dict[str, Score]) -> Outcome:
    """Write the end of the run."""
    outcome = Outcome(status, recorder.best_epoch, len(recorder.rows), round(seconds, 3), scores)
    recorder.folder.write_json(recorder.folder.metrics, asdict(outcome))
    return outcome
