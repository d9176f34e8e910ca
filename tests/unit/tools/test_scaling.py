"""docs/scaling.md says what tools/scaling.py computes, and that agrees with numbers by hand."""

import itertools
import math
import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

from bital import keras

scaling = SimpleNamespace(
    **runpy.run_path(str(Path(__file__).parents[3] / "tools" / "scaling.py"), run_name="scaling")
)
CONVNET, LARGE, MACHINES, Machine = (
    getattr(scaling, name) for name in ("CONVNET", "LARGE", "MACHINES", "Machine")
)


def test_the_page_is_up_to_date():
    text = scaling.PAGE.read_text()
    assert scaling.page(text) == text


def test_the_convnet_has_the_weights_of_the_benchmark():
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            keras.layers.Conv2D(32, 3, activation="relu"),
            keras.layers.MaxPooling2D(2),
            keras.layers.Conv2D(64, 3, activation="relu"),
            keras.layers.MaxPooling2D(2),
            keras.layers.Flatten(),
            keras.layers.Dense(128, "relu"),
            keras.layers.Dense(10, "softmax"),
        ]
    )
    assert CONVNET.weights == model.count_params()
    products = 26 * 26 * 9 * 32 + 11 * 11 * 9 * 32 * 64 + 1600 * 128 + 128 * 10
    assert CONVNET.flops == 6 * products


def test_the_transformer_has_a_billion_weights():
    attention, inner = 4 * 2048**2, 2 * 2048 * 8192
    assert LARGE.weights == 18 * (attention + inner) + 50_304 * 2048
    assert 1.0e9 < LARGE.weights < 1.02e9
    assert LARGE.flops / LARGE.weights == pytest.approx(6 + 0.9, abs=0.01)


def simulated(count, machine, size):
    """A ring of devices, message by message: bytes that one sends, and when all have the sum."""
    held = {device: dict.fromkeys(range(count), 1) for device in range(count)}
    seconds = sent = 0.0
    for step in range(2 * (count - 1)):
        moves = []
        for device in range(count):
            part = (device - step) % count
            moves.append(((device + 1) % count, part, held[device][part]))
        for device, part, value in moves:
            gathering = step >= count - 1
            held[device][part] = value if gathering else held[device][part] + value
        seconds += machine.near_wait + size / count / machine.near
        sent += size / count
    assert all(value == count for each in held.values() for value in each.values())
    return sent, seconds


@pytest.mark.parametrize("count", [2, 4, 8])
def test_sums_are_those_of_a_ring(count):
    """The model's waits are those of halving and doubling; without them it is the ring."""
    machine = Machine("", 1.0, 1.0, 1.0, 1024, near=3e9, far=1.0, near_wait=0.0, far_wait=0.0)
    sent, seconds = simulated(count, machine, 4e6)
    assert 2 * scaling.half(machine, 4e6, count, 1) == pytest.approx(seconds)
    assert sent == pytest.approx(2 * (count - 1) / count * 4e6)


def test_halving_and_doubling_takes_its_steps():
    machine = Machine("", 1.0, 1.0, 1.0, 1024, near=1.0, far=1.0, near_wait=1e-3, far_wait=0.0)
    assert scaling.half(machine, 0, 64, 3) == pytest.approx(3 * 6e-3)


def test_groups_send_their_part_alone():
    """16 GPUs in two nodes: 7/8 within, then half of an eighth between, by hand."""
    gpu = MACHINES[0]
    expected = 3 * gpu.near_wait + gpu.far_wait + 7 / 8 * 8e9 / 450e9 + 1 / 2 * 1e9 / 50e9
    assert scaling.half(gpu, 8e9, 16, 1) == pytest.approx(expected)


def test_cut_weights_send_as_much_as_copied_ones():
    for count in (2, 64, 1024):
        assert scaling.sent(LARGE, count, True) == scaling.sent(LARGE, count, False)


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_more_devices_never_compute_a_larger_share(machine):
    for grows in (True, False):
        for work in (CONVNET, LARGE):
            found = [scaling.shares(machine, work, n, grows, True) for n in scaling.COUNTS]
            low = [both[0] for both in found if both is not None]
            assert low[0] == 1.0
            assert all(a >= b for a, b in itertools.pairwise(low))


def test_the_best_interval_loses_least():
    """Young's: writing and repeating cost the same there."""
    seconds, between = 6.0, 3600.0
    best = math.sqrt(2 * seconds * between)
    lost = [seconds / t + t / (2 * between) for t in (best / 2, best, best * 2)]
    assert lost[1] == min(lost)
