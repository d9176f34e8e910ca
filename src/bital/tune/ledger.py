"""Which trials a study still needs, and who is at work on them.

Every trial has a *place*: 0 for the first one, and so on. What a trial draws depends on the seed,
its place and the trials finished before it, so a search that was killed goes on as if it had not
been. A trial that was not finished is marked as failed, and a new one takes its place and its
hyperparameters. All of this is worked out from what the storage holds: any process can be killed
between any two writes, and another one finds the same.
"""

from __future__ import annotations

import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

from bital.tune.optional import load_optuna

PLACE, WORKER = "bital:place", "bital:worker"
BEAT_SECONDS = 15.0
"""How often a process says that it still works on its trial."""
SILENT_SECONDS = 120.0
"""After so many seconds without that, a process on another machine counts as gone."""
ATTEMPTS = 10
"""How often a trial is begun that takes its process down each time."""

_TOKEN = (os.getpid(), uuid.uuid4().hex)


def places(trials: Sequence[Any]) -> list[int]:
    """The place of each trial of a study, in the order of their numbers."""
    found, following = [], 0
    for trial in trials:
        again = trial.user_attrs.get(PLACE)
        found.append(following if again is None else again)
        following += again is None
    return found


def claim(study: Any, n_trials: int) -> tuple[Any, int] | None:
    """Take the next trial, and its place; None when all have been taken.

    What was left unfinished comes first.
    """
    state = load_optuna().trial.TrialState
    _mark_the_dead(study)
    while True:
        trials = study.get_trials(deepcopy=False)
        by_place: dict[int, list[Any]] = {}
        for place, trial in zip(places(trials), trials, strict=True):
            by_place.setdefault(place, []).append(trial)
        wanted = [place for place in range(n_trials) if _is_open(by_place.get(place, []))]
        if not wanted:
            return None
        before = by_place.get(wanted[0], [])
        if not any(trial.state == state.WAITING for trial in before):
            # Waiting first, then asked for: so the trial is born with the name of its worker.
            again = {PLACE: wanted[0]} if before else {}
            study.enqueue_trial(_params_of(before), user_attrs={WORKER: _worker(), **again})
        trial = study.ask()
        place, ours = _settle(study, trial, n_trials)
        if ours:
            trial.set_user_attr(WORKER, _worker())
            return trial, place
        leave(study, trial.number)  # another process was quicker


def leave(study: Any, number: int) -> None:
    """End a trial without a result; its place is open again."""
    optuna = load_optuna()
    with suppress(
        ValueError, RuntimeError, optuna.exceptions.OptunaError
    ):  # somebody else has ended it
        study.tell(number, state=optuna.trial.TrialState.FAIL)


def _settle(study: Any, trial: Any, n_trials: int) -> tuple[int, bool]:
    """The trial's place, and whether no other trial has it."""
    trials = study.get_trials(deepcopy=False)
    all_places = places(trials)
    place = all_places[trial.number]
    others = [t for t, p in zip(trials, all_places, strict=True) if p == place]
    first = next(t for t in others if t.number == trial.number or _holds(t))
    return place, first.number == trial.number and place < n_trials


def _is_open(trials: Sequence[Any]) -> bool:
    """Whether a place needs a trial: nobody has finished it, or is at it."""
    failed = load_optuna().trial.TrialState.FAIL
    return not any(map(_holds, trials)) and sum(t.state == failed for t in trials) < ATTEMPTS


def _holds(trial: Any) -> bool:
    state = load_optuna().trial.TrialState
    return trial.state in (state.COMPLETE, state.PRUNED, state.RUNNING)


def _params_of(trials: Sequence[Any]) -> dict[str, Any]:
    """The hyperparameters that earlier trials of a place had drawn; a later one drew no fewer."""
    return max((t.params for t in trials), key=len, default={})


def _mark_the_dead(study: Any) -> None:
    running = load_optuna().trial.TrialState.RUNNING
    for trial in study.get_trials(deepcopy=False, states=(running,)):
        if not _is_alive(trial):
            leave(study, trial.number)


def _is_alive(trial: Any) -> bool:
    worker = trial.user_attrs.get(WORKER)
    if not isinstance(worker, dict):  # killed before it could write its name
        return bool((datetime.now() - trial.datetime_start).total_seconds() < SILENT_SECONDS)
    if worker["host"] == socket.gethostname():
        if worker["pid"] == os.getpid():
            return bool(worker["token"] == _token())
        if not _exists(worker["pid"]):
            return False
    return bool(time.time() - worker["time"] < SILENT_SECONDS)


def _exists(pid: int) -> bool:
    if os.name == "nt":  # there is no harmless signal there: silence tells
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _token() -> str:
    global _TOKEN
    if _TOKEN[0] != os.getpid():  # a fork
        _TOKEN = (os.getpid(), uuid.uuid4().hex)
    return _TOKEN[1]


def _worker() -> dict[str, Any]:
    host = socket.gethostname()
    return {"host": host, "pid": os.getpid(), "token": _token(), "time": time.time()}


@contextmanager
def beating(trial: Any, lasting: bool) -> Iterator[None]:
    """Say every few seconds that this process is at work on the trial, where others can see it."""
    if not lasting:
        yield
        return
    ended = threading.Event()

    def beat() -> None:
        with suppress(
            RuntimeError, load_optuna().exceptions.OptunaError
        ):  # others took it for dead
            while not ended.wait(BEAT_SECONDS):
                trial.set_user_attr(WORKER, _worker())

    thread = threading.Thread(target=beat, name="bital-tune-beat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
