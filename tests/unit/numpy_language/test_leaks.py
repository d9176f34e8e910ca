"""Every way in which a traced value could become a plain one raises, and says what to write."""

import contextlib
import copy
import ctypes
import io
import json
import linecache
import math
import operator
import pickle
import struct
import threading
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import pytest

import bital
from bital.errors import (
    BitalError,
    LeakedTracerError,
    TracerBoolError,
    TracerConversionError,
    UnsupportedAttributeError,
    UnsupportedFunctionError,
)

CONVERSION, UNSUPPORTED, BOOL = TracerConversionError, UnsupportedFunctionError, TracerBoolError


class Row(NamedTuple):
    """A leak: statements with the traced ``x``, the error, what it names, a form that works.

    The last statement leaks. `works` computes ``r`` from x, which must be traced and evaluate to
    what `gives` computes on a plain x.
    """

    code: str
    error: type[BaseException]
    words: str  # separated by |
    works: str = ""
    gives: str = ""


ROWS = [
    Row("np.array([x])", CONVERSION, "np.array|np.stack|like=", "np.stack([x])", "np.array([x])"),
    Row(
        "np.array([1.0, x])",
        CONVERSION,
        "np.array|like=",
        "np.array([1.0, x], like=x)",
        "np.array([1.0, x])",
    ),
    Row(
        "np.array([[x, x], [x, x]])",
        CONVERSION,
        "np.array|like=",
        "np.array([[x, x], [x, x]], like=x)",
        "np.array([[x, x], [x, x]])",
    ),
    Row("np.array(x)", CONVERSION, "np.array"),
    Row("np.array(x, copy=False)", CONVERSION, "np.array"),
    Row("np.array(x, dtype=object)", CONVERSION, "np.array"),
    Row("np.array([x, None], dtype=object)", CONVERSION, "np.array"),
    Row("np.asarray(x)", CONVERSION, "np.asarray|np.stack", "np.asarray(x, like=x)", "x"),
    Row("np.asanyarray([x, 2.0])", CONVERSION, "np.asanyarray"),
    Row("np.ascontiguousarray(x)", CONVERSION, "np.ascontiguousarray"),
    Row("np.require(x)", CONVERSION, "np.require"),
    Row("np.ma.array([x])", CONVERSION, "np.ma.array"),
    Row("np.poly1d([x, 1.0])", CONVERSION, "np.poly1d"),
    Row(
        "a = np.zeros(3); a[:] = x",
        CONVERSION,
        "assigning into a plain array|a[:] = x|like=x",
        "a = np.zeros(3, like=x); a[:] = x; r = a",
        "np.full(3, x)",
    ),
    Row(
        "a = np.zeros(3); a[0] = x",
        CONVERSION,
        "assigning into a plain array|a[0] = x|zeros_like",
        "a = np.zeros(3, like=x); a[0] = x; r = a",
        "np.array([x, 0.0, 0.0])",
    ),
    Row("a = np.zeros((3, 3)); a[0, 1:] = x", CONVERSION, "assigning|a[0, 1:] = x"),
    Row("a = np.zeros(3); a[a > -1] = x", CONVERSION, "assigning|like=x"),
    Row("a = np.zeros(3); a[[0, 2]] = x", CONVERSION, "assigning|like=x"),
    Row("a = np.zeros(3); a[0] += x", CONVERSION, "assigning|a[0] += x"),
    Row("a = np.zeros((2, 2)); a[0] += x", CONVERSION, "assigning|a[0] += x"),
    Row("np.zeros(3).__setitem__(0, x)", CONVERSION, "__setitem__|like=x"),
    Row(
        "np.zeros(3).fill(x)",
        CONVERSION,
        "fill|zeros_like",
        "a = np.zeros(3, like=x); a.fill(x); r = a",
        "np.full(3, x)",
    ),
    Row("np.zeros(3).put(0, x)", CONVERSION, "put|like=x"),
    Row("math.sin(x)", CONVERSION, "math.sin|np.sin", "np.sin(x)", "np.sin(x)"),
    Row("math.floor(x)", CONVERSION, "math.floor|np.floor", "np.floor(x)", "np.floor(x)"),
    Row("math.trunc(x)", CONVERSION, "math.trunc|np.trunc", "np.trunc(x)", "np.trunc(x)"),
    Row("math.fsum([x, x])", CONVERSION, "math.fsum|np.sum", "np.sum(np.stack([x, x]))", "x + x"),
    Row("float(x)", CONVERSION, "float|has_aux=True"),
    Row("int(x)", CONVERSION, "int|astype", "x.astype(np.int64)", "np.int64(x)"),
    Row("complex(x)", CONVERSION, "complex|has_aux"),
    Row("round(x)", CONVERSION, "round|np.rint", "np.rint(x)", "np.rint(x)"),
    Row("round(x, 1)", CONVERSION, "round|np.round", "np.round(x, 1)", "np.round(x, 1)"),
    Row('f"{x:.2f}"', CONVERSION, "text format|has_aux"),
    Row('"%.2f" % x', CONVERSION, "text format|has_aux"),
    Row('"%d" % x', CONVERSION, "text format|has_aux"),
    Row('"{:.3e}".format(x)', CONVERSION, "format|has_aux"),
    Row('format(x, ".2f")', CONVERSION, "format|has_aux"),
    Row("np.full(3, x)", CONVERSION, "np.full|like=x", "np.full(3, x, like=x)", "np.full(3, x)"),
    Row(
        "np.full_like(np.zeros(3), x)",
        UNSUPPORTED,
        "np.full_like|np.full|like=x",
        "np.broadcast_to(x, 3)",
        "np.full(3, x)",
    ),
    Row("np.r_[x]", CONVERSION, "np.r_|np.concatenate"),
    Row("np.r_[0.0, x]", CONVERSION, "np.r_|np.stack", "np.stack([0.0, x])", "np.r_[0.0, x]"),
    Row("np.c_[x]", CONVERSION, "np.c_|np.concatenate"),
    Row("np.arange(x)", CONVERSION, "np.arange|np.arange(n) * step"),
    Row(
        "np.arange(0, 3 * x, x)",
        CONVERSION,
        "np.arange|np.arange(n) * step",
        "np.arange(3) * x + 0.0",
        "np.arange(0, 3 * x, x)",
    ),
    Row("np.zeros(x)", CONVERSION, "np.zeros|static_argnums"),
    Row("np.ones((2, x))", CONVERSION, "np.ones|static_argnums"),
    Row("np.zeros(3)[x]", CONVERSION, "indexing a plain array|like=i"),
    Row("[1.0, 2.0][x]", CONVERSION, "indexing a plain array or list|like=i"),
    Row("range(x)", CONVERSION, "range|static_argnums"),
    Row(
        "np.vectorize(lambda v: v + 1)(x)",
        CONVERSION,
        "np.vectorize|bital.vmap",
        "bital.vmap(lambda v: v + 1)(np.stack([x, x]))",
        "np.array([x, x]) + 1",
    ),
    Row("np.frompyfunc(abs, 1, 1)(x)", UNSUPPORTED, "np.frompyfunc|bital.vmap"),
    Row("np.fromiter([x], float)", CONVERSION, "np.fromiter|np.stack"),
    Row("np.fromiter((x for _ in range(3)), float)", CONVERSION, "np.fromiter|np.stack"),
    Row("rng.normal(x)", CONVERSION, "rng.normal|loc + scale"),
    Row(
        "rng.normal(0.0, x, 3)",
        CONVERSION,
        "rng.normal|rng.normal(size=n)",
        "0.0 + x * np.random.default_rng(0).normal(size=3)",
        "np.random.default_rng(0).normal(0.0, x, 3)",
    ),
    Row("rng.uniform(0, x)", CONVERSION, "rng.uniform|scale"),
    Row("rng.choice([1.0, x])", CONVERSION, "rng.choice"),
    Row("np.random.seed(x)", CONVERSION, "np.random.seed|bital.random.key"),
    Row("x.item()", CONVERSION, "x.item|has_aux"),
    Row("x.tolist()", CONVERSION, "x.tolist|has_aux"),
    Row("pickle.dumps(x)", CONVERSION, "pickle.dumps|has_aux"),
    Row("np.add.at(np.zeros(3), [0], x)", UNSUPPORTED, "np.add.at|like=x"),
    Row(
        "np.copyto(np.zeros(3), x)",
        UNSUPPORTED,
        "np.copyto|like=x",
        "a = np.zeros(3, like=x); a[...] = x; r = a",
        "np.full(3, x)",
    ),
    Row("np.put(np.zeros(3), [0], x)", UNSUPPORTED, "np.put|like=x"),
    Row("np.place(np.zeros(3), np.ones(3, bool), x)", UNSUPPORTED, "np.place|like=x"),
    Row("np.putmask(np.zeros(3), np.ones(3, bool), x)", UNSUPPORTED, "np.putmask|like=x"),
    Row(
        "np.fill_diagonal(np.zeros((3, 3)), x)",
        CONVERSION,
        "np.fill_diagonal|like=x",
        "a = np.zeros((3, 3), like=x); i = np.arange(3); a[i, i] = x; r = a",
        "np.eye(3) * x",
    ),
    Row("np.savetxt(io.StringIO(), x)", UNSUPPORTED, "np.savetxt|has_aux"),
    Row("np.save(io.BytesIO(), x)", UNSUPPORTED, "np.save|has_aux"),
    Row("np.testing.assert_allclose(x, 1.0)", CONVERSION, "np.testing.assert_allclose|has_aux"),
    Row("list(np.ndenumerate(x))", CONVERSION, "np.ndenumerate"),
    Row("np.nditer(x)", CONVERSION, "np.nditer"),
    Row("np.broadcast(x, x)", CONVERSION, "np.broadcast"),
    Row("np.float64(x)", CONVERSION, "np.float64|x.astype", "x.astype(np.float64)", "x"),
    Row("np.int64(x)", CONVERSION, "np.int64|x.astype"),
    Row("np.bool_(x)", CONVERSION, "np.bool_|x.astype"),
    Row("struct.pack('d', x)", CONVERSION, "struct.pack"),
    Row("ctypes.c_double(x)", CONVERSION, "ctypes.c_double|has_aux"),
    Row("operator.index(x)", CONVERSION, "operator.index"),
    Row("slice(0, x).indices(3)", CONVERSION, "indices|static_argnums"),
    Row("np.take(np.zeros(3), x)", CONVERSION, "np.take|like=i"),
    Row("bytes(x)", CONVERSION, "bytes"),
    Row("x.tobytes()", UnsupportedAttributeError, "x.tobytes|has_aux"),
    Row("x.byteswap()", UnsupportedAttributeError, "x.byteswap|no bytes to reinterpret|astype"),
    Row("x.flags", UnsupportedAttributeError, "x.flags"),
    Row("setattr(x, 'shape', (1,))", UnsupportedAttributeError, r"x.shape = |x.reshape((1,))"),
    Row("setattr(x, 'dtype', int)", UnsupportedAttributeError, "x.dtype = |x.astype"),
    Row("json.dumps({'loss': x})", TypeError, "Tracer"),
    Row("memoryview(x)", TypeError, "Tracer"),
    Row("Fraction(x)", TypeError, ""),
    Row("hash(x)", TypeError, "Tracer"),
]
# Python asks for a truth or an index: known under grad, unknown under jit.
BRANCHES = [
    ("1 if x else 0", "a branch"),
    ("1 if x > 0 else 0", "a branch"),
    ("x and 1.0", "a branch"),
    ("x or 1.0", "a branch"),
    ("not x", "a branch"),
    ("bool(x)", "bool"),
    ("min(x, x * 2)", "min"),
    ("max([x, x * 2])", "max"),
    ("sorted([x, x * 2])", "sorted"),
    ("any([x > 0])", "any"),
    ("all([x > 0])", "all"),
    ("x in [1.0, 2.0]", "a branch"),
    ("[2.5, x].index(x)", "index"),
]
NAMES = {
    "np": np, "bital": bital, "math": math, "pickle": pickle, "io": io, "json": json,
    "struct": struct, "ctypes": ctypes, "operator": operator, "Fraction": Fraction,
    "rng": np.random.default_rng(0),
}  # fmt: skip


def function(code, filename="user_code.py"):
    """A function of x whose last statement, on a line of its own, binds r; returns x and r."""
    *statements, last = code.split("; ")
    is_expression = not any(f" {sign} " in last.split("(")[0] for sign in ("=", "+="))
    lines = ["def f(x):", "    kept = x * 1.0", *(f"    {line}" for line in statements)]
    lines += [
        f"    {'r = ' if is_expression else ''}{last}",
        "    return kept + 0.0, locals()['r']",
    ]
    text = "\n".join(lines) + "\n"
    linecache.cache[filename] = (len(text), None, text.splitlines(True), filename)
    namespace = dict(NAMES)
    exec(compile(text, filename, "exec"), namespace)
    return namespace["f"], len(lines) - 1


def run(mode, f, x=2.5):
    if mode == "vmap":
        return bital.vmap(f)(np.array([1.5, x]))
    if mode == "grad":
        return bital.grad(f, has_aux=True)(x)
    return bital.jit(f)(x)


@pytest.mark.parametrize("mode", ["grad", "jit", "vmap"])
@pytest.mark.parametrize("row", ROWS, ids=[row.code for row in ROWS])
def test_a_leak_raises_and_names_call_line_and_repair(row, mode):
    f, line = function(row.code)
    with pytest.raises(row.error) as caught:
        run(mode, f)
    message = str(caught.value)
    for word in row.words.split("|"):
        assert word in message
    if issubclass(row.error, BitalError):
        assert type(caught.value) is row.error
        assert f"user_code.py:{line}" in message
        assert "instead: " in message


@pytest.mark.parametrize("mode", ["grad", "jit"])
@pytest.mark.parametrize("row", [row for row in ROWS if row.works], ids=lambda row: row.works)
def test_the_form_that_the_message_gives_works(row, mode):
    f, _ = function(row.works)
    expected = eval(row.gives, dict(NAMES), {"x": np.float64(2.5)})
    got = run(mode, f)[1]
    assert isinstance(got, (np.ndarray, np.generic, float))
    np.testing.assert_allclose(got, expected, rtol=9e-16)  # 4 ulp, which native code may have


@pytest.mark.parametrize(("code", "name"), BRANCHES, ids=[code for code, _ in BRANCHES])
def test_branches_follow_values_under_grad_and_are_refused_under_jit(code, name):
    f, line = function(code)
    x = np.float64(2.5)
    expected = eval(code, {}, {"x": x})
    _, got = run("grad", f)
    assert got == expected
    for transformed in (bital.jit(f), bital.vmap(lambda x: f(x.sum()))):
        with pytest.raises(TracerBoolError) as caught:
            transformed(np.ones(2) if transformed.__class__ is not type(bital.jit(f)) else 2.5)
        message = str(caught.value)
        assert f"user_code.py:{line}" in message
        assert name in message
        assert "np.where" in message


@pytest.mark.parametrize("body", ["while x > 0:\n        x = x - 1", "assert x > 0"])
def test_statements_that_need_a_truth(body):
    text = f"def f(x):\n    {body}\n    return x * 2.0\n"
    linecache.cache["statement.py"] = (len(text), None, text.splitlines(True), "statement.py")
    namespace = {}
    exec(compile(text, "statement.py", "exec"), namespace)
    assert bital.grad(namespace["f"])(2.5) == 2.0
    with pytest.raises(TracerBoolError, match=r"statement.py:2[\s\S]*np.where"):
        bital.jit(namespace["f"])(2.5)


def test_a_wrong_truth_value_is_numpys_error():
    for transform in (bital.grad, bital.jit):
        with pytest.raises(ValueError, match="ambiguous"):
            transform(lambda x: 1.0 * x.sum() if x > 0 else x.sum())(np.ones(2))


def test_integer_indexing_yields_a_value_under_grad_only():
    table = np.array([10.0, 20.0, 30.0])

    def f(x, i):
        return x * table[i] + [1.0, 2.0, 3.0][i] + len(range(i))

    def gradient(x, i):
        return bital.grad(lambda x: f(x, x.astype(np.int64)))(x)

    assert gradient(2.0, 2) == 30.0
    with pytest.raises(TracerConversionError, match="indexing a plain array"):
        bital.jit(f)(2.0, 1)
    with pytest.raises(TracerBoolError, match=r"indexing a plain array or list[\s\S]*like=i"):
        bital.jit(lambda i: [1.0, 2.0][i])(1)
    with pytest.raises(TracerBoolError, match=r"range[\s\S]*static_argnums"):
        bital.jit(lambda n: len(range(n)))(3)
    works = bital.jit(lambda x, i: x * np.asarray(table, like=i)[i])
    assert works(2.0, np.int64(2)) == 60.0
    assert bital.jit(lambda i: np.take_along_axis(table, i, 0))(np.array([2, 0])).tolist() == [
        30,
        10,
    ]


def test_what_stays_traced_is_no_leak():
    def f(x):
        y = sum([x, x]) + abs(x) + pow(x, 2) + copy.copy(x) + copy.deepcopy(x) + divmod(x, 2.0)[1]
        return y + max(1.0, 2.0) * x + math.prod([x, x])

    x = 2.5
    for transformed in (f, bital.jit(f)):
        assert transformed(x) == pytest.approx(5 * x + x**2 + x % 2 + 2 * x + x * x)
    assert bital.grad(f)(x) == pytest.approx(5 + 2 * x + 1 + 2 + 2 * x)


def test_text_without_a_format_shows_type_and_known_value():
    seen = []
    bital.grad(lambda x: seen.append((f"{x}", str(x), repr(x))) or x * 1.0)(2.5)
    bital.jit(lambda x: seen.append((f"{x}", str(x), repr(x))) or x * 1.0)(2.5)
    (a, b, c), (d, e, g) = seen
    assert a == b == c == "<traced x: float64[] = 2.5>"
    assert d == e == g == "<traced x: float64[]>"


def test_isinstance_and_hasattr_tell_the_truth():
    seen = {}

    def f(x):
        seen.update(array=isinstance(x, np.ndarray), number=isinstance(x, float))
        seen.update(flags=hasattr(x, "flags"), shape=hasattr(x, "shape"), no=hasattr(x, "nothing"))
        return x * 1.0

    bital.jit(f)(2.5)
    assert seen == {"array": False, "number": False, "flags": False, "shape": True, "no": False}


def test_an_object_array_of_traced_values_cannot_be_returned_or_used():
    def stored(x):
        box = np.empty(2, object)
        box[0] = x
        box[1] = x
        return box

    for transform in (bital.jit, lambda f: bital.vjp(f, 2.5)):
        with pytest.raises(BitalError, match="object"):
            transform(stored)(2.5)
    with pytest.raises(TypeError, match="no callable exp method"):
        bital.jit(lambda x: np.exp(stored(x)) + x)(2.5)


class TestOutOnPlainArrays:
    """``out=`` on a plain array gives the result as a traced value and retires the array."""

    @pytest.mark.parametrize("transform", [bital.jit, lambda f: bital.value_and_grad(f)])
    def test_result_is_traced(self, transform):
        def f(x):
            out = np.zeros(3)
            y = np.multiply(x, 2.0, out=out)
            return np.sum(y * y)

        result = transform(f)(np.ones(3))
        assert (result[0] if isinstance(result, tuple) else result) == 12.0

    def test_out_of_reductions_and_products(self):
        def f(x):
            total = np.sum(x, axis=0, out=np.zeros(3))
            product = np.matmul(x, x, out=np.zeros((3, 3)))
            return total + np.dot(x, x, out=np.zeros((3, 3))).sum(0) + product.sum(1)

        x = np.arange(9.0).reshape(3, 3)
        np.testing.assert_allclose(bital.jit(f)(x), f(x))


class TestErrorsInPlaceOfOurs:
    """NumPy and Python hide our TypeError behind one of theirs; nothing else is replaced."""

    def test_the_hidden_error_stays_as_the_cause(self):
        def f(x):
            a = np.zeros(2)
            a[1] = x
            return a

        with pytest.raises(TracerConversionError) as caught:
            bital.jit(f)(1.0)
        assert isinstance(caught.value.__cause__, ValueError)
        assert f"{__file__}" in str(caught.value)

    def test_an_error_of_the_users_own_passes(self):
        def f(x):
            with contextlib.suppress(TypeError):
                float(x)
            raise ValueError("the user's own")

        with pytest.raises(ValueError, match="the user's own"):
            bital.jit(f)(1.0)

    def test_a_refusal_that_was_handled_does_not_return(self):
        def f(x):
            try:
                y = float(x)
            except TypeError:
                y = x * 2.0
            return y

        assert bital.jit(f)(1.0) == 2.0
        with pytest.raises(ZeroDivisionError):
            bital.jit(lambda x: x / (1 // 0))(1.0)


class TestDeadTracers:
    @staticmethod
    def kept(transform=bital.grad):
        box = []
        transform(lambda x: box.append(x) or np.sum(x))(np.ones(2))
        return box[0]

    @pytest.mark.parametrize("transform", [bital.grad, bital.jit])
    @pytest.mark.parametrize(
        "use",
        [
            lambda t: t + 1,
            lambda t: 1 + t,
            lambda t: np.sin(t),
            lambda t: np.sum(t),
            lambda t: t.sum(),
            lambda t: t > 0,
            lambda t: -t,
            lambda t: np.stack([t, t]),
            lambda t: bital.jit(lambda x: x + t)(1.0),
            lambda t: bital.grad(lambda x: x * t)(1.0),
            lambda t: bital.vmap(lambda x: x * t)(np.ones(2)),
            lambda t: bital.grad(lambda x: t)(1.0),
            lambda t: bital.jit(lambda x: t)(1.0),
            lambda t: bital.jit(lambda x: x + 1)(t),
            lambda t: bital.grad(lambda x: x * x)(t),
        ],
    )
    def test_a_use_raises(self, transform, use):
        with pytest.raises(LeakedTracerError, match="returned"):
            use(self.kept(transform))

    def test_repr_still_works(self):
        assert repr(self.kept()) == "<traced x: float64[2]>"

    def test_another_thread_cannot_use_an_open_trace(self):
        faults = []

        def elsewhere(x):
            try:
                x + 1.0
            except LeakedTracerError as fault:
                faults.append(str(fault))

        def f(x):
            thread = threading.Thread(target=elsewhere, args=(x,))
            thread.start()
            thread.join()
            return x * 1.0

        assert bital.jit(f)(1.0) == 1.0
        assert len(faults) == 1
        assert "thread" in faults[0]
