"""infer_shapes: what is known of results while some lengths are unknown."""

import numpy as np
import pytest

from bital.api.partial_shapes import infer_shapes, known_shape, probed

ROWS = [
    (lambda x: x + 1, [(None, 6)], (None, 6)),
    (np.matmul, [(None, 784), (784, 3)], (None, 3)),
    (np.matmul, [(None, None), (784, 3)], (None, 3)),
    (np.add, [(None,), (10,)], (10,)),
    (np.add, [(None, 6), (5, 6)], (5, 6)),
    (np.add, [(None, 1), (None,)], (None, None)),
    (np.add, [(None, 6), None], None),
    (np.matmul, [None, (784, 3)], None),
    (np.mean, [None], ()),
    (np.mean, [(None, 3)], ()),
    (lambda x: x.reshape(-1, 2, 3), [(None, 6)], (None, 2, 3)),
    (lambda x: x.reshape(x.shape[0] * 2, 3), [(None, 6)], (None, 3)),
    (lambda x: x[:, ::2], [(None, None)], (None, None)),
    (lambda x: x[:5], [(None, 2)], (5, 2)),
]


@pytest.mark.parametrize("number", range(len(ROWS)))
def test_lengths_that_are_known(number):
    fun, shapes, expected = ROWS[number]
    found = infer_shapes(fun, *(probed(shape, np.float32) for shape in shapes))
    assert known_shape(found) == expected
    assert found[0].dtype == np.float32


def test_values_that_are_known_stay():
    x = probed((None, 6), np.float32)
    shape = infer_shapes(lambda x: np.array(x.shape), x)
    assert [value.tolist() for value in shape] == [[113, 6], [251, 6]]
    rows = infer_shapes(lambda s: s[0] * 2, shape)
    assert [int(value) for value in rows] == [226, 502]
    made = infer_shapes(lambda x, s: x.reshape(tuple(s)), x, infer_shapes(lambda s: s[::-1], shape))
    assert known_shape(made) == (6, None)
    large = np.zeros(5000)
    assert not isinstance(infer_shapes(np.negative, (large, large))[0], np.ndarray)


def test_lengths_that_must_be_multiples():
    target = np.array([-1, 20, 1])
    found = infer_shapes(
        lambda x, s: x.reshape(tuple(s)), probed((None, 1), "f4"), (target, target)
    )
    assert known_shape(found) == (None, 20, 1)


def test_several_results():
    thirds = infer_shapes(lambda x: np.split(x, 3), probed((None, 5), np.float32))
    assert [known_shape(part) for part in thirds] == [(None, 5)] * 3
    parts = infer_shapes(lambda x: np.split(x, 2, axis=1), probed((None, 6), np.float32))
    assert [known_shape(part) for part in parts] == [(None, 3), (None, 3)]


@pytest.mark.parametrize(
    ("fun", "shapes"),
    [
        (np.matmul, [(None, 784), (300, 10)]),
        (np.add, [(None, 3), (4,)]),
        (np.add, [(2,), (3,)]),
    ],
)
def test_what_cannot_meet(fun, shapes):
    with pytest.raises(ValueError, match=r"shapes|broadcast|aligned"):
        infer_shapes(fun, *(probed(shape, np.float32) for shape in shapes))
