"""``bital tune``: the command, its options, and what it prints."""

import math
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from bital.cli import common, kinds, options
from bital.cli.table import settings as of_table


class Searched(click.ParamType):
    """One value, or a range ``LOW:HIGH`` of values."""

    name = "value"

    def __init__(self, kind: Any) -> None:
        self._kind = kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """A value as it is, a range as a pair."""
        text = str(value)
        if ":" not in text:
            return self._kind.convert(value, param, ctx)
        low, _, high = text.partition(":")
        ends = tuple(self._kind.convert(end, param, ctx) for end in (low, high))
        if not ends[0] < ends[1]:
            self.fail(f"{text!r}: a range is LOW:HIGH, the lower end first.", param, ctx)
        return ends


def _options(command: Callable[..., None]) -> Any:
    presets = click.Choice(tuple(options.PRESETS))
    found = [
        click.option("--target", metavar="COLUMN", help="The column of a table to learn."),
        click.option("--task", type=click.Choice(
                     ("auto", of_table.CLASSIFICATION, of_table.REGRESSION)), default="auto",
                     show_default=True, help="Of a table: classes or quantities."),
        click.option("--ignore", multiple=True, metavar="COLUMN",
                     help="Leave a column of a table out; may be repeated."),
        click.option("--kind", multiple=True, metavar="COLUMN=KIND", callback=of_table.check_kind,
                     help=f"What a column is: {', '.join(of_table.KINDS)}."),
        click.option("--folds", type=click.IntRange(2, 100), help="Of a table: cross-validate all "
                     "rows but those for the test.  [default: score on the validation part]"),
        click.option("--model", type=presets, default="mlp", show_default=True,
                     help="The network for digits."),
        click.option("--hidden", type=options.LAYER_SIZES, multiple=True,
                     help="Units of each hidden layer; repeat it, and these are the choices."),
        click.option("--learning-rate", type=Searched(options.LEARNING_RATE), multiple=True,
                     metavar="VALUE|LOW:HIGH",
                     help="A range, searched by factors; or a choice, and may be repeated."),
        click.option("--dropout", type=Searched(options.DROPOUT), multiple=True,
                     metavar="VALUE|LOW:HIGH", help="A range, or a choice that may be repeated."),
        click.option("--batch-size", type=click.IntRange(1, 2**20), multiple=True,
                     help="A choice; may be repeated."),
        click.option("--epochs", type=click.IntRange(1, 100_000),
                     help="Of each trial, at most.  [default: as bital train]"),
        click.option("--trials", type=click.IntRange(1, 1_000_000), help="Of the whole study.  "
                     "[default: 20; the whole grid]"),
        click.option("--sampler", type=click.Choice(("tpe", "random", "grid")), default="tpe",
                     show_default=True, help="By a model of what was good, at random, or all "
                     "combinations of choices."),
        click.option("--pruner", type=click.Choice(("median", "halving", "hyperband", "none")),
                     default="median", show_default=True, help="Which trials end early."),
        click.option("--minutes", type=options.Number(0, math.inf, include_low=False),
                     help="Begin no trial after so much time."),
        click.option("--jobs", type=click.IntRange(1, 1024), default=1, show_default=True,
                     help="Trials at the same time, each in a process with its share of threads."),
        click.option("--study", type=click.Path(path_type=Path), metavar="FOLDER",
                     help="A new folder, or that of a study to go on with; several commands may "
                     "work on one at once.  [default: runs/tune-NAME-1, -2, ...]"),
        click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True,
                     help="Of what is drawn, and of each training."),
        click.option("--quiet", is_flag=True, help="No line for each trial."),
    ]  # fmt: skip
    return common.declared(command, found)


@click.command(short_help="Search for the best options of a network.")
@click.argument("data")
@_options
@common.executor_option
@click.pass_context
def tune(ctx: click.Context, /, data: str, **chosen: Any) -> None:
    """Search for the options of `bital train` with the best score: of digits, or of a table.

    \b
    bital tune mnist --trials 30
    bital tune houses.csv --target price --learning-rate 1e-4:1e-2 --hidden 64 --hidden 128,64

    What is not given is searched in a range that suits most data. Trials that fall behind end
    early. The study is on the disk: after Ctrl-C or a kill, the same command with --study FOLDER
    goes on, and loses nothing that was finished.
    """
    from bital.cli import studies

    kind = kinds.named(data)
    if kind is None:
        raise click.UsageError(
            f"{data!r} is not 'mnist', and not a table: give a file whose name ends in "
            f"{', '.join(kinds.TABLES[:-1])} or {kinds.TABLES[-1]}."
        )
    if kind == "table" and chosen["target"] is None:
        raise click.UsageError(f"Name the column to learn: bital tune {data} --target COLUMN")
    with common.executor(chosen.pop("executor")) as executor:
        study = studies.Study(data, kind, executor, chosen)
        status = study.run(click.echo)
    common.echo_lines(study.lines())
    if status == "interrupted":
        words = shlex.join(["bital", "tune", data])
        click.echo(f"\nTo go on: {words} --study {study.folder} with the same options")
        ctx.exit(common.INTERRUPTED)
