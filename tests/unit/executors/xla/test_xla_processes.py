"""Real processes over loopback: what they decide together, and what they say when one is gone."""

import importlib.util
import os
import signal
import textwrap

import pytest
from real_processes import finished, running

from bital.errors import ArgumentError, ModelStateError

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("jax") is None, reason="JAX is not installed"
)

SHARED = """
import os, signal, sys, time
import numpy as np
from bital.executors.xla import line, processes

def common():
    # A function of an array that is cut over the processes, computed by all together.
    import jax
    from jax.sharding import NamedSharding, PartitionSpec
    mesh = jax.sharding.Mesh(jax.devices(), ("batch",))
    x = np.arange(8.0, dtype=np.float32)
    cut = NamedSharding(mesh, PartitionSpec("batch"))
    array = jax.make_array_from_callback(x.shape, cut, lambda index: x[index])
    whole = NamedSharding(mesh, PartitionSpec())
    return array, jax.jit(lambda x: (x * x).sum(), out_shardings=whole)

index = int(os.environ["JAX_PROCESS_ID"])
"""


def decide(count):
    code = """
    with processes.joined():
        assert processes.index() == index
        assert processes.agree([index + 5, 0.1]) == [5, 0.1]
        assert processes.any_of(index == processes.count() - 1)
        assert not processes.any_of(False)
        array, function = common()
        assert not array.is_fully_addressable
        np.testing.assert_array_equal(processes.gathered(array), np.arange(8.0))
        print("sum", float(np.asarray(function(array))))
    assert processes.count() == 1
    """
    with running(count, "-c", SHARED + textwrap.dedent(code)) as made:
        for process in made:
            status, out, err = finished(process)
            assert status == 0, err
            assert "sum 140.0" in out


@pytest.mark.slow
def test_two_processes_decide_and_compute_together():
    decide(2)


@pytest.mark.slow
def test_four_processes_decide_and_compute_together():
    decide(4)


LOOP = """
with processes.joined():
    array, function = common()
    for step in range(100_000):
        {decision}
        with processes.translated():
            np.asarray(function(array))
        if step == 20 and index == {victim}:
            {end}
"""


def loop(victim, end, decision="pass"):
    return LOOP.format(victim=victim, end=end, decision=decision)


KILL = "os.kill(os.getpid(), signal.SIGKILL)"
STOP = "os.kill(os.getpid(), signal.SIGSTOP)"
FAIL = "raise ValueError('no such sample')"


def losing(count, victim, end, words, code=""):
    with running(count, "-c", SHARED + code + loop(victim, end)) as made:
        for index, process in enumerate(made):
            if index != victim:
                status, _, err = finished(process)
                assert status == 1, err
                assert f"ProcessLostError: process {victim} of {count}" in err
                assert words in err
                assert "goes on from its last checkpoint" in err
                assert "Check failure" not in err  # JAX has not aborted the process
        if end == KILL:
            assert made[victim].wait(60) == -signal.SIGKILL
        elif end == FAIL:
            status, _, err = finished(made[victim])
            assert status == 1
            assert "ValueError: no such sample" in err


@pytest.mark.slow
def test_a_killed_process_is_named_by_the_others():
    losing(2, 0, KILL, "ended without a word")  # JAX's service is in process 0


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1, 3])
@pytest.mark.parametrize(
    ("end", "words"),
    [(KILL, "ended without a word"), (FAIL, "ended with ValueError: no such sample")],
)
def test_four_processes_lose_one(victim, end, words):
    losing(4, victim, end, words)


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_a_stopped_process_is_named_by_the_others(victim):
    """They stand in a sum that never comes, so that only the thread of the line can end them."""
    sooner = "\nline.BEAT, line.SILENCE, line.GRACE = 0.5, 5, 3\n"
    losing(2, victim, STOP, "no sign of life for", sooner)


@pytest.mark.slow
def test_an_exit_status_is_kept_and_the_others_hear():
    code = """
    processes.start()
    array, function = common()
    for step in range(100_000):
        with processes.translated():
            np.asarray(function(array))
        if step == 20 and index == 1:
            sys.exit(3)
    """
    with running(2, "-c", SHARED + textwrap.dedent(code)) as made:
        assert finished(made[1])[0] == 3
        status, _, err = finished(made[0])
        assert status == 1
        assert "process 1 of 2" in err
        assert "came to the end of its program before them" in err


@pytest.mark.slow
def test_processes_without_a_common_end_end_together():
    code = """
    processes.start()
    array, function = common()
    np.asarray(function(array))
    time.sleep(index)
    """
    with running(2, "-c", SHARED + textwrap.dedent(code)) as made:
        for process in made:
            status, _, err = finished(process)
            assert status == 0, err


# Who is who ---------------------------------------------------------------------------------------


def found(environment, *given):
    from bital.executors.xla import processes

    return processes._checked(processes.found(environment, *given))


JAX = {
    "JAX_COORDINATOR_ADDRESS": "10.0.0.1:6300",
    "JAX_NUM_PROCESSES": "4",
    "JAX_PROCESS_ID": "3",
}
TORCHRUN = {
    "MASTER_ADDR": "node7",
    "MASTER_PORT": "29500",
    "WORLD_SIZE": "16",
    "RANK": "9",
    "LOCAL_RANK": "1",
}
SLURM = {
    "SLURM_JOB_ID": "1000",
    "SLURM_STEP_NODELIST": "node[07-08]",
    "SLURM_NTASKS": "2",
    "SLURM_PROCID": "1",
    "SLURM_LOCALID": "0",
    "SLURM_STEP_NUM_NODES": "2",
}


@pytest.mark.parametrize(
    ("environment", "given", "place"),
    [
        (JAX, (), ("10.0.0.1:6300", 4, 3, None)),
        (TORCHRUN, (), ("node7:29500", 16, 9, [1])),
        ({**TORCHRUN, **JAX}, (), ("10.0.0.1:6300", 4, 3, None)),
        (JAX, ("h:1", 8, 0), ("h:1", 8, 0, None)),
        (JAX, (None, None, 2), ("10.0.0.1:6300", 4, 2, None)),
        ({}, ("[::1]:99", 2, 1), ("[::1]:99", 2, 1, None)),
        ({}, (None, 1, None), (None, 1, 0, None)),
    ],
)
def test_places_are_found(environment, given, place):
    from dataclasses import astuple

    assert astuple(found(environment, *given)) == place


def test_slurm_is_asked_through_jax(monkeypatch):
    for name, value in SLURM.items():
        monkeypatch.setenv(name, value)
    place = found(os.environ)
    assert place.coordinator.startswith("node07:")
    assert (place.count, place.index, place.devices) == (2, 1, [0])


@pytest.mark.parametrize(
    ("environment", "given", "words"),
    [
        ({}, (), "missing: coordinator, count, index; known: nothing"),
        ({"JAX_NUM_PROCESSES": "2"}, (), "missing: coordinator, index; known: .*2"),
        ({**JAX, "JAX_PROCESS_ID": "x"}, (), "JAX_PROCESS_ID='x': give a number"),
        ({**JAX, "JAX_PROCESS_ID": "4"}, (), "number 4 of 4; .* 0 to 3"),
        (JAX, ("10.0.0.1",), "'10.0.0.1' is not host:port"),
    ],
)
def test_what_is_missing_or_wrong_is_said(environment, given, words, monkeypatch):
    for name in ("KUBERNETES_SERVICE_HOST", "OMPI_MCA_orte_hnp_uri", *SLURM):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ArgumentError, match=words):
        found(environment, *given)


def test_alone_nothing_is_asked_of_others():
    from bital.executors.xla import processes

    processes.start(count=1)
    assert (processes.index(), processes.count()) == (0, 1)
    assert processes.agree([3, 1.5]) == [3, 1.5]
    assert processes.any_of(True)
    error = ValueError("x")
    assert processes.lost(error) is error
    processes.stop()


def test_too_late_is_said():
    import jax

    from bital.executors.xla import processes

    jax.devices()
    with pytest.raises(ModelStateError, match="too late"):
        processes.start("127.0.0.1:1", 2, 1)
