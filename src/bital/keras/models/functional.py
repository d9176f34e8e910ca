"""Models between symbolic values, and their plain data."""

from __future__ import annotations

from typing import Any

import bital
from bital.errors import ArgumentError
from bital.keras.configuration import plain
from bital.keras.layers.base import LAYERS, Layer
from bital.keras.layers.symbolic import Symbol
from bital.keras.models.model import Model


class Functional(Model):
    """What ``Model(inputs, outputs)`` returns: see `Model`.

    Its config holds each layer once, and the calls in order. A symbolic value is written as
    ``{"value": [call, output]}``; calls are counted from 0, the inputs first.
    """

    def __init__(self, inputs: Any = None, outputs: Any = None, **options: Any) -> None:
        if inputs is None:
            raise ArgumentError("Functional: write Model(inputs, outputs).")
        super().__init__(inputs, outputs, **options)

    def get_config(self) -> dict[str, Any]:
        """Return name, layers and calls as plain data."""
        graph = self._graph
        assert graph is not None
        heads = [(symbol, symbol.node.layer) for symbol in graph.sources]
        places = {id(symbol): [number, 0] for number, (symbol, _) in enumerate(heads)}
        for number, node in enumerate(graph.nodes, len(heads)):
            places |= {id(symbol): [number, place] for place, symbol in enumerate(node.symbols)}

        def described(item: Any) -> Any:
            if isinstance(item, Symbol):
                return {"value": places[id(item)]}
            if isinstance(item, dict):
                return {"dict": {key: described(value) for key, value in item.items()}}
            if isinstance(item, (list, tuple)):
                return [described(part) for part in item]
            return plain(item, f"a call in {self.name}")

        numbers = {id(layer): number for number, layer in enumerate(graph.layers)}
        calls = [
            {
                "layer": numbers[id(node.layer)],
                "arguments": described(node.arguments),
                "named": described(node.named),
                "training": node.training,
                "mask": described(node.mask),
            }
            for node in graph.nodes
        ]
        return {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": None if self._dtype is None else self._dtype.name,
            "inputs": [_input_config(symbol) for symbol in graph.sources],
            "layers": [LAYERS.serialize(layer) for layer in graph.layers],
            "calls": calls,
            "ends": [described(graph.inputs), described(graph.outputs)],
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Functional:
        """Return the model that `get_config` described, with new weights.

        Raises
        ------
        ArgumentError
            If ``config`` is not what `get_config` returns.
        """
        keys = {"name", "trainable", "dtype", "inputs", "layers", "calls", "ends"}
        lists = ("inputs", "layers", "calls", "ends")
        if set(config) != keys or not all(isinstance(config[key], list) for key in lists):
            raise ArgumentError(f"Functional.from_config received {', '.join(sorted(config))}.")
        layers = [LAYERS.deserialize(layer) for layer in config["layers"]]
        inputs = [LAYERS.deserialize(item).symbol() for item in config["inputs"]]
        values: list[list[Symbol]] = [[symbol] for symbol in inputs]
        try:
            for call in config["calls"]:
                arguments = _made(call["arguments"], values)
                options = {"training": call["training"], "mask": _made(call["mask"], values)}
                layer: Layer = layers[call["layer"]]
                outputs = layer(*arguments, **_made(call["named"], values), **options)
                values.append(bital.tree.leaves(outputs))
            first, last = (_made(end, values) for end in config["ends"])
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise ArgumentError(
                f"Functional.from_config: the calls do not fit the layers: {error}."
            ) from error
        options = {key: config[key] for key in ("name", "trainable", "dtype")}
        return cls(first, last, **options)


def _input_config(symbol: Symbol) -> dict[str, Any]:
    from bital.keras.layers.core import InputLayer

    if isinstance(symbol.node.layer, InputLayer):
        return LAYERS.serialize(symbol.node.layer)
    layer = InputLayer(symbol.shape[1:], name=symbol.name, dtype=symbol.dtype)
    return LAYERS.serialize(layer)


def _made(item: Any, values: list[list[Symbol]]) -> Any:
    if isinstance(item, list):
        return [_made(part, values) for part in item]
    if not isinstance(item, dict):
        return item
    if set(item) == {"value"}:
        call, place = item["value"]
        return values[call][place]
    return {key: _made(value, values) for key, value in item["dict"].items()}


__all__ = ["Functional"]
