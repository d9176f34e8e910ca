"""Two hash functions of byte strings, the same on every platform and in TensorFlow.

`fingerprint` is FarmHash's Fingerprint64, `siphash` is SipHash-2-4 (Aumasson and Bernstein 2012).
"""

from __future__ import annotations

import struct

_ALL = (1 << 64) - 1
_K0, _K1, _K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F


def fingerprint(text: bytes) -> int:
    """Return FarmHash's Fingerprint64.

    Examples
    --------
    >>> fingerprint(b"") == 0x9AE16A3B2F90404F
    True
    """
    n = len(text)
    if n <= 16:
        return _short(text, n)
    if n > 64:
        return _long(text, n)
    mul = (_K2 + 2 * n) & _ALL
    if n <= 32:
        a, b = _word(text, 0) * _K1, _word(text, 8)
        c, d = _word(text, n - 8) * mul, _word(text, n - 16) * _K2
        high = _rotate(a + b, 43) + _rotate(c, 30) + d
        return _mixed(high, a + _rotate(b + _K2, 18) + c, mul)
    a, b = _word(text, 0) * _K2, _word(text, 8)
    c, d = _word(text, n - 8) * mul, _word(text, n - 16) * _K2
    y = _rotate(a + b, 43) + _rotate(c, 30) + d
    z = _mixed(y, a + _rotate(b + _K2, 18) + c, mul)
    e, f = _word(text, 16) * mul, _word(text, 24)
    g, h = (y + _word(text, n - 32)) * mul, (z + _word(text, n - 24)) * mul
    return _mixed(_rotate(e + f, 43) + _rotate(g, 30) + h, e + _rotate(f + a, 18) + g, mul)


def _short(text: bytes, n: int) -> int:
    mul = (_K2 + 2 * n) & _ALL
    if n >= 8:
        a, b = _word(text, 0) + _K2, _word(text, n - 8)
        c = _rotate(b, 37) * mul + a
        return _mixed(c, (_rotate(a, 25) + b) * mul, mul)
    if n >= 4:
        first, last = struct.unpack_from("<I", text)[0], struct.unpack_from("<I", text, n - 4)[0]
        return _mixed(n + (first << 3), last, mul)
    if n:
        y = text[0] + (text[n >> 1] << 8)
        z = n + (text[-1] << 2)
        return _folded((y * _K2) ^ (z * _K0)) * _K2 & _ALL
    return _K2


def _long(text: bytes, n: int) -> int:
    x = 81
    y = (x * _K1 + 113) & _ALL
    z = _folded(y * _K2 + 113) * _K2 & _ALL
    v, w = (0, 0), (0, 0)
    x = x * _K2 + _word(text, 0)
    for start in range(0, (n - 1) // 64 * 64, 64):
        x, y, z, v, w = _round(text, start, x, y, z, v, w, _K1, 1)
    mul = _K1 + ((z & 0xFF) << 1)
    w0 = w[0] + ((n - 1) & 63)
    v = (v[0] + w0, v[1])
    w = (w0 + v[0], w[1])
    x, y, z, v, w = _round(text, n - 64, x, y, z, v, w, mul, 9)
    first = _mixed(v[0], w[0], mul) + _folded(y) * _K0 + z
    return _mixed(first, _mixed(v[1], w[1], mul) + x, mul)


def _round(
    text: bytes,
    at: int,
    x: int,
    y: int,
    z: int,
    v: tuple[int, int],
    w: tuple[int, int],
    mul: int,
    times: int,
) -> tuple[int, int, int, tuple[int, int], tuple[int, int]]:
    x = _rotate(x + y + v[0] + _word(text, at + 8), 37) * mul
    y = _rotate(y + v[1] + _word(text, at + 48), 42) * mul
    x = (x & _ALL) ^ ((w[1] * times) & _ALL)
    y = (y + v[0] * times + _word(text, at + 40)) & _ALL
    z = _rotate(z + w[0], 33) * mul & _ALL
    v = _weak(text, at, v[1] * mul, x + w[0])
    w = _weak(text, at + 32, z + w[1], y + _word(text, at + 16))
    return z, y, x, v, w


def _weak(text: bytes, at: int, a: int, b: int) -> tuple[int, int]:
    p, q, r, s = struct.unpack_from("<4Q", text, at)
    a += p
    b = _rotate(b + a + s, 21)
    return (a + q + r + s) & _ALL, (b + _rotate(a + q + r, 44) + a) & _ALL


def _word(text: bytes, at: int) -> int:
    word: int = struct.unpack_from("<Q", text, at)[0]
    return word


def _rotate(value: int, by: int) -> int:
    """Rotate 64 bits to the right."""
    value &= _ALL
    return (value >> by | value << (64 - by)) & _ALL


def _folded(value: int) -> int:
    value &= _ALL
    return value ^ value >> 47


def _mixed(u: int, v: int, mul: int) -> int:
    a = _folded((u ^ v) * mul)
    return _folded((v ^ a) * mul) * mul & _ALL


def siphash(text: bytes, key: tuple[int, int]) -> int:
    """Return SipHash-2-4 of ``text`` under a key of two 64-bit words."""
    k0, k1 = (part & _ALL for part in key)
    v = (
        k0 ^ 0x736F6D6570736575,
        k1 ^ 0x646F72616E646F6D,
        k0 ^ 0x6C7967656E657261,
        k1 ^ 0x7465646279746573,
    )
    padded = text + bytes(7 - len(text) % 8) + bytes([len(text) & 0xFF])
    for (word,) in struct.iter_unpack("<Q", padded):
        v0, v1, v2, v3 = _sipped((v[0], v[1], v[2], v[3] ^ word), 2)
        v = (v0 ^ word, v1, v2, v3)
    v = _sipped((v[0], v[1], v[2] ^ 0xFF, v[3]), 4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def _sipped(v: tuple[int, int, int, int], rounds: int) -> tuple[int, int, int, int]:
    v0, v1, v2, v3 = v
    for _ in range(rounds):
        v0, v2 = (v0 + v1) & _ALL, (v2 + v3) & _ALL
        v1, v3 = _rotate(v1, 64 - 13) ^ v0, _rotate(v3, 64 - 16) ^ v2
        v0 = _rotate(v0, 32)
        v2, v0 = (v2 + v1) & _ALL, (v0 + v3) & _ALL
        v1, v3 = _rotate(v1, 64 - 17) ^ v2, _rotate(v3, 64 - 21) ^ v0
        v2 = _rotate(v2, 32)
    return v0, v1, v2, v3


__all__ = ["fingerprint", "siphash"]
