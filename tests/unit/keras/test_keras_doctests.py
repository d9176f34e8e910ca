"""The examples in the docstrings of bital.nn and bital.keras run as they stand."""

import doctest
import importlib
import pkgutil

import pytest

import bital.keras
import bital.nn

MODULES = [
    found.name
    for package in (bital.nn, bital.keras)
    for found in pkgutil.walk_packages(package.__path__, package.__name__ + ".")
]


@pytest.mark.parametrize("name", ["bital.keras", *MODULES])
def test_examples(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_public_names_have_docstrings():
    for name in MODULES:
        module = importlib.import_module(name)
        for public in getattr(module, "__all__", []):
            item = getattr(module, public)
            assert getattr(item, "__doc__", None), f"{name}.{public}"
