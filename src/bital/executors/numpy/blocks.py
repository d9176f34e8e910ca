"""From a list of equations to lines of NumPy; loops and branches are blocks inside of blocks."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Sequence
from typing import Any

from bital.executors.numpy import layout
from bital.executors.numpy.expressions import EXPRESSIONS, OVERWRITES, STATEMENTS, writes_out
from bital.passes.memory import VIEWS, Plan, plan
from bital.primitives.inner import cut
from bital.program import ArrayType, Atom, Equation, Literal, Program, Var
from bital.program.text import Names


class Block:
    """A Program to be printed.

    Parameters
    ----------
    program : Program
    donated : collection of Var
        Inputs that may be written over.
    slots : list of ArrayType
        The function's workspace, to which the block adds its own buffers.
    usual : dtype, optional
        Left out in the comments behind equations.
    """

    def __init__(
        self, program: Program, donated: Collection[Var], slots: list[ArrayType], usual: Any = None
    ) -> None:
        self.program, self.late = layout.arranged(program)
        program = self.program
        self.usual = usual
        self.donated = donated
        self.plan: Plan = plan(program, donated, writes_out, _overwrites)
        self.first_slot = len(slots)
        slots += self.plan.slots
        self.definitions = {out: e for e in program.equations for out in e.outputs}
        self.inner = {
            equation: {
                name: Block(value, _owned(name, value, equation), slots, usual)
                for name, value in equation.params.items()
                if isinstance(value, Program)
            }
            for equation in program.equations
            if equation.primitive.name in CONTROL_FLOW
        }
        self.readers = layout.folded(program, self.plan, EXPRESSIONS, self.late)
        self.parts: dict[Var, str] = {}  # expressions to be written where they are read
        self.statements: dict[Equation, list[str]] = {}  # of what has been printed
        self.unnamed: set[Var] = set()  # what is called by a letter
        self.names = Names()

    def lines(self, names: Names) -> list[str]:
        """The equations' lines, in a scope of names where the inputs have theirs."""
        self.names = names
        lines = []
        headings = layout.Headings(self.late)
        for equation in self.program.equations:
            if equation in self.inner:
                made = CONTROL_FLOW[equation.primitive.name](self, equation)
            else:
                made = self._equation(equation)
            if made:
                lines += [*headings.before(equation), *made]
                self.statements[equation] = made
        return lines

    def read_by(self, equation: Equation) -> list[Var]:
        """The variables that an equation's statement reads."""
        found: list[Var] = []
        for atom in equation.inputs:
            if isinstance(atom, Var):
                found += self.read_by(self.definitions[atom]) if atom in self.readers else [atom]
        return list(dict.fromkeys(found))

    def _equation(self, equation: Equation) -> list[str]:
        name, (out, *others) = equation.primitive.name, equation.outputs
        if others:
            first, text = self._whole(equation)
            targets = ", ".join(self.names.of(each) for each in equation.outputs)
            types = ", ".join(type_text(each.type, self.usual) for each in equation.outputs)
            return [*first, f"{targets} = {text}  # {types}"]
        if name in STATEMENTS:
            target = self._target(equation)
            operands = self._operands(equation)
            in_place = out in self.plan.in_place_of
            start = None if in_place else self._fresh(equation.inputs[0], operands[0])
            *first, last = STATEMENTS[name](equation, operands, target, start)
            return [*first, last + self._comment(out)]
        first, text = self._whole(equation)
        if out in self.readers:
            self.parts[out] = text
            self.names.call(out, f"part_{len(self.parts)}")
            self.unnamed.add(out)
            return first
        return [*first, f"{self._target(equation)} = {text}{self._comment(out)}"]

    def _whole(self, equation: Equation) -> tuple[list[str], str]:
        """An expression with its parts in it, and lines for those parts that make it too long."""
        parts = {atom: self.parts.pop(atom) for atom in equation.inputs if atom in self.parts}
        lines: list[str] = []
        while True:
            text = self._expression(equation)
            if parts:
                named = {self.names.of(var): part for var, part in parts.items()}
                text = layout.put_together(text, named)
            if layout.fits(text) or not parts:
                return lines, text
            longest = max(parts, key=lambda var: len(parts[var]))
            target = self._target(self.definitions[longest], anew=True)
            lines.append(f"{target} = {parts.pop(longest)}{self._comment(longest)}")

    def _target(self, equation: Equation, anew: bool = False) -> str:
        """The name of what an equation computes: the user's, or one made from its operand's."""
        (out,) = equation.outputs
        wanted = layout.named_after(equation, self.names, self.unnamed)
        if out.name is None and wanted is None:
            self.unnamed.add(out)
        if anew:
            self.names.call(out, self.names.new(wanted))
        return self.names.of(out, wanted)

    def _comment(self, var: Var) -> str:
        return f"  # {type_text(var.type, self.usual)}"

    def _expression(self, equation: Equation) -> str:
        out = equation.outputs[0]
        over = self.plan.in_place_of.get(out)
        buffer = None
        if over is not None and writes_out(equation):
            buffer = self.names.of(over)
        elif out in self.plan.slot_of:
            buffer = f"buffer_{self.first_slot + self.plan.slot_of[out]}"
        operands = self._operands(equation)
        return EXPRESSIONS[equation.primitive.name](equation, operands, buffer)

    def _fresh(self, atom: Atom, operand: str) -> str:
        """An array of its own with the operand's values."""
        made = self.definitions.get(atom) if isinstance(atom, Var) else None
        if made is not None and made.primitive.name == "broadcast_to":
            value = made.inputs[0]
            if isinstance(value, Literal) and value.value == 0:
                return f"np.zeros({atom.type.shape}, np.{atom.type.dtype.name})"
        return f"np.array({operand})"

    def _operands(self, equation: Equation) -> list[str]:
        # Beside an array a plain number takes the array's dtype.
        arrays = {a.type.dtype for a in equation.inputs if isinstance(a, Var)}
        open_dtype = equation.primitive.name in OVERWRITES
        return [
            self.text(atom, typed=not open_dtype or atom.type.dtype not in arrays)
            for atom in equation.inputs
        ]

    def text(self, atom: Atom, typed: bool = True) -> str:
        return self.names.of(atom) if isinstance(atom, Var) else format_literal(atom, typed)

    def results(self, atoms: Sequence[Atom], scalar: str = "") -> list[str]:
        """Values that share no memory with an input, a constant or one another.

        `scalar` is put behind those without axes.
        """
        given: set[Var] = set()
        results = []
        for atom in atoms:
            if isinstance(atom, Literal):
                results.append(format_literal(atom, typed=True))
                continue
            name = self.names.of(atom)
            root = self.plan.roots[atom]
            made = self.definitions.get(root)
            shared = root in given or (made is None and root not in self.donated)
            if not atom.type.shape:
                results.append(f"{name}{scalar}")
            elif (
                shared
                or (made is not None and made.primitive.name in VIEWS)
                or _is_stretched(self.definitions, atom)
            ):
                results.append(f"np.array({name})")
            else:
                results.append(name)
            given.add(root)
        return results

    # --- loops and branches

    def _enter(self, block: Block, inputs: Sequence[Var], texts: Sequence[str]) -> Names:
        """A scope for a block, in which these inputs are called as these texts."""
        scope = self.names.inner()
        for var, text in zip(inputs, texts, strict=True):
            scope.call(var, text)
        return scope

    def _scan(self, equation: Equation) -> list[str]:
        params, block = equation.params, self.inner[equation]["body"]
        body, length = block.program, params["length"]
        groups = (params["n_consts"], params["n_carry"])
        consts, carry, xs = cut(equation.inputs, *groups)
        of_consts, of_carry, of_xs = cut(body.inputs, *groups)
        outputs, ys = cut(equation.outputs, len(carry))
        states, lines = self._start(outputs, of_carry, carry)
        for y in ys:
            shape, dtype = y.type.shape, dtype_name(y.type.dtype)
            lines.append(f"{self.names.of(y)} = np.empty({shape}, np.{dtype})")
        texts = [self.text(atom) for atom in consts]
        scope = self._enter(block, [*of_consts, *of_carry], [*texts, *states])
        i = scope.new("i")
        turns = f"{length - 1}, -1, -1" if params["reverse"] else str(length)
        lines.append(f"for {i} in range({turns}):")
        inner = [f"{scope.of(v)} = {self.text(x)}[{i}]" for v, x in zip(of_xs, xs, strict=True)]
        inner += block.lines(scope)
        new, slices = cut(body.outputs, len(carry))
        inner += [
            f"{self.names.of(y)}[{i}] = {block.text(v)}" for y, v in zip(ys, slices, strict=True)
        ]
        inner += _assign(states, block.results(new))
        return [*lines, *_indented(inner)]

    def _start(
        self, outputs: Sequence[Var], inner: Sequence[Var], starts: Sequence[Atom]
    ) -> tuple[list[str], list[str]]:
        """The names of a loop's carries, which are those of its outputs, and their first lines."""
        names, lines = [], []
        for out, var, atom in zip(outputs, inner, starts, strict=True):
            names.append(self.names.of(out, var.name))
            text = self.text(atom)
            start = self._fresh(atom, text) if atom.type.shape else text
            lines.append(f"{names[-1]} = {start}{self._comment(out)}")
        return names, lines

    def _while(self, equation: Equation) -> list[str]:
        params, inner = equation.params, self.inner[equation]
        test, body = inner["cond"], inner["body"]
        n_tests, n_consts = params["cond_nconsts"], params["body_nconsts"]
        tests, consts, carry = cut(equation.inputs, n_tests, n_consts)
        states, lines = self._start(equation.outputs, body.program.inputs[n_consts:], carry)
        scope = self._enter(test, test.program.inputs, [*map(self.text, tests), *states])
        (holds,) = test.program.outputs
        if [e.primitive.name in EXPRESSIONS for e in test.program.equations] == [True]:
            test.names = scope
            head, turn = f"while {test._expression(test.program.equations[0])}:", []
        else:
            head, turn = "while True:", test.lines(scope)
            turn += [f"if not {test.text(holds)}:", "    break"]
        scope = self._enter(body, body.program.inputs, [*map(self.text, consts), *states])
        turn += body.lines(scope)
        turn += _assign(states, body.results(body.program.outputs))
        return [*lines, head, *_indented(turn)]

    def _cond(self, equation: Equation) -> list[str]:
        predicate, *operands = map(self.text, equation.inputs)
        targets = [self.names.of(out) for out in equation.outputs]
        lines = []
        for head, name in ((f"if {predicate}:", "true_branch"), ("else:", "false_branch")):
            block = self.inner[equation][name]
            inner = block.lines(self._enter(block, block.program.inputs, operands))
            inner += _assign(targets, block.results(block.program.outputs))
            lines += [head, *_indented(inner)]
        return lines


CONTROL_FLOW = {"scan": Block._scan, "while_loop": Block._while, "cond": Block._cond}


def _owned(name: str, inner: Program, equation: Equation) -> Collection[Var]:
    """A loop's carries are its own: they start as copies."""
    if name != "body":
        return ()
    start = equation.params.get("n_consts", equation.params.get("body_nconsts"))
    stop = start + equation.params.get("n_carry", len(inner.inputs))
    return set(inner.inputs[start:stop])


def _assign(targets: Sequence[str], values: Sequence[str]) -> list[str]:
    """All at once, since a value may be another target's old one."""
    pairs = [(t, v) for t, v in zip(targets, values, strict=True) if v != t]
    if not pairs:
        return []
    left, right = zip(*pairs, strict=True)
    return [f"{', '.join(left)} = {', '.join(right)}"]


def _indented(lines: Sequence[str]) -> list[str]:
    return [line and f"    {line}" for line in lines or ["pass"]]


def _is_stretched(definitions: dict[Var, Equation], atom: Var) -> bool:
    """Whether elements of a view share memory, so that it cannot be written to."""
    made = definitions.get(atom)
    while made is not None and made.primitive.name in VIEWS:
        if made.primitive.name == "broadcast_to":
            return True
        source = made.inputs[0]
        made = definitions.get(source) if isinstance(source, Var) else None
    return False


def _overwrites(equation: Equation) -> Collection[int]:
    return OVERWRITES.get(equation.primitive.name, ())


def format_literal(literal: Literal, typed: bool) -> str:
    dtype = literal.type.dtype
    value: Any = literal.value
    if dtype.kind == "c":
        text = _complex_literal(literal)
    elif dtype.kind == "f":
        text = {"inf": "np.inf", "-inf": "-np.inf", "nan": "np.nan"}.get(str(value), str(value))
    else:
        text = str(value.item())
    if not typed:
        return text
    return f"np.{dtype_name(dtype)}({text[1:-1] if text[0] == '(' else text})"


def _complex_literal(literal: Literal) -> str:
    """``(1+2j)`` where Python reads that back to the last bit: not infinities, NaN and -0.0."""
    text = repr(literal.value.item())
    if not re.search("inf|nan", text):
        again = Literal(ast.literal_eval(text), literal.type.dtype)
        if again.key == literal.key:
            return text
    parts = [Literal(part, part.dtype) for part in (literal.value.real, literal.value.imag)]
    return f"complex({', '.join(format_literal(part, False) for part in parts)})"


def dtype_name(dtype: Any) -> str:
    """The name of a dtype in NumPy's namespace."""
    return "bool_" if dtype.kind == "b" else str(dtype.name)


def type_text(type: ArrayType, usual: Any = None) -> str:
    return (
        str(type.shape)
        if usual is not None and type.dtype == usual
        else f"{type.shape} {type.dtype.name}"
    )
