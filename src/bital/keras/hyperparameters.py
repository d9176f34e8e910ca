"""Numbers of which each of several models has its own, while one step is traced for all of them.

Models of one architecture hold the same objects but for some numbers: a rate, a factor, a decay.
`differences` walks through all models side by side and finds these numbers, in whatever objects
they stand. `Numbers` puts a `Number` in the place of each while the first model's step is traced.
A `Number` computes as a Python float does, for all models at once; where it meets an array, it
becomes an element of a table that the step takes as an argument. Where Python must know a value,
as in ``if self.l1:``, models that agree stay together and the others are told apart: `Divided`.

A traced step does for models of another call, too, if `fingerprint` finds them to be the same but
for such numbers, and if Python would decide the same by these: a `Table` knows.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from bital import tree
from bital.errors import ArgumentError
from bital.keras.initializers import Initializer
from bital.keras.layers.base import Layer
from bital.keras.models.graph import Graph
from bital.keras.models.running import Runner
from bital.keras.optimizers import Optimizer
from bital.keras.variables import Variable

_WIDTH = 64  # numbers in a table at first

# What objects hold beside what a step reads: names, and what training keeps.
_APART: dict[type, str] = {
    Runner: "history stop_training _lock _programs _predict_program _ready "
    "_step_functions _step_key _paces",
    Layer: "name auto_named _parent _nodes _added_losses",
    Graph: "_uses",
    Optimizer: "_state _variables _learning_rate",
}


@dataclass
class Place:
    """Where the first model holds a number, and the number of each model.

    Numbers that are NumPy's scalars in all models have a dtype, those of Python have none.
    """

    holder: Any
    key: Any
    path: str
    values: np.ndarray
    dtype: np.dtype[Any] | None

    def put(self, value: Any) -> None:
        """Let the first model hold another number."""
        _put(self.holder, self.key, value)

    def held(self) -> Any:
        """Return what the first model holds."""
        return _held(self.holder, self.key)


@dataclass
class _Tuple:
    """A tuple as what holds its items: its own holder gets another tuple."""

    holder: Any
    key: Any


def _held(holder: Any, key: Any) -> Any:
    if isinstance(holder, _Tuple):
        return _held(holder.holder, holder.key)[key]
    return holder[key] if isinstance(holder, (dict, list)) else getattr(holder, key)


def _put(holder: Any, key: Any, value: Any) -> None:
    if isinstance(holder, _Tuple):
        old = _held(holder.holder, holder.key)
        items = [value if place == key else item for place, item in enumerate(old)]
        made = type(old)(items) if type(old) is tuple else type(old)(*items)
        _put(holder.holder, holder.key, made)
    elif isinstance(holder, (dict, list)):
        holder[key] = value
    else:
        object.__setattr__(holder, key, value)


class Divided(Exception):
    """Python had to know a number of which the models have several."""

    def __init__(self, values: np.ndarray) -> None:
        super().__init__("models differ in a number that Python decides by")
        self.values = values


def differences(models: Sequence[Any]) -> list[Place]:
    """Return the numbers in which the models differ.

    Raises
    ------
    ArgumentError
        If they differ in anything else; it says in what.
    """
    walk = _Walk()
    walk.visit(list(models), "model", None, None)
    return list(walk.places.values())


class _Walk:
    """Goes through the objects of several models side by side."""

    def __init__(self) -> None:
        self.places: dict[tuple[int, Any], Place] = {}
        self._seen: set[tuple[int, ...]] = set()
        self._partners: dict[int, tuple[int, ...]] = {}
        self._kept: list[Any] = []  # so that no id is used twice

    def visit(self, items: list[Any], path: str, holder: Any, key: Any) -> None:
        """Compare one object of each model."""
        first = items[0]
        if all(item is first for item in items):
            return
        kinds = list(map(type, items))
        if _are_numbers(kinds):
            self._number(items, path, holder, key)
            return
        for number, kind in enumerate(kinds):
            if kind is not kinds[0]:
                _refuse(path, items, number)
        if isinstance(first, Initializer):  # weights are there already
            return
        marks = tuple(map(id, items))
        if marks in self._seen:
            return
        self._seen.add(marks)
        self._kept.append(items)
        unique = isinstance(first, (Layer, Variable))
        if unique and self._partners.setdefault(id(first), marks) != marks:
            raise ArgumentError(f"{_shown(path)} is shared in one model and not in another.")
        opened = [_opened(item) for item in items]
        kind, parts, inside = opened[0]
        if isinstance(first, tuple) and holder is not None:
            inside = _Tuple(holder, key)
        for number, (other, *_) in enumerate(opened):
            if not (other is kind or other == kind):
                _refuse(path, items if not parts else [each[0] for each in opened], number)
        for name in parts:
            self.visit([each[1][name] for each in opened], _below(path, first, name), inside, name)

    def _number(self, items: list[Any], path: str, holder: Any, key: Any) -> None:
        values = np.array(items, np.float64)
        differs = values.view(np.int64) != values.view(np.int64)[0]
        if not differs.any():
            return
        if holder is None:
            _refuse(path, items, int(differs.argmax()))
        scalars = all(isinstance(item, np.generic) for item in items)
        dtype = np.result_type(*items) if scalars else None
        self._kept.append([holder])
        known = self.places.setdefault((id(holder), key), Place(holder, key, path, values, dtype))
        if not np.array_equal(known.values, values):
            raise ArgumentError(f"{_shown(path)} is shared in one model and not in another.")


def fingerprint(model: Any, places: Sequence[Place]) -> Hashable | None:
    """Return all that a step of the model depends on, but for weights and the numbers at places.

    None where that cannot be known: beside code that is not bital's or NumPy's.
    """
    walk = _Fingerprint({place.path for place in places})
    try:
        walk.visit(model, "model")
        found = tuple(walk.found)
        hash(found)
    except (_Strange, TypeError):  # TypeError: no hash
        return None
    return found


class _Strange(Exception):
    """An object of which nobody knows what it depends on."""


class _Fingerprint:
    """Goes through the objects of a model as `_Walk` does, and lists what it sees."""

    def __init__(self, apart: set[str]) -> None:
        self.found: list[Hashable] = []
        self._apart = apart
        self._seen: dict[int, int] = {}
        self._kept: list[Any] = []  # so that no id is used twice

    def visit(self, item: Any, path: str) -> None:
        """List an object and what it holds."""
        if path in self._apart:
            self.found.append(Number)
        elif item is None or isinstance(item, (int, float, str, np.generic)):
            self.found.append((type(item), repr(item)))  # 0.0 == -0.0 == False
        elif id(item) in self._seen:
            self.found.append(self._seen[id(item)])
        elif not isinstance(item, Initializer):
            self._seen[id(item)] = len(self._seen)
            self._kept.append(item)
            self._open(item, path)

    def _open(self, item: Any, path: str) -> None:
        named = item if isinstance(item, (type, types.FunctionType)) else type(item)
        home = named.__module__.partition(".")[0]
        if home not in ("bital", "numpy", "builtins", "functools"):
            raise _Strange
        kind, parts, _ = _opened(item)
        self.found.append((type(item), tuple(kind) if isinstance(kind, list) else kind))
        for name, part in parts.items():
            self.visit(part, _below(path, item, name))


def _below(path: str, holder: Any, name: Any) -> str:
    """The path of what an object holds under this name."""
    is_item = isinstance(holder, (list, tuple, dict))
    return f"{path}[{name!r}]" if is_item else f"{path}.{name}"


def _are_numbers(kinds: Sequence[type]) -> bool:
    floating = [issubclass(kind, (float, np.floating)) for kind in kinds]
    return any(floating) and all(f or k is int for f, k in zip(floating, kinds, strict=True))


def _opened(item: Any) -> tuple[Any, dict[Any, Any], Any]:
    """What must be equal in all models, the parts to compare, and what holds these, if it can."""
    if isinstance(item, Variable):
        parts = {"regularizer": item.regularizer, "constraint": item.constraint}
        return (item.shape, item.dtype, item.trainable), parts, item
    if isinstance(item, (list, tuple)):
        return len(item), dict(enumerate(item)), item if isinstance(item, list) else None
    if isinstance(item, dict):
        return list(item), item, item
    if isinstance(item, np.ndarray):
        return (item.dtype, item.shape, item.tobytes()), {}, None
    if isinstance(item, types.FunctionType):
        cells = [cell.cell_contents for cell in item.__closure__ or ()]
        parts = dict(zip(item.__code__.co_freevars, cells, strict=True))
        parts |= {name: getattr(item, name) for name in ("__defaults__", "__kwdefaults__")}
        return item.__code__, parts, None
    if isinstance(item, types.MethodType):
        return item.__func__, {"__self__": item.__self__}, None
    if isinstance(item, functools.partial):
        return item.func, {"args": item.args, "keywords": item.keywords}, None
    names = _attributes(item)
    if names is None:
        return item, {}, None
    return sorted(names), {name: getattr(item, name) for name in names}, item


def _attributes(item: Any) -> list[str] | None:
    """The names of those that a step may read; None for what has no attributes."""
    names = list(getattr(item, "__dict__", ()))
    for cls in type(item).__mro__:
        own = cls.__dict__.get("__slots__", ())
        names += [name for name in ([own] if isinstance(own, str) else own) if hasattr(item, name)]
    if not names and not hasattr(item, "__dict__"):
        return None
    apart = " ".join(kept for cls, kept in _APART.items() if isinstance(item, cls)).split()
    return [name for name in names if name not in apart and not name.startswith("__")]


def _refuse(path: str, items: list[Any], number: int) -> NoReturn:
    raise ArgumentError(
        f"fit_many trains models of one architecture: {_shown(path)} is {items[0]!r:.80} in "
        f"models[0] and {items[number]!r:.80} in models[{number}]. Start weights, seeds, rows and "
        "numbers such as rates and factors may differ; call it once for each architecture."
    )


def _shown(path: str) -> str:
    return path.replace("._", ".")


# A formula is of what the models' numbers are made: ("place", which), ("plain", its text, a Python
# number) or (a ufunc, which of its results, the formulas of its operands).
Formula = tuple[Any, ...]


def _values(formula: Formula, given: Sequence[np.ndarray], known: dict[Formula, Any]) -> Any:
    """Compute a formula for all models at once, from the numbers at each place."""
    if formula[0] == "place":
        return given[formula[1]]
    if formula[0] == "plain":
        return formula[2]
    if formula not in known:
        function, result, operands = formula
        with np.errstate(all="ignore"):
            found = function(*[_values(operand, given, known) for operand in operands])
        known[formula] = found[result] if isinstance(found, tuple) else found
    return known[formula]


@dataclass(frozen=True)
class Table:
    """The numbers that a traced step takes as an argument, and those that it takes for granted.

    Attributes
    ----------
    columns : tuple of Formula
    facts : tuple of (Formula, number)
        What Python had to know, and what it was in all models.
    width : int
        Of a row: one for each column, and room for more.
    """

    columns: tuple[Formula, ...]
    facts: tuple[tuple[Formula, Any], ...]
    width: int

    def of(self, places: Sequence[Place], members: Sequence[int]) -> np.ndarray | None:
        """Return the rows of these models, ``(models, width)``; None if the facts do not hold."""
        given = [place.values[np.array(members)] for place in places]
        known: dict[Formula, Any] = {}
        if not all(np.all(_values(formula, given, known) == one) for formula, one in self.facts):
            return None
        rows = np.zeros((len(members), self.width))
        for column, formula in enumerate(self.columns):
            rows[:, column] = _values(formula, given, known)
        return rows


class Numbers:
    """The numbers of some of the models, while their step is traced.

    Parameters
    ----------
    places : list of Place
        From `differences`.
    members : list of int
        Which models.
    """

    def __init__(self, places: Sequence[Place], members: Sequence[int]) -> None:
        self._places = list(places)
        self._members = np.array(members)
        self._columns: dict[Formula, int] = {}
        self._facts: dict[Formula, Any] = {}
        self._width = _WIDTH
        self._row: Any = None

    def table(self) -> Table:
        """Return what the step takes."""
        return Table(tuple(self._columns), tuple(self._facts.items()), self._width)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Let the first model hold a `Number` at each place, within the block."""
        kept = [place.held() for place in self._places]
        try:
            for number, place in enumerate(self._places):
                own = place.values[self._members]
                place.put(Number(self, own, ("place", number), place.dtype))
            yield
        finally:
            for place, value in zip(self._places, kept, strict=True):
                place.put(value)

    @contextmanager
    def read_from(self, row: Any) -> Iterator[None]:
        """Let numbers that meet arrays be elements of this row of the table: ``(width,)``."""
        before, self._row = self._row, row
        try:
            yield
        finally:
            self._row = before

    def traced(self, formula: Formula) -> Any:
        """Return a number of the model that is being traced, as a float64 scalar."""
        column = self._columns.setdefault(formula, len(self._columns))
        if column >= self._width:
            raise Full
        return self._row[column]

    def note(self, formula: Formula, one: Any) -> None:
        """Remember what Python had to know."""
        self._facts[formula] = one

    def widen(self) -> None:
        """Make room for as many numbers again."""
        self._width *= 2


class Full(Exception):
    """A table has no room for another number."""


class Number(NDArrayOperatorsMixin):
    """A number of which each model has its own: a Python float, or a scalar of a dtype."""

    shape: tuple[int, ...] = ()
    ndim = 0

    def __init__(
        self, numbers: Numbers, values: np.ndarray, formula: Formula, dtype: Any = None
    ) -> None:
        self._numbers = numbers
        self._values = values
        self._formula = formula
        self._dtype = dtype

    def astype(self, dtype: Any) -> Any:
        """Return the number as an array that is being traced."""
        return self._numbers.traced(self._formula).astype(np.dtype(dtype))

    def _known(self) -> Any:
        """The one value of all models, for Python to decide by."""
        if not (self._values == self._values[0]).all():
            raise Divided(self._values)
        one = self._values[0].item()
        self._numbers.note(self._formula, one)
        return one

    def _met(self, dtypes: Sequence[Any]) -> Any:
        """The number as an operand beside these: as a Python number it takes their precision."""
        if self._dtype is not None or self._values.dtype.kind != "f":
            return self.astype(self._dtype or self._values.dtype)
        return self.astype(np.result_type(*dtypes, 0.0))

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        plain = method == "__call__" and not options
        if plain and all(_is_python(x) for x in inputs):
            with np.errstate(all="ignore"):
                found = ufunc(*[x._values if isinstance(x, Number) else x for x in inputs])
            operands = tuple(
                x._formula if isinstance(x, Number) else ("plain", repr(x), x) for x in inputs
            )
            made = [
                Number(self._numbers, values, (ufunc, result, operands))
                for result, values in enumerate(found if isinstance(found, tuple) else [found])
            ]
            return tuple(made) if isinstance(found, tuple) else made[0]
        return getattr(ufunc, method)(*_replaced(inputs), **options)

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        args, options = _replaced((args, options))
        return function(*args, **options)

    def __bool__(self) -> bool:
        return bool((self != 0)._known())

    def __float__(self) -> float:
        return float(self._known())

    def __int__(self) -> int:
        return int(self._known())

    def __hash__(self) -> int:
        return hash(self._known())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self._known(), dtype=dtype, copy=copy)

    def __repr__(self) -> str:
        return f"<a number of each model: {self._values}>"


def _is_python(item: Any) -> bool:
    if isinstance(item, Number):
        return item._dtype is None
    return type(item) in (bool, int, float)


def _replaced(items: Any) -> Any:
    """Arguments with each `Number` as an array of the precision that it has beside the others."""
    leaves, structure = tree.flatten(items)
    dtypes = [np.dtype(x.dtype) for x in leaves if hasattr(x, "dtype")]
    new = [x._met(dtypes) if isinstance(x, Number) else x for x in leaves]
    return tree.unflatten(structure, new)
