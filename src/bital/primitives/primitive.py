"""What a primitive is: one operation's meaning, in five required fields."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from bital.errors import ProgramError
from bital.program import ArrayType, Atom, Literal, Params, Var, current_builder

Tangent = Atom | None  # None: zero, known to be so without looking at values


class Linear:
    """Stands for an operand that a transposed equation is linear in: its value does not exist."""

    __slots__ = ("type",)

    def __init__(self, type: ArrayType) -> None:
        self.type = type


Operand = Atom | Linear
AbstractEval = Callable[..., "ArrayType | list[ArrayType]"]
JvpRule = Callable[..., tuple[list[Atom], list[Tangent]]]
TransposeRule = Callable[..., list[Tangent]]
BatchRule = Callable[..., list[Atom]]


class _Undefined:
    """A rule that does not exist, and says so when it is looked for."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


NOT_DIFFERENTIABLE: Final = _Undefined(
    "NOT_DIFFERENTIABLE"
)  # its derivative is zero wherever it exists
NOT_LINEAR: Final = _Undefined("NOT_LINEAR")

REGISTRY: dict[str, Primitive] = {}

# Program -> Program transforms that rules of primitives with inner Programs call. The folder of
# transforms adds itself here, since this folder cannot import it.
program_transforms: dict[str, Callable[..., Any]] = {}


class Primitive:
    """An operation that Programs are made of.

    Parameters
    ----------
    name : str
    abstract_eval : callable
        ``abstract_eval(*types, **params) -> ArrayType or list of them``. Raises where the types do
        not fit: operands are never converted silently.
    reference : callable
        ``reference(*arrays, **params) -> array or list``: the right answer, in NumPy.
    jvp : callable or NOT_DIFFERENTIABLE
        ``jvp(primitive, primals, tangents, **params) -> (outputs, tangents)``, by calling
        primitives.
    transpose : callable or NOT_LINEAR
        ``transpose(cotangent, *operands, **params) -> cotangents of the operands``. Linear operands
        arrive as `Linear`; the others' cotangents are None. With multiple results the first
        argument is the list of their cotangents.
    batch : callable
        ``batch(primitive, size, inputs, mapped, **params) -> outputs``. Mapped inputs carry the
        batch axis in front, and so do all outputs.
    multiple_results : bool
        Whether calls return a list.
    """

    def __init__(
        self,
        name: str,
        *,
        abstract_eval: AbstractEval,
        reference: Callable[..., Any],
        jvp: JvpRule | _Undefined,
        transpose: TransposeRule | _Undefined,
        batch: BatchRule,
        multiple_results: bool = False,
    ) -> None:
        if name in REGISTRY:
            raise ValueError(f"primitive {name!r} is defined twice")
        self.name = name
        self.abstract_eval = abstract_eval
        self.reference = reference
        self.jvp = jvp
        self.transpose = transpose
        self.batch = batch
        self.multiple_results = multiple_results
        REGISTRY[name] = self

    def __repr__(self) -> str:
        return self.name

    def infer(self, types: Sequence[ArrayType], params: Params) -> list[ArrayType]:
        """The output types, or an error."""
        result = self.abstract_eval(*types, **params)
        return result if isinstance(result, list) else [result]

    def bind(self, inputs: Sequence[Atom], params: Params) -> list[Atom]:
        """Append to the current builder."""
        return list(current_builder().add(self, inputs, params))

    def __call__(self, *inputs: Any, **params: Any) -> Any:
        """Append to the current builder; Python numbers take the first operand's dtype."""
        outputs = self.bind(as_atoms(inputs), params)
        return outputs if self.multiple_results else outputs[0]


def as_atoms(values: Sequence[Any]) -> list[Atom]:
    """Python numbers among `values` become literals of the dtype of the first atom there."""
    dtype = next((v.type.dtype for v in values if isinstance(v, (Var, Literal))), None)
    atoms: list[Atom] = []
    for value in values:
        if isinstance(value, (Var, Literal)):
            atoms.append(value)
        elif dtype is not None and isinstance(value, (bool, int, float, complex)):
            atoms.append(Literal(value, dtype))
        else:
            raise ProgramError(f"an operand is neither an atom nor a number: {value!r}")
    return atoms


def single(rule: Callable[..., Tangent]) -> JvpRule:
    """A jvp rule from ``rule(tangents, out, *primals, **params) -> tangent`` of the one output.

    The primal output is the equation itself, and the rule may use it.
    """

    def jvp(
        primitive: Primitive, primals: list[Atom], tangents: list[Tangent], **params: Any
    ) -> tuple[list[Atom], list[Tangent]]:
        (out,) = primitive.bind(primals, params)
        return [out], [rule(tangents, out, *primals, **params)]

    return jvp


def linear_jvp(*operands: int) -> JvpRule:
    """The jvp rule of a primitive that is jointly linear in `operands`: itself, on tangents."""

    def jvp(
        primitive: Primitive, primals: list[Atom], tangents: list[Tangent], **params: Any
    ) -> tuple[list[Atom], list[Tangent]]:
        outputs = primitive.bind(primals, params)
        moved = list(primals)
        for index in operands or range(len(primals)):
            moved[index] = instantiate(tangents[index], primals[index].type)
        return outputs, list(primitive.bind(moved, params))

    return jvp


def instantiate(tangent: Tangent, type: ArrayType) -> Atom:
    """A zero that rules can compute with, where `tangent` is None."""
    return zeros(type) if tangent is None else tangent


def zeros(type: ArrayType) -> Atom:
    return full(type, 0)


def full(type: ArrayType, value: Any) -> Atom:
    literal = Literal(value, type.dtype)
    if not type.shape:
        return literal
    broadcast: Atom = REGISTRY["broadcast_to"](literal, shape=type.shape)
    return broadcast


def require(condition: bool, message: Callable[[], str]) -> None:
    """Raise a `ProgramError`, worded only then: this runs for each equation."""
    if not condition:
        raise ProgramError(message())


def require_same_dtype(name: str, *types: ArrayType) -> np.dtype[Any]:
    dtype = types[0].dtype
    require(
        all(type.dtype == dtype for type in types),
        lambda: f"{name} needs operands of one dtype, got {', '.join(map(str, types))}",
    )
    return dtype
