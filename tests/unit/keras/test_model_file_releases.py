"""Model files of every release and kind still load, give the same outputs, and train on."""

from pathlib import Path

import numpy as np
import pytest

from bital.keras.models import load_model

FILES = sorted((Path(__file__).parents[2] / "data" / "models").glob("*.safetensors"))


def tree(data, name):
    """What ``flat`` in make_model_files.py took apart."""
    if name in data:
        return data[name]
    return {key.partition("/")[2]: data[key] for key in data if key.startswith(f"{name}/")}


def test_each_kind_is_there():
    assert {"v1-mlp", "v2-mlp", "v2-convnet", "v2-lstm", "v2-functional", "v2-custom"} <= {
        file.stem for file in FILES
    }


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_stored_file(file, tmp_path):
    data = dict(np.load(file.with_suffix(".npz")))
    model = load_model(file)
    x, y = tree(data, "x"), tree(data, "y")
    found, expected = model.predict(x), tree(data, "outputs")
    for name in expected if isinstance(expected, dict) else [None]:
        one, two = (found, expected) if name is None else (found[name], expected[name])
        # Other processors and numbers of threads round otherwise.
        np.testing.assert_allclose(one, two, rtol=2e-5, atol=1e-6)
    model.save(tmp_path / "again.safetensors")
    again = load_model(tmp_path / "again.safetensors")
    assert again.get_config() == model.get_config()
    model.fit(x, y, batch_size=5, verbose=0, seed=2)
    for variable in model.weights:
        np.testing.assert_allclose(
            variable.value, data[f"after/{variable.path}"], rtol=2e-3, atol=2e-5
        )
