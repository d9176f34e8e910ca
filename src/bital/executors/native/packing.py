"""Operands of matrix products copied into panels, as LLVM IR text (words as in `tiles`)."""

from __future__ import annotations

from string import Template

# Panels of `k` rows each, one after the other, from a matrix of k rows and some columns; the last
# one has zeros beside its columns. Second vectors of a row overlap the first where it has less
# than two; the last square of a transposition overlaps the one before it.
_PACK = """
define $linkage void @$p.pack(i64 %k, ptr noalias %b, i64 %row, i64 %column, i64 %columns,
    ptr noalias %panels) noinline nounwind optsize {
entry:
  %panel.bytes = mul i64 %k, $row
  %last = sub i64 %k, $lanes
  %dense = icmp eq i64 %column, $size
  %down = icmp eq i64 %row, $size
  %wide.end = sub i64 %columns, $width
  %some = icmp sge i64 %wide.end, 0
  %is.wide = and i1 %dense, %some
  br i1 %is.wide, label %wide.row, label %panel

wide.row:
  %wk = phi i64 [ 0, %entry ], [ %wk.next, %wide.next ]
  %ws = phi ptr [ %b, %entry ], [ %ws.next, %wide.next ]
  %wt = phi ptr [ %panels, %entry ], [ %wt.next, %wide.next ]
  br label %wide
wide:
  %wj = phi i64 [ 0, %wide.row ], [ %wj.next, %wide ]
  %wp = phi ptr [ %ws, %wide.row ], [ %wp.next, %wide ]
  %wq = phi ptr [ %wt, %wide.row ], [ %wq.next, %wide ]
  %wp1 = getelementptr $vector, ptr %wp, i64 1
  %wq1 = getelementptr $vector, ptr %wq, i64 1
  %w0 = load $vector, ptr %wp, align $size
  %w1 = load $vector, ptr %wp1, align $size
  store $vector %w0, ptr %wq, align $align
  store $vector %w1, ptr %wq1, align $align
  %wp.next = getelementptr i8, ptr %wp, i64 $row
  %wq.next = getelementptr i8, ptr %wq, i64 %panel.bytes
  %wj.next = add i64 %wj, $width
  %w.more = icmp sle i64 %wj.next, %wide.end
  br i1 %w.more, label %wide, label %wide.next
wide.next:
  %ws.next = getelementptr i8, ptr %ws, i64 %row
  %wt.next = getelementptr i8, ptr %wt, i64 $row
  %wk.next = add i64 %wk, 1
  %wk.more = icmp slt i64 %wk.next, %k
  br i1 %wk.more, label %wide.row, label %panel

panel:
  %j = phi i64 [ 0, %entry ], [ %wj.next, %wide.next ], [ %j.next, %next ]
  %left = sub i64 %columns, %j
  %any = icmp sgt i64 %left, 0
  br i1 %any, label %look, label %done
look:
  %full = icmp sge i64 %left, $width
  %here = call i64 @llvm.smin.i64(i64 %left, i64 $width)
  %second = sub i64 %here, $lanes
  %source.at = mul i64 %j, %column
  %source = getelementptr i8, ptr %b, i64 %source.at
  %target.number = udiv i64 %j, $width
  %target.at = mul i64 %target.number, %panel.bytes
  %target = getelementptr i8, ptr %panels, i64 %target.at
  br i1 %full, label %choose, label %zero
zero:
  %zk = phi i64 [ 0, %look ], [ %zk.next, %zero ]
  %zt = phi ptr [ %target, %look ], [ %zt.next, %zero ]
  %zt1 = getelementptr $vector, ptr %zt, i64 1
  store $vector zeroinitializer, ptr %zt, align $align
  store $vector zeroinitializer, ptr %zt1, align $align
  %zt.next = getelementptr i8, ptr %zt, i64 $row
  %zk.next = add i64 %zk, 1
  %z.more = icmp slt i64 %zk.next, %k
  br i1 %z.more, label %zero, label %choose

choose:
  %enough = icmp sge i64 %second, 0
  %long = icmp sge i64 %last, 0
  %is.copy = and i1 %dense, %enough
  %square = and i1 %enough, %long
  %is.turn = and i1 %down, %square
  br i1 %is.copy, label %copy, label %other
other:
  br i1 %is.turn, label %turn.column, label %slow.row

copy:
  %ck = phi i64 [ 0, %choose ], [ %ck.next, %copy ]
  %cs = phi ptr [ %source, %choose ], [ %cs.next, %copy ]
  %ct = phi ptr [ %target, %choose ], [ %ct.next, %copy ]
  %cs1 = getelementptr $element, ptr %cs, i64 %second
  %ct1 = getelementptr $element, ptr %ct, i64 %second
  %c0 = load $vector, ptr %cs, align $size
  %c1 = load $vector, ptr %cs1, align $size
  store $vector %c0, ptr %ct, align $size
  store $vector %c1, ptr %ct1, align $size
  %cs.next = getelementptr i8, ptr %cs, i64 %row
  %ct.next = getelementptr i8, ptr %ct, i64 $row
  %ck.next = add i64 %ck, 1
  %c.more = icmp slt i64 %ck.next, %k
  br i1 %c.more, label %copy, label %next

turn.column:
  %tj = phi i64 [ 0, %other ], [ %second, %turn.next ]
  %ts.at = mul i64 %tj, %column
  %ts = getelementptr i8, ptr %source, i64 %ts.at
  %tt = getelementptr $element, ptr %target, i64 %tj
  br label %turn
turn:
  %tk = phi i64 [ 0, %turn.column ], [ %tk.next, %turn ]
  %tk.in = call i64 @llvm.smin.i64(i64 %tk, i64 %last)
  %s0 = getelementptr $element, ptr %ts, i64 %tk.in
  %t0.at = mul i64 %tk.in, $row
  %t0 = getelementptr i8, ptr %tt, i64 %t0.at
$turned
  %tk.next = add i64 %tk, $lanes
  %t.more = icmp slt i64 %tk.next, %k
  br i1 %t.more, label %turn, label %turn.next
turn.next:
  %tj.more = icmp slt i64 %tj, %second
  br i1 %tj.more, label %turn.column, label %next

slow.row:
  %sk = phi i64 [ 0, %other ], [ %sk.next, %slow.next ]
  %ss = phi ptr [ %source, %other ], [ %ss.next, %slow.next ]
  %st = phi ptr [ %target, %other ], [ %st.next, %slow.next ]
  br label %slow
slow:
  %sj = phi i64 [ 0, %slow.row ], [ %sj.next, %slow ]
  %sp = phi ptr [ %ss, %slow.row ], [ %sp.next, %slow ]
  %sv = load $element, ptr %sp, align $size
  %sq = getelementptr $element, ptr %st, i64 %sj
  store $element %sv, ptr %sq, align $size
  %sp.next = getelementptr i8, ptr %sp, i64 %column
  %sj.next = add i64 %sj, 1
  %sj.more = icmp slt i64 %sj.next, %here
  br i1 %sj.more, label %slow, label %slow.next
slow.next:
  %ss.next = getelementptr i8, ptr %ss, i64 %row
  %st.next = getelementptr i8, ptr %st, i64 $row
  %sk.next = add i64 %sk, 1
  %s.more = icmp slt i64 %sk.next, %k
  br i1 %s.more, label %slow.row, label %next
next:
  %j.next = add i64 %j, $width
  br label %panel
done:
  ret void
}
"""


def print_pack(lanes: int) -> str:
    """The function that packs, with the words of `tiles.Shape` left open."""
    return Template(_PACK).safe_substitute(turned=_print_turn(lanes))


def _print_turn(lanes: int) -> str:
    """A square of `lanes` rows transposed: halves of pairs of rows change places, then quarters."""
    lines, rows = [], [f"%x{i}" for i in range(lanes)]
    for i in range(lanes):
        if i:
            lines.append(f"  %s{i} = getelementptr i8, ptr %s{i - 1}, i64 %column")
        lines.append(f"  %x{i} = load $vector, ptr %s{i}, align $size")
    step = lanes // 2
    while step:
        for i in (i for i in range(lanes) if not i & step):
            pair = f"$vector {rows[i]}, $vector {rows[i + step]}"
            for row, first in ((i, 0), (i + step, step)):
                # Lanes with that bit come from the other row, from a place that is `step` lower.
                picks = [c + first + (lanes - step if c & step else 0) for c in range(lanes)]
                mask = ", ".join(f"i32 {pick}" for pick in picks)
                rows[row] = f"%x{row}.{step}"
                lines.append(f"  {rows[row]} = shufflevector {pair}, <$lanes x i32> <{mask}>")
        step //= 2
    for i in range(lanes):
        if i:
            lines.append(f"  %t{i} = getelementptr i8, ptr %t{i - 1}, i64 $row")
        lines.append(f"  store $vector {rows[i]}, ptr %t{i}, align $size")
    return "\n".join(lines)
