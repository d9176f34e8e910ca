"""Training of a digit classifier, from settings to a finished run folder.

The order of things: folder, data, model, epochs, then the best epoch's weights are measured on all
three parts of the data. What is chosen by looking at data (the epoch) is chosen on the validation
part; the test part is looked at once, at the end.
"""

import platform
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import bital
from bital import keras
from bital.cli import networks, plots
from bital.cli.networks import Settings
from bital.cli.progress import Progress
from bital.cli.run_folder import FORMAT, RunFolder
from bital.datasets import mnist
from bital.errors import MissingExtraError, NonFiniteLossError, RunFolderError

VALIDATION = 5_000
"""Images at the end of the training data that are held back to choose the epoch."""

Say = Callable[[str], None]


class Part(NamedTuple):
    """One part of the data: ``x``: (n, 784) float32 in [0, 1], ``y``: (n,) uint8."""

    x: NDArray[np.float32]
    y: NDArray[np.uint8]


class Score(NamedTuple):
    """Mean cross-entropy and share of right answers."""

    loss: float
    accuracy: float


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    status: str
    best_epoch: int
    epochs: int
    seconds: float
    scores: dict[str, Score]


def load_parts() -> dict[str, Part]:
    """MNIST in three parts: 55,000 to train, 5,000 to validate, 10,000 to test."""
    (x, y), (x_test, y_test) = mnist.load_mnist()
    return {
        "train": Part(x[:-VALIDATION], y[:-VALIDATION]),
        "validation": Part(x[-VALIDATION:], y[-VALIDATION:]),
        "test": Part(x_test, y_test),
    }


def score(probabilities: NDArray[Any], labels: NDArray[Any]) -> Score:
    """Cross-entropy and accuracy of probabilities ``(n, 10)`` for labels ``(n,)``."""
    right = np.take_along_axis(probabilities, labels[:, np.newaxis].astype(np.intp), axis=1)
    loss = -np.log(np.maximum(right, 1e-7), dtype=np.float64).mean()
    return Score(float(loss), float((probabilities.argmax(axis=1) == labels).mean()))


def probabilities_of(model: Any, x: NDArray[np.float32]) -> NDArray[Any]:
    """The model's answer, ``(n, 784) -> (n, 10)``.

    Raises
    ------
    RunFolderError
        The model is not one of images to ten digits.
    """
    shapes = model.input_shape, model.output_shape
    if shapes != ((None, 784), (None, 10)):
        raise RunFolderError(
            f"The model takes {shapes[0]} and gives {shapes[1]}; a model of digits takes "
            "(None, 784) and gives (None, 10)."
        )
    return np.asarray(model.predict(x, batch_size=1000, verbose=0))


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


class Recorder(keras.callbacks.Callback):
    """After each epoch: one row of metrics, and the model if it is the best so far.

    Best is the highest validation accuracy, and among equals the lowest validation loss.
    """

    def __init__(self, folder: RunFolder, progress: Progress | None) -> None:
        self.rows: list[dict[str, float]] = []
        self.best_weights: list[NDArray[Any]] | None = None
        self.resumed = False
        self.folder, self._progress = folder, progress
        self._start = self._begin = time.perf_counter()
        self._rate = 0.0

    @property
    def seconds(self) -> float:
        """How long the training has taken, the part before an interruption too."""
        return time.perf_counter() - self._start

    @property
    def best_epoch(self) -> int:
        """The first of the best epochs, counted from 1; 0 before there is one."""
        return int(max(self.rows, key=_quality)["epoch"]) if self.rows else 0

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
        self._rate, self.resumed = state["rate"], True

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Note the time, and the learning rate of the epoch's first step."""
        self._rate = float(self.model.optimizer.learning_rate)
        self._begin = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Record the epoch, and keep the model if it is the best."""
        logs = logs or {}
        names = ("loss", "accuracy", "val_loss", "val_accuracy")
        row = {"epoch": epoch + 1, **{name: float(logs[name]) for name in names}}
        row["learning_rate"] = self._rate
        row["seconds"] = round(time.perf_counter() - self._begin, 3)
        self.rows.append(row)
        better = self.best_epoch == row["epoch"]
        if better:
            self.best_weights = self.model.get_weights()
            self.model.save(self.folder.model)
        self.folder.write_history(self.rows)
        if self._progress is not None:
            self._progress.epoch_recorded(row, better)


def _quality(row: Mapping[str, float]) -> tuple[float, float]:
    return row["val_accuracy"], -row["val_loss"]


def run(settings: Settings, folder: RunFolder, show_progress: bool, say: Say) -> Outcome:
    """Train, and leave the finished run folder; go on where the folder holds checkpoints.

    After Ctrl-C, or a loss that is no longer finite, the best model so far is measured and kept
    like that of a whole run. Another Ctrl-C during that ends it at once; the model and the epochs
    are on the disk by then.

    Raises
    ------
    NonFiniteLossError
        After everything that could be kept was written.
    """
    goes_on = folder.checkpoints.is_dir()
    if goes_on:
        folder.metrics.unlink(missing_ok=True)  # of the interruption
    else:
        folder.write_json(folder.config, _config(settings))
    parts = load_parts()
    steps = -(-len(parts["train"].x) // settings.batch_size)
    model = networks.build(settings, steps)
    say(f"{settings.network}, {model.count_params():,} weights; run folder {folder.path}")
    status, failure = "finished", None
    progress = Progress() if show_progress else None
    recorder = Recorder(folder, progress)
    try:
        with blas_threads(settings.threads, say):
            model.fit(
                *parts["train"],
                batch_size=settings.batch_size,
                epochs=settings.epochs,
                validation_data=parts["validation"],
                callbacks=[recorder] if progress is None else [progress, recorder],
                verbose=0,
                resume=folder.checkpoints,
            )
    except KeyboardInterrupt:  # fit raises it between two steps: the model is whole
        status = "interrupted"
    except NonFiniteLossError as error:
        status, failure = "failed", error
    outcome = _finish(model, settings, recorder, status, parts, say)
    if status != "interrupted":
        shutil.rmtree(folder.checkpoints)
    if failure is not None:
        raise failure
    return outcome


def _config(settings: Settings) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "command": "train mnist",
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "options": asdict(settings),
        "data": {"name": "mnist", "validation": f"the last {VALIDATION} of the training images"},
        "versions": {
            "bital": bital.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
            "machine": f"{platform.system()} {platform.machine()}",
        },
    }


def _finish(
    model: Any,
    settings: Settings,
    recorder: Recorder,
    status: str,
    parts: dict[str, Part],
    say: Say,
) -> Outcome:
    """Measure the best weights, and write the end of the run and its pictures."""
    folder, seconds = recorder.folder, recorder.seconds
    if recorder.best_weights is not None:
        model.set_weights(recorder.best_weights)
        if recorder.resumed:  # the file may be of an epoch after the checkpoint
            model.save(folder.model)
    elif status == "interrupted":  # before the first epoch was over: keep what there is
        model.save(folder.model)
    answers: dict[str, NDArray[Any]] = {}
    if recorder.best_weights is not None or status == "interrupted":
        answers = {name: probabilities_of(model, part.x) for name, part in parts.items()}
    scores = {name: score(answer, parts[name].y) for name, answer in answers.items()}
    outcome = Outcome(status, recorder.best_epoch, len(recorder.rows), round(seconds, 3), scores)
    ends = {name: value._asdict() for name, value in scores.items()}
    folder.write_json(folder.metrics, {**asdict(outcome), "scores": ends})
    if answers:
        _draw(settings, recorder, parts["test"], answers["test"], say)
    return outcome


def _draw(
    settings: Settings, recorder: Recorder, test: Part, answer: NDArray[Any], say: Say
) -> None:
    """Draw the pictures, or say why there are none."""
    folder = recorder.folder
    title = f"{settings.network}, {settings.activation}, {settings.optimizer}, seed {settings.seed}"
    try:
        if recorder.rows:
            picture = plots.curves(recorder.rows, recorder.best_epoch, title)
            folder.write(folder.curves, picture)
        picture = plots.predictions(test.x, test.y, answer, settings.seed)
        folder.write(folder.predictions, picture)
    except MissingExtraError as error:
        say(str(error))
