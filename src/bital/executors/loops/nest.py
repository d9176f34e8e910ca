"""Nests: what is computed at each point of a grid, and the loops that go round it.

A nest's statements say what happens at one point, in terms of its axes. Nests over the same axes
are merged into one, so that what one stores the next has at hand; `print_nest` puts the loops on:
axes whose elements lie side by side become one, each statement stands in the outermost loop that
it can, and the innermost loop runs over lanes.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from bital.executors.loops.form import (
    INDEX,
    Body,
    Buffer,
    Carry,
    Check,
    Index,
    Join,
    Load,
    Loop,
    Op,
    Statement,
    Store,
    Value,
)


class Grid:
    """The axes of all nests of a module: equal place and length, the same axis."""

    def __init__(self) -> None:
        self._axes: dict[tuple[int, int], Value] = {}
        self.lengths: dict[Value, int] = {}

    def axis(self, place: int, length: int) -> Value:
        key = place, length
        if key not in self._axes:
            self._axes[key] = Value(INDEX, Body())
            self.lengths[self._axes[key]] = length
        return self._axes[key]

    def axes(self, shape: Sequence[int]) -> list[Value | None]:
        """An axis for each dimension; none for those of length 1."""
        places = itertools.count()
        return [None if n == 1 else self.axis(next(places), n) for n in shape]


def in_row(grid: Grid, index: Index, rows: Value, stride: int) -> bool:
    """Whether an offset is ``row * stride`` and something below `stride`."""
    factors = dict(index.terms)
    if stride <= 0 or factors.pop(rows, 0) != stride:
        return False
    low = high = index.offset
    for value, factor in factors.items():
        if value not in grid.lengths:
            return False
        reach = factor * (grid.lengths[value] - 1)
        low, high = low + min(reach, 0), high + max(reach, 0)
    return 0 <= low <= high < stride


@dataclass(eq=False)
class Reduction:
    """Values joined over the reduced axes, then stored.

    Attributes
    ----------
    values : list of Value
        At one point.
    start : list of Value
        What `join` leaves as it is.
    stores : list of (Buffer, Index)
        Where each goes; None for one that serves the others.
    """

    values: list[Value]
    start: list[Value]
    join: Join
    stores: list[tuple[Buffer, Index] | None]


@dataclass(eq=False)
class Nest:
    """Statements at the points of a grid."""

    name: str
    axes: tuple[Value, ...]
    reduced: frozenset[Value] = frozenset()
    body: Body = field(default_factory=Body)
    reductions: list[Reduction] = field(default_factory=list)
    in_order: int = 0  # of the leading axes, one point after the other: they may meet in memory

    @property
    def kept(self) -> tuple[Value, ...]:
        return tuple(axis for axis in self.axes if axis not in self.reduced)

    def loads(self) -> Iterable[Load]:
        return _of_kind(self.body.statements, Load)

    def stores(self) -> list[tuple[Buffer, Index]]:
        """Of points, not of reductions."""
        return [(s.buffer, s.index) for s in _of_kind(self.body.statements, Store)]

    def reads(self) -> set[Buffer]:
        return {load.buffer for load in self.loads()}

    def writes(self) -> set[Buffer]:
        reduced = {place[0] for r in self.reductions for place in r.stores if place}
        return {buffer for buffer, _ in self.stores()} | reduced

    def places(self, buffer: Buffer) -> list[Index]:
        """Where it reads or writes a buffer."""
        stores = [place for r in self.reductions for place in r.stores if place]
        loads = [(load.buffer, load.index) for load in self.loads()]
        return [index for each, index in (*loads, *self.stores(), *stores) if each is buffer]

    def moved(self, old: Buffer, new: Buffer, by: Index) -> Nest:
        """The nest with a buffer exchanged for another one, in which all lies `by` further on."""

        def change(statement: Statement) -> Statement:
            if isinstance(statement, Load) and statement.buffer is old:
                return Load(statement.out, new, statement.index + by)
            if isinstance(statement, Store) and statement.buffer is old:
                return Store(new, statement.index + by, statement.value)
            return statement  # loops of formulas touch no memory

        body = Body()
        for statement in self.body.statements:
            body.add(change(statement))
        reductions = [
            Reduction(
                r.values,
                r.start,
                r.join,
                [(new, p[1] + by) if p is not None and p[0] is old else p for p in r.stores],
            )
            for r in self.reductions
        ]
        return Nest(self.name, self.axes, self.reduced, body, reductions, self.in_order)

    def absorb(self, other: Nest) -> None:
        """Add another nest's work at each point; what this one stores is not loaded again."""
        known: dict[tuple[Buffer, Index], Value] = {}
        for statement in self.body.statements:
            if isinstance(statement, Load):
                known.setdefault((statement.buffer, statement.index), statement.out)
            elif isinstance(statement, Store):
                known[statement.buffer, statement.index] = statement.value
        swapped: dict[Value, Value] = {}
        for statement in other.body.statements:
            statement = rewrite(statement, swapped)
            if isinstance(statement, Load):
                have = known.get((statement.buffer, statement.index))
                if have is not None:
                    swapped[statement.out] = have
                    continue
                known[statement.buffer, statement.index] = statement.out
            self.body.statements.append(statement)
        # Stores last: one may be made to write over what the others read at this point.
        self.body.statements.sort(key=lambda statement: isinstance(statement, Store))
        for reduction in other.reductions:
            values = [swapped.get(value, value) for value in reduction.values]
            self.reductions.append(
                Reduction(values, reduction.start, reduction.join, reduction.stores)
            )
        self.reduced |= other.reduced
        if other.name not in self.name and len(self.name) < 60:
            self.name += "_" + other.name


def _of_kind(statements: Iterable[Statement], kind: type) -> list:  # type: ignore[type-arg]
    found = []
    for statement in statements:
        if isinstance(statement, kind):
            found.append(statement)
        elif isinstance(statement, Loop):
            found += _of_kind(statement.body, kind)
    return found


def rewrite(statement: Statement, swapped: dict[Value, Value]) -> Statement:
    """The statement with some of the values that it reads exchanged."""

    def value(old: Value) -> Value:
        return swapped.get(old, old)

    def index(old: Index) -> Index:
        if not any(v in swapped for v, _ in old.terms):
            return old
        return Index(tuple((value(v), factor) for v, factor in old.terms), old.offset)

    if isinstance(statement, Op):
        return Op(statement.out, statement.name, tuple(map(value, statement.operands)))
    if isinstance(statement, Load):
        return Load(statement.out, statement.buffer, index(statement.index))
    if isinstance(statement, Store):
        return Store(statement.buffer, index(statement.index), value(statement.value))
    if isinstance(statement, Check):
        return Check(
            value(statement.condition),
            statement.site,
            value(statement.value),
            index(statement.position),
        )
    assert isinstance(statement, Loop)
    carries = [
        Carry(value(c.initial), c.inner, c.result, value(c.next) if c.next else None)
        for c in statement.carries
    ]
    inner = [rewrite(each, swapped) for each in statement.body]
    return Loop(
        statement.index,
        value(statement.begin),
        value(statement.end),
        statement.lanes,
        carries,
        inner,
        statement.join,
    )


def values_read(statement: Statement) -> list[Value]:
    """The values that a statement needs."""
    if isinstance(statement, Op):
        return list(statement.operands)
    if isinstance(statement, Load):
        return [value for value, _ in statement.index.terms]
    if isinstance(statement, Store):
        return [statement.value, *(value for value, _ in statement.index.terms)]
    if isinstance(statement, Check):
        return [
            statement.condition,
            statement.value,
            *(value for value, _ in statement.position.terms),
        ]
    assert isinstance(statement, Loop)
    own = [c.initial for c in statement.carries] + [statement.begin, statement.end]
    return own + [value for each in statement.body for value in values_read(each)]


def values_made(statement: Statement) -> list[Value]:
    if isinstance(statement, (Op, Load)):
        return [statement.out]
    if isinstance(statement, Loop):
        return [carry.result for carry in statement.carries]
    return []


# --- loops ----------------------------------------------------------------------------------

# Begin and end of a part of an axis; both are multiples of the third number, or the axis' ends.
Bounds = dict[Value, tuple["int | Value", "int | Value", int]]


class _Printer:
    """Puts loops around a nest's statements."""

    def __init__(
        self, grid: Grid, nest: Nest, body: Body, outer: Sequence[Value], bounds: Bounds, lanes: int
    ) -> None:
        self.grid = grid
        self.nest = nest
        self.body = body
        self.bounds = bounds
        reduced = [axis for axis in nest.axes if axis in nest.reduced]
        kept = [axis for axis in nest.axes if axis not in nest.reduced]
        self.order = [axis for axis in [*kept, *reduced] if axis not in outer]
        # Lanes go along the last axis, whose elements lie side by side.
        self.lane_axis = nest.axes[-1] if nest.axes and nest.axes[-1] in self.order else None
        self.lanes = _fitting_lanes(lanes, nest, self._length(self.lane_axis))
        self.levels = self._place(outer)

    def _length(self, axis: Value | None) -> int | None:
        if axis is None or axis in self.bounds:
            return None
        return self.grid.lengths[axis]

    def _place(self, outer: Sequence[Value]) -> list[list[Statement]]:
        """Statements by the loops that they must stand in."""
        depth: dict[Value, int] = dict.fromkeys(outer, 0)
        depth.update({axis: level + 1 for level, axis in enumerate(self.order)})
        levels: list[list[Statement]] = [[] for _ in range(len(self.order) + 1)]
        for statement in self.nest.body.statements:
            level = max((depth.get(value, 0) for value in values_read(statement)), default=0)
            if isinstance(statement, Store):
                level = len(self.order)
            levels[level].append(statement)
            depth.update(dict.fromkeys(values_made(statement), level))
        return levels

    def run(self) -> None:
        self._turn(0, None)

    def _turn(self, level: int, carried: list[Value] | None) -> list[Value] | None:
        for statement in self.levels[level]:
            self.body.add(statement)
        if level == len(self.order):
            return self._joined(carried)
        axis = self.order[level]
        begin, end, _ = self.bounds.get(axis, (0, self.grid.lengths.get(axis, 0), 1))
        lanes = self.lanes if axis is self.lane_axis else 0
        if axis not in self.nest.reduced:
            with self.body.loop(end, begin, axis, lanes, whole=self._whole(axis)):
                self._turn(level + 1, None)
            return None
        start = [v for r in self.nest.reductions for v in r.start]
        first = carried is None
        carries = [self.body.carry(v) for v in (start if lanes or first else carried or ())]
        with self.body.loop(end, begin, axis, lanes, carries, self._join):
            results = self._turn(level + 1, [carry.inner for carry in carries])
            for carry, result in zip(carries, results or (), strict=True):
                carry.next = result
        found = [carry.result for carry in carries]
        if lanes and not first:
            found = list(self._join(carried or (), found))
        if first:
            self._store(found)
        return found

    def _whole(self, axis: Value) -> bool:
        _, _, unit = self.bounds.get(axis, (0, 0, 1))
        return bool(self.lanes) and unit % self.lanes == self.grid.lengths[axis] % self.lanes == 0

    def _joined(self, carried: list[Value] | None) -> list[Value] | None:
        values = [value for r in self.nest.reductions for value in r.values]
        if carried is None:  # nothing is reduced, or over one element
            self._store(values)
            return None
        return list(self._join(carried, values))

    def _join(self, left: Sequence[Value], right: Sequence[Value]) -> Sequence[Value]:
        result: list[Value] = []
        for reduction in self.nest.reductions:
            count, done = len(reduction.values), len(result)
            result += reduction.join(left[done : done + count], right[done : done + count])
        return result

    def _store(self, values: list[Value]) -> None:
        places = [place for r in self.nest.reductions for place in r.stores]
        for place, value in zip(places, values, strict=True):
            if place is not None:
                self.body.store(*place, value)


def print_nest(
    grid: Grid, nest: Nest, body: Body, outer: Sequence[Value], bounds: Bounds, lanes: int
) -> None:
    """Append a nest's loops to a body.

    Parameters
    ----------
    outer : sequence of Value
        Axes whose loops are open already.
    bounds : dict
        Axes of which only a part is wanted, and which.
    lanes : int
        float32 lanes of a vector register.
    """
    if not nest.in_order:
        nest = collapse(grid, nest, {*outer, *bounds})
    with body.in_use():
        _Printer(grid, nest, body, outer, bounds, lanes).run()


def _fitting_lanes(lanes: int, nest: Nest, length: int | None) -> int:
    """How many elements to work on at a time; 0 for one after the other."""
    if not nest.axes or nest.in_order == len(nest.axes) or (length is not None and length < 2):
        return 0
    if length is not None and length < 8 and nest.axes[-1] in nest.reduced:
        return 0  # NumPy, too, adds so few one by one
    if _jumps(nest) and not nest.reductions and len(nest.body.statements) < 20:
        return 0  # elements that are picked one by one are not worth lanes
    if length is not None and length <= 2 * lanes:
        return 1 << (length - 1).bit_length()  # all at once
    # Two registers at a time, four in short sums: that hides latency.
    if len(nest.body.statements) > 24:
        return lanes
    return lanes * (4 if nest.reductions and len(nest.body.statements) < 4 else 2)


def _jumps(nest: Nest) -> bool:
    """Whether some elements along the last axis do not lie side by side."""
    last = nest.axes[-1]
    varying = {last}
    for statement in nest.body.statements:
        if varying & set(values_read(statement)):
            varying.update(values_made(statement))
    indices = [s.index for s in (*nest.loads(), *_of_kind(nest.body.statements, Store))]
    return any(
        factor != 1 if value is last else True
        for index in indices
        for value, factor in index.terms
        if value in varying
    )


def collapse(grid: Grid, nest: Nest, fixed: set[Value]) -> Nest:
    """The nest with neighbouring axes made one where all its memory allows it."""
    axes = list(nest.axes)
    place = len(axes) - 2
    while place >= 0:
        first, second = axes[place], axes[place + 1]
        together = (first in nest.reduced) == (second in nest.reduced)
        if together and not {first, second} & fixed and _adjoin(grid, nest, first, second):
            both = Value(INDEX, Body())
            grid.lengths[both] = grid.lengths[first] * grid.lengths[second]
            nest = _with_one_axis(nest, first, second, both)
            axes[place : place + 2] = [both]
            place = min(place, len(axes) - 2) + 1
        place -= 1
    return nest


def _indices(nest: Nest) -> list[Index]:
    found: list[Index] = [s.index for s in _of_kind(nest.body.statements, Load)]
    found += [s.index for s in _of_kind(nest.body.statements, Store)]
    found += [s.position for s in _of_kind(nest.body.statements, Check)]
    found += [place[1] for r in nest.reductions for place in r.stores if place]
    return found


def _adjoin(grid: Grid, nest: Nest, first: Value, second: Value) -> bool:
    length = grid.lengths[second]
    for index in _indices(nest):
        factors = dict(index.terms)
        if factors.get(first, 0) != factors.get(second, 0) * length:
            return False
    operands = {v for s in _of_kind(nest.body.statements, Op) for v in s.operands}
    operands |= {v for r in nest.reductions for v in r.values}
    return first not in operands and second not in operands


def _with_one_axis(nest: Nest, first: Value, second: Value, both: Value) -> Nest:
    def index(old: Index) -> Index:
        terms = [(both if v is second else v, f) for v, f in old.terms if v is not first]
        return Index(tuple(terms), old.offset)

    def change(statement: Statement) -> Statement:
        if isinstance(statement, Load):
            return Load(statement.out, statement.buffer, index(statement.index))
        if isinstance(statement, Store):
            return Store(statement.buffer, index(statement.index), statement.value)
        if isinstance(statement, Check):
            position = index(statement.position)
            return Check(statement.condition, statement.site, statement.value, position)
        if isinstance(statement, Loop):
            inner = [change(each) for each in statement.body]
            return Loop(
                statement.index,
                statement.begin,
                statement.end,
                statement.lanes,
                statement.carries,
                inner,
                statement.join,
            )
        return statement

    body = Body()
    for statement in nest.body.statements:
        body.add(change(statement))
    axes = tuple(both if axis is second else axis for axis in nest.axes if axis is not first)
    reduced = frozenset(both if axis is second else axis for axis in nest.reduced - {first})
    reductions = [
        Reduction(
            r.values,
            r.start,
            r.join,
            [None if place is None else (place[0], index(place[1])) for place in r.stores],
        )
        for r in nest.reductions
    ]
    return Nest(nest.name, axes, reduced, body, reductions)
