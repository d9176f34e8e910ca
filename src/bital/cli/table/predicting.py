"""What a finished run makes of tables: predictions, and how good they are."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bital import sklearn, tables
from bital.cli.run_folder import RunFolder
from bital.cli.table import data, scores
from bital.cli.table.data import PARTS, TEST, TRAIN
from bital.cli.table.scores import answers, measured
from bital.cli.table.settings import Settings
from bital.errors import DataError, RunFolderError
from bital.keras.files import write_atomically

WRITERS = {".csv": ("write_csv", ","), ".tsv": ("write_csv", "\t"), ".parquet": ("write_parquet",)}


def predictions(folder: RunFolder, path: Path, probabilities: bool, keep: Sequence[str]) -> Any:
    """One prediction for each row of a table, in their order.

    Returns
    -------
    polars.DataFrame
        The columns ``keep``, then ``prediction``, and with ``probabilities`` also
        ``probability_CLASS`` for each class.

    Raises
    ------
    DataError, TableFileError
        The table has not the columns of the run, or they hold something else.
    """
    import polars as pl

    estimator = sklearn.load(folder.model)
    classes = getattr(estimator, "classes_", None)
    if probabilities and classes is None:
        raise DataError(f"{folder.path} predicts a quantity, which has no probabilities.")
    needed = estimator.feature_names_in_.tolist()
    types = folder.read_config()["data"]["types"]
    extra = [name for name in dict.fromkeys(keep) if name not in needed]
    found = []
    for frame in tables.scan_table(path, [*needed, *extra], types=types):
        given = answers(estimator, iter([frame]))
        columns: dict[str, NDArray[Any]] = {"prediction": given}
        if classes is not None:
            columns["prediction"] = classes[given.argmax(axis=1)]
        if probabilities:
            columns |= {f"probability_{c}": given[:, i] for i, c in enumerate(classes.tolist())}
        _check_names(keep, columns)
        kept = frame.select(list(dict.fromkeys(keep)))
        found.append(pl.concat([kept, pl.DataFrame(columns)], how="horizontal"))
    if not found:
        raise DataError(f"{path} has no rows to predict.")
    return pl.concat(found)


def _check_names(keep: Sequence[str], columns: dict[str, Any]) -> None:
    twice = [name for name in keep if name in columns]
    if twice:
        raise DataError(
            f"--keep {twice[0]}: the predictions have a column of this name. Rename it in the "
            "table, or leave it away."
        )


def check_place(path: Path) -> None:
    """Check that predictions can be written to a file of this name.

    Raises
    ------
    DataError
        Its name ends in no form that is known.
    """
    if path.suffix.lower() not in WRITERS:
        raise DataError(f"--out {path}: the name must end in {', '.join(WRITERS)}.")


def write(found: Any, path: Path) -> None:
    """Write a frame as a whole, in the form that the name of the file says."""
    method, *separator = WRITERS[path.suffix.lower()]
    options = {"separator": separator[0]} if separator else {}
    write_atomically(path, lambda temporary: getattr(found, method)(temporary, **options))


def evaluation(folder: RunFolder, path: Path | None) -> dict[str, Any]:
    """The scores of a run: on the parts of its own table, or on all rows of another.

    Raises
    ------
    RunFolderError
        The table of the run is gone or was changed.
    DataError
        The other table lacks the target, or has classes that the run never saw.
    """
    config, estimator = folder.read_config(), sklearn.load(folder.model)
    settings = _settings(folder, config)
    if path is not None:
        truth, given = _on_all(estimator, path, settings, config["data"]["types"])
        return {"table": str(path), "scores": {"table": measured(truth, given)}}
    path = Path(config["data"]["path"])
    data.require_same(path, config["data"])
    table, _ = data.opened(path, settings)
    found = {
        name: measured(table.y(part), answers(estimator, table.frames(part)))
        for name, part in PARTS.items()
    }
    classes = 0 if table.target.classes is None else len(table.target.classes)
    found["baseline"] = scores.baseline(table.y(TRAIN), table.y(TEST), classes)
    return {"table": str(path), "scores": found}


def _settings(folder: RunFolder, config: dict[str, Any]) -> Settings:
    options = {k: tuple(v) if isinstance(v, list) else v for k, v in config["options"].items()}
    try:
        return Settings(**options)
    except TypeError as error:
        raise RunFolderError(f"{folder.config} is damaged: {error}.") from error


def _on_all(
    estimator: Any, path: Path, settings: Settings, types: dict[str, str]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Truth and answers for the rows of another table that have the target."""
    import polars as pl

    needed, target = estimator.feature_names_in_.tolist(), settings.target
    truth: list[NDArray[Any]] = []

    def frames() -> Iterator[Any]:
        for frame in tables.scan_table(path, [*needed, target], types=types):
            known = frame.filter(pl.col(target).is_not_null())
            if len(known):
                truth.append(_truth(known[target], getattr(estimator, "classes_", None), path))
                yield known

    given = [answers(estimator, iter([frame])) for frame in frames()]
    if not given:
        raise DataError(f"{path} has no row with the target {target!r}.")
    return np.concatenate(truth), np.concatenate(given)


def _truth(series: Any, classes: Any, path: Path) -> NDArray[Any]:
    """Targets as places in the classes of the run, or as quantities."""
    import polars as pl

    if classes is None:
        return np.asarray(series.cast(pl.Float64).to_numpy())
    values = data.labels_of(series)
    places = {label: place for place, label in enumerate(classes.tolist())}
    found = np.array([places.get(value, -1) for value in values.tolist()])
    if (found < 0).any():
        raise DataError(
            f"{path}: the target {series.name!r} holds {values[found < 0][0]!r}, which is none of "
            f"the {len(classes)} classes that the run has learned."
        )
    return found
