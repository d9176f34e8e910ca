"""Groups of nests and products as kernels: loops over the tasks' parts, and what lies between."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from bital.executors.loops.form import (
    INDEX,
    Body,
    Buffer,
    Index,
    Kernel,
    Load,
    Multiply,
    Store,
    Value,
    constant,
    index_of,
)
from bital.executors.loops.groups import Entry, Group, Product
from bital.executors.loops.nest import Bounds, Grid, Nest, collapse, in_row, print_nest

_WORK = 400_000  # statements times points: what one task should hold at least, about 20 us
_FAR = 12  # operations that it takes to read what lies anywhere
_TASKS = 64  # at most
_ROW = 256 << 10  # bytes of a row that a thread keeps for itself
_ROWS = 128  # of a product, that make a packed matrix worth while


class Kernels:
    """Makes kernels of the groups of one schedule.

    Parameters
    ----------
    outside : collection of Buffer
        Memory that others than `entries` read or write.
    """

    def __init__(
        self, grid: Grid, lanes: int, entries: Sequence[Entry], outside: Collection[Buffer]
    ) -> None:
        self.grid = grid
        self.lanes = lanes
        self.entries = entries
        self.outside = outside

    def kernel(self, group: Group) -> Kernel:
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
        self._by_rows(self._with_rows_of_its_own(group, group.nests, rows), body, rows, begin, end)
        return Kernel(name, tasks, task, body)

    def _by_rows(
        self, nests: Sequence[Nest], body: Body, rows: Value, begin: Value | int, end: Value | int
    ) -> None:
        with body.loop(end, begin, rows):
            for nest in nests:
                print_nest(self.grid, nest, body, (rows,), {}, self.lanes)

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
        indices = [product.left_index, product.right_index, Index()]
        for length, steps in reversed(product.turns):
            turn, place = _divided(body, turn, length)
            at = index_of(place)
            indices = [index + at * step for index, step in zip(indices, steps, strict=True)]
        out, stride = product.out, product.columns
        corner = indices[2] + index_of(bounds[0]) * stride + index_of(bounds[2])
        inside = bool(group.nests) and self._only_reader(group, product.out)
        if inside:
            stride = plan.columns_per_task
            out = Buffer(out.dtype, plan.rows_per_task * stride, "scratch", name="block")
            corner = Index()
        packing = Buffer(product.out.dtype, plan.scratch // out.dtype.itemsize, "scratch")
        body.add(
            Multiply(
                plan,
                product.left,
                indices[0],
                product.right,
                indices[1],
                out,
                corner,
                stride,
                bounds,
                packing,
            )
        )
        if inside:
            nests = [_from_block(nest, product, out, stride, bounds) for nest in group.nests]
        else:
            nests = group.nests
        if group.by_images:
            rows = self.grid.axis(0, product.images)
            ends = _block(body, row_block, together, product.images)
            self._by_rows(self._with_rows_of_its_own(group, nests, rows), body, rows, *ends)
            nests = []
        for nest in nests:
            limits: Bounds = {
                nest.axes[0]: (*bounds[:2], plan.rows_per_task),
                nest.axes[1]: (*bounds[2:], plan.columns_per_task),
            }
            print_nest(self.grid, nest, body, (), limits, self.lanes)
        names = ["product", *(nest.name for nest in group.nests)]
        return Kernel("_".join(names)[:60], plan.tasks * product.batch, task, body)

    def _with_rows_of_its_own(
        self, group: Group, nests: Sequence[Nest], rows: Value
    ) -> Sequence[Nest]:
        """The nests; what they alone read and write has memory for one row only, of each thread."""
        read = {buffer for nest in nests for buffer in nest.reads()}
        written = {buffer for nest in nests for buffer in nest.writes()}
        for buffer in sorted(read & written, key=lambda each: each.number):
            if buffer.place != "arena" or buffer.alias is not None or buffer in self.outside:
                continue
            if any(buffer in e.reads() | e.writes() for e in self.entries if e is not group):
                continue
            indices = [index for nest in nests for index in nest.places(buffer)]
            size = dict(indices[0].terms).get(rows, 0)
            if not 0 < size * buffer.dtype.itemsize <= _ROW or not all(
                in_row(self.grid, index, rows, size) for index in indices
            ):
                continue
            own = Buffer(buffer.dtype, size, "scratch", name=buffer.name)
            nests = [nest.moved(buffer, own, index_of(rows) * -size) for nest in nests]
        return nests

    def _only_reader(self, group: Group, buffer: Buffer) -> bool:
        others = (entry for entry in self.entries if entry is not group)
        return buffer.place == "arena" and not any(buffer in entry.reads() for entry in others)


def _tasks(grid: Grid, nests: Sequence[Nest]) -> int:
    return max(1, min(_TASKS, _work(grid, nests) // _WORK))


def _work(grid: Grid, nests: Sequence[Nest]) -> int:
    """Operations at all points; memory counts for more, and most where data say what is read."""
    work = 0
    for nest in nests:
        points = 1
        for axis in nest.axes:
            points *= grid.lengths[axis]
        for statement in nest.body.statements:
            cost = 4 if isinstance(statement, (Load, Store)) else 1
            if isinstance(statement, Load) and any(
                value not in grid.lengths for value, _ in statement.index.terms
            ):
                cost = _FAR
            work += points * cost
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


def _from_block(
    nest: Nest, product: Product, block: Buffer, stride: int, bounds: Sequence[Value]
) -> Nest:
    """The nest, reading a product from a thread's own block of it."""
    moved = index_of(bounds[0]) * -stride + index_of(bounds[2]) * -1
    if stride != product.columns:
        moved = moved + index_of(nest.axes[0]) * (stride - product.columns)
    return nest.moved(product.out, block, moved)
