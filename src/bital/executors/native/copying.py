"""Operands of matrix products that no two strides describe, copied part by part, as LLVM IR text.

Rows and columns of such an operand each go through several axes: windows of an image have rows
(image, y, x) and columns (y, x, channel) within the window. What a block needs next is copied into
a small matrix that stays in the cache, in runs along the last axis of either side, so that the
product reads it as any other; the whole matrix is never in memory.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from string import Template

from bital.executors.native.tiles import Shape

Axes = tuple[tuple[int, int], ...]  # (length, stride in elements) of each, the last one fastest
_STRAIGHT = 32  # vectors: longer runs are copied by a loop


@dataclass(frozen=True)
class Map:
    """Where the elements of an operand lie.

    Attributes
    ----------
    free, inner : tuple of (int, int)
        The axes that the product keeps, and those that it sums over.
    along : bool
        Whether copies have the elements of the inner axes side by side.
    """

    free: Axes
    inner: Axes

    @property
    def along(self) -> bool:
        runs = [(axes[-1][1] == 1) * axes[-1][0] if axes else 1 for axes in (self.inner, self.free)]
        return runs[0] >= min(runs[1], 16)


def merged(axes: Sequence[tuple[int, int]]) -> Axes:
    """The same axes, neighbours made one where a stride steps through both."""
    result: list[tuple[int, int]] = []
    for length, stride in axes:
        if length == 1:
            continue
        if result and result[-1][1] == length * stride:
            result[-1] = result[-1][0] * length, stride
        else:
            result.append((length, stride))
    return tuple(result)


# Element (u, v) goes to ``to + u * pitch + v``; v goes in runs of `length` elements.
_COPY = """
define internal void @$name(ptr noalias %x, i64 %f.0, i64 %f.n, i64 %p.0, i64 %p.n, ptr noalias %to)
    noinline nounwind "no-builtins" {
entry:
  %v.end = add i64 %$v.0, %$v.n
  br label %row
row:
  %u = phi i64 [ 0, %entry ], [ %u.next, %row.next ]
  %t.row = phi ptr [ %to, %entry ], [ %t.row.next, %row.next ]
  %u.here = add i64 %u, %$u.0
$outer
  %s.row = getelementptr i8, ptr %x, i64 %u.at
  br label %run
run:
  %v = phi i64 [ %$v.0, %row ], [ %v.next, %run.next ]
  %t = phi ptr [ %t.row, %row ], [ %t.next, %run.next ]
  %q = udiv i64 %v, $length
  %r = urem i64 %v, $length
$within
  %r.at = mul i64 %r, $step
  %s.at = add i64 %q.at, %r.at
  %s = getelementptr i8, ptr %s.row, i64 %s.at
  %left = sub i64 $length, %r
  %rest = sub i64 %v.end, %v
  %n = call i64 @llvm.smin.i64(i64 %left, i64 %rest)
  %is.whole = icmp eq i64 %n, $whole
  br i1 %is.whole, label %whole, label %wide
whole:
$straight
wide:
  %k = phi i64 [ 0, %run ], [ %k.next, %wide.in ]
  %k.next = add i64 %k, $lanes
  %enough = icmp sle i64 %k.next, $n_dense
  br i1 %enough, label %wide.in, label %few
wide.in:
  %ws = getelementptr $element, ptr %s, i64 %k
  %wt = getelementptr $element, ptr %t, i64 %k
  %w = load $vector, ptr %ws, align $size
  store $vector %w, ptr %wt, align $size
  br label %wide
few:
  %f = phi i64 [ %k, %wide ], [ %f.next, %few.in ]
  %f.next = add i64 %f, 1
  %some = icmp slt i64 %f, %n
  br i1 %some, label %few.in, label %run.next
few.in:
  %fs.at = mul i64 %f, $step
  %fs = getelementptr i8, ptr %s, i64 %fs.at
  %ft = getelementptr $element, ptr %t, i64 %f
  %e = load $element, ptr %fs, align $size
  store $element %e, ptr %ft, align $size
  br label %few
run.next:
  %v.next = add i64 %v, %n
  %t.next = getelementptr $element, ptr %t, i64 %n
  %v.more = icmp slt i64 %v.next, %v.end
  br i1 %v.more, label %run, label %row.next
row.next:
  %u.next = add i64 %u, 1
  %t.row.next = getelementptr i8, ptr %t.row, i64 $pitch
  %u.more = icmp slt i64 %u.next, %$u.n
  br i1 %u.more, label %row, label %done
done:
  ret void
}
"""


def print_copy(map: Map, shape: Shape, name: str, pitch: int) -> str:
    """The function that copies a part of an operand.

    ``void @name(ptr x, i64 f0, i64 fn, i64 p0, i64 pn, ptr to)`` copies `fn` elements of the free
    axes from `f0` on, times `pn` elements of the inner axes from `p0` on. `pitch` is how many
    bytes lie between copied rows.
    """
    outer, inner = (map.free, map.inner) if map.along else (map.inner, map.free)
    *rest, (length, stride) = inner or ((1, 1),)
    straight = stride == 1 and length <= _STRAIGHT * shape.lanes
    words = {
        "name": name,
        "u": "f" if map.along else "p",
        "v": "p" if map.along else "f",
        "outer": _offset("u", "%u.here", outer, shape.size),
        "within": _offset("q", "%q", rest, shape.size),
        "length": str(length),
        "step": str(stride * shape.size),
        "pitch": str(pitch),
        "n_dense": "%n" if stride == 1 else "-1",
        "whole": str(length if straight else -1),
        "straight": _straight(length, shape.lanes) if straight else "  unreachable",
    }
    return shape.fill(Template(_COPY).safe_substitute(words).replace("\n    noinline", " noinline"))


def _offset(name: str, number: str, axes: Sequence[tuple[int, int]], size: int) -> str:
    """Bytes from the first element to that of this number, as ``%name.at``."""
    lines, total = [], "0"
    below = math.prod(length for length, _ in axes)
    for place, (length, stride) in enumerate(axes):
        below //= length
        here = f"%{name}.{place}"
        lines += [f"  {here}.q = udiv i64 {number}, {below}"]
        if place:
            lines += [f"  {here}.r = urem i64 {here}.q, {length}"]
        lines += [
            f"  {here}.b = mul i64 {here}.{'r' if place else 'q'}, {stride * size}",
            f"  {here}.t = add i64 {total}, {here}.b",
        ]
        total = f"{here}.t"
    lines.append(f"  %{name}.at = add i64 {total}, 0")
    return "\n".join(lines)


def _straight(length: int, lanes: int) -> str:
    """A whole run in vectors, the last of them over the one before where the length asks for it."""
    width = lanes
    while width > length:
        width //= 2
    type = f"<{width} x $element>" if width > 1 else "$element"
    lines = []
    for number, start in enumerate([*range(0, length - width, width), length - width]):
        lines += [
            f"  %x{number}.s = getelementptr $element, ptr %s, i64 {start}",
            f"  %x{number}.t = getelementptr $element, ptr %t, i64 {start}",
            f"  %x{number} = load {type}, ptr %x{number}.s, align $size",
            f"  store {type} %x{number}, ptr %x{number}.t, align $size",
        ]
    return "\n".join([*lines, "  br label %run.next"])
