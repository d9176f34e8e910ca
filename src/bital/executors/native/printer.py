"""The loop-nest form as LLVM IR text.

A kernel becomes one function of its buffers; memory reaches it through one table of pointers. A
loop over lanes is printed twice: whole vectors, and what is left under a mask.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bital.executors.loops.form import (
    BOOL,
    INDEX,
    Body,
    Branch,
    Buffer,
    Carry,
    Check,
    Copy,
    DType,
    Index,
    Kernel,
    Load,
    Loop,
    Module,
    Multiply,
    Op,
    Step,
    Statement,
    Store,
    Value,
    While,
    kernels_of,
)
from bital.executors.native import product

# Slots of the table of pointers that every function takes.
STATUS, ARENA, SCRATCH, PARALLEL, FIRST_BUFFER = range(5)

_COLD = 400  # a kernel with less than this part of the work is not optimised: that saves time

_FLOATS = {2: "half", 4: "float", 8: "double"}
_BINARY = {  # operation -> instruction for floats, signed and unsigned integers
    "add": ("fadd", "add", "add"),
    "sub": ("fsub", "sub", "sub"),
    "mul": ("fmul", "mul", "mul"),
    "div": ("fdiv", "sdiv", "udiv"),
    "rem": ("frem", "srem", "urem"),
    "and": ("", "and", "and"),
    "or": ("", "or", "or"),
    "xor": ("", "xor", "xor"),
    "shl": ("", "shl", "shl"),
    "shr": ("", "ashr", "lshr"),
    "eq": ("fcmp oeq", "icmp eq", "icmp eq"),
    "ne": ("fcmp une", "icmp ne", "icmp ne"),
    "lt": ("fcmp olt", "icmp slt", "icmp ult"),
    "le": ("fcmp ole", "icmp sle", "icmp ule"),
    "gt": ("fcmp ogt", "icmp sgt", "icmp ugt"),
    "ge": ("fcmp oge", "icmp sge", "icmp uge"),
}
_INTRINSICS = {
    "abs": "fabs",
    "sqrt": "sqrt",
    "floor": "floor",
    "ceil": "ceil",
    "trunc": "trunc",
    "rint": "roundeven",
    "fma": "fma",
    "copysign": "copysign",
}


def scalar_type(dtype: DType) -> str:
    """The LLVM type of an element in a register."""
    if dtype.kind == "f":
        return _FLOATS[dtype.itemsize]
    return "i1" if dtype.kind == "b" else f"i{8 * dtype.itemsize}"


def memory_type(dtype: DType) -> str:
    return "i8" if dtype.kind == "b" else scalar_type(dtype)


def wide(type: str, lanes: int) -> str:
    return f"<{lanes} x {type}>" if lanes else type


def literal(value: Any, dtype: DType) -> str:
    """A number in LLVM's notation, to the last bit."""
    if dtype.kind == "b":
        return "true" if value else "false"
    if dtype.kind in "iu":
        return str(int(value))
    if dtype.itemsize == 2:
        return f"0xH{np.float16(value).view(np.uint16):04X}"
    if dtype.itemsize == 4 and math.isnan(value):
        return "0x7FF8000000000000"
    return f"0x{np.float64(value).view(np.uint64):016X}"


def _suffix(dtype: DType, lanes: int) -> str:
    letter = f"f{8 * dtype.itemsize}" if dtype.kind == "f" else scalar_type(dtype)
    return f"v{lanes}{letter}" if lanes else letter


@dataclass(frozen=True)
class Layout:
    """Byte offsets in NumPy's objects.

    Attributes
    ----------
    data, flags : int
        In an array: the pointer to its elements, and its flags.
    wanted : int
        The flags that an array must have.
    scalar : int
        In a NumPy scalar: its value.
    """

    data: int
    flags: int
    wanted: int
    scalar: int


@dataclass
class Text:
    """The module's text: functions so far, and what they refer to."""

    functions: list[str] = field(default_factory=list)
    declarations: set[str] = field(default_factory=set)
    products: dict[Any, str] = field(default_factory=dict)
    labels: Iterator[int] = field(default_factory=itertools.count)

    def declare(self, result: str, name: str, *parameters: str) -> str:
        self.declarations.add(f"declare {result} @{name}({', '.join(parameters)})")
        return f"@{name}"


class _Function:
    """Statements of one kernel as instructions."""

    def __init__(self, text: Text, names: dict[Buffer, str]) -> None:
        self.checks = False
        self.text = text
        self.names = names
        self.lines: list[str] = []
        self.env: dict[Value, tuple[str, int]] = {}  # value -> its text and lanes (0: uniform)
        self.lanes = 0  # of the loop that is being printed
        self.lane_index: Value | None = None
        self.mask: str | None = None
        self.block = "entry"
        self.count = itertools.count()

    # --- small tools

    def emit(self, instruction: str) -> str:
        name = f"%v{next(self.count)}"
        self.lines.append(f"  {name} = {instruction}")
        return name

    def run(self, instruction: str) -> None:
        self.lines.append(f"  {instruction}")

    def label(self, name: str) -> None:
        self.lines.append(f"{name}:")
        self.block = name

    def fresh_label(self, what: str) -> str:
        return f"{what}{next(self.text.labels)}"

    def lanes_of(self, values: Sequence[Value]) -> int:
        return max((self.env[v][1] for v in values if v.constant is None), default=0)

    def read(self, value: Value, lanes: int) -> str:
        """A value's text, spread over lanes where it is uniform and `lanes` is not 0."""
        type = scalar_type(value.dtype)
        if value.constant is not None:
            number = literal(value.constant, value.dtype)
            return f"splat ({type} {number})" if lanes else number
        if value is self.lane_index and lanes:
            return self._lane_numbers()
        text, has = self.env[value]
        return self.spread(text, type, lanes) if lanes and not has else text

    def _lane_numbers(self) -> str:
        """The index of the loop, of each lane."""
        numbers = ", ".join(f"i64 {lane}" for lane in range(self.lanes))
        spread = self.spread(self.base, "i64", self.lanes)
        return self.emit(f"add nsw {wide('i64', self.lanes)} {spread}, <{numbers}>")

    def spread(self, text: str, type: str, lanes: int) -> str:
        first = self.emit(f"insertelement {wide(type, lanes)} poison, {type} {text}, i64 0")
        return self.emit(
            f"shufflevector {wide(type, lanes)} {first}, {wide(type, lanes)} poison, "
            f"<{lanes} x i32> zeroinitializer"
        )

    # --- statements

    def statements(self, statements: Sequence[Statement]) -> None:
        for statement in statements:
            getattr(self, f"_{type(statement).__name__.lower()}")(statement)

    def _op(self, op: Op) -> None:
        lanes = self.lanes_of(op.operands)
        if op.name.startswith(("call:", "rare:")):
            self.env[op.out] = self._library(op, lanes), lanes
            return
        dtype = op.operands[0].dtype
        type = wide(scalar_type(dtype), lanes)
        texts = [self.read(operand, lanes) for operand in op.operands]
        self.env[op.out] = self._instruction(op, dtype, type, lanes, texts), lanes

    def _instruction(
        self, op: Op, dtype: DType, type: str, lanes: int, texts: list[str]
    ) -> str:
        name, kind = op.name, "fiu".find("u" if dtype.kind == "b" else dtype.kind)
        if name in _BINARY:
            return self.emit(f"{_BINARY[name][kind]} {type} {texts[0]}, {texts[1]}")
        if name == "neg":
            if kind == 0:
                return self.emit(f"fneg {type} {texts[0]}")
            return self.emit(f"sub {type} {'zeroinitializer' if lanes else 0}, {texts[0]}")
        if name == "not":
            ones = "true" if dtype == BOOL else "-1"
            other = f"splat ({scalar_type(dtype)} {ones})" if lanes else ones
            return self.emit(f"xor {type} {texts[0]}, {other}")
        if name == "select":
            branch = wide(scalar_type(op.out.dtype), lanes)
            return self.emit(
                f"select {type} {texts[0]}, {branch} {texts[1]}, {branch} {texts[2]}"
            )
        if name == "bitcast":
            return self.emit(f"bitcast {type} {texts[0]} to {wide(scalar_type(op.out.dtype), lanes)}")
        if name == "convert":
            return self._convert(texts[0], dtype, op.out.dtype, lanes)
        if name == "mulhi":
            return self._high_half(texts, lanes)
        full = f"llvm.{_INTRINSICS[name]}.{_suffix(dtype, lanes)}"
        function = self.text.declare(type, full, *[type] * len(texts))
        return self.emit(f"call {type} {function}({', '.join(f'{type} {t}' for t in texts)})")

    def _convert(self, text: str, old: DType, new: DType, lanes: int) -> str:
        source, target = (wide(scalar_type(each), lanes) for each in (old, new))
        if new == BOOL:
            if old.kind == "f":
                return self.emit(f"fcmp une {source} {text}, {_zero(old, lanes)}")
            return self.emit(f"icmp ne {source} {text}, {_zero(old, lanes)}")
        if old.kind == "f" and new.kind == "f":
            word = "fpext" if new.itemsize > old.itemsize else "fptrunc"
        elif old.kind == "f":
            return self._whole(text, source, new, lanes)
        elif new.kind == "f":
            word = "sitofp" if old.kind == "i" else "uitofp"
        elif new.itemsize > old.itemsize or old == BOOL:
            word = "sext" if old.kind == "i" else "zext"
        elif new.itemsize < old.itemsize:
            word = "trunc"
        else:
            return text
        return self.emit(f"{word} {source} {text} to {target}")

    def _high_half(self, texts: list[str], lanes: int) -> str:
        """The upper 64 bits of a product of two uint64."""
        narrow, double = wide("i64", lanes), wide("i128", lanes)
        a, b = (self.emit(f"zext {narrow} {text} to {double}") for text in texts)
        full = self.emit(f"mul nuw {double} {a}, {b}")
        amount = "splat (i128 64)" if lanes else "64"
        upper = self.emit(f"lshr {double} {full}, {amount}")
        return self.emit(f"trunc {double} {upper} to {narrow}")

    def _whole(self, text: str, source: str, new: DType, lanes: int) -> str:
        """A float cut to an integer; out of range it is whatever the machine's cut gives."""
        bits = max(8 * new.itemsize, 32) if new.kind == "i" else 64 if new.itemsize > 2 else 32
        word = "fptoui" if new.kind == "u" and new.itemsize == 8 else "fptosi"
        wider = wide(f"i{bits}", lanes)
        cut = self.emit(f"{word} {source} {text} to {wider}")
        whole = self.emit(f"freeze {wider} {cut}")
        if bits == 8 * new.itemsize:
            return whole
        return self.emit(f"trunc {wider} {whole} to {wide(scalar_type(new), lanes)}")

    def _library(self, op: Op, lanes: int) -> str:
        """A function of the C library, lane by lane; if "rare:", for the lanes that need it."""
        dtype = op.out.dtype
        type = scalar_type(dtype)
        rare = op.name.startswith("rare:")
        operands = op.operands[2:] if rare else op.operands
        name = op.name[5:] + ("f" if dtype.itemsize == 4 else "")
        function = self.text.declare(type, name, *[type] * len(operands))
        if rare:
            return self._rarely(op, lanes, function, type)
        texts = [self.read(operand, lanes) for operand in operands]
        if not lanes:
            return self.emit(f"call {type} {function}({', '.join(f'{type} {t}' for t in texts)})")
        return self._lane_by_lane(function, type, texts, lanes)

    def _lane_by_lane(self, function: str, type: str, texts: list[str], lanes: int) -> str:
        result = "poison"
        for lane in range(lanes):
            parts = [
                self.emit(f"extractelement {wide(type, lanes)} {text}, i64 {lane}")
                for text in texts
            ]
            one = self.emit(f"call {type} {function}({', '.join(f'{type} {p}' for p in parts)})")
            result = self.emit(
                f"insertelement {wide(type, lanes)} {result}, {type} {one}, i64 {lane}"
            )
        return result

    def _rarely(self, op: Op, lanes: int, function: str, type: str) -> str:
        condition, fast, *texts = (self.read(operand, lanes) for operand in op.operands)
        slow_label, done = self.fresh_label("rare"), self.fresh_label("usual")
        needed = condition
        if lanes:
            full = f"llvm.vector.reduce.or.v{lanes}i1"
            reduce = self.text.declare("i1", full, wide("i1", lanes))
            needed = self.emit(f"call i1 {reduce}({wide('i1', lanes)} {condition})")
        before = self.block
        self.run(f"br i1 {needed}, label %{slow_label}, label %{done}, !prof !0")
        self.label(slow_label)
        if lanes:
            slow = self._lane_by_lane(function, type, texts, lanes)
            full_type, bits = wide(type, lanes), wide("i1", lanes)
            slow = self.emit(f"select {bits} {condition}, {full_type} {slow}, {full_type} {fast}")
        else:
            arguments = ", ".join(f"{type} {text}" for text in texts)
            slow = self.emit(f"call {type} {function}({arguments})")
        self.run(f"br label %{done}")
        self.label(done)
        return self.emit(
            f"phi {wide(type, lanes)} [{fast}, %{before}], [{slow}, %{slow_label}]"
        )

    # --- memory

    def _offset(self, index: Index) -> tuple[str, int | None]:
        """The offset of lane 0, and the step from lane to lane; None if it is irregular."""
        step: int | None = 0
        text = ""
        for value, factor in index.terms:
            if value is self.lane_index:
                step = factor if step == 0 else step
            elif self.env[value][1]:
                step = None
        if step is None:
            return self._lane_offsets(index), None
        for value, factor in index.terms:
            part, _ = self.env[value]
            if value is self.lane_index:
                part = self.base
            if factor != 1:
                part = self.emit(f"mul nsw i64 {part}, {factor}")
            text = part if not text else self.emit(f"add nsw i64 {text}, {part}")
        if not text:
            return str(index.offset), step
        if index.offset:
            text = self.emit(f"add nsw i64 {text}, {index.offset}")
        return text, step

    def _lane_offsets(self, index: Index) -> str:
        type, text = wide("i64", self.lanes), f"splat (i64 {index.offset})"
        for value, factor in index.terms:
            part = self.read(value, self.lanes)
            if factor != 1:
                part = self.emit(f"mul {type} {part}, splat (i64 {factor})")
            text = self.emit(f"add {type} {text}, {part}")
        return text

    def address(self, buffer: Buffer, offset: str) -> str:
        return self.emit(
            f"getelementptr inbounds {memory_type(buffer.dtype)}, ptr {self.names[buffer.root]}, "
            f"i64 {offset}"
        )

    def _lane_addresses(self, buffer: Buffer, offset: str, step: int | None) -> str:
        lanes = self.lanes
        if step is not None:
            steps = ", ".join(f"i64 {step * lane}" for lane in range(lanes))
            first = self.spread(offset, "i64", lanes)
            offset = self.emit(f"add {wide('i64', lanes)} {first}, <{steps}>")
        return self.emit(
            f"getelementptr inbounds {memory_type(buffer.dtype)}, ptr {self.names[buffer.root]}, "
            f"{wide('i64', lanes)} {offset}"
        )

    def _active(self) -> str:
        return self.mask or "splat (i1 true)"

    def _load(self, load: Load) -> None:
        dtype, lanes = load.buffer.dtype, self.lanes
        offset, step = self._offset(load.index)
        type, align = memory_type(dtype), dtype.itemsize
        vector, bits = wide(type, lanes), wide("i1", lanes)
        if step == 0:
            text = self.emit(f"load {type}, ptr {self.address(load.buffer, offset)}, align {align}")
            lanes = 0
        elif step == 1:
            place = self.address(load.buffer, offset)
            if self.mask is None:
                text = self.emit(f"load {vector}, ptr {place}, align {align}")
            else:
                full = f"llvm.masked.load.{_memory_suffix(dtype, lanes)}.p0"
                function = self.text.declare(vector, full, "ptr", "i32", bits, vector)
                text = self.emit(
                    f"call {vector} {function}(ptr {place}, i32 {align}, {bits} {self.mask}, "
                    f"{vector} zeroinitializer)"
                )
        else:
            places = self._lane_addresses(load.buffer, offset, step)
            pointers = wide("ptr", lanes)
            full = f"llvm.masked.gather.{_memory_suffix(dtype, lanes)}.v{lanes}p0"
            function = self.text.declare(vector, full, pointers, "i32", bits, vector)
            text = self.emit(
                f"call {vector} {function}({pointers} {places}, i32 {align}, "
                f"{bits} {self._active()}, {vector} zeroinitializer)"
            )
        if dtype == BOOL:
            text = self.emit(f"icmp ne {wide('i8', lanes)} {text}, {_zero(np.dtype('i1'), lanes)}")
        self.env[load.out] = text, lanes

    def _store(self, store: Store) -> None:
        dtype, lanes = store.buffer.dtype, self.lanes
        offset, step = self._offset(store.index)
        if step == 0 and lanes:
            raise AssertionError("all lanes would store to one place")
        text = self.read(store.value, lanes)
        if dtype == BOOL:
            text = self.emit(f"zext {wide('i1', lanes)} {text} to {wide('i8', lanes)}")
        type, align = memory_type(dtype), dtype.itemsize
        vector, bits = wide(type, lanes), wide("i1", lanes)
        if step in (0, 1) and self.mask is None:
            place = self.address(store.buffer, offset)
            self.run(f"store {vector} {text}, ptr {place}, align {align}")
        elif step == 1:
            place = self.address(store.buffer, offset)
            full = f"llvm.masked.store.{_memory_suffix(dtype, lanes)}.p0"
            function = self.text.declare("void", full, vector, "ptr", "i32", bits)
            self.run(
                f"call void {function}({vector} {text}, ptr {place}, i32 {align}, "
                f"{bits} {self.mask})"
            )
        else:
            places = self._lane_addresses(store.buffer, offset, step)
            pointers = wide("ptr", lanes)
            full = f"llvm.masked.scatter.{_memory_suffix(dtype, lanes)}.v{lanes}p0"
            function = self.text.declare("void", full, vector, pointers, "i32", bits)
            self.run(
                f"call void {function}({vector} {text}, {pointers} {places}, i32 {align}, "
                f"{bits} {self._active()})"
            )

    def _check(self, check: Check) -> None:
        self.checks = True
        lanes = self.lanes_of((check.condition, check.value))
        good = self.read(check.condition, lanes)
        if lanes:
            bits = wide("i1", lanes)
            bad = self.emit(f"xor {bits} {good}, splat (i1 true)")
            if self.mask is not None:
                bad = self.emit(f"and {bits} {bad}, {self.mask}")
            function = self.text.declare("i1", f"llvm.vector.reduce.or.v{lanes}i1", bits)
            failed = self.emit(f"call i1 {function}({bits} {bad})")
        else:
            bad, failed = "", self.emit(f"xor i1 {good}, true")
        fail, go_on = self.fresh_label("fail"), self.fresh_label("checked")
        self.run(f"br i1 {failed}, label %{fail}, label %{go_on}, !prof !0")
        self.label(fail)
        value = self.read(check.value, lanes)
        numbers = [value, self._lane_offsets(check.position) if lanes else self._offset(check.position)[0]]
        if lanes:
            number = self.emit(f"bitcast {wide('i1', lanes)} {bad} to i{lanes}")
            count = self.text.declare(f"i{lanes}", f"llvm.cttz.i{lanes}", f"i{lanes}", "i1")
            lane = self.emit(f"call i{lanes} {count}(i{lanes} {number}, i1 true)")
            vector = wide("i64", lanes)
            numbers = [
                self.emit(f"extractelement {vector} {each}, i{lanes} {lane}") for each in numbers
            ]
        for slot, number in enumerate([str(check.site + 1), *numbers]):
            place = self.emit(f"getelementptr i64, ptr %status, i64 {slot}")
            self.run(f"store i64 {number}, ptr {place}")
        self.run("ret void")
        self.label(go_on)

    def _multiply(self, step: Multiply) -> None:
        name = self.text.products.setdefault(step.product, f"product{len(self.text.products)}")
        pointers = []
        for buffer, index in (
            (step.left, step.left_index),
            (step.right, step.right_index),
            (step.out, step.out_index),
        ):
            pointers.append(f"ptr {self.address(buffer, self._offset(index)[0])}")
        bounds = [f"i64 {self.read(bound, 0)}" for bound in step.bounds]
        scratch = f"ptr {self.names[step.scratch.root]}"
        arguments = ", ".join([*pointers, f"i64 {step.out_stride}", *bounds, scratch])
        self.run(f"call void @{name}({arguments})")

    # --- loops

    def _loop(self, loop: Loop) -> None:
        if loop.lanes:
            self._lane_loop(loop)
            return
        begin, end = self.read(loop.begin, 0), self.read(loop.end, 0)
        lanes = dict.fromkeys(loop.carries, self.lanes)  # inside of lanes each has its own
        initial = [self.read(carry.initial, lanes[carry]) for carry in loop.carries]
        with self._turns(begin, end, 1, loop.carries, lanes, initial) as index:
            self.env[loop.index] = index, 0
            self.statements(loop.body)
        for carry in loop.carries:
            self.env[carry.result] = self.env[carry.inner]

    @contextmanager
    def _turns(
        self,
        begin: str,
        end: str,
        step: int,
        carries: Sequence[Carry],
        lanes: dict[Carry, int],
        initial: Sequence[str],
    ) -> Iterator[str]:
        """A counted loop around what is printed inside; carries' inner values are known there."""
        head, body, after = (self.fresh_label(word) for word in ("head", "body", "after"))
        before = self.block
        self.run(f"br label %{head}")
        self.label(head)
        index = f"%v{next(self.count)}"
        place = len(self.lines)
        for carry in carries:
            self.env[carry.inner] = f"%v{next(self.count)}", lanes[carry]
        more = self.emit(f"icmp slt i64 {index}, {end}")
        self.run(f"br i1 {more}, label %{body}, label %{after}")
        self.label(body)
        outer = dict(self.env)
        yield index
        next_index = self.emit(f"add nsw i64 {index}, {step}")
        nexts = [self._next(carry, lanes[carry]) for carry in carries]
        self.run(f"br label %{head}")
        phis = [f"  {index} = phi i64 [{begin}, %{before}], [{next_index}, %{self.block}]"]
        for carry, first, following in zip(carries, initial, nexts, strict=True):
            type = wide(scalar_type(carry.inner.dtype), lanes[carry])
            name = outer[carry.inner][0]
            phis.append(f"  {name} = phi {type} [{first}, %{before}], [{following}, %{self.block}]")
        self.lines[place:place] = phis
        self.env = outer
        self.label(after)

    def _next(self, carry: Carry, lanes: int) -> str:
        assert carry.next is not None
        return self.read(carry.next, lanes)

    def _lane_loop(self, loop: Loop) -> None:
        assert not self.lanes
        lanes = self.lanes = loop.lanes
        self.lane_index = loop.index
        carries = loop.carries
        widths = dict.fromkeys(carries, lanes)
        begin, end = self.read(loop.begin, 0), self.read(loop.end, 0)
        known = None
        if loop.begin.constant is not None and loop.end.constant is not None:
            known = max(int(loop.end.constant) - int(loop.begin.constant), 0)
        current = [self.read(carry.initial, lanes) for carry in carries]
        rest_begin = begin
        if known is None or known >= lanes:
            if known is None:
                count = self.emit(f"sub nsw i64 {end}, {begin}")
                rest = self.emit(f"srem i64 {count}, {lanes}")
                whole_end = self.emit(f"sub nsw i64 {end}, {rest}")
            else:
                whole_end = str(int(loop.begin.constant) + known - known % lanes)
            with self._turns(begin, whole_end, lanes, carries, widths, current) as index:
                self._lane_body(loop, index)
            current = [self.env[carry.inner][0] for carry in carries]
            rest_begin = whole_end
        narrow = _touches_narrow(loop.body)
        if loop.whole or (known is not None and known % lanes == 0):
            pass
        elif narrow:
            self._one_by_one(loop, rest_begin, end, current)
            return
        elif known is None:
            current = self._maybe_rest(loop, rest_begin, end, current)
        else:
            current = self._rest(loop, rest_begin, end, current)
        self.lanes, self.lane_index = 0, None
        self._merge(loop, current)

    def _one_by_one(self, loop: Loop, begin: str, end: str, current: list[str]) -> None:
        """What is left without a mask: machines have none for elements of less than 32 bits."""
        self.lanes, self.lane_index = 0, None
        self._merge(loop, current)
        initial = [self.read(carry.result, 0) for carry in loop.carries]
        widths = dict.fromkeys(loop.carries, 0)
        with self._turns(begin, end, 1, loop.carries, widths, initial) as index:
            self.env[loop.index] = index, 0
            self.statements(loop.body)
        for carry in loop.carries:
            self.env[carry.result] = self.env[carry.inner]

    def _lane_body(self, loop: Loop, index: str) -> None:
        self.base = index
        self.env[loop.index] = index, loop.lanes
        self.statements(loop.body)

    def _rest(self, loop: Loop, begin: str, end: str, current: list[str]) -> list[str]:
        """The last turn, in which some lanes are off: they keep what they carry."""
        lanes, bits = loop.lanes, wide("i1", loop.lanes)
        outer = dict(self.env)
        if end.isdigit() and begin.isdigit():
            on = int(end) - int(begin)
            self.mask = f"<{', '.join(f'i1 {int(lane < on)}' for lane in range(lanes))}>"
        else:
            left = self.emit(f"sub nsw i64 {end}, {begin}")
            number = self.emit(f"trunc i64 {left} to i32")
            numbers = ", ".join(f"i32 {lane}" for lane in range(lanes))
            limit = self.spread(number, "i32", lanes)
            self.mask = self.emit(f"icmp slt {wide('i32', lanes)} <{numbers}>, {limit}")
        for carry, text in zip(loop.carries, current, strict=True):
            self.env[carry.inner] = text, lanes
        self._lane_body(loop, begin)
        results = []
        for carry, text in zip(loop.carries, current, strict=True):
            type = wide(scalar_type(carry.inner.dtype), lanes)
            new = self._next(carry, lanes)
            results.append(self.emit(f"select {bits} {self.mask}, {type} {new}, {type} {text}"))
        self.mask = None
        self.env = outer
        return results

    def _maybe_rest(self, loop: Loop, begin: str, end: str, current: list[str]) -> list[str]:
        rest, done = self.fresh_label("rest"), self.fresh_label("done")
        more = self.emit(f"icmp slt i64 {begin}, {end}")
        before = self.block
        self.run(f"br i1 {more}, label %{rest}, label %{done}")
        self.label(rest)
        results = self._rest(loop, begin, end, current)
        last = self.block
        self.run(f"br label %{done}")
        self.label(done)
        return [
            self.emit(
                f"phi {wide(scalar_type(carry.inner.dtype), loop.lanes)} "
                f"[{old}, %{before}], [{new}, %{last}]"
            )
            for carry, old, new in zip(loop.carries, current, results, strict=True)
        ]

    def _merge(self, loop: Loop, texts: list[str]) -> None:
        """Join neighbours, then neighbours of these, and so on: a fixed tree."""
        lanes = loop.lanes
        types = [scalar_type(carry.inner.dtype) for carry in loop.carries]
        while lanes > 1 and loop.carries:
            lanes //= 2
            body = Body()
            sides: list[list[Value]] = []
            for side in (0, 1):
                picks = ", ".join(f"i32 {2 * lane + side}" for lane in range(lanes))
                sides.append([body.value(carry.inner.dtype) for carry in loop.carries])
                for value, type, text in zip(sides[side], types, texts, strict=True):
                    vector = wide(type, 2 * lanes)
                    self.env[value] = (
                        self.emit(
                            f"shufflevector {vector} {text}, {vector} poison, "
                            f"<{lanes} x i32> <{picks}>"
                        ),
                        lanes,
                    )
            assert loop.join is not None
            with body.in_use():
                joined = loop.join(*sides)
            self.statements(body.statements)
            texts = [self.read(value, lanes) for value in joined]
        for carry, type, text in zip(loop.carries, types, texts, strict=True):
            one = self.emit(f"extractelement {wide(type, 1)} {text}, i64 0")
            self.env[carry.result] = one, 0


def _zero(dtype: DType, lanes: int) -> str:
    if lanes:
        return "zeroinitializer"
    return "0.0" if dtype.kind == "f" else "0"


def _touches_narrow(statements: Sequence[Statement]) -> bool:
    """Whether elements of less than 32 bits are loaded or stored."""
    return any(
        _touches_narrow(statement.body)
        if isinstance(statement, Loop)
        else isinstance(statement, (Load, Store)) and statement.buffer.dtype.itemsize < 4
        for statement in statements
    )


def _memory_suffix(dtype: DType, lanes: int) -> str:
    return f"v{lanes}i8" if dtype == BOOL else _suffix(dtype, lanes)


# --- modules --------------------------------------------------------------------------------


def print_module(module: Module, shared: Callable[[str], str], layout: Layout) -> str:
    """The whole text: kernels, the tasks that find their memory, and ``@run``.

    Parameters
    ----------
    module : Module
    shared : callable
        Declares, for the name of a dtype, what its matrix products call.
    layout : Layout
        Where Python's objects have their memory.
    """
    text = Text()
    printer = _Module(module, text, layout)
    printer.run()
    names = sorted({each.dtype.name for each in text.products})
    support = "\n".join(shared(name) for name in names)
    text.functions += [product.print_product(plan, name) for plan, name in text.products.items()]
    body = "\n".join([support, *text.functions])
    wanted = sorted(
        line
        for line in text.declarations
        if f"@{line.partition('@')[2].partition('(')[0]}(" not in support
    )
    return "\n".join([*wanted, "", body, '!0 = !{!"branch_weights", i32 1, i32 4000}', ""])


class _Module:
    def __init__(self, module: Module, text: Text, layout: Layout) -> None:
        self.layout = layout
        self.module = module
        self.text = text
        self.kernels = 0
        self.lines: list[str] = []
        first = FIRST_BUFFER
        self.slots: dict[tuple[str, int], int] = {}
        for place, count in (
            ("argument", len(module.arguments)),
            ("result", len(module.results)),
            ("constant", len(module.constants)),
        ):
            for position in range(count):
                self.slots[place, position] = first
                first += 1
        self.count = itertools.count()

    def run(self) -> None:
        self.work = sum(kernel.work for kernel in kernels_of(self.module.steps))
        self._steps(self.module.steps)
        lines = ["define void @run(ptr %table, ptr %objects) {", *self._entry(), *self.lines]
        self.text.functions.append("\n".join([*lines, "  ret void", "}", ""]))

    def _entry(self) -> list[str]:
        """Fill the table with where arrays and scalars have their elements.

        An array that is not contiguous or not aligned ends the call with a status of its own.
        """
        lines = ["entry:", *_from_table("%status", STATUS), *_from_table("%parallel", PARALLEL)]
        flags = []
        places = [buffer.place for buffer in self.module.results]
        shapes = [*self.module.argument_shapes, *self.module.shapes]
        for number, shape in enumerate(shapes):
            result = number - len(self.module.arguments)
            if result >= 0 and (places[result] == "argument" or not shape):
                continue
            name = f"%object{number}"
            lines.append(f"  {name}.entry = getelementptr ptr, ptr %objects, i64 {number}")
            lines.append(f"  {name} = load ptr, ptr {name}.entry")
            if shape:
                lines.append(f"  {name}.at = getelementptr i8, ptr {name}, i64 {self.layout.data}")
                lines.append(f"  {name}.data = load ptr, ptr {name}.at")
                lines.append(f"  {name}.is = getelementptr i8, ptr {name}, i64 {self.layout.flags}")
                lines.append(f"  {name}.flags = load i32, ptr {name}.is")
                flags.append(f"{name}.flags")
            else:
                lines.append(
                    f"  {name}.data = getelementptr i8, ptr {name}, i64 {self.layout.scalar}"
                )
            place = FIRST_BUFFER + number
            lines.append(f"  {name}.slot = getelementptr ptr, ptr %table, i64 {place}")
            lines.append(f"  store ptr {name}.data, ptr {name}.slot")
        common = str(self.layout.wanted)
        for number, flag in enumerate(flags):
            lines.append(f"  %common{number} = and i32 {common}, {flag}")
            common = f"%common{number}"
        return [
            *lines,
            f"  %good = icmp eq i32 {common}, {self.layout.wanted}",
            "  br i1 %good, label %start, label %refuse",
            "refuse:",
            "  store i64 -1, ptr %status",
            "  ret void",
            "start:",
        ]

    def _steps(self, steps: Sequence[Step]) -> None:
        for step in steps:
            getattr(self, f"_{type(step).__name__.lower()}")(step)

    def _kernel(self, kernel: Kernel) -> None:
        number = self.kernels
        self.kernels += 1
        read, written = kernel.buffers()
        buffers = list(dict.fromkeys([*read, *written]))
        buffers.sort(key=lambda b: (b.place, b.position, b.name))
        names = {buffer: f"%b{index}" for index, buffer in enumerate(buffers)}
        function = _Function(self.text, names)
        function.env[kernel.task] = "%task", 0
        function.statements(kernel.body.statements)
        name = f"{_word(kernel.name)}.{number}"
        pointers = [line for b in buffers for line in self._pointer(b, names[b])]
        care = " noinline optnone" if kernel.work * _COLD < self.work else ""
        lines = [
            f"define internal void @{name}(ptr %table, i64 %task, i64 %slot){care} {{",
            "entry:",
            *(_from_table("%status", STATUS) if function.checks else ()),
            *pointers,
            *function.lines,
            "  ret void",
            "}",
            "",
        ]
        self.text.functions.append("\n".join(lines))
        if kernel.tasks == 1:
            self.lines.append(f"  call void @{name}(ptr %table, i64 0, i64 0)")
        else:
            self.lines.append(
                f"  call void %parallel(ptr @{name}, ptr %table, i64 {kernel.tasks})"
            )
        if function.checks:
            self._return_if_failed()

    def _pointer(self, buffer: Buffer, name: str) -> list[str]:
        buffer = buffer.root
        if buffer.place == "arena":
            lines, offset = _from_table(f"{name}.base", ARENA), str(buffer.position)
        elif buffer.place == "scratch":
            lines, offset = _from_table(f"{name}.base", SCRATCH), f"{name}.offset"
            lines.append(f"  {name}.slot = mul i64 %slot, {self.module.scratch}")
            lines.append(f"  {offset} = add i64 {name}.slot, {buffer.position}")
        else:
            return _from_table(name, self.slots[buffer.place, buffer.position])
        return [*lines, f"  {name} = getelementptr i8, ptr {name}.base, i64 {offset}"]

    def _return_if_failed(self) -> None:
        number = next(self.count)
        self.lines += [
            f"  %site{number} = load i64, ptr %status",
            f"  %failed{number} = icmp ne i64 %site{number}, 0",
            f"  br i1 %failed{number}, label %failure{number}, label %fine{number}",
            f"failure{number}:",
            "  ret void",
            f"fine{number}:",
        ]

    def _place(self, buffer: Buffer) -> str:
        name = f"%m{next(self.count)}"
        self.lines += self._pointer(buffer, name)
        return name

    def _copy(self, copy: Copy) -> None:
        self.text.declare("void", "llvm.memmove.p0.p0.i64", "ptr", "ptr", "i64", "i1")
        source, target = self._place(copy.source), self._place(copy.target)
        self.lines.append(
            f"  call void @llvm.memmove.p0.p0.i64(ptr {target}, ptr {source}, "
            f"i64 {copy.source.nbytes}, i1 false)"
        )

    def _test(self, flag: Buffer, yes: str, no: str) -> None:
        place, number = self._place(flag), next(self.count)
        self.lines += [
            f"  %flag{number} = load i8, ptr {place}",
            f"  %set{number} = icmp ne i8 %flag{number}, 0",
            f"  br i1 %set{number}, label %{yes}, label %{no}",
        ]

    def _while(self, loop: While) -> None:
        number = next(self.count)
        head, body, after = (f"{word}{number}" for word in ("while", "do", "done"))
        self.lines += [f"  br label %{head}", f"{head}:"]
        self._steps(loop.condition)
        self._test(loop.flag, body, after)
        self.lines.append(f"{body}:")
        self._steps(loop.body)
        self.lines += [f"  br label %{head}", f"{after}:"]

    def _branch(self, branch: Branch) -> None:
        number = next(self.count)
        yes, no, after = (f"{word}{number}" for word in ("yes", "no", "joined"))
        self._test(branch.flag, yes, no)
        for label, steps in ((yes, branch.yes), (no, branch.no)):
            self.lines.append(f"{label}:")
            self._steps(steps)
            self.lines.append(f"  br label %{after}")
        self.lines.append(f"{after}:")


def _from_table(name: str, slot: int) -> list[str]:
    return [
        f"  {name}.entry = getelementptr ptr, ptr %table, i64 {slot}",
        f"  {name} = load ptr, ptr {name}.entry",
    ]


def _word(name: str) -> str:
    return re.sub(r"\W", "_", name) or "kernel"
