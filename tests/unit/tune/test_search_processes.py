"""Searches that are killed, and several processes at one study."""

import importlib.util
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

optuna = pytest.importorskip("optuna")

from bital import tune  # noqa: E402
from bital.errors import ArgumentError  # noqa: E402
from bital.tune import ledger  # noqa: E402
from bital.tune.storage import open_storage  # noqa: E402

CHILD = Path(__file__).with_name("search_child.py")
_spec = importlib.util.spec_from_file_location("search_child", CHILD)
child = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(child)


def storage_at(folder, kind):
    return str(folder / "study.journal") if kind == "journal" else f"sqlite:///{folder}/study.db"


def start(storage, n_trials, sampler):
    command = [sys.executable, str(CHILD), storage, str(n_trials), sampler]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def trials_of(storage):
    study = optuna.load_study(study_name="search", storage=open_storage(storage))
    return study.get_trials()


def by_place(trials):
    """What each place has come to; killed attempts left out."""
    state = optuna.trial.TrialState.FAIL
    placed = zip(ledger.places(trials), trials, strict=True)
    return [(place, t.params, t.value, t.state) for place, t in placed if t.state != state]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "n_trials", "least"), [("journal", 10, 2), ("sqlite", 5, 1)])
def test_a_search_that_is_killed_ends_in_the_same_trials(tmp_path, kind, n_trials, least):
    """SIGKILL at random places; TPE draws from all trials before, so each of them counts."""
    whole = child.run(None, n_trials, "tpe").study.get_trials()
    storage = storage_at(tmp_path, kind)
    rng = random.Random(kind)
    kills, seen, ended = 0, {}, False
    while not ended:
        process = start(storage, n_trials, "tpe")
        for _ in range(rng.randint(11, 35)):  # at least one trial gets done
            process.stdout.readline()  # a line for each epoch
        ended = process.poll() is not None
        process.kill()
        process.communicate()
        now = {t.number: t for t in trials_of(storage)}
        for number, trial in seen.items():
            if trial.state.is_finished():
                assert now[number] == trial  # nothing that was finished is lost or changed
        seen = now
        kills += not ended
    assert kills >= least
    ended = child.run(storage, n_trials, "tpe")
    assert sorted(by_place(ended.study.get_trials())) == by_place(whole)
    again = [trial for trial in seen.values() if ledger.PLACE in trial.user_attrs]
    assert len(again) == [trial.state for trial in ended.trials].count("unfinished") >= 1


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["journal", "sqlite"])
def test_two_processes_share_a_study(tmp_path, kind):
    storage = storage_at(tmp_path, kind)
    n_trials = 24 if kind == "journal" else 8
    both = [start(storage, n_trials, "random") for _ in range(2)]
    lines = [process.communicate()[0].splitlines() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert all(len(text) > 10 for text in lines)  # both have worked
    found = by_place(trials_of(storage))
    assert sorted(place for place, *_ in found) == list(range(n_trials))
    alone = by_place(child.run(None, n_trials, "random").study.get_trials())
    assert {p: params for p, params, *_ in found} == {p: params for p, params, *_ in alone}


@pytest.mark.slow
def test_workers_of_one_search(tmp_path):
    storage = storage_at(tmp_path, "journal")
    for place in (None, storage):
        found = child.run(place, 8, "random", n_jobs=2)
        assert [t.state for t in found.trials].count("unfinished") <= 1
        done = by_place(found.study.get_trials())
        alone = by_place(child.run(None, 8, "random").study.get_trials())
        assert {p: params for p, params, *_ in done} == {p: params for p, params, *_ in alone}


def count_threads(model, x, y):
    """A score: the threads that the trial's process may use."""
    import bital

    return bital.config.num_threads()


@pytest.mark.slow
def test_workers_have_their_share_of_the_threads(monkeypatch):
    from joblib import cpu_count
    from joblib.externals.loky import get_reusable_executor

    for name in ("OMP_NUM_THREADS", "BITAL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    get_reusable_executor().shutdown(wait=True)  # workers of other tests have other limits
    options = {"n_trials": 4, "sampler": "random", "cv": 0.5, "refit": False}
    found = tune.search(child.build, child.SPACE, child.x, child.y, scoring=count_threads,
                        n_jobs=4, **options)  # fmt: skip
    assert {t.score for t in found.trials} == {max(1.0, cpu_count() // 4)}


def running(study, worker):
    study.enqueue_trial({"units": 4}, user_attrs={ledger.WORKER: worker} if worker else None)
    return study.ask({"units": optuna.distributions.CategoricalDistribution([4, 8])})


@pytest.mark.parametrize(
    ("change", "taken"),
    [
        ({}, False),  # this process is at it
        ({"token": "of an earlier process with this number"}, True),
        ({"pid": 2**22 + 1}, True),  # no such process
        ({"host": "elsewhere", "pid": 2**22 + 1}, False),
        ({"host": "elsewhere", "time": time.time() - 1000}, True),
    ],
)
def test_what_a_process_left_is_taken_up(change, taken):
    study = optuna.create_study()
    running(study, {**ledger._worker(), **change})
    claimed = ledger.claim(study, 1)
    if not taken:
        assert claimed is None
        return
    trial, place = claimed
    assert place == 0
    assert study.trials[0].state == optuna.trial.TrialState.FAIL
    assert trial.number == 1
    assert trial.suggest_categorical("units", [4, 8]) == 4  # what the first one had drawn


def test_a_trial_that_takes_its_process_down_each_time_is_given_up():
    study = optuna.create_study()
    for _ in range(ledger.ATTEMPTS):
        trial, place = ledger.claim(study, 1)
        assert place == 0
        ledger.leave(study, trial.number)
    assert ledger.claim(study, 1) is None
    assert ledger.claim(study, 2)[1] == 1


def test_half_a_line_at_the_end_of_a_journal_is_cut_off(tmp_path):
    storage = storage_at(tmp_path, "journal")
    child.run(storage, 2, "random")
    with open(storage, "ab") as file:
        file.write(b'{"op_code":4,"trial')
    assert len(child.run(storage, 3, "random").trials) == 3


def test_a_folder_is_no_journal(tmp_path):
    with pytest.raises(ArgumentError, match="is a folder"):
        child.run(str(tmp_path), 2, "random")
