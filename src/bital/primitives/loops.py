"""Loops over inner Programs.

- ``scan``: (*consts, *carry, *xs) -> (*carry, *ys), where ``body`` takes consts, carry and the
  slices of xs, and gives the next carry and the slices of ys.
- ``while_loop``: (*cond_consts, *body_consts, *carry) -> carry, while ``cond`` says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from bital.errors import DifferentiationError
from bital.primitives.control import evaluate
from bital.primitives.elementwise import add, select
from bital.primitives.inner import (
    batched_body,
    checks_indices,
    chosen,
    close,
    cut,
    depends,
    pushed_body,
    require_closed,
    require_types,
    spread,
    unwoven,
    woven,
)
from bital.primitives.primitive import (
    REGISTRY,
    Linear,
    Operand,
    Primitive,
    Tangent,
    instantiate,
    program_transforms,
    zeros,
)
from bital.primitives.shape import batched, move_axis, reshape
from bital.program import ArrayType, Atom, Builder, Program, Var, building, current_builder, inline

# --- scan -----------------------------------------------------------------------------------


def _stacked(type: ArrayType, length: int) -> ArrayType:
    return ArrayType((length, *type.shape), type.dtype)


def _scan_abstract_eval(
    *operands: ArrayType, body: Program, length: int, n_consts: int, n_carry: int, reverse: bool
) -> list[ArrayType]:
    consts, carry, slices = cut(body.input_types, n_consts, n_carry)
    require_types("scan takes", [*consts, *carry, *(_stacked(x, length) for x in slices)], operands)
    new, ys = cut(body.output_types, n_carry)
    require_types("a carry comes out as", carry, new)
    require_closed(body)
    return [*new, *(_stacked(y, length) for y in ys)]


def _turns(length: int, reverse: bool) -> Iterator[int]:
    return reversed(range(length)) if reverse else iter(range(length))


def _scan_reference(
    *operands: Any, body: Program, length: int, n_consts: int, n_carry: int, reverse: bool
) -> list[Any]:
    consts, carry, xs = cut(operands, n_consts, n_carry)
    ys = [np.empty((length, *t.shape), t.dtype) for t in body.output_types[n_carry:]]
    for i in _turns(length, reverse):
        carry, slices = cut(evaluate(body, (*consts, *carry, *(x[i] for x in xs))), n_carry)
        for y, value in zip(ys, slices, strict=True):
            y[i] = value
    return [*carry, *ys]


def _scan_jvp(
    primitive: Primitive,
    primals: list[Atom],
    tangents: list[Tangent],
    body: Program,
    n_consts: int,
    n_carry: int,
    **params: Any,
) -> tuple[list[Atom], list[Tangent]]:
    moved = [t is not None for t in tangents]
    groups = (n_consts, n_carry)
    forward, slopes = pushed_body(body, moved, slice(n_consts, n_consts + n_carry))
    forward, constants = close(forward)
    leading, inputs, d_inputs = cut(forward.inputs, len(constants), len(primals))
    outputs, d_outputs = cut(forward.outputs, len(body.outputs))
    tangents = [
        instantiate(t, x.type) if flag else None
        for t, x, flag in zip(tangents, primals, moved, strict=True)
    ]
    results = primitive.bind(
        [*constants, *woven(primals, tangents, *groups)],
        {
            "body": forward.replace(
                inputs=[*leading, *woven(inputs, spread(d_inputs, moved), *groups)],
                outputs=woven(outputs, spread(d_outputs, slopes), n_carry),
            ),
            "n_consts": len(constants) + n_consts + sum(moved[:n_consts]),
            "n_carry": n_carry + sum(slopes[:n_carry]),
            **params,
        },
    )
    values, pushed = unwoven(results, slopes, n_carry)
    return values, pushed


def _scan_transpose(
    cts: list[Tangent],
    *operands: Operand,
    body: Program,
    length: int,
    n_consts: int,
    n_carry: int,
    reverse: bool,
) -> list[Tangent]:
    """A scan the other way: it carries the carry's cotangents and sums those of the consts."""
    linear = [isinstance(x, Linear) for x in operands]
    linear[n_consts : n_consts + n_carry] = [True] * n_carry
    is_const, _, is_xs = cut(linear, n_consts, n_carry)
    consts, carry, xs = cut(operands, n_consts, n_carry)
    given = [*[True] * n_carry, *(ct is not None for ct in cts[n_carry:])]
    backward, reached = program_transforms["transpose"](body, linear, given)
    to_consts, _, to_xs = cut(reached, sum(is_const), n_carry)
    summed = chosen(chosen(consts, is_const), to_consts)
    known = [x for x in (*consts, *xs) if not isinstance(x, Linear)]
    k = len(is_const) - sum(is_const)

    with building(Builder(f"transpose_{body.name}")) as builder:
        inputs = [builder.input(var.type, var.name) for var in backward.inputs]
        totals = [builder.input(x.type) for x in summed]
        by_const, by_carry, by_xs = cut(inline(builder, backward, inputs), sum(is_const), n_carry)
        sums = [
            add(total, ct) for total, ct in zip(totals, chosen(by_const, to_consts), strict=True)
        ]
    first, slices, d_carry, d_ys = cut(inputs, k, len(known) - k, n_carry)
    program = builder.build([*by_carry, *sums, *chosen(by_xs, to_xs)])
    program, constants = close(program.replace(inputs=[*first, *d_carry, *totals, *slices, *d_ys]))
    start = [instantiate(ct, x.type) for ct, x in zip(cts, carry, strict=False)]
    results = scan.bind(
        [
            *constants,
            *known[:k],
            *start,
            *(zeros(x.type) for x in summed),
            *known[k:],
            *(ct for ct in cts[n_carry:] if ct is not None),
        ],
        {
            "body": program,
            "length": length,
            "n_consts": len(constants) + k,
            "n_carry": n_carry + len(summed),
            "reverse": not reverse,
        },
    )
    at_start, ct_consts, ct_xs = cut(results, n_carry, len(summed))
    return [
        *spread(spread(ct_consts, to_consts), is_const),
        *(ct if isinstance(x, Linear) else None for ct, x in zip(at_start, carry, strict=True)),
        *spread(spread(ct_xs, to_xs), is_xs),
    ]


def _batch_scan(
    primitive: Primitive,
    size: int,
    inputs: list[Atom],
    mapped: list[bool],
    body: Program,
    n_consts: int,
    n_carry: int,
    **params: Any,
) -> list[Atom]:
    flags, end = list(mapped), n_consts + n_carry
    outputs = batched_body(body, flags, slice(n_consts, end))
    wide, constants = close(program_transforms["batch"](body, size, flags, outputs))
    operands = [
        *inputs[:n_consts],
        *(
            batched(x, was, size) if now else x
            for x, was, now in zip(
                inputs[n_consts:end], mapped[n_consts:end], flags[n_consts:end], strict=True
            )
        ),
        *(move_axis(x, 0, 1) if m else x for x, m in zip(inputs[end:], mapped[end:], strict=True)),
    ]
    counts = {"n_consts": len(constants) + n_consts, "n_carry": n_carry}
    results = primitive.bind([*constants, *operands], {"body": wide, **counts, **params})
    stacks = [
        move_axis(y, 1, 0) if flag else y
        for y, flag in zip(results[n_carry:], outputs[n_carry:], strict=True)
    ]
    full = zip([*results[:n_carry], *stacks], outputs, strict=True)
    return [batched(x, flag, size) for x, flag in full]


scan: Primitive = Primitive(
    "scan",
    abstract_eval=_scan_abstract_eval,
    reference=_scan_reference,
    jvp=_scan_jvp,
    transpose=_scan_transpose,
    batch=_batch_scan,
    multiple_results=True,
)


def lane_by_lane(
    primitive: Primitive, size: int, inputs: list[Atom], mapped: list[bool], params: dict[str, Any]
) -> list[Atom]:
    """The equation itself, on one row of the mapped inputs after the other."""
    with building(Builder(f"lane_{primitive.name}")) as builder:
        rows: list[Atom] = []
        for x, is_mapped in zip(inputs, mapped, strict=True):
            shape = x.type.shape[1:] if is_mapped else x.type.shape
            rows.append(builder.input(ArrayType(shape, x.type.dtype)))
        outputs = primitive.bind(rows, params)
    consts = [not flag for flag in mapped]
    body = builder.build(outputs).replace(inputs=chosen(rows, consts) + chosen(rows, mapped))
    fixed = {"length": size, "n_consts": sum(consts), "n_carry": 0, "reverse": False}
    return scan.bind(chosen(inputs, consts) + chosen(inputs, mapped), {"body": body, **fixed})


# --- while_loop -----------------------------------------------------------------------------


def _while_abstract_eval(
    *operands: ArrayType, cond: Program, body: Program, cond_nconsts: int, body_nconsts: int
) -> list[ArrayType]:
    cond_consts, body_consts, carry = cut(operands, cond_nconsts, body_nconsts)
    require_types("the condition takes", cond.input_types, [*cond_consts, *carry])
    require_types("the body takes", body.input_types, [*body_consts, *carry])
    require_types("the condition gives", [ArrayType((), np.dtype(bool))], cond.output_types)
    require_types("a carry comes out as", carry, body.output_types)
    require_closed(cond, body)
    return carry


def _while_reference(
    *operands: Any, cond: Program, body: Program, cond_nconsts: int, body_nconsts: int
) -> list[Any]:
    cond_consts, body_consts, carry = cut(operands, cond_nconsts, body_nconsts)
    while evaluate(cond, (*cond_consts, *carry))[0]:
        carry = evaluate(body, (*body_consts, *carry))
    return carry


def _while_jvp(
    primitive: Primitive,
    primals: list[Atom],
    tangents: list[Tangent],
    cond: Program,
    body: Program,
    cond_nconsts: int,
    body_nconsts: int,
) -> tuple[list[Atom], list[Tangent]]:
    tests, loop = cut(primals, cond_nconsts)
    slopes_in = tangents[cond_nconsts:]
    moved = [t is not None for t in slopes_in]
    forward, slopes = pushed_body(body, moved, slice(body_nconsts, len(moved)))
    forward, constants = close(forward)
    leading, inputs, d_inputs = cut(forward.inputs, len(constants), len(loop))
    full = [
        instantiate(t, x.type) if flag else None
        for t, x, flag in zip(slopes_in, loop, moved, strict=True)
    ]
    unused = [Var(x.type) if flag else None for x, flag in zip(loop, moved, strict=True)]
    test_consts, carry = cut(cond.inputs, cond_nconsts)
    results = primitive.bind(
        [*tests, *constants, *woven(loop, full, body_nconsts)],
        {
            "cond": cond.replace(inputs=[*test_consts, *woven(carry, unused[body_nconsts:])]),
            "body": forward.replace(
                inputs=[*leading, *woven(inputs, spread(d_inputs, moved), body_nconsts)],
            ),
            "cond_nconsts": cond_nconsts,
            "body_nconsts": len(constants) + body_nconsts + sum(moved[:body_nconsts]),
        },
    )
    values, pushed = unwoven(results, slopes)
    return values, pushed


def _no_reverse(*args: Any, **params: Any) -> Any:
    where = current_builder().source or "source unknown"
    raise DifferentiationError(
        f"reverse mode met a while_loop, or a fori_loop whose bounds are traced ({where}): how "
        "often it turns is known only when it runs, so nothing bounds what the way back needs. Use "
        "bital.scan, or bital.fori_loop with bounds that are Python ints (static_argnums under "
        "bital.jit); or forward mode, bital.jvp"
    )


def _batch_while(
    primitive: Primitive,
    size: int,
    inputs: list[Atom],
    mapped: list[bool],
    cond: Program,
    body: Program,
    cond_nconsts: int,
    body_nconsts: int,
) -> list[Atom]:
    start = cond_nconsts + body_nconsts
    flags, batch = list(mapped), program_transforms["batch"]
    of_body = slice(cond_nconsts, len(inputs))
    loop = flags[of_body]
    outputs = batched_body(body, loop, slice(body_nconsts, len(loop)))
    flags[of_body] = loop
    test_flags = [*flags[:cond_nconsts], *flags[start:]]
    (many,) = depends(cond, test_flags)
    if many and (checks_indices(cond) or checks_indices(body)):
        params = {"cond": cond, "body": body}
        counts = {"cond_nconsts": cond_nconsts, "body_nconsts": body_nconsts}
        return lane_by_lane(primitive, size, inputs, mapped, {**params, **counts})
    if many:
        flags[start:] = outputs = [True] * len(outputs)
        test_flags = [*flags[:cond_nconsts], *flags[start:]]
    carry = [
        batched(x, was, size) if now else x
        for x, was, now in zip(inputs[start:], mapped[start:], flags[start:], strict=True)
    ]
    test, test_constants = close(batch(cond, size, test_flags, [many]))
    step, step_constants = close(batch(body, size, flags[of_body], outputs))
    tests, consts = [*test_constants, *inputs[:cond_nconsts]], inputs[cond_nconsts:start]
    if many:
        step = _masked(test, step, len(tests), len(step_constants) + len(consts))
        test = _any(test)
        consts = [*tests, *step_constants, *consts]
    else:
        consts = [*step_constants, *consts]
    results = primitive.bind(
        [*tests, *consts, *carry],
        {"cond": test, "body": step, "cond_nconsts": len(tests), "body_nconsts": len(consts)},
    )
    return [batched(x, flag, size) for x, flag in zip(results, outputs, strict=True)]


def select_rows(predicates: Atom, x: Atom, y: Atom) -> Atom:
    shape = predicates.type.shape + (1,) * (x.type.ndim - 1)
    result: Atom = select(reshape(predicates, shape=shape), x, y)
    return result


def _any(test: Program) -> Program:
    """Whether any lane goes on."""
    with building(Builder(test.name)) as builder:
        inputs = [builder.input(var.type, var.name) for var in test.inputs]
        (lanes,) = inline(builder, test, inputs)
        return builder.build([REGISTRY["reduce_max"](lanes, axes=(0,), keepdims=False)])


def _masked(test: Program, step: Program, n_tests: int, n_consts: int) -> Program:
    """A turn for the lanes that go on; the others keep their carry."""
    with building(Builder(step.name)) as builder:
        tests = [builder.input(var.type, var.name) for var in test.inputs[:n_tests]]
        inputs = [builder.input(var.type, var.name) for var in step.inputs]
        carry = inputs[n_consts:]
        (lanes,) = inline(builder, test, [*tests, *carry])
        new = inline(builder, step, inputs)
        return builder.build([select_rows(lanes, x, y) for x, y in zip(new, carry, strict=True)])


while_loop: Primitive = Primitive(
    "while_loop",
    abstract_eval=_while_abstract_eval,
    reference=_while_reference,
    jvp=_while_jvp,
    transpose=_no_reverse,
    batch=_batch_while,
    multiple_results=True,
)
