"""Times one contender, in a process of its own: ``python -m benchmarks.measure NAME``.

Prints JSON: microseconds a step (the median of blocks of steps) and the loss after fixed steps,
which must be the same for all contenders, or they do not do the same work. A contender that takes
many steps in a call (its STEPS) reports NaN there.
"""

from __future__ import annotations

import importlib
import json
import statistics
import sys
import time

CHECKED_STEPS = 20  # after these the loss is reported
BLOCKS, STEPS = 9, 100


def main(name: str) -> None:
    contender = importlib.import_module(f"benchmarks.contenders.{name}")
    step, per_call = contender.prepare(), getattr(contender, "STEPS", 1)
    loss = [step() for _ in range(max(CHECKED_STEPS // per_call, 2))][-1]
    blocks = []
    for _ in range(BLOCKS):
        start = time.perf_counter()
        for _ in range(STEPS // per_call):
            step()
        blocks.append((time.perf_counter() - start) / STEPS * 1e6)
    print(json.dumps({"microseconds": statistics.median(blocks), "loss": loss}))


if __name__ == "__main__":
    main(sys.argv[1])
