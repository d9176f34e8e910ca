"""The loop-nest form as LLVM IR text.

A kernel becomes one function; memory reaches it through one table of pointers.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bital.executors.loops.form import (
    Branch,
    Buffer,
    Host,
    Kernel,
    Module,
    Step,
    While,
    kernels_of,
)
from bital.executors.native import product
from bital.executors.native.functions import Function
from bital.executors.native.instructions import Text

# Slots of the table of pointers that every function takes.
STATUS, ARENA, SCRATCH, PARALLEL, HOST, FIRST_BUFFER = range(6)

_COLD = 400  # a kernel with less than this part of the work is not optimised: that saves time


@dataclass(frozen=True)
class Layout:
    """Byte offsets in NumPy's objects.

    Attributes
    ----------
    data, flags : int
        In an array: the pointer to its elements, and its flags.
    wanted : int
        The flags that an array must have.
    scalar : int
        In a NumPy scalar: its value.
    """

    data: int
    flags: int
    wanted: int
    scalar: int


def print_module(module: Module, shared: Callable[[str], str], layout: Layout) -> str:
    """The whole text: kernels, the tasks that find their memory, and ``@run``.

    Parameters
    ----------
    module : Module
    shared : callable
        Declares, for the name of a dtype, what its matrix products call.
    layout : Layout
        Where Python's objects have their memory.
    """
    text = Text()
    printer = _Module(module, text, layout)
    printer.run()
    names = sorted({each.dtype.name for each in text.products})
    support = "\n".join(shared(name) for name in names)
    text.functions += [product.print_product(plan, name) for plan, name in text.products.items()]
    body = "\n".join([support, *text.functions])
    wanted = sorted(
        line
        for line in text.declarations
        if f"@{line.partition('@')[2].partition('(')[0]}(" not in support
    )
    return "\n".join([*wanted, "", body, '!0 = !{!"branch_weights", i32 1, i32 4000}', ""])


def slots_of(module: Module) -> dict[tuple[str, int], int]:
    """Where the table points to arguments, results and constants."""
    counts = {
        "argument": len(module.arguments),
        "result": len(module.results),
        "constant": len(module.constants),
    }
    places = [(place, number) for place, count in counts.items() for number in range(count)]
    return {place: FIRST_BUFFER + slot for slot, place in enumerate(places)}


class _Module:
    def __init__(self, module: Module, text: Text, layout: Layout) -> None:
        self.layout = layout
        self.module = module
        self.text = text
        self.kernels = 0
        self.lines: list[str] = []
        self.slots = slots_of(module)
        self.count = itertools.count()

    def run(self) -> None:
        self.work = sum(kernel.work for kernel in kernels_of(self.module.steps))
        self._steps(self.module.steps)
        lines = ["define void @run(ptr %table, ptr %objects) {", *self._entry(), *self.lines]
        self.text.functions.append("\n".join([*lines, "  ret void", "}", ""]))

    def _entry(self) -> list[str]:
        """Fill the table with where arrays and scalars have their elements.

        An array that is not contiguous or not aligned ends the call with a status of its own.
        """
        lines = ["entry:", *_from_table("%status", STATUS), *_from_table("%parallel", PARALLEL)]
        flags = []
        places = [buffer.place for buffer in self.module.results]
        shapes = [*self.module.argument_shapes, *self.module.shapes]
        for number, shape in enumerate(shapes):
            result = number - len(self.module.arguments)
            if result >= 0 and (places[result] == "argument" or not shape):
                continue
            name = f"%object{number}"
            lines.append(f"  {name}.entry = getelementptr ptr, ptr %objects, i64 {number}")
            lines.append(f"  {name} = load ptr, ptr {name}.entry")
            if shape:
                lines.append(f"  {name}.at = getelementptr i8, ptr {name}, i64 {self.layout.data}")
                lines.append(f"  {name}.data = load ptr, ptr {name}.at")
                lines.append(f"  {name}.is = getelementptr i8, ptr {name}, i64 {self.layout.flags}")
                lines.append(f"  {name}.flags = load i32, ptr {name}.is")
                flags.append(f"{name}.flags")
            else:
                lines.append(
                    f"  {name}.data = getelementptr i8, ptr {name}, i64 {self.layout.scalar}"
                )
            place = FIRST_BUFFER + number
            lines.append(f"  {name}.slot = getelementptr ptr, ptr %table, i64 {place}")
            lines.append(f"  store ptr {name}.data, ptr {name}.slot")
        common = str(self.layout.wanted)
        for number, flag in enumerate(flags):
            lines.append(f"  %common{number} = and i32 {common}, {flag}")
            common = f"%common{number}"
        return [
            *lines,
            f"  %good = icmp eq i32 {common}, {self.layout.wanted}",
            "  br i1 %good, label %start, label %refuse",
            "refuse:",
            "  store i64 -1, ptr %status",
            "  ret void",
            "start:",
        ]

    def _steps(self, steps: Sequence[Step]) -> None:
        for step in steps:
            getattr(self, f"_{type(step).__name__.lower()}")(step)

    def _kernel(self, kernel: Kernel) -> None:
        number = self.kernels
        self.kernels += 1
        read, written = kernel.buffers()
        buffers = sorted(read | written, key=lambda b: (b.place, b.position, b.number))
        names = {buffer: f"%b{index}" for index, buffer in enumerate(buffers)}
        function = Function(self.text, names)
        function.env[kernel.task] = "%task", 0
        function.statements(kernel.body.statements)
        name = f"{_word(kernel.name)}.{number}"
        pointers = [line for b in buffers for line in self._pointer(b, names[b])]
        care = " noinline optnone" if kernel.work * _COLD < self.work else ""
        lines = [
            f"define internal void @{name}(ptr %table, i64 %task, i64 %slot){care} {{",
            "entry:",
            *(_from_table("%status", STATUS) if function.checks else ()),
            *pointers,
            *function.lines,
            "  ret void",
            "}",
            "",
        ]
        self.text.functions.append("\n".join(lines))
        if kernel.tasks == 1:
            self.lines.append(f"  call void @{name}(ptr %table, i64 0, i64 0)")
        else:
            self.lines.append(f"  call void %parallel(ptr @{name}, ptr %table, i64 {kernel.tasks})")
        if function.checks:
            self._return_if_failed()

    def _pointer(self, buffer: Buffer, name: str) -> list[str]:
        buffer = buffer.root
        if buffer.place == "arena":
            lines, offset = _from_table(f"{name}.base", ARENA), str(buffer.position)
        elif buffer.place == "scratch":
            lines, offset = _from_table(f"{name}.base", SCRATCH), f"{name}.offset"
            lines.append(f"  {name}.slot = mul i64 %slot, {self.module.scratch}")
            lines.append(f"  {offset} = add i64 {name}.slot, {buffer.position}")
        else:
            return _from_table(name, self.slots[buffer.place, buffer.position])
        return [*lines, f"  {name} = getelementptr i8, ptr {name}.base, i64 {offset}"]

    def _return_if_failed(self) -> None:
        number = next(self.count)
        self.lines += [
            f"  %site{number} = load i64, ptr %status",
            f"  %failed{number} = icmp ne i64 %site{number}, 0",
            f"  br i1 %failed{number}, label %failure{number}, label %fine{number}",
            f"failure{number}:",
            "  ret void",
            f"fine{number}:",
        ]

    def _host(self, host: Host) -> None:
        """``host(table, number)`` in Python; it leaves a status where it fails."""
        name = f"%host{next(self.count)}"
        self.lines += [
            f"  ; {host.name}",
            *_from_table(name, HOST),
            f"  call void {name}(ptr %table, i64 {host.number})",
        ]
        self._return_if_failed()

    def _place(self, buffer: Buffer) -> str:
        name = f"%m{next(self.count)}"
        self.lines += self._pointer(buffer, name)
        return name

    def _test(self, flag: Buffer, yes: str, no: str) -> None:
        place, number = self._place(flag), next(self.count)
        self.lines += [
            f"  %flag{number} = load i8, ptr {place}",
            f"  %set{number} = icmp ne i8 %flag{number}, 0",
            f"  br i1 %set{number}, label %{yes}, label %{no}",
        ]

    def _while(self, loop: While) -> None:
        number = next(self.count)
        head, body, after = (f"{word}{number}" for word in ("while", "do", "done"))
        self.lines += [f"  br label %{head}", f"{head}:"]
        self._steps(loop.condition)
        self._test(loop.flag, body, after)
        self.lines.append(f"{body}:")
        self._steps(loop.body)
        self.lines += [f"  br label %{head}", f"{after}:"]

    def _branch(self, branch: Branch) -> None:
        number = next(self.count)
        yes, no, after = (f"{word}{number}" for word in ("yes", "no", "joined"))
        self._test(branch.flag, yes, no)
        for label, steps in ((yes, branch.yes), (no, branch.no)):
            self.lines.append(f"{label}:")
            self._steps(steps)
            self.lines.append(f"  br label %{after}")
        self.lines.append(f"{after}:")


def _from_table(name: str, slot: int) -> list[str]:
    return [
        f"  {name}.entry = getelementptr ptr, ptr %table, i64 {slot}",
        f"  {name} = load ptr, ptr {name}.entry",
    ]


def _word(name: str) -> str:
    return re.sub(r"\W", "_", name) or "kernel"
