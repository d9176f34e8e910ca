"""From a Program to nests: what is computed where it is read, and what is kept in memory.

An elementwise equation that one other equation reads is not computed by itself: its formula is
put where it is read. What several read, what a product or an index needs, and every result is
stored in a buffer of its own; `schedule` merges the nests that store, and `arena` gives buffers
their places.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bital.executors.loops import scalar
from bital.executors.loops.form import (
    INDEX,
    Body,
    Buffer,
    Check,
    Host,
    Index,
    Module,
    Site,
    Value,
    index_of,
)
from bital.executors.loops.nest import Nest, Reduction
from bital.executors.loops.scalar import ELEMENTWISE, NotLowered
from bital.executors.loops.schedule import Schedule
from bital.executors.loops.storing import LAZY as LAZY
from bital.executors.loops.storing import VIEWS, last_uses, name_of, split_axes, stored_in
from bital.program import ArrayType, Atom, Equation, Literal, Program, Var

Indices = tuple[Index, ...]
ZERO = Index()


@dataclass(frozen=True)
class View:
    """Where a variable's elements lie: ``offset + sum(stride * index)`` in a buffer.

    `moving` adds numbers that lie in memory, each times a factor: the turn of a loop.
    """

    buffer: Buffer
    strides: tuple[int, ...]
    offset: int = 0
    moving: tuple[tuple[Buffer, int], ...] = ()


def row_major(shape: Sequence[int]) -> tuple[int, ...]:
    strides = [1] * len(shape)
    for place in range(len(shape) - 2, -1, -1):
        strides[place] = strides[place + 1] * shape[place + 1]
    return tuple(strides)


def is_dense(view: View, shape: Sequence[int]) -> bool:
    """Whether elements lie one after the other in NumPy's order."""
    wanted = row_major(shape)
    return all(
        length == 1 or stride == good
        for length, stride, good in zip(shape, view.strides, wanted, strict=True)
    )


# Lowers the equations that are neither elementwise nor views: (lowering, equation).
Rule = Callable[["Lowering", Equation], None]
RULES: dict[str, Rule] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    def register(function: Rule) -> Rule:
        for name in names:
            RULES[name] = function
        return function

    return register


class Lowering:
    """The nests of one Program, or of one that stands in a loop of another."""

    def __init__(
        self,
        program: Program,
        schedule: Schedule,
        module: Module,
        views: dict[Var, View],
        overwriting: Collection[Atom] = (),
    ) -> None:
        self.program = program
        self.schedule = schedule
        self.module = module
        self.grid = schedule.grid
        self.views = views
        self.made = {out: equation for equation in program.equations for out in equation.outputs}
        self.stored = stored_in(program, self.made)
        self.last_use = last_uses(program, self.stored)
        self._borrowed = {view.buffer for view in views.values()}
        schedule.outside |= self._borrowed
        self.overwriting = overwriting  # outputs that will be written over an input
        self.number = 0  # of the equation that is being lowered
        self.body = Body()
        self._memo: dict[Any, Value] = {}

    def run(self) -> None:
        for number, equation in enumerate(self.program.equations):
            self.number = number
            name = name_of(equation)
            try:
                if name in LAZY:
                    self._lazy(equation)
                elif name in RULES:
                    RULES[name](self, equation)
                else:
                    self._host(equation)
            except NotLowered as gap:
                place = f" ({equation.source})" if equation.source else ""
                raise NotLowered(f"{gap}{place}") from None

    # --- memory

    def buffer(self, type: ArrayType, name: str = "") -> Buffer:
        return Buffer(type.dtype, type.size, name=name)

    def new_view(self, var: Var, fresh: bool = True) -> View:
        """Dense memory for a variable."""
        view = View(self.buffer(var.type, var.name or ""), row_major(var.type.shape))
        self.views[var] = view
        return view

    def view(self, atom: Atom) -> View:
        """Where an atom lies; it is stored first if it has no place yet."""
        if isinstance(atom, Var) and (known := self.find_view(atom)) is not None:
            return known
        view = View(self.buffer(atom.type), row_major(atom.type.shape))
        self.store(atom, view, getattr(atom, "name", None) or "value")
        if isinstance(atom, Var):
            self.views[atom] = view
        return view

    def dense_view(self, atom: Atom) -> View:
        """The same, with elements one after the other."""
        view = self.view(atom)
        if is_dense(view, atom.type.shape) and view.buffer.dtype == atom.type.dtype:
            return view
        dense = View(self.buffer(atom.type), row_major(atom.type.shape))
        self.store(atom, dense, "copy")
        return dense

    def find_view(self, var: Var) -> View | None:
        """Where a variable lies, if it or what it is a view of has a place."""
        view = self.views.get(var)
        equation = self.made.get(var)
        if view is not None or equation is None or equation.primitive.name not in VIEWS:
            return view
        source = equation.inputs[0]
        inner = self.find_view(source) if isinstance(source, Var) else None
        if inner is None or (view := _seen_through(equation, inner)) is None:
            return None
        self.views[var] = view
        return view

    def owns(self, view: View) -> bool:
        """Whether a view's memory is of this Program's making and nobody reads it later."""
        buffer = view.buffer
        if buffer in self._borrowed or view.moving or buffer.place != "arena":
            return False
        return all(
            self.last_use.get(var, -1) <= self.number
            for var, other in self.views.items()
            if other.buffer is buffer
        )

    # --- nests

    def nest(self, name: str, late: bool = False) -> None:
        """Begin a nest: what is evaluated now belongs to it."""
        self._late = late
        self.body = Body()
        self._memo = {}
        self._name = name

    def store(self, atom: Atom, view: View, name: str) -> None:
        """A nest that computes an atom into a view."""
        shape = atom.type.shape
        if atom.type.size == 0:
            return
        self.nest(name, late=atom in self.overwriting)
        axes = self.grid.axes(shape)
        indices = tuple(ZERO if axis is None else index_of(axis) for axis in axes)
        value = self.value(atom, indices)
        self.body.store(view.buffer, self.offset(view, indices), value)
        self.add(tuple(axis for axis in axes if axis is not None))

    def add(
        self,
        axes: tuple[Value, ...],
        reduced: frozenset[Value] = frozenset(),
        reductions: Sequence[Reduction] = (),
    ) -> None:
        nest = Nest(self._name, axes, reduced, self.body, list(reductions))
        self.schedule.add(nest, self._late)

    def offset(self, view: View, indices: Indices) -> Index:
        total = Index((), view.offset)
        for stride, index in zip(view.strides, indices, strict=True):
            total = total + index * stride
        for buffer, factor in view.moving:
            total = total + index_of(self.body.load(buffer, ZERO)) * factor
        return total

    def _lazy(self, equation: Equation) -> None:
        """Keep the formula for later, unless the variable needs memory."""
        (out,) = equation.outputs
        if self.find_view(out) is not None:
            return
        x = equation.inputs[0]
        if (
            equation.primitive.name == "reshape"
            and split_axes(x.type.shape, out.type.shape) is None
        ):
            self.views[out] = View(self.dense_view(x).buffer, row_major(out.type.shape))
        elif out in self.stored:
            view = View(self.buffer(out.type, out.name or ""), row_major(out.type.shape))
            self.store(out, view, out.name or equation.primitive.name)
            self.views[out] = view

    def _host(self, equation: Equation) -> None:
        """Let NumPy compute an equation: on dense memory, as the primitive's reference says."""
        primitive = equation.primitive
        operands: list[Any] = []
        for atom in equation.inputs:
            if isinstance(atom, Literal):
                operands.append(np.asarray(atom.value, atom.type.dtype)[()])
                continue
            view = self.dense_view(atom)
            if view.moving:
                view = View(self.buffer(atom.type), row_major(atom.type.shape))
                self.store(atom, view, "copy")
            operands.append((view.buffer, view.offset, atom.type.shape))
        results = [(self.new_view(out).buffer, out.type.shape) for out in equation.outputs]
        function = functools.partial(primitive.reference, **equation.params)
        if not primitive.multiple_results:
            function = functools.partial(_as_list, function)
        host = Host(primitive.name, function, operands, results, len(self.module.hosts))
        self.module.hosts.append(host)
        self.schedule.add_step(host, *host.buffers())

    # --- values

    def value(self, atom: Atom, indices: Indices) -> Value:
        """The element at these indices, as a value of the current nest."""
        if isinstance(atom, Literal):
            return Value(atom.type.dtype, self.body, atom.value)
        key = atom, indices
        if key not in self._memo:
            view = self.find_view(atom)
            if view is not None:
                self._memo[key] = self.body.load(view.buffer, self.offset(view, indices))
            else:
                self._memo[key] = self._computed(self.made[atom], indices)
        return self._memo[key]

    def _computed(self, equation: Equation, indices: Indices) -> Value:
        name, inputs = equation.primitive.name, equation.inputs
        if name in ELEMENTWISE:
            operands = [self.value(x, _aligned(x.type.shape, indices)) for x in inputs]
            with self.body.in_use():
                return scalar.evaluate(name, equation.outputs[0].type.dtype, operands)
        if name == "gather":
            return self._gathered(equation, indices)
        return self.value(inputs[0], _before_view(equation, indices))

    def _gathered(self, equation: Equation, indices: Indices) -> Value:
        x, *pointers = equation.inputs
        window = len(pointers)
        lead = len(indices) - (x.type.ndim - window)
        found = self.checked_indices(equation, pointers, x.type.shape, indices[:lead])
        return self.value(x, (*found, *indices[lead:]))

    def checked_indices(
        self, equation: Equation, pointers: Sequence[Atom], shape: Sequence[int], at: Indices
    ) -> list[Index]:
        """Index arrays' elements, counted from the front and proved to lie inside."""
        result = []
        for axis, pointer in enumerate(pointers):
            own = _aligned(pointer.type.shape, at)
            raw = self.value(pointer, own)
            wide = raw.convert(INDEX)
            length = shape[axis]
            if pointer.type.dtype.kind == "i":
                wide = (wide < 0).where(wide + length, wide)
            self._check(equation, pointer, axis, length, wide, raw.convert(INDEX), own)
            result.append(index_of(wide))
        return result

    def _check(
        self,
        equation: Equation,
        pointer: Atom,
        axis: int,
        length: int,
        wide: Value,
        raw: Value,
        own: Indices,
    ) -> None:
        good = wide.bits(np.dtype(np.uint64)) < length
        position = ZERO
        for stride, index in zip(row_major(pointer.type.shape), own, strict=True):
            position = position + index * stride
        message = f"out of bounds for axis {axis} with size {length}"
        site = Site(message, equation.source, pointer.type.shape)
        self.module.sites.append(site)
        self.body.add(Check(good, len(self.module.sites) - 1, raw, position))


def _as_list(function: Callable[..., Any], *operands: Any) -> list[Any]:
    return [function(*operands)]


# --- views ----------------------------------------------------------------------------------


def _aligned(shape: tuple[int, ...], indices: Indices) -> Indices:
    """Indices of an operand that broadcasts to the shape that `indices` go through."""
    last = indices[len(indices) - len(shape) :]
    return tuple(ZERO if n == 1 else i for n, i in zip(shape, last, strict=True))


def _before_view(equation: Equation, indices: Indices) -> Indices:
    """Indices into a view's operand."""
    name, params = equation.primitive.name, equation.params
    shape = equation.inputs[0].type.shape
    if name == "barrier":
        return indices
    if name == "broadcast_to":
        return _aligned(shape, indices)
    if name == "transpose":
        result = [ZERO] * len(shape)
        for place, axis in enumerate(params["permutation"]):
            result[axis] = indices[place]
        return tuple(result)
    if name == "slice":
        steps = zip(params["start"], params["step"], indices, strict=True)
        return tuple(index * step + start for start, step, index in steps)
    if name == "windows":
        result = list(indices[: len(shape)])
        within = zip(params["axes"], params["strides"], params["dilations"], strict=True)
        for inner, (axis, stride, by) in zip(indices[len(shape) :], within, strict=True):
            result[axis] = result[axis] * stride + inner * by
        return tuple(result)
    split = split_axes(shape, equation.outputs[0].type.shape)
    assert split is not None
    return tuple(_total(indices, places) for places in split)


def _total(indices: Indices, places: Sequence[tuple[int, int]]) -> Index:
    total = ZERO
    for place, stride in places:
        total = total + indices[place] * stride
    return total


def _seen_through(equation: Equation, view: View) -> View | None:
    """A view of a view; None for a reshape that no strides describe."""
    name, params = equation.primitive.name, equation.params
    shape, out = equation.inputs[0].type.shape, equation.outputs[0].type.shape
    if name == "barrier":
        return view
    if name == "transpose":
        return replace(view, strides=tuple(view.strides[a] for a in params["permutation"]))
    if name == "broadcast_to":
        lead = len(out) - len(shape)
        kept = [0 if n == 1 else s for n, s in zip(shape, view.strides, strict=True)]
        return replace(view, strides=(*(0,) * lead, *kept))
    if name == "slice":
        moved = sum(s * f for s, f in zip(view.strides, params["start"], strict=True))
        strides = tuple(s * f for s, f in zip(view.strides, params["step"], strict=True))
        return replace(view, strides=strides, offset=view.offset + moved)
    if name == "windows":
        steps = list(view.strides)
        for axis, by in zip(params["axes"], params["strides"], strict=True):
            steps[axis] *= by
        pairs = zip(params["axes"], params["dilations"], strict=True)
        return replace(view, strides=(*steps, *(view.strides[a] * by for a, by in pairs)))
    if is_dense(view, shape):
        return replace(view, strides=row_major(out))
    split = split_axes(shape, out)
    if split is None:
        return None
    strides_out = [0] * len(out)
    for stride, places in zip(view.strides, split, strict=True):
        for place, factor in places:
            strides_out[place] = stride * factor
    return replace(view, strides=tuple(strides_out))
