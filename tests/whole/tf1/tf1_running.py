"""Runs a program in the words of TensorFlow 1, and records what it computes.

A program is the text of a file in ``programs`` and says ``import bital.tf1 as tf``; that line alone
is another where TensorFlow itself runs it. Its docstring has lines ``chapter:``, ``reaches:`` (a
variable and its bound) and ``numbers:`` (what is compared with TensorFlow, if not all).
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

PROGRAMS = Path(__file__).parent / "programs"
OURS = "import bital.tf1 as tf"
THEIRS = "import tensorflow.compat.v1 as tf"
RUNS = 30  # runs that are compared; after many more, rounding has grown


@dataclass
class Program:
    """What the docstring of a program says."""

    name: str
    title: str
    text: str
    chapter: str = ""
    reaches: list[tuple[str, str, float]] = field(default_factory=list)
    numbers: str = "all"
    runs: int = RUNS

    @classmethod
    def read(cls, name: str) -> Program:
        text = (PROGRAMS / f"{name}.py").read_text(encoding="utf-8")
        docstring = text.split('"""')[1]
        program = cls(name, docstring.splitlines()[0].rstrip("."), text)
        for key, value in re.findall(r"^(\w+): (.*)$", docstring, re.MULTILINE):
            if key == "reaches":
                variable, relation, bound = value.split()
                program.reaches.append((variable, relation, float(bound)))
            else:
                setattr(program, key, int(value) if key == "runs" else value)
        return program

    @property
    def compared(self) -> bool:
        """Whether TensorFlow 2 can run it."""
        return not self.numbers.startswith("no")

    @property
    def random(self) -> bool:
        """Whether its runs draw random numbers, so that only shapes and types can be compared."""
        return self.numbers.startswith("shapes")


def names() -> list[str]:
    """The names of all programs."""
    return sorted(path.stem for path in PROGRAMS.glob("*.py"))


class Enough(BaseException):
    """Ends a program of which as many runs as asked for have been recorded."""


class Record:
    """What a program's runs gave, in order, and the variables' initial and last values.

    Parameters
    ----------
    initial : list of dict, optional
        What to give the variables at each initialization, in the place of their own values.
    limit : int, optional
        The runs after which the program is ended.
    """

    def __init__(
        self, initial: list[dict[str, np.ndarray]] | None = None, limit: int | None = None
    ) -> None:
        self.given, self.limit = initial, limit
        self.initial: list[dict[str, np.ndarray]] = []
        self.runs: list[list[np.ndarray]] = []
        self.last: dict[str, np.ndarray] = {}

    def run(self, program: Program, tf: Any, line: str) -> dict[str, Any]:
        """The program's variables at its end."""
        assert program.text.count(OURS) == 1
        code = compile(program.text.replace(OURS, line), f"{program.name}.py", "exec")
        owner = next(kind for kind in tf.Session.__mro__ if "run" in vars(kind))
        original = owner.run
        scope = {"__name__": "__main__"}

        def run(session: Any, fetches: Any, *args: Any, **kwargs: Any) -> Any:
            result = original(session, fetches, *args, **kwargs)
            if sys._getframe(1).f_code.co_name not in ("save", "restore", "load"):
                owner.run = original
                try:
                    self._note(tf, session, fetches, result)
                finally:
                    owner.run = run
            return result

        tf.reset_default_graph()
        owner.run = run
        try:
            exec(code, scope)
        except Enough:
            pass
        finally:
            owner.run = original
            tf.reset_default_graph()
        return scope

    def _note(self, tf: Any, session: Any, fetches: Any, result: Any) -> None:
        started = _initialized(session.graph, fetches)
        if started:
            self._start(session, started)
        else:
            self.runs.append(_arrays(result))
        if len(self.runs) == self.limit:
            variables = session.graph.get_collection(tf.GraphKeys.GLOBAL_VARIABLES)
            if not started:
                names = [variable.op.name for variable in variables]
                self.last = dict(zip(names, session.run(variables), strict=True))
            raise Enough

    def _start(self, session: Any, started: list[Any]) -> None:
        """After an initialization: note what the variables are, or set them."""
        names = [variable.op.name for variable in started]
        values = dict(zip(names, session.run(list(started)), strict=True))
        if self.given is not None:
            wanted = self.given[len(self.initial)]
            for variable in started:
                variable.load(wanted[variable.op.name], session)
        self.initial.append(values)


def _initialized(graph: Any, fetches: Any) -> list[Any]:
    """The variables that a run has initialized."""
    found = fetches if isinstance(fetches, (list, tuple)) else [fetches]
    names = [getattr(item, "name", item) for item in found]
    every = graph.get_collection("variables")
    for name in names:
        if isinstance(name, str) and re.search(r"(^|/)init(_op)?(_\d+)?$", name):
            return every
    return [variable for variable in every if f"{variable.op.name}/Assign" in names]


def _arrays(result: Any) -> list[np.ndarray]:
    """The numbers in what a run gave."""
    if isinstance(result, dict):
        return [array for key in sorted(result) for array in _arrays(result[key])]
    if isinstance(result, (list, tuple)):
        return [array for item in result for array in _arrays(item)]
    if result is None or isinstance(result, (bytes, str)):
        return []
    array = np.asarray(result)
    return [array] if array.dtype.kind in "fiub" else []
