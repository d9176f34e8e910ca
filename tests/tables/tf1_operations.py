"""Rows for the operations of `bital.tf1`: one expression of tensors, and the same of arrays.

A row is ``expression ; of arrays ; static shape while first lengths are unknown ; flags``, of which
all but the first may be missing. Names in capitals are inputs. Flags: ``fixed``: all lengths are
known; ``flat``: no gradients are compared. This file imports NumPy alone, since TensorFlow's own
interpreter reads it too.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Any

import numpy as np

_normal = np.random.default_rng(7).normal
DATA = {
    "X": _normal(size=(3, 4)),
    "Y": _normal(size=(3, 4)),
    "P": np.abs(_normal(size=(3, 4))) + 0.5,  # positive
    "S": np.tanh(_normal(size=(3, 4))),  # small
    "T": _normal(size=(4, 3)),
    "V": _normal(size=4),
    "U": np.abs(_normal(size=4)) + 0.5,
    "Q": _normal(size=(3, 3)) + 3 * np.eye(3),
    "C": _normal(size=(2, 3, 4)),
    "A": _normal(size=(1, 3, 1)),
    "E": np.array([[0, np.inf, np.nan, -np.inf]]),
    "Z": np.array([0, 1, -1, 2, 2]),  # with ties
    "PICTURES": _normal(size=(2, 7, 6, 3)),
    "KERNEL": _normal(size=(3, 2, 3, 4)),
    "DEPTH": _normal(size=(3, 3, 3, 2)),
    "POINT": _normal(size=(1, 1, 6, 4)),
    "BACK": _normal(size=(3, 3, 4, 3)),
    "LINE": _normal(size=(2, 4, 5)),
    "TABLE": _normal(size=(10, 4)),
    "BIAS": _normal(size=10),
}
DATA = {name: value.astype(np.float32) for name, value in DATA.items()} | {
    "I": np.array([[7, -7, 3, 0], [5, 2, -1, 4], [1, 1, 9, -3]], np.int32),
    "D": np.array([[2, 2, -2, 3], [5, -3, 4, 1], [7, 2, 2, 2]], np.int32),
    "B": DATA["X"] > 0,
    "O": DATA["Y"] > 0,
    "M": np.array([True, False, True]),
    "L": np.array([2, 0, 3]),
    "N": np.array(2, np.int32),
    "R": np.array([7, 3, 7, 0, 3]),
    "G": np.array([1, 2], np.int32),
}


def softmax(x: Any, axis: int = -1) -> Any:
    """Of arrays."""
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def sigmoid(x: Any) -> Any:
    """Of arrays."""
    return 1 / (1 + np.exp(-x))


@dataclass(frozen=True)
class Row:
    """One expression; `inputs` are the names of its arrays in the order of `DATA`."""

    expression: str
    arrays: str
    shape: str
    fixed: bool
    flat: bool
    inputs: tuple[str, ...]

    @classmethod
    def read(cls, line: str) -> Row:
        expression, arrays, shape, flags = (*map(str.strip, line.split(";")), "", "", "")[:4]
        names = {node.id for node in ast.walk(ast.parse(expression)) if isinstance(node, ast.Name)}
        inputs = tuple(name for name in DATA if name in names)
        return cls(expression, arrays, shape, "fixed" in flags, "flat" in flags, inputs)

    def placeholders(self, tf: Any, unknown: bool) -> list[Any]:
        """What stands for the inputs in a graph."""
        shapes = [DATA[name].shape for name in self.inputs]
        shapes = [(None, *n[1:]) if n and unknown else n for n in shapes]
        kinds = [DATA[name].dtype for name in self.inputs]
        return [tf.placeholder(*each) for each in zip(kinds, shapes, strict=True)]

    def tensors(self, tf: Any, given: list[Any]) -> list[Any]:
        """The expression's tensors."""
        scope = {"tf": tf, "np": np} | dict(zip(self.inputs, given, strict=True))
        found = eval(self.expression, scope)
        return list(found) if isinstance(found, (list, tuple)) else [found]

    def expected(self, given: list[Any]) -> list[np.ndarray]:
        """The arrays that it should give."""
        scope = {"np": np, "softmax": softmax, "sigmoid": sigmoid, "f": np.float32}
        found = eval(self.arrays, scope | dict(zip(self.inputs, given, strict=True)))
        return [np.asarray(x) for x in (found if isinstance(found, (list, tuple)) else [found])]

    def record(self, tf: Any, unknown: bool) -> list[Any]:
        """Static shapes, what has no gradient, and values of results and gradients."""
        given = self.placeholders(tf, unknown)
        tensors = self.tensors(tf, given)
        shapes = [None if t.shape.ndims is None else t.shape.as_list() for t in tensors]
        sums = [tf.reduce_sum(t * tf.cos(3 * t + 1)) for t in tensors if t.dtype.is_floating]
        sources = [x for x in given if x.dtype.is_floating and sums and not self.flat]
        slopes = tf.gradients(sums, sources) if sources else []
        fetches = tensors + [tf.convert_to_tensor(g) for g in slopes if g is not None]
        with tf.Session() as sess:
            feeds = {x: DATA[name] for x, name in zip(given, self.inputs, strict=True)}
            return [shapes, [g is None for g in slopes], sess.run(fetches, feeds)]


_ELEMENTWISE = {
    "X": "abs atan cos cosh exp expm1 sin sinh square tan tanh negative",
    "P": "log log1p sqrt reciprocal",
    "S": "acos asin",
}
LINES = [f"tf.{n}({x}) ; np.{n}({x})" for x, names in _ELEMENTWISE.items() for n in names.split()]
LINES += [f"tf.{n}(3 * X) ; np.{n}(3 * X) ; ; flat" for n in ("ceil", "floor", "round", "sign")]
LINES += [f"tf.is_{n}(E) ; np.is{n}(E)" for n in ("nan", "inf", "finite")]
LINES += [
    f"tf.{n}(X, {y}) ; np.{n}(X, {y})"
    for n in ("add", "subtract", "multiply", "divide", "maximum", "minimum", "atan2")
    for y in "YV"
]
LINES += [
    f"tf.{n}({x}, {y}) ; np.{n}({x}, {y})"
    for n in ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")
    for x, y in ("ID", "XV")
]
LINES += [f"tf.logical_{n}(B, O) ; np.logical_{n}(B, O)" for n in ("and", "or", "xor")]
for _n in ("sum", "mean", "max", "min", "prod"):
    LINES += [
        f"tf.reduce_{_n}(X) ; np.{_n}(X) ; ()",
        f"tf.reduce_{_n}(X, 1) ; np.{_n}(X, 1) ; (None,)",
        f"tf.reduce_{_n}(C, [0, 2], keepdims=True) ; np.{_n}(C, (0, 2), keepdims=True) ; (1, 3, 1)",
        f"tf.reduce_{_n}(I) ; np.trunc(np.{_n}(I)).astype(np.int32) ; ()",
    ]
for _p in ('"SAME"', '"VALID"'):
    LINES += [
        f"tf.nn.conv2d(PICTURES, KERNEL, [1, 1, 1, 1], {_p})",
        f"tf.nn.conv2d(PICTURES, KERNEL, strides=[1, 2, 2, 1], padding={_p})",
        f"tf.nn.max_pool(PICTURES, ksize=[1, 3, 2, 1], strides=[1, 2, 2, 1], padding={_p})",
        f"tf.nn.avg_pool(PICTURES, [1, 3, 2, 1], [1, 2, 2, 1], {_p})",
        f"tf.nn.depthwise_conv2d(PICTURES, DEPTH, [1, 1, 1, 1], {_p})",
        f"tf.nn.separable_conv2d(PICTURES, DEPTH, POINT, [1, 2, 2, 1], {_p})",
        f"tf.nn.conv1d(C, LINE, 2, {_p})",
    ]
for _n in ("nce_loss", "sampled_softmax_loss"):
    LINES += [
        f"tf.nn.{_n}(TABLE, BIAS, tf.constant([[1], [3], [0]], tf.int64), X, 3, 10, sampled_values="
        f"(tf.constant([3, 0, 7], tf.int64), [[0.5]] * 3, [0.25, 0.5, 0.125])) ; ; ; fixed"
    ]
TEXT = """
tf.rsqrt(P) ; P**-0.5
tf.sigmoid(X) ; sigmoid(X)
tf.log_sigmoid(X) ; np.log(sigmoid(X))
tf.erf(X)
tf.erfc(X)
tf.lgamma(P)
tf.digamma(P)
tf.abs(I) ; abs(I)
-I ; -I
tf.squared_difference(X, Y) ; (X - Y) ** 2
tf.pow(P, Y) ; P**Y
tf.mod(X, P) ; X % P ; ; flat
tf.floordiv(X, P) ; X // P ; ; flat
tf.mod(I, D) ; I % D
tf.floordiv(I, D) ; I // D
tf.div(I, D) ; I // D
tf.div(X, P) ; X / P
tf.truediv(I, D) ; I / D
I / D + tf.cast(X, tf.float64) ; I / D + X.astype(float)
tf.logical_not(B) ; ~B
tf.maximum(Z, 0.0) + tf.minimum(0.0, Z)
2 - X * 3 + Y / 2.0 - (-X) + abs(Y) + X**2 ; 2 - X * 3 + Y / 2 + X + abs(Y) + X**2
1 / P + 2**P + 7 // P ; 1 / P + 2**P + 7 // P ; ; flat
I % D + I // D ; I % D + I // D
((X < Y) | (X >= 2 * Y)) & ~(X > 1) ^ (Y <= 0) ; ((X < Y) | (X >= 2 * Y)) & ~(X > 1) ^ (Y <= 0)
np.ones((3, 4), np.float32) * X ; X
X @ T ; X @ T ; (None, 3)
tf.reduce_sum(X, reduction_indices=[1], keep_dims=True) ; X.sum(1, keepdims=True) ; (None, 1)
tf.reduce_sum(X, []) ; X
tf.reduce_max(Z)
tf.reduce_logsumexp(X, 1) ; np.log(np.exp(X).sum(1)) ; (None,)
tf.reduce_any(B, 1) ; B.any(1) ; (None,)
tf.reduce_all(B) ; B.all() ; ()
tf.argmax(X) ; X.argmax(0) ; (4,)
tf.argmin(X, 1, output_type=tf.int32) ; X.argmin(1).astype(np.int32) ; (None,)
tf.argmax(X, dimension=1) ; X.argmax(1) ; (None,)
tf.add_n([X, Y, X]) ; X + Y + X
tf.cumsum(X, 1) ; X.cumsum(1)
tf.cumsum(X, 1, exclusive=True, reverse=True) ; X[:, ::-1].cumsum(1)[:, ::-1] - X
tf.cumsum(I) ; I.cumsum(0).astype(np.int32)
tf.matmul(X, T) ; X @ T ; (None, 3)
tf.matmul(X, Y, transpose_a=True) ; X.T @ Y ; (4, 4)
tf.matmul(C, C, transpose_b=True) ; C @ np.swapaxes(C, 1, 2) ; (None, 3, 3)
tf.tensordot(X, Y, [[1], [1]]) ; X @ Y.T ; (None, None)
tf.tensordot(X, T, 1) ; X @ T ; (None, 3)
tf.einsum("bij,kj->bki", C, X) ; np.einsum("bij,kj->bki", C, X)
tf.trace(Q) ; np.trace(Q) ; ; fixed
tf.matrix_inverse(Q) ; np.linalg.inv(Q) ; ; fixed
tf.matrix_determinant(Q) ; np.linalg.det(Q) ; ; fixed
tf.matrix_solve(Q, X) ; np.linalg.solve(Q, X) ; ; fixed
tf.cholesky(tf.matmul(Q, Q, transpose_b=True)) ; np.linalg.cholesky(Q @ Q.T) ; ; fixed
tf.norm(X) ; np.linalg.norm(X) ; ()
tf.norm(X, ord=1, axis=1) ; abs(X).sum(1) ; (None,)
tf.clip_by_value(X, -0.5, 0.5) ; np.clip(X, -0.5, 0.5)
tf.clip_by_value(Z, 0.0, 1.0)
tf.clip_by_norm(X, 0.5) ; X * 0.5 / np.linalg.norm(X)
tf.clip_by_norm(X, 1.0, axes=1) ; X / np.maximum(np.linalg.norm(X, axis=1, keepdims=True), 1)
tf.global_norm([X, None, Y]) ; np.sqrt((X**2).sum() + (Y**2).sum()) ; ()
tf.clip_by_global_norm([X, Y], 1.0)[0] ; [v / np.sqrt((X**2).sum() + (Y**2).sum()) for v in (X, Y)]
tf.cast(3 * X, tf.int32) ; (3 * X).astype(np.int32)
tf.cast(B, "float32") ; B.astype(f)
tf.to_float(I) ; I.astype(f)
tf.to_int32(X) ; X.astype(np.int32)
tf.to_int64(I) ; I.astype(np.int64)
tf.to_double(X) ; X.astype(float) ; ; flat
[tf.zeros([2, 3]), tf.ones(2, tf.int32)] ; [np.zeros((2, 3), f), np.ones(2, np.int32)]
tf.fill([2], 3.5) ; np.full(2, 3.5, f)
tf.zeros_like(X) ; X * 0 ; (None, 4) ; flat
tf.ones_like(X, dtype=tf.int32) ; np.ones((3, 4), np.int32) ; (None, 4)
[tf.range(4), tf.range(2, 9, 3)] ; [np.arange(4, dtype="i4"), np.arange(2, 9, 3, dtype="i4")]
[tf.range(0.0, 1.0, 0.25), tf.range(3, dtype=tf.int64)] ; [np.arange(4, dtype=f) / 4, np.arange(3)]
tf.range(tf.shape(X)[0]) ; np.arange(3, dtype="i4") ; (None,) ; flat
tf.linspace(-1.0, 1.0, 5) ; np.linspace(-1, 1, 5, dtype=f)
[tf.eye(3), tf.eye(2, 3, dtype=tf.float64)] ; [np.eye(3, dtype=f), np.eye(2, 3)]
tf.diag(V) ; np.diag(V) ; ; fixed
tf.diag_part(Q) ; np.diagonal(Q) ; ; fixed
tf.one_hot(L, 4) ; np.eye(4, dtype=f)[L] ; (None, 4)
tf.one_hot(L, 4, on_value=5, off_value=-1, axis=0) ; 6 * np.eye(4, dtype="i4")[:, L] - 1 ; (4, None)
tf.one_hot(L - 1, 3, dtype=tf.float64) ; (L[:, None] - 1 == np.arange(3)).astype(float) ; (None, 3)
tf.sequence_mask(L, 4) ; np.arange(4) < L[:, None] ; (None, 4)
tf.shape(X) ; np.array([3, 4], "i4") ; (2,) ; flat
[tf.size(X), tf.rank(X)] ; [np.int32(12), np.int32(2)] ; () ; flat
tf.reshape(X, [-1, 2]) ; X.reshape(-1, 2) ; (None, 2)
tf.reshape(X, [tf.shape(X)[0], 2, -1]) ; X.reshape(3, 2, 2) ; (None, 2, 2)
tf.reshape(X, tf.stack([-1, tf.shape(X)[1] // 2])) ; X.reshape(-1, 2) ; (None, 2)
tf.broadcast_to(X, [2, 3, 4]) ; np.stack([X, X]) ; ; fixed
[tf.expand_dims(X, 0), tf.expand_dims(X, dim=-1)] ; [X[None], X[..., None]] ; (1, None, 4)
[tf.squeeze(A), tf.squeeze(A, [2]), tf.squeeze(A, axis=0)] ; [A[0, :, 0], A[..., 0], A[0]] ; ; fixed
tf.transpose(X) ; X.T ; (4, None)
tf.transpose(C, [2, 0, 1]) ; C.transpose(2, 0, 1) ; (4, None, 3)
tf.tile(X, [1, 2]) ; np.tile(X, (1, 2)) ; (None, 8)
tf.pad(X, [[1, 0], [2, 1]]) ; np.pad(X, ((1, 0), (2, 1))) ; (None, 7)
tf.pad(X, [[1, 1], [2, 1]], "REFLECT") ; np.pad(X, ((1, 1), (2, 1)), "reflect") ; (None, 7)
tf.pad(X, tf.constant([[0, 0], [1, 1]]), constant_values=9) ;
    np.pad(X, ((0, 0), (1, 1)), constant_values=9)
tf.reverse(X, [1]) ; X[:, ::-1] ; (None, 4)
tf.reverse_sequence(C, [1, 3], seq_axis=1, batch_axis=0) ; np.stack([C[0], C[1][::-1]]) ; ; fixed
tf.reverse_sequence(C, [2, 1, 2], seq_axis=0, batch_axis=1) ;
    np.stack([C[::-1, 0], C[:, 1], C[::-1, 2]], 1) ; ; fixed
tf.concat([X, Y], 1) ; np.concatenate([X, Y], 1) ; (None, 8)
tf.concat(values=[X, Y], axis=0) ; np.concatenate([X, Y]) ; (None, 4)
tf.stack([X, Y], axis=1) ; np.stack([X, Y], 1) ; (None, 2, 4)
tf.stack([V[0], 2.0, 3.0]) ; np.stack([V[0], 2, 3]).astype(V.dtype) ; (3,)
tf.unstack(X, axis=1) ; [*X.T] ; (None,)
tf.split(X, 2, axis=1) ; np.split(X, 2, 1) ; (None, 2)
tf.split(X, [1, 3], 1) ; [X[:, :1], X[:, 1:]] ; (None, 1)
tf.gather(X, G) ; X[G] ; (None, 4)
tf.gather(X, [[1, 1], [3, 0]], axis=1) ; X[:, [[1, 1], [3, 0]]] ; (None, 2, 2)
tf.gather([1.5, 2.5, 3.5], G) ; np.array([2.5, 3.5], f) ; (None,)
tf.gather_nd(X, [[0, 1], [2, 3]]) ; X[[0, 2], [1, 3]] ; (2,)
tf.gather_nd(X, [[1]]) ; X[[1]] ; (1, 4)
tf.scatter_nd([[1], [1], [4]], X, [5, 4]) ; np.eye(5)[:, [1, 1, 4]].astype(X.dtype) @ X ; ; fixed
tf.where(B, X, Y) ; np.where(B, X, Y) ; (None, 4)
tf.where(M, X, Y) ; np.where(M[:, None], X, Y) ; (None, 4)
tf.where(X > 0) ; np.argwhere(X > 0) ; (None, 2) ; flat
tf.boolean_mask(X, M) ; X[M] ; (None, 4)
tf.boolean_mask(X, B) ; X[B] ; (None,)
tf.unique(R)[0:2] ; [np.array([7, 3, 0]), np.array([0, 1, 0, 2, 1], "i4")] ; (None,)
[tf.slice(X, [0, 1], [-1, 2]), tf.slice(X, [1, 0], [1, 4])] ; [X[:, 1:3], X[1:2]] ; (None, 2)
tf.slice(X, G, [1, 2]) ; X[1:2, 2:4] ; ; fixed
[X[0], X[-1, 1:3], X[:, ::2], X[..., -1], X[:, None], X[1:, ::-1]] ;
    [X[0], X[-1, 1:3], X[:, ::2], X[..., -1], X[:, None], X[1:, ::-1]] ; (4,)
[X[N], X[:, : tf.shape(X)[1] - 1]] ; [X[2], X[:, :3]] ; (4,)
tf.nn.relu(X) ; np.maximum(X, 0) ; (None, 4)
tf.nn.relu6(5 * X) ; np.clip(5 * X, 0, 6)
tf.nn.elu(X) ; np.where(X > 0, X, np.expm1(X))
tf.nn.selu(X) ; 1.0507009873554805 * np.where(X > 0, X, 1.6732632423543772 * np.expm1(X))
tf.nn.softplus(X) ; np.log1p(np.exp(X))
tf.nn.softsign(X) ; X / (1 + abs(X))
tf.nn.swish(X) ; X * sigmoid(X)
tf.nn.leaky_relu(X) ; np.maximum(0.2 * X, X)
tf.nn.leaky_relu(X, alpha=0.01) ; np.maximum(0.01 * X, X)
tf.nn.crelu(X) ; np.maximum(np.concatenate([X, -X], 1), 0) ; (None, 8)
tf.nn.sigmoid(X) + tf.nn.tanh(X) ; sigmoid(X) + np.tanh(X)
tf.nn.softmax(X) ; softmax(X) ; (None, 4)
tf.nn.softmax(X, dim=0) ; softmax(X, 0)
tf.nn.log_softmax(X) ; np.log(softmax(X))
tf.nn.bias_add(X, V) ; X + V ; (None, 4)
tf.nn.l2_loss(X) ; (X**2).sum() / 2 ; ()
tf.nn.l2_normalize(X, 1) ; X / np.linalg.norm(X, axis=1, keepdims=True)
tf.nn.zero_fraction(Z) ; f((Z == 0).mean()) ; () ; flat
tf.nn.moments(X, [0]) ; [X.mean(0), X.var(0)] ; (4,)
tf.nn.moments(X, axes=[1], keep_dims=True) ;
    [X.mean(1, keepdims=True), X.var(1, keepdims=True)] ; (None, 1)
tf.nn.batch_normalization(X, V, U, Y, P, 1e-3) ; (X - V) / np.sqrt(U + 1e-3) * P + Y
tf.nn.batch_normalization(X, V, U, None, None, 1e-3) ; (X - V) / np.sqrt(U + 1e-3)
tf.nn.xw_plus_b(X, T, T[0]) ; X @ T + T[0] ; ; fixed
tf.nn.relu_layer(X, T, T[0]) ; np.maximum(X @ T + T[0], 0) ; ; fixed
tf.nn.local_response_normalization(PICTURES, depth_radius=1, bias=2.0, alpha=0.5, beta=0.75)
[*tf.nn.top_k(X, 2)] ; [-np.sort(-X)[:, :2], np.argsort(-X)[:, :2].astype("i4")] ; (None, 2)
tf.nn.in_top_k(X, L, 2) ; (X > X[np.arange(3), L][:, None]).sum(1) < 2 ; (None,)
tf.nn.in_top_k(E, [1], 4) ; np.array([False]) ; ; fixed
tf.nn.in_top_k(X, L + 2, 3) ; np.array([False, (X[1] > X[1, 2]).sum() < 3, False]) ; (None,)
tf.nn.embedding_lookup(X, G) ; X[G] ; (None, 4)
tf.nn.softmax_cross_entropy_with_logits(labels=tf.stop_gradient(S), logits=X) ;
    -(S * np.log(softmax(X))).sum(1) ; (None,) ; flat
tf.nn.softmax_cross_entropy_with_logits(labels=[[0.2, 0.3, 0.5, 0]] * 3, logits=9 * X) ;
    -np.log(softmax(9 * X)) @ np.array([0.2, 0.3, 0.5, 0], X.dtype) ; (3,)
tf.nn.softmax_cross_entropy_with_logits_v2(labels=tf.nn.softmax(S), logits=X) ;
    -(softmax(S) * np.log(softmax(X))).sum(1) ; (None,)
tf.nn.sparse_softmax_cross_entropy_with_logits(labels=L, logits=X) ;
    -np.log(softmax(X))[np.arange(3), L] ; (None,)
tf.nn.sparse_softmax_cross_entropy_with_logits(labels=[[2, 0, 3]] * 2, logits=C) ;
    -np.log(softmax(C))[:, np.arange(3), [2, 0, 3]] ; (2, 3)
tf.nn.sigmoid_cross_entropy_with_logits(labels=S, logits=X) ;
    -S * np.log(sigmoid(X)) - (1 - S) * np.log(1 - sigmoid(X))
tf.nn.weighted_cross_entropy_with_logits(labels=S, logits=X, pos_weight=3.0) ;
    -3 * S * np.log(sigmoid(X)) - (1 - S) * np.log(1 - sigmoid(X))
tf.nn.conv2d(PICTURES, KERNEL, [1, 1, 1, 1], "VALID", dilations=[1, 2, 2, 1]) ; ; ; flat
tf.nn.conv2d_transpose(PICTURES, BACK, [2, 13, 12, 4], [1, 2, 2, 1]) ; ; (2, 13, 12, 4) ; fixed
tf.nn.conv2d_transpose(PICTURES, BACK, [2, 14, 12, 4], [1, 2, 2, 1]) ; ; (2, 14, 12, 4) ; fixed
"""
ROWS = [Row.read(line) for line in LINES + TEXT.replace("\n    ", " ").strip().splitlines()]

if __name__ == "__main__":  # for TensorFlow's own interpreter: results go into a file
    import json
    import sys

    import tensorflow.compat.v1 as tensorflow

    tensorflow.disable_v2_behavior()
    arrays, notes = {}, {}
    for number, row in enumerate(ROWS):
        for unknown in {False, not row.fixed}:
            tensorflow.reset_default_graph()
            *note, values = row.record(tensorflow, unknown)
            notes[f"{number} {unknown}"] = [*note, len(values)]
            arrays |= {f"{number} {unknown} {i}": value for i, value in enumerate(values)}
    np.savez(sys.argv[1], notes=json.dumps(notes), **arrays)
