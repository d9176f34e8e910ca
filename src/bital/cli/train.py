"""Training of a digit classifier, from settings to a finished run folder.

The order of things: folder, data, model, epochs, then the best epoch's weights are measured on all
three parts of the data. What is chosen by looking at data (the epoch) is chosen on the validation
part; the test part is looked at once, at the end.
"""

import shutil
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bital.cli import networks, plots, recording, together
from bital.cli.networks import Settings
from bital.cli.progress import Progress
from bital.cli.recording import Outcome, Recorder, Say, blas_threads, ended, keep_best, watch
from bital.cli.run_folder import RunFolder
from bital.datasets import mnist
from bital.errors import MissingExtraError, RunFolderError

VALIDATION = 5_000
"""Images at the end of the training data that are held back to choose the epoch."""


class Part(NamedTuple):
    """One part of the data: ``x``: (n, 784) float32 in [0, 1], ``y``: (n,) uint8."""

    x: NDArray[np.float32]
    y: NDArray[np.uint8]


class Score(NamedTuple):
    """Mean cross-entropy and share of right answers."""

    loss: float
    accuracy: float


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


def run(
    settings: Settings, folder: RunFolder, show_progress: bool, say: Say, shared: bool = False
) -> Outcome:
    """Train, and leave the finished run folder; go on where the folder holds checkpoints.

    After Ctrl-C, or a loss that is no longer finite, the best model so far is measured and kept
    like that of a whole run. Another Ctrl-C during that ends it at once; the model and the epochs
    are on the disk by then. ``shared``: all devices, of all processes, train together.

    Raises
    ------
    NonFiniteLossError
        After everything that could be kept was written.
    """
    goes_on = folder.writes and folder.checkpoints.is_dir()
    if goes_on:
        folder.metrics.unlink(missing_ok=True)  # of the interruption
    else:
        folder.write_json(folder.config, _config(settings))
    parts = load_parts()
    steps = -(-len(parts["train"].x) // settings.batch_size)
    model = networks.build(settings, steps)
    say(f"{settings.network}, {model.count_params():,} weights; run folder {folder.path}")
    progress = Progress() if show_progress else None
    recorder = Recorder(folder, progress)
    with blas_threads(settings.threads, say), together.devices(shared):
        status, failure = watch(
            lambda: model.fit(
                *parts["train"],
                batch_size=settings.batch_size,
                epochs=settings.epochs,
                validation_data=parts["validation"],
                callbacks=[recorder] if progress is None else [progress, recorder],
                verbose=0,
                resume=folder.checkpoints,
            )
        )
    outcome = _finish(model, settings, recorder, status, parts, say)
    if status != "interrupted" and folder.writes:
        shutil.rmtree(folder.checkpoints)
    if failure is not None:
        raise failure
    return outcome


def _config(settings: Settings) -> dict[str, Any]:
    held_back = f"the last {VALIDATION} of the training images"
    return recording.config("train mnist", settings, {"name": "mnist", "validation": held_back})


def _finish(
    model: Any,
    settings: Settings,
    recorder: Recorder,
    status: str,
    parts: dict[str, Part],
    say: Say,
) -> Outcome:
    """Measure the best weights, and write the end of the run and its pictures."""
    seconds = recorder.seconds
    if not recorder.folder.writes:
        return Outcome(status, recorder.best_epoch, len(recorder.rows), seconds, {})
    answers: dict[str, NDArray[Any]] = {}
    if keep_best(recorder, model, status):
        answers = {name: probabilities_of(model, part.x) for name, part in parts.items()}
    scores = {name: score(answer, parts[name].y)._asdict() for name, answer in answers.items()}
    outcome = ended(recorder, status, seconds, scores)
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
