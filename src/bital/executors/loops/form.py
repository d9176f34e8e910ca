"""The loop-nest form: scalar statements in loops over flat memory, and steps made of them.

It knows nothing of NumPy's shapes (`lowering` has resolved them into offsets) and nothing of LLVM
or C (printers read it). A loop may be a loop over lanes: its body means what it says for one
element, and a printer computes `lanes` of them at a time.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

DType = np.dtype[Any]
INDEX: DType = np.dtype(np.int64)
BOOL: DType = np.dtype(np.bool_)


# --- memory ---------------------------------------------------------------------------------


@dataclass(eq=False)
class Buffer:
    """A stretch of memory: `size` elements of one dtype.

    Attributes
    ----------
    place : str
        "argument", "result", "constant", "arena", or "scratch" (one stretch for each thread).
    position : int
        The number of the argument, result or constant; in arena and scratch, the byte offset.
    """

    dtype: DType
    size: int
    place: str = "arena"
    position: int = -1
    name: str = ""
    alias: Buffer | None = None
    # Sets of buffers come in any order: where it matters, in this one, the same in each process.
    number: int = field(default_factory=itertools.count().__next__)

    @property
    def root(self) -> Buffer:
        """The buffer whose memory this one is."""
        return self if self.alias is None else self.alias.root

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize


# --- values ---------------------------------------------------------------------------------


class Value:
    """A scalar: a constant, or what a statement of a `Body` computes.

    Python's operators build statements, so that formulas are written as formulas. A plain number
    beside a Value takes its dtype.
    """

    __slots__ = ("body", "constant", "dtype")

    def __init__(self, dtype: DType, body: Body | None, constant: Any = None) -> None:
        self.dtype = dtype
        self.body = body
        self.constant = constant

    def op(self, name: str, *others: Value | float, dtype: DType | None = None) -> Value:
        body = _current.body or self.body
        assert body is not None
        return body.op(name, self, *others, dtype=dtype)

    def __add__(self, other: Value | float) -> Value:
        return self.op("add", other)

    def __radd__(self, other: float) -> Value:
        return self.op("add", other)

    def __sub__(self, other: Value | float) -> Value:
        return self.op("sub", other)

    def __rsub__(self, other: float) -> Value:
        return constant(other, self.dtype).op("sub", self)

    def __mul__(self, other: Value | float) -> Value:
        return self.op("mul", other)

    def __rmul__(self, other: float) -> Value:
        return self.op("mul", other)

    def __truediv__(self, other: Value | float) -> Value:
        return self.op("div", other)

    def __rtruediv__(self, other: float) -> Value:
        return constant(other, self.dtype).op("div", self)

    def __neg__(self) -> Value:
        return self.op("neg")

    def __and__(self, other: Value | int) -> Value:
        return self.op("and", other)

    def __or__(self, other: Value | int) -> Value:
        return self.op("or", other)

    def __xor__(self, other: Value | int) -> Value:
        return self.op("xor", other)

    def __invert__(self) -> Value:
        return self.op("not")

    def __lshift__(self, other: Value | int) -> Value:
        return self.op("shl", other)

    def __rshift__(self, other: Value | int) -> Value:
        return self.op("shr", other)

    def __lt__(self, other: Value | float) -> Value:
        return self.op("lt", other, dtype=BOOL)

    def __le__(self, other: Value | float) -> Value:
        return self.op("le", other, dtype=BOOL)

    def __gt__(self, other: Value | float) -> Value:
        return self.op("gt", other, dtype=BOOL)

    def __ge__(self, other: Value | float) -> Value:
        return self.op("ge", other, dtype=BOOL)

    def equals(self, other: Value | float) -> Value:
        return self.op("eq", other, dtype=BOOL)

    def differs(self, other: Value | float) -> Value:
        """True where unequal, and where either is NaN."""
        return self.op("ne", other, dtype=BOOL)

    def convert(self, dtype: DType) -> Value:
        """The number in another dtype; to bool: whether it is not zero."""
        return self if dtype == self.dtype else self.op("convert", dtype=dtype)

    def bits(self, dtype: DType) -> Value:
        """The same bits as another dtype of the same width."""
        return self if dtype == self.dtype else self.op("bitcast", dtype=dtype)

    def where(self, yes: Value | float, no: Value | float) -> Value:
        """`yes` where this bool is true, else `no`. Both are computed."""
        dtype = yes.dtype if isinstance(yes, Value) else no.dtype  # type: ignore[union-attr]
        return self.op("select", as_value(yes, dtype), as_value(no, dtype), dtype=dtype)


def constant(value: Any, dtype: DType) -> Value:
    """A constant, wrapped into an integer dtype's range where it lies outside."""
    if dtype.kind in "iu" and isinstance(value, int):
        value = np.asarray(value & ((1 << 8 * dtype.itemsize) - 1), f"u{dtype.itemsize}").view(
            dtype
        )[()]
    return Value(dtype, None, dtype.type(value))


def as_value(value: Value | float, dtype: DType) -> Value:
    return value if isinstance(value, Value) else constant(value, dtype)


@dataclass(frozen=True)
class Index:
    """An offset in elements: ``offset + sum(factor * value)``."""

    terms: tuple[tuple[Value, int], ...] = ()
    offset: int = 0

    def __add__(self, other: Index | int) -> Index:
        if isinstance(other, int):
            return Index(self.terms, self.offset + other)
        factors = dict(self.terms)
        for value, factor in other.terms:
            factors[value] = factors.get(value, 0) + factor
        kept = tuple((value, factor) for value, factor in factors.items() if factor)
        return Index(kept, self.offset + other.offset)

    def __mul__(self, factor: int) -> Index:
        if factor == 0:
            return Index()
        return Index(tuple((v, f * factor) for v, f in self.terms), self.offset * factor)


def index_of(value: Value) -> Index:
    """An index that is one value."""
    if value.constant is not None:
        return Index((), int(value.constant))
    return Index(((value, 1),))


# --- statements -----------------------------------------------------------------------------

# What two sets of carried values are together.
Join = Callable[[Sequence[Value], Sequence[Value]], Sequence[Value]]


@dataclass(eq=False)
class Op:
    """``out = name(*operands)``. Names and meanings: docs/native.md."""

    out: Value
    name: str
    operands: tuple[Value, ...]


@dataclass(eq=False)
class Load:
    out: Value
    buffer: Buffer
    index: Index


@dataclass(eq=False)
class Store:
    buffer: Buffer
    index: Index
    value: Value


@dataclass(eq=False)
class Carry:
    """A value that a loop takes from turn to turn."""

    initial: Value
    inner: Value
    result: Value
    next: Value | None = None


@dataclass(eq=False)
class Loop:
    """``for index in range(begin, end)``, `lanes` at a time where that is not 0.

    In a loop over lanes each lane carries its own values; ``join`` makes one of two lanes':
    neighbours first, then neighbours of these, a fixed tree.
    """

    index: Value
    begin: Value
    end: Value
    lanes: int
    carries: list[Carry]
    body: list[Statement]
    join: Join | None = None
    whole: bool = False  # the number of turns is known to be a multiple of `lanes`


@dataclass(eq=False)
class Check:
    """Unless `condition` holds, the whole call fails with `site` and the two numbers."""

    condition: Value
    site: int
    value: Value
    position: Index


@dataclass(eq=False)
class Multiply:
    """A block of a matrix product, as `executors.native.product` computes it."""

    product: Any
    left: Buffer
    left_index: Index
    right: Buffer
    right_index: Index
    out: Buffer
    out_index: Index
    out_stride: int
    bounds: tuple[Value, Value, Value, Value]
    scratch: Buffer


Statement = Op | Load | Store | Loop | Check | Multiply


class Body:
    """Grows a list of statements; the innermost open loop receives what is added."""

    def __init__(self) -> None:
        self.statements: list[Statement] = []
        self._open = [self.statements]

    def value(self, dtype: DType) -> Value:
        return Value(dtype, self)

    def add(self, statement: Statement) -> None:
        self._open[-1].append(statement)

    def op(self, name: str, *operands: Value | float, dtype: DType | None = None) -> Value:
        """Append an operation; plain numbers take the dtype of the first Value."""
        first = next(o.dtype for o in operands if isinstance(o, Value))
        values = tuple(as_value(o, first) for o in operands)
        out = self.value(first if dtype is None else dtype)
        self.add(Op(out, name, values))
        return out

    def load(self, buffer: Buffer, index: Index) -> Value:
        out = self.value(buffer.dtype)
        self.add(Load(out, buffer, index))
        return out

    def store(self, buffer: Buffer, index: Index, value: Value) -> None:
        assert buffer.dtype == value.dtype
        self.add(Store(buffer, index, value))

    @contextmanager
    def in_use(self) -> Iterator[Body]:
        """Let operators on Values append here."""
        before, _current.body = _current.body, self
        try:
            yield self
        finally:
            _current.body = before

    @contextmanager
    def loop(
        self,
        end: int | Value,
        begin: int | Value = 0,
        index: Value | None = None,
        lanes: int = 0,
        carries: Sequence[Carry] = (),
        join: Join | None = None,
        whole: bool = False,
    ) -> Iterator[Value]:
        """Open a loop; set each carry's `next` inside."""
        index = index or self.value(INDEX)
        first, last = as_value(begin, INDEX), as_value(end, INDEX)
        made = Loop(index, first, last, lanes, list(carries), [], join, whole)
        self.add(made)
        self._open.append(made.body)
        try:
            yield index
        finally:
            self._open.pop()

    def carry(self, initial: Value) -> Carry:
        return Carry(initial, self.value(initial.dtype), self.value(initial.dtype))


class _Current(threading.local):
    body: Body | None = None


_current = _Current()

# --- steps ----------------------------------------------------------------------------------


@dataclass(eq=False)
class Kernel:
    """Statements that run once for each task; tasks touch no memory that another one writes.

    Attributes
    ----------
    name : str
        What it computes, for readers of the printed text.
    tasks : int
        How many; with 1 it runs in place.
    task : Value
        The number of the task, in the body.
    work : int
        Operations, roughly: what is little beside the rest need not be compiled with care.
    """

    name: str
    tasks: int
    task: Value
    body: Body
    work: int = 0  # operations, roughly

    def buffers(self) -> tuple[set[Buffer], set[Buffer]]:
        """Buffers that are read, and those that are written."""
        read: set[Buffer] = set()
        written: set[Buffer] = set()
        _touched(self.body.statements, read, written)
        return read, written


def _touched(statements: list[Statement], read: set[Buffer], written: set[Buffer]) -> None:
    for statement in statements:
        if isinstance(statement, Load):
            read.add(statement.buffer.root)
        elif isinstance(statement, Store):
            written.add(statement.buffer.root)
        elif isinstance(statement, Loop):
            _touched(statement.body, read, written)
        elif isinstance(statement, Multiply):
            read.update((statement.left.root, statement.right.root))
            written.update((statement.out.root, statement.scratch))


@dataclass(eq=False)
class While:
    """``while (condition steps; flag): body``.

    `lasting` are the buffers that one turn hands to the next, or to what comes after the loop.
    """

    condition: list[Step]
    flag: Buffer
    body: list[Step]
    lasting: set[Buffer]


@dataclass(eq=False)
class Branch:
    """``if flag: yes else: no``."""

    flag: Buffer
    yes: list[Step]
    no: list[Step]


@dataclass(eq=False)
class Host:
    """A function of NumPy arrays, called from inside: factorisations, Fourier transforms, sorting.

    Attributes
    ----------
    function : callable
        Takes an array for each operand, and gives a list of arrays, one for each result.
    operands : list of (Buffer, int, tuple of int) or scalar
        Memory, the first element's offset, and the shape; or a number.
    results : list of (Buffer, tuple of int)
    number : int
        Its place among the module's.
    """

    name: str
    function: Callable[..., Sequence[Any]]
    operands: list[Any]
    results: list[tuple[Buffer, tuple[int, ...]]]
    number: int

    def buffers(self) -> tuple[set[Buffer], set[Buffer]]:
        """Buffers that are read, and those that are written."""
        read = {each[0].root for each in self.operands if isinstance(each, tuple)}
        return read, {buffer.root for buffer, _ in self.results}


Step = Kernel | While | Branch | Host


_TINY = 2000  # operations


def kernels_of(steps: Sequence[Step]) -> Iterator[Kernel]:
    """All kernels, those inside of loops and branches too."""
    for step in steps:
        if isinstance(step, Kernel):
            yield step
        elif isinstance(step, While):
            yield from kernels_of(step.condition)
            yield from kernels_of(step.body)
        elif isinstance(step, Branch):
            yield from kernels_of(step.yes)
            yield from kernels_of(step.no)


@dataclass(eq=False)
class Site:
    """What to say where a check fails."""

    message: str
    source: Any
    shape: tuple[int, ...]


@dataclass
class Module:
    """A whole Program in the loop-nest form."""

    name: str
    arguments: list[Buffer] = field(default_factory=list)
    results: list[Buffer] = field(default_factory=list)
    argument_shapes: list[tuple[int, ...]] = field(default_factory=list)
    shapes: list[tuple[int, ...]] = field(default_factory=list)  # of the results
    constants: list[tuple[Buffer, Any]] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    hosts: list[Host] = field(default_factory=list)
    sites: list[Site] = field(default_factory=list)
    arena: int = 0  # bytes
    scratch: int = 0  # bytes a thread
    # For debugging: stretches of the arena that nobody may write to, and what lies next to them.
    zones: list[tuple[int, int, str]] | None = None

    @property
    def is_tiny(self) -> bool:
        """Whether there is so little to do that a call takes longer than what it computes."""
        if self.hosts or any(isinstance(step, While) for step in self.steps):
            return False
        return sum(kernel.work for kernel in kernels_of(self.steps)) < _TINY
