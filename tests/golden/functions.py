"""What the golden texts are made of. They name these lines: moving one changes them."""

import numpy as np

import bital

RNG = np.random.default_rng(0)


def mlp_loss(params, x, t):
    (W1, b1), (W2, b2) = params
    h = np.tanh(x @ W1 + b1)
    z = h @ W2 + b2
    z = z - z.max(axis=1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    return -np.mean(np.sum(t * log_p, axis=1))


PARAMS = (
    (RNG.standard_normal((64, 32)).astype(np.float32), np.zeros(32, np.float32)),
    (RNG.standard_normal((32, 10)).astype(np.float32), np.zeros(10, np.float32)),
)
X = RNG.standard_normal((20, 64)).astype(np.float32)
T = np.eye(10, dtype=np.float32)[RNG.integers(0, 10, 20)]


def sgd_step(params, x, t, rate):
    gradient = bital.grad(mlp_loss)(params, x, t)
    return bital.tree.map(lambda w, g: w - rate * g, params, gradient)


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def indexing(x, labels):
    picked = x[np.arange(4), labels]
    x[1:3, ::-1] = 0.5
    x[labels, 0] += picked
    return x[..., -1], x.T[:, None], picked


@bital.custom_vjp
def clipped(x):
    return np.maximum(x, 0.0) * np.array([1.0, -0.0, 2.5])


clipped.defvjp(lambda x: (clipped(x), x > 0), lambda mask, ct: (np.where(mask, ct, 0.1 * ct),))


def recurrent_loss(W, h, xs):
    def step(h, x):
        h = np.tanh(h @ W + x)
        return h, np.sum(h)

    h, sums = bital.scan(step, h, xs)
    return np.sum(h * h) + np.mean(sums)


def root(x):
    """Newton's square root; of a negative number, minus that of its opposite."""

    def newton(x):
        return bital.while_loop(
            lambda r: np.abs(r * r - x) > 1e-9, lambda r: (r + x / r) / 2.0, x + 1.0
        )

    return bital.cond(x >= 0, newton, lambda x: -newton(-x), x)


LOGITS, LABELS = RNG.standard_normal((4, 3)), np.array([0, 2, 1, 2])
CASES = {
    "mlp_loss": (mlp_loss, (PARAMS, X, T)),
    "mlp_gradient": (bital.grad(mlp_loss), (PARAMS, X, T)),
    "mlp_sgd_step": (sgd_step, (PARAMS, X, T, 0.1)),
    "softmax": (softmax, (LOGITS,)),
    "softmax_jvp": (lambda x, d: bital.jvp(softmax, (x,), (d,))[1], (LOGITS, LOGITS)),
    "indexing": (indexing, (LOGITS, LABELS)),
    "custom_vjp": (clipped, (LOGITS[0],)),
    "custom_vjp_gradient": (bital.grad(lambda x: clipped(x).sum()), (LOGITS[0],)),
    "vmapped_dot": (bital.vmap(np.dot, in_axes=(0, None)), (LOGITS, LOGITS[0])),
    "recurrent_gradient": (
        bital.grad(recurrent_loss, (0, 1)),
        (RNG.standard_normal((2, 2)), np.ones(2), RNG.standard_normal((3, 2))),
    ),
    "root": (root, (-9.0,)),
    "dropout": (
        lambda key, x: np.where(bital.random.bernoulli(key, 0.5, (4, 3)), x * 2.0, 0.0),
        (bital.random.key(0), LOGITS),
    ),
}
