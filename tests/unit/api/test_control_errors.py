"""What loops and branches refuse, and what they say."""

import numpy as np
import pytest

import bital
from bital import errors

# name -> code, error, what the message must say
MISTAKES = {
    "dtype": (
        "bital.scan(lambda c, x: (c * x, None), np.float32(1), np.ones(2))",
        "TypeMismatchError",
        [r"init as float32\[\]", r"float64\[\]", r"\.astype\(np\.float32\)"],
    ),
    "leaf": (
        "bital.scan(lambda c, x: ({'a': [1.0, c['a'][1] * x]}, x), {'a': [1.0, np.float32(1)]}, "
        "np.ones(2))",
        "TypeMismatchError",
        [r"init\['a'\]\[1\] as float32", r"np\.asarray\(init\['a'\]\[1\], np\.float64\)"],
    ),
    "shape": (
        "bital.while_loop(lambda c: c[0] > 0, lambda c: np.stack([c, c]), np.ones(2))",
        "TypeMismatchError",
        [r"while_loop: lambda", r"float64\[2\]", r"float64\[2,2\]"],
    ),
    "structure": (
        "bital.fori_loop(0, 3, lambda i, c: [c], 1.0)",
        "TypeMismatchError",
        ["structure"],
    ),
    "int to float": (
        "bital.scan(lambda c, x: (c / 2, None), np.int64(3), length=2)",
        "TypeMismatchError",
        ["int64", "float64"],
    ),
    "pair": (
        "bital.scan(lambda c, x: c, 1.0, np.ones(2))",
        "ArgumentError",
        [r"\(carry, None\)"],
    ),
    "scalar xs": (
        "bital.scan(lambda c, x: (c, x), 1.0, [np.ones(2), 3.0])",
        "ArgumentError",
        [r"xs\[1\]", "close over"],
    ),
    "lengths": (
        "bital.scan(lambda c, x: (c, x), 1.0, (np.ones(2), np.ones(3)))",
        "ArgumentError",
        [r"xs\[0\]: 2, xs\[1\]: 3"],
    ),
    "length and xs": (
        "bital.scan(lambda c, x: (c, x), 1.0, np.ones(2), length=3)",
        "ArgumentError",
        ["xs: 2, length: 3"],
    ),
    "negative length": (
        "bital.scan(lambda c, x: (c, x), 1.0, length=-1)",
        "ArgumentError",
        ["length: -1"],
    ),
    "no length": ("bital.scan(lambda c, x: (c, x), 1.0)", "ArgumentError", ["length="]),
    "traced length": (
        "bital.jit(lambda n: bital.scan(lambda c, x: (c, x), 1.0, length=n))(3)",
        "ArgumentError",
        ["static_argnums", "while_loop"],
    ),
    "text": (
        "bital.scan(lambda c, x: (c, x), {'a': 'b'}, np.ones(2))",
        "ArgumentError",
        [r"init\['a'\]"],
    ),
    "condition": (
        "bital.while_loop(lambda c: c > np.zeros(2), lambda c: c, 1.0)",
        "TypeMismatchError",
        [r"bool\[2\]", "np.any"],
    ),
    "condition of ints": (
        "bital.while_loop(lambda c: c, lambda c: c, 1)",
        "TypeMismatchError",
        ["int64", "x > 0"],
    ),
    "nothing to turn": (
        "bital.while_loop(lambda c: True, lambda c: c, ())",
        "ArgumentError",
        ["never end"],
    ),
    "bound": (
        "bital.fori_loop(0, 2.0, lambda i, c: c, 1.0)",
        "ArgumentError",
        ["upper", "integer", "2.0"],
    ),
    "predicates": (
        "bital.jit(lambda x: bital.cond(x > 0, np.sin, np.cos, x))(np.ones(2))",
        "TypeMismatchError",
        ["one value", "np.where"],
    ),
    "branch dtypes": (
        "bital.jit(lambda x: bital.cond(x > 0, lambda: x, lambda: np.float32(1)))(np.float64(2))",
        "TypeMismatchError",
        [r"float64\[\]", r"float32\[\]", "astype"],
    ),
    "branch shapes": (
        "bital.jit(lambda x: bital.cond(x > 0, lambda: [x], lambda: [x * np.ones(2)]))(1.0)",
        "TypeMismatchError",
        [r"result\[0\]", r"float64\[2\]"],
    ),
    "branch structures": (
        "bital.jit(lambda x: bital.cond(x > 0, lambda: x, lambda: (x, x)))(1.0)",
        "TypeMismatchError",
        ["structure"],
    ),
    "a branch in a body": (
        "bital.scan(lambda c, x: (c if c > 0 else x, x), 1.0, np.ones(2))",
        "TracerBoolError",
        [r"bital\.cond", r"bital\.while_loop", r"np\.where"],
    ),
    "a carry that is kept": (
        "(kept := []) or bital.scan(lambda c, x: (kept.append(c) or c, x), 1.0, np.ones(2)) "
        "and kept[0] + 1",
        "LeakedTracerError",
        ["returned"],
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes(name):
    code, kind, patterns = MISTAKES[name]
    with pytest.raises(getattr(errors, kind)) as caught:
        eval(code, {"np": np, "bital": bital})
    for pattern in patterns:
        assert caught.match(pattern)


def test_the_forms_that_the_error_of_a_branch_names_work():
    with pytest.raises(errors.TracerBoolError) as caught:
        bital.jit(lambda x: 1.0 if x > 1 else x)(2.0)
    for form, value in [
        ("bital.cond(x > 0, lambda x: x / 2, lambda x: 3 * x, x)", 4.0),
        ("bital.while_loop(lambda x: x > 1, lambda x: x / 2, x)", 1.0),
        ("bital.fori_loop(0, n, lambda i, x: x * i, x)", 0.0),
    ]:
        assert form in str(caught.value)
        f = eval(f"lambda x, n: {form}", {"bital": bital})
        assert bital.jit(f)(8.0, 3) == value
