"""The order of work: nests merged into groups, groups into kernels.

A group is a list of nests that go through the same rows (the first axis): they run one after the
other row by row, so that what one writes the next finds in the cache. Nests over the same points
are merged into one. A matrix product may carry a group that is computed block by block right
after it (its epilogue).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bital.executors.loops.form import (
    INDEX,
    Body,
    Buffer,
    Check,
    Index,
    Kernel,
    Load,
    Multiply,
    Step,
    Store,
    Value,
    constant,
    index_of,
)
from bital.executors.loops.nest import Bounds, Grid, Nest, collapse, print_nest

_WORK = 400_000  # statements times points: what one task should hold at least, about 20 us
_TASKS = 64  # at most
_WIDEST = 1024  # columns of a product that goes by images
_ROWS = 128  # of a product, that make a packed matrix worth while
_WINDOW = 12  # how many entries a nest is moved up at most


@dataclass(eq=False)
class Product:
    """A matrix product, repeated over a batch.

    Attributes
    ----------
    plan : ProductPlan
        How one product is cut into tasks.
    left, right : (Buffer, Index)
        The first elements.
    batch : int
        How many.
    steps : (int, int, int)
        What a turn of the batch adds to the three offsets.
    images : int
        The length of the first of several axes that the rows go through: of a batch of images,
        whose pixels are rows.
    """

    plan: Any
    rows: int
    columns: int
    left: Buffer
    left_index: Index
    right: Buffer
    right_index: Index
    out: Buffer
    batch: int = 1
    steps: tuple[int, int, int] = (0, 0, 0)
    images: int = 1
    body: Body = field(default_factory=Body)  # loads that the indices need


@dataclass(eq=False)
class Group:
    """Nests over the same rows, or over no rows at all; perhaps after a product.

    A product's nests go through its blocks, or `by_images`: through some of its images.
    """

    nests: list[Nest] = field(default_factory=list)
    product: Product | None = None
    alone: bool = False  # nothing joins it
    by_images: bool = False

    @property
    def rows(self) -> Value | None:
        return self.nests[0].axes[0] if self.nests and self.nests[0].axes else None

    def reads(self) -> set[Buffer]:
        found = {buffer for nest in self.nests for buffer in nest.reads()}
        if self.product is not None:
            found |= {self.product.left, self.product.right}
            found |= {s.buffer for s in self.product.body.statements if isinstance(s, Load)}
        return found

    def writes(self) -> set[Buffer]:
        found = {buffer for nest in self.nests for buffer in nest.writes()}
        return found | {self.product.out} if self.product is not None else found


@dataclass(eq=False)
class Fixed:
    """A step that nothing joins: a copy, a loop, a branch, a kernel of its own kind."""

    step: Step
    read: set[Buffer]
    written: set[Buffer]

    def reads(self) -> set[Buffer]:
        return self.read

    def writes(self) -> set[Buffer]:
        return self.written


Entry = Group | Fixed


class Schedule:
    """Collects nests and other steps in an order in which each finds what it reads."""

    def __init__(self, grid: Grid, lanes: int) -> None:
        self.grid = grid
        self.lanes = lanes
        self.entries: list[Entry] = []

    # --- adding

    def add(self, nest: Nest, late: bool = False, after: Nest | None = None) -> None:
        """Put a nest into the latest group that can take it, or into a new one.

        Parameters
        ----------
        late : bool
            Whether it writes over something in the end, and so should not be done early.
        after : Nest, optional
            Another one that goes through the same rows, to stand right before it.
        """
        reads, writes = nest.reads(), nest.writes()
        for place, entry in enumerate(self.entries):
            if not isinstance(entry, Group) or entry.product is None:
                continue
            if self._fits(entry, nest) and self._sinkable(place):
                self.entries.append(self.entries.pop(place))
                self._join(entry, nest, after)
                return
        for place in range(len(self.entries) - 1, max(len(self.entries) - _WINDOW, -1), -1):
            entry = self.entries[place]
            if isinstance(entry, Group) and self._fits(entry, nest):
                if self._sinkable(place):
                    self.entries.append(self.entries.pop(place))
                elif late or any(e.writes() & reads for e in self.entries[place + 1 :]):
                    break
                self._join(entry, nest, after)
                return
            if entry.writes() & (reads | writes) or entry.reads() & writes:
                break
        self.entries.append(Group([nest] if after is None else [after, nest]))

    def add_alone(self, nest: Nest) -> None:
        """Put a nest at the end, where nothing joins it."""
        self.entries.append(Group([nest], alone=True))

    def add_product(self, product: Product) -> None:
        self.entries.append(Group(product=product))

    def add_step(self, step: Step, read: set[Buffer], written: set[Buffer]) -> None:
        self.entries.append(Fixed(step, read, written))

    def _sinkable(self, place: int) -> bool:
        """Whether an entry may move to the end: nothing behind it touches what it touches."""
        entry = self.entries[place]
        reads, writes = entry.reads(), entry.writes()
        return not any(
            other.reads() & writes or other.writes() & (reads | writes)
            for other in self.entries[place + 1 :]
        )

    def _fits(self, group: Group, nest: Nest) -> bool:
        if group.alone:
            return False
        if group.product is not None:
            return self._is_epilogue(group, nest) or self._is_by_images(group, nest)
        if not nest.axes or not group.nests[0].axes:
            return not nest.axes and not group.nests[0].axes and len(group.nests) == 1
        rows = nest.axes[0]
        if group.rows is not rows or rows in nest.reduced:
            return False
        if any(rows in other.reduced for other in group.nests):
            return False
        if not group.writes() & nest.reads() and group.reads().isdisjoint(nest.reads()):
            return False  # nothing in common: no reason to be together
        return all(self._same_row(other, nest, rows) for other in group.nests)

    def _is_epilogue(self, group: Group, nest: Nest) -> bool:
        product = group.product
        assert product is not None
        if product.batch != 1 or nest.reduced or len(nest.axes) != 2 or group.by_images:
            return False
        lengths = [self.grid.lengths[axis] for axis in nest.axes]
        if lengths != [product.rows, product.columns] or not group.writes() & nest.reads():
            return False
        if group.nests and group.nests[0].axes != nest.axes:
            return False
        row, column = nest.axes
        place = {row: product.columns, column: 1}
        own = {product.out, *(b for other in group.nests for b in other.writes())}
        if nest.writes() & group.reads() or any(isinstance(s, Check) for s in nest.body.statements):
            return False
        return all(
            dict(load.index.terms) == place and load.index.offset == 0
            for load in nest.loads()
            if load.buffer in own
        )

    def _is_by_images(self, group: Group, nest: Nest) -> bool:
        """Whether a nest goes through the images of a product, and stays within each."""
        product = group.product
        assert product is not None
        if product.batch != 1 or product.images == 1 or product.columns > _WIDEST:
            return False
        if group.nests and not group.by_images:
            return False
        rows = self.grid.axis(0, product.images)
        if not nest.axes or nest.axes[0] is not rows or rows in nest.reduced:
            return False
        if not group.writes() & nest.reads() or nest.writes() & {product.left, product.right}:
            return False
        if any(isinstance(s, Check) for s in nest.body.statements):
            return False
        size = product.rows // product.images * product.columns
        return all(
            self._in_row(load.index, rows, size)
            for load in nest.loads()
            if load.buffer is product.out
        ) and all(self._same_row(other, nest, rows) for other in group.nests)

    def _same_row(self, other: Nest, nest: Nest, rows: Value) -> bool:
        """Whether what both touch lies in the row that is being worked on."""
        stores = dict(other.stores())
        stores.update(place for r in other.reductions for place in r.stores if place)
        touched = [(load.buffer, load.index) for load in nest.loads()] + nest.stores()
        touched += [place for r in nest.reductions for place in r.stores if place]
        for buffer, index in touched:
            if buffer in stores:
                stride = dict(stores[buffer].terms).get(rows, 0)
                if not all(self._in_row(each, rows, stride) for each in (index, stores[buffer])):
                    return False
        return not (nest.writes() & other.reads())

    def _in_row(self, index: Index, rows: Value, stride: int) -> bool:
        """Whether an offset is ``row * stride`` and something below `stride`."""
        factors = dict(index.terms)
        if stride <= 0 or factors.pop(rows, 0) != stride:
            return False
        low = high = index.offset
        for value, factor in factors.items():
            if value not in self.grid.lengths:
                return False
            reach = factor * (self.grid.lengths[value] - 1)
            low, high = low + min(reach, 0), high + max(reach, 0)
        return 0 <= low <= high < stride

    def _join(self, group: Group, nest: Nest, after: Nest | None = None) -> None:
        if group.product is not None and not group.nests:
            group.by_images = not self._is_epilogue(group, nest)
        if after is not None:
            group.nests += [after, nest]
            return
        for place in range(len(group.nests) - 1, -1, -1):
            other = group.nests[place]
            if self._mergeable(other, nest):
                other.absorb(nest)
                return
            if other.writes() & (nest.reads() | nest.writes()):
                break
        group.nests.append(nest)

    def _mergeable(self, other: Nest, nest: Nest) -> bool:
        if other.axes != nest.axes or other.in_order or nest.in_order:
            return False
        if other.reduced != nest.reduced:
            if other.reductions and nest.reductions:
                return False
            if nest.axes[-1] not in other.reduced | nest.reduced:
                return False  # stores would jump from row to row
        if other.reads() & nest.writes() or not self._write_apart(other, nest):
            return False
        stores = dict(other.stores())
        sums = {place[0] for r in other.reductions for place in r.stores if place}
        return all(
            load.buffer not in sums and stores.get(load.buffer, load.index) == load.index
            for load in nest.loads()
        )

    def _write_apart(self, other: Nest, nest: Nest) -> bool:
        """Whether two nests write to different elements: parts of a row that do not overlap."""
        both = other.writes() & nest.writes()
        summed = {p[0] for n in (other, nest) for r in n.reductions for p in r.stores if p}
        return both.isdisjoint(summed) and all(
            self._never_equal(a, b)
            for buffer in both
            for of_other, a in other.stores()
            for of_nest, b in nest.stores()
            if of_other is of_nest is buffer
        )

    def _never_equal(self, a: Index, b: Index) -> bool:
        """Whether two offsets with the same factors differ at all points of the grid."""
        apart = abs(a.offset - b.offset)
        if sorted(a.terms, key=id) != sorted(b.terms, key=id) or not apart:
            return False
        # From the largest factor down: while one exceeds what all smaller ones reach, and the
        # distance, its value must be the same in both. What the rest reaches must be less.
        reach, inner = 0, 0
        for value, factor in sorted(a.terms, key=lambda term: abs(term[1])):
            if value not in self.grid.lengths:
                continue  # the same number in both
            outer = abs(factor) > reach + apart
            if reach > inner and not outer:
                return False
            reach += abs(factor) * (self.grid.lengths[value] - 1)
            inner = inner if outer else reach
        return inner < apart

    # --- kernels

    def steps(self) -> list[Step]:
        return [
            entry.step if isinstance(entry, Fixed) else self._kernel(entry)
            for entry in self.entries
        ]

    def _kernel(self, group: Group) -> Kernel:
        kernel = self._loops(group)
        kernel.work = _work(self.grid, group.nests)
        if group.product is not None:
            plan = group.product.plan
            kernel.work += plan.m * plan.n * plan.k * group.product.batch
        return kernel

    def _loops(self, group: Group) -> Kernel:
        if group.product is not None:
            return self._product_kernel(group, group.product)
        body, task = Body(), Value(INDEX, Body())
        name = "_".join(dict.fromkeys(nest.name for nest in group.nests))[:60]
        rows = group.rows
        if len(group.nests) == 1:
            return self._single(group.nests[0], name, body, task)
        if rows is None:
            for nest in group.nests:
                print_nest(self.grid, nest, body, (), {}, self.lanes)
            return Kernel(name, 1, task, body)
        length = self.grid.lengths[rows]
        tasks = min(_tasks(self.grid, group.nests), length)
        begin, end = _share(body, task, tasks, length, 1)
        with body.loop(end, begin, rows):
            for nest in group.nests:
                print_nest(self.grid, nest, body, (rows,), {}, self.lanes)
        return Kernel(name, tasks, task, body)

    def _single(self, nest: Nest, name: str, body: Body, task: Value) -> Kernel:
        if nest.in_order:
            print_nest(self.grid, nest, body, (), {}, self.lanes)
            return Kernel(name, 1, task, body)
        nest = collapse(self.grid, nest, set())
        kept = nest.kept
        bounds: Bounds = {}
        tasks = 1
        if kept:
            length = self.grid.lengths[kept[0]]
            unit = 8 * self.lanes if kept[0] is nest.axes[-1] else 1
            tasks = min(_tasks(self.grid, [nest]), -(-length // unit))
            if tasks > 1:
                bounds[kept[0]] = (*_share(body, task, tasks, length, unit), unit)
        print_nest(self.grid, nest, body, (), bounds, self.lanes)
        return Kernel(name, tasks, task, body)

    def _product_kernel(self, group: Group, product: Product) -> Kernel:
        plan, task = product.plan, Value(INDEX, Body())
        size = product.rows // product.images  # of an image
        together = 1
        if group.by_images:
            together = min(product.images, max(1, _ROWS // size))
            plan = plan.in_blocks(size * together)
        body = Body()
        for statement in product.body.statements:
            body.add(statement)
        turn, inner = _divided(body, task, plan.tasks)
        across = -(-product.columns // plan.columns_per_task)
        row_block, column_block = _divided(body, inner, across)
        bounds = (
            *_block(body, row_block, plan.rows_per_task, product.rows),
            *_block(body, column_block, plan.columns_per_task, product.columns),
        )
        indices = [
            index + index_of(turn) * step
            for index, step in zip(
                (product.left_index, product.right_index, Index()), product.steps, strict=True
            )
        ]
        out, stride = product.out, product.columns
        place = indices[2] + index_of(bounds[0]) * stride + index_of(bounds[2])
        inside = bool(group.nests) and self._only_reader(group, product.out)
        if inside:
            stride = plan.columns_per_task
            out = Buffer(out.dtype, plan.rows_per_task * stride, "scratch", name="block")
            place = Index()
        packing = Buffer(product.out.dtype, plan.scratch // out.dtype.itemsize, "scratch")
        body.add(
            Multiply(
                plan,
                product.left,
                indices[0],
                product.right,
                indices[1],
                out,
                place,
                stride,
                bounds,
                packing,
            )
        )
        if inside:
            moved = index_of(bounds[0]) * -stride + index_of(bounds[2]) * -1
            nests = [_from_block(nest, product, out, stride, moved) for nest in group.nests]
        else:
            nests = group.nests
        if group.by_images:
            rows = self.grid.axis(0, product.images)
            ends = _block(body, row_block, together, product.images)
            with body.loop(ends[1], ends[0], rows):
                for nest in nests:
                    print_nest(self.grid, nest, body, (rows,), {}, self.lanes)
            nests = []
        for nest in nests:
            limits: Bounds = {
                nest.axes[0]: (*bounds[:2], plan.rows_per_task),
                nest.axes[1]: (*bounds[2:], plan.columns_per_task),
            }
            print_nest(self.grid, nest, body, (), limits, self.lanes)
        names = ["product", *(nest.name for nest in group.nests)]
        return Kernel("_".join(names)[:60], plan.tasks * product.batch, task, body)

    def _only_reader(self, group: Group, buffer: Buffer) -> bool:
        others = (entry for entry in self.entries if entry is not group)
        return buffer.place == "arena" and not any(buffer in entry.reads() for entry in others)


def _tasks(grid: Grid, nests: Sequence[Nest]) -> int:
    return max(1, min(_TASKS, _work(grid, nests) // _WORK))


def _work(grid: Grid, nests: Sequence[Nest]) -> int:
    """Operations at all points; memory counts for more."""
    work = 0
    for nest in nests:
        points = 1
        for axis in nest.axes:
            points *= grid.lengths[axis]
        work += points * sum(4 if isinstance(s, (Load, Store)) else 1 for s in nest.body.statements)
    return work


def _divided(body: Body, value: Value, by: int) -> tuple[Value, Value]:
    if by == 1:
        return value, constant(0, INDEX)
    return body.op("div", value, by), body.op("rem", value, by)


def _block(body: Body, number: Value, size: int, length: int) -> tuple[Value, Value]:
    begin = body.op("mul", number, size) if number.constant is None else constant(0, INDEX)
    if size >= length:
        return constant(0, INDEX), constant(length, INDEX)
    end = body.op("add", begin, size)
    return begin, (end < length).where(end, constant(length, INDEX))


def _share(
    body: Body, task: Value, tasks: int, length: int, unit: int
) -> tuple[Value | int, Value | int]:
    """Begin and end of a task's part of an axis, in multiples of `unit`."""
    if tasks == 1:
        return 0, length
    size = -(-length // (tasks * unit)) * unit
    begin = body.op("mul", task, size)
    begin = (begin < length).where(begin, constant(length, INDEX))
    end = body.op("add", begin, size)
    return begin, (end < length).where(end, constant(length, INDEX))


def _from_block(nest: Nest, product: Product, block: Buffer, stride: int, moved: Index) -> Nest:
    """The nest, reading a product from a thread's own block of it."""
    body = Body()
    for statement in nest.body.statements:
        if isinstance(statement, Load) and statement.buffer is product.out:
            index = statement.index
            if stride != product.columns:
                row, column = nest.axes
                index = index_of(row) * stride + index_of(column)
            statement = Load(statement.out, block, index + moved)
        body.add(statement)
    return Nest(nest.name, nest.axes, nest.reduced, body, nest.reductions, nest.in_order)
