"""`fit` in several processes: the numbers of one device; a run that goes on after a loss."""

import importlib.util
import json
import signal
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


def same_in(count, alone):
    with running(count, PROGRAM, "none", "none", "whole") as made:
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
    with running(after, PROGRAM, tmp_path, "none", "whole") as made:
        for process in made:
            status, out, err = finished(process)
            assert status == 0, err
            require_same(history(out), alone)
