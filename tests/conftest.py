"""Options and settings of the whole suite."""

from __future__ import annotations

import atexit
import importlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

import bital

if "BITAL_CACHE" not in os.environ:  # machine code of tests is kept for this run only
    os.environ["BITAL_CACHE"] = tempfile.mkdtemp(prefix="bital-tests-")
    atexit.register(shutil.rmtree, os.environ["BITAL_CACHE"], ignore_errors=True)

_GAPS = Path(__file__).parent / "conformance" / "known_gaps"
_QUIET = (HealthCheck.too_slow, HealthCheck.filter_too_much)

# The same examples at every run; `HYPOTHESIS_PROFILE=explore` looks for new ones.
settings.register_profile(
    "fixed",
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=60,
    suppress_health_check=_QUIET,
)
settings.register_profile(
    "explore", deadline=None, max_examples=1000, print_blob=True, suppress_health_check=_QUIET
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--executor",
        action="append",
        metavar="NAME",
        help="run the conformance tests on this executor (by default on numpy and native: on xla "
        "they take hours, and tests/conformance/test_on_xla.py tries rows in fewer programs)",
    )
    parser.addoption(
        "--minutes",
        type=float,
        metavar="N",
        help="begin no test after so many minutes: the rest is skipped, and named",
    )


@pytest.fixture(autouse=True, scope="session")
def _end_of_time(pytestconfig: pytest.Config) -> float | None:
    """When the last test may begin."""
    minutes = pytestconfig.getoption("--minutes")
    return None if minutes is None else time.monotonic() + 60 * minutes


@pytest.fixture(autouse=True)
def _while_there_is_time(_end_of_time: float | None) -> None:
    if _end_of_time is not None and time.monotonic() > _end_of_time:
        pytest.skip("no time is left for it: see --minutes")


def installed_executors() -> list[str]:
    module = importlib.import_module("bital.executors.executor")
    built_in = [name for name in module._BUILT_IN if module.is_installed(name)]
    return sorted({*built_in, *(entry.name for entry in entry_points(group="bital.executors"))})


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "executor" in metafunc.fixturenames:
        names = metafunc.config.getoption("--executor") or [
            name for name in installed_executors() if name != "xla"
        ]
        metafunc.parametrize("executor", names, indirect=True)


@pytest.fixture
def executor(request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of an executor, on which everything in the test runs."""
    with bital.config.executor(request.param):
        yield request.param


def read_gaps(executor: str) -> dict[str, str]:
    """Known gaps of an executor: ``test[row]`` -> reason, from lines ``test[row]  # reason``."""
    path = _GAPS / f"{executor}.txt"
    gaps = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        test, _, reason = line.partition("  # ")
        if test.strip() and not test.startswith("#"):
            gaps[test.strip()] = reason.strip()
    return gaps


@pytest.fixture(scope="session")
def known_gaps() -> Callable[[str], dict[str, str]]:
    """`read_gaps`, for tests of many rows at a time."""
    return read_gaps


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[Any]) -> None:
    """Known gaps must fail: one that no longer does breaks the build."""
    _mark_slow_compilation(items)
    gaps = {name: read_gaps(name) for name in installed_executors()}
    for item in items:
        params = getattr(item, "callspec", None) and item.callspec.params
        if not params or "executor" not in params or "row" not in params:
            continue
        key = f"{item.originalname}[{params['row'].name}]"
        reason = gaps.get(params["executor"], {}).get(key)
        if reason is not None:
            item.add_marker(pytest.mark.xfail(reason=reason, strict=True))


def _mark_slow_compilation(items: list[Any]) -> None:
    """What compiles hundreds of programs is slow where that means machine code; all of XLA's is."""
    for item in items:
        params = getattr(item, "callspec", None) and item.callspec.params
        executor = params.get("executor") if params else None
        compiles = item.get_closest_marker("compiles") and executor != "numpy"
        if executor == "xla" or compiles:
            item.add_marker(pytest.mark.slow)
