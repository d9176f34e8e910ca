"""Runs every contender in its own process, interleaved, and writes the report.

``python -m benchmarks [--rounds 5] [--out docs/benchmarks.md]``
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import json
import math
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

CONTENDERS = {
    "numpy_by_hand": "NumPy by hand, buffers reused",
    "bital_jit": "bital.jit, `numpy` executor",
    "bital_keras": "bital.keras, train_on_batch",
    "bital_keras_fit": "bital.keras, fit",
    "scikit_learn": "scikit-learn, partial_fit",
    "scikit_learn_fit": "scikit-learn, fit",
}
PACKAGES = ("bital", "numpy", "scikit-learn")


def measure(name: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.measure", name]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if "model name" in line), "")


def report(results: dict[str, list[dict[str, float]]], rounds: int) -> str:
    base = statistics.median(r["microseconds"] for r in results["numpy_by_hand"])
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    lines = [
        "# Benchmarks",
        "",
        "One training step: 784-300-100-10, ReLU, softmax cross-entropy, batch 50, SGD, float32.",
        f"Each contender in its own process, {rounds} interleaved rounds; medians.",
        "",
        f"{datetime.date.today()}, {os.cpu_count()} cores ({processor()}), {platform.system()}, "
        f"Python {platform.python_version()}, {versions}.",
        "",
        "| contender | us a step | lowest to highest | by hand = 1 | loss after 20 steps |",
        "|---|---|---|---|---|",
    ]
    for name, runs in results.items():
        times = sorted(run["microseconds"] for run in runs)
        middle = statistics.median(times)
        lines.append(
            f"| {CONTENDERS[name]} | {middle:.0f} | {times[0]:.0f} to {times[-1]:.0f} "
            f"| {middle / base:.2f} | {_loss(runs[0]['loss'])} |"
        )
    return "\n".join([*lines, "", "Made by `python -m benchmarks`.", ""])


def _loss(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.4f}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("docs/benchmarks.md"))
    options = parser.parse_args()
    results: dict[str, list[dict[str, float]]] = {name: [] for name in CONTENDERS}
    for _ in range(options.rounds):
        for name, runs in results.items():
            runs.append(measure(name))
    losses = [runs[0]["loss"] for runs in results.values() if not math.isnan(runs[0]["loss"])]
    if max(losses) - min(losses) > 1e-3 * max(losses):
        sys.exit(f"the contenders do not do the same work: losses {losses}")
    text = report(results, options.rounds)
    options.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
