"""checkpoint: the same values and derivatives, and what is kept for the way back."""

import doctest

import numpy as np
import pytest

import bital
import bital.api.checkpointing
from bital.errors import ArgumentError, DifferentiationError, TracerBoolError
from bital.passes import optimize
from bital.program import check
from bital.transforms import split, vjp

RNG = np.random.default_rng(0)
W, X = RNG.normal(size=(3, 3)), RNG.normal(size=3)


@pytest.fixture(autouse=True)
def interpreted(request):
    """What compiles quickly; where an executor is named, that one."""
    if "executor" in request.fixturenames:
        yield
        return
    with bital.config.executor("numpy"):
        yield


def test_docstring():
    names = {"np": np, "grad": bital.grad}
    assert doctest.testmod(bital.api.checkpointing, extraglobs=names).failed == 0


def block(w, x):
    h = np.tanh(w @ x)
    return np.exp(np.sin(h) * x)


def network(wrap):
    def f(w, x):
        for _ in range(3):
            x = wrap(block)(w, x)
        return np.sum(x * x)

    return f


PLAIN, KEPT = network(lambda f: f), network(bital.checkpoint)


@pytest.mark.parametrize("jit", [lambda f: f, bital.jit])
@pytest.mark.parametrize(
    "make",
    [
        lambda f: f,
        lambda f: bital.grad(f, (0, 1)),
        lambda f: lambda w, x: bital.jvp(f, (w, x), (np.ones((3, 3)), np.ones(3))),
        lambda f: lambda w, x: bital.linearize(f, w, x)[1](np.ones((3, 3)), np.ones(3)),
        lambda f: bital.hessian(f, 1),
        lambda f: bital.grad(lambda w, x: np.sum(bital.grad(f)(w, x) ** 2)),
        lambda f: lambda w, x: bital.vmap(f, (None, 0))(w, np.stack([x, 2 * x])),
        lambda f: lambda w, x: bital.vmap(bital.grad(f, 1), (None, 0))(w, np.stack([x, 2 * x])),
        lambda f: bital.grad(lambda w, x: np.sum(bital.vmap(f, (0, None))(np.stack([w, w.T]), x))),
        lambda f: bital.grad(bital.checkpoint(f)),
        lambda f: bital.grad(bital.checkpoint(bital.jit(f))),
        lambda f: bital.grad(bital.jit(bital.checkpoint(f))),
    ],
)
def test_nothing_else_changes(make, jit):
    got, want = (bital.tree.leaves(jit(make(f))(W, X)) for f in (KEPT, PLAIN))
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11)


def test_derivatives_by_finite_differences():
    bital.check_grads(KEPT, (W, X), order=2)


# --- what is kept ---------------------------------------------------------------------------


def residuals(f, *args):
    """The types of what the forward half hands to the backward half."""
    program = bital.trace(f, *args)
    both = vjp(program, [True] * len(program.inputs))
    forward, backward = split(check(both), len(program.inputs), len(program.outputs))
    kept = forward.outputs[len(program.outputs) :]
    return sorted(str(atom.type) for atom in kept if atom not in forward.inputs), backward


def test_the_backward_pass_is_given_the_arguments_alone():
    chain = lambda x: np.sin(np.exp(np.cos(np.tanh(x))))  # noqa: E731
    kept, _ = residuals(lambda x: np.sum(chain(x)), X)
    assert len(kept) >= 4
    kept, backward = residuals(lambda x: np.sum(bital.checkpoint(chain)(x)), X)
    assert kept == []
    names = [e.primitive.name for e in optimize(backward).equations]
    assert {"tanh", "exp", "sin", "cos"} <= set(names)  # computed once more


def test_no_pass_finds_the_second_computation_to_be_the_first():
    gradient = bital.grad(lambda x: np.sum(bital.checkpoint(lambda x: np.sin(np.exp(x)))(x)))
    both = bital.value_and_grad(lambda x: np.sum(bital.checkpoint(lambda x: np.sin(np.exp(x)))(x)))
    count = [
        [e.primitive.name for e in optimize(bital.trace(f, X), checked=True).equations].count("exp")
        for f in (gradient, both)
    ]
    assert count == [1, 2]  # of the gradient alone, the first is dead code


def deep(wrap):
    """Four blocks of six layers, each layer 64 KiB."""

    def layers(x, w):
        for _ in range(6):
            x = np.tanh(x @ w)
        return x

    def f(w, x):
        for _ in range(4):
            x = wrap(layers)(x, w)
        return np.sum(x)

    return f


def arena(f, *args):
    return bital.trace(f, *args).memory().arena


def test_memory_falls_from_all_layers_to_one_block():
    pytest.importorskip("llvmlite")
    args = np.ones((32, 32)), np.ones((256, 32))
    layer = args[1].nbytes
    plain = arena(bital.value_and_grad(deep(lambda f: f)), *args)
    kept = arena(bital.value_and_grad(deep(bital.checkpoint)), *args)
    assert plain >= 24 * layer
    assert kept <= (4 + 6 + 5) * layer  # the blocks' arguments, the layers of one, room to work


# --- in loops -------------------------------------------------------------------------------


def recurrent(form, n):
    """n steps of five layers: `form` says what is under checkpoint."""

    def step(h, _):
        for _ in range(5):
            h = np.tanh(h * 1.5) - 0.1 * h
        return h, None

    def f(h):
        if form == "root":
            root = round(n**0.5)
            inner = bital.checkpoint(lambda h, _: bital.scan(step, h, length=root))
            return np.sum(bital.scan(inner, h, length=root)[0])
        return np.sum(bital.scan({"all": step, "linear": bital.checkpoint(step)}[form], h,
                                 length=n)[0])  # fmt: skip

    return f


@pytest.mark.parametrize("form", ["linear", "root"])
def test_loops_have_the_same_derivatives(form, executor):
    h = RNG.normal(size=4)
    f, want = recurrent(form, 9), recurrent("all", 9)
    for derive in (bital.grad, bital.hessian, lambda f: bital.jit(bital.grad(f))):
        np.testing.assert_allclose(derive(f)(h), derive(want)(h), rtol=1e-12)
    tangent = bital.jvp(f, (h,), (np.ones(4),))[1]
    np.testing.assert_allclose(tangent, np.sum(bital.grad(want)(h)), rtol=1e-12)


def test_memory_of_a_loop_is_linear_and_of_two_loops_goes_with_the_root():
    """In carries of 8 KiB, for n steps of 5 layers: more than 5 n, about n, about 7 sqrt(n)."""
    pytest.importorskip("llvmlite")
    h = np.ones((32, 32))
    used = {
        form: [arena(bital.grad(recurrent(form, n)), h) / h.nbytes for n in (64, 256)]
        for form in ("all", "linear", "root")
    }
    assert 5 * 64 <= used["all"][0] <= 12 * 64
    assert used["all"][1] >= 3.5 * used["all"][0]
    assert 64 <= used["linear"][0] <= 64 + 20
    assert 256 <= used["linear"][1] <= 256 + 20
    assert used["root"][1] <= 2.2 * used["root"][0]
    assert used["root"][1] < used["linear"][1]


def test_a_scan_stacks_its_carries_alone():
    kept, _ = residuals(recurrent("linear", 7), X)
    assert kept == ["float64[7,3]"]


# --- what it takes --------------------------------------------------------------------------


def test_it_closes_over_traced_values():
    def f(w, x):
        g = bital.checkpoint(lambda x: np.tanh(w @ x) * np.arange(3.0))
        return np.sum(g(x) * g(2 * x))

    bital.check_grads(f, (W, X))


def test_trees_keywords_and_static_values():
    @bital.checkpoint
    def f(p, how, *, scale, rest=None):
        y = {"sin": np.sin, "cos": np.cos}[how](p["a"]) * scale
        return {"y": y, "rest": rest, "how": (p["n"] + 1,)}

    def total(p):
        out = f(p, "sin", scale=2.0)
        assert out["rest"] is None
        return np.sum(out["y"] * out["how"][0])

    got = bital.grad(lambda a: total({"a": a, "n": 3}))(X)
    np.testing.assert_allclose(got, 8.0 * np.cos(X))


def test_numbers_stay_open_in_dtype():
    def f(x, a):
        return np.sum(x * bital.checkpoint(lambda a: a * 2)(a))

    assert bital.grad(bital.jit(f))(X.astype(np.float32), 0.5).dtype == np.float32


def test_branches_on_values_as_outside():
    f = bital.checkpoint(lambda x: x * 2 if x > 0 else x * 3)
    assert (bital.grad(f)(1.0), bital.grad(f)(-1.0)) == (2.0, 3.0)
    with pytest.raises(TracerBoolError):
        bital.jit(f)(1.0)


def test_results_that_do_not_move():
    f = bital.checkpoint(lambda x, i: (x, np.exp(x)[i], i + 1, 3.0, np.ones(2)))
    y, pull = bital.vjp(lambda x: f(x, np.argmax(x))[:2], X)
    np.testing.assert_allclose(y[1], np.exp(X).max())
    np.testing.assert_allclose(pull((np.zeros(3), 1.0))[0], np.exp(X) * (X.max() == X))
    assert bital.jit(f)(X, 1)[2:4] == (2, 3.0)


def test_custom_rules_and_loops_inside():
    rule = bital.custom_vjp(np.sin)
    rule.defvjp(lambda x: (np.sin(x), x), lambda x, ct: (7.0 * ct,))
    np.testing.assert_array_equal(
        bital.grad(bital.checkpoint(lambda x: np.sum(rule(x))))(X), np.full(3, 7.0)
    )
    with pytest.raises(DifferentiationError, match="custom vjp"):
        bital.jvp(bital.checkpoint(rule), (X,), (X,))
    until = bital.checkpoint(
        lambda x: bital.while_loop(lambda x: np.sum(x * x) < 9, lambda x: 2 * x, x)
    )
    assert bital.jvp(until, (1.0,), (1.0,)) == (4.0, 4.0)
    with pytest.raises(DifferentiationError, match="while_loop"):
        bital.grad(until)(1.0)


def test_without_a_trace_the_function_is_called():
    calls = []
    f = bital.checkpoint(lambda x: calls.append(type(x)) or x)
    f(X)
    assert calls == [np.ndarray]
    with pytest.raises(ArgumentError, match="takes a function, got int"):
        bital.checkpoint(3)
