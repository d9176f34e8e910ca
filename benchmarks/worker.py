"""One contender at one workload, in a process of its own.

``python -m benchmarks.worker CONTENDER WORKLOAD`` imports what it needs. It answers every line that
it reads with a line of JSON. The first, "prepare": it makes all cases, takes one pass of each
through the data, and tells them with the loss that each arrived at. The others, "CASE SECONDS", are
turns: it times passes of that case for so long and tells the microseconds a step.
"""

from __future__ import annotations

import importlib
import json
import os
import statistics
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any, TextIO

import numpy as np

from benchmarks.contenders import CONTENDERS, Network, Unavailable
from benchmarks.workloads import (
    Workload,
    cross_entropy,
    named,
    probabilities,
    samples,
)


def network_class(contender: str, workload: Workload | None = None) -> type[Network]:
    """The class of a contender: its `Network`, or its `ConvNet` where there are filters.

    Raises
    ------
    Unavailable
        Where something that it needs is not installed, or it has no ConvNet.
    """
    try:
        module = importlib.import_module(f"benchmarks.contenders.{CONTENDERS[contender].module}")
    except ImportError as error:
        raise Unavailable(str(error)) from error
    if workload is None or not workload.filters:
        return module.Network
    if not hasattr(module, "ConvNet"):
        raise Unavailable("it has no convolutions")
    return module.ConvNet


def one_pass(
    network: Network, setting: str, workload: Workload, x: np.ndarray, t: np.ndarray
) -> Callable[[], Any]:
    """What takes all steps of a workload once."""
    starts = range(0, len(x), workload.batch)
    cut = [slice(start, start + workload.batch) for start in starts]
    if setting == "predict":
        rows = [x[where] for where in cut]
        return lambda: [network.predict(row) for row in rows]
    if setting == "fit":
        placed = network.place(x), network.place(t)
        return lambda: network.fit(*placed)
    batches = [(network.place(x[where]), network.place(t[where])) for where in cut]
    call = getattr(network, setting)

    def run() -> None:
        for batch in batches:
            call(*batch)
        network.finish()

    return run


class Case:
    """One setting in one variant, prepared."""

    def __init__(self, kind: type[Network], setting: str, variant: str, workload: Workload) -> None:
        self.setting, self.variant, self.steps = setting, variant, workload.steps
        x, t = samples(workload)
        network = kind(workload, variant)
        self.run = one_pass(network, setting, workload, x, t)
        result = self.run()
        self.loss = None
        if setting == "predict":
            self.loss = cross_entropy(np.concatenate(result), t)
        elif kind.weights is not Network.weights:
            self.loss = cross_entropy(probabilities(workload, network.weights(), x), t)

    def turn(self, seconds: float) -> float:
        """Microseconds a step: the median of passes, after one to wake caches and threads."""
        self.run()
        times: list[float] = []
        while sum(times) < seconds:
            start = time.perf_counter()
            self.run()
            times.append(time.perf_counter() - start)
        return statistics.median(times) / self.steps * 1e6

    def described(self) -> dict[str, Any]:
        return {"setting": self.setting, "variant": self.variant, "loss": self.loss}


def serve(contender: str, workload: Workload, replies: TextIO) -> None:
    """Prepare, report, and take turns until the input ends."""

    def reply(value: Any) -> None:
        print(json.dumps(value), file=replies, flush=True)

    try:
        kind = network_class(contender, workload)
        if not sys.stdin.readline():
            return None
        wanted = [
            (setting, variant)
            for setting in workload.settings
            for variant in kind.CASES.get(setting, ())
        ]
        cases = [Case(kind, *one, workload) for one in wanted]
    except Unavailable as error:
        return reply({"absent": str(error)})
    except Exception as error:
        traceback.print_exc()
        return reply({"failed": f"{type(error).__name__}: {error}"})
    reply({"cases": [case.described() for case in cases]})
    for line in sys.stdin:
        index, seconds = line.split()
        reply(cases[int(index)].turn(float(seconds)))


if __name__ == "__main__":
    # Answers have the standard output to themselves: whatever libraries print goes elsewhere.
    own = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    serve(sys.argv[1], named(sys.argv[2]), own)
