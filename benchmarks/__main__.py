"""Runs every contender in its own process, in turns, and writes docs/benchmarks.md.

A run of some workloads or contenders only, or a quick one, is printed and not written, unless
--out says where.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from benchmarks import eager, report, running, sequences, whole
from benchmarks.contenders import CONTENDERS
from benchmarks.running import LeftOut
from benchmarks.workloads import LETTERS, WORKLOADS

REPORT = Path("docs/benchmarks.md")
TRAINING_ROUNDS, TRAINING_EPOCHS = 3, 20  # at most, of H


def options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    default = [name for name, entry in CONTENDERS.items() if entry.by_default]
    parser.add_argument("--workloads", type=_listed(LETTERS), help=f"of {','.join(LETTERS)}")
    parser.add_argument("--contenders", type=_listed(CONTENDERS), help=f"of {','.join(CONTENDERS)}")
    parser.add_argument("--rounds", type=int, default=5, help="default: 5")
    parser.add_argument("--seconds", type=float, default=0.25, help="a turn; default: 0.25")
    parser.add_argument("--threads", type=int, help="default: what each chooses itself")
    parser.add_argument("--quick", action="store_true", help="one short round, to see that it runs")
    parser.add_argument("--out", type=Path, help=f"default: {REPORT}, if all was run")
    chosen = parser.parse_args(arguments)
    if chosen.quick:
        chosen.rounds, chosen.seconds = 1, 0.02
    elif chosen.out is None and chosen.workloads is None and chosen.contenders is None:
        chosen.out = REPORT
    chosen.workloads = chosen.workloads or list(LETTERS)
    chosen.contenders = chosen.contenders or default
    return chosen


def _listed(known: Iterable[str]) -> Callable[[str], list[str]]:
    def names(text: str) -> list[str]:
        found = [name.strip() for name in text.split(",")]
        for name in found:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(known)}")
        return found

    return names


def main() -> None:
    chosen = options()
    if chosen.threads:
        running.limit_threads(chosen.threads)
    results = report.Results(_conditions(chosen))
    for workload in WORKLOADS:
        if workload.letter in chosen.workloads:
            _say(f"{workload.name}: {workload}")
            outcome = running.measure(workload, chosen.contenders, chosen.rounds, chosen.seconds)
            results.outcomes[workload.name] = outcome
    if "G" in chosen.workloads:
        _imports(results, chosen.rounds)
    if "H" in chosen.workloads:
        _trainings(results, chosen)
    if "J" in chosen.workloads:
        _eager(results, chosen)
    for letter, network in sequences.LETTERS.items():
        if letter in chosen.workloads:
            _say(f"{letter}: {sequences.TITLES[network]}")
            found, missing = sequences.measure(network, chosen.rounds, chosen.seconds)
            results.sequences[letter] = found
            results.left_out += [LeftOut(who, why, False) for who, why in missing]
    text = report.write(results)
    if chosen.out:
        chosen.out.write_text(text, encoding="utf-8")
    print(text)
    faults = [
        f"{where}: {left.who}: {left.reason}"
        for where, left in results.all_left_out()
        if left.fault
    ]
    if faults:
        sys.exit("\n".join(["These failed or did other work:", *faults]))


def _conditions(chosen: argparse.Namespace) -> str:
    threads = f"threads: {chosen.threads or 'what each contender chooses itself'}"
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    return (
        f"Interleaved rounds: {chosen.rounds}, of {chosen.seconds:g} s a case; medians; {threads}; "
        f"load of the machine before the run: {load}."
    )


def _imports(results: report.Results, rounds: int) -> None:
    _say("G: import")
    failed: set[str] = set()
    for _ in range(rounds):
        for name in [name for name in whole.IMPORTS if name not in failed]:
            try:
                results.imports.setdefault(name, []).append(whole.import_time(name))
            except subprocess.CalledProcessError as error:
                failed.add(name)
                results.left_out.append(LeftOut(f"import of {name}", _last(error), False))
    for name in failed:
        del results.imports[name]
    for name in results.imports:
        results.sizes[name] = whole.installed_bytes(whole.IMPORTS[name][2])


def _trainings(results: report.Results, chosen: argparse.Namespace) -> None:
    contenders = [name for name in chosen.contenders if CONTENDERS[name].whole]
    epochs = 1 if chosen.quick else TRAINING_EPOCHS
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mnist.npz"
        whole.write_mnist(path)
        for _ in range(min(chosen.rounds, TRAINING_ROUNDS)):
            for name in list(contenders):
                _say(f"H: {name}")
                try:
                    found = whole.train_process(name, path, epochs)
                except subprocess.CalledProcessError as error:
                    contenders.remove(name)
                    reason = _last(error)
                    results.left_out.append(LeftOut(name, reason, "Unavailable" not in reason))
                else:
                    results.trainings.setdefault(name, []).append(found)


def _eager(results: report.Results, chosen: argparse.Namespace) -> None:
    _say("J: eager gradients")
    try:
        results.eager = eager.measure(chosen.rounds, chosen.seconds)
    except subprocess.CalledProcessError as error:
        reason = _last(error)
        fault = "No module named 'autograd'" not in reason
        results.left_out.append(LeftOut("autograd", reason, fault))


def _last(error: subprocess.CalledProcessError) -> str:
    text = error.stderr.decode() if isinstance(error.stderr, bytes) else error.stderr
    return (text.strip().splitlines() or ["nothing on stderr"])[-1]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
