"""``bital.vmap`` of each row against a Python loop, each operand mapped and left alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from agreement import assert_equal_results, attempt, runs, tolerance, without_warnings
from tables import ROWS, Row

import bital
from bital import tree

MAPPED = [row for row in ROWS if row.mapped and row.jit and runs(row)]
ONE_OPERAND = [row for row in MAPPED if len(row.operands) == 1 and row.operands[0].shape]
SIZE = 3


def _axes_to_try(row: Row) -> list[tuple[int | None, ...]]:
    count = len(row.operands)
    tried: list[tuple[int | None, ...]] = [(0,) * count]
    if count > 1:
        for index in range(count):
            tried.append(tuple(None if i == index else 0 for i in range(count)))
            tried.append(tuple(0 if i == index else None for i in range(count)))
    return list(dict.fromkeys(tried))


@pytest.mark.compiles
@pytest.mark.parametrize("row", MAPPED, ids=lambda row: row.name)
def test_batching(row: Row, executor: str) -> None:
    rows = [row.arguments(row.main_dtype, seed=seed) for seed in range(SIZE)]
    for axes in _axes_to_try(row):
        arguments = [
            rows[0][i] if axis is None else np.stack([each[i] for each in rows])
            for i, axis in enumerate(axes)
        ]
        loop = [
            [a if axis is None else a[k] for a, axis in zip(arguments, axes, strict=True)]
            for k in range(SIZE)
        ]
        wanted = [attempt(row.function, each) for each in loop]
        want = [np.stack(leaves) for leaves in zip(*map(tree.leaves, wanted), strict=True)]
        mapped = bital.vmap(row.function, in_axes=axes)
        with without_warnings():
            got = mapped(*arguments)
        rtol = 4 * tolerance(want, *arguments, rtol=row.rtol)
        where = f"{row.name} over {axes}"
        assert_equal_results(tree.leaves(got), want, rtol, where, mapped, arguments)


@pytest.mark.compiles
@pytest.mark.parametrize("row", ONE_OPERAND, ids=lambda row: row.name)
def test_batching_along_the_last_axis(row: Row, executor: str) -> None:
    rows = [row.arguments(row.main_dtype, seed=seed)[0] for seed in range(SIZE)]
    wanted = [attempt(row.function, [each]) for each in rows]
    want = [np.stack(leaves, axis=-1) for leaves in zip(*map(tree.leaves, wanted), strict=True)]
    mapped, arguments = bital.vmap(row.function, in_axes=-1, out_axes=-1), [np.stack(rows, axis=-1)]
    with without_warnings():
        got: Any = mapped(*arguments)
    rtol = 4 * tolerance(want, *rows, rtol=row.rtol)
    assert_equal_results(tree.leaves(got), want, rtol, row.name, mapped, arguments)
