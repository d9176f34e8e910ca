"""Calling NumPy and bital on the same operands, and comparing what they say."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from rounding import explained
from tables import TOLERANCES, Row

import bital
from bital import tree
from bital.passes import stabilize
from bital.program import Program


@contextmanager
def without_warnings() -> Iterator[None]:
    """Rows go to poles and beyond, where NumPy warns; bital warns there as NumPy does."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def attempt(function: Callable[..., Any], arguments: Sequence[Any]) -> Any:
    """The result, or the error."""
    with without_warnings():
        try:
            return function(*arguments)
        except Exception as fault:
            return fault


def runs(row: Row) -> bool:
    """Whether NumPy takes the row's operands; some rows are there to raise."""
    return not isinstance(attempt(row.function, row.arguments(row.main_dtype)), Exception)


def brief(value: Any) -> str:
    """A value on one line."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 100 else text[:97] + "..."


def copies(arguments: Sequence[Any]) -> list[Any]:
    return [a.copy() if isinstance(a, np.ndarray) else a for a in arguments]


def tolerance(*results: Any, rtol: float = 1.0) -> float:
    names = {np.asarray(leaf).dtype.name for leaf in tree.leaves(results)}
    return rtol * max((TOLERANCES.get(name, 0.0) for name in names), default=0.0)


def assert_equal_results(
    got: Any,
    want: Any,
    rtol: float,
    where: str,
    function: Callable[..., Any] | Program | None = None,
    arguments: Sequence[Any] = (),
) -> None:
    """Equal structure, shapes and dtypes; values to `rtol`; infinities, NaN and signs exactly.

    XLA chooses orders of operations: on it values may also differ by what rounding explains, if
    the function is given that gave these results.
    """
    try:
        _assert_equal_leaves(tree.leaves(got), tree.leaves(want), rtol, where)
    except AssertionError:
        if function is None or bital.config.executor_name(None) != "xla":
            raise
        near = explained(_program(function, arguments), arguments, tree.leaves(got), want)
        _assert_equal_leaves(near, tree.leaves(want), rtol, where)


def _program(function: Callable[..., Any] | Program, arguments: Sequence[Any]) -> Program:
    if isinstance(function, Program):
        return function
    with without_warnings():
        return stabilize(bital.trace(function, *arguments))


def _assert_equal_leaves(found: list[Any], wanted: list[Any], rtol: float, where: str) -> None:
    assert len(found) == len(wanted), f"{where}: {len(found)} results, NumPy gives {len(wanted)}"
    for index, pair in enumerate(zip(found, wanted, strict=True)):
        a, b = map(np.asarray, pair)
        at = f"{where}, result {index}"
        assert a.dtype == b.dtype, f"{at}: dtype {a.dtype}, NumPy gives {b.dtype}"
        assert a.shape == b.shape, f"{at}: shape {a.shape}, NumPy gives {b.shape}"
        wrong = ~_close(a, b, rtol)
        if wrong.any():
            first = tuple(int(axis) for axis in np.unravel_index(np.argmax(wrong), wrong.shape))
            raise AssertionError(
                f"{at}: {wrong.sum()} of {wrong.size} elements differ, the first at {first}: "
                f"{a[first]!r}, NumPy gives {b[first]!r}"
            )


def _close(a: Any, b: Any, rtol: float) -> Any:
    """Where elements agree. Rounding errors are measured against the largest finite element."""
    with without_warnings():
        same = (a == b) | ((a != a) & (b != b))
        if b.dtype.kind == "c":
            return same | _close_complex(a, b, rtol)
        if b.dtype.kind != "f":
            return same
        scale = np.abs(b[np.isfinite(b)]).max(initial=0)
        same |= np.abs(a - b) <= rtol * np.maximum(np.abs(b), scale)
        zero = (a == 0) & (b == 0)
        return same & ~(zero & (np.signbit(a) != np.signbit(b)))


def _close_complex(a: Any, b: Any, rtol: float) -> Any:
    """Rounding errors are those of the whole number; infinities and NaN those of the parts."""
    finite = np.isfinite(b)
    scale = np.maximum(np.abs(b), np.abs(b[finite]).max(initial=0))
    close = finite & (np.abs(a - b) <= rtol * scale)
    return close | (_close(a.real, b.real, rtol) & _close(a.imag, b.imag, rtol))


def run_all(cases: Iterable[Callable[[], None]]) -> None:
    """Run every case, then report all that failed."""
    failures = []
    for case in cases:
        try:
            case()
        except AssertionError as failure:
            failures.append(str(failure))
    assert not failures, f"{len(failures)} cases:\n" + "\n".join(failures)


def compare(row: Row, traced: Callable[..., Any], arguments: Sequence[Any], where: str) -> None:
    """`traced` does on these arguments what the row's function does under NumPy."""
    want = attempt(row.function, copies(arguments))
    before = copies(arguments)
    got = attempt(traced, arguments)
    for kept, argument in zip(before, arguments, strict=True):
        np.testing.assert_array_equal(argument, kept, err_msg=f"{where}: an argument was changed")
    if isinstance(want, Exception):
        assert isinstance(got, Exception), (
            f"{where}: NumPy raises {brief(want)}, bital gave {brief(got)}"
        )
        return
    if isinstance(got, Exception):
        raise AssertionError(
            f"{where}: NumPy gives {brief(want)}, bital raises {brief(got)}"
        ) from got
    rtol = tolerance(want, *arguments, rtol=row.rtol)
    assert_equal_results(got, want, rtol, where, row.function, arguments)
    for result in tree.leaves(got):
        shared = any(np.may_share_memory(result, a) for a in arguments if np.ndim(a))
        assert not shared, f"{where}: a result shares memory with an argument"
