"""The order of work: nests merged into groups, groups into kernels.

A group is a list of nests that go through the same rows (the first axis): they run one after the
other row by row, so that what one writes the next finds in the cache. Nests over the same points
are merged into one. A matrix product may carry a group that is computed block by block right
after it (its epilogue).
"""

from __future__ import annotations

from bital.executors.loops.form import Buffer, Check, Index, Step, Value
from bital.executors.loops.groups import Entry, Fixed, Group, Product
from bital.executors.loops.kernels import Kernels
from bital.executors.loops.nest import Grid, Nest, in_row

_WIDEST = 1024  # columns of a product that goes by images
_IMAGES = 4  # that make enough tasks
_WINDOW = 12  # how many entries a nest is moved up at most


class Schedule:
    """Collects nests and other steps in an order in which each finds what it reads."""

    def __init__(self, grid: Grid, lanes: int) -> None:
        self.grid = grid
        self.lanes = lanes
        self.entries: list[Entry] = []
        self.outside: set[Buffer] = set()  # memory that others than the entries know

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
        if product.batch != 1 or product.images < _IMAGES or product.columns > _WIDEST:
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
            in_row(self.grid, load.index, rows, size)
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
                if not all(
                    in_row(self.grid, each, rows, stride) for each in (index, stores[buffer])
                ):
                    return False
        return not (nest.writes() & other.reads())

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
        printer = Kernels(self.grid, self.lanes, self.entries, self.outside)
        return [
            entry.step if isinstance(entry, Fixed) else printer.kernel(entry)
            for entry in self.entries
        ]
