"""A million mutated model files: refused, or loaded; nothing else happens.

A whole file costs about a millisecond to load and a quarter of that to refuse, so most of the
million are files with changed bytes; the layers behind the checksum get mutations of their own.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bital import keras

MODELS = Path(__file__).parents[2] / "data" / "models"
FUZZER = Path(__file__).with_name("fuzz_model_files.py")
MILLION = [
    *[("bytes", 200_000)] * 4,
    ("text", 90_000),
    ("header", 30_000),
    ("document", 40_000),
    ("state", 40_000),
]
KINDS = dict(MILLION)


@pytest.fixture
def files(tmp_path):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.compile("adam", "mse", metrics=["mae"])
    stopping = keras.callbacks.EarlyStopping("loss", restore_best_weights=True, patience=2)
    model.fit(
        np.ones((9, 4)), np.ones((9, 2)), verbose=0, callbacks=[stopping], resume=tmp_path / "run"
    )
    found = [shutil.copy(path, tmp_path) for path in MODELS.glob("*.safetensors")]
    (checkpoint,) = (tmp_path / "run").glob("checkpoint-00000002.*")
    return [*found, shutil.copy(checkpoint, tmp_path / "checkpoint.safetensors")]


def started(kind, count, seed, files):
    command = [sys.executable, FUZZER, kind, str(count), str(seed), *map(str, files)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def check(process, kind, count):
    output, _ = process.communicate()
    assert process.returncode == 0, f"{kind}: the process ended with {process.returncode}"
    found = json.loads(output)
    print(found)
    assert found["faults"] == []
    assert found["count"] == count
    assert found["refused"] > 0.8 * count
    assert found["grown_mib"] < 200
    assert found["slowest"] < 20


def test_a_few(files):
    for kind in KINDS:
        check(started(kind, 150, 1, files), kind, 150)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(len(MILLION)))
def test_a_million(part, files):
    kind, count = MILLION[part]
    seed = np.random.SeedSequence().entropy % 2**32
    print("seed", seed)
    check(started(kind, count, seed, files), kind, count)
