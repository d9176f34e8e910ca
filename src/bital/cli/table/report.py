"""The report of a run on a table: pictures, and one page that needs no other file."""

import base64
import shlex
from collections.abc import Iterator
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bital.cli import plots
from bital.cli import report as text
from bital.cli.options import as_arguments
from bital.cli.recording import Outcome, Recorder, Say
from bital.cli.table import pictures, scores
from bital.cli.table.data import TEST
from bital.cli.table.scores import Importance
from bital.errors import MissingExtraError

SHUFFLED = 2000
"""Rows on which the importance of columns is measured."""
WORST = 10
PREDICTIONS = 200
"""How often the network may be asked for the importance of all columns."""

MEASURES = {
    "accuracy": "Accuracy: share of right answers.",
    "balanced_accuracy": "Balanced accuracy: the mean over the classes of the share found.",
    "auc": "AUC: how often a row of the class gets a higher probability than one of another.",
    "loss": "Loss: cross-entropy, which also counts how sure the answers are; 0 is best.",
    "rmse": "RMSE: root of the mean squared error.",
    "mae": "MAE: mean absolute error.",
    "r2": "R2: share of the target's variance that is explained; 1 is best.",
}


class Report:
    """All that the page of a run is made of.

    Parameters
    ----------
    prepared : Prepared
    estimator : fitted estimator
    recorder : Recorder
    outcome : Outcome
    given : (n, classes) or (n,) array
        Its answers for the test rows.
    """

    def __init__(
        self, prepared: Any, estimator: Any, recorder: Recorder, outcome: Outcome, given: Any
    ) -> None:
        self.table, self.settings = prepared.table, prepared.settings
        self.path, self.encoder, self.notes = prepared.path, prepared.encoder, prepared.notes
        self.estimator, self.outcome, self.given = estimator, outcome, given
        self.folder, self.rows, self.best_epoch = recorder.folder, recorder.rows, outcome.best_epoch
        self.truth = self.table.y(TEST)
        classes = self.table.target.classes
        self.classes = None if classes is None else [str(label) for label in classes.tolist()]
        self.unit = "cross-entropy" if self.classes else "RMSE"
        self.importance = self._importance()

    def _importance(self) -> list[Importance]:
        used = [column.name for column in self.encoder.columns_ if column.became]
        frame, truth = self.table.sample(TEST, SHUFFLED)
        repeats = min(scores.REPEATS, PREDICTIONS // max(1, len(used)))
        if not repeats:
            self.notes.add(f"No importance of columns: {len(used):,} would take too long.")
            return []
        name = "loss" if self.classes else "rmse"

        def loss(shuffled: Any) -> float:
            given = scores.answers(self.estimator, iter([shuffled]))
            return float(scores.measured(truth, given)[name] or 0.0)

        return scores.importance(frame, used, loss, self.settings.seed, repeats)

    # Pictures -----------------------------------------------------------------------------

    def pictures(self) -> Iterator[tuple[str, str, bytes, str]]:
        """Yield name, title, PNG and caption of each picture."""
        if self.rows:
            loss = "cross-entropy" if self.classes else "squared error of the scaled target"
            name = next(name for name in self.rows[0] if name not in ("epoch", "loss"))
            unit = "%" if name == "accuracy" else "share of the variance explained"
            units = {"loss": loss, name: unit}
            title = f"{pictures.short(self.settings.target)}, seed {self.settings.seed}"
            yield (
                "curves",
                "Training",
                plots.curves(self.rows, self.best_epoch, title, units),
                "After each epoch, on the rows that are trained on and on those that choose the "
                "epoch. The training values are means over the epoch while the weights change, "
                "with dropout at work.",
            )
        if self.classes:
            yield from self._pictures_of_classes(self.classes)
        else:
            yield (
                "errors",
                "Predictions and errors",
                pictures.quantities(self.truth, self.given, self.settings.target),
                "The test rows. On the line, predictions are exact.",
            )
        if self.importance:
            yield (
                "importance",
                "Importance of the columns",
                pictures.importance(self.importance, self.unit),
                f"How much the {self.unit} on test rows grows when the values of one column are "
                "shuffled among the rows. The thin lines are standard deviations over "
                "repetitions. Columns that say the same share their importance.",
            )

    def _pictures_of_classes(self, classes: list[str]) -> Iterator[tuple[str, str, bytes, str]]:
        table = np.zeros((len(classes), len(classes)), np.int64)
        np.add.at(table, (self.truth, self.given.argmax(axis=1)), 1)
        yield (
            "confusion",
            "Confusion",
            pictures.confusion(table, classes),
            "The test rows: a row for each true class, a column for each answer.",
        )
        yield (
            "probabilities",
            "Probabilities",
            pictures.probabilities(self.truth, self.given, classes),
            "The test rows. Left: how many of a class are found for how many false alarms, as the "
            "threshold falls. Right: on the line, what is given a probability of 70 % is so in 70 "
            "of 100 cases; large points stand for many rows.",
        )

    # The page -----------------------------------------------------------------------------

    def page(self, drawn: list[dict[str, str]]) -> str:
        """The page as text, with these pictures."""
        config = self.folder.read_config()
        counts = {part: f"{(self.table.part == part).sum():,}" for part in range(3)}
        used = sum(bool(column.became) for column in self.encoder.columns_)
        lines: list[str] = []
        self.estimator.model_.summary(print_fn=lines.append)
        outcome = self.outcome
        return _template().render(
            title=f"{self.settings.target} from {self.path.name}",
            subtitle=f"{self.settings.task.capitalize()} from {used} columns: {counts[0]} rows to "
            f"train, {counts[1]} to choose the epoch, {counts[2]} to test",
            config=config,
            notes=self.notes,
            verdict=self._verdict(),
            cards=self._cards(),
            scores=self._scores(),
            measures=" ".join(MEASURES[name] for name in outcome.scores["test"]),
            pictures=drawn,
            classes=self._each_class() if self.classes else [],
            columns=self._columns(),
            importances=f"Importance: growth of the {self.unit} on test rows when the column is "
            "shuffled." if self.importance else "",
            worst=self._worst(),
            commands=self._commands(),
            network="\n".join(lines).splitlines(),
            made=[
                ("training", f"{outcome.status}: {outcome.epochs} epochs in {outcome.seconds:.1f} "
                             f"s, kept epoch {outcome.best_epoch}"),
                ("table", f"{config['data']['path']}, {config['data']['rows']:,} rows"),
                ("its SHA-256", config["data"]["sha256"]),
                *text.options_pairs(config["options"]),
                *config["versions"].items(),
            ],
        )  # fmt: skip

    def _verdict(self) -> str:
        """The result in a sentence."""
        test, base = self.outcome.scores["test"], self.outcome.scores["baseline"]
        if self.classes:
            return (
                f"Of {len(self.truth):,} rows that were held out, "
                f"{text.figure('accuracy', test['accuracy'])} get the right answer. Always giving "
                f"the most frequent one would be right in "
                f"{text.figure('accuracy', base['accuracy'])}."
            )
        return (
            f"On {len(self.truth):,} rows that were held out, {self.settings.target} is missed by "
            f"{text.figure('mae', test['mae'])} on average. Always giving the mean would miss it "
            f"by {text.figure('mae', base['mae'])}."
        )

    def _cards(self) -> list[dict[str, str]]:
        test, base = self.outcome.scores["test"], self.outcome.scores["baseline"]
        return [
            {
                "name": text.HEADS.get(name, name),
                "value": text.figure(name, value),
                "baseline": f"without looking: {text.figure(name, base[name])}",
            }
            for name, value in test.items()
        ]

    def _scores(self) -> dict[str, Any]:
        found = self.outcome.scores
        names = list(found["test"])
        return {
            "heads": [text.HEADS.get(name, name) for name in names],
            "rows": [
                {
                    "name": label if part != "baseline" else "test, without looking",
                    "faint": part == "baseline",
                    "cells": [text.figure(name, found[part][name]) for name in names],
                }
                for part, label in text.NAMES.items()
                if part in found
            ],
        }

    def _each_class(self) -> list[dict[str, Any]]:
        answers = self.given.argmax(axis=1)
        found = []
        for place, name in enumerate(self.classes or ()):
            right = int(((answers == place) & (self.truth == place)).sum())
            count, said = int((self.truth == place).sum()), int((answers == place).sum())
            shares = [f"{100 * right / n:.1f} %" if n else "-" for n in (count, said)]
            found.append({"name": name, "count": f"{count:,}", "recall": shares[0],
                          "precision": shares[1]})  # fmt: skip
        return found

    def _columns(self) -> list[dict[str, Any]]:
        known = {each.column: each.mean for each in self.importance}
        most = max([*known.values(), 1e-12])
        found = []
        described = zip(self.encoder.columns_, self.encoder.describe().rows, strict=True)
        for column, (name, kind, missing, became, note) in described:
            mean = known.get(name)
            found.append(
                {
                    "name": name,
                    "kind": kind,
                    "missing": missing,
                    "became": became,
                    "note": note,
                    "unused": not column.became,
                    "importance": None if mean is None else f"{mean:.3g}",
                    "share": round(6 * max(mean or 0.0, 0.0) / most, 2),
                }
            )
        return sorted(found, key=lambda row: -known.get(row["name"], -np.inf))

    def _worst(self) -> dict[str, Any]:
        """The test rows that are missed most, with the columns that count most."""
        if self.classes:
            right = np.take_along_axis(self.given, self.truth[:, np.newaxis], axis=1)[:, 0]
            wrong = np.flatnonzero(self.given.argmax(axis=1) != self.truth)
            order = wrong[np.argsort(right[wrong], kind="stable")][:WORST]
        else:
            order = np.argsort(-np.abs(self.given - self.truth), kind="stable")[:WORST]
        if not len(order):
            return {}
        names = [each.column for each in self.importance[:6]]
        shown = self._rows(order, names)
        rows = []
        for place, cells in zip(order, shown, strict=True):
            rows.append([str(self._line(place)), *self._told(place), *map(_cell, cells)])
        heads = ["true", "answer", "its probability"] if self.classes else [
            "true", "predicted", "error"]  # fmt: skip
        return {
            "title": "The test rows that are missed most",
            "heads": ["row", *heads, *names],
            "told": 4 if not self.classes else 1,
            "rows": rows,
            "caption": "Rows of the file, counted from 1 below its line of names; with the columns "
            "that the predictions rest on most. Errors of this size are often faults in the table.",
        }

    def _line(self, place: int) -> int:
        """Which row of the file a test row is, counted from 1."""
        return int(np.flatnonzero(self.table.part == TEST)[place]) + 1

    def _told(self, place: int) -> list[str]:
        if self.classes:
            answer = int(self.given[place].argmax())
            sure = f"{100 * self.given[place, answer]:.1f} %"
            return [self.classes[self.truth[place]], self.classes[answer], sure]
        truth, given = float(self.truth[place]), float(self.given[place])
        return [f"{value:,.5g}" for value in (truth, given, given - truth)]

    def _rows(self, places: NDArray[Any], names: list[str]) -> list[tuple[Any, ...]]:
        """The cells of test rows, in this order."""
        found: dict[int, tuple[Any, ...]] = {}
        start = 0
        for frame in self.table.frames(TEST):
            inside = [int(p) for p in places if start <= p < start + len(frame)]
            for place in inside:
                found[place] = frame.select(names).row(place - start) if names else ()
            start += len(frame)
        return [found[int(place)] for place in places]

    def _commands(self) -> list[str]:
        run = shlex.quote(str(self.folder.path))
        options = as_arguments(self.folder.read_config()["options"])
        command = shlex.join(["bital", "train", str(self.path), *options])
        return [
            f"bital predict {run} new.csv --out predictions.csv",
            f"bital evaluate {run}",
            f"bital inspect {run}",
            "",
            f"# in Python: bital.sklearn.load({str(self.folder.model)!r}).predict(frame)",
            "",
            "# made by",
            command,
        ]


def write(
    prepared: Any,
    estimator: Any,
    recorder: Recorder,
    outcome: Outcome,
    given: NDArray[Any],
    say: Say,
) -> None:
    """Write pictures and page into the run folder; what is not installed is told and left out."""
    made = Report(prepared, estimator, recorder, outcome, given)
    folder = recorder.folder
    drawn: list[dict[str, str]] = []
    try:
        for name, title, png, caption in made.pictures():
            folder.write(folder.path / f"{name}.png", png)
            shown = base64.b64encode(png).decode()
            drawn.append({"title": title, "data": shown, "caption": caption})
    except MissingExtraError as error:
        say(str(error))
    try:
        folder.write(folder.report, made.page(drawn).encode())
    except MissingExtraError as error:
        say(str(error))


def _template() -> Any:
    try:
        import jinja2
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            "The report needs jinja2, which is not installed: pip install jinja2, or install bital "
            'with its extra "cli".'
        ) from error
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    page = resources.files(__package__).joinpath("page.html.j2").read_text(encoding="utf-8")
    return environment.from_string(page)


def _cell(value: Any) -> str:
    if value is None:
        return "(missing)"
    return f"{value:.5g}" if isinstance(value, float) else str(value).removesuffix(" 00:00:00")
