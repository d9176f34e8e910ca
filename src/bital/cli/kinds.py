"""The kinds of data that the commands know. Each is a module with the same functions.

``train_command(data) -> click.Command``
    ``bital train DATA``, with the options of this kind.
``predict(folder, data, out, probabilities, keep, as_json)``
    Say what the model of a run folder makes of a file.
``evaluate(folder, data, as_json)``
    Measure it, on its own data or on a file.
``summary(folder) -> lines``
    What the model is.
"""

from importlib import import_module
from typing import Any

import click

from bital.cli.run_folder import RunFolder
from bital.errors import RunFolderError

MODULES = {"mnist": "bital.cli.digits", "table": "bital.cli.table.command"}
TABLES = (".csv", ".tsv", ".parquet")


def named(data: str) -> str | None:
    """The kind of what stands after ``bital train``."""
    if data in MODULES and data != "table":
        return data
    return "table" if data.lower().endswith(TABLES) else None


def of_run(folder: RunFolder) -> Any:
    """The module for the data of a run.

    Raises
    ------
    RunFolderError
        The run is of data that this version does not know.
    """
    data = folder.read_config().get("data")
    kind = data.get("name", "mnist") if isinstance(data, dict) else "mnist"
    if kind not in MODULES:
        raise RunFolderError(
            f"{folder.config} is of data {kind!r}; this version of bital knows {list(MODULES)}."
        )
    return import_module(MODULES[kind])


class ByData(click.Group):
    """A command whose options depend on the data that its arguments name."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the data among the arguments, and the command for it."""
        for place, word in enumerate(args):
            kind = named(word)
            if kind is not None:
                command = import_module(MODULES[kind]).train_command(word)
                return word, command, [*args[:place], *args[place + 1 :]]
        first = next((word for word in args if not word.startswith("-")), " ".join(args))
        ctx.fail(
            f"{first!r} is not 'mnist', and not a table: give a file whose name ends in "
            f"{', '.join(TABLES[:-1])} or {TABLES[-1]}."
        )
