"""What layers learn from data, beside Keras 3."""

import numpy as np
import pytest

from bital.keras import layers

theirs = pytest.importorskip("keras")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.mark.parametrize("bins", [2, 7, 40])
@pytest.mark.parametrize("sizes", [[30], [5000], [300, 2000, 7]])
def test_boundaries_of_discretization(bins, sizes):
    rng = np.random.default_rng(bins)
    parts = [rng.gamma(2, size=(size, 2)) for size in sizes]
    keras = theirs.layers.Discretization(num_bins=bins)
    for part in parts:  # adapt(data) needs TensorFlow; this is what it does
        keras.update_state(part)
    keras.finalize_state()
    ours = layers.Discretization(num_bins=bins)
    ours.adapt(iter(parts))
    np.testing.assert_allclose(ours.bin_boundaries, keras.bin_boundaries, rtol=1e-6)
