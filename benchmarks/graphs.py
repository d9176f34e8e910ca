"""A step of training as first-edition books write it: ``sess.run(training_op, feed_dict=...)``.

784-300-100-10, ReLU, gradient descent, batches of 50: `bital.tf1`, the same step under `bital.jit`,
and TensorFlow's ``compat.v1``, each in a process of its own, in turns.

    python -m benchmarks.graphs --tensorflow PYTHON [--out benchmarks/graphs.md]

PYTHON is the interpreter of an environment with TensorFlow.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.running import environment
from benchmarks.workloads import (
    Arrays,
    Workload,
    cross_entropy,
    initial_weights,
    named,
    probabilities,
    samples,
)

TARGETS = {"tensorflow": 0.5, "jit": 1.25}  # at most this, for our time divided by theirs
TITLES = {
    "tf1": "`bital.tf1`",
    "jit": "the same step, `bital.jit`",
    "tensorflow": "TensorFlow's `compat.v1`",
}
Step = Callable[[np.ndarray, np.ndarray], Any]
Pair = tuple[Step, Callable[[], Arrays]]


def by_graph(tf: Any, workload: Workload) -> Pair:
    """The book's program in the words of `tf`: a step, and what reads the weights."""
    X = tf.placeholder(tf.float32, shape=(None, workload.sizes[0]), name="X")
    y = tf.placeholder(tf.int64, shape=(None,), name="y")
    layer, start = X, initial_weights(workload)
    for number in range(0, len(start), 2):
        W = tf.Variable(start[number], name="kernel")
        b = tf.Variable(start[number + 1], name="bias")
        layer = tf.matmul(layer, W) + b
        if number + 2 < len(start):
            layer = tf.nn.relu(layer)
    xentropy = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=layer)
    loss = tf.reduce_mean(xentropy, name="loss")
    training_op = tf.train.GradientDescentOptimizer(workload.rate).minimize(loss)
    sess = tf.Session()
    sess.run(tf.global_variables_initializer())

    def step(X_batch: np.ndarray, y_batch: np.ndarray) -> None:
        sess.run(training_op, feed_dict={X: X_batch, y: y_batch})

    return step, lambda: sess.run(tf.trainable_variables())


def by_jit(workload: Workload) -> Pair:
    """The contender of the other benchmarks."""
    from benchmarks.contenders import bital_jit

    network = bital_jit.Network(workload, "gradients by bital")
    return network.step, network.weights


def prepared(who: str, workload: Workload) -> Pair:
    if who == "jit":
        return by_jit(workload)
    if who == "tf1":
        return by_graph(importlib.import_module("bital.tf1"), workload)
    tf = importlib.import_module("tensorflow.compat.v1")
    tf.disable_v2_behavior()
    return by_graph(tf, workload)


def serve(who: str) -> None:
    """Tell the loss after one pass, then, for each line read, the microseconds a step."""
    own = os.fdopen(os.dup(1), "w")  # answers have it to themselves
    os.dup2(2, 1)
    workload = named("A")
    step, weights = prepared(who, workload)
    X, t = samples(workload)
    rows = range(0, len(X), workload.batch)
    batches = [(X[i : i + workload.batch], t[i : i + workload.batch]) for i in rows]

    def one_pass() -> float:
        start = time.perf_counter()
        for X_batch, t_batch in batches:
            step(X_batch, t_batch)
        weights()  # whatever still runs is waited for
        return (time.perf_counter() - start) / len(batches) * 1e6

    one_pass()
    loss = cross_entropy(probabilities(workload, weights(), X), t)
    print(json.dumps(loss), file=own, flush=True)
    for line in sys.stdin:
        one_pass()
        times: list[float] = []
        end = time.perf_counter() + float(line)
        while time.perf_counter() < end:
            times.append(one_pass())
        print(json.dumps(statistics.median(times)), file=own, flush=True)


def measure(pythons: dict[str, str], rounds: int, seconds: float) -> dict[str, list[float]]:
    """Microseconds a step of everyone, turn by turn."""
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "", "TF_USE_LEGACY_KERAS": "1"}
    workers = {
        who: subprocess.Popen(
            [python, "-m", "benchmarks.graphs", "--serve", who],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment(quiet),
        )
        for who, python in pythons.items()
    }
    losses = {who: float(_line(who, worker)) for who, worker in workers.items()}
    if max(losses.values()) - min(losses.values()) > 1e-3:
        raise SystemExit(f"they do not do the same work, their losses are {losses}")
    times: dict[str, list[float]] = {who: [] for who in workers}
    for _ in range(rounds):
        for who, worker in workers.items():
            assert worker.stdin is not None
            print(seconds, file=worker.stdin, flush=True)
            times[who].append(float(_line(who, worker)))
    for worker in workers.values():
        worker.communicate()
    return times


def _line(who: str, worker: subprocess.Popen[str]) -> str:
    assert worker.stdout is not None
    line = worker.stdout.readline()
    if not line:
        raise SystemExit(f"{who} ended with status {worker.wait()}")
    return line


def version(python: str) -> str:
    """Of TensorFlow in another environment."""
    code = "from importlib.metadata import version; print(version('tensorflow'))"
    done = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True)
    return f"tensorflow {done.stdout.strip()}"


def page(times: dict[str, list[float]], conditions: str) -> str:
    """The results as Markdown."""
    from benchmarks.report import machine, table

    ours = statistics.median(times["tf1"])
    rows = []
    for who, found in times.items():
        middle = statistics.median(found)
        ratio = "" if who == "tf1" else f"{ours / middle:.2f} (at most {TARGETS[who]:g})"
        rows.append((TITLES[who], f"{middle:.0f}", f"{min(found):.0f} to {max(found):.0f}", ratio))
    head = ("who", "us a step", "lowest to highest", "ours divided by it")
    return (
        "# A session's run\n\n"
        "784-300-100-10, ReLU, gradient descent, batches of 50: `sess.run(training_op, "
        "feed_dict={X: X_batch, y: y_batch})` in a Python loop. Made by `python -m "
        f"benchmarks.graphs`: {conditions}. All arrive at the same loss from the same weights, "
        f"with the threads that each chooses itself.\n\n{machine()}\n\n{table(head, rows)}\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.graphs", description=__doc__)
    parser.add_argument("--tensorflow", metavar="PYTHON", help="an interpreter that has it")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.5, help="of a turn")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--serve", choices=TITLES, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.serve:
        return serve(chosen.serve)
    pythons = dict.fromkeys(("tf1", "jit"), sys.executable)
    if chosen.tensorflow:
        pythons["tensorflow"] = chosen.tensorflow
    times = measure(pythons, chosen.rounds, chosen.seconds)
    conditions = f"medians of {chosen.rounds} turns of {chosen.seconds:g} s, taken in rounds"
    if chosen.tensorflow:
        conditions += f"; {version(chosen.tensorflow)}"
    text = page(times, conditions)
    if chosen.out:
        chosen.out.write_text(text, encoding="utf-8")
    print(text)
    return None


if __name__ == "__main__":
    main()
