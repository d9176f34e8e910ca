"""Default estimators on real tables: bital's, scikit-learn's networks and its boosted trees.

``python -m benchmarks.tabular`` writes benchmarks/tabular.md; a run of some tables only is printed.
Every contender takes its five folds of every table in a process of its own, one processor each, in
turns; everyone sees the same rows. bital has two turns: in the first the folder of compiled code
is empty.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.running import environment, limit_threads
from benchmarks.tables import TABLES, Rows, Table

REPORT = Path(__file__).with_name("tabular.md")
FOLDS = 5
COLD, WARM = "bital, nothing compiled", "bital"
MLP, TREES = "MLP", "boosted trees"


class Outcome(NamedTuple):
    """One contender's folds of one table: scores, and seconds for all of them together."""

    scores: list[float]
    wall: float
    processor: float


# Contenders --------------------------------------------------------------------------------


def _bital(table: Table, seed: int) -> Any:
    from bital.sklearn import DNNClassifier, DNNRegressor

    return (DNNClassifier if table.classes else DNNRegressor)(random_state=seed)


def _mlp(table: Table, seed: int) -> Any:
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    return (MLPClassifier if table.classes else MLPRegressor)(random_state=seed)


def _scaled(table: Table, seed: int) -> Any:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(_columns(StandardScaler()), _mlp(table, seed))


def _raw(table: Table, seed: int) -> Any:
    from sklearn.pipeline import make_pipeline

    return make_pipeline(_columns(), _mlp(table, seed))


def _all_scaled(table: Table, seed: int) -> Any:
    if table.classes:
        return None
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.preprocessing import StandardScaler

    return TransformedTargetRegressor(_scaled(table, seed), transformer=StandardScaler())


def _boosting(table: Table, seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    kind = HistGradientBoostingClassifier if table.classes else HistGradientBoostingRegressor
    return kind(random_state=seed)


def _columns(*scaler: Any) -> Any:
    """What scikit-learn's networks need: no missing values, categories one-hot."""
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    chosen = make_column_selector(dtype_include="category")
    return make_column_transformer(
        (encoder, chosen), remainder=make_pipeline(SimpleImputer(), *scaler)
    )


CONTENDERS: Mapping[str, Callable[[Table, int], Any]] = {
    COLD: _bital,
    WARM: _bital,
    MLP: _scaled,
    "MLP, target scaled too": _all_scaled,
    "MLP, as the table is": _raw,
    TREES: _boosting,
}


# Measuring ---------------------------------------------------------------------------------


def _folds(contender: str, table: Table, repeat: int) -> Outcome | None:
    """Fit and score the folds of one table; None if it is not a table for this contender."""
    from sklearn.model_selection import KFold, StratifiedKFold

    x, y = table.load()
    kind = StratifiedKFold if table.classes else KFold
    folds = list(kind(FOLDS, shuffle=True, random_state=repeat).split(x, y))
    if CONTENDERS[contender](table, repeat) is None:
        return None
    scores, wall, processor = [], time.perf_counter(), time.process_time()
    for train, test in folds:
        estimator = CONTENDERS[contender](table, repeat)
        estimator.fit(x.iloc[train], y[train])
        scores.append(float(estimator.score(x.iloc[test], y[test])))
    return Outcome(scores, time.perf_counter() - wall, time.process_time() - processor)


def _made() -> Rows:
    import pandas

    x = np.random.default_rng(0).normal(size=(50, 3))
    return pandas.DataFrame(x, columns=["a", "b", "c"]), x[:, 0] > 0


def _work(contender: str, repeat: int, names: list[str]) -> None:
    """A process of one contender: a line of JSON for each table.

    A table that is not counted comes first, so that imports are not the tables' matter.
    """
    warnings.simplefilter("ignore")  # of trainings that did not converge: so are the defaults
    _folds(contender, Table("none", "sign", True, _made), 0)
    for name in names:
        print(json.dumps([name, _folds(contender, TABLES[name], repeat)]), flush=True)


def _turn(contender: str, repeat: int, names: list[str], cache: str) -> dict[str, Outcome]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.tabular", "--work", contender, str(repeat), *names],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=environment({"BITAL_CACHE": cache}),
    )
    found = map(json.loads, done.stdout.splitlines())
    return {name: Outcome(*outcome) for name, outcome in found if outcome is not None}


Results = dict[str, dict[str, list[Outcome]]]
"""By contender and table: the repeats."""


def run(names: list[str], contenders: list[str], repeats: int) -> Results:
    """Every contender's repeats, in turns."""
    results: Results = {contender: {} for contender in contenders}
    for repeat in range(repeats):
        with tempfile.TemporaryDirectory() as cache:
            for contender in contenders:
                print(f"{contender}: folds {repeat}", file=sys.stderr, flush=True)
                for name, outcome in _turn(contender, repeat, names, cache).items():
                    results[contender].setdefault(name, []).append(outcome)
    return results


# The page ----------------------------------------------------------------------------------


def _score(outcomes: list[Outcome]) -> float:
    return statistics.fmean(score for outcome in outcomes for score in outcome.scores)


def _seconds(outcomes: list[Outcome]) -> float:
    return statistics.median(outcome.processor for outcome in outcomes)


def _wall(outcomes: list[Outcome]) -> float:
    return statistics.median(outcome.wall for outcome in outcomes)


def page(results: Results, repeats: int, load: float) -> str:
    """The report, in Markdown."""
    names = list(results[WARM])
    better = [n for n in names if _score(results[WARM][n]) > _score(results[MLP][n])]
    quick = {
        who: [n for n in better if _seconds(results[who][n]) <= _seconds(results[MLP][n])]
        for who in (COLD, WARM)
    }
    shown = [contender for contender in results if contender != COLD]
    trees = [n for n in names if _score(results[WARM][n]) > _score(results[TREES][n])]
    lines = [
        "# Default estimators on real tables",
        "",
        "Generated by `python -m benchmarks.tabular`. Tables that scikit-learn and statsmodels",
        f"carry in their packages; {FOLDS} folds, the same rows for all; repeated: {repeats - 1}.",
        "Nobody has an argument but `random_state`. bital gets each table as it is. scikit-learn's",
        '"MLP" (`MLPClassifier`, `MLPRegressor`) gets standardised numbers, missing ones filled',
        'with the mean, and categories one-hot; "as the table is": the same, not standardised.',
        "Boosted trees are `HistGradientBoosting*`.",
        "",
        f"- Better than MLP's score: {len(better)} of {len(names)}; of these in no more processor "
        f"time: {len(quick[WARM])}, and {len(quick[COLD])} where nothing had been compiled before.",
        f"- Better than boosted trees: {len(trees)} of {len(names)}.",
        "",
        "## Scores",
        "",
        "Accuracy for classes, R² for numbers: the mean over all folds; with repeats ± the",
        "standard deviation of their means. On numbers MLP is far behind where targets are far",
        "from 0 and 1: bital scales them, as a user of MLP has to do by hand.",
        "",
        *_table(["table", "rows", "predicts", *shown], _score_rows(results, shown, names)),
        "",
        "## Seconds for five folds",
        "",
        "Fitting and scoring, one process, one thread; processor time and, in brackets, wall time;",
        "medians of the repeats. Importing is not in it.",
        "",
        *_table(["table", COLD, *shown], _time_rows(results, [COLD, *shown], names)),
        "",
        f"{_machine()} Load of the machine before the run: {load:.1f}.",
        "",
    ]
    return "\n".join(lines)


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows]]


def _score_rows(results: Results, shown: list[str], names: list[str]) -> list[list[str]]:
    rows = []
    for name in names:
        table = TABLES[name]
        scores = {c: _score(results[c][name]) for c in shown if name in results[c]}
        best = max(scores.values())
        texts = []
        for contender in shown:
            if contender not in scores:
                texts.append("")
                continue
            means = [statistics.fmean(o.scores) for o in results[contender][name]]
            text = f"{scores[contender]:.3f}" + (f" ± {np.std(means):.3f}" if means[1:] else "")
            texts.append(f"**{text}**" if scores[contender] == best else text)
        kind = "class" if table.classes else "number"
        size = " × ".join(map(str, table.load()[0].shape))
        rows.append([f"{name} ({table.package})", size, f"{table.target} ({kind})", *texts])
    return rows


def _time_rows(results: Results, shown: list[str], names: list[str]) -> list[list[str]]:
    rows = []
    for name in names:
        found = [results[contender].get(name) for contender in shown]
        texts = [f"{_seconds(o):.2f} ({_wall(o):.2f})" if o else "" for o in found]
        rows.append([name, *texts])
    return rows


def _machine() -> str:
    versions = [f"{name} {version(name)}" for name in ("scikit-learn", "statsmodels", "numpy")]
    import bital

    return (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors, Python "
        f"{platform.python_version()}, bital {bital.__version__}, {', '.join(versions)}."
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tabular", description=__doc__)
    parser.add_argument("--tables", type=lambda text: text.split(","), default=list(TABLES))
    parser.add_argument("--repeats", type=int, default=3, help="default: 3")
    parser.add_argument("--short", action="store_true", help="MLP in one way only")
    parser.add_argument("--out", type=Path, help=f"default: {REPORT}, if all tables were run")
    parser.add_argument("--work", nargs="+", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.work:
        _work(chosen.work[0], int(chosen.work[1]), chosen.work[2:])
        return
    limit_threads(1)
    names = list(CONTENDERS)
    names = [n for n in names if not chosen.short or n in (COLD, WARM, MLP, TREES)]
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    text = page(run(chosen.tables, names, chosen.repeats), chosen.repeats, load)
    out = chosen.out or (REPORT if chosen.tables == list(TABLES) else None)
    if out:
        out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
