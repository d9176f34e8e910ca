"""One contender's process: answers "loss", a number of seconds, and "peak" with a line each."""

from __future__ import annotations

import importlib
import json
import resource
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

_FIRST = 10  # steps before the loss is told


def _turn(step: Callable[[], Any], finish: Callable[[], Any], seconds: float) -> float:
    """Milliseconds a step: the median of single steps."""
    times: list[float] = []
    while sum(times) < seconds:
        start = time.perf_counter()
        step()
        finish()
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times)


def serve(contender: str, network: str) -> None:
    """Prepare, and answer until the input ends."""
    side = importlib.import_module(f"benchmarks.sequences.by_{contender}").Network(network)
    for line in sys.stdin:
        word = line.strip()
        answer: Any
        if word == "loss":
            for _ in range(_FIRST):
                side.step()
            answer = side.loss()
        elif word == "peak":
            answer = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        else:
            answer = _turn(side.step, side.finish, float(word))
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2])
