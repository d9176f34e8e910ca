"""What shows a Program to people."""

from __future__ import annotations

import importlib
from typing import Any

from bital.numpy_language import Tracer
from bital.program import Program


def named(value: Any, name: str) -> Any:
    """`value`, called `name` in printed Programs and in errors.

    Parameters
    ----------
    value : array, number or traced value
        Only a traced one takes the name; anything is returned as it is.
    name : str
        What is not a letter, a digit or ``_`` becomes ``_``.

    Examples
    --------
    >>> import bital, numpy as np
    >>> bital.trace(lambda w: np.exp(named(w, "rate")), 1.0).inputs[0].name
    'rate'
    """
    if isinstance(value, Tracer):
        value.be_called(name)
    return value


def _draw(program: Program) -> Any:
    return importlib.import_module("bital.drawing").draw(program)  # it needs matplotlib


Program.printers["drawing"] = _draw
