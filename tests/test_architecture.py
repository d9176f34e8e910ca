"""The shape of the engine: who imports whom, how large things are, how errors are worded."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "bital"
ENGINE = ["program", "primitives", "numpy_language", "transforms", "passes", "executors"]
JOINING = ["api", "config", "tree", "testing"]
# What each folder may import of bital, beside itself and `errors`.
ALLOWED = {
    "program": set(),
    "primitives": {"program"},
    "numpy_language": {"program", "primitives"},
    "transforms": {"program", "primitives"},
    "passes": {"program", "primitives"},
    "executors": {"program", "primitives", "passes"},
    "errors": set(),
    "tree": set(),
    "config": {"executors"},
    "api": {*ENGINE, "config", "tree", "drawing"},
    "testing": {"api", "tree"},
    "drawing": {"program", "passes", "executors"},
    "figures": set(),
}
FACES = ["graphs", "nn", "random", "keras", "tables", "sklearn", "tune", "tf1", "datasets", "cli"]
FILES = sorted(SOURCE.rglob("*.py"))
PARSED = {path: ast.parse(path.read_text()) for path in FILES}


def part_of(path):
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imports(path):
    """Absolute names of modules that a file imports anywhere, functions included."""
    found = []
    for node in ast.walk(PARSED[path]):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            found += [f"{node.module}.{alias.name}" for alias in node.names]
        elif (
            isinstance(node, ast.Call)
            and ast.unparse(node.func).endswith("import_module")
            and isinstance(node.args[0], ast.Constant)
        ):
            found.append(node.args[0].value)
    return found


def parts_imported(path):
    names = (name.split(".") for name in imports(path))
    return {name[1] for name in names if name[0] == "bital" and len(name) > 1}


@pytest.mark.parametrize("part", ALLOWED)
def test_import_order(part):
    files = [path for path in FILES if part_of(path) == part]
    assert files
    for path in files:
        extra = parts_imported(path) - ALLOWED[part] - {part, "errors"}
        assert not extra, f"{path.relative_to(SOURCE)} imports {sorted(extra)}"


LIBRARIES = {"native": "llvmlite", "xla": "jax"}  # of executors, imported when one is chosen


@pytest.mark.parametrize("part", [*ENGINE, *JOINING, "errors"])
def test_the_engine_needs_numpy_alone(part):
    for path in FILES:
        if part_of(path) == part:
            roots = {name.split(".")[0] for name in imports(path)}
            own = {LIBRARIES[each] for each in path.parts if each in LIBRARIES}
            allowed = {"bital", "numpy"} | own
            if path.name in ("special.py", "coverage.py"):
                allowed.add("scipy")  # whoever calls its ufuncs has it; imported in functions
            others = roots - sys.stdlib_module_names - allowed
            assert not others, f"{path.relative_to(SOURCE)} imports {sorted(others)}"


def test_faces_use_the_public_functions_only():
    """From nn on, code is plain NumPy plus `bital`: no layer names a primitive."""
    for path in FILES:
        if part_of(path) in FACES:
            private = parts_imported(path) & set(ENGINE)
            assert not private, f"{path.relative_to(SOURCE)} imports {sorted(private)}"


def test_every_part_of_the_package_is_placed():
    known = {*ALLOWED, *FACES, "__init__"}
    assert {part_of(path) for path in FILES} <= known


def test_files_and_functions_stay_readable():
    long_files = [
        f"{path.relative_to(SOURCE)}: {lines}"
        for path in FILES
        if (lines := len(path.read_text().splitlines())) > 600
    ]
    long_functions = [
        f"{path.relative_to(SOURCE)}:{node.lineno} {node.name}: {lines}"
        for path, tree in PARSED.items()
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and (lines := lines_of_code(node)) > 70
    ]
    assert long_files + long_functions == []


def lines_of_code(node):
    """From the signature to the end, without the docstring."""
    lines = node.end_lineno - node.lineno + 1
    first = node.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        lines -= first.end_lineno - first.lineno + 1
    return lines


def test_the_engine_stays_small(record_property):
    """Folders 1 to 5, docstrings included: what a program means, and the words of NumPy for it.

    The words grow with NumPy, one handler a name, and can be read one by one; the rest must be
    held in the head.
    """
    sizes = {
        part: sum(len(p.read_text().splitlines()) for p in FILES if part_of(p) == part)
        for part in ENGINE[:5]
    }
    record_property("lines", json.dumps(sizes))
    print(sizes, sum(sizes.values()))
    words = sizes.pop("numpy_language")
    assert words <= 10_000
    assert sum(sizes.values()) <= 9_000, sizes


def test_tensorflows_names_are_a_thin_face():
    """Below 3,000 lines of code: docstrings, comments and blank lines do not count."""
    count = 0
    for path in FILES:
        if part_of(path) == "tf1":
            said = {
                line
                for node in ast.walk(PARSED[path])
                if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
                if ast.get_docstring(node, clean=False) is not None
                for line in range(node.body[0].lineno, node.body[0].end_lineno + 1)
            }
            lines = enumerate(path.read_text().splitlines(), 1)
            count += sum(i not in said and x.strip()[:1] not in ("", "#") for i, x in lines)
            roots = {name.split(".")[0] for name in imports(path)}
            assert not roots & {"tensorflow", "keras", "jax", "torch"}
    assert 1_000 < count < 3_000, count


def messages(path):
    """The `raise` statements of a file: (line, whether the message names what it received)."""
    for node in ast.walk(PARSED[path]):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            if not ast.unparse(node.exc.func)[0].isupper():
                continue  # raise conversion_error(...): the helper's own message is looked at
            if ast.unparse(node.exc.func) in ("NotLowered", "AssertionError"):
                continue  # no user meets these
            yield (
                node.lineno,
                any(
                    isinstance(part, (ast.JoinedStr, ast.Name, ast.Call))
                    for argument in node.exc.args
                    for part in ast.walk(argument)
                ),
            )


def test_errors_name_what_they_received():
    """A proxy: the share of `raise` whose message is formatted or built by a function."""
    all_messages = [(path, line, names) for path in FILES for line, names in messages(path)]
    plain = [
        f"{path.relative_to(SOURCE)}:{line}" for path, line, names in all_messages if not names
    ]
    share = 1 - len(plain) / len(all_messages)
    print(f"{share:.1%} of {len(all_messages)}; without: {plain}")
    assert len(all_messages) > 300
    assert share >= 0.95, plain


def test_every_error_class_shows_failing_and_repaired_code():
    tree = PARSED[SOURCE / "errors.py"]
    for node in tree.body:
        if (
            isinstance(node, ast.ClassDef)
            and node.name != "BitalError"
            and not (node.name.endswith("Warning"))
        ):
            text = ast.get_docstring(node) or ""
            assert text, node.name
            bases = [ast.unparse(base) for base in node.bases]
            assert bases[0] == "BitalError"
            assert len(bases) == 2, f"{node.name} derives from no built-in exception"
            if node.name != "ProgramError":
                assert "Fails::" in text or "values" in text or node.name in _SELF_EVIDENT, (
                    node.name
                )


_SELF_EVIDENT = {"ArgumentError", "ExecutorError"}


def modules_after(statement):
    code = f"import sys; {statement}; import json; print(json.dumps(sorted(sys.modules)))"
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return set(json.loads(out.stdout))


def test_import_bital_loads_little():
    """Time follows from this: no optional library, no face, no data, few modules beyond NumPy."""
    added = modules_after("import bital") - modules_after("import numpy")
    heavy = {"matplotlib", "click", "tqdm", "safetensors", "scipy", "sklearn", "PIL", "llvmlite"}
    roots = {name.split(".")[0] for name in added}
    assert not roots & heavy
    faces = {f"bital.{face}" for face in FACES} & added
    assert not faces
    assert len(added) < 120, sorted(added)


def test_faces_are_loaded_at_first_use():
    code = (
        "import sys, bital; bital.nn.relu; assert 'bital.keras' not in sys.modules; "
        "bital.random.key(0); bital.datasets; assert 'tqdm' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.slow
def test_import_time(tmp_path):
    """At most 0.1 s of processor time above NumPy, from bytecode as an installed package has it.

    The best of several runs, each in a process of its own: what else the machine does adds to the
    others.
    """
    code = (
        "from time import process_time as now; import numpy; a = now(); import bital; "
        "print(now() - a)"
    )
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(tmp_path)
    runs = [
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, check=True, env=environment
        )
        for _ in range(9)
    ]
    assert min(float(run.stdout) for run in runs) <= 0.1


def test_an_unknown_attribute_of_the_package():
    import bital

    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = bital.nothing
    assert {"grad", "jit", "keras", "nn", "random", "datasets", "tree"} <= set(dir(bital))
