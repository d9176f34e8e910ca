"""Without JAX the executor's name says what to install."""

import importlib.util

import pytest

import bital
from bital.errors import MissingExtraError
from bital.executors import executor as executors


def test_without_jax_the_name_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(executors, "_loaded", {})
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "jax" else find(name)
    )
    with pytest.raises(MissingExtraError, match=r"needs jax: pip install 'bital\[xla\]'"):
        bital.jit(lambda x: x + 1, executor="xla")(1.0)
    with pytest.raises(ImportError, match="needs jax"), bital.config.executor("xla"):
        pass
