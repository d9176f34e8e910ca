"""The results as Markdown: targets first, then every time that was taken."""

from __future__ import annotations

import ast
import datetime
import importlib.metadata
import os
import platform
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import eager, sequences
from benchmarks.contenders import CONTENDERS, OURS
from benchmarks.running import LeftOut, Outcome, Timing
from benchmarks.whole import GOAL
from benchmarks.workloads import MNIST, SETTINGS, WORKLOADS, Workload

PEERS = ("PyTorch", "JAX", "Keras", "scikit-learn", "NumPy, buffers reused", "NumPy, plain")
COLUMNS = (*PEERS, "floor")
PACKAGES = (
    "bital",
    "numpy",
    "scipy",
    "llvmlite",
    "torch",
    "jax",
    "keras",
    "scikit-learn",
    "autograd",
)


@dataclass
class Results:
    """Everything that a run found."""

    conditions: str
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    imports: dict[str, list[float]] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    trainings: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    eager: list[dict[str, Any]] = field(default_factory=list)
    sequences: dict[str, list[sequences.Result]] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)

    def all_left_out(self) -> Iterator[tuple[str, LeftOut]]:
        for name, outcome in self.outcomes.items():
            yield from ((name, left) for left in outcome.left_out)
        yield from (("G, H, J, M, N, O", left) for left in self.left_out)


def machine() -> str:
    """Date, processor, system and versions."""
    facts: dict[str, str] = {}
    cpuinfo = Path("/proc/cpuinfo")
    for line in cpuinfo.read_text().splitlines() if cpuinfo.exists() else ():
        key, _, value = line.partition(":")
        facts.setdefault(key.strip(), value.strip())
    model = facts.get("model name") or platform.processor() or platform.machine()
    flags = facts.get("flags", "").split()
    vectors = next((f", {flag}" for flag in ("avx512f", "avx2", "avx") if flag in flags), "")
    versions = []
    for name in PACKAGES:
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"{name} not installed")
    return (
        f"{datetime.date.today()}; {os.cpu_count()} cores ({model}{vectors}), {platform.system()}, "
        f"Python {platform.python_version()}; {', '.join(versions)}."
    )


def write(results: Results) -> str:
    """The whole report."""
    measured = [w for w in WORKLOADS if w.name in results.outcomes]
    parts: list[str] = [
        "# Benchmarks",
        "Written by `python -m benchmarks`. " + results.conditions,
        machine(),
        *_targets(results, measured),
        *(part for w in measured for part in _times(w, results.outcomes[w.name])),
        *_imports(results),
        *_trainings(results),
        *_eager(results),
        *_sequences(results),
        *_ways(),
        *_missing(results),
    ]
    return "\n\n".join(parts) + "\n"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], texts: int = 1) -> str:
    """A Markdown table; so many columns are text, the others numbers."""
    lines = [head, ["---"] * texts + ["---:"] * (len(head) - texts), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def fastest(outcome: Outcome, group: str, settings: Sequence[str]) -> Timing | None:
    """The quickest way that a group has."""
    found = [t for t in outcome.timings if t.group == group and t.setting in settings]
    return min(found, key=lambda timing: timing.median, default=None)


def _targets(results: Results, workloads: Sequence[Workload]) -> Iterator[str]:
    if not workloads:
        return
    yield "## Ours divided by theirs"
    yield (
        "Time per step, medians of the same run: less than 1 is faster. The number in brackets is "
        "the most that it should be. Of several ways the fastest counts. Where a workload has one "
        "target for both settings, ours is compared with the fastest that the other has in either; "
        "D compares like with like. The *floor* is the step's matrix products alone, by the "
        "fastest BLAS at hand."
    )
    for ours in OURS:
        met, missed, rows = 0, 0, []
        for workload in workloads:
            for setting in workload.settings:
                row, good, bad = _ratios(workload, results.outcomes[workload.name], ours, setting)
                met, missed = met + good, missed + bad
                rows += row
        if rows:
            yield f"### {ours}: {met} targets met, {missed} missed"
            yield table(("workload", "us a step", *COLUMNS), rows)


def _ratios(
    workload: Workload, outcome: Outcome, ours: str, setting: str
) -> tuple[list[list[str]], int, int]:
    """The row of a setting, if we have it; how many targets it meets and misses."""
    own = fastest(outcome, ours, (setting,))
    if own is None:
        return [], 0, 0
    targets = workload.per_setting.get(setting, workload.targets)
    theirs = (setting,) if workload.per_setting else workload.settings
    row, met, missed = [f"{workload.name}, {SETTINGS[setting]}", _number(own.median)], 0, 0
    for column in COLUMNS:
        other = fastest(outcome, column, workload.settings if column == "floor" else theirs)
        if other is None:
            row.append("")
            continue
        ratio, text = own.median / other.median, ""
        if column in targets:
            good = ratio <= targets[column]
            met, missed = met + good, missed + (not good)
            text = f" ({targets[column]:g}: {'met' if good else '**missed**'})"
        row.append(_ratio(ratio) + text)
    return [row], met, missed


def _times(workload: Workload, outcome: Outcome) -> Iterator[str]:
    yield f"## {workload.name}: {workload}"
    yield f"Losses: {workload.loss}."
    executor = next((ours for ours in OURS if fastest(outcome, ours, workload.settings)), "")
    rows = []
    for setting in workload.settings:
        own = fastest(outcome, executor, (setting,))
        timings = [timing for timing in outcome.timings if timing.setting == setting]
        rows += [
            [
                SETTINGS[setting],
                CONTENDERS[timing.contender].title,
                timing.variant,
                _number(timing.median),
                f"{_number(min(timing.times))} to {_number(max(timing.times))}",
                _ratio(own.median / timing.median) if own else "",
                "" if timing.loss is None else f"{timing.loss:.5f}",
            ]
            for timing in sorted(timings, key=lambda timing: timing.median)
        ]
    yield table(
        (
            "setting",
            "contender",
            "way",
            "us a step",
            "lowest to highest",
            f"{executor} / this",
            "loss",
        ),
        rows,
        texts=3,
    )


def _imports(results: Results) -> Iterator[str]:
    if not results.imports:
        return
    yield "## G: import"
    yield "A process that imports and ends, medians; and the files of all that it needs installed."
    middle = {name: statistics.median(times) for name, times in results.imports.items()}
    python, numpy = middle.get("Python alone", 0.0), middle.get("NumPy", 0.0)
    rows = []
    for name, seconds in middle.items():
        size = results.sizes.get(name)
        rows.append(
            [
                name,
                *(f"{1e3 * max(s, 0.0):.0f}" for s in (seconds, seconds - python, seconds - numpy)),
                f"{size / 1e6:.1f}" if size else "",
            ]
        )
    head = ("", "ms", "less Python's own", "less NumPy's too", "installed, MB")
    yield table(head, rows)


def _trainings(results: Results) -> Iterator[str]:
    if not results.trainings:
        return
    yield f"## H: MNIST to {GOAL:.0%}, a whole process"
    yield (
        f"{MNIST}, from the start of Python to its end: import, reading a file, compiling, "
        "training, and measuring on the 10,000 test images after each epoch. All have the same "
        "first weights and the same order of images."
    )
    rows = []
    for name, runs in results.trainings.items():
        times = sorted(run["seconds"] for run in runs)
        rows.append(
            [
                CONTENDERS[name].title,
                f"{statistics.median(times):.2f}",
                f"{times[0]:.2f} to {times[-1]:.2f}",
                f"{runs[0]['epochs']:.0f}",
                f"{runs[0]['accuracy']:.2%}",
            ]
        )
    rows.sort(key=lambda row: float(row[1]))
    yield table(("", "seconds", "lowest to highest", "epochs", "accuracy"), rows)


def _eager(results: Results) -> Iterator[str]:
    if not results.eager:
        return
    yield "## J: gradients without jit"
    yield (
        "Two layers with softmax cross-entropy in float64, traced anew at each call, since the "
        "function is ordinary Python; and NumPy's own `dot`, for which autograd has no rule."
    )
    head = ("case", "contender", "us a gradient", "lowest to highest", "bital / this", "target")
    yield table(head, list(eager.rows(results.eager)), texts=2)


def _sequences(results: Results) -> Iterator[str]:
    for letter, found in results.sequences.items():
        yield f"## {letter}: {sequences.TITLES[sequences.LETTERS[letter]]}"
        yield "One call a step, on one batch; the floor is the matrix products of a step alone."
        yield table(sequences.HEAD, list(sequences.rows(found)))


def _ways() -> Iterator[str]:
    yield "## How each is written"
    modules = {entry.module: None for entry in CONTENDERS.values()}
    lines = []
    for module in modules:
        source = (Path(__file__).parent / "contenders" / f"{module}.py").read_text("utf-8")
        words = (ast.get_docstring(ast.parse(source)) or "").replace("``", "`").split()
        lines.append(f"- `contenders/{module}.py`. {' '.join(words)}")
    yield "\n".join(lines)
    yield (
        "Each runs in a process of its own. All processes of a workload are prepared first; then "
        "they take turns, every case a fraction of a second in each round. The samples are not "
        "shuffled, so that all take the same steps."
    )


def _missing(results: Results) -> Iterator[str]:
    reasons: dict[tuple[str, str], list[str]] = {}
    for where, left in results.all_left_out():
        reasons.setdefault((left.who, left.reason), []).append(where)
    if reasons:
        yield "## Left out"
        lines = [
            f"- {who} ({', '.join(places)}): {reason}" for (who, reason), places in reasons.items()
        ]
        yield "\n".join(lines)


def _number(value: float) -> str:
    digits: Callable[[float], str] = "{:.0f}".format if value >= 100 else "{:.3g}".format
    return digits(value)


def _ratio(value: float) -> str:
    return f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"
