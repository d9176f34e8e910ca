"""Matrix products of the native executor, against NumPy: values, memory, and bits."""

import ctypes
import functools
import mmap
import re
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

llvm = pytest.importorskip("llvmlite.binding")
threads = pytest.importorskip("bital.executors.native.threads")
product = pytest.importorskip("bital.executors.native.product")
compiler = pytest.importorskip("bital.executors.native.compiler")
threadpoolctl = pytest.importorskip("threadpoolctl")

HERE = compiler.vector_bytes()
WIDTHS = [16, 32, 64]  # of vectors; where the machine's are smaller, LLVM cuts them

# A context is {a, b, c, scratch}: a task computes one block of the whole c.
TASK = """
define void @task(ptr %context, i64 %task, i64 %slot) {{
  %a = load ptr, ptr %context
  %b.at = getelementptr ptr, ptr %context, i64 1
  %b = load ptr, ptr %b.at
  %c.at = getelementptr ptr, ptr %context, i64 2
  %c = load ptr, ptr %c.at
  %scratch.at = getelementptr ptr, ptr %context, i64 3
  %scratches = load ptr, ptr %scratch.at
  %own = mul i64 %slot, {scratch}
  %scratch = getelementptr i8, ptr %scratches, i64 %own
  %row = sdiv i64 %task, {across}
  %column = srem i64 %task, {across}
  %i0 = mul i64 %row, {rows}
  %j0 = mul i64 %column, {columns}
  %i.end = add i64 %i0, {rows}
  %j.end = add i64 %j0, {columns}
  %i1 = call i64 @llvm.smin.i64(i64 %i.end, i64 {m})
  %j1 = call i64 @llvm.smin.i64(i64 %j.end, i64 {n})
  %first = mul i64 %i0, {n}
  %start = add i64 %first, %j0
  %place = getelementptr {element}, ptr %c, i64 %start
  call void @product(ptr %a, ptr %b, ptr %place, i64 {n}, i64 %i0, i64 %i1, i64 %j0, i64 %j1,
      ptr %scratch)
  ret void
}}
"""


@pytest.fixture(autouse=True, scope="module")
def nothing_is_kept():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BITAL_CACHE", "0")
        yield


def elements(array):
    return tuple(stride // array.itemsize for stride in array.strides)


def planned(a, b, vector_bytes=HERE, **changes):
    (m, k), n = a.shape, b.shape[1]
    made = product.plan(a.dtype, m, n, k, elements(a), elements(b), vector_bytes)
    return replace(made, **changes)


@functools.cache
def provide(dtype, vector_bytes):
    """The functions that all products call, for those that are compiled later."""
    text = product.print_support(dtype, vector_bytes, linkage="")
    machine = compiler.load(text)
    for name in re.findall(r"@([\w.]+)\(", product.declare_support(dtype, vector_bytes)):
        llvm.add_symbol(name, machine.address(name))
    return machine


class Compiled:
    """One plan's machine code, block by block or as tasks of a pool."""

    def __init__(self, plan):
        self.plan = plan
        self.support = provide(plan.dtype, plan.vector_bytes)
        text = product.declare_support(plan.dtype, plan.vector_bytes)
        text += product.print_product(plan, "product").replace("define internal", "define", 1)
        text += TASK.format(
            scratch=plan.scratch,
            across=plan.grid[1],
            rows=plan.rows_per_task,
            columns=plan.columns_per_task,
            m=plan.m,
            n=plan.n,
            element={4: "float", 8: "double"}[plan.dtype.itemsize],
        )
        self.machine = compiler.load(text)
        pointer, number = ctypes.c_void_p, ctypes.c_int64
        kind = ctypes.CFUNCTYPE(None, *[pointer] * 3, *[number] * 5, pointer)
        self.block = kind(self.machine.address("product"))

    def __call__(self, a, b, gap=0, order=1):
        """The product, with `gap` elements that must stay as they are behind each row of it."""
        plan = self.plan
        c = np.full((plan.m, plan.n + gap), np.nan, plan.dtype)
        scratch, guard = aligned(plan.scratch + 64), b"\xaa" * 64
        scratch[:] = 0xFF  # NaNs, for whoever reads what was not written
        scratch[plan.scratch :] = 0xAA
        for task in range(plan.tasks)[::order]:
            i, i_end, j, j_end = plan.block(task)
            place = c.ctypes.data + (i * c.shape[1] + j) * c.itemsize
            bounds = (c.shape[1], i, i_end, j, j_end)
            self.block(a.ctypes.data, b.ctypes.data, place, *bounds, scratch.ctypes.data)
        assert np.isnan(c[:, plan.n :]).all()
        assert scratch[plan.scratch :].tobytes() == guard
        return c[:, : plan.n]

    def in_pool(self, pool, a, b):
        plan = self.plan
        c = np.full((plan.m, plan.n), np.nan, plan.dtype)
        scratch = aligned(plan.scratch * 3)
        data = [each.ctypes.data for each in (a, b, c, scratch)]
        context = (ctypes.c_void_p * 4)(*data)
        run = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)(pool.address)
        run(self.machine.address("task"), ctypes.addressof(context), plan.tasks)
        return c


def aligned(size):
    memory = np.empty(size + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + size]


def assert_close(found, a, b):
    """Within what k + 1 roundings of the sum of absolute products allow."""
    exact = a.astype(float) @ b.astype(float)
    bound = abs(a).astype(float) @ abs(b).astype(float)
    eps = np.finfo(found.dtype).eps
    assert (abs(found - exact) <= (a.shape[1] + 1) * eps * bound).all()


# Operands of a shape, in each layout that views make.
LAYOUTS = {
    "rows": lambda new, m, n: new(m, n),
    "columns": lambda new, m, n: new(n, m).T,
    "rows with gaps": lambda new, m, n: new(m, n + 5)[:, 2 : n + 2],
    "columns with gaps": lambda new, m, n: new(n, m + 3)[:, 1 : m + 1].T,
    "backwards": lambda new, m, n: new(m, n)[::-1, ::-1],
    "columns backwards": lambda new, m, n: new(n, m)[:, ::-1].T,
    "every other": lambda new, m, n: new(2 * m, 3 * n)[::2, ::3],
    "every other column": lambda new, m, n: new(3 * n, 2 * m)[::3, ::2].T,
    "one row": lambda new, m, n: np.broadcast_to(new(1, n), (m, n)),
    "one column": lambda new, m, n: np.broadcast_to(new(m, 1), (m, n)),
    "one number": lambda new, m, n: np.broadcast_to(new(1, 1), (m, n)),
}


def integers(seed, dtype):
    """Small integers: their products have no rounding, so that NumPy's answer is the only one."""
    random = np.random.default_rng(seed)
    return lambda *shape: random.integers(-8, 9, shape).astype(dtype)


dtypes = st.sampled_from([np.dtype(np.float32), np.dtype(np.float64)])
sizes = st.integers(1, 70) | st.sampled_from([1, 1, 2, 96, 130, 257])
depths = st.integers(1, 70) | st.sampled_from([1, 320, 321, 700, 1300])
layouts = st.sampled_from(sorted(LAYOUTS))


@settings(max_examples=200, deadline=None)
@given(dtypes, sizes, sizes, depths, layouts, layouts, st.integers(0, 99))
@example(np.dtype(np.float32), 50, 300, 784, "rows", "rows", 0)
@example(np.dtype(np.float32), 784, 300, 50, "columns", "rows", 0)
@example(np.dtype(np.float32), 50, 300, 100, "rows", "columns", 0)
@example(np.dtype(np.float32), 1, 300, 784, "rows", "rows", 0)
@example(np.dtype(np.float32), 1, 100, 300, "rows", "columns", 0)
@example(np.dtype(np.float64), 300, 1, 100, "rows", "columns", 0)
@example(np.dtype(np.float64), 300, 1, 100, "columns", "every other", 0)
def test_exact_where_sums_are(dtype, m, n, k, a_layout, b_layout, seed):
    new = integers(seed, dtype)
    a, b = LAYOUTS[a_layout](new, m, k), LAYOUTS[b_layout](new, k, n)
    found = Compiled(planned(a, b))(a, b, gap=seed % 4, order=1 - 2 * (seed % 2))
    np.testing.assert_array_equal(found, a @ b)


@pytest.mark.parametrize("vector_bytes", WIDTHS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("packed", [False, True])
def test_every_width_of_vectors(vector_bytes, dtype, packed):
    """Text for machines that are not this one."""
    new = integers(0, dtype)
    for layout in ("rows", "columns", "every other"):
        a, b = LAYOUTS[layout](new, 45, 70), LAYOUTS[layout](new, 70, 83)
        changes = {"packed": packed, "depth": 33, "chunk": 32}
        found = Compiled(planned(a, b, vector_bytes, **changes))(a, b)
        np.testing.assert_array_equal(found, a @ b)
    for a, b in ((new(9, 77), new(77, 1)), (new(77, 9).T, new(77, 1)), (new(1, 77), new(9, 77).T)):
        np.testing.assert_array_equal(Compiled(planned(a, b, vector_bytes))(a, b), a @ b)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rows", range(1, 20))
def test_every_number_of_rows_and_columns(dtype, rows):
    """All heights of tiles, and all widths of the last panel."""
    new = integers(rows, dtype)
    a, b = new(rows, 11), new(11, 33)
    for packed in (False, True):
        found = Compiled(planned(a, b[:, : 33 - rows], packed=packed))(a, b[:, : 33 - rows])
        np.testing.assert_array_equal(found, a @ b[:, : 33 - rows])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("m", "n", "k"), [(50, 30, 784), (33, 1, 5000), (1, 40, 1000)])
def test_rounding(dtype, m, n, k):
    random = np.random.default_rng(0)
    a, b = (
        random.standard_normal((m, k)).astype(dtype),
        random.standard_normal((k, n)).astype(dtype),
    )
    assert_close(Compiled(planned(a, b))(a, b), a, b)


def test_long_sums_stay_accurate():
    """One running sum of a million numbers would lose three digits more."""
    for m, n in ((1, 1), (7, 20)):
        a, b = np.full((m, 1_000_000), 0.1, np.float32), np.ones((1_000_000, n), np.float32)
        found = Compiled(planned(a, b))(a, b)
        np.testing.assert_allclose(found, 1e5, rtol=2e-5)


def test_sums_of_nothing_are_zero():
    for m, n in ((1, 1), (5, 1), (1, 7), (40, 50)):
        a, b = np.zeros((m, 0), np.float32), np.zeros((0, n), np.float32)
        np.testing.assert_array_equal(Compiled(planned(a, b))(a, b), np.zeros((m, n)))


@pytest.mark.parametrize("packed", [False, True])
def test_infinities_and_nans_stay_where_they_belong(packed):
    """The zeros beside the last panel meet infinities, and nobody sees what comes of it."""
    new = integers(0, np.float32)
    a, b = new(20, 30), new(30, 21)
    a[3, 4], a[17, 2], b[5, 20] = np.inf, np.nan, -np.inf
    with np.errstate(invalid="ignore"):
        exact = a @ b
    np.testing.assert_array_equal(Compiled(planned(a, b, packed=packed))(a, b), exact)


# --- bits -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("m", "n", "k", "layout"),
    [
        (50, 300, 784, "rows"),
        (90, 70, 400, "columns"),
        (64, 1, 777, "rows"),
        (64, 1, 777, "columns"),
        (1, 200, 777, "rows"),
        (1, 200, 777, "columns"),
    ],
)
def test_same_bits_however_it_is_cut(dtype, m, n, k, layout):
    random = np.random.default_rng(1)
    new = lambda *shape: random.standard_normal(shape).astype(dtype)  # noqa: E731
    a, b = LAYOUTS[layout](new, m, k), LAYOUTS[layout](new, k, n)
    whole = planned(a, b, rows_per_task=m, columns_per_task=n)
    expected = Compiled(whole)(a, b)
    for rows, columns in ((7, n), (m, 16), (m, 48), (1, 32), (13, 64)):
        cut = replace(whole, rows_per_task=min(m, rows), columns_per_task=min(n, columns))
        np.testing.assert_array_equal(Compiled(cut)(a, b), expected)
    for packed, direct, chunk in ((True, False, 16), (False, layout == "rows", 6)):
        direct = direct or whole.kind != "tiles"
        same = replace(whole, packed=packed, direct=direct, chunk=chunk)
        np.testing.assert_array_equal(Compiled(same)(a, b), expected)


def test_same_bits_for_any_number_of_threads():
    random = np.random.default_rng(2)
    a, b = (random.standard_normal(shape).astype(np.float32) for shape in ((90, 500), (500, 200)))
    compiled = Compiled(planned(a, b))
    assert compiled.plan.tasks > 3
    with threadpoolctl.threadpool_limits(3):
        pools = [threads.Pool(count) for count in (1, 2, 3)]
        for pool in pools:
            pool.start()
        for _ in range(20):
            for pool in pools:
                np.testing.assert_array_equal(compiled.in_pool(pool, a, b), compiled(a, b))
        for pool in pools:
            pool.stop()


# --- memory ---------------------------------------------------------------------------------


class Fenced:
    """Arrays whose memory begins or ends where that of the process does."""

    def __init__(self, end):
        self.end = end
        self.maps = []
        self.protect = ctypes.CDLL(None, use_errno=True).mprotect
        self.protect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]

    def place(self, array):
        """A copy at the end, or the beginning, of what lies between two forbidden pages."""
        page = mmap.PAGESIZE
        inside = -(-array.nbytes // page) * page
        memory = mmap.mmap(-1, inside + 2 * page)
        raw = np.frombuffer(memory, np.uint8)
        for fence in (0, page + inside):
            assert self.protect(raw.ctypes.data + fence, page, 0) == 0
        start = page + inside - array.nbytes if self.end else page
        copy = raw[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
        copy[...] = array
        self.maps.append((memory, raw, inside))
        return copy

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for _, raw, inside in self.maps:  # readable again, for whoever looks at the map
            self.protect(raw.ctypes.data, inside + 2 * mmap.PAGESIZE, 3)


@pytest.mark.skipif(sys.platform == "win32", reason="mprotect is POSIX")
@pytest.mark.parametrize("end", [False, True])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("m", "n", "k"), [(13, 21, 17), (6, 16, 8), (1, 37, 9), (29, 1, 43), (1, 1, 5), (40, 3, 2)]
)
def test_nothing_outside_is_touched(m, n, k, end, packed):
    new = integers(m, np.float32)
    for a_turned in (False, True):
        for b_turned in (False, True):
            with Fenced(end) as fenced:
                a = fenced.place(new(k, m) if a_turned else new(m, k))
                b = fenced.place(new(n, k) if b_turned else new(k, n))
                c = fenced.place(np.full((m, n), np.nan, np.float32))
                a, b = a.T if a_turned else a, b.T if b_turned else b
                compiled = Compiled(planned(a, b, packed=packed))
                scratch = fenced.place(np.zeros(-(-compiled.plan.scratch // 64) * 64, np.uint8))
                for task in range(compiled.plan.tasks):
                    i, i_end, j, j_end = compiled.plan.block(task)
                    place = c.ctypes.data + (i * n + j) * 4
                    compiled.block(
                        a.ctypes.data, b.ctypes.data, place, n, i, i_end, j, j_end,
                        scratch.ctypes.data,
                    )  # fmt: skip
                np.testing.assert_array_equal(c, a @ b)


# --- plans ----------------------------------------------------------------------------------


def plan_of(m, n, k, dtype=np.float32, **options):
    return product.plan(np.dtype(dtype), m, n, k, (k, 1), (n, 1), HERE, **options)


def test_blocks_cover_the_product_once():
    random = np.random.default_rng(0)
    for m, n, k in random.integers(1, 900, (200, 3)).tolist():
        for dtype in (np.float32, np.float64):
            plan = plan_of(m, n, k, dtype)
            covered = np.zeros((m, n), int)
            for task in range(plan.tasks):
                i, i_end, j, j_end = plan.block(task)
                assert i < i_end
                assert j < j_end
                covered[i:i_end, j:j_end] += 1
            assert (covered == 1).all()


def test_tasks():
    """One for what is tiny, enough for the threads else, and blocks that fit a cache."""
    assert plan_of(50, 10, 100).tasks == 1
    assert plan_of(1, 1, 10).tasks == 1
    assert plan_of(50, 300, 784, threads=1).tasks == 1
    for m, n, k in (
        (50, 300, 784),
        (784, 300, 50),
        (1000, 300, 784),
        (300, 100, 50),
        (1, 2000, 500),
    ):
        for count in (2, 4, 8):
            assert count <= plan_of(m, n, k, threads=count).tasks <= 8 * count
    for m, n, k in ((3000, 3000, 3000), (20_000, 30, 10), (30, 20_000, 4000)):
        for a_strides in ((k, 1), (1, m)):
            plan = product.plan(np.dtype(np.float32), m, n, k, a_strides, (n, 1), HERE)
            assert plan.tasks >= 8
            assert plan.rows_per_task * plan.columns_per_task * 4 <= 256 << 10
            assert plan.scratch <= 1100 << 10
