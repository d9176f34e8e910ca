"""Numbers of which each of several models has its own, while one step is traced for all of them.

Models of one architecture hold the same objects but for some numbers: a rate, a factor, a decay.
`differences` walks through all models side by side and finds these numbers, in whatever objects
they stand. `Numbers` puts a `Number` in the place of each while the first model's step is traced.
A `Number` computes as a Python float does, for all models at once; where it meets an array, it
becomes an element of a table that the step takes as an argument. Where Python must know a value,
as in ``if self.l1:``, models that agree stay together and the others are told apart: `Divided`.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Iterator, Sequence
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
    Optimizer: "state _variables _learning_rate",
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
            here = (
                f"{path}[{name!r}]" if isinstance(first, (list, tuple, dict)) else f"{path}.{name}"
            )
            self.visit([each[1][name] for each in opened], here, inside, name)

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


class Numbers:
    """The numbers of some of the models, within a step that is traced.

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
        self._slots: dict[bytes, int] = {}
        self._columns: list[np.ndarray] = []
        self._width = _WIDTH
        self._row: Any = None

    def table(self, members: Sequence[int]) -> np.ndarray:
        """Return the table for the models at these places of the list: ``(models, width)``."""
        found = np.zeros((len(members), self._width))
        for place, column in enumerate(self._columns):
            found[:, place] = column[np.array(members)]
        return found

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Let the first model hold a `Number` wherever the models differ, within the block."""
        kept = [place.held() for place in self._places]
        try:
            for place in self._places:
                own = place.values[self._members]
                if (own == own[0]).all():
                    one = float(own[0])
                    place.put(one if place.dtype is None else place.dtype.type(one))
                else:
                    place.put(Number(self, own, place.dtype))
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

    def traced(self, values: np.ndarray) -> Any:
        """Return the number of the model that is being traced, as a float64 scalar."""
        if (values == values[0]).all():
            return np.float64(values[0])
        place = self._slots.setdefault(values.tobytes(), len(self._slots))
        if place == len(self._columns):
            self._columns.append(values)
        if place >= self._width:
            raise Full
        return self._row[place]

    def widen(self) -> None:
        """Make room for as many numbers again."""
        self._width *= 2


class Full(Exception):
    """A table has no room for another number."""


class Number(NDArrayOperatorsMixin):
    """A number of which each model has its own: a Python float, or a scalar of a dtype."""

    shape: tuple[int, ...] = ()
    ndim = 0

    def __init__(self, numbers: Numbers, values: np.ndarray, dtype: Any = None) -> None:
        self._numbers = numbers
        self._values = values
        self._dtype = dtype

    def astype(self, dtype: Any) -> Any:
        """Return the number as an array that is being traced."""
        traced = self._numbers.traced(self._values.astype(np.float64))
        return traced.astype(np.dtype(dtype))

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
            if isinstance(found, tuple):
                return tuple(Number(self._numbers, values) for values in found)
            return Number(self._numbers, found)
        return getattr(ufunc, method)(*_replaced(inputs), **options)

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        args, options = _replaced((args, options))
        return function(*args, **options)

    def _known(self, values: np.ndarray) -> Any:
        """The one value of all models, for Python to decide by."""
        if (values == values[0]).all():
            return values[0].item()
        raise Divided(values)

    def __bool__(self) -> bool:
        return bool(self._known(self._values != 0))

    def __float__(self) -> float:
        return float(self._known(self._values))

    def __int__(self) -> int:
        return int(self._known(self._values))

    def __hash__(self) -> int:
        return hash(self._known(self._values))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self._known(self._values), dtype=dtype, copy=copy)

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
