"""Times one contender, in a process of its own: ``python -m benchmarks.measure NAME``.

Prints JSON: microseconds a step (the median of blocks of steps) and the loss after fixed steps,
which must be the same for all contenders, or they do not do the same work.
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
    step = importlib.import_module(f"benchmarks.contenders.{name}").prepare()
    loss = [step() for _ in range(CHECKED_STEPS)][-1]
    blocks = []
    for _ in range(BLOCKS):
        start = time.perf_counter()
        for _ in range(STEPS):
            step()
        blocks.append((time.perf_counter() - start) / STEPS * 1e6)
    print(json.dumps({"microseconds": statistics.median(blocks), "loss": loss}))


if __name__ == "__main__":
    main(sys.argv[1])
