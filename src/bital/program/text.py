"""A Program as text, and back.

::

    program loss(x: float64[3], w: float64[3]) {
      a: float64[3] = mul(x, w)
      b: float64[] = reduce_sum(a) [axes=(0,), keepdims=False]
      return b
    }

Params are Python literals, dtypes (``dtype:float32``), array types (``type:float32[2,3]``) or
nested Programs. Constants stand above the equations, values in full: the text is the Program.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from bital.errors import ProgramError
from bital.program.types import ArrayType, Atom, Equation, Literal, Operation, Program, Var


class Names:
    """Gives each variable a unique name: the user's where it has one, else a, b, ..., aa, ..."""

    def __init__(self, reserved: set[str] | None = None) -> None:
        self._taken: set[str] = set(reserved or ())
        self._given: dict[Var, str] = {}
        self._count = 0

    def of(self, var: Var, default: str | None = None) -> str:
        """The name of a variable; `default` is wanted where the user gave none."""
        if var not in self._given:
            self._given[var] = self.new(var.name or default)
        return self._given[var]

    def call(self, var: Var, text: str) -> None:
        """Let a variable stand for a text."""
        self._given[var] = text

    def inner(self) -> Names:
        """A scope for an inner Program: its variables get names that nobody else has."""
        scope = Names()
        scope._taken, scope._count = self._taken, self._count
        return scope

    def new(self, wanted: str | None) -> str:
        """A name that is not given yet, as `wanted` if that is free."""
        name = wanted or self._letters()
        base, suffix = name, 2
        while name in self._taken:
            name = f"{base}_{suffix}" if wanted else self._letters()
            suffix += 1
        self._taken.add(name)
        return name

    def _letters(self) -> str:
        number, name = self._count, ""
        self._count += 1
        while True:
            name = chr(ord("a") + number % 26) + name
            number = number // 26 - 1
            if number < 0:
                return name


def format_program(program: Program, indent: str = "") -> str:
    import json  # only for constants; an import that `import bital` can do without

    names = Names()
    inputs = ", ".join(f"{names.of(var)}: {var.type}" for var in program.inputs)
    lines = [f"program {program.name}({inputs}) {{"]
    for var, array in program.constants.items():
        lines.append(f"  {names.of(var)}: {var.type} = constant {json.dumps(_encode(array))}")
    lines += ["  " + line for line in format_equations(program, names)]
    lines.append(f"  return {', '.join(_format_atom(atom, names) for atom in program.outputs)}")
    lines.append("}")
    return "\n".join(lines).replace("\n", f"\n{indent}")


def format_equations(
    program: Program, names: Names | None = None, limit: int | None = None
) -> list[str]:
    """One line an equation, without indentation."""
    if names is None:
        names = Names()
        for var in (*program.inputs, *program.constants):
            names.of(var)
    return [_format_equation(equation, names) for equation in program.equations[:limit]]


def _format_equation(equation: Equation, names: Names) -> str:
    inputs = ", ".join(_format_atom(atom, names) for atom in equation.inputs)
    outputs = ", ".join(f"{names.of(var)}: {var.type}" for var in equation.outputs)
    line = f"{outputs} = {equation.primitive.name}({inputs})"
    if equation.params:
        params = ", ".join(f"{k}={_format_param(v)}" for k, v in equation.params.items())
        line += f" [{params}]"
    return line


def _format_atom(atom: Atom, names: Names) -> str:
    if isinstance(atom, Var):
        return names.of(atom)
    return f"{_format_number(atom.value.item())}:{atom.type.dtype.name}"


def _format_number(value: Any) -> str:
    if isinstance(value, complex):  # so that complex(text) gives every part back, signs of 0 too
        imaginary = repr(value.imag)
        return f"{value.real!r}{'' if imaginary[0] == '-' else '+'}{imaginary}j"
    return repr(value)


def _format_param(value: Any) -> str:
    if isinstance(value, Program):
        return format_program(value, "  ")
    if isinstance(value, np.dtype):
        return f"dtype:{value.name}"
    if isinstance(value, ArrayType):
        return f"type:{value}"
    if isinstance(value, tuple):
        inner = ", ".join(_format_param(item) for item in value)
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if value is None or isinstance(value, (bool, int, float, str)):
        return repr(value)
    raise ProgramError(f"a param of type {type(value).__name__} has no text form: {value!r}")


def _encode(array: np.ndarray[Any, Any]) -> list[Any]:
    """Bit-exact: floats go as hexadecimal, a NaN with its bits; of complex numbers both parts."""
    if array.dtype.kind == "c":
        return _encode(array.ravel().view(f"f{array.dtype.itemsize // 2}"))
    if array.dtype.kind == "f":
        bits = np.ascontiguousarray(array).view(f"u{array.dtype.itemsize}")
        pairs = zip(array.ravel(), bits.ravel(), strict=True)
        return [f"nan:{b:x}" if np.isnan(x) else float(x).hex() for x, b in pairs]
    result: list[Any] = array.ravel().tolist()
    return result


def _decode(items: list[Any], type: ArrayType) -> np.ndarray[Any, Any]:
    if type.dtype.kind == "c":
        parts = ArrayType((2 * type.size,), np.dtype(f"f{type.dtype.itemsize // 2}"))
        return _decode(items, parts).view(type.dtype).reshape(type.shape)
    if type.dtype.kind != "f":
        return np.array(items, type.dtype).reshape(type.shape)
    nans = {i: int(x[4:], 16) for i, x in enumerate(items) if x.startswith("nan:")}
    floats = [0.0 if i in nans else float.fromhex(x) for i, x in enumerate(items)]
    array = np.array(floats, type.dtype)
    bits = array.view(f"u{type.dtype.itemsize}")
    for i, value in nans.items():
        bits[i] = value
    return array.reshape(type.shape)


_WORDS = {"None": None, "True": True, "False": False}
_DTYPES: dict[str, np.dtype[Any]] = {
    dtype.name: dtype for dtype in map(np.dtype, "?bhilqBHILQefdgFDG")
}
_MAX_DEPTH = 64
_MAX_SIZE = 1 << 48  # elements of an array

_PART = r"(?:inf|nan|\d[\d.]*(?:e[+-]?\d+)?)"
_TOKEN = re.compile(
    r"\s*(?:(?P<type>type:\w+\[[\d,]*\])|(?P<dtype>dtype:\w+)"
    rf"|(?P<complex>-?{_PART}[+-]{_PART}j:\w+)"
    r"|(?P<literal>-?(?:inf|nan|True|False|\d[\w.]*(?:[eE][+-]?\d+)?):\w+)"
    r"|(?P<string>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")"
    r"|(?P<number>-?(?:(?:inf|nan)\b|\d[\d.]*(?:e[+-]?\d+)?))"
    r"|(?P<arraytype>\w+\[[\d,]*\])|(?P<word>\w+)|(?P<punct>[(){},:=\[\]]))"
)


def parse(text: str, primitives: Mapping[str, Operation]) -> Program:
    """The Program that `text` describes.

    Parameters
    ----------
    text : str
        As `str(program)` gives it.
    primitives : mapping of str to primitive
        The names that equations may use.

    Raises
    ------
    ProgramError
        Where the text is not a Program, with the position.
    """
    parser = _Parser(text, primitives)
    try:
        program = parser.program()
        parser.end()
    except Exception as fault:
        line = text.count("\n", 0, parser.position) + 1
        raise ProgramError(f"line {line}: {fault}") from fault
    return program


class _Parser:
    def __init__(self, text: str, primitives: Mapping[str, Operation]) -> None:
        self.text, self.position, self.primitives = text, 0, primitives
        self.depth = 0

    @contextmanager
    def nested(self) -> Iterator[None]:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise ProgramError(f"it is nested more than {_MAX_DEPTH} deep")
        yield
        self.depth -= 1

    def peek(self) -> tuple[str, str, int]:
        match = _TOKEN.match(self.text, self.position)
        if match is None:
            return "", self.text[self.position :].strip()[:20], len(self.text)
        kind = match.lastgroup or ""
        return kind, match.group(kind), match.end()

    def next(self, wanted: str | None = None) -> tuple[str, str]:
        kind, value, end = self.peek()
        if not kind or (wanted is not None and value != wanted):
            raise ProgramError(
                f"expected {'a word' if wanted is None else repr(wanted)}, "
                f"found {value or 'the end'!r}"
            )
        self.position = end
        return kind, value

    def accept(self, wanted: str) -> bool:
        _, value, end = self.peek()
        if value == wanted:
            self.position = end
            return True
        return False

    def end(self) -> None:
        rest = self.text[self.position :].strip()
        if rest:
            raise ProgramError(f"text goes on after the Program: {rest[:40]!r}")

    def program(self) -> Program:
        with self.nested():
            return self._program()

    def _program(self) -> Program:
        self.next("program")
        name = self.next()[1]
        env: dict[str, Var] = {}
        self.next("(")
        inputs = []
        while not self.accept(")"):
            inputs.append(self.declaration(env))
            self.accept(",")
        self.next("{")
        constants: dict[Var, np.ndarray[Any, Any]] = {}
        equations = []
        while not self.accept("return"):
            outputs = [self.declaration(env)]
            while self.accept(","):
                outputs.append(self.declaration(env))
            self.next("=")
            operation = self.next()[1]
            if operation == "constant":
                constants[outputs[0]] = self.constant(outputs[0].type)
            else:
                equations.append(self.equation(operation, outputs, env))
        atoms: list[Atom] = []
        while not self.accept("}"):
            atoms.append(self.atom(env))
            self.accept(",")
        return Program(inputs, equations, atoms, constants, name)

    def declaration(self, env: dict[str, Var]) -> Var:
        name = self.next()[1]
        if name in env:
            raise ProgramError(f"{name!r} is assigned twice")
        self.next(":")
        env[name] = Var(_parse_type(self.next()[1]), name)
        return env[name]

    def constant(self, type: ArrayType) -> np.ndarray[Any, Any]:
        import json

        end = self.text.find("\n", self.position)
        items = json.loads(self.text[self.position : end])
        array = _decode(items, type)
        self.position = end
        return array

    def equation(self, name: str, outputs: list[Var], env: dict[str, Var]) -> Equation:
        if name not in self.primitives:
            raise ProgramError(f"there is no primitive {name!r}")
        self.next("(")
        inputs = []
        while not self.accept(")"):
            inputs.append(self.atom(env))
            self.accept(",")
        params = {}
        if self.accept("["):
            while not self.accept("]"):
                key = self.next()[1]
                self.next("=")
                params[key] = self.param()
                self.accept(",")
        return Equation(self.primitives[name], inputs, outputs, params)

    def atom(self, env: dict[str, Var]) -> Atom:
        kind, value = self.next()
        if kind == "complex":
            number, _, dtype = value.rpartition(":")
            return Literal(complex(number), _parse_dtype(dtype))
        if kind == "literal":
            number, _, dtype = value.rpartition(":")
            return Literal(_parse_value(number), _parse_dtype(dtype))
        if value not in env:
            raise ProgramError(f"{value!r} is read before it is assigned")
        return env[value]

    def param(self) -> Any:
        kind, value, _ = self.peek()
        if value == "program":
            return self.program()
        self.next()
        if value == "(":
            items = []
            with self.nested():
                while not self.accept(")"):
                    items.append(self.param())
                    self.accept(",")
            return tuple(items)
        if kind == "dtype":
            return _parse_dtype(value.partition(":")[2])
        if kind == "type":
            return _parse_type(value.partition(":")[2])
        if kind == "string":
            return value[1:-1].encode("latin-1", "backslashreplace").decode("unicode_escape")
        return _parse_value(value)


def _parse_value(text: str) -> Any:
    """A number or None, without Python's own parser: the text may come from a file."""
    if text in _WORDS:
        return _WORDS[text]
    return int(text) if text.removeprefix("-").isdecimal() else float(text)


def _parse_dtype(name: str) -> np.dtype[Any]:
    if name not in _DTYPES:
        raise ProgramError(
            f"a Program holds bool, integer, floating and complex arrays, not {name:.40}"
        )
    return _DTYPES[name]


def _parse_type(text: str) -> ArrayType:
    match = re.fullmatch(r"(\w+)\[([\d,]*)\]", text)
    if match is None:
        raise ProgramError(f"expected an array type such as float32[2,3], found {text!r}")
    lengths = match.group(2)
    shape = tuple(int(n) for n in lengths.split(",")) if lengths else ()
    type = ArrayType(shape, _parse_dtype(match.group(1)))
    if type.size > _MAX_SIZE:
        raise ProgramError(f"an array of type {text:.80} has more than {_MAX_SIZE} elements")
    return type
