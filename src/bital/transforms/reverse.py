"""vjp: forward values, then cotangents pulled back.

There are no backward rules. A Program is differentiated forward; what depends on the tangents is
linear in them; that half is transposed, equation by equation, from the last to the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bital.errors import DifferentiationError
from bital.primitives.elementwise import add
from bital.primitives.inner import chosen
from bital.primitives.primitive import (
    NOT_LINEAR,
    Linear,
    Operand,
    Tangent,
    program_transforms,
    zeros,
)
from bital.program import Atom, Builder, Equation, Program, Var, building, inline
from bital.program.text import Names
from bital.transforms.forward import push_forward
from bital.transforms.partial import partition


def vjp(program: Program, wrt: Sequence[bool], pulled: Sequence[bool] | None = None) -> Program:
    """Differentiate in reverse.

    Parameters
    ----------
    program : Program
        f: inputs -> outputs.
    wrt : sequence of bool
        The inputs whose cotangents are wanted.
    pulled : sequence of bool, optional
        The outputs that bring a cotangent. By default all that are floating or complex.

    Returns
    -------
    Program
        inputs, cotangents of the pulled outputs -> outputs, cotangents of the chosen inputs.
    """
    if pulled is None:
        pulled = [type.is_inexact for type in program.output_types]
    _distinguish(program)
    builder = Builder(f"grad_{program.name}")
    inputs = [builder.input(var.type, var.name) for var in program.inputs]
    tangents = [
        Var(var.type, f"d_{var.name}" if var.name else None) if chosen else None
        for var, chosen in zip(program.inputs, wrt, strict=True)
    ]
    with building(builder):
        outputs, slopes = push_forward(builder, program, inputs, tangents)
        half = _LinearHalf(builder, [t for t in tangents if t is not None])
        for out, slope, used in zip(outputs, slopes, pulled, strict=True):
            if used:
                ct = builder.input(out.type, f"d_{_name(out)}" if _name(out) else None)
                if isinstance(slope, Var):
                    half.accumulate(slope, ct)
        half.pull_back()
        results = [half.cotangent(t) for t in tangents if t is not None]
    return builder.build([*outputs, *results])


def _distinguish(program: Program) -> None:
    """Number variables of one name, so that a cotangent's name tells whose it is."""
    names = Names()
    for var in (*program.inputs, *(var for e in program.equations for var in e.outputs)):
        if var.name is not None:
            var.name = names.of(var)


def _name(atom: Atom) -> str | None:
    return atom.name if isinstance(atom, Var) else None


def _named(ct: Any, tangent: Var) -> Any:
    """A whole cotangent, with the name of its tangent."""
    if isinstance(ct, Var):
        ct.name = ct.name or tangent.name
    return ct


class _LinearHalf:
    """The equations that depend on the tangents, taken out of a builder to be transposed."""

    def __init__(self, builder: Builder, tangents: Sequence[Var]) -> None:
        self.builder = builder
        self.variables = set(tangents)
        self._cotangents: dict[Var, Atom] = {}
        self.equations = partition(builder, self.variables)

    def accumulate(self, var: Var, ct: Atom) -> None:
        known = self._cotangents.get(var)
        self._cotangents[var] = ct if known is None else add(known, ct)

    def reaches(self, var: Var) -> bool:
        return var in self._cotangents

    def cotangent(self, var: Var) -> Atom:
        ct = self._cotangents.get(var)
        return zeros(var.type) if ct is None else _named(ct, var)

    def pull_back(self) -> None:
        for equation in reversed(self.equations):
            cts = [self._cotangents.pop(var, None) for var in equation.outputs]
            if all(ct is None for ct in cts):
                continue
            for var, ct in zip(equation.outputs, cts, strict=True):
                _named(ct, var)
            source = equation.source
            self.builder.source = source and source._replace(backward=True)
            for atom, result in zip(equation.inputs, self._transpose(equation, cts), strict=True):
                if isinstance(atom, Var) and atom in self.variables and result is not None:
                    self.accumulate(atom, result)
        self.builder.source = None

    def _transpose(self, equation: Equation, cts: list[Tangent]) -> list[Tangent]:
        primitive = equation.primitive
        if primitive.transpose is NOT_LINEAR:
            raise DifferentiationError(
                f"{primitive.name} stands where its operand must be linear: the derivative that "
                f"needs it ({equation.source or 'source unknown'}) has no transpose"
            )
        operands: list[Operand] = [
            Linear(atom.type) if isinstance(atom, Var) and atom in self.variables else atom
            for atom in equation.inputs
        ]
        ct = cts if primitive.multiple_results else cts[0]
        results: list[Tangent] = primitive.transpose(ct, *operands, **equation.params)
        return results


def transpose(
    program: Program, linear: Sequence[bool], given: Sequence[bool]
) -> tuple[Program, list[bool]]:
    """Turn round a Program that is linear in some of its inputs.

    Parameters
    ----------
    program : Program
        inputs -> outputs.
    linear : sequence of bool
        The inputs that it is linear in.
    given : sequence of bool
        The outputs that bring a cotangent.

    Returns
    -------
    Program
        other inputs, cotangents of the given outputs -> cotangents of the linear inputs.
    list of bool
        Which of these are not known to be zero.
    """
    builder = Builder(f"transpose_{program.name}")
    inputs = [
        Var(var.type, var.name) if flag else builder.input(var.type, var.name)
        for var, flag in zip(program.inputs, linear, strict=True)
    ]
    variables = chosen(inputs, linear)
    with building(builder):
        outputs = inline(builder, program, inputs)
        half = _LinearHalf(builder, variables)
        for out, flag in zip(outputs, given, strict=True):
            if flag:
                ct = builder.input(out.type)
                if out in half.variables:
                    half.accumulate(out, ct)
        half.pull_back()
        reached = [half.reaches(var) for var in variables]
        return builder.build([half.cotangent(var) for var in variables]), reached


program_transforms["transpose"] = transpose


def split(program: Program, inputs: int, outputs: int) -> tuple[Program, Program]:
    """Cut a Program that `vjp` made into its forward and its backward half.

    Parameters
    ----------
    program : Program
        inputs, cotangents -> outputs, gradients.
    inputs, outputs : int
        How many inputs and outputs belong to the forward half.

    Returns
    -------
    forward : Program
        inputs -> outputs, residuals.
    backward : Program
        residuals, cotangents -> gradients.
    """
    given = set(program.inputs[:inputs]) | set(program.constants)
    forward, backward = [], []
    late = set(program.inputs[inputs:])
    for equation in program.equations:
        if late.isdisjoint(equation.inputs):
            given.update(equation.outputs)
            forward.append(equation)
        else:
            late.update(equation.outputs)
            backward.append(equation)
    read = [atom for equation in backward for atom in equation.inputs]
    read += program.outputs[outputs:]
    residuals = list(dict.fromkeys(a for a in read if isinstance(a, Var) and a in given))
    return (
        program.replace(
            inputs=program.inputs[:inputs],
            equations=forward,
            outputs=[*program.outputs[:outputs], *residuals],
        ),
        Program(
            [*residuals, *program.inputs[inputs:]],
            backward,
            program.outputs[outputs:],
            name=program.name,
        ),
    )
