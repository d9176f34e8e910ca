"""The parent's side: processes of contenders, and the rounds in which they take turns."""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.contenders import CONTENDERS
from benchmarks.workloads import Workload

# Everyone runs with the number of threads that they choose themselves, unless told otherwise.
_LIMITS = {f"{name}_NUM_THREADS" for name in ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "BITAL")}
_threads: dict[str, str] = {}
_REST = 0.05  # seconds between turns, for the thread pool that was timed last to fall asleep


@dataclass
class Timing:
    """What one case of one contender took, turn by turn, in microseconds a step."""

    contender: str
    setting: str
    variant: str
    loss: float | None
    times: list[float] = field(default_factory=list)

    @property
    def title(self) -> str:
        return f"{CONTENDERS[self.contender].title}: {self.variant}"

    @property
    def group(self) -> str:
        entry = CONTENDERS[self.contender]
        return entry.group or entry.title

    @property
    def median(self) -> float:
        return statistics.median(self.times)


@dataclass
class LeftOut:
    """Who is missing, why, and whether that is a fault rather than something not installed."""

    who: str
    reason: str
    fault: bool


@dataclass
class Outcome:
    """All timings of a workload."""

    timings: list[Timing] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)


def environment(extra: Mapping[str, str]) -> dict[str, str]:
    """This process's variables and these; limits on threads only those of `limit_threads`."""
    kept = {name: value for name, value in os.environ.items() if name not in _LIMITS}
    return kept | _threads | dict(extra)


def limit_threads(count: int) -> None:
    """Give every contender so many threads, instead of what it chooses itself."""
    _threads.update(dict.fromkeys(_LIMITS, str(count)))
    _threads["XLA_FLAGS"] = f"--xla_cpu_multi_thread_eigen={str(count > 1).lower()}"


class Worker:
    """A contender's process at one workload."""

    def __init__(self, contender: str, workload: Workload) -> None:
        self.contender = contender
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed by `end`)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", contender, workload.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            env=environment(CONTENDERS[contender].environment),
        )

    def ask(self, *words: object) -> Any:
        """Say this, and wait for the answer: what it is, or what the process failed with."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # the answer says how it ended
            print(*words, file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if line:
            return json.loads(line)
        self.errors.seek(0)
        last = (self.errors.read().strip().splitlines() or ["nothing on stderr"])[-1]
        return {"failed": f"the process ended with status {self.process.wait()}: {last}"}

    def end(self) -> None:
        self.process.communicate()
        self.errors.close()


def measure(workload: Workload, contenders: Iterable[str], rounds: int, seconds: float) -> Outcome:
    """Start all contenders; in every round each case of each takes a turn of so many seconds."""
    outcome = Outcome()
    workers = [Worker(name, workload) for name in contenders]  # they import at the same time
    try:
        cases = []
        for worker in workers:
            told = worker.ask("prepare")
            _note(outcome, worker, told)
            for index, case in enumerate(told.get("cases", ())):
                cases.append((worker, index, Timing(worker.contender, **case)))
        same = _same_work(workload, [timing for _, _, timing in cases], outcome)
        cases = [case for case in cases if case[2] in same]
        for _ in range(rounds):
            for worker, index, timing in cases:
                time.sleep(_REST)
                told = worker.ask(index, seconds)
                if isinstance(told, float):
                    timing.times.append(told)
                else:
                    _note(outcome, worker, told)
            gone = {left.who for left in outcome.left_out}
            cases = [case for case in cases if case[0].contender not in gone]
    finally:
        for worker in workers:
            worker.end()
    outcome.timings = [timing for _, _, timing in cases]
    return outcome


def _note(outcome: Outcome, worker: Worker, told: Mapping[str, Any]) -> None:
    for kind in ("absent", "failed"):
        if kind in told:
            outcome.left_out.append(LeftOut(worker.contender, told[kind], kind == "failed"))


def _same_work(workload: Workload, timings: list[Timing], outcome: Outcome) -> list[Timing]:
    """Those whose loss is that of most; the others did other work, and their time says nothing."""
    losses = [timing.loss for timing in timings if timing.loss is not None]
    if not losses:
        return timings
    middle = statistics.median_low(losses)
    tolerance = workload.tolerance(middle)
    kept = []
    for timing in timings:
        if timing.loss is None or abs(timing.loss - middle) <= tolerance:
            kept.append(timing)
        else:
            reason = f"its loss is {timing.loss:.6f} where others have {middle:.6f}"
            outcome.left_out.append(LeftOut(f"{timing.title} ({timing.setting})", reason, True))
    return kept
