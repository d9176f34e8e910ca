"""Every row with complex operands in the place of real ones, though it is not there for them.

What NumPy takes, bital takes; what NumPy refuses, bital refuses. Slow, as these are all rows again;
`tables.complex` has those that are tried at every run.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from agreement import attempt, compare, without_warnings
from tables import ROWS, Row

import bital
from bital import tree

REFUSED = {
    "real_if_close": "values would decide on the dtype",
    **dict.fromkeys(
        ("histogram", "histogram range=", "histogram density=", "histogram weights= density="),
        "even bins of complex numbers drop imaginary parts, in NumPy with a warning",
    ),
    "special errors": "SciPy's functions are traced for real numbers",
    "special several": "SciPy's functions are traced for real numbers",
}
# Eigenvectors and singular vectors of complex matrices turn by any phase; LAPACK fixes one, and
# the derivative another. Theirs is tested where the phase does not matter.
FREE_PHASE = ("linalg.svd", "linalg.eig", "linalg.qr complete complement")


def _candidates() -> list[Row]:
    rows = [row for row in ROWS if row.jit and "float64" in row.dtypes and row.name not in REFUSED]
    return [
        replace(row, dtypes=("complex128",), kink=None)
        for row in rows
        if any(row.is_free(index) for index in range(len(row.operands)))
    ]


ALL = _candidates()


def _of_inexact(row: Row, arguments: list[Any]) -> tuple[Any, list[Any]]:
    places = [i for i, a in enumerate(arguments) if np.asarray(a).dtype.kind in "fc"]

    def function(*values: Any) -> Any:
        full = list(arguments)
        for place, value in zip(places, values, strict=True):
            full[place] = value
        return [y for y in tree.leaves(row.function(*full)) if y.dtype.kind in "fc"]

    return function, [arguments[place] for place in places]


@pytest.mark.slow
@pytest.mark.parametrize("row", ALL, ids=lambda row: row.name)
def test_values(row: Row, executor: str) -> None:
    with without_warnings():
        compare(row, bital.jit(row.function), row.arguments("complex128"), row.name)


@pytest.mark.slow
@pytest.mark.parametrize(
    "row",
    [row for row in ALL if row.differentiable and not row.name.startswith(FREE_PHASE)],
    ids=lambda row: row.name,
)
def test_derivatives(row: Row) -> None:
    arguments = row.arguments("complex128")
    if isinstance(attempt(row.function, arguments), Exception):
        return
    function, values = _of_inexact(row, arguments)
    modes = ("fwd", "rev") if row.reverse else ("rev",)
    with without_warnings():
        bital.check_grads(function, values, order=1, modes=modes, atol=1e-4, rtol=1e-4)
