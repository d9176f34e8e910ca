"""The command line: ``bital train|predict|evaluate|inspect``.

``click`` is imported here at first use, since the base installation does not bring it.
"""

import sys

INSTALL = 'pip install click, or install bital with its extra "standard"'


def main() -> int:
    """Run the command line with ``sys.argv``; the exit status is 0, 1, 2 or 130.

    0: done. 1: a failure, named in one message. 2: the command line itself is wrong.
    130: stopped with Ctrl-C (128 + SIGINT, as shells count), after cleaning up.
    """
    try:
        import click  # noqa: F401 - asked for here, so that its absence can be explained
    except ModuleNotFoundError:
        print(f"The bital command needs click, which is not installed: {INSTALL}", file=sys.stderr)
        return 1
    from bital.cli.commands import cli

    return int(cli.main(prog_name="bital", standalone_mode=True) or 0)
