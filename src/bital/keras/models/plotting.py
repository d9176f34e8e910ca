"""A model as a picture: one box a layer."""

from __future__ import annotations

from typing import Any

from bital.drawing import Drawing, draw_boxes
from bital.errors import ArgumentError, ModelStateError
from bital.keras import checks
from bital.keras.models.model import Model
from bital.keras.models.summary import _sizes


def plot_model(
    model: Model,
    to_file: Any = "model.png",
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = True,
    rankdir: str = "TB",
    expand_nested: bool = False,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    **later: Any,
) -> Drawing:
    """Draw a model's layers and what flows between them, with matplotlib.

    Parameters
    ----------
    model : Sequential or functional model
        Built.
    to_file : str or path, optional
        Where to; its ending (.png, .svg, .pdf) says how. None: nowhere.
    show_shapes, show_dtype, show_layer_names, show_layer_activations, show_trainable : bool
        What stands in a box beside the kind of the layer.
    rankdir, expand_nested
        Only ``"TB"``, from the top down, and False: draw a model within by itself.

    Returns
    -------
    Drawing
        Which notebooks show.

    Raises
    ------
    ArgumentError
        If ``model`` is not a model, or for an argument that bital does not have.
    ModelStateError
        If its layers are not known to be connected: for a class with a ``call`` of its own.
    MissingExtraError
        Without matplotlib.

    Examples
    --------
    >>> from bital import keras
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    >>> plot_model(model, to_file=None).svg[:5]
    '<?xml'
    """
    checks.absent("plot_model", later, ("dpi",))
    if not isinstance(model, Model):
        raise ArgumentError(f"plot_model({model!r}): must be a model.")
    if rankdir != "TB" or expand_nested:
        raise ArgumentError(
            "plot_model draws from the top down and each model by itself: leave rankdir and "
            "expand_nested out, and call plot_model(model.get_layer(name)) for a model within."
        )
    if not model.inputs:
        raise ModelStateError(
            f"plot_model: {model.name} has a call of its own, so its graph is not known. Write it "
            "as Model(inputs, outputs)."
        )
    if model._graph is None:  # a Sequential: its calls on a symbolic input
        model = Model(model.input, model.output)
    graph = model._graph
    assert graph is not None
    heads = [(symbol.node.layer, [symbol]) for symbol in graph.sources]
    calls = [*heads, *((node.layer, node.symbols) for node in graph.nodes)]
    boxes: list[tuple[list[str], bool]] = []
    place: dict[int, int] = {}
    for number, (layer, symbols) in enumerate(calls):
        texts = [
            (True, f"{layer.name} ({type(layer).__name__})"),
            (show_shapes, _sizes(symbols[0] if len(symbols) == 1 else symbols)),
            (show_dtype, ", ".join(str(symbol.dtype) for symbol in symbols)),
            (show_layer_activations, _activation(layer)),
            (show_trainable, ("not " * (not layer.trainable) + "trainable") * bool(layer.weights)),
        ]
        if not show_layer_names:
            texts[0] = (True, type(layer).__name__)
        boxes.append(([text for wanted, text in texts if wanted and text], number < len(heads)))
        place.update({id(symbol): number for symbol in symbols})
    arrows = [
        (source, number)
        for number, node in enumerate(graph.nodes, len(heads))
        for source in dict.fromkeys(place[id(symbol)] for symbol in node.sources)
    ]
    drawing = draw_boxes(boxes, arrows)
    if to_file is not None:
        drawing.save(to_file)
    return drawing


def _activation(layer: Any) -> str:
    return getattr(getattr(layer, "activation", None), "__name__", "")


__all__ = ["plot_model"]
