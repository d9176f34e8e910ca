"""``np.einsum`` under bital against NumPy's, for subscripts of every form."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import bital

LENGTHS = {"i": 2, "j": 3, "k": 4, "B": 2, "m": 1}


@st.composite
def calls(draw: st.DrawFn) -> tuple[list[Any], dict[str, Any], list[Any]]:
    """Arguments of ``np.einsum``: what stands before the operands, the options, the operands."""
    count = draw(st.integers(1, 4))
    lead = [draw(st.lists(st.sampled_from([1, 2]), max_size=2)) for _ in range(count)]
    dotted = [draw(st.booleans()) for _ in range(count)]
    texts, operands = [], []
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    for extra, dots in zip(lead, dotted, strict=True):
        letters = draw(st.lists(st.sampled_from(sorted(LENGTHS)), max_size=3))
        at = draw(st.integers(0, len(letters)))
        shape = [_length(draw, letter, letters) for letter in letters]
        if dots:
            shape[at:at] = extra
        texts.append("".join([*letters[:at], *(["..."] if dots else []), *letters[at:]]))
        operands.append(rng.standard_normal(shape))
    text = ",".join(texts)
    if draw(st.booleans()):
        used = sorted({c for c in text if c.isalpha()})
        result = draw(st.lists(st.sampled_from(used), unique=True)) if used else []
        at = draw(st.integers(0, len(result)))
        text += "->" + "".join([*result[:at], *(["..."] if any(dotted) else []), *result[at:]])
    optimize = draw(st.sampled_from([False, True, "greedy", "optimal"]))
    return [text], {"optimize": optimize}, operands


def _length(draw: st.DrawFn, letter: str, letters: list[str]) -> int:
    """Now and then an axis of length 1, which is stretched."""
    stretched = letters.count(letter) == 1 and draw(st.integers(0, 5)) == 0
    return 1 if stretched else LENGTHS[letter]


def _sublists(text: str) -> list[list[Any]]:
    """The other form: numbers that are in the same order as the letters."""
    order = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    return [
        [Ellipsis if c == "." else order.index(c) for c in each.replace("...", ".")]
        for each in text.replace("->", ",").split(",")
    ]


@settings(max_examples=25)
@given(calls())
def test_einsum(call: tuple[list[Any], dict[str, Any], list[Any]]) -> None:
    (text,), options, operands = call
    want = np.einsum(text, *operands)
    got = bital.jit(lambda *xs: np.einsum(text, *xs, **options), executor="numpy")(*operands)
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-13)


@settings(max_examples=25)
@given(calls())
def test_einsum_of_sublists(call: tuple[list[Any], dict[str, Any], list[Any]]) -> None:
    (text,), options, operands = call
    lists = _sublists(text)

    def function(*xs: Any) -> Any:
        pairs = [item for pair in zip(xs, lists, strict=False) for item in pair]
        return np.einsum(*pairs, *lists[len(xs) :], **options)

    want = function(*operands)
    got = bital.jit(function, executor="numpy")(*operands)
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-13)


@settings(max_examples=25)
@given(calls())
def test_derivatives_of_einsum(call: tuple[list[Any], dict[str, Any], list[Any]]) -> None:
    """A product is linear in each operand: its derivative is the same product of a tangent."""
    (text,), options, operands = call
    rng = np.random.default_rng(0)

    def function(*xs: Any) -> Any:
        return np.einsum(text, *xs, **options)

    tangents = [rng.standard_normal(x.shape) for x in operands]
    weights = rng.standard_normal(np.shape(function(*operands)))
    want = sum(
        np.einsum(text, *operands[:i], tangent, *operands[i + 1 :])
        for i, tangent in enumerate(tangents)
    )
    with bital.config.executor("numpy"):
        _, slope = bital.jvp(function, tuple(operands), tuple(tangents))
        _, pull_back = bital.vjp(function, *operands)
        gradients = pull_back(weights)
    np.testing.assert_allclose(slope, want, rtol=1e-12, atol=1e-12)
    total = sum(np.sum(g * t) for g, t in zip(gradients, tangents, strict=True))
    np.testing.assert_allclose(total, np.sum(weights * want), rtol=1e-10, atol=1e-10)
