"""The networks in plain NumPy, or in the words of another module of the same names."""

from __future__ import annotations

from typing import Any

from benchmarks import sequences as data


def lstm(xp: Any, scan: Any, sigmoid: Any, w: Any, x: Any) -> Any:
    """The logits."""
    n = data.UNITS

    def step(states: Any, x: Any) -> Any:
        h, c = states
        z = x @ w["kernel"] + h @ w["recurrent"] + w["bias"]
        i, f, g, o = (z[:, k * n : (k + 1) * n] for k in range(4))
        c = sigmoid(f) * c + sigmoid(i) * xp.tanh(g)
        return (sigmoid(o) * xp.tanh(c), c), None

    zeros = xp.zeros((x.shape[0], n), "float32")
    (h, _), _ = scan(step, (zeros, zeros), xp.swapaxes(x, 0, 1))
    return h @ w["out"] + w["out_bias"]


def gru(xp: Any, scan: Any, sigmoid: Any, w: Any, x: Any) -> Any:
    """The logits."""
    n = data.UNITS

    def step(h: Any, x: Any) -> Any:
        a = x @ w["kernel"] + w["bias"][0]
        b = h @ w["recurrent"] + w["bias"][1]
        z, r = (sigmoid(a[:, k : k + n] + b[:, k : k + n]) for k in (0, n))
        new = xp.tanh(a[:, 2 * n :] + r * b[:, 2 * n :])
        return z * h + (1 - z) * new, None

    h, _ = scan(step, xp.zeros((x.shape[0], n), "float32"), xp.swapaxes(x, 0, 1))
    return h @ w["out"] + w["out_bias"]


def transformer(xp: Any, softmax: Any, w: Any, x: Any) -> Any:
    """The logits of every token."""
    rows, tokens, dim, heads = *x.shape, data.DIM, data.HEADS
    seen = xp.arange(tokens)[:, None] >= xp.arange(tokens)

    def normal(h: Any, gamma: Any, beta: Any) -> Any:
        h = h - xp.mean(h, axis=-1, keepdims=True)
        variance = xp.mean(h * h, axis=-1, keepdims=True)
        return h * (1 / xp.sqrt(variance + 1e-5)) * gamma + beta

    def attention(h: Any, layer: int) -> Any:
        qkv = h @ w[f"qkv{layer}"] + w[f"qkv_bias{layer}"]
        parts = (qkv[..., k * dim : (k + 1) * dim] for k in range(3))
        q, k, v = (p.reshape(rows, tokens, heads, dim // heads) for p in parts)
        scores = xp.einsum("bthd,bshd->bhts", q * (dim // heads) ** -0.5, k)
        found = xp.einsum("bhts,bshd->bthd", softmax(xp.where(seen, scores, -1e9)), v)
        return found.reshape(rows, tokens, dim) @ w[f"joined{layer}"] + w[f"joined_bias{layer}"]

    h = w["tokens"][x] + w["places"]
    for n in range(data.LAYERS):
        h = h + attention(normal(h, w[f"first_gamma{n}"], w[f"first_beta{n}"]), n)
        m = normal(h, w[f"second_gamma{n}"], w[f"second_beta{n}"])
        m = xp.maximum(m @ w[f"wide{n}"] + w[f"wide_bias{n}"], 0)
        h = h + m @ w[f"narrow{n}"] + w[f"narrow_bias{n}"]
    return normal(h, w["gamma"], w["beta"]) @ w["out"] + w["out_bias"]


def cross_entropy(xp: Any, z: Any, t: Any) -> Any:
    """The mean over all labels."""
    z, t = z.reshape(-1, z.shape[-1]), t.reshape(-1)
    z = z - xp.max(z, axis=1, keepdims=True)
    log_p = z - xp.log(xp.sum(xp.exp(z), axis=1, keepdims=True))
    return -xp.mean(log_p[xp.arange(len(t)), t])
