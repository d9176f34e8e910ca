"""Several processes that compute one program together, through ``jax.distributed``.

All call the same programs in the same order, each with its share of the data. XLA moves what they
exchange; what they decide together, and who is lost, goes over a line of their own (`line`).
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import os
import queue
import re
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from bital.errors import ArgumentError, ModelStateError, ProcessLostError
from bital.executors.alone import ALONE, Alone
from bital.executors.xla import line as lines
from bital.program import Array

SECONDS = 300.0  # that all processes have to start
_BYE = 10.0  # seconds that those who end wait for the others

# How XLA's errors begin; and what is in them where another process or the network is at fault.
_STATUS = re.compile(r"(UNKNOWN|INTERNAL|ABORTED|CANCELLED|UNAVAILABLE|DEADLINE_\w+|FAILED_\w+):")
_REMOTE = ("Gloo", "NCCL", "UNAVAILABLE", "DEADLINE", "onnection", "ocket", "eer")


@dataclass(frozen=True)
class Place:
    """Where a process stands among the others."""

    coordinator: str | None
    count: int | None
    index: int | None
    devices: list[int] | None = None  # of this machine, that are this process's; None: all


_line: lines.Line | None = None
_place = Place(None, 1, 0)


def index() -> int:
    """Number of this process, 0 where there is one."""
    return _place.index or 0


def count() -> int:
    """How many processes there are."""
    return _place.count or 1


def start(
    coordinator: str | None = None,
    count: int | None = None,
    index: int | None = None,
    seconds: float = SECONDS,
) -> None:
    """Join the other processes; before anything is computed with XLA.

    What is not given is taken from JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES, JAX_PROCESS_ID; or
    MASTER_ADDR, MASTER_PORT, WORLD_SIZE, RANK (and LOCAL_RANK, the number of the device); or from
    what JAX finds of Slurm, Open MPI, Kubernetes and Cloud TPU.

    Parameters
    ----------
    coordinator : str, optional
        "host:port" of process 0. It listens there, and the others must be able to reach it.
    count, index : int, optional
        How many processes there are, and the number of this one from 0.
    seconds : float, default 300
        How long to wait for the others.

    Raises
    ------
    ArgumentError
        If something is missing, means nothing, or two processes have one number.
    ProcessLostError
        If process 0 cannot be reached, or not all come in time.
    ModelStateError
        If the processes have been joined, or JAX has its devices already.
    """
    global _line, _place
    if _line is not None:
        raise ModelStateError("processes: start() has been called; call stop() first.")
    place = _checked(found(os.environ, coordinator, count, index))
    if place.count == 1:
        _place = place
        return
    if jax._src.xla_bridge.backends_are_initialized():
        raise ModelStateError(
            "processes: start() comes too late, JAX has its devices already. Call it first, before "
            "anything is computed with the xla executor."
        )
    assert place.coordinator is not None
    assert place.count is not None
    assert place.index is not None
    line = lines.Line(place.coordinator, place.count, place.index)
    try:
        line.join(seconds)
    except BaseException:
        line.close()
        raise
    _start_jax(line, place, seconds)
    _line, _place = line, place
    atexit.register(_at_exit)  # runs before JAX's own


def _start_jax(line: lines.Line, place: Place, seconds: float) -> None:
    """Start JAX's service where the line ends, and its client there or at the relay.

    Tasks are "recoverable": those that end do not wait for the others, which the line sees to.
    """
    jax.config.update("jax_enable_recoverability", True)
    jax.config.update("jax_enable_preemption_service", False)
    # Two programs at once on a processor would sum in another order in each process.
    jax.config.update("jax_cpu_enable_async_dispatch", False)
    if any("_proxy" in name.lower() for name in os.environ):
        os.environ["no_grpc_proxy"] = "127.0.0.1"  # noqa: SIM112 - gRPC's name of it
        jax.config.update("jax_check_proxy_envs", False)
    if place.index == 0:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        address = f"127.0.0.1:{port}"
        line.service_at(port)
    else:
        address = line.relay()
    jax.distributed.initialize(
        address,
        place.count,
        place.index,
        local_device_ids=place.devices,
        cluster_detection_method="deactivate",
        coordinator_bind_address=address if place.index == 0 else None,
        initialization_timeout=int(seconds),
        heartbeat_timeout_seconds=600,  # the line has its own
        shutdown_timeout_seconds=int(_BYE),
    )


def stop() -> None:
    """Leave the others, once all have come here; nothing common can be computed after that.

    Raises
    ------
    ProcessLostError
        If another was lost.
    """
    global _line, _place
    line = _line
    if line is None:
        _place = Place(None, 1, 0)
        return
    line.send("done")
    line.answer("done")
    _leave(line)
    _line, _place = None, Place(None, 1, 0)


def _leave(line: lines.Line) -> None:
    """End JAX's service last, since its clients abort the process where it is missing."""
    line.ended = True
    if line.index:
        jax.distributed.shutdown()
    line.send("left")
    if line.index == 0:
        with contextlib.suppress(queue.Empty):  # whoever is missing has ended in its own way
            line.answer("left", _BYE)
        jax.distributed.shutdown()
    line.flush()
    line.close()


@contextmanager
def joined(
    coordinator: str | None = None, count: int | None = None, index: int | None = None
) -> Iterator[None]:
    """`start` and `stop` around a block; others hear at once of an error that ends it."""
    start(coordinator, count, index)
    try:
        yield
    except BaseException as error:
        _fail(_words(error))
        raise
    stop()


def _words(error: BaseException) -> str:
    return f"ended with {type(error).__name__}: {error}".splitlines()[0][:300]


def _fail(why: str) -> None:
    """Tell the others why this process ends before its time."""
    if _line is not None and _line.lost is None:
        _line.told = True
        _line.send("failed", why)
        _line.verdict(2.0)  # process 0 tells all, this one too


def _at_exit() -> None:
    """Where nobody has called `stop`: wait for the others, unless this process fails."""
    line = _line
    if line is None:
        return
    error = getattr(sys, "last_value", None)  # that nobody has caught
    try:
        if line.lost is None and error is None:
            line.send("done")
            line.answer("done", _BYE)
            _leave(line)
            return
        _fail(_words(error) if error else "")
    except queue.Empty:
        _fail("came to the end of its program before them")
    except ProcessLostError as lost:
        sys.stderr.write(f"ProcessLostError: {lost}\n")
    _abandon()


def _abandon() -> None:
    """Leave JAX's client and service to the end of the process.

    To shut them down takes a service that answers, and aborts the processes of others.
    """
    state = jax._src.distributed.global_state
    for each in (state.client, state.service):
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(each))  # nor does a destructor run
    state.client = state.service = None


# Deciding together ----------------------------------------------------------------------------


def agree(numbers: Sequence[float]) -> list[Any]:
    """The numbers of process 0, in all processes: what they decide alike, such as lengths of calls.

    All processes call it, at the same place of the program.

    Raises
    ------
    ProcessLostError
        If another process was lost.
    """
    values = list(numbers)
    if _line is None:
        return values
    if _line.index == 0:
        _line.hand_out(values)
        return values
    found: list[Any] = _line.answer("agree")
    return found


def any_of(flag: bool) -> bool:
    """Whether the flag is set in any process, such as that Ctrl-C was pressed there.

    All processes call it, at the same place of the program, and none goes on before all have.

    Raises
    ------
    ProcessLostError
        If another process was lost.
    """
    if _line is None:
        return bool(flag)
    _line.send("any", bool(flag))
    return bool(_line.answer("any"))


def shared(data: bytes) -> bytes:
    """The bytes of process 0, in all processes, by way of the devices."""
    if _line is None:
        return data
    (size,) = agree([len(data)])
    mine = np.frombuffer(data if index() == 0 else bytes(size), np.uint8)
    with translated():
        return np.asarray(multihost_utils.broadcast_one_to_all(mine)).astype(np.uint8).tobytes()


def gathered(array: Any) -> Array:
    """A global array, which may be cut over the processes, as an array of NumPy in each of them.

    All processes call it, at the same place of the program.
    """
    if array.is_fully_addressable or array.is_fully_replicated:
        return np.asarray(array)
    with translated():
        return np.asarray(multihost_utils.process_allgather(array, tiled=True))


class Joined(Alone):
    """What those above the executors see of the functions here."""

    def __init__(self) -> None:
        self.index, self.count = index(), count()

    def agree(self, numbers: Sequence[Any]) -> list[Any]:
        """Return process 0's numbers."""
        return agree(numbers)

    def any_of(self, flag: bool) -> bool:
        """Return whether it is set in any of them."""
        return any_of(flag)

    def shared(self, data: bytes) -> bytes:
        """Return process 0's bytes."""
        return shared(data)


def together() -> Alone:
    """The processes that were joined, or this one alone."""
    return ALONE if _line is None else Joined()


@contextmanager
def translated() -> Iterator[None]:
    """Turn what JAX raises within the block into ProcessLostError, where that is the reason."""
    try:
        yield
    except (RuntimeError, ValueError) as error:  # JAX's errors are of both kinds
        reason = lost(error)
        if reason is error:
            raise
        raise reason from error


def lost(error: Exception) -> Exception:
    """ProcessLostError, if another process is the reason of what JAX raised; or the error itself.

    A connection that breaks is seen at once, who is at its other end a moment later: this waits
    for it.
    """
    if _line is None or not _STATUS.match(str(error)):
        return error
    remote = any(word in str(error) for word in _REMOTE)
    text = _line.verdict(2 * lines.BEAT + lines.SILENCE if remote else 0.5)
    if text is not None:
        _line.told = True
        return ProcessLostError(text)
    if remote:
        return ProcessLostError(
            f"process {_line.index} lost its connection to another, which is alive: "
            f"{str(error).splitlines()[0]}. Start the same command again: training goes on from "
            "its last checkpoint, if it has some."
        )
    return error


# Who is who -----------------------------------------------------------------------------------


def found(
    environment: Mapping[str, str],
    coordinator: str | None = None,
    count: int | None = None,
    index: int | None = None,
) -> Place:
    """What is given, else what the environment says; JAX is asked for what is missing then."""
    if coordinator is None:
        coordinator = environment.get("JAX_COORDINATOR_ADDRESS")
        if coordinator is None and "MASTER_ADDR" in environment and "MASTER_PORT" in environment:
            coordinator = f"{environment['MASTER_ADDR']}:{environment['MASTER_PORT']}"
    if count is None:
        count = _number(environment, "JAX_NUM_PROCESSES", "WORLD_SIZE")
    devices = None
    if index is None:
        index = _number(environment, "JAX_PROCESS_ID", "RANK")
        if "JAX_PROCESS_ID" not in environment and "LOCAL_RANK" in environment:
            devices = [int(environment["LOCAL_RANK"])]  # torchrun: a process for each device
    place = Place(coordinator, count, index, devices)
    if None in (coordinator, count, index):
        from jax._src.clusters import ClusterEnv

        asked = ClusterEnv.auto_detect_unset_distributed_params
        place = Place(*asked(*astuple(place), None, int(SECONDS)))
    return place


def _number(environment: Mapping[str, str], *names: str) -> int | None:
    for name in names:
        text = environment.get(name)
        if text is not None:
            if not text.strip().isdigit():
                raise ArgumentError(f"{name}={text!r}: give a number, from 0.")
            return int(text)
    return None


def _checked(place: Place) -> Place:
    if place.count == 1 and not place.index:
        return Place(None, 1, 0, place.devices)
    said = {"coordinator": place.coordinator, "count": place.count, "index": place.index}
    missing = [name for name, value in said.items() if value is None]
    if missing:
        known = {name: value for name, value in said.items() if value is not None}
        raise ArgumentError(
            f"processes: missing: {', '.join(missing)}; known: {known or 'nothing'}. For each "
            "process set JAX_COORDINATOR_ADDRESS=host:port (of process 0), JAX_NUM_PROCESSES and "
            "JAX_PROCESS_ID; torchrun's variables and Slurm's do too."
        )
    host, _, port = str(place.coordinator).rpartition(":")
    if not host or not port.isdigit():
        raise ArgumentError(
            f"processes: the coordinator {place.coordinator!r} is not host:port, such as "
            "10.0.0.1:6300."
        )
    if not 0 <= int(place.index or 0) < int(place.count or 1):
        raise ArgumentError(
            f"processes: number {place.index} of {place.count}; give each process its own number, "
            f"0 to {int(place.count or 1) - 1}."
        )
    return place
