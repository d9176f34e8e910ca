"""In-place operations: what NumPy would do, or an error; never a silent difference."""

import warnings

import numpy as np
import pytest

import bital
from bital.errors import (
    InputMutationError,
    LeakedTracerError,
    SupersededArrayError,
    TracerBoolError,
    ViewError,
)

X = np.arange(1.0, 7.0)


def agrees(f, *args):
    """Run f on copies in NumPy and traced; both give the same, and arguments stay as they are."""
    expected = f(*(np.array(a) for a in args))
    kept = [np.array(a) for a in args]
    np.testing.assert_array_equal(bital.jit(f)(*kept), expected)
    value = bital.vjp(f, *kept)[0]
    np.testing.assert_array_equal(value, expected)
    for before, after in zip(args, kept, strict=True):
        np.testing.assert_array_equal(before, after)


class TestWrites:
    def test_one_element(self):
        def f(x):
            x[1] = 10.0
            return x * 2

        agrees(f, X)

    def test_every_index_form(self):
        def f(x):
            y = np.zeros((3, 4), like=x)
            y[0] = x[:4]
            y[1, 1:3] = x[0]
            y[..., 3] += 1.0
            y[[0, 2], [1, 0]] = x[2:4]
            y[y > 3] = -1.0
            y[::-2, 0] -= x[0]
            y[2, 1] *= 7.0
            return y

        agrees(f, X)

    @pytest.mark.parametrize(
        "operation",
        ["x += 2", "x -= 2", "x *= 3", "x /= 4", "x //= 2", "x %= 4", "x **= 2", "x += x[::-1]"],
    )
    def test_augmented(self, operation):
        namespace = {}
        exec(f"def f(x):\n    {operation}\n    return x + 0", namespace)
        agrees(namespace["f"], X)

    @pytest.mark.parametrize(
        "operation", ["x &= 3", "x |= 8", "x ^= 5", "x <<= 1", "x >>= 1", "x += 2", "x //= 2"]
    )
    def test_augmented_integers(self, operation):
        namespace = {}
        exec(f"def f(x):\n    {operation}\n    return x + 0", namespace)
        x = np.arange(6)
        np.testing.assert_array_equal(bital.jit(namespace["f"])(x), namespace["f"](x.copy()))

    def test_matmul_in_place(self):
        def f(x, y):
            x @= y
            return x + 0

        x, y = np.arange(4.0).reshape(2, 2), np.eye(2) * 3
        np.testing.assert_array_equal(bital.jit(f)(x, y), x @ y)

    def test_a_result_that_does_not_fit_the_dtype_is_numpys_error(self):
        def f(x):
            x /= 2
            return x

        with pytest.raises(TypeError, match="cannot be stored"):
            bital.jit(f)(np.arange(3))
        with pytest.raises(TypeError):
            f(np.arange(3))

    def test_a_result_that_does_not_fit_the_shape_is_an_error(self):
        def f(x):
            x += np.ones((2, 6))
            return x

        with pytest.raises(ValueError, match="shape"):
            bital.jit(f)(X)

    def test_float32_stays(self):
        def f(x):
            x += 1.5
            x[0] = np.float64(2.0)
            return x * 1.0

        assert bital.jit(f)(np.ones(3, np.float32)).dtype == np.float32

    def test_python_numbers_are_rebound(self):
        def f(x):
            y = x
            y += 1.0
            return x, y

        assert bital.jit(f)(2.0) == (2.0, 3.0)

    def test_an_alias_sees_the_write(self):
        def f(x):
            y = x
            y[0] = 100.0
            x += 1
            return x + y

        agrees(f, X)

    def test_a_copy_does_not(self):
        def f(x):
            copies = [x.copy(), np.copy(x), x + 0.0, x.astype(float), x.flatten(), np.positive(x)]
            x[0] = 100.0
            return sum(copies) + x

        agrees(f, X)

    def test_writing_to_a_copy_leaves_the_original(self):
        def f(x):
            for y in [x.copy(), np.copy(x), x.astype(float), x.flatten(), np.positive(x),
                      np.full(6, x, like=x), np.clip(x, 0, 9), np.where(True, x, 0)]:  # fmt: skip
                y[0] = 100.0
            return x * 1.0

        agrees(f, X)

    def test_derivative_of_overwritten_elements_is_zero(self):
        def f(x):
            y = x * x
            y[1] = 3.0
            y[2] = x[0]
            return y.sum()

        np.testing.assert_array_equal(bital.grad(f)(X), [3, 0, 0, 8, 10, 12])
        bital.check_grads(f, (X,))

    def test_fill_and_out(self):
        def f(x):
            y = x * 2
            y.fill(x[3])
            z = x * 0
            np.add(x, y, out=z)
            np.sqrt(z, out=z)
            return z

        agrees(f, X)

    def test_loop_that_fills(self):
        def f(x):
            y = np.zeros_like(x)
            for i in range(1, len(x)):
                y[i] = y[i - 1] + x[i]
            return y

        agrees(f, X)


class TestViews:
    @pytest.mark.parametrize(
        "view",
        ["x[1:]", "x[::-1]", "x.reshape(2, 3)", "x[:, np.newaxis]", "x.reshape(2, 3).T",
         "np.expand_dims(x, 0)", "np.broadcast_to(x, (2, 6))", "np.split(x, 2)[0]",
         "x.reshape(2, 3)[1]", "np.reshape(x, (3, 2)).swapaxes(0, 1)"],
    )  # fmt: skip
    def test_a_view_is_stale_after_its_base_was_written_to(self, view):
        namespace = {"np": np}
        exec(f"def f(x):\n    v = {view}\n    x[0] = 5.0\n    return v * 2", namespace)
        with pytest.raises(ViewError, match="written to since the view"):
            bital.jit(namespace["f"])(X)
        exec(f"def f(x):\n    v = {view}.copy()\n    x[0] = 5.0\n    return v * 2", namespace)
        agrees(namespace["f"], X)

    @pytest.mark.parametrize("write", ["v[0] = 5.0", "v += 1", "v.fill(0.0)", "np.sin(v, out=v)"])
    def test_writing_to_a_view_raises(self, write):
        namespace = {"np": np}
        exec(f"def f(x):\n    v = x[1:4]\n    {write}\n    return x * 1.0", namespace)
        with pytest.raises(ViewError, match=r"\.copy\(\)"):
            bital.jit(namespace["f"])(X)
        with pytest.raises(ViewError):
            bital.grad(lambda x: namespace["f"](x).sum())(X)

    @pytest.mark.parametrize(
        "index",
        ["0", "-1", "1:3", "::2", "...", "None, 2", "slice(1, 4)", "[0, 2]", "x > 2", "(0,)",
         "np.array([0, 0, 1])", "None"],
    )  # fmt: skip
    def test_augmented_assignment_to_an_index(self, index):
        namespace = {"np": np}
        exec(f"def f(x):\n    x[{index}] += 2.0\n    x[{index}] *= x[1]\n    return x * 1.0",
             namespace)  # fmt: skip
        x = X[:4].copy()
        expected = namespace["f"](x.copy())
        np.testing.assert_array_equal(bital.vjp(namespace["f"], x)[0], expected)
        if index != "x > 2":  # under jit the number of elements is not known
            np.testing.assert_array_equal(bital.jit(namespace["f"])(x), expected)

    @pytest.mark.parametrize(
        "lines",
        [
            "row = x[1:3]; row += 1; return x * 1.0",
            "row = x[1:3]; row += 1; return row",
            "row = x[1:3]; row += 1; x[0:2] = row; return x * 1.0",
            "row = x[1:4]; part = row[1:3]; part += 1; x[1:3] = part; return x * 1.0",
            "row = x[1:4]; row[0] += 1; return x * 1.0",
            "x[1:4][0] += 1; return x * 1.0",
            "row = x[1:4]; other = x[:2]; row += 1; return other",
        ],
    )
    def test_what_augmented_assignment_owes_to_the_array_cannot_be_forgotten(self, lines):
        namespace = {"np": np}
        exec("def f(x):\n" + "".join(f"    {line}\n" for line in lines.split("; ")), namespace)
        for transformed in (bital.jit(namespace["f"]), lambda x: bital.vjp(namespace["f"], x)):
            with pytest.raises(ViewError):
                transformed(X)

    def test_a_view_written_back_to_its_place_is_right(self):
        def f(x):
            row = x[1]
            row += 1.0
            x[1] = row
            return x * row

        assert bital.jit(f)(X).tolist() == f(X.copy()).tolist()

    def test_the_whole_array_is_the_array(self):
        def f(x):
            x[:][0] = 7.0
            x[...] += 1.0
            y = x[:]
            y[1] = 3.0
            return x * 1.0

        agrees(f, X)

    def test_a_view_whose_base_is_gone_is_an_array(self):
        def f(x):
            y = (x * 2).reshape(2, 3)
            y[0, 0] = 7.0
            return y

        agrees(f, X)

    def test_two_views_of_a_base_that_is_gone(self):
        def halves(x):
            twice = x * 2
            return twice[:4], twice[2:]

        def f(x):
            a, b = halves(x)
            a[3] = 100.0
            return b * 1.0

        assert f(X.copy())[1] == 100.0
        with pytest.raises(ViewError):
            bital.jit(f)(X)

    @pytest.mark.parametrize(
        "use", ["v.astype(float)", "v.copy()", "np.where(True, v, 0.0)", "v.sum()", "[*v][0] + 0"]
    )
    def test_a_stale_view_is_found_in_every_use(self, use):
        namespace = {"np": np}
        exec(f"def f(x):\n    v = x[:2]\n    x[0] = 9.0\n    return {use}", namespace)
        with pytest.raises(ViewError):
            bital.jit(namespace["f"])(X)

    def test_a_stale_view_is_found_in_a_branch_and_in_a_result(self):
        def branch(x):
            v = x[:1]
            x[0] = -9.0
            return x.sum() if v else x.sum() * 2

        def result(x):
            v = x[:2]
            x[0] = -9.0
            return v

        with pytest.raises(ViewError):
            bital.grad(branch)(X)
        with pytest.raises(ViewError):
            bital.jit(result)(X)

    def test_one_element_is_a_number_of_its_own(self):
        def f(x):
            first = x[0]
            x[0] = 9.0
            second = x.reshape(2, 3)[1, 2]
            second += 1.0
            return x * first + second

        agrees(f, X)

    def test_a_view_taken_after_the_write_is_right(self):
        def f(x):
            x[0] = 9.0
            v = x[:2]
            return v * x[1:3]

        agrees(f, X)

    def test_writing_through_the_base_between_uses(self):
        def f(x):
            first = x[:3].sum()
            x[0] = 9.0
            return first + x[:3].sum()

        agrees(f, X)


class TestPlainArraysThatTakeTracedValues:
    def test_the_name_becomes_traced(self):
        def f(x):
            o = np.zeros(6)
            o += x
            o[0] = 5.0
            o *= x
            return o

        agrees(f, X)

    @pytest.mark.parametrize(
        "use",
        ["kept * x", "np.sum(kept) + np.sum(kept * x)", "kept[1:4] * x[:3]", "kept.T * x",
         "kept.reshape(2, 3) + x[0]", "np.stack([x, kept])", "np.where(x > 0, kept, x)"],
    )  # fmt: skip
    def test_the_array_that_was_superseded_cannot_be_used(self, use):
        lines = [
            "def f(x):",
            "    o = np.zeros(6)",
            "    kept = o",
            "    o += x",
            f"    return {use}",
        ]
        namespace = {"np": np}
        exec("\n".join(lines), namespace)
        for transformed in (bital.jit(namespace["f"]), lambda x: bital.vjp(namespace["f"], x)):
            with pytest.raises(SupersededArrayError, match=r"o = o \+ x"):
                transformed(X)

    def test_returning_it_is_a_use(self):
        def f(x):
            o = np.zeros(6)
            np.add(o, x, out=o)
            return o

        with pytest.raises(SupersededArrayError):
            bital.jit(f)(X)

    def test_its_base_and_its_views_count(self):
        def base(x):
            o = np.zeros((2, 6))
            row = o[0]
            row += x
            return o * x

        def view(x):
            o = np.zeros((2, 6))
            row = o[1]
            o += x
            return row * x

        for f in (base, view):
            with pytest.raises(SupersededArrayError):
                bital.jit(f)(X)

    def test_memory_beside_it_does_not_count(self):
        def f(x):
            o = np.ones(12)
            even, odd = o[::2], o[1::2]
            even += x
            return even * odd + o[7:8]

        def overlapping(x):
            o = np.ones(12)
            even = o[::2]
            even += x
            return o[4:6] * x[0]

        np.testing.assert_array_equal(bital.jit(f)(X), f(X.copy()))
        with pytest.raises(SupersededArrayError):
            bital.jit(overlapping)(X)

    def test_one_trace_does_not_spoil_the_next(self):
        o = np.zeros(6)

        def f(x):
            return np.add(o, x, out=o)

        for _ in range(2):
            np.testing.assert_array_equal(bital.grad(lambda x: f(x).sum())(X), np.ones(6))
        np.testing.assert_array_equal(bital.jit(lambda x: x + o)(X), X)


class TestArguments:
    def test_changing_an_argument_and_returning_nothing(self):
        def step(w, g):
            w -= 0.1 * g

        with pytest.raises(InputMutationError, match=r"step.*`return w`"):
            bital.jit(step)(X.copy(), X)

        def inside(params):
            params["w"][0] = 1.0

        with pytest.raises(InputMutationError):
            bital.jit(inside)({"w": X.copy()})

    def test_returning_nothing_without_changes_is_allowed(self):
        assert bital.jit(lambda x: None)(X) is None

    def test_changing_a_container_of_arguments_stays_inside(self):
        def f(params):
            params["w"] = params["w"] * 2
            params["new"] = 1.0
            return params["w"]

        params = {"w": X.copy()}
        np.testing.assert_array_equal(bital.jit(f)(params), 2 * X)
        assert list(params) == ["w"]
        np.testing.assert_array_equal(params["w"], X)

    def test_an_inner_function_cannot_write_to_an_outer_value(self):
        def f(x):
            y = x * 2

            def g(z):
                y[0] = z
                return z * z

            return bital.grad(g)(x[1]) + y.sum()

        for transform in (bital.grad, bital.jit):
            with pytest.raises(LeakedTracerError, match="outer"):
                transform(f)(X)

    def test_an_inner_function_may_write_to_its_copy(self):
        def f(x):
            def g(z):
                y = np.array(x, like=z)
                y[0] = z
                return y.sum() * z

            return bital.grad(g)(x[1]) + x.sum()

        assert f(X) == 2 * 2 + X[1:].sum() + X.sum()
        assert bital.jit(f)(X) == f(X)
        bital.check_grads(f, (X,))


class TestPlainArraysBetweenUses:
    @pytest.mark.parametrize("transform", ["jit", "vjp", "vmap"])
    def test_each_use_has_the_values_of_its_time(self, transform):
        def f(x):
            a = np.array([1.0, 2.0, 0.0])
            first = x * a
            a[0] = 10.0
            second = x * a
            a[2] = -0.0
            third = x / a
            return np.stack([first, second, third])

        x = np.ones(3)
        with np.errstate(divide="ignore"):
            expected = f(x)
            if transform == "jit":
                got = bital.jit(f)(x)
            elif transform == "vjp":
                got = bital.vjp(f, x)[0]
            else:
                got = bital.vmap(f)(x[np.newaxis])[0]
        assert expected[2, 2] == -np.inf
        np.testing.assert_array_equal(got, expected)

    def test_nan_bits_do_not_hide_a_change(self):
        def f(x):
            a = np.array([np.nan, 1.0])
            y = np.isnan(x * a)
            a[0] = 0.0
            return y, np.isnan(x * a)

        first, second = bital.jit(f)(np.ones(2))
        assert first.tolist() == [True, False]
        assert second.tolist() == [False, False]

    def test_unchanged_arrays_are_recorded_once(self):
        a = np.ones(3)
        program = bital.trace(lambda x: x * a + a - a, np.ones(3))
        assert len(program.constants) == 1


class TestFrozenCopies:
    def test_later_changes_do_nothing(self):
        a = np.ones(3)
        f = bital.jit(lambda x: x * a)
        assert f(np.ones(3)).tolist() == [1, 1, 1]
        a[:] = 5.0
        assert f(np.ones(3)).tolist() == [1, 1, 1]
        assert f(np.ones(3, np.float32)).tolist() == [5, 5, 5]  # a new recording

    @pytest.mark.parametrize(
        "view",
        [lambda a: np.broadcast_to(a, (2, 3)), lambda a: a.view(), lambda a: a[::-1]],
    )
    def test_a_read_only_view_of_a_changing_array_is_copied_too(self, view):
        a = np.ones(3)
        v = view(a)
        v.flags.writeable = False
        f = bital.jit(lambda x: x * v)
        before = f(np.ones(3))
        a[:] = 5.0
        np.testing.assert_array_equal(f(np.ones(3)), before)

    def test_grad_sees_the_values_of_each_call(self):
        a = np.ones(3)
        df = bital.grad(lambda x: np.sum(x * a))
        for value in (1.0, 2.0, 3.0):
            a[:] = value
            assert df(np.ones(3)).tolist() == [value] * 3

    def test_a_large_closure_warns(self):
        large = np.ones((1 << 23) + (1 << 18), np.float64)
        with pytest.warns(UserWarning, match="66 MB of arrays.*pass them as arguments"):
            bital.jit(lambda x: x * large)(1.0)
        small = large[: 1 << 10]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            bital.jit(lambda x: x * small)(1.0)

    def test_a_branch_on_a_frozen_array_is_plain_python(self):
        a = np.ones(3)
        assert bital.jit(lambda x: x * 2 if a.sum() > 2 else x)(1.0) == 2.0
        with pytest.raises(TracerBoolError, match=r"np\.where"):
            bital.jit(lambda x: x * 2 if (a * x).sum() > 2 else x)(1.0)
