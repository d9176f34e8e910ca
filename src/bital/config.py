"""Settings: which executor runs, and what it may rewrite; for this thread, by ``with`` blocks."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from bital.executors import get_executor, is_installed

# The environment is read once: a jitted call asks often.
_executor: ContextVar[str | None] = ContextVar(
    "executor", default=os.environ.get("BITAL_EXECUTOR") or None
)
_stabilize: ContextVar[bool] = ContextVar(
    "stabilize", default=os.environ.get("BITAL_STABILIZE") != "0"
)


_debug_nans: ContextVar[bool] = ContextVar(
    "debug_nans", default=os.environ.get("BITAL_DEBUG_NANS", "0") not in ("", "0")
)


def executor_name(asked: str | None = None) -> str:
    """The executor in force: `asked`, the innermost `executor` block's, or the default.

    Within `debug_nans` it is "checking", whatever is asked for. The default is what
    BITAL_EXECUTOR said at import, else "native" where llvmlite is installed, else "numpy".
    """
    return "checking" if _debug_nans.get() else asked or _executor.get() or _default()


def is_chosen() -> bool:
    """Whether someone has named the executor, by a block or BITAL_EXECUTOR."""
    return _executor.get() is not None or _debug_nans.get()


@functools.cache
def _default() -> str:
    return "native" if is_installed("native") else "numpy"


@contextmanager
def executor(name: str) -> Iterator[None]:
    """Run everything inside on this executor.

    Parameters
    ----------
    name : str
        "numpy", "native", or another that is installed.

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


def num_threads(now: bool = False) -> int:
    """How many threads share the work of the native executor; 1 where it is not installed.

    BITAL_NUM_THREADS, else OMP_NUM_THREADS, else the processors that the process may run on. A
    job takes fewer while NumPy's BLAS is limited to fewer, as threadpoolctl does: as many as it
    would get ``now``.

    Examples
    --------
    >>> num_threads() >= 1
    True
    """
    if not is_installed("native"):
        return 1
    from bital.executors.native import threads

    return threads.num_threads() if now else threads.slots()


def stabilizing() -> bool:
    """Whether logarithms and quotients of exponentials are rewritten: see `stabilize`."""
    return _stabilize.get()


@contextmanager
def stabilize(on: bool = True) -> Iterator[None]:
    """Say whether functions recorded inside may be rewritten so that they do not overflow.

    Parameters
    ----------
    on : bool
        True, the default outside of any block too: ``log(softmax)``, ``log(sum(exp))``,
        ``log(1 + exp)``, ``log(sigmoid)`` and the like are rewritten under `jit`, `vmap` and all
        derivatives, as docs/numerics.md lists. False: what runs is what was written. The
        environment variable BITAL_STABILIZE=0, read at import, says so for a whole process.

    Examples
    --------
    >>> import bital, numpy as np
    >>> softplus = bital.jit(lambda x: np.log(1 + np.exp(x)))
    >>> softplus(1000.0)
    np.float64(1000.0)
    >>> with stabilize(False), np.errstate(over="ignore"):
    ...     softplus(1000.0)
    np.float64(inf)
    """
    token = _stabilize.set(on)
    try:
        yield
    finally:
        _stabilize.reset(token)


@contextmanager
def debug_nans(on: bool = True) -> Iterator[None]:
    """Raise where a NaN or an infinity that reaches a result was made.

    Parameters
    ----------
    on : bool
        Whether to look for them inside of the block. BITAL_DEBUG_NANS=1, read at import, says so
        for a whole process.

    Raises
    ------
    NonFiniteError
        In place of a result that is not finite. It names the first operation that made a NaN or
        an infinity, whether it belongs to the forward or to the backward pass, the user's line,
        and the ranges of its operands. Infinities that were put in, as in a mask of ``-inf``, may
        pass.

    Notes
    -----
    Functions under `jit`, `vmap` and all derivatives are then computed equation by equation, in
    NumPy: slowly. What runs outside of them is NumPy alone, and not looked at.

    Examples
    --------
    >>> import bital, numpy as np
    >>> with debug_nans():
    ...     bital.grad(np.sqrt)(0.0)
    Traceback (most recent call last):
        ...
    bital.errors.NonFiniteError: np.divide made infinity, in the backward pass
      ...
    """
    token = _debug_nans.set(on)
    try:
        yield
    finally:
        _debug_nans.reset(token)
