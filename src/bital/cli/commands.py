"""The commands: options in, text out. What they do stands in the modules that they call."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

import bital
from bital.cli import options, report
from bital.errors import BitalError, ExecutorError

INTERRUPTED = 130  # 128 + SIGINT, what shells report for a program that Ctrl-C ended


class Commands(click.Group):
    """A group whose errors are messages: a traceback is for faults of bital itself."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; turn named errors into messages and Ctrl-C into exit status 130."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("\nStopped.", err=True)
            ctx.exit(INTERRUPTED)
        except BrokenPipeError:  # `bital predict ... | head`: click ends quietly
            raise
        except (BitalError, OSError) as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(bital.__version__, prog_name="bital")
def cli() -> None:
    """Train small neural networks, and use them.

    \b
    bital train mnist                      train a digit classifier
    bital predict runs/mnist-1 seven.png   which digit is that?

    Exit status: 0 done, 1 failed, 2 wrong command line, 130 stopped with Ctrl-C.
    """


def _check_executor(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    if value is not None:
        try:
            with bital.config.executor(value):
                pass
        except ExecutorError as error:
            raise click.BadParameter(str(error)) from error
    return value


executor_option = click.option(
    "--executor",
    callback=_check_executor,
    metavar="NAME",
    help="What runs the computations.  [default: $BITAL_EXECUTOR, or native where it is installed]",
)
run_argument = click.argument("run", type=click.Path(path_type=Path))
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


def _train_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options of ``bital train``, in the order of its help."""
    rates = ", ".join(f"{rate:g} for {name}" for name, rate in options.RATES.items())
    default = options.default_text
    declared = [
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
        click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True,
                     help="Start weights, order of the images, dropout."),
        click.option("--threads", type=click.IntRange(1, 1024),
                     help="For matrix products.  [default: all with the native executor, else 1]"),
        click.option("--out", type=click.Path(path_type=Path), metavar="FOLDER",
                     help="A new or empty folder.  [default: runs/mnist-1, -2, ...]"),
        click.option("--resume", type=click.Path(path_type=Path), metavar="RUN",
                     help="Go on with a run that was stopped or killed, with its own options, as "
                     "if nothing had happened."),
        click.option("--quiet", is_flag=True, help="No table and no bar while it trains."),
    ]  # fmt: skip
    for option in reversed(declared):
        command = option(command)
    return command


@cli.command(short_help="Train a classifier of handwritten digits.")
@click.argument("data", type=click.Choice(("mnist",)))
@_train_options
@executor_option
@click.pass_context
def train(
    ctx: click.Context,
    /,
    data: str,
    out: Path | None,
    resume: Path | None,
    quiet: bool,
    **chosen: Any,
) -> None:
    """Train a classifier of handwritten digits, and write a run folder.

    The last 5,000 of the 60,000 training images are held back: the epoch with the best accuracy on
    them is the one that is kept. Ctrl-C stops after the current batch and keeps the best model so
    far; the exit status is then 130. --resume goes on with such a run.
    """
    from bital.cli import networks, run_folder
    from bital.cli import train as training

    if resume is not None:
        _refuse_others(ctx, "data", "resume", "quiet")
        unfinished = run_folder.open_unfinished(resume)
        chosen = _options_of(ctx.command, unfinished)
    with _executor(chosen.pop("executor")) as name:
        rate = chosen.pop("learning_rate")
        rate = options.RATES[chosen["optimizer"]] if rate is None else rate
        chosen["threads"] = chosen["threads"] or training.default_threads(name)
        chosen = options.complete(chosen)
        settings = networks.Settings(executor=name, learning_rate=rate, **chosen)
        folder = run_folder.create(out, name=data) if resume is None else unfinished
        outcome = training.run(settings, folder, not quiet, click.echo)
    _echo_outcome(outcome, folder)
    if outcome.status == "interrupted":
        click.echo(f"\nTo go on: bital train {data} --resume {folder.path}")
        ctx.exit(INTERRUPTED)


def _refuse_others(ctx: click.Context, *allowed: str) -> None:
    """What --resume does is settled by the run."""
    for name in ctx.params:
        if name not in allowed and ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise click.UsageError(
                f"--resume goes on with the options of the run: leave --{name.replace('_', '-')} "
                "away."
            )


def _options_of(command: click.Command, folder: Any) -> dict[str, Any]:
    """The options that a run was started with, checked like those of a command line."""
    from bital.errors import RunFolderError

    written = options.as_arguments(folder.read_config()["options"])
    try:
        chosen = command.make_context("train", ["mnist", *written]).params
    except click.ClickException as error:
        raise RunFolderError(f"{folder.config} is damaged: {error.format_message()}") from error
    return {k: v for k, v in chosen.items() if k not in ("data", "out", "resume", "quiet")}


@cli.command(short_help="Say which digits are in a picture or an array.")
@run_argument
@click.argument("image", type=click.Path(path_type=Path))
@json_option
@executor_option
def predict(run: Path, image: Path, as_json: bool, executor: str | None) -> None:
    """Say which digit is in IMAGE: a picture (PNG, JPEG, ...) or an array that np.save wrote.

    A picture may have any size, and dark ink on light paper or the reverse: it is brought to the
    form of MNIST's images, and each such change is told. An array holds one or many images of 28 x
    28 gray values, ink bright.
    """
    from bital.cli import images
    from bital.cli import train as training

    with _executor(executor):
        digits = images.load(image)
        model = _load_model(run)
        probabilities = training.probabilities_of(model, digits.images)
    if as_json:
        found = report.predictions_data(probabilities)
        _echo_json({"file": str(image), "notes": digits.notes, "predictions": found})
        return
    for note in digits.notes:
        click.echo(f"({note})")
    _echo_lines(report.prediction_lines(probabilities))


@cli.command(short_help="Measure a trained model.")
@run_argument
@json_option
@executor_option
def evaluate(run: Path, as_json: bool, executor: str | None) -> None:
    """Measure the model of RUN on the training, validation and test images."""
    from bital.cli import train as training

    with _executor(executor):
        model = _load_model(run)
        parts = training.load_parts()
        answers = {name: training.probabilities_of(model, part.x) for name, part in parts.items()}
    scores = {name: training.score(answers[name], part.y)._asdict() for name, part in parts.items()}
    table = report.confusion(parts["test"].y, answers["test"].argmax(axis=1))
    if as_json:
        _echo_json({"run": str(run), "scores": scores, "confusion": table.tolist()})
        return
    _echo_lines(report.scores_table(scores))
    click.echo("\nThe test images:")
    _echo_lines(report.confusion_table(table))


@cli.command(short_help="Show what a run folder holds.")
@run_argument
@json_option
def inspect(run: Path, as_json: bool) -> None:
    """Show what RUN is: network, options, best epoch, results, files."""
    from bital.cli import run_folder

    folder = run_folder.open_run(run)
    config, metrics = folder.read_config(), folder.read_metrics()
    files = {p.name: p.stat().st_size for p in sorted(run.iterdir()) if p.is_file()}
    if as_json:
        _echo_json({"run": str(run), "config": config, "metrics": metrics, "files": files})
        return
    model = _load_model(run)
    click.echo(
        f"{config['command']}, {config['started']}, bital {config['versions'].get('bital')}\n"
    )
    model.summary(print_fn=click.echo)
    click.echo("\nOptions")
    _echo_lines(report.options_lines(config["options"]))
    click.echo("\nResults")
    if metrics is None:
        click.echo("  none: the run did not come to its end; the model is its best epoch so far")
    else:
        click.echo(
            f"  {metrics['status']}: {metrics['epochs']} epochs in {metrics['seconds']:.1f} s, "
            f"kept epoch {metrics['best_epoch']}"
        )
        _echo_lines(f"  {line}" for line in report.scores_table(metrics["scores"]))
    if folder.checkpoints.is_dir():
        click.echo(f"\nTo go on: bital {config['command']} --resume {run}")
    click.echo(f"\nFiles in {run.resolve()}")
    _echo_lines(f"  {name:<20}{size:>12,} bytes" for name, size in files.items())


@contextmanager
def _executor(name: str | None) -> Iterator[str]:
    """Compute with the executor that was asked for, or with the default; yields its name."""
    name = name or bital.config.executor_name()
    with bital.config.executor(name):
        yield name


def _load_model(run: Path) -> Any:
    from bital import keras
    from bital.cli import run_folder

    return keras.models.load_model(run_folder.open_run(run).model)


def _echo_outcome(outcome: Any, folder: Any) -> None:
    """The end of a training run."""
    stopped = {"interrupted": "Stopped with Ctrl-C: ", "finished": ""}[outcome.status]
    kept = f"epoch {outcome.best_epoch} kept" if outcome.epochs else "the weights so far are kept"
    epochs = "1 epoch" if outcome.epochs == 1 else f"{outcome.epochs} epochs"
    click.echo(f"{stopped}{epochs} in {outcome.seconds:.1f} s, {kept}\n")
    _echo_lines(report.scores_table({n: s._asdict() for n, s in outcome.scores.items()}))
    click.echo(f"\nIn {folder.path}:")
    _echo_lines(f"  {path.name}" for path in sorted(folder.path.iterdir()))


def _echo_lines(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line)


def _echo_json(content: dict[str, Any]) -> None:
    click.echo(json.dumps(content, indent=2, allow_nan=False))
