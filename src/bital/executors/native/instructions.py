"""Operations as instructions: arithmetic, conversions, calls of the C library."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from bital.executors.loops.form import BOOL, Buffer, DType, Op, Statement, Value
from bital.executors.native.words import literal, scalar_type, suffix, wide, zero

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


class Operations:
    """The text of one function, and how operations are added to it."""

    def __init__(self, text: Text, names: dict[Buffer, str]) -> None:
        self.checks = False
        self.text = text
        self.names = names
        self.lines: list[str] = []
        self.env: dict[Value, tuple[str, int]] = {}  # value -> its text and lanes (0: uniform)
        self.lanes = 0  # of the loop that is being printed
        self.lane_index: Value | None = None
        self.base = ""  # the index of lane 0
        self.mask: str | None = None
        self.first_on: int | None = None  # how many lanes the mask leaves on, where that is known
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

    def _instruction(self, op: Op, dtype: DType, type: str, lanes: int, texts: list[str]) -> str:
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
            return self.emit(f"select {type} {texts[0]}, {branch} {texts[1]}, {branch} {texts[2]}")
        if name == "bitcast":
            return self.emit(
                f"bitcast {type} {texts[0]} to {wide(scalar_type(op.out.dtype), lanes)}"
            )
        if name == "convert":
            return self._convert(texts[0], dtype, op.out.dtype, lanes)
        if name == "mulhi":
            return self._high_half(texts, lanes)
        full = f"llvm.{_INTRINSICS[name]}.{suffix(dtype, lanes)}"
        function = self.text.declare(type, full, *[type] * len(texts))
        return self.emit(f"call {type} {function}({', '.join(f'{type} {t}' for t in texts)})")

    def _convert(self, text: str, old: DType, new: DType, lanes: int) -> str:
        source, target = (wide(scalar_type(each), lanes) for each in (old, new))
        if new == BOOL:
            if old.kind == "f":
                return self.emit(f"fcmp une {source} {text}, {zero(old, lanes)}")
            return self.emit(f"icmp ne {source} {text}, {zero(old, lanes)}")
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
        return self.emit(f"phi {wide(type, lanes)} [{fast}, %{before}], [{slow}, %{slow_label}]")
