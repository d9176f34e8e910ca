"""The two pictures of a search. matplotlib is imported at first use, without a window system."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bital.figures import new_figure

SCORE, BEST, PRUNED = "#4477aa", "#228833", "#bbbbbb"  # told apart by colour-blind readers too


def history(trials: Sequence[Any], maximize: bool, name: str) -> Any:
    """Scores over the trials, the best so far as a line, those that were pruned in grey."""
    figure = new_figure(7.5, 4.0)
    axes = figure.add_subplot()
    complete = [t for t in trials if t.state == "complete"]
    pruned = [t for t in trials if t.state == "pruned" and t.score is not None]
    failed = [t.number for t in trials if t.state == "failed"]
    best: list[float] = []
    for trial in complete:
        choose = max if maximize else min
        best.append(choose([trial.score, *best[-1:]]))
    numbers = [t.number for t in complete]
    if pruned:
        axes.scatter([t.number for t in pruned], [t.score for t in pruned], marker="x",
                     color=PRUNED, label="pruned, when it was")  # fmt: skip
    axes.scatter(numbers, [t.score for t in complete], color=SCORE, s=22, label="complete")
    axes.step(numbers, best, where="post", color=BEST, label="best so far")
    for i, number in enumerate(failed):
        axes.axvline(number, color="#ee6677", linewidth=0.8, label=None if i else "failed")
    if complete:  # what was pruned early can be so bad that nothing else is seen
        scores = [t.score for t in complete]
        margin = 0.08 * (max(scores) - min(scores)) or 0.1
        axes.set_ylim(min(scores) - margin, max(scores) + margin)
    axes.set_xlabel("trial")
    axes.set_ylabel(name)
    axes.legend(frameon=False, fontsize=8, loc="lower left", bbox_to_anchor=(0, 1), ncols=4)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.3)
    return figure


def importance(shares: Mapping[str, float], name: str) -> Any:
    """A bar for each hyperparameter, the most important one on top."""
    figure = new_figure(6.5, 1.4 + 0.4 * max(len(shares), 1))
    axes = figure.add_subplot()
    names = sorted(shares, key=lambda key: shares[key])
    bars = axes.barh(names, [shares[key] for key in names], color=SCORE)
    axes.bar_label(bars, fmt="%.2f", padding=3, fontsize=8)
    axes.set_xlim(0, 1.05)
    axes.set_xlabel(f"share of the differences in {name}")
    if not shares:
        axes.text(0.5, 0.5, "needs two complete trials that differ", ha="center",
                  transform=axes.transAxes)  # fmt: skip
        axes.set_yticks([])
    return figure
