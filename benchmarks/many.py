"""Many small networks: `bital.keras.fit_many` beside one network, and beside a loop.

``python -m benchmarks.many`` writes benchmarks/many.md. Networks 64-32-10 learn scikit-learn's
digits by Adam in batches of 32; each has a seed, a learning rate and a factor of its penalty of its
own. Every case has a process of its own, in turns: first where nothing has been compiled before,
then with the machine code that the first left on the disk, and both times once more within the
process. Times are of whole calls.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.running import environment, limit_threads

REPORT = Path(__file__).with_name("many.md")
GOAL = 12.0
LOOPED = 10  # networks of a loop that are timed
ROWS = ("nothing compiled before", "code on the disk", "again, in the same process")


class Outcome(NamedTuple):
    """One process: seconds of its first and of its second call, megabytes, and the mean loss."""

    first: float
    again: float
    megabytes: float
    loss: float


# Cases -------------------------------------------------------------------------------------


def _digits() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return (x / 16).astype(np.float32), y


def _numbers(seed: int) -> tuple[float, float]:
    """A learning rate and a factor of the penalty."""
    draw = np.random.default_rng(seed)
    return 10 ** draw.uniform(-3.5, -2), 10 ** draw.uniform(-5, -2)


def _model(seed: int) -> Any:
    from bital import keras

    rate, factor = _numbers(seed)
    keras.utils.set_random_seed(seed)
    penalty = keras.regularizers.L2(factor)
    model = keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(32, activation="relu", kernel_regularizer=penalty),
            keras.layers.Dense(10, activation="softmax", kernel_regularizer=penalty),
        ]
    )
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
    return model


def together(seeds: range, epochs: int) -> list[float]:
    """All by one call."""
    from bital import keras

    models = [_model(seed) for seed in seeds]
    found = keras.fit_many(models, *_digits(), epochs=epochs, seeds=seeds)
    return [history.history["loss"][-1] for history in found]


def looped(seeds: range, epochs: int) -> list[float]:
    """One call each."""
    x, y = _digits()
    found = [_model(seed).fit(x, y, epochs=epochs, seed=seed, verbose=0) for seed in seeds]
    return [history.history["loss"][-1] for history in found]


def scikit_learn(seeds: range, epochs: int) -> list[float]:
    """MLPClassifier."""
    import warnings

    from sklearn.neural_network import MLPClassifier

    warnings.simplefilter("ignore")
    found = []
    for seed in seeds:
        rate, factor = _numbers(seed)
        model = MLPClassifier(
            (32,),
            alpha=factor,
            learning_rate_init=rate,
            batch_size=32,
            max_iter=epochs,
            n_iter_no_change=epochs,
            random_state=seed,
        )
        found.append(model.fit(*_digits()).loss_)
    return found


CASES: Mapping[str, Callable[[range, int], list[float]]] = {
    "fit": looped,
    "fit_many": together,
    "scikit-learn": scikit_learn,
}


def _work(case: str, count: int, epochs: int) -> None:
    """Run a case twice and print what it took."""
    _digits()
    if case != "scikit-learn":
        import bital.keras  # noqa: F401 (imports are not timed)
    times = []
    for first in (0, count):
        start = time.perf_counter()
        losses = CASES[case](range(first, first + count), epochs)
        times.append(time.perf_counter() - start)
    scale = 2**20 if sys.platform == "darwin" else 2**10
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale
    print(json.dumps([*times, megabytes, statistics.fmean(losses)]))


# Turns -------------------------------------------------------------------------------------


def _asked(case: str, count: int, epochs: int, cache: str) -> Outcome:
    words = [sys.executable, "-m", "benchmarks.many", "--work", case, str(count), str(epochs)]
    extra = environment({"BITAL_CACHE": cache})
    done = subprocess.run(words, env=extra, check=True, capture_output=True, text=True)
    return Outcome(*json.loads(done.stdout.splitlines()[-1]))


def run(count: int, epochs: int, rounds: int) -> dict[tuple[str, int], list[list[Outcome]]]:
    """Return for each case, and how many networks, what each round took: cold, then warm."""
    wanted = [("fit", 1), ("fit_many", count), ("fit", LOOPED), ("scikit-learn", 1)]
    found: dict[tuple[str, int], list[list[Outcome]]] = {each: [] for each in wanted}
    for _ in range(rounds):
        for case, number in wanted:
            with tempfile.TemporaryDirectory() as cache:
                turns = [_asked(case, number, epochs, cache) for _ in range(2)]
            found[case, number].append(turns)
    return found


# The page ----------------------------------------------------------------------------------


def page(results: Any, count: int, epochs: int, threads: str) -> str:
    """The page in Markdown: medians of all rounds."""

    def median(case: tuple[str, int], of: Callable[[list[Outcome]], float]) -> float:
        return statistics.median(of(turns) for turns in results[case])

    kinds: list[Callable[[list[Outcome]], float]] = [
        lambda turns: turns[0].first,
        lambda turns: turns[1].first,
        lambda turns: turns[1].again,
    ]
    one, many, loop, other = ("fit", 1), ("fit_many", count), ("fit", LOOPED), ("scikit-learn", 1)
    lines = [
        "# Many networks at once",
        "",
        "Networks 64-32-10 on scikit-learn's digits (1,797 samples), Adam, batches of 32, "
        f"{epochs} epochs; each with a seed, a learning rate and a penalty of its own. {threads} "
        "threads, "
        f"{os.cpu_count()} processors. Whole calls, building the models included, in seconds; made "
        "by `python -m benchmarks.many`.",
        "",
        f"| | one, `fit` | {count}, `fit_many` | {count} / one | {LOOPED}, `fit` in a loop | "
        "one, MLPClassifier |",
        "|---|---|---|---|---|---|",
    ]
    for name, kind in zip(ROWS, kinds, strict=True):
        found = [median(case, kind) for case in (one, many, loop, other)]
        ratio = found[1] / found[0]
        lines.append(
            f"| {name} | {found[0]:.3f} | {found[1]:.2f} | {ratio:.1f} | {found[2]:.2f} | "
            f"{found[3]:.2f} |"
        )
    memory = [median(case, lambda turns: turns[1].megabytes) for case in (one, many)]
    flops = 6 * 1797 * (64 * 32 + 32 * 10) - 2 * 1797 * 64 * 32
    lines += [
        "",
        f"The goal is {GOAL:g} times one. Memory of the whole process at its peak: "
        f"{memory[0]:.0f} MB for one, {memory[1]:.0f} for {count}. The penalty is a number in the "
        "step that `fit` compiles, so each network of the loop is compiled anew; `fit_many` makes "
        "it an argument.",
        "",
        f"An epoch of one network is {flops / 1e6:.1f} million operations in matrix products, so "
        f"{count} networks need {flops * count * epochs / 1e9:.0f} billion: at 80 GFLOP/s on each "
        f"of two processors {flops * count * epochs / 160e9:.1f} s, whoever computes them. "
        "Networks that differ in weights and seeds only share a compiled step in the loop too; "
        "there `fit_many` saves little beside the use of all processors.",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.many", description=__doc__)
    parser.add_argument("--count", type=int, default=200, help="networks; default: 200")
    parser.add_argument("--epochs", type=int, default=50, help="default: 50")
    parser.add_argument("--rounds", type=int, default=3, help="default: 3")
    parser.add_argument("--threads", type=int, help="default: what each chooses itself")
    parser.add_argument("--out", type=Path, help=f"default: {REPORT}")
    parser.add_argument("--work", nargs=3, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.work:
        case, count, epochs = chosen.work
        _work(case, int(count), int(epochs))
        return
    if chosen.threads:
        limit_threads(chosen.threads)
    threads = str(chosen.threads or "By default as many")
    results = run(chosen.count, chosen.epochs, chosen.rounds)
    text = page(results, chosen.count, chosen.epochs, threads)
    (chosen.out or REPORT).write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
