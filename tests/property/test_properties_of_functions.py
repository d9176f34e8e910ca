"""Broadcasting, reductions, reshaping, padding, joining, products: of drawn shapes and dtypes."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from strategies import DTYPES, SHAPES, any_array, counting, floats

import bital
from bital import tree

_BINARY = (
    *(np.add, np.subtract, np.multiply, np.divide, np.power, np.maximum, np.minimum, np.hypot),
    *(np.arctan2, np.remainder, np.floor_divide, np.less, np.equal, np.logical_and, np.copysign),
    *(np.logaddexp, np.fmod, np.fmax, np.bitwise_xor, np.heaviside),
)
_SMOOTH = (np.add, np.subtract, np.multiply, np.arctan2, np.logaddexp)


def agree(function: Callable[..., Any], *arguments: Any, rtol: float = 0.0) -> None:
    """``bital.jit(function)`` raises or gives what NumPy does, and leaves its arguments alone."""
    before = [np.copy(a) for a in arguments]
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            want = function(*arguments)
        except Exception as fault:
            want = fault
        try:
            got = bital.jit(function)(*arguments)
        except Exception as fault:
            got = fault
    if isinstance(want, Exception) or isinstance(got, Exception):
        both = isinstance(want, Exception) and isinstance(got, Exception)
        assert both, f"NumPy: {want!r}, bital: {got!r}"
        return
    for a, b in zip(tree.leaves(got), tree.leaves(want), strict=True):
        assert np.shape(a) == np.shape(b)
        assert np.asarray(a).dtype == np.asarray(b).dtype
        with np.errstate(all="ignore"):
            np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * 10)
    for a, b in zip(arguments, before, strict=True):
        np.testing.assert_array_equal(a, b)


def check_transpose(function: Callable[..., Any], *arguments: Any) -> None:
    """Reverse is the transpose of forward: <ct, J t> = <J^T ct, t> for any t and ct."""
    rng = np.random.default_rng(0)
    tangents = [np.asarray(rng.standard_normal(a.shape)) for a in arguments]
    value, slope = bital.jvp(function, arguments, tangents)
    ct = tree.map(lambda y: np.asarray(rng.standard_normal(np.shape(y))), value)
    _, pull_back = bital.vjp(function, *arguments)
    pairs = zip(tree.leaves(ct), tree.leaves(slope), strict=True)
    left = sum(np.sum(c * s) for c, s in pairs)
    pulled = pull_back(ct)
    for cotangent, argument in zip(pulled, arguments, strict=True):
        assert np.shape(cotangent) == argument.shape
    right = sum(np.sum(c * t) for c, t in zip(pulled, tangents, strict=True))
    np.testing.assert_allclose(left, right, rtol=1e-9, atol=1e-9)


def _laid_out(x: Any, layout: int) -> Any:
    """The same elements in C order, in Fortran order, backwards or with gaps."""
    if layout == 0 or not x.ndim:
        return x
    if layout == 1:
        return np.asfortranarray(x)
    if layout == 2:
        return x[::-1].copy()[::-1]
    return np.repeat(x, 2, axis=0)[::2]


LAYOUTS = st.integers(0, 3)


@given(
    st.sampled_from(_BINARY),
    hnp.mutually_broadcastable_shapes(num_shapes=2, min_side=0, max_side=3, max_dims=3),
    st.data(),
)
def test_ufuncs_broadcast_and_promote(ufunc: np.ufunc, shapes: Any, data: st.DataObject) -> None:
    x, y = (
        _laid_out(data.draw(any_array(data.draw(DTYPES), shape)), data.draw(LAYOUTS))
        for shape in shapes.input_shapes
    )
    agree(ufunc, x, y, rtol=1e-3 if np.float16 in (x.dtype, y.dtype) else 1e-6)


@given(
    st.sampled_from(_SMOOTH),
    hnp.mutually_broadcastable_shapes(num_shapes=2, min_side=0, max_side=3, max_dims=3),
    st.data(),
)
def test_cotangents_are_summed_back_over_stretched_axes(
    ufunc: np.ufunc, shapes: Any, data: st.DataObject
) -> None:
    check_transpose(ufunc, *(data.draw(floats(shape)) + 4.0 for shape in shapes.input_shapes))


_REDUCTIONS = st.sampled_from(
    (np.sum, np.mean, np.max, np.min, np.prod, np.var, np.std, np.any, np.all, np.ptp)
)


def _some_axes(data: st.DataObject, ndim: int) -> Any:
    kind = data.draw(st.sampled_from(("none", "one", "some")))
    if kind == "none" or not ndim:
        return None
    axes = data.draw(st.lists(st.integers(0, ndim - 1), unique=True, max_size=ndim))
    signed = tuple(a - ndim if data.draw(st.booleans()) else a for a in axes)
    return signed[0] if kind == "one" and signed else signed


@given(_REDUCTIONS, SHAPES, DTYPES, LAYOUTS, st.booleans(), st.data())
def test_reductions(
    function: Any, shape: Any, dtype: str, layout: int, keepdims: bool, data: st.DataObject
) -> None:
    axis = _some_axes(data, len(shape))
    x = _laid_out((counting(shape) % 7 - 3).astype(dtype), layout)
    rtol = 4e-3 if dtype == "float16" else 1e-6
    agree(lambda x: function(x, axis=axis, keepdims=keepdims), x, rtol=rtol)


@given(st.sampled_from((np.sum, np.mean, np.max, np.min, np.prod)), SHAPES, st.data())
def test_transposes_of_reductions(function: Any, shape: Any, data: st.DataObject) -> None:
    axis = _some_axes(data, len(shape))
    x = np.random.default_rng(math.prod(shape)).permutation(counting((math.prod(shape),)))
    if x.size:
        check_transpose(lambda x: function(x, axis=axis), x.reshape(shape) / x.size)


@given(SHAPES, st.data())
def test_reshaping_and_moving_axes(shape: Any, data: st.DataObject) -> None:
    x = _laid_out(counting(shape), data.draw(LAYOUTS))
    order = data.draw(st.permutations(range(len(shape))))
    factors = list(shape) + [1] * data.draw(st.integers(0, 2))
    wanted = tuple(data.draw(st.permutations(factors)))
    open_ended = len(wanted) > 2 and 0 not in wanted and data.draw(st.booleans())
    merged = (*wanted[:-2], -1) if open_ended else wanted
    memory = data.draw(st.sampled_from("CF"))

    def function(x: Any) -> Any:
        y = np.transpose(x, order)
        return np.reshape(y, merged, order=memory), y.T, np.ravel(y), np.squeeze(y)

    agree(function, x)
    check_transpose(function, x)
    if shape:
        source, target = (data.draw(st.integers(-x.ndim, x.ndim - 1)) for _ in range(2))
        agree(lambda x: np.moveaxis(x, source, target) + 0, x)
        agree(lambda x: np.swapaxes(x, source, target) + 0, x)
        agree(lambda x: (np.flip(x, source), np.expand_dims(x, target)), x)


@given(
    hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4),
    st.sampled_from(("constant", "edge", "wrap", "reflect", "symmetric")),
    st.data(),
)
def test_padding(shape: Any, mode: str, data: st.DataObject) -> None:
    width = st.integers(0, 9)
    widths = [(data.draw(width), data.draw(width)) for _ in shape]
    x = counting(shape)
    agree(lambda x: np.pad(x, widths, mode=mode), x)
    if x.size:
        check_transpose(lambda x: np.pad(x, widths, mode=mode), x)


@given(hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=3), st.data())
def test_joining_and_splitting(shape: Any, data: st.DataObject) -> None:
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    other = list(shape)
    other[axis] = data.draw(st.integers(0, 3))
    dtypes = data.draw(st.tuples(DTYPES, DTYPES))
    x, y = counting(shape, dtypes[0]), counting(tuple(other), dtypes[1])
    agree(lambda x, y: np.concatenate([x, y, x], axis=axis), x, y)
    agree(lambda x: np.stack([x, x], axis=axis), x)
    points = data.draw(st.lists(st.integers(-4, 5), max_size=3))
    agree(lambda x: np.split(x, points, axis=axis), x)
    parts = data.draw(st.integers(1, 4))
    agree(lambda x: np.array_split(x, parts, axis=axis), x)
    agree(lambda x: np.split(x, parts, axis=axis), x)


@given(
    hnp.mutually_broadcastable_shapes(
        signature="(n?,k),(k,m?)->(n?,m?)", min_side=0, max_side=3, max_dims=2
    )
)
def test_matrix_products(shapes: Any) -> None:
    x, y = (counting(shape) for shape in shapes.input_shapes)
    agree(np.matmul, x, y)
    agree(np.dot, x, y)
    check_transpose(np.matmul, x / 9, y / 9)


_LENGTHS = {"a": 2, "b": 3, "c": 1, "d": 0, "e": 4}


@st.composite
def _subscripts(draw: Any) -> tuple[str, list[tuple[int, ...]]]:
    letters = st.sampled_from("aabbcde")
    terms = draw(st.lists(st.text(letters, max_size=3), min_size=1, max_size=3))
    lead = draw(st.sampled_from(((), (), (2,), (3, 2))))
    used = sorted(set("".join(terms)))
    output = "".join(draw(st.permutations(used)))[: draw(st.integers(0, len(used)))]
    shapes = [tuple(_LENGTHS[c] for c in term) for term in terms]
    if lead:
        terms = [f"...{term}" for term in terms]
        kept = [draw(st.integers(0, len(lead))) for _ in terms]
        shapes = [(*lead[len(lead) - n :], *shape) for n, shape in zip(kept, shapes, strict=True)]
        output = f"...{output}"
    arrow = draw(st.booleans()) or bool(lead)
    return ",".join(terms) + (f"->{output}" if arrow else ""), shapes


@given(_subscripts())
def test_einsum(drawn: tuple[str, Sequence[tuple[int, ...]]]) -> None:
    subscripts, shapes = drawn
    arrays = [np.cos(counting(shape)) for shape in shapes]
    agree(lambda *xs: np.einsum(subscripts, *xs), *arrays, rtol=1e-12)
    check_transpose(lambda *xs: np.einsum(subscripts, *xs), *arrays)


@given(hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=3), st.data())
def test_taking(shape: Any, data: st.DataObject) -> None:
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    length = shape[axis]
    mode = data.draw(st.sampled_from(("raise", "wrap", "clip")))
    bound = length if mode == "raise" else 9
    picked = data.draw(hnp.arrays(np.int64, SHAPES, elements=st.integers(-bound, bound - 1)))
    x = counting(shape)
    agree(lambda x, i: np.take(x, i, axis=axis, mode=mode), x, picked)
    along = list(shape)
    along[axis] = data.draw(st.integers(0, 4))
    place = st.integers(-length, length - 1)
    indices = data.draw(hnp.arrays(np.int64, tuple(along), elements=place))
    agree(lambda x, i: np.take_along_axis(x, i, axis=axis), x, indices)
    check_transpose(lambda x: np.take_along_axis(x, indices, axis=axis), x)
