"""Keras's callback for trainings that are interrupted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bital.errors import ArgumentError
from bital.keras import checks
from bital.keras.callbacks.base import Callback
from bital.keras.checkpoints import Checkpoints


class BackupAndRestore(Callback):
    """The same as ``fit(resume=backup_dir)``, by Keras's name.

    Parameters
    ----------
    backup_dir : str or path
        A folder of this training alone.
    save_freq : "epoch" or int, default "epoch"
        Save after each epoch, or after so many steps.
    double_checkpoint : bool, default False
        Keep the last two checkpoints instead of one.
    delete_checkpoint : bool, default True
        Remove the checkpoints when the training has come to its end. Then the same call of ``fit``
        trains anew.

    Raises
    ------
    ArgumentError
        For a value that is not allowed.

    Examples
    --------
    >>> BackupAndRestore("runs/backup").checkpoints.keep
    1
    """

    def __init__(
        self,
        backup_dir: str | Path,
        save_freq: Any = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ) -> None:
        who = "BackupAndRestore"
        if isinstance(save_freq, str) and save_freq != "epoch":
            raise ArgumentError(
                f"{who}(save_freq={save_freq!r}): must be 'epoch' or a number of steps."
            )
        steps = None if save_freq == "epoch" else checks.integer(who, "save_freq", save_freq)
        self.checkpoints = Checkpoints(
            backup_dir,
            epochs=1 if steps is None else None,
            steps=steps,
            seconds=None,
            keep=2 if checks.boolean(who, "double_checkpoint", double_checkpoint) else 1,
        )
        self.delete_checkpoint = checks.boolean(who, "delete_checkpoint", delete_checkpoint)
        self.checkpoints.removed_at_end = self.delete_checkpoint
