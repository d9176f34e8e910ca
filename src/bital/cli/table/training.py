"""Training on a table, from settings to a finished run folder.

The order of things: table, target, parts, what the columns become (learned from the training rows
alone), epochs, then the best epoch is measured on all parts. What is chosen by looking at data (the
epoch) is chosen on the validation rows; the test rows are looked at once, at the end.
"""

import re
import shlex
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import bital
from bital import sklearn, tables
from bital.cli import recording, together
from bital.cli.progress import Progress
from bital.cli.recording import Outcome, Recorder, Row, Say, blas_threads, keep_best, watch
from bital.cli.run_folder import RunFolder
from bital.cli.table import data, encoded, scores
from bital.cli.table.data import PARTS, TEST, TRAIN, VALIDATION, Table
from bital.cli.table.settings import CLASSIFICATION, Settings

SECONDS = 5.0
"""Between two writings of the model while it trains."""
PACKAGES = ("scikit-learn", "polars")


class Notes(list[str]):
    """What one should look at: warnings, in the words of the command line."""

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Turn warnings into notes."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield
        for warning in caught:
            text = re.sub(r"kinds=\{'(.*?)': '(\w+)'\}", r"--kind '\1=\2'", str(warning.message))
            self.add(text[:1].upper() + text[1:])

    def add(self, text: str) -> None:
        """Note something once."""
        if text not in self:
            self.append(text)


class EstimatorRecorder(Recorder):
    """A recorder whose best epoch is that of the estimator's own rule, and whose file is its."""

    def __init__(
        self, folder: RunFolder, shown: Progress | None, estimator: Any, training: Any
    ) -> None:
        self._estimator, self._training = estimator, training
        follows = training.progress
        sign = 1 if follows.score else -1

        def quality(row: Row) -> tuple[float, ...]:
            return (sign * row[follows.monitor],)

        names = names_of(estimator)
        super().__init__(folder, shown, names, quality, self._write, every=SECONDS)

    def get_state(self) -> dict[str, Any]:
        """Everything so far, the estimator's patience too."""
        follows = self._training.progress.state()
        del follows["best_weights"]  # the recorder has them
        return {**super().get_state(), "follows": follows}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on where a checkpoint was made."""
        super().set_state(state)
        follows = self._training.progress
        vars(follows).update(vars(type(follows).from_state(state["follows"], None)))

    def _write(self) -> None:
        estimator = self._estimator
        estimator.model_, estimator.n_iter_ = self._training.model, len(self.rows)
        left_out = ("epoch", "learning_rate", "seconds")
        names = [name for name in (self.rows or [{}])[0] if name not in left_out]
        estimator.history_ = {name: [row[name] for row in self.rows] for name in names}
        estimator.save(self.folder.model)


def names_of(estimator: Any) -> tuple[str, str]:
    """What is recorded of each epoch."""
    return "loss", estimator._metric()


class Prepared(NamedTuple):
    """A table whose target and columns have been understood."""

    path: Path
    table: Table
    settings: Settings
    encoder: Any
    notes: Notes


def prepare(path: Path, settings: Settings) -> Prepared:
    """Read a table, settle the task, and learn what its columns become.

    Raises
    ------
    DataError
        It cannot be learned; nothing has been written.
    """
    notes = Notes()
    with notes.kept():
        table, settings = data.opened(path, settings)
        encoder = tables.TableEncoder(settings.kinds).fit(table.frames(TRAIN))
    for name in table.target.leaks:
        notes.add(f"To leave {name!r} out: --ignore {shlex.quote(name)}")
    return Prepared(path, table, settings, encoder, notes)


def run(
    prepared: Prepared, folder: RunFolder, show: bool, say: Say, shared: bool = False
) -> Outcome:
    """Train, and leave the finished run folder; go on where the folder holds checkpoints.

    Ctrl-C, a loss that is no longer finite, and another Ctrl-C are as for digits.

    Raises
    ------
    NonFiniteLossError
        After everything that could be kept was written.
    """
    goes_on = folder.writes and folder.checkpoints.is_dir()
    if goes_on:
        data.require_same(prepared.path, folder.read_config()["data"])
        folder.metrics.unlink(missing_ok=True)  # of the interruption
    rows = folder.path / "rows" if folder.writes else Path(tempfile.mkdtemp())
    try:
        with prepared.notes.kept():
            estimator, training = _begin(prepared, rows)
        prepared = _settled(prepared, training.model)
        if not goes_on:
            folder.write_json(folder.config, _config(prepared))
        for line in (_told(prepared), *(f"Note: {note}" for note in prepared.notes)):
            say(line)
        say(f"{network_of(estimator, training.model)}; run folder {folder.path}")
        progress = Progress(names_of(estimator)) if show else None
        recorder = EstimatorRecorder(folder, progress, estimator, training)
        training.arguments["callbacks"] += [recorder] if progress is None else [progress, recorder]
        with blas_threads(prepared.settings.threads, say), together.devices(shared):
            status, failure = watch(
                lambda: training.model.fit(
                    training.x, training.y, **training.arguments, resume=folder.checkpoints
                )
            )
        with blas_threads(prepared.settings.threads, say):
            outcome = _finish(prepared, training.model, recorder, status, say)
    finally:
        shutil.rmtree(rows, ignore_errors=True)
    if status != "interrupted" and folder.writes:
        shutil.rmtree(folder.checkpoints, ignore_errors=True)
    if failure is not None:
        raise failure
    return outcome


def _told(prepared: Prepared) -> str:
    table, settings = prepared.table, prepared.settings
    counts = ", ".join(f"{(table.part == part).sum():,} {name}" for name, part in PARTS.items())
    without = int((table.part == data.NONE).sum())
    left_out = f" ({without:,} without a target left out)" if without else ""
    reason = table.target.reason
    return f"{settings.task} of {settings.target}: {reason}\n{counts} rows{left_out}"


def _begin(prepared: Prepared, rows: Path) -> tuple[Any, Any]:
    """The estimator with its network, and its training, before the first step."""
    table, settings = prepared.table, prepared.settings
    inputs = encoded.Inputs(prepared.encoder, np.float32)

    def encode(part: int) -> encoded.Rows:
        make = encoded.on_disk(rows) if settings.stream else np.empty
        count = int((table.part == part).sum())
        return inputs.rows(table.frames(part), count, make)

    classifies = settings.task == CLASSIFICATION
    estimator = encoded.estimator(
        sklearn.DNNClassifier if classifies else sklearn.DNNRegressor,
        inputs,
        [column.name for column in prepared.encoder.columns_ if column.became],
        early_stopping=True,
        restore_best=False,  # the recorder does so
        n_iter_no_change=np.inf,  # the learning rate falls to 0 over all epochs
        monitor="val_loss",  # accuracy on few rows moves in steps, and stops too early
        **settings.parameters(),
    )
    validation = encode(VALIDATION), table.labels(VALIDATION)
    training = estimator._begin(encode(TRAIN), table.labels(TRAIN), validation_data=validation)
    if settings.stream:  # arrays on the disk are gone through as a whole
        training.arguments.pop("steps_per_epoch", None)
    return estimator, training


def _settled(prepared: Prepared, model: Any) -> Prepared:
    """With the executor that the estimator has chosen, and its threads."""
    name = model.executor or bital.config.executor_name()
    threads = prepared.settings.threads or recording.default_threads(name)
    settled = replace(prepared.settings, executor=name, threads=threads)
    return prepared._replace(settings=settled)


def network_of(estimator: Any, model: Any) -> str:
    """The network in a few words."""
    hidden = "-".join(str(layer.units) for layer in model.layers if hasattr(layer, "units"))
    kind = type(estimator).__name__
    return f"{kind}: network of {hidden} units, {model.count_params():,} weights"


def _config(prepared: Prepared) -> dict[str, Any]:
    described = {
        "name": "table",
        **data.fingerprint(prepared.path),
        "rows": len(prepared.table.part),
        "types": prepared.table.types,
    }
    command = shlex.join(["train", str(prepared.path)])
    return recording.config(command, prepared.settings, described, *PACKAGES)


def _finish(prepared: Prepared, model: Any, recorder: Recorder, status: str, say: Say) -> Outcome:
    """Measure the best weights, and write the end of the run, its report and its pictures."""
    from bital.cli.table import report

    table, seconds = prepared.table, recorder.seconds
    if not recorder.folder.writes:
        return Outcome(status, recorder.best_epoch, len(recorder.rows), seconds, {})
    found: dict[str, recording.Score] = {}
    given: dict[str, NDArray[Any]] = {}
    if keep_best(recorder, model, status):
        fitted = sklearn.load(recorder.folder.model)
        for name, part in PARTS.items():
            given[name] = scores.answers(fitted, table.frames(part))
            found[name] = scores.measured(table.y(part), given[name])
        classes = 0 if table.target.classes is None else len(table.target.classes)
        found["baseline"] = scores.baseline(table.y(TRAIN), table.y(TEST), classes)
    outcome = recording.ended(recorder, status, seconds, found)
    if given:
        report.write(prepared, fitted, recorder, outcome, given["test"], say)
    return outcome
