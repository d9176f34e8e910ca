"""What the commands have in common: options, executors, going on with a run, text out."""

import json
import shlex
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

import bital
from bital.cli import options, report, run_folder, together
from bital.cli.recording import Outcome
from bital.cli.run_folder import RunFolder
from bital.errors import ExecutorError, MissingExtraError, RunFolderError

INTERRUPTED = 130  # 128 + SIGINT, what shells report for a program that Ctrl-C ended

OF_A_COMMAND = ("out", "resume", "quiet", "distributed")
"""Options of ``bital train`` that say what to do now, and not what the run is."""


def _check_executor(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    if value is not None:
        try:
            with bital.config.executor(value):
                pass
        except (ExecutorError, MissingExtraError) as error:
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


def train_options(seeded: str, folder: str) -> list[Callable[..., Any]]:
    """The last options of every ``bital train``: what the seed fixes, the default folder."""
    return [
        click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True,
                     help=seeded),
        click.option("--threads", type=click.IntRange(1, 1024),
                     help="For matrix products.  [default: all with the native executor, else 1]"),
        click.option("--out", type=click.Path(path_type=Path), metavar="FOLDER",
                     help=f"A new or empty folder.  [default: runs/{folder}-1, -2, ...]"),
        click.option("--resume", type=click.Path(path_type=Path), metavar="RUN",
                     help="Go on with a run that was stopped or killed, with its own options, as "
                     "if nothing had happened."),
        click.option("--quiet", is_flag=True, help="No table and no bar while it trains."),
        together.option,
    ]  # fmt: skip


def declared(command: Callable[..., None], found: Iterable[Callable[..., Any]]) -> Any:
    """Give a command these options, in the order of its help."""
    for option in reversed(list(found)):
        command = option(command)
    return command


@contextmanager
def executor(name: str | None) -> Iterator[str]:
    """Compute with the executor that was asked for, or with the default; yields its name."""
    name = name or bital.config.executor_name()
    with bital.config.executor(name):
        yield name


def unfinished(
    ctx: click.Context, resume: Path, processes: Any = bital.config.ALONE
) -> tuple[RunFolder, dict[str, Any]]:
    """The run to go on with, and its options, checked like those of a command line.

    Raises
    ------
    click.UsageError
        Options stand beside --resume.
    RunFolderError
        It is not such a run, or was another command.
    """
    for name in ctx.params:
        given = ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if given and name not in ("resume", "quiet", "distributed"):
            raise click.UsageError(
                f"--resume goes on with the options of the run: leave --{name.replace('_', '-')} "
                "away."
            )
    folder, config = RunFolder(resume, writes=False), {}
    if processes.index == 0:
        folder = run_folder.open_unfinished(resume)
        config = folder.read_config()
    (config,) = processes.agree([config])
    asked = shlex.join(["train", str(ctx.info_name)])
    if config["command"] != asked:
        raise RunFolderError(
            f"{resume} is a run of `bital {config['command']}`, not of `bital {asked}`. Write: "
            f"bital {config['command']} --resume {resume}"
        )
    arguments = options.as_arguments(config["options"])
    try:
        chosen = ctx.command.make_context(ctx.info_name, arguments).params
    except click.ClickException as error:
        raise RunFolderError(f"{folder.config} is damaged: {error.format_message()}") from error
    return folder, {k: v for k, v in chosen.items() if k not in OF_A_COMMAND}


def echo_outcome(outcome: Outcome, folder: RunFolder) -> None:
    """The end of a training run."""
    if not folder.writes:
        _exit_if(outcome.status == "interrupted")
        return
    stopped = {"interrupted": "Stopped with Ctrl-C: ", "finished": ""}[outcome.status]
    kept = f"epoch {outcome.best_epoch} kept" if outcome.epochs else "the weights so far are kept"
    epochs = "1 epoch" if outcome.epochs == 1 else f"{outcome.epochs} epochs"
    click.echo(f"{stopped}{epochs} in {outcome.seconds:.1f} s, {kept}\n")
    echo_lines(report.scores_table(outcome.scores))
    click.echo(f"\nIn {folder.path}:")
    echo_lines(f"  {path.name}" for path in sorted(folder.path.iterdir()))
    if outcome.status == "interrupted":
        command = folder.read_config()["command"]
        click.echo(f"\nTo go on: bital {command} --resume {folder.path}")
    _exit_if(outcome.status == "interrupted")


def _exit_if(interrupted: bool) -> None:
    if interrupted:
        click.get_current_context().exit(INTERRUPTED)


def echo_lines(lines: Iterable[str]) -> None:
    """Print lines."""
    for line in lines:
        click.echo(line)


def echo_json(content: dict[str, Any]) -> None:
    """Print one JSON object."""
    click.echo(json.dumps(content, indent=2, allow_nan=False))
