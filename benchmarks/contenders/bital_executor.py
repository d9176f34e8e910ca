"""The executor of this process, which ``BITAL_EXECUTOR`` names: it must be there and be used."""

from __future__ import annotations

import logging

from benchmarks.contenders import Unavailable
from bital import config
from bital.errors import ExecutorError
from bital.executors import get_executor


def require() -> None:
    """Stop where the executor is missing, or where a Program falls back from it to another."""
    try:
        get_executor(config.executor_name())
    except (ExecutorError, ImportError) as error:
        raise Unavailable(str(error)) from error
    logging.getLogger("bital").addHandler(_Fatal())


class _Fatal(logging.Handler):
    """Raises where a log message says that a Program runs elsewhere."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.WARNING:
            raise RuntimeError(record.getMessage())
