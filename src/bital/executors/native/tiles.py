"""The functions that all matrix products of one dtype share, as LLVM IR text.

Strides are in bytes, for any layout. A panel is `width` columns (two vectors) of an operand, row
after row; a tile is a few rows of A times a panel, its sums in registers.
"""

from __future__ import annotations

from string import Template
from typing import Any

import numpy as np

from bital.executors.native.packing import print_pack

VECTORS = 2  # to a panel's row
_DEEP = 4096  # elements of two vectors that are summed at a time


class Shape:
    """Sizes and words of one dtype's functions.

    Attributes
    ----------
    lanes, width : int
        Elements of a vector, and columns of a panel.
    rows : int
        The most rows of a tile: as many as leave its sums in registers, of which there are 16
        where vectors have 32 bytes, else 32.
    """

    def __init__(self, dtype: np.dtype[Any], vector_bytes: int) -> None:
        self.size = dtype.itemsize
        self.lanes = vector_bytes // self.size
        self.width = VECTORS * self.lanes
        self.row = self.width * self.size  # bytes
        self.rows = 6 if vector_bytes == 32 else 8
        element = {4: "float", 8: "double"}[self.size]
        self._words = {
            "p": f"{dtype.name}x{self.lanes}",
            "element": element,
            "vector": f"<{self.lanes} x {element}>",
            "fma": f"@llvm.fmuladd.v{self.lanes}f{8 * self.size}",
            "one_fma": f"@llvm.fmuladd.f{8 * self.size}",
            "size": self.size,
            "lanes": self.lanes,
            "four": 4 * self.lanes,
            "deep": _DEEP,
            "width": self.width,
            "width_less": self.width - 1,
            "row": self.row,
            "row_end": self.row - 1,
            "align": vector_bytes,
            "rows": self.rows,
            "functions": 2 * self.rows,
            "rows_less": self.rows - 1,
        }

    def panels(self, columns: int) -> int:
        return -(-columns // self.width)

    def fill(self, text: str) -> str:
        return Template(text).substitute(self._words)


def print_functions(shape: Shape, linkage: str) -> str:
    """The text; what a product calls has this linkage, the rest is internal."""
    tiles = [(vectors, height) for vectors in (1, 2) for height in range(1, shape.rows + 1)]
    parts = [
        _insert(_HEAD, tiles=", ".join(f"ptr @$p.tile{height}x{v}" for v, height in tiles)),
        *(_print_tile(height, vectors) for vectors, height in tiles),
        print_pack(shape.lanes),
        _MERGE,
        _BLOCK,
        _print_dots(shape.lanes),
    ]
    text = shape.fill(_insert("\n".join(parts), linkage=linkage))
    return text.replace(",\n    ", ", ").replace(")\n    noinline", ") noinline")  # one line a head


def _insert(text: str, **parts: str) -> str:
    return Template(text).safe_substitute(parts)


# --- the tile -------------------------------------------------------------------------------

_HEAD = """
@$p.tiles = internal constant [$functions x ptr] [$tiles]
@$p.zeros = internal constant [$width x $element] zeroinitializer, align $row
"""

# ``c = old + a b``, k >= 1. Rows of A are addressed from every third one; two and three times their
# stride are parameters, which keeps the compiler from chaining all of these additions up.
_TILE = """
define internal void @$p.tile${height}x$vectors(i64 %k, ptr noalias %a, i64 %a.row, i64 %a.column,
    ptr noalias %b, i64 %b.row, ptr %c, i64 %c.row, ptr %old, i64 %old.row,
    i64 %a.two, i64 %a.three) noinline nounwind optsize {
entry:
$before
  br label %loop
loop:
  %left = phi i64 [ %k, %entry ], [ %left.next, %loop ]
  %pb = phi ptr [ %b, %entry ], [ %pb.next, %loop ]
$phis
$body
  %pb.next = getelementptr i8, ptr %pb, i64 %b.row
  %left.next = add nsw i64 %left, -1
  %more = icmp ne i64 %left.next, 0
  br i1 %more, label %loop, label %done
done:
$after
  ret void
}
"""


def _print_tile(rows: int, vectors: int) -> str:
    before, phis, body, after = [], [], [], []
    for j in range(vectors):
        body += [
            f"  %pb{j} = getelementptr $vector, ptr %pb, i64 {j}",
            f"  %b{j} = load $vector, ptr %pb{j}, align $size",
        ]
    for i in range(rows):
        if i % 3 == 0:
            start = f"%p{i - 3}.start, i64 %a.three" if i else "%a, i64 0"
            before.append(f"  %p{i}.start = getelementptr i8, ptr {start}")
            phis.append(f"  %p{i} = phi ptr [ %p{i}.start, %entry ], [ %p{i}.next, %loop ]")
            body.append(f"  %p{i}.next = getelementptr i8, ptr %p{i}, i64 %a.column")
        before += [  # C's lines, which are needed when the sums are there
            f"  %soon{i}.at = mul i64 %c.row, {i}",
            f"  %soon{i} = getelementptr i8, ptr %c, i64 %soon{i}.at",
            f"  %soon{i}.end = getelementptr i8, ptr %soon{i}, i64 $row_end",
            f"  call void @llvm.prefetch.p0(ptr %soon{i}, i32 1, i32 3, i32 1)",
            f"  call void @llvm.prefetch.p0(ptr %soon{i}.end, i32 1, i32 3, i32 1)",
        ]
        for name in ("c", "old"):
            place = f"%{name}{i - 1}, i64 %{name}.row" if i else f"%{name}, i64 0"
            after.append(f"  %{name}{i} = getelementptr i8, ptr {place}")
        body += _multiply_row(i, vectors)
        for j in range(vectors):
            phis.append(
                f"  %s{i}.{j} = phi $vector [ zeroinitializer, %entry ], [ %t{i}.{j}, %loop ]"
            )
            after += _store_sum(i, j)
    lines = {"before": before, "phis": phis, "body": body, "after": after}
    parts = {name: "\n".join(part) for name, part in lines.items()}
    return _insert(_TILE, height=str(rows), vectors=str(vectors), **parts)


def _multiply_row(i: int, vectors: int) -> list[str]:
    place, lines = f"%p{i // 3 * 3}", []
    if i % 3:
        step = "%a.row" if i % 3 == 1 else "%a.two"
        lines.append(f"  %q{i} = getelementptr i8, ptr {place}, i64 {step}")
        place = f"%q{i}"
    lines += [
        f"  %e{i} = load $element, ptr {place}, align $size",
        f"  %f{i} = insertelement $vector poison, $element %e{i}, i64 0",
        f"  %a{i} = shufflevector $vector %f{i}, $vector poison, <$lanes x i32> zeroinitializer",
    ]
    lines += [
        f"  %t{i}.{j} = call $vector $fma($vector %a{i}, $vector %b{j}, $vector %s{i}.{j})"
        for j in range(vectors)
    ]
    return lines


def _store_sum(i: int, j: int) -> list[str]:
    return [
        f"  %old{i}.{j} = getelementptr $vector, ptr %old{i}, i64 {j}",
        f"  %c{i}.{j} = getelementptr $vector, ptr %c{i}, i64 {j}",
        f"  %o{i}.{j} = load $vector, ptr %old{i}.{j}, align $size",
        f"  %r{i}.{j} = fadd $vector %o{i}.{j}, %t{i}.{j}",
        f"  store $vector %r{i}.{j}, ptr %c{i}.{j}, align $size",
    ]


# --- blocks ---------------------------------------------------------------------------------

# ``c = tile`` or ``c += tile`` for a tile with less columns than a panel.
_MERGE = """
define internal void @$p.merge(i64 %rows, i64 %columns, ptr noalias %tile, ptr noalias %c,
    i64 %c.row, i1 %add) noinline nounwind optsize {
entry:
  %second = sub i64 %columns, $lanes
  %enough = icmp sge i64 %second, 0
  br label %row
row:
  %i = phi i64 [ 0, %entry ], [ %i.next, %row.next ]
  %s = phi ptr [ %tile, %entry ], [ %s.next, %row.next ]
  %t = phi ptr [ %c, %entry ], [ %t.next, %row.next ]
  br i1 %enough, label %vectors, label %column
vectors:
  %s1 = getelementptr $element, ptr %s, i64 %second
  %t1 = getelementptr $element, ptr %t, i64 %second
  %x0 = load $vector, ptr %s, align $size
  %x1 = load $vector, ptr %s1, align $size
  br i1 %add, label %vectors.add, label %vectors.store
vectors.add:
  %y0 = load $vector, ptr %t, align $size
  %y1 = load $vector, ptr %t1, align $size
  %z0 = fadd $vector %x0, %y0
  %z1 = fadd $vector %x1, %y1
  br label %vectors.store
vectors.store:
  %r0 = phi $vector [ %x0, %vectors ], [ %z0, %vectors.add ]
  %r1 = phi $vector [ %x1, %vectors ], [ %z1, %vectors.add ]
  store $vector %r0, ptr %t, align $size
  store $vector %r1, ptr %t1, align $size
  br label %row.next
column:
  %j = phi i64 [ 0, %row ], [ %j.next, %column.next ]
  %sp = getelementptr $element, ptr %s, i64 %j
  %tp = getelementptr $element, ptr %t, i64 %j
  %x = load $element, ptr %sp, align $size
  br i1 %add, label %column.add, label %column.next
column.add:
  %y = load $element, ptr %tp, align $size
  %z = fadd $element %x, %y
  br label %column.next
column.next:
  %r = phi $element [ %x, %column ], [ %z, %column.add ]
  store $element %r, ptr %tp, align $size
  %j.next = add i64 %j, 1
  %j.more = icmp slt i64 %j.next, %columns
  br i1 %j.more, label %column, label %row.next
row.next:
  %s.next = getelementptr i8, ptr %s, i64 $row
  %t.next = getelementptr i8, ptr %t, i64 %c.row
  %i.next = add i64 %i, 1
  %i.more = icmp slt i64 %i.next, %rows
  br i1 %i.more, label %row, label %done
done:
  ret void
}
"""

# A block of C: `m` x `n`, k >= 1, summed over `depth` of k at a time, `chunk` rows after another. B
# is packed, except its full panels where `direct`; A is packed where `packed`, into groups of
# `width` rows. An operand with a function that copies it (`copying`) is read from that copy; its
# strides are the copy's.
_BLOCK = """
define $linkage void @$p.block(i64 %m, i64 %n, i64 %k, i64 %depth, ptr noalias %a, i64 %a.row,
    i64 %a.column, ptr noalias %b, i64 %b.row, i64 %b.column, ptr noalias %c, i64 %c.row,
    i1 %direct, i1 %packed, i64 %chunk, ptr noalias %tile.buffer, ptr %copy.a, i64 %i0,
    ptr noalias %a.copied, ptr %copy.b, i64 %j0, ptr noalias %b.copied)
    noinline nounwind optsize {
entry:
  %a.is.copied = icmp ne ptr %copy.a, null
  %b.is.copied = icmp ne ptr %copy.b, null
  %tile.bytes = mul i64 $row, $rows
  %b.panels = getelementptr i8, ptr %tile.buffer, i64 %tile.bytes
  %n.over = urem i64 %n, $width
  %n.full = sub i64 %n, %n.over
  %slim = icmp sle i64 %n.over, $lanes
  %wide.tiles = getelementptr ptr, ptr @$p.tiles, i64 $rows
  %b.first = select i1 %direct, i64 %n.full, i64 0
  %b.rest = sub i64 %n, %b.first
  %b.first.at = mul i64 %b.first, %b.column
  %b.wide = add i64 %b.rest, $width_less
  %b.count = udiv i64 %b.wide, $width
  %b.row.bytes = mul i64 %b.count, $row
  %b.bytes = mul i64 %b.row.bytes, %depth
  %a.panels = getelementptr i8, ptr %b.panels, i64 %b.bytes
  %group = select i1 %packed, i64 $width, i64 %chunk
  %t.row = select i1 %packed, i64 $size, i64 %a.row
  %t.column = select i1 %packed, i64 $row, i64 %a.column
  %t.two = mul i64 %t.row, 2
  %t.three = mul i64 %t.row, 3
  %ah.step = mul i64 %chunk, %a.row
  %ch.step = mul i64 %chunk, %c.row
  %a.deeper = mul i64 %depth, %a.column
  %b.deeper = mul i64 %depth, %b.row
  br label %deep

deep:
  %p = phi i64 [ 0, %entry ], [ %p.next, %deep.next ]
  %ap = phi ptr [ %a, %entry ], [ %ap.next, %deep.next ]
  %bp = phi ptr [ %b, %entry ], [ %bp.next, %deep.next ]
  %first = icmp eq i64 %p, 0
  %again = xor i1 %first, true
  %p.left = sub i64 %k, %p
  %d = call i64 @llvm.smin.i64(i64 %p.left, i64 %depth)
  %panel.bytes = mul i64 %d, $row
  %b.lies = getelementptr i8, ptr %bp, i64 %b.first.at
  br i1 %b.is.copied, label %copied.b, label %pack.b
copied.b:
  call void %copy.b(ptr %b, i64 %j0, i64 %n, i64 %p, i64 %d, ptr %b.copied)
  br label %pack.b
pack.b:
  %b.source = phi ptr [ %b.lies, %deep ], [ %b.copied, %copied.b ]
  call void @$p.pack(i64 %d, ptr %b.source, i64 %b.row, i64 %b.column, i64 %b.rest, ptr %b.panels)
  br label %chunk.start

chunk.start:
  %h = phi i64 [ 0, %pack.b ], [ %h.next, %chunk.next ]
  %ah = phi ptr [ %ap, %pack.b ], [ %ah.next, %chunk.next ]
  %ch = phi ptr [ %c, %pack.b ], [ %ch.next, %chunk.next ]
  %h.left = sub i64 %m, %h
  %h.rows = call i64 @llvm.smin.i64(i64 %h.left, i64 %chunk)
  br i1 %a.is.copied, label %copied.a, label %choose.a
copied.a:
  %row = add i64 %i0, %h
  call void %copy.a(ptr %a, i64 %row, i64 %h.rows, i64 %p, i64 %d, ptr %a.copied)
  br label %panels
choose.a:
  br i1 %packed, label %pack.a, label %panels
pack.a:
  call void @$p.pack(i64 %d, ptr %ah, i64 %a.column, i64 %a.row, i64 %h.rows, ptr %a.panels)
  br label %panels
panels:
  %rows.of.a = phi ptr [ %ah, %choose.a ], [ %a.panels, %pack.a ], [ %a.copied, %copied.a ]
  br label %panel

panel:
  %j = phi i64 [ 0, %panels ], [ %j.next, %panel.next ]
  %bj = phi ptr [ %bp, %panels ], [ %bj.next, %panel.next ]
  %bq = phi ptr [ %b.panels, %panels ], [ %bq.next, %panel.next ]
  %j.next = add i64 %j, $width
  %bj.step = mul i64 %b.column, $width
  %bj.next = getelementptr i8, ptr %bj, i64 %bj.step
  %is.packed = icmp sge i64 %j, %b.first
  %panel.b = select i1 %is.packed, ptr %bq, ptr %bj
  %panel.row = select i1 %is.packed, i64 $row, i64 %b.row
  %bq.step = select i1 %is.packed, i64 %panel.bytes, i64 0
  %bq.next = getelementptr i8, ptr %bq, i64 %bq.step
  %narrow = icmp eq i64 %j, %n.full
  %half = and i1 %narrow, %slim
  %functions = select i1 %half, ptr @$p.tiles, ptr %wide.tiles
  %cj = getelementptr $element, ptr %ch, i64 %j
  br label %group.start
group.start:
  %g = phi i64 [ 0, %panel ], [ %g.next, %group.next ]
  %ag = phi ptr [ %rows.of.a, %panel ], [ %ag.next, %group.next ]
  %cg = phi ptr [ %cj, %panel ], [ %ci.next, %group.next ]
  %g.next = add i64 %g, %group
  %ag.next = getelementptr i8, ptr %ag, i64 %panel.bytes
  %g.left = sub i64 %h.rows, %g
  %g.rows = call i64 @llvm.smin.i64(i64 %g.left, i64 %group)
  %g.up = add i64 %g.rows, $rows_less
  %tiles = udiv i64 %g.up, $rows
  %height = udiv i64 %g.rows, %tiles
  %taller = urem i64 %g.rows, %tiles
  br label %tile
tile:
  %t = phi i64 [ 0, %group.start ], [ %t.next, %tile.next ]
  %ai = phi ptr [ %ag, %group.start ], [ %ai.next, %tile.next ]
  %ci = phi ptr [ %cg, %group.start ], [ %ci.next, %tile.next ]
  %tall = icmp slt i64 %t, %taller
  %one = zext i1 %tall to i64
  %rows = add i64 %height, %one
  %tile.number = sub i64 %rows, 1
  %tile.at = getelementptr ptr, ptr %functions, i64 %tile.number
  %function = load ptr, ptr %tile.at
  br i1 %narrow, label %tile.narrow, label %tile.wide
tile.wide:
  %old = select i1 %first, ptr @$p.zeros, ptr %ci
  %old.row = select i1 %first, i64 0, i64 %c.row
  call void %function(i64 %d, ptr %ai, i64 %t.row, i64 %t.column, ptr %panel.b, i64 %panel.row,
      ptr %ci, i64 %c.row, ptr %old, i64 %old.row, i64 %t.two, i64 %t.three)
  br label %tile.next
tile.narrow:
  call void %function(i64 %d, ptr %ai, i64 %t.row, i64 %t.column, ptr %panel.b, i64 %panel.row,
      ptr %tile.buffer, i64 $row, ptr @$p.zeros, i64 0, i64 %t.two, i64 %t.three)
  call void @$p.merge(i64 %rows, i64 %n.over, ptr %tile.buffer, ptr %ci, i64 %c.row, i1 %again)
  br label %tile.next
tile.next:
  %ai.step = mul i64 %rows, %t.row
  %ci.step = mul i64 %rows, %c.row
  %ai.next = getelementptr i8, ptr %ai, i64 %ai.step
  %ci.next = getelementptr i8, ptr %ci, i64 %ci.step
  %t.next = add i64 %t, 1
  %t.more = icmp slt i64 %t.next, %tiles
  br i1 %t.more, label %tile, label %group.next
group.next:
  %g.more = icmp slt i64 %g.next, %h.rows
  br i1 %g.more, label %group.start, label %panel.next
panel.next:
  %j.more = icmp slt i64 %j.next, %n
  br i1 %j.more, label %panel, label %chunk.next
chunk.next:
  %h.next = add i64 %h, %chunk
  %ah.next = getelementptr i8, ptr %ah, i64 %ah.step
  %ch.next = getelementptr i8, ptr %ch, i64 %ch.step
  %h.more = icmp slt i64 %h.next, %m
  br i1 %h.more, label %chunk.start, label %deep.next
deep.next:
  %p.next = add i64 %p, %depth
  %ap.next = getelementptr i8, ptr %ap, i64 %a.deeper
  %bp.next = getelementptr i8, ptr %bp, i64 %b.deeper
  %p.more = icmp slt i64 %p.next, %k
  br i1 %p.more, label %deep, label %done
done:
  ret void
}
"""


# --- matrix times vector --------------------------------------------------------------------

# ``y = M v``, rows of M and v contiguous: four vectors of sums a row, added in one fixed order.
_DOTS = """
define $linkage void @$p.dots(i64 %rows, i64 %length, ptr noalias %m, i64 %m.row, ptr noalias %v,
    ptr noalias %y, i64 %y.step) noinline nounwind optsize {
entry:
  br label %deep
deep:
  %from = phi i64 [ 0, %entry ], [ %from.next, %deep.next ]
  %from.next = add i64 %from, $deep
  %first = icmp eq i64 %from, 0
  %rest = sub i64 %length, %from
  %k = call i64 @llvm.smin.i64(i64 %rest, i64 $deep)
  %m.here = getelementptr $element, ptr %m, i64 %from
  %v.here = getelementptr $element, ptr %v, i64 %from
  %k.four = sub i64 %k, $four
  %k.one = sub i64 %k, $lanes
  br label %row
row:
  %i = phi i64 [ 0, %deep ], [ %i.next, %row.next ]
  %r = phi ptr [ %m.here, %deep ], [ %r.next, %row.next ]
  %yi = phi ptr [ %y, %deep ], [ %yi.next, %row.next ]
  br label %fours
fours:
  %p = phi i64 [ 0, %row ], [ %p.next, %fours.in ]
$sums
  %p.next = add i64 %p, $four
  %enough = icmp sle i64 %p, %k.four
  br i1 %enough, label %fours.in, label %ones
fours.in:
$products
  br label %fours
ones:
  %q = phi i64 [ %p, %fours ], [ %q.next, %ones.in ]
  %o = phi $vector [ %s0, %fours ], [ %o.next, %ones.in ]
  %q.next = add i64 %q, $lanes
  %one = icmp sle i64 %q, %k.one
  br i1 %one, label %ones.in, label %few
ones.in:
  %om.at = getelementptr $element, ptr %r, i64 %q
  %ov.at = getelementptr $element, ptr %v.here, i64 %q
  %om = load $vector, ptr %om.at, align $size
  %ov = load $vector, ptr %ov.at, align $size
  %o.next = call $vector $fma($vector %om, $vector %ov, $vector %o)
  br label %ones
few:
  %f = phi i64 [ %q, %ones ], [ %f.next, %few.in ]
  %u = phi $element [ 0.0, %ones ], [ %u.next, %few.in ]
  %f.next = add i64 %f, 1
  %some = icmp slt i64 %f, %k
  br i1 %some, label %few.in, label %end
few.in:
  %fm.at = getelementptr $element, ptr %r, i64 %f
  %fv.at = getelementptr $element, ptr %v.here, i64 %f
  %fm = load $element, ptr %fm.at, align $size
  %fv = load $element, ptr %fv.at, align $size
  %u.next = call $element $one_fma($element %fm, $element %fv, $element %u)
  br label %few
end:
$folded
  %total = fadd $element %folded, %u
  br i1 %first, label %row.next, label %add
add:
  %old = load $element, ptr %yi, align $size
  %more = fadd $element %old, %total
  br label %row.next
row.next:
  %sum = phi $element [ %total, %end ], [ %more, %add ]
  store $element %sum, ptr %yi, align $size
  %r.next = getelementptr i8, ptr %r, i64 %m.row
  %yi.next = getelementptr i8, ptr %yi, i64 %y.step
  %i.next = add i64 %i, 1
  %i.more = icmp slt i64 %i.next, %rows
  br i1 %i.more, label %row, label %deep.next
deep.next:
  %deep.more = icmp slt i64 %from.next, %length
  br i1 %deep.more, label %deep, label %done
done:
  ret void
}
"""


def _print_dots(lanes: int) -> str:
    sums, products, folded = [], [], []
    for i in range(4):
        sums.append(f"  %s{i} = phi $vector [ zeroinitializer, %row ], [ %t{i}, %fours.in ]")
        products += [
            f"  %at{i} = add i64 %p, {i * lanes}",
            f"  %m{i}.at = getelementptr $element, ptr %r, i64 %at{i}",
            f"  %v{i}.at = getelementptr $element, ptr %v.here, i64 %at{i}",
            f"  %m{i} = load $vector, ptr %m{i}.at, align $size",
            f"  %v{i} = load $vector, ptr %v{i}.at, align $size",
            f"  %t{i} = call $vector $fma($vector %m{i}, $vector %v{i}, $vector %s{i})",
        ]
    folded = [
        "  %h0 = fadd $vector %o, %s1",
        "  %h1 = fadd $vector %s2, %s3",
        "  %h.whole = fadd $vector %h0, %h1",
    ]
    whole, step = "%h.whole", lanes // 2
    while step:
        picks = ", ".join(f"i32 {(lane + step) % lanes}" for lane in range(lanes))
        folded += [
            f"  %moved{step} = shufflevector $vector {whole}, $vector poison, "
            f"<$lanes x i32> <{picks}>",
            f"  %h{step}.sum = fadd $vector {whole}, %moved{step}",
        ]
        whole, step = f"%h{step}.sum", step // 2
    folded.append(f"  %folded = extractelement $vector {whole}, i64 0")
    parts = {"sums": sums, "products": products, "folded": folded}
    return _insert(_DOTS, **{name: "\n".join(part) for name, part in parts.items()})
