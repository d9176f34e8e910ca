"""The commands. What they do depends on the data: see ``kinds``."""

from pathlib import Path
from typing import Any

import click

import bital
from bital.cli import common, kinds, report, run_folder
from bital.cli.tune import tune
from bital.errors import BitalError


class Commands(click.Group):
    """A group whose errors are messages: a traceback is for faults of bital itself."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; turn named errors into messages and Ctrl-C into exit status 130."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("\nStopped.", err=True)
            ctx.exit(common.INTERRUPTED)
        except BrokenPipeError:  # `bital predict ... | head`: click ends quietly
            raise
        except (BitalError, OSError) as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(bital.__version__, prog_name="bital")
def cli() -> None:
    """Train small neural networks, and use them.

    \b
    bital train mnist                        train a digit classifier
    bital predict runs/mnist-1 seven.png     which digit is that?
    bital train houses.csv --target price    learn a column of your own table
    bital predict runs/houses-1 new.csv --out predictions.csv

    Exit status: 0 done, 1 failed, 2 wrong command line, 130 stopped with Ctrl-C.
    """


@cli.group(
    cls=kinds.ByData,
    short_help="Train a network on MNIST's digits, or on a table.",
    subcommand_metavar="DATA [OPTIONS]",
    context_settings={"ignore_unknown_options": True},
)
def train() -> None:
    """Train a network, and write a run folder: its model, its figures, pictures.

    \b
    bital train mnist                        handwritten digits
    bital train houses.csv --target price    a table: CSV, TSV or Parquet

    \b
    The options of each:
    bital train mnist --help
    bital train houses.csv --help
    """


@cli.command(short_help="Say what a model makes of a picture, an array or a table.")
@common.run_argument
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the predictions for a table: .csv, .tsv or .parquet.  [default: print]",
)
@click.option(
    "--probabilities",
    is_flag=True,
    help="The probability of each class of a table beside the likeliest.",
)
@click.option(
    "--keep",
    multiple=True,
    metavar="COLUMN",
    help="Copy this column of the table beside its prediction; may be repeated.",
)
@common.json_option
@common.executor_option
def predict(run: Path, data: Path, executor: str | None, **asked: Any) -> None:
    """Say what the model of RUN makes of DATA.

    Digits: DATA is a picture (PNG, JPEG, ...) or an array that np.save wrote. A picture may have
    any size, and dark ink on light paper or the reverse: it is brought to the form of MNIST's
    images, and each such change is told. An array holds one or many images of 28 x 28 gray values,
    ink bright.

    Tables: DATA has the columns of the table that the run was trained on, of any number of rows;
    one prediction for each row, in their order.
    """  # fmt: skip
    folder = run_folder.open_run(run)
    with common.executor(executor):
        kinds.of_run(folder).predict(folder, data, **asked)


@cli.command(short_help="Measure a trained model.")
@common.run_argument
@click.argument("table", type=click.Path(path_type=Path), required=False)
@common.json_option
@common.executor_option
def evaluate(run: Path, table: Path | None, as_json: bool, executor: str | None) -> None:
    """Measure the model of RUN on its training, validation and test data.

    Or, of a run of a table, on all rows of another TABLE that has the target too.
    """
    folder = run_folder.open_run(run)
    with common.executor(executor):
        kinds.of_run(folder).evaluate(folder, table, as_json)


@cli.command(short_help="Show what a run folder holds.")
@common.run_argument
@common.json_option
def inspect(run: Path, as_json: bool) -> None:
    """Show what RUN is: network, options, best epoch, results, files."""
    folder = run_folder.open_run(run)
    config, metrics = folder.read_config(), folder.read_metrics()
    files = {p.name: p.stat().st_size for p in sorted(run.iterdir()) if p.is_file()}
    if as_json:
        common.echo_json({"run": str(run), "config": config, "metrics": metrics, "files": files})
        return
    lines = list(kinds.of_run(folder).summary(folder))
    click.echo(
        f"{config['command']}, {config['started']}, bital {config['versions'].get('bital')}\n"
    )
    common.echo_lines(lines)
    click.echo("\nOptions")
    common.echo_lines(report.options_lines(config["options"]))
    click.echo("\nResults")
    if metrics is None:
        click.echo("  none: the run did not come to its end; the model is its best epoch so far")
    else:
        click.echo(
            f"  {metrics['status']}: {metrics['epochs']} epochs in {metrics['seconds']:.1f} s, "
            f"kept epoch {metrics['best_epoch']}"
        )
        common.echo_lines(f"  {line}" for line in report.scores_table(metrics["scores"]))
    if folder.checkpoints.is_dir():
        click.echo(f"\nTo go on: bital {config['command']} --resume {run}")
    click.echo(f"\nFiles in {run.resolve()}")
    common.echo_lines(f"  {name:<20}{size:>12,} bytes" for name, size in files.items())


cli.add_command(tune)
