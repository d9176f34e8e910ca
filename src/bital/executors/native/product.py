"""Matrix products as LLVM IR text.

A product is cut into blocks, one a task. A block is computed panel by panel: `width` columns of B,
packed into contiguous memory where they do not lie well, meet the rows of A in tiles of a few
rows, whose sums stay in registers while the loop runs over the inner axis [1]_. Sums are cut at
fixed depths of the inner axis; so each element is summed in one order, whatever the block.

One set of functions (`print_support`) serves all products of a dtype, for any sizes and strides.

.. [1] Kazushige Goto and Robert A. van de Geijn, "Anatomy of high-performance matrix
   multiplication", ACM Transactions on Mathematical Software 34(3), 2008.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

DType = np.dtype[Any]
_VECTORS = 2  # of columns in a tile


def _tile_rows(vector_bytes: int) -> int:
    """Rows of a tile: as many as leave all sums in registers (16, or 32 of them)."""
    return 6 if vector_bytes == 32 else 8


@dataclass(frozen=True)
class ProductPlan:
    dtype: DType
    m: int
    n: int
    k: int
    a_strides: tuple[int, int]
    b_strides: tuple[int, int]
    vector_bytes: int
    rows_per_task: int
    columns_per_task: int
    depth: int
    direct: bool
    packed: bool

    @property
    def width(self) -> int:
        return _VECTORS * self.vector_bytes // self.dtype.itemsize

    @property
    def grid(self) -> tuple[int, int]:
        return -(-self.m // self.rows_per_task), -(-self.n // self.columns_per_task)

    @property
    def tasks(self) -> int:
        return self.grid[0] * self.grid[1]

    @property
    def scratch(self) -> int:
        panel = _VECTORS * self.vector_bytes
        a = -(-self.rows_per_task // self.width) if self.packed else 0
        return panel * (self.depth * (1 + a) + _tile_rows(self.vector_bytes))

    def block(self, task: int) -> tuple[int, int, int, int]:
        i, j = divmod(task, self.grid[1])
        i0, j0 = i * self.rows_per_task, j * self.columns_per_task
        return (
            i0,
            min(self.m, i0 + self.rows_per_task),
            j0,
            min(self.n, j0 + self.columns_per_task),
        )


def plan(dtype, m, n, k, a_strides, b_strides, vector_bytes, rows=None, columns=None, depth=None, direct=None, packed=None):
    size = dtype.itemsize
    width = _VECTORS * vector_bytes // size
    if depth is None:
        parts = max(1, -(-k // 320))
        depth = max(1, -(-k // parts))
    return ProductPlan(dtype, m, n, k, a_strides, b_strides, vector_bytes, rows or m, columns or n, depth, bool(direct), bool(packed))


# --- text -----------------------------------------------------------------------------------


class _Words:
    """The names of types and functions of one dtype."""

    def __init__(self, dtype: DType, vector_bytes: int) -> None:
        self.size = dtype.itemsize
        self.element = {4: "float", 8: "double"}[self.size]
        self.lanes = vector_bytes // self.size
        self.vector = f"<{self.lanes} x {self.element}>"
        self.vector_bytes = vector_bytes
        self.width = _VECTORS * self.lanes
        self.row = self.width * self.size  # bytes of a row of a packed panel
        self.rows = _tile_rows(vector_bytes)
        self.prefix = dtype.name
        self.fma = f"@llvm.fmuladd.v{self.lanes}f{8 * self.size}"


def print_support(dtype: DType, vector_bytes: int, linkage: str = "internal") -> str:
    words = _Words(dtype, vector_bytes)
    tiles = [_print_tile(words, rows, linkage) for rows in range(1, words.rows + 1)]
    return "\n".join(
        [
            f"declare {words.vector} {words.fma}({words.vector}, {words.vector}, {words.vector})",
            "declare i64 @llvm.smin.i64(i64, i64)",
            *tiles,
            _print_table(words),
            _print_pack(words, linkage),
            _print_merge(words, linkage),
            _print_block(words, linkage),
        ]
    )


def _print_table(words: _Words) -> str:
    tiles = ", ".join(f"ptr @{words.prefix}.tile{1 + rows}" for rows in range(words.rows))
    return (
        f"@{words.prefix}.tiles = internal constant [{words.rows} x ptr] [{tiles}]\n"
        f"@{words.prefix}.zeros = internal constant [{words.width} x {words.element}] "
        f"zeroinitializer, align {words.row}"
    )


def _print_tile(words: _Words, rows: int, linkage: str) -> str:
    """``c = old + a b`` for a few rows and one panel's columns; strides in bytes, k >= 1."""
    vector, size = words.vector, words.size
    cells = [(i, j) for i in range(rows) for j in range(_VECTORS)]
    thirds = range(0, rows, 3)  # an address is one of these pointers plus 0, 1 or 2 strides
    lines = [
        f"define {linkage} void @{words.prefix}.tile{rows}(i64 %k, "
        "ptr noalias %a, i64 %a.row, i64 %a.column, ptr noalias %b, i64 %b.row, "
        "ptr %c, i64 %c.row, ptr %old, i64 %old.row) noinline nounwind {",
        "entry:",
        "  %a.two = shl i64 %a.row, 1",
    ]
    for third in thirds:
        lines += [
            f"  %start{third}.at = mul i64 %a.row, {third}",
            f"  %start{third} = getelementptr i8, ptr %a, i64 %start{third}.at",
        ]
    lines += [
        "  br label %loop",
        "loop:",
        "  %left = phi i64 [ %k, %entry ], [ %left.next, %loop ]",
        "  %pb = phi ptr [ %b, %entry ], [ %pb.next, %loop ]",
    ]
    lines += [f"  %p{t} = phi ptr [ %start{t}, %entry ], [ %p{t}.next, %loop ]" for t in thirds]
    lines += [
        f"  %s{i}.{j} = phi {vector} [ zeroinitializer, %entry ], [ %t{i}.{j}, %loop ]"
        for i, j in cells
    ]
    for j in range(_VECTORS):
        lines += [
            f"  %pb{j} = getelementptr {vector}, ptr %pb, i64 {j}",
            f"  %b{j} = load {vector}, ptr %pb{j}, align {size}",
        ]
    for i in range(rows):
        place = f"%p{i // 3 * 3}"
        if i % 3:
            step = "%a.row" if i % 3 == 1 else "%a.two"
            lines.append(f"  %q{i} = getelementptr i8, ptr {place}, i64 {step}")
            place = f"%q{i}"
        lines += [
            f"  %e{i} = load {words.element}, ptr {place}, align {size}",
            f"  %f{i} = insertelement {vector} poison, {words.element} %e{i}, i64 0",
            f"  %a{i} = shufflevector {vector} %f{i}, {vector} poison, "
            f"<{words.lanes} x i32> zeroinitializer",
        ]
        lines += [
            f"  %t{i}.{j} = call {vector} {words.fma}({vector} %a{i}, {vector} %b{j}, "
            f"{vector} %s{i}.{j})"
            for j in range(_VECTORS)
        ]
    lines += ["  %pb.next = getelementptr i8, ptr %pb, i64 %b.row"]
    lines += [f"  %p{t}.next = getelementptr i8, ptr %p{t}, i64 %a.column" for t in thirds]
    lines += [
        "  %left.next = add nsw i64 %left, -1",
        "  %more = icmp ne i64 %left.next, 0",
        "  br i1 %more, label %loop, label %done",
        "done:",
    ]
    for i in range(rows):
        lines += [
            f"  %c{i}.at = mul i64 %c.row, {i}",
            f"  %o{i}.at = mul i64 %old.row, {i}",
            f"  %c{i} = getelementptr i8, ptr %c, i64 %c{i}.at",
            f"  %o{i} = getelementptr i8, ptr %old, i64 %o{i}.at",
        ]
        for j in range(_VECTORS):
            lines += [
                f"  %o{i}.{j}.at = getelementptr {vector}, ptr %o{i}, i64 {j}",
                f"  %o{i}.{j} = load {vector}, ptr %o{i}.{j}.at, align {size}",
                f"  %r{i}.{j} = fadd {vector} %o{i}.{j}, %t{i}.{j}",
                f"  %c{i}.{j}.at = getelementptr {vector}, ptr %c{i}, i64 {j}",
                f"  store {vector} %r{i}.{j}, ptr %c{i}.{j}.at, align {size}",
            ]
    return "\n".join([*lines, "  ret void", "}", ""])


def _print_pack(words: _Words, linkage: str) -> str:
    """`k` rows of `columns` elements into a panel, zeros beside them; strides in bytes."""
    p, vector, element, size = words.prefix, words.vector, words.element, words.size
    n = words.lanes
    head = f"""
define {linkage} void @{p}.pack(i64 %k, ptr noalias %b, i64 %row, i64 %column, i64 %columns, ptr noalias %panel) noinline nounwind {{
entry:
  %second = sub i64 %columns, {n}
  %last = sub i64 %k, {n}
  %full = icmp eq i64 %columns, {words.width}
  br i1 %full, label %choose, label %zero
zero:
  %zk = phi i64 [ 0, %entry ], [ %zk.next, %zero ]
  %zt = phi ptr [ %panel, %entry ], [ %zt.next, %zero ]
  %zt1 = getelementptr {vector}, ptr %zt, i64 1
  store {vector} zeroinitializer, ptr %zt, align {words.vector_bytes}
  store {vector} zeroinitializer, ptr %zt1, align {words.vector_bytes}
  %zt.next = getelementptr i8, ptr %zt, i64 {words.row}
  %zk.next = add i64 %zk, 1
  %z.more = icmp slt i64 %zk.next, %k
  br i1 %z.more, label %zero, label %choose

choose:
  %dense = icmp eq i64 %column, {size}
  %down = icmp eq i64 %row, {size}
  %enough = icmp sge i64 %second, 0
  %long = icmp sge i64 %last, 0
  %is.copy = and i1 %dense, %enough
  %square = and i1 %enough, %long
  %is.turn = and i1 %down, %square
  br i1 %is.copy, label %copy, label %not.copy
not.copy:
  br i1 %is.turn, label %turn.row, label %slow.row

copy:
  %ck = phi i64 [ 0, %choose ], [ %ck.next, %copy ]
  %cs = phi ptr [ %b, %choose ], [ %cs.next, %copy ]
  %ct = phi ptr [ %panel, %choose ], [ %ct.next, %copy ]
  %cs1 = getelementptr {element}, ptr %cs, i64 %second
  %ct1 = getelementptr {element}, ptr %ct, i64 %second
  %cv0 = load {vector}, ptr %cs, align {size}
  %cv1 = load {vector}, ptr %cs1, align {size}
  store {vector} %cv0, ptr %ct, align {words.vector_bytes}
  store {vector} %cv1, ptr %ct1, align {size}
  %cs.next = getelementptr i8, ptr %cs, i64 %row
  %ct.next = getelementptr i8, ptr %ct, i64 {words.row}
  %ck.next = add i64 %ck, 1
  %c.more = icmp slt i64 %ck.next, %k
  br i1 %c.more, label %copy, label %done
"""
    turn = [f"""
turn.row:
  %tk = phi i64 [ 0, %not.copy ], [ %tk.next, %turn.next ]
  %tk.within = call i64 @llvm.smin.i64(i64 %tk, i64 %last)
  %ts.row = getelementptr {element}, ptr %b, i64 %tk.within
  %tt.at = mul i64 %tk.within, {words.row}
  %tt.row = getelementptr i8, ptr %panel, i64 %tt.at
  br label %turn
turn:
  %tj = phi i64 [ 0, %turn.row ], [ %second, %turn ]
  %ts.at = mul i64 %tj, %column
  %ts0 = getelementptr i8, ptr %ts.row, i64 %ts.at
  %tt0 = getelementptr {element}, ptr %tt.row, i64 %tj"""]
    rows = []
    for i in range(n):
        if i:
            turn.append(f"  %ts{i} = getelementptr i8, ptr %ts{i-1}, i64 %column")
            turn.append(f"  %tt{i} = getelementptr i8, ptr %tt0, i64 {i * words.row}")
        turn.append(f"  %x{i} = load {vector}, ptr %ts{i}, align {size}")
        rows.append(f"%x{i}")
    step = n // 2
    while step:
        new = list(rows)
        for i in range(n):
            if not i & step:
                x, y = rows[i], rows[i + step]
                low = ", ".join(f"i32 {c if not c & step else n + c - step}" for c in range(n))
                high = ", ".join(f"i32 {c + step if not c & step else n + c}" for c in range(n))
                for target, mask in ((i, low), (i + step, high)):
                    new[target] = f"%y{step}.{target}"
                    turn.append(f"  {new[target]} = shufflevector {vector} {x}, {vector} {y}, <{n} x i32> <{mask}>")
        rows = new
        step //= 2
    for i in range(n):
        turn.append(f"  store {vector} {rows[i]}, ptr %tt{i}, align {size}")
    turn.append(f"""  %th.more = icmp slt i64 %tj, %second
  br i1 %th.more, label %turn, label %turn.next
turn.next:
  %tk.next = add i64 %tk, {n}
  %t.more = icmp slt i64 %tk.next, %k
  br i1 %t.more, label %turn.row, label %done
""")
    slow = f"""
slow.row:
  %sk = phi i64 [ 0, %not.copy ], [ %sk.next, %slow.next ]
  %ss = phi ptr [ %b, %not.copy ], [ %ss.next, %slow.next ]
  %st = phi ptr [ %panel, %not.copy ], [ %st.next, %slow.next ]
  br label %slow
slow:
  %sj = phi i64 [ 0, %slow.row ], [ %sj.next, %slow ]
  %sp = phi ptr [ %ss, %slow.row ], [ %sp.next, %slow ]
  %sv = load {element}, ptr %sp, align {size}
  %sq = getelementptr {element}, ptr %st, i64 %sj
  store {element} %sv, ptr %sq, align {size}
  %sp.next = getelementptr i8, ptr %sp, i64 %column
  %sj.next = add i64 %sj, 1
  %sj.more = icmp slt i64 %sj.next, %columns
  br i1 %sj.more, label %slow, label %slow.next
slow.next:
  %ss.next = getelementptr i8, ptr %ss, i64 %row
  %st.next = getelementptr i8, ptr %st, i64 {words.row}
  %sk.next = add i64 %sk, 1
  %s.more = icmp slt i64 %sk.next, %k
  br i1 %s.more, label %slow.row, label %done
done:
  ret void
}}
"""
    return head + "\n".join(turn) + slow


def _print_merge(words: _Words, linkage: str) -> str:
    """``c = old + tile`` for a tile's rows and its first columns; strides in bytes."""
    p, element, vector, size = words.prefix, words.element, words.vector, words.size
    return f"""
define {linkage} void @{p}.merge(i64 %rows, i64 %columns, ptr noalias %tile, ptr noalias %c, i64 %c.row, i1 %add) noinline nounwind {{
entry:
  %second = sub i64 %columns, {words.lanes}
  %enough = icmp sge i64 %second, 0
  br label %row
row:
  %i = phi i64 [ 0, %entry ], [ %i.next, %row.next ]
  %s = phi ptr [ %tile, %entry ], [ %s.next, %row.next ]
  %t = phi ptr [ %c, %entry ], [ %t.next, %row.next ]
  br i1 %enough, label %vectors, label %column
vectors:
  %s1 = getelementptr {element}, ptr %s, i64 %second
  %t1 = getelementptr {element}, ptr %t, i64 %second
  %x0 = load {vector}, ptr %s, align {size}
  %x1 = load {vector}, ptr %s1, align {size}
  br i1 %add, label %vectors.add, label %vectors.store
vectors.add:
  %y0 = load {vector}, ptr %t, align {size}
  %y1 = load {vector}, ptr %t1, align {size}
  %z0 = fadd {vector} %x0, %y0
  %z1 = fadd {vector} %x1, %y1
  br label %vectors.store
vectors.store:
  %r0 = phi {vector} [ %x0, %vectors ], [ %z0, %vectors.add ]
  %r1 = phi {vector} [ %x1, %vectors ], [ %z1, %vectors.add ]
  store {vector} %r0, ptr %t, align {size}
  store {vector} %r1, ptr %t1, align {size}
  br label %row.next
column:
  %j = phi i64 [ 0, %row ], [ %j.next, %column.next ]
  %sp = getelementptr {element}, ptr %s, i64 %j
  %tp = getelementptr {element}, ptr %t, i64 %j
  %x = load {element}, ptr %sp, align {size}
  br i1 %add, label %column.add, label %column.next
column.add:
  %y = load {element}, ptr %tp, align {size}
  %z = fadd {element} %x, %y
  br label %column.next
column.next:
  %r = phi {element} [ %x, %column ], [ %z, %column.add ]
  store {element} %r, ptr %tp, align {size}
  %j.next = add i64 %j, 1
  %j.more = icmp slt i64 %j.next, %columns
  br i1 %j.more, label %column, label %row.next
row.next:
  %s.next = getelementptr i8, ptr %s, i64 {words.row}
  %t.next = getelementptr i8, ptr %t, i64 %c.row
  %i.next = add i64 %i, 1
  %i.more = icmp slt i64 %i.next, %rows
  br i1 %i.more, label %row, label %done
done:
  ret void
}}
"""


def _print_block(words: _Words, linkage: str) -> str:
    p, size, row = words.prefix, words.size, words.row
    return f"""
define {linkage} void @{p}.block(i64 %m, i64 %n, i64 %k, i64 %depth, ptr noalias %a, i64 %a.row, i64 %a.column, ptr noalias %b, i64 %b.row, i64 %b.column, ptr noalias %c, i64 %c.row, i1 %direct, i1 %packed, ptr noalias %scratch) noinline nounwind {{
entry:
  %panel.bytes = mul i64 %depth, {row}
  %buffer = getelementptr i8, ptr %scratch, i64 %panel.bytes
  %pa = getelementptr i8, ptr %buffer, i64 {row * words.rows}
  %group = select i1 %packed, i64 {words.width}, i64 %m
  %row.of.tile = select i1 %packed, i64 {size}, i64 %a.row
  %column.of.tile = select i1 %packed, i64 {row}, i64 %a.column
  br label %depth.loop

depth.loop:
  %p = phi i64 [ 0, %entry ], [ %p.next, %depth.next ]
  %ap = phi ptr [ %a, %entry ], [ %ap.next, %depth.next ]
  %bp = phi ptr [ %b, %entry ], [ %bp.next, %depth.next ]
  %p.next = add i64 %p, %depth
  %first = icmp eq i64 %p, 0
  %rest = sub i64 %k, %p
  %d = call i64 @llvm.smin.i64(i64 %rest, i64 %depth)
  %d.bytes = mul i64 %d, {row}
  %a.deeper = mul i64 %depth, %a.column
  %b.deeper = mul i64 %depth, %b.row
  %ap.next = getelementptr i8, ptr %ap, i64 %a.deeper
  %bp.next = getelementptr i8, ptr %bp, i64 %b.deeper
  br i1 %packed, label %a.loop, label %panels
a.loop:
  %ai = phi i64 [ 0, %depth.loop ], [ %ai.next, %a.loop ]
  %as = phi ptr [ %ap, %depth.loop ], [ %as.next, %a.loop ]
  %at = phi ptr [ %pa, %depth.loop ], [ %at.next, %a.loop ]
  %a.left = sub i64 %m, %ai
  %a.rows = call i64 @llvm.smin.i64(i64 %a.left, i64 {words.width})
  call void @{p}.pack(i64 %d, ptr %as, i64 %a.column, i64 %a.row, i64 %a.rows, ptr %at)
  %a.step = mul i64 %a.row, {words.width}
  %as.next = getelementptr i8, ptr %as, i64 %a.step
  %at.next = getelementptr i8, ptr %at, i64 %d.bytes
  %ai.next = add i64 %ai, {words.width}
  %a.more = icmp slt i64 %ai.next, %m
  br i1 %a.more, label %a.loop, label %panels
panels:
  %a.start = phi ptr [ %ap, %depth.loop ], [ %pa, %a.loop ]
  br label %panel.loop

panel.loop:
  %j = phi i64 [ 0, %panels ], [ %j.next, %panel.next ]
  %j.next = add i64 %j, {words.width}
  %cj = getelementptr {words.element}, ptr %c, i64 %j
  %bj.at = mul i64 %j, %b.column
  %bj = getelementptr i8, ptr %bp, i64 %bj.at
  %j.more = icmp slt i64 %j.next, %n
  %columns.left = sub i64 %n, %j
  %narrow = icmp slt i64 %columns.left, {words.width}
  %columns = select i1 %narrow, i64 %columns.left, i64 {words.width}
  %wide = xor i1 %narrow, true
  %as.it.is = and i1 %wide, %direct
  br i1 %as.it.is, label %group.start, label %pack
pack:
  call void @{p}.pack(i64 %d, ptr %bj, i64 %b.row, i64 %b.column, i64 %columns, ptr %scratch)
  br label %group.start

group.start:
  %panel = phi ptr [ %bj, %panel.loop ], [ %scratch, %pack ]
  %panel.row = phi i64 [ %b.row, %panel.loop ], [ {row}, %pack ]
  br label %group.loop
group.loop:
  %g = phi i64 [ 0, %group.start ], [ %g.next, %group.next ]
  %ag = phi ptr [ %a.start, %group.start ], [ %ag.next, %group.next ]
  %cg = phi ptr [ %cj, %group.start ], [ %ci.next, %group.next ]
  %g.next = add i64 %g, %group
  %ag.next = getelementptr i8, ptr %ag, i64 %d.bytes
  %g.left = sub i64 %m, %g
  %g.rows = call i64 @llvm.smin.i64(i64 %g.left, i64 %group)
  %g.rows1 = add i64 %g.rows, {words.rows - 1}
  %tiles = udiv i64 %g.rows1, {words.rows}
  %height = udiv i64 %g.rows, %tiles
  %taller = urem i64 %g.rows, %tiles
  br label %tile.loop
tile.loop:
  %t = phi i64 [ 0, %group.loop ], [ %t.next, %tile.next ]
  %at1 = phi ptr [ %ag, %group.loop ], [ %at1.next, %tile.next ]
  %ci = phi ptr [ %cg, %group.loop ], [ %ci.next, %tile.next ]
  %tall = icmp slt i64 %t, %taller
  %one = zext i1 %tall to i64
  %rows = add i64 %height, %one
  %index = add i64 %rows, -1
  %entry.at = getelementptr ptr, ptr @{p}.tiles, i64 %index
  %tile = load ptr, ptr %entry.at
  br i1 %narrow, label %tile.narrow, label %tile.wide
tile.wide:
  %old = select i1 %first, ptr @{p}.zeros, ptr %ci
  %old.row = select i1 %first, i64 0, i64 %c.row
  call void %tile(i64 %d, ptr %at1, i64 %row.of.tile, i64 %column.of.tile, ptr %panel, i64 %panel.row, ptr %ci, i64 %c.row, ptr %old, i64 %old.row)
  br label %tile.next
tile.narrow:
  call void %tile(i64 %d, ptr %at1, i64 %row.of.tile, i64 %column.of.tile, ptr %panel, i64 %panel.row, ptr %buffer, i64 {row}, ptr @{p}.zeros, i64 0)
  %add = xor i1 %first, true
  call void @{p}.merge(i64 %rows, i64 %columns, ptr %buffer, ptr %ci, i64 %c.row, i1 %add)
  br label %tile.next
tile.next:
  %tile.step = mul i64 %rows, %row.of.tile
  %c.step = mul i64 %rows, %c.row
  %at1.next = getelementptr i8, ptr %at1, i64 %tile.step
  %ci.next = getelementptr i8, ptr %ci, i64 %c.step
  %t.next = add i64 %t, 1
  %t.more = icmp slt i64 %t.next, %tiles
  br i1 %t.more, label %tile.loop, label %group.next
group.next:
  %g.more = icmp slt i64 %g.next, %m
  br i1 %g.more, label %group.loop, label %panel.next

panel.next:
  br i1 %j.more, label %panel.loop, label %depth.next
depth.next:
  %p.more = icmp slt i64 %p.next, %k
  br i1 %p.more, label %depth.loop, label %done
done:
  ret void
}}
"""


def print_product(plan: ProductPlan, name: str) -> str:
    words = _Words(plan.dtype, plan.vector_bytes)
    (ar, ac), (br, bc) = ([each * words.size for each in strides] for strides in (plan.a_strides, plan.b_strides))
    return f"""
define internal void @{name}(ptr noalias %a, ptr noalias %b, ptr noalias %c, i64 %ldc, i64 %i0, i64 %i1, i64 %j0, i64 %j1, ptr %scratch) {{
  %m = sub i64 %i1, %i0
  %n = sub i64 %j1, %j0
  %a.at = mul i64 %i0, {ar}
  %b.at = mul i64 %j0, {bc}
  %ai = getelementptr i8, ptr %a, i64 %a.at
  %bj = getelementptr i8, ptr %b, i64 %b.at
  %c.row = mul i64 %ldc, {words.size}
  call void @{words.prefix}.block(i64 %m, i64 %n, i64 {plan.k}, i64 {plan.depth}, ptr %ai, i64 {ar}, i64 {ac}, ptr %bj, i64 {br}, i64 {bc}, ptr %c, i64 %c.row, i1 {str(plan.direct).lower()}, i1 {str(plan.packed).lower()}, ptr %scratch)
  ret void
}}
"""
