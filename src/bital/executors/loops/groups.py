"""What a kernel is made of: a product, nests that go through the same rows, or a step as it is."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from bital.executors.loops.form import Body, Buffer, Index, Load, Step, Value
from bital.executors.loops.nest import Nest


@dataclass(eq=False)
class Product:
    """A matrix product, repeated over a batch.

    Attributes
    ----------
    plan : ProductPlan
        How one product is cut into tasks.
    left, right : (Buffer, Index)
        The first elements.
    turns : tuple of (int, (int, int, int))
        The axes of the batch: how long each is, and what a turn of it adds to the three offsets.
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
    turns: tuple[tuple[int, tuple[int, ...]], ...] = ()
    images: int = 1
    body: Body = field(default_factory=Body)  # loads that the indices need

    @property
    def batch(self) -> int:
        """How many."""
        return math.prod(length for length, _ in self.turns)


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
