"""What a run on a table depends on, and the options that say it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from bital.cli import common, options

CLASSIFICATION, REGRESSION = "classification", "regression"
KINDS = ("number", "category", "hashed", "boolean", "date", "ignore")


@dataclass(frozen=True)
class Settings:
    """Everything that a run depends on, beside the table and the versions.

    None stands for what the estimator does by itself. Its choice of executor and threads is filled
    in before the run folder is written.
    """

    target: str
    task: str
    ignore: tuple[str, ...]
    kind: tuple[str, ...]
    test: float
    validation: float
    hidden: tuple[int, ...] | None
    activation: str | None
    optimizer: str | None
    learning_rate: float | None
    batch_size: int | None
    epochs: int | None
    dropout: float | None
    balanced: bool
    stream: bool
    seed: int
    threads: int | None
    executor: str | None

    @property
    def kinds(self) -> dict[str, str]:
        """The kinds of columns that were given, by name."""
        kinds = dict(text.rsplit("=", 1) for text in self.kind)
        return {**kinds, **dict.fromkeys(self.ignore, "ignore")}

    def parameters(self) -> dict[str, Any]:
        """What the options are in the constructor of an estimator."""
        given = {
            "hidden_layer_sizes": self.hidden,
            "activation": self.activation,
            "solver": self.optimizer,
            "learning_rate_init": self.learning_rate,
            "batch_size": self.batch_size,
            "max_iter": self.epochs,
            "dropout": self.dropout,
        }
        found = {name: value for name, value in given.items() if value is not None}
        if self.balanced and self.task == CLASSIFICATION:
            found["class_weight"] = "balanced"
        return {**found, "random_state": self.seed, "executor": self.executor}


def check_kind(_ctx: click.Context, _param: click.Parameter, given: tuple[str, ...]) -> Any:
    for text in given:
        name, _, kind = text.rpartition("=")
        if not name or kind not in KINDS:
            raise click.BadParameter(
                f"{text!r}: write COLUMN=KIND, with one of the kinds {', '.join(KINDS)}."
            )
    return given


def declare(command: Callable[..., None]) -> Any:
    """The options of ``bital train TABLE``, in the order of its help."""
    share = options.Number(0, 1, include_low=False)
    found = [
        click.option("--target", metavar="COLUMN", help="The column to learn."),
        click.option("--task", type=click.Choice(("auto", CLASSIFICATION, REGRESSION)),
                     default="auto", show_default=True,
                     help="Classes or quantities.  auto: what the target's values look like."),
        click.option("--ignore", multiple=True, metavar="COLUMN",
                     help="Leave a column out; may be repeated."),
        click.option("--kind", multiple=True, metavar="COLUMN=KIND", callback=check_kind,
                     help=f"What a column is: {', '.join(KINDS)}.  [default: what its values are]"),
        click.option("--test", type=share, default=0.2, show_default=True,
                     help="Share of the rows that is held out to the end."),
        click.option("--validation", type=share, default=0.1, show_default=True,
                     help="Share of the rows that chooses the epoch."),
        click.option("--hidden", type=options.LAYER_SIZES, help="Units of each hidden layer, as "
                     "300,100; or none.  [default: the estimator's, as of all below]"),
        click.option("--activation", type=click.Choice(options.ACTIVATIONS), metavar="NAME",
                     help=f"Of the hidden layers: {', '.join(options.ACTIVATIONS)}."),
        click.option("--optimizer", type=click.Choice(tuple(options.RATES))),
        click.option("--learning-rate", type=options.LEARNING_RATE),
        click.option("--batch-size", type=click.IntRange(1, 2**20)),
        click.option("--epochs", type=click.IntRange(1, 100_000)),
        click.option("--dropout", type=options.DROPOUT,
                     help="Share of hidden units left out at each step."),
        click.option("--balanced/--no-balanced", default=False, show_default=True,
                     help="Let each class count as much as any other, however rare it is."),
        click.option("--stream/--no-stream", default=None, help="Read the table piece by piece, "
                     "so that it may exceed the memory.  [default: from 256 MB]"),
        *common.train_options("The split, start weights, order of the rows, dropout.", "NAME"),
    ]  # fmt: skip
    return common.declared(command, found)
