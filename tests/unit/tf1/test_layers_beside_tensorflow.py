"""Layers and cells give TensorFlow's own names, shapes, values, gradients and updates.

TensorFlow is asked in an environment of its own, whose interpreter the variable
BITAL_TENSORFLOW_PYTHON names.
"""

import json
import os
import subprocess
from pathlib import Path

import layers_and_cells as cases
import numpy as np
import pytest

import bital.tf1 as tf

PYTHON = "BITAL_TENSORFLOW_PYTHON"


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    if not os.environ.get(PYTHON):
        pytest.skip(f"{PYTHON} names no interpreter that has TensorFlow")
    path = tmp_path_factory.mktemp("tensorflow") / "results.json"
    script = Path(cases.__file__)
    done = subprocess.run(
        [os.environ[PYTHON], str(script), str(path)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(path.read_text())


@pytest.mark.slow
def test_layers_and_cells_are_those_of_tensorflow(theirs):
    for name in cases.CASES:
        ours, other = cases.results(tf, name), theirs[name]
        for key in ("names", "shapes", "without_gradient"):
            assert ours[key] == other[key], (name, key)
        for i, (one, two) in enumerate(zip(ours["values"], other["values"], strict=True)):
            message = f"{name}: value {i}"
            np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-4, err_msg=message)
