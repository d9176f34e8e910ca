"""Shapes of results while some lengths of the arguments are unknown.

A function is run without values, once for each of two lengths that stand for an unknown one; where
the two results differ, a length of the result is unknown too. So whatever can be recorded can be
asked, and nothing need be said of any operation.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from bital.api.compiling import eval_shape

# Two lengths in the place of an unknown one; far apart, so that strides and pooling keep them so.
PROBES = (113, 251)
_KNOWN = 1024  # elements of a result that is kept when all that it depends on is known


class Unvalued:
    """An array of which the dtype is known and no value; a shape of None has any rank."""

    __slots__ = ("dtype", "shape")

    def __init__(self, shape: Sequence[int] | None, dtype: Any) -> None:
        self.shape: Any = None if shape is None else tuple(shape)
        self.dtype = np.dtype(dtype)


Probe = Unvalued | np.ndarray  # an argument, or a result, for one of PROBES
Probed = tuple[Probe, Probe]


def probed(shape: Sequence[int | None] | None, dtype: Any) -> Probed:
    """What stands for an array with these lengths, None where one is unknown, or the rank."""
    if shape is None:
        return Unvalued(None, dtype), Unvalued(None, dtype)
    first, second = ([probe if n is None else n for n in shape] for probe in PROBES)
    return Unvalued(first, dtype), Unvalued(second, dtype)


def known_shape(pair: Probed) -> tuple[int | None, ...] | None:
    """The lengths that both probes have, None in the place of others; None for an unknown rank."""
    first, second = (probe.shape for probe in pair)
    if first is None or second is None or len(first) != len(second):
        return None
    return tuple(a if a == b else None for a, b in zip(first, second, strict=True))


def infer_shapes(fun: Callable[..., Any], *arguments: Probed) -> Any:
    """What is known of `fun`'s results, a pair for each, from what is known of its arguments.

    Where `fun` fails for the probes, an unknown length may have to be that of another argument, as
    in a sum of ``(None,)`` and ``(10,)``: that is tried. An unknown rank is tried as 0 to 4; what
    all that work agree on is known. Arguments whose values are known are arrays, and so are results
    that follow from them alone, if they are small.

    Parameters
    ----------
    fun : callable
        Takes as many arrays; returns an array, or a list or tuple of arrays.
    *arguments : (Unvalued or array, Unvalued or array)
        For each of `PROBES`; `probed` makes them.

    Returns
    -------
    (Unvalued or array, Unvalued or array), or a list of such pairs

    Raises
    ------
    ValueError, TypeError, IndexError
        What `fun` raises, if it works for no lengths.

    Examples
    --------
    >>> x, w = probed((None, 784), np.float32), probed((784, 10), np.float32)
    >>> known_shape(infer_shapes(np.matmul, x, w))
    (None, 10)
    """
    failure: Exception | None = None
    ranked = all(probe.shape is not None for pair in arguments for probe in pair)
    found: list[list[Any]] = []
    for runs in _cases(arguments) if ranked else _ranks(arguments):
        try:
            found.append([_run(fun, values) for values in runs])
        except (ValueError, TypeError, IndexError) as fault:
            failure = failure or fault
        else:
            if ranked:
                break
    if not found:
        assert failure is not None
        raise failure
    results = [run for runs in found for run in runs]
    doubtful = not ranked and len(found) == 1  # other ranks may be what is meant
    if isinstance(results[0], list):
        return [_agreed(each, doubtful) for each in zip(*results, strict=True)]
    return _agreed(results, doubtful)


def _agreed(results: Sequence[Probe], doubtful: bool) -> Probed:
    """What several runs agree on; values that are known and few stay."""
    first, last = results[0], results[-1]
    if doubtful or len({len(result.shape) for result in results}) > 1:
        return probed(None, first.dtype)
    if all(isinstance(result, np.ndarray) and result.size <= _KNOWN for result in results):
        return first, last
    lengths = zip(*(result.shape for result in results), strict=True)
    return probed([each[0] if len({*each}) == 1 else None for each in lengths], first.dtype)


def _cases(arguments: Sequence[Probed]) -> Iterator[list[list[Probe]]]:
    """What arguments may look like: lists of runs that must all succeed."""
    which = [k for k in range(len(PROBES)) if k == 0 or not all(_same(*p) for p in arguments)]
    yield [[pair[k] for pair in arguments] for k in which]
    shapes = [known_shape(pair) or () for pair in arguments]
    lengths = {1}.union(*shapes) - {None}
    places = [(i, axis) for i, s in enumerate(shapes) for axis, n in enumerate(s) if n is None][:6]
    # Lengths may have to be multiples of those that arguments name, as those of `reshape` do.
    named = [p[0] for p in arguments if isinstance(p[0], np.ndarray) and p[0].dtype.kind in "iu"]
    factor = math.prod(abs(int(n)) or 1 for array in named if array.size <= 32 for n in array.flat)
    for multiple in {factor, 5040} - {1}:
        yield [
            [_with(p[k], i, places, PROBES[k] * multiple) for i, p in enumerate(arguments)]
            for k in which
        ]
    for count in range(1, min(len(places), 4) + 1):
        for chosen, length in itertools.product(
            itertools.combinations(places, count), sorted(n for n in lengths if n is not None)
        ):
            yield [[_with(p[k], i, chosen, length) for i, p in enumerate(arguments)] for k in which]


def _same(first: Probe, second: Probe) -> bool:
    if isinstance(first, np.ndarray) or isinstance(second, np.ndarray):
        return np.array_equal(first, second)  # type: ignore[arg-type]
    return bool(first.shape == second.shape)


def _with(probe: Probe, index: int, chosen: Sequence[tuple[int, int]], length: int) -> Probe:
    """A probe with a length in the chosen places."""
    axes = [axis for i, axis in chosen if i == index]
    shape = [length if axis in axes else n for axis, n in enumerate(probe.shape)]
    return Unvalued(shape, probe.dtype) if axes else probe


def _ranks(arguments: Sequence[Probed]) -> Iterator[list[list[Probe]]]:
    """What arguments may look like if the rank of some is unknown."""
    known = {n for pair in arguments for n in known_shape(pair) or ()} - {None}
    for rank in (1, 2, 0, 3, 4):
        for last in [None, *sorted(n for n in known if n is not None)] if rank else [None]:
            shapes = [[*[probe] * (rank - 1), last or probe][:rank] for probe in PROBES]
            yield [
                [p[k] if p[k].shape is not None else Unvalued(s, p[k].dtype) for p in arguments]
                for k, s in enumerate(shapes)
            ]


def _run(fun: Callable[..., Any], values: Sequence[Probe]) -> Any:
    """Results for these arguments: arrays where they are known, and Unvalued where not."""
    given = {i: value for i, value in enumerate(values) if isinstance(value, Unvalued)}
    returned: list[Any] = []

    def call(new: dict[int, Any]) -> Any:
        found = fun(*[new.get(i, value) for i, value in enumerate(values)])
        returned[:] = [found]
        return found

    types = eval_shape(call, given) if given else call({})
    if isinstance(returned[0], (list, tuple)):
        return [_result(x, type_) for x, type_ in zip(returned[0], types, strict=True)]
    return _result(returned[0], types)


def _result(value: Any, type_: Any) -> Probe:
    plain = isinstance(value, (np.ndarray, np.generic, int, float))
    return np.asarray(value) if plain else Unvalued(type_.shape, type_.dtype)
