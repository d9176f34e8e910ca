"""Windows and their sums: the index maps, and what passes make of slices of them."""

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import bital
from bital.passes import optimize
from bital.primitives.windows import count_of, fold, view, windows
from bital.program import ArrayType

sliding = np.lib.stride_tricks.sliding_window_view


def names(program):
    return [equation.primitive.name for equation in optimize(program, checked=True).equations]


@st.composite
def cases(draw):
    shape = tuple(draw(st.lists(st.integers(1, 6), min_size=1, max_size=3)))
    count = draw(st.integers(1, len(shape)))
    axes = tuple(draw(st.permutations(range(len(shape))))[:count])
    sizes, strides, dilations = [], [], []
    for axis in axes:
        size = draw(st.integers(1, shape[axis]))
        most = (shape[axis] - 1) // (size - 1) if size > 1 else 3
        sizes.append(size)
        dilations.append(draw(st.integers(1, most)))
        strides.append(draw(st.integers(1, 4)))
    parts = (axes, tuple(sizes), tuple(strides), tuple(dilations))
    return shape, dict(zip(("axes", "sizes", "strides", "dilations"), parts, strict=True))


@settings(max_examples=60, deadline=None)
@given(cases())
def test_each_window_holds_what_the_definition_says(case):
    shape, params = case
    x = np.arange(np.prod(shape)).reshape(shape)
    got = view(x, **params)
    assert windows.infer([ArrayType(shape, x.dtype)], params)[0].shape == got.shape
    assert np.shares_memory(got, x)
    for index in itertools.product(*map(range, got.shape)):
        place = list(index[: len(shape)])
        rest = zip(params["axes"], params["strides"], params["dilations"], strict=True)
        for within, (axis, stride, by) in zip(index[len(shape) :], rest, strict=True):
            place[axis] = place[axis] * stride + within * by
        assert got[index] == x[tuple(place)]


@settings(max_examples=60, deadline=None)
@given(cases())
def test_fold_is_the_transpose(case):
    shape, params = case
    rng = np.random.default_rng(0)
    x = rng.integers(-9, 9, shape)
    seen = view(x, **params)
    w = rng.integers(-9, 9, seen.shape)
    rest = {name: value for name, value in params.items() if name != "sizes"}
    folded = fold.reference(w, shape=shape, **rest)
    assert fold.infer([ArrayType(w.shape, w.dtype)], {"shape": shape, **rest})[0].shape == shape
    assert (folded * x).sum() == (w * seen).sum()


def test_a_window_of_the_whole_axis_is_one_and_empty_ones_begin_behind_each_element():
    assert count_of(7, 7, 1, 1) == 1
    assert count_of(7, 3, 2, 3) == 1
    assert count_of(7, 0, 1, 1) == 8


def test_slices_of_windows_are_strides_and_dilation():
    def strided(x):
        return sliding(x, (3, 5), (1, 2))[:, 1::2, ::3, :, :, ::2] * 2

    program = bital.trace(strided, np.zeros((2, 9, 11, 3)))
    assert names(program) == ["slice", "windows", "mul"]
    (made,) = (e for e in optimize(program).equations if e.primitive.name == "windows")
    assert (made.params["strides"], made.params["dilations"]) == ((2, 3), (1, 2))


def test_the_gradient_of_windows_side_by_side_only_moves_them():
    def loss(x):
        return (sliding(x, (2, 2), (1, 2))[:, ::2, ::2] ** 2).sum()

    found = names(bital.trace(bital.grad(loss), np.zeros((2, 8, 6, 3))))
    assert "fold" not in found
    assert "slice_update" not in found


def test_a_gradient_of_a_kernel_is_one_product_in_the_kernel_s_layout():
    def loss(kernel, x):
        product = np.tensordot(sliding(x, (3, 3), (1, 2)), kernel, axes=((4, 5, 3), (0, 1, 2)))
        return (product**2).sum()

    program = bital.trace(bital.grad(loss), np.zeros((3, 3, 4, 5)), np.zeros((2, 8, 8, 4)))
    last = optimize(program).equations[-1]
    assert last.primitive.name == "dot_general"
    assert last.outputs[0].type.shape == (3, 3, 4, 5)
