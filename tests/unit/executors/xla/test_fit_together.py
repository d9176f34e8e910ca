"""`fit` in several processes: the numbers of one device; a run that goes on after a loss."""

import importlib.util
import json
import signal
import time
from pathlib import Path

import fitting
import numpy as np
import pytest
from real_processes import finished, running

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("jax") is None, reason="JAX is not installed"
)
PROGRAM = Path(fitting.__file__)


@pytest.fixture(scope="module")
def alone():
    """The history on one device."""
    return fitting.fit()


def history(out):
    """What a process printed."""
    return json.loads(next(line for line in out.splitlines() if line[:8] == "history ")[8:])


def require_same(found, wanted):
    assert set(found) == set(wanted)
    for name, values in wanted.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-5, err_msg=name)


def same_in(count, alone, folder="none"):
    with running(count, PROGRAM, folder, "none", "whole") as made:
        for process in made:
            status, out, err = finished(process)
            assert status == 0, err
            require_same(history(out), alone)


def test_two_processes_train_as_one_device_does(alone):
    same_in(2, alone)


@pytest.mark.slow
def test_four_processes_train_as_one_device_does(alone):
    same_in(4, alone)


@pytest.mark.slow
def test_cut_weights_are_refused_where_gloo_would_abort():
    with running(2, PROGRAM, "none", "none", "cut") as made:
        for process in made:
            status, _, err = finished(process)
            assert status == 1
            assert "weights are not cut among 2 processes on processors" in err


@pytest.mark.slow
def test_a_loss_that_is_no_number_ends_all():
    with running(2, PROGRAM, "none", "none", "diverging") as made:
        for process in made:
            status, _, err = finished(process)
            assert status == 1
            assert "NonFiniteLossError: the loss became nan in epoch 1, batch" in err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "victim", "after"), [(2, 1, 1), (2, 0, 4), (4, 2, 2), (1, 0, 2)]
)
def test_a_run_that_lost_a_process_goes_on(before, victim, after, alone, tmp_path):
    with running(before, PROGRAM, tmp_path, victim, "whole") as made:
        for index, process in enumerate(made):
            status, _, err = finished(process)
            if index == victim:
                assert status == -signal.SIGKILL
            else:
                assert status == 1, err
                assert f"ProcessLostError: process {victim} of {before}" in err
    assert list(tmp_path.glob("checkpoint-*"))
    same_in(after, alone, tmp_path)


@pytest.mark.slow
def test_the_command_line_goes_on_after_a_loss(tmp_path, monkeypatch):
    """Process 0 alone prints and writes; one process ends what two began, as if it had been one."""
    monkeypatch.chdir(tmp_path)
    train = ["-m", "bital.cli", "train", "mnist"]
    network = ["--hidden", "none", "--dropout", "0", "--epochs", "2", "--batch-size", "1000"]
    with running(2, *train, *network, "--distributed", "--out", "run") as made:
        while not Path("run/metrics.csv").exists():
            assert made[0].poll() is None, made[0].communicate()
            time.sleep(0.05)
        made[1].kill()
        status, out, err = finished(made[0])
        assert status == 1
        assert "process 1 of 2" in err
        assert "1/2" in out
        assert "1/2" not in made[1].communicate()[0]
    with running(1, *train, "--resume", "run", "--distributed") as made:
        status, out, err = finished(made[0])
        assert status == 0, err
    with running(1, *train, *network, "--executor", "xla", "--out", "alone") as made:
        assert finished(made[0])[0] == 0
    found, wanted = (
        json.loads(Path(name, "metrics.json").read_text())["scores"] for name in ("run", "alone")
    )
    for part, scores in wanted.items():
        for name, value in scores.items():
            assert found[part][name] == pytest.approx(value, rel=1e-5), (part, name)


def test_another_executor_is_refused():
    refused = ["-m", "bital.cli", "train", "mnist", "--distributed", "--executor", "numpy"]
    with running(1, *refused) as (process,):
        status, _, err = finished(process)
        assert status == 2
        assert "--distributed needs --executor xla, not numpy" in err
