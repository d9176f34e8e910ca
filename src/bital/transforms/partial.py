"""Splitting what a forward derivative computes: values known without tangents, and the rest.

The rest is linear in the tangents. An equation belongs to one of the two; a loop or a branch that
computes both is split into two equations, and the known one also gives what the linear one reads:
for a scan, stacked step by step.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from bital.primitives.branch import cond
from bital.primitives.inner import chosen, cut, either
from bital.primitives.loops import scan, while_loop
from bital.primitives.primitive import zeros
from bital.program import ArrayType, Atom, Builder, Equation, Program, Var, building

# From the values that they read, these are cheaper to compute again than to keep.
_CHEAP = {
    *("add", "sub", "mul", "div", "neg", "abs", "sign", "maximum", "minimum", "where", "convert"),
    *("eq", "ne", "lt", "le", "gt", "ge", "bit_and", "bit_or", "bit_not"),
    *("reshape", "transpose", "broadcast_to", "slice"),
}


def partition(builder: Builder, variables: set[Var]) -> list[Equation]:
    """Take the equations that depend on `variables` out of a builder.

    What they compute is added to `variables`. The known halves of split equations stay.
    """
    linear = []
    equations, builder.equations = builder.equations, []
    for equation in equations:
        if variables.isdisjoint(equation.inputs):
            builder.equations.append(equation)
            continue
        rule = RULES.get(equation.primitive.name)
        rest = equation if rule is None else rule(builder, equation, variables)
        variables.update(rest.outputs)
        linear.append(rest)
    return linear


class Half:
    """An inner Program, cut in two.

    Attributes
    ----------
    known, linear : list of Equation
    moves : list of bool
        Which outputs depend on the unknown inputs.
    """

    def __init__(self, program: Program, unknown: Sequence[bool]) -> None:
        self.program = program
        self.variables = set(chosen(program.inputs, unknown))
        builder = Builder(program.name)
        builder.equations = list(program.equations)
        with building(builder):
            self.linear = partition(builder, self.variables)
        self.known = builder.equations
        self.moves = [atom in self.variables for atom in program.outputs]

    def residuals(self, outputs: Sequence[Atom], free: Collection[Var]) -> list[Var]:
        """The known values that the linear half reads to give `outputs`.

        What is cheap to compute again from values in `free` or from no more bytes is computed
        again: its equations move to the linear half.
        """
        read = (*(atom for e in self.linear for atom in e.inputs), *outputs)
        wanted = _variables(read, self.variables)
        made = {e.outputs[0]: e for e in self.known if e.primitive.name in _CHEAP}
        kept = dict.fromkeys(wanted)
        again: set[Equation] = set()
        for var in reversed(wanted):
            if var in free or var not in made:
                continue
            del kept[var]
            needed, equations = _sources(var, made, {*kept, *free})
            if sum(
                each.type.nbytes for each in needed if each not in kept and each not in free
            ) <= (var.type.nbytes):
                again |= equations
                kept.update(dict.fromkeys(needed))
            else:
                kept[var] = None
        self.linear = [*(e for e in self.known if e in again), *self.linear]
        return list(kept)


def _variables(atoms: Iterable[Atom], but: Collection[Var]) -> list[Var]:
    return list(dict.fromkeys(a for a in atoms if isinstance(a, Var) and a not in but))


def _sources(
    var: Var, made: dict[Var, Equation], stops: Collection[Var]
) -> tuple[list[Var], set[Equation]]:
    """What `var` is cheaply computed from, and the equations that do it."""
    found, equations, pending = [], set(), [var]
    while pending:
        each = pending.pop()
        if each in stops or each not in made:
            found.append(each)
        elif made[each] not in equations:
            equations.add(made[each])
            pending += _variables(made[each].inputs, ())
    return list(dict.fromkeys(found)), equations


def _fixed_point(body: Program, unknown: list[bool], carry: slice) -> Half:
    """The body cut in two; `unknown` grows until a carry goes in as it comes out."""
    while True:
        half = Half(body, unknown)
        grown = either(unknown[carry], half.moves[: carry.stop - carry.start])
        if grown == unknown[carry]:
            return half
        unknown[carry] = grown


def _split_scan(builder: Builder, equation: Equation, variables: Collection[Var]) -> Equation:
    params, body = equation.params, equation.params["body"]
    n_consts, n_carry = params["n_consts"], params["n_carry"]
    unknown = [atom in variables for atom in equation.inputs]
    half = _fixed_point(body, unknown, slice(n_consts, n_consts + n_carry))
    moves = [*unknown[n_consts : n_consts + n_carry], *half.moves[n_carry:]]
    stays, known = [not flag for flag in moves], [not flag for flag in unknown]
    consts, carry, slices = _groups(body.inputs, known, n_consts, n_carry)
    d_consts, d_carry, d_slices = _groups(body.inputs, unknown, n_consts, n_carry)
    operand: dict[Var, Atom] = dict(zip(body.inputs, equation.inputs, strict=True))

    # Of each step: the slices of xs and of known ys are there already, `new` is stacked for this.
    ys = zip(body.outputs[n_carry:], equation.outputs[n_carry:], stays[n_carry:], strict=True)
    stacked: dict[Var, Atom] = {a: y for a, y, flag in ys if flag and isinstance(a, Var)}
    stacked |= {var: operand[var] for var in slices}
    results, d_results = chosen(body.outputs, stays), chosen(body.outputs, moves)
    read = half.residuals(d_results, {*consts, *stacked})
    fixed = [var for var in read if var in consts]
    steps = [var for var in read if var not in consts]
    new = {
        var: Var(ArrayType((params["length"], *var.type.shape), var.type.dtype), var.name)
        for var in steps
        if var not in stacked
    }
    outputs = [*chosen(equation.outputs, stays), *new.values()]
    if outputs:
        first = (consts, carry, slices)
        builder.equations.append(
            _scan(equation, first, half.known, [*results, *new], operand, outputs)
        )
    rest = ([*fixed, *d_consts], d_carry, [*steps, *d_slices])
    atoms = {**operand, **{var: (stacked | new)[var] for var in steps}}
    return _scan(equation, rest, half.linear, d_results, atoms, chosen(equation.outputs, moves))


def _groups(items: Sequence[Var], flags: Sequence[bool], *counts: int) -> list[list[Var]]:
    return [chosen(*pair) for pair in zip(cut(items, *counts), cut(flags, *counts), strict=True)]


def _scan(
    equation: Equation,
    groups: tuple[list[Var], list[Var], list[Var]],
    equations: Sequence[Equation],
    results: Sequence[Atom],
    operand: Mapping[Var, Atom],
    outputs: Sequence[Var],
) -> Equation:
    """A scan like `equation`, of these equations; `operand`: what its body's inputs stand for."""
    consts, carry, slices = groups
    body = Program(
        [*consts, *carry, *slices], equations, results, name=equation.params["body"].name
    )
    counts = {"n_consts": len(consts), "n_carry": len(carry)}
    inputs = [operand[var] for var in body.inputs]
    params = {**equation.params, "body": body, **counts}
    return Equation(scan, inputs, outputs, params, equation.source)


def _split_cond(builder: Builder, equation: Equation, variables: Collection[Var]) -> Equation:
    """Of the values that the branches keep for the linear half, equal types share a place."""
    predicate, *operands = equation.inputs
    unknown = [atom in variables for atom in operands]
    known = [not flag for flag in unknown]
    branches: list[Program] = [equation.params[name] for name in ("true_branch", "false_branch")]
    halves = [Half(branch, unknown) for branch in branches]
    moves = either(halves[0].moves, halves[1].moves)
    stays = [not flag for flag in moves]
    places: list[Var] = []
    kept = []
    for half in halves:
        given = chosen(half.program.inputs, known)
        read = half.residuals(chosen(half.program.outputs, moves), given)
        kept.append(_placed([var for var in read if var not in given], places))
    first, rest = {}, {}
    for name, half, place in zip(("true_branch", "false_branch"), halves, kept, strict=True):
        with building(Builder()) as fill:
            values = [place.get(out) or zeros(out.type) for out in places]
        program, inputs = half.program, half.program.inputs
        first[name] = program.replace(
            inputs=chosen(inputs, known),
            equations=[*half.known, *fill.equations],
            outputs=[*chosen(program.outputs, stays), *values],
        )
        slots = [place.get(out) or Var(out.type) for out in places]
        rest[name] = program.replace(
            inputs=[*chosen(inputs, known), *slots, *chosen(inputs, unknown)],
            equations=half.linear,
            outputs=chosen(program.outputs, moves),
        )
    atoms = [predicate, *chosen(operands, known)]
    outputs = [*chosen(equation.outputs, stays), *places]
    if outputs:
        builder.equations.append(Equation(cond, atoms, outputs, first, equation.source))
    atoms += [*places, *chosen(operands, unknown)]
    return Equation(cond, atoms, chosen(equation.outputs, moves), rest, equation.source)


def _placed(values: Sequence[Var], places: list[Var]) -> dict[Var, Var]:
    """Each value in a place of its type; `places` grows where there is none left."""
    found: dict[Var, Var] = {}
    for value in values:
        free = (out for out in places if out.type == value.type and out not in found)
        out = next(free, None) or Var(value.type, value.name)
        if out not in places:
            places.append(out)
        found[out] = value
    return found


def _split_while(builder: Builder, equation: Equation, variables: Collection[Var]) -> Equation:
    """The loop without its tangents, and the whole loop: that has no transpose, and says so."""
    params = equation.params
    n_tests, n_consts = params["cond_nconsts"], params["body_nconsts"]
    tests, loop = cut(equation.inputs, n_tests)
    unknown = [atom in variables for atom in loop]
    half = _fixed_point(params["body"], unknown, slice(n_consts, len(loop)))
    known = [not flag for flag in unknown]
    stays = known[n_consts:]
    body, test = half.program, params["cond"]
    outputs = chosen(equation.outputs, stays)
    if outputs:
        slim = {
            "cond": test.replace(
                inputs=[*test.inputs[:n_tests], *chosen(test.inputs[n_tests:], stays)]
            ),
            "body": body.replace(
                inputs=chosen(body.inputs, known),
                equations=half.known,
                outputs=chosen(body.outputs, stays),
            ),
            "cond_nconsts": n_tests,
            "body_nconsts": sum(known[:n_consts]),
        }
        inputs = [*tests, *chosen(loop, known)]
        builder.equations.append(Equation(while_loop, inputs, outputs, slim, equation.source))
    names = [Var(v.type) if flag else v for v, flag in zip(equation.outputs, stays, strict=True)]
    return Equation(while_loop, equation.inputs, names, params, equation.source)


# By primitive: takes the equation, leaves its known half in the builder, returns the linear one.
RULES: dict[str, Callable[[Builder, Equation, Collection[Var]], Equation]] = {
    "cond": _split_cond,
    "scan": _split_scan,
    "while_loop": _split_while,
}
