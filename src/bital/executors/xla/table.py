"""The table: what each primitive is in JAX.

`TABLE` has functions with the parameters of the primitive's reference, `CHECKED` those that look
at data and may fail, `CONTROL` those with inner Programs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from jax import lax
from jax import numpy as jnp

from bital.executors.xla import control, convolutions, moves, numbers
from bital.executors.xla.host import on_host
from bital.executors.xla.numbers import each, of_floats, rounded
from bital.executors.xla.philox import random_bits
from bital.primitives import REGISTRY
from bital.primitives.control import no_forward_mode
from bital.program import Equation

if TYPE_CHECKING:
    from bital.executors.xla.lowering import Lowering

Rule = Callable[..., Any]
Axes = tuple[int, ...]


def _reduction(function: Rule, of_bools: Rule) -> Rule:
    def rule(x: Any, axes: Axes, keepdims: bool) -> Any:
        taken = of_bools if x.dtype == np.bool_ else function
        return taken(x, axis=axes, keepdims=keepdims)

    return rule


def _in_own_dtype(function: Rule) -> Rule:
    """Of float16 in float32, rounded once, as NumPy sums."""

    def rule(x: Any, axis: Axes, keepdims: bool) -> Any:
        wide = np.dtype(np.float32) if x.dtype == np.float16 else x.dtype
        found = function(jnp.asarray(x, wide), axis=axis, keepdims=keepdims, dtype=wide)
        return found.astype(x.dtype)

    return rule


def _sum(x: Any, axis: Axes, keepdims: bool) -> Any:
    """Begins with 0.0, also where there is one term, which may be -0.0."""
    found = _in_own_dtype(jnp.sum)(x, axis=axis, keepdims=keepdims)
    if x.dtype.kind == "f" and x.size and math.prod(x.shape[n] for n in axis) == 1:
        return jnp.where(found == 0, lax.abs(found), found)
    return found


def _extremum(function: Rule, of_bools: Rule) -> Rule:
    """Of an array without elements, whose extrema are none either."""
    reduced = _reduction(function, of_bools)

    def rule(x: Any, axes: Axes, keepdims: bool) -> Any:
        if x.size or x.dtype == np.bool_:
            return reduced(x, axes, keepdims)
        return jnp.sum(x, axis=axes, keepdims=keepdims, dtype=x.dtype)

    return rule


def _place(function: Rule) -> Rule:
    def rule(x: Any, axis: int) -> Any:
        x = x.astype(np.int8) if x.dtype == np.bool_ else x
        return function(x, axis=axis) if x.size else jnp.sum(x, axis=axis).astype(np.int64)

    return rule


def _dot_general(x: Any, y: Any, contract: Any, batch: Any) -> Any:
    """In the precision of the dtype, also where a device would round float32 before it multiplies.

    Products of float16 are summed in float32; a product of bools says whether any pair is true.
    A sum begins with 0.0, also that of one product, which may be -0.0.
    """
    dtype = np.result_type(x)
    wide = np.dtype(np.float32) if dtype == np.float16 else dtype
    if dtype == np.bool_:
        wide = np.dtype(np.int32)
        x, y = jnp.asarray(x, wide), jnp.asarray(y, wide)
    found = lax.dot_general(
        jnp.asarray(x),
        jnp.asarray(y),
        (contract, batch),
        precision=lax.Precision.HIGHEST,
        preferred_element_type=wide,
    )
    if wide.kind in "fc" and math.prod(x.shape[axis] for axis in contract[0]) == 1:
        found = jnp.where(found == 0, lax.abs(found), found)
    return found > 0 if dtype == np.bool_ else found.astype(dtype)


def _accumulation(function: Rule, of_bools: Rule) -> Rule:
    def rule(x: Any, axis: int, reverse: bool) -> Any:
        if x.dtype == np.bool_:
            return of_bools(x.astype(np.int8), axis=axis, reverse=reverse).astype(bool)
        return function(x, axis=axis, reverse=reverse)

    return rule


def _cumsum(x: Any, axis: int, reverse: bool) -> Any:
    """Of nothing but -0.0 so far it is -0.0: XLA begins with 0.0."""
    found = lax.cumsum(x, axis=axis, reverse=reverse)
    if x.dtype.kind != "f":
        return found
    negative = ((x == 0) & jnp.signbit(x)).astype(np.int8)
    return jnp.where(lax.cummin(negative, axis=axis, reverse=reverse) == 1, x, found)


def _sort(x: Any, axis: int, stable: bool) -> Any:
    if x.dtype.kind == "c":
        return jnp.take_along_axis(x, _argsort(x, axis, stable), axis)
    return lax.sort(x, axis, is_stable=stable)


def _argsort(x: Any, axis: int, stable: bool) -> Any:
    """Complex numbers by their real parts, then by their imaginary ones; what has a NaN is last."""
    keys = [x]
    if x.dtype.kind == "c":
        parts = lax.real(x), lax.imag(x)
        real, imag = map(jnp.isnan, parts)
        keys = [2 * real + imag, *(jnp.where(jnp.isnan(part), 0, part) for part in parts)]
    places = lax.broadcasted_iota(np.int64, x.shape, axis)
    *_, order = lax.sort([*keys, places], axis, is_stable=stable, num_keys=len(keys))
    return order


def _fft(x: Any, kind: str, n: int, axis: int, norm: str) -> Any:
    return getattr(jnp.fft, kind)(x, n, axis, norm)


def _integer_power(lowering: Lowering, equation: Equation, x: Any, y: Any) -> Any:
    message = "Integers to negative integer powers are not allowed."
    lowering.check(lambda value, place: ValueError(message), jnp.asarray(y < 0), jnp.asarray(y))
    return numbers.integer_power(x, y)


_same = each(lambda x: x)
_or, _and = each(lax.bitwise_or), each(lax.bitwise_and)
_IN_SINGLE = {  # float16 is computed as float32 and rounded once
    "exp": lax.exp,
    "exp2": lax.exp2,
    "expm1": lax.expm1,
    "log": lax.log,
    "log2": jnp.log2,
    "log10": jnp.log10,
    "log1p": numbers.log1p,
    "sqrt": lax.sqrt,
    "cbrt": lax.cbrt,
    "hypot": numbers.hypot,
    "sin": lax.sin,
    "cos": lax.cos,
    "tan": lax.tan,
    "arcsin": lax.asin,
    "arccos": lax.acos,
    "arctan": lax.atan,
    "arctan2": lax.atan2,
    "sinh": lax.sinh,
    "cosh": lax.cosh,
    "tanh": lax.tanh,
    "arcsinh": lax.asinh,
    "arccosh": lax.acosh,
    "arctanh": numbers.arctanh,
    "erf": lax.erf,
}

TABLE: dict[str, Rule] = {
    **{name: each(function, in_single=True) for name, function in _IN_SINGLE.items()},
    "logaddexp": numbers.log_of_sum(lax.exp, numbers.log1p, math.log(2.0)),
    "logaddexp2": numbers.log_of_sum(
        lax.exp2, lambda x: numbers.log1p(x) * (1 / math.log(2.0)), 1.0
    ),
    # --- arithmetic
    "neg": each(lax.neg),
    "add": numbers.add,
    "sub": each(lax.sub),
    "mul": each(lax.mul, lax.bitwise_and),
    "div": each(numbers.divide),
    "power": numbers.power,
    "floor_divide": each(numbers.floor_divide, in_single=True),
    "remainder": each(numbers.remainder, in_single=True),
    "fmod": each(numbers.fmod, in_single=True),
    "abs": each(numbers.absolute),
    "sign": each(numbers.sign),
    "copysign": each(numbers.copysign),
    "maximum": numbers.extremum(lax.gt, lax.bitwise_or),
    "minimum": numbers.extremum(lax.lt, lax.bitwise_and),
    # --- comparisons, classes, rounding
    "eq": each(lax.eq),
    "ne": each(lax.ne),
    "lt": each(lax.lt),
    "le": each(lax.le),
    "gt": each(lax.gt),
    "ge": each(lax.ge),
    "isnan": of_floats(jnp.isnan, False),
    "isinf": of_floats(jnp.isinf, False),
    "isfinite": of_floats(jnp.isfinite, True),
    "signbit": each(numbers.signbit),
    "floor": rounded(lax.floor),
    "ceil": rounded(lax.ceil),
    "trunc": rounded(jnp.trunc),
    "rint": rounded(partial(lax.round, rounding_method=lax.RoundingMethod.TO_NEAREST_EVEN)),
    # --- bits
    "bit_and": each(lax.bitwise_and),
    "bit_or": each(lax.bitwise_or),
    "bit_xor": each(lax.bitwise_xor),
    "bit_not": each(lax.bitwise_not),
    "left_shift": numbers.shift(lax.shift_left, arithmetic=False),
    "right_shift": numbers.shift(numbers.right_shift, arithmetic=True),
    "gcd": each(numbers.gcd),
    "lcm": each(numbers.lcm),
    "bitwise_count": each(numbers.bitwise_count),
    "nextafter": each(jnp.nextafter),
    "spacing": each(numbers.spacing),
    "ldexp": each(numbers.ldexp),
    "exponent": each(numbers.exponent),
    # --- choices, conversion, complex numbers
    "where": lambda condition, x, y: lax.select(*jnp.broadcast_arrays(condition, x, y)),
    "convert": numbers.convert,
    "stop_gradient": _same,
    "barrier": lambda x: lax.optimization_barrier(jnp.asarray(x)),
    "real": each(lax.real),
    "imag": each(lax.imag),
    "complex": each(lax.complex),
    "conj": each(lambda x: lax.conj(x) if x.dtype.kind == "c" else x),
    # --- reductions
    "reduce_sum": _reduction(_sum, jnp.any),
    "reduce_prod": _reduction(_in_own_dtype(jnp.prod), jnp.all),
    "reduce_max": _extremum(jnp.max, jnp.any),
    "reduce_min": _extremum(jnp.min, jnp.all),
    "argmax": _place(jnp.argmax),
    "argmin": _place(jnp.argmin),
    "cumsum": _accumulation(_cumsum, lax.cummax),
    "cumprod": _accumulation(lax.cumprod, lax.cummin),
    "dot_general": _dot_general,
    # --- moves
    "reshape": lambda x, shape: jnp.reshape(x, shape),
    "transpose": lambda x, permutation: lax.transpose(jnp.asarray(x), permutation),
    "broadcast_to": lambda x, shape: jnp.broadcast_to(x, shape),
    "concatenate": lambda *xs, axis: lax.concatenate([*map(jnp.asarray, xs)], axis),
    "slice": moves.slice_,
    "slice_update": moves.slice_update,
    "windows": moves.windows,
    "fold": moves.fold,
    "sort": _sort,
    "argsort": _argsort,
    # --- others
    "random_bits": random_bits,
    "fft": _fft,
}

# Where complex numbers are computed otherwise; what is in neither table is NumPy's to compute.
_OF_COMPLEX: dict[str, Rule] = {
    **{name: TABLE[name] for name in ("neg", "add", "sub", "mul", "conj", "real", "imag")},
    **{name: TABLE[name] for name in ("eq", "ne", "isnan", "isinf", "isfinite")},
    "div": each(numbers.divide_complex),
}

CHECKED: dict[str, Rule] = {
    "gather": moves.gather,
    "scatter": moves.scatter,
    "scatter_add": moves.scatter_add,
    **dict.fromkeys(
        ("special", "solve", "inv", "pinv", "slogdet", "det", "cofactors", "cholesky", "qr"),
        on_host,
    ),
    **dict.fromkeys(("svd", "singular_values", "eigh", "eigvalsh", "eig", "eigvals"), on_host),
}

CONTROL: dict[str, Rule] = {
    "scan": control.scan,
    "while_loop": control.while_loop,
    "cond": control.cond,
    "checkpoint": lambda lowering, operands, body, again: lowering.run(body, operands),
    "custom_vjp_call": lambda lowering, operands, primal, **rules: lowering.run(primal, operands),
    "custom_jvp_call": lambda lowering, operands, primal, **rules: lowering.run(primal, operands),
    "custom_linear": no_forward_mode,
}

_EXTREMA = ("reduce_max", "reduce_min", "argmax", "argmin")
_ELEMENTWISE = {n for n, p in REGISTRY.items() if isinstance(p.reference, np.ufunc)}
_COMPLEX_ON_HOST = {*_ELEMENTWISE, *_EXTREMA} - _OF_COMPLEX.keys()


def rule_of(equation: Equation) -> Rule:
    """What computes an equation, of its operands and params."""
    name = equation.primitive.name
    of_complex = any(atom.type.dtype.kind == "c" for atom in equation.inputs)
    table = convolutions.RULES if name in convolutions.RULES else TABLE
    return _OF_COMPLEX.get(name, table[name]) if of_complex else table[name]


def checked_rule_of(equation: Equation) -> Rule | None:
    """What computes an equation that may fail, of the lowering, the equation and its operands."""
    name = equation.primitive.name
    kinds = {atom.type.dtype.kind for atom in equation.inputs}
    if "c" in kinds and name in _COMPLEX_ON_HOST:
        return on_host
    if name == "power" and "f" not in kinds:
        return _integer_power
    return CHECKED.get(name)
