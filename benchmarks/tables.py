"""Real tables that scikit-learn and statsmodels carry in their packages; nothing is downloaded.

They were chosen before anything was measured: all that have at least 50 rows and a column that
the others can say something about. Series of one variable are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

Rows = tuple[Any, Any]
"""A DataFrame of pandas, and the targets."""


class Table(NamedTuple):
    """What is predicted from what."""

    package: str
    target: str
    classes: bool
    load: Callable[[], Rows]


@dataclass(frozen=True)
class _Learn:
    """A table of ``sklearn.datasets``."""

    name: str

    def __call__(self) -> Rows:
        import sklearn.datasets

        found = getattr(sklearn.datasets, f"load_{self.name}")(as_frame=True)
        return found.data, found.target.to_numpy()


@dataclass(frozen=True)
class _Stats:
    """A table of ``statsmodels.datasets``.

    ``target`` is a column, or computes one; ``drop`` names those that would tell it, or that
    number the rows; ``categories`` those whose numbers are names.
    """

    name: str
    target: str | Callable[[Any], Any]
    drop: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()

    def __call__(self) -> Rows:
        import importlib

        module = importlib.import_module(f"statsmodels.datasets.{self.name}")
        frame = module.load_pandas().data
        if isinstance(self.target, str):
            y = frame[self.target]
            frame = frame.drop(columns=self.target)
        else:
            y = self.target(frame)
        frame = frame.drop(columns=list(self.drop))
        numbered = {name: frame[name].astype(int).astype(str) for name in self.categories}
        frame = frame.assign(**numbered)
        texts = {n: frame[n].astype("category") for n in frame if frame[n].dtype.kind not in "biuf"}
        return frame.assign(**texts).reset_index(drop=True), y.to_numpy()


def _fertility() -> Rows:
    """The rate of 2010 from every fifth year before 1995; some countries lack years."""
    import importlib

    frame = importlib.import_module("statsmodels.datasets.fertility").load_pandas().data
    frame = frame[frame["2010"].notna()].reset_index(drop=True)
    return frame[[str(year) for year in range(1960, 1995, 5)]], frame["2010"].to_numpy()


def _class(*arguments: Any, **options: Any) -> Table:
    return Table("statsmodels", options.pop("said"), True, _Stats(*arguments, **options))


def _number(name: str, column: str, *drop: str, categories: tuple[str, ...] = ()) -> Table:
    return Table("statsmodels", column, False, _Stats(name, column, drop, categories))


TABLES: Mapping[str, Table] = {
    "iris": Table("scikit-learn", "species", True, _Learn("iris")),
    "wine": Table("scikit-learn", "cultivar", True, _Learn("wine")),
    "breast_cancer": Table("scikit-learn", "benign", True, _Learn("breast_cancer")),
    "digits": Table("scikit-learn", "digit", True, _Learn("digits")),
    "anes96": _class("anes96", "vote", ("logpopul",), said="vote"),
    "fair": _class(
        "fair",
        lambda frame: frame["affairs"] > 0,
        ("affairs",),
        ("occupation", "occupation_husb"),
        said="any affair",
    ),
    "modechoice": _class("modechoice", "choice", ("individual",), ("mode",), said="choice"),
    "diabetes": Table("scikit-learn", "progression", False, _Learn("diabetes")),
    "cancer": _number("cancer", "cancer"),
    "ccard": _number("ccard", "AVGEXP", "INCOMESQ"),
    "danish_data": _number("danish_data", "lrm"),
    "elnino": _number("elnino", "DEC"),
    "engel": _number("engel", "foodexp"),
    "fertility": Table("statsmodels", "rate in 2010", False, _fertility),
    "grunfeld": _number("grunfeld", "invest"),
    "heart": _number("heart", "survival"),
    "interest_inflation": _number("interest_inflation", "R"),
    "macrodata": _number("macrodata", "unemp"),
    "randhie": _number("randhie", "mdvis"),
    "star98": Table(
        "statsmodels",
        "share above the median",
        False,
        _Stats(
            "star98",
            lambda frame: frame["NABOVE"] / (frame["NABOVE"] + frame["NBELOW"]),
            ("NABOVE", "NBELOW"),
        ),
    ),
    "statecrime": _number("statecrime", "murder"),
    "strikes": _number("strikes", "duration"),
}
