"""Trees: flattening and back, structures as keys, paths, errors."""

from collections import OrderedDict, defaultdict, namedtuple
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bital import tree
from bital.errors import ArgumentError


class Point(NamedTuple):
    x: object
    y: object


Pair = namedtuple("Pair", "a b")
LEAVES = st.one_of(st.integers(), st.floats(allow_nan=False), st.text(max_size=3), st.booleans())
TREES = st.recursive(
    st.one_of(LEAVES, st.none()),
    lambda children: st.one_of(
        st.lists(children, max_size=3),
        st.lists(children, max_size=3).map(tuple),
        st.dictionaries(st.text(max_size=2), children, max_size=3),
        st.tuples(children, children).map(lambda pair: Point(*pair)),
        st.tuples(children, children).map(lambda pair: Pair(*pair)),
    ),
    max_leaves=12,
)


@given(TREES)
@settings(max_examples=200, deadline=None)
def test_round_trip(t):
    leaves, structure = tree.flatten(t)
    assert tree.unflatten(structure, leaves) == t
    assert structure.leaf_count == len(leaves)
    assert tree.leaves(t) == leaves
    assert tree.structure(t) == structure
    assert hash(tree.structure(t)) == hash(structure)
    assert [leaf for _, leaf in tree.flatten_with_path(t)] == leaves


@given(TREES)
@settings(max_examples=200, deadline=None)
def test_map_keeps_the_structure(t):
    mapped = tree.map(lambda leaf: (leaf,), t)
    assert tree.leaves(tree.map(lambda leaf: [leaf][0], t)) == tree.leaves(t)
    assert tree.map(lambda a, b: a == b, t, t) == tree.map(lambda a: True, t)
    assert len(tree.leaves(mapped)) == len(tree.leaves(t))


@given(TREES)
@settings(max_examples=200, deadline=None)
def test_a_path_leads_to_its_leaf(t):
    for path, leaf in tree.flatten_with_path(t):
        assert eval(f"t{path}", {"t": t}) is leaf or eval(f"t{path}", {"t": t}) == leaf


def test_dicts_are_read_in_the_order_of_their_keys():
    a, b = {"b": 1, "a": 2}, {"a": 2, "b": 1}
    assert tree.leaves(a) == [2, 1]
    assert tree.structure(a) == tree.structure(b)


def test_kinds_of_containers_differ():
    kinds = [[1], (1,), {"a": 1}, {"b": 1}, Point(1, 2), Pair(1, 2), (1, 2), None, 1, [], (), {}]
    structures = [tree.structure(t) for t in kinds]
    assert len(set(structures)) == len(kinds)


def test_subclasses_of_containers_come_back_as_they_were():
    t = OrderedDict(z=1, a=[2])
    back = tree.map(lambda x: x * 2, t)
    assert type(back) is OrderedDict
    assert back == {"z": 2, "a": [4]}
    assert type(tree.map(lambda x: x, Point(1, (2,)))) is Point
    counts = tree.map(lambda x: x + 1, defaultdict(int, a=1))
    assert type(counts) is defaultdict
    assert counts == {"a": 2}


def test_arrays_strings_and_sets_are_leaves():
    for leaf in (np.ones((2, 3)), "text", {1, 2}, range(3), object()):
        assert tree.leaves([leaf])[0] is leaf


def test_paths():
    t = {"layers": [Point(1, None), (2,)], "n": 3}
    assert tree.flatten_with_path(t) == [
        ("['layers'][0].x", 1), ("['layers'][1][0]", 2), ("['n']", 3)
    ]  # fmt: skip
    assert tree.flatten_with_path(5) == [("", 5)]
    assert tree.flatten_with_path({1: "a"}) == [("[1]", "a")]


def test_a_structure_prints_with_stars():
    assert str(tree.structure({"a": [1, (2,)], "b": None})) == "{'a': [*, (*,)], 'b': None}"


class TestErrors:
    def test_a_wrong_number_of_leaves(self):
        for leaves in ([1], [1, 2, 3]):
            with pytest.raises(ArgumentError, match=f"2 leaves was given {len(leaves)}"):
                tree.unflatten(tree.structure([1, 2]), leaves)

    def test_trees_that_differ(self):
        with pytest.raises(ArgumentError, match=r"\[\*\] and \(\*,\)"):
            tree.map(lambda a, b: a, [1], (1,))
        with pytest.raises(ArgumentError, match="differ"):
            tree.map(lambda a, b: a, {"a": 1}, {"b": 1})

    def test_keys_without_an_order(self):
        for function in (tree.flatten, tree.flatten_with_path):
            with pytest.raises(ArgumentError, match="keys of types int, str"):
                function({1: 2, "a": 3})
