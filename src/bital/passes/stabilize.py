"""Logarithms and quotients of exponentials, so written that they neither overflow nor saturate.

A value is read as a product of exponentials, logistic functions and sums of exponentials, through
the equations that define it. The logarithm of a product is a sum, and in a quotient of two what is
equal cancels before anything is computed. No formula is matched as a whole: log(softmax), however
it is written, is ``log(e^z / (e^M S)) = z - M - log S`` with ``M = max z``, ``S = sum e^(z - M)``.

All of this is exact on the reals, but for one thing: under a logarithm, a number of at most 1e-5
that keeps a probability away from 0 or 1, or a sum of exponentials away from 0, is dropped. It
comes back only where the exact logarithm is -inf. docs/numerics.md lists what is rewritten.

Source of the shift by the maximum: Blanchard, Higham and Higham 2021, "Accurately computing the
log-sum-exp and softmax functions".
"""

from __future__ import annotations

import math
from typing import Any

from bital.passes.dead_code import eliminate_dead
from bital.passes.products import EXP, FALL, OTHER, RISE, ConsingBuilder, Product, as_atom, identity
from bital.passes.reading import Reader
from bital.primitives import REGISTRY as P
from bital.program import Atom, Equation, Program, Var, building

_LOGARITHMS = {"log": 1.0, "log1p": 1.0, "log2": 1 / math.log(2.0), "log10": 1 / math.log(10.0)}
_TRIGGERS = frozenset({"exp", "tanh"})  # without one of these there is nothing to do


def stabilize(program: Program) -> Program:
    """The Program with its logarithms and quotients of exponentials made safe.

    To be run before a Program is differentiated: then the derivatives are safe too. Returns the
    same object where there is nothing to do.
    """
    builder = ConsingBuilder(program)
    reader = Reader(builder)
    active = any(equation.primitive.name in _TRIGGERS for equation in program.equations)
    env: dict[Var, Atom] = {}
    changed = False
    with building(builder):
        for equation in program.equations:
            builder.source = equation.source
            read = _with_stable_programs(equation)
            changed |= read is not equation
            read = read.with_inputs(
                [env.get(a, a) if isinstance(a, Var) else a for a in equation.inputs]
            )
            new = _rewritten(reader, read) if active else None
            if new is None:
                env.update(zip(read.outputs, builder.keep(read), strict=True))
                continue
            changed = True
            env[read.outputs[0]] = new
            if isinstance(new, Var):
                new.name = new.name or read.outputs[0].name
    if not changed:
        return program
    outputs = [env.get(a, a) if isinstance(a, Var) else a for a in program.outputs]
    return eliminate_dead(builder.build(outputs))


def _with_stable_programs(equation: Equation) -> Equation:
    """The equation, with the pass run over Programs among its params."""
    params = {
        name: stabilize(value) if isinstance(value, Program) else value
        for name, value in equation.params.items()
    }
    if all(params[name] is value for name, value in equation.params.items()):
        return equation
    return Equation(equation.primitive, equation.inputs, equation.outputs, params, equation.source)


def _rewritten(reader: Reader, equation: Equation) -> Atom | None:
    """What stands for an equation's result, or None to keep the equation."""
    name, (out, *_), inputs = equation.primitive.name, equation.outputs, equation.inputs
    dtype = out.type.dtype
    form: Product | None = None
    result: Atom | None = None
    if name in _LOGARITHMS:
        shifts = name == "log1p"
        form = reader.shifted(inputs[0], 1.0, 1.0, True) if shifts else reader.form(inputs[0], True)
        if form is not None and form.has(EXP, RISE, FALL):
            result = reader.log(form, dtype)
        if form is not None and name == "log":
            reader.logarithms[result or out] = form.level
        if result is not None and _LOGARITHMS[name] != 1:
            result = as_atom(P["mul"](result, _LOGARITHMS[name]))
    elif name == "div" or (name == "power" and (reader.number(inputs[1]) or 0) < 0):
        below = reader.form(inputs[name == "div"])
        unsafe = below and not below.safe and (below.level or not below.has(OTHER))
        form = reader.read(equation, False) if unsafe else None
        result = _value(reader, form, dtype) if form else None
    if result is None:
        return None
    if result.type.shape != out.type.shape:
        result = as_atom(P["broadcast_to"](result, shape=out.type.shape))
    made = reader.definition(result)
    if made and identity(made.primitive, made.inputs, made.params) == identity(
        equation.primitive, inputs, equation.params
    ):
        return None
    if name not in _LOGARITHMS:
        reader.forms[result, False] = form
        reader.forms[result, True] = reader.read(equation, True)
    return result


def _value(reader: Reader, form: Product, dtype: Any) -> Atom | None:
    """A product that does not overflow, though its factors may."""
    if not (form.has(EXP) and form.has(RISE, FALL)):
        return reader.value(form, dtype)
    logarithm = None if form.has(OTHER) else reader.log(form, dtype)
    return None if logarithm is None else as_atom(P["exp"](logarithm))
