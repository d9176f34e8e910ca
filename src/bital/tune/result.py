"""What a search found: the best, a table of all trials, two pictures."""

from __future__ import annotations

import csv
import io
import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from bital.errors import ModelStateError
from bital.tune import ledger
from bital.tune.optional import load_optuna

SCORES, EPOCHS, FAILURE = "bital:scores", "bital:epochs", "bital:failure"


class Trial(NamedTuple):
    """One trial: what it was, and what became of it.

    ``state`` is complete, pruned, failed (``reason`` says why), unfinished (its process was ended,
    or another trial took its place), running or waiting. ``score`` is the mean of ``scores``, one
    for each fold; that of a pruned trial is the last one reported.
    """

    number: int
    state: str
    score: float | None
    scores: tuple[float, ...]
    params: dict[str, Any]
    seconds: float | None
    reason: str


@dataclass
class Result:
    """What `search` returns.

    Attributes
    ----------
    study : optuna.Study
        The study, for everything that Optuna can do with it.
    best_estimator, best_model
        The estimator, or the model, trained on all samples with the best hyperparameters; None
        after ``refit=False``, or where no trial was complete.
    """

    study: Any
    space: Any
    best_estimator: Any = None
    best_model: Any = None

    @property
    def best_trial(self) -> Trial:
        """The trial with the best score.

        Raises
        ------
        ModelStateError
            No trial was complete.
        """
        complete = load_optuna().trial.TrialState.COMPLETE
        if not self.study.get_trials(deepcopy=False, states=(complete,)):
            told = {t.reason for t in self.trials if t.reason}
            reasons = " Reasons: " + "; ".join(sorted(told)) if told else ""
            raise ModelStateError(
                f"search: none of {len(self.trials)} trials is complete, so there is no best one."
                f"{reasons}"
            )
        return self._trial(self.study.best_trial)

    @property
    def best_params(self) -> dict[str, Any]:
        """The hyperparameters of the best trial."""
        return self.best_trial.params

    @property
    def best_score(self) -> float:
        """The score of the best trial."""
        score = self.best_trial.score
        assert score is not None
        return score

    @property
    def trials(self) -> list[Trial]:
        """All trials, in the order in which they began; also those of other processes."""
        return [self._trial(trial) for trial in self.study.get_trials(deepcopy=False)]

    def table(self) -> dict[str, list[Any]]:
        """The trials as columns: ``pandas.DataFrame(result.table())``, or polars'.

        A hyperparameter that a trial did not have is None.
        """
        trials = self.trials
        names = dict.fromkeys(name for trial in trials for name in trial.params)
        found: dict[str, list[Any]] = {
            name: [getattr(trial, name) for trial in trials]
            for name in ("number", "state", "score", "seconds")
        }
        for name in names:
            column = f"param {name}" if name in (*found, "reason") else name
            found[column] = [_plain(trial.params.get(name)) for trial in trials]
        found["reason"] = [trial.reason for trial in trials]
        return found

    def save_table(self, path: str | Path) -> None:
        """Write the trials as CSV, as a whole or not at all."""
        from bital.keras.files import write_atomically

        table = self.table()
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(table)
        writer.writerows(zip(*table.values(), strict=True))
        content = text.getvalue().encode()
        write_atomically(path, lambda temporary: _write(temporary, content))

    def importance(self) -> dict[str, float]:
        """How much of the differences in score each hyperparameter explains; the sum is 1.

        Empty where fewer than two trials are complete, or nothing differs between them.
        PED-ANOVA (Watanabe, Bansal, Hutter 2023), as Optuna computes it.
        """
        optuna = load_optuna()
        complete = optuna.trial.TrialState.COMPLETE
        finished = self.study.get_trials(deepcopy=False, states=(complete,))
        if len({trial.value for trial in finished}) < 2:
            return {}
        with warnings.catch_warnings():  # Optuna 4 calls it new
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            evaluator = optuna.importance.PedAnovaImportanceEvaluator()
            return dict(optuna.importance.get_param_importances(self.study, evaluator=evaluator))

    def plot_history(self) -> Any:
        """Draw the score of each trial, and the best so far.

        Needs the extra ``plot``.

        Returns
        -------
        matplotlib.figure.Figure
        """
        from bital.tune import plots

        return plots.history(self.trials, self._maximize, self._score_name)

    def plot_importance(self) -> Any:
        """Draw the `importance` of each hyperparameter.

        Needs the extra ``plot``.

        Returns
        -------
        matplotlib.figure.Figure
        """
        from bital.tune import plots

        return plots.importance(self.importance(), self._score_name)

    def __str__(self) -> str:
        trials = self.trials
        states = [trial.state for trial in trials]
        told = ", ".join(f"{states.count(s)} {s}" for s in dict.fromkeys(states)) or "no trials"
        lines = [f"search: {told}"]
        complete = [trial for trial in trials if trial.state == "complete"]
        complete.sort(key=lambda t: _order(t.score), reverse=self._maximize)
        for trial in complete[:5]:
            params = "  ".join(f"{k}={_shown(v)}" for k, v in trial.params.items())
            lines.append(f"  {_shown(trial.score):>10}  trial {trial.number:<4} {params}")
        return "\n".join(lines)

    __repr__ = __str__

    @property
    def _maximize(self) -> bool:
        return bool(self.study.direction == load_optuna().study.StudyDirection.MAXIMIZE)

    @property
    def _score_name(self) -> str:
        about = self.study.user_attrs.get("bital:search", {})
        return str(about.get("scoring") or "score")

    def _trial(self, trial: Any) -> Trial:
        known = trial.user_attrs
        reason = known.get(FAILURE, "")
        state = {"FAIL": "unfinished"}.get(trial.state.name, trial.state.name.lower())
        if reason:
            state = "failed"
        seconds = trial.duration.total_seconds() if trial.duration else None
        whole = set(trial.params) >= set(self.space.distributions)
        params = self.space.values_of(trial.params) if trial.params and whole else {}
        score = trial.value if trial.state.is_finished() and not reason else None
        scores = tuple(known.get(SCORES, ()))
        return Trial(trial.number, state, score, scores, params, seconds, reason)


def finished(study: Any) -> int:
    """How many places of a study have a result."""
    trials = study.get_trials(deepcopy=False)
    done = ("COMPLETE", "PRUNED")
    return len(
        {p for p, t in zip(ledger.places(trials), trials, strict=True) if t.state.name in done}
    )


def _order(score: float | None) -> float:
    return -math.inf if score is None else score


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return getattr(value, "__name__", None) or repr(value)


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(_plain(value))


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)
