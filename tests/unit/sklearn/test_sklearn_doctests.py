"""The examples in the docstrings of bital.sklearn run as they stand."""

import doctest
import importlib
import inspect
import pkgutil

import pytest

import bital.sklearn
from bital.sklearn import DNNClassifier, DNNRegressor

MODULES = [found.name for found in pkgutil.walk_packages(bital.sklearn.__path__, "bital.sklearn.")]


@pytest.mark.parametrize("name", ["bital.sklearn", *MODULES])
def test_examples(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


@pytest.mark.parametrize("cls", [DNNClassifier, DNNRegressor])
def test_every_parameter_is_described(cls):
    section = inspect.getdoc(cls).split("Attributes\n")[0].split("Parameters\n")[1]
    heads = [line.split(" : ")[0] for line in section.splitlines() if " : " in line[:60]]
    named = {name.strip() for head in heads if head[:1] != " " for name in head.split(",")}
    assert set(inspect.signature(cls).parameters) <= named
