"""How ``bital train`` shows itself: a row for each epoch, and a bar over the whole training.

``fit`` has a bar of its own, one for each epoch. Here the whole length of the run is known and four
numbers are of interest, so a table that fits into 80 columns says more.
"""

import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from bital.keras.callbacks import Callback

NAMES = ("loss", "accuracy")


def header(names: Sequence[str] = NAMES) -> tuple[str, str]:
    """The head of the table of epochs, for these values.

    Examples
    --------
    >>> print(*header(("loss", "r2")), sep="\\n")
              training          validation
     epoch    loss        r2    loss        r2   seconds  (* best so far)
    """
    heads = "".join(f"{name:>{10 if place else 8}}" for place, name in enumerate(names))
    return (
        f"{'training':>18}{'validation':>{len(heads) + 2}}",
        f" epoch{2 * heads}   seconds  (* best so far)",
    )


HEADER = header()


def row_text(row: Mapping[str, float], epochs: int, best: bool) -> str:
    """One epoch as a line; the best so far has a star.

    Examples
    --------
    >>> row = {"epoch": 3, "loss": 0.25, "accuracy": 0.925, "val_loss": 0.2, "val_accuracy": 0.9425}
    >>> row_text({**row, "seconds": 1.36}, epochs=20, best=True)
    '  3/20  0.2500   92.50 %  0.2000   94.25 %       1.4 *'
    """
    names = [name for name in row if f"val_{name}" in row]
    numbers = "".join(_cell(row[prefix + n], n) for prefix in ("", "val_") for n in names)
    counted = f"{row['epoch']:.0f}/{epochs}"
    return f"{counted:>6}{numbers}{row['seconds']:10.1f}{' *' if best else ''}"


def _cell(value: float, name: str) -> str:
    if name == "accuracy":
        return f"{100 * value:8.2f} %"
    return f"{value:{8 if name == 'loss' else 10}.4f}"


class Progress(Callback):
    """Rows on standard output, and below them a bar where someone watches."""

    every_batch = False

    def __init__(self, names: Sequence[str] = NAMES) -> None:
        self._names = names
        self._bar: Any = None
        self._epoch = 0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Start the table and the bar."""
        from tqdm import tqdm

        self._bar = tqdm(
            total=self.params["epochs"] * self.params["steps"],
            file=sys.stdout,
            leave=False,
            # Room for the ^C that terminals echo: it would wrap, and leave half a bar behind.
            ncols=max(20, min(80, shutil.get_terminal_size().columns) - 4),
            disable=not sys.stdout.isatty(),
            bar_format="{percentage:3.0f} % |{bar}| {elapsed} gone, {remaining} left",
        )
        for line in header(self._names):
            self._write(line)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Count from the epoch's first batch."""
        self._epoch = epoch

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Move the bar. Not at the batch's end: that hook would have the logs made for it."""
        done = self._epoch * self.params["steps"] + batch + 1
        self._bar.update(done - self._bar.n)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Take the bar away, however training ended."""
        if self._bar is not None:
            self._bar.close()

    def epoch_recorded(self, row: Mapping[str, float], best: bool) -> None:
        """Add a row to the table."""
        self._write(row_text(row, self.params["epochs"], best))

    def _write(self, line: str) -> None:
        self._bar.write(line, file=sys.stdout)
        sys.stdout.flush()
