"""Einstein's summation: every form of ``np.einsum``, contracted in pairs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from bital.numpy_language.dispatch import cast, implements, operand, result_dtype, trace_of
from bital.numpy_language.products import contract, diagonal
from bital.numpy_language.shapes import reshape_to, squeeze, transpose
from bital.numpy_language.tracer import Tracer
from bital.numpy_language.ufuncs import store

# A letter names an axis; a negative number is an axis of the ellipsis, counted from its end.
Labels = tuple[Any, ...]
Term = tuple[Labels, Tracer]

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"  # of the numbers in sublists


@implements(np.einsum)
def einsum(
    *operands: Any,
    out: Any = None,
    optimize: Any = False,
    dtype: Any = None,
    casting: str = "safe",
) -> Any:
    """Contracted in pairs: in the order that `optimize` gives, else in the order of ``"greedy"``.

    An axis of length 1 is stretched, as NumPy does, where another operand gives its label another
    length.
    """
    terms_of, result, arrays = _parse(operands)
    values = [trace_of(operand(each)) for each in arrays]
    wanted = result_dtype(*values) if dtype is None else np.dtype(dtype)
    for x in values:
        if not np.can_cast(x.dtype, wanted, casting):  # type: ignore[arg-type]
            raise TypeError(
                f"np.einsum: an operand of {x.dtype} does not become {wanted} by the rule "
                f"casting={casting!r}; give casting='unsafe' or convert it first"
            )
    inputs, output = _labels(terms_of, result, values)
    converted = [trace_of(cast(x, wanted)) for x in values]
    terms = [_diagonal(*term) for term in zip(inputs, converted, strict=True)]
    _check_lengths(terms)
    for step in _path(terms, output, optimize):
        chosen = [terms[i] for i in step]
        terms = [term for i, term in enumerate(terms) if i not in step]
        terms.append(_contract_all(chosen, {*output, *_used(terms)}))
    if len(terms) != 1:
        raise RuntimeError(f"np.einsum: optimize={optimize} leaves {len(terms)} operands")
    labels, x = _sum_away(terms[0], output)
    if out is not None and not np.can_cast(x.dtype, out.dtype, casting):  # type: ignore[arg-type]
        raise TypeError(f"np.einsum: out= of {out.dtype} cannot take {x.dtype} by {casting!r}")
    return store(out, transpose(x, [labels.index(label) for label in output]), "einsum")


@implements(np.einsum_path)
def einsum_path(*operands: Any, optimize: Any = "greedy", **options: Any) -> Any:
    """NumPy's own answer: it depends on shapes alone."""

    def shape_of(each: Any) -> Any:
        return np.broadcast_to(np.float64(0), each.shape) if isinstance(each, Tracer) else each

    return np.einsum_path(*map(shape_of, operands), optimize=optimize, **options)


# --- subscripts -----------------------------------------------------------------------------


def _parse(operands: tuple[Any, ...]) -> tuple[list[str], str | None, list[Any]]:
    """Subscripts of each operand, those of the result if they are given, and the operands."""
    if not operands:
        raise ValueError(f"np.einsum needs subscripts and operands, got {operands}")
    if isinstance(operands[0], str):
        text, arrays = "".join(operands[0].split()), list(operands[1:])
        left, arrow, right = text.partition("->")
        terms, result = left.split(","), right if arrow else None
    else:
        arrays, terms = list(operands[0::2]), [_letters(each) for each in operands[1::2]]
        result = _letters(arrays.pop()) if len(operands) % 2 else None
    if len(terms) != len(arrays):
        raise ValueError(f"np.einsum: subscripts of {len(terms)} operands, got {len(arrays)}")
    for each in (*terms, result or ""):
        if not set(each.replace("...", "", 1)) <= set(_LETTERS):
            raise ValueError(
                f"np.einsum: subscripts {each!r} are not letters with at most one ellipsis ..."
            )
    return terms, result, arrays


def _letters(axes: Any) -> str:
    try:
        numbers = [axis if axis is Ellipsis else axis.__index__() for axis in axes]
        if any(number is not Ellipsis and number < 0 for number in numbers):
            raise IndexError
        return "".join("..." if n is Ellipsis else _LETTERS[n] for n in numbers)
    except (TypeError, AttributeError, IndexError) as fault:
        raise ValueError(
            f"np.einsum: a list of subscripts holds numbers from 0 to 51 and Ellipsis, got {axes!r}"
        ) from fault


def _labels(
    terms: Sequence[str], result: str | None, values: Sequence[Tracer]
) -> tuple[list[Labels], Labels]:
    """A label for each axis of each operand, and of the result."""
    inputs = []
    for text, x in zip(terms, values, strict=True):
        before, dots, after = text.partition("...")
        count = x.ndim - len(before) - len(after)
        if count < 0 or (count and not dots):
            raise ValueError(f"np.einsum: subscripts {text!r} do not fit {x!r} of {x.ndim} axes")
        inputs.append((*before, *range(-count, 0), *after))
    every = [label for labels in inputs for label in labels]
    dotted = tuple(range(min((n for n in every if isinstance(n, int)), default=0), 0))
    letters = [label for label in every if isinstance(label, str)]
    if result is None:
        return inputs, (*dotted, *sorted(c for c in set(letters) if letters.count(c) == 1))
    before, dots, after = result.partition("...")
    if dotted and not dots:
        raise ValueError(f"np.einsum: the result {result!r} has no place for the axes of '...'")
    for letter in before + after:
        if letter not in letters or result.count(letter) > 1:
            what = "twice" if letter in letters else "but no operand has it"
            raise ValueError(f"np.einsum: the result {result!r} names {letter!r} {what}")
    return inputs, (*before, *dotted, *after)


def _diagonal(labels: Labels, x: Tracer) -> Term:
    """``ii`` becomes ``i``: axes of one label are read along their diagonal."""
    for label in dict.fromkeys(labels):
        while labels.count(label) > 1:
            i = labels.index(label)
            j = labels.index(label, i + 1)
            if x.shape[i] != x.shape[j]:
                raise ValueError(
                    f"np.einsum: axes {label!r} of {x!r} have lengths {x.shape[i]} and {x.shape[j]}"
                )
            x = diagonal(x, 0, i, j)
            labels = (*(each for k, each in enumerate(labels) if k not in (i, j)), label)
    return labels, x


def _check_lengths(terms: Sequence[Term]) -> None:
    known: dict[Any, int] = {}
    for labels, x in terms:
        for label, length in zip(labels, x.shape, strict=True):
            other = known.setdefault(label, length)
            if length != other and 1 not in (length, other):
                name = "an axis of '...'" if isinstance(label, int) else f"axis {label!r}"
                raise ValueError(f"np.einsum: {name} has lengths {other} and {length}")
            known[label] = length if other == 1 else other


# --- contraction ----------------------------------------------------------------------------


def _path(terms: Sequence[Term], output: Labels, optimize: Any) -> list[tuple[int, ...]]:
    """Which operands to contract: each step takes its operands out, and appends their product."""
    if isinstance(optimize, (list, tuple)) and optimize and optimize[0] == "einsum_path":
        return [tuple(step) for step in optimize[1:]]
    if len(terms) <= 2:
        return [tuple(range(len(terms)))]
    every = dict.fromkeys((*output, *_used(terms)))
    if len(every) > len(_LETTERS):
        return [tuple(range(len(terms)))]
    letter = dict(zip(every, _LETTERS, strict=False))
    texts = ["".join(letter[label] for label in labels) for labels, _ in terms]
    subscripts = f"{','.join(texts)}->{''.join(letter[label] for label in output)}"
    shapes = [np.broadcast_to(np.float64(0), x.shape) for _, x in terms]
    method = "greedy" if optimize is None or isinstance(optimize, bool) else optimize
    return list(np.einsum_path(subscripts, *shapes, optimize=method)[0][1:])


def _used(terms: Sequence[Term]) -> list[Any]:
    return [label for labels, _ in terms for label in labels]


def _contract_all(terms: Sequence[Term], kept: Collection[Any]) -> Term:
    first, *others = terms
    for index, other in enumerate(others):
        first = _contract_pair(first, other, {*kept, *_used(others[index + 1 :])})
    return first


def _sum_away(term: Term, kept: Collection[Any]) -> Term:
    labels, x = term
    axes = tuple(i for i, label in enumerate(labels) if label not in kept)
    if not axes:
        return term
    return tuple(c for c in labels if c in kept), np.sum(x, axis=axes, dtype=x.dtype)


def _contract_pair(first: Term, second: Term, kept: set[Any]) -> Term:
    a, x = _sum_away(first, kept.union(second[0]))
    b, y = _sum_away(second, kept.union(a))
    shared = [label for label in a if label in b]
    a, x = _without_stretched(a, x, b, y, shared)
    b, y = _without_stretched(b, y, a, x, [label for label in a if label in shared])
    shared = [label for label in a if label in b]
    batch = [label for label in shared if label in kept]
    summed = [label for label in shared if label not in kept]
    free = [[label for label in labels if label not in shared] for labels in (a, b)]
    labels = (*batch, *free[0], *free[1])

    def axes(of: Labels, wanted: Sequence[Any]) -> tuple[int, ...]:
        return tuple(of.index(label) for label in wanted)

    if not summed:  # nothing is added up: one multiplication
        left = transpose(x, axes(a, [*batch, *free[0]]))
        right = transpose(y, axes(b, [*batch, *free[1]]))
        count = len(batch)
        left = reshape_to(left, left.shape + (1,) * len(free[1]))
        lengths = right.shape[:count] + (1,) * len(free[0]) + right.shape[count:]
        product: Any = left * reshape_to(right, lengths)
        if product.dtype.kind in "fc":
            product = product + 0.0  # NumPy adds to a zero: -0.0 becomes 0.0
        return _sum_away((labels, product), kept)
    pairs = (axes(a, summed), axes(b, summed)), (axes(a, batch), axes(b, batch))
    return _sum_away((labels, contract(x, y, *pairs)), kept)


def _without_stretched(
    a: Labels, x: Tracer, b: Labels, y: Tracer, shared: Sequence[Any]
) -> tuple[Labels, Tracer]:
    """An axis of length 1 that meets another length is dropped: it broadcasts."""
    axes = tuple(a.index(c) for c in shared if x.shape[a.index(c)] == 1 != y.shape[b.index(c)])
    if not axes:
        return a, x
    return tuple(c for i, c in enumerate(a) if i not in axes), squeeze(x, axes)
