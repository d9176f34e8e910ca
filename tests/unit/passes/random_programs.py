"""Random whole Programs, with the numbers that break careless algebra."""

import math

import numpy as np

from bital.primitives import REGISTRY as P
from bital.program import ArrayType, Builder, Literal, Program, building, check

SPECIAL = np.array([0.0, -0.0, 1.0, -1.0, 2.0, -3.5, np.nan, np.inf, -np.inf, 1e-308, 1e308, 0.5])
WHOLE = np.array([0.0, -0.0, 1.0, -1.0, 2.0, -3.0, 0.5])  # sums in any order agree
SHAPES = [(), (3,), (2, 3), (2, 1), (1, 3)]
F64, I64, BOOL = (np.dtype(d) for d in (np.float64, np.int64, np.bool_))

_LARGEST = 100_000  # elements

_UNARY = ["neg", "abs", "sign", "floor", "sqrt", "tanh", "stop_gradient"]
_BINARY = ["add", "sub", "mul", "div", "maximum", "minimum"]
_COMPARISONS = ["eq", "lt", "ge"]


class Grower:
    """Grows a Program of random equations whose operands always fit."""

    def __init__(self, rng, scale=1):
        self.rng = rng
        self.scale = scale
        self.numbers = SPECIAL if scale == 1 else WHOLE
        self.builder = Builder("random")
        self.atoms = []

    def shape(self):
        shapes = SHAPES if self.scale == 1 else [(3,), (2, 3)]
        shape = shapes[self.rng.integers(len(shapes))]
        return tuple(n * self.scale if n > 1 else n for n in shape)

    def pick(self, condition=lambda atom: True):
        fitting = [a for a in self.atoms if condition(a)]
        if self.scale > 1:
            fitting = fitting[-8:]  # short lives, so that buffers become free
        return fitting[self.rng.integers(len(fitting))] if fitting else None

    def floating(self):
        return self.pick(lambda a: a.type.dtype == F64)

    def array(self, shape):
        return self.rng.choice(self.numbers, shape)

    def number(self):
        return Literal(self.rng.choice([0.0, -0.0, 1.0, -1.0, 2.0, np.nan, np.inf]), F64)

    def grow(self, equations=25):
        for _ in range(3):
            self.atoms.append(self.builder.input(ArrayType(self.shape(), F64)))
        self.atoms.append(self.builder.constant(np.asarray(self.array((2 * self.scale, 3)))))
        self.atoms.append(self.builder.constant(np.asarray(self.array((3 * self.scale,)))))
        self.atoms.append(Literal(1.5, F64))
        with building(self.builder):
            for _ in range(equations):
                out = self.step()
                if out is not None:
                    self.atoms.append(out)
        variables = self.atoms[5:]
        count = min(len(variables), 5 if self.scale == 1 else 3)
        outputs = [variables[i] for i in self.rng.choice(len(variables), count, replace=False)]
        return check(self.builder.build([*outputs, self.atoms[0], Literal(-0.0, F64)]))

    def step(self):
        steps = [self.unary, self.binary, self.binary, self.with_number, self.compare, self.select,
                 self.reshape, self.transpose, self.stretch, self.reduce, self.slice, self.product,
                 self.twice, self.convert, self.update]  # fmt: skip
        return steps[self.rng.integers(len(steps))]()

    def unary(self):
        return P[_UNARY[self.rng.integers(len(_UNARY))]](self.floating())

    def binary(self):
        x = self.floating()
        y = self.pick(lambda a: a.type.dtype == F64 and _broadcasts(x, a))
        return P[_BINARY[self.rng.integers(len(_BINARY))]](x, y)

    def with_number(self):
        x, number = self.floating(), self.number()
        if self.rng.random() < 0.3 and x.type.shape:
            number = P["broadcast_to"](number, shape=x.type.shape)
        pair = (x, number) if self.rng.random() < 0.5 else (number, x)
        return P[_BINARY[self.rng.integers(4)]](*pair)

    def twice(self):
        """Something that a rule undoes or merges."""
        x = self.floating()
        choice = self.rng.integers(4)
        if choice == 0:
            return P["neg"](P["neg"](x))
        if choice == 1:
            y = self.pick(lambda a: a.type == x.type)
            return P[["add", "sub"][self.rng.integers(2)]](x, P["neg"](y))
        if choice == 2:
            return P["reshape"](P["reshape"](x, shape=(x.type.size,)), shape=x.type.shape)
        return P["sin"](x) if self.rng.random() < 0.5 else P["add"](P["sin"](x), P["sin"](x))

    def compare(self):
        x = self.floating()
        y = self.pick(lambda a: a.type.dtype == F64 and _broadcasts(x, a))
        return P[_COMPARISONS[self.rng.integers(3)]](x, y)

    def select(self):
        condition = self.pick(lambda a: a.type.dtype == BOOL)
        if condition is None:
            return None
        x = self.pick(lambda a: a.type.dtype == F64 and _broadcasts(condition, a))
        if x is None:
            return None
        y = self.pick(lambda a: a.type in (x.type, ArrayType((), F64)))
        return P["where"](condition, x, y)

    def reshape(self):
        x = self.floating()
        n = x.type.size
        shapes = [(n,), (n, 1), (1, n), x.type.shape, (*x.type.shape, 1)]
        return P["reshape"](x, shape=shapes[self.rng.integers(len(shapes))])

    def transpose(self):
        x = self.floating()
        order = tuple(int(i) for i in self.rng.permutation(x.type.ndim))
        return P["transpose"](x, permutation=order)

    def stretch(self):
        x = self.floating()
        fits = x.type.ndim < 2 and 2 * x.type.size <= _LARGEST
        return P["broadcast_to"](x, shape=(2, *x.type.shape)) if fits else None

    def reduce(self):
        x = self.pick(lambda a: a.type.dtype == F64 and a.type.ndim > 0)
        name = ["reduce_sum", "reduce_max", "reduce_min"][self.rng.integers(3)]
        axes = (int(self.rng.integers(x.type.ndim)),)
        return P[name](x, axes=axes, keepdims=bool(self.rng.integers(2)))

    def slice(self):
        x = self.pick(lambda a: a.type.dtype == F64 and a.type.ndim > 0)
        start, stop, step = [], [], []
        for n in x.type.shape:
            kind = self.rng.integers(3)
            start.append(0 if kind < 2 else n - 1)
            stop.append([n, max(n - 1, 1), -1][kind])
            step.append(1 if kind < 2 else -1)
        return P["slice"](x, start=tuple(start), stop=tuple(stop), step=tuple(step))

    def update(self):
        x = self.pick(lambda a: a.type.dtype == F64 and a.type.ndim > 0)
        shape = (1, *x.type.shape[1:])
        v = self.pick(lambda a: a.type.dtype == F64 and a.type.shape == shape)
        if v is None:
            v = P["slice"](x, start=(0,) * x.type.ndim, stop=shape, step=(1,) * x.type.ndim)
        last = x.type.shape[0]
        start = (last - 1, *(0,) * (x.type.ndim - 1))
        return P["slice_update"](x, v, start=start, stop=x.type.shape, step=(1,) * x.type.ndim)

    def convert(self):
        x = self.pick()
        if x.type.dtype == BOOL:
            return P["convert"](x, dtype=F64)
        return P["convert"](x, dtype=F64) if self.rng.random() < 0.5 else None

    def product(self):
        """Of small whole numbers, so that any order of sums gives the same bits."""
        x = self.pick(lambda a: a.type.dtype == F64 and a.type.ndim == 2)
        if x is None or max(x.type.shape) ** 2 > _LARGEST:
            return None
        small = P["convert"](P["lt"](x, 0.5), dtype=F64)
        turned = P["transpose"](small, permutation=(1, 0))
        pairs = [(small, turned), (turned, small)]
        left, right = pairs[self.rng.integers(2)]
        out = P["dot_general"](left, right, contract=((1,), (0,)), batch=((), ()))
        return P["transpose"](out, permutation=(1, 0)) if self.rng.random() < 0.5 else out


def _broadcasts(x, y):
    try:
        shape = np.broadcast_shapes(x.type.shape, y.type.shape)
    except ValueError:
        return False
    return math.prod(shape) <= _LARGEST


def random_program(seed, equations=25, scale=1) -> Program:
    return Grower(np.random.default_rng(seed), scale).grow(equations)


def random_arguments(program, seed, numbers=SPECIAL):
    rng = np.random.default_rng(seed)
    return tuple(np.asarray(rng.choice(numbers, t.shape))[()] for t in program.input_types)


def same_bits(a, b):
    """Equal bit for bit; any NaN equals any NaN."""
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    if a.dtype.kind != "f":
        return bool(np.array_equal(a, b))
    both_nan = np.isnan(a) & np.isnan(b)
    bits = f"u{a.dtype.itemsize}"
    equal = np.ascontiguousarray(a).view(bits) == np.ascontiguousarray(b).view(bits)
    return bool(np.all(equal | both_nan))
