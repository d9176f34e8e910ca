"""``np.linalg``: what rows of the tables do not say, on singular matrices, at kinks, in loops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.linalg import LinAlgError

import bital
from bital.errors import UnsupportedFunctionError
from bital.program import Program

RNG = np.random.default_rng(5)
A = RNG.standard_normal((4, 4))
SINGULAR = np.array([[1.0, 2.0], [2.0, 4.0]])


def _names(program: Program) -> list[str]:
    return [equation.primitive.name for equation in program.equations]


def _complex(*shape: int) -> Any:
    return RNG.standard_normal(shape) + 1j * RNG.standard_normal(shape)


# --- singular matrices ----------------------------------------------------------------------


def _minors(a: Any) -> Any:
    """Cofactors by their definition."""
    n = len(a)
    return np.array(
        [
            [(-1) ** (i + j) * np.linalg.det(np.delete(np.delete(a, i, 0), j, 1)) for j in range(n)]
            for i in range(n)
        ]
    )


@pytest.mark.parametrize("rank", [0, 1, 2, 3, 4])
def test_gradient_of_det_is_the_cofactors(rank: int, executor: str) -> None:
    a = A[:, :rank] @ A[:rank]
    np.testing.assert_allclose(bital.grad(np.linalg.det)(a), _minors(a), atol=1e-12)
    np.testing.assert_allclose(bital.jit(bital.grad(np.linalg.det))(a), _minors(a), atol=1e-12)


def test_gradient_of_det_of_a_stack() -> None:
    stack = np.stack([A, np.zeros((4, 4)), A[:, :3] @ A[:3]])
    got = bital.grad(lambda a: np.sum(np.linalg.det(a)))(stack)
    np.testing.assert_allclose(got, [_minors(a) for a in stack], atol=1e-12)
    np.testing.assert_allclose(bital.vmap(bital.grad(np.linalg.det))(stack), got, atol=1e-14)


@pytest.mark.parametrize(
    "function",
    [
        np.linalg.inv,
        lambda a: np.linalg.solve(a, np.ones(2)),
        lambda a: np.linalg.matrix_power(a, -2),
        bital.grad(lambda a: np.linalg.slogdet(a)[1]),
        bital.hessian(np.linalg.det),
    ],
)
def test_singular_matrices_raise(function: Callable[[Any], Any], executor: str) -> None:
    compiled = bital.jit(function)
    with pytest.raises(LinAlgError, match="Singular matrix"):
        compiled(SINGULAR)
    assert np.all(np.isfinite(compiled(SINGULAR + np.eye(2))))  # and works again


def test_singular_matrices_that_do_not_raise(executor: str) -> None:
    assert bital.jit(np.linalg.det)(np.zeros((3, 3))) == 0
    assert bital.jit(lambda a: np.linalg.slogdet(a)[1])(np.zeros((3, 3))) == -np.inf
    for order in (1, "fro", None):
        assert bital.jit(lambda a, p=order: np.linalg.cond(a, p))(np.zeros((2, 2))) == np.inf


def test_errors_of_decompositions(executor: str) -> None:
    with pytest.raises(LinAlgError, match="positive definite"):
        bital.jit(np.linalg.cholesky)(-np.eye(2))
    with pytest.raises(LinAlgError, match="converge"):
        bital.jit(np.linalg.svdvals)(np.full((2, 2), np.nan))


def test_what_depends_on_no_value_raises_when_it_is_recorded() -> None:
    with pytest.raises(LinAlgError, match=r"takes square matrices.*\(2, 3\)|float64\[2,3\]"):
        bital.trace(np.linalg.inv, np.ones((2, 3)))
    with pytest.raises(TypeError, match="float16"):
        bital.trace(np.linalg.inv, np.ones((2, 2), np.float16))
    with pytest.raises(ValueError, match="UPLO"):
        bital.trace(lambda a: np.linalg.eigh(a, "X"), np.eye(2))


@pytest.mark.parametrize(
    ("function", "hint"),
    [
        (np.linalg.eig, "astype\\(complex\\)"),
        (np.linalg.eigvals, "astype\\(complex\\)"),
        (lambda a: np.linalg.qr(a, "raw"), "mode='reduced'"),
    ],
)
def test_refusals_say_what_to_write(function: Callable[[Any], Any], hint: str) -> None:
    with pytest.raises(UnsupportedFunctionError, match=hint):
        bital.trace(function, np.eye(2))


# --- kinks ----------------------------------------------------------------------------------


@pytest.mark.parametrize("ord", [None, 2, 3, 1.5, np.inf, 1])
def test_norm_of_zeros_has_the_shortest_subgradient(ord: Any) -> None:
    slope = bital.grad(lambda x: np.linalg.norm(x, ord))(np.zeros(3))
    np.testing.assert_array_equal(slope, np.zeros(3))


def test_frobenius_norm_of_zeros() -> None:
    def total(x: Any) -> Any:
        return np.sum(np.linalg.norm(x, axis=(1, 2)))

    x = np.stack([np.zeros((2, 2)), np.ones((2, 2))])
    want = np.stack([np.zeros((2, 2)), np.full((2, 2), 0.5)])
    np.testing.assert_allclose(bital.grad(total)(x), want)
    assert np.all(np.isfinite(bital.hessian(total)(x)))


def test_equal_values_share_the_norm() -> None:
    slope = bital.grad(lambda x: np.linalg.norm(x, np.inf))(np.array([2.0, -2.0, 1.0]))
    np.testing.assert_allclose(slope, [0.5, -0.5, 0.0])
    slope = bital.grad(lambda x: np.linalg.norm(x, 2))(np.eye(2))  # both singular values are 1
    np.testing.assert_allclose(slope, np.eye(2) / 2)


def test_equal_eigenvalues() -> None:
    """The values have a derivative, sums of them one of order two; vectors have none."""
    np.testing.assert_allclose(
        bital.grad(lambda a: np.sum(np.linalg.eigvalsh(a)))(np.eye(3)), np.eye(3)
    )
    np.testing.assert_allclose(
        bital.grad(lambda a: np.sum(np.linalg.svdvals(a)))(np.eye(3)), np.eye(3)
    )
    slope = bital.grad(lambda a: np.sum(np.linalg.eigh(a).eigenvectors[0]))(np.eye(3))
    assert not np.all(np.isfinite(slope))


# --- triangles, stacks, loops ---------------------------------------------------------------


@pytest.mark.parametrize("function", [np.linalg.cholesky, np.linalg.eigvalsh])
def test_a_triangle_that_is_not_read_has_derivative_zero(function: Callable[[Any], Any]) -> None:
    s = A @ A.T + np.eye(4)
    slope = bital.grad(lambda a: np.sum(np.sin(function(a))))(s)
    assert np.all(slope[np.triu_indices(4, 1)] == 0)
    symmetric = bital.grad(lambda a: np.sum(np.sin(function((a + a.T) / 2))))(s)
    np.testing.assert_allclose(symmetric, (slope + slope.T) / 2, atol=1e-14)


def test_log_determinant_of_a_gaussian() -> None:
    """d/dS of log N(x; 0, S), worked by hand: (S^-1 x x^T S^-1 - S^-1) / 2."""
    s, x = A @ A.T + np.eye(4), A[0]

    def density(s: Any) -> Any:
        factor = np.linalg.cholesky((s + s.T) / 2)
        z = np.linalg.solve(factor, x)
        return -0.5 * z @ z - np.sum(np.log(np.linalg.diagonal(factor)))

    inverse = np.linalg.inv(s)
    want = (np.outer(inverse @ x, inverse @ x) - inverse) / 2
    np.testing.assert_allclose(bital.grad(density)(s), want, rtol=1e-10)


def test_least_squares_by_the_normal_equations() -> None:
    a, b = RNG.standard_normal((6, 3)), RNG.standard_normal(6)
    loss = lambda a: np.sum(np.cos(np.linalg.lstsq(a, b)[0]))  # noqa: E731
    normal = lambda a: np.sum(np.cos(np.linalg.solve(a.T @ a, a.T @ b)))  # noqa: E731
    np.testing.assert_allclose(bital.grad(loss)(a), bital.grad(normal)(a), rtol=1e-10)


def test_one_matrix_and_many_right_hand_sides_are_one_system() -> None:
    """``vmap`` over b factorises the matrix once."""
    bs = RNG.standard_normal((5, 4, 2))
    program = bital.trace(bital.vmap(lambda b: np.linalg.solve(A, b)), bs)
    (solve,) = [e for e in program.equations if e.primitive.name == "solve"]
    assert [atom.type.shape for atom in solve.inputs] == [(4, 4), (4, 10)]
    got = bital.vmap(lambda b: np.linalg.solve(A, b))(bs)
    np.testing.assert_allclose(got, np.linalg.solve(A, bs), rtol=1e-12)


def test_values_alone_compute_no_vectors() -> None:
    assert "singular_values" in _names(bital.trace(lambda a: np.linalg.norm(a, 2), A))
    assert _names(bital.trace(np.linalg.eigvalsh, A)) == ["eigvalsh"]


def test_multi_dot_takes_the_cheapest_order() -> None:
    """(10 x 100)(100 x 5)(5 x 50): 7,500 multiplications from the left, 75,000 from the right."""
    shapes = [(10, 100), (100, 5), (5, 50)]
    program = bital.trace(lambda *xs: np.linalg.multi_dot(xs), *map(np.ones, shapes))
    assert [e.outputs[0].type.shape for e in program.equations] == [(10, 5), (10, 50)]


def test_einsum_takes_the_order_that_it_is_given() -> None:
    arrays = [np.ones((8, 8)), np.ones((8, 8)), np.ones(8)]

    def steps(optimize: Any) -> list[Any]:
        program = bital.trace(lambda *xs: np.einsum("ij,jk,k->i", *xs, optimize=optimize), *arrays)
        return [e.outputs[0].type.shape for e in program.equations if e.primitive.name[:3] == "dot"]

    assert steps(True) == steps("optimal") == [(8,), (8,)]
    assert steps(["einsum_path", (0, 1), (0, 1)])[0] == (8, 8)


def test_named_results() -> None:
    result: Any = bital.jit(np.linalg.svd)(A)
    assert type(result) is type(np.linalg.svd(A))
    np.testing.assert_allclose((result.U * result.S) @ result.Vh, A, atol=1e-12)


def test_decompositions_inside_of_loops(executor: str) -> None:
    """A filter's covariance, step by step: reverse mode through scan and cholesky."""

    def total(s: Any, use_scan: bool) -> Any:
        def step(s: Any, x: Any) -> Any:
            factor = np.linalg.cholesky(s + np.outer(x, x))
            return np.linalg.inv(s) + np.eye(3), np.linalg.slogdet(factor)[1]

        xs = A[:, :3]
        if use_scan:
            return np.sum(bital.scan(step, s, xs)[1])
        sums = []
        for x in xs:
            s, y = step(s, x)
            sums.append(y)
        return np.sum(np.stack(sums))

    s = A[:3] @ A[:3].T + np.eye(3)
    want = bital.value_and_grad(lambda s: total(s, False))(s)
    got = bital.value_and_grad(lambda s: total(s, True))(s)
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


def test_the_emitted_text_is_numpy() -> None:
    text = bital.trace(lambda a: np.linalg.eigh(a)[1], A).to_numpy()
    assert "np.linalg.eigh(a)" in text


# --- complex matrices -----------------------------------------------------------------------


def _projector(x: Any) -> Any:
    """What does not depend on phases of vectors."""
    return x @ np.conj(x.T)


COMPLEX: dict[str, Callable[[Any], Any]] = {
    "inv": np.linalg.inv,
    "det": np.linalg.det,
    "slogdet": np.linalg.slogdet,
    "qr": np.linalg.qr,
    "svd": lambda a: _projector(np.linalg.svd(a).U[:, :1]),
    "svd put together": lambda a: (lambda u, s, vh: (u * np.tanh(s)) @ vh)(*np.linalg.svd(a)),
    "svdvals": np.linalg.svdvals,
    "pinv": lambda a: np.linalg.pinv(a[:, :2]),
    "eig": lambda a: _projector(np.linalg.eig(a).eigenvectors[:, :1]),
    "eigvals": np.linalg.eigvals,
    "norm": np.linalg.norm,
    "nuclear norm": lambda a: np.linalg.norm(a, "nuc"),
    "cond": lambda a: np.linalg.cond(a, 1),
    "vdot": lambda a: np.vdot(a, a.T),
    "vecmat": lambda a: np.vecmat(a[0], a),
}
HERMITIAN: dict[str, Callable[[Any], Any]] = {
    "cholesky": np.linalg.cholesky,
    "cholesky upper": lambda a: np.linalg.cholesky(a, upper=True),
    "eigvalsh": lambda a: np.linalg.eigvalsh(a, "U"),
    "eigh": lambda a: _projector(np.linalg.eigh(a).eigenvectors[:, :1]),
    "pinv hermitian": lambda a: np.linalg.pinv(a, hermitian=True),
}


@pytest.mark.parametrize("name", COMPLEX)
def test_derivatives_of_complex_matrices(name: str) -> None:
    z = _complex(3, 3) + 2 * np.eye(3)
    with bital.config.executor("numpy"):
        bital.check_grads(COMPLEX[name], (z,), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", HERMITIAN)
def test_derivatives_of_hermitian_matrices(name: str) -> None:
    z = _complex(3, 3)
    s = z @ np.conj(z.T) + np.diag([1.0, 3.0, 5.0])
    with bital.config.executor("numpy"):
        bital.check_grads(HERMITIAN[name], (s,), atol=1e-5, rtol=1e-5)
