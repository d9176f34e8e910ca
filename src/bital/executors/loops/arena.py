"""Where buffers live: what nobody reads is not stored, and the rest shares one arena by time."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from bital.executors.loops.form import (
    Buffer,
    Host,
    Kernel,
    Loop,
    Module,
    Statement,
    Step,
    Store,
    While,
    kernels_of,
)

_ALIGNMENT = 64  # bytes: a cache line, and the widest vector register
_ZONE = 64  # bytes that nobody may write to, round every buffer where BITAL_RED_ZONES=1


def plan(module: Module) -> None:
    """Drop dead stores, then give every buffer of arena and scratch its offset."""
    live = {buffer for step in module.steps for buffer in _read(step)}
    for kernel in kernels_of(module.steps):
        kernel.body.statements[:] = _without_dead_stores(kernel.body.statements, live)
    spans: dict[Buffer, tuple[int, int]] = {}
    _times(module.steps, 0, spans)
    arena = {b: span for b, span in spans.items() if b.place == "arena"}
    if os.environ.get("BITAL_RED_ZONES") == "1":
        module.zones = []
        module.arena = _fence(arena, module.zones)
    else:
        module.arena = _pack(arena)
    for kernel in kernels_of(module.steps):
        offset = 0
        for buffer in _scratch(kernel):
            buffer.position = offset
            offset += _aligned(buffer.nbytes)
        module.scratch = max(module.scratch, offset)


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def _read(step: Step) -> set[Buffer]:
    if isinstance(step, (Kernel, Host)):
        return step.buffers()[0]
    inner = [*step.condition, *step.body] if isinstance(step, While) else [*step.yes, *step.no]
    return {step.flag.root, *(buffer for each in inner for buffer in _read(each))}


def _without_dead_stores(statements: list[Statement], live: set[Buffer]) -> list[Statement]:
    kept = []
    for statement in statements:
        if isinstance(statement, Store):
            buffer = statement.buffer.root
            if buffer.place == "arena" and buffer not in live:
                continue
        elif isinstance(statement, Loop):
            statement.body[:] = _without_dead_stores(statement.body, live)
        kept.append(statement)
    return kept


def _scratch(kernel: Kernel) -> list[Buffer]:
    touched = set.union(*kernel.buffers())
    return sorted((b for b in touched if b.place == "scratch"), key=lambda b: b.number)


def _times(steps: Sequence[Step], time: int, spans: dict[Buffer, tuple[int, int]]) -> int:
    """Enter when each buffer is first and last touched; return the time after the steps."""

    def touch(buffer: Buffer) -> None:
        first, _ = spans.get(buffer.root, (time, time))
        spans[buffer.root] = first, time

    for step in steps:
        if isinstance(step, (Kernel, Host)):
            for buffer in sorted(set.union(*step.buffers()), key=lambda buffer: buffer.number):
                touch(buffer)
        elif isinstance(step, While):
            begin, outer = time, dict(spans)
            inner: dict[Buffer, tuple[int, int]] = {}
            time = _times(step.condition, time, inner)
            time += 1
            inner.setdefault(step.flag.root, (begin, time))
            time = _times(step.body, time, inner) + 1
            _join_loop(spans, outer, inner, begin, time, step)
        else:
            touch(step.flag)
            time = _times(step.yes, time + 1, spans)
            time = _times(step.no, time + 1, spans)
        time += 1
    return time


def _join_loop(
    spans: dict[Buffer, tuple[int, int]],
    outer: dict[Buffer, tuple[int, int]],
    inner: dict[Buffer, tuple[int, int]],
    begin: int,
    end: int,
    loop: While,
) -> None:
    """What only one turn knows lives within it; all else lives as long as the loop."""
    lasting = {buffer.root for buffer in loop.lasting}
    for buffer, (first, last) in inner.items():
        if buffer in outer:
            spans[buffer] = outer[buffer][0], end
        elif buffer in lasting or buffer is loop.flag.root:
            spans[buffer] = begin, end
        else:
            spans[buffer] = first, last


def _pack(spans: dict[Buffer, tuple[int, int]]) -> int:
    """Offsets, the largest buffer first, each the lowest that no buffer of its time holds."""
    placed: list[tuple[int, int, int, int]] = []  # begin, end in bytes; first, last in time
    total = 0
    order = sorted(spans, key=lambda b: (-b.nbytes, spans[b]))
    for buffer in order:
        first, last = spans[buffer]
        offset, size = 0, _aligned(buffer.nbytes)
        for begin, end, since, until in sorted(placed):
            if since <= last and first <= until and begin < offset + size and offset < end:
                offset = end
        buffer.position = offset
        placed.append((offset, offset + size, first, last))
        total = max(total, offset + size)
    return total


def _fence(buffers: Iterable[Buffer], zones: list[tuple[int, int, str]]) -> int:
    """Offsets for debugging: memory of its own for every buffer, and zones between them."""
    end = _ZONE
    zones.append((0, end, "the first buffer of the arena"))
    for buffer in buffers:
        buffer.position = end
        behind = end + buffer.nbytes
        end = _aligned(behind) + _ZONE
        name = f"{buffer.name or 'a buffer'} ({buffer.size} elements of {buffer.dtype})"
        zones.append((behind, end, f"{name} at byte {buffer.position} of the arena"))
    return end
