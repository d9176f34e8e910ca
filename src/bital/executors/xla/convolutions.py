"""Convolutions and pooling, which a Program writes as windows, as XLA knows them.

``windows(x)[.., i, .., k]`` is ``x[.., i s + k d, ..]``. A product with it that sums over every k
is a convolution with strides s and dilations d. One that sums over every i, as the slope of the
kernel does, is one with strides d and dilations s: i and k mean the same. A `fold` of a product
whose i come from one factor and whose k come from the other is the transpose, a convolution of what
has s - 1 zeros between its elements. The largest, least or sum over every k is a pool, and so is a
fold of what is the same at every k.

What does not hold exactly to this stays what it is. So do, on a CPU, convolutions with groups or a
kernel as large as the slope of a kernel has it: XLA takes longer for them than for the product.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp

from bital.program import ArrayType, Atom, Equation, Params, Program, Var

Shape = tuple[int, ...]
Labels = list[int]  # of the axes of an array; spatial axes have negative ones
Definitions = Mapping[Atom, Equation]


class _Found:
    """What XLA has and bital has no primitive for."""

    multiple_results = False

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name

    def infer(self, types: Sequence[ArrayType], params: Params) -> list[ArrayType]:
        raise NotImplementedError(f"{self.name} is made when a Program is lowered")


CONVOLUTION, POOL = _Found("convolution"), _Found("pool")


def recognised(program: Program) -> list[Equation]:
    """The equations of a Program, convolutions and pools among them."""
    equations = _with_channels_apart(program.equations)
    definitions: dict[Atom, Equation] = {
        var: equation for equation in equations for var in equation.outputs
    }
    found = []
    for equation in equations:
        read = _READERS.get(equation.primitive.name)
        type = equation.outputs[0].type
        new = read(definitions, equation) if read and type.size and type.dtype.kind == "f" else None
        found.append(new if new and _pays(new) else equation)
    return found


def _pays(equation: Equation) -> bool:
    if equation.primitive is POOL or platform() != "cpu":
        return True
    params, kernel = equation.params, equation.inputs[1].type.shape
    shared = {n for n in params["left"] if n >= 0} & {*params["right"]} & {*params["out"]}
    size = math.prod(n for label, n in zip(params["right"], kernel, strict=True) if label < 0)
    places = math.prod(
        n for label, n in zip(params["out"], params["shape"], strict=True) if label < 0
    )
    return not shared and size <= places


def platform() -> str:
    """The kind of device that JAX uses."""
    return str(jax.default_backend())


def _with_channels_apart(equations: Sequence[Equation]) -> list[Equation]:
    """Channels that are cut into groups beside windows are cut before them, or after a fold."""
    made = {equation.outputs[0]: equation for equation in equations if equation.outputs}
    found: list[Equation] = []
    for equation in equations:
        before = made.get(equation.inputs[0]) if equation.inputs else None  # type: ignore[arg-type]
        names = equation.primitive.name, before and before.primitive.name
        if before is not None and names == ("reshape", "windows"):
            found += _windows_of_reshaped(equation, before) or [equation]
        elif before is not None and names == ("fold", "reshape"):
            found += _reshaped_fold(equation, before) or [equation]
        else:
            found.append(equation)
    return found


def _kept(before: Shape, after: Shape, axes: Sequence[int]) -> list[int] | None:
    """Where these axes are after a reshape that leaves each of them alone."""
    found = []
    for axis in axes:
        first = math.prod(before[:axis])
        places = [b for b, n in enumerate(after) if math.prod(after[:b]) == first]
        places = [b for b in places if after[b] == before[axis] and b not in found]
        if not places or not before[axis]:
            return None
        found.append(places[-1])
    return found


def _windows_of_reshaped(equation: Equation, made: Equation) -> list[Equation] | None:
    (x,), params, (out,) = made.inputs, made.params, equation.outputs
    axes, after = _moved_axes(made.outputs[0].type.shape, out.type.shape, params["axes"])
    if axes is None:
        return None
    for old, new in zip(params["axes"], axes, strict=True):
        after[new] = x.type.shape[old]
    cut = Var(ArrayType(tuple(after), x.type.dtype))
    return [
        Equation(equation.primitive, (x,), (cut,), {"shape": cut.type.shape}, equation.source),
        Equation(made.primitive, (cut,), (out,), {**params, "axes": tuple(axes)}, made.source),
    ]


def _reshaped_fold(equation: Equation, made: Equation) -> list[Equation] | None:
    (w,), params, (out,) = made.inputs, equation.params, equation.outputs
    axes, after = _moved_axes(made.outputs[0].type.shape, w.type.shape, params["axes"])
    if axes is None:
        return None
    for old, new in zip(params["axes"], axes, strict=True):
        after[new] = params["shape"][old]
    whole = Var(ArrayType(tuple(after), out.type.dtype))
    moved = {**params, "shape": whole.type.shape, "axes": tuple(axes)}
    return [
        Equation(equation.primitive, (w,), (whole,), moved, equation.source),
        Equation(made.primitive, (whole,), (out,), {"shape": out.type.shape}, made.source),
    ]


def _moved_axes(before: Shape, after: Shape, axes: Shape) -> tuple[list[int] | None, list[int]]:
    """The windowed axes after a reshape that leaves them and their windows' alone; the others."""
    count = len(axes)
    places = range(len(before) - count, len(before))
    kept = _kept(before, after, (*axes, *places))
    if kept is None or kept[count:] != [*range(len(after) - count, len(after))]:
        return None, []
    return kept[:count], [*after[: len(after) - count]]


def _shown(definitions: Definitions, atom: Atom, name: str) -> tuple[Equation, Shape] | None:
    """The equation of this name that an atom shows, and which of its axes the atom's axes are."""
    axes = tuple(range(atom.type.ndim))
    while (equation := definitions.get(atom)) is not None:
        if equation.primitive.name == name:
            return equation, axes
        if equation.primitive.name != "transpose":
            break
        axes = tuple(equation.params["permutation"][axis] for axis in axes)
        (atom,) = equation.inputs
    return None


def _labels(product: Equation) -> tuple[Labels, Labels, Labels]:
    """Of the operands of a product and of its result: axes that belong together have one."""
    left, right = (atom.type.ndim for atom in product.inputs)
    labels = [*range(left)], [*range(left, left + right)]
    contract, batch = product.params["contract"], product.params["batch"]
    for pairs in (contract, batch):
        for one, two in zip(*pairs, strict=True):
            labels[1][two] = one
    shared = [*contract[0], *batch[0]]
    free = [label for label in (*labels[0], *labels[1]) if label not in shared]
    return *labels, [*batch[0], *free]


def _replaced(labels: Labels, by: Mapping[int, int]) -> Shape:
    return tuple(by.get(label, label) for label in labels)


def _made(equation: Equation, primitive: _Found, inputs: Sequence[Atom], **params: Any) -> Equation:
    return Equation(primitive, inputs, equation.outputs, params, equation.source)


# --- convolutions ---------------------------------------------------------------------------


def _product(definitions: Definitions, equation: Equation) -> Equation | None:
    for side in (0, 1):
        shown = _shown(definitions, equation.inputs[side], "windows")
        found = shown and _of_windows(equation, side, *shown)
        if found:
            return found
    return None


def _of_windows(equation: Equation, side: int, made: Equation, axes: Shape) -> Equation | None:
    *sides, out = _labels(equation)
    own, other = sides[side], sides[1 - side]
    if math.prod(equation.inputs[0].type.shape[a] for a in equation.params["contract"][0]) == 1:
        return None  # a sum of one product is 0.0 where that is -0.0
    seen = {axis: own[number] for number, axis in enumerate(axes)}  # labels of the windows' axes
    params, rank = made.params, made.inputs[0].type.ndim
    summed, kept, steps = {}, {}, []
    for number, axis in enumerate(params["axes"]):
        pair = [seen[axis], seen[rank + number]]
        over = [label not in out for label in pair]
        if over[0] == over[1] or pair[over[0]] in other:
            return None
        summed[pair[over[1]]] = kept[pair[over[0]]] = -1 - number
        step = [params["strides"][number], params["dilations"][number]]
        steps.append((step[over[0]], step[over[1]]))
    (x,) = made.inputs
    spatial = {axis: -1 - number for number, axis in enumerate(params["axes"])}
    strides, dilations = zip(*steps, strict=True)
    return _made(
        equation,
        CONVOLUTION,
        (x, equation.inputs[1 - side]),
        left=tuple(spatial.get(axis, seen[axis]) for axis in range(rank)),
        right=_replaced(other, summed),
        out=_replaced(out, kept),
        shape=equation.outputs[0].type.shape,
        strides=strides,
        dilations=dilations,
        apart=None,
    )


def _of_folded(definitions: Definitions, equation: Equation) -> Equation | None:
    shown = _shown(definitions, equation.inputs[0], "dot_general")
    if shown is None:
        return None
    made, axes = shown
    *sides, out = _labels(made)
    labels, params = [out[axis] for axis in axes], equation.params
    counts = {labels[axis]: -1 - number for number, axis in enumerate(params["axes"])}
    places = {label: -1 - n for n, label in enumerate(labels[len(params["shape"]) :])}
    side = int(labels[params["axes"][0]] in sides[1])
    own, other = sides[side], sides[1 - side]
    if not (counts.keys() <= {*own} - {*other} and places.keys() <= {*other} - {*own}):
        return None
    return _made(
        equation,
        CONVOLUTION,
        (made.inputs[side], made.inputs[1 - side]),
        left=_replaced(own, counts),
        right=_replaced(other, places),
        out=_replaced(labels[: len(params["shape"])], counts),
        shape=params["shape"],
        strides=(1,) * len(counts),
        dilations=params["dilations"],
        apart=params["strides"],
    )


def convolution(
    x: Any,
    kernel: Any,
    left: Shape,
    right: Shape,
    out: Shape,
    shape: Shape,
    strides: Shape,
    dilations: Shape,
    apart: Shape | None,
    dtype: Any = None,
) -> Any:
    """``out[i] = sum over k of x[i s + k d] kernel[k]``, or its transpose to `shape`.

    Parameters
    ----------
    left, right, out : tuple of int
        Labels of the axes of `x`, `kernel` and the result; -1, -2, ... are spatial.
    shape : tuple of int
        The result's.
    apart : tuple of int, optional
        Of a transpose, the strides of its windows: the kernel is turned around.
    dtype : numpy.dtype, optional
        Of the sums and the result, by default that of the operands.
    """
    dtype = np.dtype(x.dtype if dtype is None else dtype)
    groups = [n for n in left if n >= 0 and n in right and n in out]
    rows = [n for n in left if n >= 0 and n not in right]
    features = [n for n in left if n >= 0 and n not in out]
    filters = [n for n in right if n >= 0 and n not in left]
    spatial = [-1 - number for number in range(len(strides))]
    inner = [[label] for label in spatial]
    x, (row, *of_x, channel) = _laid(x, left, rows, *inner, groups + features)
    kernel, (*of_kernel, deep, wide) = _laid(kernel, right, *inner, features, groups + filters)
    given, (first, *of_out, last) = _order(out, rows, *inner, groups + filters)
    length = dict(zip(out, shape, strict=True))
    if apart is not None:
        kernel = lax.rev(kernel, of_kernel)
    found = lax.conv_general_dilated(
        x,
        kernel,
        strides,
        [
            _padding(x.shape[i], kernel.shape[k], length[label], *steps)
            for i, k, label, *steps in zip(
                of_x,
                of_kernel,
                spatial,
                strides,
                dilations,
                apart or [None] * len(spatial),
                strict=True,
            )
        ],
        apart,
        dilations,
        lax.ConvDimensionNumbers(
            (row, channel, *of_x), (wide, deep, *of_kernel), (first, last, *of_out)
        ),
        feature_group_count=math.prod(length[label] for label in groups),
        precision=lax.Precision.HIGHEST,
        preferred_element_type=np.dtype(np.float32) if dtype == np.float16 else dtype,
    )
    found = found.astype(dtype).reshape([length[label] for label in given])
    return found.transpose([given.index(label) for label in out])


def _padding(
    length: int, size: int, wanted: int, stride: int, dilation: int, apart: int | None
) -> tuple[int, int]:
    """Of an axis, so that its result has the length that is wanted; what is left over is cut."""
    if apart is None:
        return 0, (wanted - 1) * stride + (size - 1) * dilation + 1 - length
    return (size - 1) * dilation, wanted - (length - 1) * apart - 1


def _order(labels: Shape, *parts: Labels) -> tuple[Labels, list[int]]:
    """The labels in an order in which each part of them can be one axis, and the parts' axes.

    That is their own order where each part has one axis; but a CPU is quick at one order alone.
    """
    single = all(len(part) == 1 for part in parts)
    if single and platform() != "cpu":
        return [*labels], [labels.index(part[0]) for part in parts]
    return [label for part in parts for label in part], [*range(len(parts))]


def _laid(x: Any, labels: Shape, *parts: Labels) -> tuple[Any, list[int]]:
    """With one axis for each part, which has several or none."""
    order, numbers = _order(labels, *parts)
    length = dict(zip(labels, x.shape, strict=True))
    x = jnp.asarray(x).transpose([labels.index(label) for label in order])
    if numbers == [*range(len(parts))]:
        x = x.reshape([math.prod(length[label] for label in part) for part in parts])
    return x, numbers


# --- pools ----------------------------------------------------------------------------------


def _reduction(definitions: Definitions, equation: Equation) -> Equation | None:
    made = definitions.get(equation.inputs[0])
    if made is None or made.primitive.name != "windows":
        return None
    (x,), rank = made.inputs, made.inputs[0].type.ndim
    if sorted(equation.params["axes"]) != [*range(rank, equation.inputs[0].type.ndim)]:
        return None
    window = {name: _along(rank, made.params, name) for name in ("sizes", "strides", "dilations")}
    return _made(
        equation,
        POOL,
        (x,),
        kind=equation.primitive.name,
        shape=equation.outputs[0].type.shape,
        **window,
        padding=((0, 0),) * rank,
        apart=(1,) * rank,
    )


def _of_broadcast(definitions: Definitions, equation: Equation) -> Equation | None:
    made = definitions.get(equation.inputs[0])
    if made is None or made.primitive.name != "broadcast_to":
        return None
    (x,), params = made.inputs, equation.params
    rank, count = len(params["shape"]), len(params["axes"])
    shape = equation.inputs[0].type.shape
    inner = x.type.shape[-count:]
    if x.type.shape[: x.type.ndim - count] != shape[:rank] or set(inner) != {1}:
        return None
    sizes, dilations = list(shape[rank:]), params["dilations"]
    padding = [
        ((size - 1) * d, params["shape"][axis] - (shape[axis] - 1) * by - 1)
        for axis, size, d, by in zip(
            params["axes"], sizes, dilations, params["strides"], strict=True
        )
    ]
    at = dict(zip(params["axes"], padding, strict=True))
    window = {**params, "sizes": tuple(sizes)}
    return _made(
        equation,
        POOL,
        (x,),
        kind="reduce_sum",
        shape=params["shape"],
        sizes=_along(rank, window, "sizes"),
        strides=(1,) * rank,
        dilations=_along(rank, window, "dilations"),
        padding=tuple(at.get(axis, (0, 0)) for axis in range(rank)),
        apart=_along(rank, window, "strides"),
    )


def _along(rank: int, params: Params, name: str) -> Shape:
    """A parameter of windows for all axes."""
    own = dict(zip(params["axes"], params[name], strict=True))
    return tuple(own.get(axis, 1) for axis in range(rank))


def pool(
    x: Any,
    kind: str,
    shape: Shape,
    sizes: Shape,
    strides: Shape,
    dilations: Shape,
    padding: tuple[tuple[int, int], ...],
    apart: Shape,
) -> Any:
    """The largest, least or sum of every window, to `shape`."""
    dtype = x.dtype
    function, start = _POOLS[kind]
    wide = np.float32 if dtype == np.float16 else dtype
    x, first = jnp.asarray(x, wide).reshape(x.shape[: len(sizes)]), np.array(start, wide)
    found = lax.reduce_window(x, first, function, sizes, strides, padding, apart, dilations)
    return found.astype(dtype).reshape(shape)


_POOLS = {
    "reduce_max": (lax.max, -math.inf),
    "reduce_min": (lax.min, math.inf),
    "reduce_sum": (lax.add, 0.0),
}


def _fold(definitions: Definitions, equation: Equation) -> Equation | None:
    return _of_folded(definitions, equation) or _of_broadcast(definitions, equation)


_READERS = {"dot_general": _product, "fold": _fold, **dict.fromkeys(_POOLS, _reduction)}
RULES: dict[str, Callable[..., Any]] = {"convolution": convolution, "pool": pool}
