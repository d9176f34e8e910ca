"""The functions that all matrix products of one dtype share, as LLVM IR text.

Strides are in bytes, for any layout. A panel is `width` columns (two vectors) of an operand, row
after row; a tile is a few rows of A times a panel, its sums in registers.
"""

from __future__ import annotations

from string import Template
from typing import Any

import numpy as np

from bital.executors.native.dots import print_dots
from bital.executors.native.packing import print_pack

VECTORS = 2  # to a panel's row
_UNROLLED = 4  # steps along k in a turn of a tile's loop
_AHEAD = 16  # steps before which rows of B are asked for
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
            "unrolled_less": _UNROLLED - 1,
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
        _insert(
            _HEAD, tiles=_pointers("tile", tiles), firsts=_pointers("first", tiles[shape.rows :])
        ),
        *(_print_tile(height, vectors) for vectors, height in tiles),
        *(_print_tile(height, vectors, first=True) for vectors, height in tiles[shape.rows :]),
        print_pack(shape.lanes),
        _MERGE,
        _BLOCK,
        print_dots(shape.lanes),
    ]
    text = shape.fill(_insert("\n".join(parts), linkage=linkage))
    return text.replace(",\n    ", ", ").replace(")\n    noinline", ") noinline")  # one line a head


def _pointers(kind: str, tiles: list[tuple[int, int]]) -> str:
    return ", ".join(f"ptr @$p.{kind}{height}x{vectors}" for vectors, height in tiles)


def _insert(text: str, **parts: str) -> str:
    return Template(text).safe_substitute(parts)


# --- the tile -------------------------------------------------------------------------------

_HEAD = """
@$p.tiles = internal constant [$functions x ptr] [$tiles]
@$p.firsts = internal constant [$rows x ptr] [$firsts]
@$p.zeros = internal constant [$width x $element] zeroinitializer, align $row
"""

# ``c = old + a b``, k >= 1, B packed. What else a step does costs about as much as it has
# instructions: a turn of the loop takes several steps. A fence, of which no instruction is left,
# keeps the compiler from loading for later steps what registers have no room for; a pointer
# "laundered" after each step, from turning one addition into many.
_TILE = """
define internal void @$p.tile${height}x$vectors(i64 %k, ptr noalias %a, i64 %a.row, i64 %a.column,
    ptr noalias %b, ptr %c, i64 %c.row, ptr %old, i64 %old.row) noinline nounwind optsize {
entry:
  %one.left = and i64 %k, $unrolled_less
  %many.left = sub i64 %k, %one.left
$before
  br label %many
$many
$one
done:
$after
  ret void
}
"""

# The first tile that meets a panel: it reads B where it lies, and leaves the panel packed at `keep`
# for the others. B may come from far: it is asked for some steps before.
_FIRST_TILE = """
define internal void @$p.first${height}x$vectors(i64 %k, ptr noalias %a, i64 %a.row, i64 %a.column,
    ptr noalias %b, ptr %c, i64 %c.row, ptr %old, i64 %old.row, i64 %b.row, ptr noalias %keep,
    i64 %keep.row) noinline nounwind optsize {
entry:
  %b.ahead = mul i64 %b.row, $ahead
$before
  br label %first
$first
done:
$after
  ret void
}
"""
_STEPS = """
$loop:
  %$loop.k = phi i64 [ %$left, %$from ], [ %$loop.k.next, %$loop.in ]
$phis
  %$loop.more = icmp ne i64 %$loop.k, 0
  br i1 %$loop.more, label %$loop.in, label %$next
$loop.in:
$body
  %$loop.k.next = sub i64 %$loop.k, $count
  br label %$loop"""
_KEEP = """
  %k0 = getelementptr $vector, ptr %keep.$loop, i64 0
  %k1 = getelementptr $vector, ptr %keep.$loop, i64 1
  store $vector %b0.$loop, ptr %k0, align $align
  store $vector %b1.$loop, ptr %k1, align $align
  %b.soon = getelementptr i8, ptr %b.$loop, i64 %b.ahead
  %b.soon.end = getelementptr i8, ptr %b.soon, i64 $row_end
  call void @llvm.prefetch.p0(ptr %b.soon, i32 0, i32 3, i32 1)
  call void @llvm.prefetch.p0(ptr %b.soon.end, i32 0, i32 3, i32 1)"""


def _print_tile(rows: int, vectors: int, first: bool = False) -> str:
    before, after = ["  %row0 = add i64 0, 0"], []
    for i in range(rows):
        if i:
            before.append(f"  %row{i} = add i64 %row{i - 1}, %a.row")
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
        for j in range(vectors):
            after += _store_sum(i, j, "first" if first else "one")
    parts = {"before": "\n".join(before), "after": "\n".join(after)}
    if first:
        parts |= {"ahead": str(_AHEAD), "first": _steps(rows, vectors, 1, "first", "entry", "done")}
    else:
        parts["many"] = _steps(rows, vectors, _UNROLLED, "many", "entry", "one")
        parts["one"] = _steps(rows, vectors, 1, "one", "many", "done")
    text = _FIRST_TILE if first else _TILE
    return _insert(text, height=str(rows), vectors=str(vectors), **parts)


def _steps(rows: int, vectors: int, count: int, loop: str, before: str, next: str) -> str:
    """A loop whose turns take `count` steps along k; where it comes from, and what follows."""
    steps = {"a": "%a.column", "b": "$row"}
    if loop == "first":
        steps |= {"b": "%b.row", "keep": "%keep.row"}
    sums = [f"s{i}.{j}" for i in range(rows) for j in range(vectors)]
    phis, body = [], []
    for name in [*steps, *sums]:
        type, start = ("$vector", "zeroinitializer") if name in sums else ("ptr", f"%{name}")
        start = start if before == "entry" else f"%{name}.{before}"
        again = f"%{name}.{loop}{count}"
        turns = f"[ {start}, %{before} ], [ {again}, %{loop}.in ]"
        phis.append(f"  %{name}.{loop} = phi {type} {turns}")
    here = loop
    for step in range(1, count + 1):
        soon = f"{loop}{step}"
        body += _multiply_step(rows, vectors, here, soon)
        if loop == "first":
            body.append(_insert(_KEEP, loop=loop))
        for name, by in steps.items():
            bare = f"%{name}.{soon}.bare"
            body += [
                f"  {bare} = getelementptr i8, ptr %{name}.{here}, i64 {by}",
                f"  %{name}.{soon} = call ptr @llvm.launder.invariant.group.p0(ptr {bare})",
            ]
        body.append('  fence syncscope("singlethread") acq_rel')
        here = soon
    parts = {"phis": "\n".join(phis), "body": "\n".join(body), "count": str(count)}
    left = "k" if loop == "first" else f"{loop}.left"
    return _insert(_STEPS, loop=loop, next=next, left=left, **{"from": before}, **parts)


def _multiply_step(rows: int, vectors: int, here: str, soon: str) -> list[str]:
    """A column of A times a row of B."""
    lines = []
    for j in range(vectors):
        lines += [
            f"  %b{j}.{here}.at = getelementptr $vector, ptr %b.{here}, i64 {j}",
            f"  %b{j}.{here} = load $vector, ptr %b{j}.{here}.at, align $size",
        ]
    for i in range(rows):
        lines += [
            f"  %e{i}.{here}.at = getelementptr i8, ptr %a.{here}, i64 %row{i}",
            f"  %e{i}.{here} = load $element, ptr %e{i}.{here}.at, align $size",
            f"  %f{i}.{here} = insertelement $vector poison, $element %e{i}.{here}, i64 0",
            f"  %wide{i}.{here} = shufflevector $vector %f{i}.{here}, $vector poison, "
            "<$lanes x i32> zeroinitializer",
        ]
        lines += [
            f"  %s{i}.{j}.{soon} = call $vector $fma($vector %wide{i}.{here}, "
            f"$vector %b{j}.{here}, $vector %s{i}.{j}.{here})"
            for j in range(vectors)
        ]
    return lines


def _store_sum(i: int, j: int, loop: str) -> list[str]:
    return [
        f"  %old{i}.{j} = getelementptr $vector, ptr %old{i}, i64 {j}",
        f"  %c{i}.{j} = getelementptr $vector, ptr %c{i}, i64 {j}",
        f"  %o{i}.{j} = load $vector, ptr %old{i}.{j}, align $size",
        f"  %r{i}.{j} = fadd $vector %o{i}.{j}, %s{i}.{j}.{loop}",
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
# is packed: where `direct`, its full panels by the first tile that meets them. If that is the only
# one, they are not. A is packed where `packed`, into groups of `width` rows. An operand with a
# function that copies it (`copying`) is read from that copy; its strides are the copy's.
_BLOCK = """
define $linkage void @$p.block(i64 %m, i64 %n, i64 %k, i64 %depth, ptr noalias %a, i64 %a.row,
    i64 %a.column, ptr noalias %b, i64 %b.row, i64 %b.column, ptr noalias %c, i64 %c.row,
    i1 %direct, i1 %packed, i64 %chunk, ptr noalias %tile.buffer, ptr %copy.a, i64 %i0,
    ptr noalias %a.copied, ptr %copy.b, i64 %j0, ptr noalias %b.copied)
    noinline nounwind optsize {
entry:
  %a.is.copied = icmp ne ptr %copy.a, null
  %b.is.copied = icmp ne ptr %copy.b, null
  %is.one.tile = icmp sle i64 %m, $rows
  %unkept = and i1 %direct, %is.one.tile
  %keep.row = select i1 %unkept, i64 0, i64 $row
  %tile.bytes = mul i64 $row, $rows
  %b.panels = getelementptr i8, ptr %tile.buffer, i64 %tile.bytes
  %n.over = urem i64 %n, $width
  %n.full = sub i64 %n, %n.over
  %slim = icmp sle i64 %n.over, $lanes
  %wide.tiles = getelementptr ptr, ptr @$p.tiles, i64 $rows
  %b.first = select i1 %direct, i64 %n.full, i64 0
  %b.rest = sub i64 %n, %b.first
  %b.first.at = mul i64 %b.first, %b.column
  %b.wide = add i64 %n, $width_less
  %b.number = udiv i64 %b.wide, $width
  %b.count = select i1 %unkept, i64 1, i64 %b.number
  %b.row.bytes = mul i64 %b.count, $row
  %b.bytes = mul i64 %b.row.bytes, %depth
  %a.panels = getelementptr i8, ptr %b.panels, i64 %b.bytes
  %group = select i1 %packed, i64 $width, i64 %chunk
  %t.row = select i1 %packed, i64 $size, i64 %a.row
  %t.column = select i1 %packed, i64 $row, i64 %a.column
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
  %b.first.number = udiv i64 %b.first, $width
  %b.step = select i1 %unkept, i64 0, i64 %panel.bytes
  %b.to.at = mul i64 %b.first.number, %b.step
  %b.to = getelementptr i8, ptr %b.panels, i64 %b.to.at
  %b.lies = getelementptr i8, ptr %bp, i64 %b.first.at
  br i1 %b.is.copied, label %copied.b, label %pack.b
copied.b:
  call void %copy.b(ptr %b, i64 %j0, i64 %n, i64 %p, i64 %d, ptr %b.copied)
  br label %pack.b
pack.b:
  %b.source = phi ptr [ %b.lies, %deep ], [ %b.copied, %copied.b ]
  call void @$p.pack(i64 %d, ptr %b.source, i64 %b.row, i64 %b.column, i64 %b.rest, ptr %b.to)
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
  %lies = icmp slt i64 %j, %b.first
  %keep = select i1 %unkept, ptr %tile.buffer, ptr %bq
  %bq.next = getelementptr i8, ptr %bq, i64 %b.step
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
  %so.far = or i64 %h, %g
  %tiles.before = or i64 %so.far, %t
  %is.start = icmp eq i64 %tiles.before, 0
  %in.place = and i1 %is.start, %lies
  %old = select i1 %first, ptr @$p.zeros, ptr %ci
  %old.row = select i1 %first, i64 0, i64 %c.row
  br i1 %in.place, label %tile.first, label %tile.packed
tile.first:
  %first.at = getelementptr ptr, ptr @$p.firsts, i64 %tile.number
  %first.function = load ptr, ptr %first.at
  call void %first.function(i64 %d, ptr %ai, i64 %t.row, i64 %t.column, ptr %bj, ptr %ci,
      i64 %c.row, ptr %old, i64 %old.row, i64 %b.row, ptr %keep, i64 %keep.row)
  br label %tile.next
tile.packed:
  br i1 %narrow, label %tile.narrow, label %tile.wide
tile.wide:
  call void %function(i64 %d, ptr %ai, i64 %t.row, i64 %t.column, ptr %bq, ptr %ci,
      i64 %c.row, ptr %old, i64 %old.row)
  br label %tile.next
tile.narrow:
  call void %function(i64 %d, ptr %ai, i64 %t.row, i64 %t.column, ptr %bq,
      ptr %tile.buffer, i64 $row, ptr @$p.zeros, i64 0)
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
