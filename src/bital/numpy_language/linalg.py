"""Products: dot, matmul, tensordot, einsum, outer."""

from __future__ import annotations

from typing import Any

import numpy as np

from bital.numpy_language.dispatch import (
    cast,
    implements,
    implements_ufunc,
    normalize_axes,
    operand,
    result_dtype,
    trace_of,
)
from bital.numpy_language.shapes import broadcast_to, moveaxis, squeeze, transpose
from bital.numpy_language.tracer import Tracer, bind
from bital.numpy_language.ufuncs import store
from bital.primitives import linear as p


def _pair(a: Any, b: Any) -> tuple[Tracer, Tracer]:
    a, b = operand(a), operand(b)
    dtype = result_dtype(a, b)
    return trace_of(cast(trace_of(a), dtype)), trace_of(cast(trace_of(b), dtype))


def contract(x: Tracer, y: Tracer, axes: Any, batch: Any = ((), ())) -> Tracer:
    result: Tracer = bind(p.dot_general, x, y, contract=axes, batch=batch)
    return result


def _mismatch(name: str, x: Tracer, y: Tracer, i: int, j: int) -> ValueError:
    return ValueError(
        f"np.{name}: shapes {x.shape} and {y.shape} not aligned: "
        f"{x.shape[i]} (axis {i}) and {y.shape[j]} (axis {j}) must be equal"
    )


@implements(np.dot)
def dot(a: Any, b: Any, out: Any = None) -> Any:
    x, y = _pair(a, b)
    if x.ndim == 0 or y.ndim == 0:
        return store(out, x * y, "dot")
    i, j = x.ndim - 1, max(y.ndim - 2, 0)
    if x.shape[i] != y.shape[j]:
        raise _mismatch("dot", x, y, i, j)
    return store(out, contract(x, y, ((i,), (j,))), "dot")


@implements(np.inner)
def inner(a: Any, b: Any, /) -> Any:
    x, y = _pair(a, b)
    if x.ndim == 0 or y.ndim == 0:
        return x * y
    if x.shape[-1] != y.shape[-1]:
        raise _mismatch("inner", x, y, x.ndim - 1, y.ndim - 1)
    return contract(x, y, ((x.ndim - 1,), (y.ndim - 1,)))


@implements(np.vdot)
def vdot(a: Any, b: Any, /) -> Any:
    x, y = _pair(a, b)
    return dot(x.reshape(-1), y.reshape(-1))


@implements(np.outer)
def outer(a: Any, b: Any, out: Any = None) -> Any:
    x, y = trace_of(a), trace_of(b)
    return store(out, x.reshape(-1, 1) * y.reshape(1, -1), "outer")


@implements_ufunc(np.matmul)
def matmul(a: Any, b: Any, dtype: Any = None) -> Tracer:
    x, y = _pair(a, b)
    if dtype is not None:
        x, y = trace_of(cast(x, dtype)), trace_of(cast(y, dtype))
    if x.ndim == 0 or y.ndim == 0:
        raise ValueError(f"np.matmul does not take scalars, got {x!r} and {y!r}; write a * b")
    i, j = x.ndim - 1, max(y.ndim - 2, 0)
    if x.shape[i] != y.shape[j]:
        raise _mismatch("matmul", x, y, i, j)
    if x.ndim <= 2 or y.ndim <= 2:
        result = contract(x, y, ((i,), (j,)))
        if y.ndim > 2 and x.ndim == 2:  # rows of x stand before y's batch axes
            result = moveaxis(result, 0, -2)
        return result
    batch = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    x = broadcast_to(x, batch + x.shape[-2:])
    y = broadcast_to(y, batch + y.shape[-2:])
    axes = tuple(range(len(batch)))
    return contract(x, y, ((len(batch) + 1,), (len(batch),)), (axes, axes))


@implements(np.tensordot)
def tensordot(a: Any, b: Any, axes: Any = 2) -> Tracer:
    x, y = _pair(a, b)
    if isinstance(axes, (int, np.integer)):
        count = int(axes)
        x_axes, y_axes = tuple(range(x.ndim - count, x.ndim)), tuple(range(count))
    else:
        x_axes, y_axes = normalize_axes(axes[0], x.ndim), normalize_axes(axes[1], y.ndim)
    lengths = [x.shape[i] for i in x_axes], [y.shape[j] for j in y_axes]
    if lengths[0] != lengths[1]:
        raise ValueError(
            f"np.tensordot: axes {x_axes} of {x.shape} and {y_axes} of {y.shape} differ in length"
        )
    return contract(x, y, (x_axes, y_axes))


# --- einsum ---------------------------------------------------------------------------------


@implements(np.einsum)
def einsum(*operands: Any, optimize: Any = True, dtype: Any = None, out: Any = None) -> Any:
    """Contracted in pairs, in the order that ``np.einsum_path`` finds."""
    subscripts, arrays = _as_subscripts(operands)
    values = [operand(each) for each in arrays]
    wanted = result_dtype(*values) if dtype is None else np.dtype(dtype)
    terms = [
        (label, trace_of(cast(trace_of(x), wanted)))
        for label, x in zip(subscripts[0], values, strict=True)
    ]
    terms = [_take_diagonals(label, x) for label, x in terms]
    output = subscripts[1]
    for pair in _order(terms, output):
        chosen = [terms[i] for i in pair]
        rest = [term for i, term in enumerate(terms) if i not in pair]
        kept = set(output).union(*(label for label, _ in rest))
        terms = [*rest, _contract_pair(chosen, kept)]
    (label, result) = _sum_away(terms[0], set(output))
    return store(out, transpose(result, [label.index(c) for c in output]), "einsum")


def _as_subscripts(operands: tuple[Any, ...]) -> tuple[tuple[list[str], str], list[Any]]:
    """Explicit subscripts without ellipsis, and the arrays."""
    if not isinstance(operands[0], str):
        arrays, lists = list(operands[0::2]), list(operands[1::2])
        result = lists.pop() if len(operands) % 2 == 0 and len(lists) > len(arrays) else None
        if len(operands) % 2:
            result = arrays.pop()
        text = ",".join(_letters(each) for each in lists)
        operands = (text if result is None else f"{text}->{_letters(result)}", *arrays)
    text, arrays = operands[0].replace(" ", ""), list(operands[1:])
    left, arrow, right = text.partition("->")
    labels = left.split(",")
    if len(labels) != len(arrays):
        raise ValueError(f"einsum {text!r} names {len(labels)} operands, got {len(arrays)}")
    ranks = [np.ndim(x) for x in arrays]
    extra = max(
        (
            rank - len(label.replace("...", ""))
            for label, rank in zip(labels, ranks, strict=True)
            if "..." in label
        ),
        default=0,
    )
    used = set(text)
    dots = "".join(c for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if c not in used)[:extra]
    expanded = []
    for label, rank in zip(labels, ranks, strict=True):
        count = rank - len(label.replace("...", ""))
        if count < 0 or (count and "..." not in label):
            raise ValueError(f"einsum {text!r}: {label!r} does not fit an operand of {rank} axes")
        expanded.append(label.replace("...", dots[len(dots) - count :]))
    letters = "".join(expanded)
    if not arrow:
        right = "..." + "".join(
            c for c in sorted(set(letters) - set(dots)) if letters.count(c) == 1
        )
    return (expanded, right.replace("...", dots)), arrays


def _letters(axes: Any) -> str:
    return "".join("..." if axis is Ellipsis else chr(ord("a") + axis) for axis in axes)


def _take_diagonals(label: str, x: Tracer) -> tuple[str, Tracer]:
    """``ii`` becomes ``i``: repeated axes are read along their diagonal."""
    for letter in dict.fromkeys(label):
        while label.count(letter) > 1:
            i, j = label.index(letter), label.rindex(letter)
            x = moveaxis(x, (i, j), (0, 1))
            if x.shape[0] != x.shape[1]:
                raise ValueError(f"einsum: axes {letter!r} have lengths {x.shape[0]}, {x.shape[1]}")
            index = np.arange(x.shape[0])
            x = x[index, index]
            label = letter + "".join(c for k, c in enumerate(label) if k not in (i, j))
    return label, x


def _order(terms: list[tuple[str, Tracer]], output: str) -> list[tuple[int, ...]]:
    if len(terms) == 1:
        return []
    if len(terms) == 2:
        return [(0, 1)]
    text = ",".join(label for label, _ in terms) + "->" + output
    shapes = [np.broadcast_to(np.float32(0), x.shape) for _, x in terms]
    path = np.einsum_path(text, *shapes, optimize="greedy")[0][1:]
    pairs: list[tuple[int, ...]] = []
    for step in path:
        remaining = list(step)
        while len(remaining) > 2:  # contract two, and go on with their product, which stands last
            pairs.append((remaining[0], remaining[1]))
            count = len(terms) - len(pairs)
            remaining = [*(i - 2 for i in remaining[2:]), count - 1]
        pairs.append(tuple(remaining))
    return pairs


def _sum_away(term: tuple[str, Tracer], kept: set[str]) -> tuple[str, Tracer]:
    label, x = term
    axes = tuple(i for i, letter in enumerate(label) if letter not in kept)
    if not axes:
        return term
    return "".join(c for c in label if c in kept), np.sum(x, axis=axes, dtype=x.dtype)


def _contract_pair(terms: list[tuple[str, Tracer]], kept: set[str]) -> tuple[str, Tracer]:
    (a, x), (b, y) = terms
    a, x = _sum_away((a, x), kept | set(b))
    b, y = _sum_away((b, y), kept | set(a))
    shared = [c for c in a if c in b]
    a, x = _drop_stretched(a, x, b, y, shared)
    b, y = _drop_stretched(b, y, a, x, shared)
    shared = [c for c in a if c in b]
    batch = [c for c in shared if c in kept]
    summed = [c for c in shared if c not in kept]

    def axes(label: str, letters: list[str]) -> tuple[int, ...]:
        return tuple(label.index(c) for c in letters)

    for letter in shared:
        if x.shape[a.index(letter)] != y.shape[b.index(letter)]:
            raise ValueError(
                f"einsum: axis {letter!r} has length {x.shape[a.index(letter)]} in one operand and "
                f"{y.shape[b.index(letter)]} in another"
            )
    result = contract(x, y, (axes(a, summed), axes(b, summed)), (axes(a, batch), axes(b, batch)))
    free = [c for c in a if c not in shared] + [c for c in b if c not in shared]
    return "".join(batch + free), result


def _drop_stretched(a: str, x: Tracer, b: str, y: Tracer, shared: list[str]) -> tuple[str, Tracer]:
    """An axis of length 1 that meets a longer one broadcasts, as in NumPy: it is dropped."""
    axes = tuple(a.index(c) for c in shared if x.shape[a.index(c)] == 1 != y.shape[b.index(c)])
    if not axes:
        return a, x
    return "".join(c for i, c in enumerate(a) if i not in axes), squeeze(x, axes)
