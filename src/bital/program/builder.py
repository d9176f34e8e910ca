"""Growing a Program, one checked equation at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from bital.program.types import (
    Array,
    ArrayType,
    Atom,
    Equation,
    Operation,
    Params,
    Program,
    SourceLocation,
    Var,
    type_of,
)


class Builder:
    """Collects inputs, constants and equations; ``build`` freezes them into a Program.

    ``source`` is put on every equation that is added, so that a rule which expands into several
    equations leaves all of them at the user's line.
    """

    def __init__(self, name: str = "program") -> None:
        self.name = name
        self.inputs: list[Var] = []
        self.equations: list[Equation] = []
        self.constants: dict[Var, Array] = {}
        self.source: SourceLocation | None = None

    def input(self, type: ArrayType, name: str | None = None) -> Var:
        var = Var(type, name)
        self.inputs.append(var)
        return var

    def constant(self, array: Array, name: str | None = None) -> Var:
        var = Var(type_of(array), name)
        self.constants[var] = array
        return var

    def add(self, primitive: Operation, inputs: Sequence[Atom], params: Params) -> list[Var]:
        """Append ``primitive(*inputs, **params)``; its types are inferred, so proved."""
        types = primitive.infer([atom.type for atom in inputs], params)
        outputs = [Var(type) for type in types]
        self.equations.append(Equation(primitive, inputs, outputs, params, self.source))
        return outputs

    def build(self, outputs: Sequence[Atom]) -> Program:
        return Program(self.inputs, self.equations, outputs, self.constants, self.name)


class _Current(threading.local):
    builder: Builder | None = None


_current = _Current()


def current_builder() -> Builder:
    """The builder that primitives append to when a rule calls them."""
    if _current.builder is None:
        raise RuntimeError(
            f"a primitive was called outside of a Builder (in {threading.current_thread().name}); "
            "use `with building(builder):`"
        )
    return _current.builder


@contextmanager
def building(builder: Builder) -> Iterator[Builder]:
    """Let primitives that are called inside append to `builder`."""
    previous = _current.builder
    _current.builder = builder
    try:
        yield builder
    finally:
        _current.builder = previous


def inline(builder: Builder, program: Program, arguments: Sequence[Atom]) -> list[Atom]:
    """Append a Program's equations, reading `arguments`; return the atoms of its outputs.

    Lines of the user's code are kept where the Program has them.
    """
    env: dict[Var, Atom] = dict(zip(program.inputs, arguments, strict=True))
    for var, array in program.constants.items():
        env[var] = builder.constant(array, var.name)

    def read(atom: Atom) -> Atom:
        return env[atom] if isinstance(atom, Var) else atom

    for equation in program.equations:
        outputs = []
        for var in equation.outputs:
            outputs.append(Var(var.type, var.name))
            env[var] = outputs[-1]
        source = equation.source or builder.source
        inputs = [read(atom) for atom in equation.inputs]
        builder.equations.append(
            Equation(equation.primitive, inputs, outputs, equation.params, source)
        )
    return [read(atom) for atom in program.outputs]


def substitute(program: Program, values: Mapping[Var, Atom]) -> Program:
    """The Program with numbers, or other inputs, in the place of some inputs."""

    def read(atom: Atom) -> Atom:
        return values.get(atom, atom) if isinstance(atom, Var) else atom

    return program.replace(
        inputs=[var for var in program.inputs if var not in values],
        equations=[e.with_inputs([read(atom) for atom in e.inputs]) for e in program.equations],
        outputs=[read(atom) for atom in program.outputs],
    )
