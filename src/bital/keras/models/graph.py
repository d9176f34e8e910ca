"""The calls between some symbolic values and others, in an order in which they can run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import bital
from bital.errors import ArgumentError
from bital.keras.layers.base import Layer
from bital.keras.layers.symbolic import Node, Symbol, symbols_in


class Graph:
    """What lies between the inputs and the outputs of a functional model.

    Parameters
    ----------
    who : str
        Name of the model, for messages.
    inputs, outputs : Symbol, or list or dict of them

    Raises
    ------
    ArgumentError
        If something is not a symbolic value, or the outputs need an input that is not among
        ``inputs``, or do not need one that is.
    """

    def __init__(self, who: str, inputs: Any, outputs: Any) -> None:
        self.inputs, self.outputs = inputs, outputs
        self.sources = _checked(who, "inputs", inputs)
        self.results = _checked(who, "outputs", outputs)
        if len({id(source) for source in self.sources}) != len(self.sources):
            raise ArgumentError(f"{who}: one symbolic value stands twice among the inputs.")
        self.nodes = self._ordered(who)
        self.layers = list({id(node.layer): node.layer for node in self.nodes}.values())
        self._uses = self._count_uses()
        self.keeps_integers = [self._keeps_integers(symbol) for symbol in self.sources]

    def run(
        self, x: Any, mask: Any, training: bool | None, raw: frozenset[int] = frozenset()
    ) -> tuple[Any, Any]:
        """Return the outputs and their masks, as trees like ``outputs``.

        Parameters
        ----------
        x : tree like ``inputs``
        mask : tree like ``inputs``, or None
        training : bool, optional
        raw : set of int
            Numbers of the outputs to return without their last activation.
        """
        given = bital.tree.leaves(x)
        values = {id(symbol): value for symbol, value in zip(self.sources, given, strict=True)}
        masks: dict[int, Any] = {id(symbol): None for symbol in self.sources}
        if mask is not None:
            given_masks = [mask] if len(self.sources) == 1 else _listed(mask, self.inputs)
            masks.update(zip(map(id, self.sources), given_masks, strict=True))
        without = {id(self.results[number]) for number in raw}

        def filled(item: Any, table: dict[int, Any]) -> Any:
            return bital.tree.map(
                lambda leaf: table[id(leaf)] if isinstance(leaf, Symbol) else leaf, item
            )

        for node in self.nodes:
            places = {n for n, symbol in enumerate(node.symbols) if id(symbol) in without}
            outputs, found = node.layer._apply(
                filled(node.arguments, values),
                filled(node.named, values),
                training if node.training is None else node.training,
                self._masks_for(node, masks, lambda item: filled(item, values)),
                frozenset(places),
            )
            leaves = bital.tree.leaves(outputs)
            values.update(zip(map(id, node.symbols), leaves, strict=True))
            found_masks = found if isinstance(found, (list, tuple)) else [found]
            for number, symbol in enumerate(node.symbols):
                masks[id(symbol)] = found_masks[number] if number < len(found_masks) else None
        structure = bital.tree.structure(self.outputs)
        made = bital.tree.unflatten(structure, [values[id(symbol)] for symbol in self.results])
        return made, [masks[id(symbol)] for symbol in self.results]

    def activation_of(self, output: int) -> Callable[[Any], Any] | None:
        """The activation that makes an output and nothing else."""
        symbol = self.results[output]
        if self._uses.get(id(symbol), 0) != 1 or all(n is not symbol.node for n in self.nodes):
            return None
        return symbol.node.layer._activation_of(symbol.index)

    def shapes(self) -> Any:
        """The shapes of the outputs."""
        return bital.tree.map(lambda symbol: symbol.shape, self.outputs)

    def _masks_for(
        self, node: Node, masks: dict[int, Any], filled: Callable[[Any], Any]
    ) -> dict[str, Any]:
        """The masks of a call's arguments: ``mask`` for the first, ``value_mask`` for ``value``."""
        if node.mask is not None:
            return {"mask": filled(node.mask)}

        def of(item: Any) -> Any:
            if isinstance(item, (list, tuple)):
                return [of(part) for part in item]
            if isinstance(item, dict):
                return {key: of(part) for key, part in item.items()}
            return masks[id(item)] if isinstance(item, Symbol) else None

        names = node.layer._call_names[1:]
        further = dict(zip(names, node.arguments[1:], strict=False)) | node.named
        found = {"mask": of(node.arguments[0])}
        found |= {f"{name}_mask": of(value) for name, value in further.items() if symbols_in(value)}
        first = node.layer._call_names[0] if node.layer._call_names else ""
        found[f"{first}_mask"] = found["mask"]
        return {name: mask for name, mask in found.items() if _any(mask)}

    def _ordered(self, who: str) -> list[Node]:
        """The calls that the outputs need, each after those that it needs itself."""
        ready = {id(symbol) for symbol in self.sources}
        order: dict[int, Node] = {}
        needed: set[int] = set()
        stack = [iter(self.results)]
        path: list[Node | None] = [None]
        while stack:
            symbol = next(stack[-1], None)
            if symbol is None:
                stack.pop()
                node = path.pop()
                if node is not None:
                    order[id(node)] = node
                continue
            if id(symbol) in ready:
                needed.add(id(symbol))
                continue
            if id(symbol.node) in order:
                continue
            if not symbol.node.sources:
                raise ArgumentError(
                    f"{who}: the outputs need the input {symbol.name!r} of shape {symbol.shape}, "
                    "which is not among the inputs. Add it to Model(inputs=[...])."
                )
            stack.append(iter(symbol.node.sources))
            path.append(symbol.node)
        for symbol in self.sources:
            if id(symbol) not in needed:
                raise ArgumentError(
                    f"{who}: the outputs do not depend on the input {symbol.name!r}. Leave it out "
                    "of the inputs, or use what it leads to."
                )
        return list(order.values())

    def _keeps_integers(self, source: Symbol) -> bool:
        """Whether integers stay integers: made for them, or taken by all layers that get them."""
        if source.dtype.kind != "f":
            return True
        readers = [node.layer for node in self.nodes if any(s is source for s in node.sources)]
        return all(layer._integer_inputs and layer._casts for layer in readers)

    def _count_uses(self) -> dict[int, int]:
        uses: dict[int, int] = {}
        read = [symbol for node in self.nodes for symbol in node.sources]
        for symbol in [*read, *self.results]:
            uses[id(symbol)] = uses.get(id(symbol), 0) + 1
        return uses

    def __getstate__(self) -> dict[str, Any]:
        """The calls as a flat list: symbols refer to each other as deep as the network is."""
        symbols = [*self.sources, *(s for node in self.nodes for s in node.symbols)]
        numbers = {id(symbol): _Reference(place) for place, symbol in enumerate(symbols)}

        def flat(item: Any) -> Any:
            return bital.tree.map(
                lambda leaf: numbers[id(leaf)] if isinstance(leaf, Symbol) else leaf, item
            )

        nodes = [
            (node.layer, *map(flat, (node.arguments, node.named, node.mask)), node.training)
            for node in self.nodes
        ]
        kinds = [(symbol.shape, symbol.dtype) for symbol in symbols]
        heads = [symbol.node.layer for symbol in self.sources]
        structures = [bital.tree.map(lambda _: 0, node.outputs) for node in self.nodes]
        ends = flat(self.inputs), flat(self.outputs)
        return {"nodes": nodes, "kinds": kinds, "heads": heads, "trees": structures, "ends": ends}

    def __setstate__(self, state: dict[str, Any]) -> None:
        heads = state["heads"]
        symbols: list[Symbol] = []
        kinds: Iterator[Any] = iter(state["kinds"])

        def made(node: Node, structure: Any) -> Any:
            places = iter(range(len(bital.tree.leaves(structure))))
            outputs = bital.tree.map(lambda _: Symbol(node, next(places), *next(kinds)), structure)
            symbols.extend(bital.tree.leaves(outputs))
            return outputs

        def linked(item: Any) -> Any:
            return bital.tree.map(
                lambda leaf: symbols[leaf.place] if isinstance(leaf, _Reference) else leaf, item
            )

        for layer in heads:
            head = Node(layer, (), {})
            head.outputs = made(head, 0)
            if not layer._nodes:
                layer._nodes.append(head)
        for (layer, arguments, named, mask, training), structure in zip(
            state["nodes"], state["trees"], strict=True
        ):
            node = Node(layer, linked(arguments), linked(named), training, linked(mask))
            node.sources = symbols_in((node.arguments, node.named, node.mask))
            node.outputs = made(node, structure)
            layer._nodes.append(node)
        inputs, outputs = map(linked, state["ends"])
        self.__init__("a loaded model", inputs, outputs)  # type: ignore[misc]


class _Reference:
    """The place of a symbol in the list of all."""

    def __init__(self, place: int) -> None:
        self.place = place


def _checked(who: str, what: str, value: Any) -> list[Symbol]:
    leaves = bital.tree.leaves(value)
    for leaf in leaves:
        if not isinstance(leaf, Symbol):
            hint = " Write Input(shape)." if isinstance(leaf, Layer) else ""
            raise ArgumentError(
                f"{who}: {what} must be symbolic values, made by Input(shape) and by layers called "
                f"on them, or a list or dict of them; found {leaf!r}.{hint}"
            )
    if not leaves:
        raise ArgumentError(f"{who}: {what} are empty; give at least one symbolic value.")
    return leaves


def _listed(mask: Any, like: Any) -> list[Any]:
    if isinstance(mask, dict):
        return [mask.get(key) for key in sorted(like)]
    return list(mask)


def _any(mask: Any) -> bool:
    if isinstance(mask, list):
        return any(map(_any, mask))
    return any(map(_any, mask.values())) if isinstance(mask, dict) else mask is not None


__all__ = ["Graph"]
