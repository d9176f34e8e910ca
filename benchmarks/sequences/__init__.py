"""M, N, O: networks for sequences: LSTM, GRU and a character transformer, trained by Adam.

Every contender has a process of its own and starts from the same weights. A turn is a few steps on
one batch; the loss after some steps shows that all do the same work.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.running import environment

EPSILON, RATE = 1e-7, 1e-3
CONTENDERS = ("bital", "pytorch", "jax", "floor")
# At most this, for bital's time divided by theirs.
TARGETS = {
    "lstm": {"pytorch": 1.0, "jax": 0.65},
    "gru": {"pytorch": 0.6},
    "transformer": {"pytorch": 0.9},
}
TITLES = {
    "lstm": "LSTM(128) over 28 steps of 28, dense 10, batch 64, Adam",
    "gru": "GRU(128) over 28 steps of 28, dense 10, batch 64, Adam",
    "transformer": "character transformer, 4 layers of 128, 4 heads, 64 tokens, batch 32, Adam",
}
HEAD = (
    "contender",
    "ms a step",
    "lowest to highest",
    "bital / this",
    "target",
    "loss after 10 steps",
    "peak memory, MiB",
)
LETTERS = {"M": "lstm", "N": "gru", "O": "transformer"}
BATCH, STEPS, FEATURES, UNITS, CLASSES = 64, 28, 28, 128, 10  # of the recurrent networks
LAYERS, DIM, HEADS, TOKENS, ROWS, VOCABULARY = 4, 128, 4, 64, 32, 65  # of the transformer
SAME = 2e-3  # relative: Adam's first steps are little more than the signs of the gradients

Weights = dict[str, np.ndarray]


def weights(network: str) -> Weights:
    """Where everyone starts: float32."""
    rng = np.random.default_rng(0)

    def normal(*shape: int) -> np.ndarray:
        return (rng.normal(size=shape) / np.sqrt(shape[0])).astype(np.float32)

    def zeros(*shape: int) -> np.ndarray:
        return np.zeros(shape, np.float32)

    if network != "transformer":
        gates = 4 if network == "lstm" else 3
        bias = zeros(gates * UNITS) if network == "lstm" else zeros(2, gates * UNITS)
        return {
            "kernel": normal(FEATURES, gates * UNITS),
            "recurrent": normal(UNITS, gates * UNITS),
            "bias": bias,
            "out": normal(UNITS, CLASSES),
            "out_bias": zeros(CLASSES),
        }
    found = {"tokens": normal(VOCABULARY, DIM), "places": normal(TOKENS, DIM)}
    for layer in range(LAYERS):
        for name, rows, columns in (
            ("qkv", DIM, 3 * DIM),
            ("joined", DIM, DIM),
            ("wide", DIM, 4 * DIM),
            ("narrow", 4 * DIM, DIM),
        ):
            found[f"{name}{layer}"] = normal(rows, columns)
            found[f"{name}_bias{layer}"] = zeros(columns)
        for name in ("first", "second"):
            found[f"{name}_gamma{layer}"] = np.ones(DIM, np.float32)
            found[f"{name}_beta{layer}"] = zeros(DIM)
    found |= {"gamma": np.ones(DIM, np.float32), "beta": zeros(DIM)}
    return found | {"out": normal(DIM, VOCABULARY), "out_bias": zeros(VOCABULARY)}


def batch(network: str) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and labels."""
    rng = np.random.default_rng(1)
    if network == "transformer":
        shape = ROWS, TOKENS
        return rng.integers(0, VOCABULARY, shape), rng.integers(0, VOCABULARY, shape)
    x = rng.random((BATCH, STEPS, FEATURES), dtype=np.float32)
    return x, rng.integers(0, CLASSES, BATCH)


@dataclass
class Result:
    """What one contender took, turn by turn, in milliseconds a step."""

    network: str
    contender: str
    loss: float | None
    peak: float  # MiB, of the process
    times: list[float]

    @property
    def median(self) -> float:
        return statistics.median(self.times)


class _Process:
    def __init__(self, contender: str, network: str) -> None:
        self.child = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.sequences.worker", contender, network],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment({}),
        )

    def ask(self, word: object) -> Any:
        assert self.child.stdin is not None
        assert self.child.stdout is not None
        print(word, file=self.child.stdin, flush=True)
        line = self.child.stdout.readline()
        if not line:
            errors = self.child.stderr.read() if self.child.stderr else ""
            raise RuntimeError((errors.strip().splitlines() or ["it ended"])[-1])
        return json.loads(line)


def measure(
    network: str, rounds: int, seconds: float
) -> tuple[list[Result], list[tuple[str, str]]]:
    """All contenders in turns; and who is missing, with the reason."""
    found: list[tuple[_Process, Result]] = []
    missing = []
    for contender in CONTENDERS:
        process = _Process(contender, network)
        try:
            found.append((process, Result(network, contender, process.ask("loss"), 0, [])))
        except RuntimeError as error:
            missing.append((contender, str(error)))
    for _ in range(rounds):
        for process, result in found:
            result.times.append(process.ask(seconds))
    for process, result in found:
        result.peak = process.ask("peak")
        process.child.communicate()
    return [result for _, result in found], missing


def rows(results: list[Result]) -> Iterator[list[str]]:
    """Rows of the report: who, ms a step, lowest to highest, ratio, target, loss, peak memory.

    Raises
    ------
    RuntimeError
        Where two did not do the same work.
    """
    ours = next(result for result in results if result.contender == "bital")
    for result in results:
        target = TARGETS[result.network].get(result.contender)
        ratio = "" if result is ours else f"{ours.median / result.median:.2f}"
        if result.loss is not None and abs(result.loss / (ours.loss or 1) - 1) > SAME:
            raise RuntimeError(f"{result.contender} has the loss {result.loss}, not {ours.loss}")
        spread = f"{min(result.times):.2f} to {max(result.times):.2f}"
        loss = "" if result.loss is None else f"{result.loss:.5f}"
        end = [ratio, "" if target is None else f"{target:g}", loss, f"{result.peak:.0f}"]
        yield [result.contender, f"{result.median:.2f}", spread, *end]
