"""A study of ``bital tune``: what is searched, trained and left in a folder.

``study.journal``
    The study itself, which Optuna can open too.
``trials.csv``, ``best.json``
    All trials; the best one, with the command that trains its network.
``history.png``, ``importance.png``
    The scores, and what they depend on, where matplotlib is installed.
"""

import json
import shlex
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bital import tune
from bital.cli import networks, options, recording, run_folder
from bital.cli import train as of_digits
from bital.cli.table import settings as of_table
from bital.errors import MissingExtraError, ModelStateError
from bital.figures import as_png
from bital.keras.files import write_atomically
from bital.tune.optional import load_optuna

SIZES = {
    "mlp": [(100,), (300,), (300, 100), (500, 150)],
    "cnn": [(16, 32), (24, 48, 96), (32, 64, 128)],
    "lstm": [(64,), (128,), (64, 64)],
    "table": [(32,), (100,), (100, 50), (256, 128)],
}
RATES, DROPOUT, BATCHES = tune.Log(3e-4, 1e-2), (0.0, 0.5), [32, 64, 128, 256]
PARAMETERS = {"hidden": "hidden_layer_sizes", "learning_rate": "learning_rate_init"}
"""Options of ``bital train TABLE`` that an estimator calls otherwise."""


class Digits:
    """Builds the network of ``bital train mnist`` with the options of a trial."""

    def __init__(
        self, model: str, epochs: int | None, seed: int, executor: str, images: int
    ) -> None:
        preset = options.PRESETS[model]
        self.epochs = preset.epochs if epochs is None else epochs
        self._fixed = {"model": model, "activation": preset.activation,
                       "schedule": preset.schedule, "optimizer": "adam", "seed": seed,
                       "executor": executor, "threads": 1}  # fmt: skip
        self._executor, self._images = executor, images

    def __call__(self, hidden: Any, learning_rate: float, dropout: float, batch_size: int) -> Any:
        """Return the compiled network."""
        settings = networks.Settings(
            hidden=tuple(hidden), learning_rate=learning_rate, dropout=dropout,
            batch_size=batch_size, epochs=self.epochs, **self._fixed,
        )  # fmt: skip
        model = networks.build(settings, -(-self._images // batch_size))
        model.executor = self._executor
        return model


class Study:
    """A search over the options of ``bital train DATA``, in a folder.

    Parameters
    ----------
    data, kind : str
        What stands on the command line, and its kind: mnist or table.
    executor : str
    chosen : mapping
        The options of ``bital tune``.
    """

    def __init__(self, data: str, kind: str, executor: str, chosen: Mapping[str, Any]) -> None:
        load_optuna()  # before there is a folder
        self.data, self.kind, self.executor, self.chosen = data, kind, executor, chosen
        self.folder = _folder(chosen["study"], data)
        self.result: Any = None
        self._task = ""

    def run(self, say: Callable[[str], None]) -> str:
        """Search, and write what was found; return "finished" or "interrupted"."""
        learner, given = (self._digits if self.kind == "mnist" else self._table)(say)
        space = {PARAMETERS.get(k, k) if self.kind == "table" else k: v
                 for k, v in self._space(len(given["y"])).items()}  # fmt: skip
        chosen, status = self.chosen, "finished"
        minutes = chosen["minutes"]
        common = {
            **given,
            "sampler": chosen["sampler"],
            "pruner": None if chosen["pruner"] == "none" else chosen["pruner"],
            "n_trials": chosen["trials"],
            "storage": self.folder / "study.journal",
            "seed": chosen["seed"],
            "refit": False,
        }
        say(f"study {self.folder}: {', '.join(space)}")
        threads = recording.default_threads(self.executor)
        try:
            with recording.blas_threads(threads, say):
                self.result = tune.search(
                    learner,
                    space,
                    **common,
                    timeout=None if minutes is None else 60 * minutes,
                    n_jobs=chosen["jobs"],
                    verbose=0 if chosen["quiet"] else 1,
                )
        except KeyboardInterrupt:
            status = "interrupted"
            self.result = tune.search(learner, space, **common, timeout=0)
        self._write(say)
        return status

    def lines(self) -> Iterator[str]:
        """What is printed in the end."""
        yield ""
        yield str(self.result)
        try:
            yield f"\nThe best, trained: {self.command()}"
        except ModelStateError:
            yield "\nNo trial was complete."
        yield f"\nIn {self.folder}:"
        yield from (f"  {path.name}" for path in sorted(self.folder.iterdir()))

    def command(self) -> str:
        """``bital train`` with the options of the best trial."""
        back = {name: option for option, name in PARAMETERS.items()}
        words = ["bital", "train", self.data]
        if self.kind == "table":
            words += ["--target", self.chosen["target"]]
            words += [w for name in self.chosen["ignore"] for w in ("--ignore", name)]
            words += [w for text in self.chosen["kind"] for w in ("--kind", text)]
        elif self.chosen["model"] != "mlp":
            words += ["--model", self.chosen["model"]]
        found = {back.get(k, k): v for k, v in self.result.best_params.items()}
        if self.chosen["epochs"] is not None:
            found["epochs"] = self.chosen["epochs"]
        if self.chosen["seed"]:
            found["seed"] = self.chosen["seed"]
        plain = {k: list(v) if isinstance(v, tuple) else v for k, v in found.items()}
        return shlex.join([*words, *options.as_arguments(plain)])

    def _space(self, samples: int) -> dict[str, Any]:
        """What the options ask for; a single value is a choice of one."""
        name = "table" if self.kind == "table" else self.chosen["model"]
        preset = {
            "hidden": SIZES[name],
            "learning_rate": RATES,
            "dropout": DROPOUT,
            "batch_size": [size for size in BATCHES if 4 * size <= samples] or BATCHES[:1],
        }
        if self.chosen["sampler"] == "grid":  # ranges have no steps
            preset |= {
                "learning_rate": [0.0005, 0.001, 0.002, 0.004],
                "dropout": [0.0, 0.25, 0.5],
                "batch_size": preset["batch_size"][1:3] or BATCHES[:1],
            }
        found = {}
        for option, usual in preset.items():
            given = list(self.chosen[option])
            ranges = [value for value in given if option != "hidden" and isinstance(value, tuple)]
            if ranges and len(given) == 1:
                (found[option],) = ranges
                if option == "learning_rate":
                    found[option] = tune.Log(*ranges[0])
            else:
                found[option] = [*given] or usual
        return found

    def _digits(self, _say: Any) -> tuple[Any, dict[str, Any]]:
        parts = of_digits.load_parts()
        train, validation = parts["train"], parts["validation"]
        chosen = self.chosen
        learner = Digits(
            chosen["model"], chosen["epochs"], chosen["seed"], self.executor, len(train.x)
        )
        return learner, {
            "X": train.x,
            "y": train.y,
            "validation_data": (validation.x, validation.y),
            "scoring": "accuracy",
            "fit_params": {"epochs": learner.epochs},
        }

    def _table(self, say: Callable[[str], None]) -> tuple[Any, dict[str, Any]]:
        import polars as pl

        from bital import sklearn
        from bital.cli.table import data, encoded, training

        chosen = self.chosen
        left_open = dict.fromkeys(("hidden", "activation", "optimizer", "learning_rate",
                                   "batch_size", "dropout", "threads"))  # fmt: skip
        asked = {name: chosen[name] for name in ("target", "task", "ignore", "kind", "epochs",
                                                 "seed")}  # fmt: skip
        settings = of_table.Settings(
            test=0.2, validation=0.1, balanced=False, stream=False, executor=None,
            **asked, **left_open,
        )  # fmt: skip
        prepared = training.prepare(Path(self.data), settings)
        table, settings = prepared.table, prepared.settings
        for note in prepared.notes:
            say(f"Note: {note}")
        classifies = settings.task == of_table.CLASSIFICATION
        learner = encoded.estimator(
            sklearn.DNNClassifier if classifies else sklearn.DNNRegressor,
            encoded.Inputs(prepared.encoder, np.float32),
            [column.name for column in prepared.encoder.columns_ if column.became],
            early_stopping=True,
            **settings.parameters(),
        )
        self._task = settings.task
        pieces = {
            part: (pl.concat(list(table.frames(part))), table.labels(part))
            for part in (data.TRAIN, data.VALIDATION)
        }
        if chosen["folds"] is None:
            X, y = pieces[data.TRAIN]
            return learner, {"X": X, "y": y, "validation_data": pieces[data.VALIDATION]}
        frames, labels = zip(*pieces.values(), strict=True)
        return learner, {"X": pl.concat(frames), "y": np.concatenate(labels),
                         "cv": chosen["folds"]}  # fmt: skip

    def _write(self, say: Callable[[str], None]) -> None:
        """Write the tables and the pictures."""
        self.result.save_table(self.folder / "trials.csv")
        try:
            best = self.result.best_trial
        except ModelStateError:
            return
        told = {
            "written": time.strftime("%Y-%m-%dT%H:%M:%S"),
            "score": best.score,
            "trial": best.number,
            "params": best.params,
            "command": self.command(),
        }
        text = json.dumps(told, indent=2, default=str) + "\n"
        write_atomically(self.folder / "best.json", lambda path: _write_bytes(path, text.encode()))
        try:
            pictures = {"history": self.result.plot_history(),
                        "importance": self.result.plot_importance()}  # fmt: skip
        except MissingExtraError as error:
            say(f"No pictures: {error}")
            return
        for name, figure in pictures.items():
            drawn = as_png(figure)
            write_atomically(self.folder / f"{name}.png", lambda p, b=drawn: _write_bytes(p, b))


def _folder(asked: Path | None, data: str) -> Path:
    """The folder of the study: a new one, an empty one, or one that holds a study."""
    if asked is not None and (asked / "study.journal").is_file():
        return asked
    name = Path(data).name.split(".")[0] or "table"
    return run_folder.create(asked, name=f"tune-{name}").path


def _write_bytes(path: Path, content: bytes) -> None:
    path.write_bytes(content)
