"""The parts of a Program: array types, variables, literals, equations."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Params = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ArrayType:
    """What is known of an array before it exists: its shape and its dtype."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        size = 1
        for length in self.shape:
            size *= length
        return size

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    @property
    def is_inexact(self) -> bool:
        """Whether it holds floating or complex numbers: those that derivatives are made of."""
        return self.dtype.kind in "fc"

    def __str__(self) -> str:
        return f"{self.dtype.name}[{','.join(map(str, self.shape))}]"


def type_of(value: Any) -> ArrayType:
    """The type of an array or a NumPy scalar."""
    return ArrayType(value.shape, value.dtype)


class Var:
    """A value that an equation computes, or an input. Compared by identity.

    ``name`` is the user's own name where one is known; it serves printing only.
    """

    __slots__ = ("name", "type")

    def __init__(self, type: ArrayType, name: str | None = None) -> None:
        self.type = type
        self.name = name

    def __repr__(self) -> str:
        return f"Var({self.name or '?'}: {self.type})"


class Literal:
    """A scalar that is part of the Program's text."""

    __slots__ = ("type", "value")

    def __init__(self, value: Any, dtype: np.dtype[Any]) -> None:
        self.value = dtype.type(value)
        self.type = ArrayType((), dtype)

    @property
    def key(self) -> tuple[str, bytes]:
        """Equal for equal bits: 0.0 and -0.0 differ, a NaN equals itself."""
        return self.type.dtype.str, self.value.tobytes()

    def __repr__(self) -> str:
        return f"Literal({self.value!r})"


Atom = Var | Literal


class SourceLocation(NamedTuple):
    """The line of the user's code that made an equation.

    ``name`` is the variable that the line gives the value to, ``scope`` the innermost
    `bital.named_scope`; ``backward`` tells that the equation pulls cotangents back through the
    line.
    """

    filename: str
    line: int
    name: str | None = None
    scope: str = ""
    backward: bool = False

    def __str__(self) -> str:
        return f"{self.filename}:{self.line}"


class Operation(Protocol):
    """What a Program needs to know of a primitive."""

    @property
    def name(self) -> str: ...

    def infer(self, types: Sequence[ArrayType], params: Params) -> list[ArrayType]: ...


class Equation:
    """``outputs = primitive(*inputs, **params)``."""

    __slots__ = ("inputs", "outputs", "params", "primitive", "source")

    def __init__(
        self,
        primitive: Any,  # an Operation; rules read the fields that ② gives it
        inputs: Sequence[Atom],
        outputs: Sequence[Var],
        params: Params,
        source: SourceLocation | None = None,
    ) -> None:
        self.primitive = primitive
        self.inputs = tuple(inputs)
        self.outputs = tuple(outputs)
        self.params = params
        self.source = source

    def with_inputs(self, inputs: Sequence[Atom]) -> Equation:
        """The same equation, reading other atoms of the same types."""
        return Equation(self.primitive, inputs, self.outputs, self.params, self.source)


class Program:
    """A pure function as a list of typed equations, each variable assigned once.

    Attributes
    ----------
    inputs : tuple of Var
    constants : mapping of Var to array
        Arrays that the traced function closed over.
    equations : tuple of Equation
        In an order in which each reads only what stands above it.
    outputs : tuple of Var or Literal
    name : str
        The traced function's name.
    """

    # Views of a Program ("numpy", ...): executors add theirs.
    printers: ClassVar[dict[str, Callable[[Program], Any]]] = {}

    def __init__(
        self,
        inputs: Sequence[Var],
        equations: Sequence[Equation],
        outputs: Sequence[Atom],
        constants: Mapping[Var, Array] | None = None,
        name: str = "program",
    ) -> None:
        self.inputs = tuple(inputs)
        self.equations = tuple(equations)
        self.outputs = tuple(outputs)
        self.constants = dict(constants or {})
        self.name = name

    def replace(self, **changes: Any) -> Program:
        """A copy with some of the fields changed."""
        fields = {
            "inputs": self.inputs,
            "equations": self.equations,
            "outputs": self.outputs,
            "constants": self.constants,
            "name": self.name,
        }
        return Program(**{**fields, **changes})

    @property
    def input_types(self) -> tuple[ArrayType, ...]:
        return tuple(var.type for var in self.inputs)

    @property
    def output_types(self) -> tuple[ArrayType, ...]:
        return tuple(atom.type for atom in self.outputs)

    def __str__(self) -> str:
        from bital.program.text import format_program

        return format_program(self)

    def __repr__(self) -> str:
        return str(self)

    def to_numpy(self) -> str:
        """The NumPy source that the ``numpy`` executor compiles and runs."""
        text: str = self.printers["numpy"](self)
        return text

    def to_llvm(self) -> str:
        """The LLVM IR that the ``native`` executor compiles for this processor."""
        text: str = self.printers["llvm"](self)
        return text

    def draw(self) -> Any:
        """The graph of the statements of `to_numpy`, forward down and backward up again.

        Returns
        -------
        bital.drawing.Drawing
            Shown by notebooks; ``.svg`` is its text, ``.save("net.svg")`` writes it to a file, also
            as .png or .pdf.

        Raises
        ------
        MissingExtraError
            Where matplotlib is not installed (the extra ``plot``).
        ArgumentError
            For a Program of too many statements to be seen.
        """
        return self.printers["drawing"](self)

    def memory(self) -> Any:
        """Bytes of arguments, constants, arena and results, before anything runs.

        Returns
        -------
        bital.executors.memory.Memory
            For one thread of the ``native`` executor, and no argument donated.

        Examples
        --------
        >>> import bital, numpy as np
        >>> print(bital.trace(lambda x: np.exp(x) @ x, np.ones((64, 64))).memory())
        arguments 32.0 KiB, constants 0 B, arena 48.4 KiB, results 32.0 KiB, total 112.4 KiB
        """
        return self.printers["memory"](self)

    def structure(self) -> Hashable:
        """A key that is equal for Programs that compute the same in the same way.

        Names and source lines do not count; constants count by identity.
        """
        number: dict[Var, int] = {}
        for var in (*self.inputs, *self.constants):
            number[var] = len(number)

        def key(atom: Atom) -> Hashable:
            return number[atom] if isinstance(atom, Var) else atom.key

        body = []
        for equation in self.equations:
            inputs = tuple([key(atom) for atom in equation.inputs])
            for var in equation.outputs:
                number[var] = len(number)
            params = tuple((k, params_key(v)) for k, v in equation.params.items())
            body.append((equation.primitive.name, inputs, params))
        constants = tuple(id(array) for array in self.constants.values())
        outputs = tuple(key(atom) for atom in self.outputs)
        return self.input_types, constants, tuple(body), outputs


def params_key(value: Any) -> Hashable:
    """A hashable stand-in for a static value of an equation."""
    if isinstance(value, Program):
        return value.structure()
    if isinstance(value, tuple):
        return tuple(params_key(item) for item in value)
    key: Hashable = value
    return key


def subprograms(equation: Equation) -> Iterator[Program]:
    """Programs among an equation's params."""
    for value in equation.params.values():
        if isinstance(value, Program):
            yield value
