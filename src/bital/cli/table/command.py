"""Tables: what the commands do with them."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import click

from bital.cli import common, report, together
from bital.cli.run_folder import RunFolder
from bital.cli.table import settings as of_table
from bital.errors import MissingExtraError


def train_command(data: str) -> click.Command:
    """``bital train TABLE``."""
    train = click.pass_context(partial(_train, data))
    return click.command(data, help=_HELP)(of_table.declare(common.executor_option(train)))


_HELP = """Learn a column of a table (CSV, TSV or Parquet), and write a run folder.

Rows are dealt by chance to three parts: to train on, to choose the epoch, and a test part that is
looked at once, at the end. Columns become numbers and embeddings by what they hold; report.html
shows them, and how good the predictions are. Ctrl-C keeps the best epoch so far; the exit status is
then 130. --resume goes on with such a run.
"""


def _train(
    data: str,
    ctx: click.Context,
    /,
    out: Path | None,
    resume: Path | None,
    quiet: bool,
    distributed: bool,
    **chosen: Any,
) -> None:
    _require_sklearn()
    from bital.cli.table import data as of_data
    from bital.cli.table import training

    path = Path(data)
    if resume is None and chosen["target"] is None:
        raise click.UsageError(f"Name the column to learn: bital train {data} --target COLUMN")
    with together.joined(distributed, chosen["executor"]) as processes:
        if resume is not None:
            folder, chosen = common.unfinished(ctx, resume, processes)
        chosen["executor"] = together.executor_of(distributed, chosen["executor"])
        if chosen["stream"] is None:
            chosen["stream"] = of_data.streams(path)
        if chosen["test"] + chosen["validation"] >= 1:
            raise click.UsageError("--test and --validation leave no rows to train on.")
        prepared = training.prepare(path, of_table.Settings(**chosen))
        if resume is None:
            folder = together.new_folder(processes, out, path.name.split(".")[0] or "table")
        show = not quiet and folder.writes
        outcome = training.run(prepared, folder, show, together.speaker(processes), distributed)
    common.echo_outcome(outcome, folder)
    if folder.writes and folder.report.exists():
        click.echo(f"\nOpen {folder.report} in a browser.")


def _require_sklearn() -> None:
    """Explain what is missing, where the estimators cannot be imported."""
    try:
        import sklearn  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            "Tables need scikit-learn, which is not installed: pip install scikit-learn, or "
            'install bital with its extra "sklearn".'
        ) from error


def predict(
    folder: RunFolder,
    data: Path,
    out: Path | None,
    probabilities: bool,
    keep: tuple[str, ...],
    as_json: bool,
) -> None:
    """Predict the target for each row of a table."""
    _require_sklearn()
    from bital.cli.table import predicting

    if out is not None:
        predicting.check_place(out)
    found = predicting.predictions(folder, data, probabilities, keep)
    if out is not None:
        predicting.write(found, out)
        click.echo(f"{len(found):,} predictions in {out}")
    elif as_json:
        common.echo_json({"file": str(data), "predictions": found.to_dicts()})
    else:
        click.echo(found.write_csv(), nl=False)


def evaluate(folder: RunFolder, data: Path | None, as_json: bool) -> None:
    """Measure on the parts of the run's own table, or on all rows of another."""
    _require_sklearn()
    from bital.cli.table import predicting

    found = predicting.evaluation(folder, data)
    if as_json:
        common.echo_json({"run": str(folder.path), **found})
        return
    common.echo_lines(report.scores_table(found["scores"]))


def summary(folder: RunFolder) -> Iterator[str]:
    """What is learned from what, the columns, and the network."""
    _require_sklearn()
    from bital import sklearn

    config = folder.read_config()
    estimator = sklearn.load(folder.model)
    options = config["options"]
    yield f"{options['task']}: {options['target']} of {config['data']['path']}"
    yield ""
    yield from str(estimator.describe_columns()).splitlines()
    yield ""
    lines: list[str] = []
    estimator.model_.summary(print_fn=lines.append)
    yield from lines
