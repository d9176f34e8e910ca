"""Settings: which executor runs, and what it may rewrite; for this thread, by ``with`` blocks."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token

from bital.errors import ArgumentError
from bital.executors import ALONE, Alone, DeviceExecutor, devices_of, get_executor, is_installed

# The environment is read once: a jitted call asks often.
_executor: ContextVar[str | None] = ContextVar(
    "executor", default=os.environ.get("BITAL_EXECUTOR") or None
)
_stabilize: ContextVar[bool] = ContextVar(
    "stabilize", default=os.environ.get("BITAL_STABILIZE") != "0"
)

# What stands in brackets behind the executor's name: devices and precision.
_devices: ContextVar[tuple[str, ...]] = ContextVar("devices", default=())
_precision: ContextVar[tuple[str, ...]] = ContextVar("precision", default=())
_debug_nans: ContextVar[bool] = ContextVar(
    "debug_nans", default=os.environ.get("BITAL_DEBUG_NANS", "0") not in ("", "0")
)


def executor_name(asked: str | None = None) -> str:
    """The executor in force: `asked`, the innermost `executor` block's, or the default.

    Within `debug_nans` it is "checking", whatever is asked for. The default is what
    BITAL_EXECUTOR said at import, else "native" where llvmlite is installed, else "numpy". What
    `distribution` and `precision` say follows in brackets: "xla[all, bfloat16]".
    """
    if _debug_nans.get():
        return "checking"
    name = asked or _executor.get() or _default()
    options = _devices.get() + _precision.get()
    return f"{name}[{', '.join(options)}]" if options and not name.endswith("]") else name


def device_executor(asked: str | None = None) -> DeviceExecutor | None:
    """The executor in force, if arrays may stay on a device of its own; else None."""
    return devices_of(executor_name(asked))


def processes(asked: str | None = None) -> Alone:
    """Those that compute together on the executor in force: this one alone, or several."""
    device = device_executor(asked)
    return ALONE if device is None else device.processes


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


@contextmanager
def distribution(devices: int | str = "all", shard_weights: bool | int = False) -> Iterator[None]:
    """Share the work of everything inside among several devices, on the executor ``xla``.

    Parameters
    ----------
    devices : int or "all", default "all"
        How many of the devices that JAX sees; "all" are those of all processes, where
        `joined` or ``bital train --distributed`` has joined several.
    shard_weights : bool or int, default False
        Whether large weights, and what the optimizer keeps for them, are cut into one part for each
        device. An int: from so many elements on; True: from 65,536 on. Otherwise every device has
        all of them.

    Notes
    -----
    `fit` cuts each batch into one part for each device; sums over the batch become sums over
    devices. A step is the same function of the whole batch as on one device, so weights and losses
    are the same up to the rounding of sums. The size of a batch must be a multiple of the number
    of devices.

    Raises
    ------
    ArgumentError
        If an argument is none of these.
    ExecutorError
        If the executor is not ``xla``, or there are not so many devices; when it is used.

    Examples
    --------
    >>> with distribution(8, shard_weights=True):
    ...     executor_name("xla")
    'xla[8, sharded]'
    """
    counted = isinstance(devices, int) and not isinstance(devices, bool) and devices > 0
    if not counted and devices != "all":
        raise ArgumentError(f"distribution(devices={devices!r}): a number of devices, or 'all'")
    if isinstance(shard_weights, bool):
        cut = ("sharded",) if shard_weights else ()
    elif isinstance(shard_weights, int) and shard_weights > 0:
        cut = (f"sharded={shard_weights}",)
    else:
        raise ArgumentError(
            f"distribution(shard_weights={shard_weights!r}): True, False, or the least number of "
            "elements of a weight that is cut"
        )
    token = _devices.set((str(devices), *cut))
    try:
        yield
    finally:
        _devices.reset(token)


@contextmanager
def joined(
    coordinator: str | None = None, count: int | None = None, index: int | None = None
) -> Iterator[Alone]:
    """Compute together with other processes inside, on the executor ``xla``.

    All run the same program, with the same data and seeds, before anything else is computed on
    ``xla``; `distribution` then shares the work among the devices of all.

    Parameters
    ----------
    coordinator : str, optional
        "host:port" of process 0, which listens there.
    count, index : int, optional
        How many processes there are, and the number of this one from 0. What is not given is taken
        from the variables of JAX, torchrun or Slurm: see docs/xla.md.

    Yields
    ------
    Alone
        With ``index`` and ``count``: process 0 is to print and to write.

    Raises
    ------
    ArgumentError, ModelStateError
        If something is missing or wrong, or it is too late.
    ProcessLostError
        If not all come within five minutes; inside, if one is lost: within a minute.
    MissingExtraError
        If JAX is not installed.

    Examples
    --------
    >>> with joined("10.0.0.1:6300", 16, 3), distribution("all"):      # doctest: +SKIP
    ...     model.fit(x, y, batch_size=4096, resume="checkpoints")
    """
    get_executor("xla")  # or the error that says what to install
    from bital.executors.xla import processes as them

    with them.joined(coordinator, count, index):
        yield them.together()


@contextmanager
def precision(products: str) -> Iterator[None]:
    """In which precision products of float32 are taken inside, on the executor ``xla``.

    Parameters
    ----------
    products : {"float32", "bfloat16"}
        "bfloat16": factors of matrix products and convolutions are rounded to 8 bits and their
        products summed in float32; weights, gradients, the optimizer's state and all else stay
        float32. Devices with units for bfloat16 are several times faster then.

    Raises
    ------
    ArgumentError
        If it is none of these.
    ExecutorError
        If the executor is not ``xla``; when it is used.

    Examples
    --------
    >>> with precision("bfloat16"):
    ...     executor_name("xla")
    'xla[bfloat16]'
    """
    token = set_precision(products)
    try:
        yield
    finally:
        _precision.reset(token)


def set_precision(products: str) -> Token[tuple[str, ...]]:
    """Choose the precision of products from here on: see `precision`."""
    if products not in ("float32", "bfloat16"):
        raise ArgumentError(f"precision({products!r}): 'float32' or 'bfloat16'")
    return _precision.set(() if products == "float32" else (products,))


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
