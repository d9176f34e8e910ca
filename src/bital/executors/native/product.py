"""Matrix products: how one is cut into tasks, and what computes a task, as LLVM IR text.

A product is cut into blocks, one a task. A block's rows of A meet panels of B, a few columns each
and packed so that they lie well, in tiles whose sums stay in registers while the loop runs over
the inner axis [1]_ (`tiles`). Blocks are cut so that the threads at hand share them evenly. Sums
are cut at fixed depths of the inner axis, wherever blocks end: results are the same bits for any
number of threads.

.. [1] Kazushige Goto and Robert A. van de Geijn, "Anatomy of high-performance matrix
   multiplication", ACM Transactions on Mathematical Software 34(3), 2008.
"""

from __future__ import annotations

from dataclasses import dataclass
from string import Template
from typing import Any

import numpy as np

from bital.executors.native.copying import Map, print_copy
from bital.executors.native.tiles import Shape, print_functions

DType = np.dtype[Any]
_FIRST = 25 << 10  # bytes of a panel that stay in a first-level cache beside the rows it meets
_LINES = 128  # cache lines, each in a page of its own, that are quickly read again and again
_CHUNK = 20 << 10  # bytes of rows that stay in a first-level cache while panels meet them
_HIGH = 96  # rows of a chunk at least: where they are long, in a second-level cache
_SECOND = 512 << 10  # bytes of panels that are not far away
_BLOCK = 256 << 10  # bytes of a block: not far away either when the rest of its task reads it
_LINE = 64  # bytes that two tasks should not both write to
_FLOPS = 125_000  # that make a task worth while
_TASKS = 4  # to a thread, that are enough where a block need not be smaller
_READ_B, _READ_A, _TASK = 0.5, 0.06, 1.0  # cycles: for a column, for a row, for a task
_READ_FAR = 0.2  # for a row of an A that no second-level cache holds
_BORDER = 60  # cycles that a line costs that two threads write to


@dataclass(frozen=True)
class ProductPlan:
    """How the product of an (m, k) and a (k, n) matrix is cut into tasks, and computed.

    Attributes
    ----------
    a_strides, b_strides : (int, int)
        From row to row and from column to column, in elements; of any sign, or 0.
    vector_bytes : int
        Of the machine's vectors.
    rows_per_task, columns_per_task : int
        Of a block. Task t computes block ``divmod(t, grid[1])`` of the grid.
    depth : int
        How much of k is summed at a time.
    chunk : int
        How many rows meet all panels before the next ones do.
    kind : str
        "tiles"; "dots", contiguous rows of a matrix times a vector; "turned", a matrix with
        contiguous columns times a vector, computed as the vector times the transpose.
    direct : bool
        The first tile that meets a panel of B reads it where it lies, and packs it.
    packed : bool
        A is packed too.
    a_map, b_map : Map, optional
        Of an operand that no two strides describe; it is copied part by part.
    """

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
    chunk: int
    kind: str
    direct: bool
    packed: bool
    a_map: Map | None = None
    b_map: Map | None = None

    @property
    def grid(self) -> tuple[int, int]:
        """How many blocks lie below each other, and beside each other."""
        return -(-self.m // self.rows_per_task), -(-self.n // self.columns_per_task)

    @property
    def tasks(self) -> int:
        return self.grid[0] * self.grid[1]

    def block(self, task: int) -> tuple[int, int, int, int]:
        """First row, row after the last, first column, column after the last."""
        row, column = divmod(task, self.grid[1])
        i, j = row * self.rows_per_task, column * self.columns_per_task
        return i, min(self.m, i + self.rows_per_task), j, min(self.n, j + self.columns_per_task)

    def in_blocks(self, rows: int) -> ProductPlan:
        """The same product in blocks of so many rows and all columns."""
        strides, maps = (self.a_strides, self.b_strides), (self.a_map, self.b_map)
        return plan(
            self.dtype, self.m, self.n, self.k, *strides, self.vector_bytes, *maps, rows=rows
        )

    @property
    def scratch(self) -> int:
        """Bytes that a running task needs for itself, aligned to 64."""
        shape = Shape(self.dtype, self.vector_bytes)
        down, across = (shape.panels(each) for each in (self.rows_per_task, self.columns_per_task))
        if self.kind == "dots":
            return shape.panels(self.k) * shape.row
        if self.kind == "turned":
            return self._row_at + down * shape.row
        panels = 1 if self.direct and self.rows_per_task <= shape.rows else across
        if self.packed:
            panels += shape.panels(min(self.chunk, self.rows_per_task))
        return shape.row * (shape.rows + panels * self.depth) + sum(self._copied)

    @property
    def _copied(self) -> tuple[int, int]:
        """Bytes of the parts of A and B that are copied."""
        sizes = []
        for map, free in ((self.a_map, self.chunk), (self.b_map, self.columns_per_task)):
            rows = 0 if map is None else free if map.along else self.depth
            sizes.append(_aligned(rows * self._pitch(map, free)))
        return sizes[0], sizes[1]

    def _pitch(self, map: Map | None, free: int) -> int:
        """Bytes from row to row of a copy; no power of two, which few sets of a cache hold."""
        if map is None:
            return 0
        pitch = _aligned((self.depth if map.along else free) * self.dtype.itemsize)
        return pitch if pitch % 512 else pitch + _LINE

    @property
    def _row_at(self) -> int:
        """Where "turned" has its row: behind a tile and a panel."""
        shape = Shape(self.dtype, self.vector_bytes)
        return shape.row * (shape.rows + self.depth)


def plan(
    dtype: DType,
    m: int,
    n: int,
    k: int,
    a_strides: tuple[int, int],
    b_strides: tuple[int, int],
    vector_bytes: int,
    a_map: Map | None = None,
    b_map: Map | None = None,
    batch: int = 1,
    rows: int = 0,
    threads: int = 2,
) -> ProductPlan:
    """Cut a product into tasks: one if it is tiny, else enough for many threads.

    Parameters
    ----------
    dtype : dtype
        float32 or float64.
    m, n, k : int
        The product is (m, n), summed over k; m and n are not 0.
    a_strides, b_strides : (int, int)
        From row to row and from column to column, in elements; of any sign, or 0.
    vector_bytes : int
        Of the machine's vectors: 16, 32 or 64.
    a_map, b_map : Map, optional
        In place of an operand's strides.
    batch : int
        How many such products there are.
    rows : int
        Of a block, which then has all columns; 0 for what seems best.
    threads : int
        That share the blocks. Sums are the same for any number.
    """
    shape = Shape(dtype, vector_bytes)
    kind = "tiles"
    if a_map is not None or b_map is not None:
        pass
    elif k and m > 1 and n == 1 and a_strides[0] == 1:
        kind = "turned"
    elif k and ((n == 1 and a_strides[1] == 1) or (m == 1 and b_strides[0] == 1)):
        kind = "dots"
    # Columns of A that are contiguous give a tile one line for each step along k: a short way is
    # walked as it is, a long one packed if enough panels of B will meet it.
    down = kind == "tiles" and m > 1 and a_strides[0] == 1 and a_map is None
    packed = down and k > _LINES and n >= 10 * shape.width
    most = _FIRST // shape.row // (2 if packed else 1)
    if down and not packed:
        most = min(most, _LINES)
    depth = -(-max(1, k) // -(-max(1, k) // most))
    columns = n
    if not rows:
        rows, columns = _cut(shape, m, n, k, depth, packed or a_map is not None, batch, threads)
    unit = shape.width if packed else shape.rows
    unit = 4 * unit if a_map is not None and not a_map.along else unit
    chunk = _part(rows, -(-rows // max(_HIGH, _CHUNK // (depth * shape.size))), unit)
    direct = k > 0 and b_strides[1] == 1 and b_map is None
    return ProductPlan(
        dtype,
        m,
        n,
        k,
        a_strides,
        b_strides,
        vector_bytes,
        rows_per_task=rows,
        columns_per_task=columns,
        depth=depth,
        chunk=chunk,
        kind=kind,
        direct=direct,
        packed=packed,
        a_map=a_map,
        b_map=b_map,
    )


def _cut(
    shape: Shape, m: int, n: int, k: int, depth: int, packed: bool, batch: int, threads: int
) -> tuple[int, int]:
    """Rows and columns of a block: of those that are small enough, what is done first.

    Two blocks for each thread at least, where that is worth while: one may be held up.
    """
    read_row = _READ_A if m * k * shape.size <= _SECOND else _READ_FAR
    most = min(_TASKS * threads, max(1, 2 * m * n * k // _FLOPS)) if threads > 1 else 1
    line = _LINE // shape.size
    row_unit = line if n == 1 else shape.width if packed else shape.rows
    column_unit = max(line, shape.width)
    widest = max(column_unit, _SECOND // (depth * shape.size))
    least = -(-n // widest)
    found = []
    for across in range(least, least + most):
        columns = _part(n, across, column_unit)
        highest = max(1, _BLOCK // (columns * shape.size * row_unit)) * row_unit
        lowest = -(-m // highest)
        for down in range(lowest, max(lowest, most // across) + 1):
            rows = _part(m, down, row_unit)
            few = batch * -(-m // rows) * -(-n // columns) < min(most, 2 * threads)
            # Beside each other, blocks share lines of C unless its rows end with one.
            shared = columns < n and n * shape.size % _LINE
            each_row = read_row + (_BORDER / k if shared and k else 0)
            end = _end(shape, m, n, rows, columns, each_row, batch, threads)
            found.append((few, end, rows, columns))
    return min(found)[2:]


def _end(
    shape: Shape,
    m: int,
    n: int,
    rows: int,
    columns: int,
    each_row: float,
    batch: int,
    threads: int,
) -> float:
    """When the last thread is done, if each takes the next block; in cycles for each step along k.

    A tile's sums take half a cycle a vector, four at least. What B costs to read and pack for each
    block, and A to read, is as measured.
    """
    ends = [0.0] * threads
    for _ in range(min(batch, 2 * threads)):
        for i in range(0, m, rows):
            for j in range(0, n, columns):
                high, wide = min(rows, m - i), min(columns, n - j)
                tiles, rest = divmod(high, shape.rows)
                panels = wide / shape.width
                cost = (tiles * shape.rows + (max(4, rest) if rest else 0)) * panels
                first = ends.index(min(ends))
                ends[first] += cost + _READ_B * wide + each_row * high + _TASK
    return max(ends)


def _part(length: int, parts: int, unit: int) -> int:
    """The length of a part, of whole units."""
    return min(length, -(-length // (parts * unit)) * unit)


# --- text -----------------------------------------------------------------------------------


def print_support(dtype: DType, vector_bytes: int, linkage: str = "internal") -> str:
    """The functions that all products of a dtype call.

    Parameters
    ----------
    dtype : dtype
        float32 or float64.
    vector_bytes : int
        Of the machine's vectors.
    linkage : str
        "internal", for a module with the products in it; "" for a module of its own, whose
        functions another one declares (`declare_support`).
    """
    return print_functions(Shape(dtype, vector_bytes), linkage)


_CALLED = """
declare void @$p.pack(i64, ptr, i64, i64, i64, ptr)
declare void @$p.dots(i64, i64, ptr, i64, ptr, ptr, i64)
declare void @$p.block(i64, i64, i64, i64, ptr, i64, i64, ptr, i64, i64, ptr, i64, i1, i1, i64, ptr,
    ptr, i64, ptr, ptr, i64, ptr)
"""


def declare_support(dtype: DType, vector_bytes: int) -> str:
    """Declarations of what products of a dtype call, for a module without `print_support`."""
    return Shape(dtype, vector_bytes).fill(_CALLED)


_PRODUCT = """
define internal void @$name(ptr noalias %a, ptr noalias %b, ptr noalias %c, i64 %ldc,
    i64 %i0, i64 %i1, i64 %j0, i64 %j1, ptr noalias %scratch) {
entry:
  %m = sub i64 %i1, %i0
  %n = sub i64 %j1, %j0
  %a.at = mul i64 %i0, $a_step
  %b.at = mul i64 %j0, $b_step
  %a.copied = getelementptr i8, ptr %scratch, i64 $a_copied
  %b.copied = getelementptr i8, ptr %scratch, i64 $b_copied
  %ai = getelementptr i8, ptr %a, i64 %a.at
  %bj = getelementptr i8, ptr %b, i64 %b.at
  %c.row = mul i64 %ldc, $size
$body
}
"""
_TILES = """
  call void @$p.block(i64 %m, i64 %n, i64 $k, i64 $depth, ptr %ai, i64 $a_row, i64 $a_column,
      ptr %bj, i64 $b_row, i64 $b_column, ptr %c, i64 %c.row, i1 $direct, i1 $packed, i64 $chunk,
      ptr %scratch, ptr $copy_a, i64 %i0, ptr %a.copied, ptr $copy_b, i64 %j0, ptr %b.copied)
  ret void"""
_ROW_TIMES = """
  call void @$p.pack(i64 1, ptr %ai, i64 0, i64 $a_column, i64 $k, ptr %scratch)
  call void @$p.dots(i64 %n, i64 $k, ptr %bj, i64 $b_column, ptr %scratch, ptr %c, i64 $size)
  ret void"""
_TIMES_COLUMN = """
  call void @$p.pack(i64 1, ptr %bj, i64 0, i64 $b_row, i64 $k, ptr %scratch)
  call void @$p.dots(i64 %m, i64 $k, ptr %ai, i64 $a_row, ptr %scratch, ptr %c, i64 %c.row)
  ret void"""
_TURNED = """
  %row = getelementptr i8, ptr %scratch, i64 $row_at
  call void @$p.block(i64 1, i64 %m, i64 $k, i64 $depth, ptr %bj, i64 0, i64 $b_row,
      ptr %ai, i64 $a_column, i64 $a_row, ptr %row, i64 0, i1 true, i1 false, i64 1, ptr %scratch,
      ptr null, i64 0, ptr null, ptr null, i64 0, ptr null)
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %i.next, %loop ]
  %from = getelementptr $element, ptr %row, i64 %i
  %c.i = mul i64 %i, %c.row
  %to = getelementptr i8, ptr %c, i64 %c.i
  %x = load $element, ptr %from
  store $element %x, ptr %to
  %i.next = add i64 %i, 1
  %more = icmp slt i64 %i.next, %m
  br i1 %more, label %loop, label %end
end:
  ret void"""


def print_product(plan: ProductPlan, name: str) -> str:
    """The function that computes a block.

    ``void @name(ptr a, ptr b, ptr c, i64 ldc, i64 i0, i64 i1, i64 j0, i64 j1, ptr scratch)``
    writes rows i0 to i1 and columns j0 to j1 of the product to c, whose rows are ldc elements
    apart and whose columns are contiguous. The block must be one of the plan's.
    """
    shape = Shape(plan.dtype, plan.vector_bytes)
    strides = (*plan.a_strides, *plan.b_strides)
    names = "a_row", "a_column", "b_row", "b_column"
    words: dict[str, Any] = {n: s * shape.size for n, s in zip(names, strides, strict=True)}
    words |= {"k": plan.k, "depth": plan.depth, "name": name, "chunk": plan.chunk}
    words |= {"direct": str(plan.direct).lower(), "packed": str(plan.packed).lower()}
    body = {"tiles": _TILES, "turned": _TURNED}.get(plan.kind)
    if body is None:
        body = _TIMES_COLUMN if plan.n == 1 and plan.a_strides[1] == 1 else _ROW_TIMES
    head = _maps(plan, shape, words, name)
    if plan.k == 0:  # the product of zeros: one of them, again and again
        words |= dict.fromkeys(names, 0) | {"k": 1}
        words |= {"a_step": 0, "b_step": 0}
        head += "@$name.zero = internal constant double 0.0"
        body = body.replace("%ai", "@$name.zero").replace("%bj", "@$name.zero")
    if plan.kind == "turned":
        words["row_at"] = plan._row_at
    return shape.fill(Template(head + _PRODUCT.replace("$body", body)).safe_substitute(words))


def _maps(plan: ProductPlan, shape: Shape, words: dict[str, Any], name: str) -> str:
    """The functions that copy operands; the words of a product that calls them, or does not."""
    text = ""
    words |= {"a_step": words["a_row"], "b_step": words["b_column"]}
    end = plan.scratch
    sides = (
        ("a", plan.a_map, plan.chunk, ("a_row", "a_column")),
        ("b", plan.b_map, plan.columns_per_task, ("b_column", "b_row")),
    )
    for (side, map, free, strides), size in zip(sides, plan._copied, strict=True):
        end -= size
        words |= {f"copy_{side}": "null", f"{side}_copied": end if size else 0}
        if map is not None:
            pitch = plan._pitch(map, free)
            words |= dict(
                zip(strides, (pitch, shape.size) if map.along else (shape.size, pitch), strict=True)
            )
            words |= {f"copy_{side}": f"@{name}.{side}", f"{side}_step": 0}
            text += print_copy(map, shape, f"{name}.{side}", pitch)
    return text


def _aligned(size: int) -> int:
    return -(-size // _LINE) * _LINE
