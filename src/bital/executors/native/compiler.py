"""LLVM: text to machine code, kept on disk for the next process."""

from __future__ import annotations

import functools
from typing import Any

import llvmlite.binding as llvm


def _target_machine(cpu: str = "", features: str = "") -> Any:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=cpu, features=features, opt=3, jit=True, codemodel="jitdefault"
    )


@functools.cache
def host() -> tuple[str, str]:
    """Name and features of the processor that this process runs on."""
    return llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()


@functools.cache
def vector_bytes() -> int:
    """Width of a vector register."""
    features = llvm.get_host_cpu_features()
    if features.get("avx512f"):
        return 64
    return 32 if features.get("avx2") and features.get("fma") else 16


class Machine:
    """Loaded machine code; it lives as long as this object."""

    def __init__(self, code: bytes) -> None:
        # An engine owns its module and its target machine; the code it finds in its "cache".
        self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _target_machine())
        self._engine.set_object_cache(None, lambda _: code)
        self._engine.finalize_object()

    def address(self, name: str) -> int:
        return int(self._engine.get_function_address(name))


def compile_text(text: str) -> bytes:
    """Optimise LLVM IR and make an object file of it."""
    machine = _target_machine(*host())
    module = llvm.parse_assembly(text)
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    options.loop_vectorization = False  # lanes are in the text already
    options.slp_vectorization = False
    options.loop_interleaving = False
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    return bytes(machine.emit_object(module))
