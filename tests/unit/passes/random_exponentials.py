"""Random Programs that are full of exponentials, their sums, quotients and logarithms."""

import numpy as np

from bital.primitives import REGISTRY as P
from bital.program import ArrayType, Builder, Literal, building, check

F64 = np.dtype(np.float64)
SHAPES = [(3, 3), (2, 3), (3,), (3, 1), (1, 3), ()]
NUMBERS = [1.0, 1.0, 1.0, -1.0, 2.0, 0.5, 0.01, -2.0]


class _Grower:
    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.builder = Builder("random")
        self.atoms = [
            self.builder.input(ArrayType(SHAPES[self.rng.integers(4)], F64)) for _ in range(2)
        ]

    def one_of(self, *choices):
        return choices[self.rng.integers(len(choices))]

    def number(self):
        return Literal(self.one_of(*NUMBERS), F64)

    def pick(self, beside=None):
        fitting = [a for a in self.atoms if beside is None or _broadcasts(a, beside)]
        return self.one_of(*fitting[-6:])

    def step(self, x):
        kind = self.rng.integers(12)
        if kind < 3:
            return P["exp"](self.one_of(x, x, P["neg"](x)))
        if kind < 5:
            return P[self.one_of("log", "log", "log1p")](x)
        if kind == 5:
            pair = self.one_of((x, self.number()), (self.number(), x))
            return P[self.one_of("add", "sub", "mul", "div")](*pair)
        if kind == 6:
            return P[self.one_of("add", "sub", "mul")](x, self.pick(beside=x))
        if kind == 7:
            return P["div"](x, self.pick(beside=x))
        if kind < 10 and x.type.shape:
            return self.reduced(x)
        return self.moved(x)

    def reduced(self, x):
        count = self.rng.integers(1, x.type.ndim + 1)
        axes = tuple(sorted(self.rng.choice(x.type.ndim, count, replace=False).tolist()))
        name = self.one_of("reduce_sum", "reduce_sum", "reduce_sum", "reduce_max")
        total = P[name](x, axes=axes, keepdims=bool(self.rng.integers(2)))
        if self.rng.random() < 0.5:
            kept = tuple(1 if i in axes else n for i, n in enumerate(x.type.shape))
            total = P["reshape"](total, shape=kept)
        if self.rng.random() < 0.5 and _broadcasts(x, total):
            self.atoms.append(total)
            return P[self.one_of("div", "sub")](x, total)
        return total

    def moved(self, x):
        kind = self.rng.integers(6)
        if kind == 0:
            order = tuple(self.rng.permutation(x.type.ndim).tolist())
            return P["transpose"](x, permutation=order)
        if kind == 1:
            return P["tanh"](x)
        if kind == 2:
            return P[self.one_of("maximum", "minimum")](x, self.number())
        if kind == 3:
            other = self.one_of(P["neg"](x), self.number())
            return P["where"](P[self.one_of("ge", "lt")](x, self.number()), x, other)
        if kind == 4 or not x.type.shape:
            return P["power"](x, Literal(self.one_of(-1.0, 2.0, -2.0), F64))
        return P["gather"](x, self.builder.constant(np.array([0, x.type.shape[0] - 1, 0])))


def _broadcasts(x, y):
    try:
        np.broadcast_shapes(x.type.shape, y.type.shape)
    except ValueError:
        return False
    return True


def random_exponentials(seed, equations=14):
    """The first output is the sum of all elements of the others."""
    grower = _Grower(seed)
    with building(grower.builder):
        for _ in range(equations):
            grower.atoms.append(grower.step(grower.pick()))
        outputs = grower.atoms[-4:]
        total = Literal(0.0, F64)
        for x in outputs:
            total = P["add"](
                total, P["reduce_sum"](x, axes=tuple(range(x.type.ndim)), keepdims=False)
            )
    return check(grower.builder.build([total, *outputs]))


def is_moderate(program, arguments):
    """Whether every value on the way is finite, and neither large nor near 0."""
    env = dict(zip(program.inputs, arguments, strict=True)) | program.constants
    with np.errstate(all="ignore"):
        for equation in program.equations:
            operands = [a.value if isinstance(a, Literal) else env[a] for a in equation.inputs]
            value = equation.primitive.reference(*operands, **equation.params)
            env[equation.outputs[0]] = value
            size = np.abs(np.asarray(value, float))
            if not np.all((size < 1e4) & ((size == 0) | (size > 1e-4))):
                return False
    return True
