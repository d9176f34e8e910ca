"""``--distributed``: one command in several processes, of which the first speaks and writes."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

import bital
from bital.cli import run_folder
from bital.cli.run_folder import RunFolder


def _calm(_ctx: click.Context, _param: click.Parameter, value: bool) -> bool:
    """Keep XLA, before it is loaded, from calling experimental what is meant here."""
    if value:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    return value


option = click.option(
    "--distributed",
    is_flag=True,
    is_eager=True,
    callback=_calm,
    help="Train on the devices of all processes that this command is started in, with the executor "
    "xla: docs/xla.md tells which variables join them.",
)


@contextmanager
def joined(asked: bool, executor: str | None) -> Iterator[Any]:
    """Join the other processes, where that was asked for; yields what they decide together.

    Raises
    ------
    click.UsageError
        Another executor was asked for.
    ArgumentError, ProcessLostError, MissingExtraError
        The processes cannot be joined, or one is lost.
    """
    if not asked:
        yield bital.config.ALONE
        return
    executor_of(asked, executor)
    with bital.joined() as processes:
        yield processes


def executor_of(asked: bool, executor: str | None) -> str | None:
    """The executor, which is xla where processes are joined."""
    if asked and executor not in (None, "xla"):
        raise click.UsageError(f"--distributed needs --executor xla, not {executor}.")
    return "xla" if asked else executor


@contextmanager
def devices(asked: bool) -> Iterator[None]:
    """Share what is computed inside among all devices, where that was asked for."""
    if not asked:
        yield
        return
    with bital.distribution("all"):
        yield


def new_folder(processes: Any, out: Path | None, name: str) -> RunFolder:
    """A new run folder, which the first process makes and the others never write."""
    if processes.index:
        return RunFolder(out or Path("runs"), writes=False)
    return run_folder.create(out, name=name)


def speaker(processes: Any) -> Any:
    """What prints, in the first process; the others say nothing."""
    return (lambda _: None) if processes.index else click.echo
