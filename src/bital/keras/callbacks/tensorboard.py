"""Logs for TensorBoard, through the light writer tensorboardX."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from bital.errors import ArgumentError
from bital.keras import checks
from bital.keras.callbacks.base import Callback, Logs


class TensorBoard(Callback):
    """Writes event files that ``tensorboard --logdir logs`` shows: curves, histograms of weights.

    The scalars of an epoch are ``epoch_loss`` and its like, in the runs ``train`` and
    ``validation``; those of batches are ``batch_loss`` and its like, over the optimizer's steps.

    Needs the extra ``tensorboard``: ``pip install "bital[tensorboard]"``.

    Parameters
    ----------
    log_dir : str or path, default "logs"
        Folder of the runs.
    histogram_freq : int, default 0
        Epochs between histograms of all weights; 0 is never.
    update_freq : "epoch", "batch" or int, default "epoch"
        Whether the means so far are written for each batch too, or for each so manyth. This makes
        the training come back to Python after each batch.
    write_steps_per_second : bool, default False
        Whether the speed of each epoch is written.
    **options
        Keras's ``write_graph write_images profile_batch embeddings_freq embeddings_metadata`` are
        refused, unless they ask for nothing.

    Examples
    --------
    >>> TensorBoard("runs/first", histogram_freq=1).update_freq
    'epoch'
    """

    def __init__(
        self,
        log_dir: Any = "logs",
        histogram_freq: int = 0,
        update_freq: str | int = "epoch",
        write_steps_per_second: bool = False,
        **options: Any,
    ) -> None:
        who = "TensorBoard"
        self.log_dir = Path(log_dir)
        self.histogram_freq = checks.integer(who, "histogram_freq", histogram_freq, low=0)
        self.update_freq = update_freq
        every = {"epoch": 0, "batch": 1}.get(update_freq) if isinstance(update_freq, str) else None
        self._every = checks.integer(who, "update_freq", update_freq) if every is None else every
        self.write_steps_per_second = checks.boolean(
            who, "write_steps_per_second", write_steps_per_second
        )
        known = ("write_graph", "write_images", "profile_batch", "embeddings_freq")
        asked = {name: value or None for name, value in options.items()}
        checks.absent(who, asked, (*known, "embeddings_metadata"))
        self._writers: dict[str, Any] = {}
        self._begun = 0
        self._clock = 0.0
        if self._every:
            # A class of its own, so that a training without it stays free of the cost of the hook.
            self.__class__ = _OfBatches

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Look for the writer, before anything is trained."""
        _writer_class()

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Start the clock."""
        self._begun, self._clock = self.model.optimizer.iterations, time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Write the epoch."""
        values = dict(logs or {})
        values.setdefault("learning_rate", float(self.model.optimizer.learning_rate))
        for name, value in values.items():
            run = "validation" if name.startswith("val_") else "train"
            self._writer(run).add_scalar(f"epoch_{name.removeprefix('val_')}", value, epoch)
        if self.write_steps_per_second:
            steps = self.model.optimizer.iterations - self._begun
            speed = steps / max(time.perf_counter() - self._clock, 1e-9)
            self._writer("train").add_scalar("epoch_steps_per_second", speed, epoch)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            for variable in self.model.weights:
                self._writer("train").add_histogram(variable.path, variable.numpy(), epoch)
        for writer in self._writers.values():
            writer.flush()

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Close the files."""
        for writer in self._writers.values():
            writer.close()
        self._writers = {}

    def _writer(self, run: str) -> Any:
        if run not in self._writers:
            self._writers[run] = _writer_class()(str(self.log_dir / run))
        return self._writers[run]


class _OfBatches(TensorBoard):
    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Write the means so far."""
        step = self.model.optimizer.iterations
        if step % self._every == 0:
            for name, value in (logs or {}).items():
                self._writer("train").add_scalar(f"batch_{name}", value, step)


def _writer_class() -> Any:
    try:
        from tensorboardX import SummaryWriter
    except ImportError as error:
        raise ArgumentError(
            "TensorBoard() writes its files with tensorboardX, which is not installed. Write "
            'pip install "bital[tensorboard]", or log with CSVLogger or JSONLogger.'
        ) from error
    return SummaryWriter
