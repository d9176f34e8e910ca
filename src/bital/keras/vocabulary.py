"""Closed vocabularies: names that stand for classes, in arguments and in model files.

A model file says ``{"class_name": "Dense", "config": {...}}``. Only names that stand in one of
these tables mean something; no module is imported and nothing is looked up by a name from a file.
"""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Callable, Iterable
from typing import Any

from bital.errors import ArgumentError
from bital.keras import functions


def snake_case(name: str) -> str:
    """Return ``name`` as Keras spells its aliases.

    Examples
    --------
    >>> snake_case("TopKCategoricalAccuracy")
    'top_k_categorical_accuracy'
    >>> snake_case("Conv2DTranspose")
    'conv2d_transpose'
    """
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=.)(?=[A-Z][a-z])", "_", name).lower()


_BY_BASE: dict[type, Vocabulary] = {}


class Vocabulary:
    """The classes of one kind, by name.

    Parameters
    ----------
    kind : str
        What the classes are, for messages: ``"loss"``.
    base : type
        Whose instances are taken as they are.
    classes : iterable of type, or a callable that returns one
        Each is known by its own name, in snake case and in lower case. A callable is asked when a
        name is first looked up, so the classes may be defined later.
    aliases : dict, optional
        Further names.
    wrap : callable, optional
        Makes an instance from a user's function.
    spell : callable, default `snake_case`
        How the alias is made from a class's name.
    """

    def __init__(
        self,
        kind: str,
        base: type,
        classes: Iterable[type] | Callable[[], Iterable[type]],
        aliases: dict[str, type] | None = None,
        wrap: Callable[[Any], Any] | None = None,
        spell: Callable[[str], str] = snake_case,
    ) -> None:
        self.kind = kind
        self.base = base
        self._given = classes
        self._aliases = aliases or {}
        self.wrap = wrap
        self.spell = spell
        _BY_BASE[base] = self

    @functools.cached_property
    def classes(self) -> dict[str, type]:
        """The classes by their own names."""
        given = self._given() if callable(self._given) else self._given
        return {cls.__name__: cls for cls in given}

    @functools.cached_property
    def names(self) -> dict[str, type]:
        """The classes by all names and aliases."""
        found = {**self.classes}
        for name, cls in self.classes.items():
            found[self.spell(name)] = cls
            found[name.lower()] = cls
        return found | self._aliases

    def get(self, identifier: Any) -> Any:
        """Return the instance that ``identifier`` means: a name, config, class or instance.

        Raises
        ------
        ArgumentError
            If it means none.
        """
        if isinstance(identifier, self.base):
            return identifier
        if isinstance(identifier, str):
            return self._named(identifier)()
        if isinstance(identifier, dict):
            return self.deserialize(identifier)
        if isinstance(identifier, type) and issubclass(identifier, self.base):
            return identifier()
        if callable(identifier) and self.wrap is not None and not isinstance(identifier, type):
            return self.wrap(identifier)
        raise ArgumentError(
            f"{identifier!r} of type {type(identifier).__name__} is not a {self.kind}: give a "
            f"name such as {next(iter(self.classes))!r}, or an instance of {self.base.__name__}."
        )

    def serialize(self, item: Any) -> dict[str, Any]:
        """Return ``item`` as plain data that `deserialize` reads.

        Raises
        ------
        ArgumentError
            If ``item`` is of a user's own class: a file cannot hold code. A function becomes what
            it computes: see `bital.keras.functions`.
        """
        name = type(item).__name__
        if self.wrap is not None and type(item) is self.wrap and self.kind != "initializer":
            return functions.serialize(item.function, getattr(item, "name", None))
        if self.classes.get(name) is not type(item) and functions.is_comparing():
            return {"class_name": name, "config": item.get_config()}
        if self.classes.get(name) is not type(item):
            raise ArgumentError(
                f"{item!r} is a {self.kind} of your own: a model file holds data, never code, so "
                "it cannot be saved. Use one of bital's, or save with model.save_weights(path)."
            )
        return {"class_name": name, "config": item.get_config()}

    def deserialize(self, data: Any) -> Any:
        """Return the instance that `serialize` described.

        Raises
        ------
        ArgumentError
            If ``data`` is not exactly what `serialize` writes.
        """
        stored = isinstance(data, dict) and "function" in data
        if stored and self.wrap is not None and self.kind != "initializer":
            return self.wrap(functions.deserialize(data))
        if not isinstance(data, dict) or set(data) != {"class_name", "config"}:
            raise ArgumentError(
                f"a {self.kind} must be described by 'class_name' and 'config', and was by "
                f"{_short(sorted(map(str, data)) if isinstance(data, dict) else data)}."
            )
        name, config = data["class_name"], data["config"]
        if not isinstance(name, str) or name not in self.classes:
            raise ArgumentError(f"{_short(name)} is not the name of a {self.kind} of bital.")
        if not isinstance(config, dict):
            raise ArgumentError(f"the config of {name} must be a dict, and was {_short(config)}.")
        cls = self.classes[name]
        try:
            item = cls.from_config(dict(config))
        except TypeError as error:
            raise ArgumentError(f"the config of {name} does not fit: {error}.") from error
        # What the constructor would change must stand in the file already; an argument that is
        # missing has its default, so that files from before there was one stay whole.
        found = item.get_config()
        wrong = sorted(key for key in config if not _same(config[key], found.get(key, _same)))
        if wrong:
            raise ArgumentError(
                f"the config of {name} is not one that bital writes: see {', '.join(wrong)}."
            )
        return item

    def _named(self, name: str) -> Any:
        found = self.names.get(name) or self.names.get(name.lower())
        if found is None:
            close = difflib.get_close_matches(name.lower(), self.names, n=3)
            hint = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
            known = ", ".join(sorted({self.spell(key) for key in self.classes}))
            raise ArgumentError(f"{name!r} is not a {self.kind}.{hint} Known: {known}.")
        return found


def vocabulary_of(item: Any) -> Vocabulary | None:
    """Return the vocabulary whose base ``item`` is an instance of."""
    found = (_BY_BASE.get(base) for base in type(item).__mro__)
    return next((vocabulary for vocabulary in found if vocabulary is not None), None)


def _same(one: Any, two: Any) -> bool:
    """Whether two configs agree in what stands in the first."""
    if isinstance(one, dict) and isinstance(two, dict):
        return all(_same(value, two.get(key, _same)) for key, value in one.items())
    if isinstance(one, list) and isinstance(two, list) and len(one) == len(two):
        return all(map(_same, one, two))
    return bool(one == two)


def _short(value: Any, limit: int = 80) -> str:
    text = repr(value)
    return text if len(text) <= limit else text[:limit] + "..."
