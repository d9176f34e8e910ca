"""Machine code on disk: found by the next process, never trusted blindly, never in the way."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bital

pytest.importorskip("llvmlite")
from bital.executors.native import compiler

TIMEOUT = 240  # seconds: for hangs, not for speed
TEXT = "define i64 @answer(i64 %x) {\n  %y = mul i64 %x, 6\n  ret i64 %y\n}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = tmp_path / "cache"
    monkeypatch.setenv("BITAL_CACHE", str(made))
    return made


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that LLVM compiles."""
    found: list[str] = []
    compile_ = compiler._compile

    def counted(text: str, careful: bool) -> bytes:
        found.append(text)
        return compile_(text, careful)

    monkeypatch.setattr(compiler, "_compile", counted)
    return found


def _answer(machine: Any) -> int:
    import ctypes

    return int(ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(machine.address("answer"))(7))


def test_code_is_compiled_once(folder: Path, compilations: list[str]) -> None:
    for _ in range(3):
        assert _answer(compiler.load(TEXT)) == 42
    assert len(compilations) == 1
    assert len(list(folder.iterdir())) == 1


def test_other_text_is_other_code(folder: Path, compilations: list[str]) -> None:
    compiler.load(TEXT)
    assert _answer(compiler.load(TEXT.replace("6", "5"))) == 35
    assert len(compilations) == len(list(folder.iterdir())) == 2


def test_other_processors_have_other_code(
    folder: Path, compilations: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler.load(TEXT)
    name, features = compiler.host()
    monkeypatch.setattr(compiler, "host", lambda: (name, features + ",-avx512f"))
    compiler.load(TEXT)
    assert len(compilations) == 2


def test_what_is_quickly_compiled_is_not_kept(folder: Path) -> None:
    assert _answer(compiler.load(TEXT, careful=False)) == 42
    assert not folder.exists()


@pytest.mark.parametrize("damage", ["cut", "empty", "changed", "digest", "code cut"])
def test_damaged_code_is_compiled_anew(folder: Path, compilations: list[str], damage: str) -> None:
    compiler.load(TEXT)
    (path,) = folder.iterdir()
    whole = path.read_bytes()
    middle = len(whole) // 2
    path.write_bytes(
        {
            "cut": whole[:20],
            "empty": b"",
            "changed": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
            "digest": bytes(32) + whole[32:],
            "code cut": whole[:-1],
        }[damage]
    )
    assert _answer(compiler.load(TEXT)) == 42
    assert len(compilations) == 2
    assert path.read_bytes() == whole


def test_zero_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BITAL_CACHE", "0")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert _answer(compiler.load(TEXT)) == 42
    assert not list(tmp_path.rglob("*"))


@pytest.mark.skipif(sys.platform != "linux", reason="the folder of other systems is elsewhere")
def test_the_users_cache_folder_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BITAL_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    compiler.load(TEXT)
    assert len(list((tmp_path / "bital" / "native").glob("*.o"))) == 1


def test_a_folder_that_cannot_be_written_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.write_text("not a folder")
    monkeypatch.setenv("BITAL_CACHE", str(file / "below"))
    assert _answer(compiler.load(TEXT)) == 42
    assert file.read_text() == "not a folder"
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    monkeypatch.setenv("BITAL_CACHE", str(closed))
    assert _answer(compiler.load(TEXT)) == 42
    closed.chmod(0o700)


def test_a_full_disk_is_no_error_and_leaves_nothing_broken(
    folder: Path, monkeypatch: pytest.MonkeyPatch, compilations: list[str]
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        assert _answer(compiler.load(TEXT)) == 42
    assert not list(folder.iterdir())
    assert _answer(compiler.load(TEXT)) == 42
    assert len(list(folder.glob("*.o"))) == 1


def test_the_oldest_go_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [TEXT.replace("6", str(number)) for number in range(1, 7)]
    compiler.load(texts[0])
    (first,) = folder.iterdir()
    size = first.stat().st_size
    monkeypatch.setattr(compiler, "_KEPT", 3 * size + size // 2)
    os.utime(first, (1000, 1000))
    names = [first]
    for age, text in enumerate(texts[1:], 1):
        compiler.load(text)
        (new,) = set(folder.iterdir()) - set(names)
        names.append(new)
        os.utime(new, (1000 + age, 1000 + age))
        compiler._prune(folder)
        if age == 2:
            compiler.load(texts[0])  # used: now it is the newest
            os.utime(first, (5000, 5000))
    assert {path.name for path in folder.iterdir()} == {names[n].name for n in (0, 4, 5)}
    assert sum(path.stat().st_size for path in folder.iterdir()) <= compiler._KEPT


def test_what_another_process_removes_meanwhile(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler.load(TEXT)
    (folder / "gone.part").symlink_to(folder / "nothing")  # listed, and not there
    monkeypatch.setattr(compiler, "_KEPT", 0)
    compiler._prune(folder)
    assert [path.name for path in folder.iterdir()] == ["gone.part"]


def test_some_of_the_writes_look_for_what_is_old(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[Path] = []
    monkeypatch.setattr(compiler, "_prune", looked.append)
    folder.mkdir()
    for number in range(512):
        compiler._write(folder / f"{number * 0x7FFFFF % 2**32:08x}.o", b"code")
    assert 4 <= len(looked) <= 64


def test_using_code_makes_it_new(folder: Path) -> None:
    compiler.load(TEXT)
    (path,) = folder.iterdir()
    os.utime(path, (1000, 1000))
    compiler.load(TEXT)
    assert path.stat().st_mtime > 1000


# --- other processes ------------------------------------------------------------------------

_PROCESS = """
import sys
import numpy as np
import bital
from bital.executors.native import compiler
if sys.argv[1] == "load":
    def fail(*_):
        raise AssertionError("compiled anew")
    compiler._compile = fail
def loss(w, x):
    return np.sum(np.tanh(x @ w) ** 2)
step = bital.jit(lambda w, x: w - 0.1 * bital.grad(loss)(w, x), executor="native")
x = np.cos(np.arange(3000.0)).reshape(100, 30)
w = np.sin(np.arange(600.0)).reshape(30, 20)
for _ in range(3):
    w = step(w, x)
print(w.tobytes().hex())
"""


def _process(mode: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", _PROCESS, mode],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _output(process: subprocess.Popen[str]) -> str:
    out, error = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0, error
    assert not error
    return out


def test_the_next_process_compiles_nothing(folder: Path) -> None:
    first = _output(_process("compile"))
    assert list(folder.glob("*.o"))
    assert _output(_process("load")) == first


def test_processes_that_write_at_once(folder: Path) -> None:
    running = [_process("compile") for _ in range(4)]
    outputs = {_output(each) for each in running}
    assert len(outputs) == 1
    assert not list(folder.glob("*.part"))
    assert {_output(_process("load"))} == outputs


def test_a_jitted_function_survives_damage_to_all_of_the_cache(folder: Path) -> None:
    def function(x: Any) -> Any:
        return np.tanh(x @ x) * 0.125

    x = np.cos(np.arange(2500.0)).reshape(50, 50)
    want = bital.jit(function, executor="native")(x)
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes()[:-7])
    got = bital.jit(lambda x: function(x), executor="native")(x)
    np.testing.assert_array_equal(got, want)


_TEXT = """
import os
import numpy as np, bital

kept = [object() for _ in range(int(os.environ["ALLOCATED"]))]  # moves what is allocated later

def loss(ws, x, t):
    h = x
    for w, b in zip(ws[::2], ws[1::2]):
        z = h @ w + b
        h = np.where(z > 0, z, 0)
    z = z - z.max(axis=1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    return -np.mean(log_p[np.arange(len(t)), t])

def train(ws, x, t):
    value, slopes = bital.value_and_grad(loss)(ws, x, t)
    return [w - 0.1 * s for w, s in zip(ws, slopes)], value

def recurrent(w, xs):
    step = lambda c, x: (np.tanh(np.concatenate([x, c]) @ w),) * 2
    return np.sum(bital.scan(step, np.zeros(8), xs)[1] ** 2)

shapes = (78, 30), (30,), (30, 20), (20,), (20, 10), (10,)
ws, t = [np.ones(shape, np.float32) for shape in shapes], np.zeros(50, int)
print(bital.trace(train, ws, np.ones((50, 78), np.float32), t).to_llvm())
print(bital.trace(bital.grad(recurrent), np.ones((12, 8)), np.ones((6, 4))).to_llvm())
"""


def test_every_process_makes_the_same_text() -> None:
    """Else what one process left on disk would not be found by the next."""
    texts = set()
    for allocated in (0, 1000, 12345):
        environment = {**os.environ, "ALLOCATED": str(allocated), "PYTHONHASHSEED": str(allocated)}
        done = subprocess.run(
            [sys.executable, "-c", _TEXT], env=environment, capture_output=True, check=True
        )
        texts.add(done.stdout)
    assert len(texts) == 1
