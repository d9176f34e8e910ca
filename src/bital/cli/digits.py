"""Handwritten digits: what the commands do with MNIST, and with pictures of one's own."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from bital.cli import common, options, recording, report, together
from bital.cli.run_folder import RunFolder


def train_command(_data: str) -> click.Command:
    """``bital train mnist``."""
    return _train


def _train_options(command: Callable[..., None]) -> Any:
    """The options of ``bital train mnist``, in the order of its help."""
    rates = ", ".join(f"{rate:g} for {name}" for name, rate in options.RATES.items())
    default = options.default_text
    found = [
        click.option("--model", type=click.Choice(tuple(options.PRESETS)), default="mlp",
                     show_default=True, help="Dense layers; convolutions with batch normalization "
                     "and pooling; or an LSTM that reads the image row by row."),
        click.option("--hidden", type=options.LAYER_SIZES,
                     help="Units of each hidden layer, filters of each convolution; or none.  "
                     f"{default('hidden')}"),
        click.option("--activation", type=click.Choice(options.ACTIVATIONS), metavar="NAME",
                     help=f"Of the hidden layers: {', '.join(options.ACTIVATIONS)}.  "
                     f"{default('activation')}"),
        click.option("--optimizer", type=click.Choice(tuple(options.RATES)), default="adam",
                     show_default=True),
        click.option("--learning-rate", type=options.LEARNING_RATE,
                     help=f"The highest.  [default: {rates}]"),
        click.option("--schedule", type=click.Choice(("cosine", "onecycle", "constant")),
                     help="How the learning rate changes from step to step: it falls along half a "
                     "cosine, or rises before that, or stays.  "
                     f"{default('schedule')}"),
        click.option("--batch-size", type=click.IntRange(1, 55_000), help=default("batch_size")),
        click.option("--epochs", type=click.IntRange(1, 10_000), help=default("epochs")),
        click.option("--dropout", type=options.DROPOUT,
                     help="Share of hidden units left out at each step.  "
                     f"{default('dropout')}"),
        *common.train_options("Start weights, order of the images, dropout.", "mnist"),
    ]  # fmt: skip
    return common.declared(command, found)


@click.command("mnist", short_help="Train a classifier of handwritten digits.")
@_train_options
@common.executor_option
@click.pass_context
def _train(
    ctx: click.Context,
    /,
    out: Path | None,
    resume: Path | None,
    quiet: bool,
    distributed: bool,
    **chosen: Any,
) -> None:
    """Train a classifier of handwritten digits, and write a run folder.

    The last 5,000 of the 60,000 training images are held back: the epoch with the best accuracy on
    them is the one that is kept. Ctrl-C stops after the current batch and keeps the best model so
    far; the exit status is then 130. --resume goes on with such a run.
    """
    from bital.cli import networks, train

    with together.joined(distributed, chosen["executor"]) as processes:
        if resume is not None:
            unfinished, chosen = common.unfinished(ctx, resume, processes)
        with common.executor(together.executor_of(distributed, chosen.pop("executor"))) as name:
            rate = chosen.pop("learning_rate")
            rate = options.RATES[chosen["optimizer"]] if rate is None else rate
            chosen["threads"] = chosen["threads"] or recording.default_threads(name)
            chosen = options.complete(chosen)
            settings = networks.Settings(executor=name, learning_rate=rate, **chosen)
            new = together.new_folder
            folder = new(processes, out, "mnist") if resume is None else unfinished
            show = not quiet and folder.writes
            outcome = train.run(settings, folder, show, together.speaker(processes), distributed)
    common.echo_outcome(outcome, folder)


def predict(folder: RunFolder, data: Path, as_json: bool, **of_tables: Any) -> None:
    """Say which digit is in a picture, or which are in an array."""
    from bital.cli import images, train

    given = [f"--{name}" for name, value in of_tables.items() if value]
    if given:
        raise click.UsageError(f"{folder.path} is a run of digits: leave {given[0]} away.")
    digits = images.load(data)
    probabilities = train.probabilities_of(_load(folder), digits.images)
    if as_json:
        found = report.predictions_data(probabilities)
        common.echo_json({"file": str(data), "notes": digits.notes, "predictions": found})
        return
    for note in digits.notes:
        click.echo(f"({note})")
    common.echo_lines(report.prediction_lines(probabilities))


def evaluate(folder: RunFolder, data: Path | None, as_json: bool) -> None:
    """Measure on the training, validation and test images."""
    from bital.cli import train

    if data is not None:
        raise click.UsageError(f"{folder.path} is a run of digits: leave {data} away.")
    model = _load(folder)
    parts = train.load_parts()
    answers = {name: train.probabilities_of(model, part.x) for name, part in parts.items()}
    scores = {name: train.score(answers[name], part.y)._asdict() for name, part in parts.items()}
    table = report.confusion(parts["test"].y, answers["test"].argmax(axis=1))
    if as_json:
        common.echo_json({"run": str(folder.path), "scores": scores, "confusion": table.tolist()})
        return
    common.echo_lines(report.scores_table(scores))
    click.echo("\nThe test images:")
    common.echo_lines(report.confusion_table(table))


def summary(folder: RunFolder) -> Iterator[str]:
    """The network."""
    lines: list[str] = []
    _load(folder).summary(print_fn=lines.append)
    yield from lines


def _load(folder: RunFolder) -> Any:
    from bital import keras

    return keras.models.load_model(folder.model)
