"""One line of NumPy for each primitive."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from bital.primitives import REGISTRY
from bital.primitives.linear import free_axes
from bital.primitives.shape import as_slices
from bital.primitives.special import ufunc_of
from bital.program import Equation

# (equation, operand texts, buffer to write into or None) -> expression
Expression = Callable[[Equation, list[str], "str | None"], str]
# (equation, operand texts, target, array to start from or None to overwrite operand 0) -> lines
Statement = Callable[[Equation, list[str], str, "str | None"], list[str]]

_OPERATORS = {
    "add": "+",
    "sub": "-",
    "mul": "*",
    "div": "/",
    "eq": "==",
    "ne": "!=",
    "lt": "<",
    "le": "<=",
    "gt": ">",
    "ge": ">=",
}


def _ufunc(name: str, ufunc: np.ufunc) -> Expression:
    operator = _OPERATORS.get(name)

    def expression(equation: Equation, operands: list[str], buffer: str | None) -> str:
        if buffer is not None:
            return f"np.{ufunc.__name__}({', '.join(operands)}, out={buffer})"
        if operator is not None:
            return f"{operands[0]} {operator} {operands[1]}"
        if name == "neg":
            return f"-{operands[0]}"
        return f"np.{ufunc.__name__}({', '.join(operands)})"

    return expression


_METHODS: dict[Any, str] = {
    np.add: "sum",
    np.multiply: "prod",
    np.maximum: "max",
    np.minimum: "min",
}


def _reduction(ufunc: np.ufunc) -> Expression:
    def expression(equation: Equation, operands: list[str], buffer: str | None) -> str:
        axes, type = equation.params["axes"], equation.inputs[0].type
        method = _METHODS[ufunc]
        options = [f"axis={axes[0] if len(axes) == 1 else axes}"]
        if equation.params["keepdims"]:
            options.append("keepdims=True")
        if type.dtype.kind in "biu" and ufunc in (np.add, np.multiply):
            options.append(f"dtype=np.{type.dtype.name}")  # else NumPy widens small integers
        if buffer is not None:
            options.append(f"out={buffer}")
        return f"{operands[0]}.{method}({', '.join(options)})"

    return expression


def _index_reduction(equation: Equation, operands: list[str], buffer: str | None) -> str:
    return f"np.{equation.primitive.name}({operands[0]}, axis={equation.params['axis']})"


def _where(equation: Equation, operands: list[str], buffer: str | None) -> str:
    return f"np.where({', '.join(operands)})"


def _convert(equation: Equation, operands: list[str], buffer: str | None) -> str:
    name = equation.params["dtype"].name
    if not equation.inputs[0].type.shape:
        return f"np.{name if name != 'bool' else 'bool_'}({operands[0]})"
    return f"{operands[0]}.astype(np.{name})"


def _reshape(equation: Equation, operands: list[str], buffer: str | None) -> str:
    if not equation.inputs[0].type.shape:
        return f"np.reshape({operands[0]}, {equation.params['shape']})"
    return f"{operands[0]}.reshape({', '.join(map(str, equation.params['shape'])) or '()'})"


def _transpose(equation: Equation, operands: list[str], buffer: str | None) -> str:
    permutation = equation.params["permutation"]
    if permutation == tuple(reversed(range(len(permutation)))):
        return f"{operands[0]}.T"
    return f"{operands[0]}.transpose{permutation}"


def _broadcast_to(equation: Equation, operands: list[str], buffer: str | None) -> str:
    return f"np.broadcast_to({operands[0]}, {equation.params['shape']})"


def _concatenate(equation: Equation, operands: list[str], buffer: str | None) -> str:
    out = "" if buffer is None else f", out={buffer}"
    return f"np.concatenate([{', '.join(operands)}], axis={equation.params['axis']}{out})"


def _slice(equation: Equation, operands: list[str], buffer: str | None) -> str:
    return f"{operands[0]}[{_ranges(equation)}]"


def _ranges(equation: Equation) -> str:
    shape = equation.inputs[0].type.shape
    parts = [
        _range(each, length)
        for each, length in zip(as_slices(**equation.params), shape, strict=True)
    ]
    while len(parts) > 1 and parts[-1] == ":":
        parts.pop()
    return ", ".join(parts) or "..."


def _range(each: slice, length: int) -> str:
    forward = each.step > 0
    start = "" if each.start == (0 if forward else length - 1) else str(each.start)
    stop = "" if each.stop is None or (forward and each.stop == length) else str(each.stop)
    return f"{start}:{stop}" + ("" if each.step == 1 else f":{each.step}")


def _gather(equation: Equation, operands: list[str], buffer: str | None) -> str:
    text = f"{operands[0]}[{', '.join(operands[1:])}]"
    is_view = equation.outputs[0].type.shape and not any(i.type.ndim for i in equation.inputs[1:])
    return f"np.array({text})" if is_view else text


def _windows(equation: Equation, operands: list[str], buffer: str | None) -> str:
    params, rank = equation.params, equation.inputs[0].type.ndim
    axes, sizes, dilations = (params[name] for name in ("axes", "sizes", "dilations"))
    spans = tuple((size - 1) * by + 1 for size, by in zip(sizes, dilations, strict=True))
    text = f"np.lib.stride_tricks.sliding_window_view({operands[0]}, {spans}, {axes})"
    steps = [1] * rank + list(dilations)
    for axis, stride in zip(axes, params["strides"], strict=True):
        steps[axis] = stride
    while steps and steps[-1] == 1:
        steps.pop()
    ranges = ", ".join("::" + str(step) if step > 1 else ":" for step in steps)
    return f"{text}[{ranges}]" if steps else text


def _fold(equation: Equation, operands: list[str], target: str, start: str | None) -> list[str]:
    """Windows added where they lie: the places within them one after the other."""
    params, type, windows = equation.params, equation.outputs[0].type, equation.inputs[0].type
    parts = [":"] * type.ndim
    for number, axis in enumerate(params["axes"]):
        step, by = params["strides"][number], params["dilations"][number]
        first = f"corner[{number}]" + (f" * {by}" if by > 1 else "")
        span = max((windows.shape[axis] - 1) * step + 1, 0)
        parts[axis] = f"{first}:{first} + {span}" + (f":{step}" if step > 1 else "")
    while parts[-1] == ":":
        parts.pop()
    sizes = ", ".join(map(str, windows.shape[type.ndim :]))
    return [
        f"{target} = np.zeros({type.shape}, np.{type.dtype.name})",
        f"for corner in np.ndindex({sizes}):",
        f"    {target}[{', '.join(parts)}] += {operands[0]}[(..., *corner)]",
    ]


def _random_bits(equation: Equation, operands: list[str], buffer: str | None) -> str:
    shape, dtype = equation.params["shape"], equation.params["dtype"]
    count = math.prod(shape)
    words = -(-count * dtype.itemsize // 8)
    counter = [0, 0, 0, equation.params["stream"]]
    raw = f"np.random.Philox(key={operands[0]}, counter={counter}).random_raw({words})"
    return f"{raw}.view(np.{dtype.name})[:{count}].reshape({shape})"


def _dot_general(equation: Equation, operands: list[str], buffer: str | None) -> str:
    x, y = operands
    (xs, ys), batch = equation.params["contract"], equation.params["batch"]
    ranks = [atom.type.ndim for atom in equation.inputs]
    direct = _matmul_operands(x, y, ranks, xs, ys, batch)
    if direct is not None:
        if buffer is not None:
            return f"np.matmul({direct[0]}, {direct[1]}, out={buffer})"
        return f"{direct[0]} @ {direct[1]}"
    if not batch[0]:
        return f"np.tensordot({x}, {y}, axes=({list(xs)}, {list(ys)}))"
    return _batched_product(equation, x, y)


def _matmul_operands(
    x: str, y: str, ranks: list[int], xs: Any, ys: Any, batch: Any
) -> tuple[str, str] | None:
    """Operands of one ``@``, transposed where needed, if the product is one."""
    count = len(batch[0])
    lead = tuple(range(count))
    if len(xs) != 1 or batch != (lead, lead) or max(ranks) - count > 2 or min(ranks) == count:
        return None
    if count and (ranks[0] - count != 2 or ranks[1] - count != 2):
        return None
    turned = ".T" if count == 0 else ".swapaxes(-1, -2)"
    left = x if xs[0] == ranks[0] - 1 else x + turned
    inner = max(ranks[1] - 2, 0) if ranks[1] - count == 2 else count
    right = y if ys[0] == inner else y + turned
    return left, right


def _batched_product(equation: Equation, x: str, y: str) -> str:
    """Both operands brought to (batch, rows, columns), then one ``@``."""
    (xs, ys), (bx, by) = equation.params["contract"], equation.params["batch"]
    a, b = (atom.type for atom in equation.inputs)
    x_free, y_free = free_axes(a.ndim, xs, bx), free_axes(b.ndim, ys, by)
    shape = tuple(a.shape[axis] for axis in bx)
    inner = math.prod(a.shape[axis] for axis in xs)
    rows = math.prod(a.shape[axis] for axis in x_free)
    columns = math.prod(b.shape[axis] for axis in y_free)
    left = f"{x}.transpose{(*bx, *x_free, *xs)}.reshape{(*shape, rows, inner)}"
    right = f"{y}.transpose{(*by, *ys, *y_free)}.reshape{(*shape, inner, columns)}"
    return f"({left} @ {right}).reshape({equation.outputs[0].type.shape})"


def _part(equation: Equation, operands: list[str], buffer: str | None) -> str:
    return f"{operands[0]}.{equation.primitive.name}"


def _fft(equation: Equation, operands: list[str], buffer: str | None) -> str:
    kind, n, axis, norm = (equation.params[name] for name in ("kind", "n", "axis", "norm"))
    norm = "" if norm == "backward" else f", norm={norm!r}"
    return f"np.fft.{kind}({operands[0]}, {n}, axis={axis}{norm})"


def _complex(equation: Equation, operands: list[str], buffer: str | None) -> str:
    """The parts side by side: a sum would not keep infinities, NaN and signs of zeros apart."""
    dtype = equation.outputs[0].type.dtype.name
    return f"np.stack([{', '.join(operands)}], axis=-1).view(np.{dtype})[..., 0]" + (
        "" if equation.outputs[0].type.shape else "[()]"
    )


def _accumulation(function: str) -> Expression:
    def expression(equation: Equation, operands: list[str], buffer: str | None) -> str:
        axis, type = equation.params["axis"], equation.inputs[0].type
        # NumPy would widen small integers
        dtype = f", dtype=np.{type.dtype.name}" if type.dtype.kind in "biu" else ""
        if not equation.params["reverse"]:
            return f"np.{function}({operands[0]}, axis={axis}{dtype})"
        turned = f"np.flip({operands[0]}, {axis})"
        return f"np.flip(np.{function}({turned}, axis={axis}{dtype}), {axis})"

    return expression


def _sorting(equation: Equation, operands: list[str], buffer: str | None) -> str:
    stable = ", stable=True" if equation.params["stable"] else ""
    axis = equation.params["axis"]
    return f"np.{equation.primitive.name}({operands[0]}, axis={axis}{stable})"


def _call(function: str, **options: str) -> Expression:
    """A NumPy function of the operands; texts of options are filled from the params."""

    def expression(equation: Equation, operands: list[str], buffer: str | None) -> str:
        given = [f"{k}={text.format(**equation.params)}" for k, text in options.items()]
        return f"np.{function}({', '.join((*operands, *given))})"

    return expression


def _qr(equation: Equation, operands: list[str], buffer: str | None) -> str:
    mode = ", mode='complete'" if equation.params["full"] else ""
    return f"np.linalg.qr({operands[0]}{mode})"


def _triangle(function: str) -> Expression:
    def expression(equation: Equation, operands: list[str], buffer: str | None) -> str:
        other = "" if equation.params["lower"] else ", UPLO='U'"
        return f"np.linalg.{function}({operands[0]}{other})"

    return expression


def _pinv(equation: Equation, operands: list[str], buffer: str | None) -> str:
    a, rcond = operands
    dtype = equation.outputs[0].type.dtype.name  # which a wider rcond would widen
    return f"np.linalg.pinv({a}, {rcond}).astype(np.{dtype}, copy=False)"


def _cofactors(equation: Equation, operands: list[str], buffer: str | None) -> str:
    _, u, s, vh = operands
    n = equation.outputs[0].type.shape[-1]
    others = f"np.where(np.eye({n}, dtype=bool), 1, {s}[..., None, :]).prod(-1)[..., None, :]"
    product = f"({u} * {others}) @ {vh}"
    if equation.outputs[0].type.dtype.kind == "c":
        product = f"np.conj({product})"
    return f"np.linalg.det({u} @ {vh})[..., None, None] * ({product})"


def _special(equation: Equation, operands: list[str], buffer: str | None) -> str:
    text = f"scipy.special.{equation.params['name']}({', '.join(operands)})"
    several = ufunc_of(equation.params["name"]).nout > 1
    return f"{text}[{equation.params['output']}]" if several else text


EXPRESSIONS: dict[str, Expression] = {
    name: _ufunc(name, primitive.reference)
    for name, primitive in REGISTRY.items()
    if isinstance(primitive.reference, np.ufunc)
}
EXPRESSIONS |= {
    "where": _where,
    "convert": _convert,
    "reduce_sum": _reduction(np.add),
    "reduce_prod": _reduction(np.multiply),
    "reduce_max": _reduction(np.maximum),
    "reduce_min": _reduction(np.minimum),
    "argmax": _index_reduction,
    "argmin": _index_reduction,
    "reshape": _reshape,
    "transpose": _transpose,
    "broadcast_to": _broadcast_to,
    "concatenate": _concatenate,
    "slice": _slice,
    "gather": _gather,
    "windows": _windows,
    "dot_general": _dot_general,
    "random_bits": _random_bits,
    "barrier": lambda equation, operands, buffer: operands[0],
    "special": _special,
    "erf": lambda equation, operands, buffer: f"scipy.special.erf({operands[0]})",
    "exponent": lambda equation, operands, buffer: f"np.frexp({operands[0]})[1]",
    "solve": _call("linalg.solve"),
    "inv": _call("linalg.inv"),
    "pinv": _pinv,
    "slogdet": _call("linalg.slogdet"),
    "det": _call("linalg.det"),
    "cofactors": _cofactors,
    "cholesky": _call("linalg.cholesky"),
    "qr": _qr,
    "svd": _call("linalg.svd", full_matrices="{full}"),
    "singular_values": _call("linalg.svdvals"),
    "eigh": _triangle("eigh"),
    "eigvalsh": _triangle("eigvalsh"),
    "eig": _call("linalg.eig"),
    "eigvals": _call("linalg.eigvals"),
    "cumsum": _accumulation("cumsum"),
    "cumprod": _accumulation("cumprod"),
    "sort": _sorting,
    "argsort": _sorting,
    "real": _part,
    "imag": _part,
    "complex": _complex,
    "fft": _fft,
}
_REDUCTIONS = frozenset(("reduce_sum", "reduce_prod", "reduce_max", "reduce_min"))


def _update(write: str) -> Statement:
    def statement(
        equation: Equation, operands: list[str], target: str, start: str | None
    ) -> list[str]:
        x, value, *indices = operands
        index = _ranges(equation) if equation.params else ", ".join(indices)
        first = f"{target} = {x if start is None else start}"
        return [first, write.format(target=target, index=index, value=value)]

    return statement


STATEMENTS: dict[str, Statement] = {
    "fold": _fold,
    "slice_update": _update("{target}[{index}] = {value}"),
    "scatter": _update("{target}[{index}] = {value}"),
    "scatter_add": _update("np.add.at({target}, ({index},), {value})"),
}

# Which operands each primitive's result can be written over.
OVERWRITES: dict[str, Collection[int]] = {
    name: range(primitive.reference.nin)
    for name, primitive in REGISTRY.items()
    if isinstance(primitive.reference, np.ufunc)
}
OVERWRITES |= dict.fromkeys(STATEMENTS.keys() - {"fold"}, (0,))


def writes_out(equation: Equation) -> bool:
    """Whether the expression takes ``out=``."""
    name = equation.primitive.name
    if isinstance(equation.primitive.reference, np.ufunc) or name in _REDUCTIONS:
        return True
    if name == "dot_general":
        (xs, ys), batch = equation.params["contract"], equation.params["batch"]
        ranks = [atom.type.ndim for atom in equation.inputs]
        return _matmul_operands("", "", ranks, xs, ys, batch) is not None
    return bool(name == "concatenate")
