"""The examples in the docstrings of the engine's errors: what fails does, what works does."""

import ast
import inspect
import re
import textwrap

import numpy as np
import pytest

import bital
from bital import errors

X = np.array([1.0, 2.0, 3.0])
MATRIX = np.ones((2, 3))


def as_function(code, x):
    """The code as the body of a jitted function of x."""
    lines = ["def f(x):", *textwrap.indent(code, "    ").splitlines(), "    return x * 1.0"]
    namespace = {"np": np, "bital": bital}
    exec("\n".join(lines), namespace)
    return bital.jit(namespace["f"])(x)


def as_script(code, then=""):
    namespace = {"np": np, "bital": bital, "x": X, "w": X.copy(), "g": X}
    exec(f"{code}\n{then}", namespace)


RUN = {
    "TracerConversionError": as_script,
    "TracerBoolError": as_script,
    "LeakedTracerError": as_script,
    "UnsupportedFunctionError": as_script,
    "UnsupportedAttributeError": as_script,
    "SupersededArrayError": lambda code: as_script(code, "bital.grad(f)(x)"),
    "ViewError": lambda code: as_function(code, MATRIX),
    "InputMutationError": lambda code: as_script(code, "assert step(w, g) is not None"),
    "DifferentiationError": as_script,
    "TypeMismatchError": as_script,
}


def blocks(docstring):
    """{"Fails": code, "Works": code}"""
    parts = re.split(r"^(Fails|Works)::\n", docstring, flags=re.MULTILINE)
    return {
        name: textwrap.dedent(re.split(r"^(?=\S)", body, flags=re.MULTILINE)[0]).strip()
        for name, body in zip(parts[1::2], parts[2::2], strict=True)
    }


@pytest.mark.parametrize("name", RUN)
def test_examples(name):
    kind = getattr(errors, name)
    examples = blocks(inspect.getdoc(kind))
    assert "Fails" in examples
    with pytest.raises(kind):
        RUN[name](examples["Fails"])
    if "Works" in examples:
        RUN[name](examples["Works"])
    else:
        assert "Works" in kind.__doc__


def test_every_class_derives_from_a_builtin_that_numpy_users_expect():
    for name, kind in vars(errors).items():
        if isinstance(kind, type) and kind is not errors.BitalError:
            if issubclass(kind, Warning):
                assert kind.__bases__ == (UserWarning,), name
                continue
            assert issubclass(kind, errors.BitalError), name
            builtin = [base for base in kind.__bases__ if base is not errors.BitalError]
            assert len(builtin) == 1, name
            assert issubclass(builtin[0], Exception), name


def test_no_two_classes_say_the_same():
    tree = ast.parse(inspect.getsource(errors))
    first_lines = [
        ast.get_docstring(node).splitlines()[0]
        for node in tree.body
        if isinstance(node, ast.ClassDef)
    ]
    assert len(set(first_lines)) == len(first_lines)
