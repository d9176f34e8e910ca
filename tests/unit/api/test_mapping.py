"""vmap's arguments, against Python loops."""

import doctest
from collections import namedtuple

import numpy as np
import plain_loops
import pytest
from hypothesis import given
from hypothesis import strategies as st

import bital
import bital.api.mapping
from bital.errors import ArgumentError, ShapeError

RNG = np.random.default_rng(0)
Pair = namedtuple("Pair", "a b")


def test_docstring():
    assert doctest.testmod(bital.api.mapping, extraglobs={"np": np}).failed == 0


# --- the axes, against a loop ---------------------------------------------------------------


def looped(f, axes, out_axes, args, size):
    """What vmap(f, axes, out_axes) means; `axes` and `out_axes` name one axis for each leaf."""
    leaves, structure = bital.tree.flatten(args)
    rows = []
    for k in range(size):
        row = [
            x if axis is None else np.take(x, k, axis) for x, axis in zip(leaves, axes, strict=True)
        ]
        rows.append(bital.tree.flatten(f(*bital.tree.unflatten(structure, row))))
    columns = zip(*(found for found, _ in rows), strict=True)
    joined = [
        column[0] if axis is None else np.stack(column, axis)
        for column, axis in zip(columns, out_axes, strict=True)
    ]
    return bital.tree.unflatten(rows[0][1], joined)


def assert_same(got, want):
    assert bital.tree.structure(got) == bital.tree.structure(want)
    for a, b in zip(bital.tree.leaves(got), bital.tree.leaves(want), strict=True):
        assert np.shape(a) == np.shape(b)
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


def mixed(p, x, pair):
    """Of shapes (2, 3), (), (3,), (2, 3), (3,): outputs of shapes (2, 3), () and (3,)."""
    y = np.tanh(p["w"] * x + p["b"]) + pair[0]
    return {"y": y, "rest": [np.sum(y * pair[1]) * x, np.sum(y, axis=0) - pair[1]]}


SHAPES = [(), (2, 3), (3,), (2, 3), (3,)]  # of p["b"], p["w"], x, pair[0], pair[1]
OUT_RANKS = [0, 1, 2]  # of rest[0], rest[1], y


def optional_axis(rank):
    return st.none() | st.integers(-rank - 1, rank)


@given(
    axes=st.tuples(*(optional_axis(len(shape)) for shape in SHAPES)),
    out_axes=st.tuples(*(st.integers(-rank - 1, rank) for rank in OUT_RANKS)),
    size=st.integers(1, 3),
    jitted=st.booleans(),
)
def test_any_axes_as_a_loop_gives_them(axes, out_axes, size, jitted):
    arrays = []
    for shape, axis in zip(SHAPES, axes, strict=True):
        full = list(shape)
        if axis is not None:
            full.insert(axis % (len(shape) + 1), size)
        arrays.append(RNG.normal(size=full))
    b, w, x, first, second = arrays
    args = ({"w": w, "b": b}, x, (first, second))
    in_tree = ({"w": axes[1], "b": axes[0]}, axes[2], (axes[3], axes[4]))
    out_tree = {"y": out_axes[2], "rest": [out_axes[0], out_axes[1]]}
    mapped = bital.vmap(mixed, in_tree, out_tree, axis_size=size)
    with bital.config.executor("numpy"):
        got = (bital.jit(mapped) if jitted else mapped)(*args)
    assert_same(got, looped(mixed, axes, out_axes, args, size))


@given(outer=st.tuples(optional_axis(2), optional_axis(1)), inner=st.sampled_from([0, 1, -1, -2]))
def test_nested_maps_as_nested_loops(outer, inner):
    """f: (2, 3) and (3,) -> (3,), mapped over an axis of the matrix, then over `outer`."""
    shapes = [(4, 2), (2,)]
    arrays = []
    for shape, axis in zip(shapes, outer, strict=True):
        full = list(shape)
        if axis is not None:
            full.insert(axis % (len(shape) + 1), 3)
        arrays.append(RNG.normal(size=full))

    def rows(m, v):
        return bital.vmap(lambda row, v: row * np.sum(v), (inner, None), inner)(m, v)

    with bital.config.executor("numpy"):
        got = bital.vmap(rows, outer, 1, axis_size=3)(*arrays)
        want = looped(lambda m, v: m * np.sum(v), outer, [1], tuple(arrays), 3)
    assert_same(got, want)


# --- each kind of argument ------------------------------------------------------------------


def test_trees_of_axes_may_stop_at_any_depth():
    p = {"w": np.ones((3, 2)), "b": [np.arange(3.0), 1.0]}

    def total(p):
        return np.sum(p["w"]) + p["b"][0] + p["b"][1]

    for axes in [({"w": 0, "b": [0, None]},), [{"w": 0, "b": [0, None]}]]:
        assert bital.vmap(total, axes)(p).tolist() == [3.0, 4.0, 5.0]
    q = {"w": np.ones((3, 2)), "b": [np.arange(3.0), np.ones(3)]}
    assert bital.vmap(total, ({"w": 0, "b": 0},))(q).tolist() == [3.0, 4.0, 5.0]
    assert bital.vmap(total, (0,))(q).tolist() == [3.0, 4.0, 5.0]


def test_named_tuples_and_none():
    f = bital.vmap(lambda p, _: Pair(p.a * p.b, p.a), (Pair(0, None), None), Pair(0, -1))
    got = f(Pair(np.arange(3.0), 2.0), None)
    assert type(got) is Pair
    assert got.a.tolist() == [0.0, 2.0, 4.0]


def test_an_output_without_the_axis():
    f = bital.vmap(lambda x, w: (x * w, {"n": np.sum(w), "c": 3.0}), (0, None), (0, None))
    rows, once = f(np.arange(2.0), np.ones(3))
    assert rows.shape == (2, 3)
    assert once == {"n": 3.0, "c": 3.0}
    with pytest.raises(ShapeError, match=r"result\[0\] has out_axes=None and depends"):
        bital.vmap(lambda x: (x, 1.0), out_axes=None)(np.ones(2))


def test_a_size_without_mapped_arguments():
    f = bital.vmap(lambda x: (x * 2, np.ones(2)), in_axes=None, axis_size=3)
    doubled, ones = f(np.array([1.0, 2.0]))
    assert doubled.tolist() == [[2.0, 4.0]] * 3
    assert ones.shape == (3, 2)
    assert bital.vmap(lambda: 1.0, axis_size=2)().tolist() == [1.0, 1.0]


def test_no_rows():
    f = bital.vmap(lambda x: (np.sin(x) @ np.ones(3), np.flip(x)))
    one, three = f(np.ones((0, 3)))
    assert (one.shape, three.shape) == ((0,), (0, 3))


def test_keyword_arguments_are_mapped_over_axis_0():
    mapped = bital.vmap(lambda x, k=1.0: x * k)
    np.testing.assert_array_equal(mapped(np.ones(2), k=np.array([1.0, 3.0])), [1.0, 3.0])
    np.testing.assert_array_equal(
        bital.vmap(lambda x, k: x * k["a"], in_axes=None)(2.0, k={"a": np.array([1.0, 3.0])}),
        [2.0, 6.0],
    )
    with pytest.raises(ShapeError, match=r"keyword argument \['k'\] has shape \(\) and no axis 0"):
        mapped(np.ones(2), k=3.0)


def test_numbers_stay_open_in_dtype():
    x = np.ones(3, np.float32)
    assert bital.vmap(lambda x, a: x * a, (0, None))(x, 0.5).dtype == np.float32
    assert bital.vmap(lambda x, a: x * a, (0, None))(x, 2).dtype == np.float32


# --- with the other transforms --------------------------------------------------------------

XS, W = RNG.normal(size=(3, 4)), RNG.normal(size=(4, 4))


def recurrent(w, h):
    def step(h, _):
        h = bital.cond(np.sum(h) > 0, lambda h: np.tanh(w @ h), lambda h: np.sin(w.T @ h), h)
        return h, np.sum(h)

    h, sums = bital.scan(step, h, length=3)
    h = bital.while_loop(lambda h: np.sum(h * h) > 0.1, lambda h: 0.5 * h, h)
    return h, sums


@pytest.mark.parametrize("jit", [lambda f: f, bital.jit])
def test_loops_and_branches_with_axes(jit):
    args = (np.stack([W, W + 0.1, W - 0.3], axis=-1), XS.T)
    got = jit(bital.vmap(recurrent, in_axes=-1, out_axes=(-1, 0)))(*args)
    assert_same(got, looped(recurrent, [2, 1], [-1, 0], args, 3))


def inside(lib):
    """Maps in the bodies of a loop, a branch and a loop without end, over closed-over weights."""

    def rows(f, xs):
        return bital.vmap(f)(xs) if lib is bital else np.stack([f(x) for x in xs])

    def f(w, xs):
        def step(h, x):
            def other(h):
                return rows(lambda r: np.sin(r) * x, h)

            h = lib.cond(np.sum(h) > 0, lambda h: rows(lambda r: np.tanh(w @ r + x), h), other, h)
            return h, np.sum(h)

        h, sums = lib.scan(step, xs, xs)
        grown = lib.while_loop(
            lambda h: np.sum(h * h) < 9.0, lambda h: rows(lambda r: 1.5 * r + 0.1, h), h
        )
        return np.sum(h * h) + np.sum(sums), grown

    return f


def test_maps_inside_of_loops_and_branches():
    for lib in (plain_loops, bital):
        value, slope = bital.value_and_grad(lambda w, xs, lib=lib: inside(lib)(w, xs)[0], (0, 1))(
            W, XS
        )
        grown = inside(lib)(W, XS)[1]
        mapped = bital.vmap(inside(bital), (None, 0))(W, np.stack([XS, -XS]))
        if lib is plain_loops:
            want = value, slope, grown
    assert_same((value, slope, grown), want)
    assert_same((mapped[0][0], mapped[1][0]), (value, grown))
    both = bital.jit(bital.vmap(bital.grad(lambda w, xs: inside(bital)(w, xs)[0]), (None, 0)))
    assert_same(both(W, np.stack([XS, XS]))[1], slope[0])


def loss(w, x):
    def step(total, row):
        return total + np.sum(np.tanh(w * row)), None

    return bital.scan(step, 0.0, np.stack([x, x * x]))[0]


@pytest.mark.parametrize(
    "place", [lambda g, v: v(g), lambda g, v: bital.jit(v(g)), lambda g, v: v(bital.jit(g))]
)
@pytest.mark.parametrize(
    "derive",
    [
        bital.grad,
        bital.hessian,
        lambda f: lambda w, x: bital.jvp(lambda w: f(w, x), (w,), (np.ones(4),))[1],
    ],
    ids=["grad", "hessian", "jvp"],
)
def test_derivatives_of_each_row(place, derive):
    w = RNG.normal(size=4)
    got = place(derive(loss), lambda g: bital.vmap(g, (None, 1), -1))(w, XS.T)
    want = np.stack([derive(loss)(w, x) for x in XS], axis=-1)
    np.testing.assert_allclose(got, want, rtol=1e-11)


def test_a_derivative_through_axes():
    def total(xs):
        mapped = bital.vmap(loss, (-1, 0), out_axes=-1)
        return np.sum(mapped(xs.T, xs) * np.arange(3.0))

    bital.check_grads(total, (XS,))


# --- errors ---------------------------------------------------------------------------------


def identity(*args):
    return args[0] if len(args) == 1 else args


@pytest.mark.parametrize(
    ("options", "args", "message"),
    [
        ({}, (np.ones((3, 2)), {"b": np.ones(4)}), r"argument \[0\] of shape \(3, 2\) along axis"
         r" 0: 3; argument \[1\]\['b'\] of shape \(4,\) along axis 0: 4"),
        ({"in_axes": (0, 1)}, (np.ones(3), np.ones(3)), r"argument \[1\] has shape \(3,\) and no"),
        ({"in_axes": -2}, (np.ones(3),), r"no axis -2 to map over"),
        ({}, (1.0,), r"argument \[0\] has shape \(\)"),
        ({"axis_size": 3}, (np.ones(2),), r"axis_size: 3; argument \[0\] of shape \(2,\)"),
        ({"in_axes": None, "axis_size": -1}, (1.0,), r"axis_size: -1"),
        ({"in_axes": None}, (np.ones(2),), "axis_size="),
        ({"in_axes": (0,)}, (np.ones(2), np.ones(2)), r"has 1 entries for 2 arguments"),
        ({"in_axes": ({"a": 0},)}, ({"b": np.ones(2)},), r"in_axes\[0\]=.* does not fit \{'b': \*"),
        ({"in_axes": ([0, 0],)}, ((np.ones(2), np.ones(2)),), r"does not fit \(\*, \*\)"),
        ({"in_axes": ((0, 0),)}, ((np.ones(2),) * 3,), r"does not fit \(\*, \*, \*\)"),
        ({"in_axes": ((0,),)}, (np.ones(2),), r"in_axes\[0\]=\(0,\) does not fit \*"),
        ({"in_axes": {"a": 0}}, ({"a": np.ones(2)},), r"in_axes=\{'a': 0\} does not fit"),
        ({"out_axes": (0, 0)}, (np.ones(2),), r"out_axes=\(0, 0\) does not fit \*"),
        ({"out_axes": 2}, (np.ones(2),), "out_axes=2 for result, which has 1 axes"),
        ({"out_axes": (0, -2)}, (np.ones(2),) * 2, r"out_axes=-2 for result\[1\]"),
    ],
)  # fmt: skip
def test_errors(options, args, message):
    with pytest.raises(ShapeError, match=rf"vmap\(identity\): .*{message}"):
        bital.vmap(identity, **options)(*args)


@pytest.mark.parametrize("axes", ["0", 0.0, (0, 1.0), True, {"a": [np.ones(2)]}])
def test_what_is_no_axis(axes):
    for name in ("in_axes", "out_axes"):
        with pytest.raises(ArgumentError, match=f"vmap: {name}.*an axis is an int, or None"):
            bital.vmap(np.sin, **{name: axes})


def test_what_is_no_function():
    with pytest.raises(ArgumentError, match="takes a function, got int"):
        bital.vmap(3)


def test_an_argument_that_cannot_be_traced_is_named():
    with pytest.raises(ArgumentError, match=r"argument \[1\]\['a'\] is a str"):
        bital.vmap(lambda x, y: x)(np.ones(2), {"a": "b"})


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, 10**400])
def test_integers_beyond_int64_are_refused_by_name(value):
    doubled = bital.jit(lambda x: x * 2)
    with pytest.raises(ArgumentError, match=r"argument \[0\] is an int beyond int64"):
        doubled(value)
    assert doubled(1) == 2
    with pytest.raises(ArgumentError, match="beyond int64"):  # an int was recorded before
        doubled(value)
    assert bital.jit(lambda x: x)(-(2**63)) == -(2**63)
