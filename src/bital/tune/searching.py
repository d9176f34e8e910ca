"""The search itself: studies, workers, the loop over trials."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bital.errors import ArgumentError, NonFiniteLossError, StudyError
from bital.tune import ledger
from bital.tune import together as at_once
from bital.tune.data import Data
from bital.tune.objectives import EstimatorObjective, ModelObjective, Outcome, Watch
from bital.tune.optional import endings, load_joblib, load_optuna, load_sklearn
from bital.tune.result import EPOCHS, FAILURE, SCORES, Result, finished
from bital.tune.space import Space
from bital.tune.storage import open_storage

SEARCH = "bital:search"
PRUNERS = ("median", "halving", "hyperband")


class Job(NamedTuple):
    """What a worker needs; it is sent to other processes."""

    objective: Any
    space: Space
    storage: Any
    name: str
    sampler: Any
    pruner: Any
    seed: int
    n_trials: int
    deadline: float | None
    verbose: int
    parallel: bool
    together: int


def search(
    learner: Any,
    space: Any,
    X: Any,
    y: Any = None,
    *,
    sampler: Any = "tpe",
    n_trials: int | None = None,
    timeout: float | None = None,
    cv: Any = None,
    validation_data: Any = None,
    scoring: Any = None,
    direction: str | None = None,
    pruner: Any = "median",
    storage: Any = None,
    name: str = "search",
    seed: int = 0,
    n_jobs: int = 1,
    together: int = 1,
    refit: bool = True,
    fit_params: Mapping[str, Any] | None = None,
    verbose: int = 0,
) -> Result:
    """Search for hyperparameters, with Optuna.

    Parameters
    ----------
    learner : estimator or callable
        An estimator with scikit-learn's methods, a pipeline too; or a function that takes
        hyperparameters as keyword arguments and returns a compiled model of `bital.keras`.
    space : dict or callable
        The hyperparameters: ``{"units": [32, 64], "dropout": (0.0, 0.5), "learning_rate":
        Log(1e-4, 1e-1)}``; see `Space`. ``batch_size`` and ``epochs`` are arguments of a model's
        ``fit``; a function that takes them gets them too.
    X, y
        Samples, ``(n, ...)``, and targets.
    sampler : {"tpe", "random", "grid"} or sampler of Optuna's, default "tpe"
        How values are chosen: by a model of what was good (Bergstra et al. 2011), at random, or
        all combinations.
    n_trials : int, optional
        Trials of the whole study, those that it holds already included. Default: 20, or the whole
        grid.
    timeout : float, optional
        No trial is begun after so many seconds.
    cv : int, float, splitter or iterable, default 5
        Folds, as in scikit-learn; a float holds out that share once.
    validation_data : (X, y), optional
        What trials are scored on, in place of folds.
    scoring : str or callable, optional
        For estimators as in scikit-learn; default: their ``score``. For models the name of the
        loss or of a metric, default ``"loss"``; or a function of (model, x, y), of which more is
        better.
    direction : {"maximize", "minimize"}, optional
        Default: as the score has it.
    pruner : {"median", "halving", "hyperband"}, pruner of Optuna's, or None, default "median"
        Which trials end early. They report their score after epochs, and after folds.
    storage : str, path, storage of Optuna's, or None
        Where the study is kept: a file, the URL of a database, or None for memory. A study that is
        there already goes on; several processes may work on it at once.
    name : str, default "search"
        The name of the study in its storage.
    seed : int, default 0
        What the sampler draws, and start weights of models that are built by a function. An
        estimator has its own ``random_state``.
    n_jobs : int, default 1
        Processes that run trials; -1 for one a processor. Each gets its share of the threads.
    together : int, default 1
        So many trials of a function that builds are trained at once, as one program over their
        networks and folds (`bital.keras.fit_many`), where they have one architecture.
    refit : bool, default True
        Whether the best is trained on all samples in the end.
    fit_params : dict, optional
        Further arguments of ``fit``, such as ``epochs`` and ``callbacks``.
    verbose : int, default 0
        1: a line for each trial.

    Returns
    -------
    Result

    Raises
    ------
    ArgumentError, DataError
        If something does not fit; no trial has been begun then.
    StudyError
        If the storage holds another search under this name.
    MissingExtraError
        If Optuna (or, for estimators and folds, scikit-learn) is not installed.

    Notes
    -----
    A training whose loss is no longer finite is a failed trial. Any other error ends the search;
    its trial counts as unfinished, and is begun again by the next call.

    Examples
    --------
    >>> import numpy as np
    >>> from bital import keras, tune
    >>> def build(learning_rate):
    ...     model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    ...     model.compile(keras.optimizers.SGD(learning_rate), "mse")
    ...     return model
    >>> x = np.random.default_rng(0).normal(size=(60, 3))
    >>> result = tune.search(build, {"learning_rate": [1e-4, 0.1]}, x, x.sum(axis=1),
    ...                      sampler="grid", cv=0.25, fit_params={"epochs": 5})
    >>> result.best_params
    {'learning_rate': 0.1}
    """
    optuna = load_optuna()
    places = Space(space)
    objective = _objective(learner, X, y, cv, validation_data, scoring, fit_params, seed)
    objective.check(places.distributions)
    workers = _workers(n_jobs)
    if direction not in (None, "maximize", "minimize"):
        raise ArgumentError(f"search(direction={direction!r}): must be 'maximize' or 'minimize'.")
    direction = direction or objective.direction
    grid = len(places.grid()) if isinstance(sampler, str) and sampler == "grid" else None
    n_trials = _count(n_trials, grid)
    if not isinstance(together, int) or together < 1:
        raise ArgumentError(f"search(together={together!r}): must be a positive integer.")
    if together > 1 and not isinstance(objective, ModelObjective):
        raise ArgumentError(
            f"search(together={together}): trials of {type(learner).__name__} run one after the "
            "other; it takes a function that builds a model of bital.keras."
        )
    deadline = None if timeout is None else time.time() + timeout
    with _quiet(optuna), _shared(storage, workers) as place:
        job = Job(objective, places, place, name, sampler, _pruner(pruner), seed, n_trials,
                  deadline, verbose, workers * together > 1, together)  # fmt: skip
        study = _open(job, direction)
        if workers == 1:
            _work(study, job)
        else:
            joblib = load_joblib()
            joblib.Parallel(n_jobs=workers)(joblib.delayed(_join)(job) for _ in range(workers))
        if storage is None and workers > 1:  # its file goes away
            study = _copied(study, place)
        result = Result(study, places)
        if refit:
            _refit(result, objective)
    return result


def _objective(
    learner: Any, X: Any, y: Any, cv: Any, validation: Any, scoring: Any, arguments: Any, seed: int
) -> Any:
    estimator = hasattr(learner, "get_params") and hasattr(learner, "fit")
    if not estimator and (not callable(learner) or hasattr(learner, "fit")):
        hint = (
            " Write a function that builds and compiles it: each trial trains a new one."
            if hasattr(learner, "fit")
            else ""
        )
        raise ArgumentError(
            f"search({type(learner).__name__}): the first argument must be an estimator or a "
            f"function that returns a compiled model.{hint}"
        )
    arguments = dict(arguments or {})
    if not estimator:
        labels = np.asarray(y) if y is not None and not isinstance(y, (dict, tuple)) else None
        classes = labels is not None and labels.ndim == 1 and labels.dtype.kind in "biu"
        data = Data(X, y, cv, validation, classes, seed)
        return ModelObjective(learner, data, scoring, arguments, seed)
    classifier = load_sklearn("base", "A search over an estimator").is_classifier(learner)
    data = Data(X, y, cv, validation, classifier, seed)
    return EstimatorObjective(learner, data, scoring, arguments)


def _count(n_trials: int | None, grid: int | None) -> int:
    if n_trials is None:
        return 20 if grid is None else grid
    if not isinstance(n_trials, (int, np.integer)) or isinstance(n_trials, bool) or n_trials < 1:
        raise ArgumentError(f"search(n_trials={n_trials!r}): must be a positive integer.")
    return int(n_trials) if grid is None else min(int(n_trials), grid)


def _workers(n_jobs: int) -> int:
    if not isinstance(n_jobs, int) or n_jobs == 0 or n_jobs < -1:
        raise ArgumentError(f"search(n_jobs={n_jobs!r}): must be a positive integer, or -1.")
    return load_joblib().cpu_count() if n_jobs == -1 else n_jobs


def _pruner(pruner: Any) -> Any:
    pruners = load_optuna().pruners
    if pruner is None or isinstance(pruner, pruners.BasePruner):
        return pruner
    made = {
        "median": lambda: pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=2),
        "halving": lambda: pruners.SuccessiveHalvingPruner(),
        "hyperband": lambda: pruners.HyperbandPruner(),
    }
    if pruner not in made:
        raise ArgumentError(
            f"search(pruner={pruner!r}): must be one of {', '.join(map(repr, PRUNERS))}, a pruner "
            "of Optuna's, or None."
        )
    return made[pruner]()


@contextmanager
def _quiet(optuna: Any) -> Iterator[None]:
    """Without Optuna's lines, and warnings: of arguments that are new, of epochs that are few."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(max(level, logging.WARNING))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            if "sklearn" in sys.modules:
                warnings.simplefilter(
                    "ignore", load_sklearn("exceptions", "An estimator").ConvergenceWarning
                )
            yield
    finally:
        optuna.logging.set_verbosity(level)


@contextmanager
def _shared(storage: Any, workers: int) -> Iterator[Any]:
    """A storage that all workers reach; a file for a while, where none was asked for."""
    optuna = load_optuna()
    if isinstance(storage, optuna.storages.InMemoryStorage) and workers > 1:
        raise ArgumentError(
            f"search(storage=InMemoryStorage(), n_jobs={workers}): other processes cannot reach "
            "it. Give a path, or None."
        )
    if storage is not None or workers == 1:
        yield os.fspath(storage) if isinstance(storage, os.PathLike) else storage
        return
    with tempfile.TemporaryDirectory(prefix="bital-tune-") as folder:
        yield str(Path(folder) / "study.journal")


def _open(job: Job, direction: str | None) -> Any:
    """The study, a new one or that of before; a worker joins one that is there (no direction)."""
    optuna = load_optuna()
    from bital.tune import samplers  # its classes are Optuna's

    sampler = samplers.make(job.sampler, job.space, job.seed, job.parallel)
    common = {
        "study_name": job.name,
        "storage": open_storage(job.storage),
        "sampler": sampler,
        "pruner": job.pruner or optuna.pruners.NopPruner(),
    }
    if direction is None:
        study = optuna.load_study(**common)
    else:
        study = optuna.create_study(**common, direction=direction, load_if_exists=True)
        _require_same(study, job, direction)
    if isinstance(sampler, samplers.PlaceSampler):
        sampler.study = study
    return study


def _require_same(study: Any, job: Job, direction: str) -> None:
    """Note in a new study what is searched; in one that is there, compare."""
    asked = {
        "space": job.space.describe(),
        "data": job.objective.data.describe(),
        **job.objective.describe(),
    }
    if SEARCH not in study.user_attrs and not study.get_trials(deepcopy=False):
        study.set_user_attr(SEARCH, asked)
    there = {**study.user_attrs.get(SEARCH, {}), "direction": study.direction.name.lower()}
    here = {**asked, "direction": direction}
    wrong = [name for name in here if there.get(name) != here[name]]
    if wrong:
        told = "; ".join(f"{name}: {there.get(name)} there, {here[name]} here" for name in wrong)
        raise StudyError(
            f"search(storage=..., name={job.name!r}): the study that is there differs in {told}. "
            "Give this search another name, or another storage."
        )


def _join(job: Job) -> None:
    """What a worker of its own process does."""
    optuna = load_optuna()
    with _quiet(optuna):
        _work(_open(job, None), job)


def _work(study: Any, job: Job) -> None:
    """Run trials until the study has enough."""
    while job.deadline is None or time.time() < job.deadline:
        tasks: list[Task] = []
        try:
            while len(tasks) < job.together:
                claimed = ledger.claim(study, job.n_trials)
                if claimed is None:
                    break
                tasks.append(Task(*claimed, {}, Watch(claimed[0])))
                tasks[-1].params.update(job.space.suggest(claimed[0]))
            if not tasks:
                return
            _run(study, job, tasks)
        except BaseException:
            for task in tasks:
                ledger.leave(study, task.trial.number)
            raise


class Task(NamedTuple):
    """A trial that this process has taken."""

    trial: Any
    place: int
    params: dict[str, Any]
    watch: Watch


def _run(study: Any, job: Job, tasks: list[Task]) -> None:
    """Trials, to whatever ends."""
    begun, pruning = time.perf_counter(), job.pruner is not None
    with ExitStack() as stack:
        for task in tasks:
            stack.enter_context(ledger.beating(task.trial, job.storage is not None))
        if len(tasks) == 1:
            (only,) = tasks
            endings = [at_once.alone(job.objective, only.params, only.watch, pruning)]
        else:
            asked = [(task.params, task.watch) for task in tasks]
            endings = at_once.evaluate(job.objective, asked, pruning)
    seconds = time.perf_counter() - begun
    for task, ending in zip(tasks, endings, strict=True):
        _conclude(study, job, task, ending, seconds)


def _conclude(study: Any, job: Job, task: Task, ending: Any, seconds: float) -> None:
    """Write down what a trial came to."""
    optuna = load_optuna()
    if isinstance(ending, endings()) and not isinstance(ending, optuna.TrialPruned):
        return  # others took this process for dead, and the place is theirs
    state, score, failure, told = optuna.trial.TrialState.PRUNED, None, "", "pruned"
    if isinstance(ending, Outcome):
        score = float(np.mean(ending.scores))
        state, told = optuna.trial.TrialState.COMPLETE, f"{score:.5g}"
    if isinstance(ending, NonFiniteLossError):
        failure = str(ending).splitlines()[0]
    elif score is not None and not np.isfinite(score):
        state, failure, score = optuna.trial.TrialState.PRUNED, f"the score is {score}", None
    epochs = ending.epochs if isinstance(ending, Outcome) else []
    notes = {SCORES: task.watch.scores, EPOCHS: epochs, FAILURE: failure}
    with suppress(ValueError, RuntimeError, optuna.exceptions.OptunaError):
        for name, value in notes.items():
            if value:
                task.trial.set_user_attr(name, value)
        study.tell(task.trial, score, state=state)
        if job.verbose:
            _say(study, job, task, f"failed: {failure}" if failure else told, seconds)


def _say(study: Any, job: Job, task: Task, told: str, seconds: float) -> None:
    try:
        best = f", best {study.best_value:.5g}"
    except ValueError:
        best = ""
    values = "  ".join(f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}"
                       for k, v in task.params.items())  # fmt: skip
    print(
        f"trial {task.place + 1} ({finished(study)} of {job.n_trials} done): {told}{best}  "
        f"{seconds:.1f} s  {values}",
        flush=True,
    )


def _copied(study: Any, storage: Any) -> Any:
    """The study in memory."""
    optuna = load_optuna()
    names = {"from_study_name": study.study_name, "to_study_name": study.study_name}
    memory = optuna.storages.InMemoryStorage()
    optuna.copy_study(from_storage=open_storage(storage), to_storage=memory, **names)
    return optuna.load_study(study_name=study.study_name, storage=memory)


def _refit(result: Result, objective: Any) -> None:
    optuna = load_optuna()
    complete = (optuna.trial.TrialState.COMPLETE,)
    if not result.study.get_trials(deepcopy=False, states=complete):
        return
    best = result.study.best_trial
    fitted = objective.refit(result.best_params, best.user_attrs.get(EPOCHS, []))
    if isinstance(objective, EstimatorObjective):
        result.best_estimator = fitted
    else:
        result.best_model = fitted
