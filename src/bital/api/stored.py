"""Functions as text, and back: what a file may hold in the place of code.

The text is that of the function's Program. A Program has fixed sizes; so that the text serves any
number of rows, the function is recorded for several numbers, and what differs between the
recordings must follow the number of rows ``n`` as ``a * n + b``. That is what the text holds then,
as ``<an+b>``; a constant such as ``np.arange(n)`` is held as its start and step.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bital.api.recording import apply, argument_names, function_name, leaf_type, record
from bital.errors import ArgumentError, BitalError, ProgramError
from bital.numpy_language import Tracer
from bital.primitives import REGISTRY
from bital.program import Program, check, parse

MAX_TEXT = 1 << 20
_MAX_ELEMENTS = 1 << 24  # of a constant that is made from start and step
_ROWS = (17, 23, 37)  # more than one row, and sizes that nobody writes as a constant
_KEPT = 16  # Programs for so many numbers of rows

_HOLE = re.compile(r"<(\d{1,15})n([+-]\d{1,15})?>")
_CONSTANT = re.compile(r"^(  \w+: \w+\[([\d,]*)\] = constant )([\[{].*)$", re.MULTILINE)
_BEFORE_A_NUMBER = re.compile(r"[\s,(\[=:]-?$")


def to_text(fun: Callable[..., Any], *args: Any, any_rows: bool = True) -> str:
    """Return a function of arrays as text that `from_text` reads.

    Parameters
    ----------
    fun : callable
        Plain NumPy code of arrays, to one array.
    *args : arrays
        Arrays of the types that it is called with; their values do not matter.
    any_rows : bool, default True
        Whether the text serves any length of the arguments' first axes, which are of one length.

    Raises
    ------
    ArgumentError
        If something in the function depends on the number of rows in another way than
        ``a * n + b``, or it closes over so many numbers that the text becomes longer than 1 MiB.

    Examples
    --------
    >>> import numpy as np
    >>> print(to_text(lambda x: np.mean(x, axis=0), np.ones((4, 3))))
    program lambda(x: float64[<1n>,3]) {
      a: float64[3] = reduce_sum(x) [axes=(0,), keepdims=False]
      b: float64[3] = div(a, <1n>.0:float64)
      return b
    }
    """
    name = function_name(fun)
    rows = {np.shape(argument)[:1] for argument in args}
    if any_rows and (len(rows) != 1 or rows == {()}):
        shapes = ", ".join(str(np.shape(argument)) for argument in args)
        raise ArgumentError(
            f"to_text({name}, ...): the arguments must have one number of rows, and have the "
            f"shapes {shapes}. For arguments of fixed shapes write any_rows=False."
        )
    if not any_rows:
        text = _recorded(fun, args, None)
        if _HOLE.search(text):
            raise ArgumentError(f"to_text({name}, ...): a string in it reads {_HOLE.pattern!r}.")
    else:
        texts = [_recorded(fun, args, number) for number in _ROWS]
        text = _joined(name, texts)
    if len(text) > MAX_TEXT:
        raise ArgumentError(
            f"to_text({name}, ...): the text has {len(text) / 2**20:.1f} MiB, since the function "
            "closes over large arrays; the limit is 1 MiB. Make them weights of a layer."
        )
    from_text(text)
    return text


def from_text(text: str) -> StoredFunction:
    """Return the function that `to_text` wrote. Nothing is run.

    Raises
    ------
    ProgramError
        If the text is not exactly what `to_text` writes.

    Examples
    --------
    >>> import numpy as np
    >>> square = from_text(to_text(np.square, np.ones(4)))
    >>> square(np.array([3.0, 4.0]))
    array([ 9., 16.])
    """
    return StoredFunction(text)


class StoredFunction:
    """A function made of a text: it takes arrays of its types and returns an array.

    Attributes
    ----------
    text : str
        As `to_text` wrote it.
    """

    def __init__(self, text: str) -> None:
        if len(text) > MAX_TEXT:
            raise ProgramError(f"the text has {len(text)} characters; the limit is {MAX_TEXT}")
        self.text = text
        self._programs: dict[int, Program] = {}
        holes = _HOLE.search(text) is not None
        try:
            program, other = [self._program(rows) for rows in (_ROWS[:2] if holes else (0, 0))]
        except ArgumentError as fault:
            raise ProgramError(str(fault)) from fault
        if len(program.outputs) != 1:
            raise ProgramError(f"a function returns one array, not {len(program.outputs)}")
        self.__name__ = program.name
        # For each argument: its shape, with None for the number of rows, and its dtype.
        self._types = []
        for one, two in zip(program.input_types, other.input_types, strict=True):
            free = one.shape != two.shape
            if free and (one.shape[0], two.shape[0]) != _ROWS[:2]:
                raise ProgramError(f"an input has {one.shape[0]} rows where {_ROWS[0]} are given")
            if free and one.shape[1:] != two.shape[1:]:
                raise ProgramError("an input varies in more than its first axis")
            self._types.append(((None, *one.shape[1:]) if free else one.shape, one.dtype))
        if holes and not any(shape[:1] == (None,) for shape, _ in self._types):
            raise ProgramError("no input says how many rows there are")

    def takes(self, *args: Any) -> bool:
        """Whether arguments have the types that the function was recorded for."""
        return self._rows(args) is not None

    def __call__(self, *args: Any) -> Any:
        """Return the result; where an argument is being traced, it is recorded.

        Raises
        ------
        ArgumentError
            If an argument has another type than the function was recorded for.
        """
        rows = self._rows(args)
        if rows is None:
            wanted = ", ".join(f"{dtype}{_shown(shape)}" for shape, dtype in self._types)
            found = ", ".join(f"{a.dtype}{_shown(a.shape)}" for a in map(_array, args))
            raise ArgumentError(
                f"{self.__name__} was stored as a function of ({wanted}), and received ({found}). "
                "Give it such arrays, or the original function in its place."
            )
        return apply(self._program(rows), [_array(argument) for argument in args])[0]

    def __repr__(self) -> str:
        return f"<StoredFunction {self.__name__}>"

    def _rows(self, args: Sequence[Any]) -> int | None:
        """The number of rows, 0 where none is free, None where the types do not fit."""
        if len(args) != len(self._types):
            return None
        rows = set()
        for argument, (shape, dtype) in zip(map(_array, args), self._types, strict=True):
            if argument.dtype != dtype or len(argument.shape) != len(shape):
                return None
            if shape[:1] == (None,):
                rows.add(argument.shape[0])
            if argument.shape[1:] != shape[1:] or (None not in shape and argument.shape != shape):
                return None
        return None if len(rows) > 1 else (rows.pop() if rows else 0)

    def _program(self, rows: int) -> Program:
        if rows not in self._programs:
            text = _filled(self.text, rows)
            try:
                program = check(parse(text, REGISTRY))
            except ProgramError:
                raise
            except (BitalError, RecursionError) as fault:
                raise ProgramError(str(fault)) from fault
            if str(program) != text:
                raise ProgramError("the text is not the one that its Program has")
            while len(self._programs) >= _KEPT:
                self._programs.pop(next(iter(self._programs)), None)
            self._programs[rows] = program
        return self._programs[rows]


def _array(value: Any) -> Any:
    return value if hasattr(value, "dtype") and hasattr(value, "shape") else np.asarray(value)


def _shown(shape: tuple[Any, ...]) -> str:
    return "[" + ",".join("rows" if size is None else str(size) for size in shape) + "]"


def _recorded(fun: Callable[..., Any], args: Sequence[Any], rows: int | None) -> str:
    """The text of the Program for so many rows, or for the shapes as they are."""
    examples = []
    for argument in args:
        type_, _ = leaf_type(argument)
        shape = type_.shape if rows is None else (rows, *type_.shape[1:])
        examples.append(np.broadcast_to(type_.dtype.type(0), shape))
    names = argument_names(fun, examples)
    recorded = record(
        fun, examples, lambda xs: fun(*xs), names=names, values_known=False, freeze=True
    )
    if len(recorded.program.outputs) != 1 or recorded.weak[0] is not None:
        raise ArgumentError(
            f"to_text({function_name(fun)}, ...): the function must return one array; it returns "
            f"{recorded.structure!r} of numbers."
        )
    if any(isinstance(value, Tracer) for value in recorded.captured):
        raise ArgumentError(
            f"to_text({function_name(fun)}, ...): the function uses a value that is being traced; "
            "call to_text outside of jit and grad."
        )
    return str(recorded.program)


# Texts with holes ----------------------------------------------------------------------------


def _joined(name: str, texts: list[str]) -> str:
    """One text for all numbers of rows: what differs is written as a function of ``n``."""
    if _HOLE.search(texts[0]):
        raise ArgumentError(f"to_text({name}, ...): a string in it reads {_HOLE.pattern!r}.")
    split = [re.split(r"(\d+)", text) for text in _with_progressions(name, texts)]
    if len({len(parts) for parts in split}) != 1:
        raise _not_affine(name, "it does other things for other numbers of rows")
    found: list[str] = []
    for index, parts in enumerate(zip(*split, strict=True)):
        if len(set(parts)) == 1:
            found.append(parts[0])
            continue
        if index % 2 == 0:
            raise _not_affine(name, f"{parts[0]!r} becomes {parts[1]!r}")
        if not _BEFORE_A_NUMBER.search(split[0][index - 1]) or any(p[0] == "0" for p in parts):
            raise _not_affine(name, f"a number in it is {parts[0]}, and {parts[1]} for other rows")
        found.append(_affine(name, [int(part) for part in parts]))
    return "".join(found)


def _affine(name: str, values: list[int]) -> str:
    (n1, n2, n3), (v1, v2, v3) = _ROWS, values
    factor, rest = divmod(v2 - v1, n2 - n1)
    offset = v1 - factor * n1
    if rest or factor < 0 or factor * n3 + offset != v3:
        listed = ", ".join(f"{v} for {n} rows" for n, v in zip(_ROWS, values, strict=True))
        raise _not_affine(name, f"a size or number in it is {listed}")
    return f"<{factor}n{offset:+d}>" if offset else f"<{factor}n>"


def _with_progressions(name: str, texts: list[str]) -> list[str]:
    """The texts, with constants that differ between them as their start and step."""
    found = [_CONSTANT.findall(text) for text in texts]
    if len({len(constants) for constants in found}) != 1:
        raise _not_affine(name, "it closes over other arrays for other numbers of rows")
    forms = []
    for same in zip(*found, strict=True):
        items = [constant[2] for constant in same]
        forms.append(None if len(set(items)) == 1 else _progression(name, items))
    results = []
    for text in texts:
        rest = iter(forms)

        def write(match: re.Match[str], rest: Any = rest) -> str:
            form = next(rest)
            return match[0] if form is None else match[1] + json.dumps(form)

        results.append(_CONSTANT.sub(write, text))
    return results


def _progression(name: str, texts: list[str]) -> dict[str, Any]:
    """Start and step of constants such as ``np.arange(n)`` or ``np.ones((n, 3))``."""
    lists = [json.loads(text) for text in texts]
    first = lists[0][0]
    step = _number(lists[0][1]) - _number(first)
    form = {"start": first, "step": step}
    if any(items != _terms(form, len(items)) for items in lists):
        raise _not_affine(
            name, "it makes an array from the number of rows that is no np.arange and not constant"
        )
    return form


def _number(item: Any) -> Any:
    return float.fromhex(item) if isinstance(item, str) else item


def _terms(form: Any, count: int) -> list[Any]:
    start, step = form["start"], form["step"]
    if step == 0:
        return [start] * count
    terms = [_number(start) + step * index for index in range(count)]
    return [float(term).hex() for term in terms] if isinstance(start, str) else terms


def _filled(text: str, rows: int) -> str:
    """The text for a number of rows."""

    def size(match: re.Match[str]) -> str:
        value = int(match[1]) * rows + int(match[2] or 0)
        if value < 0:
            raise ArgumentError(f"a stored function does not exist for {rows} rows")
        return str(value)

    def constant(match: re.Match[str]) -> str:
        if match[3][0] == "[":
            return match[0]
        form = json.loads(match[3])
        kinds = {type(value) for value in form.values()}
        if set(form) != {"start", "step"} or not kinds <= {int, float, str, bool}:
            raise ProgramError(f"a constant has the form {match[3]:.60}")
        count = 1
        for length in re.findall(r"\d+", match[2]):
            count *= int(length)
        if count > _MAX_ELEMENTS:
            raise ProgramError(f"a constant has {count} elements; the limit is {_MAX_ELEMENTS}")
        return match[1] + json.dumps(_terms(form, count))

    try:
        return _CONSTANT.sub(constant, _HOLE.sub(size, text))
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as fault:
        if isinstance(fault, BitalError):
            raise
        raise ProgramError(f"a constant is damaged: {fault}") from fault


def _not_affine(name: str, why: str) -> ArgumentError:
    return ArgumentError(
        f"{name} cannot be stored for any number of rows: {why}, which is not a * n + b. Write it "
        "without branches on the number of rows, or keep it out of the file: "
        "model.save_weights(path)."
    )


__all__ = ["StoredFunction", "from_text", "to_text"]
