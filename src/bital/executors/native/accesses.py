"""Loads, stores, checks and products as instructions."""

from __future__ import annotations

import numpy as np

from bital.executors.loops.form import BOOL, Buffer, Check, Index, Load, Multiply, Store
from bital.executors.native.instructions import Operations
from bital.executors.native.words import memory_suffix, memory_type, wide, zero


class Accesses(Operations):
    """How memory is read and written: side by side, in steps, or wherever each lane points."""

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
                full = f"llvm.masked.load.{memory_suffix(dtype, lanes)}.p0"
                function = self.text.declare(vector, full, "ptr", "i32", bits, vector)
                text = self.emit(
                    f"call {vector} {function}(ptr {place}, i32 {align}, {bits} {self.mask}, "
                    f"{vector} zeroinitializer)"
                )
        else:
            places = self._lane_addresses(load.buffer, offset, step)
            pointers = wide("ptr", lanes)
            full = f"llvm.masked.gather.{memory_suffix(dtype, lanes)}.v{lanes}p0"
            function = self.text.declare(vector, full, pointers, "i32", bits, vector)
            text = self.emit(
                f"call {vector} {function}({pointers} {places}, i32 {align}, "
                f"{bits} {self._active()}, {vector} zeroinitializer)"
            )
        if dtype == BOOL:
            text = self.emit(f"icmp ne {wide('i8', lanes)} {text}, {zero(np.dtype('i1'), lanes)}")
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
        elif step == 1 and self.first_on is not None:
            self._store_pieces(self.address(store.buffer, offset), vector, type, text, align)
        elif step == 1:
            place = self.address(store.buffer, offset)
            full = f"llvm.masked.store.{memory_suffix(dtype, lanes)}.p0"
            function = self.text.declare("void", full, vector, "ptr", "i32", bits)
            self.run(
                f"call void {function}({vector} {text}, ptr {place}, i32 {align}, "
                f"{bits} {self.mask})"
            )
        else:
            places = self._lane_addresses(store.buffer, offset, step)
            pointers = wide("ptr", lanes)
            full = f"llvm.masked.scatter.{memory_suffix(dtype, lanes)}.v{lanes}p0"
            function = self.text.declare("void", full, vector, pointers, "i32", bits)
            self.run(
                f"call void {function}({vector} {text}, {pointers} {places}, i32 {align}, "
                f"{bits} {self._active()})"
            )

    def _store_pieces(self, place: str, vector: str, type: str, text: str, align: int) -> None:
        """The first lanes in pieces, powers of two: masked stores are slow on AMD's processors."""
        assert self.first_on is not None
        begin, left = 0, self.first_on
        while left:
            size = 1 << (left.bit_length() - 1)
            picks = ", ".join(f"i32 {begin + lane}" for lane in range(size))
            piece = self.emit(
                f"shufflevector {vector} {text}, {vector} poison, <{size} x i32> <{picks}>"
            )
            at = self.emit(f"getelementptr inbounds {type}, ptr {place}, i64 {begin}")
            self.run(f"store {wide(type, size)} {piece}, ptr {at}, align {align}")
            begin, left = begin + size, left - size

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
        numbers = [
            value,
            self._lane_offsets(check.position) if lanes else self._offset(check.position)[0],
        ]
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
