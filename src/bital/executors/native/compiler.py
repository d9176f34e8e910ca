"""LLVM: text to machine code, kept on disk for the next process."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import platform
import re
import tempfile
from pathlib import Path
from typing import Any

import llvmlite
import llvmlite.binding as llvm
import numpy as np

from bital.executors.native import product

_KEPT = 256 << 20  # bytes of machine code on disk; what was not used for longest goes first
_DIGEST = 32  # bytes


def _target_machine(cpu: str = "", features: str = "", level: int = 2) -> Any:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=cpu, features=features, opt=level, jit=True, codemodel="jitdefault"
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


def load(text: str, careful: bool = True) -> Machine:
    """Machine code of LLVM IR, from the disk where another process left it.

    Parameters
    ----------
    text : str
    careful : bool
        Whether the code is worth optimising; a quarter of the time otherwise, and not kept.
    """
    folder = cache_folder() if careful else None
    if folder is None:
        return Machine(_compile(text, careful))
    version = (llvmlite.__version__, *llvm.llvm_version_info, platform.machine(), *host())
    key = hashlib.sha256("\n".join([*map(str, version), text]).encode()).hexdigest()
    path = folder / f"{key}.o"
    code = _read(path)
    if code is None:
        code = _compile(text, careful)
        _write(path, code)
    return Machine(code)


def _compile(text: str, careful: bool) -> bytes:
    """Optimise LLVM IR and make an object file of it."""
    machine = _target_machine(*host(), level=1 if careful else 0)
    # LLVM's global context keeps every constant that it ever met; one of our own must outlive its
    # module, and the garbage collector keeps no order.
    with llvm.create_context() as context, llvm.parse_assembly(text, context) as module:
        if careful:
            options = llvm.create_pipeline_tuning_options(speed_level=2)
            # A builder is for one run: it keeps what the last one registered.
            _passes().run(module, llvm.create_pass_builder(machine, options))
        return bytes(machine.emit_object(module))


@functools.cache
def _passes() -> Any:
    """What optimises: made once, because llvmlite never frees it.

    The text has its lanes, and each statement stands in the right loop already: what is left is to
    fold addresses and to drop what nobody reads.
    """
    passes = llvm.create_new_module_pass_manager()
    passes.add_simplify_cfg_pass()
    passes.add_instruction_combine_pass()
    passes.add_loop_rotate_pass()
    passes.add_instruction_combine_pass()
    passes.add_simplify_cfg_pass()
    return passes


# --- the cache ------------------------------------------------------------------------------


def cache_folder() -> Path | None:
    """Where machine code is kept.

    BITAL_CACHE names the folder, or is 0 for none; by default the user's cache folder.
    """
    named = os.environ.get("BITAL_CACHE")
    if named == "0":
        return None
    if named:
        return Path(named)
    if platform.system() == "Windows":
        base = os.environ.get("LOCALAPPDATA")
    elif platform.system() == "Darwin":
        base = str(Path.home() / "Library" / "Caches")
    else:
        base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base or tempfile.gettempdir()) / "bital" / "native"


def _read(path: Path) -> bytes | None:
    """Code as it was written, or None: a file that was cut off or changed counts as none."""
    try:
        content = path.read_bytes()
        os.utime(path)
    except OSError:
        return None
    digest, code = content[:_DIGEST], content[_DIGEST:]
    return code if hashlib.sha256(code).digest() == digest else None


def _write(path: Path, code: bytes) -> None:
    """Keep code, whole or not at all; a disk that does not take it is no error."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.sha256(code).digest() + code)
            os.replace(temporary, path)
        except OSError:
            os.unlink(temporary)
            raise
        if path.name < "08":  # one in 32: to look at thousands of files takes longer than LLVM
            _prune(path.parent)
    except OSError:
        return


def _prune(folder: Path) -> None:
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):  # another process has removed it
                found.append((entry.stat(), entry.path))
    total = sum(stat.st_size for stat, _ in found)
    for stat, path in sorted(found, key=lambda each: each[0].st_mtime):
        if total <= _KEPT:
            return
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        total -= stat.st_size


# --- what all Programs share ----------------------------------------------------------------


@functools.cache
def shared_products(name: str) -> str:
    """What matrix products of a dtype call: loaded once, for the whole process.

    Returns
    -------
    str
        LLVM IR that declares these functions.
    """
    text = product.print_support(np.dtype(name), vector_bytes()).replace(
        "define internal", "define"
    )
    machine = load(text)
    _forever.append(machine)
    declarations = []
    for head in re.findall(r"^define ([^{]*)\{", text, re.M):
        symbol = head.partition("@")[2].partition("(")[0]
        llvm.add_symbol(symbol, machine.address(symbol))
        declarations.append("declare " + re.sub(r" %[\w.]+", "", head).strip())
    return "\n".join(declarations)


_forever: list[Machine] = []
