"""Functions as text, and back: same values, same derivatives, nothing that is not the text's."""

import numpy as np
import pytest

import bital
from bital.errors import ArgumentError, ProgramError

RNG = np.random.default_rng(5)
P = RNG.normal(size=(6, 3)).astype(np.float32)
LABELS = np.array([0, 2, 1, 1, 0, 2])
SCALE = np.array([1.0, 2.0, 3.0], np.float32)


def crossentropy(y, p):
    z = p - p.max(axis=1, keepdims=True)
    return np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(y)), y]


def scaled(y, p):
    weights = np.ones(len(p), np.float32)
    return np.sum((p * SCALE) ** 2, axis=1) * weights / len(y) + np.where(y > 0, 1, -1) * p[:, 0]


def flattened(y, p):
    return np.reshape(np.tile(p, (2, 1)), (-1,))[: 3 * len(y)].reshape(len(y), 3).sum(axis=1)


def with_a_loop(y, p):
    return bital.fori_loop(0, 3, lambda i, h: np.tanh(h * p), p).sum(axis=1) * (y + 1)


def with_own_rule(y, p):
    @bital.custom_vjp
    def double(x):
        return 2 * x

    double.defvjp(lambda x: (2 * x, x), lambda x, ct: (3 * ct + 0 * x,))
    return double(p).sum(axis=1) - y


FUNCTIONS = [crossentropy, scaled, flattened, with_a_loop, with_own_rule]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_same_values_and_derivatives_for_any_number_of_rows(function):
    stored = bital.from_text(bital.to_text(function, LABELS[:4], P[:4]))
    for rows in (1, 2, 6):
        y, p = LABELS[:rows], P[:rows]
        found = stored(y, p)
        assert found.dtype == bital.jit(function)(y, p).dtype
        np.testing.assert_array_equal(found, bital.jit(function)(y, p))

        def slope(f, y=y, p=p):
            return bital.jit(bital.grad(lambda p: np.sum(f(y, p) ** 2)))(p)

        np.testing.assert_array_equal(slope(stored), slope(function))


def test_fixed_shapes():
    text = bital.to_text(lambda w: 0.5 * np.sum(w**2), np.ones((4, 2)), any_rows=False)
    stored = bital.from_text(text)
    assert stored(np.ones((4, 2))) == 4.0
    assert stored.takes(np.ones((4, 2)))
    assert not stored.takes(np.ones((5, 2)))
    with pytest.raises(ArgumentError, match=r"float64\[4,2\].*float64\[5,2\]"):
        stored(np.ones((5, 2)))


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (lambda p: p[: len(p) // 2], "8 for 17 rows, 11 for 23"),
        (lambda p: p * (0.1 if len(p) > 20 else 1.0), "1.*for other rows"),
        (lambda p: p / len(p) ** 2, "289 for 17"),
        (lambda p: p * np.random.default_rng().random(), "number in it"),
        (lambda p: p[:30], "other things"),
        (lambda p: np.eye(len(p), dtype=np.float32) @ p, "array from the number of rows"),
        (lambda p: (p, p), "must return one array"),
    ],
)
def test_what_does_not_follow_the_rows_is_refused(function, why):
    with pytest.raises(ArgumentError, match=why):
        bital.to_text(function, P)


def test_rows_must_be_one_number():
    with pytest.raises(ArgumentError, match="one number of rows"):
        bital.to_text(crossentropy, LABELS[:3], P)


def test_large_constants_are_refused():
    large = np.ones((400, 400)) / 3
    with pytest.raises(ArgumentError, match="1 MiB"):
        bital.to_text(lambda p: p @ large, np.ones((3, 400)))


TEXT = bital.to_text(scaled, LABELS, P)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("mul(", "exec("),
        ("float32[<1n>,3]", "float32[<1n>,4]"),
        ("float32[<1n>,3]", "float32[<2n>,3]"),
        ("<1n>", "<1n-18>"),
        ("<1n>", "<999999999999999n>"),
        ('{"start"', '{"stop"'),
        ('"step": 0.0', '"step": "x"'),
        ('"step": 0.0', '"step": [[1]]'),
        ("return", "return "),
        ("scaled", "__import__('os')"),
        ("axes=(1,)", "axes=" + "(" * 5000),
        ("axes=(1,)", "axes=(9,)"),
        ("axes=(1,)", "axes=(1,), more=(2,)"),
        ("float32[3]", "float32[" + "9" * 5000 + "]"),
        ("float32[3]", "object[3]"),
        ("keepdims=False", "keepdims='False'"),
    ],
)
def test_damaged_texts_are_refused(old, new):
    assert old in TEXT
    with pytest.raises(ProgramError):
        bital.from_text(TEXT.replace(old, new))


def test_a_special_function_must_be_one():
    text = bital.to_text(__import__("scipy.special").special.erf, np.ones(3))
    text = text.replace("erf(", "special(").replace(")\n", ") [name='erf', output=0]\n", 1)
    for name in ("test", "errstate", "__name__", "os"):
        with pytest.raises(ProgramError):
            bital.from_text(text.replace("'erf'", repr(name)))
