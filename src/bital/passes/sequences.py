"""Products in a scan that need not wait for their turn: one large product instead of many small.

- Before the loop: ``x @ W``, where W is the same at each turn and x is of the sequence alone, is
  computed for the whole sequence.
- After the loop: ``h @ V`` that is a result of each turn and of nothing else; and a sum of
  products, ``total + x.T @ g``, as the gradient of a weight is: it becomes one product that also
  contracts the axis of the sequence. The loop stacks what they are made of.

Both keep a value for each turn, instead of reading W, or reading and writing the total, at each
turn. They are done where these are a few times as large as what is kept, and where all that is kept
takes no more memory than what the loop stacks anyway, or than `_LITTLE`.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Collection, Iterable

from bital.passes.loops import Slot, rebuilt, slots_of
from bital.passes.memory import VIEWS
from bital.primitives.elementwise import add
from bital.primitives.inner import chosen
from bital.primitives.linear import dot_general
from bital.primitives.loops import scan
from bital.primitives.primitive import Primitive
from bital.primitives.shape import reshape
from bital.program import (
    ArrayType,
    Atom,
    Builder,
    Equation,
    Literal,
    Program,
    Var,
    building,
)

_LITTLE = 1 << 24  # bytes
_WORTH = 8  # measured: an LSTM of 128 units gains a third for batches of 8, and loses for 32
_EASY = VIEWS - {"barrier"} | {"convert", "where", "mul", "add", "sub", "neg"}


def batch_sequences(program: Program) -> Program:
    """Put products of whole sequences before and after the scans of a Program."""
    builder = Builder(program.name)
    same: dict[Var, Atom] = {}
    for equation in program.equations:
        inputs = [same.get(a, a) if isinstance(a, Var) else a for a in equation.inputs]
        equation = equation.with_inputs(inputs)
        if equation.primitive is not scan or equation.params["length"] < 2:
            builder.equations.append(equation)
            continue
        builder.source = equation.source
        zeros = {e.outputs[0] for e in builder.equations if _is_zero(e)}
        equation, after = _products_last(_products_first(builder, equation), same, zeros)
        builder.equations += [equation, *after]
    outputs = [same.get(a, a) if isinstance(a, Var) else a for a in program.outputs]
    return program.replace(equations=builder.equations, outputs=outputs)


def _stacked(type: ArrayType, length: int) -> ArrayType:
    return ArrayType((length, *type.shape), type.dtype)


def _is_zero(equation: Equation) -> bool:
    value = equation.inputs[0] if equation.primitive.name == "broadcast_to" else None
    return isinstance(value, Literal) and value.value == 0


def _pays(matrices: Iterable[Atom], kept: Iterable[Atom]) -> bool:
    sizes = (sum(atom.type.size for atom in atoms) for atoms in (matrices, kept))
    return next(sizes) >= _WORTH * next(sizes)


def _fits(equation: Equation, kept: Iterable[Atom]) -> bool:
    present = [s.atom for s in slots_of(equation) if s.role == "xs"]
    present += equation.outputs[equation.params["n_carry"] :]
    wanted: int = equation.params["length"] * sum(atom.type.nbytes for atom in kept)
    return wanted <= max(_LITTLE, sum(atom.type.nbytes for atom in present))


# --- before the loop ------------------------------------------------------------------------


def _products_first(builder: Builder, equation: Equation) -> Equation:
    """A scan without the products of its slices with what never changes; these come before it."""
    body: Program = equation.params["body"]
    slots = slots_of(equation)
    outside = {s.inputs["body"]: s.atom for s in slots if s.role in ("const", "xs")}
    rows: set[Atom] = {s.inputs["body"] for s in slots if s.role == "xs"}
    moved = _early(body, outside, rows)
    kept = [each.outputs[0] for each in moved if each.primitive is dot_general]
    if not moved or not _fits(equation, kept):
        return equation
    with building(builder):
        for each in body.equations:
            if each not in moved:
                continue
            flags = [atom in rows for atom in each.inputs]
            atoms = [outside[a] if isinstance(a, Var) else a for a in each.inputs]
            if any(flags):
                results = _for_all(each, equation.params["length"], atoms, flags)
            else:
                results = each.primitive.bind(atoms, each.params)
            for var, outer in zip(each.outputs, results, strict=True):
                outside[var] = outer
                slots.append(Slot(outer, "xs" if any(flags) else "const", {"body": var}))
    rest = [each for each in body.equations if each not in moved]
    return rebuilt(equation, slots, {"body": body.replace(equations=rest)}, equation.outputs)


def _early(body: Program, outside: Collection[Var], rows: set[Atom]) -> set[Equation]:
    """The products that can stand before the loop, and what makes their operands.

    `rows` grows by what is of the sequence alone.
    """
    consts: set[Atom] = {var for var in outside if var not in rows}
    made: dict[Atom, Equation] = {}
    wanted: list[Equation] = []
    for each in body.equations:
        inputs = [atom for atom in each.inputs if isinstance(atom, Var)]
        if not all(atom in rows or atom in consts for atom in inputs):
            continue
        fixed = [atom for atom in inputs if atom in consts]
        if each.primitive is dot_general and len(inputs) == 2 and len(fixed) == 1:
            if not _pays(fixed, each.outputs):
                continue
            wanted.append(each)
        elif each.primitive.name not in _EASY:
            continue
        (consts if len(fixed) == len(inputs) else rows).update(each.outputs)
        made.update(dict.fromkeys(each.outputs, each))
    moved = set(wanted)
    while wanted:
        makers = {made[atom] for atom in wanted.pop().inputs if atom in made} - moved
        moved |= makers
        wanted += makers
    return moved


def _for_all(equation: Equation, length: int, atoms: list[Atom], flags: list[bool]) -> list[Atom]:
    """An equation of the body, for all turns; a product of matrices stays one."""
    primitive: Primitive = equation.primitive
    x, params = atoms[0], equation.params
    rows = primitive is dot_general and params["batch"] == ((), ()) and flags == [True, False]
    if not rows or x.type.ndim != 3 or params["contract"][0] != (1,):
        return primitive.batch(primitive, length, atoms, flags, **params)
    flat = reshape(x, shape=(length * x.type.shape[1], x.type.shape[2]))
    product = dot_general(flat, atoms[1], **params)
    return [reshape(product, shape=(length, *equation.outputs[0].type.shape))]


# --- after the loop -------------------------------------------------------------------------


class _Sum:
    """A carry that is only added to, and the products among what is added."""

    def __init__(self, carry: Var, place: int) -> None:
        self.carry = carry
        self.place = place
        self.products: list[Equation] = []
        self.rest: list[Atom] = []
        self.adds: list[Equation] = []

    def keep(self, is_late: Callable[[Equation], bool]) -> bool:
        """Leave the products that cannot wait to the loop; whether there are others."""
        late = [e for e in self.products if is_late(e)]
        self.rest += [e.outputs[0] for e in self.products if e not in late]
        self.products = late
        return bool(late)


def _sum(
    place: int, carry: Var, out: Atom, made: dict[Atom, Equation], uses: Counter[Atom]
) -> _Sum | None:
    """What is added to a carry; None where it is used for anything else."""
    found, pending, met = _Sum(carry, place), [out], 0
    while pending:
        atom = pending.pop()
        if atom is carry:
            met += 1
            continue
        maker = made.get(atom)
        if maker is None or uses[atom] != 1:
            found.rest.append(atom)
        elif maker.primitive is add:
            found.adds.append(maker)
            whole = [atom.type == out.type for atom in maker.inputs]
            pending += chosen(maker.inputs, whole)
            found.rest += chosen(maker.inputs, [not flag for flag in whole])
        elif maker.primitive is dot_general:
            found.products.append(maker)
        else:
            found.rest.append(atom)
    return found if met == 1 and uses[carry] == 1 and found.products else None


def _products_last(
    equation: Equation, same: dict[Var, Atom], zeros: Collection[Atom]
) -> tuple[Equation, list[Equation]]:
    """A scan that stacks what some of its results are made of, and the products that make these.

    Parameters
    ----------
    equation : Equation
    same : dict
        Is told what stands for an output that the loop has no more.
    zeros : collection of Atom
        Known to hold nothing but 0, as a sum does that begins.
    """
    body: Program = equation.params["body"]
    count, slots = equation.params["n_carry"], slots_of(equation)
    made: dict[Atom, Equation] = {out: e for e in body.equations for out in e.outputs}
    uses: Counter[Atom] = Counter(a for e in body.equations for a in e.inputs)
    uses.update(body.outputs)
    stacks: dict[Atom, Atom] = {s.inputs["body"]: s.atom for s in slots if s.role == "xs"}
    given = set(stacks)
    stacks.update(
        (a, y)
        for a, y in zip(body.outputs[count:], equation.outputs[count:], strict=True)
        if isinstance(a, Var)
    )
    fixed: dict[Atom, Atom] = {s.inputs["body"]: s.atom for s in slots if s.role == "const"}
    carries = [s.inputs["body"] for s in slots if s.role == "carry"]
    sums = []
    for place, carry in enumerate(carries):
        found = _sum(place, carry, body.outputs[place], made, uses)
        if found is not None and found.keep(lambda e: _is_late(e, given, fixed)):
            sums.append(found)
    results = {
        place: made[atom]
        for place, atom in enumerate(body.outputs)
        if place >= count and uses[atom] == 1 and atom in made and _is_result(made[atom], fixed)
    }
    read = [a for each in sums for e in each.products for a in e.inputs]
    read += [a for e in results.values() for a in e.inputs if a not in fixed]
    new = list(dict.fromkeys(a for a in read if a not in stacks))
    matrices: list[Atom] = [s.carry for s in sums]
    matrices += [a for e in results.values() for a in e.inputs if a in fixed]
    if not matrices or not _pays(matrices, new) or not _fits(equation, new):
        return equation, []
    return _split(equation, sums, results, new, {**fixed, **stacks}, same, zeros)


def _is_result(product: Equation, fixed: Collection[Atom]) -> bool:
    """Whether it is a product of something that changes with something that does not."""
    if product.primitive is not dot_general:
        return False
    return sum(atom in fixed for atom in product.inputs) == 1 and all(
        isinstance(atom, Var) for atom in product.inputs
    )


def _is_late(product: Equation, given: Collection[Atom], fixed: Collection[Atom]) -> bool:
    """Whether a product may wait: one operand is a slice of the sequence, and both change."""
    x, y = product.inputs
    atoms = isinstance(x, Var) and isinstance(y, Var) and x not in fixed and y not in fixed
    return atoms and (x in given or y in given)


def _split(
    equation: Equation,
    sums: list[_Sum],
    results: dict[int, Equation],
    new: list[Atom],
    outside: dict[Atom, Atom],
    same: dict[Var, Atom],
    zeros: Collection[Atom],
) -> tuple[Equation, list[Equation]]:
    body: Program = equation.params["body"]
    slots, count = slots_of(equation), equation.params["n_carry"]
    carries = [s for s in slots if s.role == "carry"]
    length = equation.params["length"]
    ys = [Var(_stacked(a.type, length)) for a in new]
    outside = {**outside, **dict(zip(new, ys, strict=True))}
    gone = {e for each in sums for e in (*each.products, *each.adds)} | set(results.values())
    inner, after = Builder(body.name), Builder()
    inner.equations = [e for e in body.equations if e not in gone]
    after.source = equation.source
    inside: list[Atom | None] = list(body.outputs)
    outputs = list(equation.outputs)
    for each in sums:
        total: Atom = each.carry
        with building(inner):
            for atom in each.rest:
                total = add(total, atom)
        out, start = outputs[each.place], carries[each.place].atom
        inside[each.place] = total if each.rest else None
        if each.rest:
            outputs[each.place] = start = Var(out.type, out.name)
        with building(after):
            parts = [_over_all(product, outside) for product in each.products]
            parts = parts if start in zeros else [start, *parts]
            same[out] = functools.reduce(add, parts)
    for place, product in results.items():
        inside[place] = None
        atoms = [outside[a] for a in product.inputs]
        flags = [a.type != atom.type for a, atom in zip(product.inputs, atoms, strict=True)]
        with building(after):
            (same[outputs[place]],) = _for_all(product, length, atoms, flags)
    stays = [atom is not None for atom in inside]
    ended = [s for s, flag in zip(carries, stays[:count], strict=True) if not flag]
    program = body.replace(equations=inner.equations, outputs=[*chosen(inside, stays), *new])
    left = [slot for slot in slots if slot not in ended]
    names = [*chosen(outputs, stays), *ys]
    return rebuilt(equation, left, {"body": program}, names), after.equations


def _over_all(product: Equation, stacks: dict[Atom, Atom]) -> Atom:
    """A product of one turn, summed over all turns."""
    (xs, ys), (bx, by) = product.params["contract"], product.params["batch"]
    x, y = (stacks[atom] for atom in product.inputs)
    if (xs, ys, bx) == ((0,), (0,), ()):  # of matrices by their rows: one of all rows
        rows = x.type.shape[0] * x.type.shape[1]
        x, y = (reshape(atom, shape=(rows, *atom.type.shape[2:])) for atom in (x, y))
        contract, batch = (xs, ys), (bx, by)
    else:
        first, second, *kept = (tuple(axis + 1 for axis in axes) for axes in (xs, ys, bx, by))
        contract, batch = ((0, *first), (0, *second)), (kept[0], kept[1])
    result: Atom = dot_general(x, y, contract=contract, batch=batch)
    return result
