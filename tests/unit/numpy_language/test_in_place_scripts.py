"""Random scripts of aliases, views and in-place writes: as NumPy runs them, or an error."""

import numpy as np
import pytest

import bital
from bital.errors import SupersededArrayError, TracerBoolError, TracerConversionError, ViewError

N = 6
HONEST = (ViewError, SupersededArrayError, TracerConversionError, TracerBoolError)


class Writer:
    """Writes a script of statements over 1-d arrays; keeps the length of each variable."""

    def __init__(self, seed, plain):
        self.rng = np.random.default_rng(seed)
        self.lengths = {"x": N, "y": N}
        self.plain = plain  # whether plain arrays take part
        self.plain_names = set()
        self.lines = []

    def pick(self, length=None):
        names = [n for n, k in self.lengths.items() if length in (None, k)]
        return names[self.rng.integers(len(names))]

    def window(self, length):
        start, stop = sorted(self.rng.integers(0, length + 1, 2))
        return [f"{start}:{stop}", "::-1", "::2", ":", "...", f"{start}:"][self.rng.integers(6)]

    def length_of(self, window, length):
        return len(eval(f"np.zeros({length})[{window}]", {"np": np}))

    def new(self, length, text):
        name = f"v{len(self.lines)}"
        self.lengths[name] = length
        self.lines.append(f"{name} = {text}")
        return name

    def number(self):
        u = self.pick()
        parts = ["2.0", "-1.5", f"{u}.sum()", f"({u}[0] if len({u}) else 0.0)"]
        return parts[self.rng.integers(4)]

    def statement(self):
        kinds = [self.alias, self.copy, self.view, self.reshaped, self.element, self.write]
        kinds += [self.view, self.write, self.augmented, self.augmented, self.out, self.mask]
        if self.plain:
            kinds.append(self.plain_array)
        u = self.pick()
        kinds[self.rng.integers(len(kinds))](u, self.lengths[u])

    def alias(self, u, n):
        self.new(n, u)

    def copy(self, u, n):
        copies = [f"{u}.copy()", f"{u} + 0.0", f"{u} * {self.pick(n)}", f"{u}.flatten()"]
        if u not in self.plain_names:  # a copy that NumPy alone makes says nothing to the trace
            self.new(n, copies[self.rng.integers(4)])

    def view(self, u, n):
        window = self.window(n)
        self.new(self.length_of(window, n), f"{u}[{window}]")

    def reshaped(self, u, n):
        self.new(n, f"{u}.reshape(1, -1).T.reshape(-1)" if n else f"{u}[:]")

    def element(self, u, n):
        if n:
            index = [f"{self.rng.integers(n)}", f"[0, {n - 1}]"][self.rng.integers(2)]
            sign = ["=", "-="][self.rng.integers(2)]
            self.lines.append(f"{u}[{index}] {sign} {self.number()}")

    def write(self, u, n):
        sign = ["=", "+=", "*="][self.rng.integers(3)]
        self.lines.append(f"{u}[{self.window(n)}] {sign} {self.number()}")

    def augmented(self, u, n):
        operands = [f"*= {self.number()}", f"+= {self.pick(n)}"]
        self.lines.append(f"{u} {operands[self.rng.integers(2)]}")

    def out(self, u, n):
        self.lines.append(f"np.add({u}, {self.pick(n)}, out={self.pick(n)})")

    def mask(self, u, n):
        self.lines.append(f"{u}[{u} > 1.0] = {self.number()}")

    def plain_array(self, u, n):
        self.plain_names.add(self.new(N, f"np.arange({N}.0)"))

    def script(self, count):
        while len(self.lines) < count:
            before = len(self.lengths)
            self.statement()
            if len(self.lengths) > before and self.plain_names:
                self.plain_names = set(self.lengths)  # any name may now be, or view, a plain array
        results = ", ".join(f"{name} * one" for name in self.lengths)
        body = "\n".join(f"    {line}" for line in self.lines)
        return f"def f(x, y, one):\n{body}\n    return ({results},)\n"


def compare(seed, plain):
    script = Writer(seed, plain).script(7)
    namespace = {"np": np}
    exec(script, namespace)
    f = namespace["f"]
    x, y = np.arange(1.0, N + 1), np.array([0.5, -2.0, 3.0, 1.5, -1.0, 4.0])
    with np.errstate(all="ignore"):
        expected = f(x.copy(), y.copy(), np.float64(1.0))
        outcome = {}
        for name, run in (("jit", bital.jit(f)), ("vjp", lambda *args: bital.vjp(f, *args)[0])):
            given = x.copy(), y.copy(), np.float64(1.0)
            try:
                got = run(*given)
            except HONEST as fault:
                outcome[name] = type(fault)
                continue
            outcome[name] = None
            for a, b in zip(got, expected, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-12, err_msg=script)
            np.testing.assert_array_equal(given[0], x)
            np.testing.assert_array_equal(given[1], y)
    return outcome


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("block", range(6))
def test_as_numpy_or_an_error(block, plain):
    right = 0
    for seed in range(40 * block, 40 * block + 40):
        outcome = compare(seed, plain)
        right += outcome["vjp"] is None
    assert right >= 5
