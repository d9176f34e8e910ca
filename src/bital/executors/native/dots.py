"""Matrix times vector, as LLVM IR text (words as in `tiles`)."""

from __future__ import annotations

from string import Template

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


def print_dots(lanes: int) -> str:
    """The function that multiplies rows by a vector, with the words of `tiles.Shape` left open."""
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
    lines = {name: "\n".join(part) for name, part in parts.items()}
    return Template(_DOTS).safe_substitute(lines)
