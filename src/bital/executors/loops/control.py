"""Lowering of whole Programs: into given buffers, with loops and branches inside."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from bital.executors.loops import arena, rules, windows
from bital.executors.loops.form import (
    BOOL,
    INDEX,
    Branch,
    Buffer,
    Module,
    Step,
    While,
    constant,
    index_of,
)
from bital.executors.loops.groups import Group
from bital.executors.loops.lowering import ZERO, Lowering, View, is_dense, row_major, rule
from bital.executors.loops.nest import Grid, Nest
from bital.executors.loops.schedule import Schedule
from bital.executors.loops.splitting import split_reductions
from bital.primitives.inner import chosen
from bital.program import ArrayType, Atom, Equation, Program, Var

_COUNT, _FLAG = ArrayType((), INDEX), ArrayType((), BOOL)


def lower(program: Program, donated: Collection[int], lanes: int) -> Module:
    """A Program in the loop-nest form.

    Parameters
    ----------
    program : Program
        Already optimised.
    donated : collection of int
        Positions of inputs that may be written over.
    lanes : int
        float32 lanes of a vector register.

    Raises
    ------
    NotLowered
        Where the form has no words for something.
    """
    program = split_reductions(program)
    module = Module(program.name)
    module.argument_shapes = [type.shape for type in program.input_types]
    module.shapes = [type.shape for type in program.output_types]
    views: dict[Var, View] = {}
    for position, var in enumerate(program.inputs):
        buffer = Buffer(var.type.dtype, var.type.size, "argument", position, var.name or "")
        module.arguments.append(buffer)
        views[var] = View(buffer, row_major(var.type.shape))
    for position, (var, array) in enumerate(program.constants.items()):
        buffer = Buffer(var.type.dtype, var.type.size, "constant", position, var.name or "")
        module.constants.append((buffer, np.ascontiguousarray(array)))
        views[var] = View(buffer, row_major(var.type.shape))
    targets = _result_buffers(program, donated, module)
    module.steps = lower_into(program, views, targets, module, Grid(), lanes)
    arena.plan(module)
    return module


def _result_buffers(program: Program, donated: Collection[int], module: Module) -> list[Buffer]:
    """Fresh memory for each result, or a donated argument's of its type.

    Of several that would do, an argument that passes through keeps its place; others go in order.
    """
    free = [position for position in sorted(donated) if program.input_types[position].shape]
    targets: list[Buffer | None] = [None] * len(program.outputs)
    for number, atom in enumerate(program.outputs):
        for position in free:
            if program.inputs[position] is atom:
                targets[number] = module.arguments[position]
                free.remove(position)
                break
    for number, atom in enumerate(program.outputs):
        for position in free:
            if targets[number] is None and program.input_types[position] == atom.type:
                targets[number] = module.arguments[position]
                free.remove(position)
                break
    for number, atom in enumerate(program.outputs):
        if targets[number] is None:
            name = getattr(atom, "name", None) or ""
            targets[number] = Buffer(atom.type.dtype, atom.type.size, "result", number, name)
    module.results = [target for target in targets if target is not None]
    return module.results


def lower_into(
    program: Program,
    views: dict[Var, View],
    targets: Sequence[Buffer],
    module: Module,
    grid: Grid,
    lanes: int,
    stacks: Sequence[View] = (),
) -> list[Step]:
    """Steps that compute a Program's first outputs into `targets`, the others into `stacks`.

    A target may be memory that the Program reads: then it is written over where that is safe, and
    copied into at the end where it is not. Nothing else touches the memory of the stacks.
    """
    outputs, stacked = program.outputs[: len(targets)], program.outputs[len(targets) :]
    borrowed = {view.buffer for view in views.values()}
    schedule = Schedule(grid, lanes)
    overwriting = [a for a, t in zip(outputs, targets, strict=True) if t in borrowed]
    lowering = Lowering(program, schedule, module, dict(views), overwriting)
    pairs = list(zip(stacked, stacks, strict=True))
    given = [isinstance(atom, Var) and atom in views for atom in stacked]
    for atom, view in chosen(pairs, given):  # before it is written over
        lowering.store(atom, view, "stack")
    lowering.run()
    for atom, view in chosen(pairs, [not flag for flag in given]):
        lowering.store(atom, view, "stack")
    _deliver(lowering, outputs, targets, borrowed)
    return schedule.steps()


def _deliver(
    lowering: Lowering,
    outputs: Sequence[Atom],
    targets: Sequence[Buffer],
    borrowed: Collection[Buffer],
) -> None:
    given: set[Buffer] = set()
    copies: list[tuple[Atom, View, Buffer]] = []
    wanted = [
        (atom, lowering.view(atom), target)
        for atom, target in zip(outputs, targets, strict=True)
        if atom.type.size
    ]
    # Inputs that are handed on are read at the very end.
    handed_on = {view.buffer for _, view, target in wanted if view.buffer is not target}
    for atom, view, target in wanted:
        shape = atom.type.shape
        whole = is_dense(view, shape) and view.offset == 0 and not view.moving
        if view.buffer is target and whole:
            continue
        mine = view.buffer not in borrowed and view.buffer not in given
        if whole and mine and view.buffer.place == "arena":
            given.add(view.buffer)
            if target not in handed_on and _may_overwrite(lowering.schedule, view.buffer, target):
                view.buffer.alias = target
                continue
        copies.append((atom, view, target))
    late = {target for _, _, target in copies}
    moved = []
    for atom, view, target in copies:
        if view.buffer.root in late:  # it would be written before it is read
            kept = View(lowering.buffer(atom.type), row_major(atom.type.shape))
            _copy(lowering, view, kept, atom.type)
            view = kept
        moved.append((atom, view, target))
    for atom, view, target in moved:
        _copy(lowering, view, View(target, row_major(atom.type.shape)), atom.type)


def _copy(lowering: Lowering, source: View, target: View, type: ArrayType) -> None:
    lowering.nest("copy", late=True)
    axes = lowering.grid.axes(type.shape)
    indices = tuple(ZERO if axis is None else index_of(axis) for axis in axes)
    value = lowering.body.load(source.buffer, lowering.offset(source, indices))
    lowering.body.store(target.buffer, lowering.offset(target, indices), value)
    nest = Nest("copy", tuple(a for a in axes if a is not None), frozenset(), lowering.body)
    lowering.schedule.add_alone(nest)


def _may_overwrite(schedule: Schedule, new: Buffer, target: Buffer) -> bool:
    """Whether a buffer's values may be written to `target` at once."""
    writers = [n for n, entry in enumerate(schedule.entries) if new in entry.writes()]
    if len(writers) != 1 or new.size != target.size:
        return False
    place = writers[0]
    behind = schedule.entries[place + 1 :]
    if any(target in {b.root for b in entry.reads() | entry.writes()} for entry in behind):
        return False
    entry = schedule.entries[place]
    if target not in {b.root for b in entry.reads() | entry.writes()}:
        return True
    if not isinstance(entry, Group):
        return False
    product = entry.product
    if product is not None and target in (product.left.root, product.right.root):
        return False
    for nest in entry.nests:
        stores = dict(nest.stores())
        loads = [load for load in nest.loads() if load.buffer.root is target]
        if any(stores.get(new) != load.index for load in loads):
            return False
        if target in {b.root for b in nest.writes()}:
            return False
    return True


# --- loops and branches ---------------------------------------------------------------------


def _inner(
    lowering: Lowering,
    program: Program,
    views: Sequence[View],
    targets: Sequence[Buffer],
    stacks: Sequence[View] = (),
) -> list[Step]:
    return lower_into(
        program,
        dict(zip(program.inputs, views, strict=True)),
        targets,
        lowering.module,
        lowering.grid,
        lowering.schedule.lanes,
        stacks,
    )


def _add_step(
    lowering: Lowering, step: Step, inputs: Sequence[View], out: Sequence[Buffer]
) -> None:
    read = {view.buffer for view in inputs}
    read |= {buffer for view in inputs for buffer, _ in view.moving}
    lowering.schedule.add_step(step, read | set(out), set(out))


def _carried(lowering: Lowering, atoms: Sequence[Atom], outputs: Sequence[Var]) -> list[View]:
    """Memory that a loop carries, holding what it starts from; in the end, its outputs."""
    views = []
    for atom, out in zip(atoms, outputs, strict=True):
        view = View(lowering.buffer(atom.type, out.name or "carry"), row_major(atom.type.shape))
        lowering.store(atom, view, "carry")
        lowering.views[out] = view
        views.append(view)
    return views


@rule("while_loop")
def _while(lowering: Lowering, equation: Equation) -> None:
    test, body = equation.params["cond"], equation.params["body"]
    first = equation.params["cond_nconsts"]
    second = first + equation.params["body_nconsts"]
    consts = [lowering.view(atom) for atom in equation.inputs[:second]]
    carry = _carried(lowering, equation.inputs[second:], equation.outputs)
    flag = lowering.buffer(_FLAG, "flag")
    targets = [view.buffer for view in carry]
    step = While(
        _inner(lowering, test, [*consts[:first], *carry], [flag]),
        flag,
        _inner(lowering, body, [*consts[first:], *carry], targets),
        set(targets),
    )
    _add_step(lowering, step, [*consts, *carry], targets)


@rule("scan")
def _scan(lowering: Lowering, equation: Equation) -> None:
    body, length = equation.params["body"], equation.params["length"]
    n_consts, n_carry = equation.params["n_consts"], equation.params["n_carry"]
    consts = [lowering.view(atom) for atom in equation.inputs[:n_consts]]
    xs = [lowering.view(atom) for atom in equation.inputs[n_consts + n_carry :]]
    carry = _carried(
        lowering, equation.inputs[n_consts : n_consts + n_carry], equation.outputs[:n_carry]
    )
    ys = [lowering.new_view(out) for out in equation.outputs[n_carry:]]
    counter, flag = lowering.buffer(_COUNT, "turn"), lowering.buffer(_FLAG, "flag")
    _set_count(lowering, counter)

    def slice_of(view: View) -> View:
        stride = view.strides[0]
        offset, factor = (
            (view.offset + (length - 1) * stride, -stride)
            if equation.params["reverse"]
            else (view.offset, stride)
        )
        return View(view.buffer, view.strides[1:], offset, (*view.moving, (counter, factor)))

    targets = [view.buffer for view in carry]
    inner = [*consts, *carry, *(slice_of(view) for view in xs)]
    steps = _inner(lowering, body, inner, targets, [slice_of(view) for view in ys])
    schedule = Schedule(lowering.grid, lowering.schedule.lanes)
    tail = Lowering(body.replace(equations=(), outputs=()), schedule, lowering.module, {})
    _count_up(tail, counter)
    made = [*(view.buffer for view in carry), *(view.buffer for view in ys)]
    step = While(
        _test_count(lowering, counter, flag, length),
        flag,
        [*steps, *schedule.steps()],
        {*made, counter},
    )
    _add_step(lowering, step, [*consts, *carry, *xs, View(counter, ())], made)


def _set_count(lowering: Lowering, counter: Buffer) -> None:
    lowering.nest("turn")
    lowering.body.store(counter, ZERO, constant(0, INDEX))
    lowering.add(())


def _count_up(lowering: Lowering, counter: Buffer) -> None:
    lowering.nest("turn")
    value = lowering.body.load(counter, ZERO)
    lowering.body.store(counter, ZERO, value + 1)
    lowering.schedule.add_alone(Nest("turn", (), frozenset(), lowering.body))


def _test_count(lowering: Lowering, counter: Buffer, flag: Buffer, length: int) -> list[Step]:
    schedule = Schedule(lowering.grid, lowering.schedule.lanes)
    nest = Nest("turns", ())
    nest.body.store(flag, ZERO, nest.body.load(counter, ZERO) < length)
    schedule.add(nest)
    return schedule.steps()


@rule("cond")
def _cond(lowering: Lowering, equation: Equation) -> None:
    predicate, *operands = equation.inputs
    flag = lowering.buffer(_FLAG, "flag")
    lowering.store(predicate, View(flag, ()), "flag")
    views = [lowering.view(atom) for atom in operands]
    targets = [lowering.new_view(out).buffer for out in equation.outputs]
    step = Branch(
        flag,
        _inner(lowering, equation.params["true_branch"], views, targets),
        _inner(lowering, equation.params["false_branch"], views, targets),
    )
    _add_step(lowering, step, [View(flag, ()), *views], targets)


__all__ = ["lower", "rules", "windows"]
