"""Settings: which executor runs, for this thread and inside a ``with`` block."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from bital.executors import get_executor

_executor: ContextVar[str | None] = ContextVar("executor", default=None)


def executor_name() -> str:
    """The executor in force: the innermost `executor` block's, BITAL_EXECUTOR's, or the default."""
    return _executor.get() or os.environ.get("BITAL_EXECUTOR") or "numpy"


@contextmanager
def executor(name: str) -> Iterator[None]:
    """Run everything inside on this executor.

    Parameters
    ----------
    name : str
        "numpy", or another that is installed.

    Raises
    ------
    ExecutorError
        Where there is no such executor.

    Examples
    --------
    >>> with executor("numpy"):
    ...     executor_name()
    'numpy'
    """
    get_executor(name)
    token = _executor.set(name)
    try:
        yield
    finally:
        _executor.reset(token)
