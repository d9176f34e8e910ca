"""Tables of pandas and polars as arrays; neither is imported here."""

from __future__ import annotations

from typing import Any

import numpy as np

from bital.errors import DataError


def plain(name: str, value: Any) -> Any:
    """Return a table as an array ``(rows, columns)``, a column as one ``(rows,)``; else ``value``.

    Raises
    ------
    DataError
        If a column holds no numbers, or lacks some; it names the column.
    """
    module = type(value).__module__.partition(".")[0]
    if isinstance(value, dict):
        return {key: plain(f"{name}[{key!r}]", part) for key, part in value.items()}
    if isinstance(value, (list, tuple)) and any(_is_table(part) for part in value):
        return [plain(f"{name}[{place}]", part) for place, part in enumerate(value)]
    if module not in ("pandas", "polars") or not hasattr(value, "to_numpy"):
        return value
    if hasattr(value, "collect") and not hasattr(value, "shape"):
        raise DataError(f"{name} is a LazyFrame; write {name}.collect().")
    if not hasattr(value, "columns"):
        return _column(name, value)
    columns = list(value.columns)
    if not columns:
        raise DataError(f"{name} is a table without columns.")
    series = [_column(f"{name}[{label!r}]", value[label]) for label in columns]
    return np.stack(series, axis=1)


def _is_table(value: Any) -> bool:
    return type(value).__module__.partition(".")[0] in ("pandas", "polars")


def _column(name: str, series: Any) -> np.ndarray:
    array = np.asarray(series.to_numpy())
    if array.dtype == object and len(array):
        # Numbers that can be missing come as objects; what is missing becomes NaN, as floats do.
        try:
            array = np.asarray([np.nan if _missing(item) else item for item in array])
        except ValueError:
            array = np.asarray(series.to_numpy())
    if array.dtype.kind not in "biuf":
        example = f", such as {array.flat[0]!r}" if array.size else ""
        raise DataError(
            f"{name} is a column of {series.dtype}{example}; a model needs numbers. Leave it out, "
            "or turn categories into integers with np.unique(values, return_inverse=True)."
        )
    return array


def _missing(item: Any) -> bool:
    return item is None or type(item).__name__ in ("NAType", "NaTType")


__all__ = ["plain"]
