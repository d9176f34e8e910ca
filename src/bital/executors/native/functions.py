"""Loops as blocks of instructions: plain ones, and those over lanes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from bital.executors.loops.form import Body, Carry, Load, Loop, Statement, Store, Value
from bital.executors.native.accesses import Accesses
from bital.executors.native.words import scalar_type, wide


class Function(Accesses):
    """Statements of one kernel as instructions.

    A loop over lanes is printed twice: whole vectors, and what is left under a mask.
    """

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
            self.first_on = on = int(end) - int(begin)
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
        self.mask = self.first_on = None
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


def _touches_narrow(statements: Sequence[Statement]) -> bool:
    """Whether elements of less than 32 bits are loaded or stored."""
    return any(
        _touches_narrow(statement.body)
        if isinstance(statement, Loop)
        else isinstance(statement, (Load, Store)) and statement.buffer.dtype.itemsize < 4
        for statement in statements
    )
