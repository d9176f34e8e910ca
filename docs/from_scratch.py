"""bital from scratch: automatic differentiation and a compiler for NumPy code, in seven chapters.

Read it from top to bottom; it takes about an hour. Run it: python docs/from_scratch.py
Each chapter is a small form of one folder of bital, whose name stands behind its title.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

# --- 1. A Program (bital/program) -----------------------------------------------------------------
#
# To differentiate a function we need to hold it in our hands. A Program is a function as a list of
# equations, such as  c = multiply(a, b).  Each variable is assigned once, so an equation says
# everything there is to know about its variable.


class Var:
    """A value that an equation computes, or an input; we know its shape before it exists."""

    def __init__(self, shape):
        self.shape = shape


class Equation(NamedTuple):
    name: str  # of the operation
    inputs: tuple  # variables, and plain arrays as constants
    output: Var
    options: dict[str, Any]


class Program(NamedTuple):
    inputs: list
    equations: list
    outputs: list


# --- 2. Operations (bital/primitives) -------------------------------------------------------------
#
# A handful is enough for a network. Of each we need three things: what it computes; how its result
# moves if an operand moves (chapter 5); and how to turn that round (chapter 6).
#
# MOVES[name][i](t, y, *xs) is the motion of y = name(*xs) where operand i moves by t. It is linear
# in t. TURNS[name][i](ct, shape, *xs) is its mirror image: what operand i has to do with the result
# if the result counts ct; only operations that MOVES is made of need one.

COMPUTES, MOVES, TURNS = {}, {}, {}


def operation(name, computes, moves=None, turns=None):
    COMPUTES[name], MOVES[name], TURNS[name] = computes, moves, turns


def summed(ct, shape):
    """Undo broadcasting: add up what was repeated."""
    before = (1,) * (ct.ndim - len(shape)) + shape
    repeated = tuple(i for i, n in enumerate(before) if n != ct.shape[i])
    return np.reshape(np.sum(ct, repeated), shape)


def spread(ct, shape, axis):
    """Undo a sum: every summand counts as much as the sum."""
    axes = range(len(shape)) if axis is None else np.atleast_1d(axis) % max(len(shape), 1)
    kept = tuple(1 if i in axes else n for i, n in enumerate(shape))
    return np.broadcast_to(np.reshape(ct, kept), shape)


# fmt: off
operation("add", np.add, [lambda t, y, a, b: t] * 2, [lambda ct, s, a, b: ct] * 2)
operation("multiply", np.multiply, [lambda t, y, a, b: t * b, lambda t, y, a, b: a * t],
          [lambda ct, s, a, b: ct * b, lambda ct, s, a, b: a * ct])
operation("matmul", np.matmul, [lambda t, y, a, b: t @ b, lambda t, y, a, b: a @ t],
          [lambda ct, s, a, b: ct @ b.T, lambda ct, s, a, b: a.T @ ct])
operation("exp", np.exp, [lambda t, y, x: t * y])
operation("log", np.log, [lambda t, y, x: t / x])
operation("tanh", np.tanh, [lambda t, y, x: t * (1.0 - y * y)])
operation("reciprocal", np.reciprocal, [lambda t, y, x: -(t * (y * y))])
operation("negative", np.negative, [lambda t, y, x: -t], [lambda ct, s, x: -ct])
operation("transpose", np.transpose, [lambda t, y, x: t.T], [lambda ct, s, x: ct.T])
operation("sum", np.sum, [lambda t, y, x, axis: np.sum(t, axis)],
          [lambda ct, s, x, axis: spread(ct, s, axis)])
operation("broadcast_to", np.broadcast_to, [lambda t, y, x, shape: np.broadcast_to(t, shape)],
          [lambda ct, s, x, shape: summed(ct, s)])
operation("reshape", np.reshape, [lambda t, y, x, shape: np.reshape(t, shape)],
          [lambda ct, s, x, shape: np.reshape(ct, s)])
# fmt: on

# --- 3. The tracer (bital/numpy_language) ---------------------------------------------------------
#
# How do we get a Program of a user's function? We call it with a stand-in for the array. NumPy asks
# an operand that is none of its own arrays what to do: through __array_ufunc__ for np.tanh, +, @
# and the like, and through __array_function__ for np.sum and the like. The stand-in writes down
# what was asked, and answers with another stand-in.

RECORDING = []  # the equations of what is being traced; the innermost is last


class Tracer(NDArrayOperatorsMixin):
    """Stands for an array that does not exist yet."""

    def __init__(self, var):
        self.var, self.shape, self.ndim = var, var.shape, len(var.shape)

    @property
    def T(self):
        return record("transpose", self)

    def __array_ufunc__(self, ufunc, method, *operands, **options):
        name = ufunc.__name__
        if method != "__call__" or options:
            raise TypeError(f"np.{name}.{method} with {options} is not in this small language")
        if name == "subtract":
            return operands[0] + -operands[1]
        if name in ("divide", "true_divide"):
            return operands[0] * np.reciprocal(1.0 * operands[1])
        if name in ("add", "multiply"):  # from here on, operands have one shape
            shape = np.broadcast_shapes(*(np.shape(x) for x in operands))
            operands = [x if np.shape(x) == shape else np.broadcast_to(x, shape) for x in operands]
        return record(name, *operands)

    def __array_function__(self, function, types, operands, options):
        if function is np.shape:
            return self.shape
        x, *rest = operands
        option = {np.sum: "axis", np.reshape: "shape", np.broadcast_to: "shape"}.get(function)
        if option:
            options = {option: rest[0] if rest else options.get(option)}
        return record(function.__name__, x, **options)


def record(name, *operands, **options):
    """Append one equation. What shape comes out? We ask NumPy, with arrays of nothing but ones."""
    if name not in COMPUTES:
        raise TypeError(f"np.{name} is not in this small language")
    inputs = tuple(x.var if isinstance(x, Tracer) else np.asarray(x) for x in operands)
    shape = COMPUTES[name](*(np.ones(x.shape) for x in inputs), **options).shape
    RECORDING[-1].append(Equation(name, inputs, Var(shape), options))
    return Tracer(RECORDING[-1][-1].output)


def trace(function, *shapes):
    """The Program of a function of arrays of these shapes."""
    inputs = [Var(shape) for shape in shapes]
    RECORDING.append([])
    try:
        outputs = function(*map(Tracer, inputs))
    finally:
        equations = RECORDING.pop()
    outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    return Program(inputs, equations, [x.var if isinstance(x, Tracer) else x for x in outputs])


# --- 4. Running a Program -------------------------------------------------------------------------
#
# Equation by equation. Note that `evaluate` works on tracers as well: then it copies the Program
# into the one that is being recorded. That is all that nesting needs.


def read(values, atoms):
    return [values.get(x) if isinstance(x, Var) else x for x in atoms]


def evaluate(program, *arguments):
    values = dict(zip(program.inputs, arguments, strict=True))
    for name, inputs, output, options in program.equations:
        values[output] = COMPUTES[name](*read(values, inputs), **options)
    return read(values, program.outputs)


# --- 5. Forward: jvp (bital/transforms/forward.py) ------------------------------------------------
#
# If the inputs move a little, how does each variable move? The chain rule answers one equation at a
# time, in the order in which they stand. We do not compute it: we trace the computation, and have
# another Program, of the values and of the motions ("tangents").


def jvp(program):
    """A Program: inputs, tangents -> outputs, tangents. A tangent of None is known to be zero."""
    count = len(program.inputs)

    def both(*arguments):
        values = dict(zip(program.inputs, arguments[:count], strict=True))
        tangents = dict(zip(program.inputs, arguments[count:], strict=True))
        for name, inputs, output, options in program.equations:
            xs = read(values, inputs)
            values[output] = COMPUTES[name](*xs, **options)
            for move, x in zip(MOVES[name], inputs, strict=True):
                if isinstance(x, Var) and x in tangents:
                    t = move(tangents[x], values[output], *xs, **options)
                    tangents[output] = tangents[output] + t if output in tangents else t
        moved = [tangents.get(x) if isinstance(x, Var) else None for x in program.outputs]
        return [*read(values, program.outputs), *moved]

    shapes = [x.shape for x in program.inputs]
    return trace(both, *shapes, *shapes)


# --- 6. Backward: transposition (bital/transforms/reverse.py) -------------------------------------
#
# The tangents depend linearly on the input's tangents: they are a matrix times a vector, though no
# matrix is ever written down. Its transpose takes a weight of the output back to the inputs: that
# is the gradient. And the transpose of  A B C  is  C' B' A':  the linear equations one by one,
# from the last to the first, each turned round. This is all of backpropagation.


def vjp(program):
    """A Program: inputs -> output, gradients by all inputs. The output is one number."""
    forward, count = jvp(program), len(program.inputs)
    linear = set(forward.inputs[count:])
    for equation in forward.equations:
        if not linear.isdisjoint(x for x in equation.inputs if isinstance(x, Var)):
            linear.add(equation.output)

    def both(*arguments):
        values = dict(zip(forward.inputs, arguments, strict=False))
        for name, inputs, output, options in forward.equations:
            if output not in linear:
                values[output] = COMPUTES[name](*read(values, inputs), **options)
        cotangents = {forward.outputs[1]: np.array(1.0)}
        for name, inputs, output, options in reversed(forward.equations):
            if output not in linear or output not in cotangents:
                continue
            for turn, x in zip(TURNS[name], inputs, strict=True):
                if isinstance(x, Var) and x in linear:
                    ct = turn(cotangents[output], x.shape, *read(values, inputs), **options)
                    cotangents[x] = cotangents[x] + ct if x in cotangents else ct
        slopes = [cotangents.get(x, np.zeros(x.shape)) for x in forward.inputs[count:]]
        return [*read(values, forward.outputs[:1]), *slopes]

    return trace(both, *(x.shape for x in program.inputs))


def grad(function):
    """A function that returns the gradient of `function` by its first argument."""

    def gradient(*arguments):
        program = trace(function, *(np.shape(x) for x in arguments))
        return evaluate(vjp(program), *arguments)[1]

    return gradient


# --- 7. A compiler (bital/executors/numpy) --------------------------------------------------------
#
# A Program is straight-line code, so we can print it as Python and let Python compile that. What is
# printed can be read: for two layers, it is the backward pass of the textbook.


def source(program):
    """A Program as the text of a function, and the constants that the text names."""
    names, constants = {}, {}

    def text(x):
        if isinstance(x, Var):
            return names.setdefault(x, f"v{len(names)}")
        if np.ndim(x) == 0:
            return repr(float(x))
        constants[f"c{len(constants)}"] = x
        return f"c{len(constants) - 1}"

    lines = [f"def compiled({', '.join(map(text, program.inputs))}):"]
    for name, inputs, output, options in program.equations:
        operands = [text(x) for x in inputs] + [f"{key}={value}" for key, value in options.items()]
        lines.append(f"    {text(output)} = np.{name}({', '.join(operands)})  # {output.shape}")
    return "\n".join([*lines, f"    return [{', '.join(map(text, program.outputs))}]"]), constants


def jit(function):
    """A function that is traced and compiled at its first call with arguments of some shapes."""
    compiled = {}

    def call(*arguments):
        shapes = tuple(np.shape(x) for x in arguments)
        if shapes not in compiled:
            text, names = source(trace(function, *shapes))
            exec(text, {**names, "np": np}, names)
            compiled[shapes] = names["compiled"]
        results = compiled[shapes](*arguments)
        return results[0] if len(results) == 1 else results

    return call


# --- The whole at work ----------------------------------------------------------------------------


def loss(W1, b1, W2, b2, x, t):
    """Two layers, softmax and cross-entropy: ordinary NumPy, which runs without the above, too."""
    h = np.tanh(x @ W1 + b1)
    powers = np.exp(h @ W2 + b2)
    shares = powers / np.reshape(np.sum(powers, axis=1), (len(T), 1))
    return -np.sum(t * np.log(shares)) / len(T)


def wave(x):
    return np.tanh(x) * np.exp(-x)


RNG = np.random.default_rng(0)
W1, B1, W2, B2 = (RNG.normal(size=s) for s in ((4, 5), (5,), (5, 3), (3,)))
X, T = RNG.normal(size=(8, 4)), np.eye(3)[RNG.integers(0, 3, 8)]


if __name__ == "__main__":
    import bital

    print(source(vjp(trace(loss, *(a.shape for a in (W1, B1, W2, B2, X, T)))))[0])
    step = jit(grad(loss))
    weights = W1
    for _ in range(100):
        weights = weights - 0.1 * step(weights, B1, W2, B2, X, T)
    print("loss before", loss(W1, B1, W2, B2, X, T), "and after", loss(weights, B1, W2, B2, X, T))

    print("second derivative:", grad(grad(wave))(0.5))
    print("and by bital:     ", bital.grad(bital.grad(wave))(0.5))
